//! Channels with several local ends, as a command has: what its programs and the far side see, and what the owner is told.

mod both;

use adit_engine::{Channel, Event as Ssh, Open};
use adit_reactor::{Event, Handler, Key, Pair, Reactor, Socket};
use adit_testkit::keys::{client_config, client_transport, server_config, server_transport};
use both::{Ends, beside, pattern, run};
use rustix::pipe::pipe;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{Read, Write};

const STDERR: u32 = 1;

/// The command's ends of its three pipes.
struct Command {
    stdin: File,
    stdout: File,
    stderr: File,
}

/// What the owner of the channel does when the peer closes it.
#[derive(Clone, Copy, PartialEq)]
enum AtClose {
    Cut,
    Finish,
    Nothing,
}

/// A server that runs a command on each channel, and a client that keeps what it hears.
struct Shell {
    ends: Ends,
    /// The server's ends of the pipes of commands to come.
    pipes: VecDeque<(Pair, Pair)>,
    streams: Vec<Key>,
    channel: Option<Channel>,
    at_close: AtClose,
    /// Closes the channel once both outputs have ended.
    ends_with_output: bool,
    /// Told by the server's loop.
    inputs_ended: Vec<Key>,
    gone: Vec<Key>,
    closed_by_client: usize,
    sessions_closed: Vec<(Key, usize)>,
    stray: Vec<u8>,
    timers: Vec<u64>,
    /// Told by the client's.
    opened: Vec<Channel>,
    heard: Vec<u8>,
    heard_on_stderr: Vec<u8>,
    ended: usize,
    closed: usize,
}

impl Shell {
    fn new(reactor: &mut Reactor, window: u32) -> Self {
        let mut client = client_config(client_transport());
        client.connection.initial_window = window;
        client.connection.memory_budget = u64::from(window);
        client.connection.max_channels = 4;
        let ends = Ends::with(reactor, client, server_config(server_transport()));
        let mut shell = Self {
            ends,
            pipes: VecDeque::new(),
            streams: Vec::new(),
            channel: None,
            at_close: AtClose::Cut,
            ends_with_output: true,
            inputs_ended: Vec::new(),
            gone: Vec::new(),
            closed_by_client: 0,
            sessions_closed: Vec::new(),
            stray: Vec::new(),
            timers: Vec::new(),
            opened: Vec::new(),
            heard: Vec::new(),
            heard_on_stderr: Vec::new(),
            ended: 0,
            closed: 0,
        };
        run(reactor, &mut shell, |shell| shell.ends.established == 2);
        shell
    }

    /// A channel with a command at its end.
    fn command(&mut self, reactor: &mut Reactor) -> (Channel, Command) {
        let (stdin, to_stdin) = pipe().unwrap();
        let (from_stdout, stdout) = pipe().unwrap();
        let (from_stderr, stderr) = pipe().unwrap();
        let main = Pair::new(from_stdout, to_stdin).unwrap();
        let further = Pair::read_only(from_stderr).unwrap();
        self.pipes.push_back((main, further));
        let channel = self.open(reactor);
        let [stdin, stdout, stderr] = [stdin, stdout, stderr].map(File::from);
        (channel, Command { stdin, stdout, stderr })
    }

    fn open(&mut self, reactor: &mut Reactor) -> Channel {
        let channel = reactor.engine(self.ends.client).unwrap().open(&Open::Session).unwrap();
        run(reactor, self, |shell| shell.opened.contains(&channel));
        channel
    }

    fn channels(&self, reactor: &mut Reactor) -> u32 {
        let ends = [self.ends.client, self.ends.server];
        ends.map(|end| reactor.engine(end).map_or(0, |engine| engine.channels())).iter().sum()
    }

