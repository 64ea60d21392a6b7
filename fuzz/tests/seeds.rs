//! Every seed, and everything the fuzzer ever found, through its target: on stable, without the fuzzer.

use adit_fuzz::TARGETS;
use std::{collections::BTreeSet, fs, path::Path};

fn names_in(folder: &str, suffix: &str) -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let files =
        fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    files
        .map(|file| file.expect("a listed file").file_name().to_string_lossy().replace(suffix, ""))
        .collect()
}

#[test]
fn every_seed_passes_through_its_target() {
    for (name, target) in TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
        let seeds: Vec<_> = fs::read_dir(&folder).into_iter().flatten().flatten().collect();
        assert!(!seeds.is_empty(), "{} has no seed", folder.display());
        for seed in seeds {
            let bytes = fs::read(seed.path()).expect("a listed file");
            target(&bytes);
            // Half of it, too: what is cut off is the commonest hostile input.
            target(&bytes[..bytes.len() / 2]);
        }
    }
}

#[test]
fn every_target_has_its_shell_and_its_seeds() {
    let targets: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names_in("fuzz_targets", ".rs"), targets);
    assert_eq!(names_in("corpus", ""), targets);
}
