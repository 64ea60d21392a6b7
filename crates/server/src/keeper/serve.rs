//! The keeper at work: starts the other process, answers it, and ends with it.
//! Touches: the child, the socket to it, signals, the log, the pid file.   Never: what a request asks for; that is `Keeper`'s.
//! Invariants: whoever breaks the language of the two is ended; nothing waits for the other process without an end.
//! Errors: a line each; the exit status tells of an end nobody asked for.   Allocates: per request.
//! Proved by: `tests`, interop `server::separation`.

#[cfg(test)]
mod tests;

use super::NETWORK;
use super::answer::{Answer, Keeper};
use super::confine::{NetworkUser, empty_root, keep_little};
use super::message::{MAX_LENGTH, Order, Request};
use super::socket::{MAX_DESCRIPTORS, pair, receive, send};
use super::terms::{Recorder, Terms};
use crate::activation::Activated;
use crate::errand::Errands;
use crate::front::SIGNALS;
use crate::host::Host;
use crate::log::Log;
use crate::notify::Notify;
use crate::pidfile::PidFile;
use crate::session::Launch;
use crate::settings::Settings;
use crate::start::{self, ERRANDS_PER_LOOP, FAILURE, Origin};
use adit_config::types::Role;
use adit_forward::os_words;
use adit_reactor::background::Background;
use adit_reactor::signals::Signals;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{Shutdown, shutdown};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How long the other process may leave its mail unread, and may take to end when it is told to: twice what its farewell takes.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long it may live after it has hung up.
const LAST_MOMENT: Duration = Duration::from_millis(500);

/// Bytes of requests that wait for a helper: far more than loops and helpers there could have sent.
const MAX_WAITING: usize = 32 << 20;

/// What a request weighs besides its bytes: its place in the queue.
const PLACE: usize = 512;

/// Names looked up at a time; they wait for others than the logins do.
const LOOK_UPS: usize = 16;

/// What the keeper is to keep.
pub(crate) struct Charge {
    pub(crate) host: Arc<dyn Host>,
    pub(crate) settings: Settings,
    /// What the settings were made of.
    pub(crate) recorder: Recorder,
    pub(crate) log: Log,
    pub(crate) origin: Origin,
    /// Sockets of a service manager.
    pub(crate) handed: Vec<Activated>,
    pub(crate) background: Option<Background>,
    /// One connection is all there will be.
    pub(crate) single: bool,
    /// Soft limit of files.
    pub(crate) files: Option<u64>,
}

/// The other process, which waits to hear how to begin.
pub(crate) struct Network {
    user: NetworkUser,
    root: PathBuf,
    socket: OwnedFd,
    child: Child,
}

impl Network {
    /// Starts it, and gives up what was needed for that. For the only thread there is.
    ///
    /// # Errors
    /// When there is no empty directory for it, or no process.
    pub(crate) fn start(
        user: NetworkUser,
        role: Role,
        keep_stderr: bool,
        log: &Log,
    ) -> Result<Self, String> {
        let root = empty_root()?;
        let (socket, child) = give_birth(keep_stderr).map_err(|error| os_words(&error))?;
        if let Err(error) = keep_little(role) {
            log.error(format_args!("the keeper keeps all rights of root's: {}", os_words(&error)));
        }
        Ok(Self { user, root, socket, child })
    }
}

/// Has the other process serve, and keeps until it ends.
///
/// # Errors
/// What it could not start for.
pub(crate) fn serve(network: Network, charge: Charge) -> Result<ExitCode, String> {
    let words = |error: io::Error| os_words(&error);
    let signals = Signals::watch(&SIGNALS).map_err(words)?;
    let notify =
        Notify::from_env().map_err(|error| format!("NOTIFY_SOCKET: {}", os_words(&error)))?;
    let errands = start::loops(&charge.settings.global) * ERRANDS_PER_LOOP;
    let errands = Errands::new(errands).map_err(words)?;
    let launch = Launch::by_this_program(charge.files);
    let Network { user, root, socket, child } = network;
    let Charge { host, settings, recorder, log, origin, handed, background, single, .. } = charge;
    let begin = Order::Begin {
        uid: user.uid,
        gid: user.gid,
        root: root.to_string_lossy().into_owned(),
        single,
        watchdog: notify.watchdog_interval().map(|interval| interval.as_millis() as u64),
        names: handed.iter().map(|handed| handed.name.clone()).collect(),
    };
    let terms = origin.terms(recorder, &settings);
    let pid_file = settings.global.pid_file.clone();
    let serving = Serving {
        keeper: Arc::new(Keeper::new(host, launch, errands.clone(), settings)),
        socket: Arc::new(socket),
        child,
        errands,
        look_ups: Errands::new(LOOK_UPS).map_err(words)?,
        waiting: Arc::default(),
        log,
        origin,
        notify,
        background,
        pid_file,
        written: None,
        status: String::new(),
        fatal: None,
        ready: false,
        deadline: None,
    };
    serving.begin(&begin, &terms, &handed).map_err(words)?;
    drop(handed);
    serving.run(&signals)
}

