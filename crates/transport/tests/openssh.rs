//! Our transport against OpenSSH's: every algorithm, both roles, over a socket without a port of its own.
//!
//! Needs `sshd`, `ssh` and `ssh-keygen`; says so and passes where they are missing.

mod one_key;

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use adit_buf::{RxBuf, TxRing};
use adit_crypto::{
    CipherAlgorithm, KexAlgorithm, KeyAlgorithm, MacAlgorithm, SignatureAlgorithm, SigningKey,
    SystemRandom,
};
use adit_transport::{Config, Incoming, Transport};
use adit_wire::transport::{ServiceAccept, ServiceRequest};

use adit_wire::{Field, Message};
use one_key::OneKey;

/// A connection over a blocking stream.
struct Link<S> {
    stream: S,
    transport: Transport,
    rx: RxBuf,
    tx: TxRing,
}

impl<S: Read + Write> Link<S> {
    fn new(stream: S, config: Config) -> Self {
        let transport = Transport::new(Arc::new(config), Box::new(SystemRandom::new()), 0);
        let mut link = Self { stream, transport, rx: RxBuf::new(), tx: TxRing::new() };
        link.transport.start(&mut link.tx);
        link
    }

    /// What comes next; host keys are accepted on the way.
    fn next(&mut self) -> Incoming {
        loop {
            let incoming = self.transport.next_packet(&mut self.rx, &mut self.tx);
            self.flush();
            match incoming.unwrap_or_else(|error| panic!("{error}")) {
                Some(Incoming::HostKey) => self.transport.accept_host_key(&mut self.tx),
                Some(incoming) => return incoming,
                None => {
                    let count = self.stream.read(self.rx.spare_mut()).expect("readable");
                    assert_ne!(count, 0, "the peer has closed");
                    self.rx.filled(count);
                }
            }
        }
    }

    /// Waits for what `wanted` takes.
    fn wait<T>(&mut self, mut wanted: impl FnMut(&Self, Incoming) -> Option<T>) -> T {
        loop {
            let incoming = self.next();
            if let Incoming::Disconnected { description, .. } = incoming {
                let text = String::from_utf8_lossy(self.rx.bytes(description)).into_owned();
                panic!("the peer left: {text}");
            }
            if let Some(found) = wanted(self, incoming) {
                return found;
            }
        }
    }

    fn wait_for_keys(&mut self) {
        self.wait(|_, incoming| matches!(incoming, Incoming::KexDone { .. }).then_some(()));
    }

    fn send<'m>(&mut self, message: &impl Message<'m>) {
        let mut payload = Vec::new();
        message.encode(&mut payload);
        self.transport.send(&payload, &mut self.tx).expect("keys are not being exchanged");
        self.flush();
    }

    fn rekey(&mut self) {
        self.transport.rekey(&mut self.tx);
        self.flush();
        self.wait_for_keys();
    }

    fn flush(&mut self) {
        let bytes: Vec<u8> = self.tx.pending().flatten().copied().collect();
        self.stream.write_all(&bytes).expect("writable");
        self.tx.written(bytes.len());
    }
}

/// A directory of our own that goes away with us.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("adit-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a temporary directory");
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn missing(program: &str) -> bool {
    let found = Command::new(program).arg("-V").stdin(Stdio::null()).output().is_ok();
    if !found {
        eprintln!("SKIPPED: {program} is not installed");
    }
    !found
}

/// Bytes after which the server wants new keys.
const REKEY_LIMIT: usize = 64 * 1024;

const SSHD: &str = "/usr/sbin/sshd";

/// What an OpenSSH server is set up with.
fn sshd_files(scratch: &Path) -> PathBuf {
    let mut lines =
        format!("UsePAM no\nPermitRootLogin yes\nStrictModes no\nRekeyLimit {REKEY_LIMIT}\n");
    let authorized = scratch.join("authorized_keys");
    let key = base64(&user_key().public_blob());
    fs::write(&authorized, format!("ssh-ed25519 {key}\n")).expect("writable");
    lines += &format!("AuthorizedKeysFile {}\n", authorized.display());
    for kind in ["ed25519", "ecdsa", "rsa"] {
        let key = scratch.join(kind);
        let mut keygen = Command::new("ssh-keygen");
        keygen.args(["-q", "-N", "", "-t", kind, "-f"]).arg(&key);
        assert!(keygen.status().expect("ssh-keygen runs").success());
        lines += &format!("HostKey {}\n", key.display());
    }
    let mut keygen = Command::new("ssh-keygen");
    keygen.args(["-q", "-h", "-I", "host", "-s"]).arg(scratch.join("rsa"));
    assert!(keygen.arg(scratch.join("ed25519.pub")).status().expect("ssh-keygen runs").success());
    lines += &format!("HostCertificate {}\n", scratch.join("ed25519-cert.pub").display());
    let supported = |what: &str| {
        let names = Command::new("ssh").args(["-Q", what]).output().expect("ssh runs").stdout;
        String::from_utf8(names).expect("names are text").lines().collect::<Vec<_>>().join(",")
    };
    lines += &format!(
        "KexAlgorithms {}\nCiphers {}\nMACs {}\n",
        supported("kex"),
        supported("cipher"),
        supported("mac")
    );
    let config = scratch.join("sshd_config");
    fs::write(&config, lines).expect("writable");
    // Root's sshd insists on it.
    let _ = fs::create_dir_all("/run/sshd");
    config
}

