//! Lists of algorithm names: `a,b`, `+a`, `-a*`, `^a`. ssh_config(5), Ciphers.
//! Touches: names.   Never: the algorithms, which whoever makes the [`Algorithms`] knows.
//! Invariants: a resolved list is not empty, holds supported names only, and each once.
//! Errors: `UnknownAlgorithm`.   Allocates: the resolved list.
//! Proved by: `tests` below.

use adit_pattern::{Verdict, matches_list};

/// Algorithm names of one kind, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlgorithmSet {
    /// All there are.
    pub supported: &'static [&'static str],
    /// Those offered when nothing is configured.
    pub default: &'static [&'static str],
}

impl AlgorithmSet {
    /// The names of a set; they are kept for as long as the program runs.
    #[must_use]
    pub fn of<A: Copy>(supported: &[A], default: &[A], name: fn(A) -> &'static str) -> Self {
        let names = |all: &[A]| -> &'static [&'static str] {
            all.iter().copied().map(name).collect::<Vec<_>>().leak()
        };
        Self { supported: names(supported), default: names(default) }
    }
}

/// The algorithms of these names; those of a list that was resolved are all known.
pub fn by_name<A>(names: &[&str], from_name: fn(&str) -> Option<A>) -> Vec<A> {
    names.iter().filter_map(|name| from_name(name)).collect()
}

/// What the program was built with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Algorithms {
    /// Ciphers
    pub ciphers: AlgorithmSet,
    /// MACs
    pub macs: AlgorithmSet,
    /// KexAlgorithms
    pub kex: AlgorithmSet,
    /// HostKeyAlgorithms, PubkeyAcceptedAlgorithms: with those of certificates.
    pub signatures: AlgorithmSet,
    /// CASignatureAlgorithms
    pub ca_signatures: AlgorithmSet,
}

/// A name that is neither supported nor known from OpenSSH; or nothing is left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UnknownAlgorithm;

/// A list put in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resolved {
    /// Best first.
    pub(crate) names: Vec<&'static str>,
    /// Asked for, known from OpenSSH, not there.
    pub(crate) skipped: Vec<String>,
}

/// Names OpenSSH knows that a build may lack: a configuration shared with it stays usable as long as
/// something else is left of the list.
const KNOWN_ELSEWHERE: &[&str] = &[
    "3des-cbc",
    "aes128-cbc",
    "aes192-cbc",
    "aes256-cbc",
    "aes128-ctr",
    "aes192-ctr",
    "aes256-ctr",
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "chacha20-poly1305@openssh.com",
    "hmac-md5*",
    "hmac-sha1*",
    "hmac-sha2-256*",
    "hmac-sha2-512*",
    "umac-64*",
    "umac-128*",
    "curve25519-sha256*",
    "diffie-hellman-group*",
    "ecdh-sha2-nistp*",
    "mlkem768x25519-sha256",
    "sntrup761x25519-sha512*",
    "ssh-dss*",
    "ssh-rsa*",
    "ssh-ed25519*",
    "ssh-mldsa44*",
    "rsa-sha2-256*",
    "rsa-sha2-512*",
    "ecdsa-sha2-nistp*",
    "sk-ssh-ed25519*",
    "sk-ecdsa-sha2-nistp256*",
    "webauthn-sk-ecdsa-sha2-nistp256@openssh.com",
];

impl AlgorithmSet {
    /// Puts a list in force: `+` appends to the default, `-` takes from it, `^` goes in front of it.
    ///
    /// Patterns are expanded from the supported names after `-`, and everywhere if `patterns`.
    pub(crate) fn resolve(&self, list: &str, patterns: bool) -> Result<Resolved, UnknownAlgorithm> {
        let defaults = self.default.iter().copied();
        if let Some(removed) = list.strip_prefix('-') {
            let names = defaults.filter(|name| matches_list(name, removed) != Verdict::Match);
            return Resolved { names: names.collect(), skipped: Vec::new() }.nonempty();
        }
        let (named, order) = match list.split_at_checked(1) {
            Some(("+", rest)) => (rest, Order::Append),
            Some(("^", rest)) => (rest, Order::Prepend),
            _ => (list, Order::Replace),
        };
        let mut resolved = self.expand(named, patterns)?;
        resolved.names = match order {
            Order::Replace => resolved.names,
            Order::Append => defaults.chain(resolved.names).collect(),
            Order::Prepend => resolved.names.into_iter().chain(defaults).collect(),
        };
        let mut seen = Vec::new();
        resolved.names.retain(|&name| {
            let new = !seen.contains(&name);
            seen.push(name);
            new
        });
        resolved.nonempty()
    }

