//! Sessions on the loop: started, commanded, read, flushed, ended.
//! Touches: links and engines.   Never: payload; `relay` moves that.
//! Invariants: what a command queues leaves in the turn; a session that is over is told once, after its streams are gone.
//! Errors: `Closed` in the session's last event.   Allocates: per session.
//! Proved by: `tests/relay.rs`.

use crate::link::Link;
use crate::low_water::LOOK_MS;
use crate::readiness::Readiness;
use crate::session::{Closed, Held, Session};
use crate::timer::Millis;
use crate::token::{Key, Kind};
use crate::{Event, Handler, Reactor, Timer};
use adit_engine::{Channel, Engine};
use std::io;

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

    /// Marks what a session sends from now on with a type of service (`IPQoS`).
    pub fn set_type_of_service(&self, session: Key, type_of_service: u8) {
        if let Some(session) = self.sessions.get(session) {
            session.link.set_type_of_service(type_of_service);
        }
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

    /// As [`Reactor::close_session`], but a link that is full may take `patience` milliseconds to drain.
    ///
    /// Until its [`Event::Closed`] nothing more is read from the link.
    pub fn close_session_within(&mut self, key: Key, description: &str, patience: Millis) {
        self.close_session(key, description);
        if let Some(session) = self.sessions.get_mut(key) {
            session.lingers = true;
            self.timers.set(self.now + patience, Timer::Goodbye(key));
        }
    }

    pub(crate) fn give_up_goodbye(&mut self, key: Key) {
        if let Some(session) = self.sessions.get_mut(key) {
            session.lingers = false;
            self.queue_flush(key);
        }
    }

    /// The sessions there are.
    pub fn session_keys(&self) -> impl Iterator<Item = Key> + '_ {
        self.sessions.keys()
    }

    /// How many sessions there are.
    pub fn session_count(&self) -> usize {
        self.sessions.len()
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

    pub(crate) fn send_later(&mut self, key: Key, channel: Channel, held: Held) {
        if let Some(session) = self.sessions.get_mut(key) {
            session.held.push_back((channel, held));
            self.queue_flush(key);
        }
    }

    pub(crate) fn queue_read(&mut self, key: Key) {
        if let Some(session) = self.sessions.get_mut(key) {
            if !std::mem::replace(&mut session.queued, true) {
                self.to_read.push_back(key);
            }
        }
    }

    pub(crate) fn queue_flush(&mut self, key: Key) {
        if let Some(session) = self.sessions.get_mut(key) {
            if !std::mem::replace(&mut session.dirty, true) {
                self.to_flush.push(key);
            }
        }
    }

    pub(crate) fn read_links(&mut self, handler: &mut dyn Handler) {
        for key in std::mem::take(&mut self.to_read) {
            if let Some(session) = self.sessions.get_mut(key) {
                session.queued = false;
                session.engine.set_now(self.now);
            }
            self.read_link(key, handler);
        }
    }

    /// Reads once, opens every complete packet in place, hands the events on.
    pub(crate) fn read_link(&mut self, key: Key, handler: &mut dyn Handler) {
        let Some(session) = self.sessions.get_mut(key).filter(|session| session.closed.is_none())
        else {
            return;
        };
        if std::mem::take(&mut session.resume) {
            self.open_packets(key, handler);
            return self.queue_read(key);
        }
        // Flushing puts it back on the list.
        if !session.ready.read || session.answers.are_too_many() {
            return;
        }
        match session.read(&mut self.pool) {
            Ok(None) => self.settle_low_water(key, 0, true),
            Ok(Some(0)) => session.closed = Some(Closed::EndOfStream),
            Ok(Some(count)) => {
                let alone = self.open_packets(key, handler);
                self.settle_low_water(key, count, alone);
            }
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

    /// A read is done: the mark below which the kernel keeps quiet goes where it belongs.
    fn settle_low_water(&mut self, key: Key, count: usize, alone: bool) {
        let Some(session) = self.sessions.get_mut(key) else { return };
        if let Some(mark) = session.low_water.read(count, alone, self.now) {
            session.link.set_low_water(mark);
        }
        if session.low_water.is_up() && !std::mem::replace(&mut session.low_water.watched, true) {
            self.timers.set(self.now + LOOK_MS, Timer::LowWater(key));
        }
    }

    /// There may be something to read that the kernel was asked to keep quiet about.
    pub(crate) fn look_below_mark(&mut self, key: Key) {
        let Some(session) = self.sessions.get_mut(key) else { return };
        session.low_water.watched = false;
        if session.low_water.is_up() {
            session.ready.read = true;
            self.queue_read(key);
        }
    }

    pub(crate) fn session_deadline(&mut self, key: Key, handler: &mut dyn Handler) {
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
    pub(crate) fn flush(&mut self, handler: &mut dyn Handler) {
        for key in std::mem::take(&mut self.to_flush) {
            let Some(session) = self.sessions.get_mut(key) else { continue };
            session.dirty = false;
            session.moved = true;
            if !std::mem::replace(&mut session.stirred, true) {
                self.stirred.push(key);
            }
            let held_back = session.answers.are_too_many();
            if let Err(error) = session.flush(&mut self.pool) {
                session.closed.get_or_insert(Closed::Link(error));
                session.lingers = false;
            }
            if let Some(at) = session.engine.next_deadline() {
                if session.timer.is_none_or(|set| at < set) {
                    session.timer = Some(at);
                    self.timers.set(at, Timer::Session(key));
                }
            }
            let listens_again = held_back && !session.answers.are_too_many();
            if session.tx.is_empty() {
                let waiting = std::mem::take(&mut session.waiting);
                self.resume_waiting(waiting);
            }
            if listens_again {
                self.queue_read(key);
            }
            self.end_if_closed(key, handler);
        }
    }

    /// Sessions that have not moved since the last look come to rest; all do when nothing has moved at all.
    pub(crate) fn rest_sessions(&mut self, all: bool) {
        for key in std::mem::take(&mut self.stirred) {
            let Some(session) = self.sessions.get_mut(key) else { continue };
            if std::mem::take(&mut session.moved) && !all {
                self.stirred.push(key);
            } else {
                session.rest();
            }
        }
    }

    /// A session that is over goes: at once, or when the goodbye is written, whichever the link allows.
    pub(crate) fn end_if_closed(&mut self, key: Key, handler: &mut dyn Handler) {
        if !self.sessions.get(key).is_some_and(Session::is_over) {
            return;
        }
        let Some(mut session) = self.sessions.remove(key) else { return };
        session.link.shutdown();
        let further = session.extended.iter().map(|(_, stream)| stream);
        let streams = session.streams.iter().flatten().map(|(_, stream)| stream);
        for stream in streams.chain(further) {
            self.orphan(*stream);
        }
        let closed = session.closed.take().unwrap_or(Closed::Here);
        let counters = session.engine.counters();
        // The socket closes here, before anybody is told.
        drop(session);
        self.reap(handler);
        handler.event(self, Event::Closed { session: key, closed, counters });
    }
}
