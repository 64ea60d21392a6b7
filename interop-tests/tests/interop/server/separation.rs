//! The process that talks to the network has no rights, no files and no keys; another one has them. A server of root's has two.

use super::ssh;
use adit_interop_tests::{
    aditd::{self, only_aditd, only_root},
    carry::through_echo,
    child::send,
    client::Invocation,
    deadline::eventually,
    keys::ED25519,
    ports::{connect, free_port, wait_closed, wait_listening},
    scratch::Scratch,
    service::Service,
    sshd::Sshd,
};
use rustix::process::Signal;
use std::{
    fs::{self, File},
    net::TcpListener,
    os::unix::fs::FileExt,
    process::Command,
};

/// A gateway, and whether there is one to test.
fn gateway(lines: &[&str]) -> Option<Sshd> {
    if !only_aditd() || !only_root() {
        return None;
    }
    Some(lines.iter().fold(aditd::gateway(), |setup, line| setup.line(*line)).start())
}

/// The process that talks to the network.
pub(super) fn network(server: &Sshd) -> Option<u32> {
    let is_it = |pid: &u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).nth(1) == Some(b"--network")
    };
    server.process.descendants().into_iter().find(is_it)
}

pub(super) fn status(pid: u32, name: &str) -> Vec<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process is there");
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.expect("the kernel tells").split_whitespace().map(str::to_owned).collect()
}

#[test]
fn the_process_that_talks_to_the_network_has_neither_rights_nor_files() {
    let Some(gateway) = gateway(&[]) else { return };
    has_neither_rights_nor_files(&gateway);
    has_neither_rights_nor_files(&aditd::system().start());
}

fn has_neither_rights_nor_files(server: &Sshd) {
    let pid = network(server).expect("there are two processes");
    ssh(server).log_in().assert(0, &[]);
    for name in ["Uid", "Gid"] {
        let numbers = status(pid, name);
        assert!(numbers.len() == 4 && !numbers.contains(&"0".into()), "{name} {numbers:?}");
    }
    assert_eq!(status(pid, "Groups"), [""; 0]);
    for name in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(status(pid, name), ["0000000000000000"], "{name}");
    }
    assert_eq!(status(pid, "NoNewPrivs"), ["1"]);
    // Every thread, and not only the first.
    for thread in fs::read_dir(format!("/proc/{pid}/task")).expect("threads").flatten() {
        let thread = thread.file_name().to_string_lossy().parse().expect("a number");
        assert!(!status(thread, "Uid").contains(&"0".into()), "thread {thread}");
        assert_eq!(status(thread, "CapEff"), ["0000000000000000"], "thread {thread}");
        assert_eq!(status(thread, "Seccomp"), ["2"], "thread {thread}");
    }
    // What it sees when it opens anything.
    let root = format!("/proc/{pid}/root");
    assert_ne!(fs::read_link(&root).expect("its root").to_str(), Some("/"));
    assert_eq!(fs::read_dir(format!("{root}/")).expect("its root").count(), 0);
    let environment = fs::read(format!("/proc/{pid}/environ")).expect("its environment");
    assert_eq!(environment, b"");
    let command = fs::read(format!("/proc/{pid}/cmdline")).expect("its command line");
    assert_eq!(command, b"aditd\0--network\0", "what a list of processes shows");
    for entry in fs::read_dir(format!("/proc/{pid}/fd")).expect("its descriptors").flatten() {
        // The client's own may close meanwhile.
        let Ok(leads_to) = fs::read_link(entry.path()) else { continue };
        let leads_to = leads_to.to_string_lossy();
        let harmless = ["socket:", "anon_inode:", "pipe:", "/dev/null"];
        let is_stderr = entry.file_name() == "2";
        assert!(is_stderr || harmless.iter().any(|kind| leads_to.starts_with(kind)), "{leads_to}");
    }
}

