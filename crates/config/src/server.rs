//! sshd_config: what a server does, for everybody and for those a Match block names. sshd_config(5).
//! Touches: files, through [`Files`].   Never: sockets, users, what an option leads to.
//! Invariants: files are read once; what is in force for a connection is found by walking the blocks.
//! Errors: all bad lines, each a [`ConfigError`] in sshd's words.   Allocates: the values; per answer, unless shared.
//! Proved by: `tests` below, fuzz `sshd_config`.

mod access;
mod address_list;
mod dump;
mod files;
mod keywords;
mod layers;
mod matching;
mod parse;
#[cfg(test)]
mod tests;
mod types;
mod value;

pub use access::UserPattern;
pub use address_list::{AddressList, BadList};
pub use files::{Disk, Files};
pub use keywords::{KEYWORDS, Keyword, ServerOptions};
pub use matching::MatchContext;
pub use types::{
    ChannelTimeout, ListenAddress, MaxStartups, NetBlockSize, Overflow, Penalties, PenaltyKind,
    PenaltySetting, PermitUserEnvironment, PubkeyAuthOptions, Subsystem,
};

use crate::algorithms::Algorithms;
use crate::error::{ConfigError, Note};
use crate::types::{AddressFamily, AuthMethod, Role, StaleListener};
use files::{absolute, tilde};
use keywords::Stored;
use parse::{Block, Parser};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// What is read when no file is named.
pub const DEFAULT_FILE: &str = "/etc/ssh/sshd_config";

/// What HostKey is when it is not set.
const DEFAULT_HOST_KEYS: [&str; 3] =
    ["/etc/ssh/ssh_host_ed25519_key", "/etc/ssh/ssh_host_ecdsa_key", "/etc/ssh/ssh_host_rsa_key"];

/// The port when none is set.
const DEFAULT_PORT: u16 = 22;

/// Answers that are kept: blocks rarely apply in more combinations.
const KEPT_ANSWERS: usize = 64;

/// A configuration that has been read.
#[derive(Debug)]
pub struct ServerConfig {
    global: Stored,
    blocks: Vec<Block>,
    notes: Vec<Note>,
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
        let Parser { mut global, mut blocks, notes, errors, .. } = parser;
        if !errors.is_empty() {
            return Err(errors);
        }
        let stored = blocks.iter_mut().map(|block| &mut block.stored);
        stored.chain([&mut global]).for_each(|stored| stored.complete_names(files));
        let config = Self { global, blocks, notes, algorithms, answers: Mutex::default() };
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

impl Stored {
    /// Names of files that sshd takes from the current folder.
    fn complete_names(&mut self, files: &dyn Files) {
        let singles = [
            &mut self.banner,
            &mut self.pid_file,
            &mut self.trusted_user_ca_keys,
            &mut self.users_file,
        ];
        let lists = [&mut self.host_keys, &mut self.host_certificates];
        for name in singles.into_iter().flatten().chain(lists.into_iter().flatten()) {
            *name = absolute(name, files);
        }
        let singles = [&mut self.host_key_agent, &mut self.authorized_principals_file];
        let lists = [&mut self.authorized_keys_files, &mut self.revoked_keys];
        let lists = lists.into_iter().flatten().flatten();
        for name in singles.into_iter().flatten().chain(lists) {
            *name = tilde(name, files);
        }
    }
}

impl ServerOptions {
    /// What is in force where nothing is said.
    #[must_use]
    pub fn defaults(algorithms: &'static Algorithms) -> Self {
        Stored::default().into_options(algorithms).settled()
    }

    /// `none` said of something is that it is not there.
    fn settled(mut self) -> Self {
        for value in [
            &mut self.authorized_keys_command,
            &mut self.authorized_keys_command_user,
            &mut self.authorized_principals_command,
            &mut self.authorized_principals_command_user,
            &mut self.authorized_principals_file,
            &mut self.banner,
            &mut self.chroot_directory,
            &mut self.force_command,
            &mut self.host_key_agent,
            &mut self.pid_file,
            &mut self.trusted_user_ca_keys,
            &mut self.users_file,
            &mut self.version_addendum,
        ] {
            if value.as_deref().is_some_and(|value| value.eq_ignore_ascii_case("none")) {
                *value = None;
            }
        }
        self.host_certificates.retain(|name| !name.eq_ignore_ascii_case("none"));
        let mut seen = Vec::new();
        self.subsystems.retain(|subsystem| {
            let new = !seen.contains(&subsystem.name);
            seen.push(subsystem.name.clone());
            new
        });
        if self.ports.is_empty() {
            self.ports.push(DEFAULT_PORT);
        }
        self
    }

