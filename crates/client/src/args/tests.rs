//! The command line, letter by letter, and the compatibility page held against the tables.

use super::*;
use adit_config::types::AddressFamily;
use adit_config::{AlgorithmSet, KEYWORDS, Status};
use proptest::prelude::*;

const SET: AlgorithmSet = AlgorithmSet { supported: &["one", "two"], default: &["one"] };

static ALGORITHMS: Algorithms =
    Algorithms { ciphers: SET, macs: SET, kex: SET, signatures: SET, ca_signatures: SET };

fn parse_words(words: &[&str]) -> Result<Invocation, ArgError> {
    parse(words.iter().map(OsString::from), &ALGORITHMS)
}

/// Arguments separated by single spaces.
fn connect(line: &str) -> (CommandLine, Options) {
    let words: Vec<&str> = line.split(' ').collect();
    match parse_words(&words) {
        Ok(Invocation::Connect(command_line)) => {
            let options = command_line.options.clone().with_defaults().unwrap();
            (*command_line, options)
        }
        other => panic!("{line}: {other:?}"),
    }
}

fn options(line: &str) -> Options {
    connect(line).1
}

fn error(words: &[&str]) -> String {
    parse_words(words).unwrap_err().to_string()
}

#[test]
fn letters_combine_and_arguments_may_be_attached() {
    for line in [
        "-fNT -p 2222 -l ada -oBatchMode=yes h",
        "-fNTp2222 -lada -o BatchMode=yes h",
        "h -fNT -p2222 -l ada -oBatchMode=yes",
        "-fN ada@h -Tp 2222 -oBatchMode=yes",
        "-fNT -oBatchMode=yes ssh://ada@h:2222",
    ] {
        let (command_line, options) = connect(line);
        assert_eq!((command_line.host.as_str(), command_line.command), ("h", None), "{line}");
        assert_eq!((options.port, options.user.as_deref()), (2222, Some("ada")), "{line}");
        assert_eq!(options.session_type, SessionType::None, "{line}");
        assert!(options.batch_mode && options.fork_after_authentication, "{line}");
        assert!(options.stdin_null, "{line}");
    }
}

#[test]
fn the_sandbox_is_there_unless_told_otherwise() {
    for (words, wanted) in [
        ("-N h", true),
        ("--no-sandbox -N h", false),
        ("-N h --no-sandbox", false),
        ("-N -- h --no-sandbox", true),
    ] {
        assert_eq!(connect(words).0.sandbox, wanted, "{words}");
    }
}

#[test]
fn options_also_stand_after_the_host_and_the_rest_is_the_command() {
    for (line, command, user) in [
        ("h -l ada cvs server", Some("cvs server"), Some("ada")),
        ("-l ada h rsync --server -e .", Some("rsync --server -e ."), Some("ada")),
        ("h -- -l ada", Some("-l ada"), None),
        ("-- h -l ada", Some("-l ada"), None),
        ("h -l ada -- ls -l", Some("ls -l"), Some("ada")),
        ("h ls -l ada", Some("ls -l ada"), None),
        ("h - x", Some("- x"), None),
    ] {
        let (command_line, options) = connect(line);
        assert_eq!(command_line.command.as_deref(), command, "{line}");
        assert_eq!(options.user.as_deref(), user, "{line}");
    }
}

#[test]
fn what_is_said_first_counts_for_user_and_port() {
    assert_eq!(options("-p 1 -p 2 -oPort=3 ssh://h:4").port, 1);
    assert_eq!(options("-oPort=3 -p 2 h").port, 3);
    assert_eq!(options("-l a b@h").user.as_deref(), Some("a"));
    assert_eq!(options("b@h -l a").user.as_deref(), Some("b"));
}

#[test]
fn flags_set_their_keywords() {
    assert_eq!(options("-4 h").address_family, AddressFamily::Inet);
    assert_eq!(options("-6 h").address_family, AddressFamily::Inet6);
    assert!(options("-g h").gateway_ports);
    assert!(options("-n h").stdin_null);
    assert_eq!(options("-b 10.0.0.1 h").bind_address.as_deref(), Some("10.0.0.1"));
    assert_eq!(options("-B eth0 h").bind_interface.as_deref(), Some("eth0"));
    assert_eq!(options("-c two h").ciphers, ["two"]);
    assert_eq!(options("-m ^two h").macs, ["two", "one"]);
    assert_eq!(options("-i a -i b h").identity_files, ["a", "b"]);
}

