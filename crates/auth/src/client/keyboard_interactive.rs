//! Rounds of questions and answers. RFC 4256.
//! Touches: the server's prompts, the user's answers on their way into the outbox.   Never: keeps an answer.
//! Invariants: one round is open at a time; each gets as many answers as it has prompts.
//! Errors: `InfoRequestBeforeResponse`, `TooManyPrompts`, `TooManyInfoRequests`.   Allocates: the prompts of one round.
//! Proved by: `client::tests`, `pair`.

use super::{Ask, Client, Method, Sent, Turn};
use crate::{Prompt, Violation, request::encode_head};
use adit_wire::Body;
use adit_wire::auth::{KeyboardInteractive, UserauthInfoRequest, UserauthInfoResponse};
use alloc::vec::Vec;
use zeroize::Zeroizing;

/// Prompts in one round; OpenSSH's server has the same bound for answers.
const MAX_PROMPTS: usize = 100;

/// Rounds of one login. A server could ask for ever what needs no answer.
const MAX_ROUNDS: u32 = 100;

/// How often the method was started and what came of it.
#[derive(Default)]
pub(super) struct Interactive {
    attempts: u32,
    rounds: u32,
}

impl Client {
    /// One answer for each prompt, in order; the answer to [`Ask::Answers`]. Another number of them is taken as
    /// [`cancel`](Self::cancel).
    pub fn answers(&mut self, answers: Vec<Zeroizing<Vec<u8>>>) {
        match self.turn {
            Turn::Answers { count } if count == answers.len() => self.send_answers(&answers),
            Turn::Answers { .. } => self.cancel(),
            _ => (),
        }
    }

    /// Starts the method unless that was done often enough, or it never came to a question.
    pub(super) fn attempt_interactive(&mut self) -> bool {
        let Interactive { attempts, rounds } = self.interactive;
        if attempts >= self.config.number_of_password_prompts || (attempts > 0 && rounds == 0) {
            return false;
        }
        self.interactive.attempts += 1;
        if attempts > 0 {
            self.asks.push_back(Ask::TryAgain(Method::KeyboardInteractive));
        }
        let Self { config, outbox, .. } = self;
        outbox.push(|out| {
            encode_head(&config.user, Method::KeyboardInteractive.name(), out);
            let submethods = config.submethods.as_bytes();
            KeyboardInteractive { language_tag: b"", submethods }.encode(out);
        });
        self.sent.push_back(Sent::KeyboardInteractive);
        true
    }

    /// USERAUTH_INFO_REQUEST: what the server wants to know.
    pub(super) fn info_request(&mut self, payload: &[u8]) -> Result<(), Violation> {
        let message = UserauthInfoRequest::decode(payload)?;
        if let Turn::Answers { .. } = self.turn {
            return Err(Violation::InfoRequestBeforeResponse);
        }
        self.interactive.rounds += 1;
        if self.interactive.rounds > MAX_ROUNDS {
            return Err(Violation::TooManyInfoRequests);
        }
        if message.prompts().nth(MAX_PROMPTS).is_some() {
            return Err(Violation::TooManyPrompts);
        }
        self.ask_user(&message);
        Ok(())
    }

    fn ask_user(&mut self, message: &UserauthInfoRequest<'_>) {
        let (name, instruction) = (message.name.to_vec(), message.instruction.to_vec());
        let prompts: Vec<_> =
            message.prompts().map(|(text, echo)| Prompt { text: text.into(), echo }).collect();
        if !prompts.is_empty() {
            let turn = Turn::Answers { count: prompts.len() };
            return self.ask(turn, Ask::Answers { name, instruction, prompts });
        }
        if !name.is_empty() || !instruction.is_empty() {
            self.asks.push_back(Ask::Notice { name, instruction });
        }
        self.send_answers(&[]);
    }

    fn send_answers(&mut self, answers: &[Zeroizing<Vec<u8>>]) {
        let responses = answers.iter().map(|answer| answer.as_slice());
        self.outbox.push(|out| UserauthInfoResponse::encode_responses(responses, out));
        self.turn = Turn::Peer;
    }
}
