//! What clients of a forwarding server see, and what its log and its driver learn; what comes back to a client's forwarder.

mod house;

use adit_engine::{Forward, Open, Outcome, RequestId, open_failure};
use adit_forward::served::{
    Connection, Ending, GatewayPorts, ListenPlan, Need, Notice, Route, ServedOptions, Unlistened,
};
use adit_forward::{Originator, Target};
use adit_reactor::{Counts, Family, Listener};
use house::{Both, House, MAX_CHANNELS, Opened};
use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::thread;

const HERE: &str = "127.0.0.1";

fn direct(to: SocketAddr) -> Open<'static> {
    Open::DirectTcpip {
        host: to.ip().to_string().into(),
        port: to.port().into(),
        originator_address: "192.0.2.7".into(),
        originator_port: 4000,
    }
}

fn target(to: SocketAddr) -> Target {
    Target::Tcp { host: to.ip().to_string(), port: to.port() }
}

fn local() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((HERE, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Nobody listens there: the port is held, and does not listen.
fn refusing() -> (socket2::Socket, SocketAddr) {
    let held = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    held.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let address = held.local_addr().unwrap().as_socket().unwrap();
    (held, address)
}

fn refused_words(notice: &Notice) -> Option<(u32, String)> {
    match notice {
        Notice::Refused { reason, words, .. } => Some((*reason, words.clone())),
        _ => None,
    }
}

fn bound_in(notice: &Notice) -> Option<Vec<SocketAddr>> {
    match notice {
        Notice::Listening { bound, .. } => Some(bound.clone()),
        _ => None,
    }
}

fn gateway(gateway_ports: GatewayPorts) -> House {
    House { listen: Ok(ListenPlan { gateway_ports, ..ListenPlan::default() }), ..House::default() }
}

fn taking_over() -> House {
    House { listen: Ok(ListenPlan { takeover: true, ..ListenPlan::default() }), ..House::default() }
}

/// Listens on a port the server chooses; gives the port.
fn listening(both: &mut Both, nth: usize, address: &str) -> (RequestId, u16) {
    match both.listen(nth, Forward::tcpip(address, 0)) {
        (request, Outcome::Listening { port }) => (request, port.try_into().unwrap()),
        (_, outcome) => panic!("{address:?}: {outcome:?}"),
    }
}

fn read_all(mut stream: impl Read) -> Vec<u8> {
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    all
}

mod targets {
    use super::*;

    #[test]
    fn each_half_of_a_connection_ends_for_itself_and_the_log_has_it_all() {
        let mut both = Both::new(House::default());
        let (listener, address) = local();
        let (channel, mut ours) = both.open(&direct(address));
        assert_eq!(both.outcome(channel), Opened::Open);
        let (request, answer) = both.beside(move || {
            let service = thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                let request = read_all(&stream);
                // The request has ended; the answer begins only now.
                stream.write_all(&[7; 300_000]).unwrap();
                request
            });
            ours.write_all(b"what is it?").unwrap();
            ours.shutdown(Shutdown::Write).unwrap();
            let answer = read_all(&ours);
            (service.join().unwrap(), answer)
        });
        assert_eq!(request, b"what is it?");
        assert_eq!(answer, [7; 300_000]);
        let (connection, counts, ending) = both.notice(|notice| match notice {
            Notice::Carried { connection, counts, ending, .. } => {
                Some((connection.clone(), *counts, ending.clone()))
            }
            _ => None,
        });
        let originator = Some(Originator { address: "192.0.2.7".into(), port: 4000 });
        assert_eq!(connection, Connection { route: Route::To(target(address)), originator });
        assert_eq!(connection.channel_type(), "direct-tcpip");
        assert_eq!(counts, Counts { read: 300_000, written: 11 });
        assert_eq!(ending, Ending::Finished);
    }

    #[test]
    fn the_service_may_end_first_and_still_listen() {
        let mut both = Both::new(House::default());
        let (listener, address) = local();
        let (channel, mut ours) = both.open(&direct(address));
        assert_eq!(both.outcome(channel), Opened::Open);
        let heard = both.beside(move || {
            let (stream, _) = listener.accept().unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            assert_eq!(read_all(&ours), b"");
            ours.write_all(b"goodbye").unwrap();
            ours.shutdown(Shutdown::Write).unwrap();
            read_all(stream)
        });
        assert_eq!(heard, b"goodbye");
    }

    #[test]
    fn a_refusal_of_the_rules_has_their_words_for_client_and_log() {
        let words = "PermitOpen does not allow 10.0.0.5:5432";
        let mut both = Both::new(House { open: Err(words.into()), ..House::default() });
        let (channel, _ours) = both.open(&direct("10.0.0.5:5432".parse().unwrap()));
        let prohibited = open_failure::ADMINISTRATIVELY_PROHIBITED;
        assert_eq!(both.outcome(channel), Opened::Failed(prohibited, words.into()));
        assert_eq!(both.notice(refused_words), (prohibited, words.into()));
    }

    #[test]
    fn a_target_that_refuses_is_told_in_the_systems_words() {
        let mut both = Both::new(House::default());
        let (_held, address) = refusing();
        let (channel, _ours) = both.open(&direct(address));
        let failed = (open_failure::CONNECT_FAILED, "Connection refused".to_owned());
        assert_eq!(both.outcome(channel), Opened::Failed(failed.0, failed.1.clone()));
        assert_eq!(both.notice(refused_words), failed);
    }

    #[test]
    fn a_name_that_cannot_be_is_told_in_the_resolvers_words() {
        let mut both = Both::new(House::default());
        let open = Open::direct_tcpip("no-such-name.invalid", 80, HERE, 1);
        let (channel, _ours) = both.open(&open);
        let Opened::Failed(reason, words) = both.outcome(channel) else { panic!() };
        assert_eq!(reason, open_failure::CONNECT_FAILED);
        let expected = adit_reactor::by_name("no-such-name.invalid", 80, Family::Any).unwrap_err();
        assert_eq!(words, expected);
    }

    #[test]
    fn a_port_that_tcp_does_not_have_is_refused() {
        let mut both = Both::new(House::default());
        let (channel, _ours) = both.open(&Open::direct_tcpip(HERE, 65_536 + 80, HERE, 1));
        let words = "no such port".to_owned();
        assert_eq!(both.outcome(channel), Opened::Failed(open_failure::CONNECT_FAILED, words));
    }

    #[test]
    fn a_name_is_looked_up_here_and_every_address_of_it_tried() {
        let mut both = Both::new(House::default());
        let (listener, address) = local();
        // Nobody listens on ::1, which localhost may mean as well.
        let open = Open::direct_tcpip("localhost", address.port().into(), HERE, 1);
        let (channel, _ours) = both.open(&open);
        assert_eq!(both.outcome(channel), Opened::Open);
        listener.accept().unwrap();
    }

    #[test]
    fn more_connections_on_their_way_than_allowed_are_a_shortage() {
        let mut both = Both::new(House { max_reaching: 2, ..House::default() });
        // The driver never answers, so that they stay on their way.
        let open = || Open::DirectStreamlocal { path: "/run/x".into() };
        let opened: Vec<_> = (0..3).map(|_| both.open(&open())).collect();
        let Opened::Failed(reason, words) = both.outcome(opened[2].0) else { panic!() };
        assert_eq!(reason, open_failure::RESOURCE_SHORTAGE);
        assert_eq!(words, "2 connections are on their way already");
        // One that is decided makes room.
        let Need::ConnectUnix { ticket, .. } = both.need() else { panic!() };
        let refused = Err(io::ErrorKind::NotFound.into());
        both.play.served.unix_connected(&mut both.reactor, ticket, refused);
        both.outcome(opened[0].0);
        both.open(&open());
        both.need();
        assert!(matches!(both.need(), Need::ConnectUnix { .. }));
    }

    #[test]
    fn a_dial_that_takes_too_long_is_given_up() {
        // A listener whose backlog is full answers nobody.
        let listener = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
        let listener = listener.unwrap();
        listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        listener.listen(0).unwrap();
        let address = listener.local_addr().unwrap().as_socket().unwrap();
        let full: Vec<socket2::Socket> = (0..16)
            .map(|_| {
                let domain = socket2::Domain::IPV4;
                let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None).unwrap();
                socket.set_nonblocking(true).unwrap();
                let _ = socket.connect(&address.into());
                socket
            })
            .collect();
        let mut options = ServedOptions::default();
        options.dial.time_limit = Some(20);
        let mut both = Both::with(1, House::default(), options);
        let (channel, _ours) = both.open(&direct(address));
        let words = "Connection timed out".to_owned();
        assert_eq!(both.outcome(channel), Opened::Failed(open_failure::CONNECT_FAILED, words));
        drop(full);
    }

    #[test]
    fn the_driver_connects_to_unix_sockets() {
        let mut both = Both::new(House::default());
        let (channel, mut ours) = both.open(&Open::DirectStreamlocal { path: "/run/db".into() });
        let Need::ConnectUnix { ticket, session, path } = both.need() else { panic!() };
        assert_eq!((session, path.as_str()), (both.play.servers[0], "/run/db"));
        let (near, mut service) = UnixStream::pair().unwrap();
        both.play.served.unix_connected(&mut both.reactor, ticket, Ok(near));
        assert_eq!(both.outcome(channel), Opened::Open);
        let heard = both.beside(move || {
            ours.write_all(b"hello").unwrap();
            let mut heard = [0; 5];
            service.read_exact(&mut heard).unwrap();
            heard
        });
        assert_eq!(&heard, b"hello");
        let connection = both.notice(|notice| match notice {
            Notice::Carried { connection, .. } => Some(connection.clone()),
            _ => None,
        });
        assert_eq!(connection.route, Route::To(Target::Unix("/run/db".into())));
    }

    #[test]
    fn what_is_hung_up_here_is_cut_off_there() {
        let mut both = Both::new(House::default());
        let (listener, address) = local();
        let (channel, ours) = both.open(&direct(address));
        assert_eq!(both.outcome(channel), Opened::Open);
        let standing: Vec<_> =
            both.play.served.connections(&both.reactor, both.play.servers[0]).collect();
        assert_eq!(standing.len(), 1);
        assert_eq!(standing[0].channel_type, "direct-tcpip");
        both.play.served.hang_up(&mut both.reactor, standing[0].stream, "idle too long");
        let reset = both.beside(move || {
            assert_eq!(read_all(&ours), b"");
            listener.accept().unwrap().0.read(&mut [0]).unwrap_err().kind()
        });
        assert_eq!(reset, io::ErrorKind::ConnectionReset);
        let ending = both.notice(|notice| match notice {
            Notice::Carried { ending, .. } => Some(ending.clone()),
            _ => None,
        });
        assert_eq!(ending, Ending::HungUp("idle too long".into()));
        assert_eq!(both.play.served.connections(&both.reactor, both.play.servers[0]).count(), 0);
    }
}

