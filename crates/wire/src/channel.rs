//! Channel messages and the bodies of channel types and requests. RFC 4254 §5 to §7, OpenSSH PROTOCOL §2.4.
//! Touches: borrowed payloads.   Never: channel state.
//! Invariants: those of `message`.
//! Errors: `DecodeError`.   Allocates: the caller's `Vec` only.
//! Proved by: `tests` below, fuzz `wire_messages`.

use crate::Rest;
use crate::message::messages;

/// Channel types.
pub mod channel_type {
    /// RFC 4254 §6.1
    pub const SESSION: &str = "session";
    /// RFC 4254 §7.2
    pub const DIRECT_TCPIP: &str = "direct-tcpip";
    /// RFC 4254 §7.2
    pub const FORWARDED_TCPIP: &str = "forwarded-tcpip";
    /// OpenSSH PROTOCOL §2.4
    pub const DIRECT_STREAMLOCAL: &str = "direct-streamlocal@openssh.com";
    /// OpenSSH PROTOCOL §2.4
    pub const FORWARDED_STREAMLOCAL: &str = "forwarded-streamlocal@openssh.com";
}

/// Reason codes of a refused channel. RFC 4254 §5.1.
pub mod open_failure {
    /// SSH_OPEN_ADMINISTRATIVELY_PROHIBITED
    pub const ADMINISTRATIVELY_PROHIBITED: u32 = 1;
    /// SSH_OPEN_CONNECT_FAILED
    pub const CONNECT_FAILED: u32 = 2;
    /// SSH_OPEN_UNKNOWN_CHANNEL_TYPE
    pub const UNKNOWN_CHANNEL_TYPE: u32 = 3;
    /// SSH_OPEN_RESOURCE_SHORTAGE
    pub const RESOURCE_SHORTAGE: u32 = 4;
}

/// SSH_EXTENDED_DATA_STDERR, the only data type code there is. RFC 4254 §5.2.
pub const EXTENDED_DATA_STDERR: u32 = 1;

