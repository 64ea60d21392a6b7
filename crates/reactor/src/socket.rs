//! Sockets of every kind behind one face: TCP, unix, and a pair of descriptors such as stdin and stdout.
//! Touches: non-blocking descriptors.   Never: what is carried, when to read.
//! Invariants: registered once, for reading and writing; a descriptor made non-blocking here is set back.
//! Errors: `io::Error` as the kernel gave it.   Allocates: never.
//! Proved by: `tests` below.

use mio::event::Source;
use mio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use nix::sys::socket::SetSockOpt;
use rustix::fs::OFlags;
use std::fmt;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

/// Two descriptors that make one stream: what is read comes from the first, what is written goes to the second.
#[derive(Debug)]
pub struct Pair {
    input: OwnedFd,
    /// None once the writing end was shut.
    output: Option<OwnedFd>,
    restore: [(OFlags, bool); 2],
}

impl Pair {
    /// Takes the descriptors and makes them non-blocking, where the kind of file allows waiting at all.
    ///
    /// # Errors
    /// Those of `fcntl`.
    pub fn new(input: OwnedFd, output: OwnedFd) -> io::Result<Self> {
        let flags = [set_nonblocking(input.as_fd())?, set_nonblocking(output.as_fd())?];
        Ok(Self { input, output: Some(output), restore: flags })
    }

    /// Takes a descriptor that is only read, such as a command's stderr.
    ///
    /// # Errors
    /// Those of `fcntl`.
    pub fn read_only(input: OwnedFd) -> io::Result<Self> {
        let flags = set_nonblocking(input.as_fd())?;
        Ok(Self { input, output: None, restore: [flags, (OFlags::empty(), false)] })
    }
}

impl Pair {
    fn close_output(&mut self) {
        if let Some(output) = self.output.take() {
            restore(output.as_fd(), self.restore[1]);
        }
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        self.close_output();
        restore(self.input.as_fd(), self.restore[0]);
    }
}

/// The description may be shared with a shell that expects it to block.
fn restore(fd: BorrowedFd<'_>, (flags, changed): (OFlags, bool)) {
    if changed {
        let _ = rustix::fs::fcntl_setfl(fd, flags);
    }
}

/// Gives the flags found and whether they were changed.
fn set_nonblocking(fd: BorrowedFd<'_>) -> io::Result<(OFlags, bool)> {
    let flags = rustix::fs::fcntl_getfl(fd)?;
    if !flags.contains(OFlags::NONBLOCK) {
        rustix::fs::fcntl_setfl(fd, flags | OFlags::NONBLOCK)?;
    }
    Ok((flags, !flags.contains(OFlags::NONBLOCK)))
}

/// `SO_RCVLOWAT`, which neither `socket2` nor `rustix` has.
#[derive(Clone, Copy, Debug)]
struct ReceiveLowWater;

nix::setsockopt_impl!(
    ReceiveLowWater,
    libc::SOL_SOCKET,
    libc::SO_RCVLOWAT,
    usize,
    nix::sys::socket::sockopt::SetUsize
);

/// A connected stream.
#[derive(Debug)]
pub enum Socket {
    /// TCP.
    Tcp(TcpStream),
    /// Unix domain.
    Unix(UnixStream),
    /// Two descriptors.
    Pair(Pair),
    /// Not there yet: it is never ready, so what is to be written waits. [`Reactor::bring`](crate::Reactor::bring).
    Awaited,
}

/// Only a wish: a system that does not know it sends as usual.
pub(crate) fn set_type_of_service(stream: &TcpStream, type_of_service: u32) {
    let socket = socket2::SockRef::from(stream);
    let Ok(address) = stream.peer_addr() else { return };
    // IPv4 in an IPv6 socket goes by the mark of IPv4.
    let _ = match address.ip().to_canonical().is_ipv4() {
        true => socket.set_tos_v4(type_of_service),
        false => socket.set_tclass_v6(type_of_service),
    };
}

impl Socket {
    /// Takes a connected TCP socket of the standard library's, such as one that another thread accepted.
    ///
    /// # Errors
    /// Those of `fcntl`.
    pub fn tcp(stream: std::net::TcpStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        // A key press must not wait for a full segment. A peer that is gone already is found out by reading.
        let _ = stream.set_nodelay(true);
        Ok(Self::Tcp(TcpStream::from_std(stream)))
    }

