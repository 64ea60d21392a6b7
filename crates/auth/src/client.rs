//! The client's side of a login: which method next, which reply belongs to which request. RFC 4252, RFC 4256.
//! Touches: payloads 6 and 51 to 60 in, requests out through the outbox.   Never: keys, prompts, clocks.
//! Invariants: replies are matched to requests in order; success is taken only for a request that can have succeeded.
//! Errors: [`Violation`], repeated by every later call.   Allocates: questions and the keys tried; texts of the server up to [`BANNER_LIMIT`].
//! Proved by: `client::tests` (scripted server), `pair`, `props`.
//!
//! ```text
//!            start                       failure, something left            success
//! Service ──────────► requests sent ───────────────────────────► question ──► Authenticated
//!                       ▲      │ 60: signature, password, answers wanted │
//!                       │      └───────────────────────────────────────► │
//!                       └────────────────────── the driver's answer ─────┘
//! ```

mod ask;
mod keyboard_interactive;
mod order;
mod password;
mod publickey;
#[cfg(test)]
mod tests;

pub use ask::{Ask, KeySkipped, KeyUse, SignRequest};

use crate::{Method, Phase, USERAUTH_SERVICE, Violation, algorithm, request::encode_head};
use adit_buf::Outbox;
use adit_wire::Message;
use adit_wire::auth::{UserauthBanner, UserauthFailure, UserauthSuccess};
use adit_wire::transport::{ServiceAccept, ServiceRequest};
use alloc::{collections::VecDeque, string::String, vec::Vec};
use core::fmt;
use keyboard_interactive::Interactive;
use order::Order;
use publickey::{Keys, Offer};

/// How many bytes of banners are handed on; what a server sends beyond is dropped.
pub const BANNER_LIMIT: usize = 64 * 1024;

/// What a login is about and how it is to be tried.
#[derive(Clone, Debug)]
pub struct Config {
    /// User name at the server.
    pub user: String,
    /// Session identifier of the transport: the first exchange hash. RFC 4253 §7.2.
    pub session_id: Vec<u8>,
    /// The server's host key blob of the first key exchange.
    pub host_key: Vec<u8>,
    /// Methods in the order to try them (`PreferredAuthentications`).
    pub preferred: Vec<Method>,
    /// Algorithms keys may be offered under, most wanted first, joined by commas (`PubkeyAcceptedAlgorithms`).
    pub accepted_algorithms: String,
    /// How often to ask for a password, and how often to start `keyboard-interactive` (`NumberOfPasswordPrompts`).
    pub number_of_password_prompts: u32,
    /// Hints for `keyboard-interactive`, joined by commas (`KbdInteractiveDevices`).
    pub submethods: String,
    /// Ask for a key right at the start: with [`KeyUse::SignAtOnce`] the whole login is one round trip.
    pub eager_key: bool,
    /// What the server has announced so far.
    pub extensions: Extensions,
}

impl Config {
    /// `ssh`'s defaults.
    pub fn new(user: &str, session_id: &[u8], host_key: &[u8]) -> Self {
        Self {
            user: user.into(),
            session_id: session_id.into(),
            host_key: host_key.into(),
            preferred: Method::DEFAULT_ORDER.into(),
            accepted_algorithms: algorithm::default_accepted(),
            number_of_password_prompts: 3,
            submethods: String::new(),
            eager_key: false,
            extensions: Extensions::default(),
        }
    }

    /// The host key signatures are bound to, if the server knows how.
    fn bound_host_key(&self) -> Option<&[u8]> {
        self.extensions.publickey_hostbound.then_some(&self.host_key)
    }
}

/// What of the server's EXT_INFO matters here. RFC 8308.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extensions {
    /// `server-sig-algs`: algorithms the server takes, joined by commas.
    pub server_sig_algs: Option<String>,
    /// `publickey-hostbound@openssh.com`: signatures may be bound to the host key.
    pub publickey_hostbound: bool,
}

/// A login in progress.
pub struct Client {
    config: Config,
    outbox: Outbox,
    asks: VecDeque<Ask>,
    /// Requests whose reply is due, oldest first.
    sent: VecDeque<Sent>,
    turn: Turn,
    order: Order,
    keys: Keys,
    password_attempts: u32,
    interactive: Interactive,
    partial: Vec<Method>,
    banner_room: usize,
    phase: Phase,
    violation: Option<Violation>,
}

/// Nothing of what waits to be sent: a password may be among it.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("phase", &self.phase).finish_non_exhaustive()
    }
}

