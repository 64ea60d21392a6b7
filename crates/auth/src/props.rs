//! Random messages and answers: no panic, no success that was not earned.
//! Touches: both machines.   Never: a fixed script.
//! Invariants: a server lets in only after a good signature or secret that the driver accepted; a client only takes the
//! success of a request that can have one.
//! Errors: none.   Allocates: freely.
//! Proved by: breaking the code and seeing them fail.

use crate::client::{self, Client, KeyUse};
use crate::fake::{HOST_KEY, SESSION, ed25519, key, sign, verify, wire};
use crate::publickey::{HOSTBOUND, encode_request, signed_data};
use crate::request::encode_head;
use crate::server::{self, Ask, Interactive, PasswordVerdict, Policy, Server};
use crate::{Method, Phase, Prompt};
use adit_wire::auth::{
    KeyboardInteractive, Password, Publickey, UserauthBanner, UserauthFailure, UserauthInfoRequest,
    UserauthInfoResponse, UserauthPkOk, UserauthRequest, UserauthSuccess,
};
use adit_wire::transport::{ServiceAccept, ServiceRequest};
use adit_wire::{Body, Message, NameList};
use alloc::{vec, vec::Vec};
use proptest::prelude::*;
use zeroize::Zeroizing;

fn blob(choice: u8) -> (&'static str, Vec<u8>) {
    match choice % 3 {
        0 => ("ssh-ed25519", ed25519("a")),
        1 => ("ssh-ed25519", ed25519("b")),
        _ => ("rsa-sha2-512-cert-v01@openssh.com", key("ssh-rsa-cert-v01@openssh.com", "c")),
    }
}

/// A signed request; good only over our session, our user and, if at all, our host key.
fn signed(choice: u8, session: &[u8], user: &str, server_host_key: Option<&[u8]>) -> Vec<u8> {
    let (algorithm_name, public_key) = blob(choice);
    let public_key = &public_key[..];
    let body = Publickey { algorithm_name, public_key, server_host_key, signature: None };
    let signature = sign(algorithm_name, public_key, &signed_data(session, user, &body));
    let body = Publickey { signature: Some(&signature), ..body };
    wire(|out| encode_request("ada", &body, out))
}

fn probe(choice: u8) -> Vec<u8> {
    let (algorithm_name, public_key) = blob(choice);
    let public_key = &public_key[..];
    let body = Publickey { algorithm_name, public_key, server_host_key: None, signature: None };
    wire(|out| encode_request("ada", &body, out))
}

fn method(method: Method, body: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    wire(|out| {
        encode_head("ada", method.name(), out);
        body(out);
    })
}

/// Something a client might say, most of it well-formed.
fn client_message() -> impl Strategy<Value = Vec<u8>> {
    let sane = (any::<u8>(), any::<u8>()).prop_map(|(kind, choice)| match kind % 12 {
        0 => wire(|out| ServiceRequest { service_name: "ssh-userauth" }.encode(out)),
        1 => method(Method::None, |_| ()),
        2 => probe(choice),
        3 | 4 => signed(choice, SESSION, "ada", None),
        5 => signed(choice, SESSION, "ada", Some(HOST_KEY)),
        6 => signed(choice, b"another session", "ada", None),
        7 => signed(choice, SESSION, "bob", None),
        8 => signed(choice, SESSION, "ada", Some(b"another host")),
        9 => method(Method::Password, |out| {
            Password { password: b"pw", new_password: None }.encode(out);
        }),
        10 => method(Method::KeyboardInteractive, |out| {
            KeyboardInteractive { language_tag: b"", submethods: b"" }.encode(out);
        }),
        _ => {
            let answers = vec![b"a".as_slice(); usize::from(choice % 3)];
            wire(|out| UserauthInfoResponse::encode_responses(answers.into_iter(), out))
        }
    });
    bent(sane.boxed())
}

