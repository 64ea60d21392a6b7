//! The event loop: SSH links, listeners, connections being made and the local ends of channels on one `Poll`.
//! Touches: non-blocking descriptors, the monotonic clock.   Never: cipher names, policy, message parsing.
//! Invariants: readiness is sticky and cleared only by a call that could not go on; sources are registered once.
//! Errors: `io::Error` of the poll itself; a source's own errors become events.   Allocates: per source, not per packet.
//! Proved by: `tests` below, the interop tests.
//!
//! | source   | token    | read when                          | written when                   | gone when                    |
//! |----------|----------|------------------------------------|--------------------------------|------------------------------|
//! | waker    | `Waker`  | a look-up or a helper has finished | by them                        | with the loop                |
//! | signal   | `Signal` | a signal handler wrote a byte      | never                          | with the loop                |
//! | link     | `Link`   | readable                           | output is pending              | closed and output written    |
//! | listener | `Listener` | readable, unless out of files    | never                          | its owner drops it           |
//! | dial     | `Stream` | never                              | never; writable decides it     | connected, failed, or beaten |
//! | stream   | `Stream` | readable, window and output allow  | payload came, or spill is left | both halves are done         |
//!
//! One turn: `wait · accept · dial · read_links · fill_slots · tick · flush · reap`.

mod accept;
mod answers;
pub mod background;
mod dial;
mod link;
mod low_water;
mod readiness;
mod relay;
mod resolve;
mod session;
mod sessions;
pub mod signals;
mod socket;
mod stream;
mod streams;
mod timer;
mod token;

pub use dial::DialOptions;
pub use link::Link;
pub use mio::Waker;
pub use resolve::{Family, Found, LookUp, LookupId, by_name};
pub use session::Closed;
pub use socket::{Listener, Pair, Removal, Socket};
pub use stream::Counts;
pub use timer::Millis;
pub use token::Key;

use crate::accept::Accepting;
use crate::dial::{Attempt, Dial};
use crate::resolve::Resolver;
use crate::session::Session;
use crate::stream::{Inbound, Stream};
use crate::timer::{Clock, Timers, until};
use crate::token::{Kind, Slab, unpack};
use adit_buf::{Pool, Span};
use adit_engine::{Channel, Counters};
use mio::net::UnixStream;
use mio::{Events, Interest, Poll, Token};
use std::collections::{HashMap, VecDeque};
use std::io::{self, Read};
use std::net::SocketAddr;
use std::sync::Arc;

/// Size of the thread's large buffers. Each system call costs the kernel less per byte the more it moves.
const BATCH: usize = 1024 * 1024;

/// Room for the headers, padding and tags of a batch of full packets, and for control messages between them.
const BATCH_OVERHEAD: usize = 64 * 1024;

/// How long nothing must move before the large buffers are given back to the system.
const TRIM_AFTER: Millis = 1000;

