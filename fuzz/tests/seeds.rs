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

/// What was recorded is read only where nothing is encrypted; `cargo xtask test` sees to that.
#[cfg(fuzzing)]
#[test]
fn recorded_connections_come_as_far_as_channels() {
    use adit_testkit::Seen;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/session_bytes");
    let mut recorded = 0;
    for seed in fs::read_dir(folder).expect("there are seeds").flatten() {
        if !seed.file_name().to_string_lossy().contains("-hears-") {
            continue;
        }
        let seen = adit_fuzz::seen(&fs::read(seed.path()).expect("a listed file"));
        let is_channel = |seen: &Seen| {
            matches!(seen, Seen::Open { .. } | Seen::Opened(_) | Seen::OpenFailed { .. })
        };
        assert!(seen.contains(&Seen::Established), "{seed:?}: {seen:#?}");
        assert!(seen.iter().any(is_channel), "{seed:?}: {seen:#?}");
        recorded += 1;
    }
    assert!(recorded >= 10, "{recorded}");
}

#[test]
fn every_target_has_its_shell_and_its_seeds() {
    let targets: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names_in("fuzz_targets", ".rs"), targets);
    assert_eq!(names_in("corpus", ""), targets);
}