/// This program once more, with nothing of the environment and a socket to talk on.
fn give_birth(keep_stderr: bool) -> io::Result<(OwnedFd, Child)> {
    let (near, far) = line()?;
    // What runs now, also where another version has taken its place on disk.
    let mut command = Command::new("/proc/self/exe");
    command.arg0("aditd").arg(NETWORK).env_clear().stdin(far).stdout(Stdio::null());
    if !keep_stderr {
        command.stderr(Stdio::null());
    }
    Ok((near, command.spawn()?))
}

/// The keeper's end, which does not wait for ever to be heard, and the other.
fn line() -> io::Result<(OwnedFd, OwnedFd)> {
    let (near, far) = pair()?;
    set_socket_timeout(&near, Timeout::Send, Some(PATIENCE))?;
    Ok((near, far))
}

/// A keeper with its other process.
struct Serving {
    keeper: Arc<Keeper>,
    socket: Arc<OwnedFd>,
    child: Child,
    errands: Errands,
    look_ups: Errands,
    /// Weight of the requests that have no answer yet.
    waiting: Arc<AtomicUsize>,
    log: Log,
    origin: Origin,
    notify: Notify,
    background: Option<Background>,
    pid_file: Option<String>,
    written: Option<PidFile>,
    /// The last the other process told of itself.
    status: String,
    /// Why it could not start.
    fatal: Option<String>,
    /// It has served.
    ready: bool,
    /// By when it must have ended.
    deadline: Option<Instant>,
}

/// Why it goes no further.
enum End {
    /// The other process is gone.
    Gone,
    /// It does what it must not, or cannot be reached.
    Broken(String),
}

impl Serving {
    fn begin(&self, begin: &Order, terms: &Terms, handed: &[Activated]) -> io::Result<()> {
        if handed.len() >= MAX_DESCRIPTORS {
            return Err(io::Error::other(format!(
                "more than {MAX_DESCRIPTORS} sockets are handed over"
            )));
        }
        let memory = terms.to_memory()?;
        let mut descriptors = vec![memory.as_fd()];
        descriptors.extend(handed.iter().map(|handed| handed.listener.as_fd()));
        send(&*self.socket, &begin.encode(0), &descriptors)
    }

    fn run(mut self, signals: &Signals) -> Result<ExitCode, String> {
        let end = loop {
            if let Err(end) = self.turn(signals) {
                break end;
            }
        };
        if let End::Broken(why) = &end {
            self.log.fatal(format_args!("the process that talks to the network is ended: {why}"));
        }
        let status = self.outlive(&end).map_err(|error| os_words(&error))?;
        self.keeper.forget_all();
        match self.fatal {
            Some(words) => Err(words),
            None if status.success() => Ok(ExitCode::SUCCESS),
            None => {
                if matches!(end, End::Gone) {
                    let log = &self.log;
                    log.fatal(format_args!(
                        "the process that talks to the network ended: {status}"
                    ));
                }
                Ok(ExitCode::from(FAILURE))
            }
        }
    }

    /// Sees to its end: one that has hung up ends, or is ended.
    fn outlive(&mut self, end: &End) -> io::Result<ExitStatus> {
        if matches!(end, End::Broken(_)) || !self.ends_within(LAST_MOMENT) {
            // Helpers that still want to tell it something have nobody to tell; it may be gone already.
            let _ = shutdown(&*self.socket, Shutdown::Both);
            let _ = self.child.kill();
        }
        self.child.wait()
    }

    fn ends_within(&self, time: Duration) -> bool {
        let process = pidfd_open(Pid::from_child(&self.child), PidfdFlags::empty());
        let (Ok(process), Ok(time)) = (process, Timespec::try_from(time)) else { return false };
        let mut fds = [PollFd::new(&process, PollFlags::IN)];
        poll(&mut fds, Some(&time)).is_ok_and(|ended| ended > 0)
    }

    /// Waits for something and does it.
    fn turn(&mut self, signals: &Signals) -> Result<(), End> {
        let mut fds = vec![PollFd::new(&*self.socket, PollFlags::IN)];
        fds.extend(signals.readers().map(|reader| PollFd::from_borrowed_fd(reader, PollFlags::IN)));
        let left = self.deadline.map(|at| at.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            return Err(End::Broken("it does not end".into()));
        }
        // More than a Timespec holds is as good as no end.
        let left = left.and_then(|left| Timespec::try_from(left).ok());
        match poll(&mut fds, left.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(End::Broken(os_words(&error.into()))),
        }
        let has_mail = !fds[0].revents().is_empty();
        drop(fds);
        while let Some(signal) = signals.next() {
            self.signalled(signal)?;
        }
        if has_mail { self.hear() } else { Ok(()) }
    }

