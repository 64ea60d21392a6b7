//! `cargo xtask layers`: who may use whom, held against the crates as they are.
//! Touches: `cargo tree`, the first lines of each crate.   Never: tests' own dependencies.
//! Invariants: a package that is not in the table is an error; so is an edge that is not.
//! Errors: every forbidden edge by name.   Allocates: freely.
//! Proved by: `tests` below, CI.

use crate::{
    Outcome,
    cargo::{cargo, root},
};
use std::{collections::BTreeMap, fs};

/// One room: its package, its folder, whom it may use, and what it must promise.
struct Room {
    package: &'static str,
    folder: &'static str,
    may_use: &'static [&'static str],
    promises: &'static [&'static str],
}

const NO_STD: &str = "#![no_std]";
const NO_UNSAFE: &str = "#![forbid(unsafe_code)]";
const PURE: &[&str] = &[NO_STD, NO_UNSAFE];
const SAFE: &[&str] = &[NO_UNSAFE];

const fn room(
    package: &'static str,
    folder: &'static str,
    may_use: &'static [&'static str],
    promises: &'static [&'static str],
) -> Room {
    Room { package, folder, may_use, promises }
}

/// The arrows of the design, each room with all rooms it may name in its Cargo.toml.
const ROOMS: &[Room] = &[
    room("adit-wire", "crates/wire", &[], PURE),
    room("adit-pattern", "crates/pattern", &[], PURE),
    room("adit-buf", "crates/buf", &[], &[NO_STD]),
    room("adit-crypto", "crates/crypto", &["adit-wire"], PURE),
    room("adit-transport", "crates/transport", &["adit-wire", "adit-buf", "adit-crypto"], PURE),
    room("adit-auth", "crates/auth", &["adit-wire", "adit-buf"], PURE),
    room("adit-connection", "crates/connection", &["adit-wire", "adit-buf"], PURE),
    room(
        "adit-engine",
        "crates/engine",
        &[
            "adit-wire",
            "adit-buf",
            "adit-crypto",
            "adit-transport",
            "adit-auth",
            "adit-connection",
            "adit-keys",
        ],
        PURE,
    ),
    room("adit-keys", "crates/keys", &["adit-wire", "adit-crypto", "adit-pattern"], SAFE),
    room("adit-config", "crates/config", &["adit-forward", "adit-pattern"], SAFE),
    room("adit-reactor", "crates/reactor", &["adit-buf", "adit-engine"], &[]),
    room("adit-sandbox", "crates/sandbox", &[], SAFE),
    room("adit-forward", "crates/forward", &["adit-engine", "adit-reactor", "adit-pattern"], SAFE),
    room(
        "adit",
        "crates/client",
        &[
            "adit-auth",
            "adit-config",
            "adit-connection",
            "adit-crypto",
            "adit-engine",
            "adit-forward",
            "adit-keys",
            "adit-reactor",
            "adit-sandbox",
            "adit-transport",
        ],
        SAFE,
    ),
    room(
        "aditd",
        "crates/server",
        &[
            "adit-auth",
            "adit-config",
            "adit-connection",
            "adit-crypto",
            "adit-engine",
            "adit-forward",
            "adit-keys",
            "adit-pattern",
            "adit-reactor",
            "adit-sandbox",
            "adit-transport",
            // The keeper's language, and the login messages in it.
            "adit-wire",
        ],
        SAFE,
    ),
    room(
        "adit-testkit",
        "crates/testkit",
        &[
            "adit-wire",
            "adit-buf",
            "adit-crypto",
            "adit-transport",
            "adit-auth",
            "adit-connection",
            "adit-engine",
            "adit-keys",
        ],
        SAFE,
    ),
    // Measures rooms by themselves.
    room(
        "adit-benches",
        "benches",
        &["adit-buf", "adit-crypto", "adit-engine", "adit-testkit", "adit-transport"],
        SAFE,
    ),
    // Knows the products only by their binaries.
    room("adit-interop-tests", "interop-tests", &[], SAFE),
    // Records transcripts with the testkit's client; `scale` is a crowd of clients on one loop.
    room(
        "adit-xtask",
        "crates/xtask",
        &[
            "adit-crypto",
            "adit-engine",
            "adit-interop-tests",
            "adit-keys",
            "adit-reactor",
            "adit-testkit",
        ],
        SAFE,
    ),
];

/// Crates that bring an operating system with them; a room without std must not meet them, however far away.
const NOT_WITHOUT_STD: &[&str] =
    &["async-std", "mio", "nix", "polling", "rustix", "smol", "socket2", "tokio"];

