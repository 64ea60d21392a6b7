//! Host keys: whether the key a server shows is to be trusted, and what the user is told or asked. ssh_config(5).
//! Touches: known_hosts and revocation files, the terminal.   Never: the key exchange, which waits for the answer.
//! Invariants: a revoked key is never trusted while checking is on; a changed key leaves forwards and passwords off.
//! Errors: [`Trust::Refused`], after the reason was printed.   Allocates: texts.
//! Proved by: `tests`, interop `host_keys.rs`.

use crate::host_certificate::{self, ByAuthority};
use crate::identity::{describe, is_short};
use crate::log::{debug, error, info};
use crate::prompt::{Echo, Prompter};
use adit_crypto::{PublicKey, SignatureAlgorithm};
use adit_forward::os_words;
use adit_keys::fingerprint::{FingerprintHash, randomart, type_name};
use adit_keys::host::HostName;
use adit_keys::known_hosts::{self, Entry, KnownHosts, Names, OtherName, Verdict};
use adit_keys::public::key_type;
use adit_keys::revoked::RevokedKeys;
use std::net::SocketAddr;
use std::path::PathBuf;

/// StrictHostKeyChecking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strict {
    /// Connect whatever is shown; a changed key disables what it could steal.
    No,
    /// Trust only what is known.
    Yes,
    /// Ask about what is new.
    Ask,
    /// Trust and remember what is new.
    AcceptNew,
}

/// What the configuration says about host keys.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    pub(crate) strict: Strict,
    /// `UserKnownHostsFile`; the first is written to.
    pub(crate) user_files: Vec<PathBuf>,
    /// `GlobalKnownHostsFile`
    pub(crate) global_files: Vec<PathBuf>,
    /// `HashKnownHosts`
    pub(crate) hash: bool,
    /// `HostKeyAlias`
    pub(crate) alias: Option<String>,
    /// `NoHostAuthenticationForLocalhost`
    pub(crate) trust_localhost: bool,
    /// `FingerprintHash`
    pub(crate) fingerprint: FingerprintHash,
    /// `VisualHostKey`
    pub(crate) visual: bool,
    /// `RevokedHostKeys`
    pub(crate) revoked: Option<PathBuf>,
    /// `RequiredRSASize`
    pub(crate) rsa_bits: u32,
    /// `CASignatureAlgorithms`
    pub(crate) ca_algorithms: Vec<SignatureAlgorithm>,
}

/// The server a key is for.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    /// As the user named it, after Hostname.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) address: Option<SocketAddr>,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Go on: the user has this key on file, or has just agreed to it. What the server says of its other keys counts.
    Known,
    /// Go on.
    Full,
    /// Go on without passwords and forwards: the key is not the one that is known.
    Crippled,
    /// Do not go on.
    Refused,
}

const BOX: &str = "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@";

impl Policy {
    fn files(&self) -> impl Iterator<Item = &PathBuf> + Clone {
        self.user_files.iter().chain(&self.global_files)
    }

    /// The name the server's key is filed under.
    pub(crate) fn host_name(&self, server: &Server) -> Option<HostName> {
        let (name, port) = match &self.alias {
            Some(alias) => (alias.as_str(), 22),
            None => (server.host.as_str(), server.port),
        };
        HostName::new(name, port).ok()
    }

    /// What the files say about the server.
    pub(crate) fn known(&self, name: HostName) -> Option<KnownHosts> {
        let known = KnownHosts::load(name, self.files())
            .map_err(|broken| error!("{}: {}", broken.file.display(), os_words(&broken.error)))
            .ok()?;
        for skipped in known.skipped() {
            debug!("{}:{}: {}", skipped.place.file.display(), skipped.place.line, skipped.reason);
        }
        Some(known)
    }

