//! The table of message numbers: name, layer, who may send it. RFC 4250 §4.1.
//! Touches: constants.   Never: state; whether a message is allowed *now* is the transport's gate.
//! Invariants: sorted by number; a number stands once per meaning.
//! Errors: none.   Allocates: never.
//! Proved by: `tests` below.

/// The layer that handles a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// 1 to 19: transport, generic. RFC 4253.
    Transport,
    /// 20 to 29: algorithm negotiation. RFC 4253 §7.
    Negotiation,
    /// 30 to 49: the running key exchange method.
    KeyExchange,
    /// 50 to 79: user authentication. RFC 4252.
    Auth,
    /// 80 to 127: connection. RFC 4254.
    Connection,
}

/// Which side sends a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// Either side.
    Both,
    /// The client only.
    Client,
    /// The server only.
    Server,
}

/// One message number and one of its meanings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// First byte of the payload.
    pub number: u8,
    /// Name as in RFC 4250 §4.1.2, without `SSH_MSG_`.
    pub name: &'static str,
    /// Who handles it.
    pub layer: Layer,
    /// Who may send it.
    pub sender: Sender,
}

const fn row(number: u8, name: &'static str, layer: Layer, sender: Sender) -> Row {
    Row { number, name, layer, sender }
}

/// Every message spoken here. Numbers 30 to 49 and 60 to 79 have a meaning per method.
pub const TABLE: &[Row] = {
    use Layer::{Auth, Connection, KeyExchange, Negotiation, Transport};
    use Sender::{Both, Client, Server};
    &[
        row(1, "DISCONNECT", Transport, Both),
        row(2, "IGNORE", Transport, Both),
        row(3, "UNIMPLEMENTED", Transport, Both),
        row(4, "DEBUG", Transport, Both),
        row(5, "SERVICE_REQUEST", Transport, Client),
        row(6, "SERVICE_ACCEPT", Transport, Server),
        row(7, "EXT_INFO", Transport, Both),
        row(20, "KEXINIT", Negotiation, Both),
        row(21, "NEWKEYS", Negotiation, Both),
        row(30, "KEX_INIT", KeyExchange, Client),
        row(31, "KEX_REPLY", KeyExchange, Server),
        row(32, "KEX_DH_GEX_INIT", KeyExchange, Client),
        row(33, "KEX_DH_GEX_REPLY", KeyExchange, Server),
        row(34, "KEX_DH_GEX_REQUEST", KeyExchange, Client),
        row(50, "USERAUTH_REQUEST", Auth, Client),
        row(51, "USERAUTH_FAILURE", Auth, Server),
        row(52, "USERAUTH_SUCCESS", Auth, Server),
        row(53, "USERAUTH_BANNER", Auth, Server),
        row(60, "USERAUTH_PK_OK", Auth, Server),
        row(61, "USERAUTH_INFO_RESPONSE", Auth, Client),
        row(80, "GLOBAL_REQUEST", Connection, Both),
        row(81, "REQUEST_SUCCESS", Connection, Both),
        row(82, "REQUEST_FAILURE", Connection, Both),
        row(90, "CHANNEL_OPEN", Connection, Both),
        row(91, "CHANNEL_OPEN_CONFIRMATION", Connection, Both),
        row(92, "CHANNEL_OPEN_FAILURE", Connection, Both),
        row(93, "CHANNEL_WINDOW_ADJUST", Connection, Both),
        row(94, "CHANNEL_DATA", Connection, Both),
        row(95, "CHANNEL_EXTENDED_DATA", Connection, Both),
        row(96, "CHANNEL_EOF", Connection, Both),
        row(97, "CHANNEL_CLOSE", Connection, Both),
        row(98, "CHANNEL_REQUEST", Connection, Both),
        row(99, "CHANNEL_SUCCESS", Connection, Both),
        row(100, "CHANNEL_FAILURE", Connection, Both),
        row(192, "PING", Transport, Both),
        row(193, "PONG", Transport, Both),
    ]
};

/// The row of `number`, or none if the message is not known here.
pub fn lookup(number: u8) -> Option<&'static Row> {
    TABLE.binary_search_by_key(&number, |row| row.number).ok().and_then(|at| TABLE.get(at))
}

/// The name of a message for people: `KEXINIT`, or `message 77`'s number alone.
pub fn name(number: u8) -> &'static str {
    lookup(number).map_or("unknown", |row| row.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_sorted_and_unique() {
        assert!(TABLE.is_sorted_by(|a, b| a.number < b.number));
    }

    #[test]
    fn ranges_belong_to_layers() {
        for row in TABLE {
            let layer = match row.number {
                1..=19 | 192.. => Layer::Transport,
                20..=29 => Layer::Negotiation,
                30..=49 => Layer::KeyExchange,
                50..=79 => Layer::Auth,
                _ => Layer::Connection,
            };
            assert_eq!(row.layer, layer, "{}", row.name);
        }
    }

    #[test]
    fn unknown_numbers_have_no_row() {
        assert_eq!(lookup(0), None);
        assert_eq!(lookup(94).map(|row| row.name), Some("CHANNEL_DATA"));
        assert_eq!(name(255), "unknown");
    }
}
