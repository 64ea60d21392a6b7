//! Terminals: their size and its changes, their modes, and what a hang-up means.

use super::ssh;
use adit_interop_tests::{aditd, deadline::eventually, terminal::Terminal};
use rustix::process::Signal;
use std::fs;

fn start(server: &adit_interop_tests::sshd::Sshd, remote_command: &[&str]) -> Terminal {
    let invocation = ssh(server).arg("-tt").env("TERM", "xterm-adit");
    Terminal::start(invocation.command(remote_command), 33, 77)
}

#[test]
fn a_command_has_a_terminal_of_the_clients_kind_and_size() {
    let server = aditd::start();
    let mut terminal = start(&server, &["stty size; echo $TERM; tty; echo $SSH_TTY; exit 7"]);
    assert_eq!(terminal.process.wait().code(), Some(7));
    let screen = terminal.screen.text_at_end();
    let lines: Vec<_> = screen.lines().collect();
    assert_eq!(lines[..2], ["33 77", "xterm-adit"], "{screen:?}");
    assert!(lines[2].starts_with("/dev/") && lines[2] == lines[3], "{screen:?}");
}

#[test]
fn a_change_of_the_size_is_told() {
    let server = aditd::start();
    let mut terminal = start(&server, &["stty -echo; while read line; do stty size; done"]);
    terminal.types("\n");
    terminal.screen.wait_for("33 77");
    terminal.resize(40, 100);
    let mut asked = 0;
    eventually("the new size", || {
        terminal.types("\n");
        asked += 1;
        terminal.screen.wait_for_nth(" ", asked).contains("40 100").then_some(())
    });
}

#[test]
fn control_keys_are_signals() {
    let server = aditd::start();
    let mut terminal = start(&server, &["trap 'echo interrupted; exit 9' INT; echo ready; cat"]);
    terminal.screen.wait_for("ready");
    terminal.types("\x03");
    assert_eq!(terminal.process.wait().code(), Some(9));
    terminal.screen.wait_for("interrupted");
}

#[test]
fn an_end_of_file_key_ends_a_shell() {
    let server = aditd::start();
    let mut terminal = start(&server, &["sh"]);
    terminal.types("echo $((6 * 7))\n");
    terminal.screen.wait_for("42");
    terminal.types("exit 5\n");
    assert_eq!(terminal.process.wait().code(), Some(5));
}

#[test]
fn a_login_shell_talks() {
    let server = aditd::start();
    let mut terminal = start(&server, &[]);
    terminal.types("echo shell $((6 * 7))\n");
    terminal.screen.wait_for("shell 42");
    terminal.types("exit 3\n");
    assert_eq!(terminal.process.wait().code(), Some(3));
}

#[test]
fn the_terminals_modes_are_the_clients() {
    let server = aditd::start();
    let client = ssh(&server).arg("-tt").command(&["stty -a; exit"]);
    let mut terminal = Terminal::start(client, 24, 80);
    assert_eq!(terminal.process.wait().code(), Some(0));
    let screen = terminal.screen.text_at_end();
    assert!(screen.contains("intr = ^C") && screen.contains("rows 24; columns 80"), "{screen}");
    assert!(screen.contains("icanon") && screen.contains("isig"), "{screen}");
}

#[test]
fn a_client_that_is_killed_hangs_up() {
    let server = aditd::start();
    let mut terminal = start(&server, &["echo pid $$; exec sleep 1000"]);
    let line = terminal.screen.wait_for("pid ");
    let pid = line.trim().rsplit(' ').next().expect("the last word").to_owned();
    terminal.process.signal(Signal::KILL);
    terminal.process.wait();
    eventually("the command hung up", || {
        let there = fs::read_to_string(format!("/proc/{pid}/stat"));
        (!there.is_ok_and(|stat| !stat.contains(") Z "))).then_some(())
    });
}

#[test]
fn without_permission_there_is_no_terminal() {
    let server = aditd::with(&["PermitTTY no"]);
    let finished = ssh(&server).arg("-tt").run_remotely(&["tty"]);
    assert!(finished.stderr.contains("PTY allocation request failed on channel 0"), "{finished:?}");
}

#[test]
fn much_output_arrives_whole() {
    let server = aditd::start();
    let mut terminal = start(&server, &["stty -opost; seq 200000; echo the end"]);
    terminal.process.wait();
    let screen = terminal.screen.text_at_end();
    assert_eq!(screen.lines().filter(|line| line.parse::<u32>().is_ok()).count(), 200_000);
    assert!(screen.trim_end().ends_with("the end"), "{}", &screen[screen.len() - 100..]);
}
