//! Passwords and changing them. RFC 4252 §8.
//! Touches: passwords, on their way into the outbox.   Never: keeps one.
//! Invariants: a password is asked for as often as the settings say; a change is asked for only while a password request is open.
//! Errors: `Malformed`.   Allocates: the server's prompt.
//! Proved by: `client::tests`, `pair`.

use super::{Ask, Client, Method, Sent, Turn};
use crate::{Violation, request::encode_head};
use adit_wire::Message;
use adit_wire::auth::{Password, UserauthPasswdChangereq};
use zeroize::Zeroizing;

impl Client {
    /// The password; the answer to [`Ask::Password`].
    pub fn password(&mut self, password: Zeroizing<alloc::vec::Vec<u8>>) {
        if let Turn::Password = self.turn {
            self.send_password(&Password { password: &password, new_password: None });
        }
    }

    /// The old and the new password; the answer to [`Ask::ChangePassword`].
    pub fn change_password(
        &mut self,
        old: Zeroizing<alloc::vec::Vec<u8>>,
        new: Zeroizing<alloc::vec::Vec<u8>>,
    ) {
        if let Turn::ChangePassword = self.turn {
            self.send_password(&Password { password: &old, new_password: Some(&new) });
        }
    }

    /// Asks for a password unless that was done often enough.
    pub(super) fn attempt_password(&mut self) -> bool {
        if self.password_attempts >= self.config.number_of_password_prompts {
            return false;
        }
        self.password_attempts += 1;
        if self.password_attempts > 1 {
            self.asks.push_back(Ask::TryAgain(Method::Password));
        }
        self.ask(Turn::Password, Ask::Password { attempt: self.password_attempts });
        true
    }

    /// USERAUTH_PASSWD_CHANGEREQ: the password is right, and too old.
    pub(super) fn passwd_changereq(&mut self, payload: &[u8]) -> Result<(), Violation> {
        let message = UserauthPasswdChangereq::decode(payload)?;
        self.sent.pop_front();
        self.ask(Turn::ChangePassword, Ask::ChangePassword { prompt: message.prompt.into() });
        Ok(())
    }

    fn send_password(&mut self, body: &Password<'_>) {
        let user = &self.config.user;
        self.outbox.push(|out| {
            encode_head(user, Method::Password.name(), out);
            body.encode(out);
        });
        self.sent.push_back(Sent::Password);
        self.turn = Turn::Peer;
    }
}
