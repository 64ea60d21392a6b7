//! What all loops share: the door to the host, the settings in force, the limits, the log, and who listens where.
//! Touches: locks, held for a look-up.   Never: sockets, a loop's connections.
//! Invariants: settings never change, a reload replaces them; a connection keeps those it came in under.
//! Errors: none.   Allocates: per reload.
//! Proved by: the interop tests.

use crate::desk::Door;
use crate::errand::Errands;
#[cfg(test)]
use crate::host::Host;
use crate::limits::Limits;
use crate::log::Log;
use crate::memory::Memory;
use crate::owners::Owners;
use crate::settings::Settings;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Instant;

/// What all loops share.
pub(crate) struct Shared {
    pub(crate) door: Door,
    pub(crate) errands: Errands,
    pub(crate) log: Log,
    settings: RwLock<Arc<Settings>>,
    limits: Mutex<Limits>,
    owners: Mutex<Owners>,
    pub(crate) memory: Memory,
    connections: AtomicU64,
    start: Instant,
}

impl Shared {
    pub(crate) fn new(
        door: Door,
        errands: Errands,
        log: Log,
        settings: Settings,
        limits: Limits,
    ) -> Self {
        let memory = Memory::new(settings.global.memory_limit);
        Self {
            door,
            errands,
            log,
            memory,
            settings: RwLock::new(Arc::new(settings)),
            limits: Mutex::new(limits),
            owners: Mutex::default(),
            connections: AtomicU64::new(0),
            start: Instant::now(),
        }
    }

    /// With these lines of configuration, one host key and nothing of the system's.
    #[cfg(test)]
    pub(crate) fn for_test(host: Arc<dyn Host>, lines: &[&str], log: Log) -> Self {
        use crate::host::keys::HostKeyRing;
        let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
        let algorithms = &crate::algorithms::ALGORITHMS;
        let config = adit_config::server::ServerConfig::load(None, &lines, algorithms).unwrap();
        let settings = Settings::with_keys(config, HostKeyRing::of(adit_testkit::keys::key(7)));
        let limits = Limits::new(crate::rules::limits(&settings.global));
        let door = Door::Open(host, crate::session::Launch::by_this_program(None));
        Self::new(door, Errands::new(2).unwrap(), log, settings, limits)
    }

    /// What is in force now.
    pub(crate) fn settings(&self) -> Arc<Settings> {
        self.settings.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts other settings in force, for connections to come.
    pub(crate) fn replace(&self, settings: Settings) {
        self.memory.set_limit(settings.global.memory_limit);
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
    }

    pub(crate) fn limits(&self) -> MutexGuard<'_, Limits> {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn owners(&self) -> MutexGuard<'_, Owners> {
        self.owners.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Milliseconds by one clock for all loops.
    pub(crate) fn now(&self) -> u64 {
        self.start.elapsed().as_millis() as u64
    }

    /// A number for a connection, by which the log names it.
    pub(crate) fn next_connection(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::Relaxed) + 1
    }
}
