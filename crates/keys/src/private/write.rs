//! A new private key as text, in OpenSSH's format and not encrypted: a host key. OpenSSH PROTOCOL.key.
//! Touches: a seed.   Never: files.
//! Invariants: what is written, `KeyFile` reads back; the text is wiped when dropped.
//! Errors: none.   Allocates: the text.
//! Proved by: `tests` below, against ssh-keygen.

use adit_crypto::{Random, SigningKey};
use adit_wire::Field;
use base64ct::{Base64, Encoding};
use zeroize::Zeroizing;

/// Block length of the cipher `none`.
const BLOCK: usize = 8;

/// Letters in a line of base64, as ssh-keygen writes them.
const LINE: usize = 70;

/// The file of the Ed25519 key that has this seed.
pub fn encode_ed25519(
    seed: &[u8; 32],
    comment: &str,
    random: &mut dyn Random,
) -> Zeroizing<String> {
    let public = SigningKey::ed25519(seed).public_blob();
    let mut body = Zeroizing::new(b"openssh-key-v1\0".to_vec());
    "none".encode(&mut body);
    "none".encode(&mut body);
    "".encode(&mut body);
    1_u32.encode(&mut body);
    public.as_slice().encode(&mut body);
    private_section(seed, &public, comment, random).as_slice().encode(&mut body);
    armoured(&body)
}

/// `uint32 check · uint32 the same · string type · string public key · string seed and public key · string comment · 01 02 03 …`
fn private_section(
    seed: &[u8; 32],
    public: &[u8],
    comment: &str,
    random: &mut dyn Random,
) -> Zeroizing<Vec<u8>> {
    let mut check = [0; 4];
    random.fill(&mut check);
    // The blob ends in the key.
    let key = &public[public.len() - 32..];
    // Large enough that nothing secret is left behind by growing.
    let mut section = Zeroizing::new(Vec::with_capacity(256 + comment.len()));
    section.extend_from_slice(&check);
    section.extend_from_slice(&check);
    "ssh-ed25519".encode(&mut section);
    key.encode(&mut section);
    Zeroizing::new([&seed[..], key].concat()).as_slice().encode(&mut section);
    comment.encode(&mut section);
    let padding = section.len().next_multiple_of(BLOCK) - section.len();
    section.extend((1..).take(padding));
    section
}

fn armoured(body: &[u8]) -> Zeroizing<String> {
    let encoded = Zeroizing::new(Base64::encode_string(body));
    let mut text = Zeroizing::new(String::with_capacity(2 * encoded.len() + 128));
    text.push_str("-----BEGIN OPENSSH PRIVATE KEY-----\n");
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(LINE));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.push_str("-----END OPENSSH PRIVATE KEY-----\n");
    text
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use adit_crypto::SystemRandom;

    use super::*;
    use crate::private::KeyFile;
    use crate::testing::{Scratch, run};

    #[test]
    fn what_is_written_is_read_back() {
        for comment in ["", "a", "root@host", "a longer comment, of many more letters"] {
            let text = encode_ed25519(&[7; 32], comment, &mut SystemRandom::new());
            let file = KeyFile::parse(Path::new("key"), text.as_bytes()).unwrap();
            assert!(!file.is_encrypted());
            let key = file.unlock(b"").unwrap();
            assert_eq!(key.comment, comment);
            assert_eq!(key.key.public_blob(), SigningKey::ed25519(&[7; 32]).public_blob());
        }
    }

    #[test]
    fn ssh_keygen_reads_it_too() {
        let scratch = Scratch::new("written");
        let path = scratch.copy("private/ed25519.pub", "key");
        let text = encode_ed25519(&[7; 32], "a host", &mut SystemRandom::new());
        std::fs::write(&path, text.as_bytes()).unwrap();
        let Some(output) = run("ssh-keygen", &["-y", "-f", path.to_str().unwrap()]) else { return };
        let public = crate::public::encode(&SigningKey::ed25519(&[7; 32]).public_blob());
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), format!("{public} a host"));
    }
}
