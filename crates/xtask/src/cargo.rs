//! Calling cargo from the workspace's root.
//! Touches: `cargo`, the path of this package.   Never: a target folder but the workspace's.
//! Invariants: every call runs in the root.
//! Errors: none of its own.   Allocates: arguments.
//! Proved by: every verb.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

/// The workspace's root.
pub(crate) fn root() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().nth(2).expect("crates/xtask is two folders below the root")
}

/// A call of the cargo that runs this.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    command.args(arguments).current_dir(root());
    command
}

/// A call of cargo in the nightly toolchain, which the fuzzer needs.
pub(crate) fn nightly(arguments: &[&str]) -> Command {
    let mut command = Command::new("rustup");
    // `cargo xtask` sets these for its own toolchain; they would win over `rustup run`.
    command.env_remove("CARGO").env_remove("RUSTUP_TOOLCHAIN").env_remove("RUSTC");
    command.args(["run", "nightly", "cargo"]).args(arguments).current_dir(root());
    command
}

/// Where cargo puts what it builds.
pub(crate) fn target_folder() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| root().join("target"), |folder| root().join(folder))
}
