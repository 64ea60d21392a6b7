//! The command line: ssh's letters with ssh's meanings. ssh(1).
//! Touches: arguments.   Never: files, the environment, the network; every setting goes through `adit_config`.
//! Invariants: each letter of ssh has a row; none is taken and then ignored without a word.
//! Errors: [`ArgError`], in ssh's words; the exit status is 255 for all.   Allocates: the arguments.
//! Proved by: `tests` below, the page `docs/COMPATIBILITY.md` held against the table.

use adit_config::types::{LogLevel, SessionType};
use adit_config::{Algorithms, ConfigError, Destination, Keyword, Options, Partial, Source};
use adit_forward::{Direction, ForwardSpec, Target};
use std::ffi::OsString;
use std::fmt;

/// What the program is called in its usage.
const PROGRAM: &str = "adit";

/// Keeps what the program would give up once the tunnel stands. ssh has no such option, nor any letter left that means it.
const NO_SANDBOX: &str = "--no-sandbox";

/// What is said of files that are not read.
const NO_FILES: &str = "configuration files are not read yet";

/// Width at which the usage is broken.
const USAGE_WIDTH: usize = 80;

/// What the user wants.
#[derive(Debug)]
pub(crate) enum Invocation {
    /// `-V`
    Version,
    /// `-Q`: the names of one kind, see [`query`].
    Query(String),
    /// Everything else.
    Connect(Box<CommandLine>),
}

/// A connection, as far as the arguments tell.
#[derive(Debug)]
pub(crate) struct CommandLine {
    /// Where to, as it was given; user and port have gone to the options.
    pub(crate) host: String,
    /// What stands after the host, joined with spaces.
    pub(crate) command: Option<String>,
    /// Settings; those of the configuration files come after them.
    pub(crate) options: Partial,
    /// `-F`
    pub(crate) config_file: ConfigFile,
    /// `-E`
    pub(crate) log_file: Option<String>,
    /// `-W`
    pub(crate) stdio_forward: Option<Target>,
    /// Without `--no-sandbox`.
    pub(crate) sandbox: bool,
}

/// Which configuration files to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ConfigFile {
    /// The user's and the system's.
    Usual,
    /// `-F none`
    None,
    /// This one alone.
    Named(String),
}

/// Why the arguments cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ArgError {
    /// The usage is shown, after a complaint if there is one.
    Usage(Option<String>),
    /// A complaint alone.
    Message(String),
}

