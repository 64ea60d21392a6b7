//! Where the C library's resolver looks: its files, its modules, and the folders these lead to. nsswitch.conf(5).
//! Touches: where `/etc/resolv.conf` leads.   Never: its content.
//! Invariants: folders, not files: a file that is replaced while we run is another file to Landlock.
//! Errors: none; what is not there is left out.   Allocates: a few paths.
//! Proved by: `tests` below, interop `remote_forward.rs` with names.

use std::fs;
use std::path::{Path, PathBuf};

/// Settings, libraries that are loaded late, and what name services leave for their readers.
const PLACES: [&str; 16] = [
    "/etc",
    "/lib",
    "/lib32",
    "/lib64",
    "/usr",
    "/nix/store",
    "/gnu/store",
    "/run/NetworkManager",
    "/run/connman",
    "/run/nscd",
    "/run/resolvconf",
    "/run/systemd/resolve",
    "/var/cache/nscd",
    "/var/db/nscd",
    "/var/lib/sss",
    "/sys/devices/system/cpu",
];

/// All that a look-up may want to read.
pub(crate) fn places() -> impl Iterator<Item = PathBuf> {
    let settings = fs::canonicalize("/etc/resolv.conf").ok();
    let folder = settings.as_deref().and_then(Path::parent).map(Path::to_owned);
    // A link to a file in the root would open everything.
    let folder = folder.filter(|folder| folder.parent().is_some());
    PLACES.into_iter().map(PathBuf::from).chain(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_that_resolv_conf_is_in_is_among_them() {
        match fs::canonicalize("/etc/resolv.conf") {
            Ok(file) => assert!(places().any(|place| file.starts_with(place)), "{file:?}"),
            Err(error) => eprintln!("SKIPPED: /etc/resolv.conf: {error}"),
        }
        assert!(!places().any(|place| place == Path::new("/")));
    }
}
