//! The forwarder: what every listener, channel and connection of one session is for.
//! Touches: the loop's keys, the engine's opens and requests.   Never: payload of an open channel, the terminal.
//! Invariants: a channel is accepted only for a forward that was asked for; a proxy client hears the truth about its open.
//! Errors: a failed forward is a [`Notice`]; only the owner decides what it means.   Allocates: per connection.
//! Proved by: interop `local_forward.rs`, `remote_forward.rs`, `dynamic.rs`, `stdio.rs`.

use crate::listen::{BindFailure, ListenOptions, bind};
use crate::originator::Originator;
use crate::reach::{Reaching, Step};
use crate::remote::Reach;
use crate::{DynamicRequest, Failure, ForwardSpec, PermitRemoteOpen, Protocol, Target};
use adit_engine::{Channel, Open, RequestId};
use adit_reactor::{DialOptions, Event, Key, Reactor};
use std::collections::{HashMap, VecDeque};
use std::io;

/// What is forwarded and how.
#[derive(Clone, Debug, Default)]
pub struct ForwardOptions {
    /// Local listeners.
    pub listen: ListenOptions,
    /// Connections made for remote forwards.
    pub dial: DialOptions,
    /// Where a reverse dynamic forward may go (`PermitRemoteOpen`).
    pub permit_remote_open: PermitRemoteOpen,
}

/// Something a user may want to know.
#[derive(Debug)]
pub enum Notice {
    /// A connection came to a listener of ours.
    Requested {
        /// Where it is to go.
        target: Target,
    },
    /// A channel could not be opened.
    OpenFailed {
        /// Its number.
        channel: u32,
        /// RFC 4254 §5.1
        reason: u32,
        /// The peer's words, unchecked.
        description: Vec<u8>,
        /// It was the stdio forward.
        stdio: bool,
    },
    /// No channel can be opened at all.
    NoChannel {
        /// It was the stdio forward.
        stdio: bool,
    },
    /// A connection for a remote forward could not be made.
    ConnectFailed {
        /// Where it should have gone.
        target: Target,
        /// Why.
        error: String,
    },
    /// The server listens.
    RemoteListening {
        /// What was asked for.
        spec: ForwardSpec,
        /// The port it chose, when it was asked to choose.
        allocated: Option<u32>,
    },
    /// The server will not listen.
    RemoteFailed {
        /// What was asked for.
        spec: ForwardSpec,
    },
    /// The server opened a channel for a forward nobody asked for; it was refused.
    Unasked(Open<'static>),
    /// A proxy client's request cannot be served.
    ProxyRefused(String),
    /// The stdio forward is through.
    StdioDone(Option<io::Error>),
}

/// What a channel that is being opened is for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Opening {
    /// The proxy protocol in which the local program waits for the outcome.
    pub(crate) protocol: Option<Protocol>,
}

/// All forwards of one session.
pub struct Forwarder {
    pub(crate) session: Key,
    pub(crate) options: ForwardOptions,
    pub(crate) listeners: HashMap<Key, Target>,
    pub(crate) opening: HashMap<Channel, Opening>,
    pub(crate) remotes: HashMap<RequestId, ForwardSpec>,
    /// Remote forwards whose answer is outstanding.
    pub(crate) unanswered: usize,
    /// Proxy clients on our side that have not said what they want.
    pub(crate) dialogues: HashMap<Key, DynamicRequest>,
    /// Proxy clients at the server that have not said what they want.
    pub(crate) remote_dialogues: HashMap<Channel, DynamicRequest>,
    pub(crate) reaching: Reaching<Reach>,
    pub(crate) stdio: Option<Key>,
    pub(crate) notices: VecDeque<Notice>,
}

impl Forwarder {
    /// A forwarder for a session that is logged in.
    pub fn new(session: Key, options: ForwardOptions) -> Self {
        Self {
            session,
            options,
            listeners: HashMap::new(),
            opening: HashMap::new(),
            remotes: HashMap::new(),
            unanswered: 0,
            dialogues: HashMap::new(),
            remote_dialogues: HashMap::new(),
            reaching: Reaching::new(),
            stdio: None,
            notices: VecDeque::new(),
        }
    }

    /// The next thing to tell the user.
    pub fn next_notice(&mut self) -> Option<Notice> {
        self.notices.pop_front()
    }

    /// Whether the server has answered every remote forward.
    pub const fn is_settled(&self) -> bool {
        self.unanswered == 0
    }

    /// Takes an event of the loop; gives it back when it is none of the forwarder's.
    pub fn event(&mut self, reactor: &mut Reactor, event: Event) -> Option<Event> {
        match event {
            Event::Accepted { listener, stream, from }
                if self.listeners.contains_key(&listener) =>
            {
                self.accepted(reactor, listener, stream, Originator::new(from));
            }
            Event::Received { stream, bytes } if self.dialogues.contains_key(&stream) => {
                self.received(reactor, stream, &bytes);
            }
            Event::Data { channel, bytes, extended: None, .. } => {
                self.remote_data(reactor, channel, &bytes)
            }
            Event::Resolved { .. } | Event::Dialled { .. } => {
                match self.reaching.event(reactor, &self.options.dial, event) {
                    Step::Over(reach, result) => self.reach_ended(reactor, reach, result),
                    Step::Nearer => {}
                    Step::Foreign(event) => return Some(event),
                }
            }
            Event::StreamGone { stream, error, .. } => {
                self.dialogues.remove(&stream);
                if self.stdio == Some(stream) {
                    self.notices.push_back(Notice::StdioDone(error));
                }
            }
            Event::Ssh { session, event } => {
                return self.ssh(reactor, event).map(|event| Event::Ssh { session, event });
            }
            other => return Some(other),
        }
        None
    }

