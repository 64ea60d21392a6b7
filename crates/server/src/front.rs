//! The front: takes connections, decides whether they may come in, and hands them to the loops.
//! Touches: listening sockets, signals, the limits.   Never: a byte of any client.
//! Invariants: a connection is counted before it is handed on; what is refused is closed at once.
//! Errors: what cannot be accepted is logged; the server goes on.   Allocates: per connection, until it is handed on.
//! Proved by: interop `server::limits`, `server::operation`.

use crate::activation::{Activated, Listener as Handed};
use crate::connection::Ends;
use crate::errand::Postbox;
use crate::keeper::Wish;
use crate::log::{Endpoint, Event as Happened, Peer};
use crate::notify::Notify;
use crate::rules;
use crate::settings::Settings;
use crate::shared::Shared;
use crate::start::{self, Origin};
use adit_config::server::Disk;
use adit_crypto::{Random, SystemRandom};
use adit_forward::os_words;
use adit_reactor::{Event, Handler, Key, Listener, Millis, Reactor, Socket};
use rustix::process::Signal;
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::Receiver;

/// How long connections have to take their goodbye at the end.
const FAREWELL: Millis = 2000;

/// What one loop is to the front.
pub(crate) struct Loop {
    pub(crate) postbox: Postbox,
    /// Connections on it; the loop counts down.
    pub(crate) load: Arc<AtomicUsize>,
    /// Set when it has ended, before the front is woken.
    pub(crate) ended: Arc<AtomicBool>,
}

/// The accepting side of the server.
pub(crate) struct Front {
    pub(crate) shared: Arc<Shared>,
    loops: Vec<Loop>,
    listeners: HashMap<SocketAddr, Key>,
    /// Those of a service manager that have no address.
    unix_listeners: Vec<Key>,
    source: Source,
    notify: Notify,
    /// The sockets listened on are a service manager's.
    adopted: bool,
    /// One connection is all there will be (`-d`, `-i`).
    single: bool,
    ending: Option<Ending>,
}

/// Where settings come from.
pub(crate) enum Source {
    /// Files, read by this process.
    Own(Origin),
    /// The keeper, which reads them, and has more to say.
    Keeper(Receiver<Wish>),
}

/// The server is about to end.
enum Ending {
    /// Once the loops have said goodbye.
    Leaving,
    Now,
}

/// The numbers of the signals, in the order they were registered.
pub(crate) const SIGNALS: [Signal; 3] = [Signal::HUP, Signal::TERM, Signal::INT];

impl Front {
    pub(crate) fn new(
        shared: Arc<Shared>,
        loops: Vec<Loop>,
        source: Source,
        notify: Notify,
        single: bool,
    ) -> Self {
        Self {
            shared,
            loops,
            listeners: HashMap::new(),
            unix_listeners: Vec::new(),
            source,
            notify,
            adopted: false,
            single,
            ending: None,
        }
    }

    /// Takes connections until a signal ends it.
    ///
    /// # Errors
    /// When the poll itself fails.
    pub(crate) fn run(mut self, reactor: &mut Reactor) -> io::Result<()> {
        self.notify.ready(&self.status());
        self.feed_watchdog(reactor);
        while !matches!(self.ending, Some(Ending::Now)) {
            reactor.turn(&mut self)?;
        }
        Ok(())
    }

    /// Listens where the settings say, in addition to or instead of where it does.
    ///
    /// # Errors
    /// When nothing at all can be listened on.
    pub(crate) fn listen(&mut self, reactor: &mut Reactor) -> Result<(), String> {
        let wanted = self.shared.door.addresses(&self.shared.settings().global)?;
        let stale: Vec<SocketAddr> =
            self.listeners.keys().filter(|at| !wanted.contains(at)).copied().collect();
        for address in stale {
            if let Some(key) = self.listeners.remove(&address) {
                reactor.unlisten(key);
            }
        }
        for address in wanted {
            if !self.listeners.contains_key(&address) {
                self.listen_on(reactor, address);
            }
        }
        if self.listeners.is_empty() { Err("Cannot bind any address.".into()) } else { Ok(()) }
    }

