//! Sockets a client asks for, made with the account's rights.
//! Touches: unix socket files, TCP ports.   Never: what is done with a connection.
//! Invariants: nothing here waits; a socket's file never has more permissions than it was meant to, not for a moment.
//! Errors: `io::Error` of the system.   Allocates: nothing of note.
//! Proved by: `tests` below, some as root.

use super::SystemAccount;
use super::rights::with_rights_of;
use rustix::fs::{Mode, chmod, fchmod};
use socket2::{Domain, SockAddr, Socket, Type};
use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

/// Connections the kernel keeps for us until the loop comes round to them.
const BACKLOG: i32 = 128;

/// Ports below belong to root.
const FIRST_FREE_PORT: u16 = 1024;

pub(super) fn connect_unix(account: Option<&SystemAccount>, path: &str) -> io::Result<UnixStream> {
    let address = SockAddr::unix(path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // Whoever listens and does not accept must not hold up a helper that everybody needs.
    socket.set_nonblocking(true)?;
    with_rights_of(account, || socket.connect(&address))??;
    Ok(socket.into())
}

pub(super) fn listen_unix(
    account: Option<&SystemAccount>,
    path: &str,
    mask: u32,
    unlink: bool,
) -> io::Result<UnixListener> {
    let address = SockAddr::unix(path)?;
    let mode = Mode::from_raw_mode(0o777 & !mask);
    with_rights_of(account, || {
        if unlink {
            unlink_socket(path)?;
        }
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        // The file is born with the socket's own permissions, less the process's umask, which other threads share.
        fchmod(&socket, mode)?;
        socket.bind(&address)?;
        chmod(path, mode)?;
        socket.listen(BACKLOG)?;
        Ok(socket.into())
    })?
}

/// Removes a socket; anything else under that name stays, and what is not there is no matter.
pub(super) fn unlink_unix(account: Option<&SystemAccount>, path: &str) -> io::Result<()> {
    with_rights_of(account, || unlink_socket(path))?
}

fn unlink_socket(path: &str) -> io::Result<()> {
    match Path::new(path).symlink_metadata() {
        Ok(status) if status.file_type().is_socket() => fs::remove_file(path),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// A listener for one address alone: an IPv6 wildcard leaves IPv4 to another.
pub(super) fn listen_tcp(
    account: Option<&SystemAccount>,
    address: SocketAddr,
) -> io::Result<TcpListener> {
    let is_reserved = address.port() != 0 && address.port() < FIRST_FREE_PORT;
    if is_reserved && account.is_some_and(|account| account.uid != 0) {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}
