//! `~`, `%h` and `${NAME}` in values. ssh_config(5), TOKENS and ENVIRONMENT VARIABLES.
//! Touches: the environment and home directories, through [`Surroundings`].   Never: a shell.
//! Invariants: what is put in is not expanded again.
//! Errors: [`TokenError`], in ssh's words.   Allocates: the result.
//! Proved by: `tests` below.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

/// What lies outside the configuration.
pub trait Surroundings {
    /// Value of an environment variable.
    fn variable(&self, name: &str) -> Option<String>;
    /// Home directory of a user; without a name, of this one.
    fn home(&self, user: Option<&str>) -> Option<String>;
}

/// Why a value cannot be expanded. Shown as ssh shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenError {
    /// `%x` means nothing here.
    UnknownToken(char),
    /// A `%` ends the value.
    LonelyPercent,
    /// `${` is not closed.
    Unclosed(String),
    /// `${}`
    Nameless,
    /// The environment does not have it.
    NoVariable(String),
    /// `~user`, and there is none.
    NoUser(String),
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownToken(token) => {
                write!(f, "vdollar_percent_expand: unknown key %{}", token.escape_default())
            }
            Self::LonelyPercent => f.write_str("vdollar_percent_expand: invalid format"),
            Self::Unclosed(name) => write!(
                f,
                "vdollar_percent_expand: environment variable '{name}' missing closing '}}'"
            ),
            Self::Nameless => {
                f.write_str("vdollar_percent_expand: zero-length environment variable")
            }
            Self::NoVariable(name) => {
                write!(f, "vdollar_percent_expand: env var ${{{name}}} has no value")
            }
            Self::NoUser(name) => write!(f, "tilde_expand: No such user {name}"),
        }
    }
}

impl Error for TokenError {}

/// Values of `%` tokens. One that is not here is an error where it is used.
#[derive(Clone, Debug, Default)]
pub struct Tokens<'a> {
    values: Vec<(char, Cow<'a, str>)>,
}

/// What a connection's tokens are made of.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionTokens<'a> {
    /// `%n`: the host as it was given.
    pub given_host: &'a str,
    /// `%h`: the host that is connected to.
    pub host: &'a str,
    /// `%p`
    pub port: u16,
    /// `%r`: the user at the server.
    pub user: &'a str,
    /// `%k`: HostKeyAlias, else as `%n`.
    pub host_key_alias: Option<&'a str>,
    /// `%j`: ProxyJump, or empty.
    pub jump: &'a str,
    /// `%l`: this host's name, `%L`: up to its first dot.
    pub local_host: &'a str,
    /// `%u`: this user's name.
    pub local_user: &'a str,
    /// `%i`
    pub uid: u32,
    /// `%d`: this user's home directory.
    pub home: &'a str,
    /// `%C`: hexadecimal SHA-1 of [`ConnectionTokens::hash_input`], if there is one.
    pub connection_hash: Option<&'a str>,
}

impl ConnectionTokens<'_> {
    /// `%l%h%p%r%j`, what `%C` is the hash of.
    #[must_use]
    pub fn hash_input(&self) -> String {
        format!("{}{}{}{}{}", self.local_host, self.host, self.port, self.user, self.jump)
    }
}

impl<'a> Tokens<'a> {
    /// Those of a Hostname value: `%h`, the host as it was given.
    #[must_use]
    pub fn of_hostname(given_host: &'a str) -> Self {
        Self::default().with('h', given_host)
    }

    /// Those of most values.
    #[must_use]
    pub fn of_connection(facts: &ConnectionTokens<'a>) -> Self {
        let short = facts.local_host.split('.').next().unwrap_or_default();
        let tokens = Self::default()
            .with('n', facts.given_host)
            .with('h', facts.host)
            .with('p', facts.port.to_string())
            .with('r', facts.user)
            .with('k', facts.host_key_alias.unwrap_or(facts.given_host))
            .with('j', facts.jump)
            .with('l', facts.local_host)
            .with('L', short)
            .with('u', facts.local_user)
            .with('i', facts.uid.to_string())
            .with('d', facts.home);
        match facts.connection_hash {
            Some(hash) => tokens.with('C', hash),
            None => tokens,
        }
    }

    /// One more: `%f`, `%H`, `%I`, `%K`, `%t` and `%T` exist for single keywords only.
    #[must_use]
    pub fn with(mut self, token: char, value: impl Into<Cow<'a, str>>) -> Self {
        self.values.push((token, value.into()));
        self
    }

    /// One less.
    #[must_use]
    pub fn without(mut self, token: char) -> Self {
        self.values.retain(|(letter, _)| *letter != token);
        self
    }

    /// Replaces tokens and variables.
    ///
    /// # Errors
    /// [`TokenError`]
    pub fn expand(
        &self,
        text: &str,
        surroundings: &dyn Surroundings,
    ) -> Result<String, TokenError> {
        let mut expanded = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find(['%', '$']) {
            expanded.push_str(&rest[..at]);
            let special = &rest[at..];
            rest = match special.strip_prefix("${") {
                Some(variable) => {
                    let (name, after) = variable
                        .split_once('}')
                        .ok_or_else(|| TokenError::Unclosed(variable.into()))?;
                    expanded.push_str(&value_of(name, surroundings)?);
                    after
                }
                None => match special.strip_prefix('%') {
                    Some(after) => self.token(after, &mut expanded)?,
                    None => {
                        expanded.push('$');
                        &special[1..]
                    }
                },
            };
        }
        expanded.push_str(rest);
        Ok(expanded)
    }