impl fmt::Display for ArgError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(None) => f.write_str(&usage()),
            Self::Usage(Some(complaint)) => write!(f, "{complaint}\n{}", usage()),
            Self::Message(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for ArgError {}

impl From<ConfigError> for ArgError {
    fn from(error: ConfigError) -> Self {
        Self::Message(error.to_string())
    }
}

impl CommandLine {
    /// Whether what is in force makes sense together.
    pub(crate) fn check(&self, options: &Options) -> Result<(), ArgError> {
        let session = options.session_type != SessionType::None && self.stdio_forward.is_none();
        let refuse = |text: &str| Err(ArgError::Message(text.into()));
        if !session {
            return Ok(());
        }
        if options.session_type == SessionType::Subsystem {
            return match self.command {
                None => {
                    Err(ArgError::Usage(Some("You must specify a subsystem to invoke.".into())))
                }
                Some(_) => refuse("Subsystems are not supported yet."),
            };
        }
        if options.fork_after_authentication && self.command.is_none() {
            return refuse("Cannot fork into background without a command to execute.");
        }
        refuse("Shells and remote commands are not supported yet: use -N to forward ports only.")
    }
}

/// One letter.
struct Letter {
    letter: char,
    /// What its argument is called; empty without one.
    argument: &'static str,
    action: Action,
}

/// What a letter does.
#[derive(Clone, Copy)]
enum Action {
    /// Sets these, whatever was said before.
    Set(&'static [(Keyword, &'static str)]),
    /// Its argument is the value, whatever was said before; a wrong one is complained about in these words.
    Replace(Keyword, Complaint),
    /// Its argument is a value, as if it stood in the configuration.
    Say(Keyword, Complaint),
    /// `-o`
    Line,
    /// `-L`, `-R`, `-D`, `-W`
    Forward(Direction),
    /// `-v`
    Verbose,
    /// `-F`
    ConfigFile,
    /// `-E`
    LogFile,
    /// Nothing yet; the user is warned.
    Missing(&'static str),
    /// `-Q`
    Query,
    /// `-V`
    Version,
    /// Nothing, and nothing is lost by it.
    Nothing(&'static str),
    /// Is not there; an argument of this is no wish for it.
    Refuse(Option<&'static str>, &'static str),
}

/// How a wrong argument is quoted.
#[derive(Clone, Copy)]
enum Complaint {
    /// As for the keyword.
    Configuration,
    /// `Bad port '22x'`
    Quote(&'static str),
}

const fn letter(letter: char, argument: &'static str, action: Action) -> Letter {
    Letter { letter, argument, action }
}

/// Every letter of ssh.
const LETTERS: &[Letter] = &[
    letter('1', "", Action::Refuse(None, "SSH protocol v.1 is no longer supported")),
    letter('2', "", Action::Nothing("there is no other protocol version")),
    letter('4', "", Action::Set(&[(Keyword::AddressFamily, "inet")])),
    letter('6', "", Action::Set(&[(Keyword::AddressFamily, "inet6")])),
    letter('A', "", Action::Set(&[(Keyword::ForwardAgent, "yes")])),
    letter('a', "", Action::Set(&[(Keyword::ForwardAgent, "no")])),
    letter('B', "bind_interface", Action::Replace(Keyword::BindInterface, CONFIGURATION)),
    letter('b', "bind_address", Action::Replace(Keyword::BindAddress, CONFIGURATION)),
    letter('C', "", Action::Set(&[(Keyword::Compression, "yes")])),
    letter(
        'c',
        "cipher_spec",
        Action::Replace(Keyword::Ciphers, Complaint::Quote("Unknown cipher type")),
    ),
    letter('D', "[bind_address:]port", Action::Forward(Direction::Dynamic)),
    letter('E', "log_file", Action::LogFile),
    letter('e', "escape_char", Action::Replace(Keyword::EscapeChar, CONFIGURATION)),
    letter('F', "configfile", Action::ConfigFile),
    letter(
        'f',
        "",
        Action::Set(&[(Keyword::ForkAfterAuthentication, "yes"), (Keyword::StdinNull, "yes")]),
    ),
    letter('G', "", Action::Refuse(None, "Printing the configuration (-G) is not supported yet.")),
    letter('g', "", Action::Set(&[(Keyword::GatewayPorts, "yes")])),
    letter('I', "pkcs11", Action::Say(Keyword::PKCS11Provider, CONFIGURATION)),
    letter('i', "identity_file", Action::Say(Keyword::IdentityFile, CONFIGURATION)),
    letter('J', "destination", Action::Say(Keyword::ProxyJump, CONFIGURATION)),
    letter('K', "", Action::Refuse(None, "GSSAPI (-K) is not supported.")),
    letter('k', "", Action::Set(&[(Keyword::GSSAPIDelegateCredentials, "no")])),
    letter('L', "address", Action::Forward(Direction::Local)),
    letter('l', "login_name", Action::Say(Keyword::User, CONFIGURATION)),
    letter('M', "", Action::Refuse(None, "Sharing connections (-M) is not supported yet.")),
    letter('m', "mac_spec", Action::Replace(Keyword::MACs, Complaint::Quote("Unknown mac type"))),
    letter('N', "", Action::Set(&[(Keyword::SessionType, "none")])),
    letter('n', "", Action::Set(&[(Keyword::StdinNull, "yes")])),
    letter('O', "ctl_cmd", Action::Refuse(None, "Control commands (-O) are not supported yet.")),
    letter('o', "option", Action::Line),
    letter('P', "tag", Action::Say(Keyword::Tag, CONFIGURATION)),
    letter('p', "port", Action::Say(Keyword::Port, Complaint::Quote("Bad port"))),
    letter('Q', "query_option", Action::Query),
    letter('q', "", Action::Set(&[(Keyword::LogLevel, "QUIET")])),
    letter('R', "address", Action::Forward(Direction::Remote)),
    letter(
        'S',
        "ctl_path",
        Action::Refuse(Some("none"), "Sharing connections (-S) is not supported yet."),
    ),
    letter('s', "", Action::Set(&[(Keyword::SessionType, "subsystem")])),
    letter('T', "", Action::Set(&[(Keyword::RequestTTY, "no")])),
    letter('t', "", Action::Set(&[(Keyword::RequestTTY, "yes")])),
    letter('V', "", Action::Version),
    letter('v', "", Action::Verbose),
    letter('W', "host:port", Action::Forward(Direction::Stdio)),
    letter(
        'w',
        "local_tun[:remote_tun]",
        Action::Refuse(None, "Tunnel devices (-w) are not supported."),
    ),
    letter('X', "", Action::Set(&[(Keyword::ForwardX11, "yes")])),
    letter('x', "", Action::Set(&[(Keyword::ForwardX11, "no")])),
    letter('Y', "", Action::Set(&[(Keyword::ForwardX11, "yes")])),
    letter('y', "", Action::Missing("nothing goes to syslog yet")),
    letter('Z', "", Action::Refuse(None, "Listing keys (-Z) is not supported yet.")),
];

const CONFIGURATION: Complaint = Complaint::Configuration;

/// Reads the arguments after the program's name.
///
/// Options may also stand after the host; `--` ends them; what follows is the command.
pub(crate) fn parse(
    arguments: impl IntoIterator<Item = OsString>,
    algorithms: &'static Algorithms,
) -> Result<Invocation, ArgError> {
    let words = arguments.into_iter().map(OsString::into_string).collect::<Result<Vec<_>, _>>();
    let Ok(words) = words else {
        return Err(ArgError::Message("argument contains invalid characters".into()));
    };
    let mut words = words.into_iter().peekable();
    let mut parser = Parser::new(algorithms);
    if let Some(end) = parser.options(&mut words)? {
        return Ok(end);
    }
    let host = parser.destination(&words.next().ok_or(ArgError::Usage(None))?)?;
    if !parser.ended {
        if let Some(end) = parser.options(&mut words)? {
            return Ok(end);
        }
    }
    let command: Vec<String> = words.collect();
    let command = (!command.is_empty()).then(|| command.join(" "));
    Ok(Invocation::Connect(Box::new(CommandLine {
        host,
        command,
        options: parser.options,
        config_file: parser.config_file,
        log_file: parser.log_file,
        stdio_forward: parser.stdio_forward,
        sandbox: parser.sandbox,
    })))
}

/// What has been read so far.
struct Parser {
    options: Partial,
    config_file: ConfigFile,
    log_file: Option<String>,
    stdio_forward: Option<Target>,
    sandbox: bool,
    /// How often `-v` was there.
    verbose: u8,
    /// `--` was there.
    ended: bool,
}

impl Parser {
    fn new(algorithms: &'static Algorithms) -> Self {
        Self {
            options: Partial::new(algorithms),
            config_file: ConfigFile::Usual,
            log_file: None,
            stdio_forward: None,
            sandbox: true,
            verbose: 0,
            ended: false,
        }
    }

    /// Reads options up to the first word that is none.
    fn options(
        &mut self,
        words: &mut std::iter::Peekable<impl Iterator<Item = String>>,
    ) -> Result<Option<Invocation>, ArgError> {
        while let Some(word) = words.next_if(|word| word.len() > 1 && word.starts_with('-')) {
            if word == "--" {
                self.ended = true;
                break;
            }
            if word == NO_SANDBOX {
                self.sandbox = false;
                continue;
            }
            let mut letters = word[1..].chars();
            while let Some(letter) = letters.next() {
                let row = row(letter)?;
                let argument = if row.argument.is_empty() {
                    String::new()
                } else {
                    let attached: String = letters.by_ref().collect();
                    let argument = if attached.is_empty() { words.next() } else { Some(attached) };
                    argument.ok_or_else(|| complaint("option requires an argument", letter))?
                };
                if let Some(end) = self.act(row, argument)? {
                    return Ok(Some(end));
                }
            }
        }
        Ok(None)
    }

    fn act(&mut self, row: &Letter, argument: String) -> Result<Option<Invocation>, ArgError> {
        match row.action {
            Action::Set(settings) => {
                for (keyword, value) in settings {
                    self.options.replace(*keyword, value, &HERE)?;
                }
            }
            Action::Replace(keyword, complaint) => {
                let result = self.options.replace(keyword, &argument, &HERE);
                result.map_err(|error| complaint.about(error, &argument))?;
            }
            Action::Say(keyword, complaint) => {
                let result = self.options.set(keyword, &argument, &HERE);
                result.map_err(|error| complaint.about(error, &argument))?;
            }
            Action::Line => self.options.line(&argument, &HERE)?,
            Action::Forward(direction) => self.forward(direction, &argument)?,
            Action::Verbose => self.verbose()?,
            Action::ConfigFile => {
                self.config_file = match argument {
                    none if none.eq_ignore_ascii_case("none") => ConfigFile::None,
                    name => {
                        let text = format!("Warning: -F {name}: {NO_FILES}");
                        self.options.note(LogLevel::Info, text);
                        ConfigFile::Named(name)
                    }
                };
            }
            Action::LogFile => self.log_file = Some(argument),
            Action::Missing(why) => {
                self.options.note(LogLevel::Info, format!("Warning: -{}: {why}", row.letter));
            }
            Action::Query => return Ok(Some(Invocation::Query(argument))),
            Action::Version => return Ok(Some(Invocation::Version)),
            Action::Nothing(why) => {
                let text = format!("-{} has no effect: {why}", row.letter);
                self.options.note(LogLevel::Verbose, text);
            }
            Action::Refuse(off, _) if off == Some(argument.as_str()) => {}
            Action::Refuse(_, why) => return Err(ArgError::Message(why.into())),
        }
        Ok(None)
    }

    fn forward(&mut self, direction: Direction, argument: &str) -> Result<(), ArgError> {
        let wrong = |error: adit_forward::SpecError| ArgError::Message(error.to_string());
        let spec = match direction {
            Direction::Local => ForwardSpec::local(argument),
            Direction::Remote => ForwardSpec::remote(argument),
            Direction::Dynamic => ForwardSpec::dynamic(argument),
            Direction::Stdio => return self.stdio(Target::stdio(argument).map_err(wrong)?),
        };
        self.options.add_forward(direction, spec.map_err(wrong)?);
        Ok(())
    }

    fn stdio(&mut self, target: Target) -> Result<(), ArgError> {
        if self.stdio_forward.replace(target).is_some() {
            return Err(ArgError::Message("stdio forward already specified".into()));
        }
        self.options.set_stdio_forward();
        self.options.replace(Keyword::SessionType, "none", &HERE)?;
        Ok(())
    }

    fn verbose(&mut self) -> Result<(), ArgError> {
        self.verbose = self.verbose.saturating_add(1);
        let level = match self.verbose {
            1 => LogLevel::Debug1,
            2 => LogLevel::Debug2,
            _ => LogLevel::Debug3,
        };
        Ok(self.options.replace(Keyword::LogLevel, &level.to_string(), &HERE)?)
    }

    /// Its user and port count unless said before.
    fn destination(&mut self, word: &str) -> Result<String, ArgError> {
        use adit_config::destination::DestinationError::Malformed;
        let destination = Destination::parse(word).map_err(|error| match error {
            Malformed => ArgError::Usage(None),
            error => ArgError::Message(error.to_string()),
        })?;
        if let Some(user) = destination.user {
            self.options.set(Keyword::User, &user, &HERE)?;
        }
        if let Some(port) = destination.port {
            self.options.set(Keyword::Port, &port.to_string(), &HERE)?;
        }
        Ok(destination.host)
    }
}

const HERE: Source<'static> = Source::CommandLine;

impl Complaint {
    fn about(self, error: ConfigError, argument: &str) -> ArgError {
        match self {
            Self::Configuration => error.into(),
            Self::Quote(words) => ArgError::Message(format!("{words} '{argument}'")),
        }
    }
}

fn row(letter: char) -> Result<&'static Letter, ArgError> {
    let known = LETTERS.iter().find(|row| row.letter == letter);
    known.ok_or_else(|| complaint("unknown option", letter))
}

fn complaint(words: &str, letter: char) -> ArgError {
    ArgError::Usage(Some(format!("{words} -- {}", letter.escape_default())))
}

/// The usage, made from the table, without a last line end.
fn usage() -> String {
    let served = || LETTERS.iter().filter(|row| !matches!(row.action, Action::Refuse(..)));
    let flags: String =
        served().filter(|row| row.argument.is_empty()).map(|row| row.letter).collect();
    let arguments = served()
        .filter(|row| !row.argument.is_empty())
        .map(|row| format!("[-{} {}]", row.letter, row.argument));
    let mut text = format!("usage: {PROGRAM}");
    let indent = " ".repeat(text.len());
    let mut column = text.len();
    let last = [format!("[{NO_SANDBOX}]"), "destination".to_owned(), "[command]".to_owned()];
    for item in std::iter::once(format!("[-{flags}]")).chain(arguments).chain(last) {
        if column + 1 + item.len() > USAGE_WIDTH {
            text.push('\n');
            text.push_str(&indent);
            column = indent.len();
        }
        column += 1 + item.len();
        text.push(' ');
        text.push_str(&item);
    }
    text
}

/// Names for `-Q`, from whoever knows the algorithms.
pub(crate) struct QueryNames {
    /// Ciphers
    pub(crate) cipher: &'static [&'static str],
    /// Ciphers that need no MAC
    pub(crate) cipher_auth: &'static [&'static str],
    /// Message authentication codes
    pub(crate) mac: &'static [&'static str],
    /// Key exchange methods
    pub(crate) kex: &'static [&'static str],
    /// Key types
    pub(crate) key_plain: &'static [&'static str],
    /// Certificate types
    pub(crate) key_cert: &'static [&'static str],
    /// Signature algorithms
    pub(crate) sig: &'static [&'static str],
    /// Signature algorithms of certificates
    pub(crate) sig_cert: &'static [&'static str],
}

