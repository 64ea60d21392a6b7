//! Passwords. RFC 4252 §8.
//! Touches: a password, on its way to the driver.   Never: what it should be.
//! Invariants: an endless password is refused unread.
//! Errors: `Malformed`.   Allocates: the passwords of one request, wiped when dropped.
//! Proved by: `server::tests`, `pair`.

use super::{Ask, Method, Proof, Proven, Secret, Server, State};
use crate::Violation;
use adit_wire::Message;
use adit_wire::auth::{Password, UserauthPasswdChangereq};
use alloc::vec::Vec;

/// No password is longer; hashing a huge one would be the client's to spend. OpenSSH has the same bound.
const MAX_PASSWORD: usize = 1024;

/// The driver's word on a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PasswordVerdict {
    /// It is right, and changed if that was asked for.
    Accepted,
    /// It is wrong, or cannot be changed.
    Refused,
    /// It is right but has expired: the client must send it with a new one.
    Expired {
        /// Text for the user.
        prompt: Vec<u8>,
    },
}

impl Server {
    /// Whether the password is right; the answer to [`Ask::CheckPassword`].
    ///
    /// # Errors
    /// [`Violation`]: a message kept for later is at fault.
    pub fn password_checked(&mut self, verdict: PasswordVerdict) -> Result<(), Violation> {
        self.guarded(|server| {
            if let State::Password = server.state {
                server.state = State::Request;
                server.judge(&verdict);
            }
            server.dispatch_pending()
        })
    }

    /// A `password` request.
    pub(super) fn password(&mut self, body: &[u8]) -> Result<(), Violation> {
        let body = Password::decode(body)?;
        let new_len = body.new_password.map_or(0, <[u8]>::len);
        if body.password.len().max(new_len) > MAX_PASSWORD {
            self.refuse(Some(Method::Password));
            return Ok(());
        }
        let ask = Ask::CheckPassword {
            password: Secret::new(body.password),
            new_password: body.new_password.map(Secret::new),
        };
        self.ask(State::Password, ask);
        Ok(())
    }

    fn judge(&mut self, verdict: &PasswordVerdict) {
        match verdict {
            PasswordVerdict::Accepted => {
                self.succeed(Proof(Proven { method: Method::Password, public_key: None }));
            }
            PasswordVerdict::Refused => self.refuse(Some(Method::Password)),
            PasswordVerdict::Expired { prompt } => self.outbox.push(|out| {
                UserauthPasswdChangereq { prompt, language_tag: b"" }.encode(out);
            }),
        }
    }
}
