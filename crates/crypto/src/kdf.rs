//! Keys from the shared secret. RFC 4253 §7.2.
//! Touches: the caller's key buffers.   Never: which key is for what.
//! Invariants: `out` is filled, whatever its length.
//! Errors: none.   Allocates: never.
//! Proved by: `tests` below (vectors from an independent implementation).

use zeroize::Zeroize;

use crate::HashAlgorithm;

/// Fills `out` with the key that `letter` (`A` to `F`) names. RFC 4253 §7.2.
///
/// `K1 = HASH(K ‖ H ‖ letter ‖ session_id)`, then `Kn = HASH(K ‖ H ‖ K1 ‖ … ‖ Kn-1)` until `out` is full.
/// `k_encoded` is the shared secret in wire form, [`SharedSecret::as_wire`](crate::SharedSecret::as_wire);
/// `h` the exchange hash, `session_id` the first exchange hash of the connection.
pub fn derive(
    hash: HashAlgorithm,
    k_encoded: &[u8],
    h: &[u8],
    letter: u8,
    session_id: &[u8],
    out: &mut [u8],
) {
    let mut done = 0;
    while done < out.len() {
        let (made, rest) = out.split_at_mut(done);
        let mut block = match made {
            [] => hash.digest(&[k_encoded, h, &[letter], session_id]),
            made => hash.digest(&[k_encoded, h, made]),
        };
        let take = rest.len().min(hash.digest_len());
        rest[..take].copy_from_slice(&block.as_ref()[..take]);
        block.zeroize();
        done += take;
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::testing::cases;

    #[test]
    fn keys_of_every_length_are_a_prefix_of_the_recorded_stream() {
        for case in cases(include_str!("../testdata/kdf.txt")) {
            let hash = match case.text("hash") {
                "sha256" => HashAlgorithm::Sha256,
                "sha384" => HashAlgorithm::Sha384,
                _ => HashAlgorithm::Sha512,
            };
            let letter = case.text("letter").as_bytes()[0];
            let key = case.bytes("key");
            for len in [0, 1, 12, 16, 32, 64, 65, 128, 200] {
                let mut out = vec![0; len];
                derive(
                    hash,
                    &case.bytes("k"),
                    &case.bytes("h"),
                    letter,
                    &case.bytes("session_id"),
                    &mut out,
                );
                assert_eq!(out, key[..len], "{case:?}");
            }
        }
    }
}
