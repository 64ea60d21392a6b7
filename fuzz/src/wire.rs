//! Every message and every body: decoding never panics, and nothing is left out or made up.
//! Touches: `adit_wire`.   Never: anything above it.
//! Invariants: what was decoded is encoded to the same number of bytes.
//! Errors: a panic is a finding.   Allocates: the encoded message.
//! Proved by: the seeds.

use adit_wire::{Body, Message, auth, channel, global_request, kex, transport};
use std::fmt::Debug;

/// The bytes as every message and every body there is.
pub fn wire_messages(bytes: &[u8]) {
    message::<auth::UserauthRequest>(bytes);
    message::<auth::UserauthFailure>(bytes);
    message::<auth::UserauthSuccess>(bytes);
    message::<auth::UserauthBanner>(bytes);
    message::<auth::UserauthPkOk>(bytes);
    message::<auth::UserauthPasswdChangereq>(bytes);
    body::<auth::KeyboardInteractive>(bytes);
    message::<channel::ChannelOpen>(bytes);
    message::<channel::ChannelOpenConfirmation>(bytes);
    message::<channel::ChannelOpenFailure>(bytes);
    message::<channel::ChannelWindowAdjust>(bytes);
    message::<channel::ChannelData>(bytes);
    message::<channel::ChannelExtendedData>(bytes);
    message::<channel::ChannelEof>(bytes);
    message::<channel::ChannelClose>(bytes);
    message::<channel::ChannelRequest>(bytes);
    message::<channel::ChannelSuccess>(bytes);
    message::<channel::ChannelFailure>(bytes);
    body::<channel::DirectTcpip>(bytes);
    body::<channel::ForwardedTcpip>(bytes);
    body::<channel::DirectStreamlocal>(bytes);
    body::<channel::ForwardedStreamlocal>(bytes);
    body::<channel::PtyReq>(bytes);
    body::<channel::WindowChange>(bytes);
    body::<channel::Env>(bytes);
    body::<channel::Exec>(bytes);
    body::<channel::Subsystem>(bytes);
    body::<channel::Signal>(bytes);
    body::<channel::ExitStatus>(bytes);
    body::<channel::ExitSignal>(bytes);
    message::<global_request::GlobalRequest>(bytes);
    message::<global_request::RequestSuccess>(bytes);
    message::<global_request::RequestFailure>(bytes);
    body::<global_request::TcpipForward>(bytes);
    body::<global_request::BoundPort>(bytes);
    body::<global_request::StreamlocalForward>(bytes);
    message::<kex::KexdhInit>(bytes);
    message::<kex::KexdhReply>(bytes);
    message::<kex::KexEcdhInit>(bytes);
    message::<kex::KexEcdhReply>(bytes);
    message::<kex::KexDhGexGroup>(bytes);
    message::<kex::KexDhGexInit>(bytes);
    message::<kex::KexDhGexReply>(bytes);
    message::<kex::KexDhGexRequest>(bytes);
    message::<transport::Disconnect>(bytes);
    message::<transport::Ignore>(bytes);
    message::<transport::Unimplemented>(bytes);
    message::<transport::Debug>(bytes);
    message::<transport::ServiceRequest>(bytes);
    message::<transport::ServiceAccept>(bytes);
    message::<transport::KexInit>(bytes);
    message::<transport::NewKeys>(bytes);
    message::<transport::Ping>(bytes);
    message::<transport::Pong>(bytes);
}

fn message<'a, M: Message<'a> + PartialEq + Debug>(bytes: &'a [u8]) {
    if let Ok(message) = M::decode(bytes) {
        let mut encoded = Vec::new();
        message.encode(&mut encoded);
        // Booleans other than 0 and 1 are the only bytes that may change.
        assert_eq!(encoded.len(), bytes.len(), "{message:?}");
    }
}

fn body<'a, B: Body<'a> + PartialEq + Debug>(bytes: &'a [u8]) {
    if let Ok(body) = B::decode(bytes) {
        let mut encoded = Vec::new();
        body.encode(&mut encoded);
        assert_eq!(encoded.len(), bytes.len(), "{body:?}");
    }
}
