//! Rules: what a session's user may have forwarded, as the server's policy says it.
//! Touches: nothing; policy is behind the trait.   Never: sockets.
//! Invariants: nothing is dialled or bound that the rules were not asked about.
//! Errors: a refusal is words, which reach the client and the log.   Allocates: never.
//! Proved by: `tests` below, `tests/served.rs`.

use crate::Target;
use crate::spec::ListenOn;
use adit_engine::Forward;

/// What one session may do. Asked on the loop: an answer must not block.
pub trait Rules: Send + Sync {
    /// Whether the client may have a connection made there.
    ///
    /// # Errors
    /// Why not, in words for the client.
    fn may_open(&self, target: &Target) -> Result<(), String>;

    /// Whether the client may have this listened on, and how it is to be done. Port 0 leaves the choice to the system.
    ///
    /// # Errors
    /// Why not, in words for the client.
    fn may_listen(&self, forward: &Forward<'_>) -> Result<ListenPlan, String>;

    /// Most forwards this session may have listened on at a time (`MaxListenersPerConnection`).
    fn max_listeners(&self) -> usize {
        256
    }

    /// Most connections of this session that may be on their way at a time.
    fn max_reaching(&self) -> usize {
        256
    }
}

/// Who may connect to what clients have listened on: `GatewayPorts`. sshd_config(5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GatewayPorts {
    /// This host.
    #[default]
    No,
    /// Everybody.
    Yes,
    /// Whom the client's address means.
    ClientSpecified,
}

/// How a forward is listened on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenPlan {
    /// What the client's address is worth.
    pub gateway_ports: GatewayPorts,
    /// Permission bits a unix socket does not get (`StreamLocalBindMask`).
    pub bind_mask: u32,
    /// Remove a file that stands in the way of a unix socket (`StreamLocalBindUnlink`).
    pub bind_unlink: bool,
    /// Whoever listens there may be asked to give way (`StaleListener takeover`).
    pub takeover: bool,
}

/// What sshd does when nothing is configured.
impl Default for ListenPlan {
    fn default() -> Self {
        Self {
            gateway_ports: GatewayPorts::No,
            bind_mask: 0o177,
            bind_unlink: false,
            takeover: false,
        }
    }
}

impl GatewayPorts {
    /// Where to listen for a client that asks for `address`, as sshd takes it.
    pub fn listen_on(self, address: &str) -> ListenOn<'_> {
        match (self, address) {
            (Self::Yes, _) | (Self::ClientSpecified, "" | "*") => ListenOn::Wildcard,
            (Self::No, "127.0.0.1" | "::1") => ListenOn::Address(address),
            (Self::No, _) | (Self::ClientSpecified, "localhost") => ListenOn::Loopback,
            (Self::ClientSpecified, address) => ListenOn::Address(address),
        }
    }

    /// Whether more is listened on than the client asked for.
    pub(crate) fn overrides(self, address: &str) -> bool {
        self == Self::Yes && !matches!(address, "" | "*" | "0.0.0.0")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_means_what_gateway_ports_makes_of_it() {
        use GatewayPorts::{ClientSpecified, No, Yes};
        use ListenOn::{Address, Loopback, Wildcard};
        for (asked, no, specified) in [
            ("", Loopback, Wildcard),
            ("*", Loopback, Wildcard),
            ("localhost", Loopback, Loopback),
            ("127.0.0.1", Address("127.0.0.1"), Address("127.0.0.1")),
            ("::1", Address("::1"), Address("::1")),
            ("0.0.0.0", Loopback, Address("0.0.0.0")),
            ("::", Loopback, Address("::")),
            ("10.1.2.3", Loopback, Address("10.1.2.3")),
            ("LOCALHOST", Loopback, Address("LOCALHOST")),
            ("[::1]", Loopback, Address("[::1]")),
        ] {
            assert_eq!(No.listen_on(asked), no, "no, {asked:?}");
            assert_eq!(Yes.listen_on(asked), Wildcard, "yes, {asked:?}");
            assert_eq!(ClientSpecified.listen_on(asked), specified, "clientspecified, {asked:?}");
        }
    }
}
