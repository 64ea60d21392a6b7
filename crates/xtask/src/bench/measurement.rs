//! What can be measured: one file and one row of the table each.
//! Touches: nothing.   Never: how a result is told.
//! Invariants: names are unique, and what the command line takes.
//! Errors: a measurement's own, which do not stop the others.   Allocates: nothing.
//! Proved by: `tests` below.

use super::{measure, run::Run};
use crate::Outcome;

/// One thing that can be measured.
pub(crate) trait Measurement: Sync {
    /// As the command line has it.
    fn name(&self) -> &'static str;
    /// In the report's words.
    fn what(&self) -> &'static str;
    /// Measures, and records a row for each sample.
    fn run(&self, run: &mut Run) -> Outcome;
}

/// All, in the order of the report.
pub(crate) const MEASUREMENTS: &[&dyn Measurement] = &[
    &measure::bulk::Bulk,
    &measure::aead::AeadPass,
    &measure::system_calls::SystemCalls,
    &measure::ping::Ping,
    &measure::connections::Connections,
    &measure::channels::Channels,
    &measure::idle_client::IdleClient,
    &measure::crowd::IdleCrowd,
    &measure::handshake::Handshake,
    &measure::long_path::LongPath,
    &measure::bloat::Bloat,
    &measure::fairness::Fairness,
    &measure::binary_size::BinarySize,
];

/// The one of that name.
pub(crate) fn find(name: &str) -> Option<&'static dyn Measurement> {
    MEASUREMENTS.iter().find(|each| each.name() == name).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_finds_its_own() {
        for each in MEASUREMENTS {
            assert_eq!(find(each.name()).map(|found| found.what()), Some(each.what()));
        }
        assert!(find("nothing").is_none());
    }
}