/// Something a server might say, most of it well-formed.
fn server_message() -> impl Strategy<Value = Vec<u8>> {
    let sane = (any::<u8>(), any::<u8>()).prop_map(|(kind, choice)| match kind % 8 {
        0 => wire(|out| ServiceAccept { service_name: "ssh-userauth" }.encode(out)),
        1..=3 => {
            let lists = ["", "publickey", "password,keyboard-interactive", "hostbased"];
            let list = NameList::new(lists[usize::from(choice % 4)]);
            let partial_success = choice > 200;
            let authentications_that_can_continue = list;
            wire(|out| {
                UserauthFailure { authentications_that_can_continue, partial_success }.encode(out);
            })
        }
        4 => wire(|out| UserauthSuccess {}.encode(out)),
        5 => wire(|out| UserauthBanner { message: b"hello", language_tag: b"" }.encode(out)),
        6 => {
            let (algorithm_name, public_key) = blob(choice);
            let public_key = &public_key[..];
            wire(|out| UserauthPkOk { algorithm_name, public_key }.encode(out))
        }
        _ => {
            let prompts = vec![(b"?".as_slice(), true); usize::from(choice % 3)];
            wire(|out| UserauthInfoRequest::encode_prompts(b"", b"", &prompts, out))
        }
    });
    bent(sane.boxed())
}

/// Now and then cut, lengthened, a byte changed, or noise altogether.
fn bent(sane: BoxedStrategy<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let changed = (sane.clone(), any::<prop::sample::Index>(), any::<u8>()).prop_map(
        |(mut bytes, at, to)| {
            let at = at.index(bytes.len());
            bytes[at] = to;
            bytes
        },
    );
    let cut = (sane.clone(), any::<prop::sample::Index>()).prop_map(|(mut bytes, at)| {
        bytes.truncate(at.index(bytes.len()));
        bytes
    });
    prop_oneof![
        30 => sane,
        1 => changed,
        1 => cut,
        1 => prop::collection::vec(any::<u8>(), 0..40),
    ]
}

/// A `publickey` request as we would write it: a boolean may be any byte but zero.
fn canonical(message: &[u8]) -> Option<Vec<u8>> {
    let request = UserauthRequest::decode(message).ok()?;
    let body = Publickey::decode(request.method.0, request.method_name == HOSTBOUND).ok()?;
    Some(wire(|out| encode_request(request.user_name, &body, out)))
}

/// What has been earned, seen from outside.
#[derive(Default)]
struct Earned {
    publickey: bool,
    password: bool,
    interactive: bool,
    /// The last question, for the answer.
    open: Option<Ask>,
}

impl Earned {
    fn anything(&self) -> bool {
        self.publickey || self.password || self.interactive
    }

    fn answer(&mut self, server: &mut Server, policy: &Policy, word: u8, good: &[Vec<u8>]) {
        let yes = word & 1 == 1;
        // Any answer may come at any time; only the one that fits may count.
        let _ = match (word % 16, self.open.take()) {
            (15, open) => {
                self.open = open;
                misanswer(server, self.open.as_ref())
            }
            (_, Some(Ask::User { .. })) => server.policy(policy.clone()),
            (_, Some(Ask::CheckKey(check))) => {
                let proven = check.signed && good.contains(&check.public_key);
                assert_eq!(check.signed, proven, "a signature nobody made");
                self.publickey |= proven && yes;
                server.key_checked(yes)
            }
            (_, Some(Ask::CheckPassword { .. })) => {
                self.password |= yes;
                let verdict =
                    if yes { PasswordVerdict::Accepted } else { PasswordVerdict::Refused };
                server.password_checked(verdict)
            }
            (_, Some(Ask::KeyboardInteractive { .. } | Ask::Responses(_))) => {
                server.interactive(match word % 3 {
                    0 => {
                        self.interactive = true;
                        Interactive::Accepted
                    }
                    1 => Interactive::Refused,
                    _ => {
                        let prompt = Prompt { text: vec![], echo: true };
                        let prompts = vec![prompt; usize::from(word % 2)];
                        Interactive::Prompts { name: vec![], instruction: vec![], prompts }
                    }
                })
            }
            (_, Some(Ask::Pause { .. })) => server.resume(),
            (_, _) => misanswer(server, None),
        };
    }
}

