//! Which keys are offered, in which order, and who signs with them.

use super::*;
use crate::testing::{Folder, Nowhere, Scripted, key, options};
use adit_keys::public::encode;

/// An OpenSSH private key file that `passphrase` opens, and its public half.
const LOCKED: &str = include_str!("../../../keys/testdata/private/ed25519.openssh.locked");
const LOCKED_PUBLIC: &str = include_str!("../../../keys/testdata/private/ed25519.pub");
/// One that needs no passphrase.
const OPEN: &str = include_str!("../../../keys/testdata/private/ed25519.openssh");
/// An RSA key of 2048 bits in a file that does not show its public half before it is open.
const PEM: &str = include_str!("../../../keys/testdata/private/rsa.PEM");

/// Those of a user with these key files; `lines` are further options.
fn identities(files: &[&PathBuf], lines: &[&str]) -> Identities {
    let named: Vec<String> =
        files.iter().map(|file| format!("IdentityFile={}", file.display())).collect();
    let lines: Vec<&str> = named.iter().map(String::as_str).chain(lines.iter().copied()).collect();
    Identities::collect(&options(&lines), &Nowhere)
}

fn private(folder: &Folder, name: &str, text: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let path = folder.write(name, text);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path
}

/// A public half without a private one.
fn public(folder: &Folder, name: &str, seed: u8) -> PathBuf {
    folder.write(&format!("{name}.pub"), encode(&key(seed).public_blob()));
    folder.path(name)
}

fn in_agent(seed: u8) -> Identity {
    let blob = key(seed).public_blob();
    Identity {
        blob: Some(blob.clone()),
        name: format!("key {seed}"),
        named: false,
        signer: Signer::Agent(blob),
    }
}

fn names(identities: &Identities) -> Vec<&str> {
    identities.list.iter().map(|it| it.name.rsplit('/').next().unwrap()).collect()
}

fn request(blob: &[u8]) -> SignRequest {
    let algorithm = if key_type(blob) == Some("ssh-rsa") { "rsa-sha2-512" } else { "ssh-ed25519" };
    SignRequest {
        algorithm: algorithm.into(),
        signature_algorithm: algorithm.into(),
        public_key: blob.into(),
        data: b"data".into(),
    }
}

fn is_signed(blob: &[u8], signature: &[u8]) -> bool {
    let key = PublicKey::decode(blob).unwrap();
    key.algorithms().any(|algorithm| key.verify(algorithm, b"data", signature).is_ok())
}

#[test]
fn an_agents_keys_that_files_name_go_first_its_others_next_other_files_last() {
    let folder = Folder::new();
    let [a, b, c] = [("a", 1), ("b", 2), ("c", 3)].map(|(name, seed)| public(&folder, name, seed));
    let held = || vec![in_agent(9), in_agent(3), in_agent(2)];
    let mut all = identities(&[&a, &b, &c], &[]);
    all.merge(held());
    assert_eq!(names(&all), ["c", "b", "key 9", "a"]);
    let mut files_only = identities(&[&a, &b, &c], &["IdentitiesOnly=yes"]);
    files_only.merge(held());
    assert_eq!(names(&files_only), ["c", "b", "a"]);
    assert_eq!(files_only.list[0].signer, in_agent(3).signer);
}

#[test]
fn every_key_is_offered_in_turn_and_again_when_the_login_starts_over() {
    let folder = Folder::new();
    let (a, b) = (public(&folder, "a", 1), public(&folder, "b", 2));
    let mut identities = identities(&[&a, &b], &[]);
    let nobody = Scripted::default();
    let mut offered = |first| identities.next(first, &nobody).map(|offered| offered.blob);
    assert_eq!(offered(true), Some(key(1).public_blob()));
    assert_eq!(offered(false), Some(key(2).public_blob()));
    assert_eq!(offered(false), None);
    assert_eq!(offered(true), Some(key(1).public_blob()));
}

