//! Command lines of `aditd` held against what they mean; errors name the option.

use super::*;

fn parse(line: &str) -> Result<Args, ArgError> {
    Args::parse(line.split_whitespace().map(Into::into))
}

fn args(line: &str) -> Args {
    parse(line).unwrap()
}

fn refusal(line: &str) -> (String, u8) {
    let error = parse(line).unwrap_err();
    (error.to_string().lines().next().unwrap_or_default().to_owned(), error.status)
}

#[test]
fn without_arguments_the_system_configuration_is_served_in_the_background() {
    let args = args("");
    assert_eq!(args.action, Action::Serve);
    assert_eq!(args.config_file, Some(DEFAULT_FILE.into()));
    assert_eq!((args.foreground, args.inetd, args.debug), (false, false, 0));
    assert_eq!(args.log_to, LogTo::Syslog);
    assert!(args.overrides.is_empty() && args.notes.is_empty());
}

#[test]
fn letters_become_lines_of_configuration() {
    for (line, overrides) in [
        ("-p 2222", vec!["Port 2222"]),
        ("-p2222 -p 22", vec!["Port 2222", "Port 22"]),
        ("-o MaxSessions=3 -o Banner=none", vec!["MaxSessions=3", "Banner=none"]),
        ("--no-sandbox", vec!["Sandbox no"]),
        ("-4", vec!["AddressFamily inet"]),
        ("-6", vec!["AddressFamily inet6"]),
        ("-h /etc/key", vec!["HostKey \"/etc/key\""]),
        (r#"-h /a"b\c"#, vec![r#"HostKey "/a\"b\\c""#]),
        ("-h none", vec!["HostKey \"none\""]),
        ("-c /etc/cert", vec!["HostCertificate \"/etc/cert\""]),
        ("-g 2m", vec!["LoginGraceTime 2m"]),
    ] {
        assert_eq!(args(line).overrides, overrides, "{line}");
    }
    assert_eq!(args("-p 2222 -p 22").ports, [2222, 22]);
    let here = std::env::current_dir().unwrap();
    assert_eq!(args("-h key").overrides, [format!("HostKey \"{}/key\"", here.display())]);
}

#[test]
fn letters_may_stand_together_and_the_last_one_take_an_argument() {
    let args = args("-Def /x -ddd");
    assert_eq!((args.foreground, args.debug), (true, 3));
    assert_eq!((args.log_to, args.config_file), (LogTo::Stderr, Some("/x".into())));
    assert_eq!(super::Args::parse(["-Dep2222".into()]).unwrap().ports, [2222]);
}

#[test]
fn what_to_do_is_told_by_a_letter_or_a_word() {
    for (line, action) in [
        ("-t", Action::Test),
        ("-T", Action::Dump),
        ("-tT", Action::Dump),
        ("-Tt", Action::Dump),
        ("-G", Action::Print),
        ("-V", Action::Version),
        ("--help", Action::Help),
        ("--init /x", Action::Init("/x".into())),
        ("--init=/x -p 2200", Action::Init("/x".into())),
    ] {
        assert_eq!(args(line).action, action, "{line}");
    }
}

#[test]
fn debugging_stays_in_the_foreground_and_logs_where_it_was_told_to() {
    for (line, level) in [
        ("", None),
        ("-q", Some(LogLevel::Quiet)),
        ("-d", Some(LogLevel::Debug1)),
        ("-dd", Some(LogLevel::Debug2)),
        ("-d -d -d -d", Some(LogLevel::Debug3)),
        ("-qd", Some(LogLevel::Debug1)),
    ] {
        assert_eq!(args(line).log_level(), level, "{line}");
    }
    assert_eq!(args("-o LogLevel=ERROR -dd").overrides, ["LogLevel DEBUG2", "LogLevel=ERROR"]);
    assert_eq!(args("-d").log_to, LogTo::Stderr);
    assert_eq!(args("-d -E /log").log_to, LogTo::File("/log".into()));
    assert_eq!(args("-E /log -de").log_to, LogTo::File("/log".into()));
    assert!(args("-d").foreground && args("-i").inetd);
}

#[test]
fn no_file_is_read_when_none_is_named() {
    assert_eq!(args("-f none").config_file, None);
}

#[test]
fn a_connection_is_described_for_the_test_mode() {
    let spec =
        args("-T -C user=ada,addr=192.0.2.1,host=pi.example,laddr=::1,lport=2222,invalid-user");
    let expected = ConnectionSpec {
        user: Some("ada".into()),
        invalid_user: true,
        host: Some("pi.example".into()),
        address: Some("192.0.2.1".parse().unwrap()),
        local_address: Some("::1".parse().unwrap()),
        local_port: Some(2222),
    };
    assert_eq!(spec.connection, Some(expected.clone()));
    let two =
        args("-G -C user=ada,addr=192.0.2.1,host=pi.example -C laddr=::1,lport=2222,invalid-user");
    assert_eq!(two.connection, Some(expected));
}

#[test]
fn letters_of_former_times_are_mentioned_when_debugging() {
    let args = args("-u 0 -Q -b 1024");
    assert_eq!(args.notes.len(), 3);
    assert!(args.notes.iter().all(|(level, _)| *level == LogLevel::Debug1));
    assert_eq!(args.notes[0].1, "-u has no effect: no names are written to utmp");
}

#[test]
fn wrong_arguments_are_refused_in_sshd_words() {
    for (line, words, status) in [
        ("-Z", "unknown option -- Z", 1),
        ("-DZ", "unknown option -- Z", 1),
        ("--nope", "unknown option -- nope", 1),
        ("--help=x", "unknown option -- help", 1),
        ("-f", "option requires an argument -- f", 1),
        ("--init", "option requires an argument -- init", 1),
        ("-p x", "Bad port number.", 1),
        ("-p 0", "Bad port number.", 1),
        ("-g x", "Invalid login grace time.", 1),
        ("extra", "Extra argument extra.", 1),
        ("-D extra", "Extra argument extra.", 1),
        ("-- extra", "Extra argument extra.", 1),
        ("-", "Extra argument -.", 1),
        ("-T -C foo=1", "Invalid test mode specification foo=1", 1),
        ("-T -C addr=x", "Invalid test mode specification addr=x", 1),
        ("-T -C lport=x", "Invalid port 'x' in test mode specification lport=x", 1),
        (
            "-C user=a",
            "Config test connection parameter (-C) provided without test mode (-T or -G)",
            255,
        ),
    ] {
        assert_eq!(refusal(line), (words.into(), status), "{line}");
    }
}

#[test]
fn the_usage_follows_a_letter_that_is_unknown_and_nothing_else() {
    assert!(parse("-Z").unwrap_err().to_string().contains("usage: aditd [-46DdeGiqTtV]"));
    assert!(!parse("-p x").unwrap_err().to_string().contains("usage"));
    assert!(usage().lines().all(|line| line.len() <= USAGE_WIDTH));
}

#[test]
fn every_letter_that_does_something_is_in_the_help() {
    for row in LETTERS.iter().filter(|row| !row.help.is_empty()) {
        assert!(help().contains(&format!("  -{} {}", row.letter, row.argument)), "{}", row.letter);
    }
}

#[test]
fn arguments_must_be_text() {
    use std::os::unix::ffi::OsStringExt;
    let error = Args::parse([OsString::from_vec(vec![0xff])]).unwrap_err();
    assert_eq!(error.to_string(), "argument contains invalid characters");
}
