//! Key exchange methods by name, and both halves of each. RFC 4253 §8, RFC 5656, RFC 8731, RFC 9142 and the hybrids' drafts.
//! Touches: public values as bytes.   Never: messages, host keys, the order of packets.
//! Invariants: an ephemeral secret is used once (`agree` takes it); a secret that a peer could force is refused.
//! Errors: `KexError`.   Allocates: public values and secrets.
//! Proved by: `tests` beside this file, vectors in each method's module, fuzz `key_exchange`.

use alloc::vec::Vec;
use core::fmt;

use adit_wire::{Field, Mpint};
use zeroize::Zeroizing;

#[cfg(feature = "nist")]
use crate::Curve;
use crate::{HashAlgorithm, Random};

mod dh_group;
#[cfg(feature = "nist")]
mod ecdh;
mod mlkem;
#[cfg(feature = "sntrup")]
mod sntrup;
#[cfg(test)]
mod tests;
mod x25519;

pub use dh_group::DhGroup;

/// A key exchange method by its SSH name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KexAlgorithm {
    /// `mlkem768x25519-sha256`, draft-ietf-sshm-mlkem-hybrid-kex
    Mlkem768X25519Sha256,
    /// `sntrup761x25519-sha512`, draft-ietf-sshm-ntruprime-ssh
    #[cfg(feature = "sntrup")]
    Sntrup761X25519Sha512,
    /// `sntrup761x25519-sha512@openssh.com`, the same under its first name
    #[cfg(feature = "sntrup")]
    Sntrup761X25519Sha512Openssh,
    /// `curve25519-sha256`, RFC 8731
    Curve25519Sha256,
    /// `curve25519-sha256@libssh.org`, the same under its first name
    Curve25519Sha256Libssh,
    /// `ecdh-sha2-nistp256`, RFC 5656
    #[cfg(feature = "nist")]
    EcdhSha2Nistp256,
    /// `ecdh-sha2-nistp384`, RFC 5656
    #[cfg(feature = "nist")]
    EcdhSha2Nistp384,
    /// `ecdh-sha2-nistp521`, RFC 5656
    #[cfg(feature = "nist")]
    EcdhSha2Nistp521,
    /// `diffie-hellman-group-exchange-sha256`, RFC 4419
    #[cfg(feature = "group-exchange")]
    DhGroupExchangeSha256,
    /// `diffie-hellman-group16-sha512`, RFC 8268
    DhGroup16Sha512,
    /// `diffie-hellman-group18-sha512`, RFC 8268
    DhGroup18Sha512,
    /// `diffie-hellman-group14-sha256`, RFC 8268
    DhGroup14Sha256,
}

/// Which messages a method exchanges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KexShape {
    /// 30 and 31 carry strings; the hybrids too. RFC 5656 §4.
    Ecdh,
    /// 30 and 31 carry mpints. RFC 4253 §8.
    Dh,
    /// 34, 31, 32 and 33; the server chooses the group. RFC 4419 §3.
    GroupExchange,
}

/// What a method computes.
#[derive(Clone, Copy)]
enum Method {
    Mlkem768X25519,
    #[cfg(feature = "sntrup")]
    Sntrup761X25519,
    X25519,
    #[cfg(feature = "nist")]
    Ecdh(Curve),
    Dh(&'static [u8]),
    #[cfg(feature = "group-exchange")]
    GroupExchange,
}

impl KexAlgorithm {
    /// All of them, most wanted first: post-quantum, elliptic curves, finite fields.
    pub const ALL: &[Self] = &[
        Self::Mlkem768X25519Sha256,
        #[cfg(feature = "sntrup")]
        Self::Sntrup761X25519Sha512,
        #[cfg(feature = "sntrup")]
        Self::Sntrup761X25519Sha512Openssh,
        Self::Curve25519Sha256,
        Self::Curve25519Sha256Libssh,
        #[cfg(feature = "nist")]
        Self::EcdhSha2Nistp256,
        #[cfg(feature = "nist")]
        Self::EcdhSha2Nistp384,
        #[cfg(feature = "nist")]
        Self::EcdhSha2Nistp521,
        #[cfg(feature = "group-exchange")]
        Self::DhGroupExchangeSha256,
        Self::DhGroup16Sha512,
        Self::DhGroup18Sha512,
        Self::DhGroup14Sha256,
    ];

    /// What is offered unless the user says otherwise, in OpenSSH 10's order.
    pub const DEFAULT: &[Self] = Self::ALL;

