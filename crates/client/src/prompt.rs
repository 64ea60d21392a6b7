//! Prompts: questions on the terminal, or through the program SSH_ASKPASS names.
//! Touches: /dev/tty, a child process.   Never: stdin and stdout.
//! Invariants: the terminal is as it was when a prompt returns, also when a signal ends it; answers are zeroized.
//! Errors: `None` when nobody can be asked or the user gives none.   Allocates: the answer.
//! Proved by: `tests` below, interop `auth_methods.rs`, `host_keys.rs`.

use rustix::event::{PollFd, PollFlags, poll};
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use std::env;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::{Command, Stdio};
use zeroize::{Zeroize, Zeroizing};

/// Longest answer taken, in bytes.
const LONGEST: usize = 1024;

/// What answers are typed by whom, and shown or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Echo {
    /// A secret.
    Off,
    /// Anything else.
    On,
}

/// Somebody to ask.
pub(crate) trait Prompter {
    /// Shows `text` and gives the line typed, without its end; nothing when nobody answers.
    fn ask(&self, text: &str, echo: Echo) -> Option<Zeroizing<String>>;
}

/// Asks the user.
#[derive(Debug)]
pub(crate) struct Terminal {
    /// Nobody is to be asked (`BatchMode`).
    pub(crate) batch: bool,
    /// Become readable when a signal came that ends the program.
    pub(crate) interrupts: Vec<OwnedFd>,
}

impl Prompter for Terminal {
    fn ask(&self, text: &str, echo: Echo) -> Option<Zeroizing<String>> {
        if self.batch {
            return None;
        }
        let askpass = Askpass::from_env();
        if askpass.wanted {
            return askpass.ask(text);
        }
        match File::options().read(true).write(true).open("/dev/tty") {
            Ok(terminal) => self.ask_on(&terminal, text, echo),
            Err(_) if askpass.allowed => askpass.ask(text),
            Err(_) => None,
        }
    }
}

impl Terminal {
    /// Asks on a terminal.
    fn ask_on(&self, mut terminal: &File, text: &str, echo: Echo) -> Option<Zeroizing<String>> {
        let _restore = (echo == Echo::Off).then(|| Hidden::new(terminal.as_fd()));
        terminal.write_all(text.as_bytes()).ok()?;
        let line = self.read_line(terminal);
        if echo == Echo::Off || line.is_none() {
            // The user's own line end was not shown.
            let _ = terminal.write_all(b"\n");
        }
        line
    }

    fn read_line(&self, mut terminal: &File) -> Option<Zeroizing<String>> {
        let mut line = Zeroizing::new(Vec::with_capacity(LONGEST));
        let mut byte = Zeroizing::new([0]);
        while line.len() < LONGEST {
            self.wait_for(terminal.as_fd())?;
            match terminal.read(byte.as_mut()) {
                Ok(1) if byte[0] != b'\n' => line.push(byte[0]),
                Ok(1) => break,
                Ok(_) if line.is_empty() => return None,
                Ok(_) => break,
                Err(_) => return None,
            }
        }
        String::from_utf8(std::mem::take(&mut *line)).ok().map(Zeroizing::new)
    }

    /// Waits for input; nothing when a signal came first.
    fn wait_for(&self, terminal: BorrowedFd<'_>) -> Option<()> {
        let mut fds = vec![PollFd::from_borrowed_fd(terminal, PollFlags::IN)];
        fds.extend(self.interrupts.iter().map(|fd| PollFd::new(fd, PollFlags::IN)));
        loop {
            match poll(&mut fds, None) {
                Ok(_) if fds[1..].iter().any(|fd| !fd.revents().is_empty()) => return None,
                Ok(_) if !fds[0].revents().is_empty() => return Some(()),
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(_) => return None,
            }
        }
    }
}

/// A terminal that does not show what is typed, until this is dropped.
struct Hidden<'a> {
    terminal: BorrowedFd<'a>,
    before: Option<rustix::termios::Termios>,
}

