//! Reading sshd_config: lines into the global part and the blocks, Include, Match. sshd_config(5).
//! Touches: files, through [`Files`].   Never: which blocks apply to whom.
//! Invariants: every bad line of every file is reported, not only the first; a wrong value is an error even where it loses.
//! Errors: [`ConfigError`], in sshd's words.   Allocates: the values.
//! Proved by: `tests` in `server`, fuzz `sshd_config`.

use super::files::{Files, tilde};
use super::keywords::{Keyword, Stored};
use super::matching::{Criterion, criteria};
use crate::algorithms::Algorithms;
use crate::error::{ConfigError, Dialect, Note, Source};
use crate::line::{self, Line};
use crate::row::Scope;
use crate::types::LogLevel;
use crate::words;
use std::path::{Path, PathBuf};

/// Files within files, as in sshd.
const MAX_DEPTH: u32 = 16;

/// What one Match says, and to whom.
#[derive(Clone, Debug)]
pub(super) struct Block {
    pub(super) criteria: Vec<Criterion>,
    pub(super) stored: Stored,
}

/// A configuration being read.
pub(super) struct Parser<'a> {
    pub(super) global: Stored,
    pub(super) blocks: Vec<Block>,
    pub(super) notes: Vec<Note>,
    pub(super) errors: Vec<ConfigError>,
    /// The files that were read.
    pub(super) read: Vec<PathBuf>,
    files: &'a dyn Files,
    algorithms: &'static Algorithms,
    /// Where relative names are: the folder of the main file.
    folder: PathBuf,
    /// Criteria of the block we are in; none outside.
    within: Option<Vec<Criterion>>,
    /// Criteria of the block that included the file we are in: they hold for its own blocks too.
    around: Vec<Criterion>,
    /// The last block has these criteria and goes on.
    continues: bool,
    /// Includes went too deep: no more of them.
    too_deep: bool,
    /// Ports of the command line replace those of the file.
    ports_are_fixed: bool,
}

impl<'a> Parser<'a> {
    pub(super) fn new(files: &'a dyn Files, algorithms: &'static Algorithms) -> Self {
        Self {
            global: Stored::default(),
            blocks: Vec::new(),
            read: Vec::new(),
            notes: Vec::new(),
            errors: Vec::new(),
            files,
            algorithms,
            folder: PathBuf::from("/etc/ssh"),
            within: None,
            around: Vec::new(),
            continues: false,
            too_deep: false,
            ports_are_fixed: false,
        }
    }

    /// Reads the lines of the command line; they win over those of the file.
    pub(super) fn overrides(&mut self, lines: &[String]) {
        for text in lines {
            if let Err(error) = self.line(text, &Source::CommandLine, 0) {
                self.errors.push(error);
            }
        }
        self.ports_are_fixed = !self.global.ports.is_empty();
        self.global.complete_names(self.files, &self.files.current_folder());
    }

    /// Reads the main file and what it includes.
    pub(super) fn main_file(&mut self, path: &Path) {
        if let Some(folder) = path.parent() {
            self.folder = self.files.current_folder().join(folder);
        }
        self.file(path, 0);
        let blocks = self.blocks.iter_mut().map(|block| &mut block.stored);
        for stored in blocks.chain([&mut self.global]) {
            stored.complete_names(self.files, &self.folder);
        }
    }

    fn file(&mut self, path: &Path, depth: u32) {
        let name = path.to_string_lossy();
        let text = match self.files.read(path) {
            Ok(text) => {
                self.read.push(path.to_owned());
                text
            }
            Err(error) => {
                let text = format!("{name}: {}", adit_forward::os_words(&error));
                return self.errors.push(ConfigError::Value(text));
            }
        };
        let mut bad = 0;
        for (line, text) in (1..).zip(text.split('\n')) {
            if let Err(error) = self.line(text, &Source::File { name: &name, line }, depth) {
                self.errors.push(error);
                bad += 1;
            }
        }
        if bad > 0 {
            let text = format!("{name}: terminating, {bad} bad configuration options");
            self.errors.push(ConfigError::Value(text));
        }
    }

