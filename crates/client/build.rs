//! Leaves the tables for unwinding out of a program that never unwinds: a tenth of it.
//! Touches: how a release is linked.   Never: what is compiled; development builds and those with debug information.
//! Invariants: without its tables a program that does unwind after all aborts, which is what a release does anyway.
//! Errors: none; where the linker may not know the script, the program keeps its tables.   Allocates: paths.
//! Proved by: `cargo xtask bench binary-size`, which starts what it has weighed.
//!
//! The compiler writes them on Linux even with `panic = "abort"`, for backtraces of other programs, which find no
//! names in a stripped program. `-C force-unwind-tables=no` would leave those of the standard library.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=without-unwind-tables.ld");
    println!("cargo::rerun-if-env-changed=RUSTC_LINKER");
    if is_release() && is_gnu_linux() && links_as_usual() {
        let folder = env::var("CARGO_MANIFEST_DIR").expect("cargo names the folder");
        println!("cargo::rustc-link-arg-bins=-Wl,-T,{folder}/without-unwind-tables.ld");
    }
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_default()
}

fn is_release() -> bool {
    variable("PROFILE") == "release" && variable("DEBUG") == "false"
}

/// The two linkers that rustc takes by itself there, GNU's and LLVM's, know such scripts.
fn is_gnu_linux() -> bool {
    variable("CARGO_CFG_TARGET_OS") == "linux" && variable("CARGO_CFG_TARGET_ENV") == "gnu"
}

/// Nobody has chosen another linker.
fn links_as_usual() -> bool {
    let flags = variable("CARGO_ENCODED_RUSTFLAGS");
    let chosen = ["linker", "fuse-ld", "ld-path"].iter().any(|word| flags.contains(word));
    variable("RUSTC_LINKER").is_empty() && !chosen
}
