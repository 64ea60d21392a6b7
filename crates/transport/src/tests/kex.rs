//! Public values, signatures and host keys that are not as they must be. RFC 4253 §8.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use adit_crypto::{KexAlgorithm, KexShape, KeyAlgorithm, PublicKey, SigningKey};
use adit_wire::kex::KexDhGexRequest;

use super::{Fixed, OneKey, Pair, Seen, Side, clear, client, encoded, server};
use crate::kex_messages::{Reply, encode_init};
use crate::{Config, Error, HostKeys, KexFailure, SignFailed, Violation};

fn with(kex: KexAlgorithm, config: Config) -> Config {
    Config { kex: vec![kex], ..config }
}

#[test]
fn the_host_keys_signature_of_the_session_identifier_is_kept() {
    let mut pair = Pair::new(client(), server());
    pair.run();
    let transport = &pair.client.transport;
    let key = PublicKey::decode(transport.host_key()).unwrap();
    let algorithm = transport.negotiated().unwrap().host_key;
    let signature = transport.host_key_signature();
    key.verify(algorithm, transport.session_id().unwrap(), signature).unwrap();
}

/// A server that was told a client's value.
fn server_told(kex: KexAlgorithm, value: &[u8]) -> Side {
    let mut pair = Pair::new(with(kex, client()), with(kex, server()));
    // The client's KEXINIT arrives, its own value does not.
    pair.server.receive(&pair.client.take_output());
    let init = encode_init(kex.shape(), value);
    pair.server.receive(&clear(&init));
    pair.server
}

/// A client whose server answers with `change`d values.
fn client_told(kex: KexAlgorithm, change: impl Fn(&mut Vec<u8>)) -> Option<Error> {
    let mut pair = Pair::new(with(kex, client()), with(kex, server()));
    pair.server.receive(&pair.client.take_output());
    pair.client.receive(&pair.server.take_output());
    pair.server.receive(&pair.client.take_output());
    let output = pair.server.take_output();
    let len = 4 + u32::from_be_bytes(output[..4].try_into().unwrap()) as usize;
    let payload = &output[5..len - usize::from(output[4])];
    let reply = Reply::decode(kex.shape(), payload).unwrap();
    let mut public = reply.public.to_vec();
    change(&mut public);
    let changed = Reply { public: &public, ..reply }.encode(kex.shape());
    pair.client.receive(&clear(&changed));
    pair.client.error()
}

#[test]
fn values_of_the_wrong_length_are_refused_by_both_sides() {
    for kex in KexAlgorithm::ALL.iter().filter(|kex| kex.shape() == KexShape::Ecdh) {
        let refused = Some(KexFailure::PublicValue.into());
        assert_eq!(server_told(*kex, &[]).error(), refused, "{}", kex.name());
        assert_eq!(server_told(*kex, &[9; 31]).error(), refused, "{}", kex.name());
        assert_eq!(client_told(*kex, |value| value.push(0)), refused, "{}", kex.name());
        let shorter = |value: &mut Vec<u8>| value.truncate(value.len() - 1);
        assert_eq!(client_told(*kex, shorter), refused, "{}", kex.name());
    }
}

#[test]
fn an_all_zero_curve25519_value_is_refused() {
    let kex = KexAlgorithm::Curve25519Sha256;
    let refused = Some(Error::from(KexFailure::PublicValue));
    assert_eq!(refused.as_ref().unwrap().reason(), Some(3));
    assert_eq!(server_told(kex, &[0; 32]).error(), refused);
    assert_eq!(client_told(kex, |value| value.fill(0)), refused);
}

#[test]
fn a_flipped_bit_in_a_hybrid_answer_breaks_the_signature() {
    for at in [0, 500, 1087, 1088, 1119] {
        let error = client_told(KexAlgorithm::Mlkem768X25519Sha256, |value| value[at] ^= 1);
        assert_eq!(error, Some(KexFailure::Signature.into()), "byte {at}");
    }
}

