//! The background (`ssh -f`, `sshd` without `-D`): a second process does the work, the first returns when it stands.
//! Touches: a child of this same program, a socket to it, its session and standard streams.   Never: the work.
//! Invariants: the first process ends with 0 only after the second said that it stands; a signal for the first is one for both.
//! Errors: those of starting a process.   Allocates: the argument list.
//! Proved by: `tests` below, interop `background.rs`.
//!
//! A process with threads cannot safely be forked, so the program is started once more instead, with the same
//! arguments and a socket to report on. It asks its questions on the terminal, then detaches.

use crate::signals::{ENDING, Signals};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, kill_process, setsid};
use std::env;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, ExitCode, id};

/// Tells the second process that it is one, by the first one's number: one left over in an environment means nobody.
/// Its stdin is the socket: a descriptor every process has.
pub const MARK: &str = "ADIT_BACKGROUND";

/// What the second process writes when it stands.
const READY: u8 = b'+';

/// The exit code where the second process left none: ssh's for its own errors.
const FAILURE: u8 = 255;

/// The socket on which a process in the background reports.
#[derive(Debug)]
pub struct Background {
    report: File,
}

/// Whether this process is the second one; asked once, before any thread is there.
///
/// # Errors
/// When standard input cannot be put away.
pub fn take_over() -> io::Result<Option<Background>> {
    let parent = rustix::process::getppid().map(|parent| parent.as_raw_nonzero().to_string());
    if parent.is_none() || env::var(MARK).ok() != parent {
        return Ok(None);
    }
    let report = io::stdin().as_fd().try_clone_to_owned()?;
    rustix::stdio::dup2_stdin(null()?)?;
    Ok(Some(Background { report: report.into() }))
}

/// Starts the second process and waits until what it is for stands, or it has failed; the exit code is its own then.
///
/// # Errors
/// Those of starting a process.
pub fn send_off() -> io::Result<ExitCode> {
    let arguments = env::args_os().skip(1);
    let (reader, mut child) = start(Command::new(env::current_exe()?).args(arguments))?;
    wait(reader, &mut child, &Signals::watch(&ENDING)?)
}

fn start(command: &mut Command) -> io::Result<(UnixStream, Child)> {
    let (reader, writer) = UnixStream::pair()?;
    // The command keeps the socket's other end until it goes, and with it the end of file we wait for.
    let child = command.env(MARK, id().to_string()).stdin(OwnedFd::from(writer)).spawn()?;
    command.stdin(std::process::Stdio::null());
    Ok((reader, child))
}

/// Waits for the report; signals go to the child, whose end is ours.
fn wait(mut reader: UnixStream, child: &mut Child, signals: &Signals) -> io::Result<ExitCode> {
    loop {
        let mut fds = vec![PollFd::new(&reader, PollFlags::IN)];
        fds.extend(signals.readers().map(|reader| PollFd::from_borrowed_fd(reader, PollFlags::IN)));
        match poll(&mut fds, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let reported = !fds[0].revents().is_empty();
        drop(fds);
        while let Some(signal) = signals.next() {
            // It may have gone already.
            let _ = kill_process(Pid::from_child(child), signal);
        }
        if reported {
            let mut report = [0];
            return match reader.read(&mut report) {
                Ok(1) if report[0] == READY => Ok(ExitCode::SUCCESS),
                _ => failed(child),
            };
        }
    }
}

fn failed(child: &mut Child) -> io::Result<ExitCode> {
    let code = child.wait()?.code().and_then(|code| u8::try_from(code).ok());
    Ok(ExitCode::from(code.unwrap_or(FAILURE)))
}

fn null() -> io::Result<File> {
    File::options().read(true).write(true).open("/dev/null")
}

impl Background {
    /// Leaves the terminal and tells the first process that it stands.
    ///
    /// stderr goes as well, unless it was asked to show what happens: `keep_stderr`.
    ///
    /// # Errors
    /// Those of the system; when the first process is gone there is nobody to work for.
    pub fn detach(mut self, keep_stderr: bool) -> io::Result<()> {
        // Fails for a process that leads its group, which is then detached already.
        let _ = setsid();
        let null = null()?;
        rustix::stdio::dup2_stdout(&null)?;
        self.report.write_all(&[READY])?;
        if !keep_stderr {
            rustix::stdio::dup2_stderr(&null)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::Signal;

    /// What the first process makes of a second one that is this shell script.
    fn outcome(script: &str, signal: Option<Signal>) -> ExitCode {
        let (reader, mut child) = start(Command::new("/bin/sh").args(["-c", script])).unwrap();
        let signals = Signals::scripted(&ENDING, signal);
        wait(reader, &mut child, &signals).unwrap()
    }

    /// The only thing a test can see of an exit code.
    fn is(code: ExitCode, expected: u8) {
        assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::from(expected)));
    }

    #[test]
    fn the_first_process_ends_well_once_the_second_has_reported() {
        is(outcome("printf + >&0", None), 0);
    }

    #[test]
    fn a_second_process_that_ends_first_gives_its_exit_code() {
        is(outcome("exit 7", None), 7);
        is(outcome("printf - >&0; exit 3", None), 3);
        is(outcome("kill -KILL $$", None), 255);
    }

    #[test]
    fn a_signal_goes_to_the_second_process_too() {
        is(outcome("exec sleep 60", Some(Signal::TERM)), 255);
    }

    #[test]
    fn the_second_process_knows_what_it_is() {
        is(outcome(&format!("test \"${MARK}\" = $PPID && printf + >&0"), None), 0);
    }
}