    /// Takes a connected unix socket of the standard library's.
    ///
    /// # Errors
    /// Those of `fcntl`.
    pub fn unix(stream: std::os::unix::net::UnixStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self::Unix(UnixStream::from_std(stream)))
    }

    /// Registers for reading and writing; true when the kernel cannot wait for it because it never blocks.
    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<bool> {
        let both = Interest::READABLE | Interest::WRITABLE;
        match self {
            Self::Tcp(stream) => registry.register(stream, token, both).map(|()| false),
            Self::Unix(stream) => registry.register(stream, token, both).map(|()| false),
            Self::Pair(pair) => register_pair(pair, registry, token),
            Self::Awaited => Ok(false),
        }
    }

    pub(crate) fn deregister(&mut self, registry: &Registry) {
        // Closing the descriptor would do; this only fails when it was never registered.
        let _ = match self {
            Self::Tcp(stream) => registry.deregister(stream),
            Self::Unix(stream) => registry.deregister(stream),
            Self::Pair(pair) => {
                if let Some(output) = &pair.output {
                    let _ = registry.deregister(&mut SourceFd(&output.as_raw_fd()));
                }
                registry.deregister(&mut SourceFd(&pair.input.as_raw_fd()))
            }
            Self::Awaited => Ok(()),
        };
    }

    /// `readv(2)`
    pub(crate) fn readv(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read_vectored(bufs),
            Self::Unix(stream) => stream.read_vectored(bufs),
            Self::Pair(pair) => match rustix::io::readv(&pair.input, bufs) {
                // A terminal whose last program has gone.
                Err(rustix::io::Errno::IO) => Ok(0),
                result => Ok(result?),
            },
            Self::Awaited => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    /// `writev(2)`
    pub(crate) fn writev(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write_vectored(bufs),
            Self::Unix(stream) => stream.write_vectored(bufs),
            Self::Pair(Pair { output: Some(output), .. }) => Ok(rustix::io::writev(output, bufs)?),
            Self::Pair(_) => Err(io::ErrorKind::BrokenPipe.into()),
            Self::Awaited => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    /// Ends the writing half; the peer reads end of file.
    pub(crate) fn shutdown_write(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Self::Unix(stream) => stream.shutdown(Shutdown::Write),
            Self::Pair(pair) => {
                pair.close_output();
                Ok(())
            }
            Self::Awaited => Ok(()),
        }
    }

    /// Makes the peer see a reset rather than an orderly end when the socket is dropped.
    pub(crate) fn abort(&self) {
        if let Self::Tcp(stream) = self {
            let _ = socket2::SockRef::from(stream).set_linger(Some(std::time::Duration::ZERO));
        }
    }

    /// Writes a few last words, as far as the kernel takes them at once.
    ///
    /// # Errors
    /// Those of the system.
    pub fn say(&mut self, words: &[u8]) -> io::Result<()> {
        self.writev(&[IoSlice::new(words)]).map(drop)
    }

    /// Has the kernel say at once what has come, rather than along with what we send next.
    pub(crate) fn acknowledge(&self) {
        if let Self::Tcp(stream) = self {
            // Without it the other end hears a little later.
            let _ = socket2::SockRef::from(stream).set_tcp_quickack(true);
        }
    }

    /// Marks what is sent with a type of service, for TCP (`IPQoS`).
    pub fn set_type_of_service(&self, type_of_service: u8) {
        if let Self::Tcp(stream) = self {
            set_type_of_service(stream, type_of_service.into());
        }
    }

    /// Has no event tell of fewer than `bytes` to read, for TCP.
    pub(crate) fn set_low_water(&self, bytes: u32) {
        if let Self::Tcp(stream) = self {
            // Only a wish: without it there are more wake-ups.
            let _ = SetSockOpt::set(&ReceiveLowWater, stream, &(bytes as usize));
        }
    }

    /// Has the kernel find out whether the other end is still there, for TCP (`TCPKeepAlive`).
    pub fn set_keepalive(&self, on: bool) {
        if let Self::Tcp(stream) = self {
            // Without it a dead peer is noticed later, that is all.
            let _ = socket2::SockRef::from(stream).set_keepalive(on);
        }
    }

    /// The address at the other end, for TCP.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(stream) => stream.peer_addr().ok(),
            _ => None,
        }
    }

    /// The address at this end, for TCP.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(stream) => stream.local_addr().ok(),
            _ => None,
        }
    }
}

fn register_pair(pair: &Pair, registry: &Registry, token: Token) -> io::Result<bool> {
    let mut never_blocks = register_end(&pair.input, Interest::READABLE, registry, token)?;
    if let Some(output) = &pair.output {
        never_blocks |= register_end(output, Interest::WRITABLE, registry, token)?;
    }
    Ok(never_blocks)
}

fn register_end(
    fd: &OwnedFd,
    interest: Interest,
    registry: &Registry,
    token: Token,
) -> io::Result<bool> {
    match SourceFd(&fd.as_raw_fd()).register(registry, token, interest) {
        Ok(()) => Ok(false),
        // epoll refuses regular files and /dev/null: they are always ready.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(true),
        Err(error) => Err(error),
    }
}

/// What is done about the path of a unix socket that is no longer listened on.
pub struct Removal(Box<dyn FnOnce() + Send>);