/// A request whose reply is due.
enum Sent {
    Service,
    None,
    Probe(Offer),
    Signed(Offer),
    Password,
    KeyboardInteractive,
}

impl Sent {
    fn method(&self) -> Option<Method> {
        match self {
            Self::Service => None,
            Self::None => Some(Method::None),
            Self::Probe(_) | Self::Signed(_) => Some(Method::Publickey),
            Self::Password => Some(Method::Password),
            Self::KeyboardInteractive => Some(Method::KeyboardInteractive),
        }
    }

    /// A probe proves nothing: a server that lets it pass has not looked at the key.
    const fn may_succeed(&self) -> Result<(), Violation> {
        match self {
            Self::Probe(_) => Err(Violation::SuccessForProbe),
            _ => Ok(()),
        }
    }
}

/// What the driver has been asked.
enum Turn {
    /// Nothing: a reply is due, or the login is over.
    Peer,
    Key,
    Signature(Offer),
    Password,
    ChangePassword,
    Answers {
        count: usize,
    },
}

impl Client {
    /// A login that has not begun.
    pub fn new(config: Config) -> Self {
        Self {
            order: Order::new(config.preferred.clone()),
            config,
            outbox: Outbox::new(),
            asks: VecDeque::new(),
            sent: VecDeque::new(),
            turn: Turn::Peer,
            keys: Keys::default(),
            password_attempts: 0,
            interactive: Interactive::default(),
            partial: Vec::new(),
            banner_room: BANNER_LIMIT,
            phase: Phase::Service,
            violation: None,
        }
    }

    /// Asks for the service and, with method `none`, for the list of methods, in one flight; with
    /// [`Config::eager_key`] also the driver for a key that joins them.
    pub fn start(&mut self) {
        self.outbox.push(|out| ServiceRequest { service_name: USERAUTH_SERVICE }.encode(out));
        self.sent.push_back(Sent::Service);
        let user = &self.config.user;
        self.outbox.push(|out| encode_head(user, Method::None.name(), out));
        self.sent.push_back(Sent::None);
        if self.config.eager_key && self.order.prefers(Method::Publickey) {
            self.next_key();
        }
    }

    /// Takes what the server announced; EXT_INFO may come at any time during a login. RFC 8308 §2.4.
    pub fn extensions(&mut self, extensions: Extensions) {
        self.config.extensions = extensions;
    }

    /// Messages to send.
    pub const fn outbox(&mut self) -> &mut Outbox {
        &mut self.outbox
    }

    /// How far the login is.
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// What the driver must answer or know next.
    #[expect(clippy::should_implement_trait, reason = "more may come after a `None`")]
    pub fn next(&mut self) -> Option<Ask> {
        self.asks.pop_front()
    }

    /// Takes a message from the server: 6 and 51 to 79.
    ///
    /// # Errors
    /// [`Violation`] when the server breaks the protocol; every later call repeats it.
    pub fn handle(&mut self, payload: &[u8]) -> Result<(), Violation> {
        match self.violation {
            Some(violation) => Err(violation),
            None => self.dispatch(payload).inspect_err(|violation| {
                self.violation = Some(*violation);
                self.drop_question();
            }),
        }
    }

    /// Does not answer the open question: the method, or the key, is given up.
    pub fn cancel(&mut self) {
        match self.turn {
            Turn::Peer => (),
            Turn::Key => self.no_more_keys(),
            Turn::Signature(_) => self.signed(None),
            Turn::Password | Turn::ChangePassword => self.give_up(Method::Password),
            Turn::Answers { .. } => {
                // The next request aborts this one, and an aborted one has no reply (RFC 4252 §5.1).
                self.sent.pop_front();
                self.give_up(Method::KeyboardInteractive);
            }
        }
    }

    fn dispatch(&mut self, payload: &[u8]) -> Result<(), Violation> {
        let number = payload.first().copied().unwrap_or_default();
        if self.phase == Phase::Authenticated {
            return Err(Violation::MessageAfterSuccess(number));
        }
        match number {
            ServiceAccept::NUMBER => self.service_accept(ServiceAccept::decode(payload)?),
            UserauthFailure::NUMBER => self.failure(UserauthFailure::decode(payload)?),
            UserauthSuccess::NUMBER => self.success(UserauthSuccess::decode(payload)?),
            UserauthBanner::NUMBER if self.phase == Phase::Userauth => {
                self.banner(UserauthBanner::decode(payload)?);
                Ok(())
            }
            60 => self.method_message(payload),
            _ => Err(Violation::UnexpectedMessage(number)),
        }
    }

