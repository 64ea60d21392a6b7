//! `-L`: binding, carrying, and what happens when the destination does not answer.

use adit_interop_tests::{
    carry::{MIB, through_echo},
    client::{Invocation, is_adit},
    ports::{connect, connect_to, free_port, is_closed, listeners},
    service::Service,
    sshd::{Setup, Sshd},
};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

const V4_LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const V6_LOOPBACK: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);
const V4_ANY: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
const V6_ANY: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

#[test]
fn bytes_pass_both_ways_unchanged() {
    let (sshd, echo, port) = (Sshd::start(), Service::echo(), free_port());
    let forward = format!("{port}:127.0.0.1:{}", echo.port());
    let _client = Invocation::to(&sshd.endpoint).args(["-L", &forward]).tunnel().listening(port);
    through_echo(&mut connect(port), 4 * MIB);
}

#[test]
fn the_bind_address_decides_who_can_connect() {
    let sshd = Sshd::start();
    let cases: &[(&str, &[&str], &[IpAddr])] = &[
        ("", &[], &[V4_LOOPBACK, V6_LOOPBACK]),
        ("localhost:", &[], &[V4_LOOPBACK, V6_LOOPBACK]),
        ("127.0.0.1:", &[], &[V4_LOOPBACK]),
        ("127.0.0.1:", &["-g"], &[V4_LOOPBACK]),
        ("[::1]:", &[], &[V6_LOOPBACK]),
        ("*:", &[], &[V4_ANY, V6_ANY]),
        (":", &[], &[V4_ANY, V6_ANY]),
        ("", &["-g"], &[V4_ANY, V6_ANY]),
        ("", &["-o", "GatewayPorts=yes"], &[V4_ANY, V6_ANY]),
        ("", &["-4"], &[V4_LOOPBACK]),
    ];
    for (bind, options, expected) in cases {
        let (port, last) = (free_port(), free_port());
        let _client = Invocation::to(&sshd.endpoint)
            .args(*options)
            .args(["-L", &format!("{bind}{port}:127.0.0.1:9")])
            // Forwards are bound in order: once this one stands, the one under test does.
            .args(["-L", &format!("127.0.0.1:{last}:127.0.0.1:9")])
            .tunnel()
            .listening(last);
        assert_eq!(listeners(port), *expected, "-L {bind}{port}:… {options:?}");
    }
}

#[test]
fn an_ipv6_destination_is_reached() {
    let (sshd, echo, port) =
        (Sshd::start(), Service::tcp6(adit_interop_tests::service::echo), free_port());
    let forward = format!("[::1]:{port}:[::1]:{}", echo.port());
    let _client = Invocation::to(&sshd.endpoint).args(["-L", &forward]).tunnel().listening(port);
    let mut stream = connect_to(SocketAddr::from((Ipv6Addr::LOCALHOST, port)));
    through_echo(&mut stream, MIB);
}

#[test]
fn several_forwards_share_one_connection() {
    let sshd = Sshd::start();
    let forwards: Vec<_> = (0..8).map(|_| (free_port(), Service::echo())).collect();
    let specs = forwards.iter().map(|(port, echo)| format!("-L{port}:localhost:{}", echo.port()));
    let last = forwards.last().expect("eight").0;
    let _client = Invocation::to(&sshd.endpoint).args(specs).tunnel().listening(last);
    for (port, echo) in &forwards {
        through_echo(&mut connect(*port), 10_000);
        assert_eq!(echo.connections(), 1);
    }
    assert_eq!(sshd.log().count("Accepted publickey"), 1);
}

#[test]
fn a_refused_destination_ends_that_connection_only() {
    let (sshd, echo) = (Sshd::start(), Service::echo());
    let (dead, alive, nobody) = (free_port(), free_port(), free_port());
    let mut client = Invocation::to(&sshd.endpoint)
        .option("ExitOnForwardFailure=yes")
        .args(["-L", &format!("{dead}:127.0.0.1:{nobody}")])
        .args(["-L", &format!("{alive}:127.0.0.1:{}", echo.port())])
        .tunnel()
        .listening(dead)
        .listening(alive);
    assert!(is_closed(connect(dead)), "nobody is there to answer");
    client.says("open failed: connect failed: Connection refused");
    client.assert_runs();
    through_echo(&mut connect(alive), 1000);
}

