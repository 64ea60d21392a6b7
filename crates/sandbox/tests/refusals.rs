//! What a process in the sandbox is refused, and what it still can do.
//! Touches: processes of this test's own, a scratch folder, loopback.   Never: this process's own rights.
//! Invariants: each case has a process to itself: what is given up does not come back.
//! Errors: a case that fails in its process fails here.   Allocates: freely.
//! Proved by: running it.
#![cfg(target_os = "linux")]

use adit_sandbox::{
    Force, Policy, Ports, Report, allow_images, enter, forbid_images, limit_before,
};
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::{env, fs, io, thread};

/// Names the case that a process is for, and its folder.
const CASE: &str = "ADIT_SANDBOX_CASE";
const FOLDER: &str = "ADIT_SANDBOX_FOLDER";

/// Runs a case in a process of its own; how that ended, where this is not it.
fn alone(case: &str, work: impl FnOnce(PathBuf)) -> Option<ExitStatus> {
    if env::var(CASE).is_ok_and(|wanted| wanted == case) {
        work(env::var_os(FOLDER).unwrap().into());
        return None;
    }
    let folder = env::temp_dir().join(format!("adit-sandbox-{}-{case}", std::process::id()));
    for part in ["read", "write", "sockets", "other"] {
        fs::create_dir_all(folder.join(part)).unwrap();
        fs::write(folder.join(part).join("file"), part).unwrap();
    }
    let mut command = Command::new(env::current_exe().unwrap());
    command.args([case, "--exact", "--nocapture", "--test-threads=1"]);
    let output = command.env(CASE, case).env(FOLDER, &folder).stdin(Stdio::null()).output();
    fs::remove_dir_all(&folder).unwrap();
    let output = output.unwrap();
    eprint!("{}", String::from_utf8_lossy(&output.stderr));
    Some(output.status)
}

fn succeeds(case: &str, work: impl FnOnce(PathBuf)) {
    let status = alone(case, work);
    assert!(status.is_none_or(|status| status.success()), "{status:?}");
}

/// A policy that names a folder of each kind.
fn policy(folder: &Path) -> Policy {
    Policy {
        read: vec![folder.join("read")],
        write: vec![folder.join("write")],
        sockets: vec![folder.join("sockets")],
        ..Policy::default()
    }
}

/// Whether there is something to see; said aloud where not.
fn told(what: &str, force: &Force) -> bool {
    match force {
        Force::None(why) => eprintln!("SKIPPED: {what}: {why}"),
        Force::Partial => eprintln!("{what}: in part"),
        Force::Full => {}
    }
    *force == Force::Full
}

fn denied<T>(result: io::Result<T>) {
    let error = result.err().expect("it was allowed");
    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
}

#[test]
fn files_outside_the_policy_are_closed() {
    succeeds("files_outside_the_policy_are_closed", |folder| {
        let Report { files, .. } = enter(&policy(&folder));
        if !told("Landlock", &files) {
            return;
        }
        assert_eq!(fs::read(folder.join("read/file")).unwrap(), b"read");
        denied(fs::write(folder.join("read/file"), b"x"));
        denied(fs::remove_file(folder.join("read/file")));
        let file = |name: &str| folder.join("write").join(name);
        fs::write(file("new"), b"x").unwrap();
        fs::rename(file("new"), file("file")).unwrap();
        fs::remove_file(file("file")).unwrap();
        denied(fs::create_dir(file("folder")));
        denied(fs::read(folder.join("other/file")));
        denied(fs::read("/etc/passwd"));
        denied(fs::read_dir("/"));
        let socket = folder.join("sockets/socket");
        drop(UnixListener::bind(&socket).unwrap());
        fs::remove_file(&socket).unwrap();
        denied(fs::read(folder.join("sockets/file")));
        denied(UnixListener::bind(folder.join("other/socket")));
        fs::write("/dev/null", b"x").unwrap();
    });
}

#[test]
fn ports_outside_the_policy_are_closed() {
    succeeds("ports_outside_the_policy_are_closed", |folder| {
        let here = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let (open, closed) = (here(), here());
        let [open, closed] = [&open, &closed].map(|listener| listener.local_addr().unwrap());
        let connect = Ports::Only(vec![open.port()]);
        let Report { files, .. } = enter(&Policy { connect, ..policy(&folder) });
        if !told("Landlock", &files) {
            return;
        }
        TcpStream::connect(open).unwrap();
        denied(TcpStream::connect(closed));
        denied(TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))));
    });
}

#[test]
fn a_second_policy_narrows_the_first() {
    succeeds("a_second_policy_narrows_the_first", |folder| {
        let first = policy(&folder);
        enter(&first);
        fs::write(folder.join("write/file"), b"x").unwrap();
        let other = vec![folder.join("other")];
        let Report { files, .. } = enter(&Policy { write: Vec::new(), read: other, ..first });
        if !told("Landlock", &files) {
            return;
        }
        denied(fs::read(folder.join("write/file")));
        denied(fs::read(folder.join("other/file")));
    });
}

