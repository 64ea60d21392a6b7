//! Connections that are not logged in: MaxStartups and PerSourceMaxStartups. sshd_config(5).
//! Touches: counts.   Never: penalties, users.
//! Invariants: no source is counted at zero; the sum over the sources is at most the count.
//! Errors: why a connection is dropped.   Allocates: per source at the door.
//! Proved by: `tests` in `limits`.

use super::block::Block;
use super::notice::Notice;
use super::refusal::Why;
use super::settings::StartupSettings;
use std::collections::HashMap;

/// While it goes on, throttling is told of this often.
const TOLD_EVERY: u64 = 5 * 60 * 1000;
/// A source past its limit says nothing of how full the door is: its spell is over when nothing was dropped for this.
const QUIET: u64 = 60 * 1000;

/// Who is at the door.
#[derive(Debug)]
pub(crate) struct Startups {
    count: usize,
    sources: HashMap<Block, u32>,
    crowded: Throttle,
    greedy: Throttle,
}

impl Default for Startups {
    fn default() -> Self {
        let crowded = Throttle::new("MaxStartups");
        let greedy = Throttle::new("PerSourceMaxStartups");
        Self { count: 0, sources: HashMap::new(), crowded, greedy }
    }
}

impl Startups {
    pub(crate) const fn count(&self) -> usize {
        self.count
    }

    /// One more, if the limits and chance allow it.
    pub(crate) fn enter(
        &mut self,
        settings: &StartupSettings,
        now: u64,
        block: Option<Block>,
        random: u32,
    ) -> Result<Option<Notice>, (Why, Option<Notice>)> {
        if let Some(why) = self.objection(settings, block, random) {
            let throttle = if why == Why::PerSource { &mut self.greedy } else { &mut self.crowded };
            let notice = throttle.dropped(now);
            return Err((why, notice));
        }
        // Well below the beginning, or sshd and we would tell of an end again and again.
        let calm = self.count < (settings.begin as usize).saturating_sub(1).max(1);
        let notice = if calm { self.crowded.ended(now) } else { None };
        let notice = notice.or_else(|| self.greedy.ended_if_quiet(now, QUIET));
        self.count += 1;
        if let Some(block) = block {
            *self.sources.entry(block).or_default() += 1;
        }
        Ok(notice)
    }

    /// One less.
    pub(crate) fn leave(&mut self, block: Option<Block>) {
        self.count = self.count.saturating_sub(1);
        let Some(block) = block else { return };
        if let Some(held) = self.sources.get_mut(&block) {
            *held -= 1;
            if *held == 0 {
                self.sources.remove(&block);
            }
        }
    }

    fn objection(
        &self,
        settings: &StartupSettings,
        block: Option<Block>,
        random: u32,
    ) -> Option<Why> {
        if is_dropped(settings, self.count, random) {
            return Some(Why::Startups);
        }
        let held = block.and_then(|block| self.sources.get(&block)).copied().unwrap_or(0);
        let full = block.is_some() && settings.per_source.is_some_and(|most| held >= most);
        full.then_some(Why::PerSource)
    }
}

/// Random early drop: none below `begin`, `rate` per cent there, all at `full`, and a straight line between.
pub(super) fn is_dropped(settings: &StartupSettings, count: usize, random: u32) -> bool {
    let (begin, full) = (settings.begin as usize, settings.full as usize);
    if count < begin {
        return false;
    }
    if count >= full || settings.rate >= 100 {
        return true;
    }
    let rate = settings.rate as usize;
    let chance = rate + (100 - rate) * (count - begin) / (full - begin);
    ((random % 100) as usize) < chance
}

/// A time during which connections are dropped: told when it begins, now and then, and when it is over.
#[derive(Debug)]
pub(crate) struct Throttle {
    limit: &'static str,
    spell: Option<Spell>,
}

#[derive(Debug)]
struct Spell {
    since: u64,
    told: u64,
    last: u64,
    dropped: u64,
}

impl Throttle {
    /// For the limit of this name.
    pub(crate) const fn new(limit: &'static str) -> Self {
        Self { limit, spell: None }
    }

    /// A connection was dropped.
    pub(crate) fn dropped(&mut self, now: u64) -> Option<Notice> {
        let limit = self.limit;
        let Some(spell) = &mut self.spell else {
            self.spell = Some(Spell { since: now, told: now, last: now, dropped: 1 });
            return Some(Notice::Throttling { limit });
        };
        spell.dropped += 1;
        spell.last = now;
        if now.saturating_sub(spell.told) < TOLD_EVERY {
            return None;
        }
        spell.told = now;
        let (millis, dropped) = (now.saturating_sub(spell.since), spell.dropped);
        Some(Notice::StillThrottling { limit, millis, dropped })
    }

    /// Connections are let in as ever.
    pub(crate) fn ended(&mut self, now: u64) -> Option<Notice> {
        let spell = self.spell.take()?;
        let millis = now.saturating_sub(spell.since);
        Some(Notice::ThrottlingOver { limit: self.limit, millis, dropped: spell.dropped })
    }

    /// Connections are let in, but that says little: it takes a time without any that are dropped.
    fn ended_if_quiet(&mut self, now: u64, quiet: u64) -> Option<Notice> {
        let last = self.spell.as_ref()?.last;
        if now.saturating_sub(last) < quiet { None } else { self.ended(now) }
    }
}
