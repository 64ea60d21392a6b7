//! Both machines in memory: every method and combination, with honest drivers.
//! Touches: the outboxes, flight by flight.   Never: message bytes; those are in the machines' own tests.
//! Invariants: both sides agree on the outcome.
//! Errors: none.   Allocates: freely.
//! Proved by: breaking the code and seeing them fail.

use crate::client::{self, Client, Extensions, KeyUse};
use crate::fake::{HOST_KEY, SESSION, ed25519, key, sign, verify};
use crate::server::{self, Interactive, PasswordVerdict, Policy, Proven, Server};
use crate::{Method, Phase, Prompt, Violation};
use alloc::{string::String, vec, vec::Vec};
use zeroize::Zeroizing;

/// What the person at the client has.
struct User {
    keys: Vec<Vec<u8>>,
    key_use: KeyUse,
    password: &'static str,
    answer: &'static str,
    next_key: usize,
}

impl Default for User {
    fn default() -> Self {
        let keys = vec![ed25519("first"), ed25519("second")];
        Self { keys, key_use: KeyUse::Probe, password: "pw", answer: "42", next_key: 0 }
    }
}

impl User {
    fn answers(&mut self, ask: &client::Ask, client: &mut Client) {
        use client::Ask::{Answers, ChangePassword, Password, Publickey, Sign};
        let secret = |text: &str| Zeroizing::new(text.into());
        match ask {
            Publickey { first } => {
                self.next_key = if *first { 0 } else { self.next_key };
                match self.keys.get(self.next_key) {
                    Some(key) => client.offer_key(key, self.key_use),
                    None => client.no_more_keys(),
                }
                self.next_key += 1;
            }
            Sign(request) => {
                let signature = sign(&request.algorithm, &request.public_key, &request.data);
                client.signed(Some(signature));
            }
            Password { .. } => client.password(secret(self.password)),
            ChangePassword { .. } => client.change_password(secret(self.password), secret("new")),
            Answers { prompts, .. } => {
                client.answers(prompts.iter().map(|_| secret(self.answer)).collect());
            }
            _ => (),
        }
    }
}

/// What the server knows of them.
struct Account {
    policy: Policy,
    keys: Vec<Vec<u8>>,
    password: &'static str,
    expired: bool,
    answer: &'static str,
    rounds: usize,
}

impl Default for Account {
    fn default() -> Self {
        Self {
            policy: Policy::default(),
            keys: vec![ed25519("first"), ed25519("second")],
            password: "pw",
            expired: false,
            answer: "42",
            rounds: 2,
        }
    }
}

impl Account {
    fn answers(&mut self, ask: &server::Ask, server: &mut Server) -> Result<(), Violation> {
        use server::Ask::{CheckKey, CheckPassword, KeyboardInteractive, Pause, Responses, User};
        match ask {
            User { .. } => server.policy(self.policy.clone()),
            CheckKey(check) => server.key_checked(self.keys.contains(&check.public_key)),
            CheckPassword { password, new_password } => {
                let right = password.expose() == self.password.as_bytes();
                server.password_checked(match new_password {
                    _ if !right => PasswordVerdict::Refused,
                    None if self.expired => PasswordVerdict::Expired { prompt: vec![] },
                    _ => PasswordVerdict::Accepted,
                })
            }
            KeyboardInteractive { .. } => server.interactive(self.question(0)),
            Responses(answers) => {
                let right = answers.iter().all(|answer| answer.expose() == self.answer.as_bytes());
                let next = self.question(answers.len());
                server.interactive(if right { next } else { Interactive::Refused })
            }
            Pause { .. } => server.resume(),
            _ => Ok(()),
        }
    }

    /// One prompt more in each round.
    fn question(&self, asked: usize) -> Interactive {
        if asked == self.rounds {
            return Interactive::Accepted;
        }
        let prompt = Prompt { text: b"?".into(), echo: false };
        let prompts = vec![prompt; asked + 1];
        Interactive::Prompts { name: vec![], instruction: vec![], prompts }
    }
}

/// How a login ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Success { client: Vec<Method>, server: Vec<Proven>, flights: usize },
    Failed { methods: String },
    Disconnected(Violation),
}

impl End {
    #[track_caller]
    fn flights(self) -> usize {
        match self {
            Self::Success { flights, .. } => flights,
            other => panic!("{other:?}"),
        }
    }
}

/// Runs both sides until one is done, a flight at a time.
fn login(config: client::Config, mut user: User, mut account: Account) -> End {
    let server_config =
        server::Config { session_id: SESSION.into(), host_key: HOST_KEY.into(), verify };
    let (mut client, mut server) = (Client::new(config), Server::new(server_config));
    let mut proven = vec![];
    client.start();
    let mut end = None;
    for flights in 0..1000 {
        while let Some(ask) = client.next() {
            user.answers(&ask, &mut client);
            match ask {
                client::Ask::Success { method, mut partial } => {
                    assert_eq!(server.phase(), Phase::Authenticated);
                    partial.push(method);
                    let server = core::mem::take(&mut proven);
                    end = Some(End::Success { client: partial, server, flights });
                }
                client::Ask::Failed { methods } => end = Some(End::Failed { methods }),
                _ => (),
            }
        }
        if let Some(end) = end {
            return end;
        }
        match flight(&mut client, &mut server, &mut account) {
            Ok(more) => proven.extend(more),
            Err(violation) => return End::Disconnected(violation),
        }
    }
    panic!("never ends");
}

