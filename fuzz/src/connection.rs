//! The connection layer as a pair, driven by operations, beside plain books that are kept from the messages alone.
//! Touches: `adit_connection`'s public face, both ends.   Never: a transport, an engine.
//! Invariants: what may be sent is what the books say; no window is overrun, no budget exceeded; what comes is what was
//! sent, in order, and all of it before EOF; replies come in order; in the end nothing is left.
//! Errors: a panic is a finding.   Allocates: freely.
//! Proved by: the seeds.

mod books;
mod global;
mod pair;

use adit_connection::{Config, Side};
use arbitrary::{Arbitrary, Unstructured};
use pair::{CLIENT, Pair, SERVER};

/// What one end or the other does, or the world around them.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Operation {
    /// Asks for a channel: by the server on a port that it may listen on or not.
    Open {
        at: End,
        session: bool,
        port: u8,
    },
    /// Takes or refuses what the peer asked for.
    Answer {
        at: End,
        pick: u8,
        accept: bool,
    },
    /// Sends so many bytes, as far as may be.
    Send {
        at: End,
        pick: u8,
        len: u16,
        stderr: bool,
    },
    /// Calls so many bytes of what came delivered.
    Deliver {
        at: End,
        pick: u8,
        len: u16,
    },
    Eof {
        at: End,
        pick: u8,
    },
    Close {
        at: End,
        pick: u8,
    },
    /// Asks something of a session.
    Request {
        pick: u8,
        want_reply: bool,
    },
    AnswerRequest {
        pick: u8,
        success: bool,
    },
    /// Is there anybody?
    Keepalive,
    /// Asks the server to listen; port 0 lets it choose.
    Forward {
        port: u8,
    },
    Cancel {
        pick: u8,
    },
    /// The server answers, in whatever order.
    Reply {
        pick: u8,
        success: bool,
    },
    /// So many messages arrive.
    Pass {
        at: End,
        count: u8,
    },
    /// Milliseconds go by.
    Wait {
        milliseconds: u8,
    },
    Budget {
        at: End,
        bytes: u16,
    },
    RoundTrip {
        at: End,
        milliseconds: u8,
    },
    Rest {
        at: End,
    },
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum End {
    Client,
    Server,
}

impl End {
    const fn side(self) -> usize {
        match self {
            Self::Client => CLIENT,
            Self::Server => SERVER,
        }
    }
}

/// Small, so that limits are met.
#[derive(Arbitrary, Clone, Copy, Debug)]
struct Limits {
    initial_window: u16,
    max_packet: u16,
    memory_budget: u16,
    max_channels: u8,
}

impl Limits {
    fn config(self, side: Side) -> Config {
        Config {
            // With none at all nothing would ever be delivered, and so nothing granted.
            initial_window: u32::from(self.initial_window).max(1),
            max_packet: u32::from(self.max_packet),
            // Enough for a byte on every channel.
            memory_budget: 64 + u64::from(self.memory_budget),
            max_channels: 1 + u32::from(self.max_channels % 16),
            ..Config::new(side)
        }
    }
}

/// How it ends.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Ending {
    Honest,
    OneByteTooMany { to: End },
}

/// Both ends' limits, a purse that they share or none, how it ends, then operations.
pub fn connection_operations(bytes: &[u8]) {
    // What is too short for an operation ends the run.
    let _ = run(&mut Unstructured::new(bytes));
}

fn run(source: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let [client, server]: [Limits; 2] = source.arbitrary()?;
    let purse: Option<u16> = source.arbitrary()?;
    let ending: Ending = source.arbitrary()?;
    let mut pair = Pair::new(client.config(Side::Client), server.config(Side::Server), purse);
    while !source.is_empty() {
        let Ok(operation) = source.arbitrary() else { break };
        operate(&mut pair, operation);
        pair.check();
    }
    match ending {
        Ending::Honest => pair.finish(),
        Ending::OneByteTooMany { to } => pair.finish_with_one_byte_too_many(to.side()),
    }
    Ok(())
}

fn operate(pair: &mut Pair, operation: Operation) {
    let nth = usize::from;
    match operation {
        Operation::Open { at, session, port } => pair.open(at.side(), session, port),
        Operation::Answer { at, pick, accept } => pair.answer_open(at.side(), nth(pick), accept),
        Operation::Send { at, pick, len, stderr } => {
            pair.send(at.side(), nth(pick), usize::from(len), stderr);
        }
        Operation::Deliver { at, pick, len } => {
            pair.deliver(at.side(), nth(pick), usize::from(len))
        }
        Operation::Eof { at, pick } => pair.eof(at.side(), nth(pick)),
        Operation::Close { at, pick } => pair.close(at.side(), nth(pick)),
        Operation::Request { pick, want_reply } => pair.request(nth(pick), want_reply),
        Operation::AnswerRequest { pick, success } => pair.answer_request(nth(pick), success),
        Operation::Keepalive => pair.keepalive(),
        Operation::Forward { port } => pair.forward(port),
        Operation::Cancel { pick } => pair.cancel(nth(pick)),
        Operation::Reply { pick, success } => pair.reply(nth(pick), success),
        Operation::Pass { at, count } => (0..count % 8).for_each(|_| _ = pair.pass(at.side())),
        Operation::Wait { milliseconds } => pair.now += u64::from(milliseconds) * 8,
        Operation::Budget { at, bytes } => pair.set_budget(at.side(), u64::from(bytes)),
        Operation::RoundTrip { at, milliseconds } => {
            pair.ends[at.side()].us.note_rtt(u32::from(milliseconds));
        }
        Operation::Rest { at } => pair.ends[at.side()].us.rest(),
    }
}
