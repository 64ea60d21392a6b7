//! Key exchange as consuming states: what we wait for, and what is true only then. RFC 4253 §7, §8; RFC 4419 §3.
//! Touches: key exchange payloads, the sending direction's keys.   Never: the gate, timers, the host key's trust.
//! Invariants: sending keys switch with our NEWKEYS, receiving keys with theirs; a state is left only by consuming it.
//! Errors: `InvalidMessage`, `Violation`, `Incompatible`, `KexFailure`.   Allocates: KEXINITs and public values.
//! Proved by: `tests::pair`, `tests::negotiation`, `tests::rekey`, `tests::violations`.

use alloc::boxed::Box;
use alloc::vec::Vec;

use adit_crypto::{Ephemeral, KexShape, OpeningKey};
use adit_wire::Message;
use adit_wire::transport::{ExtInfo, KexInit, NewKeys};

use crate::config::{Config, Role};
use crate::error::{Error, Violation};
use crate::kex_client::ClientKex;
use crate::kex_messages::encode_init;
use crate::kex_server::ServerKex;
use crate::negotiate::{Offers, kexinit};
use crate::output::Output;
use crate::session::{Secrets, Session, Terms};

/// The first of the numbers that belong to the method. RFC 4250 §4.1.1.
const FIRST_OF_METHOD: u8 = 30;

/// ```text
///              ┌── KEXINIT out ──► KexInitSent ──┐ KEXINIT in
///   Idle ──────┤                                 ├──► Client … ──┬─ NEWKEYS out ─► NewKeysSent ── NEWKEYS in ─► Idle
///              └── KEXINIT in, KEXINIT out ──────┘    Server … ──┘
/// ```
#[derive(Debug, Default)]
pub(crate) enum KexState {
    /// No exchange is running.
    #[default]
    Idle,
    /// Our KEXINIT is out; the peer may still send anything.
    KexInitSent(Box<ExpectKexInit>),
    /// Both KEXINITs are known, we are the client.
    Client(Box<ClientKex>),
    /// Both KEXINITs are known, we are the server.
    Server(Box<ServerKex>),
    /// The peer's next key exchange message was a wrong guess, to be passed over. RFC 4253 §7.1.
    PassOver(Box<KexState>),
    /// Our NEWKEYS is out.
    NewKeysSent(ExpectNewKeys),
}

impl KexState {
    pub(crate) fn client(state: ClientKex) -> Self {
        Self::Client(Box::new(state))
    }

    pub(crate) fn server(state: ServerKex) -> Self {
        Self::Server(Box::new(state))
    }

    /// Whether the peer has begun an exchange and not yet changed its keys.
    pub(crate) const fn peer_is_exchanging(&self) -> bool {
        !matches!(self, Self::Idle | Self::KexInitSent(_))
    }

    /// Whether we have begun an exchange and not yet changed our keys.
    pub(crate) const fn we_are_exchanging(&self) -> bool {
        !matches!(self, Self::Idle | Self::NewKeysSent(_))
    }

    /// Whether the driver has to look at the host key before anything goes on.
    pub(crate) fn shows_host_key(&self) -> bool {
        matches!(self, Self::Client(state) if matches!(**state, ClientKex::HostKeyShown(_)))
    }

    /// Sends our KEXINIT and, the first time and if wanted, the message we guess will be the right one.
    pub(crate) fn begin(config: &Config, session: &Session, out: &mut Output<'_>) -> Self {
        let first = session.is_first_kex();
        let guess = if first { Guess::new(config, out) } else { None };
        let mut cookie = [0; 16];
        out.random.fill(&mut cookie);
        let own_kexinit = kexinit(config, cookie, first, guess.is_some());
        out.payload(&own_kexinit);
        if let Some(guess) = &guess {
            out.payload(&encode_init(guess.shape, guess.ephemeral.public()));
        }
        Self::KexInitSent(Box::new(ExpectKexInit { own_kexinit, guess }))
    }

    /// The driver trusts the host key, if it was asked.
    pub(crate) fn accept_host_key(
        self,
        config: &Config,
        session: &mut Session,
        out: &mut Output<'_>,
    ) -> Self {
        match self {
            Self::Client(state) => state.accept_host_key(config, session, out),
            other => other,
        }
    }

