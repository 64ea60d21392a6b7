//! The seat of a session in the process that talks to the network: the keeper has what it stands for.
//! Touches: the link to the keeper, descriptors that come from there.   Never: processes.
//! Invariants: the keeper hears once that a session is left, and before anybody could want its place.
//! Errors: `io::Error`, as the keeper words it.   Allocates: per question.
//! Proved by: interop `server::separation`.

use super::link::Link;
use super::message::{Bytes, Reply, Request};
use crate::session::{
    Asked, Exit, Pipes, Seat, Started, Task, Terminal, TerminalWish, signal_name,
};
use rustix::process::Signal;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A seat at the keeper's.
pub(super) struct KeptSeat {
    link: Arc<Link>,
    connection: u64,
    /// Its number, which no other session of this process has.
    session: u64,
    left: AtomicBool,
}

impl fmt::Debug for KeptSeat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeptSeat").field("session", &self.session).finish_non_exhaustive()
    }
}

impl KeptSeat {
    pub(super) const fn new(link: Arc<Link>, connection: u64, session: u64) -> Self {
        Self { link, connection, session, left: AtomicBool::new(false) }
    }
}

/// What is no answer to the question.
fn unexpected<T>() -> io::Result<T> {
    Err(io::ErrorKind::InvalidData.into())
}

impl Seat for KeptSeat {
    fn open_terminal(&self, wish: &TerminalWish) -> io::Result<Terminal> {
        let (connection, session, wish) = (self.connection, self.session, wish.clone());
        match self.link.ask(&Request::OpenTerminal { connection, session, wish })? {
            (Reply::Terminal { name: Bytes(name) }, mut descriptors) => {
                let master = descriptors.pop().ok_or(io::ErrorKind::InvalidData)?;
                Ok(Terminal { master, name: OsString::from_vec(name) })
            }
            _ => unexpected(),
        }
    }

    fn start(&self, asked: &Asked) -> io::Result<Started> {
        let (connection, session, asked) = (self.connection, self.session, asked.clone());
        let kind = asked.kind.clone();
        match self.link.ask(&Request::Start { connection, session, asked })? {
            (Reply::Started { command, forced }, descriptors) => {
                let task = Task { kind, command, original: None, forced };
                Ok(Started { task, pipes: pipes(descriptors)? })
            }
            _ => unexpected(),
        }
    }

    fn signal(&self, signal: Signal) -> io::Result<()> {
        let (connection, session) = (self.connection, self.session);
        let name = signal_name(signal.as_raw()).to_owned();
        self.link.ask(&Request::Signal { connection, session, name }).map(drop)
    }

    fn wait(&self) -> Exit {
        let (connection, session) = (self.connection, self.session);
        match self.link.ask(&Request::Wait { connection, session }) {
            Ok((Reply::Exited { exit }, _)) => exit,
            // The keeper is gone, and this process will be.
            _ => Exit::UNKNOWN,
        }
    }

    fn leave(&self) {
        if !self.left.swap(true, Ordering::Relaxed) {
            let (connection, session) = (self.connection, self.session);
            self.link.tell(&Request::Leave { connection, session });
        }
    }
}

/// Where the channel went while the keeper was asked for something.
impl Drop for KeptSeat {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Three come, or none where there is a terminal.
fn pipes(descriptors: Vec<OwnedFd>) -> io::Result<Option<Pipes>> {
    if descriptors.is_empty() {
        return Ok(None);
    }
    match <[OwnedFd; 3]>::try_from(descriptors) {
        Ok([input, output, errors]) => Ok(Some(Pipes { input, output, errors })),
        Err(_) => unexpected(),
    }
}