    fn at_server(&mut self, reactor: &mut Reactor, session: Key, event: Ssh) {
        match event {
            Ssh::Open { channel, .. } => {
                reactor.engine(session).unwrap().accept(channel);
                self.channel = Some(channel);
                if let Some((main, further)) = self.pipes.pop_front() {
                    let main = reactor.add_socket(Socket::Pair(main)).unwrap();
                    reactor.attach(main, session, channel);
                    let further = reactor.add_socket(Socket::Pair(further)).unwrap();
                    reactor.attach_extended(further, session, channel, STDERR);
                    self.streams = vec![main, further];
                }
            }
            Ssh::Closed { channel, .. } => {
                self.closed_by_client += 1;
                if self.at_close != AtClose::Nothing {
                    for stream in &self.streams {
                        match self.at_close {
                            AtClose::Cut => reactor.cut(*stream),
                            _ => reactor.finish(*stream),
                        }
                    }
                    reactor.close_channel(session, channel);
                }
            }
            _ => {}
        }
    }

    fn at_client(&mut self, reactor: &mut Reactor, event: Ssh) {
        match event {
            Ssh::Opened { channel } => self.opened.push(channel),
            Ssh::Eof { .. } => self.ended += 1,
            Ssh::Closed { channel, .. } => {
                self.closed += 1;
                reactor.close_channel(self.ends.client, channel);
            }
            _ => {}
        }
    }
}

impl Handler for Shell {
    fn event(&mut self, reactor: &mut Reactor, event: Event) {
        match self.ends.settle(reactor, event) {
            Some(Event::Ssh { session, event }) if session == self.ends.server => {
                self.at_server(reactor, session, event);
            }
            Some(Event::Ssh { event, .. }) => self.at_client(reactor, event),
            Some(Event::Data { session, bytes, .. }) if session == self.ends.server => {
                self.stray.extend(bytes);
            }
            Some(Event::Data { extended: None, bytes, .. }) => self.heard.extend(bytes),
            Some(Event::Data { extended, bytes, .. }) => {
                assert_eq!(extended, Some(STDERR));
                self.heard_on_stderr.extend(bytes);
            }
            Some(Event::InputEnded { stream }) => {
                assert!(!self.gone.contains(&stream), "told before it goes");
                self.inputs_ended.push(stream);
                if let (2, true) = (self.inputs_ended.len(), self.ends_with_output) {
                    reactor.send_eof(self.ends.server, self.channel.unwrap());
                    reactor.close_channel(self.ends.server, self.channel.unwrap());
                    for stream in &self.streams {
                        reactor.finish(*stream);
                    }
                }
            }
            Some(Event::Timer(id)) => self.timers.push(id),
            Some(Event::StreamGone { stream, .. }) => self.gone.push(stream),
            Some(Event::Closed { session, .. }) => {
                self.sessions_closed.push((session, reactor.stream_count()));
            }
            _ => {}
        }
    }
}

const WIDE: u32 = 1 << 20;

#[test]
fn stdout_and_stderr_come_apart_and_in_order_and_the_channel_closes_once() {
    let mut reactor = Reactor::new().unwrap();
    let mut shell = Shell::new(&mut reactor, WIDE);
    let (_, mut command) = shell.command(&mut reactor);
    let (out, err) = (pattern(700_000), pattern(500_000));
    let (to_out, to_err) = (out.clone(), err.clone());
    beside(&mut reactor, &mut shell, move || {
        for (out, err) in to_out.chunks(7000).zip(to_err.chunks(5000)) {
            command.stdout.write_all(out).unwrap();
            command.stderr.write_all(err).unwrap();
        }
    });
    run(&mut reactor, &mut shell, |shell| shell.closed == 1 && shell.gone.len() == 2);
    assert!(shell.heard == out, "{} bytes", shell.heard.len());
    assert!(shell.heard_on_stderr == err, "{} bytes", shell.heard_on_stderr.len());
    while shell.channels(&mut reactor) > 0 {
        reactor.turn(&mut shell).unwrap();
    }
    assert_eq!((shell.ended, shell.closed, shell.closed_by_client), (1, 1, 1));
    assert_eq!(reactor.stream_count(), 0);
}

