//! Addresses taken together: the block a source is counted in, and networks in CIDR notation. RFC 4632 §3.1.
//! Touches: addresses.   Never: names, look-up.
//! Invariants: bits past the length are zero; a length past the family's is the family's.
//! Errors: none.   Allocates: never.
//! Proved by: `tests` below.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Addresses that share their first bits, and count as one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Block {
    address: IpAddr,
    bits: u8,
}

impl Block {
    /// The block of this size that an address is in.
    pub(crate) fn of(address: IpAddr, bits: u8) -> Self {
        match address {
            IpAddr::V4(v4) => {
                let bits = bits.min(32);
                let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
                Self { address: Ipv4Addr::from(u32::from(v4) & mask).into(), bits }
            }
            IpAddr::V6(v6) => {
                let bits = bits.min(128);
                let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
                Self { address: Ipv6Addr::from(u128::from(v6) & mask).into(), bits }
            }
        }
    }

    /// Whether it is made of IPv4 addresses.
    pub(crate) const fn is_ipv4(self) -> bool {
        self.address.is_ipv4()
    }
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

/// PerSourceNetBlockSize: how many bits of an address make a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlockSizes {
    /// Of an IPv4 address, 0 to 32.
    pub(crate) v4: u8,
    /// Of an IPv6 address, 0 to 128.
    pub(crate) v6: u8,
}

impl BlockSizes {
    /// The block an address counts in.
    pub(crate) fn of(self, address: IpAddr) -> Block {
        Block::of(address, if address.is_ipv4() { self.v4 } else { self.v6 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_block_keeps_the_first_bits() {
        for (text, bits, expected) in [
            ("192.0.2.77", 32, "192.0.2.77/32"),
            ("192.0.2.77", 24, "192.0.2.0/24"),
            ("192.0.2.77", 31, "192.0.2.76/31"),
            ("192.0.2.77", 0, "0.0.0.0/0"),
            ("192.0.2.77", 200, "192.0.2.77/32"),
            ("2001:db8:1:2:3::4", 64, "2001:db8:1:2::/64"),
            ("2001:db8:1:2:3::4", 128, "2001:db8:1:2:3::4/128"),
            ("2001:db8::1", 0, "::/0"),
        ] {
            assert_eq!(Block::of(address(text), bits).to_string(), expected);
        }
    }
}
