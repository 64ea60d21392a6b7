//! Collecting options from wherever they are said, and what is in force at the end. ssh_config(5).
//! Touches: strings.   Never: files; a file parser feeds [`Partial::line`].
//! Invariants: the first value of a keyword stays, but for those where all count; a wrong value is an error even then.
//! Errors: [`ConfigError`], in ssh's words.   Allocates: the values.
//! Proved by: `tests` below.

use crate::algorithms::Algorithms;
use crate::destination::{DestinationError, valid_hostname, valid_username};
use crate::error::{ConfigError, Dialect, Note, Source};
use crate::keywords::{Keyword, Options, Stored};
use crate::line::{self, Line};
use crate::table::every;
use crate::tokens::{Surroundings, TokenError, Tokens};
use crate::types::{LogLevel, UpdateHostKeys};
use crate::words;
use adit_forward::{Direction, ForwardSpec};
use adit_pattern::{Verdict, matches_list};

/// Identity files tried when none is configured.
const DEFAULT_IDENTITY_FILES: [&str; 3] = ["~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa"];

/// Options said so far.
#[derive(Clone, Debug)]
pub struct Partial {
    stored: Stored,
    algorithms: &'static Algorithms,
    stdio_forward: bool,
    notes: Vec<Note>,
}

impl Partial {
    /// Nothing said yet; lists of algorithms will be held against `algorithms`.
    #[must_use]
    pub fn new(algorithms: &'static Algorithms) -> Self {
        Self { stored: Stored::default(), algorithms, stdio_forward: false, notes: Vec::new() }
    }

    /// Takes `Keyword value` or `Keyword=value`, with quotes; nothing happens on empty lines and comments.
    ///
    /// # Errors
    /// [`ConfigError`] when the keyword is unknown, the value is wrong, or it asks for what is not there.
    pub fn line(&mut self, line: &str, source: &Source<'_>) -> Result<(), ConfigError> {
        let Some((name, value)) = words::keyword(line) else { return Ok(()) };
        let Some(keyword) = Keyword::from_name(name) else { return self.unknown(name, source) };
        let name = name.to_ascii_lowercase();
        let words = line::split(&name, value, source)?;
        self.take(keyword, name, words, value, source)
    }

    /// Takes one word as it is, quotes and spaces included: the argument of an option letter.
    ///
    /// # Errors
    /// As [`Partial::line`].
    pub fn set(
        &mut self,
        keyword: Keyword,
        word: &str,
        source: &Source<'_>,
    ) -> Result<(), ConfigError> {
        let name = keyword.row().name.to_ascii_lowercase();
        self.take(keyword, name, vec![word.to_owned()], word, source)
    }

    /// As [`Partial::set`], whatever has been said before.
    ///
    /// # Errors
    /// As [`Partial::line`].
    pub fn replace(
        &mut self,
        keyword: Keyword,
        word: &str,
        source: &Source<'_>,
    ) -> Result<(), ConfigError> {
        self.stored.clear(keyword);
        self.set(keyword, word, source)
    }

    /// Adds a forward given as one specification, as the option letters have it.
    pub fn add_forward(&mut self, direction: Direction, spec: ForwardSpec) {
        match direction {
            Direction::Local => every(&mut self.stored.local_forwards, spec),
            Direction::Remote => every(&mut self.stored.remote_forwards, spec),
            Direction::Dynamic => every(&mut self.stored.dynamic_forwards, spec),
            Direction::Stdio => self.set_stdio_forward(),
        }
    }

    /// `-W` is in use: ClearAllForwardings and ExitOnForwardFailure are on unless something else is said.
    pub fn set_stdio_forward(&mut self) {
        self.stdio_forward = true;
    }

    /// Adds something worth saying.
    pub fn note(&mut self, level: LogLevel, text: impl Into<String>) {
        self.notes.push(Note { level, text: text.into() });
    }

    /// Takes out what is worth saying about what was said.
    pub fn take_notes(&mut self) -> Vec<Note> {
        std::mem::take(&mut self.notes)
    }

