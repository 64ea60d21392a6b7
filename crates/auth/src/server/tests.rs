//! A server held against scripted clients, honest and hostile.
//! Touches: the server's messages byte by byte.   Never: the client machine; that is `pair`.
//! Invariants: every violation of a client has a test here.
//! Errors: none.   Allocates: freely.
//! Proved by: breaking the code and seeing them fail.

use super::*;
use crate::Prompt;
use crate::fake::{HOST_KEY, KEY_FLAGS, SESSION, ed25519, key, sign, verify, wire};
use crate::publickey::{encode_request, signed_data};
use adit_wire::auth::{KeyboardInteractive, Password, Publickey, UserauthPkOk};
use adit_wire::{Body, DecodeError, Rest};
use alloc::{format, vec};

/// A client that says what the test wants.
struct Script {
    server: Server,
}

impl Script {
    fn new() -> Self {
        let config = Config { session_id: SESSION.into(), host_key: HOST_KEY.into(), verify };
        Self { server: Server::new(config) }
    }

    /// Service granted, the user known, `none` refused.
    fn known(policy: Policy) -> Self {
        let mut script = Self::new();
        script.says(&service("ssh-userauth"));
        script.says(&request("none", b""));
        assert_eq!(script.asks_one(), Ask::User { user: "ada".into() });
        script.server.policy(policy).unwrap();
        script.replies();
        script
    }

    fn open() -> Self {
        Self::known(Policy::default())
    }

    #[track_caller]
    fn says(&mut self, message: &[u8]) {
        assert_eq!(self.server.handle(message), Ok(()));
    }

    #[track_caller]
    fn refused(&mut self, message: &[u8], violation: Violation) {
        let phase = self.server.phase();
        assert_eq!(self.server.handle(message), Err(violation));
        self.dead(violation);
        assert_eq!(self.server.phase(), phase);
    }

    /// Nothing is asked, nothing is sent, nothing brings it back.
    #[track_caller]
    fn dead(&mut self, violation: Violation) {
        self.replies();
        assert!(self.asks().iter().all(|ask| !ask.is_question()));
        assert_eq!(self.server.handle(&service("ssh-userauth")), Err(violation));
        assert_eq!(self.server.key_checked(true), Err(violation));
        assert_eq!(self.server.password_checked(PasswordVerdict::Accepted), Err(violation));
        assert_eq!(self.server.interactive(Interactive::Accepted), Err(violation));
        assert_eq!(self.server.policy(Policy::default()), Err(violation));
        assert_eq!(self.server.resume(), Err(violation));
        assert!(self.replies().is_empty());
    }

    fn replies(&mut self) -> Vec<Vec<u8>> {
        let mut replies = vec![];
        while let Some(message) = self.server.outbox().front() {
            replies.push(message.to_vec());
            self.server.outbox().pop();
        }
        replies
    }

    fn asks(&mut self) -> Vec<Ask> {
        core::iter::from_fn(|| self.server.next()).collect()
    }

    #[track_caller]
    fn asks_one(&mut self) -> Ask {
        let asks = self.asks();
        assert_eq!(asks.len(), 1, "{asks:?}");
        asks.into_iter().next().unwrap()
    }

    /// The attempt has failed: after a pause the client hears of it.
    #[track_caller]
    fn fails(&mut self, method: Option<Method>) {
        assert_eq!(self.asks_one(), Ask::Pause { method });
        assert!(self.replies().is_empty());
        self.server.resume().unwrap();
        assert_eq!(self.replies(), [failure(ANY, false)]);
    }

    /// The attempt has failed, for good or with what reply there may be.
    #[track_caller]
    fn asked_about(&mut self, public_key: &[u8], signed: bool) {
        match self.asks_one() {
            Ask::CheckKey(check) => {
                assert_eq!((check.public_key.as_slice(), check.signed), (public_key, signed));
            }
            other => panic!("{other:?}"),
        }
    }
}

