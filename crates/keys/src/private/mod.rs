//! Private key files in every format ssh-keygen and openssl write. OpenSSH PROTOCOL.key, RFC 8017, RFC 5915, RFC 5958.
//! Touches: one file, read once.   Never: prompts; the passphrase is the caller's to ask for, and only when needed.
//! Invariants: a file others can read is refused; secrets are zeroized and have no `Debug`; the key fits the public half beside it.
//! Errors: `LoadError`, in ssh's words.   Allocates: the file (at most 1 MiB) and its decoded form.
//! Proved by: `tests` below, with files of ssh-keygen and openssl in `testdata`; fuzz `private_key`.

mod cipher;
mod der;
mod document;
mod openssh;
mod pbes2;
mod pem;
#[cfg(feature = "rare-ciphers")]
mod rare;
#[cfg(test)]
mod tests;
mod write;

pub use write::encode_ed25519;

use std::fmt;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use adit_crypto::{KeyError, SigningKey};
use adit_wire::DecodeError;
use zeroize::Zeroizing;

use crate::public::{MAX_KEY_FILE, PublicKeyLine};
use openssh::Container;
use pem::Pem;

/// A private key file, read but not yet decrypted.
pub struct KeyFile {
    path: PathBuf,
    format: Format,
    pem: Pem,
}

/// What the armour's label says is inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    OpenSsh,
    Pkcs1,
    Sec1,
    Pkcs8,
    EncryptedPkcs8,
}

const LABELS: [(&str, Format); 5] = [
    ("OPENSSH PRIVATE KEY", Format::OpenSsh),
    ("RSA PRIVATE KEY", Format::Pkcs1),
    ("EC PRIVATE KEY", Format::Sec1),
    ("PRIVATE KEY", Format::Pkcs8),
    ("ENCRYPTED PRIVATE KEY", Format::EncryptedPkcs8),
];

/// A key that can sign.
pub struct PrivateKey {
    /// The key.
    pub key: SigningKey,
    /// What the file calls it; empty in formats without comments.
    pub comment: String,
}

/// Why a key file is of no use. Its text is ssh's: `Load key "path": invalid format`.
#[derive(Debug)]
pub struct LoadError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub cause: Cause,
}

/// What is wrong with a key file.
#[derive(Debug)]
#[non_exhaustive]
pub enum Cause {
    /// Not a private key, or a damaged one.
    InvalidFormat,
    /// The passphrase, or its absence, does not fit.
    WrongPassphrase,
    /// Encrypted in a way that is not read here.
    UnsupportedCipher,
    /// A kind of key that cannot sign here: DSA, keys in hardware, other curves.
    UnsupportedKey,
    /// An RSA key shorter, or longer, than anybody should use.
    InvalidLength,
    /// Others can read the file.
    Unprotected(UnprotectedKey),
    /// The file cannot be read.
    Io(io::Error),
}

/// A key file that others can read. Its text is the box ssh prints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnprotectedKey {
    /// The file.
    pub path: PathBuf,
    /// Its permission bits.
    pub mode: u32,
}

/// The public half of the key in `path`, found without a passphrase.
///
/// `path` may itself be a public key, whose other half is in an agent; else it is `path.pub`, else what the
/// private file shows in the clear.
pub fn public_half(path: &Path) -> Option<PublicKeyLine> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".pub");
    let written = PublicKeyLine::load(path).or_else(|_| PublicKeyLine::load(Path::new(&beside)));
    written.ok().or_else(|| {
        let text = read_text(File::open(path).ok()?).ok()?;
        let blob = KeyFile::parse(path, &text).ok()?.public_blob()?;
        Some(PublicKeyLine { blob, comment: String::new() })
    })
}

impl KeyFile {
    /// Reads a file that nobody but its owner can read; whether others could matters only to our own files.
    ///
    /// # Errors
    /// [`LoadError`].
    pub fn load(path: &Path) -> Result<Self, LoadError> {
        let text = read(path).map_err(|cause| LoadError { path: path.to_owned(), cause })?;
        Self::parse(path, &text)
    }