    /// Replaces a `~` in front, then tokens and variables in what follows it.
    ///
    /// # Errors
    /// [`TokenError`]
    pub fn expand_path(
        &self,
        text: &str,
        surroundings: &dyn Surroundings,
    ) -> Result<String, TokenError> {
        let Some(rest) = text.strip_prefix('~') else { return self.expand(text, surroundings) };
        let (user, below) = rest.split_once('/').unwrap_or((rest, ""));
        let named = (!user.is_empty()).then_some(user);
        let home = surroundings.home(named).ok_or_else(|| TokenError::NoUser(user.into()))?;
        let below = self.expand(below, surroundings)?;
        Ok(format!("{}/{below}", home.trim_end_matches('/')))
    }

    /// What follows a `%`; returns what follows the token.
    fn token<'t>(&self, after: &'t str, expanded: &mut String) -> Result<&'t str, TokenError> {
        let token = after.chars().next().ok_or(TokenError::LonelyPercent)?;
        if token == '%' {
            expanded.push('%');
        } else {
            let known = self.values.iter().find(|(letter, _)| *letter == token);
            expanded.push_str(&known.ok_or(TokenError::UnknownToken(token))?.1);
        }
        Ok(&after[token.len_utf8()..])
    }
}

fn value_of(name: &str, surroundings: &dyn Surroundings) -> Result<String, TokenError> {
    if name.is_empty() {
        return Err(TokenError::Nameless);
    }
    surroundings.variable(name).ok_or_else(|| TokenError::NoVariable(name.into()))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(crate) struct Ada;

    impl Surroundings for Ada {
        fn variable(&self, name: &str) -> Option<String> {
            match name {
                "RUN" => Some("/run/%h".into()),
                "SSH_AUTH_SOCK" => Some("/run/agent".into()),
                _ => None,
            }
        }

        fn home(&self, user: Option<&str>) -> Option<String> {
            match user {
                None => Some("/home/ada".into()),
                Some("root") => Some("/root/".into()),
                Some(_) => None,
            }
        }
    }

    pub(crate) const FACTS: ConnectionTokens<'static> = ConnectionTokens {
        given_host: "db",
        host: "db.internal",
        port: 2222,
        user: "tunnel",
        host_key_alias: None,
        jump: "",
        local_host: "pi.home.example",
        local_user: "ada",
        uid: 1000,
        home: "/home/ada",
        connection_hash: Some("c0ffee"),
    };

    #[test]
    fn a_token_taken_away_is_unknown() {
        let tokens = Tokens::of_hostname("db").with('r', "ada");
        assert_eq!(tokens.expand("%r@%h", &Ada), Ok("ada@db".into()));
        assert_eq!(tokens.without('r').expand("%r", &Ada), Err(TokenError::UnknownToken('r')));
    }

    #[test]
    fn tokens_variables_and_tildes_are_replaced() {
        let tokens = Tokens::of_connection(&FACTS);
        for (text, expected) in [
            ("plain", "plain"),
            ("%n %h %p %r", "db db.internal 2222 tunnel"),
            ("%k %j %l %L", "db  pi.home.example pi"),
            ("%u %i %d %C", "ada 1000 /home/ada c0ffee"),
            ("100%%", "100%"),
            ("%%h", "%h"),
            ("${RUN}/x", "/run/%h/x"),
            ("$RUN $", "$RUN $"),
            ("~/x", "/home/ada/x"),
            ("~", "/home/ada/"),
            ("~root/%h", "/root/db.internal"),
            ("a~", "a~"),
        ] {
            assert_eq!(tokens.expand_path(text, &Ada).as_deref(), Ok(expected), "{text}");
        }
        assert_eq!(FACTS.hash_input(), "pi.home.exampledb.internal2222tunnel");
    }

    #[test]
    fn what_cannot_be_expanded_is_refused_in_ssh_words() {
        let tokens = Tokens::of_hostname("db");
        assert_eq!(tokens.expand("%h.internal", &Ada).as_deref(), Ok("db.internal"));
        for (text, words) in [
            ("%n", "vdollar_percent_expand: unknown key %n"),
            ("%", "vdollar_percent_expand: invalid format"),
            ("${", "vdollar_percent_expand: environment variable '' missing closing '}'"),
            ("${A", "vdollar_percent_expand: environment variable 'A' missing closing '}'"),
            ("${}", "vdollar_percent_expand: zero-length environment variable"),
            ("${NOPE}", "vdollar_percent_expand: env var ${NOPE} has no value"),
            ("~nobody/x", "tilde_expand: No such user nobody"),
        ] {
            assert_eq!(tokens.expand_path(text, &Ada).unwrap_err().to_string(), words, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_expanded_or_refused(text in ".{0,40}|[%$~{}a-z/]{0,20}") {
            let expanded = Tokens::of_connection(&FACTS).expand_path(&text, &Ada);
            if !text.contains(['%', '$', '~']) {
                prop_assert_eq!(expanded, Ok(text));
            }
        }
    }
}
