//! Messages of user authentication. RFC 4252, RFC 4256, OpenSSH PROTOCOL §3.1.
//! Touches: borrowed payloads.   Never: keys, prompts, policy.
//! Invariants: those of `message`; `Debug` never shows a password.
//! Errors: `DecodeError`.   Allocates: the caller's `Vec` only.
//! Proved by: `tests` below, fuzz `wire_messages`.

use crate::message::messages;
use crate::{DecodeError, Field, NameList, Reader, Rest};
use alloc::vec::Vec;
use core::fmt;

messages! {
    /// SSH_MSG_USERAUTH_REQUEST (50). RFC 4252 §5.
    ///
    /// `byte 50 · string user name · string service name · string method name · …`
    50 UserauthRequest<'a> {
        /// ISO-10646 UTF-8.
        user_name: &'a str,
        /// Service to start after login.
        service_name: &'a str,
        /// `none`, `publickey`, `password`, `keyboard-interactive`, …
        method_name: &'a str,
        /// What the method needs: [`Publickey`], [`Password`], [`KeyboardInteractive`], …
        method: Rest<'a>,
    }

    /// SSH_MSG_USERAUTH_FAILURE (51). RFC 4252 §5.1.
    ///
    /// `byte 51 · name-list authentications that can continue · boolean partial success`
    51 UserauthFailure<'a> {
        /// Methods that may productively continue.
        authentications_that_can_continue: NameList<'a>,
        /// The request succeeded, but more is wanted.
        partial_success: bool,
    }

    /// SSH_MSG_USERAUTH_SUCCESS (52). RFC 4252 §5.1.
    ///
    /// `byte 52`
    52 UserauthSuccess {}

    /// SSH_MSG_USERAUTH_BANNER (53). RFC 4252 §5.4.
    ///
    /// `byte 53 · string message · string language tag`
    53 UserauthBanner<'a> {
        /// Text for the user.
        message: &'a [u8],
        /// RFC 3066 tag.
        language_tag: &'a [u8],
    }

    /// SSH_MSG_USERAUTH_PK_OK (60): this key would do. RFC 4252 §7.
    ///
    /// `byte 60 · string public key algorithm name · string public key blob`
    60 UserauthPkOk<'a> {
        /// From the request.
        algorithm_name: &'a str,
        /// From the request.
        public_key: &'a [u8],
    }

    /// SSH_MSG_USERAUTH_PASSWD_CHANGEREQ (60): the password has expired. RFC 4252 §8.
    ///
    /// `byte 60 · string prompt · string language tag`
    60 UserauthPasswdChangereq<'a> {
        /// Text for the user.
        prompt: &'a [u8],
        /// RFC 3066 tag.
        language_tag: &'a [u8],
    }

    /// Body of a `keyboard-interactive` request. RFC 4256 §3.1.
    ///
    /// `string language tag · string submethods`
    KeyboardInteractive<'a> {
        /// Deprecated, empty.
        language_tag: &'a [u8],
        /// Hints, comma-separated.
        submethods: &'a [u8],
    }
}

/// Body of a `publickey` or `publickey-hostbound-v00@openssh.com` request. RFC 4252 §7, OpenSSH PROTOCOL §3.1.
///
/// `boolean has signature · string algorithm · string blob [· string server host key] [· string signature]`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Publickey<'a> {
    /// Signature algorithm, e.g. `rsa-sha2-512`.
    pub algorithm_name: &'a str,
    /// Public key or certificate blob.
    pub public_key: &'a [u8],
    /// The server's host key; present in the hostbound method and nowhere else.
    pub server_host_key: Option<&'a [u8]>,
    /// Absent in a probe.
    pub signature: Option<&'a [u8]>,
}

