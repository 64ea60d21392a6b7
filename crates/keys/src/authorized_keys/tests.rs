//! Lines held against keys and against certificates of ssh-keygen.

use std::fs;

use super::*;
use crate::public::PublicKeyLine;
use crate::testing::testdata;

/// 2020-06-01, when all certificates with dates are valid.
const NOW: u64 = 1_590_969_600;

fn text(name: &str) -> String {
    fs::read_to_string(testdata(&format!("{name}.pub"))).unwrap().trim().to_owned()
}

fn key(name: &str) -> PublicKey {
    PublicKey::decode(&PublicKeyLine::parse(text(name).as_bytes()).unwrap().blob).unwrap()
}

fn certificate(name: &str) -> PublicKey {
    key(&format!("certificate/{name}-cert"))
}

fn login<'a>() -> Login<'a> {
    Login {
        user: "ada",
        address: "192.0.2.7".parse().unwrap(),
        host: Some("client.example.org"),
        now: NOW,
        from_local: |local| local.checked_sub(7200),
        ca_algorithms: SignatureAlgorithm::ALL,
    }
}

fn found(login: &Login<'_>, key: &PublicKey, lines: &str) -> Found {
    search(login, key, "keys", &mut lines.as_bytes()).unwrap()
}

/// The refusals of a search that finds nothing, or where it found something.
fn judged(login: &Login<'_>, key: &PublicKey, lines: &str) -> Result<String, Vec<String>> {
    let found = found(login, key, lines);
    found.grants.map(|grants| grants.source).ok_or(found.refusals)
}

/// One line with options before the authority of the user certificates.
fn authority(options: &str) -> String {
    format!("{options} {}\n", text("certificate/user-ca"))
}

#[test]
fn a_key_is_found_with_and_without_options_in_its_line() {
    let ours = key("private/ed25519");
    let (line, other) = (text("private/ed25519"), text("private/p256"));
    for (lines, expected) in [
        (format!("{line}\n"), Ok(1)),
        (line.clone(), Ok(1)),
        (format!("\n# comment\n  #\n\t {line}\r\n"), Ok(4)),
        (format!("{other}\nrestrict {line}\n"), Ok(2)),
        (format!("no-pty,command=\"a b\\\" c\"\t {line}"), Ok(1)),
        (format!("{other}\n"), Err(vec![])),
        (format!("#{line}\n"), Err(vec![])),
        (format!("garbage\nssh-ed25519 AAAA\n{line}"), Ok(3)),
        (String::new(), Err(vec![])),
        // A space outside quotes ends the options.
        (format!("no-pty, command=\"a\" {line}"), Err(vec![])),
    ] {
        let expected = expected.map(|number: usize| format!("keys:{number}"));
        assert_eq!(judged(&login(), &ours, &lines), expected, "{lines}");
    }
}

#[test]
fn what_a_line_grants_is_what_its_options_leave() {
    let line = text("private/ed25519");
    let lines = format!(
        "restrict,port-forwarding,permitopen=\"db:5432\",permitlisten=\"8080\",command=\"/bin/date\",environment=\"A=1\" {line}"
    );
    let grants = found(&login(), &key("private/ed25519"), &lines).grants.unwrap();
    let expected = Grants {
        command: Some("/bin/date".to_owned()),
        environment: vec![("A".to_owned(), "1".to_owned())],
        permit_open: vec!["db:5432".to_owned()],
        permit_listen: vec!["8080".to_owned()],
        pty: false,
        agent_forwarding: false,
        x11_forwarding: false,
        user_rc: false,
        ..Grants::everything("keys:1")
    };
    assert_eq!(grants, expected);
}