/// An OpenSSH server that speaks over its standard input and output.
fn sshd(config: &Path) -> (UnixStream, Running) {
    let (ours, theirs) = UnixStream::pair().expect("a socket pair");
    ours.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
    let output = OwnedFd::from(theirs.try_clone().expect("a second descriptor"));
    let child = Command::new(SSHD)
        .args(["-i", "-e", "-f"])
        .arg(config)
        .stdin(OwnedFd::from(theirs))
        .stdout(output)
        .stderr(Stdio::null())
        .spawn()
        .expect("sshd runs");
    (ours, Running(child))
}

/// Connects, logs in, then changes keys from both sides with traffic in between.
fn visits(config: &Path, client: Config) {
    let (stream, _running) = sshd(config);
    let mut link = Link::new(stream, client);
    link.wait_for_keys();
    link.send(&ServiceRequest { service_name: "ssh-userauth" });
    let accepted = link.wait(|link, incoming| match incoming {
        Incoming::ServiceAccept(name) => Some(link.rx.bytes(name).to_vec()),
        _ => None,
    });
    assert_eq!(accepted, b"ssh-userauth");
    log_in(&mut link);
    link.rekey();
    link.rekey();
    // OpenSSH passes over IGNORE, counts it, and wants new keys after that many bytes.
    let ignore = [&[2, 0, 0, 8, 0][..], &[0; 2048]].concat();
    for _ in 0..=REKEY_LIMIT / ignore.len() {
        link.transport.send(&ignore, &mut link.tx).expect("keys are not being exchanged");
    }
    link.flush();
    link.wait_for_keys();
    assert_eq!(link.transport.counters().key_exchanges, 4);
    if link.transport.peer_answers_pings() {
        assert!(link.transport.ping(b"hello", &mut link.tx));
        let answer = link.wait(|link, incoming| match incoming {
            Incoming::Pong(data) => Some(link.rx.bytes(data).to_vec()),
            _ => None,
        });
        assert_eq!(answer, b"hello");
    }
}

/// RFC 4252 §7, with the one key that may.
fn log_in(link: &mut Link<UnixStream>) {
    let algorithm = SignatureAlgorithm::Ed25519;
    let mut request = vec![50];
    user().as_str().encode(&mut request);
    "ssh-connection".encode(&mut request);
    "publickey".encode(&mut request);
    true.encode(&mut request);
    algorithm.name().encode(&mut request);
    user_key().public_blob().as_slice().encode(&mut request);
    let mut signed = Vec::new();
    link.transport.session_id().expect("keys are in use").encode(&mut signed);
    signed.extend(&request);
    let signature = user_key().sign(algorithm, &signed, &mut SystemRandom::new());
    signature.expect("our key works").as_slice().encode(&mut request);
    link.transport.send(&request, &mut link.tx).expect("keys are in use");
    link.flush();
    let answer = link.wait(|link, incoming| match incoming {
        Incoming::Packet(span) => Some(link.rx.bytes(span).to_vec()),
        _ => None,
    });
    assert_eq!(answer, [52], "logged in");
    link.transport.authenticated();
}

/// RFC 4648 §4, for an `authorized_keys` line.
fn base64(bytes: &[u8]) -> String {
    let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    assert_eq!(bytes.len() % 3, 0, "an Ed25519 key blob needs no padding");
    let number = |three: &[u8]| three.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
    let digit = |number: usize, at: usize| char::from(digits[(number >> (18 - 6 * at)) & 63]);
    bytes.chunks(3).flat_map(|three| (0..4).map(move |at| digit(number(three), at))).collect()
}

fn user_key() -> SigningKey {
    SigningKey::ed25519(&[9; 32])
}

fn user() -> String {
    let name = Command::new("id").arg("-un").output().expect("id runs").stdout;
    String::from_utf8(name).expect("a name").trim().into()
}

/// Whether the server has `name` in its list; what is not there cannot be tried.
fn has(config: &Path, name: &str) -> bool {
    let text = fs::read_to_string(config).expect("readable");
    let found = text.split([',', ' ', '\n']).any(|each| each == name);
    if !found {
        eprintln!("SKIPPED: this OpenSSH has no {name}");
    }
    found
}

/// Every cipher, with every MAC where there is one.
fn suites() -> impl Iterator<Item = (CipherAlgorithm, MacAlgorithm)> {
    CipherAlgorithm::ALL.iter().flat_map(|cipher| {
        let macs = if cipher.is_aead() { &MacAlgorithm::ALL[..1] } else { MacAlgorithm::ALL };
        macs.iter().map(|mac| (*cipher, *mac))
    })
}

