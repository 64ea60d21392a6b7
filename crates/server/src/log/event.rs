//! What happens in a server, one row each: name, level, words, fields. docs/layers/operations.md lists them.
//! Touches: what it is given.   Never: the log's destinations and formats.
//! Invariants: where sshd has a line, ours begins with its words; where a reader of that line expects its end, it ends.
//! Errors: none.   Allocates: never.
//! Proved by: `tests` below.
//!
//! A new event is a variant and its row in [`Event::tell`]; formats know nothing of events.

use super::Log;
use super::line::{Field, Value};
use crate::limits::{Notice, Refusal, Why};
use adit_config::types::LogLevel;
use std::fmt;
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
    /// A forwarded connection stands.
    ForwardOpened { peer: Peer, user: &'a str, forward: Forward<'a> },
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
    /// A session runs something.
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
            Self::ForwardOpened { peer, user, forward: Forward { kind, from, to } } => log.row(
                "forward-opened", Verbose,
                format_args!("Forwarding {kind} for {user} from {peer}: {from} to {to}"),
                &forward(peer, user, kind, from, to), &[peer.number()],
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
                format_args!("Starting session: {}{} for {user} from {peer} id {}", session.kind, On(session.terminal), session.id),
                &started(peer, user, session), &[peer.number(), ("command", session.command.into())],
            ),
            Self::SessionEnded { peer, user, session, status, signal, millis } => log.row(
                "session-ended", Info,
                format_args!("Close session: user {user} from {peer} id {}", session.id),
                &started(peer, user, session)[..4],
                &[
                    peer.number(), ("kind", session.kind.into()), ("terminal", session.terminal.into()),
                    ("command", session.command.into()), ("status", (*status).into()), ("signal", (*signal).into()),
                    ("duration", Value::Millis(*millis)),
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

fn started<'a>(peer: &'a Peer, user: &'a str, session: &'a Session<'a>) -> [Field<'a>; 6] {
    let [remote, local] = peer.ends();
    [
        remote,
        local,
        ("user", user.into()),
        ("session", session.id.into()),
        ("kind", session.kind.into()),
        ("terminal", session.terminal.into()),
    ]
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
    const fn name(self) -> Option<&'a str> {
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

const fn invalid(valid: bool) -> &'static str {
    if valid { "" } else { "invalid user " }
}

/// `1.2.3.4 port 5`, sshd's way to write an address.
impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        At(self.remote).fmt(f)
    }
}

struct At(Option<SocketAddr>);

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(address) => write!(f, "{} port {}", address.ip(), address.port()),
            // What sshd says of a connection that has no address.
            None => f.write_str("UNKNOWN port 65535"),
        }
    }
}

struct Host(Option<SocketAddr>);

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(address) => address.ip().fmt(f),
            None => f.write_str("UNKNOWN"),
        }
    }
}

struct Bracketed(Option<SocketAddr>);

impl fmt::Display for Bracketed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(address) => write!(f, "[{}]:{}", address.ip(), address.port()),
            None => f.write_str("[UNKNOWN]:65535"),
        }
    }
}

/// What it takes to say how a connection ended.
struct Ended<'a> {
    peer: Peer,
    user: User<'a>,
    how: Close<'a>,
}

impl fmt::Display for Ended<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { peer, user, how } = self;
        match how {
            Close::Eof => write!(f, "Connection closed by {user}{peer}")?,
            Close::Reset => write!(f, "Connection reset by {user}{peer}")?,
            Close::Disconnect { code, text } => {
                write!(f, "Received disconnect from {peer}:{code}: {text}")?;
            }
            Close::Ours { words } => write!(f, "Disconnecting {user}{peer}: {words}")?,
            Close::Unresponsive => {
                write!(f, "Timeout, client not responding from {user}{peer}")?;
            }
            Close::Inactive => write!(f, "terminating inactive connection from {user}{peer}")?,
            Close::NoCommonAlgorithm { words } => {
                write!(f, "Unable to negotiate with {peer}: {words}")?;
            }
            // The rest has no mark of its phase: it only happens before the login.
            Close::GraceExceeded => {
                return write!(f, "Timeout before authentication for {peer}");
            }
            Close::Refused => {
                let invalid = invalid(!matches!(user, User::Invalid(_)));
                let name = user.name().unwrap_or_default();
                return write!(
                    f,
                    "administratively prohibited connection for {invalid}{name} from {peer}"
                );
            }
            Close::NotSsh { words } => {
                return write!(f, "banner exchange: Connection from {peer}: {words}");
            }
        }
        f.write_str(if matches!(user, User::LoggedIn(_)) { "" } else { " [preauth]" })
    }
}

