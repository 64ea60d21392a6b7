//! SOCKS 4, 4a and 5 as a server reads and answers them. RFC 1928; SOCKS 4 and 4a are NEC's notes.
//! Touches: the first bytes of a proxy client.   Never: authentication (none is offered), BIND, UDP.
//! Invariants: a message is refused at the first byte that makes it wrong; lengths are checked before they are used.
//! Errors: [`Refusal`] with the protocol's own code.   Allocates: the host name.
//! Proved by: `tests` below, fuzz `dynamic_request`.

use crate::dynamic_request::{Failure, Message, ProxyTarget, Refusal, host};
use std::net::{Ipv4Addr, Ipv6Addr};

/// CONNECT, the only command served.
const CONNECT: u8 = 1;

/// Longest user name read over in SOCKS 4.
const MAX_USER: usize = 255;

/// Longest name read in SOCKS 4a.
const MAX_NAME: usize = 255;

/// SOCKS 4: request granted.
pub(crate) const SOCKS4_GRANTED: &[u8] = &[0, 0x5a, 0, 0, 0, 0, 0, 0];

/// SOCKS 4: request rejected or failed.
pub(crate) const SOCKS4_REJECTED: &[u8] = &[0, 0x5b, 0, 0, 0, 0, 0, 0];

/// Method selection: no authentication required. RFC 1928 §3.
pub(crate) const NO_AUTHENTICATION: &[u8] = &[5, 0];

/// Method selection: no acceptable methods. RFC 1928 §3.
const NO_ACCEPTABLE_METHODS: &[u8] = &[5, 0xff];

/// Answers to a request. RFC 1928 §6. The bound address is not known here and sent as 0.0.0.0:0.
pub(crate) const SOCKS5_SUCCEEDED: &[u8] = &socks5_reply(0);
const GENERAL_FAILURE: &[u8] = &socks5_reply(1);
const NOT_ALLOWED: &[u8] = &socks5_reply(2);
const NETWORK_UNREACHABLE: &[u8] = &socks5_reply(3);
const HOST_UNREACHABLE: &[u8] = &socks5_reply(4);
const CONNECTION_REFUSED: &[u8] = &socks5_reply(5);
const TTL_EXPIRED: &[u8] = &socks5_reply(6);
const COMMAND_NOT_SUPPORTED: &[u8] = &socks5_reply(7);
const ADDRESS_TYPE_NOT_SUPPORTED: &[u8] = &socks5_reply(8);

const fn socks5_reply(code: u8) -> [u8; 10] {
    [5, code, 0, 1, 0, 0, 0, 0, 0, 0]
}

/// The code for a failure; "TTL expired" is the nearest there is to a time-out.
pub(crate) fn socks5_failure(failure: Failure) -> &'static [u8] {
    match failure {
        Failure::NotAllowed => NOT_ALLOWED,
        Failure::NetworkUnreachable => NETWORK_UNREACHABLE,
        Failure::HostUnreachable => HOST_UNREACHABLE,
        Failure::Refused => CONNECTION_REFUSED,
        Failure::TimedOut => TTL_EXPIRED,
        Failure::General => GENERAL_FAILURE,
    }
}

/// `4 · command · port 2 · address 4 · user · 0`, then for addresses 0.0.0.x also `name · 0` (4a).
pub(crate) fn socks4_request(bytes: &[u8]) -> Message<ProxyTarget> {
    if bytes.get(1).is_some_and(|&command| command != CONNECT) {
        return refuse(SOCKS4_REJECTED, "SOCKS 4 command other than CONNECT");
    }
    let Some((head, rest)) = bytes.split_first_chunk::<8>() else { return Ok(None) };
    let port = u16::from_be_bytes([head[2], head[3]]);
    let address = [head[4], head[5], head[6], head[7]];
    let Some(user) = terminated(rest, MAX_USER, "SOCKS 4 user name too long")? else {
        return Ok(None);
    };
    let used = head.len() + user.len() + 1;
    if !matches!(address, [0, 0, 0, last] if last != 0) {
        let host = Ipv4Addr::from(address).to_string();
        return Ok(Some((ProxyTarget { host, port }, used)));
    }
    let Some(name) = terminated(&bytes[used..], MAX_NAME, "SOCKS 4a host name too long")? else {
        return Ok(None);
    };
    match host(name) {
        Some(host) => Ok(Some((ProxyTarget { host, port }, used + name.len() + 1))),
        None => refuse(SOCKS4_REJECTED, "SOCKS 4a host name is empty or has invalid characters"),
    }
}

/// The bytes before the next NUL, at most `limit` of them.
fn terminated<'a>(
    bytes: &'a [u8],
    limit: usize,
    too_long: &'static str,
) -> Result<Option<&'a [u8]>, Refusal> {
    match bytes.iter().take(limit + 1).position(|&byte| byte == 0) {
        Some(end) => Ok(Some(&bytes[..end])),
        None if bytes.len() > limit => refuse(SOCKS4_REJECTED, too_long),
        None => Ok(None),
    }
}

