//! Why a login ends the connection. RFC 4252, RFC 4256; reason codes of RFC 4253 §11.1.
//! Touches: constants.   Never: text from the peer.
//! Invariants: every violation has one disconnect reason and one text.
//! Errors: it is one.   Allocates: never.
//! Proved by: a test per variant in `client`, `server` and `pair`.

use adit_wire::{DecodeError, transport::reason};
use core::fmt;

/// What the peer did that ends the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Violation {
    /// A message does not decode.
    Malformed(DecodeError),
    /// A message that this side never takes, or not in this state. RFC 4252 §6.
    UnexpectedMessage(u8),
    /// A message after the login was complete. RFC 4252 §5.1.
    MessageAfterSuccess(u8),

    /// SERVICE_ACCEPT for a service not asked for, or not asked for now. RFC 4253 §10.
    UnexpectedServiceAccept,
    /// USERAUTH_SUCCESS though no request is open. RFC 4252 §5.1.
    SuccessWithoutRequest,
    /// USERAUTH_SUCCESS for a key that was only probed: nothing was proved. RFC 4252 §7.
    SuccessForProbe,
    /// USERAUTH_FAILURE though no request is open. RFC 4252 §5.1.
    FailureWithoutRequest,
    /// Message 60 while no method that has one is running. RFC 4252 §6.
    MethodMessageOutOfContext,
    /// USERAUTH_PK_OK names a key or an algorithm that was not offered. RFC 4252 §7.
    PkOkForAnotherKey,
    /// USERAUTH_INFO_REQUEST before the last one was answered. RFC 4256 §3.2.
    InfoRequestBeforeResponse,
    /// More prompts or answers in one message than any honest peer has.
    TooManyPrompts,
    /// More rounds of USERAUTH_INFO_REQUEST than any honest server has.
    TooManyInfoRequests,

    /// SERVICE_REQUEST for something else than `ssh-userauth`. RFC 4253 §10.
    ServiceNotAvailable,
    /// USERAUTH_REQUEST before the service was granted. RFC 4253 §10.
    RequestBeforeService,
    /// USERAUTH_REQUEST for another service than `ssh-connection`. RFC 4252 §5.
    UnknownService,
    /// Another user or service than in the request before. RFC 4252 §5.
    UserChanged,
    /// A user name of absurd length.
    UserNameTooLong,
    /// USERAUTH_INFO_RESPONSE though nothing was asked. RFC 4256 §3.4.
    ResponseWithoutRequest,
    /// The client sends on and on while an answer is being found.
    TooMuchPipelined,
    /// Too many requests, failed or not.
    TooManyRequests,
    /// As many failures as the server allows. RFC 4252 §4.
    TooManyFailures,
    /// Not the peer's doing: the server's settings leave no way in.
    NoMethodsEnabled,
}

impl Violation {
    /// The reason code of the DISCONNECT that is the answer. RFC 4253 §11.1.
    pub const fn reason(self) -> u32 {
        match self {
            Self::ServiceNotAvailable | Self::UnknownService => reason::SERVICE_NOT_AVAILABLE,
            Self::UserNameTooLong => reason::ILLEGAL_USER_NAME,
            Self::NoMethodsEnabled => reason::NO_MORE_AUTH_METHODS_AVAILABLE,
            _ => reason::PROTOCOL_ERROR,
        }
    }
}

impl From<DecodeError> for Violation {
    fn from(error: DecodeError) -> Self {
        Self::Malformed(error)
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed(error) => return write!(f, "bad authentication message: {error}"),
            Self::UnexpectedMessage(number) => {
                return write!(f, "unexpected message {number} during authentication");
            }
            Self::MessageAfterSuccess(number) => {
                return write!(f, "authentication message {number} after success");
            }
            Self::UnexpectedServiceAccept => "service accepted that was not asked for",
            Self::SuccessWithoutRequest => "authentication success without a request",
            Self::SuccessForProbe => "authentication success for a key that was only probed",
            Self::FailureWithoutRequest => "authentication failure without a request",
            Self::MethodMessageOutOfContext => "method message while no such method runs",
            Self::PkOkForAnotherKey => "server accepts a key that was not offered",
            Self::InfoRequestBeforeResponse => "second question before the first was answered",
            Self::TooManyPrompts => "too many prompts",
            Self::TooManyInfoRequests => "too many rounds of questions",
            Self::ServiceNotAvailable | Self::UnknownService => "service not available",
            Self::RequestBeforeService => "authentication request before the service request",
            Self::UserChanged => "change of user name or service not allowed",
            Self::UserNameTooLong => "user name too long",
            Self::ResponseWithoutRequest => "answers to questions that were not asked",
            Self::TooMuchPipelined => "too many messages during authentication",
            Self::TooManyRequests | Self::TooManyFailures => "Too many authentication failures",
            Self::NoMethodsEnabled => "no authentication methods enabled",
        })
    }
}

impl core::error::Error for Violation {}