    fn listen_on(&mut self, reactor: &mut Reactor, address: SocketAddr) {
        let bound = self.shared.door.bind(address).and_then(Listener::tcp).and_then(|listener| {
            let at = listener.local_addr().unwrap_or(address);
            Ok((at, reactor.listen(listener)?))
        });
        match bound {
            Ok((at, key)) => {
                self.shared.log.event(&Happened::ServerListening { at: Endpoint::Address(at) });
                self.listeners.insert(address, key);
            }
            Err(error) => self.shared.log.error(format_args!(
                "Bind to port {} on {} failed: {}.",
                address.port(),
                address.ip(),
                os_words(&error)
            )),
        }
    }

    /// Takes over sockets that a service manager listens on.
    ///
    /// # Errors
    /// When the system will not watch one of them.
    pub(crate) fn adopt(
        &mut self,
        reactor: &mut Reactor,
        handed: Vec<Activated>,
    ) -> io::Result<()> {
        self.adopted = true;
        for Activated { name, listener } in handed {
            match listener {
                Handed::Tcp(listener) => {
                    let at = listener.local_addr()?;
                    let key = reactor.listen(Listener::tcp(listener)?)?;
                    self.shared.log.event(&Happened::ServerListening { at: Endpoint::Address(at) });
                    self.listeners.insert(at, key);
                }
                Handed::Unix(listener) => {
                    let key = reactor.listen(Listener::unix_with(listener, || {})?)?;
                    self.unix_listeners.push(key);
                    let at = Endpoint::Unix(name.as_deref().unwrap_or("a unix socket"));
                    self.shared.log.event(&Happened::ServerListening { at });
                }
            }
        }
        Ok(())
    }

    fn accepted(&mut self, reactor: &mut Reactor, stream: Key) {
        let Some(socket) = reactor.release(stream) else { return };
        let ends = Ends { remote: socket.peer_addr(), local: socket.local_addr() };
        self.admit(socket, ends);
        if self.single {
            self.take_no_more(reactor);
        }
    }

    /// Hands a connection to the loop with the fewest, if the limits let it in.
    pub(crate) fn admit(&mut self, mut socket: Socket, ends: Ends) {
        let mut chance = [0; 4];
        SystemRandom::new().fill(&mut chance);
        let address = ends.remote.map(|remote| remote.ip());
        let now = self.shared.now();
        let admitted = self.shared.limits().admit(now, address, u32::from_ne_bytes(chance));
        match admitted {
            Ok(ticket) => {
                if let Some(notice) = ticket.notice() {
                    self.shared.log.event(&Happened::Limit(notice));
                }
                let load = |each: &&Loop| each.load.load(Ordering::Relaxed);
                let Some(home) = self.loops.iter().min_by_key(load) else { return };
                home.load.fetch_add(1, Ordering::Relaxed);
                home.postbox
                    .post(move |worker, reactor| worker.welcome(reactor, socket, ends, ticket));
            }
            Err(refusal) => {
                // It is closed in any case; whether it hears why is its luck.
                let _ = socket.say(refusal.to_client().as_bytes());
                let peer = Peer::new(0, ends.remote, ends.local);
                self.log_refused(&refusal, peer);
            }
        }
    }

    /// Whoever is in is all there will be.
    pub(crate) fn take_no_more(&mut self, reactor: &mut Reactor) {
        self.unlisten(reactor);
        for each in &self.loops {
            each.postbox.post(|worker, _| worker.end_when_empty());
        }
    }

    fn unlisten(&mut self, reactor: &mut Reactor) {
        let keys = self.listeners.drain().map(|(_, key)| key);
        for key in keys.chain(self.unix_listeners.drain(..)) {
            reactor.unlisten(key);
        }
    }

    fn signalled(&mut self, reactor: &mut Reactor, number: usize) {
        // A service manager signals all processes of a unit; the keeper says what comes of it, once.
        if matches!(self.source, Source::Keeper(_)) {
            return;
        }
        match SIGNALS.get(number) {
            Some(&Signal::HUP) => self.reload(reactor),
            Some(&signal) => self.stop(reactor, signal.as_raw()),
            None => {}
        }
    }

