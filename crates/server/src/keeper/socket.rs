//! The pair of sockets between the two processes: whole messages, and descriptors with them. unix(7), SCM_RIGHTS.
//! Touches: one socket.   Never: what a message says.
//! Invariants: a message comes whole or not at all; a descriptor that comes goes to no child.
//! Errors: `io::Error`; a message that was cut off is one.   Allocates: a message.
//! Proved by: `tests` below.

use super::message::MAX_LENGTH;
use rustix::io::{Errno, retry_on_intr};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recv, recvmsg,
    sendmsg, socketpair,
};
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use zeroize::Zeroizing;

/// Descriptors in one message: the sockets of a service manager are the most there are.
pub(super) const MAX_DESCRIPTORS: usize = 128;

/// The two ends.
pub(super) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?)
}

/// Sends a message; waits while the other end is behind.
pub(super) fn send(
    socket: impl AsFd,
    message: &[u8],
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    if message.len() > MAX_LENGTH || descriptors.len() > MAX_DESCRIPTORS {
        return Err(Errno::MSGSIZE.into());
    }
    let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
    retry_on_intr(|| {
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() {
            // There is room for as many as were let through above.
            control.push(SendAncillaryMessage::ScmRights(descriptors));
        }
        sendmsg(&socket, &[IoSlice::new(message)], &mut control, SendFlags::NOSIGNAL)
    })?;
    Ok(())
}

/// A message with its descriptors.
pub(super) type Received = (Zeroizing<Vec<u8>>, Vec<OwnedFd>);

/// The next message; none once the other end is gone.
pub(super) fn receive(socket: impl AsFd) -> io::Result<Option<Received>> {
    // As large as the message: most are a hundred bytes, and all of it is wiped.
    let next =
        retry_on_intr(|| recv(&socket, [0; 0].as_mut_slice(), RecvFlags::PEEK | RecvFlags::TRUNC));
    let length = match next {
        Err(Errno::CONNRESET) => return Ok(None),
        other => other?.1,
    };
    if length > MAX_LENGTH {
        return Err(Errno::MSGSIZE.into());
    }
    let mut bytes = Zeroizing::new(vec![0; length]);
    let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = retry_on_intr(|| {
        let mut slices = [IoSliceMut::new(&mut bytes)];
        recvmsg(&socket, &mut slices, &mut control, RecvFlags::CMSG_CLOEXEC)
    });
    let received = match received {
        Err(Errno::CONNRESET) => return Ok(None),
        other => other?,
    };
    let mut descriptors = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            descriptors.extend(rights);
        }
    }
    if received.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC) {
        return Err(Errno::MSGSIZE.into());
    }
    bytes.truncate(received.bytes);
    // No message of ours is empty.
    Ok((received.bytes > 0).then_some((bytes, descriptors)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    #[test]
    fn messages_come_one_by_one_and_descriptors_with_their_own() {
        let (near, far) = pair().unwrap();
        let (mut writer, reader) = UnixStream::pair().unwrap();
        send(&near, b"first", &[]).unwrap();
        send(&near, b"second", &[reader.as_fd()]).unwrap();
        drop(reader);
        let (first, none) = receive(&far).unwrap().unwrap();
        assert_eq!((first.as_slice(), none.len()), (&b"first"[..], 0));
        let (second, mut one) = receive(&far).unwrap().unwrap();
        assert_eq!((second.as_slice(), one.len()), (&b"second"[..], 1));
        let flags = rustix::io::fcntl_getfd(&one[0]).unwrap();
        assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
        writer.write_all(b"x").unwrap();
        let mut byte = [0];
        File::from(one.remove(0)).read_exact(&mut byte).unwrap();
        assert_eq!(&byte, b"x");
        drop(near);
        assert!(receive(&far).unwrap().is_none());
    }

    #[test]
    fn what_is_too_long_is_neither_sent_nor_taken() {
        let (near, far) = pair().unwrap();
        send(&near, &vec![1; MAX_LENGTH], &[]).unwrap();
        assert_eq!(receive(&far).unwrap().unwrap().0.len(), MAX_LENGTH);
        assert!(send(&near, &vec![1; MAX_LENGTH + 1], &[]).is_err());
        rustix::net::send(&near, &vec![1; MAX_LENGTH + 1], SendFlags::empty()).unwrap();
        assert!(receive(&far).is_err());
        let many = vec![near.as_fd(); MAX_DESCRIPTORS + 1];
        assert!(send(&near, b"x", &many).is_err());
    }
}
