//! The keeper against a process that talks to the network and has been taken over: it asks for anything, at any time.
//! Touches: a host made of values; a scratch folder.   Never: sockets between processes.
//! Invariants: without a proof that the keeper has seen for itself there is nothing to be had.
//! Errors: panics.   Allocates: freely.
//! Proved by: taking a check away and seeing them fail.

use super::*;
use crate::algorithms::ALGORITHMS;
use crate::host::gateway::GatewayHost;
use crate::host::keys::HostKeyRing;
use crate::host::testing::{House, Scratch, account_of};
use crate::keeper::link::request;
use crate::keeper::message::Private;
use crate::session::{Environment, Exit, Kind};
use adit_config::server::ServerConfig;
use adit_crypto::{PublicKey, SystemRandom};
use adit_engine::WindowChange;
use adit_testkit::keys::key;
use adit_wire::Field;
use adit_wire::auth::{Password, Publickey};
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, channel};

/// The host key.
const HOST: u8 = 7;
/// Ada's key.
const ADA: u8 = 1;

fn settings(lines: &[&str]) -> Settings {
    let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
    let config = ServerConfig::load(None, &lines, &ALGORITHMS).unwrap();
    Settings::with_keys(config, HostKeyRing::of(key(HOST)))
}

fn keeper(lines: &[&str]) -> Keeper {
    let house = House::default()
        .with_account(account_of("ada", None))
        .with_account(account_of("grace", None))
        .with_key("ada", &key(ADA).public_blob(), "")
        .with_password("secret");
    keeper_of(house, lines)
}

/// Whose commands the program launches that cargo builds for the tests in `tests/`.
fn keeper_of(host: impl Host + 'static, lines: &[&str]) -> Keeper {
    let test = std::env::current_exe().unwrap();
    let launch = Launch { program: test.parent().unwrap().with_file_name("aditd"), files: None };
    Keeper::new(Arc::new(host), launch, Errands::new(1).unwrap(), settings(lines))
}

/// The exchange hash of a connection, unlike any other's.
fn hash(connection: u64) -> Vec<u8> {
    vec![connection as u8; 32]
}

impl Keeper {
    fn says(&self, request: Request) -> Reply {
        self.answer(request).0
    }

    fn signs(&self, connection: u64, hash: &[u8]) -> Reply {
        let (algorithm, hash) = ("ssh-ed25519".to_owned(), Bytes(hash.to_vec()));
        self.says(Request::Sign { connection, algorithm, hash })
    }

    fn knows(&self, connection: u64, user: &str) -> Reply {
        let user = user.to_owned();
        self.says(Request::WhoIs { connection, user, remote: None, local: None })
    }

    fn hears(&self, connection: u64, message: &[u8]) -> Reply {
        let message = Private(message.to_vec().into());
        self.says(Request::Login { connection, message })
    }

    /// A connection on which somebody wants in.
    fn applied(self, connection: u64, user: &str) -> Self {
        assert!(matches!(self.signs(connection, &hash(connection)), Reply::Signed { .. }));
        assert!(matches!(self.knows(connection, user), Reply::Known { .. }));
        self
    }
}

fn accepted(reply: &Reply) -> bool {
    matches!(reply, Reply::Judged { accepted: true, .. })
}

/// A login by key, signed for a session.
fn signed(session: &[u8], user: &str, seed: u8) -> Vec<u8> {
    let (key, mut unsigned) = (key(seed), Vec::new());
    let public_key = key.public_blob();
    let body = Publickey {
        algorithm_name: "ssh-ed25519",
        public_key: &public_key,
        server_host_key: None,
        signature: None,
    };
    body.encode_unsigned(true, &mut unsigned);
    let mut data = Vec::new();
    session.encode(&mut data);
    data.extend_from_slice(&request(user, "publickey", &unsigned));
    let signature = key.sign(SignatureAlgorithm::Ed25519, &data, &mut SystemRandom::new()).unwrap();
    let mut body_bytes = Vec::new();
    Publickey { signature: Some(&signature), ..body }.encode(&mut body_bytes);
    request(user, "publickey", &body_bytes).to_vec()
}

fn password(user: &str, password: &str) -> Vec<u8> {
    let mut body = Vec::new();
    Password { password: password.as_bytes(), new_password: None }.encode(&mut body);
    request(user, "password", &body).to_vec()
}

