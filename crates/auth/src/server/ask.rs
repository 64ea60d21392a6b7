//! What the server machine asks its driver and tells it. RFC 4252, RFC 4256.
//! Touches: owned copies of what the client sent.   Never: files, accounts, the wording of log lines.
//! Invariants: the same questions come for users that exist and users that do not; secrets stay out of `Debug`.
//! Errors: none.   Allocates: what a question carries.
//! Proved by: `server::tests`, `pair`.

use crate::Method;
use crate::algorithm::Algorithm;
use alloc::{string::String, vec::Vec};
use core::fmt;
use zeroize::Zeroizing;

/// A question to answer, or news. Questions name the functions that answer them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ask {
    /// Who is this, and what is asked of them: [`policy`](super::Server::policy). Once per connection, first.
    User {
        /// As sent; the account may not exist.
        user: String,
    },
    /// May this key log the user in: [`key_checked`](super::Server::key_checked).
    CheckKey(CheckKey),
    /// Is this the password: [`password_checked`](super::Server::password_checked).
    CheckPassword {
        /// What the client sent.
        password: Secret,
        /// Given when the client wants to change the password.
        new_password: Option<Secret>,
    },
    /// A `keyboard-interactive` login begins; what was open of another one is over:
    /// [`interactive`](super::Server::interactive).
    KeyboardInteractive {
        /// Hints, joined by commas; may be empty.
        submethods: Vec<u8>,
    },
    /// The answers to the last prompts, as many as those: [`interactive`](super::Server::interactive).
    Responses(Vec<Secret>),
    /// An attempt has failed. Wait for as long as every failure takes, then [`resume`](super::Server::resume):
    /// how long the check took must not tell what was wrong.
    Pause {
        /// The method, if it is one spoken here.
        method: Option<Method>,
    },

    /// News: a method succeeded, more is wanted.
    PartialSuccess(Proven),
    /// News: logged in.
    Success {
        /// The user.
        user: String,
        /// Everything that was proved, in order. What a login may do hangs on these keys and on no other
        /// that was asked about.
        proven: Vec<Proven>,
    },
}

impl Ask {
    /// Whether the driver must answer before the login can go on.
    pub const fn is_question(&self) -> bool {
        !matches!(self, Self::PartialSuccess(_) | Self::Success { .. })
    }
}

/// A key or certificate a client wants to log in with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckKey {
    /// The algorithm; a certificate's says so.
    pub algorithm: &'static Algorithm,
    /// Key or certificate blob.
    pub public_key: Vec<u8>,
    /// The client has signed this session with it, and the signature is good. Without that it only asks
    /// whether it should, and nothing is decided.
    pub signed: bool,
    /// What a security key told with that signature: bit 0, it was touched; bit 2, it verified its owner.
    /// OpenSSH PROTOCOL.u2f. Whether [`Config::verify`](super::Config::verify) demands the first is its own matter.
    pub key_flags: Option<u8>,
    /// The request as it came, for whoever keeps accounts elsewhere and has to be convinced as well.
    pub request: Vec<u8>,
}

/// A method that succeeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven {
    /// The method.
    pub method: Method,
    /// The key or certificate blob that signed, with `publickey`.
    pub public_key: Option<Vec<u8>>,
}

/// Bytes that are wiped when dropped and not shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    pub(super) fn new(bytes: &[u8]) -> Self {
        Self(Zeroizing::new(bytes.into()))
    }

    /// The bytes. Compare them in constant time.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}
