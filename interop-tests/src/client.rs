//! The client under test: `adit`, or what `ADIT_BIN` names.
//! Touches: one child process per run.   Never: the user's ~/.ssh, an agent of the user.
//! Invariants: a test's own arguments come before the harness's, as the first value of an option counts.
//! Errors: a panic when the client ends although it should stay.   Allocates: arguments.
//! Proved by: every interop test.

use crate::skip::skip;
use crate::{
    child::Guarded, deadline::eventually, endpoint::Endpoint, ports::listeners, service::Service,
};
use std::{
    env,
    ffi::{OsStr, OsString},
    path::PathBuf,
    process::Command,
    sync::OnceLock,
};

/// The program under test.
///
/// # Panics
/// When `ADIT_BIN` is not set and no `adit` was built beside the tests.
pub fn program() -> PathBuf {
    env::var_os("ADIT_BIN").map_or_else(|| beside_the_tests("adit", "ADIT_BIN"), PathBuf::from)
}

/// A program of ours that was built into the same folder as this test.
pub(crate) fn beside_the_tests(name: &str, variable: &str) -> PathBuf {
    // target/<profile>/deps/<test> lies one folder below the programs.
    let test = env::current_exe().expect("this test's own path");
    let built = test.ancestors().nth(2).expect("two folders up").join(name);
    assert!(
        built.is_file(),
        "{} is not there: `cargo build -p {name}`, or set {variable}",
        built.display()
    );
    built
}

/// Whether the program under test is ours, where it does better than ssh on purpose.
pub fn is_adit() -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| {
        let output =
            Command::new(program()).arg("-V").output().expect("the client under test starts");
        !String::from_utf8_lossy(&output.stderr).contains("OpenSSH")
    })
}

/// Whether the program under test has what this command line asks for; skips the test aloud when it says it has not.
///
/// The command line should fail at once where it is understood, for example at a port where nobody listens.
pub fn supports(arguments: &[&str]) -> bool {
    let finished = Invocation::bare().args(arguments).run();
    let refusal = finished
        .stderr
        .lines()
        .find(|line| line.contains("not supported yet") || line.contains("not read yet"));
    refusal.into_iter().for_each(skip);
    refusal.is_none()
}

/// A command line in the making.
#[derive(Clone, Debug)]
pub struct Invocation {
    program: Option<PathBuf>,
    arguments: Vec<OsString>,
    trailing: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
}

/// How a run ended.
#[derive(Debug)]
pub struct Finished {
    /// Exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// All of stdout.
    pub stdout: String,
    /// All of stderr.
    pub stderr: String,
}

impl Invocation {
    /// Nothing but what the test says.
    pub fn bare() -> Self {
        Self { program: None, arguments: vec![], trailing: vec![], environment: vec![] }
    }

    /// Runs this program instead of [`program`].
    #[must_use]
    pub fn program(self, program: PathBuf) -> Self {
        Self { program: Some(program), ..self }
    }

    /// The client on its way to `endpoint`, with its key and host keys and no prompt.
    pub fn to(endpoint: &Endpoint) -> Self {
        Self::to_host(endpoint)
            .trailing("-o")
            .trailing(format!("UserKnownHostsFile={}", endpoint.known_hosts.display()))
            .trailing("-o")
            .trailing("StrictHostKeyChecking=yes")
            .trailing("-o")
            .trailing("BatchMode=yes")
            .trailing("-i")
            .trailing(&endpoint.identity)
    }

    /// The client on its way to `endpoint` with neither key nor host keys: those are the test's matter.
    pub fn to_host(endpoint: &Endpoint) -> Self {
        // Options after the host are options too.
        Self::bare()
            .trailing("-F")
            .trailing("none")
            .trailing("-p")
            .trailing(endpoint.port.to_string())
            .trailing("-l")
            .trailing(&endpoint.user)
            .trailing("-o")
            .trailing("GlobalKnownHostsFile=/dev/null")
            .trailing("-o")
            .trailing("IdentitiesOnly=yes")
            .trailing("-o")
            .trailing("IdentityAgent=none")
            .trailing("-o")
            .trailing("NumberOfPasswordPrompts=1")
    }

