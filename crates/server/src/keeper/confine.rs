//! Who the process that talks to the network is, where it lives, and how it becomes that and nothing more. sshd(8), privilege separation.
//! Touches: the user database, the empty directory; rights and root of this process.   Never: those of a process with threads.
//! Invariants: what was given up cannot be taken back; a process that could not give everything up does not serve.
//! Errors: a line that says what to do.   Allocates: names.
//! Proved by: `tests` below, interop `server::separation`.

use crate::session::jail;
use adit_config::server::ServerOptions;
use adit_config::types::Role;
use nix::unistd::User;
use rustix::process::{
    Gid, Signal, Uid, chdir, chroot, getegid, geteuid, getgid, getuid,
    set_parent_process_death_signal,
};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set,
    remove_capability_from_bounding_set, set_capabilities, set_no_new_privs, set_thread_groups,
    set_thread_res_gid, set_thread_res_uid,
};
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// Users there may be for it, the best first.
const USERS: [&str; 3] = ["aditd", "sshd", "nobody"];

/// Where no user has a name: what Linux calls nobody.
const NOBODY: u32 = 65_534;

/// Empty directories that systems have for this.
const ROOTS: [&str; 4] = ["/var/empty", "/usr/share/empty", "/var/lib/empty", "/run/sshd"];

/// Made where none of them will do.
const OWN_ROOT: &str = "/run/aditd";

/// What a gateway's keeper is root for: files whoever has them, sockets of users, ports below 1024, other users for programs that
/// print keys, and an end for the other process.
const KEPT: CapabilitySet = CapabilitySet::DAC_OVERRIDE
    .union(CapabilitySet::DAC_READ_SEARCH)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::CHOWN)
    .union(CapabilitySet::NET_BIND_SERVICE)
    .union(CapabilitySet::SETUID)
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::KILL);

/// The user the process that talks to the network becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NetworkUser {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// NetworkUser; none where one process does everything.
///
/// # Errors
/// A user that is not there or is root, and one where nothing can be separated.
pub(crate) fn network_user(
    options: &ServerOptions,
    is_root: bool,
) -> Result<Option<NetworkUser>, String> {
    let name = options.network_user.as_str();
    match (options.role, is_root) {
        _ if name.eq_ignore_ascii_case("none") => Ok(None),
        // There is no privilege to do without, or only one user's.
        (_, false) | (Role::User, _) => Ok(None),
        _ if name.eq_ignore_ascii_case("auto") => {
            let known = USERS.iter().find_map(|name| found(name));
            Ok(Some(known.unwrap_or(NetworkUser { uid: NOBODY, gid: NOBODY })))
        }
        _ => match found(name) {
            Some(user) => Ok(Some(user)),
            None => Err(format!("NetworkUser {name}: there is no such user, or it is root")),
        },
    }
}

fn found(name: &str) -> Option<NetworkUser> {
    let user = User::from_name(name).ok().flatten()?;
    let user = NetworkUser { uid: user.uid.as_raw(), gid: user.gid.as_raw() };
    (user.uid != 0 && user.gid != 0).then_some(user)
}

/// An empty directory of root's.
///
/// # Errors
/// When there is none and none can be made.
pub(super) fn empty_root() -> Result<PathBuf, String> {
    if let Some(root) = ROOTS.iter().map(Path::new).find(|root| is_fit(root)) {
        return Ok(root.to_owned());
    }
    let own = PathBuf::from(OWN_ROOT);
    let made = DirBuilder::new().mode(0o755).recursive(true).create(&own);
    match made {
        Ok(()) if is_fit(&own) => Ok(own),
        Ok(()) => Err(format!("{OWN_ROOT}: is not an empty directory of root's; {HINT}")),
        Err(error) => Err(format!("{OWN_ROOT}: {error}; {HINT}")),
    }
}

/// For whoever cannot have it.
const HINT: &str = "NetworkUser none does without a separate process";

fn is_fit(root: &Path) -> bool {
    let is_empty = || root.read_dir().is_ok_and(|mut entries| entries.next().is_none());
    jail::check(root).is_ok() && is_empty()
}

