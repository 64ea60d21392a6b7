//! The background (`-f`): a second process carries the tunnel, the first returns when it stands.
//! Touches: a child of this same program, a socket to it, its session and standard streams.   Never: the tunnel.
//! Invariants: the first process ends with 0 only after the second said that the forwards stand.
//! Errors: those of starting a process.   Allocates: the argument list.
//! Proved by: interop `background.rs`.
//!
//! A process with threads cannot safely be forked, so the program is started once more instead, with the same
//! arguments and a socket to report on. It asks its questions on the terminal, then detaches.

use std::env;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Command, ExitCode};

/// Tells the second process that it is one. Its stdin is the socket: a descriptor every process has.
const MARK: &str = "ADIT_BACKGROUND";

/// What the second process writes when the forwards stand.
const READY: u8 = b'+';

/// The socket on which a process in the background reports.
#[derive(Debug)]
pub(crate) struct Background {
    report: File,
}

/// Whether this process is the second one; asked once, before any thread is there.
pub(crate) fn take_over() -> Option<Background> {
    env::var_os(MARK)?;
    let report = io::stdin().as_fd().try_clone_to_owned().ok()?;
    Some(Background { report: report.into() })
}

/// Starts the second process and waits until its forwards stand or it has failed.
pub(crate) fn send_off() -> io::Result<ExitCode> {
    let (reader, writer) = UnixStream::pair()?;
    let mut child = command()?.stdin(OwnedFd::from(writer)).spawn()?;
    if stands(reader) {
        return Ok(ExitCode::SUCCESS);
    }
    let code = child.wait()?.code().and_then(|code| u8::try_from(code).ok());
    Ok(ExitCode::from(code.unwrap_or(255)))
}

fn command() -> io::Result<Command> {
    let mut command = Command::new(env::current_exe()?);
    command.args(env::args_os().skip(1)).env(MARK, "1");
    Ok(command)
}

fn stands(mut reader: UnixStream) -> bool {
    let mut report = [0];
    matches!(reader.read(&mut report), Ok(1) if report[0] == READY)
}

impl Background {
    /// Leaves the terminal and tells the first process that the forwards stand.
    ///
    /// stderr stays when the log goes there on purpose: `keep_stderr`.
    pub(crate) fn detach(mut self, keep_stderr: bool) -> io::Result<()> {
        // Fails for a process that leads its group, which is then detached already.
        let _ = rustix::process::setsid();
        let null = File::options().read(true).write(true).open("/dev/null")?;
        rustix::stdio::dup2_stdin(&null)?;
        rustix::stdio::dup2_stdout(&null)?;
        self.report.write_all(&[READY])?;
        if !keep_stderr {
            rustix::stdio::dup2_stderr(&null)?;
        }
        Ok(())
    }
}