/// All that only somebody who is in may have.
fn privileges(connection: u64) -> [Request; 7] {
    let path = || "/tmp/socket".to_owned();
    let mut keys = Vec::new();
    key(HOST).public_blob().as_slice().encode(&mut keys);
    [
        Request::Prove { connection, algorithm: "ssh-ed25519".into(), keys: Bytes(keys) },
        Request::ConnectUnix { connection, path: path() },
        Request::ListenUnix { connection, path: path() },
        Request::UnlinkUnix { connection, path: path() },
        Request::ListenTcp {
            connection,
            asked: "localhost".into(),
            address: "127.0.0.1:80".parse().unwrap(),
        },
        terminal(connection, 1),
        start(connection, 1, "echo no"),
    ]
}

/// A wish for a terminal.
fn terminal(connection: u64, session: u64) -> Request {
    let size =
        WindowChange { width_characters: 132, height_rows: 50, width_pixels: 0, height_pixels: 0 };
    let wish = TerminalWish { term: "vt100".into(), size, modes: Vec::new() };
    Request::OpenTerminal { connection, session, wish }
}

/// A command for a session.
fn start(connection: u64, session: u64, command: &str) -> Request {
    let (kind, command) = (Kind::Exec, Some(command.as_bytes().to_vec()));
    let asked = Asked { kind, command, environment: Environment::default() };
    Request::Start { connection, session, asked }
}

#[track_caller]
fn has_nothing(keeper: &Keeper, connection: u64) {
    for request in privileges(connection) {
        let words = format!("{request:?}");
        let (reply, descriptors) = keeper.answer(request);
        assert_eq!((reply, descriptors.len()), (Reply::Refused {}, 0), "{words}");
    }
}

#[test]
fn in_every_state_before_the_proof_there_is_nothing_to_be_had() {
    let keeper = keeper(&["LogLevel QUIET"]);
    has_nothing(&keeper, 1);
    assert_eq!(keeper.knows(1, "ada"), Reply::Refused {}, "before a session");
    assert_eq!(keeper.hears(1, &signed(&hash(1), "ada", ADA)), Reply::Refused {});
    assert!(matches!(keeper.signs(1, &hash(1)), Reply::Signed { .. }));
    has_nothing(&keeper, 1);
    assert_eq!(keeper.hears(1, &signed(&hash(1), "ada", ADA)), Reply::Refused {}, "before a user");
    assert!(matches!(keeper.knows(1, "grace"), Reply::Known { .. }));
    has_nothing(&keeper, 1);
    assert_eq!(keeper.knows(1, "ada"), Reply::Refused {}, "another user");
    for message in [&b""[..], b"\x34", b"\x32garbage", &[0; 100]] {
        assert!(!accepted(&keeper.hears(1, message)));
        has_nothing(&keeper, 1);
    }
}

#[test]
fn a_proof_lets_in_its_own_user_on_its_own_session_and_nobody_else() {
    for (session, user, seed) in
        [(2, "ada", ADA), (1, "grace", ADA), (1, "ada", 2), (HOST.into(), "ada", HOST)]
    {
        let keeper = keeper(&[]).applied(1, "ada").applied(2, "ada");
        let reply = keeper.hears(1, &signed(&hash(session), user, seed));
        assert!(!accepted(&reply), "session {session}, {user}, key {seed}");
        has_nothing(&keeper, 1);
    }
    let keeper = keeper(&[]).applied(1, "ada").applied(2, "grace");
    assert!(accepted(&keeper.hears(1, &signed(&hash(1), "ada", ADA))));
    has_nothing(&keeper, 2);
    let [prove, connect, listen, unlink, port, terminal, start] = privileges(1);
    assert!(matches!(keeper.says(prove), Reply::Signed { .. }));
    // The house has no sockets, but is asked for them.
    for granted in [connect, listen, port] {
        assert!(matches!(keeper.says(granted), Reply::Failed { .. }));
    }
    assert_eq!(keeper.says(unlink), Reply::Refused {}, "not one of its own");
    for request in [terminal, start] {
        assert_eq!(keeper.says(request), Reply::Refused {}, "no account on the system");
    }
    assert_eq!(keeper.hears(1, &password("ada", "secret")), Reply::Refused {}, "it is in");
    assert_eq!(keeper.knows(1, "grace"), Reply::Refused {}, "and stays who it is");
    assert!(keeper.part_with(1).is_none(), "it has no sockets");
    has_nothing(&keeper, 1);
}

