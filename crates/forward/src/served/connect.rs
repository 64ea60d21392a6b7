//! Connections of clients: made for their opens, and offered to them when they come to a listener. RFC 4254 §7.2.
//! Touches: channels, look-ups, dials, streams.   Never: where listeners come from.
//! Invariants: the rules are asked before a name is; a channel is accepted once its connection stands.
//! Errors: OPEN_FAILURE with the reason in words, and a notice.   Allocates: per connection.
//! Proved by: `tests/served.rs`.

use super::guest::{Carried, Fate};
use super::notice::{Connection, Ending, Need, Notice, Route, Ticket};
use super::{Served, Waiting};
use crate::listen::os_words;
use crate::originator::Originator;
use crate::reach::Unreachable;
use crate::spec::Target;
use adit_engine::{Channel, Forward, Open, OpenFailure, open_failure};
use adit_reactor::{Counts, Key, Reactor, Socket};
use std::borrow::Cow;
use std::io;
use std::os::unix::net::UnixStream;

/// A connection on its way.
pub(crate) struct Wanted {
    pub(crate) session: Key,
    channel: Channel,
    connection: Connection,
}

/// Why an open is refused: RFC 4254 §5.1, and in words.
struct Refusal(u32, String);

/// Connections to targets.
impl Served {
    pub(crate) fn open_requested(
        &mut self,
        reactor: &mut Reactor,
        session: Key,
        channel: Channel,
        open: Open<'static>,
    ) {
        let (target, originator) = match open {
            Open::DirectTcpip { host, port, originator_address, originator_port } => (
                // The engine lets no port through that TCP does not have.
                Target::Tcp { host: host.into(), port: u16::try_from(port).unwrap_or_default() },
                Some(Originator { address: originator_address.into(), port: originator_port }),
            ),
            Open::DirectStreamlocal { path } => (Target::Unix(path.into()), None),
            _ => return,
        };
        let verdict = self.admit(session, &target);
        let connection = Connection { route: Route::To(target), originator };
        let wanted = Wanted { session, channel, connection };
        match verdict {
            Ok(()) => self.reach(reactor, wanted),
            Err(refusal) => self.refuse(reactor, wanted, refusal),
        }
    }

    fn admit(&self, session: Key, target: &Target) -> Result<(), Refusal> {
        let Some(guest) = self.guests.get(&session) else { return Ok(()) };
        guest
            .rules
            .may_open(target)
            .map_err(|words| Refusal(open_failure::ADMINISTRATIVELY_PROHIBITED, words))?;
        if guest.reaching >= guest.rules.max_reaching() {
            let words = format!("{} connections are on their way already", guest.reaching);
            return Err(Refusal(open_failure::RESOURCE_SHORTAGE, words));
        }
        Ok(())
    }

    fn reach(&mut self, reactor: &mut Reactor, wanted: Wanted) {
        let Some(guest) = self.guests.get_mut(&wanted.session) else { return };
        guest.reaching += 1;
        match &wanted.connection.route {
            Route::To(Target::Unix(path)) => {
                let (session, path) = (wanted.session, path.clone());
                let ticket = self.ticket(Waiting::Connection(wanted));
                self.needs.push_back(Need::ConnectUnix { ticket, session, path });
            }
            Route::To(Target::Tcp { host, port }) => {
                let (host, port) = (host.clone(), *port);
                self.reaching.start(reactor, &host, port, self.options.family, wanted);
            }
            _ => {}
        }
    }

    /// Answers [`Need::ConnectUnix`].
    pub fn unix_connected(
        &mut self,
        reactor: &mut Reactor,
        ticket: Ticket,
        result: io::Result<UnixStream>,
    ) {
        if let Some(Waiting::Connection(wanted)) = self.waiting.remove(&ticket) {
            let stream = result
                .and_then(Socket::unix)
                .and_then(|socket| reactor.add_socket(socket))
                .map_err(Unreachable::from);
            self.reached(reactor, wanted, stream);
        }
    }

    pub(crate) fn reached(
        &mut self,
        reactor: &mut Reactor,
        wanted: Wanted,
        result: Result<Key, Unreachable>,
    ) {
        if let Some(guest) = self.guests.get_mut(&wanted.session) {
            guest.reaching -= 1;
        }
        match result {
            Ok(stream) => {
                let Wanted { session, channel, connection } = wanted;
                if let Some(engine) = reactor.engine(session) {
                    engine.accept(channel);
                }
                self.carry(reactor, session, stream, connection);
                reactor.relay(stream, session, channel, Vec::new());
                reactor.flow(stream);
            }
            Err(why) => {
                self.refuse(reactor, wanted, Refusal(open_failure::CONNECT_FAILED, why.words));
            }
        }
    }