const ANY: &str = "publickey,keyboard-interactive,password";

fn service(service_name: &str) -> Vec<u8> {
    wire(|out| ServiceRequest { service_name }.encode(out))
}

fn request_of(user_name: &str, service_name: &str, method_name: &str, body: &[u8]) -> Vec<u8> {
    let message = UserauthRequest { user_name, service_name, method_name, method: Rest(body) };
    wire(|out| message.encode(out))
}

fn request(method: &str, body: &[u8]) -> Vec<u8> {
    request_of("ada", CONNECTION_SERVICE, method, body)
}

fn password(password: &[u8], new_password: Option<&[u8]>) -> Vec<u8> {
    request("password", &wire(|out| Password { password, new_password }.encode(out)))
}

fn interactive() -> Vec<u8> {
    let body = KeyboardInteractive { language_tag: b"", submethods: b"pam" };
    request("keyboard-interactive", &wire(|out| body.encode(out)))
}

fn responses(answers: &[&[u8]]) -> Vec<u8> {
    wire(|out| UserauthInfoResponse::encode_responses(answers.iter().copied(), out))
}

fn failure(methods: &str, partial_success: bool) -> Vec<u8> {
    let authentications_that_can_continue = NameList::new(methods);
    wire(|out| {
        UserauthFailure { authentications_that_can_continue, partial_success }.encode(out);
    })
}

fn success() -> Vec<u8> {
    vec![52]
}

fn body<'a>(algorithm_name: &'a str, public_key: &'a [u8]) -> Publickey<'a> {
    Publickey { algorithm_name, public_key, server_host_key: None, signature: None }
}

fn probe(algorithm: &str, public_key: &[u8]) -> Vec<u8> {
    wire(|out| encode_request("ada", &body(algorithm, public_key), out))
}

/// A request with a signature over what `signed` says, whatever it is.
fn signed_as(body: &Publickey<'_>, session: &[u8], user: &str) -> Vec<u8> {
    let data = signed_data(session, user, body);
    let signature = sign(body.algorithm_name, body.public_key, &data);
    let body = Publickey { signature: Some(&signature), ..*body };
    wire(|out| encode_request("ada", &body, out))
}

fn signed(algorithm: &str, public_key: &[u8]) -> Vec<u8> {
    signed_as(&body(algorithm, public_key), SESSION, "ada")
}

fn by_key(public_key: &[u8]) -> Proven {
    Proven { method: Method::Publickey, public_key: Some(public_key.into()) }
}

fn by(method: Method) -> Proven {
    Proven { method, public_key: None }
}

fn logged_in(proven: &[Proven]) -> Ask {
    Ask::Success { user: "ada".into(), proven: proven.into() }
}

#[test]
fn the_service_is_granted_as_often_as_asked_for() {
    let mut script = Script::new();
    assert_eq!(script.server.phase(), Phase::Service);
    for _ in 0..2 {
        script.says(&service("ssh-userauth"));
        assert_eq!(script.replies(), [b"\x06\0\0\0\x0cssh-userauth"]);
        assert_eq!(script.server.phase(), Phase::Userauth);
    }
}

#[test]
fn another_service_is_not_available() {
    Script::new().refused(&service("ssh-connection"), Violation::ServiceNotAvailable);
    assert_eq!(Violation::ServiceNotAvailable.reason(), 7);
}

#[test]
fn the_first_none_gets_the_list_at_once() {
    let mut script = Script::new();
    script.says(&service("ssh-userauth"));
    script.says(&request("none", b""));
    script.replies();
    assert_eq!(script.asks_one(), Ask::User { user: "ada".into() });
    script.server.policy(Policy::default()).unwrap();
    assert_eq!(script.replies(), [failure(ANY, false)]);
    assert_eq!(script.asks(), []);
    script.says(&request("none", b""));
    script.fails(Some(Method::None));
}

