//! Sessions on a loop: a client engine and a server engine over a socket pair, and real processes behind the server.
//!
//! The launcher is the program itself, built beside this test.

use super::channel::SessionChannel;
use super::{
    Asked, Environment, Kind, Launch, Notice, OwnSeat, Pipes, Seat, SessionEnd, SessionRules,
};
use crate::errand::Postbox;
use crate::host::testing::{House, Scratch};
use crate::host::{Account, Host, SystemAccount};
use crate::log::Log;
use crate::session::Exit;
use crate::shared::Shared;
use crate::worker::Worker;
use adit_engine::{Channel, Engine, Event as Ssh, Open, Request, WindowChange};
use adit_reactor::{Event, Handler, Key, Reactor, Socket};
use adit_testkit::keys::{client_config, client_transport, server_config, server_transport};
use adit_testkit::{FixedRng, Manners};
use rustix::process::Signal;
use std::collections::HashMap;
use std::io::Read;
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;

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

/// A seat here, whose commands this program launches.
fn seat(rules: Arc<SessionRules>, program: PathBuf) -> OwnSeat {
    OwnSeat::new(Arc::new(House::default()), rules, Launch { program, files: None })
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
    launcher: PathBuf,
    established: usize,
    seen: HashMap<Channel, Vec<Seen>>,
    begun: Vec<Notice>,
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
                let rules = self.rules.clone();
                let seat = Arc::new(seat(rules.clone(), self.launcher.clone()));
                self.worker.sessions.open(session, channel, rules, seat);
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
            let began = notice.end == SessionEnd::Started;
            if began { &mut self.begun } else { &mut self.notices }.push(notice);
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
        let shared = Shared::for_test(Arc::new(House::default()), &[], Log::none());
        let worker = Worker::new(Arc::new(shared), postbox, mail, Arc::default());
        let both = Both {
            worker,
            client,
            server,
            manners: [Manners::default(), Manners::default()],
            rules: Arc::new(rules),
            launcher: launcher(),
            established: 0,
            seen: HashMap::new(),
            begun: Vec::new(),
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
    let begun: Vec<&str> = scene.both.begun.iter().map(|it| it.command.as_str()).collect();
    assert_eq!(begun, ["echo out; exit 7"]);
}

#[test]
fn stderr_comes_apart_from_stdout() {
    let mut scene = Scene::new(rules());
    let channel = scene.exec("echo words >&2");
    let err = Seen::Err(b"words\n".to_vec());
    let expected = [Seen::Reply(true), err, Seen::Eof, status(0), Seen::Closed];
    assert_eq!(scene.whole(channel), expected);
}

#[test]
fn a_signal_that_ends_the_command_is_named() {
    let mut scene = Scene::new(rules());
    let channel = scene.exec("kill -USR1 $$");
    let expected = [Seen::Reply(true), Seen::Eof, exit_signal("USR1"), Seen::Closed];
    assert_eq!(scene.whole(channel), expected);
    let end = SessionEnd::Exit(Exit::Signal { number: 10, core_dumped: false });
    assert_eq!(scene.notice().end, end);
}

#[test]
fn input_sent_with_the_request_reaches_the_command_and_eof_ends_it() {
    let mut scene = Scene::new(rules());
    let channel = scene.exec("cat; echo done");
    scene.send(channel, b"early ");
    scene.until_out(channel, "early ");
    scene.send(channel, b"late ");
    let client = scene.both.client;
    scene.reactor.send_eof(client, channel);
    let seen = scene.whole(channel);
    assert_eq!(out(&seen), "early late done\n");
    assert_eq!(seen[seen.len() - 3..], [Seen::Eof, status(0), Seen::Closed]);
    assert_eq!(scene.notice().received, 11);
}

#[test]
fn eof_that_comes_before_the_request_is_not_forgotten() {
    let mut scene = Scene::new(rules());
    let channel = scene.open();
    scene.engine().send_eof(channel);
    scene.ask(channel, &exec("cat; echo done"));
    assert_eq!(out(&scene.whole(channel)), "done\n");
}

#[test]
fn a_command_that_does_not_read_its_input_still_ends() {
    let mut scene = Scene::new(rules());
    let channel = scene.exec("exec <&-; echo up; sleep 0.05; echo out");
    scene.until_out(channel, "up");
    scene.send(channel, &vec![7; 1 << 20]);
    let seen = scene.whole(channel);
    assert_eq!(out(&seen), "up\nout\n");
    assert!(seen.contains(&status(0)));
}

#[test]
fn much_goes_through_in_both_directions_and_nothing_is_lost() {
    let mut scene = Scene::new(rules());
    let payload: Vec<u8> = (0..5_000_000_u32).map(|at| (at * 31 + at / 251) as u8).collect();
    let channel = scene.exec("cat");
    scene.send(channel, &payload);
    let client = scene.both.client;
    scene.reactor.send_eof(client, channel);
    let seen = scene.whole(channel);
    let came = seen.iter().find_map(|seen| match seen {
        Seen::Out(bytes) => Some(bytes),
        _ => None,
    });
    assert!(came.unwrap() == &payload, "{} bytes", came.unwrap().len());
    let notice = scene.notice();
    assert_eq!((notice.sent, notice.received), (5_000_000, 5_000_000));
}

#[test]
fn a_process_left_behind_keeps_the_channel_open_but_not_the_status_back() {
    let mut scene = Scene::new(rules());
    let channel = scene.exec("(read line; echo heard $line) 0<&3 & echo main; exit 3; ");
    scene.whole(channel);
    // The child left behind reads what the client sends, on a copy of stdin.
    let channel = scene.exec("exec 3<&0; (read line <&3; echo heard $line) & echo main; exit 3");
    scene.run(|both| both.seen.get(&channel).is_some_and(|seen| seen.contains(&status(3))));
    let expected = [Seen::Reply(true), Seen::Out(b"main\n".to_vec()), status(3)];
    assert_eq!(scene.seen(channel), expected);
    scene.send(channel, b"you\n");
    let rest = scene.whole(channel);
    assert_eq!(rest[3..], [Seen::Out(b"heard you\n".to_vec()), Seen::Eof, Seen::Closed]);
}

#[test]
fn output_that_ends_before_the_command_is_told_of_at_once() {
    let mut scene = Scene::new(rules());
    let channel = scene.exec("exec >&- 2>&-; read line; exit 4");
    scene.run(|both| both.seen.get(&channel).is_some_and(|seen| seen.contains(&Seen::Eof)));
    assert_eq!(scene.seen(channel), [Seen::Reply(true), Seen::Eof]);
    scene.send(channel, b"\n");
    assert_eq!(scene.whole(channel)[2..], [status(4), Seen::Closed]);
}

#[test]
fn a_channel_the_client_closes_loses_its_pipes_and_is_closed_once() {
    let mut scene = Scene::new(rules());
    let channel = scene.exec("trap '' PIPE; echo up; read line; echo more >&2");
    scene.until_out(channel, "up");
    scene.engine().close(channel);
    let server = scene.both.server;
    let notice = scene.notice();
    assert_eq!(notice.end, SessionEnd::Closed);
    assert_eq!(scene.both.worker.sessions.count(server), 0);
    while scene.reactor.engine(server).unwrap().channels() > 0 {
        scene.reactor.turn(&mut scene.both).unwrap();
    }
    // The connection goes on.
    let channel = scene.exec("echo again");
    assert_eq!(out(&scene.whole(channel)), "again\n");
}

#[test]
fn many_sessions_share_a_connection_and_are_counted() {
    let mut scene = Scene::new(rules());
    let channels: Vec<Channel> =
        (0..10).map(|number| scene.exec(&format!("read line; exit {number}"))).collect();
    let server = scene.both.server;
    assert_eq!(scene.both.worker.sessions.count(server), 10);
    for (number, channel) in channels.into_iter().enumerate().rev() {
        scene.send(channel, b"\n");
        assert!(scene.whole(channel).contains(&status(number as u32)));
    }
    scene.run(|both| both.notices.len() == 10);
    assert_eq!(scene.both.worker.sessions.count(server), 0);
    assert!(scene.both.worker.sessions.channels.is_empty());
    assert!(scene.both.worker.sessions.streams.is_empty());
    assert_eq!(scene.reactor.stream_count(), 0);
}

#[test]
fn a_connection_that_ends_tells_of_its_sessions_and_leaves_nothing() {
    let mut scene = Scene::new(rules());
    let channel = scene.exec("echo up; read line");
    scene.until_out(channel, "up");
    let server = scene.both.server;
    scene.reactor.close_session(server, "enough");
    assert_eq!(scene.notice().end, SessionEnd::ConnectionLost);
    assert!(scene.both.worker.sessions.channels.is_empty());
    assert!(scene.both.worker.sessions.streams.is_empty());
}

#[test]
fn a_connection_that_ends_behind_its_input_lets_the_command_have_all_of_it() {
    let mut scene = Scene::new(rules());
    let path = std::env::temp_dir().join(format!("adit-input-{}", std::process::id()));
    let pipe = path.display().to_string();
    let channel = scene.exec(&format!("mkfifo {pipe}; echo up; read x < {pipe}; wc -c > {pipe}"));
    scene.until_out(channel, "up");
    let (client, server) = (scene.both.client, scene.both.server);
    scene.send(channel, &[7; 200_000]);
    scene.reactor.send_eof(client, channel);
    scene.reactor.turn(&mut scene.both).unwrap();
    scene.ask(channel, &Request::Signal { name: "NOSUCH".into() });
    let refused = Seen::Reply(false);
    scene.run(|both| both.seen[&channel].contains(&refused));
    scene.reactor.close_session(server, "enough");
    let reader = std::thread::spawn(move || {
        std::fs::write(&path, "go\n").unwrap();
        let counted = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        counted
    });
    let notice = scene.notice();
    assert_eq!((notice.end, notice.received), (SessionEnd::ConnectionLost, 200_000));
    assert_eq!(reader.join().unwrap(), "200000\n");
}

#[test]
fn requests_that_come_while_a_command_starts_are_served_in_their_order() {
    let mut scene =
        Scene::new(SessionRules { accept_env: vec!["A".into(), "B".into()], ..rules() });
    let channel = scene.open();
    let set = |name: &'static str| Request::Env {
        name: name.as_bytes().into(),
        value: (&b"x"[..]).into(),
    };
    for request in
        [set("A"), set("NO"), set("B"), exec("echo $A$B$NO"), Request::Shell, exec("id"), set("A")]
    {
        scene.ask(channel, &request);
    }
    let seen = scene.whole(channel);
    let replies: Vec<bool> = seen
        .iter()
        .filter_map(|seen| match seen {
            Seen::Reply(success) => Some(*success),
            _ => None,
        })
        .collect();
    assert_eq!(replies, [true, false, true, true, false, false, false]);
    assert_eq!(out(&seen), "xx\n");
}

