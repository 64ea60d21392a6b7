//! Fingerprints as people compare them: `SHA256:` and base64 without padding. OpenSSH since 6.8.
//! Touches: one blob.   Never: what kind of key it is.
//! Invariants: the text has 50 characters.
//! Errors: none.   Allocates: the text.
//! Proved by: `tests` below (fingerprints recorded from ssh-keygen).

use alloc::string::String;

use crate::HashAlgorithm;

/// `SHA256:…` of a public key blob.
pub fn fingerprint(blob: &[u8]) -> String {
    let mut text = String::from("SHA256:");
    for three in HashAlgorithm::Sha256.digest(&[blob]).as_ref().chunks(3) {
        let bits = three.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte))
            << (8 * (3 - three.len()));
        for place in 0..=three.len() {
            text.push(char::from(ALPHABET[(bits >> (18 - 6 * place)) as usize & 63]));
        }
    }
    text
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::cases;

    #[test]
    fn fingerprints_are_those_of_ssh_keygen() {
        for case in cases(include_str!("../testdata/keys.txt")) {
            let text = fingerprint(&case.bytes("blob"));
            assert_eq!(text, case.text("fingerprint"));
            assert_eq!(text.len(), 50);
        }
    }
}
