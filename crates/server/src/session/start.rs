//! Starting a command: its streams, and what becomes of it. RFC 4254 §6.5.
//! Touches: the streams of a session channel.   Never: processes; its seat has them started.
//! Invariants: what the client sends from the request on reaches the command; nothing the command says precedes the reply.
//! Errors: the request fails, and a notice says why.   Allocates: per command.
//! Proved by: those of the session.

use super::channel::{Output, SessionChannel, Stage};
use super::notice::SessionEnd;
use super::seat::{Pipes, Seat, Started};
use super::task::{Asked, Task};
use super::terminal::Terminal;
use super::{Id, Sessions, answer};
use adit_engine::{EXTENDED_DATA_STDERR, Request};
use adit_reactor::{Key, Pair, Reactor, Socket};
use std::io;
use std::sync::Arc;

/// This program's ends of a command's streams.
struct Streams {
    /// What the command writes and what it reads.
    main: Pair,
    errors: Option<Pair>,
}

impl Streams {
    fn of_pipes(pipes: Pipes) -> io::Result<Self> {
        let Pipes { input, output, errors } = pipes;
        Ok(Self { main: Pair::new(output, input)?, errors: Some(Pair::read_only(errors)?) })
    }

    /// A terminal is all three at once.
    fn of_terminal(terminal: &Terminal) -> io::Result<Self> {
        let end = || terminal.master.try_clone();
        Ok(Self { main: Pair::new(end()?, end()?)?, errors: None })
    }
}

impl Sessions {
    /// Starts what is asked for.
    pub(super) fn start(
        &mut self,
        reactor: &mut Reactor,
        id: Id,
        want_reply: bool,
        request: &Request<'_>,
    ) {
        if self.find(id).is_some_and(|found| !matches!(found.stage, Stage::Larval)) {
            return answer(reactor, id, want_reply, false);
        }
        if let Err(error) = self.await_input(reactor, id) {
            self.refused(id, &error);
            return answer(reactor, id, want_reply, false);
        }
        let (errands, home) = (self.errands.clone(), self.home.clone());
        let Some(found) = self.find(id) else { return };
        let asked = Asked::new(request, found.environment.clone());
        let seat = found.begin(&asked);
        errands.run(
            &home,
            move || (seat.start(&asked), seat),
            move |worker, reactor, (result, seat)| {
                if result.is_ok() {
                    // Whatever has become of the channel: it is to be reaped.
                    worker.sessions.watch(id, seat);
                }
                worker.sessions.started(reactor, id, want_reply, result);
            },
        );
    }

    /// Something is to be started: what the client sends from here on waits for it, and no longer than its window.
    pub(super) fn await_input(&mut self, reactor: &mut Reactor, id: Id) -> io::Result<()> {
        let (session, channel) = id;
        let Some(found) = self.find(id).filter(|found| found.outputs.is_empty()) else {
            return Ok(());
        };
        let main = reactor.add_socket(Socket::Awaited)?;
        reactor.attach(main, session, channel);
        reactor.hold(main);
        if found.eof_came {
            reactor.end_of_input(main);
        }
        found.outputs.push(Output::new(main));
        self.streams.insert(main, id);
        Ok(())
    }

    /// Nothing was started after all: the channel is what it was before, but for what the client sent meanwhile.
    pub(super) fn drop_streams(&mut self, reactor: &mut Reactor, id: Id) {
        let Some(found) = self.find(id) else { return };
        for output in std::mem::take(&mut found.outputs) {
            self.streams.remove(&output.stream);
            reactor.cut(output.stream);
        }
    }

    fn started(
        &mut self,
        reactor: &mut Reactor,
        id: Id,
        want_reply: bool,
        result: io::Result<Started>,
    ) {
        let taken_in = result.and_then(|started| self.take_in(reactor, id, started));
        let errors = match taken_in {
            Ok(errors) => errors,
            Err(error) => return self.not_started(reactor, id, want_reply, &error),
        };
        let Some(found) = self.find(id).filter(|found| !found.closed) else { return };
        let main = found.outputs.first().map(|main| main.stream);
        let started = found.notice(id.0, SessionEnd::Started);
        self.notices.push_back(started);
        answer(reactor, id, want_reply, true);
        if let Some(main) = main {
            reactor.flow(main);
        }
        if let Some(errors) = errors {
            reactor.attach_extended(errors, id.0, id.1, EXTENDED_DATA_STDERR);
        }
        self.serve_waiting(reactor, id);
    }

    /// It runs: what the client sent is written. Gives the stream of its stderr, which waits for the reply.
    ///
    /// A channel that was closed meanwhile has only its input still to be written.
    fn take_in(
        &mut self,
        reactor: &mut Reactor,
        id: Id,
        started: Started,
    ) -> io::Result<Option<Key>> {
        let Some(found) = self.find(id) else { return Ok(None) };
        let Started { task, pipes } = started;
        let streams = match (pipes, &found.terminal) {
            (Some(pipes), _) => Streams::of_pipes(pipes)?,
            (None, Some(terminal)) => Streams::of_terminal(terminal)?,
            (None, None) => return Err(io::ErrorKind::NotConnected.into()),
        };
        (found.busy, found.stage, found.task) = (false, Stage::Running, Some(task));
        let closed = found.closed;
        if let Some(main) = found.outputs.first().map(|main| main.stream) {
            reactor.bring(main, Socket::Pair(streams.main))?;
        }
        let errors = streams.errors.filter(|_| !closed);
        let errors = errors.map(|pair| reactor.add_socket(Socket::Pair(pair))).transpose()?;
        if let (Some(found), Some(errors)) = (self.find(id), errors) {
            found.outputs.push(Output::new(errors));
            self.streams.insert(errors, id);
        }
        Ok(errors)
    }

    /// The channel is what it was before, but for the streams it had.
    fn not_started(&mut self, reactor: &mut Reactor, id: Id, want_reply: bool, error: &io::Error) {
        self.refused(id, error);
        let Some(found) = self.find(id) else { return };
        let closed = found.closed;
        found.busy = false;
        found.stage = Stage::Larval;
        found.task = None;
        self.drop_streams(reactor, id);
        if !closed {
            answer(reactor, id, want_reply, false);
            self.serve_waiting(reactor, id);
        }
    }

    /// Waits for the end of what runs.
    fn watch(&self, id: Id, seat: Arc<dyn Seat>) {
        let home = self.home.clone();
        self.errands.aside("wait", move || {
            let exit = seat.wait();
            drop(seat);
            home.post(move |worker, reactor| worker.sessions.exited(reactor, id, exit));
        });
    }
}

impl SessionChannel {
    /// Something is asked for; what it comes to is for the seat to say.
    fn begin(&mut self, asked: &Asked) -> Arc<dyn Seat> {
        self.busy = true;
        self.stage = Stage::Starting;
        self.task = Some(Task::as_asked(asked));
        self.begun = std::time::Instant::now();
        self.seat.clone()
    }
}
