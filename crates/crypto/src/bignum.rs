//! Powers modulo an odd number, for finite-field Diffie-Hellman and RSA, on crypto-bigint.
//! Touches: big-endian magnitudes.   Never: what the numbers mean.
//! Invariants: time hangs on the sizes, never on the value of base or exponent; results are as long as the modulus.
//! Errors: `None` for a modulus that is even or below 3.   Allocates: limbs.
//! Proved by: `tests` below, the Diffie-Hellman and RSA vectors.

use alloc::vec::Vec;

use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams};
use crypto_bigint::{BoxedUint, Odd};
use zeroize::{Zeroize, Zeroizing};

/// An odd modulus, prepared for Montgomery multiplication.
pub(crate) struct Modulus {
    params: BoxedMontyParams,
    /// Bytes of the magnitude.
    len: usize,
}

impl Modulus {
    /// Takes a big-endian magnitude; the modulus is public.
    pub(crate) fn new(magnitude: &[u8]) -> Option<Self> {
        let magnitude = without_leading_zeros(magnitude);
        let number = uint(magnitude, magnitude.len())?;
        if number.bits() < 2 {
            return None;
        }
        let odd: Option<Odd<BoxedUint>> = Odd::new(number).into();
        Some(Self { params: BoxedMontyParams::new_vartime(odd?), len: magnitude.len() })
    }

    /// Bytes of the modulus, and of every power.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// `base ^ exponent`, as long as the modulus; `None` when `base` is not below the modulus.
    ///
    /// The time taken shows the length of `exponent` in bytes and nothing else of it.
    pub(crate) fn pow(&self, base: &[u8], exponent: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let base = Zeroizing::new(uint(without_leading_zeros(base), self.len)?);
        if *base >= **self.params.modulus() {
            return None;
        }
        let exponent = Zeroizing::new(uint(exponent, exponent.len())?);
        let mut base = BoxedMontyForm::new((*base).clone(), self.params.clone());
        let mut power = base.pow(&exponent);
        let number = Zeroizing::new(power.retrieve());
        base.zeroize();
        power.zeroize();
        let bytes = Zeroizing::new(number.to_be_bytes());
        Some(Zeroizing::new(bytes[bytes.len() - self.len..].to_vec()))
    }
}

fn uint(magnitude: &[u8], len: usize) -> Option<BoxedUint> {
    let bits = u32::try_from(len).ok()?.checked_mul(8)?;
    BoxedUint::from_be_slice(magnitude, bits).ok()
}

/// The magnitude itself, as an mpint carries it.
pub(crate) fn without_leading_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    &number[zeros..]
}

/// Bits of a big-endian number.
pub(crate) fn bit_len(number: &[u8]) -> usize {
    let magnitude = without_leading_zeros(number);
    magnitude.first().map_or(0, |first| magnitude.len() * 8 - first.leading_zeros() as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_powers() {
        let modulus = Modulus::new(&[0, 0, 101]).unwrap();
        assert_eq!(modulus.len(), 1);
        for (base, exponent, power) in
            [(2, 10, 14), (3, 0, 1), (100, 3, 100), (0, 5, 0), (7, 100, 1)]
        {
            assert_eq!(modulus.pow(&[base], &[0, exponent]).unwrap()[..], [power]);
        }
    }

    #[test]
    fn results_are_as_long_as_the_modulus() {
        let modulus = Modulus::new(&[0xff; 33]).unwrap();
        assert_eq!(modulus.pow(&[3], &[1]).unwrap()[..], [[0; 32].as_slice(), &[3]].concat());
    }

    #[test]
    fn even_and_tiny_moduli_are_refused() {
        for magnitude in [&[][..], &[0], &[1], &[2], &[0xff, 0xfe]] {
            assert!(Modulus::new(magnitude).is_none(), "{magnitude:?}");
        }
    }

    #[test]
    fn a_base_that_is_not_reduced_is_refused() {
        let modulus = Modulus::new(&[101]).unwrap();
        assert!(modulus.pow(&[101], &[1]).is_none());
        assert!(modulus.pow(&[1, 0], &[1]).is_none());
    }

    #[test]
    fn bits_are_counted_without_leading_zeros() {
        for (number, bits) in
            [(&[][..], 0), (&[0], 0), (&[1], 1), (&[0, 0x80, 0], 16), (&[0x7f, 0], 15)]
        {
            assert_eq!(bit_len(number), bits);
        }
    }
}