impl<'a> Publickey<'a> {
    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        self.encode_unsigned(self.signature.is_some(), out);
        if let Some(signature) = self.signature {
            signature.encode(out);
        }
    }

    /// Appends the body up to the signature: what is signed ends so. RFC 4252 §7.
    pub fn encode_unsigned(&self, has_signature: bool, out: &mut Vec<u8>) {
        has_signature.encode(out);
        self.algorithm_name.encode(out);
        self.public_key.encode(out);
        if let Some(host_key) = self.server_host_key {
            host_key.encode(out);
        }
    }

    /// Reads the body of the plain (`hostbound` false) or the hostbound method.
    ///
    /// # Errors
    /// [`DecodeError`] when a field does not fit or bytes are left over.
    pub fn decode(bytes: &'a [u8], hostbound: bool) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let has_signature: bool = reader.field()?;
        let body = Self {
            algorithm_name: reader.field()?,
            public_key: reader.field()?,
            server_host_key: if hostbound { Some(reader.field()?) } else { None },
            signature: if has_signature { Some(reader.field()?) } else { None },
        };
        reader.finish().map(|()| body)
    }
}

/// Body of a `password` request. RFC 4252 §8.
///
/// `boolean changing · string password [· string new password]`
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Password<'a> {
    /// The password, or the old one.
    pub password: &'a [u8],
    /// Present when the password is to be changed.
    pub new_password: Option<&'a [u8]>,
}

impl fmt::Debug for Password<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

impl<'a> Password<'a> {
    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        self.new_password.is_some().encode(out);
        self.password.encode(out);
        if let Some(new_password) = self.new_password {
            new_password.encode(out);
        }
    }

    /// Reads the body.
    ///
    /// # Errors
    /// [`DecodeError`] when a field does not fit or bytes are left over.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let changing: bool = reader.field()?;
        let password = reader.field()?;
        let new_password = if changing { Some(reader.field()?) } else { None };
        reader.finish().map(|()| Self { password, new_password })
    }
}

/// SSH_MSG_USERAUTH_INFO_REQUEST (60): questions for the user. RFC 4256 §3.2.
///
/// `byte 60 · string name · string instruction · string language tag · uint32 n · (string prompt · boolean echo) x n`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserauthInfoRequest<'a> {
    /// Heading.
    pub name: &'a [u8],
    /// Text under it.
    pub instruction: &'a [u8],
    /// Deprecated, empty.
    pub language_tag: &'a [u8],
    count: u32,
    prompts: &'a [u8],
}

impl<'a> UserauthInfoRequest<'a> {
    /// SSH_MSG_USERAUTH_INFO_REQUEST
    pub const NUMBER: u8 = 60;

    /// The questions, and whether the answer may be shown while it is typed.
    pub fn prompts(&self) -> impl Iterator<Item = (&'a [u8], bool)> + use<'a> {
        let mut reader = Reader::new(self.prompts);
        // `decode` has walked them all.
        (0..self.count).map_while(move |_| prompt(&mut reader).ok())
    }

    /// Writes a whole message with these prompts.
    pub fn encode_prompts(
        name: &[u8],
        instruction: &[u8],
        prompts: &[(&[u8], bool)],
        out: &mut Vec<u8>,
    ) {
        out.push(Self::NUMBER);
        name.encode(out);
        instruction.encode(out);
        b"".as_slice().encode(out);
        (prompts.len() as u32).encode(out);
        for (text, echo) in prompts {
            text.encode(out);
            echo.encode(out);
        }
    }

    /// Reads a payload that starts with 60.
    ///
    /// # Errors
    /// [`DecodeError`] when a field does not fit or bytes are left over.
    pub fn decode(payload: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = crate::message::open(payload, Self::NUMBER)?;
        let (name, instruction, language_tag) = (reader.field()?, reader.field()?, reader.field()?);
        let count = reader.field()?;
        let prompts = reader.rest();
        let mut walk = Reader::new(prompts);
        for _ in 0..count {
            prompt(&mut walk)?;
        }
        walk.finish().map(|()| Self { name, instruction, language_tag, count, prompts })
    }
}

fn prompt<'a>(reader: &mut Reader<'a>) -> Result<(&'a [u8], bool), DecodeError> {
    Ok((reader.field()?, reader.field()?))
}

/// SSH_MSG_USERAUTH_INFO_RESPONSE (61): the user's answers. RFC 4256 §3.4.
///
/// `byte 61 · uint32 n · string response x n`
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct UserauthInfoResponse<'a> {
    count: u32,
    responses: &'a [u8],
}

impl fmt::Debug for UserauthInfoResponse<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UserauthInfoResponse({} responses)", self.count)
    }
}

