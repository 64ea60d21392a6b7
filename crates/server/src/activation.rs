//! Sockets that whoever started the server hands over. sd_listen_fds(3), inetd(8).
//! Touches: the descriptors from 3 on that LISTEN_FDS counts, stdin, stdout and stderr.   Never: other descriptors.
//! Invariants: what is taken is of a kind that is served, and goes to no child.
//! Errors: a descriptor that is something else, by its number.   Allocates: per socket.
//! Proved by: `tests` below.

use adit_reactor::Pair;
use listenfd::ListenFd;
use rustix::fs::{FileType, fstat};
use rustix::net::{AddressFamily, sockopt};
use std::fs::OpenOptions;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};

/// The first descriptor that is handed over.
const FIRST: usize = 3;

/// A socket to accept connections on; it does not block.
#[derive(Debug)]
pub(crate) enum Listener {
    /// TCP.
    Tcp(TcpListener),
    /// Unix domain.
    Unix(UnixListener),
}

/// A listening socket that was handed over.
#[derive(Debug)]
pub(crate) struct Activated {
    /// FileDescriptorName; `unknown` or the unit's name where the unit does not say.
    pub(crate) name: Option<String>,
    /// The socket.
    pub(crate) listener: Listener,
}

/// The sockets a service manager handed over; none if there is no such manager. For the first thread, before there are
/// others: LISTEN_PID and LISTEN_FDS are taken out of the environment.
///
/// # Errors
/// When one is not a listening stream socket.
pub(crate) fn listeners() -> io::Result<Vec<Activated>> {
    let variable = |name| std::env::var(name).unwrap_or_default();
    // Without LISTEN_PID, or with a parent's, the descriptors are not meant for this process.
    if variable("LISTEN_PID").parse() != Ok(std::process::id()) {
        return Ok(Vec::new());
    }
    let names = variable("LISTEN_FDNAMES");
    let mut names = names.split(':').filter(|name| !name.is_empty()).map(str::to_owned);
    let mut handed = ListenFd::from_env();
    (0..handed.len())
        .map(|index| Ok(Activated { name: names.next(), listener: listener(&mut handed, index)? }))
        .collect()
}

fn listener(handed: &mut ListenFd, index: usize) -> io::Result<Listener> {
    if let Ok(Some(socket)) = handed.take_unix_listener(index) {
        accepting(&socket, index)?;
        socket.set_nonblocking(true)?;
        return Ok(Listener::Unix(socket));
    }
    let Some(socket) = handed.take_tcp_listener(index).map_err(|error| unfit(index, &error))?
    else {
        return Err(unfit(index, &"it is not there"));
    };
    accepting(&socket, index)?;
    socket.set_nonblocking(true)?;
    Ok(Listener::Tcp(socket))
}

/// The same of a socket that came another way.
///
/// # Errors
/// When it is no listening stream socket.
pub(crate) fn listening(socket: OwnedFd, index: usize) -> io::Result<Listener> {
    accepting(&socket, index)?;
    match sockopt::socket_domain(&socket)? {
        AddressFamily::UNIX => Ok(Listener::Unix(socket.into())),
        _ => Ok(Listener::Tcp(socket.into())),
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(listener) => listener.as_fd(),
            Self::Unix(listener) => listener.as_fd(),
        }
    }
}

fn accepting(socket: &impl AsFd, index: usize) -> io::Result<()> {
    if sockopt::socket_acceptconn(socket)? {
        return Ok(());
    }
    Err(unfit(index, &"it is a connection; with Accept=yes, use -i and StandardInput=socket"))
}

fn unfit(index: usize, why: &dyn std::fmt::Display) -> io::Error {
    let number = FIRST + index;
    io::Error::new(
        io::ErrorKind::InvalidInput,
        format!("descriptor {number} of LISTEN_FDS cannot be served: {why}"),
    )
}

/// The connection of `-i`.
#[derive(Debug)]
pub(crate) enum Inherited {
    /// stdin is a TCP socket.
    Tcp(TcpStream),
    /// stdin is a unix socket.
    Unix(UnixStream),
    /// stdin and stdout are something else, such as pipes.
    Pair(Pair),
}

/// Takes the connection that stdin and stdout are. `/dev/null` takes their place, and that of stderr where it is the
/// connection too: no line of ours or of a library's may get between packets.
///
/// # Errors
/// Those of the system.
pub(crate) fn connection() -> io::Result<Inherited> {
    let (input, output, errors) = (io::stdin(), io::stdout(), io::stderr());
    let connection = take(input.as_fd(), output.as_fd())?;
    let errors_too = same(input.as_fd(), errors.as_fd())? || same(output.as_fd(), errors.as_fd())?;
    let null = OpenOptions::new().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    if errors_too {
        rustix::stdio::dup2_stderr(&null)?;
    }
    Ok(connection)
}

fn take(input: BorrowedFd<'_>, output: BorrowedFd<'_>) -> io::Result<Inherited> {
    let owned = input.try_clone_to_owned()?;
    if FileType::from_raw_mode(fstat(&owned)?.st_mode) != FileType::Socket {
        return Ok(Inherited::Pair(Pair::new(owned, output.try_clone_to_owned()?)?));
    }
    match sockopt::socket_domain(&owned)? {
        AddressFamily::INET | AddressFamily::INET6 => Ok(Inherited::Tcp(owned.into())),
        AddressFamily::UNIX => Ok(Inherited::Unix(owned.into())),
        _ => Ok(Inherited::Pair(Pair::new(owned, output.try_clone_to_owned()?)?)),
    }
}

