//! The relay: payload from links to streams and from streams into packets, without a copy of it in between.
//! Touches: sessions, streams, the thread's buffers.   Never: what a channel is for.
//! Invariants: what the kernel took is what counts as delivered; a stream that may not send costs nothing until it may.
//! Errors: a stream's own error ends the stream, never the session.   Allocates: only what a full kernel leaves over.
//! Proved by: the loop's tests, `docs/DATA_PATH.md` walks through it.

use crate::session::{Closed, SPARSE, Session};
use crate::stream::{Bound, End, Inbound, MAX_SLICES, Outbound, Stream, uninterrupted};
use crate::token::Key;
use crate::{BATCH, Event, Handler, Reactor};
use adit_buf::Span;
use adit_engine::{Blocked, Channel};
use std::io::{self, IoSliceMut};

/// What a stream may read in a turn at least, however many want to read too: a few full packets.
const LEAST_SHARE: usize = 64 * 1024;

/// Read at a time from a stream in dialogue: a request, not bulk.
const DIALOGUE: usize = 4096;

/// Payload opened for one stream, to leave in one `writev`.
#[derive(Default)]
struct Gather {
    channel: Option<Channel>,
    spans: Vec<Span>,
}

/// From SSH to the streams.
impl Reactor {
    /// Opens every complete packet that was received, in place, and hands on what it says.
    ///
    /// Gives whether all of it was data of one channel.
    pub(crate) fn open_packets(&mut self, key: Key, handler: &mut dyn Handler) -> bool {
        let mut gather = Gather { channel: None, spans: std::mem::take(&mut self.spans) };
        let before = self.sessions.get(key).map_or(0, |session| session.tx.pending_len());
        let (mut first, mut alone) = (None, true);
        while let Some(session) =
            self.sessions.get_mut(key).filter(|session| session.closed.is_none())
        {
            match session.engine.next_event(&mut session.rx, &mut session.tx) {
                Ok(Some(adit_engine::Event::Data { channel, span })) => {
                    if gather.channel != Some(channel) || gather.spans.len() == MAX_SLICES {
                        self.deliver(key, &mut gather, handler);
                        gather.channel = Some(channel);
                    }
                    gather.spans.push(span);
                    alone &= *first.get_or_insert(channel) == channel;
                }
                Ok(Some(event)) => {
                    alone = false;
                    self.deliver(key, &mut gather, handler);
                    self.dispatch(key, event, handler);
                }
                Ok(None) => break,
                Err(error) => {
                    session.closed = Some(Closed::Engine(error));
                    break;
                }
            }
        }
        self.deliver(key, &mut gather, handler);
        self.spans = gather.spans;
        if let Some(session) = self.sessions.get_mut(key) {
            session.answers.caused(before, session.tx.pending_len());
        }
        alone
    }

    /// Writes gathered payload to its stream, behind what was spilled.
    fn deliver(&mut self, key: Key, gather: &mut Gather, handler: &mut dyn Handler) {
        let (Some(channel), Some(session)) = (gather.channel.take(), self.sessions.get_mut(key))
        else {
            return;
        };
        let rx = &session.rx;
        let payload = gather.spans.iter().map(|span| rx.bytes(*span));
        let stream_key = session.stream_of(channel);
        match stream_key.and_then(|stream| self.streams.get_mut(stream)) {
            Some(stream) => {
                let left = stream.write_through(payload, self.now);
                session.engine.delivered(channel, left);
                let again = stream.outbound == Outbound::Broken || stream.can_drain();
                if let (true, Some(stream)) = (again, stream_key) {
                    self.queue_fill(stream);
                }
            }
            None => {
                let bytes = payload.flatten().copied().collect::<Vec<u8>>();
                session.engine.delivered(channel, bytes.len());
                handler.event(self, Event::Data { session: key, channel, extended: None, bytes });
            }
        }
        gather.spans.clear();
    }

    /// Does what an event means for streams, and tells the handler.
    fn dispatch(&mut self, key: Key, event: adit_engine::Event, handler: &mut dyn Handler) {
        use adit_engine::Event as Ssh;
        match event {
            Ssh::ExtendedData { channel, data_type_code, span } => {
                let Some(session) = self.sessions.get_mut(key) else { return };
                let bytes = session.rx.bytes(span).to_vec();
                session.engine.delivered(channel, bytes.len());
                let extended = Some(data_type_code);
                handler.event(self, Event::Data { session: key, channel, extended, bytes });
            }
            Ssh::WindowAdjusted { channel } => {
                self.with_stream(key, channel, Self::queue_fill);
                self.with_extended(key, channel, Self::queue_fill);
            }
            Ssh::Eof { channel } => {
                self.with_stream(key, channel, |reactor, stream| {
                    if let Some(stream) = reactor.streams.get_mut(stream) {
                        stream.finish();
                    }
                    reactor.queue_fill(stream);
                });
                handler.event(self, Event::Ssh { session: key, event: Ssh::Eof { channel } });
            }
            Ssh::Closed { channel, .. } => {
                handler.event(self, Event::Ssh { session: key, event });
                self.wind_up(key, channel);
            }
            Ssh::Opened { channel, .. } => {
                handler.event(self, Event::Ssh { session: key, event });
                self.with_stream(key, channel, Self::flow);
            }
            Ssh::OpenFailed { channel, .. } => {
                handler.event(self, Event::Ssh { session: key, event });
                self.unbind(key, channel);
            }
            event => handler.event(self, Event::Ssh { session: key, event }),
        }
    }

