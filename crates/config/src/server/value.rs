//! How values of sshd_config are read that ssh_config does not have: one function per kind.
//! Touches: the words of one line.   Never: which keyword it is, but for messages.
//! Invariants: a reader takes the words it understands; what is left over is an error of the line.
//! Errors: [`ValueError`], in sshd's words.   Allocates: the values.
//! Proved by: `tests` in `server`.

pub(super) use crate::value::{
    ca_signatures, choice, ciphers, facility, hash, key_exchanges, line, log_level, macs, mask,
    number, qos, rekey_limit, signatures, size, text, words,
};

use super::access::UserPattern;
use super::types::{
    ChannelTimeout, ListenAddress, MaxStartups, NetBlockSize, Overflow, PenaltyKind,
    PenaltySetting, PermitUserEnvironment, PubkeyAuthOptions, Subsystem,
};
use crate::destination::port_number;
use crate::types::{AuthMethod, Choice};
use crate::value::{Input, Read, ValueError, seconds};
use adit_forward::{PermitListen, PermitOpen};
use adit_pattern::AddressList;
use std::time::Duration;

/// Most loops one may ask for.
const MOST_LOOPS: u32 = 1024;

fn wrong<T>(text: String) -> Read<T> {
    Err(ValueError(text))
}

/// The next word, or this complaint.
fn named(input: &mut Input<'_>, missing: &str) -> Read<String> {
    input.word().map_err(|_| missing.into())
}

/// The next word; the complaint names the keyword.
fn argument(input: &mut Input<'_>) -> Read<String> {
    let missing = format!("{} missing argument.", input.keyword);
    named(input, &missing)
}

/// The words of the line, at least one and none empty.
fn several(input: &mut Input<'_>) -> Read<Vec<String>> {
    let words: Vec<String> = input.words.by_ref().collect();
    match words.iter().position(String::is_empty) {
        Some(_) => wrong(format!("keyword {} empty argument", input.keyword)),
        None if words.is_empty() => wrong(format!("no {} specified", input.keyword)),
        None => Ok(words),
    }
}

/// As [`several`]; `none` must be alone and is nothing.
fn several_or_none(input: &mut Input<'_>) -> Read<Vec<String>> {
    let words = several(input)?;
    match words.iter().any(|word| word.eq_ignore_ascii_case("none")) {
        true if words.len() > 1 => {
            wrong(format!("keyword {} \"none\" argument must appear alone.", input.keyword))
        }
        true => Ok(Vec::new()),
        false => Ok(words),
    }
}

/// `yes` or `no`, and nothing else that means the same.
pub(super) fn switch(input: &mut Input<'_>) -> Read<bool> {
    match input.word()?.to_ascii_lowercase().as_str() {
        "yes" => Ok(true),
        "no" => Ok(false),
        other => wrong(format!("unsupported option \"{other}\".")),
    }
}

/// 1 to 65535.
pub(super) fn listen_port(input: &mut Input<'_>) -> Read<u16> {
    let word = named(input, "missing port number.")?;
    port_number(&word).ok_or_else(|| "Badly formatted port number.".into())
}

/// `host`, `host:port`, `[address]:port` or a bare IPv6 address.
pub(super) fn listen_address(input: &mut Input<'_>) -> Read<ListenAddress> {
    let word = named(input, "missing address")?;
    let address = match word.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((host, "")) => (host, None),
            Some((host, port)) if port.starts_with(':') => (host, Some(&port[1..])),
            _ => return Err("bad address:port usage".into()),
        },
        None if word.matches(':').count() > 1 => (word.as_str(), None),
        None => {
            word.split_once(':').map_or((word.as_str(), None), |(host, port)| (host, Some(port)))
        }
    };
    if address.0.is_empty() {
        return Err("bad address:port usage".into());
    }
    let port = match address.1 {
        None => None,
        Some(port) => Some(port_number(port).ok_or(ValueError::from("bad port number"))?),
    };
    match input.words.next().as_deref() {
        None => Ok(ListenAddress { host: address.0.into(), port }),
        Some("rdomain") => Err("routing domains are not supported".into()),
        Some(_) => Err("bad ListenAddress syntax".into()),
    }
}

