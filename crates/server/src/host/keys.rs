//! The server's own keys: loading, generating, signing. sshd_config(5) HostKey, HostCertificate, HostKeyAgent.
//! Touches: host key files, an agent's socket.   Never: who may log in.
//! Invariants: a key that others can read is not used; a certificate is shown only where its private key is at hand.
//! Errors: one line per file, in sshd's words.   Allocates: the keys.
//! Proved by: `tests` below.

use super::signer::Signer;
use adit_crypto::Random;
use adit_crypto::{
    Certificate, CertificateKind, KeyAlgorithm, PublicKey, SignatureAlgorithm, SigningKey,
    SystemRandom,
};
use adit_keys::private::{self, Cause, KeyFile, LoadError, encode_ed25519};
use adit_keys::public::{self, PublicKeyLine};
use adit_transport::{HostKeys, SignFailed};
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Private keys, each with its certificate.
#[derive(Debug, Default)]
pub(crate) struct HostKeyRing {
    keys: Vec<HostKey>,
}

#[derive(Debug)]
struct HostKey {
    key: Signer,
    certificate: Option<Certificate>,
}

impl HostKeyRing {
    /// Loads what can be loaded, and says what cannot; an agent (HostKeyAgent) may have the private halves that are
    /// not in the files.
    pub(crate) fn load(
        files: &[PathBuf],
        certificates: &[PathBuf],
        agent: Option<&Path>,
    ) -> (Self, Vec<String>) {
        let (mut ring, mut complaints) = (Self::default(), Vec::new());
        for file in files {
            match load_key(file).or_else(|error| agent_key(file, agent).ok_or(error)) {
                Ok(key) => ring.keys.push(HostKey { key, certificate: None }),
                Err(error) => complaints.push(complaint(file, &error)),
            }
        }
        complaints.extend(certificates.iter().filter_map(|file| ring.add_certificate(file).err()));
        (ring, complaints)
    }

    /// One key that is in no file.
    #[cfg(test)]
    pub(crate) fn of(key: SigningKey) -> Self {
        Self { keys: vec![HostKey { key: Signer::Own(key), certificate: None }] }
    }

    /// Each key's blob, and its certificate's.
    pub(crate) fn public_halves(&self) -> impl Iterator<Item = (Vec<u8>, Option<Vec<u8>>)> {
        self.keys.iter().map(|HostKey { key, certificate }| {
            let certificate = certificate.as_ref().map(|certificate| certificate.blob().to_vec());
            (key.public_key().encode(), certificate)
        })
    }

    /// Keys of which another process has the private halves; none if one of them cannot be read.
    pub(crate) fn of_public_halves<'a>(
        halves: impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)>,
    ) -> Option<Self> {
        let certified = |blob| match PublicKey::decode(blob) {
            Ok(PublicKey::Certified(certificate)) => Some(*certificate),
            _ => None,
        };
        let keys = halves.map(|(key, certificate)| {
            let certificate = match certificate {
                Some(blob) => Some(certified(blob)?),
                None => None,
            };
            Some(HostKey { key: Signer::Kept(PublicKey::decode(key).ok()?), certificate })
        });
        Some(Self { keys: keys.collect::<Option<_>>()? })
    }

    /// Without keys there is no server.
    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Blobs of all plain keys, to announce (`hostkeys-00@openssh.com`).
    pub(crate) fn public_blobs(&self) -> impl Iterator<Item = Vec<u8>> {
        self.keys.iter().map(|key| key.key.public_key().encode())
    }

    /// A signature of `data` by the key with this blob, which proves that we have it (`hostkeys-prove-00@openssh.com`).
    ///
    /// `rsa` is the algorithm for an RSA key: the one negotiated.
    pub(crate) fn prove(
        &self,
        blob: &[u8],
        rsa: SignatureAlgorithm,
        data: &[u8],
    ) -> Option<Vec<u8>> {
        let key = self.keys.iter().find(|key| key.key.public_key().encode() == blob)?;
        let mut own = key.key.public_key().algorithms();
        let first = own.next()?.signature;
        let algorithm = own.map(|own| own.signature).find(|own| *own == rsa).unwrap_or(first);
        key.key.sign(algorithm, data)
    }

    fn add_certificate(&mut self, file: &Path) -> Result<(), String> {
        let shown = file.display();
        let line = PublicKeyLine::load(file)
            .map_err(|error| format!("Could not load host certificate \"{shown}\": {error}"))?;
        let certificate = match PublicKey::decode(&line.blob) {
            Ok(PublicKey::Certified(certificate)) if certificate.kind == CertificateKind::Host => {
                certificate
            }
            _ => return Err(format!("Certificate file is not a certificate: {shown}")),
        };
        let is_its = |key: &&mut HostKey| key.key.public_key() == *certificate.key();
        match self.keys.iter_mut().find(is_its) {
            Some(key) => key.certificate = Some(*certificate),
            None => return Err(format!("No matching private key for certificate: {shown}")),
        }
        Ok(())
    }

    fn find(&self, algorithm: KeyAlgorithm) -> Option<&HostKey> {
        self.keys.iter().find(|key| key.algorithms().any(|own| own == algorithm))
    }
}

