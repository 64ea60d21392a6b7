//! `adit` and `aditd` as processes, and a hostile peer at the other end of a TCP connection: scripts of the testkit.

mod deadlines;
mod floods;
mod secrets;
mod text;
mod transport;

use adit_interop_tests::{
    aditd,
    client::{Client, Invocation},
    endpoint::Endpoint,
    keys::{self, ED25519},
    ports::connect,
    scratch::Scratch,
    sshd::{Setup, Sshd, user_name},
};
use adit_testkit::{Script, keys::key, script::Socket};
use std::{fs, net::TcpListener};

/// A server that lets in the hostile client's key too.
fn server(setup: Setup) -> Sshd {
    let server = setup.start();
    let authorized = server.scratch.join("authorized_keys");
    let lines = fs::read_to_string(&authorized).expect("the harness's own file");
    let hostile = adit_keys::public::encode(&key(1).public_blob());
    fs::write(&authorized, format!("{lines}{hostile} hostile\n")).expect("the harness's own file");
    server
}

/// The server that most tests want.
fn plain_server() -> Sshd {
    server(aditd::setup())
}

/// A hostile client's connection to the server.
fn to(server: &Sshd) -> Socket {
    Socket::server(connect(server.endpoint.port))
}

/// A hostile client that has logged in.
fn logged_in(server: &Sshd) -> Script<Socket> {
    Script::established_by(to(server), |script| {
        script.asks_with_key(&server.endpoint.user, &key(1));
    })
}

/// A client under test that has dialled a hostile server, which it is ready to believe.
struct Dialled {
    client: Client,
    socket: Socket,
    _scratch: Scratch,
}

/// The client, started as a tunnel that `arrange` describes further.
fn dialled(arrange: impl FnOnce(Invocation) -> Invocation) -> Dialled {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a loopback port");
    let port = listener.local_addr().expect("bound").port();
    let scratch = Scratch::new();
    let identity = keys::generate(&scratch.join("user-key"), ED25519, "");
    let known_hosts = scratch.join("known_hosts");
    let endpoint = Endpoint { port, user: user_name(), identity, known_hosts };
    let client = Invocation::to_host(&endpoint)
        .option("StrictHostKeyChecking=no")
        .option("UserKnownHostsFile=none")
        .option("BatchMode=yes");
    let client = arrange(client).tunnel();
    let (stream, _) = listener.accept().expect("the client dials");
    Dialled { client, socket: Socket::client(stream), _scratch: scratch }
}
