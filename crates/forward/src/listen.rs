//! Local listeners: which addresses a specification means, and binding them. ssh(1) -L, -D and -g.
//! Touches: listening sockets, the umask while a unix socket is bound.   Never: what is done with a connection.
//! Invariants: every address that was asked for is either bound or reported.
//! Errors: [`BindFailure`] per address.   Allocates: per listener.
//! Proved by: `tests` below, interop `local_forward.rs`, `unix_sockets.rs`.

use crate::spec::{Listen, ListenOn};
use adit_reactor::{Family, Found, Listener, by_name};
use rustix::fs::Mode;
use socket2::{Domain, Protocol, Socket, Type};
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;

/// Connections the kernel keeps for us until the loop comes round to them.
const BACKLOG: i32 = 1024;

/// How listeners are made.
#[derive(Clone, Copy, Debug)]
pub struct ListenOptions {
    /// A missing bind address means every address (`GatewayPorts`, `-g`).
    pub gateway_ports: bool,
    /// Families to bind (`AddressFamily`, `-4`, `-6`).
    pub family: Family,
    /// Permission bits a unix socket does not get (`StreamLocalBindMask`).
    pub bind_mask: u32,
    /// Remove a file that stands in the way of a unix socket (`StreamLocalBindUnlink`).
    pub bind_unlink: bool,
}

impl Default for ListenOptions {
    fn default() -> Self {
        Self { gateway_ports: false, family: Family::Any, bind_mask: 0o177, bind_unlink: false }
    }
}

/// An address that was asked for and could not be bound.
#[derive(Debug)]
pub enum BindFailure {
    /// A TCP address.
    Tcp(SocketAddr, io::Error),
    /// A unix socket path.
    Unix(String, io::Error),
    /// The bind address is a name that means nothing here.
    Name(String, String),
}

/// In ssh's words.
impl fmt::Display for BindFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address, error) => {
                write!(f, "bind [{}]:{}: {}", address.ip(), address.port(), os_words(error))
            }
            Self::Unix(path, error) => {
                write!(f, "unix_listener: cannot bind to path {path}: {}", os_words(error))
            }
            Self::Name(name, words) => {
                write!(f, "channel_setup_fwd_listener_tcpip: getaddrinfo({name}): {words}")
            }
        }
    }
}

