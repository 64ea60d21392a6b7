//! The command line: sshd's letters with sshd's meanings, and `--init`. sshd(8).
//! Touches: arguments, the name of the current folder.   Never: files, the network; every setting becomes a line of the configuration.
//! Invariants: each letter of sshd has a row; none is taken and then ignored without a word.
//! Errors: [`ArgError`], in sshd's words, with the exit status.   Allocates: the arguments.
//! Proved by: `tests` below.

#[cfg(test)]
mod tests;

use adit_config::server::{DEFAULT_FILE, MatchContext};
use adit_config::types::LogLevel;
use std::ffi::OsString;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

/// What the user wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Args {
    /// What to do.
    pub(crate) action: Action,
    /// `-f`; none with `-f none`.
    pub(crate) config_file: Option<PathBuf>,
    /// Lines of configuration that win over those of the file.
    pub(crate) overrides: Vec<String>,
    /// `-p`, in their order; they are among the overrides too.
    pub(crate) ports: Vec<u16>,
    /// Stay in the foreground: `-D` or `-d`.
    pub(crate) foreground: bool,
    /// How often `-d` was there: serve one connection, say much.
    pub(crate) debug: u8,
    /// `-q`: log nothing but fatal errors, whatever the configuration says.
    pub(crate) quiet: bool,
    /// Open to debuggers: `--no-sandbox`; that there is no sandbox is among the overrides.
    pub(crate) open: bool,
    /// Where the log goes.
    pub(crate) log_to: LogTo,
    /// `-i`: the one connection is on standard input and output.
    pub(crate) inetd: bool,
    /// `-C`: whom `-T` and `-G` are about.
    pub(crate) connection: Option<ConnectionSpec>,
    /// What is worth saying, and from which level on.
    pub(crate) notes: Vec<(LogLevel, String)>,
}

/// What the program is to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Action {
    /// Serve.
    #[default]
    Serve,
    /// `-t`: check the configuration and the host keys.
    Test,
    /// `-T`: the same, then print what is in force.
    Dump,
    /// `-G`: print what is in force, without a look at the host keys.
    Print,
    /// `-V`
    Version,
    /// `--help`
    Help,
    /// `--hash-password`: hash a line of standard input for a UsersFile.
    HashPassword,
    /// `--init`: prepare this folder.
    Init(PathBuf),
}

/// Where the log goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum LogTo {
    /// The system's log.
    #[default]
    Syslog,
    /// `-e`, `-d`
    Stderr,
    /// `-E`
    File(PathBuf),
}

/// `-C user=ada,addr=192.0.2.1`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ConnectionSpec {
    pub(crate) user: Option<String>,
    pub(crate) invalid_user: bool,
    pub(crate) host: Option<String>,
    pub(crate) address: Option<IpAddr>,
    pub(crate) local_address: Option<IpAddr>,
    pub(crate) local_port: Option<u16>,
}

/// Why the arguments cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ArgError {
    text: String,
    usage: bool,
    /// The exit status.
    pub(crate) status: u8,
}

impl ArgError {
    fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), usage: false, status: 1 }
    }

    fn with_usage(text: impl Into<String>) -> Self {
        Self { usage: true, ..Self::new(text) }
    }
}

impl fmt::Display for ArgError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        if self.usage { write!(f, "\n{}\n{}", version(), usage().trim_end()) } else { Ok(()) }
    }
}

impl std::error::Error for ArgError {}

/// One letter.
struct Letter {
    letter: char,
    /// What its argument is called; empty without one.
    argument: &'static str,
    /// What it does, for the help; empty for what is left of former times.
    help: &'static str,
    act: Act,
}

