//! Match: which blocks of sshd_config apply to a connection. sshd_config(5).
//! Touches: strings, addresses.   Never: look-up of names, users or groups.
//! Invariants: all criteria of a line must hold; what is not known of a connection matches nothing.
//! Errors: [`ValueError`], in sshd's words.   Allocates: the criteria.
//! Proved by: `tests` in `server`.

use crate::destination::port_number;
use crate::value::ValueError;
use adit_pattern::{AddressList, Verdict, matches_list};
use std::borrow::Cow;
use std::net::IpAddr;

/// What `Match Version` is held against.
const VERSION: &str = concat!("aditd_", env!("CARGO_PKG_VERSION"));

/// What is known of a connection. What is not known yet matches nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct MatchContext<'a> {
    /// Whom the client wants to be.
    pub user: Option<&'a str>,
    /// There is no such user.
    pub invalid_user: bool,
    /// Names of the user's groups.
    pub groups: &'a [String],
    /// The client's name, where UseDNS found one; its address stands for it otherwise.
    pub host: Option<&'a str>,
    /// The client's address.
    pub address: Option<IpAddr>,
    /// Our address.
    pub local_address: Option<IpAddr>,
    /// Our port.
    pub local_port: Option<u16>,
}

impl MatchContext<'_> {
    /// What Host and `user@host` are held against.
    pub(super) fn host_name(&self) -> Option<Cow<'_, str>> {
        match (self.host, self.address) {
            (Some(host), _) => Some(host.into()),
            (None, Some(address)) => Some(address.to_canonical().to_string().into()),
            (None, None) => None,
        }
    }
}

/// One condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Criterion {
    User(String),
    Group(String),
    Host(String),
    Address(AddressList),
    LocalAddress(AddressList),
    LocalPort(u16),
    InvalidUser,
    /// Decided when it is read.
    Version(bool),
}

impl Criterion {
    pub(super) fn holds(&self, context: &MatchContext<'_>) -> bool {
        let lists = |text: Option<&str>, list: &str| {
            text.is_some_and(|text| matches_list(text, list) == Verdict::Match)
        };
        match self {
            Self::User(list) => lists(context.user, list),
            Self::Group(list) => group_matches(context.groups, list),
            Self::Host(list) => {
                let host = context.host_name().map(|host| host.to_ascii_lowercase());
                lists(host.as_deref(), list)
            }
            Self::Address(list) => context.address.is_some_and(|it| list.contains(it)),
            Self::LocalAddress(list) => context.local_address.is_some_and(|it| list.contains(it)),
            Self::LocalPort(port) => context.local_port == Some(*port),
            Self::InvalidUser => context.invalid_user,
            Self::Version(matches) => *matches,
        }
    }
}

/// A group behind a `!` keeps its members out, whatever else they are in.
fn group_matches(groups: &[String], list: &str) -> bool {
    let verdicts = || groups.iter().map(|group| matches_list(group, list));
    verdicts().all(|verdict| verdict != Verdict::Negated)
        && verdicts().any(|verdict| verdict == Verdict::Match)
}

/// Reads the words after Match. `All` is no condition.
pub(super) fn criteria(words: Vec<String>) -> Result<Vec<Criterion>, ValueError> {
    let mut words = words.into_iter().peekable();
    if words.peek().is_some_and(|word| word.eq_ignore_ascii_case("all")) && words.len() == 1 {
        return Ok(Vec::new());
    }
    let mut criteria = Vec::new();
    while let Some(word) = words.next() {
        criteria.push(criterion(&word, &mut words)?);
    }
    match criteria.is_empty() {
        true => Err("One or more attributes required for Match".into()),
        false => Ok(criteria),
    }
}

fn criterion(
    word: &str,
    words: &mut impl Iterator<Item = String>,
) -> Result<Criterion, ValueError> {
    if word.eq_ignore_ascii_case("invalid-user") {
        return Ok(Criterion::InvalidUser);
    }
    if word.eq_ignore_ascii_case("all") {
        return Err("'all' cannot be combined with other Match attributes".into());
    }
    let (name, value) = match word.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (word, None),
    };
    let read =
        reader(name).ok_or_else(|| ValueError(format!("Unsupported Match attribute {name}")))?;
    let value = value.or_else(|| words.next()).filter(|value| !value.is_empty());
    read(value.ok_or_else(|| ValueError(format!("Missing Match criteria for {name}")))?)
}

type ReadCriterion = fn(String) -> Result<Criterion, ValueError>;

/// How the value of a criterion is read.
fn reader(name: &str) -> Option<ReadCriterion> {
    const READERS: &[(&str, ReadCriterion)] = &[
        ("user", |list| Ok(Criterion::User(list))),
        ("group", |list| Ok(Criterion::Group(list))),
        ("host", |list| Ok(Criterion::Host(list.to_ascii_lowercase()))),
        ("address", |list| addresses("address", &list).map(Criterion::Address)),
        ("localaddress", |list| addresses("localaddress", &list).map(Criterion::LocalAddress)),
        ("localport", local_port),
        ("version", |list| Ok(Criterion::Version(matches_list(VERSION, &list) == Verdict::Match))),
        ("rdomain", |_| Err("routing domains are not supported".into())),
    ];
    READERS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|row| row.1)
}

fn addresses(name: &str, list: &str) -> Result<AddressList, ValueError> {
    AddressList::parse(list).map_err(|_| ValueError(format!("Invalid {name} argument '{list}'")))
}

fn local_port(word: String) -> Result<Criterion, ValueError> {
    match port_number(&word) {
        Some(port) => Ok(Criterion::LocalPort(port)),
        None => Err(ValueError(format!("Invalid LocalPort '{word}' on Match line"))),
    }
}
