//! Password hashes: argon2 (PHC strings), yescrypt, sha512-crypt and sha256-crypt (`$y$`, `$6$`, `$5$`). crypt(5).
//! Touches: one hash, one password.   Never: where hashes are kept.
//! Invariants: what is not understood is nobody's password; a hash that has no bytes to compare is not understood.
//! Errors: none.   Allocates: what the hash's parameters ask for.
//! Proved by: `tests` below, with hashes of libcrypt and of the reference implementation of argon2.

use adit_crypto::{Random, SystemRandom};
use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use sha_crypt::ShaCrypt;
use yescrypt::Yescrypt;

/// Longer ones are not looked at: some hashes take time that grows with the square of the length.
const MAX_PASSWORD: usize = 1024;

/// Fewer letters would not be a hash but a gate that stands open.
const MIN_HASH: usize = 22;

/// How the hash of a password is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Argon2,
    Yescrypt,
    ShaCrypt,
}

impl Scheme {
    fn of(hash: &str) -> Option<Self> {
        let schemes = [
            ("$argon2id$", Self::Argon2),
            ("$argon2i$", Self::Argon2),
            ("$argon2d$", Self::Argon2),
            ("$y$", Self::Yescrypt),
            ("$6$", Self::ShaCrypt),
            ("$5$", Self::ShaCrypt),
        ];
        schemes.into_iter().find(|(prefix, _)| hash.starts_with(prefix)).map(|(_, scheme)| scheme)
    }
}

/// Whether this is a hash that some password could fit.
pub(super) fn is_hash(text: &str) -> bool {
    let is_long = text.rsplit('$').next().is_some_and(|last| last.len() >= MIN_HASH);
    is_long
        && match Scheme::of(text) {
            Some(Scheme::Argon2) => PasswordHash::new(text).is_ok(),
            Some(Scheme::Yescrypt | Scheme::ShaCrypt) => {
                sha_crypt::PasswordHashRef::new(text).is_ok()
            }
            None => false,
        }
}

/// Whether the password is the one that was hashed.
pub(super) fn verify(hash: &str, password: &[u8]) -> bool {
    if password.len() > MAX_PASSWORD || !is_hash(hash) {
        return false;
    }
    match Scheme::of(hash) {
        Some(Scheme::Argon2) => PasswordHash::new(hash)
            .is_ok_and(|hash| Argon2::default().verify_password(password, &hash).is_ok()),
        Some(Scheme::Yescrypt) => Yescrypt::default().verify_password(password, hash).is_ok(),
        Some(Scheme::ShaCrypt) => ShaCrypt::default().verify_password(password, hash).is_ok(),
        None => false,
    }
}

/// Takes as long as [`verify`] would, and is false; `like` is a hash as others have one.
pub(super) fn pretend_to_verify(like: Option<&str>, password: &[u8]) -> bool {
    let hash = like.filter(|hash| is_hash(hash)).unwrap_or(NOBODYS);
    // Nothing is let through, whatever the answer: the hash may be somebody else's.
    let _ = std::hint::black_box(verify(hash, password));
    false
}

/// Made as [`hash_password`] makes them; the password has been forgotten.
const NOBODYS: &str = "$argon2id$v=19$m=19456,t=2,p=1$Eq0FzjM+L7ofCXinDsaNXQ$xmX84Am5E2tT6LrWpU3bbI/q535fMHpZGysyQTBEJtg";

/// Hashes a password for a UsersFile: argon2id.
///
/// # Panics
/// Never: parameters and salt are of the right size, and a password of more than 4 GiB cannot be typed.
pub(crate) fn hash_password(password: &[u8]) -> String {
    let mut salt = [0; 16];
    SystemRandom::new().fill(&mut salt);
    let hash = Argon2::default().hash_password_with_salt(password, &salt);
    hash.expect("default parameters and a salt of 16 bytes").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `secret`, by libcrypt, openssl and the reference implementation of argon2.
    const HASHES: [&str; 6] = [
        "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$GmcwIgvdUC9qLWcKCi6gklUa1dM3ziD43YxYNURLKy0",
        "$6$saltsalt$TVLlQcbpFVof5W3Yz4DTP6gRstiNuHwwTt6GLc1E5n0U0aDehy0S5knV8wiOQSpT0Y77vwPZN.Pq.H91p5hVO1",
        "$6$rounds=5001$saltsalt$eRo839fksshWoEHmHdX/7Uq.Pmen3XX2cfm6f4ywv/b24QbNOabWnbWVRMkFM1jdUtF8zMcSKIP9pdfsSNUqg1",
        "$5$saltsalt$0IyaXrmV7.sGNS6tirgqHLqX/G.FBvgkYA.lpPdS5sA",
        "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQwMTIzNDU2Nw$CAuB+wyh+V9RFduX3t/RTltlLjzjfIcNPB98mHfGIRA",
        "$argon2i$v=19$m=64,t=1,p=2$c29tZXNhbHQ$0t4iTf/m91RsB5EgT8M7tAZLXaDZtcrt",
    ];

    #[test]
    fn each_kind_of_hash_fits_its_password_alone() {
        for hash in HASHES {
            assert!(is_hash(hash), "{hash}");
            assert!(verify(hash, b"secret"), "{hash}");
            for wrong in [&b"Secret"[..], b"", b"secret\0", b"secre"] {
                assert!(!verify(hash, wrong), "{hash} {wrong:?}");
            }
        }
    }

    #[test]
    fn a_new_hash_fits_and_is_salted() {
        let (one, other) = (hash_password(b"secret"), hash_password(b"secret"));
        assert!(one.starts_with("$argon2id$v=19$"));
        assert!(one != other && verify(&one, b"secret") && !verify(&one, b"another"));
    }

    #[test]
    fn what_is_no_hash_fits_no_password() {
        for hash in HASHES {
            let cut = &hash[..=hash.rfind('$').unwrap()];
            let short = &hash[..cut.len() + 21];
            for broken in [cut, short, &hash[1..], &hash.replacen('$', "$2", 1)] {
                assert!(!is_hash(broken), "{broken}");
                assert!(!verify(broken, b"secret") && !verify(broken, b""), "{broken}");
            }
            // Long enough to be a hash, but not of this kind: nothing fits.
            assert!(!verify(&hash[..cut.len() + 22], b"secret"), "{hash}");
        }
        for text in ["", "*", "!", "x", "secret", "$6$", "$1$salt$hash", "$y$j9T$$", "$argon2id$"] {
            assert!(!is_hash(text) && !verify(text, text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn a_password_longer_than_any_is_not_hashed() {
        let long = [b'a'; MAX_PASSWORD + 1];
        let hash = hash_password(&long);
        assert!(!verify(&hash, &long));
    }

    #[test]
    fn pretending_never_lets_anybody_in() {
        assert!(is_hash(NOBODYS));
        assert!(!pretend_to_verify(None, b"secret"));
        assert!(!pretend_to_verify(Some(HASHES[0]), b"secret"));
    }
}
