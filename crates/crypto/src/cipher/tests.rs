//! Every cipher against recorded packets, published vectors, itself, and the other back end.

use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::testing::{Case, cases, hex};

/// Every cipher, the AEADs alone and the others with every MAC and with none.
fn combinations() -> Vec<(CipherAlgorithm, Option<MacAlgorithm>)> {
    let macs = || MacAlgorithm::ALL.iter().copied().map(Some).chain([None]);
    let with_macs = |cipher: CipherAlgorithm| {
        macs().take(if cipher.is_aead() { 1 } else { 5 }).map(move |mac| (cipher, mac))
    };
    CipherAlgorithm::ALL.iter().copied().flat_map(with_macs).collect()
}

fn keys(cipher: CipherAlgorithm, mac: Option<MacAlgorithm>) -> (SealingKey, OpeningKey) {
    let (key, iv, mac_key) = ([0x42; 64], [0xff; 16], [0x24; 64]);
    (cipher.sealing(mac, &key, &iv, &mac_key), cipher.opening(mac, &key, &iv, &mac_key))
}

/// A packet of that payload with room for the tag.
fn packet(key: &SealingKey, payload: &[u8]) -> Vec<u8> {
    let head = if key.length_is_padded() { 5 } else { 1 };
    let mut padding = key.block_len() - (head + payload.len()) % key.block_len();
    if padding < 4 {
        padding += key.block_len();
    }
    let mut packet = ((1 + payload.len() + padding) as u32).to_be_bytes().to_vec();
    packet.push(padding as u8);
    packet.extend_from_slice(payload);
    packet.resize(packet.len() + padding + key.tag_len(), 0x5a);
    packet
}

/// What the transport does with a packet: length first, then the rest.
fn open(key: &mut OpeningKey, seq: u32, packet: &mut [u8]) -> Result<u32, OpenError> {
    let head_len = key.head_len();
    let length = key.open_length(seq, &mut packet[..head_len]);
    key.open(seq, packet).map(|()| length)
}

fn recorded(case: &Case) -> (SealingKey, OpeningKey, u32) {
    let cipher = CipherAlgorithm::from_name(case.text("cipher")).unwrap();
    let mac = MacAlgorithm::from_name(case.text("mac"));
    let [key, iv, mac_key] = ["key", "iv", "mac_key"].map(|name| case.bytes(name));
    let (sealing, opening) =
        (cipher.sealing(mac, &key, &iv, &mac_key), cipher.opening(mac, &key, &iv, &mac_key));
    (sealing, opening, case.text("seq").parse().unwrap())
}

#[test]
fn recorded_packets_seal_and_open() {
    let cases = cases(include_str!("../../testdata/packets.txt"));
    assert!(cases.len() > 80);
    for case in cases {
        let (mut sealing, mut opening, seq) = recorded(&case);
        let (plain, sealed) = (case.bytes("plain"), case.bytes("sealed"));
        let mut packet = plain.clone();
        packet.resize(plain.len() + sealing.tag_len(), 0);
        sealing.seal(seq, &mut packet);
        assert_eq!(packet, sealed, "{case:?}");

        let length = open(&mut opening, seq, &mut packet).unwrap();
        assert_eq!(length as usize, plain.len() - LENGTH_LEN);
        assert_eq!(packet[LENGTH_LEN..plain.len()], plain[LENGTH_LEN..]);
    }
}

#[test]
fn streams_of_packets_pass_and_their_order_matters() {
    for (cipher, mac) in combinations() {
        let (mut sealing, mut opening) = keys(cipher, mac);
        let mut first = packet(&sealing, b"first");
        let mut second = packet(&sealing, b"second packet");
        sealing.seal(0, &mut first);
        sealing.seal(1, &mut second);
        let (mut early, mut late) = (second.clone(), second.clone());
        assert!(open(&mut opening, 0, &mut first).is_ok());
        assert!(open(&mut opening, 1, &mut second).is_ok());
        assert!(second[LENGTH_LEN + 1..].starts_with(b"second packet"));
        if mac.is_none() && !cipher.is_aead() {
            continue;
        }
        let (_, mut opening) = keys(cipher, mac);
        assert_eq!(open(&mut opening, 0, &mut early), Err(OpenError::BadTag), "{cipher:?} {mac:?}");
        let (_, mut opening) = keys(cipher, mac);
        assert_eq!(open(&mut opening, 2, &mut late), Err(OpenError::BadTag), "{cipher:?} {mac:?}");
    }
}

#[test]
fn any_bit_flipped_is_refused_and_no_plaintext_is_left() {
    for (cipher, mac) in
        combinations().into_iter().filter(|(cipher, mac)| cipher.is_aead() || mac.is_some())
    {
        let (mut sealing, _) = keys(cipher, mac);
        let mut sealed = packet(&sealing, b"attack at dawn");
        sealing.seal(9, &mut sealed);
        for bit in 0..8 * sealed.len() {
            let (_, mut opening) = keys(cipher, mac);
            let mut damaged = sealed.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(
                open(&mut opening, 9, &mut damaged),
                Err(OpenError::BadTag),
                "{cipher:?} {mac:?} bit {bit}"
            );
            assert_eq!(damaged, vec![0; sealed.len()]);
        }
    }
}

