//! `cargo xtask scale`: what an idle connection with one -R costs a server, and what it costs us as its client.
//! Touches: a server with throw-away keys, loopback sockets, `/proc`.   Never: the user's keys or servers.
//! Invariants: memory is read twice, before the crowd and with all of it idle; the difference is told per connection.
//! Errors: what failed, a sentence.   Allocates: per connection.
//! Proved by: running it.

mod bare;
mod crowd;
mod server;
mod usage;

use crate::Outcome;
use crowd::Crowd;
use rustix::process::{Resource, Rlimit, getpid, getrlimit, setrlimit};
use server::Server;
use std::time::Instant;
use usage::Usage;

/// What may stand behind the verb.
pub(crate) const ARGUMENTS: &str =
    "[--connections N] [--server bare|sshd|aditd|PATH] [--line TEXT]";

/// What was asked for.
struct Wish {
    connections: usize,
    server: String,
    /// Lines of sshd_config, ahead of ours.
    lines: Vec<String>,
}

impl Wish {
    fn read(arguments: &[String]) -> Result<Self, String> {
        let mut wish = Self { connections: 100, server: "bare".into(), lines: Vec::new() };
        let mut arguments = arguments.iter();
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{name} wants a value"))?;
            match name.as_str() {
                "--connections" => {
                    wish.connections =
                        value.parse().map_err(|_| format!("{value} is no number"))?;
                }
                "--server" => wish.server.clone_from(value),
                "--line" => wish.lines.push(value.clone()),
                _ => return Err(format!("unknown argument {name}")),
            }
        }
        Ok(wish)
    }
}

/// Connects everybody, lets them idle, reads what that takes.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    if let [verb] = arguments {
        if verb == bare::VERB {
            return bare::serve();
        }
    }
    let wish = Wish::read(arguments)?;
    // A connection and its listener at the server; the server inherits the limit.
    allow_files(2 * wish.connections as u64 + 200)?;
    let server = Server::start(&wish.server, &wish.lines)?;
    println!("server       {}", server.name());
    // The first connection pays for what all share: code, tables, the loop's buffers.
    let mut crowd = Crowd::new(server.address, server.user())?;
    crowd.grow(1)?;
    crowd.idle()?;
    let before = [server.usage(), Usage::of(&[own_pid()])];
    let start = Instant::now();
    crowd.grow(1 + wish.connections)?;
    let took = start.elapsed();
    crowd.idle()?;
    let after = [server.usage(), Usage::of(&[own_pid()])];
    println!(
        "connections  {} more, each with one -R, in {:.1} s",
        wish.connections,
        took.as_secs_f64()
    );
    for (name, before, after) in
        [("server", &before[0], &after[0]), ("client", &before[1], &after[1])]
    {
        let each = |kib: fn(&Usage) -> u64| {
            kib(after).saturating_sub(kib(before)) as f64 / wish.connections as f64
        };
        println!(
            "{name:<12} {:.1} KiB Pss, {:.1} KiB private each; {} KiB private in all, {} processes; {:.2} s of CPU",
            each(|usage| usage.pss),
            each(|usage| usage.private),
            after.private,
            after.processes,
            after.cpu - before.cpu,
        );
    }
    Ok(())
}

fn own_pid() -> u32 {
    getpid().as_raw_nonzero().get().unsigned_abs()
}

fn allow_files(needed: u64) -> Outcome {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    let raised = Rlimit { current: Some(needed), maximum: maximum.map(|most| most.max(needed)) };
    setrlimit(Resource::Nofile, raised)
        .map_err(|error| format!("{needed} open files are not allowed here: {error}"))
}
