//! Every format, key type and cipher ssh-keygen and openssl write, and what must not be taken for a key.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use adit_crypto::{PublicKey, SystemRandom};

use super::*;
use crate::testing::{Scratch, testdata};

const PASSPHRASE: &[u8] = b"passphrase";

/// The files of `testdata/private` whose names begin with one of these and a dot.
const NAMES: [&str; 7] = ["ed25519", "p256", "p384", "p521", "rsa", "short", "openssl"];

/// File name, its text, and the public key beside it.
fn key_files() -> Vec<(String, Vec<u8>, PublicKeyLine)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(testdata("private")).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        let (name, format) = file.split_once('.').unwrap_or_default();
        if format != "pub" && NAMES.contains(&name) {
            let public = PublicKeyLine::load(&testdata(&format!("private/{name}.pub"))).unwrap();
            files.push((file.clone(), fs::read(testdata("private").join(&file)).unwrap(), public));
        }
    }
    assert_eq!(files.len(), 45);
    files.retain(|(name, ..)| cfg!(feature = "rare-ciphers") || !is_rare(name));
    files
}

fn is_rare(name: &str) -> bool {
    ["aes192", "gcm", "poly1305", "scrypt", "sha512"].iter().any(|rare| name.contains(rare))
}

#[cfg(not(feature = "rare-ciphers"))]
#[test]
fn a_cipher_that_was_left_out_is_called_unsupported() {
    for name in [
        "ed25519.aes192-ctr.locked",
        "ed25519.aes256-gcm@openssh.com.locked",
        "p256.PKCS8-scrypt.locked",
        "rsa.PKCS8-sha512.locked",
    ] {
        let text = fs::read(testdata("private").join(name)).unwrap();
        let error = parse(&text).and_then(|file| file.unlock(PASSPHRASE)).unwrap_err();
        assert_eq!(error.to_string(), "Load key \"key\": key encrypted using unsupported cipher");
    }
}

fn parse(text: &[u8]) -> Result<KeyFile, LoadError> {
    KeyFile::parse(Path::new("key"), text)
}

#[test]
fn every_file_opens_and_its_key_signs_what_its_public_half_verifies() {
    for (name, text, public) in key_files() {
        let file = parse(&text).unwrap();
        assert_eq!(file.is_encrypted(), name.ends_with(".locked"), "{name}");
        let opened = file.unlock(PASSPHRASE).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(opened.key.public_blob(), public.blob, "{name}");
        let verifier = PublicKey::decode(&public.blob).unwrap();
        for algorithm in verifier.algorithms() {
            let sign = opened.key.sign(algorithm.signature, b"message", &mut SystemRandom::new());
            let signature = sign.unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(verifier.verify(algorithm, b"message", &signature), Ok(()), "{name}");
        }
    }
}

#[test]
fn a_wrong_or_missing_passphrase_is_called_so() {
    for (name, text, _) in key_files().iter().filter(|(name, ..)| name.ends_with(".locked")) {
        for wrong in [&b"passphrasf"[..], b""] {
            let error = parse(text).unwrap().unlock(wrong).unwrap_err();
            assert!(matches!(error.cause, Cause::WrongPassphrase), "{name}: {error}");
        }
    }
}

#[test]
fn openssh_files_show_public_key_without_passphrase_and_keep_the_comment() {
    for (name, text, public) in key_files().iter().filter(|(name, ..)| name.contains(".openssh")) {
        let file = parse(text).unwrap();
        assert_eq!(file.public_blob().as_ref(), Some(&public.blob), "{name}");
        let stem = name.split('.').next().unwrap();
        assert_eq!(file.unlock(PASSPHRASE).unwrap().comment, format!("{stem}@adit"));
    }
}

