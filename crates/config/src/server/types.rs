//! Values of sshd_config that have a shape of their own.
//! Touches: addresses, strings.   Never: what a value leads to.
//! Invariants: what stands in one of these has been checked.
//! Errors: none.   Allocates: never.
//! Proved by: `tests` in `server`.

use adit_pattern::matches;
use std::fmt;
use std::time::Duration;

/// ListenAddress
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenAddress {
    /// A name or an address, without brackets.
    pub host: String,
    /// `None`: every Port.
    pub port: Option<u16>,
}

/// MaxStartups: from `begin` connections that have not logged in, `rate` percent are refused, from `full` all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxStartups {
    /// Where random refusal begins.
    pub begin: u32,
    /// In percent; grows to 100 at `full`.
    pub rate: u32,
    /// Where all are refused.
    pub full: u32,
}

impl MaxStartups {
    pub(super) const DEFAULT: Self = Self { begin: 10, rate: 30, full: 100 };
}

/// PerSourceNetBlockSize: how many bits of an address make a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetBlockSize {
    /// Up to 32.
    pub ipv4: u8,
    /// Up to 128.
    pub ipv6: u8,
}

impl NetBlockSize {
    pub(super) const DEFAULT: Self = Self { ipv4: 32, ipv6: 128 };
}

/// One word of PerSourcePenalties.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PenaltySetting {
    /// `yes`, `no`
    Enabled(bool),
    /// `authfail:5s`
    Time(PenaltyKind, Duration),
    /// `max-sources4:65536`
    MaxSources4(u32),
    /// `max-sources6:65536`
    MaxSources6(u32),
    /// `overflow:permissive`
    Overflow(Overflow),
    /// `overflow6:permissive`
    Overflow6(Overflow),
}

/// What PerSourcePenalties has a time for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PenaltyKind {
    /// `authfail`: a login failed.
    AuthFail,
    /// `noauth`: no login was tried.
    NoAuth,
    /// `invaliduser`: a login as nobody we know.
    InvalidUser,
    /// `grace-exceeded`: no login within LoginGraceTime.
    GraceExceeded,
    /// `refuseconnection`: RefuseConnection applied.
    RefuseConnection,
    /// `crash`: the connection broke its process.
    Crash,
    /// `max`: a source does not have to wait longer.
    Max,
    /// `min`: below this nothing is refused.
    Min,
}

/// What happens when there are too many sources to keep track of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// The least penalty is forgotten.
    Permissive,
    /// Every new source is refused.
    DenyAll,
}

/// PerSourcePenalties: how long a source that misbehaves is kept out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Penalties {
    /// At all.
    pub enabled: bool,
    /// For a login that failed.
    pub auth_fail: Duration,
    /// For none tried.
    pub no_auth: Duration,
    /// For one as nobody we know.
    pub invalid_user: Duration,
    /// For none within LoginGraceTime.
    pub grace_exceeded: Duration,
    /// For one that RefuseConnection applied to.
    pub refuse_connection: Duration,
    /// For breaking its process.
    pub crash: Duration,
    /// Most that adds up.
    pub max: Duration,
    /// Below this nothing is refused.
    pub min: Duration,
    /// IPv4 sources kept track of.
    pub max_sources4: u32,
    /// IPv6 sources kept track of.
    pub max_sources6: u32,
    /// What happens when there are more IPv4 sources.
    pub overflow: Overflow,
    /// What happens when there are more IPv6 sources.
    pub overflow6: Overflow,
}

impl Penalties {
    /// What these settings make of the defaults; of each the first one wins.
    pub(super) fn from_settings(settings: &[PenaltySetting]) -> Self {
        let mut penalties = Self::default();
        let mut overflow6 = None;
        for setting in settings.iter().rev() {
            match *setting {
                PenaltySetting::Enabled(_) => {}
                PenaltySetting::Time(kind, time) => *penalties.time(kind) = time,
                PenaltySetting::MaxSources4(count) => penalties.max_sources4 = count,
                PenaltySetting::MaxSources6(count) => penalties.max_sources6 = count,
                PenaltySetting::Overflow(overflow) => penalties.overflow = overflow,
                PenaltySetting::Overflow6(overflow) => overflow6 = Some(overflow),
            }
        }
        penalties.overflow6 = overflow6.unwrap_or(penalties.overflow);
        // Naming a penalty asks for penalties, whatever was said before.
        let named = settings.iter().any(|setting| !matches!(setting, PenaltySetting::Enabled(_)));
        penalties.enabled = named || settings.first() != Some(&PenaltySetting::Enabled(false));
        penalties
    }

    fn time(&mut self, kind: PenaltyKind) -> &mut Duration {
        match kind {
            PenaltyKind::AuthFail => &mut self.auth_fail,
            PenaltyKind::NoAuth => &mut self.no_auth,
            PenaltyKind::InvalidUser => &mut self.invalid_user,
            PenaltyKind::GraceExceeded => &mut self.grace_exceeded,
            PenaltyKind::RefuseConnection => &mut self.refuse_connection,
            PenaltyKind::Crash => &mut self.crash,
            PenaltyKind::Max => &mut self.max,
            PenaltyKind::Min => &mut self.min,
        }
    }
}

impl Default for Penalties {
    fn default() -> Self {
        Self {
            enabled: true,
            auth_fail: Duration::from_secs(5),
            no_auth: Duration::from_secs(1),
            invalid_user: Duration::from_secs(5),
            grace_exceeded: Duration::from_secs(10),
            refuse_connection: Duration::from_secs(10),
            crash: Duration::from_secs(90),
            max: Duration::from_secs(600),
            min: Duration::from_secs(15),
            max_sources4: 65_536,
            max_sources6: 65_536,
            overflow: Overflow::Permissive,
            overflow6: Overflow::Permissive,
        }
    }
}

/// One word of ChannelTimeout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelTimeout {
    /// A pattern of kinds of channels (`session:shell`, `direct-tcpip`, …), or `global`.
    pub kind: String,
    /// 0 is never.
    pub seconds: u32,
}

impl ChannelTimeout {
    /// Said of all channels together; no pattern stands for it.
    pub(super) fn is_global(&self) -> bool {
        self.kind == "global"
    }

    /// Whether it is about this kind; `session` is about all kinds of sessions.
    #[must_use]
    pub fn covers(&self, kind: &str) -> bool {
        let general = kind.split_once(':').map(|(general, _)| general);
        matches(kind, &self.kind) || general.is_some_and(|general| general == self.kind)
    }
}

/// Subsystem
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subsystem {
    /// What clients ask for.
    pub name: String,
    /// What the shell is given; `internal-sftp` is a program as any other.
    pub command: String,
}

/// PermitUserEnvironment: whose `environment=` counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PermitUserEnvironment {
    /// None.
    No,
    /// All of them.
    Yes,
    /// Variables this list of patterns names.
    Only(String),
}

impl PermitUserEnvironment {
    /// Whether a variable of this name may be set.
    #[must_use]
    pub fn permits(&self, name: &str) -> bool {
        match self {
            Self::No => false,
            Self::Yes => true,
            Self::Only(list) => {
                adit_pattern::matches_list(name, list) == adit_pattern::Verdict::Match
            }
        }
    }
}

/// PubkeyAuthOptions: what a security key must have seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PubkeyAuthOptions {
    /// A touch, even where the key's line says `no-touch-required`.
    pub touch_required: bool,
    /// A PIN or the like.
    pub verify_required: bool,
}

impl fmt::Display for Overflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Permissive => "permissive",
            Self::DenyAll => "deny-all",
        })
    }
}