/// Something the owner of the loop decides about.
#[derive(Debug)]
pub enum Event {
    /// The engine of a session has something to say. Payload of channels with a stream never shows up here.
    Ssh {
        /// Which session.
        session: Key,
        /// What its engine said.
        event: adit_engine::Event,
    },
    /// Payload for a channel that has no stream; it counts as delivered.
    Data {
        /// Which session.
        session: Key,
        /// Which channel.
        channel: Channel,
        /// `Some` for extended data: its type code.
        extended: Option<u32>,
        /// The payload.
        bytes: Vec<u8>,
    },
    /// A session is over. Its streams are gone.
    Closed {
        /// Which session.
        session: Key,
        /// How it ended.
        closed: Closed,
        /// What it carried.
        counters: Counters,
    },
    /// A listener has taken a connection; it is read once it is told what for.
    Accepted {
        /// Which listener.
        listener: Key,
        /// The new stream.
        stream: Key,
        /// Who connected, over TCP.
        from: Option<SocketAddr>,
    },
    /// A listener cannot take connections, for want of descriptors as a rule. It rests and tries again;
    /// this is said once, until it has taken one again.
    AcceptFailed {
        /// Which listener.
        listener: Key,
        /// Why.
        error: io::Error,
    },
    /// Bytes of a stream in dialogue. An empty piece is end of file.
    Received {
        /// Which stream.
        stream: Key,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// A dial is decided.
    Dialled {
        /// What [`Reactor::dial`] gave.
        dial: Key,
        /// The stream, or the last address and its error.
        result: Result<Key, (SocketAddr, io::Error)>,
    },
    /// A stream made an end of a channel by [`Reactor::attach`] has nothing more to read.
    InputEnded {
        /// Which stream.
        stream: Key,
    },
    /// A stream told to [`Reactor::drain`] has nothing to read at present, though it has not ended.
    Drained {
        /// Which stream.
        stream: Key,
    },
    /// A stream is gone.
    StreamGone {
        /// Which stream.
        stream: Key,
        /// What it carried.
        counts: Counts,
        /// What went wrong, if something did.
        error: Option<io::Error>,
    },
    /// A look-up is answered.
    Resolved {
        /// What [`Reactor::look_up`] gave.
        lookup: LookupId,
        /// The addresses, or the resolver's words.
        found: Found,
    },
    /// A timer set with [`Reactor::set_timer`] is due.
    Timer(u64),
    /// A signal registered with [`Reactor::add_signal`] came.
    Signal(usize),
    /// Another thread used the waker.
    Woken,
}

/// Whoever owns the loop.
pub trait Handler {
    /// Decides about one event; the loop may be commanded from within.
    fn event(&mut self, reactor: &mut Reactor, event: Event);
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Session(Key),
    Goodbye(Key),
    Stagger(Key),
    Patience(Key),
    Listener(Key),
    LowWater(Key),
    Silence(Key),
    Trim,
    User(u64),
}

/// The loop and all its sources.
pub struct Reactor {
    poll: Poll,
    polled: Events,
    clock: Clock,
    now: Millis,
    timers: Timers<Timer>,
    waker: Arc<Waker>,
    resolver: Resolver,
    signals: Vec<UnixStream>,
    sessions: Slab<Session>,
    listeners: Slab<Accepting>,
    streams: Slab<Stream>,
    dials: Slab<Dial>,
    attempts: HashMap<Key, Attempt>,
    /// Sources with work to do, in turn.
    to_accept: VecDeque<Key>,
    to_read: VecDeque<Key>,
    to_fill: VecDeque<Key>,
    to_flush: Vec<Key>,
    to_reap: Vec<Key>,
    /// Sessions that have been written to and not come to rest since.
    stirred: Vec<Key>,
    /// What the kernel reported of dials and signals.
    decided: Vec<Key>,
    signalled: Vec<usize>,
    woken: bool,
    /// The thread's large buffers.
    pool: Pool,
    trim_at: Option<Millis>,
    /// Kept between reads for `relay`, so that gathering allocates nothing.
    spans: Vec<Span>,
}

impl Reactor {
    /// A loop without sources.
    ///
    /// # Errors
    /// When the system gives no poll.
    pub fn new() -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), token_of(Kind::Waker))?);
        let clock = Clock::new();
        Ok(Self {
            polled: Events::with_capacity(256),
            now: clock.now(),
            clock,
            timers: Timers::new(),
            resolver: Resolver::new(waker.clone()),
            waker,
            poll,
            signals: Vec::new(),
            sessions: Slab::new(),
            listeners: Slab::new(),
            streams: Slab::new(),
            dials: Slab::new(),
            attempts: HashMap::new(),
            to_accept: VecDeque::new(),
            to_read: VecDeque::new(),
            to_fill: VecDeque::new(),
            to_flush: Vec::new(),
            to_reap: Vec::new(),
            stirred: Vec::new(),
            decided: Vec::new(),
            signalled: Vec::new(),
            woken: false,
            pool: Pool::new(BATCH + BATCH_OVERHEAD, 2),
            trim_at: None,
            spans: Vec::new(),
        })
    }

    /// One turn of the loop: sleeps until something is to be done, then does a bounded amount of it.
    ///
    /// # Errors
    /// When the poll itself fails.
    pub fn turn(&mut self, handler: &mut dyn Handler) -> io::Result<()> {
        self.wait()?;
        self.wake(handler);
        self.accept(handler);
        self.settle_dials(handler);
        self.read_links(handler);
        self.fill_slots(handler);
        self.tick(handler);
        self.flush(handler);
        self.reap(handler);
        Ok(())
    }

    /// Milliseconds since the loop started, as of this turn.
    pub const fn now(&self) -> Millis {
        self.now
    }

    /// Ends a sleep from another thread; an [`Event::Woken`] follows.
    pub fn waker(&self) -> Arc<Waker> {
        self.waker.clone()
    }

    /// Sleeps until readiness or the nearest deadline, and notes what is ready.
    fn wait(&mut self) -> io::Result<()> {
        let busy = !(self.to_accept.is_empty()
            && self.to_read.is_empty()
            && self.to_fill.is_empty()
            && self.to_flush.is_empty()
            && self.to_reap.is_empty()
            && self.resolver.known.is_empty());
        let deadline = if busy { Some(self.now) } else { self.timers.next() };
        let timeout = until(deadline, self.now);
        match self.poll.poll(&mut self.polled, timeout) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => self.now = self.clock.now(),
        }
        let polled = std::mem::replace(&mut self.polled, Events::with_capacity(0));
        for event in &polled {
            self.note(event);
        }
        self.polled = polled;
        Ok(())
    }

    /// Puts the source of an event on its run list. A stale token ends here.
    fn note(&mut self, event: &mio::event::Event) {
        let Some((kind, mark)) = unpack(event.token()) else { return };
        match kind {
            Kind::Waker => self.woken = true,
            Kind::Signal => self.signalled.push(event.token().0 - token_of(Kind::Signal).0),
            Kind::Listener => {
                if let Some((key, accepting)) = self.listeners.marked_mut(mark) {
                    accepting.ready = true;
                    self.queue_accept(key);
                }
            }
            Kind::Link => {
                if let Some((key, session)) = self.sessions.marked_mut(mark) {
                    session.ready.note(event);
                    self.queue_read(key);
                    self.queue_flush(key);
                }
            }
            Kind::Stream => {
                if let Some((key, stream)) = self.streams.marked_mut(mark) {
                    stream.ready.note(event);
                    match stream.inbound {
                        Inbound::Dialling => self.decided.push(key),
                        _ => self.queue_fill(key),
                    }
                }
            }
        }
    }

    fn wake(&mut self, handler: &mut dyn Handler) {
        for signal in std::mem::take(&mut self.signalled) {
            let mut bytes = [0; 64];
            while matches!(self.signals[signal].read(&mut bytes), Ok(count) if count > 0) {}
            handler.event(self, Event::Signal(signal));
        }
        if std::mem::take(&mut self.woken) {
            handler.event(self, Event::Woken);
        }
    }

    /// Look-ups that are answered, the dials these lead to, and whatever else is due.
    fn tick(&mut self, handler: &mut dyn Handler) {
        while let Some((lookup, found)) = self.resolver.answer() {
            handler.event(self, Event::Resolved { lookup, found });
        }
        while let Some(timer) = self.timers.due(self.now) {
            match timer {
                Timer::Session(key) => self.session_deadline(key, handler),
                Timer::Goodbye(key) => self.give_up_goodbye(key),
                Timer::Stagger(key) => self.next_attempt(key, handler),
                Timer::Patience(key) => self.lose_patience(key, handler),
                Timer::Listener(key) => self.rested(key),
                Timer::LowWater(key) => self.look_below_mark(key),
                Timer::Silence(key) => self.close_if_in_dialogue(key),
                Timer::Trim => self.trim(),
                Timer::User(id) => handler.event(self, Event::Timer(id)),
            }
        }
    }

    /// Where nothing has moved for a while memory is given back: a session's, and the large buffers.
    fn trim(&mut self) {
        let at = self.trim_at.take().filter(|at| *at > self.now);
        self.rest_sessions(at.is_none());
        match at {
            Some(at) => self.set_trim(at),
            None => self.pool.trim(),
        }
    }

    /// Buffers were used: they are kept for a while.
    fn set_trim_soon(&mut self) {
        self.set_trim(self.now + TRIM_AFTER);
    }

    fn set_trim(&mut self, at: Millis) {
        if self.trim_at.is_none() {
            self.timers.set(at, Timer::Trim);
        }
        self.trim_at = Some(at);
    }
}

