//! What users and local programs say: configuration lines, forward specifications, proxy requests.
//! Touches: `adit_config`, `adit_forward`.   Never: listeners.
//! Invariants: stated at each target.
//! Errors: a panic is a finding.   Allocates: freely.
//! Proved by: the seeds.

use adit_config::{AlgorithmSet, Algorithms, Partial, Source};
use adit_forward::{DynamicRequest, ForwardSpec, Step, Target};

const NAMES: AlgorithmSet =
    AlgorithmSet { supported: &["one", "two", "three"], default: &["one", "two"] };
static ALGORITHMS: Algorithms =
    Algorithms { ciphers: NAMES, macs: NAMES, kex: NAMES, signatures: NAMES, ca_signatures: NAMES };

/// Lines of a configuration are taken or refused; what was taken has defaults for the rest.
pub fn config_line(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut options = Partial::new(&ALGORITHMS);
    for line in text.lines() {
        let _ = options.line(line, &Source::CommandLine);
    }
    let _ = options.with_defaults();
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
