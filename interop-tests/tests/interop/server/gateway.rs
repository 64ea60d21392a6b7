//! The gateway role: users that exist in the configuration only, who forward and do nothing else. aditd alone has it.

use super::ssh_with_key;
use adit_interop_tests::{
    aditd::{self, only_aditd},
    carry::{by_every_forward, through_echo},
    child::Guarded,
    client::{Finished, Invocation},
    endpoint::Endpoint,
    keys::{self, ED25519, certify},
    ports::{connect, free_port, wait_closed, wait_listening},
    scratch::Scratch,
    service::Service,
    sshd::{Setup, Sshd},
};
use rustix::process::Signal;
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

const PASSWORD: &str = "throw-away password";
/// The same password, hashed by libcrypt in two ways.
const HASHES: [&str; 2] = [
    "$y$j9T$Jd8kPqL2xWmN7bVc$0M.gz4/vExpMIvfOReVyxctPNjz7niJVR6CZmO9kS70",
    "$6$rounds=5000$Jd8kPqL2xWmN7bVc$7yjZOa1YqctSZnxsyYayoaP1VesDXLfmtfb9WXK5C9eZUBIs2eSEbIqHsyzOZ95r1AFHYZQwh86Yoc9h0VH0P1",
];

/// A folder with one file of keys for each user, and the users themselves.
struct Users {
    scratch: Scratch,
}

impl Users {
    /// One key each.
    fn new(names: &[&str]) -> Self {
        let users = Self { scratch: Scratch::new() };
        fs::create_dir(users.scratch.join("keys")).expect("our own folder");
        names.iter().for_each(|name| users.add(name, ""));
        users
    }

    fn add(&self, name: &str, options: &str) {
        let key = keys::generate(&self.key(name), ED25519, "");
        self.permit(name, &key, options);
    }

    fn permit(&self, name: &str, key: &Path, options: &str) {
        let space = if options.is_empty() { "" } else { " " };
        let line = format!("{options}{space}{}\n", keys::public_key(key));
        self.scratch.write(&format!("keys/{name}"), line);
    }

    fn key(&self, name: &str) -> PathBuf {
        self.scratch.join(&format!("{name}.key"))
    }

    fn setup(&self) -> Setup {
        let place = self.scratch.join("keys").display().to_string();
        aditd::gateway().line(format!("AuthorizedKeysFile {place}/%u"))
    }
}

/// A client with a user's name and key.
fn client(server: &Sshd, users: &Users, name: &str) -> Invocation {
    let endpoint =
        Endpoint { user: name.into(), identity: users.key(name), ..server.endpoint.clone() };
    Invocation::to(&endpoint).program("ssh".into())
}

#[test]
fn users_have_files_of_keys_and_nothing_else() {
    if !only_aditd() {
        return;
    }
    let users = Users::new(&["ada", "grace"]);
    let server = users.setup().start();
    for name in ["ada", "grace"] {
        by_every_forward(&client(&server, &users, name), 1_000_000);
        server.log().wait_for(&format!("Accepted publickey for {name} from 127.0.0.1"));
    }
    let mut ada_as_grace = server.endpoint.clone();
    ada_as_grace.user = "grace".into();
    ada_as_grace.identity = users.key("ada");
    let refused = Invocation::to(&ada_as_grace).program("ssh".into()).log_in();
    refused.assert(255, &["Permission denied (publickey"]);
    client(&server, &users, "ada")
        .args(["-l", "../keys/ada"])
        .log_in()
        .assert(255, &["Permission denied"]);
    users.add("joan", "");
    client(&server, &users, "joan").log_in().assert(0, &[]);
    fs::remove_file(users.scratch.join("keys/joan")).expect("our own file");
    client(&server, &users, "joan").log_in().assert(255, &["Permission denied"]);
}

#[test]
fn there_are_no_sessions_and_the_reason_is_told() {
    if !only_aditd() {
        return;
    }
    let users = Users::new(&["ada"]);
    let server = users.setup().start();
    let client = client(&server, &users, "ada");
    for arguments in [&["true"][..], &[]] {
        let refused = client.run_remotely(arguments);
        assert_ne!(refused.code, Some(0), "{refused:?}");
        assert_eq!(refused.stdout, "");
    }
    client.log_in().assert(0, &[]);
}

#[test]
fn an_authority_lets_users_in() {
    if !only_aditd() {
        return;
    }
    let users = Users::new(&[]);
    let authority = keys::generate(&users.scratch.join("authority"), ED25519, "");
    let line = format!("TrustedUserCAKeys {}", keys::public_path(&authority).display());
    let server = users.setup().line(line).start();
    for (name, principals, let_in) in
        [("ada", "ada", true), ("grace", "ada", false), ("joan", "x,joan", true)]
    {
        let key = keys::generate(&users.key(name), ED25519, "");
        certify(&authority, &keys::public_path(&key), &["-n", principals]);
        let code = client(&server, &users, name).log_in().code;
        assert_eq!(code, Some(if let_in { 0 } else { 255 }), "{name} for {principals}");
    }
}