mod listeners {
    use super::*;

    /// What an address may be bound to.
    const BOTH: &[&str] = &["127.0.0.1", "::1"];
    const ALL: &[&str] = &["0.0.0.0", "::"];

    fn binds(rules: &House, address: &str) -> Vec<String> {
        let mut both = Both::new(rules.clone());
        let (_, port) = listening(&mut both, 0, address);
        let bound = both.notice(bound_in);
        assert!(bound.iter().all(|at| at.port() == port), "{bound:?} and {port}");
        bound.iter().map(|at| at.ip().to_string()).collect()
    }

    #[test]
    fn without_gateway_ports_everything_is_loopback() {
        let rules = gateway(GatewayPorts::No);
        for (address, expected) in [
            ("localhost", BOTH),
            ("", BOTH),
            ("*", BOTH),
            ("0.0.0.0", BOTH),
            ("192.0.2.1", BOTH),
            ("no such name", BOTH),
            ("127.0.0.1", &["127.0.0.1"]),
            ("::1", &["::1"]),
        ] {
            assert_eq!(binds(&rules, address), expected, "{address:?}");
        }
    }

    #[test]
    fn with_gateway_ports_everything_is_every_address() {
        let rules = gateway(GatewayPorts::Yes);
        for address in ["localhost", "", "*", "127.0.0.1", "::1", "192.0.2.1"] {
            assert_eq!(binds(&rules, address), ALL, "{address:?}");
        }
    }