/// `5 · number of methods · methods`. RFC 1928 §3.
pub(crate) fn socks5_greeting(bytes: &[u8]) -> Message<()> {
    let Some((&[_version, count], rest)) = bytes.split_first_chunk() else { return Ok(None) };
    let Some(methods) = rest.get(..usize::from(count)) else { return Ok(None) };
    if methods.contains(&0) {
        return Ok(Some(((), 2 + methods.len())));
    }
    refuse(NO_ACCEPTABLE_METHODS, "SOCKS 5 client offers no method without authentication")
}

/// `5 · command · 0 · address type · address · port 2`. RFC 1928 §4, §5.
pub(crate) fn socks5_request(bytes: &[u8]) -> Message<ProxyTarget> {
    if bytes.first().is_some_and(|&version| version != 5) {
        return refuse(GENERAL_FAILURE, "SOCKS 5 request with another version");
    }
    if bytes.get(1).is_some_and(|&command| command != CONNECT) {
        return refuse(COMMAND_NOT_SUPPORTED, "SOCKS 5 command other than CONNECT");
    }
    let Some((&[_, _, _reserved, address_type], rest)) = bytes.split_first_chunk() else {
        return Ok(None);
    };
    let Some((host, length)) = socks5_host(address_type, rest)? else { return Ok(None) };
    let Some(port) = rest[length..].first_chunk() else { return Ok(None) };
    let target = ProxyTarget { host, port: u16::from_be_bytes(*port) };
    Ok(Some((target, 4 + length + port.len())))
}

fn socks5_host(address_type: u8, rest: &[u8]) -> Message<String> {
    match address_type {
        1 => Ok(rest.first_chunk::<4>().map(|ip| (Ipv4Addr::from(*ip).to_string(), ip.len()))),
        3 => socks5_domain(rest),
        4 => Ok(rest.first_chunk::<16>().map(|ip| (Ipv6Addr::from(*ip).to_string(), ip.len()))),
        _ => refuse(ADDRESS_TYPE_NOT_SUPPORTED, "SOCKS 5 address type unknown"),
    }
}

fn socks5_domain(rest: &[u8]) -> Message<String> {
    let Some((&length, rest)) = rest.split_first() else { return Ok(None) };
    let Some(name) = rest.get(..usize::from(length)) else { return Ok(None) };
    match host(name) {
        Some(host) => Ok(Some((host, 1 + name.len()))),
        None => refuse(GENERAL_FAILURE, "SOCKS 5 host name is empty or has invalid characters"),
    }
}

fn refuse<T>(reply: &'static [u8], reason: &'static str) -> Result<T, Refusal> {
    Err(Refusal { reply, reason })
}

#[cfg(test)]
mod tests {
    use crate::dynamic_request::tests::converse;

    /// What is asked for, told in one read and byte by byte.
    fn target(bytes: &[u8]) -> Option<String> {
        let whole = converse(bytes, bytes.len());
        assert_eq!(whole, converse(bytes, 1));
        whole.target()
    }

