//! Errands: work that may block, done on helper threads, whose outcome comes back to the loop that asked.
//! Touches: threads, a channel per loop, the loop's waker.   Never: a loop's state from another thread.
//! Invariants: every errand comes back once; what comes back runs on the loop.
//! Errors: none.   Allocates: a closure or two per errand.
//! Proved by: `tests` below.

use crate::worker::Worker;
use adit_reactor::{Reactor, Waker};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

/// Something to be done on a loop.
pub(crate) type Mail = Box<dyn FnOnce(&mut Worker, &mut Reactor) + Send>;

/// How to reach a loop from anywhere.
#[derive(Clone)]
pub(crate) struct Postbox {
    sender: Sender<Mail>,
    waker: Arc<Waker>,
}

/// Two are the same when they lead to the same loop.
impl PartialEq for Postbox {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.waker, &other.waker)
    }
}

impl Postbox {
    /// A postbox for the loop that `waker` wakes, and what it empties.
    pub(crate) fn new(waker: Arc<Waker>) -> (Self, Receiver<Mail>) {
        let (sender, receiver) = channel();
        (Self { sender, waker }, receiver)
    }

    /// Has something done on the loop; it is forgotten if the loop has ended.
    pub(crate) fn post(&self, mail: impl FnOnce(&mut Worker, &mut Reactor) + Send + 'static) {
        if self.sender.send(Box::new(mail)).is_ok() {
            // A loop that cannot be woken finds the mail on its next turn.
            let _ = self.waker.wake();
        }
    }
}

/// Threads that only wait need little.
const WAITING_STACK: usize = 64 * 1024;

type Task = Box<dyn FnOnce() + Send>;

/// Helper threads, shared by all loops.
#[derive(Clone)]
pub(crate) struct Errands {
    queue: Sender<Task>,
}

impl Errands {
    /// Starts `threads` helpers; they end with the last handle.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn new(threads: usize) -> std::io::Result<Self> {
        let (queue, tasks) = channel::<Task>();
        let tasks = Arc::new(Mutex::new(tasks));
        for _ in 0..threads {
            let tasks = tasks.clone();
            std::thread::Builder::new().name("errand".into()).spawn(move || {
                loop {
                    // The lock is held while waiting: one helper waits, the others queue for the lock.
                    let task = tasks.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    match task {
                        Ok(task) => task(),
                        Err(_) => return,
                    }
                }
            })?;
        }
        Ok(Self { queue })
    }

    /// Does `work` on a helper.
    pub(crate) fn set(&self, work: impl FnOnce() + Send + 'static) {
        // The helpers outlive every handle.
        let _ = self.queue.send(Box::new(work));
    }

    /// Does `work`, which waits for long, on a thread of its own; on a helper where the system gives no more threads.
    pub(crate) fn aside(&self, name: &str, work: impl FnOnce() + Send + 'static) {
        let task: Arc<Mutex<Option<Task>>> = Arc::new(Mutex::new(Some(Box::new(work))));
        let takes_it = |task: Arc<Mutex<Option<Task>>>| {
            move || {
                let work = task.lock().unwrap_or_else(PoisonError::into_inner).take();
                if let Some(work) = work {
                    work();
                }
            }
        };
        let thread = std::thread::Builder::new().name(name.into()).stack_size(WAITING_STACK);
        if thread.spawn(takes_it(task.clone())).is_err() {
            self.set(takes_it(task));
        }
    }

    /// Does `work` on a helper, then `then` with its outcome on the loop of `home`.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        home: &Postbox,
        work: impl FnOnce() -> T + Send + 'static,
        then: impl FnOnce(&mut Worker, &mut Reactor, T) + Send + 'static,
    ) {
        let home = home.clone();
        self.set(move || {
            let outcome = work();
            home.post(move |worker, reactor| then(worker, reactor, outcome));
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn errands_run_side_by_side_with_whoever_asked() {
        let errands = Errands::new(2).unwrap();
        let reactor = Reactor::new().unwrap();
        let (postbox, mail) = Postbox::new(reactor.waker());
        let (first, second) = (mpsc::channel(), mpsc::channel());
        // Each waits for the other: one thread could not do both.
        errands.run(
            &postbox,
            move || {
                first.0.send(()).unwrap();
                second.1.recv()
            },
            |_, _, _| (),
        );
        errands.run(
            &postbox,
            move || {
                second.0.send(()).unwrap();
                first.1.recv()
            },
            |_, _, _| (),
        );
        assert!(mail.recv().is_ok() && mail.recv().is_ok());
    }
}
