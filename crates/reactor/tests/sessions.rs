//! Sessions before peers that do as they like: pipelined logins, floods, links that do not drain; and their ends.

mod both;

use adit_buf::{RxBuf, TxRing};
use adit_engine::login_server::Ask;
use adit_engine::{Engine, Event as Ssh};
use adit_reactor::{Closed, Event, Handler, Key, Link, Reactor, Socket};
use adit_testkit::keys::{USER, client_transport, server_config, server_transport};
use adit_testkit::script::payload;
use adit_testkit::{FixedRng, Manners};
use adit_transport::{Config, Incoming, Transport};
use adit_wire::auth::{Password, UserauthRequest, UserauthSuccess};
use adit_wire::global_request::GlobalRequest;
use adit_wire::transport::{Ignore, ServiceRequest};
use adit_wire::{Message, Rest};
use both::{Ends, run};
use mio::{Registry, Token};
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// A client without manners: bare packets over a socket that never blocks.
struct Peer {
    transport: Transport,
    socket: UnixStream,
    rx: RxBuf,
    tx: TxRing,
    /// Payloads that came.
    heard: Vec<Vec<u8>>,
    /// Bytes the socket took.
    written: usize,
}

impl Peer {
    fn new(socket: UnixStream, config: Config) -> Self {
        socket.set_nonblocking(true).unwrap();
        let mut transport = Transport::new(Arc::new(config), Box::new(FixedRng::new(1)), 0);
        let mut tx = TxRing::new();
        transport.start(&mut tx);
        Self { transport, socket, rx: RxBuf::new(), tx, heard: Vec::new(), written: 0 }
    }

