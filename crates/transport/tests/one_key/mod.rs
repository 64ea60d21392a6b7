//! The host key of a test's server.

use adit_crypto::{KeyAlgorithm, SigningKey, SystemRandom};
use adit_transport::{HostKeys, SignFailed};

/// One Ed25519 key.
pub(crate) struct OneKey(SigningKey);

impl OneKey {
    pub(crate) fn new() -> Self {
        Self(SigningKey::ed25519(&[1; 32]))
    }
}

impl HostKeys for OneKey {
    fn algorithms(&self) -> Vec<KeyAlgorithm> {
        self.0.public_key().algorithms().collect()
    }
    fn public_blob(&self, _: KeyAlgorithm) -> Option<Vec<u8>> {
        Some(self.0.public_blob())
    }
    fn sign(&self, algorithm: KeyAlgorithm, hash: &[u8]) -> Result<Vec<u8>, SignFailed> {
        let signature = self.0.sign(algorithm.signature, hash, &mut SystemRandom::new());
        signature.map_err(|_| SignFailed)
    }
}