    fn refusal(bytes: &[u8]) -> Option<&'static [u8]> {
        let whole = converse(bytes, bytes.len());
        assert_eq!(whole, converse(bytes, 1));
        whole.refusal.map(|refusal| refusal.reply)
    }

    fn with_domain(name: &[u8]) -> Vec<u8> {
        let length = u8::try_from(name.len()).unwrap();
        [b"\x05\x01\x00\x05\x01\x00\x03", &[length][..], name, b"\x00\x50"].concat()
    }

    #[test]
    fn socks_4_names_an_address_and_4a_a_host() {
        for (bytes, expected) in [
            (&b"\x04\x01\x00\x50\x7f\x00\x00\x01\0"[..], "127.0.0.1:80"),
            (b"\x04\x01\x01\xbb\x0a\x01\x02\x03user\0", "10.1.2.3:443"),
            (b"\x04\x01\x00\x50\x00\x00\x00\x00\0", "0.0.0.0:80"),
            (b"\x04\x01\x00\x50\x00\x00\x01\x01\0", "0.0.1.1:80"),
            (b"\x04\x01\x00\x50\x00\x00\x00\x01\0db.internal\0", "db.internal:80"),
            (b"\x04\x01\x00\x50\x00\x00\x00\xffme\0db\0", "db:80"),
        ] {
            assert_eq!(target(bytes).as_deref(), Some(expected));
        }
    }

    #[test]
    fn socks_5_names_either_kind_of_address_or_a_host() {
        for (bytes, expected) in [
            (&b"\x05\x01\x00\x05\x01\x00\x01\x7f\x00\x00\x01\x00\x50"[..], "127.0.0.1:80"),
            (b"\x05\x01\x00\x05\x01\x00\x03\x02db\x15\x38", "db:5432"),
            (b"\x05\x01\x00\x05\x01\x00\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x00\x50", "::1:80"),
        ] {
            assert_eq!(target(bytes).as_deref(), Some(expected));
        }
        let longest = [b'h'; 255];
        let expected = format!("{}:80", String::from_utf8(longest.to_vec()).unwrap());
        assert_eq!(target(&with_domain(&longest)), Some(expected));
    }

    #[test]
    fn the_method_is_chosen_before_the_request() {
        let outcome = converse(b"\x05\x02\x02\x00", 4);
        assert_eq!((outcome.replies.as_slice(), outcome.request), (&[5, 0][..], None));
        let all: Vec<u8> = [5, 255].into_iter().chain((0..255).rev()).collect();
        assert_eq!(converse(&all, all.len()).replies, [5, 0]);
    }

    #[test]
    fn clients_that_insist_on_authentication_are_told_so() {
        assert_eq!(refusal(b"\x05\x01\x02"), Some(&[5, 0xff][..]));
        assert_eq!(refusal(b"\x05\x00"), Some(&[5, 0xff][..]));
        let all_but_none: Vec<u8> = [5, 255].into_iter().chain(1..=255).collect();
        assert_eq!(refusal(&all_but_none), Some(&[5, 0xff][..]));
    }

    #[test]
    fn bind_and_udp_are_not_supported() {
        let rejected = &[0, 0x5b, 0, 0, 0, 0, 0, 0][..];
        assert_eq!(refusal(b"\x04\x02"), Some(rejected));
        for command in [0, 2, 3, 255] {
            let bytes = [5, 1, 0, 5, command];
            assert_eq!(refusal(&bytes), Some(&[5, 7, 0, 1, 0, 0, 0, 0, 0, 0][..]), "{command}");
        }
    }

    #[test]
    fn unknown_versions_and_address_types_are_refused() {
        assert_eq!(refusal(b"\x05\x01\x00\x04"), Some(&[5, 1, 0, 1, 0, 0, 0, 0, 0, 0][..]));
        for kind in [0, 2, 5, 255] {
            let bytes = [5, 1, 0, 5, 1, 0, kind];
            assert_eq!(refusal(&bytes), Some(&[5, 8, 0, 1, 0, 0, 0, 0, 0, 0][..]), "{kind}");
        }
    }

    #[test]
    fn names_that_are_empty_or_could_lie_are_refused() {
        let general = &[5, 1, 0, 1, 0, 0, 0, 0, 0, 0][..];
        for name in [&b""[..], b"a\0b", b"a b", b"a\nb", b"\x1b[2J", b"\xff\xfe"] {
            assert_eq!(refusal(&with_domain(name)), Some(general), "{name:?}");
        }
        let rejected = &[0, 0x5b, 0, 0, 0, 0, 0, 0][..];
        for name in [&b"\0"[..], b"a b\0", b"\xff\0"] {
            let bytes = [b"\x04\x01\x00\x50\x00\x00\x00\x01\0", name].concat();
            assert_eq!(refusal(&bytes), Some(rejected), "{name:?}");
        }
    }

    #[test]
    fn socks_4_strings_are_bounded() {
        let rejected = &[0, 0x5b, 0, 0, 0, 0, 0, 0][..];
        let endless = [b"\x04\x01\x00\x50\x7f\x00\x00\x01", &[b'u'; 256][..]].concat();
        assert_eq!(refusal(&endless), Some(rejected));
        let ended_too_late = [&endless[..], b"\0"].concat();
        assert_eq!(converse(&ended_too_late, 1000).target(), None);
        let endless = [b"\x04\x01\x00\x50\x00\x00\x00\x01\0", &[b'h'; 256][..]].concat();
        assert_eq!(refusal(&endless), Some(rejected));
        let longest = [b"\x04\x01\x00\x50\x7f\x00\x00\x01", &[b'u'; 255][..], b"\0"].concat();
        assert_eq!(target(&longest).as_deref(), Some("127.0.0.1:80"));
    }

    #[test]
    fn what_follows_the_request_is_left_to_the_tunnel() {
        for request in [
            &b"\x04\x01\x00\x50\x7f\x00\x00\x01\0"[..],
            b"\x04\x01\x00\x50\x00\x00\x00\x01\0db\0",
            b"\x05\x01\x00\x05\x01\x00\x03\x02db\x00\x50",
        ] {
            let bytes = [request, b"\0early data"].concat();
            for piece in 1..=bytes.len() {
                assert_eq!(converse(&bytes, piece).rest, b"\0early data", "{piece}");
            }
        }
    }
}
