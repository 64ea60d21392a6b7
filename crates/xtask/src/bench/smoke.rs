//! The short run's verdict: only what no noise explains is a failure.
//! Touches: a summary.   Never: an absolute figure; machines differ, ratios of one run less.
//! Invariants: bounds are generous, where the aim is to be ahead; what the clock on the wall says is shown, and fails nothing.
//! Errors: every broken bound in a line of its own.   Allocates: small texts.
//! Proved by: `tests` below, CI.

use super::{
    contender::OURS,
    run::short,
    summary::Summary,
    targets::{
        Bound::{AtLeast, AtMost},
        Claim, Figures, WAYS, least, worst,
    },
};
use crate::Outcome;
use std::collections::BTreeSet;

/// More than this and something is broken.
const GROSS: f64 = 2.0;
/// How far behind each cipher may be. OpenSSH's ChaCha20 is wider assembly than ours.
const CIPHERS: [(&str, f64); 2] = [("aes128-gcm", GROSS), ("chacha20-poly1305", 2.5)];

/// Holds the run against the bounds.
pub(crate) fn judge(summary: &Summary<'_>, failed: &BTreeSet<String>) -> Outcome {
    let claims = claims(summary);
    println!("\n== verdict");
    claims.iter().for_each(|claim| println!("{}", told(claim)));
    println!("\n== on this machine, at this hour");
    glances(summary).iter().for_each(|claim| println!("{}", told(claim)));
    let too_far = claims.iter().filter(|claim| claim.holds() == Some(false)).map(told);
    let ours = failed.iter().filter(|line| line.contains("adit")).cloned();
    let broken: Vec<_> = ours.chain(too_far).collect();
    if claims.iter().all(|claim| claim.found.is_none()) {
        println!("SKIPPED: nothing to compare with was there");
    }
    if broken.is_empty() {
        return Ok(());
    }
    Err(broken.join("\n"))
}

fn told(claim: &Claim) -> String {
    let found = claim.found.map_or_else(|| "not measured".into(), short);
    let verdict = match claim.holds() {
        Some(true) => "ok",
        Some(false) => "TOO FAR",
        None => "-",
    };
    format!("{verdict:<8} {found:>12}  {} ({})", claim.what, claim.bound)
}

fn claims(summary: &Summary<'_>) -> Vec<Claim> {
    let figures = Figures(summary);
    let [both, client, _, theirs] = OURS;
    let mut claims = Vec::new();
    for (cipher, gross) in CIPHERS {
        for end in ["client", "server"] {
            let what = format!("{cipher}, {end}'s CPU by OpenSSH's in its place");
            claims.push(Claim::new(what, AtMost(gross), figures.cpu_ratio(cipher, end)));
        }
    }
    let visit = |name: &str| figures.against("connections", [both, theirs], "64", name);
    let handshake = figures.against("handshake", [client, theirs], "", "round_trips_to_echo");
    claims.extend([
        Claim::new(
            "CPU per new connection by OpenSSH's, client",
            AtMost(GROSS),
            visit("client_us"),
        ),
        Claim::new(
            "CPU per new connection by OpenSSH's, server",
            AtMost(GROSS),
            visit("server_us"),
        ),
        Claim::new("round trips of a handshake by ssh's", AtMost(GROSS), handshake),
    ]);
    claims
}

/// What depends on who else is at work on the machine.
fn glances(summary: &Summary<'_>) -> Vec<Claim> {
    let figures = Figures(summary);
    let [both, _, _, theirs] = OURS;
    let ping = |case: &str| figures.against("ping", [both, theirs], case, "p50_us");
    let mut glances: Vec<Claim> = ["aes128-gcm", "chacha20-poly1305"]
        .into_iter()
        .map(|cipher| {
            let speeds = WAYS.map(|way| {
                let case = format!("{cipher}, {way}");
                figures.against("bulk", [both, theirs], &case, "mib_per_second")
            });
            let what = format!("{cipher}, throughput by OpenSSH's pair");
            Claim::new(what, AtLeast(1.0), least(speeds))
        })
        .collect();
    glances.extend([
        Claim::new("idle ping by OpenSSH's pair", AtMost(1.0), ping("idle")),
        Claim::new("ping beside a stream by OpenSSH's pair", AtMost(1.0), worst(WAYS.map(ping))),
    ]);
    glances
}

#[cfg(test)]
mod tests {
    use super::super::row::Row;
    use super::*;

    fn rows(ours: f64) -> Vec<Row> {
        let [_, client, _, theirs] = OURS;
        let row = |who: &str, value| {
            let row = Row::new("bulk", who).case("cipher", "aes128-gcm").case("way", "up");
            row.figure("client_cpu", value)
        };
        vec![row(&client.name(), ours), row(&theirs.name(), 1.0)]
    }

    #[test]
    fn a_gross_regression_fails_and_is_named() {
        let error = judge(&Summary::of(&rows(2.1)), &BTreeSet::new()).unwrap_err();
        assert!(error.contains("aes128-gcm, client's CPU") && error.contains("2.10"), "{error}");
    }

    #[test]
    fn worse_than_theirs_alone_does_not() {
        assert_eq!(judge(&Summary::of(&rows(1.9)), &BTreeSet::new()), Ok(()));
    }

    #[test]
    fn what_was_not_measured_is_no_failure() {
        assert_eq!(judge(&Summary::of(&[]), &BTreeSet::new()), Ok(()));
    }

    #[test]
    fn a_stream_of_ours_that_stood_still_fails() {
        let failed = |line: &str| BTreeSet::from([line.to_owned()]);
        assert!(judge(&Summary::of(&[]), &failed("ssh → aditd: ping: timed out")).is_err());
        assert!(judge(&Summary::of(&[]), &failed("ssh → sshd: ping: timed out")).is_ok());
    }
}