    #[test]
    fn with_clientspecified_the_client_decides() {
        let rules = gateway(GatewayPorts::ClientSpecified);
        for (address, expected) in [
            ("", ALL),
            ("*", ALL),
            ("localhost", BOTH),
            ("127.0.0.1", &["127.0.0.1"]),
            ("127.0.0.9", &["127.0.0.9"]),
            ("::1", &["::1"]),
            ("0.0.0.0", &["0.0.0.0"]),
        ] {
            assert_eq!(binds(&rules, address), expected, "{address:?}");
        }
    }

    #[test]
    fn an_address_that_is_a_name_is_looked_up() {
        let mut both = Both::new(gateway(GatewayPorts::ClientSpecified));
        listening(&mut both, 0, "LOCALHOST");
        assert!(both.notice(bound_in).iter().all(|at| at.ip().is_loopback()));
        let (_, outcome) = both.listen(0, Forward::tcpip("no-such-name.invalid", 0));
        assert_eq!(outcome, Outcome::Refused);
    }

    #[test]
    fn an_address_this_host_does_not_have_is_refused_in_the_systems_words() {
        let mut both = Both::new(gateway(GatewayPorts::ClientSpecified));
        let (_, outcome) = both.listen(0, Forward::tcpip("192.0.2.1", 0));
        assert_eq!(outcome, Outcome::Refused);
        let words = "cannot listen on \"192.0.2.1\" port 0: Cannot assign requested address";
        assert_eq!(both.play.explained, [words]);
    }

