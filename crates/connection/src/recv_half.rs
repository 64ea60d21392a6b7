//! The half of a channel we receive on. RFC 4254 §5.3.
//! Touches: one state.   Never: windows, the sending half.
//! Invariants: no data passes after EOF; nothing passes after CLOSE.
//! Errors: `Broken`, which the caller names as a `Violation` of its channel.   Allocates: never.
//! Proved by: `tests` below; the diagram in docs/layers/connection.md is drawn from `TRANSITIONS`.

/// What the peer may still send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RecvHalf {
    /// Everything.
    Open,
    /// No data: EOF came.
    EofSeen,
    /// Nothing: CLOSE came.
    Closed,
}

/// What comes. `Other` is a request or the reply to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RecvStep {
    Data,
    Eof,
    Close,
    Other,
}

/// How a step breaks the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    DataAfterEof,
    AfterClose,
}

/// ```text
///  ┌DATA┐             ┌EOF┐
///  ▼    │             ▼   │
///  Open ┴─── EOF ──► EofSeen ── CLOSE ──► Closed
///    └────────────── CLOSE ─────────────────►┘
/// ```
/// A second EOF says nothing new and is let pass.
pub(crate) const TRANSITIONS: &[(RecvHalf, RecvStep, Result<RecvHalf, Broken>)] = {
    use Broken::{AfterClose, DataAfterEof};
    use RecvHalf::{Closed, EofSeen, Open};
    use RecvStep::{Close, Data, Eof, Other};
    &[
        (Open, Data, Ok(Open)),
        (Open, Other, Ok(Open)),
        (Open, Eof, Ok(EofSeen)),
        (Open, Close, Ok(Closed)),
        (EofSeen, Data, Err(DataAfterEof)),
        (EofSeen, Other, Ok(EofSeen)),
        (EofSeen, Eof, Ok(EofSeen)),
        (EofSeen, Close, Ok(Closed)),
        (Closed, Data, Err(AfterClose)),
        (Closed, Other, Err(AfterClose)),
        (Closed, Eof, Err(AfterClose)),
        (Closed, Close, Err(AfterClose)),
    ]
};

impl RecvHalf {
    /// Takes `step` and gives the state before it.
    pub(crate) fn take(&mut self, step: RecvStep) -> Result<Self, Broken> {
        let before = *self;
        *self = after(before, step)?;
        Ok(before)
    }
}

/// The table's answer. It has a row for every pair; a test walks them.
fn after(half: RecvHalf, step: RecvStep) -> Result<RecvHalf, Broken> {
    let row = TRANSITIONS.iter().find(|(from, on, _)| (*from, *on) == (half, step));
    row.map_or(Err(Broken::AfterClose), |(_, _, to)| *to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_answers_every_pair_once() {
        for half in [RecvHalf::Open, RecvHalf::EofSeen, RecvHalf::Closed] {
            for step in [RecvStep::Data, RecvStep::Eof, RecvStep::Close, RecvStep::Other] {
                let rows = TRANSITIONS.iter().filter(|row| (row.0, row.1) == (half, step)).count();
                assert_eq!(rows, 1, "{half:?} {step:?}");
            }
        }
    }

    #[test]
    fn eof_ends_data_and_close_ends_everything() {
        let mut half = RecvHalf::Open;
        assert_eq!(half.take(RecvStep::Data), Ok(RecvHalf::Open));
        assert_eq!(half.take(RecvStep::Eof), Ok(RecvHalf::Open));
        assert_eq!(half.take(RecvStep::Eof), Ok(RecvHalf::EofSeen));
        assert_eq!(half.take(RecvStep::Data), Err(Broken::DataAfterEof));
        assert_eq!(half.take(RecvStep::Other), Ok(RecvHalf::EofSeen));
        assert_eq!(half.take(RecvStep::Close), Ok(RecvHalf::EofSeen));
        for step in [RecvStep::Data, RecvStep::Eof, RecvStep::Close, RecvStep::Other] {
            assert_eq!(half.take(step), Err(Broken::AfterClose));
        }
    }
}
