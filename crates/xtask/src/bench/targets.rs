//! What is claimed, held against what was measured: one row per figure that has a bound.
//! Touches: a summary.   Never: a measurement of another run.
//! Invariants: a ratio is of two cells of one run; of several cells the worst counts.
//! Errors: what was not measured has no figure.   Allocates: small texts.
//! Proved by: `tests` below.

use super::{
    contender::{Contender, OURS},
    statistics::ratio,
    summary::Summary,
};

/// What a figure may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

use Bound::{AtLeast, AtMost};

/// A claim and what became of it.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    pub(crate) what: String,
    pub(crate) bound: Bound,
    pub(crate) found: Option<f64>,
}

impl Claim {
    pub(crate) fn new(what: impl Into<String>, bound: Bound, found: Option<f64>) -> Self {
        Self { what: what.into(), bound, found }
    }

    /// `None` where nothing was measured.
    pub(crate) fn holds(&self) -> Option<bool> {
        self.found.map(|found| match self.bound {
            AtMost(most) => found <= most,
            AtLeast(least) => found >= least,
        })
    }
}

impl std::fmt::Display for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            AtMost(most) => write!(f, "at most {most}"),
            AtLeast(least) => write!(f, "at least {least}"),
        }
    }
}

pub(crate) const WAYS: [&str; 2] = ["up", "down"];
const BOTH_OURS: Contender = OURS[0];
const OUR_CLIENT: Contender = OURS[1];
const OUR_SERVER: Contender = OURS[2];
const THEIRS: Contender = OURS[3];

/// A contender's figure, with the names spelt once.
pub(crate) struct Figures<'a>(pub(crate) &'a Summary<'a>);

impl Figures<'_> {
    pub(crate) fn of(&self, what: &str, who: Contender, case: &str, name: &str) -> Option<f64> {
        self.0.figure(what, &who.name(), case, name)
    }

    /// Ours by theirs in the same case.
    pub(crate) fn against(
        &self,
        what: &str,
        [ours, theirs]: [Contender; 2],
        case: &str,
        name: &str,
    ) -> Option<f64> {
        ratio(self.of(what, ours, case, name), self.of(what, theirs, case, name))
    }

    /// Processor time of each of our ends by OpenSSH's in the same place.
    pub(crate) fn cpu_ratio(&self, cipher: &str, end: &str) -> Option<f64> {
        let ours = if end == "client" { OUR_CLIENT } else { OUR_SERVER };
        let figure = format!("{end}_cpu");
        worst(
            WAYS.map(|way| {
                self.against("bulk", [ours, THEIRS], &format!("{cipher}, {way}"), &figure)
            }),
        )
    }
}

/// The largest.
pub(crate) fn worst(values: impl IntoIterator<Item = Option<f64>>) -> Option<f64> {
    values.into_iter().flatten().max_by(f64::total_cmp)
}

/// The smallest.
pub(crate) fn least(values: impl IntoIterator<Item = Option<f64>>) -> Option<f64> {
    values.into_iter().flatten().min_by(f64::total_cmp)
}

/// All claims.
pub(crate) fn claims(summary: &Summary<'_>) -> Vec<Claim> {
    let figures = Figures(summary);
    [bulk, calls, long_lines, pings, channels, footprint]
        .into_iter()
        .flat_map(|claims| claims(&figures))
        .collect()
}

const AES: [&str; 2] = ["aes128-gcm", "aes256-gcm"];

