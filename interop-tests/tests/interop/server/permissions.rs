//! What a configuration permits a login to forward, and the words of a refusal.

use super::ssh;
use adit_interop_tests::{
    aditd::{self, is_aditd},
    carry::through_echo,
    client::Finished,
    ports::{connect, free_port, is_closed, listeners},
    service::Service,
    sshd::{Setup, Sshd, user_name},
};

/// Whether a connection to `port` of 127.0.0.1 is opened for the client.
fn opens(server: &Sshd, port: u16) -> bool {
    let finished = ssh(server).args(["-W", &format!("127.0.0.1:{port}")]).run();
    if finished.code != Some(0) {
        assert_refused(&finished);
    }
    finished.code == Some(0)
}

fn assert_refused(finished: &Finished) {
    let line = finished.stderr.lines().find(|line| line.contains("open failed: "));
    let line = line.unwrap_or_else(|| panic!("no refusal in {finished:?}"));
    assert!(line.contains("administratively prohibited: "), "{line}");
    if is_aditd() {
        assert!(!line.ends_with("open failed"), "our refusals carry a reason: {line}");
    }
}

/// Whether the server listens at `spec` for the client.
fn listens(server: &Sshd, spec: &str) -> bool {
    let finished = ssh(server)
        .option("ExitOnForwardFailure=yes")
        .args(["-R", &format!("{spec}:127.0.0.1:9")])
        .run_remotely(&["true"]);
    finished.code == Some(0)
}

#[test]
fn the_kinds_of_forward_are_allowed_one_by_one() {
    let echo = Service::echo();
    for (lines, local, remote) in [
        (&["AllowTcpForwarding yes"][..], true, true),
        (&["AllowTcpForwarding all"], true, true),
        (&["AllowTcpForwarding no"], false, false),
        (&["AllowTcpForwarding local"], true, false),
        (&["AllowTcpForwarding remote"], false, true),
        (&["DisableForwarding yes"], false, false),
        (&["DisableForwarding yes", "AllowTcpForwarding yes"], false, false),
    ] {
        let server = aditd::with(lines);
        assert_eq!(opens(&server, echo.port()), local, "{lines:?}");
        assert_eq!(listens(&server, &free_port().to_string()), remote, "{lines:?}");
    }
}

#[test]
fn destinations_are_permitted_by_host_and_port() {
    let (echo, other) = (Service::echo(), Service::echo());
    let (port, other_port) = (echo.port(), other.port());
    for (value, this, that) in [
        ("any".to_owned(), true, true),
        ("none".into(), false, false),
        (format!("127.0.0.1:{port}"), true, false),
        (format!("*:{port}"), true, false),
        ("127.0.0.1:*".into(), true, true),
        (format!("localhost:{port}"), false, false),
        (format!("10.0.0.1:{port} 127.0.0.1:{other_port}"), false, true),
    ] {
        let server = aditd::with(&[&format!("PermitOpen {value}")]);
        assert_eq!(opens(&server, port), this, "PermitOpen {value}");
        assert_eq!(opens(&server, other_port), that, "PermitOpen {value}");
    }
}

#[test]
fn a_refused_destination_is_logged() {
    let (server, port) = (aditd::with(&["PermitOpen none"]), free_port());
    assert!(!opens(&server, port));
    if is_aditd() {
        server.log().wait_for(&port.to_string());
    } else {
        server.log().wait_for(&format!("to connect to host 127.0.0.1 port {port}"));
    }
}

#[test]
fn networks_and_ranges_of_ports_are_permitted() {
    if !aditd::only_aditd() {
        return;
    }
    let echo = Service::echo();
    let port = echo.port();
    for (value, permitted) in [
        (format!("127.0.0.0/8:{port}"), true),
        (format!("10.0.0.0/8:{port}"), false),
        (format!("127.0.0.1:{}-{port}", port - 1), true),
        (format!("127.0.0.1:{}-{}", port - 2, port - 1), false),
    ] {
        let server = aditd::with(&[&format!("PermitOpen {value}")]);
        assert_eq!(opens(&server, port), permitted, "PermitOpen {value}");
    }
}

#[test]
fn listeners_are_permitted_by_host_and_port() {
    let (this, that) = (free_port(), free_port());
    for (value, asked, permitted) in [
        ("any".to_owned(), this.to_string(), true),
        ("none".into(), this.to_string(), false),
        (this.to_string(), this.to_string(), true),
        (this.to_string(), that.to_string(), false),
        (format!("localhost:{this}"), this.to_string(), true),
        (format!("localhost:{this}"), format!("localhost:{this}"), true),
        (format!("localhost:{this}"), format!("127.0.0.1:{this}"), false),
        (format!("127.0.0.1:{this}"), format!("127.0.0.1:{this}"), true),
        (format!("*:{this}"), format!("127.0.0.1:{this}"), true),
        (format!("{this} {that}"), that.to_string(), true),
    ] {
        let server = aditd::with(&[&format!("PermitListen {value}")]);
        assert_eq!(listens(&server, &asked), permitted, "PermitListen {value}, -R {asked}");
    }
}

