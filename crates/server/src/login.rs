//! Logins: what the login machine asks, answered through the host. RFC 4252, sshd_config(5).
//! Touches: one connection's login; the host on helper threads.   Never: messages, key files, password hashes.
//! Invariants: who may not log in goes through the same questions; a grant counts only for a key that has signed.
//! Errors: none; what cannot be found out is a refusal.   Allocates: one login's worth, gone with its end.
//! Proved by: `tests` below, those of the worker, interop `server`.

use crate::connection::{Connection, Ends, Fault, Phase};
use crate::desk::{Applicant, Asked};
use crate::host::root_login::root_may_log_in;
use crate::host::{Account, Host, KeyRefusal, KeyRules, KeyVerdict, Origin, ShownKey};
use crate::log::Event;
use crate::policy::Permissions;
use crate::rules;
use crate::settings::Settings;
use crate::worker::{Due, Worker};
use adit_auth::server::{Ask, CheckKey, Interactive, PasswordVerdict, Policy, Proven, Secret};
use adit_auth::{Method, Prompt};
use adit_config::server::{MatchContext, ServerOptions};
use adit_config::types::AuthMethod;
use adit_keys::authorized_keys::Grants;
use adit_keys::bounded::read;
use adit_reactor::{Key, Millis, Reactor};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// Failures are told after at least this long, whatever made them: how long a check took must not tell what was wrong.
const LEAST_DELAY: Millis = 6;

/// Longer banners are not shown: what every client takes in one message (RFC 4253 §6.1), with what is around it.
const MAX_BANNER: u64 = 32_000;

/// Somebody who wants to be let in.
pub(crate) struct Login {
    applicant: Arc<Applicant>,
    pub(crate) options: Arc<ServerOptions>,
    /// What the keys that have signed are good for.
    granted: Vec<(Vec<u8>, Grants)>,
    /// When the request that is being answered came.
    asked_at: Millis,
    /// The key of the last attempt, and why it was refused.
    pub(crate) attempt: Option<Vec<u8>>,
    refusal: Option<String>,
    pub(crate) failures: u32,
}

/// What was found out about a user.
pub(crate) struct Who {
    /// Whoever may log in.
    pub(crate) account: Option<Account>,
    /// The groups of whoever it is.
    pub(crate) groups: Vec<String>,
    /// Nobody has the name, as far as Match is concerned.
    pub(crate) unknown: bool,
    /// Why there is no account, for the log.
    pub(crate) why: Option<NotIn>,
    pub(crate) origin: Origin,
    pub(crate) options: Arc<ServerOptions>,
    /// Anybody has a password.
    pub(crate) passwords: bool,
    pub(crate) banner: Option<Vec<u8>>,
}

/// Why somebody may not log in, whatever they prove.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NotIn {
    /// Nobody has the name.
    Unknown,
    /// The rules, or the account, for this reason.
    Refused(String),
}

impl NotIn {
    /// None for a name that nobody has.
    pub(crate) fn reason(self) -> Option<String> {
        match self {
            Self::Unknown => None,
            Self::Refused(why) => Some(why),
        }
    }
}

impl Login {
    pub(crate) fn user(&self) -> &str {
        &self.applicant.user
    }

    /// Whether the user does not exist or may not log in.
    pub(crate) fn is_invalid(&self) -> bool {
        self.applicant.account.is_none()
    }
}

/// Answers.
impl Worker {
    pub(crate) fn login_asks(&mut self, reactor: &mut Reactor, key: Key, ask: Ask) {
        if let Some(login) = self.connections.get_mut(&key).and_then(Connection::login) {
            if ask.is_question() && !matches!(ask, Ask::Pause { .. }) {
                login.asked_at = reactor.now();
            }
        }
        match ask {
            Ask::User { user } => self.find_user(key, user, reactor.now()),
            Ask::CheckKey(check) => self.check_key(key, check),
            Ask::CheckPassword { password, new_password } => {
                self.check_password(key, password, new_password.is_some());
            }
            Ask::KeyboardInteractive { .. } => self.prompt(reactor, key),
            Ask::Responses(responses) => self.check_responses(key, responses),
            Ask::Pause { method } => self.pause(reactor, key, method),
            Ask::PartialSuccess(proven) => self.partly_in(key, &proven),
            Ask::Success { proven, .. } => self.let_in(reactor, key, proven),
            _ => {}
        }
    }

