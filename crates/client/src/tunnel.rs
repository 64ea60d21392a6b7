//! The tunnel: from a name to a session with its forwards, and to the end of it.
//! Touches: the loop, the login, the forwarder.   Never: packets; what an option is called.
//! Invariants: stages follow each other in one direction; whatever ends the tunnel is said once, in ssh's words.
//! Errors: an exit code, after the reason was printed.   Allocates: per connection.
//! Proved by: the interop tests.
//!
//! ```text
//! Binding ──► Resolving ──► Dialling ──► Greeting ──► LoggingIn ──► Up ──► Over
//!    └────────────┴────────────┴────────────┴────────────┴────────────────┘
//! ```

use crate::ending::{Names, Progress, Words, explain, timed_out};
use crate::host_key::{Policy, Server, Trust};
use crate::host_key_update::Update;
use crate::log::{Level, debug, error, fatal, info, sanitized, verbose};
use crate::login::{Login, Outcome};
use crate::sandbox::Sandbox;
use crate::settings;
use adit_config::Options;
use adit_config::types::UpdateHostKeys;
use adit_crypto::{KeyAlgorithm, SystemRandom};
use adit_engine::{ClientConfig, Engine, RequestId};
use adit_forward::spec::Listen;
use adit_forward::{ForwardSpec, Forwarder, Notice, Target, os_words};
use adit_keys::agent::SessionBind;
use adit_reactor::background::Background;
use adit_reactor::signals;
use adit_reactor::{Closed, Event, Found, Handler, Key, LookupId, Millis, Pair, Reactor, Socket};
use rustix::process::Signal;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Any error of our own. ssh(1), EXIT STATUS.
pub(crate) const FAILURE: u8 = 255;

/// Milliseconds between connection attempts (`ConnectionAttempts`).
const BETWEEN_ATTEMPTS: Millis = 1000;

/// How long after the login the server may name further host keys: known_hosts can be written for as long.
const HOST_KEYS_WITHIN: Millis = 10_000;

/// Timers of the tunnel's own.
const CONNECT_TIMEOUT: u64 = 1;
const NEXT_ATTEMPT: u64 = 2;
const HOST_KEYS_OVER: u64 = 3;

/// What the user wants of the tunnel.
pub(crate) struct Plan {
    pub(crate) options: Options,
    pub(crate) user: String,
    pub(crate) server: Server,
    /// `-W`
    pub(crate) stdio: Option<Target>,
    /// stderr shows what happens also after `-f` has gone to the background.
    pub(crate) keep_stderr: bool,
    /// Without `--no-sandbox`.
    pub(crate) sandbox: bool,
}

enum Stage {
    /// Looks up what BindAddress means.
    Binding(LookupId),
    Resolving(LookupId),
    Dialling(Key),
    /// Waits for the next attempt.
    Pausing,
    /// The server has not shown its host key.
    Greeting(Key),
    LoggingIn(Key),
    Up(Key),
    Over,
}

/// One run of the program.
pub(crate) struct Tunnel {
    plan: Plan,
    policy: Policy,
    login: Login,
    stage: Stage,
    progress: Progress,
    forwarder: Option<Forwarder>,
    background: Option<Background>,
    /// Host key algorithms in force.
    host_keys: Vec<KeyAlgorithm>,
    /// New host keys the server is to prove.
    update: Option<(RequestId, Update)>,
    /// Nothing more is taken of the server's about host keys.
    host_keys_over: bool,
    sandbox: Sandbox,
    attempts_left: u32,
    bind_addresses: Vec<IpAddr>,
    addresses: Vec<SocketAddr>,
    /// What the user and the agent have taken since the clock of ConnectTimeout was set.
    own_time: Duration,
    exit: Option<u8>,
}

impl Tunnel {
    pub(crate) fn new(plan: Plan, login: Login, background: Option<Background>) -> Self {
        Self {
            policy: settings::host_key_policy(&plan.options),
            attempts_left: plan.options.connection_attempts,
            sandbox: Sandbox::new(plan.sandbox),
            plan,
            login,
            stage: Stage::Over,
            progress: Progress::Connected,
            forwarder: None,
            background,
            host_keys: Vec::new(),
            update: None,
            host_keys_over: false,
            bind_addresses: Vec::new(),
            addresses: Vec::new(),
            own_time: Duration::ZERO,
            exit: None,
        }
    }

