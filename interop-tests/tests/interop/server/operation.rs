//! The life of the process: its command line, its configuration's mistakes, its signals, its service manager.

use super::ssh;
use adit_interop_tests::{
    aditd::{self, is_aditd},
    carry::through_echo,
    child::{Guarded, send},
    client::Invocation,
    deadline::eventually,
    endpoint::Endpoint,
    ports::{connect, free_port, listeners, wait_closed, wait_listening},
    scratch::Scratch,
    service::Service,
    sshd::Prepared,
};
use rustix::process::Signal;
use std::{
    fs,
    net::TcpListener,
    os::{fd::OwnedFd, unix::net::UnixDatagram},
    process::{Command, Stdio},
};

/// What a run of the server says, on both streams, and its status.
fn run(prepared: &Prepared, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = prepared.command().args(arguments).output().expect("the server starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn ssh_to(endpoint: &Endpoint) -> Invocation {
    Invocation::to(endpoint).program("ssh".into())
}

#[test]
fn a_good_configuration_passes_its_test_without_a_word() {
    let (prepared, _endpoint) = aditd::setup().prepare();
    assert_eq!(run(&prepared, &["-t"]), (Some(0), String::new(), String::new()));
}

#[test]
fn a_bad_configuration_is_named_with_file_and_line() {
    for (line, words) in [
        ("NoSuchKeyword yes", "Bad configuration option: NoSuchKeyword"),
        ("PermitTTY perhaps", "perhaps"),
        ("AllowTcpForwarding", "line 1"),
        ("ClientAliveInterval 3x", "line 1"),
        ("Ciphers no-such-cipher", "no-such-cipher"),
        ("MaxStartups 10:200:5", "line 1"),
        ("Match Nonsense x", "line 1"),
    ] {
        let (prepared, _endpoint) = aditd::setup().line(line).prepare();
        let (code, _stdout, stderr) = run(&prepared, &["-t"]);
        assert!(code.is_some_and(|code| code != 0), "{line}: {code:?} {stderr}");
        let place = prepared.config().display().to_string();
        for wanted in [&*place, "line 1", words] {
            assert!(stderr.contains(wanted), "{line}: no {wanted:?} in {stderr}");
        }
        let (code, _stdout, stderr) = run(&prepared, &["-D", "-e"]);
        assert!(code.is_some_and(|code| code != 0) && stderr.contains(&place), "{line}: {stderr}");
    }
}

#[test]
fn a_mistake_in_an_included_file_is_named_there() {
    let scratch = Scratch::new();
    let included = scratch.write("more.conf", "# fine\nNoSuchKeyword yes\n");
    let (prepared, _endpoint) =
        aditd::setup().line(format!("Include {}", included.display())).prepare();
    let (code, _stdout, stderr) = run(&prepared, &["-t"]);
    assert_ne!(code, Some(0));
    assert!(stderr.contains(&included.display().to_string()), "{stderr}");
    assert!(stderr.contains("line 2"), "{stderr}");
}

#[test]
fn a_configuration_that_is_not_there_is_named() {
    let (prepared, _endpoint) = aditd::setup().prepare();
    let missing = prepared.scratch.join("missing");
    let output = Command::new(aditd::program()).arg("-t").arg("-f").arg(&missing).output();
    let output = output.expect("the server starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains(&missing.display().to_string()), "{said}");
    assert!(said.contains("No such file or directory"), "{said}");
}

#[test]
fn the_effective_configuration_is_printed() {
    let setup = aditd::setup().line("PermitOpen 127.0.0.1:80 [::1]:81").line("MaxSessions 3");
    let (prepared, endpoint) = setup.line("ClientAliveInterval 2m").prepare();
    let (code, stdout, _stderr) = run(&prepared, &["-T"]);
    assert_eq!(code, Some(0));
    let lines: Vec<_> = stdout.lines().collect();
    for wanted in [
        &*format!("port {}", endpoint.port),
        "maxsessions 3",
        "clientaliveinterval 120",
        "permitopen 127.0.0.1:80 [::1]:81",
        "allowtcpforwarding yes",
        "gatewayports no",
    ] {
        assert!(lines.contains(&wanted), "no {wanted:?} in {stdout}");
    }
}

#[test]
fn the_effective_configuration_of_somebody_is_printed() {
    let block = "Match User ada Address 10.0.0.0/8\n AllowTcpForwarding no\n";
    let (prepared, _endpoint) = aditd::setup().block(block).prepare();
    for (who, line) in [
        ("user=ada,host=mine,addr=10.1.2.3", "allowtcpforwarding no"),
        ("user=ada,host=mine,addr=11.1.2.3", "allowtcpforwarding yes"),
        ("user=bob,host=mine,addr=10.1.2.3", "allowtcpforwarding yes"),
    ] {
        let (code, stdout, stderr) = run(&prepared, &["-T", "-C", who]);
        assert_eq!(code, Some(0), "{stderr}");
        assert!(stdout.lines().any(|found| found == line), "{who}: no {line:?} in {stdout}");
    }
}

#[test]
fn the_version_is_told() {
    let output = Command::new(aditd::program()).arg("-V").output().expect("the server starts");
    assert!(output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    let name = if is_aditd() { "adit" } else { "OpenSSH" };
    assert!(said.contains(name), "{said}");
}

#[test]
fn an_unknown_option_shows_the_usage() {
    let output = Command::new(aditd::program()).arg("-?").output().expect("the server starts");
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("usage: "));
}

#[test]
fn options_of_the_command_line_win_over_the_file() {
    let (prepared, mut endpoint) = aditd::setup().line("MaxSessions 3").prepare();
    endpoint.port = free_port();
    let port = endpoint.port.to_string();
    let (_, stdout, _) = run(&prepared, &["-T", "-p", &port, "-o", "MaxSessions=4"]);
    assert!(stdout.lines().any(|line| line == "maxsessions 4"), "{stdout}");
    assert!(stdout.lines().any(|line| line == format!("port {port}")), "{stdout}");
}

#[test]
fn where_it_listens_is_logged() {
    let server = aditd::start();
    server.log().wait_for(&format!("Server listening on 127.0.0.1 port {}.", server.endpoint.port));
}

#[test]
fn it_listens_at_several_places() {
    let (one, two) = (free_port(), free_port());
    let server = aditd::with(&[
        &format!("ListenAddress 127.0.0.1:{one}"),
        &format!("ListenAddress [::1]:{two}"),
    ]);
    server.log().wait_for(&format!("Server listening on 127.0.0.1 port {one}."));
    server.log().wait_for(&format!("Server listening on ::1 port {two}."));
    let mut endpoint = server.endpoint.clone();
    for (port, host) in [(one, "127.0.0.1"), (two, "::1")] {
        endpoint.port = port;
        ssh_to(&endpoint)
            .option(format!("HostName={host}"))
            .option("StrictHostKeyChecking=no")
            .option("UserKnownHostsFile=/dev/null")
            .log_in()
            .assert(0, &[]);
    }
}

#[test]
fn a_taken_port_is_the_end() {
    let (prepared, endpoint) = aditd::setup().prepare();
    let _taken = TcpListener::bind(("127.0.0.1", endpoint.port)).expect("a free port");
    let (code, _stdout, stderr) = run(&prepared, &["-D", "-e"]);
    assert!(code.is_some_and(|code| code != 0), "{stderr}");
    assert!(stderr.contains(&format!("port {}", endpoint.port)), "{stderr}");
    assert!(stderr.contains("Address already in use"), "{stderr}");
}

#[test]
fn without_a_host_key_there_is_no_server() {
    let (prepared, _endpoint) = aditd::setup().prepare();
    fs::remove_file(prepared.scratch.join("host-ed25519-256")).expect("our own file");
    let (code, _stdout, stderr) = run(&prepared, &["-D", "-e"]);
    assert!(code.is_some_and(|code| code != 0), "{stderr}");
    assert!(stderr.contains("host-ed25519-256"), "{stderr}");
}

#[test]
fn a_hang_up_reads_the_configuration_again_and_keeps_connections() {
    let scratch = Scratch::new();
    let banner = scratch.write("banner", "Welcome to the new configuration.\n");
    let server = aditd::start();
    let (echo, port) = (Service::echo(), free_port());
    let mut client = ssh(&server)
        .args(["-R", &format!("{port}:127.0.0.1:{}", echo.port())])
        .tunnel()
        .listening(port);
    let config = server.scratch.join("sshd_config");
    let old = fs::read_to_string(&config).expect("our own file");
    fs::write(&config, format!("Banner {}\n{old}", banner.display())).expect("our own file");
    server.process.signal(Signal::HUP);
    eventually("the new configuration", || {
        let finished = ssh(&server).log_in();
        (finished.code == Some(0) && finished.stderr.contains("new configuration")).then_some(())
    });
    client.assert_runs();
    through_echo(&mut connect(port), 10_000);
}

#[test]
fn a_hang_up_with_a_broken_configuration_keeps_the_old_one() {
    // sshd ends here.
    if !aditd::only_aditd() {
        return;
    }
    let server = aditd::start();
    let config = server.scratch.join("sshd_config");
    let old = fs::read_to_string(&config).expect("our own file");
    fs::write(&config, format!("{old}NoSuchKeyword yes\n")).expect("our own file");
    server.process.signal(Signal::HUP);
    server.log().wait_for("NoSuchKeyword");
    ssh(&server).log_in().assert(0, &[]);
}

#[test]
fn a_request_to_end_is_obeyed() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut server = aditd::start();
        let pid_file = server.scratch.join("pid");
        assert!(!pid_file.exists());
        server.process.signal(signal);
        let status = server.process.wait();
        if signal == Signal::TERM {
            assert_eq!(status.code(), Some(0));
        }
        wait_closed(server.endpoint.port);
    }
}