    /// What is in force when nothing more is said.
    ///
    /// # Errors
    /// [`ConfigError`] when values do not go together, or RefuseConnection is set.
    pub fn with_defaults(self) -> Result<Options, ConfigError> {
        let Self { mut stored, algorithms, stdio_forward, .. } = self;
        stored.clear_all_forwardings.get_or_insert(stdio_forward);
        stored.exit_on_forward_failure.get_or_insert(stdio_forward);
        if stored.user_known_hosts_files.is_some() {
            stored.update_host_keys.get_or_insert(UpdateHostKeys::No);
        }
        let mut options = stored.into_options(algorithms);
        if let Some(text) = &options.refuse_connection {
            return Err(ConfigError::Value(text.clone()));
        }
        if options.connection_attempts == 0 {
            return Err(ConfigError::Value("Invalid number of ConnectionAttempts".into()));
        }
        if options.clear_all_forwardings {
            options.clear_forwards();
        }
        Ok(options)
    }

    fn take(
        &mut self,
        keyword: Keyword,
        name: String,
        words: Vec<String>,
        line: &str,
        source: &Source<'_>,
    ) -> Result<(), ConfigError> {
        let (algorithms, dialect) = (self.algorithms, Dialect::Ssh);
        let line = Line { name, words, value: line, source, algorithms, dialect };
        let notes = line.take(keyword.row(), |input| self.stored.store(keyword, input))?;
        self.notes.extend(notes);
        Ok(())
    }

    fn unknown(&mut self, name: &str, source: &Source<'_>) -> Result<(), ConfigError> {
        let name = name.to_ascii_lowercase();
        let ignored = self.stored.ignore_unknown.as_deref().unwrap_or_default();
        if matches_list(&name, &ignored.to_ascii_lowercase()) != Verdict::Match {
            return Err(ConfigError::unknown_keyword(&name, source));
        }
        let text = format!("{source}: Ignored unknown option \"{name}\"");
        self.note(LogLevel::Debug1, text);
        Ok(())
    }
}

impl Options {
    fn clear_forwards(&mut self) {
        self.local_forwards.clear();
        self.remote_forwards.clear();
        self.dynamic_forwards.clear();
    }

    /// The private key files to try, and whether the user named them: only then a missing one is worth a warning.
    #[must_use]
    pub fn identity_files_to_try(&self) -> (Vec<&str>, bool) {
        if self.identity_files.is_empty() {
            return (DEFAULT_IDENTITY_FILES.to_vec(), false);
        }
        let named = self.identity_files.iter().map(String::as_str);
        (named.filter(|file| !file.eq_ignore_ascii_case("none")).collect(), true)
    }

    /// The host to connect to when `given` was named: Hostname with its `%h`, or `given` itself.
    ///
    /// # Errors
    /// [`ConfigError`] when it cannot be expanded or is not safe to pass on.
    pub fn host_to_connect(
        &self,
        given: &str,
        surroundings: &dyn Surroundings,
    ) -> Result<String, ConfigError> {
        let host = match &self.hostname {
            Some(hostname) => Tokens::of_hostname(given).expand(hostname, surroundings)?,
            None => given.to_owned(),
        };
        if !valid_hostname(&host) {
            return Err(ConfigError::Value(DestinationError::Hostname.to_string()));
        }
        Ok(host)
    }

    /// The user to log in as: User expanded, or the local user.
    ///
    /// # Errors
    /// [`ConfigError`] when it cannot be expanded or is not safe to pass on.
    pub fn user_to_be(
        &self,
        local_user: &str,
        tokens: &Tokens<'_>,
        surroundings: &dyn Surroundings,
    ) -> Result<String, ConfigError> {
        let user = match &self.user {
            Some(user) => tokens.expand(user, surroundings)?,
            None => local_user.to_owned(),
        };
        if !valid_username(&user) {
            return Err(ConfigError::Value(DestinationError::Username.to_string()));
        }
        Ok(user)
    }

