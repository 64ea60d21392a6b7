//! The options before a key: `restrict,port-forwarding,permitopen="host:port"`. sshd(8) AUTHORIZED_KEYS FILE FORMAT.
//! Touches: one text.   Never: files, clocks; whether an option is obeyed is asked elsewhere.
//! Invariants: options apply in their order; one that is unknown, or has a wrong value, takes all of them with it.
//! Errors: `OptionError`, naming the option.   Allocates: the values.
//! Proved by: `tests` below, fuzz `authorized_keys_line`.

use std::fmt;

use super::expiry::Expiry;

/// What stands before a key, or before a principal in AuthorizedPrincipalsFile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyOptions {
    /// `agent-forwarding`
    pub agent_forwarding: bool,
    /// `cert-authority`: the key does not log in itself, but signs certificates that do.
    pub cert_authority: bool,
    /// `command=`
    pub command: Option<String>,
    /// `environment=`; the first of a name counts.
    pub environment: Vec<(String, String)>,
    /// `expiry-time=`, the earliest.
    pub expiry: Option<Expiry>,
    /// `from=`, as written.
    pub from: Option<String>,
    /// `permitlisten=` values, as written.
    pub permit_listen: Vec<String>,
    /// `permitopen=` values, as written.
    pub permit_open: Vec<String>,
    /// `port-forwarding`
    pub port_forwarding: bool,
    /// `principals=`: who may be named in a certificate, instead of the user.
    pub principals: Option<Vec<String>>,
    /// `pty`
    pub pty: bool,
    /// False after `no-touch-required`.
    pub touch_required: bool,
    /// `tunnel=`: the device, or `any`; there are none here to give.
    pub tunnel: Option<String>,
    /// `user-rc`
    pub user_rc: bool,
    /// `verify-required`
    pub verify_required: bool,
    /// `X11-forwarding`
    pub x11_forwarding: bool,
}

/// Why options count for nothing, and their key with them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionError {
    /// The option's name, as far as it could be made out.
    pub option: String,
    /// What is wrong with it.
    pub fault: OptionFault,
}

/// What is wrong with an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OptionFault {
    /// Nobody knows it.
    Unknown,
    /// It needs a value in quotes.
    MissingValue,
    /// It takes no value.
    UnwantedValue,
    /// The quote is not closed.
    MissingEndQuote,
    /// Neither a comma nor the end follows.
    MissingComma,
    /// It stands there twice.
    Multiple,
    /// The value is not what it must be.
    InvalidValue,
}

/// Everything is allowed, nothing is demanded.
impl Default for KeyOptions {
    fn default() -> Self {
        Self {
            agent_forwarding: true,
            cert_authority: false,
            command: None,
            environment: Vec::new(),
            expiry: None,
            from: None,
            permit_listen: Vec::new(),
            permit_open: Vec::new(),
            port_forwarding: true,
            principals: None,
            pty: true,
            touch_required: true,
            tunnel: None,
            user_rc: true,
            verify_required: false,
            x11_forwarding: true,
        }
    }
}

impl KeyOptions {
    /// Reads options; an empty text has none.
    ///
    /// # Errors
    /// [`OptionError`] for the first that cannot be obeyed.
    pub fn parse(text: &str) -> Result<Self, OptionError> {
        let mut options = Self::default();
        let mut rest = text;
        while !rest.is_empty() {
            let end = rest.find(['=', ',', '"']).unwrap_or(rest.len());
            let (name, after) = rest.split_at(end);
            let fault = |fault| OptionError { option: name.to_owned(), fault };
            let (value, after) = value(after).map_err(fault)?;
            options.apply(name, value).map_err(fault)?;
            rest = match after.strip_prefix(',') {
                Some(next) if !next.is_empty() => next,
                None if after.is_empty() => after,
                _ => return Err(fault(OptionFault::MissingComma)),
            };
        }
        Ok(options)
    }

