//! Doing something with a user's rights: on a thread of its own, which ends afterwards.
//! Touches: effective user, group and groups of that thread.   Never: those of any other thread.
//! Invariants: a thread that has changed its rights never does anything else; work is not begun with rights it should not have.
//! Errors: `io::Error` when rights cannot be taken on.   Allocates: a thread.
//! Proved by: `tests` below, as root.

use super::SystemAccount;
use rustix::process::{Gid, Uid, geteuid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};
use std::io;

/// Does `work` with the rights of the account; as it is, when this process has no others to take on.
///
/// # Errors
/// When the system gives no thread or no rights; `work` has not begun then.
pub(super) fn with_rights_of<T: Send>(
    account: Option<&SystemAccount>,
    work: impl FnOnce() -> T + Send,
) -> io::Result<T> {
    let own = geteuid();
    match account.filter(|account| own.is_root() && account.uid != own.as_raw()) {
        None => Ok(work()),
        Some(account) => std::thread::scope(|scope| {
            let helper = std::thread::Builder::new().name(format!("uid {}", account.uid));
            let helper = helper.spawn_scoped(scope, || take_on(account).map(|()| work()))?;
            helper.join().map_err(|_| io::Error::other("a helper thread panicked"))?
        }),
    }
}

/// Groups first: afterwards there is no right to change them.
///
/// The real and the saved user stay root's. They decide who may signal a thread, and a signal to one thread can
/// end them all.
fn take_on(account: &SystemAccount) -> io::Result<()> {
    let groups: Vec<Gid> = account.gids.iter().map(|gid| Gid::from_raw_unchecked(*gid)).collect();
    set_thread_groups(&groups)?;
    set_thread_res_gid(None, Gid::from_raw_unchecked(account.gid), None)?;
    set_thread_res_uid(None, Uid::from_raw_unchecked(account.uid), None)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::{getegid, getgroups, getuid};
    use std::path::PathBuf;

    fn nobody() -> SystemAccount {
        SystemAccount {
            uid: 65_534,
            gid: 65_534,
            gids: vec![65_534, 65_533],
            home: PathBuf::from("/nonexistent"),
            shell: PathBuf::from("/bin/false"),
        }
    }

    #[test]
    fn work_is_done_as_the_user_and_everybody_else_stays_who_they_are() {
        if !geteuid().is_root() {
            eprintln!("SKIPPED: only root can take on another's rights");
            return;
        }
        let seen = with_rights_of(Some(&nobody()), || {
            let groups = getgroups().unwrap();
            let groups: Vec<u32> = groups.iter().map(|gid| gid.as_raw()).collect();
            let secret = std::fs::read("/etc/shadow").map(|_| ()).map_err(|error| error.kind());
            (geteuid().as_raw(), getegid().as_raw(), groups, getuid().as_raw(), secret)
        });
        let denied = Err(io::ErrorKind::PermissionDenied);
        let (user, group, mut groups, real, secret) = seen.unwrap();
        groups.sort_unstable();
        assert_eq!(
            (user, group, groups, real, secret),
            (65_534, 65_534, vec![65_533, 65_534], 0, denied)
        );
        assert!(geteuid().is_root() && getegid().is_root());
    }

    #[test]
    fn without_rights_to_take_on_work_is_done_here() {
        let here = std::thread::current().id();
        let there = with_rights_of(None, || std::thread::current().id()).unwrap();
        assert_eq!(there, here);
    }
}
