//! The system log: a datagram a line, to the socket every libc writes to. RFC 3164 §4.1, syslog(3).
//! Touches: `/dev/log`.   Never: the network, files.
//! Invariants: never waits; what the system log does not take is counted and told of.
//! Errors: only opening has any.   Allocates: never.
//! Proved by: `tests` below.
//!
//! No timestamp is sent: it would have to be local time, which takes the C library's say, and every receiver of a local
//! socket puts in its own.

use adit_config::types::{LogLevel, SyslogFacility};
use std::fmt::Write as _;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

const SOCKET: &str = "/dev/log";

/// The way to the system log.
pub(crate) struct Syslog {
    socket: UnixDatagram,
    path: PathBuf,
    facility: SyslogFacility,
    lost: AtomicU64,
}

impl Syslog {
    /// Finds the system log.
    ///
    /// # Errors
    /// When nobody listens.
    pub(crate) fn open(facility: SyslogFacility) -> io::Result<Self> {
        Self::open_at(Path::new(SOCKET), facility)
    }

    fn open_at(path: &Path, facility: SyslogFacility) -> io::Result<Self> {
        // Asks whether somebody listens. Lines go by address, so that a system log that is restarted is found again.
        UnixDatagram::unbound()?.connect(path)?;
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket, path: path.to_owned(), facility, lost: AtomicU64::new(0) })
    }

    /// Begins a line: priority, program, process.
    pub(crate) fn head(&self, line: &mut String, level: LogLevel) {
        let priority = facility(self.facility) << 3 | severity(level);
        // Writing to a String cannot fail.
        let _ = write!(line, "<{priority}>{}[{}]: ", crate::log::PROGRAM, std::process::id());
    }

    /// Sends a line that `head` began.
    pub(crate) fn send(&self, line: &str) {
        self.tell_of_lost();
        if self.socket.send_to(line.as_bytes(), &self.path).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn tell_of_lost(&self) {
        let lost = self.lost.swap(0, Ordering::Relaxed);
        if lost == 0 {
            return;
        }
        let mut line = String::new();
        self.head(&mut line, LogLevel::Error);
        let _ = write!(line, "error: {lost} lines were lost: the system log did not take them");
        if self.socket.send_to(line.as_bytes(), &self.path).is_err() {
            self.lost.fetch_add(lost, Ordering::Relaxed);
        }
    }
}

/// RFC 3164 §4.1.1, and LOG_AUTHPRIV beside it.
const fn facility(facility: SyslogFacility) -> u8 {
    match facility {
        SyslogFacility::User => 1,
        SyslogFacility::Daemon => 3,
        SyslogFacility::Auth => 4,
        SyslogFacility::AuthPriv => 10,
        SyslogFacility::Local0 => 16,
        SyslogFacility::Local1 => 17,
        SyslogFacility::Local2 => 18,
        SyslogFacility::Local3 => 19,
        SyslogFacility::Local4 => 20,
        SyslogFacility::Local5 => 21,
        SyslogFacility::Local6 => 22,
        SyslogFacility::Local7 => 23,
    }
}

const fn severity(level: LogLevel) -> u8 {
    match level {
        LogLevel::Quiet | LogLevel::Fatal => 2,
        LogLevel::Error => 3,
        LogLevel::Info | LogLevel::Verbose => 6,
        LogLevel::Debug1 | LogLevel::Debug2 | LogLevel::Debug3 => 7,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A system log of this test's own.
    struct Receiver {
        socket: UnixDatagram,
        path: PathBuf,
    }

    impl Receiver {
        fn new(name: &str) -> Self {
            let name = format!("aditd-syslog-{}-{name}", std::process::id());
            let path = std::env::temp_dir().join(name);
            Self { socket: UnixDatagram::bind(&path).unwrap(), path }
        }

        fn next(&self) -> String {
            let mut buffer = [0; 1024];
            let length = self.socket.recv(&mut buffer).unwrap();
            String::from_utf8(buffer[..length].to_vec()).unwrap()
        }
    }

    impl Drop for Receiver {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.path);
        }
    }

    fn say(syslog: &Syslog, level: LogLevel, words: &str) {
        let mut line = String::new();
        syslog.head(&mut line, level);
        line.push_str(words);
        syslog.send(&line);
    }

    #[test]
    fn a_line_has_priority_program_and_process() {
        let receiver = Receiver::new("line");
        let process = std::process::id();
        for (facility, level, priority) in [
            (SyslogFacility::Auth, LogLevel::Info, 38),
            (SyslogFacility::Auth, LogLevel::Error, 35),
            (SyslogFacility::AuthPriv, LogLevel::Verbose, 86),
            (SyslogFacility::Daemon, LogLevel::Fatal, 26),
            (SyslogFacility::Local7, LogLevel::Debug3, 191),
        ] {
            let syslog = Syslog::open_at(&receiver.path, facility).unwrap();
            say(&syslog, level, "words");
            assert_eq!(receiver.next(), format!("<{priority}>aditd[{process}]: words"));
        }
    }

    #[test]
    fn a_system_log_that_is_not_there_is_an_error() {
        let path = std::env::temp_dir().join(format!("aditd-syslog-{}-none", std::process::id()));
        assert!(Syslog::open_at(&path, SyslogFacility::Auth).is_err());
    }

    #[test]
    fn a_system_log_that_is_restarted_is_found_again_and_told_what_it_missed() {
        let receiver = Receiver::new("restart");
        let syslog = Syslog::open_at(&receiver.path, SyslogFacility::Auth).unwrap();
        drop(receiver);
        say(&syslog, LogLevel::Info, "one");
        say(&syslog, LogLevel::Info, "two");
        let receiver = Receiver::new("restart");
        say(&syslog, LogLevel::Info, "three");
        assert!(
            receiver.next().ends_with("error: 2 lines were lost: the system log did not take them")
        );
        assert!(receiver.next().ends_with("]: three"));
    }

    #[test]
    fn a_system_log_that_does_not_read_stops_nobody() {
        let receiver = Receiver::new("full");
        let syslog = Syslog::open_at(&receiver.path, SyslogFacility::Auth).unwrap();
        // More than any queue of datagrams holds.
        for _ in 0..10_000 {
            say(&syslog, LogLevel::Info, "words");
        }
        assert!(syslog.lost.load(Ordering::Relaxed) > 0);
    }
}
