//! How values are read: one function per kind, named as the table of keywords names it. ssh_config(5).
//! Touches: the words of one line.   Never: which keyword it is, but for messages.
//! Invariants: a reader takes the words it understands; what is left over is an error of the line.
//! Errors: [`ValueError`], in ssh's words.   Allocates: the values.
//! Proved by: `tests` in `client`.

use crate::algorithms::{AlgorithmSet, Algorithms};
use crate::destination::{hexadecimal, port_number};
use crate::error::Dialect;
use crate::types::{
    Choice, FingerprintHash, IpQos, LogLevel, RekeyLimit, RequestTty, SyslogFacility,
};
use adit_forward::{ForwardSpec, PermitRemoteOpen, SpecError, Target};

/// Smallest number of bytes RekeyLimit takes.
const SMALLEST_REKEY_LIMIT: u64 = 16;

/// Smallest MemoryLimit: a few windows.
const SMALLEST_MEMORY: u64 = 1 << 20;

/// What is wrong with a value, in ssh's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ValueError(pub(crate) String);

impl From<&str> for ValueError {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

pub(crate) type Read<T> = Result<T, ValueError>;

/// The value of one line, being read.
pub(crate) struct Input<'a> {
    /// For messages.
    pub(crate) keyword: String,
    /// Not yet read.
    pub(crate) words: std::vec::IntoIter<String>,
    /// All of it, as it was written.
    pub(crate) line: &'a str,
    /// What lists of algorithms are held against.
    pub(crate) algorithms: &'static Algorithms,
    /// Whose words messages are in.
    pub(crate) dialect: Dialect,
    /// Algorithms that were left out.
    pub(crate) skipped: Vec<String>,
}

impl Input<'_> {
    pub(crate) fn word(&mut self) -> Read<String> {
        let word = self.words.next().filter(|word| !word.is_empty());
        word.ok_or_else(|| self.dialect.pick("Missing argument.", "missing argument.").into())
    }
}

/// `yes` or `no`.
pub(crate) fn flag(input: &mut Input<'_>) -> Read<bool> {
    choice(input)
}

/// One of a few words.
pub(crate) fn choice<T: Choice>(input: &mut Input<'_>) -> Read<T> {
    let word = input.word()?;
    T::from_name(&word).ok_or_else(|| ValueError(format!("unsupported option \"{word}\".")))
}

/// `yes`, `no`, `force` or `auto`.
pub(crate) fn terminal(input: &mut Input<'_>) -> Read<RequestTty> {
    choice(input)
}

/// `sha256` or `md5`.
pub(crate) fn hash(input: &mut Input<'_>) -> Read<FingerprintHash> {
    let word = input.word()?;
    let what = input.dialect.pick("hash", &input.keyword);
    Choice::from_name(&word)
        .ok_or_else(|| ValueError(format!("Invalid {what} algorithm \"{word}\".")))
}

/// `INFO`, `DEBUG1`, …
pub(crate) fn log_level(input: &mut Input<'_>) -> Read<LogLevel> {
    let word = input.word()?;
    Choice::from_name(&word).ok_or_else(|| ValueError(format!("unsupported log level '{word}'")))
}

/// `DAEMON`, `LOCAL0`, …
pub(crate) fn facility(input: &mut Input<'_>) -> Read<SyslogFacility> {
    let word = input.word()?;
    Choice::from_name(&word).ok_or_else(|| ValueError(format!("unsupported log facility '{word}'")))
}

/// 1 to 65535.
pub(crate) fn port(input: &mut Input<'_>) -> Read<u16> {
    let word = input.word()?;
    port_number(&word).ok_or_else(|| ValueError(format!("Bad port '{word}'.")))
}

/// 0 to 2^31 - 1.
pub(crate) fn number(input: &mut Input<'_>) -> Read<u32> {
    let flaw = match input.word()?.parse::<i128>() {
        Ok(value @ 0..=0x7fff_ffff) => return Ok(value as u32),
        Ok(..0) => "too small",
        Ok(_) => "too large",
        Err(_) => "invalid",
    };
    let keyword = input.dialect.pick(String::new(), format!("{} ", input.keyword));
    Err(ValueError(format!("{keyword}integer value {flaw}.")))
}

/// `90`, `1h30m`; `none` and 0 are no time at all.
pub(crate) fn time(input: &mut Input<'_>) -> Read<u32> {
    let word = input.word()?;
    if word == "none" { Ok(0) } else { seconds(&word).ok_or_else(|| "invalid time value.".into()) }
}

/// Numbers with a unit each, added up: s m h d w.
pub(crate) fn seconds(text: &str) -> Option<u32> {
    let mut total: u32 = 0;
    let mut rest = text;
    while !rest.is_empty() || text.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let count: u32 = rest[..digits].parse().ok()?;
        let mut after = rest[digits..].chars();
        let unit = match after.next() {
            None | Some('s' | 'S') => 1,
            Some('m' | 'M') => 60,
            Some('h' | 'H') => 60 * 60,
            Some('d' | 'D') => 24 * 60 * 60,
            Some('w' | 'W') => 7 * 24 * 60 * 60,
            Some(_) => return None,
        };
        total = total.checked_add(count.checked_mul(unit)?)?;
        rest = after.as_str();
    }
    (total <= i32::MAX as u32).then_some(total)
}

