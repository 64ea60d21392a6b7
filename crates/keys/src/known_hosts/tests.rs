//! What each line means, what a host's lines add up to, and what is written, against ssh-keygen.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use adit_crypto::SystemRandom;

use super::*;
use crate::public::PublicKeyLine;
use crate::testing::{Scratch, run, testdata};

/// The key of one of `testdata`'s files as known_hosts has it.
fn text(name: &str) -> String {
    crate::public::encode(&key(name))
}

fn key(name: &str) -> Vec<u8> {
    PublicKeyLine::load(&testdata(&format!("{name}.pub"))).unwrap().blob
}

fn host(name: &str, port: u16) -> HostName {
    HostName::new(name, port).unwrap()
}

fn known(host: HostName, lines: &[u8]) -> KnownHosts {
    let mut known = KnownHosts::new(host);
    known.read(Path::new("known_hosts"), &mut &*lines).unwrap();
    known
}

/// A verdict in a word, with its line.
fn word(verdict: Verdict<'_>) -> String {
    match verdict {
        Verdict::Known(entry) => format!("known {}", entry.place.line),
        Verdict::Changed(entry) => format!("changed {}", entry.place.line),
        Verdict::Revoked(entry) => format!("revoked {}", entry.place.line),
        Verdict::Unknown => "unknown".to_owned(),
    }
}

/// The host is `example.org`, its key A; B is another, R is of another type.
#[test]
fn every_kind_of_line_means_what_it_means_to_ssh() {
    let hashed = "|1|AAECAwQFBgcICQoLDA0ODxAREhM=|bFDVYqbsfLlUB0fPAZemUYx8Gnc=";
    let long = format!("{}example.org", "x,".repeat(1 << 19));
    for (name, line, expected) in [
        ("plain", "example.org <A>", "known 1"),
        ("tabs", "example.org\t<A>\tcomment", "known 1"),
        ("spaces before and between", "  \t example.org   <A>", "known 1"),
        ("comment", "example.org <A> me@home and more", "known 1"),
        ("comment line", "# example.org <A>", "unknown"),
        ("empty lines", "\n\n \t\nexample.org <A>", "known 4"),
        ("carriage return", "example.org <A>\r", "known 1"),
        ("carriage return behind a comment", "example.org <A> c\r", "known 1"),
        ("capital letters", "EXAMPLE.org <A>", "known 1"),
        ("list", "a,example.org,b <A>", "known 1"),
        ("wildcard", "*.org <A>", "known 1"),
        ("question mark", "exampl?.org <A>", "known 1"),
        ("negation", "*.org,!example.org <A>", "unknown"),
        ("negation of another", "*.org,!other.org <A>", "known 1"),
        ("negation alone", "!other.org <A>", "unknown"),
        ("hashed", &format!("{hashed} <A>"), "known 1"),
        ("hash of another", &format!("{} <A>", hashed.replace("|bFD", "|AFD")), "unknown"),
        ("hash cut short", &format!("{} <A>", &hashed[..40]), "unknown"),
        ("hash of another kind", &format!("{} <A>", hashed.replace("|1|", "|2|")), "unknown"),
        ("hash in a list", &format!("{hashed},example.org <A>"), "unknown"),
        ("other port", "[example.org]:2222 <A>", "unknown"),
        ("standard port in brackets", "[example.org]:22 <A>", "unknown"),
        ("address range is no pattern", "0.0.0.0/0 <A>", "unknown"),
        ("another key", "example.org <B>", "changed 1"),
        ("another type", "example.org <R>", "changed 1"),
        ("another key, then the right one", "example.org <B>\nexample.org <A>", "known 2"),
        ("two other keys", "example.org <B>\nexample.org <R>", "changed 2"),
        ("the same line twice", "example.org <A>\nexample.org <A>", "known 1"),
        ("revoked", "@revoked example.org <A>", "revoked 1"),
        ("revoked for all", "@revoked * <A>\nexample.org <A>", "revoked 1"),
        ("revoked after it was known", "example.org <A>\n@revoked * <A>", "revoked 2"),
        ("revoked behind a tab", "@revoked\texample.org\t<A>", "revoked 1"),
        ("revoked elsewhere", "@revoked other.org <A>\nexample.org <A>", "known 2"),
        ("another key revoked", "@revoked * <B>\nexample.org <A>", "known 2"),
        ("authority", "@cert-authority example.org <A>", "unknown"),
        ("authority and key", "@cert-authority * <B>\nexample.org <A>", "known 2"),
        ("two markers", "@revoked @cert-authority example.org <A>", "unknown"),
        ("the same marker twice", "@revoked @revoked example.org <A>", "unknown"),
        ("unknown marker", "@trusted example.org <A>", "unknown"),
        ("marker in capitals", "@REVOKED example.org <A>\nexample.org <A>", "known 2"),
        ("marker alone", "@revoked", "unknown"),
        ("hosts alone", "example.org", "unknown"),
        ("no key", "example.org ssh-ed25519", "unknown"),
        ("comment for a key", "example.org # ssh-ed25519", "unknown"),
        ("NUL behind the key", "example.org <A>\0", "unknown"),
        ("NUL in the comment", "example.org <A> c\0", "known 1"),
        ("NUL in the name", "example\0.org <A>", "unknown"),
        ("key of another type than it says", "example.org <T>", "unknown"),
        ("base64 cut short", "example.org <C>", "unknown"),
        ("type nobody knows", "example.org <U>", "unknown"),
        ("another key too short to be used", "example.org <S>", "changed 1"),
        ("protocol 1", "example.org 1024 35 1234567", "unknown"),
        ("line of one mebibyte", &format!("{long} <A>"), "known 1"),
        (
            "line of two mebibytes and more",
            &format!("{long},{long} <A>\nexample.org <A>"),
            "known 2",
        ),
        ("no line end", "example.org <A>", "known 1"),
    ] {
        let a = text("private/ed25519");
        let line = line
            .replace("\t<A>", &format!("\t{}", a.replace(' ', "\t")))
            .replace("<A>", &a)
            .replace("<B>", &text("private/openssl"))
            .replace("<R>", &text("private/rsa"))
            .replace("<T>", &a.replace("ssh-ed25519", "ssh-rsa"))
            .replace("<U>", &unheard_of())
            .replace("<S>", &text("private/short-rsa"))
            .replace("<C>", &a[..a.len() - 4]);
        let known = known(host("example.org", 22), line.as_bytes());
        assert_eq!(word(known.check(&key("private/ed25519"))), expected, "{name}");
    }
}

