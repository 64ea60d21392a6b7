//! Whether a key may log an account in: revocation, authorities, principals, authorized_keys. sshd_config(5).
//! Touches: the files that the rules name, with the rights of whoever owns them.   Never: signatures over the session.
//! Invariants: a list of revoked keys that cannot be read revokes all; what a user owns is read with the user's rights.
//! Errors: the reason of a refusal.   Allocates: per key, bounded by the files' own limits.
//! Proved by: `tests` beside this file, with keys and certificates made by ssh-keygen.

use super::command::KeyCommand;
use super::rights::with_rights_of;
use super::{Account, KeyRefusal, KeyRules, KeyVerdict, Origin, ShownKey, clock, tokens};
use adit_crypto::{Certificate, PublicKey, SecurityKeyUse};
use adit_keys::authorized_keys::{Found, Grants, Login, search, search_principals};
use adit_keys::bounded::{Bounded, MAX_LIST};
use adit_keys::certificate::{Holder, check_user_certificate};
use adit_keys::fingerprint::{FingerprintHash, key_bits};
use adit_keys::public::{encode, key_type, lists_key};
use adit_keys::revoked::RevokedKeys;
use adit_keys::strict_modes;
use rustix::fs::{Mode, OFlags, open};
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

/// Whether the key may log the account in, and what it grants.
///
/// # Errors
/// Why not.
pub(super) fn check_key(
    account: &Account,
    shown: &ShownKey<'_>,
    origin: &Origin,
    rules: &KeyRules,
) -> KeyVerdict {
    let key = PublicKey::decode(shown.blob);
    let key = key.map_err(|error| KeyRefusal::Foreign(error.to_string()))?;
    check_size(&key, rules).map_err(KeyRefusal::Foreign)?;
    check_revoked(&key, rules).map_err(KeyRefusal::Flawed)?;
    let login = Login {
        user: &account.name,
        address: origin.address,
        host: origin.host.as_deref(),
        now: clock::now(),
        from_local: clock::from_local,
        ca_algorithms: &rules.ca_signature_algorithms,
    };
    let search = Search { account, login, rules, refusals: Vec::new() };
    let grants = search.grants(&key)?;
    check_security_key(&key, shown.flags, &grants, rules).map_err(KeyRefusal::Flawed)?;
    Ok(grants)
}

/// RequiredRSASize, of a certificate's authority as well.
fn check_size(key: &PublicKey, rules: &KeyRules) -> Result<(), String> {
    let authority = key.certificate().map(Certificate::signature_key);
    for key in [Some(key.key()), authority].into_iter().flatten() {
        let bits = key_bits(&key.encode()).unwrap_or(0);
        if matches!(key, PublicKey::Rsa(_)) && bits < rules.required_rsa_size {
            return Err("refusing RSA key: Invalid key length".to_owned());
        }
    }
    Ok(())
}

fn check_revoked(key: &PublicKey, rules: &KeyRules) -> Result<(), String> {
    for path in &rules.revoked_keys {
        let shown = path.display();
        let revoked = RevokedKeys::load(path)
            .map_err(|error| format!("Error checking revoked keys file {shown}: {error}"))?;
        if revoked.is_revoked(key) {
            return Err(format!("revoked by {shown}"));
        }
    }
    Ok(())
}

/// What a security key must have told with its signature.
fn check_security_key(
    key: &PublicKey,
    flags: Option<u8>,
    grants: &Grants,
    rules: &KeyRules,
) -> Result<(), String> {
    let is_security_key =
        matches!(key.key(), PublicKey::SkEd25519 { .. } | PublicKey::SkEcdsa { .. });
    let Some(flags) = flags.filter(|_| is_security_key) else { return Ok(()) };
    let lacks = |flag: u8| flags & flag == 0;
    if (rules.touch_required || grants.touch_required) && lacks(SecurityKeyUse::USER_PRESENT) {
        return Err("user presence (authenticator touch) requirement not met".to_owned());
    }
    if (rules.verify_required || grants.verify_required) && lacks(SecurityKeyUse::USER_VERIFIED) {
        return Err("user verification requirement not met".to_owned());
    }
    Ok(())
}

/// A key looked for in one place after the other.
struct Search<'a> {
    account: &'a Account,
    login: Login<'a>,
    rules: &'a KeyRules,
    /// What was found that speaks against it.
    refusals: Vec<String>,
}