#[test]
fn to_ask_whether_a_key_would_do_proves_nothing() {
    let keeper = keeper(&[]).applied(1, "ada");
    let (public_key, mut body) = (key(ADA).public_blob(), Vec::new());
    Publickey {
        algorithm_name: "ssh-ed25519",
        public_key: &public_key,
        server_host_key: None,
        signature: None,
    }
    .encode(&mut body);
    assert!(accepted(&keeper.hears(1, &request("ada", "publickey", &body))));
    has_nothing(&keeper, 1);
}

#[test]
fn later_key_exchanges_leave_the_session_what_it_was() {
    let keeper = keeper(&[]).applied(1, "ada");
    assert!(matches!(keeper.signs(1, &hash(9)), Reply::Signed { .. }));
    assert!(!accepted(&keeper.hears(1, &signed(&hash(9), "ada", ADA))));
    assert!(accepted(&keeper.hears(1, &signed(&hash(1), "ada", ADA))));
}

#[test]
fn host_keys_sign_hashes_and_nothing_else() {
    let keeper = keeper(&["HostKeyAlgorithms ssh-ed25519"]);
    for length in [0, 19, 65, 1000] {
        assert_eq!(keeper.signs(1, &vec![1; length]), Reply::Refused {}, "{length} bytes");
    }
    for algorithm in ["rsa-sha2-256", "ssh-ed25519-cert-v01@openssh.com", "none", ""] {
        let (connection, hash) = (1, Bytes(hash(1)));
        let algorithm = algorithm.to_owned();
        assert_eq!(keeper.says(Request::Sign { connection, algorithm, hash }), Reply::Refused {});
    }
    assert_eq!(keeper.knows(1, "ada"), Reply::Refused {}, "a refusal opens no case");
    let Reply::Signed { bytes } = keeper.signs(1, &hash(1)) else { panic!() };
    let public = PublicKey::decode(&key(HOST).public_blob()).unwrap();
    assert_eq!(public.verify(SignatureAlgorithm::Ed25519.plain(), &hash(1), &bytes.0), Ok(()));
}

#[test]
fn everything_that_is_asked_for_has_to_be_proved() {
    let keeper = keeper(&["AuthenticationMethods publickey,password"]).applied(1, "ada");
    assert!(!accepted(&keeper.hears(1, &password("ada", "secret"))), "not yet its turn");
    assert!(accepted(&keeper.hears(1, &signed(&hash(1), "ada", ADA))));
    has_nothing(&keeper, 1);
    assert!(!accepted(&keeper.hears(1, &signed(&hash(1), "ada", ADA))), "not twice");
    assert!(accepted(&keeper.hears(1, &password("ada", "secret"))));
    assert!(matches!(keeper.says(privileges(1)[1].clone()), Reply::Failed { .. }));
}

#[test]
fn guesses_are_counted_for_every_connection() {
    let keeper = keeper(&["MaxAuthTries 3"]).applied(1, "ada");
    for _ in 0..3 {
        assert!(!accepted(&keeper.hears(1, &password("ada", "wrong"))));
    }
    assert!(!accepted(&keeper.hears(1, &password("ada", "secret"))));
    has_nothing(&keeper, 1);
}

#[test]
fn who_is_in_has_what_is_permitted_and_no_more() {
    let member = |lines: &[&str]| {
        let keeper = keeper(lines).applied(1, "ada");
        assert!(accepted(&keeper.hears(1, &signed(&hash(1), "ada", ADA))));
        keeper
    };
    let port = |asked: &str, address: &str| Request::ListenTcp {
        connection: 1,
        asked: asked.into(),
        address: address.parse().unwrap(),
    };
    let [_, connect, listen, ..] = privileges(1);
    let off = member(&["DisableForwarding yes"]);
    for request in [connect.clone(), listen, port("localhost", "127.0.0.1:80")] {
        assert_eq!(off.says(request), Reply::Refused {});
    }
    assert_eq!(member(&["PermitOpen localhost:80"]).says(connect), Reply::Refused {});
    let some = member(&["PermitListen localhost:80"]);
    assert!(matches!(some.says(port("localhost", "[::1]:80")), Reply::Failed { .. }));
    for (asked, address) in [
        ("localhost", "127.0.0.1:81"),
        ("localhost", "0.0.0.0:80"),
        ("", "0.0.0.0:80"),
        ("localhost", "192.0.2.1:80"),
    ] {
        assert_eq!(some.says(port(asked, address)), Reply::Refused {}, "{asked} {address}");
    }
}

