//! How far a user has come: failures, lists of methods, keys that have served. RFC 4252 §4 and §5.1, sshd_config(5).
//! Touches: names of methods, key blobs.   Never: messages.
//! Invariants: a list is walked from its front; a key counts once, as itself or inside a certificate.
//! Errors: `NoMethodsEnabled`, `TooManyFailures`, `TooManyRequests`.   Allocates: the lists and the keys that served.
//! Proved by: `tests` below.

use super::{Policy, Proven};
use crate::certificate::plain_key;
use crate::{Method, Violation, method};
use alloc::{string::String, vec::Vec};

/// Requests of one connection, failed or not. OpenSSH has the same bound.
const MAX_REQUESTS: u32 = 1024;

/// What a user still has to do.
pub(super) struct Progress {
    enabled: Vec<Method>,
    /// What is left of each list; no list means that any one method is enough.
    lists: Vec<Vec<Method>>,
    max_failures: u32,
    failures: u32,
    requests: u32,
    proven: Vec<Proven>,
}

impl Progress {
    /// Lists that want a disabled method lead nowhere and are dropped.
    pub(super) fn new(policy: &Policy) -> Result<Self, Violation> {
        let mut enabled = policy.methods.clone();
        enabled.retain(|method| *method != Method::None);
        let possible = |list: &&Vec<Method>| {
            !list.is_empty() && list.iter().all(|method| enabled.contains(method))
        };
        let lists: Vec<_> = policy.required.iter().filter(possible).cloned().collect();
        if lists.is_empty() && !policy.required.is_empty() {
            return Err(Violation::NoMethodsEnabled);
        }
        let max_failures = policy.max_tries;
        Ok(Self { enabled, lists, max_failures, failures: 0, requests: 0, proven: Vec::new() })
    }

    /// Counts a request.
    pub(super) fn request(&mut self) -> Result<(), Violation> {
        self.requests += 1;
        if self.requests > MAX_REQUESTS { Err(Violation::TooManyRequests) } else { Ok(()) }
    }

    /// Whether this is the first request.
    pub(super) const fn is_first_request(&self) -> bool {
        self.requests == 1
    }

    /// Counts a failure.
    pub(super) fn failure(&mut self) -> Result<(), Violation> {
        self.failures += 1;
        if self.failures >= self.max_failures { Err(Violation::TooManyFailures) } else { Ok(()) }
    }

    /// Whether `method` may be tried now.
    pub(super) fn allows(&self, method: Method) -> bool {
        let next = |list: &Vec<Method>| list.first() == Some(&method);
        self.enabled.contains(&method) && (self.lists.is_empty() || self.lists.iter().any(next))
    }

    /// The methods that may be tried now, for a failure message.
    pub(super) fn can_continue(&self) -> String {
        method::join(self.enabled.iter().copied().filter(|method| self.allows(*method)))
    }

    /// Whether the key has brought a success before.
    pub(super) fn has_served(&self, public_key: &[u8]) -> bool {
        let same = |served: &[u8]| {
            served == public_key
                || plain_key(served).is_some_and(|key| plain_key(public_key) == Some(key))
        };
        self.proven.iter().filter_map(|proven| proven.public_key.as_deref()).any(same)
    }

    /// A method succeeded: takes it off the front of every list; true when one is done.
    pub(super) fn proved(&mut self, proven: Proven) -> bool {
        let method = proven.method;
        self.proven.push(proven);
        for list in &mut self.lists {
            if list.first() == Some(&method) {
                list.remove(0);
            }
        }
        self.lists.is_empty() || self.lists.iter().any(Vec::is_empty)
    }

    /// Everything that was proved.
    pub(super) fn take_proven(&mut self) -> Vec<Proven> {
        core::mem::take(&mut self.proven)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Method::{KeyboardInteractive, Password, Publickey};
    use adit_wire::Field;
    use alloc::vec;

    fn progress(methods: &[Method], required: &[&[Method]]) -> Result<Progress, Violation> {
        let required = required.iter().map(|list| list.to_vec()).collect();
        Progress::new(&Policy { methods: methods.into(), required, ..Policy::default() })
    }

    fn by(method: Method) -> Proven {
        Proven { method, public_key: None }
    }

    #[test]
    fn without_lists_any_enabled_method_is_enough() {
        let mut progress = progress(&[Publickey, Password], &[]).unwrap();
        assert_eq!(progress.can_continue(), "publickey,password");
        assert!(!progress.allows(KeyboardInteractive));
        assert!(progress.proved(by(Password)));
    }

    #[test]
    fn none_is_never_a_way_in() {
        let progress = progress(&[Method::None, Publickey], &[]).unwrap();
        assert_eq!(progress.can_continue(), "publickey");
        assert!(!progress.allows(Method::None));
    }

    #[test]
    fn lists_are_walked_from_the_front_until_one_is_done() {
        let all = [Publickey, Password, KeyboardInteractive];
        let lists: [&[Method]; 2] = [&[Publickey, Password], &[Publickey, KeyboardInteractive]];
        let mut progress = progress(&all, &lists).unwrap();
        assert_eq!(progress.can_continue(), "publickey");
        assert!(!progress.proved(by(Publickey)));
        assert_eq!(progress.can_continue(), "password,keyboard-interactive");
        assert!(!progress.allows(Publickey));
        assert!(progress.proved(by(KeyboardInteractive)));
    }

    #[test]
    fn a_list_with_a_disabled_method_does_not_count() {
        let lists: [&[Method]; 2] = [&[Password], &[Publickey, Password]];
        assert_eq!(progress(&[Publickey], &lists).err(), Some(Violation::NoMethodsEnabled));
        let progress = progress(&[Publickey], &[&[Password], &[Publickey]]).unwrap();
        assert_eq!(progress.can_continue(), "publickey");
    }

    #[test]
    fn an_empty_list_is_not_a_way_in() {
        assert_eq!(progress(&[Publickey], &[&[]]).err(), Some(Violation::NoMethodsEnabled));
    }

    #[test]
    fn a_key_has_served_also_inside_a_certificate() {
        let blob = |fields: &[&[u8]]| {
            let mut blob = vec![];
            fields.iter().for_each(|field| field.encode(&mut blob));
            blob
        };
        let plain = blob(&[b"ssh-ed25519", b"point"]);
        let certificate = blob(&[b"ssh-ed25519-cert-v01@openssh.com", b"nonce", b"point"]);
        let mut progress = progress(&[Publickey], &[&[Publickey, Publickey]]).unwrap();
        assert!(!progress.has_served(&certificate));
        assert!(!progress.proved(Proven { method: Publickey, public_key: Some(plain.clone()) }));
        assert!(progress.has_served(&certificate));
        assert!(progress.has_served(&plain));
        assert!(!progress.has_served(&blob(&[b"ssh-ed25519", b"other"])));
        assert!(progress.proved(by(Publickey)));
    }

    #[test]
    fn the_last_failure_allowed_is_one_too_many() {
        let mut progress = progress(&[Publickey], &[]).unwrap();
        for _ in 1..6 {
            assert_eq!(progress.failure(), Ok(()));
        }
        assert_eq!(progress.failure(), Err(Violation::TooManyFailures));
    }

    #[test]
    fn requests_are_bounded_whatever_comes_of_them() {
        let mut progress = progress(&[Publickey], &[]).unwrap();
        for _ in 0..MAX_REQUESTS {
            assert_eq!(progress.request(), Ok(()));
        }
        assert_eq!(progress.request(), Err(Violation::TooManyRequests));
    }
}
