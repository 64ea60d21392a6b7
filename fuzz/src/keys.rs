//! Files and answers about keys: known_hosts, private keys, an agent's replies.
//! Touches: `adit_keys`.   Never: files, sockets.
//! Invariants: stated at each target.
//! Errors: a panic is a finding.   Allocates: freely.
//! Proved by: the seeds.

use adit_keys::{
    agent::{Identities, decode_signature, decode_success},
    host::HostName,
    known_hosts::{KnownHosts, Line},
    private::KeyFile,
    public::PublicKeyLine,
};
use std::path::Path;

/// A line is parsed or refused; matching it against a host ends.
pub fn known_hosts_line(bytes: &[u8]) {
    let host = HostName::new("host.example", 2222).expect("a good name");
    for line in bytes.split(|byte| *byte == b'\n') {
        if let Ok(Some(line)) = Line::parse(line) {
            let _ = line.key();
            let _ = line.hosts.matches(&host);
            let _ = line.hosts.is_only(&host);
        }
        let _ = PublicKeyLine::parse(line);
    }
    let mut list = KnownHosts::new(host);
    if list.read(Path::new("known_hosts"), &mut &*bytes).is_ok() {
        assert!(list.entries().len() + list.skipped().len() <= bytes.len());
        let _ = list.key_types();
    }
}

/// A key file is read or refused, and so is opening it with a passphrase.
pub fn private_key(bytes: &[u8]) {
    let Ok(file) = KeyFile::parse(Path::new("key"), bytes) else { return };
    let _ = file.public_blob();
    // An encrypted file asks for as many rounds as it likes; that is the user's own file and time.
    if !file.is_encrypted() {
        let _ = file.unlock(b"");
    }
}

/// An agent's reply is understood or refused, and no list is longer than what it came in.
pub fn agent_reply(bytes: &[u8]) {
    if let Ok(identities) = Identities::decode(bytes.to_vec()) {
        assert!(identities.iter().count() <= bytes.len() / 8);
    }
    let _ = decode_signature(bytes);
    let _ = decode_success(bytes);
}
