//! How a key is shown to people: fingerprints, type names, sizes, the picture of VisualHostKey.
//! Touches: key blobs.   Never: files.
//! Invariants: output is the text ssh-keygen -l prints; nothing of the blob reaches it but digest, type and size.
//! Errors: none; an unknown type is shown as its SSH name.   Allocates: the text.
//! Proved by: `tests` below, against ssh-keygen's output.

use std::borrow::Cow;

use adit_crypto::{HashAlgorithm, PublicKey};
use adit_wire::{Mpint, Reader};
use md5::{Digest, Md5};

use crate::public::key_type;

/// FingerprintHash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FingerprintHash {
    /// `SHA256:` and base64 without padding.
    #[default]
    Sha256,
    /// `MD5:` and hexadecimal bytes between colons.
    Md5,
}

impl FingerprintHash {
    /// The fingerprint of a key's blob, with the name of the hash before it.
    ///
    /// A certificate is shown by the key it certifies.
    pub fn of(self, blob: &[u8]) -> String {
        let blob = &plain(blob);
        match self {
            Self::Sha256 => adit_crypto::fingerprint(blob),
            Self::Md5 => {
                let hex: Vec<String> =
                    Md5::digest(blob).iter().map(|byte| format!("{byte:02x}")).collect();
                format!("MD5:{}", hex.join(":"))
            }
        }
    }

    fn digest(self, blob: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => HashAlgorithm::Sha256.digest(&[blob]).as_ref().to_vec(),
            Self::Md5 => Md5::digest(blob).to_vec(),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "SHA256",
            Self::Md5 => "MD5",
        }
    }
}

/// The blob of the key inside a certificate, or the plain key's own.
fn plain(blob: &[u8]) -> Cow<'_, [u8]> {
    match PublicKey::decode(blob) {
        Ok(PublicKey::Certified(certificate)) => certificate.key().encode().into(),
        _ => blob.into(),
    }
}

/// SSH names and what messages call them.
const TYPE_NAMES: [(&str, &str); 14] = [
    ("ssh-ed25519", "ED25519"),
    ("ssh-ed25519-cert-v01@openssh.com", "ED25519-CERT"),
    ("ssh-rsa", "RSA"),
    ("ssh-rsa-cert-v01@openssh.com", "RSA-CERT"),
    ("ecdsa-sha2-nistp256", "ECDSA"),
    ("ecdsa-sha2-nistp384", "ECDSA"),
    ("ecdsa-sha2-nistp521", "ECDSA"),
    ("ecdsa-sha2-nistp256-cert-v01@openssh.com", "ECDSA-CERT"),
    ("ecdsa-sha2-nistp384-cert-v01@openssh.com", "ECDSA-CERT"),
    ("ecdsa-sha2-nistp521-cert-v01@openssh.com", "ECDSA-CERT"),
    ("sk-ssh-ed25519@openssh.com", "ED25519-SK"),
    ("sk-ecdsa-sha2-nistp256@openssh.com", "ECDSA-SK"),
    ("ssh-dss", "DSA"),
    ("ssh-dss-cert-v01@openssh.com", "DSA-CERT"),
];

/// The type as messages call it, `ED25519`; another name stays as it is.
pub fn type_name(key_type: &str) -> &str {
    TYPE_NAMES.iter().find(|(ssh, _)| *ssh == key_type).map_or(key_type, |(_, shown)| shown)
}

/// Size of a plain key in bits; `None` for types whose size is not known.
pub fn key_bits(blob: &[u8]) -> Option<u32> {
    match key_type(blob)? {
        "ssh-ed25519" | "sk-ssh-ed25519@openssh.com" => Some(256),
        "ecdsa-sha2-nistp256" | "sk-ecdsa-sha2-nistp256@openssh.com" => Some(256),
        "ecdsa-sha2-nistp384" => Some(384),
        "ecdsa-sha2-nistp521" => Some(521),
        "ssh-rsa" => rsa_bits(blob),
        _ => None,
    }
}

/// `string "ssh-rsa" · mpint e · mpint n`
fn rsa_bits(blob: &[u8]) -> Option<u32> {
    let mut reader = Reader::new(blob);
    reader.string().ok()?;
    reader.field::<Mpint<'_>>().ok()?;
    let n = reader.field::<Mpint<'_>>().ok()?;
    let top = n.magnitude().first()?;
    Some(n.magnitude().len() as u32 * 8 - top.leading_zeros())
}