impl<'a> UserauthInfoResponse<'a> {
    /// SSH_MSG_USERAUTH_INFO_RESPONSE
    pub const NUMBER: u8 = 61;

    /// The answers in the order of the questions.
    pub fn responses(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut reader = Reader::new(self.responses);
        // `decode` has walked them all.
        (0..self.count).map_while(move |_| reader.string().ok())
    }

    /// Writes a whole message with these answers.
    pub fn encode_responses<'r>(
        responses: impl ExactSizeIterator<Item = &'r [u8]>,
        out: &mut Vec<u8>,
    ) {
        out.push(Self::NUMBER);
        (responses.len() as u32).encode(out);
        for response in responses {
            response.encode(out);
        }
    }

    /// Reads a payload that starts with 61.
    ///
    /// # Errors
    /// [`DecodeError`] when a field does not fit or bytes are left over.
    pub fn decode(payload: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = crate::message::open(payload, Self::NUMBER)?;
        let count = reader.field()?;
        let responses = reader.rest();
        let mut walk = Reader::new(responses);
        for _ in 0..count {
            walk.string()?;
        }
        walk.finish().map(|()| Self { count, responses })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::tests::round_trip;
    use alloc::{format, vec};

    #[test]
    fn every_message_round_trips() {
        round_trip(UserauthRequest {
            user_name: "ada",
            service_name: "ssh-connection",
            method_name: "none",
            method: Rest(b""),
        });
        round_trip(UserauthFailure {
            authentications_that_can_continue: NameList::new("publickey,password"),
            partial_success: true,
        });
        round_trip(UserauthSuccess {});
        round_trip(UserauthBanner { message: b"hello", language_tag: b"" });
        round_trip(UserauthPkOk { algorithm_name: "ssh-ed25519", public_key: b"blob" });
        round_trip(UserauthPasswdChangereq { prompt: b"new one", language_tag: b"" });
    }

    #[test]
    fn publickey_bodies_round_trip() {
        for signature in [None, Some(&b"sig"[..])] {
            for server_host_key in [None, Some(&b"host"[..])] {
                let body = Publickey {
                    algorithm_name: "ssh-ed25519",
                    public_key: b"blob",
                    server_host_key,
                    signature,
                };
                let mut wire = vec![];
                body.encode(&mut wire);
                assert_eq!(Publickey::decode(&wire, server_host_key.is_some()), Ok(body));
                wire.push(0);
                assert!(Publickey::decode(&wire, server_host_key.is_some()).is_err());
            }
        }
    }

    #[test]
    fn password_bodies_round_trip_and_stay_out_of_debug_output() {
        for new_password in [None, Some(&b"n3w"[..])] {
            let body = Password { password: b"hunter2", new_password };
            let mut wire = vec![];
            body.encode(&mut wire);
            assert_eq!(Password::decode(&wire), Ok(body));
            assert!(!format!("{body:?}").contains("hunter2"));
        }
    }

    #[test]
    fn info_request_and_response_round_trip() {
        let prompts: [(&[u8], bool); 2] = [(b"Password: ", false), (b"Token: ", true)];
        let mut wire = vec![];
        UserauthInfoRequest::encode_prompts(b"name", b"do", &prompts, &mut wire);
        assert!(UserauthInfoRequest::decode(&wire).unwrap().prompts().eq(prompts));

        let answers: [&[u8]; 2] = [b"a", b""];
        let mut wire = vec![];
        UserauthInfoResponse::encode_responses(answers.into_iter(), &mut wire);
        assert!(UserauthInfoResponse::decode(&wire).unwrap().responses().eq(answers));
        wire.push(0);
        assert_eq!(UserauthInfoResponse::decode(&wire), Err(DecodeError::TrailingBytes));
    }

    #[test]
    fn prompts_counted_but_not_sent_are_refused() {
        let mut wire = vec![];
        UserauthInfoRequest::encode_prompts(b"", b"", &[], &mut wire);
        let count_at = wire.len() - 4;
        wire[count_at..].copy_from_slice(&u32::MAX.to_be_bytes());
        assert_eq!(UserauthInfoRequest::decode(&wire), Err(DecodeError::Truncated));
    }
}
