//! Sessions: commands, shells and subsystems of users, on the channels of a loop. RFC 4254 §6.
//! Touches: session channels and the streams at their ends.   Never: processes, files, terminals; the host has those.
//! Invariants: replies leave in the order of the requests; CLOSE leaves once, behind output, EOF and exit status.
//! Errors: a refusal is a failed request, and a notice says why.   Allocates: per session channel.
//! Proved by: `tests`.
//!
//! The order at the end, as sshd's: what the command wrote, EOF, its exit status, CLOSE. A process it left behind that
//! keeps its pipes open keeps the channel open too, behind the exit status; with a terminal it does not.

mod channel;
mod environment;
pub(crate) mod jail;
pub(crate) mod launch;
mod leader;
mod modes;
mod notice;
mod plan;
mod rules;
mod seat;
mod signals;
mod start;
pub(crate) mod task;
mod terminal;

#[cfg(test)]
mod tests;

pub(crate) use environment::{Environment, MAX_ACCEPTED};
pub(crate) use leader::{Ends, Exit, Leader, start as start_leader};
pub(crate) use notice::{Notice, SessionEnd};
pub(crate) use plan::{LAUNCH, Plan};
pub(crate) use rules::SessionRules;
pub(crate) use seat::{Launch, OwnSeat, Pipes, Seat, Started};
pub(crate) use signals::{by_name as signal_by_name, name_of as signal_name};
pub(crate) use task::{Asked, Kind, Task};
pub(crate) use terminal::{Line, Terminal, TerminalWish, open as open_terminal};

use crate::errand::{Errands, Postbox};
use adit_engine::{Channel, Event as Ssh, Request, WindowChange};
use adit_reactor::{Counts, Event, Key, Millis, Reactor};
use channel::{SessionChannel, Stage};
use rustix::process::Signal;
use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::Arc;

/// A session channel that is open, for whoever watches them (ChannelTimeout).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) channel: Channel,
    /// As sshd calls it: `session`, and what it was opened for as soon as that is known, `session:shell`.
    pub(crate) kind: String,
    /// For how long nothing has moved on any of its streams.
    pub(crate) idle: Millis,
}

/// A session channel, by its connection and its number there.
type Id = (Key, Channel);

/// The session channels of a loop.
pub(crate) struct Sessions {
    errands: Errands,
    home: Postbox,
    channels: HashMap<Key, Vec<SessionChannel>>,
    streams: HashMap<Key, Id>,
    notices: VecDeque<Notice>,
}

/// What the connection's driver tells.
impl Sessions {
    /// None yet. `home` is the postbox of the loop that will have them.
    pub(crate) fn new(errands: Errands, home: Postbox) -> Self {
        Self {
            errands,
            home,
            channels: HashMap::new(),
            streams: HashMap::new(),
            notices: VecDeque::new(),
        }
    }

    /// A session channel was accepted.
    pub(crate) fn open(
        &mut self,
        session: Key,
        channel: Channel,
        rules: Arc<SessionRules>,
        seat: Arc<dyn Seat>,
    ) {
        let opened = SessionChannel::new(channel, rules, seat);
        self.channels.entry(session).or_default().push(opened);
    }

    /// How many session channels are open on a connection.
    pub(crate) fn count(&self, session: Key) -> usize {
        self.channels
            .get(&session)
            .map_or(0, |channels| channels.iter().filter(|channel| !channel.closed).count())
    }

    /// The open session channels of a connection.
    pub(crate) fn standing(
        &self,
        reactor: &Reactor,
        session: Key,
    ) -> impl Iterator<Item = Standing> {
        let all = self.channels.get(&session).map(|channels| &channels[..]).unwrap_or_default();
        all.iter().filter(|found| !found.closed).map(|found| found.standing(reactor))
    }

    /// Closes a session channel that was idle for too long; a process that does not mind goes on, as with sshd.
    pub(crate) fn hang_up(&mut self, reactor: &mut Reactor, session: Key, channel: Channel) {
        self.close(reactor, (session, channel), SessionEnd::Idle);
    }

    /// What is to be logged, oldest first.
    pub(crate) fn next_notice(&mut self) -> Option<Notice> {
        self.notices.pop_front()
    }