#[test]
fn a_used_up_window_holds_stderr_until_the_peer_takes_more() {
    let mut reactor = Reactor::new().unwrap();
    let mut shell = Shell::new(&mut reactor, 4096);
    let (_, mut command) = shell.command(&mut reactor);
    let err = pattern(100_000);
    let written = err.clone();
    beside(&mut reactor, &mut shell, move || {
        drop(command.stdout);
        command.stderr.write_all(&written).unwrap();
    });
    run(&mut reactor, &mut shell, |shell| shell.closed == 1);
    assert!(shell.heard_on_stderr == err, "{} bytes", shell.heard_on_stderr.len());
    assert!(shell.heard.is_empty());
}

#[test]
fn eof_from_the_peer_ends_the_commands_stdin_and_not_its_output() {
    let mut reactor = Reactor::new().unwrap();
    let mut shell = Shell::new(&mut reactor, WIDE);
    let (channel, mut command) = shell.command(&mut reactor);
    let sent = pattern(600_000);
    reactor.send(shell.ends.client, channel, &sent);
    reactor.send_eof(shell.ends.client, channel);
    let received = beside(&mut reactor, &mut shell, move || {
        let mut received = Vec::new();
        command.stdin.read_to_end(&mut received).unwrap();
        command.stdout.write_all(b"after the end").unwrap();
        command.stderr.write_all(b"as well").unwrap();
        received
    });
    assert!(received == sent, "{} bytes", received.len());
    run(&mut reactor, &mut shell, |shell| shell.closed == 1);
    assert_eq!(shell.heard, b"after the end");
    assert_eq!(shell.heard_on_stderr, b"as well");
}

#[test]
fn a_command_that_closes_its_stdin_is_still_heard_and_the_peer_is_not_held_up() {
    let mut reactor = Reactor::new().unwrap();
    let mut shell = Shell::new(&mut reactor, WIDE);
    let (channel, command) = shell.command(&mut reactor);
    let Command { stdin, mut stdout, stderr } = command;
    drop(stdin);
    // Much more than any window: it can be sent only if what nobody reads counts as delivered.
    reactor.send(shell.ends.client, channel, &pattern(3_000_000));
    reactor.send_eof(shell.ends.client, channel);
    reactor.close_channel(shell.ends.client, channel);
    shell.at_close = AtClose::Nothing;
    run(&mut reactor, &mut shell, |shell| shell.closed_by_client == 1);
    assert!(shell.gone.is_empty(), "the command may still have something to say");
    beside(&mut reactor, &mut shell, move || {
        stdout.write_all(b"to nobody").unwrap();
        drop((stdout, stderr));
    });
    shell.ends_with_output = true;
    while shell.channels(&mut reactor) > 0 {
        reactor.cut(shell.streams[0]);
        reactor.cut(shell.streams[1]);
        reactor.close_channel(shell.ends.server, shell.channel.unwrap());
        reactor.turn(&mut shell).unwrap();
    }
}

#[test]
fn a_close_by_the_peer_is_the_owners_to_answer_while_ends_are_alive() {
    let mut reactor = Reactor::new().unwrap();
    let mut shell = Shell::new(&mut reactor, WIDE);
    shell.at_close = AtClose::Nothing;
    let (channel, mut command) = shell.command(&mut reactor);
    reactor.close_channel(shell.ends.client, channel);
    run(&mut reactor, &mut shell, |shell| shell.closed_by_client == 1);
    assert_eq!((reactor.stream_count(), shell.closed), (2, 0));
    assert_eq!(shell.channels(&mut reactor), 2);

    for stream in shell.streams.clone() {
        reactor.cut(stream);
    }
    let server_channel = shell.channel.unwrap();
    reactor.close_channel(shell.ends.server, server_channel);
    reactor.close_channel(shell.ends.server, server_channel);
    run(&mut reactor, &mut shell, |shell| shell.closed == 1 && shell.gone.len() == 2);
    assert_eq!(shell.channels(&mut reactor), 0);
    assert_eq!(command.stdin.read(&mut [0; 8]).unwrap(), 0);
    assert!(command.stdout.write_all(b"too late").is_err());
}