    /// Takes the text of a key file; `path` is its name in messages.
    ///
    /// # Errors
    /// [`LoadError`].
    pub fn parse(path: &Path, text: &[u8]) -> Result<Self, LoadError> {
        recognise(text)
            .map(|(format, pem)| Self { path: path.to_owned(), format, pem })
            .map_err(|cause| LoadError { path: path.to_owned(), cause })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether a passphrase is needed.
    pub fn is_encrypted(&self) -> bool {
        match self.format {
            Format::OpenSsh => {
                Container::parse(&self.pem.body).is_ok_and(|inner| inner.is_encrypted())
            }
            Format::EncryptedPkcs8 => true,
            Format::Pkcs1 | Format::Sec1 | Format::Pkcs8 => self.pem.encryption.is_some(),
        }
    }

    /// The public key blob, where the format shows it without a passphrase: OpenSSH's does.
    pub fn public_blob(&self) -> Option<Vec<u8>> {
        match self.format {
            Format::OpenSsh => {
                Container::parse(&self.pem.body).ok().map(|inner| inner.public.to_vec())
            }
            _ => None,
        }
    }

    /// Decrypts the key; the passphrase of one that is not encrypted is ignored.
    ///
    /// Deriving the key from the passphrase takes its time, a second or more: not for an event loop.
    ///
    /// # Errors
    /// [`LoadError`]; [`Cause::WrongPassphrase`] when another passphrase may do.
    pub fn unlock(&self, passphrase: &[u8]) -> Result<PrivateKey, LoadError> {
        self.open(passphrase).map_err(|cause| LoadError { path: self.path.clone(), cause })
    }

    /// Decrypts the key, asking for a passphrase only if there is one, and at most `attempts` times.
    ///
    /// `ask` gives up with `None` or an empty passphrase.
    ///
    /// # Errors
    /// [`LoadError`]; [`Cause::WrongPassphrase`] also when `ask` gave up.
    pub fn unlock_asking(
        &self,
        attempts: usize,
        mut ask: impl FnMut() -> Option<Zeroizing<Vec<u8>>>,
    ) -> Result<PrivateKey, LoadError> {
        if !self.is_encrypted() {
            return self.unlock(b"");
        }
        for _ in 0..attempts {
            let Some(passphrase) = ask().filter(|answer| !answer.is_empty()) else { break };
            match self.unlock(&passphrase) {
                Err(LoadError { cause: Cause::WrongPassphrase, .. }) => {}
                result => return result,
            }
        }
        Err(LoadError { path: self.path.clone(), cause: Cause::WrongPassphrase })
    }

    fn open(&self, passphrase: &[u8]) -> Result<PrivateKey, Cause> {
        let (key, comment) = match self.format {
            Format::OpenSsh => Container::parse(&self.pem.body)?.open(passphrase)?,
            Format::EncryptedPkcs8 => {
                document::encrypted_pkcs8(&self.pem.body, passphrase).map(nameless)?
            }
            Format::Pkcs1 => self.open_der(passphrase, document::pkcs1).map(nameless)?,
            Format::Sec1 => self.open_der(passphrase, document::sec1).map(nameless)?,
            Format::Pkcs8 => self.open_der(passphrase, document::pkcs8).map(nameless)?,
        };
        match self.public_blob() {
            Some(public) if public != key.public_blob() => Err(Cause::InvalidFormat),
            _ => Ok(PrivateKey { key, comment }),
        }
    }

    fn open_der(
        &self,
        passphrase: &[u8],
        read: impl FnOnce(&[u8]) -> Result<SigningKey, Cause>,
    ) -> Result<SigningKey, Cause> {
        let der = self.pem.decrypted(passphrase)?;
        open_document(&der, read, self.is_encrypted())
    }
}

/// One wrong passphrase in 256 leaves good padding behind, but no key.
fn open_document(
    der: &[u8],
    read: impl FnOnce(&[u8]) -> Result<SigningKey, Cause>,
    decrypted: bool,
) -> Result<SigningKey, Cause> {
    read(der).map_err(|cause| match cause {
        Cause::InvalidFormat if decrypted => Cause::WrongPassphrase,
        other => other,
    })
}

fn ed25519(seed: &[u8]) -> Result<SigningKey, Cause> {
    seed.try_into().map(SigningKey::ed25519).map_err(|_| Cause::InvalidFormat)
}

fn nameless(key: SigningKey) -> (SigningKey, String) {
    (key, String::new())
}

fn recognise(text: &[u8]) -> Result<(Format, Pem), Cause> {
    let pem = Pem::parse(text)?;
    let format = LABELS.iter().find(|(label, _)| *label == pem.label);
    let format = match format {
        Some((_, format)) => *format,
        None if pem.label.ends_with("PRIVATE KEY") => return Err(Cause::UnsupportedKey),
        None => return Err(Cause::InvalidFormat),
    };
    if format == Format::OpenSsh {
        Container::parse(&pem.body)?;
    }
    Ok((format, pem))
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, Cause> {
    let file = File::open(path)?;
    check_permissions(path, &file.metadata()?)?;
    read_text(file)
}

fn read_text(file: File) -> Result<Zeroizing<Vec<u8>>, Cause> {
    // Made large enough at once, so that no copy is left behind in memory.
    let expected = file.metadata()?.len().min(MAX_KEY_FILE) as usize + 1;
    let mut text = Zeroizing::new(Vec::with_capacity(expected));
    file.take(MAX_KEY_FILE + 1).read_to_end(&mut text)?;
    if text.len() as u64 > MAX_KEY_FILE { Err(Cause::InvalidFormat) } else { Ok(text) }
}

/// Group and others may do nothing with a key of our own; whose it is else is not for us to say.
fn check_permissions(path: &Path, metadata: &Metadata) -> Result<(), Cause> {
    let mode = metadata.mode() & 0o777;
    if metadata.uid() == rustix::process::getuid().as_raw() && mode & 0o077 != 0 {
        return Err(Cause::Unprotected(UnprotectedKey { path: path.to_owned(), mode }));
    }
    Ok(())
}

/// Nothing but the file: what is in it is secret.
impl fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyFile({:?})", self.path)
    }
}