#[test]
fn a_command_sees_the_environment_sshd_would_give_it() {
    let mut scene = Scene::new(SessionRules {
        accept_env: vec!["LC_*".into()],
        set_env: vec![("SITE".into(), "north".into())],
        ..rules()
    });
    let channel = scene.open();
    let locale = Request::Env { name: (&b"LC_ALL"[..]).into(), value: (&b"C"[..]).into() };
    scene.ask(channel, &locale);
    scene.ask(
        channel,
        &exec("echo $USER $LOGNAME $LC_ALL $SITE; echo $SSH_CONNECTION; env | grep -c SSH_"),
    );
    let expected = "ada ada C north\n192.0.2.7 40000 192.0.2.7 22\n2\n";
    assert_eq!(out(&scene.whole(channel)), expected);
}

#[test]
fn a_forced_command_runs_for_everything_and_takes_no_signals() {
    let mut scene = Scene::new(SessionRules {
        forced_command: Some("echo instead of ${SSH_ORIGINAL_COMMAND-a shell}; read line".into()),
        ..rules()
    });
    for (request, expected) in
        [(exec("ls -l"), "instead of ls -l\n"), (Request::Shell, "instead of a shell\n")]
    {
        let channel = scene.open();
        scene.ask(channel, &request);
        scene.until_out(channel, expected);
        scene.ask(channel, &Request::Signal { name: "KILL".into() });
        let refused = Seen::Reply(false);
        scene.run(|both| both.seen.get(&channel).is_some_and(|seen| seen.contains(&refused)));
        scene.send(channel, b"\n");
        assert!(scene.whole(channel).contains(&status(0)));
        assert!(scene.notice().forced);
    }
}

