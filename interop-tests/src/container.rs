//! Servers and clients of other versions, in containers: OpenSSH and Dropbear of several Debian releases.
//! Touches: podman or docker, debootstrap, the cache folder.   Never: an address outside loopback.
//! Invariants: an image is made once and kept; a container is removed when its guard goes.
//! Errors: [`Unavailable`] when there is no engine or no image; tests say so and are counted.   Allocates: freely.
//! Proved by: `versions.rs`, `passwords.rs`, `dropbear.rs`.

use crate::{
    aditd,
    child::Guarded,
    client::Invocation,
    endpoint::Endpoint,
    ports::free_port,
    scratch::Scratch,
    skip::skip,
    sshd::{NO_PENALTIES, Setup, wait_ready},
};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{self, Command, Stdio},
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

/// A Debian release whose servers are tried.
#[derive(Clone, Copy, Debug)]
pub struct Release {
    /// Its name.
    pub name: &'static str,
    /// Whether its sshd shuts out addresses that fail to log in.
    has_penalties: bool,
}

/// OpenSSH 8.4 and Dropbear 2020.81.
pub const BULLSEYE: Release = Release { name: "bullseye", has_penalties: false };
/// OpenSSH 9.2 and Dropbear 2022.83.
pub const BOOKWORM: Release = Release { name: "bookworm", has_penalties: false };
/// OpenSSH 10.0 and Dropbear 2025.89.
pub const TRIXIE: Release = Release { name: "trixie", has_penalties: true };
/// The newest of both.
pub const SID: Release = Release { name: "sid", has_penalties: true };

/// All of them.
pub const RELEASES: &[Release] = &[BULLSEYE, BOOKWORM, TRIXIE, SID];

/// Counts what changes in the images: one that was made before is not used again.
const GENERATION: u32 = 2;

/// Who may log in with a password, inside the containers only.
pub const USER: &str = "adit";
/// That user's password.
pub const PASSWORD: &str = "throw-away password";

/// Somebody with the same key and no shell.
pub const WITHOUT_SHELL: &str = "shut-out";

/// Where a container sees the server's keys and configuration.
const MOUNT: &str = "/adit";
const READY: &str = "mkdir -p /run/sshd /run/adit && useradd -m -s /bin/sh adit && \
    useradd -m -p '*' -s /usr/sbin/nologin shut-out && echo 'adit:throw-away password' | chpasswd && \
    for user in adit shut-out; do install -d -m 700 -o $user /home/$user/.ssh && \
    install -m 600 -o $user /adit/authorized_keys /home/$user/.ssh/; done";

/// Why there is no container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unavailable(pub String);

/// A server in a container.
#[derive(Debug)]
pub struct Container {
    engine: &'static Engine,
    name: String,
    /// The attached engine process; its stderr is the server's log.
    pub process: Guarded,
    /// How to reach the server.
    pub endpoint: Endpoint,
    /// Its keys and configuration.
    pub scratch: Scratch,
}

/// Starts OpenSSH's server of a Debian release, or skips the test aloud.
pub fn sshd(release: Release, setup: Setup) -> Option<Container> {
    let setup = if release.has_penalties { setup.line(NO_PENALTIES) } else { setup };
    let serve = format!("{READY} && exec /usr/sbin/sshd -D -e -f {MOUNT}/sshd_config");
    start(release, &setup, &serve, &[])
}

/// Starts the server under test inside a Debian release, where it has users to let in, or skips the test aloud.
pub fn aditd(release: Release, setup: Setup) -> Option<Container> {
    if !aditd::is_aditd() {
        return sshd(release, setup);
    }
    let program = format!("{}:/aditd:ro", aditd::program().display());
    let serve = format!("{READY} && exec /aditd -D -e -f {MOUNT}/sshd_config");
    start(release, &setup.default_line(NO_PENALTIES), &serve, &["--volume", &program])
}

/// Starts Dropbear's server of a Debian release, or skips the test aloud.
pub fn dropbear(release: Release) -> Option<Container> {
    let serve = format!(
        "{READY} && dropbearconvert openssh dropbear {MOUNT}/host-ed25519-256 /run/adit/key && \
         exec /usr/sbin/dropbear -F -E -r /run/adit/key -p 127.0.0.1:$PORT -P /run/adit/pid"
    );
    start(release, &Setup::default(), &serve, &[])
}

