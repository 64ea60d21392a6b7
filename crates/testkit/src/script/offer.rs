//! What a scripted peer offers in its KEXINIT. RFC 4253 §7.1.
//! Touches: names.   Never: a choice among them.
//! Invariants: one name in each list unless a test says otherwise.
//! Errors: none.   Allocates: the payload.
//! Proved by: the tests that use it.

use super::payload;
use adit_transport::Role;
use adit_wire::NameList;
use adit_wire::transport::KexInit;

/// What a peer offers, list by list; one name each unless changed.
#[derive(Clone, Copy, Debug)]
pub struct Offer {
    /// Key exchange methods and markers.
    pub kex: &'static str,
    /// Host key algorithms.
    pub host_key: &'static str,
    /// Ciphers.
    pub cipher: &'static str,
    /// MACs.
    pub mac: &'static str,
    /// Compression.
    pub compression: &'static str,
    /// The first key exchange message comes along, for the first method.
    pub guess: bool,
}

impl Default for Offer {
    fn default() -> Self {
        Self {
            kex: "curve25519-sha256",
            host_key: "ssh-ed25519",
            cipher: "aes128-gcm@openssh.com",
            mac: "hmac-sha2-256",
            compression: "none",
            guess: false,
        }
    }
}

impl Offer {
    /// The default with strict key exchange, made by the peer of `us`. OpenSSH PROTOCOL §1.10.
    pub fn strict(us: Role) -> Self {
        let kex = match us {
            Role::Client => "curve25519-sha256,kex-strict-s-v00@openssh.com",
            Role::Server => "curve25519-sha256,kex-strict-c-v00@openssh.com",
        };
        Self { kex, ..Self::default() }
    }

    /// The KEXINIT that makes it.
    pub fn payload(&self) -> Vec<u8> {
        payload(&KexInit {
            cookie: [7; 16],
            kex_algorithms: NameList::new(self.kex),
            server_host_key_algorithms: NameList::new(self.host_key),
            encryption_algorithms_client_to_server: NameList::new(self.cipher),
            encryption_algorithms_server_to_client: NameList::new(self.cipher),
            mac_algorithms_client_to_server: NameList::new(self.mac),
            mac_algorithms_server_to_client: NameList::new(self.mac),
            compression_algorithms_client_to_server: NameList::new(self.compression),
            compression_algorithms_server_to_client: NameList::new(self.compression),
            languages_client_to_server: NameList::new(""),
            languages_server_to_client: NameList::new(""),
            first_kex_packet_follows: self.guess,
            reserved: 0,
        })
    }
}