#[test]
fn the_end_is_told_to_the_clients() {
    // sshd's connections outlive it.
    if !aditd::only_aditd() {
        return;
    }
    let mut server = aditd::start();
    let port = free_port();
    let client = ssh(&server).args(["-R", &format!("{port}:127.0.0.1:9")]).tunnel().listening(port);
    server.process.signal(Signal::TERM);
    assert_eq!(server.process.wait().code(), Some(0));
    client.finish().assert(255, &[]);
    wait_closed(port);
}

#[test]
fn the_process_is_named_in_its_file() {
    let scratch = Scratch::new();
    let file = scratch.join("pid");
    let mut server = aditd::with(&[&format!("PidFile {}", file.display())]);
    let pid = eventually("the file", || {
        fs::read_to_string(&file).ok().filter(|text| text.ends_with('\n'))
    });
    assert_eq!(pid.trim(), server.process.pid().to_string());
    server.process.signal(Signal::TERM);
    server.process.wait();
    assert!(!file.exists(), "it goes with the process");
}

#[test]
fn without_a_flag_it_goes_to_the_background_when_it_listens() {
    let (prepared, endpoint) = aditd::setup().prepare();
    let file = prepared.scratch.join("pid");
    let log = prepared.scratch.join("log");
    let status = prepared
        .command()
        .arg("-o")
        .arg(format!("PidFile={}", file.display()))
        .arg("-E")
        .arg(&log)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("the server starts");
    assert_eq!(status.code(), Some(0));
    wait_listening(endpoint.port);
    let pid = eventually("the file", || {
        fs::read_to_string(&file).ok().and_then(|text| text.trim().parse::<u32>().ok())
    });
    struct Ended(u32);
    impl Drop for Ended {
        fn drop(&mut self) {
            send(self.0, Signal::TERM);
        }
    }
    let _ended = Ended(pid);
    ssh_to(&endpoint).log_in().assert(0, &[]);
    let said = fs::read_to_string(&log).expect("the log file");
    assert!(said.contains("Server listening on"), "{said}");
    assert!(said.contains("Accepted publickey"), "{said}");
}

