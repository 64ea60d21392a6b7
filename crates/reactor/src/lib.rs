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
//! | dial     | `Dial`   | never                              | never; writable decides it     | connected, failed, or beaten |
//! | stream   | `Stream` | readable, window and output allow  | payload came, or spill is left | both halves are done         |
//!
//! One turn: `wait · accept · dial · read_links · fill_slots · tick · flush · reap`.

mod dial;
mod link;
mod readiness;
mod relay;
mod resolve;
mod session;
mod socket;
mod stream;
mod timer;
mod token;

pub use dial::DialOptions;
pub use link::Link;
pub use resolve::{Family, Found, LookupId, by_name};
pub use session::Closed;
pub use socket::{Listener, Pair, Socket};
pub use stream::Counts;
pub use timer::Millis;
pub use token::Key;

use crate::dial::{Attempt, Dial, STAGGER};
use crate::readiness::Readiness;
use crate::resolve::Resolver;
use crate::session::{Held, Session};
use crate::stream::{Bound, Inbound, Outbound, Stream};
use crate::timer::{Clock, Timers, until};
use crate::token::{Kind, Slab, unpack};
use adit_buf::{Pool, Span};
use adit_engine::{Channel, Engine};
use mio::net::UnixStream;
use mio::{Events, Interest, Poll, Token, Waker};
use std::collections::VecDeque;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::sync::Arc;

/// Size of the thread's large buffers. Each system call costs the kernel less per byte the more it moves.
const BATCH: usize = 1024 * 1024;

/// Room for the headers, padding and tags of a batch of full packets, and for control messages between them.
const BATCH_OVERHEAD: usize = 64 * 1024;

/// Most connections taken from one listener in a turn, so that a flood of them does not stop the data.
const ACCEPTS_PER_TURN: usize = 64;

/// How long a listener rests when the process is out of descriptors.
const OUT_OF_FILES: Millis = 100;

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
    },
    /// A listener has taken a connection; it is read once it is told what for.
    Accepted {
        /// Which listener.
        listener: Key,
        /// The new stream.
        stream: Key,
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
    Stagger(Key),
    Listener(Key),
    Silence(Key),
    Trim,
    User(u64),
}

