//! What the log learns of connections, logins and forwards.
//! Touches: what is known of a connection.   Never: the log's formats, the loop.
//! Invariants: one line for a connection that ends, a login that is decided, a forward that is over.
//! Errors: none.   Allocates: words, where the line is written.
//! Proved by: interop `server::operation`, the tests of `log`.

use crate::connection::{Connection, Fault, Phase};
use crate::front::Front;
use crate::host::KeyRefusal;
use crate::limits::{Ending, Refusal};
use crate::log::{Certificate, Close, Endpoint, Event, Forward, Peer, Session, User};
use crate::login::NotIn;
use crate::session::{self, SessionEnd};
use crate::worker::Worker;
use adit_auth::server::Proven;
use adit_auth::{Method, Violation};
use adit_config::types;
use adit_crypto::PublicKey;
use adit_engine::{Counters, Error};
use adit_forward::served::{self, Notice, Route};
use adit_forward::{Originator, Target};
use adit_keys::fingerprint::{FingerprintHash, type_name};
use adit_keys::public::key_type;
use adit_reactor::{Closed, Key, Millis, Reactor};
use adit_transport::Error as TransportError;

impl Connection {
    pub(crate) fn peer(&self) -> Peer {
        Peer { connection: self.number, remote: self.ends.remote, local: self.ends.local }
    }

    /// FingerprintHash
    fn hash(&self) -> FingerprintHash {
        match self.settings.global.fingerprint_hash {
            types::FingerprintHash::Sha256 => FingerprintHash::Sha256,
            types::FingerprintHash::Md5 => FingerprintHash::Md5,
        }
    }

    fn logged_user(&self) -> User<'_> {
        match &self.phase {
            Phase::Greeting => User::Nobody,
            Phase::Login(login) if login.is_invalid() => User::Invalid(login.user()),
            Phase::Login(login) => User::Authenticating(login.user()),
            Phase::Member(member) => User::LoggedIn(&member.account.name),
        }
    }

    /// What the source is held to for how this ended.
    fn ending(&self, closed: &Closed) -> Ending {
        match (&self.phase, self.fault) {
            (_, Some(Fault::Refused)) => Ending::Refused,
            (Phase::Member(_), _) => Ending::Fine,
            (_, Some(Fault::GraceExceeded)) => Ending::GraceExceeded,
            (_, _) if is_own_fault(closed) => Ending::Crashed,
            // The server is going down, or a helper could not be reached.
            _ if matches!(closed, Closed::Here) => Ending::Fine,
            (Phase::Greeting, _) => Ending::NoAuth,
            (Phase::Login(login), _) if login.is_invalid() => Ending::InvalidUser,
            (Phase::Login(login), _) if login.failures > 0 => Ending::AuthFailed,
            (Phase::Login(_), _) => Ending::NoAuth,
        }
    }
}

/// Connections.
impl Worker {
    pub(crate) fn log_came(&self, connection: &Connection) {
        connection.log.event(&Event::ConnectionOpened { peer: connection.peer() });
    }

    pub(crate) fn log_identified(&self, reactor: &mut Reactor, key: Key) {
        let Some(connection) = self.connections.get(&key) else { return };
        let line = reactor.engine(key).and_then(|engine| engine.peer_identification());
        let line = String::from_utf8_lossy(line.unwrap_or_default());
        connection.log.debug(format_args!("connection {}: client says {line}", connection.number));
    }

    /// The one line about a connection's end; gives what its source is held to.
    pub(crate) fn log_gone(
        &self,
        connection: &Connection,
        closed: &Closed,
        counters: Counters,
        now: Millis,
    ) -> Ending {
        let (peer, user) = (connection.peer(), connection.logged_user());
        if matches!(closed, Closed::Engine(Error::Auth(Violation::TooManyFailures))) {
            if let Phase::Login(login) = &connection.phase {
                let (user, valid) = (login.user(), !login.is_invalid());
                connection.log.event(&Event::LoginExceeded { peer, user, valid });
            }
        }
        let words = words_of(closed);
        connection.log.event(&Event::ConnectionClosed {
            peer,
            user,
            how: how(connection, closed, &words),
            millis: now - connection.since,
            received: counters.received.bytes,
            sent: counters.sent.bytes,
        });
        connection.ending(closed)
    }
}