#[test]
fn a_locked_key_is_asked_about_only_when_it_is_wanted() {
    let folder = Folder::new();
    let file = private(&folder, "locked", LOCKED);
    let mut identities = identities(&[&file], &[]);
    let user = Scripted::new(&["wrong", "passphrase"]);
    let offered = identities.next(true, &user).unwrap();
    assert_eq!(offered.key_use, KeyUse::Probe);
    assert_eq!(user.asked(), [""; 0]);
    let signature = identities.sign(&request(&offered.blob), &user).unwrap();
    assert!(is_signed(&offered.blob, &signature));
    assert!(LOCKED_PUBLIC.starts_with(&encode(&offered.blob)));
    let question = format!("Enter passphrase for key '{}': ", file.display());
    assert_eq!(user.asked(), [question.clone(), question]);
}

#[test]
fn a_passphrase_is_asked_for_as_often_as_a_password() {
    let folder = Folder::new();
    let file = private(&folder, "locked", LOCKED);
    let mut identities = identities(&[&file], &["NumberOfPasswordPrompts=2"]);
    let user = Scripted::new(&["wrong", "wrong", "passphrase"]);
    let offered = identities.next(true, &user).unwrap();
    assert_eq!(identities.sign(&request(&offered.blob), &user), None);
    assert_eq!(user.asked().len(), 2);
}

#[test]
fn a_key_that_hides_its_public_half_is_opened_in_its_turn_and_signs_more_than_once() {
    let folder = Folder::new();
    let file = private(&folder, "pem", PEM);
    let mut identities = identities(&[&file], &[]);
    assert!(!identities.first_is_ready());
    let nobody = Scripted::default();
    let offered = identities.next(true, &nobody).unwrap();
    assert_eq!(offered.key_use, KeyUse::SignAtOnce);
    for _ in 0..2 {
        let signature = identities.sign(&request(&offered.blob), &nobody).unwrap();
        assert!(is_signed(&offered.blob, &signature));
    }
}

#[test]
fn a_private_key_that_is_not_the_public_one_beside_it_does_not_sign() {
    let folder = Folder::new();
    let file = private(&folder, "mixed", OPEN);
    folder.write("mixed.pub", encode(&key(1).public_blob()));
    let mut identities = identities(&[&file], &[]);
    let nobody = Scripted::default();
    let offered = identities.next(true, &nobody).unwrap();
    assert_eq!(offered.blob, key(1).public_blob());
    assert_eq!(identities.sign(&request(&offered.blob), &nobody), None);
}

#[test]
fn short_rsa_keys_and_security_keys_without_an_agent_are_left_out() {
    let folder = Folder::new();
    let file = private(&folder, "pem", PEM);
    let blob = KeyFile::load(&file).unwrap().unlock(b"").unwrap().key.public_blob();
    folder.write("pem.pub", encode(&blob));
    for (bits, usable) in [(2048, true), (2049, false)] {
        let identities = identities(&[&file], &[&format!("RequiredRSASize={bits}")]);
        assert_eq!(identities.list[0].is_usable(identities.rsa_bits), usable, "{bits}");
        let opened = identities.unlock(&file, &Scripted::default());
        assert_eq!(opened.is_some(), usable, "{bits}");
    }
    let blob = b"\0\0\0\x1ask-ssh-ed25519@openssh.com".to_vec();
    let signer = Signer::File(file);
    let hardware =
        |signer| Identity { blob: Some(blob.clone()), name: "sk".into(), named: true, signer };
    assert!(!hardware(signer).is_usable(1024));
    assert!(hardware(Signer::Agent(blob.clone())).is_usable(1024));
}

#[test]
fn a_file_that_is_nowhere_is_no_key() {
    let nowhere = PathBuf::from("/nonexistent/key");
    assert!(identities(&[&nowhere], &[]).list.is_empty());
    assert!(Identities::collect(&options(&["IdentityFile=none"]), &Nowhere).list.is_empty());
}

#[test]
fn a_key_at_hand_needs_no_probe_unless_there_is_an_agent() {
    let folder = Folder::new();
    let file = private(&folder, "pem", PEM);
    let blob = KeyFile::load(&file).unwrap().unlock(b"").unwrap().key.public_blob();
    folder.write("pem.pub", encode(&blob));
    assert!(identities(&[&file], &[]).first_is_ready());
    assert!(!identities(&[&file], &["IdentityAgent=/nonexistent/agent"]).first_is_ready());
    let locked = private(&folder, "locked", LOCKED);
    assert!(!identities(&[&locked], &[]).first_is_ready());
}
