//! Exit codes and the words that scripts match.

use adit_interop_tests::{
    client::{Invocation, is_adit},
    deadline::eventually,
    ports::free_port,
    scratch::Scratch,
    service::Service,
    sshd::Sshd,
};
use rustix::process::Signal;
use std::io::Write;

#[test]
fn the_remote_commands_status_is_ours() {
    let sshd = Sshd::start();
    for code in [0, 1, 7, 254] {
        let finished = Invocation::to(&sshd.endpoint).run_remotely(&["exit", &code.to_string()]);
        finished.assert(code, &[]);
    }
}

#[test]
fn a_remote_command_killed_by_a_signal_is_255() {
    let sshd = Sshd::start();
    Invocation::to(&sshd.endpoint).run_remotely(&["kill -KILL $$"]).assert(255, &[]);
}

#[test]
fn stdout_and_stderr_stay_apart() {
    // At DEBUG1 sshd itself writes to the command's stderr.
    let sshd = Sshd::with(&["LogLevel ERROR"]);
    let finished =
        Invocation::to(&sshd.endpoint).run_remotely(&["echo", "to out;", "echo", "to err", ">&2"]);
    assert_eq!((finished.stdout.as_str(), finished.stderr.as_str()), ("to out\n", "to err\n"));
}

#[test]
fn standard_input_reaches_the_remote_command() {
    let sshd = Sshd::start();
    let mut child = Invocation::to(&sshd.endpoint)
        .command(&["sort", "-r"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("the client starts");
    child.stdin.take().expect("piped").write_all(b"a\nc\nb\n").expect("taken");
    let output = child.wait_with_output().expect("a child");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "c\nb\na\n");
}

#[test]
fn a_refused_connection() {
    let port = free_port().to_string();
    Invocation::bare()
        .args(["-F", "none", "-p", &port, "-N", "127.0.0.1"])
        .run()
        .assert(255, &[&format!("ssh: connect to host 127.0.0.1 port {port}: Connection refused")]);
}

#[test]
fn a_name_that_does_not_resolve() {
    Invocation::bare()
        .args(["-F", "none", "-N", "no-such-host.invalid"])
        .run()
        .assert(255, &["ssh: Could not resolve hostname no-such-host.invalid:"]);
}

#[test]
fn no_arguments_are_answered_with_the_usage() {
    let name = if is_adit() { "usage: adit" } else { "usage: ssh" };
    Invocation::bare().run().assert(255, &[name]);
}

#[test]
fn the_version_goes_to_stderr() {
    let finished = Invocation::bare().arg("-V").run();
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(0), ""));
    assert!(!finished.stderr.is_empty());
}

#[test]
fn bad_command_lines_say_what_is_bad() {
    let cases: &[(&[&str], &str)] = &[
        (
            &["-o", "Frobnicate=yes", "host"],
            "command-line: line 0: Bad configuration option: frobnicate",
        ),
        (&["-p", "99999", "host"], "Bad port '99999'"),
        (
            &["-F", "/nonexistent/config", "host"],
            "Can't open user config file /nonexistent/config: No such file or directory",
        ),
        (&["-R", "a:b", "host"], "Bad remote forwarding specification 'a:b'"),
        (&["-D", "99999", "host"], "Bad dynamic forwarding specification '99999'"),
        (&["-f", "host"], "Cannot fork into background without a command to execute."),
    ];
    for (arguments, complaint) in cases {
        Invocation::bare().args(*arguments).run().assert(255, &[complaint]);
    }
}

#[test]
fn a_bad_configuration_file_is_named_with_its_line() {
    let scratch = Scratch::new();
    let file = scratch.write("config", "Port 22\nFrobnicate yes\n");
    let name = file.display().to_string();
    Invocation::bare().args(["-F", &name, "127.0.0.1"]).run().assert(
        255,
        &[
            &format!("{name}: line 2: Bad configuration option: frobnicate"),
            &format!("{name}: terminating, 1 bad configuration options"),
        ],
    );
}

#[test]
fn a_key_nobody_knows_is_denied() {
    let (sshd, other) = (Sshd::start(), Sshd::start());
    let mut endpoint = sshd.endpoint.clone();
    endpoint.identity.clone_from(&other.endpoint.identity);
    let user = &endpoint.user;
    Invocation::to(&endpoint)
        .arg("-N")
        .run()
        .assert(255, &[&format!("{user}@127.0.0.1: Permission denied (publickey")]);
}

