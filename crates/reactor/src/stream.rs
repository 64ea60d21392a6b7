//! A stream: the local end of a channel, or a connection that has not become one yet.
//! Touches: its socket, its spill, the readiness of both.   Never: the engine; the loop moves payload between them.
//! Invariants: payload from SSH is written behind what was spilled before; the write half ends after the spill.
//! Errors: `io::Error` of the socket, kept until the stream is reaped.   Allocates: the spill, when the kernel is full.
//! Proved by: the loop's tests.
//!
//! ```text
//! inbound (socket → SSH):   Dialling ──connected──► Held
//!                           Dialogue ──relay──► Held ──opened──► Flowing ──end of file──► Ended
//! outbound (SSH → socket):  Flowing ──EOF──► Finishing ──spill written──► Shut        any ──write error──► Broken
//! ```

use crate::readiness::Readiness;
use crate::socket::Socket;
use crate::timer::Millis;
use crate::token::Key;
use adit_buf::TxRing;
use adit_engine::Channel;
use std::io::{self, IoSlice};

/// Most slices that one `readv` or `writev` takes here; a mebibyte of full packets is 32.
pub(crate) const MAX_SLICES: usize = 64;

/// From the socket towards SSH.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inbound {
    /// Not connected yet.
    Dialling,
    /// What is read goes to the handler (a SOCKS request, say).
    Dialogue,
    /// The channel is not open yet.
    Held,
    /// Read straight into packets.
    Flowing,
    /// End of file was read and passed on, or nobody wants the data.
    Ended,
}

/// From SSH towards the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outbound {
    /// Written as it comes.
    Flowing,
    /// EOF came: the half is shut once the spill is written.
    Finishing,
    /// Shut.
    Shut,
    /// The socket takes no more; what still comes is dropped.
    Broken,
}

/// The channel a stream is the end of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound {
    pub(crate) session: Key,
    pub(crate) channel: Channel,
    pub(crate) end: End,
}

/// How much of the channel's local end a stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// All of it: the channel ends with the stream.
    Whole,
    /// One of several, as a command has: the channel's end is its owner's to tell.
    Part {
        /// Type code of what the stream reads; `None` for plain data.
        extended: Option<u32>,
    },
}

#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) socket: Socket,
    pub(crate) ready: Readiness,
    pub(crate) inbound: Inbound,
    pub(crate) outbound: Outbound,
    /// What the kernel did not take; never longer than the window granted.
    pub(crate) spill: TxRing,
    /// Bytes read in the dialogue that belong to the channel.
    pub(crate) early: Vec<u8>,
    pub(crate) bound: Option<Bound>,
    /// On the run list already.
    pub(crate) queued: bool,
    /// On its session's list of those that wait for the output to drain.
    pub(crate) waiting: bool,
    /// Its last read was far from filling its share.
    pub(crate) sparse: bool,
    /// Its owner waits for a read that finds nothing.
    pub(crate) draining: bool,
    /// Bytes read from the socket and written to it.
    pub(crate) counts: Counts,
    /// When it last moved any.
    pub(crate) active_at: Millis,
    pub(crate) error: Option<io::Error>,
}

/// Payload bytes of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Read from the socket and sent over SSH.
    pub read: u64,
    /// Came over SSH and written to the socket.
    pub written: u64,
}

impl Stream {
    pub(crate) fn new(socket: Socket, ready: Readiness, inbound: Inbound, now: Millis) -> Self {
        Self {
            socket,
            ready,
            inbound,
            outbound: Outbound::Flowing,
            spill: TxRing::new(),
            early: Vec::new(),
            bound: None,
            queued: false,
            waiting: false,
            sparse: true,
            draining: false,
            counts: Counts::default(),
            active_at: now,
            error: None,
        }
    }

    /// Becomes one of several local ends of an open channel.
    pub(crate) fn attach(&mut self, bound: Bound) {
        self.inbound = Inbound::Flowing;
        self.bound = Some(bound);
    }

    /// Whether both halves are done with, so that the socket can go.
    pub(crate) fn is_done(&self) -> bool {
        self.inbound == Inbound::Ended && matches!(self.outbound, Outbound::Shut | Outbound::Broken)
    }

    /// Whether something can be read, from the socket or from what the dialogue left, or a look is asked for.
    pub(crate) fn has_input(&self) -> bool {
        self.ready.read || self.draining || !self.early.is_empty()
    }

