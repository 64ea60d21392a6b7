//! The server's side of a login. RFC 4252, RFC 4256, OpenSSH PROTOCOL §3.1.
//! Touches: payloads 5 and 50 to 61 in, replies out through the outbox.   Never: accounts, key files, clocks.
//! Invariants: only `succeed` sends USERAUTH_SUCCESS, and only with a `Proof`; a proof is made by a signature that
//! verified in this session or by the driver's word on what the client just sent; nothing said about a probe counts later.
//! Errors: [`Violation`], repeated by every later call.   Allocates: one question, and what is pipelined behind it, bounded.
//! Proved by: `server::tests` (scripted client), `pair`, `props`.
//!
//! ```text
//!          service request             request           question            proof, nothing more wanted
//! Service ────────────────► Request ────────────► User, Key, … ────────────────────────────────► Authenticated
//!                              ▲   └──► Pause ◄────────┘ │ │ no        more wanted, PK_OK, prompts
//!                              └───────────┴─────────────┘─┘◄─────────────────────────────────────┘
//! ```

mod ask;
mod keyboard_interactive;
mod password;
mod pending;
mod progress;
mod publickey;
#[cfg(test)]
mod tests;

pub use ask::{Ask, CheckKey, Proven, Secret};
pub use keyboard_interactive::Interactive;
pub use password::PasswordVerdict;
pub use publickey::{SignatureCheck, VerifySignature};

use crate::{CONNECTION_SERVICE, Method, Phase, USERAUTH_SERVICE, Violation, algorithm};
use adit_buf::Outbox;
use adit_wire::auth::{
    UserauthBanner, UserauthFailure, UserauthInfoResponse, UserauthRequest, UserauthSuccess,
};
use adit_wire::transport::{ServiceAccept, ServiceRequest};
use adit_wire::{Message, NameList};
use alloc::{collections::VecDeque, string::String, vec::Vec};
use core::fmt;
use pending::Pending;
use progress::Progress;
use publickey::KeyRequest;
use zeroize::Zeroizing;

/// A user name longer than this is no user name.
const MAX_USER_NAME: usize = 1024;

/// What a login is held against.
#[derive(Clone, Debug)]
pub struct Config {
    /// Session identifier of the transport: the first exchange hash. RFC 4253 §7.2.
    pub session_id: Vec<u8>,
    /// Our host key blob of the first key exchange.
    pub host_key: Vec<u8>,
    /// Checks signatures.
    pub verify: VerifySignature,
}

/// What is asked of one user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Whether the user can log in at all. If not, all goes on the same and nothing succeeds.
    pub valid: bool,
    /// Methods that are enabled.
    pub methods: Vec<Method>,
    /// Lists of methods, one of which must be walked to its end (`AuthenticationMethods`); none: any method is enough.
    pub required: Vec<Vec<Method>>,
    /// Failures that end the connection (`MaxAuthTries`).
    pub max_tries: u32,
    /// Algorithms joined by commas (`PubkeyAcceptedAlgorithms`).
    pub accepted_algorithms: String,
    /// Text for the client before anything else (`Banner`).
    pub banner: Option<Vec<u8>>,
}

/// `sshd`'s defaults, for a user that exists.
impl Default for Policy {
    fn default() -> Self {
        Self {
            valid: true,
            methods: Method::DEFAULT_ORDER.into(),
            required: Vec::new(),
            max_tries: 6,
            accepted_algorithms: algorithm::default_accepted(),
            banner: None,
        }
    }
}

/// A login in progress.
pub struct Server {
    config: Config,
    outbox: Outbox,
    asks: VecDeque<Ask>,
    state: State,
    login: Option<Login>,
    pending: Pending,
    violation: Option<Violation>,
}

/// Nothing of what waits: a password may be among it.
impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("phase", &self.phase()).finish_non_exhaustive()
    }
}

/// Who logs in, once the driver knows them.
struct Login {
    user: String,
    policy: Policy,
    progress: Progress,
}

/// What is waited for: a message of the client, or an answer of the driver.
enum State {
    /// Client: the service request.
    Service,
    /// Client: a request.
    Request,
    /// Client: answers, or another request instead.
    Responses { count: usize },
    /// Driver: the policy for the user of the request kept here.
    User { user: String, request: Zeroizing<Vec<u8>> },
    /// Driver: its word on a key.
    Key(KeyRequest),
    /// Driver: its word on a password.
    Password,
    /// Driver: prompts or its word.
    Interactive,
    /// Driver: the time to tell the client of a failure.
    Pause,
    /// The user is in.
    Authenticated,
}