/// What `-Q` prints, one name a line.
pub(crate) fn query(name: &str, names: &QueryNames) -> Result<Vec<&'static str>, ArgError> {
    let known = QUERIES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    let (_, list) =
        known.ok_or_else(|| ArgError::Message(format!("Unsupported query \"{name}\"")))?;
    Ok(list(names))
}

type Query = (&'static str, fn(&QueryNames) -> Vec<&'static str>);

/// What `-Q` knows; keywords stand for the kind of names they take.
const QUERIES: &[Query] = &[
    ("cipher", |names| names.cipher.to_vec()),
    ("cipher-auth", |names| names.cipher_auth.to_vec()),
    ("compression", |_| vec!["none"]),
    ("kex", |names| names.kex.to_vec()),
    ("key", |names| [names.key_plain, names.key_cert].concat()),
    ("key-cert", |names| names.key_cert.to_vec()),
    ("key-plain", |names| names.key_plain.to_vec()),
    ("key-sig", |names| [names.sig, names.sig_cert].concat()),
    ("mac", |names| names.mac.to_vec()),
    ("protocol-version", |_| vec!["2"]),
    ("sig", |names| names.sig.to_vec()),
    ("help", |_| {
        QUERIES
            .iter()
            .map(|row| row.0)
            .filter(|name| name.starts_with(char::is_lowercase))
            .collect()
    }),
    ("CASignatureAlgorithms", |names| names.sig.to_vec()),
    ("Ciphers", |names| names.cipher.to_vec()),
    ("HostbasedAcceptedAlgorithms", |names| [names.sig, names.sig_cert].concat()),
    ("HostbasedKeyTypes", |names| [names.sig, names.sig_cert].concat()),
    ("HostKeyAlgorithms", |names| [names.sig, names.sig_cert].concat()),
    ("KexAlgorithms", |names| names.kex.to_vec()),
    ("MACs", |names| names.mac.to_vec()),
    ("PubkeyAcceptedAlgorithms", |names| [names.sig, names.sig_cert].concat()),
    ("PubkeyAcceptedKeyTypes", |names| [names.sig, names.sig_cert].concat()),
];

#[cfg(test)]
mod tests;
