//! What one side of a connection offers, and its limits. RFC 4253 §6.1, §7.1, §9.
//! Touches: algorithm names, numbers.   Never: key files; the server's keys stand behind [`HostKeys`].
//! Invariants: a configuration is shared by connections and never changes.
//! Errors: none; an empty list fails at negotiation.   Allocates: its lists.
//! Proved by: `tests::pair`, which negotiates every algorithm.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use adit_crypto::{
    CipherAlgorithm, KexAlgorithm, KeyAlgorithm, MacAlgorithm, SignatureAlgorithm, aes_hardware,
};

/// Which side we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The side that dialled.
    Client,
    /// The side that listened.
    Server,
}

/// The largest `packet_length` taken by default: what OpenSSH takes.
pub const MAX_PACKET: u32 = 256 * 1024;

/// What one side offers, most wanted first, and its limits.
#[derive(Clone)]
pub struct Config {
    /// Which side we are.
    pub role: Role,
    /// Software name and version in our identification: printable, without spaces and dashes. RFC 4253 §4.2.
    pub software: String,
    /// Comment behind it; usually empty.
    pub comment: String,
    /// Key exchange methods.
    pub kex: Vec<KexAlgorithm>,
    /// Host key algorithms; a server offers those of them it has a key for.
    pub host_key: Vec<KeyAlgorithm>,
    /// Ciphers, both directions.
    pub ciphers: Vec<CipherAlgorithm>,
    /// MACs, both directions; unused with AEAD ciphers.
    pub macs: Vec<MacAlgorithm>,
    /// Send the first key exchange message along with KEXINIT, for the first method. RFC 4253 §7.1. Clients only.
    pub guess_kex: bool,
    /// Offer strict key exchange. OpenSSH PROTOCOL §1.10.
    pub strict_kex: bool,
    /// Names and values for EXT_INFO, sent if the peer can take it. RFC 8308 §2.3.
    pub extensions: Vec<(String, Vec<u8>)>,
    /// The largest `packet_length` we take, in bytes. RFC 4253 §6.1.
    pub max_packet: u32,
    /// When to exchange new keys. RFC 4253 §9, RFC 4344 §3.
    pub rekey: RekeyLimits,
    /// How long a later key exchange may be without any sign of the peer, in milliseconds.
    pub kex_timeout_ms: u64,
    /// The server's keys.
    pub host_keys: Option<Arc<dyn HostKeys + Send + Sync>>,
}

impl Config {
    /// What a client offers by default.
    pub fn client() -> Self {
        let extensions = vec![("ext-info-in-auth@openssh.com".into(), b"0".into())];
        Self { guess_kex: true, extensions, ..Self::common(Role::Client) }
    }

    /// What a server with these keys offers by default.
    pub fn server(host_keys: Arc<dyn HostKeys + Send + Sync>) -> Self {
        let names: Vec<_> = SignatureAlgorithm::ALL.iter().map(|each| each.name()).collect();
        let extensions = vec![
            ("server-sig-algs".into(), names.join(",").into_bytes()),
            // OpenSSH PROTOCOL §3.1: logins may be signed together with our host key.
            ("publickey-hostbound@openssh.com".into(), b"0".into()),
        ];
        Self { host_keys: Some(host_keys), extensions, ..Self::common(Role::Server) }
    }

    fn common(role: Role) -> Self {
        Self {
            role,
            software: concat!("adit_", env!("CARGO_PKG_VERSION")).into(),
            comment: String::new(),
            kex: KexAlgorithm::DEFAULT.into(),
            host_key: KeyAlgorithm::DEFAULT_HOST_KEY.into(),
            ciphers: CipherAlgorithm::preferred(aes_hardware()).into(),
            macs: MacAlgorithm::ALL.into(),
            guess_kex: false,
            strict_kex: true,
            extensions: Vec::new(),
            max_packet: MAX_PACKET,
            rekey: RekeyLimits::default(),
            kex_timeout_ms: 30_000,
            host_keys: None,
        }
    }

    /// The host key algorithms we can name in KEXINIT.
    pub(crate) fn offered_host_keys(&self) -> impl Iterator<Item = KeyAlgorithm> + '_ {
        let held = self.host_keys.as_deref().map(HostKeys::algorithms);
        self.host_key
            .iter()
            .copied()
            .filter(move |each| held.as_ref().is_none_or(|held| held.contains(each)))
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config").field("role", &self.role).finish_non_exhaustive()
    }
}

/// When to exchange new keys; 0 is the cipher's own limit, or none for time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RekeyLimits {
    /// Bytes in either direction.
    pub bytes: u64,
    /// Packets in either direction.
    pub packets: u64,
    /// Milliseconds since the last exchange.
    pub after_ms: u64,
}

/// The server's private keys, wherever they are kept.
pub trait HostKeys {
    /// The algorithms there is a key for.
    fn algorithms(&self) -> Vec<KeyAlgorithm>;

    /// The public key or certificate blob to show for `algorithm`. RFC 4253 §6.6.
    fn public_blob(&self, algorithm: KeyAlgorithm) -> Option<Vec<u8>>;

    /// The signature blob over `hash`, the exchange hash. RFC 4253 §8.
    ///
    /// # Errors
    /// [`SignFailed`] when there is no such key or it cannot be used; the connection ends.
    fn sign(&self, algorithm: KeyAlgorithm, hash: &[u8]) -> Result<Vec<u8>, SignFailed>;
}

/// A host key could not sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignFailed;

impl fmt::Display for SignFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("host key could not sign")
    }
}

impl core::error::Error for SignFailed {}