fn bulk(figures: &Figures<'_>) -> Vec<Claim> {
    let mut claims = Vec::new();
    for end in ["client", "server"] {
        let above = worst(
            AES.into_iter()
                .flat_map(|cipher| WAYS.map(|way| above_the_kernel(figures, cipher, way, end))),
        );
        claims.push(Claim::new(
            format!("AES-GCM, {end}'s CPU by the best null relay's and one AEAD pass"),
            AtMost(1.15),
            above,
        ));
        let theirs = worst(AES.map(|cipher| figures.cpu_ratio(cipher, end)));
        claims.push(Claim::new(
            format!("AES-GCM, {end}'s CPU by OpenSSH's in its place"),
            AtMost(0.65),
            theirs,
        ));
        claims.push(Claim::new(
            format!("chacha20-poly1305, {end}'s CPU by OpenSSH's in its place"),
            AtMost(1.0),
            figures.cpu_ratio("chacha20-poly1305", end),
        ));
    }
    let speed = |pairs: &[[Contender; 2]]| {
        least(pairs.iter().flat_map(|pair| {
            WAYS.map(|way| {
                figures.against("bulk", *pair, &format!("aes128-gcm, {way}"), "mib_per_second")
            })
        }))
    };
    claims.extend([
        Claim::new(
            "AES-128-GCM, both ends ours, throughput by two null relays'",
            AtLeast(0.85),
            speed(&[[BOTH_OURS, Contender::TwoRelays]]),
        ),
        Claim::new(
            "AES-128-GCM, both ends ours, throughput by OpenSSH's pair",
            AtLeast(1.5),
            speed(&[[BOTH_OURS, THEIRS]]),
        ),
        Claim::new(
            "AES-128-GCM, one end ours, throughput by OpenSSH's pair",
            AtLeast(1.2),
            speed(&[[OUR_CLIENT, THEIRS], [OUR_SERVER, THEIRS]]),
        ),
    ]);
    claims
}

/// What an end takes by what relay and cipher take at least.
fn above_the_kernel(figures: &Figures<'_>, cipher: &str, way: &str, end: &str) -> Option<f64> {
    let case = format!("{cipher}, {way}");
    let ours = if end == "client" { OUR_CLIENT } else { OUR_SERVER };
    let relay = least(
        [Contender::Relay(1024), Contender::Relay(128)]
            .map(|relay| figures.of("bulk", relay, &case, "client_cpu")),
    )?;
    let pass = figures.0.figure("aead-pass", "one pass", cipher, "seconds_per_gib")?;
    ratio(figures.of("bulk", ours, &case, &format!("{end}_cpu")), Some(relay + pass))
}

fn calls(figures: &Figures<'_>) -> Vec<Claim> {
    let places = [(OUR_CLIENT, "client"), (OUR_SERVER, "server")];
    let calls = worst(places.into_iter().flat_map(|(who, end)| {
        WAYS.map(|way| figures.of("system-calls", who, &format!("{end}, {way}"), "per_gib"))
    }));
    vec![Claim::new("system calls per GiB and process", AtMost(20_000.0), calls)]
}

fn long_lines(figures: &Figures<'_>) -> Vec<Claim> {
    let share = |who: Contender, ways: &[&str]| {
        let cases = [50, 100, 200]
            .into_iter()
            .flat_map(|trip| ways.iter().map(move |way| format!("{trip:>3} ms, {way}")));
        least(cases.map(|case| {
            figures.against("long-path", [who, Contender::TwoRelays], &case, "mib_per_second")
        }))
    };
    let ping = |way: &str| {
        let of = |case: &str| figures.of("bloat", BOTH_OURS, case, "p50_ms");
        ratio(of(way), of("idle"))
    };
    vec![
        Claim::new(
            "long paths, both ends ours, by the path without SSH",
            AtLeast(0.8),
            share(BOTH_OURS, &WAYS),
        ),
        Claim::new(
            "long paths, download from sshd, by the path without SSH",
            AtLeast(0.8),
            share(OUR_CLIENT, &["down"]),
        ),
        Claim::new(
            "ping on a full line by ping on an idle one",
            AtMost(2.0),
            worst(WAYS.map(ping)),
        ),
        Claim::new(
            "share of the line that the stream keeps",
            AtLeast(0.95),
            least(WAYS.map(|way| figures.of("bloat", BOTH_OURS, way, "line_share"))),
        ),
    ]
}

fn pings(figures: &Figures<'_>) -> Vec<Claim> {
    let by_theirs =
        |case: &str, name: &str| figures.against("ping", [BOTH_OURS, THEIRS], case, name);
    let loaded = |name: &str| worst(WAYS.map(|way| by_theirs(way, name)));
    vec![
        Claim::new("idle ping, p50, by OpenSSH's pair", AtMost(1.0), by_theirs("idle", "p50_us")),
        Claim::new("ping beside a stream, p50, by OpenSSH's pair", AtMost(0.5), loaded("p50_us")),
        Claim::new("ping beside a stream, p99, by OpenSSH's pair", AtMost(0.5), loaded("p99_us")),
    ]
}

