//! What a tunnel leads to: echo, source, sink and silence behind one port, told apart by the first bytes.
//! Touches: a loopback listener, a thread per connection.   Never: SSH, the limit of what is measured.
//! Invariants: it answers from the moment it is made; a sink times from its first byte to the end.
//! Errors: a connection's end it alone.   Allocates: a thread and its buffer per connection.
//! Proved by: `tests` below, and the rows without a tunnel.

use super::near_end::discard;
use adit_interop_tests::pattern::Pattern;
use std::{
    io::{self, ErrorKind, Read, Write},
    net::{Ipv4Addr, Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// What a connection is for; the first bytes that go through it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// Every byte back.
    Echo,
    /// Bytes for so many milliseconds, then the end.
    Source { millis: u64 },
    /// The same as one of a thousand: it keeps little in the kernel, whose memory for sockets they share.
    SmallSource { millis: u64 },
    /// Takes all until the end, then tells count and nanoseconds.
    Sink,
    /// So many bytes of the pattern, then the end.
    CheckedSource { length: u64 },
    /// Like `Sink`, and every byte held against the pattern.
    CheckedSink,
    /// One byte back, then nothing more until the far end goes.
    Hold,
}

/// Bytes of an ask.
pub(crate) const ASK_LENGTH: usize = 9;
/// Large enough that system calls are few; as much as a tunnel moves at a time.
pub(crate) const BUFFER: usize = 1 << 20;
/// The pattern that both ends know.
pub(crate) const SEED: u64 = 4;
/// Thousands of these stand at a time.
pub(crate) const STACK: usize = 128 * 1024;
/// What a small source keeps in the kernel. A thousand that keep megabytes come to the kernel's limit for all sockets,
/// and there it drops packets, on loopback too.
const SMALL: usize = 64 * 1024;
/// Connections that may wait to be accepted.
const BACKLOG: i32 = 4096;
/// Longer than any stream here stands still.
const PATIENCE: Duration = Duration::from_secs(20);

impl Ask {
    pub(crate) fn encode(self) -> [u8; ASK_LENGTH] {
        let (kind, value) = match self {
            Self::Echo => (b'e', 0),
            Self::Source { millis } => (b's', millis),
            Self::SmallSource { millis } => (b'm', millis),
            Self::Sink => (b'k', 0),
            Self::CheckedSource { length } => (b'S', length),
            Self::CheckedSink => (b'K', 0),
            Self::Hold => (b'h', 0),
        };
        let mut bytes = [kind; ASK_LENGTH];
        bytes[1..].copy_from_slice(&value.to_be_bytes());
        bytes
    }

    fn decode([kind, value @ ..]: [u8; ASK_LENGTH]) -> Option<Self> {
        let value = u64::from_be_bytes(value);
        match kind {
            b'e' => Some(Self::Echo),
            b's' => Some(Self::Source { millis: value }),
            b'm' => Some(Self::SmallSource { millis: value }),
            b'k' => Some(Self::Sink),
            b'S' => Some(Self::CheckedSource { length: value }),
            b'K' => Some(Self::CheckedSink),
            b'h' => Some(Self::Hold),
            _ => None,
        }
    }
}

/// A listener and what came to it.
#[derive(Debug)]
pub(crate) struct FarEnd {
    port: u16,
    closing: Arc<AtomicBool>,
}

/// Connections that are held.
type Held = Arc<Mutex<Vec<TcpStream>>>;

impl FarEnd {
    pub(crate) fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        rustix::net::listen(&listener, BACKLOG)?;
        let port = listener.local_addr()?.port();
        let closing = Arc::new(AtomicBool::new(false));
        let end = Self { port, closing: closing.clone() };
        thread::spawn(move || accept(&listener, &closing));
        Ok(end)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for FarEnd {
    fn drop(&mut self) {
        // The accepting thread looks at the flag when one more connection comes.
        self.closing.store(true, Ordering::Release);
        drop(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)));
    }
}

fn accept(listener: &TcpListener, closing: &AtomicBool) {
    let held = Held::default();
    while let Ok((stream, _)) = listener.accept() {
        if closing.load(Ordering::Acquire) {
            break;
        }
        let held = held.clone();
        let serve = move || {
            let _ = serve(stream, &held);
        };
        // Out of threads, the connection goes, and whoever asked notices.
        let _ = thread::Builder::new().stack_size(STACK).spawn(serve);
    }
}

fn serve(mut stream: TcpStream, held: &Held) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut ask = [0; ASK_LENGTH];
    stream.read_exact(&mut ask)?;
    match Ask::decode(ask).ok_or(ErrorKind::InvalidData)? {
        Ask::Echo => echo(stream),
        Ask::Source { millis } => source(stream, Duration::from_millis(millis)),
        Ask::SmallSource { millis } => {
            rustix::net::sockopt::set_socket_send_buffer_size(&stream, SMALL)?;
            source(stream, Duration::from_millis(millis))
        }
        Ask::Sink => {
            let start = Instant::now();
            let count = discard(&stream)?;
            tell(stream, count, start)
        }
        Ask::CheckedSource { length } => {
            Pattern::new(SEED).send(&stream, length, |_| ())?;
            stream.shutdown(Shutdown::Write)
        }
        Ask::CheckedSink => {
            let start = Instant::now();
            let count = Pattern::new(SEED).verify(&stream, |_| ())?;
            tell(stream, count, start)
        }
        Ask::Hold => {
            stream.write_all(b"h")?;
            held.lock().unwrap_or_else(PoisonError::into_inner).push(stream);
            Ok(())
        }
    }
}

fn echo(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer)? {
            0 => return stream.shutdown(Shutdown::Write),
            count => stream.write_all(&buffer[..count])?,
        }
    }
}

/// Writes for that long, then ends; a write that stands still for long gives up.
pub(crate) fn source(mut stream: TcpStream, time: Duration) -> io::Result<()> {
    stream.set_write_timeout(Some(PATIENCE))?;
    let deadline = Instant::now() + time;
    while Instant::now() < deadline {
        stream.write_all(bytes())?;
    }
    stream.shutdown(Shutdown::Write)
}

fn tell(mut stream: TcpStream, count: u64, start: Instant) -> io::Result<()> {
    let nanoseconds = start.elapsed().as_nanos() as u64;
    stream.write_all(&[count.to_be_bytes(), nanoseconds.to_be_bytes()].concat())?;
    stream.shutdown(Shutdown::Write)
}

/// Bytes that do not compress, made once.
fn bytes() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| {
        let mut bytes = Vec::with_capacity(BUFFER);
        let sent = Pattern::new(SEED).send(&mut bytes, BUFFER as u64, |_| ());
        sent.expect("memory takes everything");
        bytes
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ask_arrives_as_it_was_sent() {
        let asks = [
            Ask::Echo,
            Ask::Source { millis: 1500 },
            Ask::SmallSource { millis: 1500 },
            Ask::Sink,
            Ask::CheckedSource { length: 1 << 40 },
            Ask::CheckedSink,
            Ask::Hold,
        ];
        for ask in asks {
            assert_eq!(Ask::decode(ask.encode()), Some(ask));
        }
        assert_eq!(Ask::decode([0; ASK_LENGTH]), None);
    }
}
