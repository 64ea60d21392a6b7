//! Which destinations a reverse dynamic forward may reach: PermitRemoteOpen. ssh_config(5).
//! Touches: strings.   Never: name look-up: names are compared as they are written.
//! Invariants: nothing is permitted by a list that does not name it.
//! Errors: [`PermitError`].   Allocates: one string per entry.
//! Proved by: `tests` below.

use std::fmt;

/// The rule; [`PermitRemoteOpen::Any`] when nothing is configured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PermitRemoteOpen {
    /// Everything.
    #[default]
    Any,
    /// Nothing.
    None,
    /// What one of these names.
    List(Vec<Permitted>),
}

/// One `host:port`; `None` stands for `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permitted {
    host: Option<String>,
    port: Option<u16>,
}

/// Why a PermitRemoteOpen value is refused, in ssh's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PermitError {
    /// The host is missing.
    MissingHost,
    /// The port is missing, 0 or not a number.
    BadPort,
    /// This word stands for the whole value, so it must be alone.
    NotAlone(&'static str),
}

impl fmt::Display for PermitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingHost => f.write_str("missing host in permitremoteopen"),
            Self::BadPort => f.write_str("bad port number in permitremoteopen"),
            Self::NotAlone(word) => {
                write!(f, "keyword permitremoteopen \"{word}\" argument must appear alone.")
            }
        }
    }
}

impl std::error::Error for PermitError {}

impl PermitRemoteOpen {
    /// Reads the words of the value.
    ///
    /// # Errors
    /// [`PermitError`] naming what is wrong.
    pub fn parse<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self, PermitError> {
        let words: Vec<&str> = words.into_iter().collect();
        match words.as_slice() {
            ["any"] => return Ok(Self::Any),
            ["none"] => return Ok(Self::None),
            _ => {}
        }
        words.into_iter().map(permitted).collect::<Result<_, _>>().map(Self::List)
    }

    /// Whether the client may connect there.
    #[must_use]
    pub fn allows(&self, host: &str, port: u16) -> bool {
        match self {
            Self::Any => true,
            Self::None => false,
            Self::List(list) => list.iter().any(|entry| {
                entry.host.as_deref().is_none_or(|name| name == host)
                    && entry.port.is_none_or(|number| number == port)
            }),
        }
    }
}

fn permitted(word: &str) -> Result<Permitted, PermitError> {
    if let Some(alone) = ["any", "none"].into_iter().find(|&alone| alone == word) {
        return Err(PermitError::NotAlone(alone));
    }
    let (host, port) = match word.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']').ok_or(PermitError::MissingHost)?;
            (host, after.strip_prefix(':').ok_or(PermitError::BadPort)?)
        }
        None => word.split_once(':').ok_or(PermitError::BadPort)?,
    };
    if host.is_empty() {
        return Err(PermitError::MissingHost);
    }
    let port = match port {
        "*" => None,
        number => match number.parse() {
            Ok(0) | Err(_) => return Err(PermitError::BadPort),
            Ok(number) => Some(number),
        },
    };
    Ok(Permitted { host: (host != "*").then(|| host.into()), port })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(text: &str) -> Result<PermitRemoteOpen, PermitError> {
        PermitRemoteOpen::parse(text.split_whitespace())
    }

    #[test]
    fn a_list_permits_what_it_names_and_nothing_else() {
        let list = rule("web:80 *:22 db:* [::1]:5").unwrap();
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
        assert!(rule("any").unwrap().allows("x", 1));
        assert!(!rule("none").unwrap().allows("x", 1));
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
            assert_eq!(rule(text).unwrap_err().to_string(), words, "{text}");
        }
    }
}