/// What a letter does.
#[derive(Clone, Copy)]
enum Act {
    Do(fn(&mut Args)),
    Take(fn(&mut Args, String) -> Result<(), ArgError>),
    /// Nothing, and nothing is lost by it.
    Nothing(&'static str),
}

const fn letter(letter: char, argument: &'static str, help: &'static str, act: Act) -> Letter {
    Letter { letter, argument, help, act }
}

/// Every letter of sshd.
const LETTERS: &[Letter] = &[
    letter('4', "", "listen on IPv4 only", Act::Do(|args| args.say("AddressFamily inet"))),
    letter('6', "", "listen on IPv6 only", Act::Do(|args| args.say("AddressFamily inet6"))),
    letter('b', "bits", "", Act::Nothing("there are no server keys")),
    letter(
        'C',
        "connection_spec",
        "whom -T and -G are about: user=,host=,addr=,laddr=,lport=,invalid-user",
        Act::Take(Args::connection),
    ),
    letter(
        'c',
        "host_cert_file",
        "certificate of a host key",
        Act::Take(|args, name| args.say_name("HostCertificate", &name)),
    ),
    letter('D', "", "stay in the foreground", Act::Do(|args| args.foreground = true)),
    letter(
        'd',
        "",
        "serve one connection and say much; -dd and -ddd say more",
        Act::Do(Args::debug),
    ),
    letter('E', "log_file", "log to a file", Act::Take(Args::log_file)),
    letter('e', "", "log to standard error", Act::Do(Args::log_to_stderr)),
    letter('f', "config_file", "configuration; none for no file", Act::Take(Args::file)),
    letter('G', "", "print what is in force", Act::Do(|args| args.action = Action::Print)),
    letter(
        'g',
        "login_grace_time",
        "seconds until a client must have logged in",
        Act::Take(Args::grace),
    ),
    letter(
        'h',
        "host_key_file",
        "a host key",
        Act::Take(|args, name| args.say_name("HostKey", &name)),
    ),
    letter(
        'i',
        "",
        "serve the connection on standard input and output",
        Act::Do(|args| args.inetd = true),
    ),
    letter('k', "key_gen_time", "", Act::Nothing("there are no server keys")),
    letter('o', "option", "a line of configuration that wins over the file", Act::Take(Args::line)),
    letter('p', "port", "a port to listen on", Act::Take(Args::port)),
    letter('Q', "", "", Act::Nothing("there is no RSA server key")),
    letter('q', "", "log fatal errors only", Act::Do(|args| args.quiet = true)),
    letter('r', "", "", Act::Nothing("the program does not start itself anew")),
    letter(
        'T',
        "",
        "check all, then print what is in force",
        Act::Do(|args| args.action = Action::Dump),
    ),
    letter('t', "", "check the configuration and the host keys", Act::Do(Args::test)),
    letter('u', "len", "", Act::Nothing("no names are written to utmp")),
    letter('V', "", "print the version", Act::Do(|args| args.action = Action::Version)),
];

/// `aditd 0.1.0`
pub(crate) fn version() -> String {
    format!("aditd {}", env!("CARGO_PKG_VERSION"))
}

/// The letters, as sshd shows them.
pub(crate) fn usage() -> String {
    let live = |row: &&Letter| !row.help.is_empty();
    let flags: String = LETTERS
        .iter()
        .filter(live)
        .filter(|row| row.argument.is_empty())
        .map(|row| row.letter)
        .collect();
    let mut words = vec![format!("[-{flags}]")];
    let taking = LETTERS.iter().filter(live).filter(|row| !row.argument.is_empty());
    words.extend(taking.map(|row| format!("[-{} {}]", row.letter, row.argument)));
    let mut lines = vec!["usage: aditd".to_owned()];
    for word in words {
        let last = lines.len() - 1;
        if lines[last].len() + word.len() >= USAGE_WIDTH {
            lines.push(format!("            {word}"));
        } else {
            lines[last] = format!("{} {word}", lines[last]);
        }
    }
    lines.push(
        "       aditd --init folder [-p port]\n       aditd --hash-password\n       aditd --help\n"
            .into(),
    );
    lines.join("\n")
}

/// The usage, then a line for each letter.
pub(crate) fn help() -> String {
    let live = LETTERS.iter().filter(|row| !row.help.is_empty());
    let lines = live.map(|row| {
        let option = format!("-{} {}", row.letter, row.argument);
        format!("  {option:<20} {}\n", row.help)
    });
    let long = "  --init folder        make keys, a configuration and a first user for a gateway\n  \
                --hash-password      hash a line of standard input for a UsersFile\n  \
                --no-sandbox         keep what is not needed, and stay open to debuggers\n";
    format!("{}\n{}{long}", usage(), lines.collect::<String>())
}

/// Width at which the usage is broken.
const USAGE_WIDTH: usize = 80;

impl Args {
    /// Reads the arguments after the program's name.
    pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, ArgError> {
        let words = arguments.into_iter().map(OsString::into_string).collect::<Result<Vec<_>, _>>();
        let words = words.map_err(|_| ArgError::new("argument contains invalid characters"))?;
        let mut args = Self { config_file: Some(DEFAULT_FILE.into()), ..Self::default() };
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            match word.strip_prefix('-') {
                Some("-") => break,
                Some(letters) if letters.starts_with('-') => {
                    args.long(&letters[1..], &mut words)?
                }
                Some(letters) if !letters.is_empty() => args.letters(letters, &mut words)?,
                _ => return Err(ArgError::new(format!("Extra argument {word}."))),
            }
        }
        match words.next() {
            Some(word) => Err(ArgError::new(format!("Extra argument {word}."))),
            None => args.checked(),
        }
    }

