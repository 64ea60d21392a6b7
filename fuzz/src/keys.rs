//! Files and answers about keys: known_hosts, private keys, certificates, lists of revoked ones, an agent's replies.
//! Touches: `adit_keys`, `adit_crypto`'s keys.   Never: files, sockets.
//! Invariants: stated at each target.
//! Errors: a panic is a finding.   Allocates: freely.
//! Proved by: the seeds.

use adit_crypto::{CertificateKind, PublicKey, SignatureAlgorithm};
use adit_keys::{
    agent::{Identities, decode_signature, decode_success},
    authorized_keys::{AuthorizedKey, Grants, Login, search, search_principals},
    certificate::{Holder, check_host_certificate, check_user_certificate},
    fingerprint::{FingerprintHash, key_bits, randomart},
    host::HostName,
    known_hosts::{KnownHosts, Line},
    private::KeyFile,
    public::PublicKeyLine,
    revoked::RevokedKeys,
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

fn login() -> Login<'static> {
    Login {
        user: "ada",
        address: [192, 0, 2, 7].into(),
        host: Some("client.example"),
        now: 1_600_000_000,
        from_local: Some,
        ca_algorithms: SignatureAlgorithm::ALL,
    }
}

/// A line of authorized_keys is parsed or refused; a key finds its own line, and merging grants gives nothing away.
pub fn authorized_keys_line(bytes: &[u8]) {
    let login = login();
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

/// A public key or a certificate is read or refused; what was read says the same again, and signed nothing here.
///
/// Two bytes of length, the blob, and a signature.
pub fn certificate(bytes: &[u8]) {
    let Some((len, rest)) = bytes.split_first_chunk::<2>() else { return };
    let (blob, signature) = rest.split_at(usize::from(u16::from_be_bytes(*len)).min(rest.len()));
    let Ok(key) = PublicKey::decode(blob) else { return };
    let again = PublicKey::decode(&key.encode()).expect("it was read once");
    assert_eq!(again, key);
    let _ = (key.fingerprint(), key_bits(blob), randomart(FingerprintHash::Sha256, blob));
    for algorithm in key.algorithms() {
        assert!(key.verify(algorithm, b"never signed", signature).is_err());
    }
    let Some(certificate) = key.certificate() else { return };
    assert!(certificate.key().certificate().is_none(), "no certificates within certificates");
    let login = login();
    let for_user = check_user_certificate(certificate, Holder::Named("ada"), &login);
    let for_host =
        check_host_certificate(certificate, "host.example", login.now, SignatureAlgorithm::ALL);
    let is_signed = certificate.verify_ca().is_ok();
    let in_time = (certificate.valid_after..certificate.valid_before).contains(&login.now)
        || certificate.valid_before == u64::MAX;
    for (kind, is_good) in
        [(CertificateKind::User, for_user.is_ok()), (CertificateKind::Host, for_host.is_ok())]
    {
        assert!(!is_good || certificate.kind == kind && is_signed && in_time);
    }
}

/// A list of revoked keys is read to its end or refused; what it names is revoked, and so is what that signed.
///
/// The first byte says whether the rest begins with a KRL's magic.
pub fn revoked_keys(bytes: &[u8]) {
    let Some((magic, rest)) = bytes.split_first() else { return };
    let magic: &[u8] = if magic & 1 == 0 { b"" } else { b"SSHKRL\n\0" };
    let list = [magic, rest].concat();
    let Ok(revoked) = RevokedKeys::parse(&list) else { return };
    let key = |seed: u8| adit_testkit::keys::key(seed).public_key();
    let _ = revoked.is_revoked(&key(1));
    // A certificate that is among the bytes, if there is one.
    for at in
        list.windows(4).enumerate().filter_map(|(at, four)| (four == b"\0\0\0\x20").then_some(at))
    {
        if let Ok(found) = PublicKey::decode(&list[at..]) {
            let by_itself = revoked.is_revoked(found.key());
            assert!(!by_itself || revoked.is_revoked(&found), "its key is revoked, so it is");
        }
    }
    if magic.is_empty() {
        let lines =
            list.split(|byte| *byte == b'\n').filter_map(|line| PublicKeyLine::parse(line).ok());
        for key in lines.filter_map(|line| PublicKey::decode(&line.blob).ok()) {
            assert!(key.certificate().is_some() || revoked.is_revoked(&key), "a line names it");
        }
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