    /// The local end of a channel, if it has one.
    pub fn stream_of(&self, session: Key, channel: Channel) -> Option<Key> {
        self.sessions.get(session)?.stream_of(channel)
    }

    fn with_stream(&mut self, session: Key, channel: Channel, act: impl FnOnce(&mut Self, Key)) {
        if let Some(stream) = self.stream_of(session, channel) {
            act(self, stream);
        }
    }

    fn with_extended(
        &mut self,
        session: Key,
        channel: Channel,
        mut act: impl FnMut(&mut Self, Key),
    ) {
        let Some(owner) = self.sessions.get(session) else { return };
        let ends: Vec<Key> = owner
            .extended
            .iter()
            .filter(|(other, _)| *other == channel)
            .map(|(_, stream)| *stream)
            .collect();
        for stream in ends {
            act(self, stream);
        }
    }

    /// The peer has closed the channel: our side of it closes once its stream is written out.
    fn wind_up(&mut self, key: Key, channel: Channel) {
        match self.stream_of(key, channel) {
            Some(stream) if self.is_whole(stream) => self.finish(stream),
            // The owner of several ends has been told, and ends them.
            Some(_) => {}
            None if self
                .sessions
                .get_mut(key)
                .is_some_and(|it| it.kept.take() == Some(channel)) => {}
            None => {
                if let Some(engine) = self.engine(key) {
                    engine.close(channel);
                }
            }
        }
    }

    /// Answering a peer's CLOSE: the owner has a last word for the channel, and closes it afterwards.
    pub fn keep_channel(&mut self, session: Key, channel: Channel) {
        if let Some(session) = self.sessions.get_mut(session) {
            session.kept = Some(channel);
        }
    }

    fn is_whole(&self, stream: Key) -> bool {
        let bound = self.streams.get(stream).and_then(|stream| stream.bound);
        bound.is_some_and(|bound| bound.end == End::Whole)
    }

    /// The channel never came to be: its stream is closed in order.
    fn unbind(&mut self, key: Key, channel: Channel) {
        let Some(stream) = self.stream_of(key, channel) else { return };
        if let Some(session) = self.sessions.get_mut(key) {
            session.set_stream(channel, None);
        }
        if let Some(state) = self.streams.get_mut(stream) {
            state.bound = None;
        }
        self.finish(stream);
    }

    /// The session is gone: a stream whose end had come is still written out, any other is cut off.
    pub(crate) fn orphan(&mut self, key: Key) {
        let Some(stream) = self.streams.get_mut(key) else { return };
        stream.bound = None;
        if matches!(stream.outbound, Outbound::Finishing | Outbound::Shut) {
            stream.inbound = Inbound::Ended;
            self.reap_if_done(key);
        } else {
            self.cut(key);
        }
    }
}

/// From the streams into packets.
impl Reactor {
    pub(crate) fn fill_slots(&mut self, handler: &mut dyn Handler) {
        let turn = std::mem::take(&mut self.to_fill);
        let share = (BATCH / turn.len().max(1)).max(LEAST_SHARE);
        for key in turn {
            let Some(stream) = self.streams.get_mut(key) else { continue };
            stream.queued = false;
            self.drain_spill(key);
            match self.streams.get(key).map(|stream| stream.inbound) {
                Some(Inbound::Dialogue) => self.read_dialogue(key, handler),
                Some(Inbound::Flowing) => {
                    if let Some(event) = self.fill(key, share) {
                        handler.event(self, event);
                    }
                }
                _ => {}
            }
            self.reap_if_done(key);
        }
    }

    /// Writes what an earlier turn had to leave.
    fn drain_spill(&mut self, key: Key) {
        let Some(stream) = self.streams.get_mut(key) else { return };
        let left = stream.write_through(std::iter::empty(), self.now);
        let again = stream.can_drain();
        if let (Some(Bound { session, channel, .. }), true) = (stream.bound, left > 0) {
            if let Some(owner) = self.sessions.get_mut(session) {
                owner.engine.set_now(self.now);
                owner.engine.delivered(channel, left);
            }
            self.queue_flush(session);
        }
        if again {
            self.queue_fill(key);
        }
    }