    #[test]
    fn the_client_learns_when_gateway_ports_takes_more_than_it_asked_for() {
        let mut both = Both::new(gateway(GatewayPorts::Yes));
        listening(&mut both, 0, "");
        assert!(both.play.explained.is_empty());
        listening(&mut both, 0, "localhost");
        assert_eq!(both.play.explained.len(), 1);
    }

    #[test]
    fn a_family_that_is_not_wanted_is_not_bound() {
        let options = ServedOptions { family: Family::V4, ..ServedOptions::default() };
        let mut both = Both::with(1, House::default(), options);
        listening(&mut both, 0, "localhost");
        let addresses: Vec<IpAddr> = both.notice(bound_in).iter().map(SocketAddr::ip).collect();
        assert_eq!(addresses, [HERE.parse::<IpAddr>().unwrap()]);
    }

    #[test]
    fn one_family_is_success_though_the_other_is_taken() {
        let mut both = Both::new(House::default());
        let (_taken, address) = local();
        let forward = Forward::tcpip("localhost", address.port().into());
        let (_, outcome) = both.listen(0, forward);
        assert_eq!(outcome, Outcome::Listening { port: address.port().into() });
        let bound: Vec<String> =
            both.notice(bound_in).iter().map(|at| at.ip().to_string()).collect();
        assert_eq!(bound, ["::1"]);
    }

    #[test]
    fn a_port_that_is_taken_is_refused_with_the_reason() {
        let mut both = Both::new(House::default());
        let (_taken, address) = local();
        let port = address.port();
        let (_, outcome) = both.listen(0, Forward::tcpip(HERE, port.into()));
        assert_eq!(outcome, Outcome::Refused);
        let words = format!("cannot listen on \"127.0.0.1\" port {port}: Address already in use");
        assert_eq!(both.play.explained, [words]);
        let words = both.notice(|notice| match notice {
            Notice::ListenRefused { words, .. } => Some(words.clone()),
            _ => None,
        });
        assert_eq!(words, "Address already in use");
    }

    #[test]
    fn rules_refuse_with_a_reason_though_the_reply_has_no_room_for_it() {
        let words = "PermitListen does not allow localhost:9000".to_owned();
        let mut both = Both::new(House { listen: Err(words.clone()), ..House::default() });
        let (_, outcome) = both.listen(0, Forward::tcpip("localhost", 9000));
        assert_eq!(outcome, Outcome::Refused);
        let told = format!("cannot listen on \"localhost\" port 9000: {words}");
        assert_eq!(both.play.explained, [told]);
    }

    #[test]
    fn a_client_that_asks_twice_is_refused_the_second_time() {
        let mut both = Both::new(taking_over());
        let (_, port) = listening(&mut both, 0, "localhost");
        for address in ["localhost", "127.0.0.1"] {
            let (_, outcome) = both.listen(0, Forward::tcpip(address, port.into()));
            assert_eq!(outcome, Outcome::Refused, "{address}");
        }
        // Nobody is asked to give way to itself.
        assert!(both.play.needs.is_empty());
    }

    #[test]
    fn a_client_may_listen_as_often_as_the_rules_say_and_again_after_it_cancels() {
        let mut both = Both::new(House { max_listeners: 2, ..House::default() });
        let (first, _) = listening(&mut both, 0, HERE);
        listening(&mut both, 0, HERE);
        let (_, outcome) = both.listen(0, Forward::tcpip(HERE, 0));
        assert_eq!(outcome, Outcome::Refused);
        let words = "cannot listen on \"127.0.0.1\" port 0: this connection may listen 2 times";
        assert_eq!(both.play.explained, [words]);
        both.cancel(first);
        listening(&mut both, 0, HERE);
    }

