//! What a child process says, kept and waited for.
//! Touches: one pipe, on a thread of its own.   Never: the child.
//! Invariants: every byte is kept in order; a waiter wakes for each arrival and for the end.
//! Errors: a panic with the text so far when what is waited for does not come.   Allocates: the text.
//! Proved by: every interop test.

use crate::{deadline::PATIENCE, pattern::uninterrupted};
use std::{
    io::Read,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Instant,
};

/// A growing text.
#[derive(Clone, Debug, Default)]
pub struct Log {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    said: Mutex<Said>,
    news: Condvar,
}

#[derive(Debug, Default)]
struct Said {
    bytes: Vec<u8>,
    ended: bool,
}

impl Log {
    /// Keeps everything `from` says until it ends.
    pub fn follow(mut from: impl Read + Send + 'static) -> Self {
        let log = Self::default();
        let writer = log.clone();
        thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(count @ 1..) = uninterrupted(|| from.read(&mut buffer)) {
                writer.append(&buffer[..count]);
            }
            writer.said().ended = true;
            writer.shared.news.notify_all();
        });
        log
    }

    /// All of it so far.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.said().bytes).into_owned()
    }

    /// All of it, once the writer is gone.
    pub fn text_at_end(&self) -> String {
        self.wait("its end", |said| said.ended.then_some(()));
        self.text()
    }

    /// Waits for the first whole line with `needle` in it.
    pub fn wait_for(&self, needle: &str) -> String {
        self.wait_for_nth(needle, 1)
    }

    /// Waits until `count` whole lines have `needle` in them; gives the last of these.
    pub fn wait_for_nth(&self, needle: &str, count: usize) -> String {
        self.wait(needle, |said| {
            let text = String::from_utf8_lossy(&said.bytes);
            let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
            whole.lines().filter(|line| line.contains(needle)).nth(count - 1).map(str::to_owned)
        })
    }

    /// How many lines so far have `needle` in them.
    pub fn count(&self, needle: &str) -> usize {
        self.text().lines().filter(|line| line.contains(needle)).count()
    }

    fn wait<T>(&self, what: &str, probe: impl Fn(&Said) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        let mut said = self.said();
        loop {
            if let Some(answer) = probe(&said) {
                return answer;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let text = || String::from_utf8_lossy(&said.bytes).into_owned();
            assert!(!said.ended, "the log ended without {what:?}:\n{}", text());
            assert!(!left.is_zero(), "waited {PATIENCE:?} in vain for {what:?} in:\n{}", text());
            said =
                self.shared.news.wait_timeout(said, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn append(&self, bytes: &[u8]) {
        self.said().bytes.extend_from_slice(bytes);
        self.shared.news.notify_all();
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        self.shared.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{io::Write, os::unix::net::UnixStream};

    #[test]
    fn only_whole_lines_are_found() {
        let (reader, mut writer) = UnixStream::pair().unwrap();
        let log = Log::follow(reader);
        writer.write_all(b"a needle in ha").unwrap();
        writer.write_all(b"lf a line\n").unwrap();
        assert_eq!(log.wait_for("needle"), "a needle in half a line");
    }
}
