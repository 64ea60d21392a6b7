//! A session's seat with the host: its terminal and its process, as far as they take privilege. sshd(8) LOGIN PROCESS.
//! Touches: the host.   Never: channels; what the command reads and writes.
//! Invariants: one terminal and one command at most; what is asked for is a wish, the rules of the seat decide.
//! Errors: `io::Error`, whose words are for the log.   Allocates: a plan per command.
//! Proved by: `tests` of the session, those of the keeper's `answer`.
//!
//! Where one process does everything a session channel has its seat beside it. Where there are two the keeper has it,
//! with rules of its own, and what the channel has is the way there.

use super::SessionRules;
use super::environment::{Environment, accept, of_account, of_connection};
use super::leader::{Ends, Exit, Leader};
use super::plan::{Orders, Plan};
use super::task::{Asked, Task};
use super::terminal::{Line, Terminal, TerminalWish};
use crate::host::{Host, SystemAccount};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::Signal;
use std::fmt::{Debug, Display};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a session channel asks of whoever has privilege. All but [`leave`](Self::leave) may block.
pub(crate) trait Seat: Send + Sync + Debug {
    /// Makes the terminal: once, and before anything runs.
    ///
    /// # Errors
    /// Why there is none.
    fn open_terminal(&self, wish: &TerminalWish) -> io::Result<Terminal>;

    /// Starts what is asked for, or what is forced: once.
    ///
    /// # Errors
    /// Why it did not start; it may be asked for again.
    fn start(&self, asked: &Asked) -> io::Result<Started>;

    /// Signals the process group with the account's rights.
    ///
    /// # Errors
    /// Those of the system.
    fn signal(&self, signal: Signal) -> io::Result<()>;

    /// Waits for the end of what was started. For one thread, once.
    fn wait(&self) -> Exit;

    /// The channel is closed; what runs goes on.
    fn leave(&self);
}

/// A command that runs.
#[derive(Debug)]
pub(crate) struct Started {
    /// What it is.
    pub(crate) task: Task,
    /// This program's ends of its pipes; none where it has a terminal.
    pub(crate) pipes: Option<Pipes>,
}

/// This program's ends of a command's pipes.
#[derive(Debug)]
pub(crate) struct Pipes {
    /// Its stdin.
    pub(crate) input: OwnedFd,
    /// Its stdout.
    pub(crate) output: OwnedFd,
    /// Its stderr.
    pub(crate) errors: OwnedFd,
}

/// How commands are launched here.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    /// The program that can: this one.
    pub(crate) program: PathBuf,
    /// The soft limit of open files there was before this program raised its own.
    pub(crate) files: Option<u64>,
}

impl Launch {
    /// By what runs now, also where another version has taken its place on disk.
    pub(crate) fn by_this_program(files: Option<u64>) -> Self {
        Self { program: PathBuf::from("/proc/self/exe"), files }
    }
}

/// A seat with a host in this process.
pub(crate) struct OwnSeat {
    host: Arc<dyn Host>,
    rules: Arc<SessionRules>,
    launch: Launch,
    held: Mutex<Held>,
}

/// What there is by now.
#[derive(Debug, Default)]
struct Held {
    line: Option<Line>,
    leader: Option<Arc<Leader>>,
    /// Something was started; nothing else will be.
    taken: bool,
}

impl Debug for OwnSeat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OwnSeat").field("rules", &self.rules).finish_non_exhaustive()
    }
}

fn refused(words: impl Display) -> io::Error {
    io::Error::other(words.to_string())
}