    #[test]
    fn a_connection_brings_the_address_letter_for_letter_and_who_connected() {
        for address in ["localhost", "", "*", "127.0.0.1", "what ever: \u{fc}"] {
            let mut both = Both::new(House::default());
            let (_, port) = listening(&mut both, 0, address);
            let mut end = both.end();
            let mut stream = TcpStream::connect((HERE, port)).unwrap();
            let from = stream.local_addr().unwrap();
            let heard = both.beside(move || {
                stream.write_all(b"hello").unwrap();
                let mut heard = [0; 5];
                end.read_exact(&mut heard).unwrap();
                heard
            });
            assert_eq!(&heard, b"hello");
            let expected = Open::forwarded_tcpip(address, port.into(), HERE, from.port().into());
            assert_eq!(both.play.offered, [expected]);
            let connection = both.notice(|notice| match notice {
                Notice::Carried { connection, .. } => Some(connection.clone()),
                _ => None,
            });
            assert_eq!(connection.channel_type(), "forwarded-tcpip");
            let originator = Originator { address: HERE.into(), port: from.port().into() };
            assert_eq!(connection.originator, Some(originator));
        }
    }

    #[test]
    fn a_connection_that_the_client_refuses_is_closed() {
        let mut both = Both::new(House::default());
        let (_, port) = listening(&mut both, 0, "localhost");
        let ended =
            both.beside(move || TcpStream::connect((HERE, port)).unwrap().read(&mut [0]).unwrap());
        assert_eq!(ended, 0);
        let failed = (open_failure::CONNECT_FAILED, "not today".to_owned());
        assert_eq!(both.notice(refused_words), failed);
    }

    #[test]
    fn a_connection_for_which_there_is_no_channel_is_closed() {
        let mut both = Both::new(House { max_reaching: usize::MAX, ..House::default() });
        let (_, port) = listening(&mut both, 0, "localhost");
        // The driver never answers these.
        let open = || Open::DirectStreamlocal { path: "/run/x".into() };
        let _taken: Vec<_> = (0..MAX_CHANNELS).map(|_| both.open(&open())).collect();
        both.until(|play| (play.needs.len() == MAX_CHANNELS as usize).then_some(()));
        let ended =
            both.beside(move || TcpStream::connect((HERE, port)).unwrap().read(&mut [0]).unwrap());
        assert_eq!(ended, 0);
        assert_eq!(both.notice(refused_words).0, open_failure::RESOURCE_SHORTAGE);
    }

    #[test]
    fn what_is_cancelled_is_no_longer_listened_on_and_its_connections_stay() {
        let mut both = Both::new(House::default());
        let (request, port) = listening(&mut both, 0, "localhost");
        let mut end = both.end();
        let mut stream = TcpStream::connect((HERE, port)).unwrap();
        both.until(|play| play.offered.pop());
        assert_eq!(both.cancel(request), Outcome::Done(Vec::new()));
        let error = TcpStream::connect((HERE, port)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        let heard = both.beside(move || {
            stream.write_all(b"still here").unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            read_all(&mut end)
        });
        assert_eq!(heard, b"still here");
        let forward = Forward::tcpip("localhost", port.into());
        both.notice(|notice| match notice {
            Notice::Unlistened { forward: ended, why: Unlistened::Cancelled, .. } => {
                (*ended == forward).then_some(())
            }
            _ => None,
        });
    }

    #[test]
    fn each_half_of_a_forwarded_connection_ends_for_itself() {
        let mut both = Both::new(House::default());
        let (_, port) = listening(&mut both, 0, "localhost");
        let mut end = both.end();
        let answer = both.beside(move || {
            let mut stream = TcpStream::connect((HERE, port)).unwrap();
            stream.write_all(b"question").unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            assert_eq!(read_all(&end), b"question");
            end.write_all(&[3; 200_000]).unwrap();
            drop(end);
            read_all(stream)
        });
        assert_eq!(answer, [3; 200_000]);
    }

    #[test]
    fn a_port_that_is_reserved_is_the_drivers_to_bind() {
        let mut both = Both::new(House::default());
        let request = both.ask(0, Forward::tcpip("localhost", 443));
        let Need::ListenTcp { ticket, addresses, .. } = both.need() else { panic!() };
        let wanted: [SocketAddr; 2] =
            ["127.0.0.1:443".parse().unwrap(), "[::1]:443".parse().unwrap()];
        assert_eq!(addresses, wanted);
        // As if the user had the right to it: the test takes another.
        let (listener, _) = local();
        let bound = Ok(vec![Listener::tcp(listener).unwrap()]);
        both.play.served.listening(&mut both.reactor, ticket, bound);
        assert_eq!(both.reply(request), Outcome::Listening { port: 443 });

        let request = both.ask(0, Forward::tcpip("localhost", 80));
        let Need::ListenTcp { ticket, .. } = both.need() else { panic!() };
        let refused = Err(io::Error::from_raw_os_error(13));
        both.play.served.listening(&mut both.reactor, ticket, refused);
        assert_eq!(both.reply(request), Outcome::Refused);
        let words = "cannot listen on \"localhost\" port 80: Permission denied";
        assert_eq!(both.play.explained, [words]);
    }
}

mod sockets {
    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let name = format!("adit-served-{name}-{}", std::process::id());
            let folder = std::env::temp_dir().join(name);
            std::fs::create_dir_all(&folder).unwrap();
            Self(folder)
        }