    /// A program that is run has somebody to run it.
    fn commands_have_users(&self) -> Result<(), String> {
        let keys = (&self.authorized_keys_command, &self.authorized_keys_command_user);
        let principals =
            (&self.authorized_principals_command, &self.authorized_principals_command_user);
        for ((command, user), keyword) in
            [(keys, "AuthorizedKeysCommand"), (principals, "AuthorizedPrincipalsCommand")]
        {
            if command.is_some() && user.is_none() {
                return Err(format!("{keyword} set without {keyword}User"));
            }
        }
        Ok(())
    }

    /// Whether one of AuthenticationMethods has only methods that are on.
    fn methods_can_be_gone_through(&self) -> Result<(), &'static str> {
        let lists = &self.authentication_methods;
        let on = |method: &AuthMethod| match method {
            AuthMethod::Publickey => self.pubkey_authentication,
            AuthMethod::Password => self.password_authentication,
            AuthMethod::KeyboardInteractive => self.kbd_interactive_authentication,
        };
        match lists.is_empty() || lists.iter().any(|list| list.iter().all(on)) {
            true => Ok(()),
            false => {
                Err("AuthenticationMethods cannot be satisfied by enabled authentication methods")
            }
        }
    }

    /// The files with host keys to load, and whether somebody named them: only then a missing one is an error.
    #[must_use]
    pub fn host_keys_to_load(&self) -> (Vec<&str>, bool) {
        if self.host_keys.is_empty() {
            return (DEFAULT_HOST_KEYS.to_vec(), false);
        }
        let named = self.host_keys.iter().map(String::as_str);
        (named.filter(|name| !name.eq_ignore_ascii_case("none")).collect(), true)
    }

    /// Hosts and ports to listen on; wildcards where no ListenAddress is set.
    #[must_use]
    pub fn listen_on(&self) -> Vec<(String, u16)> {
        let everywhere: &[&str] = match self.address_family {
            AddressFamily::Any => &["0.0.0.0", "::"],
            AddressFamily::Inet => &["0.0.0.0"],
            AddressFamily::Inet6 => &["::"],
        };
        let everywhere = everywhere.iter().map(|&host| (host, None));
        let named = self.listen_addresses.iter().map(|it| (it.host.as_str(), it.port));
        let hosts: Vec<_> = match self.listen_addresses.is_empty() {
            true => everywhere.collect(),
            false => named.collect(),
        };
        let ports = |port: Option<u16>| port.map_or(self.ports.clone(), |port| vec![port]);
        let all = hosts.into_iter().map(|(host, port)| (host, ports(port)));
        all.flat_map(|(host, ports)| ports.into_iter().map(|port| (host.to_owned(), port)))
            .collect()
    }

    /// Whether a new connection takes a port over from an older one with the same key.
    #[must_use]
    pub fn stale_listener_in(&self, role: Role) -> StaleListener {
        self.stale_listener.unwrap_or(match role {
            Role::Gateway => StaleListener::Takeover,
            Role::Auto | Role::User | Role::System => StaleListener::Refuse,
        })
    }

    /// PerSourcePenalties with its defaults.
    #[must_use]
    pub fn penalties(&self) -> Penalties {
        Penalties::from_settings(&self.per_source_penalties)
    }

    /// Seconds after which an idle channel of this kind is closed, or for `global` all of them, if that is so.
    #[must_use]
    pub fn channel_timeout(&self, kind: &str) -> Option<u32> {
        let timeout = self.channel_timeouts.iter().find(|timeout| timeout.covers(kind));
        timeout.map(|timeout| timeout.seconds).filter(|&seconds| seconds != 0)
    }
}