impl<'a> Hidden<'a> {
    fn new(terminal: BorrowedFd<'a>) -> Self {
        let before = tcgetattr(terminal).ok();
        if let Some(mut hidden) = before.clone() {
            hidden.local_modes -= LocalModes::ECHO | LocalModes::ECHONL;
            let _ = tcsetattr(terminal, OptionalActions::Flush, &hidden);
        }
        Self { terminal, before }
    }
}

impl Drop for Hidden<'_> {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            let _ = tcsetattr(self.terminal, OptionalActions::Flush, before);
        }
    }
}

/// What the environment says of SSH_ASKPASS.
#[derive(Debug, PartialEq, Eq)]
struct Askpass {
    program: String,
    /// Rather than a terminal.
    wanted: bool,
    /// Where there is no terminal.
    allowed: bool,
}

impl Askpass {
    fn from_env() -> Self {
        Self::new(|name| env::var(name).ok().filter(|value| !value.is_empty()))
    }

    /// ssh(1), ENVIRONMENT.
    fn new(variable: impl Fn(&str) -> Option<String>) -> Self {
        let require = variable("SSH_ASKPASS_REQUIRE");
        let require = require.as_deref();
        let display = variable("DISPLAY").is_some() || variable("WAYLAND_DISPLAY").is_some();
        let program = variable("SSH_ASKPASS");
        let possible = program.is_some() && require != Some("never");
        Self {
            wanted: possible && (require == Some("force") || require == Some("prefer") && display),
            allowed: possible && (require == Some("force") || display),
            program: program.unwrap_or_default(),
        }
    }

    fn ask(&self, text: &str) -> Option<Zeroizing<String>> {
        let child = Command::new(&self.program)
            .arg(text)
            .env_remove(adit_reactor::background::MARK)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn();
        let mut output = match child.and_then(std::process::Child::wait_with_output) {
            Ok(output) => output,
            Err(error) => {
                crate::log::error!(
                    "ssh_askpass: exec({}): {}",
                    self.program,
                    adit_forward::os_words(&error)
                );
                return None;
            }
        };
        let line =
            output.stdout.split(|byte| matches!(byte, b'\n' | b'\r')).next().unwrap_or_default();
        let answer = String::from_utf8(line.to_vec()).ok().map(Zeroizing::new);
        output.stdout.zeroize();
        answer.filter(|_| output.status.success())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn askpass(variables: &[(&str, &str)]) -> (bool, bool) {
        let askpass = Askpass::new(|name| {
            variables.iter().find(|(each, _)| *each == name).map(|(_, value)| (*value).to_owned())
        });
        (askpass.wanted, askpass.allowed)
    }

    #[test]
    fn askpass_is_used_as_the_environment_asks() {
        let program = ("SSH_ASKPASS", "/bin/echo");
        let display = ("DISPLAY", ":0");
        assert_eq!(askpass(&[]), (false, false));
        assert_eq!(askpass(&[program]), (false, false));
        assert_eq!(askpass(&[program, display]), (false, true));
        assert_eq!(askpass(&[program, ("SSH_ASKPASS_REQUIRE", "prefer")]), (false, false));
        assert_eq!(askpass(&[program, display, ("SSH_ASKPASS_REQUIRE", "prefer")]), (true, true));
        assert_eq!(askpass(&[program, ("SSH_ASKPASS_REQUIRE", "force")]), (true, true));
        assert_eq!(askpass(&[program, display, ("SSH_ASKPASS_REQUIRE", "never")]), (false, false));
    }

    #[test]
    fn an_askpass_answer_is_its_first_line() {
        let echo = Askpass { program: "/bin/echo".into(), wanted: true, allowed: true };
        assert_eq!(echo.ask("the answer").unwrap().as_str(), "the answer");
        let fails = Askpass { program: "/bin/false".into(), wanted: true, allowed: true };
        assert_eq!(fails.ask("anything"), None);
    }

    #[test]
    fn nobody_is_asked_in_batch_mode() {
        assert_eq!(Terminal { batch: true, interrupts: Vec::new() }.ask("?", Echo::On), None);
    }
}
