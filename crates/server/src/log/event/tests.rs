//! Every row's words and fields, against sshd's lines and the page that documents them.

use super::*;
use crate::limits::{BlockSizes, Change, Ending, LimitSettings, Limits, Offence};
use crate::log::Format;
use proptest::prelude::*;

const KEY: Key<'_> = Key { kind: "ED25519", fingerprint: "SHA256:abc+/1", certificate: None };

fn peer() -> Peer {
    let end = |text: &str| text.parse::<SocketAddr>().ok();
    Peer::new(7, end("1.2.3.4:5"), end("[::ffff:5.6.7.8]:22"))
}

fn text(event: &Event<'_>) -> String {
    let (log, lines) = Log::captured(LogLevel::Debug3, Format::Text);
    log.event(event);
    lines.lines().concat()
}

fn json(event: &Event<'_>) -> String {
    let (log, lines) = Log::captured(LogLevel::Debug3, Format::Json);
    log.event(event);
    lines.lines().concat()
}

/// Only levels up to the line's own write it.
fn is_at(event: &Event<'_>, level: LogLevel, below: LogLevel) -> bool {
    [(level, 1), (below, 0)].into_iter().all(|(level, expected)| {
        let (log, lines) = Log::captured(level, Format::Text);
        log.event(event);
        lines.lines().len() == expected
    })
}

fn closed<'a>(user: User<'a>, how: Close<'a>) -> Event<'a> {
    Event::ConnectionClosed { peer: peer(), user, how, millis: 61_042, received: 10, sent: 20 }
}

fn failed<'a>(user: &'a str, valid: bool, method: &'a str, failures: u32) -> Event<'a> {
    let key = (method == "publickey").then_some(KEY);
    let (allowed, reason) = (6, None);
    Event::LoginFailed { peer: peer(), user, valid, method, key, failures, allowed, reason }
}

const FORWARD: Forward<'_> = Forward {
    kind: "direct-tcpip",
    from: Endpoint::Tcp { host: "::1", port: 40000 },
    to: Endpoint::Tcp { host: "db", port: 5432 },
};

const SESSION: Session<'_> =
    Session { id: 0, kind: "command", terminal: Some("pts/3"), command: Some("ls -l") };

