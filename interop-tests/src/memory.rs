//! All that a running process could read of its own memory and write to, looked through for bytes that should not be there.
//! Touches: `/proc`.   Never: what it finds.
//! Invariants: a process that may not be looked into skips the test aloud.
//! Errors: none.   Allocates: a copy of that memory.
//! Proved by: the tests that use it, each of which also looks for something that is there.

use crate::{child::Guarded, skip::skip};
use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
};

/// A copy of a process's memory.
#[derive(Debug)]
pub struct Memory(Vec<(String, Vec<u8>)>);

impl Memory {
    /// Everything the process can write to; nothing where this user may not look.
    pub fn of(process: &Guarded) -> Option<Self> {
        let folder = format!("/proc/{}", process.pid());
        let maps = fs::read_to_string(format!("{folder}/maps")).ok();
        let (Some(maps), Ok(file)) = (maps, File::open(format!("{folder}/mem"))) else {
            skip("nobody but root reads the memory of a process that forbids it");
            return None;
        };
        let writable = maps.lines().filter(|line| line.contains(" rw"));
        let regions = writable.filter_map(|line| {
            let (from, to) = line.split_once(' ')?.0.split_once('-')?;
            let (from, to) =
                (u64::from_str_radix(from, 16).ok()?, u64::from_str_radix(to, 16).ok()?);
            let mut bytes = vec![0; usize::try_from(to - from).ok()?];
            file.read_exact_at(&mut bytes, from).is_ok().then(|| (line.to_owned(), bytes))
        });
        Some(Self(regions.collect()))
    }

    /// Whether these bytes are in it somewhere.
    pub fn holds(&self, wanted: &[u8]) -> bool {
        self.place_of(wanted).is_some()
    }

    /// In which part of it these bytes are, as `/proc/PID/maps` describes it.
    pub fn place_of(&self, wanted: &[u8]) -> Option<&str> {
        let has = |bytes: &[u8]| bytes.windows(wanted.len()).any(|window| window == wanted);
        self.0.iter().find(|(_, bytes)| has(bytes)).map(|(place, _)| place.as_str())
    }
}
