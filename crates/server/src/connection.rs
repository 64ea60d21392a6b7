//! A connection: who is at the other end, how far it is, and what it may do.
//! Touches: values.   Never: the loop; `worker` and `login` move it on.
//! Invariants: nothing is permitted before the login is through; what is permitted then does not change.
//! Errors: none.   Allocates: what one connection needs; what the settings say is shared.
//! Proved by: the interop tests.

use crate::desk::Desk;
use crate::limits::Ticket;
use crate::log::Log;
use crate::login::Login;
use crate::policy::Permissions;
use crate::settings::Settings;
use adit_reactor::Millis;
use std::net::SocketAddr;
use std::sync::Arc;

/// One client.
pub(crate) struct Connection {
    /// By which the log names it.
    pub(crate) number: u64,
    pub(crate) ends: Ends,
    /// Where it asks for what needs privilege.
    pub(crate) desk: Arc<dyn Desk>,
    /// Its place in the limits.
    pub(crate) ticket: Ticket,
    /// What was in force when it came.
    pub(crate) settings: Arc<Settings>,
    pub(crate) since: Millis,
    pub(crate) phase: Phase,
    /// Since when it has had no channel.
    pub(crate) unused_since: Option<Millis>,
    /// A reminder of that is out.
    pub(crate) unused_watched: bool,
    /// Why this side ends it, where that is a fault of the client's.
    pub(crate) fault: Option<Fault>,
    /// At the level of its Match blocks.
    pub(crate) log: Log,
    /// The last words, of whoever had them.
    pub(crate) goodbye: String,
}

/// The two addresses of a connection; none on a unix socket or a pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ends {
    pub(crate) remote: Option<SocketAddr>,
    pub(crate) local: Option<SocketAddr>,
}

/// How far a connection is.
pub(crate) enum Phase {
    /// Nobody has said who they are.
    Greeting,
    /// Somebody wants to be let in.
    Login(Box<Login>),
    /// Somebody is in.
    Member(Arc<Permissions>),
}

/// Why this side ends a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// LoginGraceTime is over.
    GraceExceeded,
    /// RefuseConnection.
    Refused,
    /// UnusedConnectionTimeout is over.
    Unused,
}

impl Connection {
    /// The user, as far as one is known.
    pub(crate) fn user(&self) -> Option<&str> {
        match &self.phase {
            Phase::Greeting => None,
            Phase::Login(login) => Some(login.user()),
            Phase::Member(permissions) => Some(&permissions.account.name),
        }
    }

    pub(crate) const fn login(&mut self) -> Option<&mut Login> {
        match &mut self.phase {
            Phase::Login(login) => Some(login),
            _ => None,
        }
    }

    pub(crate) const fn member(&self) -> Option<&Arc<Permissions>> {
        match &self.phase {
            Phase::Member(permissions) => Some(permissions),
            _ => None,
        }
    }
}