#[test]
fn the_log_speaks_as_sshd_does() {
    let certificate =
        Certificate { id: "ada@x", serial: 5, ca_kind: "RSA", ca_fingerprint: "SHA256:ca" };
    let certified = Key { kind: "ED25519-CERT", certificate: Some(certificate), ..KEY };
    let accepted = |method, key| Event::LoginAccepted { peer: peer(), user: "ada", method, key };
    for (event, expected) in [
        (
            Event::ServerListening { at: Endpoint::Address("[::]:22".parse().unwrap()) },
            "Server listening on :: port 22.",
        ),
        (
            Event::ServerListening { at: Endpoint::Unix("/run/a.sock") },
            "Server listening on path /run/a.sock.",
        ),
        (
            Event::ServerStopping { signal: 15, connections: 2 },
            "Received signal 15; terminating. connections=2",
        ),
        (
            Event::ConnectionOpened { peer: peer() },
            "Connection from 1.2.3.4 port 5 on 5.6.7.8 port 22 connection=7",
        ),
        (Event::UserInvalid { peer: peer(), user: "x" }, "Invalid user x from 1.2.3.4 port 5"),
        (
            accepted("publickey", Some(KEY)),
            "Accepted publickey for ada from 1.2.3.4 port 5 ssh2: ED25519 SHA256:abc+/1 connection=7",
        ),
        (
            accepted("publickey", Some(certified)),
            "Accepted publickey for ada from 1.2.3.4 port 5 ssh2: ED25519-CERT SHA256:abc+/1 ID ada@x (serial 5) CA RSA SHA256:ca connection=7",
        ),
        (
            accepted("password", None),
            "Accepted password for ada from 1.2.3.4 port 5 ssh2 connection=7",
        ),
        (
            Event::LoginPartial { peer: peer(), user: "ada", method: "publickey", key: Some(KEY) },
            "Partial publickey for ada from 1.2.3.4 port 5 ssh2: ED25519 SHA256:abc+/1 connection=7",
        ),
        (
            failed("x", false, "password", 1),
            "Failed password for invalid user x from 1.2.3.4 port 5 ssh2 connection=7 failures=1",
        ),
        (
            failed("ada", true, "publickey", 2),
            "Failed publickey for ada from 1.2.3.4 port 5 ssh2: ED25519 SHA256:abc+/1 connection=7 failures=2",
        ),
        (
            Event::UserRefused { peer: peer(), user: "ada", reason: "not listed in AllowUsers" },
            "User ada from 1.2.3.4 not allowed because not listed in AllowUsers",
        ),
        (Event::RootRefused { peer: peer() }, "ROOT LOGIN REFUSED FROM 1.2.3.4 port 5"),
        (
            Event::KeyRefused {
                peer: peer(),
                user: "ada",
                reason: "Authentication refused: bad ownership or modes for directory /home/ada",
            },
            "Authentication refused: bad ownership or modes for directory /home/ada remote=1.2.3.4:5 local=5.6.7.8:22 user=ada connection=7",
        ),
        (
            Event::LoginExceeded { peer: peer(), user: "x", valid: false },
            "maximum authentication attempts exceeded for invalid user x from 1.2.3.4 port 5 ssh2 [preauth]",
        ),
        (
            Event::ForwardRefused {
                peer: peer(),
                user: "ada",
                forward: FORWARD,
                reason: "PermitOpen",
            },
            "Received request from 1.2.3.4 port 5 to connect to host db port 5432, but the request was denied. connection=7 user=ada kind=direct-tcpip from=[::1]:40000 to=db:5432 reason=PermitOpen",
        ),
        (
            Event::SessionStarted { peer: peer(), user: "ada", session: SESSION },
            "Starting session: command on pts/3 for ada from 1.2.3.4 port 5 id 0 connection=7 command=\"ls -l\"",
        ),
        (
            Event::SessionEnded {
                peer: peer(),
                user: "ada",
                session: SESSION,
                status: Some(2),
                signal: None,
                reason: None,
                millis: 9,
            },
            "Close session: user ada from 1.2.3.4 port 5 id 0 connection=7 kind=command terminal=pts/3 command=\"ls -l\" status=2 duration=0.009",
        ),
    ] {
        assert_eq!(text(&event), expected);
    }
}

#[test]
fn the_end_of_a_connection_reads_as_sshds() {
    let (nobody, trying) = (User::Nobody, User::Authenticating("ada"));
    let (invalid, inside) = (User::Invalid("x"), User::LoggedIn("ada"));
    let goodbye = Close::Disconnect { code: 11, text: "disconnected by user" };
    for (user, how, expected) in [
        (nobody, Close::Eof, "Connection closed by 1.2.3.4 port 5 [preauth]"),
        (
            trying,
            Close::Eof,
            "Connection closed by authenticating user ada 1.2.3.4 port 5 [preauth]",
        ),
        (invalid, Close::Reset, "Connection reset by invalid user x 1.2.3.4 port 5 [preauth]"),
        (
            trying,
            Close::Disconnect { code: 14, text: "No supported authentication methods available" },
            "Received disconnect from 1.2.3.4 port 5:14: No supported authentication methods available [preauth]",
        ),
        (
            invalid,
            Close::Ours { words: "Too many authentication failures" },
            "Disconnecting invalid user x 1.2.3.4 port 5: Too many authentication failures [preauth]",
        ),
        (nobody, Close::GraceExceeded, "Timeout before authentication for 1.2.3.4 port 5"),
        (
            invalid,
            Close::Refused,
            "administratively prohibited connection for invalid user x from 1.2.3.4 port 5",
        ),
        (
            nobody,
            Close::NoCommonAlgorithm { words: "no matching cipher found. Their offer: 3des-cbc" },
            "Unable to negotiate with 1.2.3.4 port 5: no matching cipher found. Their offer: 3des-cbc [preauth]",
        ),
        (
            nobody,
            Close::NotSsh { words: "invalid format" },
            "banner exchange: Connection from 1.2.3.4 port 5: invalid format",
        ),
        (
            inside,
            goodbye,
            "Received disconnect from 1.2.3.4 port 5:11: disconnected by user connection=7 user=ada duration=61.042 received=10 sent=20",
        ),
        (
            inside,
            Close::Unresponsive,
            "Timeout, client not responding from user ada 1.2.3.4 port 5 connection=7 user=ada duration=61.042 received=10 sent=20",
        ),
        (
            inside,
            Close::Inactive,
            "terminating inactive connection from user ada 1.2.3.4 port 5 connection=7 user=ada duration=61.042 received=10 sent=20",
        ),
    ] {
        assert_eq!(text(&closed(user, how)), expected);
    }
}

