//! The loop with both ends of an SSH connection on it: what programs at either side of a channel see.

use adit_engine::{Channel, Engine, Event as Ssh, Open};
use adit_reactor::{Closed, Event, Handler, Key, Reactor, Socket};
use adit_testkit::keys::{client_config, client_transport, server_config, server_transport};
use adit_testkit::{FixedRng, Manners};
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Both sides on one loop. Each channel the client opens ends in a socket pair at either side.
struct Both {
    client: Key,
    server: Key,
    manners: [Manners; 2],
    /// What the server's next channels end in.
    targets: Vec<UnixStream>,
    established: usize,
    opened: Vec<Channel>,
    closed: Vec<String>,
    gone: usize,
    drained: Vec<Key>,
    ended: Vec<Key>,
}

impl Both {
    fn new(reactor: &mut Reactor) -> Self {
        let (near, far) = UnixStream::pair().unwrap();
        let client =
            Engine::client(client_config(client_transport()), Box::new(FixedRng::new(1)), 0);
        let server =
            Engine::server(server_config(server_transport()), Box::new(FixedRng::new(2)), 0);
        let link = |stream| Box::new(Socket::unix(stream).unwrap());
        let client = reactor.add_session(link(near), client).unwrap();
        let server = reactor.add_session(link(far), server).unwrap();
        let manners = [Manners::default(), Manners::default()];
        let mut both = Self {
            client,
            server,
            manners,
            targets: Vec::new(),
            established: 0,
            opened: Vec::new(),
            closed: Vec::new(),
            gone: 0,
            drained: Vec::new(),
            ended: Vec::new(),
        };
        both.run(reactor, |both| both.established == 2);
        both
    }

    fn run(&mut self, reactor: &mut Reactor, mut until: impl FnMut(&Self) -> bool) {
        while !until(self) {
            reactor.turn(self).unwrap();
        }
    }

    /// A channel, and the sockets of the two programs at its ends.
    fn channel(&mut self, reactor: &mut Reactor) -> (UnixStream, UnixStream) {
        let (ours, near) = UnixStream::pair().unwrap();
        let (far, theirs) = UnixStream::pair().unwrap();
        self.targets.push(far);
        let stream = reactor.add_socket(Socket::unix(near).unwrap()).unwrap();
        let open = Open::direct_tcpip("db", 5432, "127.0.0.1", 40_000);
        let channel = reactor.engine(self.client).unwrap().open(&open).unwrap();
        reactor.relay(stream, self.client, channel, Vec::new());
        self.run(reactor, |both| both.opened.contains(&channel));
        (ours, theirs)
    }
}

impl Handler for Both {
    fn event(&mut self, reactor: &mut Reactor, event: Event) {
        match event {
            Event::Ssh { session, event: Ssh::HostKey } => reactor.judge_host_key(session, true),
            Event::Ssh { session, event: Ssh::Login(ask) } => {
                let login = reactor.engine(session).and_then(Engine::login).unwrap();
                self.manners[0].answer(&ask, login);
            }
            Event::Ssh { session, event: Ssh::ServerLogin(ask) } => {
                let manners = &mut self.manners[1];
                reactor.answer_login(session, |login| manners.judge(&ask, login));
            }
            Event::Ssh { event: Ssh::Established, .. } => self.established += 1,
            Event::Ssh { session, event: Ssh::Open { channel, .. } } => {
                let target = self.targets.pop().unwrap();
                reactor.engine(session).unwrap().accept(channel);
                let stream = reactor.add_socket(Socket::unix(target).unwrap()).unwrap();
                reactor.relay(stream, session, channel, Vec::new());
                reactor.flow(stream);
            }
            Event::Ssh { session, event: Ssh::Opened { channel } } if session == self.client => {
                self.opened.push(channel);
            }
            Event::Closed { closed, .. } => self.closed.push(format!("{closed:?}")),
            Event::StreamGone { .. } => self.gone += 1,
            Event::Drained { stream } => self.drained.push(stream),
            Event::InputEnded { stream } => self.ended.push(stream),
            _ => {}
        }
    }
}

/// Runs `program` beside the loop until it is done.
fn beside<T: Send + 'static>(
    reactor: &mut Reactor,
    both: &mut Both,
    program: impl FnOnce() -> T + Send + 'static,
) -> T {
    let (done, result) = mpsc::channel();
    let waker = reactor.waker();
    thread::spawn(move || {
        done.send(program()).unwrap();
        waker.wake().unwrap();
    });
    loop {
        if let Ok(result) = result.try_recv() {
            return result;
        }
        reactor.turn(both).unwrap();
    }
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 31 + at / 251) as u8).collect()
}

