//! Public values and signatures of a stranger: a secret comes of them or a refusal.
//! Touches: `adit_crypto`'s key exchanges.   Never: messages.
//! Invariants: what the client makes of an honest server's value is what the server has.
//! Errors: a panic is a finding.   Allocates: the values.
//! Proved by: the seeds.

use adit_crypto::{DhGroup, Ephemeral, KexAlgorithm, KexShape, respond, respond_in_group};
use adit_testkit::FixedRng;
use std::collections::HashMap;
use std::sync::OnceLock;

/// What an honest pair says and comes to; the same for every input, and slow to make.
struct Honest {
    client_value: Vec<u8>,
    server_value: Vec<u8>,
}

/// The first byte chooses the method, the second the value's honest bytes: as many of them are kept. The rest is the
/// stranger's, or a group: two bytes of length, the prime, the generator.
pub fn key_exchange(bytes: &[u8]) {
    let [choice, kept, rest @ ..] = bytes else { return };
    let algorithm = match KexAlgorithm::ALL[usize::from(*choice) % KexAlgorithm::ALL.len()] {
        // Seconds each under a sanitizer, for the same code with longer numbers.
        KexAlgorithm::DhGroup16Sha512 | KexAlgorithm::DhGroup18Sha512 => {
            KexAlgorithm::DhGroup14Sha256
        }
        algorithm => algorithm,
    };
    if algorithm.shape() == KexShape::GroupExchange {
        return group_exchange(rest);
    }
    let Honest { client_value, server_value } = honest(algorithm);
    let _ = respond(algorithm, &spoilt(client_value, *kept, rest), &mut FixedRng::new(2));
    let _ = client(algorithm).agree(&spoilt(server_value, *kept, rest));
}

/// The pair of a method, held against each other when it is first asked for.
fn honest(algorithm: KexAlgorithm) -> &'static Honest {
    static PAIRS: OnceLock<HashMap<&'static str, OnceLock<Honest>>> = OnceLock::new();
    let unmade = || KexAlgorithm::ALL.iter().map(|it| (it.name(), OnceLock::new())).collect();
    PAIRS.get_or_init(unmade)[algorithm.name()].get_or_init(|| {
        let client = client(algorithm);
        let client_value = client.public().to_vec();
        let (server_value, secret) =
            respond(algorithm, &client_value, &mut FixedRng::new(2)).expect("an honest client");
        let agreed = client.agree(&server_value).expect("an honest server");
        assert_eq!(agreed.as_wire(), secret.as_wire());
        Honest { client_value, server_value }
    })
}

fn client(algorithm: KexAlgorithm) -> Ephemeral {
    Ephemeral::generate(algorithm, &mut FixedRng::new(1)).expect("it has no group")
}

/// The first `kept` of every 256 bytes are honest.
fn spoilt(honest: &[u8], kept: u8, by: &[u8]) -> Vec<u8> {
    let head = honest.len() * usize::from(kept) / 255;
    [&honest[..head], by].concat()
}

fn group_exchange(bytes: &[u8]) {
    const ALGORITHM: KexAlgorithm = KexAlgorithm::DhGroupExchangeSha256;
    let Some((len, rest)) = bytes.split_first_chunk::<2>() else { return };
    let (prime, generator) = rest.split_at(usize::from(u16::from_be_bytes(*len)).min(rest.len()));
    // A large group takes its time, which is the same for all.
    if prime.len() > 512 {
        return;
    }
    if let Ok(group) = DhGroup::new(prime, generator) {
        assert!(prime.len() >= 2048 / 8, "a group that is too small");
        let client = Ephemeral::in_group(ALGORITHM, group, &mut FixedRng::new(1));
        let _ = client.agree(generator);
    }
    if let Some(group) = DhGroup::built_in(2048, 2048, 2048) {
        let _ = respond_in_group(ALGORITHM, group, rest, &mut FixedRng::new(2));
    }
}