/// Something of ours failed on what the client sent.
const fn is_own_fault(closed: &Closed) -> bool {
    use adit_transport::KexFailure::Internal;
    matches!(closed, Closed::Engine(Error::Transport(TransportError::KexFailed(Internal))))
}

fn words_of(closed: &Closed) -> String {
    match closed {
        Closed::Engine(error) => error.to_string(),
        Closed::Link(error) => adit_forward::os_words(error),
        Closed::EndOfStream | Closed::Here => String::new(),
    }
}

fn how<'a>(connection: &'a Connection, closed: &Closed, words: &'a str) -> Close<'a> {
    match (closed, connection.fault) {
        (_, Some(Fault::GraceExceeded)) => Close::GraceExceeded,
        (_, Some(Fault::Refused)) => Close::Refused,
        (_, Some(Fault::Unused)) => Close::Inactive,
        (Closed::EndOfStream, _) => Close::Eof,
        (Closed::Link(_), _) => Close::Reset,
        (Closed::Engine(Error::Timeout), _) => Close::Unresponsive,
        (Closed::Engine(Error::Transport(error)), _) => match error {
            TransportError::Disconnected { reason_code } => {
                Close::Disconnect { code: *reason_code, text: &connection.goodbye }
            }
            TransportError::InvalidMessage(_) => Close::NotSsh { words },
            TransportError::PeerIncompatible(_) => Close::NoCommonAlgorithm { words },
            _ => Close::Ours { words },
        },
        (Closed::Engine(_), _) => Close::Ours { words },
        (Closed::Here, _) => Close::Ours { words: &connection.goodbye },
    }
}

/// Connections that are not let in.
impl Front {
    pub(crate) fn log_refused(&self, refusal: &Refusal, peer: Peer) {
        let log = &self.shared.log;
        log.event(&Event::ConnectionRefused { peer, refusal });
        if let Some(notice) = &refusal.notice {
            log.event(&Event::Limit(notice));
        }
    }
}

/// A key as the log shows it.
pub(crate) struct ShownKey {
    kind: String,
    fingerprint: String,
    certificate: Option<ShownCertificate>,
}

struct ShownCertificate {
    id: String,
    serial: u64,
    ca_kind: String,
    ca_fingerprint: String,
}

impl ShownKey {
    pub(crate) fn of(blob: &[u8], hash: FingerprintHash) -> Self {
        let plain = |key: &PublicKey| {
            let blob = key.encode();
            let kind = key_type(&blob).map_or("unknown", type_name);
            (kind.to_owned(), hash.of(&blob))
        };
        match PublicKey::decode(blob) {
            Ok(PublicKey::Certified(certificate)) => {
                let (kind, fingerprint) = plain(certificate.key());
                let (ca_kind, ca_fingerprint) = plain(certificate.signature_key());
                let id = String::from_utf8_lossy(&certificate.key_id).into_owned();
                let serial = certificate.serial;
                let certificate = Some(ShownCertificate { id, serial, ca_kind, ca_fingerprint });
                Self { kind: format!("{kind}-CERT"), fingerprint, certificate }
            }
            Ok(key) => {
                let (kind, fingerprint) = plain(&key);
                Self { kind, fingerprint, certificate: None }
            }
            Err(_) => {
                Self { kind: "unknown".into(), fingerprint: hash.of(blob), certificate: None }
            }
        }
    }

    fn shown(&self) -> crate::log::Key<'_> {
        crate::log::Key {
            kind: &self.kind,
            fingerprint: &self.fingerprint,
            certificate: self.certificate.as_ref().map(|certificate| Certificate {
                id: &certificate.id,
                serial: certificate.serial,
                ca_kind: &certificate.ca_kind,
                ca_fingerprint: &certificate.ca_fingerprint,
            }),
        }
    }
}

