//! A loop and the connections on it: every event finds the one it is about.
//! Touches: the events of one reactor.   Never: another loop's connections.
//! Invariants: what another thread has to say comes through the postbox; a connection is forgotten in one place.
//! Errors: a connection's own end the connection.   Allocates: per connection.
//! Proved by: `tests`, with a client on the same loop; interop `server`.

use crate::connection::{Connection, Ends, Fault, Phase};
use crate::errand::{Mail, Postbox};
use crate::limits::Ticket;
use crate::session::{Seat, SessionRules, Sessions};
use crate::shared::Shared;
use adit_crypto::SystemRandom;
use adit_engine::{Channel, Counters, Engine, Open, Request, open_failure};
use adit_forward::{Served, ServedOptions};
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
    pub(crate) forwards: Served,
    pub(crate) sessions: Sessions,
    reminders: HashMap<u64, (Key, Due)>,
    next_reminder: u64,
    /// Connections handed to this loop that have not ended.
    load: Arc<AtomicUsize>,
    ending: bool,
}

/// What a session may do, and where it asks for what takes privilege.
type Seated = (Arc<SessionRules>, Arc<dyn Seat>);

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
        let family = crate::rules::family(&shared.settings().global);
        let sessions = Sessions::new(shared.errands.clone(), postbox.clone());
        Self {
            shared,
            postbox,
            mail,
            connections: HashMap::new(),
            forwards: Served::new(ServedOptions { family, ..ServedOptions::default() }),
            sessions,
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

    /// Says goodbye to everybody; what is on its way to them may take `patience` milliseconds.
    pub(crate) fn dismiss(&mut self, reactor: &mut Reactor, why: &str, patience: Millis) {
        self.ending = true;
        for (key, connection) in &mut self.connections {
            why.clone_into(&mut connection.goodbye);
            reactor.close_session_within(*key, why, patience);
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
        let desk = self.shared.door.desk(number);
        let random = Box::new(SystemRandom::new());
        let mut engine = Engine::server(settings.engine(), random, reactor.now());
        if let Some(host_keys) = desk.host_keys(&settings) {
            engine.set_host_keys(host_keys);
        }
        engine.set_purse(self.shared.memory.of_all());
        let key = match reactor.add_session(Box::new(socket), engine) {
            Ok(key) => key,
            Err(error) => {
                self.forget(ticket, crate::limits::Ending::Fine);
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
            desk,
            ticket,
            settings,
            since: reactor.now(),
            phase: Phase::Greeting,
            unused_since: None,
            unused_watched: false,
            fault: None,
            log: self.shared.log.clone(),
            goodbye: String::new(),
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
        if self.connections.get(&key).is_some_and(|connection| connection.member().is_none()) {
            self.dismiss_one(reactor, key, Fault::GraceExceeded, "Timeout before authentication");
        }
    }

    /// Ends a connection for a fault of the client's.
    pub(crate) fn dismiss_one(&mut self, reactor: &mut Reactor, key: Key, fault: Fault, why: &str) {
        if let Some(connection) = self.connections.get_mut(&key) {
            connection.fault = Some(fault);
            connection.goodbye = why.into();
            reactor.close_session(key, why);
        }
    }
}

impl Handler for Worker {
    fn event(&mut self, reactor: &mut Reactor, event: Event) {
        let about = session_of(&event);
        self.mind_terminal(reactor, &event);
        let Some(event) = self.forwards.event(reactor, event) else {
            return self.served(reactor, about);
        };
        let Some(event) = self.sessions.event(reactor, event) else {
            return self.served(reactor, about);
        };
        match event {
            Event::Ssh { session, event } => self.ssh(reactor, session, event),
            Event::Closed { session, closed, counters } => {
                self.closed(reactor, session, &closed, counters);
            }
            Event::Timer(id) => self.reminded(reactor, id),
            Event::Woken => self.open_mail(reactor),
            _ => {}
        }
    }
}

/// The connection an event is about, where that is known from the outside.
const fn session_of(event: &Event) -> Option<Key> {
    match event {
        Event::Ssh { session, .. } => Some(*session),
        _ => None,
    }
}

impl Worker {
    /// A connection with a terminal is waited for by somebody: IPQoS has a mark of its own for it.
    fn mind_terminal(&self, reactor: &Reactor, event: &Event) {
        let Event::Ssh { session, event: adit_engine::Event::ChannelRequest { request, .. } } =
            event
        else {
            return;
        };
        let member = self.connections.get(session).and_then(Connection::member);
        if let (Request::Pty { .. }, Some(member)) = (&**request, member) {
            if let Some(mark) = member.options.ip_qos.interactive {
                reactor.set_type_of_service(*session, mark);
            }
        }
    }

    /// Forwards or sessions have taken an event: what they need is done, what they did is logged.
    pub(crate) fn served(&mut self, reactor: &mut Reactor, about: Option<Key>) {
        self.serve_forwards(reactor);
        self.log_sessions();
        if let Some(key) = about {
            self.watch_unused(reactor, key);
        }
    }

    fn open_mail(&mut self, reactor: &mut Reactor) {
        while let Ok(mail) = self.mail.try_recv() {
            mail(self, reactor);
        }
    }

    fn ssh(&mut self, reactor: &mut Reactor, key: Key, event: adit_engine::Event) {
        use adit_engine::Event as Ssh;
        match event {
            Ssh::ServerLogin(ask) => self.login_asks(reactor, key, ask),
            Ssh::Identified => self.log_identified(reactor, key),
            Ssh::Established => self.established(reactor, key),
            Ssh::Open { channel, open, .. } => self.open(reactor, key, channel, &open),
            Ssh::HostKeysProve { token, keys } => self.prove_host_keys(reactor, key, token, keys),
            Ssh::Disconnected { description, .. } => {
                if let Some(connection) = self.connections.get_mut(&key) {
                    connection.goodbye = String::from_utf8_lossy(&description).into_owned();
                }
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
        let blobs: Vec<Vec<u8>> = connection.settings.host_keys.public_blobs().collect();
        if let Some(engine) = reactor.engine(key) {
            if let Some(limit) = permissions.options.memory_limit_per_user {
                engine.set_purse(self.shared.memory.of_user(&permissions.account.name, limit));
            }
            engine.set_keepalive(crate::rules::keepalive(&permissions.options));
            let blobs: Vec<&[u8]> = blobs.iter().map(Vec::as_slice).collect();
            engine.announce_host_keys(&blobs);
        }
        if let Some(mark) = permissions.options.ip_qos.bulk {
            reactor.set_type_of_service(key, mark);
        }
        self.forwards.add(key, permissions.clone());
        self.watch_unused(reactor, key);
        self.watch_channels(reactor, key);
    }

    /// A channel that is none of the forwards'.
    fn open(&mut self, reactor: &mut Reactor, key: Key, channel: Channel, open: &Open<'static>) {
        let seated = match open {
            Open::Session => self.seat(key),
            _ => Err((open_failure::UNKNOWN_CHANNEL_TYPE, "unknown channel type".to_owned())),
        };
        let Some(engine) = reactor.engine(key) else { return };
        match seated {
            Ok((rules, seat)) => {
                engine.accept(channel);
                self.sessions.open(key, channel, rules, seat);
            }
            Err((reason, words)) => {
                engine.refuse(channel, reason, &words);
                self.log_channel_refused(key, &words);
            }
        }
        self.watch_unused(reactor, key);
    }

    /// What one more session may do, if there may be one, and its seat.
    fn seat(&self, key: Key) -> Result<Seated, (u32, String)> {
        let no = |words: String| Err((open_failure::ADMINISTRATIVELY_PROHIBITED, words));
        let Some(connection) = self.connections.get(&key) else {
            return no("not logged in".into());
        };
        let Some(member) = connection.member() else { return no("not logged in".into()) };
        let max = member.options.max_sessions;
        if self.sessions.count(key) >= max as usize {
            return no(format!("MaxSessions {max} are open"));
        }
        let rules = Arc::new(crate::rules::sessions(connection.ends, member));
        match rules.refusal() {
            Some(words) => no(words.to_owned()),
            None => Ok((rules.clone(), connection.desk.seat(rules))),
        }
    }

    fn closed(&mut self, reactor: &mut Reactor, key: Key, closed: &Closed, counters: Counters) {
        self.forwards.remove(reactor, key);
        self.sessions.gone(key);
        self.serve_forwards(reactor);
        self.log_sessions();
        let Some(connection) = self.connections.remove(&key) else { return };
        connection.desk.gone();
        let ending = self.log_gone(&connection, closed, counters, reactor.now());
        self.forget(connection.ticket, ending);
    }

    /// A connection makes room for another.
    fn forget(&mut self, ticket: Ticket, ending: crate::limits::Ending) {
        let notice = self.shared.limits().ended(self.shared.now(), ticket, ending);
        if let Some(notice) = notice {
            self.shared.log.event(&crate::log::Event::Limit(&notice));
        }
        self.load.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
