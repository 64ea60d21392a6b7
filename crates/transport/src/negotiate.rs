//! Algorithm negotiation: our KEXINIT, and what two of them agree on. RFC 4253 §7.1, RFC 8308 §2.1, OpenSSH PROTOCOL §1.10.
//! Touches: name-lists.   Never: keys, the state of the exchange.
//! Invariants: a symmetric function of both KEXINITs: both sides come to the same result.
//! Errors: `Incompatible::NoMatch`.   Allocates: our KEXINIT; the peer's offer when nothing in it suits us.
//! Proved by: `tests` below, `tests::negotiation`.

use alloc::string::String;
use alloc::vec::Vec;

use adit_crypto::{CipherAlgorithm, KexAlgorithm, KeyAlgorithm, MacAlgorithm};
use adit_wire::transport::KexInit;
use adit_wire::{Message, NameList};

use crate::config::{Config, Role};
use crate::error::{Error, Incompatible, List};

/// What a client calls itself and its wishes with: EXT_INFO welcome, strict key exchange offered.
const CLIENT_MARKERS: [&str; 2] = ["ext-info-c", "kex-strict-c-v00@openssh.com"];

/// The same of a server.
const SERVER_MARKERS: [&str; 2] = ["ext-info-s", "kex-strict-s-v00@openssh.com"];

const fn markers(role: Role) -> [&'static str; 2] {
    match role {
        Role::Client => CLIENT_MARKERS,
        Role::Server => SERVER_MARKERS,
    }
}

/// What both sides use until the next key exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Negotiated {
    /// Key exchange method.
    pub kex: KexAlgorithm,
    /// Host key algorithm.
    pub host_key: KeyAlgorithm,
    /// From client to server.
    pub client_to_server: Protection,
    /// From server to client.
    pub server_to_client: Protection,
}

/// How one direction is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protection {
    /// Cipher.
    pub cipher: CipherAlgorithm,
    /// MAC; none with ciphers that authenticate by themselves.
    pub mac: Option<MacAlgorithm>,
}

/// As much of a peer's offer as goes into an error, and so into our DISCONNECT: enough for any honest one.
const MOST_SHOWN: usize = 1024;

fn shown(offer: &str) -> &str {
    // A list is ASCII; it is shorter where there is no such place.
    offer.get(..MOST_SHOWN).unwrap_or(offer)
}

/// Our KEXINIT payload. Markers stand in the first one only.
pub(crate) fn kexinit(config: &Config, cookie: [u8; 16], first: bool, guess: bool) -> Vec<u8> {
    let [ext_info, strict] = markers(config.role);
    let markers = [(first, ext_info), (first && config.strict_kex, strict)];
    let markers = markers.into_iter().filter(|(wanted, _)| *wanted).map(|(_, name)| name);
    let kex = joined(config.kex.iter().map(|each| each.name()).chain(markers));
    let host_key = joined(config.offered_host_keys().map(|each| each.name()));
    let ciphers = joined(config.ciphers.iter().map(|each| each.name()));
    let macs = joined(config.macs.iter().map(|each| each.name()));
    let message = KexInit {
        cookie,
        kex_algorithms: NameList::new(&kex),
        server_host_key_algorithms: NameList::new(&host_key),
        encryption_algorithms_client_to_server: NameList::new(&ciphers),
        encryption_algorithms_server_to_client: NameList::new(&ciphers),
        mac_algorithms_client_to_server: NameList::new(&macs),
        mac_algorithms_server_to_client: NameList::new(&macs),
        compression_algorithms_client_to_server: NameList::new("none"),
        compression_algorithms_server_to_client: NameList::new("none"),
        languages_client_to_server: NameList::new(""),
        languages_server_to_client: NameList::new(""),
        first_kex_packet_follows: guess,
        reserved: 0,
    };
    let mut payload = Vec::new();
    message.encode(&mut payload);
    payload
}

fn joined(names: impl Iterator<Item = &'static str>) -> String {
    let mut list = String::new();
    for name in names {
        if !list.is_empty() {
            list.push(',');
        }
        list.push_str(name);
    }
    list
}

/// Both KEXINITs, told apart by role and by whose they are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offers<'a> {
    client: KexInit<'a>,
    server: KexInit<'a>,
    /// Whose offer an error names.
    ours: Role,
}

impl<'a> Offers<'a> {
    pub(crate) const fn new(ours: Role, own: KexInit<'a>, peer: KexInit<'a>) -> Self {
        match ours {
            Role::Client => Self { client: own, server: peer, ours },
            Role::Server => Self { client: peer, server: own, ours },
        }
    }

