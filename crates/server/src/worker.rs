//! A loop and the connections on it: every event finds the one it is about.
//! Touches: the events of one reactor.   Never: another loop's connections.
//! Invariants: what another thread has to say comes through the postbox; a connection is forgotten in one place.
//! Errors: a connection's own end the connection.   Allocates: per connection.
//! Proved by: interop `server`.

use crate::connection::{Connection, Ends, Fault, Phase};
use crate::errand::{Mail, Postbox};
use crate::limits::Ticket;
use crate::policy::Permissions;
use crate::session::Sessions;
use crate::shared::Shared;
use adit_crypto::SystemRandom;
use adit_engine::{Engine, Open, open_failure};
use adit_forward::ForwardServer;
use adit_reactor::{Closed, Event, Handler, Key, Millis, Reactor, Socket};
use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Receiver;

/// What one loop knows.
pub(crate) struct Worker {
    pub(crate) shared: Arc<Shared>,
    /// How other threads reach this loop.
    pub(crate) postbox: Postbox,
    mail: Receiver<Mail>,
    pub(crate) connections: HashMap<Key, Connection>,
    pub(crate) forwards: ForwardServer,
    pub(crate) sessions: Sessions,
    reminders: HashMap<u64, (Key, Due)>,
    next_reminder: u64,
    /// Connections handed to this loop that have not ended.
    load: Arc<AtomicUsize>,
    ending: bool,
}

/// What is to be done about a connection at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// LoginGraceTime is over.
    Grace,
    /// A failed login may be told.
    Failure,
    /// It may have been without a channel for too long.
    Unused,
    /// A channel may have been idle for too long.
    IdleChannels,
}

impl Worker {
    pub(crate) fn new(
        shared: Arc<Shared>,
        postbox: Postbox,
        mail: Receiver<Mail>,
        load: Arc<AtomicUsize>,
    ) -> Self {
        Self {
            shared,
            postbox,
            mail,
            connections: HashMap::new(),
            forwards: ForwardServer::new(),
            sessions: Sessions::new(),
            reminders: HashMap::new(),
            next_reminder: 0,
            load,
            ending: false,
        }
    }

    /// Turns the loop until it is told to end and nobody is left.
    pub(crate) fn run(mut self, reactor: &mut Reactor) -> io::Result<()> {
        while !(self.ending && self.load.load(Ordering::Relaxed) == 0) {
            reactor.turn(&mut self)?;
        }
        Ok(())
    }

    /// Ends the loop once its connections have gone.
    pub(crate) fn end_when_empty(&mut self) {
        self.ending = true;
    }

    /// Says goodbye to everybody.
    pub(crate) fn dismiss(&mut self, reactor: &mut Reactor, why: &str) {
        self.ending = true;
        for key in self.connections.keys().copied().collect::<Vec<_>>() {
            reactor.close_session(key, why);
        }
    }

    /// A client has come.
    pub(crate) fn welcome(
        &mut self,
        reactor: &mut Reactor,
        socket: Socket,
        ends: Ends,
        ticket: Ticket,
    ) {
        let settings = self.shared.settings();
        let number = self.shared.next_connection();
        socket.set_keepalive(settings.global.tcp_keep_alive);
        let engine =
            Engine::server(settings.engine(), Box::new(SystemRandom::new()), reactor.now());
        let key = match reactor.add_session(Box::new(socket), engine) {
            Ok(key) => key,
            Err(error) => {
                self.forget(ticket, crate::limits::Ending::Fine, reactor.now());
                return self.shared.log.error(format_args!("connection {number}: {error}"));
            }
        };
        if settings.global.login_grace_time > 0 {
            let at = reactor.now() + u64::from(settings.global.login_grace_time) * 1000;
            self.remind(reactor, at, key, Due::Grace);
        }
        let connection = Connection {
            number,
            ends,
            ticket,
            settings,
            since: reactor.now(),
            phase: Phase::Greeting,
            unused_since: None,
            fault: None,
        };
        self.log_came(&connection);
        self.connections.insert(key, connection);
    }

    /// Has something done about a connection at a time.
    pub(crate) fn remind(&mut self, reactor: &mut Reactor, at: Millis, key: Key, due: Due) {
        self.next_reminder += 1;
        self.reminders.insert(self.next_reminder, (key, due));
        reactor.set_timer(at, self.next_reminder);
    }

    fn reminded(&mut self, reactor: &mut Reactor, id: u64) {
        let Some((key, due)) = self.reminders.remove(&id) else { return };
        if !self.connections.contains_key(&key) {
            return;
        }
        match due {
            Due::Grace => self.grace_is_over(reactor, key),
            Due::Failure => reactor.answer_login(key, |server| server.resume()),
            Due::Unused => self.check_unused(reactor, key),
            Due::IdleChannels => self.check_idle_channels(reactor, key),
        }
    }