    /// Judges what a server showed: a key, or a certificate.
    pub(crate) fn judge(&self, server: &Server, shown: &[u8], prompter: &dyn Prompter) -> Trust {
        debug!("Server host key: {}", describe(shown));
        let Ok(key) = PublicKey::decode(shown) else {
            error!("Bad server host key: invalid format");
            return Trust::Refused;
        };
        if is_short(shown, self.rsa_bits) {
            error!("Bad server host key: Invalid key length");
            return Trust::Refused;
        }
        if self.is_in_revoked_file(&key) {
            return Trust::Refused;
        }
        let local = server.address.is_some_and(|address| address.ip().to_canonical().is_loopback());
        if self.trust_localhost && local && self.alias.is_none() {
            debug!("Forcing accepting of host key for loopback/localhost.");
            return Trust::Full;
        }
        if let Some(certificate) = key.certificate() {
            match host_certificate::check(self, server, certificate) {
                ByAuthority::Trusted => return Trust::Full,
                ByAuthority::Refused => return Trust::Refused,
                ByAuthority::Unknown => debug!("No matching CA found. Retry with plain key"),
            }
        }
        self.check(server, &key.key().encode(), prompter)
    }

    /// A list that cannot be read revokes everything.
    fn is_in_revoked_file(&self, key: &PublicKey) -> bool {
        let Some(file) = &self.revoked else { return false };
        let shown = describe(&key.encode());
        match RevokedKeys::load(file).map(|list| list.is_revoked(key)) {
            Ok(false) => false,
            Ok(true) => {
                error!("Host key {shown} revoked by file {}", file.display());
                true
            }
            Err(failed) => {
                let file = file.display();
                error!("Error checking host key {shown} in revoked keys file {file}: {failed}");
                true
            }
        }
    }

    /// Judges a plain key by what is known of the host.
    fn check(&self, server: &Server, key: &[u8], prompter: &dyn Prompter) -> Trust {
        let Some(name) = self.host_name(server) else {
            error!("hostname contains invalid characters");
            return Trust::Refused;
        };
        let Some(known) = self.known(name) else { return Trust::Refused };
        let check = Check { policy: self, server, key, name: known.host(), prompter };
        match known.check(key) {
            Verdict::Known(entry) => check.known(entry),
            Verdict::Revoked(_) => check.revoked(),
            Verdict::Changed(entry) => check.changed(entry),
            Verdict::Unknown => check.unknown(),
        }
    }
}

/// One key being judged.
struct Check<'a> {
    policy: &'a Policy,
    server: &'a Server,
    key: &'a [u8],
    name: &'a HostName,
    prompter: &'a dyn Prompter,
}

