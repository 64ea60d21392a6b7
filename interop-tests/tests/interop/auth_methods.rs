//! Logging in with keys: every kind, encrypted files, an agent, certificates. Passwords: `passwords.rs`.

use adit_interop_tests::{
    child::Guarded,
    client::Invocation,
    keys::{self, ED25519, EVERY_KIND, KeyKind, certify},
    scratch::Scratch,
    sshd::{Setup, Sshd, user_name},
};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

/// A server that accepts `key` and nothing else.
fn accepting(key: &Path) -> Sshd {
    let sshd = Sshd::start();
    sshd.scratch.write("authorized_keys", keys::public_key(key) + "\n");
    sshd
}

/// The client with the host's key known and no user key at all.
fn without_key(sshd: &Sshd) -> Invocation {
    Invocation::to_host(&sshd.endpoint)
        .option(format!("UserKnownHostsFile={}", sshd.endpoint.known_hosts.display()))
        .option("StrictHostKeyChecking=yes")
        .option("PreferredAuthentications=publickey")
}

/// A program that answers every question with `answer` and writes down that it was asked.
fn askpass(scratch: &Scratch, answer: &str) -> PathBuf {
    let asked = scratch.join("asked");
    let script = format!("#!/bin/sh\necho \"$1\" >> '{}'\necho '{answer}'\n", asked.display());
    let path = scratch.write("askpass", script);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).expect("our own file");
    path
}

#[test]
fn every_kind_of_key_logs_in() {
    let scratch = Scratch::new();
    for kind in EVERY_KIND {
        let key = keys::generate(&scratch.join(&kind.file_name()), *kind, "");
        let sshd = accepting(&key);
        without_key(&sshd).option("BatchMode=yes").arg("-i").arg(&key).log_in().assert(0, &[]);
        sshd.log().wait_for("Accepted publickey");
    }
}

#[test]
fn rsa_signs_with_sha2() {
    let scratch = Scratch::new();
    let key = keys::generate(&scratch.join("rsa"), KeyKind { kind: "rsa", bits: "2048" }, "");
    for algorithm in ["rsa-sha2-256", "rsa-sha2-512"] {
        let sshd = Sshd::with(&[&format!("PubkeyAcceptedAlgorithms {algorithm}")]);
        sshd.scratch.write("authorized_keys", keys::public_key(&key) + "\n");
        // The server announces more than it accepts, so the client is told which one to use.
        without_key(&sshd)
            .option(format!("PubkeyAcceptedAlgorithms={algorithm}"))
            .option("BatchMode=yes")
            .arg("-i")
            .arg(&key)
            .log_in()
            .assert(0, &[]);
    }
}

#[test]
fn an_encrypted_key_asks_for_its_passphrase() {
    let scratch = Scratch::new();
    let key = keys::generate(&scratch.join("locked"), ED25519, "open sesame");
    let sshd = accepting(&key);
    let invocation = without_key(&sshd).arg("-i").arg(&key).env("SSH_ASKPASS_REQUIRE", "force");
    invocation.clone().env("SSH_ASKPASS", askpass(&scratch, "open sesame")).log_in().assert(0, &[]);
    let asked = fs::read_to_string(scratch.join("asked")).expect("it was asked");
    assert_eq!(asked, format!("Enter passphrase for key '{}': \n", key.display()));
    let wrong = Scratch::new();
    invocation
        .env("SSH_ASKPASS", askpass(&wrong, "open barley"))
        .log_in()
        .assert(255, &["Permission denied (publickey"]);
}