#[test]
fn the_banner_goes_before_the_first_reply() {
    let mut script = Script::new();
    script.says(&service("ssh-userauth"));
    script.says(&request("none", b""));
    script.replies();
    let banner = Some(b"hello".to_vec());
    script.server.policy(Policy { banner, ..Policy::default() }).unwrap();
    let replies = script.replies();
    assert_eq!(replies, [b"\x35\0\0\0\x05hello\0\0\0\0".to_vec(), failure(ANY, false)]);
}

#[test]
fn a_method_that_is_unknown_or_disabled_fails() {
    let mut script = Script::open();
    script.says(&request("gssapi-with-mic", b"whatever"));
    script.fails(None);
    let methods = vec![Method::Publickey];
    let mut script = Script::known(Policy { methods, ..Policy::default() });
    script.says(&password(b"pw", None));
    assert_eq!(script.asks_one(), Ask::Pause { method: Some(Method::Password) });
    script.server.resume().unwrap();
    assert_eq!(script.replies(), [failure("publickey", false)]);
}

#[test]
fn a_probe_is_answered_by_the_driver_and_decides_nothing() {
    let blob = ed25519("a");
    let mut script = Script::open();
    script.says(&probe("ssh-ed25519", &blob));
    script.asked_about(&blob, false);
    script.server.key_checked(true).unwrap();
    let message = UserauthPkOk { algorithm_name: "ssh-ed25519", public_key: &blob };
    assert_eq!(script.replies(), [wire(|out| message.encode(out))]);
    assert_eq!(script.asks(), []);
    assert_eq!(script.server.phase(), Phase::Userauth);
    script.says(&probe("ssh-ed25519", &blob));
    script.asked_about(&blob, false);
    script.server.key_checked(false).unwrap();
    script.fails(Some(Method::Publickey));
}

#[test]
fn a_key_revoked_between_probe_and_signature_does_not_get_in() {
    let blob = ed25519("a");
    let mut script = Script::open();
    script.says(&probe("ssh-ed25519", &blob));
    script.asks();
    script.server.key_checked(true).unwrap();
    script.replies();
    script.says(&signed("ssh-ed25519", &blob));
    script.asked_about(&blob, true);
    script.server.key_checked(false).unwrap();
    script.fails(Some(Method::Publickey));
}

#[test]
fn a_signature_and_the_drivers_word_let_in() {
    let blob = ed25519("a");
    let mut script = Script::open();
    script.says(&signed("ssh-ed25519", &blob));
    script.asked_about(&blob, true);
    assert_eq!(script.replies(), [[]; 0]);
    script.server.key_checked(true).unwrap();
    assert_eq!(script.replies(), [success()]);
    assert_eq!(script.asks(), [logged_in(&[by_key(&blob)])]);
    assert_eq!(script.server.phase(), Phase::Authenticated);
}

#[test]
fn the_login_is_of_the_key_that_signed_whatever_was_probed_after() {
    let (signer, other) = (ed25519("signer"), ed25519("other"));
    let required = vec![vec![Method::Publickey, Method::Password]];
    let mut script = Script::known(Policy { required, ..Policy::default() });
    script.says(&signed("ssh-ed25519", &signer));
    script.asks();
    script.server.key_checked(true).unwrap();
    // Publickey has done its part: a further key is not even looked at.
    script.says(&probe("ssh-ed25519", &other));
    let asks = script.asks();
    let news = Ask::PartialSuccess(by_key(&signer));
    assert_eq!(asks, [news, Ask::Pause { method: Some(Method::Publickey) }]);
    script.server.resume().unwrap();
    script.says(&password(b"pw", None));
    script.server.password_checked(PasswordVerdict::Accepted).unwrap();
    let proven = [by_key(&signer), by(Method::Password)];
    assert_eq!(script.asks().last(), Some(&logged_in(&proven)));
}

