//! Listeners of clients: asked for, bound, taken over, cancelled. RFC 4254 §7.1, OpenSSH PROTOCOL §2.4.
//! Touches: listening sockets, global requests.   Never: users' rights; what needs those is a [`Need`].
//! Invariants: the address is kept letter for letter; one bound address is success; each request is answered once.
//! Errors: REQUEST_FAILURE, with the reason in a DEBUG message before it and in a notice.   Allocates: per forward.
//! Proved by: `tests/served.rs`.

use super::guest::Granted;
use super::notice::{Need, Notice, Place, Ticket, Unlistened};
use super::rules::ListenPlan;
use super::{Served, Waiting};
use crate::listen::{bind_any, known_addresses, os_words};
use adit_engine::{Answer, Forward, ReplyToken};
use adit_reactor::{Found, Key, Listener, LookupId, Reactor};
use std::io;
use std::net::SocketAddr;

/// The first port that everybody may listen on.
const UNRESERVED: u32 = 1024;

/// A forward that is not decided.
pub(crate) struct Asked {
    pub(crate) session: Key,
    token: ReplyToken,
    forward: Forward<'static>,
    plan: ListenPlan,
    /// Whoever listened there has been asked to give way.
    retried: bool,
}

impl Served {
    pub(crate) fn forward_requested(
        &mut self,
        reactor: &mut Reactor,
        session: Key,
        token: ReplyToken,
        forward: Forward<'static>,
    ) {
        let verdict = self.may_listen(session, &token, &forward);
        if let Some(guest) = self.guests.get_mut(&session) {
            guest.asking += 1;
        }
        let plan = verdict.as_ref().copied().unwrap_or_default();
        let asked = Asked { session, token, forward, plan, retried: false };
        match verdict {
            Ok(_) => self.find_place(reactor, asked),
            Err(words) => self.turn_down(reactor, asked, words),
        }
    }

    fn may_listen(
        &self,
        session: Key,
        token: &ReplyToken,
        forward: &Forward<'_>,
    ) -> Result<ListenPlan, String> {
        let Some(guest) = self.guests.get(&session) else { return Ok(ListenPlan::default()) };
        let plan = guest.rules.may_listen(forward)?;
        let limit = guest.rules.max_listeners();
        if guest.granted.len() + guest.asking >= limit {
            return Err(format!("this connection may listen {limit} times"));
        }
        if guest.granted.iter().any(|granted| granted.forward == *forward) {
            return Err("this connection listens there already".into());
        }
        match forward {
            // Nobody would learn which port it is.
            Forward::Tcpip { port: 0, .. } if !token.is_awaited() => {
                Err("port 0 needs a reply".into())
            }
            // The system would choose a name in its abstract namespace.
            Forward::Streamlocal { path } if path.is_empty() => Err("there is no path".into()),
            _ => Ok(plan),
        }
    }

    fn find_place(&mut self, reactor: &mut Reactor, asked: Asked) {
        let Forward::Tcpip { address, port } = &asked.forward else {
            return self.bind(reactor, asked, Vec::new());
        };
        let (gateway_ports, family) = (asked.plan.gateway_ports, self.options.family);
        // The engine lets no port through that TCP does not have.
        let port = u16::try_from(*port).unwrap_or_default();
        let on = gateway_ports.listen_on(address);
        if let Some(addresses) = known_addresses(on, port, family) {
            if gateway_ports.overrides(address) {
                let words = format!("GatewayPorts: every address instead of \"{address}\"");
                explain(reactor, asked.session, &words);
            }
            return self.bind(reactor, asked, addresses);
        }
        let lookup = reactor.look_up(address, port, family);
        self.naming.insert(lookup, asked);
    }

    pub(crate) fn named(&mut self, reactor: &mut Reactor, lookup: LookupId, found: Found) {
        let Some(asked) = self.naming.remove(&lookup) else { return };
        match found {
            Ok(addresses) => self.bind(reactor, asked, addresses),
            Err(words) => self.turn_down(reactor, asked, words),
        }
    }