fn with_password(server: &Sshd, name: &str, password: &str, methods: &str) -> Finished {
    let scratch = Scratch::new();
    let askpass = scratch.write("askpass", format!("#!/bin/sh\necho '{password}'\n"));
    fs::set_permissions(&askpass, fs::Permissions::from_mode(0o700)).expect("our own file");
    let endpoint = Endpoint { user: name.into(), ..server.endpoint.clone() };
    Invocation::to(&endpoint)
        .program("ssh".into())
        .option("BatchMode=no")
        .option(format!("PreferredAuthentications={methods}"))
        .env("SSH_ASKPASS", &askpass)
        .env("SSH_ASKPASS_REQUIRE", "force")
        .log_in()
}

#[test]
fn passwords_are_held_against_hashes() {
    if !only_aditd() {
        return;
    }
    let users = Users::new(&[]);
    let text = format!(
        "# name:hash:groups\nada:{}:tunnelers\ngrace:{}:\njoan:*:\nlocked:!{}:\n",
        HASHES[0], HASHES[1], HASHES[0]
    );
    let file = users.scratch.write("users", text);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("our own file");
    let setup = users.setup().line(format!("UsersFile {}", file.display()));
    let server = setup.line("PasswordAuthentication yes").start();
    for (name, password, let_in) in [
        ("ada", PASSWORD, true),
        ("grace", PASSWORD, true),
        ("ada", "wrong", false),
        ("ada", "", false),
        ("joan", PASSWORD, false),
        ("locked", PASSWORD, false),
        ("nobody", PASSWORD, false),
    ] {
        let finished = with_password(&server, name, password, "password");
        assert_eq!(finished.code, Some(if let_in { 0 } else { 255 }), "{name}: {finished:?}");
    }
    server.log().wait_for("Accepted password for ada from 127.0.0.1");
    server.log().wait_for("Failed password for ");
    assert!(!server.log().text().contains(PASSWORD), "a password in the log");
}

#[test]
fn a_key_and_then_a_password_can_be_asked_for() {
    if !only_aditd() {
        return;
    }
    let users = Users::new(&["ada"]);
    let file = users.scratch.write("users", format!("ada:{}:\n", HASHES[1]));
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("our own file");
    let server = users
        .setup()
        .line(format!("UsersFile {}", file.display()))
        .line("PasswordAuthentication yes")
        .line("AuthenticationMethods publickey,password")
        .start();
    users.permit("ada", &server.endpoint.identity, "");
    let both = with_password(&server, "ada", PASSWORD, "publickey,password");
    both.assert(0, &[]);
    with_password(&server, "ada", PASSWORD, "password").assert(255, &["Permission denied"]);
    with_password(&server, "ada", "wrong", "publickey,password").assert(255, &["(password"]);
    client(&server, &users, "ada").log_in().assert(255, &["Permission denied"]);
}

#[test]
fn groups_of_the_users_file_are_matched() {
    if !only_aditd() {
        return;
    }
    let users = Users::new(&["ada", "grace"]);
    let file = users.scratch.write("users", "ada:*:tunnelers,others\ngrace:*:\n");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("our own file");
    let server = users
        .setup()
        .line(format!("UsersFile {}", file.display()))
        .line("AllowTcpForwarding no")
        .block("Match Group tunnelers\n AllowTcpForwarding yes\n")
        .start();
    client(&server, &users, "ada").log_in().assert(0, &[]);
    client(&server, &users, "grace").log_in().assert(255, &["administratively prohibited: "]);
}

#[test]
fn a_listener_whose_client_is_lost_is_taken_over_by_the_same_key() {
    if !only_aditd() {
        return;
    }
    let users = Users::new(&["ada", "grace"]);
    let server = users.setup().start();
    let (echo, port) = (Service::echo(), free_port());
    let forward = format!("{port}:127.0.0.1:{}", echo.port());
    let again = |name: &str| {
        client(&server, &users, name)
            .option("ExitOnForwardFailure=yes")
            .args(["-R", &forward])
            .tunnel()
    };
    let lost = again("ada").listening(port);
    lost.process.signal(Signal::STOP);
    // Somebody else does not get it.
    again("grace").finish().assert(255, &["remote port forwarding failed for listen port"]);
    let mut back = again("ada");
    server.log().wait_for("Took over listening on ");
    wait_listening(port);
    through_echo(&mut connect(port), 100_000);
    back.assert_runs();
    drop(lost);
    through_echo(&mut connect(port), 1000);
    drop(back);
    wait_closed(port);
}

#[test]
fn a_listener_can_be_kept_from_being_taken_over() {
    if !only_aditd() {
        return;
    }
    let users = Users::new(&["ada"]);
    let server = users.setup().line("StaleListener refuse").start();
    let port = free_port();
    let forward = format!("{port}:127.0.0.1:9");
    let client =
        client(&server, &users, "ada").option("ExitOnForwardFailure=yes").args(["-R", &forward]);
    let _first = client.tunnel().listening(port);
    client.tunnel().finish().assert(255, &["remote port forwarding failed for listen port"]);
}

