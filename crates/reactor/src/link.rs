//! The link under an SSH connection: an ordered stream of bytes both ways.
//! Touches: one trait.   Never: what flows over it.
//! Invariants: non-blocking; `WouldBlock` is followed by an event once that changes.
//! Errors: `io::Error` as the kernel gave it.   Allocates: never.
//! Proved by: the loop's tests, which run over it.

use crate::socket::Socket;
use mio::{Registry, Token};
use std::io::{self, IoSlice, IoSliceMut};

/// What an SSH connection runs over: a TCP socket, a child's stdin and stdout, a channel of another connection.
pub trait Link: Send {
    /// Asks for events on reading and writing; true when it never blocks, so that no events will come.
    ///
    /// # Errors
    /// Those of the system.
    fn register(&mut self, registry: &Registry, token: Token) -> io::Result<bool>;

    /// Reads what is there.
    ///
    /// # Errors
    /// `WouldBlock` when nothing is there, others as the system gives them.
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize>;

    /// Writes what the system takes.
    ///
    /// # Errors
    /// `WouldBlock` when it takes nothing, others as the system gives them.
    fn writev(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Says that nothing more will be written.
    fn shutdown(&mut self);

    /// Has no event tell of fewer than `bytes` to read, where the link knows such a mark (`SO_RCVLOWAT`); an end is told.
    fn set_low_water(&self, _bytes: u32) {}

    /// Has the other end told at once of what was read, where the link can (`TCP_QUICKACK`).
    fn acknowledge(&self) {}

    /// Marks what is sent from now on with a type of service, where the link knows one (`IPQoS`).
    fn set_type_of_service(&self, _type_of_service: u8) {}
}

impl Link for Socket {
    fn register(&mut self, registry: &Registry, token: Token) -> io::Result<bool> {
        Self::register(self, registry, token)
    }

    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.readv(&mut [IoSliceMut::new(buf)])
    }

    fn writev(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        Self::writev(self, bufs)
    }

    fn shutdown(&mut self) {
        let _ = self.shutdown_write();
    }

    fn set_low_water(&self, bytes: u32) {
        Self::set_low_water(self, bytes);
    }

    fn acknowledge(&self) {
        Self::acknowledge(self);
    }

    fn set_type_of_service(&self, type_of_service: u8) {
        Self::set_type_of_service(self, type_of_service);
    }
}