#[test]
fn a_signature_over_something_else_is_not_even_asked_about() {
    let blob = ed25519("a");
    let body = body("ssh-ed25519", &blob);
    let other = ed25519("b");
    let by_other = {
        let data = signed_data(SESSION, "ada", &body);
        let signature = sign("ssh-ed25519", &other, &data);
        let body = Publickey { signature: Some(&signature), ..body };
        wire(|out| encode_request("ada", &body, out))
    };
    let mut cut = signed("ssh-ed25519", &blob);
    let last = cut.len() - 1;
    cut[last] ^= 1;
    for message in [
        signed_as(&body, b"another session", "ada"),
        signed_as(&body, SESSION, "bob"),
        by_other,
        cut,
    ] {
        let mut script = Script::open();
        script.says(&message);
        script.fails(Some(Method::Publickey));
    }
}

#[test]
fn a_plain_signature_is_no_hostbound_one_and_the_other_way_round() {
    let blob = ed25519("a");
    let plain = body("ssh-ed25519", &blob);
    let bound = Publickey { server_host_key: Some(HOST_KEY), ..plain };
    for (said, meant) in [(plain, bound), (bound, plain)] {
        let data = signed_data(SESSION, "ada", &meant);
        let signature = sign("ssh-ed25519", &blob, &data);
        let body = Publickey { signature: Some(&signature), ..said };
        let mut script = Script::open();
        script.says(&wire(|out| encode_request("ada", &body, out)));
        script.fails(Some(Method::Publickey));
    }
}

#[test]
fn algorithm_key_and_signature_must_go_together() {
    let (ed, rsa) = (ed25519("a"), key("ssh-rsa", "a"));
    let certificate = key("ssh-ed25519-cert-v01@openssh.com", "a");
    let named = |signature: &str| {
        // Good but for the name it goes by.
        let body = body("rsa-sha2-512", &rsa);
        let signature = sign(signature, &rsa, &signed_data(SESSION, "ada", &body));
        let body = Publickey { signature: Some(&signature), ..body };
        wire(|out| encode_request("ada", &body, out))
    };
    for message in [
        signed("ssh-ed25519", &rsa),
        signed("rsa-sha2-512", &ed),
        signed("ssh-ed25519", &certificate),
        signed("ssh-ed25519-cert-v01@openssh.com", &ed),
        signed("ssh-rsa", &rsa),
        signed("ssh-new@example.com", &ed),
        named("rsa-sha2-256"),
        named("ssh-rsa"),
    ] {
        let mut script = Script::open();
        script.says(&message);
        script.fails(Some(Method::Publickey));
    }
    let mut script = Script::open();
    script.says(&named("rsa-sha2-512"));
    script.asked_about(&rsa, true);
}

