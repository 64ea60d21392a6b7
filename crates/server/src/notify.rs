//! The service manager is told how the server does. sd_notify(3), sd_watchdog_enabled(3).
//! Touches: the datagram socket the environment names.   Never: the environment, beyond reading it.
//! Invariants: never waits; without a service manager, nothing happens.
//! Errors: only a socket that cannot be made; a message that is not taken is lost.   Allocates: a line at a time.
//! Proved by: `tests` below.

use crate::keeper::Link;
use rustix::time::{ClockId, clock_gettime};
use std::ffi::OsString;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::time::Duration;

/// The way to the service manager.
pub(crate) struct Notify {
    way: Way,
    /// How often it is fed: twice in the time after which the manager gives the server up.
    watchdog: Option<Duration>,
}

/// How it is told.
enum Way {
    /// There is nobody to tell.
    Nobody,
    /// By a datagram.
    Manager(UnixDatagram, SocketAddr),
    /// By the keeper, whom the manager knows.
    Keeper(Arc<Link>),
}

impl Notify {
    /// Has the keeper tell it.
    pub(crate) const fn through(keeper: Arc<Link>, watchdog: Option<Duration>) -> Self {
        // The interval is for calls already.
        Self { way: Way::Keeper(keeper), watchdog }
    }

    /// Whom the environment names.
    ///
    /// # Errors
    /// When NOTIFY_SOCKET names nothing that can be written to.
    pub(crate) fn from_env() -> io::Result<Self> {
        Self::new(|name| std::env::var_os(name), std::process::id())
    }

    fn new(variable: impl Fn(&str) -> Option<OsString>, process: u32) -> io::Result<Self> {
        let Some(name) = variable("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else {
            return Ok(Self { way: Way::Nobody, watchdog: None });
        };
        let number = |name| variable(name)?.to_str()?.parse::<u64>().ok();
        // WATCHDOG_PID names the process that is watched; a child may have inherited it.
        let watched = number("WATCHDOG_PID").is_none_or(|watched| watched == process.into());
        let micros = number("WATCHDOG_USEC").filter(|micros| watched && *micros > 0);
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        Ok(Self {
            way: Way::Manager(socket, address(&name)?),
            watchdog: micros.map(|micros| Duration::from_micros(micros) / 2),
        })
    }

    /// Connections are accepted.
    pub(crate) fn ready(&self, status: &str) {
        match &self.way {
            Way::Keeper(keeper) => keeper.ready(status),
            _ => self.send(&format!("READY=1\nSTATUS={}", line(status))),
        }
    }

    /// The configuration is being read again; [`Notify::ready`] says when it is done.
    pub(crate) fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        let micros = now.tv_sec * 1_000_000 + now.tv_nsec / 1000;
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={micros}"));
    }

    /// The server ends.
    pub(crate) fn stopping(&self) {
        match &self.way {
            Way::Keeper(keeper) => keeper.stopping(),
            _ => self.send("STOPPING=1"),
        }
    }

    /// The server is alive.
    pub(crate) fn watchdog(&self) {
        match &self.way {
            Way::Keeper(keeper) => keeper.alive(),
            _ => self.send("WATCHDOG=1"),
        }
    }

    /// How often [`Notify::watchdog`] is to be called: twice in the time after which the manager gives the server up.
    pub(crate) const fn watchdog_interval(&self) -> Option<Duration> {
        self.watchdog
    }

    fn send(&self, message: &str) {
        if let Way::Manager(socket, manager) = &self.way {
            // A manager that does not listen asks again in its own way.
            let _ = socket.send_to_addr(message.as_bytes(), manager);
        }
    }
}

/// A path, or with `@` a name in the abstract namespace.
fn address(name: &OsString) -> io::Result<SocketAddr> {
    match name.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
        [b'/', ..] => SocketAddr::from_pathname(name),
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!(
                "NOTIFY_SOCKET is neither a path nor an abstract name: {}",
                name.to_string_lossy()
            ),
        )),
    }
}

/// Each line is a message of its own.
fn line(status: &str) -> String {
    status.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A service manager of this test's own, in the abstract namespace, and what its environment says.
    fn manager(name: &str, watchdog: &[(&'static str, &str)]) -> (UnixDatagram, Notify) {
        let name = format!("aditd-notify-{}-{name}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let socket = UnixDatagram::bind_addr(&address).unwrap();
        let notify = |asked: &str| match asked {
            "NOTIFY_SOCKET" => Some(format!("@{name}").into()),
            _ => watchdog.iter().find(|(key, _)| *key == asked).map(|(_, value)| value.into()),
        };
        (socket, Notify::new(notify, 42).unwrap())
    }

    fn received(socket: &UnixDatagram) -> String {
        let mut buffer = [0; 256];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    #[test]
    fn the_manager_hears_of_start_reload_and_end() {
        let (socket, notify) = manager("life", &[]);
        notify.ready("Listening on 1 address\nREADY=0");
        assert_eq!(received(&socket), "READY=1\nSTATUS=Listening on 1 address READY=0");
        notify.reloading();
        let reloading = received(&socket);
        let micros = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
        assert!(micros.parse::<u64>().unwrap() > 0);
        notify.watchdog();
        assert_eq!(received(&socket), "WATCHDOG=1");
        notify.stopping();
        assert_eq!(received(&socket), "STOPPING=1");
    }

    #[test]
    fn a_path_is_as_good_as_an_abstract_name() {
        let path = std::env::temp_dir().join(format!("aditd-notify-{}", std::process::id()));
        let socket = UnixDatagram::bind(&path).unwrap();
        let variable = |name: &str| (name == "NOTIFY_SOCKET").then(|| path.clone().into());
        Notify::new(variable, 1).unwrap().stopping();
        assert_eq!(received(&socket), "STOPPING=1");
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn without_a_manager_nothing_happens() {
        for name in [None, Some("")] {
            let variable = |asked: &str| {
                if asked == "NOTIFY_SOCKET" {
                    name.map(OsString::from)
                } else {
                    Some("1000".into())
                }
            };
            let notify = Notify::new(variable, 1).unwrap();
            notify.ready("");
            assert_eq!(notify.watchdog_interval(), None);
        }
    }

    #[test]
    fn a_manager_that_is_gone_is_no_error() {
        let (socket, notify) = manager("gone", &[]);
        drop(socket);
        notify.ready("");
    }

    #[test]
    fn an_address_of_another_kind_is_an_error_that_names_it() {
        let variable = |name: &str| (name == "NOTIFY_SOCKET").then(|| "vsock:2:1234".into());
        let error = Notify::new(variable, 1).err().unwrap();
        assert!(error.to_string().contains("vsock:2:1234"));
    }

    #[test]
    fn the_watchdog_is_fed_twice_in_its_time_by_whom_it_watches() {
        for (variables, millis) in [
            (&[("WATCHDOG_USEC", "30000000")][..], Some(15_000)),
            (&[("WATCHDOG_USEC", "30000000"), ("WATCHDOG_PID", "42")], Some(15_000)),
            (&[("WATCHDOG_USEC", "30000000"), ("WATCHDOG_PID", "43")], None),
            (&[("WATCHDOG_USEC", "0")], None),
            (&[("WATCHDOG_USEC", "soon")], None),
            (&[], None),
        ] {
            let (_socket, notify) = manager(&format!("dog-{variables:?}"), variables);
            assert_eq!(notify.watchdog_interval(), millis.map(Duration::from_millis));
        }
    }
}
