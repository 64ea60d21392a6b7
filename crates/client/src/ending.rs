//! Last words: what the user is told when a connection ends or does not come about.
//! Touches: texts.   Never: the connection.
//! Invariants: an end is explained by how far the connection had come; what was said already is not said again.
//! Errors: none.   Allocates: texts.
//! Proved by: `tests` below, interop `exit_codes.rs`, `keepalive.rs`.

use crate::log::Level;
use adit_engine::Error as Engine;
use adit_forward::os_words;
use adit_reactor::Closed;
use adit_transport::Error as Transport;
use adit_transport::Incompatible;
use std::io;

/// How far a connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// The server has not identified itself.
    Connected,
    /// It has; keys are exchanged, or the user logs in.
    Identified,
    /// The user is in.
    Up,
}

/// The server in messages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Names<'a> {
    /// As the user named it.
    pub(crate) host: &'a str,
    /// `address port number`
    pub(crate) peer: &'a str,
}

/// Lines to say, each with its level.
pub(crate) type Words = Vec<(Level, String)>;

/// Why a connection is over.
pub(crate) fn explain(closed: &Closed, progress: Progress, names: Names<'_>) -> Words {
    match closed {
        Closed::Here => vec![],
        Closed::Engine(failed) => gave_up(failed, progress, names),
        Closed::EndOfStream => hung_up(progress, names),
        Closed::Link(failed) => broke(failed, progress, names),
    }
}

fn gave_up(failed: &Engine, progress: Progress, Names { host, peer }: Names<'_>) -> Words {
    match failed {
        // The disconnect and the refused key have been reported already.
        Engine::Transport(
            Transport::Disconnected { .. } | Transport::HostKeyRejected | Transport::Closed,
        ) => vec![],
        Engine::Timeout => vec![(Level::Error, format!("Timeout, server {host} not responding."))],
        Engine::Transport(Transport::PeerIncompatible(nothing @ Incompatible::NoMatch { .. })) => {
            vec![(Level::Fatal, format!("Unable to negotiate with {peer}: {nothing}"))]
        }
        failed => vec![fatal(progress, peer, failed)],
    }
}

fn hung_up(progress: Progress, Names { host, peer }: Names<'_>) -> Words {
    let closed = (Level::Fatal, format!("Connection closed by {peer}"));
    match progress {
        Progress::Connected => vec![
            (Level::Error, "kex_exchange_identification: Connection closed by remote host".into()),
            closed,
        ],
        Progress::Identified => vec![closed],
        Progress::Up => {
            vec![(Level::Error, format!("Connection to {host} closed by remote host."))]
        }
    }
}

fn broke(failed: &io::Error, progress: Progress, Names { host, peer }: Names<'_>) -> Words {
    let words = os_words(failed);
    if progress == Progress::Up {
        return vec![
            (Level::Error, format!("Read from remote host {host}: {words}")),
            (Level::Error, format!("Connection to {host} closed by remote host.")),
        ];
    }
    let end = match failed.kind() {
        io::ErrorKind::ConnectionReset => (Level::Fatal, format!("Connection reset by {peer}")),
        _ => fatal(progress, peer, &words),
    };
    if progress == Progress::Connected {
        return vec![(Level::Error, format!("kex_exchange_identification: read: {words}")), end];
    }
    vec![end]
}

fn fatal(progress: Progress, peer: &str, failed: &dyn std::fmt::Display) -> (Level, String) {
    let place = match progress {
        Progress::Connected => "banner exchange",
        _ => "ssh_dispatch_run_fatal",
    };
    (Level::Fatal, format!("{place}: Connection to {peer}: {failed}"))
}

