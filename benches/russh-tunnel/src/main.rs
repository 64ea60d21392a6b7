//! The smallest -L with russh: `russh-tunnel SERVER-PORT USER KEY CIPHER LISTEN-PORT TARGET-PORT`, all on 127.0.0.1.
//! Touches: loopback sockets, the key file it is given.   Never: a host key check, which is not measured.
//! Invariants: settings are russh's own but for TCP_NODELAY and the cipher.
//! Errors: a panic with russh's words.   Allocates: as russh does.
//! Proved by: `cargo xtask bench`, which holds every byte through it against what was sent.

use russh::client::{self, Config, Handle, Handler};
use russh::keys::{PrivateKeyWithHashAlg, PublicKeyOrCertificate, load_secret_key};
use russh::{Preferred, cipher};
use std::{borrow::Cow, env, net::SocketAddr, sync::Arc};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

struct Anybody;

impl Handler for Anybody {
    type Error = russh::Error;

    async fn check_server_key(&mut self, _: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        Ok(true)
    }
}

/// One thread, as ssh and adit have.
fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(serve());
}

async fn serve() {
    let [server, user, key, cipher, listen, target] = arguments();
    let session = Arc::new(log_in(port(&server), user, &key, &cipher).await);
    let listener = TcpListener::bind(loopback(port(&listen))).await.expect("the port is free");
    loop {
        let (stream, origin) = listener.accept().await.expect("a connection");
        let _ = stream.set_nodelay(true);
        tokio::spawn(carry(session.clone(), stream, origin, port(&target)));
    }
}

async fn log_in(port: u16, user: String, key: &str, cipher: &str) -> Handle<Anybody> {
    let key = Arc::new(load_secret_key(key, None).expect("a private key"));
    let ciphers = [cipher::AES_128_GCM, cipher::AES_256_GCM, cipher::CHACHA20_POLY1305];
    let chosen = ciphers.into_iter().find(|name| name.as_ref() == cipher).expect("a cipher's name");
    let preferred = Preferred { cipher: Cow::Owned(vec![chosen]), ..Preferred::DEFAULT };
    let config = Arc::new(Config { preferred, nodelay: true, ..Config::default() });
    let connected = client::connect(config, loopback(port), Anybody).await;
    let mut session = connected.expect("a connection");
    let key = PrivateKeyWithHashAlg::new(key, None);
    let answer = session.authenticate_publickey(user, key).await.expect("an answer");
    assert!(answer.success(), "the key is refused");
    session
}

async fn carry(
    session: Arc<Handle<Anybody>>,
    mut stream: TcpStream,
    origin: SocketAddr,
    target: u16,
) {
    let from = origin.ip().to_string();
    let opened =
        session.channel_open_direct_tcpip("127.0.0.1", target.into(), from, origin.port().into());
    if let Ok(channel) = opened.await {
        let _ = copy_bidirectional(&mut stream, &mut channel.into_stream()).await;
    }
}

fn arguments() -> [String; 6] {
    let given: Vec<String> = env::args().skip(1).collect();
    given.try_into().expect("SERVER-PORT USER KEY CIPHER LISTEN-PORT TARGET-PORT")
}

fn port(text: &str) -> u16 {
    text.parse().expect("a port")
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}
