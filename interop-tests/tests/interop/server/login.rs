//! Who is let in with a key, who is not, and what either side is told.

use super::{ssh, ssh_with_key};
use adit_interop_tests::{
    aditd,
    child::Guarded,
    deadline::eventually,
    keys::{self, ED25519, EVERY_KIND, KeyKind},
    scratch::Scratch,
    sshd::Sshd,
};
use std::{path::Path, process::Command};

fn accepting(key: &Path) -> Sshd {
    let server = aditd::start();
    server.scratch.write("authorized_keys", keys::public_key(key) + "\n");
    server
}

fn key(scratch: &Scratch, name: &str) -> std::path::PathBuf {
    keys::generate(&scratch.join(name), ED25519, "")
}

#[test]
fn every_kind_of_key_is_let_in() {
    let scratch = Scratch::new();
    for kind in EVERY_KIND {
        let key = keys::generate(&scratch.join(&kind.file_name()), *kind, "");
        let server = accepting(&key);
        let finished = ssh_with_key(&server, &key).log_in();
        finished.assert(0, &[]);
        assert_eq!(finished.stdout, "welcome");
        let line = server.log().wait_for("Accepted publickey for ");
        let fingerprint = keys::keygen(&["-l", "-f", key.to_str().expect("UTF-8")]);
        let fingerprint = fingerprint.split(' ').nth(1).expect("the second word");
        assert!(line.contains(fingerprint), "{fingerprint} in {line}");
        assert!(line.contains("from 127.0.0.1 port "), "{line}");
    }
}

#[test]
fn rsa_signs_with_sha2_only() {
    let scratch = Scratch::new();
    let key = keys::generate(&scratch.join("rsa"), KeyKind { kind: "rsa", bits: "2048" }, "");
    let server = accepting(&key);
    let with =
        |name: &str| ssh_with_key(&server, &key).option(format!("PubkeyAcceptedAlgorithms={name}"));
    for algorithm in ["rsa-sha2-256", "rsa-sha2-512"] {
        with(algorithm).log_in().assert(0, &[]);
    }
    with("ssh-rsa").log_in().assert(255, &["Permission denied (publickey"]);
}

#[test]
fn the_server_says_what_signatures_it_takes_and_binds_them_to_its_key() {
    let server = aditd::start();
    let finished = ssh(&server).arg("-v").log_in();
    finished.assert(0, &["server-sig-algs=<", "publickey-hostbound@openssh.com=<0>"]);
}

#[test]
fn a_key_in_an_agent_is_let_in() {
    let scratch = Scratch::new();
    let socket = scratch.join("agent");
    let _agent =
        Guarded::start("ssh-agent", Command::new("ssh-agent").arg("-D").arg("-a").arg(&socket));
    eventually("the agent's socket", || socket.exists().then_some(()));
    let key = key(&scratch, "key");
    let mut add = Command::new("ssh-add");
    let added = add.arg("-q").arg(&key).env("SSH_AUTH_SOCK", &socket).output();
    assert!(added.expect("ssh-add").status.success());
    std::fs::remove_file(&key).expect("our own file");
    let server = accepting(&key);
    ssh_with_key(&server, &keys::public_path(&key))
        .option(format!("IdentityAgent={}", socket.display()))
        .log_in()
        .assert(0, &[]);
}

#[test]
fn a_key_that_is_not_listed_is_denied() {
    let (server, scratch) = (aditd::start(), Scratch::new());
    let refused = ssh_with_key(&server, &key(&scratch, "other")).log_in();
    refused.assert(255, &["Permission denied (publickey"]);
    assert_eq!(server.log().count("Accepted publickey"), 0);
}

#[test]
fn one_of_several_keys_is_enough() {
    let (server, scratch) = (aditd::start(), Scratch::new());
    let others = ["a", "b", "c"].map(|name| key(&scratch, name));
    let client = others.iter().fold(ssh(&server), |client, key| client.arg("-i").arg(key));
    client.log_in().assert(0, &[]);
}

