//! The start: from the command line to loops that run.
//! Touches: the command line, the environment, files named in the configuration, threads.   Never: packets.
//! Invariants: all that can be wrong is found before the first connection, and before the program leaves the terminal.
//! Errors: one line each, in sshd's words; exit status as sshd's.   Allocates: per start.
//! Proved by: interop `server::operation`.

use crate::activation::{self, Activated, Inherited};
use crate::algorithms::ALGORITHMS;
use crate::args::{Action, Args, ConnectionSpec, LogTo};
use crate::connection::Ends;
use crate::desk::Door;
use crate::errand::{Errands, Postbox};
use crate::front::{Front, Loop, SIGNALS, Source};
use crate::host::gateway::GatewayHost;
use crate::host::system::SystemHost;
use crate::host::user::UserHost;
use crate::host::{Host, keys, password};
use crate::keeper::{self, Charge, Recorder, Terms, network_user};
use crate::limits::Limits;
use crate::log::{Destination, Format, Log};
use crate::notify::Notify;
use crate::pidfile::PidFile;
use crate::sandbox::Part;
use crate::session::Launch;
use crate::settings::Settings;
use crate::shared::Shared;
use crate::worker::Worker;
use crate::{args, init, rules, sandbox};
use adit_config::Note;
use adit_config::server::{Disk, Files, ServerConfig, ServerOptions};
use adit_config::types::{LogFormat, LogLevel, Role};
use adit_forward::os_words;
use adit_reactor::background::{self, Background};
use adit_reactor::signals::Signals;
use adit_reactor::{Reactor, Socket};
use std::io::{self, Write as _};
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use zeroize::Zeroizing;

/// sshd's exit status for all that goes wrong at the start.
pub(crate) const FAILURE: u8 = 255;

/// Helper threads for what may block: two for each processor, so that one slow disk or directory does not stop logins.
pub(crate) const ERRANDS_PER_LOOP: usize = 2;

/// What ended the start: lines for stderr, and the exit status.
struct Failed {
    lines: Vec<String>,
    status: u8,
}

impl From<String> for Failed {
    fn from(line: String) -> Self {
        Self { lines: vec![line], status: FAILURE }
    }
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        os_words(&error).into()
    }
}

pub(crate) fn main() -> ExitCode {
    // Before any thread is there, and before anything is said.
    let result = background::take_over().map_err(Failed::from).and_then(run);
    result.unwrap_or_else(|failed| {
        for line in failed.lines {
            let _ = writeln!(io::stderr(), "{line}");
        }
        ExitCode::from(failed.status)
    })
}

fn run(background: Option<Background>) -> Result<ExitCode, Failed> {
    let args = Args::parse(std::env::args_os().skip(1))
        .map_err(|error| Failed { status: error.status, lines: vec![error.to_string()] })?;
    if !args.open {
        // Keys and passwords will be in the memory; whoever looks for a mistake in it takes `--no-sandbox`.
        adit_sandbox::forbid_images();
    }
    match &args.action {
        Action::Version => eprintln!("{}, {}", args::version(), adit_crypto::BACK_END),
        Action::Help => print!("{}", args::help()),
        Action::Init(folder) => print!("{}", prepare(folder, args.ports.first().copied())?),
        Action::HashPassword => println!("{}", hash_password()?),
        Action::Print => print!("{}", shown(&configuration(&args)?, args.connection.as_ref())),
        Action::Dump => print!("{}", dump(&args)?),
        Action::Test => drop(tested(&args)?),
        Action::Serve => return serve(args, background),
    }
    Ok(ExitCode::SUCCESS)
}

/// `--hash-password`: a line of standard input, hashed for a UsersFile.
fn hash_password() -> Result<String, Failed> {
    let mut line = Zeroizing::new(String::new());
    io::stdin().read_line(&mut line)?;
    match line.trim_end_matches(['\r', '\n']) {
        "" => Err(Failed { lines: vec!["no password on standard input".into()], status: 1 }),
        password => Ok(password::hash_password(password.as_bytes())),
    }
}

/// `--init`
fn prepare(folder: &Path, port: Option<u16>) -> Result<String, Failed> {
    init::prepare(folder, port, &keys::generate_host_key)
        .map_err(|error| Failed { lines: vec![error.to_string()], status: 1 })
}

