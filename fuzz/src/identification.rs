//! The lines before the first packet: what is taken for an identification is one, and what comes before it is bounded.
//! Touches: `adit_transport` until it knows whom it speaks with.   Never: packets.
//! Invariants: however the bytes are cut, the same lines are told, and the same end.
//! Errors: a panic is a finding.   Allocates: the lines.
//! Proved by: the seeds.

use adit_buf::{RxBuf, TxRing};
use adit_testkit::FixedRng;
use adit_testkit::keys::{client_transport, server_transport};
use adit_transport::{Incoming, Role, Transport};
use std::sync::Arc;

/// The first byte chooses the role and how the rest is cut.
pub fn identification(bytes: &[u8]) {
    let Some((choice, rest)) = bytes.split_first() else { return };
    let role = if choice & 1 == 0 { Role::Client } else { Role::Server };
    let piece = usize::from(choice >> 1).max(1);
    let whole = lines(role, rest, rest.len().max(1));
    let cut = lines(role, rest, piece);
    assert_eq!(whole.identification, cut.identification);
    // When a line too many is refused may depend on how much of it has been seen, but not what was told before.
    assert!(whole.refused == cut.refused && whole.preliminary == cut.preliminary);
    check(role, &whole, rest.len());
}

#[derive(Debug)]
struct Lines {
    preliminary: Vec<Vec<u8>>,
    identification: Option<Vec<u8>>,
    refused: Option<String>,
}

fn lines(role: Role, bytes: &[u8], piece: usize) -> Lines {
    let config = if role == Role::Client { client_transport() } else { server_transport() };
    let mut transport = Transport::new(Arc::new(config), Box::new(FixedRng::new(1)), 0);
    let (mut rx, mut tx) = (RxBuf::new(), TxRing::new());
    transport.start(&mut tx);
    let mut lines = Lines { preliminary: vec![], identification: None, refused: None };
    for part in bytes.chunks(piece) {
        rx.extend(part);
        loop {
            match transport.next_packet(&mut rx, &mut tx) {
                Ok(None) => break,
                Ok(Some(Incoming::Banner(span))) => lines.preliminary.push(rx.bytes(span).to_vec()),
                Ok(Some(_)) => {
                    lines.identification = transport.peer_identification().map(<[u8]>::to_vec);
                    return lines;
                }
                Err(error) => {
                    lines.refused = Some(format!("{error:?}"));
                    return lines;
                }
            }
        }
    }
    lines
}

/// RFC 4253 §4.2, and our own bounds.
fn check(role: Role, lines: &Lines, len: usize) {
    assert!(role == Role::Client || lines.preliminary.is_empty(), "a client says nothing before");
    assert!(lines.preliminary.len() <= 1024);
    let told: usize = lines.preliminary.iter().map(|line| line.len() + 1).sum();
    assert!(told <= len.min(64 << 10));
    for line in &lines.preliminary {
        assert!(!line.starts_with(b"SSH-") && !line.contains(&b'\n') && !line.contains(&0));
    }
    if let Some(line) = &lines.identification {
        assert!(line.starts_with(b"SSH-2.") || line.starts_with(b"SSH-1.99-"), "{line:?}");
        assert!(line.len() <= 254 && !line.contains(&b'\n') && !line.contains(&0));
    }
}
