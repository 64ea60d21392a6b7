//! Signals that end the program: their handlers write to sockets that a loop can watch.
//! Touches: signal dispositions.   Never: what a signal leads to.
//! Invariants: a signal is reported once, by whoever reads its socket.
//! Errors: those of the system.   Allocates: once.
//! Proved by: `background::tests`, interop `exit_codes.rs`.

use rustix::process::Signal;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

/// Those that end the program, in the order they are registered with a loop.
pub(crate) const ENDING: [Signal; 3] = [Signal::TERM, Signal::INT, Signal::HUP];

/// The reading ends, one for each of [`ENDING`].
#[derive(Debug)]
pub(crate) struct Signals {
    readers: Vec<UnixStream>,
}

impl Signals {
    /// Takes the signals over from the system's default.
    pub(crate) fn watch() -> io::Result<Self> {
        let mut readers = Vec::new();
        for signal in ENDING {
            let (reader, writer) = UnixStream::pair()?;
            reader.set_nonblocking(true)?;
            signal_hook::low_level::pipe::register(signal.as_raw(), writer)?;
            readers.push(reader);
        }
        Ok(Self { readers })
    }

    /// What to watch.
    pub(crate) fn readers(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.readers.iter().map(AsFd::as_fd)
    }

    /// The same once more, for somebody else to watch: what he sees, he leaves.
    pub(crate) fn watchers(&self) -> io::Result<Vec<OwnedFd>> {
        self.readers().map(|reader| reader.try_clone_to_owned()).collect()
    }

    /// The reading ends, for a loop.
    pub(crate) fn into_readers(self) -> Vec<UnixStream> {
        self.readers
    }

    /// A signal that came.
    pub(crate) fn next(&self) -> Option<Signal> {
        let came = |mut reader: &UnixStream| matches!(reader.read(&mut [0; 64]), Ok(1..));
        self.readers.iter().zip(ENDING).find(|(reader, _)| came(reader)).map(|(_, signal)| signal)
    }

    /// As if `signal` had come.
    #[cfg(test)]
    pub(crate) fn scripted(came: Option<Signal>) -> Self {
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
        Self { readers: ENDING.map(reader).into() }
    }
}
