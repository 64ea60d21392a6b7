//! One connection, many sessions: a control master and what it is asked for.

use super::ssh;
use adit_interop_tests::{
    aditd,
    carry::through_echo,
    client::{Client, Invocation},
    ports::{connect, free_port, listeners, wait_closed},
    scratch::Scratch,
    service::Service,
    sshd::Sshd,
};
use std::thread;

/// A running master; its socket makes other clients its guests.
struct Master {
    _client: Client,
    scratch: Scratch,
}

impl Master {
    fn start(server: &Sshd) -> Self {
        let scratch = Scratch::new();
        let socket = scratch.join("control");
        let client = ssh(server).arg("-M").arg("-S").arg(&socket).tunnel().listening_at(&socket);
        Self { _client: client, scratch }
    }

    fn guest(&self, server: &Sshd) -> Invocation {
        ssh(server).arg("-S").arg(self.scratch.join("control"))
    }
}

#[test]
fn many_sessions_share_a_connection() {
    let server = aditd::start();
    let master = Master::start(&server);
    thread::scope(|scope| {
        for number in 0..10 {
            let guest = master.guest(&server);
            scope.spawn(move || {
                let text = format!("seq 20000; echo {number} >&2; exit {number}");
                let finished = guest.run_remotely(&[&text]);
                assert_eq!(finished.code, Some(number), "{finished:?}");
                assert_eq!(finished.stdout.lines().count(), 20_000);
                assert_eq!(finished.stderr.trim(), number.to_string());
            });
        }
    });
    (0..20).for_each(|_| master.guest(&server).run_remotely(&["true"]).assert(0, &[]));
    assert_eq!(server.log().count("Accepted publickey"), 1);
}

#[test]
fn more_sessions_than_permitted_are_refused() {
    let server = aditd::with(&["MaxSessions 1"]);
    let master = Master::start(&server);
    let mut first = master.guest(&server).command(&["echo up; cat"]);
    let mut holder = adit_interop_tests::child::Guarded::start("the first", &mut first);
    holder.stdout.wait_for("up");
    let second = master.guest(&server).option("ControlMaster=no").run_remotely(&["true"]);
    assert!(second.stderr.contains("Session open refused by peer"), "{second:?}");
    holder.close_stdin();
    assert_eq!(holder.wait().code(), Some(0));
    master.guest(&server).run_remotely(&["echo free again"]).assert(0, &[]);
}

#[test]
fn forwards_are_added_and_cancelled_while_the_connection_stands() {
    let (server, echo) = (aditd::start(), Service::echo());
    let master = Master::start(&server);
    let to = format!("127.0.0.1:{}", echo.port());
    let ask = |command: &str, forward: &str| {
        let finished = master.guest(&server).args(["-O", command, "-R", forward]).run();
        // The client's status says nothing about what became of it.
        assert_eq!(finished.stderr, "", "-O {command} -R {forward}");
        finished.stdout
    };
    let port: u16 = ask("forward", &format!("0:{to}")).trim().parse().expect("a port");
    through_echo(&mut connect(port), 10_000);
    ask("cancel", &format!("0:{to}"));
    wait_closed(port);
    for bind in ["", "localhost:", "127.0.0.1:"] {
        let port = free_port();
        ask("forward", &format!("{bind}{port}:{to}"));
        let mut standing = connect(port);
        through_echo(&mut connect(port), 1000);
        ask("cancel", &format!("{bind}{port}:{to}"));
        wait_closed(port);
        // The listener is gone; what came through it stays.
        through_echo(&mut standing, 1000);
        ask("forward", &format!("{bind}{port}:{to}"));
        assert!(!listeners(port).is_empty(), "the port can be had again");
        ask("cancel", &format!("{bind}{port}:{to}"));
    }
}

#[test]
fn a_forward_that_was_never_asked_for_cannot_be_cancelled() {
    let (server, echo) = (aditd::start(), Service::echo());
    let master = Master::start(&server);
    let forward = format!("{}:127.0.0.1:{}", free_port(), echo.port());
    let finished = master.guest(&server).args(["-O", "cancel", "-R", &forward]).run();
    assert!(finished.stderr.contains("port not forwarded"), "{finished:?}");
}
