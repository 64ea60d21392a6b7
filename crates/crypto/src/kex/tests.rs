//! Both halves of every method against each other, and the client's against OpenSSH's server.

use alloc::vec;

use super::*;
use crate::testing::{Case, Replay, cases};
use crate::{Exchange, GroupRequest, KeyError, PublicKey, SystemRandom, signature};

/// The methods that `generate` and `respond` take without a group.
fn one_step() -> impl Iterator<Item = KexAlgorithm> {
    KexAlgorithm::ALL
        .iter()
        .copied()
        .filter(|algorithm| algorithm.shape() != KexShape::GroupExchange)
}

#[test]
fn both_halves_of_every_method_agree() {
    let mut random = SystemRandom::new();
    for algorithm in one_step() {
        let client = Ephemeral::generate(algorithm, &mut random).unwrap();
        let (public, server_k) = respond(algorithm, client.public(), &mut random).unwrap();
        assert_eq!(
            client.agree(&public).unwrap().as_wire(),
            server_k.as_wire(),
            "{}",
            algorithm.name()
        );
    }
}

#[cfg(feature = "group-exchange")]
#[test]
fn both_halves_of_group_exchange_agree() {
    let mut random = SystemRandom::new();
    let algorithm = KexAlgorithm::DhGroupExchangeSha256;
    assert_eq!(Ephemeral::generate(algorithm, &mut random).err(), Some(KexError::GroupMissing));
    assert_eq!(respond(algorithm, &[2], &mut random).err(), Some(KexError::GroupMissing));

    let group = DhGroup::built_in(2048, 2048, 8192).unwrap();
    let client =
        Ephemeral::in_group(algorithm, DhGroup::new(group.p(), group.g()).unwrap(), &mut random);
    assert_eq!(client.algorithm(), algorithm);
    let (f, server_k) = respond_in_group(algorithm, group, client.public(), &mut random).unwrap();
    assert_eq!(client.agree(&f).unwrap().as_wire(), server_k.as_wire());
}

#[test]
fn public_values_of_any_other_length_are_refused() {
    let mut random = SystemRandom::new();
    for algorithm in one_step().filter(|algorithm| algorithm.shape() == KexShape::Ecdh) {
        let init = Ephemeral::generate(algorithm, &mut random).unwrap().public().to_vec();
        let (reply, _) = respond(algorithm, &init, &mut random).unwrap();
        for value in [&init, &reply] {
            let longer = [&value[..], &[0]].concat();
            for bad in [&longer[..], &value[..value.len() - 1], &value[..31], &[]] {
                assert!(respond(algorithm, bad, &mut random).is_err(), "{}", algorithm.name());
                let client = Ephemeral::generate(algorithm, &mut random).unwrap();
                assert!(client.agree(bad).is_err(), "{}", algorithm.name());
            }
        }
    }
}

#[test]
fn a_hybrid_refuses_a_forced_x25519_secret() {
    let mut random = SystemRandom::new();
    for algorithm in one_step().filter(|algorithm| algorithm.is_post_quantum()) {
        let client = Ephemeral::generate(algorithm, &mut random).unwrap();
        let (mut reply, _) = respond(algorithm, client.public(), &mut random).unwrap();
        let at = reply.len() - 32;
        reply[at..].fill(0);
        assert_eq!(client.agree(&reply).err(), Some(KexError::ForcedSecret));

        let mut init = Ephemeral::generate(algorithm, &mut random).unwrap().public().to_vec();
        let at = init.len() - 32;
        init[at..].fill(0);
        assert_eq!(respond(algorithm, &init, &mut random).err(), Some(KexError::ForcedSecret));
    }
}

#[test]
fn a_damaged_ciphertext_gives_another_secret() {
    let mut random = SystemRandom::new();
    for algorithm in one_step().filter(|algorithm| algorithm.is_post_quantum()) {
        let client = Ephemeral::generate(algorithm, &mut random).unwrap();
        let (mut reply, server_k) = respond(algorithm, client.public(), &mut random).unwrap();
        reply[3] ^= 4;
        assert_ne!(client.agree(&reply).unwrap().as_wire(), server_k.as_wire());
    }
}

/// RFC 4253 §8 makes K an mpint, RFC 8731 §3.1 too; the hybrids' drafts make it a string of the hash's length.
#[test]
fn secrets_are_encoded_as_their_method_wants() {
    assert_eq!(SharedSecret::from_number(&[0, 0, 0x7f]).as_wire(), [0, 0, 0, 1, 0x7f]);
    assert_eq!(SharedSecret::from_number(&[0, 0x80, 0]).as_wire(), [0, 0, 0, 3, 0, 0x80, 0]);
    let k = SharedSecret::from_hybrid(HashAlgorithm::Sha256, &[1; 32], &[2; 32]);
    let digest = HashAlgorithm::Sha256.digest(&[&[[1; 32], [2; 32]].concat()]);
    assert_eq!(k.as_wire(), [&[0, 0, 0, 32], digest.as_ref()].concat());
    let mut out = vec![9];
    k.encode(&mut out);
    assert_eq!(out[1..], *k.as_wire());
}