/// A key of a type made up here.
fn unheard_of() -> String {
    let mut blob = Vec::new();
    adit_wire::Field::encode(&"x-unheard-of", &mut blob);
    crate::public::encode(&blob)
}

#[test]
fn lines_that_are_passed_over_are_listed_with_their_reason() {
    let lines = format!(
        "example.org\n@x example.org {key}\n|1|x|y {key}\nexample.org ssh-rsa AAAA\n\
         other.org ssh-rsa AAAA\n@revoked @revoked * {key}\n\u{e4}\n{long}\nexample.org {key}",
        key = text("private/ed25519"),
        long = "x".repeat(MAX_LINE + 10),
    );
    let known = known(host("example.org", 22), lines.as_bytes());
    let skipped = known.skipped().iter().map(|line| format!("{}: {}", line.place, line.reason));
    assert_eq!(
        skipped.collect::<Vec<_>>(),
        [
            "known_hosts:1: truncated",
            "known_hosts:2: invalid marker",
            "known_hosts:3: bad host hash",
            "known_hosts:4: invalid key",
            "known_hosts:6: invalid marker",
            "known_hosts:7: truncated",
            "known_hosts:8: line too long",
        ]
    );
    assert_eq!(known.entries().len(), 1);
    assert_eq!(known.entries()[0].place.line, 9);
}

#[test]
fn a_file_without_an_end_is_an_error_that_names_it() {
    for endless in ["/dev/zero", "/dev/full"] {
        let expected = format!("Read from {endless} failed: larger than 64 MiB");
        let error = KnownHosts::load(host("h", 22), [endless]).unwrap_err();
        assert_eq!(error.to_string(), expected);
        assert_eq!(other_names(&key("private/rsa"), [endless]).unwrap_err().to_string(), expected);
    }
}

