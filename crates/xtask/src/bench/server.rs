//! A server that is measured: started as an ordinary process, with the same keys and limits as the others.
//! Touches: a child process, configuration in a scratch folder.   Never: the machine's own servers.
//! Invariants: it listens when `start` returns; it and what descends from it is gone at drop.
//! Errors: a sentence with the server's words.   Allocates: paths.
//! Proved by: running it.

use super::{contender::ServerKind, keys::Keys, programs::Programs};
use crate::cargo::root;
use adit_interop_tests::{child::Guarded, deadline::within, ports::free_port, sshd::has_penalties};
use std::{
    env, fs,
    net::{Ipv4Addr, TcpStream},
    path::{Path, PathBuf},
    process::{self, Command},
    time::Duration,
};

/// One that runs.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) port: u16,
    pub(crate) process: Guarded,
    /// As it was started.
    pub(crate) command: String,
}

impl Server {
    pub(crate) fn start(
        kind: ServerKind,
        programs: &Programs,
        keys: &Keys,
    ) -> Result<Self, String> {
        let port = free_port();
        let mut command = match kind {
            ServerKind::Aditd => aditd(programs, keys, port)?,
            ServerKind::Sshd => sshd(programs, keys, port)?,
            ServerKind::NewerSshd => newer_sshd(programs, keys, port)?,
            ServerKind::Dropbear => dropbear(programs, keys, port)?,
        };
        let process = start(kind.name(), &mut command, port)?;
        let command = told(&command);
        Ok(Self { port, process, command })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }
}

/// A command line to read, not to run: nothing in it needs quotes, and nobody's folders are told.
pub(crate) fn told(command: &Command) -> String {
    let words = [command.get_program()].into_iter().chain(command.get_args());
    let line = words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
    let home = env::var("HOME").unwrap_or_else(|_| "/root".into());
    let scratch = format!("{}/adit-{}", env::temp_dir().display(), process::id());
    let folders =
        [(scratch.as_str(), "SCRATCH"), (&root().display().to_string(), "."), (&home, "~")];
    folders.iter().fold(line, |line, (folder, name)| line.replace(folder, name))
}

/// Starts a program and waits until somebody listens at `port`.
pub(crate) fn start(name: &str, command: &mut Command, port: u16) -> Result<Guarded, String> {
    let mut process = Guarded::start(name, command);
    // Asking the kernel who listens takes long while thousands of closed connections linger; a knock does not.
    let listens = within(Duration::from_secs(20), || {
        if process.ended().is_some() {
            return Some(false);
        }
        TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok().then_some(true)
    });
    if listens == Some(true) {
        return Ok(process);
    }
    Err(format!("{name} does not listen: {}", process.stderr.text().trim_end()))
}

/// sshd_config that all of OpenSSH's kind take.
fn config(folder: &Path, port: u16, own: &str) -> String {
    let folder = folder.display();
    format!(
        "HostKey {folder}/host-key\nAuthorizedKeysFile {folder}/authorized_keys\n\
         Port {port}\nListenAddress 127.0.0.1\nPidFile none\nStrictModes no\nPermitRootLogin yes\n\
         MaxStartups 10000\nLogLevel ERROR\n{own}"
    )
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

fn aditd(programs: &Programs, keys: &Keys, port: u16) -> Result<Command, String> {
    let path = keys.here().join("aditd_config");
    write(&path, &config(keys.here(), port, "Role user\nPerSourcePenalties no\n"))?;
    let mut command = Command::new(&programs.aditd);
    command.args(["-D", "-e", "-f"]).arg(path);
    Ok(command)
}

const NO_PENALTIES: &str = "PerSourcePenalties no\n";

fn sshd(programs: &Programs, keys: &Keys, port: u16) -> Result<Command, String> {
    let program = programs.sshd.as_ref().ok_or("sshd is not installed")?;
    let own = if has_penalties(program) { NO_PENALTIES } else { "" };
    let path = keys.here().join("sshd_config");
    write(&path, &config(keys.here(), port, own))?;
    // Where root starts it, it wants this folder; a service manager would have made it.
    let _ = fs::create_dir_all("/run/sshd");
    let mut command = Command::new(program);
    command.args(["-D", "-e", "-f"]).arg(path);
    Ok(command)
}

fn newer_sshd(programs: &Programs, keys: &Keys, port: u16) -> Result<Command, String> {
    let root = programs.root.as_ref().map_err(Clone::clone)?;
    let [inside, outside] = keys.lodged()?;
    write(&outside.join("sshd_config"), &config(inside, port, NO_PENALTIES))?;
    let mut command = root.command("/usr/sbin/sshd");
    command.args(["-D", "-e", "-f"]).arg(inside.join("sshd_config"));
    Ok(command)
}

/// Dropbear looks for authorized keys in its user's home only: in the root folder that is nobody's.
fn dropbear(programs: &Programs, keys: &Keys, port: u16) -> Result<Command, String> {
    let root = programs.root.as_ref().map_err(Clone::clone)?;
    let [inside, outside] = keys.lodged()?;
    let home = root.outside("/root/.ssh");
    fs::create_dir_all(&home).map_err(|error| error.to_string())?;
    let authorized = fs::copy(outside.join("authorized_keys"), home.join("authorized_keys"));
    authorized.map_err(|error| format!("authorized_keys: {error}"))?;
    let host_key = converted(programs, inside, outside, "host-key")?;
    let mut command = root.command("/usr/sbin/dropbear");
    command.args(["-F", "-E", "-r"]).arg(host_key).arg("-p").arg(format!("127.0.0.1:{port}"));
    command.arg("-P").arg(inside.join("dropbear.pid"));
    Ok(command)
}

/// A key in Dropbear's format.
pub(crate) fn converted(
    programs: &Programs,
    inside: &Path,
    outside: &Path,
    name: &str,
) -> Result<PathBuf, String> {
    let root = programs.root.as_ref().map_err(Clone::clone)?;
    let dropbear_name = format!("{name}.dropbear");
    if !outside.join(&dropbear_name).is_file() {
        let mut convert = root.command("/usr/bin/dropbearconvert");
        convert
            .args(["openssh", "dropbear"])
            .arg(inside.join(name))
            .arg(inside.join(&dropbear_name));
        let output = convert.output().map_err(|error| format!("dropbearconvert: {error}"))?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
    }
    Ok(inside.join(dropbear_name))
}
