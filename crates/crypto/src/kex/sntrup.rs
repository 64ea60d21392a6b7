//! `sntrup761x25519-sha512`: Streamlined NTRU Prime beside X25519. draft-ietf-sshm-ntruprime-ssh.
//! Touches: encapsulation keys, ciphertexts, public values.   Never: names.
//! Invariants: the client's value is key ‖ X25519, the server's ciphertext ‖ X25519.
//! Errors: `KexError`.   Allocates: public values and the KEM's own.
//! Proved by: `kex::tests`.

use alloc::vec::Vec;

use super::{SharedSecret, x25519};
use crate::random::Lent;
use crate::{HashAlgorithm, KexError, Random};
use ::sntrup::sntrup761::{Ciphertext, DecapsulationKey, EncapsulationKey, generate_key};

const KEY_LEN: usize = 1158;
const CIPHERTEXT_LEN: usize = 1039;

pub(super) struct Secret {
    kem: DecapsulationKey,
    scalar: x25519::Scalar,
}

/// The client's secrets and `Q_C = key ‖ X25519`. Slow: inverting a polynomial takes milliseconds.
pub(super) fn generate(random: &mut dyn Random) -> (Secret, Vec<u8>) {
    let (key, kem) = generate_key(&mut Lent(random));
    let (scalar, public) = x25519::generate(random);
    let q_c = [key.as_ref(), &public].concat();
    (Secret { kem, scalar }, q_c)
}

/// The server's `Q_S = ciphertext ‖ X25519` and K.
pub(super) fn respond(
    hash: HashAlgorithm,
    q_c: &[u8],
    random: &mut dyn Random,
) -> Result<(Vec<u8>, SharedSecret), KexError> {
    let (key, peer) = q_c.split_at_checked(KEY_LEN).ok_or(KexError::WrongLength)?;
    let peer = x25519::public(peer)?;
    let key = EncapsulationKey::try_from(key).map_err(|_| KexError::InvalidPublicValue)?;

    let (ciphertext, kem_secret) = key.encapsulate(&mut Lent(random));
    let (scalar, public) = x25519::generate(random);
    let shared = scalar.agree(peer)?;
    let q_s = [ciphertext.as_ref(), &public].concat();
    Ok((q_s, SharedSecret::from_hybrid(hash, kem_secret.as_ref(), &shared[..])))
}

impl Secret {
    pub(super) fn agree(self, hash: HashAlgorithm, q_s: &[u8]) -> Result<SharedSecret, KexError> {
        let (ciphertext, peer) =
            q_s.split_at_checked(CIPHERTEXT_LEN).ok_or(KexError::WrongLength)?;
        let shared = self.scalar.agree(x25519::public(peer)?)?;
        let ciphertext =
            Ciphertext::try_from(ciphertext).map_err(|_| KexError::InvalidPublicValue)?;
        let kem_secret = self.kem.decapsulate(&ciphertext);
        Ok(SharedSecret::from_hybrid(hash, kem_secret.as_ref(), &shared[..]))
    }
}

#[cfg(test)]
impl Secret {
    /// A secret key in the reference encoding, and X25519's scalar.
    pub(super) fn recorded(kem: &[u8], random: &mut dyn Random) -> Self {
        Self { kem: DecapsulationKey::try_from(kem).unwrap(), scalar: x25519::generate(random).0 }
    }
}
