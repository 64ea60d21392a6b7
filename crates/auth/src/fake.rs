//! Keys and signatures for tests: the shapes are SSH's, the cryptography is a checksum.
//! Touches: blobs.   Never: leaves the tests.
//! Invariants: a signature verifies for the key, the algorithm and the bytes it was made for.
//! Errors: none.   Allocates: blobs.
//! Proved by: the tests that use it.

use crate::algorithm::{ALGORITHMS, signature_of};
use crate::server::SignatureCheck;
use adit_wire::{Field, Reader};
use alloc::{format, vec::Vec};

pub(crate) const SESSION: &[u8] = b"session";
pub(crate) const HOST_KEY: &[u8] = b"host key";

/// What a security key tells with its signatures.
pub(crate) const KEY_FLAGS: u8 = 5;

/// A message, or a part of one.
pub(crate) fn wire(encode: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    encode(&mut out);
    out
}

/// A key or certificate blob of that kind.
pub(crate) fn key(kind: &str, name: &str) -> Vec<u8> {
    let algorithm = ALGORITHMS.iter().find(|algorithm| algorithm.key_type == kind).unwrap();
    wire(|out| {
        kind.encode(out);
        if algorithm.certified.is_some() {
            "nonce".encode(out);
        }
        for _ in 0..algorithm.key_fields {
            name.encode(out);
        }
    })
}

pub(crate) fn ed25519(name: &str) -> Vec<u8> {
    key("ssh-ed25519", name)
}

/// What a key's owner answers to a request to sign.
pub(crate) fn sign(algorithm: &str, public_key: &[u8], data: &[u8]) -> Vec<u8> {
    wire(|out| {
        signature_of(algorithm).encode(out);
        mark(public_key, data).as_slice().encode(out);
        if algorithm.starts_with("sk-") {
            KEY_FLAGS.encode(out);
            1_u32.encode(out);
        }
    })
}

/// Whatever the signature says it is: its name is for the server to hold against the request.
pub(crate) fn verify(check: &SignatureCheck<'_>) -> bool {
    let mut reader = Reader::new(check.signature);
    reader.string().is_ok()
        && reader.string() == Ok(&mark(check.public_key, check.data))
        && (!check.algorithm.name.starts_with("sk-") || reader.take(5).is_ok())
        && reader.finish().is_ok()
}

fn mark(public_key: &[u8], data: &[u8]) -> Vec<u8> {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
    let hash = public_key.iter().chain(data).fold(0xcbf2_9ce4_8422_2325, step);
    format!("signed {hash:x}").into_bytes()
}
