//! The first process of a session: started, signalled, waited for. setsid(2), waitid(2).
//! Touches: processes of this program's making.   Never: what they say.
//! Invariants: a process that can still be named here is not reaped, so its number names no other.
//! Errors: `io::Error` of the system.   Allocates: per process.
//! Proved by: those of the session.

use super::plan::{BEHIND, LAUNCH, Plan, marked};
use super::signals;
use crate::host::SystemAccount;
use adit_crypto::{Random, SystemRandom};
use adit_engine::Request;
use rustix::process::{Pid, Signal, Uid, WaitId, WaitIdOptions, WaitIdStatus};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{OpenOptionsExt, fchown};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// What a process is to have as stdin, stdout and stderr.
#[derive(Debug)]
pub(crate) struct Ends {
    pub(crate) stdin: OwnedFd,
    pub(crate) stdout: OwnedFd,
    pub(crate) stderr: OwnedFd,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// By itself.
    Status(u32),
    /// By a signal of this number.
    Signal {
        number: i32,
        /// A core image was left.
        core_dumped: bool,
    },
}

impl Exit {
    /// Of what nobody can tell how it ended.
    pub(crate) const UNKNOWN: Self = Self::Status(255);

    fn new(status: &WaitIdStatus) -> Self {
        match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => Self::Status(code as u32),
            (None, number) => {
                Self::Signal { number: number.unwrap_or_default(), core_dumped: status.dumped() }
            }
        }
    }

    /// The request that tells the client. RFC 4254 §6.10.
    pub(super) fn request(self) -> Request<'static> {
        match self {
            Self::Status(code) => Request::ExitStatus(code),
            Self::Signal { number, core_dumped } => Request::ExitSignal {
                name: signals::name_of(number).into(),
                core_dumped,
                message: (&[][..]).into(),
            },
        }
    }
}

/// The process that leads a session's processes. Dropped, it is reaped.
#[derive(Debug)]
pub(crate) struct Leader {
    child: Mutex<Child>,
    pid: Pid,
    /// The file SSH_USER_AUTH names.
    auth_info: Option<PathBuf>,
}

impl Drop for Leader {
    fn drop(&mut self) {
        if let Some(path) = &self.auth_info {
            let _ = std::fs::remove_file(path);
        }
        // It has ended: whoever waits holds a share in it until then.
        let _ = self.child.get_mut().unwrap_or_else(PoisonError::into_inner).wait();
    }
}

/// Starts a process as planned.
///
/// # Errors
/// Those of the system.
pub(crate) fn start(plan: &Plan, ends: Ends) -> io::Result<Leader> {
    let auth_info = write_auth_info(plan)?;
    let mut command = Command::new(&plan.launcher);
    command.arg0("aditd").arg(LAUNCH).args(plan.orders.encode());
    command.env_clear().envs(plan.environment());
    if let Some(path) = &auth_info {
        command.env(marked(BEHIND, "SSH_USER_AUTH".as_ref()), path);
    }
    let child = spawn(command, ends)?;
    Ok(Leader { pid: Pid::from_child(&child), child: Mutex::new(child), auth_info })
}

/// One at a time. A process that is being started has copies of all descriptors until it executes its program: it would
/// hold another command's pipes open, if only for a moment, in which that command's output has not ended.
static SPAWNING: Mutex<()> = Mutex::new(());

fn spawn(mut command: Command, ends: Ends) -> io::Result<Child> {
    let alone = SPAWNING.lock().unwrap_or_else(PoisonError::into_inner);
    command.stdin(Stdio::from(ends.stdin));
    command.stdout(Stdio::from(ends.stdout)).stderr(Stdio::from(ends.stderr));
    let child = command.spawn();
    // This program's copies of the ends go before the next one starts.
    drop(command);
    drop(alone);
    child
}

/// Writes the file that ExposeAuthInfo asks for: the user's, and nobody else's to read.
fn write_auth_info(plan: &Plan) -> io::Result<Option<PathBuf>> {
    if plan.auth_info.is_empty() || plan.orders.chroot.is_some() {
        return Ok(None);
    }
    let mut name = [0; 8];
    SystemRandom::new().fill(&mut name);
    let path = PathBuf::from(format!("/tmp/sshauth.{:016x}", u64::from_be_bytes(name)));
    let mut file =
        std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    for line in &plan.auth_info {
        writeln!(file, "{line}")?;
    }
    if let Some(identity) = &plan.orders.identity {
        fchown(&file, Some(identity.uid), Some(identity.gid))?;
    }
    Ok(Some(path))
}

impl Leader {
    /// Waits for its end, and leaves its number taken.
    pub(super) fn wait(&self) -> Exit {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        loop {
            match rustix::process::waitid(WaitId::Pid(self.pid), options) {
                Ok(Some(status)) => return Exit::new(&status),
                Err(rustix::io::Errno::INTR) | Ok(None) => {}
                // Somebody else has reaped it; nobody knows any more.
                Err(_) => return Exit::UNKNOWN,
            }
        }
    }

    /// Signals its process group, with the account's rights.
    ///
    /// # Errors
    /// Those of `kill`.
    pub(crate) fn signal(&self, system: &SystemAccount, signal: Signal) -> io::Result<()> {
        if !rustix::process::geteuid().is_root() || system.uid == 0 {
            return self.kill(signal);
        }
        // The rights of a thread are its own: this one gives up its own for good.
        let uid = Uid::from_raw(system.uid);
        thread::scope(|scope| {
            let thread =
                thread::Builder::new().name("signal".into()).spawn_scoped(scope, || {
                    rustix::thread::set_thread_res_uid(uid, uid, uid)?;
                    self.kill(signal)
                })?;
            thread.join().unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))
        })
    }

    fn kill(&self, signal: Signal) -> io::Result<()> {
        match rustix::process::kill_process_group(self.pid, signal) {
            // It has not become a group of its own yet.
            Err(rustix::io::Errno::SRCH) => Ok(rustix::process::kill_process(self.pid, signal)?),
            result => Ok(result?),
        }
    }
}