/// ConnectTimeout has run out on an established TCP connection.
pub(crate) fn timed_out(progress: Progress, peer: &str) -> Words {
    let end = (Level::Fatal, format!("Connection to {peer} timed out"));
    match progress {
        Progress::Connected => {
            vec![(Level::Error, "Connection timed out during banner exchange".into()), end]
        }
        _ => vec![end],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use adit_transport::{KexFailure, List};

    const NAMES: Names<'static> = Names { host: "alma", peer: "192.0.2.1 port 22" };

    fn said(closed: &Closed, progress: Progress) -> String {
        text(explain(closed, progress, NAMES))
    }

    fn text(words: Words) -> String {
        let lines: Vec<String> = words.into_iter().map(|(_, line)| line).collect();
        lines.join("\n")
    }

    #[test]
    fn a_server_that_hangs_up_is_reported_by_how_far_it_had_come() {
        let end = Closed::EndOfStream;
        assert_eq!(
            said(&end, Progress::Connected),
            "kex_exchange_identification: Connection closed by remote host\n\
             Connection closed by 192.0.2.1 port 22"
        );
        assert_eq!(said(&end, Progress::Identified), "Connection closed by 192.0.2.1 port 22");
        assert_eq!(said(&end, Progress::Up), "Connection to alma closed by remote host.");
    }

    #[test]
    fn a_reset_is_told_apart_from_an_end() {
        let reset = Closed::Link(io::Error::from_raw_os_error(104));
        assert_eq!(
            said(&reset, Progress::Connected),
            "kex_exchange_identification: read: Connection reset by peer\n\
             Connection reset by 192.0.2.1 port 22"
        );
        assert_eq!(said(&reset, Progress::Identified), "Connection reset by 192.0.2.1 port 22");
        assert_eq!(
            said(&reset, Progress::Up),
            "Read from remote host alma: Connection reset by peer\n\
             Connection to alma closed by remote host."
        );
        let lost = Closed::Link(io::Error::from_raw_os_error(113));
        assert_eq!(
            said(&lost, Progress::Identified),
            "ssh_dispatch_run_fatal: Connection to 192.0.2.1 port 22: No route to host"
        );
    }

    #[test]
    fn what_the_protocol_has_against_a_server_names_the_server() {
        let engine = |error: Transport| Closed::Engine(Engine::Transport(error));
        let nothing = Incompatible::NoMatch { list: List::Cipher, offer: "rot13".into() };
        assert_eq!(
            said(&engine(nothing.into()), Progress::Identified),
            "Unable to negotiate with 192.0.2.1 port 22: no matching cipher found. Their offer: rot13"
        );
        assert_eq!(
            said(&engine(KexFailure::Signature.into()), Progress::Identified),
            "ssh_dispatch_run_fatal: Connection to 192.0.2.1 port 22: \
             key exchange failed: incorrect signature"
        );
        assert_eq!(
            said(&engine(Incompatible::ProtocolVersion.into()), Progress::Connected),
            "banner exchange: Connection to 192.0.2.1 port 22: Protocol major versions differ"
        );
        assert_eq!(
            said(&Closed::Engine(Engine::Timeout), Progress::Up),
            "Timeout, server alma not responding."
        );
    }

    #[test]
    fn what_was_said_already_is_not_said_again() {
        for said_before in [
            Transport::Disconnected { reason_code: 2 },
            Transport::HostKeyRejected,
            Transport::Closed,
        ] {
            let closed = Closed::Engine(Engine::Transport(said_before));
            assert_eq!(explain(&closed, Progress::Identified, NAMES), []);
        }
        assert_eq!(explain(&Closed::Here, Progress::Up, NAMES), []);
    }

    #[test]
    fn a_timeout_says_what_was_waited_for() {
        assert_eq!(
            text(timed_out(Progress::Connected, NAMES.peer)),
            "Connection timed out during banner exchange\n\
             Connection to 192.0.2.1 port 22 timed out"
        );
        assert_eq!(
            text(timed_out(Progress::Identified, NAMES.peer)),
            "Connection to 192.0.2.1 port 22 timed out"
        );
    }
}
