//! Throw-away keys, made and signed by ssh-keygen.
//! Touches: `ssh-keygen`, a scratch folder.   Never: a key outside it.
//! Invariants: a private key is readable by its owner only.
//! Errors: a panic with ssh-keygen's words.   Allocates: paths.
//! Proved by: every interop test.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// A kind of key as ssh-keygen names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyKind {
    /// `-t`
    pub kind: &'static str,
    /// `-b`, for the kinds that come in sizes.
    pub bits: &'static str,
}

/// Ed25519, what everything uses that is not about key kinds.
pub const ED25519: KeyKind = KeyKind { kind: "ed25519", bits: "256" };

/// Every kind in use.
pub const EVERY_KIND: &[KeyKind] = &[
    ED25519,
    KeyKind { kind: "ecdsa", bits: "256" },
    KeyKind { kind: "ecdsa", bits: "384" },
    KeyKind { kind: "ecdsa", bits: "521" },
    KeyKind { kind: "rsa", bits: "2048" },
    KeyKind { kind: "rsa", bits: "3072" },
];

impl KeyKind {
    /// A file name for a key of this kind.
    pub fn file_name(self) -> String {
        format!("{}-{}", self.kind, self.bits)
    }
}

/// Makes a key pair at `path` and `path.pub`; an empty passphrase leaves it in the clear.
pub fn generate(path: &Path, kind: KeyKind, passphrase: &str) -> PathBuf {
    let file = path.to_str().expect("scratch paths are UTF-8");
    keygen(&[
        "-q",
        "-t",
        kind.kind,
        "-b",
        kind.bits,
        "-N",
        passphrase,
        "-C",
        "throw-away",
        "-f",
        file,
    ]);
    path.to_owned()
}

/// Signs `public` with the key at `authority`; gives the certificate's path.
pub fn certify(authority: &Path, public: &Path, options: &[&str]) -> PathBuf {
    let mut arguments =
        vec!["-q", "-s", authority.to_str().expect("scratch paths are UTF-8"), "-I", "test"];
    arguments.extend(options);
    arguments.push(public.to_str().expect("scratch paths are UTF-8"));
    keygen(&arguments);
    let stem =
        public.to_str().and_then(|path| path.strip_suffix(".pub")).expect("a public key's name");
    PathBuf::from(format!("{stem}-cert.pub"))
}

/// `type base64` of the public key beside `path`.
pub fn public_key(path: &Path) -> String {
    let line = fs::read_to_string(public_path(path)).expect("a public key beside the private one");
    line.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
}

/// The public key's file of a private one.
pub fn public_path(path: &Path) -> PathBuf {
    PathBuf::from(format!("{}.pub", path.display()))
}

/// Runs ssh-keygen and gives what it says on stdout.
///
/// # Panics
/// When it fails.
pub fn keygen(arguments: &[&str]) -> String {
    let output =
        Command::new("ssh-keygen").args(arguments).stdin(Stdio::null()).output().unwrap_or_else(
            |error| panic!("cannot start ssh-keygen (package openssh-client): {error}"),
        );
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ssh-keygen {arguments:?}: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
