//! Users of the system log in, and the process that talks to the network starts nothing: another one has their sessions.

use super::{
    separation::{has_ended, network, status},
    ssh,
};
use adit_interop_tests::{
    aditd::{self, only_aditd, only_root},
    carry::through_echo,
    client::Invocation,
    container::{self, Container, PASSWORD, TRIXIE, USER},
    deadline::eventually,
    ports::{connect, free_port},
    scratch::Scratch,
    service::Service,
    sshd::Sshd,
    terminal::Terminal,
};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    process::{Command, Stdio},
};

/// A server that lets root in, where there is one to test.
fn system(lines: &[&str]) -> Option<Sshd> {
    if !only_aditd() || !only_root() {
        return None;
    }
    let server = lines.iter().fold(aditd::system(), |setup, line| setup.line(*line)).start();
    assert!(network(&server).is_some(), "there are two processes");
    Some(server)
}

/// A server among users of a system of their own; it lets root in too, with the same key.
fn with_users(lines: &[&str]) -> Option<Container> {
    let setup = lines.iter().fold(aditd::system(), |setup, line| setup.line(*line));
    only_aditd().then(|| container::aditd(TRIXIE, setup)).flatten()
}

fn user(server: &Container) -> Invocation {
    Invocation::to(&server.endpoint).program("ssh".into())
}

#[test]
fn a_session_is_no_child_of_the_process_that_talks_to_the_network() {
    let Some(server) = system(&[]) else { return };
    let talks = network(&server).expect("there are two processes");
    let finished = ssh(&server).run_remotely(&["echo $PPID; id -u; grep CapBnd /proc/self/status"]);
    let lines: Vec<&str> = finished.stdout.lines().collect();
    let keeper = server.process.pid().to_string();
    assert_eq!(lines[..2], [keeper.as_str(), "0"], "{finished:?}");
    // All of root's rights are left to root's sessions.
    let bounds = status(std::process::id(), "CapBnd");
    assert_eq!(lines[2].split_whitespace().nth(1), Some(bounds[0].as_str()));
    assert_eq!(status(talks, "CapBnd"), ["0000000000000000"]);
}

#[test]
fn of_a_terminal_the_network_has_one_end_and_of_its_command_nothing() {
    let Some(server) = system(&[]) else { return };
    let mut terminal = Terminal::start(ssh(&server).arg("-tt").command(&["tty; cat"]), 33, 77);
    let device = terminal.screen.wait_for("/dev/pts/").trim().to_owned();
    let files = |pid: u32| {
        let all = fs::read_dir(format!("/proc/{pid}/fd")).expect("its descriptors").flatten();
        let leads_to = |entry: fs::DirEntry| fs::read_link(entry.path()).ok();
        all.filter_map(leads_to).map(|path| path.display().to_string()).collect::<Vec<_>>()
    };
    let talks = files(network(&server).expect("there are two processes"));
    assert!(talks.iter().any(|path| path.ends_with("/ptmx")), "{talks:?}");
    for held in [talks, files(server.process.pid())] {
        assert!(!held.contains(&device), "{held:?}");
    }
    let keeps = files(server.process.pid());
    assert!(!keeps.iter().any(|path| path.ends_with("/ptmx")), "{keeps:?}");
    terminal.types("\x04");
    assert_eq!(terminal.process.wait().code(), Some(0));
}

#[test]
fn commands_end_as_they_would_with_one_process() {
    let Some(server) = system(&[]) else { return };
    let finished = ssh(&server).run_remotely(&["echo out; echo err >&2; exit 7"]);
    finished.assert(7, &["err"]);
    assert_eq!(finished.stdout, "out\n");
    ssh(&server).arg("-v").run_remotely(&["kill -TERM $$"]).assert(255, &["rtype exit-signal"]);
    ssh(&server).arg("-v").run_remotely(&["exec no-such-program"]).assert(127, &["not found"]);
}

#[test]
fn a_terminal_has_its_size_and_its_modes_and_the_new_size() {
    let Some(server) = system(&[]) else { return };
    let script = "stty size; stty -a | grep -o -e -onlcr; tty; \
                  while [ \"$(stty size)\" = '33 77' ]; do read line; done; stty size; exit 7";
    let invocation = ssh(&server).arg("-tt").env("TERM", "vt100");
    let mut terminal = Terminal::start(invocation.command(&[script]), 33, 77);
    terminal.screen.wait_for("/dev/pts/");
    terminal.resize(40, 100);
    eventually("the new size", || {
        terminal.types("\n");
        terminal.screen.text().contains("40 100").then_some(())
    });
    assert_eq!(terminal.process.wait().code(), Some(7));
    let screen = terminal.screen.text_at_end();
    assert!(screen.starts_with("33 77"), "{screen:?}");
}

#[test]
fn a_file_goes_over_by_sftp_both_ways() {
    let Some(server) = system(&[]) else { return };
    let (scratch, config) = (Scratch::new(), super::client_config(&server));
    let here = scratch.write("here", vec![b'x'; 3_000_000]);
    let (there, back) = (scratch.join("there"), scratch.join("back"));
    let batch =
        format!("put {} {1}\nget {1} {2}\n", here.display(), there.display(), back.display());
    let batch = scratch.write("batch", batch);
    let mut command = Command::new("sftp");
    command.arg("-F").arg(config).arg("-b").arg(batch).arg("target").stdin(Stdio::null());
    let output = command.output().expect("sftp starts");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(fs::metadata(back).expect("it came back").len(), 3_000_000);
}

