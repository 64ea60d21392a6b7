//! Ciphers that key files are under only when somebody asked for them. RFC 5647, OpenSSH PROTOCOL.chacha20poly1305.
//! Touches: bytes in place.   Never: passphrases; keys come derived.
//! Invariants: nothing is decrypted that is not authentic.
//! Errors: `Cause`.   Allocates: never.
//! Proved by: `tests` of `private`, a file under each.

pub(super) use aes::Aes192;
pub(super) use aes_gcm::{Aes128Gcm, Aes256Gcm};

use aes_gcm::aead::AeadInOut;
use cbc::cipher::{KeyInit, KeyIvInit, StreamCipher};
use chacha20::ChaCha20;
use poly1305::Poly1305;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::Cause;

/// Decrypts and authenticates in one.
pub(super) fn sealed<C: KeyInit + AeadInOut>(
    key: &[u8],
    iv: &[u8],
    text: &mut [u8],
    tag: &[u8],
) -> Result<(), Cause> {
    let cipher = C::new_from_slice(key).map_err(|_| Cause::InvalidFormat)?;
    let nonce = iv.try_into().map_err(|_| Cause::InvalidFormat)?;
    let tag = tag.try_into().map_err(|_| Cause::InvalidFormat)?;
    cipher.decrypt_inout_detached(nonce, &[], text.into(), tag).map_err(|_| Cause::WrongPassphrase)
}

/// As in packets, but packet 0 without a length: the second half of the key is not used.
pub(super) fn chacha20_poly1305(
    key: &[u8],
    _iv: &[u8],
    text: &mut [u8],
    tag: &[u8],
) -> Result<(), Cause> {
    let key = key.get(..32).ok_or(Cause::InvalidFormat)?;
    let mut cipher = ChaCha20::new_from_slices(key, &[0; 12]).map_err(|_| Cause::InvalidFormat)?;
    // Block 0 of the key stream is the authenticator's key, the text begins at block 1.
    let mut first = Zeroizing::new([0; 64]);
    cipher.apply_keystream(first.as_mut());
    let authenticator = Poly1305::new_from_slice(&first[..32]).map_err(|_| Cause::InvalidFormat)?;
    if !bool::from(authenticator.compute_unpadded(text).as_slice().ct_eq(tag)) {
        return Err(Cause::WrongPassphrase);
    }
    cipher.apply_keystream(text);
    Ok(())
}
