//! What one hostile connection can make us keep in memory: at most a mebibyte, whatever it sends and however long.
//!
//! Measured at the end under test, with the bytes it was sent in its buffers and its output read as it comes.

use adit_testkit::script::{self, Offer, RawScript, UnderTest, payload};
use adit_testkit::{End, Script, Seen};
use adit_transport::Role;
use adit_wire::Rest;
use adit_wire::auth::{UserauthBanner, UserauthInfoRequest, UserauthInfoResponse};
use adit_wire::channel::{
    ChannelData, ChannelExtendedData, ChannelOpen, ChannelOpenFailure, ChannelRequest,
};
use adit_wire::global_request::{GlobalRequest, RequestSuccess};
use adit_wire::transport::{
    Debug, Disconnect, ExtInfo, Ignore, Ping, Pong, ServiceAccept, ServiceRequest, Unimplemented,
};

/// What any connection may make us keep.
const MOST: i64 = 1 << 20;

/// What a length that lies may make us keep.
const MOST_BY_A_LIE: i64 = 64 << 10;

/// What a loop reads at once from a link that stands.
const READ: usize = 4096;

/// An end whose memory is counted, and that forgets what it was told.
#[derive(Debug)]
struct Metered {
    end: End,
    grown: i64,
    peak: i64,
}

impl Metered {
    fn new(end: End) -> Self {
        Self { end, grown: 0, peak: 0 }
    }

    fn counted<T>(&mut self, act: impl FnOnce(&mut End) -> T) -> T {
        let (mut result, end) = (None, &mut self.end);
        let used = allocation_counter::measure(|| result = Some(act(end)));
        let most = i64::try_from(used.bytes_max).expect("no such memory");
        self.peak = self.peak.max(self.grown + most);
        self.grown += used.bytes_current;
        result.expect("acted")
    }
}

impl UnderTest for Metered {
    fn role(&self) -> Role {
        self.end.role
    }

    fn receive(&mut self, bytes: &[u8]) {
        for bytes in bytes.chunks(READ) {
            self.counted(|end| {
                end.receive(bytes);
                end.seen.clear();
            });
        }
    }

    fn take_output(&mut self) -> Vec<u8> {
        let mut bytes = vec![];
        self.end.tx.pending().for_each(|piece| bytes.extend_from_slice(piece));
        self.counted(|end| end.tx.written(bytes.len()));
        bytes
    }

    fn has_left(&mut self) -> bool {
        self.end.error().is_some()
    }

    fn must_have_seen(&mut self, _: &Seen) {
        self.counted(End::turn);
    }
}

fn ends() -> [Metered; 2] {
    [script::client(), script::server()].map(Metered::new)
}

fn assert_small(us: &Metered, what: &str) {
    let Metered { grown, peak, .. } = us;
    assert!(*peak < MOST, "{what}: {peak} bytes at once, {grown} at the end, {:?}", us.role());
}

/// Sends `payload` until the other end leaves, or often enough to go past the bound if little of each were kept.
fn floods(script: &mut Script<Metered>, payload: &[u8]) {
    let times = (2 * MOST as usize / payload.len()).clamp(60, 2000);
    for _ in 0..times {
        if script.us.has_left() {
            break;
        }
        script.sends_payload(payload);
        while script.hears().is_some() {}
    }
    let number = payload[0];
    assert_small(&script.us, &format!("message {number} of {} bytes", payload.len()));
}

/// Texts as long as a packet may be.
fn long() -> Vec<u8> {
    vec![b'x'; 35_000]
}

#[test]
fn transport_messages_without_end_fill_nothing() {
    let long = long();
    let messages = [
        payload(&Ignore { data: &long }),
        payload(&Ignore { data: b"" }),
        payload(&Debug { always_display: true, message: &long, language_tag: b"" }),
        payload(&Unimplemented { packet_sequence_number: 7 }),
        payload(&Ping { data: &long }),
        payload(&Pong { data: &long }),
        [&[240][..], &long].concat(),
        vec![240],
    ];
    for message in &messages {
        for us in ends() {
            floods(&mut Script::connected(us), message);
        }
        for us in ends() {
            floods(&mut Script::established(us), message);
        }
    }
}

#[test]
fn extensions_without_end_fill_nothing() {
    let long = long();
    let mut info = vec![];
    ExtInfo::encode_pairs(&[("server-sig-algs", &long)], &mut info);
    let mut many = vec![];
    let pairs: Vec<_> = (0..2000).map(|_| ("name", &b"value"[..])).collect();
    ExtInfo::encode_pairs(&pairs, &mut many);
    for info in [info, many] {
        floods(&mut Script::connected(Metered::new(script::client())), &info);
    }
}

#[test]
fn key_exchanges_without_end_fill_nothing() {
    for us in ends() {
        let mut script = Script::established(us);
        for _ in 0..100 {
            script.rekeys();
        }
        assert!(!script.us.has_left());
        assert_small(&script.us, "a hundred key exchanges");
    }
}

