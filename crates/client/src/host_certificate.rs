//! Host certificates: trusted through the authority that signed them, else judged by the plain key inside.
//! Touches: the certificate, known_hosts through `host_key`, the wall clock.   Never: the key exchange.
//! Invariants: a certificate that is not valid for this host now is no reason to trust its key.
//! Errors: none of its own; see [`Trust`].   Allocates: texts.
//! Proved by: interop `host_keys.rs`.

use crate::algorithms::by_name;
use crate::host_key::{Policy, Trust};
use crate::log::{debug, error};
use crate::prompt::Prompter;
use crate::tunnel::Plan;
use adit_crypto::{Certificate, PublicKey, SignatureAlgorithm};
use adit_keys::certificate::check_host_certificate;
use adit_keys::known_hosts::Verdict;
use std::time::SystemTime;

/// Judges what a server showed: a key, or a certificate.
pub(crate) fn check(policy: &Policy, plan: &Plan, blob: &[u8], prompter: &Prompter) -> Trust {
    let Ok(shown) = PublicKey::decode(blob) else {
        error!("Server host key cannot be read.");
        return Trust::Refused;
    };
    if let Some(certificate) = shown.certificate() {
        match by_authority(policy, plan, certificate, &shown.key().encode()) {
            ByAuthority::Trusted => return Trust::Full,
            ByAuthority::Refused => return Trust::Refused,
            ByAuthority::Unknown => debug!("No matching CA found. Retry with plain key"),
        }
    }
    policy.check(&plan.server, &shown.key().encode(), prompter)
}

enum ByAuthority {
    Trusted,
    Refused,
    Unknown,
}

fn by_authority(
    policy: &Policy,
    plan: &Plan,
    certificate: &Certificate,
    key: &[u8],
) -> ByAuthority {
    let known = policy.host_name(&plan.server).and_then(|name| policy.known(name));
    let Some(known) = known else { return ByAuthority::Unknown };
    match known.check_authority(&certificate.signature_key().encode(), key) {
        Verdict::Known(entry) => debug!("Found CA key in {}", entry.place),
        Verdict::Revoked(entry) => {
            error!("Certificate authority or key revoked in {}", entry.place);
            return ByAuthority::Refused;
        }
        _ => return ByAuthority::Unknown,
    }
    let allowed = by_name(&plan.options.ca_signature_algorithms, SignatureAlgorithm::from_name);
    let host = policy.alias.as_deref().unwrap_or(&plan.server.host);
    let now =
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |age| age.as_secs());
    match check_host_certificate(certificate, host, now, &allowed) {
        Ok(()) => ByAuthority::Trusted,
        Err(failed) => {
            error!("{failed}");
            ByAuthority::Unknown
        }
    }
}
