//! Lists of addresses: networks and patterns, separated by commas, `!` before those that are left out. sshd(8) `from=`.
//! Touches: strings, addresses.   Never: names, look-up.
//! Invariants: an entry behind a `!` that matches beats all others.
//! Errors: [`BadList`].   Allocates: the entries.
//! Proved by: `tests` below, fuzz `patterns`.

use crate::network::{Network, NetworkError};
use crate::pattern::{Verdict, matches_ignoring_case};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;

/// `10.0.0.0/8,!10.9.0.0/16,192.0.2.*`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressList {
    entries: Vec<Entry>,
    text: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    negated: bool,
    rule: Rule,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Rule {
    Network(Network),
    Pattern(String),
}

/// An entry is empty, or its mask does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadList;

impl AddressList {
    /// Reads the list.
    ///
    /// # Errors
    /// [`BadList`]
    pub fn parse(text: &str) -> Result<Self, BadList> {
        let entries = text.split(',').map(entry).collect::<Result<_, _>>()?;
        Ok(Self { entries, text: text.into() })
    }

    /// What it says of somebody who comes from an address, under a name: as far as they are known.
    ///
    /// Patterns are compared with the address as it is written and with the name, without case.
    #[must_use]
    pub fn verdict(&self, address: Option<IpAddr>, host: Option<&str>) -> Verdict {
        let address = address.map(|address| address.to_canonical());
        let text = address.map(|address| address.to_string());
        let names = [text.as_deref(), host];
        let mut verdict = Verdict::NoMatch;
        for entry in self.entries.iter().filter(|entry| entry.rule.covers(address, names)) {
            if entry.negated {
                return Verdict::Negated;
            }
            verdict = Verdict::Match;
        }
        verdict
    }

    /// Whether it names the address.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.verdict(Some(address), None) == Verdict::Match
    }

    /// It names nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl Rule {
    fn covers(&self, address: Option<IpAddr>, names: [Option<&str>; 2]) -> bool {
        match self {
            Self::Network(network) => address.is_some_and(|address| network.contains(address)),
            Self::Pattern(pattern) => {
                names.into_iter().flatten().any(|name| matches_ignoring_case(name, pattern))
            }
        }
    }
}

/// Whether one of a list of networks, and of nothing else, has the address in it: `source-address` of certificates.
///
/// # Errors
/// [`BadList`] for anything else in the list.
pub fn any_contains(list: &str, address: IpAddr) -> Result<bool, BadList> {
    let mut found = false;
    for entry in list.split(',') {
        found |= Network::parse(entry).map_err(|_| BadList)?.contains(address);
    }
    Ok(found)
}

fn entry(word: &str) -> Result<Entry, BadList> {
    let (negated, rule) = match word.strip_prefix('!') {
        Some(rest) => (true, rest),
        None => (false, word),
    };
    let rule = match Network::parse(rule) {
        Ok(network) => Rule::Network(network),
        Err(NetworkError::NoAddress) if !rule.is_empty() => Rule::Pattern(rule.into()),
        Err(_) => return Err(BadList),
    };
    Ok(Entry { negated, rule })
}

impl fmt::Display for BadList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("invalid list of addresses")
    }
}

impl core::error::Error for BadList {}

/// As it is written.
impl fmt::Display for AddressList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.text.is_empty() { "none" } else { &self.text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_and_patterns_match_and_what_is_left_out_wins() {
        let list =
            AddressList::parse("10.0.0.0/8,!10.9.0.0/16,192.0.2.*,fd00::/8,2001:db8::1").unwrap();
        for (address, verdict) in [
            ("10.1.2.3", Verdict::Match),
            ("::ffff:10.1.2.3", Verdict::Match),
            ("10.9.2.3", Verdict::Negated),
            ("192.0.2.77", Verdict::Match),
            ("192.0.3.77", Verdict::NoMatch),
            ("fd12::1", Verdict::Match),
            ("2001:db8::1", Verdict::Match),
            ("2001:db8::2", Verdict::NoMatch),
        ] {
            let address = address.parse().unwrap();
            assert_eq!(list.verdict(Some(address), None), verdict, "{address}");
        }
    }

    #[test]
    fn a_mask_that_does_not_fit_is_refused() {
        for text in ["10.0.0.1/8", "10.0.0.0/8,", "", "!", "10.0.0.0/99"] {
            assert_eq!(AddressList::parse(text), Err(BadList), "{text}");
        }
    }

    #[test]
    fn an_empty_list_names_nobody() {
        assert!(!AddressList::default().contains("::1".parse().unwrap()));
        assert_eq!(AddressList::default().to_string(), "none");
    }

    #[test]
    fn names_addresses_and_networks_match_and_a_negation_beats_them() {
        let host = Some("a.example.org");
        for (list, host, verdict) in [
            ("192.0.2.0/24", None, Verdict::Match),
            ("192.0.2.*", None, Verdict::Match),
            ("*.example.org", host, Verdict::Match),
            ("*.EXAMPLE.org", host, Verdict::Match),
            ("*.example.org", None, Verdict::NoMatch),
            ("*.example.org,!192.0.2.0/24", host, Verdict::Negated),
            ("!192.0.2.0/24,*", host, Verdict::Negated),
            ("!*.example.org,192.0.2.0/24", host, Verdict::Negated),
            ("!198.51.100.0/24", host, Verdict::NoMatch),
        ] {
            let address = Some("192.0.2.1".parse().unwrap());
            let list = AddressList::parse(list).unwrap();
            assert_eq!(list.verdict(address, host), verdict, "{list} {host:?}");
        }
        let anybody = AddressList::parse("*").unwrap();
        assert_eq!(anybody.verdict(None, None), Verdict::NoMatch);
        assert_eq!(anybody.verdict(None, host), Verdict::Match);
    }

    #[test]
    fn source_address_lists_are_networks_and_nothing_else() {
        for (list, expected) in [
            ("192.0.2.0/24", Ok(true)),
            ("198.51.100.1,192.0.2.1", Ok(true)),
            ("198.51.100.0/24", Ok(false)),
            ("*", Err(BadList)),
            ("192.0.2.0/24,!192.0.2.1", Err(BadList)),
            ("192.0.2.0/24,", Err(BadList)),
            ("", Err(BadList)),
        ] {
            assert_eq!(any_contains(list, "192.0.2.1".parse().unwrap()), expected, "{list}");
        }
    }
}
