//! Streams on the loop: taken in, told what for, ended.
//! Touches: sockets at the local end of channels.   Never: payload; `relay` moves that.
//! Invariants: a stream goes when both its halves are done, and its channel with it.
//! Errors: a stream's error comes with its last event.   Allocates: per stream.
//! Proved by: `tests/relay.rs`, `tests/sources.rs`.

use crate::readiness::Readiness;
use crate::session::Session;
use crate::socket::Socket;
use crate::stream::{Bound, Counts, End, Inbound, Outbound, Stream};
use crate::timer::Millis;
use crate::token::{Key, Kind};
use crate::{Event, Handler, Reactor, Timer};
use adit_engine::Channel;
use std::io;

/// Streams.
impl Reactor {
    pub(crate) fn add_stream(&mut self, mut socket: Socket, inbound: Inbound) -> io::Result<Key> {
        let (registry, now) = (self.poll.registry(), self.now);
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
            Stream::new(socket, ready, inbound, now)
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

    /// Takes a stream that is no channel's off the loop, to be handed to another one; no event follows.
    pub fn release(&mut self, stream: Key) -> Option<Socket> {
        self.streams.get(stream).filter(|state| state.bound.is_none())?;
        let mut state = self.streams.remove(stream)?;
        state.socket.deregister(self.poll.registry());
        Some(state.socket)
    }

    /// When payload last came from the stream's socket or went to it; when it was added, if none has yet.
    pub fn idle_since(&self, stream: Key) -> Option<Millis> {
        self.streams.get(stream).map(|state| state.active_at)
    }

    /// Brings the socket of a stream that was taken in as [`Socket::Awaited`]: what waited for it is written.
    ///
    /// # Errors
    /// When the system will not watch it; the stream goes on waiting.
    pub fn bring(&mut self, stream: Key, mut socket: Socket) -> io::Result<()> {
        let Some(state) = self.streams.get_mut(stream) else { return Ok(()) };
        if socket.register(self.poll.registry(), stream.token(Kind::Stream))? {
            state.ready = Readiness::ALWAYS;
        }
        if state.outbound == Outbound::Shut {
            socket.shutdown_write()?;
        }
        state.socket = socket;
        self.queue_fill(stream);
        Ok(())
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
    /// It is held until [`Reactor::flow`]; what comes over SSH is written from now on. If the session is gone the
    /// stream is cut off.
    pub fn relay(&mut self, stream: Key, session: Key, channel: Channel, early: Vec<u8>) {
        let Some((state, owner)) = self.both_ends(stream, session) else { return };
        state.inbound = Inbound::Held;
        state.early = early;
        state.bound = Some(Bound { session, channel, end: End::Whole });
        owner.set_stream(channel, Some(stream));
    }

    /// A stream and the session it is to belong to; without the session the stream is cut off.
    fn both_ends(&mut self, stream: Key, session: Key) -> Option<(&mut Stream, &mut Session)> {
        if self.sessions.get(session).is_none() {
            self.cut(stream);
            return None;
        }
        self.streams.get_mut(stream).zip(self.sessions.get_mut(session))
    }

    /// Makes a stream one of several local ends of an open channel: the input and output of a command.
    ///
    /// Payload flows at once, and EOF from SSH ends the stream's writing half. What the stream's own end means is the
    /// owner's to say: it gets [`Event::InputEnded`], calls [`Reactor::send_eof`] once all that is read has ended, and
    /// [`Reactor::close_channel`]. When the peer closes the channel it cuts or finishes the streams and closes the
    /// channel too. A read that fails ends the stream without `InputEnded`: [`Event::StreamGone`] brings the error.
    /// If the session is gone the stream is cut off.
    pub fn attach(&mut self, stream: Key, session: Key, channel: Channel) {
        if let Some((state, owner)) = self.both_ends(stream, session) {
            state.attach(Bound { session, channel, end: End::Part { extended: None } });
            owner.set_stream(channel, Some(stream));
            self.queue_fill(stream);
        }
    }

    /// As [`Reactor::attach`], for a stream that is only read: what comes is sent as data of this type. RFC 4254 §5.2.
    pub fn attach_extended(
        &mut self,
        stream: Key,
        session: Key,
        channel: Channel,
        data_type_code: u32,
    ) {
        if let Some((state, owner)) = self.both_ends(stream, session) {
            let extended = Some(data_type_code);
            state.attach(Bound { session, channel, end: End::Part { extended } });
            owner.extended.push((channel, stream));
            self.end_of_input(stream);
        }
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

    /// Tells when what the stream's other end has written so far is read: [`Event::Drained`] follows, or
    /// [`Event::InputEnded`] if nothing more can come.
    pub fn drain(&mut self, stream: Key) {
        if let Some(state) = self.streams.get_mut(stream) {
            state.draining = true;
            self.queue_fill(stream);
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

    pub(crate) fn close_if_in_dialogue(&mut self, key: Key) {
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

    /// A stream that took less than its share last time goes first: it is about a key press, not a transfer.
    pub(crate) fn queue_fill(&mut self, key: Key) {
        if let Some(stream) = self.streams.get_mut(key) {
            if !std::mem::replace(&mut stream.queued, true) {
                match stream.sparse {
                    true => self.to_fill.push_front(key),
                    false => self.to_fill.push_back(key),
                }
            }
        }
    }

    /// The output is empty again: who waited for that comes before those who have been served meanwhile, in order.
    pub(crate) fn resume_waiting(&mut self, waiting: Vec<Key>) {
        for key in waiting.into_iter().rev() {
            let Some(stream) = self.streams.get_mut(key) else { continue };
            stream.waiting = false;
            if !std::mem::replace(&mut stream.queued, true) {
                self.to_fill.push_front(key);
            }
        }
    }

    pub(crate) fn reap_if_done(&mut self, key: Key) {
        if self.streams.get(key).is_some_and(Stream::is_done) {
            self.to_reap.push(key);
        }
    }

    /// Streams whose halves are done go; the channel is closed with them.
    pub(crate) fn reap(&mut self, handler: &mut dyn Handler) {
        for key in std::mem::take(&mut self.to_reap) {
            if !self.streams.get(key).is_some_and(Stream::is_done) {
                continue;
            }
            let Some(mut stream) = self.streams.remove(key) else { continue };
            if matches!(stream.socket, Socket::Pair(_)) {
                // Others may have the same descriptors; what is ours alone the kernel forgets as it closes.
                stream.socket.deregister(self.poll.registry());
            }
            if let Some(bound) = stream.bound {
                self.detach(key, bound);
            }
            handler.event(
                self,
                Event::StreamGone { stream: key, counts: stream.counts, error: stream.error },
            );
        }
    }

    /// A stream is gone: its channel goes with it, if it was all there was at this end.
    fn detach(&mut self, key: Key, Bound { session, channel, end }: Bound) {
        let Some(owner) = self.sessions.get_mut(session) else { return };
        owner.extended.retain(|(_, stream)| *stream != key);
        if owner.stream_of(channel) == Some(key) {
            owner.set_stream(channel, None);
            if end == End::Whole {
                owner.engine.close(channel);
            }
        }
        self.queue_flush(session);
    }

    /// What a stream has carried so far.
    pub fn counts(&self, stream: Key) -> Option<Counts> {
        self.streams.get(stream).map(|stream| stream.counts)
    }

    /// How many streams there are.
    pub fn stream_count(&self) -> usize {
        self.streams.len()
    }
}