/// RFC 4251 §5, written down once more: no needless zeros, one where the number would look negative.
fn reference_mpint(magnitude: &[u8]) -> Vec<u8> {
    let mut number = magnitude.to_vec();
    while number.first() == Some(&0) {
        number.remove(0);
    }
    if number.first().is_some_and(|first| first & 0x80 != 0) {
        number.insert(0, 0);
    }
    [&(number.len() as u32).to_be_bytes()[..], &number].concat()
}

/// One in 256 secrets begins with a zero, one in two with a high bit: where implementations have disagreed.
#[test]
fn secrets_that_begin_with_zeros_or_a_high_bit_are_the_numbers_they_are() {
    let mut random = SystemRandom::new();
    let first_bytes = (0..=255).map(|first| [first, 0x80]).chain((0..=255).map(|next| [0, next]));
    for head in first_bytes.cycle().take(20_000) {
        let mut magnitude = [0; 32];
        random.fill(&mut magnitude);
        magnitude[..2].copy_from_slice(&head);
        let expected = reference_mpint(&magnitude);
        assert_eq!(SharedSecret::from_number(&magnitude).as_wire(), expected);
    }
    for _ in 0..200 {
        let client = Ephemeral::generate(KexAlgorithm::Curve25519Sha256, &mut random).unwrap();
        let (reply, theirs) =
            respond(KexAlgorithm::Curve25519Sha256, client.public(), &mut random).unwrap();
        let ours = client.agree(&reply).unwrap();
        assert_eq!(ours.as_wire(), theirs.as_wire());
        assert_eq!(ours.as_wire(), reference_mpint(&ours.as_wire()[4..]));
    }
}

#[test]
fn every_name_leads_back_and_the_order_is_openssh_s() {
    for algorithm in KexAlgorithm::ALL {
        assert_eq!(KexAlgorithm::from_name(algorithm.name()), Some(*algorithm));
    }
    assert_eq!(KexAlgorithm::from_name("diffie-hellman-group1-sha1"), None);
    assert!(KexAlgorithm::DEFAULT[0].is_post_quantum());
    assert_eq!(KexAlgorithm::DEFAULT[0].name(), "mlkem768x25519-sha256");
    assert_eq!(KexAlgorithm::DEFAULT.last().unwrap().name(), "diffie-hellman-group14-sha256");
}

/// The client's secret as recorded.
fn recorded_client(algorithm: KexAlgorithm, case: &Case) -> Ephemeral {
    let mut random = Replay(case.bytes("random"));
    match algorithm.method() {
        #[cfg(feature = "sntrup")]
        Method::Sntrup761X25519 => {
            let secret = sntrup::Secret::recorded(&case.bytes("kem"), &mut random);
            Ephemeral {
                algorithm,
                public: case.bytes("client"),
                secret: Secret::Sntrup761X25519(secret),
            }
        }
        #[cfg(feature = "group-exchange")]
        Method::GroupExchange => {
            let group = DhGroup::new(&case.bytes("p"), &case.bytes("g")).unwrap();
            Ephemeral::in_group(algorithm, group, &mut random)
        }
        _ => Ephemeral::generate(algorithm, &mut random).unwrap(),
    }
}

/// sshd signed the exchange hash it computed. If the signature holds for ours, then secret, encoding, hash, host key
/// and signature are all as OpenSSH has them.
#[test]
fn openssh_signed_the_hash_that_we_compute() {
    let mut seen = vec![];
    for case in cases(include_str!("../../testdata/exchanges.txt")) {
        let Some(algorithm) = KexAlgorithm::from_name(case.text("kex")) else { continue };
        let client = recorded_client(algorithm, &case);
        let [v_c, v_s, i_c, i_s, k_s, server] =
            ["v_c", "v_s", "i_c", "i_s", "k_s", "server"].map(|name| case.bytes(name));
        assert_eq!(
            Mpint::new(client.public()),
            Mpint::new(&case.bytes("client")),
            "{}",
            algorithm.name()
        );
        let client_public = client.public().to_vec();
        let k = client.agree(&server).unwrap();
        let (p, g) =
            (case.optional("p").unwrap_or_default(), case.optional("g").unwrap_or_default());
        let size = |name| case.text(name).parse().unwrap();
        let exchange = Exchange {
            client_version: &v_c,
            server_version: &v_s,
            client_kexinit: &i_c,
            server_kexinit: &i_s,
            host_key: &k_s,
            group: (algorithm.shape() == KexShape::GroupExchange).then(|| GroupRequest {
                min: size("min"),
                n: size("n"),
                max: size("max"),
                p: &p,
                g: &g,
            }),
            client_public: &client_public,
            server_public: &server,
            shared_secret: &k,
        };
        let h = exchange.hash(algorithm);
        let signature_blob = case.bytes("signature");
        let host_key = match PublicKey::decode(&k_s) {
            Err(KeyError::UnknownType) if cfg!(not(feature = "nist")) => continue,
            decoded => decoded.unwrap(),
        };
        let host_key_algorithm = signature::algorithm(&signature_blob).unwrap().plain();
        assert_eq!(
            host_key.verify(host_key_algorithm, h.as_ref(), &signature_blob),
            Ok(()),
            "{}",
            algorithm.name()
        );
        seen.push(algorithm);
    }
    // Not mlkem, which the recorded server did not have, and curve25519 under its first name only.
    let missing = |algorithm: &&KexAlgorithm| !seen.contains(algorithm);
    assert_eq!(KexAlgorithm::ALL.iter().filter(missing).count(), 2, "{seen:?}");
}
