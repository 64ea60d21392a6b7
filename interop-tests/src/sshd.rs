//! A server as a plain process on loopback: OpenSSH's, or one that takes the same command line and configuration.
//! Touches: `sshd`, a scratch folder with throw-away keys.   Never: the machine's own sshd or its files.
//! Invariants: it accepts connections when `start` returns; it and all its children are gone at drop.
//! Errors: a panic with the server's log.   Allocates: freely.
//! Proved by: every interop test.

use crate::{
    child::Guarded,
    deadline::eventually,
    endpoint::{Endpoint, known_host},
    keys::{self, ED25519, KeyKind},
    log::Log,
    ports::{free_port, listeners},
    scratch::Scratch,
};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// A running server.
#[derive(Debug)]
pub struct Sshd {
    /// The process. First, so that it ends before its files go.
    pub process: Guarded,
    /// How to reach it.
    pub endpoint: Endpoint,
    /// Its keys and configuration.
    pub scratch: Scratch,
}

/// What a server is to be like before it starts.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    lines: Vec<String>,
    defaults: Vec<String>,
    blocks: Vec<String>,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    host_keys: Vec<KeyKind>,
    key_options: String,
    program: Option<PathBuf>,
}

impl Setup {
    /// Adds a line of sshd_config; the first value of a keyword counts, and these come first.
    #[must_use]
    pub fn line(mut self, line: impl Into<String>) -> Self {
        self.lines.push(line.into());
        self
    }

    /// Adds a line that counts unless the test has one with the same keyword.
    #[must_use]
    pub fn default_line(mut self, line: impl Into<String>) -> Self {
        self.defaults.push(line.into());
        self
    }

    /// Adds a Match block; these stand at the end of the file, as nothing ends a block but another one.
    #[must_use]
    pub fn block(mut self, text: impl Into<String>) -> Self {
        self.blocks.push(text.into());
        self
    }

    /// Adds an argument of the command line.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Sets a variable of the server's environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// Starts this program instead of [`program`].
    #[must_use]
    pub fn program(self, program: PathBuf) -> Self {
        Self { program: Some(program), ..self }
    }

    /// Gives the server a host key of this kind; without any it has an Ed25519 key.
    #[must_use]
    pub fn host_key(mut self, kind: KeyKind) -> Self {
        self.host_keys.push(kind);
        self
    }

    /// Puts options before the user's key in authorized_keys.
    #[must_use]
    pub fn key_options(mut self, options: &str) -> Self {
        options.clone_into(&mut self.key_options);
        self
    }

    /// Writes keys and configuration into a new folder that the server will see as `seen_as`, or in its place.
    pub(crate) fn lay_out(&self, port: u16, seen_as: Option<&str>) -> (Scratch, Endpoint) {
        let scratch = Scratch::new();
        let place = |name: &str| match seen_as {
            Some(folder) => PathBuf::from(folder).join(name),
            None => scratch.join(name),
        };
        let kinds = if self.host_keys.is_empty() { &[ED25519][..] } else { &self.host_keys };
        let mut config = self.lines.join("\n") + "\n";
        let mut known_hosts = String::new();
        for kind in kinds {
            let name = format!("host-{}", kind.file_name());
            let key = keys::generate(&scratch.join(&name), *kind, "");
            config += &format!("HostKey {}\n", place(&name).display());
            known_hosts += &known_host(port, &keys::public_key(&key));
        }
        let identity = keys::generate(&scratch.join("user-key"), ED25519, "");
        let space = if self.key_options.is_empty() { "" } else { " " };
        let authorized = format!("{}{space}{}\n", self.key_options, keys::public_key(&identity));
        let authorized = scratch.write("authorized_keys", authorized);
        // Elsewhere, whoever starts the server puts the file where its user can read it.
        let authorized = seen_as.map_or(authorized, |_| PathBuf::from(".ssh/authorized_keys"));
        config += &format!(
            "Port {port}\nListenAddress 127.0.0.1\nAuthorizedKeysFile {}\nPidFile none\n",
            authorized.display()
        );
        config += &(self.defaults.join("\n") + "\n");
        config += "StrictModes no\nPermitRootLogin yes\nLogLevel DEBUG1\n";
        // The one keyword of which sshd takes the last value.
        if !self.lines.iter().any(|line| line.starts_with("MaxStartups ")) {
            config += "MaxStartups 200\n";
        }
        config += &(self.blocks.join("\n") + "\n");
        scratch.write("sshd_config", config);
        let known_hosts = scratch.write("known_hosts", known_hosts);
        (scratch, Endpoint { port, user: user_name(), identity, known_hosts })
    }

