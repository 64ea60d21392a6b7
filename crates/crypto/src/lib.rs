//! SSH algorithms under their SSH names: key exchange, ciphers, host keys, key derivation.
//! Touches: byte slices and randomness the caller brings.   Never: message dispatch, sockets, files, clocks.
//! Invariants: names come from the RFCs; secrets are zeroized and never shown by `Debug`; tags and secrets are compared in constant time.
//! Errors: [`KexError`], [`OpenError`], [`KeyError`], [`SignatureError`].   Allocates: never per packet.
//! Proved by: published vectors in `testdata`, `tests` in each module, both back ends under the same tests.
//!
//! ```
//! use adit_crypto::{Ephemeral, KexAlgorithm, SystemRandom, respond};
//!
//! let mut random = SystemRandom::new();
//! let client = Ephemeral::generate(KexAlgorithm::Curve25519Sha256, &mut random)?;
//! let (q_s, server_k) = respond(KexAlgorithm::Curve25519Sha256, client.public(), &mut random)?;
//! assert_eq!(client.agree(&q_s)?.as_wire(), server_k.as_wire());
//! # Ok::<(), adit_crypto::KexError>(())
//! ```
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

#[cfg(not(any(feature = "ring", feature = "portable")))]
compile_error!("adit-crypto needs one of the features `ring` and `portable`");

mod backend;
mod bignum;
mod certificate;
mod cipher;
mod curve;
mod exchange_hash;
mod fingerprint;
mod hash;
mod kdf;
mod kex;
mod key_algorithm;
mod mac;
#[cfg(feature = "nist")]
mod nist;
mod public_key;
mod random;
mod rsa;
mod signature;
mod signing_key;
#[cfg(test)]
mod testing;

pub use certificate::{Certificate, CertificateKind, NamedData};
pub use cipher::{CipherAlgorithm, OpenError, OpeningKey, SealingKey, aes_hardware};
pub use curve::Curve;
pub use exchange_hash::{Exchange, GroupRequest};
pub use fingerprint::fingerprint;
pub use hash::{Digest, HashAlgorithm};
pub use kdf::derive;
pub use kex::{
    DhGroup, Ephemeral, KexAlgorithm, KexError, KexShape, SharedSecret, respond, respond_in_group,
};
pub use key_algorithm::{KeyAlgorithm, SignatureAlgorithm};
pub use mac::MacAlgorithm;
pub use public_key::{EcdsaKey, KeyError, PublicKey, SecurityKeyUse};
pub use random::{Random, SystemRandom};
pub use rsa::{RsaKey, RsaPrivateParts};
pub use signature::SignatureError;
pub use signing_key::SigningKey;

/// Which implementation of the AEADs and NIST curves was built in, for version texts.
pub const BACK_END: &str = if cfg!(feature = "portable") { "RustCrypto" } else { "ring" };