    /// One key exchange message from the peer. The state after it, or the end of the connection.
    pub(crate) fn handle(
        self,
        payload: &[u8],
        config: &Config,
        session: &mut Session,
        out: &mut Output<'_>,
    ) -> Result<Self, Error> {
        let number = payload.first().copied().unwrap_or_default();
        match self {
            Self::Idle if number == KexInit::NUMBER => {
                Self::begin(config, session, out).handle(payload, config, session, out)
            }
            Self::KexInitSent(state) if number == KexInit::NUMBER => {
                state.handle(payload, session, out)
            }
            Self::PassOver(state) if number >= FIRST_OF_METHOD => Ok(*state),
            Self::Client(state) => state.handle(payload, config, session, out),
            Self::Server(state) => state.handle(payload, config, session, out),
            _ => Err(Violation::UnexpectedKexMessage(number).into()),
        }
    }
}

/// The client's first message, sent before anything was agreed. RFC 4253 §7.1.
#[derive(Debug)]
pub(crate) struct Guess {
    pub(crate) ephemeral: Ephemeral,
    shape: KexShape,
}

impl Guess {
    /// Group exchange has nothing to gain: its first message only asks for a group.
    fn new(config: &Config, out: &mut Output<'_>) -> Option<Self> {
        let wanted = config.guess_kex && config.role == Role::Client;
        let algorithm = *config.kex.first().filter(|_| wanted)?;
        let ephemeral = Ephemeral::generate(algorithm, out.random).ok()?;
        Some(Self { ephemeral, shape: algorithm.shape() })
    }
}

/// Waits for the peer's KEXINIT.
#[derive(Debug)]
pub(crate) struct ExpectKexInit {
    own_kexinit: Vec<u8>,
    guess: Option<Guess>,
}

impl ExpectKexInit {
    fn handle(
        self,
        payload: &[u8],
        session: &mut Session,
        out: &mut Output<'_>,
    ) -> Result<KexState, Error> {
        let peer = KexInit::decode(payload).map_err(|error| Error::decode(payload, error))?;
        let own = KexInit::decode(&self.own_kexinit)
            .map_err(|error| Error::decode(&self.own_kexinit, error))?;
        let offers = Offers::new(session.role, own, peer);
        let negotiated = offers.negotiate()?;
        if session.is_first_kex() {
            session.strict = offers.is_strict();
            session.peer_takes_ext_info = offers.peer_takes_ext_info();
        }
        let right = offers.guess_is_right();
        let pass_over = peer.first_kex_packet_follows && !right;
        let own_kexinit = self.own_kexinit;
        let terms = Terms { negotiated, own_kexinit, peer_kexinit: payload.into() };
        let state = match session.role {
            Role::Client => {
                let sent = self.guess.map(|guess| (guess.ephemeral, right));
                KexState::client(ClientKex::begin(terms, sent, out)?)
            }
            Role::Server => KexState::server(ServerKex::begin(terms)),
        };
        Ok(if pass_over { KexState::PassOver(Box::new(state)) } else { state })
    }
}

/// Waits for the peer's NEWKEYS, with the keys that come with it.
#[derive(Debug)]
pub(crate) struct ExpectNewKeys {
    pub(crate) opening: OpeningKey,
    /// It was the connection's first exchange.
    pub(crate) first: bool,
}

impl ExpectNewKeys {
    /// Both sides know H and K: sends NEWKEYS and, right behind the first one, what extensions we have.
    pub(crate) fn begin(
        secrets: &Secrets,
        config: &Config,
        session: &mut Session,
        out: &mut Output<'_>,
    ) -> KexState {
        let first = session.is_first_kex();
        let id = *session.id.get_or_insert(secrets.hash);
        session.negotiated = Some(secrets.negotiated);
        let (sealing, opening) = secrets.keys(session.role, &id);
        out.message(&NewKeys {});
        out.sending.switch(sealing, session.strict);
        if first && session.peer_takes_ext_info {
            out.payload(&ext_info(config));
        }
        KexState::NewKeysSent(Self { opening, first })
    }
}

/// The extension by which [`Ping`](adit_wire::transport::Ping)s are announced. OpenSSH PROTOCOL §1.8.
pub(crate) const PING_EXTENSION: &str = "ping@openssh.com";

/// RFC 8308 §2.3: what the configuration says, and that we answer pings.
fn ext_info(config: &Config) -> Vec<u8> {
    let ours = config.extensions.iter().map(|(name, value)| (name.as_str(), value.as_slice()));
    let pairs: Vec<_> = ours.chain([(PING_EXTENSION, &b"0"[..])]).collect();
    let mut payload = Vec::new();
    ExtInfo::encode_pairs(&pairs, &mut payload);
    payload
}
