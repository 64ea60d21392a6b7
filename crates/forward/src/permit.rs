//! Which destinations and listening addresses are permitted: PermitOpen, PermitListen, PermitRemoteOpen.
//! Touches: strings.   Never: name look-up: names are compared as they are written.
//! Invariants: nothing is permitted by a list that does not name it; a network names literal addresses only.
//! Errors: [`PermitError`], in the words of ssh and sshd.   Allocates: one string per entry, the text of a refusal.
//! Proved by: `tests` below.
//!
//! Beyond sshd_config(5): a host may be a network (`10.0.0.0/8:5432`, `[fd00::/8]:*`), a port a range (`web:8000-8999`).

use adit_pattern::{Network, NetworkError, matches};
use std::fmt;
use std::marker::PhantomData;
use std::net::IpAddr;

/// Where a client's `-R` without a target may be led. ssh_config(5).
pub type PermitRemoteOpen = Permit<RemoteOpen>;

/// Where a server connects for its clients. sshd_config(5), `permitopen=` of sshd(8).
pub type PermitOpen = Permit<Open>;

/// Where a server listens for its clients. sshd_config(5), `permitlisten=` of sshd(8).
pub type PermitListen = Permit<Listen>;

/// Marks [`PermitRemoteOpen`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemoteOpen {}

/// Marks [`PermitOpen`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Open {}

/// Marks [`PermitListen`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listen {}

/// What makes the three keywords differ.
pub trait Kind: sealed::Sealed {
    /// As it is written in the configuration.
    const KEYWORD: &'static str;
    /// A port alone stands for every host, and hosts may be patterns.
    const LISTENS: bool;
    /// An error is worded as ssh does, not as sshd does.
    const CLIENT: bool;
}

mod sealed {
    /// There are these three, and no others.
    pub trait Sealed {}
    impl Sealed for super::RemoteOpen {}
    impl Sealed for super::Open {}
    impl Sealed for super::Listen {}
}

impl Kind for RemoteOpen {
    const KEYWORD: &'static str = "PermitRemoteOpen";
    const LISTENS: bool = false;
    const CLIENT: bool = true;
}

impl Kind for Open {
    const KEYWORD: &'static str = "PermitOpen";
    const LISTENS: bool = false;
    const CLIENT: bool = false;
}

impl Kind for Listen {
    const KEYWORD: &'static str = "PermitListen";
    const LISTENS: bool = true;
    const CLIENT: bool = false;
}

/// The rule of one keyword; [`Permit::ANY`] when nothing is configured.
pub struct Permit<K> {
    rule: Rule,
    kind: PhantomData<K>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Rule {
    #[default]
    Any,
    List(Vec<Entry>),
}

/// One `host:port`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    host: Host,
    ports: Ports,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Host {
    Any,
    /// As it is written; an address in whatever spelling.
    Exactly(String, Option<IpAddr>),
    Pattern(String),
    Network(Network),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ports {
    Any,
    Range(u16, u16),
}

/// Why a value is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PermitError {
    keyword: &'static str,
    client: bool,
    flaw: Flaw,
}

/// What is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// The host is missing.
    MissingHost,
    /// The port is missing, 0, not a number, or the range is empty.
    BadPort,
    /// The mask does not fit the address.
    BadNetwork,
    /// This word stands for the whole value, so it must be alone.
    NotAlone(&'static str),
}

impl PermitError {
    /// What is wrong.
    #[must_use]
    pub fn flaw(&self) -> Flaw {
        self.flaw
    }
}

impl fmt::Display for PermitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keyword = self.keyword;
        let lower = keyword.to_ascii_lowercase();
        match (self.flaw, self.client) {
            (Flaw::MissingHost, true) => write!(f, "missing host in {lower}"),
            (Flaw::MissingHost, false) => write!(f, "{keyword} missing host"),
            (Flaw::BadPort, true) => write!(f, "bad port number in {lower}"),
            (Flaw::BadPort, false) => write!(f, "{keyword} bad port number"),
            (Flaw::BadNetwork, _) => write!(f, "{keyword} bad network: the mask does not fit"),
            (Flaw::NotAlone(word), true) => {
                write!(f, "keyword {lower} \"{word}\" argument must appear alone.")
            }
            (Flaw::NotAlone(word), false) => {
                write!(f, "{word} must appear alone on a {keyword} line.")
            }
        }
    }
}

impl std::error::Error for PermitError {}