#[test]
fn json_has_all_fields_also_those_that_text_leaves_to_the_words() {
    let line = json(&closed(User::Authenticating("ada"), Close::Eof));
    let expected = r#""remote":"1.2.3.4:5","local":"5.6.7.8:22","reason":"closed","user":"ada","connection":7,"duration":61.042,"received":10,"sent":20}"#;
    assert!(line.ends_with(expected), "{line}");
}

#[test]
fn a_forward_is_told_with_who_from_where_to_where_how_much_and_why_it_ended() {
    let event = Event::ForwardClosed {
        peer: peer(),
        user: "ada",
        forward: FORWARD,
        millis: 1500,
        received: 1,
        sent: 2,
        reason: "connection reset",
    };
    assert_eq!(
        text(&event),
        "Forwarded direct-tcpip for ada from 1.2.3.4 port 5: [::1]:40000 to db:5432 connection=7 duration=1.500 received=1 sent=2 reason=\"connection reset\""
    );
    let line = json(&event);
    let expected = r#""remote":"1.2.3.4:5","local":"5.6.7.8:22","user":"ada","kind":"direct-tcpip","from":"[::1]:40000","to":"db:5432","connection":7,"duration":1.500,"received":1,"sent":2,"reason":"connection reset"}"#;
    assert!(line.ends_with(expected), "{line}");
}

#[test]
fn a_listener_is_told_from_its_start_to_its_end() {
    let (user, at) = ("ada", Endpoint::Tcp { host: "", port: 8080 });
    for (event, expected) in [
        (
            Event::ListenerStarted { peer: peer(), user, at },
            "Listening on * port 8080 for ada from 1.2.3.4 port 5 connection=7",
        ),
        (
            Event::ListenerTakenOver { peer: peer(), user, at, from: 3 },
            "Took over listening on * port 8080 for ada from 1.2.3.4 port 5 connection=7 previous=3",
        ),
        (
            Event::ListenerEnded {
                peer: peer(),
                user,
                at,
                millis: 2000,
                connections: 4,
                reason: "cancelled",
            },
            "Stopped listening on * port 8080 for ada from 1.2.3.4 port 5 connection=7 duration=2.000 accepted=4 reason=cancelled",
        ),
    ] {
        assert_eq!(text(&event), expected);
    }
}

#[test]
fn a_connection_that_has_no_address_is_unknown() {
    let peer = Peer { connection: 1, remote: None, local: None };
    assert_eq!(
        text(&Event::UserInvalid { peer, user: "x" }),
        "Invalid user x from UNKNOWN port 65535"
    );
    assert!(!json(&Event::UserInvalid { peer, user: "x" }).contains("remote"));
}

#[test]
fn a_refusal_names_the_limit() {
    let mut settings = LimitSettings::default();
    settings.startups.full = 0;
    settings.startups.begin = 0;
    let mut limits = Limits::new(settings);
    let refusal = limits.admit(0, peer().remote.unwrap().ip(), 0).unwrap_err();
    assert_eq!(
        text(&Event::ConnectionRefused { peer: peer(), refusal: &refusal }),
        "drop connection #0 from [1.2.3.4]:5 on [5.6.7.8]:22 past MaxStartups"
    );
    assert_eq!(
        text(&Event::Limit(refusal.notice.as_ref().unwrap())),
        "beginning MaxStartups throttling"
    );
}

