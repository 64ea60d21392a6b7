//! `mlkem768x25519-sha256`: ML-KEM-768 beside X25519. draft-ietf-sshm-mlkem-hybrid-kex, FIPS 203.
//! Touches: encapsulation keys, ciphertexts, public values.   Never: names.
//! Invariants: the client's value is key ‖ X25519, the server's ciphertext ‖ X25519; the key's modulus check is done.
//! Errors: `KexError`.   Allocates: public values.
//! Proved by: `kex::tests`.

use alloc::boxed::Box;
use alloc::vec::Vec;

use ml_kem::kem::{Decapsulate, Encapsulate, KeyExport};
use ml_kem::{MlKem768, Seed};
use zeroize::Zeroizing;

use super::{SharedSecret, x25519};
use crate::random::Lent;
use crate::{HashAlgorithm, KexError, Random};

/// Bytes of an encapsulation key and of a ciphertext. FIPS 203 §8.
const KEY_LEN: usize = 1184;
const CIPHERTEXT_LEN: usize = 1088;

type DecapsulationKey = ml_kem::DecapsulationKey<MlKem768>;
type EncapsulationKey = ml_kem::EncapsulationKey<MlKem768>;

pub(super) struct Secret {
    kem: Box<DecapsulationKey>,
    scalar: x25519::Scalar,
}

/// The client's secrets and `C_INIT = key ‖ X25519`.
pub(super) fn generate(random: &mut dyn Random) -> (Secret, Vec<u8>) {
    let mut seed = Zeroizing::new([0; 64]);
    random.fill(&mut *seed);
    let kem = Box::new(DecapsulationKey::from_seed(Seed::from(*seed)));
    let (scalar, public) = x25519::generate(random);
    let init = [&kem.encapsulation_key().to_bytes()[..], &public].concat();
    (Secret { kem, scalar }, init)
}

/// The server's `S_REPLY = ciphertext ‖ X25519` and K.
pub(super) fn respond(
    hash: HashAlgorithm,
    init: &[u8],
    random: &mut dyn Random,
) -> Result<(Vec<u8>, SharedSecret), KexError> {
    let (key, peer) = init.split_at_checked(KEY_LEN).ok_or(KexError::WrongLength)?;
    let peer = x25519::public(peer)?;
    let key = key.try_into().map_err(|_| KexError::WrongLength)?;
    let key = EncapsulationKey::new(key).map_err(|_| KexError::InvalidPublicValue)?;

    let (ciphertext, kem_secret) = key.encapsulate_with_rng(&mut Lent(random));
    let kem_secret = Zeroizing::new(kem_secret);
    let (scalar, public) = x25519::generate(random);
    let shared = scalar.agree(peer)?;
    let reply = [&ciphertext[..], &public].concat();
    Ok((reply, SharedSecret::from_hybrid(hash, &kem_secret[..], &shared[..])))
}

impl Secret {
    pub(super) fn agree(self, hash: HashAlgorithm, reply: &[u8]) -> Result<SharedSecret, KexError> {
        let (ciphertext, peer) =
            reply.split_at_checked(CIPHERTEXT_LEN).ok_or(KexError::WrongLength)?;
        let shared = self.scalar.agree(x25519::public(peer)?)?;
        let ciphertext = ciphertext.try_into().map_err(|_| KexError::WrongLength)?;
        // A ciphertext that was tampered with gives a secret of no use, and the host's signature will not fit.
        let kem_secret = Zeroizing::new(self.kem.decapsulate(ciphertext));
        Ok(SharedSecret::from_hybrid(hash, &kem_secret[..], &shared[..]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SystemRandom;
    use crate::testing::{Replay, cases};

    fn vectors() -> Vec<crate::testing::Case> {
        cases(include_str!("../../testdata/mlkem768.txt"))
    }

    /// A secret from the recorded seed, and X25519's scalar.
    fn secret(seed: Vec<u8>) -> (Secret, Vec<u8>) {
        generate(&mut Replay([seed, [7; 32].to_vec()].concat()))
    }

    #[test]
    fn keys_and_secrets_are_those_of_openssl() {
        for case in vectors() {
            let (secret, init) = secret(case.bytes("seed"));
            assert_eq!(init[..KEY_LEN], case.bytes("key"));
            for (ciphertext, expected) in
                [("ciphertext", "secret"), ("rejected", "rejected_secret")]
            {
                let ciphertext = case.bytes(ciphertext);
                let shared = secret.kem.decapsulate(ciphertext[..].try_into().unwrap());
                assert_eq!(shared[..], case.bytes(expected));
            }
        }
    }

    /// Every value of 12 bits from q = 3329 up is no residue. FIPS 203 §7.2.
    #[test]
    fn keys_that_fail_the_modulus_check_are_refused() {
        let (_, init) = secret(vectors()[0].bytes("seed"));
        let respond =
            |init: &[u8]| respond(HashAlgorithm::Sha256, init, &mut SystemRandom::new()).err();
        assert_eq!(respond(&init), None);
        for at in [0, 3, 600, 1149] {
            let mut bad = init.clone();
            bad[at..at + 2].fill(0xff);
            assert_eq!(respond(&bad), Some(KexError::InvalidPublicValue), "at {at}");
        }
        let mut reduced = init.clone();
        // 3329 = d01: low byte, then low half of the next.
        reduced[0] = 0x01;
        reduced[1] = reduced[1] & 0xf0 | 0x0d;
        assert_eq!(respond(&reduced), Some(KexError::InvalidPublicValue));
    }
}
