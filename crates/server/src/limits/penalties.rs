//! Penalties: sources that misbehaved are refused for a while. PerSourcePenalties, sshd_config(5).
//! Touches: two tables, one per family.   Never: who is in.
//! Invariants: both orders of a table name the same sources; there are at most `max-sources` of them.
//! Errors: why a source is refused.   Allocates: per source remembered.
//! Proved by: `tests` in `limits`, against a plain list.

use super::block::Block;
use super::notice::{Change, Notice};
use super::refusal::Why;
use super::settings::{LimitSettings, Overflow, PenaltySettings};
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

/// What a source can do wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offence {
    /// `crash`
    Crash,
    /// `authfail`
    AuthFail,
    /// `invaliduser`
    InvalidUser,
    /// `noauth`
    NoAuth,
    /// `grace-exceeded`
    GraceExceeded,
    /// `refuseconnection`
    RefuseConnection,
}

impl Offence {
    const fn cost(self, settings: &PenaltySettings) -> Duration {
        match self {
            Self::Crash => settings.crash,
            Self::AuthFail => settings.auth_fail,
            Self::InvalidUser => settings.invalid_user,
            Self::NoAuth => settings.no_auth,
            Self::GraceExceeded => settings.grace_exceeded,
            Self::RefuseConnection => settings.refuse_connection,
        }
    }
}

impl fmt::Display for Offence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Crash => "penalty: caused crash",
            Self::AuthFail => "penalty: failed authentication",
            Self::InvalidUser => "penalty: attempted authentication by invalid user",
            Self::NoAuth => "penalty: connections without attempting authentication",
            Self::GraceExceeded => "penalty: exceeded LoginGraceTime",
            Self::RefuseConnection => "penalty: connection prohibited by RefuseConnection",
        })
    }
}

/// Who is remembered for what.
#[derive(Debug, Default)]
pub(crate) struct Penalties {
    v4: Table,
    v6: Table,
}

impl Penalties {
    /// Whether a source may come in.
    pub(crate) fn check(
        &mut self,
        settings: &LimitSettings,
        now: u64,
        address: IpAddr,
    ) -> Result<(), Why> {
        let rules = &settings.penalties;
        if !rules.enabled || rules.exempt.contains(address) {
            return Ok(());
        }
        let (table, most, overflow) = self.table(rules, address);
        table.expire(now);
        if overflow == Overflow::DenyAll && table.sources.len() >= most {
            return Err(Why::PenaltiesFull);
        }
        match table.sources.get(&settings.startups.blocks.of(address)) {
            Some(penalty) if penalty.active => Err(Why::Penalty(penalty.offence)),
            _ => Ok(()),
        }
    }

    /// Remembers what a source did.
    pub(crate) fn penalise(
        &mut self,
        settings: &LimitSettings,
        now: u64,
        address: IpAddr,
        offence: Offence,
    ) -> Option<Notice> {
        let rules = &settings.penalties;
        let cost = millis(offence.cost(rules));
        if !rules.enabled || cost == 0 || rules.exempt.contains(address) {
            return None;
        }
        let block = settings.startups.blocks.of(address);
        let (table, most, overflow) = self.table(rules, address);
        table.expire(now);
        if overflow == Overflow::DenyAll && table.sources.len() >= most {
            return Some(Notice::NotPenalised { block, offence });
        }
        let (millis, change) = table.add(rules, now, block, offence, cost);
        table.shrink(most);
        Some(Notice::Penalised { block, offence, millis, change })
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.v4.sources.len() + self.v6.sources.len()
    }

    fn table(&mut self, rules: &PenaltySettings, address: IpAddr) -> (&mut Table, usize, Overflow) {
        if address.is_ipv4() {
            (&mut self.v4, rules.max_sources4 as usize, rules.overflow)
        } else {
            (&mut self.v6, rules.max_sources6 as usize, rules.overflow6)
        }
    }
}

/// The sources of one family, by address and by the end of their penalty.
#[derive(Debug, Default)]
struct Table {
    sources: HashMap<Block, Penalty>,
    by_end: BTreeSet<(u64, Block)>,
}

#[derive(Debug)]
struct Penalty {
    end: u64,
    /// Enough has come together for it to be enforced.
    active: bool,
    offence: Offence,
}

impl Table {
    /// Forgets whose penalty is over. Each is looked at once.
    fn expire(&mut self, now: u64) {
        while self.by_end.first().is_some_and(|(end, _)| *end < now) {
            self.forget_first();
        }
    }

    /// Forgets whose penalty ends first until no more than this are left.
    fn shrink(&mut self, most: usize) {
        while self.sources.len() > most {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        if let Some((_, block)) = self.by_end.pop_first() {
            self.sources.remove(&block);
        }
    }

    /// Gives how long the source is remembered now, and what that means.
    fn add(
        &mut self,
        rules: &PenaltySettings,
        now: u64,
        block: Block,
        offence: Offence,
        cost: u64,
    ) -> (u64, Change) {
        let (min, max) = (millis(rules.min), millis(rules.max));
        let (before, was_active) = match self.sources.get(&block) {
            Some(penalty) => (Some(penalty.end), penalty.active),
            None => (None, false),
        };
        let end = match before {
            // sshd holds only sums to the maximum.
            None => now.saturating_add(cost),
            Some(end) => end.saturating_add(cost).min(now.saturating_add(max)),
        };
        let left = end - now;
        let active = was_active || left > min;
        if let Some(end) = before {
            self.by_end.remove(&(end, block));
        }
        self.by_end.insert((end, block));
        self.sources.insert(block, Penalty { end, active, offence });
        let change = match (before, active) {
            (None, true) => Change::New,
            (None, false) => Change::Deferred,
            (Some(_), true) if !was_active => Change::Activated,
            (Some(_), _) => Change::Longer,
        };
        (left, change)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