#[test]
fn a_penalty_is_told_with_its_source() {
    let mut limits = Limits::new(LimitSettings::default());
    let ticket = limits.admit(0, peer().remote.unwrap().ip(), 0).unwrap();
    let notice = limits.ended(0, ticket, Ending::Crashed).unwrap();
    let line = json(&Event::Limit(&notice));
    let expected = r#""event":"penalty","message":"ipv4: new 1.2.3.4/32 active penalty of 90.000 seconds for penalty: caused crash","source":"1.2.3.4/32","penalty":90.000,"reason":"penalty: caused crash"}"#;
    assert!(line.ends_with(expected), "{line}");
}

#[test]
fn a_reason_cannot_be_taken_for_an_address() {
    for (reason, expected) in [
        ("certificate expired", " failures=1 reason=\"certificate expired\""),
        ("not allowed from 10.0.0.1", " failures=1"),
    ] {
        let event = Event::LoginFailed {
            peer: peer(),
            user: "x",
            valid: false,
            method: "password",
            key: None,
            failures: 1,
            allowed: 6,
            reason: Some(reason),
        };
        assert!(text(&event).ends_with(expected));
        assert!(json(&event).contains(&format!("\"reason\":\"{reason}\"")));
    }
}

#[test]
fn failures_that_are_usual_are_told_to_who_asks() {
    use LogLevel::{Error, Info, Verbose};
    assert!(is_at(&failed("ada", true, "publickey", 3), Verbose, Info));
    assert!(is_at(&failed("ada", true, "publickey", 4), Info, Error));
    assert!(is_at(&failed("ada", true, "password", 1), Info, Error));
    assert!(is_at(&failed("x", false, "publickey", 1), Info, Error));
    assert!(is_at(&Event::ConnectionOpened { peer: peer() }, Verbose, Info));
}

