//! What has been idle too long: connections without channels, channels without data. sshd_config(5) UnusedConnectionTimeout, ChannelTimeout.
//! Touches: reminders, the loop's notes of when a stream moved.   Never: payload.
//! Invariants: at most one reminder of each kind is out for a connection.
//! Errors: none.   Allocates: a reminder.
//! Proved by: `tests` below, those of the worker, interop `server::limits`.

use crate::connection::{Connection, Fault};
use crate::policy::Permissions;
use crate::session;
use crate::worker::{Due, Worker};
use adit_config::server::ServerOptions;
use adit_engine::Channel;
use adit_forward::served::Standing;
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
            return;
        }
        connection.unused_since.get_or_insert(now);
        // Clients may open and close channels as often as they like: the reminder that is out looks at the last time.
        if !std::mem::replace(&mut connection.unused_watched, true) {
            self.remind_soon(reactor, timeout, key, Due::Unused);
        }
    }

    pub(crate) fn check_unused(&mut self, reactor: &mut Reactor, key: Key) {
        let Some(connection) = self.connections.get_mut(&key) else { return };
        connection.unused_watched = false;
        let timeout = connection.member().and_then(|member| unused_timeout(member));
        match connection.unused_since.zip(timeout).map(|(since, timeout)| since + timeout) {
            Some(end) if end <= reactor.now() => {
                self.dismiss_one(reactor, key, Fault::Unused, "no channel was open for too long");
            }
            Some(end) => {
                connection.unused_watched = true;
                self.remind_soon(reactor, end - reactor.now(), key, Due::Unused);
            }
            None => {}
        }
    }
}

/// Reminders cannot be taken back. Whoever is gone leaves one for so long at most, however long the time that is set.
const NAP: Millis = 600_000;

impl Worker {
    /// Looks again after a while, or earlier: whoever looks finds out whether it is time.
    fn remind_soon(&mut self, reactor: &mut Reactor, wait: Millis, key: Key, due: Due) {
        self.remind(reactor, reactor.now() + wait.min(NAP), key, due);
    }
}

fn unused_timeout(member: &Permissions) -> Option<Millis> {
    let seconds = member.options.unused_connection_timeout;
    (seconds > 0).then(|| millis(seconds))
}

/// Channels without data.
impl Worker {
    /// Begins to look after the channels of a connection, where ChannelTimeout asks for it.
    pub(crate) fn watch_channels(&mut self, reactor: &mut Reactor, key: Key) {
        let member = self.connections.get(&key).and_then(Connection::member);
        if let Some(shortest) = member.and_then(|member| shortest_timeout(&member.options)) {
            self.remind_soon(reactor, shortest, key, Due::IdleChannels);
        }
    }

    /// Closes what has been idle too long, and looks again when the next may be.
    pub(crate) fn check_idle_channels(&mut self, reactor: &mut Reactor, key: Key) {
        let Some(member) = self.connections.get(&key).and_then(Connection::member).cloned() else {
            return;
        };
        let Some(mut wait) = shortest_timeout(&member.options) else { return };
        let (ends, channels): (Vec<End>, Vec<Idler>) = self.standing(reactor, key).unzip();
        for (end, verdict) in ends.iter().zip(judged(&member.options, &channels)) {
            match verdict {
                Ok(left) => wait = wait.min(left),
                Err(why) => self.hang_up(reactor, key, end, &why),
            }
        }
        self.served(reactor, Some(key));
        self.remind_soon(reactor, wait, key, Due::IdleChannels);
    }

    fn standing(&self, reactor: &Reactor, key: Key) -> impl Iterator<Item = (End, Idler)> {
        let forwards = self.forwards.connections(reactor, key).map(|standing| {
            let Standing { stream, channel_type, idle } = standing;
            (End::Forward(stream), Idler { kind: channel_type.into(), idle })
        });
        let sessions = self.sessions.standing(reactor, key).map(|standing| {
            let session::Standing { channel, kind, idle } = standing;
            (End::Session(channel), Idler { kind, idle })
        });
        forwards.chain(sessions)
    }

    fn hang_up(&mut self, reactor: &mut Reactor, key: Key, end: &End, why: &str) {
        match end {
            End::Forward(stream) => self.forwards.hang_up(reactor, *stream, why),
            End::Session(channel) => self.sessions.hang_up(reactor, key, *channel),
        }
    }
}

