//! `aditd --init`: a folder with all that a gateway needs to start. docs/aditd.md.
//! Touches: the folder, which it makes or finds.   Never: what is there already, other folders.
//! Invariants: no file is overwritten; what could not be made whole is taken away again; private halves are 0600.
//! Errors: [`InitError`], naming the file.   Allocates: the texts.
//! Proved by: `tests` below.

#[cfg(test)]
mod tests;

use std::fmt;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The port when none is asked for: ordinary users may have it.
const PORT: u16 = 2222;

/// The first user.
const USER: &str = "tunnel";

/// Makes a key: a private half, 0600, and its public half beside it under `.pub`.
pub(crate) type MakeKey<'a> = &'a dyn Fn(&Path) -> io::Result<()>;

/// Why a folder could not be prepared.
#[derive(Debug)]
pub(crate) enum InitError {
    /// This is there already.
    Exists(PathBuf),
    /// The name cannot stand in a configuration.
    Name(PathBuf),
    /// The system would not have it.
    Io(PathBuf, io::Error),
}

impl fmt::Display for InitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exists(path) => {
                write!(f, "{}: is already there; nothing was changed", path.display())
            }
            Self::Name(path) => {
                write!(f, "{}: cannot be named in a configuration", path.display())
            }
            Self::Io(path, error) => {
                write!(f, "{}: {}", path.display(), adit_forward::os_words(error))
            }
        }
    }
}

impl std::error::Error for InitError {}

/// Prepares `folder` for a gateway on `port`; says what was made and how to try it.
pub(crate) fn prepare(
    folder: &Path,
    port: Option<u16>,
    make_key: MakeKey<'_>,
) -> Result<String, InitError> {
    let folder =
        std::path::absolute(folder).map_err(|error| InitError::Io(folder.into(), error))?;
    let plan = Plan::new(&folder, port.unwrap_or(PORT))?;
    plan.is_free()?;
    let mut made = Made::default();
    match plan.make(make_key, &mut made) {
        Ok(()) => Ok(plan.report()),
        Err(error) => {
            made.take_away();
            Err(error)
        }
    }
}

/// What goes where.
struct Plan {
    folder: PathBuf,
    /// The folder as text.
    name: String,
    port: u16,
    /// Somebody else could put other keys in place, as far as StrictModes knows.
    loose: Option<PathBuf>,
}

/// What has been made, in its order.
#[derive(Default)]
struct Made(Vec<PathBuf>);

impl Made {
    /// As far as it goes: the error that led here is the one to show.
    fn take_away(&self) {
        for path in self.0.iter().rev() {
            let _ = if path.is_dir() { fs::remove_dir(path) } else { fs::remove_file(path) };
        }
    }
}

impl Plan {
    fn new(folder: &Path, port: u16) -> Result<Self, InitError> {
        let name = folder.to_str().filter(|name| !name.contains(char::is_control));
        let name = name.ok_or_else(|| InitError::Name(folder.into()))?.to_owned();
        Ok(Self { folder: folder.into(), name, port, loose: loose(folder) })
    }

    fn config(&self) -> PathBuf {
        self.folder.join("aditd.conf")
    }

    fn host_key(&self) -> PathBuf {
        self.folder.join("host_ed25519")
    }

    fn keys(&self) -> PathBuf {
        self.folder.join("keys")
    }

    fn user_key(&self) -> PathBuf {
        self.folder.join(format!("{USER}_ed25519"))
    }

    fn is_free(&self) -> Result<(), InitError> {
        let (host, user) = (self.host_key(), self.user_key());
        let all = [self.config(), self.keys(), public(&host), host, public(&user), user];
        match all.into_iter().find(|path| path.symlink_metadata().is_ok()) {
            Some(path) => Err(InitError::Exists(path)),
            None => Ok(()),
        }
    }

    fn make(&self, make_key: MakeKey<'_>, made: &mut Made) -> Result<(), InitError> {
        if !self.folder.is_dir() {
            make_folder(&self.folder, 0o700, made)?;
        }
        make_folder(&self.keys(), 0o755, made)?;
        for path in [self.host_key(), self.user_key()] {
            make_key(&path).map_err(|error| InitError::Io(path.clone(), error))?;
            made.0.extend([public(&path), path]);
        }
        let beside = public(&self.user_key());
        let key = fs::read_to_string(&beside).map_err(|error| InitError::Io(beside, error))?;
        write(&self.keys().join(USER), &self.user_file(&key), made)?;
        write(&self.config(), &self.configuration(), made)
    }

    /// The keys of the first user: the public half, with a comment of its own.
    fn user_file(&self, key: &str) -> String {
        let words: Vec<&str> = key.split_whitespace().take(2).collect();
        format!("{USER_FILE_HEAD}{} {USER}\n", words.join(" "))
    }

