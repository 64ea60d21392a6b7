//! A pseudo-terminal for a session. RFC 4254 §6.2, §6.7, pty(7).
//! Touches: the terminal's two descriptors, its owner and settings.   Never: what is typed or shown.
//! Invariants: the terminal is its user's alone before anything runs on it.
//! Errors: `io::Error` of the system.   Allocates: per terminal.
//! Proved by: `tests` below and those of the session.

use super::leader::Ends;
use super::modes;
use crate::host::SystemAccount;
use adit_engine::WindowChange;
use nix::unistd::Group;
use rustix::fs::{Mode, OFlags};
use rustix::process::{Gid, Uid};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, Winsize, tcgetattr, tcsetattr, tcsetwinsize};
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;

/// What a client wants its terminal to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TerminalWish {
    /// Value of TERM.
    pub(crate) term: String,
    /// Its size.
    pub(crate) size: WindowChange,
    /// Encoded modes. RFC 4254 §8.
    pub(crate) modes: Vec<u8>,
}

/// This program's end of a terminal.
#[derive(Debug)]
pub(crate) struct Terminal {
    pub(crate) master: OwnedFd,
    /// Its device.
    pub(crate) name: OsString,
}

/// The command's end of it.
#[derive(Debug)]
pub(crate) struct Line {
    /// Held until the command has it, so that the terminal does not end before it begins.
    pub(super) slave: Option<OwnedFd>,
    /// Its device: SSH_TTY.
    pub(super) name: OsString,
    /// TERM.
    pub(super) term: String,
}

impl Line {
    /// All three at once.
    pub(super) fn ends(&self) -> io::Result<Ends> {
        let slave = self.slave.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        let end = || OwnedFd::try_clone(slave);
        Ok(Ends { stdin: end()?, stdout: end()?, stderr: end()? })
    }
}

/// Makes a terminal as wished, for the account.
///
/// # Errors
/// When the system gives none.
pub(crate) fn open(system: &SystemAccount, wish: &TerminalWish) -> io::Result<(Terminal, Line)> {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    grantpt(&master)?;
    unlockpt(&master)?;
    let name = ptsname(&master, Vec::new())?;
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let slave = rustix::fs::open(&name, flags, Mode::empty())?;
    give_to(system, &slave)?;
    let mut termios = tcgetattr(&slave)?;
    modes::apply(&wish.modes, &mut termios);
    tcsetattr(&slave, OptionalActions::Now, &termios)?;
    resize(&master, wish.size)?;
    let (name, term) = (OsString::from_vec(name.into_bytes()), wish.term.clone());
    let line = Line { slave: Some(slave), name: name.clone(), term };
    Ok((Terminal { master, name }, line))
}

/// Its user owns it; others may write to it only where the system has a group for that, as `write(1)` needs.
fn give_to(system: &SystemAccount, slave: &OwnedFd) -> io::Result<()> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let group = Group::from_name("tty").ok().flatten().map(|group| group.gid.as_raw());
    let mode = if group.is_some() { 0o620 } else { 0o600 };
    let gid = Gid::from_raw(group.unwrap_or(system.gid));
    rustix::fs::fchown(slave, Some(Uid::from_raw(system.uid)), Some(gid))?;
    Ok(rustix::fs::fchmod(slave, Mode::from_raw_mode(mode))?)
}

/// Tells the terminal its size.
///
/// # Errors
/// Those of the system.
pub(super) fn resize(master: impl AsFd, size: WindowChange) -> io::Result<()> {
    let fit = |number: u32| u16::try_from(number).unwrap_or(u16::MAX);
    let size = Winsize {
        ws_row: fit(size.height_rows),
        ws_col: fit(size.width_characters),
        ws_xpixel: fit(size.width_pixels),
        ws_ypixel: fit(size.height_pixels),
    };
    Ok(tcsetwinsize(master, size)?)
}