#[test]
fn bytes_flow_both_ways_and_a_half_close_leaves_the_other_half_open() {
    let mut reactor = Reactor::new().unwrap();
    let mut both = Both::new(&mut reactor);
    let (mut ours, mut theirs) = both.channel(&mut reactor);
    let request = pattern(3_000_000);
    let sent = request.clone();
    let (received, answer) = beside(&mut reactor, &mut both, move || {
        let server = thread::spawn(move || {
            let mut received = Vec::new();
            theirs.read_to_end(&mut received).unwrap();
            // The request has ended; the answer begins only now.
            theirs.write_all(&received[..1_000_000]).unwrap();
            received
        });
        ours.write_all(&sent).unwrap();
        ours.shutdown(Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        ours.read_to_end(&mut answer).unwrap();
        (server.join().unwrap(), answer)
    });
    assert!(received == request, "{} of {} bytes", received.len(), request.len());
    assert!(answer == request[..1_000_000]);
    both.run(&mut reactor, |both| both.gone == 2);
    assert_eq!(reactor.stream_count(), 0);
    let (client, server) = (both.client, both.server);
    for session in [client, server] {
        while reactor.engine(session).unwrap().channels() > 0 {
            reactor.turn(&mut both).unwrap();
        }
    }
}

#[test]
fn a_program_that_does_not_read_holds_up_nobody_else_and_loses_nothing() {
    let mut reactor = Reactor::new().unwrap();
    let mut both = Both::new(&mut reactor);
    let (mut slow, mut source) = both.channel(&mut reactor);
    let (mut ours, mut theirs) = both.channel(&mut reactor);
    let payload = pattern(8 << 20);
    let expected = payload.clone();
    let filler = thread::spawn(move || {
        source.write_all(&payload).unwrap();
        source.shutdown(Shutdown::Write).unwrap();
    });
    // The other channel carries a whole exchange while the first is stuck.
    let echoed = beside(&mut reactor, &mut both, move || {
        let far = thread::spawn(move || {
            let mut received = Vec::new();
            theirs.read_to_end(&mut received).unwrap();
            theirs.write_all(&received).unwrap();
        });
        ours.write_all(&pattern(2_000_000)).unwrap();
        ours.shutdown(Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        ours.read_to_end(&mut answer).unwrap();
        far.join().unwrap();
        answer
    });
    assert!(echoed == pattern(2_000_000));
    let received = beside(&mut reactor, &mut both, move || {
        let mut received = Vec::new();
        slow.read_to_end(&mut received).unwrap();
        received
    });
    filler.join().unwrap();
    assert!(received == expected, "{} of {} bytes", received.len(), expected.len());
}

#[test]
fn a_program_that_dies_closes_its_channel_and_no_other() {
    let mut reactor = Reactor::new().unwrap();
    let mut both = Both::new(&mut reactor);
    let (ours, mut theirs) = both.channel(&mut reactor);
    let (mut other, mut its_peer) = both.channel(&mut reactor);
    drop(ours);
    let ended = beside(&mut reactor, &mut both, move || {
        let mut rest = Vec::new();
        theirs.read_to_end(&mut rest).unwrap();
        rest.len()
    });
    assert_eq!(ended, 0);
    let answer = beside(&mut reactor, &mut both, move || {
        other.write_all(b"still here").unwrap();
        let mut received = [0; 10];
        its_peer.read_exact(&mut received).unwrap();
        received
    });
    assert_eq!(&answer, b"still here");
}

#[test]
fn a_session_that_is_ended_tells_both_sides_and_ends_its_streams() {
    let mut reactor = Reactor::new().unwrap();
    let mut both = Both::new(&mut reactor);
    let (mut ours, _theirs) = both.channel(&mut reactor);
    reactor.close_session(both.client, "enough");
    both.run(&mut reactor, |both| both.closed.len() == 2);
    assert_eq!(both.closed[0], format!("{:?}", Closed::Here));
    assert!(both.closed[1].contains("Disconnected"), "{:?}", both.closed);
    assert_eq!(reactor.stream_count(), 0);
    ours.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let end = ours.read(&mut [0; 1]);
    assert!(
        matches!(&end, Ok(0)) || end.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset)
    );
}

/// The local end of a channel whose other end a program holds, attached and not whole.
fn attached(reactor: &mut Reactor, both: &mut Both, socket: Socket) -> (Key, UnixStream) {
    let (far, theirs) = UnixStream::pair().unwrap();
    both.targets.push(far);
    let open = Open::direct_tcpip("db", 5432, "127.0.0.1", 40_000);
    let channel = reactor.engine(both.client).unwrap().open(&open).unwrap();
    both.run(reactor, |both| both.opened.contains(&channel));
    let stream = reactor.add_socket(socket).unwrap();
    reactor.attach(stream, both.client, channel);
    (stream, theirs)
}

#[test]
fn what_comes_for_a_socket_that_is_not_there_yet_waits_for_it() {
    let mut reactor = Reactor::new().unwrap();
    let mut both = Both::new(&mut reactor);
    let (stream, mut theirs) = attached(&mut reactor, &mut both, Socket::Awaited);
    let payload = pattern(100_000);
    let sent = payload.clone();
    beside(&mut reactor, &mut both, move || {
        theirs.write_all(&sent).unwrap();
        theirs.shutdown(Shutdown::Write).unwrap();
        theirs
    });
    let (mut ours, near) = UnixStream::pair().unwrap();
    reactor.bring(stream, Socket::unix(near).unwrap()).unwrap();
    let received = beside(&mut reactor, &mut both, move || {
        let mut received = Vec::new();
        ours.read_to_end(&mut received).unwrap();
        received
    });
    assert!(received == payload, "{} of {} bytes", received.len(), payload.len());
}

#[test]
fn a_stream_says_when_what_was_written_to_it_is_read() {
    let mut reactor = Reactor::new().unwrap();
    let mut both = Both::new(&mut reactor);
    let (mut ours, near) = UnixStream::pair().unwrap();
    let (stream, mut theirs) = attached(&mut reactor, &mut both, Socket::unix(near).unwrap());
    ours.write_all(&pattern(100_000)).unwrap();
    reactor.drain(stream);
    both.run(&mut reactor, |both| both.drained == [stream]);
    // All of it is on its way, and the stream goes on.
    ours.write_all(b"more").unwrap();
    let received = beside(&mut reactor, &mut both, move || {
        let mut received = vec![0; 100_004];
        theirs.read_exact(&mut received).unwrap();
        received
    });
    assert!(received == [pattern(100_000), b"more".to_vec()].concat());
    reactor.drain(stream);
    drop(ours);
    both.run(&mut reactor, |both| both.ended == [stream]);
    assert_eq!(both.drained.len(), 1);
}