/// Nothing but the comment.
impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({:?})", self.comment)
    }
}

impl From<DecodeError> for Cause {
    fn from(_: DecodeError) -> Self {
        Self::InvalidFormat
    }
}

impl From<KeyError> for Cause {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::RsaSize => Self::InvalidLength,
            KeyError::UnknownType => Self::UnsupportedKey,
            _ => Self::InvalidFormat,
        }
    }
}

impl From<io::Error> for Cause {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidFormat => f.write_str("invalid format"),
            Self::WrongPassphrase => {
                f.write_str("incorrect passphrase supplied to decrypt private key")
            }
            Self::UnsupportedCipher => f.write_str("key encrypted using unsupported cipher"),
            Self::UnsupportedKey => f.write_str("unknown or unsupported key type"),
            Self::InvalidLength => f.write_str("Invalid key length"),
            Self::Unprotected(_) => f.write_str("bad permissions"),
            Self::Io(error) => f.write_str(&crate::os_text(error)),
        }
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Load key \"{}\": {}", self.path.display(), self.cause)
    }
}

impl fmt::Display for UnprotectedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let frame = "@".repeat(59);
        writeln!(f, "{frame}")?;
        writeln!(f, "@         WARNING: UNPROTECTED PRIVATE KEY FILE!          @")?;
        writeln!(f, "{frame}")?;
        writeln!(f, "Permissions 0{:03o} for '{}' are too open.", self.mode, self.path.display())?;
        writeln!(f, "It is required that your private key files are NOT accessible by others.")?;
        f.write_str("This private key will be ignored.")
    }
}

impl std::error::Error for LoadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.cause {
            Cause::Io(error) => Some(error),
            _ => None,
        }
    }
}
