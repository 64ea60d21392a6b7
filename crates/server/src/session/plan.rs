//! How a command is to be started, and the way that is told to the launcher. RFC 4254 §6.5, sshd(8) LOGIN PROCESS.
//! Touches: the launcher's arguments and environment.   Never: processes.
//! Invariants: no variable of the user's bears its own name before the launcher has given up its rights.
//! Errors: none.   Allocates: per command.
//! Proved by: `tests` below, `tests/launch.rs`.
//!
//! The launcher may run as root, and the loader obeys variables such as LD_PRELOAD. So each variable travels with a
//! digit before its name, which also says whether ~/.ssh/environment comes before or behind it.

use super::environment::Environment;
use super::task::{Kind, Task};
use crate::host::SystemAccount;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The argument that makes the program a launcher.
pub(crate) const LAUNCH: &str = "--launch";

/// Digits before the names of variables, for those set before ~/.ssh/environment and behind it.
pub(super) const BEFORE: u8 = b'1';
pub(super) const BEHIND: u8 = b'2';

/// How a command is to be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// The program that can launch: this one.
    pub(crate) launcher: PathBuf,
    /// Whose it is.
    pub(crate) system: SystemAccount,
    /// What is in force; the launcher is told in arguments of these names.
    pub(crate) orders: Orders,
    /// What ~/.ssh/environment may change.
    pub(crate) before: Environment,
    /// What it may not.
    pub(crate) behind: Environment,
    /// Lines for the file SSH_USER_AUTH names; none, no file.
    pub(crate) auth_info: Vec<String>,
}

/// What the launcher is to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Orders {
    /// Uid, gid and groups to become; none: it stays who it is.
    pub(crate) identity: Option<Identity>,
    pub(crate) home: PathBuf,
    pub(crate) shell: PathBuf,
    pub(crate) chroot: Option<PathBuf>,
    /// PermitUserEnvironment: patterns.
    pub(crate) user_environment: Vec<String>,
    /// Its stdin is a terminal, to be the controlling one.
    pub(crate) terminal: bool,
    /// Show /etc/motd, unless the user has ~/.hushlogin.
    pub(crate) motd: bool,
    /// Run ~/.ssh/rc, or the system's.
    pub(crate) rc: bool,
    /// ~/.ssh/rc may be the user's own.
    pub(crate) user_rc: bool,
    /// How many files it may have open, unless told so by the system already.
    pub(crate) files: Option<u64>,
    /// How large an image of its memory may be, unless told so by the system already.
    pub(crate) images: Option<u64>,
    /// The command; none for a login shell.
    pub(crate) command: Option<OsString>,
}

/// Who to become.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) gids: Vec<u32>,
}

/// The account's shell; an empty field means the system's.
pub(super) fn shell_of(system: &SystemAccount) -> &Path {
    if system.shell.as_os_str().is_empty() { Path::new("/bin/sh") } else { &system.shell }
}

impl Orders {
    /// What a task needs, as far as account and task say.
    pub(super) fn new(system: &SystemAccount, task: &Task, terminal: bool) -> Self {
        let SystemAccount { uid, gid, gids, home, .. } = system;
        // Only root can become somebody, and then does so also where nothing changes: the groups may.
        let is_root = rustix::process::geteuid().is_root();
        Self {
            identity: is_root.then(|| Identity { uid: *uid, gid: *gid, gids: gids.clone() }),
            home: home.clone(),
            shell: shell_of(system).into(),
            terminal,
            rc: !matches!(task.kind, Kind::Subsystem(_)),
            command: task.command.clone().map(OsString::from_vec),
            ..Self::default()
        }
    }

    /// As arguments.
    pub(super) fn encode(&self) -> Vec<OsString> {
        let mut out = Vec::new();
        let mut say = |name: &str, value: &OsStr| {
            out.push(OsString::from_vec([name.as_bytes(), b"=", value.as_bytes()].concat()));
        };
        if let Some(identity) = &self.identity {
            say("uid", identity.uid.to_string().as_ref());
            say("gid", identity.gid.to_string().as_ref());
            for gid in &identity.gids {
                say("group", gid.to_string().as_ref());
            }
        }
        say("home", self.home.as_os_str());
        say("shell", self.shell.as_os_str());
        if let Some(chroot) = &self.chroot {
            say("chroot", chroot.as_os_str());
        }
        for pattern in &self.user_environment {
            say("user-environment", pattern.as_ref());
        }
        if let Some(files) = self.files {
            say("files", files.to_string().as_ref());
        }
        if let Some(images) = self.images {
            say("images", images.to_string().as_ref());
        }
        for (name, flag) in self.flags() {
            if flag {
                say(name, OsStr::new("yes"));
            }
        }
        if let Some(command) = &self.command {
            say("command", command);
        }
        out
    }