/// Whether two descriptors are one file, one pipe, one socket.
fn same(one: BorrowedFd<'_>, other: BorrowedFd<'_>) -> io::Result<bool> {
    let (one, other) = (fstat(one)?, fstat(other)?);
    Ok((one.st_dev, one.st_ino) == (other.st_dev, other.st_ino))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use std::process::{Command, Output, Stdio};

    /// Says to a test that it is the server a manager started.
    const PART: &str = "ADITD_TEST_PART";

    /// Runs one test of this program as the server, in a shell that arranges descriptors and environment first.
    fn server(test: &str, arrange: &str, stdin: Stdio) -> Command {
        let mut shell = Command::new("/bin/sh");
        let program = std::env::current_exe().unwrap();
        let run = format!("{arrange} exec \"$0\" --exact --nocapture activation::tests::{test}");
        shell.arg("-c").arg(run).arg(program).env(PART, "server").stdin(stdin);
        shell
    }

    fn is_server() -> bool {
        std::env::var_os(PART).is_some()
    }

    fn words(output: &Output) -> String {
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    #[test]
    fn the_served_sockets() {
        if is_server() {
            println!("{:?}", listeners());
            println!("and no more: {:?}", listeners().unwrap().len());
        }
    }

    fn listened_to(arrange: &str, socket: impl Into<OwnedFd>) -> String {
        let socket: OwnedFd = socket.into();
        let mut server = server("the_served_sockets", arrange, Stdio::from(socket));
        words(&server.output().unwrap())
    }

    const TO_THE_SERVER: &str = "exec 3<&0; export LISTEN_FDS=1 LISTEN_PID=$$ LISTEN_FDNAMES=ssh;";

    #[test]
    fn a_socket_that_is_handed_over_is_served_once() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port().to_string();
        let said = listened_to(TO_THE_SERVER, socket);
        assert!(said.contains("name: Some(\"ssh\"), listener: Tcp(TcpListener"), "{said}");
        assert!(said.contains(&port), "{said}");
        assert!(said.contains("and no more: 0"), "{said}");
    }

    #[test]
    fn a_unix_socket_is_as_good() {
        let path = std::env::temp_dir().join(format!("aditd-activation-{}", std::process::id()));
        let socket = UnixListener::bind(&path).unwrap();
        let said = listened_to(TO_THE_SERVER, socket);
        std::fs::remove_file(path).unwrap();
        assert!(said.contains("listener: Unix(UnixListener"), "{said}");
    }

    #[test]
    fn sockets_for_another_process_are_left_alone() {
        for variables in ["LISTEN_FDS=1", "LISTEN_FDS=1 LISTEN_PID=1"] {
            let socket = TcpListener::bind("127.0.0.1:0").unwrap();
            let said = listened_to(&format!("exec 3<&0; export {variables};"), socket);
            assert!(said.contains("Ok([])"), "{said}");
        }
    }

    #[test]
    fn what_cannot_be_served_is_named() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let tcp = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (unix, _other) = UnixStream::pair().unwrap();
        let expected = "descriptor 3 of LISTEN_FDS cannot be served: it is a connection";
        for connected in [OwnedFd::from(tcp), OwnedFd::from(unix)] {
            let said = listened_to(TO_THE_SERVER, connected);
            assert!(said.contains(expected), "{said}");
        }
        let said = listened_to(TO_THE_SERVER, std::fs::File::open("/dev/null").unwrap());
        assert!(said.contains("descriptor 3 of LISTEN_FDS cannot be served"), "{said}");
    }

    #[test]
    fn the_served_connection() {
        if is_server() {
            let connection = connection().unwrap();
            // Nobody may hear these.
            println!("from stdout");
            io::stderr().write_all(b"from stderr").unwrap();
            match connection {
                Inherited::Tcp(mut socket) => socket.write_all(b"over tcp").unwrap(),
                Inherited::Unix(mut socket) => socket.write_all(b"over unix").unwrap(),
                Inherited::Pair(_) => unreachable!("a socket was handed over"),
            }
        }
    }

    fn served(near: impl Into<OwnedFd>, mut far: impl io::Read) -> String {
        let near: OwnedFd = near.into();
        let mut server = server("the_served_connection", "exec >&0 2>&0;", Stdio::from(near));
        let mut child = server.spawn().unwrap();
        // The command holds the near end too.
        drop(server);
        let mut said = String::new();
        far.read_to_string(&mut said).unwrap();
        assert!(child.wait().unwrap().success());
        said
    }

    #[test]
    fn the_connection_of_inetd_is_nobody_elses() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let far = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (near, _) = listener.accept().unwrap();
        let said = served(near, far);
        assert!(said.contains("over tcp") && !said.contains("from std"), "{said}");

        let (near, far) = UnixStream::pair().unwrap();
        let said = served(near, far);
        assert!(said.contains("over unix") && !said.contains("from std"), "{said}");
    }

    #[test]
    fn what_is_no_socket_makes_a_pair() {
        let input = std::fs::File::open("/dev/zero").unwrap();
        let output = OpenOptions::new().write(true).open("/dev/null").unwrap();
        let taken = take(input.as_fd(), output.as_fd()).unwrap();
        assert!(matches!(taken, Inherited::Pair(_)));
    }
}
