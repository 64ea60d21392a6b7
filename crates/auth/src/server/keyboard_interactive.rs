//! Rounds of questions and answers. RFC 4256.
//! Touches: the driver's prompts, the client's answers on their way to the driver.   Never: what they mean.
//! Invariants: answers are taken once per round and in the number asked for.
//! Errors: `Malformed`, `ResponseWithoutRequest`, `TooManyPrompts`.   Allocates: the answers of one round, wiped when dropped.
//! Proved by: `server::tests`, `pair`.

use super::{Ask, Method, Proof, Proven, Secret, Server, State};
use crate::{Prompt, Violation};
use adit_wire::Body;
use adit_wire::auth::{KeyboardInteractive, UserauthInfoRequest, UserauthInfoResponse};
use alloc::vec::Vec;

/// Answers in one message; OpenSSH has the same bound.
const MAX_RESPONSES: usize = 100;

/// What the driver makes of a `keyboard-interactive` login so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Interactive {
    /// Ask the user.
    Prompts {
        /// Heading; may be empty.
        name: Vec<u8>,
        /// Text under it; may be empty.
        instruction: Vec<u8>,
        /// The questions; none is a text to show.
        prompts: Vec<Prompt>,
    },
    /// That will do.
    Accepted,
    /// It will not.
    Refused,
}

impl Server {
    /// The next questions, or the end of it; the answer to [`Ask::KeyboardInteractive`] and [`Ask::Responses`].
    ///
    /// # Errors
    /// [`Violation`]: a message kept for later is at fault.
    pub fn interactive(&mut self, step: Interactive) -> Result<(), Violation> {
        self.guarded(|server| {
            if let State::Interactive = server.state {
                server.state = State::Request;
                server.interact(&step);
            }
            server.dispatch_pending()
        })
    }

    /// A `keyboard-interactive` request.
    pub(super) fn keyboard_interactive(&mut self, body: &[u8]) -> Result<(), Violation> {
        let submethods = KeyboardInteractive::decode(body)?.submethods.into();
        self.ask(State::Interactive, Ask::KeyboardInteractive { submethods });
        Ok(())
    }

    /// USERAUTH_INFO_RESPONSE: the client's answers.
    pub(super) fn info_response(&mut self, payload: &[u8]) -> Result<(), Violation> {
        let message = UserauthInfoResponse::decode(payload)?;
        let State::Responses { count } = self.state else {
            return Err(Violation::ResponseWithoutRequest);
        };
        if message.responses().nth(MAX_RESPONSES).is_some() {
            return Err(Violation::TooManyPrompts);
        }
        let responses: Vec<_> = message.responses().map(Secret::new).collect();
        if responses.len() == count {
            self.ask(State::Interactive, Ask::Responses(responses));
        } else {
            self.refuse(Some(Method::KeyboardInteractive));
        }
        Ok(())
    }

    fn interact(&mut self, step: &Interactive) {
        let method = Method::KeyboardInteractive;
        match step {
            Interactive::Accepted => self.succeed(Proof(Proven { method, public_key: None })),
            Interactive::Refused => self.refuse(Some(method)),
            Interactive::Prompts { name, instruction, prompts } => {
                let lines: Vec<_> =
                    prompts.iter().map(|prompt| (prompt.text.as_slice(), prompt.echo)).collect();
                self.outbox.push(|out| {
                    UserauthInfoRequest::encode_prompts(name, instruction, &lines, out);
                });
                self.state = State::Responses { count: prompts.len() };
            }
        }
    }
}