#[test]
fn the_passphrase_is_asked_for_only_when_needed_and_only_so_often() {
    let read = |name: &str| parse(&fs::read(testdata(name)).unwrap()).unwrap();
    let open = read("private/ed25519.openssh");
    open.unlock_asking(3, || panic!("asked for nothing")).unwrap();
    let locked = read("private/ed25519.openssh.locked");
    let mut answers = vec![&b"passphrase"[..], b"wrong", b"wronger"].into_iter().rev();
    locked.unlock_asking(3, || answers.next().map(|word| Zeroizing::new(word.to_vec()))).unwrap();
    assert_eq!(answers.next(), None);
    for give_up in [None, Some(Zeroizing::new(Vec::new()))] {
        let mut asked = 0;
        let answer = locked.unlock_asking(3, || {
            asked += 1;
            give_up.clone()
        });
        assert!(matches!(answer.unwrap_err().cause, Cause::WrongPassphrase));
        assert_eq!(asked, 1);
    }
}

#[test]
fn line_ends_surroundings_and_a_missing_last_one_do_not_matter() {
    for (name, text, _) in key_files() {
        let text = String::from_utf8(text).unwrap();
        for variant in [
            text.replace('\n', "\r\n"),
            text.trim_end().to_owned(),
            format!("some words\n\n{text}\nmore"),
        ] {
            let file = parse(variant.as_bytes()).unwrap();
            file.unlock(PASSPHRASE).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }
}

#[test]
fn keys_of_other_kinds_are_called_unsupported() {
    for name in ["unsupported.ed448", "unsupported.secp256k1"] {
        let text = fs::read(testdata("private").join(name)).unwrap();
        let error = parse(&text).unwrap().unlock(b"").unwrap_err();
        assert_eq!(
            error.to_string(),
            "Load key \"key\": unknown or unsupported key type",
            "{name}"
        );
    }
    let dsa = b"-----BEGIN DSA PRIVATE KEY-----\nAAAA\n-----END DSA PRIVATE KEY-----\n";
    assert!(matches!(parse(dsa).unwrap_err().cause, Cause::UnsupportedKey));
}

#[test]
fn an_rsa_key_too_short_to_be_used_is_refused() {
    let text = fs::read(testdata("private/short-rsa")).unwrap();
    let error = parse(&text).unwrap().unlock(b"").unwrap_err();
    assert_eq!(error.to_string(), "Load key \"key\": Invalid key length");
}

#[test]
fn what_is_no_key_is_called_invalid() {
    for text in [
        &b""[..],
        b"\xff\xfe",
        b"ssh-ed25519 AAAA\n",
        b"-----BEGIN OPENSSH PRIVATE KEY-----\n",
        b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n",
        b"-----BEGIN OPENSSH PRIVATE KEY-----\n!!!!\n-----END OPENSSH PRIVATE KEY-----\n",
    ] {
        assert_eq!(parse(text).unwrap_err().to_string(), "Load key \"key\": invalid format");
    }
}

/// A file that was cut or has a byte changed is refused or opens as the same key, but never as another.
#[test]
fn damaged_files_give_no_other_key() {
    for (name, text, public) in key_files().iter().filter(|(name, ..)| !name.ends_with(".locked")) {
        let (format, pem) = recognise(text).unwrap();
        // Points are slow to check; Ed25519 is checked byte by byte below.
        let step = if name.starts_with("ed25519") { 1 } else { 17 };
        for at in (0..pem.body.len()).step_by(step) {
            let mut cut = pem.body.clone();
            cut.truncate(at);
            assert!(reopen(format, cut).is_none(), "{name} cut at {at}");
            let mut changed = pem.body.clone();
            changed[at] ^= 0x20;
            // A changed secret half of RSA shows when it signs; the public half has to be what it was.
            if let Some(key) = reopen(format, changed).filter(|_| format == Format::OpenSsh) {
                assert_eq!(key.public_blob(), public.blob, "{name} changed at {at}");
            }
        }
    }
}

/// Ed25519 keys have no number in them that another does not hold: only the comment may change.
#[test]
fn no_byte_of_an_ed25519_file_may_change_but_the_comment() {
    let text = fs::read(testdata("private/ed25519.openssh")).unwrap();
    let (format, pem) = recognise(&text).unwrap();
    let taken = (0..pem.body.len()).filter(|at| {
        let mut body = pem.body.clone();
        body[*at] ^= 0x20;
        reopen(format, body).is_some()
    });
    let comment = pem.body.windows(12).position(|part| part == b"ed25519@adit").unwrap();
    assert_eq!(taken.collect::<Vec<_>>(), (comment..comment + 12).collect::<Vec<_>>());
}

#[test]
fn an_armour_that_ends_otherwise_than_it_began_is_refused() {
    let text = fs::read_to_string(testdata("private/rsa.PEM")).unwrap();
    let text = text.replace("END RSA", "END EC");
    assert!(matches!(parse(text.as_bytes()).unwrap_err().cause, Cause::InvalidFormat));
}

fn reopen(format: Format, body: Zeroizing<Vec<u8>>) -> Option<SigningKey> {
    let pem = Pem { label: String::new(), encryption: None, body };
    let file = KeyFile { path: PathBuf::new(), format, pem };
    file.unlock(b"").ok().map(|opened| opened.key)
}

#[test]
fn a_file_others_can_read_is_refused_with_the_box() {
    let scratch = Scratch::new("unprotected");
    let path = scratch.copy("private/ed25519.openssh", "id");
    for mode in [0o644, 0o640, 0o660, 0o604, 0o620] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let error = KeyFile::load(&path).unwrap_err();
        let Cause::Unprotected(unprotected) = &error.cause else { panic!("{error}") };
        assert_eq!(unprotected.mode, mode);
        assert_eq!(error.to_string(), format!("Load key \"{}\": bad permissions", path.display()));
        assert_eq!(
            unprotected.to_string(),
            format!(
                "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\n\
                 @         WARNING: UNPROTECTED PRIVATE KEY FILE!          @\n\
                 @@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\n\
                 Permissions 0{mode:o} for '{}' are too open.\n\
                 It is required that your private key files are NOT accessible by others.\n\
                 This private key will be ignored.",
                path.display()
            )
        );
    }
    for mode in [0o600, 0o400, 0o700] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        KeyFile::load(&path).unwrap();
    }
}