    /// Binds, or has it done by those who have the right to.
    fn bind(&mut self, reactor: &mut Reactor, asked: Asked, addresses: Vec<SocketAddr>) {
        let session = asked.session;
        match &asked.forward {
            Forward::Streamlocal { path } => {
                let path = path.clone().into_owned();
                let ListenPlan { bind_mask: mask, bind_unlink: unlink, .. } = asked.plan;
                let ticket = self.ticket(Waiting::Listener(asked, addresses));
                self.needs.push_back(Need::ListenUnix { ticket, session, path, mask, unlink });
            }
            Forward::Tcpip { port: 1..UNRESERVED, address } => {
                let wanted = address.clone().into_owned();
                let ticket = self.ticket(Waiting::Listener(asked, addresses.clone()));
                self.needs.push_back(Need::ListenTcp { ticket, session, asked: wanted, addresses });
            }
            Forward::Tcpip { .. } => {
                let result = bind_any(&addresses);
                self.bound(reactor, asked, addresses, result);
            }
        }
    }

    /// Answers [`Need::ListenTcp`] and [`Need::ListenUnix`]: with what was bound, or the error when nothing was.
    pub fn listening(
        &mut self,
        reactor: &mut Reactor,
        ticket: Ticket,
        result: io::Result<Vec<Listener>>,
    ) {
        if let Some(Waiting::Listener(asked, addresses)) = self.waiting.remove(&ticket) {
            self.bound(reactor, asked, addresses, result);
        }
    }

    fn bound(
        &mut self,
        reactor: &mut Reactor,
        asked: Asked,
        addresses: Vec<SocketAddr>,
        result: io::Result<Vec<Listener>>,
    ) {
        match result.and_then(|bound| watch(reactor, bound)) {
            Ok(listeners) => self.grant(reactor, asked, listeners),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                self.in_use(reactor, asked, addresses, &error);
            }
            Err(error) => self.turn_down(reactor, asked, os_words(&error)),
        }
    }

    fn in_use(
        &mut self,
        reactor: &mut Reactor,
        asked: Asked,
        addresses: Vec<SocketAddr>,
        error: &io::Error,
    ) {
        let session = asked.session;
        let place = match &asked.forward {
            Forward::Tcpip { .. } => Place::Tcp(addresses.clone()),
            Forward::Streamlocal { path } => Place::Unix(path.clone().into_owned()),
        };
        if !asked.plan.takeover || asked.retried || self.listens_at(reactor, session, &place) {
            return self.turn_down(reactor, asked, os_words(error));
        }
        let ticket = self.ticket(Waiting::Takeover(asked, addresses));
        self.needs.push_back(Need::Takeover { ticket, session, place });
    }

    /// Answers [`Need::Takeover`]: whether the place was given up.
    pub fn retry(&mut self, reactor: &mut Reactor, ticket: Ticket, given_up: bool) {
        let Some(Waiting::Takeover(mut asked, addresses)) = self.waiting.remove(&ticket) else {
            return;
        };
        if !given_up {
            let words = os_words(&rustix::io::Errno::ADDRINUSE.into());
            return self.turn_down(reactor, asked, words);
        }
        asked.retried = true;
        // The path of the old socket was left for this.
        asked.plan.bind_unlink = true;
        self.bind(reactor, asked, addresses);
    }

    fn grant(&mut self, reactor: &mut Reactor, asked: Asked, listeners: Vec<Key>) {
        let Asked { session, token, mut forward, .. } = asked;
        let Some(guest) = self.guests.get_mut(&session) else { return };
        guest.asking -= 1;
        let bound: Vec<SocketAddr> = addresses_of(reactor, &listeners).collect();
        let mut answer = Answer::Success;
        if let (Forward::Tcpip { port, .. }, Some(address)) = (&mut forward, bound.first()) {
            if *port == 0 {
                *port = u32::from(address.port());
                answer = Answer::Port(*port);
            }
        }
        if let Some(engine) = reactor.engine(session) {
            engine.reply(token, answer);
        }
        self.listeners.extend(listeners.iter().map(|listener| (*listener, session)));
        // Most sessions have one.
        guest.granted.reserve_exact(1);
        guest.granted.push(Granted {
            forward: forward.clone(),
            listeners: listeners.into(),
            since: reactor.now(),
            accepted: 0,
        });
        self.notices.push_back(Notice::Listening { session, forward, bound });
    }

    fn turn_down(&mut self, reactor: &mut Reactor, asked: Asked, words: String) {
        let Asked { session, token, forward, .. } = asked;
        if let Some(guest) = self.guests.get_mut(&session) {
            guest.asking -= 1;
        }
        explain(reactor, session, &format!("cannot listen on {}: {words}", name_of(&forward)));
        if let Some(engine) = reactor.engine(session) {
            engine.reply(token, Answer::Failure);
        }
        self.notices.push_back(Notice::ListenRefused { session, forward, words });
    }
}

