//! What outlives one key exchange, and what an exchange computes from it. RFC 4253 §7.2, §8.
//! Touches: identifications, KEXINIT payloads, the shared secret.   Never: messages.
//! Invariants: the session id is the first exchange hash and never changes; key material is zeroized.
//! Errors: none.   Allocates: the hash's input.
//! Proved by: `tests` below, `tests::kex` (one byte changed in a hashed line), `tests/openssh.rs`.

use alloc::sync::Arc;
use alloc::vec::Vec;

use adit_crypto::{
    DhGroup, Digest, Exchange, GroupRequest, HashAlgorithm, OpeningKey, SealingKey, SharedSecret,
    derive,
};
use adit_wire::kex::KexDhGexRequest;
use zeroize::Zeroizing;

use crate::clear::IS_CLEAR;
use crate::config::{HostKeys, Role};
use crate::negotiate::{Negotiated, Protection};

/// What outlives one key exchange.
pub(crate) struct Session {
    pub(crate) role: Role,
    /// Our identification line without CR LF.
    pub(crate) own_identification: Vec<u8>,
    /// The peer's; empty until it has come.
    pub(crate) peer_identification: Vec<u8>,
    /// The first exchange hash.
    pub(crate) id: Option<Digest>,
    /// The server's key or certificate of the first exchange.
    pub(crate) host_key: Vec<u8>,
    /// Its signature of the first exchange hash, as the client saw it.
    pub(crate) host_key_signature: Vec<u8>,
    /// Strict key exchange was agreed.
    pub(crate) strict: bool,
    /// The peer can take EXT_INFO.
    pub(crate) peer_takes_ext_info: bool,
    /// What the last exchange agreed on.
    pub(crate) negotiated: Option<Negotiated>,
    /// Who signs for this connection alone; none where the configuration's keys do.
    pub(crate) host_keys: Option<Arc<dyn HostKeys + Send + Sync>>,
}

impl Session {
    pub(crate) const fn new(role: Role, own_identification: Vec<u8>) -> Self {
        Self {
            role,
            own_identification,
            peer_identification: Vec::new(),
            id: None,
            host_key: Vec::new(),
            host_key_signature: Vec::new(),
            strict: false,
            peer_takes_ext_info: false,
            negotiated: None,
            host_keys: None,
        }
    }

    pub(crate) const fn is_first_kex(&self) -> bool {
        self.id.is_none()
    }
}

/// What both KEXINITs settled, and their payloads for the hash.
#[derive(Debug)]
pub(crate) struct Terms {
    pub(crate) negotiated: Negotiated,
    pub(crate) own_kexinit: Vec<u8>,
    pub(crate) peer_kexinit: Vec<u8>,
}

/// What was asked and answered in group exchange, for the hash. RFC 4419 §3.
#[derive(Debug)]
pub(crate) struct ChosenGroup {
    sizes: KexDhGexRequest,
    p: Vec<u8>,
    g: Vec<u8>,
}

impl ChosenGroup {
    pub(crate) fn new(sizes: KexDhGexRequest, group: &DhGroup) -> Self {
        Self { sizes, p: group.p().into(), g: group.g().into() }
    }

    pub(crate) fn request(&self) -> GroupRequest<'_> {
        let KexDhGexRequest { min, n, max } = self.sizes;
        GroupRequest { min, n, max, p: &self.p, g: &self.g }
    }
}

/// The values both sides showed.
#[derive(Clone, Copy)]
pub(crate) struct Values<'a> {
    pub(crate) host_key: &'a [u8],
    pub(crate) client: &'a [u8],
    pub(crate) server: &'a [u8],
    pub(crate) group: Option<GroupRequest<'a>>,
}

impl Terms {
    /// H and K, once everything is known.
    pub(crate) fn secrets(
        &self,
        session: &Session,
        values: Values<'_>,
        shared: SharedSecret,
    ) -> Secrets {
        let own = (&session.own_identification[..], &self.own_kexinit[..]);
        let peer = (&session.peer_identification[..], &self.peer_kexinit[..]);
        let (client, server) = match session.role {
            Role::Client => (own, peer),
            Role::Server => (peer, own),
        };
        let exchange = Exchange {
            client_version: client.0,
            server_version: server.0,
            client_kexinit: client.1,
            server_kexinit: server.1,
            host_key: values.host_key,
            group: values.group,
            client_public: values.client,
            server_public: values.server,
            shared_secret: &shared,
        };
        let hash = exchange.hash(self.negotiated.kex);
        Secrets { negotiated: self.negotiated, hash, shared }
    }
}

/// What an exchange yields: H, K and what they are for.
#[derive(Debug)]
pub(crate) struct Secrets {
    pub(crate) negotiated: Negotiated,
    /// H
    pub(crate) hash: Digest,
    shared: SharedSecret,
}