    /// Takes what concerns a session channel: its requests, its EOF and CLOSE, its streams. Gives back anything else.
    pub(crate) fn event(&mut self, reactor: &mut Reactor, event: Event) -> Option<Event> {
        match event {
            Event::Ssh { session, event: Ssh::ChannelRequest { channel, want_reply, request } }
                if self.is_ours((session, channel)) =>
            {
                self.request(reactor, session, channel, want_reply, *request);
            }
            Event::Ssh { session, event: Ssh::Eof { channel } }
                if self.is_ours((session, channel)) =>
            {
                self.eof((session, channel));
            }
            Event::Ssh { session, event: Ssh::Closed { channel, .. } }
                if self.is_ours((session, channel)) =>
            {
                self.closed(reactor, session, channel);
            }
            // Nothing runs yet, or nothing that reads: as sshd, it is not kept.
            Event::Data { session, channel, .. } if self.is_ours((session, channel)) => {}
            Event::InputEnded { stream } if self.streams.contains_key(&stream) => {
                self.output_ended(reactor, stream);
            }
            Event::Drained { stream } if self.streams.contains_key(&stream) => {
                self.output_drained(reactor, stream);
            }
            Event::StreamGone { stream, counts, .. } if self.streams.contains_key(&stream) => {
                self.stream_gone(reactor, stream, counts);
            }
            event => return Some(event),
        }
        None
    }

    /// A request on a session channel.
    pub(crate) fn request(
        &mut self,
        reactor: &mut Reactor,
        session: Key,
        channel: Channel,
        want_reply: bool,
        request: Request<'static>,
    ) {
        let id = (session, channel);
        match self.find(id) {
            Some(found) if found.busy => self.wait_behind(reactor, id, want_reply, request),
            Some(_) => self.serve(reactor, id, want_reply, request),
            None => answer(reactor, id, want_reply, false),
        }
    }

    /// The client closed a session channel: its pipes are closed, and so is the channel.
    ///
    /// Where the command has a terminal the system hangs up, SIGHUP to all that run on it, as this end is closed.
    pub(crate) fn closed(&mut self, reactor: &mut Reactor, session: Key, channel: Channel) {
        let id = (session, channel);
        let Some(found) = self.find(id).filter(|found| !found.closed) else { return };
        // A client that has our EOF and has sent its own may close before the system says how the command ended.
        if found.eof_sent && found.runs() {
            return reactor.keep_channel(session, channel);
        }
        self.close(reactor, id, SessionEnd::Closed);
    }

    fn close(&mut self, reactor: &mut Reactor, id: Id, why: SessionEnd) {
        let Some(found) = self.find(id).filter(|found| !found.closed) else { return };
        found.otherwise = why;
        found.end(reactor, id.0);
        self.settle(id);
    }

    /// A connection is gone, and its streams with it; its terminals hang up.
    pub(crate) fn gone(&mut self, session: Key) {
        let Some(channels) = self.channels.get_mut(&session) else { return };
        let mut terminals = Vec::new();
        for found in channels.iter_mut().filter(|found| !found.closed) {
            (found.closed, found.otherwise) = (true, SessionEnd::ConnectionLost);
            if found.terminal.is_some() {
                terminals.extend(found.outputs.iter().map(|output| output.stream));
            }
        }
        // What was sent in full is still written to a command's pipe, but a terminal hangs up at once.
        self.home.post(move |_, reactor| {
            for stream in terminals {
                reactor.cut(stream);
            }
        });
        for id in channels.iter().map(|found| (session, found.channel)).collect::<Vec<_>>() {
            self.settle(id);
        }
    }

    fn is_ours(&self, (session, channel): Id) -> bool {
        let mut all = self.channels.get(&session).into_iter().flatten();
        all.any(|found| found.channel == channel)
    }

    fn find(&mut self, (session, channel): Id) -> Option<&mut SessionChannel> {
        self.channels.get_mut(&session)?.iter_mut().find(|found| found.channel == channel)
    }
}

/// Answers the oldest request that waits for one.
fn answer(reactor: &mut Reactor, (session, channel): Id, want_reply: bool, success: bool) {
    if let (true, Some(engine)) = (want_reply, reactor.engine(session)) {
        engine.answer_request(channel, success);
    }
}

