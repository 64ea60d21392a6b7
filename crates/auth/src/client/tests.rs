//! A client held against scripted servers, honest and hostile.
//! Touches: the client's messages byte by byte.   Never: the server machine; that is `pair`.
//! Invariants: every violation of a server has a test here.
//! Errors: none.   Allocates: freely.
//! Proved by: breaking the code and seeing them fail.

use super::*;
use crate::Prompt;
use crate::fake::{HOST_KEY, SESSION, ed25519, key, sign, wire};
use crate::publickey::{encode_request, signed_data};
use adit_wire::NameList;
use adit_wire::auth::{
    Publickey, UserauthInfoRequest, UserauthInfoResponse, UserauthPasswdChangereq, UserauthPkOk,
};
use adit_wire::{DecodeError, Rest};
use alloc::{format, string::ToString, vec};
use zeroize::Zeroizing;

fn config() -> Config {
    Config::new("ada", SESSION, HOST_KEY)
}

fn prefer(methods: &[Method]) -> Config {
    Config { preferred: methods.into(), ..config() }
}

/// A server that says what the test wants.
struct Script {
    client: Client,
}

impl Script {
    fn start(config: Config) -> Self {
        let mut client = Client::new(config);
        client.start();
        Self { client }
    }

    /// Service granted, `none` refused with that list.
    fn listed(config: Config, methods: &str) -> Self {
        let mut script = Self::start(config);
        script.sent(2);
        script.says(&accept());
        script.says(&failure(methods, false));
        script
    }

    #[track_caller]
    fn says(&mut self, message: &[u8]) {
        assert_eq!(self.client.handle(message), Ok(()));
    }

    #[track_caller]
    fn refused(&mut self, message: &[u8], violation: Violation) {
        assert_eq!(self.client.handle(message), Err(violation));
        // Dead: nothing is asked, nothing changes that.
        assert!(self.asks().iter().all(|ask| !ask.is_question()));
        assert_eq!(self.client.handle(&accept()), Err(violation));
        self.client.outbox = Outbox::new();
        self.client.cancel();
        assert!(self.client.outbox.is_empty());
    }

    /// That many messages are sent; gives the last.
    #[track_caller]
    fn sent(&mut self, count: usize) -> Vec<u8> {
        let mut last = vec![];
        let mut seen = 0;
        while let Some(message) = self.client.outbox().front() {
            last = message.to_vec();
            seen += 1;
            self.client.outbox().pop();
        }
        assert_eq!(seen, count);
        last
    }

    fn asks(&mut self) -> Vec<Ask> {
        core::iter::from_fn(|| self.client.next()).collect()
    }

    #[track_caller]
    fn asks_one(&mut self) -> Ask {
        let asks = self.asks();
        assert_eq!(asks.len(), 1, "{asks:?}");
        asks.into_iter().next().unwrap()
    }

