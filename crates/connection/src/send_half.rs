//! The half of a channel we send on. RFC 4254 §5.3.
//! Touches: one state.   Never: windows, the receiving half.
//! Invariants: EOF goes out once, CLOSE goes out once, nothing follows CLOSE.
//! Errors: none; a step that is not in the table is not taken.   Allocates: never.
//! Proved by: `tests` below; the diagram in docs/layers/connection.md is drawn from `TRANSITIONS`.

/// What we may still send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SendHalf {
    /// Everything.
    Open,
    /// No data: EOF is sent.
    EofSent,
    /// Nothing: CLOSE is sent.
    Closed,
}

/// What we do to it; a step taken sends the message of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SendStep {
    Eof,
    Close,
}

/// ```text
/// Open ── EOF ──► EofSent ── CLOSE ──► Closed
///   └────────────── CLOSE ──────────────►┘
/// ```
pub(crate) const TRANSITIONS: &[(SendHalf, SendStep, SendHalf)] = &[
    (SendHalf::Open, SendStep::Eof, SendHalf::EofSent),
    (SendHalf::Open, SendStep::Close, SendHalf::Closed),
    (SendHalf::EofSent, SendStep::Close, SendHalf::Closed),
];

impl SendHalf {
    /// Takes `step` if the table has it, and tells whether its message is to be sent.
    pub(crate) fn take(&mut self, step: SendStep) -> bool {
        let row = TRANSITIONS.iter().find(|(from, on, _)| (*from, *on) == (*self, step));
        if let Some((_, _, to)) = row {
            *self = *to;
        }
        row.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eof_and_close_go_out_once_and_nothing_follows_close() {
        let mut half = SendHalf::Open;
        assert!(half.take(SendStep::Eof));
        assert!(!half.take(SendStep::Eof));
        assert!(half.take(SendStep::Close));
        assert!(!half.take(SendStep::Close));
        assert!(!half.take(SendStep::Eof));
        assert_eq!(half, SendHalf::Closed);
    }

    #[test]
    fn close_needs_no_eof() {
        let mut half = SendHalf::Open;
        assert!(half.take(SendStep::Close));
        assert_eq!(half, SendHalf::Closed);
    }
}