    fn find_user(&mut self, key: Key, user: String, now: Millis) {
        let Some(connection) = self.connections.get(&key) else { return };
        let (desk, settings) = (connection.desk.clone(), connection.settings.clone());
        let ends = connection.ends;
        let name = user.clone();
        self.shared.errands.run(
            &self.postbox,
            move || desk.who_is(&settings, &name, ends),
            move |worker, reactor, who| worker.user_found(reactor, key, user, who, now),
        );
    }

    fn user_found(
        &mut self,
        reactor: &mut Reactor,
        key: Key,
        user: String,
        who: Who,
        asked_at: Millis,
    ) {
        let Some(connection) = self.connections.get_mut(&key) else { return };
        let (policy, options) = (policy(&who), who.options.clone());
        connection.phase = Phase::Login(Box::new(Login {
            applicant: Arc::new(Applicant {
                user,
                account: who.account.map(Arc::new),
                origin: who.origin,
                key_rules: rules::keys(&who.options),
                options: who.options.clone(),
            }),
            options: who.options,
            granted: Vec::new(),
            asked_at,
            attempt: None,
            refusal: None,
            failures: 0,
        }));
        let level = options.log_level;
        if level != connection.settings.global.log_level {
            connection.log = self.shared.log.with_level(level);
        }
        if let Some(why) = who.why {
            self.log_invalid_user(key, &why);
        }
        if options.refuse_connection {
            return self.dismiss_one(reactor, key, Fault::Refused, "connections are refused");
        }
        reactor.answer_login(key, |server| server.policy(policy));
    }

    fn check_key(&mut self, key: Key, check: CheckKey) {
        let Some(connection) = self.connections.get_mut(&key) else { return };
        let desk = connection.desk.clone();
        let Some(login) = connection.login() else { return };
        login.attempt = Some(check.public_key.clone());
        let applicant = login.applicant.clone();
        self.shared.errands.run(
            &self.postbox,
            move || {
                let verdict = desk.check_key(&applicant, &check);
                (check, verdict)
            },
            move |worker, reactor, (check, verdict)| {
                worker.key_checked(reactor, key, check, verdict);
            },
        );
    }

    fn key_checked(
        &mut self,
        reactor: &mut Reactor,
        key: Key,
        check: CheckKey,
        verdict: KeyVerdict,
    ) {
        let Some(login) = self.connections.get_mut(&key).and_then(Connection::login) else {
            return;
        };
        let accepted = verdict.is_ok();
        match verdict {
            Ok(grants) if check.signed => login.granted.push((check.public_key, grants)),
            Ok(_) => {}
            Err(why) => {
                login.refusal = Some(why.to_string());
                self.log_key_refused(key, &why);
            }
        }
        reactor.answer_login(key, |server| server.key_checked(accepted));
    }

    fn check_password(&mut self, key: Key, password: Secret, change: bool) {
        let asked = if change { Asked::ToChange } else { Asked::Plainly };
        self.with_password(key, password, asked, move |reactor, accepted| {
            let verdict = match accepted && !change {
                true => PasswordVerdict::Accepted,
                // Passwords are changed where they are kept, not here.
                false => PasswordVerdict::Refused,
            };
            reactor.answer_login(key, |server| server.password_checked(verdict));
        });
    }

    /// The one question that is asked interactively: the password.
    fn prompt(&mut self, reactor: &mut Reactor, key: Key) {
        reactor.answer_login(key, |server| server.interactive(password_prompt()));
    }

    fn check_responses(&mut self, key: Key, responses: Vec<Secret>) {
        let Some(password) = responses.into_iter().next() else { return };
        self.with_password(key, password, Asked::Interactively, move |reactor, accepted| {
            let step = if accepted { Interactive::Accepted } else { Interactive::Refused };
            reactor.answer_login(key, |server| server.interactive(step));
        });
    }

    fn with_password(
        &mut self,
        key: Key,
        password: Secret,
        asked: Asked,
        then: impl FnOnce(&mut Reactor, bool) + Send + 'static,
    ) {
        let Some(connection) = self.connections.get_mut(&key) else { return };
        let desk = connection.desk.clone();
        let Some(login) = connection.login() else { return };
        login.attempt = None;
        let applicant = login.applicant.clone();
        self.shared.errands.run(
            &self.postbox,
            move || desk.check_password(&applicant, password.expose(), asked),
            move |_, reactor, accepted| then(reactor, accepted),
        );
    }

