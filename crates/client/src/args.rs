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
    })))
}

/// What has been read so far.
struct Parser {
    options: Partial,
    config_file: ConfigFile,
    log_file: Option<String>,
    stdio_forward: Option<Target>,
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
    let last = ["destination".to_owned(), "[command]".to_owned()];
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
mod tests {
    use super::*;
    use adit_config::types::AddressFamily;
    use adit_config::{AlgorithmSet, KEYWORDS, Status};
    use proptest::prelude::*;

    const SET: AlgorithmSet = AlgorithmSet { supported: &["one", "two"], default: &["one"] };

    static ALGORITHMS: Algorithms =
        Algorithms { ciphers: SET, macs: SET, kex: SET, signatures: SET, ca_signatures: SET };

    fn parse_words(words: &[&str]) -> Result<Invocation, ArgError> {
        parse(words.iter().map(OsString::from), &ALGORITHMS)
    }

    /// Arguments separated by single spaces.
    fn connect(line: &str) -> (CommandLine, Options) {
        let words: Vec<&str> = line.split(' ').collect();
        match parse_words(&words) {
            Ok(Invocation::Connect(command_line)) => {
                let options = command_line.options.clone().with_defaults().unwrap();
                (*command_line, options)
            }
            other => panic!("{line}: {other:?}"),
        }
    }

    fn options(line: &str) -> Options {
        connect(line).1
    }

    fn error(words: &[&str]) -> String {
        parse_words(words).unwrap_err().to_string()
    }

    #[test]
    fn letters_combine_and_arguments_may_be_attached() {
        for line in [
            "-fNT -p 2222 -l ada -oBatchMode=yes h",
            "-fNTp2222 -lada -o BatchMode=yes h",
            "h -fNT -p2222 -l ada -oBatchMode=yes",
            "-fN ada@h -Tp 2222 -oBatchMode=yes",
            "-fNT -oBatchMode=yes ssh://ada@h:2222",
        ] {
            let (command_line, options) = connect(line);
            assert_eq!((command_line.host.as_str(), command_line.command), ("h", None), "{line}");
            assert_eq!((options.port, options.user.as_deref()), (2222, Some("ada")), "{line}");
            assert_eq!(options.session_type, SessionType::None, "{line}");
            assert!(options.batch_mode && options.fork_after_authentication, "{line}");
            assert!(options.stdin_null, "{line}");
        }
    }

    #[test]
    fn options_also_stand_after_the_host_and_the_rest_is_the_command() {
        for (line, command, user) in [
            ("h -l ada cvs server", Some("cvs server"), Some("ada")),
            ("-l ada h rsync --server -e .", Some("rsync --server -e ."), Some("ada")),
            ("h -- -l ada", Some("-l ada"), None),
            ("-- h -l ada", Some("-l ada"), None),
            ("h -l ada -- ls -l", Some("ls -l"), Some("ada")),
            ("h ls -l ada", Some("ls -l ada"), None),
            ("h - x", Some("- x"), None),
        ] {
            let (command_line, options) = connect(line);
            assert_eq!(command_line.command.as_deref(), command, "{line}");
            assert_eq!(options.user.as_deref(), user, "{line}");
        }
    }

    #[test]
    fn what_is_said_first_counts_for_user_and_port() {
        assert_eq!(options("-p 1 -p 2 -oPort=3 ssh://h:4").port, 1);
        assert_eq!(options("-oPort=3 -p 2 h").port, 3);
        assert_eq!(options("-l a b@h").user.as_deref(), Some("a"));
        assert_eq!(options("b@h -l a").user.as_deref(), Some("b"));
    }

    #[test]
    fn flags_set_their_keywords() {
        assert_eq!(options("-4 h").address_family, AddressFamily::Inet);
        assert_eq!(options("-6 h").address_family, AddressFamily::Inet6);
        assert!(options("-g h").gateway_ports);
        assert!(options("-n h").stdin_null);
        assert_eq!(options("-b 10.0.0.1 h").bind_address.as_deref(), Some("10.0.0.1"));
        assert_eq!(options("-B eth0 h").bind_interface.as_deref(), Some("eth0"));
        assert_eq!(options("-c two h").ciphers, ["two"]);
        assert_eq!(options("-m ^two h").macs, ["two", "one"]);
        assert_eq!(options("-i a -i b h").identity_files, ["a", "b"]);
    }