    fn signalled(&mut self, signal: Signal) -> Result<(), End> {
        if signal == Signal::HUP {
            return self.reload();
        }
        self.deadline.get_or_insert_with(|| Instant::now() + PATIENCE);
        self.order(&Order::Stop { signal: signal.as_raw().unsigned_abs() }, &[])
    }

    fn order(&self, order: &Order, memory: &[OwnedFd]) -> Result<(), End> {
        let descriptors: Vec<_> = memory.iter().map(AsFd::as_fd).collect();
        match send(&*self.socket, &order.encode(0), &descriptors) {
            // Its end is read from the socket.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other.map_err(|error| End::Broken(os_words(&error))),
        }
    }

    /// Reads the configuration again; what is wrong with it is logged, and the old one stays.
    fn reload(&mut self) -> Result<(), End> {
        self.notify.reloading();
        let recorder = Recorder::default();
        let Some(settings) = self.origin.load_again(&recorder, &self.log) else {
            self.notify.ready(&self.status);
            return Ok(());
        };
        let memory = self.origin.terms(recorder, &settings).to_memory();
        let memory = memory.map_err(|error| End::Broken(os_words(&error)))?;
        self.keeper.replace(settings);
        self.order(&Order::Reload {}, &[memory])
    }

    /// Takes one request.
    fn hear(&mut self) -> Result<(), End> {
        let received = receive(&*self.socket).map_err(|error| End::Broken(os_words(&error)))?;
        let Some((bytes, descriptors)) = received else { return Err(End::Gone) };
        let request = Request::decode(&bytes).ok().filter(|_| descriptors.is_empty());
        let (id, request) =
            request.ok_or_else(|| End::Broken("it sent what is no request".into()))?;
        match request {
            Request::Log { level, line } => self.log.relay(level, &line),
            Request::Ready { status } => return self.ready(status),
            Request::Alive {} => self.notify.watchdog(),
            Request::Stopping {} => self.notify.stopping(),
            Request::Fatal { words } if !self.ready => {
                self.fatal = Some(words.replace(char::is_control, " "));
            }
            Request::Fatal { .. } => return Err(End::Broken("it cannot go on".into())),
            Request::Gone { connection } => {
                // At once: whoever comes next may need the place.
                if let Some(case) = self.keeper.part_with(connection) {
                    let keeper = self.keeper.clone();
                    self.errands.set(move || keeper.close(&case));
                }
            }
            Request::Wait { connection, session } => {
                let socket = self.socket.clone();
                let teller = Box::new(move |answer| reply(&socket, id, answer));
                self.keeper.wait(connection, session, teller);
            }
            Request::Leave { connection, session } => self.keeper.leave(connection, session),
            // A key exchange does not wait behind a password's hash.
            request @ Request::Sign { .. } => {
                reply(&self.socket, id, self.keeper.answer(request));
            }
            request => self.answer(id, request, bytes.len() + PLACE)?,
        }
        Ok(())
    }

    fn answer(&self, id: u32, request: Request, weight: usize) -> Result<(), End> {
        let (keeper, socket, waiting) =
            (self.keeper.clone(), self.socket.clone(), self.waiting.clone());
        if waiting.fetch_add(weight, Ordering::Relaxed) >= MAX_WAITING {
            return Err(End::Broken("it asks too much at a time".into()));
        }
        let helpers = match request {
            Request::LookUp { .. } => &self.look_ups,
            _ => &self.errands,
        };
        helpers.set(move || {
            reply(&socket, id, keeper.answer(request));
            waiting.fetch_sub(weight, Ordering::Relaxed);
        });
        Ok(())
    }

    /// It takes connections: whoever started this may know.
    fn ready(&mut self, status: String) -> Result<(), End> {
        let words = |error: io::Error| End::Broken(os_words(&error));
        self.ready = true;
        if let Some(background) = self.background.take() {
            background.detach(false).map_err(words)?;
            let _ = std::env::set_current_dir("/");
        }
        // After the first process has gone, so that the number is the one that stays.
        if let Some(path) = self.pid_file.take() {
            match start::write_pid_file(&path) {
                Ok(file) => self.written = Some(file),
                Err(words) => {
                    self.fatal = Some(words.clone());
                    return Err(End::Broken(words));
                }
            }
        }
        self.notify.ready(&status);
        self.status = status;
        Ok(())
    }
}

/// Sends an answer; a process that is gone, or takes no more, is found out where requests are read.
fn reply(socket: &OwnedFd, id: u32, (reply, descriptors): Answer) {
    let mut bytes = reply.encode(id);
    if bytes.len() > MAX_LENGTH {
        // A banner, or a list of groups, beyond all measure.
        let words = "the answer is too long".to_owned();
        bytes = super::message::Reply::Failed { code: 0, words }.encode(id);
    }
    let descriptors: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
    if send(socket, &bytes, &descriptors).is_err() {
        // Whoever asked would wait for ever.
        let _ = shutdown(socket, Shutdown::Both);
    }
}
