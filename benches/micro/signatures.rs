//! Signing and checking with each kind of host key, over the length of an exchange hash.
#![allow(missing_docs, reason = "criterion's macros make functions without")]

use adit_crypto::{BACK_END, KeyAlgorithm, SigningKey, SystemRandom};
use adit_keys::private::KeyFile;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use std::{hint::black_box, path::Path};

const EXCHANGE_HASH: [u8; 64] = [3; 64];

/// The keys of the key files' own tests.
fn keys() -> Vec<SigningKey> {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/keys/testdata/private"));
    let names = ["ed25519.openssh", "p256.openssh", "p384.openssh", "p521.openssh", "rsa.openssh"];
    let load = |name: &str| {
        let path = folder.join(name);
        let text = std::fs::read(&path).expect("a test key");
        let file = KeyFile::parse(&path, &text).expect("a key file");
        file.unlock(b"").expect("a key without a passphrase").key
    };
    names.map(load).into()
}

fn signatures(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group(format!("signatures/{BACK_END}"));
    let mut random = SystemRandom::new();
    for key in keys() {
        let public = key.public_key();
        let algorithm: KeyAlgorithm = public.algorithms().next().expect("an algorithm");
        let name = algorithm.signature.name();
        group.bench_function(BenchmarkId::new("sign", name), |bencher| {
            let mut sign =
                || key.sign(algorithm.signature, black_box(&EXCHANGE_HASH), &mut random).is_ok();
            bencher.iter(&mut sign);
        });
        let signature = key.sign(algorithm.signature, &EXCHANGE_HASH, &mut random);
        let signature = signature.expect("a signature");
        group.bench_function(BenchmarkId::new("verify", name), |bencher| {
            let verify = || public.verify(algorithm, black_box(&EXCHANGE_HASH), &signature).is_ok();
            bencher.iter(verify);
        });
    }
}

criterion_group!(benches, signatures);
criterion_main!(benches);
