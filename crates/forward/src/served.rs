//! The server's side of forwarding, for all sessions of one loop: connections for clients, listeners for clients.
//! Touches: the loop's keys, the engines' opens and global requests.   Never: policy, users' rights, payload.
//! Invariants: every open is accepted or refused once, every request answered once; nothing outlives its session.
//! Errors: words for the client and a [`Notice`] for the log.   Allocates: per listener and connection, not per session.
//! Proved by: `tests/served.rs`.
//!
//! ```text
//! direct-tcpip        rules ─► look-up ─► dial ─► accept, relay
//! direct-streamlocal  rules ─► Need::ConnectUnix ─► accept, relay
//! tcpip-forward       rules ─► (look-up) ─► bind, or Need::ListenTcp ─► (Need::Takeover ─► bind) ─► reply
//! streamlocal-forward rules ─► Need::ListenUnix ─► (Need::Takeover ─► Need::ListenUnix) ─► reply
//! accepted            forwarded-tcpip or forwarded-streamlocal ─► relay
//! ```

mod connect;
mod guest;
mod listening;
mod notice;
mod rules;

pub use notice::{Connection, Ending, Need, Notice, Place, Route, Ticket, Unlistened};
pub use rules::{GatewayPorts, ListenPlan, Rules};

use crate::originator::Originator;
use crate::reach::{Reaching, Step};
use connect::Wanted;
use guest::{Carried, Guest};
use listening::Asked;

use adit_engine::Open;
use adit_reactor::{DialOptions, Event, Family, Key, LookupId, Millis, Reactor};
use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

/// How long a client's connection may be on its way, in milliseconds.
const PATIENCE: Millis = 30_000;

/// How the server forwards, the same for everybody.
#[derive(Clone, Debug)]
pub struct ServedOptions {
    /// Connections made for clients.
    pub dial: DialOptions,
    /// Families to listen on and to connect to (`AddressFamily`).
    pub family: Family,
}

impl Default for ServedOptions {
    fn default() -> Self {
        let dial =
            DialOptions { keepalive: true, time_limit: Some(PATIENCE), ..DialOptions::default() };
        Self { dial, family: Family::Any }
    }
}

/// Forwarding for all sessions of one loop.
pub struct Served {
    options: ServedOptions,
    guests: HashMap<Key, Guest>,
    /// Whose a listener is.
    listeners: HashMap<Key, Key>,
    carried: HashMap<Key, Carried>,
    reaching: Reaching<Wanted>,
    /// Forwards that wait for the look-up of their address.
    naming: HashMap<LookupId, Asked>,
    /// What waits for the driver.
    waiting: HashMap<Ticket, Waiting>,
    tickets: u64,
    needs: VecDeque<Need>,
    notices: VecDeque<Notice>,
}

/// What waits for the driver's answer to a need.
enum Waiting {
    Connection(Wanted),
    Listener(Asked, Vec<SocketAddr>),
    Takeover(Asked, Vec<SocketAddr>),
}

impl Waiting {
    const fn session(&self) -> Key {
        match self {
            Self::Connection(wanted) => wanted.session,
            Self::Listener(asked, _) | Self::Takeover(asked, _) => asked.session,
        }
    }
}

/// A connection that stands, for whoever watches them (`ChannelTimeout`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its stream, to hang up.
    pub stream: Key,
    /// The type of its channel.
    pub channel_type: &'static str,
    /// For how long nothing has moved, in milliseconds.
    pub idle: Millis,
}

impl Served {
    /// Nobody yet.
    pub fn new(options: ServedOptions) -> Self {
        Self {
            options,
            guests: HashMap::new(),
            listeners: HashMap::new(),
            carried: HashMap::new(),
            reaching: Reaching::new(),
            naming: HashMap::new(),
            waiting: HashMap::new(),
            tickets: 0,
            needs: VecDeque::new(),
            notices: VecDeque::new(),
        }
    }

    /// Serves a session that is logged in.
    pub fn add(&mut self, session: Key, rules: Arc<dyn Rules>) {
        self.guests.insert(session, Guest::new(rules));
    }