#[test]
fn one_connection_is_served_on_standard_input_and_output() {
    let (prepared, endpoint) = aditd::setup().prepare();
    let config = prepared.config();
    let proxy = format!("{} -i -f {}", aditd::program().display(), config.display());
    let client = ssh_to(&endpoint).option(format!("ProxyCommand={proxy}"));
    let finished = client.run_remotely(&["echo over inetd; exit 4"]);
    assert_eq!((finished.code, &*finished.stdout), (Some(4), "over inetd\n"), "{finished:?}");
    assert!(listeners(endpoint.port).is_empty());
}

#[test]
fn in_debug_mode_one_connection_is_served_and_told_of() {
    let (prepared, endpoint) = aditd::setup().prepare();
    let mut server = Guarded::start("the server", prepared.command().arg("-d"));
    wait_listening(endpoint.port);
    ssh_to(&endpoint).run_remotely(&["true"]).assert(0, &[]);
    server.wait();
    assert!(server.stderr.text_at_end().contains("debug1: "), "{}", server.stderr.text());
}

#[test]
fn a_service_manager_is_told_when_it_listens() {
    let scratch = Scratch::new();
    let path = scratch.join("notify");
    let socket = UnixDatagram::bind(&path).expect("a free path");
    socket.set_read_timeout(Some(adit_interop_tests::deadline::PATIENCE)).expect("above zero");
    let server = aditd::setup().env("NOTIFY_SOCKET", path.display().to_string()).start();
    let mut buffer = [0; 4096];
    let count = socket.recv(&mut buffer).expect("a message");
    let text = String::from_utf8_lossy(&buffer[..count]).into_owned();
    assert!(text.lines().any(|line| line == "READY=1"), "{text:?}");
    assert!(!listeners(server.endpoint.port).is_empty());
}

