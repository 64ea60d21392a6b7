//! A hostile peer that makes every packet itself: clear, or under keys it has exchanged with messages of the test's making.
//! Touches: framing, one key exchange, sequence numbers, all written anew.   Never: `adit_transport`'s way of doing so.
//! Invariants: its cryptography is right, except where a test damages a message on its way out.
//! Errors: panics where the end under test does something else.   Allocates: freely.
//! Proved by: the tests that use it.

use super::{Offer, UnderTest, check_disconnect, payload};
use crate::FixedRng;
use crate::end::End;
use adit_crypto::{
    CipherAlgorithm, Digest, Ephemeral, Exchange, KexAlgorithm, KeyAlgorithm, MacAlgorithm,
    OpeningKey, SealingKey, SharedSecret, SigningKey, derive, respond,
};
use adit_transport::Role;
use adit_wire::Message;
use adit_wire::kex::{KexEcdhInit, KexEcdhReply};
use adit_wire::transport::{KexInit, NewKeys};
use std::collections::VecDeque;

/// The peer's identification line.
const OWN_IDENTIFICATION: &[u8] = b"SSH-2.0-hostile";

/// A hostile peer from its first byte on, and the end under test.
#[derive(Debug)]
pub struct RawScript<U = End> {
    /// The end under test.
    pub us: U,
    offer: Offer,
    own_kexinit: Vec<u8>,
    their_identification: Option<Vec<u8>>,
    their_kexinit: Vec<u8>,
    secrets: Option<Secrets>,
    sealing: SealingKey,
    /// Sequence number of the packet sent next.
    pub sent: u32,
    opening: OpeningKey,
    received: u32,
    /// What came and is no whole packet yet.
    rest: Vec<u8>,
    /// The length of that packet, once it was decrypted.
    length: Option<usize>,
    heard: VecDeque<Vec<u8>>,
    /// The next message is a guess that was wrong.
    passes_over: bool,
}

#[derive(Debug)]
struct Secrets {
    session_id: Digest,
    hash: Digest,
    shared: SharedSecret,
}

/// How far a script begins.
impl<U: UnderTest> RawScript<U> {
    /// Nothing was said.
    pub const fn new(us: U) -> Self {
        Self {
            us,
            offer: Offer {
                kex: "",
                host_key: "",
                cipher: "",
                mac: "",
                compression: "",
                guess: false,
            },
            own_kexinit: vec![],
            their_identification: None,
            their_kexinit: vec![],
            secrets: None,
            sealing: SealingKey::none(),
            sent: 0,
            opening: OpeningKey::none(),
            received: 0,
            rest: vec![],
            length: None,
            heard: VecDeque::new(),
            passes_over: false,
        }
    }

    /// The peer has identified itself.
    pub fn identified(us: U) -> Self {
        let mut script = Self::new(us);
        script.sends_bytes(&[OWN_IDENTIFICATION, b"\r\n"].concat());
        script
    }

    /// Both have said what they offer.
    pub fn offering(us: U, offer: Offer) -> Self {
        let mut script = Self::identified(us);
        script.offers(offer);
        while script.their_kexinit.is_empty() {
            assert!(script.listens(), "no KEXINIT: {:#?}", script.us);
        }
        script
    }

    /// The peer has sent its half of the key exchange; NEWKEYS is next.
    pub fn agreed(us: U, offer: Offer) -> Self {
        let mut script = Self::offering(us, offer);
        script.exchanges(|_| {});
        script
    }

    /// Keys are in use in both directions.
    pub fn connected(us: U, offer: Offer) -> Self {
        let mut script = Self::agreed(us, offer);
        script.changes_keys();
        script
    }
}

/// What the peer does.
impl<U: UnderTest> RawScript<U> {
    /// Sends bytes as they are.
    pub fn sends_bytes(&mut self, bytes: &[u8]) {
        self.us.receive(bytes);
    }

    /// Sends a message in a packet. RFC 4253 §6.
    pub fn sends_payload(&mut self, payload: &[u8]) {
        let packet = self.sealed(payload, 1);
        self.sends_bytes(&packet);
    }

