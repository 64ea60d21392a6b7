//! Socket files at the server's side of `-L` and `-R`.

use super::ssh;
use adit_interop_tests::{
    aditd::{self, is_aditd},
    carry::{MIB, through_echo},
    ports::{connect, free_port, is_closed},
    scratch::Scratch,
    service::{self, Service},
};
use std::{
    fs,
    os::unix::{
        fs::MetadataExt,
        net::{UnixListener, UnixStream},
    },
    path::Path,
    time::Duration,
};

fn connect_unix(path: &Path) -> UnixStream {
    let stream = UnixStream::connect(path).expect("the socket answers");
    stream.set_read_timeout(Some(Duration::from_secs(40))).expect("above zero");
    stream
}

#[test]
fn a_port_here_leads_to_a_socket_file_there() {
    let (server, scratch, port) = (aditd::start(), Scratch::new(), free_port());
    let _echo = Service::unix(&scratch.join("echo"), service::echo);
    let forward = format!("127.0.0.1:{port}:{}", scratch.join("echo").display());
    let _client = ssh(&server).args(["-L", &forward]).tunnel().listening(port);
    through_echo(&mut connect(port), 8 * MIB);
}

#[test]
fn a_socket_file_there_leads_to_a_port_here() {
    let (server, scratch, echo) = (aditd::start(), Scratch::new(), Service::echo());
    let path = scratch.join("in");
    let forward = format!("{}:127.0.0.1:{}", path.display(), echo.port());
    let client = ssh(&server).args(["-R", &forward]).tunnel().listening_at(&path);
    through_echo(&mut connect_unix(&path), 8 * MIB);
    let mode = fs::metadata(&path).expect("the socket file").mode();
    assert_eq!(mode & 0o777, 0o600, "StreamLocalBindMask is 0177 by default");
    drop(client);
}

#[test]
fn the_servers_mask_is_obeyed() {
    let (server, scratch) = (aditd::with(&["StreamLocalBindMask 0111"]), Scratch::new());
    let path = scratch.join("in");
    let forward = format!("{}:127.0.0.1:9", path.display());
    let _client = ssh(&server).args(["-R", &forward]).tunnel().listening_at(&path);
    assert_eq!(fs::metadata(&path).expect("the socket file").mode() & 0o777, 0o666);
}

/// Leaves a socket file behind that nobody listens at.
fn stale(path: &Path) {
    drop(UnixListener::bind(path).expect("a free path"));
}

#[test]
fn a_stale_socket_file_is_in_use_or_replaced_as_configured() {
    for (value, code) in [("no", 255), ("yes", 0)] {
        let server = aditd::with(&[&format!("StreamLocalBindUnlink {value}")]);
        let (scratch, echo) = (Scratch::new(), Service::echo());
        let path = scratch.join("in");
        stale(&path);
        let client = ssh(&server)
            .option("ExitOnForwardFailure=yes")
            .args(["-R", &format!("{}:127.0.0.1:{}", path.display(), echo.port())]);
        if code == 0 {
            let _client = client.tunnel().listening_at(&path);
            through_echo(&mut connect_unix(&path), 1000);
        } else {
            let failed =
                format!("remote port forwarding failed for listen path {}", path.display());
            client.arg("-N").run().assert(255, &[&failed]);
        }
    }
}

#[test]
fn a_socket_file_nobody_listens_at_is_a_failure_that_says_why() {
    let (server, scratch, port) = (aditd::start(), Scratch::new(), free_port());
    let forward = format!("127.0.0.1:{port}:{}", scratch.join("missing").display());
    let client = ssh(&server).args(["-L", &forward]).tunnel().listening(port);
    assert!(is_closed(connect(port)));
    client.says("open failed: connect failed: ");
}

#[test]
fn each_direction_can_be_forbidden() {
    for (value, there, here) in
        [("no", false, false), ("local", true, false), ("remote", false, true), ("yes", true, true)]
    {
        let server = aditd::with(&[&format!("AllowStreamLocalForwarding {value}")]);
        let (scratch, port) = (Scratch::new(), free_port());
        let _echo = Service::unix(&scratch.join("echo"), service::echo);
        let forward = format!("127.0.0.1:{port}:{}", scratch.join("echo").display());
        let client = ssh(&server).args(["-L", &forward]).tunnel().listening(port);
        if there {
            through_echo(&mut connect(port), 1000);
        } else {
            assert!(is_closed(connect(port)), "{value}");
            // sshd calls this refusal a failure to connect.
            let reason =
                if is_aditd() { "administratively prohibited: " } else { "connect failed: " };
            client.says(&format!("open failed: {reason}"));
        }
        let path = scratch.join("in");
        let client = ssh(&server).args(["-R", &format!("{}:127.0.0.1:9", path.display())]);
        if here {
            drop(client.tunnel().listening_at(&path));
        } else {
            let client = client.tunnel();
            client.says("Warning: remote port forwarding failed for listen path ");
        }
    }
}

#[test]
fn the_socket_file_goes_with_the_forward() {
    let (server, scratch) = (aditd::start(), Scratch::new());
    let path = scratch.join("in");
    let forward = format!("{}:127.0.0.1:9", path.display());
    let client = ssh(&server).args(["-R", &forward]).tunnel().listening_at(&path);
    drop(client);
    adit_interop_tests::deadline::eventually("the socket file gone, or deaf", || {
        UnixStream::connect(&path).is_err().then_some(())
    });
}
