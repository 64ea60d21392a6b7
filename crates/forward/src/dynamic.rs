//! Dynamic forwards: a proxy client says where it wants to go, then its connection becomes a channel. ssh -D.
//! Touches: streams in dialogue.   Never: the bytes of the protocols; `DynamicRequest` reads those.
//! Invariants: bytes behind the request belong to the channel; a client that says nothing is closed in time.
//! Errors: the protocol's own refusal.   Allocates: per dialogue.
//! Proved by: interop `dynamic.rs`.

use crate::forwarder::{Forwarder, Notice};
use crate::originator::Originator;
use crate::{DynamicRequest, ProxyTarget, Step, Target};
use adit_reactor::{Key, Reactor};

impl Forwarder {
    /// Listens to what a proxy client wants.
    pub(crate) fn dialogue(&mut self, reactor: &mut Reactor, stream: Key) {
        self.dialogues.insert(stream, DynamicRequest::new());
        reactor.converse(stream);
        reactor.close_if_silent(stream, PATIENCE);
    }

    pub(crate) fn received(&mut self, reactor: &mut Reactor, stream: Key, bytes: &[u8]) {
        let Some(mut request) = self.dialogues.remove(&stream) else { return };
        if bytes.is_empty() {
            return reactor.finish(stream);
        }
        let mut input = bytes;
        loop {
            let fed = request.feed(input);
            input = &input[fed.consumed..];
            match fed.step {
                Step::NeedMore => break,
                Step::Reply(reply) => reactor.reply(stream, reply),
                Step::Request(target, protocol) => {
                    reactor.hold(stream);
                    let target = Target::from(target);
                    let (from, input) = (Originator::of(reactor, stream), input.to_vec());
                    return self.open(reactor, stream, &target, from, Some(protocol), input);
                }
                Step::Refuse(refusal) => {
                    self.notices.push_back(Notice::ProxyRefused(refusal.reason.to_owned()));
                    reactor.reply(stream, refusal.reply);
                    return reactor.finish(stream);
                }
            }
        }
        self.dialogues.insert(stream, request);
    }
}

/// How long a proxy client may take to say what it wants, in milliseconds.
const PATIENCE: u64 = 30_000;

impl From<ProxyTarget> for Target {
    fn from(target: ProxyTarget) -> Self {
        Self::Tcp { host: target.host, port: target.port }
    }
}
