//! When new keys are due, and how long the peer may take over them. RFC 4253 §9, RFC 4344 §3.
//! Touches: counters, milliseconds that the driver tells.   Never: a clock.
//! Invariants: a limit of 0 is the cipher's own; a countdown started between two tellings runs from the next one.
//! Errors: none; a countdown that ran out is reported once.   Allocates: never.
//! Proved by: `tests` below, `tests::rekey`.

use crate::config::RekeyLimits;
use crate::packet::Traffic;

/// RFC 4344 §3.1 asks for new keys after 2^31 packets.
const MAX_PACKETS: u64 = 1 << 31;

/// With 64-bit blocks, and for ChaCha20 that has none: RFC 4253 §9 recommends a gibibyte.
const BYTES_SMALL_BLOCKS: u64 = 1 << 30;

/// After how much a key has done enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit(Traffic);

impl Limit {
    /// The lower of what the configuration and the cipher's block length allow.
    pub(crate) fn new(limits: RekeyLimits, block_len: usize) -> Self {
        let lower =
            |configured: u64, own: u64| if configured == 0 { own } else { configured.min(own) };
        Self(Traffic {
            packets: lower(limits.packets, MAX_PACKETS),
            bytes: lower(limits.bytes, bytes_of_cipher(block_len)),
        })
    }

    pub(crate) const fn is_reached(&self, used: Traffic) -> bool {
        used.packets >= self.0.packets || used.bytes >= self.0.bytes
    }

    /// How many packets of at least `len` bytes reach it; at least one.
    pub(crate) fn packets_left(&self, used: Traffic, len: usize) -> usize {
        let by_bytes = self.0.bytes.saturating_sub(used.bytes) / (len as u64).max(1) + 1;
        let left = self.0.packets.saturating_sub(used.packets).min(by_bytes).max(1);
        usize::try_from(left).unwrap_or(usize::MAX)
    }
}

/// RFC 4344 §3.2: 2^(L/4) blocks of L bits.
const fn bytes_of_cipher(block_len: usize) -> u64 {
    match block_len {
        0..16 => BYTES_SMALL_BLOCKS,
        _ => (block_len as u64) << (2 * block_len as u32),
    }
}

/// Time to an event, for code that has no clock at hand when it starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Countdown {
    #[default]
    Off,
    /// Runs for so many milliseconds from the next telling.
    Pending(u64),
    /// Runs out at this time.
    Until(u64),
}

impl Countdown {
    /// When the driver must tell the time.
    pub(crate) const fn deadline(self, told: u64) -> Option<u64> {
        match self {
            Self::Off => None,
            Self::Pending(_) => Some(told),
            Self::Until(time) => Some(time),
        }
    }

    /// Tells the time; whether the countdown has run out. It is off then.
    pub(crate) fn has_run_out(&mut self, now: u64) -> bool {
        match *self {
            Self::Pending(milliseconds) => *self = Self::Until(now.saturating_add(milliseconds)),
            Self::Until(time) if time <= now => {
                *self = Self::Off;
                return true;
            }
            Self::Off | Self::Until(_) => {}
        }
        false
    }
}

/// How often silence may be put off by packets sent before the peer saw our KEXINIT.
const PATIENCE: u32 = 10;

/// Watches a key exchange: silence ends it, and so does endless talk of other things.
///
/// What the peer sent before our KEXINIT reached it may take long to come over a slow line, so packets
/// buy time, but not for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct KexWatch {
    silence: Countdown,
    /// Packets received when the countdown began.
    heard: u64,
    renewals: u32,
}

impl KexWatch {
    pub(crate) const fn start(timeout_ms: u64, heard: u64) -> Self {
        Self { silence: Countdown::Pending(timeout_ms), heard, renewals: 0 }
    }

    pub(crate) const fn deadline(self, told: u64) -> Option<u64> {
        self.silence.deadline(told)
    }

    /// Tells the time and how many packets have come; whether the exchange took too long.
    pub(crate) fn has_run_out(&mut self, now: u64, timeout_ms: u64, heard: u64) -> bool {
        if !self.silence.has_run_out(now) {
            return false;
        }
        if heard == self.heard || self.renewals == PATIENCE {
            return true;
        }
        let silence = Countdown::Until(now.saturating_add(timeout_ms));
        *self = Self { silence, heard, renewals: self.renewals + 1 };
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    fn limit(bytes: u64, packets: u64, block_len: usize) -> Limit {
        Limit::new(RekeyLimits { bytes, packets, after_ms: 0 }, block_len)
    }

    #[test]
    fn ciphers_bring_their_own_limits() {
        let own = |block_len| limit(0, 0, block_len).0;
        assert_eq!(own(8), Traffic { packets: 1 << 31, bytes: GIB });
        assert_eq!(own(16), Traffic { packets: 1 << 31, bytes: 64 * GIB });
    }

    #[test]
    fn configured_limits_can_only_lower_them() {
        assert_eq!(limit(1000, 10, 16).0, Traffic { packets: 10, bytes: 1000 });
        assert_eq!(limit(u64::MAX, u64::MAX, 8), limit(0, 0, 8));
    }

    #[test]
    fn bytes_or_packets_reach_a_limit() {
        let limit = limit(1000, 10, 16);
        assert!(!limit.is_reached(Traffic { packets: 9, bytes: 999 }));
        assert!(limit.is_reached(Traffic { packets: 10, bytes: 0 }));
        assert!(limit.is_reached(Traffic { packets: 1, bytes: 1000 }));
    }

    #[test]
    fn a_batch_ends_with_the_packet_that_reaches_the_limit() {
        let limit = limit(1000, 10, 16);
        let left = |packets, bytes, len| limit.packets_left(Traffic { packets, bytes }, len);
        assert_eq!(left(0, 0, 300), 4, "900 bytes are too few");
        assert_eq!(left(0, 0, 1), 10);
        assert_eq!(left(9, 0, 1), 1);
        assert_eq!(
            left(10, 2000, 1),
            1,
            "one is always let through: nothing would begin the exchange else"
        );
    }

    #[test]
    fn a_countdown_runs_from_the_next_telling() {
        let mut countdown = Countdown::Pending(100);
        assert_eq!(countdown.deadline(5), Some(5));
        assert!(!countdown.has_run_out(1000));
        assert_eq!(countdown.deadline(1000), Some(1100));
        assert!(!countdown.has_run_out(1099));
        assert!(countdown.has_run_out(1100));
        assert!(!countdown.has_run_out(1101), "reported once");
    }

    #[test]
    fn silence_ends_a_key_exchange_and_packets_put_it_off() {
        let mut watch = KexWatch::start(30, 7);
        assert!(!watch.has_run_out(0, 30, 7));
        assert!(!watch.has_run_out(30, 30, 8));
        assert_eq!(watch.deadline(30), Some(60));
        assert!(watch.has_run_out(60, 30, 8));
    }

    #[test]
    fn talk_without_end_does_not_put_it_off_for_ever() {
        let mut watch = KexWatch::start(30, 0);
        watch.has_run_out(0, 30, 0);
        let ended = (1..).find(|turn| watch.has_run_out(30 * turn, 30, *turn)).unwrap();
        assert_eq!(ended, u64::from(PATIENCE) + 1);
    }
}
