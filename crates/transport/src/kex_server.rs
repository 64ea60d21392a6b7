//! The server's half of a key exchange. RFC 4253 §8, RFC 5656 §4, RFC 4419 §3.
//! Touches: the client's values, the host keys behind their trait.   Never: key files.
//! Invariants: what is signed is H of this exchange, and nothing else.
//! Errors: `InvalidMessage`, `Violation`, `KexFailure`.   Allocates: public values, the answer.
//! Proved by: `tests::kex`, `tests::rekey`, `tests/openssh.rs`.

use alloc::sync::Arc;

use adit_crypto::{DhGroup, KexShape, respond, respond_in_group};
use adit_wire::kex::{KexDhGexGroup, KexDhGexRequest};
use adit_wire::{Message, Mpint};

use crate::config::{Config, HostKeys};
use crate::error::{Error, KexFailure, Violation};
use crate::kex_messages::{Reply, decode_init, init_number};
use crate::kex_state::{ExpectNewKeys, KexState, Skip};
use crate::output::Output;
use crate::session::{ChosenGroup, Session, Terms, Values};

/// What a server waits for.
#[derive(Debug)]
pub(crate) enum ServerKex {
    /// The sizes the client takes.
    ExpectGroupRequest(Start),
    /// The client's value.
    ExpectInit(Start, Option<(DhGroup, ChosenGroup)>),
}

/// What every state of the server's holds.
pub(crate) struct Start {
    terms: Terms,
    skip: Skip,
    host_keys: Arc<dyn HostKeys + Send + Sync>,
}

impl core::fmt::Debug for Start {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Start").field("terms", &self.terms).finish_non_exhaustive()
    }
}

impl ServerKex {
    pub(crate) fn begin(terms: Terms, skip: Skip, config: &Config) -> Result<Self, Error> {
        let host_keys = config.host_keys.clone().ok_or(KexFailure::Internal)?;
        let shape = terms.negotiated.kex.shape();
        let start = Start { terms, skip, host_keys };
        match shape {
            KexShape::GroupExchange => Ok(Self::ExpectGroupRequest(start)),
            KexShape::Ecdh | KexShape::Dh => Ok(Self::ExpectInit(start, None)),
        }
    }

    pub(crate) fn handle(
        mut self,
        payload: &[u8],
        config: &Config,
        session: &mut Session,
        out: &mut Output<'_>,
    ) -> Result<KexState, Error> {
        if self.skip().take() {
            return Ok(KexState::server(self));
        }
        let number = payload.first().copied().unwrap_or_default();
        match self {
            Self::ExpectGroupRequest(start) if number == KexDhGexRequest::NUMBER => {
                start.choose_group(payload, out)
            }
            Self::ExpectInit(start, group) if number == start.init_number() => {
                start.answer(group, payload, config, session, out)
            }
            _ => Err(Violation::UnexpectedKexMessage(number).into()),
        }
    }

    const fn skip(&mut self) -> &mut Skip {
        match self {
            Self::ExpectGroupRequest(start) => &mut start.skip,
            Self::ExpectInit(start, _) => &mut start.skip,
        }
    }
}

impl Start {
    const fn init_number(&self) -> u8 {
        init_number(self.terms.negotiated.kex.shape())
    }

    /// RFC 4419 §3: a group within the client's bounds.
    fn choose_group(self, payload: &[u8], out: &mut Output<'_>) -> Result<KexState, Error> {
        let request =
            KexDhGexRequest::decode(payload).map_err(|error| Error::decode(payload, error))?;
        let KexDhGexRequest { min, n, max } = request;
        let group = DhGroup::built_in(min, n, max).ok_or(KexFailure::Group)?;
        out.message(&KexDhGexGroup { p: Mpint::new(group.p()), g: Mpint::new(group.g()) });
        let chosen = ChosenGroup::new(request, &group);
        Ok(KexState::server(ServerKex::ExpectInit(self, Some((group, chosen)))))
    }

    fn answer(
        self,
        group: Option<(DhGroup, ChosenGroup)>,
        payload: &[u8],
        config: &Config,
        session: &mut Session,
        out: &mut Output<'_>,
    ) -> Result<KexState, Error> {
        let negotiated = self.terms.negotiated;
        let shape = negotiated.kex.shape();
        let client = decode_init(shape, payload)?;
        let host_key =
            self.host_keys.public_blob(negotiated.host_key).ok_or(KexFailure::Internal)?;
        let (group, chosen) = group.unzip();
        let (server, shared) = match group {
            Some(group) => respond_in_group(group, client, out.random),
            None => respond(negotiated.kex, client, out.random),
        }
        .map_err(|_| KexFailure::PublicValue)?;
        let values = Values {
            host_key: &host_key,
            client,
            server: &server,
            group: chosen.as_ref().map(ChosenGroup::request),
        };
        let secrets = self.terms.secrets(session, values, shared);
        let signature = self
            .host_keys
            .sign(negotiated.host_key, secrets.hash.as_ref())
            .map_err(|_| KexFailure::Internal)?;
        let reply = Reply { host_key: &host_key, public: &server, signature: &signature };
        out.payload(&reply.encode(shape));
        Ok(ExpectNewKeys::begin(&secrets, config, session, out))
    }
}
