//! Who may log in with which key, and what they may do then. sshd(8) AUTHORIZED_KEYS FILE FORMAT, sshd_config(5) AuthorizedPrincipalsFile.
//! Touches: lines that are handed in.   Never: paths, the clock, name look-up; both ends of a login are told.
//! Invariants: the first line that lets the login in decides; a line that is not understood to its end lets nobody in.
//! Errors: `io::Error` of the lines; what speaks against a login is text.   Allocates: a line at a time, at most 8 KB.
//! Proved by: `tests` beside this file, with certificates made by ssh-keygen; fuzz `authorized_keys_line`.

mod expiry;
mod grants;
mod line;
mod options;
#[cfg(test)]
mod tests;

pub use expiry::Expiry;
pub use grants::{Conflict, Grants};
pub use line::{AuthorizedKey, LineError};
pub use options::{KeyOptions, OptionError, OptionFault};

use std::io::{self, BufRead, Read};
use std::net::IpAddr;

use adit_crypto::{Certificate, PublicKey, SignatureAlgorithm};
use adit_pattern::{AddressList, Verdict};

use crate::certificate::{Holder, check_user_certificate};
use crate::fingerprint::{FingerprintHash, type_name};
use crate::public::key_type;

/// Longer lines count for nothing.
pub const MAX_LINE: usize = 8 << 10;

/// How many reasons are kept: a hostile file must not fill the log.
const MAX_REFUSALS: usize = 4;

/// Somebody who wants in, and from where.
#[derive(Clone, Copy, Debug)]
pub struct Login<'a> {
    /// The account's name.
    pub user: &'a str,
    /// The client's address.
    pub address: IpAddr,
    /// The client's name, where it is known.
    pub host: Option<&'a str>,
    /// Unix time.
    pub now: u64,
    /// The Unix time of a local one, both counted in seconds, for `expiry-time=` without a `Z`.
    pub from_local: fn(u64) -> Option<u64>,
    /// CASignatureAlgorithms.
    pub ca_algorithms: &'a [SignatureAlgorithm],
}

/// What lines say of a login.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// What it may do; none if no line lets it in.
    pub grants: Option<Grants>,
    /// Why lines about this key do not, each with its place.
    pub refusals: Vec<String>,
}

/// Looks for a key, or for the authority of a certificate, in the lines of a file; `name` is the file's in messages.
///
/// # Errors
/// When the lines cannot be read; then nobody is let in by them.
pub fn search(
    login: &Login<'_>,
    key: &PublicKey,
    name: &str,
    lines: &mut dyn BufRead,
) -> io::Result<Found> {
    let certificate = key.certificate();
    let wanted = certificate.map_or_else(|| key.encode(), |known| known.signature_key().encode());
    search_lines(name, lines, &mut |place, line| match AuthorizedKey::parse(line) {
        Ok(Some(line)) if line.key.blob == wanted => judge(login, certificate, &line, place),
        Ok(_) => None,
        Err(error) => (error.blob() == Some(&*wanted)).then(|| Err(error.to_string())),
    })
}

/// Looks for a certificate's principals in the lines of an AuthorizedPrincipalsFile: `[options] principal`.
///
/// The certificate itself is judged as well, and what it grants is narrowed by the line's options.
///
/// # Errors
/// When the lines cannot be read; then nobody is let in by them.
pub fn search_principals(
    login: &Login<'_>,
    certificate: &Certificate,
    name: &str,
    lines: &mut dyn BufRead,
) -> io::Result<Found> {
    search_lines(name, lines, &mut |place, line| {
        let line = line.split(|byte| *byte == b'#').next().unwrap_or_default().trim_ascii();
        let start = line.iter().rposition(|byte| matches!(byte, b' ' | b'\t'));
        let (options, principal) = line.split_at(start.map_or(0, |at| at + 1));
        let is_meant = certificate.valid_principals.iter().any(|known| known == principal);
        is_meant.then(|| {
            let options = std::str::from_utf8(options.trim_ascii());
            let options = options.map_err(|_| "bad principals options: not UTF-8".to_owned())?;
            let options = KeyOptions::parse(options)
                .map_err(|error| format!("bad principals options: {error}"))?;
            if options.cert_authority {
                return Err("cert-authority flag invalid here".to_owned());
            }
            authorize(login, &options)?;
            certified(login, certificate, Holder::Vouched, &options, place)
        })
    })
}

