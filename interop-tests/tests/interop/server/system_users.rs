//! Started as root: sessions and forwards have the rights of whoever logged in. In a container, where there are users.

use adit_interop_tests::{
    aditd,
    carry::through_echo,
    client::Invocation,
    container::{self, Container, TRIXIE, USER, WITHOUT_SHELL},
    ports::{connect, free_port},
    service::Service,
    sshd::Setup,
};

fn server(setup: Setup) -> Option<Container> {
    container::aditd(TRIXIE, setup)
}

fn ssh(server: &Container) -> Invocation {
    Invocation::to(&server.endpoint).program("ssh".into())
}

fn says(server: &Container, remote_command: &str) -> String {
    let finished = ssh(server).run_remotely(&[remote_command]);
    assert_eq!(finished.code, Some(0), "{remote_command}: {finished:?}");
    finished.stdout
}

#[test]
fn a_session_is_the_users_in_every_respect() {
    let Some(server) = server(aditd::system()) else { return };
    let text = says(&server, "id -un; id -gn; id -Gn; pwd; echo $HOME $USER $LOGNAME $SHELL");
    let home = format!("/home/{USER}");
    let expected = format!("{USER}\n{USER}\n{USER}\n{home}\n{home} {USER} {USER} /bin/sh\n");
    assert_eq!(text, expected);
    let status =
        says(&server, "grep -E '^(Uid|Gid|Groups|CapEff|SigIgn|SigBlk):' /proc/self/status");
    let number = says(&server, "id -u").trim().to_owned();
    assert!(status.contains(&format!("Uid:\t{number}\t{number}\t{number}\t{number}")), "{status}");
    assert!(status.contains("CapEff:\t0000000000000000"), "{status}");
    assert!(status.contains("SigBlk:\t0000000000000000"), "{status}");
    let refused = ssh(&server).run_remotely(&["cat /etc/shadow"]);
    assert!(refused.stderr.contains("Permission denied"), "{refused:?}");
}

#[test]
fn a_terminal_belongs_to_the_user() {
    let Some(server) = server(aditd::system()) else { return };
    let finished = ssh(&server).arg("-tt").run_remotely(&["stat -c %U $(tty); id -un"]);
    let lines: Vec<_> = finished.stdout.lines().collect();
    assert_eq!(lines, [USER, USER], "{finished:?}");
}

#[test]
fn a_port_below_1024_is_not_the_users_to_have() {
    let Some(server) = server(aditd::system()) else { return };
    let (echo, port) = (Service::echo(), free_port());
    let client = ssh(&server)
        .args(["-R", "127.0.0.1:1023:127.0.0.1:9"])
        .args(["-R", &format!("127.0.0.1:{port}:127.0.0.1:{}", echo.port())])
        .tunnel()
        .listening(port);
    client.says("remote port forwarding failed for listen port 1023");
    through_echo(&mut connect(port), 100_000);
}

#[test]
fn a_socket_file_is_made_and_reached_with_the_users_rights() {
    let Some(server) = server(aditd::system()) else { return };
    let refused = ssh(&server)
        .option("ExitOnForwardFailure=yes")
        .args(["-R", "/root/socket:127.0.0.1:9"])
        .run_remotely(&["true"]);
    refused.assert(255, &["remote port forwarding failed for listen path /root/socket"]);
    let made = ssh(&server)
        .option("ExitOnForwardFailure=yes")
        .args(["-R", "/tmp/socket:127.0.0.1:9"])
        .run_remotely(&["stat -c '%U %a' /tmp/socket"]);
    assert_eq!(made.stdout, format!("{USER} 600\n"), "{made:?}");
}

#[test]
fn a_user_without_a_shell_has_no_session_and_forwards() {
    let Some(server) = server(aditd::system()) else { return };
    let mut endpoint = server.endpoint.clone();
    endpoint.user = WITHOUT_SHELL.into();
    let client = Invocation::to(&endpoint).program("ssh".into());
    let refused = client.run_remotely(&["id"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert_eq!(refused.stdout, "This account is currently not available.\n", "{refused:?}");
    client.log_in().assert(0, &[]);
}

#[test]
fn the_bastions_root_folder_is_changed() {
    let block = format!(
        "Match User {USER}\n ChrootDirectory /etc\n ForceCommand internal-sftp\n AllowTcpForwarding yes\n"
    );
    let Some(server) = server(aditd::system().block(block)) else { return };
    // Forwards go on; a session either has the folder as its root or is refused.
    ssh(&server).log_in().assert(0, &[]);
    let session = ssh(&server).run_remotely(&["cat /etc/passwd"]);
    assert!(!session.stdout.contains("root:"), "{session:?}");
}

#[test]
fn groups_of_the_system_count() {
    let block = format!("Match Group {USER}\n SetEnv MATCHED=yes\n");
    let Some(server) = server(aditd::system().block(block)) else { return };
    assert_eq!(says(&server, "echo $MATCHED"), "yes\n");
}