#[test]
fn the_environment_and_the_command_are_the_keepers_to_decide() {
    let Some(server) = system(&["AcceptEnv LC_*", "SetEnv SITE=north"]) else { return };
    let client = ssh(&server).env("LC_TEST", "here").env("OTHER", "no");
    let client = client.option("SendEnv=LC_TEST OTHER");
    let finished = client.run_remotely(&["echo $LC_TEST/$OTHER/$SITE/${SSH_CONNECTION%% *}"]);
    assert_eq!(finished.stdout, "here//north/127.0.0.1\n", "{finished:?}");
    let forced = ["ForceCommand echo instead of $SSH_ORIGINAL_COMMAND", "PermitTTY no"];
    let Some(server) = system(&forced) else { return };
    let finished = ssh(&server).run_remotely(&["id"]);
    assert_eq!(finished.stdout, "instead of id\n", "{finished:?}");
    let finished = ssh(&server).arg("-tt").run_remotely(&["id"]);
    assert!(finished.stderr.contains("PTY allocation request failed"), "{finished:?}");
    server.log().wait_for("no terminal is permitted");
}

#[test]
fn sessions_share_a_connection_and_there_are_so_many() {
    let Some(server) = system(&["MaxSessions 1"]) else { return };
    let path = server.scratch.join("control");
    let client = || ssh(&server).option(format!("ControlPath={}", path.display()));
    let master = client().option("ControlMaster=yes").arg("-N").start();
    eventually("the master", || path.exists().then_some(()));
    // Each takes the place of the one before, as soon as that one's end is told.
    for code in 0..20 {
        client().run_remotely(&["exit", &code.to_string()]).assert(code, &[]);
    }
    drop(master);
}

#[test]
fn a_session_with_a_terminal_ends_with_its_connection() {
    let Some(server) = system(&[]) else { return };
    let mut terminal =
        Terminal::start(ssh(&server).arg("-tt").command(&["echo $$; exec sleep 600"]), 33, 77);
    let is_number =
        |line: &&str| !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_digit());
    let pid = eventually("its number", || {
        let screen = terminal.screen.text();
        let mut lines = screen.split("\r\n");
        lines.find(is_number).and_then(|line| line.parse().ok()).filter(|_| screen.contains('\n'))
    });
    terminal.process.signal(rustix::process::Signal::KILL);
    terminal.process.wait();
    eventually("the session's end", || has_ended(pid).then_some(()));
    // And the keeper keeps nothing of it.
    eventually("one process is left", || (server.sessions().len() == 1).then_some(()));
}

#[test]
fn a_server_that_ends_has_its_terminals_hang_up() {
    let Some(mut server) = system(&[]) else { return };
    let told = server.scratch.join("told");
    let script = format!(
        "trap 'echo hung up > {0}; exit' HUP; echo up; while :; do read x; done",
        told.display()
    );
    let terminal = Terminal::start(ssh(&server).arg("-tt").command(&[&script]), 33, 77);
    terminal.screen.wait_for("up");
    server.process.signal(rustix::process::Signal::TERM);
    assert_eq!(server.process.wait().code(), Some(0));
    eventually("the hang-up", || fs::read(&told).is_ok_and(|text| !text.is_empty()).then_some(()));
}

#[test]
fn two_users_at_once_have_their_own_rights() {
    let Some(server) =
        with_users(&["AuthorizedKeysFile .ssh/authorized_keys /adit/authorized_keys"])
    else {
        return;
    };
    let mut endpoint = server.endpoint.clone();
    endpoint.user = "root".into();
    let root = Invocation::to(&endpoint).program("ssh".into());
    // Root waits for what the other writes.
    root.run_remotely(&["umask 0; mkfifo /tmp/pipe"]).assert(0, &[]);
    let waits = root.command(&["id -u; cat /tmp/pipe; id -un"]).stdout(Stdio::piped()).spawn();
    let finished = user(&server).run_remotely(&["id -un > /tmp/pipe; cat /etc/shadow"]);
    assert!(finished.stderr.contains("Permission denied"), "{finished:?}");
    let output = waits.and_then(|client| client.wait_with_output()).expect("the client starts");
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("0\n{USER}\nroot\n"));
}

#[test]
fn a_password_of_the_systems_lets_its_user_in() {
    let Some(server) = with_users(&[]) else { return };
    let scratch = Scratch::new();
    let login = |password: &str| {
        let askpass = scratch.write("askpass", format!("#!/bin/sh\necho '{password}'\n"));
        fs::set_permissions(&askpass, fs::Permissions::from_mode(0o700)).expect("our own file");
        let client = user(&server).env("SSH_ASKPASS", &askpass).env("SSH_ASKPASS_REQUIRE", "force");
        let client = client.option("BatchMode=no").option("PubkeyAuthentication=no");
        client.option("NumberOfPasswordPrompts=1").run_remotely(&["id -un"])
    };
    let finished = login(PASSWORD);
    assert_eq!(finished.stdout, format!("{USER}\n"), "{finished:?}");
    assert_eq!(login("wrong").code, Some(255));
}

#[test]
fn sockets_of_both_ways_are_the_users() {
    let Some(server) = with_users(&[]) else { return };
    let (echo, port) = (Service::echo(), free_port());
    let there = user(&server)
        .args(["-R", &format!("/tmp/there:127.0.0.1:{}", echo.port())])
        .args(["-L", &format!("{port}:/tmp/there")])
        .tunnel()
        .listening(port);
    let owner = user(&server).run_remotely(&["stat -c '%U %a' /tmp/there"]);
    assert_eq!(owner.stdout, format!("{USER} 600\n"), "{owner:?}");
    through_echo(&mut connect(port), 100_000);
    drop(there);
}
