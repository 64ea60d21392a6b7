//! A gibibyte each way, every byte checked.

use adit_interop_tests::{
    carry::{MIB, from_source, into_sink, through_echo},
    client::{Client, Invocation},
    ports::{connect, free_port},
    service::Service,
    sshd::Sshd,
};

const GIB: u64 = 1024 * MIB;

fn tunnel(sshd: &Sshd, to: &Service) -> (Client, u16) {
    let port = free_port();
    let forward = format!("127.0.0.1:{port}:127.0.0.1:{}", to.port());
    let client = Invocation::to(&sshd.endpoint).args(["-L", &forward]).tunnel().listening(port);
    (client, port)
}

#[test]
fn a_gibibyte_down() {
    let (sshd, source) = (Sshd::start(), Service::source(1, GIB));
    let (_client, port) = tunnel(&sshd, &source);
    from_source(&mut connect(port), 1, GIB);
}

#[test]
fn a_gibibyte_up() {
    let (sshd, sink) = (Sshd::start(), Service::sink(2));
    let (_client, port) = tunnel(&sshd, &sink);
    into_sink(&mut connect(port), 2, GIB);
}

#[test]
fn both_directions_at_once_do_not_lock_each_other_out() {
    let (sshd, echo) = (Sshd::start(), Service::echo());
    let (_client, port) = tunnel(&sshd, &echo);
    through_echo(&mut connect(port), 128 * MIB);
}

#[test]
fn a_stopped_connection_stops_nobody_else() {
    let (sshd, source) = (Sshd::start(), Service::source(3, 64 * MIB));
    let (_client, port) = tunnel(&sshd, &source);
    // Asks for 64 MiB and takes none of them.
    let _stopped = connect(port);
    source.wait_connections(1);
    from_source(&mut connect(port), 3, 64 * MIB);
}