#[test]
fn a_forbidden_destination_is_named_as_such() {
    let (sshd, echo, port) =
        (Sshd::with(&["PermitOpen 127.0.0.1:1"]), Service::echo(), free_port());
    let forward = format!("{port}:127.0.0.1:{}", echo.port());
    let client = Invocation::to(&sshd.endpoint).args(["-L", &forward]).tunnel().listening(port);
    assert!(is_closed(connect(port)));
    client.says("open failed: administratively prohibited: ");
    assert_eq!(echo.connections(), 0);
}

#[test]
fn a_key_restricted_to_one_destination_reaches_only_that() {
    let (allowed, other) = (Service::echo(), Service::echo());
    let options = format!("restrict,port-forwarding,permitopen=\"127.0.0.1:{}\"", allowed.port());
    let sshd = Setup::default().key_options(&options).start();
    let (first, second) = (free_port(), free_port());
    let client = Invocation::to(&sshd.endpoint)
        .args(["-L", &format!("{first}:127.0.0.1:{}", allowed.port())])
        .args(["-L", &format!("{second}:127.0.0.1:{}", other.port())])
        .tunnel()
        .listening(first)
        .listening(second);
    through_echo(&mut connect(first), 1000);
    assert!(is_closed(connect(second)));
    client.says("administratively prohibited");
}

#[test]
fn a_taken_port_is_reported_and_the_tunnel_goes_on() {
    let (sshd, echo) = (Sshd::start(), Service::echo());
    let (taken, free) = (free_port(), free_port());
    let _holder = TcpListener::bind(("127.0.0.1", taken)).expect("a free port");
    let client = Invocation::to(&sshd.endpoint)
        .args(["-L", &format!("127.0.0.1:{taken}:127.0.0.1:{}", echo.port())])
        .args(["-L", &format!("127.0.0.1:{free}:127.0.0.1:{}", echo.port())])
        .tunnel()
        .listening(free);
    client.says(&format!("bind [127.0.0.1]:{taken}: Address already in use"));
    client.says(&format!("channel_setup_fwd_listener_tcpip: cannot listen to port: {taken}"));
    through_echo(&mut connect(free), 1000);
}

#[test]
fn no_forward_at_all_is_reported_and_the_connection_goes_on() {
    let (sshd, taken) = (Sshd::start(), free_port());
    let _holder = TcpListener::bind(("127.0.0.1", taken)).expect("a free port");
    let mut client = Invocation::to(&sshd.endpoint)
        .args(["-L", &format!("127.0.0.1:{taken}:127.0.0.1:9")])
        .tunnel();
    client.says("Could not request local forwarding.");
    sshd.log().wait_for("Entering interactive session");
    client.assert_runs();
}

#[test]
fn a_taken_port_ends_the_client_when_it_must_not_fail() {
    let (sshd, taken) = (Sshd::start(), free_port());
    let _holder = TcpListener::bind(("127.0.0.1", taken)).expect("a free port");
    Invocation::to(&sshd.endpoint)
        .option("ExitOnForwardFailure=yes")
        .args(["-N", "-L", &format!("127.0.0.1:{taken}:127.0.0.1:9")])
        .run()
        .assert(255, &["Address already in use", "Could not request local forwarding."]);
}

#[test]
fn one_family_taken_is_a_failure_for_adit_only() {
    let (sshd, taken) = (Sshd::start(), free_port());
    let _holder = TcpListener::bind(("127.0.0.1", taken)).expect("a free port");
    let forward = format!("{taken}:127.0.0.1:9");
    let invocation = Invocation::to(&sshd.endpoint)
        .option("ExitOnForwardFailure=yes")
        .args(["-N", "-L", &forward]);
    let complaint = format!("bind [127.0.0.1]:{taken}: Address already in use");
    if is_adit() {
        invocation.run().assert(255, &[&complaint]);
    } else {
        // ssh counts the other family as success and stays.
        let mut client = invocation.start();
        client.says(&complaint);
        sshd.log().wait_for("Accepted publickey");
        client.assert_runs();
    }
}

#[test]
fn a_bad_specification_is_quoted() {
    for bad in ["0:a:1", "1:2", "x:host:1", "1:host:99999"] {
        let complaint = format!("Bad local forwarding specification '{bad}'");
        Invocation::bare()
            .args(["-F", "none", "-L", bad, "127.0.0.1"])
            .run()
            .assert(255, &[&complaint]);
    }
}

#[test]
fn a_bind_name_that_does_not_resolve_is_reported() {
    let sshd = Sshd::start();
    Invocation::to(&sshd.endpoint)
        .option("ExitOnForwardFailure=yes")
        .args(["-N", "-L", "no-such-host.invalid:2200:127.0.0.1:9"])
        .run()
        .assert(255, &["no-such-host.invalid"]);
}
