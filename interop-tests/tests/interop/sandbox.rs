//! What running programs have given up, and that tunnels still work: every other test here runs in the sandbox, too.

use adit_interop_tests::{
    aditd::{self, only_aditd},
    carry::{MIB, by_every_forward, through_echo},
    child::Guarded,
    client::{Client, Invocation, is_adit},
    endpoint::Endpoint,
    ports::{connect, free_port},
    scratch::Scratch,
    service::Service,
    skip::skip,
    sshd::{Setup, Sshd},
};
use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

/// What the kernel says of every thread of a process.
fn threads(process: &Guarded) -> Vec<String> {
    let folder = format!("/proc/{}/task", process.pid());
    let threads = fs::read_dir(folder).expect("a running process").flatten();
    threads.filter_map(|thread| fs::read_to_string(thread.path().join("status")).ok()).collect()
}

fn confined(process: &Guarded) -> bool {
    let threads = threads(process);
    assert!(!threads.is_empty());
    threads
        .iter()
        .all(|status| status.contains("\nSeccomp:\t2\n") && status.contains("\nNoNewPrivs:\t1\n"))
}

/// Whether this kernel can do all of it, by what the program says; skips the test aloud when not.
fn all_in_force(line: &str) -> bool {
    let all = line.ends_with("files and ports in force, system calls in force");
    if !all {
        skip(line);
    }
    all
}

fn tunnel(sshd: &Sshd, echo: &Service, options: &[&str]) -> (Client, u16) {
    let port = free_port();
    let forward = format!("{port}:127.0.0.1:{}", echo.port());
    let client = Invocation::to(&sshd.endpoint).args(["-v", "-L", &forward]).args(options);
    (client.tunnel().listening(port), port)
}

#[test]
fn a_tunnel_that_stands_is_confined_and_carries_on() {
    if !is_adit() {
        return skip("ssh has no sandbox");
    }
    let (sshd, echo) = (Sshd::start(), Service::echo());
    let (client, port) = tunnel(&sshd, &echo, &[]);
    if all_in_force(client.says("sandbox: ").trim_end()) {
        assert!(confined(&client.process));
    }
    through_echo(&mut connect(port), MIB);
}

#[test]
fn known_hosts_is_closed_once_the_server_has_named_its_keys() {
    if !is_adit() {
        return skip("ssh has no sandbox");
    }
    let (sshd, echo) = (Sshd::start(), Service::echo());
    let (client, port) = tunnel(&sshd, &echo, &["-oUpdateHostKeys=yes"]);
    client.process.stderr.wait_for_nth("sandbox: ", 2);
    through_echo(&mut connect(port), MIB);
}

#[test]
fn whoever_wants_no_sandbox_has_none() {
    if !is_adit() {
        return skip("ssh has no sandbox");
    }
    let (sshd, echo) = (Sshd::start(), Service::echo());
    let (client, port) = tunnel(&sshd, &echo, &["--no-sandbox"]);
    client.says("sandbox: off");
    through_echo(&mut connect(port), MIB);
    assert!(threads(&client.process).iter().all(|status| status.contains("\nSeccomp:\t0\n")));
}

/// A gateway whose one user's keys are a link to a file elsewhere, which no line of the configuration names.
struct Elsewhere {
    scratch: Scratch,
    other: Scratch,
}

impl Elsewhere {
    fn new() -> Self {
        let elsewhere = Self { scratch: Scratch::new(), other: Scratch::new() };
        fs::create_dir(elsewhere.scratch.join("keys")).expect("our own folder");
        elsewhere
    }

    fn setup(&self) -> Setup {
        let place = self.scratch.join("keys").display().to_string();
        let setup = aditd::gateway().line(format!("AuthorizedKeysFile {place}/%u"));
        setup.line("StrictModes no").line("LogLevel DEBUG1")
    }

    /// Lets the server's own user key in as `ada`.
    fn permit(&self, server: &Sshd) -> Endpoint {
        let public = fs::read(public_of(&server.endpoint.identity)).expect("a public key");
        let keys: PathBuf = self.other.write("ada", String::from_utf8_lossy(&public).as_ref());
        symlink(keys, self.scratch.join("keys/ada")).expect("a free name");
        Endpoint { user: "ada".into(), ..server.endpoint.clone() }
    }
}

fn public_of(identity: &Path) -> PathBuf {
    identity.with_extension("pub")
}

#[test]
fn a_gateway_does_not_read_what_its_configuration_does_not_name() {
    if !only_aditd() {
        return;
    }
    let elsewhere = Elsewhere::new();
    let server = elsewhere.setup().start();
    let ada = elsewhere.permit(&server);
    if !all_in_force(server.log().wait_for("sandbox: ").trim_end()) {
        return;
    }
    assert!(confined(&server.process));
    let refused = Invocation::to(&ada).program("ssh".into()).log_in();
    refused.assert(255, &["Permission denied (publickey"]);
}

#[test]
fn a_gateway_without_a_sandbox_reads_it() {
    if !only_aditd() {
        return;
    }
    let elsewhere = Elsewhere::new();
    let server = elsewhere.setup().arg("--no-sandbox").start();
    let ada = elsewhere.permit(&server);
    server.log().wait_for("sandbox: off");
    by_every_forward(&Invocation::to(&ada).program("ssh".into()), 1000);
}

#[test]
fn no_image_of_the_server_s_memory_is_left_and_sessions_may_leave_theirs() {
    if !only_aditd() {
        return;
    }
    let server = aditd::start();
    let limit = |process: &str| {
        let limits = fs::read_to_string(format!("/proc/{process}/limits")).expect("its limits");
        let row = limits.lines().find_map(|line| line.strip_prefix("Max core file size"));
        row.and_then(|row| row.split_whitespace().next().map(str::to_owned))
    };
    assert_eq!(limit(&server.process.pid().to_string()).as_deref(), Some("0"));
    let says = Invocation::to(&server.endpoint).program("ssh".into()).run_remotely(&["ulimit -c"]);
    let (own, session) = (limit("self"), says.stdout.trim().to_owned());
    match own.as_deref() {
        Some("unlimited") => assert_eq!(session, "unlimited"),
        // The shell counts in blocks; whatever they are, nothing is nothing.
        own => assert_eq!(session == "0", own == Some("0"), "{session}"),
    }
}
