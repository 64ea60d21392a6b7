//! Our end of a tunnel: pours, checks, pings and holds.
//! Touches: loopback connections.   Never: which tunnel it is.
//! Invariants: every call ends; what is called checked was held against the pattern byte by byte.
//! Errors: the connection's; a count that does not fit is one too.   Allocates: a buffer per transfer.
//! Proved by: `tests` below.

use super::far_end::{Ask, BUFFER, SEED, source};
use adit_interop_tests::pattern::{Pattern, uninterrupted};
use rustix::net::{RecvFlags, recv};
use std::{
    cell::RefCell,
    io::{self, Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};

/// Longer than anything here stands still.
const PATIENCE: Duration = Duration::from_secs(20);

/// A direction, as the client sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Up,
    Down,
}

impl Way {
    pub(crate) const BOTH: [Self; 2] = [Self::Up, Self::Down];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// What went through.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Poured {
    pub(crate) bytes: u64,
    pub(crate) seconds: f64,
}

impl Poured {
    pub(crate) fn gib(&self) -> f64 {
        self.bytes as f64 / f64::from(1 << 30)
    }

    pub(crate) fn mib_per_second(&self) -> f64 {
        self.bytes as f64 / f64::from(1 << 20) / self.seconds
    }
}

/// A connection through the tunnel at `port` that is for `ask`.
pub(crate) fn connect(port: u16, ask: Ask) -> io::Result<TcpStream> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(&ask.encode())?;
    Ok(stream)
}

/// As much as goes through in that time.
pub(crate) fn pour(port: u16, way: Way, time: Duration) -> io::Result<Poured> {
    match way {
        Way::Up => {
            let stream = connect(port, Ask::Sink)?;
            source(stream.try_clone()?, time)?;
            told(stream)
        }
        Way::Down => {
            let millis = time.as_millis() as u64;
            let stream = connect(port, Ask::Source { millis })?;
            let start = first_byte(&stream)?;
            let bytes = discard(&stream)? + 1;
            Ok(Poured { bytes, seconds: start.elapsed().as_secs_f64() })
        }
    }
}

/// So many bytes of the pattern each way, each held against what it should be.
pub(crate) fn check(port: u16, length: u64) -> io::Result<()> {
    let down = connect(port, Ask::CheckedSource { length })?;
    complete(Pattern::new(SEED).verify(down, |_| ())?, length)?;
    let up = connect(port, Ask::CheckedSink)?;
    Pattern::new(SEED).send(&up, length, |_| ())?;
    up.shutdown(Shutdown::Write)?;
    complete(told(up)?.bytes, length)
}

/// Round trips of one byte, in seconds, one after the other: `count` of them, or as many as `time` allows.
pub(crate) fn pings(port: u16, count: usize, time: Duration) -> io::Result<Vec<f64>> {
    let mut stream = connect(port, Ask::Echo)?;
    // Opening the channel is not a ping.
    ping(&mut stream)?;
    let deadline = Instant::now() + time;
    let mut took = Vec::with_capacity(count);
    while took.len() < count && Instant::now() < deadline {
        took.push(ping(&mut stream)?.as_secs_f64());
    }
    Ok(took)
}

pub(crate) fn ping(stream: &mut TcpStream) -> io::Result<Duration> {
    let start = Instant::now();
    stream.write_all(b"p")?;
    stream.read_exact(&mut [0])?;
    Ok(start.elapsed())
}

/// A connection that is there: its far end has answered. It stays until it is dropped.
pub(crate) fn hold(port: u16) -> io::Result<TcpStream> {
    let mut stream = connect(port, Ask::Hold)?;
    stream.read_exact(&mut [0])?;
    Ok(stream)
}

/// Opens, pings once and closes.
pub(crate) fn visit(port: u16) -> io::Result<()> {
    ping(&mut connect(port, Ask::Echo)?).map(drop)
}

/// Reads until the end and throws away, without a copy out of the kernel.
pub(crate) fn discard(stream: &TcpStream) -> io::Result<u64> {
    let mut count = 0;
    loop {
        match discard_once(stream)? {
            0 => return Ok(count),
            more => count += more as u64,
        }
    }
}

/// What is there, at most a mebibyte.
pub(crate) fn discard_once(stream: &TcpStream) -> io::Result<usize> {
    thread_local! {
        // Fresh zeroes, which nobody writes to: it never becomes memory.
        static ROOM: RefCell<Vec<u8>> = RefCell::new(vec![0; BUFFER]);
    }
    ROOM.with_borrow_mut(|buffer| {
        // On TCP, TRUNC means that the bytes are dropped where they are.
        let receive = || recv(stream, &mut buffer[..], RecvFlags::TRUNC).map_err(io::Error::from);
        uninterrupted(receive).map(|(_, count)| count)
    })
}

/// What a sink says at the end.
fn told(mut stream: TcpStream) -> io::Result<Poured> {
    let mut answer = [0; 16];
    stream.read_exact(&mut answer)?;
    let [bytes, nanoseconds] =
        [0, 8].map(|from| u64::from_be_bytes(answer[from..from + 8].try_into().expect("eight")));
    Ok(Poured { bytes, seconds: Duration::from_nanos(nanoseconds).as_secs_f64() })
}

fn first_byte(mut stream: &TcpStream) -> io::Result<Instant> {
    stream.read_exact(&mut [0])?;
    Ok(Instant::now())
}

fn complete(count: u64, length: u64) -> io::Result<()> {
    if count == length {
        return Ok(());
    }
    Err(io::Error::other(format!("{count} bytes of {length} arrived")))
}

/// The same in the background.
pub(crate) fn pour_aside(
    port: u16,
    way: Way,
    time: Duration,
) -> thread::JoinHandle<io::Result<Poured>> {
    thread::spawn(move || pour(port, way, time))
}

#[cfg(test)]
mod tests {
    use super::super::far_end::FarEnd;
    use super::*;

    #[test]
    fn every_ask_is_answered() {
        let far = FarEnd::start().unwrap();
        check(far.port(), 3 << 20).unwrap();
        for way in Way::BOTH {
            let poured = pour(far.port(), way, Duration::from_millis(20)).unwrap();
            assert!(poured.bytes > 0 && poured.seconds > 0.0, "{poured:?}");
        }
        assert_eq!(pings(far.port(), 10, PATIENCE).unwrap().len(), 10);
        let held = hold(far.port()).unwrap();
        visit(far.port()).unwrap();
        drop(held);
    }

    #[test]
    fn what_arrives_short_is_an_error() {
        assert!(complete(9, 10).is_err());
        assert!(complete(10, 10).is_ok());
    }

    #[test]
    fn figures_are_told_per_gibibyte_and_second() {
        let poured = Poured { bytes: 1 << 30, seconds: 2.0 };
        assert_eq!((poured.gib(), poured.mib_per_second()), (1.0, 512.0));
    }
}
