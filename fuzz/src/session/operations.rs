//! A peer that keeps every rule, driven by operations: nothing it says may end the connection, or get lost.
//! Touches: `adit_engine` behind `adit_testkit`'s scripted peer, logged in.   Never: what a peer may not do: `session` does.
//! Invariants: see `Peer`.
//! Errors: a panic is a finding.   Allocates: freely.
//! Proved by: the seeds.

use super::peer::{Kind, Peer};
use adit_testkit::{Script, script};
use arbitrary::{Arbitrary, Unstructured};

/// What the peer does, or the end under test.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Operation {
    Open {
        kind: u8,
        window: u16,
        largest: u16,
    },
    /// Takes or refuses what the end under test has asked for.
    Answer {
        pick: u8,
        accept: bool,
        window: u16,
        largest: u16,
    },
    Data {
        pick: u8,
        len: u16,
        stderr: bool,
    },
    Adjust {
        pick: u8,
        bytes: u16,
    },
    Eof {
        pick: u8,
    },
    Close {
        pick: u8,
    },
    Request {
        pick: u8,
        kind: u8,
        want_reply: bool,
    },
    AnswerRequest {
        pick: u8,
        success: bool,
    },
    Global {
        kind: u8,
        port: u8,
        want_reply: bool,
    },
    AnswerGlobal {
        success: bool,
    },
    Chatter {
        kind: u8,
        len: u8,
    },
    Rekey {
        ours: bool,
    },
    WeOpen {
        kind: u8,
    },
    WeAnswer {
        pick: u8,
        accept: bool,
    },
    WeSend {
        pick: u8,
        len: u16,
    },
    WeDeliver {
        pick: u8,
        len: u16,
    },
    WeSendEof {
        pick: u8,
    },
    WeClose {
        pick: u8,
    },
    WeRequest {
        pick: u8,
        want_reply: bool,
    },
    WeAnswerRequest {
        pick: u8,
        success: bool,
    },
    WeAsk {
        kind: u8,
        port: u8,
    },
    WeReply {
        success: bool,
    },
    Wait {
        seconds: u8,
    },
}

/// The first byte chooses the role of the end under test; then operations.
pub fn session_operations(bytes: &[u8]) {
    let Some((choice, rest)) = bytes.split_first() else { return };
    let us = if choice & 1 == 0 { script::client() } else { script::server() };
    let mut peer = Peer::new(Script::established(us));
    let mut source = Unstructured::new(rest);
    while !source.is_empty() {
        let Ok(operation) = source.arbitrary() else { break };
        operate(&mut peer, operation);
        peer.check();
    }
    peer.finish();
}

fn operate(peer: &mut Peer, operation: Operation) {
    let nth = usize::from;
    match operation {
        Operation::Open { kind, window, largest } => peer.open(Kind::pick(kind), window, largest),
        Operation::Answer { pick, accept, window, largest } => {
            peer.answer_open(nth(pick), accept, window, largest);
        }
        Operation::Data { pick, len, stderr } => peer.data(nth(pick), len.into(), stderr),
        Operation::Adjust { pick, bytes } => peer.adjust(nth(pick), bytes.into()),
        Operation::Eof { pick } => peer.eof(nth(pick)),
        Operation::Close { pick } => peer.close(nth(pick)),
        Operation::Request { pick, kind, want_reply } => {
            peer.request(nth(pick), kind, want_reply);
        }
        Operation::AnswerRequest { pick, success } => peer.answer_request(nth(pick), success),
        Operation::Global { kind, port, want_reply } => peer.global(kind, port, want_reply),
        Operation::AnswerGlobal { success } => peer.answer_global(success),
        Operation::Chatter { kind, len } => peer.chatter(kind, len.into()),
        Operation::Rekey { ours } => peer.rekey(ours),
        Operation::WeOpen { kind } => peer.we_open(Kind::pick(kind)),
        Operation::WeAnswer { pick, accept } => peer.we_answer_open(nth(pick), accept),
        Operation::WeSend { pick, len } => peer.we_send(nth(pick), len.into()),
        Operation::WeDeliver { pick, len } => peer.we_deliver(nth(pick), len.into()),
        Operation::WeSendEof { pick } => peer.we_send_eof(nth(pick)),
        Operation::WeClose { pick } => peer.we_close(nth(pick)),
        Operation::WeRequest { pick, want_reply } => peer.we_request(nth(pick), want_reply),
        Operation::WeAnswerRequest { pick, success } => {
            peer.we_answer_request(nth(pick), success);
        }
        Operation::WeAsk { kind, port } => peer.we_ask(kind, port),
        Operation::WeReply { success } => peer.we_reply(success),
        Operation::Wait { seconds } => peer.wait(seconds.into()),
    }
}