#[test]
fn a_missing_identity_file_is_a_warning() {
    let sshd = Sshd::start();
    Invocation::to(&sshd.endpoint).args(["-i", "/nonexistent/key"]).run_remotely(&["true"]).assert(
        0,
        &["Warning: Identity file /nonexistent/key not accessible: No such file or directory."],
    );
}

#[test]
fn nothing_in_common_names_the_servers_offer() {
    let sshd = Sshd::with(&["Ciphers aes128-ctr"]);
    Invocation::to(&sshd.endpoint).option("Ciphers=aes256-ctr").arg("-N").run().assert(
        255,
        &[
            &format!("Unable to negotiate with 127.0.0.1 port {}", sshd.endpoint.port),
            "no matching cipher found. Their offer: aes128-ctr",
        ],
    );
}

#[test]
fn a_server_that_hangs_up_at_once() {
    let service = Service::tcp(|_| Ok(()));
    let port = service.port().to_string();
    Invocation::bare()
        .args(["-F", "none", "-p", &port, "-N", "127.0.0.1"])
        .run()
        .assert(255, &["kex_exchange_identification: "]);
}

#[test]
fn a_server_that_is_not_ssh() {
    let service = Service::tcp(|stream| {
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")?;
        stream.finish_writing()
    });
    let port = service.port().to_string();
    Invocation::bare().args(["-F", "none", "-p", &port, "-N", "127.0.0.1"]).run().assert(255, &[]);
}

#[test]
fn a_tunnel_ends_well_with_sigterm_and_badly_with_sighup() {
    let sshd = Sshd::start();
    for (signal, code) in [(Signal::TERM, Some(0)), (Signal::HUP, Some(255))] {
        let port = free_port();
        let client = Invocation::to(&sshd.endpoint)
            .args(["-L", &format!("{port}:127.0.0.1:9")])
            .tunnel()
            .listening(port);
        sshd.log().wait_for("Entering interactive session");
        client.process.signal(signal);
        assert_eq!(client.finish().code, code, "{signal:?}");
    }
}

#[test]
fn a_server_that_goes_away_ends_the_tunnel() {
    let (sshd, port) = (Sshd::start(), free_port());
    let client = Invocation::to(&sshd.endpoint)
        .args(["-L", &format!("{port}:127.0.0.1:9")])
        .tunnel()
        .listening(port);
    let sessions =
        eventually("a session", || Some(sshd.sessions()).filter(|pids| !pids.is_empty()));
    sessions.into_iter().for_each(|pid| adit_interop_tests::child::send(pid, Signal::KILL));
    let finished = client.finish();
    assert_eq!(finished.code, Some(255), "{finished:?}");
    assert!(
        finished.stderr.contains("Connection to 127.0.0.1 closed by remote host."),
        "{finished:?}"
    );
}

#[test]
fn options_after_the_host_count() {
    let sshd = Sshd::start();
    // The harness puts most of them there; here the command follows them too.
    let finished = Invocation::to_host(&sshd.endpoint)
        .args(["127.0.0.1", "-o", "StrictHostKeyChecking=yes", "-o"])
        .arg(format!("UserKnownHostsFile {}", sshd.endpoint.known_hosts.display()))
        .arg("-i")
        .arg(&sshd.endpoint.identity)
        .run_remotely(&[]);
    // `127.0.0.1` again at the end is then the remote command.
    assert_eq!(finished.code, Some(127), "{finished:?}");
}

#[test]
fn a_log_file_takes_what_stderr_would() {
    let (scratch, port) = (Scratch::new(), free_port().to_string());
    let file = scratch.join("log");
    let finished = Invocation::bare()
        .arg("-E")
        .arg(&file)
        .args(["-F", "none", "-p", &port, "-N", "127.0.0.1"])
        .run();
    finished.assert(255, &[]);
    let logged = std::fs::read_to_string(&file).expect("a log file");
    assert!(logged.contains("Connection refused"), "{logged:?}, stderr {:?}", finished.stderr);
}
