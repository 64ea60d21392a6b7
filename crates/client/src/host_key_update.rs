//! UpdateHostKeys: further keys of a known host are learned, retired ones forgotten. OpenSSH PROTOCOL §2.5, ssh_config(5).
//! Touches: the user's known_hosts files, the terminal.   Never: the connection; the tunnel asks the server for proof.
//! Invariants: a key is written only if the server signed for it; entries that also serve other hosts are left alone.
//! Errors: printed; the files stay as they were.   Allocates: the keys.
//! Proved by: `tests` below, interop `host_keys.rs`.

use crate::host_key::Policy;
use crate::identity::{describe, is_short};
use crate::log::{Level, debug, error, write};
use crate::prompt::{Echo, Prompter};
use adit_crypto::{KeyAlgorithm, PublicKey, SystemRandom};
use adit_engine::{host_key_proof, host_keys};
use adit_keys::host::HostName;
use adit_keys::known_hosts::{self, Entry, KnownHosts, Names, other_names};
use std::path::Path;

/// How often the user is asked for a yes or no.
const QUESTIONS: usize = 3;

/// Changes that the server's list of keys calls for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Update {
    name: HostName,
    /// What the files are to hold in the end.
    wanted: Vec<Vec<u8>>,
    /// Those that are not known yet.
    pub(crate) new: Vec<Vec<u8>>,
    /// Known ones that the server has no more.
    old: Vec<Vec<u8>>,
}

impl Update {
    /// Holds the server's list against the files; nothing when there is nothing to do, or it is not ours to do.
    pub(crate) fn of(
        list: &[u8],
        name: HostName,
        policy: &Policy,
        accepted: &[KeyAlgorithm],
    ) -> Option<Self> {
        let listed = listed(list)?;
        let known = KnownHosts::load(name.clone(), &policy.user_files).ok()?;
        let keys = known.entries().iter().map(|entry| entry.key.clone());
        let (kept, old): (Vec<_>, Vec<_>) = keys.partition(|key| listed.contains(key));
        let is_new = |key: &&Vec<u8>| !kept.contains(key) && is_welcome(key, policy, accepted);
        let new: Vec<_> = listed.iter().filter(is_new).cloned().collect();
        if new.is_empty() && old.is_empty() {
            debug!("no new or deprecated keys from server");
            return None;
        }
        if known.entries().iter().any(|entry| entry.marker.is_some() || !entry.only_this_host) {
            debug!("marker, list of hosts or pattern found, skipping UserKnownHostsFile update");
            return None;
        }
        let wanted: Vec<_> = kept.into_iter().chain(new.iter().cloned()).collect();
        if wanted.iter().chain(&old).any(|key| serves_others(key, &known, policy)) {
            debug!(
                "host key found matching a different name/address, \
                 skipping UserKnownHostsFile update"
            );
            return None;
        }
        Some(Self { name, wanted, new, old })
    }

    /// Whether the server signed for every new key: `signatures` is its answer.
    pub(crate) fn is_proved(&self, signatures: &[u8], session_id: &[u8]) -> bool {
        let mut signatures = host_keys(signatures);
        let each = self.new.iter().all(|key| {
            let signature = signatures.next().and_then(Result::ok);
            signature.is_some_and(|signature| signed(key, session_id, signature))
        });
        let proved = each && signatures.next().is_none();
        if !proved {
            error!("server failed to prove that it holds its new host keys");
        }
        proved
    }

    /// Writes the changes down; `asks` whether to.
    pub(crate) fn write(&self, policy: &Policy, asks: bool, prompter: &dyn Prompter) {
        let level = if asks { Level::Info } else { Level::Verbose };
        for key in &self.new {
            write(level, format_args!("Learned new hostkey: {}", describe(key)));
        }
        for key in &self.old {
            write(level, format_args!("Deprecating obsolete hostkey: {}", describe(key)));
        }
        if asks && !user_agrees(prompter) {
            return;
        }
        for (at, file) in policy.user_files.iter().enumerate() {
            // All keys go to the first file; the others only lose theirs.
            let keys: Vec<&[u8]> =
                self.wanted.iter().filter(|_| at == 0).map(Vec::as_slice).collect();
            self.write_file(file, &keys, policy.hash);
        }
    }

    fn write_file(&self, file: &Path, keys: &[&[u8]], hash: bool) {
        let mut random = SystemRandom::new();
        let hosts = std::slice::from_ref(&self.name);
        if file.exists() {
            let names = if hash { Names::Hashed(&mut random) } else { Names::Plain };
            if let Err(failed) = known_hosts::replace(file, hosts, keys, names) {
                error!("{failed}");
            }
            return;
        }
        for key in keys {
            let names = if hash { Names::Hashed(&mut random) } else { Names::Plain };
            if let Err(failed) = known_hosts::append(file, hosts, key, names) {
                error!("{failed}");
            }
        }
    }
}

/// The keys of the server's list; nothing when the list makes no sense.
fn listed(list: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut listed: Vec<Vec<u8>> = Vec::new();
    for key in host_keys(list) {
        let Ok(key) = key else {
            error!("server sent a malformed list of host keys");
            return None;
        };
        if listed.iter().any(|other| other == key) {
            error!("received duplicated host key");
            return None;
        }
        listed.push(key.to_vec());
    }
    Some(listed).filter(|listed| !listed.is_empty())
}

/// Whether we can read the key and would accept it.
fn is_welcome(blob: &[u8], policy: &Policy, accepted: &[KeyAlgorithm]) -> bool {
    let accepts = |key: PublicKey| {
        key.certificate().is_none() && key.algorithms().any(|name| accepted.contains(&name))
    };
    PublicKey::decode(blob).is_ok_and(accepts) && !is_short(blob, policy.rsa_bits)
}

/// Whether a file holds `key` for another host too.
fn serves_others(key: &[u8], known: &KnownHosts, policy: &Policy) -> bool {
    let is_ours = |place| known.entries().iter().any(|entry: &Entry| &entry.place == place);
    match other_names(key, &policy.user_files) {
        Ok(others) => others.iter().any(|other| !is_ours(&other.place)),
        // A file that breaks off is no ground to build on.
        Err(_) => true,
    }
}

fn signed(key: &[u8], session_id: &[u8], signature: &[u8]) -> bool {
    let message = host_key_proof(session_id, key);
    PublicKey::decode(key).is_ok_and(|key| {
        key.algorithms().any(|algorithm| key.verify(algorithm, &message, signature).is_ok())
    })
}

fn user_agrees(prompter: &dyn Prompter) -> bool {
    for _ in 0..QUESTIONS {
        let answer = prompter.ask("Accept updated hostkeys? (yes/no): ", Echo::On);
        match answer.as_deref().map(|answer| answer.trim()) {
            Some("yes") => return true,
            Some("no") | None => return false,
            Some(_) => write(Level::Info, format_args!("Please enter \"yes\" or \"no\"")),
        }
    }
    false
}

#[cfg(test)]
mod tests;
