//! What comes from elsewhere: licences, versions and sources held against `deny.toml`.
//! Touches: `cargo deny` where it is installed.   Never: its installation, the network.
//! Invariants: every direct dependency has its reason in docs/DECISIONS.md.
//! Errors: those of `cargo deny`.   Allocates: freely.
//! Proved by: `tests` below.

use crate::{
    cargo::cargo,
    report::{Report, succeeds},
};

/// Checks all that can be checked without a database of advisories, which CI fetches.
pub(crate) fn check(report: &mut Report) {
    if succeeds(&mut cargo(&["deny", "--version"])) {
        let checks = ["deny", "--offline", "check", "licenses", "bans", "sources"];
        report.command("licences, versions and sources", &mut cargo(&checks));
    } else {
        report.skip("licences, versions and sources: cargo-deny is not installed");
    }
}

#[cfg(test)]
mod tests {
    use crate::cargo::root;
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::PathBuf;

    /// Every Cargo.toml of the workspace.
    fn manifests() -> Vec<PathBuf> {
        let rooms = fs::read_dir(root().join("crates")).unwrap();
        let folders = rooms.map(|room| room.unwrap().path());
        let others = ["benches", "interop-tests"].map(|name| root().join(name));
        folders.chain(others).map(|folder| folder.join("Cargo.toml")).collect()
    }

    /// The names under every heading that ends in `dependencies`, without our own.
    fn dependencies(manifest: &str) -> BTreeSet<String> {
        let mut within = false;
        let mut names = BTreeSet::new();
        for line in manifest.lines() {
            if line.starts_with('[') {
                within = line.ends_with("dependencies]");
            } else if let (true, Some((name, _))) = (within, line.split_once(['.', ' ', '='])) {
                let is_name = !name.is_empty() && !name.starts_with("adit") && !name.contains('#');
                names.extend(is_name.then(|| name.to_owned()));
            }
        }
        names
    }

    #[test]
    fn names_are_found_under_every_kind_of_heading() {
        let manifest = "[package]\nname = \"x\"\n[dependencies]\nadit-wire.workspace = true\nmio.workspace = true\n# why\n\
                        aes = { version = \"1\" }\n\n[target.'cfg(unix)'.dev-dependencies]\nlibc=\"0.2\"\n[features]\nx = []\n";
        assert_eq!(dependencies(manifest), ["aes", "libc", "mio"].map(str::to_owned).into());
    }

    #[test]
    fn every_direct_dependency_has_its_reason() {
        let page = fs::read_to_string(root().join("docs/DECISIONS.md")).unwrap();
        let rows: Vec<_> = page.lines().filter(|line| line.starts_with("| `")).collect();
        for manifest in manifests() {
            for name in dependencies(&fs::read_to_string(&manifest).unwrap()) {
                let told = rows.iter().any(|row| row.contains(&format!("`{name}`")));
                assert!(told, "{}: {name} is in no table of docs/DECISIONS.md", manifest.display());
            }
        }
    }
}
