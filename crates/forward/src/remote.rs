//! Remote forwards: the server listens, connections are made here. RFC 4254 §7.1, ssh -R.
//! Touches: forward requests, channels the server opens, connections made for them.   Never: where else they come from.
//! Invariants: every channel offered is accepted or refused once; nothing is kept for a channel that is gone.
//! Errors: a connection that cannot be made refuses its channel, with the reason in words.   Allocates: per connection.
//! Proved by: interop `remote_forward.rs`.

use crate::forwarder::{Forwarder, Notice};
use crate::reach::Unreachable;
use crate::spec::Listen;
use crate::{DynamicRequest, Failure, ForwardSpec, Protocol, ProxyTarget, Step, Target};
use adit_engine::{Channel, Forward, Open, Outcome, RequestId, open_failure};
use adit_reactor::{Family, Key, Reactor, Socket};

/// What a proxy client at the server may send before its connection stands, in bytes.
const EARLY_LIMIT: usize = 64 * 1024;

/// A connection on its way, for a channel.
pub(crate) struct Reach {
    channel: Channel,
    target: Target,
    /// The channel is open already, and its client waits for the outcome in this protocol.
    protocol: Option<Protocol>,
    /// What that client sent behind its request.
    early: Vec<u8>,
    /// And that this was all it will send.
    ended: bool,
}

impl Forwarder {
    /// Asks the server to listen. The answer is a [`Notice`].
    pub fn request_remote(&mut self, reactor: &mut Reactor, spec: ForwardSpec) {
        let forward = match &spec.listen {
            Listen::Tcp { bind, port } => Forward::tcpip(bind.wire(), u32::from(*port)),
            Listen::Unix(path) => Forward::streamlocal(path),
        };
        match reactor.engine(self.session).map(|engine| engine.request_forward(forward)) {
            Some(Ok(request)) => {
                self.unanswered += 1;
                self.remotes.insert(request, spec);
            }
            _ => self.notices.push_back(Notice::RemoteFailed { spec }),
        }
    }

    pub(crate) fn remote_answered(&mut self, request: RequestId, outcome: Outcome) {
        self.unanswered -= 1;
        let Some(spec) = self.remotes.get(&request).cloned() else { return };
        self.notices.push_back(match outcome {
            Outcome::Listening { port } => {
                let chosen = matches!(spec.listen, Listen::Tcp { port: 0, .. });
                Notice::RemoteListening { spec, allocated: chosen.then_some(port) }
            }
            _ => {
                self.remotes.remove(&request);
                Notice::RemoteFailed { spec }
            }
        });
    }

    /// The server offers a channel.
    pub(crate) fn incoming(
        &mut self,
        reactor: &mut Reactor,
        channel: Channel,
        open: &Open<'static>,
        forward: Option<RequestId>,
    ) {
        let target =
            forward.and_then(|request| self.remotes.get(&request)).map(|spec| spec.target.clone());
        match target {
            Some(Target::Dynamic) => {
                if let Some(engine) = reactor.engine(self.session) {
                    engine.accept(channel);
                }
                self.remote_dialogues.insert(channel, DynamicRequest::new());
            }
            Some(target) => self.reach(reactor, Reach::new(channel, target)),
            None => {
                self.notices.push_back(Notice::Unasked(open.clone()));
                self.refuse(
                    reactor,
                    channel,
                    open_failure::ADMINISTRATIVELY_PROHIBITED,
                    "not asked for",
                );
            }
        }
    }

    fn refuse(&mut self, reactor: &mut Reactor, channel: Channel, reason: u32, words: &str) {
        if let Some(engine) = reactor.engine(self.session) {
            engine.refuse(channel, reason, words);
        }
    }

    /// Makes the connection a channel is for.
    fn reach(&mut self, reactor: &mut Reactor, reach: Reach) {
        match &reach.target {
            Target::Tcp { host, port } => {
                let (host, port) = (host.clone(), *port);
                self.reaching.start(reactor, &host, port, Family::Any, reach);
            }
            Target::Unix(path) => {
                let stream = std::os::unix::net::UnixStream::connect(path)
                    .and_then(Socket::unix)
                    .and_then(|socket| reactor.add_socket(socket));
                self.reach_ended(reactor, reach, stream.map_err(Unreachable::from));
            }
            Target::Dynamic => {}
        }
    }