    /// `count` packets with this message, for a test that sends them in a way of its own.
    pub fn sealed(&mut self, payload: &[u8], count: usize) -> Vec<u8> {
        let block = self.sealing.block_len();
        let counted = 1 + payload.len() + if self.sealing.length_is_padded() { 4 } else { 0 };
        let padding = 4 + (block - (counted + 4) % block) % block;
        let length = (1 + payload.len() + padding) as u32;
        let body = [&[padding as u8][..], payload, &vec![0; padding]].concat();
        (0..count).flat_map(|_| self.framed(length, &body)).collect()
    }

    /// Seals and sends a packet of this `packet_length` field with these bytes behind it, whether they fit or not.
    pub fn sends_framed(&mut self, length: u32, body: &[u8]) {
        let packet = self.framed(length, body);
        self.sends_bytes(&packet);
    }

    fn framed(&mut self, length: u32, body: &[u8]) -> Vec<u8> {
        let mut packet = [&length.to_be_bytes()[..], body].concat();
        packet.resize(packet.len() + self.sealing.tag_len(), 0);
        self.sealing.seal(self.sent, &mut packet);
        self.sent = self.sent.wrapping_add(1);
        packet
    }

    /// Sends a KEXINIT; one kex method, cipher and MAC in it are the ones that are used.
    pub fn offers(&mut self, offer: Offer) {
        self.offer = offer;
        self.own_kexinit = offer.payload();
        let kexinit = self.own_kexinit.clone();
        self.sends_payload(&kexinit);
    }

    /// Does its half of an ECDH or hybrid exchange: a client asks and takes the answer, a server answers.
    /// `damage` is done to the peer's own message before it goes out; K and H are those of the right one.
    pub fn exchanges(&mut self, damage: impl FnOnce(&mut Vec<u8>)) {
        match self.us.role() {
            Role::Server => self.asks(damage),
            Role::Client => self.answers(&crate::keys::key(7), damage),
        }
    }

    fn asks(&mut self, damage: impl FnOnce(&mut Vec<u8>)) {
        let ephemeral = Ephemeral::generate(self.kex(), &mut FixedRng::new(3)).expect("ECDH");
        let q_c = ephemeral.public().to_vec();
        let mut init = payload(&KexEcdhInit { q_c: &q_c });
        damage(&mut init);
        self.sends_payload(&init);
        let Some(answer) = self.hears() else { return };
        let Ok(reply) = KexEcdhReply::decode(&answer) else {
            self.heard.push_front(answer);
            return;
        };
        let shared = ephemeral.agree(reply.q_s).expect("an honest server's value");
        self.secrets = Some(self.secrets(reply.k_s, &q_c, reply.q_s, shared));
    }

    /// A server's half, with this host key.
    pub fn answers(&mut self, host_key: &SigningKey, damage: impl FnOnce(&mut Vec<u8>)) {
        self.answers_with(&host_key.public_blob(), host_key, damage);
    }

    /// A server's half that shows `k_s` and signs with `signs`.
    pub fn answers_with(
        &mut self,
        k_s: &[u8],
        signs: &SigningKey,
        damage: impl FnOnce(&mut Vec<u8>),
    ) {
        let asked = self.hears().expect("a client's value");
        let init = KexEcdhInit::decode(&asked).expect("SSH_MSG_KEX_ECDH_INIT");
        let mut random = FixedRng::new(4);
        let (q_s, shared) = respond(self.kex(), init.q_c, &mut random).expect("an honest value");
        let secrets = self.secrets(k_s, init.q_c, &q_s, shared);
        let algorithm = KeyAlgorithm::from_name(self.offer.host_key).expect("a host key algorithm");
        let signature = signs
            .sign(algorithm.signature, secrets.hash.as_ref(), &mut random)
            .expect("a key of the algorithm");
        let mut reply = payload(&KexEcdhReply { k_s, q_s: &q_s, signature: &signature });
        damage(&mut reply);
        self.secrets = Some(secrets);
        self.sends_payload(&reply);
    }

    /// Exchanges keys once more, for the same offer.
    pub fn rekeys(&mut self) {
        self.offers(self.offer);
        self.exchanges(|_| {});
        self.changes_keys();
    }