impl<K: Kind> Permit<K> {
    /// Everything.
    pub const ANY: Self = Self { rule: Rule::Any, kind: PhantomData };
    /// Nothing.
    pub const NONE: Self = Self { rule: Rule::List(Vec::new()), kind: PhantomData };

    /// Reads the words of a configuration line: `any`, `none` or entries.
    ///
    /// # Errors
    /// [`PermitError`] naming what is wrong.
    pub fn parse<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self, PermitError> {
        let words: Vec<&str> = words.into_iter().collect();
        match words.as_slice() {
            ["any"] => Ok(Self::ANY),
            ["none"] => Ok(Self::NONE),
            _ => Self::entries(words),
        }
    }

    /// Reads the values of a key's options, one entry each; no values restrict nothing, `none` alone permits nothing.
    ///
    /// # Errors
    /// [`PermitError`] naming what is wrong.
    pub fn of_key<S: AsRef<str>>(values: &[S]) -> Result<Self, PermitError> {
        match values {
            [] => Ok(Self::ANY),
            [none] if none.as_ref() == "none" => Ok(Self::NONE),
            _ => Self::entries(values.iter().map(AsRef::as_ref)),
        }
    }

    /// Whether this host and port are permitted, both as the peer named them.
    #[must_use]
    pub fn allows(&self, host: &str, port: u16) -> bool {
        match &self.rule {
            Rule::Any => true,
            Rule::List(entries) => entries.iter().any(|entry| entry.covers(host, port)),
        }
    }

    /// Whether everything is permitted.
    #[must_use]
    pub fn is_any(&self) -> bool {
        self.rule == Rule::Any
    }

    /// What is said when it is not: `PermitOpen does not allow 10.0.0.5:5432`.
    #[must_use]
    pub fn refusal(&self, host: &str, port: u16) -> String {
        let keyword = K::KEYWORD;
        match host.contains(':') {
            true => format!("{keyword} does not allow [{host}]:{port}"),
            false => format!("{keyword} does not allow {host}:{port}"),
        }
    }

    fn entries<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self, PermitError> {
        let entries = words.into_iter().map(|word| {
            entry::<K>(word).map_err(|flaw| PermitError {
                keyword: K::KEYWORD,
                client: K::CLIENT,
                flaw,
            })
        });
        let rule = Rule::List(entries.collect::<Result<_, _>>()?);
        Ok(Self { rule, kind: PhantomData })
    }
}

impl Entry {
    fn covers(&self, host: &str, port: u16) -> bool {
        self.ports.cover(port) && self.host.covers(host)
    }
}

impl Host {
    fn covers(&self, host: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exactly(name, None) => name == host,
            Self::Exactly(name, Some(address)) => {
                name == host || literal(host).is_some_and(|other| other == *address)
            }
            Self::Pattern(pattern) => matches(host, pattern),
            Self::Network(network) => literal(host).is_some_and(|host| network.contains(host)),
        }
    }
}

impl Ports {
    fn cover(self, port: u16) -> bool {
        match self {
            Self::Any => true,
            Self::Range(first, last) => (first..=last).contains(&port),
        }
    }
}

fn entry<K: Kind>(word: &str) -> Result<Entry, Flaw> {
    if let Some(alone) = ["any", "none"].into_iter().find(|&alone| alone == word) {
        return Err(Flaw::NotAlone(alone));
    }
    let (host, port) = match word.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']').ok_or(Flaw::MissingHost)?;
            (host, after.strip_prefix(':').ok_or(Flaw::BadPort)?)
        }
        None if K::LISTENS && !word.contains(':') => ("*", word),
        None => word.split_once(':').ok_or(Flaw::BadPort)?,
    };
    Ok(Entry { host: hosts::<K>(host)?, ports: ports(port)? })
}

fn hosts<K: Kind>(text: &str) -> Result<Host, Flaw> {
    let single = |text: &str| Host::Exactly(text.into(), literal(text));
    match (text, Network::parse(text)) {
        ("", _) => Err(Flaw::MissingHost),
        ("*", _) => Ok(Host::Any),
        (_, Err(NetworkError::BadMask)) => Err(Flaw::BadNetwork),
        (_, Ok(network)) if text.contains('/') => Ok(Host::Network(network)),
        _ if K::LISTENS && text.contains(['*', '?']) => Ok(Host::Pattern(text.into())),
        _ => Ok(single(text)),
    }
}

