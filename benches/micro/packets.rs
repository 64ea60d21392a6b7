//! Sealing and opening packets, by cipher and size: `cargo bench -p adit-benches --bench packets`, and the same with
//! `--no-default-features --features portable` for the other back end.
#![allow(missing_docs, reason = "criterion's macros make functions without")]

use adit_crypto::{BACK_END, CipherAlgorithm, MacAlgorithm, Random, SystemRandom};
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;

const SIZES: [usize; 5] = [64, 1024, 4 * 1024, 8 * 1024, 32 * 1024];
const KEY: [u8; 64] = [7; 64];
const IV: [u8; 16] = [9; 16];

/// `length 4 │ body │ room for the tag`; the body fills whole blocks.
fn packet(body: usize, tag: usize) -> Vec<u8> {
    let mut packet = (body as u32).to_be_bytes().to_vec();
    packet.resize(4 + body + tag, 0x5a);
    packet
}

fn mac(cipher: CipherAlgorithm) -> Option<MacAlgorithm> {
    (!cipher.is_aead()).then_some(MacAlgorithm::HmacSha2_256Etm)
}

fn seal(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group(format!("seal/{BACK_END}"));
    for cipher in CipherAlgorithm::ALL {
        for size in SIZES {
            let mut key = cipher.sealing(mac(*cipher), &KEY, &IV, &KEY);
            let mut bytes = packet(size, key.tag_len());
            let mut seq = 0_u32;
            group.throughput(Throughput::Bytes(size as u64));
            group.bench_function(BenchmarkId::new(cipher.name(), size), |bencher| {
                bencher.iter(|| {
                    bytes[..4].copy_from_slice(&(size as u32).to_be_bytes());
                    key.seal(seq, black_box(&mut bytes));
                    seq = seq.wrapping_add(1);
                });
            });
        }
    }
}

/// A counter moves with each packet, so each is sealed anew, outside of what is timed.
fn open(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group(format!("open/{BACK_END}"));
    for cipher in CipherAlgorithm::ALL {
        for size in SIZES {
            let mut sealing = cipher.sealing(mac(*cipher), &KEY, &IV, &KEY);
            let mut opening = cipher.opening(mac(*cipher), &KEY, &IV, &KEY);
            let head = opening.head_len();
            let (mut sealed, mut opened) = (0_u32, 0_u32);
            let mut make = || {
                let mut bytes = packet(size, sealing.tag_len());
                sealing.seal(sealed, &mut bytes);
                sealed = sealed.wrapping_add(1);
                bytes
            };
            let mut open = |bytes: &mut Vec<u8>| {
                opening.open_length(opened, &mut bytes[..head]);
                opening.open(opened, black_box(bytes)).expect("an honest packet");
                opened = opened.wrapping_add(1);
            };
            group.throughput(Throughput::Bytes(size as u64));
            group.bench_function(BenchmarkId::new(cipher.name(), size), |bencher| {
                bencher.iter_batched_ref(&mut make, &mut open, BatchSize::SmallInput);
            });
        }
    }
}

/// What each packet takes from the system's randomness.
fn padding(criterion: &mut Criterion) {
    let mut random = SystemRandom::new();
    let mut padding = [0; 11];
    criterion.bench_function("padding/11", |bencher| {
        bencher.iter(|| random.fill(black_box(&mut padding)));
    });
}

criterion_group!(benches, seal, open, padding);
criterion_main!(benches);
