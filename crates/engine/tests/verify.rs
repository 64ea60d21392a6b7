//! The signature check of logins, and the one table of algorithm names that two crates keep.

use adit_auth::algorithm::ALGORITHMS;
use adit_auth::server::SignatureCheck;
use adit_crypto::{KeyAlgorithm, SignatureAlgorithm};
use adit_engine::{verify_signature, verify_signature_alone};
use adit_testkit::{FixedRng, keys};

#[test]
fn both_crates_know_the_same_algorithms_by_the_same_names() {
    let theirs: Vec<_> = ALGORITHMS
        .iter()
        .map(|algorithm| (algorithm.name, algorithm.signature, algorithm.certified.is_some()))
        .collect();
    let ours: Vec<_> = KeyAlgorithm::ALL
        .iter()
        .map(|algorithm| (algorithm.name(), algorithm.signature.name(), algorithm.certified))
        .collect();
    let (mut theirs_sorted, mut ours_sorted) = (theirs, ours);
    theirs_sorted.sort_unstable();
    ours_sorted.sort_unstable();
    assert_eq!(theirs_sorted, ours_sorted);
}

/// Whether that is a signature by key 1 of `message`, said to be by `algorithm`.
fn holds(algorithm: &str, seed: u8, message: &[u8], damage: Option<usize>) -> bool {
    let key = keys::key(1);
    let mut signature =
        key.sign(SignatureAlgorithm::Ed25519, b"message", &mut FixedRng::new(1)).unwrap();
    if let Some(at) = damage {
        signature[at] ^= 1;
    }
    let algorithm = ALGORITHMS.iter().find(|each| each.name == algorithm).unwrap();
    let public_key = keys::key(seed).public_blob();
    verify_signature(&SignatureCheck {
        algorithm,
        public_key: &public_key,
        data: message,
        signature: &signature,
    })
}

#[test]
fn a_signature_holds_for_its_key_its_message_and_its_algorithm_only() {
    assert!(holds("ssh-ed25519", 1, b"message", None));
    assert!(!holds("ssh-ed25519", 2, b"message", None));
    assert!(!holds("ssh-ed25519", 1, b"another", None));
    assert!(!holds("rsa-sha2-512", 1, b"message", None));
    assert!(!holds("ssh-ed25519-cert-v01@openssh.com", 1, b"message", None));
    assert!((0..20).all(|at| !holds("ssh-ed25519", 1, b"message", Some(at))));
}

#[test]
fn what_is_no_key_has_no_signature() {
    let check = SignatureCheck {
        algorithm: &ALGORITHMS[0],
        public_key: b"no key",
        data: b"",
        signature: b"",
    };
    assert!(!verify_signature(&check));
}

/// Fields of each case in the security keys' recorded signatures.
fn security_keys() -> Vec<[Vec<u8>; 4]> {
    let text = include_str!("../../crypto/testdata/security_keys.txt");
    let field = |case: &str, name: &str| {
        let line = case.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = "));
        line.unwrap_or_default().to_owned()
    };
    let hex = |text: String| {
        let pairs = text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
        pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect::<Vec<u8>>()
    };
    text.split("\n\n")
        .filter(|case| case.contains("blob = "))
        .map(|case| {
            let bytes = |name| hex(field(case, name));
            let flags = field(case, "flags").parse().unwrap();
            [bytes("blob"), bytes("message"), bytes("signature"), vec![flags]]
        })
        .collect()
}

#[test]
fn a_security_keys_signature_holds_if_somebody_touched_it() {
    let cases = security_keys();
    assert_eq!(cases.len(), 6);
    for [public_key, data, signature, flags] in cases {
        let touched = flags[0] & 1 == 1;
        let check = |algorithm| SignatureCheck {
            algorithm,
            public_key: &public_key,
            data: &data,
            signature: &signature,
        };
        // The driver may know better.
        assert_eq!(
            ALGORITHMS.iter().filter(|each| verify_signature_alone(&check(each))).count(),
            1
        );
        let fits = |algorithm| verify_signature(&check(algorithm));
        let fitting: Vec<_> = ALGORITHMS.iter().filter(|each| fits(each)).collect();
        assert_eq!(fitting.len(), usize::from(touched));
        assert!(
            fitting.iter().all(|each| each.name.starts_with("sk-") && each.certified.is_none())
        );
    }
}
