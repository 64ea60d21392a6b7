//! Certificates: whose, for whom, until when, from where, for what.

use super::{ssh, ssh_with_key};
use adit_interop_tests::{
    aditd,
    carry::through_echo,
    keys::{self, ED25519, EVERY_KIND, KeyKind, certify},
    ports::{connect, free_port},
    scratch::Scratch,
    service::Service,
    sshd::{Setup, Sshd, user_name},
};
use std::path::{Path, PathBuf};

/// An authority, and keys that it certifies.
struct Authority {
    scratch: Scratch,
    key: PathBuf,
}

impl Authority {
    fn new() -> Self {
        Self::of_kind(ED25519)
    }

    fn of_kind(kind: KeyKind) -> Self {
        let scratch = Scratch::new();
        let key = keys::generate(&scratch.join("authority"), kind, "");
        Self { scratch, key }
    }

    /// A key with a certificate beside it.
    fn issues(&self, name: &str, options: &[&str]) -> PathBuf {
        let key = keys::generate(&self.scratch.join(name), ED25519, "");
        self.certifies(&key, options);
        key
    }

    fn certifies(&self, key: &Path, options: &[&str]) {
        certify(&self.key, &keys::public_path(key), options);
    }

    fn trusted(&self) -> Setup {
        let file = keys::public_path(&self.key);
        aditd::setup().line(format!("TrustedUserCAKeys {}", file.display()))
    }
}

fn assert_login(server: &Sshd, key: &Path, let_in: bool, what: &str) {
    let finished = ssh_with_key(server, key).log_in();
    assert_eq!(finished.code, Some(if let_in { 0 } else { 255 }), "{what}: {finished:?}");
}

#[test]
fn a_certificate_is_for_its_principals() {
    let authority = Authority::new();
    let server = authority.trusted().start();
    let user = user_name();
    for kind in EVERY_KIND {
        let key = keys::generate(&authority.scratch.join(&kind.file_name()), *kind, "");
        authority.certifies(&key, &["-n", &user]);
        assert_login(&server, &key, true, kind.kind);
    }
    let several = authority.issues("several", &["-n", &format!("someone,{user}")]);
    assert_login(&server, &several, true, "one of several");
    let other = authority.issues("other", &["-n", "somebody-else"]);
    assert_login(&server, &other, false, "somebody else's");
    let nobody = authority.issues("nobody", &[]);
    assert_login(&server, &nobody, false, "nobody's");
    let host = authority.issues("host", &["-h", "-n", &user]);
    assert_login(&server, &host, false, "a host's certificate");
}

#[test]
fn every_kind_of_authority_is_believed() {
    for kind in EVERY_KIND {
        let authority = Authority::of_kind(*kind);
        let server = authority.trusted().start();
        let key = authority.issues("key", &["-n", &user_name()]);
        assert_login(&server, &key, true, kind.kind);
        let line = server.log().wait_for("Accepted publickey for ");
        assert!(line.contains("ID test"), "the certificate's name in {line}");
    }
}

#[test]
fn an_authority_that_is_not_trusted_counts_for_nothing() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let server = authority.trusted().start();
    let key = stranger.issues("key", &["-n", &user_name()]);
    assert_login(&server, &key, false, "a stranger's certificate");
}

#[test]
fn a_certificate_has_its_time() {
    let authority = Authority::new();
    let server = authority.trusted().start();
    let user = user_name();
    let cases =
        [("-1d:+1d", true), ("always:forever", true), ("-2d:-1d", false), ("+1d:+2d", false)];
    for (number, (validity, let_in)) in cases.into_iter().enumerate() {
        let key = authority.issues(&number.to_string(), &["-n", &user, "-V", validity]);
        assert_login(&server, &key, let_in, validity);
    }
}

#[test]
fn a_certificate_may_be_bound_to_addresses() {
    let authority = Authority::new();
    let server = authority.trusted().start();
    let user = user_name();
    let cases = [("127.0.0.1", true), ("10.0.0.0/8,127.0.0.0/8", true), ("10.0.0.0/8", false)];
    for (number, (addresses, let_in)) in cases.into_iter().enumerate() {
        let option = format!("source-address={addresses}");
        let key = authority.issues(&number.to_string(), &["-n", &user, "-O", &option]);
        assert_login(&server, &key, let_in, addresses);
    }
}

#[test]
fn a_certificate_forces_its_command() {
    let authority = Authority::new();
    let server = authority.trusted().start();
    let option = "force-command=echo forced, asked for: $SSH_ORIGINAL_COMMAND";
    let key = authority.issues("key", &["-n", &user_name(), "-O", option]);
    let finished = ssh_with_key(&server, &key).run_remotely(&["echo", "mine"]);
    assert_eq!(finished.stdout, "forced, asked for: echo mine\n");
}

