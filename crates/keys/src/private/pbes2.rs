//! Encryption by passphrase in PKCS#8: PBES2 with PBKDF2 or scrypt. RFC 8018 §6.2, RFC 7914 §7.
//! Touches: algorithm identifiers, the text under them.   Never: what is inside.
//! Invariants: a file cannot ask for more than 64 MiB of memory.
//! Errors: `Cause`.   Allocates: key and plain text, zeroized; what scrypt needs.
//! Proved by: `tests` of `private`, a file of each kind.

use sha1::Sha1;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::Cause;
use super::cipher::Cipher;
use super::der::{Der, tag};

const PBES2: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0d";
const PBKDF2: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0c";
#[cfg(feature = "rare-ciphers")]
const SCRYPT: &[u8] = b"\x2b\x06\x01\x04\x01\xda\x47\x04\x0b";

/// Derives: passphrase, salt, rounds, key.
type Pbkdf2 = fn(&[u8], &[u8], u32, &mut [u8]);

/// `hmacWithSHA1`, `hmacWithSHA256`, `hmacWithSHA512`: what openssl and ssh-keygen write.
const FUNCTIONS: &[(&[u8], Pbkdf2)] = &[
    (HMAC_WITH_SHA1, pbkdf2::pbkdf2_hmac::<Sha1>),
    (b"\x2a\x86\x48\x86\xf7\x0d\x02\x09", pbkdf2::pbkdf2_hmac::<Sha256>),
    #[cfg(feature = "rare-ciphers")]
    (b"\x2a\x86\x48\x86\xf7\x0d\x02\x0b", pbkdf2::pbkdf2_hmac::<sha2::Sha512>),
];

/// Meant where none is named.
const HMAC_WITH_SHA1: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x02\x07";

/// Twice what OpenSSL is ready to use.
#[cfg(feature = "rare-ciphers")]
const MAX_SCRYPT_MEMORY: u64 = 64 << 20;

/// `SEQUENCE { PBES2, SEQUENCE { SEQUENCE { kdf, parameters }, SEQUENCE { cipher, iv } } }`, the outermost opened.
pub(super) fn decrypt(
    mut algorithm: Der<'_>,
    passphrase: &[u8],
    text: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Cause> {
    if algorithm.oid()? != PBES2 {
        return Err(Cause::UnsupportedCipher);
    }
    let mut parameters = algorithm.sequence()?;
    let (kdf, mut encryption) = (parameters.sequence()?, parameters.sequence()?);
    let named = encryption.oid()?;
    let cipher = Cipher::find(|row| row.oid == Some(named))?;
    let iv = encryption.value(tag::OCTET_STRING)?;
    let mut key = Zeroizing::new(vec![0; cipher.key]);
    derive(kdf, passphrase, &mut key)?;
    cipher.decrypt_padded(&key, iv, text)
}

fn derive(mut kdf: Der<'_>, passphrase: &[u8], key: &mut [u8]) -> Result<(), Cause> {
    match kdf.oid()? {
        PBKDF2 => derive_pbkdf2(kdf.sequence()?, passphrase, key),
        #[cfg(feature = "rare-ciphers")]
        SCRYPT => derive_scrypt(kdf.sequence()?, passphrase, key),
        _ => Err(Cause::UnsupportedCipher),
    }
}

/// `SEQUENCE { salt, rounds, key length OPTIONAL, SEQUENCE { function, NULL } OPTIONAL }`
fn derive_pbkdf2(mut given: Der<'_>, passphrase: &[u8], key: &mut [u8]) -> Result<(), Cause> {
    let (salt, rounds) = (given.value(tag::OCTET_STRING)?, given.small()?);
    given.optional(tag::INTEGER)?;
    let named = match given.optional(tag::SEQUENCE)? {
        Some(function) => Der::content(function).oid()?,
        None => HMAC_WITH_SHA1,
    };
    let function = FUNCTIONS.iter().find(|(oid, _)| *oid == named);
    let (_, function) = function.ok_or(Cause::UnsupportedCipher)?;
    function(passphrase, salt, rounds, key);
    Ok(())
}

/// `SEQUENCE { salt, cost, block size, parallelization, key length OPTIONAL }`
#[cfg(feature = "rare-ciphers")]
fn derive_scrypt(mut given: Der<'_>, passphrase: &[u8], key: &mut [u8]) -> Result<(), Cause> {
    let salt = given.value(tag::OCTET_STRING)?;
    let (n, r, p) = (given.small()?, given.small()?, given.small()?);
    let memory = u64::from(n).saturating_mul(u64::from(r)).saturating_mul(128);
    if !n.is_power_of_two() || memory > MAX_SCRYPT_MEMORY {
        return Err(Cause::UnsupportedCipher);
    }
    let params = scrypt::Params::new(n.ilog2() as u8, r, p);
    let params = params.map_err(|_| Cause::UnsupportedCipher)?;
    scrypt::scrypt(passphrase, salt, &params, key).map_err(|_| Cause::UnsupportedCipher)
}

#[cfg(all(test, feature = "rare-ciphers"))]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_asks_for_too_much_memory_is_refused() {
        let derive = |n: &[u8]| {
            let given = [b"\x04\x04salt\x02\x03", n, b"\x02\x01\x08\x02\x01\x01"].concat();
            derive_scrypt(Der::content(&given), b"secret", &mut [0; 16])
        };
        assert!(derive(b"\x00\x04\x00").is_ok());
        for n in [b"\x01\x00\x01", b"\x02\x00\x00", b"\x00\x00\x00"] {
            assert!(matches!(derive(n), Err(Cause::UnsupportedCipher)), "{n:x?}");
        }
    }
}