    /// The table: name, hash function, what is computed.
    const fn row(self) -> (&'static str, HashAlgorithm, Method) {
        use HashAlgorithm::{Sha256, Sha512};
        match self {
            Self::Mlkem768X25519Sha256 => ("mlkem768x25519-sha256", Sha256, Method::Mlkem768X25519),
            #[cfg(feature = "sntrup")]
            Self::Sntrup761X25519Sha512 => {
                ("sntrup761x25519-sha512", Sha512, Method::Sntrup761X25519)
            }
            #[cfg(feature = "sntrup")]
            Self::Sntrup761X25519Sha512Openssh => {
                ("sntrup761x25519-sha512@openssh.com", Sha512, Method::Sntrup761X25519)
            }
            Self::Curve25519Sha256 => ("curve25519-sha256", Sha256, Method::X25519),
            Self::Curve25519Sha256Libssh => {
                ("curve25519-sha256@libssh.org", Sha256, Method::X25519)
            }
            #[cfg(feature = "nist")]
            Self::EcdhSha2Nistp256 => ("ecdh-sha2-nistp256", Sha256, Method::Ecdh(Curve::Nistp256)),
            #[cfg(feature = "nist")]
            Self::EcdhSha2Nistp384 => {
                ("ecdh-sha2-nistp384", HashAlgorithm::Sha384, Method::Ecdh(Curve::Nistp384))
            }
            #[cfg(feature = "nist")]
            Self::EcdhSha2Nistp521 => ("ecdh-sha2-nistp521", Sha512, Method::Ecdh(Curve::Nistp521)),
            #[cfg(feature = "group-exchange")]
            Self::DhGroupExchangeSha256 => {
                ("diffie-hellman-group-exchange-sha256", Sha256, Method::GroupExchange)
            }
            Self::DhGroup16Sha512 => {
                ("diffie-hellman-group16-sha512", Sha512, Method::Dh(dh_group::GROUP_16))
            }
            Self::DhGroup18Sha512 => {
                ("diffie-hellman-group18-sha512", Sha512, Method::Dh(dh_group::GROUP_18))
            }
            Self::DhGroup14Sha256 => {
                ("diffie-hellman-group14-sha256", Sha256, Method::Dh(dh_group::GROUP_14))
            }
        }
    }

    /// The SSH name.
    pub const fn name(self) -> &'static str {
        self.row().0
    }

    /// The method of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|algorithm| algorithm.name() == name)
    }

    /// The hash function of exchange hash and key derivation.
    pub const fn hash(self) -> HashAlgorithm {
        self.row().1
    }

    /// Which messages it exchanges.
    pub const fn shape(self) -> KexShape {
        match self.row().2 {
            Method::Dh(_) => KexShape::Dh,
            #[cfg(feature = "group-exchange")]
            Method::GroupExchange => KexShape::GroupExchange,
            _ => KexShape::Ecdh,
        }
    }

    /// Whether a quantum computer that reads the recording later does not learn the keys.
    pub const fn is_post_quantum(self) -> bool {
        match self.row().2 {
            Method::Mlkem768X25519 => true,
            #[cfg(feature = "sntrup")]
            Method::Sntrup761X25519 => true,
            _ => false,
        }
    }

    const fn method(self) -> Method {
        self.row().2
    }
}

/// A key exchange that cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KexError {
    /// A public value or a ciphertext of the wrong length.
    WrongLength,
    /// A public value outside its range, off its curve, or an encapsulation key that fails its check.
    InvalidPublicValue,
    /// A shared secret that the peer could have forced: all zeros. RFC 8731 §3.
    ForcedSecret,
    /// A group that is too small, too large or not of the right kind. RFC 4419 §3.
    InvalidGroup,
    /// Group exchange was asked for a key before there was a group.
    GroupMissing,
}

impl fmt::Display for KexError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WrongLength => "public value has the wrong length",
            Self::InvalidPublicValue => "public value is not valid",
            Self::ForcedSecret => "shared secret is all zeros",
            Self::InvalidGroup => "Diffie-Hellman group is not acceptable",
            Self::GroupMissing => "no Diffie-Hellman group yet",
        })
    }
}

impl core::error::Error for KexError {}

/// K, the secret both sides share. Zeroized when dropped.
pub struct SharedSecret(Zeroizing<Vec<u8>>);

impl SharedSecret {
    /// K as a number: an mpint. RFC 4253 §8, RFC 8731 §3.1.
    pub(crate) fn from_number(magnitude: &[u8]) -> Self {
        // One more for the sign byte: the secret must not move when the buffer grows.
        let mut wire = Zeroizing::new(Vec::with_capacity(4 + 1 + magnitude.len()));
        Mpint::new(magnitude).encode(&mut wire);
        Self(wire)
    }

    /// K of a hybrid: the hash of both secrets, as a string.
    fn from_hybrid(hash: HashAlgorithm, kem: &[u8], ecdh: &[u8]) -> Self {
        let k = Zeroizing::new(hash.digest(&[kem, ecdh]));
        let mut wire = Zeroizing::new(Vec::with_capacity(4 + hash.digest_len()));
        (*k).as_ref().encode(&mut wire);
        Self(wire)
    }

    /// Appends the form in which K is hashed: an mpint, with the hybrids a string.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }

    /// The same bytes in place; what [`derive`](crate::derive) takes.
    pub fn as_wire(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SharedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedSecret(..)")
    }
}

/// The client's half of a key exchange: a secret that is used once, and its public value.
pub struct Ephemeral {
    algorithm: KexAlgorithm,
    public: Vec<u8>,
    secret: Secret,
}