impl fmt::Debug for Removal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Removal")
    }
}

/// A listening socket.
#[derive(Debug)]
pub enum Listener {
    /// TCP.
    Tcp(TcpListener),
    /// Unix domain; its path is removed when it is dropped.
    Unix(UnixListener, Option<Removal>),
}

impl Listener {
    /// Takes a listening TCP socket of the standard library's.
    ///
    /// # Errors
    /// Those of `fcntl`.
    pub fn tcp(listener: std::net::TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self::Tcp(TcpListener::from_std(listener)))
    }

    /// Takes a listening unix socket of the standard library's, and the path to remove in the end.
    ///
    /// # Errors
    /// Those of `fcntl`.
    pub fn unix(listener: std::os::unix::net::UnixListener, path: PathBuf) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Self::unix_with(listener, move || {
            let _ = std::fs::remove_file(path);
        })
    }

    /// As [`Listener::unix`], where removing the path is another's to do: of those who have the right to.
    ///
    /// # Errors
    /// Those of `fcntl`; the path is removed then, too.
    pub fn unix_with(
        listener: std::os::unix::net::UnixListener,
        remove: impl FnOnce() + Send + 'static,
    ) -> io::Result<Self> {
        let removal = Removal(Box::new(remove));
        let unblocked = listener.set_nonblocking(true);
        let listener = Self::Unix(UnixListener::from_std(listener), Some(removal));
        unblocked.map(|()| listener)
    }

    /// Leaves the path of a unix socket where it is: somebody takes its place.
    pub fn leave_path(&mut self) {
        if let Self::Unix(_, removal) = self {
            *removal = None;
        }
    }

    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        match self {
            Self::Tcp(listener) => registry.register(listener, token, Interest::READABLE),
            Self::Unix(listener, _) => registry.register(listener, token, Interest::READABLE),
        }
    }

    pub(crate) fn deregister(&mut self, registry: &Registry) {
        // Closing the descriptor would do; this only fails when it was never registered.
        let _ = match self {
            Self::Tcp(listener) => registry.deregister(listener),
            Self::Unix(listener, _) => registry.deregister(listener),
        };
    }

    /// A connection, and over TCP who made it.
    pub(crate) fn accept(&self) -> io::Result<(Socket, Option<SocketAddr>)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, from) = listener.accept()?;
                // A key press must not wait for a full segment.
                let _ = stream.set_nodelay(true);
                Ok((Socket::Tcp(stream), Some(from)))
            }
            Self::Unix(listener, _) => {
                listener.accept().map(|(stream, _)| (Socket::Unix(stream), None))
            }
        }
    }

    /// The bound address, for TCP.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr().ok(),
            Self::Unix(..) => None,
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Self::Unix(_, removal) = self {
            if let Some(Removal(remove)) = removal.take() {
                remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    fn nonblocking(fd: impl AsFd) -> bool {
        rustix::fs::fcntl_getfl(fd).unwrap().contains(OFlags::NONBLOCK)
    }

    #[test]
    fn a_pair_reads_one_end_writes_the_other_and_restores_both() {
        let (their_read, our_write) = std::os::unix::net::UnixStream::pair().unwrap();
        let (our_read, their_write) = std::os::unix::net::UnixStream::pair().unwrap();
        let kept = our_read.try_clone().unwrap();
        let mut socket = Socket::Pair(Pair::new(our_read.into(), our_write.into()).unwrap());
        assert!(nonblocking(&kept));

        (&their_write).write_all(b"in").unwrap();
        let mut buf = [0; 8];
        assert_eq!(socket.readv(&mut [IoSliceMut::new(&mut buf)]).unwrap(), 2);
        assert_eq!(socket.writev(&[IoSlice::new(b"out")]).unwrap(), 3);
        socket.shutdown_write().unwrap();
        let mut text = String::new();
        (&their_read).read_to_string(&mut text).unwrap();
        assert_eq!(text, "out");
        assert_eq!(
            socket.writev(&[IoSlice::new(b"more")]).unwrap_err().kind(),
            io::ErrorKind::BrokenPipe
        );
        drop(socket);
        assert!(!nonblocking(&kept));
    }

    #[test]
    fn what_is_accepted_says_who_it_is_and_delays_nothing() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let visitor = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (socket, from) = Listener::tcp(listener).unwrap().accept().unwrap();
        assert_eq!(from, visitor.local_addr().ok());
        assert!(matches!(socket, Socket::Tcp(stream) if stream.nodelay().unwrap()));
    }

    #[test]
    fn a_regular_file_is_always_ready() {
        let poll = mio::Poll::new().unwrap();
        let file = || OwnedFd::from(std::fs::File::open("/dev/null").unwrap());
        let mut socket = Socket::Pair(Pair::new(file(), file()).unwrap());
        assert!(socket.register(poll.registry(), Token(1)).unwrap());
    }
}
