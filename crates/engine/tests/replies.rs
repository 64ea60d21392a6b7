//! Global requests have no numbers: only their order says which reply is whose, however late and mixed they come. RFC 4254 §4.

use adit_engine::{Forward, Outcome, RequestId};
use adit_testkit::{FixedRng, Script, Seen, script};
use adit_wire::Rest;
use adit_wire::global_request::{GlobalRequest, RequestFailure, RequestSuccess};

/// What a reply must tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Refused,
    Listening(u32),
    Cancelled,
}

/// A client whose requests a server keeps and answers when it likes, as it likes.
struct Play {
    script: Script,
    random: FixedRng,
    /// Asked and not answered, oldest first: whether it was a cancel.
    open: Vec<(RequestId, bool)>,
    /// Forwards that stand.
    standing: Vec<RequestId>,
}

impl Play {
    fn asks(&mut self) {
        let cancel = !self.standing.is_empty() && self.random.one_in(2);
        let request = if cancel {
            let at = self.random.below(self.standing.len());
            let forward = self.standing.swap_remove(at);
            self.script.us.engine.cancel_forward(forward).expect("it stands")
        } else {
            self.script.us.engine.request_forward(Forward::tcpip("", 0)).expect("there is room")
        };
        self.open.push((request, cancel));
        self.script.us.settle();
        self.script.expects_number(80);
    }

    fn answers(&mut self, port: u32) {
        let (request, cancel) = self.open.remove(0);
        let refused = self.random.one_in(3);
        let port_bytes = port.to_be_bytes();
        let data = Rest(if cancel { b"" } else { &port_bytes[..] });
        if refused {
            self.script.sends(&RequestFailure {});
        } else {
            self.script.sends(&RequestSuccess { data });
        }
        let expected = match (refused, cancel) {
            (true, _) => Told::Refused,
            (false, true) => Told::Cancelled,
            (false, false) => Told::Listening(port),
        };
        let seen = self.script.us.take_seen();
        let [Seen::Reply { request: told, outcome }] = &seen[..] else { panic!("{seen:?}") };
        assert_eq!(*told, request);
        let outcome = match outcome {
            Outcome::Refused => Told::Refused,
            Outcome::Listening { port } => Told::Listening(*port),
            Outcome::Done(_) => Told::Cancelled,
        };
        assert_eq!(outcome, expected);
        if let Told::Listening(_) = outcome {
            self.standing.push(request);
        }
    }
}

#[test]
fn a_thousand_forwards_and_cancels_answered_late_each_get_their_own_reply() {
    let mut play = Play {
        script: Script::established(script::client()),
        random: FixedRng::new(29),
        open: vec![],
        standing: vec![],
    };
    play.script.us.take_seen();
    for port in 1..=1000 {
        if play.random.one_in(2) {
            play.asks();
        } else if !play.open.is_empty() {
            play.answers(port);
        }
    }
    while !play.open.is_empty() {
        play.answers(2000);
    }
    play.script.sends(&RequestFailure {});
    play.script.expects_disconnect(2, "reply to a request that was not made");
}

#[test]
fn a_request_that_wants_no_reply_gets_none() {
    let mut script = Script::established(script::server());
    script.sends(&GlobalRequest { request_name: "x", want_reply: false, data: Rest(b"") });
    script.sends(&GlobalRequest { request_name: "x", want_reply: true, data: Rest(b"") });
    script.expects(&RequestFailure {});
    script.expects_nothing();
}
