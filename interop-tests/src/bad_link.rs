//! A TCP link between client and server that does to bytes what a bad network does: pieces, resets, a moment to strike.
//! Touches: one loopback listener, one connection each way, two threads.   Never: the bytes themselves.
//! Invariants: what is passed on is an exact prefix of what came; one connection is taken, then nobody listens any more.
//! Errors: a broken connection ends both.   Allocates: a buffer per direction.
//! Proved by: `tests` below.

use crate::pattern::uninterrupted;
use rustix::net::sockopt::set_socket_linger;
use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, Shutdown, TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

/// What happens on the way.
type Strike = Box<dyn FnOnce() + Send>;

/// A link in the making.
pub struct BadLink {
    server: u16,
    pieces: usize,
    reset_at: Option<usize>,
    strike: Option<(usize, Strike)>,
}

impl BadLink {
    /// A link to `server` at loopback with nothing wrong yet.
    pub fn to(server: u16) -> Self {
        Self { server, pieces: usize::MAX, reset_at: None, strike: None }
    }

    /// Writes at most so many bytes at once, and each write leaves at once.
    #[must_use]
    pub fn pieces(self, pieces: usize) -> Self {
        Self { pieces, ..self }
    }

    /// Resets both connections once so many bytes have passed, both directions counted.
    #[must_use]
    pub fn reset_at(self, bytes: usize) -> Self {
        Self { reset_at: Some(bytes), ..self }
    }

    /// Does `strike` before the bytes are passed on with which one side takes the `turn`th turn to speak.
    #[must_use]
    pub fn before_turn(self, turn: usize, strike: impl FnOnce() + Send + 'static) -> Self {
        Self { strike: Some((turn, Box::new(strike))), ..self }
    }

    /// Takes one connection at the port it gives back.
    ///
    /// # Panics
    /// When there is no port.
    pub fn open(self) -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a loopback port");
        let port = listener.local_addr().expect("bound").port();
        thread::spawn(move || {
            let client = listener.accept()?.0;
            drop(listener);
            let server = TcpStream::connect((Ipv4Addr::LOCALHOST, self.server))?;
            self.carry(client, server)
        });
        port
    }

    fn carry(self, client: TcpStream, server: TcpStream) -> io::Result<()> {
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let pieces = self.pieces;
        let course = Course { speaker: None, turn: 0, passed: 0, plan: self };
        let ends = Arc::new((client, server, Mutex::new(course)));
        let way_back = ends.clone();
        let back = thread::spawn(move || {
            let (client, server, course) = &*way_back;
            pass(Side::Server, server, client, course, pieces);
        });
        let (client, server, course) = &*ends;
        pass(Side::Client, client, server, course, pieces);
        let _ = back.join();
        Ok(())
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Client,
    Server,
}

/// How far the conversation has come.
struct Course {
    speaker: Option<Side>,
    turn: usize,
    passed: usize,
    plan: BadLink,
}

impl Course {
    /// `side` has said `count` bytes: how many of them pass, and whether the link is reset behind them.
    fn advance(&mut self, side: Side, count: usize) -> (usize, bool) {
        if self.speaker.replace(side) != Some(side) {
            self.turn += 1;
        }
        if self.plan.strike.as_ref().is_some_and(|(turn, _)| *turn <= self.turn) {
            if let Some((_, strike)) = self.plan.strike.take() {
                strike();
            }
        }
        let left = self.plan.reset_at.map_or(usize::MAX, |at| at - self.passed);
        let through = count.min(left);
        self.passed += through;
        (through, self.is_broken_off())
    }

    fn is_broken_off(&self) -> bool {
        self.plan.reset_at == Some(self.passed)
    }
}

/// Passes on what `from` says until it ends; its end is passed on too.
fn pass(side: Side, from: &TcpStream, to: &TcpStream, course: &Mutex<Course>, pieces: usize) {
    let (mut reader, mut writer) = (from, to);
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = uninterrupted(|| reader.read(&mut buffer)) {
        let (through, reset) =
            course.lock().unwrap_or_else(PoisonError::into_inner).advance(side, count);
        let written =
            buffer[..through].chunks(pieces).try_for_each(|piece| writer.write_all(piece));
        if reset {
            return break_off([from, to]);
        }
        if written.is_err() {
            break;
        }
    }
    // A reset is not an end.
    if !course.lock().unwrap_or_else(PoisonError::into_inner).is_broken_off() {
        let _ = to.shutdown(Shutdown::Write);
    }
}

/// Both sides see a reset once neither thread holds the sockets any more.
fn break_off(sockets: [&TcpStream; 2]) {
    for socket in sockets {
        let _ = set_socket_linger(socket, Some(Duration::ZERO));
        // Wakes the other thread; the peer notices nothing of it.
        let _ = socket.shutdown(Shutdown::Read);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ports::connect, service::Service};
    use std::sync::atomic::{AtomicBool, Ordering};

    #[test]
    fn bytes_pass_in_pieces_and_so_does_the_end() {
        let echo = Service::echo();
        let mut stream = connect(BadLink::to(echo.port()).pieces(1).open());
        stream.write_all(b"one two three").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut back = Vec::new();
        stream.read_to_end(&mut back).unwrap();
        assert_eq!(back, b"one two three");
    }

    #[test]
    fn a_reset_comes_behind_an_exact_prefix() {
        let echo = Service::echo();
        let mut stream = connect(BadLink::to(echo.port()).reset_at(8).open());
        stream.write_all(b"one two three").unwrap();
        let error = stream.read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        assert!(echo.wait_result().is_err());
    }

    #[test]
    fn the_strike_comes_before_the_turn_is_heard() {
        let struck = Arc::new(AtomicBool::new(false));
        let (strike, seen) = (struck.clone(), struck.clone());
        let service = Service::tcp(move |stream| {
            stream.read_exact(&mut [0; 5])?;
            assert!(!seen.load(Ordering::Acquire));
            stream.write_all(b"answer")
        });
        let link = BadLink::to(service.port())
            .before_turn(2, move || strike.store(true, Ordering::Release));
        let mut stream = connect(link.open());
        stream.write_all(b"first").unwrap();
        stream.read_exact(&mut [0; 6]).unwrap();
        assert!(struck.load(Ordering::Acquire));
    }
}
