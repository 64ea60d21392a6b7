//! What a server says of itself: host keys, extensions, algorithms per user. RFC 8308, OpenSSH PROTOCOL §3.1.

use adit_auth::server::Policy;
use adit_crypto::{Curve, KeyAlgorithm, SignatureAlgorithm, SigningKey};
use adit_testkit::keys::{
    OneKey, USER, client_config, client_transport, key, server_config, server_transport,
};
use adit_testkit::{Pair, Script, Seen, script};
use adit_transport::{Config, HostKeys, SignFailed};
use adit_wire::auth::{Publickey, UserauthFailure, UserauthRequest};
use adit_wire::transport::{Ping, Pong, ServiceAccept, ServiceRequest};
use adit_wire::{NameList, Rest};
use std::sync::Arc;

/// An Ed25519 and an ECDSA key.
struct TwoKeys(OneKey, OneKey);

impl TwoKeys {
    fn new() -> Self {
        let point = [
            0x04, 0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6, 0xe5, 0x63,
            0xa4, 0x40, 0xf2, 0x77, 0x03, 0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0, 0xf4, 0xa1, 0x39,
            0x45, 0xd8, 0x98, 0xc2, 0x96, 0x4f, 0xe3, 0x42, 0xe2, 0xfe, 0x1a, 0x7f, 0x9b, 0x8e,
            0xe7, 0xeb, 0x4a, 0x7c, 0x0f, 0x9e, 0x16, 0x2b, 0xce, 0x33, 0x57, 0x6b, 0x31, 0x5e,
            0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5,
        ];
        // The curve's generator is the public key of the scalar 1.
        let mut scalar = [0; 32];
        scalar[31] = 1;
        let ecdsa = SigningKey::ecdsa(Curve::Nistp256, &point, &scalar).unwrap();
        Self(OneKey(key(7)), OneKey(ecdsa))
    }

    fn of(&self, algorithm: KeyAlgorithm) -> &OneKey {
        if self.0.algorithms().contains(&algorithm) { &self.0 } else { &self.1 }
    }
}

impl HostKeys for TwoKeys {
    fn algorithms(&self) -> Vec<KeyAlgorithm> {
        [self.0.algorithms(), self.1.algorithms()].concat()
    }

    fn public_blob(&self, algorithm: KeyAlgorithm) -> Option<Vec<u8>> {
        self.of(algorithm).public_blob(algorithm)
    }

    fn sign(&self, algorithm: KeyAlgorithm, hash: &[u8]) -> Result<Vec<u8>, SignFailed> {
        self.of(algorithm).sign(algorithm, hash)
    }
}

/// The extensions a client was told of, message by message.
fn told(seen: &[Seen]) -> Vec<Vec<(String, String)>> {
    let infos = seen.iter().filter_map(|seen| match seen {
        Seen::ExtInfo(pairs) => Some(pairs),
        _ => None,
    });
    let text = |value: &[u8]| String::from_utf8(value.to_vec()).unwrap();
    infos
        .map(|pairs| pairs.iter().map(|(name, value)| (name.clone(), text(value))).collect())
        .collect()
}

#[test]
fn each_of_two_host_keys_serves_the_clients_that_want_it_and_binds_their_logins() {
    let wishes = [SignatureAlgorithm::Ed25519.plain(), SignatureAlgorithm::EcdsaNistp256.plain()];
    for wish in wishes {
        for guess_kex in [true, false] {
            let keys = Arc::new(TwoKeys::new());
            let shown = keys.public_blob(wish).unwrap();
            let kex = client_transport().kex;
            let server = Config { kex: kex.clone(), ..Config::server(keys) };
            let client = Config { host_key: vec![wish], kex, guess_kex, ..Config::client() };
            let mut pair = Pair::new(client_config(client), server_config(server));
            pair.run();
            assert_eq!(pair.client.engine.host_key(), shown);
            assert_eq!(pair.server.engine.host_key(), shown);
            assert_eq!(pair.server.engine.negotiated().unwrap().host_key, wish);
            assert!(pair.server.seen.contains(&Seen::Established), "{:#?}", pair.server.seen);
        }
    }
}

