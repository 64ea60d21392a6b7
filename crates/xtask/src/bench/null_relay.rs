//! A relay without SSH: what the kernel alone costs in a tunnel's place. A process of its own, so that its time can be told.
//! Touches: loopback sockets.   Never: what goes through.
//! Invariants: blocking reads and writes of one size; each direction ends by half-close.
//! Errors: a connection's end it alone.   Allocates: two buffers and two threads per connection.
//! Proved by: `near_end`'s checks through it.

use crate::Outcome;
use adit_interop_tests::child::Guarded;
use std::{
    env,
    io::{self, Read, Write},
    net::{Ipv4Addr, Shutdown, TcpListener, TcpStream},
    process::Command,
    thread,
};

/// How this program is told to be one: `VERB KIB TARGET-PORT`.
pub(crate) const VERB: &str = "null-relay";

/// One that runs.
#[derive(Debug)]
pub(crate) struct NullRelay {
    pub(crate) process: Guarded,
    pub(crate) port: u16,
}

impl NullRelay {
    /// Starts one with buffers of `kib` in front of `target`.
    pub(crate) fn start(kib: usize, target: u16) -> Result<Self, String> {
        let program = env::current_exe().map_err(|error| error.to_string())?;
        let mut command = Command::new(program);
        command.args(["bench", VERB, &kib.to_string(), &target.to_string()]);
        let process = Guarded::start("the null relay", &mut command);
        let port = process.stdout.wait_for("").trim().parse();
        Ok(Self { process, port: port.map_err(|_| "the null relay tells no port")? })
    }
}

/// Relays until it is killed.
pub(crate) fn serve(arguments: &[String]) -> Outcome {
    let [kib, target] = arguments else { return Err(format!("{VERB} KIB PORT")) };
    let parsed = (kib.parse::<usize>().ok()).zip(target.parse::<u16>().ok());
    let (kib, target) = parsed.ok_or_else(|| format!("{VERB} KIB PORT"))?;
    let words = |error: io::Error| error.to_string();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(words)?;
    println!("{}", listener.local_addr().map_err(words)?.port());
    loop {
        let (near, _) = listener.accept().map_err(words)?;
        thread::spawn(move || relay(near, target, kib * 1024));
    }
}

fn relay(near: TcpStream, target: u16, size: usize) -> io::Result<()> {
    let far = TcpStream::connect((Ipv4Addr::LOCALHOST, target))?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    let (back_from, back_to) = (far.try_clone()?, near.try_clone()?);
    thread::spawn(move || copy(back_from, back_to, size));
    copy(near, far, size)
}

fn copy(mut from: TcpStream, mut to: TcpStream, size: usize) -> io::Result<()> {
    let mut buffer = vec![0; size];
    loop {
        match from.read(&mut buffer) {
            Ok(count @ 1..) => to.write_all(&buffer[..count])?,
            _ => return to.shutdown(Shutdown::Write),
        }
    }
}
