//! Readiness: what the kernel last said of a source, kept until a call says otherwise.
//! Touches: three flags.   Never: the kernel.
//! Invariants: mio is edge-triggered, so a flag is cleared only by a call that could not go on.
//! Errors: none.   Allocates: never.
//! Proved by: `tests` below.

use mio::event::Event;

/// Sticky flags of one source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Readiness {
    pub(crate) read: bool,
    pub(crate) write: bool,
    /// The end of the stream, or an error, lies behind what can be read: no further edge will announce it.
    ended: bool,
    /// The kernel cannot wait for this source, because it never blocks.
    always: bool,
}

impl Readiness {
    /// Of a source that never blocks.
    pub(crate) const ALWAYS: Self = Self { read: true, write: true, ended: true, always: true };

    /// Takes in what the kernel reports.
    pub(crate) fn note(&mut self, event: &Event) {
        self.ended |= event.is_read_closed() || event.is_error();
        self.read |= event.is_readable() || self.ended;
        self.write |= event.is_writable() || event.is_write_closed() || event.is_error();
    }

    /// A read gave `count` of `wanted` bytes: a short one has emptied the socket, and the next byte makes an edge.
    pub(crate) fn was_read(&mut self, count: usize, wanted: usize) {
        self.read = count == wanted || self.ended;
    }

    /// A write took `count` of `wanted` bytes: a short one has filled the socket.
    pub(crate) fn was_written(&mut self, count: usize, wanted: usize) {
        self.write = count == wanted || self.always;
    }

    /// A read found nothing.
    pub(crate) fn read_blocked(&mut self) {
        self.read = self.always;
    }

    /// A write was not taken.
    pub(crate) fn write_blocked(&mut self) {
        self.write = self.always;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_read_waits_for_the_next_edge_unless_the_end_is_near() {
        let mut ready = Readiness { read: true, ..Readiness::default() };
        ready.was_read(10, 10);
        assert!(ready.read);
        ready.was_read(9, 10);
        assert!(!ready.read);
        let mut ready = Readiness { read: true, ended: true, ..Readiness::default() };
        ready.was_read(9, 10);
        assert!(ready.read);
    }

    #[test]
    fn a_file_is_always_ready() {
        let mut ready = Readiness::ALWAYS;
        ready.was_read(1, 2);
        ready.was_written(1, 2);
        ready.write_blocked();
        assert!(ready.read && ready.write);
    }
}
