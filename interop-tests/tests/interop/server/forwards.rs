//! TCP forwards in both directions with OpenSSH's client: what is bound, what is carried, what ends when.

use super::ssh;
use adit_interop_tests::{
    aditd,
    carry::{
        MIB, after_its_end, at_once, by_every_forward, ends_first, from_source, into_sink,
        through_echo,
    },
    client::{Client, is_adit},
    pattern::Pattern,
    ports::{connect, connect_to, free_port, is_closed, listeners, wait_closed},
    proxy_client::{Target, socks5},
    service::Service,
    sshd::Sshd,
};
use std::{
    io::{Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream},
};

const V4_LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const V6_LOOPBACK: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);
const V4_ANY: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
const V6_ANY: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
const LOOPBACK: &[IpAddr] = &[V4_LOOPBACK, V6_LOOPBACK];
const ANY: &[IpAddr] = &[V4_ANY, V6_ANY];

fn to(service: &Service) -> String {
    format!("127.0.0.1:{}", service.port())
}

#[test]
fn every_kind_of_forward_carries_both_ways() {
    by_every_forward(&ssh(&aditd::start()), 8 * MIB);
}

#[test]
fn the_client_of_this_project_forwards_too() {
    let server = aditd::start();
    let client = adit_interop_tests::client::Invocation::to(&server.endpoint);
    by_every_forward(&client, 8 * MIB);
    by_every_forward(&client.clone().option("RekeyLimit=1M"), 8 * MIB);
    assert_eq!(client.log_in().stdout, "welcome", "adit: {}", is_adit());
}

#[test]
fn what_is_bound_follows_from_the_policy_and_the_address_asked_for() {
    /// A bind address as on the command line, and where the server then listens.
    type Case = (&'static str, &'static [IpAddr]);
    let policies: &[(&str, &[Case])] = &[
        (
            "no",
            &[
                ("", LOOPBACK),
                ("*:", LOOPBACK),
                (":", LOOPBACK),
                ("0.0.0.0:", LOOPBACK),
                ("localhost:", LOOPBACK),
                ("127.0.0.1:", &[V4_LOOPBACK]),
                ("[::1]:", &[V6_LOOPBACK]),
            ],
        ),
        ("yes", &[("", ANY), ("localhost:", ANY), ("127.0.0.1:", ANY), ("[::1]:", ANY)]),
        (
            "clientspecified",
            &[
                ("", LOOPBACK),
                ("*:", ANY),
                (":", ANY),
                ("0.0.0.0:", &[V4_ANY]),
                ("localhost:", LOOPBACK),
                ("127.0.0.1:", &[V4_LOOPBACK]),
                ("[::1]:", &[V6_LOOPBACK]),
                ("[::]:", &[V6_ANY]),
            ],
        ),
    ];
    for (policy, cases) in policies {
        let server = aditd::with(&[&format!("GatewayPorts {policy}")]);
        for (bind, expected) in *cases {
            let (port, last) = (free_port(), free_port());
            let _client = ssh(&server)
                .args(["-R", &format!("{bind}{port}:127.0.0.1:9")])
                .args(["-R", &format!("{last}:127.0.0.1:9")])
                .tunnel()
                .listening(last);
            let mut bound = listeners(port);
            bound.dedup();
            assert_eq!(bound, *expected, "GatewayPorts {policy}, -R {bind}{port}:…");
        }
    }
}

#[test]
fn one_taken_family_leaves_the_other() {
    let (server, echo, port) = (aditd::start(), Service::echo(), free_port());
    let _taken = TcpListener::bind(("127.0.0.1", port)).expect("a free port");
    let last = free_port();
    let _client = ssh(&server)
        .option("ExitOnForwardFailure=yes")
        .args(["-R", &format!("{port}:{}", to(&echo))])
        .args(["-R", &format!("{last}:127.0.0.1:9")])
        .tunnel()
        .listening(last);
    let mut stream = connect_to(SocketAddr::from((Ipv6Addr::LOCALHOST, port)));
    through_echo(&mut stream, 1000);
}

#[test]
fn a_taken_port_is_refused_and_the_rest_goes_on() {
    let (server, echo) = (aditd::start(), Service::echo());
    let (taken, other) = (free_port(), free_port());
    let _v4 = TcpListener::bind(("127.0.0.1", taken)).expect("a free port");
    let _v6 = TcpListener::bind(("::1", taken)).expect("a free port");
    let client = ssh(&server)
        .args(["-R", &format!("{taken}:127.0.0.1:9")])
        .args(["-R", &format!("{other}:{}", to(&echo))])
        .tunnel()
        .listening(other);
    client.says(&format!("Warning: remote port forwarding failed for listen port {taken}"));
    through_echo(&mut connect(other), 1000);
}