    #[must_use]
    fn trailing(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.trailing.push(argument.as_ref().to_owned());
        self
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<S: AsRef<OsStr>>(self, arguments: impl IntoIterator<Item = S>) -> Self {
        arguments.into_iter().fold(self, Self::arg)
    }

    /// Adds `-o option`.
    #[must_use]
    pub fn option(self, option: impl AsRef<OsStr>) -> Self {
        self.arg("-o").arg(option)
    }

    /// Lets this test count its descriptors: of a process that hides its memory only root sees them.
    #[must_use]
    pub fn open_to_us(self) -> Self {
        if is_adit() && !rustix::process::geteuid().is_root() {
            self.arg("--no-sandbox")
        } else {
            self
        }
    }

    /// Sets a variable of the client's environment.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.environment.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// The whole command: test's arguments, harness's arguments, host, then the remote command if any.
    pub fn command(&self, remote_command: &[&str]) -> Command {
        let mut command = Command::new(self.program.clone().unwrap_or_else(program));
        command.env_remove("SSH_AUTH_SOCK").env_remove("SSH_ASKPASS").env_remove("DISPLAY");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.args(&self.arguments).args(&self.trailing);
        if !self.trailing.is_empty() {
            command.arg("127.0.0.1");
        }
        command.args(remote_command);
        command
    }

    /// Starts it and does not wait.
    pub fn start(&self) -> Client {
        Client { process: Guarded::start("the client", &mut self.command(&[])) }
    }

    /// Starts it with `-N`: forwards only.
    pub fn tunnel(&self) -> Client {
        self.clone().arg("-N").start()
    }

    /// Runs it to its end, with nothing on standard input.
    pub fn run(&self) -> Finished {
        self.run_remotely(&[])
    }

    /// Logs in, reaches a service there and comes back with what it said: `welcome`.
    pub fn log_in(&self) -> Finished {
        let service = Service::tcp(|stream| {
            stream.write_all(b"welcome")?;
            stream.finish_writing()
        });
        self.clone().arg("-W").arg(format!("127.0.0.1:{}", service.port())).run()
    }

    /// Runs a remote command to its end.
    pub fn run_remotely(&self, remote_command: &[&str]) -> Finished {
        let mut client =
            Client { process: Guarded::start("the client", &mut self.command(remote_command)) };
        client.process.close_stdin();
        client.finish()
    }
}

/// A running client.
#[derive(Debug)]
pub struct Client {
    /// The process.
    pub process: Guarded,
}

impl Client {
    /// Waits until somebody, this client or the server on its behalf, listens at `port`.
    ///
    /// # Panics
    /// When the client ends first.
    #[must_use]
    pub fn listening(mut self, port: u16) -> Self {
        eventually(&format!("a listener at port {port}"), || {
            self.assert_runs();
            (!listeners(port).is_empty()).then_some(())
        });
        self
    }

    /// Waits until the socket file is there.
    ///
    /// # Panics
    /// When the client ends first.
    #[must_use]
    pub fn listening_at(mut self, path: &std::path::Path) -> Self {
        eventually(&format!("a listener at {}", path.display()), || {
            self.assert_runs();
            std::os::unix::net::UnixStream::connect(path).ok()
        });
        self
    }

    /// # Panics
    /// When it does not run any more.
    pub fn assert_runs(&mut self) {
        if let Some(status) = self.process.ended() {
            panic!("the client ended ({status}):\n{}", self.process.stderr.text_at_end());
        }
    }

    /// Waits for a line on stderr.
    pub fn says(&self, needle: &str) -> String {
        self.process.stderr.wait_for(needle)
    }

    /// What it has said on stderr so far.
    pub fn said(&self) -> String {
        self.process.stderr.text()
    }

    /// Waits for its end.
    pub fn finish(mut self) -> Finished {
        let code = self.process.wait().code();
        let (stdout, stderr) = (&self.process.stdout, &self.process.stderr);
        Finished { code, stdout: stdout.text_at_end(), stderr: stderr.text_at_end() }
    }
}

impl Finished {
    /// Holds code and stderr against what is expected.
    ///
    /// # Panics
    /// When either differs.
    pub fn assert(&self, code: i32, needles: &[&str]) {
        assert_eq!(self.code, Some(code), "{self:#?}");
        for needle in needles {
            assert!(self.stderr.contains(needle), "no {needle:?} in {self:#?}");
        }
    }
}