    fn stop(&mut self, reactor: &mut Reactor, signal: i32) {
        let connections = self.connections();
        self.shared.log.event(&Happened::ServerStopping { signal, connections });
        self.leave(reactor);
    }

    fn connections(&self) -> u64 {
        self.shared.limits().connections() as u64
    }

    /// Reads the configuration again, unless that is the keeper's to do.
    fn reload(&mut self, reactor: &mut Reactor) {
        let Source::Own(origin) = &self.source else { return };
        self.notify.reloading();
        if let Some(settings) = origin.load_again(&Disk, &self.shared.log) {
            self.put_in_force(reactor, settings);
        }
        self.notify.ready(&self.status());
    }

    /// What the keeper wants.
    fn heed_keeper(&mut self, reactor: &mut Reactor) {
        while let Source::Keeper(wishes) = &self.source {
            match wishes.try_recv() {
                Ok(Wish::Stop(signal)) => self.stop(reactor, signal as i32),
                Ok(Wish::Reload(settings)) => {
                    let options = settings.global.clone();
                    self.shared.log.configure(options.log_level, start::format(&options));
                    self.put_in_force(reactor, *settings);
                    self.notify.ready(&self.status());
                }
                // Without it no key signs and nobody logs in.
                Ok(Wish::Gone) => self.ending = Some(Ending::Now),
                Err(_) => return,
            }
        }
    }

    fn put_in_force(&mut self, reactor: &mut Reactor, settings: Settings) {
        let (log, options) = (self.shared.log.clone(), settings.global.clone());
        self.shared.limits().configure(&rules::limits(&options));
        self.shared.replace(settings);
        // Those of a service manager stay: it has the configuration for them.
        if let (false, Err(error)) = (self.adopted, self.listen(reactor)) {
            log.error(format_args!("{error}"));
        }
        log.event(&Happened::ServerReloaded { connections: self.connections() });
    }

    /// Takes no more, and has the loops say goodbye; whoever asks twice does not wait for them.
    fn leave(&mut self, reactor: &mut Reactor) {
        if self.ending.is_some() {
            self.ending = Some(Ending::Now);
            return;
        }
        self.ending = Some(Ending::Leaving);
        self.notify.stopping();
        self.unlisten(reactor);
        for each in &self.loops {
            each.postbox.post(|worker, reactor| {
                worker.dismiss(reactor, "the server is shutting down", FAREWELL)
            });
        }
        reactor.set_timer(reactor.now() + 2 * FAREWELL, Timer::Farewell as u64);
    }

    fn due(&mut self, reactor: &mut Reactor, id: u64) {
        if id == Timer::Farewell as u64 {
            self.ending = Some(Ending::Now);
        } else {
            self.feed_watchdog(reactor);
        }
    }

    /// A loop has ended: the server ends with the last.
    fn loop_ended(&mut self) {
        self.loops.retain(|each| !each.ended.load(Ordering::Acquire));
        if self.loops.is_empty() {
            self.ending = Some(Ending::Now);
        }
    }

    fn feed_watchdog(&mut self, reactor: &mut Reactor) {
        if let Some(interval) = self.notify.watchdog_interval() {
            self.notify.watchdog();
            let interval = interval.as_millis() as Millis;
            reactor.set_timer(reactor.now() + interval, Timer::Watchdog as u64);
        }
    }

    fn status(&self) -> String {
        let mut places: Vec<String> = self.listeners.keys().map(ToString::to_string).collect();
        places.sort();
        format!("listening on {}", places.join(", "))
    }
}

/// The front's own timers.
#[derive(Clone, Copy)]
enum Timer {
    Farewell,
    Watchdog,
}

impl Handler for Front {
    fn event(&mut self, reactor: &mut Reactor, event: Event) {
        match event {
            Event::Accepted { stream, .. } => self.accepted(reactor, stream),
            Event::Signal(number) => self.signalled(reactor, number),
            Event::Timer(id) => self.due(reactor, id),
            Event::Woken => {
                self.heed_keeper(reactor);
                self.loop_ended();
            }
            Event::AcceptFailed { error, .. } => self
                .shared
                .log
                .error(format_args!("accept: {}; trying again soon", os_words(&error))),
            _ => {}
        }
    }
}