fn start(release: Release, setup: &Setup, serve: &str, options: &[&str]) -> Option<Container> {
    let (engine, image) = engine_and_image(release)?;
    let started = (0..5).find_map(|_| engine.try_run(&image, setup, serve, options));
    Some(started.expect("a port for the container"))
}

fn engine_and_image(release: Release) -> Option<(&'static Engine, String)> {
    engine()
        .and_then(|engine| engine.image(release.name).map(|image| (engine, image)))
        .map_err(|Unavailable(why)| skip(&why))
        .ok()
}

/// A container in which the clients of a Debian release run.
#[derive(Debug)]
pub struct Clients {
    engine: &'static Engine,
    name: String,
    /// The server's files as the container sees them.
    endpoint: Endpoint,
    _process: Guarded,
}

/// Makes the clients of a Debian release ready to go to a server, or skips the test aloud.
pub fn clients(release: Release, scratch: &Scratch, endpoint: &Endpoint) -> Option<Clients> {
    let (engine, image) = engine_and_image(release)?;
    let name = fresh_name();
    let mut command = engine.run_command(&name, scratch);
    let convert = format!("dropbearconvert openssh dropbear {MOUNT}/user-key /root/dropbear-key");
    // Dropbear's client refuses to start without a home of its own.
    let wait = format!("mkdir -p /root/.ssh && {convert} && echo ready && exec sleep infinity");
    command.args([&image, "sh", "-c", &wait]);
    let process = Guarded::start(&format!("the clients in {image}"), &mut command);
    process.stdout.wait_for("ready");
    let seen = |path: &Path| {
        Path::new(MOUNT).join(path.file_name().expect("a file of the server's scratch folder"))
    };
    let endpoint = Endpoint {
        identity: seen(&endpoint.identity),
        known_hosts: seen(&endpoint.known_hosts),
        ..endpoint.clone()
    };
    Some(Clients { engine, name, endpoint, _process: process })
}

impl Clients {
    /// OpenSSH's client.
    pub fn ssh(&self) -> Invocation {
        Invocation::to(&self.endpoint).program(self.engine.program.into()).args([
            "exec",
            "--interactive",
            &self.name,
            "ssh",
        ])
    }

    /// Dropbear's client, with options before its host and a remote command after it.
    pub fn dbclient(&self, options: &[&str], remote_command: &[&str]) -> Command {
        let mut command = Command::new(self.engine.program);
        command.args(["exec", "--interactive", &self.name, "dbclient", "-y", "-y"]);
        command.args(["-i", "/root/dropbear-key", "-p", &self.endpoint.port.to_string()]);
        command.args(options).arg(format!("{}@127.0.0.1", self.endpoint.user)).args(remote_command);
        command
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        self.engine.remove(&self.name);
    }
}

fn fresh_name() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("adit-{}-{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A container program that works here.
#[derive(Debug)]
pub struct Engine {
    program: &'static str,
    arguments: Vec<&'static str>,
}

/// The engine of this machine, looked for once.
///
/// # Errors
/// When there is none, with the reasons.
pub fn engine() -> Result<&'static Engine, Unavailable> {
    static ENGINE: OnceLock<Result<Engine, Unavailable>> = OnceLock::new();
    ENGINE.get_or_init(Engine::find).as_ref().map_err(Clone::clone)
}

impl Engine {
    fn find() -> Result<Self, Unavailable> {
        if env::var_os("ADIT_NO_CONTAINERS").is_some() {
            return Err(Unavailable("no container engine: ADIT_NO_CONTAINERS is set".into()));
        }
        // runc where it is installed: crun needs kernel features that a sandbox may lack.
        let podman: &[&str] =
            if succeeds("runc", &["--version"]) { &["--runtime", "runc"] } else { &[] };
        [("podman", podman), ("docker", &[])]
            .into_iter()
            .find(|(program, _)| succeeds(program, &["info"]))
            .map(|(program, arguments)| Self { program, arguments: arguments.to_vec() })
            .ok_or_else(|| {
                Unavailable("no container engine: neither podman nor docker answers".into())
            })
    }

    /// The image with both servers of a Debian release; made when it is not there yet.
    ///
    /// # Errors
    /// When it cannot be made, with the reason.
    pub fn image(&self, release: &str) -> Result<String, Unavailable> {
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let image = format!("adit-interop:{release}-{GENERATION}");
        if succeeds(self.program, &["image", "inspect", &image]) {
            return Ok(image);
        }
        let made = if can_bootstrap() {
            self.bootstrap(release, &image)
        } else {
            self.build(release, &image)
        };
        made.map(|()| image)
    }