/// Latin-1 in a comment is no reason to forget a host.
#[test]
fn a_comment_need_not_be_utf8() {
    let line = [text("private/ed25519").as_bytes(), b" M\xfcller"].concat();
    let known = known(host("h", 22), &[b"h ", &line[..]].concat());
    assert_eq!(word(known.check(&key("private/ed25519"))), "known 1");
}

#[test]
fn an_authority_is_trusted_for_its_hosts_only_and_unless_revoked() {
    let authority = key("certificate/ca");
    for (lines, expected) in [
        ("@cert-authority *.example.org <CA>", "known 1"),
        ("@cert-authority *.example.net <CA>", "unknown"),
        ("h.example.org <CA>", "unknown"),
        ("@cert-authority * <K>", "unknown"),
        ("h.example.org <K>", "unknown"),
        ("@revoked * <CA>\n@cert-authority * <CA>", "revoked 1"),
        ("@cert-authority * <CA>\n@revoked * <K>", "revoked 2"),
        ("@cert-authority * <CA>\n@revoked other <CA>", "known 1"),
    ] {
        let lines =
            lines.replace("<CA>", &text("certificate/ca")).replace("<K>", &text("private/ed25519"));
        let known = known(host("h.example.org", 22), lines.as_bytes());
        let verdict = known.check_authority(&authority, &key("private/ed25519"));
        assert_eq!(word(verdict), expected, "{lines}");
        assert_eq!(
            known.has_authority(),
            lines.contains("@cert-authority *") && !lines.contains("net")
        );
    }
}

#[test]
fn types_known_come_in_order_and_once() {
    let lines =
        ["private/p256", "private/rsa", "private/short"].map(|name| format!("h {}\n", text(name)));
    let lines = format!("@cert-authority * {}\n{}", text("private/ed25519"), lines.concat());
    let known = known(host("h", 22), lines.as_bytes());
    assert_eq!(known.key_types(), ["ecdsa-sha2-nistp256", "ssh-rsa"]);
}

#[test]
fn files_are_read_in_order_and_missing_ones_are_none() {
    let scratch = Scratch::new("files");
    let [user, global] = ["user", "global"].map(|name| scratch.path().join(name));
    fs::write(&user, format!("h {}", text("private/openssl"))).unwrap();
    fs::write(&global, format!("\n\nh {}", text("private/ed25519"))).unwrap();
    let files = [user, scratch.path().join("missing"), scratch.path().to_owned(), global.clone()];
    let known = KnownHosts::load(host("h", 22), &files).unwrap();
    let Verdict::Known(entry) = known.check(&key("private/ed25519")) else { panic!("{known:?}") };
    assert_eq!(entry.place, Place { file: global, line: 3 });
    let [skipped] = known.skipped() else { panic!("{known:?}") };
    assert_eq!(skipped.place, Place { file: scratch.path().to_owned(), line: 0 });
    assert_eq!(skipped.reason.to_string(), "is a directory");
}

/// A disk that fails, or a process without descriptors, must not make a list of revoked keys an empty one.
#[test]
fn a_list_that_is_there_and_cannot_be_opened_is_an_error() {
    let scratch = Scratch::new("unopened");
    let path = scratch.path().join("loop");
    std::os::unix::fs::symlink(&path, &path).unwrap();
    let error = KnownHosts::load(host("h", 22), [&path]).unwrap_err();
    assert!(error.to_string().starts_with(&format!("Read from {} failed: ", path.display())));
}

/// Gives some lines, then fails as a disk does.
struct Failing<'a>(&'a [u8]);

impl io::Read for Failing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match io::Read::read(&mut self.0, buffer)? {
            0 => Err(io::Error::other("Input/output error")),
            count => Ok(count),
        }
    }
}

/// The next line might have revoked the key.
#[test]
fn a_file_that_breaks_off_knows_nothing() {
    let lines = format!("h {}\n", text("private/ed25519"));
    let mut known = KnownHosts::new(host("h", 22));
    let error =
        known.read(Path::new("file"), &mut BufReader::new(Failing(lines.as_bytes()))).unwrap_err();
    assert_eq!(error.to_string(), "Read from file failed: Input/output error");
}