/// One word.
pub(crate) fn text(input: &mut Input<'_>) -> Read<String> {
    input.word()
}

/// The rest of the line, untouched.
pub(crate) fn line(input: &mut Input<'_>) -> Read<String> {
    input.words = Vec::new().into_iter();
    if input.line.is_empty() { Err("Missing argument.".into()) } else { Ok(input.line.into()) }
}

/// The rest of the line as it is, which must stay one line wherever it is put.
pub(crate) fn one_line(input: &mut Input<'_>) -> Read<String> {
    let text = line(input)?;
    if text.contains(['\r', '\n']) { Err("Invalid argument.".into()) } else { Ok(text) }
}

/// Any number of words, at least one.
pub(crate) fn words(input: &mut Input<'_>) -> Read<Vec<String>> {
    let first = input.word()?;
    Ok(std::iter::once(first).chain(input.words.by_ref()).collect())
}

/// File names; `none` must be alone.
pub(crate) fn files(input: &mut Input<'_>) -> Read<Vec<String>> {
    let files = words(input)?;
    if files.len() > 1 && files.iter().any(|file| file.eq_ignore_ascii_case("none")) {
        let keyword = &input.keyword;
        return Err(ValueError(format!("keyword {keyword} \"none\" argument must appear alone.")));
    }
    Ok(files)
}

/// Words separated by commas.
pub(crate) fn comma_list(input: &mut Input<'_>) -> Read<Vec<String>> {
    Ok(input.word()?.split(',').map(Into::into).collect())
}

