//! Files and answers about keys: known_hosts, private keys, an agent's replies.
//! Touches: `adit_keys`.   Never: files, sockets.
//! Invariants: stated at each target.
//! Errors: a panic is a finding.   Allocates: freely.
//! Proved by: the seeds.

use adit_crypto::{PublicKey, SignatureAlgorithm};
use adit_keys::{
    agent::{Identities, decode_signature, decode_success},
    authorized_keys::{AuthorizedKey, Grants, Login, search, search_principals},
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

/// A line of authorized_keys is parsed or refused; a key finds its own line, and merging grants gives nothing away.
pub fn authorized_keys_line(bytes: &[u8]) {
    let login = Login {
        user: "ada",
        address: [192, 0, 2, 7].into(),
        host: Some("client.example"),
        now: 1_600_000_000,
        from_local: Some,
        ca_algorithms: SignatureAlgorithm::ALL,
    };
    let mut merged = Grants::everything("");
    for line in bytes.split(|byte| *byte == b'\n') {
        let Ok(Some(parsed)) = AuthorizedKey::parse(line) else { continue };
        let Ok(key) = PublicKey::decode(&parsed.key.blob) else { continue };
        let found = search(&login, &key, "keys", &mut &*line).expect("bytes can be read");
        let options = &parsed.options;
        let is_free = options.from.is_none() && options.expiry.is_none();
        if let Some(certificate) = key.certificate() {
            search_principals(&login, certificate, "names", &mut &*bytes).expect("the same");
        } else if is_free && !options.cert_authority && options.principals.is_none() {
            assert!(found.grants.is_some() || line.len() > adit_keys::authorized_keys::MAX_LINE);
        }
        let Some(grants) = found.grants else { continue };
        if let Ok(both) = merged.merge(&grants) {
            assert!(merged.pty || !both.pty);
            assert!(grants.port_forwarding || !both.port_forwarding);
            assert!(both.command.is_some() || grants.command.is_none());
            merged = both;
        }
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
