//! The server's half of a key exchange. RFC 4253 §8, RFC 5656 §4, RFC 4419 §3.
//! Touches: the client's values, the host keys behind their trait.   Never: key files.
//! Invariants: what is signed is H of this exchange, and nothing else.
//! Errors: `InvalidMessage`, `Violation`, `KexFailure`.   Allocates: public values, the answer.
//! Proved by: `tests::kex`, `tests::rekey`, `tests/openssh.rs`.

use adit_crypto::{DhGroup, KexShape, respond, respond_in_group};
use adit_wire::kex::{KexDhGexGroup, KexDhGexRequest};
use adit_wire::{Message, Mpint};

use crate::config::Config;
use crate::error::{Error, KexFailure, Violation};
use crate::kex_messages::{Reply, decode_init, init_number};
use crate::kex_state::{ExpectNewKeys, KexState};
use crate::output::Output;
use crate::session::{ChosenGroup, Session, Terms, Values};

/// What a server waits for.
#[derive(Debug)]
pub(crate) enum ServerKex {
    /// The sizes the client takes.
    ExpectGroupRequest(Terms),
    /// The client's value.
    ExpectInit(Terms, Option<(DhGroup, ChosenGroup)>),
}

impl ServerKex {
    pub(crate) const fn begin(terms: Terms) -> Self {
        match terms.negotiated.kex.shape() {
            KexShape::GroupExchange => Self::ExpectGroupRequest(terms),
            KexShape::Ecdh | KexShape::Dh => Self::ExpectInit(terms, None),
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
            Self::ExpectGroupRequest(terms) if number == KexDhGexRequest::NUMBER => {
                choose_group(terms, payload, out)
            }
            Self::ExpectInit(terms, group)
                if number == init_number(terms.negotiated.kex.shape()) =>
            {
                answer(terms, group, payload, config, session, out)
            }
            _ => Err(Violation::UnexpectedKexMessage(number).into()),
        }
    }
}

/// RFC 4419 §3: a group within the client's bounds.
fn choose_group(terms: Terms, payload: &[u8], out: &mut Output<'_>) -> Result<KexState, Error> {
    let request =
        KexDhGexRequest::decode(payload).map_err(|error| Error::decode(payload, error))?;
    let KexDhGexRequest { min, n, max } = request;
    let group = DhGroup::built_in(min, n, max).ok_or(KexFailure::Group)?;
    out.message(&KexDhGexGroup { p: Mpint::new(group.p()), g: Mpint::new(group.g()) });
    let chosen = ChosenGroup::new(request, &group);
    Ok(KexState::server(ServerKex::ExpectInit(terms, Some((group, chosen)))))
}

fn answer(
    terms: Terms,
    group: Option<(DhGroup, ChosenGroup)>,
    payload: &[u8],
    config: &Config,
    session: &mut Session,
    out: &mut Output<'_>,
) -> Result<KexState, Error> {
    let negotiated = terms.negotiated;
    let shape = negotiated.kex.shape();
    let client = decode_init(shape, payload)?;
    let own = session.host_keys.clone();
    let host_keys = own.as_deref().or(config.host_keys.as_deref()).ok_or(KexFailure::Internal)?;
    let host_key = host_keys.public_blob(negotiated.host_key).ok_or(KexFailure::Internal)?;
    let (group, chosen) = group.unzip();
    let (server, shared) = match group {
        Some(group) => respond_in_group(negotiated.kex, group, client, out.random),
        None => respond(negotiated.kex, client, out.random),
    }
    .map_err(|_| KexFailure::PublicValue)?;
    let values = Values {
        host_key: &host_key,
        client,
        server: &server,
        group: chosen.as_ref().map(ChosenGroup::request),
    };
    let secrets = terms.secrets(session, values, shared);
    if session.is_first_kex() {
        session.host_key.clone_from(&host_key);
    }
    let signature = host_keys
        .sign(negotiated.host_key, secrets.hash.as_ref())
        .map_err(|_| KexFailure::Internal)?;
    let reply = Reply { host_key: &host_key, public: &server, signature: &signature };
    out.payload(&reply.encode(shape));
    Ok(ExpectNewKeys::begin(&secrets, config, session, out))
}
