//! Networks: an address and how many of its bits count. RFC 4632, RFC 4291 §2.3.
//! Touches: strings, addresses.   Never: names, interfaces.
//! Invariants: the bits that do not count are zero; an IPv4 address written as IPv6 counts as IPv4.
//! Errors: [`NetworkError`].   Allocates: never.
//! Proved by: `tests` below, fuzz `patterns`.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// `10.0.0.0/8`, `fd00::/8`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// Why a text is no network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkError {
    /// Not an address at all; it may be a name or a pattern.
    NoAddress,
    /// The mask is no number, too long, or leaves bits of the address over.
    BadMask,
}

impl fmt::Display for NetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoAddress => "not an address",
            Self::BadMask => "the mask does not fit the address",
        })
    }
}

impl core::error::Error for NetworkError {}

impl Network {
    /// Reads `address` or `address/bits`.
    ///
    /// # Errors
    /// [`NetworkError`]
    pub fn parse(text: &str) -> Result<Self, NetworkError> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NetworkError::NoAddress)?;
        let prefix = match bits {
            None => width(address),
            Some(bits) if bits.bytes().all(|byte| byte.is_ascii_digit()) => {
                bits.parse().map_err(|_| NetworkError::BadMask)?
            }
            Some(_) => return Err(NetworkError::BadMask),
        };
        let network = Self { address, prefix };
        match prefix <= width(address) && Self::around(address, prefix) == network {
            true => Ok(network.canonical()),
            false => Err(NetworkError::BadMask),
        }
    }

    /// The network of so many bits that an address is in; of all its bits at most.
    #[must_use]
    pub fn around(address: IpAddr, prefix: u8) -> Self {
        let prefix = prefix.min(width(address));
        let spare = u32::from(width(address) - prefix);
        let address = match address {
            IpAddr::V4(v4) => {
                let mask = u32::MAX.checked_shl(spare).unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from(u32::from(v4) & mask))
            }
            IpAddr::V6(v6) => {
                let mask = u128::MAX.checked_shl(spare).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from(u128::from(v6) & mask))
            }
        };
        Self { address, prefix }
    }

    /// Whether the address lies in it.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4() && Self::around(address, self.prefix) == *self
    }

    /// Its first address.
    #[must_use]
    pub const fn address(&self) -> IpAddr {
        self.address
    }

    /// How many bits count.
    #[must_use]
    pub const fn prefix(&self) -> u8 {
        self.prefix
    }

    /// `::ffff:10.0.0.0/104` is `10.0.0.0/8`.
    fn canonical(self) -> Self {
        match self.address.to_canonical() {
            address @ IpAddr::V4(_) if self.address.is_ipv6() && self.prefix >= 96 => {
                Self { address, prefix: self.prefix - 96 }
            }
            _ => self,
        }
    }
}

/// As it is written; the mask only where it says something.
impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match width(self.address) - self.prefix {
            0 => write!(f, "{}", self.address),
            _ => write!(f, "{}/{}", self.address, self.prefix),
        }
    }
}

const fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn a_network_contains_what_shares_its_bits() {
        for (network, address, inside) in [
            ("10.0.0.0/8", "10.1.2.3", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
            ("::ffff:10.0.0.0/104", "10.1.2.3", true),
            ("0.0.0.0/0", "192.0.2.1", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "::1", true),
            ("::/0", "192.0.2.1", false),
            ("fd00::/8", "fd12::1", true),
            ("fd00::/8", "fe80::1", false),
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("::1", "0:0:0:0:0:0:0:1", true),
        ] {
            let parsed = Network::parse(network).unwrap();
            assert_eq!(parsed.contains(address.parse().unwrap()), inside, "{network} {address}");
        }
    }

    #[test]
    fn a_mask_that_does_not_fit_is_told_from_a_name() {
        for (text, error) in [
            ("web", NetworkError::NoAddress),
            ("10.0.0.*", NetworkError::NoAddress),
            ("web/8", NetworkError::NoAddress),
            ("", NetworkError::NoAddress),
            ("10.0.0.1/8", NetworkError::BadMask),
            ("10.0.0.0/33", NetworkError::BadMask),
            ("10.0.0.0/", NetworkError::BadMask),
            ("10.0.0.0/+8", NetworkError::BadMask),
            ("10.0.0.0/256", NetworkError::BadMask),
            ("fd00::1/8", NetworkError::BadMask),
        ] {
            assert_eq!(Network::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn a_network_is_shown_as_it_is_written() {
        for text in ["10.0.0.0/8", "fd00::/8", "192.0.2.1", "0.0.0.0/0"] {
            assert_eq!(Network::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Network::parse("192.0.2.1/32").unwrap().to_string(), "192.0.2.1");
    }

    #[test]
    fn an_address_is_in_the_network_of_its_first_bits() {
        for (address, prefix, expected) in [
            ("192.0.2.77", 24, "192.0.2.0/24"),
            ("192.0.2.77", 31, "192.0.2.76/31"),
            ("192.0.2.77", 0, "0.0.0.0/0"),
            ("192.0.2.77", 200, "192.0.2.77"),
            ("2001:db8:1:2:3::4", 64, "2001:db8:1:2::/64"),
            ("2001:db8::1", 0, "::/0"),
            ("2001:db8::1", 128, "2001:db8::1"),
        ] {
            let network = Network::around(address.parse().unwrap(), prefix);
            assert_eq!(network.to_string(), expected, "{address} {prefix}");
        }
    }
}