#[test]
fn port_zero_is_allocated_told_and_cancelled() {
    let (server, echo) = (aditd::start(), Service::echo());
    let client = ssh(&server).args(["-R", &format!("127.0.0.1:0:{}", to(&echo))]).tunnel();
    let port = allocated(&client);
    assert_eq!(listeners(port), [V4_LOOPBACK]);
    through_echo(&mut connect(port), 100_000);
    drop(client);
    wait_closed(port);
}

fn allocated(client: &Client) -> u16 {
    let line = client.says("Allocated port ");
    line.split(' ').nth(2).and_then(|port| port.parse().ok()).expect("a port")
}

#[test]
fn an_allocated_port_is_the_same_in_both_families() {
    // sshd is content with one family when somebody has the port in the other.
    if !aditd::only_aditd() {
        return;
    }
    let (server, echo) = (aditd::start(), Service::echo());
    for _ in 0..10 {
        let client = ssh(&server).args(["-R", &format!("0:{}", to(&echo))]).tunnel();
        let port = allocated(&client);
        assert_eq!(listeners(port), LOOPBACK);
        for address in LOOPBACK {
            through_echo(&mut connect_to(SocketAddr::from((*address, port))), 1000);
        }
    }
}

#[test]
fn a_connection_is_taken_by_the_forward_it_came_through() {
    let server = aditd::with(&["GatewayPorts clientspecified"]);
    let forwards: Vec<_> = ["", "localhost:", "127.0.0.1:", "*:", "0.0.0.0:", "[::1]:"]
        .iter()
        .map(|bind| (*bind, free_port(), Service::echo()))
        .collect();
    let specs = forwards.iter().map(|(bind, port, echo)| format!("-R{bind}{port}:{}", to(echo)));
    let client = ssh(&server).args(specs).tunnel();
    let client = forwards.iter().fold(client, |client, (_, port, _)| client.listening(*port));
    for (bind, port, echo) in &forwards {
        let address = if bind.contains('[') { V6_LOOPBACK } else { V4_LOOPBACK };
        through_echo(&mut connect_to(SocketAddr::from((address, *port))), 10_000);
        assert_eq!(echo.connections(), 1, "-R {bind}{port}");
    }
    assert!(!client.said().contains("unknown listen_port"), "{}", client.said());
}

#[test]
fn the_port_is_given_up_when_the_client_ends_or_is_killed() {
    let (server, port) = (aditd::start(), free_port());
    for _ in 0..3 {
        let client = ssh(&server)
            .option("ExitOnForwardFailure=yes")
            .args(["-R", &format!("{port}:127.0.0.1:9")])
            .tunnel()
            .listening(port);
        drop(client);
        wait_closed(port);
    }
}

#[test]
fn a_name_is_looked_up_by_the_server() {
    let (server, echo, port) = (aditd::start(), Service::echo(), free_port());
    let _client = ssh(&server).args(["-D", &format!("127.0.0.1:{port}")]).tunnel().listening(port);
    let mut stream = connect(port);
    socks5(&stream, Target::Name("localhost"), echo.port()).expect("reached by name");
    through_echo(&mut stream, 100_000);
}

#[test]
fn both_families_are_reached() {
    let (server, port) = (aditd::start(), free_port());
    let (v4, v6) = (Service::echo(), Service::tcp6(adit_interop_tests::service::echo));
    let _client = ssh(&server).args(["-D", &format!("127.0.0.1:{port}")]).tunnel().listening(port);
    for (target, service) in
        [(Target::V4(Ipv4Addr::LOCALHOST), &v4), (Target::V6(Ipv6Addr::LOCALHOST), &v6)]
    {
        let mut stream = connect(port);
        socks5(&stream, target, service.port()).expect("reached");
        through_echo(&mut stream, 100_000);
    }
}

#[test]
fn a_destination_that_cannot_be_reached_says_why() {
    let server = aditd::start();
    let nobody = free_port();
    ssh(&server).args(["-W", &format!("127.0.0.1:{nobody}")]).run().assert(
        255,
        &["open failed: connect failed: Connection refused", "stdio forwarding failed"],
    );
    ssh(&server)
        .args(["-W", "no-such-host.invalid:80"])
        .run()
        .assert(255, &["open failed: connect failed: "]);
}

#[test]
fn a_refused_destination_ends_that_connection_only() {
    let (server, echo) = (aditd::start(), Service::echo());
    let (dead, alive, nobody) = (free_port(), free_port(), free_port());
    let _client = ssh(&server)
        .args(["-L", &format!("127.0.0.1:{dead}:127.0.0.1:{nobody}")])
        .args(["-L", &format!("127.0.0.1:{alive}:{}", to(&echo))])
        .tunnel()
        .listening(dead)
        .listening(alive);
    let mut standing = connect(alive);
    standing.write_all(b"before").expect("taken");
    assert!(is_closed(connect(dead)));
    standing.read_exact(&mut [0; 6]).expect("still there");
    through_echo(&mut connect(alive), 1000);
}

