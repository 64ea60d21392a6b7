//! What is in force for a connection: questions that take more than one look at a field. sshd_config(5).
//! Touches: values.   Never: where they came from.
//! Invariants: `none` is nothing; what is asked for twice is there once.
//! Errors: settings that do not go together, in sshd's words.   Allocates: answers.
//! Proved by: `tests` in `server`.

use super::keywords::{ServerOptions, Stored};
use super::types::Penalties;
use crate::algorithms::Algorithms;
use crate::types::{AddressFamily, AuthMethod, Role, StaleListener};

/// What HostKey is when it is not set.
pub(super) const DEFAULT_HOST_KEYS: [&str; 3] =
    ["/etc/ssh/ssh_host_ed25519_key", "/etc/ssh/ssh_host_ecdsa_key", "/etc/ssh/ssh_host_rsa_key"];

/// The port when none is set.
const DEFAULT_PORT: u16 = 22;

impl ServerOptions {
    /// What is in force where nothing is said.
    #[must_use]
    pub fn defaults(algorithms: &'static Algorithms) -> Self {
        Stored::default().into_options(algorithms).settled()
    }

    /// `none` said of something is that it is not there.
    pub(super) fn settled(mut self) -> Self {
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
    pub(super) fn commands_have_users(&self) -> Result<(), String> {
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
    pub(super) fn methods_can_be_gone_through(&self) -> Result<(), &'static str> {
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

    /// Seconds without traffic on any of them after which all channels are closed, if that is so.
    #[must_use]
    pub fn global_timeout(&self) -> Option<u32> {
        let timeout = self.channel_timeouts.iter().find(|timeout| timeout.is_global());
        timeout.map(|timeout| timeout.seconds).filter(|&seconds| seconds != 0)
    }

    /// Seconds after which an idle channel of this kind is closed, if that is so.
    #[must_use]
    pub fn channel_timeout(&self, kind: &str) -> Option<u32> {
        let timeout = self.channel_timeouts.iter().find(|timeout| timeout.covers(kind));
        timeout.map(|timeout| timeout.seconds).filter(|&seconds| seconds != 0)
    }
}
