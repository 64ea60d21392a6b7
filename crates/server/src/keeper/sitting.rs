//! The sessions of one connection, as the keeper has them: each a seat, with a place among as many as there may be.
//! Touches: seats, and so processes and terminals.   Never: what another connection has; what commands say.
//! Invariants: whatever is open or runs has a place, and there are MaxSessions of those; who waits is told once.
//! Errors: refusals, and those of the system.   Allocates: per session, and those are bounded.
//! Proved by: `tests` of `answer`, interop `server::separation`.
//!
//! ```text
//! first request ──► place taken ──Leave──► out of the list ──┐
//!                        └──────start──────────exit──────────┴──► place free, once both are so
//! ```

use super::answer::Teller;
use super::message::Reply;
use super::places::{Place, Places};
use crate::session::{Asked, Exit, OwnSeat, Seat, Started, Terminal, TerminalWish};
use rustix::process::Signal;
use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The sessions of one connection.
#[derive(Default)]
pub(super) struct Sittings {
    places: Places,
    open: Mutex<HashMap<u64, Arc<Sitting>>>,
}

/// One of them.
pub(super) struct Sitting {
    seat: OwnSeat,
    books: Mutex<Books>,
}

/// What is known of it.
struct Books {
    place: Option<Place>,
    stage: Stage,
    left: bool,
    waiter: Option<Teller>,
}

/// How far its command is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Idle,
    /// It is being started, or runs.
    Running,
    Over(Exit),
}

impl Sittings {
    fn open(&self) -> MutexGuard<'_, HashMap<u64, Arc<Sitting>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The session of this number; a new one where fewer than `most` are open or run.
    pub(super) fn at(
        &self,
        session: u64,
        most: u32,
        seat: impl FnOnce() -> OwnSeat,
    ) -> Option<Arc<Sitting>> {
        let mut open = self.open();
        if let Some(there) = open.get(&session) {
            return Some(there.clone());
        }
        let place = self.places.admit(most)?;
        let sitting = Arc::new(Sitting::new(seat(), place));
        open.insert(session, sitting.clone());
        Some(sitting)
    }

    /// One that is there.
    pub(super) fn get(&self, session: u64) -> Option<Arc<Sitting>> {
        self.open().get(&session).cloned()
    }

    /// Its channel is closed.
    pub(super) fn leave(&self, session: u64) {
        let sitting = self.open().remove(&session);
        if let Some(sitting) = sitting {
            sitting.leave();
        }
    }
}

impl Sitting {
    fn new(seat: OwnSeat, place: Place) -> Self {
        let books = Books { place: Some(place), stage: Stage::Idle, left: false, waiter: None };
        Self { seat, books: Mutex::new(books) }
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn open_terminal(&self, wish: &TerminalWish) -> io::Result<Terminal> {
        self.seat.open_terminal(wish)
    }

    /// Starts what is asked for. Whoever has it started has it [watched](Self::watch).
    pub(super) fn start(&self, asked: &Asked) -> io::Result<Started> {
        if !self.books().begin() {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let started = self.seat.start(asked);
        if started.is_err() {
            self.books().end(Stage::Idle);
        }
        started
    }

    /// Waits for the end of what was started, and tells whoever waits for that.
    pub(super) fn watch(&self) {
        let exit = self.seat.wait();
        let waiter = {
            let mut books = self.books();
            books.end(Stage::Over(exit));
            books.waiter.take()
        };
        if let Some(waiter) = waiter {
            waiter((Reply::Exited { exit }, Vec::new()));
        }
    }

    /// Has somebody told of the end of what was started, or at once that nothing was, or that another waits.
    pub(super) fn wait(&self, waiter: Teller) {
        let mut books = self.books();
        let reply = match books.stage {
            Stage::Running if books.waiter.is_none() => {
                books.waiter = Some(waiter);
                return;
            }
            Stage::Over(exit) => Reply::Exited { exit },
            Stage::Idle | Stage::Running => Reply::Refused {},
        };
        drop(books);
        waiter((reply, Vec::new()));
    }

    pub(super) fn signal(&self, signal: Signal) -> io::Result<()> {
        self.seat.signal(signal)
    }

    fn leave(&self) {
        let mut books = self.books();
        books.left = true;
        books.make_room();
    }
}

impl Books {
    /// It runs from now on, unless it does already or there is nobody to run it for.
    fn begin(&mut self) -> bool {
        let may = self.stage == Stage::Idle && !self.left;
        if may {
            self.stage = Stage::Running;
        }
        may
    }

    fn end(&mut self, stage: Stage) {
        self.stage = stage;
        self.make_room();
    }

    fn make_room(&mut self) {
        if self.left && self.stage != Stage::Running {
            self.place = None;
        }
    }
}
