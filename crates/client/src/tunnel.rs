//! The tunnel: from a name to a session with its forwards, and to the end of it.
//! Touches: the loop, the login, the forwarder.   Never: packets; what an option is called.
//! Invariants: stages follow each other in one direction; whatever ends the tunnel is said once, in ssh's words.
//! Errors: an exit code, after the reason was printed.   Allocates: per connection.
//! Proved by: the interop tests.
//!
//! ```text
//! Resolving ──► Dialling ──► LoggingIn ──► Up ──► Over
//!     └────────────┴─────────────┴─────────────────┘
//! ```

use crate::background::Background;
use crate::host_key::{Server, Trust};
use crate::log::{Level, debug, error, fatal, info, sanitized};
use crate::login::{Login, Outcome};
use crate::{host_certificate, settings};
use adit_config::Options;
use adit_crypto::SystemRandom;
use adit_engine::{ClientConfig, Engine};
use adit_forward::spec::Listen;
use adit_forward::{ForwardSpec, Forwarder, Notice, Target, os_words};
use adit_reactor::{Closed, Event, Handler, Key, LookupId, Millis, Pair, Reactor, Socket};
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::sync::Arc;

/// Any error of our own. ssh(1), EXIT STATUS.
pub(crate) const FAILURE: u8 = 255;

/// Milliseconds between connection attempts (`ConnectionAttempts`).
const BETWEEN_ATTEMPTS: Millis = 1000;

/// Timers of the tunnel's own.
const CONNECT_TIMEOUT: u64 = 1;
const NEXT_ATTEMPT: u64 = 2;

/// Signals that end the tunnel, in the order they are registered with the loop.
pub(crate) const SIGNALS: [i32; 3] =
    [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT, signal_hook::consts::SIGHUP];

/// What the user wants of the tunnel.
pub(crate) struct Plan {
    pub(crate) options: Options,
    pub(crate) user: String,
    pub(crate) server: Server,
    /// `-W`
    pub(crate) stdio: Option<Target>,
    /// The log goes to a file, so stderr need not.
    pub(crate) keep_stderr: bool,
}

enum Stage {
    Resolving(LookupId),
    Dialling(Key),
    /// Waits for the next attempt.
    Pausing,
    LoggingIn(Key),
    Up(Key),
    Over,
}

/// One run of the program.
pub(crate) struct Tunnel {
    plan: Plan,
    policy: crate::host_key::Policy,
    login: Login,
    stage: Stage,
    forwarder: Option<Forwarder>,
    background: Option<Background>,
    attempts_left: u32,
    addresses: Vec<SocketAddr>,
    exit: Option<u8>,
}

impl Tunnel {
    pub(crate) fn new(plan: Plan, login: Login, background: Option<Background>) -> Self {
        Self {
            policy: settings::host_key_policy(&plan.options),
            attempts_left: plan.options.connection_attempts,
            plan,
            login,
            stage: Stage::Over,
            forwarder: None,
            background,
            addresses: Vec::new(),
            exit: None,
        }
    }

    /// Runs until the end.
    pub(crate) fn run(mut self, reactor: &mut Reactor) -> ExitCode {
        let family = settings::family(&self.plan.options);
        let (host, port) = (&self.plan.server.host, self.plan.server.port);
        if self.plan.options.connect_timeout > 0 {
            let limit = Millis::from(self.plan.options.connect_timeout) * 1000;
            reactor.set_timer(reactor.now() + limit, CONNECT_TIMEOUT);
        }
        self.stage = Stage::Resolving(reactor.look_up(host, port, family));
        loop {
            if let Err(failed) = reactor.turn(&mut self) {
                fatal!("poll: {}", os_words(&failed));
                return ExitCode::from(FAILURE);
            }
            if let Some(code) = self.exit {
                // What was still to be written has been, or its reader is gone.
                return ExitCode::from(code);
            }
        }
    }

    /// Remembers the first reason to end.
    fn end(&mut self, code: u8) {
        self.stage = Stage::Over;
        self.exit.get_or_insert(code);
    }

    /// Says goodbye to the server first, where there is one.
    fn leave(&mut self, reactor: &mut Reactor, code: u8) {
        match self.stage {
            Stage::LoggingIn(session) | Stage::Up(session) => {
                reactor.close_session(session, "disconnected by user");
            }
            _ => {}
        }
        self.end(code);
    }