    /// Runs until the end.
    pub(crate) fn run(mut self, reactor: &mut Reactor) -> ExitCode {
        self.begin(reactor);
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

    fn begin(&mut self, reactor: &mut Reactor) {
        let options = &self.plan.options;
        if options.connect_timeout > 0 {
            let limit = Millis::from(options.connect_timeout) * 1000;
            reactor.set_timer(reactor.now() + limit, CONNECT_TIMEOUT);
        }
        match &options.bind_address {
            Some(name) => {
                let lookup = reactor.look_up(name, 0, settings::family(options));
                self.stage = Stage::Binding(lookup);
            }
            None => self.resolve(reactor),
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
            Stage::Greeting(session) | Stage::LoggingIn(session) | Stage::Up(session) => {
                reactor.close_session(session, "disconnected by user");
            }
            _ => {}
        }
        self.end(code);
    }

    fn say(words: Words) {
        for (level, line) in words {
            crate::log::write(level, format_args!("{line}"));
        }
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
            Some(Event::Closed { closed, .. }) => self.closed(&closed),
            Some(Event::Timer(CONNECT_TIMEOUT)) => self.connect_timeout(reactor),
            Some(Event::Timer(NEXT_ATTEMPT)) => self.dial(reactor),
            Some(Event::Timer(HOST_KEYS_OVER)) => self.host_keys_over(),
            Some(Event::Signal(number)) => self.signalled(reactor, number),
            Some(Event::AcceptFailed { error, .. }) => error!("accept: {}", os_words(&error)),
            _ => {}
        }
        self.tell_notices(reactor);
    }
}

/// Reaching the server.
impl Tunnel {
    fn resolve(&mut self, reactor: &mut Reactor) {
        let Server { host, port, .. } = &self.plan.server;
        let lookup = reactor.look_up(host, *port, settings::family(&self.plan.options));
        self.stage = Stage::Resolving(lookup);
    }

    fn resolved(&mut self, reactor: &mut Reactor, lookup: LookupId, found: Found) {
        match self.stage {
            Stage::Binding(wanted) if wanted == lookup => self.bind(reactor, found),
            Stage::Resolving(wanted) if wanted == lookup => match found {
                Ok(addresses) => {
                    self.addresses = addresses;
                    self.dial(reactor);
                }
                Err(words) => {
                    error!("ssh: Could not resolve hostname {}: {words}", self.plan.server.host);
                    self.end(FAILURE);
                }
            },
            _ => {}
        }
    }