    fn apply(&mut self, name: &str, value: Option<String>) -> Result<(), OptionFault> {
        let lower = name.to_ascii_lowercase();
        match (lower.as_str(), value) {
            (flag, None) => self.apply_flag(flag),
            ("command", Some(value)) => once(&mut self.command, value),
            ("from", Some(value)) => once(&mut self.from, value),
            ("principals", Some(value)) => {
                once(&mut self.principals, value.split(',').map(str::to_owned).collect())
            }
            ("environment", Some(value)) => self.add_variable(&value),
            ("expiry-time", Some(value)) => self.expire(&value),
            ("permitopen", Some(value)) => add(&mut self.permit_open, value, is_host_and_port),
            ("permitlisten", Some(value)) => add(&mut self.permit_listen, value, is_listen),
            ("tunnel", Some(value)) if !is_tunnel(&value) => Err(OptionFault::InvalidValue),
            ("tunnel", Some(value)) => once(&mut self.tunnel, value),
            (flag, Some(_)) => match Self::default().apply_flag(flag) {
                Ok(()) => Err(OptionFault::UnwantedValue),
                Err(fault) => Err(fault),
            },
        }
    }

    fn apply_flag(&mut self, name: &str) -> Result<(), OptionFault> {
        let (flag, value) = match name.strip_prefix("no-") {
            Some(flag) => (flag, false),
            None => (name, true),
        };
        match (flag, value) {
            ("restrict", true) => self.restrict(),
            ("cert-authority", true) => self.cert_authority = true,
            ("verify-required", true) => self.verify_required = true,
            ("touch-required", false) => self.touch_required = false,
            ("agent-forwarding", _) => self.agent_forwarding = value,
            ("port-forwarding", _) => self.port_forwarding = value,
            ("pty", _) => self.pty = value,
            ("user-rc", _) => self.user_rc = value,
            ("x11-forwarding", _) => self.x11_forwarding = value,
            _ if WITH_VALUE.contains(&name) => return Err(OptionFault::MissingValue),
            _ => return Err(OptionFault::Unknown),
        }
        Ok(())
    }

    const fn restrict(&mut self) {
        self.agent_forwarding = false;
        self.port_forwarding = false;
        self.pty = false;
        self.user_rc = false;
        self.x11_forwarding = false;
    }

    fn add_variable(&mut self, value: &str) -> Result<(), OptionFault> {
        let (name, value) = value.split_once('=').ok_or(OptionFault::InvalidValue)?;
        let is_name_byte = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if name.is_empty() || !name.bytes().all(is_name_byte) {
            return Err(OptionFault::InvalidValue);
        }
        if !self.environment.iter().any(|(known, _)| known == name) {
            self.environment.push((name.to_owned(), value.to_owned()));
        }
        Ok(())
    }

    fn expire(&mut self, value: &str) -> Result<(), OptionFault> {
        let expiry = Expiry::parse(value).ok_or(OptionFault::InvalidValue)?;
        let earliest = self.expiry.take().map_or(expiry, |known| known.min(expiry));
        self.expiry = Some(earliest);
        Ok(())
    }
}

/// Options that are nothing without a value.
const WITH_VALUE: [&str; 8] = [
    "command",
    "environment",
    "expiry-time",
    "from",
    "permitlisten",
    "permitopen",
    "principals",
    "tunnel",
];

/// `="value"` and what follows it; no value where something else stands.
fn value(text: &str) -> Result<(Option<String>, &str), OptionFault> {
    let Some(assigned) = text.strip_prefix('=') else { return Ok((None, text)) };
    let mut rest = assigned.strip_prefix('"').ok_or(OptionFault::MissingValue)?;
    let mut value = String::new();
    loop {
        let end = rest.find(['"', '\\']).ok_or(OptionFault::MissingEndQuote)?;
        value.push_str(&rest[..end]);
        rest = &rest[end..];
        if let Some(after) = rest.strip_prefix('"') {
            return Ok((Some(value), after));
        }
        // Only a quote is escaped; any other backslash stands for itself.
        let escaped = rest.strip_prefix("\\\"");
        value.push(if escaped.is_some() { '"' } else { '\\' });
        rest = escaped.unwrap_or(&rest[1..]);
    }
}

fn once<T>(place: &mut Option<T>, value: T) -> Result<(), OptionFault> {
    match place {
        Some(_) => Err(OptionFault::Multiple),
        None => {
            *place = Some(value);
            Ok(())
        }
    }
}

fn add(
    values: &mut Vec<String>,
    value: String,
    is_good: fn(&str) -> bool,
) -> Result<(), OptionFault> {
    if !is_good(&value) {
        return Err(OptionFault::InvalidValue);
    }
    values.push(value);
    Ok(())
}