    /// Makes an image out of Debian packages, without any image registry.
    fn bootstrap(&self, release: &str, image: &str) -> Result<(), Unavailable> {
        let archive = cache_folder().join(format!("{release}-{GENERATION}.tar"));
        if !archive.is_file() {
            bootstrap_archive(release, &archive)?;
        }
        let archive = archive.to_str().expect("the cache folder's name is UTF-8");
        run(self.program, &["import", archive, image])
    }

    /// Makes an image from a base image of the registry that the engine is set up for.
    fn build(&self, release: &str, image: &str) -> Result<(), Unavailable> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/containers");
        let base = format!("BASE=debian:{release}-slim");
        run(self.program, &["build", "--build-arg", &base, "--tag", image, folder])
    }

    /// `None` when somebody took the port meanwhile.
    fn try_run(
        &'static self,
        image: &str,
        setup: &Setup,
        serve: &str,
        options: &[&str],
    ) -> Option<Container> {
        let port = free_port();
        let (scratch, mut endpoint) = setup.lay_out(port, Some(MOUNT));
        USER.clone_into(&mut endpoint.user);
        let name = fresh_name();
        let mut command = self.run_command(&name, &scratch);
        command.args(["--env", &format!("PORT={port}")]).args(options);
        command.args([image, "sh", "-c", serve]);
        let process = Guarded::start(&format!("the server in {image}"), &mut command);
        let mut container = Container { engine: self, name, process, endpoint, scratch };
        wait_ready(&mut container.process, port).then_some(container)
    }

    /// What comes before the image. The host's network, so that both sides reach the tests' services; servers bind
    /// 127.0.0.1 only.
    fn run_command(&self, name: &str, scratch: &Scratch) -> Command {
        let volume = format!("{}:{MOUNT}:ro", scratch.path().display());
        let mut command = Command::new(self.program);
        command.args(&self.arguments).args(["run", "--rm", "--name", name, "--network", "host"]);
        command.args(["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"]);
        command.args(["--volume", &volume]);
        command
    }

    fn remove(&self, name: &str) {
        succeeds(self.program, &["rm", "--force", "--time", "0", name]);
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        self.engine.remove(&self.name);
    }
}

/// debootstrap makes device files and changes its root: only root can.
fn can_bootstrap() -> bool {
    rustix::process::geteuid().is_root() && succeeds("debootstrap", &["--version"])
}

/// A minimal Debian with the servers in it, as an archive.
fn bootstrap_archive(release: &str, archive: &Path) -> Result<(), Unavailable> {
    let folder = cache_folder();
    fs::create_dir_all(&folder)
        .map_err(|error| Unavailable(format!("{}: {error}", folder.display())))?;
    let root = folder.join(format!("{release}.{}", process::id()));
    let half_done = folder.join(format!("{release}.{}.tar", process::id()));
    let (root_name, tar_name) = (root.display().to_string(), half_done.display().to_string());
    let include = "--include=openssh-server,openssh-client,dropbear-bin";
    let made = run("debootstrap", &["--variant=minbase", include, release, &root_name])
        .and_then(|()| {
            run("tar", &["--directory", &root_name, "--create", "--file", &tar_name, "."])
        })
        .and_then(|()| {
            fs::rename(&half_done, archive)
                .map_err(|error| Unavailable(format!("{tar_name}: {error}")))
        });
    let _ = fs::remove_dir_all(&root);
    let _ = fs::remove_file(&half_done);
    made
}

/// Where images and other costly things are kept between runs, outside the tree.
pub fn cache_folder() -> PathBuf {
    let cache = env::var_os("XDG_CACHE_HOME").filter(|value| !value.is_empty()).map(PathBuf::from);
    let home =
        || PathBuf::from(env::var_os("HOME").unwrap_or_else(|| "/tmp".into())).join(".cache");
    cache.unwrap_or_else(home).join("adit-interop")
}

fn succeeds(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn run(program: &str, arguments: &[&str]) -> Result<(), Unavailable> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    let output = output.map_err(|error| Unavailable(format!("cannot start {program}: {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let reason = said.trim_end().lines().last().unwrap_or("no reason given");
    Err(Unavailable(format!("{program} {}: {reason}", arguments[0])))
}
