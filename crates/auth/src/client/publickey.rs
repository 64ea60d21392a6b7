//! Offering keys: probe or sign, one algorithm after the other. RFC 4252 §7, RFC 8332 §3.
//! Touches: key blobs and signatures as bytes.   Never: private keys.
//! Invariants: a key is offered once, and not again once it has served; a signature leaves only under the algorithm it was asked for.
//! Errors: `PkOkForAnotherKey`.   Allocates: the blobs tried.
//! Proved by: `client::tests`, `pair`.

use super::{Ask, Client, KeySkipped, KeyUse, Method, Sent, SignRequest, Turn};
use crate::Violation;
use crate::algorithm::{candidates, key_type_of, kind, signature_of};
use crate::publickey::{encode_request, signed_data};
use adit_wire::Message;
use adit_wire::auth::{Publickey, UserauthPkOk};
use alloc::{string::String, vec::Vec};

/// A key on its way to the server.
pub(super) struct Offer {
    public_key: Vec<u8>,
    algorithm: String,
    /// Algorithms to try the key under if the server refuses this one, last first.
    others: Vec<String>,
    key_use: KeyUse,
}

impl Offer {
    /// The first of `algorithms`, the others kept.
    fn new(public_key: Vec<u8>, mut algorithms: Vec<String>, key_use: KeyUse) -> Option<Self> {
        algorithms.reverse();
        let algorithm = algorithms.pop()?;
        Some(Self { public_key, algorithm, others: algorithms, key_use })
    }

    fn body<'a>(
        &'a self,
        server_host_key: Option<&'a [u8]>,
        signature: Option<&'a [u8]>,
    ) -> Publickey<'a> {
        Publickey {
            algorithm_name: &self.algorithm,
            public_key: &self.public_key,
            server_host_key,
            signature,
        }
    }

    /// Some servers echo the kind of key instead of the algorithm; it is the same key all the same.
    fn is_meant_by(&self, message: &UserauthPkOk<'_>) -> bool {
        message.public_key == self.public_key
            && (message.algorithm_name == self.algorithm
                || message.algorithm_name == key_type_of(&self.algorithm))
    }
}

/// The keys tried, and whether the driver should begin anew.
pub(super) struct Keys {
    tried: Vec<Vec<u8>>,
    /// Those that brought a partial success: a server counts each once.
    served: Vec<Vec<u8>>,
    /// The same key under its next algorithm.
    again: Option<Offer>,
    first: bool,
}

impl Default for Keys {
    fn default() -> Self {
        Self { tried: Vec::new(), served: Vec::new(), again: None, first: true }
    }
}

impl Keys {
    /// The server refused an offer; the key may have another algorithm.
    pub(super) fn refused(&mut self, offer: Offer) {
        self.again =
            Offer::new(offer.public_key, offer.others.into_iter().rev().collect(), offer.key_use);
    }

    /// A key has done its part.
    pub(super) fn served(&mut self, offer: Offer) {
        self.served.push(offer.public_key);
    }

    /// A new round: other methods count now, so every key gets another chance.
    pub(super) fn start_over(&mut self) {
        self.tried.clone_from(&self.served);
        self.again = None;
        self.first = true;
    }
}

impl Client {
    /// Offers a key or certificate; the answer to [`Ask::Publickey`].
    pub fn offer_key(&mut self, public_key: &[u8], key_use: KeyUse) {
        let Turn::Key = self.turn else { return };
        match self.offer(public_key, key_use) {
            Ok(offer) => {
                self.keys.tried.push(public_key.into());
                self.send_offer(offer);
            }
            Err(reason) => self.skip_key(public_key.into(), reason),
        }
    }

    /// There is no key left to offer; the answer to [`Ask::Publickey`].
    pub fn no_more_keys(&mut self) {
        if let Turn::Key = self.turn {
            self.give_up(Method::Publickey);
        }
    }

    /// The signature blob, or none if the key cannot sign after all; the answer to [`Ask::Sign`].
    pub fn signed(&mut self, signature: Option<Vec<u8>>) {
        let Turn::Signature(offer) = core::mem::replace(&mut self.turn, Turn::Peer) else {
            return;
        };
        match signature.filter(|blob| kind(blob) == Some(signature_of(&offer.algorithm))) {
            Some(signature) => self.send_signed(offer, &signature),
            None => self.skip_key(offer.public_key, KeySkipped::NotSigned),
        }
    }

    /// Goes on with the key's next algorithm, or asks for the next key.
    pub(super) fn next_key(&mut self) {
        match self.keys.again.take() {
            Some(offer) => self.send_offer(offer),
            None => {
                let first = core::mem::take(&mut self.keys.first);
                self.ask(Turn::Key, Ask::Publickey { first });
            }
        }
    }

    /// USERAUTH_PK_OK: the key would do.
    pub(super) fn pk_ok(&mut self, payload: &[u8]) -> Result<(), Violation> {
        let message = UserauthPkOk::decode(payload)?;
        match self.sent.pop_front() {
            Some(Sent::Probe(offer)) if offer.is_meant_by(&message) => {
                self.ask_signature(offer);
                Ok(())
            }
            _ => Err(Violation::PkOkForAnotherKey),
        }
    }

    fn offer(&self, public_key: &[u8], key_use: KeyUse) -> Result<Offer, KeySkipped> {
        if self.keys.tried.iter().any(|tried| tried == public_key) {
            return Err(KeySkipped::AlreadyTried);
        }
        let server_sig_algs = self.config.extensions.server_sig_algs.as_deref();
        let algorithms = candidates(public_key, &self.config.accepted_algorithms, server_sig_algs);
        Offer::new(public_key.into(), algorithms, key_use).ok_or(KeySkipped::NoMutualAlgorithm)
    }

    fn skip_key(&mut self, public_key: Vec<u8>, reason: KeySkipped) {
        self.asks.push_back(Ask::KeySkipped { public_key, reason });
        self.next_key();
    }

    fn send_offer(&mut self, offer: Offer) {
        match offer.key_use {
            KeyUse::SignAtOnce => self.ask_signature(offer),
            KeyUse::Probe => {
                let user = &self.config.user;
                self.outbox.push(|out| encode_request(user, &offer.body(None, None), out));
                self.sent.push_back(Sent::Probe(offer));
                self.turn = Turn::Peer;
            }
        }
    }

    fn ask_signature(&mut self, offer: Offer) {
        let body = offer.body(self.config.bound_host_key(), None);
        let data = signed_data(&self.config.session_id, &self.config.user, &body);
        let request = SignRequest {
            algorithm: offer.algorithm.clone(),
            signature_algorithm: signature_of(&offer.algorithm).into(),
            public_key: offer.public_key.clone(),
            data,
        };
        self.ask(Turn::Signature(offer), Ask::Sign(request));
    }

    fn send_signed(&mut self, offer: Offer, signature: &[u8]) {
        let body = offer.body(self.config.bound_host_key(), Some(signature));
        let user = &self.config.user;
        self.outbox.push(|out| encode_request(user, &body, out));
        self.sent.push_back(Sent::Signed(offer));
    }
}
