//! sshd_config: what a server does, for everybody and for those a Match block names. sshd_config(5).
//! Touches: files, through [`Files`].   Never: sockets, users, what an option leads to.
//! Invariants: files are read once; what is in force for a connection is found by walking the blocks.
//! Errors: all bad lines, each a [`ConfigError`] in sshd's words.   Allocates: the values; per answer, unless shared.
//! Proved by: `tests` below, fuzz `sshd_config`.

mod access;
mod dump;
mod files;
mod keywords;
mod layers;
mod matching;
mod options;
mod parse;
#[cfg(test)]
mod tests;
mod types;
mod value;

pub use access::UserPattern;
pub use adit_pattern::{AddressList, BadList};
pub use files::{Disk, Files};
pub use keywords::{KEYWORDS, Keyword, ServerOptions};
pub use matching::MatchContext;
pub use types::{
    ChannelTimeout, ListenAddress, MaxStartups, NetBlockSize, Overflow, Penalties, PenaltyKind,
    PenaltySetting, PermitUserEnvironment, PubkeyAuthOptions, Subsystem,
};

use crate::algorithms::Algorithms;
use crate::error::{ConfigError, Note};
use keywords::Stored;
use parse::{Block, Parser};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// What is read when no file is named.
pub const DEFAULT_FILE: &str = "/etc/ssh/sshd_config";

/// Answers that are kept: blocks rarely apply in more combinations.
const KEPT_ANSWERS: usize = 64;

/// A configuration that has been read.
#[derive(Debug)]
pub struct ServerConfig {
    global: Stored,
    blocks: Vec<Block>,
    notes: Vec<Note>,
    files: Vec<PathBuf>,
    algorithms: &'static Algorithms,
    /// Answers by the blocks that apply.
    answers: Mutex<Vec<(Vec<usize>, Arc<ServerOptions>)>>,
}

impl ServerConfig {
    /// Reads `overrides` (`-o` lines; the first value wins, so they win over the file), then the file with its
    /// Includes, if there is to be one.
    ///
    /// # Errors
    /// Every bad line of every file.
    pub fn load(
        path: Option<&Path>,
        overrides: &[String],
        algorithms: &'static Algorithms,
    ) -> Result<Self, Vec<ConfigError>> {
        Self::load_from(&Disk, path, overrides, algorithms)
    }

    /// As [`ServerConfig::load`], with files of another kind.
    ///
    /// # Errors
    /// Every bad line of every file.
    pub fn load_from(
        files: &dyn Files,
        path: Option<&Path>,
        overrides: &[String],
        algorithms: &'static Algorithms,
    ) -> Result<Self, Vec<ConfigError>> {
        let mut parser = Parser::new(files, algorithms);
        parser.overrides(overrides);
        if let Some(path) = path {
            parser.main_file(path);
        }
        let Parser { global, blocks, notes, errors, read, .. } = parser;
        if !errors.is_empty() {
            return Err(errors);
        }
        let answers = Mutex::default();
        let config = Self { global, blocks, notes, files: read, algorithms, answers };
        config.checked()
    }

    /// Whether what is said goes together.
    fn checked(self) -> Result<Self, Vec<ConfigError>> {
        let everybody = self.combine(&[]);
        let methods = everybody.methods_can_be_gone_through().map_err(str::to_owned);
        // Of blocks several may apply together, so they are not judged one by one.
        let commands = everybody.commands_have_users();
        let errors: Vec<_> = methods.err().into_iter().chain(commands.err()).collect();
        match errors.is_empty() {
            true => Ok(self),
            false => Err(errors.into_iter().map(ConfigError::Value).collect()),
        }
    }

    /// What is worth saying about what was read.
    #[must_use]
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// The files it was read from.
    #[must_use]
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// What is in force for everybody, and what where one block alone applies: every value that is said somewhere.
    #[must_use]
    pub fn options_of_parts(&self) -> Vec<ServerOptions> {
        let blocks = (0..self.blocks.len()).map(|at| self.combine(&[at]));
        std::iter::once(self.global_options()).chain(blocks).collect()
    }

    /// What is in force for a connection: of the blocks that apply the first that says something, else the global part.
    #[must_use]
    pub fn options(&self, context: &MatchContext<'_>) -> ServerOptions {
        ServerOptions::clone(&self.shared_options(context))
    }

    /// As [`ServerConfig::options`]; connections to which the same blocks apply share one copy.
    #[must_use]
    pub fn shared_options(&self, context: &MatchContext<'_>) -> Arc<ServerOptions> {
        let applies = |block: &Block| block.criteria.iter().all(|one| one.holds(context));
        let applying: Vec<usize> =
            (0..self.blocks.len()).filter(|&at| applies(&self.blocks[at])).collect();
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, known)) = answers.iter().find(|(blocks, _)| *blocks == applying) {
            return Arc::clone(known);
        }
        let options = Arc::new(self.combine(&applying));
        if answers.len() < KEPT_ANSWERS {
            answers.push((applying, Arc::clone(&options)));
        }
        options
    }

    /// What is in force for everybody, whatever the blocks say.
    #[must_use]
    pub fn global_options(&self) -> ServerOptions {
        self.combine(&[])
    }

    fn combine(&self, applying: &[usize]) -> ServerOptions {
        let mut stored = Stored::default();
        for &at in applying {
            stored.and(&self.blocks[at].stored);
        }
        let own: Vec<Subsystem> = stored.subsystems.clone();
        stored.over(&self.global);
        stored.subsystems = own.into_iter().chain(self.global.subsystems.iter().cloned()).collect();
        stored.into_options(self.algorithms).settled()
    }
}
