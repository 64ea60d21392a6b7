//! Name look-up off the loop: the system's resolver may take its time.
//! Touches: a thread per look-up, a channel back, the waker.   Never: the loop's sources.
//! Invariants: every look-up is answered once; an address needs no thread.
//! Errors: the resolver's own text.   Allocates: per look-up.
//! Proved by: `tests` below.

use mio::Waker;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
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

/// Runs look-ups and collects their answers.
#[derive(Debug)]
pub(crate) struct Resolver {
    waker: Arc<Waker>,
    sender: Sender<(LookupId, Found)>,
    answers: Receiver<(LookupId, Found)>,
    next: LookupId,
}

impl Resolver {
    pub(crate) fn new(waker: Arc<Waker>) -> Self {
        let (sender, answers) = channel();
        Self { waker, sender, answers, next: 0 }
    }

    /// Starts a look-up; its answer comes with the waker.
    pub(crate) fn look_up(&mut self, host: &str, port: u16, family: Family) -> LookupId {
        self.next += 1;
        let id = self.next;
        if let Ok(address) = host.parse::<IpAddr>() {
            self.tell(id, numeric(address, port, family));
        } else {
            let (sender, waker, host) = (self.sender.clone(), self.waker.clone(), host.to_owned());
            let spawned =
                thread::Builder::new().name("resolve".into()).stack_size(STACK).spawn(move || {
                    // Nobody listens any more when the loop is gone; then there is nobody to tell.
                    let _ = sender.send((id, by_name(&host, port, family)));
                    let _ = waker.wake();
                });
            if let Err(error) = spawned {
                self.tell(id, Err(error.to_string()));
            }
        }
        id
    }

    fn tell(&self, id: LookupId, found: Found) {
        let _ = self.sender.send((id, found));
        let _ = self.waker.wake();
    }

    pub(crate) fn answer(&mut self) -> Option<(LookupId, Found)> {
        self.answers.try_recv().ok()
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
    fn what_the_resolver_says_is_passed_on_bare() {
        let words = "failed to lookup address information: Name or service not known";
        assert_eq!(resolver_words(words), "Name or service not known");
    }
}