#[test]
fn every_file_of_keys_counts() {
    let scratch = Scratch::new();
    let (first, second) = (key(&scratch, "first"), key(&scratch, "second"));
    let files = [&first, &second].map(|key| keys::public_path(key).display().to_string());
    let missing = scratch.join("missing");
    let line = format!("AuthorizedKeysFile {} {} {}", missing.display(), files[0], files[1]);
    let server = aditd::with(&[&line]);
    ssh_with_key(&server, &first).log_in().assert(0, &[]);
    ssh_with_key(&server, &second).log_in().assert(0, &[]);
    ssh(&server).log_in().assert(255, &["Permission denied (publickey"]);
}

#[test]
fn comments_and_lines_that_are_no_keys_do_no_harm() {
    let server = aditd::start();
    let good = keys::public_key(&server.endpoint.identity);
    let text = format!(
        "# a comment\n\n   \nssh-ed25519 AAAAnot-base64!\nnonsense\nssh-dss AAAAB3NzaC1kc3M= old\n\
         \t {good} the real one\r\n"
    );
    server.scratch.write("authorized_keys", text);
    ssh(&server).log_in().assert(0, &[]);
}

#[test]
fn a_user_who_does_not_exist_is_denied_like_any_other() {
    let server = aditd::start();
    let refused = ssh(&server).args(["-l", "nobody-of-that-name"]).log_in();
    refused.assert(255, &["Permission denied (publickey"]);
    server.log().wait_for("Invalid user nobody-of-that-name from 127.0.0.1");
}

#[test]
fn lists_of_users_and_groups_decide() {
    let (user, group) = (adit_interop_tests::sshd::user_name(), group_name());
    let cases: &[(&[&str], bool)] = &[
        (&[&format!("DenyUsers {user}")], false),
        (&[&format!("DenyUsers {user}@127.0.0.1")], false),
        (&[&format!("DenyUsers {user}@10.0.0.0/8 nobody-else")], true),
        (&["AllowUsers nobody-else"], false),
        (&[&format!("AllowUsers nobody-else {user}@127.0.0.0/8")], true),
        (&[&format!("AllowUsers {user}"), &format!("DenyUsers {user}")], false),
        (&["AllowUsers *"], true),
        (&["AllowGroups no-such-group"], false),
        (&[&format!("AllowGroups no-such-group {group}")], true),
        (&[&format!("DenyGroups {group}")], false),
    ];
    for (lines, let_in) in cases {
        let server = aditd::with(lines);
        let finished = ssh(&server).log_in();
        if *let_in {
            assert_eq!(finished.code, Some(0), "{lines:?}: {finished:?}");
        } else {
            assert_eq!(finished.code, Some(255), "{lines:?}: {finished:?}");
            assert!(finished.stderr.contains("Permission denied (publickey"), "{lines:?}");
            server.log().wait_for("not allowed because");
        }
    }
}