struct Accepting {
    listener: Listener,
    ready: bool,
    queued: bool,
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
    attempts: Slab<Attempt>,
    /// Sources with work to do, in turn.
    to_accept: VecDeque<Key>,
    to_read: VecDeque<Key>,
    to_fill: VecDeque<Key>,
    to_flush: Vec<Key>,
    to_reap: Vec<Key>,
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
            attempts: Slab::new(),
            to_accept: VecDeque::new(),
            to_read: VecDeque::new(),
            to_fill: VecDeque::new(),
            to_flush: Vec::new(),
            to_reap: Vec::new(),
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
            && self.to_reap.is_empty());
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
        let Some((kind, key)) = unpack(event.token()) else { return };
        match kind {
            Kind::Waker => self.woken = true,
            Kind::Signal => self.signalled.push(event.token().0 - token_of(Kind::Signal).0),
            Kind::Dial => self.decided.push(key),
            Kind::Listener => {
                if let Some(accepting) = self.listeners.get_mut(key) {
                    accepting.ready = true;
                    self.queue_accept(key);
                }
            }
            Kind::Link => {
                if let Some(session) = self.sessions.get_mut(key) {
                    session.ready.note(event);
                    self.queue_read(key);
                    self.queue_flush(key);
                }
            }
            Kind::Stream => {
                if let Some(stream) = self.streams.get_mut(key) {
                    stream.ready.note(event);
                    self.queue_fill(key);
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
            while let Some((lookup, found)) = self.resolver.answer() {
                handler.event(self, Event::Resolved { lookup, found });
            }
            handler.event(self, Event::Woken);
        }
    }

    fn tick(&mut self, handler: &mut dyn Handler) {
        while let Some(timer) = self.timers.due(self.now) {
            match timer {
                Timer::Session(key) => self.session_deadline(key, handler),
                Timer::Stagger(key) => self.next_attempt(key, handler),
                Timer::Listener(key) => self.queue_accept(key),
                Timer::Silence(key) => self.close_if_in_dialogue(key),
                Timer::Trim => self.trim(),
                Timer::User(id) => handler.event(self, Event::Timer(id)),
            }
        }
    }

    /// Nothing has moved for a while: the large buffers go back to the system.
    fn trim(&mut self) {
        match self.trim_at.take() {
            Some(at) if at > self.now => self.set_trim(at),
            _ => self.pool.trim(),
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

/// Listeners.
impl Reactor {
    /// Accepts connections; an [`Event::Accepted`] follows for each.
    ///
    /// # Errors
    /// When the system will not watch it.
    pub fn listen(&mut self, mut listener: Listener) -> io::Result<Key> {
        let registry = self.poll.registry();
        let mut result = Ok(());
        let key = self.listeners.insert_with(|key| {
            result = listener.register(registry, key.token(Kind::Listener));
            Accepting { listener, ready: false, queued: false }
        });
        if let Err(error) = result {
            self.listeners.remove(key);
            return Err(error);
        }
        Ok(key)
    }

    /// Stops listening. Connections it has taken stay.
    pub fn unlisten(&mut self, listener: Key) {
        self.listeners.remove(listener);
    }

    /// The listener's socket.
    pub fn listener(&self, listener: Key) -> Option<&Listener> {
        self.listeners.get(listener).map(|accepting| &accepting.listener)
    }

    fn queue_accept(&mut self, key: Key) {
        if let Some(accepting) = self.listeners.get_mut(key) {
            if !std::mem::replace(&mut accepting.queued, true) {
                self.to_accept.push_back(key);
            }
        }
    }

    fn accept(&mut self, handler: &mut dyn Handler) {
        for key in std::mem::take(&mut self.to_accept) {
            if let Some(accepting) = self.listeners.get_mut(key) {
                accepting.queued = false;
            }
            self.accept_from(key, handler);
        }
    }

    fn accept_from(&mut self, key: Key, handler: &mut dyn Handler) {
        for _ in 0..ACCEPTS_PER_TURN {
            let Some(accepting) = self.listeners.get_mut(key).filter(|accepting| accepting.ready)
            else {
                return;
            };
            match accepting.listener.accept() {
                Ok(socket) => {
                    if let Ok(stream) = self.add_stream(socket, Inbound::Held) {
                        handler.event(self, Event::Accepted { listener: key, stream });
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    accepting.ready = false;
                    return;
                }
                // The connection went before it was taken; the next may be well.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                // Out of descriptors or memory: without a rest the loop would spin.
                Err(_) => {
                    self.timers.set(self.now + OUT_OF_FILES, Timer::Listener(key));
                    return;
                }
            }
        }
        self.queue_accept(key);
    }
}

/// Connections being made.
impl Reactor {
    /// Connects to the first address that answers; an [`Event::Dialled`] follows.
    pub fn dial(&mut self, addresses: Vec<SocketAddr>, options: DialOptions) -> Key {
        let key = self.dials.insert_with(|_| Dial::new(addresses, options));
        // The first attempt starts in this turn's or the next one's `tick`.
        self.timers.set(self.now, Timer::Stagger(key));
        key
    }

    /// Gives up a dial; no event follows.
    pub fn hang_up(&mut self, dial: Key) {
        if let Some(dial) = self.dials.remove(dial) {
            for attempt in dial.attempts {
                self.attempts.remove(attempt);
            }
        }
    }

    fn next_attempt(&mut self, key: Key, handler: &mut dyn Handler) {
        let Some(dial) = self.dials.get_mut(key) else { return };
        let Some(address) = dial.waiting.pop_front() else {
            return self.settle_if_hopeless(key, handler);
        };
        let registry = self.poll.registry();
        match dial::connect(address, &dial.options) {
            Ok(stream) => {
                let mut result = Ok(());
                let attempt = self.attempts.insert_with(|attempt| {
                    let mut stream = stream;
                    result = registry.register(
                        &mut stream,
                        attempt.token(Kind::Dial),
                        Interest::WRITABLE,
                    );
                    Attempt { dial: key, address, stream }
                });
                dial.attempts.push(attempt);
                self.timers.set(self.now + STAGGER, Timer::Stagger(key));
                if let Err(error) = result {
                    self.attempt_failed(attempt, error, handler);
                }
            }
            Err(error) => {
                dial.failure = Some((address, error));
                self.next_attempt(key, handler);
            }
        }
    }

    fn settle_dials(&mut self, handler: &mut dyn Handler) {
        for key in std::mem::take(&mut self.decided) {
            let Some(attempt) = self.attempts.get(key) else { continue };
            match attempt.stream.take_error() {
                Ok(None) => match attempt.stream.peer_addr() {
                    Ok(_) => self.attempt_won(key, handler),
                    // Not decided after all.
                    Err(error) if error.kind() == io::ErrorKind::NotConnected => {}
                    Err(error) => self.attempt_failed(key, error, handler),
                },
                Ok(Some(error)) | Err(error) => self.attempt_failed(key, error, handler),
            }
        }
    }

    fn attempt_won(&mut self, key: Key, handler: &mut dyn Handler) {
        let Some(mut attempt) = self.attempts.remove(key) else { return };
        let options =
            self.dials.get(attempt.dial).map(|dial| dial.options.clone()).unwrap_or_default();
        self.hang_up(attempt.dial);
        dial::set_type_of_service(&attempt.stream, &options);
        let _ = self.poll.registry().deregister(&mut attempt.stream);
        let result = self
            .add_stream(Socket::Tcp(attempt.stream), Inbound::Held)
            .map_err(|error| (attempt.address, error));
        handler.event(self, Event::Dialled { dial: attempt.dial, result });
    }

    fn attempt_failed(&mut self, key: Key, error: io::Error, handler: &mut dyn Handler) {
        let Some(attempt) = self.attempts.remove(key) else { return };
        let Some(dial) = self.dials.get_mut(attempt.dial) else { return };
        dial.attempts.retain(|other| *other != key);
        dial.failure = Some((attempt.address, error));
        self.next_attempt(attempt.dial, handler);
    }

    fn settle_if_hopeless(&mut self, key: Key, handler: &mut dyn Handler) {
        if !self.dials.get(key).is_some_and(Dial::is_hopeless) {
            return;
        }
        if let Some(Dial { failure: Some(failure), .. }) = self.dials.remove(key) {
            handler.event(self, Event::Dialled { dial: key, result: Err(failure) });
        }
    }
}

/// Sessions.
impl Reactor {
    /// Starts an SSH connection over a link.
    ///
    /// # Errors
    /// When the system will not watch the link.
    pub fn add_session(&mut self, mut link: Box<dyn Link>, engine: Engine) -> io::Result<Key> {
        let registry = self.poll.registry();
        let mut result = Ok(());
        let key = self.sessions.insert_with(|key| {
            let ready = match link.register(registry, key.token(Kind::Link)) {
                Ok(true) => Readiness::ALWAYS,
                Ok(false) => Readiness::default(),
                Err(error) => {
                    result = Err(error);
                    Readiness::default()
                }
            };
            let mut session = Session::new(engine, link, ready);
            session.engine.start(&mut session.tx);
            session
        });
        if let Err(error) = result {
            self.sessions.remove(key);
            return Err(error);
        }
        self.queue_read(key);
        self.queue_flush(key);
        Ok(key)
    }

    /// Starts an SSH connection over a stream that a dial gave.
    ///
    /// # Errors
    /// When the system will not watch the socket, or the stream is gone.
    pub fn add_session_over(&mut self, stream: Key, engine: Engine) -> io::Result<Key> {
        let Some(mut stream) = self.streams.remove(stream) else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        stream.socket.deregister(self.poll.registry());
        self.add_session(Box::new(stream.socket), engine)
    }

    /// The engine of a session, to be commanded; what it queues leaves in this turn.
    pub fn engine(&mut self, session: Key) -> Option<&mut Engine> {
        self.queue_flush(session);
        self.sessions.get_mut(session).map(|session| &mut session.engine)
    }

    /// Trusts the host key a session was shown, or does not.
    pub fn judge_host_key(&mut self, key: Key, trusted: bool) {
        if let Some(session) = self.sessions.get_mut(key) {
            if trusted {
                session.engine.accept_host_key(&mut session.tx);
            } else {
                session.engine.reject_host_key(&mut session.tx);
            }
            // What came behind the key may have been waiting in the buffer.
            session.resume = true;
            self.queue_read(key);
            self.queue_flush(key);
        }
    }

    /// Answers what a session's server login asked; an answer that ends the connection ends the session.
    pub fn answer_login(
        &mut self,
        key: Key,
        answer: impl FnOnce(
            &mut adit_engine::login_server::Server,
        ) -> Result<(), adit_engine::LoginViolation>,
    ) {
        if let Some(session) = self.sessions.get_mut(key) {
            if let Err(error) = session.engine.answer_login(&mut session.tx, answer) {
                session.closed.get_or_insert(Closed::Engine(error));
            }
            session.resume = true;
            self.queue_read(key);
            self.queue_flush(key);
        }
    }

    /// Says goodbye, and ends a session once that is written; an [`Event::Closed`] follows.
    pub fn close_session(&mut self, key: Key, description: &str) {
        if let Some(session) = self.sessions.get_mut(key) {
            session.engine.disconnect(description, &mut session.tx);
            session.closed.get_or_insert(Closed::Here);
            self.queue_flush(key);
        }
    }

    /// Sends bytes on a channel that has no stream, as soon as window and keys allow.
    pub fn send(&mut self, session: Key, channel: Channel, bytes: &[u8]) {
        self.send_later(session, channel, Held::Bytes(bytes.to_vec()));
    }

    /// Ends this side's data on a channel that has no stream, behind what was sent.
    pub fn send_eof(&mut self, session: Key, channel: Channel) {
        self.send_later(session, channel, Held::Eof);
    }

    /// Closes a channel that has no stream, behind what was sent.
    pub fn close_channel(&mut self, session: Key, channel: Channel) {
        self.send_later(session, channel, Held::Close);
    }

    fn send_later(&mut self, key: Key, channel: Channel, held: Held) {
        if let Some(session) = self.sessions.get_mut(key) {
            session.held.push_back((channel, held));
            self.queue_flush(key);
        }
    }

    fn queue_read(&mut self, key: Key) {
        if let Some(session) = self.sessions.get_mut(key) {
            if !std::mem::replace(&mut session.queued, true) {
                self.to_read.push_back(key);
            }
        }
    }

    fn queue_flush(&mut self, key: Key) {
        if let Some(session) = self.sessions.get_mut(key) {
            if !std::mem::replace(&mut session.dirty, true) {
                self.to_flush.push(key);
            }
        }
    }

    fn read_links(&mut self, handler: &mut dyn Handler) {
        for key in std::mem::take(&mut self.to_read) {
            if let Some(session) = self.sessions.get_mut(key) {
                session.queued = false;
                session.engine.set_now(self.now);
            }
            self.read_link(key, handler);
        }
    }

    /// Reads once, opens every complete packet in place, hands the events on.
    fn read_link(&mut self, key: Key, handler: &mut dyn Handler) {
        let Some(session) = self.sessions.get_mut(key).filter(|session| session.closed.is_none())
        else {
            return;
        };
        if std::mem::take(&mut session.resume) {
            self.open_packets(key, handler);
            return self.queue_read(key);
        }
        if !session.ready.read {
            return;
        }
        match session.read(&mut self.pool) {
            Ok(None) => {}
            Ok(Some(0)) => session.closed = Some(Closed::EndOfStream),
            Ok(Some(_)) => self.open_packets(key, handler),
            Err(error) => session.closed = Some(Closed::Link(error)),
        }
        if let Some(session) = self.sessions.get_mut(key) {
            session.return_rx(&mut self.pool);
            if session.ready.read && session.closed.is_none() {
                self.queue_read(key);
            }
        }
        self.queue_flush(key);
        self.set_trim_soon();
    }

    fn session_deadline(&mut self, key: Key, handler: &mut dyn Handler) {
        let Some(session) = self.sessions.get_mut(key) else { return };
        session.timer = None;
        session.engine.set_now(self.now);
        if let Err(error) = session.engine.handle_timeout(self.now, &mut session.tx) {
            session.closed.get_or_insert(Closed::Engine(error));
        }
        // Deadlines may have raised events without a byte having come.
        self.open_packets(key, handler);
        self.queue_flush(key);
    }

    /// One gathered write per link; then its next deadline, and its end if it has come.
    fn flush(&mut self, handler: &mut dyn Handler) {
        for key in std::mem::take(&mut self.to_flush) {
            let Some(session) = self.sessions.get_mut(key) else { continue };
            session.dirty = false;
            if let Err(error) = session.flush(&mut self.pool) {
                session.closed.get_or_insert(Closed::Link(error));
            }
            if let Some(at) = session.engine.next_deadline() {
                if session.timer.is_none_or(|set| at < set) {
                    session.timer = Some(at);
                    self.timers.set(at, Timer::Session(key));
                }
            }
            if session.tx.is_empty() {
                for stream in std::mem::take(&mut session.waiting) {
                    self.queue_fill(stream);
                }
            }
            self.end_if_closed(key, handler);
        }
    }

    /// A session that is over goes: at once, or when the goodbye is written, whichever the link allows.
    fn end_if_closed(&mut self, key: Key, handler: &mut dyn Handler) {
        if self.sessions.get(key).is_none_or(|session| session.closed.is_none()) {
            return;
        }
        let Some(mut session) = self.sessions.remove(key) else { return };
        session.link.shutdown();
        for stream in session.streams.iter().flatten() {
            self.orphan(*stream);
        }
        let closed = session.closed.take().unwrap_or(Closed::Here);
        // The socket closes here, before anybody is told.
        drop(session);
        self.reap(handler);
        handler.event(self, Event::Closed { session: key, closed });
    }
}

/// Streams.
impl Reactor {
    fn add_stream(&mut self, mut socket: Socket, inbound: Inbound) -> io::Result<Key> {
        let registry = self.poll.registry();
        let mut result = Ok(());
        let key = self.streams.insert_with(|key| {
            let ready = match socket.register(registry, key.token(Kind::Stream)) {
                Ok(true) => Readiness::ALWAYS,
                Ok(false) => Readiness::default(),
                Err(error) => {
                    result = Err(error);
                    Readiness::default()
                }
            };
            Stream::new(socket, ready, inbound)
        });
        if let Err(error) = result {
            self.streams.remove(key);
            return Err(error);
        }
        Ok(key)
    }

    /// Takes a connected socket in; it is read once it is told what for.
    ///
    /// # Errors
    /// When the system will not watch it.
    pub fn add_socket(&mut self, socket: Socket) -> io::Result<Key> {
        self.add_stream(socket, Inbound::Held)
    }

    /// The socket of a stream.
    pub fn socket(&self, stream: Key) -> Option<&Socket> {
        self.streams.get(stream).map(|stream| &stream.socket)
    }

    /// Hands what the stream reads to the handler, as [`Event::Received`], until it is told otherwise.
    pub fn converse(&mut self, stream: Key) {
        if let Some(state) = self.streams.get_mut(stream) {
            state.inbound = Inbound::Dialogue;
            self.queue_fill(stream);
        }
    }

    /// Reads no more of the stream for now.
    pub fn hold(&mut self, stream: Key) {
        if let Some(stream) = self.streams.get_mut(stream) {
            stream.inbound = Inbound::Held;
        }
    }

    /// Writes to a stream that is in dialogue.
    pub fn reply(&mut self, stream: Key, bytes: &[u8]) {
        if let Some(state) = self.streams.get_mut(stream) {
            state.spill.push(bytes);
            self.queue_fill(stream);
        }
    }

    /// Makes a stream the local end of a channel. `early` was read from it already and goes first.
    ///
    /// It is held until [`Reactor::flow`]; what comes over SSH is written from now on.
    pub fn relay(&mut self, stream: Key, session: Key, channel: Channel, early: Vec<u8>) {
        let (Some(state), Some(owner)) =
            (self.streams.get_mut(stream), self.sessions.get_mut(session))
        else {
            return;
        };
        state.inbound = Inbound::Held;
        state.early = early;
        state.bound = Some(Bound { session, channel });
        owner.set_stream(channel, Some(stream));
    }

    /// The channel is open: what the stream reads flows into it.
    pub fn flow(&mut self, stream: Key) {
        if let Some(state) = self.streams.get_mut(stream) {
            if state.inbound == Inbound::Held {
                state.inbound = Inbound::Flowing;
                self.queue_fill(stream);
            }
        }
    }

    /// Closes a stream in order: what is to be written still is, and nothing more is read.
    pub fn finish(&mut self, stream: Key) {
        if let Some(state) = self.streams.get_mut(stream) {
            state.inbound = Inbound::Ended;
            state.finish();
            self.queue_fill(stream);
        }
    }

    /// Nothing more will be written to the stream; it may still be read.
    pub fn end_of_input(&mut self, stream: Key) {
        if let Some(state) = self.streams.get_mut(stream) {
            state.finish();
            self.queue_fill(stream);
        }
    }

    /// Closes a stream that is still in dialogue after `patience` milliseconds.
    pub fn close_if_silent(&mut self, stream: Key, patience: Millis) {
        self.timers.set(self.now + patience, Timer::Silence(stream));
    }

    fn close_if_in_dialogue(&mut self, key: Key) {
        if self.streams.get(key).is_some_and(|stream| stream.inbound == Inbound::Dialogue) {
            self.finish(key);
        }
    }

    /// Cuts a stream off: its other end sees a reset, never an orderly end.
    pub fn cut(&mut self, stream: Key) {
        if let Some(state) = self.streams.get_mut(stream) {
            state.socket.abort();
            state.inbound = Inbound::Ended;
            state.outbound = Outbound::Broken;
            self.to_reap.push(stream);
        }
    }

    fn queue_fill(&mut self, key: Key) {
        if let Some(stream) = self.streams.get_mut(key) {
            if !std::mem::replace(&mut stream.queued, true) {
                self.to_fill.push_back(key);
            }
        }
    }

    /// Streams whose halves are done go; the channel is closed with them.
    fn reap(&mut self, handler: &mut dyn Handler) {
        for key in std::mem::take(&mut self.to_reap) {
            if !self.streams.get(key).is_some_and(Stream::is_done) {
                continue;
            }
            let Some(mut stream) = self.streams.remove(key) else { continue };
            stream.socket.deregister(self.poll.registry());
            if let Some(Bound { session, channel }) = stream.bound {
                if let Some(owner) = self.sessions.get_mut(session) {
                    if owner.stream_of(channel) == Some(key) {
                        owner.set_stream(channel, None);
                        owner.engine.close(channel);
                    }
                }
                self.queue_flush(session);
            }
            handler.event(
                self,
                Event::StreamGone { stream: key, counts: stream.counts, error: stream.error },
            );
        }
    }

    /// How many streams there are.
    pub fn stream_count(&self) -> usize {
        self.streams.len()
    }
}

/// The token of the first source of a kind; signals count on from it.
fn token_of(kind: Kind) -> Token {
    let mut slab = Slab::new();
    slab.insert_with(|_| ()).token(kind)
}