    fn says<'m>(&mut self, message: &impl Message<'m>) {
        self.transport.send(&payload(message), &mut self.tx).unwrap();
    }

    fn asks_to_log_in(&mut self, method_name: &str, method: &[u8]) {
        self.says(&UserauthRequest {
            user_name: USER,
            service_name: "ssh-connection",
            method_name,
            method: Rest(method),
        });
    }

    /// Everything a login takes, without waiting for an answer.
    fn logs_in(&mut self) {
        self.says(&ServiceRequest { service_name: "ssh-userauth" });
        self.asks_to_log_in("none", b"");
        let mut password = Vec::new();
        Password { password: b"secret", new_password: None }.encode(&mut password);
        self.asks_to_log_in("password", &password);
    }

    /// Writes until the socket takes no more; whether all is written.
    fn writes(&mut self) -> bool {
        while !self.tx.is_empty() {
            let result = self.tx.pending().next().map(|bytes| (&self.socket).write(bytes));
            match result.unwrap() {
                Ok(count) => {
                    self.tx.written(count);
                    self.written += count;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
                Err(error) => panic!("{error}"),
            }
        }
        true
    }

    /// Reads what is there; false at the end of the stream.
    fn reads(&mut self) -> bool {
        let mut bytes = [0; 65536];
        match (&self.socket).read(&mut bytes) {
            Ok(0) => return false,
            Ok(count) => self.rx.extend(&bytes[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
            // What this peer sent was not read to its end.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return false,
            Err(error) => panic!("{error}"),
        }
        while let Ok(Some(incoming)) = self.transport.next_packet(&mut self.rx, &mut self.tx) {
            match incoming {
                Incoming::HostKey => self.transport.accept_host_key(&mut self.tx),
                Incoming::Packet(span) => {
                    let payload = self.rx.bytes(span).to_vec();
                    if payload[0] == UserauthSuccess::NUMBER {
                        self.transport.authenticated();
                    }
                    self.heard.push(payload);
                }
                _ => {}
            }
        }
        true
    }

    fn heard(&self, number: u8) -> usize {
        self.heard.iter().filter(|payload| payload[0] == number).count()
    }
}

/// A server that answers logins at once, or leaves that to the test.
#[derive(Default)]
struct Server {
    manners: Manners,
    leaves_questions: bool,
    questions: Vec<(Key, Ask)>,
    established: bool,
    closed: Vec<(Closed, u64)>,
}

impl Handler for Server {
    fn event(&mut self, reactor: &mut Reactor, event: Event) {
        match event {
            Event::Ssh { session, event: Ssh::ServerLogin(ask) } => {
                if self.leaves_questions {
                    self.questions.push((session, ask));
                } else {
                    reactor.answer_login(session, |login| self.manners.judge(&ask, login));
                }
            }
            Event::Ssh { event: Ssh::Established, .. } => self.established = true,
            Event::Closed { closed, counters, .. } => {
                self.closed.push((closed, counters.received.bytes));
            }
            _ => {}
        }
    }
}

/// A server on a loop, and a peer that has exchanged keys with it.
fn served(reactor: &mut Reactor, server: &mut Server) -> (Key, Peer) {
    served_over(reactor, server, |socket| Box::new(socket))
}

fn served_over(
    reactor: &mut Reactor,
    server: &mut Server,
    link: impl FnOnce(Socket) -> Box<dyn Link>,
) -> (Key, Peer) {
    let (near, far) = UnixStream::pair().unwrap();
    let config = server_config(server_transport());
    let engine = Engine::server(config, Box::new(FixedRng::new(2)), 0);
    let session = reactor.add_session(link(Socket::unix(far).unwrap()), engine).unwrap();
    let mut peer = Peer::new(near, client_transport());
    while !peer.transport.can_send() {
        turn(reactor, server);
        assert!(peer.writes() && peer.reads());
    }
    (session, peer)
}

/// A turn that does not sleep.
fn turn(reactor: &mut Reactor, server: &mut Server) {
    reactor.waker().wake().unwrap();
    reactor.turn(server).unwrap();
}

fn logged_in(reactor: &mut Reactor, server: &mut Server) -> (Key, Peer) {
    let (session, mut peer) = served(reactor, server);
    logs_in(reactor, server, &mut peer);
    (session, peer)
}

fn logs_in(reactor: &mut Reactor, server: &mut Server, peer: &mut Peer) {
    peer.logs_in();
    while !(server.established && peer.heard(UserauthSuccess::NUMBER) == 1) {
        assert!(peer.writes());
        turn(reactor, server);
        assert!(peer.reads());
    }
}

/// A link that counts what it reads and what it is to acknowledge.
struct Counting {
    socket: Socket,
    reads: Arc<AtomicUsize>,
    acknowledged: Arc<AtomicUsize>,
}

impl Link for Counting {
    fn register(&mut self, registry: &Registry, token: Token) -> io::Result<bool> {
        Link::register(&mut self.socket, registry, token)
    }

    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.socket.read(buf)?;
        self.reads.fetch_add(1, Relaxed);
        Ok(count)
    }

    fn writev(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        Link::writev(&mut self.socket, bufs)
    }

    fn shutdown(&mut self) {
        self.socket.shutdown();
    }

    fn acknowledge(&self) {
        self.acknowledged.fetch_add(1, Relaxed);
    }
}

#[test]
fn what_a_login_reads_is_acknowledged_at_once_and_nothing_after_it() {
    let (mut reactor, mut server) = (Reactor::new().unwrap(), Server::default());
    let reads = Arc::new(AtomicUsize::new(0));
    let acknowledged = Arc::new(AtomicUsize::new(0));
    let counts = || (reads.load(Relaxed), acknowledged.load(Relaxed));
    let (_, mut peer) = served_over(&mut reactor, &mut server, |socket| {
        Box::new(Counting { socket, reads: reads.clone(), acknowledged: acknowledged.clone() })
    });
    logs_in(&mut reactor, &mut server, &mut peer);
    let (read, told) = counts();
    assert!(read >= 2, "{read}");
    assert_eq!(told, read);
    peer.says(&Ignore { data: b"more" });
    assert!(peer.writes());
    while counts().0 == read {
        turn(&mut reactor, &mut server);
    }
    assert_eq!(counts().1, told);
}

#[test]
fn a_login_question_may_be_answered_between_turns_and_what_waited_goes_on() {
    let mut reactor = Reactor::new().unwrap();
    let mut server = Server { leaves_questions: true, ..Server::default() };
    let (_, mut peer) = served(&mut reactor, &mut server);
    peer.logs_in();
    assert!(peer.writes());
    let mut answered = 0;
    while !server.established {
        reactor.turn(&mut server).unwrap();
        // As a helper's answer comes: the loop is between two turns.
        for (session, ask) in server.questions.drain(..).collect::<Vec<_>>() {
            reactor.answer_login(session, |login| server.manners.judge(&ask, login));
            answered += 1;
        }
    }
    assert!(answered >= 2, "who, and whether that is the password");
    while peer.heard(UserauthSuccess::NUMBER) == 0 {
        assert!(peer.reads());
    }
}

#[test]
fn a_long_packet_that_trickles_in_is_taken_and_so_is_what_follows() {
    let mut reactor = Reactor::new().unwrap();
    let mut server = Server::default();
    let (session, mut peer) = served(&mut reactor, &mut server);
    peer.says(&Ignore { data: &[7; 200_000] });
    let packet: Vec<u8> = peer.tx.pending().flatten().copied().collect();
    peer.tx.written(packet.len());
    for piece in packet.chunks(1000) {
        peer.socket.write_all(piece).unwrap();
        turn(&mut reactor, &mut server);
    }
    peer.logs_in();
    while !server.established {
        assert!(peer.writes());
        turn(&mut reactor, &mut server);
    }
    assert!(reactor.engine(session).unwrap().counters().received.bytes > 200_000);
}

const REQUEST_FAILURE: u8 = 82;

/// Sends requests that want answers, reads none, until the socket has taken nothing for a while. How many were sent.
fn flood(reactor: &mut Reactor, server: &mut Server, peer: &mut Peer) -> usize {
    let ask = GlobalRequest { request_name: "x", want_reply: true, data: Rest(b"") };
    let (mut asked, mut idle) = (0, 0);
    while idle < 20 {
        let before = peer.written;
        while peer.writes() {
            for _ in 0..100 {
                peer.says(&ask);
                asked += 1;
            }
            assert!(peer.written < 32 << 20, "the server listens for ever");
        }
        turn(reactor, server);
        idle = if peer.written == before { idle + 1 } else { 0 };
    }
    asked
}

#[test]
fn a_peer_that_asks_and_never_reads_is_not_read_until_it_does() {
    let mut reactor = Reactor::new().unwrap();
    let mut server = Server::default();
    let (session, mut peer) = logged_in(&mut reactor, &mut server);
    let asked = flood(&mut reactor, &mut server, &mut peer);
    assert!(server.closed.is_empty(), "{:?}", server.closed);
    // It reads now, and gets every answer.
    while peer.heard(REQUEST_FAILURE) < asked {
        peer.writes();
        turn(&mut reactor, &mut server);
        assert!(peer.reads());
    }
    assert!(reactor.engine(session).is_some());
}

#[test]
fn a_session_may_drain_before_it_ends() {
    let mut reactor = Reactor::new().unwrap();
    let mut server = Server::default();
    let (session, mut peer) = logged_in(&mut reactor, &mut server);
    let asked = flood(&mut reactor, &mut server, &mut peer);
    reactor.close_session_within(session, "restarting", 60_000);
    turn(&mut reactor, &mut server);
    assert!(server.closed.is_empty(), "there is something to write yet");
    while peer.reads() {
        turn(&mut reactor, &mut server);
    }
    assert!(matches!(server.closed[..], [(Closed::Here, _)]));
    let answers = peer.heard(REQUEST_FAILURE);
    assert!(answers > 0 && answers <= asked);
    let end = peer.transport.next_packet(&mut peer.rx, &mut peer.tx);
    let goodbye = end.unwrap_err().to_string();
    assert!(goodbye.contains("disconnected"), "{goodbye}");
}

#[test]
fn a_session_that_does_not_drain_ends_when_patience_does() {
    let mut reactor = Reactor::new().unwrap();
    let mut server = Server::default();
    let (session, mut peer) = logged_in(&mut reactor, &mut server);
    flood(&mut reactor, &mut server, &mut peer);
    reactor.close_session_within(session, "restarting", 1);
    run(&mut reactor, &mut server, |server| server.closed.len() == 1);
    assert_eq!(reactor.session_count(), 0);
}

#[test]
fn a_session_ended_at_once_does_not_wait_for_its_link() {
    let mut reactor = Reactor::new().unwrap();
    let mut server = Server::default();
    let (session, mut peer) = logged_in(&mut reactor, &mut server);
    flood(&mut reactor, &mut server, &mut peer);
    reactor.close_session(session, "enough");
    reactor.turn(&mut server).unwrap();
    assert_eq!(server.closed.len(), 1);
}

#[test]
fn the_end_of_a_session_tells_what_it_carried() {
    let mut reactor = Reactor::new().unwrap();
    let mut server = Server::default();
    let (_, peer) = logged_in(&mut reactor, &mut server);
    drop(peer);
    run(&mut reactor, &mut server, |server| server.closed.len() == 1);
    assert!(matches!(server.closed[..], [(Closed::EndOfStream, bytes)] if bytes > 1000));
}

#[test]
fn the_sessions_there_are_can_be_named() {
    struct Quiet(Ends);
    impl Handler for Quiet {
        fn event(&mut self, reactor: &mut Reactor, event: Event) {
            self.0.settle(reactor, event);
        }
    }
    let mut reactor = Reactor::new().unwrap();
    let mut quiet = Quiet(Ends::new(&mut reactor));
    run(&mut reactor, &mut quiet, |quiet| quiet.0.established == 2);
    let keys: Vec<Key> = reactor.session_keys().collect();
    assert_eq!(keys, [quiet.0.client, quiet.0.server]);
    reactor.close_session(keys[0], "enough");
    while reactor.session_count() > 0 {
        reactor.turn(&mut quiet).unwrap();
    }
    assert_eq!(reactor.session_keys().next(), None);
}
