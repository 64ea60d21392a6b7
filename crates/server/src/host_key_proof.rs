//! Proofs of host keys: a client that learns further keys of this server asks whether we hold them. OpenSSH PROTOCOL §2.5.
//! Touches: the host keys, on a helper thread: an RSA signature takes long.   Never: which keys a client keeps.
//! Invariants: all keys asked for are proved, or none; every request is answered once.
//! Errors: a request with a key that is not ours is refused.   Allocates: the signatures.
//! Proved by: `tests` below, interop `server::host_keys`.

use crate::host::keys::HostKeyRing;
use crate::worker::Worker;
use adit_connection::{Answer, ReplyToken};
use adit_crypto::SignatureAlgorithm;
use adit_engine::{host_key_proof, host_keys};
use adit_reactor::{Key, Reactor};

/// Keys in one request, at most: more than any server has.
const MAX_KEYS: usize = 64;

impl Worker {
    /// Signs for every key the client names.
    pub(crate) fn prove_host_keys(
        &mut self,
        reactor: &mut Reactor,
        key: Key,
        token: ReplyToken,
        keys: Vec<u8>,
    ) {
        let session_id =
            reactor.engine(key).and_then(|engine| engine.session_id().map(<[u8]>::to_vec));
        let rsa = reactor.engine(key).and_then(|engine| Some(engine.negotiated()?.host_key));
        let connection = self.connections.get(&key);
        let (Some(session_id), Some(rsa), Some(connection)) = (session_id, rsa, connection) else {
            return;
        };
        let (desk, settings) = (connection.desk.clone(), connection.settings.clone());
        self.shared.errands.run(
            &self.postbox,
            move || desk.prove(&settings, rsa.signature, &session_id, &keys),
            move |_, reactor, proof| {
                if let Some(engine) = reactor.engine(key) {
                    engine.reply(token, proof.as_deref().map_or(Answer::Failure, Answer::Data));
                }
            },
        );
    }
}

/// `string signature` for every `string key`, in their order.
pub(crate) fn proof(
    ring: &HostKeyRing,
    rsa: SignatureAlgorithm,
    session_id: &[u8],
    keys: &[u8],
) -> Option<Vec<u8>> {
    let mut answer = Vec::new();
    for (count, key) in host_keys(keys).enumerate() {
        let key = key.ok().filter(|_| count < MAX_KEYS)?;
        let signature = ring.prove(key, rsa, &host_key_proof(session_id, key))?;
        answer.extend_from_slice(&(signature.len() as u32).to_be_bytes());
        answer.extend_from_slice(&signature);
    }
    (!answer.is_empty()).then_some(answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use adit_testkit::keys::key;

    #[test]
    fn a_request_names_as_many_keys_as_any_server_has_and_no_more() {
        let ring = HostKeyRing::of(key(7));
        let blob = ring.public_blobs().next().unwrap();
        let named = [&(blob.len() as u32).to_be_bytes(), &blob[..]].concat();
        let proved = |count| proof(&ring, SignatureAlgorithm::Ed25519, b"id", &named.repeat(count));
        let lengths = [1, 64, 65].map(|count| proved(count).map(|signatures| signatures.len()));
        let one = lengths[0].unwrap();
        assert_eq!(lengths, [Some(one), Some(64 * one), None]);
    }
}
