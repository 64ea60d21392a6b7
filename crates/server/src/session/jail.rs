//! ChrootDirectory: a root that its user cannot rearrange. sshd_config(5).
//! Touches: the root directory of this process.   Never: that of a process with other work.
//! Invariants: every directory on the way is root's, and nobody else can write to it.
//! Errors: words that name the directory and what is wrong with it.   Allocates: per component.
//! Proved by: `tests` below, `tests/launch.rs`.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Group and others may write.
const WRITABLE: u32 = 0o022;

/// Makes `directory` the root of this process.
///
/// # Errors
/// Words for the user.
pub(super) fn enter(directory: &Path) -> Result<(), String> {
    check(directory)?;
    rustix::process::chroot(directory).and_then(|()| rustix::process::chdir("/")).map_err(|error| {
        format!("ChrootDirectory {}: {}", directory.display(), std::io::Error::from(error))
    })
}

/// Whether `directory` and all above it are safe.
///
/// # Errors
/// Words for the user.
pub(crate) fn check(directory: &Path) -> Result<(), String> {
    let wrong = |at: &Path, what: &str| {
        Err(format!("ChrootDirectory {}: {} {what}", directory.display(), at.display()))
    };
    if !directory.is_absolute() {
        return wrong(directory, "does not begin with /");
    }
    let mut ways: Vec<&Path> = directory.ancestors().collect();
    ways.reverse();
    for at in ways {
        let Ok(found) = at.metadata() else { return wrong(at, "is not there") };
        if !found.is_dir() {
            return wrong(at, "is no directory");
        }
        if found.uid() != 0 {
            return wrong(at, "does not belong to root");
        }
        if found.mode() & WRITABLE != 0 {
            return wrong(at, "can be written to by others than root");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_that_others_can_rearrange_is_refused_with_the_reason() {
        for (directory, wrong) in [
            ("relative", "does not begin with /"),
            ("/does/not/exist", "/does is not there"),
            ("/etc/passwd", "/etc/passwd is no directory"),
            ("/tmp", "/tmp can be written to by others"),
        ] {
            let words = check(Path::new(directory)).unwrap_err();
            assert!(words.contains(wrong), "{words}");
        }
        assert_eq!(check(Path::new("/usr/bin")), Ok(()));
    }
}