/// All the client has to say to the server, and the replies back.
fn flight(
    client: &mut Client,
    server: &mut Server,
    account: &mut Account,
) -> Result<Vec<Proven>, Violation> {
    let mut proven = vec![];
    while let Some(message) = client.outbox().front().map(<[u8]>::to_vec) {
        client.outbox().pop();
        server.handle(&message)?;
        while let Some(ask) = server.next() {
            account.answers(&ask, server)?;
            if let server::Ask::Success { proven: all, .. } = ask {
                proven = all;
            }
        }
    }
    while let Some(message) = server.outbox().front().map(<[u8]>::to_vec) {
        server.outbox().pop();
        client.handle(&message).unwrap();
    }
    Ok(proven)
}

fn config() -> client::Config {
    client::Config::new("ada", SESSION, HOST_KEY)
}

fn required(lists: &[&[Method]]) -> Account {
    let required = lists.iter().map(|list| list.to_vec()).collect();
    Account { policy: Policy { required, ..Policy::default() }, ..Account::default() }
}

#[test]
fn every_list_of_methods_is_walked_however_keys_are_used() {
    use Method::{KeyboardInteractive, Password, Publickey};
    let lists: [&[Method]; 9] = [
        &[Publickey],
        &[Password],
        &[KeyboardInteractive],
        &[Publickey, Password],
        &[Password, Publickey],
        &[Publickey, Publickey],
        &[KeyboardInteractive, Publickey],
        &[Publickey, KeyboardInteractive, Password],
        &[Password, KeyboardInteractive, Publickey, Publickey],
    ];
    for list in lists {
        for key_use in [KeyUse::Probe, KeyUse::SignAtOnce] {
            for publickey_hostbound in [false, true] {
                for eager_key in [false, true] {
                    let extensions = Extensions { publickey_hostbound, ..Extensions::default() };
                    let config = client::Config { eager_key, extensions, ..config() };
                    let user = User { key_use, ..User::default() };
                    match login(config, user, required(&[list])) {
                        End::Success { client, server, .. } => {
                            assert_eq!(client, list);
                            assert!(server.iter().map(|each| each.method).eq(client));
                        }
                        other => panic!("{list:?} {other:?}"),
                    }
                }
            }
        }
    }
}

#[test]
fn a_login_takes_three_flights_two_or_one() {
    let probing = login(config(), User::default(), Account::default());
    assert_eq!(probing.flights(), 3);
    let signing = || User { key_use: KeyUse::SignAtOnce, ..User::default() };
    assert_eq!(login(config(), signing(), Account::default()).flights(), 2);
    let eager = client::Config { eager_key: true, ..config() };
    assert_eq!(login(eager, signing(), Account::default()).flights(), 1);
}

#[test]
fn the_key_that_fits_is_found_among_others() {
    let right = key("ssh-rsa-cert-v01@openssh.com", "right");
    for server_sig_algs in [None, Some("rsa-sha2-256".into()), Some("rsa-sha2-512".into())] {
        let keys = vec![ed25519("no"), key("ecdsa-sha2-nistp256", "no"), right.clone()];
        let user = User { keys, ..User::default() };
        let account = Account { keys: vec![right.clone()], ..Account::default() };
        let extensions = Extensions { server_sig_algs, ..Extensions::default() };
        match login(client::Config { extensions, ..config() }, user, account) {
            End::Success { server, .. } => {
                assert_eq!(server[0].public_key.as_ref(), Some(&right));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn keys_that_do_not_fit_give_way_to_a_password() {
    let account = Account { keys: vec![], rounds: 0, ..Account::default() };
    let config =
        client::Config { preferred: vec![Method::Publickey, Method::Password], ..config() };
    match login(config, User::default(), account) {
        End::Success { client, .. } => assert_eq!(client, [Method::Password]),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_expired_password_is_changed_on_the_way_in() {
    let config = client::Config { preferred: vec![Method::Password], ..config() };
    let account = Account { expired: true, ..Account::default() };
    assert_eq!(login(config, User::default(), account).flights(), 3);
}

#[test]
fn wrong_secrets_fail_with_the_servers_list() {
    let methods: String = "publickey,keyboard-interactive,password".into();
    for preferred in [Method::Password, Method::KeyboardInteractive] {
        let config = client::Config { preferred: vec![preferred], ..config() };
        let user = User { password: "guess", answer: "guess", ..User::default() };
        let end = login(config, user, Account::default());
        assert_eq!(end, End::Failed { methods: methods.clone() });
    }
}

#[test]
fn many_keys_are_too_many_failures() {
    let names = ["a", "b", "c", "d", "e", "f", "g"];
    let user = User { keys: names.map(ed25519).into(), ..User::default() };
    let end = login(config(), user, Account::default());
    assert_eq!(end, End::Disconnected(Violation::TooManyFailures));
}

#[test]
fn a_user_that_is_not_valid_fails_with_the_right_secrets() {
    let policy = Policy { valid: false, max_tries: 100, ..Policy::default() };
    let end = login(config(), User::default(), Account { policy, ..Account::default() });
    assert!(matches!(end, End::Failed { .. }));
}

#[test]
fn a_signature_made_for_another_session_or_host_does_not_get_in() {
    let preferred = vec![Method::Publickey];
    let other_session = client::Config {
        preferred: preferred.clone(),
        ..client::Config::new("ada", b"x", HOST_KEY)
    };
    let extensions = Extensions { publickey_hostbound: true, ..Extensions::default() };
    let other_host =
        client::Config { preferred, extensions, ..client::Config::new("ada", SESSION, b"x") };
    for config in [other_session, other_host] {
        let end = login(config, User::default(), Account::default());
        assert!(matches!(end, End::Failed { .. }), "{end:?}");
    }
}
