//! Logins and what follows them on a loop: a client engine and a worker over a socket pair, and hosts made of values.

use super::Worker;
use crate::connection::Ends;
use crate::errand::Postbox;
use crate::host::Host;
use crate::host::gateway::GatewayHost;
use crate::host::password::hash_password;
use crate::host::testing::{House, Scratch, account_of};
use crate::log::{Captured, Format, Log, LogLevel};
use crate::shared::Shared;
use adit_auth::client::{self, Ask};
use adit_engine::{Channel, Engine, Event as Ssh, Open, OpenFailure};
use adit_reactor::{Event, Handler, Key, Reactor, Socket};
use adit_testkit::keys::{client_config, client_transport, key};
use adit_testkit::{FixedRng, Manners};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A worker, and the client whose turn it is.
struct Play {
    worker: Worker,
    load: Arc<AtomicUsize>,
    client: Option<Key>,
    manners: Manners,
    /// The names of what the client was asked, and of the news it had.
    asked: Vec<String>,
    is_in: bool,
    /// The server's last words.
    goodbye: String,
    is_over: bool,
    channels: Vec<(Channel, Result<(), OpenFailure>)>,
    closed: Vec<Channel>,
}

impl Handler for Play {
    fn event(&mut self, reactor: &mut Reactor, event: Event) {
        match event {
            Event::Ssh { session, event } if Some(session) == self.client => {
                self.heard(reactor, session, event);
            }
            Event::Closed { session, .. } if Some(session) == self.client => self.is_over = true,
            Event::Data { session, .. } if Some(session) == self.client => {}
            event => self.worker.event(reactor, event),
        }
    }
}

impl Play {
    /// What the client hears.
    fn heard(&mut self, reactor: &mut Reactor, client: Key, event: Ssh) {
        match event {
            Ssh::HostKey => reactor.judge_host_key(client, true),
            Ssh::Login(ask) => self.answer(reactor, client, &ask),
            Ssh::Established => self.is_in = true,
            Ssh::Disconnected { description, .. } => {
                self.goodbye = String::from_utf8_lossy(&description).into_owned();
            }
            Ssh::Opened { channel } => self.channels.push((channel, Ok(()))),
            Ssh::OpenFailed { channel, failure } => self.channels.push((channel, Err(*failure))),
            Ssh::Closed { channel, .. } => self.closed.push(channel),
            _ => {}
        }
    }

    fn answer(&mut self, reactor: &mut Reactor, client: Key, ask: &Ask) {
        let shown = format!("{ask:?}");
        self.asked.push(shown.split([' ', '(', '{']).next().unwrap().to_owned());
        match (ask, reactor.engine(client).and_then(Engine::login)) {
            (Ask::Failed { .. }, _) => reactor.close_session(client, "nothing left"),
            (ask, Some(login)) => self.manners.answer(ask, login),
            _ => {}
        }
    }
}

/// Who comes, and with what.
struct Visitor {
    user: &'static str,
    keys: Vec<u8>,
    secrets: Vec<&'static str>,
}

fn visitor(user: &'static str) -> Visitor {
    Visitor { user, keys: Vec::new(), secrets: Vec::new() }
}

impl Visitor {
    /// With the keys of these seeds.
    fn keys(self, seeds: &[u8]) -> Self {
        Self { keys: seeds.to_vec(), ..self }
    }

    fn secrets(self, secrets: &[&'static str]) -> Self {
        Self { secrets: secrets.to_vec(), ..self }
    }
}

struct Scene {
    reactor: Reactor,
    play: Play,
    log: Captured,
}

impl Scene {
    fn new(host: impl Host + 'static, lines: &[&str]) -> Self {
        let mut reactor = Reactor::new().unwrap();
        let (postbox, mail) = Postbox::new(reactor.waker());
        let (log, captured) = Log::captured(LogLevel::Verbose, Format::Text);
        let shared = Arc::new(Shared::for_test(Arc::new(host), lines, log));
        let load = Arc::new(AtomicUsize::new(0));
        let play = Play {
            worker: Worker::new(shared, postbox, mail, load.clone()),
            load,
            client: None,
            manners: Manners::default(),
            asked: Vec::new(),
            is_in: false,
            goodbye: String::new(),
            is_over: false,
            channels: Vec::new(),
            closed: Vec::new(),
        };
        // What wakes the loop before anybody has come is not about anybody.
        reactor.set_timer(reactor.now(), u64::MAX);
        Self { reactor, play, log: captured }
    }

