//! What the keeper knows of one connection: its session, who wants in, and what was proved.
//! Touches: a login machine of the keeper's own, the host.   Never: the network; anybody's word for who they are.
//! Invariants: session, then user, then proof, each once and in this order; a proof is over the session whose exchange hash
//! the keeper signed first; nothing is permitted before everything asked for was proved.
//! Errors: none; what does not fit the state is refused.   Allocates: one login's worth.
//! Proved by: `tests` of `answer`.
//!
//! ```text
//! Sign ──► session ──WhoIs──► applicant ──Login…──► Permissions ──► sockets, ports, sessions, further host keys
//! ```
//!
//! The login machine is that of the server itself, and it hears the same messages, so that both come to the same.

use super::message::Reply;
use super::places::Place;
use super::sitting::Sittings;
use crate::connection::Ends;
use crate::desk::{Applicant, is_password, key_verdict};
use crate::host::{Host, KeyRefusal};
use crate::login::{Who, password_prompt, policy, who_is};
use crate::policy::Permissions;
use crate::rules;
use crate::session::SessionRules;
use crate::settings::Settings;
use adit_auth::USERAUTH_SERVICE;
use adit_auth::Violation;
use adit_auth::server::{Ask, Config, Interactive, PasswordVerdict, Secret, Server};
use adit_keys::authorized_keys::Grants;
use adit_wire::auth::UserauthRequest;
use adit_wire::transport::ServiceRequest;
use adit_wire::{Message, Rest};
use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// One connection, as far as the keeper was told of it and has found out.
pub(super) struct Case {
    /// What was in force when it began.
    pub(super) settings: Arc<Settings>,
    session: Session,
    login: Mutex<Option<Box<Login>>>,
    /// Where it comes from, as the keeper was told.
    ends: OnceLock<Ends>,
    permissions: OnceLock<Arc<Permissions>>,
    pub(super) sittings: Sittings,
    /// Unix sockets it had made.
    sockets: Mutex<HashSet<String>>,
    /// Its place among those that have not logged in, until it has.
    place: Mutex<Option<Place>>,
}

/// The session that proofs are about.
pub(super) struct Session {
    /// The first exchange hash.
    pub(super) id: Vec<u8>,
    /// The host key, or its certificate, that signed it.
    pub(super) host_key: Vec<u8>,
}

/// A login that has begun.
struct Login {
    machine: Server,
    applicant: Applicant,
    granted: Vec<(Vec<u8>, Grants)>,
}

/// What a message came to.
#[derive(Default)]
struct Heard {
    accepted: bool,
    grants: Option<Grants>,
    refusal: Option<KeyRefusal>,
    permissions: Option<Permissions>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Case {
    pub(super) fn new(settings: Arc<Settings>, session: Session, place: Place) -> Self {
        Self {
            settings,
            session,
            login: Mutex::default(),
            ends: OnceLock::new(),
            permissions: OnceLock::new(),
            sittings: Sittings::default(),
            sockets: Mutex::default(),
            place: Mutex::new(Some(place)),
        }
    }

    /// It is no stranger any more: it has logged in, or is over.
    pub(super) fn leave(&self) {
        locked(&self.place).take();
    }

    pub(super) fn session_id(&self) -> &[u8] {
        &self.session.id
    }

    /// What the client may do, once it has proved who it is.
    pub(super) fn member(&self) -> Option<&Arc<Permissions>> {
        self.permissions.get()
    }

    /// What its sessions may do, if there may be any.
    pub(super) fn session_rules(&self) -> Option<SessionRules> {
        let rules = rules::sessions(*self.ends.get()?, self.member()?);
        rules.refusal().is_none().then_some(rules)
    }

    pub(super) fn sockets(&self) -> MutexGuard<'_, HashSet<String>> {
        locked(&self.sockets)
    }

    /// Who wants in: once.
    pub(super) fn who_is(&self, host: &dyn Host, user: &str, ends: Ends) -> Reply {
        let mut login = locked(&self.login);
        if login.is_some() || self.member().is_some() {
            return Reply::Refused {};
        }
        let who = who_is(host, &self.settings, user, ends);
        let Ok(begun) = Login::begin(&self.session, user, &who) else { return Reply::Refused {} };
        *login = Some(Box::new(begun));
        // Nobody else holds the lock under which it is filled.
        let _ = self.ends.set(ends);
        known(who)
    }

