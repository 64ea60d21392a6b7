//! Who signs with a host key: this process, or an agent that keeps it. sshd_config(5) HostKeyAgent.
//! Touches: a private key, or the agent's socket for the time of one answer.   Never: key files.
//! Invariants: what an agent gave is checked before it is sent.
//! Errors: none; a key that could not sign has no signature.   Allocates: the signature.
//! Proved by: `tests` below, with an agent of our own.

use adit_crypto::{PublicKey, SignatureAlgorithm, SigningKey, SystemRandom};
use adit_keys::agent::{Agent, SignFlags};
use std::path::PathBuf;
use std::time::Duration;

/// A loop waits for the answer, and everybody on it: an agent of the same machine has to be quick.
const PATIENCE: Duration = Duration::from_secs(2);

/// A host key that can be signed with.
#[derive(Debug)]
pub(super) enum Signer {
    /// We have it.
    Own(SigningKey),
    /// An agent has it.
    Agent {
        /// Its public half.
        public: PublicKey,
        /// Where the agent listens.
        socket: PathBuf,
    },
    /// The keeper has it, and is asked by whoever knows for which connection.
    Kept(PublicKey),
}

impl Signer {
    pub(super) fn public_key(&self) -> PublicKey {
        match self {
            Self::Own(key) => key.public_key(),
            Self::Agent { public, .. } | Self::Kept(public) => public.clone(),
        }
    }

    pub(super) fn sign(&self, algorithm: SignatureAlgorithm, data: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Own(key) => key.sign(algorithm, data, &mut SystemRandom::new()).ok(),
            Self::Kept(_) => None,
            Self::Agent { public, socket } => {
                let mut agent = Agent::connect(socket, PATIENCE).ok()?;
                let flags = SignFlags::for_algorithm(algorithm.name());
                let signature = agent.sign(&public.encode(), data, flags).ok()?;
                public.verify(algorithm.plain(), data, &signature).ok().map(|()| signature)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing::Scratch;
    use adit_wire::{Field, Reader};
    use std::io::{Read, Write};
    use std::os::unix::net::UnixListener;
    use std::thread;

    const SIGN_REQUEST: u8 = 13;
    const SIGN_RESPONSE: u8 = 14;

    /// Signs once with `key`, whatever key it is asked for.
    fn answer(listener: &UnixListener, key: &SigningKey) {
        let (mut stream, _) = listener.accept().unwrap();
        let mut length = [0; 4];
        stream.read_exact(&mut length).unwrap();
        let mut request = vec![0; u32::from_be_bytes(length) as usize];
        stream.read_exact(&mut request).unwrap();
        let mut reader = Reader::new(&request);
        assert_eq!(reader.field::<u8>(), Ok(SIGN_REQUEST));
        let _key = reader.string().unwrap();
        let data = reader.string().unwrap();
        let algorithm = key.public_key().algorithms().next().unwrap().signature;
        let signature = key.sign(algorithm, data, &mut SystemRandom::new()).unwrap();
        let mut reply = vec![SIGN_RESPONSE];
        signature.as_slice().encode(&mut reply);
        let mut framed = Vec::new();
        reply.as_slice().encode(&mut framed);
        stream.write_all(&framed).unwrap();
    }

    #[test]
    fn an_agent_signs_for_us_and_is_not_believed_blindly() {
        let scratch = Scratch::new("host-key-agent");
        let socket = scratch.path("agent");
        let listener = UnixListener::bind(&socket).unwrap();
        let [ours, other] = [[1; 32], [2; 32]].map(|seed| SigningKey::ed25519(&seed));
        let signer = Signer::Agent { public: ours.public_key(), socket };
        let public = signer.public_key();
        let agent = thread::spawn(move || {
            answer(&listener, &ours);
            answer(&listener, &other);
        });
        let algorithm = SignatureAlgorithm::Ed25519;
        let signature = signer.sign(algorithm, b"hash").unwrap();
        assert_eq!(public.verify(algorithm.plain(), b"hash", &signature), Ok(()));
        assert_eq!(signer.sign(algorithm, b"hash"), None);
        agent.join().unwrap();
        // Nobody listens any more.
        assert_eq!(signer.sign(algorithm, b"hash"), None);
    }
}
