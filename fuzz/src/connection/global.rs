//! The books of global requests: who asked what, in what order, and where the server listens.
//! Touches: ids, tokens, ports.   Never: the layer that is under test.
//! Invariants: a reply is for the oldest request; a forward counts from its request to its refusal or its cancelling.
//! Errors: a panic where something else happened.   Allocates: queues.
//! Proved by: the target that keeps them.

use adit_connection::{Answer, Open, Outcome, ReplyToken, RequestError, RequestId};
use std::collections::VecDeque;

/// All global requests of a client.
#[derive(Debug, Default)]
pub(crate) struct Global {
    /// Those without a reply, oldest first.
    asked: VecDeque<Asked>,
    /// How many were replied to.
    replied: usize,
    /// How many have come to the server.
    arrived: usize,
    /// Which of them wait for the server's answer.
    tokens: Vec<(usize, ReplyToken)>,
    /// Forwards, and their ports once those are known.
    forwards: Vec<(RequestId, Option<u32>)>,
}

#[derive(Debug)]
struct Asked {
    id: RequestId,
    what: What,
    /// What the server has said.
    answer: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Keepalive,
    /// The port asked for, and the one to be.
    Forward {
        asked: u32,
        port: u32,
    },
    Cancel,
}

/// The first of a few ports, so that they are met again.
const FIRST_PORT: u32 = 3000;

impl Global {
    /// One of a few.
    pub(crate) fn port(choice: u8) -> u32 {
        FIRST_PORT + u32::from(choice % 8)
    }

    pub(crate) fn keepalive(&mut self, id: RequestId) {
        self.ask(id, What::Keepalive);
    }

    pub(crate) fn forward(&mut self, id: RequestId, asked: u32) {
        let chosen = Self::port((self.replied + self.asked.len()) as u8);
        let port = if asked == 0 { chosen } else { asked };
        self.ask(id, What::Forward { asked, port });
        self.forwards.push((id, (asked != 0).then_some(asked)));
    }

    pub(crate) fn nth_forward(&self, nth: usize) -> Option<RequestId> {
        nth.checked_rem(self.forwards.len()).map(|nth| self.forwards[nth].0)
    }

    pub(crate) fn cancel(&mut self, forward: RequestId, result: Result<RequestId, RequestError>) {
        let at = self.forwards.iter().position(|(id, _)| *id == forward).expect("picked from here");
        match (self.forwards[at].1, result) {
            (None, result) => assert_eq!(result, Err(RequestError::PortNotKnown)),
            (Some(_), result) => {
                self.ask(result.expect("its port is known"), What::Cancel);
                self.forwards.swap_remove(at);
            }
        }
    }

    fn ask(&mut self, id: RequestId, what: What) {
        self.asked.push_back(Asked { id, what, answer: None });
    }

    /// The next one comes to the server.
    pub(crate) fn arrives(&mut self) {
        self.arrived += 1;
    }

    /// It was answered at once: that is what becomes of questions whether anybody is there.
    pub(crate) fn refused_at_once(&mut self) {
        let last = &mut self.asked[self.arrived - 1 - self.replied];
        assert_eq!(last.what, What::Keepalive);
        last.answer = Some(false);
    }

    /// The server is asked.
    pub(crate) fn asks(&mut self, token: ReplyToken) {
        assert!(token.is_awaited());
        self.tokens.push((self.arrived - 1, token));
    }

    pub(crate) fn is_asked(&self) -> bool {
        !self.tokens.is_empty()
    }

    /// What the server says to one of those that wait.
    pub(crate) fn answer(
        &mut self,
        nth: usize,
        success: bool,
    ) -> Option<(ReplyToken, Answer<'static>)> {
        let at = nth.checked_rem(self.tokens.len())?;
        let (serial, token) = self.tokens.swap_remove(at);
        let asked = &mut self.asked[serial - self.replied];
        asked.answer = Some(success);
        let answer = match asked.what {
            _ if !success => Answer::Failure,
            What::Forward { asked: 0, port } => Answer::Port(port),
            _ => Answer::Success,
        };
        Some((token, answer))
    }

    /// The client hears.
    pub(crate) fn replied(&mut self, request: RequestId, outcome: Outcome) {
        let asked = self.asked.pop_front().expect("something was asked");
        self.replied += 1;
        assert_eq!(asked.id, request, "replies come in order");
        let success = asked.answer.expect("the server has answered");
        let fits = match (success, asked.what) {
            (false, _) => outcome == Outcome::Refused,
            (true, What::Forward { port, .. }) => outcome == Outcome::Listening { port },
            (true, _) => matches!(outcome, Outcome::Done { len: 0, .. }),
        };
        assert!(fits, "{outcome:?} to {asked:?}");
        if let What::Forward { port, .. } = asked.what {
            match success {
                true => self.forwards.iter_mut().filter(|(id, _)| *id == request).for_each(|it| {
                    it.1 = Some(port);
                }),
                false => self.forwards.retain(|(id, _)| *id != request),
            }
        }
    }

    /// Whether a connection to this port was asked for.
    pub(crate) fn listens_for(&self, open: &Open<'_>) -> bool {
        let Open::ForwardedTcpip { port: wanted, .. } = open else { return false };
        self.forwards.iter().any(|(_, port)| port == &Some(*wanted))
    }

    /// `forward` is what asked for this.
    pub(crate) fn is_asked_for(&self, forward: Option<RequestId>, open: &Open<'_>) {
        let Open::ForwardedTcpip { port, .. } = open else { panic!("{open:?}") };
        let forward = forward.expect("a client takes no other");
        assert!(self.forwards.contains(&(forward, Some(*port))), "{forward:?} {open:?}");
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.asked.is_empty() && self.tokens.is_empty()
    }
}