    fn read_dialogue(&mut self, key: Key, handler: &mut dyn Handler) {
        let Some(stream) = self.streams.get_mut(key).filter(|stream| stream.ready.read) else {
            return;
        };
        let mut bytes = vec![0; DIALOGUE];
        match uninterrupted(|| stream.socket.readv(&mut [IoSliceMut::new(&mut bytes)])) {
            Ok(count) => {
                stream.ready.was_read(count, DIALOGUE);
                bytes.truncate(count);
                if count == 0 {
                    stream.inbound = Inbound::Held;
                }
                handler.event(self, Event::Received { stream: key, bytes });
                self.queue_if_readable(key);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => stream.ready.read_blocked(),
            Err(error) => self.break_off(key, error),
        }
    }

    /// Reads straight into packets, as much as the window, the output and the stream's share allow.
    ///
    /// Gives what the owner of a stream that is not a channel's only end is to be told.
    fn fill(&mut self, key: Key, share: usize) -> Option<Event> {
        let stream = self.streams.get_mut(key)?;
        let bound = stream.bound?;
        let owner = self.sessions.get_mut(bound.session)?;
        if !stream.has_input() {
            return None;
        }
        let share = match owner.room_for(stream, share) {
            0 => {
                owner.wait(key, stream);
                return None;
            }
            share => share,
        };
        if owner.tx.room() < share.min(BATCH) {
            owner.tx.lend(self.pool.take());
        }
        let mut told = None;
        match fill_once(owner, stream, bound, share) {
            Ok(Filled::Some) => {
                stream.active_at = self.now;
                self.queue_if_readable(key);
            }
            Ok(Filled::Nothing) if std::mem::take(&mut stream.draining) => {
                told = Some(Event::Drained { stream: key });
            }
            Ok(Filled::Nothing) => {}
            Ok(Filled::End) => {
                stream.inbound = Inbound::Ended;
                match bound.end {
                    End::Whole => owner.engine.send_eof(bound.channel),
                    End::Part { .. } => told = Some(Event::InputEnded { stream: key }),
                }
            }
            Ok(Filled::Blocked(Blocked::Window)) => {}
            Ok(Filled::Blocked(Blocked::Rekeying | Blocked::OutputFull)) => owner.wait(key, stream),
            Ok(Filled::Blocked(_)) => stream.inbound = Inbound::Ended,
            Err(error) => self.break_off(key, error),
        }
        self.queue_flush(bound.session);
        self.set_trim_soon();
        told
    }

    fn queue_if_readable(&mut self, key: Key) {
        if self.streams.get(key).is_some_and(Stream::has_input) {
            self.queue_fill(key);
        }
    }

    /// The socket died: the channel is closed without an EOF, so that the far end can tell.
    fn break_off(&mut self, key: Key, error: io::Error) {
        if let Some(stream) = self.streams.get_mut(key) {
            stream.inbound = Inbound::Ended;
            stream.broken(error);
            self.to_reap.push(key);
        }
    }
}

enum Filled {
    Some,
    Nothing,
    End,
    Blocked(Blocked),
}

/// One `readv` into the bodies of as many packets as may be sent, sealed where they stand.
fn fill_once(
    owner: &mut Session,
    stream: &mut Stream,
    Bound { channel, end, .. }: Bound,
    share: usize,
) -> io::Result<Filled> {
    let tx = &mut owner.tx;
    let reserved = match end {
        End::Part { extended: Some(code) } => {
            owner.engine.reserve_extended(channel, code, share, tx)
        }
        _ => owner.engine.reserve(channel, share, tx),
    };
    let mut batch = match reserved {
        Ok(batch) => batch,
        Err(blocked) => return Ok(Filled::Blocked(blocked)),
    };
    let mut slices: [IoSliceMut<'_>; MAX_SLICES] =
        std::array::from_fn(|_| IoSliceMut::new(&mut []));
    let (mut count, mut wanted) = (0, 0);
    for (slice, body) in slices.iter_mut().zip(batch.bodies()) {
        wanted += body.len();
        *slice = IoSliceMut::new(body);
        count += 1;
    }
    let slices = &mut slices[..count];
    if !stream.early.is_empty() {
        let taken = take_early(&mut stream.early, slices);
        batch.commit(taken);
        return Ok(Filled::Some);
    }
    match uninterrupted(|| stream.socket.readv(slices)) {
        Ok(0) => Ok(Filled::End),
        Ok(read) => {
            batch.commit(read);
            stream.counts.read += read as u64;
            stream.ready.was_read(read, wanted);
            stream.sparse = read < wanted.min(SPARSE);
            Ok(Filled::Some)
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            stream.ready.read_blocked();
            Ok(Filled::Nothing)
        }
        Err(error) => Err(error),
    }
}

/// Moves bytes that were read in the dialogue into the first packets.
fn take_early(early: &mut Vec<u8>, slices: &mut [IoSliceMut<'_>]) -> usize {
    let mut taken = 0;
    for slice in slices {
        let count = slice.len().min(early.len() - taken);
        slice[..count].copy_from_slice(&early[taken..taken + count]);
        taken += count;
    }
    early.drain(..taken);
    taken
}
