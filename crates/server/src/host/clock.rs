//! What time it is, and what time it is here.
//! Touches: the system's clock and its time zone.   Never: timers.
//! Invariants: a local time that cannot be told is none.
//! Errors: `None`.   Allocates: the zone's rules.
//! Proved by: `tests` below.

use std::time::{SystemTime, UNIX_EPOCH};
use tz::{TimeZone, TimeZoneRef};

/// Unix time in seconds; a clock before 1970 shows 0.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// The Unix time of a local time, both counted in seconds.
pub(super) fn from_local(local: u64) -> Option<u64> {
    let zone = match std::env::var("TZ") {
        Ok(name) => TimeZone::from_posix_tz(&name).ok()?,
        // A system that says nothing about its zone keeps UTC.
        Err(_) => TimeZone::local().unwrap_or_else(|_| TimeZone::utc()),
    };
    in_zone(local, zone.as_ref())
}

/// Where clocks are set back, the earlier of the two; where they are set forward, the time before the gap.
fn in_zone(local: u64, zone: TimeZoneRef<'_>) -> Option<u64> {
    let local = i64::try_from(local).ok()?;
    let offset_at = |unix: i64| {
        let kind = zone.find_local_time_type(unix).ok()?;
        Some(i64::from(kind.ut_offset()))
    };
    // No zone is further than a day from UTC: the offsets around the time are those of the day before and after it.
    let (before, after) = (offset_at(local - 86_400)?, offset_at(local + 86_400)?);
    let candidates = [local - before, local - after];
    let exact = candidates.into_iter().filter(|unix| offset_at(*unix) == Some(local - unix)).min();
    u64::try_from(exact.unwrap_or(local - before.max(after))).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_times_are_those_of_the_zone() {
        let berlin = TimeZone::from_posix_tz("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        for (local, unix) in [
            // 2026-01-01 00:00 and 2026-07-01 00:00
            (1_767_225_600, 1_767_222_000),
            (1_782_864_000, 1_782_856_800),
            // 2026-10-25 02:30 is there twice, 2026-03-29 02:30 not at all.
            (1_792_895_400, 1_792_888_200),
            (1_774_751_400, 1_774_744_200),
        ] {
            assert_eq!(in_zone(local, berlin.as_ref()), Some(unix), "{local}");
        }
        assert_eq!(in_zone(1_767_225_600, TimeZone::utc().as_ref()), Some(1_767_225_600));
    }
}
