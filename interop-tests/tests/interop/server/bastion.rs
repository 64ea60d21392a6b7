//! The block that bastions are made of: a group that forwards and does nothing else.

use super::ssh;
use adit_interop_tests::{
    aditd,
    carry::through_echo,
    ports::{connect, free_port},
    scratch::Scratch,
    service::Service,
    sshd::Setup,
};
use std::process::Command;

fn group() -> String {
    let output = Command::new("id").arg("-gn").output().expect("id");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn block(group: &str, chroot: &str) -> String {
    format!(
        "Match Group {group}\n\tForceCommand /bin/false\n\tPasswordAuthentication no\n\
         \tChrootDirectory {chroot}\n\tPermitTTY no\n\tX11Forwarding no\n\
         \tAllowTcpForwarding yes\n\tPermitTunnel no\n\tBanner none\n"
    )
}

fn bastion(setup: Setup) -> (Setup, Scratch) {
    let scratch = Scratch::new();
    let banner = scratch.write("banner", "for everybody else\n");
    let banner = format!("Banner {}", banner.display());
    (setup.line(banner).line("AllowTcpForwarding no"), scratch)
}

#[test]
fn its_members_forward_and_do_nothing_else() {
    let (setup, _scratch) = bastion(aditd::setup());
    let server = setup.block(block(&group(), "none")).start();
    let (echo, port) = (Service::echo(), free_port());
    let client = ssh(&server)
        .args(["-R", &format!("{port}:127.0.0.1:{}", echo.port())])
        .tunnel()
        .listening(port);
    through_echo(&mut connect(port), 100_000);
    assert!(!client.said().contains("everybody else"), "no banner: {}", client.said());
    ssh(&server).log_in().assert(0, &[]);
    let command = ssh(&server).run_remotely(&["echo out"]);
    assert_eq!((command.code, &*command.stdout), (Some(1), ""), "{command:?}");
    let terminal = ssh(&server).arg("-tt").run();
    assert!(terminal.stderr.contains("PTY allocation request failed"), "{terminal:?}");
}

#[test]
fn others_do_not() {
    let (setup, _scratch) = bastion(aditd::setup());
    let server = setup.block(block("no-such-group", "none")).start();
    let refused = ssh(&server).log_in();
    refused.assert(255, &["everybody else", "administratively prohibited"]);
    assert_eq!(ssh(&server).run_remotely(&["echo out"]).stdout, "out\n");
}

#[test]
fn its_root_folder_is_changed_or_its_sessions_are_refused() {
    let (setup, _scratch) = bastion(if is_root() { aditd::system() } else { aditd::setup() });
    let server = setup.block(block(&group(), "%h")).start();
    // Forwards need no root folder; a session without the one asked for must not be.
    ssh(&server).log_in().assert(0, &[]);
    let session = ssh(&server).run_remotely(&["echo out"]);
    assert_eq!(session.stdout, "", "{session:?}");
    assert_ne!(session.code, Some(0), "{session:?}");
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
