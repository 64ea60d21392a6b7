//! A line with a length and a width: bytes come out after a delay, no faster than a rate.
//! Touches: loopback sockets, two threads per direction and connection.   Never: the bytes.
//! Invariants: what came in first comes out first; nothing leaves early; what is late is written down.
//! Errors: a connection's end it alone.   Allocates: what is under way.
//! Proved by: `tests` below, and the rows of the same run that go through it without SSH.

use socket2::{Domain, SockRef, Socket, Type};
use std::{
    collections::VecDeque,
    io::{self, Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// What a line is like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// There and back.
    pub(crate) round_trip: Duration,
    /// Bytes per second in each direction; `None` is as fast as this machine moves them.
    pub(crate) rate: Option<f64>,
}

impl Settings {
    /// What waits at the line's mouth before the sender is held back: as much as the line itself holds, a usual size
    /// for a router's queue.
    fn queue(&self) -> usize {
        let product = |rate| rate * self.round_trip.as_secs_f64();
        self.rate.map_or(0, |rate| (product(rate) as usize).max(64 * 1024))
    }

    /// Small enough that a rate is smooth: what goes through in half a millisecond.
    fn chunk(&self) -> usize {
        self.rate.map_or(LARGEST_CHUNK, |rate| ((rate / 2e3) as usize).clamp(1500, LARGEST_CHUNK))
    }
}

const LARGEST_CHUNK: usize = 256 * 1024;

/// A line that is laid.
#[derive(Debug)]
pub(crate) struct Line {
    port: u16,
    closing: Arc<AtomicBool>,
    log: Arc<Log>,
}

/// What the line saw.
#[derive(Debug, Default)]
struct Log {
    /// Times that the direction changed, the first bytes included.
    flights: AtomicUsize,
    /// 1 up, 2 down.
    last_way: AtomicUsize,
    /// Chunks that left, and by how much too late in all.
    chunks: AtomicU64,
    late_nanoseconds: AtomicU64,
}

impl Line {
    /// Lays one that leads to `target`.
    pub(crate) fn lay(settings: Settings, target: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        if settings.rate.is_some() {
            narrow(SockRef::from(&listener), settings)?;
        }
        let (closing, log) = (Arc::new(AtomicBool::new(false)), Arc::new(Log::default()));
        let line = Self { port, closing: closing.clone(), log: log.clone() };
        thread::spawn(move || {
            while let Ok((near, _)) = listener.accept() {
                if closing.load(Ordering::Acquire) {
                    break;
                }
                let _ = carry(near, target, settings, &log);
            }
        });
        Ok(line)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// How often the direction changed so far.
    pub(crate) fn flights(&self) -> usize {
        self.log.flights.load(Ordering::Relaxed)
    }

    /// By how much a chunk left too late on average, in seconds: the line's own doing, or a receiver that does not take.
    pub(crate) fn lateness(&self) -> f64 {
        let chunks = self.log.chunks.load(Ordering::Relaxed).max(1);
        self.log.late_nanoseconds.load(Ordering::Relaxed) as f64 / 1e9 / chunks as f64
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::Release);
        drop(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)));
    }
}

/// A kernel's buffer before the mouth would be a queue of its own.
///
/// On loopback a segment is as large as that buffer. A sender that has filled it would then be asked for the next
/// segment by a timer of 200 ms, 400 ms and so on; segments of a usual network's size get in as room comes.
fn narrow(socket: SockRef<'_>, settings: Settings) -> io::Result<()> {
    socket.set_tcp_mss(SEGMENT)?;
    socket.set_recv_buffer_size(settings.chunk().max(64 * 1024))
}

/// Bytes of a segment where frames are large.
const SEGMENT: u32 = 8960;

/// Connects to the target; what comes from there is narrow from the first segment on.
fn connect(target: u16, settings: Settings) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    if settings.rate.is_some() {
        narrow(SockRef::from(&socket), settings)?;
    }
    socket.connect(&SocketAddr::from((Ipv4Addr::LOCALHOST, target)).into())?;
    Ok(socket.into())
}

fn carry(near: TcpStream, target: u16, settings: Settings, log: &Arc<Log>) -> io::Result<()> {
    let far = connect(target, settings)?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    let (back_from, back_to) = (far.try_clone()?, near.try_clone()?);
    Direction::start(1, near, far, settings, log);
    Direction::start(2, back_from, back_to, settings, log);
    Ok(())
}

/// One direction of one connection.
struct Direction {
    way: usize,
    settings: Settings,
    log: Arc<Log>,
    transit: Mutex<Transit>,
    news: Condvar,
}

/// What is under way.
#[derive(Default)]
struct Transit {
    /// When it is due, and what.
    chunks: VecDeque<(Instant, Vec<u8>)>,
    bytes: usize,
    ended: bool,
    /// Nobody takes any more.
    broken: bool,
}

impl Direction {
    fn start(way: usize, from: TcpStream, to: TcpStream, settings: Settings, log: &Arc<Log>) {
        let transit = Mutex::new(Transit::default());
        let this = Self { way, settings, log: log.clone(), transit, news: Condvar::new() };
        let this = Arc::new(this);
        let entrance = this.clone();
        thread::spawn(move || entrance.take_in(from));
        thread::spawn(move || this.let_out(to));
    }

