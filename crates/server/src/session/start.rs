//! Starting a command: its streams, its plan, and what becomes of it. RFC 4254 §6.5.
//! Touches: pipes, the streams of a session channel.   Never: processes; the host starts them.
//! Invariants: what the client sends from the request on reaches the command; nothing the command says precedes the reply.
//! Errors: the request fails, and a notice says why.   Allocates: per command.
//! Proved by: those of the session.

use super::channel::{Output, SessionChannel, Stage};
use super::environment::{of_account, of_connection};
use super::leader::{Ends, Leader};
use super::plan::{Orders, Plan};
use super::task::Task;
use super::terminal::Terminal;
use super::{Id, SessionEnd, Sessions, answer};
use crate::host::SystemAccount;
use adit_engine::{EXTENDED_DATA_STDERR, Request};
use adit_reactor::{Key, Pair, Reactor, Socket};
use rustix::pipe::{PipeFlags, pipe_with};
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::thread;

/// Threads that only wait need little.
const WAITING_STACK: usize = 64 * 1024;

/// This program's ends of a command's streams, and the command's.
struct Streams {
    /// What the command writes and what it reads.
    main: Pair,
    errors: Option<Pair>,
    ends: Ends,
}

/// Three pipes.
fn pipes() -> io::Result<Streams> {
    let pipe = || pipe_with(PipeFlags::CLOEXEC);
    let ((stdin, input), (output, stdout), (errors, stderr)) = (pipe()?, pipe()?, pipe()?);
    let (main, errors) = (Pair::new(output, input)?, Some(Pair::read_only(errors)?));
    Ok(Streams { main, errors, ends: Ends { stdin, stdout, stderr } })
}

