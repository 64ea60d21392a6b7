//! New keys in the middle of a transfer, whoever asks for them.

use adit_interop_tests::{
    carry::{MIB, from_source, into_sink, through_echo},
    client::Invocation,
    ports::{connect, free_port},
    service::Service,
    sshd::Sshd,
};

/// Carries `length` bytes each way and gives how often the server got a KEXINIT.
fn exchanges(server: &[&str], client: &[&str], length: u64) -> usize {
    let sshd = Sshd::with(server);
    let (source, sink, echo) = (Service::source(1, length), Service::sink(2), Service::echo());
    let forwards: Vec<_> =
        [&source, &sink, &echo].iter().map(|service| (free_port(), service.port())).collect();
    let mut tunnel = Invocation::to(&sshd.endpoint)
        .args(client)
        .args(forwards.iter().map(|(from, to)| format!("-L127.0.0.1:{from}:127.0.0.1:{to}")))
        .tunnel();
    for (port, _) in &forwards {
        tunnel = tunnel.listening(*port);
    }
    from_source(&mut connect(forwards[0].0), 1, length);
    into_sink(&mut connect(forwards[1].0), 2, length);
    through_echo(&mut connect(forwards[2].0), length);
    tunnel.assert_runs();
    sshd.log().count("SSH2_MSG_KEXINIT received")
}

#[test]
fn the_client_asks() {
    let count = exchanges(&[], &["-o", "RekeyLimit=1M"], 32 * MIB);
    assert!(count > 30, "{count} exchanges");
}

#[test]
fn the_server_asks() {
    let count = exchanges(&["RekeyLimit 1M"], &[], 32 * MIB);
    assert!(count > 30, "{count} exchanges");
}

#[test]
fn both_ask_at_once() {
    let count = exchanges(&["RekeyLimit 1M"], &["-o", "RekeyLimit=1M"], 16 * MIB);
    assert!(count > 15, "{count} exchanges");
}

#[test]
fn time_alone_brings_new_keys() {
    let sshd = Sshd::start();
    let _client = Invocation::to(&sshd.endpoint)
        .option("RekeyLimit=1G 1s")
        .option("ServerAliveInterval=1")
        .tunnel();
    sshd.log().wait_for_nth("SSH2_MSG_KEXINIT received", 3);
}
