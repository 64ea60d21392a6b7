//! Name look-up off the loop: the system's resolver may take its time.
//! Touches: a few threads while there are names to look up, a channel back, the waker.   Never: the loop's sources.
//! Invariants: every look-up is answered once; an address needs no thread; names beyond the threads wait their turn.
//! Errors: the resolver's own text.   Allocates: per look-up.
//! Proved by: `tests` below.

use mio::Waker;
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Names the look-up in its answer.
pub type LookupId = u64;

/// Which addresses are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Family {
    /// Both.
    #[default]
    Any,
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
}

impl Family {
    /// Whether an address is of the wanted family.
    pub const fn takes(self, address: IpAddr) -> bool {
        match self {
            Self::Any => true,
            Self::V4 => address.is_ipv4(),
            Self::V6 => address.is_ipv6(),
        }
    }
}

/// The addresses found, or the resolver's words.
pub type Found = Result<Vec<SocketAddr>, String>;

/// getaddrinfo loads whatever name services the host has configured; a small host's default would do, its limit may not.
const STACK: usize = 256 * 1024;

/// Look-ups at a time: names that nobody answers for must not take a thread each.
const MAX_THREADS: usize = 16;

/// Who answers for a name; may block.
pub type LookUp = dyn Fn(&str, u16, Family) -> Found + Send + Sync;

/// Runs look-ups and collects their answers.
pub(crate) struct Resolver {
    desk: Arc<Desk>,
    /// Asked on the helper threads.
    look_up: Arc<LookUp>,
    answers: Receiver<(LookupId, Found)>,
    /// Answers that needed no thread; they wake nobody.
    pub(crate) known: VecDeque<(LookupId, Found)>,
    next: LookupId,
}

/// What the threads share.
struct Desk {
    waker: Arc<Waker>,
    sender: Sender<(LookupId, Found)>,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Question>,
    /// Threads that are alive; each ends when nothing waits.
    threads: usize,
}

struct Question {
    look_up: Arc<LookUp>,
    id: LookupId,
    host: String,
    port: u16,
    family: Family,
}

impl Resolver {
    pub(crate) fn new(waker: Arc<Waker>) -> Self {
        let (sender, answers) = channel();
        let desk = Desk { waker, sender, queue: Mutex::default() };
        let desk = Arc::new(desk);
        Self { desk, look_up: Arc::new(by_name), answers, known: VecDeque::new(), next: 0 }
    }

    /// Has somebody else asked from now on.
    pub(crate) fn ask_of(&mut self, look_up: Arc<LookUp>) {
        self.look_up = look_up;
    }

    /// Starts a look-up; its answer is there already, or comes with the waker.
    pub(crate) fn look_up(&mut self, host: &str, port: u16, family: Family) -> LookupId {
        self.next += 1;
        let id = self.next;
        match host.parse::<IpAddr>() {
            Ok(address) => self.known.push_back((id, numeric(address, port, family))),
            Err(_) => {
                let look_up = self.look_up.clone();
                self.ask(Question { look_up, id, host: host.to_owned(), port, family });
            }
        }
        id
    }

    /// Leaves a question to the threads, one more of which is started while there are few.
    fn ask(&self, question: Question) {
        let id = question.id;
        let mut queue = self.desk.queue();
        queue.waiting.push_back(question);
        if queue.threads == MAX_THREADS {
            return;
        }
        let desk = self.desk.clone();
        let thread = thread::Builder::new().name("resolve".into()).stack_size(STACK);
        match thread.spawn(move || desk.serve()) {
            Ok(_) => queue.threads += 1,
            // Whoever is there will come to it.
            Err(_) if queue.threads > 0 => {}
            Err(error) => {
                queue.waiting.pop_back();
                self.desk.tell(id, Err(error.to_string()));
            }
        }
    }

    pub(crate) fn answer(&mut self) -> Option<(LookupId, Found)> {
        self.known.pop_front().or_else(|| self.answers.try_recv().ok())
    }
}

impl Desk {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers questions until none waits.
    fn serve(&self) {
        while let Some(Question { look_up, id, host, port, family }) = self.next() {
            self.tell(id, look_up(&host, port, family));
        }
    }

    fn next(&self) -> Option<Question> {
        let mut queue = self.queue();
        let question = queue.waiting.pop_front();
        queue.threads -= usize::from(question.is_none());
        question
    }

