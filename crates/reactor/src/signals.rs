//! Signals: their handlers write to sockets that a loop can watch.
//! Touches: signal dispositions.   Never: what a signal leads to.
//! Invariants: a signal is reported once, by whoever reads its socket.
//! Errors: those of the system.   Allocates: once.
//! Proved by: `background::tests`, interop `exit_codes.rs`.

use rustix::process::Signal;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

/// Those that end a program, in the order they are registered with a loop.
pub const ENDING: [Signal; 3] = [Signal::TERM, Signal::INT, Signal::HUP];

/// The reading ends, one for each signal watched.
#[derive(Debug)]
pub struct Signals {
    watched: Vec<Signal>,
    readers: Vec<UnixStream>,
}

impl Signals {
    /// Takes the signals over from the system's default.
    ///
    /// # Errors
    /// Those of the system.
    pub fn watch(signals: &[Signal]) -> io::Result<Self> {
        let mut readers = Vec::new();
        for signal in signals {
            let (reader, writer) = UnixStream::pair()?;
            reader.set_nonblocking(true)?;
            signal_hook::low_level::pipe::register(signal.as_raw(), writer)?;
            readers.push(reader);
        }
        Ok(Self { watched: signals.to_vec(), readers })
    }

    /// What to watch.
    pub fn readers(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.readers.iter().map(AsFd::as_fd)
    }

    /// The same once more, for somebody else to watch: what he sees, he leaves.
    ///
    /// # Errors
    /// When there are no more descriptors.
    pub fn watchers(&self) -> io::Result<Vec<OwnedFd>> {
        self.readers().map(|reader| reader.try_clone_to_owned()).collect()
    }

    /// The reading ends, for a loop.
    pub fn into_readers(self) -> Vec<UnixStream> {
        self.readers
    }

    /// A signal that came.
    pub fn next(&self) -> Option<Signal> {
        let came = |mut reader: &UnixStream| matches!(reader.read(&mut [0; 64]), Ok(1..));
        let mut pairs = self.readers.iter().zip(&self.watched);
        pairs.find(|(reader, _)| came(reader)).map(|(_, signal)| *signal)
    }

    /// As if `signal` had come.
    #[cfg(test)]
    pub(crate) fn scripted(watched: &[Signal], came: Option<Signal>) -> Self {
        let reader = |signal| {
            let (reader, mut writer) = UnixStream::pair().unwrap();
            reader.set_nonblocking(true).unwrap();
            if came == Some(signal) {
                io::Write::write_all(&mut writer, b"!").unwrap();
            }
            // An end of file would look like a signal to whoever polls.
            std::mem::forget(writer);
            reader
        };
        Self { watched: watched.to_vec(), readers: watched.iter().copied().map(reader).collect() }
    }
}
