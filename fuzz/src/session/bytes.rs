//! Whole connections from the first byte: anybody sends anything, and nothing is encrypted under the fuzzer.
//! Touches: `adit_engine` with an application that takes what it is offered.   Never: sockets, keys worth anything.
//! Invariants: however the bytes are cut, the same happens and the same is said; an answer is no longer than it may be;
//! data handed on was sent.
//! Errors: a panic is a finding.   Allocates: freely.
//! Proved by: the seeds, which are whole connections; `tests/seeds.rs` sees that they come as far as channels.

use adit_engine::{Forward, Open, Request, ServerConfig};
use adit_testkit::keys::{client_config, client_transport, server_config, server_transport};
use adit_testkit::{End, Hospitality, Manners, Seen};
use adit_transport::Role;

/// Answers to a byte are no longer than this on the whole: an opened channel on five of them is answered at length.
const ANSWER: usize = 64;

/// What is said whoever is there: identification, KEXINIT, extensions, a login's requests, what `act` does.
const UNASKED: usize = 16 << 10;

/// The first byte chooses the role, the application and how the rest is cut.
pub fn session_bytes(bytes: &[u8]) {
    let Some((choice, rest)) = bytes.split_first() else { return };
    let piece = 1 + usize::from(choice >> 3) * 7;
    let (whole, said) = happens(*choice, rest, rest.len().max(1));
    let (cut, said_to_pieces) = happens(*choice, rest, piece);
    assert_eq!(whole, cut);
    assert_eq!(said, said_to_pieces, "of {whole:#?}");
    assert!(said.len() <= UNASKED + ANSWER * rest.len(), "{} to {}", said.len(), rest.len());
}

/// How far the bytes bring somebody: what an end sees of them, whole.
pub fn seen(bytes: &[u8]) -> Vec<Seen> {
    bytes.split_first().map_or_else(Vec::new, |(choice, rest)| happens(*choice, rest, rest.len()).0)
}

fn happens(choice: u8, bytes: &[u8], piece: usize) -> (Vec<Seen>, Vec<u8>) {
    let mut us = begin(choice);
    let mut said = us.take_output();
    for part in bytes.chunks(piece) {
        us.receive(part);
        said.extend(us.take_output());
    }
    let received: usize = us.flows.values().map(|flow| flow.received.len()).sum();
    assert!(received <= bytes.len(), "{received} bytes out of {}", bytes.len());
    (us.take_seen(), said)
}

fn begin(choice: u8) -> End {
    let hospitality = if choice & 2 == 0 { Hospitality::Take } else { Hospitality::Echo };
    let manners = Manners { hospitality, delivers: choice & 4 == 0, ..Manners::default() };
    let mut us = if choice & 1 == 0 {
        End::client(client_config(client_transport()), manners, 1)
    } else {
        // Whoever says that a key is theirs is believed; whose keys are let in is still asked.
        let config = ServerConfig { verify: |_| true, ..server_config(server_transport()) };
        End::server(config, manners, 1)
    };
    us.reaction = Some(Box::new(react));
    us
}

/// What gives the peer something to answer: a client opens channels and asks for forwards, a server has connections for
/// those that are asked of it.
pub fn react(us: &mut End, seen: &Seen) {
    match seen {
        Seen::Established if us.role == Role::Client => {
            let channel = us.open(&Open::direct_tcpip("db", 5432, "127.0.0.1", 40_000));
            us.send(channel, b"hello");
            us.open(&Open::Session);
            let _ = us.engine.request_forward(Forward::tcpip("localhost", 0));
            let _ = us.engine.keepalive();
        }
        Seen::Opened(channel) => {
            // Refused where it is no session: that is an answer, too.
            let _ = us.engine.request(*channel, &Request::Exec { command: b"ls".into() }, true);
        }
        Seen::ForwardRequested(_) if us.flows.len() < 8 => {
            let channel = us.open(&Open::forwarded_tcpip("localhost", 40_000, "192.0.2.9", 999));
            us.send(channel, b"from afar");
            us.send_eof(channel);
        }
        _ => {}
    }
}