#[test]
fn a_line_whose_options_cannot_be_obeyed_counts_for_nothing_and_says_why() {
    let (ours, line) = (key("private/ed25519"), text("private/ed25519"));
    let lines = format!(
        "no-such-option {line}\npermitopen=\"x\" {line}\nnonsense {}\n",
        text("private/p256")
    );
    let refusals = [
        "keys:1: bad key options: unknown key option \"no-such-option\"",
        "keys:2: bad key options: invalid permitopen value",
    ];
    assert_eq!(judged(&login(), &ours, &lines).unwrap_err(), refusals);
    // A later line may still let the key in.
    assert_eq!(judged(&login(), &ours, &format!("{lines}{line}")), Ok("keys:4".to_owned()));
    let many = format!("nonsense {line}\n").repeat(100);
    assert_eq!(judged(&login(), &ours, &many).unwrap_err().len(), MAX_REFUSALS);
}

#[test]
fn an_overlong_line_counts_for_nothing_and_the_next_one_is_read() {
    let (ours, line) = (key("private/ed25519"), text("private/ed25519"));
    let padded = |len: usize| format!("{line} {}", "x".repeat(len - line.len() - 1));
    assert_eq!(judged(&login(), &ours, &padded(MAX_LINE)), Ok("keys:1".to_owned()));
    assert_eq!(judged(&login(), &ours, &padded(MAX_LINE + 1)), Err(vec![]));
    let lines = format!("{}\n{line}\n", padded(3 * MAX_LINE));
    assert_eq!(judged(&login(), &ours, &lines), Ok("keys:2".to_owned()));
}

#[test]
fn a_key_from_elsewhere_or_after_its_time_is_refused() {
    let (ours, line) = (key("private/ed25519"), text("private/ed25519"));
    for (options, expected) in [
        ("from=\"192.0.2.0/24\"", None),
        ("from=\"*.example.org\"", None),
        (
            "from=\"198.51.100.0/24\"",
            Some(
                "Authentication tried for ada with correct key but not from a permitted host (host=client.example.org, ip=192.0.2.7, required=198.51.100.0/24)",
            ),
        ),
        ("from=\"192.0.2.1/8\"", Some("invalid from criteria")),
        ("expiry-time=\"20200601Z\"", None),
        ("expiry-time=\"20200531235959Z\"", Some("entry expired")),
        ("expiry-time=\"20200601020000\"", None),
        ("expiry-time=\"20200601015959\"", Some("entry expired")),
        ("principals=\"ada\"", Some("principals on non-CA key")),
    ] {
        let expected = match expected {
            None => Ok("keys:1".to_owned()),
            Some(reason) => Err(vec![format!("keys:1: {reason}")]),
        };
        assert_eq!(judged(&login(), &ours, &format!("{options} {line}")), expected, "{options}");
    }
}

#[test]
fn an_authority_logs_nobody_in_itself_and_a_plain_line_is_no_authority() {
    let lines = authority("cert-authority");
    assert_eq!(judged(&login(), &key("certificate/user-ca"), &lines), Err(vec![]));
    assert!(judged(&login(), &certificate("user-plain"), &lines).is_ok());
    assert_eq!(judged(&login(), &certificate("user-plain"), &authority("")), Err(vec![]));
    // The key inside a certificate is not what was shown.
    let plain = text("private/ed25519");
    assert_eq!(judged(&login(), &certificate("user-plain"), &plain), Err(vec![]));
    // And of another authority nothing is known.
    assert_eq!(judged(&login(), &certificate("user"), &lines), Err(vec![]));
}