#[test]
fn diffie_hellman_values_at_the_edges() {
    let kex = KexAlgorithm::DhGroup14Sha256;
    let group = adit_crypto::DhGroup::built_in(2048, 2048, 2048).unwrap();
    let below_p = |less: u8| {
        let mut value = group.p().to_vec();
        *value.last_mut().unwrap() -= less;
        value
    };
    for value in [&[2][..], &below_p(2)] {
        assert_eq!(server_told(kex, value).error(), None);
    }
    for value in [&[][..], &[1], &below_p(1), &below_p(0)] {
        assert_eq!(server_told(kex, value).error(), Some(KexFailure::PublicValue.into()));
        let same = |public: &mut Vec<u8>| *public = value.to_vec();
        assert_eq!(client_told(kex, same), Some(KexFailure::PublicValue.into()));
    }
}

#[test]
fn a_group_nobody_has_is_refused() {
    let kex = KexAlgorithm::DhGroupExchangeSha256;
    for (min, n, max) in [(1024, 1024, 1024), (9000, 9000, 9000), (4096, 3000, 2048)] {
        let mut pair = Pair::new(with(kex, client()), with(kex, server()));
        pair.server.receive(&pair.client.take_output());
        pair.server.receive(&clear(&encoded(&KexDhGexRequest { min, n, max })));
        assert_eq!(pair.server.error(), Some(KexFailure::Group.into()));
    }
}

#[test]
fn a_group_that_is_too_small_is_refused_by_the_client() {
    let kex = KexAlgorithm::DhGroupExchangeSha256;
    let mut pair = Pair::new(with(kex, client()), with(kex, server()));
    pair.client.receive(&pair.server.take_output());
    let p = [&[31, 0, 0, 0, 128][..], &[0x7f; 128], &[0, 0, 0, 1, 2]].concat();
    pair.client.receive(&clear(&p));
    assert_eq!(pair.client.error(), Some(KexFailure::Group.into()));
}

/// Shows one key and signs with another, or not at all.
struct Impostor {
    shown: u8,
    signs: Option<u8>,
}

impl HostKeys for Impostor {
    fn algorithms(&self) -> Vec<KeyAlgorithm> {
        OneKey(self.shown).algorithms()
    }

    fn public_blob(&self, algorithm: KeyAlgorithm) -> Option<Vec<u8>> {
        OneKey(self.shown).public_blob(algorithm)
    }

    fn sign(&self, algorithm: KeyAlgorithm, hash: &[u8]) -> Result<Vec<u8>, SignFailed> {
        OneKey(self.signs.ok_or(SignFailed)?).sign(algorithm, hash)
    }
}

#[test]
fn a_server_that_does_not_hold_its_key_is_never_shown_to_the_driver() {
    let impostor = Impostor { shown: 1, signs: Some(2) };
    let mut pair = Pair::new(client(), Config { host_keys: Some(Arc::new(impostor)), ..server() });
    pair.run();
    assert_eq!(pair.client.seen, [Seen::Failed(KexFailure::Signature.into())]);
}

#[test]
fn a_server_that_cannot_sign_ends_the_connection() {
    let mute = Impostor { shown: 1, signs: None };
    let mut pair = Pair::new(client(), Config { host_keys: Some(Arc::new(mute)), ..server() });
    pair.run();
    assert_eq!(pair.server.error(), Some(KexFailure::Internal.into()));
    assert!(matches!(pair.client.seen[0], Seen::Disconnected(3, _)));
}

/// Another key each time.
struct Changing(core::sync::atomic::AtomicU8);

impl HostKeys for Changing {
    fn algorithms(&self) -> Vec<KeyAlgorithm> {
        OneKey(1).algorithms()
    }

    fn public_blob(&self, algorithm: KeyAlgorithm) -> Option<Vec<u8>> {
        self.0.fetch_add(1, core::sync::atomic::Ordering::Relaxed);
        OneKey(self.now()).public_blob(algorithm)
    }