/// The letters of IV, key and MAC key. RFC 4253 §7.2.
const CLIENT_TO_SERVER: [u8; 3] = *b"ACE";
const SERVER_TO_CLIENT: [u8; 3] = *b"BDF";

impl Secrets {
    /// The keys of our two directions.
    pub(crate) fn keys(&self, role: Role, session_id: &Digest) -> (SealingKey, OpeningKey) {
        if IS_CLEAR {
            return (SealingKey::none(), OpeningKey::none());
        }
        let to_server = (self.negotiated.client_to_server, CLIENT_TO_SERVER);
        let to_client = (self.negotiated.server_to_client, SERVER_TO_CLIENT);
        let (sending, receiving) = match role {
            Role::Client => (to_server, to_client),
            Role::Server => (to_client, to_server),
        };
        let ours = self.material(sending, session_id);
        let theirs = self.material(receiving, session_id);
        let seal = sending.0.cipher.sealing(sending.0.mac, &ours.key, &ours.iv, &ours.mac_key);
        let open =
            receiving.0.cipher.opening(receiving.0.mac, &theirs.key, &theirs.iv, &theirs.mac_key);
        (seal, open)
    }

    fn material(&self, (protection, letters): (Protection, [u8; 3]), id: &Digest) -> Material {
        let hash: HashAlgorithm = self.negotiated.kex.hash();
        let derived = |letter, len| {
            let mut out = Zeroizing::new(alloc::vec![0; len]);
            derive(hash, self.shared.as_wire(), self.hash.as_ref(), letter, id.as_ref(), &mut out);
            out
        };
        Material {
            iv: derived(letters[0], protection.cipher.iv_len()),
            key: derived(letters[1], protection.cipher.key_len()),
            mac_key: derived(letters[2], protection.mac.map_or(0, |mac| mac.key_len())),
        }
    }
}

struct Material {
    iv: Zeroizing<Vec<u8>>,
    key: Zeroizing<Vec<u8>>,
    mac_key: Zeroizing<Vec<u8>>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::Fixed;
    use adit_crypto::{CipherAlgorithm, Ephemeral, KexAlgorithm, MacAlgorithm, SignatureAlgorithm};

    fn secrets() -> Secrets {
        let kex = KexAlgorithm::Curve25519Sha256;
        let server = Ephemeral::generate(kex, &mut Fixed(1)).unwrap().public().to_vec();
        let shared = Ephemeral::generate(kex, &mut Fixed(2)).unwrap().agree(&server).unwrap();
        let mac = Some(MacAlgorithm::HmacSha2_512Etm);
        let client_to_server = Protection { cipher: CipherAlgorithm::Aes192Ctr, mac };
        let server_to_client = Protection { cipher: CipherAlgorithm::Aes256Gcm, mac: None };
        let host_key = SignatureAlgorithm::Ed25519.plain();
        let negotiated = Negotiated { kex, host_key, client_to_server, server_to_client };
        Secrets { negotiated, hash: kex.hash().digest(&[b"H"]), shared }
    }

    /// RFC 4253 §7.2: A and B are the IVs, C and D the keys, E and F the MACs' keys; client to server comes first.
    #[test]
    fn each_direction_has_the_keys_of_its_letters() {
        let secrets = secrets();
        let id = secrets.negotiated.kex.hash().digest(&[b"session id"]);
        let letter = |letter, len| {
            let mut key = alloc::vec![0; len];
            let (hash, h) = (secrets.negotiated.kex.hash(), secrets.hash.as_ref());
            derive(hash, secrets.shared.as_wire(), h, letter, id.as_ref(), &mut key);
            key
        };
        let (iv, key, mac_key) = (letter(b'A', 16), letter(b'C', 24), letter(b'E', 64));
        let up = secrets.negotiated.client_to_server;
        let mut to_server = up.cipher.opening(up.mac, &key, &iv, &mac_key);
        let (iv, key) = (letter(b'B', 12), letter(b'D', 32));
        let down = secrets.negotiated.server_to_client;
        let mut to_client = down.cipher.opening(None, &key, &iv, &[]);

        for (role, opening) in [(Role::Client, &mut to_server), (Role::Server, &mut to_client)] {
            let (mut sealing, _) = secrets.keys(role, &id);
            let mut packet = alloc::vec![0; 36 + sealing.tag_len()];
            packet[3] = 32;
            sealing.seal(0, &mut packet);
            assert_eq!(opening.open_length(0, &mut packet[..4]), 32);
            assert_eq!(opening.open(0, &mut packet), Ok(()), "{role:?}");
            assert_eq!(packet[4..36], [0; 32]);
        }
    }
}
