//! The programs at the far end of a tunnel: echo, sink, source and whatever a test needs.
//! Touches: loopback listeners, a thread per connection.   Never: SSH.
//! Invariants: a service answers from the moment it is made until its guard goes.
//! Errors: a handler's I/O error ends its connection only.   Allocates: a buffer per connection.
//! Proved by: every interop test.

use crate::{
    deadline::{PATIENCE, eventually},
    pattern::{Pattern, uninterrupted},
};
use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

/// A connection in both directions, of either family.
pub trait Duplex: Read + Write + Send {
    /// Ends our direction; the other one stays.
    ///
    /// # Errors
    /// When the connection is gone.
    fn finish_writing(&self) -> io::Result<()>;
    /// A second handle to the same connection.
    ///
    /// # Errors
    /// When the process is out of descriptors.
    fn second(&self) -> io::Result<Box<dyn Duplex>>;
}

impl Duplex for TcpStream {
    fn finish_writing(&self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
    fn second(&self) -> io::Result<Box<dyn Duplex>> {
        Ok(Box::new(self.try_clone()?))
    }
}

impl Duplex for UnixStream {
    fn finish_writing(&self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
    fn second(&self) -> io::Result<Box<dyn Duplex>> {
        Ok(Box::new(self.try_clone()?))
    }
}

/// What a service does with a connection.
pub type Handler = dyn Fn(&mut dyn Duplex) -> io::Result<()> + Send + Sync;

/// A listener and its handler.
#[derive(Debug)]
pub struct Service {
    place: Place,
    connections: Arc<AtomicUsize>,
    results: Arc<Mutex<Vec<io::Result<()>>>>,
    closing: Arc<AtomicBool>,
}

#[derive(Debug)]
enum Place {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 4096;

impl Service {
    /// Serves at a port of 127.0.0.1.
    pub fn tcp(
        handler: impl Fn(&mut dyn Duplex) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self::tcp_at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), handler)
    }

    /// Serves at a port of ::1.
    pub fn tcp6(
        handler: impl Fn(&mut dyn Duplex) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self::tcp_at(SocketAddr::from((Ipv6Addr::LOCALHOST, 0)), handler)
    }

    fn tcp_at(
        address: SocketAddr,
        handler: impl Fn(&mut dyn Duplex) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).expect("a loopback port");
        // The standard library's backlog of 128 makes the kernel answer a burst with SYN cookies; a connection whose
        // last ACK then finds the queue full stands at one end only until it sends something.
        rustix::net::listen(&listener, BACKLOG).expect("a longer backlog");
        let place = Place::Tcp(listener.local_addr().expect("bound"));
        Self::serve(place, Box::new(handler), move || {
            let stream = listener.accept()?.0;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            Ok(Box::new(stream) as Box<dyn Duplex>)
        })
    }

    /// Serves at a socket file.
    pub fn unix(
        path: &Path,
        handler: impl Fn(&mut dyn Duplex) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let listener = UnixListener::bind(path).expect("a free socket path");
        Self::serve(Place::Unix(path.to_owned()), Box::new(handler), move || {
            let stream = listener.accept()?.0;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            Ok(Box::new(stream) as Box<dyn Duplex>)
        })
    }

    fn serve(
        place: Place,
        handler: Box<Handler>,
        accept: impl Fn() -> io::Result<Box<dyn Duplex>> + Send + 'static,
    ) -> Self {
        let service = Self {
            place,
            connections: Arc::default(),
            results: Arc::default(),
            closing: Arc::default(),
        };
        let (connections, results, closing) =
            (service.connections.clone(), service.results.clone(), service.closing.clone());
        let handler: Arc<Handler> = Arc::from(handler);
        thread::spawn(move || {
            while let Ok(mut stream) = accept() {
                if closing.load(Ordering::Acquire) {
                    break;
                }
                connections.fetch_add(1, Ordering::AcqRel);
                let (handler, results) = (handler.clone(), results.clone());
                thread::spawn(move || {
                    let result = handler(&mut *stream);
                    results.lock().unwrap_or_else(PoisonError::into_inner).push(result);
                });
            }
        });
        service
    }

    /// Sends back what it gets, and its own end after the other's.
    pub fn echo() -> Self {
        Self::tcp(echo)
    }

    /// Sends `length` bytes of the pattern, then its end.
    pub fn source(seed: u64, length: u64) -> Self {
        Self::tcp(move |stream| {
            Pattern::new(seed).send(&mut *stream, length, |_| ())?;
            stream.finish_writing()
        })
    }

    /// Verifies the pattern until its end, then answers with the count as eight bytes, big-endian.
    pub fn sink(seed: u64) -> Self {
        Self::tcp(move |stream| {
            let count = Pattern::new(seed).verify(&mut *stream, |_| ())?;
            stream.write_all(&count.to_be_bytes())?;
            stream.finish_writing()
        })
    }

    /// Its port.
    ///
    /// # Panics
    /// For a service at a socket file.
    pub fn port(&self) -> u16 {
        match &self.place {
            Place::Tcp(address) => address.port(),
            Place::Unix(path) => panic!("{} has no port", path.display()),
        }
    }

    /// How many connections have come.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Acquire)
    }

    /// Waits for the `count`th connection.
    pub fn wait_connections(&self, count: usize) {
        eventually(&format!("{count} connections"), || (self.connections() >= count).then_some(()));
    }

    /// Waits until a handler is done and gives its result.
    ///
    /// # Errors
    /// The handler's.
    pub fn wait_result(&self) -> io::Result<()> {
        eventually("the end of a handler", || {
            self.results.lock().unwrap_or_else(PoisonError::into_inner).pop()
        })
    }
}

/// Sends back what it gets, and its own end after the other's.
///
/// # Errors
/// Those of the connection.
pub fn echo(stream: &mut dyn Duplex) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match uninterrupted(|| stream.read(&mut buffer))? {
            0 => return stream.finish_writing(),
            count => stream.write_all(&buffer[..count])?,
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // The accepting thread looks at the flag when one more connection comes.
        self.closing.store(true, Ordering::Release);
        match &self.place {
            Place::Tcp(address) => drop(TcpStream::connect(address)),
            Place::Unix(path) => drop(UnixStream::connect(path)),
        }
    }
}
