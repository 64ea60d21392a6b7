//! The loop with both ends of an SSH connection on it: what programs at either side of a channel see.

mod both;

use adit_engine::{Channel, Event as Ssh, Open};
use adit_reactor::{Closed, Event, Handler, Key, Reactor, Socket};
use both::{Ends, beside, pattern, run};
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

/// Both sides on one loop. Each channel the client opens ends in a socket pair at either side.
struct Both {
    ends: Ends,
    /// What the server's next channels end in.
    targets: Vec<UnixStream>,
    opened: Vec<Channel>,
    closed: Vec<String>,
    gone: usize,
    drained: Vec<Key>,
    ended: Vec<Key>,
}

impl Both {
    fn new(reactor: &mut Reactor) -> Self {
        let ends = Ends::new(reactor);
        let mut both = Self {
            ends,
            targets: Vec::new(),
            opened: Vec::new(),
            closed: Vec::new(),
            gone: 0,
            drained: Vec::new(),
            ended: Vec::new(),
        };
        run(reactor, &mut both, |both| both.ends.established == 2);
        both
    }

    /// A channel, and the sockets of the two programs at its ends.
    fn channel(&mut self, reactor: &mut Reactor) -> (UnixStream, UnixStream) {
        let (ours, near) = UnixStream::pair().unwrap();
        let (far, theirs) = UnixStream::pair().unwrap();
        self.targets.push(far);
        let stream = reactor.add_socket(Socket::unix(near).unwrap()).unwrap();
        let open = Open::direct_tcpip("db", 5432, "127.0.0.1", 40_000);
        let channel = reactor.engine(self.ends.client).unwrap().open(&open).unwrap();
        reactor.relay(stream, self.ends.client, channel, Vec::new());
        run(reactor, self, |both| both.opened.contains(&channel));
        (ours, theirs)
    }
}

impl Handler for Both {
    fn event(&mut self, reactor: &mut Reactor, event: Event) {
        match self.ends.settle(reactor, event) {
            Some(Event::Ssh { session, event: Ssh::Open { channel, .. } }) => {
                let target = self.targets.pop().unwrap();
                reactor.engine(session).unwrap().accept(channel);
                let stream = reactor.add_socket(Socket::unix(target).unwrap()).unwrap();
                reactor.relay(stream, session, channel, Vec::new());
                reactor.flow(stream);
            }
            Some(Event::Ssh { session, event: Ssh::Opened { channel } })
                if session == self.ends.client =>
            {
                self.opened.push(channel);
            }
            Some(Event::Closed { closed, .. }) => self.closed.push(format!("{closed:?}")),
            Some(Event::StreamGone { .. }) => self.gone += 1,
            Some(Event::Drained { stream }) => self.drained.push(stream),
            Some(Event::InputEnded { stream }) => self.ended.push(stream),
            _ => {}
        }
    }
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
    run(&mut reactor, &mut both, |both| both.gone == 2);
    assert_eq!(reactor.stream_count(), 0);
    let (client, server) = (both.ends.client, both.ends.server);
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

/// Channels whose far programs write all the time and whose near ones take all there is.
struct Transfers {
    channels: Vec<(UnixStream, UnixStream)>,
    taken: Vec<usize>,
    bytes: Vec<u8>,
}

impl Transfers {
    fn start(reactor: &mut Reactor, both: &mut Both, count: usize) -> Self {
        let channel = |_| {
            let (ours, theirs) = both.channel(reactor);
            ours.set_nonblocking(true).unwrap();
            theirs.set_nonblocking(true).unwrap();
            (ours, theirs)
        };
        let channels = (0..count).map(channel).collect();
        Self { channels, taken: vec![0; count], bytes: vec![7; 64 << 10] }
    }

    fn go_on(&mut self) {
        for ((ours, theirs), taken) in self.channels.iter_mut().zip(&mut self.taken) {
            while theirs.write(&self.bytes).is_ok() {}
            while let Ok(count) = ours.read(&mut self.bytes) {
                *taken += count;
            }
        }
    }

    fn sum(&self) -> usize {
        self.taken.iter().sum()
    }
}

#[test]
fn streams_that_wait_for_a_full_link_come_before_those_that_were_served() {
    const ENOUGH: usize = 64 << 20;
    let mut reactor = Reactor::new().unwrap();
    let mut both = Both::new(&mut reactor);
    let mut transfers = Transfers::start(&mut reactor, &mut both, 24);
    while transfers.sum() < ENOUGH {
        transfers.go_on();
        reactor.turn(&mut both).unwrap();
    }
    let least = *transfers.taken.iter().min().unwrap();
    assert!(least * 24 * 2 > ENOUGH, "{:?}", transfers.taken);
}

#[test]
fn a_key_press_waits_for_what_is_on_its_way_not_for_every_transfers_turn() {
    let mut reactor = Reactor::new().unwrap();
    let mut both = Both::new(&mut reactor);
    let (mut near, mut far) = both.channel(&mut reactor);
    near.set_nonblocking(true).unwrap();
    let mut transfers = Transfers::start(&mut reactor, &mut both, 24);
    let mut waits = Vec::new();
    while waits.len() < 40 {
        far.write_all(b"k").unwrap();
        let before = transfers.sum();
        while near.read(&mut [0]).is_err() {
            transfers.go_on();
            reactor.turn(&mut both).unwrap();
        }
        waits.push(transfers.sum() - before);
    }
    waits.sort_unstable();
    assert!(waits[20] <= 3 << 19, "{waits:?}");
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
    reactor.close_session(both.ends.client, "enough");
    run(&mut reactor, &mut both, |both| both.closed.len() == 2);
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
    let channel = reactor.engine(both.ends.client).unwrap().open(&open).unwrap();
    run(reactor, both, |both| both.opened.contains(&channel));
    let stream = reactor.add_socket(socket).unwrap();
    reactor.attach(stream, both.ends.client, channel);
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
    run(&mut reactor, &mut both, |both| both.drained == [stream]);
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
    run(&mut reactor, &mut both, |both| both.ended == [stream]);
    assert_eq!(both.drained.len(), 1);
}