#[test]
fn a_certificate_is_shown_to_the_driver_as_one() {
    let certificate = key("ssh-rsa-cert-v01@openssh.com", "a");
    let mut script = Script::open();
    script.says(&signed("rsa-sha2-256-cert-v01@openssh.com", &certificate));
    match script.asks_one() {
        Ask::CheckKey(CheckKey {
            algorithm,
            public_key,
            signed: true,
            key_flags: None,
            request,
        }) => {
            assert_eq!(request, signed("rsa-sha2-256-cert-v01@openssh.com", &certificate));
            assert_eq!(algorithm.certified, Some("ssh-rsa"));
            assert_eq!(public_key, certificate);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_driver_hears_what_a_security_key_told_with_its_signature() {
    for name in ["sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com"] {
        let blob = key(name, "a");
        for (message, expected) in
            [(probe(name, &blob), None), (signed(name, &blob), Some(KEY_FLAGS))]
        {
            let mut script = Script::open();
            script.says(&message);
            match script.asks_one() {
                Ask::CheckKey(check) => assert_eq!(check.key_flags, expected, "{name}"),
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn an_algorithm_that_is_not_accepted_is_not_asked_about() {
    let accepted_algorithms = "rsa-sha2-512".into();
    let mut script = Script::known(Policy { accepted_algorithms, ..Policy::default() });
    for message in [probe("ssh-ed25519", &ed25519("a")), signed("ssh-ed25519", &ed25519("a"))] {
        script.says(&message);
        script.fails(Some(Method::Publickey));
    }
    script.says(&probe("rsa-sha2-512", &key("ssh-rsa", "a")));
    script.asked_about(&key("ssh-rsa", "a"), false);
}

#[test]
fn a_hostbound_request_must_name_our_host_key() {
    let blob = ed25519("a");
    let plain = body("ssh-ed25519", &blob);
    let mut script = Script::open();
    let other = Publickey { server_host_key: Some(b"another host"), ..plain };
    script.says(&signed_as(&other, SESSION, "ada"));
    script.fails(Some(Method::Publickey));
    script.says(&wire(|out| encode_request("ada", &other, out)));
    script.fails(Some(Method::Publickey));
    let ours = Publickey { server_host_key: Some(HOST_KEY), ..plain };
    script.says(&signed_as(&ours, SESSION, "ada"));
    script.asked_about(&blob, true);
}

#[test]
fn a_user_that_is_not_valid_sees_the_same_and_never_gets_in() {
    let blob = ed25519("a");
    let mut script = Script::known(Policy { valid: false, ..Policy::default() });
    script.says(&probe("ssh-ed25519", &blob));
    script.asked_about(&blob, false);
    script.server.key_checked(true).unwrap();
    script.fails(Some(Method::Publickey));
    script.says(&signed("ssh-ed25519", &blob));
    script.asked_about(&blob, true);
    script.server.key_checked(true).unwrap();
    script.fails(Some(Method::Publickey));
    script.says(&password(b"pw", None));
    script.asks();
    script.server.password_checked(PasswordVerdict::Accepted).unwrap();
    script.fails(Some(Method::Password));
    script.says(&interactive());
    script.asks();
    script.server.interactive(Interactive::Accepted).unwrap();
    script.fails(Some(Method::KeyboardInteractive));
}

#[test]
fn as_many_failures_as_allowed_end_the_connection() {
    let mut script = Script::known(Policy { max_tries: 3, ..Policy::default() });
    for _ in 1..3 {
        script.says(&request("none", b""));
        script.fails(Some(Method::None));
    }
    script.says(&request("none", b""));
    assert_eq!(script.asks_one(), Ask::Pause { method: Some(Method::None) });
    assert_eq!(script.server.resume(), Err(Violation::TooManyFailures));
    script.dead(Violation::TooManyFailures);
}

#[test]
fn keys_that_would_do_may_be_probed_but_not_for_ever() {
    let message = probe("ssh-ed25519", &ed25519("a"));
    let mut script = Script::open();
    for _ in 1..1024 {
        script.says(&message);
        script.server.key_checked(true).unwrap();
    }
    script.refused(&message, Violation::TooManyRequests);
}

#[test]
fn two_keys_are_two_keys() {
    let (first, second) = (ed25519("a"), ed25519("b"));
    let certificate = key("ssh-ed25519-cert-v01@openssh.com", "a");
    let required = vec![vec![Method::Publickey, Method::Publickey]];
    let mut script = Script::known(Policy { required, ..Policy::default() });
    script.says(&signed("ssh-ed25519", &first));
    script.server.key_checked(true).unwrap();
    assert_eq!(script.replies(), [failure("publickey", true)]);
    script.asks();
    for message in
        [signed("ssh-ed25519", &first), signed("ssh-ed25519-cert-v01@openssh.com", &certificate)]
    {
        script.says(&message);
        assert_eq!(script.asks_one(), Ask::Pause { method: Some(Method::Publickey) });
        script.server.resume().unwrap();
    }
    script.says(&signed("ssh-ed25519", &second));
    script.server.key_checked(true).unwrap();
    assert_eq!(script.asks().last(), Some(&logged_in(&[by_key(&first), by_key(&second)])));
}

#[test]
fn settings_that_leave_no_way_in_end_the_connection() {
    let mut script = Script::new();
    script.says(&service("ssh-userauth"));
    script.says(&request("none", b""));
    let policy =
        Policy { methods: vec![], required: vec![vec![Method::Password]], ..Policy::default() };
    assert_eq!(script.server.policy(policy), Err(Violation::NoMethodsEnabled));
    script.dead(Violation::NoMethodsEnabled);
}

#[test]
fn a_password_is_the_drivers_to_judge() {
    let mut script = Script::open();
    script.says(&password(b"pw", None));
    let expected = Ask::CheckPassword { password: Secret::new(b"pw"), new_password: None };
    assert_eq!(script.asks_one(), expected);
    script.server.password_checked(PasswordVerdict::Refused).unwrap();
    script.fails(Some(Method::Password));
    script.says(&password(b"pw", None));
    script.asks();
    script.server.password_checked(PasswordVerdict::Accepted).unwrap();
    assert_eq!(script.replies(), [success()]);
    assert_eq!(script.asks(), [logged_in(&[by(Method::Password)])]);
}

#[test]
fn an_expired_password_is_asked_for_with_a_new_one() {
    let mut script = Script::open();
    script.says(&password(b"old", None));
    script.asks();
    script.server.password_checked(PasswordVerdict::Expired { prompt: b"too old".into() }).unwrap();
    assert_eq!(script.replies(), [b"\x3c\0\0\0\x07too old\0\0\0\0"]);
    script.says(&password(b"old", Some(b"new")));
    let (password, new_password) = (Secret::new(b"old"), Some(Secret::new(b"new")));
    assert_eq!(script.asks_one(), Ask::CheckPassword { password, new_password });
    script.server.password_checked(PasswordVerdict::Accepted).unwrap();
    assert_eq!(script.replies(), [success()]);
}

#[test]
fn a_password_of_a_mebibyte_fails_unread() {
    let huge = vec![b'x'; 1 << 20];
    let mut script = Script::open();
    for message in [password(&huge, None), password(b"pw", Some(&huge))] {
        script.says(&message);
        script.fails(Some(Method::Password));
    }
    script.says(&password(&[b'x'; 1024], None));
    assert!(matches!(script.asks_one(), Ask::CheckPassword { .. }));
}

fn prompts(count: usize) -> Interactive {
    let prompt = Prompt { text: b"?".into(), echo: true };
    Interactive::Prompts { name: vec![], instruction: vec![], prompts: vec![prompt; count] }
}

#[test]
fn questions_go_on_until_the_driver_has_enough() {
    let mut script = Script::open();
    script.says(&interactive());
    let expected = Ask::KeyboardInteractive { submethods: b"pam".into() };
    assert_eq!(script.asks_one(), expected);
    for round in 0..3 {
        script.server.interactive(prompts(round)).unwrap();
        assert_eq!(script.replies().len(), 1);
        script.says(&responses(&vec![b"a".as_slice(); round]));
        assert_eq!(script.asks_one(), Ask::Responses(vec![Secret::new(b"a"); round]));
    }
    script.server.interactive(Interactive::Accepted).unwrap();
    assert_eq!(script.replies(), [success()]);
    assert_eq!(script.asks(), [logged_in(&[by(Method::KeyboardInteractive)])]);
}

#[test]
fn answers_in_another_number_than_asked_fail() {
    for count in [0, 2, 100] {
        let mut script = Script::open();
        script.says(&interactive());
        script.asks();
        script.server.interactive(prompts(1)).unwrap();
        script.replies();
        script.says(&responses(&vec![b"a".as_slice(); count]));
        script.fails(Some(Method::KeyboardInteractive));
        script.refused(&responses(&[b"a"]), Violation::ResponseWithoutRequest);
    }
}

#[test]
fn far_too_many_answers_are_a_violation() {
    let mut script = Script::open();
    script.says(&interactive());
    script.server.interactive(prompts(1)).unwrap();
    script.refused(&responses(&[b"a"; 101].map(|answer| &answer[..])), Violation::TooManyPrompts);
}

#[test]
fn answers_nobody_asked_for_are_a_violation() {
    Script::new().refused(&responses(&[]), Violation::ResponseWithoutRequest);
    Script::open().refused(&responses(&[]), Violation::ResponseWithoutRequest);
}

#[test]
fn another_request_aborts_the_questions_without_a_failure() {
    let mut script = Script::open();
    script.says(&interactive());
    script.asks();
    script.server.interactive(prompts(1)).unwrap();
    script.replies();
    script.says(&password(b"pw", None));
    assert!(matches!(script.asks_one(), Ask::CheckPassword { .. }));
    assert_eq!(script.replies(), [[]; 0]);
    script.server.password_checked(PasswordVerdict::Refused).unwrap();
    script.fails(Some(Method::Password));
    script.refused(&responses(&[b"late"]), Violation::ResponseWithoutRequest);
}

#[test]
fn a_user_cannot_change() {
    let mut script = Script::open();
    let blob = ed25519("a");
    let body = wire(|out| body("ssh-ed25519", &blob).encode(out));
    script.refused(
        &request_of("bob", CONNECTION_SERVICE, "publickey", &body),
        Violation::UserChanged,
    );
    assert_eq!(Violation::UserChanged.reason(), 2);
}

#[test]
fn a_user_cannot_change_while_the_first_is_being_looked_up() {
    let mut script = Script::new();
    script.says(&service("ssh-userauth"));
    script.says(&request("none", b""));
    script.says(&request_of("bob", CONNECTION_SERVICE, "none", b""));
    assert_eq!(script.asks_one(), Ask::User { user: "ada".into() });
    assert_eq!(script.server.policy(Policy::default()), Err(Violation::UserChanged));
    script.dead(Violation::UserChanged);
}

#[test]
fn the_only_service_is_the_connection() {
    for known in [false, true] {
        let mut script = if known { Script::open() } else { Script::new() };
        script.says(&service("ssh-userauth"));
        let message = request_of("ada", "ssh-userauth", "none", b"");
        script.refused(&message, Violation::UnknownService);
    }
}

#[test]
fn a_request_before_the_service_is_a_violation() {
    Script::new().refused(&request("none", b""), Violation::RequestBeforeService);
}

#[test]
fn a_user_name_has_a_length() {
    let mut script = Script::new();
    script.says(&service("ssh-userauth"));
    let name = "x".repeat(1025);
    let message = request_of(&name, CONNECTION_SERVICE, "none", b"");
    script.refused(&message, Violation::UserNameTooLong);
    assert_eq!(Violation::UserNameTooLong.reason(), 15);
}

#[test]
fn requests_sent_ahead_are_handled_one_after_the_other() {
    let blob = ed25519("a");
    let mut script = Script::new();
    script.says(&service("ssh-userauth"));
    script.says(&request("none", b""));
    script.says(&password(b"pw", None));
    script.says(&signed("ssh-ed25519", &blob));
    script.says(&request("none", b""));
    script.replies();
    assert_eq!(script.asks_one(), Ask::User { user: "ada".into() });
    script.server.policy(Policy::default()).unwrap();
    assert_eq!(script.replies(), [failure(ANY, false)]);
    assert!(matches!(script.asks_one(), Ask::CheckPassword { .. }));
    script.server.password_checked(PasswordVerdict::Refused).unwrap();
    script.fails_then_asks();
    script.asked_about(&blob, true);
    script.server.key_checked(true).unwrap();
    // The last one is ignored.
    assert_eq!(script.replies(), [success()]);
    assert_eq!(script.asks(), [logged_in(&[by_key(&blob)])]);
}

impl Script {
    /// As `fails`, with another request waiting behind.
    #[track_caller]
    fn fails_then_asks(&mut self) {
        assert!(matches!(self.asks_one(), Ask::Pause { .. }));
        self.server.resume().unwrap();
        assert_eq!(self.replies(), [failure(ANY, false)]);
    }
}

#[test]
fn what_is_sent_ahead_is_bounded() {
    let mut script = Script::new();
    script.says(&service("ssh-userauth"));
    for _ in 0..=64 {
        script.says(&request("none", b""));
    }
    script.refused(&request("none", b""), Violation::TooMuchPipelined);
}

#[test]
fn after_success_requests_are_ignored_and_all_else_is_a_violation() {
    for number in 0..=u8::MAX {
        let mut script = Script::open();
        script.says(&password(b"pw", None));
        script.server.password_checked(PasswordVerdict::Accepted).unwrap();
        script.replies();
        script.asks();
        if number == 50 {
            script.says(&request("none", b""));
            script.says(&[50]);
            assert_eq!(script.replies(), [[]; 0]);
            assert_eq!(script.asks(), []);
        } else {
            script.refused(&[number], Violation::MessageAfterSuccess(number));
        }
    }
}

#[test]
fn every_number_a_client_does_not_send_is_a_violation() {
    for number in (0..=u8::MAX).filter(|number| ![5, 50, 61].contains(number)) {
        Script::new().refused(&[number], Violation::UnexpectedMessage(number));
        Script::open().refused(&[number], Violation::UnexpectedMessage(number));
        let mut script = Script::open();
        script.says(&interactive());
        script.server.interactive(prompts(1)).unwrap();
        script.refused(&[number], Violation::UnexpectedMessage(number));
    }
    Script::new().refused(&[], Violation::UnexpectedMessage(0));
}

#[test]
fn a_message_with_a_byte_too_many_is_a_violation() {
    let trailing = Violation::Malformed(DecodeError::TrailingBytes);
    let blob = ed25519("a");
    for mut message in [
        service("ssh-userauth"),
        probe("ssh-ed25519", &blob),
        signed("ssh-ed25519", &blob),
        password(b"pw", None),
        password(b"pw", Some(b"new")),
        interactive(),
        responses(&[b"a"]),
    ] {
        message.push(0);
        Script::open().refused(&message, trailing);
    }
}

#[test]
fn an_answer_to_another_question_changes_nothing() {
    let mut script = Script::open();
    script.says(&password(b"pw", None));
    script.asks();
    script.server.key_checked(true).unwrap();
    script.server.interactive(Interactive::Accepted).unwrap();
    script.server.policy(Policy::default()).unwrap();
    script.server.resume().unwrap();
    assert_eq!(script.replies(), [[]; 0]);
    assert_eq!(script.server.phase(), Phase::Userauth);
    script.server.password_checked(PasswordVerdict::Refused).unwrap();
    script.server.password_checked(PasswordVerdict::Accepted).unwrap();
    script.fails(Some(Method::Password));
    script.server.password_checked(PasswordVerdict::Accepted).unwrap();
    assert_eq!(script.replies(), [[]; 0]);
    assert_eq!(script.server.phase(), Phase::Userauth);
}

#[test]
fn debug_output_shows_no_password() {
    let mut script = Script::new();
    script.says(&service("ssh-userauth"));
    script.says(&password(b"hunter2", Some(b"hunter2")));
    script.says(&password(b"hunter2", None));
    let bytes = format!("{:?}", b"hunter2");
    let hidden = |shown: alloc::string::String| {
        !shown.contains("hunter2") && !shown.contains(bytes.trim_matches(['[', ']']))
    };
    assert!(hidden(format!("{:?}", script.server)));
    script.asks();
    script.server.policy(Policy::default()).unwrap();
    assert!(hidden(format!("{:?}", script.server)));
    assert!(hidden(format!("{:?}", script.asks_one())));
}
