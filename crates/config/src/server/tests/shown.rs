//! What is shown of a configuration: the dump, which can be read again, and the manual page.
//! Touches: texts in memory.   Never: the system's configuration.
//! Invariants: every keyword that is in force is in the dump and on the page.
//! Errors: a failed test.   Allocates: freely.
//! Proved by: itself.

use super::keywords::EFFECTS;
use super::*;

#[test]
fn a_dump_is_what_sshd_prints() {
    let dump =
        options("Port 2222\nListenAddress ::1\nAcceptEnv A B\nRole gateway\nIPQoS ef 0x07").dump();
    assert!(dump.starts_with("port 2222\naddressfamily any\nlistenaddress [::1]:2222\n"), "{dump}");
    for line in [
        "acceptenv A",
        "acceptenv B",
        "allowtcpforwarding yes",
        "authenticationmethods any",
        "authorizedkeysfile .ssh/authorized_keys .ssh/authorized_keys2",
        "banner none",
        "channeltimeout none",
        "ciphers chacha20-poly1305@openssh.com,aes256-ctr,ssh-ed25519",
        "fingerprinthash SHA256",
        "hostkey /etc/ssh/ssh_host_ed25519_key",
        "ipqos ef 0x07",
        "loglevel INFO",
        "maxstartups 10:30:100",
        "permitopen any",
        "permitrootlogin prohibit-password",
        "persourcemaxstartups none",
        "persourcenetblocksize 32:128",
        "pubkeyauthoptions none",
        "rekeylimit 0 0",
        "role gateway",
        "stalelistener takeover",
        "streamlocalbindmask 0177",
        "syslogfacility AUTH",
        "unusedconnectiontimeout none",
        "x11forwarding no",
    ] {
        assert!(dump.lines().any(|it| it == line), "{line} in\n{dump}");
    }
    assert!(!options("SetEnv A=b").dump().contains("persourcepenalties \n"));
}

#[test]
fn a_dump_holds_every_keyword_that_is_in_force_and_can_be_read_again() {
    for (_, line, _) in EFFECTS {
        let dump = options(line).dump();
        if line.contains('"') || line.contains("penalties") {
            continue;
        }
        assert_eq!(options(&dump).dump(), dump, "{line}");
    }
    let dump = options("").dump();
    for row in KEYWORDS {
        let stored = matches!(row.status, Status::Honoured | Status::Partly(_)) && !row.repeats;
        let name = format!("{} ", row.name.to_ascii_lowercase());
        let unset = row.keyword == Keyword::SetEnv;
        assert!(!stored || unset || dump.lines().any(|line| line.starts_with(&name)), "{name}");
    }
}

/// What the page must say of a keyword.
fn page_line(row: &Row<Keyword>, dump: &str) -> String {
    let codes = |words: &[&str]| {
        words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
    };
    let (name, also) = (row.name, codes(row.aliases));
    match row.status {
        Status::Honoured | Status::Partly(_) => {
            let blocks = if row.scope == Scope::Everywhere { "yes" } else { "" };
            format!("| `{name}` | {also} | {blocks} | {} | ", page_default(row, dump))
        }
        Status::WithoutEffect(why) => format!("| `{name}` | {also} | {why} |\n"),
        Status::Missing { off, why } | Status::Refused { off, why } => {
            format!("| `{name}` | {also} | unless {}: {why} |\n", codes(off))
        }
        Status::Deprecated => format!("`{name}`"),
        Status::FilesOnly(name) => format!("**{name}**"),
    }
}

/// The default as the page has it.
fn page_default(row: &Row<Keyword>, dump: &str) -> String {
    let name = format!("{} ", row.name.to_ascii_lowercase());
    let values: Vec<_> = dump.lines().filter_map(|line| line.strip_prefix(&name)).collect();
    match row.keyword {
        Keyword::HostKey => "the usual three".into(),
        Keyword::ListenAddress => "everywhere".into(),
        Keyword::PerSourcePenalties => "`yes`".into(),
        _ if values.is_empty() => "–".into(),
        _ if values[0] == SET.default.join(",") => "see `-T`".into(),
        _ => format!("`{}`", values.join(" ")),
    }
}

#[test]
fn the_manual_page_says_what_the_table_says() {
    let page = include_str!("../../../../../docs/aditd.md");
    let dump = ServerOptions::defaults(&ALGORITHMS).dump();
    for line in KEYWORDS.iter().map(|row| page_line(row, &dump)) {
        assert!(page.contains(&line), "docs/aditd.md should hold: {line}");
    }
}