    /// Reads and says when each chunk is due.
    fn take_in(&self, mut from: TcpStream) {
        let mut clock = Clock::new(self.settings);
        let mut buffer = vec![0; self.settings.chunk()];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            self.log.saw(self.way);
            let due = clock.due(Instant::now(), count);
            if !self.put(due, &buffer[..count]) {
                break;
            }
            // The mouth's queue is what has come and has not begun to go in.
            let waits = clock.waits(Instant::now());
            if waits > Duration::ZERO {
                thread::sleep(waits);
            }
        }
        self.transit().ended = true;
        self.news.notify_all();
    }

    fn put(&self, due: Instant, bytes: &[u8]) -> bool {
        let mut transit = self.transit();
        // A line holds what is on it and its queue; without a rate that alone bounds it.
        while transit.bytes > IN_FLIGHT && !transit.broken {
            transit = self.news.wait(transit).unwrap_or_else(PoisonError::into_inner);
        }
        transit.bytes += bytes.len();
        transit.chunks.push_back((due, bytes.to_vec()));
        self.news.notify_all();
        !transit.broken
    }

    /// Writes each chunk when it is due.
    fn let_out(&self, mut to: TcpStream) {
        while let Some((due, bytes)) = self.next() {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            self.log.left(due);
            if to.write_all(&bytes).is_err() {
                break;
            }
        }
        self.transit().broken = true;
        self.news.notify_all();
        let _ = to.shutdown(Shutdown::Write);
    }

    fn next(&self) -> Option<(Instant, Vec<u8>)> {
        let mut transit = self.transit();
        loop {
            if let Some((due, bytes)) = transit.chunks.pop_front() {
                transit.bytes -= bytes.len();
                self.news.notify_all();
                return Some((due, bytes));
            }
            if transit.ended {
                return None;
            }
            transit = self.news.wait(transit).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn transit(&self) -> MutexGuard<'_, Transit> {
        self.transit.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bytes on one direction of a line; more than any memory budget that is measured over it.
const IN_FLIGHT: usize = 256 << 20;

impl Log {
    fn saw(&self, way: usize) {
        if self.last_way.swap(way, Ordering::Relaxed) != way {
            self.flights.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn left(&self, due: Instant) {
        self.chunks.fetch_add(1, Ordering::Relaxed);
        let late = due.elapsed().as_nanos() as u64;
        self.late_nanoseconds.fetch_add(late, Ordering::Relaxed);
    }
}

/// When bytes come out: after those before them have gone in, and the way.
struct Clock {
    settings: Settings,
    /// When the line's mouth is free again.
    free: Option<Instant>,
}

impl Clock {
    fn new(settings: Settings) -> Self {
        Self { settings, free: None }
    }

    fn due(&mut self, now: Instant, count: usize) -> Instant {
        let start = self.free.map_or(now, |free| free.max(now));
        let takes = self.settings.rate.map_or(0.0, |rate| count as f64 / rate);
        let free = start + Duration::from_secs_f64(takes);
        self.free = Some(free);
        free + self.settings.round_trip / 2
    }

    /// How long until the queue has room again.
    fn waits(&self, now: Instant) -> Duration {
        let Some((rate, free)) = self.settings.rate.zip(self.free) else { return Duration::ZERO };
        let queued = free.saturating_duration_since(now);
        queued.saturating_sub(Duration::from_secs_f64(self.settings.queue() as f64 / rate))
    }
}

#[cfg(test)]
mod tests {
    use super::super::far_end::FarEnd;
    use super::super::near_end::check;
    use super::*;

    const LONG: Settings =
        Settings { round_trip: Duration::from_millis(100), rate: Some(1_000_000.0) };

    #[test]
    fn bytes_are_due_after_the_way_and_those_before_them() {
        let start = Instant::now();
        let mut clock = Clock::new(LONG);
        let due = |clock: &mut Clock, after: u64, count| {
            clock.due(start + Duration::from_millis(after), count) - start
        };
        assert_eq!(due(&mut clock, 0, 1_000), Duration::from_millis(51));
        assert_eq!(due(&mut clock, 0, 2_000), Duration::from_millis(53));
        assert_eq!(due(&mut clock, 500, 1_000), Duration::from_millis(551));
    }

    #[test]
    fn a_full_queue_holds_the_sender_back() {
        let start = Instant::now();
        let mut clock = Clock::new(LONG);
        clock.due(start, 100_000);
        assert_eq!(clock.waits(start), Duration::ZERO);
        clock.due(start, 100_000);
        assert_eq!(clock.waits(start), Duration::from_millis(100));
        let endless = Settings { rate: None, ..LONG };
        let mut clock = Clock::new(endless);
        assert_eq!(clock.due(start, 1 << 30), start + Duration::from_millis(50));
        assert_eq!(clock.waits(start), Duration::ZERO);
    }

    #[test]
    fn everything_comes_out_in_order_and_nothing_early() {
        let far = FarEnd::start().unwrap();
        let settings = Settings { round_trip: Duration::from_millis(4), rate: Some(200e6) };
        let line = Line::lay(settings, far.port()).unwrap();
        let start = Instant::now();
        check(line.port(), 2 << 20).unwrap();
        // Two connections, one round trip each at least, and four mebibytes through the mouth.
        assert!(start.elapsed() > Duration::from_millis(8 + 20), "{:?}", start.elapsed());
        assert!(line.flights() >= 3, "{}", line.flights());
        assert!(line.lateness() > 0.0);
    }

    #[test]
    fn a_change_of_direction_is_a_flight() {
        let log = Log::default();
        [1, 1, 2, 1, 1, 2, 2].into_iter().for_each(|way| log.saw(way));
        assert_eq!(log.flights.into_inner(), 4);
    }
}
