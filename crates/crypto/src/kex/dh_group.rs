//! Finite-field Diffie-Hellman, in fixed groups and in ones the server chooses. RFC 4253 §8, RFC 8268, RFC 4419.
//! Touches: magnitudes of p, g, e and f.   Never: names, messages.
//! Invariants: public values lie in 2 … p-2; a group from outside has 2048 to 8192 bits and the residue of a safe prime.
//! Errors: `KexError`.   Allocates: numbers.
//! Proved by: `tests` below, `primes::tests`.

use alloc::vec;
use alloc::vec::Vec;

use zeroize::Zeroizing;

use crate::bignum::{Modulus, without_leading_zeros};
use crate::{KexError, Random};

mod primes;

pub(super) use primes::{GROUP_14, GROUP_16, GROUP_18};

/// A group: a safe prime and a generator.
pub struct DhGroup {
    prime: Vec<u8>,
    generator: Vec<u8>,
    modulus: Modulus,
}

/// Sizes in bits that are accepted from a server. RFC 8270 sets the lower end.
#[cfg(feature = "group-exchange")]
const ACCEPTED_BITS: core::ops::RangeInclusive<usize> = 2048..=8192;

/// Bytes of a secret exponent: 640 bits, more than the largest estimate for group 18 (620, RFC 3526 §8).
/// Shorter than p, because in a group of a safe prime that loses nothing and costs a tenth of the time.
const EXPONENT_LEN: usize = 80;

impl DhGroup {
    /// A group of RFC 3526.
    pub(super) fn fixed(prime: &'static [u8]) -> Self {
        let modulus = Modulus::new(prime).expect("the primes of RFC 3526 are odd");
        Self { prime: prime.to_vec(), generator: vec![2], modulus }
    }

    /// A group from a server. `p` and `g` are magnitudes.
    ///
    /// That p is prime is not tested: it would cost more than the exchange, and who signs the exchange chose it.
    ///
    /// # Errors
    /// [`KexError::InvalidGroup`] unless p has 2048 to 8192 bits and could be a safe prime (3 modulo 4), and 2 <= g <= p-2.
    #[cfg(feature = "group-exchange")]
    pub fn new(p: &[u8], g: &[u8]) -> Result<Self, KexError> {
        let (prime, generator) = (without_leading_zeros(p), without_leading_zeros(g));
        let fits = ACCEPTED_BITS.contains(&crate::bignum::bit_len(prime))
            && prime.last().is_some_and(|last| last & 3 == 3)
            && is_inside(generator, prime);
        let modulus = Modulus::new(prime).filter(|_| fits).ok_or(KexError::InvalidGroup)?;
        Ok(Self { prime: prime.to_vec(), generator: generator.to_vec(), modulus })
    }

    /// The group of RFC 3526 for a client that takes `min` to `max` bits and likes `n`: the smallest that
    /// reaches `n`, else the largest there is. `None` when none lies in the range.
    #[cfg(feature = "group-exchange")]
    pub fn built_in(min: u32, n: u32, max: u32) -> Option<Self> {
        let acceptable = || {
            [(2048, GROUP_14), (4096, GROUP_16), (8192, GROUP_18)]
                .into_iter()
                .filter(move |(bits, _)| (min..=max).contains(bits))
        };
        let chosen = acceptable().find(|(bits, _)| *bits >= n).or_else(|| acceptable().next_back());
        chosen.map(|(_, prime)| Self::fixed(prime))
    }

    /// Magnitude of the prime.
    pub fn p(&self) -> &[u8] {
        &self.prime
    }

    /// Magnitude of the generator.
    pub fn g(&self) -> &[u8] {
        &self.generator
    }
}

impl core::fmt::Debug for DhGroup {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "DhGroup({} bits)", self.prime.len() * 8)
    }
}

/// Whether 2 <= `value` <= p-2: 0, 1 and p-1 give away the secret. RFC 4253 §8, RFC 8268 §4.
fn is_inside(value: &[u8], prime: &[u8]) -> bool {
    let Some((last, rest)) = prime.split_last() else { return false };
    // p is odd, so p-1 differs from it in the last byte alone.
    let p_minus_1 = || rest.iter().copied().chain([last - 1]);
    (value.len() > 1 || value > [1].as_slice())
        && (value.len() < prime.len()
            || value.len() == prime.len() && value.iter().copied().lt(p_minus_1()))
}

/// A secret exponent in a group.
pub(super) struct Exponent {
    group: DhGroup,
    x: Zeroizing<[u8; EXPONENT_LEN]>,
}

/// A new exponent and `g ^ x mod p`.
pub(super) fn generate(group: DhGroup, random: &mut dyn Random) -> (Exponent, Vec<u8>) {
    let mut x = Zeroizing::new([0; EXPONENT_LEN]);
    random.fill(&mut *x);
    let public = group.modulus.pow(&group.generator, &*x).expect("the generator is below p");
    let public = without_leading_zeros(&public).to_vec();
    (Exponent { group, x }, public)
}

impl Exponent {
    /// `peer ^ x mod p`; leading zeros stay, encoding drops them.
    pub(super) fn agree(&self, peer: &[u8]) -> Result<Zeroizing<Vec<u8>>, KexError> {
        let peer = without_leading_zeros(peer);
        if !is_inside(peer, &self.group.prime) {
            return Err(KexError::InvalidPublicValue);
        }
        self.group.modulus.pow(peer, &*self.x).ok_or(KexError::InvalidPublicValue)
    }
}