    fn letters(
        &mut self,
        letters: &str,
        words: &mut impl Iterator<Item = String>,
    ) -> Result<(), ArgError> {
        let mut letters = letters.chars();
        while let Some(letter) = letters.next() {
            let unknown = || ArgError::with_usage(format!("unknown option -- {letter}"));
            let row = LETTERS.iter().find(|row| row.letter == letter).ok_or_else(unknown)?;
            let mut argument = String::new();
            if !row.argument.is_empty() {
                argument = letters.by_ref().collect();
                if argument.is_empty() {
                    argument = words.next().ok_or_else(|| {
                        ArgError::with_usage(format!("option requires an argument -- {letter}"))
                    })?;
                }
            }
            match row.act {
                Act::Do(act) => act(self),
                Act::Take(act) => act(self, argument)?,
                Act::Nothing(why) => {
                    self.notes.push((LogLevel::Debug1, format!("-{letter} has no effect: {why}")));
                }
            }
        }
        Ok(())
    }

    fn long(
        &mut self,
        word: &str,
        words: &mut impl Iterator<Item = String>,
    ) -> Result<(), ArgError> {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (word, None),
        };
        self.action = match name {
            "help" if value.is_none() => Action::Help,
            "hash-password" if value.is_none() => Action::HashPassword,
            "no-sandbox" if value.is_none() => {
                self.open = true;
                self.say("Sandbox no");
                return Ok(());
            }
            "init" => match value.or_else(|| words.next()).filter(|folder| !folder.is_empty()) {
                Some(folder) => Action::Init(folder.into()),
                None => return Err(ArgError::with_usage("option requires an argument -- init")),
            },
            _ => return Err(ArgError::with_usage(format!("unknown option -- {name}"))),
        };
        Ok(())
    }

    /// Whether it makes sense together.
    fn checked(mut self) -> Result<Self, ArgError> {
        let prints = matches!(self.action, Action::Dump | Action::Print);
        if self.connection.is_some() && !prints {
            let text =
                "Config test connection parameter (-C) provided without test mode (-T or -G)";
            return Err(ArgError { status: 255, ..ArgError::new(text) });
        }
        if let Some(level) = self.log_level() {
            self.overrides.insert(0, format!("LogLevel {level}"));
        }
        Ok(self)
    }

    fn say(&mut self, line: &str) {
        self.overrides.push(line.into());
    }

    /// A name is one word, whatever it is made of, and means the same when this is read again.
    fn say_name(&mut self, keyword: &str, name: &str) -> Result<(), ArgError> {
        let absolute = std::path::absolute(name).ok().filter(|_| name != "none");
        let name = absolute.map_or(name.into(), |path| path.to_string_lossy().into_owned());
        let name = name.replace('\\', "\\\\").replace('"', "\\\"");
        self.overrides.push(format!("{keyword} \"{name}\""));
        Ok(())
    }

    fn line(&mut self, line: String) -> Result<(), ArgError> {
        self.overrides.push(line);
        Ok(())
    }

    fn file(&mut self, name: String) -> Result<(), ArgError> {
        self.config_file = (!name.eq_ignore_ascii_case("none")).then(|| name.into());
        Ok(())
    }

    fn port(&mut self, word: String) -> Result<(), ArgError> {
        let port = adit_config::destination::port_number(&word);
        let port = port.ok_or_else(|| ArgError::new("Bad port number."))?;
        self.ports.push(port);
        self.say(&format!("Port {port}"));
        Ok(())
    }

    fn grace(&mut self, word: String) -> Result<(), ArgError> {
        if !word.starts_with(|c: char| c.is_ascii_digit()) || word.contains(char::is_whitespace) {
            return Err(ArgError::new("Invalid login grace time."));
        }
        self.say(&format!("LoginGraceTime {word}"));
        Ok(())
    }

    fn debug(&mut self) {
        self.debug = self.debug.saturating_add(1);
        self.foreground = true;
        self.log_to_stderr();
    }

    fn log_to_stderr(&mut self) {
        if self.log_to == LogTo::Syslog {
            self.log_to = LogTo::Stderr;
        }
    }

    fn log_file(&mut self, name: String) -> Result<(), ArgError> {
        self.log_to = LogTo::File(name.into());
        Ok(())
    }

    /// `-T` checks all that `-t` checks.
    fn test(&mut self) {
        if self.action != Action::Dump {
            self.action = Action::Test;
        }
    }

    /// The level the arguments ask for; it is among the overrides too.
    pub(crate) fn log_level(&self) -> Option<LogLevel> {
        match (self.debug, self.quiet) {
            (0, false) => None,
            (0, true) => Some(LogLevel::Quiet),
            (1, _) => Some(LogLevel::Debug1),
            (2, _) => Some(LogLevel::Debug2),
            (3.., _) => Some(LogLevel::Debug3),
        }
    }

    fn connection(&mut self, text: String) -> Result<(), ArgError> {
        let spec = self.connection.get_or_insert_default();
        for part in text.split(',').filter(|part| !part.is_empty()) {
            spec.set(part)?;
        }
        Ok(())
    }
}

impl ConnectionSpec {
    /// As Match sees it.
    pub(crate) fn context<'a>(&'a self, groups: &'a [String]) -> MatchContext<'a> {
        MatchContext {
            user: self.user.as_deref(),
            invalid_user: self.invalid_user,
            groups,
            host: self.host.as_deref(),
            address: self.address,
            local_address: self.local_address,
            local_port: self.local_port,
        }
    }

    fn set(&mut self, part: &str) -> Result<(), ArgError> {
        let wrong = || ArgError::new(format!("Invalid test mode specification {part}"));
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let address = || value.parse().map(Some).map_err(|_| wrong());
        match name {
            "user" => self.user = Some(value.into()),
            "host" => self.host = Some(value.into()),
            "addr" => self.address = address()?,
            "laddr" => self.local_address = address()?,
            "lport" => {
                let port = adit_config::destination::port_number(value);
                self.local_port = Some(port.ok_or_else(|| {
                    ArgError::new(format!(
                        "Invalid port '{value}' in test mode specification {part}"
                    ))
                })?);
            }
            "invalid-user" if value.is_empty() => self.invalid_user = true,
            _ => return Err(wrong()),
        }
        Ok(())
    }
}