#[test]
fn packets_too_short_for_their_tag_are_refused() {
    for (cipher, mac) in combinations() {
        let (_, mut opening) = keys(cipher, mac);
        let shortest = opening.head_len() + opening.tag_len();
        for len in [0, opening.tag_len(), shortest - 1] {
            assert_eq!(
                opening.open(0, &mut vec![0; len]),
                Err(OpenError::TooShort),
                "{cipher:?} {mac:?} {len}"
            );
        }
    }
}

#[test]
fn nothing_is_protected_before_the_first_keys() {
    let (mut sealing, mut opening) = (SealingKey::none(), OpeningKey::none());
    assert_eq!((sealing.tag_len(), sealing.block_len(), sealing.length_is_padded()), (0, 8, true));
    assert_eq!((opening.tag_len(), opening.block_len(), opening.length_is_padded()), (0, 8, true));
    let plain = packet(&sealing, b"hello");
    let mut wire = plain.clone();
    sealing.seal(0, &mut wire);
    assert_eq!(wire, plain);
    assert_eq!(open(&mut opening, 0, &mut wire), Ok(plain.len() as u32 - 4));
    assert_eq!(wire, plain);
}

#[test]
fn sizes_are_those_of_the_table() {
    for (cipher, mac) in combinations() {
        let (sealing, opening) = keys(cipher, mac);
        let etm = mac.is_some_and(MacAlgorithm::is_encrypt_then_mac) && !cipher.is_aead();
        let tag_len = if cipher.is_aead() { 16 } else { mac.map_or(0, MacAlgorithm::key_len) };
        assert_eq!((sealing.tag_len(), opening.tag_len()), (tag_len, tag_len));
        assert_eq!(
            (sealing.block_len(), opening.block_len()),
            (cipher.block_len(), cipher.block_len())
        );
        let padded = !cipher.is_aead() && !etm;
        assert_eq!((sealing.length_is_padded(), opening.length_is_padded()), (padded, padded));
        assert_eq!(opening.head_len(), if padded { 16 } else { 4 });
    }
}

#[test]
fn every_name_leads_back_and_hardware_decides_the_order() {
    for algorithm in CipherAlgorithm::ALL {
        assert_eq!(CipherAlgorithm::from_name(algorithm.name()), Some(*algorithm));
        assert!(CipherAlgorithm::preferred(false).contains(algorithm));
    }
    assert_eq!(CipherAlgorithm::from_name("3des-cbc"), None);
    assert_eq!(CipherAlgorithm::preferred(true)[0], CipherAlgorithm::Aes128Gcm);
    assert_eq!(CipherAlgorithm::preferred(false)[0], CipherAlgorithm::ChaCha20Poly1305);
}

#[test]
fn keys_are_not_shown() {
    for (cipher, mac) in combinations() {
        let shown = alloc::format!("{:?}", keys(cipher, mac));
        assert!(!shown.contains("42") && !shown.contains("66"), "{shown}");
    }
}

/// NIST SP 800-38A §F.5.1, §F.5.3 and §F.5.5, without a MAC.
#[test]
fn counter_mode_vectors_of_sp_800_38a() {
    let iv = hex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");
    let plain = hex(
        "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
    );
    let cases = [
        (
            CipherAlgorithm::Aes128Ctr,
            "2b7e151628aed2a6abf7158809cf4f3c",
            "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff5ae4df3edbd5d35e5b4f09020db03eab1e031dda2fbe03d1792170a0f3009cee",
        ),
        (
            CipherAlgorithm::Aes192Ctr,
            "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b",
            "1abc932417521ca24f2b0459fe7e6e0b090339ec0aa6faefd5ccc2c6f4ce8e941e36b26bd1ebc670d1bd1d665620abf74f78a7f6d29809585a97daec58c6b050",
        ),
        (
            CipherAlgorithm::Aes256Ctr,
            "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
            "601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c52b0930daa23de94ce87017ba2d84988ddfc9c58db67aada613c2dd08457941a6",
        ),
    ];
    for (cipher, key, sealed) in cases {
        let mut packet = plain.clone();
        cipher.sealing(None, &hex(key), &iv, &[]).seal(0, &mut packet);
        assert_eq!(packet, hex(sealed));
    }
}