#[test]
fn a_socket_goes_with_the_connection_that_had_it_made() {
    let (scratch, hash_file) = (Scratch::new("keeper"), "users");
    let line = format!("ada:{}:\n", crate::host::password::hash_password(b"secret"));
    let users = scratch.file(hash_file, &line, 0o600);
    let host = GatewayHost::new(Some(users)).unwrap();
    let keeper = keeper_of(host, &["MaxListenersPerConnection 1"]);
    let keeper = keeper.applied(1, "ada").applied(2, "ada");
    for connection in [1, 2] {
        assert!(accepted(&keeper.hears(connection, &password("ada", "secret"))));
    }
    let path = scratch.path("socket").to_str().unwrap().to_owned();
    let unlink = |connection| Request::UnlinkUnix { connection, path: path.clone() };
    let listen = |connection, path: &str| Request::ListenUnix { connection, path: path.to_owned() };
    let (reply, listener) = keeper.answer(listen(1, &path));
    assert_eq!((reply, listener.len()), (Reply::Done {}, 1));
    let second = scratch.path("second").to_str().unwrap().to_owned();
    assert_eq!(keeper.says(listen(1, &second)), Reply::Refused {}, "one is all it may have");
    let (reply, mut stream) =
        keeper.answer(Request::ConnectUnix { connection: 2, path: path.clone() });
    assert_eq!(reply, Reply::Done {});
    assert!(UnixStream::from(stream.remove(0)).peer_addr().is_ok());
    assert_eq!(keeper.says(unlink(2)), Reply::Refused {});
    assert!(scratch.path("socket").exists());
    assert_eq!(keeper.says(unlink(1)), Reply::Done {});
    assert!(!scratch.path("socket").exists());
    assert_eq!(keeper.says(unlink(1)), Reply::Refused {}, "once");
    assert_eq!(keeper.answer(listen(2, &second)).0, Reply::Done {});
    keeper.forget_all();
    assert!(!scratch.path("second").exists());
}

#[test]
fn the_server_listens_where_the_configuration_says() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let keeper = keeper(&[&format!("ListenAddress {address}")]);
    assert_eq!(keeper.says(Request::Bind { address }), Reply::Refused {}, "nobody has asked where");
    assert_eq!(keeper.says(Request::Addresses {}), Reply::Found { addresses: vec![address] });
    let in_use = rustix::io::Errno::ADDRINUSE.raw_os_error().unsigned_abs();
    assert!(
        matches!(keeper.says(Request::Bind { address }), Reply::Failed { code, .. } if code == in_use)
    );
    for other in ["127.0.0.1:22", "0.0.0.0:0"] {
        let address = other.parse().unwrap();
        assert_eq!(keeper.says(Request::Bind { address }), Reply::Refused {}, "{other}");
    }
}

#[test]
fn names_are_looked_up_for_families_there_are() {
    let keeper = keeper(&[]);
    let look_up = |family| Request::LookUp { host: "127.0.0.1".into(), port: 5, family };
    let found = Reply::Found { addresses: vec!["127.0.0.1:5".parse().unwrap()] };
    assert_eq!(keeper.says(look_up(0)), found);
    assert!(matches!(keeper.says(look_up(6)), Reply::Failed { code: 0, .. }));
    assert_eq!(keeper.says(look_up(5)), Reply::Refused {});
}

fn begins(keeper: &Keeper, connection: u64) -> bool {
    matches!(keeper.signs(connection, &hash(connection)), Reply::Signed { .. })
}

#[test]
fn strangers_are_as_many_as_the_servers_own_limits_let_in() {
    let keeper = keeper(&["MaxStartups 2", "MaxConnections 3"]);
    assert!(begins(&keeper, 1) && begins(&keeper, 2) && !begins(&keeper, 3));
    assert!(begins(&keeper, 1), "new keys of one that is there");
    assert!(keeper.part_with(1).is_none());
    assert!(begins(&keeper, 3), "in its place");
    assert!(matches!(keeper.knows(2, "ada"), Reply::Known { .. }));
    assert!(accepted(&keeper.hears(2, &signed(&hash(2), "ada", ADA))));
    assert!(begins(&keeper, 4), "one has logged in");
    assert!(keeper.part_with(3).is_none());
    assert!(begins(&keeper, 5) && !begins(&keeper, 6), "three of any kind");
}

#[test]
fn a_name_longer_than_any_is_nobodys_and_not_kept() {
    let keeper = keeper(&[]);
    assert!(begins(&keeper, 1));
    assert_eq!(keeper.knows(1, &"a".repeat(60_000)), Reply::Refused {});
    assert!(matches!(keeper.knows(1, "ada"), Reply::Known { .. }));
}

