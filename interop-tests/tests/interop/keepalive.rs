//! Telling a server that is busy from one that is gone.

use adit_interop_tests::{
    carry::through_echo,
    child::send,
    client::{Invocation, is_adit},
    deadline::eventually,
    ports::{connect, free_port},
    service::Service,
    skip::skip,
    sshd::{Sshd, user_name},
};
use rustix::process::Signal;

#[test]
fn a_silent_server_ends_the_tunnel() {
    let (sshd, port) = (Sshd::start(), free_port());
    let client = Invocation::to(&sshd.endpoint)
        .option("ServerAliveInterval=1")
        .option("ServerAliveCountMax=1")
        .args(["-L", &format!("127.0.0.1:{port}:127.0.0.1:9")])
        .tunnel()
        .listening(port);
    sshd.log().wait_for("Entering interactive session");
    let sessions =
        eventually("a session", || Some(sshd.sessions()).filter(|pids| !pids.is_empty()));
    sessions.into_iter().for_each(|pid| send(pid, Signal::STOP));
    client.finish().assert(255, &["Timeout, server 127.0.0.1 not responding."]);
}

#[test]
fn an_idle_tunnel_stays_while_the_server_answers() {
    let (sshd, echo, port) = (Sshd::start(), Service::echo(), free_port());
    let mut client = Invocation::to(&sshd.endpoint)
        .option("ServerAliveInterval=1")
        .option("ServerAliveCountMax=1")
        .args(["-L", &format!("127.0.0.1:{port}:127.0.0.1:{}", echo.port())])
        .tunnel()
        .listening(port);
    sshd.log().wait_for_nth("rtype keepalive@openssh.com want_reply 1", 4);
    client.assert_runs();
    through_echo(&mut connect(port), 1000);
}

#[test]
fn the_servers_own_keepalives_are_answered() {
    let sshd = Sshd::with(&["ClientAliveInterval 1", "ClientAliveCountMax 1", "LogLevel DEBUG3"]);
    let mut client = Invocation::to(&sshd.endpoint).tunnel();
    // Unanswered, the server would leave after the second of its requests.
    sshd.log().wait_for_nth("send packet: type 80", 5);
    client.assert_runs();
}

#[test]
fn a_server_that_never_speaks_is_given_up() {
    let port = free_port();
    // The kernel completes the connection; nobody ever accepts it.
    let _listener = std::net::TcpListener::bind(("127.0.0.1", port)).expect("a free port");
    Invocation::bare()
        .args(["-F", "none", "-o", "ConnectTimeout=1", "-p", &port.to_string(), "-N", "127.0.0.1"])
        .run()
        .assert(
            255,
            &[
                "Connection timed out during banner exchange",
                &format!("Connection to 127.0.0.1 port {port} timed out"),
            ],
        );
}

#[test]
fn a_login_that_never_ends_is_given_up() {
    if !is_adit() {
        return skip("ssh's ConnectTimeout ends with the key exchange");
    }
    let user = format!("AuthorizedKeysCommandUser {}", user_name());
    let stuck = ["AuthorizedKeysFile none", "AuthorizedKeysCommand /bin/sleep 60", &user];
    let sshd = Sshd::with(&stuck);
    let peer = format!("Connection to 127.0.0.1 port {} timed out", sshd.endpoint.port);
    Invocation::to(&sshd.endpoint).option("ConnectTimeout=1").arg("-N").run().assert(255, &[&peer]);
}