    fn sign(&self, algorithm: KeyAlgorithm, hash: &[u8]) -> Result<Vec<u8>, SignFailed> {
        OneKey(self.now()).sign(algorithm, hash)
    }
}

impl Changing {
    fn now(&self) -> u8 {
        self.0.load(core::sync::atomic::Ordering::Relaxed)
    }
}

#[test]
fn a_connection_may_have_somebody_else_sign_with_the_keys_that_are_offered() {
    /// Shows a key that it cannot sign with.
    struct Shown;
    impl HostKeys for Shown {
        fn algorithms(&self) -> Vec<KeyAlgorithm> {
            OneKey(1).algorithms()
        }
        fn public_blob(&self, algorithm: KeyAlgorithm) -> Option<Vec<u8>> {
            OneKey(1).public_blob(algorithm)
        }
        fn sign(&self, _: KeyAlgorithm, _: &[u8]) -> Result<Vec<u8>, SignFailed> {
            Err(SignFailed)
        }
    }
    let mut pair = Pair::new(client(), Config { host_keys: Some(Arc::new(Shown)), ..server() });
    pair.server.transport.set_host_keys(Arc::new(OneKey(1)));
    pair.run();
    pair.client.transport.authenticated();
    pair.server.transport.authenticated();
    pair.client.transport.rekey(&mut pair.client.tx);
    pair.run();
    let has_failed = |seen: &[Seen]| seen.iter().any(|seen| matches!(seen, Seen::Failed(_)));
    assert!(!has_failed(&pair.client.seen) && !has_failed(&pair.server.seen));
    assert_eq!(pair.client.transport.counters().key_exchanges, 2);
}

#[test]
fn another_host_key_at_a_rekey_is_refused_with_reason_9() {
    let changing = Changing(core::sync::atomic::AtomicU8::new(0));
    let server = Config { host_keys: Some(Arc::new(changing)), ..server() };
    let mut pair = Pair::established(client(), server);
    pair.client.transport.rekey(&mut pair.client.tx);
    pair.run();
    let refused = Error::from(Violation::HostKeyChanged);
    assert_eq!(refused.reason(), Some(9));
    assert_eq!(pair.client.seen, [Seen::Failed(refused)]);
}

#[test]
fn a_host_key_of_another_algorithm_than_agreed_is_refused() {
    /// Says it has P-256 and shows Ed25519.
    struct Confused;
    impl HostKeys for Confused {
        fn algorithms(&self) -> Vec<KeyAlgorithm> {
            vec![KeyAlgorithm::from_name("ecdsa-sha2-nistp256").unwrap()]
        }
        fn public_blob(&self, algorithm: KeyAlgorithm) -> Option<Vec<u8>> {
            OneKey(1).public_blob(algorithm)
        }
        fn sign(&self, _: KeyAlgorithm, hash: &[u8]) -> Result<Vec<u8>, SignFailed> {
            let key = SigningKey::ed25519(&[1; 32]);
            let own = adit_crypto::SignatureAlgorithm::Ed25519;
            key.sign(own, hash, &mut Fixed(1)).map_err(|_| SignFailed)
        }
    }
    let mut pair = Pair::new(client(), Config { host_keys: Some(Arc::new(Confused)), ..server() });
    pair.run();
    assert_eq!(pair.client.error(), Some(KexFailure::Signature.into()));
}

#[test]
fn the_exchange_hash_covers_every_byte_that_was_sent() {
    // A line in the middle that is changed on the way: both sides come to other hashes.
    let mut pair = Pair::new(client(), server());
    let mut to_server = pair.client.take_output();
    let version = to_server.iter().position(|byte| *byte == b'_').unwrap() + 1;
    to_server[version] = b'9';
    pair.server.receive(&to_server);
    pair.run();
    assert_eq!(pair.client.error(), Some(KexFailure::Signature.into()));
}