#[test]
fn a_subsystem_runs_as_configured_and_an_unknown_one_is_refused_with_a_word() {
    let subsystems = vec![("echo".into(), "/bin/cat".into())];
    let mut scene = Scene::new(SessionRules { subsystems, ..rules() });
    let channel = scene.open();
    scene.ask(channel, &Request::Subsystem { name: "sf\x1btp".into() });
    let SessionEnd::Refused(reason) = scene.notice().end else { panic!() };
    assert!(reason.contains("sf") && !reason.contains('\x1b'), "{reason}");
    // The channel goes on.
    scene.ask(channel, &Request::Subsystem { name: "echo".into() });
    scene.send(channel, b"packets");
    scene.engine().send_eof(channel);
    let client = scene.both.client;
    scene.reactor.send_eof(client, channel);
    let seen = scene.whole(channel);
    assert_eq!(seen[..2], [Seen::Reply(false), Seen::Reply(true)]);
    assert_eq!(scene.notice().kind, Some(Kind::Subsystem("echo".into())));
}

#[test]
fn a_signal_reaches_the_whole_process_group() {
    let mut scene = Scene::new(rules());
    let channel = scene.exec(
        "sh -c 'trap \"echo child; exit\" TERM; echo up; while :; do read line; done' ; echo never",
    );
    scene.until_out(channel, "up");
    scene.ask(channel, &Request::Signal { name: "NOSUCH".into() });
    scene.ask(channel, &Request::Signal { name: "TERM".into() });
    let seen = scene.whole(channel);
    assert_eq!(out(&seen), "up\nchild\n");
    assert!(seen.contains(&Seen::Reply(false)));
    assert!(seen.contains(&exit_signal("TERM")));
}