    fn service_accept(&mut self, message: ServiceAccept<'_>) -> Result<(), Violation> {
        match self.sent.front() {
            Some(Sent::Service) if message.service_name == USERAUTH_SERVICE => {
                self.sent.pop_front();
                self.phase = Phase::Userauth;
                Ok(())
            }
            _ => Err(Violation::UnexpectedServiceAccept),
        }
    }

    fn failure(&mut self, message: UserauthFailure<'_>) -> Result<(), Violation> {
        let (sent, method) = self.replied(Violation::FailureWithoutRequest)?;
        self.order.server_list(message.authentications_that_can_continue.as_str());
        if let Turn::Answers { .. } = self.turn {
            // The server did not wait for the answers.
            self.drop_question();
        }
        if message.partial_success {
            self.partial_success(method, sent)?;
        } else if let Sent::Probe(offer) | Sent::Signed(offer) = sent {
            self.keys.refused(offer);
        }
        if self.sent.is_empty() && self.driver_is_idle_or_ahead() {
            self.advance();
        }
        Ok(())
    }

    fn success(&mut self, _: UserauthSuccess) -> Result<(), Violation> {
        let (sent, method) = self.replied(Violation::SuccessWithoutRequest)?;
        sent.may_succeed()?;
        self.phase = Phase::Authenticated;
        self.sent.clear();
        self.drop_question();
        let partial = core::mem::take(&mut self.partial);
        self.asks.push_back(Ask::Success { method, partial });
        Ok(())
    }

    fn banner(&mut self, message: UserauthBanner<'_>) {
        let text = message.message.get(..self.banner_room).unwrap_or(message.message);
        self.banner_room -= text.len();
        if !text.is_empty() {
            self.asks.push_back(Ask::Banner(text.into()));
        }
    }

    /// Message 60 means what the method of the open request makes of it. RFC 4252 §6.
    fn method_message(&mut self, payload: &[u8]) -> Result<(), Violation> {
        match self.sent.front() {
            Some(Sent::Probe(_)) => self.pk_ok(payload),
            Some(Sent::Password) => self.passwd_changereq(payload),
            Some(Sent::KeyboardInteractive) => self.info_request(payload),
            _ => Err(Violation::MethodMessageOutOfContext),
        }
    }

    /// Takes the oldest open request, which a reply has come for.
    fn replied(&mut self, otherwise: Violation) -> Result<(Sent, Method), Violation> {
        let sent = self.sent.pop_front().ok_or(otherwise)?;
        let method = sent.method().ok_or(otherwise)?;
        Ok((sent, method))
    }

    fn partial_success(&mut self, method: Method, sent: Sent) -> Result<(), Violation> {
        sent.may_succeed()?;
        if let Sent::Signed(offer) = sent {
            self.keys.served(offer);
        }
        self.keys.start_over();
        self.partial.push(method);
        self.asks.push_back(Ask::PartialSuccess(method));
        Ok(())
    }

    /// Whether the next request may be chosen now; an eager key goes on only if the server would take one.
    fn driver_is_idle_or_ahead(&mut self) -> bool {
        match self.turn {
            Turn::Peer => true,
            Turn::Key | Turn::Signature(_) if !self.order.allows(Method::Publickey) => {
                self.drop_question();
                true
            }
            _ => false,
        }
    }

    fn drop_question(&mut self) {
        self.turn = Turn::Peer;
        self.asks.retain(|ask| !ask.is_question());
    }

    /// Never tries `method` again, and goes on unless replies are due.
    fn give_up(&mut self, method: Method) {
        self.order.give_up(method);
        self.drop_question();
        if self.sent.is_empty() {
            self.advance();
        }
    }

    /// Goes on to the next request, or to the end.
    fn advance(&mut self) {
        while let Some(method) = self.order.current() {
            if self.attempt(method) {
                return;
            }
            self.order.give_up(method);
        }
        self.asks.push_back(Ask::Failed { methods: self.order.server_names().into() });
    }

    /// Sends a request of `method` or asks the driver for what it needs; false when there is nothing left to try.
    fn attempt(&mut self, method: Method) -> bool {
        match method {
            Method::None => return false,
            Method::Publickey => self.next_key(),
            Method::Password => return self.attempt_password(),
            Method::KeyboardInteractive => return self.attempt_interactive(),
        }
        true
    }

    fn ask(&mut self, turn: Turn, ask: Ask) {
        self.turn = turn;
        self.asks.push_back(ask);
    }
}
