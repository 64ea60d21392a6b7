//! Which pictures a report has, and which figures each shows.
//! Touches: a summary.   Never: how it is drawn.
//! Invariants: ours come first, ceilings last.
//! Errors: none.   Allocates: freely.
//! Proved by: `super::tests`.

use super::{Picture, bars::Bars, lines::Lines};
use crate::bench::{
    contender::{CEILINGS, Contender, OURS, RIVALS},
    summary::Summary,
    targets::WAYS,
};

/// File name and picture.
pub(super) fn all(summary: &Summary<'_>) -> Vec<(String, Box<dyn Picture>)> {
    let mut pictures: Vec<(String, Box<dyn Picture>)> = Vec::new();
    for way in WAYS {
        pictures.push((format!("throughput-{way}"), Box::new(throughput(summary, way))));
    }
    pictures.push(("cpu".into(), Box::new(cpu(summary))));
    for way in WAYS {
        pictures.push((format!("long-path-{way}"), Box::new(long_path(summary, way))));
    }
    pictures.push(("ping".into(), Box::new(ping(summary))));
    pictures.push(("bloat".into(), Box::new(bloat(summary))));
    for end in ["client", "server"] {
        pictures.push((format!("channels-{end}"), Box::new(channels(summary, end))));
    }
    pictures
}

fn everybody() -> Vec<Contender> {
    [&OURS[..], &RIVALS, &CEILINGS].concat()
}

/// A row for each contender with at least one of the parts.
fn rows(part: impl Fn(&str) -> Vec<Option<f64>>) -> Vec<(String, Vec<Option<f64>>)> {
    let rows = everybody().into_iter().map(|who| (who.name(), part(&who.name())));
    rows.filter(|(_, parts)| parts.iter().any(Option::is_some)).collect()
}

fn throughput(summary: &Summary<'_>, way: &str) -> Bars {
    let ciphers = ["aes128-gcm", "aes256-gcm", "chacha20-poly1305"];
    let part = |who: &str| {
        let of =
            |cipher| summary.figure("bulk", who, &format!("{cipher}, {way}"), "mib_per_second");
        ciphers.map(of).to_vec()
    };
    Bars {
        title: format!("One stream through -L, {way}"),
        unit: "MiB/s",
        parts: ciphers.to_vec(),
        stacked: false,
        rows: rows(part),
    }
}

fn cpu(summary: &Summary<'_>) -> Bars {
    let mut rows = Vec::new();
    for who in everybody() {
        for end in ["client", "server"] {
            for way in WAYS {
                let case = format!("aes128-gcm, {way}");
                let of = |kind: &str| {
                    summary.figure("bulk", &who.name(), &case, &format!("{end}_{kind}"))
                };
                let parts = ["user", "system"].map(of).to_vec();
                if parts.iter().any(Option::is_some) {
                    rows.push((format!("{}: {end}, {way}", who.name()), parts));
                }
            }
        }
    }
    Bars {
        title: "Processor seconds per GiB, AES-128-GCM".into(),
        unit: "s/GiB",
        parts: vec!["user", "system"],
        stacked: true,
        rows,
    }
}

fn ping(summary: &Summary<'_>) -> Bars {
    let cases = ["idle", "down", "up"];
    let part = |who: &str| cases.map(|case| summary.figure("ping", who, case, "p50_us")).to_vec();
    Bars {
        title: "A byte's round trip over loopback, median".into(),
        unit: "µs",
        parts: vec!["idle", "beside a download", "beside an upload"],
        stacked: false,
        rows: rows(part),
    }
}

fn bloat(summary: &Summary<'_>) -> Bars {
    let cases = ["idle", "down", "up"];
    let part = |who: &str| cases.map(|case| summary.figure("bloat", who, case, "p50_ms")).to_vec();
    Bars {
        title: "A byte's round trip on a line of 100 Mbit/s and 20 ms, median".into(),
        unit: "ms",
        parts: vec!["idle", "beside a download", "beside an upload"],
        stacked: false,
        rows: rows(part),
    }
}

/// Points of one measurement, by the number that its case begins with.
fn points(
    summary: &Summary<'_>,
    measurement: &str,
    who: &str,
    figure: &str,
    fits: impl Fn(&str) -> bool,
) -> Vec<(f64, f64)> {
    let cells = summary.of_measurement(measurement).into_iter();
    cells
        .filter(|cell| cell.who == who && fits(&cell.case))
        .filter_map(|cell| {
            let x = cell.case.split_whitespace().next()?.parse().ok()?;
            Some((x, cell.spread(figure)?.median))
        })
        .collect()
}

fn long_path(summary: &Summary<'_>, way: &str) -> Lines {
    let of = |who: Contender| {
        let name = who.name();
        let fits = |case: &str| case.ends_with(way);
        let points = points(summary, "long-path", &name, "mib_per_second", fits);
        (name, points)
    };
    Lines {
        title: format!("One stream over 1 Gbit/s and a long way, {way}"),
        x: "round trip, ms",
        y: "MiB/s",
        series: everybody().into_iter().map(of).filter(|(_, points)| !points.is_empty()).collect(),
    }
}

fn channels(summary: &Summary<'_>, end: &str) -> Lines {
    let of = |who: Contender| {
        let name = who.name();
        let each = points(summary, "channels", &name, &format!("{end}_kib"), |_| true);
        // What takes nothing has no place on a logarithmic axis.
        let all = each.into_iter().filter(|(_, kib)| *kib > 0.0);
        (name, all.map(|(count, kib)| (count, count * kib / 1024.0)).collect::<Vec<_>>())
    };
    Lines {
        title: format!("Memory of idle channels, {end}"),
        x: "channels",
        y: "MiB",
        series: everybody().into_iter().map(of).filter(|(_, points)| !points.is_empty()).collect(),
    }
}
