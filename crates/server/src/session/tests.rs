//! Sessions on a loop: a client engine and a server engine over a socket pair, and real processes behind the server.
//!
//! The launcher is the program itself, built beside this test.

use super::{Kind, Notice, SessionEnd, SessionRules, Sessions};
use crate::errand::{Errands, Postbox};
use crate::host::{Account, Host, KeyVerdict, Origin, SystemAccount};
use crate::session::Exit;
use crate::worker::Worker;
use adit_config::server::ServerOptions;
use adit_engine::{Channel, Engine, Event as Ssh, Open, Request};
use adit_reactor::{Event, Handler, Key, Reactor, Socket};
use adit_testkit::keys::{client_config, client_transport, server_config, server_transport};
use adit_testkit::{FixedRng, Manners};
use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::Arc;

/// A host that has terminals and processes, and nothing else.
struct Bare;

fn nothing<T>() -> io::Result<T> {
    Err(io::ErrorKind::Unsupported.into())
}

impl Host for Bare {
    fn account(&self, _: &str) -> io::Result<Option<Account>> {
        nothing()
    }
    fn check_key(&self, _: &Account, _: &[u8], _: &Origin, _: &ServerOptions) -> KeyVerdict {
        Err("no keys here".into())
    }
    fn check_password(&self, _: &Account, _: &[u8], _: &ServerOptions) -> bool {
        false
    }
    fn connect_unix(&self, _: &Account, _: &str) -> io::Result<UnixStream> {
        nothing()
    }
    fn listen_unix(&self, _: &Account, _: &str, _: u32, _: bool) -> io::Result<UnixListener> {
        nothing()
    }
    fn listen_tcp(&self, _: &Account, _: SocketAddr) -> io::Result<TcpListener> {
        nothing()
    }
}

/// The program, which cargo builds for the tests in `tests/`.
fn launcher() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let program = test.parent().unwrap().with_file_name("aditd");
    assert!(program.exists(), "{} is missing: cargo build -p aditd", program.display());
    program
}

fn rules() -> SessionRules {
    let uid = rustix::process::geteuid().as_raw();
    let gid = rustix::process::getegid().as_raw();
    let system = Some(SystemAccount {
        uid,
        gid,
        gids: vec![gid],
        home: std::env::temp_dir(),
        shell: "/bin/sh".into(),
    });
    let account = Account { name: "ada".into(), groups: Vec::new(), system };
    let end = |port| SocketAddr::from(([192, 0, 2, 7], port));
    SessionRules {
        user_rc: false,
        print_motd: false,
        ..SessionRules::new(account, end(40_000), end(22))
    }
}

/// What a client sees of a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Reply(bool),
    Out(Vec<u8>),
    Err(Vec<u8>),
    Exit(Request<'static>),
    Eof,
    Closed,
}

struct Both {
    worker: Worker,
    client: Key,
    server: Key,
    manners: [Manners; 2],
    rules: Arc<SessionRules>,
    established: usize,
    seen: HashMap<Channel, Vec<Seen>>,
    notices: Vec<Notice>,
    /// The server's numbers of the channels.
    served: Vec<Channel>,
}

impl Handler for Both {
    fn event(&mut self, reactor: &mut Reactor, event: Event) {
        match event {
            Event::Ssh { session, event: Ssh::HostKey } => reactor.judge_host_key(session, true),
            Event::Ssh { session, event: Ssh::Login(ask) } => {
                let login = reactor.engine(session).and_then(Engine::login).unwrap();
                self.manners[0].answer(&ask, login);
            }
            Event::Ssh { session, event: Ssh::ServerLogin(ask) } => {
                let manners = &mut self.manners[1];
                reactor.answer_login(session, |login| manners.judge(&ask, login));
            }
            Event::Ssh { event: Ssh::Established, .. } => self.established += 1,
            Event::Ssh { session, event: Ssh::Open { channel, .. } } => {
                reactor.engine(session).unwrap().accept(channel);
                self.worker.sessions.open(session, channel, self.rules.clone());
                self.served.push(channel);
            }
            Event::Ssh { session, event } if session == self.client => self.seen_by_client(event),
            Event::Data { session, channel, extended, bytes } if session == self.client => {
                self.heard(channel, extended, &bytes);
            }
            Event::Closed { session, .. } if session == self.server => {
                self.worker.sessions.gone(session);
            }
            event => {
                if let Some(Event::Woken) = self.worker.sessions.event(reactor, event) {
                    self.worker.event(reactor, Event::Woken);
                }
            }
        }
        while let Some(notice) = self.worker.sessions.next_notice() {
            self.notices.push(notice);
        }
    }
}

impl Both {
    fn seen_by_client(&mut self, event: Ssh) {
        let (channel, seen) = match event {
            Ssh::ChannelReply { channel, success, .. } => (channel, Seen::Reply(success)),
            Ssh::ChannelRequest { channel, request, .. } => (channel, Seen::Exit(*request)),
            Ssh::Eof { channel } => (channel, Seen::Eof),
            Ssh::Closed { channel, .. } => (channel, Seen::Closed),
            _ => return,
        };
        self.seen.entry(channel).or_default().push(seen);
    }