    /// Serves a session no more: once it is over. Its listeners go, and connections on their way.
    pub fn remove(&mut self, reactor: &mut Reactor, session: Key) {
        let Some(guest) = self.guests.remove(&session) else { return };
        if guest.reaching > 0 {
            self.reaching.give_up(reactor, |wanted| wanted.session == session);
        }
        if guest.reaching + guest.asking > 0 {
            self.naming.retain(|_, asked| asked.session != session);
            self.waiting.retain(|_, waiting| waiting.session() != session);
            self.needs.retain(|need| !need.is_of(session));
        }
        for granted in guest.granted {
            self.unlisten(reactor, session, granted, Unlistened::SessionOver);
        }
        for stream in guest.streams {
            let counts = reactor.counts(stream).unwrap_or_default();
            self.carried_to_end(reactor, stream, counts, None);
        }
    }

    /// The next thing for the log.
    pub fn next_notice(&mut self) -> Option<Notice> {
        self.notices.pop_front()
    }

    /// The next thing the driver has to do.
    pub fn next_need(&mut self) -> Option<Need> {
        self.needs.pop_front()
    }

    /// Takes an event of the loop; gives it back when it is none of its.
    pub fn event(&mut self, reactor: &mut Reactor, event: Event) -> Option<Event> {
        match event {
            Event::Accepted { listener, stream, from }
                if self.listeners.contains_key(&listener) =>
            {
                self.accepted(reactor, listener, stream, Originator::new(from));
            }
            Event::StreamGone { stream, counts, error } if self.carried.contains_key(&stream) => {
                self.carried_to_end(reactor, stream, counts, error);
            }
            Event::Resolved { lookup, found } if self.naming.contains_key(&lookup) => {
                self.named(reactor, lookup, found);
            }
            Event::Resolved { .. } | Event::Dialled { .. } => {
                match self.reaching.event(reactor, &self.options.dial, event) {
                    Step::Over(wanted, result) => self.reached(reactor, wanted, result),
                    Step::Nearer => {}
                    Step::Foreign(event) => return Some(event),
                }
            }
            Event::Ssh { session, event } if self.guests.contains_key(&session) => {
                let event = self.ssh(reactor, session, event);
                return event.map(|event| Event::Ssh { session, event });
            }
            other => return Some(other),
        }
        None
    }

    fn ssh(
        &mut self,
        reactor: &mut Reactor,
        session: Key,
        event: adit_engine::Event,
    ) -> Option<adit_engine::Event> {
        use adit_engine::Event as Ssh;
        match event {
            Ssh::Open { channel, open, .. } if is_direct(&open) => {
                self.open_requested(reactor, session, channel, *open);
            }
            Ssh::ForwardRequested { token, forward } => {
                self.forward_requested(reactor, session, token, *forward);
            }
            Ssh::CancelForwardRequested { token, forward } => {
                self.cancel_requested(reactor, session, token, &forward);
            }
            Ssh::Opened { channel } | Ssh::Eof { channel } | Ssh::Closed { channel, .. }
                if self.stream_of(reactor, session, channel).is_some() =>
            {
                if let Ssh::Opened { .. } = event {
                    self.opened(reactor, session, channel);
                }
            }
            Ssh::OpenFailed { channel, failure }
                if self.stream_of(reactor, session, channel).is_some() =>
            {
                self.open_failed(reactor, session, channel, &failure);
            }
            other => return Some(other),
        }
        None
    }

    fn ticket(&mut self, waiting: Waiting) -> Ticket {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        self.waiting.insert(ticket, waiting);
        ticket
    }
}

const fn is_direct(open: &Open<'_>) -> bool {
    matches!(open, Open::DirectTcpip { .. } | Open::DirectStreamlocal { .. })
}

/// What stands.
impl Served {
    /// The forwards a session has listened on, with the ports that were bound.
    pub fn forwards(&self, session: Key) -> impl Iterator<Item = &adit_engine::Forward<'static>> {
        let granted = self.guests.get(&session).map(|guest| &guest.granted[..]);
        granted.unwrap_or_default().iter().map(|granted| &granted.forward)
    }

    /// The connections of a session.
    pub fn connections(&self, reactor: &Reactor, session: Key) -> impl Iterator<Item = Standing> {
        let streams = self.guests.get(&session).map(|guest| &guest.streams[..]);
        streams.unwrap_or_default().iter().filter_map(|&stream| {
            let carried = self.carried.get(&stream)?;
            let moved = reactor.idle_since(stream)?.max(carried.since);
            let channel_type = carried.connection.channel_type();
            Some(Standing { stream, channel_type, idle: reactor.now() - moved })
        })
    }
}
