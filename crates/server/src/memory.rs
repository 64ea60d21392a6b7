//! Memory for payload: one purse for the process, one within it for each user that is limited. MemoryLimit, MemoryLimitPerUser.
//! Touches: a table of purses.   Never: payload; windows are granted out of the purses.
//! Invariants: a user's connections on all loops share one purse; it goes with the last of them.
//! Errors: none.   Allocates: per user with a limit.
//! Proved by: `tests` below.

use adit_engine::Purse;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// The purses of a server.
pub(crate) struct Memory {
    process: Arc<Purse>,
    users: Mutex<HashMap<String, Weak<Purse>>>,
}

impl Memory {
    /// With so many bytes for all.
    pub(crate) fn new(limit: u64) -> Self {
        Self { process: Arc::new(Purse::new(bytes(limit))), users: Mutex::default() }
    }

    /// MemoryLimit has changed.
    pub(crate) fn set_limit(&self, limit: u64) {
        self.process.set_limit(bytes(limit));
    }

    /// The process's: for connections whose user is not known, or has no limit.
    pub(crate) fn of_all(&self) -> Arc<Purse> {
        self.process.clone()
    }

    /// The purse of one user, with this limit.
    pub(crate) fn of_user(&self, user: &str, limit: u64) -> Arc<Purse> {
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(purse) = users.get(user).and_then(Weak::upgrade) {
            purse.set_limit(bytes(limit));
            return purse;
        }
        users.retain(|_, purse| purse.strong_count() > 0);
        let purse = Arc::new(Purse::within(self.process.clone(), bytes(limit)));
        users.insert(user.to_owned(), Arc::downgrade(&purse));
        purse
    }
}

/// A machine cannot address more than it can count.
fn bytes(limit: u64) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_of_a_user_share_a_purse_that_goes_with_the_last() {
        let memory = Memory::new(1 << 20);
        let (one, other) = (memory.of_user("ada", 1000), memory.of_user("ada", 2000));
        assert!(Arc::ptr_eq(&one, &other));
        assert!(!Arc::ptr_eq(&one, &memory.of_user("eve", 1000)));
        drop((one, other));
        memory.of_user("bob", 1);
        let users = memory.users.lock().unwrap();
        assert!(!users.contains_key("ada"));
    }
}
