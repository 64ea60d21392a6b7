//! Keepalives: whether the peer still is there. ServerAliveInterval and ClientAliveInterval of ssh.
//! Touches: the clock value given to it.   Never: messages; the engine sends what this asks for.
//! Invariants: any packet of the peer's counts as a sign of life; the peer is given up after `count_max` silent intervals.
//! Errors: none; `Due::GiveUp` says it.   Allocates: the list of what was asked.
//! Proved by: `tests` below, `tests/pair.rs`.

use adit_connection::RequestId;
use alloc::vec::Vec;

/// How often to ask, and how long to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keepalive {
    /// Milliseconds of silence before the peer is asked, and between askings.
    pub interval_ms: u64,
    /// Askings without any answer before the peer is given up.
    pub count_max: u32,
}

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Nothing,
    Ask,
    GiveUp,
}

/// How long ago the peer was heard.
#[derive(Debug)]
pub(crate) struct Silence {
    limits: Option<Keepalive>,
    asked: u32,
    next_at: u64,
    /// Keepalives whose replies are due.
    unanswered: Vec<RequestId>,
}

impl Silence {
    pub(crate) const fn new(limits: Option<Keepalive>) -> Self {
        Self { limits, asked: 0, next_at: 0, unanswered: Vec::new() }
    }

    /// Asks as often as this from `now` on.
    pub(crate) fn set(&mut self, limits: Option<Keepalive>, now: u64) {
        self.limits = limits;
        self.broken(now);
    }

    /// The peer sent something.
    pub(crate) fn broken(&mut self, now: u64) {
        if let Some(limits) = self.limits {
            self.asked = 0;
            self.next_at = now + limits.interval_ms;
        }
    }

    pub(crate) fn due(&mut self, now: u64) -> Due {
        match self.limits {
            Some(limits) if now >= self.next_at => {
                if self.asked >= limits.count_max {
                    return Due::GiveUp;
                }
                self.asked += 1;
                self.next_at = now + limits.interval_ms;
                Due::Ask
            }
            _ => Due::Nothing,
        }
    }

    /// The peer was asked.
    pub(crate) fn asked(&mut self, request: RequestId) {
        self.unanswered.push(request);
    }

    /// Whether this is the answer to one of the keepalives.
    pub(crate) fn answered(&mut self, request: RequestId) -> bool {
        let at = self.unanswered.iter().position(|asked| *asked == request);
        at.map(|at| self.unanswered.remove(at)).is_some()
    }

    /// Nothing is going on: keeps no more memory than it needs.
    pub(crate) fn rest(&mut self) {
        self.unanswered.shrink_to_fit();
    }

    pub(crate) fn deadline(&self) -> Option<u64> {
        self.limits.map(|_| self.next_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Keepalive = Keepalive { interval_ms: 10, count_max: 2 };

    #[test]
    fn a_silent_peer_is_asked_then_given_up() {
        let mut silence = Silence::new(Some(LIMITS));
        silence.broken(100);
        assert_eq!(silence.deadline(), Some(110));
        assert_eq!(silence.due(109), Due::Nothing);
        assert_eq!(silence.due(110), Due::Ask);
        assert_eq!(silence.due(120), Due::Ask);
        assert_eq!(silence.due(130), Due::GiveUp);
    }

    #[test]
    fn any_sign_of_life_starts_the_count_again() {
        let mut silence = Silence::new(Some(LIMITS));
        silence.broken(100);
        silence.due(110);
        silence.due(120);
        silence.broken(125);
        assert_eq!(silence.due(134), Due::Nothing);
        assert_eq!(silence.due(135), Due::Ask);
    }

    #[test]
    fn without_limits_nothing_is_due() {
        let mut silence = Silence::new(None);
        silence.broken(1);
        assert_eq!(silence.due(u64::MAX), Due::Nothing);
        assert_eq!(silence.deadline(), None);
    }
}