#[test]
fn a_missing_file_is_reported_in_the_systems_words() {
    let error = KeyFile::load(Path::new("/nonexistent/id")).unwrap_err();
    assert_eq!(error.to_string(), "Load key \"/nonexistent/id\": No such file or directory");
}

#[test]
fn a_file_larger_than_any_key_is_not_read() {
    let scratch = Scratch::new("large");
    let path = scratch.path().join("id");
    let mut text = fs::read(testdata("private/ed25519.openssh")).unwrap();
    text.resize(MAX_KEY_FILE as usize + 1, b'\n');
    fs::write(&path, &text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(matches!(KeyFile::load(&path).unwrap_err().cause, Cause::InvalidFormat));
    fs::write(&path, &text[..MAX_KEY_FILE as usize]).unwrap();
    KeyFile::load(&path).unwrap();
}

#[test]
fn the_public_half_comes_from_the_file_itself_or_the_one_beside_it_or_the_private_one() {
    let scratch = Scratch::new("public-half");
    let ours = PublicKeyLine::load(&testdata("private/ed25519.pub")).unwrap();
    let id = scratch.copy("private/ed25519.openssh.locked", "id");
    assert_eq!(public_half(&id).unwrap().blob, ours.blob);
    let public = scratch.copy("private/p256.pub", "id.pub");
    let other = public_half(&id).unwrap();
    assert_eq!((other.key_type(), &*other.comment), ("ecdsa-sha2-nistp256", "p256@adit"));
    assert_eq!(public_half(&public), Some(other));
    assert_eq!(public_half(&scratch.copy("private/rsa.PEM", "pem")), None);
    assert_eq!(public_half(&scratch.path().join("missing")), None);
}

#[test]
fn debug_shows_no_secret() {
    let text = fs::read(testdata("private/ed25519.openssh")).unwrap();
    let file = parse(&text).unwrap();
    assert_eq!(format!("{file:?}"), "KeyFile(\"key\")");
    assert_eq!(format!("{:?}", file.unlock(b"").unwrap()), "PrivateKey(\"ed25519@adit\")");
}
