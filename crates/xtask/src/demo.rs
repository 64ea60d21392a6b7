//! `cargo xtask demo`: -L, -R and -D at work between here and a real server, every byte checked.
//! Touches: a release build of adit and aditd, throw-away keys, loopback sockets.   Never: the user's keys or servers.
//! Invariants: what is printed as verified was held against the generator byte by byte.
//! Errors: what failed; the harness adds what client and server said.   Allocates: buffers.
//! Proved by: running it.

use crate::{
    Outcome,
    cargo::{cargo, target_folder},
    report::run as run_command,
    tools::{self, Need},
};
use adit_interop_tests::{
    aditd,
    carry::MIB,
    client::{Client, Invocation},
    pattern::Pattern,
    ports::{connect, free_port},
    proxy_client::{Target, socks5},
    service::Service,
    sshd::Sshd,
};
use std::{
    fs, io,
    io::{IsTerminal, Read, Write},
    net::{Ipv4Addr, Shutdown, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

/// What may stand behind the verb.
pub(crate) const ARGUMENTS: &str = "[--sshd] [--compare]";

/// What goes through each forward in each direction.
const LENGTH: u64 = 256 * MIB;
/// The two ends of a tunnel, as places in arrays: what sends, and what takes.
const SOURCE: usize = 0;
const SINK: usize = 1;
/// Each direction has bytes of its own.
const SEEDS: [u64; 2] = [1, 2];

/// One kind of forward.
struct Forward {
    name: &'static str,
    what: &'static str,
    connect: fn(&Tunnel, usize) -> TcpStream,
}

const FORWARDS: &[Forward] = &[
    Forward {
        name: "-L",
        what: "a port here leads there",
        connect: |tunnel, end| connect(tunnel.local[end]),
    },
    Forward {
        name: "-R",
        what: "a port there leads here",
        connect: |tunnel, end| connect(tunnel.remote[end]),
    },
    Forward { name: "-D", what: "a SOCKS proxy here leads anywhere there", connect: through_proxy },
];

/// Builds, starts, carries, verifies, tells; with `--compare` the same through `ssh`, in turn with ours.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let (server, name) = server(arguments)?;
    let program = build("adit")?;
    let mut programs = vec![program.clone()];
    if arguments.iter().any(|argument| argument == "--compare") {
        programs.push("ssh".into());
    }
    println!("server   {name} on 127.0.0.1 port {}, with throw-away keys", server.endpoint.port);
    println!("client   {}, {} KiB", program.display(), size_in_kib(&program));
    let services = [Service::source(SEEDS[SOURCE], LENGTH), Service::sink(SEEDS[SINK])];
    let ends = [services[SOURCE].port(), services[SINK].port()];
    let tunnels: Vec<Tunnel> =
        programs.into_iter().map(|program| Tunnel::open(program, &server, ends)).collect();
    for forward in FORWARDS {
        let carried = tunnels.iter().map(|tunnel| carry(forward, tunnel));
        let carried = carried.collect::<Result<Vec<_>, _>>()?;
        if let [ours, theirs] = carried.as_slice() {
            println!(
                "ratio    {} to ssh: speed {:.2} down, {:.2} up; the client's CPU {:.2} down, {:.2} up",
                forward.name,
                theirs[0].seconds / ours[0].seconds,
                theirs[1].seconds / ours[1].seconds,
                ours[0].cpu / theirs[0].cpu,
                ours[1].cpu / theirs[1].cpu,
            );
        }
    }
    let moved = (tunnels.len() * FORWARDS.len()) as u64 * 2 * LENGTH / MIB;
    println!("done     {moved} MiB in all, one connection per client");
    Ok(())
}

/// What one transfer cost.
struct Cost {
    seconds: f64,
    /// Seconds of the client's processor time.
    cpu: f64,
}

/// Moves everything through one forward, down and up, and tells.
fn carry(forward: &Forward, tunnel: &Tunnel) -> Result<[Cost; 2], String> {
    let through = |way: &str, end: usize, transfer: Transfer| {
        let before = tunnel.client.process.cpu_seconds();
        let took = transfer((forward.connect)(tunnel, end), &Progress::new(forward.name, way))
            .map_err(|error| {
                format!("{} {way}: {error}\nthe client said:\n{}", forward.name, tunnel.said())
            })?;
        let cpu = tunnel.client.process.cpu_seconds() - before;
        Ok::<_, String>(Cost { seconds: took.as_secs_f64(), cpu })
    };
    let costs = [through("down", SOURCE, receive)?, through("up", SINK, send)?];
    let [down, up] = costs.each_ref().map(Cost::told);
    println!(
        "{:<8} {:<5} {} MiB down {down}, up {up}: every byte right ({})",
        forward.name,
        tunnel.name,
        LENGTH / MIB,
        forward.what
    );
    Ok(costs)
}

/// Moves everything one way through a connection.
type Transfer = fn(TcpStream, &Progress) -> io::Result<Duration>;

impl Cost {
    /// `540 MiB/s (0.61 CPU s/GiB)`
    fn told(&self) -> String {
        #[allow(clippy::cast_precision_loss, reason = "256 is exact")]
        let mib = (LENGTH / MIB) as f64;
        format!("{:.0} MiB/s ({:.2} CPU s/GiB)", mib / self.seconds, self.cpu * 1024.0 / mib)
    }
}

/// Starts what the tunnel leads to, ours or with `--sshd` OpenSSH's; gives its name too.
fn server(arguments: &[String]) -> Result<(Sshd, String), String> {
    if arguments.iter().any(|argument| !["--sshd", "--compare"].contains(&argument.as_str())) {
        return Err(format!("takes {ARGUMENTS}"));
    }
    let missing = tools::ensure(&[Need::Interop]);
    if !missing.is_empty() {
        return Err(format!("please install {}", tools::packages(&missing)));
    }
    if arguments.iter().any(|argument| argument == "--sshd") {
        return Ok((Sshd::start(), openssh_version()));
    }
    let program = build("aditd")?;
    let name = format!("{}, {} KiB,", program.display(), size_in_kib(&program));
    Ok((aditd::setup_of(program).start(), name))
}

/// A program as it ships.
fn build(package: &str) -> Result<PathBuf, String> {
    run_command(&mut cargo(&["build", "--release", "--package", package]))?;
    Ok(target_folder().join("release").join(package))
}

/// A running client with all three kinds of forward.
struct Tunnel {
    name: String,
    client: Client,
    services: [u16; 2],
    local: [u16; 2],
    remote: [u16; 2],
    dynamic: u16,
}

impl Tunnel {
    fn open(program: PathBuf, sshd: &Sshd, services: [u16; 2]) -> Self {
        let (local, remote, dynamic) =
            ([free_port(), free_port()], [free_port(), free_port()], free_port());
        let spec = |port: u16, to: u16| format!("127.0.0.1:{port}:127.0.0.1:{to}");
        let forwards: Vec<String> = [
            ["-L".to_owned(), spec(local[SOURCE], services[SOURCE])],
            ["-L".to_owned(), spec(local[SINK], services[SINK])],
            ["-R".to_owned(), spec(remote[SOURCE], services[SOURCE])],
            ["-R".to_owned(), spec(remote[SINK], services[SINK])],
            ["-D".to_owned(), format!("127.0.0.1:{dynamic}")],
        ]
        .concat();
        let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        println!("command  {name} -N {} 127.0.0.1", forwards.join(" "));
        let start = Instant::now();
        // One cipher for all, or a comparison would be one of the clients' tastes.
        let invocation = Invocation::to(&sshd.endpoint)
            .program(program)
            .option("ExitOnForwardFailure=yes")
            .option("Ciphers=aes128-gcm@openssh.com");
        let ports = [local, remote].concat().into_iter().chain([dynamic]);
        let client = ports.fold(invocation.args(forwards).tunnel(), Client::listening);
        println!("tunnel   stands after {} ms", start.elapsed().as_millis());
        Self { name, client, services, local, remote, dynamic }
    }

    fn said(&self) -> String {
        self.client.said()
    }
}

fn through_proxy(tunnel: &Tunnel, end: usize) -> TcpStream {
    let stream = connect(tunnel.dynamic);
    socks5(&stream, Target::V4(Ipv4Addr::LOCALHOST), tunnel.services[end])
        .unwrap_or_else(|refusal| panic!("the SOCKS proxy refuses: {refusal:?}"));
    stream
}

/// Takes everything from the source.
fn receive(stream: TcpStream, progress: &Progress) -> io::Result<Duration> {
    let start = Instant::now();
    let count = Pattern::new(SEEDS[SOURCE]).verify(stream, |position| progress.show(position))?;
    complete(count).map(|()| start.elapsed())
}

/// Sends everything to the sink, which verifies and answers with its count.
fn send(mut stream: TcpStream, progress: &Progress) -> io::Result<Duration> {
    let start = Instant::now();
    Pattern::new(SEEDS[SINK]).send(&mut stream, LENGTH, |position| progress.show(position))?;
    stream.shutdown(Shutdown::Write)?;
    let mut count = [0; 8];
    stream.read_exact(&mut count)?;
    complete(u64::from_be_bytes(count)).map(|()| start.elapsed())
}

fn complete(count: u64) -> io::Result<()> {
    if count == LENGTH {
        Ok(())
    } else {
        Err(io::Error::other(format!("{count} bytes of {LENGTH} arrived")))
    }
}

/// A line on the terminal that fills up; nothing where there is no terminal.
struct Progress {
    label: String,
    shown: bool,
}

impl Progress {
    fn new(forward: &str, way: &str) -> Self {
        Self { label: format!("{forward} {way}"), shown: io::stderr().is_terminal() }
    }

    fn show(&self, position: u64) {
        if !self.shown || position % (4 * MIB) != 0 {
            return;
        }
        let filled = usize::try_from(position * 40 / LENGTH).unwrap_or(40);
        let _ = write!(io::stderr(), "\r{:<8} [{:<40}]", self.label, "#".repeat(filled));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            let _ = write!(io::stderr(), "\r{:60}\r", "");
        }
    }
}

fn size_in_kib(program: &Path) -> u64 {
    fs::metadata(program).map_or(0, |metadata| metadata.len() / 1024)
}

/// `OpenSSH_9.2p1 Debian-2, OpenSSL …` up to the comma; server and client come from one source.
fn openssh_version() -> String {
    let said =
        Command::new("ssh").arg("-V").output().map(|output| output.stderr).unwrap_or_default();
    String::from_utf8_lossy(&said).split(',').next().unwrap_or_default().trim().to_owned()
}