/// Where ada and grace have accounts on the system, those of whoever runs this, and ada is in, on connection 1.
fn with_sessions(lines: &[&str]) -> Keeper {
    let uid = Some(rustix::process::geteuid().as_raw());
    let house = House::default()
        .with_account(account_of("ada", uid))
        .with_account(account_of("grace", uid))
        .with_key("ada", &key(ADA).public_blob(), "")
        .with_password("secret");
    let lines = [&["PermitRootLogin yes", "PermitUserRC no"], lines].concat();
    let keeper = keeper_of(house, &lines).applied(1, "ada");
    assert!(accepted(&keeper.hears(1, &signed(&hash(1), "ada", ADA))));
    keeper
}

/// All that the command of a session says on stdout, if it was started.
fn said(keeper: &Keeper, request: Request) -> Result<String, String> {
    let (reply, descriptors) = keeper.answer(request);
    if let Reply::Failed { words, .. } = reply {
        return Err(words);
    }
    assert!(matches!(reply, Reply::Started { .. }), "{reply:?}");
    let [_, output, _] = <[OwnedFd; 3]>::try_from(descriptors).unwrap();
    let mut said = String::new();
    File::from(output).read_to_string(&mut said).unwrap();
    Ok(said)
}

/// Somebody waits for the end of a session's command.
fn waits(keeper: &Keeper, connection: u64, session: u64) -> Receiver<Reply> {
    let (tell, told) = channel();
    let teller = move |(reply, _): Answer| tell.send(reply).unwrap();
    keeper.wait(connection, session, Box::new(teller));
    told
}

#[test]
fn a_session_is_for_the_connection_that_proved_who_it_is() {
    let keeper = with_sessions(&[]).applied(2, "grace").applied(3, "ada");
    has_nothing(&keeper, 2);
    assert!(accepted(&keeper.hears(3, &signed(&hash(3), "ada", ADA))));
    let (reply, mut pipes) = keeper.answer(start(1, 7, "echo $USER; read x; exit 5"));
    assert!(matches!(reply, Reply::Started { .. }));
    for connection in [2, 3, 4] {
        let signal = Request::Signal { connection, session: 7, name: "KILL".into() };
        assert_eq!(keeper.says(signal), Reply::Refused {}, "{connection}");
        assert_eq!(waits(&keeper, connection, 7).recv(), Ok(Reply::Refused {}), "{connection}");
        keeper.leave(connection, 7);
    }
    let mut user = [0; 4];
    File::from(pipes.remove(1)).read_exact(&mut user).unwrap();
    assert_eq!(&user, b"ada\n");
    drop(pipes);
    assert_eq!(waits(&keeper, 1, 7).recv(), Ok(Reply::Exited { exit: Exit::Status(5) }));
}

#[test]
fn the_keepers_own_rules_decide_what_a_session_gets() {
    let forced = with_sessions(&[
        "ForceCommand echo forced $SSH_ORIGINAL_COMMAND $LC_A$LC_B$LD_PRELOAD",
        "AcceptEnv LC_*",
        "PermitTTY no",
    ]);
    let asked = |pairs: &[(&str, &str)]| {
        let mut environment = Environment::default();
        pairs.iter().for_each(|(name, value)| environment.set(OsStr::new(name), value));
        let (kind, command) = (Kind::Exec, Some(b"id".to_vec()));
        let asked = Asked { kind, command, environment };
        Request::Start { connection: 1, session: 1, asked }
    };
    let Reply::Failed { words, .. } = forced.says(terminal(1, 1)) else { panic!() };
    assert_eq!(words, "no terminal is permitted");
    let request = asked(&[("LC_A", "x"), ("LD_PRELOAD", "/no/such"), ("LC_B", "y")]);
    assert_eq!(said(&forced, request), Ok("forced id xy\n".into()));
    let plain = with_sessions(&["Subsystem echo echo packets"]);
    let subsystem = |session, name: &str| {
        let kind = Kind::Subsystem(name.into());
        let asked =
            Asked { kind, command: Some(b"id".to_vec()), environment: Environment::default() };
        Request::Start { connection: 1, session, asked }
    };
    let words = said(&plain, subsystem(1, "sftp")).unwrap_err();
    assert!(words.contains("no subsystem"), "{words}");
    assert_eq!(said(&plain, subsystem(1, "echo")), Ok("packets\n".into()));
    assert!(said(&plain, start(1, 1, "echo again")).is_err(), "once");
}