#[test]
fn lists_of_names_without_end_fill_nothing() {
    let names: &'static str = Box::leak("a-name-nobody-knows,".repeat(2000).into_boxed_str());
    let lists = [
        Offer { kex: names, ..Offer::default() },
        Offer { host_key: names, ..Offer::default() },
        Offer { cipher: names, ..Offer::default() },
        Offer { compression: names, ..Offer::default() },
    ];
    for offer in lists {
        for us in ends() {
            let mut script = RawScript::identified(us);
            script.sends_payload(&Offer { mac: names, ..offer }.payload());
            assert!(script.us.has_left());
            let said: usize = std::iter::from_fn(|| script.hears()).map(|said| said.len()).sum();
            assert!(said < 4096, "{said} bytes of our own in answer");
            assert_small(&script.us, "a KEXINIT of long lists");
        }
    }
}

#[test]
fn lines_before_the_identification_fill_nothing() {
    let line = [&[b'x'; 1000][..], b"\r\n"].concat();
    for line in [&line[..], b"\n", &[b'x'; 5000]] {
        for us in ends() {
            let mut script = RawScript::new(us);
            while !script.us.has_left() {
                script.sends_bytes(line);
            }
            assert_small(&script.us, "lines before the identification");
        }
    }
}

#[test]
fn logins_without_end_fill_nothing_at_a_server() {
    let long = long();
    let methods: [(&str, &[u8]); 4] =
        [("none", b""), ("password", &long), ("publickey", b""), ("unheard-of", &long)];
    for (method, body) in methods {
        let mut script = Script::at_login(Metered::new(script::server()));
        for _ in 0..2000 {
            if script.us.has_left() {
                break;
            }
            script.asks_to_log_in(method, body);
            while script.hears().is_some() {}
        }
        assert!(script.us.has_left(), "{method} may be asked for ever");
        assert_small(&script.us, method);
    }
}

#[test]
fn logins_that_are_answered_for_ever_fill_nothing_at_a_client() {
    let long = long();
    let mut many = vec![];
    let prompts: Vec<(&[u8], bool)> = (0..4000).map(|_| (&b"?"[..], true)).collect();
    UserauthInfoRequest::encode_prompts(b"", &long, &prompts[..50], &mut many);
    let messages = [
        payload(&UserauthBanner { message: &long, language_tag: b"" }),
        payload(&UserauthBanner { message: b"", language_tag: b"" }),
        many,
    ];
    for message in &messages {
        floods(&mut Script::at_login(Metered::new(script::client())), message);
    }
}

#[test]
fn requests_without_end_fill_nothing() {
    let long = long();
    for want_reply in [true, false] {
        for data in [&long[..], b""] {
            let request =
                GlobalRequest { request_name: "unheard-of", want_reply, data: Rest(data) };
            for us in ends() {
                floods(&mut Script::established(us), &payload(&request));
            }
        }
    }
}

#[test]
fn requests_whose_answers_cannot_leave_fill_nothing() {
    let ask = payload(&GlobalRequest { request_name: "x", want_reply: true, data: Rest(b"") });
    let ping = payload(&Ping { data: &[0; 100] });
    for message in [ask, ping] {
        for us in ends() {
            let mut script = Script::established(us);
            // The exchange we begin never ends.
            script.us.counted(End::rekey);
            while !script.us.has_left() {
                script.sends_payload(&message);
            }
            assert_small(&script.us, "questions whose answers cannot leave");
        }
    }
}

#[test]
fn channels_nobody_takes_fill_nothing() {
    let long = long();
    for data in [&long[..], b""] {
        let open = ChannelOpen {
            channel_type: "unheard-of",
            sender_channel: 1,
            initial_window_size: u32::MAX,
            maximum_packet_size: u32::MAX,
            data: Rest(data),
        };
        for us in ends() {
            floods(&mut Script::established(us), &payload(&open));
        }
    }
}