/// The system's text without the number that the standard library puts behind it.
pub fn os_words(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

/// Binds all that `listen` asks for.
///
/// Loopback and wildcard mean both families; one that this host does not have at all is no failure.
pub fn bind(listen: &Listen, options: &ListenOptions) -> (Vec<Listener>, Vec<BindFailure>) {
    let (mut bound, mut failures) = (Vec::new(), Vec::new());
    match listen {
        Listen::Unix(path) => match bind_unix(path, options) {
            Ok(listener) => bound.push(listener),
            Err(error) => failures.push(BindFailure::Unix(path.clone(), error)),
        },
        Listen::Tcp { bind, port } => {
            match addresses(bind.listen_on(options.gateway_ports), *port, options) {
                Ok((addresses, both)) => {
                    for address in addresses {
                        match bind_tcp(address) {
                            Ok(listener) => bound.push(listener),
                            Err(error) if both && family_is_absent(&error) => {}
                            Err(error) => failures.push(BindFailure::Tcp(address, error)),
                        }
                    }
                }
                Err(failure) => failures.push(failure),
            }
        }
    }
    (bound, failures)
}

/// The addresses, and whether they stand for "whatever families there are".
fn addresses(
    on: ListenOn<'_>,
    port: u16,
    options: &ListenOptions,
) -> Result<(Vec<SocketAddr>, bool), BindFailure> {
    let found = addresses_asked_for(on, port, options.family);
    match on {
        ListenOn::Loopback | ListenOn::Wildcard => Ok((found.unwrap_or_default(), true)),
        ListenOn::Address(name) => found
            .map(|addresses| (addresses, false))
            .map_err(|words| BindFailure::Name(name.to_owned(), words)),
    }
}

/// All addresses that somebody who wants to listen there asks for. Blocks where it is a name.
///
/// # Errors
/// The resolver's words.
pub fn addresses_asked_for(on: ListenOn<'_>, port: u16, family: Family) -> Found {
    match on {
        ListenOn::Loopback | ListenOn::Wildcard => {
            Ok(known_addresses(on, port, family).unwrap_or_default())
        }
        ListenOn::Address(name) => by_name(name, port, family),
    }
}

/// The addresses, unless a name has to be looked up first.
pub(crate) fn known_addresses(
    on: ListenOn<'_>,
    port: u16,
    family: Family,
) -> Option<Vec<SocketAddr>> {
    let ips: [Option<IpAddr>; 2] = match on {
        ListenOn::Loopback => [Some(Ipv4Addr::LOCALHOST.into()), Some(Ipv6Addr::LOCALHOST.into())],
        ListenOn::Wildcard => {
            [Some(Ipv4Addr::UNSPECIFIED.into()), Some(Ipv6Addr::UNSPECIFIED.into())]
        }
        ListenOn::Address(name) => [Some(name.parse().ok()?), None],
    };
    let wanted = ips.into_iter().flatten().filter(|ip| family.takes(*ip));
    Some(wanted.map(|ip| SocketAddr::new(ip, port)).collect())
}

/// How often a port is chosen again because the other family's is taken.
const CHOICES: usize = 16;

/// Binds whatever of `addresses` can be bound, all to one port; when that is 0, the system chooses it.
pub(crate) fn bind_any(addresses: &[SocketAddr]) -> io::Result<Vec<Listener>> {
    let chosen = addresses.iter().all(|address| address.port() == 0);
    let mut tries = if chosen { CHOICES } else { 1 };
    loop {
        tries -= 1;
        let (bound, failure) = sorted(bind_in_turn(addresses));
        let taken = failure.as_ref().is_some_and(|error| error.kind() == io::ErrorKind::AddrInUse);
        if !taken || tries == 0 {
            return bound_or(bound, failure);
        }
    }
}

/// Binds to the port that the first has.
fn bind_in_turn(addresses: &[SocketAddr]) -> impl Iterator<Item = io::Result<Listener>> {
    let mut port = None;
    addresses.iter().map(move |address| {
        let address = SocketAddr::new(address.ip(), port.unwrap_or(address.port()));
        let listener = bind_tcp(address)?;
        port = listener.local_addr().map(|bound| bound.port());
        Ok(listener)
    })
}

/// What of several attempts has become listeners; when nothing has, the error that says most.
///
/// # Errors
/// Those of the attempts; `EADDRNOTAVAIL` when there was none.
pub fn any_bound(
    attempts: impl IntoIterator<Item = io::Result<Listener>>,
) -> io::Result<Vec<Listener>> {
    let (bound, failure) = sorted(attempts);
    bound_or(bound, failure)
}

fn sorted(
    attempts: impl IntoIterator<Item = io::Result<Listener>>,
) -> (Vec<Listener>, Option<io::Error>) {
    let (mut bound, mut failure): (Vec<Listener>, Option<io::Error>) = (Vec::new(), None);
    for attempt in attempts {
        match attempt {
            Ok(listener) => bound.push(listener),
            // That there is no IPv6 here is the lesser reason.
            Err(error) if failure.as_ref().is_none_or(family_is_absent) => failure = Some(error),
            Err(_) => {}
        }
    }
    (bound, failure)
}

fn bound_or(bound: Vec<Listener>, failure: Option<io::Error>) -> io::Result<Vec<Listener>> {
    match failure {
        _ if !bound.is_empty() => Ok(bound),
        Some(error) => Err(error),
        None => Err(rustix::io::Errno::ADDRNOTAVAIL.into()),
    }
}

fn family_is_absent(error: &io::Error) -> bool {
    use rustix::io::Errno;
    matches!(Errno::from_io_error(error), Some(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL))
}

/// Listens on one address; the IPv6 wildcard leaves IPv4 alone.
///
/// # Errors
/// Those of the system.
pub fn bind_tcp(address: SocketAddr) -> io::Result<Listener> {
    Listener::tcp(tcp_socket(address)?)
}

/// The same for whoever hands the socket on, before a loop has it.
///
/// # Errors
/// Those of the system.
pub fn tcp_socket(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        // The IPv4 wildcard is a listener of its own.
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn bind_unix(path: &str, options: &ListenOptions) -> io::Result<Listener> {
    if options.bind_unlink {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    let previous = rustix::process::umask(Mode::from_raw_mode(options.bind_mask));
    let listener = UnixListener::bind(path);
    rustix::process::umask(previous);
    Listener::unix(listener?, path.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ForwardSpec;
    use std::os::unix::fs::PermissionsExt;

    fn free_port() -> u16 {
        std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
    }

    #[test]
    fn loopback_is_both_families() {
        let spec = ForwardSpec::dynamic(&free_port().to_string()).unwrap();
        let (bound, failures) = bind(&spec.listen, &ListenOptions::default());
        assert!(failures.is_empty(), "{failures:?}");
        let addresses: Vec<IpAddr> =
            bound.iter().filter_map(Listener::local_addr).map(|at| at.ip()).collect();
        assert!(addresses.contains(&IpAddr::V4(Ipv4Addr::LOCALHOST)));
        assert!(addresses.iter().all(IpAddr::is_loopback));
    }

    #[test]
    fn a_family_that_cannot_be_bound_is_reported_though_the_other_is() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let spec = ForwardSpec::dynamic(&port.to_string()).unwrap();
        let (_, failures) = bind(&spec.listen, &ListenOptions::default());
        let text: Vec<String> = failures.iter().map(ToString::to_string).collect();
        assert_eq!(text, [format!("bind [127.0.0.1]:{port}: Address already in use")]);
    }

    #[test]
    fn a_port_the_system_chooses_is_one_for_all_families() {
        let addresses = known_addresses(ListenOn::Loopback, 0, Family::Any).unwrap();
        let bound = bind_any(&addresses).unwrap();
        let mut ports: Vec<u16> =
            bound.iter().filter_map(Listener::local_addr).map(|at| at.port()).collect();
        ports.dedup();
        assert_eq!(ports.len(), 1, "{bound:?}");
        assert_ne!(ports, [0]);
    }

    #[test]
    fn of_several_failures_the_one_that_says_most_is_told() {
        let error = |kind: rustix::io::Errno| Err(io::Error::from(kind));
        use rustix::io::Errno;
        let failures = [error(Errno::AFNOSUPPORT), error(Errno::ACCESS), error(Errno::ADDRINUSE)];
        let told = any_bound(failures).unwrap_err();
        assert_eq!(told.kind(), io::ErrorKind::PermissionDenied);
        let none = any_bound([]).unwrap_err();
        assert_eq!(none.kind(), io::ErrorKind::AddrNotAvailable);
    }

    #[test]
    fn a_name_nobody_knows_is_reported_in_the_resolvers_words() {
        let spec = ForwardSpec::dynamic("no-such-name.invalid:1080").unwrap();
        let (bound, failures) = bind(&spec.listen, &ListenOptions::default());
        assert!(bound.is_empty());
        let text = failures[0].to_string();
        assert!(
            text.starts_with(
                "channel_setup_fwd_listener_tcpip: getaddrinfo(no-such-name.invalid): "
            ),
            "{text}"
        );
    }

    #[test]
    fn unix_sockets_obey_mask_and_unlink_and_are_removed() {
        let dir = std::env::temp_dir().join(format!("adit-listen-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let path = dir.join("s");
        let listen = Listen::Unix(path.to_str().unwrap().to_owned());
        let options = ListenOptions::default();

        std::fs::write(&path, "in the way").unwrap();
        let (_, failures) = bind(&listen, &options);
        assert!(failures[0].to_string().ends_with("Address already in use"), "{}", failures[0]);

        let (bound, failures) = bind(&listen, &ListenOptions { bind_unlink: true, ..options });
        assert!(failures.is_empty(), "{failures:?}");
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        drop(bound);
        assert!(!path.exists());
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
