//! One system call of a client fails, whichever, while it makes up its mind about a host key that it must not believe.

use super::{both_are_ours, each, slow};
use adit_interop_tests::{
    aditd,
    client::{self, Finished, Invocation},
    keys,
    scratch::Scratch,
    skip::skip,
    sshd::Sshd,
};
use std::{
    collections::{BTreeSet, HashMap},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const ANOTHER_KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";

/// A call by its name, and the how-manieth of that name.
type Call = (String, usize);

/// Calls that cannot fail, so that nobody asks whether they have.
const INFALLIBLE: [&str; 6] = ["exit_group", "getegid", "geteuid", "getgid", "getppid", "getuid"];

/// Calls that bring what a decision rests on; others are for nights.
const DECISIVE: [&str; 3] = ["openat", "read", "statx"];

/// Every call of a trace from its first connection on.
fn calls(trace: &str) -> BTreeSet<Call> {
    let mut counts = HashMap::new();
    let begun = trace.lines().filter_map(|line| {
        let (thread, call) = line.split_once(' ')?;
        let (name, _) = call.trim_start().split_once('(')?;
        let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        is_name.then_some((thread, name))
    });
    // strace counts in each thread for itself.
    let counted = begun.map(|(thread, name)| {
        let count = counts.entry((thread, name)).or_insert(0);
        *count += 1;
        (name.to_owned(), *count)
    });
    let behind = counted.skip_while(|(name, _)| name != "connect");
    behind.filter(|(name, _)| !INFALLIBLE.contains(&&**name)).collect()
}

/// A server, and lists of hosts with which nobody may log in there.
struct Untrusted {
    server: Sshd,
    lists: Scratch,
    trace: Scratch,
}

impl Untrusted {
    /// The lists of the user and of the system, with what stands for the server's name and its key filled in.
    fn new(user: &str, global: &str) -> Self {
        let (server, lists) = (aditd::start(), Scratch::new());
        let name = format!("[127.0.0.1]:{}", server.endpoint.port);
        let key = keys::public_key(&server.scratch.join("host-ed25519-256"));
        let filled = |list: &str| {
            list.replace("NAME", &name).replace("KEY", &key).replace("OTHER", ANOTHER_KEY)
        };
        lists.write("user", filled(user));
        lists.write("global", filled(global));
        Self { server, lists, trace: Scratch::new() }
    }

    /// Tries to log in under strace.
    fn tries(&self, trace: &Path, injection: &[String]) -> Finished {
        let list = |name: &str| self.lists.join(name).display().to_string();
        Invocation::to_host(&self.server.endpoint)
            .program(PathBuf::from("strace"))
            .args(["-f", "-qq", "-o"])
            .arg(trace)
            .args(injection)
            .arg("--")
            .arg(client::program())
            .option(format!("UserKnownHostsFile={}", list("user")))
            .option(format!("GlobalKnownHostsFile={}", list("global")))
            .option("StrictHostKeyChecking=yes")
            .option("BatchMode=yes")
            .option("ConnectTimeout=10")
            .arg("-i")
            .arg(&self.server.endpoint.identity)
            .log_in()
    }

    fn holds_whatever_fails(&self) {
        let whole = self.trace.join("whole");
        let finished = self.tries(&whole, &[]);
        finished.assert(255, &["Host key verification failed."]);
        let calls = calls(&fs::read_to_string(&whole).expect("a trace"));
        assert!(calls.iter().any(|(name, _)| name == "read"), "{calls:?}");
        let is_chosen = |(name, _): &&Call| slow() || DECISIVE.contains(&&**name);
        let chosen: Vec<_> = calls.iter().filter(is_chosen).collect();
        each(chosen.len(), |number| {
            let (name, nth) = chosen[number];
            let injection = format!("inject={name}:error=EIO:when={nth}");
            let trace = self.trace.join(&number.to_string());
            let finished = self.tries(&trace, &["-e".into(), injection.clone()]);
            assert_ne!(finished.code, Some(0), "{injection}: {finished:#?}");
            // Without random bytes there is nothing to go on with.
            let stopped = finished.stderr.contains("panicked") && name != "getrandom";
            assert!(!stopped, "{injection}: {finished:#?}");
            assert_eq!(self.server.log().count("Accepted"), 0, "{injection}: {finished:#?}");
        });
    }
}

fn strace_works() -> bool {
    let traced = Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).status();
    let works = traced.is_ok_and(|status| status.success());
    if !works {
        skip("strace is not there, or may not trace");
    }
    works
}

#[test]
fn a_host_that_is_not_to_be_believed_is_not_whichever_call_fails() {
    if !both_are_ours() || !strace_works() {
        return;
    }
    for (user, global) in [
        // Nothing is known of it; its key is another; it is revoked in the other list, or in the same.
        ("", ""),
        ("NAME OTHER\n", ""),
        ("NAME KEY\n", "@revoked * KEY\n"),
        ("NAME KEY\n@revoked * KEY\n", ""),
    ] {
        Untrusted::new(user, global).holds_whatever_fails();
    }
}