#[test]
fn a_key_narrows_what_the_configuration_permits() {
    let (echo, other) = (Service::echo(), Service::echo());
    let (port, other_port) = (echo.port(), other.port());
    let start = |line: &str, options: &str| aditd::setup().line(line).key_options(options).start();
    let by_key = format!("permitopen=\"127.0.0.1:{port}\"");
    for (line, options, this, that) in [
        ("PermitOpen any".to_owned(), by_key.clone(), true, false),
        ("PermitOpen none".into(), by_key.clone(), false, false),
        (format!("PermitOpen 127.0.0.1:{other_port}"), by_key.clone(), false, false),
        (
            "PermitOpen any".into(),
            format!("restrict,port-forwarding,{by_key},permitopen=\"127.0.0.1:{other_port}\""),
            true,
            true,
        ),
        ("PermitOpen any".into(), format!("restrict,{by_key}"), false, false),
    ] {
        let server = start(&line, &options);
        assert_eq!(opens(&server, port), this, "{line} with {options}");
        assert_eq!(opens(&server, other_port), that, "{line} with {options}");
    }
    let (listen, elsewhere) = (free_port(), free_port());
    let server = start("PermitListen any", &format!("permitlisten=\"localhost:{listen}\""));
    assert!(listens(&server, &listen.to_string()));
    assert!(!listens(&server, &elsewhere.to_string()));
    assert!(opens(&server, port), "permitlisten says nothing about destinations");
}

#[test]
fn a_refused_listener_is_a_warning_or_the_end() {
    let (server, port) = (aditd::with(&["AllowTcpForwarding local"]), free_port());
    let text = format!("remote port forwarding failed for listen port {port}");
    let client = ssh(&server).args(["-R", &format!("{port}:127.0.0.1:9")]);
    let mut standing = client.tunnel();
    standing.says(&format!("Warning: {text}"));
    standing.assert_runs();
    client
        .option("ExitOnForwardFailure=yes")
        .arg("-N")
        .run()
        .assert(255, &[&format!("Error: {text}")]);
    assert!(listeners(port).is_empty());
}

#[test]
fn a_refused_destination_leaves_the_connection_standing() {
    let (allowed, refused) = (Service::echo(), Service::echo());
    let server = aditd::with(&[&format!("PermitOpen 127.0.0.1:{}", allowed.port())]);
    let (yes, no) = (free_port(), free_port());
    let client = ssh(&server)
        .args(["-L", &format!("127.0.0.1:{yes}:127.0.0.1:{}", allowed.port())])
        .args(["-L", &format!("127.0.0.1:{no}:127.0.0.1:{}", refused.port())])
        .tunnel()
        .listening(yes)
        .listening(no);
    assert!(is_closed(connect(no)));
    client.says("open failed: administratively prohibited: ");
    through_echo(&mut connect(yes), 1000);
    assert_eq!(refused.connections(), 0);
}

#[test]
fn a_matching_block_permits_what_the_rest_forbids() {
    let echo = Service::echo();
    let user = user_name();
    for (criteria, permitted) in [
        (format!("User {user}"), true),
        ("User nobody-else,!root".into(), false),
        ("Address 127.0.0.0/8".into(), true),
        ("Address 10.0.0.0/8".into(), false),
        ("LocalAddress 127.0.0.1".into(), true),
        ("LocalPort 1".into(), false),
        (format!("User {user} Address 10.0.0.0/8"), false),
        ("all".into(), true),
        ("Host 127.0.0.1".into(), true),
    ] {
        let block = format!("Match {criteria}\n  AllowTcpForwarding yes\n");
        let server = aditd::setup().line("AllowTcpForwarding no").block(block).start();
        assert_eq!(opens(&server, echo.port()), permitted, "Match {criteria}");
    }
}

#[test]
fn the_first_matching_block_wins() {
    let echo = Service::echo();
    let blocks = "Match all\n AllowTcpForwarding local\nMatch all\n AllowTcpForwarding no\n";
    let server = aditd::setup().block(blocks).start();
    assert!(opens(&server, echo.port()));
    assert!(!listens(&server, &free_port().to_string()));
}

#[test]
fn forwards_need_no_session() {
    let (server, echo) = (aditd::with(&["MaxSessions 0"]), Service::echo());
    assert!(opens(&server, echo.port()));
    let port = free_port();
    let client = ssh(&server)
        .args(["-R", &format!("{port}:127.0.0.1:{}", echo.port())])
        .tunnel()
        .listening(port);
    through_echo(&mut connect(port), 1000);
    drop(client);
    let finished = ssh(&server).run_remotely(&["true"]);
    finished.assert(255, &["open failed"]);
}

#[test]
fn a_forced_command_does_not_stand_in_the_way_of_forwards() {
    let echo = Service::echo();
    let setup: Setup = aditd::setup().line("ForceCommand /bin/false");
    let server = setup.line("PermitTTY no").key_options("command=\"/bin/false\",no-pty").start();
    assert!(opens(&server, echo.port()));
    ssh(&server).run_remotely(&["true"]).assert(1, &[]);
}