#[test]
fn a_client_visits_openssh_with_every_algorithm() {
    if missing(SSHD) || missing("ssh") || missing("ssh-keygen") {
        return;
    }
    let scratch = Scratch::new("transport-sshd");
    let config = sshd_files(&scratch.0);
    for kex in KexAlgorithm::ALL.iter().filter(|kex| has(&config, kex.name())) {
        for guess_kex in [true, false] {
            visits(&config, Config { kex: vec![*kex], guess_kex, ..Config::client() });
        }
    }
    for (cipher, mac) in suites() {
        let (ciphers, macs) = (vec![cipher], vec![mac]);
        visits(&config, Config { ciphers, macs, ..Config::client() });
    }
    for host_key in [
        "ssh-ed25519-cert-v01@openssh.com",
        "ssh-ed25519",
        "ecdsa-sha2-nistp256",
        "rsa-sha2-256",
        "rsa-sha2-512",
    ] {
        let algorithm = KeyAlgorithm::from_name(host_key).expect("a name of ours");
        // Both first choices are the server's too with the first of its keys: then the guess is right.
        let kex = vec![KexAlgorithm::Curve25519Sha256];
        visits(&config, Config { kex, host_key: vec![algorithm], ..Config::client() });
    }
    visits(&config, Config { strict_kex: false, ..Config::client() });
}

/// OpenSSH's client with these algorithms, and our end of its connection.
fn ssh(options: &[String]) -> (TcpStream, Running) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let child = Command::new("ssh")
        .args(["-F", "none", "-N", "-l", "nobody", "-p", &port.to_string()])
        .args(["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"])
        .args(["-o", "GlobalKnownHostsFile=/dev/null", "-o", "BatchMode=yes"])
        .args(options.iter().flat_map(|option| ["-o", option]))
        .arg("127.0.0.1")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("ssh runs");
    let (stream, _) = listener.accept().expect("ssh connects");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
    (stream, Running(child))
}

/// Lets OpenSSH's client in without a question, then changes keys from both sides.
fn hosts(options: &[String]) {
    let (stream, _running) = ssh(options);
    let host_keys = Arc::new(OneKey::new());
    let mut link = Link::new(stream, Config::server(host_keys));
    link.wait_for_keys();
    link.wait(|_, incoming| matches!(incoming, Incoming::ServiceRequest(_)).then_some(()));
    link.send(&ServiceAccept { service_name: "ssh-userauth" });
    link.wait(|_, incoming| matches!(incoming, Incoming::Packet(_)).then_some(()));
    link.transport.send(&[52], &mut link.tx).expect("keys are in use");
    link.transport.authenticated();
    link.flush();
    link.rekey();
    link.rekey();
    assert!(link.transport.counters().key_exchanges >= 3);
}

#[test]
fn openssh_visits_our_server_with_every_algorithm() {
    if missing("ssh") {
        return;
    }
    let supported = |what: &str, name: &str| {
        let names = Command::new("ssh").args(["-Q", what]).output().expect("ssh runs").stdout;
        let found = String::from_utf8_lossy(&names).lines().any(|each| each == name);
        if !found {
            eprintln!("SKIPPED: this OpenSSH has no {name}");
        }
        found
    };
    for kex in KexAlgorithm::ALL.iter().filter(|kex| supported("kex", kex.name())) {
        hosts(&[format!("KexAlgorithms={}", kex.name())]);
    }
    for (cipher, mac) in suites() {
        hosts(&[format!("Ciphers={}", cipher.name()), format!("MACs={}", mac.name())]);
    }
}

#[test]
fn openssh_changes_keys_when_it_wants_to() {
    if missing("ssh") {
        return;
    }
    let (stream, _running) = ssh(&["RekeyLimit=16K".into()]);
    let host_keys = Arc::new(OneKey::new());
    let mut link = Link::new(stream, Config::server(host_keys));
    link.wait_for_keys();
    link.wait(|_, incoming| matches!(incoming, Incoming::ServiceRequest(_)).then_some(()));
    link.send(&ServiceAccept { service_name: "ssh-userauth" });
    link.wait(|_, incoming| matches!(incoming, Incoming::Packet(_)).then_some(()));
    link.transport.send(&[52], &mut link.tx).expect("keys are in use");
    link.transport.authenticated();
    // OpenSSH passes over IGNORE and counts it.
    let ignore = [&[2, 0, 0, 8, 0][..], &[0; 2048]].concat();
    while link.transport.counters().key_exchanges < 4 {
        while link.transport.can_send() && link.tx.pending_len() < 40_000 {
            link.transport.send(&ignore, &mut link.tx).expect("just asked");
        }
        link.flush();
        if link.transport.is_rekeying() || link.transport.counters().sent.bytes > 60_000 {
            link.wait_for_keys();
        }
    }
}
