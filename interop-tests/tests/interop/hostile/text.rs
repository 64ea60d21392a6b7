//! What a peer says for people to read: nothing of it moves a cursor, changes a colour or begins a line of a log.

use super::{dialled, plain_server, to};
use adit_interop_tests::aditd::only_aditd;
use adit_testkit::{
    Script,
    script::{Offer, RawScript},
};
use adit_transport::Role;
use adit_wire::{
    Rest,
    auth::{UserauthBanner, UserauthRequest},
    transport::{Debug, Disconnect},
};

const FORGED: &str = "x\nAccepted publickey for root from 192.0.2.1";

/// No line of it may be the peer's.
fn assert_clean(text: &str, what: &str) {
    assert!(
        !text.contains('\u{1b}') && !text.contains('\u{7}') && !text.contains('\u{9b}'),
        "{what}: {text}"
    );
    let forged = text.lines().any(|line| line.starts_with("Accepted publickey for root from 192"));
    assert!(!forged, "{what}: {text}");
}

#[test]
fn a_user_name_is_quoted_in_the_servers_log() {
    if !only_aditd() {
        return;
    }
    let server = plain_server();
    let mut script = Script::at_login(to(&server));
    script.sends(&UserauthRequest {
        user_name: &format!("{FORGED}\u{1b}[2J"),
        service_name: "ssh-connection",
        method_name: "none",
        method: Rest(b""),
    });
    script.expects_number(51);
    drop(script);
    let line = server.log().wait_for("Invalid user ");
    assert!(line.contains("Accepted publickey for root"), "on the same line: {line}");
    assert_clean(&server.log().text(), "the log");
}

#[test]
fn a_clients_identification_and_goodbye_are_quoted_in_the_servers_log() {
    if !only_aditd() {
        return;
    }
    let server = plain_server();
    let mut script = RawScript::new(to(&server));
    script.sends_bytes(b"SSH-2.0-\x1b[31mred\x07\xff\x9b1m\r\n");
    script.sends_bytes(&[0, 0, 0, 12, 4, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    drop(script);
    let mut script = Script::at_login(to(&server));
    let description = format!("{FORGED}\u{1b}]0;title\u{7}\u{9b}2J");
    let description = description.as_bytes();
    script.sends(&Disconnect { reason_code: 11, description, language_tag: b"" });
    server.log().wait_for_nth("Received disconnect from", 2);
    assert_clean(&server.log().text(), "the log");

    let mut script = RawScript::new(to(&server));
    script.sends_bytes(b"\x1b[2JSSH\nAccepted publickey for root from 192.0.2.1\r\n");
    drop(script);
    server.log().wait_for("invalid SSH identification string");
    assert_clean(&server.log().text(), "the log");
}

#[test]
fn what_a_server_says_is_harmless_on_the_clients_terminal() {
    if !only_aditd() {
        return;
    }
    let evil = format!("{FORGED}\u{1b}[2J\u{1b}]0;title\u{7}\u{9b}2J\r\u{8}");
    for verbose in ["-vvv", "-q", "-4"] {
        let client = dialled(|client| client.arg(verbose));
        let mut script = RawScript::new(client.socket);
        script.sends_bytes(&[evil.replace(['\n', '\r'], "").as_bytes(), b"\r\n"].concat());
        script.sends_bytes(b"SSH-2.0-hostile\r\n");
        script.offers(Offer { kex: "\u{1b}[31m", ..Offer::default() });
        let finished = client.client.finish();
        assert_eq!(finished.code, Some(255));
        assert_clean(&finished.stderr, "before the keys");

        let client = dialled(|client| client.arg(verbose));
        let mut script = Script::at_login(client.socket);
        script.sends(&Debug { always_display: true, message: evil.as_bytes(), language_tag: b"" });
        script.sends(&UserauthBanner { message: evil.as_bytes(), language_tag: b"" });
        script.sends(&Disconnect {
            reason_code: 2,
            description: evil.as_bytes(),
            language_tag: b"",
        });
        let finished = client.client.finish();
        assert_eq!(finished.code, Some(255));
        // Lines of a banner are lines, as with ssh; what is in them is not.
        assert!(!finished.stderr.contains(['\u{1b}', '\u{7}', '\u{9b}', '\u{8}']), "{finished:?}");
        assert_eq!(finished.stdout, "");
    }
}

#[test]
fn a_list_of_names_that_are_none_is_refused() {
    if !only_aditd() {
        return;
    }
    let server = plain_server();
    let mut script = RawScript::identified(to(&server));
    script.offers(Offer { kex: "\u{1b}[31m", ..Offer::strict(Role::Server) });
    script.expects_disconnect(2, "bad KEXINIT message (20): malformed name-list");
}
