//! What somebody who is in may do: the options in force and what their keys grant, whichever is stricter. sshd_config(5), sshd(8).
//! Touches: values.   Never: sockets, files; a question is answered from memory.
//! Invariants: a refusal names the rule; nothing is permitted that either of options and key forbids.
//! Errors: the refusal's words, for the client and the log.   Allocates: the words.
//! Proved by: `tests`: rule x request x role.

use crate::host::Account;
use crate::host::tokens::file_of;
use crate::owners::Identity;
use adit_auth::server::Proven;
use adit_config::server::ServerOptions;
use adit_config::types::{AllowForwarding, GatewayPorts, Role, StaleListener};
use adit_engine::Forward;
use adit_forward::served::{self, ListenPlan, Rules};
use adit_forward::{PermitListen, PermitOpen, Target};
use adit_keys::authorized_keys::Grants;
use adit_keys::public::encode;
use std::path::PathBuf;
use std::sync::Arc;

/// What somebody may do.
#[derive(Debug)]
pub(crate) struct Permissions {
    pub(crate) account: Arc<Account>,
    pub(crate) options: Arc<ServerOptions>,
    pub(crate) grants: Grants,
    pub(crate) identity: Identity,
    /// What was proved, in order.
    pub(crate) proven: Vec<Proven>,
    /// `permitopen=` and `permitlisten=` of the key, read.
    key_opens: PermitOpen,
    key_listens: PermitListen,
}

/// Which way a forward goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// The server connects: `-L`, `-D`, `-W`.
    Local,
    /// The server listens: `-R`.
    Remote,
}

impl Permissions {
    /// What follows from the options and the keys that were proved.
    ///
    /// # Errors
    /// When keys contradict each other, or one of them grants what cannot be read.
    pub(crate) fn new(
        account: Arc<Account>,
        options: Arc<ServerOptions>,
        granted: Vec<(Vec<u8>, Grants)>,
        proven: Vec<Proven>,
    ) -> Result<Self, String> {
        let is_proven =
            |key: &Vec<u8>| proven.iter().any(|each| each.public_key.as_ref() == Some(key));
        // Only keys that were proved count, not others that were asked about.
        let used = granted.into_iter().filter(|(key, _)| is_proven(key)).map(|(_, grants)| grants);
        let grants = merged(used, &account.name)?;
        let key_opens =
            PermitOpen::of_key(&grants.permit_open).map_err(|error| error.to_string())?;
        let key_listens =
            PermitListen::of_key(&grants.permit_listen).map_err(|error| error.to_string())?;
        let key = proven.iter().find_map(|each| each.public_key.as_deref()).map(Into::into);
        let identity = Identity { user: account.name.clone(), key };
        Ok(Self { account, options, grants, identity, proven, key_opens, key_listens })
    }

    /// Forwards at all, and this way.
    fn may_forward(&self, keyword: &str, allowed: AllowForwarding, way: Way) -> Result<(), String> {
        if self.options.disable_forwarding {
            return Err("DisableForwarding is set".into());
        }
        if !self.grants.port_forwarding {
            return Err("this key may not forward ports".into());
        }
        if !permits(allowed, way) {
            return Err(format!("{keyword} does not allow it"));
        }
        Ok(())
    }

    fn may_connect(&self, host: &str, port: u16) -> Result<(), String> {
        self.may_forward("AllowTcpForwarding", self.options.allow_tcp_forwarding, Way::Local)?;
        if !self.options.permit_open.allows(host, port) {
            return Err(self.options.permit_open.refusal(host, port));
        }
        if !self.key_opens.allows(host, port) {
            return Err(format!("this key's {}", self.key_opens.refusal(host, port)));
        }
        Ok(())
    }

    fn may_listen_at(&self, address: &str, port: u16) -> Result<(), String> {
        self.may_forward("AllowTcpForwarding", self.options.allow_tcp_forwarding, Way::Remote)?;
        if !self.options.permit_listen.allows(address, port) {
            return Err(self.options.permit_listen.refusal(address, port));
        }
        if !self.key_listens.allows(address, port) {
            return Err(format!("this key's {}", self.key_listens.refusal(address, port)));
        }
        Ok(())
    }