type Judgement = Option<Result<Grants, String>>;

/// Asks `visit` about every line, until one lets the login in.
fn search_lines(
    name: &str,
    lines: &mut dyn BufRead,
    visit: &mut dyn FnMut(&str, &[u8]) -> Judgement,
) -> io::Result<Found> {
    let mut found = Found::default();
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        let read = lines.take(MAX_LINE as u64 + 1).read_until(b'\n', &mut line)?;
        if read == 0 {
            break;
        }
        if read > MAX_LINE {
            if line.last() != Some(&b'\n') {
                lines.skip_until(b'\n')?;
            }
            continue;
        }
        let place = format!("{name}:{number}");
        match visit(&place, &line) {
            Some(Ok(grants)) => {
                found.grants = Some(grants);
                break;
            }
            Some(Err(reason)) if found.refusals.len() < MAX_REFUSALS => {
                found.refusals.push(format!("{place}: {reason}"));
            }
            Some(Err(_)) | None => {}
        }
    }
    Ok(found)
}

/// What a line with the right key says.
fn judge(
    login: &Login<'_>,
    certificate: Option<&Certificate>,
    line: &AuthorizedKey,
    place: &str,
) -> Judgement {
    let options = &line.options;
    // A plain key in a line for authorities, or the other way round, is another matter.
    if options.cert_authority != certificate.is_some() {
        return None;
    }
    let judged = authorize(login, options).and_then(|()| match certificate {
        None if options.principals.is_some() => Err("principals on non-CA key".to_owned()),
        None => Ok(Grants::of_options(options, place)),
        Some(certificate) => {
            let holder = match &options.principals {
                Some(principals) => Holder::OneOf(principals),
                None => Holder::Named(login.user),
            };
            certified(login, certificate, holder, options, place)
        }
    });
    Some(judged)
}

/// Whether a line's demands on the login are met.
fn authorize(login: &Login<'_>, options: &KeyOptions) -> Result<(), String> {
    if options.expiry.is_some_and(|expiry| expiry.is_over(login.now, login.from_local)) {
        return Err("entry expired".to_owned());
    }
    let Some(from) = &options.from else { return Ok(()) };
    match AddressList::parse(from).map(|list| list.verdict(Some(login.address), login.host)) {
        Ok(Verdict::Match) => Ok(()),
        Ok(_) => Err(format!(
            "Authentication tried for {} with correct key but not from a permitted host (host={}, ip={}, required={})",
            login.user,
            login.host.unwrap_or("UNKNOWN").escape_debug(),
            login.address,
            from.escape_debug(),
        )),
        Err(_) => Err("invalid from criteria".to_owned()),
    }
}

/// What a certificate grants where a line has its authority or one of its principals.
fn certified(
    login: &Login<'_>,
    certificate: &Certificate,
    holder: Holder<'_>,
    options: &KeyOptions,
    place: &str,
) -> Result<Grants, String> {
    let refused = |reason: String| {
        format!("Refusing certificate {}: {reason}", describe_certificate(certificate))
    };
    let granted = check_user_certificate(certificate, holder, login)
        .map_err(|error| refused(error.to_string()))?;
    let granted = Grants::of_options(options, place)
        .merge(&granted)
        .map_err(|conflict| refused(conflict.to_string()))?;
    Ok(Grants { source: format!("{place} ({})", describe_certificate(certificate)), ..granted })
}

/// `ID "ada" (serial 7) signed by ED25519 CA SHA256:…`
pub(crate) fn describe_certificate(certificate: &Certificate) -> String {
    let authority = certificate.signature_key().encode();
    format!(
        "ID \"{}\" (serial {}) signed by {} CA {}",
        String::from_utf8_lossy(&certificate.key_id).escape_debug(),
        certificate.serial,
        type_name(key_type(&authority).unwrap_or_default()),
        FingerprintHash::Sha256.of(&authority),
    )
}
