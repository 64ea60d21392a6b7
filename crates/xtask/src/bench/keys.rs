//! The throw-away keys of a run, and the files that servers and clients read them from.
//! Touches: a scratch folder, a folder of a root folder.   Never: the user's keys.
//! Invariants: one host key and one user key for all, so that nobody pays for a larger one.
//! Errors: a sentence.   Allocates: paths.
//! Proved by: running it.

use super::root_folder::{Lodging, RootFolder};
use adit_interop_tests::keys::{ED25519, generate, public_key};
use adit_interop_tests::scratch::Scratch;
use adit_testkit::keys;
use std::{
    fs,
    path::{Path, PathBuf},
};

const FILES: [&str; 6] =
    ["host-key", "host-key.pub", "user-key", "user-key.pub", "authorized_keys", "known_hosts"];

/// Where somebody finds the keys.
#[derive(Debug)]
pub(crate) struct Keys {
    scratch: Scratch,
    /// The same in the newer root folder, if there is one.
    lodging: Option<Lodging>,
}

impl Keys {
    pub(crate) fn make(root: Option<&RootFolder>) -> Result<Self, String> {
        let scratch = Scratch::new();
        let host = generate(&scratch.join("host-key"), ED25519, "");
        let user = generate(&scratch.join("user-key"), ED25519, "");
        // The crowd of idle connections comes with the testkit's key.
        let crowd = adit_keys::public::encode(&keys::key(1).public_blob());
        scratch.write("authorized_keys", format!("{}\n{crowd}\n", public_key(&user)));
        scratch.write("known_hosts", format!("* {}\n", public_key(&host)));
        let lodging = root.map(RootFolder::scratch).transpose()?;
        if let Some(lodging) = &lodging {
            lodge(&scratch, &lodging.outside)?;
        }
        Ok(Self { scratch, lodging })
    }

    /// The folder with the keys as this machine's programs see it.
    pub(crate) fn here(&self) -> &Path {
        self.scratch.path()
    }

    /// The folder as the newer root folder's programs see it, and as we see the same.
    pub(crate) fn lodged(&self) -> Result<[&PathBuf; 2], String> {
        let lodging = self.lodging.as_ref().ok_or("no newer root folder")?;
        Ok([&lodging.inside, &lodging.outside])
    }
}

fn lodge(from: &Scratch, to: &Path) -> Result<(), String> {
    FILES.iter().try_for_each(|name| {
        // Permissions come along.
        let copied = fs::copy(from.join(name), to.join(name));
        copied.map(drop).map_err(|error| format!("{name}: {error}"))
    })
}