    fn heard(&mut self, channel: Channel, extended: Option<u32>, bytes: &[u8]) {
        let seen = self.seen.entry(channel).or_default();
        match (extended, seen.last_mut()) {
            (None, Some(Seen::Out(out))) => out.extend_from_slice(bytes),
            (Some(_), Some(Seen::Err(out))) => out.extend_from_slice(bytes),
            (None, _) => seen.push(Seen::Out(bytes.to_vec())),
            (Some(_), _) => seen.push(Seen::Err(bytes.to_vec())),
        }
    }
}

/// A client with a server that has sessions.
struct Scene {
    reactor: Reactor,
    both: Both,
}

impl Scene {
    fn new(rules: SessionRules) -> Self {
        let mut reactor = Reactor::new().unwrap();
        let (near, far) = UnixStream::pair().unwrap();
        let client =
            Engine::client(client_config(client_transport()), Box::new(FixedRng::new(1)), 0);
        let server =
            Engine::server(server_config(server_transport()), Box::new(FixedRng::new(2)), 0);
        let link = |stream| Box::new(Socket::unix(stream).unwrap());
        let client = reactor.add_session(link(near), client).unwrap();
        let server = reactor.add_session(link(far), server).unwrap();
        let (postbox, mail) = Postbox::new(reactor.waker());
        let errands = Errands::new(2).unwrap();
        let mut sessions = Sessions::new(Arc::new(Bare), errands, postbox.clone());
        sessions.launcher = launcher();
        let both = Both {
            worker: Worker::new(postbox, mail, sessions),
            client,
            server,
            manners: [Manners::default(), Manners::default()],
            rules: Arc::new(rules),
            established: 0,
            seen: HashMap::new(),
            notices: Vec::new(),
            served: Vec::new(),
        };
        let mut scene = Self { reactor, both };
        scene.run(|both| both.established == 2);
        scene
    }

    fn run(&mut self, mut until: impl FnMut(&Both) -> bool) {
        while !until(&self.both) {
            self.reactor.turn(&mut self.both).unwrap();
        }
    }

    fn engine(&mut self) -> &mut Engine {
        self.reactor.engine(self.both.client).unwrap()
    }

    fn open(&mut self) -> Channel {
        let channel = self.engine().open(&Open::Session).unwrap();
        let served = self.both.served.len();
        self.run(|both| both.served.len() > served);
        // The confirmation is on its way behind it.
        while self.engine().request(channel, &Request::Signal { name: "x".into() }, false).is_err()
        {
            self.reactor.turn(&mut self.both).unwrap();
        }
        channel
    }

    fn ask(&mut self, channel: Channel, request: &Request<'_>) {
        self.engine().request(channel, request, true).unwrap();
    }

    fn exec(&mut self, command: &str) -> Channel {
        let channel = self.open();
        self.ask(channel, &exec(command));
        channel
    }

    fn send(&mut self, channel: Channel, bytes: &[u8]) {
        self.reactor.send(self.both.client, channel, bytes);
    }

    fn seen(&self, channel: Channel) -> &[Seen] {
        self.both.seen.get(&channel).map_or(&[], Vec::as_slice)
    }

    /// Runs until the server has closed the channel and told of it; gives all that the client saw.
    fn whole(&mut self, channel: Channel) -> Vec<Seen> {
        self.run(|both| both.seen.get(&channel).is_some_and(|seen| seen.contains(&Seen::Closed)));
        self.both.seen.remove(&channel).unwrap()
    }

    /// Runs until the client has seen this text.
    fn until_out(&mut self, channel: Channel, text: &str) {
        self.run(|both| out(both.seen.get(&channel).map_or(&[], Vec::as_slice)).contains(text));
    }

    fn notice(&mut self) -> Notice {
        self.run(|both| !both.notices.is_empty());
        self.both.notices.remove(0)
    }
}

fn exec(command: &str) -> Request<'_> {
    Request::Exec { command: command.as_bytes().into() }
}

fn out(seen: &[Seen]) -> String {
    let bytes = seen.iter().filter_map(|seen| match seen {
        Seen::Out(bytes) => Some(&bytes[..]),
        _ => None,
    });
    String::from_utf8_lossy(&bytes.collect::<Vec<_>>().concat()).into_owned()
}

fn exit_signal(name: &'static str) -> Seen {
    Seen::Exit(Request::ExitSignal {
        name: name.into(),
        core_dumped: false,
        message: (&[][..]).into(),
    })
}

fn status(code: u32) -> Seen {
    Seen::Exit(Request::ExitStatus(code))
}

#[test]
fn a_command_ends_with_its_output_then_eof_its_status_and_close() {
    let mut scene = Scene::new(rules());
    let channel = scene.exec("echo out; exit 7");
    let out = Seen::Out(b"out\n".to_vec());
    let expected = [Seen::Reply(true), out, Seen::Eof, status(7), Seen::Closed];
    assert_eq!(scene.whole(channel), expected);
    let notice = scene.notice();
    assert_eq!(notice.end, SessionEnd::Exit(Exit::Status(7)));
    assert_eq!((notice.kind, notice.command), (Some(Kind::Exec), "echo out; exit 7".into()));
    assert_eq!((notice.sent, notice.received, notice.terminal), (4, 0, None));
}