/// Gives a byte a time, and fails at the one of this number.
struct FailingAt<'a>(&'a [u8], usize);

impl io::Read for FailingAt<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.1 = self.1.checked_sub(1).ok_or(io::Error::other("Input/output error"))?;
        let one = buffer.len().min(1);
        io::Read::read(&mut self.0, &mut buffer[..one])
    }
}

/// An error must never be taken for an answer, whichever read it comes from.
#[test]
fn a_reading_that_fails_anywhere_is_no_verdict() {
    let key = text("private/ed25519");
    let lines = format!("h {key}\n# a comment\n@revoked h {key}\n");
    for at in 0..=lines.len() {
        let mut known = KnownHosts::new(host("h", 22));
        let mut reader = BufReader::new(FailingAt(lines.as_bytes(), at));
        assert!(known.read(Path::new("file"), &mut reader).is_err(), "byte {at}");
    }
    let mut known = KnownHosts::new(host("h", 22));
    let mut reader = BufReader::new(FailingAt(lines.as_bytes(), lines.len() + 1));
    assert!(known.read(Path::new("file"), &mut reader).is_ok());
}

#[test]
fn other_names_of_a_key_are_found_hashed_ones_without_name() {
    let scratch = Scratch::new("other-names");
    let file = scratch.path().join("known_hosts");
    let (ours, other) = (text("private/ed25519"), text("private/rsa"));
    let hashed = "|1|AAECAwQFBgcICQoLDA0ODxAREhM=|bFDVYqbsfLlUB0fPAZemUYx8Gnc=";
    fs::write(
        &file,
        format!(
            "a,b {ours}\nc {other}\n@revoked d {ours}\n{hashed} {ours} x\n@cert-authority e {ours}"
        ),
    )
    .unwrap();
    let names =
        other_names(&key("private/ed25519"), [&file, &scratch.path().join("none")]).unwrap();
    let names: Vec<_> = names.iter().map(|name| (name.place.line, name.hosts.as_deref())).collect();
    assert_eq!(names, [(1, Some("a,b")), (4, None)]);
}

/// Runs `ssh-keygen -F`; the lines it finds.
fn found_by_ssh_keygen(file: &Path, host: &str) -> Option<Vec<String>> {
    let output = run("ssh-keygen", &["-F", host, "-f", file.to_str().unwrap()])?;
    let lines = String::from_utf8(output.stdout).unwrap();
    Some(lines.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect())
}

#[test]
fn what_is_appended_is_known_to_us_and_to_ssh_keygen() {
    let scratch = Scratch::new("append");
    let file = scratch.path().join(".ssh/known_hosts");
    let hosts = [host("Example.org", 22), host("192.0.2.1", 22), host("example.org", 2222)];
    let (ours, other) = (key("private/ed25519"), key("private/rsa"));
    let added = append(&file, &hosts[..2], &ours, Names::Plain).unwrap();
    assert_eq!(added.created_directory.as_deref(), file.parent());
    append(&file, &hosts[2..], &other, Names::Hashed(&mut SystemRandom::new())).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));
    let written = fs::read_to_string(&file).unwrap();
    let plain = text("private/ed25519");
    assert!(written.starts_with(&format!("example.org {plain}\n192.0.2.1 {plain}\n|1|")));
    assert!(!written.contains("2222"));
    for (host, key, line) in [(&hosts[0], &ours, 1), (&hosts[1], &ours, 2), (&hosts[2], &other, 3)]
    {
        let known = KnownHosts::load(host.clone(), [&file]).unwrap();
        assert_eq!(word(known.check(key)), format!("known {line}"));
        let Some(found) = found_by_ssh_keygen(&file, host.as_str()) else { return };
        assert_eq!(found.len(), 1, "{host}: {found:?}");
        assert!(found[0].ends_with(&crate::public::encode(key)));
    }
}