    /// What the client sent to prove it.
    pub(super) fn hear(&self, host: &dyn Host, message: &[u8]) -> Reply {
        let mut login = locked(&self.login);
        let Some(begun) = login.as_mut() else { return Reply::Refused {} };
        let Heard { accepted, grants, refusal, permissions } = begun.hear(host, message);
        if let Some(permissions) = permissions {
            // Nobody else holds the lock under which it is filled.
            let _ = self.permissions.set(Arc::new(permissions));
            self.leave();
            // Done: what is left of a connection is what it may.
            *login = None;
        }
        Reply::Judged { accepted, grants, refusal }
    }
}

fn known(who: Who) -> Reply {
    let Who { account, groups, unknown, why, origin, passwords, banner, .. } = who;
    let refused = why.and_then(|why| why.reason());
    let banner = banner.map(super::message::Bytes);
    Reply::Known { account, unknown, refused, host: origin.host, groups, passwords, banner }
}

impl Login {
    /// The client's first request has told its name; this is the same without a proof.
    fn begin(session: &Session, user: &str, who: &Who) -> Result<Self, Violation> {
        let config = Config {
            session_id: session.id.clone(),
            host_key: session.host_key.clone(),
            verify: adit_engine::verify_signature_alone,
        };
        let applicant = Applicant {
            user: user.to_owned(),
            account: who.account.clone().map(Arc::new),
            origin: who.origin.clone(),
            key_rules: rules::keys(&who.options),
            options: who.options.clone(),
        };
        let mut login = Self { machine: Server::new(config), applicant, granted: Vec::new() };
        let mut message = Vec::new();
        ServiceRequest { service_name: USERAUTH_SERVICE }.encode(&mut message);
        login.machine.handle(&message)?;
        message.clear();
        let request = UserauthRequest {
            user_name: user,
            service_name: adit_auth::CONNECTION_SERVICE,
            method_name: "none",
            method: Rest(b""),
        };
        request.encode(&mut message);
        login.machine.handle(&message)?;
        if let Some(Ask::User { .. }) = login.machine.next() {
            login.machine.policy(policy(who))?;
        }
        Ok(login)
    }

    fn hear(&mut self, host: &dyn Host, message: &[u8]) -> Heard {
        let mut heard = Heard::default();
        let mut outcome = self.machine.handle(message);
        while let (Ok(()), Some(ask)) = (outcome, self.machine.next()) {
            outcome = self.settle(host, ask, &mut heard);
        }
        heard
    }

    /// Answers what the machine asks.
    fn settle(&mut self, host: &dyn Host, ask: Ask, heard: &mut Heard) -> Result<(), Violation> {
        match ask {
            Ask::CheckKey(check) => {
                let verdict = key_verdict(host, &self.applicant, &check);
                heard.accepted = verdict.is_ok();
                match verdict {
                    Ok(grants) => {
                        heard.grants = Some(grants.clone());
                        if check.signed {
                            self.granted.push((check.public_key, grants));
                        }
                    }
                    Err(refusal) => heard.refusal = Some(refusal),
                }
                self.machine.key_checked(heard.accepted)
            }
            Ask::CheckPassword { password, new_password } => {
                // Passwords are changed where they are kept, not here.
                heard.accepted = self.is_password(host, &password) && new_password.is_none();
                self.machine.password_checked(match heard.accepted {
                    true => PasswordVerdict::Accepted,
                    false => PasswordVerdict::Refused,
                })
            }
            Ask::KeyboardInteractive { .. } => self.machine.interactive(password_prompt()),
            Ask::Responses(responses) => {
                let password = responses.first();
                heard.accepted = password.is_some_and(|password| self.is_password(host, password));
                self.machine.interactive(match heard.accepted {
                    true => Interactive::Accepted,
                    false => Interactive::Refused,
                })
            }
            // The client is told by the other process, which waits for it.
            Ask::Pause { .. } => self.machine.resume(),
            Ask::Success { proven, .. } => {
                let account = self.applicant.account.clone();
                let (options, granted) =
                    (self.applicant.options.clone(), std::mem::take(&mut self.granted));
                heard.permissions = account
                    .and_then(|account| Permissions::new(account, options, granted, proven).ok());
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn is_password(&self, host: &dyn Host, password: &Secret) -> bool {
        is_password(host, &self.applicant, password.expose())
    }
}