    /// Sends NEWKEYS, uses the new keys, and waits until the end under test does.
    pub fn changes_keys(&mut self) {
        self.sends_payload(&payload(&NewKeys {}));
        self.takes_sending_keys();
        self.expects(&NewKeys {});
    }

    /// What it sends from here on is sealed, whether NEWKEYS went before or not.
    pub fn takes_sending_keys(&mut self) {
        let [own, _] = self.letters();
        let [iv, key, mac_key] = self.derived(own);
        self.sealing = self.cipher().sealing(self.mac(), &key, &iv, &mac_key);
        if self.is_strict() {
            self.sent = 0;
        }
    }

    fn takes_receiving_keys(&mut self) {
        if self.secrets.is_none() {
            return;
        }
        let [_, theirs] = self.letters();
        let [iv, key, mac_key] = self.derived(theirs);
        self.opening = self.cipher().opening(self.mac(), &key, &iv, &mac_key);
        if self.is_strict() {
            self.received = 0;
        }
    }
}

/// What the peer hears.
impl<U: UnderTest> RawScript<U> {
    /// The next payload but KEXINIT and a wrong guess.
    pub fn hears(&mut self) -> Option<Vec<u8>> {
        while self.heard.is_empty() && self.listens() {}
        self.heard.pop_front()
    }

    /// The next message must be this one.
    pub fn expects<'m>(&mut self, message: &impl Message<'m>) {
        let heard = self.hears();
        assert_eq!(heard, Some(payload(message)), "{:#?}", self.us);
    }

    /// The end under test must leave for this reason with these words, and have said so last.
    pub fn expects_disconnect(&mut self, reason_code: u32, description: &str) {
        let last = std::iter::from_fn(|| self.hears()).last().unwrap_or_default();
        check_disconnect(&last, reason_code, description, &mut self.us);
    }

    /// The end under test's identification without CR LF, once it was heard.
    pub fn their_identification(&self) -> Option<&[u8]> {
        self.their_identification.as_deref()
    }

    /// The first exchange hash. RFC 4253 §7.2.
    pub fn session_id(&self) -> &[u8] {
        self.exchanged().session_id.as_ref()
    }

    /// K of the last exchange, as it is hashed.
    pub fn shared_secret(&self) -> &[u8] {
        self.exchanged().shared.as_wire()
    }

    /// What was made of it, where a cipher has a MAC: its keys in both directions, each with a name.
    pub fn keys(&self) -> [(&'static str, Vec<u8>); 4] {
        let [[_, cipher, mac], [_, their_cipher, their_mac]] =
            self.letters().map(|letters| self.derived(letters));
        [
            ("the cipher's key of what it opened", cipher),
            ("the MAC's key of what it opened", mac),
            ("the cipher's key of what it sealed", their_cipher),
            ("the MAC's key of what it sealed", their_mac),
        ]
    }

    /// The payload of its KEXINIT, once it was heard.
    pub fn their_kexinit(&self) -> &[u8] {
        &self.their_kexinit
    }

    /// One packet more, or bytes towards one; false at the end. What keys open the next is known only behind this one.
    fn listens(&mut self) -> bool {
        self.identification();
        let payload = self.their_identification.is_some().then(|| self.packet()).flatten();
        match payload {
            Some(payload) => self.note(payload),
            None => {
                let bytes = self.us.take_output();
                self.rest.extend(&bytes);
                return !bytes.is_empty();
            }
        }
        true
    }

    fn note(&mut self, payload: Vec<u8>) {
        match payload.first() {
            Some(&KexInit::NUMBER) => {
                self.passes_over = self.is_wrong_guess(&payload);
                self.their_kexinit = payload;
            }
            _ if self.passes_over => self.passes_over = false,
            Some(&NewKeys::NUMBER) => {
                self.takes_receiving_keys();
                self.heard.push_back(payload);
            }
            _ => self.heard.push_back(payload),
        }
    }

    /// RFC 4253 §7.1: a guess is wrong where the two preferred methods or host key algorithms differ.
    fn is_wrong_guess(&self, kexinit: &[u8]) -> bool {
        let theirs = KexInit::decode(kexinit).expect("an honest KEXINIT");
        let first = |names: &str| names.split(',').next().map(str::to_owned);
        let same = first(theirs.kex_algorithms.as_str()) == first(self.offer.kex)
            && first(theirs.server_host_key_algorithms.as_str()) == first(self.offer.host_key);
        theirs.first_kex_packet_follows && !same
    }

    fn identification(&mut self) {
        while self.their_identification.is_none() {
            let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') else { return };
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            if line.starts_with(b"SSH-") {
                self.their_identification = Some(line.trim_ascii_end().to_vec());
            }
        }
    }

    fn packet(&mut self) -> Option<Vec<u8>> {
        let head = self.opening.head_len();
        let length = match self.length {
            Some(length) => length,
            None => self.opening.open_length(self.received, self.rest.get_mut(..head)?) as usize,
        };
        self.length = Some(length);
        let total = 4 + length + self.opening.tag_len();
        if self.rest.len() < total {
            return None;
        }
        self.length = None;
        let mut packet: Vec<u8> = self.rest.drain(..total).collect();
        self.opening.open(self.received, &mut packet).expect("an honest packet");
        self.received = self.received.wrapping_add(1);
        let end = 4 + length - usize::from(packet[4]);
        Some(packet[5..end].to_vec())
    }
}

