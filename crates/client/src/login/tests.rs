//! Both machines of a login in memory: what the user is asked, and what the server makes of the answers.

use super::*;
use crate::testing::{Folder, Nowhere, Scripted, key, options};
use adit_auth::server::{
    self, Ask as Question, Interactive, PasswordVerdict, Policy, Server, SignatureCheck,
};
use adit_config::Options;
use adit_crypto::{KeyAlgorithm, PublicKey};
use adit_keys::agent::SessionBind;
use std::os::unix::fs::PermissionsExt;

/// A key in a file without a passphrase; its public half is in `ed25519.pub` beside it.
const KEY: &str = include_str!("../../../keys/testdata/private/ed25519.openssh");

/// A server that knows one password and, if one is given, one key.
struct Account {
    server: Server,
    password: &'static str,
    expired: bool,
    key: Option<Vec<u8>>,
    policy: Policy,
    /// What it was asked, by method.
    asked: Vec<&'static str>,
}

fn verify(check: &SignatureCheck<'_>) -> bool {
    let algorithm = KeyAlgorithm::from_name(check.algorithm.name).unwrap();
    let key = PublicKey::decode(check.public_key).unwrap();
    key.verify(algorithm, check.data, check.signature).is_ok()
}

impl Account {
    fn new(methods: &str) -> Self {
        let config = server::Config { session_id: b"id".into(), host_key: b"host".into(), verify };
        Self {
            server: Server::new(config),
            password: "right",
            expired: false,
            key: None,
            policy: Policy { methods: Method::list(methods), ..Policy::default() },
            asked: vec![],
        }
    }

    fn answer(&mut self, question: Question) {
        let server = &mut self.server;
        match question {
            Question::User { .. } => server.policy(self.policy.clone()),
            Question::CheckKey(check) => {
                self.asked.push(if check.signed { "signed" } else { "probe" });
                server.key_checked(self.key.as_ref() == Some(&check.public_key))
            }
            Question::CheckPassword { password, new_password } => {
                self.asked.push("password");
                let right = password.expose() == self.password.as_bytes();
                server.password_checked(match new_password {
                    _ if !right => PasswordVerdict::Refused,
                    None if self.expired => PasswordVerdict::Expired { prompt: b"old!".into() },
                    _ => PasswordVerdict::Accepted,
                })
            }
            Question::KeyboardInteractive { .. } => {
                self.asked.push("interactive");
                let prompts = vec![Prompt { text: b"Code\x1b: ".into(), echo: false }];
                let (name, instruction) = (vec![], vec![]);
                server.interactive(Interactive::Prompts { name, instruction, prompts })
            }
            Question::Responses(answers) => {
                let right = answers[0].expose() == self.password.as_bytes();
                server.interactive(if right { Interactive::Accepted } else { Interactive::Refused })
            }
            Question::Pause { .. } => server.resume(),
            _ => Ok(()),
        }
        .unwrap();
    }
}

/// Sends what waits.
fn flush(outbox: &mut adit_buf::Outbox, mut to: impl FnMut(&[u8])) {
    while let Some(payload) = outbox.front().map(<[u8]>::to_vec) {
        outbox.pop();
        to(&payload);
    }
}

/// Runs a login to its end.
fn log_in(options: &Options, trust: Trust, user: &Scripted, account: &mut Account) -> Outcome {
    let mut identities = Identities::collect(options, &Nowhere);
    identities.begin(&SessionBind {
        host_key: b"host",
        session_id: b"id",
        signature: b"",
        is_forwarding: false,
    });
    let config = adit_auth::client::Config {
        session_id: b"id".into(),
        host_key: b"host".into(),
        eager_key: identities.first_is_ready(),
        ..crate::settings::login(options, "ada")
    };
    let mut login = Login::new(identities, Box::new(user.clone()), "ada@alma".into());
    login.trust = trust;
    let mut client = Client::new(config);
    client.start();
    loop {
        while let Some(ask) = client.next() {
            if let Some(outcome) = login.answer(ask, &mut client) {
                return outcome;
            }
        }
        flush(client.outbox(), |payload| account.server.handle(payload).unwrap());
        while let Some(question) = account.server.next() {
            account.answer(question);
        }
        flush(account.server.outbox(), |payload| client.handle(payload).unwrap());
    }
}