/// `host:port`, an IPv6 address in brackets; what the host may be is for whoever obeys it to say.
fn is_host_and_port(value: &str) -> bool {
    let Some((host, port)) = value.rsplit_once(':') else { return false };
    let is_bracketed = host.starts_with('[') && host.ends_with(']') && host.len() > 2;
    let is_plain = !host.is_empty() && !host.contains([':', '[', ']']);
    let is_text = !host.contains(|c: char| c.is_whitespace() || c.is_control());
    (is_bracketed || is_plain) && is_text && is_port(port)
}

/// `[host:]port`
fn is_listen(value: &str) -> bool {
    is_port(value) || is_host_and_port(value)
}

/// A port, a range of ports, or `*` for all.
fn is_port(text: &str) -> bool {
    let number = |text: &str| {
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u16>().ok().filter(|port| is_number && *port > 0)
    };
    match text.split_once('-') {
        Some((first, last)) => {
            number(first).zip(number(last)).is_some_and(|(first, last)| first <= last)
        }
        None => text == "*" || number(text).is_some(),
    }
}

fn is_tunnel(value: &str) -> bool {
    value == "any" || value.parse::<i32>().is_ok_and(|device| device >= 0)
}

impl fmt::Display for OptionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Options are the text of a file: shown without what could move a terminal's cursor.
        let option = self.option.escape_debug();
        match self.fault {
            OptionFault::Unknown => write!(f, "unknown key option \"{option}\""),
            OptionFault::MissingValue => write!(f, "{option}: missing start quote"),
            OptionFault::UnwantedValue => write!(f, "{option}: takes no value"),
            OptionFault::MissingEndQuote => write!(f, "{option}: missing end quote"),
            OptionFault::MissingComma => write!(f, "{option}: unexpected end-of-options"),
            OptionFault::Multiple => write!(f, "multiple \"{option}\" clauses"),
            OptionFault::InvalidValue => write!(f, "invalid {option} value"),
        }
    }
}

impl std::error::Error for OptionError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> KeyOptions {
        KeyOptions::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn fault(text: &str) -> OptionFault {
        KeyOptions::parse(text).expect_err(text).fault
    }

    /// Flags in the order of `apply_flag`.
    fn permissions(text: &str) -> [bool; 5] {
        let options = parse(text);
        [
            options.agent_forwarding,
            options.port_forwarding,
            options.pty,
            options.user_rc,
            options.x11_forwarding,
        ]
    }

    #[test]
    fn each_permission_is_taken_and_given_by_its_own_option() {
        let all = [true; 5];
        assert_eq!(permissions(""), all);
        assert_eq!(permissions("restrict"), [false; 5]);
        let names = ["agent-forwarding", "port-forwarding", "pty", "user-rc", "X11-forwarding"];
        for (at, name) in names.into_iter().enumerate() {
            let mut without = all;
            without[at] = false;
            assert_eq!(permissions(&format!("no-{name}")), without, "{name}");
            assert_eq!(permissions(&format!("NO-{}", name.to_uppercase())), without, "{name}");
            let mut alone = [false; 5];
            alone[at] = true;
            assert_eq!(permissions(&format!("restrict,{name}")), alone, "{name}");
            // In their order: what is restricted afterwards is gone.
            assert_eq!(permissions(&format!("{name},restrict")), [false; 5], "{name}");
        }
    }

    #[test]
    fn flags_say_what_they_say() {
        assert!(parse("cert-authority").cert_authority && !parse("").cert_authority);
        assert!(parse("verify-required").verify_required && !parse("").verify_required);
        assert!(!parse("no-touch-required").touch_required && parse("").touch_required);
        for text in ["no-restrict", "no-cert-authority", "touch-required", "no-verify-required"] {
            assert_eq!(fault(text), OptionFault::Unknown, "{text}");
        }
    }

