//! StrictModes: nobody but the user and root may be able to change a file, nor what leads to it. sshd_config(5).
//! Touches: the status of a file and of the directories above it.   Never: the file's content.
//! Invariants: the file that was opened is judged, not the one that now has its name; links are followed first.
//! Errors: `Unsafe`, in sshd's words.   Allocates: paths.
//! Proved by: `tests` below.

use std::fmt;
use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Why a file is not believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsafe(String);

impl Unsafe {
    /// What is wrong, without what follows from it.
    pub fn reason(&self) -> &str {
        &self.0
    }
}

/// Write permission for the group or for everybody.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// In such a directory nobody removes what is another's, but anybody adds.
const STICKY: u32 = 0o1000;

/// Whether only `uid` and root can have written the open file, and moved anything to its `path`.
///
/// Directories are judged upwards to and with `home`, where the path leads through it, else up to the root.
///
/// # Errors
/// [`Unsafe`].
pub fn check(file: &File, path: &Path, home: Option<&Path>, uid: u32) -> Result<(), Unsafe> {
    let status = file.metadata().map_err(|error| {
        Unsafe(format!("cannot stat file {}: {}", path.display(), crate::os_text(&error)))
    })?;
    check_status(&status, path, home, uid)
}

/// The same for a path that is to be run rather than opened.
///
/// # Errors
/// [`Unsafe`].
pub fn check_path(path: &Path, uid: u32) -> Result<(), Unsafe> {
    let status = path.metadata().map_err(|error| {
        Unsafe(format!("Could not stat {}: {}", path.display(), crate::os_text(&error)))
    })?;
    check_status(&status, path, None, uid)
}

fn check_status(
    status: &Metadata,
    path: &Path,
    home: Option<&Path>,
    uid: u32,
) -> Result<(), Unsafe> {
    let real = path.canonicalize().map_err(|error| {
        Unsafe(format!("realpath {} failed: {}", path.display(), crate::os_text(&error)))
    })?;
    let home = home.and_then(|home| home.canonicalize().ok());
    if !status.is_file() {
        return Err(Unsafe(format!("{} is not a regular file", real.display())));
    }
    if let Some(fault) = fault(status, uid) {
        let shown = real.display();
        return Err(Unsafe(format!("bad ownership or modes for file {shown}: {fault}")));
    }
    for directory in real.ancestors().skip(1) {
        let fault = match directory.metadata() {
            Ok(status) => fault(&status, uid),
            Err(error) => Some(crate::os_text(&error)),
        };
        if let Some(fault) = fault {
            let shown = directory.display();
            return Err(Unsafe(format!("bad ownership or modes for directory {shown}: {fault}")));
        }
        if home.as_deref() == Some(directory) {
            break;
        }
    }
    Ok(())
}

/// What is wrong, and what to do about it.
fn fault(status: &Metadata, uid: u32) -> Option<String> {
    let (owner, mode) = (status.uid(), status.mode());
    if ![0, uid].contains(&owner) {
        return Some(format!("its owner is user {owner}, neither root nor user {uid}"));
    }
    match mode & WRITABLE_BY_OTHERS {
        0 => None,
        // It is meant to be so: /tmp.
        _ if mode & STICKY != 0 => Some(
            "others can write to it, as they should; keep the keys elsewhere, or set StrictModes no"
                .to_owned(),
        ),
        _ => Some(format!("others can write to it, mode {:o}; chmod go-w", mode & 0o7777)),
    }
}

impl fmt::Display for Unsafe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authentication refused: {}", self.0)
    }
}

impl std::error::Error for Unsafe {}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;
    use crate::testing::Scratch;

    fn own_uid() -> u32 {
        rustix::process::geteuid().as_raw()
    }

    fn chmod(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    /// `home/.ssh/authorized_keys`, and what is said of it.
    fn judged(scratch: &Scratch, uid: u32) -> Result<(), String> {
        let home = scratch.path().join("home");
        let path = home.join(".ssh/authorized_keys");
        check(&File::open(&path).unwrap(), &path, Some(&home), uid)
            .map_err(|error| error.to_string().replace(&scratch.path().display().to_string(), ""))
    }

    fn home(name: &str) -> Scratch {
        let scratch = Scratch::new(name);
        let ssh = scratch.path().join("home/.ssh");
        fs::create_dir_all(&ssh).unwrap();
        fs::write(ssh.join("authorized_keys"), "").unwrap();
        for path in [scratch.path().join("home"), ssh.clone()] {
            chmod(&path, 0o755);
        }
        chmod(&ssh.join("authorized_keys"), 0o644);
        scratch
    }

    #[test]
    fn whatever_others_can_write_is_refused_up_to_the_home() {
        let scratch = home("strict");
        assert_eq!(judged(&scratch, own_uid()), Ok(()));
        for (path, kind) in [
            ("home/.ssh/authorized_keys", "file"),
            ("home/.ssh", "directory"),
            ("home", "directory"),
        ] {
            let full = scratch.path().join(path);
            for (mode, advice) in [
                (0o775, "others can write to it, mode 775; chmod go-w"),
                (0o757, "others can write to it, mode 757; chmod go-w"),
                (
                    0o1777,
                    "others can write to it, as they should; keep the keys elsewhere, or set StrictModes no",
                ),
            ] {
                chmod(&full, mode);
                let expected = format!(
                    "Authentication refused: bad ownership or modes for {kind} /{path}: {advice}"
                );
                assert_eq!(judged(&scratch, own_uid()), Err(expected));
            }
            chmod(&full, 0o755);
        }
        // What is above the home is not the user's to answer for.
        chmod(scratch.path(), 0o777);
        assert_eq!(judged(&scratch, own_uid()), Ok(()));
    }

    #[test]
    fn a_path_around_the_home_is_judged_up_to_the_root() {
        let scratch = home("strict-outside");
        let outside = scratch.path().join("outside");
        fs::write(&outside, "").unwrap();
        chmod(scratch.path(), 0o777);
        let link = scratch.path().join("home/.ssh/link");
        symlink(&outside, &link).unwrap();
        let home = scratch.path().join("home");
        let error = check(&File::open(&link).unwrap(), &link, Some(&home), own_uid()).unwrap_err();
        assert!(error.to_string().contains("bad ownership or modes for directory"), "{error}");
    }

    #[test]
    fn the_file_must_be_the_user_s_or_root_s() {
        let scratch = home("strict-owner");
        let stranger = own_uid() + 1;
        match own_uid() {
            0 => assert_eq!(judged(&scratch, stranger), Ok(())),
            _ => assert!(judged(&scratch, stranger).is_err()),
        }
        if own_uid() == 0 {
            let path = scratch.path().join("home/.ssh/authorized_keys");
            std::os::unix::fs::chown(path, Some(stranger), None).unwrap();
            assert_eq!(judged(&scratch, stranger), Ok(()));
            assert!(judged(&scratch, stranger + 1).is_err());
        } else {
            eprintln!("SKIPPED: only root can give a file away");
        }
    }

    #[test]
    fn only_regular_files_are_keys() {
        let scratch = home("strict-kind");
        let ssh = scratch.path().join("home/.ssh");
        let error = check(&File::open(&ssh).unwrap(), &ssh, None, own_uid()).unwrap_err();
        assert!(error.to_string().ends_with(".ssh is not a regular file"), "{error}");
    }
}
