//! adit: SSH tunnels. ssh(1).
//! Touches: arguments, standard streams, signals.   Never: packets.
//! Invariants: what goes wrong before the tunnel runs ends with 255 and one line, and leaves nothing half-started.
//! Errors: exit codes as ssh's.   Allocates: once.
//! Proved by: the interop tests.
#![forbid(unsafe_code)]

mod algorithms;
mod args;
mod background;
mod host_certificate;
mod host_key;
mod identity;
mod log;
mod login;
mod prompt;
mod settings;
mod tunnel;
mod user;

use crate::algorithms::ALGORITHMS;
use crate::args::{ArgError, CommandLine, ConfigFile, Invocation};
use crate::background::Background;
use crate::host_key::Server;
use crate::identity::Identities;
use crate::log::{Sink, debug};
use crate::login::Login;
use crate::prompt::Prompter;
use crate::tunnel::{FAILURE, Plan, SIGNALS, Tunnel};
use crate::user::LocalUser;
use adit_config::tokens::ConnectionTokens;
use adit_config::{Options, Tokens};
use adit_forward::os_words;
use adit_reactor::Reactor;
use std::env;
use std::fs::File;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

fn main() -> ExitCode {
    // Before any thread is there, and before anything is said.
    let background = background::take_over();
    match run(background) {
        Ok(code) => code,
        Err(failed) => {
            log::write(log::Level::Fatal, format_args!("{failed}"));
            ExitCode::from(FAILURE)
        }
    }
}

fn run(background: Option<Background>) -> Result<ExitCode, ArgError> {
    match args::parse(env::args_os().skip(1), &ALGORITHMS)? {
        Invocation::Version => {
            eprintln!("adit_{}, {}", env!("CARGO_PKG_VERSION"), algorithms::BACK_END);
            Ok(ExitCode::SUCCESS)
        }
        Invocation::Query(name) => {
            for each in args::query(&name, &algorithms::query_names())? {
                println!("{each}");
            }
            Ok(ExitCode::SUCCESS)
        }
        Invocation::Connect(command_line) => connect(*command_line, background),
    }
}

fn connect(
    mut command_line: CommandLine,
    background: Option<Background>,
) -> Result<ExitCode, ArgError> {
    let notes = command_line.options.take_notes();
    let options = command_line.options.clone().with_defaults()?;
    command_line.check(&options)?;
    start_log(&command_line, &options)?;
    for note in notes {
        log::write(settings::level(note.level), format_args!("{}", note.text));
    }
    debug!("adit_{}, {}", env!("CARGO_PKG_VERSION"), algorithms::BACK_END);
    tell_unread_files(&command_line.config_file);

    let in_background = options.fork_after_authentication;
    let plan = plan(&command_line, options)?;
    if in_background && background.is_none() {
        return background::send_off().map_err(|failed| {
            message(&format!("cannot start in the background: {}", os_words(&failed)))
        });
    }
    start(plan, background).map_err(|failed| message(&os_words(&failed)))
}

fn message(text: &str) -> ArgError {
    ArgError::Message(text.to_owned())
}

fn start_log(command_line: &CommandLine, options: &Options) -> Result<(), ArgError> {
    let sink = match &command_line.log_file {
        Some(path) => {
            Sink::File(File::options().append(true).create(true).open(path).map_err(|failed| {
                message(&format!("Couldn't open logfile {path}: {}", os_words(&failed)))
            })?)
        }
        None => Sink::Stderr,
    };
    log::start(settings::level(options.log_level), sink);
    Ok(())
}

/// Configuration files are not read yet; whoever relies on one should hear so.
fn tell_unread_files(file: &ConfigFile) {
    match file {
        ConfigFile::None => {}
        ConfigFile::Usual => {
            debug!("configuration files are not read: ~/.ssh/config, /etc/ssh/ssh_config")
        }
        ConfigFile::Named(name) => debug!("configuration files are not read: {name}"),
    }
}

/// Puts real values in place of names, tokens and defaults.
fn plan(command_line: &CommandLine, options: Options) -> Result<Plan, ArgError> {
    let local = LocalUser::new();
    let given = command_line.host.clone();
    let host = match &options.hostname {
        Some(name) => Tokens::of_hostname(&given)
            .expand(name, &local)
            .map_err(|failed| message(&failed.to_string()))?,
        None => given.clone(),
    };
    let user = options.user.clone().unwrap_or_else(|| local.name.clone());
    let port = options.port;
    let alias = options.host_key_alias.clone();
    let mut facts = ConnectionTokens {
        given_host: &given,
        host: &host,
        port,
        user: &user,
        host_key_alias: alias.as_deref(),
        jump: "",
        local_host: &local.host,
        local_user: &local.name,
        uid: local.uid,
        home: &local.home,
        connection_hash: None,
    };
    let hash = adit_keys::host::connection_hash(&facts.hash_input());
    facts.connection_hash = Some(&hash);
    let options = options
        .expand(&Tokens::of_connection(&facts), &local)
        .map_err(|failed| message(&failed.to_string()))?;
    let server = Server { host: host.clone(), port, address: None };
    Ok(Plan {
        options,
        user,
        server,
        stdio: command_line.stdio_forward.clone(),
        keep_stderr: command_line.log_file.is_some(),
    })
}

fn start(plan: Plan, background: Option<Background>) -> std::io::Result<ExitCode> {
    let mut reactor = Reactor::new()?;
    let mut interrupts = Vec::new();
    for signal in SIGNALS {
        let (reader, writer) = UnixStream::pair()?;
        signal_hook::low_level::pipe::register(signal, writer)?;
        interrupts.push(reader.try_clone()?.into());
        reactor.add_signal(reader)?;
    }
    let prompter = Prompter { batch: plan.options.batch_mode, interrupts };
    let who = format!("{}@{}", plan.user, plan.server.host);
    let login = Login::new(Identities::collect(&plan.options), prompter, who);
    Ok(Tunnel::new(plan, login, background).run(&mut reactor))
}
