//! Socket files on either side of `-L` and `-R`.

use adit_interop_tests::{
    carry::{MIB, through_echo},
    client::Invocation,
    ports::{connect, free_port},
    scratch::Scratch,
    service::{self, Service},
    sshd::Sshd,
};
use std::{
    fs,
    os::unix::{fs::MetadataExt, net::UnixListener, net::UnixStream},
    path::Path,
    time::Duration,
};

fn connect_unix(path: &Path) -> UnixStream {
    let stream = UnixStream::connect(path).expect("the socket answers");
    stream.set_read_timeout(Some(Duration::from_secs(40))).expect("above zero");
    stream
}

#[test]
fn a_local_port_leads_to_a_socket_file() {
    let (sshd, scratch, port) = (Sshd::start(), Scratch::new(), free_port());
    let _echo = Service::unix(&scratch.join("echo"), service::echo);
    let forward = format!("{port}:{}", scratch.join("echo").display());
    let _client = Invocation::to(&sshd.endpoint).args(["-L", &forward]).tunnel().listening(port);
    through_echo(&mut connect(port), MIB);
}

#[test]
fn a_local_socket_file_leads_to_a_port() {
    let (sshd, scratch, echo) = (Sshd::start(), Scratch::new(), Service::echo());
    let path = scratch.join("in");
    let forward = format!("{}:127.0.0.1:{}", path.display(), echo.port());
    let _client =
        Invocation::to(&sshd.endpoint).args(["-L", &forward]).tunnel().listening_at(&path);
    through_echo(&mut connect_unix(&path), MIB);
    let mode = fs::metadata(&path).expect("the socket file").mode();
    assert_eq!(mode & 0o777, 0o600, "StreamLocalBindMask is 0177 by default");
}

#[test]
fn a_local_socket_file_leads_to_a_socket_file() {
    let (sshd, scratch) = (Sshd::start(), Scratch::new());
    let _echo = Service::unix(&scratch.join("echo"), service::echo);
    let path = scratch.join("in");
    let forward = format!("{}:{}", path.display(), scratch.join("echo").display());
    let _client =
        Invocation::to(&sshd.endpoint).args(["-L", &forward]).tunnel().listening_at(&path);
    through_echo(&mut connect_unix(&path), MIB);
}

#[test]
fn a_remote_socket_file_leads_to_a_port() {
    let (sshd, scratch, echo) = (Sshd::start(), Scratch::new(), Service::echo());
    let path = scratch.join("in");
    let forward = format!("{}:127.0.0.1:{}", path.display(), echo.port());
    let _client =
        Invocation::to(&sshd.endpoint).args(["-R", &forward]).tunnel().listening_at(&path);
    through_echo(&mut connect_unix(&path), MIB);
}

#[test]
fn a_remote_port_leads_to_a_socket_file() {
    let (sshd, scratch, port) = (Sshd::start(), Scratch::new(), free_port());
    let _echo = Service::unix(&scratch.join("echo"), service::echo);
    let forward = format!("{port}:{}", scratch.join("echo").display());
    let _client = Invocation::to(&sshd.endpoint).args(["-R", &forward]).tunnel().listening(port);
    through_echo(&mut connect(port), MIB);
}

/// Leaves a socket file behind that nobody listens at.
fn stale(path: &Path) {
    drop(UnixListener::bind(path).expect("a free path"));
}

#[test]
fn a_stale_local_socket_file_is_in_use() {
    let (sshd, scratch) = (Sshd::start(), Scratch::new());
    let path = scratch.join("in");
    stale(&path);
    let forward = format!("{}:127.0.0.1:9", path.display());
    Invocation::to(&sshd.endpoint)
        .option("ExitOnForwardFailure=yes")
        .args(["-N", "-L", &forward])
        .run()
        .assert(255, &["Address already in use", "Could not request local forwarding."]);
}

#[test]
fn a_stale_local_socket_file_is_replaced_on_request() {
    let (sshd, scratch, echo) = (Sshd::start(), Scratch::new(), Service::echo());
    let path = scratch.join("in");
    stale(&path);
    let forward = format!("{}:127.0.0.1:{}", path.display(), echo.port());
    let _client = Invocation::to(&sshd.endpoint)
        .option("StreamLocalBindUnlink=yes")
        .args(["-L", &forward])
        .tunnel()
        .listening_at(&path);
    through_echo(&mut connect_unix(&path), 1000);
}

#[test]
fn a_refused_remote_socket_file_is_named() {
    let (sshd, scratch) = (Sshd::with(&["AllowStreamLocalForwarding no"]), Scratch::new());
    let path = scratch.join("in");
    Invocation::to(&sshd.endpoint)
        .option("ExitOnForwardFailure=yes")
        .args(["-N", "-R", &format!("{}:127.0.0.1:9", path.display())])
        .run()
        .assert(
            255,
            &[&format!("remote port forwarding failed for listen path {}", path.display())],
        );
}