#[test]
fn a_service_manager_may_hold_the_listener() {
    if !aditd::only_aditd() {
        return;
    }
    let (prepared, endpoint) = aditd::setup().prepare();
    let listener = TcpListener::bind(("127.0.0.1", endpoint.port)).expect("a free port");
    // The protocol wants the listener as number 3 and the reader's own process number.
    let script = "exec 3<&0 </dev/null; export LISTEN_FDS=1 LISTEN_PID=$$; exec \"$@\"";
    let inner = prepared.command();
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh"]).arg(inner.get_program()).args(inner.get_args());
    command.args(["-D", "-e"]).stdin(Stdio::from(OwnedFd::from(listener)));
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let _server = Guarded::attach("the server", &mut command);
    ssh_to(&endpoint).log_in().assert(0, &[]);
}

#[test]
fn the_log_can_be_read_by_machines() {
    if !aditd::only_aditd() {
        return;
    }
    let server = aditd::with(&["LogFormat json"]);
    ssh(&server).log_in().assert(0, &[]);
    server.log().wait_for("publickey");
    for line in server.log().text().lines() {
        assert!(line.starts_with('{') && line.ends_with('}'), "{line}");
    }
}

#[test]
fn a_text_of_the_client_cannot_forge_a_line_of_the_log() {
    let server = aditd::start();
    let name = "x\nAccepted publickey for root \u{1b}[31m";
    let _ = ssh(&server).option(format!("User={name}")).log_in();
    let _ = ssh(&server).args(["-l", name]).log_in();
    ssh(&server).log_in().assert(0, &[]);
    server.log().wait_for("Accepted publickey for ");
    assert_eq!(server.log().text().matches('\u{1b}').count(), 0);
    assert_eq!(
        server
            .log()
            .text()
            .lines()
            .filter(|line| line.starts_with("Accepted publickey for"))
            .count(),
        1
    );
}

#[test]
fn the_name_of_the_program_can_have_an_addition() {
    use std::io::BufRead;
    let server = aditd::with(&["VersionAddendum deep-mine"]);
    let mut line = String::new();
    std::io::BufReader::new(connect(server.endpoint.port)).read_line(&mut line).expect("a line");
    assert!(line.starts_with("SSH-2.0-") && line.ends_with(" deep-mine\r\n"), "{line:?}");
}
