//! Sockets a client asks for, made with the account's rights.
//! Touches: unix socket files, TCP ports.   Never: what is done with a connection.
//! Invariants: nothing here waits; a socket's file never has more permissions than it was meant to, not for a moment.
//! Errors: `io::Error` of the system.   Allocates: nothing of note.
//! Proved by: `tests` below, some as root.

use super::SystemAccount;
use super::rights::with_rights_of;
use adit_forward::listen::tcp_socket;
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
    tcp_socket(address)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing::{Scratch, stranger};
    use rustix::process::geteuid;
    use std::io::{Read, Write};
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};

    #[test]
    fn a_unix_socket_has_the_permissions_that_the_mask_leaves() {
        let scratch = Scratch::new("mask");
        for (mask, expected) in [(0o177, 0o600), (0o000, 0o777), (0o007, 0o770)] {
            let path = scratch.path(&format!("{mask:o}"));
            let listener = listen_unix(None, path.to_str().unwrap(), mask, false).unwrap();
            assert_eq!(path.metadata().unwrap().mode() & 0o777, expected);
            let mut near = connect_unix(None, path.to_str().unwrap()).unwrap();
            let (mut far, _) = listener.accept().unwrap();
            near.write_all(b"x").unwrap();
            let mut byte = [0];
            far.read_exact(&mut byte).unwrap();
            assert_eq!(&byte, b"x");
        }
    }

    #[test]
    fn only_a_socket_is_taken_out_of_the_way_and_only_where_that_is_wanted() {
        let scratch = Scratch::new("unlink");
        let path = scratch.path("socket");
        let path = path.to_str().unwrap();
        drop(listen_unix(None, path, 0o177, false).unwrap());
        let in_the_way = |unlink| listen_unix(None, path, 0o177, unlink).map(drop);
        assert_eq!(in_the_way(false).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        in_the_way(true).unwrap();
        unlink_unix(None, path).unwrap();
        unlink_unix(None, path).unwrap();
        scratch.file("socket", "precious", 0o600);
        assert_eq!(in_the_way(true).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        unlink_unix(None, path).unwrap();
        assert_eq!(fs::read(path).unwrap(), b"precious");
    }

    #[test]
    fn nobody_waits_for_a_listener_that_does_not_accept() {
        let scratch = Scratch::new("backlog");
        let path = scratch.path("socket");
        let path = path.to_str().unwrap();
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        socket.bind(&SockAddr::unix(path).unwrap()).unwrap();
        socket.listen(0).unwrap();
        let mut waiting = Vec::new();
        let error = loop {
            match connect_unix(None, path) {
                Ok(stream) => waiting.push(stream),
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn sockets_are_the_user_s_own() {
        if !geteuid().is_root() {
            eprintln!("SKIPPED: only root can act as another user");
            return;
        }
        let scratch = Scratch::new("owner");
        let account = stranger();
        let path = scratch.path("socket");
        let path = path.to_str().unwrap();
        let denied = listen_unix(Some(&account), path, 0o177, false).map(drop).unwrap_err();
        assert_eq!(denied.kind(), io::ErrorKind::PermissionDenied);
        // Root's socket is not for everybody.
        let rootly = listen_unix(None, path, 0o177, false).unwrap();
        let denied = connect_unix(Some(&account), path).map(drop).unwrap_err();
        assert_eq!(denied.kind(), io::ErrorKind::PermissionDenied);
        let denied = unlink_unix(Some(&account), path).unwrap_err();
        assert_eq!(denied.kind(), io::ErrorKind::PermissionDenied);
        drop(rootly);
        chown(scratch.path(""), Some(account.uid), None).unwrap();
        listen_unix(Some(&account), path, 0o177, true).unwrap();
        let status = fs::metadata(path).unwrap();
        assert_eq!((status.uid(), status.gid()), (account.uid, account.gid));
        assert_eq!(status.permissions().mode() & 0o777, 0o600);
        assert!(connect_unix(Some(&account), path).is_err());
        unlink_unix(Some(&account), path).unwrap();
        assert!(!Path::new(path).exists());
    }

    #[test]
    fn ports_below_1024_are_root_s() {
        for port in [1, 22, 1023] {
            let denied = listen_tcp(Some(&stranger()), ([127, 0, 0, 1], port).into()).unwrap_err();
            assert_eq!(denied.kind(), io::ErrorKind::PermissionDenied, "{port}");
        }
        let listener = listen_tcp(Some(&stranger()), ([127, 0, 0, 1], 0).into()).unwrap();
        assert!(listener.local_addr().unwrap().port() >= 1024);
    }

    #[test]
    fn an_address_of_each_family_can_have_the_same_port() {
        let four = listen_tcp(None, ([0, 0, 0, 0], 0).into()).unwrap();
        let port = four.local_addr().unwrap().port();
        let any: SocketAddr = ([0_u16; 8], port).into();
        match listen_tcp(None, any) {
            Ok(six) => assert_eq!(six.local_addr().unwrap().port(), port),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => panic!("{error}"),
            Err(error) => eprintln!("SKIPPED: no IPv6 here: {error}"),
        }
        assert_eq!(
            listen_tcp(None, ([0, 0, 0, 0], port).into()).map(drop).unwrap_err().kind(),
            io::ErrorKind::AddrInUse
        );
    }
}