#[test]
fn verbosity_follows_the_last_letter() {
    for (line, level) in [
        ("h", LogLevel::Info),
        ("-q h", LogLevel::Quiet),
        ("-v h", LogLevel::Debug1),
        ("-vv h", LogLevel::Debug2),
        ("-v -v -v -v h", LogLevel::Debug3),
        ("-q -v h", LogLevel::Debug1),
        ("-v -q h", LogLevel::Quiet),
        ("-v -oLogLevel=ERROR h", LogLevel::Debug1),
        ("-oLogLevel=ERROR -q h", LogLevel::Quiet),
    ] {
        assert_eq!(options(line).log_level, level, "{line}");
    }
}

#[test]
fn forwards_accumulate_in_their_order() {
    let options = options("-L 1:h:1 -L2:h:2 -R 0:h:3 -R 4 -D 5 -L 1:h:1 h -L 6:h:6");
    let ports = |forwards: &[ForwardSpec]| {
        forwards.iter().map(|spec| spec.listen.to_string()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(ports(&options.local_forwards), "1 2 6");
    assert_eq!(ports(&options.remote_forwards), "0 4");
    assert_eq!(ports(&options.dynamic_forwards), "5");
}

#[test]
fn stdio_forwarding_implies_what_ssh_says() {
    let (command_line, options) = connect("-L 1:h:1 -W db:5432 h");
    let target = Target::Tcp { host: "db".into(), port: 5432 };
    assert_eq!(command_line.stdio_forward, Some(target));
    assert!(options.exit_on_forward_failure && options.local_forwards.is_empty());
    assert_eq!(options.session_type, SessionType::None);
    assert_eq!(command_line.check(&options), Ok(()));
    assert_eq!(error(&["-W", "a:1", "-W", "a:1", "h"]), "stdio forward already specified");
}

#[test]
fn files_are_named_and_not_opened() {
    let (command_line, _) = connect("-F none -E log h");
    assert_eq!(command_line.config_file, ConfigFile::None);
    assert_eq!(command_line.log_file.as_deref(), Some("log"));
    assert_eq!(connect("-F x h").0.config_file, ConfigFile::Named("x".into()));
    assert_eq!(connect("h").0.config_file, ConfigFile::Usual);
}

#[test]
fn harmless_letters_are_accepted() {
    for line in [
        "-a -x -k -q -C -4 -T h",
        "-2 -t -A -X -Y h",
        "-e none -S none -J none -I none -P tag h",
        "-x -oPermitLocalCommand=no -oClearAllForwardings=yes -oRemoteCommand=none -oRequestTTY=no -oControlMaster=no -oForwardAgent=no -- h sftp",
        "-C -oControlMaster=auto -oControlPersist=60s -oKbdInteractiveAuthentication=no -oConnectTimeout=10 -tt h",
    ] {
        connect(line);
    }
    for line in ["-A h", "-Y h", "-y h", "-F x h"] {
        let notes = connect(line).0.options.take_notes();
        assert_eq!((notes.len(), notes[0].level), (1, LogLevel::Info), "{line}");
    }
}

#[test]
fn letters_that_change_security_or_data_flow_are_refused() {
    for (words, text) in [
        (&["-w", "0:0", "h"][..], "Tunnel devices (-w) are not supported."),
        (&["-w", "none", "h"], "Tunnel devices (-w) are not supported."),
        (&["-K", "h"], "GSSAPI (-K) is not supported."),
        (&["-M", "h"], "Sharing connections (-M) is not supported yet."),
        (&["-S", "x", "h"], "Sharing connections (-S) is not supported yet."),
        (&["-O", "check", "h"], "Control commands (-O) are not supported yet."),
        (&["-G", "h"], "Printing the configuration (-G) is not supported yet."),
        (&["-1", "h"], "SSH protocol v.1 is no longer supported"),
        (
            &["-I", "x", "h"],
            "command-line line 0: PKCS11Provider \"x\": PKCS#11 tokens are not supported",
        ),
        (
            &["-J", "a", "h"],
            "command-line line 0: ProxyJump \"a\": jump hosts are not supported yet",
        ),
    ] {
        assert_eq!(error(words), text);
    }
}

#[test]
fn wrong_arguments_are_refused_in_ssh_words() {
    for (words, text) in [
        (&["-p", "99999", "h"][..], "Bad port '99999'"),
        (&["-p", "0", "h"], "Bad port '0'"),
        (&["-p", "65536", "h"], "Bad port '65536'"),
        (&["-p", "22x", "h"], "Bad port '22x'"),
        (&["-p", "", "h"], "Bad port ''"),
        (&["-c", "zz", "h"], "Unknown cipher type 'zz'"),
        (&["-m", "zz", "h"], "Unknown mac type 'zz'"),
        (&["-L", "0:a:1", "h"], "Bad local forwarding specification '0:a:1'"),
        (&["-R", "x", "h"], "Bad remote forwarding specification 'x'"),
        (&["-D", "x", "h"], "Bad dynamic forwarding specification 'x'"),
        (&["-W", "x", "h"], "Bad stdio forwarding specification 'x'"),
        (&["-o", "foo=1", "h"], "command-line: line 0: Bad configuration option: foo"),
        (&["-oPort=x", "h"], "command-line line 0: Bad port 'x'."),
        (&["--", "-h"], "hostname contains invalid characters"),
        (&["a b"], "hostname contains invalid characters"),
        (&["$(id)"], "hostname contains invalid characters"),
        (&["h\n"], "hostname contains invalid characters"),
        (&[""], "hostname contains invalid characters"),
        (&["a;b@h"], "remote username contains invalid characters"),
    ] {
        assert_eq!(error(words), text);
    }
}

#[test]
fn what_cannot_be_understood_shows_the_usage() {
    for (words, first) in [
        (&[][..], "usage: adit ["),
        (&["-l", "x"], "usage: adit ["),
        (&["-j"], "unknown option -- j\nusage: "),
        (&["-N\u{1b}", "h"], "unknown option -- \\u{1b}\nusage: "),
        (&["--nonsense", "h"], "unknown option -- -\nusage: "),
        (&["-x@h"], "unknown option -- @\nusage: "),
        (&["h", "-p"], "option requires an argument -- p\nusage: "),
        (&["ssh://h:0"], "usage: adit ["),
        (&["ssh://h:22/x"], "usage: adit ["),
    ] {
        let text = error(words);
        assert!(text.starts_with(first), "{words:?}: {text}");
    }
    assert!(usage().lines().all(|line| line.len() <= USAGE_WIDTH));
    assert!(usage().ends_with("destination [command]"));
}

#[test]
fn sessions_are_refused_until_they_are_there() {
    for (line, text) in [
        ("h", "Shells and remote commands are not supported yet: use -N to forward ports only."),
        ("h ls", "Shells and remote commands are not supported yet: use -N to forward ports only."),
        ("-f h", "Cannot fork into background without a command to execute."),
        ("-s h sftp", "Subsystems are not supported yet."),
    ] {
        let (command_line, options) = connect(line);
        assert_eq!(command_line.check(&options).unwrap_err().to_string(), text, "{line}");
    }
    for line in ["-N h", "-fN h", "-N h ignored", "-W a:1 h"] {
        let (command_line, options) = connect(line);
        assert_eq!(command_line.check(&options), Ok(()), "{line}");
    }
}

#[test]
fn version_and_queries_end_the_reading() {
    assert!(matches!(parse_words(&["-V", "-j"]), Ok(Invocation::Version)));
    assert!(matches!(parse_words(&["-NV"]), Ok(Invocation::Version)));
    assert!(matches!(parse_words(&["-Q", "mac"]), Ok(Invocation::Query(name)) if name == "mac"));
}

#[test]
fn queries_name_what_there_is() {
    let names = QueryNames {
        cipher: &["c", "d"],
        cipher_auth: &["c"],
        mac: &["m"],
        kex: &["k"],
        key_plain: &["p"],
        key_cert: &["p-cert"],
        sig: &["s"],
        sig_cert: &["s-cert"],
    };
    for (name, expected) in [
        ("cipher", vec!["c", "d"]),
        ("Ciphers", vec!["c", "d"]),
        ("cipher-auth", vec!["c"]),
        ("mac", vec!["m"]),
        ("kex", vec!["k"]),
        ("key", vec!["p", "p-cert"]),
        ("key-cert", vec!["p-cert"]),
        ("key-plain", vec!["p"]),
        ("key-sig", vec!["s", "s-cert"]),
        ("sig", vec!["s"]),
        ("hostkeyalgorithms", vec!["s", "s-cert"]),
        ("protocol-version", vec!["2"]),
        ("compression", vec!["none"]),
    ] {
        assert_eq!(query(name, &names), Ok(expected), "{name}");
    }
    for name in query("help", &names).unwrap() {
        assert!(query(name, &names).is_ok(), "{name}");
    }
    let error = query("x", &names).unwrap_err();
    assert_eq!(error.to_string(), "Unsupported query \"x\"");
}

#[test]
fn every_letter_of_ssh_has_exactly_one_row() {
    let letters: String = LETTERS.iter().map(|row| row.letter).collect();
    for letter in "46AaBbCcDEeFfGgIiJKkLlMmNnOoPpQqRSsTtVvWwXxYyZ".chars() {
        assert_eq!(letters.matches(letter).count(), 1, "{letter}");
    }
}

/// `there`, `no effect`, `not there`, …: a row of the page.
fn letter_line(row: &Letter) -> String {
    let status = match row.action {
        Action::Set([(keyword, value), ..]) => of_setting(keyword.row().status, value),
        Action::Say(keyword, _) | Action::Replace(keyword, _) => of_status(keyword.row().status),
        Action::Nothing(why) => format!("accepted, no effect: {why}"),
        Action::Refuse(None, why) => format!("refused: {why}"),
        Action::Refuse(Some(off), why) => format!("refused unless `{off}`: {why}"),
        Action::Missing(why) => format!("accepted with a warning: {why}"),
        Action::ConfigFile => {
            format!("`none` is there; else accepted with a warning: {NO_FILES}")
        }
        _ => "there".to_owned(),
    };
    let space = if row.argument.is_empty() { "" } else { " " };
    format!("| `-{}{space}{}` | {status} |", row.letter, row.argument)
}

fn of_setting(status: Status, value: &str) -> String {
    match status {
        Status::Missing { off, .. } if off.contains(&value) => "accepted: it is off".into(),
        Status::Missing { why, .. } => format!("accepted with a warning: {why}"),
        Status::Partly(_) if value == "none" => "there".into(),
        Status::Partly(_) => "not yet: there are no sessions".into(),
        status => of_status(status),
    }
}

fn of_status(status: Status) -> String {
    let codes =
        |off: &[&str]| off.iter().map(|off| format!("`{off}`")).collect::<Vec<_>>().join(", ");
    match status {
        Status::Honoured => "there".to_owned(),
        Status::Partly(why) => why.to_owned(),
        Status::WithoutEffect(why) => format!("accepted, no effect: {why}"),
        Status::Missing { off, why } => {
            format!("accepted with a warning unless {}: {why}", codes(off))
        }
        Status::Refused { off, why } => format!("refused unless {}: {why}", codes(off)),
        Status::FilesOnly(_) => format!("not yet: {NO_FILES}"),
        Status::Deprecated => "ignored, as by OpenSSH".to_owned(),
    }
}

fn keyword_line(row: &adit_config::Row) -> String {
    let codes = row.aliases.iter().map(|alias| format!("`{alias}`")).collect::<Vec<_>>();
    format!("| `{}` | {} | {} |", row.name, codes.join(", "), of_status(row.status))
}

fn page_section(heading: &str, lines: impl Iterator<Item = String>) -> String {
    let mut lines: Vec<String> = lines.collect();
    lines.sort_by_key(|line| line.to_ascii_lowercase());
    format!("{heading}\n{}\n", lines.join("\n"))
}

#[test]
fn the_compatibility_page_says_what_the_tables_say() {
    let letters = page_section("| option | here |\n|---|---|", LETTERS.iter().map(letter_line));
    let keywords =
        page_section("| keyword | also | here |\n|---|---|---|", KEYWORDS.iter().map(keyword_line));
    let page = include_str!("../../../../docs/COMPATIBILITY.md");
    for section in [letters, keywords] {
        assert!(page.contains(&section), "docs/COMPATIBILITY.md should hold:\n{section}");
    }
}

proptest! {
    #[test]
    fn any_words_are_taken_or_refused(words in prop::collection::vec("-?[-A-Za-z0-9=:/@ ]{0,8}|.{0,8}", 0..6)) {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        if let Err(error) = parse_words(&words) {
            prop_assert!(!error.to_string().is_empty());
        }
    }
}