    fn flags(&self) -> [(&'static str, bool); 4] {
        [
            ("terminal", self.terminal),
            ("motd", self.motd),
            ("rc", self.rc),
            ("user-rc", self.user_rc),
        ]
    }

    /// From arguments.
    ///
    /// # Errors
    /// Words that name the argument.
    pub(super) fn decode(arguments: impl Iterator<Item = OsString>) -> Result<Self, String> {
        let mut orders = Self::default();
        for argument in arguments {
            let bytes = argument.as_bytes();
            let at = bytes.iter().position(|byte| *byte == b'=');
            let (name, value) = bytes.split_at(at.ok_or_else(|| bad(&argument))?);
            let value = OsStr::from_bytes(&value[1..]);
            orders.obey(name, value).ok_or_else(|| bad(&argument))?;
        }
        if orders.shell.as_os_str().is_empty() {
            Err(bad(OsStr::new("shell=")))
        } else {
            Ok(orders)
        }
    }

    fn obey(&mut self, name: &[u8], value: &OsStr) -> Option<()> {
        match name {
            b"uid" => self.identity.get_or_insert_default().uid = number(value)?,
            b"gid" => self.identity.get_or_insert_default().gid = number(value)?,
            b"group" => self.identity.get_or_insert_default().gids.push(number(value)?),
            b"home" => self.home = value.into(),
            b"shell" => self.shell = value.into(),
            b"chroot" => self.chroot = Some(value.into()),
            b"user-environment" => self.user_environment.push(value.to_str()?.to_owned()),
            b"files" => self.files = Some(number(value)?),
            b"images" => self.images = Some(number(value)?),
            b"terminal" => self.terminal = true,
            b"motd" => self.motd = true,
            b"rc" => self.rc = true,
            b"user-rc" => self.user_rc = true,
            b"command" => self.command = Some(value.into()),
            _ => return None,
        }
        Some(())
    }
}

fn number<T: FromStr>(value: &OsStr) -> Option<T> {
    value.to_str()?.parse().ok()
}

fn bad(argument: &OsStr) -> String {
    format!("{LAUNCH}: {argument:?} is not for people; sessions are started with it")
}

impl Plan {
    /// The launcher's environment.
    pub(super) fn environment(&self) -> impl Iterator<Item = (OsString, &OsStr)> {
        let before = self.before.iter().map(|(name, value)| (marked(BEFORE, name), value));
        before.chain(self.behind.iter().map(|(name, value)| (marked(BEHIND, name), value)))
    }
}

pub(super) fn marked(digit: u8, name: &OsStr) -> OsString {
    OsString::from_vec([&[digit], name.as_bytes()].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_launcher_is_told_is_what_was_planned() {
        let identity = Identity { uid: 1, gid: 2, gids: vec![3, 4] };
        let orders = Orders {
            identity: Some(identity),
            home: "/home/a=b".into(),
            shell: "/bin/sh".into(),
            chroot: Some("/srv".into()),
            user_environment: vec!["LANG".into(), "LC_*".into()],
            terminal: true,
            motd: true,
            rc: true,
            user_rc: true,
            files: Some(1024),
            images: Some(4096),
            command: Some(OsString::from_vec(b"echo \xff=".to_vec())),
        };
        assert_eq!(Orders::decode(orders.encode().into_iter()).unwrap(), orders);
        let shell = Orders { shell: "/bin/sh".into(), ..Orders::default() };
        assert_eq!(Orders::decode(shell.encode().into_iter()).unwrap(), shell);
    }

    #[test]
    fn orders_nobody_gave_are_not_obeyed() {
        for argument in ["", "-h", "uid=x", "group=-1", "user=ada"] {
            let arguments = ["shell=/bin/sh", argument].map(OsString::from);
            let words = Orders::decode(arguments.into_iter()).unwrap_err();
            assert!(words.contains(argument), "{words}");
        }
        assert!(Orders::decode(std::iter::empty()).unwrap_err().contains("shell="));
    }

    #[test]
    fn no_variable_bears_its_own_name_on_the_way() {
        let mut before = Environment::default();
        before.set("LD_PRELOAD", "/tmp/x.so");
        let system = SystemAccount {
            uid: 1,
            gid: 1,
            gids: Vec::new(),
            home: "/".into(),
            shell: "/bin/sh".into(),
        };
        let plan = Plan {
            launcher: "/proc/self/exe".into(),
            system,
            orders: Orders::default(),
            behind: before.clone(),
            before,
            auth_info: Vec::new(),
        };
        let names: Vec<_> = plan.environment().map(|(name, _)| name).collect();
        assert_eq!(names, ["1LD_PRELOAD", "2LD_PRELOAD"]);
    }
}
