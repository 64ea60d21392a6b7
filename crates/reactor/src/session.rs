//! A session: one SSH connection, its engine and the link under it.
//! Touches: the link, the engine, the buffers between them.   Never: what events mean.
//! Invariants: an idle session holds no large buffer; whatever the engine queued is flushed within the turn.
//! Errors: `Closed` tells how it ended.   Allocates: the stream table, as channels open.
//! Proved by: the loop's tests.

use crate::BATCH;
use crate::answers::Answers;
use crate::link::Link;
use crate::low_water::LowWater;
use crate::readiness::Readiness;
use crate::stream::{MAX_SLICES, Stream, uninterrupted};
use crate::timer::Millis;
use crate::token::Key;
use adit_buf::{Pool, RxBuf, TxRing};
use adit_engine::{Blocked, Channel, Engine};
use std::collections::VecDeque;
use std::io::{self, IoSlice};

/// How a session ended.
#[derive(Debug)]
pub enum Closed {
    /// The engine gave up or the peer disconnected.
    Engine(adit_engine::Error),
    /// The peer closed the link.
    EndOfStream,
    /// The system reported an error on the link.
    Link(io::Error),
    /// This side ended it.
    Here,
}

/// Something a channel without a stream is to send, in order.
#[derive(Debug)]
pub(crate) enum Held {
    Bytes(Vec<u8>),
    Eof,
    Close,
}

pub(crate) struct Session {
    pub(crate) engine: Engine,
    pub(crate) link: Box<dyn Link>,
    pub(crate) rx: RxBuf,
    pub(crate) tx: TxRing,
    pub(crate) ready: Readiness,
    pub(crate) low_water: LowWater,
    /// On the read list already.
    pub(crate) queued: bool,
    /// Packets may be waiting in the buffer though nothing new has come.
    pub(crate) resume: bool,
    /// The peer closed it, and its owner has something to say on it before we do.
    pub(crate) kept: Option<Channel>,
    /// On the flush list already.
    pub(crate) dirty: bool,
    /// Has been written to since it last rested, and since the last look.
    pub(crate) stirred: bool,
    pub(crate) moved: bool,
    /// What the peer has made us say and has not taken.
    pub(crate) answers: Answers,
    /// The local ends of its channels, by channel index. Numbers are used again while an end is still written out.
    pub(crate) streams: Vec<Option<(Channel, Key)>>,
    /// Further local ends, whose data has a type of its own.
    pub(crate) extended: Vec<(Channel, Key)>,
    /// Streams that have data but found the output full or the keys changing.
    pub(crate) waiting: Vec<Key>,
    /// What channels without a stream are to send.
    pub(crate) held: VecDeque<(Channel, Held)>,
    /// The earliest timer set for the engine's deadline.
    pub(crate) timer: Option<Millis>,
    /// Set once it is over; what is pending is still written.
    pub(crate) closed: Option<Closed>,
    /// Once it is over: whether what is pending may still take time to be written.
    pub(crate) lingers: bool,
}

/// A stream whose reads are shorter than this is not in the way of others.
pub(crate) const SPARSE: usize = 4096;

/// Of an incomplete packet, what may be moved for each read. No data packet of ours or OpenSSH's is as long.
const LONGEST_MOVED: usize = 64 * 1024;

/// Channel numbers are handed out from 0 and used again, so a table by number stays dense.
const fn index_of(channel: Channel) -> usize {
    channel.number().0 as usize
}

impl Session {
    pub(crate) fn new(engine: Engine, link: Box<dyn Link>, ready: Readiness) -> Self {
        Self {
            engine,
            link,
            rx: RxBuf::new(),
            tx: TxRing::new(),
            ready,
            low_water: LowWater::new(),
            queued: false,
            resume: false,
            kept: None,
            dirty: false,
            stirred: false,
            moved: false,
            answers: Answers::default(),
            streams: Vec::new(),
            extended: Vec::new(),
            waiting: Vec::new(),
            held: VecDeque::new(),
            timer: None,
            closed: None,
            lingers: false,
        }
    }

    /// Whether nothing keeps it: it has ended, and its goodbye is written or nobody waits for that.
    pub(crate) fn is_over(&self) -> bool {
        self.closed.is_some() && (self.tx.is_empty() || !self.lingers)
    }

    pub(crate) fn stream_of(&self, channel: Channel) -> Option<Key> {
        let (owner, stream) = self.streams.get(index_of(channel)).copied().flatten()?;
        (owner == channel).then_some(stream)
    }

    pub(crate) fn set_stream(&mut self, channel: Channel, stream: Option<Key>) {
        let index = index_of(channel);
        if self.streams.len() <= index {
            self.streams.resize(index + 1, None);
        }
        self.streams[index] = stream.map(|stream| (channel, stream));
    }

    /// Nothing is going on: gives back the memory kept for the next messages.
    pub(crate) fn rest(&mut self) {
        self.stirred = false;
        self.engine.rest();
        self.tx.rest();
        self.streams.shrink_to_fit();
        self.extended.shrink_to_fit();
        self.waiting.shrink_to_fit();
        self.held.shrink_to_fit();
    }