/// Test case 4 of McGrew and Viega's GCM specification, and 16 for AES-256: additional data and a partial block.
#[test]
fn gcm_vectors_of_its_specification() {
    let plain = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39";
    let aad = hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
    let nonce: [u8; 12] = hex("cafebabefacedbaddecaf888").try_into().unwrap();
    let cases = [
        (
            "feffe9928665731c6d6a8f9467308308",
            "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091",
            "5bc94fbc3221a5db94fae95ae7121a47",
        ),
        (
            "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
            "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
            "76fc6ece0f4e1768cddf8853bb2d551b",
        ),
    ];
    for (key, sealed, tag) in cases {
        let key = crate::backend::Gcm::new(&hex(key));
        let mut text = hex(plain);
        assert_eq!(key.seal(nonce, &aad, &mut text), hex(tag)[..]);
        assert_eq!(text, hex(sealed));
        assert!(key.open(nonce, &aad, &mut text, hex(tag).try_into().unwrap()));
        assert_eq!(text, hex(plain));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn what_is_sealed_opens(payload in proptest::collection::vec(any::<u8>(), 0..3000), seq: u32) {
        for (cipher, mac) in combinations() {
            let (mut sealing, mut opening) = keys(cipher, mac);
            let plain = packet(&sealing, &payload);
            let mut wire = plain.clone();
            sealing.seal(seq, &mut wire);
            let text = LENGTH_LEN..plain.len() - sealing.tag_len();
            prop_assert_ne!(&wire[text.clone()], &plain[text.clone()]);
            let length = open(&mut opening, seq, &mut wire).unwrap();
            prop_assert_eq!(length as usize, text.len());
            prop_assert_eq!(&wire[text.clone()], &plain[text]);
        }
    }
}

#[cfg(feature = "ring")]
mod back_ends {
    use super::*;
    #[cfg(feature = "portable")]
    use crate::backend::portable;
    use crate::backend::{chacha_poly, ring_backend};

    /// A build has one of the two; both must seal as OpenSSH does.
    #[test]
    fn recorded_chacha20_poly1305_packets_seal_in_both() {
        let cases = cases(include_str!("../../testdata/packets.txt"));
        let name = CipherAlgorithm::ChaCha20Poly1305.name();
        let mut seen = 0;
        for case in cases.iter().filter(|case| case.text("cipher") == name) {
            let key: [u8; 64] = case.bytes("key").try_into().unwrap();
            let (seq, plain) = (case.text("seq").parse().unwrap(), case.bytes("plain"));
            let (mut by_one, mut by_other) = (plain.clone(), plain);
            let tag = ring_backend::ChaChaPoly::new(&key).seal(seq, &mut by_one);
            by_one.extend_from_slice(&tag);
            let tag = chacha_poly::ChaChaPoly::new(&key).seal(seq, &mut by_other);
            by_other.extend_from_slice(&tag);
            assert_eq!((&by_one, &by_other), (&case.bytes("sealed"), &case.bytes("sealed")));
            seen += 1;
        }
        assert!(seen > 5, "{seen} cases");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn chacha20_poly1305_is_the_same_in_both(
            key: [[u8; 32]; 2],
            plain in proptest::collection::vec(any::<u8>(), 4..9000),
            seq: u32,
        ) {
            let key: [u8; 64] = key.concat().try_into().unwrap();
            let one = ring_backend::ChaChaPoly::new(&key);
            let other = chacha_poly::ChaChaPoly::new(&key);
            let (mut by_one, mut by_other) = (plain.clone(), plain.clone());
            let tags = (one.seal(seq, &mut by_one), other.seal(seq, &mut by_other));
            prop_assert_eq!(tags.0, tags.1);
            prop_assert_eq!(&by_one, &by_other);
            let length: [u8; 4] = by_one[..4].try_into().unwrap();
            prop_assert_eq!(&one.open_length(seq, length)[..], &plain[..4]);
            prop_assert_eq!(&other.open_length(seq, length)[..], &plain[..4]);
            prop_assert!(one.open(seq, &mut by_other, tags.1));
            prop_assert!(other.open(seq, &mut by_one, tags.0));
            prop_assert_eq!(&by_one[4..], &plain[4..]);
            prop_assert_eq!(&by_other[4..], &plain[4..]);
        }

        #[cfg(feature = "portable")]
        #[test]
        fn aes_gcm_is_the_same_in_both(
            key: [u8; 32],
            nonce: [u8; 12],
            aad in proptest::collection::vec(any::<u8>(), 0..40),
            plain in proptest::collection::vec(any::<u8>(), 0..5000),
        ) {
            for key in [&key[..16], &key] {
                let (one, other) = (ring_backend::Gcm::new(key), portable::Gcm::new(key));
                let (mut by_one, mut by_other) = (plain.clone(), plain.clone());
                let tags = (one.seal(nonce, &aad, &mut by_one), other.seal(nonce, &aad, &mut by_other));
                prop_assert_eq!(tags.0, tags.1);
                prop_assert_eq!(&by_one, &by_other);
                prop_assert!(one.open(nonce, &aad, &mut by_other, tags.1));
                prop_assert!(other.open(nonce, &aad, &mut by_one, tags.0));
                prop_assert_eq!(&by_one, &plain);
                prop_assert_eq!(&by_other, &plain);
            }
        }
    }
}