fn channels(figures: &Figures<'_>) -> Vec<Claim> {
    let places = [(OUR_CLIENT, "client"), (OUR_SERVER, "server")];
    let new =
        worst(places.map(|(who, end)| figures.of("connections", who, "64", &format!("{end}_us"))));
    let of = |(who, end): (Contender, &str), count: usize, name: &str| {
        figures.of("channels", who, &format!("{count:>5}"), &name.replace("END", end))
    };
    // Thousands of channels are minutes of OpenSSH's time.
    let alone = ["client", "server"].map(|end| (BOTH_OURS, end));
    let most = figures.0.most("channels").unwrap_or(10_000);
    let growth = |place| ratio(of(place, most, "open_END_us"), of(place, 100, "open_END_us"));
    vec![
        Claim::new("µs of CPU per new connection and side, 64 at once", AtMost(60.0), new),
        Claim::new(
            format!("cost of one more channel with {most} open by the cost with 100"),
            AtMost(1.2),
            worst(alone.map(growth)),
        ),
        Claim::new(
            "KiB per idle channel",
            AtMost(1.0),
            worst(alone.map(|place| of(place, most, "END_kib"))),
        ),
    ]
}

fn footprint(figures: &Figures<'_>) -> Vec<Claim> {
    let direct =
        |what: &str, who: &str, case: &str, name: &str| figures.0.figure(what, who, case, name);
    let streams = figures.of("fairness", BOTH_OURS, "1000", "jain");
    let crowd = figures.0.most("crowd").unwrap_or(10_000);
    vec![
        Claim::new(
            format!("KiB of aditd per idle connection with one -R, {crowd} of them"),
            AtMost(16.0),
            direct("crowd", "aditd", &crowd.to_string(), "pss_kib"),
        ),
        Claim::new(
            "KiB of an idle adit",
            AtMost(1536.0),
            figures.of("idle-client", OUR_CLIENT, "", "pss_kib"),
        ),
        Claim::new(
            "round trips from adit's start to the first byte back from sshd",
            AtMost(4.2),
            figures.of("handshake", OUR_CLIENT, "", "round_trips_to_echo"),
        ),
        Claim::new(
            "KiB of the adit program",
            AtMost(1171.0),
            direct("binary-size", "adit", "", "kib"),
        ),
        Claim::new(
            "KiB of the adit program for small devices",
            AtMost(781.0),
            direct("binary-size", "adit, constrained", "", "kib"),
        ),
        Claim::new("fairness of 1,000 streams (Jain's index)", AtLeast(0.95), streams),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::row::Row;
    use super::*;

    fn bulk_row(who: Contender, way: &str, client: f64) -> Row {
        let row = Row::new("bulk", who.name()).case("cipher", "aes128-gcm").case("way", way);
        row.figure("client_cpu", client)
    }

    #[test]
    fn of_two_directions_the_worse_counts() {
        let rows = [
            bulk_row(OUR_CLIENT, "up", 0.5),
            bulk_row(THEIRS, "up", 1.0),
            bulk_row(OUR_CLIENT, "down", 0.9),
            bulk_row(THEIRS, "down", 1.0),
        ];
        let summary = Summary::of(&rows);
        assert_eq!(Figures(&summary).cpu_ratio("aes128-gcm", "client"), Some(0.9));
        assert_eq!(Figures(&summary).cpu_ratio("aes256-gcm", "client"), None);
    }

    #[test]
    fn a_claim_holds_breaks_or_was_not_measured() {
        assert_eq!(Claim::new("x", AtMost(1.0), Some(1.0)).holds(), Some(true));
        assert_eq!(Claim::new("x", AtLeast(1.0), Some(0.9)).holds(), Some(false));
        assert_eq!(Claim::new("x", AtMost(1.0), None).holds(), None);
    }

    #[test]
    fn an_empty_run_claims_nothing() {
        assert!(claims(&Summary::of(&[])).iter().all(|claim| claim.holds().is_none()));
    }
}