#[test]
fn whoever_has_no_sessions_is_told_so_in_the_log_and_runs_nothing() {
    let mut scene = Scene::new(SessionRules { refusal: Some("gateway".into()), ..rules() });
    let channel = scene.exec("echo no");
    assert!(matches!(scene.notice().end, SessionEnd::Refused(_)));
    scene.run(|both| both.seen.get(&channel).is_some_and(|seen| !seen.is_empty()));
    assert_eq!(scene.seen(channel), [Seen::Reply(false)]);
}

#[test]
fn a_program_that_cannot_be_started_fails_the_request() {
    let scratch = Scratch::new("launcher");
    let mut scene = Scene::new(rules());
    scene.both.launcher = scratch.path("aditd");
    let channel = scene.exec("echo no");
    let SessionEnd::Refused(reason) = scene.notice().end else { panic!() };
    assert!(reason.starts_with("not started: "), "{reason}");
    scene.run(|both| both.seen.get(&channel).is_some_and(|seen| !seen.is_empty()));
    assert_eq!(scene.seen(channel), [Seen::Reply(false)]);
    // Nothing of it is left; the channel can be asked again.
    std::os::unix::fs::symlink(launcher(), scratch.path("aditd")).unwrap();
    scene.ask(channel, &exec("echo now"));
    assert_eq!(out(&scene.whole(channel)), "now\n");
}

#[test]
fn the_launchers_words_reach_the_client_on_stderr() {
    let chroot_directory = Some("/tmp".into());
    let mut scene = Scene::new(SessionRules { chroot_directory, ..rules() });
    let channel = scene.exec("echo no");
    let seen = scene.whole(channel);
    let [Seen::Reply(true), Seen::Err(words), Seen::Eof, ended, Seen::Closed] = &seen[..] else {
        panic!("{seen:?}")
    };
    assert!(String::from_utf8_lossy(words).contains("ChrootDirectory /tmp: "));
    assert_eq!(*ended, status(255));
}

#[test]
fn what_the_login_proved_is_in_a_file_while_the_command_runs() {
    let auth_info = vec!["publickey ssh-ed25519 AAAA".into()];
    let mut scene = Scene::new(SessionRules { auth_info, ..rules() });
    let channel =
        scene.exec("cat $SSH_USER_AUTH; echo $SSH_USER_AUTH; ls -l $SSH_USER_AUTH | cut -c1-10");
    let said = out(&scene.whole(channel));
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[0], "publickey ssh-ed25519 AAAA");
    assert_eq!(lines[2], "-rw-------");
    scene.notice();
    let gone = |path: &str| !std::path::Path::new(path).exists();
    // The last share in the process goes with the thread that waited for it.
    while !gone(lines[1]) {
        std::thread::yield_now();
    }
}