/// What settings are read from, now and at every SIGHUP.
pub(crate) struct Origin {
    file: Option<PathBuf>,
    overrides: Vec<String>,
    destination: LogTo,
}

impl Origin {
    fn of(args: &Args) -> io::Result<Self> {
        // A daemon is in another folder by the time of a SIGHUP.
        let file = args.config_file.as_deref().map(std::path::absolute).transpose()?;
        Ok(Self { file, overrides: args.overrides.clone(), destination: args.log_to.clone() })
    }

    /// No files at all.
    #[cfg(test)]
    pub(crate) const fn nowhere() -> Self {
        Self { file: None, overrides: Vec::new(), destination: LogTo::Stderr }
    }

    /// Reads the configuration and the host keys; complaints that do not matter come with it.
    ///
    /// # Errors
    /// Every line that is wrong.
    fn load(&self, files: &dyn Files) -> Result<(Settings, Vec<Note>), Vec<String>> {
        let config = load(files, self.file.as_deref(), &self.overrides)?;
        let notes = config.notes().to_vec();
        let (settings, complaints) = Settings::new(config);
        match settings {
            Ok(settings) => {
                let complaint = |text| Note { level: LogLevel::Error, text };
                Ok((
                    settings,
                    notes.into_iter().chain(complaints.into_iter().map(complaint)).collect(),
                ))
            }
            Err(last) => Err([complaints, vec![last]].concat()),
        }
    }

    /// The same once more: what is wrong is logged and nothing comes of it; what is right has the log already.
    pub(crate) fn load_again(&self, files: &dyn Files, log: &Log) -> Option<Settings> {
        let (settings, complaints) = match self.load(files) {
            Ok(loaded) => loaded,
            Err(errors) => {
                for error in errors {
                    log.error(format_args!("{error}"));
                }
                log.error(format_args!("the configuration stays as it was"));
                return None;
            }
        };
        let options = &settings.global;
        if let Err(error) = log.reopen(&self.destination(options)) {
            log.error(format_args!("the log stays where it was: {}", os_words(&error)));
        }
        log.configure(options.log_level, format(options));
        for Note { level, text } in complaints {
            log.say(level, format_args!("{text}"));
        }
        Some(settings)
    }

    /// What another process needs to come to the same settings.
    pub(crate) fn terms(&self, recorder: Recorder, settings: &Settings) -> Terms {
        Terms::new(self.file.as_deref(), &self.overrides, recorder, &settings.host_keys)
    }

    /// Where the log goes under these options.
    fn destination(&self, options: &ServerOptions) -> Destination {
        match &self.destination {
            LogTo::Syslog => Destination::Syslog(options.syslog_facility),
            LogTo::Stderr => Destination::Stderr,
            LogTo::File(path) => Destination::File(path.clone()),
        }
    }
}

fn load(
    files: &dyn Files,
    file: Option<&Path>,
    overrides: &[String],
) -> Result<ServerConfig, Vec<String>> {
    ServerConfig::load_from(files, file, overrides, &ALGORITHMS)
        .map_err(|errors| errors.iter().map(ToString::to_string).collect())
}

fn configuration(args: &Args) -> Result<ServerConfig, Failed> {
    load(&Disk, args.config_file.as_deref(), &args.overrides).map_err(several)
}

fn several(lines: Vec<String>) -> Failed {
    Failed { lines, status: FAILURE }
}

/// `-t`: all that is looked at before the first connection.
fn tested(args: &Args) -> Result<ServerConfig, Failed> {
    let config = configuration(args)?;
    for note in config.notes().iter().filter(|note| note.level <= LogLevel::Info) {
        eprintln!("{}", note.text);
    }
    host(&config.global_options())?;
    network_user(&config.global_options(), is_root())?;
    let (settings, complaints) = Settings::new(configuration(args)?);
    for line in complaints {
        eprintln!("{line}");
    }
    settings.map_err(Failed::from)?;
    Ok(config)
}

fn dump(args: &Args) -> Result<String, Failed> {
    Ok(shown(&tested(args)?, args.connection.as_ref()))
}