    /// `host port 22`, by address where one is known, as ssh names its peer.
    fn peer(&self) -> String {
        match self.plan.server.address {
            Some(address) => format!("{} port {}", address.ip().to_canonical(), address.port()),
            None => format!("{} port {}", self.plan.server.host, self.plan.server.port),
        }
    }
}

impl Handler for Tunnel {
    fn event(&mut self, reactor: &mut Reactor, event: Event) {
        let event = match &mut self.forwarder {
            Some(forwarder) => forwarder.event(reactor, event),
            None => Some(event),
        };
        match event {
            Some(Event::Resolved { lookup, found }) => self.resolved(reactor, lookup, found),
            Some(Event::Dialled { result, .. }) => self.dialled(reactor, result),
            Some(Event::Ssh { session, event }) => self.ssh(reactor, session, event),
            Some(Event::Closed { session, closed }) => self.closed(session, &closed),
            Some(Event::Timer(CONNECT_TIMEOUT)) => self.connect_timeout(reactor),
            Some(Event::Timer(NEXT_ATTEMPT)) => self.dial(reactor),
            Some(Event::Signal(number)) => self.signalled(reactor, number),
            _ => {}
        }
        self.tell_notices(reactor);
    }
}

/// Reaching the server.
impl Tunnel {
    fn resolved(&mut self, reactor: &mut Reactor, lookup: LookupId, found: adit_reactor::Found) {
        if !matches!(self.stage, Stage::Resolving(wanted) if wanted == lookup) {
            return;
        }
        match found {
            Ok(addresses) => {
                self.addresses = addresses;
                self.dial(reactor);
            }
            Err(words) => {
                error!("ssh: Could not resolve hostname {}: {words}", self.plan.server.host);
                self.end(FAILURE);
            }
        }
    }

    fn dial(&mut self, reactor: &mut Reactor) {
        self.attempts_left = self.attempts_left.saturating_sub(1);
        for address in &self.addresses {
            debug!(
                "Connecting to {} [{}] port {}.",
                self.plan.server.host,
                address.ip(),
                address.port()
            );
        }
        let dial = reactor.dial(self.addresses.clone(), settings::dial(&self.plan.options));
        self.stage = Stage::Dialling(dial);
    }

    fn dialled(&mut self, reactor: &mut Reactor, result: Result<Key, (SocketAddr, io::Error)>) {
        match result {
            Ok(stream) => self.connected(reactor, stream),
            Err((address, failed)) => {
                error!(
                    "ssh: connect to host {} port {}: {}",
                    self.plan.server.host,
                    address.port(),
                    os_words(&failed)
                );
                if self.attempts_left == 0 {
                    return self.end(FAILURE);
                }
                self.stage = Stage::Pausing;
                reactor.set_timer(reactor.now() + BETWEEN_ATTEMPTS, NEXT_ATTEMPT);
            }
        }
    }

    fn connected(&mut self, reactor: &mut Reactor, stream: Key) {
        debug!("Connection established.");
        self.plan.server.address = reactor.socket(stream).and_then(Socket::peer_addr);
        let name = self.policy.host_name(&self.plan.server);
        let known = name.and_then(|name| self.policy.known(name));
        let mut login = settings::login(&self.plan.options, &self.plan.user);
        login.eager_key = self.login.identities.first_is_ready();
        let config = ClientConfig {
            transport: Arc::new(settings::transport(&self.plan.options, known.as_ref())),
            login,
            connection: adit_connection::Config::new(adit_connection::Side::Client),
            keepalive: settings::keepalive(&self.plan.options),
        };
        let engine = Engine::client(config, Box::new(SystemRandom::new()), reactor.now());
        match reactor.add_session_over(stream, engine) {
            Ok(session) => self.stage = Stage::LoggingIn(session),
            Err(failed) => {
                fatal!("ssh: connect to host {}: {}", self.peer(), os_words(&failed));
                self.end(FAILURE);
            }
        }
    }

    fn connect_timeout(&mut self, reactor: &mut Reactor) {
        match &self.stage {
            Stage::Up(_) | Stage::Over => return,
            Stage::LoggingIn(_) => error!("Connection timed out during login to {}", self.peer()),
            Stage::Dialling(dial) => {
                reactor.hang_up(*dial);
                let server = &self.plan.server;
                error!(
                    "ssh: connect to host {} port {}: Connection timed out",
                    server.host, server.port
                );
            }
            Stage::Resolving(_) | Stage::Pausing => {
                error!("ssh: connect to host {}: Connection timed out", self.plan.server.host);
            }
        }
        self.leave(reactor, FAILURE);
    }
}

