//! USERAUTH_REQUEST up to the fields of its method. RFC 4252 §5.
//! Touches: encoded payloads.   Never: what the method is about.
//! Invariants: every request of one login has the same user and service.
//! Errors: none.   Allocates: the caller's `Vec` only.
//! Proved by: `publickey`, `pair`.

use crate::CONNECTION_SERVICE;
use adit_wire::{Message, Rest, auth::UserauthRequest};
use alloc::vec::Vec;

/// Appends `byte 50 · string user · string "ssh-connection" · string method`; the method's own fields follow.
pub(crate) fn encode_head(user: &str, method: &str, out: &mut Vec<u8>) {
    let head = UserauthRequest {
        user_name: user,
        service_name: CONNECTION_SERVICE,
        method_name: method,
        method: Rest(b""),
    };
    head.encode(out);
}
