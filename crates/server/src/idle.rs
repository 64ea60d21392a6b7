//! What has been idle too long: connections without channels, channels without data. sshd_config(5) UnusedConnectionTimeout, ChannelTimeout.
//! Touches: reminders, the loop's notes of when a stream moved.   Never: payload.
//! Invariants: at most one reminder of each kind is out for a connection.
//! Errors: none.   Allocates: a reminder.
//! Proved by: interop `server::limits`.

use crate::connection::{Connection, Fault};
use crate::policy::Permissions;
use crate::worker::{Due, Worker};
use adit_reactor::{Key, Millis, Reactor};

/// A connection without channels.
impl Worker {
    /// Notes since when a connection has had no channel; called whenever one may have come or gone.
    pub(crate) fn watch_unused(&mut self, reactor: &mut Reactor, key: Key) {
        let channels = reactor.engine(key).map_or(0, |engine| engine.channels());
        let now = reactor.now();
        let Some(connection) = self.connections.get_mut(&key) else { return };
        let Some(timeout) = connection.member().and_then(|member| unused_timeout(member)) else {
            return;
        };
        if channels > 0 {
            connection.unused_since = None;
        } else if connection.unused_since.is_none() {
            connection.unused_since = Some(now);
            self.remind(reactor, now + timeout, key, Due::Unused);
        }
    }

    pub(crate) fn check_unused(&mut self, reactor: &mut Reactor, key: Key) {
        let Some(connection) = self.connections.get(&key) else { return };
        let timeout = connection.member().and_then(|member| unused_timeout(member));
        let over = connection.unused_since.zip(timeout);
        if over.is_some_and(|(since, timeout)| since + timeout <= reactor.now()) {
            self.dismiss_one(reactor, key, Fault::Unused, "no channel was open for too long");
        }
    }
}

fn unused_timeout(member: &Permissions) -> Option<Millis> {
    let seconds = member.options.unused_connection_timeout;
    (seconds > 0).then_some(u64::from(seconds) * 1000)
}

/// Channels without data.
impl Worker {
    /// Begins to look after the channels of a connection, where ChannelTimeout asks for it.
    pub(crate) fn watch_channels(&mut self, reactor: &mut Reactor, key: Key) {
        let member = self.connections.get(&key).and_then(Connection::member);
        if let Some(shortest) = member.and_then(|member| shortest_timeout(member)) {
            let at = reactor.now() + shortest;
            self.remind(reactor, at, key, Due::IdleChannels);
        }
    }

    /// Closes what has been idle too long, and looks again when the next may be.
    pub(crate) fn check_idle_channels(&mut self, reactor: &mut Reactor, key: Key) {
        let Some(member) = self.connections.get(&key).and_then(Connection::member).cloned() else {
            return;
        };
        let mut next = shortest_timeout(&member);
        for standing in self.forwards.connections(reactor, key) {
            let Some(timeout) = channel_timeout(&member, standing.channel_type) else { continue };
            if standing.idle >= timeout {
                let why = format!("{} was idle for {} s", standing.channel_type, timeout / 1000);
                self.forwards.hang_up(reactor, standing.stream, &why);
            } else {
                next = next.map(|wait| wait.min(timeout - standing.idle));
            }
        }
        if let Some(wait) = next {
            self.remind(reactor, reactor.now() + wait, key, Due::IdleChannels);
        }
    }
}

/// Milliseconds after which an idle channel of a type is closed.
fn channel_timeout(member: &Permissions, channel_type: &str) -> Option<Millis> {
    member.options.channel_timeout(channel_type).map(|seconds| u64::from(seconds) * 1000)
}

fn shortest_timeout(member: &Permissions) -> Option<Millis> {
    let timeouts = member.options.channel_timeouts.iter().map(|timeout| timeout.seconds);
    timeouts.filter(|seconds| *seconds > 0).min().map(|seconds| u64::from(seconds) * 1000)
}