    /// What of its `share` a stream may read now; nothing if it has to wait until the output is empty.
    ///
    /// A link that is full is not helped by more output: what waits here delays everybody else's packets. Nor may
    /// those who have been served top it up while others wait. A few bytes of a stream that never has more than that
    /// may join what is on its way already: they would otherwise come behind the next turns of all transfers.
    pub(crate) fn room_for(&self, stream: &Stream, share: usize) -> usize {
        let pending = self.tx.pending_len();
        if pending >= BATCH {
            return 0;
        }
        let full = pending > 0 && (!self.ready.write || !self.waiting.is_empty());
        match (full, stream.sparse) {
            (false, _) => share,
            (true, true) => share.min(SPARSE),
            (true, false) => 0,
        }
    }

    /// A stream has data that cannot leave now: it is told when the output is empty.
    pub(crate) fn wait(&mut self, key: Key, stream: &mut Stream) {
        if !std::mem::replace(&mut stream.waiting, true) {
            self.waiting.push(key);
        }
    }

    /// Reads once into a buffer of the thread's; false when there was nothing.
    ///
    /// A packet longer than any of ours gets storage of its own: one that trickles in would be moved into the thread's
    /// and out again for every byte.
    pub(crate) fn read(&mut self, pool: &mut Pool) -> io::Result<Option<usize>> {
        if !self.rx.is_lent() && self.rx.len() <= LONGEST_MOVED {
            self.rx.lend(pool.take());
        }
        let spare = self.rx.spare_mut();
        let wanted = spare.len();
        match uninterrupted(|| self.link.read(spare)) {
            Ok(count) => {
                self.rx.filled(count);
                self.ready.was_read(count, wanted);
                if !self.engine.is_established() {
                    // A peer may gather small packets, as OpenSSH's server does: it holds the word that we are in
                    // until it knows that the packet before has come, and the kernel would take 40 ms to say so.
                    self.link.acknowledge();
                }
                Ok(Some(count))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.ready.read_blocked();
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Gives the receive buffer back to the thread.
    pub(crate) fn return_rx(&mut self, pool: &mut Pool) {
        if let Some(buffer) = self.rx.reclaim() {
            pool.give(buffer);
        }
    }

    /// Sends what channels without a stream have to say; a blocked one holds up only itself.
    fn send_held(&mut self) {
        let mut blocked: Vec<(Channel, Held)> = Vec::new();
        while let Some((channel, held)) = self.held.pop_front() {
            let rest = match held {
                held if blocked.iter().any(|(other, _)| *other == channel) => Some(held),
                Held::Bytes(bytes) => self.send_bytes(channel, bytes).map(Held::Bytes),
                Held::Eof => {
                    self.engine.send_eof(channel);
                    None
                }
                Held::Close => {
                    self.engine.close(channel);
                    None
                }
            };
            blocked.extend(rest.map(|held| (channel, held)));
        }
        self.held = blocked.into();
    }

    /// Gives back what could not be sent yet.
    fn send_bytes(&mut self, channel: Channel, bytes: Vec<u8>) -> Option<Vec<u8>> {
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            match self.engine.reserve(channel, rest.len(), &mut self.tx) {
                Ok(mut batch) => {
                    let mut taken = 0;
                    for body in batch.bodies() {
                        let count = body.len().min(rest.len() - taken);
                        body[..count].copy_from_slice(&rest[taken..taken + count]);
                        taken += count;
                    }
                    batch.commit(taken);
                    rest = &rest[taken..];
                }
                Err(Blocked::Window | Blocked::Rekeying | Blocked::OutputFull) => {
                    return Some(rest.to_vec());
                }
                // The channel takes no more data at all.
                Err(_) => return None,
            }
        }
        None
    }

    /// Writes as much of the output as the link takes.
    pub(crate) fn flush(&mut self, pool: &mut Pool) -> io::Result<()> {
        if !self.held.is_empty() {
            self.send_held();
        }
        self.engine.pump(&mut self.tx);
        while self.ready.write && !self.tx.is_empty() {
            let mut slices = [IoSlice::new(&[]); MAX_SLICES];
            let mut count = 0;
            let mut wanted = 0;
            for (slice, bytes) in slices.iter_mut().zip(self.tx.pending()) {
                *slice = IoSlice::new(bytes);
                wanted += bytes.len();
                count += 1;
            }
            match uninterrupted(|| self.link.writev(&slices[..count])) {
                Ok(taken) => {
                    self.tx.written(taken);
                    self.answers.written(taken);
                    self.ready.was_written(taken, wanted);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.ready.write_blocked()
                }
                Err(error) => return Err(error),
            }
        }
        self.tx.release();
        while let Some(chunk) = self.tx.reclaim() {
            pool.give(chunk);
        }
        Ok(())
    }
}