/// Says yes to every question but the open one.
fn misanswer(server: &mut Server, open: Option<&Ask>) -> Result<(), crate::Violation> {
    if !matches!(open, Some(Ask::CheckKey(_))) {
        server.key_checked(true)?;
    }
    if !matches!(open, Some(Ask::CheckPassword { .. })) {
        server.password_checked(PasswordVerdict::Accepted)?;
    }
    if !matches!(open, Some(Ask::KeyboardInteractive { .. } | Ask::Responses(_))) {
        server.interactive(Interactive::Accepted)?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn a_server_lets_in_only_what_was_proved(
        steps in prop::collection::vec((client_message(), any::<u8>()), 1..40),
        both in any::<bool>(),
        valid in prop::bool::weighted(0.8),
        straight in any::<bool>(),
    ) {
        let config = server::Config { session_id: SESSION.into(), host_key: HOST_KEY.into(), verify };
        let mut server = Server::new(config);
        let required =
            if both { vec![vec![Method::Publickey, Method::Password]] } else { vec![] };
        let policy = Policy { valid, required, max_tries: 20, ..Policy::default() };
        let (mut earned, mut good) = (Earned::default(), vec![]);
        if straight {
            server.handle(&wire(|out| ServiceRequest { service_name: "ssh-userauth" }.encode(out))).unwrap();
        }
        for (message, word) in steps {
            if let Some(request) = canonical(&message) {
                let made = |choice: &u8, host_key| signed(*choice, SESSION, "ada", host_key) == request;
                let choice = (0..3).find(|choice| made(choice, None) || made(choice, Some(HOST_KEY)));
                good.extend(choice.map(|choice| blob(choice).1));
            }
            let _ = server.handle(&message);
            for answer in 0..2 {
                while let Some(ask) = server.next() {
                    if ask.is_question() {
                        earned.open = Some(ask);
                    }
                }
                if earned.open.is_some() || word > 200 {
                    earned.answer(&mut server, &policy, word.rotate_left(answer), &good);
                }
            }
            while let Some(message) = server.outbox().front().map(<[u8]>::to_vec) {
                prop_assert_eq!(message[0] == 52, server.phase() == Phase::Authenticated && message == [52]);
                server.outbox().pop();
            }
            if server.phase() == Phase::Authenticated {
                prop_assert!(valid);
                prop_assert!(earned.anything());
                prop_assert!(!both || (earned.publickey && earned.password));
            }
        }
    }

    #[test]
    fn a_client_survives_any_server_and_any_driver(
        steps in prop::collection::vec((server_message(), any::<u8>()), 1..40),
        eager_key in any::<bool>(),
        straight in any::<bool>(),
    ) {
        let config = client::Config::new("ada", SESSION, HOST_KEY);
        let mut client = Client::new(client::Config { eager_key, ..config });
        client.start();
        if straight {
            client.handle(&wire(|out| ServiceAccept { service_name: "ssh-userauth" }.encode(out))).unwrap();
        }
        for (message, word) in steps {
            let before = client.phase();
            let taken = client.handle(&message).is_ok();
            if client.phase() == Phase::Authenticated && before != Phase::Authenticated {
                prop_assert!(taken && message == [52]);
            }
            match word % 8 {
                0 => client.offer_key(&blob(word / 8).1, KeyUse::Probe),
                1 => client.offer_key(&blob(word / 8).1, KeyUse::SignAtOnce),
                2 => client.signed(Some(sign("ssh-ed25519", b"", b""))),
                3 => client.password(Zeroizing::new(b"pw".to_vec())),
                4 => client.answers(vec![Zeroizing::new(vec![]); usize::from(word / 8 % 3)]),
                5 => client.cancel(),
                6 => client.no_more_keys(),
                _ => (),
            }
            let mut questions = 0;
            while let Some(ask) = client.next() {
                questions += usize::from(ask.is_question());
            }
            prop_assert!(questions <= 2);
        }
    }
}