/// Names of ciphers.
pub(crate) fn ciphers(input: &mut Input<'_>) -> Read<Vec<&'static str>> {
    let set = input.algorithms.ciphers;
    names(input, set, false, |list| format!("Bad SSH2 cipher spec '{list}'."))
}

/// Names of message authentication codes.
pub(crate) fn macs(input: &mut Input<'_>) -> Read<Vec<&'static str>> {
    let (set, mac) = (input.algorithms.macs, input.dialect.pick("MAC", "mac"));
    names(input, set, false, |list| format!("Bad SSH2 {mac} spec '{list}'."))
}

/// Names of key exchange methods.
pub(crate) fn key_exchanges(input: &mut Input<'_>) -> Read<Vec<&'static str>> {
    let set = input.algorithms.kex;
    names(input, set, false, |list| format!("Bad SSH2 KexAlgorithms '{list}'."))
}

/// Names of signature algorithms, or patterns.
pub(crate) fn signatures(input: &mut Input<'_>) -> Read<Vec<&'static str>> {
    let set = input.algorithms.signatures;
    names(input, set, true, |list| format!("Bad key types '{list}'."))
}

/// Names of the signature algorithms of certificate authorities, or patterns.
pub(crate) fn ca_signatures(input: &mut Input<'_>) -> Read<Vec<&'static str>> {
    let set = input.algorithms.ca_signatures;
    names(input, set, true, |list| format!("Bad key types '{list}'."))
}

fn names(
    input: &mut Input<'_>,
    set: AlgorithmSet,
    patterns: bool,
    wrong: impl FnOnce(&str) -> String,
) -> Read<Vec<&'static str>> {
    let list = input.word()?;
    match set.resolve(&list, patterns) {
        Ok(resolved) => {
            input.skipped.extend(resolved.skipped);
            Ok(resolved.names)
        }
        Err(_) => Err(ValueError(wrong(&list))),
    }
}

/// `[bind:]port host:hostport`
pub(crate) fn local_forward(input: &mut Input<'_>) -> Read<ForwardSpec> {
    let listen = input.word()?;
    let target = input.word().map_err(|_| ValueError::from("Missing target argument."))?;
    forward(ForwardSpec::local(&format!("{listen}:{target}")))
}

/// `[bind:]port [host:hostport]`
pub(crate) fn remote_forward(input: &mut Input<'_>) -> Read<ForwardSpec> {
    let listen = input.word()?;
    let target = input.word().ok();
    let spec = match &target {
        Some(target) => ForwardSpec::remote(&format!("{listen}:{target}")),
        None => ForwardSpec::remote(&listen),
    };
    match forward(spec)? {
        // Colons do not make a target out of a single word.
        spec if target.is_none() && spec.target != Target::Dynamic => {
            Err("Bad forwarding specification.".into())
        }
        spec => Ok(spec),
    }
}

/// `[bind:]port`
pub(crate) fn dynamic_forward(input: &mut Input<'_>) -> Read<ForwardSpec> {
    let word = input.word()?;
    forward(ForwardSpec::dynamic(&word))
}

fn forward(spec: Result<ForwardSpec, SpecError>) -> Read<ForwardSpec> {
    spec.map_err(|_| "Bad forwarding specification.".into())
}

/// `any`, `none`, or `host:port` words.
pub(crate) fn permit(input: &mut Input<'_>) -> Read<PermitRemoteOpen> {
    let words = words(input)?;
    PermitRemoteOpen::parse(words.iter().map(String::as_str))
        .map_err(|error| ValueError(error.to_string()))
}

/// Bytes, then optionally a time.
pub(crate) fn rekey_limit(input: &mut Input<'_>) -> Read<RekeyLimit> {
    let word = input.word()?;
    let what = input.dialect.pick("number", "RekeyLimit number");
    let bytes = match word.as_str() {
        "default" => None,
        // What `sshd -T` prints when nothing is set.
        "0" if input.dialect == Dialect::Sshd => None,
        _ => Some(scaled(&word, what)?),
    };
    if bytes.is_some_and(|bytes| bytes < SMALLEST_REKEY_LIMIT) {
        return Err("RekeyLimit too small".into());
    }
    let seconds = match input.words.as_slice() {
        [] => None,
        [_, ..] => Some(time(input)?).filter(|&seconds| seconds != 0),
    };
    Ok(RekeyLimit { bytes, seconds })
}

/// Bytes of memory, with K, M, G and so on.
pub(crate) fn size(input: &mut Input<'_>) -> Read<u64> {
    let word = input.word()?;
    match scaled(&word, &format!("{} number", input.keyword))? {
        bytes if bytes < SMALLEST_MEMORY => {
            Err(ValueError(format!("{} too small: at least 1M", input.keyword)))
        }
        bytes => Ok(bytes),
    }
}

/// A number with K, M, G, T, P or E for powers of 1024; messages call it `what`.
pub(crate) fn scaled(text: &str, what: &str) -> Read<u64> {
    let wrong = |why: &str| ValueError(format!("Bad {what} '{text}': {why}"));
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let power = match text[digits..].to_ascii_uppercase().as_str() {
        "" | "B" => 0,
        "K" => 1,
        "M" => 2,
        "G" => 3,
        "T" => 4,
        "P" => 5,
        "E" => 6,
        _ => return Err(wrong("Invalid argument")),
    };
    if digits == 0 {
        return Err(wrong("Invalid argument"));
    }
    text[..digits]
        .parse::<i64>()
        .ok()
        .and_then(|number| number.checked_mul(1 << (10 * power)))
        .map(i64::unsigned_abs)
        .ok_or_else(|| wrong("Numerical result out of range"))
}

/// Permission bits to leave out, octal.
pub(crate) fn mask(input: &mut Input<'_>) -> Read<u32> {
    let word = input.word()?;
    let mask = u32::from_str_radix(&word, 8).ok().filter(|&mask| mask <= 0o777);
    let wrong = || input.dialect.pick("Bad mask.".into(), format!("Invalid {}.", input.keyword));
    mask.ok_or_else(|| ValueError(wrong()))
}

/// One value for both, or one for terminals and one for the rest.
pub(crate) fn qos(input: &mut Input<'_>) -> Read<IpQos> {
    let interactive = type_of_service(&input.word()?)?;
    let bulk = match input.words.next() {
        Some(word) => type_of_service(&word)?,
        None => interactive,
    };
    Ok(IpQos { interactive, bulk })
}

/// A name or a number; `None` for `none`.
fn type_of_service(word: &str) -> Read<Option<u8>> {
    if word.eq_ignore_ascii_case("none") {
        return Ok(None);
    }
    let named = SERVICES.iter().find(|(name, _)| name.eq_ignore_ascii_case(word));
    let value = named.map(|row| row.1).or_else(|| match word.strip_prefix("0x") {
        Some(digits) => hexadecimal(digits),
        None => word.parse().ok(),
    });
    value.map(Some).ok_or_else(|| ValueError(format!("Bad IPQoS value: {word}")))
}

/// The name of a type of service, or its number.
pub(crate) fn service_name(value: Option<u8>) -> String {
    let Some(byte) = value else { return "none".into() };
    match SERVICES.iter().find(|(_, value)| *value == byte) {
        Some((name, _)) => (*name).into(),
        None => format!("{byte:#04x}"),
    }
}

/// Type-of-service bytes: RFC 2597 (af), RFC 2474 (cs), RFC 3246 (ef), RFC 8622 (le), RFC 5865 (va), RFC 1349.
const SERVICES: &[(&str, u8)] = &[
    ("af11", 0x28),
    ("af12", 0x30),
    ("af13", 0x38),
    ("af21", 0x48),
    ("af22", 0x50),
    ("af23", 0x58),
    ("af31", 0x68),
    ("af32", 0x70),
    ("af33", 0x78),
    ("af41", 0x88),
    ("af42", 0x90),
    ("af43", 0x98),
    ("cs0", 0x00),
    ("cs1", 0x20),
    ("cs2", 0x40),
    ("cs3", 0x60),
    ("cs4", 0x80),
    ("cs5", 0xa0),
    ("cs6", 0xc0),
    ("cs7", 0xe0),
    ("ef", 0xb8),
    ("le", 0x04),
    ("va", 0xb0),
    ("lowdelay", 0x10),
    ("throughput", 0x08),
    ("reliability", 0x04),
];