    #[test]
    fn verbosity_follows_the_last_letter() {
        for (line, level) in [
            ("h", LogLevel::Info),
            ("-q h", LogLevel::Quiet),
            ("-v h", LogLevel::Debug1),
            ("-vv h", LogLevel::Debug2),
            ("-v -v -v -v h", LogLevel::Debug3),
            ("-q -v h", LogLevel::Debug1),
            ("-v -q h", LogLevel::Quiet),
            ("-v -oLogLevel=ERROR h", LogLevel::Debug1),
            ("-oLogLevel=ERROR -q h", LogLevel::Quiet),
        ] {
            assert_eq!(options(line).log_level, level, "{line}");
        }
    }

    #[test]
    fn forwards_accumulate_in_their_order() {
        let options = options("-L 1:h:1 -L2:h:2 -R 0:h:3 -R 4 -D 5 -L 1:h:1 h -L 6:h:6");
        let ports = |forwards: &[ForwardSpec]| {
            forwards.iter().map(|spec| spec.listen.to_string()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(ports(&options.local_forwards), "1 2 6");
        assert_eq!(ports(&options.remote_forwards), "0 4");
        assert_eq!(ports(&options.dynamic_forwards), "5");
    }

    #[test]
    fn stdio_forwarding_implies_what_ssh_says() {
        let (command_line, options) = connect("-L 1:h:1 -W db:5432 h");
        let target = Target::Tcp { host: "db".into(), port: 5432 };
        assert_eq!(command_line.stdio_forward, Some(target));
        assert!(options.exit_on_forward_failure && options.local_forwards.is_empty());
        assert_eq!(options.session_type, SessionType::None);
        assert_eq!(command_line.check(&options), Ok(()));
        assert_eq!(error(&["-W", "a:1", "-W", "a:1", "h"]), "stdio forward already specified");
    }

    #[test]
    fn files_are_named_and_not_opened() {
        let (command_line, _) = connect("-F none -E log h");
        assert_eq!(command_line.config_file, ConfigFile::None);
        assert_eq!(command_line.log_file.as_deref(), Some("log"));
        assert_eq!(connect("-F x h").0.config_file, ConfigFile::Named("x".into()));
        assert_eq!(connect("h").0.config_file, ConfigFile::Usual);
    }

    #[test]
    fn harmless_letters_are_accepted() {
        for line in [
            "-a -x -k -q -C -4 -T h",
            "-2 -t -A -X -Y h",
            "-e none -S none -J none -I none -P tag h",
            "-x -oPermitLocalCommand=no -oClearAllForwardings=yes -oRemoteCommand=none -oRequestTTY=no -oControlMaster=no -oForwardAgent=no -- h sftp",
            "-C -oControlMaster=auto -oControlPersist=60s -oKbdInteractiveAuthentication=no -oConnectTimeout=10 -tt h",
        ] {
            connect(line);
        }
        for line in ["-A h", "-Y h", "-y h", "-F x h"] {
            let notes = connect(line).0.options.take_notes();
            assert_eq!((notes.len(), notes[0].level), (1, LogLevel::Info), "{line}");
        }
    }

    #[test]
    fn letters_that_change_security_or_data_flow_are_refused() {
        for (words, text) in [
            (&["-w", "0:0", "h"][..], "Tunnel devices (-w) are not supported."),
            (&["-w", "none", "h"], "Tunnel devices (-w) are not supported."),
            (&["-K", "h"], "GSSAPI (-K) is not supported."),
            (&["-M", "h"], "Sharing connections (-M) is not supported yet."),
            (&["-S", "x", "h"], "Sharing connections (-S) is not supported yet."),
            (&["-O", "check", "h"], "Control commands (-O) are not supported yet."),
            (&["-G", "h"], "Printing the configuration (-G) is not supported yet."),
            (&["-1", "h"], "SSH protocol v.1 is no longer supported"),
            (
                &["-I", "x", "h"],
                "command-line line 0: PKCS11Provider \"x\": PKCS#11 tokens are not supported",
            ),
            (
                &["-J", "a", "h"],
                "command-line line 0: ProxyJump \"a\": jump hosts are not supported yet",
            ),
        ] {
            assert_eq!(error(words), text);
        }
    }

    #[test]
    fn wrong_arguments_are_refused_in_ssh_words() {
        for (words, text) in [
            (&["-p", "99999", "h"][..], "Bad port '99999'"),
            (&["-p", "0", "h"], "Bad port '0'"),
            (&["-p", "65536", "h"], "Bad port '65536'"),
            (&["-p", "22x", "h"], "Bad port '22x'"),
            (&["-p", "", "h"], "Bad port ''"),
            (&["-c", "zz", "h"], "Unknown cipher type 'zz'"),
            (&["-m", "zz", "h"], "Unknown mac type 'zz'"),
            (&["-L", "0:a:1", "h"], "Bad local forwarding specification '0:a:1'"),
            (&["-R", "x", "h"], "Bad remote forwarding specification 'x'"),
            (&["-D", "x", "h"], "Bad dynamic forwarding specification 'x'"),
            (&["-W", "x", "h"], "Bad stdio forwarding specification 'x'"),
            (&["-o", "foo=1", "h"], "command-line: line 0: Bad configuration option: foo"),
            (&["-oPort=x", "h"], "command-line line 0: Bad port 'x'."),
            (&["--", "-h"], "hostname contains invalid characters"),
            (&["a b"], "hostname contains invalid characters"),
            (&["$(id)"], "hostname contains invalid characters"),
            (&["h\n"], "hostname contains invalid characters"),
            (&[""], "hostname contains invalid characters"),
            (&["a;b@h"], "remote username contains invalid characters"),
        ] {
            assert_eq!(error(words), text);
        }
    }

    #[test]
    fn what_cannot_be_understood_shows_the_usage() {
        for (words, first) in [
            (&[][..], "usage: adit ["),
            (&["-l", "x"], "usage: adit ["),
            (&["-j"], "unknown option -- j\nusage: "),
            (&["-N\u{1b}", "h"], "unknown option -- \\u{1b}\nusage: "),
            (&["--nonsense", "h"], "unknown option -- -\nusage: "),
            (&["-x@h"], "unknown option -- @\nusage: "),
            (&["h", "-p"], "option requires an argument -- p\nusage: "),
            (&["ssh://h:0"], "usage: adit ["),
            (&["ssh://h:22/x"], "usage: adit ["),
        ] {
            let text = error(words);
            assert!(text.starts_with(first), "{words:?}: {text}");
        }
        assert!(usage().lines().all(|line| line.len() <= USAGE_WIDTH));
        assert!(usage().ends_with("destination [command]"));
    }

    #[test]
    fn sessions_are_refused_until_they_are_there() {
        for (line, text) in [
            (
                "h",
                "Shells and remote commands are not supported yet: use -N to forward ports only.",
            ),
            (
                "h ls",
                "Shells and remote commands are not supported yet: use -N to forward ports only.",
            ),
            ("-f h", "Cannot fork into background without a command to execute."),
            ("-s h sftp", "Subsystems are not supported yet."),
        ] {
            let (command_line, options) = connect(line);
            assert_eq!(command_line.check(&options).unwrap_err().to_string(), text, "{line}");
        }
        for line in ["-N h", "-fN h", "-N h ignored", "-W a:1 h"] {
            let (command_line, options) = connect(line);
            assert_eq!(command_line.check(&options), Ok(()), "{line}");
        }
    }

    #[test]
    fn version_and_queries_end_the_reading() {
        assert!(matches!(parse_words(&["-V", "-j"]), Ok(Invocation::Version)));
        assert!(matches!(parse_words(&["-NV"]), Ok(Invocation::Version)));
        assert!(
            matches!(parse_words(&["-Q", "mac"]), Ok(Invocation::Query(name)) if name == "mac")
        );
    }

    #[test]
    fn queries_name_what_there_is() {
        let names = QueryNames {
            cipher: &["c", "d"],
            cipher_auth: &["c"],
            mac: &["m"],
            kex: &["k"],
            key_plain: &["p"],
            key_cert: &["p-cert"],
            sig: &["s"],
            sig_cert: &["s-cert"],
        };
        for (name, expected) in [
            ("cipher", vec!["c", "d"]),
            ("Ciphers", vec!["c", "d"]),
            ("cipher-auth", vec!["c"]),
            ("mac", vec!["m"]),
            ("kex", vec!["k"]),
            ("key", vec!["p", "p-cert"]),
            ("key-cert", vec!["p-cert"]),
            ("key-plain", vec!["p"]),
            ("key-sig", vec!["s", "s-cert"]),
            ("sig", vec!["s"]),
            ("hostkeyalgorithms", vec!["s", "s-cert"]),
            ("protocol-version", vec!["2"]),
            ("compression", vec!["none"]),
        ] {
            assert_eq!(query(name, &names), Ok(expected), "{name}");
        }
        for name in query("help", &names).unwrap() {
            assert!(query(name, &names).is_ok(), "{name}");
        }
        let error = query("x", &names).unwrap_err();
        assert_eq!(error.to_string(), "Unsupported query \"x\"");
    }

    #[test]
    fn every_letter_of_ssh_has_exactly_one_row() {
        let letters: String = LETTERS.iter().map(|row| row.letter).collect();
        for letter in "46AaBbCcDEeFfGgIiJKkLlMmNnOoPpQqRSsTtVvWwXxYyZ".chars() {
            assert_eq!(letters.matches(letter).count(), 1, "{letter}");
        }
    }

    /// `there`, `no effect`, `not there`, …: a row of the page.
    fn letter_line(row: &Letter) -> String {
        let status = match row.action {
            Action::Set([(keyword, value), ..]) => of_setting(keyword.row().status, value),
            Action::Say(keyword, _) | Action::Replace(keyword, _) => {
                of_status(keyword.row().status)
            }
            Action::Nothing(why) => format!("accepted, no effect: {why}"),
            Action::Refuse(None, why) => format!("refused: {why}"),
            Action::Refuse(Some(off), why) => format!("refused unless `{off}`: {why}"),
            Action::Missing(why) => format!("accepted with a warning: {why}"),
            Action::ConfigFile => {
                format!("`none` is there; else accepted with a warning: {NO_FILES}")
            }
            _ => "there".to_owned(),
        };
        let space = if row.argument.is_empty() { "" } else { " " };
        format!("| `-{}{space}{}` | {status} |", row.letter, row.argument)
    }

    fn of_setting(status: Status, value: &str) -> String {
        match status {
            Status::Missing { off, .. } if off.contains(&value) => "accepted: it is off".into(),
            Status::Missing { why, .. } => format!("accepted with a warning: {why}"),
            Status::Partly(_) if value == "none" => "there".into(),
            Status::Partly(_) => "not yet: there are no sessions".into(),
            status => of_status(status),
        }
    }

    fn of_status(status: Status) -> String {
        let codes =
            |off: &[&str]| off.iter().map(|off| format!("`{off}`")).collect::<Vec<_>>().join(", ");
        match status {
            Status::Honoured => "there".to_owned(),
            Status::Partly(why) => why.to_owned(),
            Status::WithoutEffect(why) => format!("accepted, no effect: {why}"),
            Status::Missing { off, why } => {
                format!("accepted with a warning unless {}: {why}", codes(off))
            }
            Status::Refused { off, why } => format!("refused unless {}: {why}", codes(off)),
            Status::FilesOnly(_) => format!("not yet: {NO_FILES}"),
            Status::Deprecated => "ignored, as by OpenSSH".to_owned(),
        }
    }

    fn keyword_line(row: &adit_config::Row) -> String {
        let codes = row.aliases.iter().map(|alias| format!("`{alias}`")).collect::<Vec<_>>();
        format!("| `{}` | {} | {} |", row.name, codes.join(", "), of_status(row.status))
    }

    fn page_section(heading: &str, lines: impl Iterator<Item = String>) -> String {
        let mut lines: Vec<String> = lines.collect();
        lines.sort_by_key(|line| line.to_ascii_lowercase());
        format!("{heading}\n{}\n", lines.join("\n"))
    }

    #[test]
    fn the_compatibility_page_says_what_the_tables_say() {
        let letters = page_section("| option | here |\n|---|---|", LETTERS.iter().map(letter_line));
        let keywords = page_section(
            "| keyword | also | here |\n|---|---|---|",
            KEYWORDS.iter().map(keyword_line),
        );
        let page = include_str!("../../../docs/COMPATIBILITY.md");
        for section in [letters, keywords] {
            assert!(page.contains(&section), "docs/COMPATIBILITY.md should hold:\n{section}");
        }
    }

    proptest! {
        #[test]
        fn any_words_are_taken_or_refused(words in prop::collection::vec("-?[-A-Za-z0-9=:/@ ]{0,8}|.{0,8}", 0..6)) {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            if let Err(error) = parse_words(&words) {
                prop_assert!(!error.to_string().is_empty());
            }
        }
    }
}