/// One of each.
fn every_event(tell: &mut dyn FnMut(&Event<'_>)) {
    let certificate =
        Some(Certificate { id: "i", serial: 1, ca_kind: "RSA", ca_fingerprint: "SHA256:c" });
    let (peer, user, reason) = (peer(), "ada", "no");
    let (method, key) = ("publickey", Some(Key { certificate, ..KEY }));
    let (at, forward, session) = (Endpoint::Unix("/run/s"), FORWARD, SESSION);
    let (millis, received, sent) = (1, 2, 3);
    let refused = |max_connections_per_user| {
        let mut settings = LimitSettings { max_connections_per_user, ..Default::default() };
        settings.startups.begin = 1;
        settings.startups.full = 1;
        let mut limits = Limits::new(settings);
        let mut ticket = limits.admit(0, None, 0).unwrap();
        let refusal = limits.admit(0, None, 0).unwrap_err();
        limits.authenticated(&mut ticket, user).err().unwrap_or(refusal)
    };
    let (door, user_limit) = (refused(None), refused(Some(0)));
    let block = BlockSizes { v4: 32, v6: 128 }.of([10, 0, 0, 1].into());
    let (offence, limit, dropped) = (Offence::NoAuth, "MaxStartups", 1);
    for notice in [
        Notice::Throttling { limit },
        Notice::StillThrottling { limit, millis, dropped },
        Notice::ThrottlingOver { limit, millis, dropped },
        Notice::Penalised { block, offence, millis, change: Change::New },
        Notice::NotPenalised { block, offence },
    ] {
        tell(&Event::Limit(&notice));
    }
    for event in [
        Event::ServerListening { at },
        Event::ServerReloaded { connections: 1 },
        Event::ServerStopping { signal: 15, connections: 1 },
        Event::ConnectionOpened { peer },
        closed(User::Nobody, Close::Eof),
        closed(User::LoggedIn(user), Close::Disconnect { code: 11, text: "" }),
        closed(User::Invalid(user), Close::Disconnect { code: 11, text: "" }),
        Event::ConnectionRefused { peer, refusal: &door },
        Event::ConnectionRefused { peer, refusal: &user_limit },
        Event::UserInvalid { peer, user },
        Event::UserRefused { peer, user, reason },
        Event::RootRefused { peer },
        Event::KeyRefused { peer, user, reason },
        Event::LoginAccepted { peer, user, method, key },
        Event::LoginPartial { peer, user, method, key },
        Event::LoginFailed {
            peer,
            user,
            valid: true,
            method,
            key,
            failures: 1,
            allowed: 6,
            reason: Some(reason),
        },
        Event::LoginExceeded { peer, user, valid: true },
        Event::ForwardClosed { peer, user, forward, millis, received, sent, reason },
        Event::ForwardRefused { peer, user, forward, reason },
        Event::ForwardFailed { peer, user, forward, reason },
        Event::ListenerStarted { peer, user, at },
        Event::ListenerEnded { peer, user, at, millis, connections: 1, reason },
        Event::ListenerTakenOver { peer, user, at, from: 1 },
        Event::ListenerRefused { peer, user, at, reason },
        Event::SessionStarted { peer, user, session },
        Event::SessionEnded {
            peer,
            user,
            session,
            status: Some(1),
            signal: Some("TERM"),
            reason: Some(reason),
            millis,
        },
    ] {
        tell(&event);
    }
}

/// The names of an object's members; no value here has a quote or a comma in it.
fn members(line: &str) -> Vec<&str> {
    line.trim_matches(['{', '}'])
        .split(",\"")
        .map(|member| member.trim_start_matches('"').split_once("\":").unwrap().0)
        .collect()
}

#[test]
fn the_page_lists_every_event_with_its_fields() {
    let page = include_str!("../../../../../docs/layers/operations.md");
    let mut seen = std::collections::BTreeSet::new();
    every_event(&mut |event| {
        let line = json(event);
        let name = line.split_once("\"event\":\"").unwrap().1.split_once('"').unwrap().0;
        let row = page.lines().find(|row| row.starts_with(&format!("| `{name}` |")));
        let fields = row.and_then(|row| row.rsplit('|').nth(1)).unwrap_or_else(|| panic!("{name}"));
        let fields: Vec<_> = fields.split([' ', '*', ';']).collect();
        for member in members(&line) {
            let of_all = ["time", "level", "event", "message"].contains(&member);
            assert!(of_all || fields.contains(&member), "{name}: {member}");
        }
        seen.insert(name.to_owned());
    });
    let documented = page.lines().filter(|row| {
        row.starts_with("| `") && row.contains("` | INFO")
            || row.starts_with("| `") && row.contains("` | VERBOSE")
            || row.starts_with("| `") && row.contains("` | ERROR")
    });
    assert_eq!(documented.count(), seen.len());
}

#[test]
fn what_stands_behind_sshds_words_is_never_in_front_of_an_end_somebody_looks_for() {
    // fail2ban's filter holds the end of these lines.
    for event in [
        Event::UserInvalid { peer: peer(), user: "x" },
        Event::UserRefused { peer: peer(), user: "x", reason: "not listed in AllowUsers" },
        Event::RootRefused { peer: peer() },
        Event::LoginExceeded { peer: peer(), user: "x", valid: true },
        closed(User::Nobody, Close::Eof),
        closed(User::Authenticating("x"), Close::Reset),
        closed(User::Invalid("x"), Close::GraceExceeded),
    ] {
        let line = text(&event);
        assert!(!line.contains('='), "{line}");
    }
}

proptest! {
    #[test]
    fn whatever_a_peer_sends_stays_in_its_place(user in any::<String>()) {
        let line = json(&Event::UserInvalid { peer: peer(), user: &user });
        let mut rest = line.split_once("\"user\":\"").unwrap().1.chars();
        while let Some(c) = rest.next() {
            match c {
                '"' => break,
                '\\' => prop_assert!(matches!(rest.next(), Some('"' | '\\'))),
                c => prop_assert!(!c.is_control()),
            }
        }
        prop_assert_eq!(rest.as_str(), ",\"connection\":7}");

        let event = Event::ListenerRefused {
            peer: peer(), user: "u", at: Endpoint::Unix(&user), reason: "no",
        };
        let line = text(&event);
        prop_assert!(!line.chars().any(char::is_control));
        prop_assert!(line.ends_with(" reason=no"));
    }
}
