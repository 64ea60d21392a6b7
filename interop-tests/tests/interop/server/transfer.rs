//! Programs that run through ssh: scp by either protocol, sftp, rsync, git.

use super::client_config;
use adit_interop_tests::{
    aditd, carry::MIB, pattern::Pattern, peers::installed, scratch::Scratch, sshd::Sshd,
};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

const LENGTH: u64 = 32 * MIB;

fn file(scratch: &Scratch, name: &str, seed: u64) -> PathBuf {
    let path = scratch.join(name);
    let created = File::create(&path).expect("our own folder");
    Pattern::new(seed).send(created, LENGTH, |_| ()).expect("room on the disk");
    path
}

fn assert_file(path: &Path, seed: u64) {
    let file = File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let count = Pattern::new(seed).verify(file, |_| ());
    assert_eq!(count.expect("the same bytes"), LENGTH, "{}", path.display());
}

fn succeeds(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}: {said}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A program that takes ssh's configuration file by `-F`.
fn with_config(program: &str, server: &Sshd) -> Command {
    let mut command = Command::new(program);
    command.arg("-F").arg(client_config(server)).env_remove("SSH_AUTH_SOCK");
    command
}

#[test]
fn scp_copies_both_ways_by_either_protocol() {
    let (server, scratch) = (aditd::start(), Scratch::new());
    let original = file(&scratch, "original", 1);
    // -O is the protocol of old, a remote command; without it there is the sftp subsystem.
    for protocol in ["-O", "-s"] {
        let (there, back) = (scratch.join("there"), scratch.join("back"));
        let remote = format!("target:{}", there.display());
        let mut up = with_config("scp", &server);
        succeeds(up.args(["-q", "-p", protocol]).arg(&original).arg(&remote));
        assert_file(&there, 1);
        let mut down = with_config("scp", &server);
        succeeds(down.args(["-q", protocol]).arg(&remote).arg(&back));
        assert_file(&back, 1);
        [there, back].iter().for_each(|path| fs::remove_file(path).expect("our own file"));
    }
}

#[test]
fn sftp_works_through_a_batch() {
    let (server, scratch) = (aditd::start(), Scratch::new());
    let original = file(&scratch, "original", 2);
    let folder = scratch.join("folder");
    let batch = format!(
        "mkdir {folder}\ncd {folder}\nput {original} there\nrename there renamed\nls -l\n\
         get renamed {back}\nrm renamed\ncd /\nrmdir {folder}\n",
        folder = folder.display(),
        original = original.display(),
        back = scratch.join("back").display()
    );
    let batch = scratch.write("batch", batch);
    let listing = succeeds(with_config("sftp", &server).arg("-b").arg(batch).arg("target"));
    assert!(listing.contains(&LENGTH.to_string()), "{listing}");
    assert_file(&scratch.join("back"), 2);
    assert!(!folder.exists());
}

#[test]
fn rsync_copies_a_folder_there_and_back() {
    let Some(rsync) = installed("rsync") else { return };
    let (server, scratch) = (aditd::start(), Scratch::new());
    let here = scratch.join("here");
    fs::create_dir(&here).expect("our own folder");
    fs::rename(file(&scratch, "a", 3), here.join("a")).expect("our own file");
    (0..200).for_each(|n| fs::write(here.join(format!("small-{n}")), n.to_string()).expect("room"));
    let shell = format!("ssh -F {}", client_config(&server).display());
    let folder = |name: &str| format!("{}/", scratch.join(name).display());
    let rsync = |from: &str, to: &str| {
        let mut command = Command::new(&rsync);
        succeeds(command.args(["--archive", "--delete", "--stats", "--rsh", &shell, from, to]))
    };
    rsync(&folder("here"), &format!("target:{}", folder("there")));
    rsync(&format!("target:{}", folder("there")), &folder("back"));
    assert_file(&scratch.join("back/a"), 3);
    assert_eq!(fs::read_to_string(scratch.join("back/small-199")).expect("copied"), "199");
    let again = rsync(&folder("here"), &format!("target:{}", folder("there")));
    assert!(again.contains("Number of regular files transferred: 0"), "{again}");
}

#[test]
fn git_clones_and_pushes() {
    let Some(git) = installed("git") else { return };
    let (server, scratch) = (aditd::start(), Scratch::new());
    let shell = format!("ssh -F {}", client_config(&server).display());
    let git = |folder: &Path, arguments: &[&str]| {
        let mut command = Command::new(&git);
        command.args(["-c", "user.name=Test", "-c", "user.email=test@example.org"]);
        command.args(["-c", "init.defaultBranch=main"]);
        command.env("GIT_SSH_COMMAND", &shell).env("GIT_CONFIG_GLOBAL", "/dev/null");
        succeeds(command.current_dir(folder).args(arguments))
    };
    let bare = scratch.join("bare.git");
    git(scratch.path(), &["init", "--quiet", "--bare", bare.to_str().expect("UTF-8")]);
    let remote = format!("target:{}", bare.display());
    git(scratch.path(), &["clone", "--quiet", &remote, "one"]);
    fs::rename(file(&scratch, "big", 4), scratch.join("one/big")).expect("our own file");
    git(&scratch.join("one"), &["add", "big"]);
    git(&scratch.join("one"), &["commit", "--quiet", "--message", "Add it"]);
    git(&scratch.join("one"), &["push", "--quiet", "origin", "HEAD"]);
    git(scratch.path(), &["clone", "--quiet", &remote, "two"]);
    assert_file(&scratch.join("two/big"), 4);
}