/// Requests.
impl Sessions {
    /// Keeps a request until the system has answered.
    fn wait_behind(
        &mut self,
        reactor: &mut Reactor,
        id: Id,
        want_reply: bool,
        request: Request<'static>,
    ) {
        let starts =
            matches!(request, Request::Shell | Request::Exec { .. } | Request::Subsystem { .. });
        if starts {
            // Adding what is not there yet asks nothing of the system: it does not fail.
            let _ = self.await_input(reactor, id);
        }
        if let Some(found) = self.find(id) {
            found.wait_behind(want_reply, request);
        }
    }

    fn serve(
        &mut self,
        reactor: &mut Reactor,
        id: Id,
        want_reply: bool,
        request: Request<'static>,
    ) {
        let success = match request {
            Request::Shell | Request::Exec { .. } | Request::Subsystem { .. } => {
                return self.start(reactor, id, want_reply, &request);
            }
            Request::Pty { term, size, modes } => {
                let (term, modes) = (term.into_owned(), modes.into_owned());
                return self.make_terminal(id, want_reply, TerminalWish { term, size, modes });
            }
            Request::Env { name, value } => self.set(id, &name, &value),
            Request::WindowChange(size) => self.resize(id, size),
            Request::Signal { name } => self.signal(id, &name),
            // A server's to say.
            Request::ExitStatus(_) | Request::ExitSignal { .. } => false,
        };
        answer(reactor, id, want_reply, success);
    }

    /// Serves what came while the system was asked for something.
    fn serve_waiting(&mut self, reactor: &mut Reactor, id: Id) {
        while let Some((want_reply, request)) = self.find(id).and_then(SessionChannel::next_waiting)
        {
            self.serve(reactor, id, want_reply, request);
        }
    }

    fn set(&mut self, id: Id, name: &[u8], value: &[u8]) -> bool {
        let Some(found) = self.find(id).filter(|found| matches!(found.stage, Stage::Larval)) else {
            return false;
        };
        environment::accept(&mut found.environment, &found.rules.accept_env, name, value)
    }

    fn make_terminal(&mut self, id: Id, want_reply: bool, wish: TerminalWish) {
        let (errands, home) = (self.errands.clone(), self.home.clone());
        let Some(found) = self.find(id) else { return };
        let seat = found.seat.clone();
        found.busy = true;
        errands.run(
            &home,
            move || seat.open_terminal(&wish),
            move |worker, reactor, made| {
                worker.sessions.terminal_made(reactor, id, want_reply, made);
            },
        );
    }

    fn terminal_made(
        &mut self,
        reactor: &mut Reactor,
        id: Id,
        want_reply: bool,
        made: io::Result<Terminal>,
    ) {
        let Some(found) = self.find(id) else { return };
        found.busy = false;
        if found.closed {
            // What waited to be started never will be.
            return self.drop_streams(reactor, id);
        }
        let success = made.is_ok();
        match made {
            Ok(terminal) => found.terminal = Some(terminal),
            Err(error) => self.refused(id, &error),
        }
        answer(reactor, id, want_reply, success);
        self.serve_waiting(reactor, id);
    }

    fn resize(&mut self, id: Id, size: WindowChange) -> bool {
        let terminal = self.find(id).and_then(|found| found.terminal.as_ref());
        terminal.is_some_and(|terminal| terminal::resize(&terminal.master, size).is_ok())
    }

    /// Signals the command, unless it is not the one the client asked for; sshd refuses these too.
    fn signal(&mut self, id: Id, name: &str) -> bool {
        let asked_for = self.find(id).is_some_and(|found| {
            let is_own =
                |task: &task::Task| !task.forced && !matches!(task.kind, Kind::Subsystem(_));
            found.task.as_ref().is_some_and(is_own)
        });
        match signals::by_name(name) {
            Some(signal) if asked_for => self.send_signal(id, signal),
            _ => false,
        }
    }

    /// True if there is something to signal; the signal itself is sent on a helper thread.
    fn send_signal(&mut self, id: Id, signal: Signal) -> bool {
        let (errands, home) = (self.errands.clone(), self.home.clone());
        let Some(found) = self.find(id).filter(|found| found.runs()) else { return false };
        let seat = found.seat.clone();
        errands.run(&home, move || seat.signal(signal), |_, _, _| ());
        true
    }

