//! A server that forwards, and its clients, on one loop; the test plays the clients' users and the driver.
//! Where a test wants one, the first client has a forwarder too.

use adit_engine::{Channel, Engine, Event as Ssh, Forward, Open, Outcome, RequestId};
use adit_forward::served::{ListenPlan, Need, Notice, Rules, Served, ServedOptions};
use adit_forward::{self as forward, ForwardOptions, ForwardSpec, Forwarder, Target};
use adit_reactor::{Event, Handler, Key, Reactor, Socket};
use adit_testkit::keys::{client_config, client_transport, server_config, server_transport};
use adit_testkit::{FixedRng, Manners};
use std::collections::VecDeque;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;

/// When a test that waits in vain is ended, in milliseconds.
const PATIENCE: u64 = 60_000;

/// Most channels of a connection.
pub(crate) const MAX_CHANNELS: u32 = 16;

/// Rules that are the same for every target and listener.
#[derive(Clone)]
pub(crate) struct House {
    pub(crate) open: Result<(), String>,
    pub(crate) listen: Result<ListenPlan, String>,
    pub(crate) max_listeners: usize,
    pub(crate) max_reaching: usize,
}

impl Default for House {
    fn default() -> Self {
        Self { open: Ok(()), listen: Ok(ListenPlan::default()), max_listeners: 8, max_reaching: 8 }
    }
}

impl Rules for House {
    fn may_open(&self, _: &Target) -> Result<(), String> {
        self.open.clone()
    }

    fn may_listen(&self, _: &Forward<'_>) -> Result<ListenPlan, String> {
        self.listen.clone()
    }

    fn max_listeners(&self) -> usize {
        self.max_listeners
    }

    fn max_reaching(&self) -> usize {
        self.max_reaching
    }
}

/// What became of a channel a client asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Opened {
    Open,
    Failed(u32, String),
}

pub(crate) struct Both {
    pub(crate) reactor: Reactor,
    pub(crate) play: Play,
}

/// Everything that the loop told.
pub(crate) struct Play {
    pub(crate) served: Served,
    pub(crate) clients: Vec<Key>,
    pub(crate) servers: Vec<Key>,
    manners: [Manners; 2],
    established: usize,
    pub(crate) opened: Vec<(Channel, Opened)>,
    pub(crate) replies: Vec<(RequestId, Outcome)>,
    pub(crate) explained: Vec<String>,
    /// What came to the clients, and the far ends for what they take; without one they refuse.
    pub(crate) offered: Vec<Open<'static>>,
    pub(crate) ends: VecDeque<UnixStream>,
    pub(crate) notices: Vec<Notice>,
    pub(crate) needs: Vec<Need>,
    pub(crate) closed: Vec<Key>,
    forwarder: Option<Forwarder>,
    /// Bytes that the forwarder was given, because they are no stream's.
    pub(crate) given: usize,
}

impl Both {
    /// A server with `count` clients, all under the same rules.
    pub(crate) fn with(count: usize, rules: House, options: ServedOptions) -> Self {
        let mut reactor = Reactor::new().unwrap();
        reactor.set_timer(reactor.now() + PATIENCE, 0);
        let mut play = Play {
            served: Served::new(options),
            clients: Vec::new(),
            servers: Vec::new(),
            manners: [Manners::default(), Manners::default()],
            established: 0,
            opened: Vec::new(),
            replies: Vec::new(),
            explained: Vec::new(),
            offered: Vec::new(),
            ends: VecDeque::new(),
            notices: Vec::new(),
            needs: Vec::new(),
            closed: Vec::new(),
            forwarder: None,
            given: 0,
        };
        for seed in 0..count {
            play.manners[0] = Manners::default();
            let (near, far) = UnixStream::pair().unwrap();
            let random = |side| Box::new(FixedRng::new(2 * seed as u64 + side));
            let client = Engine::client(client_config(client_transport()), random(0), 0);
            let mut config = server_config(server_transport());
            config.connection.max_channels = MAX_CHANNELS;
            let server = Engine::server(config, random(1), 0);
            let link = |stream| Box::new(Socket::unix(stream).unwrap());
            play.clients.push(reactor.add_session(link(near), client).unwrap());
            play.servers.push(reactor.add_session(link(far), server).unwrap());
            while play.established < 2 * (seed + 1) {
                reactor.turn(&mut play).unwrap();
            }
            play.served.add(play.servers[seed], Arc::new(rules.clone()));
        }
        Self { reactor, play }
    }

    pub(crate) fn new(rules: House) -> Self {
        Self::with(1, rules, ServedOptions::default())
    }

    /// Turns the loop until something is there.
    pub(crate) fn until<T>(&mut self, mut found: impl FnMut(&mut Play) -> Option<T>) -> T {
        loop {
            self.play.collect();
            if let Some(found) = found(&mut self.play) {
                return found;
            }
            self.reactor.turn(&mut self.play).unwrap();
        }
    }

