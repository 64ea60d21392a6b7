//! A listener in a process that is out of descriptors. The limit is the process's, so this test has one to itself.

use adit_reactor::{Event, Handler, Key, Listener, Reactor};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;

#[derive(Default)]
struct Heard {
    accepted: Vec<Key>,
    failures: Vec<(Key, String)>,
    timers: Vec<u64>,
}

impl Handler for Heard {
    fn event(&mut self, _: &mut Reactor, event: Event) {
        match event {
            Event::Accepted { stream, .. } => self.accepted.push(stream),
            Event::AcceptFailed { listener, error } => {
                self.failures.push((listener, error.to_string()));
            }
            Event::Timer(id) => self.timers.push(id),
            _ => {}
        }
    }
}

fn limit_files(soft: Option<u64>) {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: soft, maximum }).unwrap();
}

#[test]
fn out_of_descriptors_a_listener_rests_says_so_once_and_takes_everybody_later() {
    let mut reactor = Reactor::new().unwrap();
    let mut heard = Heard::default();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let key = reactor.listen(Listener::tcp(listener).unwrap()).unwrap();
    let before = getrlimit(Resource::Nofile).current;
    for burst in 1..=2 {
        let programs: Vec<_> = (0..3).map(|_| TcpStream::connect(address).unwrap()).collect();
        // The next descriptor would be one more than the highest there is.
        let highest = programs.iter().map(AsRawFd::as_raw_fd).max().unwrap();
        limit_files(Some(highest as u64 + 1));
        reactor.set_timer(reactor.now() + 350, burst);
        let mut turns = 0;
        while !heard.timers.contains(&burst) {
            reactor.turn(&mut heard).unwrap();
            turns += 1;
        }
        assert!(turns < 30, "{turns} turns: the loop spins");
        assert_eq!(heard.failures.len(), burst as usize, "{:?}", heard.failures);
        assert_eq!(heard.failures[0].0, key);
        assert!(heard.failures[0].1.contains("open files"), "{:?}", heard.failures);
        limit_files(before);
        while heard.accepted.len() < 3 {
            reactor.turn(&mut heard).unwrap();
        }
        for stream in heard.accepted.drain(..) {
            assert!(reactor.release(stream).is_some());
        }
    }
}