#[test]
fn a_password_is_asked_for_until_it_is_right() {
    let (user, mut account) = (Scripted::new(&["wrong", "right"]), Account::new("password"));
    let outcome = log_in(&options(&["IdentityFile=none"]), Trust::Full, &user, &mut account);
    assert_eq!(outcome, Outcome::In(Method::Password));
    assert_eq!(user.asked(), ["ada@alma's password: "; 2]);
}

#[test]
fn a_user_who_gives_no_password_is_denied() {
    let (user, mut account) = (Scripted::default(), Account::new("password"));
    let outcome = log_in(&options(&["IdentityFile=none"]), Trust::Full, &user, &mut account);
    assert_eq!(outcome, Outcome::Denied("password".into()));
    assert_eq!(user.asked(), ["ada@alma's password: "]);
}

#[test]
fn in_batch_mode_nobody_is_asked_and_nothing_is_tried_that_would_ask() {
    let user = Scripted::new(&["right", "right"]);
    let mut account = Account::new("password,keyboard-interactive");
    let options = options(&["IdentityFile=none", "BatchMode=yes"]);
    let outcome = log_in(&options, Trust::Full, &user, &mut account);
    assert_eq!(outcome, Outcome::Denied("password,keyboard-interactive".into()));
    assert_eq!((user.asked(), account.asked), (vec![], vec![]));
}

#[test]
fn a_server_in_doubt_gets_neither_passwords_nor_answers() {
    let user = Scripted::new(&["right", "right"]);
    let mut account = Account::new("password,keyboard-interactive");
    let options = options(&["IdentityFile=none"]);
    let outcome = log_in(&options, Trust::Crippled, &user, &mut account);
    assert!(matches!(outcome, Outcome::Denied(_)), "{outcome:?}");
    assert_eq!(user.asked(), [""; 0]);
    assert!(!account.asked.contains(&"password"), "{:?}", account.asked);
}

#[test]
fn questions_of_the_server_show_who_is_asked_and_no_control_characters() {
    let (user, mut account) = (Scripted::new(&["right"]), Account::new("keyboard-interactive"));
    let outcome = log_in(&options(&["IdentityFile=none"]), Trust::Full, &user, &mut account);
    assert_eq!(outcome, Outcome::In(Method::KeyboardInteractive));
    assert_eq!(user.asked(), ["(ada@alma) Code\\033: "]);
}

#[test]
fn an_expired_password_is_changed_once_the_new_one_was_typed_twice_alike() {
    let user = Scripted::new(&["right", "right", "new", "typo", "new", "new"]);
    let mut account = Account { expired: true, ..Account::new("password") };
    let outcome = log_in(&options(&["IdentityFile=none"]), Trust::Full, &user, &mut account);
    assert_eq!(outcome, Outcome::In(Method::Password));
    let (new, again) = ("Enter ada@alma's new password: ", "Retype ada@alma's new password: ");
    assert_eq!(
        user.asked(),
        ["ada@alma's password: ", "Enter ada@alma's old password: ", new, again, new, again]
    );
}

#[test]
fn a_key_at_hand_logs_in_without_a_probe_and_without_a_question() {
    let folder = Folder::new();
    let file = folder.write("key", KEY);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let options = options(&[&format!("IdentityFile={}", file.display())]);
    let user = Scripted::default();
    let known = adit_keys::private::public_half(&file).unwrap().blob;
    let mut account = Account { key: Some(known), ..Account::new("publickey,password") };
    let outcome = log_in(&options, Trust::Full, &user, &mut account);
    assert_eq!(outcome, Outcome::In(Method::Publickey));
    assert_eq!((user.asked(), account.asked), (vec![], vec!["signed"]));
}

#[test]
fn a_key_the_server_does_not_know_gives_way_to_the_password() {
    let folder = Folder::new();
    folder.write("other.pub", adit_keys::public::encode(&key(1).public_blob()));
    let options = options(&[&format!("IdentityFile={}", folder.path("other").display())]);
    let (user, mut account) = (Scripted::new(&["right"]), Account::new("publickey,password"));
    let outcome = log_in(&options, Trust::Full, &user, &mut account);
    assert_eq!(outcome, Outcome::In(Method::Password));
    assert_eq!(account.asked, ["probe", "password"]);
}
