//! Keys that are not to be trusted any more: RevokedHostKeys. ssh_config(5), ssh-keygen(1) KEY REVOCATION LISTS.
//! Touches: one file.   Never: what is done about a revoked key.
//! Invariants: a file that cannot be read to its end never clears a key.
//! Errors: `RevocationError`; whoever gets one treats the key as revoked.   Allocates: one line at a time.
//! Proved by: `tests` below, with keys and lists made by ssh-keygen.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use adit_crypto::PublicKey;

use crate::public::PublicKeyLine;

/// Longer lines end the reading: no key needs one.
const MAX_LINE: u64 = 2 << 20;

/// What a binary key revocation list begins with. OpenSSH PROTOCOL.krl.
const KRL_MAGIC: &[u8] = b"SSHKRL\n\0";

/// It is not known whether a key is revoked.
#[derive(Debug)]
#[non_exhaustive]
pub enum RevocationError {
    /// The file cannot be read.
    Io(io::Error),
    /// A line is longer than any key.
    LineTooLong,
    /// The file is a binary list, which is not read here.
    BinaryList,
}

/// Whether `file` lists `key` or, for a certificate, the key it certifies or the one that signed it.
///
/// The file holds public keys, one in a line; lines that are no key are passed over.
///
/// # Errors
/// [`RevocationError`].
pub fn is_revoked(file: &Path, key: &PublicKey) -> Result<bool, RevocationError> {
    let mut lines = BufReader::new(File::open(file)?);
    if lines.fill_buf()?.starts_with(KRL_MAGIC) {
        return Err(RevocationError::BinaryList);
    }
    let authority = key.certificate().map(|certificate| certificate.signature_key().encode());
    let wanted = [Some(key.key().encode()), authority];
    let mut line = Vec::new();
    loop {
        line.clear();
        if lines.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)? == 0 {
            return Ok(false);
        }
        if line.len() as u64 == MAX_LINE {
            return Err(RevocationError::LineTooLong);
        }
        let listed = listed_key(&line);
        if listed.is_some() && wanted.contains(&listed) {
            return Ok(true);
        }
    }
}

/// The key in a line; of a certificate, the one it certifies.
fn listed_key(line: &[u8]) -> Option<Vec<u8>> {
    let blob = PublicKeyLine::parse(line).ok()?.blob;
    Some(PublicKey::decode(&blob).map_or(blob, |key| key.key().encode()))
}

impl From<io::Error> for RevocationError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl fmt::Display for RevocationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => f.write_str(&crate::os_text(error)),
            Self::LineTooLong => f.write_str("line is too long"),
            Self::BinaryList => f.write_str(
                "binary revocation lists (KRL) are not supported: list the keys as text",
            ),
        }
    }
}

impl std::error::Error for RevocationError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::public::encode;
    use crate::testing::testdata;
    use std::path::PathBuf;

    fn key(name: &str) -> PublicKey {
        PublicKey::decode(&PublicKeyLine::load(&testdata(name)).unwrap().blob).unwrap()
    }

    /// A file of its own for each test.
    fn list(test: &str, text: &[u8]) -> PathBuf {
        let name = format!("adit-revoked-{test}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    #[test]
    fn a_listed_key_is_revoked_and_another_is_not() {
        let listed = key("private/ed25519.pub");
        let text = format!("# stolen\nnonsense\n\n  {} on a laptop", encode(&listed.encode()));
        let file = list("listed", text.as_bytes());
        assert!(is_revoked(&file, &listed).unwrap());
        assert!(!is_revoked(&file, &key("private/p256.pub")).unwrap());
        std::fs::remove_file(file).unwrap();
    }

    #[test]
    fn a_certificate_goes_with_its_key_and_with_its_authority() {
        let shown = key("certificate/host-cert.pub");
        let certificate = shown.certificate().unwrap();
        for revoked in [shown.key(), certificate.signature_key()] {
            let file = list("certificate", encode(&revoked.encode()).as_bytes());
            assert!(is_revoked(&file, &shown).unwrap());
            std::fs::remove_file(file).unwrap();
        }
        let file = list("its-own-line", encode(&shown.encode()).as_bytes());
        assert!(is_revoked(&file, shown.key()).unwrap());
        std::fs::remove_file(file).unwrap();
    }

    #[test]
    fn what_cannot_be_read_clears_nobody() {
        let shown = key("private/ed25519.pub");
        let missing = is_revoked(Path::new("/nonexistent/revoked"), &shown).unwrap_err();
        assert_eq!(missing.to_string(), "No such file or directory");
        let binary = list("binary", b"SSHKRL\n\0\0\0\0\x01");
        assert!(matches!(is_revoked(&binary, &shown), Err(RevocationError::BinaryList)));
        std::fs::remove_file(binary).unwrap();
        let long = list("long", &vec![b'x'; MAX_LINE as usize + 1]);
        assert!(matches!(is_revoked(&long, &shown), Err(RevocationError::LineTooLong)));
        std::fs::remove_file(long).unwrap();
    }
}