/// Logins.
impl Worker {
    /// Somebody may not log in, whatever they prove.
    pub(crate) fn log_invalid_user(&self, key: Key, why: &NotIn) {
        let Some(connection) = self.connections.get(&key) else { return };
        let (peer, user) = (connection.peer(), connection.user().unwrap_or_default());
        connection.log.event(&match why {
            NotIn::Unknown => Event::UserInvalid { peer, user },
            NotIn::Refused(reason) => Event::UserRefused { peer, user, reason },
        });
    }

    pub(crate) fn log_key_refused(&self, key: Key, why: &KeyRefusal) {
        let Some(connection) = self.connections.get(&key) else { return };
        let (peer, user) = (connection.peer(), connection.user().unwrap_or_default());
        match why {
            KeyRefusal::Foreign(_) => {}
            KeyRefusal::Flawed(reason) => {
                connection.log.event(&Event::KeyRefused { peer, user, reason });
            }
            KeyRefusal::Root => connection.log.event(&Event::RootRefused { peer }),
        }
    }

    pub(crate) fn log_failed(&self, key: Key, method: Option<Method>, reason: Option<&str>) {
        let Some(connection) = self.connections.get(&key) else { return };
        let Phase::Login(login) = &connection.phase else { return };
        let shown = login.attempt.as_deref().map(|blob| ShownKey::of(blob, connection.hash()));
        connection.log.event(&Event::LoginFailed {
            peer: connection.peer(),
            user: login.user(),
            valid: !login.is_invalid(),
            method: method.map_or("unknown", Method::name),
            key: shown.as_ref().filter(|_| method == Some(Method::Publickey)).map(ShownKey::shown),
            failures: login.failures,
            allowed: login.options.max_auth_tries,
            reason,
        });
    }

    /// A method succeeded; `partial` when others are asked for.
    pub(crate) fn log_accepted(&self, key: Key, proven: &Proven, partial: bool) {
        let Some(connection) = self.connections.get(&key) else { return };
        let Phase::Login(login) = &connection.phase else { return };
        let shown = proven.public_key.as_deref().map(|blob| ShownKey::of(blob, connection.hash()));
        let (peer, user, method) = (connection.peer(), login.user(), proven.method.name());
        let key = shown.as_ref().map(ShownKey::shown);
        connection.log.event(&match partial {
            true => Event::LoginPartial { peer, user, method, key },
            false => Event::LoginAccepted { peer, user, method, key },
        });
    }
}

/// Sessions.
impl Worker {
    pub(crate) fn log_sessions(&mut self) {
        while let Some(notice) = self.sessions.next_notice() {
            self.log_session(&notice);
        }
    }

    /// A channel that is no forward's was refused when it was asked for.
    pub(crate) fn log_channel_refused(&self, key: Key, words: &str) {
        let Some(connection) = self.connections.get(&key) else { return };
        let (number, user) = (connection.number, connection.user().unwrap_or_default());
        connection
            .log
            .info(format_args!("connection {number}: a session of {user} was refused: {words}"));
    }

    fn log_session(&self, notice: &session::Notice) {
        let Some(connection) = self.connections.get(&notice.session) else { return };
        let (peer, user) = (connection.peer(), connection.user().unwrap_or_default());
        let (id, what) = (notice.channel.number().0, notice.what());
        if let SessionEnd::Refused(reason) = &notice.end {
            let number = connection.number;
            return connection
                .log
                .info(format_args!("connection {number}: {what} of {user} was refused: {reason}"));
        }
        let session = Session {
            id,
            kind: &what,
            terminal: notice.terminal.as_deref().map(|path| path.trim_start_matches("/dev/")),
            command: Some(notice.command.as_str()).filter(|command| !command.is_empty()),
        };
        if notice.end == SessionEnd::Started {
            return connection.log.event(&Event::SessionStarted { peer, user, session });
        }
        let signal = notice.signal();
        connection.log.event(&Event::SessionEnded {
            peer,
            user,
            session,
            status: notice.status(),
            signal: signal.as_deref(),
            reason: notice.reason(),
            millis: notice.duration.as_millis() as u64,
        });
    }
}

