//! The client's half of a key exchange. RFC 4253 §8, RFC 5656 §4, RFC 4419 §3.
//! Touches: the server's answers, its host key, its signature.   Never: whether the key is trusted: the driver says.
//! Invariants: a host key is shown only once it has signed this exchange; at a rekey it is the one shown before.
//! Errors: `InvalidMessage`, `Violation`, `KexFailure`.   Allocates: public values, the host key.
//! Proved by: `tests::kex`, `tests::rekey`, `tests/openssh.rs`.

use adit_crypto::{DhGroup, Ephemeral, KexShape, PublicKey};
use adit_wire::Message;
use adit_wire::kex::{KexDhGexGroup, KexDhGexRequest};

use crate::clear::IS_CLEAR;
use crate::config::Config;
use crate::error::{Error, KexFailure, Violation};
use crate::kex_messages::{Reply, encode_init, reply_number};
use crate::kex_state::{ExpectNewKeys, KexState};
use crate::output::Output;
use crate::session::{ChosenGroup, Secrets, Session, Terms, Values};

/// What we ask for with group exchange: RFC 8270's minimum, 128 bits of security, and no more than is ever built in.
const GROUP_SIZES: KexDhGexRequest = KexDhGexRequest { min: 2048, n: 3072, max: 8192 };

/// What a client waits for.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "one per connection, and only while keys are exchanged"
)]
pub(crate) enum ClientKex {
    /// The server's group.
    GroupRequested(ExpectGroup),
    /// The server's value and signature.
    InitSent(ExpectReply),
    /// The driver's word on the host key.
    HostKeyShown(ExpectVerdict),
}

impl ClientKex {
    /// Sends our value, unless `sent` has gone out with KEXINIT already and was right.
    pub(crate) fn begin(
        terms: Terms,
        sent: Option<(Ephemeral, bool)>,
        out: &mut Output<'_>,
    ) -> Result<Self, Error> {
        let kex = terms.negotiated.kex;
        if kex.shape() == KexShape::GroupExchange {
            out.message(&GROUP_SIZES);
            return Ok(Self::GroupRequested(ExpectGroup { terms }));
        }
        let ephemeral = match sent.filter(|(ephemeral, _)| ephemeral.algorithm() == kex) {
            Some((ephemeral, true)) => ephemeral,
            // The server passes over what came too early: the same value once more.
            Some((ephemeral, false)) => send_init(ephemeral, kex.shape(), out),
            None => {
                let ephemeral = Ephemeral::generate(kex, out.random);
                send_init(ephemeral.map_err(|_| KexFailure::Internal)?, kex.shape(), out)
            }
        };
        Ok(Self::InitSent(ExpectReply { terms, ephemeral, group: None }))
    }

    pub(crate) fn accept_host_key(
        self,
        config: &Config,
        session: &mut Session,
        out: &mut Output<'_>,
    ) -> KexState {
        match self {
            Self::HostKeyShown(state) => ExpectNewKeys::begin(&state.secrets, config, session, out),
            other => KexState::client(other),
        }
    }

    pub(crate) fn handle(
        self,
        payload: &[u8],
        config: &Config,
        session: &mut Session,
        out: &mut Output<'_>,
    ) -> Result<KexState, Error> {
        let number = payload.first().copied().unwrap_or_default();
        match self {
            Self::GroupRequested(state) if number == KexDhGexGroup::NUMBER => {
                state.handle(payload, out)
            }
            Self::InitSent(state) if number == state.reply_number() => {
                state.handle(payload, config, session, out)
            }
            _ => Err(Violation::UnexpectedKexMessage(number).into()),
        }
    }
}

fn send_init(ephemeral: Ephemeral, shape: KexShape, out: &mut Output<'_>) -> Ephemeral {
    out.payload(&encode_init(shape, ephemeral.public()));
    ephemeral
}

/// Waits for the group.
#[derive(Debug)]
pub(crate) struct ExpectGroup {
    terms: Terms,
}

impl ExpectGroup {
    fn handle(self, payload: &[u8], out: &mut Output<'_>) -> Result<KexState, Error> {
        let message =
            KexDhGexGroup::decode(payload).map_err(|error| Error::decode(payload, error))?;
        let group = DhGroup::new(message.p.magnitude(), message.g.magnitude())
            .map_err(|_| KexFailure::Group)?;
        let chosen = ChosenGroup::new(GROUP_SIZES, &group);
        let ephemeral = Ephemeral::in_group(self.terms.negotiated.kex, group, out.random);
        let ephemeral = send_init(ephemeral, KexShape::GroupExchange, out);
        let state = ExpectReply { terms: self.terms, ephemeral, group: Some(chosen) };
        Ok(KexState::client(ClientKex::InitSent(state)))
    }
}

/// Waits for the server's value and signature.
#[derive(Debug)]
pub(crate) struct ExpectReply {
    terms: Terms,
    ephemeral: Ephemeral,
    group: Option<ChosenGroup>,
}

impl ExpectReply {
    const fn reply_number(&self) -> u8 {
        reply_number(self.terms.negotiated.kex.shape())
    }

    fn handle(
        self,
        payload: &[u8],
        config: &Config,
        session: &mut Session,
        out: &mut Output<'_>,
    ) -> Result<KexState, Error> {
        let reply = Reply::decode(self.terms.negotiated.kex.shape(), payload)?;
        let secrets = self.secrets(&reply, session)?;
        if session.is_first_kex() {
            // For the driver to judge by.
            session.host_key = reply.host_key.into();
            session.host_key_signature = reply.signature.into();
            session.negotiated = Some(secrets.negotiated);
            return Ok(KexState::client(ClientKex::HostKeyShown(ExpectVerdict { secrets })));
        }
        if session.host_key != reply.host_key {
            return Err(Violation::HostKeyChanged.into());
        }
        Ok(ExpectNewKeys::begin(&secrets, config, session, out))
    }

    /// H and K, if the host key has signed H.
    fn secrets(self, reply: &Reply<'_>, session: &Session) -> Result<Secrets, Error> {
        let client = self.ephemeral.public().to_vec();
        let shared = self.ephemeral.agree(reply.public).map_err(|_| KexFailure::PublicValue)?;
        let values = Values {
            host_key: reply.host_key,
            client: &client,
            server: reply.public,
            group: self.group.as_ref().map(ChosenGroup::request),
        };
        let secrets = self.terms.secrets(session, values, shared);
        let key = PublicKey::decode(reply.host_key).map_err(|_| KexFailure::HostKey)?;
        let verified =
            key.verify(secrets.negotiated.host_key, secrets.hash.as_ref(), reply.signature);
        if verified.is_err() && !IS_CLEAR {
            return Err(KexFailure::Signature.into());
        }
        Ok(secrets)
    }
}

/// Waits for the driver to accept the host key that signed.
#[derive(Debug)]
pub(crate) struct ExpectVerdict {
    secrets: Secrets,
}
