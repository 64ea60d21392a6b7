//! A terminal that a client believes in, so that sizes, their changes and line editing can be tried.
//! Touches: a pseudo-terminal pair.   Never: the terminal of whoever runs the tests.
//! Invariants: the program under test holds the far end as its standard streams; stderr stays apart.
//! Errors: a panic when the system has no terminal to give.   Allocates: the log.
//! Proved by: `server/terminal.rs` in `tests/interop`.

use crate::{
    child::{Guarded, send},
    log::Log,
};
use rustix::{
    fs::{Mode, OFlags, open},
    process::Signal,
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Winsize, tcsetwinsize},
};
use std::{
    fs::File,
    io::Write,
    process::{Command, Stdio},
};

/// A program at a terminal.
#[derive(Debug)]
pub struct Terminal {
    /// The program; its standard streams are the terminal's.
    pub process: Guarded,
    /// What appears on the screen.
    pub screen: Log,
    keyboard: File,
}

impl Terminal {
    /// Starts `command` at a terminal of this size. It is taken, as the screen ends when nobody holds the far end.
    ///
    /// # Panics
    /// When the system has no terminal to give or the program does not start.
    pub fn start(mut command: Command, rows: u16, columns: u16) -> Self {
        let near = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&near).and_then(|()| unlockpt(&near)).expect("our own terminal");
        let name = ptsname(&near, Vec::new()).expect("its name");
        let far = open(&name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).expect("its far end");
        let keyboard = File::from(near);
        resize(&keyboard, rows, columns);
        let streams = || Stdio::from(far.try_clone().expect("a descriptor"));
        command.stdin(streams()).stdout(streams()).stderr(Stdio::piped());
        let process = Guarded::attach("the client", &mut command);
        let screen = Log::follow(keyboard.try_clone().expect("a descriptor"));
        Self { process, screen, keyboard }
    }

    /// Presses keys.
    ///
    /// # Panics
    /// When the terminal is gone.
    pub fn types(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).expect("the terminal takes keys");
    }

    /// Changes the size and tells the program, as a terminal's window does.
    pub fn resize(&self, rows: u16, columns: u16) {
        resize(&self.keyboard, rows, columns);
        // The kernel tells the foreground group only, and nobody here has made this terminal its own.
        send(self.process.pid(), Signal::WINCH);
    }
}

fn resize(terminal: &File, rows: u16, columns: u16) {
    let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(terminal, size).expect("our own terminal");
}