    /// Runs `program` beside the loop until it is done.
    pub(crate) fn beside<T: Send + 'static>(
        &mut self,
        program: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        let (done, result) = mpsc::channel();
        let waker = self.reactor.waker();
        thread::spawn(move || {
            done.send(program()).unwrap();
            waker.wake().unwrap();
        });
        self.until(|_| result.try_recv().ok())
    }

    /// A channel asked for by a client, and its user's end of it.
    pub(crate) fn open(&mut self, open: &Open<'_>) -> (Channel, UnixStream) {
        let client = self.play.clients[0];
        let (ours, near) = UnixStream::pair().unwrap();
        let stream = self.reactor.add_socket(Socket::unix(near).unwrap()).unwrap();
        let channel = self.reactor.engine(client).unwrap().open(open).unwrap();
        self.reactor.relay(stream, client, channel, Vec::new());
        (channel, ours)
    }

    /// What becomes of a channel asked for.
    pub(crate) fn outcome(&mut self, channel: Channel) -> Opened {
        self.until(|play| {
            let at = play.opened.iter().position(|(opened, _)| *opened == channel)?;
            Some(play.opened.swap_remove(at).1)
        })
    }

    /// What comes of asking the server to listen, as the `nth` client.
    pub(crate) fn listen(&mut self, nth: usize, forward: Forward<'_>) -> (RequestId, Outcome) {
        let request = self.ask(nth, forward);
        (request, self.reply(request))
    }

    pub(crate) fn ask(&mut self, nth: usize, forward: Forward<'_>) -> RequestId {
        self.reactor.engine(self.play.clients[nth]).unwrap().request_forward(forward).unwrap()
    }

    pub(crate) fn cancel(&mut self, request: RequestId) -> Outcome {
        let client = self.play.clients[0];
        let request = self.reactor.engine(client).unwrap().cancel_forward(request).unwrap();
        self.reply(request)
    }

    /// The first client forwards from a port that the server chooses.
    pub(crate) fn forward_back(&mut self, spec: &str) -> u16 {
        let mut forwarder = Forwarder::new(self.play.clients[0], ForwardOptions::default());
        forwarder.request_remote(&mut self.reactor, ForwardSpec::remote(spec).unwrap());
        self.play.forwarder = Some(forwarder);
        self.until(|play| match play.forwarder.as_mut()?.next_notice()? {
            forward::Notice::RemoteListening { allocated, .. } => allocated?.try_into().ok(),
            notice => panic!("{notice:?}"),
        })
    }

    pub(crate) fn reply(&mut self, request: RequestId) -> Outcome {
        self.until(|play| {
            let at = play.replies.iter().position(|(answered, _)| *answered == request)?;
            Some(play.replies.swap_remove(at).1)
        })
    }

    pub(crate) fn notice<T>(&mut self, mut wanted: impl FnMut(&Notice) -> Option<T>) -> T {
        self.until(|play| play.notices.iter().find_map(&mut wanted))
    }

    pub(crate) fn need(&mut self) -> Need {
        self.until(|play| play.needs.pop())
    }

    /// The channel the next connection to a listener becomes ends here.
    pub(crate) fn end(&mut self) -> UnixStream {
        let (ours, end) = UnixStream::pair().unwrap();
        self.play.ends.push_back(end);
        ours
    }
}

impl Play {
    fn collect(&mut self) {
        while let Some(notice) = self.served.next_notice() {
            self.notices.push(notice);
        }
        while let Some(need) = self.served.next_need() {
            self.needs.insert(0, need);
        }
    }

    fn forwarded(&mut self, reactor: &mut Reactor, event: Event) -> Option<Event> {
        let Some(forwarder) = &mut self.forwarder else { return Some(event) };
        if let Event::Data { bytes, .. } = &event {
            self.given += bytes.len();
        }
        forwarder.event(reactor, event)
    }

    fn offered(
        &mut self,
        reactor: &mut Reactor,
        session: Key,
        channel: Channel,
        open: Open<'static>,
    ) {
        self.offered.push(open);
        let engine = reactor.engine(session).unwrap();
        match self.ends.pop_front() {
            None => engine.refuse(channel, 2, "not today"),
            Some(end) => {
                engine.accept(channel);
                let stream = reactor.add_socket(Socket::unix(end).unwrap()).unwrap();
                reactor.relay(stream, session, channel, Vec::new());
                reactor.flow(stream);
            }
        }
    }
}

impl Handler for Play {
    fn event(&mut self, reactor: &mut Reactor, event: Event) {
        let Some(event) = self.served.event(reactor, event) else { return };
        let Some(event) = self.forwarded(reactor, event) else { return };
        match event {
            Event::Ssh { session, event: Ssh::HostKey } => reactor.judge_host_key(session, true),
            Event::Ssh { session, event: Ssh::Login(ask) } => {
                let login = reactor.engine(session).and_then(Engine::login).unwrap();
                self.manners[0].answer(&ask, login);
            }
            Event::Ssh { session, event: Ssh::ServerLogin(ask) } => {
                let manners = &mut self.manners[1];
                reactor.answer_login(session, |login| manners.judge(&ask, login));
            }
            Event::Ssh { event: Ssh::Established, .. } => self.established += 1,
            Event::Ssh { event: Ssh::Opened { channel }, .. } => {
                self.opened.push((channel, Opened::Open));
            }
            Event::Ssh { event: Ssh::OpenFailed { channel, failure }, .. } => {
                let words = String::from_utf8(failure.description.to_vec()).unwrap();
                self.opened.push((channel, Opened::Failed(failure.reason, words)));
            }
            Event::Ssh { event: Ssh::Reply { request, outcome }, .. } => {
                self.replies.push((request, outcome));
            }
            Event::Ssh { event: Ssh::Debug { message, .. }, .. } => {
                self.explained.push(String::from_utf8(message).unwrap());
            }
            Event::Ssh { session, event: Ssh::Open { channel, open, .. } } => {
                self.offered(reactor, session, channel, *open);
            }
            Event::Timer(_) => panic!("waited in vain; so far {:?}", self.notices),
            Event::Closed { session, .. } => {
                self.served.remove(reactor, session);
                self.closed.push(session);
            }
            _ => {}
        }
    }
}