impl HostKey {
    fn algorithms(&self) -> impl Iterator<Item = KeyAlgorithm> {
        let plain: Vec<SignatureAlgorithm> =
            self.key.public_key().algorithms().map(|own| own.signature).collect();
        let certified = self.certificate.iter().flat_map({
            let plain = plain.clone();
            move |_| plain.clone()
        });
        certified
            .map(SignatureAlgorithm::certified)
            .chain(plain.into_iter().map(SignatureAlgorithm::plain))
    }
}

impl HostKeys for HostKeyRing {
    fn algorithms(&self) -> Vec<KeyAlgorithm> {
        self.keys.iter().flat_map(HostKey::algorithms).collect()
    }

    fn public_blob(&self, algorithm: KeyAlgorithm) -> Option<Vec<u8>> {
        let key = self.find(algorithm)?;
        match algorithm.certified {
            true => key.certificate.as_ref().map(|certificate| certificate.blob().to_vec()),
            false => Some(key.key.public_key().encode()),
        }
    }

    fn sign(&self, algorithm: KeyAlgorithm, hash: &[u8]) -> Result<Vec<u8>, SignFailed> {
        let key = self.find(algorithm).ok_or(SignFailed)?;
        key.key.sign(algorithm.signature, hash).ok_or(SignFailed)
    }
}

fn load_key(file: &Path) -> Result<Signer, LoadError> {
    KeyFile::load(file)?.unlock(b"").map(|private| Signer::Own(private.key))
}

/// A key of which the file has the public half only; `file` may also be a private key that is locked.
fn agent_key(file: &Path, agent: Option<&Path>) -> Option<Signer> {
    let socket = agent?.to_owned();
    let line = private::public_half(file)?;
    let public = PublicKey::decode(&line.blob).ok()?;
    public.certificate().is_none().then_some(Signer::Agent { public, socket })
}

fn complaint(file: &Path, error: &LoadError) -> String {
    let shown = file.display();
    match &error.cause {
        Cause::Unprotected(unprotected) => {
            format!("{unprotected}\nUnable to load host key \"{shown}\": bad permissions")
        }
        cause => format!("Unable to load host key \"{shown}\": {cause}"),
    }
}