#[test]
fn no_program_is_started_and_no_root_is_moved() {
    succeeds("no_program_is_started_and_no_root_is_moved", |folder| {
        let Report { calls, .. } = enter(&policy(&folder));
        if !told("seccomp", &calls) {
            return;
        }
        denied(Command::new("/bin/true").status());
        denied(rustix::process::chroot("/").map_err(io::Error::from));
    });
}

#[test]
fn sockets_that_no_tunnel_needs_are_not_made() {
    succeeds("sockets_that_no_tunnel_needs_are_not_made", |folder| {
        use socket2::{Domain, Protocol, Socket, Type};
        let Report { calls, .. } = enter(&policy(&folder));
        if !told("seccomp", &calls) {
            return;
        }
        for (domain, kind, protocol) in [
            (Domain::PACKET, Type::RAW, 0),
            (Domain::VSOCK, Type::STREAM, 0),
            (Domain::IPV4, Type::RAW, 1),
            (Domain::IPV6, Type::RAW, 58),
        ] {
            let denied = Socket::new(domain, kind, Some(Protocol::from(protocol))).unwrap_err();
            assert_eq!(denied.raw_os_error(), Some(1), "{domain:?} {denied}");
        }
        for domain in [Domain::IPV4, Domain::IPV6, Domain::UNIX] {
            let made = Socket::new(domain, Type::STREAM, None);
            let absent = ErrorKind::Unsupported;
            assert!(made.is_ok() || made.is_err_and(|error| error.kind() == absent), "{domain:?}");
        }
    });
}

#[test]
fn whoever_asks_for_a_back_door_is_killed() {
    let status = alone("whoever_asks_for_a_back_door_is_killed", |folder| {
        let Report { calls, .. } = enter(&policy(&folder));
        if told("seccomp", &calls) {
            let _ = rustix::mount::unmount("/nowhere", rustix::mount::UnmountFlags::empty());
            panic!("it was allowed");
        }
    });
    // SIGSYS, where there is a filter.
    let Some(status) = status else { return };
    assert!(status.signal() == Some(31) || status.success(), "{status}");
}

#[test]
fn all_threads_are_in_it() {
    succeeds("all_threads_are_in_it", |folder| {
        let (early, late) = UnixStream::pair().unwrap();
        let waiting = thread::spawn(move || (&early).read(&mut [0]).map(|_| ()));
        let Report { calls, .. } = enter(&Policy { read: vec!["/proc".into()], ..policy(&folder) });
        if !told("seccomp", &calls) {
            return;
        }
        let threads: Vec<_> = fs::read_dir("/proc/self/task").unwrap().collect();
        assert!(threads.len() >= 2);
        for thread in threads {
            let status = fs::read_to_string(thread.unwrap().path().join("status")).unwrap();
            assert!(status.contains("\nSeccomp:\t2\n"), "{status}");
            assert!(status.contains("\nNoNewPrivs:\t1\n"), "{status}");
        }
        (&late).write_all(b"x").unwrap();
        waiting.join().unwrap().unwrap();
    });
}

#[test]
fn names_are_found_and_threads_started() {
    succeeds("names_are_found_and_threads_started", |folder| {
        enter(&Policy { names: true, ..policy(&folder) });
        let found = thread::spawn(|| ("localhost", 22).to_socket_addrs().map(|mut all| all.next()));
        assert!(found.join().unwrap().unwrap().is_some());
    });
}

#[test]
fn a_process_that_starts_programs_closes_the_back_doors_alone() {
    succeeds("a_process_that_starts_programs_closes_the_back_doors_alone", |folder| {
        let Report { files, calls } = enter(&Policy { programs: true, ..policy(&folder) });
        assert!(matches!(files, Force::None(_)));
        assert!(Command::new("/bin/true").status().unwrap().success());
        if told("seccomp", &calls) {
            use rustix::{io::Errno, mount::UnmountFlags};
            let refused = rustix::mount::unmount("/nowhere", UnmountFlags::empty());
            assert_eq!(refused, Err(Errno::PERM));
        }
    });
}

#[test]
fn no_image_is_left_and_the_limit_can_be_had_back() {
    succeeds("no_image_is_left_and_the_limit_can_be_had_back", |_| {
        use rustix::process::{DumpableBehavior, Resource, dumpable_behavior, getrlimit};
        let before = getrlimit(Resource::Core);
        assert_eq!(limit_before(), None);
        forbid_images();
        assert_eq!(dumpable_behavior(), Ok(DumpableBehavior::NotDumpable));
        assert_eq!(getrlimit(Resource::Core).current, Some(0));
        allow_images(limit_before().unwrap());
        assert_eq!(getrlimit(Resource::Core), before);
    });
}