/// `90`, `1h30m`
pub(super) fn interval(input: &mut Input<'_>) -> Read<u32> {
    let word = named(input, "missing time value.")?;
    seconds(&word).ok_or_else(|| "invalid time value.".into())
}

/// As [`interval`]; `none` is 0.
pub(super) fn interval_or_none(input: &mut Input<'_>) -> Read<u32> {
    match input.words.as_slice() {
        [word] if word.eq_ignore_ascii_case("none") => {
            input.words.next();
            Ok(0)
        }
        _ => interval(input),
    }
}

/// A file name, or `none`.
pub(super) fn file(input: &mut Input<'_>) -> Read<String> {
    named(input, "missing file name.")
}

/// Some file names, or `none`.
pub(super) fn files(input: &mut Input<'_>) -> Read<Vec<String>> {
    several_or_none(input)
}

/// One word.
pub(super) fn name(input: &mut Input<'_>) -> Read<String> {
    argument(input)
}

/// The rest of the line: an absolute path and its arguments, or `none`.
pub(super) fn absolute_command(input: &mut Input<'_>) -> Read<String> {
    let command = line(input)?;
    match command.starts_with('/') || command.eq_ignore_ascii_case("none") {
        true => Ok(command),
        false => wrong(format!("{} must be an absolute path", input.keyword)),
    }
}

/// The rest of the line up to a comment, which must stay one line.
pub(super) fn addendum(input: &mut Input<'_>) -> Read<String> {
    let text = line(input)?;
    let text = text.split('#').next().unwrap_or_default().trim_end();
    match text {
        "" => argument(input),
        text if text.contains(['\r', '\n']) => wrong(format!("Invalid {} argument", input.keyword)),
        text => Ok(text.into()),
    }
}

/// Lists of methods, each separated by commas; `any` is no list.
pub(super) fn methods(input: &mut Input<'_>) -> Read<Vec<Vec<AuthMethod>>> {
    let lists = several(input)?;
    if lists.iter().any(|list| list == "any") {
        return match lists.len() {
            1 => Ok(Vec::new()),
            _ => wrong(format!("\"any\" must appear alone in {}", input.keyword)),
        };
    }
    lists.iter().map(|list| list.split(',').map(|word| method(word, input)).collect()).collect()
}

/// One method; its device may follow a colon.
fn method(word: &str, input: &Input<'_>) -> Read<AuthMethod> {
    let absent = |why| wrong(format!("{} \"{word}\": {why}", input.keyword));
    match word {
        "hostbased" => absent("host-based authentication is not supported"),
        "gssapi-with-mic" => absent("GSSAPI is not supported"),
        "none" => absent("nobody logs in without a method"),
        "keyboard-interactive:pam" => absent("PAM is not supported"),
        _ => match AuthMethod::NAMES.iter().find(|(name, _)| *name == word) {
            Some((_, method)) => Ok(*method),
            None => wrong(format!("invalid {} method list.", input.keyword)),
        },
    }
}

/// `any`, `none`, or `host:port` words.
pub(super) fn permit_open(input: &mut Input<'_>) -> Read<PermitOpen> {
    let words = permit_words(input)?;
    PermitOpen::parse(words.iter().map(String::as_str))
        .map_err(|error| ValueError(error.to_string()))
}

/// `any`, `none`, or `[host:]port` words.
pub(super) fn permit_listen(input: &mut Input<'_>) -> Read<PermitListen> {
    let words = permit_words(input)?;
    PermitListen::parse(words.iter().map(String::as_str))
        .map_err(|error| ValueError(error.to_string()))
}

