//! `-R`: what the server binds, allocated ports, refusals, reverse SOCKS.

use adit_interop_tests::{
    carry::{MIB, through_echo},
    client::Invocation,
    ports::{connect, free_port, listeners, wait_closed},
    proxy_client::{Target, socks5},
    service::Service,
    sshd::{Setup, Sshd},
};
use std::{
    io::Read,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener},
};

const V4_LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const V6_LOOPBACK: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);
const V4_ANY: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
const V6_ANY: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

#[test]
fn bytes_pass_both_ways_unchanged() {
    let (sshd, echo, port) = (Sshd::start(), Service::echo(), free_port());
    let forward = format!("{port}:127.0.0.1:{}", echo.port());
    let _client = Invocation::to(&sshd.endpoint).args(["-R", &forward]).tunnel().listening(port);
    through_echo(&mut connect(port), 4 * MIB);
}

#[test]
fn port_zero_is_allocated_by_the_server_and_told() {
    let (sshd, echo) = (Sshd::start(), Service::echo());
    let forward = format!("0:127.0.0.1:{}", echo.port());
    let client = Invocation::to(&sshd.endpoint).args(["-R", &forward]).tunnel();
    let line = client.says("Allocated port ");
    let rest = line.strip_prefix("Allocated port ").expect("the line starts so");
    let (port, destination) = rest.split_once(" for remote forward to ").expect("and goes on so");
    assert_eq!(destination.trim_end(), format!("127.0.0.1:{}", echo.port()));
    through_echo(&mut connect(port.parse().expect("a port")), 10_000);
}

const BOTH: &[IpAddr] = &[V4_LOOPBACK, V6_LOOPBACK];
const ANY: &[IpAddr] = &[V4_ANY, V6_ANY];

#[test]
fn the_servers_policy_and_the_bind_address_decide_what_is_bound() {
    /// A bind address as on the command line, and where the server then listens.
    type Case = (&'static str, &'static [IpAddr]);
    let policies: &[(&str, &[Case])] = &[
        (
            "no",
            &[
                ("", BOTH),
                ("*:", BOTH),
                (":", BOTH),
                ("localhost:", BOTH),
                ("127.0.0.1:", &[V4_LOOPBACK]),
                ("[::1]:", &[V6_LOOPBACK]),
            ],
        ),
        ("yes", &[("", ANY), ("localhost:", ANY), ("127.0.0.1:", ANY)]),
        (
            "clientspecified",
            &[
                ("", BOTH),
                ("*:", ANY),
                (":", ANY),
                ("0.0.0.0:", &[V4_ANY]),
                ("localhost:", BOTH),
                ("127.0.0.1:", &[V4_LOOPBACK]),
                ("[::1]:", &[V6_LOOPBACK]),
            ],
        ),
    ];
    for (policy, cases) in policies {
        let sshd = Sshd::with(&[&format!("GatewayPorts {policy}")]);
        for (bind, expected) in *cases {
            let (port, last) = (free_port(), free_port());
            let _client = Invocation::to(&sshd.endpoint)
                .args(["-R", &format!("{bind}{port}:127.0.0.1:9")])
                .args(["-R", &format!("{last}:127.0.0.1:9")])
                .tunnel()
                .listening(last);
            assert_eq!(listeners(port), *expected, "GatewayPorts {policy}, -R {bind}{port}:…");
        }
    }
}

#[test]
fn a_connection_is_taken_by_the_forward_it_came_through() {
    let sshd = Sshd::with(&["GatewayPorts clientspecified"]);
    let forwards: Vec<_> = ["", "localhost:", "127.0.0.1:", "*:"]
        .iter()
        .map(|bind| (*bind, free_port(), Service::echo()))
        .collect();
    let specs = forwards
        .iter()
        .map(|(bind, port, echo)| format!("-R{bind}{port}:127.0.0.1:{}", echo.port()));
    let mut client = Invocation::to(&sshd.endpoint).args(specs).tunnel();
    for (_, port, _) in &forwards {
        client = client.listening(*port);
    }
    for (bind, port, echo) in &forwards {
        through_echo(&mut connect(*port), 10_000);
        assert_eq!(echo.connections(), 1, "-R {bind}{port}");
    }
    assert!(!client.said().contains("unknown listen_port"), "{}", client.said());
}

