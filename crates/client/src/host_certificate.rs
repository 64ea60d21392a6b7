//! Host certificates: trusted through the authority that signed them, else judged by the plain key inside.
//! Touches: the certificate, known_hosts through `host_key`, the wall clock.   Never: the key exchange.
//! Invariants: a certificate that is not valid for this host now is no reason to trust its key.
//! Errors: none of its own; see [`ByAuthority`].   Allocates: texts.
//! Proved by: interop `host_keys.rs`.

use crate::host_key::{Policy, Server};
use crate::log::{debug, error};
use adit_crypto::Certificate;
use adit_keys::certificate::check_host_certificate;
use adit_keys::known_hosts::Verdict;
use std::time::SystemTime;

/// What the authority says for a certificate.
pub(crate) enum ByAuthority {
    /// It is known, and the certificate is good for this host.
    Trusted,
    /// It, or the key, is revoked.
    Refused,
    /// Nothing: the plain key has to do.
    Unknown,
}

/// Judges a certificate by who signed it.
pub(crate) fn check(policy: &Policy, server: &Server, certificate: &Certificate) -> ByAuthority {
    let known = policy.host_name(server).and_then(|name| policy.known(name));
    let Some(known) = known else { return ByAuthority::Unknown };
    let authority = certificate.signature_key().encode();
    match known.check_authority(&authority, &certificate.key().encode()) {
        Verdict::Known(entry) => debug!("Found CA key in {}", entry.place),
        Verdict::Revoked(entry) => {
            error!("Certificate authority or key revoked in {}", entry.place);
            return ByAuthority::Refused;
        }
        _ => return ByAuthority::Unknown,
    }
    let host = policy.alias.as_deref().unwrap_or(&server.host);
    let now =
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |age| age.as_secs());
    match check_host_certificate(certificate, host, now, &policy.ca_algorithms) {
        Ok(()) => ByAuthority::Trusted,
        Err(failed) => {
            error!("{failed}");
            ByAuthority::Unknown
        }
    }
}