    #[track_caller]
    fn asked_to_sign(&mut self) -> SignRequest {
        match self.asks_one() {
            Ask::Sign(request) => request,
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn signs(&mut self) {
        let request = self.asked_to_sign();
        let signature = sign(&request.algorithm, &request.public_key, &request.data);
        self.client.signed(Some(signature));
    }
}

fn accept() -> Vec<u8> {
    wire(|out| ServiceAccept { service_name: "ssh-userauth" }.encode(out))
}

fn failure(methods: &str, partial_success: bool) -> Vec<u8> {
    let authentications_that_can_continue = NameList::new(methods);
    wire(|out| {
        UserauthFailure { authentications_that_can_continue, partial_success }.encode(out);
    })
}

fn success() -> Vec<u8> {
    wire(|out| UserauthSuccess {}.encode(out))
}

fn banner(message: &[u8]) -> Vec<u8> {
    wire(|out| UserauthBanner { message, language_tag: b"" }.encode(out))
}

fn pk_ok(algorithm_name: &str, public_key: &[u8]) -> Vec<u8> {
    wire(|out| UserauthPkOk { algorithm_name, public_key }.encode(out))
}

fn info_request(name: &[u8], prompts: &[(&[u8], bool)]) -> Vec<u8> {
    wire(|out| UserauthInfoRequest::encode_prompts(name, b"", prompts, out))
}

fn request(method_name: &str, body: &[u8]) -> Vec<u8> {
    let message = adit_wire::auth::UserauthRequest {
        user_name: "ada",
        service_name: "ssh-connection",
        method_name,
        method: Rest(body),
    };
    wire(|out| message.encode(out))
}

fn key_request(algorithm_name: &str, public_key: &[u8], signature: Option<&[u8]>) -> Vec<u8> {
    let body = Publickey { algorithm_name, public_key, server_host_key: None, signature };
    wire(|out| encode_request("ada", &body, out))
}

fn secret(text: &str) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(text.into())
}

fn partial(methods: &[Method], last: Method) -> Ask {
    Ask::Success { method: last, partial: methods.into() }
}

const ANY: &str = "publickey,password,keyboard-interactive";

#[test]
fn the_first_flight_asks_for_the_service_and_the_list() {
    let mut client = Client::new(config());
    client.start();
    assert_eq!(client.outbox().front(), Some(&b"\x05\0\0\0\x0cssh-userauth"[..]));
    client.outbox().pop();
    assert_eq!(client.outbox().front(), Some(request("none", b"").as_slice()));
    client.outbox().pop();
    assert!(client.outbox().is_empty());
    assert_eq!(client.next(), None);
    assert_eq!(client.phase(), Phase::Service);
    client.handle(&accept()).unwrap();
    assert_eq!(client.phase(), Phase::Userauth);
}

#[test]
fn a_server_that_wants_nothing_lets_none_in() {
    let mut script = Script::start(config());
    script.says(&accept());
    script.says(&success());
    assert_eq!(script.asks(), [partial(&[], Method::None)]);
    assert_eq!(script.client.phase(), Phase::Authenticated);
}

#[test]
fn a_key_is_probed_then_signs() {
    let blob = ed25519("a");
    let mut script = Script::listed(config(), ANY);
    assert_eq!(script.asks_one(), Ask::Publickey { first: true });
    script.client.offer_key(&blob, KeyUse::Probe);
    assert_eq!(script.sent(1), key_request("ssh-ed25519", &blob, None));
    script.says(&pk_ok("ssh-ed25519", &blob));
    let body = Publickey {
        algorithm_name: "ssh-ed25519",
        public_key: &blob,
        server_host_key: None,
        signature: None,
    };
    let data = signed_data(SESSION, "ada", &body);
    let asked = script.asked_to_sign();
    assert_eq!(asked.data, data);
    assert_eq!((&*asked.algorithm, &*asked.signature_algorithm), ("ssh-ed25519", "ssh-ed25519"));
    let signature = sign("ssh-ed25519", &blob, &data);
    script.client.signed(Some(signature.clone()));
    assert_eq!(script.sent(1), key_request("ssh-ed25519", &blob, Some(&signature)));
    script.says(&success());
    assert_eq!(script.asks(), [partial(&[], Method::Publickey)]);
}

#[test]
fn a_known_key_signs_at_once() {
    let mut script = Script::listed(config(), ANY);
    script.asks();
    script.client.offer_key(&ed25519("a"), KeyUse::SignAtOnce);
    script.sent(0);
    script.signs();
    script.sent(1);
    script.says(&success());
    assert_eq!(script.asks(), [partial(&[], Method::Publickey)]);
}

#[test]
fn a_signature_is_bound_to_the_host_key_if_the_server_knows_how() {
    let blob = ed25519("a");
    let mut script = Script::listed(config(), ANY);
    script.asks();
    let extensions = Extensions { publickey_hostbound: true, ..Extensions::default() };
    script.client.extensions(extensions);
    script.client.offer_key(&blob, KeyUse::Probe);
    // Probes are plain: nothing is signed in them.
    assert_eq!(script.sent(1), key_request("ssh-ed25519", &blob, None));
    script.says(&pk_ok("ssh-ed25519", &blob));
    let data = script.asked_to_sign().data;
    let body = Publickey {
        algorithm_name: "ssh-ed25519",
        public_key: &blob,
        server_host_key: Some(HOST_KEY),
        signature: None,
    };
    assert_eq!(data, signed_data(SESSION, "ada", &body));
    let signature = sign("ssh-ed25519", &blob, &data);
    script.client.signed(Some(signature.clone()));
    let body = Publickey { signature: Some(&signature), ..body };
    assert_eq!(script.sent(1), wire(|out| encode_request("ada", &body, out)));
}

#[test]
fn a_certificate_signs_with_the_algorithm_of_its_key() {
    let blob = key("ssh-rsa-cert-v01@openssh.com", "a");
    let server_sig_algs = Some("rsa-sha2-256,rsa-sha2-512".to_string());
    let extensions = Extensions { server_sig_algs, ..Extensions::default() };
    let mut script = Script::listed(Config { extensions, ..config() }, ANY);
    script.asks();
    script.client.offer_key(&blob, KeyUse::SignAtOnce);
    let asked = script.asked_to_sign();
    assert_eq!(asked.algorithm, "rsa-sha2-512-cert-v01@openssh.com");
    assert_eq!(asked.signature_algorithm, "rsa-sha2-512");
    assert_eq!(asked.public_key, blob);
}

#[test]
fn rsa_comes_again_with_sha256_when_the_server_did_not_say_what_it_knows() {
    let blob = key("ssh-rsa", "a");
    let mut script = Script::listed(config(), ANY);
    script.asks();
    script.client.offer_key(&blob, KeyUse::Probe);
    assert_eq!(script.sent(1), key_request("rsa-sha2-512", &blob, None));
    script.says(&failure(ANY, false));
    assert_eq!(script.sent(1), key_request("rsa-sha2-256", &blob, None));
    assert_eq!(script.asks(), []);
    script.says(&failure(ANY, false));
    assert_eq!(script.asks_one(), Ask::Publickey { first: false });
}

#[test]
fn pk_ok_may_name_the_kind_of_key_instead_of_the_algorithm() {
    let blob = key("ssh-rsa", "a");
    let mut script = Script::listed(config(), ANY);
    script.asks();
    script.client.offer_key(&blob, KeyUse::Probe);
    script.says(&pk_ok("ssh-rsa", &blob));
    // What is signed is what we offered, whatever the server wrote.
    assert_eq!(script.asked_to_sign().signature_algorithm, "rsa-sha2-512");
}

#[test]
fn pk_ok_for_another_key_or_algorithm_is_a_violation() {
    let offered = ed25519("a");
    let cases =
        [("ssh-ed25519", ed25519("b")), ("rsa-sha2-512", offered.clone()), ("", offered.clone())];
    for (algorithm, blob) in cases {
        let mut script = Script::listed(config(), ANY);
        script.client.offer_key(&offered, KeyUse::Probe);
        script.refused(&pk_ok(algorithm, &blob), Violation::PkOkForAnotherKey);
    }
}

#[test]
fn each_key_is_tried_once() {
    let blob = ed25519("a");
    let mut script = Script::listed(config(), ANY);
    script.asks();
    script.client.offer_key(&blob, KeyUse::Probe);
    script.sent(1);
    script.says(&failure(ANY, false));
    script.asks();
    script.client.offer_key(&blob, KeyUse::Probe);
    script.sent(0);
    let skipped = Ask::KeySkipped { public_key: blob, reason: KeySkipped::AlreadyTried };
    assert_eq!(script.asks(), [skipped, Ask::Publickey { first: false }]);
}

#[test]
fn a_key_without_a_mutual_algorithm_is_skipped() {
    let blob = key("ssh-rsa", "a");
    let extensions = Extensions { server_sig_algs: Some("x".into()), ..Extensions::default() };
    let mut script = Script::listed(Config { extensions, ..config() }, ANY);
    script.asks();
    script.client.offer_key(&blob, KeyUse::Probe);
    script.sent(0);
    let skipped = Ask::KeySkipped { public_key: blob, reason: KeySkipped::NoMutualAlgorithm };
    assert_eq!(script.asks(), [skipped, Ask::Publickey { first: false }]);
}

#[test]
fn a_signature_of_another_algorithm_does_not_leave() {
    let blob = key("ssh-rsa", "a");
    for signature in [None, Some(sign("ssh-rsa", &blob, b"")), Some(vec![])] {
        let mut script = Script::listed(config(), ANY);
        script.client.offer_key(&blob, KeyUse::SignAtOnce);
        script.asks();
        script.client.signed(signature);
        script.sent(0);
        let public_key = blob.clone();
        let skipped = Ask::KeySkipped { public_key, reason: KeySkipped::NotSigned };
        assert_eq!(script.asks(), [skipped, Ask::Publickey { first: false }]);
    }
}

#[test]
fn partial_success_starts_over_with_the_new_list_and_without_the_key_that_served() {
    let blob = ed25519("a");
    let mut script = Script::listed(config(), "publickey");
    script.asks();
    script.client.offer_key(&ed25519("b"), KeyUse::Probe);
    script.says(&failure("publickey", false));
    script.client.offer_key(&blob, KeyUse::SignAtOnce);
    script.asks();
    script.client.signed(Some(sign("ssh-ed25519", &blob, b"")));
    script.sent(2);
    script.says(&failure("password,publickey", true));
    let news = [Ask::PartialSuccess(Method::Publickey), Ask::Publickey { first: true }];
    assert_eq!(script.asks(), news);
    script.client.offer_key(&blob, KeyUse::Probe);
    script.sent(0);
    script.client.offer_key(&ed25519("b"), KeyUse::Probe);
    script.sent(1);
    script.says(&failure("password,publickey", false));
    script.asks();
    script.client.no_more_keys();
    assert_eq!(script.asks_one(), Ask::Password { attempt: 1 });
    script.client.password(secret("pw"));
    script.says(&success());
    assert_eq!(script.asks(), [partial(&[Method::Publickey], Method::Password)]);
}

#[test]
fn a_password_is_asked_for_three_times() {
    let mut script = Script::listed(prefer(&[Method::Password]), "publickey,password");
    for attempt in 1..=3 {
        let asks = script.asks();
        assert_eq!(asks.last(), Some(&Ask::Password { attempt }));
        assert_eq!(asks.contains(&Ask::TryAgain(Method::Password)), attempt > 1);
        script.client.password(secret("pw"));
        assert_eq!(script.sent(1), request("password", b"\0\0\0\0\x02pw"));
        script.says(&failure("publickey,password", false));
    }
    assert_eq!(script.asks(), [Ask::Failed { methods: "publickey,password".into() }]);
    script.client.password(secret("pw"));
    script.sent(0);
}

#[test]
fn an_expired_password_is_changed() {
    let mut script = Script::listed(prefer(&[Method::Password]), "password");
    script.asks();
    script.client.password(secret("old"));
    script.sent(1);
    let message = UserauthPasswdChangereq { prompt: b"too old", language_tag: b"" };
    script.says(&wire(|out| message.encode(out)));
    assert_eq!(script.asks_one(), Ask::ChangePassword { prompt: b"too old".into() });
    script.client.password(secret("this was not asked"));
    script.sent(0);
    let change = request("password", b"\x01\0\0\0\x03old\0\0\0\x03new");
    script.client.change_password(secret("old"), secret("new"));
    assert_eq!(script.sent(1), change);
    script.says(&failure("password", false));
    let asks = [Ask::TryAgain(Method::Password), Ask::Password { attempt: 2 }];
    assert_eq!(script.asks(), asks);
    script.client.change_password(secret("this was"), secret("not asked"));
    script.sent(0);
    script.client.password(secret("old"));
    script.says(&wire(|out| message.encode(out)));
    script.sent(1);
    script.client.change_password(secret("old"), secret("new"));
    script.asks();
    assert_eq!(script.sent(1), change);
    script.says(&success());
    assert_eq!(script.asks(), [partial(&[], Method::Password)]);
}

#[test]
fn questions_are_answered_round_by_round() {
    let config = Config { submethods: "pam".into(), ..prefer(&[Method::KeyboardInteractive]) };
    let mut script = Script::listed(config, ANY);
    assert_eq!(script.sent(1), request("keyboard-interactive", b"\0\0\0\0\0\0\0\x03pam"));
    script.says(&info_request(b"login", &[(b"Password: ", false), (b"Token: ", true)]));
    let prompts = vec![
        Prompt { text: b"Password: ".into(), echo: false },
        Prompt { text: b"Token: ".into(), echo: true },
    ];
    let asked = Ask::Answers { name: b"login".into(), instruction: vec![], prompts };
    assert_eq!(script.asks_one(), asked);
    script.client.answers(vec![secret("pw"), secret("123")]);
    assert_eq!(script.sent(1), b"\x3d\0\0\0\x02\0\0\0\x02pw\0\0\0\x03123");
    script.says(&info_request(b"well done", &[]));
    let notice = Ask::Notice { name: b"well done".into(), instruction: vec![] };
    assert_eq!(script.asks_one(), notice);
    let none: [&[u8]; 0] = [];
    let empty = wire(|out| UserauthInfoResponse::encode_responses(none.into_iter(), out));
    assert_eq!(script.sent(1), empty);
    script.says(&success());
    assert_eq!(script.asks(), [partial(&[], Method::KeyboardInteractive)]);
}

#[test]
fn keyboard_interactive_is_started_three_times_if_it_comes_to_questions() {
    let mut script = Script::listed(prefer(&[Method::KeyboardInteractive]), ANY);
    for attempt in 1..=3 {
        script.sent(1);
        script.says(&info_request(b"", &[(b"?", true)]));
        let asks = script.asks();
        assert_eq!(asks.contains(&Ask::TryAgain(Method::KeyboardInteractive)), attempt > 1);
        script.client.answers(vec![secret("no")]);
        script.sent(1);
        script.says(&failure(ANY, false));
    }
    assert_eq!(script.asks(), [Ask::Failed { methods: ANY.into() }]);
}

#[test]
fn keyboard_interactive_without_questions_is_not_started_again() {
    let mut script = Script::listed(prefer(&[Method::KeyboardInteractive]), ANY);
    script.sent(1);
    script.says(&failure(ANY, false));
    script.sent(0);
    assert_eq!(script.asks(), [Ask::Failed { methods: ANY.into() }]);
}

#[test]
fn questions_not_answered_are_left_for_the_next_method_at_once() {
    let mut script = Script::listed(config(), "keyboard-interactive,password");
    script.sent(1);
    script.says(&info_request(b"", &[(b"?", true)]));
    script.asks();
    script.client.cancel();
    // No failure comes for what was aborted: RFC 4252 §5.1.
    assert_eq!(script.asks_one(), Ask::Password { attempt: 1 });
    script.client.password(secret("pw"));
    script.says(&success());
    assert_eq!(script.asks(), [partial(&[], Method::Password)]);
}

#[test]
fn answers_in_another_number_than_asked_do_not_leave() {
    let mut script = Script::listed(prefer(&[Method::KeyboardInteractive]), ANY);
    script.says(&info_request(b"", &[(b"?", true)]));
    script.asks();
    script.sent(1);
    script.client.answers(vec![secret("a"), secret("b")]);
    script.sent(0);
    assert_eq!(script.asks(), [Ask::Failed { methods: ANY.into() }]);
}

#[test]
fn a_failure_takes_back_the_questions() {
    let mut script = Script::listed(prefer(&[Method::KeyboardInteractive]), ANY);
    script.says(&info_request(b"", &[(b"?", true)]));
    script.says(&failure("publickey", false));
    assert_eq!(script.asks(), [Ask::Failed { methods: "publickey".into() }]);
    script.sent(1);
    script.client.answers(vec![secret("late")]);
    script.sent(0);
}

#[test]
fn a_driver_that_answers_nothing_fails_with_the_servers_list() {
    let mut script = Script::listed(config(), "publickey,password");
    let mut asks = vec![];
    for _ in 0..10 {
        asks.extend(script.asks());
        script.client.cancel();
    }
    script.sent(0);
    let expected = [
        Ask::Publickey { first: true },
        Ask::Password { attempt: 1 },
        Ask::Failed { methods: "publickey,password".into() },
    ];
    assert_eq!(asks, expected);
}

#[test]
fn a_key_that_is_not_signed_with_leads_to_the_next() {
    let mut script = Script::listed(config(), ANY);
    script.client.offer_key(&ed25519("a"), KeyUse::SignAtOnce);
    script.asks();
    script.client.cancel();
    assert_eq!(script.asks().last(), Some(&Ask::Publickey { first: false }));
}

#[test]
fn methods_that_are_not_preferred_are_not_tried() {
    let mut script = Script::listed(prefer(&[]), ANY);
    assert_eq!(script.asks(), [Ask::Failed { methods: ANY.into() }]);
}

/// `start` with a key: gives the script with three requests open.
fn eager(blob: &[u8]) -> Script {
    let mut script = Script::start(Config { eager_key: true, ..config() });
    assert_eq!(script.asks_one(), Ask::Publickey { first: true });
    script.client.offer_key(blob, KeyUse::SignAtOnce);
    script.signs();
    script.sent(3);
    script
}

#[test]
fn an_eager_key_leaves_with_the_first_flight() {
    let mut script = eager(&ed25519("a"));
    script.says(&accept());
    script.says(&failure("publickey", false));
    script.says(&success());
    assert_eq!(script.asks(), [partial(&[], Method::Publickey)]);
}

#[test]
fn an_eager_key_that_is_refused_is_followed_by_the_next() {
    let mut script = eager(&ed25519("a"));
    script.says(&accept());
    script.says(&failure(ANY, false));
    assert_eq!(script.asks(), []);
    script.says(&failure(ANY, false));
    assert_eq!(script.asks(), [Ask::Publickey { first: false }]);
}

#[test]
fn an_eager_key_is_forgotten_when_none_is_enough() {
    let mut script = eager(&ed25519("a"));
    script.says(&accept());
    script.says(&success());
    assert_eq!(script.asks(), [partial(&[], Method::None)]);
}

#[test]
fn an_eager_key_not_yet_chosen_is_not_asked_for_any_more_when_none_is_enough() {
    let mut script = Script::start(Config { eager_key: true, ..config() });
    script.says(&accept());
    script.says(&success());
    assert_eq!(script.asks(), [partial(&[], Method::None)]);
    script.client.offer_key(&ed25519("a"), KeyUse::Probe);
    script.sent(2);
}

#[test]
fn an_eager_key_not_yet_chosen_is_not_asked_for_any_more_if_the_server_takes_none() {
    let mut script = Script::start(Config { eager_key: true, ..config() });
    script.says(&accept());
    script.says(&failure("password", false));
    assert_eq!(script.asks(), [Ask::Password { attempt: 1 }]);
    script.client.offer_key(&ed25519("a"), KeyUse::Probe);
    script.sent(2);
}

#[test]
fn an_eager_key_may_come_after_the_list() {
    let mut script = Script::start(Config { eager_key: true, ..config() });
    script.says(&accept());
    script.says(&failure(ANY, false));
    assert_eq!(script.asks(), [Ask::Publickey { first: true }]);
    script.client.no_more_keys();
    assert_eq!(script.asks(), []);
    script.sent(3);
}

#[test]
fn without_an_eager_key_the_list_is_awaited() {
    let mut script = Script::start(Config { eager_key: true, ..config() });
    script.asks();
    script.client.no_more_keys();
    assert_eq!(script.asks(), []);
    script.sent(2);
    script.says(&accept());
    script.says(&failure("password", false));
    assert_eq!(script.asks(), [Ask::Password { attempt: 1 }]);
}

#[test]
fn banners_are_handed_on_up_to_a_bound() {
    let mut script = Script::start(config());
    script.says(&accept());
    script.says(&banner(b""));
    script.says(&banner(b"welcome\x1b[2J"));
    assert_eq!(script.asks(), [Ask::Banner(b"welcome\x1b[2J".into())]);
    script.says(&banner(&[b'x'; BANNER_LIMIT]));
    script.says(&banner(b"more"));
    let bytes: usize = script
        .asks()
        .iter()
        .map(|ask| if let Ask::Banner(text) = ask { text.len() } else { 0 })
        .sum();
    assert_eq!(bytes + b"welcome\x1b[2J".len(), BANNER_LIMIT);
}

#[test]
fn an_empty_list_is_tried_with_all_we_have() {
    let mut script = Script::listed(config(), "");
    assert_eq!(script.asks_one(), Ask::Publickey { first: true });
}

#[test]
fn success_before_the_service_is_a_violation() {
    Script::start(config()).refused(&success(), Violation::SuccessWithoutRequest);
}

#[test]
fn success_before_start_is_a_violation() {
    let mut client = Client::new(config());
    assert_eq!(client.handle(&success()), Err(Violation::SuccessWithoutRequest));
}

#[test]
fn success_while_nothing_is_asked_of_the_server_is_a_violation() {
    Script::listed(config(), ANY).refused(&success(), Violation::SuccessWithoutRequest);
}

#[test]
fn success_for_a_probe_is_a_violation() {
    for partial_success in [false, true] {
        let mut script = Script::listed(config(), ANY);
        script.client.offer_key(&ed25519("a"), KeyUse::Probe);
        let message = if partial_success { failure(ANY, true) } else { success() };
        script.refused(&message, Violation::SuccessForProbe);
    }
}

#[test]
fn failure_without_a_request_is_a_violation() {
    Script::start(config()).refused(&failure(ANY, false), Violation::FailureWithoutRequest);
    Script::listed(config(), ANY).refused(&failure(ANY, false), Violation::FailureWithoutRequest);
}

#[test]
fn a_service_accepted_twice_or_under_another_name_is_a_violation() {
    Script::listed(config(), ANY).refused(&accept(), Violation::UnexpectedServiceAccept);
    let other = wire(|out| ServiceAccept { service_name: "ssh-connection" }.encode(out));
    Script::start(config()).refused(&other, Violation::UnexpectedServiceAccept);
}

#[test]
fn message_60_out_of_context_is_a_violation() {
    let message = pk_ok("ssh-ed25519", &ed25519("a"));
    Script::start(config()).refused(&message, Violation::MethodMessageOutOfContext);
    Script::listed(config(), ANY).refused(&message, Violation::MethodMessageOutOfContext);
    // A signed request has no PK_OK.
    let mut script = eager(&ed25519("a"));
    script.says(&accept());
    script.says(&failure(ANY, false));
    script.refused(&message, Violation::MethodMessageOutOfContext);
}

#[test]
fn message_60_of_another_method_does_not_decode() {
    let mut script = Script::listed(prefer(&[Method::Password]), ANY);
    script.client.password(secret("pw"));
    let message = info_request(b"", &[(b"?", true)]);
    script.refused(&message, Violation::Malformed(DecodeError::TrailingBytes));
}

#[test]
fn questions_before_the_last_were_answered_are_a_violation() {
    let mut script = Script::listed(prefer(&[Method::KeyboardInteractive]), ANY);
    let message = info_request(b"", &[(b"?", true)]);
    script.says(&message);
    script.refused(&message, Violation::InfoRequestBeforeResponse);
}

#[test]
fn prompts_and_rounds_are_bounded() {
    let mut script = Script::listed(prefer(&[Method::KeyboardInteractive]), ANY);
    script.refused(&info_request(b"", &[(b"?".as_slice(), true); 101]), Violation::TooManyPrompts);
    let mut script = Script::listed(prefer(&[Method::KeyboardInteractive]), ANY);
    for _ in 0..100 {
        script.says(&info_request(b"", &[]));
    }
    script.refused(&info_request(b"", &[]), Violation::TooManyInfoRequests);
}

#[test]
fn after_success_nothing_more_is_taken() {
    for message in [success(), failure(ANY, false), banner(b"x"), accept(), vec![61]] {
        let mut script = Script::start(config());
        script.says(&accept());
        script.says(&success());
        let number = message[0];
        script.refused(&message, Violation::MessageAfterSuccess(number));
    }
}

#[test]
fn a_banner_before_the_service_is_a_violation() {
    Script::start(config()).refused(&banner(b"x"), Violation::UnexpectedMessage(53));
}

#[test]
fn every_number_a_server_does_not_send_is_a_violation() {
    for number in (0..=u8::MAX).filter(|number| ![6, 51, 52, 53, 60].contains(number)) {
        let mut script = Script::listed(config(), ANY);
        script.refused(&[number], Violation::UnexpectedMessage(number));
    }
    Script::listed(config(), ANY).refused(&[], Violation::UnexpectedMessage(0));
}

#[test]
fn a_message_with_a_byte_too_many_is_a_violation() {
    for mut message in [success(), failure(ANY, false), banner(b"x")] {
        message.push(0);
        let mut script = Script::start(config());
        script.says(&accept());
        script.refused(&message, Violation::Malformed(DecodeError::TrailingBytes));
    }
}

#[test]
fn debug_output_shows_no_password() {
    let mut script = Script::listed(prefer(&[Method::Password]), ANY);
    script.client.password(secret("hunter2"));
    let bytes = format!("{:?}", b"hunter2");
    let shown = format!("{:?}", script.client);
    assert!(!shown.contains("hunter2") && !shown.contains(bytes.trim_matches(['[', ']'])));
}
