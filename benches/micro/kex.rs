//! Both halves of each key exchange method: what a connection costs before anything else.
#![allow(missing_docs, reason = "criterion's macros make functions without")]

use adit_crypto::{BACK_END, Ephemeral, KexAlgorithm, KexShape, SystemRandom, respond};
use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use std::hint::black_box;

fn methods() -> impl Iterator<Item = KexAlgorithm> {
    let of_one_step = |method: &KexAlgorithm| method.shape() != KexShape::GroupExchange;
    KexAlgorithm::ALL.iter().copied().filter(of_one_step)
}

fn kex(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group(format!("kex/{BACK_END}"));
    let mut random = SystemRandom::new();
    // The large groups take tens of milliseconds each.
    group.sample_size(20);
    for method in methods() {
        group.bench_function(BenchmarkId::new("generate", method.name()), |bencher| {
            bencher.iter(|| black_box(Ephemeral::generate(method, &mut random)).is_ok());
        });
        let client = Ephemeral::generate(method, &mut random).expect("randomness");
        let public = client.public().to_vec();
        group.bench_function(BenchmarkId::new("respond", method.name()), |bencher| {
            bencher.iter(|| respond(method, black_box(&public), &mut random).is_ok());
        });
        // A secret is used once.
        let both = || {
            let mut random = SystemRandom::new();
            let client = Ephemeral::generate(method, &mut random).expect("randomness");
            let (answer, _) = respond(method, client.public(), &mut random).expect("honesty");
            (client, answer)
        };
        group.bench_function(BenchmarkId::new("agree", method.name()), |bencher| {
            let agree = |(client, answer): (Ephemeral, Vec<u8>)| client.agree(&answer).is_ok();
            bencher.iter_batched(both, agree, BatchSize::SmallInput);
        });
    }
}

criterion_group!(benches, kex);
criterion_main!(benches);
