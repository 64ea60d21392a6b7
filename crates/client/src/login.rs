//! Logging in: what the login machine asks, answered from keys, agent and terminal. RFC 4252, ssh(1).
//! Touches: identities, prompts.   Never: the login's messages, or the order of methods.
//! Invariants: a server whose host key is in doubt gets no password.
//! Errors: printed in ssh's words.   Allocates: answers, wiped when sent.
//! Proved by: interop `auth_methods.rs`.

use crate::host_key::Trust;
use crate::identity::Identities;
use crate::log::{debug, error, info, sanitized, sanitized_lines, verbose};
use crate::prompt::{Echo, Prompter};
use adit_auth::client::{Ask, Client};
use adit_auth::{Method, Prompt};
use zeroize::Zeroizing;

/// Bytes that are wiped when dropped.
type Secret = Zeroizing<Vec<u8>>;

/// Answers for one login.
pub(crate) struct Login {
    pub(crate) identities: Identities,
    pub(crate) prompter: Box<dyn Prompter>,
    /// `user@host`, for prompts.
    pub(crate) who: String,
    pub(crate) trust: Trust,
}

/// How a login ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The user is in, by this method.
    In(Method),
    /// Nothing is left to try; the server's list.
    Denied(String),
}

impl Login {
    pub(crate) fn new(identities: Identities, prompter: Box<dyn Prompter>, who: String) -> Self {
        Self { identities, prompter, who, trust: Trust::Full }
    }

    /// Answers one question, or takes note.
    pub(crate) fn answer(&mut self, ask: Ask, client: &mut Client) -> Option<Outcome> {
        match ask {
            Ask::Publickey { first } => self.offer(first, client),
            Ask::Sign(request) => client.signed(self.identities.sign(&request, &*self.prompter)),
            Ask::Password { .. } => self.password(client),
            Ask::ChangePassword { prompt } => self.change_password(&prompt, client),
            Ask::Answers { name, instruction, prompts } => {
                self.questions(&name, &instruction, &prompts, client)
            }
            Ask::Notice { name, instruction } => show(&name, &instruction),
            Ask::Banner(text) => info!("{}", sanitized_lines(&text).trim_end_matches('\n')),
            Ask::TryAgain(Method::Password) => error!("Permission denied, please try again."),
            Ask::KeySkipped { public_key, reason } => {
                debug!("Skipping key {}: {reason:?}", crate::identity::describe(&public_key));
            }
            Ask::PartialSuccess(method) => {
                verbose!("Authenticated using \"{}\" with partial success.", method.name())
            }
            Ask::Success { method, .. } => return Some(Outcome::In(method)),
            Ask::Failed { methods } => return Some(Outcome::Denied(methods)),
            _ => {}
        }
        None
    }

    fn offer(&mut self, first: bool, client: &mut Client) {
        match self.identities.next(first, &*self.prompter) {
            Some(offered) => client.offer_key(&offered.blob, offered.key_use),
            None => client.no_more_keys(),
        }
    }

    fn secret(&self, question: &str) -> Option<Secret> {
        self.prompter
            .ask(question, Echo::Off)
            .map(|answer| Zeroizing::new(answer.as_bytes().to_vec()))
    }

    fn password(&self, client: &mut Client) {
        if self.trust == Trust::Crippled {
            return client.cancel();
        }
        match self.secret(&format!("{}'s password: ", self.who)) {
            Some(password) => client.password(password),
            None => client.cancel(),
        }
    }

    fn change_password(&self, prompt: &[u8], client: &mut Client) {
        if !prompt.is_empty() {
            info!("{}", sanitized_lines(prompt));
        }
        match self.new_password() {
            Some((old, new)) => client.change_password(old, new),
            None => client.cancel(),
        }
    }

    /// The old password, and a new one typed twice.
    fn new_password(&self) -> Option<(Secret, Secret)> {
        let old = self.secret(&format!("Enter {}'s old password: ", self.who))?;
        loop {
            let new = self.secret(&format!("Enter {}'s new password: ", self.who))?;
            let again = self.secret(&format!("Retype {}'s new password: ", self.who))?;
            if new == again {
                return Some((old, new));
            }
            error!("Mismatch; try again, EOF to quit.");
        }
    }

    fn questions(&self, name: &[u8], instruction: &[u8], prompts: &[Prompt], client: &mut Client) {
        if self.trust == Trust::Crippled {
            return client.cancel();
        }
        show(name, instruction);
        let ask = |prompt: &Prompt| {
            let question = format!("({}) {}", self.who, sanitized(&prompt.text));
            let echo = if prompt.echo { Echo::On } else { Echo::Off };
            self.prompter
                .ask(&question, echo)
                .map(|answer| Zeroizing::new(answer.as_bytes().to_vec()))
        };
        match prompts.iter().map(ask).collect() {
            Some(answers) => client.answers(answers),
            None => client.cancel(),
        }
    }
}

fn show(name: &[u8], instruction: &[u8]) {
    for text in [name, instruction] {
        if !text.is_empty() {
            info!("{}", sanitized_lines(text).trim_end_matches('\n'));
        }
    }
}

#[cfg(test)]
mod tests;