#[test]
fn standard_input_and_output_are_a_forward() {
    let (server, sink) = (aditd::start(), Service::sink(9));
    let mut client = ssh(&server).args(["-W", &to(&sink)]).start();
    Pattern::new(9).send(client.process.take_stdin(), 0x44444, |_| ()).expect("sent");
    let finished = client.finish();
    assert_eq!(finished.stdout, "\0\0\0\0\0\x04DD", "the sink's count, big-endian: {finished:?}");
    sink.wait_result().expect("the same bytes");
}

/// -L and -R to `to`, with a connection through each.
fn each_way(server: &Sshd, to: u16) -> Vec<(&'static str, Client, TcpStream)> {
    ["-L", "-R"]
        .map(|letter| {
            let port = free_port();
            let spec = format!("127.0.0.1:{port}:127.0.0.1:{to}");
            let client = ssh(server).args([letter, &spec]).tunnel().listening(port);
            (letter, client, connect(port))
        })
        .into()
}

#[test]
fn the_answer_given_after_our_end_arrives() {
    let (server, sink) = (aditd::start(), Service::sink(5));
    for (letter, _client, mut stream) in each_way(&server, sink.port()) {
        into_sink(&mut stream, 5, 3_000_000);
        assert!(is_closed(&stream), "{letter}");
    }
}

#[test]
fn we_may_go_on_after_the_destinations_end() {
    let server = aditd::start();
    let service = ends_first();
    for (letter, _client, mut stream) in each_way(&server, service.port()) {
        after_its_end(&mut stream, &service, letter);
    }
}

#[test]
fn everything_sent_before_the_end_arrives_before_the_end() {
    let (server, source) = (aditd::start(), Service::source(8, 16 * MIB));
    for (_letter, _client, mut stream) in each_way(&server, source.port()) {
        from_source(&mut stream, 8, 16 * MIB);
    }
}

#[test]
fn both_directions_at_once_do_not_lock_each_other_out() {
    let (server, echo) = (aditd::start(), Service::echo());
    for (_letter, _client, mut stream) in each_way(&server, echo.port()) {
        through_echo(&mut stream, 16 * MIB);
    }
}

#[test]
fn a_stopped_connection_stops_nobody_else() {
    let (server, source) = (aditd::start(), Service::source(3, 32 * MIB));
    for (letter, client, stopped) in each_way(&server, source.port()) {
        // It asked for 32 MiB and takes none of them.
        let port = stopped.peer_addr().expect("connected").port();
        from_source(&mut connect(port), 3, 32 * MIB);
        drop((letter, client, stopped));
    }
}

#[test]
fn two_hundred_connections_at_once_each_get_their_own_bytes() {
    const COUNT: usize = 200;
    let (server, echo, port) = (aditd::start(), Service::echo(), free_port());
    let mut client = ssh(&server)
        .args(["-R", &format!("127.0.0.1:{port}:{}", to(&echo))])
        .tunnel()
        .listening(port);
    at_once(port, &echo, COUNT);
    client.assert_runs();
}

#[test]
fn thirty_clients_at_once_each_have_their_own_forward() {
    const COUNT: usize = 30;
    let (server, echo) = (aditd::start(), Service::echo());
    let clients: Vec<_> = (0..COUNT)
        .map(|_| {
            let port = free_port();
            let forward = format!("127.0.0.1:{port}:{}", to(&echo));
            (ssh(&server).args(["-R", &forward]).tunnel(), port)
        })
        .collect();
    let clients: Vec<_> =
        clients.into_iter().map(|(client, port)| (client.listening(port), port)).collect();
    for (_client, port) in &clients {
        through_echo(&mut connect(*port), 10_000);
    }
}

#[test]
fn a_port_below_1024_is_for_root() {
    let (server, port) = (aditd::start(), privileged_port());
    let finished = ssh(&server)
        .option("ExitOnForwardFailure=yes")
        .args(["-R", &format!("127.0.0.1:{port}:127.0.0.1:9")])
        .arg("-W")
        .arg("127.0.0.1:9")
        .run();
    let refused = finished.stderr.contains("remote port forwarding failed");
    assert_eq!(refused, !rustix::process::geteuid().is_root(), "{finished:?}");
}

fn privileged_port() -> u16 {
    (700..1024).rev().find(|port| listeners(*port).is_empty()).expect("a free port below 1024")
}
