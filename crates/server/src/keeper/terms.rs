//! The settings as they are handed over: files of the configuration as they were read, and the public halves of host keys.
//! Touches: files while they are read, memory in which they go over.   Never: private keys.
//! Invariants: what one process made of the files the other makes of them too; nothing is read a second time.
//! Errors: `io::Error`.   Allocates: the texts.
//! Proved by: `tests` below, interop `server::separation`.

use super::message::{Bytes, Item, Malformed, item_struct};
use crate::host::keys::HostKeyRing;
use adit_config::server::{Disk, Files};
use adit_wire::Reader;
use rustix::fs::{MemfdFlags, memfd_create};
use std::cell::RefCell;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// All that settings are made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(super) main: Option<Bytes>,
    pub(super) overrides: Vec<String>,
    pub(super) files: Recorded,
    /// Key blobs, each with its certificate.
    pub(super) host_keys: Vec<(Bytes, Option<Bytes>)>,
}

item_struct!(Terms { main, overrides, files, host_keys });

/// Files as they were.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Recorded {
    texts: Vec<(Bytes, String)>,
    patterns: Vec<(String, Vec<Bytes>)>,
    folder: Bytes,
    home: Option<Bytes>,
}

item_struct!(Recorded { texts, patterns, folder, home });

impl Terms {
    pub(crate) fn new(
        main: Option<&Path>,
        overrides: &[String],
        recorder: Recorder,
        keys: &HostKeyRing,
    ) -> Self {
        let host_keys = keys
            .public_halves()
            .map(|(key, certificate)| (Bytes(key), certificate.map(Bytes)))
            .collect();
        Self {
            main: main.map(bytes),
            overrides: overrides.to_vec(),
            files: recorder.into_recorded(),
            host_keys,
        }
    }

    /// As memory that can be handed over.
    pub(super) fn to_memory(&self) -> io::Result<OwnedFd> {
        let mut out = Vec::new();
        self.put(&mut out);
        let mut memory = File::from(memfd_create("settings", MemfdFlags::CLOEXEC)?);
        memory.write_all(&out)?;
        memory.rewind()?;
        Ok(memory.into())
    }

    pub(super) fn from_memory(memory: OwnedFd) -> io::Result<Self> {
        let mut text = Vec::new();
        File::from(memory).read_to_end(&mut text)?;
        let mut reader = Reader::new(&text);
        let read = Self::take(&mut reader);
        let whole = read.and_then(|terms| reader.finish().map(|()| terms).map_err(Malformed::from));
        whole.map_err(|_| io::ErrorKind::InvalidData.into())
    }

    /// The file named on the command line.
    pub(super) fn main(&self) -> Option<PathBuf> {
        self.main.as_ref().map(path)
    }
}

fn bytes(path: &Path) -> Bytes {
    Bytes(path.as_os_str().as_bytes().to_vec())
}

fn path(bytes: &Bytes) -> PathBuf {
    OsString::from_vec(bytes.0.clone()).into()
}

/// The files of this machine, remembered as they are read.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    recorded: RefCell<Recorded>,
}

impl Recorder {
    fn into_recorded(self) -> Recorded {
        let recorded = self.recorded.into_inner();
        Recorded {
            folder: bytes(&Disk.current_folder()),
            home: Disk.home().as_deref().map(bytes),
            ..recorded
        }
    }
}

impl Files for Recorder {
    fn read(&self, path: &Path) -> io::Result<String> {
        let text = Disk.read(path)?;
        self.recorded.borrow_mut().texts.push((bytes(path), text.clone()));
        Ok(text)
    }

    fn matching(&self, pattern: &str) -> io::Result<Vec<PathBuf>> {
        let paths = Disk.matching(pattern)?;
        let found = paths.iter().map(|path| bytes(path)).collect();
        self.recorded.borrow_mut().patterns.push((pattern.to_owned(), found));
        Ok(paths)
    }

    fn current_folder(&self) -> PathBuf {
        Disk.current_folder()
    }

    fn home(&self) -> Option<PathBuf> {
        Disk.home()
    }
}

impl Files for Recorded {
    fn read(&self, wanted: &Path) -> io::Result<String> {
        let wanted = bytes(wanted);
        let found = self.texts.iter().find(|(path, _)| *path == wanted);
        found.map(|(_, text)| text.clone()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn matching(&self, wanted: &str) -> io::Result<Vec<PathBuf>> {
        let found = self.patterns.iter().find(|(pattern, _)| pattern == wanted);
        Ok(found.map(|(_, paths)| paths.iter().map(path).collect()).unwrap_or_default())
    }

    fn current_folder(&self) -> PathBuf {
        path(&self.folder)
    }

    fn home(&self) -> Option<PathBuf> {
        self.home.as_ref().map(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithms::ALGORITHMS;
    use crate::host::testing::Scratch;
    use adit_config::server::ServerConfig;

    #[test]
    fn the_other_process_makes_of_the_files_what_this_one_did_though_they_are_gone() {
        let scratch = Scratch::new("terms");
        scratch.file("one.conf", "MaxSessions 7\n", 0o600);
        let include = format!(
            "Include {}\nMatch User ada\nMaxSessions 3\n",
            scratch.path("*.conf").display()
        );
        let main = scratch.file("sshd_config", &include, 0o600);
        let overrides = ["UsersFile users".to_owned()];
        let recorder = Recorder::default();
        let config =
            ServerConfig::load_from(&recorder, Some(&main), &overrides, &ALGORITHMS).unwrap();
        let keys = HostKeyRing::of(adit_testkit::keys::key(7));
        let terms = Terms::new(Some(&main), &overrides, recorder, &keys);
        drop(scratch);
        let over = Terms::from_memory(terms.to_memory().unwrap()).unwrap();
        assert_eq!(over, terms);
        let again = ServerConfig::load_from(
            &over.files,
            over.main().as_deref(),
            &over.overrides,
            &ALGORITHMS,
        );
        let again = again.unwrap().global_options();
        assert_eq!(again.dump(), config.global_options().dump());
        assert_eq!(again.max_sessions, 7);
        assert_eq!(over.host_keys.len(), 1);
    }
}
