//! A client's and a server's engine back to back: the whole data path without a kernel, in bytes and in packets.
#![allow(missing_docs, reason = "criterion's macros make functions without")]

use adit_benches::Loopback;
use adit_crypto::{BACK_END, CipherAlgorithm};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;

/// What one read brings: a key press, a page, half of what a thread lends.
const SIZES: [usize; 3] = [1, 4096, 512 * 1024];

fn bytes(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group(format!("engine/{BACK_END}"));
    for cipher in CipherAlgorithm::ALL {
        for size in SIZES {
            let mut loopback = Loopback::new(*cipher);
            let moved = loopback.turn(size);
            let throughput = match size {
                // Where packets are small, they are what counts.
                0..=4096 => Throughput::Elements(moved.packets as u64),
                _ => Throughput::Bytes(moved.bytes as u64),
            };
            group.throughput(throughput);
            group.bench_function(BenchmarkId::new(cipher.name(), size), |bencher| {
                bencher.iter(|| black_box(loopback.turn(size)));
            });
        }
    }
}

criterion_group!(benches, bytes);
criterion_main!(benches);
