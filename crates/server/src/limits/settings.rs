//! What the limits go by: options of sshd_config(5), and their defaults.
//! Touches: nothing.   Never: configuration files; whoever reads them fills this in.
//! Invariants: the defaults are sshd's.
//! Errors: none.   Allocates: the list of exempt networks.
//! Proved by: `tests` in `limits`.

use super::block::BlockSizes;
use adit_config::server::AddressList;
use std::time::Duration;

/// Everything the limits go by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LimitSettings {
    /// Connections that are not logged in.
    pub(crate) startups: StartupSettings,
    /// What misbehaviour costs.
    pub(crate) penalties: PenaltySettings,
    /// MaxConnections; `None`: no limit.
    pub(crate) max_connections: Option<u32>,
    /// MaxConnectionsPerUser; `None`: no limit.
    pub(crate) max_connections_per_user: Option<u32>,
}

/// MaxStartups, PerSourceMaxStartups and PerSourceNetBlockSize.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StartupSettings {
    /// As many are let in for certain.
    pub(crate) begin: u32,
    /// Per cent of the next that are dropped; more and more, up to `full`.
    pub(crate) rate: u32,
    /// As many are in at most.
    pub(crate) full: u32,
    /// As many of one source are in at most; `None`: no limit.
    pub(crate) per_source: Option<u32>,
    /// What a source is; penalties go by it too.
    pub(crate) blocks: BlockSizes,
}

impl Default for StartupSettings {
    fn default() -> Self {
        let blocks = BlockSizes { v4: 32, v6: 128 };
        Self { begin: 10, rate: 30, full: 100, per_source: None, blocks }
    }
}

/// PerSourcePenalties and PerSourcePenaltyExemptList.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PenaltySettings {
    /// `no` switches them off.
    pub(crate) enabled: bool,
    /// `crash`: the server's own code failed on what the client sent.
    pub(crate) crash: Duration,
    /// `authfail`: a login was tried and failed.
    pub(crate) auth_fail: Duration,
    /// `invaliduser`: a login was tried by nobody who exists.
    pub(crate) invalid_user: Duration,
    /// `noauth`: no login was tried.
    pub(crate) no_auth: Duration,
    /// `grace-exceeded`: no login within LoginGraceTime.
    pub(crate) grace_exceeded: Duration,
    /// `refuseconnection`: RefuseConnection applied.
    pub(crate) refuse_connection: Duration,
    /// `min`: nothing is enforced until more than this has come together.
    pub(crate) min: Duration,
    /// `max`: more than this does not come together.
    pub(crate) max: Duration,
    /// `max-sources4`: as many IPv4 sources are remembered.
    pub(crate) max_sources4: u32,
    /// `max-sources6`: as many IPv6 sources are remembered.
    pub(crate) max_sources6: u32,
    /// `overflow`: what happens when more IPv4 sources misbehave.
    pub(crate) overflow: Overflow,
    /// `overflow6`: the same for IPv6; as `overflow` where it is not set.
    pub(crate) overflow6: Overflow,
    /// PerSourcePenaltyExemptList
    pub(crate) exempt: AddressList,
}

impl Default for PenaltySettings {
    fn default() -> Self {
        Self {
            enabled: true,
            crash: Duration::from_secs(90),
            auth_fail: Duration::from_secs(5),
            invalid_user: Duration::from_secs(5),
            no_auth: Duration::from_secs(1),
            grace_exceeded: Duration::from_secs(10),
            refuse_connection: Duration::from_secs(10),
            min: Duration::from_secs(15),
            max: Duration::from_secs(600),
            max_sources4: 65536,
            max_sources6: 65536,
            overflow: Overflow::Permissive,
            overflow6: Overflow::Permissive,
            exempt: AddressList::default(),
        }
    }
}

/// What happens when more sources misbehave than are remembered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Overflow {
    /// `permissive`: the one whose penalty ends first is forgotten.
    #[default]
    Permissive,
    /// `deny-all`: nobody of that family is let in, except from exempt networks, until one is over.
    DenyAll,
}