    fn bind(&mut self, reactor: &mut Reactor, found: Found) {
        match found {
            Ok(addresses) => {
                self.bind_addresses = addresses.iter().map(SocketAddr::ip).collect();
                self.resolve(reactor);
            }
            Err(words) => {
                let name = self.plan.options.bind_address.as_deref().unwrap_or_default();
                error!("getaddrinfo: {name}: {words}");
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
        let options = settings::dial(&self.plan.options, self.bind_addresses.clone());
        let dial = reactor.dial(self.addresses.clone(), options);
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
        let transport = settings::transport(&self.plan.options, known.as_ref());
        self.host_keys.clone_from(&transport.host_key);
        let config = ClientConfig {
            transport: Arc::new(transport),
            login,
            connection: settings::connection(&self.plan.options),
            keepalive: settings::keepalive(&self.plan.options),
        };
        let engine = Engine::client(config, Box::new(SystemRandom::new()), reactor.now());
        match reactor.add_session_over(stream, engine) {
            Ok(session) => self.stage = Stage::Greeting(session),
            Err(failed) => {
                fatal!("ssh: connect to host {}: {}", self.peer(), os_words(&failed));
                self.end(FAILURE);
            }
        }
    }

    /// The server has had its time; what the user and the agent took is not counted.
    fn connect_timeout(&mut self, reactor: &mut Reactor) {
        let own = std::mem::take(&mut self.own_time).as_millis() as Millis;
        let server = &self.plan.server;
        match &self.stage {
            Stage::Up(_) | Stage::Over => return,
            _ if own > 0 => return reactor.set_timer(reactor.now() + own, CONNECT_TIMEOUT),
            Stage::Greeting(_) | Stage::LoggingIn(_) => {
                Self::say(timed_out(self.progress, &self.peer()));
            }
            stage => {
                if let Stage::Dialling(dial) = stage {
                    reactor.hang_up(*dial);
                }
                error!(
                    "ssh: connect to host {} port {}: Connection timed out",
                    server.host, server.port
                );
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
            Ssh::Identified => self.identified(reactor, session),
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
            Ssh::HostKeys(list) => self.host_keys_named(reactor, session, &list),
            Ssh::Reply { request, outcome } => {
                self.host_keys_proved(reactor, session, request, &outcome)
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

    fn identified(&mut self, reactor: &mut Reactor, session: Key) {
        self.progress = Progress::Identified;
        let line = reactor.engine(session).and_then(|engine| engine.peer_identification());
        debug!("Remote protocol identification {}", sanitized(line.unwrap_or_default()));
    }

    fn host_key(&mut self, reactor: &mut Reactor, session: Key) {
        self.stage = Stage::LoggingIn(session);
        let Some(blob) = reactor.engine(session).map(|engine| engine.host_key().to_vec()) else {
            return;
        };
        let start = Instant::now();
        let trust = self.policy.judge(&self.plan.server, &blob, &*self.login.prompter);
        self.own_time += start.elapsed();
        self.login.trust = trust;
        match trust {
            Trust::Known => {}
            Trust::Full => {
                debug!("hostkey not known or explicitly trusted: disabling UpdateHostkeys")
            }
            Trust::Crippled => self.cripple(reactor),
            Trust::Refused => error!("Host key verification failed."),
        }
        reactor.judge_host_key(session, trust != Trust::Refused && self.exit.is_none());
    }

    /// Whoever shows the wrong key might be in the middle.
    fn cripple(&mut self, reactor: &mut Reactor) {
        let options = &mut self.plan.options;
        let forwards = [
            &mut options.local_forwards,
            &mut options.remote_forwards,
            &mut options.dynamic_forwards,
        ];
        let cancelled = [
            ("Password authentication", options.password_authentication),
            ("Keyboard-interactive authentication", options.kbd_interactive_authentication),
            ("Port forwarding", forwards.iter().any(|forwards| !forwards.is_empty())),
        ];
        for (what, _) in cancelled.iter().filter(|(_, cancelled)| *cancelled) {
            error!("{what} is disabled to avoid man-in-the-middle attacks.");
        }
        forwards.into_iter().for_each(Vec::clear);
        if options.update_host_keys != UpdateHostKeys::No {
            error!("UpdateHostkeys is disabled because the host key is not trusted.");
        }
        if options.exit_on_forward_failure && cancelled.iter().any(|(_, cancelled)| *cancelled) {
            fatal!("Error: forwarding disabled due to host key check failure");
            self.leave(reactor, FAILURE);
        }
    }

    fn keys_exchanged(&mut self, reactor: &mut Reactor, session: Key, first: bool) {
        let Some(engine) = reactor.engine(session) else { return };
        if first {
            self.login.identities.begin(&SessionBind {
                host_key: engine.host_key(),
                session_id: engine.session_id().unwrap_or_default(),
                signature: engine.host_key_signature(),
                is_forwarding: false,
            });
        }
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
        let start = Instant::now();
        let outcome = self.login.answer(ask, client);
        self.own_time += start.elapsed();
        match outcome {
            Some(Outcome::In(method)) => {
                let server = &self.plan.server;
                let address = server.address.map(|address| address.ip().to_canonical().to_string());
                verbose!(
                    "Authenticated to {} ([{}]:{}) using \"{}\".",
                    server.host,
                    address.unwrap_or_default(),
                    server.port,
                    method.name()
                );
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
        self.progress = Progress::Up;
        if let Some(engine) = reactor.engine(session) {
            // Others do not know the request, and a few end the connection over it.
            if engine.peer_is_openssh() {
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
        reactor.set_timer(reactor.now() + HOST_KEYS_WITHIN, HOST_KEYS_OVER);
        self.confine();
        self.if_settled(reactor);
    }

    /// All that takes rights has been done; what follows is carrying bytes.
    fn confine(&mut self) {
        let files: &[_] = if self.updates_host_keys() { &self.policy.user_files } else { &[] };
        self.sandbox.enter(&self.plan.options, files);
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
        let stream = standard_streams(self.plan.options.stdin_null)
            .and_then(|pair| reactor.add_socket(Socket::Pair(pair)));
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
    fn closed(&mut self, closed: &Closed) {
        if self.exit.is_none() {
            let names = Names { host: &self.plan.server.host, peer: &self.peer() };
            Self::say(explain(closed, self.progress, names));
        }
        self.end(FAILURE);
    }

    /// A tunnel that stands ends in good order when it is told to; one that does not has failed.
    fn signalled(&mut self, reactor: &mut Reactor, number: usize) {
        let Some(signal) = signals::ENDING.get(number) else { return };
        verbose!("Killed by signal {}.", signal.as_raw());
        let orderly = *signal == Signal::TERM && self.progress == Progress::Up;
        self.leave(reactor, if orderly { 0 } else { FAILURE });
    }
}

/// UpdateHostKeys.
impl Tunnel {
    /// Whether what the server says of its keys may still lead to something.
    fn updates_host_keys(&self) -> bool {
        let mode = self.plan.options.update_host_keys;
        let in_vain = mode == UpdateHostKeys::Ask && self.plan.options.batch_mode;
        let wanted = mode != UpdateHostKeys::No && !in_vain && self.login.trust == Trust::Known;
        wanted && !self.host_keys_over
    }

    /// The server has said all that is heard of it.
    fn host_keys_over(&mut self) {
        self.host_keys_over = true;
        if matches!(self.stage, Stage::Up(_)) {
            self.confine();
        }
    }

    fn host_keys_named(&mut self, reactor: &mut Reactor, session: Key, list: &[u8]) {
        if self.updates_host_keys() && self.update.is_none() {
            self.take_host_keys(reactor, session, list);
            if self.update.is_none() {
                self.host_keys_over();
            }
        }
    }

    fn take_host_keys(&mut self, reactor: &mut Reactor, session: Key, list: &[u8]) {
        let Some(name) = self.policy.host_name(&self.plan.server) else { return };
        let Some(update) = Update::of(list, name, &self.policy, &self.host_keys) else { return };
        if update.new.is_empty() {
            return self.write_host_keys(&update);
        }
        let keys: Vec<&[u8]> = update.new.iter().map(Vec::as_slice).collect();
        let asked = reactor.engine(session).map(|engine| engine.prove_host_keys(&keys));
        self.update = asked.and_then(Result::ok).map(|request| (request, update));
    }

    fn host_keys_proved(
        &mut self,
        reactor: &mut Reactor,
        session: Key,
        request: RequestId,
        outcome: &adit_engine::Outcome,
    ) {
        let Some((_, update)) = self.update.take_if(|(asked, _)| *asked == request) else { return };
        if self.host_keys_over {
            return debug!("host keys were proved too late: known_hosts stays as it is");
        }
        let session_id = reactor.engine(session).and_then(|engine| engine.session_id());
        match outcome {
            adit_engine::Outcome::Done(signatures) => {
                if update.is_proved(signatures, session_id.unwrap_or_default()) {
                    self.write_host_keys(&update);
                }
            }
            _ => error!("Server failed to confirm ownership of private host keys"),
        }
        self.host_keys_over();
    }

    fn write_host_keys(&self, update: &Update) {
        let asks = self.plan.options.update_host_keys == UpdateHostKeys::Ask;
        update.write(&self.policy, asks, &*self.login.prompter);
    }
}

/// Standard input, or nothing in its place, and standard output, which is ours alone from now on: whoever reads
/// it must see it end when the stream does.
fn standard_streams(no_input: bool) -> io::Result<Pair> {
    let null = std::fs::File::options().read(true).write(true).open("/dev/null")?;
    let input = match no_input {
        true => OwnedFd::from(null.try_clone()?),
        false => io::stdin().as_fd().try_clone_to_owned()?,
    };
    let output = io::stdout().as_fd().try_clone_to_owned()?;
    rustix::stdio::dup2_stdout(&null)?;
    Pair::new(input, output)
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
