//! The process that talks to the network: it is told what to serve, gives up all rights, and serves.
//! Touches: the socket that is its standard input; its own rights.   Never: files, once it has begun.
//! Invariants: there is one thread until all rights are gone and the sandbox is entered; not a byte of a client is read before.
//! Errors: a line for the keeper, who says it, and the exit status.   Allocates: as any start.
//! Proved by: interop `server::separation`.

use super::confine::confine;
use super::link::{Link, settings_of};
use super::message::{Heard, Order};
use super::socket::receive;
use super::terms::Terms;
use crate::activation::{Activated, listening};
use crate::desk::Door;
use crate::errand::Errands;
use crate::front::{Front, SIGNALS, Source};
use crate::limits::Limits;
use crate::log::Log;
use crate::notify::Notify;
use crate::session::launch::close_inherited;
use crate::settings::Settings;
use crate::shared::Shared;
use crate::{rules, sandbox, start};
use adit_forward::os_words;
use adit_reactor::Reactor;
use adit_reactor::signals::Signals;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// What the keeper said to begin with.
struct Start {
    uid: u32,
    gid: u32,
    root: PathBuf,
    single: bool,
    watchdog: Option<Duration>,
    settings: Settings,
    handed: Vec<Activated>,
}

/// Serves until the keeper says that it is enough, or is gone.
pub(crate) fn run() -> ExitCode {
    let socket = match take_socket() {
        Ok(socket) => Arc::new(Link::new(socket)),
        Err(_) => return ExitCode::from(start::FAILURE),
    };
    match serve(&socket) {
        Ok(()) => ExitCode::SUCCESS,
        Err(words) => {
            socket.fatal(&words);
            ExitCode::from(start::FAILURE)
        }
    }
}

/// Standard input is the socket; nothing else may be read from it by accident.
fn take_socket() -> io::Result<OwnedFd> {
    close_inherited();
    let socket = io::stdin().as_fd().try_clone_to_owned()?;
    let null = File::open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null)?;
    // A key pressed in the keeper's terminal is for the keeper. Whoever leads a group already has its own.
    let _ = rustix::process::setsid();
    Ok(socket)
}

fn serve(link: &Arc<Link>) -> Result<(), String> {
    let begin = begin(link)?;
    let words = |error: io::Error| os_words(&error);
    let options = begin.settings.global.clone();
    // All of these look at files.
    let loops = start::loops(&options);
    let log = Log::through(link.clone(), options.log_level, start::format(&options));
    let signals = Signals::watch(&SIGNALS).map_err(words)?;
    start::raise_file_limit();
    confine(begin.uid, begin.gid, &begin.root)?;
    log.debug(format_args!("sandbox of the network: {}", sandbox::confine_network(&options)));
    let mut reactor = Reactor::new().map_err(words)?;
    for reader in signals.into_readers() {
        reactor.add_signal(reader).map_err(words)?;
    }
    let wishes = link.listen(reactor.waker()).map_err(words)?;
    let errands = Errands::new(loops * start::ERRANDS_PER_LOOP).map_err(words)?;
    let limits = Limits::new(rules::limits(&options));
    let door = Door::Kept(link.clone());
    let shared = Arc::new(Shared::new(door, errands, log, begin.settings, limits));
    let loops = start::start_loops(&shared, loops, &reactor).map_err(words)?;
    let notify = Notify::through(link.clone(), begin.watchdog);
    let mut front = Front::new(shared, loops, Source::Keeper(wishes), notify, begin.single);
    if begin.handed.is_empty() {
        front.listen(&mut reactor)?;
    } else {
        front.adopt(&mut reactor, begin.handed).map_err(words)?;
    }
    front.run(&mut reactor).map_err(words)
}

/// The keeper's first word.
fn begin(link: &Link) -> Result<Start, String> {
    let (bytes, descriptors) = receive(link.socket()).ok().flatten().ok_or("the keeper is gone")?;
    let Ok(Heard::Order(Order::Begin { uid, gid, root, single, watchdog, names })) =
        Heard::decode(&bytes)
    else {
        return Err("the keeper does not say how to begin".into());
    };
    let mut descriptors = descriptors.into_iter();
    let memory = descriptors.next().ok_or("the keeper gives no settings")?;
    let settings = Terms::from_memory(memory).map_err(|error| os_words(&error))?;
    let settings = settings_of(&settings)?;
    let handed = names.into_iter().zip(descriptors).enumerate();
    let handed = handed
        .map(|(index, (name, socket))| Ok(Activated { name, listener: listening(socket, index)? }));
    let handed: io::Result<Vec<Activated>> = handed.collect();
    Ok(Start {
        uid,
        gid,
        root: root.into(),
        single,
        watchdog: watchdog.map(Duration::from_millis),
        settings,
        handed: handed.map_err(|error| os_words(&error))?,
    })
}
