//! Keys that everybody knows, and configurations with the quickest algorithms: tests are many.
//! Touches: Ed25519 seeds made of one byte.   Never: a key worth anything.
//! Invariants: the same in every run.
//! Errors: none.   Allocates: freely.
//! Proved by: every test that logs in.

use crate::FixedRng;
use adit_connection::Side;
use adit_crypto::{CipherAlgorithm, KexAlgorithm, KeyAlgorithm, SigningKey};
use adit_engine::{ClientConfig, ServerConfig, verify_signature};
use adit_transport::{Config, HostKeys, SignFailed};
use std::sync::Arc;

/// The user that tests log in as.
pub const USER: &str = "ada";

/// The Ed25519 key whose seed is made of this byte.
pub fn key(seed: u8) -> SigningKey {
    SigningKey::ed25519(&[seed; 32])
}

/// A server's one host key.
#[derive(Debug)]
pub struct OneKey(pub SigningKey);

impl HostKeys for OneKey {
    fn algorithms(&self) -> Vec<KeyAlgorithm> {
        self.0.public_key().algorithms().collect()
    }

    fn public_blob(&self, _: KeyAlgorithm) -> Option<Vec<u8>> {
        Some(self.0.public_blob())
    }

    fn sign(&self, algorithm: KeyAlgorithm, hash: &[u8]) -> Result<Vec<u8>, SignFailed> {
        self.0.sign(algorithm.signature, hash, &mut FixedRng::new(1)).map_err(|_| SignFailed)
    }
}

/// The transport of a test's client.
pub fn client_transport() -> Config {
    Config { guess_kex: false, ..quick(Config::client()) }
}

/// The transport of a test's server.
pub fn server_transport() -> Config {
    quick(Config::server(Arc::new(OneKey(key(7)))))
}

fn quick(config: Config) -> Config {
    let kex = [KexAlgorithm::Curve25519Sha256].into();
    let ciphers = [CipherAlgorithm::Aes128Gcm].into();
    Config { kex, ciphers, ..config }
}

/// A client of [`USER`].
pub fn client_config(transport: Config) -> ClientConfig {
    ClientConfig {
        transport: Arc::new(transport),
        login: adit_auth::client::Config::new(USER, b"", b""),
        connection: adit_connection::Config::new(Side::Client),
        keepalive: None,
    }
}

/// A server that checks signatures for what they are.
pub fn server_config(transport: Config) -> ServerConfig {
    ServerConfig {
        transport: Arc::new(transport),
        verify: verify_signature,
        connection: adit_connection::Config::new(Side::Server),
        keepalive: None,
    }
}
