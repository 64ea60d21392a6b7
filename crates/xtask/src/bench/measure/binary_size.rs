//! What a program takes of a disk, as it ships.
//! Touches: files of programs; cargo, for the build that nothing else wants.   Never: the libraries they load, which are told apart.
//! Invariants: ours are the release builds of this tree; the one for small devices has moved bytes through sshd.
//! Errors: a program that is not there has no row.   Allocates: rows.
//! Proved by: running it.

use crate::{
    Outcome,
    bench::{
        contender::{Cipher, ClientKind, Contender, ServerKind},
        measurement::Measurement,
        row::Row,
        run::Run,
    },
};
use std::{fs, path::PathBuf};

pub(crate) struct BinarySize;

impl Measurement for BinarySize {
    fn name(&self) -> &'static str {
        "binary-size"
    }

    fn what(&self) -> &'static str {
        "KiB of a stripped program; OpenSSH and Dropbear have libraries beside it"
    }

    fn run(&self, run: &mut Run) -> Outcome {
        run.fleet.programs.build_small_adit();
        let moved = run.passage(SMALL, Cipher::Aes128Gcm, None).is_some();
        for (name, path) in programs(run, moved) {
            let watch = run.watch();
            if let Ok(file) = fs::metadata(path) {
                let row = Row::new("binary-size", name);
                run.record(1, watch, row.figure("kib", file.len() as f64 / 1024.0));
            }
        }
        Ok(())
    }
}

/// A machine without sshd has no row of it.
const SMALL: Contender = Contender::Tunnel(ClientKind::SmallAdit, ServerKind::Sshd);

fn programs(run: &Run, small: bool) -> Vec<(&'static str, PathBuf)> {
    let programs = &run.fleet.programs;
    let mut found = vec![("adit", programs.adit.clone()), ("aditd", programs.aditd.clone())];
    let small = programs.small_adit.clone().ok().filter(|_| small);
    found.extend(small.map(|path| (ClientKind::SmallAdit.name(), path)));
    found.extend(programs.ssh.clone().map(|path| ("ssh", path)));
    found.extend(programs.sshd.clone().map(|path| ("sshd", path)));
    found.extend(programs.russh.clone().map(|path| ("russh", path)));
    if let Ok(root) = &programs.root {
        found.push(("newer ssh", root.outside("/usr/bin/ssh")));
        found.push(("newer sshd", root.outside("/usr/sbin/sshd")));
        // Where there are sessions of their own, the server is three programs.
        found.push(("newer sshd-session", root.outside("/usr/lib/openssh/sshd-session")));
        found.push(("dbclient", root.outside("/usr/bin/dbclient")));
        found.push(("dropbear", root.outside("/usr/sbin/dropbear")));
    }
    found
}
