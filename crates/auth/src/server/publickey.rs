//! Keys: the names held against each other, the signature over this session, then the driver's word. RFC 4252 §7.
//! Touches: the first field of blobs, signed bytes.   Never: which keys are authorized.
//! Invariants: a signature is checked before the driver is asked, and the driver is asked anew for every signature:
//! a probe's answer decides nothing. The key in the proof is the key that signed.
//! Errors: `Malformed`.   Allocates: the key of one request, the signed bytes.
//! Proved by: `server::tests`, `pair`, `props`.

use super::{Ask, CheckKey, Method, Proof, Proven, Server, State};
use crate::Violation;
use crate::algorithm::{Algorithm, kind, lookup};
use crate::publickey::{encode_request, signed_data};
use adit_wire::auth::{Publickey, UserauthPkOk};
use adit_wire::{Message, Reader};
use alloc::vec::Vec;

/// Checks a signature: the caller's cryptography.
pub type VerifySignature = fn(&SignatureCheck<'_>) -> bool;

/// A signature and what it must be over.
#[derive(Clone, Copy, Debug)]
pub struct SignatureCheck<'a> {
    /// The algorithm of the request; the kinds of key and signature are already those that go with it.
    pub algorithm: &'static Algorithm,
    /// Key or certificate blob.
    pub public_key: &'a [u8],
    /// What must be signed.
    pub data: &'a [u8],
    /// Signature blob: `string algorithm · …`
    pub signature: &'a [u8],
}

/// A key the driver is asked about.
pub(super) struct KeyRequest {
    algorithm: &'static Algorithm,
    public_key: Vec<u8>,
    /// Made when the signature was checked; none for a probe.
    proof: Option<Proof>,
    /// What a security key told with that signature.
    key_flags: Option<u8>,
}

impl Server {
    /// Whether the key may log the user in; the answer to [`Ask::CheckKey`].
    ///
    /// # Errors
    /// [`Violation`]: a message kept for later is at fault.
    pub fn key_checked(&mut self, authorized: bool) -> Result<(), Violation> {
        self.guarded(|server| {
            match core::mem::replace(&mut server.state, State::Request) {
                State::Key(request) if authorized => server.authorized(request),
                State::Key(_) => server.refuse(Some(Method::Publickey)),
                other => server.state = other,
            }
            server.dispatch_pending()
        })
    }

    /// A `publickey` request, plain or hostbound.
    pub(super) fn publickey(&mut self, body: &[u8], hostbound: bool) -> Result<(), Violation> {
        let body = Publickey::decode(body, hostbound)?;
        match self.examine(&body) {
            Some(request) => {
                let mut message = Vec::new();
                let user = self.login.as_ref().map_or("", |login| &login.user);
                encode_request(user, &body, &mut message);
                let check = CheckKey {
                    algorithm: request.algorithm,
                    public_key: request.public_key.clone(),
                    signed: request.proof.is_some(),
                    key_flags: request.key_flags,
                    request: message,
                };
                self.ask(State::Key(request), Ask::CheckKey(check));
            }
            None => self.refuse(Some(Method::Publickey)),
        }
        Ok(())
    }

    /// All that can be said without the driver.
    fn examine(&self, body: &Publickey<'_>) -> Option<KeyRequest> {
        let algorithm = lookup(body.algorithm_name)?;
        let login = self.login.as_ref()?;
        let fits = self.accepts_algorithm(algorithm.name)
            && kind(body.public_key) == Some(algorithm.key_type)
            && body.server_host_key.is_none_or(|host_key| host_key == self.config.host_key)
            && !login.progress.has_served(body.public_key);
        if !fits {
            return None;
        }
        let proof = match body.signature {
            Some(signature) => Some(self.proof(&login.user, algorithm, body, signature)?),
            None => None,
        };
        let key_flags = body.signature.and_then(key_flags);
        Some(KeyRequest { algorithm, public_key: body.public_key.into(), proof, key_flags })
    }

    /// The proof a good signature over this session, user and request is.
    fn proof(
        &self,
        user: &str,
        algorithm: &'static Algorithm,
        body: &Publickey<'_>,
        signature: &[u8],
    ) -> Option<Proof> {
        let data = signed_data(&self.config.session_id, user, body);
        let public_key = body.public_key;
        let check = SignatureCheck { algorithm, public_key, data: &data, signature };
        let good = kind(signature) == Some(algorithm.signature) && (self.config.verify)(&check);
        let proven = Proven { method: Method::Publickey, public_key: Some(public_key.into()) };
        good.then_some(Proof(proven))
    }

    fn authorized(&mut self, request: KeyRequest) {
        match request.proof {
            Some(proof) => self.succeed(proof),
            None if self.valid_login().is_none() => self.refuse(Some(Method::Publickey)),
            None => self.outbox.push(|out| {
                let algorithm_name = request.algorithm.name;
                UserauthPkOk { algorithm_name, public_key: &request.public_key }.encode(out);
            }),
        }
    }
}

/// `string algorithm · string signature · byte flags · uint32 counter`, as security keys sign. OpenSSH PROTOCOL.u2f.
fn key_flags(signature: &[u8]) -> Option<u8> {
    let mut reader = Reader::new(signature);
    let algorithm: &str = reader.field().ok()?;
    reader.string().ok()?;
    algorithm.starts_with("sk-").then(|| reader.field().ok()).flatten()
}
