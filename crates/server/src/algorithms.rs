//! The algorithms this server was built with, by name, and those it offers unless told otherwise.
//! Touches: names.   Never: what the algorithms do.
//! Invariants: nothing is offered by default that is weak or about to be; the order of ciphers is the processor's.
//! Errors: none.   Allocates: once.
//! Proved by: interop `server::matrix`, `server::audit`.

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
    macs: AlgorithmSet::of(MacAlgorithm::ALL, &macs(), MacAlgorithm::name),
    kex: AlgorithmSet::of(KexAlgorithm::ALL, &key_exchanges(), KexAlgorithm::name),
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

/// Those that authenticate what is encrypted, not what was.
fn macs() -> Vec<MacAlgorithm> {
    MacAlgorithm::ALL.iter().copied().filter(|mac| mac.is_encrypt_then_mac()).collect()
}

/// Without the NIST curves, whose constants nobody can explain, and without finite fields, which cost a server most.
fn key_exchanges() -> Vec<KexAlgorithm> {
    let all = KexAlgorithm::DEFAULT.iter().copied();
    all.filter(|kex| !kex.name().contains("nistp") && !kex.name().contains("diffie-hellman"))
        .collect()
}