    /// Starts the server.
    ///
    /// # Panics
    /// When it is not there or refuses the configuration.
    pub fn start(self) -> Sshd {
        make_separation_folder();
        let setup = self.without_penalties();
        (0..5).find_map(|_| setup.try_start()).expect("a port for the server")
    }

    /// Writes keys and configuration and does not start it; for what does not listen, or not for long.
    pub fn prepare(self) -> (Prepared, Endpoint) {
        make_separation_folder();
        let setup = self.without_penalties();
        let (scratch, endpoint) = setup.lay_out(free_port(), None);
        (Prepared { setup, scratch }, endpoint)
    }

    fn the_program(&self) -> PathBuf {
        let installed = || program().expect("sshd is not installed (package openssh-server)");
        self.program.clone().unwrap_or_else(installed)
    }

    fn without_penalties(self) -> Self {
        if has_penalties(&self.the_program()) { self.default_line(NO_PENALTIES) } else { self }
    }

    fn command(&self, config: &Path) -> Command {
        let mut command = Command::new(self.the_program());
        command.arg("-f").arg(config).args(&self.arguments);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// `None` when somebody took the port meanwhile.
    fn try_start(&self) -> Option<Sshd> {
        let (scratch, endpoint) = self.lay_out(free_port(), None);
        let mut command = self.command(&scratch.join("sshd_config"));
        let mut process = Guarded::start("the server", command.args(["-D", "-e"]));
        wait_ready(&mut process, endpoint.port).then_some(Sshd { process, endpoint, scratch })
    }
}

/// A server that has all it needs and was not started.
#[derive(Debug)]
pub struct Prepared {
    setup: Setup,
    /// Its keys and configuration.
    pub scratch: Scratch,
}

impl Prepared {
    /// The server's command line, with neither `-D` nor `-e`.
    pub fn command(&self) -> Command {
        self.setup.command(&self.config())
    }

    /// The configuration file.
    pub fn config(&self) -> PathBuf {
        self.scratch.join("sshd_config")
    }
}

/// Waits until a server listens; false when its port is taken.
///
/// # Panics
/// When it ends for another reason.
pub(crate) fn wait_ready(process: &mut Guarded, port: u16) -> bool {
    eventually("the server's listener", || {
        if !listeners(port).is_empty() {
            return Some(true);
        }
        process.ended()?;
        let text = process.stderr.text_at_end();
        assert!(text.contains("Address already in use"), "the server does not start:\n{text}");
        Some(false)
    })
}

impl Sshd {
    /// A server with the settings that most tests want.
    pub fn start() -> Self {
        Setup::default().start()
    }

    /// A server with these lines of sshd_config.
    pub fn with(lines: &[&str]) -> Self {
        lines.iter().fold(Setup::default(), |setup, line| setup.line(*line)).start()
    }

    /// What it logs.
    pub fn log(&self) -> &Log {
        &self.process.stderr
    }

    /// The processes that serve its connections.
    pub fn sessions(&self) -> Vec<u32> {
        self.process.descendants()
    }
}

/// Where sshd is; it is often outside a user's PATH and must be started by its full path.
///
/// `SSHD_BIN` names another server for the client to be tried against, for example `aditd`.
pub fn program() -> Option<PathBuf> {
    if let Some(path) = env::var_os("SSHD_BIN") {
        return Some(path.into());
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let places = env::split_paths(&path).chain(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from));
    places.map(|folder| folder.join("sshd")).find(|program| program.is_file())
}

/// From 9.8 on, an address that fails to log in is shut out for a while; all tests share one.
pub(crate) const NO_PENALTIES: &str = "PerSourcePenalties no";

/// Whether this server knows the keyword: `OpenSSH_9.8p1, …` is the first that does, and ours always did.
pub fn has_penalties(program: &Path) -> bool {
    let output = Command::new(program).arg("-V").output().expect("the server starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let Some(version) = said.split("OpenSSH_").nth(1) else { return true };
    let mut numbers =
        version.split(|c: char| !c.is_ascii_digit()).map_while(|n| n.parse::<u32>().ok());
    (numbers.next(), numbers.next()) >= (Some(9), Some(8))
}

/// Whom this process runs as; a plain sshd lets in nobody else.
pub fn user_name() -> String {
    let output = Command::new("id").arg("-un").output().expect("id");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// sshd wants this folder when root starts it; a service manager would have made it.
fn make_separation_folder() {
    if rustix::process::geteuid().is_root() {
        let _ = fs::create_dir_all("/run/sshd");
    }
}
