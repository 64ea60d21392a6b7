//! What the memory of a running client still holds once it has logged in: read as a debugger would, by whoever may.

use adit_crypto::{Random, SigningKey, SystemRandom};
use adit_interop_tests::{
    aditd::{self, only_aditd},
    carry::{MIB, through_echo},
    client::{Client, Invocation, is_adit},
    endpoint::Endpoint,
    memory::Memory,
    ports::{connect, free_port},
    scratch::Scratch,
    service::Service,
    skip::skip,
    sshd::Sshd,
};
use std::{
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    process::{Command, Stdio},
};

/// A tunnel that has carried something.
fn tunnel(client: Invocation) -> (Client, Service) {
    let (echo, port) = (Service::echo(), free_port());
    let forward = format!("{port}:127.0.0.1:{}", echo.port());
    let client = client.args(["-L", &forward]).tunnel().listening(port);
    through_echo(&mut connect(port), MIB);
    (client, echo)
}

#[test]
fn a_client_that_is_logged_in_holds_its_private_key_no_more() {
    if !is_adit() {
        return skip("what ssh keeps is its own matter");
    }
    let sshd = Sshd::start();
    let mut seed = [0; 32];
    SystemRandom::new().fill(&mut seed);
    let text = adit_keys::private::encode_ed25519(&seed, "", &mut SystemRandom::new());
    let identity = sshd.scratch.write("seeded", text.as_bytes());
    fs::set_permissions(&identity, fs::Permissions::from_mode(0o600)).expect("our own file");
    let public = SigningKey::ed25519(&seed).public_blob();
    let authorized = sshd.scratch.join("authorized_keys");
    let lines = fs::read_to_string(&authorized).expect("the harness's own file");
    let line = adit_keys::public::encode(&public);
    fs::write(&authorized, format!("{lines}{line}\n")).expect("the harness's own file");

    let endpoint = Endpoint { identity, ..sshd.endpoint.clone() };
    let (client, _echo) = tunnel(Invocation::to(&endpoint));
    let Some(memory) = Memory::of(&client.process) else { return };
    assert!(memory.holds(&public), "its public half is there, so this would have been seen");
    assert!(!memory.holds(&seed));
}

#[test]
fn a_client_that_is_logged_in_holds_its_password_no_more() {
    if !is_adit() || !only_aditd() {
        return;
    }
    const NAME: &str = "ada-whose-name-is-kept";
    const PASSWORD: &str = "a password that is seen nowhere else";
    let scratch = Scratch::new();
    let users = scratch.write("users", format!("{NAME}:{}\n", hashed(PASSWORD)));
    fs::set_permissions(&users, fs::Permissions::from_mode(0o600)).expect("our own file");
    let server = aditd::gateway().line(format!("UsersFile {}", users.display())).start();
    let askpass = scratch.write("askpass", format!("#!/bin/sh\necho '{PASSWORD}'\n"));
    fs::set_permissions(&askpass, fs::Permissions::from_mode(0o700)).expect("our own file");

    let endpoint = Endpoint { user: NAME.into(), ..server.endpoint.clone() };
    let client = Invocation::to_host(&endpoint)
        .option(format!("UserKnownHostsFile={}", endpoint.known_hosts.display()))
        .option("StrictHostKeyChecking=yes")
        .option("PreferredAuthentications=password")
        .env("SSH_ASKPASS", &askpass)
        .env("SSH_ASKPASS_REQUIRE", "force");
    let (client, _echo) = tunnel(client);
    let Some(memory) = Memory::of(&client.process) else { return };
    assert!(memory.holds(NAME.as_bytes()), "the name is there, so this would have been seen");
    assert!(!memory.holds(PASSWORD.as_bytes()));
}

fn hashed(password: &str) -> String {
    let mut hasher = Command::new(aditd::program())
        .arg("--hash-password")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("aditd starts");
    let mut stdin = hasher.stdin.take().expect("a pipe");
    stdin.write_all(format!("{password}\n").as_bytes()).expect("taken");
    drop(stdin);
    let output = hasher.wait_with_output().expect("it ends");
    String::from_utf8(output.stdout).expect("a hash").trim().to_owned()
}