/// What the session says.
impl Tunnel {
    fn ssh(&mut self, reactor: &mut Reactor, session: Key, event: adit_engine::Event) {
        use adit_engine::Event as Ssh;
        match event {
            Ssh::Preface(line) => {
                debug!("kex_exchange_identification: banner line: {}", sanitized(&line))
            }
            Ssh::HostKey => self.host_key(reactor, session),
            Ssh::KeysExchanged { first } => self.keys_exchanged(reactor, session, first),
            Ssh::Login(ask) => self.asked(reactor, session, ask),
            Ssh::Established => self.established(reactor, session),
            Ssh::Debug { always_display: true, message } => {
                info!("Remote: {}", sanitized(&message))
            }
            Ssh::Debug { message, .. } => debug!("Remote: {}", sanitized(&message)),
            Ssh::Disconnected { reason_code, description } => {
                error!(
                    "Received disconnect from {}:{reason_code}: {}",
                    self.peer(),
                    sanitized(&description)
                );
                error!("Disconnected from {}", self.peer());
            }
            Ssh::Open { channel, .. } => {
                if let Some(engine) = reactor.engine(session) {
                    let reason = adit_engine::open_failure::ADMINISTRATIVELY_PROHIBITED;
                    engine.refuse(channel, reason, "open failed");
                }
            }
            _ => {}
        }
    }

    fn host_key(&mut self, reactor: &mut Reactor, session: Key) {
        let Some(blob) = reactor.engine(session).map(|engine| engine.host_key().to_vec()) else {
            return;
        };
        debug!("Server host key: {}", crate::identity::describe(&blob));
        let prompter = &self.login.prompter;
        self.login.trust = host_certificate::check(&self.policy, &self.plan, &blob, prompter);
        if self.login.trust == Trust::Refused {
            error!("Host key verification failed.");
        }
        if self.login.trust == Trust::Crippled && self.plan.has_forwards() {
            self.disable_forwards(reactor);
        }
        reactor.judge_host_key(session, self.login.trust != Trust::Refused && self.exit.is_none());
    }

    /// Whoever shows the wrong key might be in the middle.
    fn disable_forwards(&mut self, reactor: &mut Reactor) {
        error!("Port forwarding is disabled to avoid man-in-the-middle attacks.");
        if self.plan.options.exit_on_forward_failure {
            fatal!("Error: forwarding disabled due to host key check failure");
            return self.leave(reactor, FAILURE);
        }
        self.plan.options.local_forwards.clear();
        self.plan.options.remote_forwards.clear();
        self.plan.options.dynamic_forwards.clear();
    }

    fn keys_exchanged(&self, reactor: &mut Reactor, session: Key, first: bool) {
        let Some(engine) = reactor.engine(session) else { return };
        let Some(negotiated) = engine.negotiated() else { return };
        if crate::log::enabled(Level::Debug1) {
            debug!("kex: algorithm: {}", negotiated.kex.name());
            debug!("kex: host key algorithm: {}", negotiated.host_key.name());
            for (way, protection) in [
                ("client->server", negotiated.client_to_server),
                ("server->client", negotiated.server_to_client),
            ] {
                let mac = protection.mac.map_or("<implicit>", adit_crypto::MacAlgorithm::name);
                debug!(
                    "kex: {way} cipher: {} MAC: {mac} compression: none",
                    protection.cipher.name()
                );
            }
        }
        let warn = self.plan.options.warn_weak_crypto != adit_config::types::WarnWeakCrypto::No;
        if first && warn && !negotiated.kex.is_post_quantum() {
            info!("** WARNING: connection is not using a post-quantum key exchange algorithm.");
            info!("** This session may be vulnerable to \"store now, decrypt later\" attacks.");
            info!("** The server may need to be upgraded. See https://openssh.com/pq.html");
        }
    }

    fn asked(&mut self, reactor: &mut Reactor, session: Key, ask: adit_engine::login_client::Ask) {
        let Some(client) = reactor.engine(session).and_then(Engine::login) else { return };
        match self.login.answer(ask, client) {
            Some(Outcome::In(method)) => {
                let server = &self.plan.server;
                let address = server.address.map(|address| address.ip().to_canonical().to_string());
                let text = format!(
                    "Authenticated to {} ([{}]:{}) using \"{}\".",
                    server.host,
                    address.unwrap_or_default(),
                    server.port,
                    method.name()
                );
                crate::log::write(Level::Verbose, format_args!("{text}"));
            }
            Some(Outcome::Denied(methods)) => {
                fatal!("{}: Permission denied ({methods}).", self.login.who);
                self.leave(reactor, FAILURE);
            }
            None => {}
        }
    }