/// `*`, a port, or a range of them; 0 cannot be said.
fn ports(text: &str) -> Result<Ports, Flaw> {
    if text == "*" {
        return Ok(Ports::Any);
    }
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (number(first), number(last)) {
        (Some(first), Some(last)) if first <= last => Ok(Ports::Range(first, last)),
        _ => Err(Flaw::BadPort),
    }
}

fn number(text: &str) -> Option<u16> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|&number| digits && number != 0)
}

/// The address, if it is written as one.
fn literal(host: &str) -> Option<IpAddr> {
    host.parse().ok().map(|address: IpAddr| address.to_canonical())
}

/// As it would be written in a configuration.
impl<K> fmt::Display for Permit<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries = match &self.rule {
            Rule::Any => return f.write_str("any"),
            Rule::List(entries) if entries.is_empty() => return f.write_str("none"),
            Rule::List(entries) => entries,
        };
        for (at, entry) in entries.iter().enumerate() {
            let space = if at == 0 { "" } else { " " };
            write!(f, "{space}{}:{}", entry.host, entry.ports)?;
        }
        Ok(())
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Any => "*".to_owned(),
            Self::Exactly(text, _) | Self::Pattern(text) => text.clone(),
            Self::Network(network) => network.to_string(),
        };
        if text.contains(':') { write!(f, "[{text}]") } else { f.write_str(&text) }
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Range(first, last) if first == last => write!(f, "{first}"),
            Self::Range(first, last) => write!(f, "{first}-{last}"),
        }
    }
}

// By hand, for the marks are not values.
impl<K> Clone for Permit<K> {
    fn clone(&self) -> Self {
        Self { rule: self.rule.clone(), kind: PhantomData }
    }
}

impl<K> Default for Permit<K> {
    fn default() -> Self {
        Self { rule: Rule::Any, kind: PhantomData }
    }
}

impl<K> PartialEq for Permit<K> {
    fn eq(&self, other: &Self) -> bool {
        self.rule == other.rule
    }
}

impl<K> Eq for Permit<K> {}

