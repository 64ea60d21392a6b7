//! Public key algorithms of user authentication and the three names each goes by. RFC 8332 §3, OpenSSH PROTOCOL.certkeys.
//! Touches: names, the first field of blobs.   Never: cryptography.
//! Invariants: request, key and signature are held against each other through one table.
//! Errors: none; what does not fit is no algorithm.   Allocates: lists of names for the caller.
//! Proved by: `tests` below.

use adit_wire::{NameList, Reader};
use alloc::{borrow::ToOwned, string::String, vec, vec::Vec};

/// One algorithm name a `publickey` request may carry.
#[derive(Debug, PartialEq, Eq)]
pub struct Algorithm {
    /// In the request: `rsa-sha2-512-cert-v01@openssh.com`.
    pub name: &'static str,
    /// First field of the key blob: `ssh-rsa-cert-v01@openssh.com`.
    pub key_type: &'static str,
    /// First field of the signature: `rsa-sha2-512`.
    pub signature: &'static str,
    /// The type of the key inside the blob when that is a certificate: `ssh-rsa`.
    pub certified: Option<&'static str>,
    /// How many `string`s or `mpint`s the key itself has in the blob.
    pub(crate) key_fields: usize,
}

const fn plain(name: &'static str, key_type: &'static str, key_fields: usize) -> Algorithm {
    Algorithm { name, key_type, signature: name, certified: None, key_fields }
}

const fn certificate(
    name: &'static str,
    key_type: &'static str,
    signature: &'static str,
    certified: &'static str,
    key_fields: usize,
) -> Algorithm {
    Algorithm { name, key_type, signature, certified: Some(certified), key_fields }
}

/// Every algorithm, most wanted first: the order OpenSSH has. SHA-1 (`ssh-rsa`) is not among them.
pub static ALGORITHMS: &[Algorithm] = {
    const ED25519: &str = "ssh-ed25519";
    const ED25519_CERT: &str = "ssh-ed25519-cert-v01@openssh.com";
    const P256: &str = "ecdsa-sha2-nistp256";
    const P256_CERT: &str = "ecdsa-sha2-nistp256-cert-v01@openssh.com";
    const P384: &str = "ecdsa-sha2-nistp384";
    const P384_CERT: &str = "ecdsa-sha2-nistp384-cert-v01@openssh.com";
    const P521: &str = "ecdsa-sha2-nistp521";
    const P521_CERT: &str = "ecdsa-sha2-nistp521-cert-v01@openssh.com";
    const SK_ED25519: &str = "sk-ssh-ed25519@openssh.com";
    const SK_ED25519_CERT: &str = "sk-ssh-ed25519-cert-v01@openssh.com";
    const SK_P256: &str = "sk-ecdsa-sha2-nistp256@openssh.com";
    const SK_P256_CERT: &str = "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com";
    const RSA: &str = "ssh-rsa";
    const RSA_CERT: &str = "ssh-rsa-cert-v01@openssh.com";
    const RSA_512: &str = "rsa-sha2-512";
    const RSA_256: &str = "rsa-sha2-256";
    &[
        certificate(ED25519_CERT, ED25519_CERT, ED25519, ED25519, 1),
        certificate(P256_CERT, P256_CERT, P256, P256, 2),
        certificate(P384_CERT, P384_CERT, P384, P384, 2),
        certificate(P521_CERT, P521_CERT, P521, P521, 2),
        certificate(SK_ED25519_CERT, SK_ED25519_CERT, SK_ED25519, SK_ED25519, 2),
        certificate(SK_P256_CERT, SK_P256_CERT, SK_P256, SK_P256, 3),
        certificate("rsa-sha2-512-cert-v01@openssh.com", RSA_CERT, RSA_512, RSA, 2),
        certificate("rsa-sha2-256-cert-v01@openssh.com", RSA_CERT, RSA_256, RSA, 2),
        plain(ED25519, ED25519, 1),
        plain(P256, P256, 2),
        plain(P384, P384, 2),
        plain(P521, P521, 2),
        plain(SK_ED25519, SK_ED25519, 2),
        plain(SK_P256, SK_P256, 3),
        plain(RSA_512, RSA, 2),
        plain(RSA_256, RSA, 2),
    ]
};

/// The algorithm of that name.
pub fn lookup(name: &str) -> Option<&'static Algorithm> {
    ALGORITHMS.iter().find(|algorithm| algorithm.name == name)
}

/// All names joined by commas: what `PubkeyAcceptedAlgorithms` is unless set.
pub fn default_accepted() -> String {
    let mut joined = String::new();
    for algorithm in ALGORITHMS {
        if !joined.is_empty() {
            joined.push(',');
        }
        joined.push_str(algorithm.name);
    }
    joined
}

