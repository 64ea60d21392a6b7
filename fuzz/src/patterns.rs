//! Patterns, networks and lists of them, beside the shortest code that says the same.
//! Touches: `adit_pattern`.   Never: names that are looked up.
//! Invariants: the quick answer is the plain one.
//! Errors: a panic is a finding.   Allocates: freely.
//! Proved by: the seeds.

use adit_pattern::{
    AddressList, Network, Verdict, any_contains, matches, matches_ignoring_case, matches_list,
    matches_list_ignoring_case,
};
use std::net::IpAddr;

/// A text, a line feed, then a pattern or a list of them.
pub fn patterns(bytes: &[u8]) {
    let mut parts = bytes.splitn(2, |byte| *byte == b'\n');
    let (Some(text), Some(pattern)) = (parts.next(), parts.next()) else { return };
    // The plain way takes time with every star.
    if text.len() < 64 && pattern.len() < 64 {
        assert_eq!(matches(text, pattern), plainly(text, pattern));
        let lower = |bytes: &[u8]| bytes.to_ascii_lowercase();
        assert_eq!(matches_ignoring_case(text, pattern), plainly(&lower(text), &lower(pattern)),);
    }
    let (Ok(text), Ok(list)) = (std::str::from_utf8(text), std::str::from_utf8(pattern)) else {
        return;
    };
    match matches_list(text, list) {
        Verdict::Match | Verdict::Negated => {
            assert_ne!(matches_list_ignoring_case(text, list), Verdict::NoMatch);
        }
        Verdict::NoMatch => {}
    }
    addresses(text, list);
}

/// Row by row: whether the first letters are covered by the first signs of the pattern.
fn plainly(text: &[u8], pattern: &[u8]) -> bool {
    let mut row = vec![false; text.len() + 1];
    row[0] = true;
    for sign in pattern {
        let before = row.clone();
        row[0] = before[0] && *sign == b'*';
        for (at, letter) in text.iter().enumerate() {
            row[at + 1] = match sign {
                b'*' => before[at + 1] || row[at],
                b'?' => before[at],
                other => before[at] && other == letter,
            };
        }
    }
    row[text.len()]
}

fn addresses(text: &str, list: &str) {
    let address = text.parse::<IpAddr>().ok();
    if let (Ok(network), Some(address)) = (Network::parse(list), address) {
        assert_eq!(network.contains(address), lies_in(&network, address.to_canonical()));
    }
    if let Some(address) = address {
        let _ = any_contains(list, address);
    }
    if let Ok(list) = AddressList::parse(list) {
        let whole = list.verdict(address, Some(text));
        // What an address alone says stands, unless the name is left out.
        if address.is_some_and(|address| list.contains(address)) {
            assert_ne!(whole, Verdict::NoMatch);
        }
    }
}

/// Bit by bit.
fn lies_in(network: &Network, address: IpAddr) -> bool {
    let bits = |address: IpAddr| -> Vec<u8> {
        match address {
            IpAddr::V4(v4) => v4.octets().to_vec(),
            IpAddr::V6(v6) => v6.octets().to_vec(),
        }
    };
    let (one, other) = (bits(network.address()), bits(address));
    let bit = |bytes: &[u8], at: usize| bytes[at / 8] >> (7 - at % 8) & 1;
    one.len() == other.len()
        && (0..usize::from(network.prefix())).all(|at| bit(&one, at) == bit(&other, at))
}