#[test]
fn a_stream_tells_when_it_last_carried_anything() {
    let mut reactor = Reactor::new().unwrap();
    let mut shell = Shell::new(&mut reactor, WIDE);
    let (channel, mut command) = shell.command(&mut reactor);
    let [main, errors] = shell.streams[..] else { panic!("two streams") };
    let pause = |reactor: &mut Reactor, shell: &mut Shell| {
        let later = reactor.now() + 3;
        reactor.set_timer(later, later);
        run(reactor, shell, |shell| shell.timers.contains(&later));
        later
    };
    let began = reactor.idle_since(main).unwrap();
    let later = pause(&mut reactor, &mut shell);
    assert_eq!(reactor.idle_since(main), Some(began), "time alone is no activity");

    reactor.send(shell.ends.client, channel, b"in");
    beside(&mut reactor, &mut shell, move || {
        command.stdin.read_exact(&mut [0; 2]).unwrap();
        command
    });
    let written = reactor.idle_since(main).unwrap();
    assert!(written >= later);
    assert!(reactor.idle_since(errors).unwrap() < later);
}

#[test]
fn the_death_of_a_session_cuts_all_ends_before_it_is_told() {
    let mut reactor = Reactor::new().unwrap();
    let mut shell = Shell::new(&mut reactor, WIDE);
    let (_, mut command) = shell.command(&mut reactor);
    reactor.close_session(shell.ends.client, "enough");
    run(&mut reactor, &mut shell, |shell| shell.sessions_closed.len() == 2);
    assert_eq!(shell.sessions_closed[1], (shell.ends.server, 0));
    assert_eq!(shell.gone.len(), 2);
    assert_eq!(command.stdin.read(&mut [0; 8]).unwrap(), 0);
    assert!(command.stderr.write_all(b"too late").is_err());
}

#[test]
fn an_end_for_a_session_that_is_gone_is_cut_off() {
    let mut reactor = Reactor::new().unwrap();
    let mut shell = Shell::new(&mut reactor, WIDE);
    let (channel, _command) = shell.command(&mut reactor);
    reactor.close_session(shell.ends.server, "enough");
    run(&mut reactor, &mut shell, |shell| shell.sessions_closed.len() == 2);
    let (from, _to) = pipe().unwrap();
    let late = Socket::Pair(Pair::read_only(from).unwrap());
    let late = reactor.add_socket(late).unwrap();
    reactor.attach(late, shell.ends.server, channel);
    run(&mut reactor, &mut shell, |shell| shell.gone.contains(&late));
}

/// The old channel's number is free as soon as both have closed it; its stream may still be writing.
#[test]
fn data_for_a_new_channel_never_reaches_the_end_of_an_old_one() {
    let mut reactor = Reactor::new().unwrap();
    let mut shell = Shell::new(&mut reactor, WIDE);
    shell.at_close = AtClose::Finish;
    shell.ends_with_output = false;
    let (old, mut command) = shell.command(&mut reactor);
    // More than a pipe holds, less than a window: the command does not read, so some of it is spilled.
    let sent = pattern(250_000);
    reactor.send(shell.ends.client, old, &sent);
    reactor.close_channel(shell.ends.client, old);
    run(&mut reactor, &mut shell, |shell| shell.closed == 1);
    assert!(reactor.stream_count() > 0);

    let new = shell.open(&mut reactor);
    assert_eq!(new.number(), old.number());
    reactor.send(shell.ends.client, new, b"for the new one");
    run(&mut reactor, &mut shell, |shell| !shell.stray.is_empty());
    assert_eq!(shell.stray, b"for the new one");
    let received = beside(&mut reactor, &mut shell, move || {
        let mut received = Vec::new();
        command.stdin.read_to_end(&mut received).unwrap();
        received
    });
    assert!(received == sent, "{} bytes", received.len());
}