/// As it stands in front of an address, with the space between.
impl fmt::Display for User<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nobody => Ok(()),
            Self::Authenticating(name) => write!(f, "authenticating user {name} "),
            Self::Invalid(name) => write!(f, "invalid user {name} "),
            Self::LoggedIn(name) => write!(f, "user {name} "),
        }
    }
}

struct Shown<'a>(Option<Key<'a>>);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(Key { kind, fingerprint, certificate }) = self.0 else { return Ok(()) };
        write!(f, ": {kind} {fingerprint}")?;
        let Some(Certificate { id, serial, ca_kind, ca_fingerprint }) = certificate else {
            return Ok(());
        };
        write!(f, " ID {id} (serial {serial}) CA {ca_kind} {ca_fingerprint}")
    }
}

struct On<'a>(Option<&'a str>);

impl fmt::Display for On<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |terminal| write!(f, " on {terminal}"))
    }
}

/// `host:port`, with brackets around an IPv6 address.
impl fmt::Display for Endpoint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host: "", port } => write!(f, "*:{port}"),
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Address(address) => address.fmt(f),
            Self::Unix(path) => f.write_str(path),
        }
    }
}

/// Where somebody listens, in words.
struct Place<'a>(Endpoint<'a>);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            // How a client asks for every address.
            Endpoint::Tcp { host: "", port } => write!(f, "* port {port}"),
            Endpoint::Tcp { host, port } => write!(f, "{host} port {port}"),
            Endpoint::Address(address) => write!(f, "{} port {}", address.ip(), address.port()),
            Endpoint::Unix(path) => write!(f, "path {path}"),
        }
    }
}

/// What somebody wants to connect to, in words.
struct Target<'a>(Endpoint<'a>);

