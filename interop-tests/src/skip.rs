//! What could not run here is said aloud and counted.
//! Touches: standard error past the test runner's capture, the file named by `ADIT_SKIP_LOG`.   Never: silence.
//! Invariants: one line per skipped test.
//! Errors: none; a skip that cannot be written to the file is still on standard error.   Allocates: the line.
//! Proved by: `cargo xtask test`, which counts the lines.

use std::{
    env,
    fs::OpenOptions,
    io::{self, Write},
    thread,
};

/// Says that the test of the current thread does not run, and why.
pub fn skip(why: &str) {
    let thread = thread::current();
    let line = format!("SKIPPED: {}: {why}\n", thread.name().unwrap_or("a test"));
    // `eprintln!` would be captured with a passing test's output and never be seen.
    let _ = io::stderr().write_all(line.as_bytes());
    if let Some(path) = env::var_os("ADIT_SKIP_LOG") {
        let _ = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .and_then(|mut file| file.write_all(line.as_bytes()));
    }
}