#[test]
fn ssh_keygen_hashes_and_removes_what_we_wrote() {
    let scratch = Scratch::new("keygen");
    let file = scratch.path().join("known_hosts");
    for name in ["a.example.org", "b.example.org"] {
        append(&file, &[host(name, 2222)], &key("private/p521"), Names::Plain).unwrap();
    }
    let path = file.to_str().unwrap();
    let Some(hashed) = run("ssh-keygen", &["-H", "-f", path]) else { return };
    assert!(hashed.status.success(), "{hashed:?}");
    let known = KnownHosts::load(host("b.example.org", 2222), [&file]).unwrap();
    assert_eq!(word(known.check(&key("private/p521"))), "known 2");
    run("ssh-keygen", &["-R", "[a.example.org]:2222", "-f", path]).unwrap();
    for (name, count) in [("a.example.org", 0), ("b.example.org", 1)] {
        let known = KnownHosts::load(host(name, 2222), [&file]).unwrap();
        assert_eq!(known.entries().len(), count, "{name}");
    }
}

#[test]
fn a_missing_line_end_is_made_up_for() {
    let scratch = Scratch::new("line-end");
    let file = scratch.path().join("known_hosts");
    fs::write(&file, format!("old {}", text("private/rsa"))).unwrap();
    append(&file, &[host("new", 22)], &key("private/ed25519"), Names::Plain).unwrap();
    append(&file, &[host("newer", 22)], &key("private/ed25519"), Names::Plain).unwrap();
    let (old, new) = (text("private/rsa"), text("private/ed25519"));
    assert_eq!(fs::read_to_string(&file).unwrap(), format!("old {old}\nnew {new}\nnewer {new}\n"));
}

#[test]
fn what_cannot_be_written_is_reported_in_sshs_words() {
    let scratch = Scratch::new("unwritable");
    let ours = key("private/ed25519");
    let blocked = scratch.path().join("file/known_hosts");
    fs::write(scratch.path().join("file"), b"").unwrap();
    for file in [blocked, scratch.path().join("no/such/directory"), PathBuf::from("/dev/full")] {
        let error = append(&file, &[host("h", 22)], &ours, Names::Plain).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("Failed to add the host to the list of known hosts ({}).", file.display())
        );
    }
    append(Path::new("/dev/null"), &[host("h", 22)], &ours, Names::Plain).unwrap();
}

/// The disk takes 100 bytes more: half a line.
#[test]
fn a_full_disk_leaves_no_half_line() {
    let scratch = Scratch::new("full");
    let file = scratch.path().join("known_hosts");
    fs::write(&file, b"old\n").unwrap();
    let script = format!(
        "ulimit -f 1; trap '' XFSZ; head -c 960 /dev/zero | tr '\\0' '#' >>'{file}'; echo >>'{file}'; \
         ADIT_KEYS_APPEND_TO='{file}' exec '{program}' --exact known_hosts::tests::appends_in_another_process",
        file = file.display(),
        program = std::env::current_exe().unwrap().display(),
    );
    let Some(status) = run("bash", &["-c", &script]) else { return };
    let written = fs::read_to_string(&file).unwrap();
    assert!(written.ends_with("#\n"), "{written:?} {status:?}");
    assert!(String::from_utf8_lossy(&status.stdout).contains("1 failed"), "{status:?}");
}

const WRITERS: usize = 4;
const LINES: usize = 50;

/// Run as a test of its own it does nothing; the tests around it run it as a process.
#[test]
fn appends_in_another_process() {
    let Some(file) = std::env::var_os("ADIT_KEYS_APPEND_TO") else { return };
    for number in 0..LINES {
        let name = host(&format!("host-{number}-of-{}", std::process::id()), 22);
        append(Path::new(&file), &[name], &key("private/ed25519"), Names::Plain).unwrap();
    }
}

fn appending_process(file: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "known_hosts::tests::appends_in_another_process"]);
    command.env("ADIT_KEYS_APPEND_TO", file);
    command
}

