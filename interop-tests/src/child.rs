//! One child process, ended by pid when its guard goes, with everything that descends from it.
//! Touches: `fork`, `kill`, `/proc`.   Never: processes that it did not start.
//! Invariants: reaped at drop; stderr is always kept.
//! Errors: a panic when the program cannot be started.   Allocates: the log.
//! Proved by: every interop test.

use crate::{deadline::eventually, log::Log};
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, prlimit};
use std::{
    fs,
    io::Write,
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    thread,
    time::Duration,
};

/// A running program and what it says.
#[derive(Debug)]
pub struct Guarded {
    name: String,
    child: Child,
    /// What it writes to stderr.
    pub stderr: Log,
    /// What it writes to stdout.
    pub stdout: Log,
    stdin: Option<ChildStdin>,
}

impl Guarded {
    /// Starts `command` with its three streams on pipes. `name` heads its log when a test fails.
    pub fn start(name: &str, command: &mut Command) -> Self {
        Self::attach(
            name,
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()),
        )
    }

    /// Starts `command` with the streams it was given; those that are pipes are followed.
    pub fn attach(name: &str, command: &mut Command) -> Self {
        let mut child =
            command.spawn().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        Self {
            name: name.to_owned(),
            stderr: child.stderr.take().map(Log::follow).unwrap_or_default(),
            stdout: child.stdout.take().map(Log::follow).unwrap_or_default(),
            stdin: child.stdin.take(),
            child,
        }
    }

    /// Its process number.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child of this process")
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> ExitStatus {
        let what = format!("the end of {}", self.name);
        eventually(&what, || self.ended())
    }

    /// Writes to its standard input.
    pub fn write_stdin(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_mut().expect("standard input is still open");
        stdin.write_all(bytes).expect("the child reads its standard input");
    }

    /// Closes its standard input.
    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Hands its standard input over, for a thread that writes much.
    pub fn take_stdin(&mut self) -> ChildStdin {
        self.stdin.take().expect("standard input is still open")
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        send(self.pid(), signal);
    }

    /// Processor time of all its threads so far, in seconds; 0 where the system does not count it.
    pub fn cpu_seconds(&self) -> f64 {
        let threads = fs::read_dir(format!("/proc/{}/task", self.pid())).into_iter().flatten();
        let nanoseconds = threads
            .flatten()
            .filter_map(|thread| fs::read_to_string(thread.path().join("schedstat")).ok())
            .filter_map(|text| text.split(' ').next().and_then(|first| first.parse::<u64>().ok()));
        Duration::from_nanos(nanoseconds.sum()).as_secs_f64()
    }

    /// How many descriptors it has open.
    pub fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.pid())).into_iter().flatten().count()
    }

    /// Its memory that is in use, in KiB.
    pub fn resident_kib(&self) -> usize {
        let text = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap_or_default();
        let row = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        row.and_then(|row| row.split_whitespace().next()?.parse().ok()).unwrap_or_default()
    }

    /// It may have so many descriptors from now on; those it has stay.
    ///
    /// # Panics
    /// When the system does not allow it.
    pub fn limit_descriptors(&self, most: u64) {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw);
        let maximum = getrlimit(Resource::Nofile).maximum;
        let limit = Rlimit { current: Some(most), maximum };
        prlimit(pid, Resource::Nofile, limit).expect("a limit for a process of ours");
    }

    /// Everything that descends from it now, children first.
    pub fn descendants(&self) -> Vec<u32> {
        let mut found = children(self.pid());
        let mut next = 0;
        while next < found.len() {
            found.extend(children(found[next]));
            next += 1;
        }
        found
    }
}

/// Sends `signal` to `pid`, which may be gone already.
pub fn send(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, signal);
    }
}

fn children(pid: u32) -> Vec<u32> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    threads
        .filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok())
        .flat_map(|list| {
            list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>()
        })
        .collect()
}

impl Drop for Guarded {
    fn drop(&mut self) {
        let family = self.descendants();
        send(self.pid(), Signal::KILL);
        family.into_iter().for_each(|pid| send(pid, Signal::KILL));
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("---- {} said:\n{}", self.name, last_lines(&self.stderr.text(), 80));
        }
    }
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}