const WIDTH: usize = 17;
const HEIGHT: usize = 9;
/// Marks for 0, 1, 2 … visits, then start and end.
const MARKS: &[u8; 17] = b" .o+=*BOX@%&#/^SE";

/// The picture of VisualHostKey: a plain key in eleven lines, a bishop's walk over the fingerprint's bit pairs.
pub fn randomart(hash: FingerprintHash, blob: &[u8]) -> String {
    let mut field = [[0_u8; WIDTH]; HEIGHT];
    let (mut x, mut y) = (WIDTH / 2, HEIGHT / 2);
    for byte in hash.digest(blob) {
        for shift in [0, 2, 4, 6] {
            let step = byte >> shift;
            x = if step & 1 == 1 { (x + 1).min(WIDTH - 1) } else { x.saturating_sub(1) };
            y = if step & 2 == 2 { (y + 1).min(HEIGHT - 1) } else { y.saturating_sub(1) };
            field[y][x] = (field[y][x] + 1).min(MARKS.len() as u8 - 3);
        }
    }
    field[HEIGHT / 2][WIDTH / 2] = MARKS.len() as u8 - 2;
    field[y][x] = MARKS.len() as u8 - 1;
    let mut text = border(&title(blob));
    for row in field {
        let marks: String =
            row.iter().map(|visits| char::from(MARKS[usize::from(*visits)])).collect();
        text += &format!("\n|{marks}|");
    }
    text + "\n" + &border(&format!("[{}]", hash.name()))
}

fn title(blob: &[u8]) -> String {
    let shown = type_name(key_type(blob).unwrap_or_default());
    let sized = format!("[{shown} {}]", key_bits(blob).unwrap_or_default());
    if sized.len() <= WIDTH { sized } else { format!("[{shown}]") }
}

fn border(title: &str) -> String {
    let before = WIDTH.saturating_sub(title.len()) / 2;
    let after = WIDTH.saturating_sub(title.len() + before);
    format!("+{}{title}{}+", "-".repeat(before), "-".repeat(after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::public::PublicKeyLine;
    use crate::testing::{run, testdata};

    const KEYS: [&str; 5] = ["ed25519", "p256", "p384", "p521", "rsa"];

    fn key(name: &str) -> PublicKeyLine {
        PublicKeyLine::load(&testdata(&format!("private/{name}.pub"))).unwrap()
    }

    /// `ssh-keygen -lv`: a line of size, fingerprint, comment and type; then the picture.
    #[test]
    fn every_key_is_shown_as_ssh_keygen_shows_it() {
        for name in KEYS {
            let PublicKeyLine { blob, comment } = key(name);
            for (hash, option) in
                [(FingerprintHash::Sha256, "sha256"), (FingerprintHash::Md5, "md5")]
            {
                let path = testdata(&format!("private/{name}.pub"));
                let Some(shown) =
                    run("ssh-keygen", &["-lv", "-E", option, "-f", path.to_str().unwrap()])
                else {
                    return;
                };
                let ours = format!(
                    "{} {} {comment} ({})\n{}\n",
                    key_bits(&blob).unwrap(),
                    hash.of(&blob),
                    type_name(key_type(&blob).unwrap()),
                    randomart(hash, &blob),
                );
                assert_eq!(ours, String::from_utf8(shown.stdout).unwrap());
            }
        }
    }

    #[test]
    fn a_certificate_is_shown_by_the_key_it_certifies() {
        let plain = key("ed25519").blob;
        let certificate = PublicKeyLine::load(&testdata("certificate/host-cert.pub")).unwrap().blob;
        for hash in [FingerprintHash::Sha256, FingerprintHash::Md5] {
            assert_eq!(hash.of(&certificate), hash.of(&plain));
        }
    }

    #[test]
    fn what_is_no_key_has_no_size_but_a_fingerprint() {
        for blob in [
            &b""[..],
            b"\0\0\0\x07ssh-rsa",
            b"\0\0\0\x07ssh-rsa\0\0\0\0\0\0\0\0",
            b"\xff\xff\xff\xff",
        ] {
            assert_eq!(key_bits(blob), None);
            assert_eq!(FingerprintHash::Sha256.of(blob).len(), 50);
            assert_eq!(randomart(FingerprintHash::Md5, blob).lines().count(), 11);
        }
        assert_eq!(type_name("x-unheard-of"), "x-unheard-of");
    }
}