    fn tell(&self, id: LookupId, found: Found) {
        // Nobody listens any more when the loop is gone; then there is nobody to tell.
        let _ = self.sender.send((id, found));
        let _ = self.waker.wake();
    }
}

fn numeric(address: IpAddr, port: u16, family: Family) -> Found {
    if family.takes(address) {
        Ok(vec![SocketAddr::new(address, port)])
    } else {
        Err("Address family for hostname not supported".into())
    }
}

/// Asks the system's resolver. Blocks.
pub fn by_name(host: &str, port: u16, family: Family) -> Found {
    let found =
        (host, port).to_socket_addrs().map_err(|error| resolver_words(&error.to_string()))?;
    let mut wanted: Vec<SocketAddr> = Vec::new();
    for address in found.filter(|address| family.takes(address.ip())) {
        if !wanted.contains(&address) {
            wanted.push(address);
        }
    }
    if wanted.is_empty() { Err("No address associated with hostname".into()) } else { Ok(wanted) }
}

/// The C library's text without what the standard library puts before it.
fn resolver_words(error: &str) -> String {
    error.strip_prefix("failed to lookup address information: ").unwrap_or(error).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use mio::{Events, Poll, Token};

    fn answers(host: &str, family: Family) -> Found {
        let mut poll = Poll::new().unwrap();
        let mut resolver = Resolver::new(Arc::new(Waker::new(poll.registry(), Token(0)).unwrap()));
        let id = resolver.look_up(host, 22, family);
        let mut events = Events::with_capacity(1);
        loop {
            if let Some((answered, found)) = resolver.answer() {
                assert_eq!(answered, id);
                return found;
            }
            poll.poll(&mut events, None).unwrap();
        }
    }

    #[test]
    fn an_address_is_its_own_answer() {
        assert_eq!(answers("127.0.0.1", Family::Any), Ok(vec!["127.0.0.1:22".parse().unwrap()]));
        assert_eq!(answers("::1", Family::V6), Ok(vec!["[::1]:22".parse().unwrap()]));
        assert!(answers("::1", Family::V4).is_err());
    }

    #[test]
    fn a_name_is_looked_up_off_the_loop() {
        let found = answers("localhost", Family::V4).unwrap();
        assert_eq!(found, ["127.0.0.1:22".parse().unwrap()]);
    }

    #[test]
    fn names_are_asked_of_whoever_is_named_for_it_and_addresses_of_nobody() {
        let mut poll = Poll::new().unwrap();
        let mut resolver = Resolver::new(Arc::new(Waker::new(poll.registry(), Token(0)).unwrap()));
        resolver.ask_of(Arc::new(|host, port, _| Err(format!("{host}:{port}?"))));
        resolver.look_up("localhost", 22, Family::Any);
        let mut events = Events::with_capacity(1);
        let found = loop {
            if let Some((_, found)) = resolver.answer() {
                break found;
            }
            poll.poll(&mut events, None).unwrap();
        };
        assert_eq!(found, Err("localhost:22?".to_owned()));
        resolver.look_up("127.0.0.1", 22, Family::Any);
        assert_eq!(resolver.answer().unwrap().1, Ok(vec!["127.0.0.1:22".parse().unwrap()]));
    }

    #[test]
    fn more_names_than_threads_are_all_answered_and_the_threads_end() {
        let mut poll = Poll::new().unwrap();
        let mut resolver = Resolver::new(Arc::new(Waker::new(poll.registry(), Token(0)).unwrap()));
        let mut asked: Vec<_> = (0..4 * MAX_THREADS as u16)
            .map(|port| resolver.look_up("localhost", port, Family::V4))
            .collect();
        assert!(resolver.desk.queue().threads <= MAX_THREADS);
        let mut events = Events::with_capacity(1);
        while !asked.is_empty() {
            while let Some((answered, _)) = resolver.answer() {
                asked.retain(|id| *id != answered);
            }
            if !asked.is_empty() {
                poll.poll(&mut events, None).unwrap();
            }
        }
        while resolver.desk.queue().threads > 0 {
            thread::yield_now();
        }
    }

    #[test]
    fn what_the_resolver_says_is_passed_on_bare() {
        let words = "failed to lookup address information: Name or service not known";
        assert_eq!(resolver_words(words), "Name or service not known");
    }
}