#[test]
fn a_certificate_forwards_ports_and_has_terminals_where_it_says_so() {
    let authority = Authority::new();
    let server = authority.trusted().line("LogLevel VERBOSE").start();
    let user = user_name();
    let nothing = authority.issues("nothing", &["-n", &user, "-O", "clear"]);
    let client = ssh_with_key(&server, &nothing);
    let port = free_port();
    client
        .clone()
        .option("ExitOnForwardFailure=yes")
        .args(["-N", "-R", &format!("{port}:127.0.0.1:9")])
        .run()
        .assert(255, &[&format!("remote port forwarding failed for listen port {port}")]);
    client.log_in().assert(255, &["stdio forwarding failed"]);
    let terminal = client.clone().arg("-tt").run_remotely(&["tty"]);
    assert!(terminal.stderr.contains("PTY allocation request failed"), "{terminal:?}");
    assert_eq!(client.run_remotely(&["echo", "commands run"]).stdout, "commands run\n");
    let some =
        authority.issues("some", &["-n", &user, "-O", "clear", "-O", "permit-port-forwarding"]);
    assert_login(&server, &some, true, "with permit-port-forwarding");
}

#[test]
fn an_option_nobody_knows_is_obeyed_by_refusing() {
    let authority = Authority::new();
    let server = authority.trusted().start();
    let user = user_name();
    let critical = authority.issues("critical", &["-n", &user, "-O", "critical:new@example.org=x"]);
    assert_login(&server, &critical, false, "an unknown critical option");
    let extension =
        authority.issues("extension", &["-n", &user, "-O", "extension:new@example.org=x"]);
    assert_login(&server, &extension, true, "an unknown extension");
}

#[test]
fn a_file_says_which_principals_are_let_in() {
    let authority = Authority::new();
    let text = "# who works the mine\nmining\n\nfrom=\"127.0.0.1\" night-shift\nfrom=\"10.0.0.1\" day-shift\n\
                command=\"echo by principal\" visitors\n";
    let file = authority.scratch.write("principals", text);
    let line = format!("AuthorizedPrincipalsFile {}", file.display());
    let server = authority.trusted().line(line).start();
    for (principal, let_in) in
        [("mining", true), ("night-shift", true), ("day-shift", false), (&*user_name(), false)]
    {
        let key = authority.issues(principal, &["-n", principal]);
        assert_login(&server, &key, let_in, principal);
    }
    let visitor = authority.issues("visitors", &["-n", "visitors"]);
    let finished = ssh_with_key(&server, &visitor).run_remotely(&["echo", "mine"]);
    assert_eq!(finished.stdout, "by principal\n");
}

#[test]
fn authorized_keys_may_name_an_authority() {
    let authority = Authority::new();
    let server = aditd::start();
    let public = keys::public_key(&authority.key);
    let user = user_name();
    let key = authority.issues("key", &["-n", &format!("{user},mining")]);
    for (options, let_in) in [
        ("cert-authority", true),
        ("cert-authority,principals=\"mining,other\"", true),
        ("cert-authority,principals=\"other\"", false),
        ("cert-authority,from=\"10.0.0.1\"", false),
        ("no-pty", false),
    ] {
        server.scratch.write("authorized_keys", format!("{options} {public}\n"));
        assert_login(&server, &key, let_in, options);
    }
    server.scratch.write("authorized_keys", format!("cert-authority {public}\n"));
    assert_login(&server, &authority.key, false, "the authority's own key");
}

#[test]
fn a_certificate_is_revoked_by_its_serial_number_its_name_and_its_key() {
    let authority = Authority::new();
    let user = user_name();
    let good = authority.issues("good", &["-n", &user, "-z", "6"]);
    let bad = authority.issues("bad", &["-n", &user, "-z", "7", "-I", "stolen"]);
    let public = keys::public_path(&authority.key);
    let bad_public = keys::public_key(&bad);
    for (number, rule) in
        ["serial: 7".into(), "id: stolen".into(), format!("key: {bad_public}")].iter().enumerate()
    {
        let rules = authority.scratch.write("rules", format!("{rule}\n"));
        let krl = authority.scratch.join(&format!("krl{number}"));
        let name = |path: &Path| path.to_str().expect("UTF-8").to_owned();
        keys::keygen(&["-q", "-k", "-f", &name(&krl), "-s", &name(&public), &name(&rules)]);
        let server = authority.trusted().line(format!("RevokedKeys {}", krl.display())).start();
        assert_login(&server, &bad, false, rule);
        assert_login(&server, &good, true, rule);
    }
}

#[test]
fn a_login_with_a_certificate_forwards_as_any_other() {
    let (authority, echo, port) = (Authority::new(), Service::echo(), free_port());
    let server = authority.trusted().start();
    let key = authority.issues("key", &["-n", &user_name()]);
    let _client = ssh_with_key(&server, &key)
        .args(["-R", &format!("{port}:127.0.0.1:{}", echo.port())])
        .tunnel()
        .listening(port);
    through_echo(&mut connect(port), 100_000);
    ssh(&server).log_in().assert(0, &[]);
}
