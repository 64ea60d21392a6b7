//! Lines and settings that are refused, in sshd's words, and whatever text there may be.
//! Touches: texts in memory.   Never: the system's configuration.
//! Invariants: all that is wrong is told, and no text is more than refused.
//! Errors: a failed test.   Allocates: freely.
//! Proved by: itself.

use super::*;
use proptest::prelude::*;

#[test]
fn wrong_lines_are_refused_in_sshd_words() {
    for (line, words) in [
        ("Foo 1", "c: line 1: Bad configuration option: Foo"),
        ("Foo", "c line 1: no argument after keyword \"Foo\""),
        ("Banner", "c line 1: no argument after keyword \"Banner\""),
        ("Banner 'a", "c line 1: invalid quotes"),
        ("Port x", "c line 1: Badly formatted port number."),
        ("Port 0", "c line 1: Badly formatted port number."),
        ("Port 22 33", "c line 1: keyword Port extra arguments at end of line"),
        ("\nPort x", "c line 2: Badly formatted port number."),
        ("ListenAddress a:b", "c line 1: bad port number"),
        ("ListenAddress [::1", "c line 1: bad address:port usage"),
        ("ListenAddress :22", "c line 1: bad address:port usage"),
        ("ListenAddress ::1 x", "c line 1: bad ListenAddress syntax"),
        ("LoginGraceTime x", "c line 1: invalid time value."),
        ("ClientAliveInterval none", "c line 1: invalid time value."),
        ("MaxAuthTries x", "c line 1: MaxAuthTries integer value invalid."),
        ("MaxSessions -1", "c line 1: MaxSessions integer value too small."),
        ("maxsessions 2147483648", "c line 1: maxsessions integer value too large."),
        ("StrictModes true", "c line 1: unsupported option \"true\"."),
        ("GatewayPorts x", "c line 1: unsupported option \"x\"."),
        ("PermitRootLogin x", "c line 1: unsupported option \"x\"."),
        ("LogLevel x", "c line 1: unsupported log level 'x'"),
        ("SyslogFacility x", "c line 1: unsupported log facility 'x'"),
        ("MACs zz", "c line 1: Bad SSH2 mac spec 'zz'."),
        ("Ciphers zz", "c line 1: Bad SSH2 cipher spec 'zz'."),
        ("KexAlgorithms zz", "c line 1: Bad SSH2 KexAlgorithms 'zz'."),
        ("HostKeyAlgorithms zz", "c line 1: Bad key types 'zz'."),
        ("FingerprintHash x", "c line 1: Invalid FingerprintHash algorithm \"x\"."),
        ("IPQoS x", "c line 1: Bad IPQoS value: x"),
        ("RekeyLimit x", "c line 1: Bad RekeyLimit number 'x': Invalid argument"),
        ("RekeyLimit 1", "c line 1: RekeyLimit too small"),
        ("StreamLocalBindMask 9", "c line 1: Invalid StreamLocalBindMask."),
        ("MaxStartups 10:x", "c line 1: Invalid MaxStartups spec."),
        ("MaxStartups 10:0:20", "c line 1: Invalid MaxStartups spec."),
        ("MaxStartups 30:10:20", "c line 1: Invalid MaxStartups spec."),
        ("MaxStartups 0", "c line 1: Invalid MaxStartups spec."),
        ("PerSourceNetBlockSize 33", "c line 1: Invalid PerSourceNetBlockSize spec."),
        ("PerSourceMaxStartups x", "c line 1: PerSourceMaxStartups integer value invalid."),
        (
            "PerSourcePenalties yes min:1",
            "c line 1: keyword PerSourcePenalties \"yes\" argument must appear alone.",
        ),
        ("PerSourcePenalties foo:1", "c line 1: unsupported PerSourcePenalties keyword foo:1"),
        ("PerSourcePenalties foo", "c line 1: unsupported PerSourcePenalties keyword foo"),
        (
            "PerSourcePenalties overflow:x",
            "c line 1: unsupported PerSourcePenalties keyword overflow:x",
        ),
        ("PerSourcePenalties min:x", "c line 1: invalid PerSourcePenalties time value."),
        ("PerSourcePenalties min:1.", "c line 1: invalid PerSourcePenalties time value."),
        ("PerSourcePenalties max-sources4:x", "c line 1: PerSourcePenalties value invalid."),
        (
            "PerSourcePenaltyExemptList 10.0.0.1/8",
            "c line 1: keyword PerSourcePenaltyExemptList invalid address argument.",
        ),
        ("PermitOpen x", "c line 1: PermitOpen bad port number"),
        ("PermitOpen a:1 any", "c line 1: any must appear alone on a PermitOpen line."),
        ("PermitListen x", "c line 1: PermitListen bad port number"),
        ("AuthenticationMethods foo", "c line 1: invalid AuthenticationMethods method list."),
        (
            "AuthenticationMethods any publickey",
            "c line 1: \"any\" must appear alone in AuthenticationMethods",
        ),
        (
            "AuthenticationMethods hostbased",
            "c line 1: AuthenticationMethods \"hostbased\": host-based authentication is not supported",
        ),
        ("AuthorizedKeysCommand x", "c line 1: AuthorizedKeysCommand must be an absolute path"),
        (
            "AuthorizedKeysFile none b",
            "c line 1: keyword AuthorizedKeysFile \"none\" argument must appear alone.",
        ),
        ("AllowUsers a@10.0.0.1/8", "c line 1: invalid AllowUsers pattern: \"a@10.0.0.1/8\""),
        ("AllowUsers #", "c line 1: no AllowUsers specified"),
        ("AllowGroups \"\"", "c line 1: empty AllowGroups pattern"),
        ("AcceptEnv A=b", "c line 1: Invalid environment name."),
        ("SetEnv A", "c line 1: Invalid environment."),
        ("PubkeyAuthOptions x", "c line 1: unsupported PubkeyAuthOptions option x"),
        ("ChannelTimeout x", "c line 1: invalid channel timeout x"),
        ("ChannelTimeout session=x", "c line 1: invalid channel timeout session=x"),
        ("Subsystem x", "c line 1: Subsystem missing argument."),
        ("VersionAddendum # x", "c line 1: VersionAddendum missing argument."),
        ("Role x", "c line 1: unsupported option \"x\"."),
        ("MemoryLimit 1", "c line 1: MemoryLimit too small: at least 1M"),
        ("MemoryLimit x", "c line 1: Bad MemoryLimit number 'x': Invalid argument"),
        ("Loops 0", "c line 1: Loops integer value too small."),
        ("Loops 9999", "c line 1: Loops integer value too large."),
        ("MaxConnections x", "c line 1: MaxConnections integer value invalid."),
        ("Match", "c line 1: no argument after keyword \"Match\""),
        ("Match User", "c line 1: Bad Match condition: Missing Match criteria for User"),
        ("Match User=", "c line 1: Bad Match condition: Missing Match criteria for User"),
        ("Match foo bar", "c line 1: Bad Match condition: Unsupported Match attribute foo"),
        (
            "Match all User x",
            "c line 1: Bad Match condition: 'all' cannot be combined with other Match attributes",
        ),
        (
            "Match Address 10.0.0.1/8",
            "c line 1: Bad Match condition: Invalid address argument '10.0.0.1/8'",
        ),
        ("Match LocalPort x", "c line 1: Bad Match condition: Invalid LocalPort 'x' on Match line"),
        ("Match #", "c line 1: Bad Match condition: One or more attributes required for Match"),
        ("Include \"\"", "c line 1: keyword Include empty argument"),
    ] {
        assert_eq!(error(line), words, "{line}");
    }
}