        fn path(&self) -> String {
            self.0.join("s").to_str().unwrap().to_owned()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn bind(path: &str) -> io::Result<Vec<Listener>> {
        let listener = UnixListener::bind(path)?;
        Ok(vec![Listener::unix(listener, path.into())?])
    }

    /// Asks for a socket; the driver binds it.
    fn listening(both: &mut Both, nth: usize, path: &str) -> RequestId {
        let request = both.ask(nth, Forward::streamlocal(path));
        let Need::ListenUnix { ticket, path, mask: 0o177, unlink: false, .. } = both.need() else {
            panic!()
        };
        both.play.served.listening(&mut both.reactor, ticket, bind(&path));
        request
    }

    #[test]
    fn the_driver_listens_and_a_connection_brings_the_path() {
        let folder = Folder::new("listen");
        let path = folder.path();
        let mut both = Both::new(House::default());
        let request = listening(&mut both, 0, &path);
        assert_eq!(both.reply(request), Outcome::Listening { port: 0 });
        let end = both.end();
        let mut stream = UnixStream::connect(&path).unwrap();
        let heard = both.beside(move || {
            stream.write_all(b"hello").unwrap();
            drop(stream);
            read_all(end)
        });
        assert_eq!(heard, b"hello");
        assert_eq!(both.play.offered, [Open::ForwardedStreamlocal { path: path.clone().into() }]);

        assert_eq!(both.cancel(request), Outcome::Done(Vec::new()));
        assert!(!std::path::Path::new(&path).exists());
    }

    #[test]
    fn what_stands_in_the_way_is_told() {
        let folder = Folder::new("taken");
        let path = folder.path();
        std::fs::write(&path, "in the way").unwrap();
        let mut both = Both::new(House::default());
        let request = listening(&mut both, 0, &path);
        assert_eq!(both.reply(request), Outcome::Refused);
        let words = format!("cannot listen on \"{path}\": Address already in use");
        assert_eq!(both.play.explained, [words]);
    }

    #[test]
    fn a_socket_without_a_path_is_refused() {
        let mut both = Both::new(House::default());
        let (_, outcome) = both.listen(0, Forward::streamlocal(""));
        assert_eq!(outcome, Outcome::Refused);
        assert_eq!(both.play.explained, ["cannot listen on \"\": there is no path"]);
    }

    #[test]
    fn one_that_is_taken_over_leaves_its_path_to_the_next() {
        let folder = Folder::new("takeover");
        let path = folder.path();
        let mut both = Both::with(2, taking_over(), ServedOptions::default());
        let stale = listening(&mut both, 0, &path);
        assert_eq!(both.reply(stale), Outcome::Listening { port: 0 });
        let request = listening(&mut both, 1, &path);
        let Need::Takeover { ticket, place, .. } = both.need() else { panic!() };
        let old = both.play.servers[0];
        assert_eq!(both.play.served.give_up(&mut both.reactor, old, &place).len(), 1);
        assert!(std::path::Path::new(&path).exists());
        both.play.served.retry(&mut both.reactor, ticket, true);
        let Need::ListenUnix { ticket, unlink: true, .. } = both.need() else { panic!() };
        std::fs::remove_file(&path).unwrap();
        both.play.served.listening(&mut both.reactor, ticket, bind(&path));
        assert_eq!(both.reply(request), Outcome::Listening { port: 0 });
    }

    #[test]
    fn an_answer_that_comes_after_the_session_leaves_nothing_behind() {
        let folder = Folder::new("late");
        let path = folder.path();
        let mut both = Both::new(House::default());
        both.ask(0, Forward::streamlocal(&path));
        let Need::ListenUnix { ticket, .. } = both.need() else { panic!() };
        both.reactor.close_session(both.play.servers[0], "enough");
        both.until(|play| (play.closed.len() == 2).then_some(()));
        both.play.served.listening(&mut both.reactor, ticket, bind(&path));
        assert!(!std::path::Path::new(&path).exists());
    }
}

mod takeover {
    use super::*;