#[test]
fn sessions_are_as_many_as_are_permitted_and_one_that_runs_counts_when_it_was_left() {
    let keeper = with_sessions(&["MaxSessions 2"]);
    let begins = |session| keeper.answer(start(1, session, "read x; exit 3"));
    let (reply, first) = begins(1);
    assert!(matches!(reply, Reply::Started { .. }));
    assert!(matches!(keeper.says(terminal(1, 2)), Reply::Terminal { .. }));
    let is_full =
        |reply| matches!(reply, Reply::Failed { words, .. } if words.starts_with("MaxSessions "));
    assert!(is_full(begins(3).0) && is_full(keeper.says(terminal(1, 3))));
    keeper.leave(1, 2);
    let (reply, second) = begins(3);
    assert!(matches!(reply, Reply::Started { .. }), "in its place");
    let end = waits(&keeper, 1, 1);
    keeper.leave(1, 1);
    assert!(is_full(begins(4).0), "it runs");
    drop(first);
    assert_eq!(end.recv(), Ok(Reply::Exited { exit: Exit::Status(3) }), "it was left");
    assert!(matches!(begins(4).0, Reply::Started { .. }), "it has ended");
    drop(second);
    assert!(matches!(waits(&keeper, 1, 3).recv(), Ok(Reply::Exited { .. })));
    assert!(is_full(begins(5).0), "it has ended, and is there");
    let none = with_sessions(&["MaxSessions 0"]);
    assert!(is_full(none.says(start(1, 1, "true"))));
}

#[test]
fn whoever_waits_for_an_end_is_told_once_and_nobody_waits_beside_them() {
    let keeper = with_sessions(&[]);
    assert_eq!(waits(&keeper, 1, 1).recv(), Ok(Reply::Refused {}), "no such session");
    assert!(matches!(keeper.says(terminal(1, 1)), Reply::Terminal { .. }));
    assert_eq!(waits(&keeper, 1, 1).recv(), Ok(Reply::Refused {}), "nothing runs");
    let (reply, _pipes) = keeper.answer(start(1, 2, "exec sleep 600"));
    assert!(matches!(reply, Reply::Started { .. }));
    let first = waits(&keeper, 1, 2);
    for _ in 0..1_000 {
        assert_eq!(waits(&keeper, 1, 2).recv(), Ok(Reply::Refused {}), "another waits");
    }
    let signal = |name: &str| Request::Signal { connection: 1, session: 2, name: name.into() };
    assert_eq!(keeper.says(signal("STOP")), Reply::Refused {}, "none of SSH's");
    assert_eq!(keeper.says(signal("TERM")), Reply::Done {});
    let exit = Exit::Signal { number: 15, core_dumped: false };
    assert_eq!(first.recv(), Ok(Reply::Exited { exit }));
    assert_eq!(waits(&keeper, 1, 2).recv(), Ok(Reply::Exited { exit }), "it is known");
    assert_eq!(keeper.says(signal("TERM")), Reply::Done {}, "there is nothing to signal");
}

#[test]
fn a_terminal_ends_with_its_connection_and_is_given_once() {
    let keeper = with_sessions(&[]);
    let (reply, mut master) = keeper.answer(terminal(1, 1));
    let Reply::Terminal { name: Bytes(name) } = reply else { panic!() };
    assert!(name.starts_with(b"/dev/"));
    assert!(matches!(keeper.says(terminal(1, 1)), Reply::Failed { .. }));
    let size = rustix::termios::tcgetwinsize(&master[0]).unwrap();
    assert_eq!((size.ws_col, size.ws_row), (132, 50));
    assert!(keeper.part_with(1).is_none());
    // Whoever holds the other end is gone.
    assert!(File::from(master.remove(0)).read(&mut [0]).is_err());
}

#[test]
fn what_is_left_while_it_is_asked_for_does_not_start() {
    let keeper = with_sessions(&["MaxSessions 1"]);
    let Request::Start { asked, .. } = start(1, 1, "true") else { panic!() };
    // As if another helper were at it.
    let sitting = keeper.sitting(1, 1).ok().unwrap();
    keeper.leave(1, 1);
    assert!(sitting.start(&asked).is_err(), "it would have no place");
    assert!(matches!(keeper.says(start(1, 2, "true")), Reply::Started { .. }));
}