enum Secret {
    X25519(x25519::Scalar),
    Mlkem768X25519(mlkem::Secret),
    #[cfg(feature = "sntrup")]
    Sntrup761X25519(sntrup::Secret),
    #[cfg(feature = "nist")]
    Ecdh(ecdh::Secret),
    Dh(dh_group::Exponent),
}

impl Ephemeral {
    /// A new secret for `algorithm`. Nothing is generated before its method is chosen: call this for that one only.
    ///
    /// # Errors
    /// [`KexError::GroupMissing`] for group exchange; see [`in_group`](Self::in_group).
    pub fn generate(algorithm: KexAlgorithm, random: &mut dyn Random) -> Result<Self, KexError> {
        let (secret, public) = match algorithm.method() {
            Method::X25519 => {
                let (scalar, public) = x25519::generate(random);
                (Secret::X25519(scalar), public.to_vec())
            }
            Method::Mlkem768X25519 => {
                let (secret, public) = mlkem::generate(random);
                (Secret::Mlkem768X25519(secret), public)
            }
            #[cfg(feature = "sntrup")]
            Method::Sntrup761X25519 => {
                let (secret, public) = sntrup::generate(random);
                (Secret::Sntrup761X25519(secret), public)
            }
            #[cfg(feature = "nist")]
            Method::Ecdh(curve) => {
                let (secret, public) = ecdh::generate(curve, random);
                (Secret::Ecdh(secret), public)
            }
            Method::Dh(prime) => {
                return Ok(Self::in_group(algorithm, DhGroup::fixed(prime), random));
            }
            #[cfg(feature = "group-exchange")]
            Method::GroupExchange => return Err(KexError::GroupMissing),
        };
        Ok(Self { algorithm, public, secret })
    }

    /// A new secret in a group: with group exchange, the one the server chose.
    pub fn in_group(algorithm: KexAlgorithm, group: DhGroup, random: &mut dyn Random) -> Self {
        let (exponent, public) = dh_group::generate(group, random);
        Self { algorithm, public, secret: Secret::Dh(exponent) }
    }

    /// The method it was made for.
    pub const fn algorithm(&self) -> KexAlgorithm {
        self.algorithm
    }

    /// Q_C, or the magnitude of e.
    pub fn public(&self) -> &[u8] {
        &self.public
    }

    /// K, from the server's Q_S or the magnitude of its f.
    ///
    /// # Errors
    /// [`KexError`] when `peer` is not a value an honest server sends.
    pub fn agree(self, peer: &[u8]) -> Result<SharedSecret, KexError> {
        match self.secret {
            Secret::X25519(scalar) => {
                let shared = scalar.agree(x25519::public(peer)?)?;
                Ok(SharedSecret::from_number(&shared[..]))
            }
            Secret::Mlkem768X25519(secret) => secret.agree(self.algorithm.hash(), peer),
            #[cfg(feature = "sntrup")]
            Secret::Sntrup761X25519(secret) => secret.agree(self.algorithm.hash(), peer),
            #[cfg(feature = "nist")]
            Secret::Ecdh(secret) => Ok(SharedSecret::from_number(&secret.agree(peer)?)),
            Secret::Dh(exponent) => Ok(SharedSecret::from_number(&exponent.agree(peer)?)),
        }
    }
}

impl fmt::Debug for Ephemeral {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ephemeral({})", self.algorithm.name())
    }
}

/// The server's half in one step: Q_S (or the magnitude of f) and K, from the client's Q_C (or e).
///
/// # Errors
/// [`KexError`] when `client_public` is not a value an honest client sends, and for group exchange,
/// which has [`respond_in_group`].
pub fn respond(
    algorithm: KexAlgorithm,
    client_public: &[u8],
    random: &mut dyn Random,
) -> Result<(Vec<u8>, SharedSecret), KexError> {
    match algorithm.method() {
        Method::Mlkem768X25519 => mlkem::respond(algorithm.hash(), client_public, random),
        #[cfg(feature = "sntrup")]
        Method::Sntrup761X25519 => sntrup::respond(algorithm.hash(), client_public, random),
        // Both halves do the same.
        _ => answer(Ephemeral::generate(algorithm, random)?, client_public),
    }
}

/// The server's half of group exchange: f and K, from the client's e.
///
/// # Errors
/// [`KexError`] when `client_public` is not a value an honest client sends.
pub fn respond_in_group(
    algorithm: KexAlgorithm,
    group: DhGroup,
    client_public: &[u8],
    random: &mut dyn Random,
) -> Result<(Vec<u8>, SharedSecret), KexError> {
    answer(Ephemeral::in_group(algorithm, group, random), client_public)
}

fn answer(
    mut ephemeral: Ephemeral,
    client_public: &[u8],
) -> Result<(Vec<u8>, SharedSecret), KexError> {
    let public = core::mem::take(&mut ephemeral.public);
    Ok((public, ephemeral.agree(client_public)?))
}