#[test]
fn what_a_key_may_is_written_before_it() {
    if !only_aditd() {
        return;
    }
    let users = Users::new(&[]);
    let (echo, port) = (Service::echo(), free_port());
    users.add("ada", &format!("restrict,port-forwarding,permitlisten=\"localhost:{port}\",permitopen=\"127.0.0.1:{}\"", echo.port()));
    let server = users.setup().start();
    let client = client(&server, &users, "ada");
    let _tunnel = client
        .clone()
        .args(["-R", &format!("{port}:127.0.0.1:{}", echo.port())])
        .tunnel()
        .listening(port);
    through_echo(&mut connect(port), 1000);
    client.log_in().assert(255, &["administratively prohibited: "]);
}

#[test]
fn connections_and_listeners_of_a_user_are_limited() {
    if !only_aditd() {
        return;
    }
    let users = Users::new(&["ada", "grace"]);
    let server =
        users.setup().line("MaxConnectionsPerUser 2").line("MaxListenersPerConnection 3").start();
    let ports = [free_port(), free_port()];
    let hold = |port: &u16| {
        client(&server, &users, "ada")
            .args(["-R", &format!("{port}:127.0.0.1:9")])
            .tunnel()
            .listening(*port)
    };
    let held = ports.each_ref().map(hold);
    assert_ne!(client(&server, &users, "ada").log_in().code, Some(0), "a third connection");
    client(&server, &users, "grace").log_in().assert(0, &[]);
    drop(held);
    let many = (0..4).map(|_| format!("-R{}:127.0.0.1:9", free_port()));
    client(&server, &users, "grace")
        .option("ExitOnForwardFailure=yes")
        .args(many)
        .arg("-N")
        .run()
        .assert(255, &["remote port forwarding failed"]);
}

#[test]
fn a_folder_is_prepared_in_one_step_and_serves() {
    if !only_aditd() {
        return;
    }
    let scratch = Scratch::new();
    let (folder, port) = (scratch.join("gateway"), free_port());
    let output = Command::new(aditd::program())
        .arg("--init")
        .arg(&folder)
        .args(["-p", &port.to_string()])
        .output()
        .expect("the server starts");
    assert!(output.status.success(), "{output:?}");
    let mut command = Command::new(aditd::program());
    command.arg("-f").arg(folder.join("aditd.conf")).args(["-D", "-e"]);
    // The prepared configuration permits some ports only; and the scratch folder lies where everybody may write.
    for option in
        ["ListenAddress=127.0.0.1", "PermitOpen=any", "PermitListen=any", "StrictModes=no"]
    {
        command.args(["-o", option]);
    }
    let _server = Guarded::start("the server", &mut command);
    wait_listening(port);
    let host = fs::read_to_string(folder.join("host_ed25519.pub")).expect("the host's key");
    let words: Vec<_> = host.split_whitespace().take(2).collect();
    let known = format!("[127.0.0.1]:{port} {}\n", words.join(" "));
    let endpoint = Endpoint {
        port,
        user: "tunnel".into(),
        identity: folder.join("tunnel_ed25519"),
        known_hosts: scratch.write("known_hosts", known),
    };
    by_every_forward(&Invocation::to(&endpoint).program("ssh".into()), 100_000);
    let again = Command::new(aditd::program()).arg("--init").arg(&folder).output();
    let again = again.expect("the server starts");
    assert!(!again.status.success(), "nothing is overwritten");
}

#[test]
fn every_forward_is_told_in_the_log() {
    if !only_aditd() {
        return;
    }
    let users = Users::new(&["ada"]);
    let server = users.setup().line("LogFormat json").start();
    let (echo, port) = (Service::echo(), free_port());
    let tunnel = client(&server, &users, "ada")
        .args(["-R", &format!("{port}:127.0.0.1:{}", echo.port())])
        .tunnel()
        .listening(port);
    through_echo(&mut connect(port), 100_000);
    client(&server, &users, "ada").log_in().assert(0, &[]);
    drop(tunnel);
    let line = |event: &str| server.log().wait_for(&format!("\"event\":\"{event}\""));
    let forwarded = line("forward-closed");
    assert!(forwarded.contains("\"user\":\"ada\""), "{forwarded}");
    assert!(line("login-accepted").contains("\"method\":\"publickey\""));
    assert!(line("listener-ended").contains(&port.to_string()));
    line("connection-closed");
    let bytes = server.log().text();
    let counted = "\"received\":100000,\"sent\":100000";
    assert!(bytes.contains(counted), "no {counted} in {bytes}");
}

#[test]
fn keys_of_a_user_are_asked_of_the_folder_not_of_the_system() {
    if !only_aditd() {
        return;
    }
    let users = Users::new(&["root", "nobody"]);
    let server = users.setup().start();
    // Names that the system has too are users like any other here.
    client(&server, &users, "root").log_in().assert(0, &[]);
    client(&server, &users, "nobody").log_in().assert(0, &[]);
    let mine = ssh_with_key(&server, &users.key("nobody"));
    assert_ne!(mine.args(["-l", "daemon"]).log_in().code, Some(0));
}