/// Holds all packages of the workspace against the table.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    if !arguments.is_empty() {
        return Err("takes no arguments".into());
    }
    let edges = edges(&["--workspace", "--depth", "1"])?;
    let mut wrong = forbidden_edges(&edges);
    for room in ROOMS {
        wrong.extend(broken_promises(room));
        if room.promises.contains(&NO_STD) && edges.contains_key(room.package) {
            wrong.extend(operating_system_in(room)?);
        }
    }
    if wrong.is_empty() {
        let count: usize = edges.values().map(Vec::len).sum();
        println!("{} packages, {count} direct dependencies, all allowed", edges.len());
        return Ok(());
    }
    Err(wrong.join("\n"))
}

/// Package to direct dependencies.
type Edges = BTreeMap<String, Vec<String>>;

/// What `cargo tree` knows, with every feature on and tests' dependencies left out.
fn edges(selection: &[&str]) -> Result<Edges, String> {
    let common = [
        "tree",
        "--all-features",
        "--edges",
        "normal,build",
        "--prefix",
        "depth",
        "--format",
        " {p}",
    ];
    let output =
        cargo(&common).args(selection).output().map_err(|error| format!("cargo tree: {error}"))?;
    if !output.status.success() {
        return Err(format!("cargo tree: {}", String::from_utf8_lossy(&output.stderr).trim_end()));
    }
    Ok(parse(&String::from_utf8_lossy(&output.stdout)))
}

/// Lines are `depth name version …`; depth 0 starts a package, what is deeper belongs to it.
fn parse(tree: &str) -> Edges {
    let mut edges = Edges::new();
    let mut package = String::new();
    for line in tree.lines() {
        let mut words = line.split_whitespace();
        match (words.next(), words.next()) {
            (Some("0"), Some(name)) => {
                name.clone_into(&mut package);
                edges.entry(package.clone()).or_default();
            }
            (Some(_depth), Some(name)) => {
                edges.entry(package.clone()).or_default().push(name.to_owned())
            }
            _ => {}
        }
    }
    edges
}

fn forbidden_edges(edges: &Edges) -> Vec<String> {
    let mut wrong = Vec::new();
    for (package, uses) in edges {
        let Some(room) = ROOMS.iter().find(|room| room.package == package) else {
            wrong.push(format!("{package} is not in the table of crates/xtask/src/layers.rs"));
            continue;
        };
        let ours = uses.iter().filter(|name| ROOMS.iter().any(|room| room.package == *name));
        wrong.extend(
            ours.filter(|name| !room.may_use.contains(&name.as_str()))
                .map(|name| format!("forbidden: {package} -> {name}")),
        );
    }
    wrong
}

fn broken_promises(room: &Room) -> Vec<String> {
    let files = ["src/lib.rs", "src/main.rs"].map(|file| root().join(room.folder).join(file));
    let text: String = files.iter().filter_map(|file| fs::read_to_string(file).ok()).collect();
    let kept = |promise: &str| text.lines().any(|line| line.starts_with(promise));
    let broken = room.promises.iter().filter(|promise| !kept(promise));
    broken.map(|promise| format!("{} does not say {promise}", room.folder)).collect()
}

fn operating_system_in(room: &Room) -> Result<Vec<String>, String> {
    let all = edges(&["--package", room.package])?;
    let mut found: Vec<_> = all
        .into_values()
        .flatten()
        .filter(|name| NOT_WITHOUT_STD.contains(&name.as_str()))
        .collect();
    found.dedup();
    Ok(found
        .into_iter()
        .map(|name| format!("forbidden: {} -> … -> {name}", room.package))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forbidden_edge_is_named() {
        let tree = "0 adit-wire v0.1.0 (/x)\n1 adit-crypto v0.1.0 (/y)\n1 subtle v2.6.1\n\n0 adit-crypto v0.1.0 (/y)\n1 adit-wire v0.1.0 (/x)\n";
        assert_eq!(forbidden_edges(&parse(tree)), ["forbidden: adit-wire -> adit-crypto"]);
    }

    #[test]
    fn a_package_without_a_row_is_named() {
        let wrong = forbidden_edges(&parse("0 adit-novelty v0.1.0 (/x)\n"));
        assert_eq!(wrong, ["adit-novelty is not in the table of crates/xtask/src/layers.rs"]);
    }

    #[test]
    fn every_room_uses_only_rooms_of_the_table() {
        let known = |name: &&str| ROOMS.iter().any(|room| room.package == *name);
        assert!(ROOMS.iter().flat_map(|room| room.may_use).all(known));
    }
}