/// Names, timers and signals.
impl Reactor {
    /// Looks a name up off the loop; an [`Event::Resolved`] follows.
    pub fn look_up(&mut self, host: &str, port: u16, family: Family) -> LookupId {
        self.resolver.look_up(host, port, family)
    }

    /// Has somebody else than the system's resolver asked for names from now on, on helper threads: for a process
    /// that cannot ask it.
    pub fn look_up_through(&mut self, look_up: Arc<LookUp>) {
        self.resolver.ask_of(look_up);
    }

    /// Sets a timer; an [`Event::Timer`] with its number follows.
    pub fn set_timer(&mut self, at: Millis, id: u64) {
        self.timers.set(at, Timer::User(id));
    }

    /// Watches the reading end of a signal handler's socket pair; gives the number of its [`Event::Signal`].
    ///
    /// # Errors
    /// When the system will not watch it.
    pub fn add_signal(&mut self, socket: std::os::unix::net::UnixStream) -> io::Result<usize> {
        socket.set_nonblocking(true)?;
        let mut socket = UnixStream::from_std(socket);
        let number = self.signals.len();
        let token = Token(token_of(Kind::Signal).0 + number);
        self.poll.registry().register(&mut socket, token, Interest::READABLE)?;
        self.signals.push(socket);
        Ok(number)
    }
}

/// The token of the first source of a kind; signals count on from it.
fn token_of(kind: Kind) -> Token {
    let mut slab = Slab::new();
    slab.insert_with(|_| ()).token(kind)
}