    fn run(&mut self, mut until: impl FnMut(&Play) -> bool) {
        while !until(&self.play) {
            self.reactor.turn(&mut self.play).unwrap();
        }
    }

    /// Somebody comes, and is in or gone in the end.
    fn visit(&mut self, visitor: Visitor) -> bool {
        let (near, far) = UnixStream::pair().unwrap();
        let config = client_config(client_transport());
        let config = adit_engine::ClientConfig {
            login: client::Config::new(visitor.user, b"", b""),
            ..config
        };
        let engine = Engine::client(config, Box::new(FixedRng::new(1)), self.reactor.now());
        let client = self.reactor.add_session(Box::new(Socket::unix(near).unwrap()), engine);
        let play = &mut self.play;
        play.client = Some(client.unwrap());
        play.manners.keys = visitor.keys.into_iter().map(key).collect();
        play.manners.secrets = visitor.secrets.into();
        (play.is_in, play.is_over, play.goodbye) = (false, false, String::new());
        play.asked.clear();
        let remote: SocketAddr = ([192, 0, 2, 7], 40_000).into();
        let shared = play.worker.shared.clone();
        let ticket = shared.limits().admit(shared.now(), remote.ip(), 0).unwrap();
        play.load.fetch_add(1, Ordering::Relaxed);
        let ends = Ends { remote: Some(remote), local: Some(([192, 0, 2, 1], 22).into()) };
        play.worker.welcome(&mut self.reactor, Socket::unix(far).unwrap(), ends, ticket);
        self.run(|play| play.is_in || play.is_over);
        self.play.is_in && !self.play.is_over
    }

    /// Somebody comes and is not let in.
    fn refused(&mut self, visitor: Visitor) {
        assert!(!self.visit(visitor));
        self.gone();
    }

    /// The worker has forgotten everybody.
    fn gone(&mut self) {
        self.run(|play| play.worker.connections.is_empty());
        assert_eq!(self.play.load.load(Ordering::Relaxed), 0);
    }

    /// A line of the log with these words.
    fn logged(&self, words: &str) -> String {
        let lines = self.log.lines();
        let found = lines.iter().find(|line| line.contains(words));
        found.unwrap_or_else(|| panic!("no {words:?} in {lines:#?}")).clone()
    }

    fn engine(&mut self) -> &mut Engine {
        self.reactor.engine(self.play.client.unwrap()).unwrap()
    }