    fn configuration(&self) -> String {
        let word = |name: &str| format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""));
        let strict = match &self.loose {
            Some(folder) => STRICT.replace("{folder}", &folder.to_string_lossy()),
            None => String::new(),
        };
        CONFIGURATION
            .replace("{strict}", &strict)
            .replace("{port}", &self.port.to_string())
            .replace("{host key}", &word(&format!("{}/host_ed25519", self.name)))
            .replace("{keys}", &word(&format!("{}/keys/%u", self.name.replace('%', "%%"))))
            .replace("{users}", &word(&format!("{}/users", self.name)))
    }

    fn report(&self) -> String {
        let (name, port) = (&self.name, self.port);
        let (config, key) =
            (in_shell(&format!("{name}/aditd.conf")), in_shell(&format!("{name}/{USER}_ed25519")));
        let strict = match &self.loose {
            Some(folder) => format!(
                "\nOthers can write to {}, so StrictModes is off: for earnest use take another folder.\n",
                folder.display()
            ),
            None => String::new(),
        };
        format!(
            "Made in {name}:\n  \
             aditd.conf          what the gateway does: read it\n  \
             host_ed25519        its host key\n  \
             keys/{USER}         who may log in as {USER}; one file for each user\n  \
             {USER}_ed25519      the key of {USER}: take it to where the tunnel begins\n\
             {strict}\nStart the gateway, then bring a port to it:\n  \
             aditd -f {config} -D -e\n  \
             ssh -p {port} -i {key} -N -R 8080:localhost:80 {USER}@localhost\n"
        )
    }
}

/// The first folder on the way up that StrictModes would find fault with.
fn loose(folder: &Path) -> Option<PathBuf> {
    let own = rustix::process::geteuid().as_raw();
    let is_loose = |path: &&Path| {
        path.metadata().is_ok_and(|it| it.mode() & 0o022 != 0 || ![0, own].contains(&it.uid()))
    };
    folder.ancestors().find(is_loose).map(Into::into)
}

fn public(key: &Path) -> PathBuf {
    let mut name = key.as_os_str().to_owned();
    name.push(".pub");
    name.into()
}

fn make_folder(path: &Path, mode: u32, made: &mut Made) -> Result<(), InitError> {
    let result = DirBuilder::new().mode(mode).create(path);
    result.map_err(|error| InitError::Io(path.into(), error))?;
    made.0.push(path.into());
    Ok(())
}

fn write(path: &Path, text: &str, made: &mut Made) -> Result<(), InitError> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o644).open(path);
    let mut file = file.map_err(|error| InitError::Io(path.into(), error))?;
    made.0.push(path.into());
    file.write_all(text.as_bytes()).map_err(|error| InitError::Io(path.into(), error))
}

/// As a shell takes it for one word.
fn in_shell(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,:@%=".contains(c);
    match word.chars().all(plain) {
        true => word.into(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

const USER_FILE_HEAD: &str = "\
# Keys of one user, a line each, as in authorized_keys. What a key may do stands before it:
#   restrict,port-forwarding,permitlisten=\"localhost:8080\" ssh-ed25519 AAAA...
";

/// Keys that others could change count only if this is said.
const STRICT: &str = "\
# Others can write to {folder}; keys below it would not count otherwise.
StrictModes no
";

const CONFIGURATION: &str = "\
# A gateway for tunnels. The grammar is that of sshd_config(5): the first value counts.
# Check it with aditd -t -f FILE; have it read again with SIGHUP.

# Users exist here alone. They forward ports; there are no shells.
Role gateway

Port {port}
#ListenAddress 127.0.0.1
HostKey {host key}

# Whoever has a file there may log in with the keys in it; %u is the user's name.
AuthorizedKeysFile {keys}
{strict}# Or: whoever has a certificate of this authority that names the user.
#TrustedUserCAKeys /etc/aditd/user_ca.pub
PasswordAuthentication no
KbdInteractiveAuthentication no

# Passwords (name:hash) and groups (name:*:group,group) where they are wanted.
#UsersFile {users}

# Ports that users may bring here (-R), and where they listen: this host alone.
GatewayPorts no
PermitListen localhost:8000-8999

# Where users may go from here (-L, -D, -J): to those ports. Networks and ranges can be named.
PermitOpen localhost:8000-8999 127.0.0.1:8000-8999
#PermitOpen db.internal:5432 10.0.0.0/8:443 [fd00::/8]:8000-8999

# A client that is gone is noticed after a minute and a half; a port it held goes to the
# next connection with the same key at once.
ClientAliveInterval 30
ClientAliveCountMax 3
StaleListener takeover

MaxConnectionsPerUser 50
MaxListenersPerConnection 16

#Match Group operators
#    PermitOpen any
#    MaxConnectionsPerUser none
";