messages! {
    /// SSH_MSG_CHANNEL_OPEN (90). RFC 4254 §5.1.
    ///
    /// `byte 90 · string channel type · uint32 sender channel · uint32 initial window size · uint32 maximum packet size · …`
    90 ChannelOpen<'a> {
        /// See [`channel_type`].
        channel_type: &'a str,
        /// The sender's number for the channel.
        sender_channel: u32,
        /// Bytes the receiver may send before an adjust.
        initial_window_size: u32,
        /// Largest data length the sender takes in one message.
        maximum_packet_size: u32,
        /// What the channel type needs.
        data: Rest<'a>,
    }

    /// SSH_MSG_CHANNEL_OPEN_CONFIRMATION (91). RFC 4254 §5.1.
    ///
    /// `byte 91 · uint32 recipient channel · uint32 sender channel · uint32 initial window size · uint32 maximum packet size · …`
    91 ChannelOpenConfirmation<'a> {
        /// The number from the open request.
        recipient_channel: u32,
        /// The confirming side's own number.
        sender_channel: u32,
        /// Bytes the receiver of this may send before an adjust.
        initial_window_size: u32,
        /// Largest data length the sender of this takes in one message.
        maximum_packet_size: u32,
        /// What the channel type adds; nothing for those used here.
        data: Rest<'a>,
    }

    /// SSH_MSG_CHANNEL_OPEN_FAILURE (92). RFC 4254 §5.1.
    ///
    /// `byte 92 · uint32 recipient channel · uint32 reason code · string description · string language tag`
    92 ChannelOpenFailure<'a> {
        /// The number from the open request.
        recipient_channel: u32,
        /// See [`open_failure`].
        reason_code: u32,
        /// Text for a human.
        description: &'a [u8],
        /// RFC 3066 tag.
        language_tag: &'a [u8],
    }

    /// SSH_MSG_CHANNEL_WINDOW_ADJUST (93): the peer may send this much more. RFC 4254 §5.2.
    ///
    /// `byte 93 · uint32 recipient channel · uint32 bytes to add`
    93 ChannelWindowAdjust {
        /// The receiver's number for the channel.
        recipient_channel: u32,
        /// Window size may not pass 2^32 - 1 by it.
        bytes_to_add: u32,
    }

    /// SSH_MSG_CHANNEL_DATA (94). RFC 4254 §5.2.
    ///
    /// `byte 94 · uint32 recipient channel · string data`
    94 ChannelData<'a> {
        /// The receiver's number for the channel.
        recipient_channel: u32,
        /// Payload.
        data: &'a [u8],
    }

    /// SSH_MSG_CHANNEL_EXTENDED_DATA (95). RFC 4254 §5.2.
    ///
    /// `byte 95 · uint32 recipient channel · uint32 data_type_code · string data`
    95 ChannelExtendedData<'a> {
        /// The receiver's number for the channel.
        recipient_channel: u32,
        /// [`EXTENDED_DATA_STDERR`]
        data_type_code: u32,
        /// Payload.
        data: &'a [u8],
    }

    /// SSH_MSG_CHANNEL_EOF (96): the sender will send no more data. RFC 4254 §5.3.
    ///
    /// `byte 96 · uint32 recipient channel`
    96 ChannelEof {
        /// The receiver's number for the channel.
        recipient_channel: u32,
    }

    /// SSH_MSG_CHANNEL_CLOSE (97). RFC 4254 §5.3.
    ///
    /// `byte 97 · uint32 recipient channel`
    97 ChannelClose {
        /// The receiver's number for the channel.
        recipient_channel: u32,
    }

    /// SSH_MSG_CHANNEL_REQUEST (98). RFC 4254 §5.4.
    ///
    /// `byte 98 · uint32 recipient channel · string request type · boolean want reply · …`
    98 ChannelRequest<'a> {
        /// The receiver's number for the channel.
        recipient_channel: u32,
        /// `exec`, `exit-status`, …
        request_type: &'a str,
        /// Replies come in the order of the requests.
        want_reply: bool,
        /// What the request needs.
        data: Rest<'a>,
    }

    /// SSH_MSG_CHANNEL_SUCCESS (99). RFC 4254 §5.4.
    ///
    /// `byte 99 · uint32 recipient channel`
    99 ChannelSuccess {
        /// The receiver's number for the channel.
        recipient_channel: u32,
    }

    /// SSH_MSG_CHANNEL_FAILURE (100). RFC 4254 §5.4.
    ///
    /// `byte 100 · uint32 recipient channel`
    100 ChannelFailure {
        /// The receiver's number for the channel.
        recipient_channel: u32,
    }

    /// Body of a `direct-tcpip` open. RFC 4254 §7.2.
    ///
    /// `string host to connect · uint32 port to connect · string originator IP address · uint32 originator port`
    DirectTcpip<'a> {
        /// Name or address; the server resolves it.
        host_to_connect: &'a str,
        /// TCP port.
        port_to_connect: u32,
        /// Who connected to the forwarded port.
        originator_address: &'a str,
        /// And from which port.
        originator_port: u32,
    }

    /// Body of a `forwarded-tcpip` open. RFC 4254 §7.2.
    ///
    /// `string address that was connected · uint32 port that was connected · string originator IP address · uint32 originator port`
    ForwardedTcpip<'a> {
        /// The address string of the `tcpip-forward` request, letter for letter.
        connected_address: &'a str,
        /// The bound port.
        connected_port: u32,
        /// Who connected.
        originator_address: &'a str,
        /// And from which port.
        originator_port: u32,
    }

    /// Body of a `direct-streamlocal@openssh.com` open. OpenSSH PROTOCOL §2.4.
    ///
    /// `string socket path · string reserved · uint32 reserved`
    DirectStreamlocal<'a> {
        /// Path on the server.
        socket_path: &'a str,
        /// Empty.
        reserved: &'a [u8],
        /// Zero.
        reserved_number: u32,
    }

    /// Body of a `forwarded-streamlocal@openssh.com` open. OpenSSH PROTOCOL §2.4.
    ///
    /// `string socket path · string reserved`
    ForwardedStreamlocal<'a> {
        /// The path of the `streamlocal-forward@openssh.com` request.
        socket_path: &'a str,
        /// Empty.
        reserved: &'a [u8],
    }

    /// Body of a `pty-req` request. RFC 4254 §6.2.
    ///
    /// `string TERM · uint32 columns · uint32 rows · uint32 width · uint32 height · string encoded terminal modes`
    PtyReq<'a> {
        /// Value of TERM.
        term: &'a str,
        /// Width in characters.
        width_characters: u32,
        /// Height in rows.
        height_rows: u32,
        /// Width in pixels.
        width_pixels: u32,
        /// Height in pixels.
        height_pixels: u32,
        /// RFC 4254 §8.
        encoded_terminal_modes: &'a [u8],
    }

    /// Body of a `window-change` request. RFC 4254 §6.7.
    ///
    /// `uint32 columns · uint32 rows · uint32 width · uint32 height`
    WindowChange {
        /// Width in characters.
        width_characters: u32,
        /// Height in rows.
        height_rows: u32,
        /// Width in pixels.
        width_pixels: u32,
        /// Height in pixels.
        height_pixels: u32,
    }

    /// Body of an `env` request. RFC 4254 §6.4.
    ///
    /// `string variable name · string variable value`
    Env<'a> {
        /// Name.
        variable_name: &'a [u8],
        /// Value.
        variable_value: &'a [u8],
    }

    /// Body of an `exec` request. RFC 4254 §6.5.
    ///
    /// `string command`
    Exec<'a> {
        /// Command line for the user's shell.
        command: &'a [u8],
    }

    /// Body of a `subsystem` request. RFC 4254 §6.5.
    ///
    /// `string subsystem name`
    Subsystem<'a> {
        /// Name, e.g. `sftp`.
        subsystem_name: &'a str,
    }

    /// Body of a `signal` request. RFC 4254 §6.9.
    ///
    /// `string signal name (without the "SIG" prefix)`
    Signal<'a> {
        /// `TERM`, `INT`, …
        signal_name: &'a str,
    }

    /// Body of an `exit-status` request. RFC 4254 §6.10.
    ///
    /// `uint32 exit_status`
    ExitStatus {
        /// The command's exit status.
        exit_status: u32,
    }

    /// Body of an `exit-signal` request. RFC 4254 §6.10.
    ///
    /// `string signal name · boolean core dumped · string error message · string language tag`
    ExitSignal<'a> {
        /// `TERM`, `KILL`, …
        signal_name: &'a str,
        /// A core image was left.
        core_dumped: bool,
        /// Text for a human.
        error_message: &'a [u8],
        /// RFC 3066 tag.
        language_tag: &'a [u8],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::tests::{body_round_trip, round_trip};

    #[test]
    fn every_message_round_trips() {
        round_trip(ChannelOpen {
            channel_type: channel_type::SESSION,
            sender_channel: 1,
            initial_window_size: 2,
            maximum_packet_size: 3,
            data: Rest(b"x"),
        });
        round_trip(ChannelOpenConfirmation {
            recipient_channel: 1,
            sender_channel: 2,
            initial_window_size: 3,
            maximum_packet_size: 4,
            data: Rest(b""),
        });
        round_trip(ChannelOpenFailure {
            recipient_channel: 1,
            reason_code: open_failure::CONNECT_FAILED,
            description: b"Connection refused",
            language_tag: b"",
        });
        round_trip(ChannelWindowAdjust { recipient_channel: 1, bytes_to_add: u32::MAX });
        round_trip(ChannelData { recipient_channel: 1, data: b"data" });
        round_trip(ChannelExtendedData { recipient_channel: 1, data_type_code: 1, data: b"err" });
        round_trip(ChannelEof { recipient_channel: 1 });
        round_trip(ChannelClose { recipient_channel: 1 });
        round_trip(ChannelRequest {
            recipient_channel: 1,
            request_type: "exec",
            want_reply: true,
            data: Rest(b"\0\0\0\0"),
        });
        round_trip(ChannelSuccess { recipient_channel: 1 });
        round_trip(ChannelFailure { recipient_channel: 1 });
    }

    #[test]
    fn every_body_round_trips() {
        body_round_trip(DirectTcpip {
            host_to_connect: "db",
            port_to_connect: 5432,
            originator_address: "::1",
            originator_port: 40000,
        });
        body_round_trip(ForwardedTcpip {
            connected_address: "",
            connected_port: 80,
            originator_address: "192.0.2.1",
            originator_port: 1,
        });
        body_round_trip(DirectStreamlocal {
            socket_path: "/run/x",
            reserved: b"",
            reserved_number: 0,
        });
        body_round_trip(ForwardedStreamlocal { socket_path: "/run/x", reserved: b"" });
        body_round_trip(PtyReq {
            term: "xterm",
            width_characters: 80,
            height_rows: 24,
            width_pixels: 0,
            height_pixels: 0,
            encoded_terminal_modes: &[0],
        });
        body_round_trip(WindowChange {
            width_characters: 80,
            height_rows: 24,
            width_pixels: 0,
            height_pixels: 0,
        });
        body_round_trip(Env { variable_name: b"LANG", variable_value: b"C" });
        body_round_trip(Exec { command: b"true" });
        body_round_trip(Subsystem { subsystem_name: "sftp" });
        body_round_trip(Signal { signal_name: "TERM" });
        body_round_trip(ExitStatus { exit_status: 7 });
        body_round_trip(ExitSignal {
            signal_name: "KILL",
            core_dumped: false,
            error_message: b"",
            language_tag: b"",
        });
    }
}