/// The end of listeners.
impl Served {
    pub(crate) fn cancel_requested(
        &mut self,
        reactor: &mut Reactor,
        session: Key,
        token: ReplyToken,
        forward: &Forward<'_>,
    ) {
        let cancelled = self.take_granted(session, |granted| granted.forward == *forward);
        let found = !cancelled.is_empty();
        for granted in cancelled {
            self.unlisten(reactor, session, granted, Unlistened::Cancelled);
        }
        if let Some(engine) = reactor.engine(session) {
            engine.reply(token, if found { Answer::Success } else { Answer::Failure });
        }
    }

    /// Closes what a session listens on there, for another to take it; connections stay, and its client is not told.
    ///
    /// Gives the forwards that ended: none when it listens on nothing there.
    pub fn give_up(
        &mut self,
        reactor: &mut Reactor,
        session: Key,
        place: &Place,
    ) -> Vec<Forward<'static>> {
        let given_up = self.take_granted(session, |granted| is_at(reactor, granted, place));
        let forwards = given_up.iter().map(|granted| granted.forward.clone()).collect();
        for granted in given_up {
            self.unlisten(reactor, session, granted, Unlistened::TakenOver);
        }
        forwards
    }

    fn listens_at(&self, reactor: &Reactor, session: Key, place: &Place) -> bool {
        let guest = self.guests.get(&session);
        guest
            .is_some_and(|guest| guest.granted.iter().any(|granted| is_at(reactor, granted, place)))
    }

    fn take_granted(
        &mut self,
        session: Key,
        mut wanted: impl FnMut(&Granted) -> bool,
    ) -> Vec<Granted> {
        let Some(guest) = self.guests.get_mut(&session) else { return Vec::new() };
        let (taken, kept) =
            std::mem::take(&mut guest.granted).into_iter().partition(|granted| wanted(granted));
        guest.granted = kept;
        taken
    }

    pub(crate) fn unlisten(
        &mut self,
        reactor: &mut Reactor,
        session: Key,
        granted: Granted,
        why: Unlistened,
    ) {
        let Granted { forward, listeners, since, accepted } = granted;
        for listener in listeners {
            self.listeners.remove(&listener);
            let listener = reactor.unlisten(listener);
            // Whoever takes the place removes the path itself: done here it could come too late.
            if let (Some(mut listener), Unlistened::TakenOver) = (listener, why) {
                listener.leave_path();
            }
        }
        let duration = reactor.now() - since;
        self.notices.push_back(Notice::Unlistened { session, forward, duration, accepted, why });
    }
}

/// Has the loop accept from all of them.
fn watch(reactor: &mut Reactor, bound: Vec<Listener>) -> io::Result<Vec<Key>> {
    let mut failure = io::Error::from(io::ErrorKind::AddrNotAvailable);
    let mut keys = Vec::with_capacity(bound.len());
    for listener in bound {
        match reactor.listen(listener) {
            Ok(key) => keys.push(key),
            Err(error) => failure = error,
        }
    }
    if keys.is_empty() { Err(failure) } else { Ok(keys) }
}

fn addresses_of(reactor: &Reactor, listeners: &[Key]) -> impl Iterator<Item = SocketAddr> {
    listeners.iter().filter_map(|key| reactor.listener(*key).and_then(Listener::local_addr))
}

fn is_at(reactor: &Reactor, granted: &Granted, place: &Place) -> bool {
    match (&granted.forward, place) {
        (Forward::Streamlocal { path }, Place::Unix(wanted)) => path == wanted,
        _ => addresses_of(reactor, &granted.listeners).any(|address| place.covers(address)),
    }
}

fn explain(reactor: &mut Reactor, session: Key, words: &str) {
    if let Some(engine) = reactor.engine(session) {
        engine.explain(words);
    }
}

/// What a forward is called in words for its client.
fn name_of(forward: &Forward<'_>) -> String {
    match forward {
        Forward::Tcpip { address, port } => format!("\"{address}\" port {port}"),
        Forward::Streamlocal { path } => format!("\"{path}\""),
    }
}
