//! Networks, `address/length`, and lists of them and of patterns. sshd(8) `from=`, OpenSSH PROTOCOL.certkeys `source-address`.
//! Touches: texts and addresses.   Never: name look-up.
//! Invariants: a list that is not understood to its end matches nobody; IPv4 in IPv6 counts as IPv4.
//! Errors: `InvalidList`.   Allocates: never.
//! Proved by: `tests` below.

use std::fmt;
use std::net::IpAddr;

use crate::pattern;

/// An address and how many of its bits count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    length: u8,
}

/// A list of networks with something else in it, or with bits behind the length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidList;

impl Network {
    /// Reads `address` or `address/length`; `Ok(None)` where it is neither, so may be a pattern.
    ///
    /// # Errors
    /// [`InvalidList`] for a length that is none, and for bits that are set behind it.
    pub fn parse(text: &str) -> Result<Option<Self>, InvalidList> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let Ok(address) = address.parse::<IpAddr>() else { return Ok(None) };
        let most = if address.is_ipv4() { 32 } else { 128 };
        let length = match length {
            None => most,
            Some(digits) => {
                let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
                digits.parse().ok().filter(|_| is_number).ok_or(InvalidList)?
            }
        };
        if length > most || masked(address, length) != bits(address) {
            return Err(InvalidList);
        }
        Ok(Some(Self { address, length }))
    }

    /// Whether the address is in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4()
            && masked(address, self.length) == bits(self.address)
    }
}

/// The bits of an address, the first at the top.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()) << 96,
        IpAddr::V6(address) => address.to_bits(),
    }
}

fn masked(address: IpAddr, length: u8) -> u128 {
    bits(address) & !u128::MAX.checked_shr(u32::from(length)).unwrap_or(0)
}

/// Whether a comma list of patterns and networks covers who comes from `address` under the name `host`.
///
/// A match behind a `!` refuses, whatever else matches. Without a name the address stands for it.
///
/// # Errors
/// [`InvalidList`] for a network that is none.
pub fn covers(list: &str, address: IpAddr, host: Option<&str>) -> Result<bool, InvalidList> {
    let shown = address.to_canonical().to_string();
    let mut found = false;
    for entry in list.split(',') {
        let (negated, entry) = match entry.strip_prefix('!') {
            Some(entry) => (true, entry),
            None => (false, entry),
        };
        let is_pattern_of = |text: &str| pattern::matches(text.as_bytes(), entry.as_bytes());
        let matches = match Network::parse(entry)? {
            Some(network) => network.contains(address),
            None => is_pattern_of(&shown) || host.is_some_and(is_pattern_of),
        };
        if matches && negated {
            return Ok(false);
        }
        found |= matches;
    }
    Ok(found)
}

/// Whether one of a comma list of networks, and of nothing else, has the address in it.
///
/// # Errors
/// [`InvalidList`] for anything else in the list.
pub fn any_contains(list: &str, address: IpAddr) -> Result<bool, InvalidList> {
    let mut found = false;
    for entry in list.split(',') {
        found |= Network::parse(entry)?.ok_or(InvalidList)?.contains(address);
    }
    Ok(found)
}

impl fmt::Display for InvalidList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("invalid list of addresses")
    }
}

impl std::error::Error for InvalidList {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_hold_the_addresses_that_share_their_bits() {
        for (network, address, expected) in [
            ("192.0.2.0/24", "192.0.2.255", true),
            ("192.0.2.0/24", "192.0.3.0", false),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.8", false),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "::1", false),
            ("192.0.2.0/24", "::ffff:192.0.2.1", true),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("::/0", "2001:db8::1", true),
            ("::1/128", "::1", true),
        ] {
            let parsed = Network::parse(network).unwrap().unwrap();
            assert_eq!(parsed.contains(address.parse().unwrap()), expected, "{network} {address}");
        }
    }

    #[test]
    fn bits_behind_the_length_and_lengths_that_are_none_are_errors() {
        for text in ["192.0.2.1/24", "192.0.2.0/33", "::/129", "192.0.2.0/", "::/x", "::/+1"] {
            assert_eq!(Network::parse(text), Err(InvalidList), "{text}");
        }
        for text in ["192.0.2.*", "example.org", "", "example.org/24"] {
            assert_eq!(Network::parse(text), Ok(None), "{text}");
        }
    }

    #[test]
    fn from_lists_match_names_addresses_and_networks_and_a_negation_beats_them() {
        let host = Some("a.example.org");
        for (list, address, host, expected) in [
            ("192.0.2.0/24", "192.0.2.1", None, Ok(true)),
            ("192.0.2.*", "192.0.2.1", None, Ok(true)),
            ("*.example.org", "192.0.2.1", host, Ok(true)),
            ("*.EXAMPLE.org", "192.0.2.1", host, Ok(true)),
            ("*.example.org", "192.0.2.1", None, Ok(false)),
            ("*.example.org,!192.0.2.0/24", "192.0.2.1", host, Ok(false)),
            ("!192.0.2.0/24,*", "192.0.2.1", host, Ok(false)),
            ("!*.example.org,192.0.2.0/24", "192.0.2.1", host, Ok(false)),
            ("!198.51.100.0/24", "192.0.2.1", host, Ok(false)),
            ("*", "2001:db8::1", None, Ok(true)),
            ("192.0.2.0/24,192.0.2.1/8", "192.0.2.1", None, Err(InvalidList)),
            ("", "192.0.2.1", None, Ok(false)),
        ] {
            assert_eq!(covers(list, address.parse().unwrap(), host), expected, "{list} {address}");
        }
    }

    #[test]
    fn source_address_lists_are_networks_and_nothing_else() {
        for (list, expected) in [
            ("192.0.2.0/24", Ok(true)),
            ("198.51.100.1,192.0.2.1", Ok(true)),
            ("198.51.100.0/24", Ok(false)),
            ("*", Err(InvalidList)),
            ("192.0.2.0/24,!192.0.2.1", Err(InvalidList)),
            ("192.0.2.0/24,", Err(InvalidList)),
            ("", Err(InvalidList)),
        ] {
            assert_eq!(any_contains(list, "192.0.2.1".parse().unwrap()), expected, "{list}");
        }
    }
}