    /// Path of the agent's socket, if there is to be one: IdentityAgent, or else the environment's.
    #[must_use]
    pub fn agent_socket(&self, surroundings: &dyn Surroundings) -> Option<String> {
        match self.identity_agent.as_deref() {
            None | Some("SSH_AUTH_SOCK") => surroundings.variable("SSH_AUTH_SOCK"),
            Some(none) if none.eq_ignore_ascii_case("none") => None,
            Some(agent) => match agent.strip_prefix('$') {
                Some(name) => surroundings.variable(name),
                None => Some(agent.to_owned()),
            },
        }
    }

    /// Puts the real values in place of `~`, tokens and `${ENV}`, in every option that may hold them.
    ///
    /// # Errors
    /// [`TokenError`] when one cannot be expanded.
    pub fn expand(
        mut self,
        tokens: &Tokens<'_>,
        surroundings: &dyn Surroundings,
    ) -> Result<Self, TokenError> {
        let path = |text: &str| tokens.expand_path(text, surroundings);
        let lists = [
            &mut self.identity_files,
            &mut self.certificate_files,
            &mut self.user_known_hosts_files,
        ];
        for text in lists.into_iter().flatten() {
            *text = path(text)?;
        }
        for text in [&mut self.revoked_host_keys, &mut self.identity_agent].into_iter().flatten() {
            *text = path(text)?;
        }
        if let Some(text) = &mut self.version_addendum {
            *text = tokens.expand(text, surroundings)?;
        }
        for forwards in
            [&mut self.local_forwards, &mut self.remote_forwards, &mut self.dynamic_forwards]
        {
            let expanded = forwards.drain(..).map(|spec| spec.map_paths(path));
            *forwards = expanded.collect::<Result<_, _>>()?;
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithms::AlgorithmSet;
    use crate::keywords::KEYWORDS;
    use crate::tokens::tests::{Ada, FACTS};
    use crate::types::{
        AddressFamily, FingerprintHash, IpQos, PubkeyAuthentication, RekeyLimit, SessionType,
        StrictHostKeyChecking, WarnWeakCrypto,
    };
    use adit_forward::{PermitRemoteOpen, Target};
    use proptest::prelude::*;

    const HERE: Source<'static> = Source::CommandLine;

    const SET: AlgorithmSet = AlgorithmSet {
        supported: &["chacha20-poly1305@openssh.com", "aes256-ctr", "ssh-ed25519", "old"],
        default: &["chacha20-poly1305@openssh.com", "aes256-ctr", "ssh-ed25519"],
    };

    static ALGORITHMS: Algorithms =
        Algorithms { ciphers: SET, macs: SET, kex: SET, signatures: SET, ca_signatures: SET };

    fn said(lines: &[&str]) -> Partial {
        let mut partial = Partial::new(&ALGORITHMS);
        for line in lines {
            partial.line(line, &HERE).unwrap();
        }
        partial
    }

    fn options(lines: &[&str]) -> Options {
        said(lines).with_defaults().unwrap()
    }

    fn error(line: &str) -> String {
        Partial::new(&ALGORITHMS).line(line, &HERE).unwrap_err().to_string()
    }

    fn notes(line: &str) -> Vec<(LogLevel, String)> {
        said(&[line]).take_notes().into_iter().map(|note| (note.level, note.text)).collect()
    }

    #[test]
    fn the_defaults_are_those_of_ssh() {
        let options = options(&[]);
        assert_eq!((options.port, options.connection_attempts), (22, 1));
        assert_eq!((options.server_alive_interval, options.server_alive_count_max), (0, 3));
        assert_eq!((options.tcp_keep_alive, options.exit_on_forward_failure), (true, false));
        assert_eq!((options.gateway_ports, options.hash_known_hosts), (false, false));
        assert_eq!(options.strict_host_key_checking, StrictHostKeyChecking::Ask);
        assert_eq!(options.update_host_keys, UpdateHostKeys::Yes);
        assert_eq!((options.connect_timeout, options.rekey_limit), (0, RekeyLimit::default()));
        assert_eq!(options.user_known_hosts_files, ["~/.ssh/known_hosts", "~/.ssh/known_hosts2"]);
        assert_eq!(options.memory_limit, None);
        assert_eq!(options.ciphers, SET.default);
        assert_eq!(options.stream_local_bind_mask, 0o177);
        assert_eq!(options.identity_files_to_try(), (DEFAULT_IDENTITY_FILES.to_vec(), false));
    }

    #[test]
    fn each_kind_of_value_is_read() {
        macro_rules! reads {
            ($($line:literal => $field:ident == $value:expr;)*) => {
                $(assert_eq!(options(&[$line]).$field, $value, $line);)*
            };
        }
        reads! {
            "BatchMode yes" => batch_mode == true;
            "batchmode=TRUE" => batch_mode == true;
            "BatchMode false" => batch_mode == false;
            "AddressFamily INET6" => address_family == AddressFamily::Inet6;
            "Port 2222" => port == 2222;
            "Port=\"2222\"" => port == 2222;
            "ConnectTimeout 1h30m" => connect_timeout == 5400;
            "ConnectTimeout 2w3d4h5m6s" => connect_timeout == 1_483_506;
            "ConnectTimeout 10" => connect_timeout == 10;
            "ConnectTimeout none" => connect_timeout == 0;
            "ServerAliveCountMax 0" => server_alive_count_max == 0;
            "StrictHostKeyChecking off" => strict_host_key_checking == StrictHostKeyChecking::No;
            "StrictHostKeyChecking accept-new" => strict_host_key_checking == StrictHostKeyChecking::AcceptNew;
            "FingerprintHash MD5" => fingerprint_hash == FingerprintHash::Md5;
            "LogLevel debug" => log_level == LogLevel::Debug1;
            "LogLevel SILENT" => log_level == LogLevel::Quiet;
            "SessionType none" => session_type == SessionType::None;
            "PubkeyAuthentication unbound" => pubkey_authentication == PubkeyAuthentication::Unbound;
            "WarnWeakCrypto no-pq-kex" => warn_weak_crypto == WarnWeakCrypto::NoPqKex;
            "RekeyLimit 1G 1h" => rekey_limit == RekeyLimit { bytes: Some(1 << 30), seconds: Some(3600) };
            "RekeyLimit default none" => rekey_limit == RekeyLimit { bytes: None, seconds: None };
            "RekeyLimit 16k" => rekey_limit == RekeyLimit { bytes: Some(16384), seconds: None };
            "MemoryLimit 4M" => memory_limit == Some(4 << 20);
            "MemoryLimit 1m" => memory_limit == Some(1 << 20);
            "StreamLocalBindMask 0117" => stream_local_bind_mask == 0o117;
            "IPQoS af21 none" => ip_qos == IpQos { interactive: Some(0x48), bulk: None };
            "IPQoS 0x10" => ip_qos == IpQos { interactive: Some(0x10), bulk: Some(0x10) };
            "User \"a b\"" => user == Some("a b".to_owned());
            "UserKnownHostsFile /a \"/b c\"" => user_known_hosts_files == ["/a", "/b c"];
            "PreferredAuthentications password,publickey" => preferred_authentications == ["password", "publickey"];
            "VersionAddendum two words" => version_addendum == Some("two words".to_owned());
            "PermitRemoteOpen none" => permit_remote_open == PermitRemoteOpen::NONE;
            "Ciphers +old" => ciphers == ["chacha20-poly1305@openssh.com", "aes256-ctr", "ssh-ed25519", "old"];
            "Ciphers -aes*" => ciphers == ["chacha20-poly1305@openssh.com", "ssh-ed25519"];
            "MACs ^old" => macs == ["old", "chacha20-poly1305@openssh.com", "aes256-ctr", "ssh-ed25519"];
            "KexAlgorithms old" => kex_algorithms == ["old"];
            "HostKeyAlgorithms ssh-ed*" => host_key_algorithms == Some(vec!["ssh-ed25519"]);
            "HostbasedAuthentication no" => batch_mode == false;
            "ChallengeResponseAuthentication no" => kbd_interactive_authentication == false;
            "KeepAlive no" => tcp_keep_alive == false;
            "PubkeyAcceptedKeyTypes ssh-ed25519" => pubkey_accepted_algorithms == ["ssh-ed25519"];
        }
    }

    #[test]
    fn wrong_lines_are_refused_in_ssh_words() {
        for (line, words) in [
            ("foo=1", "command-line: line 0: Bad configuration option: foo"),
            ("Foo", "command-line: line 0: Bad configuration option: foo"),
            ("Port", "command-line line 0: no argument after keyword \"port\""),
            ("User=", "command-line line 0: no argument after keyword \"user\""),
            ("User=\"\"", "command-line line 0: Missing argument."),
            ("User=#x", "command-line line 0: Missing argument."),
            ("User='a b", "command-line line 0: invalid quotes"),
            ("Port 22 33", "command-line line 0: keyword port extra arguments at end of line"),
            ("Port x", "command-line line 0: Bad port 'x'."),
            ("Port 0", "command-line line 0: Bad port '0'."),
            ("Port 65536", "command-line line 0: Bad port '65536'."),
            ("Port 22x", "command-line line 0: Bad port '22x'."),
            ("Port==22", "command-line line 0: Bad port '=22'."),
            ("BatchMode maybe", "command-line line 0: unsupported option \"maybe\"."),
            ("StrictHostKeyChecking mmm", "command-line line 0: unsupported option \"mmm\"."),
            ("AddressFamily x", "command-line line 0: unsupported option \"x\"."),
            ("LogLevel x", "command-line line 0: unsupported log level 'x'"),
            ("SyslogFacility x", "command-line line 0: unsupported log facility 'x'"),
            ("FingerprintHash x", "command-line line 0: Invalid hash algorithm \"x\"."),
            ("VersionAddendum a\rb", "command-line line 0: Invalid argument."),
            ("VersionAddendum a\nb", "command-line line 0: Invalid argument."),
            ("ConnectTimeout x", "command-line line 0: invalid time value."),
            ("ConnectTimeout 1x", "command-line line 0: invalid time value."),
            ("ConnectTimeout -1", "command-line line 0: invalid time value."),
            ("ConnectTimeout 99999999999", "command-line line 0: invalid time value."),
            ("ConnectTimeout 2147483648", "command-line line 0: invalid time value."),
            ("ConnectTimeout 4294967295w", "command-line line 0: invalid time value."),
            ("ConnectionAttempts 1.5", "command-line line 0: integer value invalid."),
            ("NumberOfPasswordPrompts -1", "command-line line 0: integer value too small."),
            ("ServerAliveCountMax 2147483648", "command-line line 0: integer value too large."),
            ("RekeyLimit x", "command-line line 0: Bad number 'x': Invalid argument"),
            ("RekeyLimit 1X", "command-line line 0: Bad number '1X': Invalid argument"),
            (
                "RekeyLimit 99999999999G",
                "command-line line 0: Bad number '99999999999G': Numerical result out of range",
            ),
            ("RekeyLimit 1", "command-line line 0: RekeyLimit too small"),
            ("RekeyLimit 1G 1x", "command-line line 0: invalid time value."),
            (
                "RekeyLimit 1G 1h 1",
                "command-line line 0: keyword rekeylimit extra arguments at end of line",
            ),
            ("MemoryLimit 1023K", "command-line line 0: memorylimit too small: at least 1M"),
            ("MemoryLimit x", "command-line line 0: Bad memorylimit number 'x': Invalid argument"),
            ("IPQoS x", "command-line line 0: Bad IPQoS value: x"),
            ("IPQoS 0x+f", "command-line line 0: Bad IPQoS value: 0x+f"),
            ("IPQoS ef 256", "command-line line 0: Bad IPQoS value: 256"),
            ("StreamLocalBindMask 9", "command-line line 0: Bad mask."),
            ("StreamLocalBindMask 77777", "command-line line 0: Bad mask."),
            ("Ciphers zzz", "command-line line 0: Bad SSH2 cipher spec 'zzz'."),
            ("Ciphers aes*", "command-line line 0: Bad SSH2 cipher spec 'aes*'."),
            ("MACs zz", "command-line line 0: Bad SSH2 MAC spec 'zz'."),
            ("KexAlgorithms zzz", "command-line line 0: Bad SSH2 KexAlgorithms 'zzz'."),
            ("HostKeyAlgorithms zz", "command-line line 0: Bad key types 'zz'."),
            ("CASignatureAlgorithms zz", "command-line line 0: Bad key types 'zz'."),
            ("LocalForward x", "command-line line 0: Missing target argument."),
            ("LocalForward 8080:h:80", "command-line line 0: Missing target argument."),
            ("LocalForward 0 h:80", "command-line line 0: Bad forwarding specification."),
            ("RemoteForward x y", "command-line line 0: Bad forwarding specification."),
            ("RemoteForward 80:h:80", "command-line line 0: Bad forwarding specification."),
            ("DynamicForward x", "command-line line 0: Bad forwarding specification."),
            ("PermitRemoteOpen x", "command-line line 0: bad port number in permitremoteopen"),
            (
                "UserKnownHostsFile none b",
                "command-line line 0: keyword userknownhostsfile \"none\" argument must appear alone.",
            ),
            ("Host x", "Host directive not supported as a command-line option"),
            ("Include x", "Include directive not supported as a command-line option"),
        ] {
            assert_eq!(error(line), words, "{line}");
        }
    }

    #[test]
    fn values_asking_for_what_is_not_there_are_refused_or_warned_about() {
        assert_eq!(
            error("ProxyCommand nc %h %p"),
            "command-line line 0: ProxyCommand \"nc %h %p\": a proxy command is not supported yet"
        );
        for line in [
            "Tunnel yes",
            "PKCS11Provider /x",
            "ProxyJump a",
            "RemoteCommand x y",
            "PermitLocalCommand yes",
        ] {
            assert!(error(line).contains("supported"), "{line}");
        }
        for line in [
            "ProxyCommand none",
            "ProxyJump NONE",
            "Tunnel no",
            "ControlMaster no",
            "ForwardAgent no",
            "RemoteCommand=none",
            "PermitLocalCommand=no",
            "PKCS11Provider none",
            "AddKeysToAgent no",
        ] {
            assert!(notes(line).iter().all(|(level, _)| *level > LogLevel::Info), "{line}");
        }
        assert_eq!(
            notes("ForwardAgent yes"),
            [(
                LogLevel::Info,
                "Warning: command-line line 0: ForwardAgent \"yes\": the agent is not forwarded"
                    .into()
            )]
        );
        assert_eq!(
            notes("ControlMaster auto"),
            [(
                LogLevel::Verbose,
                "command-line line 0: ControlMaster has no effect: connections are not shared"
                    .into()
            )]
        );
        assert_eq!(
            notes("Protocol 2,1"),
            [(LogLevel::Debug1, "command-line line 0: Deprecated option \"protocol\"".into())]
        );
        assert_eq!(
            notes("Ciphers old,3des-cbc"),
            [(
                LogLevel::Verbose,
                "command-line line 0: Ciphers 3des-cbc is not available here".into()
            )]
        );
    }

    #[test]
    fn values_without_effect_are_still_checked() {
        for value in ["yes", "no", "true", "force", "auto"] {
            assert_eq!(notes(&format!("RequestTTY {value}")).len(), 1);
        }
        assert_eq!(error("RequestTTY x"), "command-line line 0: unsupported option \"x\".");
        assert_eq!(error("Compression x"), "command-line line 0: unsupported option \"x\".");
        assert_eq!(error("ForwardX11Timeout x"), "command-line line 0: invalid time value.");
        assert_eq!(error("CanonicalizeMaxDots x"), "command-line line 0: integer value invalid.");
    }

    #[test]
    fn every_row_is_found_under_each_of_its_names_and_takes_no_name_twice() {
        let mut seen = Vec::new();
        for (at, row) in KEYWORDS.iter().enumerate() {
            assert_eq!(row.keyword as usize, at);
            for name in std::iter::once(&row.name).chain(row.aliases) {
                assert_eq!(Keyword::from_name(&name.to_ascii_uppercase()), Some(row.keyword));
                assert!(!seen.contains(&name.to_ascii_lowercase()), "{name}");
                seen.push(name.to_ascii_lowercase());
            }
        }
    }

    #[test]
    fn the_first_value_wins_and_a_later_wrong_one_is_still_an_error() {
        assert_eq!(options(&["Port 1", "Port 2"]).port, 1);
        let mut partial = said(&["Port 1"]);
        assert!(partial.line("Port x", &HERE).is_err());
        assert_eq!(
            options(&["UserKnownHostsFile a", "UserKnownHostsFile b"]).user_known_hosts_files,
            ["a"]
        );
    }

    #[test]
    fn forwards_identities_and_certificates_accumulate_each_once() {
        let options = options(&[
            "LocalForward 8080 h:80",
            "LocalForward *:8081 /sock",
            "LocalForward 8080 h:80",
            "RemoteForward [::1]:80 /s",
            "RemoteForward 90",
            "DynamicForward localhost:1080",
            "IdentityFile a",
            "IdentityFile b",
            "IdentityFile a",
            "CertificateFile c",
        ]);
        assert_eq!(options.local_forwards.len(), 2);
        assert_eq!(options.remote_forwards.len(), 2);
        assert_eq!(options.remote_forwards[1].target, Target::Dynamic);
        assert_eq!(options.dynamic_forwards.len(), 1);
        assert_eq!(options.identity_files, ["a", "b"]);
        assert_eq!(options.identity_files_to_try(), (vec!["a", "b"], true));
        assert_eq!(options.certificate_files, ["c"]);
    }

    #[test]
    fn an_identity_file_of_none_means_none() {
        assert_eq!(options(&["IdentityFile none"]).identity_files_to_try(), (vec![], true));
    }

    #[test]
    fn a_word_is_taken_as_it_is() {
        let mut partial = Partial::new(&ALGORITHMS);
        partial.set(Keyword::User, "it's #1 \"x\"", &HERE).unwrap();
        assert_eq!(partial.with_defaults().unwrap().user.as_deref(), Some("it's #1 \"x\""));
    }

    #[test]
    fn a_replacement_wins_over_what_was_said_before() {
        let mut partial = said(&["LogLevel ERROR"]);
        partial.replace(Keyword::LogLevel, "DEBUG2", &HERE).unwrap();
        partial.line("LogLevel QUIET", &HERE).unwrap();
        assert_eq!(partial.with_defaults().unwrap().log_level, LogLevel::Debug2);
    }

    #[test]
    fn stdio_forwarding_clears_the_others_unless_told_not_to() {
        let mut partial = said(&["LocalForward 8080 h:80"]);
        partial.set_stdio_forward();
        let alone = partial.with_defaults().unwrap();
        assert_eq!((alone.local_forwards.len(), alone.exit_on_forward_failure), (0, true));

        let mut partial = said(&["LocalForward 8080 h:80", "ClearAllForwardings no"]);
        partial.set_stdio_forward();
        assert_eq!(partial.with_defaults().unwrap().local_forwards.len(), 1);
    }

    #[test]
    fn known_hosts_files_of_ones_own_turn_learning_off() {
        assert_eq!(options(&["UserKnownHostsFile x"]).update_host_keys, UpdateHostKeys::No);
        let both = options(&["UserKnownHostsFile x", "UpdateHostKeys yes"]);
        assert_eq!(both.update_host_keys, UpdateHostKeys::Yes);
    }

    #[test]
    fn ignore_unknown_silences_what_it_names() {
        let mut partial = said(&["IgnoreUnknown foo*,Bar"]);
        for line in ["FooBar 1", "bar 2"] {
            partial.line(line, &HERE).unwrap();
        }
        assert_eq!(partial.take_notes().len(), 2);
        let place = Source::File { name: "/etc/x", line: 7 };
        let error = partial.line("other 1", &place).unwrap_err();
        assert_eq!(error.to_string(), "/etc/x: line 7: Bad configuration option: other");
        let error = partial.line("Port x", &place).unwrap_err();
        assert_eq!(error.to_string(), "/etc/x line 7: Bad port 'x'.");
    }

    #[test]
    fn some_configurations_never_connect() {
        let error = said(&["RefuseConnection \"closed today\""]).with_defaults().unwrap_err();
        assert_eq!(error.to_string(), "closed today");
        let error = said(&["ConnectionAttempts 0"]).with_defaults().unwrap_err();
        assert_eq!(error.to_string(), "Invalid number of ConnectionAttempts");
    }

    #[test]
    fn host_and_user_are_checked_after_expansion() {
        let tokens = Tokens::of_connection(&FACTS);
        let host = |lines: &[&str]| options(lines).host_to_connect("db", &Ada);
        assert_eq!(host(&[]).as_deref(), Ok("db"));
        assert_eq!(host(&["Hostname %h.internal"]).as_deref(), Ok("db.internal"));
        assert!(host(&["Hostname %n"]).is_err());
        assert!(host(&["Hostname -x"]).is_err());
        assert!(host(&["Hostname 'a;b'"]).is_err());

        let user = |lines: &[&str]| options(lines).user_to_be("ada", &tokens, &Ada);
        assert_eq!(user(&[]).as_deref(), Ok("ada"));
        assert_eq!(user(&["User %u-at-%n"]).as_deref(), Ok("ada-at-db"));
        let error = user(&["User -x"]).unwrap_err();
        assert_eq!(error.to_string(), "remote username contains invalid characters");
    }

    #[test]
    fn paths_are_expanded_and_host_names_in_forwards_are_not() {
        let options = options(&[
            "IdentityFile ~/k-%n",
            "UserKnownHostsFile ~/h",
            "LocalForward /tmp/%n ${RUN}/s",
            "RemoteForward 80 %n:80",
            "VersionAddendum %n",
        ]);
        let expanded = options.expand(&Tokens::of_connection(&FACTS), &Ada).unwrap();
        assert_eq!(expanded.identity_files, ["/home/ada/k-db"]);
        assert_eq!(expanded.user_known_hosts_files, ["/home/ada/h"]);
        assert_eq!(expanded.local_forwards[0].target, Target::Unix("/run/%h/s".into()));
        assert_eq!(expanded.local_forwards[0].listen.describe(), "path /tmp/db");
        assert_eq!(expanded.remote_forwards[0].target.to_string(), "%n:80");
        assert_eq!(expanded.version_addendum.as_deref(), Some("db"));
    }

    #[test]
    fn the_agent_is_the_environments_unless_named() {
        for (line, socket) in [
            ("BatchMode no", Some("/run/agent")),
            ("IdentityAgent SSH_AUTH_SOCK", Some("/run/agent")),
            ("IdentityAgent $SSH_AUTH_SOCK", Some("/run/agent")),
            ("IdentityAgent $NOPE", None),
            ("IdentityAgent none", None),
            ("IdentityAgent /x", Some("/x")),
        ] {
            assert_eq!(options(&[line]).agent_socket(&Ada).as_deref(), socket, "{line}");
        }
    }

    proptest! {
        #[test]
        fn any_line_is_taken_or_refused(line in ".{0,60}") {
            let _ = Partial::new(&ALGORITHMS).line(&line, &HERE);
        }

        #[test]
        fn any_value_of_any_keyword_is_taken_or_refused(
            at in 0..KEYWORDS.len(),
            value in "[-+^a-z0-9:/*\\[\\]\"' #%$.,=]{0,20}",
        ) {
            let line = [KEYWORDS[at].name, " ", &value].concat();
            if Partial::new(&ALGORITHMS).line(&line, &HERE).is_ok() {
                // What is taken has been read whole: nothing of it may panic later.
                let _ = said(&[&line]).with_defaults();
            }
        }
    }
}