/// The first field of a key or signature blob: the name of its kind.
pub(crate) fn kind(blob: &[u8]) -> Option<&str> {
    Reader::new(blob).field().ok()
}

/// The names a key may be offered under, most wanted first.
///
/// `accepted` is our own list and gives the order. `server_sig_algs` (RFC 8308 §3.1) only decides between the
/// algorithms of one kind of key: a server that left a kind out may take it all the same, so kinds with one
/// algorithm are not held against it. Without that list a further algorithm is worth an attempt each (RFC 8332 §3.3).
pub(crate) fn candidates(
    blob: &[u8],
    accepted: &str,
    server_sig_algs: Option<&str>,
) -> Vec<String> {
    let Some(key_type) = kind(blob) else { return vec![] };
    let accepted = NameList::new(accepted).iter();
    let names: Vec<_> = accepted.filter(|name| key_type_of(name) == key_type).collect();
    let choice = ALGORITHMS.iter().filter(|algorithm| algorithm.key_type == key_type).count() > 1;
    match server_sig_algs {
        Some(list) if choice => {
            let list = NameList::new(list);
            let known = names.into_iter().find(|name| list.contains(signature_of(name)));
            known.into_iter().map(ToOwned::to_owned).collect()
        }
        _ => names.into_iter().map(ToOwned::to_owned).collect(),
    }
}

/// The key type that goes with an algorithm name; a name not in the table is its own.
pub(crate) fn key_type_of(name: &str) -> &str {
    lookup(name).map_or(name, |algorithm| algorithm.key_type)
}

/// The signature format that goes with an algorithm name; a name not in the table is its own.
pub(crate) fn signature_of(name: &str) -> &str {
    lookup(name).map_or(name, |algorithm| algorithm.signature)
}

#[cfg(test)]
mod tests {
    use super::*;
    use adit_wire::Field;

    fn blob(key_type: &str) -> Vec<u8> {
        let mut blob = vec![];
        key_type.encode(&mut blob);
        blob.extend(b"key");
        blob
    }

    #[test]
    fn names_are_unique_and_sha1_is_not_among_them() {
        for (at, algorithm) in ALGORITHMS.iter().enumerate() {
            assert!(ALGORITHMS[..at].iter().all(|other| other.name != algorithm.name));
            assert_ne!(algorithm.signature, "ssh-rsa");
        }
        assert_eq!(lookup("ssh-rsa"), None);
    }

    #[test]
    fn rsa_takes_the_first_accepted_algorithm_the_server_knows() {
        let accepted = default_accepted();
        let both = Some("ssh-ed25519,rsa-sha2-256,rsa-sha2-512");
        assert_eq!(candidates(&blob("ssh-rsa"), &accepted, both), ["rsa-sha2-512"]);
        let old = Some("rsa-sha2-256");
        assert_eq!(candidates(&blob("ssh-rsa"), &accepted, old), ["rsa-sha2-256"]);
        let ours = "rsa-sha2-256,rsa-sha2-512";
        assert_eq!(candidates(&blob("ssh-rsa"), ours, both), ["rsa-sha2-256"]);
        assert!(candidates(&blob("ssh-rsa"), &accepted, Some("ssh-rsa")).is_empty());
    }

    #[test]
    fn rsa_tries_both_when_the_server_does_not_say() {
        let names = candidates(&blob("ssh-rsa"), &default_accepted(), None);
        assert_eq!(names, ["rsa-sha2-512", "rsa-sha2-256"]);
    }

    #[test]
    fn rsa_certificates_go_by_the_signature_the_server_knows() {
        let blob = blob("ssh-rsa-cert-v01@openssh.com");
        let names = candidates(&blob, &default_accepted(), Some("rsa-sha2-256"));
        assert_eq!(names, ["rsa-sha2-256-cert-v01@openssh.com"]);
    }

    #[test]
    fn keys_with_one_algorithm_are_offered_whatever_the_server_lists() {
        let names = candidates(&blob("ssh-ed25519"), &default_accepted(), Some("rsa-sha2-256"));
        assert_eq!(names, ["ssh-ed25519"]);
    }

    #[test]
    fn an_algorithm_that_is_not_accepted_is_not_offered() {
        assert!(candidates(&blob("ssh-ed25519"), "rsa-sha2-512", None).is_empty());
        assert!(candidates(b"\0\0", &default_accepted(), None).is_empty());
    }

    #[test]
    fn a_kind_of_key_we_do_not_know_goes_by_its_own_name() {
        let blob = blob("ssh-new@example.com");
        assert_eq!(candidates(&blob, "ssh-new@example.com", Some("x")), ["ssh-new@example.com"]);
        assert!(candidates(&blob, &default_accepted(), None).is_empty());
    }
}
