//! What several tests here need: files of their own, somebody who answers, keys.
//! Touches: a folder in the temporary directory.   Never: the user's files.
//! Invariants: a folder goes with its guard; an answer is given once.
//! Errors: panics.   Allocates: freely.
//! Proved by: the tests that use it.

use crate::algorithms::ALGORITHMS;
use crate::host_key::{Policy, Strict};
use crate::prompt::{Echo, Prompter};
use adit_config::{Options, Partial, Source, Surroundings};
use adit_crypto::SigningKey;
use adit_keys::fingerprint::FingerprintHash;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use zeroize::Zeroizing;

/// A folder of one test's own.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("adit-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

/// Answers in turn, then nobody; remembers what was asked.
#[derive(Clone, Default)]
pub(crate) struct Scripted {
    answers: Rc<RefCell<VecDeque<String>>>,
    asked: Rc<RefCell<Vec<String>>>,
}

impl Scripted {
    pub(crate) fn new(answers: &[&str]) -> Self {
        let answers = answers.iter().map(ToString::to_string).collect();
        Self { answers: Rc::new(RefCell::new(answers)), asked: Rc::default() }
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.take()
    }
}

impl Prompter for Scripted {
    fn ask(&self, text: &str, _: Echo) -> Option<Zeroizing<String>> {
        self.asked.borrow_mut().push(text.to_owned());
        self.answers.borrow_mut().pop_front().map(Zeroizing::new)
    }
}

/// What is the default, but for checking and files.
pub(crate) fn policy(strict: Strict, user_files: Vec<PathBuf>) -> Policy {
    Policy {
        strict,
        user_files,
        global_files: vec![],
        hash: false,
        alias: None,
        trust_localhost: false,
        fingerprint: FingerprintHash::Sha256,
        visual: false,
        revoked: None,
        rsa_bits: 1024,
        ca_algorithms: vec![],
    }
}

/// What is in force with these lines in front of the defaults.
pub(crate) fn options(lines: &[&str]) -> Options {
    let mut partial = Partial::new(&ALGORITHMS);
    for line in lines {
        partial.line(line, &Source::CommandLine).unwrap();
    }
    partial.with_defaults().unwrap()
}

/// An empty environment.
pub(crate) struct Nowhere;

impl Surroundings for Nowhere {
    fn variable(&self, _: &str) -> Option<String> {
        None
    }

    fn home(&self, _: Option<&str>) -> Option<String> {
        None
    }
}

/// A key of no worth.
pub(crate) fn key(seed: u8) -> SigningKey {
    SigningKey::ed25519(&[seed; 32])
}