    fn established(&mut self, reactor: &mut Reactor, session: Key) {
        self.stage = Stage::Up(session);
        if let Some(engine) = reactor.engine(session) {
            // Others do not know the request, and a few end the connection over it.
            if engine.peer_identification().is_some_and(|line| contains(line, b"OpenSSH")) {
                engine.no_more_sessions();
            }
        }
        let mut forwarder = Forwarder::new(session, settings::forward(&self.plan.options));
        let failed = self.listen(reactor, &mut forwarder);
        for spec in &self.plan.options.remote_forwards {
            forwarder.request_remote(reactor, spec.clone());
        }
        self.forwarder = Some(forwarder);
        if failed && self.plan.options.exit_on_forward_failure {
            fatal!("Could not request local forwarding.");
            return self.leave(reactor, FAILURE);
        }
        if let Some(target) = self.plan.stdio.clone() {
            self.start_stdio(reactor, &target);
        }
        self.if_settled(reactor);
    }

    /// Sets local listeners up; true if something that was asked for could not be.
    fn listen(&self, reactor: &mut Reactor, forwarder: &mut Forwarder) -> bool {
        let options = &self.plan.options;
        let mut failed = false;
        for spec in options.local_forwards.iter().chain(&options.dynamic_forwards) {
            debug!(
                "Local connections to {} forwarded to remote address {}",
                spec.listen, spec.target
            );
            let (bound, failures) = forwarder.listen(reactor, spec);
            for failure in &failures {
                error!("{failure}");
            }
            if let (0, Listen::Tcp { port, .. }) = (bound, &spec.listen) {
                error!("channel_setup_fwd_listener_tcpip: cannot listen to port: {port}");
            }
            if bound == 0 && !options.exit_on_forward_failure {
                error!("Could not request local forwarding.");
            }
            failed |= !failures.is_empty();
        }
        failed
    }

    fn start_stdio(&mut self, reactor: &mut Reactor, target: &Target) {
        let ends = || {
            let input = io::stdin().as_fd().try_clone_to_owned()?;
            Pair::new(input, io::stdout().as_fd().try_clone_to_owned()?)
        };
        let stream = ends().and_then(|pair| {
            // Whoever reads our stdout must see it end when the stream does.
            let null = std::fs::File::options().read(true).write(true).open("/dev/null")?;
            rustix::stdio::dup2_stdout(&null)?;
            reactor.add_socket(Socket::Pair(pair))
        });
        match (stream, &mut self.forwarder) {
            (Ok(stream), Some(forwarder)) => forwarder.stdio(reactor, stream, target),
            _ => {
                fatal!("stdio forwarding failed");
                self.leave(reactor, FAILURE);
            }
        }
    }

    /// Once every forward stands, `-f` returns.
    fn if_settled(&mut self, reactor: &mut Reactor) {
        if self.exit.is_some() || !self.forwarder.as_ref().is_some_and(Forwarder::is_settled) {
            return;
        }
        if let Some(background) = self.background.take() {
            if let Err(failed) = background.detach(self.plan.keep_stderr) {
                fatal!("daemon() failed: {}", os_words(&failed));
                self.leave(reactor, FAILURE);
            }
        }
    }
}

/// What the forwarder reports.
impl Tunnel {
    fn tell_notices(&mut self, reactor: &mut Reactor) {
        while let Some(notice) = self.forwarder.as_mut().and_then(Forwarder::next_notice) {
            self.tell(reactor, notice);
        }
    }

