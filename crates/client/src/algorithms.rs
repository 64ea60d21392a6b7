//! The algorithms this program was built with, by name, for option lists and `-Q`.
//! Touches: names.   Never: what the algorithms do.
//! Invariants: the default order of ciphers is what this processor does fastest.
//! Errors: none.   Allocates: once.
//! Proved by: `tests` below, interop `matrix.rs`.

use crate::args::QueryNames;
use adit_config::{AlgorithmSet, Algorithms};
use adit_crypto::{
    CipherAlgorithm, KexAlgorithm, KeyAlgorithm, MacAlgorithm, SignatureAlgorithm, aes_hardware,
};
use std::sync::LazyLock;

/// All of them.
pub(crate) static ALGORITHMS: LazyLock<Algorithms> = LazyLock::new(|| Algorithms {
    ciphers: AlgorithmSet::of(
        CipherAlgorithm::ALL,
        CipherAlgorithm::preferred(aes_hardware()),
        CipherAlgorithm::name,
    ),
    macs: AlgorithmSet::of(MacAlgorithm::ALL, MacAlgorithm::ALL, MacAlgorithm::name),
    kex: AlgorithmSet::of(KexAlgorithm::ALL, KexAlgorithm::DEFAULT, KexAlgorithm::name),
    signatures: AlgorithmSet::of(
        KeyAlgorithm::ALL,
        KeyAlgorithm::DEFAULT_HOST_KEY,
        KeyAlgorithm::name,
    ),
    ca_signatures: AlgorithmSet::of(
        SignatureAlgorithm::ALL,
        SignatureAlgorithm::ALL,
        SignatureAlgorithm::name,
    ),
});

/// Which implementation of the algorithms this is, for `-V`.
pub(crate) const BACK_END: &str = adit_crypto::BACK_END;

/// What `-Q` answers from.
pub(crate) fn query_names() -> QueryNames {
    let names = |wanted: fn(&str) -> bool| -> &'static [&'static str] {
        let all = ALGORITHMS.signatures.supported.iter().copied();
        all.filter(|name| wanted(name)).collect::<Vec<_>>().leak()
    };
    let aead = CipherAlgorithm::ALL.iter().copied().filter(|cipher| cipher.is_aead());
    QueryNames {
        cipher: ALGORITHMS.ciphers.supported,
        cipher_auth: aead.map(CipherAlgorithm::name).collect::<Vec<_>>().leak(),
        mac: ALGORITHMS.macs.supported,
        kex: ALGORITHMS.kex.supported,
        key_plain: names(|name| !name.contains("-cert-") && !name.starts_with("rsa-sha2")),
        key_cert: names(|name| name.contains("-cert-") && !name.starts_with("rsa-sha2")),
        sig: names(|name| !name.contains("-cert-")),
        sig_cert: names(|name| name.contains("-cert-")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use adit_config::by_name;

    #[test]
    fn every_name_leads_back_to_its_algorithm() {
        let ciphers = ALGORITHMS.ciphers.supported;
        assert_eq!(by_name(ciphers, CipherAlgorithm::from_name), CipherAlgorithm::ALL);
        assert_eq!(ALGORITHMS.ciphers.default.len(), ciphers.len());
        assert_eq!(by_name(ALGORITHMS.kex.supported, KexAlgorithm::from_name), KexAlgorithm::ALL);
    }
}
