//! Collecting options from wherever they are said, and what is in force at the end. ssh_config(5).
//! Touches: strings.   Never: files; a file parser feeds [`Partial::line`].
//! Invariants: the first value of a keyword stays, but for those where all count; a wrong value is an error even then.
//! Errors: [`ConfigError`], in ssh's words.   Allocates: the values.
//! Proved by: `tests` below.

use crate::algorithms::Algorithms;
use crate::error::{ConfigError, Note, Source};
use crate::keywords::{Keyword, Options, Row, Status, Stored};
use crate::pattern::{Verdict, matches_list};
use crate::table::every;
use crate::tokens::{Surroundings, TokenError, Tokens};
use crate::types::{LogLevel, UpdateHostKeys};
use crate::value::Input;
use crate::words;
use adit_forward::{Direction, ForwardSpec};

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
        if value.is_empty() {
            let text = format!("no argument after keyword \"{name}\"");
            return Err(ConfigError::value(&text, source));
        }
        let words =
            words::split(value).map_err(|_| ConfigError::value("invalid quotes", source))?;
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

    /// Says a log level whatever has been said before; `-q` and `-v` do.
    pub fn override_log_level(&mut self, level: LogLevel) {
        self.stored.log_level = Some(level);
    }

    /// The log level said so far.
    #[must_use]
    pub fn log_level(&self) -> Option<LogLevel> {
        self.stored.log_level
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
        let row = keyword.row();
        if let Status::FilesOnly(name) = row.status {
            let text = format!("{name} directive not supported as a command-line option");
            return Err(ConfigError::Value(text));
        }
        let value = words.join(" ");
        let algorithms = self.algorithms;
        let mut input =
            Input { keyword: name, words: words.into_iter(), line, algorithms, skipped: vec![] };
        self.stored
            .store(keyword, &mut input)
            .map_err(|error| ConfigError::value(&error.0, source))?;
        if input.words.next().is_some() {
            let text = format!("keyword {} extra arguments at end of line", input.keyword);
            return Err(ConfigError::value(&text, source));
        }
        for name in input.skipped {
            let text = format!("{source}: {} {name} is not available here", row.name);
            self.notes.push(Note { level: LogLevel::Verbose, text });
        }
        self.comment(row, &value, source)
    }

    /// Says what a keyword that is not honoured means for the user.
    fn comment(&mut self, row: &Row, value: &str, source: &Source<'_>) -> Result<(), ConfigError> {
        let name = row.name;
        let asks = |off: &[&str]| !off.iter().any(|off| off.eq_ignore_ascii_case(value));
        let (level, text) = match row.status {
            Status::WithoutEffect(why) => {
                (LogLevel::Verbose, format!("{source}: {name} has no effect: {why}"))
            }
            Status::Missing { off, why } if asks(off) => {
                (LogLevel::Info, format!("Warning: {source}: {name} \"{value}\": {why}"))
            }
            Status::Refused { off, why } if asks(off) => {
                return Err(ConfigError::value(&format!("{name} \"{value}\": {why}"), source));
            }
            Status::Deprecated => (
                LogLevel::Debug1,
                format!("{source}: Deprecated option \"{}\"", name.to_ascii_lowercase()),
            ),
            Status::Honoured
            | Status::Missing { .. }
            | Status::Refused { .. }
            | Status::FilesOnly(_) => return Ok(()),
        };
        self.notes.push(Note { level, text });
        Ok(())
    }

    fn unknown(&mut self, name: &str, source: &Source<'_>) -> Result<(), ConfigError> {
        let name = name.to_ascii_lowercase();
        let ignored = self.stored.ignore_unknown.as_deref().unwrap_or_default();
        if matches_list(&name, &ignored.to_ascii_lowercase()) != Verdict::Match {
            return Err(ConfigError::unknown_keyword(&name, source));
        }
        let text = format!("{source}: Ignored unknown option \"{name}\"");
        self.notes.push(Note { level: LogLevel::Debug1, text });
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