    fn tell(&mut self, reactor: &mut Reactor, notice: Notice) {
        match notice {
            Notice::Requested { target } => debug!("Connection forwarding to {target} requested."),
            Notice::OpenFailed { channel, reason, description, stdio } => {
                error!(
                    "channel {channel}: open failed: {}: {}",
                    reason_words(reason),
                    sanitized(&description)
                );
                if stdio {
                    self.stdio_failed(reactor);
                }
            }
            Notice::NoChannel { stdio } => {
                error!("cannot open another channel");
                if stdio {
                    self.stdio_failed(reactor);
                }
            }
            Notice::ConnectFailed { target: Target::Tcp { host, port }, error } => {
                debug!("connect_to {host} port {port}: {error}");
                error!("connect_to {host} port {port}: failed.");
            }
            Notice::ConnectFailed { target, error } => error!("connect_to {target}: {error}"),
            Notice::RemoteListening { spec, allocated } => {
                debug!(
                    "remote forward success for: listen {}, connect {}",
                    spec.listen, spec.target
                );
                if let Some(port) = allocated {
                    info!("Allocated port {port} for remote forward to {}", spec.target);
                }
                self.if_settled(reactor);
            }
            Notice::RemoteFailed { spec } => self.remote_failed(reactor, &spec),
            Notice::Unasked(open) => {
                use adit_engine::Open;
                match open {
                    Open::ForwardedTcpip { port, .. } => {
                        error!(
                            "WARNING: Server requests forwarding for unknown listen_port {port}"
                        );
                    }
                    Open::ForwardedStreamlocal { path } => {
                        let path = sanitized(path.as_bytes());
                        error!(
                            "WARNING: Server requests forwarding for unknown listen_path {path}"
                        );
                    }
                    other => debug!("Server requests a channel of type {}", other.channel_type()),
                }
            }
            Notice::ProxyRefused(reason) => {
                debug!("dynamic forward: {}", sanitized(reason.as_bytes()))
            }
            Notice::StdioDone(None) => self.leave(reactor, 0),
            Notice::StdioDone(Some(failed)) => {
                debug!("stdio forward: {}", os_words(&failed));
                self.leave(reactor, 0);
            }
        }
    }

    fn stdio_failed(&mut self, reactor: &mut Reactor) {
        fatal!("stdio forwarding failed");
        self.leave(reactor, FAILURE);
    }

    fn remote_failed(&mut self, reactor: &mut Reactor, spec: &ForwardSpec) {
        let what = spec.listen.describe();
        if self.plan.options.exit_on_forward_failure {
            fatal!("Error: remote port forwarding failed for listen {what}");
            return self.leave(reactor, FAILURE);
        }
        info!("Warning: remote port forwarding failed for listen {what}");
        self.if_settled(reactor);
    }
}

/// The end.
impl Tunnel {
    fn closed(&mut self, session: Key, closed: &Closed) {
        let up = matches!(self.stage, Stage::Up(own) if own == session);
        if self.exit.is_none() {
            self.explain(closed, up);
        }
        self.end(FAILURE);
    }

    fn explain(&self, closed: &Closed, up: bool) {
        use adit_engine::Error as Engine;
        use adit_transport::Error as Transport;
        let host = &self.plan.server.host;
        match closed {
            Closed::Engine(Engine::Timeout) => error!("Timeout, server {host} not responding."),
            Closed::Engine(Engine::Transport(Transport::PeerIncompatible(incompatible))) => {
                fatal!("Unable to negotiate with {}: {incompatible}", self.peer());
            }
            // The disconnect and the refused key have been reported already.
            Closed::Engine(Engine::Transport(
                Transport::Disconnected { .. } | Transport::HostKeyRejected | Transport::Closed,
            )) => {}
            Closed::Engine(failed) => fatal!("Connection to {}: {failed}", self.peer()),
            Closed::EndOfStream if up => info!("Connection to {host} closed by remote host."),
            Closed::EndOfStream => {
                error!("kex_exchange_identification: Connection closed by remote host");
                error!("Connection closed by {}", self.peer());
            }
            Closed::Link(failed) if up => {
                error!("Read from remote host {host}: {}", os_words(failed));
                info!("Connection to {host} closed by remote host.");
            }
            Closed::Link(failed) => {
                error!("kex_exchange_identification: read: {}", os_words(failed));
                error!("Connection reset by {}", self.peer());
            }
            Closed::Here => {}
        }
    }

    fn signalled(&mut self, reactor: &mut Reactor, number: usize) {
        let signal = SIGNALS.get(number).copied().unwrap_or_default();
        debug!("Killed by signal {signal}.");
        let orderly = signal == signal_hook::consts::SIGTERM;
        self.leave(reactor, if orderly { 0 } else { FAILURE });
    }
}

impl Plan {
    fn has_forwards(&self) -> bool {
        let options = &self.options;
        !(options.local_forwards.is_empty()
            && options.remote_forwards.is_empty()
            && options.dynamic_forwards.is_empty())
    }
}

/// RFC 4254 §5.1, in ssh's words.
const fn reason_words(reason: u32) -> &'static str {
    match reason {
        1 => "administratively prohibited",
        2 => "connect failed",
        3 => "unknown channel type",
        4 => "resource shortage",
        _ => "unknown reason",
    }
}

fn contains(line: &[u8], word: &[u8]) -> bool {
    line.windows(word.len()).any(|window| window == word)
}
