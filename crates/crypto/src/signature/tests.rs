//! Signatures of OpenSSH, of published vectors, and of nobody.

use adit_wire::Field;

use super::*;
use crate::KeyAlgorithm;
use crate::testing::{Case, built_in};

#[cfg(feature = "nist")]
mod ecdsa;

fn openssh() -> Vec<Case> {
    built_in(include_str!("../../testdata/keys.txt"))
}

fn security_keys() -> Vec<Case> {
    built_in(include_str!("../../testdata/security_keys.txt"))
}

fn key(case: &Case) -> PublicKey {
    PublicKey::decode(&case.bytes("blob")).unwrap()
}

/// The algorithm that the recorded signature names.
fn named(case: &Case) -> KeyAlgorithm {
    algorithm(&case.bytes("signature")).unwrap().plain()
}

fn blob(name: &str, signature: &[u8], more: &[u8]) -> Vec<u8> {
    let mut blob = Vec::new();
    name.encode(&mut blob);
    signature.encode(&mut blob);
    blob.extend_from_slice(more);
    blob
}

#[test]
fn signatures_of_openssh_hold() {
    for case in openssh() {
        let (message, signature) = (case.bytes("message"), case.bytes("signature"));
        assert_eq!(
            key(&case).verify(named(&case), &message, &signature),
            Ok(()),
            "{}",
            case.text("name")
        );
        assert_eq!(
            key(&case).verify(named(&case), &message[1..], &signature),
            Err(SignatureError::Invalid)
        );
    }
}

#[test]
fn signatures_of_another_key_do_not_hold() {
    let mut others = openssh();
    others.rotate_left(1);
    for (case, other) in openssh().iter().zip(&others) {
        let (message, signature) = (other.bytes("message"), other.bytes("signature"));
        assert!(key(case).verify(named(other), &message, &signature).is_err());
    }
}

/// Key, request and signature name their algorithm; any two that differ are refused.
#[test]
fn the_three_names_are_held_against_each_other() {
    for case in openssh() {
        let (message, signature) = (case.bytes("message"), case.bytes("signature"));
        for other in KeyAlgorithm::ALL.iter().filter(|other| **other != named(&case)) {
            let refused = key(&case).verify(*other, &message, &signature);
            assert_eq!(
                refused,
                Err(SignatureError::WrongAlgorithm),
                "{} for {}",
                other.name(),
                named(&case).name()
            );
        }
    }
}

#[test]
fn an_rsa_key_makes_no_sha_1_signatures() {
    let all = openssh();
    let case = all.iter().find(|case| case.text("name") == "rsa2048").unwrap();
    for name in ["ssh-rsa", "rsa-sha2-384", ""] {
        let refused = key(case).verify(named(case), b"m", &blob(name, &[1; 256], &[]));
        assert_eq!(refused, Err(SignatureError::WrongAlgorithm));
    }
}

#[test]
fn cut_lengthened_and_damaged_signatures_are_refused() {
    for case in openssh().iter().chain(&security_keys()) {
        let (key, algorithm, message, signature) =
            (key(case), named(case), case.bytes("message"), case.bytes("signature"));
        for cut in 0..signature.len() {
            assert!(key.verify(algorithm, &message, &signature[..cut]).is_err());
        }
        let longer = [&signature[..], &[0]].concat();
        assert_eq!(key.verify(algorithm, &message, &longer), Err(SignatureError::Malformed));
        for at in (0..signature.len()).step_by(7) {
            let mut damaged = signature.clone();
            damaged[at] ^= 0x10;
            assert!(key.verify(algorithm, &message, &damaged).is_err(), "byte {at}");
        }
    }
}

#[test]
fn security_keys_tell_flags_and_counter() {
    for case in security_keys() {
        let (key, message, signature) =
            (key(&case), case.bytes("message"), case.bytes("signature"));
        let number = |name| case.text(name).parse::<u32>().unwrap();
        let seen = SecurityKeyUse { flags: number("flags") as u8, counter: number("counter") };
        assert_eq!(key.verify_security_key(named(&case), &message, &signature), Ok(Some(seen)));

        let touched = seen.flags & SecurityKeyUse::USER_PRESENT != 0;
        let expected = if touched { Ok(()) } else { Err(SignatureError::UserNotPresent) };
        assert_eq!(key.verify(named(&case), &message, &signature), expected);

        // Flags and counter are signed, and so is the application.
        let mut other_counter = signature.clone();
        *other_counter.last_mut().unwrap() ^= 1;
        assert_eq!(
            key.verify(named(&case), &message, &other_counter),
            Err(SignatureError::Invalid)
        );
        let elsewhere = match key {
            PublicKey::SkEd25519 { key, .. } => {
                PublicKey::SkEd25519 { key, application: b"web".to_vec() }
            }
            PublicKey::SkEcdsa { key, .. } => {
                PublicKey::SkEcdsa { key, application: b"web".to_vec() }
            }
            _ => panic!("not a security key"),
        };
        let refused = elsewhere.verify_security_key(named(&case), &message, &signature);
        assert_eq!(refused, Err(SignatureError::Invalid));
    }
}

/// With a key of small order one signature would fit every message.
#[test]
fn ed25519_keys_of_small_order_sign_nothing() {
    let mut identity = [0; 32];
    identity[0] = 1;
    let mut signature = [0; 64];
    signature[0] = 1;
    let key = PublicKey::Ed25519(identity);
    let algorithm = SignatureAlgorithm::Ed25519;
    for message in [&b"one"[..], b"two"] {
        let refused =
            key.verify(algorithm.plain(), message, &blob(algorithm.name(), &signature, &[]));
        assert_eq!(refused, Err(SignatureError::Invalid));
    }
}
