//! The system gives no more: descriptors, room on the disk, a file that may be written.

use super::{both_are_ours, by_link};
use adit_interop_tests::{
    aditd,
    carry::through_echo,
    child::Guarded,
    client::{Invocation, program},
    deadline::eventually,
    ports::{connect, free_port},
    scratch::Scratch,
    service::Service,
    skip::skip,
    sshd::Sshd,
};
use std::{
    fs,
    net::TcpStream,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Duration,
};

/// Descriptors for everything.
const FEW: u64 = 32;

/// The part of `time` that it computes.
pub(super) fn share_of_processor(process: &Guarded, time: Duration) -> f64 {
    let before = process.cpu_seconds();
    // The length of a measurement, not a wait for something.
    thread::sleep(time);
    (process.cpu_seconds() - before) / time.as_secs_f64()
}

/// More connections at `port` than there are descriptors, held.
fn too_many(port: u16) -> Vec<TcpStream> {
    (0..2 * FEW).map(|_| TcpStream::connect(("127.0.0.1", port)).expect("a connection")).collect()
}

/// Waits until a process has as good as all it may; a few are taken and given back now and then.
fn wait_until_taken(process: &Guarded) {
    eventually("all descriptors taken", || (process.descriptors() as u64 >= FEW - 2).then_some(()));
}

#[test]
fn a_client_out_of_descriptors_rests_and_recovers() {
    if !both_are_ours() {
        return;
    }
    let (server, echo, local) = (aditd::start(), Service::echo(), free_port());
    let mut client = by_link(&server, server.endpoint.port)
        .args(["-L", &format!("127.0.0.1:{local}:127.0.0.1:{}", echo.port())])
        .tunnel()
        .listening(local);
    client.process.limit_descriptors(FEW);
    let crowd = too_many(local);
    wait_until_taken(&client.process);
    let share = share_of_processor(&client.process, Duration::from_secs(2));
    assert!(share < 0.02, "{share}: it spins");
    client.assert_runs();
    drop(crowd);
    through_echo(&mut connect(local), 100_000);
}

#[test]
fn a_server_out_of_descriptors_rests_and_recovers() {
    if !both_are_ours() {
        return;
    }
    let mut server = aditd::with(&["MaxStartups 1000", "PerSourceMaxStartups none"]);
    server.process.limit_descriptors(FEW);
    let crowd = too_many(server.endpoint.port);
    wait_until_taken(&server.process);
    let share = share_of_processor(&server.process, Duration::from_secs(2));
    assert!(share < 0.02, "{share}: it spins");
    assert!(server.process.ended().is_none());
    drop(crowd);
    Invocation::to(&server.endpoint).log_in().assert(0, &[]);
}

#[test]
fn targets_a_server_has_no_descriptors_for_are_refused_and_reached_later() {
    if !both_are_ours() {
        return;
    }
    let (server, echo, local) = (aditd::start(), Service::echo(), free_port());
    let mut client = by_link(&server, server.endpoint.port)
        .args(["-L", &format!("127.0.0.1:{local}:127.0.0.1:{}", echo.port())])
        .tunnel()
        .listening(local);
    let descriptors = server.process.descriptors();
    server.process.limit_descriptors(FEW);
    let crowd = too_many(local);
    eventually("refusals", || (client.process.stderr.count("open failed") > 0).then_some(()));
    let share = share_of_processor(&server.process, Duration::from_secs(2));
    assert!(share < 0.02, "{share}: it spins");
    drop(crowd);
    eventually("descriptors back", || (server.process.descriptors() == descriptors).then_some(()));
    client.assert_runs();
    through_echo(&mut connect(local), 100_000);
}

/// A first connection to `server` with these known hosts.
fn first_connection(server: &Sshd, known_hosts: &str) -> Invocation {
    accepting_new(Invocation::to(&server.endpoint), known_hosts)
}

fn accepting_new(client: Invocation, known_hosts: &str) -> Invocation {
    client
        .option(format!("UserKnownHostsFile={known_hosts}"))
        .option("StrictHostKeyChecking=accept-new")
}

#[test]
fn a_host_that_cannot_be_written_down_is_said_and_reached() {
    if !both_are_ours() {
        return;
    }
    let (server, scratch) = (aditd::start(), Scratch::new());
    let not_a_folder = scratch.write("file", "").join("known_hosts").display().to_string();
    // No folder; and one where nobody can make files, root included.
    for known_hosts in [&not_a_folder, "/proc/self/known_hosts"] {
        let finished = first_connection(&server, known_hosts).log_in();
        let complaint =
            format!("Failed to add the host to the list of known hosts ({known_hosts}).");
        finished.assert(0, &[&complaint]);
    }
}

/// The client in a world of its own where `$1` is a disk of 16 KiB, filled but for what `$2` takes of a page.
const FULL_DISK: &str = r#"
set -e
disk=$1 size=$2 after=$3
shift 3
mount -t tmpfs -o size=16k none "$disk"
head -c $((size - 1)) /dev/zero | tr '\0' '#' >"$disk/known_hosts"
echo >>"$disk/known_hosts"
cat /dev/zero >"$disk/rest" 2>/dev/null || true
code=0
"$@" || code=$?
cp "$disk/known_hosts" "$after"
exit $code
"#;

/// A mount of one's own takes root, and a kernel that lets it.
fn may_mount() -> bool {
    let mut mount = Command::new("unshare");
    let tried = mount.args(["-m", "mount", "-t", "tmpfs", "none", "/mnt"]).output();
    let works = tried.is_ok_and(|output| output.status.success());
    if !works {
        skip("there can be no mount that others do not see");
    }
    works
}

#[test]
fn a_full_disk_keeps_its_list_as_it_was_and_the_login_goes_on() {
    if !both_are_ours() || !may_mount() {
        return;
    }
    let (server, scratch) = (aditd::start(), Scratch::new());
    let (disk, after) = (scratch.join("disk"), scratch.join("after"));
    fs::create_dir(&disk).expect("our own folder");
    let known_hosts = disk.join("known_hosts").display().to_string();
    // No byte has room; half a line has.
    for size in [4096, 4000] {
        let in_its_world = Invocation::to(&server.endpoint)
            .program(PathBuf::from("unshare"))
            .args(["-m", "sh", "-c", FULL_DISK, "sh"])
            .args([&disk, Path::new(&size.to_string()), &after, &program()]);
        let finished = accepting_new(in_its_world, &known_hosts).log_in();
        let complaint =
            format!("Failed to add the host to the list of known hosts ({known_hosts}).");
        finished.assert(0, &[&complaint]);
        let mut expected = vec![b'#'; size - 1];
        expected.push(b'\n');
        assert!(fs::read(&after).expect("a copy") == expected, "changed at {size}");
    }
}