impl<K: Kind> fmt::Debug for Permit<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {self}", K::KEYWORD)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule<K: Kind>(text: &str) -> Result<Permit<K>, PermitError> {
        Permit::parse(text.split_whitespace())
    }

    fn opens(text: &str) -> PermitOpen {
        rule(text).unwrap()
    }

    fn listens(text: &str) -> PermitListen {
        rule(text).unwrap()
    }

    #[test]
    fn a_list_permits_what_it_names_and_nothing_else() {
        let list: PermitRemoteOpen = rule("web:80 *:22 db:* [::1]:5").unwrap();
        for (host, port, allowed) in [
            ("web", 80, true),
            ("web", 81, false),
            ("WEB", 80, false),
            ("anything", 22, true),
            ("db", 5432, true),
            ("::1", 5, true),
            ("127.0.0.1", 80, false),
        ] {
            assert_eq!(list.allows(host, port), allowed, "{host}:{port}");
        }
    }

    #[test]
    fn any_and_none_stand_for_everything_and_nothing() {
        assert!(PermitRemoteOpen::default().allows("x", 1));
        assert!(opens("any").allows("x", 1));
        assert!(!opens("none").allows("x", 1));
        assert!(!listens("none").allows("localhost", 0));
    }

    #[test]
    fn a_network_permits_literal_addresses_and_no_names() {
        let list = opens("10.0.0.0/8:5432 [fd00::/8]:* 192.0.2.1:80");
        for (host, port, allowed) in [
            ("10.255.0.1", 5432, true),
            ("::ffff:10.255.0.1", 5432, true),
            ("10.255.0.1", 5433, false),
            ("11.0.0.1", 5432, false),
            ("fd12::9", 1, true),
            ("fe80::9", 1, false),
            ("192.0.2.1", 80, true),
            ("::ffff:192.0.2.1", 80, true),
            ("db.internal", 5432, false),
            // The resolver would take these for addresses; a rule does not.
            ("10.1", 5432, false),
            ("0x0a000001", 5432, false),
            ("167772161", 5432, false),
            ("", 5432, false),
        ] {
            assert_eq!(list.allows(host, port), allowed, "{host}:{port}");
        }
    }

    #[test]
    fn a_range_permits_its_ends_and_what_lies_between() {
        let list = opens("web:8000-8999 db:1-1");
        for (host, port, allowed) in [
            ("web", 7999, false),
            ("web", 8000, true),
            ("web", 8999, true),
            ("web", 9000, false),
            ("db", 1, true),
        ] {
            assert_eq!(list.allows(host, port), allowed, "{host}:{port}");
        }
    }

    #[test]
    fn names_of_destinations_are_no_patterns_and_those_of_listeners_are() {
        assert!(!opens("*.internal:80").allows("db.internal", 80));
        let list = listens("8080 localhost:9000 10.0.0.*:* [::1]:9100-9199 127.0.0.0/8:7000");
        for (host, port, allowed) in [
            ("localhost", 8080, true),
            ("", 8080, true),
            ("0.0.0.0", 8080, true),
            ("localhost", 9000, true),
            ("127.0.0.1", 9000, false),
            ("", 9000, false),
            ("10.0.0.7", 0, true),
            ("10.0.1.7", 1, false),
            ("::1", 9150, true),
            ("127.0.0.9", 7000, true),
            ("localhost", 0, false),
        ] {
            assert_eq!(list.allows(host, port), allowed, "{host}:{port}");
        }
        assert!(listens("*:*").allows("localhost", 0));
    }

    #[test]
    fn a_keys_options_add_up() {
        let list = PermitOpen::of_key(&["web:80", "10.0.0.0/8:*"]).unwrap();
        assert!(list.allows("web", 80) && list.allows("10.1.1.1", 9) && !list.allows("web", 81));
        assert!(PermitListen::of_key::<String>(&[]).unwrap().allows("x", 1));
        assert!(PermitListen::of_key(&["8080"]).unwrap().allows("x", 8080));
        assert!(PermitOpen::of_key(&["8080"]).is_err());
        assert!(PermitOpen::of_key(&["any"]).is_err());
        assert!(!PermitOpen::of_key(&["none"]).unwrap().allows("web", 80));
        assert!(PermitOpen::of_key(&["none", "web:80"]).is_err());
    }

    #[test]
    fn a_refusal_names_the_rule_and_what_was_asked_for() {
        for (host, words) in [
            ("10.0.0.5", "PermitOpen does not allow 10.0.0.5:5432"),
            ("::1", "PermitOpen does not allow [::1]:5432"),
        ] {
            assert_eq!(opens("none").refusal(host, 5432), words);
        }
        assert_eq!(listens("none").refusal("", 80), "PermitListen does not allow :80");
    }

    #[test]
    fn wrong_values_are_refused_in_ssh_words() {
        for (text, words) in [
            ("a", "bad port number in permitremoteopen"),
            ("a:0", "bad port number in permitremoteopen"),
            ("a:65536", "bad port number in permitremoteopen"),
            ("[::1]", "bad port number in permitremoteopen"),
            (":80", "missing host in permitremoteopen"),
            ("[::1:80", "missing host in permitremoteopen"),
            ("none any", "keyword permitremoteopen \"none\" argument must appear alone."),
            ("a:1 none", "keyword permitremoteopen \"none\" argument must appear alone."),
        ] {
            assert_eq!(rule::<RemoteOpen>(text).unwrap_err().to_string(), words, "{text}");
        }
    }

    #[test]
    fn wrong_values_are_refused_in_sshd_words() {
        for (text, words) in [
            ("a", "PermitOpen bad port number"),
            ("a:2-1", "PermitOpen bad port number"),
            ("a:0-1", "PermitOpen bad port number"),
            ("a:+1", "PermitOpen bad port number"),
            (":80", "PermitOpen missing host"),
            ("10.0.0.1/8:80", "PermitOpen bad network: the mask does not fit"),
            ("a:1 any", "any must appear alone on a PermitOpen line."),
        ] {
            assert_eq!(rule::<Open>(text).unwrap_err().to_string(), words, "{text}");
        }
        for (text, words) in [
            ("localhost", "PermitListen bad port number"),
            ("0", "PermitListen bad port number"),
            ("localhost:0", "PermitListen bad port number"),
            (":80", "PermitListen missing host"),
        ] {
            assert_eq!(rule::<Listen>(text).unwrap_err().to_string(), words, "{text}");
        }
    }

    #[test]
    fn a_rule_is_shown_as_it_is_written() {
        for text in ["any", "none", "web:80 *:22 db:*", "10.0.0.0/8:8000-8999 [fd00::/8]:*"] {
            assert_eq!(opens(text).to_string(), text);
        }
        assert_eq!(listens("8080").to_string(), "*:8080");
    }
}