impl State {
    const fn waits_for_driver(&self) -> bool {
        use State::{Interactive, Key, Password, Pause, User};
        matches!(self, User { .. } | Key(_) | Password | Interactive | Pause)
    }
}

/// That the client is who it says: there is no success without one.
struct Proof(Proven);

impl Server {
    /// A login that has not begun.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            outbox: Outbox::new(),
            asks: VecDeque::new(),
            state: State::Service,
            login: None,
            pending: Pending::default(),
            violation: None,
        }
    }

    /// Messages to send.
    pub const fn outbox(&mut self) -> &mut Outbox {
        &mut self.outbox
    }

    /// How far the login is.
    pub const fn phase(&self) -> Phase {
        match self.state {
            State::Service => Phase::Service,
            State::Authenticated => Phase::Authenticated,
            _ => Phase::Userauth,
        }
    }

    /// Which algorithms may sign, once it is known who logs in (`PubkeyAcceptedAlgorithms`).
    pub fn accepted_algorithms(&self) -> Option<&str> {
        self.login.as_ref().map(|login| login.policy.accepted_algorithms.as_str())
    }

    /// What the driver must answer or know next.
    #[expect(clippy::should_implement_trait, reason = "more may come after a `None`")]
    pub fn next(&mut self) -> Option<Ask> {
        self.asks.pop_front()
    }

    /// Takes a message from the client: 5 and 50 to 79. While a question is open it is kept for later.
    ///
    /// # Errors
    /// [`Violation`] when the client breaks the protocol; every later call repeats it.
    pub fn handle(&mut self, payload: &[u8]) -> Result<(), Violation> {
        self.guarded(|server| {
            if server.state.waits_for_driver() {
                server.pending.push(payload)
            } else {
                server.dispatch(payload)
            }
        })
    }

    /// What is asked of the user; the answer to [`Ask::User`].
    ///
    /// # Errors
    /// [`Violation`]: the settings leave no way in, or a message kept for later is at fault.
    pub fn policy(&mut self, policy: Policy) -> Result<(), Violation> {
        self.guarded(|server| {
            match core::mem::replace(&mut server.state, State::Request) {
                State::User { user, request } => {
                    server.begin(user, policy)?;
                    server.dispatch(&request)?;
                }
                other => server.state = other,
            }
            server.dispatch_pending()
        })
    }

    /// Tells the client of the failure; the answer to [`Ask::Pause`].
    ///
    /// # Errors
    /// [`Violation`]: this was one failure too many, or a message kept for later is at fault.
    pub fn resume(&mut self) -> Result<(), Violation> {
        self.guarded(|server| {
            if let State::Pause = server.state {
                server.login.as_mut().map_or(Ok(()), |login| login.progress.failure())?;
                server.send_failure(false);
            }
            server.dispatch_pending()
        })
    }

    /// Runs `step` unless the login is dead, and notes its death.
    fn guarded(
        &mut self,
        step: impl FnOnce(&mut Self) -> Result<(), Violation>,
    ) -> Result<(), Violation> {
        if let Some(violation) = self.violation {
            return Err(violation);
        }
        step(self).inspect_err(|violation| {
            self.violation = Some(*violation);
            self.asks.retain(|ask| !ask.is_question());
            self.pending.clear();
        })
    }

    fn dispatch_pending(&mut self) -> Result<(), Violation> {
        while !self.state.waits_for_driver() {
            let Some(payload) = self.pending.pop() else { break };
            self.dispatch(&payload)?;
        }
        Ok(())
    }

    fn dispatch(&mut self, payload: &[u8]) -> Result<(), Violation> {
        let number = payload.first().copied().unwrap_or_default();
        match (number, &self.state) {
            // Sent ahead by a client that could not know yet: RFC 4252 §5.1 has them ignored.
            (UserauthRequest::NUMBER, State::Authenticated) => Ok(()),
            (_, State::Authenticated) => Err(Violation::MessageAfterSuccess(number)),
            (ServiceRequest::NUMBER, _) => self.service_request(ServiceRequest::decode(payload)?),
            (UserauthRequest::NUMBER, State::Service) => Err(Violation::RequestBeforeService),
            (UserauthRequest::NUMBER, _) => self.request(payload),
            (UserauthInfoResponse::NUMBER, _) => self.info_response(payload),
            _ => Err(Violation::UnexpectedMessage(number)),
        }
    }

    /// Some clients ask again before each method; like a request that abandons open questions.
    fn service_request(&mut self, message: ServiceRequest<'_>) -> Result<(), Violation> {
        if message.service_name != USERAUTH_SERVICE {
            return Err(Violation::ServiceNotAvailable);
        }
        self.outbox.push(|out| ServiceAccept { service_name: USERAUTH_SERVICE }.encode(out));
        self.state = State::Request;
        Ok(())
    }

    fn request(&mut self, payload: &[u8]) -> Result<(), Violation> {
        let message = UserauthRequest::decode(payload)?;
        if message.service_name != CONNECTION_SERVICE {
            return Err(Violation::UnknownService);
        }
        let Some(login) = &mut self.login else { return self.ask_user(&message, payload) };
        if message.user_name != login.user {
            return Err(Violation::UserChanged);
        }
        login.progress.request()?;
        self.attempt(&message)
    }

    /// Who is this? The request goes on when that is known.
    fn ask_user(&mut self, message: &UserauthRequest<'_>, payload: &[u8]) -> Result<(), Violation> {
        let user = String::from(message.user_name);
        if user.len() > MAX_USER_NAME {
            return Err(Violation::UserNameTooLong);
        }
        let request = Zeroizing::new(payload.into());
        self.asks.push_back(Ask::User { user: user.clone() });
        self.state = State::User { user, request };
        Ok(())
    }

    fn begin(&mut self, user: String, policy: Policy) -> Result<(), Violation> {
        let progress = Progress::new(&policy)?;
        if let Some(message) = &policy.banner {
            self.outbox.push(|out| UserauthBanner { message, language_tag: b"" }.encode(out));
        }
        self.login = Some(Login { user, policy, progress });
        Ok(())
    }

    /// Goes to the state of a new attempt; questions of an old one are abandoned. RFC 4252 §5.1.
    fn attempt(&mut self, message: &UserauthRequest<'_>) -> Result<(), Violation> {
        let hostbound = message.method_name == crate::publickey::HOSTBOUND;
        let method = if hostbound {
            Some(Method::Publickey)
        } else {
            Method::from_name(message.method_name)
        };
        let body = message.method.0;
        match method.filter(|method| self.allows(*method)) {
            Some(Method::Publickey) => self.publickey(body, hostbound),
            Some(Method::Password) => self.password(body),
            Some(Method::KeyboardInteractive) => self.keyboard_interactive(body),
            Some(Method::None) | None => {
                self.refuse(method);
                Ok(())
            }
        }
    }

    fn valid_login(&mut self) -> Option<&mut Login> {
        self.login.as_mut().filter(|login| login.policy.valid)
    }

    fn allows(&self, method: Method) -> bool {
        self.login.as_ref().is_some_and(|login| login.progress.allows(method))
    }

    fn accepts_algorithm(&self, name: &str) -> bool {
        let accepted = self.login.as_ref().map(|login| login.policy.accepted_algorithms.as_str());
        accepted.is_some_and(|accepted| NameList::new(accepted).contains(name))
    }

    /// A failure: told after a pause, but for the first `none`, which only asks for the list.
    fn refuse(&mut self, method: Option<Method>) {
        let first = self.login.as_ref().is_some_and(|login| login.progress.is_first_request());
        if first && method == Some(Method::None) {
            self.send_failure(false);
        } else {
            self.ask(State::Pause, Ask::Pause { method });
        }
    }

    fn send_failure(&mut self, partial_success: bool) {
        let names = self.login.as_ref().map(|login| login.progress.can_continue());
        let names = names.unwrap_or_default();
        let authentications_that_can_continue = NameList::new(&names);
        let message = UserauthFailure { authentications_that_can_continue, partial_success };
        self.outbox.push(|out| message.encode(out));
        self.state = State::Request;
    }

    /// The one way to a success: by a proof, for a user that may log in, when nothing more is wanted.
    fn succeed(&mut self, Proof(proven): Proof) {
        let method = proven.method;
        let Some(login) = self.valid_login() else {
            return self.refuse(Some(method));
        };
        if !login.progress.proved(proven.clone()) {
            self.asks.push_back(Ask::PartialSuccess(proven));
            return self.send_failure(true);
        }
        let (user, proven) = (login.user.clone(), login.progress.take_proven());
        self.outbox.push(|out| UserauthSuccess {}.encode(out));
        self.ask(State::Authenticated, Ask::Success { user, proven });
    }

    fn ask(&mut self, state: State, ask: Ask) {
        self.state = state;
        self.asks.push_back(ask);
    }
}