/// A terminal, which is all three at once.
fn terminal(terminal: &Terminal) -> io::Result<Streams> {
    let slave = terminal.slave.as_ref().ok_or(io::ErrorKind::NotConnected)?;
    let main = Pair::new(terminal.master.try_clone()?, terminal.master.try_clone()?)?;
    let end = || OwnedFd::try_clone(slave);
    let ends = Ends { stdin: end()?, stdout: end()?, stderr: end()? };
    Ok(Streams { main, errors: None, ends })
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
        if let Err(reason) = self.try_to_start(reactor, id, want_reply, request) {
            self.refused(id, reason);
            self.drop_streams(reactor, id);
            answer(reactor, id, want_reply, false);
        }
    }

    fn try_to_start(
        &mut self,
        reactor: &mut Reactor,
        id: Id,
        want_reply: bool,
        request: &Request<'_>,
    ) -> Result<(), String> {
        let (host, errands, home) = (self.host.clone(), self.errands.clone(), self.home.clone());
        let (launcher, files) = (self.launcher.clone(), self.file_limit);
        let host = host.ok_or("no sessions here")?;
        let found = self.find(id).ok_or("no such channel")?;
        let task = Task::new(request, &found.rules)?;
        let plan = found.plan(&launcher, files, &task)?;
        let streams = match &found.terminal {
            Some(made) => terminal(made),
            None => pipes(),
        };
        let Streams { main, errors, ends } = streams.map_err(|error| error.to_string())?;
        let (main, errors) = self.take_in(reactor, id, main, errors)?;
        if let Some(found) = self.find(id) {
            found.begin(task);
        }
        errands.run(
            &home,
            move || host.start(&plan, ends),
            move |worker, reactor, result| {
                let started = Started { main, errors, result };
                worker.sessions.started(reactor, id, want_reply, started);
            },
        );
        Ok(())
    }

    /// What the client sends is written from now on; what the command says waits for the reply.
    fn take_in(
        &mut self,
        reactor: &mut Reactor,
        id: Id,
        main: Pair,
        errors: Option<Pair>,
    ) -> Result<(Key, Option<Key>), String> {
        let words = |error: io::Error| error.to_string();
        self.await_input(reactor, id).map_err(words)?;
        let main_key =
            self.find(id).and_then(|found| found.outputs.first()).map(|main| main.stream);
        let main_key = main_key.ok_or("no such channel")?;
        reactor.bring(main_key, Socket::Pair(main)).map_err(words)?;
        let errors = errors.map(|pair| reactor.add_socket(Socket::Pair(pair))).transpose();
        let errors = errors.map_err(words)?;
        if let (Some(found), Some(errors)) = (self.find(id), errors) {
            found.outputs.push(Output::new(errors));
            self.streams.insert(errors, id);
        }
        Ok((main_key, errors))
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
    fn drop_streams(&mut self, reactor: &mut Reactor, id: Id) {
        let Some(found) = self.find(id) else { return };
        for output in std::mem::take(&mut found.outputs) {
            self.streams.remove(&output.stream);
            reactor.cut(output.stream);
        }
    }

    fn started(&mut self, reactor: &mut Reactor, id: Id, want_reply: bool, started: Started) {
        let Started { main, errors, result } = started;
        let leader = match result {
            Ok(leader) => self.watch(id, leader),
            Err(error) => return self.not_started(reactor, id, want_reply, &error),
        };
        let Some(found) = self.find(id).filter(|found| !found.closed) else { return };
        found.busy = false;
        found.stage = Stage::Running(leader);
        let started = found.notice(id.0, SessionEnd::Started);
        if let Some(terminal) = &mut found.terminal {
            terminal.slave = None;
        }
        self.notices.push_back(started);
        answer(reactor, id, want_reply, true);
        reactor.flow(main);
        if let Some(errors) = errors {
            reactor.attach_extended(errors, id.0, id.1, EXTENDED_DATA_STDERR);
        }
        self.serve_waiting(reactor, id);
    }

    /// The channel is what it was before, but for the streams it had.
    fn not_started(&mut self, reactor: &mut Reactor, id: Id, want_reply: bool, error: &io::Error) {
        self.refused(id, format!("not started: {error}"));
        let Some(found) = self.find(id).filter(|found| !found.closed) else { return };
        found.busy = false;
        found.stage = Stage::Larval;
        found.task = None;
        self.drop_streams(reactor, id);
        answer(reactor, id, want_reply, false);
        self.serve_waiting(reactor, id);
    }

    /// Waits for the process on a thread of its own.
    fn watch(&self, id: Id, leader: Leader) -> Arc<Leader> {
        let leader = Arc::new(leader);
        let (home, waited_for) = (self.home.clone(), leader.clone());
        let wait = move || {
            let exit = waited_for.wait();
            home.post(move |worker, reactor| worker.sessions.exited(reactor, id, exit));
        };
        let thread = thread::Builder::new().name("wait".into()).stack_size(WAITING_STACK);
        if thread.spawn(wait).is_err() {
            self.watch_from_a_helper(id, leader.clone());
        }
        leader
    }

    /// The system gives no more threads: a helper waits, and others have to wait for it.
    fn watch_from_a_helper(&self, id: Id, leader: Arc<Leader>) {
        self.errands.run(
            &self.home,
            move || leader.wait(),
            move |worker, reactor, exit| worker.sessions.exited(reactor, id, exit),
        );
    }
}

struct Started {
    main: Key,
    errors: Option<Key>,
    result: io::Result<Leader>,
}

impl SessionChannel {
    fn begin(&mut self, task: Task) {
        self.busy = true;
        self.stage = Stage::Starting;
        self.task = Some(task);
        self.begun = std::time::Instant::now();
    }

    fn plan(&self, launcher: &Path, files: Option<u64>, task: &Task) -> Result<Plan, String> {
        let rules = &self.rules;
        let system = rules.system().ok_or("no sessions here")?;
        may_become(system)?;
        let terminal = self.terminal.as_ref();
        let orders = Orders {
            chroot: rules.chroot_directory.clone(),
            user_environment: rules.permit_user_environment.clone(),
            motd: rules.print_motd && terminal.is_some() && task.command.is_none(),
            user_rc: rules.user_rc,
            files,
            images: adit_sandbox::limit_before(),
            ..Orders::new(system, task, terminal.is_some())
        };
        Ok(Plan {
            launcher: launcher.into(),
            system: system.clone(),
            orders,
            before: of_account(rules, system, &self.environment, terminal),
            behind: of_connection(rules, terminal, task),
            auth_info: rules.auth_info.clone(),
        })
    }
}

/// Only root can be everybody.
fn may_become(system: &SystemAccount) -> Result<(), String> {
    let own = rustix::process::geteuid();
    if own.is_root() || own.as_raw() == system.uid {
        return Ok(());
    }
    Err(format!("this server runs as user {own} and cannot become user {}", system.uid))
}