#[test]
fn a_server_announces_what_openssh_does() {
    let mut pair = Pair::default();
    pair.run();
    let first = &told(&pair.client.seen)[0];
    let names: Vec<&str> = first.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["server-sig-algs", "publickey-hostbound@openssh.com", "ping@openssh.com"]);
    assert!(first[0].1.split(',').any(|name| name == "rsa-sha2-512"));
    assert_eq!((first[1].1.as_str(), first[2].1.as_str()), ("0", "0"));
}

/// A client with these extensions, and a server that lets users sign with Ed25519 keys and certificates only.
fn told_by_a_strict_server(extensions: Vec<(String, Vec<u8>)>) -> Vec<Vec<(String, String)>> {
    let client = Config { extensions, ..client_transport() };
    let mut pair = Pair::new(client_config(client), server_config(server_transport()));
    let accepted_algorithms = "ssh-ed25519-cert-v01@openssh.com,ssh-ed25519".into();
    pair.server.manners.policy = Policy { accepted_algorithms, ..Policy::default() };
    pair.run();
    assert!(pair.server.seen.contains(&Seen::Established), "{:#?}", pair.server.seen);
    told(&pair.client.seen)
}

#[test]
fn a_client_that_takes_it_is_told_a_users_algorithms_once_the_user_is_known() {
    let mark = vec![("ext-info-in-auth@openssh.com".into(), b"0".into())];
    let told = told_by_a_strict_server(mark);
    let users = [("server-sig-algs".into(), "ssh-ed25519".into())];
    assert_eq!(told[1..], [users.to_vec()]);
    assert_eq!(told_by_a_strict_server(vec![]).len(), 1, "another client is told nothing more");
}

fn asks_with(script: &mut Script, server_host_key: &[u8]) {
    let public_key = key(1).public_blob();
    let probe = Publickey {
        algorithm_name: "ssh-ed25519",
        public_key: &public_key,
        server_host_key: Some(server_host_key),
        signature: None,
    };
    let mut method = Vec::new();
    probe.encode(&mut method);
    script.sends(&UserauthRequest {
        user_name: USER,
        service_name: "ssh-connection",
        method_name: "publickey-hostbound-v00@openssh.com",
        method: Rest(&method),
    });
}

#[test]
fn a_login_bound_to_another_host_key_is_refused() {
    let mut script = Script::connected(script::server());
    script.sends(&ServiceRequest { service_name: "ssh-userauth" });
    script.expects(&ServiceAccept { service_name: "ssh-userauth" });
    asks_with(&mut script, &key(8).public_blob());
    let methods = "publickey,keyboard-interactive,password";
    script.expects(&UserauthFailure {
        authentications_that_can_continue: NameList::new(methods),
        partial_success: false,
    });
}

#[test]
fn engines_that_come_to_rest_go_on_as_before() {
    let mut pair = Pair::established();
    let (ours, theirs) = pair.channel();
    for round in 1..=3 {
        for end in [&mut pair.client, &mut pair.server] {
            end.engine.rest();
            end.tx.rest();
        }
        pair.client.send(ours, b"after a rest");
        pair.client.engine.keepalive().unwrap();
        pair.client.settle();
        pair.run();
        assert_eq!(pair.server.flow(theirs).received.len(), 12 * round);
    }
}

#[test]
fn pings_are_answered_before_and_after_the_login() {
    let mut script = Script::connected(script::server());
    script.sends(&Ping { data: b"early" });
    script.expects(&Pong { data: b"early" });
    let mut script = Script::established(script::server());
    script.sends(&Ping { data: b"late" });
    script.expects(&Pong { data: b"late" });
}
