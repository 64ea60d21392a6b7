//! Global requests and their bodies. RFC 4254 §4 and §7.1, OpenSSH PROTOCOL §2.4.
//! Touches: borrowed payloads.   Never: which requests are outstanding.
//! Invariants: those of `message`.
//! Errors: `DecodeError`.   Allocates: the caller's `Vec` only.
//! Proved by: `tests` below, fuzz `wire_messages`.

use crate::Rest;
use crate::message::messages;

/// Request names.
pub mod name {
    /// RFC 4254 §7.1
    pub const TCPIP_FORWARD: &str = "tcpip-forward";
    /// RFC 4254 §7.1
    pub const CANCEL_TCPIP_FORWARD: &str = "cancel-tcpip-forward";
    /// OpenSSH PROTOCOL §2.4
    pub const STREAMLOCAL_FORWARD: &str = "streamlocal-forward@openssh.com";
    /// OpenSSH PROTOCOL §2.4
    pub const CANCEL_STREAMLOCAL_FORWARD: &str = "cancel-streamlocal-forward@openssh.com";
    /// Asked only for the answer, whichever it is.
    pub const KEEPALIVE: &str = "keepalive@openssh.com";
    /// OpenSSH PROTOCOL §2.2: the client will open no session (again).
    pub const NO_MORE_SESSIONS: &str = "no-more-sessions@openssh.com";
    /// OpenSSH PROTOCOL §2.5: the server names its host keys after login.
    pub const HOSTKEYS: &str = "hostkeys-00@openssh.com";
    /// OpenSSH PROTOCOL §2.5: the client asks for proof of them.
    pub const HOSTKEYS_PROVE: &str = "hostkeys-prove-00@openssh.com";
}

messages! {
    /// SSH_MSG_GLOBAL_REQUEST (80). RFC 4254 §4.
    ///
    /// `byte 80 · string request name · boolean want reply · …`
    80 GlobalRequest<'a> {
        /// See [`name`].
        request_name: &'a str,
        /// Replies come in the order of the requests.
        want_reply: bool,
        /// What the request needs.
        data: Rest<'a>,
    }

    /// SSH_MSG_REQUEST_SUCCESS (81). RFC 4254 §4.
    ///
    /// `byte 81 · …`
    81 RequestSuccess<'a> {
        /// What the request's answer carries: for `tcpip-forward` of port 0 a `uint32 port`.
        data: Rest<'a>,
    }

    /// SSH_MSG_REQUEST_FAILURE (82). RFC 4254 §4.
    ///
    /// `byte 82`
    82 RequestFailure {}

    /// Body of `tcpip-forward` and of `cancel-tcpip-forward`. RFC 4254 §7.1.
    ///
    /// `string address to bind · uint32 port number to bind`
    TcpipForward<'a> {
        /// `""` is every address of every family, `"localhost"` the loopback addresses.
        address_to_bind: &'a str,
        /// 0 lets the server choose; the answer then names the port.
        port_number_to_bind: u32,
    }

    /// Body of the answer to a `tcpip-forward` of port 0. RFC 4254 §7.1.
    ///
    /// `uint32 port that was bound on the server`
    BoundPort {
        /// The port chosen.
        port: u32,
    }

    /// Body of `streamlocal-forward@openssh.com` and of its cancel. OpenSSH PROTOCOL §2.4.
    ///
    /// `string socket path`
    StreamlocalForward<'a> {
        /// Path of the listening socket on the server.
        socket_path: &'a str,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::tests::{body_round_trip, round_trip};

    #[test]
    fn every_message_round_trips() {
        round_trip(GlobalRequest {
            request_name: name::TCPIP_FORWARD,
            want_reply: true,
            data: Rest(b"x"),
        });
        round_trip(RequestSuccess { data: Rest(b"") });
        round_trip(RequestFailure {});
        body_round_trip(TcpipForward { address_to_bind: "localhost", port_number_to_bind: 0 });
        body_round_trip(BoundPort { port: 40000 });
        body_round_trip(StreamlocalForward { socket_path: "/run/x" });
    }
}
