//! What a hostile peer talks to: an end in memory, or a program behind a socket.
//! Touches: bytes in, bytes out.   Never: what they mean.
//! Invariants: a script reads the same for both.
//! Errors: panics where the end under test does something else.   Allocates: freely.
//! Proved by: the tests that use it.

use crate::end::End;
use crate::seen::Seen;
use adit_transport::Role;
use std::fmt;

/// The end under test.
pub trait UnderTest: fmt::Debug {
    /// Which side it is.
    fn role(&self) -> Role;

    /// These bytes come to it.
    fn receive(&mut self, bytes: &[u8]);

    /// What it says next; a program is waited for. Nothing: it will say no more without hearing something.
    fn take_output(&mut self) -> Vec<u8>;

    /// Whether it has left.
    fn has_left(&mut self) -> bool;

    /// Its application must have been told this by now; a program has none that could be asked.
    fn must_have_seen(&mut self, _: &Seen) {}
}

impl UnderTest for End {
    fn role(&self) -> Role {
        self.role
    }

    fn receive(&mut self, bytes: &[u8]) {
        Self::receive(self, bytes);
    }

    fn take_output(&mut self) -> Vec<u8> {
        Self::take_output(self)
    }

    fn has_left(&mut self) -> bool {
        self.error().is_some()
    }

    fn must_have_seen(&mut self, seen: &Seen) {
        // A server notices that it let somebody in with what comes next.
        self.turn();
        let told = self.take_seen();
        assert!(told.contains(seen), "no {seen:?} in {told:#?}");
    }
}
