//! The time of day jumps by an hour, forwards and back, under both programs.

use super::{both_are_ours, by_link};
use adit_interop_tests::{
    aditd,
    carry::through_echo,
    ports::{connect, free_port},
    scratch::Scratch,
    service::Service,
    skip::skip,
};
use std::{
    fs,
    io::Read,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant, SystemTime},
};

const HOUR: i64 = 3600;

/// What the server gives whoever does not log in.
const GRACE: Duration = Duration::from_secs(3);

/// The library that tells a program another time of day; without it the test is skipped aloud.
fn library() -> Option<PathBuf> {
    let folders = fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let found = folders
        .map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"))
        .find(|library| library.is_file());
    if found.is_none() {
        skip("faketime is not installed");
    }
    found
}

/// How many seconds later it is for a program with these variables.
fn lead(variables: &[(&str, String)]) -> i64 {
    let output = Command::new("date").arg("+%s").envs(variables.iter().cloned()).output();
    let said = String::from_utf8(output.expect("date starts").stdout).expect("digits");
    let told: i64 = said.trim().parse().expect("seconds");
    let real = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    told - i64::try_from(real.as_secs()).expect("before the end of time")
}

#[test]
fn a_time_of_day_that_jumps_ends_nothing_and_puts_nothing_off() {
    if !both_are_ours() {
        return;
    }
    let Some(library) = library() else { return };
    let scratch = Scratch::new();
    let day = scratch.write("day", "+0");
    let variables = [
        ("LD_PRELOAD", library.display().to_string()),
        ("FAKETIME_TIMESTAMP_FILE", day.display().to_string()),
        ("FAKETIME_NO_CACHE", "1".into()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
    ];
    // In the sandbox the file with the time could not be read.
    let setup =
        ["ClientAliveInterval 1", "ClientAliveCountMax 2", "LoginGraceTime 3", "Sandbox no"]
            .into_iter()
            .fold(aditd::setup(), |setup, line| setup.line(line));
    let server =
        variables.iter().fold(setup, |setup, (name, value)| setup.env(name, value.clone())).start();
    let (echo, local) = (Service::echo(), free_port());
    let client = by_link(&server, server.endpoint.port)
        .arg("--no-sandbox")
        .args(["-L", &format!("127.0.0.1:{local}:127.0.0.1:{}", echo.port())]);
    let mut client = variables
        .iter()
        .fold(client, |client, (name, value)| client.env(name, value))
        .tunnel()
        .listening(local);
    through_echo(&mut connect(local), 10_000);
    for jump in [HOUR, -HOUR] {
        let mut silent = connect(server.endpoint.port);
        let since = Instant::now();
        fs::write(&day, format!("{jump:+}")).expect("our own file");
        assert!((lead(&variables) - jump).abs() < 60, "the library does as it is told");
        // Until it is put out, which is longer than a keepalive may stay without an answer.
        let _ = silent.read_to_end(&mut Vec::new());
        let waited = since.elapsed();
        assert!(waited > GRACE - Duration::from_secs(1), "put out after {waited:?}");
        assert!(waited < Duration::from_secs(30), "put out after {waited:?}");
        through_echo(&mut connect(local), 10_000);
        client.assert_runs();
    }
}
