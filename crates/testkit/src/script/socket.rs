//! A program under test behind a TCP connection: what a script says to an end in memory, it can say to a real client or server.
//! Touches: one stream that a test has connected or accepted.   Never: a process; that is the test's.
//! Invariants: every wait ends; what was said before a reset is still heard.
//! Errors: panics when nothing comes in time.   Allocates: a buffer a read.
//! Proved by: `interop-tests/tests/interop/hostile`.

use super::UnderTest;
use adit_transport::Role;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Far longer than any program takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// A program and the stream that leads to it.
#[derive(Debug)]
pub struct Socket {
    role: Role,
    /// For what a script has no words for.
    pub stream: TcpStream,
    over: bool,
}

impl Socket {
    /// A client has connected.
    ///
    /// # Panics
    /// When the stream is no more.
    pub fn client(stream: TcpStream) -> Self {
        Self::new(Role::Client, stream)
    }

    /// A server has accepted.
    ///
    /// # Panics
    /// When the stream is no more.
    pub fn server(stream: TcpStream) -> Self {
        Self::new(Role::Server, stream)
    }

    fn new(role: Role, stream: TcpStream) -> Self {
        stream.set_nodelay(true).expect("a connected stream");
        stream.set_read_timeout(Some(PATIENCE)).expect("a wait above zero");
        stream.set_write_timeout(Some(PATIENCE)).expect("a wait above zero");
        Self { role, stream, over: false }
    }
}

impl UnderTest for Socket {
    fn role(&self) -> Role {
        self.role
    }

    /// A program that has left hears nothing; what it said last is there to be read.
    fn receive(&mut self, bytes: &[u8]) {
        match self.stream.write_all(bytes) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                panic!("{:?} does not read for {PATIENCE:?}", self.role)
            }
            _ => {}
        }
    }

    fn take_output(&mut self) -> Vec<u8> {
        let mut bytes = vec![0; 64 * 1024];
        let count = loop {
            match self.stream.read(&mut bytes) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    panic!("{:?} says nothing for {PATIENCE:?}", self.role)
                }
                // A reset is an end like any other.
                read => break read.unwrap_or_default(),
            }
        };
        self.over |= count == 0;
        bytes.truncate(count);
        bytes
    }

    fn has_left(&mut self) -> bool {
        while !self.over {
            self.take_output();
        }
        true
    }
}
