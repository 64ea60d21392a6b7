//! Commands, shells and subsystems: their status, their streams, their surroundings.

use super::ssh;
use adit_interop_tests::{
    aditd,
    carry::MIB,
    deadline::eventually,
    pattern::Pattern,
    scratch::Scratch,
    sshd::{Sshd, user_name},
};
use std::{
    fs,
    io::Write,
    process::{Command, Stdio},
    thread,
};

fn says(server: &Sshd, remote_command: &str) -> String {
    let finished = ssh(server).run_remotely(&[remote_command]);
    assert_eq!(finished.code, Some(0), "{remote_command}: {finished:?}");
    finished.stdout
}

/// Runs a remote command with something on its standard input.
fn fed(server: &Sshd, remote_command: &[&str], input: &[u8]) -> String {
    let mut child = ssh(server)
        .command(remote_command)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the client starts");
    child.stdin.take().expect("piped").write_all(input).expect("taken");
    let output = child.wait_with_output().expect("a child");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn the_commands_status_is_the_clients() {
    let server = aditd::start();
    for code in [0, 1, 7, 254] {
        ssh(&server).run_remotely(&["exit", &code.to_string()]).assert(code, &[]);
    }
}

#[test]
fn a_command_killed_by_a_signal_has_no_status() {
    let server = aditd::start();
    ssh(&server).run_remotely(&["kill -KILL $$"]).assert(255, &[]);
    ssh(&server).arg("-v").run_remotely(&["kill -TERM $$"]).assert(255, &["rtype exit-signal"]);
}

#[test]
fn a_command_that_is_not_there_is_127() {
    ssh(&aditd::start()).run_remotely(&["no-such-command-anywhere"]).assert(127, &["not found"]);
}

#[test]
fn stdout_and_stderr_stay_apart() {
    let server = aditd::with(&["LogLevel ERROR"]);
    let finished = ssh(&server).run_remotely(&["echo to out; echo to err >&2"]);
    assert_eq!((&*finished.stdout, &*finished.stderr), ("to out\n", "to err\n"));
}

#[test]
fn everything_a_command_says_arrives_before_its_status() {
    let server = aditd::start();
    for _ in 0..10 {
        let finished = ssh(&server).run_remotely(&["seq 100000; exit 3"]);
        assert_eq!((finished.stdout.lines().count(), finished.code), (100_000, Some(3)));
        assert!(finished.stdout.ends_with("\n100000\n"));
    }
}

#[test]
fn standard_input_and_its_end_reach_the_command() {
    let server = aditd::start();
    assert_eq!(fed(&server, &["sort", "-r"], b"a\nc\nb\n"), "c\nb\na\n");
    assert_eq!(fed(&server, &["wc -c"], &vec![b'x'; 3_000_000]).trim(), "3000000");
}

#[test]
fn a_command_that_does_not_read_can_be_left() {
    let server = aditd::start();
    let mut child = ssh(&server)
        .command(&["exec 0<&-; echo done"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the client starts");
    // More than any buffer on the way; the pipe breaks when the client is gone.
    let mut stdin = child.stdin.take().expect("piped");
    let writer = thread::spawn(move || stdin.write_all(&vec![0; 64 << 20]).is_err());
    let output = child.wait_with_output().expect("a child");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "done\n");
    assert!(writer.join().expect("the writer"), "not all of it can have been taken");
}

#[test]
fn much_passes_through_a_command_both_ways() {
    const LENGTH: u64 = 64 * MIB;
    let server = aditd::start();
    let mut child = ssh(&server)
        .command(&["cat"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the client starts");
    let stdin = child.stdin.take().expect("piped");
    let writer = thread::spawn(move || Pattern::new(4).send(stdin, LENGTH, |_| ()));
    let stdout = child.stdout.take().expect("piped");
    let count = Pattern::new(4).verify(stdout, |_| ()).expect("the same bytes");
    writer.join().expect("the writer").expect("all taken");
    assert_eq!((count, child.wait().expect("a child").code()), (LENGTH, Some(0)));
}

#[test]
fn a_shell_reads_its_commands_from_standard_input() {
    let server = aditd::start();
    assert_eq!(fed(&server, &[], b"echo from $0\nexit\n").lines().count(), 1);
    let first = fed(&server, &[], b"echo $0\n");
    assert!(first.starts_with('-'), "a login shell's name begins with a dash: {first:?}");
}

#[test]
fn the_surroundings_are_the_users() {
    let server = aditd::start();
    let entry = Command::new("getent").args(["passwd", &user_name()]).output().expect("getent");
    let entry = String::from_utf8_lossy(&entry.stdout).trim().to_owned();
    let fields: Vec<_> = entry.split(':').collect();
    let (home, shell) = (fields[5], fields[6]);
    let text = says(&server, "echo $USER; echo $LOGNAME; echo $HOME; echo $SHELL; pwd; umask");
    let user = user_name();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[..5], [&*user, &user, home, shell, home], "{text}");
    assert!(!says(&server, "echo $PATH").trim().is_empty());
}

#[test]
fn the_connection_is_told_to_the_command() {
    let server = aditd::start();
    let port = server.endpoint.port;
    let text = says(&server, "echo $SSH_CONNECTION; echo $SSH_CLIENT; echo \"tty:$SSH_TTY\"");
    let lines: Vec<_> = text.lines().collect();
    let words: Vec<_> = lines[0].split(' ').collect();
    assert_eq!((words[0], words[2], words[3]), ("127.0.0.1", "127.0.0.1", &*port.to_string()));
    assert_eq!(lines[1], format!("127.0.0.1 {} {port}", words[1]));
    assert_eq!(lines[2], "tty:");
}

#[test]
fn nothing_of_the_servers_own_surroundings_leaks() {
    let server = aditd::setup().env("ADIT_SECRET_OF_THE_SERVER", "leaked").start();
    let text = says(&server, "env");
    assert!(!text.contains("ADIT_SECRET_OF_THE_SERVER"), "{text}");
    assert!(!text.contains("NOTIFY_SOCKET") && !text.contains("LISTEN_FDS"), "{text}");
}

#[test]
fn no_descriptor_of_the_server_leaks_into_a_command() {
    let server = aditd::start();
    let text = says(&server, "ls /proc/self/fd | tr '\\n' ' '");
    // Number 3 is the folder that ls itself reads.
    assert_eq!(text.trim(), "0 1 2 3");
}

#[test]
fn variables_of_the_client_are_accepted_by_pattern() {
    let server = aditd::with(&["AcceptEnv LC_* EXACT", "AcceptEnv SECOND"]);
    let finished = ssh(&server)
        .option("SetEnv=LC_ONE=1 EXACT=2 SECOND=3 OTHER=4")
        .run_remotely(&["echo $LC_ONE-$EXACT-$SECOND-$OTHER"]);
    assert_eq!(finished.stdout, "1-2-3-\n", "{finished:?}");
    let nothing = ssh(&aditd::start()).option("SetEnv=LC_ONE=1").run_remotely(&["echo -$LC_ONE"]);
    assert_eq!(nothing.stdout, "-\n", "nothing is accepted by default");
}

#[test]
fn variables_of_the_configuration_win() {
    let server = aditd::with(&["AcceptEnv *", "SetEnv MINE=deep OTHER=\"two words\""]);
    let finished = ssh(&server).option("SetEnv=MINE=shallow").run_remotely(&["echo $MINE,$OTHER"]);
    assert_eq!(finished.stdout, "deep,two words\n", "{finished:?}");
}

#[test]
fn a_forced_command_knows_what_was_asked_for() {
    let forced = "ForceCommand echo \"forced: $SSH_ORIGINAL_COMMAND\"";
    let server = aditd::setup().line(forced).key_options("command=\"echo by key\"").start();
    assert_eq!(says(&server, "rm -rf /"), "forced: rm -rf /\n");
    let finished = ssh(&server).run();
    assert_eq!(finished.stdout, "forced: \n", "no command was asked for: {finished:?}");
}

#[test]
fn an_unknown_subsystem_is_refused() {
    ssh(&aditd::start())
        .arg("-s")
        .run_remotely(&["no-such-subsystem"])
        .assert(255, &["subsystem request failed on channel 0"]);
}

#[test]
fn a_subsystem_of_the_configuration_runs() {
    let scratch = Scratch::new();
    let script = scratch.write("greeter", "echo subsystem says $1\n");
    let server = aditd::with(&[&format!("Subsystem greeter /bin/sh {} hello", script.display())]);
    let finished = ssh(&server).arg("-s").run_remotely(&["greeter"]);
    assert_eq!(finished.stdout, "subsystem says hello\n", "{finished:?}");
}

#[test]
fn a_command_left_alone_is_told_by_a_broken_pipe() {
    let server = aditd::start();
    let mut client = ssh(&server).command(&["echo $$; while echo still here; do sleep 0.1; done"]);
    let mut process = adit_interop_tests::child::Guarded::start("the client", &mut client);
    let pid = process.stdout.wait_for("");
    process.signal(rustix::process::Signal::KILL);
    process.wait();
    eventually("the end of the command", || (!alive(pid.trim())).then_some(()));
}

/// Whether the process is there; a dead one that nobody has asked after does not count.
fn alive(pid: &str) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

#[test]
fn no_process_is_left_behind_unasked_after() {
    let server = aditd::start();
    let pids: Vec<_> = (0..5).map(|_| says(&server, "echo $$")).collect();
    for pid in pids {
        let there = || fs::exists(format!("/proc/{}", pid.trim())).unwrap_or(false);
        eventually("a process reaped", || (!there()).then_some(()));
    }
}

#[test]
fn thirty_commands_in_a_row_leave_no_descriptor_behind() {
    let server = aditd::open_to_us().start();
    let descriptors =
        || fs::read_dir(format!("/proc/{}/fd", server.process.pid())).map_or(0, Iterator::count);
    says(&server, "true");

    let before = descriptors();
    (0..30).for_each(|_| drop(says(&server, "true")));
    eventually("descriptors given back", || (descriptors() <= before).then_some(()));
}
