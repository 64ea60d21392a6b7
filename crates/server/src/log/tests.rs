//! Tests of the log as a whole: destinations, levels, formats.
use super::*;
use std::net::SocketAddr;
use std::path::Path;

fn peer() -> Peer {
    let end = |text: &str| text.parse::<SocketAddr>().ok();
    Peer { connection: 7, remote: end("192.0.2.1:50022"), local: end("198.51.100.9:22") }
}

fn listened() -> Event<'static> {
    Event::ServerListening { at: Endpoint::Address("0.0.0.0:22".parse().unwrap()) }
}

/// A directory of this test's own, gone with it.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("aditd-log-{}-{name}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn read(path: &Path) -> Vec<String> {
    std::fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn a_level_writes_itself_and_what_is_more_important() {
    let (log, lines) = Log::captured(LogLevel::Info, Format::Text);
    log.fatal(format_args!("one"));
    log.error(format_args!("two"));
    log.info(format_args!("three"));
    log.say(LogLevel::Verbose, format_args!("four"));
    log.debug(format_args!("five"));
    assert_eq!(lines.lines(), ["one", "two", "three"]);
}

#[test]
fn a_quiet_log_says_nothing_at_all() {
    let (log, lines) = Log::captured(LogLevel::Quiet, Format::Text);
    log.fatal(format_args!("one"));
    log.event(&listened());
    assert!(lines.lines().is_empty());
}

#[test]
fn a_level_of_its_own_is_the_handles_alone() {
    let (log, lines) = Log::captured(LogLevel::Info, Format::Text);
    let curious = log.with_level(LogLevel::Debug1);
    log.debug(format_args!("no"));
    curious.debug(format_args!("yes"));
    log.configure(LogLevel::Quiet, Format::Text);
    log.info(format_args!("no"));
    curious.debug(format_args!("still"));
    assert_eq!(lines.lines(), ["debug1: yes", "debug1: still"]);
}

#[test]
fn words_are_not_made_when_nobody_reads_them() {
    struct Costly;
    impl fmt::Display for Costly {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("made")
        }
    }
    let (log, _lines) = Log::captured(LogLevel::Info, Format::Json);
    log.debug(format_args!("{Costly}"));
}

#[test]
fn a_reload_changes_level_and_format_of_every_handle() {
    let (log, lines) = Log::captured(LogLevel::Info, Format::Text);
    let other = log.clone();
    log.configure(LogLevel::Error, Format::Json);
    other.info(format_args!("no"));
    other.error(format_args!("yes"));
    let [line] = &lines.lines()[..] else { panic!() };
    assert!(line.starts_with(r#"{"time":""#));
    assert!(line.ends_with(r#"Z","level":"error","event":"message","message":"yes"}"#), "{line}");
}

#[test]
fn a_file_is_appended_to_with_time_program_and_process() {
    let scratch = Scratch::new("file");
    let path = scratch.0.join("log");
    std::fs::write(&path, "before\n").unwrap();
    let log = Log::open(&Destination::File(path.clone()), LogLevel::Info, Format::Text).unwrap();
    log.event(&listened());
    log.error(format_args!("bad"));
    let lines = read(&path);
    let head = format!("Z aditd[{}]: ", std::process::id());
    assert_eq!(lines[0], "before");
    assert_eq!(lines[1].split_once(&head).unwrap().1, "Server listening on 0.0.0.0 port 22.");
    assert_eq!(lines[2].split_once(&head).unwrap().1, "error: bad");
}

#[test]
fn a_file_that_was_rotated_away_is_opened_anew() {
    let scratch = Scratch::new("rotated");
    let (path, old) = (scratch.0.join("log"), scratch.0.join("log.1"));
    let destination = Destination::File(path.clone());
    let log = Log::open(&destination, LogLevel::Info, Format::Json).unwrap();
    log.info(format_args!("first"));
    std::fs::rename(&path, &old).unwrap();
    log.info(format_args!("second"));
    log.reopen(&destination).unwrap();
    log.info(format_args!("third"));
    assert_eq!(read(&old).len(), 2);
    let lines = read(&path);
    assert!(lines.len() == 1 && lines[0].contains("third"));
}

#[test]
fn a_log_that_cannot_be_reopened_stays_where_it_is() {
    let scratch = Scratch::new("stays");
    let path = scratch.0.join("log");
    let log = Log::open(&Destination::File(path.clone()), LogLevel::Info, Format::Text).unwrap();
    assert!(log.reopen(&Destination::File(scratch.0.join("none/log"))).is_err());
    log.info(format_args!("here"));
    assert!(read(&path)[0].ends_with("here"));
}

#[test]
fn handles_on_many_threads_write_whole_lines() {
    let scratch = Scratch::new("threads");
    let path = scratch.0.join("log");
    let log = Log::open(&Destination::File(path.clone()), LogLevel::Info, Format::Json).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                (0..100).for_each(|_| {
                    log.event(&Event::ConnectionClosed {
                        peer: peer(),
                        user: User::LoggedIn("ada"),
                        how: Close::Eof,
                        millis: 1,
                        received: 2,
                        sent: 3,
                    })
                })
            });
        }
    });
    let lines = read(&path);
    assert_eq!(lines.len(), 400);
    assert!(lines.iter().all(|line| line.starts_with('{') && line.ends_with('}')));
}

#[test]
fn peers_cannot_write_lines_fields_or_colours() {
    let (log, lines) = Log::captured(LogLevel::Info, Format::Text);
    let user = "x\n\u{1b}[31mroot\u{202e}\" status=\0";
    log.event(&Event::ListenerRefused {
        peer: peer(),
        user,
        at: Endpoint::Tcp { host: "h", port: 1 },
        reason: "no",
    });
    assert_eq!(
        lines.lines(),
        [
            r#"Received request from 192.0.2.1 port 50022 to listen on h port 1, but the request was denied. connection=7 user="x\\012\\033[31mroot\\342\\200\\256\" status=\\000" listen=h:1 reason=no"#
        ]
    );
}

#[test]
fn json_holds_what_a_peer_sent_as_a_string() {
    let (log, lines) = Log::captured(LogLevel::Info, Format::Json);
    log.event(&Event::UserInvalid { peer: peer(), user: "a\"b\\c\td\u{fc}" });
    let line = lines.lines().remove(0);
    let rest = line.split_once(r#","level""#).unwrap().1;
    assert_eq!(
        rest,
        r#":"info","event":"user-invalid","message":"Invalid user a\"b\\c\\011dü from 192.0.2.1 port 50022","remote":"192.0.2.1:50022","local":"198.51.100.9:22","user":"a\"b\\c\\011dü","connection":7}"#
    );
}

#[test]
fn what_a_peer_sends_too_much_of_is_cut() {
    let (log, lines) = Log::captured(LogLevel::Info, Format::Json);
    let long = "ü".repeat(100_000);
    log.event(&Event::UserInvalid { peer: peer(), user: &long });
    let line = lines.lines().remove(0);
    assert!(line.len() < 8192 && line.contains("ü…\","), "{}", line.len());
}

#[test]
fn where_there_is_no_system_log_the_first_line_on_stderr_says_so() {
    // What is written there is seen in the interop tests; here, that it is no error.
    let log = Sink::open(&Destination::Syslog(SyslogFacility::Auth)).unwrap();
    assert!(matches!(log, (Sink::Stderr, Some(_)) | (Sink::Syslog(_), None)));
}
