//! Limits: who is let in, who has to wait outside, and for how long. sshd_config(5).
//! Touches: addresses, counts, a number of milliseconds.   Never: sockets, clocks, randomness of its own.
//! Invariants: a ticket is counted from `admit` to `ended`, exactly once; what is remembered of sources is bounded.
//! Errors: [`Refusal`], with the words for the log and for the client.   Allocates: per source remembered.
//! Proved by: `tests`, among them a plain reference the tables are held against.
//!
//! `now` is in milliseconds of one clock that all callers share: the loops' own clocks start at different moments.

mod block;
mod notice;
mod penalties;
mod refusal;
mod settings;
mod startups;
#[cfg(test)]
mod tests;

#[cfg(test)]
pub(crate) use self::notice::Change;
pub(crate) use self::{
    block::BlockSizes,
    notice::Notice,
    penalties::Offence,
    refusal::{Refusal, Why},
    settings::{LimitSettings, Overflow, PenaltySettings, StartupSettings},
};

use block::Block;
use penalties::Penalties;
use startups::{Startups, Throttle};
use std::collections::HashMap;
use std::net::IpAddr;

/// Who is in, who is at the door, who misbehaved. One for the whole server, behind a lock.
#[derive(Debug)]
pub(crate) struct Limits {
    settings: LimitSettings,
    startups: Startups,
    penalties: Penalties,
    /// Connections of every kind, logged in or not.
    connections: usize,
    crowded: Throttle,
    users: HashMap<String, u32>,
}

/// A connection that was let in. It goes back through [`Limits::ended`].
#[must_use = "a ticket that is dropped stays counted"]
#[derive(Debug)]
pub(crate) struct Ticket {
    /// None where the connection has no address.
    address: Option<IpAddr>,
    /// As it was counted, whatever the block sizes are by now.
    block: Option<Block>,
    /// None until the login.
    user: Option<String>,
    notice: Option<Notice>,
}

impl Ticket {
    /// What else the log should say of letting it in: once after a time of dropping.
    pub(crate) const fn notice(&self) -> Option<&Notice> {
        self.notice.as_ref()
    }
}

/// How a connection ended, as far as its source is to be held to it. After a login nothing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// As it should, or through no fault of the client.
    Fine,
    /// Nobody tried to log in.
    NoAuth,
    /// Nobody managed to.
    AuthFailed,
    /// Somebody tried to who does not exist.
    InvalidUser,
    /// LoginGraceTime was over.
    GraceExceeded,
    /// RefuseConnection.
    Refused,
    /// The server's own code failed on what the client sent.
    Crashed,
}

impl Limits {
    /// With nobody in.
    pub(crate) fn new(settings: LimitSettings) -> Self {
        Self {
            settings,
            startups: Startups::default(),
            penalties: Penalties::default(),
            connections: 0,
            crowded: Throttle::new("MaxConnections"),
            users: HashMap::new(),
        }
    }

    /// Goes by other settings from now on; who is in stays in, and counted.
    pub(crate) fn configure(&mut self, settings: &LimitSettings) {
        self.settings = settings.clone();
        if !self.settings.penalties.enabled {
            self.penalties = Penalties::default();
        }
    }

    /// Lets a connection in, or says why not. `random` is any number: MaxStartups drops by chance.
    ///
    /// A connection without an address (a unix socket) is counted, but not by source.
    ///
    /// # Errors
    /// The limit or the penalty in its way.
    pub(crate) fn admit(
        &mut self,
        now: u64,
        peer: impl Into<Option<IpAddr>>,
        random: u32,
    ) -> Result<Ticket, Refusal> {
        // One client is one source, by whichever family's socket it comes.
        let address = peer.into().map(|address| address.to_canonical());
        self.unpunished(now, address)?;
        self.room(now)?;
        let block = address.map(|address| self.settings.startups.blocks.of(address));
        let notice = self
            .startups
            .enter(&self.settings.startups, now, block, random)
            .map_err(|(why, notice)| self.refusal(why, notice))?;
        let notice = notice.or_else(|| self.spacious(now));
        self.connections += 1;
        Ok(Ticket { address, block, user: None, notice })
    }

    /// The connection's user is known now: it is no startup any more, and one of the user's.
    ///
    /// # Errors
    /// When the user has as many connections as one may have. The ticket stays a startup's, until it goes back.
    pub(crate) fn authenticated(&mut self, ticket: &mut Ticket, user: &str) -> Result<(), Refusal> {
        if ticket.user.is_some() {
            return Ok(());
        }
        let most = self.settings.max_connections_per_user;
        let held = self.users.get(user).copied().unwrap_or(0);
        if let Some(limit) = most.filter(|most| held >= *most) {
            return Err(self.refusal(Why::User { user: user.to_owned(), limit }, None));
        }
        *self.users.entry(user.to_owned()).or_default() += 1;
        self.startups.leave(ticket.block);
        ticket.user = Some(user.to_owned());
        Ok(())
    }

    /// A connection ended. Says what the log should say of it, when its source is held to something.
    pub(crate) fn ended(&mut self, now: u64, ticket: Ticket, how: Ending) -> Option<Notice> {
        self.connections = self.connections.saturating_sub(1);
        if let Some(user) = ticket.user {
            self.user_left(&user);
            return None;
        }
        self.startups.leave(ticket.block);
        let (address, offence) = (ticket.address?, how.offence()?);
        self.penalties.penalise(&self.settings, now, address, offence)
    }

    /// How many connections there are.
    pub(crate) const fn connections(&self) -> usize {
        self.connections
    }

    /// How many of them are not logged in.
    #[cfg(test)]
    pub(crate) const fn startups(&self) -> usize {
        self.startups.count()
    }

    /// How many sources are remembered for what they did.
    #[cfg(test)]
    pub(crate) fn penalised(&self) -> usize {
        self.penalties.len()
    }

    fn unpunished(&mut self, now: u64, address: Option<IpAddr>) -> Result<(), Refusal> {
        let Some(address) = address else { return Ok(()) };
        match self.penalties.check(&self.settings, now, address) {
            Ok(()) => Ok(()),
            Err(why) => Err(self.refusal(why, None)),
        }
    }

    fn room(&mut self, now: u64) -> Result<(), Refusal> {
        let most = self.settings.max_connections;
        if most.is_none_or(|most| self.connections < most as usize) {
            return Ok(());
        }
        let notice = self.crowded.dropped(now);
        Err(self.refusal(Why::Connections, notice))
    }

    /// The end of a time without room, told once; not while every connection that ends makes room for one more.
    fn spacious(&mut self, now: u64) -> Option<Notice> {
        let most = self.settings.max_connections.map_or(usize::MAX, |most| most as usize);
        if self.connections < most - most / 10 { self.crowded.ended(now) } else { None }
    }

    fn refusal(&self, why: Why, notice: Option<Notice>) -> Refusal {
        Refusal { why, startups: self.startups.count(), notice }
    }

    fn user_left(&mut self, user: &str) {
        if let Some(held) = self.users.get_mut(user) {
            *held -= 1;
            if *held == 0 {
                self.users.remove(user);
            }
        }
    }
}

impl Ending {
    const fn offence(self) -> Option<Offence> {
        match self {
            Self::Fine => None,
            Self::NoAuth => Some(Offence::NoAuth),
            Self::AuthFailed => Some(Offence::AuthFail),
            Self::InvalidUser => Some(Offence::InvalidUser),
            Self::GraceExceeded => Some(Offence::GraceExceeded),
            Self::Refused => Some(Offence::RefuseConnection),
            Self::Crashed => Some(Offence::Crash),
        }
    }
}