    pub(crate) fn reach_ended(
        &mut self,
        reactor: &mut Reactor,
        reach: Reach,
        result: Result<Key, Unreachable>,
    ) {
        match result {
            Ok(stream) => self.reached(reactor, reach, stream),
            Err(unreachable) => self.unreachable(reactor, reach, unreachable),
        }
    }

    /// The connection stands: it becomes the channel's local end.
    fn reached(&mut self, reactor: &mut Reactor, reach: Reach, stream: Key) {
        let answer = match reach.protocol {
            Some(protocol) => protocol.success().to_vec(),
            None => {
                if let Some(engine) = reactor.engine(self.session) {
                    engine.accept(reach.channel);
                }
                Vec::new()
            }
        };
        reactor.relay(stream, self.session, reach.channel, answer);
        reactor.reply(stream, &reach.early);
        reactor.flow(stream);
        if reach.ended {
            reactor.end_of_input(stream);
        }
    }

    fn unreachable(&mut self, reactor: &mut Reactor, reach: Reach, why: Unreachable) {
        match reach.protocol {
            Some(protocol) => self.turn_away(reactor, reach.channel, protocol.failure(why.failure)),
            None => self.refuse(reactor, reach.channel, open_failure::CONNECT_FAILED, &why.words),
        }
        self.notices.push_back(Notice::ConnectFailed { target: reach.target, error: why.words });
    }
}

/// Reverse dynamic forwards: the proxy client is at the server, its words come over the channel.
impl Forwarder {
    pub(crate) fn remote_data(&mut self, reactor: &mut Reactor, channel: Channel, bytes: &[u8]) {
        if let Some(reach) = self.reach_of(channel) {
            reach.early.extend_from_slice(bytes);
            if reach.early.len() > EARLY_LIMIT {
                self.forget_reach(reactor, channel);
                self.turn_away(reactor, channel, b"");
            }
            return;
        }
        let Some(mut request) = self.remote_dialogues.remove(&channel) else { return };
        let mut input = bytes;
        loop {
            let fed = request.feed(input);
            input = &input[fed.consumed..];
            match fed.step {
                Step::NeedMore => break,
                Step::Reply(reply) => reactor.send(self.session, channel, reply),
                Step::Request(target, protocol) => {
                    self.remote_request(reactor, channel, target, protocol);
                    return self.remote_data(reactor, channel, input);
                }
                Step::Refuse(refusal) => {
                    self.notices.push_back(Notice::ProxyRefused(refusal.reason.to_owned()));
                    return self.turn_away(reactor, channel, refusal.reply);
                }
            }
        }
        self.remote_dialogues.insert(channel, request);
    }

    fn remote_request(
        &mut self,
        reactor: &mut Reactor,
        channel: Channel,
        target: ProxyTarget,
        protocol: Protocol,
    ) {
        let permit = &self.options.permit_remote_open;
        if !permit.allows(&target.host, target.port) {
            let words = permit.refusal(&target.host, target.port);
            self.notices.push_back(Notice::ProxyRefused(words));
            return self.turn_away(reactor, channel, protocol.failure(Failure::NotAllowed));
        }
        let reach = Reach { protocol: Some(protocol), ..Reach::new(channel, target.into()) };
        self.reach(reactor, reach);
    }

    /// Says why and closes the channel in order.
    fn turn_away(&mut self, reactor: &mut Reactor, channel: Channel, reply: &[u8]) {
        reactor.send(self.session, channel, reply);
        reactor.send_eof(self.session, channel);
        reactor.close_channel(self.session, channel);
    }

    /// The proxy client at the server has said all it will say.
    pub(crate) fn remote_ended(&mut self, reactor: &mut Reactor, channel: Channel) {
        if let Some(reach) = self.reach_of(channel) {
            reach.ended = true;
        } else if self.remote_dialogues.remove(&channel).is_some() {
            self.turn_away(reactor, channel, b"");
        }
    }

    fn reach_of(&mut self, channel: Channel) -> Option<&mut Reach> {
        self.reaching.find_mut(|reach| reach.channel == channel)
    }

    /// The channel is gone while its connection was being made.
    pub(crate) fn forget_reach(&mut self, reactor: &mut Reactor, channel: Channel) {
        self.reaching.give_up(reactor, |reach| reach.channel == channel);
    }
}

impl Reach {
    const fn new(channel: Channel, target: Target) -> Self {
        Self { channel, target, protocol: None, early: Vec::new(), ended: false }
    }
}