/// An account nobody uses, where this test may become somebody.
fn nobody() -> Option<SystemAccount> {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root can become somebody");
        return None;
    }
    let (home, shell) = ("/".into(), "/bin/sh".into());
    Some(SystemAccount { uid: 65_534, gid: 65_534, gids: vec![65_534], home, shell })
}

fn rules_of(system: SystemAccount) -> SessionRules {
    let mut rules = rules();
    rules.account.system = Some(system);
    rules
}

#[test]
fn a_command_has_its_users_rights_and_hears_signals_sent_with_them() {
    let Some(system) = nobody() else { return };
    let mut scene = Scene::new(rules_of(system));
    let channel = scene.exec("id -u; id -G; echo up; read line");
    scene.until_out(channel, "65534\n65534\nup\n");
    scene.ask(channel, &Request::Signal { name: "TERM".into() });
    assert!(scene.whole(channel).contains(&exit_signal("TERM")));
}

#[test]
fn a_signal_is_not_sent_with_the_servers_rights() {
    let Some(system) = nobody() else { return };
    let other = SystemAccount { uid: 65_533, ..system.clone() };
    let seat = seat(Arc::new(rules_of(system)), launcher());
    let asked = Asked::new(&exec("echo up; read line; exit 3"), Environment::default());
    let Pipes { input, output, .. } = seat.start(&asked).unwrap().pipes.unwrap();
    let mut up = [0; 3];
    std::fs::File::from(output).read_exact(&mut up).unwrap();
    // As if the command had become somebody else meanwhile.
    let leader = seat.leader().unwrap();
    let denied = House::default().signal(&other, &leader, Signal::KILL).unwrap_err();
    assert_eq!(denied.kind(), std::io::ErrorKind::PermissionDenied);
    drop(input);
    assert_eq!(seat.wait(), Exit::Status(3));
}

#[test]
fn who_the_server_cannot_become_has_no_commands() {
    let own = rustix::process::geteuid();
    if own.is_root() {
        return eprintln!("skipped: root can become anybody");
    }
    let mut system = rules().account.system.unwrap();
    system.uid = own.as_raw() + 1;
    let mut scene = Scene::new(rules_of(system));
    scene.exec("echo no");
    let SessionEnd::Refused(reason) = scene.notice().end else { panic!() };
    assert!(reason.contains("cannot become"), "{reason}");
}

mod with_a_terminal {
    use super::*;