#[test]
fn the_keeper_has_a_few_rights_of_root_s_and_a_sandbox_too() {
    let Some(server) = gateway(&["LogLevel DEBUG1"]) else { return };
    ssh(&server).log_in().assert(0, &[]);
    // Files, owners, users and groups, ends of processes, ports below 1024.
    let few: u64 = [0, 1, 2, 3, 5, 6, 7, 10].iter().map(|right| 1 << right).sum();
    for thread in fs::read_dir(format!("/proc/{}/task", server.process.pid())).expect("threads") {
        let thread = thread.expect("a thread").file_name().to_string_lossy().parse();
        let thread = thread.expect("a number");
        for name in ["CapPrm", "CapEff", "CapBnd"] {
            let rights = u64::from_str_radix(&status(thread, name)[0], 16).expect("a number");
            assert_eq!(rights & !few, 0, "{name} of thread {thread}");
        }
        assert_eq!(status(thread, "Seccomp"), ["2"], "thread {thread}");
        assert_eq!(status(thread, "NoNewPrivs"), ["1"], "thread {thread}");
    }
    for part in ["sandbox: ", "sandbox of the network: "] {
        let line = server.log().wait_for(part);
        assert!(line.contains("in force"), "{line}");
    }
}

/// Whether these bytes are anywhere in the memory of a process.
fn has_in_memory(pid: u32, needle: &[u8]) -> bool {
    let memory = File::open(format!("/proc/{pid}/mem")).expect("root reads it");
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).expect("the process is there");
    let writable = maps.lines().filter(|line| line.contains(" rw"));
    writable.filter_map(|line| line.split_once(' ')?.0.split_once('-')).any(|(from, to)| {
        let number = |text| u64::from_str_radix(text, 16).expect("an address");
        let (from, to) = (number(from), number(to));
        let mut bytes = vec![0; (to - from) as usize];
        memory.read_exact_at(&mut bytes, from).is_ok()
            && bytes.windows(needle.len()).any(|window| window == needle)
    })
}

/// The secret half of an Ed25519 key that is in a file of OpenSSH's.
fn seed(server: &Sshd) -> Vec<u8> {
    let file = server.scratch.join(&format!("host-{}", ED25519.file_name()));
    let script = "grep -v -- ----- \"$0\" | base64 -d";
    let output = Command::new("sh").args(["-c", script]).arg(file).output().expect("a shell");
    let key = output.stdout;
    // `string private` is seed and public half.
    let at = key.windows(4).rposition(|window| window == [0, 0, 0, 64]).expect("a private half");
    key[at + 4..at + 36].to_vec()
}

#[test]
fn the_process_that_talks_to_the_network_has_no_host_key() {
    let Some(gateway) = gateway(&[]) else { return };
    for server in [gateway, aditd::system().start()] {
        let pid = network(&server).expect("there are two processes");
        let seed = seed(&server);
        ssh(&server).log_in().assert(0, &[]);
        assert!(has_in_memory(server.process.pid(), &seed), "the keeper has it");
        assert!(!has_in_memory(pid, &seed), "the other has not");
    }
}

#[test]
fn if_one_of_the_two_ends_so_does_the_other() {
    let Some(mut server) = gateway(&[]) else { return };
    send(network(&server).expect("there are two processes"), Signal::KILL);
    assert_eq!(server.process.wait().code(), Some(255));
    assert!(server.log().text_at_end().contains("the process that talks to the network ended"));
    let Some(mut server) = gateway(&[]) else { return };
    let pid = network(&server).expect("there are two processes");
    server.process.signal(Signal::KILL);
    server.process.wait();
    wait_closed(server.endpoint.port);
    eventually("the end of the other process", || has_ended(pid).then_some(()));
}

#[test]
fn a_process_that_no_longer_listens_ends_with_its_keeper() {
    let Some(mut server) = gateway(&[]) else { return };
    let pid = network(&server).expect("there are two processes");
    send(pid, Signal::STOP);
    server.process.signal(Signal::KILL);
    server.process.wait();
    eventually("the end of a stopped process", || has_ended(pid).then_some(()));
}

/// What is left of it is for whoever inherited it.
pub(super) fn has_ended(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.map_or(true, |stat| stat.contains(") Z "))
}

#[test]
fn signals_are_the_keepers_to_heed() {
    let Some(mut server) = gateway(&[]) else { return };
    let pid = network(&server).expect("there are two processes");
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        send(pid, signal);
        ssh(&server).log_in().assert(0, &[]);
    }
    server.process.signal(Signal::TERM);
    assert_eq!(server.process.wait().code(), Some(0));
}

