//! What the client machine asks its driver and tells it. RFC 4252, RFC 4256.
//! Touches: owned copies of what the peer sent.   Never: prompts or their wording.
//! Invariants: text from the peer stays bytes; whoever shows it strips control characters first.
//! Errors: none.   Allocates: what a question carries.
//! Proved by: `client::tests`, `pair`.

use crate::{Method, Prompt};
use alloc::{string::String, vec::Vec};

/// A question to answer, or news. Questions name the functions that answer them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ask {
    /// The next key, please: [`offer_key`](super::Client::offer_key) or
    /// [`no_more_keys`](super::Client::no_more_keys). Keys already tried are skipped.
    Publickey {
        /// Begin with the first key again: the first time, and after a partial success.
        first: bool,
    },
    /// A signature: [`signed`](super::Client::signed).
    Sign(SignRequest),
    /// The password: [`password`](super::Client::password) or [`cancel`](super::Client::cancel).
    Password {
        /// 1, then one more each time the server refused the last one.
        attempt: u32,
    },
    /// The password has expired: [`change_password`](super::Client::change_password) or
    /// [`cancel`](super::Client::cancel). RFC 4252 §8.
    ChangePassword {
        /// From the server; may be empty.
        prompt: Vec<u8>,
    },
    /// Questions of the server: [`answers`](super::Client::answers) or [`cancel`](super::Client::cancel). RFC 4256 §3.3.
    Answers {
        /// Heading; may be empty.
        name: Vec<u8>,
        /// Text under it; may be empty.
        instruction: Vec<u8>,
        /// At least one.
        prompts: Vec<Prompt>,
    },

    /// News: text of a `keyboard-interactive` server that asks nothing. RFC 4256 §3.2.
    Notice {
        /// Heading; may be empty.
        name: Vec<u8>,
        /// Text under it; may be empty.
        instruction: Vec<u8>,
    },
    /// News: the server's banner. RFC 4252 §5.4.
    Banner(Vec<u8>),
    /// News: the server refused the last attempt and the method is tried once more. `ssh` prints
    /// `Permission denied, please try again.` for passwords.
    TryAgain(Method),
    /// News: the key just offered is not used.
    KeySkipped {
        /// The key.
        public_key: Vec<u8>,
        /// Why.
        reason: KeySkipped,
    },
    /// News: a method succeeded, the server wants another one.
    PartialSuccess(Method),
    /// News: logged in.
    Success {
        /// The method that did it.
        method: Method,
        /// Those that had succeeded in part before.
        partial: Vec<Method>,
    },
    /// News: nothing is left to try.
    Failed {
        /// The server's list, for `Permission denied (publickey,password).`
        methods: String,
    },
}

impl Ask {
    /// Whether the driver must answer before the login can go on.
    pub const fn is_question(&self) -> bool {
        matches!(
            self,
            Self::Publickey { .. }
                | Self::Sign(_)
                | Self::Password { .. }
                | Self::ChangePassword { .. }
                | Self::Answers { .. }
        )
    }
}

/// What is to be signed, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignRequest {
    /// The algorithm in the request: for a certificate the certificate's.
    pub algorithm: String,
    /// The algorithm to sign with, and the first field of the signature: `rsa-sha2-512`.
    pub signature_algorithm: String,
    /// The key or certificate, as offered.
    pub public_key: Vec<u8>,
    /// The exact bytes to sign. RFC 4252 §7.
    pub data: Vec<u8>,
}

/// Why a key is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeySkipped {
    /// It was tried before, or has served already.
    AlreadyTried,
    /// No algorithm for it is accepted here and known to the server.
    NoMutualAlgorithm,
    /// There is no signature, or one of another algorithm than asked for.
    NotSigned,
}

/// How to offer a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyUse {
    /// Ask the server first whether the key would do: nothing is signed in vain.
    Probe,
    /// Sign at once: one round trip less for a key that is known to be wanted.
    SignAtOnce,
}