/// Makes an Ed25519 host key: `path`, which nobody else can read, and `path.pub`. What is there stays.
///
/// # Errors
/// Those of the system; `AlreadyExists` where there is such a file.
pub(crate) fn generate_host_key(path: &Path) -> io::Result<()> {
    let mut random = SystemRandom::new();
    let mut seed = Zeroizing::new([0; 32]);
    random.fill(&mut *seed);
    let host = nix::unistd::gethostname()?;
    let comment = format!("aditd@{}", host.to_string_lossy());
    let private = encode_ed25519(&seed, &comment, &mut random);
    let public = public::encode(&SigningKey::ed25519(&seed).public_blob());
    let mut beside = path.as_os_str().to_owned();
    beside.push(".pub");
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let written = file.write_all(private.as_bytes()).and_then(|()| file.sync_all());
    let written = written.and_then(|()| {
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o644).open(beside)?;
        writeln!(file, "{public} {comment}")
    });
    if written.is_err() {
        // Half a key would be in the way of the next start.
        let _ = std::fs::remove_file(path);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing::{Scratch, testdata};
    use std::fs;
    use std::os::unix::fs::MetadataExt;
    use std::process::Command;
    use std::slice::from_ref;

    /// A private copy of a recorded key.
    fn key(scratch: &Scratch, name: &str, mode: u32) -> PathBuf {
        let text = fs::read_to_string(testdata(&format!("private/{name}.openssh"))).unwrap();
        scratch.file(name, &text, mode)
    }

    fn names(ring: &HostKeyRing) -> Vec<&'static str> {
        ring.algorithms().into_iter().map(KeyAlgorithm::name).collect()
    }

    #[test]
    fn every_key_signs_under_each_of_its_algorithms() {
        let scratch = Scratch::new("host-keys");
        let files = ["rsa", "p256", "ed25519"].map(|name| key(&scratch, name, 0o600));
        let certificate = testdata("certificate/host-cert.pub");
        let (ring, complaints) = HostKeyRing::load(&files, &[certificate], None);
        assert_eq!(complaints, [""; 0]);
        let expected = [
            "rsa-sha2-512",
            "rsa-sha2-256",
            "ecdsa-sha2-nistp256",
            "ssh-ed25519-cert-v01@openssh.com",
            "ssh-ed25519",
        ];
        assert_eq!(names(&ring), expected);
        for algorithm in ring.algorithms() {
            let blob = ring.public_blob(algorithm).unwrap();
            let signature = ring.sign(algorithm, b"hash").unwrap();
            let public = PublicKey::decode(&blob).unwrap();
            assert_eq!(public.verify(algorithm, b"hash", &signature), Ok(()), "{algorithm:?}");
            assert_eq!(public.certificate().is_some(), algorithm.certified);
        }
        assert_eq!(ring.public_blobs().count(), 3);
    }

    #[test]
    fn a_key_proves_itself_by_the_algorithm_that_was_agreed_on() {
        let scratch = Scratch::new("prove");
        let (ring, _) = HostKeyRing::load(
            &[key(&scratch, "rsa", 0o600), key(&scratch, "p256", 0o600)],
            &[],
            None,
        );
        for blob in ring.public_blobs() {
            for rsa in [SignatureAlgorithm::RsaSha2_256, SignatureAlgorithm::RsaSha2_512] {
                let public = PublicKey::decode(&blob).unwrap();
                let algorithm = match public {
                    PublicKey::Rsa(_) => rsa,
                    _ => SignatureAlgorithm::EcdsaNistp256,
                };
                let signature = ring.prove(&blob, rsa, b"data").unwrap();
                assert_eq!(public.verify(algorithm.plain(), b"data", &signature), Ok(()));
            }
        }
        assert_eq!(ring.prove(b"no such key", SignatureAlgorithm::RsaSha2_512, b"data"), None);
    }

    #[test]
    fn what_cannot_be_used_is_said_and_the_rest_is() {
        let scratch = Scratch::new("unusable");
        let open = key(&scratch, "ed25519", 0o644);
        let missing = scratch.path("missing");
        let garbage = scratch.file("garbage", "no key", 0o600);
        let good = key(&scratch, "p256", 0o600);
        let files = [open.clone(), missing.clone(), garbage.clone(), good];
        let certificates = [
            testdata("certificate/host-cert.pub"),
            testdata("certificate/user-cert.pub"),
            testdata("private/p256.pub"),
            missing.clone(),
        ];
        let (ring, complaints) = HostKeyRing::load(&files, &certificates, None);
        assert_eq!(names(&ring), ["ecdsa-sha2-nistp256"]);
        let shown = |path: &Path| path.display().to_string();
        assert!(complaints[0].contains("WARNING: UNPROTECTED PRIVATE KEY FILE!"));
        let last = format!("Unable to load host key \"{}\": bad permissions", shown(&open));
        assert!(complaints[0].ends_with(&last), "{}", complaints[0]);
        assert_eq!(
            complaints[1..],
            [
                format!(
                    "Unable to load host key \"{}\": No such file or directory",
                    shown(&missing)
                ),
                format!("Unable to load host key \"{}\": invalid format", shown(&garbage)),
                format!("No matching private key for certificate: {}", shown(&certificates[0])),
                format!("Certificate file is not a certificate: {}", shown(&certificates[1])),
                format!("Certificate file is not a certificate: {}", shown(&certificates[2])),
                format!(
                    "Could not load host certificate \"{}\": No such file or directory",
                    shown(&missing)
                ),
            ]
        );
        assert!(HostKeyRing::load(&[missing], &[], None).0.is_empty());
    }

    #[test]
    fn with_an_agent_the_public_half_is_enough() {
        let scratch = Scratch::new("agent-keys");
        let public = fs::read_to_string(testdata("private/ed25519.pub")).unwrap();
        let file = scratch.file("host.pub", &public, 0o644);
        let certificate = testdata("certificate/host-cert.pub");
        let files = [file, key(&scratch, "p256", 0o600)];
        let load = |agent| HostKeyRing::load(&files, from_ref(&certificate), agent);
        let (ring, complaints) = load(Some(Path::new("/nonexistent/agent")));
        assert_eq!(complaints, [""; 0]);
        let expected = ["ssh-ed25519-cert-v01@openssh.com", "ssh-ed25519", "ecdsa-sha2-nistp256"];
        assert_eq!(names(&ring), expected);
        assert_eq!(ring.sign(SignatureAlgorithm::Ed25519.plain(), b"hash"), Err(SignFailed));
        assert!(ring.sign(SignatureAlgorithm::EcdsaNistp256.plain(), b"hash").is_ok());
        let (ring, complaints) = load(None);
        assert_eq!((names(&ring), complaints.len()), (vec!["ecdsa-sha2-nistp256"], 2));
    }

    #[test]
    fn a_new_host_key_is_private_and_never_overwrites_one() {
        let scratch = Scratch::new("new-key");
        let path = scratch.path("ssh_host_ed25519_key");
        generate_host_key(&path).unwrap();
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
        let (ring, complaints) = HostKeyRing::load(from_ref(&path), &[], None);
        assert_eq!((names(&ring), complaints), (vec!["ssh-ed25519"], vec![]));
        let beside = PublicKeyLine::load(&scratch.path("ssh_host_ed25519_key.pub")).unwrap();
        assert_eq!(ring.public_blobs().collect::<Vec<_>>(), [beside.blob]);
        let before = fs::read(&path).unwrap();
        assert_eq!(generate_host_key(&path).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), before);
        match Command::new("ssh-keygen").arg("-yf").arg(&path).output() {
            Ok(output) => {
                let public = fs::read_to_string(scratch.path("ssh_host_ed25519_key.pub")).unwrap();
                assert_eq!(String::from_utf8_lossy(&output.stdout), public);
            }
            Err(error) => eprintln!("SKIPPED: ssh-keygen cannot be run: {error}"),
        }
    }
}