/// Forwards.
impl Worker {
    /// What another connection listened on is this one's now.
    pub(crate) fn log_taken_over(
        &self,
        session: Key,
        forwards: &[adit_engine::Forward<'_>],
        from: u64,
    ) {
        let Some(connection) = self.connections.get(&session) else { return };
        let (peer, user) = (connection.peer(), connection.user().unwrap_or_default());
        for forward in forwards {
            let at = endpoint_of(forward);
            connection.log.event(&Event::ListenerTakenOver { peer, user, at, from });
        }
    }

    pub(crate) fn log_forward(&self, notice: &Notice) {
        let Some(connection) = self.connections.get(&session_of(notice)) else { return };
        let (peer, user) = (connection.peer(), connection.user().unwrap_or_default());
        let log = &connection.log;
        match notice {
            Notice::Refused { connection, reason, words, .. } => {
                let (forward, reason_words) = (forward_of(connection), words.as_str());
                log.event(&match *reason {
                    adit_engine::open_failure::ADMINISTRATIVELY_PROHIBITED => {
                        Event::ForwardRefused { peer, user, forward, reason: reason_words }
                    }
                    _ => Event::ForwardFailed { peer, user, forward, reason: reason_words },
                });
            }
            Notice::Carried { connection, counts, duration, ending, .. } => {
                log.event(&Event::ForwardClosed {
                    peer,
                    user,
                    forward: forward_of(connection),
                    millis: *duration,
                    received: counts.written,
                    sent: counts.read,
                    reason: reason_of(ending),
                });
            }
            Notice::Listening { forward, .. } => {
                log.event(&Event::ListenerStarted { peer, user, at: endpoint_of(forward) });
            }
            Notice::ListenRefused { forward, words, .. } => {
                let at = endpoint_of(forward);
                log.event(&Event::ListenerRefused { peer, user, at, reason: words });
            }
            Notice::Unlistened { forward, duration, accepted, why, .. } => {
                log.event(&Event::ListenerEnded {
                    peer,
                    user,
                    at: endpoint_of(forward),
                    millis: *duration,
                    connections: *accepted,
                    reason: match why {
                        served::Unlistened::Cancelled => "cancelled",
                        served::Unlistened::TakenOver => "taken-over",
                        served::Unlistened::SessionOver => "connection-closed",
                    },
                });
            }
        }
    }
}

const fn session_of(notice: &Notice) -> Key {
    match notice {
        Notice::Refused { session, .. }
        | Notice::Carried { session, .. }
        | Notice::Listening { session, .. }
        | Notice::ListenRefused { session, .. }
        | Notice::Unlistened { session, .. } => *session,
    }
}

fn reason_of(ending: &served::Ending) -> &str {
    match ending {
        served::Ending::Finished => "closed",
        served::Ending::SessionOver => "connection-closed",
        served::Ending::Broken(words) | served::Ending::HungUp(words) => words,
    }
}

fn endpoint_of<'a>(forward: &'a adit_engine::Forward<'_>) -> Endpoint<'a> {
    match forward {
        adit_engine::Forward::Tcpip { address, port } => {
            Endpoint::Tcp { host: address, port: *port }
        }
        adit_engine::Forward::Streamlocal { path } => Endpoint::Unix(path),
    }
}

fn forward_of(connection: &served::Connection) -> Forward<'_> {
    let from = match &connection.originator {
        Some(Originator { address, port }) => Endpoint::Tcp { host: address, port: *port },
        None => Endpoint::Unix(""),
    };
    let to = match &connection.route {
        Route::To(Target::Tcp { host, port }) => Endpoint::Tcp { host, port: u32::from(*port) },
        Route::To(Target::Unix(path)) => Endpoint::Unix(path),
        Route::To(Target::Dynamic) => Endpoint::Unix(""),
        Route::From(forward) => endpoint_of(forward),
    };
    Forward { kind: connection.channel_type(), from, to }
}