    #[test]
    fn a_new_session_gets_the_port_of_one_that_gives_it_up() {
        let mut both = Both::with(2, taking_over(), ServedOptions::default());
        let (_, port) = listening(&mut both, 0, "localhost");
        // A connection of the old one's stands.
        let mut old_end = both.end();
        let mut old_stream = TcpStream::connect((HERE, port)).unwrap();
        both.until(|play| play.offered.pop());
        let request = both.ask(1, Forward::tcpip("", port.into()));
        let Need::Takeover { ticket, session, place } = both.need() else { panic!() };
        assert_eq!(session, both.play.servers[1]);
        let old = both.play.servers[0];
        let given_up = both.play.served.give_up(&mut both.reactor, old, &place);
        assert_eq!(given_up, [Forward::tcpip("localhost", port.into())]);
        both.play.served.retry(&mut both.reactor, ticket, true);
        assert_eq!(both.reply(request), Outcome::Listening { port: port.into() });
        both.notice(|notice| match notice {
            Notice::Unlistened { session, why: Unlistened::TakenOver, .. } => {
                (*session == old).then_some(())
            }
            _ => None,
        });
        // Connections come to the new one.
        let _end = both.end();
        let _stream = TcpStream::connect((HERE, port)).unwrap();
        let open = both.until(|play| play.offered.pop());
        assert!(matches!(open, Open::ForwardedTcpip { address, .. } if address.is_empty()));
        let heard = both.beside(move || {
            old_stream.write_all(b"still here").unwrap();
            drop(old_stream);
            read_all(&mut old_end)
        });
        assert_eq!(heard, b"still here");
    }

    #[test]
    fn a_port_that_is_not_given_up_is_refused() {
        let mut both = Both::with(2, taking_over(), ServedOptions::default());
        let (_, port) = listening(&mut both, 0, "localhost");
        let request = both.ask(1, Forward::tcpip("localhost", port.into()));
        let Need::Takeover { ticket, .. } = both.need() else { panic!() };
        both.play.served.retry(&mut both.reactor, ticket, false);
        assert_eq!(both.reply(request), Outcome::Refused);
    }

    #[test]
    fn whoever_still_holds_the_port_after_that_is_not_asked_again() {
        let mut both = Both::new(taking_over());
        let (_taken, address) = local();
        let request = both.ask(0, Forward::tcpip(HERE, address.port().into()));
        let Need::Takeover { ticket, .. } = both.need() else { panic!() };
        both.play.served.retry(&mut both.reactor, ticket, true);
        assert_eq!(both.reply(request), Outcome::Refused);
        assert!(both.play.needs.is_empty());
    }

    #[test]
    fn without_leave_nobody_is_asked() {
        let mut both = Both::with(2, House::default(), ServedOptions::default());
        let (_, port) = listening(&mut both, 0, "localhost");
        let (_, outcome) = both.listen(1, Forward::tcpip("localhost", port.into()));
        assert_eq!(outcome, Outcome::Refused);
        assert!(both.play.needs.is_empty());
    }

    #[test]
    fn a_listener_elsewhere_is_not_given_up() {
        let mut both = Both::with(2, taking_over(), ServedOptions::default());
        let (_, port) = listening(&mut both, 0, "::1");
        let (_, other) = listening(&mut both, 1, "127.0.0.1");
        assert_ne!(port, other);
        let place = adit_forward::served::Place::Tcp(vec![
            SocketAddr::new(HERE.parse().unwrap(), port),
            SocketAddr::new(HERE.parse().unwrap(), other),
        ]);
        let old = both.play.servers[0];
        assert!(both.play.served.give_up(&mut both.reactor, old, &place).is_empty());
    }
}

mod back {
    //! Proxy clients at the server, whom the client connects.
    use super::*;
    use std::sync::{Arc, Mutex, mpsc};

    /// What may come before a connection stands.
    const KEPT: usize = 64 * 1024;

    /// A SOCKS 4a request for a host with a name, and so many bytes behind it.
    fn request(behind: usize) -> Vec<u8> {
        [b"\x04\x01\0\x50\0\0\0\x01\0db.internal\0".as_slice(), &vec![7; behind]].concat()
    }

    fn proxied(port: u16, bytes: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect((HERE, port)).unwrap();
        stream.write_all(bytes).unwrap();
        stream
    }

