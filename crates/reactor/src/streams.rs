//! Streams on the loop: taken in, told what for, ended.
//! Touches: sockets at the local end of channels.   Never: payload; `relay` moves that.
//! Invariants: a stream goes when both its halves are done, and its channel with it.
//! Errors: a stream's error comes with its last event.   Allocates: per stream.
//! Proved by: `tests/relay.rs`, `tests/sources.rs`.

use crate::readiness::Readiness;
use crate::socket::Socket;
use crate::stream::{Bound, Inbound, Outbound, Stream};
use crate::timer::Millis;
use crate::token::{Key, Kind};
use crate::{Event, Handler, Reactor, Timer};
use adit_engine::Channel;
use std::io;

/// Streams.
impl Reactor {
    pub(crate) fn add_stream(&mut self, mut socket: Socket, inbound: Inbound) -> io::Result<Key> {
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

    pub(crate) fn queue_fill(&mut self, key: Key) {
        if let Some(stream) = self.streams.get_mut(key) {
            if !std::mem::replace(&mut stream.queued, true) {
                self.to_fill.push_back(key);
            }
        }
    }

    /// Streams whose halves are done go; the channel is closed with them.
    pub(crate) fn reap(&mut self, handler: &mut dyn Handler) {
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