fn group_name() -> String {
    let output = Command::new("id").arg("-gn").output().expect("id");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[test]
fn root_is_let_in_as_the_configuration_says() {
    if !aditd::only_root() {
        return;
    }
    for (value, let_in) in
        [("no", false), ("prohibit-password", true), ("without-password", true), ("yes", true)]
    {
        let server = aditd::with(&[&format!("PermitRootLogin {value}")]);
        assert_eq!(ssh(&server).log_in().code, Some(if let_in { 0 } else { 255 }), "{value}");
    }
}

#[test]
fn root_may_be_let_in_for_a_forced_command_only() {
    if !aditd::only_root() {
        return;
    }
    let setup = aditd::setup().line("PermitRootLogin forced-commands-only");
    let server = setup.clone().start();
    // sshd says so only after it has taken the signature, and trips over its own feet there.
    ssh(&server).log_in().assert(255, &[]);
    let server = setup.key_options("command=\"echo forced\"").start();
    assert_eq!(ssh(&server).run_remotely(&["echo", "asked"]).stdout, "forced\n");
}

#[test]
fn too_many_tries_end_the_connection() {
    let (server, scratch) = (aditd::with(&["MaxAuthTries 2"]), Scratch::new());
    let wrong = ["a", "b", "c"].map(|name| key(&scratch, name));
    let client = wrong.iter().fold(ssh(&server), |client, key| client.arg("-i").arg(key));
    client.log_in().assert(255, &["Too many authentication failures"]);
    server.log().wait_for("maximum authentication attempts exceeded");
}

#[test]
fn revoked_keys_are_denied_from_a_list_and_from_a_krl() {
    let scratch = Scratch::new();
    let revoked = key(&scratch, "revoked");
    let list = keys::public_path(&revoked);
    let krl = scratch.join("krl");
    let (krl_name, list_name) = (krl.to_str().expect("UTF-8"), list.to_str().expect("UTF-8"));
    keys::keygen(&["-q", "-k", "-f", krl_name, list_name]);
    for file in [&list, &krl] {
        let server = aditd::with(&[&format!("RevokedKeys {}", file.display())]);
        let both = [&revoked, &server.endpoint.identity].map(|key| keys::public_key(key) + "\n");
        server.scratch.write("authorized_keys", both.concat());
        ssh_with_key(&server, &revoked).log_in().assert(255, &["Permission denied (publickey"]);
        ssh(&server).log_in().assert(0, &[]);
    }
}

#[test]
fn a_list_of_revoked_keys_that_cannot_be_read_revokes_all() {
    let scratch = Scratch::new();
    let line = format!("RevokedKeys {}", scratch.join("missing").display());
    let server = aditd::setup().line(line).prepare().0;
    // sshd refuses at each login, and so says nothing at its start.
    let checked = server.command().arg("-t").output().expect("the server starts");
    if checked.status.success() {
        let server = aditd::with(&[&format!("RevokedKeys {}", scratch.join("missing").display())]);
        ssh(&server).log_in().assert(255, &["Permission denied"]);
    }
}

#[test]
fn two_keys_in_a_row_can_be_asked_for() {
    let (server, scratch) =
        (aditd::with(&["AuthenticationMethods publickey,publickey"]), Scratch::new());
    let second = key(&scratch, "second");
    let both = [&second, &server.endpoint.identity].map(|key| keys::public_key(key) + "\n");
    server.scratch.write("authorized_keys", both.concat());
    ssh(&server).log_in().assert(255, &["Permission denied (publickey"]);
    ssh(&server).arg("-i").arg(&second).log_in().assert(0, &[]);
}

#[test]
fn without_public_keys_nobody_is_let_in() {
    let server = aditd::with(&["PubkeyAuthentication no", "PasswordAuthentication yes"]);
    ssh(&server).log_in().assert(255, &["Permission denied ("]);
}

#[test]
fn only_the_accepted_kinds_of_key_are_let_in() {
    let server = aditd::with(&["PubkeyAcceptedAlgorithms ecdsa-sha2-nistp256"]);
    ssh(&server).log_in().assert(255, &["Permission denied (publickey"]);
    let scratch = Scratch::new();
    let ecdsa = keys::generate(&scratch.join("e"), KeyKind { kind: "ecdsa", bits: "256" }, "");
    server.scratch.write("authorized_keys", keys::public_key(&ecdsa) + "\n");
    ssh_with_key(&server, &ecdsa).log_in().assert(0, &[]);
}

#[test]
fn a_short_rsa_key_is_denied() {
    let server = aditd::with(&["RequiredRSASize 3072"]);
    let scratch = Scratch::new();
    for (bits, code) in [("2048", 255), ("3072", 0)] {
        let key = keys::generate(&scratch.join(bits), KeyKind { kind: "rsa", bits }, "");
        server.scratch.write("authorized_keys", keys::public_key(&key) + "\n");
        ssh_with_key(&server, &key).log_in().assert(code, &[]);
    }
}

#[test]
fn a_banner_is_shown_before_the_login() {
    let scratch = Scratch::new();
    let text = scratch.write("banner", "Authorised miners only.\n");
    let server = aditd::with(&[&format!("Banner {}", text.display())]);
    ssh(&server).log_in().assert(0, &["Authorised miners only."]);
    ssh_with_key(&server, &key(&scratch, "other"))
        .log_in()
        .assert(255, &["Authorised miners only."]);
}

#[test]
fn strict_modes_refuse_files_that_others_can_write() {
    // The scratch folder lies in /tmp, which everybody can write to.
    let server = aditd::with(&["StrictModes yes"]);
    ssh(&server).log_in().assert(255, &["Permission denied (publickey"]);
    server.log().wait_for("bad ownership or modes");
}

#[test]
fn a_client_that_offers_no_key_learns_the_methods() {
    let server = aditd::start();
    let refused = ssh(&server).option("PreferredAuthentications=none").log_in();
    refused.assert(255, &["Permission denied (publickey"]);
}