/// What is in force for a connection, as `sshd -T` prints it.
fn shown(config: &ServerConfig, connection: Option<&ConnectionSpec>) -> String {
    let Some(spec) = connection else { return config.global_options().dump() };
    let groups = spec.user.as_deref().map(groups_of).unwrap_or_default();
    config.options(&spec.context(&groups)).dump()
}

/// The groups of an account of the system's, if there is one.
fn groups_of(user: &str) -> Vec<String> {
    let account = SystemHost.account(user).ok().flatten();
    account.map(|account| account.groups).unwrap_or_default()
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Whom the server lets in, and with whose rights it acts.
fn host(options: &ServerOptions) -> Result<Arc<dyn Host>, Failed> {
    let users_file = options.users_file.as_ref().map(PathBuf::from);
    Ok(match (options.role, is_root()) {
        (Role::Gateway, _) => {
            Arc::new(GatewayHost::new(users_file).map_err(|error| error.to_string())?)
        }
        (Role::System | Role::Auto, true) if users_file.is_some() => {
            // Whoever is locked in it could log in all the same.
            return Err("UsersFile has no effect with Role system, where users and passwords are the system's: \
                        remove it, or set Role gateway"
                .to_owned()
                .into());
        }
        (Role::System | Role::Auto, true) => Arc::new(SystemHost),
        (Role::User | Role::Auto, _) => Arc::new(UserHost::new(users_file)?),
        (Role::System, false) => {
            return Err("Role system needs root: it acts with its users' rights".to_owned().into());
        }
    })
}

fn serve(args: Args, background: Option<Background>) -> Result<ExitCode, Failed> {
    let (origin, recorder) = (Origin::of(&args)?, Recorder::default());
    let (settings, complaints) = origin.load(&recorder).map_err(several)?;
    let host = host(&settings.global)?;
    let user = network_user(&settings.global, is_root())?;
    if !args.foreground && !args.inetd && background.is_none() {
        return Ok(background::send_off()?);
    }
    let options = settings.global.clone();
    let destination = origin.destination(&options);
    let log = Log::open(&destination, options.log_level, format(&options))
        .map_err(|error| format!("Couldn't open logfile {destination:?}: {}", os_words(&error)))?;
    for Note { level, text } in complaints {
        log.say(level, format_args!("{text}"));
    }
    for (level, note) in &args.notes {
        log.say(*level, format_args!("{note}"));
    }
    // A process for one connection ends with it: there is nobody else's to protect in it.
    let network = match user.filter(|_| !args.inetd) {
        // In the sandbox no process is started.
        Some(user) => Some(keeper::Network::start(user, options.role, background.is_none(), &log)?),
        None => None,
    };
    let part = if network.is_some() { Part::Keeper } else { Part::Everything };
    // Before any thread is there: each would have to do it for itself.
    let confined = sandbox::confine(settings.config(), &destination, part);
    log.debug(format_args!("sandbox: {confined}"));
    // Before any thread is there: it takes variables out of the environment.
    let handed = activation::listeners()?;
    let inherited = if args.inetd { Some(activation::connection()?) } else { None };
    let files = raise_file_limit();
    let single = args.debug > 0 || args.inetd;
    if let Some(network) = network {
        let charge =
            Charge { host, settings, recorder, log, origin, handed, background, single, files };
        return Ok(keeper::serve(network, charge)?);
    }
    let mut reactor = Reactor::new()?;
    for reader in Signals::watch(&SIGNALS)?.into_readers() {
        reactor.add_signal(reader)?;
    }
    let loops = if args.inetd { 1 } else { loops(&options) };
    let errands = Errands::new(loops * ERRANDS_PER_LOOP)?;
    let limits = Limits::new(rules::limits(&options));
    let door = Door::Open(host, Launch::by_this_program(files));
    let shared = Shared::new(door, errands, log, settings, limits);
    let shared = Arc::new(shared);
    let loops = start_loops(&shared, loops, &reactor)?;
    let notify =
        Notify::from_env().map_err(|error| format!("NOTIFY_SOCKET: {}", os_words(&error)))?;
    let front = Front::new(shared, loops, Source::Own(origin), notify, single);
    match inherited {
        Some(inherited) => serve_inherited(front, &mut reactor, inherited),
        None => listen(front, &mut reactor, handed, &options, background),
    }
}

/// Lets this process have as many files as it may: each connection is one. Gives what it could have before.
pub(crate) fn raise_file_limit() -> Option<u64> {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let before = getrlimit(Resource::Nofile);
    let raised = rustix::process::Rlimit { current: before.maximum, ..before };
    // With fewer, listeners rest when there are none left.
    setrlimit(Resource::Nofile, raised).ok()?;
    before.current
}

/// `-i`: the one connection is there already.
fn serve_inherited(
    mut front: Front,
    reactor: &mut Reactor,
    inherited: Inherited,
) -> Result<ExitCode, Failed> {
    let socket = match inherited {
        Inherited::Tcp(stream) => Socket::tcp(stream)?,
        Inherited::Unix(stream) => Socket::unix(stream)?,
        Inherited::Pair(pair) => Socket::Pair(pair),
    };
    let ends = Ends { remote: socket.peer_addr(), local: socket.local_addr() };
    front.admit(socket, ends);
    front.take_no_more(reactor);
    front.run(reactor)?;
    Ok(ExitCode::SUCCESS)
}

fn listen(
    mut front: Front,
    reactor: &mut Reactor,
    handed: Vec<Activated>,
    options: &ServerOptions,
    background: Option<Background>,
) -> Result<ExitCode, Failed> {
    if handed.is_empty() {
        front.listen(reactor)?;
    } else {
        front.adopt(reactor, handed)?;
    }
    if let Some(background) = background {
        background.detach(false)?;
        let _ = std::env::set_current_dir("/");
    }
    // After the first process has gone, so that the number is the one that stays.
    let _pid_file = options.pid_file.as_ref().map(|path| write_pid_file(path)).transpose()?;
    front.run(reactor)?;
    Ok(ExitCode::SUCCESS)
}

/// PidFile
///
/// # Errors
/// A line about it.
pub(crate) fn write_pid_file(path: &str) -> Result<PidFile, String> {
    PidFile::write(Path::new(path))
        .map_err(|error| format!("Couldn't create pid file \"{path}\": {}", os_words(&error)))
}

pub(crate) fn format(options: &ServerOptions) -> Format {
    match options.log_format {
        LogFormat::Text => Format::Text,
        LogFormat::Json => Format::Json,
    }
}

/// Loops to carry connections: one for each processor unless told otherwise.
pub(crate) fn loops(options: &ServerOptions) -> usize {
    let processors = || thread::available_parallelism().map_or(1, usize::from);
    options.loops.map_or_else(processors, |loops| loops as usize)
}

/// Starts the loops, each with its postbox; `front` is woken when one ends.
pub(crate) fn start_loops(
    shared: &Arc<Shared>,
    count: usize,
    front: &Reactor,
) -> io::Result<Vec<Loop>> {
    (0..count).map(|number| start_loop(shared, number, front)).collect()
}

fn start_loop(shared: &Arc<Shared>, number: usize, front: &Reactor) -> io::Result<Loop> {
    let mut reactor = Reactor::new()?;
    if let Some(look_up) = shared.door.look_up() {
        reactor.look_up_through(look_up);
    }
    let (postbox, mail) = Postbox::new(reactor.waker());
    let (load, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let this = Loop { postbox: postbox.clone(), load: load.clone(), ended: ended.clone() };
    let (shared, waker) = (shared.clone(), front.waker());
    thread::Builder::new().name(format!("loop {number}")).spawn(move || {
        let log = shared.log.clone();
        if let Err(error) = Worker::new(shared, postbox, mail, load).run(&mut reactor) {
            log.fatal(format_args!("a loop has ended: {}", os_words(&error)));
        }
        ended.store(true, Ordering::Release);
        // The front looks when it wakes, whoever woke it.
        let _ = waker.wake();
    })?;
    Ok(this)
}

/// The addresses to listen on.
///
/// # Errors
/// A name that means nothing here.
pub(crate) fn listen_addresses(options: &ServerOptions) -> Result<Vec<SocketAddr>, String> {
    let mut addresses = Vec::new();
    for (host, port) in options.listen_on() {
        let found = (host.as_str(), port)
            .to_socket_addrs()
            .map_err(|error| format!("bad addr or host: {host} ({})", os_words(&error)))?;
        for address in found {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
    }
    Ok(addresses)
}