impl Check<'_> {
    fn type_name(&self) -> &str {
        type_name(key_type(self.key).unwrap_or_default())
    }

    fn fingerprint(&self) -> String {
        self.policy.fingerprint.of(self.key)
    }

    fn known(&self, entry: &Entry) -> Trust {
        debug!("Host '{}' is known and matches the {} host key.", self.name, self.type_name());
        debug!("Found key in {}:{}", entry.place.file.display(), entry.place.line);
        if self.policy.visual {
            info!("Host key fingerprint is {}\n{}", self.fingerprint(), self.art());
        }
        if self.policy.user_files.contains(&entry.place.file) { Trust::Known } else { Trust::Full }
    }

    fn art(&self) -> String {
        randomart(self.policy.fingerprint, self.key)
    }

    fn unknown(&self) -> Trust {
        if self.is_known_without_port() {
            debug!("found matching key w/out port");
            return Trust::Full;
        }
        match self.policy.strict {
            Strict::Yes => {
                error!(
                    "No {} host key is known for {} and you have requested strict checking.",
                    self.type_name(),
                    self.name
                );
                Trust::Refused
            }
            Strict::Ask if !self.user_agrees() => Trust::Refused,
            strict => {
                self.remember();
                if strict == Strict::Ask { Trust::Known } else { Trust::Full }
            }
        }
    }

    /// A key filed under the bare name serves for its other ports too.
    fn is_known_without_port(&self) -> bool {
        let bare = self.name.without_port().and_then(|bare| self.policy.known(bare));
        bare.is_some_and(|known| matches!(known.check(self.key), Verdict::Known(_)))
    }

    fn user_agrees(&self) -> bool {
        let mut question = self.question();
        loop {
            let Some(answer) = self.prompter.ask(&question, Echo::On) else { return false };
            match answer.trim() {
                "yes" => return true,
                answer if answer == self.fingerprint() => return true,
                "no" | "" => return false,
                _ => question = "Please type 'yes', 'no' or the fingerprint: ".to_owned(),
            }
        }
    }

    fn question(&self) -> String {
        let address = self.server.address.map_or_else(String::new, |address| {
            let filed = HostName::new(&address.ip().to_canonical().to_string(), self.server.port);
            filed.map(|name| format!(" ({name})")).unwrap_or_default()
        });
        let art = if self.policy.visual { format!("{}\n", self.art()) } else { String::new() };
        format!(
            "The authenticity of host '{}{address}' can't be established.\n\
             {} key fingerprint is {}.\n{art}{}\
             Are you sure you want to continue connecting (yes/no/[fingerprint])? ",
            self.name,
            self.type_name(),
            self.fingerprint(),
            self.other_names(),
        )
    }

    fn other_names(&self) -> String {
        let others = known_hosts::other_names(self.key, self.policy.files()).unwrap_or_default();
        if others.is_empty() {
            return "This key is not known by any other names.\n".to_owned();
        }
        let line = |other: &OtherName| {
            let hosts = other.hosts.as_deref().unwrap_or("[hashed name]");
            format!("    {}:{}: {hosts}\n", other.place.file.display(), other.place.line)
        };
        let lines: String = others.iter().map(line).collect();
        format!("This host key is known by the following other names/addresses:\n{lines}")
    }

    /// A new key goes into the first of the user's files.
    fn remember(&self) {
        let Some(file) = self.policy.user_files.first() else { return };
        let mut random = adit_crypto::SystemRandom::new();
        let names = if self.policy.hash { Names::Hashed(&mut random) } else { Names::Plain };
        match known_hosts::append(file, std::slice::from_ref(self.name), self.key, names) {
            Ok(_) => info!(
                "Warning: Permanently added '{}' ({}) to the list of known hosts.",
                self.name,
                self.type_name()
            ),
            Err(failed) => info!("{failed}"),
        }
    }

    fn revoked(&self) -> Trust {
        error!("{BOX}\n@       WARNING: REVOKED HOST KEY DETECTED!               @\n{BOX}");
        error!("The {} host key for {} is marked as revoked.", self.type_name(), self.name);
        error!("This could mean that a stolen key is being used to impersonate this host.");
        if self.policy.strict != Strict::No {
            error!(
                "Host key for {} was revoked and you have requested strict checking.",
                self.name
            );
            return Trust::Refused;
        }
        Trust::Crippled
    }

    fn changed(&self, entry: &Entry) -> Trust {
        let file = entry.place.file.display();
        error!("{BOX}\n@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\n{BOX}");
        error!("IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!");
        error!("Someone could be eavesdropping on you right now (man-in-the-middle attack)!");
        error!("It is also possible that a host key has just been changed.");
        error!(
            "The fingerprint for the {} key sent by the remote host is\n{}.",
            self.type_name(),
            self.fingerprint()
        );
        error!("Please contact your system administrator.");
        if let Some(own) = self.policy.user_files.first() {
            error!("Add correct host key in {} to get rid of this message.", own.display());
        }
        let offending = type_name(key_type(&entry.key).unwrap_or_default());
        error!("Offending {offending} key in {file}:{}", entry.place.line);
        error!("  remove with:\n  ssh-keygen -f \"{file}\" -R \"{}\"", self.name);
        if self.policy.strict != Strict::No {
            error!(
                "Host key for {} has changed and you have requested strict checking.",
                self.name
            );
            return Trust::Refused;
        }
        Trust::Crippled
    }
}

#[cfg(test)]
mod tests;