    fn ssh(
        &mut self,
        reactor: &mut Reactor,
        event: adit_engine::Event,
    ) -> Option<adit_engine::Event> {
        use adit_engine::Event as Ssh;
        match event {
            Ssh::Opened { channel } if self.opening.contains_key(&channel) => {
                self.opened(reactor, channel)
            }
            Ssh::OpenFailed { channel, failure } => {
                self.open_failed(reactor, channel, failure.reason, &failure.description);
            }
            Ssh::Open { channel, open, forward } => self.incoming(reactor, channel, &open, forward),
            Ssh::ForwardUnknown { open } => self.notices.push_back(Notice::Unasked(*open)),
            Ssh::Reply { request, outcome } if self.remotes.contains_key(&request) => {
                self.remote_answered(request, outcome);
            }
            Ssh::Eof { channel } => self.remote_ended(reactor, channel),
            Ssh::Closed { channel, .. } => {
                self.remote_dialogues.remove(&channel);
                self.forget_reach(reactor, channel);
            }
            other => return Some(other),
        }
        None
    }
}

/// Forwards whose listener is on this side.
impl Forwarder {
    /// Listens for `-L` and `-D`. What could not be bound comes back; what could, stays.
    pub fn listen(
        &mut self,
        reactor: &mut Reactor,
        spec: &ForwardSpec,
    ) -> (usize, Vec<BindFailure>) {
        let (bound, failures) = bind(&spec.listen, &self.options.listen);
        let mut count = 0;
        for listener in bound {
            if let Ok(key) = reactor.listen(listener) {
                self.listeners.insert(key, spec.target.clone());
                count += 1;
            }
        }
        (count, failures)
    }

    /// Stops all local listeners; connections stay.
    pub fn unlisten(&mut self, reactor: &mut Reactor) {
        for (listener, _) in self.listeners.drain() {
            reactor.unlisten(listener);
        }
    }

    /// Makes a stream (stdin and stdout, say) one end of a channel to `target`: `-W`.
    pub fn stdio(&mut self, reactor: &mut Reactor, stream: Key, target: &Target) {
        self.stdio = Some(stream);
        let from = Originator::new(None);
        self.open(reactor, stream, target, from, None, Vec::new());
    }

    fn accepted(&mut self, reactor: &mut Reactor, listener: Key, stream: Key, from: Originator) {
        let Some(target) = self.listeners.get(&listener).cloned() else { return };
        if target == Target::Dynamic {
            self.dialogue(reactor, stream);
        } else {
            self.open(reactor, stream, &target, from, None, Vec::new());
        }
    }

    /// Opens a channel to `target` for a stream. `early` was read from it already.
    pub(crate) fn open(
        &mut self,
        reactor: &mut Reactor,
        stream: Key,
        target: &Target,
        from: Originator,
        protocol: Option<Protocol>,
        early: Vec<u8>,
    ) {
        self.notices.push_back(Notice::Requested { target: target.clone() });
        let open = match target {
            Target::Tcp { host, port } => {
                Open::direct_tcpip(host, u32::from(*port), &from.address, from.port)
            }
            Target::Unix(path) => Open::DirectStreamlocal { path: path.into() },
            Target::Dynamic => return reactor.finish(stream),
        };
        match reactor.engine(self.session).map(|engine| engine.open(&open)) {
            Some(Ok(channel)) => {
                self.opening.insert(channel, Opening { protocol });
                reactor.relay(stream, self.session, channel, early);
            }
            _ => {
                self.notices.push_back(Notice::NoChannel { stdio: self.stdio == Some(stream) });
                self.refuse_stream(reactor, stream, protocol, Failure::General);
            }
        }
    }

    fn opened(&mut self, reactor: &mut Reactor, channel: Channel) {
        let Some(Opening { protocol: Some(protocol) }) = self.opening.remove(&channel) else {
            return;
        };
        if let Some(stream) = reactor.stream_of(self.session, channel) {
            reactor.reply(stream, protocol.success());
        }
    }

    fn open_failed(
        &mut self,
        reactor: &mut Reactor,
        channel: Channel,
        reason: u32,
        description: &[u8],
    ) {
        let opening = self.opening.remove(&channel).unwrap_or_default();
        let stream = reactor.stream_of(self.session, channel);
        self.notices.push_back(Notice::OpenFailed {
            channel: channel.number().0,
            reason,
            description: description.to_vec(),
            stdio: stream.is_some() && stream == self.stdio,
        });
        if let Some(stream) = stream {
            let failure = Failure::from_open_failure(reason, description);
            self.refuse_stream(reactor, stream, opening.protocol, failure);
        }
    }

    /// Tells a proxy client why, and closes.
    pub(crate) fn refuse_stream(
        &mut self,
        reactor: &mut Reactor,
        stream: Key,
        protocol: Option<Protocol>,
        failure: Failure,
    ) {
        if let Some(protocol) = protocol {
            reactor.reply(stream, protocol.failure(failure));
        }
        reactor.finish(stream);
    }
}