#[test]
fn a_refused_forward_is_a_warning_or_the_end() {
    let (sshd, port) = (Sshd::with(&["AllowTcpForwarding local"]), free_port());
    let text = format!("remote port forwarding failed for listen port {port}");
    let invocation = Invocation::to(&sshd.endpoint).args(["-R", &format!("{port}:127.0.0.1:9")]);
    let mut client = invocation.tunnel();
    client.says(&format!("Warning: {text}"));
    client.assert_runs();
    invocation
        .option("ExitOnForwardFailure=yes")
        .arg("-N")
        .run()
        .assert(255, &[&format!("Error: {text}")]);
}

#[test]
fn a_port_taken_at_the_server_is_refused() {
    let (sshd, taken) = (Sshd::start(), free_port());
    let _v4 = TcpListener::bind(("127.0.0.1", taken)).expect("a free port");
    let _v6 = TcpListener::bind(("::1", taken)).expect("a free port");
    Invocation::to(&sshd.endpoint)
        .option("ExitOnForwardFailure=yes")
        .args(["-N", "-R", &format!("{taken}:127.0.0.1:9")])
        .run()
        .assert(255, &[&format!("remote port forwarding failed for listen port {taken}")]);
}

#[test]
fn a_key_may_listen_where_it_is_permitted_only() {
    let (allowed, other) = (free_port(), free_port());
    let options = format!("restrict,port-forwarding,permitlisten=\"localhost:{allowed}\"");
    let sshd = Setup::default().key_options(&options).start();
    let client = Invocation::to(&sshd.endpoint)
        .args(["-R", &format!("{other}:127.0.0.1:9"), "-R", &format!("{allowed}:127.0.0.1:9")])
        .tunnel()
        .listening(allowed);
    client.says(&format!("Warning: remote port forwarding failed for listen port {other}"));
    assert_eq!(listeners(other), [] as [IpAddr; 0]);
}

#[test]
fn a_refused_destination_ends_that_connection_only() {
    let (sshd, echo) = (Sshd::start(), Service::echo());
    let (dead, alive, nobody) = (free_port(), free_port(), free_port());
    let client = Invocation::to(&sshd.endpoint)
        .option("ExitOnForwardFailure=yes")
        .args(["-R", &format!("{dead}:127.0.0.1:{nobody}")])
        .args(["-R", &format!("{alive}:127.0.0.1:{}", echo.port())])
        .tunnel()
        .listening(dead)
        .listening(alive);
    assert_eq!(connect(dead).read(&mut [0; 1]).unwrap_or(0), 0);
    client.says(&format!("connect_to 127.0.0.1 port {nobody}: failed."));
    through_echo(&mut connect(alive), 1000);
}

#[test]
fn without_a_destination_the_client_speaks_socks() {
    let (sshd, echo, port) = (Sshd::start(), Service::echo(), free_port());
    let _client =
        Invocation::to(&sshd.endpoint).args(["-R", &port.to_string()]).tunnel().listening(port);
    let mut stream = connect(port);
    socks5(&stream, Target::V4(Ipv4Addr::LOCALHOST), echo.port())
        .expect("reached through the client");
    through_echo(&mut stream, MIB);
}

#[test]
fn an_allocated_reverse_socks_port_is_told() {
    let sshd = Sshd::start();
    let client = Invocation::to(&sshd.endpoint).args(["-R", "0"]).tunnel();
    let line = client.says("Allocated port ");
    assert!(line.trim_end().ends_with(" for remote forward to socks:0"), "{line}");
}

#[test]
fn permitted_destinations_restrict_reverse_socks() {
    let (sshd, allowed, other, port) =
        (Sshd::start(), Service::echo(), Service::echo(), free_port());
    let _client = Invocation::to(&sshd.endpoint)
        .option(format!("PermitRemoteOpen=127.0.0.1:{}", allowed.port()))
        .args(["-R", &port.to_string()])
        .tunnel()
        .listening(port);
    let mut stream = connect(port);
    socks5(&stream, Target::V4(Ipv4Addr::LOCALHOST), allowed.port()).expect("permitted");
    through_echo(&mut stream, 1000);
    let mut refused = connect(port);
    let answer = socks5(&refused, Target::V4(Ipv4Addr::LOCALHOST), other.port());
    // ssh says yes before it looks; nothing comes of it either way.
    assert!(answer.is_err() || refused.read(&mut [0; 1]).unwrap_or(0) == 0);
    assert_eq!(other.connections(), 0);
}

#[test]
fn the_port_is_given_up_when_the_client_ends() {
    let (sshd, port) = (Sshd::start(), free_port());
    let client = Invocation::to(&sshd.endpoint)
        .args(["-R", &format!("{port}:127.0.0.1:9")])
        .tunnel()
        .listening(port);
    drop(client);
    wait_closed(port);
}
