//! The key inside a user certificate. OpenSSH PROTOCOL.certkeys.
//! Touches: the fields of a key blob up to the key's end.   Never: validity, principals, the CA's signature: those are the driver's.
//! Invariants: a key and a certificate for it give the same bytes.
//! Errors: none; a blob that does not fit has no key.   Allocates: one key blob.
//! Proved by: `tests` below.

use crate::algorithm::{ALGORITHMS, kind};
use adit_wire::{Field, Reader};
use alloc::vec::Vec;

/// The plain key blob of a key or of the key a certificate is about; none if the kind is unknown or the blob too short.
///
/// `string kind · [string nonce] · key fields · …` becomes `string plain kind · key fields`
pub fn plain_key(blob: &[u8]) -> Option<Vec<u8>> {
    let key_type = kind(blob)?;
    let algorithm = ALGORITHMS.iter().find(|algorithm| algorithm.key_type == key_type)?;
    let mut reader = Reader::new(blob);
    reader.string().ok()?;
    let mut key = Vec::with_capacity(blob.len());
    match algorithm.certified {
        Some(certified) => {
            certified.encode(&mut key);
            reader.string().ok()?;
        }
        None => key_type.encode(&mut key),
    }
    for _ in 0..algorithm.key_fields {
        reader.string().ok()?.encode(&mut key);
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn blob(fields: &[&[u8]]) -> Vec<u8> {
        let mut blob = vec![];
        for field in fields {
            field.encode(&mut blob);
        }
        blob
    }

    #[test]
    fn a_certificate_holds_its_plain_key() {
        let plain = blob(&[b"ssh-rsa", b"\x01\0\x01", b"modulus"]);
        let mut certificate =
            blob(&[b"ssh-rsa-cert-v01@openssh.com", b"nonce", b"\x01\0\x01", b"modulus"]);
        certificate.extend(b"serial and the rest");
        assert_eq!(plain_key(&certificate).as_ref(), Some(&plain));
        assert_eq!(plain_key(&plain), Some(plain));
    }

    #[test]
    fn every_kind_of_certificate_gives_the_kind_it_certifies() {
        for algorithm in ALGORITHMS.iter().filter(|algorithm| algorithm.certified.is_some()) {
            let certified = algorithm.certified.unwrap();
            let fields = [b"1".as_slice(), b"2", b"3"];
            let of = |kind: &str, head: &[&[u8]], count| {
                blob(&[&[kind.as_bytes()], head, &fields[..count]].concat())
            };
            let key = of(certified, &[], algorithm.key_fields);
            let certificate = of(algorithm.key_type, &[b"nonce"], 3);
            assert_eq!(plain_key(&certificate), Some(key.clone()), "{}", algorithm.name);
            assert_eq!(plain_key(&key), Some(key), "{}", algorithm.name);
        }
    }

    #[test]
    fn a_short_or_unknown_blob_has_no_key() {
        assert_eq!(plain_key(&blob(&[b"ssh-rsa", b"e"])), None);
        assert_eq!(plain_key(&blob(&[b"ssh-new@example.com", b"e"])), None);
        assert_eq!(plain_key(b"\0\0\0\xff"), None);
    }
}
