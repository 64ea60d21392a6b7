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
    pub fn new(p: &[u8], g: &[u8]) -> Result<Self, KexError> {
        let (prime, generator) = (without_leading_zeros(p), without_leading_zeros(g));
        let fits = ACCEPTED_BITS.contains(&crate::bignum::bit_len(prime))
            && prime.last().is_some_and(|last| last & 3 == 3)
            && is_inside(generator, prime);
        // Sizes first: preparing a modulus costs the square of its length.
        let modulus =
            if fits { Modulus::new(prime) } else { None }.ok_or(KexError::InvalidGroup)?;
        Ok(Self { prime: prime.to_vec(), generator: generator.to_vec(), modulus })
    }

    /// The group of RFC 3526 for a client that takes `min` to `max` bits and likes `n`: the smallest that
    /// reaches `n`, else the largest there is. `None` when none lies in the range.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SystemRandom;
    use crate::testing::Replay;

    fn exponent() -> Exponent {
        generate(DhGroup::fixed(GROUP_14), &mut SystemRandom::new()).0
    }

    fn minus(prime: &[u8], difference: u8) -> Vec<u8> {
        let mut number = prime.to_vec();
        *number.last_mut().unwrap() -= difference;
        number
    }

    #[test]
    fn values_that_give_the_secret_away_are_refused() {
        let exponent = exponent();
        let p = GROUP_14;
        for bad in [
            &[][..],
            &[0],
            &[0, 0],
            &[1],
            &[0, 1],
            &minus(p, 1),
            p,
            &[&[0], p].concat(),
            &[&[1], p].concat(),
        ] {
            assert_eq!(
                exponent.agree(bad).err(),
                Some(KexError::InvalidPublicValue),
                "{} bytes",
                bad.len()
            );
        }
    }

    #[test]
    fn the_outermost_good_values_are_taken() {
        let exponent = exponent();
        for good in [&[2][..], &[0, 2], &[1, 0], &minus(GROUP_14, 2)] {
            assert!(exponent.agree(good).is_ok());
        }
    }

    #[test]
    fn an_exponent_of_one_gives_the_generator() {
        let mut x = vec![0; EXPONENT_LEN];
        x[EXPONENT_LEN - 1] = 1;
        let (exponent, public) = generate(DhGroup::fixed(GROUP_14), &mut Replay(x));
        assert_eq!(public, [2]);
        assert_eq!(without_leading_zeros(&exponent.agree(&[5]).unwrap()), [5]);
    }

    #[test]
    fn groups_of_other_sizes_and_kinds_are_refused() {
        let refused = |p: &[u8], g: &[u8]| DhGroup::new(p, g).err() == Some(KexError::InvalidGroup);
        let mut small = GROUP_14.to_vec();
        small[0] = 0x7f;
        let mut large = vec![0x01];
        large.extend_from_slice(GROUP_18);
        assert!(refused(&small, &[2]), "2047 bits");
        assert!(refused(&large, &[2]), "8193 bits");
        assert!(refused(&[0xff; 250_000], &[2]), "as long as a packet may be, and still at once");
        assert!(refused(&minus(GROUP_14, 1), &[2]), "even");
        assert!(refused(&minus(GROUP_14, 2), &[2]), "1 modulo 4");
        assert!(refused(&[], &[2]));
        for g in [&[][..], &[0], &[1], &minus(GROUP_14, 1), GROUP_14, GROUP_16] {
            assert!(refused(GROUP_14, g), "generator of {} bytes", g.len());
        }
        for p in [GROUP_14, GROUP_16, GROUP_18] {
            let group = DhGroup::new(&[&[0], p].concat(), &[0, 5]).unwrap();
            assert_eq!((group.p(), group.g()), (p, &[5][..]));
        }
    }

    #[test]
    fn built_in_groups_suit_the_request() {
        let bits = |min, n, max| DhGroup::built_in(min, n, max).map(|group| group.p().len() * 8);
        assert_eq!(bits(2048, 2048, 8192), Some(2048));
        assert_eq!(bits(2048, 3072, 8192), Some(4096));
        assert_eq!(bits(2048, 8192, 8192), Some(8192));
        assert_eq!(bits(1024, 1024, 4096), Some(2048));
        assert_eq!(bits(2048, 8192, 4096), Some(4096), "nothing reaches n");
        assert_eq!(bits(2049, 3072, 4095), None);
        assert_eq!(bits(8192, 4096, 2048), None);
    }
}