    fn pause(&mut self, reactor: &mut Reactor, key: Key, method: Option<Method>) {
        let Some(login) = self.connections.get_mut(&key).and_then(Connection::login) else {
            return;
        };
        login.failures += 1;
        let refusal = login.refusal.take();
        let at = pause_until(login.asked_at, reactor.now());
        self.log_failed(key, method, refusal.as_deref());
        self.remind(reactor, at, key, Due::Failure);
    }

    fn partly_in(&mut self, key: Key, proven: &Proven) {
        self.log_accepted(key, proven, true);
    }

    /// Everything asked for was proved: what the keys grant holds from here on.
    fn let_in(&mut self, reactor: &mut Reactor, key: Key, proven: Vec<Proven>) {
        if let Some(last) = proven.last() {
            self.log_accepted(key, last, false);
        }
        let Some(connection) = self.connections.get_mut(&key) else { return };
        let Phase::Login(login) = &mut connection.phase else { return };
        let Some(account) = login.applicant.account.clone() else { return };
        let granted = std::mem::take(&mut login.granted);
        let permissions = Permissions::new(account, login.options.clone(), granted, proven);
        let admitted = permissions.and_then(|permissions| {
            let user = &permissions.account.name;
            let counted = self.shared.limits().authenticated(&mut connection.ticket, user);
            counted.map(|()| permissions).map_err(|refusal| {
                let peer = connection.peer();
                connection.log.event(&Event::ConnectionRefused { peer, refusal: &refusal });
                refusal.to_client().to_owned()
            })
        });
        match admitted {
            Ok(permissions) => connection.phase = Phase::Member(Arc::new(permissions)),
            Err(why) => {
                connection.goodbye.clone_from(&why);
                reactor.close_session(key, &why);
            }
        }
    }
}

/// When to tell of a failure: twice as long as the last step that is past, from a start that all failures share.
fn pause_until(asked_at: Millis, now: Millis) -> Millis {
    let mut delay = LEAST_DELAY;
    while asked_at + delay < now {
        delay *= 2;
    }
    asked_at + delay
}

/// What the host says of a key, and PermitRootLogin of root's.
pub(crate) fn verdict(
    host: &dyn Host,
    account: Option<&Account>,
    key: &ShownKey<'_>,
    origin: &Origin,
    rules: &KeyRules,
    options: &ServerOptions,
) -> KeyVerdict {
    let account = account.ok_or_else(|| KeyRefusal::Foreign("no such user".into()))?;
    let grants = host.check_key(account, key, origin, rules)?;
    // ForceCommand is no reason: the key has to be one for a single purpose.
    let forced = grants.command.is_some();
    if account.is_root() && !root_may_log_in(options.permit_root_login, true, forced) {
        return Err(KeyRefusal::Root);
    }
    Ok(grants)
}

/// Asks the host who this is, and what is in force for them.
pub(crate) fn who_is(host: &dyn Host, settings: &Settings, user: &str, ends: Ends) -> Who {
    let found = host.account(user);
    let origin = Origin { address: address_of(ends), host: settings.host_name(ends) };
    let account = found.as_ref().ok().and_then(Option::as_ref);
    let context = MatchContext {
        user: Some(user),
        invalid_user: account.is_none(),
        groups: account.map_or(&[], |account| &account.groups),
        host: origin.host.as_deref(),
        ..settings.context(ends)
    };
    let options = settings.options(&context);
    let allowed = match &found {
        Ok(Some(account)) => options
            .lets_in(&context)
            .map_err(|because| because.trim_start_matches("because ").to_owned())
            .and_then(|()| host.admits(account, options.chroot_directory.is_none()))
            .map_err(NotIn::Refused),
        Ok(None) => Err(NotIn::Unknown),
        Err(error) => Err(NotIn::Refused(format!("the look-up failed: {error}"))),
    };
    let banner = options.banner.as_deref().and_then(|path| read(path.as_ref(), MAX_BANNER).ok());
    let why = allowed.err();
    let found = found.ok().flatten();
    let groups = found.as_ref().map(|account| account.groups.clone()).unwrap_or_default();
    let unknown = found.is_none();
    let account = found.filter(|_| why.is_none());
    let passwords = host.has_passwords();
    Who { account, groups, unknown, why, origin, options, passwords, banner }
}