    fn expand(&self, named: &str, patterns: bool) -> Result<Resolved, UnknownAlgorithm> {
        let mut resolved = Resolved { names: Vec::new(), skipped: Vec::new() };
        for item in named.split(',') {
            let before = resolved.names.len();
            let covers = |name: &&str| match patterns {
                true => matches_list(name, item) == Verdict::Match,
                false => *name == item,
            };
            resolved.names.extend(self.supported.iter().copied().filter(|name| covers(name)));
            if resolved.names.len() == before {
                if !known_elsewhere(item, patterns) {
                    return Err(UnknownAlgorithm);
                }
                resolved.skipped.push(item.into());
            }
        }
        Ok(resolved)
    }
}

fn known_elsewhere(item: &str, patterns: bool) -> bool {
    KNOWN_ELSEWHERE.iter().any(|known| {
        matches_list(item, known) == Verdict::Match
            || (patterns && matches_list(known.trim_end_matches('*'), item) == Verdict::Match)
    })
}

#[derive(Clone, Copy)]
enum Order {
    Replace,
    Append,
    Prepend,
}

impl Resolved {
    fn nonempty(self) -> Result<Self, UnknownAlgorithm> {
        if self.names.is_empty() { Err(UnknownAlgorithm) } else { Ok(self) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SET: AlgorithmSet = AlgorithmSet {
        supported: &["chacha20", "aes128-x", "aes256-x", "old"],
        default: &["chacha20", "aes128-x", "aes256-x"],
    };

    fn names(list: &str, patterns: bool) -> Vec<&'static str> {
        SET.resolve(list, patterns).unwrap().names
    }

    #[test]
    fn prefixes_change_the_default_list() {
        for (list, expected) in [
            ("old", vec!["old"]),
            ("aes256-x,chacha20", vec!["aes256-x", "chacha20"]),
            ("old,old", vec!["old"]),
            ("+old", vec!["chacha20", "aes128-x", "aes256-x", "old"]),
            ("+chacha20", vec!["chacha20", "aes128-x", "aes256-x"]),
            ("^old", vec!["old", "chacha20", "aes128-x", "aes256-x"]),
            ("^aes256-x", vec!["aes256-x", "chacha20", "aes128-x"]),
            ("-aes*", vec!["chacha20"]),
            ("-aes128-x,nothing", vec!["chacha20", "aes256-x"]),
        ] {
            assert_eq!(names(list, false), expected, "{list}");
        }
    }

    #[test]
    fn patterns_select_only_where_they_are_allowed() {
        assert_eq!(names("aes*", true), ["aes128-x", "aes256-x"]);
        assert_eq!(SET.resolve("aes*", false), Err(UnknownAlgorithm));
    }

    #[test]
    fn unknown_names_and_empty_results_are_refused() {
        for list in ["zzz", "chacha20,zzz", "+zzz", "^zzz", "", ",", "-*"] {
            assert!(SET.resolve(list, true).is_err(), "{list}");
        }
    }

    #[test]
    fn names_only_openssh_has_are_skipped_while_others_remain() {
        let resolved = SET.resolve("3des-cbc,old,umac-64-etm@openssh.com", false).unwrap();
        assert_eq!(resolved.names, ["old"]);
        assert_eq!(resolved.skipped, ["3des-cbc", "umac-64-etm@openssh.com"]);
        assert!(SET.resolve("3des-cbc", false).is_err());
        assert_eq!(SET.resolve("+ssh-d*", true).unwrap().skipped, ["ssh-d*"]);
    }
}
