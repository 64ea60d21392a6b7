//! The wire codec where it is met most: a DATA header for each packet, a KEXINIT for each connection.
#![allow(missing_docs, reason = "criterion's macros make functions without")]

use adit_wire::{Message, NameList, channel::ChannelData, transport::KexInit};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;

const KEX: &str =
    "mlkem768x25519-sha256,sntrup761x25519-sha512,curve25519-sha256,ecdh-sha2-nistp256";
const KEYS: &str = "ssh-ed25519,ecdsa-sha2-nistp256,rsa-sha2-512,rsa-sha2-256";
const CIPHERS: &str = "aes128-gcm@openssh.com,aes256-gcm@openssh.com,chacha20-poly1305@openssh.com";
const MACS: &str = "hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,hmac-sha2-256";

fn kexinit() -> KexInit<'static> {
    let [kex, keys, ciphers, macs, none, nothing] =
        [KEX, KEYS, CIPHERS, MACS, "none", ""].map(NameList::new);
    KexInit {
        cookie: [7; 16],
        kex_algorithms: kex,
        server_host_key_algorithms: keys,
        encryption_algorithms_client_to_server: ciphers,
        encryption_algorithms_server_to_client: ciphers,
        mac_algorithms_client_to_server: macs,
        mac_algorithms_server_to_client: macs,
        compression_algorithms_client_to_server: none,
        compression_algorithms_server_to_client: none,
        languages_client_to_server: nothing,
        languages_server_to_client: nothing,
        first_kex_packet_follows: false,
        reserved: 0,
    }
}

fn codec(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("codec");
    let (mut data, mut init) = (Vec::new(), Vec::new());
    ChannelData { recipient_channel: 7, data: &[0; 32 * 1024] }.encode(&mut data);
    kexinit().encode(&mut init);
    group.throughput(Throughput::Elements(1));
    group.bench_function("decode channel data", |bencher| {
        bencher.iter(|| ChannelData::decode(black_box(&data)).map(|message| message.data.len()));
    });
    group.bench_function("decode kexinit", |bencher| {
        bencher.iter(|| KexInit::decode(black_box(&init)).map(|message| message.reserved));
    });
    let mut out = Vec::with_capacity(init.len());
    group.bench_function("encode kexinit", |bencher| {
        bencher.iter(|| {
            out.clear();
            black_box(kexinit()).encode(&mut out);
        });
    });
}

criterion_group!(benches, codec);
criterion_main!(benches);