    fn line(&mut self, text: &str, source: &Source<'_>, depth: u32) -> Result<(), ConfigError> {
        // A form feed may end a line, as in sshd.
        let text = text.trim_end_matches([' ', '\t', '\r', '\n', '\x0c']);
        let Some((name, value)) = words::keyword(text) else { return Ok(()) };
        let words = line::split(name, value, source);
        let keyword = match Keyword::from_name(name) {
            Some(keyword) => keyword,
            // A keyword alone on its line is complained about as such, known or not.
            None if value.is_empty() => return words.map(drop),
            None => return Err(ConfigError::unknown_keyword(name, source)),
        };
        let words = words?;
        match (keyword, source) {
            (Keyword::Match, Source::File { .. }) => self.begin_block(words, source),
            (Keyword::Include, Source::File { .. }) => self.include(words, name, source, depth),
            _ => self.keyword(keyword, name, words, value, source),
        }
    }

    fn keyword(
        &mut self,
        keyword: Keyword,
        name: &str,
        words: Vec<String>,
        value: &str,
        source: &Source<'_>,
    ) -> Result<(), ConfigError> {
        if self.within.is_some() && keyword.row().scope == Scope::Global {
            let text = format!("Directive '{name}' is not allowed within a Match block");
            return Err(ConfigError::value(&text, source));
        }
        let (algorithms, dialect) = (self.algorithms, Dialect::Sshd);
        let line = Line { name: name.into(), words, value, source, algorithms, dialect };
        let mut overridden = Stored::default();
        let stored = match keyword {
            Keyword::Port if self.ports_are_fixed => &mut overridden,
            _ => self.stored(),
        };
        let notes = line.take(keyword.row(), |input| stored.store(keyword, input))?;
        self.notes.extend(notes);
        Ok(())
    }

    /// Where values go: the global part, or the block we are in.
    fn stored(&mut self) -> &mut Stored {
        let Some(criteria) = &self.within else { return &mut self.global };
        if !self.continues {
            self.blocks.push(Block { criteria: criteria.clone(), stored: Stored::default() });
            self.continues = true;
        }
        match self.blocks.last_mut() {
            Some(block) => &mut block.stored,
            None => &mut self.global,
        }
    }

    /// Match: what follows is for some only, up to the next one or the end of the file.
    fn begin_block(&mut self, words: Vec<String>, source: &Source<'_>) -> Result<(), ConfigError> {
        let own = criteria(words).map_err(|error| {
            ConfigError::value(&format!("Bad Match condition: {}", error.0), source)
        })?;
        self.within = Some(self.around.iter().cloned().chain(own).collect());
        self.continues = false;
        Ok(())
    }

    fn include(
        &mut self,
        patterns: Vec<String>,
        name: &str,
        source: &Source<'_>,
        depth: u32,
    ) -> Result<(), ConfigError> {
        if patterns.iter().any(String::is_empty) {
            let text = format!("keyword {name} empty argument");
            return Err(ConfigError::value(&text, source));
        }
        if depth >= MAX_DEPTH {
            self.too_deep = true;
            return Err(ConfigError::value("Too many recursive configuration includes", source));
        }
        for pattern in patterns {
            let mut pattern = tilde(&pattern, self.files);
            if Path::new(&pattern).is_relative() {
                let folder = glob::Pattern::escape(&self.folder.to_string_lossy());
                pattern = format!("{folder}/{pattern}");
            }
            let paths = self.files.matching(&pattern).map_err(|_| {
                ConfigError::value(&format!("include \"{pattern}\" glob failed"), source)
            })?;
            if paths.is_empty() {
                let text = format!("{source}: no match for {pattern}");
                self.notes.push(Note { level: LogLevel::Debug2, text });
            }
            for path in paths {
                // Files that include each other would be gone through in every order.
                if !self.too_deep {
                    self.included(&path, depth + 1);
                }
            }
        }
        Ok(())
    }

    /// A block ends with the file it began in, and goes on after a file it includes.
    fn included(&mut self, path: &Path, depth: u32) {
        let within = self.within.clone();
        let around = std::mem::replace(&mut self.around, within.clone().unwrap_or_default());
        self.file(path, depth);
        (self.within, self.around) = (within, around);
        self.continues = false;
    }
}