/// A channel, as far as its idleness goes.
struct Idler {
    /// As ChannelTimeout names it.
    kind: String,
    idle: Millis,
}

/// Whose a channel is.
enum End {
    /// The forwards', with this stream.
    Forward(Key),
    /// The sessions'.
    Session(Channel),
}

/// For each channel how long it may stay as it is, or why it is closed. sshd_config(5) ChannelTimeout.
fn judged<'a>(
    options: &'a ServerOptions,
    channels: &'a [Idler],
) -> impl Iterator<Item = Result<Millis, String>> + 'a {
    let all = channels.iter().map(|channel| channel.idle).min().unwrap_or_default();
    let global = options.global_timeout().map(|timeout| ("every channel", all, timeout));
    channels.iter().map(move |channel| {
        let own = options.channel_timeout(&channel.kind);
        let own = own.map(|timeout| (channel.kind.as_str(), channel.idle, timeout));
        let limits = [own, global].into_iter().flatten();
        let left = limits.map(|(what, idle, timeout)| match millis(timeout).checked_sub(idle) {
            None | Some(0) => Err(format!("{what} was idle for {timeout} s")),
            Some(left) => Ok(left),
        });
        left.reduce(|one, other| Ok(one?.min(other?))).unwrap_or(Ok(Millis::MAX))
    })
}

fn shortest_timeout(options: &ServerOptions) -> Option<Millis> {
    let timeouts = options.channel_timeouts.iter().map(|timeout| timeout.seconds);
    timeouts.filter(|seconds| *seconds > 0).min().map(millis)
}

fn millis(seconds: u32) -> Millis {
    u64::from(seconds) * 1000
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithms::ALGORITHMS;
    use adit_config::server::ServerConfig;

    fn verdicts(timeouts: &str, channels: &[(&str, Millis)]) -> Vec<Result<Millis, String>> {
        let line = format!("ChannelTimeout {timeouts}");
        let options = ServerConfig::load(None, &[line], &ALGORITHMS).unwrap().global_options();
        let channels = channels.iter().map(|&(kind, idle)| Idler { kind: kind.into(), idle });
        judged(&options, &channels.collect::<Vec<_>>()).collect()
    }

    fn over(why: &str) -> Result<Millis, String> {
        Err(why.into())
    }

    #[test]
    fn each_channel_is_closed_when_it_was_idle_for_its_time() {
        let channels = [
            ("session:shell", 1999),
            ("session:command", 2000),
            ("direct-tcpip", 2000),
            ("forwarded-tcpip", 9_000_000),
        ];
        let expected = [Ok(1), over("session:command was idle for 2 s"), Ok(3000), Ok(Millis::MAX)];
        assert_eq!(verdicts("session=2 direct-*=5", &channels), expected);
    }

    #[test]
    fn traffic_on_one_channel_keeps_all_of_them_where_they_share_their_time() {
        let busy = [("session:shell", 9000), ("direct-tcpip", 500)];
        assert_eq!(verdicts("global=2", &busy), [Ok(1500), Ok(1500)]);
        let idle = [("session:shell", 9000), ("direct-tcpip", 2000)];
        let why = || over("every channel was idle for 2 s");
        assert_eq!(verdicts("global=2", &idle), [why(), why()]);
    }

    #[test]
    fn a_time_of_its_own_and_that_of_all_hold_side_by_side() {
        let channels = [("session:shell", 3000), ("direct-tcpip", 500)];
        let expected = [over("session:shell was idle for 3 s"), Ok(1500)];
        assert_eq!(verdicts("session:*=3 global=2 direct-tcpip=4", &channels), expected);
    }

    #[test]
    fn nobody_is_looked_at_where_no_time_is_set() {
        for (timeouts, shortest) in [("none", None), ("*=0", None), ("a=3 b=2 c=0", Some(2000))] {
            let line = format!("ChannelTimeout {timeouts}");
            let options = ServerConfig::load(None, &[line], &ALGORITHMS).unwrap().global_options();
            assert_eq!(shortest_timeout(&options), shortest, "{timeouts}");
        }
    }
}