/// Gives up files, groups, user and the way back. For the only thread there is: others inherit what it has become.
///
/// # Errors
/// What could not be given up.
pub(super) fn confine(uid: u32, gid: u32, root: &Path) -> Result<(), String> {
    let step =
        |what: &'static str| move |error| format!("{what}: {}; {HINT}", io::Error::from(error));
    let (user, group) = (Uid::from_raw_unchecked(uid), Gid::from_raw_unchecked(gid));
    chroot(root).map_err(step("chroot"))?;
    chdir("/").map_err(step("chdir"))?;
    remove_from_bounds(CapabilitySet::empty());
    set_thread_groups(&[]).map_err(step("setgroups"))?;
    set_thread_res_gid(group, group, group).map_err(step("setresgid"))?;
    set_thread_res_uid(user, user, user).map_err(step("setresuid"))?;
    set_no_new_privs(true).map_err(step("no_new_privs"))?;
    give_up_but(CapabilitySet::empty()).map_err(step("capset"))?;
    // After the change of user, which takes it back. The keeper's end is read from its socket; this is for a process
    // that no longer reads.
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(step("death signal"))?;
    let is_there = [getuid(), geteuid()] == [user; 2] && [getgid(), getegid()] == [group; 2];
    let way_back = set_thread_res_uid(None, Uid::ROOT, None).is_ok();
    let rights = capabilities(None).map_err(step("capget"))?;
    if !is_there || way_back || uid == 0 || rights != only(CapabilitySet::empty()) {
        return Err("rights could not be given up for good".into());
    }
    Ok(())
}

/// Leaves root what the keeper is root for. For the only thread there is.
///
/// Where users have sessions it is root for those of root's too, and they inherit what is left: that is everything.
///
/// # Errors
/// Those of the system; then it keeps what it had.
pub(super) fn keep_little(role: Role) -> io::Result<()> {
    if role != Role::Gateway {
        return Ok(());
    }
    let had = capabilities(None)?.permitted;
    remove_from_bounds(KEPT);
    Ok(give_up_but(had & KEPT)?)
}

const fn only(kept: CapabilitySet) -> CapabilitySets {
    CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() }
}

fn give_up_but(kept: CapabilitySet) -> rustix::io::Result<()> {
    // A kernel without ambient rights has none to take away.
    let _ = clear_ambient_capability_set();
    set_capabilities(None, only(kept))
}

/// So that no program that is started finds them again; a container may have bounds that we cannot move, which bound us too.
fn remove_from_bounds(kept: CapabilitySet) {
    let all = (0..u64::BITS).map(|number| CapabilitySet::from_bits_retain(1 << number));
    for right in all.filter(|right| !kept.contains(*right)) {
        if remove_capability_from_bounding_set(right).is_err() {
            // The kernel has no more of them, or does not let us.
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithms::ALGORITHMS;
    use adit_config::server::ServerConfig;

    fn user(lines: &[&str], is_root: bool) -> Result<Option<NetworkUser>, String> {
        let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
        let options = ServerConfig::load(None, &lines, &ALGORITHMS).unwrap().global_options();
        network_user(&options, is_root)
    }

    #[test]
    fn root_has_a_user_for_the_network_and_nobody_else_has() {
        for role in ["gateway", "system", "auto"] {
            let role = format!("Role {role}");
            let chosen = user(&[&role], true).unwrap().unwrap();
            assert!(chosen.uid != 0 && chosen.gid != 0, "{role}");
            let named = user(&[&role, "NetworkUser nobody"], true).unwrap().unwrap();
            assert_eq!(Some(named), found("nobody"), "{role}");
        }
        for (lines, is_root) in [
            (&["Role gateway"][..], false),
            (&["Role gateway", "NetworkUser nobody"], false),
            (&["Role gateway", "NetworkUser none"], true),
            (&["Role system", "NetworkUser none"], true),
            (&["Role auto"], false),
            (&["Role user"], false),
            (&["Role user", "NetworkUser nobody"], true),
        ] {
            assert_eq!(user(lines, is_root), Ok(None), "{lines:?}");
        }
    }

    #[test]
    fn a_user_that_gives_nothing_up_is_refused() {
        for name in ["root", "no-such-user-here"] {
            let line = format!("NetworkUser {name}");
            for role in ["Role gateway", "Role system"] {
                let refused = user(&[role, &line], true).unwrap_err();
                assert!(refused.contains("no such user, or it is root"), "{refused}");
            }
        }
    }

    #[test]
    fn only_an_empty_directory_of_roots_will_do() {
        for unfit in ["/", "/tmp", "/etc", "/etc/passwd", "/no/such/directory"] {
            assert!(!is_fit(Path::new(unfit)), "{unfit}");
        }
    }
}
