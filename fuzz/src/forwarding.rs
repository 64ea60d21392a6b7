//! What users and local programs say: configuration lines, forward specifications, proxy requests.
//! Touches: `adit_config`, `adit_forward`.   Never: listeners.
//! Invariants: stated at each target.
//! Errors: a panic is a finding.   Allocates: freely.
//! Proved by: the seeds.

use adit_config::server::{Files, MatchContext, ServerConfig};
use adit_config::{AlgorithmSet, Algorithms, Partial, Source, Surroundings, Tokens};
use adit_forward::{DynamicRequest, ForwardSpec, Step, Target};
use std::cell::Cell;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

const NAMES: AlgorithmSet =
    AlgorithmSet { supported: &["one", "two", "three"], default: &["one", "two"] };
static ALGORITHMS: Algorithms =
    Algorithms { ciphers: NAMES, macs: NAMES, kex: NAMES, signatures: NAMES, ca_signatures: NAMES };

/// Lines of a configuration are taken or refused; what was taken has defaults for the rest, and no host or user comes of
/// it that could be taken for an option or a command.
pub fn config_line(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut options = Partial::new(&ALGORITHMS);
    for line in text.lines() {
        let _ = options.line(line, &Source::CommandLine);
    }
    let Ok(options) = options.with_defaults() else { return };
    let tokens = Tokens::of_hostname("pi.example");
    if let Ok(host) = options.host_to_connect("pi", &Nothing) {
        assert!(!host.starts_with('-') && !host.contains([' ', ';', '`', '\n']), "{host}");
    }
    if let Ok(user) = options.user_to_be("ada", &tokens, &Nothing) {
        assert!(!user.starts_with('-') && !user.contains([';', '`', '\n']), "{user}");
    }
    let _ = (options.agent_socket(&Nothing), options.identity_files_to_try());
    let _ = options.expand(&tokens, &Nothing);
}

/// A home, and no variable but one.
struct Nothing;

impl Surroundings for Nothing {
    fn variable(&self, name: &str) -> Option<String> {
        (name == "HOME").then(|| "/home/ada".to_owned())
    }

    fn home(&self, user: Option<&str>) -> Option<String> {
        user.is_none().then(|| "/home/ada".to_owned())
    }
}

/// A server's configuration is read or refused; what was read is decided for a connection and shown.
///
/// What follows a NUL is a file that can be included.
pub fn sshd_config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (main, included) = text.split_once('\0').unwrap_or((text, ""));
    let files = Texts { main, included, left: Cell::new(INCLUDES) };
    let Ok(config) = ServerConfig::load_from(&files, Some(Path::new("/main")), &[], &ALGORITHMS)
    else {
        return;
    };
    let groups = ["staff".to_owned()];
    let ada = MatchContext {
        user: Some("ada"),
        groups: &groups,
        host: Some("pi.example"),
        address: Some(Ipv4Addr::LOCALHOST.into()),
        local_port: Some(22),
        ..MatchContext::default()
    };
    let options = config.options(&ada);
    let _ = (options.lets_in(&ada), options.penalties(), options.listen_on());
    assert!(options.dump().lines().all(|line| line.contains(' ')));
}

/// How often the second file may be included: it could include itself.
const INCLUDES: u32 = 4;

/// Two files without a disk.
struct Texts<'a> {
    main: &'a str,
    included: &'a str,
    left: Cell<u32>,
}

impl Files for Texts<'_> {
    fn read(&self, path: &Path) -> io::Result<String> {
        Ok(if path == Path::new("/main") { self.main } else { self.included }.to_owned())
    }

    fn matching(&self, _: &str) -> io::Result<Vec<PathBuf>> {
        let left = self.left.get();
        self.left.set(left.saturating_sub(1));
        Ok(if left == 0 { Vec::new() } else { vec!["/included".into()] })
    }

    fn current_folder(&self) -> PathBuf {
        "/".into()
    }

    fn home(&self) -> Option<PathBuf> {
        Some("/home/ada".into())
    }
}

/// A specification is understood or refused, in all three directions.
pub fn forward_spec(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for parse in [ForwardSpec::local, ForwardSpec::remote, ForwardSpec::dynamic] {
        if let Ok(spec) = parse(text) {
            assert!(!spec.listen.describe().is_empty());
        }
    }
    let _ = Target::stdio(text);
}

/// However a request is cut into pieces, it means the same. The first byte says how.
pub fn dynamic_request(bytes: &[u8]) {
    let Some((cut, request)) = bytes.split_first() else { return };
    let whole = outcome(request, request.len());
    assert_eq!(whole, outcome(request, usize::from(*cut).max(1)));
}

/// What is said and asked for, and how many bytes that took.
fn outcome(request: &[u8], piece: usize) -> (Vec<String>, usize) {
    let (mut machine, mut steps, mut used) = (DynamicRequest::new(), Vec::new(), 0);
    let mut seen = piece.min(request.len());
    loop {
        let fed = machine.feed(&request[used..seen]);
        used += fed.consumed;
        match fed.step {
            Step::NeedMore if seen == request.len() => return (steps, used),
            Step::NeedMore => seen = (seen + piece).min(request.len()),
            step @ Step::Reply(_) => steps.push(format!("{step:?}")),
            step @ Step::Request(..) => {
                steps.push(format!("{step:?}"));
                return (steps, used);
            }
            // The connection is closed: how much of the rest was looked at is nobody's matter.
            step @ Step::Refuse(_) => {
                steps.push(format!("{step:?}"));
                return (steps, 0);
            }
        }
    }
}