    fn refuse(&mut self, reactor: &mut Reactor, wanted: Wanted, Refusal(reason, words): Refusal) {
        let Wanted { session, channel, connection } = wanted;
        if let Some(engine) = reactor.engine(session) {
            engine.refuse(channel, reason, &words);
        }
        self.notices.push_back(Notice::Refused { session, connection, reason, words });
    }
}

/// Connections from listeners.
impl Served {
    pub(crate) fn accepted(
        &mut self,
        reactor: &mut Reactor,
        listener: Key,
        stream: Key,
        from: Originator,
    ) {
        let Some(&session) = self.listeners.get(&listener) else { return };
        let guest = self.guests.get_mut(&session);
        let Some(granted) = guest.and_then(|guest| guest.granted_at(listener)) else { return };
        granted.accepted += 1;
        let forward = granted.forward.clone();
        let open = match &forward {
            Forward::Tcpip { address, port } => {
                Open::forwarded_tcpip(address, *port, &from.address, from.port)
            }
            Forward::Streamlocal { path } => {
                Open::ForwardedStreamlocal { path: Cow::Borrowed(path) }
            }
        };
        let result = reactor.engine(session).map(|engine| engine.open(&open));
        let originator = matches!(forward, Forward::Tcpip { .. }).then_some(from);
        self.carry(
            reactor,
            session,
            stream,
            Connection { route: Route::From(forward), originator },
        );
        match result {
            Some(Ok(channel)) => reactor.relay(stream, session, channel, Vec::new()),
            Some(Err(error)) => {
                let words = error.to_string();
                let fate = Fate::Refused { reason: open_failure::RESOURCE_SHORTAGE, words };
                self.set_fate(stream, fate);
                reactor.finish(stream);
            }
            None => reactor.cut(stream),
        }
    }

    pub(crate) fn opened(&mut self, reactor: &Reactor, session: Key, channel: Channel) {
        let now = reactor.now();
        let stream = reactor.stream_of(session, channel);
        if let Some(carried) = stream.and_then(|stream| self.carried.get_mut(&stream)) {
            carried.since = now;
        }
    }

    /// The client would not have it; the loop closes the stream.
    pub(crate) fn open_failed(
        &mut self,
        reactor: &Reactor,
        session: Key,
        channel: Channel,
        failure: &OpenFailure,
    ) {
        let words = String::from_utf8_lossy(&failure.description).into_owned();
        if let Some(stream) = reactor.stream_of(session, channel) {
            self.set_fate(stream, Fate::Refused { reason: failure.reason, words });
        }
    }
}

/// Connections that stand.
impl Served {
    fn carry(&mut self, reactor: &Reactor, session: Key, stream: Key, connection: Connection) {
        let now = reactor.now();
        let carried = Carried { session, connection, since: now, fate: Fate::Open };
        self.carried.insert(stream, carried);
        if let Some(guest) = self.guests.get_mut(&session) {
            guest.streams.push(stream);
        }
    }

    fn set_fate(&mut self, stream: Key, fate: Fate) {
        if let Some(carried) = self.carried.get_mut(&stream) {
            carried.fate = fate;
        }
    }

    /// The stream of a channel, if it is one of ours.
    pub(crate) fn stream_of(
        &self,
        reactor: &Reactor,
        session: Key,
        channel: Channel,
    ) -> Option<Key> {
        let stream = reactor.stream_of(session, channel)?;
        self.carried.contains_key(&stream).then_some(stream)
    }

    /// Ends a connection: both its ends see that it was cut off.
    pub fn hang_up(&mut self, reactor: &mut Reactor, stream: Key, why: &str) {
        if self.carried.contains_key(&stream) {
            self.set_fate(stream, Fate::Ended(Ending::HungUp(why.to_owned())));
            reactor.cut(stream);
        }
    }

    pub(crate) fn carried_to_end(
        &mut self,
        reactor: &mut Reactor,
        stream: Key,
        counts: Counts,
        error: Option<io::Error>,
    ) {
        let Some(carried) = self.carried.remove(&stream) else { return };
        let Carried { session, connection, since, fate, .. } = carried;
        if let Some(guest) = self.guests.get_mut(&session) {
            guest.forget_stream(stream);
        }
        let ending = match fate {
            Fate::Refused { reason, words } => {
                let refused = Notice::Refused { session, connection, reason, words };
                return self.notices.push_back(refused);
            }
            Fate::Ended(ending) => ending,
            Fate::Open if reactor.engine(session).is_none() => Ending::SessionOver,
            Fate::Open => error.map_or(Ending::Finished, |error| Ending::Broken(os_words(&error))),
        };
        let duration = reactor.now() - since;
        self.notices.push_back(Notice::Carried { session, connection, counts, duration, ending });
    }
}
