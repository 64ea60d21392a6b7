//! What a peer has made us say and has not taken: a peer that asks and never reads is not read either.
//! Touches: counts of bytes and places in the output.   Never: the bytes.
//! Invariants: only what reading from the peer caused counts, so two ends that both send much never wait for each other.
//! Errors: none.   Allocates: a short list, while the link is full.
//! Proved by: `tests` below, `tests/sessions.rs`.

use std::collections::VecDeque;

/// Bytes of answers a peer may leave unread before it is not listened to.
const MOST: usize = 256 * 1024;

/// Marks kept at most; more are put together, which counts the older ones a little longer.
const MARKS: usize = 16;

/// A run of answers: where in the output it ends, and how many bytes it is.
#[derive(Debug)]
struct Mark {
    end: u64,
    len: usize,
}

/// Answers between the engine and the wire.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    marks: VecDeque<Mark>,
    waiting: usize,
    /// Bytes the link has taken, answers or not.
    written: u64,
}

impl Answers {
    /// What was read has made the output grow from `before` to `after` bytes.
    pub(crate) fn caused(&mut self, before: usize, after: usize) {
        let len = after.saturating_sub(before);
        if len == 0 {
            return;
        }
        self.waiting += len;
        let end = self.written + after as u64;
        let full = self.marks.len() >= MARKS;
        match self.marks.back_mut().filter(|_| full) {
            Some(last) => {
                last.len += len;
                last.end = end;
            }
            None => self.marks.push_back(Mark { end, len }),
        }
    }

    /// The link took the first `count` bytes of the output.
    pub(crate) fn written(&mut self, count: usize) {
        self.written += count as u64;
        while self.marks.front().is_some_and(|mark| mark.end <= self.written) {
            self.waiting -= self.marks.pop_front().map_or(0, |mark| mark.len);
        }
        if self.marks.is_empty() {
            // An idle session keeps nothing.
            self.marks = VecDeque::new();
        }
    }

    /// Whether the peer should take some before it is read again.
    pub(crate) const fn are_too_many(&self) -> bool {
        self.waiting > MOST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_count_until_the_link_has_taken_them() {
        let mut answers = Answers::default();
        // Data of ours stands before them.
        answers.caused(1000, 1000 + MOST + 1);
        assert!(answers.are_too_many());
        answers.written(1000 + MOST);
        assert!(answers.are_too_many(), "the last byte of them is not taken");
        answers.written(1);
        assert!(!answers.are_too_many());
        assert_eq!((answers.waiting, answers.marks.capacity()), (0, 0));
    }

    #[test]
    fn data_of_our_own_does_not_count() {
        let mut answers = Answers::default();
        answers.caused(10 * MOST, 10 * MOST);
        assert!(!answers.are_too_many());
    }

    #[test]
    fn many_small_answers_are_counted_in_few_marks() {
        let mut answers = Answers::default();
        let mut pending = 0;
        while !answers.are_too_many() {
            answers.caused(pending, pending + 44);
            pending += 44;
        }
        assert_eq!((answers.waiting, answers.marks.len()), (pending, MARKS));
        answers.written(pending);
        assert_eq!(answers.waiting, 0);
    }
}