#[test]
fn a_certificate_must_name_the_user_or_one_of_the_line_s_principals() {
    let lacks = "Certificate invalid: name is not a listed principal";
    for (name, user, options, refusal) in [
        ("user-plain", "ada", "cert-authority", None),
        ("user-plain", "grace", "cert-authority", None),
        ("user-plain", "eve", "cert-authority", Some(lacks)),
        ("user-plain", "eve", "cert-authority,principals=\"joe,grace\"", None),
        ("user-plain", "ada", "cert-authority,principals=\"joe\"", Some(lacks)),
        ("user-plain", "ada", "cert-authority,principals=\"ada,\"", None),
        ("user-plain", "ada", "cert-authority,principals=\"a*\"", Some(lacks)),
        ("user-wild", "ada", "cert-authority", Some(lacks)),
        ("user-nameless", "ada", "cert-authority", Some("Certificate lacks principal list")),
        (
            "user-nameless",
            "ada",
            "cert-authority,principals=\"ada\"",
            Some("Certificate lacks principal list"),
        ),
    ] {
        let login = Login { user, ..login() };
        match (judged(&login, &certificate(name), &authority(options)), refusal) {
            (Ok(source), None) => {
                assert!(source.starts_with("keys:1 (ID \"user-plain\""), "{source}")
            }
            (Err(refusals), Some(refusal)) => {
                assert!(refusals[0].ends_with(&format!(": {refusal}")), "{refusals:?}");
                assert!(refusals[0].starts_with("keys:1: Refusing certificate ID"), "{refusals:?}");
            }
            (other, _) => panic!("{name} {user} {options}: {other:?}"),
        }
    }
}

#[test]
fn a_certificate_and_its_authority_s_line_both_narrow_what_is_granted() {
    let granted = |name: &str, options: &str| {
        let lines = authority(&format!("cert-authority{options}"));
        found(&login(), &certificate(name), &lines).grants
    };
    let full = granted("user-full", "").unwrap();
    assert_eq!(full.command.as_deref(), Some("/bin/date"));
    assert!(full.verify_required && full.touch_required && full.pty);
    assert_eq!(granted("user-full", ",command=\"/bin/date\""), Some(full));
    assert_eq!(granted("user-full", ",command=\"/bin/sh\""), None);
    let forwards = granted("user-forwards", ",permitopen=\"db:5432\"").unwrap();
    assert_eq!(
        (forwards.port_forwarding, forwards.pty, forwards.agent_forwarding, forwards.user_rc),
        (true, false, false, false)
    );
    assert_eq!(forwards.permit_open, ["db:5432"]);
    assert!(!granted("user-forwards", ",restrict").unwrap().port_forwarding);
    assert!(!granted("user-clear", "").unwrap().port_forwarding);
    assert!(granted("user-untouched", "").unwrap().touch_required);
    assert!(!granted("user-untouched", ",no-touch-required").unwrap().touch_required);
}

#[test]
fn principals_files_name_who_may_come_with_what_options() {
    let look = |name: &str, lines: &str| {
        let key = certificate(name);
        let certificate = key.certificate().unwrap();
        let found = search_principals(&login(), certificate, "names", &mut lines.as_bytes());
        let found = found.unwrap();
        found.grants.ok_or(found.refusals)
    };
    assert!(look("user-plain", "ada\n").is_ok());
    assert!(look("user-plain", "# comment\n\n  grace # who\n").is_ok());
    let grants = look("user-plain", "joe\nno-pty,command=\"a b\" \t grace\n").unwrap();
    assert_eq!((grants.pty, grants.command.as_deref()), (false, Some("a b")));
    assert!(grants.source.starts_with("names:2 ("), "{}", grants.source);
    assert_eq!(look("user-plain", "joe\nADA\na*\n"), Err(vec![]));
    assert_eq!(look("user-nameless", "ada\n"), Err(vec![]));
    for (line, reason) in [
        ("nonsense ada", "bad principals options: unknown key option \"nonsense\""),
        ("cert-authority ada", "cert-authority flag invalid here"),
        ("expiry-time=\"20200101Z\" ada", "entry expired"),
    ] {
        assert_eq!(look("user-plain", line), Err(vec![format!("names:1: {reason}")]));
    }
    let dated = look("user-dated", "ada").unwrap();
    assert!(dated.pty);
}

#[test]
fn lines_that_cannot_be_read_let_nobody_in() {
    struct Broken;
    impl io::Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("disk on fire"))
        }
    }
    let line = format!("{}\n", text("private/p256"));
    let mut lines = io::BufReader::new(io::Read::chain(line.as_bytes(), Broken));
    assert!(search(&login(), &key("private/ed25519"), "keys", &mut lines).is_err());
}
