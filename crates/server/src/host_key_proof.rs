//! Proofs of host keys: a client that learns further keys of this server asks whether we hold them. OpenSSH PROTOCOL §2.5.
//! Touches: the host keys, on a helper thread: an RSA signature takes long.   Never: which keys a client keeps.
//! Invariants: all keys asked for are proved, or none; every request is answered once.
//! Errors: a request with a key that is not ours is refused.   Allocates: the signatures.
//! Proved by: interop `server::host_keys`.

use crate::host::HostKeyRing;
use crate::worker::Worker;
use adit_connection::{Answer, ReplyToken};
use adit_reactor::{Key, Reactor};

/// What is signed begins with the request's name.
const REQUEST: &str = "hostkeys-prove-00@openssh.com";

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
        let ring = self.connections.get(&key).map(|connection| connection.settings.host_keys.clone());
        let (Some(session_id), Some(ring)) = (session_id, ring) else { return };
        self.shared.errands.run(
            &self.postbox,
            move || proof(&ring, &session_id, &keys),
            move |_, reactor, proof| {
                if let Some(engine) = reactor.engine(key) {
                    engine.reply(token, proof.as_deref().map_or(Answer::Failure, Answer::Data));
                }
            },
        );
    }
}

/// `string signature` for every `string key`, in their order.
fn proof(ring: &HostKeyRing, session_id: &[u8], keys: &[u8]) -> Option<Vec<u8>> {
    let mut answer = Vec::new();
    for blob in strings(keys)? {
        let mut signed = Vec::new();
        for part in [REQUEST.as_bytes(), session_id, blob] {
            put_string(&mut signed, part);
        }
        put_string(&mut answer, &ring.prove(blob, &signed)?);
    }
    (!answer.is_empty()).then_some(answer)
}

fn strings(mut bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let mut strings = Vec::new();
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let (string, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        strings.push(string);
        bytes = rest;
        if strings.len() > MAX_KEYS {
            return None;
        }
    }
    Some(strings)
}

fn put_string(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_end_where_they_say() {
        assert_eq!(strings(b"\0\0\0\x01a\0\0\0\0").unwrap(), [&b"a"[..], b""]);
        assert_eq!(strings(b"\0\0\0\x02a"), None);
        assert_eq!(strings(b"\0\0\0"), None);
        assert_eq!(strings(&[0; 4 * (MAX_KEYS + 1)]), None);
    }
}
