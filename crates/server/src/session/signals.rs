//! Signals by the names SSH knows. RFC 4254 §6.9, §6.10.
//! Touches: names and numbers.   Never: processes.
//! Invariants: names have no SIG before them.
//! Errors: none; an unknown name is none.   Allocates: never.
//! Proved by: `tests` below.

use rustix::process::Signal;

/// All that RFC 4254 names.
const NAMES: [(&str, Signal); 13] = [
    ("ABRT", Signal::ABORT),
    ("ALRM", Signal::ALARM),
    ("FPE", Signal::FPE),
    ("HUP", Signal::HUP),
    ("ILL", Signal::ILL),
    ("INT", Signal::INT),
    ("KILL", Signal::KILL),
    ("PIPE", Signal::PIPE),
    ("QUIT", Signal::QUIT),
    ("SEGV", Signal::SEGV),
    ("TERM", Signal::TERM),
    ("USR1", Signal::USR1),
    ("USR2", Signal::USR2),
];

/// What others are called on the wire, by sshd too.
const OTHER: &str = "SIG@openssh.com";

/// The signal of a name.
pub(crate) fn by_name(name: &str) -> Option<Signal> {
    NAMES.iter().find(|(known, _)| *known == name).map(|(_, signal)| *signal)
}

/// The name of a signal.
pub(crate) fn name_of(number: i32) -> &'static str {
    NAMES.iter().find(|(_, signal)| signal.as_raw() == number).map_or(OTHER, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_leads_there_and_back() {
        for (name, signal) in NAMES {
            assert_eq!(by_name(name), Some(signal));
            assert_eq!(name_of(signal.as_raw()), name);
        }
    }

    #[test]
    fn what_the_rfc_does_not_name_has_a_name_with_a_domain() {
        assert_eq!(name_of(Signal::BUS.as_raw()), "SIG@openssh.com");
        for unknown in ["SIGTERM", "STOP", "", "term"] {
            assert_eq!(by_name(unknown), None);
        }
    }
}
