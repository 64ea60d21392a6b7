//! A session channel: what was asked of it so far, what runs in it, what became of its streams. RFC 4254 §6.
//! Touches: its own books.   Never: the loop.
//! Invariants: one command at most; requests are served in their order, also while the system is asked for something.
//! Errors: none.   Allocates: per channel.
//! Proved by: those of the session.
//!
//! ```text
//! Larval ──exec, shell, subsystem──► Starting ──started──► Running ──exit──► Exited ──output over──► closed
//!    ▲                                   │
//!    └────────────could not──────────────┘                 any ──CLOSE of the client──► closed
//! ```

use super::Standing;
use super::environment::Environment;
use super::leader::Exit;
use super::notice::{Notice, SessionEnd, command_of};
use super::rules::SessionRules;
use super::seat::Seat;
use super::task::{Kind, Task};
use super::terminal::Terminal;
use adit_engine::{Channel, Request};
use adit_reactor::{Counts, Key, Millis, Reactor};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

/// Requests that want no reply and wait; more are forgotten. Those that want one are counted by the connection.
const MAX_WAITING: usize = 256;

/// How far the command is.
#[derive(Debug)]
pub(super) enum Stage {
    /// Nothing was asked for.
    Larval,
    /// The system is asked to start it.
    Starting,
    /// It runs.
    Running,
    /// It has ended; its output may go on.
    Exited(Exit),
}

/// One of the command's streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Output {
    pub(super) stream: Key,
    /// Everything that is to be read so far is read.
    pub(super) drained: bool,
    /// Nothing more will come.
    pub(super) ended: bool,
    /// The stream is gone.
    pub(super) gone: bool,
}

impl Output {
    pub(super) const fn new(stream: Key) -> Self {
        Self { stream, drained: false, ended: false, gone: false }
    }
}

/// One session channel.
#[derive(Debug)]
pub(super) struct SessionChannel {
    pub(super) channel: Channel,
    pub(super) rules: Arc<SessionRules>,
    /// What takes privilege is done there.
    pub(super) seat: Arc<dyn Seat>,
    pub(super) stage: Stage,
    /// What `env` requests set.
    pub(super) environment: Environment,
    pub(super) terminal: Option<Terminal>,
    pub(super) task: Option<Task>,
    /// stdin and stdout, or the terminal; then stderr.
    pub(super) outputs: Vec<Output>,
    /// An answer of the system's is awaited; requests wait behind it.
    pub(super) busy: bool,
    pub(super) waiting: VecDeque<(bool, Request<'static>)>,
    /// The client's EOF came before there was a stream to end.
    pub(super) eof_came: bool,
    pub(super) eof_sent: bool,
    pub(super) exit_sent: bool,
    /// Our CLOSE is sent; what is left is for the log.
    pub(super) closed: bool,
    /// How it ended, if its command did not.
    pub(super) otherwise: SessionEnd,
    pub(super) counts: Counts,
    pub(super) begun: Instant,
}

impl SessionChannel {
    pub(super) fn new(channel: Channel, rules: Arc<SessionRules>, seat: Arc<dyn Seat>) -> Self {
        Self {
            channel,
            rules,
            seat,
            stage: Stage::Larval,
            environment: Environment::default(),
            terminal: None,
            task: None,
            outputs: Vec::new(),
            busy: false,
            waiting: VecDeque::new(),
            eof_came: false,
            eof_sent: false,
            exit_sent: false,
            closed: false,
            otherwise: SessionEnd::Closed,
            counts: Counts::default(),
            begun: Instant::now(),
        }
    }

    /// Keeps a request until the system has answered.
    pub(super) fn wait_behind(&mut self, want_reply: bool, request: Request<'static>) {
        if want_reply || self.waiting.len() < MAX_WAITING {
            self.waiting.push_back((want_reply, request));
        }
    }

    pub(super) fn next_waiting(&mut self) -> Option<(bool, Request<'static>)> {
        if self.busy || self.closed { None } else { self.waiting.pop_front() }
    }

    pub(super) fn output(&mut self, stream: Key) -> Option<&mut Output> {
        self.outputs.iter_mut().find(|output| output.stream == stream)
    }

    /// Nothing more will come of the command. A terminal ends with its command, whoever else still holds it.
    pub(super) fn is_output_over(&self) -> bool {
        let exited = matches!(self.stage, Stage::Exited(_));
        let over =
            |output: &Output| output.ended || (self.terminal.is_some() && exited && output.drained);
        !matches!(self.stage, Stage::Larval | Stage::Starting) && self.outputs.iter().all(over)
    }

    /// How the command ended, once what it had to say is said: a child it left behind may say more.
    pub(super) fn exit_to_tell(&self) -> Option<Exit> {
        let told = |output: &Output| output.drained || output.ended;
        match self.stage {
            Stage::Exited(exit) if !self.exit_sent && self.outputs.iter().all(told) => Some(exit),
            _ => None,
        }
    }

    pub(super) const fn runs(&self) -> bool {
        matches!(self.stage, Stage::Running)
    }

    /// For whoever watches it. Before there is anything to move, its age counts.
    pub(super) fn standing(&self, reactor: &Reactor) -> Standing {
        let moved = self.outputs.iter().filter_map(|output| reactor.idle_since(output.stream));
        Standing {
            channel: self.channel,
            kind: match self.task.as_ref().map(|task| &task.kind) {
                None => "session".into(),
                Some(Kind::Shell) => "session:shell".into(),
                Some(Kind::Exec) => "session:command".into(),
                Some(Kind::Subsystem(name)) => format!("session:subsystem:{name}"),
            },
            idle: match moved.max() {
                Some(moved) => reactor.now() - moved,
                None => self.begun.elapsed().as_millis() as Millis,
            },
        }
    }

    /// Its last notice. A channel nothing was asked of has none.
    pub(super) fn last_notice(&self, session: Key) -> Option<Notice> {
        self.task.as_ref()?;
        let end = match self.stage {
            Stage::Exited(exit) => SessionEnd::Exit(exit),
            _ => self.otherwise.clone(),
        };
        Some(self.notice(session, end))
    }

    /// A notice of what became of something asked for.
    pub(super) fn notice(&self, session: Key, end: SessionEnd) -> Notice {
        let name = self.terminal.as_ref().map(|terminal| &terminal.name);
        Notice {
            session,
            channel: self.channel,
            kind: self.task.as_ref().map(|task| task.kind.clone()),
            command: self.task.as_ref().map(command_of).unwrap_or_default(),
            forced: self.task.as_ref().is_some_and(|task| task.forced),
            terminal: name.map(|name| name.to_string_lossy().into_owned()),
            end,
            sent: self.counts.read,
            received: self.counts.written,
            duration: self.begun.elapsed(),
        }
    }
}