    /// Opens a channel; gives how that went.
    fn open(&mut self, open: &Open<'_>) -> Result<Channel, OpenFailure> {
        let channel = self.engine().open(open).unwrap();
        self.run(|play| play.channels.iter().any(|(opened, _)| *opened == channel));
        let at = self.play.channels.iter().position(|(opened, _)| *opened == channel).unwrap();
        self.play.channels.swap_remove(at).1.map(|()| channel)
    }
}

/// Where ada lives, with the key of seed 1.
fn house() -> House {
    let ada = account_of("ada", None);
    House::default().with_account(ada).with_key("ada", &key(1).public_blob(), "")
}

#[test]
fn the_right_key_opens_and_is_named_in_the_log() {
    let mut scene = Scene::new(house(), &[]);
    assert!(scene.visit(visitor("ada").keys(&[1])));
    assert_eq!(scene.play.asked, ["Publickey", "Sign", "Success"]);
    let line = scene.logged("Accepted publickey for ada from 192.0.2.7 port 40000 ssh2: ED25519");
    assert!(line.contains("connection=1"), "{line}");
}

#[test]
fn a_wrong_key_counts_and_the_next_may_be_the_right_one() {
    let mut scene = Scene::new(house(), &[]);
    assert!(scene.visit(visitor("ada").keys(&[2, 3, 1])));
    let line = scene.logged("failures=2");
    assert!(line.starts_with("Failed publickey for ada"), "{line}");
    assert!(line.contains("reason=\"not an authorized key\""), "{line}");
}

#[test]
fn a_key_of_another_s_opens_nothing() {
    let house = house().with_account(account_of("eve", None));
    let mut scene = Scene::new(house, &[]);
    scene.refused(visitor("eve").keys(&[1]));
    scene.logged("Failed publickey for eve");
}

#[test]
fn who_does_not_exist_or_is_not_allowed_is_asked_the_same() {
    let tries = |user| visitor(user).keys(&[2, 3]).secrets(&["wrong", "wronger", "wrongest"]);
    let mut asked = Vec::new();
    for (lines, user, words) in [
        (&[][..], "ada", "Failed publickey for ada"),
        (&[], "bob", "Invalid user bob from 192.0.2.7 port 40000"),
        (&["DenyUsers ada"], "ada", "User ada from 192.0.2.7 not allowed because listed in"),
    ] {
        let mut scene = Scene::new(house().with_password("secret"), lines);
        scene.refused(tries(user));
        scene.logged(words);
        asked.push(scene.play.asked);
    }
    assert!(asked[0].contains(&"Password".to_owned()) || asked[0].contains(&"Answers".to_owned()));
    assert_eq!(asked[1], asked[0]);
    assert_eq!(asked[2], asked[0]);
}

#[test]
fn who_does_not_exist_gets_in_with_nothing_that_is_right() {
    let mut scene = Scene::new(house().with_password("secret"), &[]);
    scene.refused(visitor("bob").keys(&[1]).secrets(&["secret"; 3]));
    scene.logged("Failed publickey for invalid user bob");
}

#[test]
fn after_too_many_tries_the_server_hangs_up() {
    let mut scene = Scene::new(house(), &["MaxAuthTries 2"]);
    scene.refused(visitor("ada").keys(&[2, 3, 1]));
    assert!(scene.play.goodbye.contains("Too many authentication failures"));
    scene.logged("maximum authentication attempts exceeded for ada from 192.0.2.7");
}

#[test]
fn all_methods_of_a_list_are_asked_for_one_after_the_other() {
    let house = || house().with_password("secret");
    let lines = ["AuthenticationMethods publickey,password"];
    let mut scene = Scene::new(house(), &lines);
    assert!(scene.visit(visitor("ada").keys(&[1]).secrets(&["secret"])));
    assert!(scene.play.asked.contains(&"PartialSuccess".to_owned()), "{:?}", scene.play.asked);
    scene.logged("Partial publickey for ada");
    scene.logged("Accepted password for ada");
    let mut scene = Scene::new(house(), &lines);
    scene.refused(visitor("ada").keys(&[1]).secrets(&["wrong"]));
    scene.logged("Failed password for ada");
}

#[test]
fn a_password_of_the_users_file_opens_and_a_locked_user_stays_out() {
    let scratch = Scratch::new("worker-users");
    let hash = hash_password(b"secret");
    let file = scratch.file("users", &format!("ada:{hash}:\neve:!{hash}:\n"), 0o600);
    let host = || GatewayHost::new(Some(file.clone())).unwrap();
    let lines = ["PasswordAuthentication yes", "KbdInteractiveAuthentication no"];
    let mut scene = Scene::new(host(), &lines);
    assert!(scene.visit(visitor("ada").secrets(&["wrong", "secret"])));
    scene.logged("Failed password for ada");
    scene.logged("Accepted password for ada");
    let mut scene = Scene::new(host(), &lines);
    scene.refused(visitor("eve").secrets(&["secret"; 3]));
    scene.logged("User eve from 192.0.2.7 not allowed because account is locked");
}

#[test]
fn a_password_does_not_let_root_in_where_only_keys_do() {
    let house = || {
        let root = account_of("root", Some(0));
        House::default().with_account(root).with_password("secret")
    };
    let interactive = "KbdInteractiveAuthentication no";
    let mut scene = Scene::new(house(), &[interactive, "PermitRootLogin prohibit-password"]);
    scene.refused(visitor("root").secrets(&["secret"; 3]));
    let mut scene = Scene::new(house(), &[interactive, "PermitRootLogin yes"]);
    assert!(scene.visit(visitor("root").secrets(&["secret"])));
}

#[test]
fn refuse_connection_ends_it_as_soon_as_the_user_is_known() {
    let lines = ["RefuseConnection yes"];
    let mut scene = Scene::new(house(), &lines);
    scene.refused(visitor("ada").keys(&[1]));
    assert_eq!(scene.play.asked, [""; 0]);
    assert_eq!(scene.play.goodbye, "connections are refused");
}

#[test]
fn a_user_has_so_many_connections_and_no_more() {
    let mut scene = Scene::new(house(), &["MaxConnectionsPerUser 1"]);
    assert!(scene.visit(visitor("ada").keys(&[1])));
    let first = scene.play.client.unwrap();
    assert!(!scene.visit(visitor("ada").keys(&[1])));
    scene.logged(
        "drop connection of user ada from 192.0.2.7 port 40000 past MaxConnectionsPerUser 1",
    );
    // Whoever goes makes room.
    scene.reactor.close_session(first, "bye");
    scene.gone();
    assert!(scene.visit(visitor("ada").keys(&[1])));
}

#[test]
fn what_is_wrong_with_a_key_is_told_at_info() {
    let flaw = "Authentication refused: bad ownership or modes for directory /home/ada";
    let house = house().with_flawed_key(&key(2).public_blob(), flaw);
    let mut scene = Scene::new(house, &[]);
    assert!(scene.visit(visitor("ada").keys(&[2, 1])));
    let line = scene.logged(flaw);
    assert!(line.starts_with(flaw) && line.contains("user=ada"), "{line}");
}

#[test]
fn keys_that_force_different_commands_let_nobody_in() {
    let ada = account_of("ada", None);
    let house = House::default()
        .with_account(ada)
        .with_key("ada", &key(1).public_blob(), "command=\"one\"")
        .with_key("ada", &key(2).public_blob(), "command=\"other\"");
    let mut scene = Scene::new(house, &["AuthenticationMethods publickey,publickey"]);
    scene.visit(visitor("ada").keys(&[1, 2]));
    scene.gone();
    assert!(scene.play.goodbye.contains("force different commands"), "{}", scene.play.goodbye);
}

#[test]
fn who_has_no_account_on_the_system_has_no_sessions() {
    let mut scene = Scene::new(house(), &[]);
    assert!(scene.visit(visitor("ada").keys(&[1])));
    let failure = scene.open(&Open::Session).unwrap_err();
    assert!(failure.description.ends_with(b"no sessions"), "{failure:?}");
}

#[test]
fn there_are_so_many_sessions_and_no_more() {
    let eve = account_of("eve", Some(1));
    let house = House::default().with_account(eve).with_key("eve", &key(1).public_blob(), "");
    let mut scene = Scene::new(house, &["MaxSessions 2"]);
    assert!(scene.visit(visitor("eve").keys(&[1])));
    for _ in 0..2 {
        scene.open(&Open::Session).unwrap();
    }
    let failure = scene.open(&Open::Session).unwrap_err();
    assert_eq!(&*failure.description, b"MaxSessions 2 are open");
}

#[test]
fn an_idle_session_is_closed_and_another_kind_of_channel_has_its_own_time() {
    let eve = account_of("eve", Some(1));
    let house = House::default().with_account(eve).with_key("eve", &key(1).public_blob(), "");
    let mut scene = Scene::new(house, &["ChannelTimeout session=1 direct-tcpip=1d"]);
    assert!(scene.visit(visitor("eve").keys(&[1])));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().into();
    let session = scene.open(&Open::Session).unwrap();

    let forward = scene.open(&Open::direct_tcpip("127.0.0.1", port, "127.0.0.1", 1));
    scene.run(|play| !play.closed.is_empty());
    assert_eq!(scene.play.closed, [session]);
    assert!(forward.is_ok() && !scene.play.is_over);
}

#[test]
fn a_connection_that_is_not_used_is_ended_and_one_reminder_is_enough_for_it() {
    let eve = account_of("eve", Some(1));
    let house = House::default().with_account(eve).with_key("eve", &key(1).public_blob(), "");
    let mut scene = Scene::new(house, &["UnusedConnectionTimeout 1", "LoginGraceTime 0"]);
    assert!(scene.visit(visitor("eve").keys(&[1])));
    for _ in 0..10 {
        let channel = scene.open(&Open::Session).unwrap();
        scene.engine().close(channel);
        scene.run(|play| play.closed.contains(&channel));
    }
    assert_eq!(scene.play.worker.reminders.len(), 1);
    scene.gone();
    scene.logged("terminating inactive connection");
}
