//! Whom the client believes, what it says about it, what it writes down.

use super::*;
use crate::testing::{Folder, Scripted, key, policy, read};
use adit_keys::public::encode;

/// A user with one known_hosts file of these lines.
struct User {
    folder: Folder,
    policy: Policy,
}

fn user(strict: Strict, known_hosts: &str) -> User {
    let folder = Folder::new();
    let file = folder.write("known_hosts", known_hosts);
    let policy = policy(strict, vec![file]);
    User { folder, policy }
}

impl User {
    fn shown(&self, shown: &[u8], answers: &[&str]) -> (Trust, Vec<String>) {
        let prompter = Scripted::new(answers);
        let trust = self.policy.judge(&server(), shown, &prompter);
        (trust, prompter.asked())
    }

    fn known_hosts(&self) -> String {
        read(&self.policy.user_files[0])
    }
}

fn server() -> Server {
    Server { host: "alma".into(), port: 2222, address: "192.0.2.1:2222".parse().ok() }
}

fn line(name: &str, seed: u8) -> String {
    format!("{name} {}\n", encode(&key(seed).public_blob()))
}

#[test]
fn a_key_on_file_is_trusted_without_a_question() {
    for strict in [Strict::Yes, Strict::Ask, Strict::AcceptNew, Strict::No] {
        let user = user(strict, &line("[alma]:2222", 1));
        assert_eq!(user.shown(&key(1).public_blob(), &[]), (Trust::Known, vec![]));
    }
}

#[test]
fn a_key_all_users_know_is_trusted_but_not_the_users_own() {
    let mut user = user(Strict::Yes, "");
    user.policy.global_files = vec![user.folder.write("global", line("[alma]:2222", 1))];
    assert_eq!(user.shown(&key(1).public_blob(), &[]).0, Trust::Full);
}

#[test]
fn a_key_known_for_the_bare_name_serves_other_ports() {
    let user = user(Strict::Yes, &line("alma", 1));
    assert_eq!(user.shown(&key(1).public_blob(), &[]).0, Trust::Full);
    assert_eq!(user.known_hosts(), line("alma", 1));
}

#[test]
fn a_new_host_is_asked_about_and_remembered() {
    let user = user(Strict::Ask, "");
    let shown = key(1).public_blob();
    let (trust, asked) = user.shown(&shown, &["what", "yes"]);
    let question = format!(
        "The authenticity of host '[alma]:2222 ([192.0.2.1]:2222)' can't be established.\n\
         ED25519 key fingerprint is {}.\n\
         This key is not known by any other names.\n\
         Are you sure you want to continue connecting (yes/no/[fingerprint])? ",
        adit_crypto::fingerprint(&shown)
    );
    assert_eq!(trust, Trust::Known);
    assert_eq!(asked, [question, "Please type 'yes', 'no' or the fingerprint: ".into()]);
    assert_eq!(user.known_hosts(), line("[alma]:2222", 1));
}

#[test]
fn the_fingerprint_is_as_good_as_a_yes() {
    let user = user(Strict::Ask, "");
    let shown = key(1).public_blob();
    let fingerprint = adit_crypto::fingerprint(&shown);
    assert_eq!(user.shown(&shown, &[&fingerprint]).0, Trust::Known);
    let other = adit_crypto::fingerprint(&key(2).public_blob());
    assert_eq!(user.shown(&key(3).public_blob(), &[&other, "no"]).0, Trust::Refused);
}

#[test]
fn no_answer_and_no_are_refusals_that_write_nothing() {
    let user = user(Strict::Ask, "");
    for answers in [&[][..], &["no"], &[""]] {
        assert_eq!(user.shown(&key(1).public_blob(), answers).0, Trust::Refused);
    }
    assert_eq!(user.known_hosts(), "");
}

#[test]
fn a_key_known_under_other_names_is_shown_with_them() {
    let user = user(Strict::Ask, &line("elsewhere", 1));
    let (_, asked) = user.shown(&key(1).public_blob(), &["no"]);
    let file = user.policy.user_files[0].display();
    let names = format!(
        "This host key is known by the following other names/addresses:\n    {file}:1: elsewhere\n"
    );
    assert!(asked[0].contains(&names), "{}", asked[0]);
}