    /// RFC 4253 §7.1: of each list, the first of the client's names that the server has too.
    pub(crate) fn negotiate(&self) -> Result<Negotiated, Error> {
        let kex = self.choose(List::Kex, |side| side.kex_algorithms, KexAlgorithm::from_name)?;
        let host_key = self.choose(
            List::HostKey,
            |side| side.server_host_key_algorithms,
            KeyAlgorithm::from_name,
        )?;
        let client_to_server = self.protection(
            |side| side.encryption_algorithms_client_to_server,
            |side| side.mac_algorithms_client_to_server,
        )?;
        let server_to_client = self.protection(
            |side| side.encryption_algorithms_server_to_client,
            |side| side.mac_algorithms_server_to_client,
        )?;
        self.no_compression(|side| side.compression_algorithms_client_to_server)?;
        self.no_compression(|side| side.compression_algorithms_server_to_client)?;
        Ok(Negotiated { kex, host_key, client_to_server, server_to_client })
    }

    fn protection(
        &self,
        ciphers: impl Fn(&KexInit<'a>) -> NameList<'a>,
        macs: impl Fn(&KexInit<'a>) -> NameList<'a>,
    ) -> Result<Protection, Error> {
        let cipher = self.choose(List::Cipher, ciphers, CipherAlgorithm::from_name)?;
        let mac = match cipher.is_aead() {
            true => None,
            false => Some(self.choose(List::Mac, macs, MacAlgorithm::from_name)?),
        };
        Ok(Protection { cipher, mac })
    }

    fn no_compression(&self, list: impl Fn(&KexInit<'a>) -> NameList<'a>) -> Result<(), Error> {
        let none = |name: &str| (name == "none").then_some(());
        self.choose(List::Compression, list, none)
    }

    /// Markers are no algorithms: `known` does not know them, so a peer that echoes ours gains nothing.
    fn choose<T>(
        &self,
        list: List,
        side: impl Fn(&KexInit<'a>) -> NameList<'a>,
        known: impl Fn(&str) -> Option<T>,
    ) -> Result<T, Error> {
        let (client, server) = (side(&self.client), side(&self.server));
        let mut common = client.iter().filter(|name| server.contains(name));
        common.find_map(known).ok_or_else(|| {
            let peers = if self.ours == Role::Client { server } else { client };
            Incompatible::NoMatch { list, offer: shown(peers.as_str()).into() }.into()
        })
    }

    /// Whether the message sent along with a KEXINIT was the right one: both want the same most. RFC 4253 §7.1.
    pub(crate) fn guess_is_right(&self) -> bool {
        let first = |side: &KexInit<'a>| {
            (side.kex_algorithms.first(), side.server_host_key_algorithms.first())
        };
        first(&self.client) == first(&self.server)
    }

    /// Whether both sides want strict key exchange; asked at the first exchange only.
    pub(crate) fn is_strict(&self) -> bool {
        self.client.kex_algorithms.contains(CLIENT_MARKERS[1])
            && self.server.kex_algorithms.contains(SERVER_MARKERS[1])
    }

    /// Whether the peer can take EXT_INFO. RFC 8308 §2.1.
    pub(crate) fn peer_takes_ext_info(&self) -> bool {
        match self.ours {
            Role::Client => self.server.kex_algorithms.contains(SERVER_MARKERS[0]),
            Role::Server => self.client.kex_algorithms.contains(CLIENT_MARKERS[0]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lists<'a>(kex: &'a str, host_key: &'a str, cipher: &'a str, mac: &'a str) -> KexInit<'a> {
        let (cipher, mac) = (NameList::new(cipher), NameList::new(mac));
        KexInit {
            cookie: [0; 16],
            kex_algorithms: NameList::new(kex),
            server_host_key_algorithms: NameList::new(host_key),
            encryption_algorithms_client_to_server: cipher,
            encryption_algorithms_server_to_client: cipher,
            mac_algorithms_client_to_server: mac,
            mac_algorithms_server_to_client: mac,
            compression_algorithms_client_to_server: NameList::new("zlib,none"),
            compression_algorithms_server_to_client: NameList::new("none"),
            languages_client_to_server: NameList::new(""),
            languages_server_to_client: NameList::new(""),
            first_kex_packet_follows: false,
            reserved: 0,
        }
    }

    const KEX: &str = "curve25519-sha256";
    const GCM: &str = "aes128-gcm@openssh.com";

    fn negotiated(client: KexInit<'_>, server: KexInit<'_>) -> Result<Negotiated, Error> {
        let as_client = Offers::new(Role::Client, client, server).negotiate();
        let as_server = Offers::new(Role::Server, server, client).negotiate();
        assert_eq!(as_client.is_ok(), as_server.is_ok());
        if as_client.is_ok() {
            assert_eq!(as_client, as_server);
        }
        as_client
    }

    fn no_match(list: List, offer: &str) -> Result<Negotiated, Error> {
        Err(Incompatible::NoMatch { list, offer: offer.into() }.into())
    }

    #[test]
    fn the_client_chooses_and_the_server_limits() {
        let client = lists("curve25519-sha256,ecdh-sha2-nistp256", "ssh-ed25519", GCM, "");
        let server = lists("ecdh-sha2-nistp256,curve25519-sha256", "ssh-ed25519", GCM, "");
        assert_eq!(negotiated(client, server).unwrap().kex, KexAlgorithm::Curve25519Sha256);
        let server = lists("ecdh-sha2-nistp256", "ssh-ed25519", GCM, "");
        assert_eq!(negotiated(client, server).unwrap().kex, KexAlgorithm::EcdhSha2Nistp256);
    }

    #[test]
    fn names_we_do_not_know_are_passed_over() {
        let both = lists(
            "new-kex,curve25519-sha256",
            "ssh-new,ssh-ed25519",
            "x,aes128-ctr",
            "m,hmac-sha2-256",
        );
        assert_eq!(negotiated(both, both).unwrap().kex, KexAlgorithm::Curve25519Sha256);
    }

    #[test]
    fn an_aead_needs_no_mac_in_common_and_a_ctr_cipher_does() {
        let side = |cipher, mac| lists(KEX, "ssh-ed25519", cipher, mac);
        let aead = negotiated(side(GCM, "hmac-sha2-256"), side(GCM, "hmac-sha2-512")).unwrap();
        assert_eq!(aead.client_to_server.mac, None);
        let ctr = negotiated(side("aes128-ctr", "hmac-sha2-256"), side("aes128-ctr", "umac"));
        assert_eq!(ctr, no_match(List::Mac, "umac"));
    }

    #[test]
    fn what_has_nothing_in_common_is_named_with_the_peers_offer() {
        let own = lists(KEX, "ssh-ed25519", GCM, "");
        let kex = negotiated(own, lists("diffie-hellman-group1-sha1", "ssh-ed25519", GCM, ""));
        assert_eq!(kex, no_match(List::Kex, "diffie-hellman-group1-sha1"));
        let host_key = negotiated(own, lists(KEX, "ssh-dss", GCM, ""));
        assert_eq!(host_key, no_match(List::HostKey, "ssh-dss"));
        let cipher = negotiated(own, lists(KEX, "ssh-ed25519", "3des-cbc", ""));
        assert_eq!(cipher, no_match(List::Cipher, "3des-cbc"));
    }

    #[test]
    fn a_peer_that_insists_on_compression_is_refused() {
        let own = lists(KEX, "ssh-ed25519", GCM, "");
        let zlib =
            KexInit { compression_algorithms_server_to_client: NameList::new("zlib"), ..own };
        assert_eq!(negotiated(own, zlib), no_match(List::Compression, "zlib"));
    }

    #[test]
    fn markers_are_no_algorithms() {
        let markers = lists("ext-info-c,kex-strict-c-v00@openssh.com", "ssh-ed25519", GCM, "");
        assert!(negotiated(markers, markers).is_err());
    }

    #[test]
    fn a_guess_is_right_when_both_want_the_same_most() {
        let right = |client, server| Offers::new(Role::Client, client, server).guess_is_right();
        let own = lists(KEX, "ssh-ed25519,rsa-sha2-256", GCM, "");
        assert!(right(own, lists(KEX, "ssh-ed25519", GCM, "")));
        assert!(!right(own, lists(KEX, "rsa-sha2-256,ssh-ed25519", GCM, "")));
        assert!(!right(own, lists("x,curve25519-sha256", "ssh-ed25519", GCM, "")));
    }

    #[test]
    fn only_the_first_kexinit_carries_markers() {
        let config = Config::client();
        let names = |first, strict_kex| {
            let payload = kexinit(&Config { strict_kex, ..config.clone() }, [0; 16], first, false);
            String::from(KexInit::decode(&payload).unwrap().kex_algorithms.as_str())
        };
        assert!(names(true, true).ends_with(",ext-info-c,kex-strict-c-v00@openssh.com"));
        assert!(names(true, false).ends_with(",ext-info-c"));
        assert!(!names(false, true).contains("ext-info-c"));
        assert!(!names(false, true).contains("strict"));
    }
}
