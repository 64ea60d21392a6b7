//! What the server's log and its driver learn of the forwards of clients, and what the driver has to do for them.
//! Touches: addresses and words, as clients gave them: unchecked, so a log strips them.   Never: payload.
//! Invariants: a connection is told once, when it is over or refused; a listener when it starts and when it ends.
//! Errors: none; they are words here.   Allocates: per connection.
//! Proved by: `tests` below, `tests/served.rs`.

use crate::{Originator, Target};
use adit_engine::Forward;
use adit_reactor::{Counts, Key, Millis};
use std::net::SocketAddr;

/// A connection carried for a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// Which way.
    pub route: Route,
    /// Who connected, at the client's side for what goes to a target, at ours for what came to a listener.
    pub originator: Option<Originator>,
}

/// Which way a connection goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// The client asked for it: `direct-tcpip`, `direct-streamlocal@openssh.com`.
    To(Target),
    /// It came to a listener: `forwarded-tcpip`, `forwarded-streamlocal@openssh.com`.
    From(Forward<'static>),
}

impl Connection {
    /// The channel's type, as ChannelTimeout names it.
    pub const fn channel_type(&self) -> &'static str {
        match self.route {
            Route::To(Target::Unix(_)) => "direct-streamlocal@openssh.com",
            Route::To(_) => "direct-tcpip",
            Route::From(Forward::Tcpip { .. }) => "forwarded-tcpip",
            Route::From(Forward::Streamlocal { .. }) => "forwarded-streamlocal@openssh.com",
        }
    }
}

/// How a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Both halves in order.
    Finished,
    /// The system's words for what happened to our socket.
    Broken(String),
    /// The session went first.
    SessionOver,
    /// This side hung up, for this reason.
    HungUp(String),
}

/// How a listener ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unlistened {
    /// The client cancelled it.
    Cancelled,
    /// Another session has taken its place.
    TakenOver,
    /// The session is over.
    SessionOver,
}

/// Something for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A connection was not made, or its channel not opened.
    Refused {
        /// Whose.
        session: Key,
        /// Which.
        connection: Connection,
        /// RFC 4254 §5.1
        reason: u32,
        /// The words that went to the client, or came from it.
        words: String,
    },
    /// A connection is over.
    Carried {
        /// Whose.
        session: Key,
        /// Which.
        connection: Connection,
        /// Bytes: read from our socket for the client, written to it from the client.
        counts: Counts,
        /// How long it stood, in milliseconds.
        duration: Millis,
        /// How it ended.
        ending: Ending,
    },
    /// A forward is listened on.
    Listening {
        /// For whom.
        session: Key,
        /// What was asked for, with the port that was bound.
        forward: Forward<'static>,
        /// The addresses bound; none for a path.
        bound: Vec<SocketAddr>,
    },
    /// A forward is not listened on.
    ListenRefused {
        /// Who asked.
        session: Key,
        /// What was asked for.
        forward: Forward<'static>,
        /// Why.
        words: String,
    },
    /// A forward is no longer listened on.
    Unlistened {
        /// For whom it was.
        session: Key,
        /// What was asked for, with the port that was bound.
        forward: Forward<'static>,
        /// How long it was, in milliseconds.
        duration: Millis,
        /// Connections that came to it.
        accepted: u64,
        /// Why.
        why: Unlistened,
    },
}

/// Names something the driver was asked to do, in its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub(crate) u64);

/// A place to listen that can be taken by one session only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// These addresses, with their port.
    Tcp(Vec<SocketAddr>),
    /// This path.
    Unix(String),
}

impl Place {
    /// Whether who listens at `address` is in the way.
    pub fn covers(&self, address: SocketAddr) -> bool {
        let Self::Tcp(wanted) = self else { return false };
        wanted.iter().any(|wanted| {
            let (one, other) = (wanted.ip(), address.ip());
            let all = one.is_unspecified() || other.is_unspecified();
            wanted.port() == address.port()
                && one.is_ipv4() == other.is_ipv4()
                && (one == other || all)
        })
    }
}

/// Something that is the driver's to do: it has the user's rights, or knows the other loops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Need {
    /// Connect to a unix socket as the user, then call `unix_connected`.
    ConnectUnix {
        /// For the answer.
        ticket: Ticket,
        /// Whose user.
        session: Key,
        /// Where to.
        path: String,
    },
    /// Listen on as many of these addresses as possible as the user, then call `listening`.
    ListenTcp {
        /// For the answer.
        ticket: Ticket,
        /// Whose user.
        session: Key,
        /// The address as the client asked for it.
        asked: String,
        /// With their port, which is below 1024.
        addresses: Vec<SocketAddr>,
    },
    /// Listen on a unix socket as the user, then call `listening`.
    ListenUnix {
        /// For the answer.
        ticket: Ticket,
        /// Whose user.
        session: Key,
        /// Where.
        path: String,
        /// Permission bits it does not get.
        mask: u32,
        /// Remove a file that stands in the way.
        unlink: bool,
    },
    /// Somebody listens there: make them give it up if they may be asked to, then call `retry`.
    Takeover {
        /// For the answer.
        ticket: Ticket,
        /// Who wants it.
        session: Key,
        /// What.
        place: Place,
    },
}

impl Need {
    pub(crate) fn is_of(&self, gone: Key) -> bool {
        match self {
            Self::ConnectUnix { session, .. }
            | Self::ListenTcp { session, .. }
            | Self::ListenUnix { session, .. }
            | Self::Takeover { session, .. } => *session == gone,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_is_in_the_way_of_what_means_its_address_and_port() {
        let place = |text: &str| Place::Tcp(vec![text.parse().unwrap()]);
        for (wanted, taken, covered) in [
            ("127.0.0.1:80", "127.0.0.1:80", true),
            ("127.0.0.1:80", "127.0.0.1:81", false),
            ("127.0.0.1:80", "127.0.0.2:80", false),
            ("127.0.0.1:80", "0.0.0.0:80", true),
            ("0.0.0.0:80", "127.0.0.1:80", true),
            ("0.0.0.0:80", "[::1]:80", false),
            ("[::]:80", "[::1]:80", true),
            ("[::]:80", "127.0.0.1:80", false),
        ] {
            let covers = place(wanted).covers(taken.parse().unwrap());
            assert_eq!(covers, covered, "{wanted} and {taken}");
        }
        assert!(!Place::Unix("/s".into()).covers("127.0.0.1:80".parse().unwrap()));
    }
}