#[test]
fn no_line_is_lost_or_torn_with_several_writers() {
    let scratch = Scratch::new("writers");
    let file = scratch.path().join("known_hosts");
    let children: Vec<_> = (0..WRITERS)
        .map(|_| appending_process(&file).stdout(Stdio::null()).spawn().unwrap())
        .collect();
    // Meanwhile others replace the whole file, again and again.
    let appending = AtomicBool::new(true);
    let keys = ["private/p256", "private/p384"].map(key);
    thread::scope(|scope| {
        for number in 0..2 {
            let (file, keys, appending) = (&file, &keys, &appending);
            scope.spawn(move || {
                let name = [host(&format!("rewritten-{number}"), 22)];
                append(file, &name, &keys[0], Names::Plain).unwrap();
                for turn in 1.. {
                    replace(file, &name, &[&keys[turn % 2]], Names::Plain).unwrap();
                    if !appending.load(Ordering::Relaxed) {
                        break;
                    }
                }
            });
        }
        for child in children {
            assert!(child.wait_with_output().unwrap().status.success());
        }
        appending.store(false, Ordering::Relaxed);
    });
    let written = fs::read_to_string(&file).unwrap();
    let mut names = std::collections::BTreeSet::new();
    for line in written.lines() {
        let line = Line::parse(line.as_bytes()).unwrap().unwrap();
        line.key().unwrap();
        assert!(names.insert(format!("{:?}", line.hosts)), "{line:?} twice");
    }
    assert_eq!(names.len(), WRITERS * LINES + 2);
}

#[test]
fn killed_writers_leave_whole_lines() {
    let scratch = Scratch::new("killed");
    let file = scratch.path().join("known_hosts");
    for _ in 0..10 {
        let before = fs::metadata(&file).map_or(0, |file| file.len());
        let mut child = appending_process(&file).stdout(Stdio::null()).spawn().unwrap();
        while fs::metadata(&file).map_or(0, |file| file.len()) == before {
            thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let written = fs::read_to_string(&file).unwrap();
        assert!(written.ends_with('\n'));
        for line in written.lines() {
            Line::parse(line.as_bytes()).unwrap().unwrap().key().unwrap();
        }
    }
}

#[test]
fn replacing_adds_what_is_missing_and_removes_what_is_not_named() {
    let scratch = Scratch::new("replace");
    let file = scratch.path().join("known_hosts");
    let link = scratch.path().join("link");
    let [a, b, c] = ["private/ed25519", "private/rsa", "private/p256"].map(text);
    let lines = [
        format!("# a comment\r\nh {a}\n"),
        format!("h {b} old\n"),
        format!("h,shared {b}\n"),
        format!("* {b}\n"),
        format!("@revoked h {b}\n"),
        "h unreadable\n".to_owned(),
        format!("other {b}"),
    ];
    fs::write(&file, lines.concat()).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    let keys = ["private/ed25519", "private/p256"].map(key);
    let keys = keys.each_ref().map(Vec::as_slice);
    let changes = replace(&link, &[host("h", 22)], &keys, Names::Plain).unwrap();
    assert_eq!(changes, Changes { added: 1, removed: 1 });
    let kept = [&lines[..1], &lines[2..]].concat().concat();
    assert_eq!(fs::read_to_string(&file).unwrap(), format!("{kept}\nh {c}\n"));
    assert_eq!(fs::read_to_string(scratch.path().join("known_hosts.old")).unwrap(), lines.concat());
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o644);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(replace(&file, &[host("h", 22)], &keys, Names::Plain).unwrap(), Changes::default());
    assert_eq!(remove(&file, &[host("h", 22)]).unwrap(), 2);
    assert_eq!(fs::read_to_string(&file).unwrap(), kept.replace(&format!("h {a}\n"), "") + "\n");
    let left: Vec<_> =
        fs::read_dir(scratch.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 3, "{left:?}");
}

#[test]
fn a_rewrite_that_fails_leaves_the_file_alone() {
    let scratch = Scratch::new("rewrite-fails");
    let file = scratch.path().join("known_hosts");
    let line = format!("h {}\n", text("private/rsa"));
    fs::write(&file, &line).unwrap();
    // A directory cannot be replaced by the old file.
    fs::create_dir(scratch.path().join("known_hosts.old")).unwrap();
    let error = remove(&file, &[host("h", 22)]).unwrap_err();
    assert!(error.to_string().starts_with(&format!("update of {} failed: ", file.display())));
    assert_eq!(fs::read_to_string(&file).unwrap(), line);
    assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 2);
    let missing = scratch.path().join("missing");
    let error = remove(&missing, &[host("h", 22)]).unwrap_err();
    assert_eq!(error.error.kind(), io::ErrorKind::NotFound);
}