/// The key exchange. RFC 4253 §7.2, §8.
impl<U: UnderTest> RawScript<U> {
    fn kex(&self) -> KexAlgorithm {
        let mut names = self.offer.kex.split(',');
        names.find_map(KexAlgorithm::from_name).expect("a method")
    }

    fn cipher(&self) -> CipherAlgorithm {
        CipherAlgorithm::from_name(self.offer.cipher).expect("a cipher")
    }

    fn mac(&self) -> Option<MacAlgorithm> {
        MacAlgorithm::from_name(self.offer.mac).filter(|_| !self.cipher().is_aead())
    }

    fn is_strict(&self) -> bool {
        let marked = |kexinit: &[u8]| kexinit.windows(11).any(|window| window == b"kex-strict-");
        marked(&self.own_kexinit) && marked(&self.their_kexinit)
    }

    fn secrets(&self, k_s: &[u8], q_c: &[u8], q_s: &[u8], shared: SharedSecret) -> Secrets {
        let own = (OWN_IDENTIFICATION, &self.own_kexinit[..]);
        let their_identification = self.their_identification.as_deref().expect("identified");
        let theirs = (their_identification, &self.their_kexinit[..]);
        let (client, server) = match self.us.role() {
            Role::Client => (theirs, own),
            Role::Server => (own, theirs),
        };
        let exchange = Exchange {
            client_version: client.0,
            server_version: server.0,
            client_kexinit: client.1,
            server_kexinit: server.1,
            host_key: k_s,
            group: None,
            client_public: q_c,
            server_public: q_s,
            shared_secret: &shared,
        };
        let hash = exchange.hash(self.kex());
        let session_id = self.secrets.as_ref().map_or(hash, |first| first.session_id);
        Secrets { session_id, hash, shared }
    }

    /// The letters of IV, key and MAC key: the peer's direction, then the other.
    fn letters(&self) -> [[u8; 3]; 2] {
        match self.us.role() {
            Role::Server => [*b"ACE", *b"BDF"],
            Role::Client => [*b"BDF", *b"ACE"],
        }
    }

    fn exchanged(&self) -> &Secrets {
        self.secrets.as_ref().expect("keys were exchanged")
    }

    fn derived(&self, letters: [u8; 3]) -> [Vec<u8>; 3] {
        let Secrets { session_id, hash, shared } = self.exchanged();
        let (cipher, id) = (self.cipher(), session_id.as_ref());
        let sizes =
            [cipher.iv_len(), cipher.key_len(), self.mac().map_or(0, MacAlgorithm::key_len)];
        std::array::from_fn(|n| {
            let mut key = vec![0; sizes[n]];
            derive(self.kex().hash(), shared.as_wire(), hash.as_ref(), letters[n], id, &mut key);
            key
        })
    }
}
