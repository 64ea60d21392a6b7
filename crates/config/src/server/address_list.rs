//! Lists of addresses: networks and patterns, separated by commas, `!` before those that are left out.
//! Touches: strings, addresses.   Never: names, look-up.
//! Invariants: an entry behind a `!` that matches beats all others.
//! Errors: [`BadList`].   Allocates: the entries.
//! Proved by: `tests` below.

use crate::pattern::{Verdict, matches};
use adit_forward::{Network, NetworkError};
use std::fmt;
use std::net::IpAddr;

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

    /// What it says of an address.
    #[must_use]
    pub fn verdict(&self, address: IpAddr) -> Verdict {
        let address = address.to_canonical();
        let text = address.to_string();
        let mut verdict = Verdict::NoMatch;
        for entry in self.entries.iter().filter(|entry| entry.rule.covers(address, &text)) {
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
        self.verdict(address) == Verdict::Match
    }

    /// It names nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl Rule {
    fn covers(&self, address: IpAddr, text: &str) -> bool {
        match self {
            Self::Network(network) => network.contains(address),
            Self::Pattern(pattern) => matches(text, pattern),
        }
    }
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
            assert_eq!(list.verdict(address.parse().unwrap()), verdict, "{address}");
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
}
