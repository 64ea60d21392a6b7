//! What somebody who is in may do: the options in force and what their keys grant, whichever is stricter. sshd_config(5), sshd(8).
//! Touches: values.   Never: sockets, files; a question is answered from memory.
//! Invariants: a refusal names the rule; nothing is permitted that either of options and key forbids.
//! Errors: the refusal's words, for the client and the log.   Allocates: the words.
//! Proved by: `tests` below: rule x request x role.

use crate::host::Account;
use crate::owners::Identity;
use adit_auth::server::Proven;
use adit_config::server::ServerOptions;
use adit_config::types::AllowForwarding;
use adit_forward::{PermitListen, PermitOpen};
use adit_keys::authorized_keys::Grants;
use std::sync::Arc;

/// What somebody may do.
#[derive(Debug)]
pub(crate) struct Permissions {
    pub(crate) account: Arc<Account>,
    pub(crate) options: Arc<ServerOptions>,
    pub(crate) grants: Grants,
    pub(crate) identity: Identity,
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
        proven: &[Proven],
    ) -> Result<Self, String> {
        let keys: Vec<&Vec<u8>> = proven.iter().filter_map(|proven| proven.public_key.as_ref()).collect();
        let identity = Identity { user: account.name.clone(), key: keys.first().map(|key| (*key).clone()) };
        // Only keys that were proved count, not others that were asked about.
        let used = granted.into_iter().filter(|(key, _)| keys.contains(&key)).map(|(_, grants)| grants);
        let grants = Grants::merge(used)?;
        let key_opens = PermitOpen::of_key(&grants.permit_open)?;
        let key_listens = PermitListen::of_key(&grants.permit_listen)?;
        Ok(Self { account, options, grants, identity, key_opens, key_listens })
    }

    /// Whether a session may be opened at all.
    pub(crate) fn may_have_session(&self) -> Result<(), String> {
        if self.account.system.is_none() {
            return Err("this user may only forward".into());
        }
        Ok(())
    }

    fn may_forward(&self, way: Way) -> Result<(), String> {
        let allowed = self.options.allow_tcp_forwarding;
        self.may_forward_at_all()?;
        permits(allowed, way).then_some(()).ok_or_else(|| {
            format!("AllowTcpForwarding {} does not allow it", allowed.name())
        })
    }

    fn may_forward_unix(&self, way: Way) -> Result<(), String> {
        let allowed = self.options.allow_streamlocal_forwarding;
        self.may_forward_at_all()?;
        permits(allowed, way).then_some(()).ok_or_else(|| {
            format!("AllowStreamLocalForwarding {} does not allow it", allowed.name())
        })
    }

    fn may_forward_at_all(&self) -> Result<(), String> {
        if self.options.disable_forwarding {
            return Err("DisableForwarding is set".into());
        }
        if !self.grants.port_forwarding {
            return Err("this key may not forward".into());
        }
        Ok(())
    }

    /// Whether the server may connect to `host` for this user.
    pub(crate) fn may_connect(&self, host: &str, port: u16) -> Result<(), String> {
        self.may_forward(Way::Local)?;
        if !self.options.permit_open.allows(host, port) {
            return Err(format!("PermitOpen does not allow {}", shown(host, port)));
        }
        if !self.key_opens.allows(host, port) {
            return Err(format!("permitopen of this key does not allow {}", shown(host, port)));
        }
        Ok(())
    }

    /// Whether the server may listen at `address` for this user; 0 is any port.
    pub(crate) fn may_listen_at(&self, address: &str, port: u16) -> Result<(), String> {
        self.may_forward(Way::Remote)?;
        if !self.options.permit_listen.allows(address, port) {
            return Err(format!("PermitListen does not allow {}", shown(address, port)));
        }
        if !self.key_listens.allows(address, port) {
            return Err(format!("permitlisten of this key does not allow {}", shown(address, port)));
        }
        Ok(())
    }

    /// Whether unix sockets may be connected to or listened on.
    pub(crate) fn may_use_unix(&self, way: Way) -> Result<(), String> {
        self.may_forward_unix(way)?;
        // Lists of ports say nothing of paths: whoever has one has only that.
        let listed = match way {
            Way::Local => !self.options.permit_open.is_any() || !self.key_opens.is_any(),
            Way::Remote => !self.options.permit_listen.is_any() || !self.key_listens.is_any(),
        };
        if listed { Err("only the ports listed may be forwarded, no unix sockets".into()) } else { Ok(()) }
    }
}

const fn permits(allowed: AllowForwarding, way: Way) -> bool {
    match allowed {
        AllowForwarding::Yes => true,
        AllowForwarding::No => false,
        AllowForwarding::Local => matches!(way, Way::Local),
        AllowForwarding::Remote => matches!(way, Way::Remote),
    }
}

fn shown(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}