/// Where a client is; a pipe comes from this machine.
pub(crate) fn address_of(ends: Ends) -> IpAddr {
    let nowhere = IpAddr::V4(Ipv4Addr::LOCALHOST);
    ends.remote.map_or(nowhere, |remote| remote.ip().to_canonical())
}

/// The one question that is asked interactively.
pub(crate) fn password_prompt() -> Interactive {
    let prompts = vec![Prompt { text: b"Password: ".to_vec(), echo: false }];
    Interactive::Prompts { name: Vec::new(), instruction: Vec::new(), prompts }
}

/// What is asked of a user; of one that cannot log in, the same.
pub(crate) fn policy(who: &Who) -> Policy {
    let options = &who.options;
    let enabled = [
        (Method::Publickey, options.pubkey_authentication),
        (Method::Password, who.passwords && options.password_authentication),
        (Method::KeyboardInteractive, who.passwords && options.kbd_interactive_authentication),
    ];
    Policy {
        valid: who.account.is_some(),
        methods: enabled.iter().filter(|(_, on)| *on).map(|(method, _)| *method).collect(),
        required: options
            .authentication_methods
            .iter()
            .map(|list| list.iter().copied().map(method).collect())
            .collect(),
        max_tries: options.max_auth_tries,
        accepted_algorithms: options.pubkey_accepted_algorithms.join(","),
        banner: who.banner.clone(),
    }
}

const fn method(method: AuthMethod) -> Method {
    match method {
        AuthMethod::Publickey => Method::Publickey,
        AuthMethod::Password => Method::Password,
        AuthMethod::KeyboardInteractive => Method::KeyboardInteractive,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithms::ALGORITHMS;
    use crate::host::keys::HostKeyRing;
    use crate::host::testing::{House, Scratch, account_of};
    use adit_config::server::ServerConfig;
    use adit_testkit::keys::key;
    use std::path::Path;

    fn options(lines: &[&str]) -> ServerOptions {
        let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
        ServerConfig::load(None, &lines, &ALGORITHMS).unwrap().global_options()
    }

    #[test]
    fn only_a_key_for_one_command_lets_root_in_where_that_is_asked_for() {
        let house = House::default().with_key("root", b"plain", "").with_key(
            "root",
            b"backup",
            "command=\"backup\"",
        );
        let root = account_of("root", Some(0));
        let origin = Origin { address: Ipv4Addr::LOCALHOST.into(), host: None };
        let forced = ["PermitRootLogin forced-commands-only", "ForceCommand backup"];
        for (lines, blob, expected) in [
            (&forced[..], &b"plain"[..], Err(KeyRefusal::Root)),
            (&forced, b"backup", Ok(())),
            (&["PermitRootLogin no"], b"backup", Err(KeyRefusal::Root)),
            (&["PermitRootLogin prohibit-password"], b"plain", Ok(())),
            (&["PermitRootLogin yes"], b"plain", Ok(())),
        ] {
            let options = options(lines);
            let (key, rules) = (ShownKey { blob, flags: None }, rules::keys(&options));
            let said = verdict(&house, Some(&root), &key, &origin, &rules, &options).map(drop);
            assert_eq!(said, expected, "{lines:?}");
        }
    }

    #[test]
    fn a_banner_that_fits_no_message_is_not_shown() {
        let scratch = Scratch::new("banner");
        let shown = |path: &Path| {
            let lines = [format!("Banner {}", path.display())];
            let config = ServerConfig::load(None, &lines, &ALGORITHMS).unwrap();
            let settings = Settings::with_keys(config, HostKeyRing::of(key(7)));
            let ends = Ends { remote: None, local: None };
            who_is(&House::default(), &settings, "ada", ends).banner.map(|text| text.len())
        };
        let file = |length| scratch.file("issue", &"x".repeat(length), 0o644);
        assert_eq!(shown(&file(32_000)), Some(32_000));
        assert_eq!(shown(&file(32_001)), None);
        assert_eq!(shown(Path::new("/dev/zero")), None);
    }

    #[test]
    fn a_failure_is_told_at_one_of_a_few_times_whatever_the_check_took() {
        assert_eq!(pause_until(100, 100), 106);
        assert_eq!(pause_until(100, 105), 106);
        assert_eq!(pause_until(100, 107), 112);
        assert_eq!(pause_until(100, 160), 196);
    }
}
