//! What happens in a server, one row each: name, level, words, fields. docs/layers/operations.md lists them.
//! Touches: what it is given.   Never: the log's destinations and formats.
//! Invariants: where sshd has a line, ours begins with its words; where a reader of that line expects its end, it ends.
//! Errors: none.   Allocates: never.
//! Proved by: `tests`, which also hold docs/layers/operations.md to it.
//!
//! A new event is a variant and its row in [`Event::tell`]; formats know nothing of events.

use super::Log;
use super::line::{Field, Value};
use super::words::{At, Bracketed, Ended, Host, On, Place, Shown, Target, invalid};
use crate::limits::{Notice, Refusal, Why};
use adit_config::types::LogLevel;
use std::net::SocketAddr;

/// Something that happened.
#[derive(Clone, Copy)]
pub(crate) enum Event<'a> {
    /// A socket accepts connections.
    ServerListening { at: Endpoint<'a> },
    /// The configuration was read again.
    ServerReloaded { connections: u64 },
    /// A signal ends the server.
    ServerStopping { signal: i32, connections: u64 },
    /// Limits let it in.
    ConnectionOpened { peer: Peer },
    /// It is over.
    ConnectionClosed {
        peer: Peer,
        user: User<'a>,
        how: Close<'a>,
        /// Since it was accepted.
        millis: u64,
        /// Bytes from the client.
        received: u64,
        /// Bytes to the client.
        sent: u64,
    },
    /// Limits did not let it in.
    ConnectionRefused { peer: Peer, refusal: &'a Refusal },
    /// Something else the limits say: throttling, penalties.
    Limit(&'a Notice),
    /// Somebody tries to log in who does not exist, or may not.
    UserInvalid { peer: Peer, user: &'a str },
    /// Somebody exists and may not log in: `not listed in AllowUsers`, `account is locked`.
    UserRefused { peer: Peer, user: &'a str, reason: &'a str },
    /// PermitRootLogin
    RootRefused { peer: Peer },
    /// A key might have done, but for this: a file that others can write, a certificate that has expired.
    KeyRefused { peer: Peer, user: &'a str, reason: &'a str },
    /// A user is in.
    LoginAccepted { peer: Peer, user: &'a str, method: &'a str, key: Option<Key<'a>> },
    /// A method is done, and others are asked for (AuthenticationMethods).
    LoginPartial { peer: Peer, user: &'a str, method: &'a str, key: Option<Key<'a>> },
    /// A try failed.
    LoginFailed {
        peer: Peer,
        user: &'a str,
        /// The user exists and may log in.
        valid: bool,
        method: &'a str,
        key: Option<Key<'a>>,
        /// Tries that failed, with this one.
        failures: u32,
        /// MaxAuthTries
        allowed: u32,
        /// Why; for the administrator only.
        reason: Option<&'a str>,
    },
    /// MaxAuthTries is used up.
    LoginExceeded { peer: Peer, user: &'a str, valid: bool },
    /// It is over.
    ForwardClosed {
        peer: Peer,
        user: &'a str,
        forward: Forward<'a>,
        millis: u64,
        /// Bytes from the client.
        received: u64,
        /// Bytes to the client.
        sent: u64,
        /// `closed`, or what went wrong.
        reason: &'a str,
    },
    /// The rules do not allow it.
    ForwardRefused { peer: Peer, user: &'a str, forward: Forward<'a>, reason: &'a str },
    /// It could not be made.
    ForwardFailed { peer: Peer, user: &'a str, forward: Forward<'a>, reason: &'a str },
    /// A client has the server listen.
    ListenerStarted { peer: Peer, user: &'a str, at: Endpoint<'a> },
    /// It does no more.
    ListenerEnded {
        peer: Peer,
        user: &'a str,
        at: Endpoint<'a>,
        millis: u64,
        /// Connections it accepted.
        connections: u64,
        /// `cancelled`, or what became of the connection.
        reason: &'a str,
    },
    /// A client has it now that another had; `from` is the other's connection.
    ListenerTakenOver { peer: Peer, user: &'a str, at: Endpoint<'a>, from: u64 },
    /// The rules or the system do not allow it.
    ListenerRefused { peer: Peer, user: &'a str, at: Endpoint<'a>, reason: &'a str },
    /// It runs.
    SessionStarted { peer: Peer, user: &'a str, session: Session<'a> },
    /// It is over.
    SessionEnded {
        peer: Peer,
        user: &'a str,
        session: Session<'a>,
        /// None when a signal ended it, or the client went.
        status: Option<u32>,
        /// The name of the signal that ended it.
        signal: Option<&'a str>,
        /// Why the channel ended first: `closed`, `idle`, `connection-closed`.
        reason: Option<&'a str>,
        millis: u64,
    },
}

/// A connection and its ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    /// Its number, for joining lines.
    pub(crate) connection: u64,
    /// None on a unix socket or a pipe.
    pub(crate) remote: Option<SocketAddr>,
    pub(crate) local: Option<SocketAddr>,
}

/// Who is at the other end, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum User<'a> {
    /// No name was given.
    Nobody,
    /// A name was given.
    Authenticating(&'a str),
    /// A name was given that nobody has, or that may not log in.
    Invalid(&'a str),
    /// In.
    LoggedIn(&'a str),
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Close<'a> {
    /// The client closed it.
    Eof,
    /// It was reset, or the network gave it up.
    Reset,
    /// The client said goodbye. RFC 4253 §11.1.
    Disconnect { code: u32, text: &'a str },
    /// The server did.
    Ours { words: &'a str },
    /// LoginGraceTime
    GraceExceeded,
    /// ClientAliveInterval, ClientAliveCountMax
    Unresponsive,
    /// UnusedConnectionTimeout
    Inactive,
    /// RefuseConnection
    Refused,
    /// No algorithm in common; the words say of which kind.
    NoCommonAlgorithm { words: &'a str },
    /// What came was not SSH; the words say what was wrong.
    NotSsh { words: &'a str },
}

/// A key a login was tried with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key<'a> {
    /// As sshd names it: `ED25519`, `RSA-CERT`.
    pub(crate) kind: &'a str,
    /// `SHA256:…`, of the key itself.
    pub(crate) fingerprint: &'a str,
    pub(crate) certificate: Option<Certificate<'a>>,
}

/// What is special to a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Certificate<'a> {
    pub(crate) id: &'a str,
    pub(crate) serial: u64,
    /// As [`Key::kind`], of the authority's key.
    pub(crate) ca_kind: &'a str,
    pub(crate) ca_fingerprint: &'a str,
}

/// One end of a forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint<'a> {
    Tcp { host: &'a str, port: u32 },
    Address(SocketAddr),
    Unix(&'a str),
}

/// A forwarded connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Forward<'a> {
    /// Its channel type: `direct-tcpip`.
    pub(crate) kind: &'a str,
    /// Who connected.
    pub(crate) from: Endpoint<'a>,
    /// What to.
    pub(crate) to: Endpoint<'a>,
}

/// A session that runs something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Session<'a> {
    /// The channel.
    pub(crate) id: u32,
    /// `shell`, `command`, `subsystem 'sftp'`, `forced-command (config) 'x'`: as sshd says it.
    pub(crate) kind: &'a str,
    /// The terminal, without `/dev/`.
    pub(crate) terminal: Option<&'a str>,
    /// What is run, where the administrator may see it.
    pub(crate) command: Option<&'a str>,
}

impl Event<'_> {
    /// Writes the event's row.
    #[rustfmt::skip]
    pub(super) fn tell(&self, log: &Log) {
        use LogLevel::{Info, Verbose};
        match self {
            Self::ServerListening { at } => log.row(
                "server-listening", Info,
                format_args!("Server listening on {}.", Place(*at)),
                &[("address", Value::Shown(at))], &[],
            ),
            Self::ServerReloaded { connections } => log.row(
                "server-reloaded", Info,
                format_args!("Received SIGHUP; configuration read again"),
                &[], &[("connections", (*connections).into())],
            ),
            Self::ServerStopping { signal, connections } => log.row(
                "server-stopping", Info,
                format_args!("Received signal {signal}; terminating."),
                &[("signal", Value::Number(signal.unsigned_abs().into()))],
                &[("connections", (*connections).into())],
            ),
            Self::ConnectionOpened { peer } => log.row(
                "connection-opened", Verbose,
                format_args!("Connection from {} on {}", At(peer.remote), At(peer.local)),
                &peer.ends(), &[peer.number()],
            ),
            Self::ConnectionClosed { peer, user, how, millis, received, sent } => {
                let told = [
                    ("duration", Value::Millis(*millis)),
                    ("received", (*received).into()),
                    ("sent", (*sent).into()),
                ];
                let [remote, local] = peer.ends();
                let known = [remote, local, how.field(), ("code", how.code().into()), ("user", user.name().into())];
                let words = Ended { peer: *peer, user: *user, how: *how };
                match user {
                    User::LoggedIn(_) => log.row(
                        "connection-closed", Info, format_args!("{words}"),
                        &known[..3],
                        &[peer.number(), known[4], told[0], told[1], told[2]],
                    ),
                    _ => log.row(
                        "connection-closed", Info, format_args!("{words}"),
                        &[known[0], known[1], known[2], known[3], known[4], peer.number(), told[0], told[1], told[2]],
                        &[],
                    ),
                }
            }
            Self::ConnectionRefused { peer, refusal } => {
                let said = [peer.ends()[0], peer.ends()[1], ("reason", Value::Shown(&refusal.why)), peer.number()];
                match &refusal.why {
                    Why::User { user, .. } => log.row(
                        "connection-refused", refusal.level(),
                        format_args!("drop connection of user {user} from {peer} {}", refusal.why),
                        &[said[0], said[1], said[2], said[3], ("user", user.as_str().into())], &[],
                    ),
                    why => log.row(
                        "connection-refused", refusal.level(),
                        format_args!(
                            "drop connection #{} from {} on {} {why}",
                            refusal.startups, Bracketed(peer.remote), Bracketed(peer.local),
                        ),
                        &[said[0], said[1], said[2], ("startups", Value::Number(refusal.startups as u64))], &[],
                    ),
                }
            }
            Self::Limit(notice) => limit(notice, log),
            Self::UserInvalid { peer, user } => log.row(
                "user-invalid", Info,
                format_args!("Invalid user {user} from {peer}"),
                &[peer.ends()[0], peer.ends()[1], ("user", (*user).into()), peer.number()], &[],
            ),
            Self::UserRefused { peer, user, reason } => log.row(
                "user-refused", Info,
                format_args!("User {user} from {} not allowed because {reason}", Host(peer.remote)),
                &[
                    peer.ends()[0], peer.ends()[1], ("user", (*user).into()), ("reason", (*reason).into()), peer.number(),
                ],
                &[],
            ),
            Self::RootRefused { peer } => log.row(
                "root-refused", Info,
                format_args!("ROOT LOGIN REFUSED FROM {peer}"),
                &[peer.ends()[0], peer.ends()[1], ("user", "root".into()), peer.number()], &[],
            ),
            Self::KeyRefused { peer, user, reason } => log.row(
                "key-refused", Info,
                format_args!("{reason}"),
                &[],
                &[peer.ends()[0], peer.ends()[1], ("user", (*user).into()), peer.number()],
            ),
            Self::LoginAccepted { peer, user, method, key } => log.row(
                "login-accepted", Info,
                format_args!("Accepted {method} for {user} from {peer} ssh2{}", Shown(*key)),
                &login(peer, user, method, *key), &[peer.number()],
            ),
            Self::LoginPartial { peer, user, method, key } => log.row(
                "login-partial", Info,
                format_args!("Partial {method} for {user} from {peer} ssh2{}", Shown(*key)),
                &login(peer, user, method, *key), &[peer.number()],
            ),
            Self::LoginFailed { peer, user, valid, method, key, failures, allowed, reason } => {
                // Those who ban by this line take the last " from " for the address.
                let (kept, told) = reason.map_or((None, None), |reason| {
                    if reason.contains(" from ") { (Some(reason), None) } else { (None, Some(reason)) }
                });
                log.row(
                    "login-failed",
                    // As sshd: a key that does not fit is usual, the rest is not.
                    if !valid || *method == "password" || *failures > *allowed / 2 { Info } else { Verbose },
                    format_args!("Failed {method} for {}{user} from {peer} ssh2{}", invalid(*valid), Shown(*key)),
                    &[&login(peer, user, method, *key)[..], &[("reason", kept.into())]].concat(),
                    &[peer.number(), ("failures", (*failures).into()), ("reason", told.into())],
                );
            }
            Self::LoginExceeded { peer, user, valid } => log.row(
                "login-exceeded", LogLevel::Error,
                format_args!(
                    "maximum authentication attempts exceeded for {}{user} from {peer} ssh2 [preauth]", invalid(*valid),
                ),
                &[peer.ends()[0], peer.ends()[1], ("user", (*user).into()), peer.number()], &[],
            ),
            Self::ForwardClosed { peer, user, forward: Forward { kind, from, to }, millis, received, sent, reason } => log.row(
                "forward-closed", Info,
                format_args!("Forwarded {kind} for {user} from {peer}: {from} to {to}"),
                &forward(peer, user, kind, from, to),
                &[
                    peer.number(), ("duration", Value::Millis(*millis)), ("received", (*received).into()),
                    ("sent", (*sent).into()), ("reason", (*reason).into()),
                ],
            ),
            Self::ForwardRefused { peer, user, forward: Forward { kind, from, to }, reason } => log.row(
                "forward-refused", Info,
                format_args!("Received request from {peer} to connect to {}, but the request was denied.", Target(*to)),
                &forward(peer, user, kind, from, to)[..2],
                &[
                    peer.number(), ("user", (*user).into()), ("kind", (*kind).into()),
                    ("from", Value::Shown(from)), ("to", Value::Shown(to)), ("reason", (*reason).into()),
                ],
            ),
            Self::ForwardFailed { peer, user, forward: Forward { kind, from, to }, reason } => log.row(
                "forward-failed", Info,
                format_args!("Failed {kind} forward for {user} from {peer}: {from} to {to}: {reason}"),
                &[&forward(peer, user, kind, from, to)[..], &[("reason", (*reason).into())]].concat(),
                &[peer.number()],
            ),
            Self::ListenerStarted { peer, user, at } => log.row(
                "listener-started", Info,
                format_args!("Listening on {} for {user} from {peer}", Place(*at)),
                &listener(peer, user, at), &[peer.number()],
            ),
            Self::ListenerEnded { peer, user, at, millis, connections, reason } => log.row(
                "listener-ended", Info,
                format_args!("Stopped listening on {} for {user} from {peer}", Place(*at)),
                &listener(peer, user, at),
                &[
                    peer.number(), ("duration", Value::Millis(*millis)), ("accepted", (*connections).into()),
                    ("reason", (*reason).into()),
                ],
            ),
            Self::ListenerTakenOver { peer, user, at, from } => log.row(
                "listener-taken-over", Info,
                format_args!("Took over listening on {} for {user} from {peer}", Place(*at)),
                &listener(peer, user, at), &[peer.number(), ("previous", (*from).into())],
            ),
            Self::ListenerRefused { peer, user, at, reason } => log.row(
                "listener-refused", Info,
                format_args!("Received request from {peer} to listen on {}, but the request was denied.", Place(*at)),
                &listener(peer, user, at)[..2],
                &[
                    peer.number(), ("user", (*user).into()), ("listen", Value::Shown(at)), ("reason", (*reason).into()),
                ],
            ),
            Self::SessionStarted { peer, user, session } => log.row(
                "session-started", Verbose,
                format_args!(
                    "Starting session: {}{} for {user} from {peer} id {}",
                    session.kind, On(session.terminal), session.id,
                ),
                &[
                    &running(peer, user, session.id)[..],
                    &[("kind", session.kind.into()), ("terminal", session.terminal.into())],
                ].concat(),
                &[peer.number(), ("command", session.command.into())],
            ),
            Self::SessionEnded { peer, user, session, status, signal, reason, millis } => log.row(
                "session-ended", Info,
                format_args!("Close session: user {user} from {peer} id {}", session.id),
                &running(peer, user, session.id),
                &[
                    peer.number(), ("kind", session.kind.into()), ("terminal", session.terminal.into()),
                    ("command", session.command.into()), ("status", (*status).into()), ("signal", (*signal).into()),
                    ("reason", (*reason).into()), ("duration", Value::Millis(*millis)),
                ],
            ),
        }
    }
}

fn limit(notice: &Notice, log: &Log) {
    let (level, words) = (notice.level(), format_args!("{notice}"));
    match notice {
        Notice::Throttling { limit } => {
            log.row("throttling", level, words, &[("limit", (*limit).into())], &[])
        }
        Notice::StillThrottling { limit, millis, dropped }
        | Notice::ThrottlingOver { limit, millis, dropped } => {
            let said = [
                ("limit", (*limit).into()),
                ("duration", Value::Millis(*millis)),
                ("dropped", (*dropped).into()),
            ];
            let over = matches!(notice, Notice::ThrottlingOver { .. });
            log.row(if over { "throttling-over" } else { "throttling" }, level, words, &said, &[]);
        }
        Notice::Penalised { block, offence, millis, .. } => {
            let said = [
                ("source", Value::Shown(block)),
                ("penalty", Value::Millis(*millis)),
                ("reason", Value::Shown(offence)),
            ];
            log.row("penalty", level, words, &said, &[]);
        }
        Notice::NotPenalised { block, offence } => {
            let said = [("source", Value::Shown(block)), ("reason", Value::Shown(offence))];
            log.row("penalty-overflow", level, words, &said, &[]);
        }
    }
}

fn login<'a>(
    peer: &'a Peer,
    user: &'a str,
    method: &'a str,
    key: Option<Key<'a>>,
) -> [Field<'a>; 10] {
    let [remote, local] = peer.ends();
    let certificate = key.and_then(|key| key.certificate);
    [
        remote,
        local,
        ("user", user.into()),
        ("method", method.into()),
        ("key", key.map(|key| key.kind).into()),
        ("fingerprint", key.map(|key| key.fingerprint).into()),
        ("certificate", certificate.map(|certificate| certificate.id).into()),
        ("serial", certificate.map(|certificate| certificate.serial).into()),
        ("ca_key", certificate.map(|certificate| certificate.ca_kind).into()),
        ("ca_fingerprint", certificate.map(|certificate| certificate.ca_fingerprint).into()),
    ]
}

fn forward<'a>(
    peer: &'a Peer,
    user: &'a str,
    kind: &'a str,
    from: &'a Endpoint<'a>,
    to: &'a Endpoint<'a>,
) -> [Field<'a>; 6] {
    let [remote, local] = peer.ends();
    let ends = [("from", Value::Shown(from)), ("to", Value::Shown(to))];
    [remote, local, ("user", user.into()), ("kind", kind.into()), ends[0], ends[1]]
}

fn listener<'a>(peer: &'a Peer, user: &'a str, at: &'a Endpoint<'a>) -> [Field<'a>; 4] {
    let [remote, local] = peer.ends();
    [remote, local, ("user", user.into()), ("listen", Value::Shown(at))]
}

fn running<'a>(peer: &'a Peer, user: &'a str, session: u32) -> [Field<'a>; 4] {
    let [remote, local] = peer.ends();
    [remote, local, ("user", user.into()), ("session", session.into())]
}

impl Peer {
    /// An IPv4 client of an IPv6 socket is shown as what it is.
    pub(crate) fn new(
        connection: u64,
        remote: Option<SocketAddr>,
        local: Option<SocketAddr>,
    ) -> Self {
        Self { connection, remote: remote.map(canonical), local: local.map(canonical) }
    }

    fn number(&self) -> Field<'static> {
        ("connection", self.connection.into())
    }

    fn ends(&self) -> [Field<'_>; 2] {
        [("remote", Value::shown(&self.remote)), ("local", Value::shown(&self.local))]
    }
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

impl<'a> User<'a> {
    pub(super) const fn name(self) -> Option<&'a str> {
        match self {
            Self::Nobody => None,
            Self::Authenticating(name) | Self::Invalid(name) | Self::LoggedIn(name) => Some(name),
        }
    }
}

impl Close<'_> {
    /// One word for programs.
    fn field(self) -> Field<'static> {
        let reason = match self {
            Self::Eof => "closed",
            Self::Reset => "reset",
            Self::Disconnect { .. } => "disconnect",
            Self::Ours { .. } => "disconnected",
            Self::GraceExceeded => "grace-exceeded",
            Self::Unresponsive => "unresponsive",
            Self::Inactive => "inactive",
            Self::Refused => "refused",
            Self::NoCommonAlgorithm { .. } => "no-common-algorithm",
            Self::NotSsh { .. } => "not-ssh",
        };
        ("reason", reason.into())
    }

    const fn code(self) -> Option<u32> {
        if let Self::Disconnect { code, .. } = self { Some(code) } else { None }
    }
}

#[cfg(test)]
mod tests;