impl Search<'_> {
    /// In sshd's order: trusted authorities, then the command, then the files.
    fn grants(mut self, key: &PublicKey) -> KeyVerdict {
        if let Some(certificate) = key.certificate() {
            if let Some(grants) = self.by_trusted_authority(certificate) {
                return Ok(grants);
            }
        }
        if let Some(grants) = self.by_command(key).or_else(|| self.by_files(key)) {
            return Ok(grants);
        }
        Err(match self.refusals.is_empty() {
            true => KeyRefusal::Foreign("not an authorized key".into()),
            false => KeyRefusal::Flawed(self.refusals.join("; ")),
        })
    }

    /// TrustedUserCAKeys
    fn by_trusted_authority(&mut self, certificate: &Certificate) -> Option<Grants> {
        let authority = certificate.signature_key().encode();
        let files = self.rules.trusted_user_ca_keys.iter();
        let listed: Vec<_> = files.map(|path| (path, lists_key(path, &authority))).collect();
        for (path, answer) in &listed {
            if let Err(error) = answer {
                self.refusals.push(format!("TrustedUserCAKeys {}: {error}", path.display()));
            }
        }
        if !listed.iter().any(|(_, answer)| matches!(answer, Ok(true))) {
            return None;
        }
        let rules = self.rules;
        let file = is_set(rules.authorized_principals_file.as_ref());
        let command = is_set(rules.authorized_principals_command.as_ref());
        if file.is_none() && command.is_none() {
            let holder = Holder::Named(&self.account.name);
            let judged = check_user_certificate(certificate, holder, &self.login);
            return judged.map_err(|error| self.refusals.push(error.to_string())).ok();
        }
        let grants = file
            .and_then(|pattern| self.by_principals_file(certificate, pattern))
            .or_else(|| command.and_then(|line| self.by_principals_command(certificate, line)));
        if grants.is_none() {
            let reason = "Certificate does not contain an authorized principal";
            self.refusals.push(reason.to_owned());
        }
        grants
    }

    /// AuthorizedPrincipalsFile
    fn by_principals_file(&mut self, certificate: &Certificate, pattern: &str) -> Option<Grants> {
        let login = self.login;
        let found = self
            .in_file(pattern, &|name, lines| search_principals(&login, certificate, name, lines));
        self.taken(found)
    }

    /// AuthorizedPrincipalsCommand
    fn by_principals_command(&mut self, certificate: &Certificate, line: &str) -> Option<Grants> {
        let command = KeyCommand {
            keyword: "AuthorizedPrincipalsCommand",
            line,
            run_as: self.rules.authorized_principals_command_user.as_deref(),
            user: &self.account.name,
            tokens: &|token| certificate_token(token, certificate, self.account),
        };
        let found = command.output().and_then(|output| {
            search_principals(&self.login, certificate, command.keyword, &mut &*output)
                .map_err(|error| error.to_string())
        });
        self.taken(found)
    }

    /// AuthorizedKeysCommand
    fn by_command(&mut self, key: &PublicKey) -> Option<Grants> {
        let line = is_set(self.rules.authorized_keys_command.as_ref())?;
        let command = KeyCommand {
            keyword: "AuthorizedKeysCommand",
            line,
            run_as: self.rules.authorized_keys_command_user.as_deref(),
            user: &self.account.name,
            tokens: &|token| key_token(token, &key.encode(), self.account),
        };
        let found = command.output().and_then(|output| {
            search(&self.login, key, command.keyword, &mut &*output)
                .map_err(|error| error.to_string())
        });
        self.taken(found)
    }

    /// AuthorizedKeysFile
    fn by_files(&mut self, key: &PublicKey) -> Option<Grants> {
        let login = self.login;
        let patterns = self.rules.authorized_keys_files.iter();
        patterns.filter_map(|pattern| is_set(Some(pattern))).find_map(|pattern| {
            let found = self.in_file(pattern, &|name, lines| search(&login, key, name, lines));
            self.taken(found)
        })
    }

    fn taken(&mut self, found: Result<Found, String>) -> Option<Grants> {
        match found {
            Ok(found) => {
                self.refusals.extend(found.refusals);
                found.grants
            }
            Err(reason) => {
                self.refusals.push(reason);
                None
            }
        }
    }

    /// Looks into the account's file of that pattern, with the account's rights; one that is not there has no lines.
    fn in_file(
        &self,
        pattern: &str,
        look: &(dyn Fn(&str, &mut dyn BufRead) -> io::Result<Found> + Sync),
    ) -> Result<Found, String> {
        let path = tokens::file_of(pattern, self.account)?;
        let name = path.display().to_string();
        let system = self.account.system.as_ref();
        let home = system.map(|system| system.home.as_path());
        let owner = system.map_or_else(|| rustix::process::geteuid().as_raw(), |user| user.uid);
        with_rights_of(system, || {
            let Some(file) = open_file(&path).map_err(|error| format!("{name}: {error}"))? else {
                return Ok(Found::default());
            };
            if self.rules.strict_modes {
                strict_modes::check(&file, &path, home, owner)
                    .map_err(|error| error.to_string())?;
            }
            let mut lines = BufReader::new(Bounded::new(file, MAX_LIST));
            look(&name, &mut lines).map_err(|error| format!("{name}: {error}"))
        })
        .unwrap_or_else(|error| Err(format!("{name}: {error}")))
    }
}

/// A value other than `none`, which is how a default is taken back.
fn is_set(value: Option<&String>) -> Option<&str> {
    value.map(String::as_str).filter(|value| !value.eq_ignore_ascii_case("none"))
}

/// Tokens of AuthorizedKeysCommand.
fn key_token(token: char, blob: &[u8], account: &Account) -> Option<String> {
    match token {
        'f' => Some(FingerprintHash::Sha256.of(blob)),
        't' => key_type(blob).map(str::to_owned),
        'k' => encode(blob).split_once(' ').map(|(_, base64)| base64.to_owned()),
        _ => tokens::account_token(token, account),
    }
}

/// Tokens of AuthorizedPrincipalsCommand: capitals are about the authority.
fn certificate_token(token: char, certificate: &Certificate, account: &Account) -> Option<String> {
    match token {
        'i' => Some(String::from_utf8_lossy(&certificate.key_id).into_owned()),
        's' => Some(certificate.serial.to_string()),
        'F' | 'T' | 'K' => {
            let authority = certificate.signature_key().encode();
            key_token(token.to_ascii_lowercase(), &authority, account)
        }
        _ => key_token(token, certificate.blob(), account),
    }
}

/// Opens a regular file; anything else might never give an answer.
fn open_file(path: &Path) -> io::Result<Option<File>> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let file = match open(path, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(rustix::io::Errno::NOENT) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    match file.metadata()?.is_file() {
        true => Ok(Some(file)),
        false => Err(io::Error::other("not a regular file")),
    }
}

#[cfg(test)]
mod tests;
