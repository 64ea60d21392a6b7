//! The loop's other sources: dials, listeners, timers, look-ups, dialogues.

use adit_reactor::{DialOptions, Event, Family, Handler, Key, Listener, Reactor, Socket};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

/// Notes every event.
#[derive(Default)]
struct Noted(Vec<Event>);

impl Handler for Noted {
    fn event(&mut self, _: &mut Reactor, event: Event) {
        self.0.push(event);
    }
}

/// The first event that `wanted` takes.
fn next<T>(reactor: &mut Reactor, mut wanted: impl FnMut(Event) -> Option<T>) -> T {
    let mut noted = Noted::default();
    loop {
        reactor.turn(&mut noted).unwrap();
        if let Some(found) = noted.0.drain(..).find_map(&mut wanted) {
            return found;
        }
    }
}

fn dialled(event: Event) -> Option<Result<Key, (SocketAddr, String)>> {
    match event {
        Event::Dialled { result, .. } => {
            Some(result.map_err(|(at, error)| (at, error.to_string())))
        }
        _ => None,
    }
}

/// An address that refuses: its port was just given up.
fn refusing() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[test]
fn the_first_address_that_answers_wins() {
    let mut reactor = Reactor::new().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    reactor.dial(vec![refusing(), address], DialOptions::default());
    let stream = next(&mut reactor, dialled).unwrap();
    let socket = reactor.socket(stream).unwrap();
    assert_eq!(socket.peer_addr(), Some(address));
    assert_eq!(listener.accept().unwrap().1, socket.local_addr().unwrap());
}

#[test]
fn a_dial_that_nobody_answers_reports_the_last_address() {
    let mut reactor = Reactor::new().unwrap();
    let addresses = vec![refusing(), refusing()];
    let last = addresses[1];
    reactor.dial(addresses, DialOptions::default());
    let (address, error) = next(&mut reactor, dialled).unwrap_err();
    assert_eq!(address, last);
    assert!(error.contains("Connection refused"), "{error}");
}

#[test]
fn an_address_is_its_own_answer_in_the_same_turn_and_wakes_nobody() {
    struct Said(Vec<&'static str>);
    impl Handler for Said {
        fn event(&mut self, reactor: &mut Reactor, event: Event) {
            self.0.push(match event {
                Event::Timer(_) => {
                    reactor.look_up("127.0.0.1", 22, Family::Any);
                    "asked"
                }
                Event::Resolved { found: Ok(_), .. } => "resolved",
                _ => "something else",
            });
        }
    }
    let (mut reactor, mut said) = (Reactor::new().unwrap(), Said(Vec::new()));
    reactor.look_up("127.0.0.1", 22, Family::Any);
    reactor.turn(&mut said).unwrap();
    reactor.set_timer(reactor.now(), 1);
    // What is asked for after the turn's answers were given does not wait for the kernel either.
    reactor.turn(&mut said).unwrap();
    reactor.turn(&mut said).unwrap();
    assert_eq!(said.0, ["resolved", "asked", "resolved"]);
}

#[test]
fn attempts_that_lost_are_gone() {
    let mut reactor = Reactor::new().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addresses = vec![refusing(), refusing(), listener.local_addr().unwrap()];
    reactor.dial(addresses, DialOptions::default());
    let stream = next(&mut reactor, dialled).unwrap();
    assert_eq!(reactor.stream_count(), 1);
    let dial = reactor.dial(vec![listener.local_addr().unwrap()], DialOptions::default());
    reactor.hang_up(dial);
    reactor.finish(stream);
    next(&mut reactor, |event| matches!(event, Event::StreamGone { .. }).then_some(()));
    assert_eq!(reactor.stream_count(), 0);
}

#[test]
fn a_dialogue_is_read_answered_and_finished() {
    let mut reactor = Reactor::new().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    reactor.listen(Listener::tcp(listener).unwrap()).unwrap();
    let program = thread::spawn(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(b"question").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    });
    let stream = next(&mut reactor, |event| match event {
        Event::Accepted { stream, .. } => Some(stream),
        _ => None,
    });
    reactor.converse(stream);
    let bytes = next(&mut reactor, |event| match event {
        Event::Received { bytes, .. } => Some(bytes),
        _ => None,
    });
    assert_eq!(bytes, b"question");
    reactor.reply(stream, b"answer");
    reactor.finish(stream);
    next(&mut reactor, |event| matches!(event, Event::StreamGone { .. }).then_some(()));
    assert_eq!(program.join().unwrap(), "answer");
}

#[test]
fn a_client_that_says_nothing_is_closed() {
    let mut reactor = Reactor::new().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    reactor.listen(Listener::tcp(listener).unwrap()).unwrap();
    let mut program = TcpStream::connect(address).unwrap();
    let stream = next(&mut reactor, |event| match event {
        Event::Accepted { stream, .. } => Some(stream),
        _ => None,
    });
    reactor.converse(stream);
    reactor.close_if_silent(stream, 1);
    next(&mut reactor, |event| matches!(event, Event::StreamGone { .. }).then_some(()));
    assert_eq!(program.read(&mut [0]).unwrap(), 0);
}

/// The next connection that was accepted.
fn accepted(event: Event) -> Option<Key> {
    match event {
        Event::Accepted { stream, .. } => Some(stream),
        _ => None,
    }
}

#[test]
fn an_accepted_connection_can_be_handed_to_another_loop() {
    let mut front = Reactor::new().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    front.listen(Listener::tcp(listener).unwrap()).unwrap();
    let mut program = TcpStream::connect(address).unwrap();
    let stream = next(&mut front, accepted);
    let socket = front.release(stream).unwrap();
    assert!(front.release(stream).is_none(), "it is gone");
    assert_eq!(front.stream_count(), 0);

    let mut worker = Reactor::new().unwrap();
    let stream = worker.add_socket(socket).unwrap();
    worker.converse(stream);
    program.write_all(b"question").unwrap();
    let bytes = next(&mut worker, |event| match event {
        Event::Received { bytes, .. } => Some(bytes),
        _ => None,
    });
    assert_eq!(bytes, b"question");
}

#[test]
fn a_socket_of_the_standard_library_can_be_taken_in() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut program = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (theirs, _) = listener.accept().unwrap();
    let mut reactor = Reactor::new().unwrap();
    let stream = reactor.add_socket(Socket::tcp(theirs).unwrap()).unwrap();
    reactor.reply(stream, b"hello");
    reactor.finish(stream);
    next(&mut reactor, |event| matches!(event, Event::StreamGone { .. }).then_some(()));
    let mut heard = String::new();
    program.read_to_string(&mut heard).unwrap();
    assert_eq!(heard, "hello");
}

#[test]
fn timers_and_look_ups_come_back_with_their_names() {
    let mut reactor = Reactor::new().unwrap();
    reactor.set_timer(reactor.now() + 1, 42);
    assert_eq!(
        next(&mut reactor, |event| match event {
            Event::Timer(id) => Some(id),
            _ => None,
        }),
        42
    );
    let asked = reactor.look_up("localhost", 22, Family::V4);
    let (answered, found) = next(&mut reactor, |event| match event {
        Event::Resolved { lookup, found } => Some((lookup, found)),
        _ => None,
    });
    assert_eq!((answered, found), (asked, Ok(vec!["127.0.0.1:22".parse().unwrap()])));
}