    #[test]
    fn what_comes_before_a_connection_stands_is_kept_up_to_a_bound() {
        let mut both = Both::new(House::default());
        let (listener, address) = local();
        let (find, found) = mpsc::channel();
        let found = Mutex::new(found);
        both.reactor.look_up_through(Arc::new(move |_, _, _| {
            found.lock().unwrap().recv().unwrap();
            Ok(vec![address])
        }));
        let port = both.forward_back("127.0.0.1:0");
        let modest = both.beside(move || proxied(port, &request(KEPT)));
        both.until(|play| (play.given == request(KEPT).len()).then_some(()));
        let answer = both.beside(move || read_all(proxied(port, &request(KEPT + 1))));
        assert_eq!(answer, b"", "one byte more is turned away while the name is looked up");
        find.send(()).unwrap();
        let (heard, answer) = both.beside(move || {
            modest.shutdown(Shutdown::Write).unwrap();
            (read_all(listener.accept().unwrap().0), read_all(modest))
        });
        assert_eq!(heard, vec![7; KEPT]);
        assert_eq!(answer[..2], [0, 90]);
    }
}

mod sessions {
    use super::*;

    #[test]
    fn what_a_session_leaves_behind_goes_with_it() {
        let mut both = Both::with(2, House::default(), ServedOptions::default());
        let (_, port) = listening(&mut both, 0, "localhost");
        let (_, others) = listening(&mut both, 1, "localhost");
        let (listener, address) = local();
        let (channel, _ours) = both.open(&direct(address));
        assert_eq!(both.outcome(channel), Opened::Open);
        let (mut stream, _) = listener.accept().unwrap();
        let (_waiting, _its) = both.open(&Open::DirectStreamlocal { path: "/run/x".into() });
        let Need::ConnectUnix { ticket, .. } = both.need() else { panic!() };

        both.reactor.close_session(both.play.servers[0], "enough");
        both.until(|play| (play.closed.len() == 2).then_some(()));
        let error = TcpStream::connect((HERE, port)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        let reset = stream.read(&mut [0]).unwrap_err();
        assert_eq!(reset.kind(), io::ErrorKind::ConnectionReset);
        both.notice(|notice| {
            matches!(notice, Notice::Unlistened { why: Unlistened::SessionOver, .. }).then_some(())
        });
        both.notice(|notice| {
            matches!(notice, Notice::Carried { ending: Ending::SessionOver, .. }).then_some(())
        });
        // An answer that comes too late has nobody to go to.
        let (near, mut far) = UnixStream::pair().unwrap();
        both.play.served.unix_connected(&mut both.reactor, ticket, Ok(near));
        assert_eq!(far.read(&mut [0]).unwrap(), 0);
        // The other session is as it was.
        let _end = both.end();
        TcpStream::connect((HERE, others)).unwrap();
        both.until(|play| play.offered.pop());
    }

    #[test]
    fn many_connections_of_many_sessions_each_find_their_way() {
        const SESSIONS: usize = 8;
        const EACH: usize = 12;
        let mut both = Both::with(SESSIONS, House::default(), ServedOptions::default());
        let ports: Vec<u16> =
            (0..SESSIONS).map(|nth| listening(&mut both, nth, "localhost").1).collect();
        let ends: Vec<UnixStream> = (0..SESSIONS * EACH).map(|_| both.end()).collect();
        let echoed = both.beside(move || {
            let echoes: Vec<_> = ends
                .into_iter()
                .map(|end| thread::spawn(move || io::copy(&mut &end, &mut &end).unwrap()))
                .collect();
            let programs: Vec<_> = (0..SESSIONS * EACH)
                .map(|nth| {
                    let port = ports[nth % SESSIONS];
                    thread::spawn(move || {
                        let mut stream = TcpStream::connect((HERE, port)).unwrap();
                        let sent = vec![nth as u8; 20_000];
                        stream.write_all(&sent).unwrap();
                        stream.shutdown(Shutdown::Write).unwrap();
                        read_all(stream) == sent
                    })
                })
                .collect();
            let echoed = programs.into_iter().all(|program| program.join().unwrap());
            echoes.into_iter().for_each(|echo| drop(echo.join()));
            echoed
        });
        assert!(echoed);
        let carried = |notice: &&Notice| {
            let counts = Counts { read: 20_000, written: 20_000 };
            matches!(notice, Notice::Carried { counts: had, ending: Ending::Finished, .. }
                if *had == counts)
        };
        both.until(|play| {
            (play.notices.iter().filter(carried).count() == SESSIONS * EACH).then_some(())
        });
    }

    #[test]
    fn it_can_live_on_any_thread() {
        fn is_send<T: Send>(_: &T) {}
        is_send(&adit_forward::Served::new(ServedOptions::default()));
    }
}