    /// Writes what was spilled and `fresh` behind it, in one call; what the kernel leaves is spilled.
    ///
    /// Gives the bytes that have left: into the kernel, or into nowhere when the socket is broken.
    pub(crate) fn write_through<'a>(
        &mut self,
        fresh: impl Iterator<Item = &'a [u8]> + Clone,
        now: Millis,
    ) -> usize {
        let spilled = self.spill.pending_len();
        let wanted = spilled + fresh.clone().map(<[u8]>::len).sum::<usize>();
        let taken = if self.ready.write { self.writev(fresh.clone(), wanted) } else { 0 };
        if self.outbound == Outbound::Broken {
            self.spill.written(spilled);
            return wanted;
        }
        if taken > 0 {
            self.active_at = now;
        }
        self.spill.written(taken.min(spilled));
        let mut skip = taken.saturating_sub(spilled);
        for bytes in fresh {
            let kept = skip.min(bytes.len());
            skip -= kept;
            if kept < bytes.len() {
                self.spill.push(&bytes[kept..]);
            }
        }
        self.finish_if_drained();
        taken
    }

    /// The kernel took all that one call can offer, and would take more: no edge will say so.
    pub(crate) fn can_drain(&self) -> bool {
        self.ready.write && self.spill.pending_len() > 0
    }

    fn writev<'a>(&mut self, fresh: impl Iterator<Item = &'a [u8]>, wanted: usize) -> usize {
        let mut slices = [IoSlice::new(&[]); MAX_SLICES];
        let mut count = 0;
        let mut offered = 0;
        let mut offer = |bytes| {
            if let Some(slice) = slices.get_mut(count) {
                *slice = IoSlice::new(bytes);
                offered += bytes.len();
                count += 1;
            }
        };
        for bytes in self.spill.pending() {
            offer(bytes);
        }
        for bytes in fresh {
            offer(bytes);
        }
        if offered == 0 {
            return 0;
        }
        debug_assert!(offered <= wanted);
        match uninterrupted(|| self.socket.writev(&slices[..count])) {
            Ok(taken) => {
                self.ready.was_written(taken, offered);
                self.counts.written += taken as u64;
                taken
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.ready.write_blocked();
                0
            }
            Err(error) => {
                self.broken(error);
                0
            }
        }
    }

    /// EOF came over SSH: the write half ends behind what is spilled.
    pub(crate) fn finish(&mut self) {
        if self.outbound == Outbound::Flowing {
            self.outbound = Outbound::Finishing;
            self.finish_if_drained();
        }
    }

    fn finish_if_drained(&mut self) {
        if self.outbound == Outbound::Finishing && self.spill.is_empty() {
            self.outbound = Outbound::Shut;
            // What is done with closes at the end of this turn, and ends the half with it.
            if self.inbound == Inbound::Ended {
                return;
            }
            if let Err(error) = self.socket.shutdown_write() {
                // The peer has gone already; there is nobody left to tell.
                self.error.get_or_insert(error);
            }
        }
    }

    /// The socket takes nothing more.
    pub(crate) fn broken(&mut self, error: io::Error) {
        self.outbound = Outbound::Broken;
        self.error.get_or_insert(error);
    }
}

/// Makes a system call again when a signal cut it short.
pub(crate) fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socket::Pair;
    use std::os::fd::OwnedFd;

    /// Takes whatever is written.
    fn abyss() -> Stream {
        let file =
            || OwnedFd::from(std::fs::File::options().write(true).open("/dev/null").unwrap());
        let pair = Pair::new(file(), file()).unwrap();
        Stream::new(Socket::Pair(pair), Readiness::ALWAYS, Inbound::Flowing, 0)
    }

    #[test]
    fn a_spill_of_more_pieces_than_a_call_takes_asks_to_be_written_on() {
        let mut stream = abyss();
        let piece = vec![7; 64 * 1024];
        while stream.spill.pending().count() <= MAX_SLICES {
            stream.spill.push(&piece);
        }
        stream.write_through(std::iter::empty(), 0);
        assert!(stream.can_drain(), "no edge will come for what is left");
        stream.write_through(std::iter::empty(), 0);
        assert!(!stream.can_drain() && stream.spill.is_empty());
    }
}