    /// A terminal of 50 rows and 132 columns.
    fn terminal(modes: &[u8]) -> Request<'_> {
        Request::Pty { term: "xterm".into(), size: size(132, 50), modes: modes.into() }
    }

    fn size(columns: u32, rows: u32) -> WindowChange {
        WindowChange {
            width_characters: columns,
            height_rows: rows,
            width_pixels: 0,
            height_pixels: 0,
        }
    }

    /// No echo, no carriage returns: what comes is what was written.
    const PLAIN: [u8; 11] = [53, 0, 0, 0, 0, 70, 0, 0, 0, 0, 0];

    fn on_terminal(scene: &mut Scene, command: &str) -> Channel {
        let channel = scene.open();
        scene.ask(channel, &terminal(&PLAIN));
        scene.ask(channel, &exec(command));
        channel
    }

    #[test]
    fn all_streams_are_one_and_the_end_has_its_order() {
        let mut scene = Scene::new(rules());
        let channel = on_terminal(&mut scene, "echo out; echo err >&2; exit 5");
        let (reply, out) = (Seen::Reply(true), Seen::Out(b"out\nerr\n".to_vec()));
        let expected = [reply.clone(), reply, out, Seen::Eof, status(5), Seen::Closed];
        assert_eq!(scene.whole(channel), expected);
        let notice = scene.notice();
        assert!(notice.terminal.unwrap().starts_with("/dev/"));
    }

    #[test]
    fn the_command_finds_its_terminal_as_the_client_wished() {
        let mut scene = Scene::new(rules());
        let channel = on_terminal(
            &mut scene,
            "[ \"$(tty)\" = $SSH_TTY ] && echo $TERM; stty size; stty -a | tr ' ' '\\n' | grep -x -e -echo -e -opost | sort; read x </dev/tty; stty size",
        );
        scene.until_out(channel, "50 132\n-echo\n-opost\n");
        scene.ask(channel, &Request::WindowChange(size(80, 24)));
        scene.send(channel, b"\n");
        assert_eq!(out(&scene.whole(channel)), "xterm\n50 132\n-echo\n-opost\n24 80\n");
    }

    #[test]
    fn the_terminal_is_its_users_and_not_for_others_to_read() {
        let Some(system) = nobody() else { return };
        let mut scene = Scene::new(rules_of(system));
        let channel =
            on_terminal(&mut scene, "stat -c '%u %a' $SSH_TTY; test -w $SSH_TTY; echo $?");
        let said = out(&scene.whole(channel));
        assert!(matches!(said.as_str(), "65534 620\n0\n" | "65534 600\n0\n"), "{said}");
    }

    #[test]
    fn a_login_shell_reads_commands_until_it_is_told_to_leave() {
        let mut scene = Scene::new(rules());
        let channel = scene.open();
        scene.ask(channel, &terminal(&PLAIN));
        scene.ask(channel, &Request::Shell);
        scene.send(channel, b"PS1=; echo $0 a$((40+2))b\nexit 9\n");
        let seen = scene.whole(channel);
        assert!(out(&seen).contains("-sh a42b"), "{seen:?}");
        assert!(seen.ends_with(&[Seen::Eof, status(9), Seen::Closed]), "{seen:?}");
        assert_eq!(scene.notice().kind, Some(Kind::Shell));
    }

    #[test]
    fn a_key_press_interrupts_what_runs() {
        let mut scene = Scene::new(rules());
        let channel = on_terminal(&mut scene, "echo up; exec cat");
        scene.until_out(channel, "up");
        scene.send(channel, b"\x03");
        assert!(scene.whole(channel).contains(&exit_signal("INT")));
    }

    #[test]
    fn much_output_comes_whole_before_the_end() {
        let mut scene = Scene::new(rules());
        let channel = on_terminal(&mut scene, "seq 200000");
        let seen = scene.whole(channel);
        let expected: String = (1..=200_000).map(|number| format!("{number}\n")).collect();
        assert!(out(&seen) == expected, "{} of {} bytes", out(&seen).len(), expected.len());
        assert!(seen.ends_with(&[Seen::Eof, status(0), Seen::Closed]));
    }

    #[test]
    fn a_process_left_behind_does_not_keep_the_channel_open() {
        let mut scene = Scene::new(rules());
        // What is left behind outlives the hang-up, and holds the terminal until it is told to go.
        let path = std::env::temp_dir().join(format!("adit-left-{}", std::process::id()));
        let pipe = path.display();
        let command = format!("mkfifo {pipe}; trap '' HUP; (read x < {pipe}) & echo main; exit 6");
        let channel = on_terminal(&mut scene, &command);
        let seen = scene.whole(channel);
        assert_eq!(out(&seen), "main\n");
        assert!(seen.ends_with(&[Seen::Eof, status(6), Seen::Closed]), "{seen:?}");
        std::fs::write(&path, "go\n").unwrap();
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_channel_the_client_closes_hangs_up() {
        let mut scene = Scene::new(rules());
        let directory = std::env::temp_dir().join(format!("adit-hup-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let pipe = directory.join("told");
        let command = format!(
            "mkfifo {0}; trap 'echo hung up > {0}; exit' HUP; echo up; while :; do read x; done",
            pipe.display()
        );
        let channel = on_terminal(&mut scene, &command);
        scene.until_out(channel, "up");
        let told = std::thread::spawn(move || std::fs::read_to_string(pipe).unwrap());
        scene.engine().close(channel);
        assert_eq!(scene.notice().end, SessionEnd::Closed);
        assert_eq!(told.join().unwrap(), "hung up\n");
        std::fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn a_connection_that_dies_hangs_up() {
        let mut scene = Scene::new(rules());
        let channel = on_terminal(&mut scene, "echo $$; exec cat");
        scene.until_out(channel, "\n");
        let pid: i32 = out(scene.seen(channel)).trim().parse().unwrap();
        let server = scene.both.server;
        scene.reactor.close_session(server, "enough");
        assert_eq!(scene.notice().end, SessionEnd::ConnectionLost);
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        while rustix::process::test_kill_process(pid).is_ok() {
            std::thread::yield_now();
        }
    }

    #[test]
    fn input_that_nobody_reads_does_not_keep_a_terminal_from_hanging_up() {
        let mut scene = Scene::new(rules());
        let channel = on_terminal(&mut scene, "stty raw; echo $$; exec sleep 1000");
        scene.until_out(channel, "\n");
        let pid: i32 = out(scene.seen(channel)).trim().parse().unwrap();
        let (client, server) = (scene.both.client, scene.both.server);
        scene.send(channel, &[7; 100_000]);
        scene.reactor.send_eof(client, channel);
        // The answer comes behind the input and its end.
        scene.reactor.turn(&mut scene.both).unwrap();
        scene.ask(channel, &Request::WindowChange(size(80, 24)));
        scene.run(|both| {
            both.seen[&channel].iter().filter(|seen| **seen == Seen::Reply(true)).count() == 3
        });
        scene.reactor.close_session(server, "enough");
        let notice = scene.notice();
        assert_eq!(notice.end, SessionEnd::ConnectionLost);
        assert!(notice.received > 0 && notice.received < 100_000, "{notice:?}");
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        while rustix::process::test_kill_process(pid).is_ok() {
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_terminal_is_refused_where_none_is_permitted_and_given_once_only() {
        let mut scene = Scene::new(SessionRules { permit_tty: false, ..rules() });
        let channel = on_terminal(&mut scene, "test -t 0");
        let expected = [Seen::Reply(false), Seen::Reply(true), Seen::Eof, status(1), Seen::Closed];
        assert_eq!(scene.whole(channel), expected);
        let SessionEnd::Refused(reason) = scene.notice().end else { panic!() };
        assert_eq!(reason, "no terminal is permitted");

        let mut scene = Scene::new(rules());
        let channel = scene.open();
        for _ in 0..2 {
            scene.ask(channel, &terminal(&[]));
        }
        scene.run(|both| both.seen.get(&channel).is_some_and(|seen| seen.len() == 2));
        assert_eq!(scene.seen(channel), [Seen::Reply(true), Seen::Reply(false)]);
    }
}

#[test]
fn an_idle_session_can_be_hung_up_and_says_so_in_the_log() {
    let mut scene = Scene::new(rules());
    let server = scene.both.server;
    let larval = scene.open();
    let channel = scene.exec("echo up; read line");
    scene.until_out(channel, "up");
    let standing: Vec<_> = scene.both.worker.sessions.standing(&scene.reactor, server).collect();
    let kinds: Vec<&str> = standing.iter().map(|standing| standing.kind.as_str()).collect();
    assert_eq!(kinds, ["session", "session:command"]);
    for found in standing {
        scene.both.worker.sessions.hang_up(&mut scene.reactor, server, found.channel);
    }
    assert_eq!(scene.both.worker.sessions.standing(&scene.reactor, server).count(), 0);
    assert_eq!(scene.whole(channel).last(), Some(&Seen::Closed));
    assert_eq!(scene.whole(larval), [Seen::Closed]);
    // Nothing ran in the other: there is nothing to tell of it.
    assert_eq!(scene.notice().end, SessionEnd::Idle);
}

#[test]
fn requests_that_want_no_reply_wait_in_their_order_up_to_a_bound() {
    let mut scene = Scene::new(rules());
    let rules = Arc::new(rules());
    let seat = Arc::new(seat(rules.clone(), launcher()));
    let mut channel = SessionChannel::new(scene.open(), rules, seat);
    let signal = |nth: u32| Request::Signal { name: nth.to_string().into() };
    channel.busy = true;
    (0..300).for_each(|nth| channel.wait_behind(false, signal(nth)));
    channel.wait_behind(true, exec("true"));
    assert_eq!(channel.next_waiting(), None);
    channel.busy = false;
    (0..256).for_each(|nth| assert_eq!(channel.next_waiting(), Some((false, signal(nth)))));
    assert_eq!(channel.next_waiting(), Some((true, exec("true"))), "it is owed a reply");
    assert_eq!(channel.next_waiting(), None);
}
