//! The servers of a run, each started when it is first wanted.
//! Touches: server processes.   Never: clients, which belong to what they carry.
//! Invariants: one process per kind; one that did not start is not tried again.
//! Errors: why a server is not there.   Allocates: a handful.
//! Proved by: running it.

use super::{contender::ServerKind, keys::Keys, programs::Programs, server::Server};

/// Programs, keys and servers.
#[derive(Debug)]
pub(crate) struct Fleet {
    servers: Vec<(ServerKind, Result<Server, String>)>,
    pub(crate) programs: Programs,
    pub(crate) keys: Keys,
}

impl Fleet {
    pub(crate) fn new(programs: Programs) -> Result<Self, String> {
        let keys = Keys::make(programs.root.as_ref().ok())?;
        Ok(Self { servers: Vec::new(), programs, keys })
    }

    /// The server of this kind.
    pub(crate) fn server(&mut self, kind: ServerKind) -> Result<&Server, String> {
        let place = match self.servers.iter().position(|(other, _)| *other == kind) {
            Some(place) => place,
            None => {
                let started = Server::start(kind, &self.programs, &self.keys);
                self.servers.push((kind, started));
                self.servers.len() - 1
            }
        };
        self.servers[place].1.as_ref().map_err(Clone::clone)
    }

    /// One of this kind for one measurement alone.
    pub(crate) fn fresh(&self, kind: ServerKind) -> Result<Server, String> {
        Server::start(kind, &self.programs, &self.keys)
    }
}
