//! A line of the log: words, then fields; or the same as a JSON object. RFC 8259.
//! Touches: text.   Never: where it goes.
//! Invariants: a line has no control characters and an end; a value cannot end early or pass for another field.
//! Errors: none.   Allocates: the line, and a value at a time.
//! Proved by: `tests` of `event` and of the log.

use super::time::Utc;
use adit_config::types::LogLevel;
use std::fmt::{self, Write as _};

/// LogFormat
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Format {
    /// sshd's words, then what they leave out as `key=value`.
    #[default]
    Text,
    /// An object per line.
    Json,
}

/// What a line says.
pub(super) struct Row<'a> {
    pub(super) event: &'static str,
    pub(super) level: LogLevel,
    pub(super) words: fmt::Arguments<'a>,
    /// What the words say, or what programs that read the words trip over: in JSON only.
    pub(super) said: &'a [Field<'a>],
    /// What the words leave out.
    pub(super) more: &'a [Field<'a>],
}

pub(super) type Field<'a> = (&'static str, Value<'a>);

/// What a field holds.
#[derive(Clone, Copy)]
pub(super) enum Value<'a> {
    /// The field is left out.
    Nothing,
    Text(&'a str),
    Shown(&'a dyn fmt::Display),
    Number(u64),
    /// Shown in seconds.
    Millis(u64),
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl From<u64> for Value<'_> {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<u32> for Value<'_> {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::Nothing, T::into)
    }
}

impl<'a> Value<'a> {
    /// A value that is shown, if there is one.
    pub(super) fn shown<T: fmt::Display>(value: &'a Option<T>) -> Self {
        value.as_ref().map_or(Self::Nothing, |value| Self::Shown(value))
    }
}

/// The longest a value gets; what a peer sends can be longer.
const VALUE: usize = 512;
/// The longest the words get.
const WORDS: usize = 2048;

impl Row<'_> {
    /// Appends the words and the fields they leave out.
    pub(super) fn text(&self, line: &mut String) {
        clean(line, WORDS, self.words);
        for (key, value) in self.more {
            let value = match value {
                Value::Nothing => continue,
                Value::Text(text) => quoted(&cleaned(format_args!("{text}"))),
                Value::Shown(shown) => quoted(&cleaned(format_args!("{shown}"))),
                Value::Number(number) => number.to_string(),
                Value::Millis(millis) => seconds(*millis),
            };
            push(line, format_args!(" {key}={value}"));
        }
    }

    /// Appends the object.
    pub(super) fn json(&self, line: &mut String, time: Utc) {
        let level = self.level.to_string().to_ascii_lowercase();
        push(line, format_args!("{{\"time\":\"{time}\",\"level\":\"{level}\""));
        push(line, format_args!(",\"event\":\"{}\",\"message\":", self.event));
        let mut words = String::new();
        clean(&mut words, WORDS, self.words);
        push_json(line, &words);
        for (key, value) in self.said.iter().chain(self.more) {
            let value = match value {
                Value::Nothing => continue,
                Value::Text(text) => json(&cleaned(format_args!("{text}"))),
                Value::Shown(shown) => json(&cleaned(format_args!("{shown}"))),
                Value::Number(number) => number.to_string(),
                Value::Millis(millis) => seconds(*millis),
            };
            push(line, format_args!(",\"{key}\":{value}"));
        }
        line.push('}');
    }
}

fn push(line: &mut String, text: fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = line.write_fmt(text);
}

fn seconds(millis: u64) -> String {
    format!("{}.{:03}", millis / 1000, millis % 1000)
}

fn cleaned(text: fmt::Arguments<'_>) -> String {
    let mut out = String::new();
    clean(&mut out, VALUE, text);
    out
}

fn clean(out: &mut String, room: usize, text: fmt::Arguments<'_>) {
    // It fails only to stop what is too long.
    let _ = Cleaner { out, room }.write_fmt(text);
}

/// Lets through what a terminal only shows; the rest becomes octal, as sshd writes it.
struct Cleaner<'a> {
    out: &'a mut String,
    room: usize,
}

impl fmt::Write for Cleaner<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            if self.room == 0 {
                self.out.push('…');
                return Err(fmt::Error);
            }
            self.room -= 1;
            if is_plain(c) {
                self.out.push(c);
            } else {
                for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                    push(self.out, format_args!("\\{byte:03o}"));
                }
            }
        }
        Ok(())
    }
}

/// Not a control character, nor one that turns the direction of a line or hides in it.
fn is_plain(c: char) -> bool {
    !(c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || c == '\u{feff}')
}

/// In quotes where it would not be one word.
fn quoted(value: &str) -> String {
    let is_word = |c: char| !c.is_whitespace() && !matches!(c, '"' | '=' | '\\');
    if !value.is_empty() && value.chars().all(is_word) { value.to_owned() } else { json(value) }
}

fn json(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 2);
    push_json(&mut out, value);
    out
}

/// A JSON string of text that is clean: only quotes and backslashes are left to be escaped.
fn push_json(line: &mut String, value: &str) {
    line.push('"');
    for c in value.chars() {
        if matches!(c, '"' | '\\') {
            line.push('\\');
        }
        line.push(c);
    }
    line.push('"');
}