    fn grace_is_over(&mut self, reactor: &mut Reactor, key: Key) {
        let Some(connection) = self.connections.get_mut(&key) else { return };
        if connection.member().is_none() {
            connection.fault = Some(Fault::GraceExceeded);
            reactor.close_session(key, "Timeout before authentication");
        }
    }
}

impl Handler for Worker {
    fn event(&mut self, reactor: &mut Reactor, event: Event) {
        let Some(event) = self.forwards.event(reactor, event) else {
            return self.forward_notices(reactor);
        };
        let Some(event) = self.sessions.event(reactor, event) else {
            return self.session_notices(reactor);
        };
        match event {
            Event::Ssh { session, event } => self.ssh(reactor, session, event),
            Event::Closed { session, closed, .. } => self.closed(reactor, session, &closed),
            Event::Timer(id) => self.reminded(reactor, id),
            Event::Woken => self.open_mail(reactor),
            _ => {}
        }
    }
}

impl Worker {
    fn open_mail(&mut self, reactor: &mut Reactor) {
        while let Ok(mail) = self.mail.try_recv() {
            mail(self, reactor);
        }
    }

    fn ssh(&mut self, reactor: &mut Reactor, key: Key, event: adit_engine::Event) {
        use adit_engine::Event as Ssh;
        match event {
            Ssh::ServerLogin(ask) => self.login_asks(reactor, key, ask),
            Ssh::Established => self.established(reactor, key),
            Ssh::Open { channel, open, .. } => self.open(reactor, key, channel, &open),
            Ssh::HostKeysProve { token, keys } => self.prove_host_keys(key, token, keys),
            Ssh::Disconnected { reason_code, description } => {
                self.log_disconnected(key, reason_code, &description);
            }
            _ => {}
        }
    }

    /// The user is in: what was granted is put to work.
    fn established(&mut self, reactor: &mut Reactor, key: Key) {
        let Some(connection) = self.connections.get(&key) else { return };
        let Some(permissions) = connection.member().cloned() else {
            return reactor.close_session(key, "not logged in");
        };
        let blobs = connection.settings.host_keys.public_blobs();
        if let Some(engine) = reactor.engine(key) {
            engine.set_keepalive(crate::settings::keepalive(&permissions.options));
            let blobs: Vec<&[u8]> = blobs.iter().map(Vec::as_slice).collect();
            engine.announce_host_keys(&blobs);
        }
        self.forwards.add(key, permissions.clone());
        self.watch_unused(reactor, key);
        self.watch_channels(reactor, key, &permissions);
    }

    /// A channel that is none of the forwards'.
    fn open(
        &mut self,
        reactor: &mut Reactor,
        key: Key,
        channel: adit_engine::Channel,
        open: &Open<'static>,
    ) {
        let verdict = match (open, self.connections.get(&key).and_then(Connection::member)) {
            (Open::Session, Some(permissions)) => {
                let permissions = permissions.clone();
                self.may_open_session(key, &permissions).map(|()| permissions)
            }
            _ => Err((open_failure::UNKNOWN_CHANNEL_TYPE, "unknown channel type".to_owned())),
        };
        let Some(engine) = reactor.engine(key) else { return };
        match verdict {
            Ok(permissions) => {
                engine.accept(channel);
                let rules = self.session_rules(key, &permissions);
                self.sessions.open(reactor, key, channel, rules);
            }
            Err((reason, words)) => engine.refuse(channel, reason, &words),
        }
    }

    fn may_open_session(&self, key: Key, permissions: &Permissions) -> Result<(), (u32, String)> {
        permissions
            .may_have_session()
            .map_err(|why| (open_failure::ADMINISTRATIVELY_PROHIBITED, why))?;
        let max = permissions.options.max_sessions;
        if self.sessions.count(key) >= max as usize {
            let why = format!("MaxSessions {max} reached");
            return Err((open_failure::ADMINISTRATIVELY_PROHIBITED, why));
        }
        Ok(())
    }

    fn closed(&mut self, reactor: &mut Reactor, key: Key, closed: &Closed) {
        self.forwards.remove(reactor, key);
        self.sessions.gone(reactor, key);
        self.forward_notices(reactor);
        self.session_notices(reactor);
        let Some(connection) = self.connections.remove(&key) else { return };
        let ending = self.log_gone(&connection, closed, reactor.now());
        self.forget(connection.ticket, ending, reactor.now());
    }

    /// A connection makes room for another.
    fn forget(&mut self, ticket: Ticket, ending: crate::limits::Ending, now: Millis) {
        self.shared.limits().ended(ticket, ending, now);
        self.load.fetch_sub(1, Ordering::Relaxed);
    }
}