#[test]
fn both_end_well_when_one_is_asked_to() {
    for signal in [Signal::TERM, Signal::INT] {
        let Some(mut server) = gateway(&[]) else { return };
        let client = ssh(&server).arg("-N").start();
        server.log().wait_for("Accepted publickey");
        server.process.signal(signal);
        assert_eq!(server.process.wait().code(), Some(0), "{signal:?}");
        drop(client);
    }
}

/// A port below 1024 that nobody has.
fn low_port() -> u16 {
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    (600..1024).rev().find(is_free).expect("a port of root's")
}

#[test]
fn what_takes_rights_is_done_by_the_one_that_has_them() {
    let Some(server) = gateway(&[]) else { return };
    let (echo, scratch, port) = (Service::echo(), Scratch::new(), free_port());
    let socket = scratch.join("socket");
    let target = format!("127.0.0.1:{}", echo.port());
    let low = low_port();
    let there = ssh(&server)
        .option("ExitOnForwardFailure=yes")
        .args(["-R", &format!("{}:{target}", socket.display())])
        .args(["-R", &format!("{low}:{target}")])
        .tunnel()
        .listening_at(&socket)
        .listening(low);
    through_echo(&mut connect(low), 10_000);
    // Names too: its root has no resolver.
    let back =
        ssh(&server).args(["-L", &format!("{port}:{}", socket.display())]).tunnel().listening(port);
    through_echo(&mut connect(port), 10_000);
    let by_name = free_port();
    let named: Invocation = ssh(&server);
    let named = named.args(["-L", &format!("{by_name}:localhost:{}", echo.port())]);
    let _named = named.tunnel().listening(by_name);
    through_echo(&mut connect(by_name), 10_000);
    drop((there, back));
    wait_closed(low);
    eventually("the socket's end", || (!socket.exists()).then_some(()));
}

#[test]
fn the_configuration_is_read_again_by_the_one_that_has_files() {
    let Some(server) = gateway(&[]) else { return };
    let (echo, port) = (Service::echo(), free_port());
    let target = format!("127.0.0.1:{}", echo.port());
    let mut client =
        ssh(&server).args(["-R", &format!("{port}:{target}")]).tunnel().listening(port);
    let config = server.scratch.join("sshd_config");
    let old = fs::read_to_string(&config).expect("our own file");
    fs::write(&config, format!("{old}NoSuchKeyword yes\n")).expect("our own file");
    server.process.signal(Signal::HUP);
    server.log().wait_for("NoSuchKeyword");
    ssh(&server).log_in().assert(0, &[]);
    let (banner, more) = (server.scratch.write("banner", "Welcome again.\n"), free_port());
    let new = format!("Banner {}\nPort {more}\n{old}", banner.display());
    fs::write(&config, new).expect("our own file");
    server.process.signal(Signal::HUP);
    wait_listening(more);
    let finished = ssh(&server).log_in();
    assert!(finished.code == Some(0) && finished.stderr.contains("Welcome again."), "{finished:?}");
    client.assert_runs();
    through_echo(&mut connect(port), 10_000);
}

#[test]
fn one_process_does_everything_where_that_is_asked_for() {
    let Some(gateway) = gateway(&["NetworkUser none"]) else { return };
    for server in [gateway, aditd::system().line("NetworkUser none").start()] {
        ssh(&server).log_in().assert(0, &[]);
        assert_eq!(network(&server), None);
    }
}

#[test]
fn a_user_that_is_none_is_told_of_at_the_start() {
    if !only_aditd() || !only_root() {
        return;
    }
    for (role, user, words) in [
        ("gateway", "no-such-user-here", "no such user"),
        ("gateway", "root", "it is root"),
        ("system", "no-such-user-here", "no such user"),
    ] {
        let (prepared, _) = aditd::gateway().prepare();
        let mut command = prepared.command();
        let command = command.args(["-o", &format!("Role={role}"), "-o"]);
        let output = command.arg(format!("NetworkUser={user}")).arg("-t").output();
        let output = output.expect("the server starts");
        assert_eq!(output.status.code(), Some(255), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(words), "{output:?}");
    }
}