impl OwnSeat {
    pub(crate) fn new(host: Arc<dyn Host>, rules: Arc<SessionRules>, launch: Launch) -> Self {
        Self { host, rules, launch, held: Mutex::default() }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn leader(&self) -> Option<Arc<Leader>> {
        self.held().leader.clone()
    }

    fn system(&self) -> io::Result<&SystemAccount> {
        self.rules.system().ok_or_else(|| refused("no sessions here"))
    }

    fn plan(&self, asked: &Asked, task: &Task, line: Option<&Line>) -> io::Result<Plan> {
        let (rules, system) = (&self.rules, self.system()?);
        may_become(system).map_err(refused)?;
        let orders = Orders {
            chroot: rules.chroot_directory.clone(),
            user_environment: rules.permit_user_environment.clone(),
            motd: rules.print_motd && line.is_some() && task.command.is_none(),
            user_rc: rules.user_rc,
            files: self.launch.files,
            images: adit_sandbox::limit_before(),
            ..Orders::new(system, task, line.is_some())
        };
        Ok(Plan {
            launcher: self.launch.program.clone(),
            system: system.clone(),
            orders,
            before: of_account(rules, system, &self.accepted(&asked.environment), line),
            behind: of_connection(rules, line, task),
            auth_info: rules.auth_info.clone(),
        })
    }

    /// Of what the client set, what AcceptEnv lets in.
    fn accepted(&self, asked: &Environment) -> Environment {
        let mut accepted = Environment::default();
        for (name, value) in asked.iter() {
            accept(&mut accepted, &self.rules.accept_env, name.as_bytes(), value.as_bytes());
        }
        accepted
    }
}

impl Seat for OwnSeat {
    fn open_terminal(&self, wish: &TerminalWish) -> io::Result<Terminal> {
        let mut held = self.held();
        if !self.rules.permit_tty {
            return Err(refused("no terminal is permitted"));
        }
        if held.line.is_some() {
            return Err(refused("there is a terminal already"));
        }
        if held.taken {
            return Err(refused("the command runs already"));
        }
        let made = self.host.open_terminal(self.system()?, wish);
        let (terminal, line) =
            made.map_err(|error| refused(format_args!("no terminal: {error}")))?;
        held.line = Some(line);
        Ok(terminal)
    }

    fn start(&self, asked: &Asked) -> io::Result<Started> {
        let mut held = self.held();
        if held.taken {
            return Err(refused("the command runs already"));
        }
        let task = Task::new(asked, &self.rules).map_err(refused)?;
        let plan = self.plan(asked, &task, held.line.as_ref())?;
        let (ends, pipes) = match &held.line {
            Some(line) => (line.ends()?, None),
            None => pipes().map(|(ends, pipes)| (ends, Some(pipes)))?,
        };
        let leader = self.host.start(&plan, ends);
        let leader = leader.map_err(|error| refused(format_args!("not started: {error}")))?;
        (held.taken, held.leader) = (true, Some(Arc::new(leader)));
        if let Some(line) = &mut held.line {
            // The terminal is to end with the command.
            line.slave = None;
        }
        Ok(Started { task, pipes })
    }

    fn signal(&self, signal: Signal) -> io::Result<()> {
        let leader = self.leader();
        // A command that has ended meanwhile needs no signal.
        leader.map_or(Ok(()), |leader| self.host.signal(self.system()?, &leader, signal))
    }

    fn wait(&self) -> Exit {
        let leader = self.leader();
        let exit = leader.map_or(Exit::UNKNOWN, |leader| leader.wait());
        // Whoever is the last to name it has it reaped.
        self.held().leader = None;
        exit
    }

    /// All that is held goes with the seat.
    fn leave(&self) {}
}

/// Three pipes.
fn pipes() -> io::Result<(Ends, Pipes)> {
    let pipe = || pipe_with(PipeFlags::CLOEXEC);
    let ((stdin, input), (output, stdout), (errors, stderr)) = (pipe()?, pipe()?, pipe()?);
    Ok((Ends { stdin, stdout, stderr }, Pipes { input, output, errors }))
}

/// Only root can be everybody.
fn may_become(system: &SystemAccount) -> Result<(), String> {
    let own = rustix::process::geteuid();
    if own.is_root() || own.as_raw() == system.uid {
        return Ok(());
    }
    Err(format!("this server runs as user {own} and cannot become user {}", system.uid))
}
