//! adit: SSH tunnels. ssh(1).
//! Touches: arguments, standard streams.   Never: packets.
//! Invariants: what goes wrong before the tunnel runs ends with 255 and one line, and leaves nothing half-started.
//! Errors: exit codes as ssh's.   Allocates: once.
//! Proved by: the interop tests.
#![forbid(unsafe_code)]

mod algorithms;
mod args;
mod ending;
mod host_certificate;
mod host_key;
mod host_key_update;
mod identity;
mod log;
mod login;
mod prompt;
mod sandbox;
mod settings;
#[cfg(test)]
mod testing;
mod tunnel;
mod user;

use crate::algorithms::ALGORITHMS;
use crate::args::{ArgError, CommandLine, ConfigFile, Invocation};
use crate::host_key::Server;
use crate::identity::Identities;
use crate::log::{Level, Sink, debug};
use crate::login::Login;
use crate::prompt::Terminal;
use crate::tunnel::{FAILURE, Plan, Tunnel};
use crate::user::LocalUser;
use adit_config::tokens::ConnectionTokens;
use adit_config::{Options, Tokens};
use adit_forward::os_words;
use adit_reactor::Reactor;
use adit_reactor::background::{self, Background};
use adit_reactor::signals::{ENDING, Signals};
use std::env;
use std::fs::File;
use std::io;
use std::process::ExitCode;

fn main() -> ExitCode {
    // Before any thread is there, and before anything is said.
    let background = background::take_over().map_err(|failed| message(&os_words(&failed)));
    match background.and_then(run) {
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
    if command_line.sandbox {
        // Keys and passwords will be in the memory; whoever looks for a mistake in it takes `--no-sandbox`.
        adit_sandbox::forbid_images();
    }
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
    let local = LocalUser::new();
    let plan = plan(&command_line, options, &local)?;
    if in_background && background.is_none() {
        return background::send_off().map_err(|failed| {
            message(&format!("cannot start in the background: {}", os_words(&failed)))
        });
    }
    start(plan, &local, background).map_err(|failed| message(&os_words(&failed)))
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
fn plan(command_line: &CommandLine, options: Options, local: &LocalUser) -> Result<Plan, ArgError> {
    let given = command_line.host.as_str();
    let host = options.host_to_connect(given, local)?;
    let port = options.port;
    let facts = ConnectionTokens {
        given_host: given,
        host: &host,
        port,
        user: "",
        host_key_alias: options.host_key_alias.as_deref(),
        jump: "",
        local_host: &local.host,
        local_user: &local.name,
        uid: local.uid,
        home: &local.home,
        connection_hash: None,
    };
    // What names the user cannot be made of the user's name.
    let nobody = Tokens::of_connection(&facts).without('r');
    let user = options.user_to_be(&local.name, &nobody, local)?;
    let facts = ConnectionTokens { user: &user, ..facts };
    let hash = adit_keys::host::connection_hash(&facts.hash_input());
    let tokens = Tokens::of_connection(&ConnectionTokens { connection_hash: Some(&hash), ..facts });
    let options =
        options.clone().expand(&tokens, local).map_err(|failed| message(&failed.to_string()))?;
    let shows = settings::level(options.log_level) >= Level::Debug1;
    Ok(Plan {
        keep_stderr: command_line.log_file.is_none() && shows,
        options,
        server: Server { host: host.clone(), port, address: None },
        user,
        stdio: command_line.stdio_forward.clone(),
        sandbox: command_line.sandbox,
    })
}

fn start(plan: Plan, local: &LocalUser, background: Option<Background>) -> io::Result<ExitCode> {
    let mut reactor = Reactor::new()?;
    let signals = Signals::watch(&ENDING)?;
    let batch = plan.options.batch_mode;
    let prompter = Terminal { batch, interrupts: signals.watchers()? };
    for reader in signals.into_readers() {
        reactor.add_signal(reader)?;
    }
    let who = format!("{}@{}", plan.user, plan.server.host);
    let identities = Identities::collect(&plan.options, local);
    let login = Login::new(identities, Box::new(prompter), who);
    Ok(Tunnel::new(plan, login, background).run(&mut reactor))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local() -> LocalUser {
        let (name, home, host) = ("ada".into(), "/home/ada".into(), "engine.example.org".into());
        LocalUser { name, home, uid: 1000, host }
    }

    fn planned(words: &[&str]) -> Result<Plan, ArgError> {
        let words = words.iter().map(std::ffi::OsString::from);
        let Ok(Invocation::Connect(command_line)) = args::parse(words, &ALGORITHMS) else {
            panic!("no connection");
        };
        let options = command_line.options.clone().with_defaults()?;
        plan(&command_line, options, &local())
    }

    #[test]
    fn host_and_user_are_what_the_options_make_of_them() {
        let plan = planned(&["-oHostname=%h.example.org", "-oUser=%u-of-%L", "db"]).unwrap();
        assert_eq!(plan.server.host, "db.example.org");
        assert_eq!(plan.user, "ada-of-engine");
        let plain = planned(&["db"]).unwrap();
        assert_eq!((plain.server.host.as_str(), plain.user.as_str()), ("db", "ada"));
    }

    #[test]
    fn what_is_expanded_is_checked_too() {
        for (words, text) in [
            (["-oHostname=%h;x", "db"], "hostname contains invalid characters"),
            (["-oHostname=%z", "db"], "vdollar_percent_expand: unknown key %z"),
            (["-oUser=%r", "db"], "vdollar_percent_expand: unknown key %r"),
        ] {
            assert_eq!(planned(&words).err().map(|error| error.to_string()), Some(text.into()));
        }
    }

    #[test]
    fn paths_know_the_user_at_the_server() {
        let plan = planned(&["-oIdentityFile=%d/%r@%h-%p", "-p2", "eve@db"]).unwrap();
        assert_eq!(plan.options.identity_files, ["/home/ada/eve@db-2"]);
    }

    #[test]
    fn only_a_debug_log_on_stderr_keeps_it_open_in_the_background() {
        for (words, kept) in
            [(&["-v", "db"][..], true), (&["db"], false), (&["-v", "-E", "log", "db"], false)]
        {
            assert_eq!(planned(words).unwrap().keep_stderr, kept, "{words:?}");
        }
    }
}