#[test]
fn an_encrypted_key_in_pem_form_works_too() {
    let scratch = Scratch::new();
    let path = scratch.join("pem");
    let file = path.to_str().expect("scratch paths are UTF-8");
    keys::keygen(&["-q", "-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "open sesame", "-f", file]);
    let sshd = accepting(&path);
    without_key(&sshd)
        .arg("-i")
        .arg(&path)
        .env("SSH_ASKPASS_REQUIRE", "force")
        .env("SSH_ASKPASS", askpass(&scratch, "open sesame"))
        .log_in()
        .assert(0, &[]);
}

#[test]
fn a_key_others_can_read_is_not_used() {
    let scratch = Scratch::new();
    let key = keys::generate(&scratch.join("open"), ED25519, "");
    let sshd = accepting(&key);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).expect("our own file");
    without_key(&sshd).option("BatchMode=yes").arg("-i").arg(&key).log_in().assert(
        255,
        &[
            "WARNING: UNPROTECTED PRIVATE KEY FILE!",
            &format!("Permissions 0644 for '{}' are too open.", key.display()),
            "This private key will be ignored.",
            "Permission denied",
        ],
    );
}

/// A running ssh-agent and its socket.
fn agent(scratch: &Scratch) -> (Guarded, PathBuf) {
    let socket = scratch.join("agent");
    let agent =
        Guarded::start("ssh-agent", Command::new("ssh-agent").arg("-D").arg("-a").arg(&socket));
    adit_interop_tests::deadline::eventually("the agent's socket", || {
        socket.exists().then_some(())
    });
    (agent, socket)
}

#[test]
fn every_kind_of_key_in_an_agent_logs_in() {
    let scratch = Scratch::new();
    for kind in EVERY_KIND {
        let scratch_of_one = Scratch::new();
        let (_agent, socket) = agent(&scratch_of_one);
        let key = keys::generate(&scratch.join(&kind.file_name()), *kind, "");
        let added =
            Command::new("ssh-add").arg("-q").arg(&key).env("SSH_AUTH_SOCK", &socket).output();
        assert!(added.expect("ssh-add").status.success());
        let sshd = accepting(&key);
        for by_variable in [false, true] {
            let invocation = without_key(&sshd).option("BatchMode=yes").option("IdentitiesOnly=no");
            let invocation = if by_variable {
                invocation.option("IdentityAgent=SSH_AUTH_SOCK").env("SSH_AUTH_SOCK", &socket)
            } else {
                invocation.option(format!("IdentityAgent={}", socket.display()))
            };
            invocation.log_in().assert(0, &[]);
        }
    }
}

#[test]
fn an_agent_serves_a_key_of_which_only_the_public_half_is_here() {
    let scratch = Scratch::new();
    let (_agent, socket) = agent(&scratch);
    let key = keys::generate(&scratch.join("key"), ED25519, "");
    for path in [&key, &keys::generate(&scratch.join("decoy"), ED25519, "")] {
        let added =
            Command::new("ssh-add").arg("-q").arg(path).env("SSH_AUTH_SOCK", &socket).output();
        assert!(added.expect("ssh-add").status.success());
    }
    fs::remove_file(&key).expect("our own file");
    let sshd = accepting(&key);
    let named = [keys::public_path(&key), key];
    for name in named {
        without_key(&sshd)
            .option(format!("IdentityAgent={}", socket.display()))
            .option("BatchMode=yes")
            .option(format!("IdentityFile={}", name.display()))
            .log_in()
            .assert(0, &[]);
    }
}

#[test]
fn a_user_certificate_logs_in() {
    let scratch = Scratch::new();
    let authority = keys::generate(&scratch.join("authority"), ED25519, "");
    let trusted = keys::public_path(&authority);
    let sshd = Setup::default().line(format!("TrustedUserCAKeys {}", trusted.display())).start();
    for kind in EVERY_KIND {
        let key = keys::generate(&scratch.join(&kind.file_name()), *kind, "");
        certify(&authority, &keys::public_path(&key), &["-n", &user_name()]);
        without_key(&sshd).option("BatchMode=yes").arg("-i").arg(&key).log_in().assert(0, &[]);
    }
    let other = keys::generate(&scratch.join("elsewhere"), ED25519, "");
    certify(&authority, &keys::public_path(&other), &["-n", "somebody-else"]);
    without_key(&sshd)
        .option("BatchMode=yes")
        .arg("-i")
        .arg(&other)
        .log_in()
        .assert(255, &["Permission denied"]);
}

#[test]
fn a_certificate_beside_an_agents_key_is_found_by_its_keyword() {
    let scratch = Scratch::new();
    let authority = keys::generate(&scratch.join("authority"), ED25519, "");
    let trusted = keys::public_path(&authority);
    let sshd = Setup::default().line(format!("TrustedUserCAKeys {}", trusted.display())).start();
    let key = keys::generate(&scratch.join("key"), ED25519, "");
    let certificate = certify(&authority, &keys::public_path(&key), &["-n", &user_name()]);
    let elsewhere = scratch.join("pass.pub");
    fs::rename(&certificate, &elsewhere).expect("our own file");
    without_key(&sshd)
        .option("BatchMode=yes")
        .option(format!("CertificateFile={}", elsewhere.display()))
        .arg("-i")
        .arg(&key)
        .log_in()
        .assert(0, &[]);
}

#[test]
fn two_methods_in_a_row_are_gone_through() {
    let scratch = Scratch::new();
    let key = keys::generate(&scratch.join("second"), ED25519, "");
    let sshd = Setup::default().line("AuthenticationMethods publickey,publickey").start();
    let both =
        format!("{}\n{}\n", keys::public_key(&sshd.endpoint.identity), keys::public_key(&key));
    sshd.scratch.write("authorized_keys", both);
    let first_only = Invocation::to(&sshd.endpoint);
    first_only.log_in().assert(255, &["Permission denied"]);
    Invocation::to(&sshd.endpoint).arg("-i").arg(&key).log_in().assert(0, &[]);
}

#[test]
fn a_banner_is_shown() {
    let scratch = Scratch::new();
    let text = scratch.write("banner", "Authorised miners only.\n");
    let sshd = Sshd::with(&[&format!("Banner {}", text.display())]);
    Invocation::to(&sshd.endpoint).log_in().assert(0, &["Authorised miners only."]);
}