#[test]
fn strict_checking_refuses_what_is_new_and_accept_new_takes_it() {
    let strict = user(Strict::Yes, "");
    assert_eq!(strict.shown(&key(1).public_blob(), &["yes"]), (Trust::Refused, vec![]));
    for mode in [Strict::AcceptNew, Strict::No] {
        let lenient = user(mode, "");
        assert_eq!(lenient.shown(&key(1).public_blob(), &[]), (Trust::Full, vec![]));
        assert_eq!(lenient.known_hosts(), line("[alma]:2222", 1));
    }
}

#[test]
fn a_new_host_is_hashed_on_demand() {
    let mut user = user(Strict::AcceptNew, "");
    user.policy.hash = true;
    user.shown(&key(1).public_blob(), &[]);
    assert!(user.known_hosts().starts_with("|1|"), "{}", user.known_hosts());
    assert_eq!(user.shown(&key(1).public_blob(), &[]).0, Trust::Known);
}

#[test]
fn a_changed_key_is_refused_or_cripples_the_connection() {
    for (strict, trust) in [
        (Strict::Yes, Trust::Refused),
        (Strict::Ask, Trust::Refused),
        (Strict::AcceptNew, Trust::Refused),
        (Strict::No, Trust::Crippled),
    ] {
        let user = user(strict, &line("[alma]:2222", 1));
        assert_eq!(user.shown(&key(2).public_blob(), &["yes"]), (trust, vec![]));
        assert_eq!(user.known_hosts(), line("[alma]:2222", 1));
    }
}

#[test]
fn a_key_marked_revoked_is_never_known() {
    let marked = line("[alma]:2222", 1) + "@revoked " + &line("*", 1);
    assert_eq!(user(Strict::Yes, &marked).shown(&key(1).public_blob(), &[]).0, Trust::Refused);
    assert_eq!(user(Strict::No, &marked).shown(&key(1).public_blob(), &[]).0, Trust::Crippled);
}

#[test]
fn a_list_of_revoked_keys_goes_before_everything_else() {
    let mut user = user(Strict::No, &line("[alma]:2222", 1));
    user.policy.trust_localhost = true;
    user.policy.revoked = Some(user.folder.write("revoked", encode(&key(1).public_blob())));
    assert_eq!(user.shown(&key(1).public_blob(), &[]).0, Trust::Refused);
    assert_eq!(user.shown(&key(2).public_blob(), &[]).0, Trust::Crippled);
    user.policy.revoked = Some(user.folder.path("nowhere"));
    assert_eq!(user.shown(&key(2).public_blob(), &[]).0, Trust::Refused);
}

#[test]
fn loopback_needs_no_proof_where_the_user_says_so() {
    let mut user = user(Strict::Yes, &line("localhost", 1));
    let local =
        |text: &str| Server { host: "localhost".into(), port: 22, address: text.parse().ok() };
    let judge = |policy: &Policy, at: &str| {
        policy.judge(&local(at), &key(2).public_blob(), &Scripted::default())
    };
    assert_eq!(judge(&user.policy, "127.0.0.1:22"), Trust::Refused);
    user.policy.trust_localhost = true;
    for (at, trust) in [
        ("127.0.0.1:22", Trust::Full),
        ("127.9.9.9:22", Trust::Full),
        ("[::1]:22", Trust::Full),
        ("192.0.2.1:22", Trust::Refused),
    ] {
        assert_eq!(judge(&user.policy, at), trust, "{at}");
    }
    user.policy.alias = Some("localhost".into());
    assert_eq!(judge(&user.policy, "127.0.0.1:22"), Trust::Refused);
}

#[test]
fn an_alias_stands_for_name_and_port() {
    let mut user = user(Strict::Yes, &line("device", 1));
    user.policy.alias = Some("device".into());
    assert_eq!(user.shown(&key(1).public_blob(), &[]).0, Trust::Known);
}

#[test]
fn what_is_no_key_is_refused() {
    assert_eq!(user(Strict::No, "").shown(b"junk", &[]).0, Trust::Refused);
}