    #[test]
    fn values_are_quoted_and_only_a_quote_is_escaped() {
        let command = |text: &str| parse(text).command.unwrap();
        assert_eq!(command(r#"command="/bin/date -u""#), "/bin/date -u");
        assert_eq!(command(r#"Command="echo \"a, b\" \n \\x""#), r#"echo "a, b" \n \\x"#);
        assert_eq!(command(r#"command="""#), "");
        for (text, expected) in [
            (r#"command=/bin/date"#, OptionFault::MissingValue),
            ("command", OptionFault::MissingValue),
            (r#"command="a"#, OptionFault::MissingEndQuote),
            (r#"command="a\""#, OptionFault::MissingEndQuote),
            (r#"command="a"b"#, OptionFault::MissingComma),
            (r#"command="a","#, OptionFault::MissingComma),
            (r#"command="a",command="b""#, OptionFault::Multiple),
            (r#"from="a",from="b""#, OptionFault::Multiple),
            (r#"principals="a",principals="b""#, OptionFault::Multiple),
            (r#"tunnel="1",tunnel="1""#, OptionFault::Multiple),
            (r#"pty="yes""#, OptionFault::UnwantedValue),
            (r#"unheard-of="yes""#, OptionFault::Unknown),
            ("unheard-of", OptionFault::Unknown),
            ("pty,,pty", OptionFault::Unknown),
            ("pty\"\"", OptionFault::MissingComma),
        ] {
            assert_eq!(fault(text), expected, "{text}");
        }
    }

    #[test]
    fn lists_are_read_as_lists() {
        let options = parse(r#"from="10.0.0.0/8,!10.1.*",principals="ada,grace""#);
        assert_eq!(options.from.as_deref(), Some("10.0.0.0/8,!10.1.*"));
        assert_eq!(options.principals.unwrap(), ["ada", "grace"]);
        let options = parse(r#"permitopen="a:1",permitlisten="2",PermitOpen="[::1]:*""#);
        assert_eq!(options.permit_open, ["a:1", "[::1]:*"]);
        assert_eq!(options.permit_listen, ["2"]);
    }

    #[test]
    fn only_places_can_be_permitted() {
        for value in ["host:1", "*:*", "[2001:db8::1]:80", "10.0.0.0/8:5432", "h:1000-2000"] {
            assert_eq!(parse(&format!("permitopen=\"{value}\"")).permit_open, [value]);
            assert_eq!(parse(&format!("permitlisten=\"{value}\"")).permit_listen, [value]);
        }
        for value in ["8080", "*", "1-2"] {
            assert_eq!(parse(&format!("permitlisten=\"{value}\"")).permit_listen, [value]);
            let open = format!("permitopen=\"{value}\"");
            assert_eq!(fault(&open), OptionFault::InvalidValue, "{value}");
        }
        for value in
            ["", "host", "host:", "host:0", ":80", "h:65536", "h:+1", "h:2-1", "a b:1", "::1:80"]
        {
            for option in ["permitopen", "permitlisten"] {
                let text = format!("{option}=\"{value}\"");
                assert_eq!(fault(&text), OptionFault::InvalidValue, "{text}");
            }
        }
    }

    #[test]
    fn variables_have_names_and_the_first_of_a_name_counts() {
        let options = parse(r#"environment="A=1",environment="B=x=y",environment="A=2""#);
        let pairs: Vec<_> =
            options.environment.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(pairs, [("A", "1"), ("B", "x=y")]);
        for value in ["A", "=1", "A-B=1", "A B=1"] {
            let text = format!("environment=\"{value}\"");
            assert_eq!(fault(&text), OptionFault::InvalidValue, "{text}");
        }
    }

    #[test]
    fn the_earliest_expiry_counts() {
        let of = |text: &str| parse(text).expiry.unwrap();
        let early = of(r#"expiry-time="20260101Z""#);
        assert_eq!(of(r#"expiry-time="20260101Z",expiry-time="20270101Z""#), early);
        assert_eq!(of(r#"expiry-time="20270101Z",expiry-time="20260101Z""#), early);
        assert_eq!(fault(r#"expiry-time="never""#), OptionFault::InvalidValue);
    }

    #[test]
    fn tunnels_are_numbers_or_any() {
        assert_eq!(parse(r#"tunnel="0""#).tunnel.as_deref(), Some("0"));
        assert_eq!(parse(r#"tunnel="any""#).tunnel.as_deref(), Some("any"));
        assert_eq!(fault(r#"tunnel="x""#), OptionFault::InvalidValue);
        assert_eq!(fault(r#"tunnel="-1""#), OptionFault::InvalidValue);
    }

    #[test]
    fn an_error_names_the_option() {
        let text = |options: &str| KeyOptions::parse(options).unwrap_err().to_string();
        assert_eq!(text("pty,nonsense"), r#"unknown key option "nonsense""#);
        assert_eq!(text(r#"permitopen="x""#), "invalid permitopen value");
        assert_eq!(text("a\u{1b}[2J"), r#"unknown key option "a\u{1b}[2J""#);
    }
}
