//! The round trip: measured now and then while data flows, so that windows can follow it.
//! Touches: the clock value given to it.   Never: messages; the engine sends what this asks for.
//! Invariants: one question is out at a time; an idle connection asks nothing.
//! Errors: none.   Allocates: never.
//! Proved by: `tests` below.

use adit_connection::RequestId;

/// How much has to come before the way is measured again, in bytes.
const EVERY_BYTES: usize = 256 * 1024;

/// And how long, in milliseconds.
const EVERY_MS: u64 = 200;

/// What the answer will be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    /// A pong. OpenSSH PROTOCOL §1.8.
    Ping,
    /// The reply to a keepalive, where the peer has no pongs.
    Keepalive(RequestId),
}

#[derive(Debug, Default)]
pub(crate) struct RoundTrip {
    bytes: usize,
    next_at: u64,
    asked: Option<(Question, u64)>,
}

impl RoundTrip {
    /// Payload came.
    pub(crate) fn received(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes);
    }

    pub(crate) fn is_due(&self, now: u64) -> bool {
        self.asked.is_none() && self.bytes >= EVERY_BYTES && now >= self.next_at
    }

    pub(crate) fn asked(&mut self, question: Question, now: u64) {
        *self = Self { bytes: 0, next_at: now + EVERY_MS, asked: Some((question, now)) };
    }

    /// An answer came: the milliseconds it took, if it is the one waited for.
    pub(crate) fn answered(&mut self, question: Question, now: u64) -> Option<u32> {
        let (_, at) = self.asked.take_if(|(asked, _)| *asked == question)?;
        u32::try_from(now.saturating_sub(at)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_is_measured_while_data_flows_and_not_otherwise() {
        let mut round_trip = RoundTrip::default();
        assert!(!round_trip.is_due(1_000));
        round_trip.received(EVERY_BYTES);
        assert!(round_trip.is_due(1_000));
        round_trip.asked(Question::Ping, 1_000);
        round_trip.received(EVERY_BYTES);
        assert!(!round_trip.is_due(5_000), "one question at a time");
        assert_eq!(round_trip.answered(Question::Ping, 1_030), Some(30));
        assert_eq!(round_trip.answered(Question::Ping, 1_031), None);
        assert!(round_trip.is_due(5_000));
    }
}
