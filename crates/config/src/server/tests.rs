//! What lines of sshd_config do: files and questions that the tests below share.
//! Touches: texts in memory.   Never: the system's configuration.
//! Invariants: what is asked for by name exists here only.
//! Errors: a failed test.   Allocates: freely.
//! Proved by: itself.

mod blocks;
mod errors;
mod files;
mod keywords;
mod shown;
mod values;

use super::*;
use crate::algorithms::AlgorithmSet;
use crate::row::{Row, Scope, Status};
use crate::types::{
    AddressFamily, AllowForwarding, AuthMethod, FingerprintHash, GatewayPorts, IpQos, LogFormat,
    LogLevel, PermitRootLogin, RekeyLimit, Role, StaleListener, SyslogFacility,
};
use adit_forward::{PermitListen, PermitOpen};
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

const SET: AlgorithmSet = AlgorithmSet {
    supported: &["chacha20-poly1305@openssh.com", "aes256-ctr", "ssh-ed25519", "old"],
    default: &["chacha20-poly1305@openssh.com", "aes256-ctr", "ssh-ed25519"],
};

static ALGORITHMS: Algorithms =
    Algorithms { ciphers: SET, macs: SET, kex: SET, signatures: SET, ca_signatures: SET };

const NOBODY: MatchContext<'static> = MatchContext {
    user: None,
    invalid_user: false,
    groups: &[],
    host: None,
    address: None,
    local_address: None,
    local_port: None,
};

/// Files that exist here only.
#[derive(Default)]
struct Texts(BTreeMap<PathBuf, String>);

impl Files for Texts {
    fn read(&self, path: &Path) -> io::Result<String> {
        self.0.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn matching(&self, pattern: &str) -> io::Result<Vec<PathBuf>> {
        let pattern = glob::Pattern::new(pattern)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        Ok(self.0.keys().filter(|path| pattern.matches_path(path)).cloned().collect())
    }

    fn current_folder(&self) -> PathBuf {
        "/here".into()
    }

    fn home(&self) -> Option<PathBuf> {
        Some("/home/ada".into())
    }
}

fn load_files(files: &[(&str, &str)]) -> Result<ServerConfig, Vec<String>> {
    load_with(files, &[])
}

/// The first file is the main one.
fn load_with(files: &[(&str, &str)], overrides: &[&str]) -> Result<ServerConfig, Vec<String>> {
    let texts = files.iter().map(|(name, text)| (PathBuf::from(name), (*text).to_owned()));
    let overrides: Vec<String> = overrides.iter().map(|&line| line.into()).collect();
    let main = files.first().map(|(name, _)| Path::new(*name));
    ServerConfig::load_from(&Texts(texts.collect()), main, &overrides, &ALGORITHMS)
        .map_err(|errors| errors.iter().map(ToString::to_string).collect())
}

fn load(text: &str) -> Result<ServerConfig, Vec<String>> {
    load_files(&[("/etc/ssh/sshd_config", text)])
}

fn options(text: &str) -> ServerOptions {
    load(text).unwrap().options(&NOBODY)
}

/// What is said of one line that is not usable.
fn error(line: &str) -> String {
    let errors = load_files(&[("c", line)]).unwrap_err();
    errors.into_iter().next().unwrap_or_default()
}

fn strings<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.map(Into::into).to_vec()
}

const ADA: MatchContext<'static> = MatchContext {
    user: Some("ada"),
    invalid_user: false,
    groups: &[],
    host: Some("Pi.Home.Example"),
    address: Some(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7))),
    local_address: Some(std::net::IpAddr::V6(std::net::Ipv6Addr::LOCALHOST)),
    local_port: Some(2222),
};