    /// Unix sockets. Lists of ports say nothing of paths, so whoever has one has only that.
    fn may_use_unix(&self, way: Way) -> Result<(), String> {
        let allowed = self.options.allow_stream_local_forwarding;
        self.may_forward("AllowStreamLocalForwarding", allowed, way)?;
        let free = match way {
            Way::Local => self.options.permit_open.is_any() && self.key_opens.is_any(),
            Way::Remote => self.options.permit_listen.is_any() && self.key_listens.is_any(),
        };
        let keyword = match way {
            Way::Local => "PermitOpen",
            Way::Remote => "PermitListen",
        };
        if free { Ok(()) } else { Err(format!("{keyword} allows no unix sockets")) }
    }

    /// StaleListener; who exists in the configuration only is there to have tunnels up.
    fn takes_over(&self) -> bool {
        let role = if self.account.system.is_none() { Role::Gateway } else { Role::System };
        self.options.stale_listener_in(role) == StaleListener::Takeover
    }

    /// ChrootDirectory with its tokens expanded; one that cannot be is one that is not there.
    pub(crate) fn chroot_directory(&self) -> Option<PathBuf> {
        let pattern = self.options.chroot_directory.as_deref()?;
        let expanded = file_of(pattern, &self.account);
        Some(expanded.unwrap_or_else(|_| PathBuf::from(pattern)))
    }

    /// ExposeAuthInfo: a line for every method, with its key.
    pub(crate) fn auth_info(&self) -> Vec<String> {
        if !self.options.expose_auth_info {
            return Vec::new();
        }
        let line = |proven: &Proven| match &proven.public_key {
            Some(key) => format!("{} {}", proven.method.name(), encode(key)),
            None => proven.method.name().to_owned(),
        };
        self.proven.iter().map(line).collect()
    }
}

/// What all keys grant together; without a key, everything.
fn merged(keys: impl Iterator<Item = Grants>, user: &str) -> Result<Grants, String> {
    let mut keys = keys;
    let Some(first) = keys.next() else { return Ok(Grants::everything(user)) };
    keys.try_fold(first, |all, next| all.merge(&next))
        .map_err(|_| "the keys that were proved force different commands".into())
}

const fn permits(allowed: AllowForwarding, way: Way) -> bool {
    match allowed {
        AllowForwarding::Yes => true,
        AllowForwarding::No => false,
        AllowForwarding::Local => matches!(way, Way::Local),
        AllowForwarding::Remote => matches!(way, Way::Remote),
    }
}

impl Rules for Permissions {
    fn may_open(&self, target: &Target) -> Result<(), String> {
        match target {
            Target::Tcp { host, port } => self.may_connect(host, *port),
            Target::Unix(_) => self.may_use_unix(Way::Local),
            // A server is never asked for this one.
            Target::Dynamic => Err("no such target".into()),
        }
    }

    fn may_listen(&self, forward: &Forward<'_>) -> Result<ListenPlan, String> {
        match forward {
            Forward::Tcpip { address, port } => {
                let port = u16::try_from(*port).map_err(|_| format!("there is no port {port}"))?;
                self.may_listen_at(address, port)?;
            }
            Forward::Streamlocal { .. } => self.may_use_unix(Way::Remote)?,
        }
        Ok(ListenPlan {
            gateway_ports: match self.options.gateway_ports {
                GatewayPorts::No => served::GatewayPorts::No,
                GatewayPorts::Yes => served::GatewayPorts::Yes,
                GatewayPorts::ClientSpecified => served::GatewayPorts::ClientSpecified,
            },
            bind_mask: self.options.stream_local_bind_mask,
            bind_unlink: self.options.stream_local_bind_unlink,
            takeover: self.takes_over(),
        })
    }

    fn max_listeners(&self) -> usize {
        self.options.max_listeners_per_connection as usize
    }
}

#[cfg(test)]
mod tests;