impl fmt::Display for Target<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Endpoint::Unix(_) => Place(self.0).fmt(f),
            _ => write!(f, "host {}", Place(self.0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{Ending, LimitSettings, Limits};
    use crate::log::Format;

    const KEY: Key<'_> = Key { kind: "ED25519", fingerprint: "SHA256:abc+/1", certificate: None };

    fn peer() -> Peer {
        let end = |text: &str| text.parse::<SocketAddr>().ok();
        Peer::new(7, end("1.2.3.4:5"), end("[::ffff:5.6.7.8]:22"))
    }

    fn text(event: &Event<'_>) -> String {
        let (log, lines) = Log::captured(LogLevel::Debug3, Format::Text);
        log.event(event);
        lines.lines().concat()
    }

    fn json(event: &Event<'_>) -> String {
        let (log, lines) = Log::captured(LogLevel::Debug3, Format::Json);
        log.event(event);
        lines.lines().concat()
    }

    /// Only levels up to the line's own write it.
    fn is_at(event: &Event<'_>, level: LogLevel, below: LogLevel) -> bool {
        [(level, 1), (below, 0)].into_iter().all(|(level, expected)| {
            let (log, lines) = Log::captured(level, Format::Text);
            log.event(event);
            lines.lines().len() == expected
        })
    }

    fn closed<'a>(user: User<'a>, how: Close<'a>) -> Event<'a> {
        Event::ConnectionClosed { peer: peer(), user, how, millis: 61_042, received: 10, sent: 20 }
    }

    fn failed<'a>(user: &'a str, valid: bool, method: &'a str, failures: u32) -> Event<'a> {
        let key = (method == "publickey").then_some(KEY);
        let (allowed, reason) = (6, None);
        Event::LoginFailed { peer: peer(), user, valid, method, key, failures, allowed, reason }
    }

    const FORWARD: Forward<'_> = Forward {
        kind: "direct-tcpip",
        from: Endpoint::Tcp { host: "::1", port: 40000 },
        to: Endpoint::Tcp { host: "db", port: 5432 },
    };

    const SESSION: Session<'_> =
        Session { id: 0, kind: "command", terminal: Some("pts/3"), command: Some("ls -l") };

    #[test]
    fn the_log_speaks_as_sshd_does() {
        let certificate =
            Certificate { id: "ada@x", serial: 5, ca_kind: "RSA", ca_fingerprint: "SHA256:ca" };
        let certified = Key { kind: "ED25519-CERT", certificate: Some(certificate), ..KEY };
        let accepted =
            |method, key| Event::LoginAccepted { peer: peer(), user: "ada", method, key };
        for (event, expected) in [
            (
                Event::ServerListening { at: Endpoint::Address("[::]:22".parse().unwrap()) },
                "Server listening on :: port 22.",
            ),
            (
                Event::ServerListening { at: Endpoint::Unix("/run/a.sock") },
                "Server listening on path /run/a.sock.",
            ),
            (
                Event::ServerStopping { signal: 15, connections: 2 },
                "Received signal 15; terminating. connections=2",
            ),
            (
                Event::ConnectionOpened { peer: peer() },
                "Connection from 1.2.3.4 port 5 on 5.6.7.8 port 22 connection=7",
            ),
            (Event::UserInvalid { peer: peer(), user: "x" }, "Invalid user x from 1.2.3.4 port 5"),
            (
                accepted("publickey", Some(KEY)),
                "Accepted publickey for ada from 1.2.3.4 port 5 ssh2: ED25519 SHA256:abc+/1 connection=7",
            ),
            (
                accepted("publickey", Some(certified)),
                "Accepted publickey for ada from 1.2.3.4 port 5 ssh2: ED25519-CERT SHA256:abc+/1 ID ada@x (serial 5) CA RSA SHA256:ca connection=7",
            ),
            (
                accepted("password", None),
                "Accepted password for ada from 1.2.3.4 port 5 ssh2 connection=7",
            ),
            (
                Event::LoginPartial {
                    peer: peer(),
                    user: "ada",
                    method: "publickey",
                    key: Some(KEY),
                },
                "Partial publickey for ada from 1.2.3.4 port 5 ssh2: ED25519 SHA256:abc+/1 connection=7",
            ),
            (
                failed("x", false, "password", 1),
                "Failed password for invalid user x from 1.2.3.4 port 5 ssh2 connection=7 failures=1",
            ),
            (
                failed("ada", true, "publickey", 2),
                "Failed publickey for ada from 1.2.3.4 port 5 ssh2: ED25519 SHA256:abc+/1 connection=7 failures=2",
            ),
            (
                Event::UserRefused {
                    peer: peer(),
                    user: "ada",
                    reason: "not listed in AllowUsers",
                },
                "User ada from 1.2.3.4 not allowed because not listed in AllowUsers",
            ),
            (Event::RootRefused { peer: peer() }, "ROOT LOGIN REFUSED FROM 1.2.3.4 port 5"),
            (
                Event::LoginExceeded { peer: peer(), user: "x", valid: false },
                "maximum authentication attempts exceeded for invalid user x from 1.2.3.4 port 5 ssh2 [preauth]",
            ),
            (
                Event::ForwardRefused {
                    peer: peer(),
                    user: "ada",
                    forward: FORWARD,
                    reason: "PermitOpen",
                },
                "Received request from 1.2.3.4 port 5 to connect to host db port 5432, but the request was denied. connection=7 user=ada kind=direct-tcpip from=[::1]:40000 to=db:5432 reason=PermitOpen",
            ),
            (
                Event::SessionStarted { peer: peer(), user: "ada", session: SESSION },
                "Starting session: command on pts/3 for ada from 1.2.3.4 port 5 id 0 connection=7 command=\"ls -l\"",
            ),
            (
                Event::SessionEnded {
                    peer: peer(),
                    user: "ada",
                    session: SESSION,
                    status: Some(2),
                    signal: None,
                    millis: 9,
                },
                "Close session: user ada from 1.2.3.4 port 5 id 0 connection=7 kind=command terminal=pts/3 command=\"ls -l\" status=2 duration=0.009",
            ),
        ] {
            assert_eq!(text(&event), expected);
        }
    }

    #[test]
    fn the_end_of_a_connection_reads_as_sshds() {
        let (nobody, trying) = (User::Nobody, User::Authenticating("ada"));
        let (invalid, inside) = (User::Invalid("x"), User::LoggedIn("ada"));
        let goodbye = Close::Disconnect { code: 11, text: "disconnected by user" };
        for (user, how, expected) in [
            (nobody, Close::Eof, "Connection closed by 1.2.3.4 port 5 [preauth]"),
            (
                trying,
                Close::Eof,
                "Connection closed by authenticating user ada 1.2.3.4 port 5 [preauth]",
            ),
            (invalid, Close::Reset, "Connection reset by invalid user x 1.2.3.4 port 5 [preauth]"),
            (
                trying,
                Close::Disconnect {
                    code: 14,
                    text: "No supported authentication methods available",
                },
                "Received disconnect from 1.2.3.4 port 5:14: No supported authentication methods available [preauth]",
            ),
            (
                invalid,
                Close::Ours { words: "Too many authentication failures" },
                "Disconnecting invalid user x 1.2.3.4 port 5: Too many authentication failures [preauth]",
            ),
            (nobody, Close::GraceExceeded, "Timeout before authentication for 1.2.3.4 port 5"),
            (
                invalid,
                Close::Refused,
                "administratively prohibited connection for invalid user x from 1.2.3.4 port 5",
            ),
            (
                nobody,
                Close::NoCommonAlgorithm {
                    words: "no matching cipher found. Their offer: 3des-cbc",
                },
                "Unable to negotiate with 1.2.3.4 port 5: no matching cipher found. Their offer: 3des-cbc [preauth]",
            ),
            (
                nobody,
                Close::NotSsh { words: "invalid format" },
                "banner exchange: Connection from 1.2.3.4 port 5: invalid format",
            ),
            (
                inside,
                goodbye,
                "Received disconnect from 1.2.3.4 port 5:11: disconnected by user connection=7 user=ada duration=61.042 received=10 sent=20",
            ),
            (
                inside,
                Close::Unresponsive,
                "Timeout, client not responding from user ada 1.2.3.4 port 5 connection=7 user=ada duration=61.042 received=10 sent=20",
            ),
            (
                inside,
                Close::Inactive,
                "terminating inactive connection from user ada 1.2.3.4 port 5 connection=7 user=ada duration=61.042 received=10 sent=20",
            ),
        ] {
            assert_eq!(text(&closed(user, how)), expected);
        }
    }

    #[test]
    fn json_has_all_fields_also_those_that_text_leaves_to_the_words() {
        let line = json(&closed(User::Authenticating("ada"), Close::Eof));
        let expected = r#""remote":"1.2.3.4:5","local":"5.6.7.8:22","reason":"closed","user":"ada","connection":7,"duration":61.042,"received":10,"sent":20}"#;
        assert!(line.ends_with(expected), "{line}");
    }

    #[test]
    fn a_forward_is_told_with_who_from_where_to_where_how_much_and_why_it_ended() {
        let event = Event::ForwardClosed {
            peer: peer(),
            user: "ada",
            forward: FORWARD,
            millis: 1500,
            received: 1,
            sent: 2,
            reason: "connection reset",
        };
        assert_eq!(
            text(&event),
            "Forwarded direct-tcpip for ada from 1.2.3.4 port 5: [::1]:40000 to db:5432 connection=7 duration=1.500 received=1 sent=2 reason=\"connection reset\""
        );
        let line = json(&event);
        let expected = r#""remote":"1.2.3.4:5","local":"5.6.7.8:22","user":"ada","kind":"direct-tcpip","from":"[::1]:40000","to":"db:5432","connection":7,"duration":1.500,"received":1,"sent":2,"reason":"connection reset"}"#;
        assert!(line.ends_with(expected), "{line}");
    }

    #[test]
    fn a_listener_is_told_from_its_start_to_its_end() {
        let (user, at) = ("ada", Endpoint::Tcp { host: "", port: 8080 });
        for (event, expected) in [
            (
                Event::ListenerStarted { peer: peer(), user, at },
                "Listening on * port 8080 for ada from 1.2.3.4 port 5 connection=7",
            ),
            (
                Event::ListenerTakenOver { peer: peer(), user, at, from: 3 },
                "Took over listening on * port 8080 for ada from 1.2.3.4 port 5 connection=7 previous=3",
            ),
            (
                Event::ListenerEnded {
                    peer: peer(),
                    user,
                    at,
                    millis: 2000,
                    connections: 4,
                    reason: "cancelled",
                },
                "Stopped listening on * port 8080 for ada from 1.2.3.4 port 5 connection=7 duration=2.000 accepted=4 reason=cancelled",
            ),
        ] {
            assert_eq!(text(&event), expected);
        }
    }

    #[test]
    fn a_connection_that_has_no_address_is_unknown() {
        let peer = Peer { connection: 1, remote: None, local: None };
        assert_eq!(
            text(&Event::UserInvalid { peer, user: "x" }),
            "Invalid user x from UNKNOWN port 65535"
        );
        assert!(!json(&Event::UserInvalid { peer, user: "x" }).contains("remote"));
    }

    #[test]
    fn a_refusal_names_the_limit() {
        let mut settings = LimitSettings::default();
        settings.startups.full = 0;
        settings.startups.begin = 0;
        let mut limits = Limits::new(settings);
        let refusal = limits.admit(0, peer().remote.unwrap().ip(), 0).unwrap_err();
        assert_eq!(
            text(&Event::ConnectionRefused { peer: peer(), refusal: &refusal }),
            "drop connection #0 from [1.2.3.4]:5 on [5.6.7.8]:22 past MaxStartups"
        );
        assert_eq!(
            text(&Event::Limit(refusal.notice.as_ref().unwrap())),
            "beginning MaxStartups throttling"
        );
    }

    #[test]
    fn a_penalty_is_told_with_its_source() {
        let mut limits = Limits::new(LimitSettings::default());
        let ticket = limits.admit(0, peer().remote.unwrap().ip(), 0).unwrap();
        let notice = limits.ended(0, ticket, Ending::Crashed).unwrap();
        let line = json(&Event::Limit(&notice));
        let expected = r#""event":"penalty","message":"ipv4: new 1.2.3.4/32 active penalty of 90.000 seconds for penalty: caused crash","source":"1.2.3.4/32","penalty":90.000,"reason":"penalty: caused crash"}"#;
        assert!(line.ends_with(expected), "{line}");
    }

    #[test]
    fn a_reason_cannot_be_taken_for_an_address() {
        for (reason, expected) in [
            ("certificate expired", " failures=1 reason=\"certificate expired\""),
            ("not allowed from 10.0.0.1", " failures=1"),
        ] {
            let event = Event::LoginFailed {
                peer: peer(),
                user: "x",
                valid: false,
                method: "password",
                key: None,
                failures: 1,
                allowed: 6,
                reason: Some(reason),
            };
            assert!(text(&event).ends_with(expected));
            assert!(json(&event).contains(&format!("\"reason\":\"{reason}\"")));
        }
    }

    #[test]
    fn failures_that_are_usual_are_told_to_who_asks() {
        use LogLevel::{Error, Info, Verbose};
        assert!(is_at(&failed("ada", true, "publickey", 3), Verbose, Info));
        assert!(is_at(&failed("ada", true, "publickey", 4), Info, Error));
        assert!(is_at(&failed("ada", true, "password", 1), Info, Error));
        assert!(is_at(&failed("x", false, "publickey", 1), Info, Error));
        assert!(is_at(&Event::ConnectionOpened { peer: peer() }, Verbose, Info));
    }
}
