//! What the log should hear of the limits besides refusals. Words as sshd's.
//! Touches: text.   Never: the log itself.
//! Invariants: none.
//! Errors: none.   Allocates: never.
//! Proved by: `tests` below and in `limits`.

use super::block::Block;
use super::penalties::Offence;
use adit_config::types::LogLevel;
use std::fmt;

/// Something that happened to a limit. Its words are its [`Display`](fmt::Display).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    /// Connections begin to be dropped.
    Throttling {
        /// The option that says so.
        limit: &'static str,
    },
    /// They still are, after some minutes.
    StillThrottling {
        /// The option that says so.
        limit: &'static str,
        /// For how long.
        millis: u64,
        /// How many were.
        dropped: u64,
    },
    /// They are no more.
    ThrottlingOver {
        /// The option that said so.
        limit: &'static str,
        /// How long it took.
        millis: u64,
        /// How many were.
        dropped: u64,
    },
    /// A source is remembered for what it did.
    Penalised {
        /// The source.
        block: Block,
        /// What it did.
        offence: Offence,
        /// How long it will be remembered.
        millis: u64,
        /// What that means for it.
        change: Change,
    },
    /// A source is not remembered: there are too many.
    NotPenalised {
        /// The source.
        block: Block,
        /// What it did.
        offence: Offence,
    },
}

/// What an offence changes for its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Its first: refused from now on.
    New,
    /// Its first: not refused yet.
    Deferred,
    /// Enough came together: refused from now on.
    Activated,
    /// As before, only longer.
    Longer,
}

impl Notice {
    /// At which level it is told.
    pub(crate) const fn level(&self) -> LogLevel {
        match self {
            Self::Throttling { .. } | Self::StillThrottling { .. } => LogLevel::Error,
            Self::ThrottlingOver { .. } => LogLevel::Info,
            Self::NotPenalised { .. } => LogLevel::Verbose,
            Self::Penalised { change, .. } => match change {
                Change::New | Change::Activated => LogLevel::Info,
                Change::Deferred => LogLevel::Verbose,
                Change::Longer => LogLevel::Debug1,
            },
        }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Throttling { limit } => write!(f, "beginning {limit} throttling"),
            Self::StillThrottling { limit, millis, dropped } => write!(
                f,
                "in {limit} throttling for {}, {dropped} connections dropped",
                Timeframe(*millis / 1000)
            ),
            Self::ThrottlingOver { limit, millis, dropped } => write!(
                f,
                "exited {limit} throttling after {}, {dropped} connections dropped",
                Timeframe(*millis / 1000)
            ),
            Self::Penalised { block, offence, millis, change } => {
                let (family, seconds) = (family(*block), Seconds(*millis));
                match change {
                    Change::New => {
                        write!(f, "{family}: new {block} active penalty of {seconds} for {offence}")
                    }
                    Change::Deferred => {
                        write!(
                            f,
                            "{family}: new {block} deferred penalty of {seconds} for {offence}"
                        )
                    }
                    Change::Activated => {
                        write!(f, "{block}: activating {family} penalty of {seconds} for {offence}")
                    }
                    Change::Longer => {
                        write!(f, "{block}: {family} penalty of {seconds} now for {offence}")
                    }
                }
            }
            Self::NotPenalised { block, offence } => write!(
                f,
                "{} penalty table full, cannot penalise {block} for {offence}",
                family(*block)
            ),
        }
    }
}

const fn family(block: Block) -> &'static str {
    if block.is_ipv4() { "ipv4" } else { "ipv6" }
}

struct Seconds(u64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03} seconds", self.0 / 1000, self.0 % 1000)
    }
}

/// A number of seconds as sshd shows it: `00:01:02`, and days and weeks by letters.
struct Timeframe(u64);

impl fmt::Display for Timeframe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (minutes, seconds) = (self.0 / 60, self.0 % 60);
        let (hours, minutes) = (minutes / 60, minutes % 60);
        let (days, hours) = (hours / 24, hours % 24);
        match (days / 7, days % 7) {
            (0, 0) => write!(f, "{hours:02}:{minutes:02}:{seconds:02}"),
            (0, days) => write!(f, "{days}d{hours:02}h{minutes:02}m"),
            (weeks, days) => write!(f, "{weeks:02}w{days}d{hours:02}h"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_sshd_writes_them() {
        for (seconds, expected) in [
            (0, "00:00:00"),
            (62, "00:01:02"),
            (86_399, "23:59:59"),
            (86_400, "1d00h00m"),
            (6 * 86_400 + 3_720, "6d01h02m"),
            (15 * 86_400 + 7_200, "02w1d02h"),
        ] {
            assert_eq!(Timeframe(seconds).to_string(), expected);
        }
    }
}
