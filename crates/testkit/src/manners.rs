//! How an end answers what it is asked: host keys, logins, channels, forwards.
//! Touches: answers.   Never: when they are given.
//! Invariants: the same question gets the same answer, except where a list is used up.
//! Errors: none.   Allocates: copies of answers.
//! Proved by: every test that logs in.

use crate::FixedRng;
use crate::keys;
use adit_auth::client::{Ask, Client, KeyUse};
use adit_auth::server::{self, Interactive, PasswordVerdict, Policy, Server};
use adit_auth::{Prompt, Violation};
use adit_crypto::{SignatureAlgorithm, SigningKey};
use std::collections::VecDeque;
use zeroize::Zeroizing;

/// What becomes of the channels and forwards a peer asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hospitality {
    /// Taken at once.
    Take,
    /// Taken, and everything that comes is sent back, EOF too.
    Echo,
    /// Refused with this reason.
    Refuse(u32),
    /// The test answers.
    Leave,
}

/// How one end behaves.
#[derive(Debug)]
pub struct Manners {
    /// A client: whether the host key is trusted.
    pub trusts_host: bool,
    /// A client: keys to offer, in order.
    pub keys: VecDeque<SigningKey>,
    /// A client: signs without asking first.
    pub sign_at_once: bool,
    /// A client: passwords, and answers to prompts, in order.
    pub secrets: VecDeque<&'static str>,
    /// A server: what is asked of everybody.
    pub policy: Policy,
    /// A server: whose keys may log in.
    pub authorized: Vec<Vec<u8>>,
    /// A server: the password, and the answer to the prompt.
    pub password: &'static str,
    /// A server: the password has expired until it is changed.
    pub expired: bool,
    /// Channels and forwards.
    pub hospitality: Hospitality,
    /// What came is delivered at once.
    pub delivers: bool,
    /// The key offered last, which signs.
    pub signing: Option<SigningKey>,
}

impl Default for Manners {
    /// A client with one key, and a server that knows it, and both know a password; everything is taken.
    fn default() -> Self {
        Self {
            trusts_host: true,
            keys: [keys::key(1)].into(),
            sign_at_once: false,
            secrets: ["secret"].into(),
            policy: Policy::default(),
            authorized: vec![keys::key(1).public_blob()],
            password: "secret",
            expired: false,
            hospitality: Hospitality::Take,
            delivers: true,
            signing: None,
        }
    }
}

impl Manners {
    fn secret(&mut self) -> Option<Zeroizing<Vec<u8>>> {
        self.secrets.pop_front().map(|secret| Zeroizing::new(secret.into()))
    }

    /// Answers a client's login.
    pub fn answer(&mut self, ask: &Ask, login: &mut Client) {
        match ask {
            Ask::Publickey { .. } => match self.keys.pop_front() {
                Some(key) => {
                    let key_use =
                        if self.sign_at_once { KeyUse::SignAtOnce } else { KeyUse::Probe };
                    login.offer_key(&key.public_blob(), key_use);
                    self.signing = Some(key);
                }
                None => login.no_more_keys(),
            },
            Ask::Sign(request) => {
                let algorithm = SignatureAlgorithm::from_name(&request.signature_algorithm);
                let signature =
                    self.signing.as_ref().zip(algorithm).and_then(|(key, algorithm)| {
                        key.sign(algorithm, &request.data, &mut FixedRng::new(3)).ok()
                    });
                login.signed(signature);
            }
            Ask::Password { .. } => match self.secret() {
                Some(password) => login.password(password),
                None => login.cancel(),
            },
            Ask::ChangePassword { .. } => match (self.secret(), self.secret()) {
                (Some(old), Some(new)) => login.change_password(old, new),
                _ => login.cancel(),
            },
            Ask::Answers { prompts, .. } => {
                let answers = prompts.iter().map_while(|_| self.secret()).collect();
                login.answers(answers);
            }
            _ => {}
        }
    }

    /// Answers a server's login.
    pub fn judge(&mut self, ask: &server::Ask, login: &mut Server) -> Result<(), Violation> {
        match ask {
            server::Ask::User { .. } => login.policy(self.policy.clone()),
            server::Ask::CheckKey(check) => {
                login.key_checked(self.authorized.contains(&check.public_key))
            }
            server::Ask::CheckPassword { password, new_password } => {
                let right = password.expose() == self.password.as_bytes();
                login.password_checked(match (right, self.expired && new_password.is_none()) {
                    (false, _) => PasswordVerdict::Refused,
                    (true, true) => PasswordVerdict::Expired { prompt: b"New password:".into() },
                    (true, false) => PasswordVerdict::Accepted,
                })
            }
            server::Ask::KeyboardInteractive { .. } => {
                let prompts = vec![Prompt { text: b"Password: ".into(), echo: false }];
                let (name, instruction) = (vec![], b"Who goes there?".into());
                login.interactive(Interactive::Prompts { name, instruction, prompts })
            }
            server::Ask::Responses(responses) => {
                let right = responses.iter().all(|each| each.expose() == self.password.as_bytes());
                let verdict = if right { Interactive::Accepted } else { Interactive::Refused };
                login.interactive(verdict)
            }
            server::Ask::Pause { .. } => login.resume(),
            _ => Ok(()),
        }
    }
}
