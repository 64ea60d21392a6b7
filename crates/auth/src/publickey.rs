//! The `publickey` methods: their names and the bytes a signature is over. RFC 4252 §7, OpenSSH PROTOCOL §3.1.
//! Touches: fields of requests.   Never: keys, algorithms.
//! Invariants: client and server build the signed bytes here and nowhere else.
//! Errors: none.   Allocates: the signed bytes.
//! Proved by: `tests` below, `pair`.

use crate::request::encode_head;
use adit_wire::{Field, auth::Publickey};
use alloc::vec::Vec;

/// The plain method. RFC 4252 §7.
pub(crate) const PLAIN: &str = "publickey";

/// The method whose signature is also over the server's host key. OpenSSH PROTOCOL §3.1.
pub(crate) const HOSTBOUND: &str = "publickey-hostbound-v00@openssh.com";

/// Appends a whole request.
pub(crate) fn encode_request(user: &str, body: &Publickey<'_>, out: &mut Vec<u8>) {
    encode_head(user, method_name(body), out);
    body.encode(out);
}

/// What the signature of `body` is over.
///
/// `string session identifier · byte 50 · string user · string service · string method · boolean TRUE · string
/// algorithm · string blob [· string server host key]`
pub(crate) fn signed_data(session_id: &[u8], user: &str, body: &Publickey<'_>) -> Vec<u8> {
    let mut data = Vec::new();
    session_id.encode(&mut data);
    encode_head(user, method_name(body), &mut data);
    body.encode_unsigned(true, &mut data);
    data
}

const fn method_name(body: &Publickey<'_>) -> &'static str {
    if body.server_host_key.is_some() { HOSTBOUND } else { PLAIN }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written out by hand from RFC 4252 §7.
    const PLAIN_SIGNED: &[u8] = b"\0\0\0\x04\xde\xad\xbe\xef\
        \x32\
        \0\0\0\x03ada\
        \0\0\0\x0essh-connection\
        \0\0\0\x09publickey\
        \x01\
        \0\0\0\x0crsa-sha2-512\
        \0\0\0\x04blob";

    /// Written out by hand from OpenSSH PROTOCOL §3.1.
    const HOSTBOUND_SIGNED: &[u8] = b"\0\0\0\x04\xde\xad\xbe\xef\
        \x32\
        \0\0\0\x03ada\
        \0\0\0\x0essh-connection\
        \0\0\0\x23publickey-hostbound-v00@openssh.com\
        \x01\
        \0\0\0\x0crsa-sha2-512\
        \0\0\0\x04blob\
        \0\0\0\x04host";

    fn body(server_host_key: Option<&[u8]>) -> Publickey<'_> {
        Publickey {
            algorithm_name: "rsa-sha2-512",
            public_key: b"blob",
            server_host_key,
            signature: None,
        }
    }

    #[test]
    fn the_signed_bytes_are_those_of_rfc_4252_section_7() {
        assert_eq!(signed_data(b"\xde\xad\xbe\xef", "ada", &body(None)), PLAIN_SIGNED);
    }

    #[test]
    fn the_hostbound_signature_is_also_over_the_host_key() {
        let data = signed_data(b"\xde\xad\xbe\xef", "ada", &body(Some(b"host")));
        assert_eq!(data, HOSTBOUND_SIGNED);
    }

    #[test]
    fn a_signed_request_is_the_signed_bytes_without_session_and_with_signature() {
        for host_key in [None, Some(&b"host"[..])] {
            let body = Publickey { signature: Some(b"sig"), ..body(host_key) };
            let mut request = Vec::new();
            encode_request("ada", &body, &mut request);
            let signed = signed_data(b"\xde\xad\xbe\xef", "ada", &body);
            assert_eq!(request, [&signed[8..], b"\0\0\0\x03sig"].concat());
        }
    }
}