/// Every message that holds a length, well made, with the phase in which it may come and whom it may come to.
fn with_lengths() -> Vec<(Vec<u8>, bool, Option<Role>)> {
    let (before, after) = (false, true);
    let mut info = vec![];
    ExtInfo::encode_pairs(&[("name", b"value")], &mut info);
    let mut prompts = vec![];
    UserauthInfoRequest::encode_prompts(b"name", b"words", &[(b"?", true)], &mut prompts);
    let mut responses = vec![];
    UserauthInfoResponse::encode_responses([&b"one"[..], b"two"].into_iter(), &mut responses);
    let open = |channel_type, data| ChannelOpen {
        channel_type,
        sender_channel: 7,
        initial_window_size: 1 << 20,
        maximum_packet_size: 1 << 15,
        data: Rest(data),
    };
    let tcpip = b"\0\0\0\x04host\0\0\0\x16\0\0\0\x04from\0\0\x04\0";
    let request =
        |request_name, data| GlobalRequest { request_name, want_reply: true, data: Rest(data) };
    let (client, server) = (Some(Role::Client), Some(Role::Server));
    let debug = Debug { always_display: true, message: b"text", language_tag: b"en" };
    let gone = Disconnect { reason_code: 11, description: b"gone", language_tag: b"en" };
    vec![
        (payload(&gone), before, None),
        (payload(&Ignore { data: b"data" }), before, None),
        (payload(&debug), before, None),
        (payload(&ServiceRequest { service_name: "ssh-userauth" }), before, server),
        (payload(&ServiceAccept { service_name: "ssh-userauth" }), before, client),
        (info, before, client),
        (payload(&UserauthBanner { message: b"text", language_tag: b"en" }), before, client),
        (prompts, before, client),
        (responses, before, server),
        (payload(&Ping { data: b"data" }), before, None),
        (payload(&Pong { data: b"data" }), before, None),
        (payload(&request("tcpip-forward", b"\0\0\0\x01*\0\0\0\x16")), after, server),
        (payload(&request("hostkeys-00@openssh.com", b"\0\0\0\x03key")), after, client),
        (payload(&RequestSuccess { data: Rest(b"\0\0\0\x16") }), after, None),
        (payload(&open("direct-tcpip", tcpip)), after, server),
        (payload(&open("forwarded-tcpip", tcpip)), after, client),
        (payload(&open("session", b"")), after, server),
        (
            payload(&ChannelOpenFailure {
                recipient_channel: 0,
                reason_code: 2,
                description: b"no",
                language_tag: b"en",
            }),
            after,
            None,
        ),
        (payload(&ChannelData { recipient_channel: 0, data: b"data" }), after, None),
        (
            payload(&ChannelExtendedData {
                recipient_channel: 0,
                data_type_code: 1,
                data: b"data",
            }),
            after,
            None,
        ),
        (
            payload(&ChannelRequest {
                recipient_channel: 0,
                request_type: "exec",
                want_reply: true,
                data: Rest(b"\0\0\0\x02ls"),
            }),
            after,
            None,
        ),
    ]
}

/// Where a string's length stands: every four bytes that say no more than what is left.
fn lengths(payload: &[u8]) -> impl Iterator<Item = (usize, u32)> {
    (1..payload.len().saturating_sub(3)).filter_map(|at| {
        let (length, rest) = payload[at..].split_first_chunk()?;
        let length = u32::from_be_bytes(*length);
        (length as usize <= rest.len()).then_some((at, length))
    })
}

fn begin(us: Metered, after: bool) -> Script<Metered> {
    if after { Script::established(us) } else { Script::at_login(us) }
}

fn us(role: Role) -> Metered {
    Metered::new(match role {
        Role::Client => script::client(),
        Role::Server => script::server(),
    })
}

#[test]
fn lengths_that_lie_bring_no_memory() {
    for (message, after, only) in with_lengths() {
        for role in [Role::Client, Role::Server] {
            if only.is_some_and(|only| only != role) {
                continue;
            }
            let mut script = begin(us(role), after);
            for (at, length) in lengths(&message) {
                for lie in [length + 1, 0x7fff_ffff, u32::MAX] {
                    if script.us.has_left() {
                        script = begin(us(role), after);
                    }
                    let mut lying = message.clone();
                    lying[at..at + 4].copy_from_slice(&lie.to_be_bytes());
                    let before = script.us.grown;
                    script.us.peak = before;
                    script.sends_payload(&lying);
                    let grown = script.us.peak - before;
                    assert!(
                        grown < MOST_BY_A_LIE,
                        "{grown} bytes for {lie} at {at} of {message:?}"
                    );
                    if let Some(error) = script.us.end.error() {
                        let reason = error.reason();
                        assert!(
                            matches!(reason, Some(2) | None),
                            "{reason:?}: {lie} at {at} of {message:?}"
                        );
                    }
                    while script.hears().is_some() {}
                }
            }
        }
    }
}

#[test]
fn a_byte_too_many_ends_the_connection() {
    for (message, after, only) in with_lengths() {
        for role in [Role::Client, Role::Server] {
            // A goodbye is one however it is said, IGNORE may hold anything, a request what only its name explains.
            let free = matches!(message[0], 1 | 2 | 80 | 81 | 90 | 98);
            if free || only.is_some_and(|only| only != role) {
                continue;
            }
            let mut script = begin(us(role), after);
            script.sends_payload(&[&message[..], &[0]].concat());
            let reason = script.us.end.error().and_then(|error| error.reason());
            assert_eq!(reason, Some(2), "{message:?} to {role:?}: {:?}", script.us.end.error());
        }
    }
}

#[test]
fn an_idle_connection_is_small() {
    for us in ends() {
        let mut script = Script::established(us);
        while script.hears().is_some() {}
        script.us.counted(|end| end.engine.rest());
        assert!(script.us.grown < 64 << 10, "{} bytes, {:?}", script.us.grown, script.us.role());
    }
}
