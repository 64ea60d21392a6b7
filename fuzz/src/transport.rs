//! Whatever a server or a client sends instead of SSH, the transport says no and stays standing.
//! Touches: `adit_transport`, both roles.   Never: the layers above.
//! Invariants: an error stays an error; however the bytes are cut, they end the same.
//! Errors: a panic is a finding.   Allocates: freely.
//! Proved by: the seeds.

use adit_buf::{RxBuf, TxRing};
use adit_testkit::FixedRng;
use adit_testkit::keys::{client_transport, server_transport};
use adit_transport::{Config, Incoming, Role, Transport};
use std::sync::Arc;

/// The first byte chooses the role and how the rest is cut.
pub fn transport_bytes(bytes: &[u8]) {
    let Some((first, rest)) = bytes.split_first() else { return };
    let piece = usize::from(first >> 1).max(1);
    let role = if first & 1 == 0 { Role::Client } else { Role::Server };
    assert_eq!(ended(role, rest, rest.len().max(1)), ended(role, rest, piece));
}

/// What one side makes of the bytes when they come in pieces: its last words.
fn ended(role: Role, bytes: &[u8], piece: usize) -> String {
    let mut transport = Transport::new(Arc::new(config(role)), Box::new(FixedRng::new(7)), 0);
    let (mut rx, mut tx) = (RxBuf::new(), TxRing::new());
    transport.start(&mut tx);
    for part in bytes.chunks(piece) {
        rx.extend(part);
        loop {
            match transport.next_packet(&mut rx, &mut tx) {
                Ok(Some(Incoming::HostKey)) => transport.accept_host_key(&mut tx),
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(transport.next_packet(&mut rx, &mut tx).err(), Some(error.clone()));
                    // Which of two faults in one line is named may depend on when it is looked at.
                    let text = format!("{error:?}");
                    return text.split('(').next().unwrap_or_default().to_owned();
                }
            }
        }
    }
    format!("{:?}", transport.peer_identification())
}

fn config(role: Role) -> Config {
    match role {
        Role::Client => Config { guess_kex: true, ..client_transport() },
        Role::Server => server_transport(),
    }
}
