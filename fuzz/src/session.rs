//! Whole connections: a peer whose cryptography is right sends any messages, at login or after it.
//! Touches: `adit_engine` through `adit_testkit`'s scripted peer.   Never: sockets.
//! Invariants: what an engine answers is bounded by what it is sent; an error stays one; data handed on was sent.
//! Errors: a panic is a finding.   Allocates: freely.
//! Proved by: the seeds.

mod bytes;
mod operations;
mod peer;

pub use bytes::{react, seen, session_bytes};
pub use operations::session_operations;

use adit_engine::{Forward, Open};
use adit_testkit::{End, Hospitality, Script, Seen, script};

/// Answers to a message are no longer than this, however short it is.
const ANSWER: usize = 1024;

/// The first byte chooses role and phase; then messages, each behind two bytes of length. A message of no bytes
/// lets the end under test do something.
pub fn session(bytes: &[u8]) {
    let Some((choice, mut rest)) = bytes.split_first() else { return };
    let mut script = begin(*choice);
    while script.us.error().is_none() {
        let Some((len, after)) = rest.split_first_chunk::<2>() else { break };
        let len = usize::from(u16::from_be_bytes(*len)).min(after.len());
        let (message, after) = after.split_at(len);
        rest = after;
        match message {
            [] => act(&mut script.us),
            message => script.sends_payload(message),
        }
    }
    let sent = bytes.len();
    let said: usize = std::iter::from_fn(|| script.hears()).map(|payload| payload.len()).sum();
    assert!(said <= 3 * sent + ANSWER * (1 + sent / 2), "{said} bytes said to {sent}");
    let received: usize = script.us.flows.values().map(|flow| flow.received.len()).sum();
    assert!(received <= sent, "{received} bytes out of {sent}");
}

fn begin(choice: u8) -> Script {
    let us = if choice & 1 == 0 { script::client() } else { script::server() };
    let mut script = match choice >> 1 & 1 {
        0 => Script::at_login(us),
        _ => Script::established(us),
    };
    script.us.manners.delivers = choice & 4 != 0;
    if choice & 8 != 0 {
        script.us.manners.hospitality = Hospitality::Echo;
    }
    if script.us.engine.is_established() {
        act(&mut script.us);
    }
    script
}

/// What gives the peer something to answer: a channel with data on it, a forward, a question.
fn act(us: &mut End) {
    let established = us.seen.contains(&Seen::Established) || us.engine.is_established();
    if !established || us.flows.len() > 8 {
        return;
    }
    let channel = us.open(&Open::direct_tcpip("db", 5432, "127.0.0.1", 40_000));
    us.send(channel, b"hello");
    let _ = us.engine.request_forward(Forward::tcpip("localhost", 0));
    let _ = us.engine.keepalive();
    us.settle();
}