#[test]
fn all_errors_of_all_files_are_reported() {
    let errors = load_files(&[
        (
            "/etc/ssh/sshd_config",
            "Foo 1\nPort 22\nInclude x\nPort y\nMatch User a\nBanner none\nPort 1",
        ),
        ("/etc/ssh/x", "StrictModes maybe\n"),
    ])
    .unwrap_err();
    assert_eq!(
        errors,
        [
            "/etc/ssh/sshd_config: line 1: Bad configuration option: Foo",
            "/etc/ssh/x line 1: unsupported option \"maybe\".",
            "/etc/ssh/x: terminating, 1 bad configuration options",
            "/etc/ssh/sshd_config line 4: Badly formatted port number.",
            "/etc/ssh/sshd_config line 7: Directive 'Port' is not allowed within a Match block",
            "/etc/ssh/sshd_config: terminating, 3 bad configuration options",
        ]
    );
}

#[test]
fn the_command_line_has_errors_of_its_own() {
    for (line, words) in [
        ("foo=1", "command-line: line 0: Bad configuration option: foo"),
        ("Port=x", "command-line line 0: Badly formatted port number."),
        ("Include=x", "Include directive not supported as a command-line option"),
        ("Match all", "Match directive not supported as a command-line option"),
    ] {
        assert_eq!(load_with(&[], &[line]).unwrap_err(), [words]);
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let errors =
        ServerConfig::load(Some(Path::new("/nonexistent/x")), &[], &ALGORITHMS).unwrap_err();
    let words: Vec<_> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(words, ["/nonexistent/x: No such file or directory"]);
}

#[test]
fn settings_that_cannot_work_together_are_refused() {
    for (text, words) in [
        (
            "AuthorizedKeysCommand /bin/keys",
            "AuthorizedKeysCommand set without AuthorizedKeysCommandUser",
        ),
        (
            "AuthorizedPrincipalsCommand /bin/p\nAuthorizedPrincipalsCommandUser none",
            "AuthorizedPrincipalsCommand set without AuthorizedPrincipalsCommandUser",
        ),
        (
            "AuthenticationMethods publickey,password\nPasswordAuthentication no",
            "AuthenticationMethods cannot be satisfied by enabled authentication methods",
        ),
    ] {
        assert_eq!(load(text).unwrap_err(), [words], "{text}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "(.{0,40}\n){0,6}") {
        let _ = load(&text);
    }

    #[test]
    fn any_value_of_any_keyword_is_read_or_refused_and_then_shown(
        at in 0..KEYWORDS.len(),
        value in "[-+^!a-z0-9:/*@\\[\\]\"' #%$.,=]{0,20}",
        in_block: bool,
    ) {
        let block = if in_block { "Match User a*\n" } else { "" };
        if let Ok(config) = load(&format!("{block}{} {value}", KEYWORDS[at].name)) {
            let ada = config.options(&ADA);
            let _ = (ada.dump(), ada.listen_on(), ada.lets_in(&ADA).is_ok(), ada.penalties());
        }
    }

    #[test]
    fn any_condition_is_read_or_refused_and_then_decided(words in "[a-zA-Z=,!*./: 0-9-]{0,40}") {
        if let Ok(config) = load(&format!("Match {words}\nMaxSessions 1")) {
            let _ = config.options(&ADA);
        }
    }

    #[test]
    fn the_first_of_the_lines_wins_and_blocks_before_all(
        lines in prop::collection::vec((0u32..50, prop::option::of(any::<bool>())), 1..8),
    ) {
        // None: for everybody, before the blocks; Some: a block that applies or not.
        let mut text = String::new();
        for (value, _) in lines.iter().filter(|line| line.1.is_none()) {
            text.push_str(&format!("MaxSessions {value}\n"));
        }
        for (value, applies) in lines.iter().filter_map(|line| Some((line.0, line.1?))) {
            let user = if applies { "ada" } else { "bob" };
            text.push_str(&format!("Match User {user}\nMaxSessions {value}\n"));
        }
        let block = lines.iter().find(|line| line.1 == Some(true));
        let global = lines.iter().find(|line| line.1.is_none());
        let expected = block.or(global).map_or(10, |line| line.0);
        prop_assert_eq!(load(&text).unwrap().options(&ADA).max_sessions, expected);
    }
}
