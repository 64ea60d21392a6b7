//! ECDSA: published vectors, and numbers and points out of range.

use alloc::vec;

use super::*;
use crate::signature::ecdsa::mpints_from_fixed;
use crate::testing::cases;
use crate::{Curve, EcdsaKey};

/// RFC 6979 §A.2.5 to §A.2.7.
#[test]
fn ecdsa_vectors_of_rfc_6979_hold() {
    for case in cases(include_str!("../../../testdata/ecdsa.txt")) {
        let curve = Curve::ALL
            .iter()
            .copied()
            .find(|curve| curve.identifier() == case.text("curve"))
            .unwrap();
        let key = PublicKey::Ecdsa(EcdsaKey::new(curve, &case.bytes("point")).unwrap());
        let signature = mpints_from_fixed(&[case.bytes("r"), case.bytes("s")].concat());
        let algorithm = SignatureAlgorithm::ecdsa(curve);
        let signature = blob(algorithm.name(), &signature, &[]);
        assert_eq!(key.verify(algorithm.plain(), &case.bytes("message"), &signature), Ok(()));
        assert_eq!(
            key.verify(algorithm.plain(), b"neither", &signature),
            Err(SignatureError::Invalid)
        );
    }
}

#[test]
fn ecdsa_numbers_out_of_range_are_refused() {
    for case in openssh().iter().filter(|case| case.text("name").starts_with("nistp")) {
        let (key, algorithm) = (key(case), named(case));
        let PublicKey::Ecdsa(ecdsa) = &key else { panic!("not an ECDSA key") };
        let len = ecdsa.curve().scalar_len();
        for r_s in [vec![0; 2 * len], vec![0xff; 2 * len], [vec![0; len], vec![1; len]].concat()] {
            let signature = blob(algorithm.name(), &mpints_from_fixed(&r_s), &[]);
            assert_eq!(key.verify(algorithm, b"m", &signature), Err(SignatureError::Invalid));
        }
        let too_long = blob(algorithm.name(), &mpints_from_fixed(&vec![1; 2 * len + 2]), &[]);
        assert_eq!(key.verify(algorithm, b"m", &too_long), Err(SignatureError::Malformed));
    }
}

#[test]
fn points_off_the_curve_sign_nothing() {
    for case in openssh().iter().filter(|case| case.text("name").starts_with("nistp")) {
        let PublicKey::Ecdsa(good) = key(case) else { panic!("not an ECDSA key") };
        let mut point = good.point().to_vec();
        *point.last_mut().unwrap() ^= 1;
        let key = PublicKey::Ecdsa(EcdsaKey::new(good.curve(), &point).unwrap());
        let refused = key.verify(named(case), &case.bytes("message"), &case.bytes("signature"));
        assert_eq!(refused, Err(SignatureError::Invalid));
    }
}