fn permit_words(input: &mut Input<'_>) -> Read<Vec<String>> {
    let first = argument(input)?;
    Ok(std::iter::once(first).chain(input.words.by_ref()).collect())
}

/// `begin:rate:full`, or the number from which all are refused.
pub(super) fn max_startups(input: &mut Input<'_>) -> Read<MaxStartups> {
    let word = argument(input)?;
    let numbers: Option<Vec<u32>> = word.split(':').map(digits).collect();
    let startups = match numbers.as_deref() {
        Some(&[full]) => MaxStartups { begin: full, rate: MaxStartups::DEFAULT.rate, full },
        Some(&[begin, rate, full]) => MaxStartups { begin, rate, full },
        _ => return wrong(format!("Invalid {} spec.", input.keyword)),
    };
    let MaxStartups { begin, rate, full } = startups;
    match begin > 0 && begin <= full && (1..=100).contains(&rate) {
        true => Ok(startups),
        false => wrong(format!("Invalid {} spec.", input.keyword)),
    }
}

/// A number without a sign.
fn digits(text: &str) -> Option<u32> {
    let number = text.parse().ok().filter(|&number: &u32| number <= i32::MAX as u32);
    number.filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

/// `bits[:bits]`
pub(super) fn net_block_size(input: &mut Input<'_>) -> Read<NetBlockSize> {
    let word = argument(input)?;
    let (ipv4, ipv6) = word.split_once(':').unwrap_or((&word, "128"));
    match (digits(ipv4), digits(ipv6)) {
        (Some(ipv4 @ 0..=32), Some(ipv6 @ 0..=128)) => {
            Ok(NetBlockSize { ipv4: ipv4 as u8, ipv6: ipv6 as u8 })
        }
        _ => wrong(format!("Invalid {} spec.", input.keyword)),
    }
}

/// A number, or `none` for no limit.
pub(super) fn limit(input: &mut Input<'_>) -> Read<Option<u32>> {
    match input.words.as_slice() {
        [word, ..] if word.eq_ignore_ascii_case("none") => {
            input.words.next();
            Ok(None)
        }
        _ => number(input).map(Some),
    }
}

/// `auto`, or a number of threads.
pub(super) fn loops(input: &mut Input<'_>) -> Read<Option<u32>> {
    match input.words.as_slice() {
        [word, ..] if word.eq_ignore_ascii_case("auto") => {
            input.words.next();
            Ok(None)
        }
        _ => match number(input)? {
            0 => wrong(format!("{} integer value too small.", input.keyword)),
            count if count > MOST_LOOPS => {
                wrong(format!("{} integer value too large.", input.keyword))
            }
            count => Ok(Some(count)),
        },
    }
}

/// As [`size`], or `none` for no limit.
pub(super) fn size_or_none(input: &mut Input<'_>) -> Read<Option<u64>> {
    match input.words.as_slice() {
        [word, ..] if word.eq_ignore_ascii_case("none") => {
            input.words.next();
            Ok(None)
        }
        _ => size(input).map(Some),
    }
}

/// `yes`, `no`, or `kind:time` words.
pub(super) fn penalties(input: &mut Input<'_>) -> Read<Vec<PenaltySetting>> {
    let words = several(input)?;
    let alone = |word: &&String| ["yes", "no"].iter().any(|it| word.eq_ignore_ascii_case(it));
    match words.iter().find(alone) {
        Some(word) if words.len() > 1 => {
            wrong(format!("keyword {} \"{word}\" argument must appear alone.", input.keyword))
        }
        Some(word) => Ok(vec![PenaltySetting::Enabled(word.eq_ignore_ascii_case("yes"))]),
        None => words.iter().map(|word| penalty(word, &input.keyword)).collect(),
    }
}

fn penalty(word: &str, keyword: &str) -> Read<PenaltySetting> {
    let unsupported = || ValueError(format!("unsupported {keyword} keyword {word}"));
    let (name, value) = word.split_once(':').ok_or_else(unsupported)?;
    let count = || digits(value).ok_or_else(|| ValueError(format!("{keyword} value invalid.")));
    let time = |kind| match duration(value) {
        Some(time) => Ok(PenaltySetting::Time(kind, time)),
        None => wrong(format!("invalid {keyword} time value.")),
    };
    let overflow = || match value {
        "permissive" => Ok(Overflow::Permissive),
        "deny-all" => Ok(Overflow::DenyAll),
        _ => Err(unsupported()),
    };
    match name {
        "authfail" => time(PenaltyKind::AuthFail),
        "noauth" => time(PenaltyKind::NoAuth),
        "invaliduser" => time(PenaltyKind::InvalidUser),
        "grace-exceeded" => time(PenaltyKind::GraceExceeded),
        "refuseconnection" => time(PenaltyKind::RefuseConnection),
        "crash" => time(PenaltyKind::Crash),
        "max" => time(PenaltyKind::Max),
        "min" => time(PenaltyKind::Min),
        "max-sources4" => Ok(PenaltySetting::MaxSources4(count()?)),
        "max-sources6" => Ok(PenaltySetting::MaxSources6(count()?)),
        "overflow" => Ok(PenaltySetting::Overflow(overflow()?)),
        "overflow6" => Ok(PenaltySetting::Overflow6(overflow()?)),
        _ => Err(unsupported()),
    }
}

/// As [`seconds`], where the last number may have a fraction of up to three digits.
fn duration(text: &str) -> Option<Duration> {
    let Some((whole, rest)) = text.split_once('.') else {
        return seconds(text).map(|whole| Duration::from_secs(whole.into()));
    };
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (fraction, unit) = rest.split_at(end);
    if !(1..=3).contains(&fraction.len()) || !whole.ends_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let thousandths: u32 = format!("{fraction:0<3}").parse().ok()?;
    let unit_seconds = seconds(&format!("1{unit}"))?;
    let whole = seconds(&format!("{whole}{unit}"))?;
    let part = u64::from(thousandths) * u64::from(unit_seconds);
    Some(Duration::from_secs(whole.into()) + Duration::from_millis(part))
}

/// Addresses and networks.
pub(super) fn addresses(input: &mut Input<'_>) -> Read<AddressList> {
    let word = input.word()?;
    if word.eq_ignore_ascii_case("none") {
        return Ok(AddressList::default());
    }
    AddressList::parse(&word)
        .map_err(|_| ValueError(format!("keyword {} invalid address argument.", input.keyword)))
}

/// Patterns of users, each perhaps with `@` and where they come from.
pub(super) fn users(input: &mut Input<'_>) -> Read<Vec<UserPattern>> {
    let words: Vec<String> = input.words.by_ref().collect();
    if words.is_empty() {
        return wrong(format!("no {} specified", input.keyword));
    }
    let keyword = &input.keyword;
    let bad = |word: &str| ValueError(format!("invalid {keyword} pattern: \"{word}\""));
    words
        .iter()
        .map(|word| match word.split_once('@') {
            _ if word.is_empty() => Err(bad(word)),
            None => Ok(UserPattern { user: word.clone(), from: None }),
            Some((user, from)) => {
                let from = AddressList::parse(from).map_err(|_| bad(word))?;
                Ok(UserPattern { user: user.into(), from: Some(from) })
            }
        })
        .collect()
}

/// Patterns of groups.
pub(super) fn groups(input: &mut Input<'_>) -> Read<Vec<String>> {
    let keyword = input.keyword.clone();
    let words: Vec<String> = input.words.by_ref().collect();
    match words.iter().any(String::is_empty) {
        true => wrong(format!("empty {keyword} pattern")),
        false if words.is_empty() => wrong(format!("no {keyword} specified")),
        false => Ok(words),
    }
}

/// Patterns of environment variables.
pub(super) fn variables(input: &mut Input<'_>) -> Read<Vec<String>> {
    let words = several(input)?;
    match words.iter().any(|word| word.contains('=')) {
        true => Err("Invalid environment name.".into()),
        false => Ok(words),
    }
}

/// `NAME=value` words; of one name the first counts.
pub(super) fn environment(input: &mut Input<'_>) -> Read<Vec<(String, String)>> {
    let mut variables: Vec<(String, String)> = Vec::new();
    for word in several(input)? {
        let (name, value) = word.split_once('=').ok_or(ValueError::from("Invalid environment."))?;
        if !variables.iter().any(|(known, _)| known == name) {
            variables.push((name.into(), value.into()));
        }
    }
    Ok(variables)
}

/// `yes`, `no`, or a list of patterns.
pub(super) fn user_environment(input: &mut Input<'_>) -> Read<PermitUserEnvironment> {
    Ok(match argument(input)? {
        yes if yes == "yes" => PermitUserEnvironment::Yes,
        no if no == "no" => PermitUserEnvironment::No,
        list => PermitUserEnvironment::Only(list),
    })
}

/// `none`, `touch-required`, `verify-required`
pub(super) fn key_options(input: &mut Input<'_>) -> Read<PubkeyAuthOptions> {
    let mut options = PubkeyAuthOptions::default();
    for word in several(input)? {
        match word.to_ascii_lowercase().as_str() {
            "none" => {}
            "touch-required" => options.touch_required = true,
            "verify-required" => options.verify_required = true,
            _ => return wrong(format!("unsupported {} option {word}", input.keyword)),
        }
    }
    Ok(options)
}

/// `kind=time` words.
pub(super) fn channel_timeouts(input: &mut Input<'_>) -> Read<Vec<ChannelTimeout>> {
    several_or_none(input)?
        .iter()
        .map(|word| {
            let bad = || ValueError(format!("invalid channel timeout {word}"));
            let (kind, time) = word.split_once('=').ok_or_else(bad)?;
            let seconds = seconds(time).filter(|_| !kind.is_empty()).ok_or_else(bad)?;
            Ok(ChannelTimeout { kind: kind.into(), seconds })
        })
        .collect()
}

/// A name, and a command with its arguments.
pub(super) fn subsystem(input: &mut Input<'_>) -> Read<Subsystem> {
    let name = argument(input)?;
    let program = argument(input)?;
    let words = std::iter::once(program).chain(input.words.by_ref());
    let command = words.map(|word| quoted(&word)).collect::<Vec<_>>().join(" ");
    Ok(Subsystem { name, command })
}

/// A word as the shell and we would read it again.
fn quoted(word: &str) -> String {
    if !word.is_empty() && !word.contains([' ', '\t', '"', '\'', '\\']) {
        return word.into();
    }
    let escaped = word.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{escaped}\"")
}

/// `no`, or a kind of tunnel.
pub(super) fn tunnel(input: &mut Input<'_>) -> Read<()> {
    match argument(input)?.as_str() {
        "no" | "yes" | "point-to-point" | "ethernet" => Ok(()),
        other => wrong(format!("bad {} argument {other}", input.keyword)),
    }
}

/// `yes`, `no` or `delayed`
pub(super) fn compression(input: &mut Input<'_>) -> Read<()> {
    among(input, &["yes", "no", "delayed"])
}

/// `yes`, `no` or `shosts-only`
pub(super) fn ignore_rhosts(input: &mut Input<'_>) -> Read<()> {
    among(input, &["yes", "no", "shosts-only"])
}

fn among(input: &mut Input<'_>, known: &[&str]) -> Read<()> {
    let word = input.word()?;
    match known.iter().any(|known| known.eq_ignore_ascii_case(&word)) {
        true => Ok(()),
        false => wrong(format!("unsupported option \"{word}\".")),
    }
}