    fn refused(&mut self, (session, channel): Id, reason: &io::Error) {
        if let Some(found) = self.find((session, channel)) {
            let reason = notice::printable(&reason.to_string());
            let notice = found.notice(session, SessionEnd::Refused(reason));
            self.notices.push_back(notice);
        }
    }
}

/// The end of output and of commands.
impl Sessions {
    /// The client will send nothing more; a stream that is there has been told already.
    fn eof(&mut self, id: Id) {
        if let Some(found) = self.find(id) {
            found.eof_came = true;
        }
    }

    fn output_ended(&mut self, reactor: &mut Reactor, stream: Key) {
        self.with_output(reactor, stream, |output| output.ended = true);
    }

    fn output_drained(&mut self, reactor: &mut Reactor, stream: Key) {
        self.with_output(reactor, stream, |output| output.drained = true);
    }

    fn stream_gone(&mut self, reactor: &mut Reactor, stream: Key, counts: Counts) {
        let Some(id) = self.streams.get(&stream).copied() else { return };
        if let Some(found) = self.find(id) {
            found.counts.read += counts.read;
            found.counts.written += counts.written;
        }
        self.with_output(reactor, stream, |output| (output.ended, output.gone) = (true, true));
        self.streams.remove(&stream);
        self.settle(id);
    }

    fn with_output(
        &mut self,
        reactor: &mut Reactor,
        stream: Key,
        note: impl FnOnce(&mut channel::Output),
    ) {
        let Some(id) = self.streams.get(&stream).copied() else { return };
        if let Some(output) = self.find(id).and_then(|found| found.output(stream)) {
            note(output);
        }
        self.advance(reactor, id);
    }

    /// The command has ended: what it wrote is read to the end, and then the client is told.
    fn exited(&mut self, reactor: &mut Reactor, id: Id, exit: Exit) {
        // A closed channel has ended otherwise, and of what could not be taken in nobody was told.
        let Some(found) = self.find(id).filter(|found| !found.closed && found.runs()) else {
            return;
        };
        found.stage = Stage::Exited(exit);
        for output in found.outputs.iter().filter(|output| !output.ended) {
            reactor.drain(output.stream);
        }
        self.advance(reactor, id);
    }

    /// Tells the client what can be told by now.
    fn advance(&mut self, reactor: &mut Reactor, id: Id) {
        let Some(found) = self.find(id).filter(|found| !found.closed) else { return };
        let (session, channel) = id;
        let Some(engine) = reactor.engine(session) else { return };
        let over = found.is_output_over();
        if over && !std::mem::replace(&mut found.eof_sent, true) {
            engine.send_eof(channel);
        }
        if let Some(exit) = found.exit_to_tell() {
            // It can fail only where the client has closed the channel and does not care.
            let _ = engine.request(channel, &exit.request(), false);
            found.exit_sent = true;
        }
        if over && found.exit_sent {
            found.end(reactor, session);
            self.settle(id);
        }
    }

    /// A closed channel whose streams are gone is forgotten, and told of.
    fn settle(&mut self, (session, channel): Id) {
        let Some(channels) = self.channels.get_mut(&session) else { return };
        let done = |found: &SessionChannel| {
            found.channel == channel
                && found.closed
                && found.outputs.iter().all(|output| output.gone)
        };
        let Some(at) = channels.iter().position(done) else { return };
        let found = channels.swap_remove(at);
        if channels.is_empty() {
            self.channels.remove(&session);
        }
        self.notices.extend(found.last_notice(session));
    }
}

impl SessionChannel {
    /// Closes the channel, and what is left of its streams and its terminal.
    fn end(&mut self, reactor: &mut Reactor, session: Key) {
        self.closed = true;
        for output in self.outputs.iter().filter(|output| !output.gone) {
            reactor.cut(output.stream);
        }
        self.waiting.clear();
        // While it is asked for something it is left as soon as it has answered.
        if !self.busy {
            self.seat.leave();
        }
        if let Some(engine) = reactor.engine(session) {
            engine.close(self.channel);
        }
    }
}
