//! Addresses taken together: the block a source is counted in. sshd_config(5) PerSourceNetBlockSize.
//! Touches: addresses.   Never: names, look-up.
//! Invariants: a length past the family's is the family's.
//! Errors: none.   Allocates: never.
//! Proved by: `tests` below.

use adit_pattern::Network;
use std::fmt;
use std::net::IpAddr;

/// Addresses that share their first bits, and count as one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Block(Network);

impl Block {
    /// The block of this size that an address is in.
    pub(crate) fn of(address: IpAddr, bits: u8) -> Self {
        Self(Network::around(address, bits))
    }

    /// Whether it is made of IPv4 addresses.
    pub(crate) const fn is_ipv4(self) -> bool {
        self.0.address().is_ipv4()
    }
}

/// With its length in any case, as sshd.
impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.0.address(), self.0.prefix())
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

    #[test]
    fn a_source_is_as_many_bits_as_its_family_says() {
        let sizes = BlockSizes { v4: 24, v6: 128 };
        for (address, block, is_ipv4) in
            [("192.0.2.77", "192.0.2.0/24", true), ("2001:db8::1", "2001:db8::1/128", false)]
        {
            let found = sizes.of(address.parse().unwrap());
            assert_eq!((found.to_string().as_str(), found.is_ipv4()), (block, is_ipv4));
        }
    }
}
