//! The exchange hash H. RFC 4253 §8, RFC 5656 §4, RFC 4419 §3.
//! Touches: what both sides sent during key exchange.   Never: the order in which it was sent.
//! Invariants: public values are hashed in the form in which they stand in the packets: string, or mpint for finite fields.
//! Errors: none.   Allocates: one buffer per hash.
//! Proved by: `tests` below (recorded exchanges).

use alloc::vec::Vec;

use adit_wire::{Field, Mpint};
use zeroize::Zeroizing;

use crate::{Digest, KexAlgorithm, KexShape, SharedSecret};

/// Everything that goes into the exchange hash.
#[derive(Clone, Copy, Debug)]
pub struct Exchange<'a> {
    /// V_C, the client's identification line without CR LF.
    pub client_version: &'a [u8],
    /// V_S, the server's identification line without CR LF.
    pub server_version: &'a [u8],
    /// I_C, the payload of the client's KEXINIT.
    pub client_kexinit: &'a [u8],
    /// I_S, the payload of the server's KEXINIT.
    pub server_kexinit: &'a [u8],
    /// K_S, the host key or certificate blob.
    pub host_key: &'a [u8],
    /// What group exchange adds; present with it and nowhere else.
    pub group: Option<GroupRequest<'a>>,
    /// Q_C, or the magnitude of e.
    pub client_public: &'a [u8],
    /// Q_S, or the magnitude of f.
    pub server_public: &'a [u8],
    /// K
    pub shared_secret: &'a SharedSecret,
}

/// The sizes asked for and the group answered. RFC 4419 §3.
#[derive(Clone, Copy, Debug)]
pub struct GroupRequest<'a> {
    /// Smallest acceptable size of the prime in bits.
    pub min: u32,
    /// Preferred size in bits.
    pub n: u32,
    /// Largest acceptable size in bits.
    pub max: u32,
    /// Magnitude of the safe prime.
    pub p: &'a [u8],
    /// Magnitude of the generator.
    pub g: &'a [u8],
}

impl Exchange<'_> {
    /// H, with the hash function of `algorithm`.
    pub fn hash(&self, algorithm: KexAlgorithm) -> Digest {
        let mut input = Zeroizing::new(Vec::with_capacity(self.size()));
        for text in [
            self.client_version,
            self.server_version,
            self.client_kexinit,
            self.server_kexinit,
            self.host_key,
        ] {
            text.encode(&mut input);
        }
        if let Some(group) = &self.group {
            for size in [group.min, group.n, group.max] {
                size.encode(&mut input);
            }
            for number in [group.p, group.g] {
                Mpint::new(number).encode(&mut input);
            }
        }
        for public in [self.client_public, self.server_public] {
            match algorithm.shape() {
                KexShape::Ecdh => public.encode(&mut input),
                KexShape::Dh | KexShape::GroupExchange => Mpint::new(public).encode(&mut input),
            }
        }
        self.shared_secret.encode(&mut input);
        algorithm.hash().digest(&[&input])
    }

    /// At least the length of the input, so that the secret at its end is never moved and left behind.
    fn size(&self) -> usize {
        let texts = [
            self.client_version,
            self.server_version,
            self.client_kexinit,
            self.server_kexinit,
            self.host_key,
            self.client_public,
            self.server_public,
            self.group.map_or(&[], |group| group.p),
            self.group.map_or(&[], |group| group.g),
            self.shared_secret.as_wire(),
        ];
        // Each with a length and perhaps a sign byte; three sizes.
        texts.iter().map(|text| text.len() + 5).sum::<usize>() + 12
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Case, cases};

    fn group<'a>(case: &Case, p: &'a [u8], g: &'a [u8]) -> GroupRequest<'a> {
        let size = |name| case.text(name).parse().unwrap();
        GroupRequest { min: size("min"), n: size("n"), max: size("max"), p, g }
    }

    #[test]
    fn hashes_are_those_of_an_independent_implementation() {
        for case in cases(include_str!("../testdata/exchange_hash.txt")) {
            let Some(algorithm) = KexAlgorithm::from_name(case.text("kex")) else { continue };
            let [v_c, v_s, i_c, i_s, k_s, client, server] =
                ["v_c", "v_s", "i_c", "i_s", "k_s", "client", "server"]
                    .map(|name| case.bytes(name));
            let (p, g) = (case.optional("p"), case.optional("g"));
            let exchange = Exchange {
                client_version: &v_c,
                server_version: &v_s,
                client_kexinit: &i_c,
                server_kexinit: &i_s,
                host_key: &k_s,
                group: p
                    .is_some()
                    .then(|| group(&case, p.as_deref().unwrap(), g.as_deref().unwrap())),
                client_public: &client,
                server_public: &server,
                shared_secret: &SharedSecret::from_number(&case.bytes("secret")),
            };
            assert_eq!(exchange.hash(algorithm).as_ref(), case.bytes("h"), "{case:?}");
        }
    }

    /// The buffer never grows, so no copy of the secret is left in freed memory.
    #[test]
    fn size_is_enough() {
        let secret = SharedSecret::from_number(&[0xff; 1024]);
        let (p, ff) = ([0xff; 1024], [0xff; 1024]);
        let exchange = Exchange {
            client_version: b"",
            server_version: b"",
            client_kexinit: b"",
            server_kexinit: b"",
            host_key: b"",
            group: Some(GroupRequest { min: 2048, n: 2048, max: 2048, p: &p, g: &ff }),
            client_public: &ff,
            server_public: &ff,
            shared_secret: &secret,
        };
        // Five empty strings, three sizes, five numbers of 1024 bytes with their sign bytes.
        assert!(exchange.size() >= 5 * 4 + 3 * 4 + 5 * (4 + 1 + 1024));
    }
}
