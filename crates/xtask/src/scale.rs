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
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};
pub(crate) use usage::Usage;

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
    let Grown { before, after, took } =
        grow(server.address, server.user(), &|| server.usage(), wish.connections)?;
    println!(
        "connections  {} more, each with one -R, in {:.1} s",
        wish.connections,
        took.as_secs_f64()
    );
    for (name, before, after) in
        [("server", &before[0], &after[0]), ("client", &before[1], &after[1])]
    {
        let each = |kib| each(before, after, wish.connections, kib);
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

/// What one more connection costs a server.
pub(crate) struct Cost {
    /// KiB.
    pub(crate) pss: f64,
    pub(crate) private: f64,
    /// Seconds, for the login.
    pub(crate) cpu: f64,
}

/// The same against a server that runs already; `pids` are its processes.
pub(crate) fn cost(
    address: SocketAddr,
    user: String,
    pids: &dyn Fn() -> Vec<u32>,
    connections: usize,
) -> Result<Cost, String> {
    let grown = grow(address, user, &|| Usage::of(&pids()), connections)?;
    let (before, after) = (&grown.before[0], &grown.after[0]);
    Ok(Cost {
        pss: each(before, after, connections, |usage| usage.pss),
        private: each(before, after, connections, |usage| usage.private),
        cpu: (after.cpu - before.cpu) / connections as f64,
    })
}

fn each(before: &Usage, after: &Usage, connections: usize, kib: fn(&Usage) -> u64) -> f64 {
    kib(after).saturating_sub(kib(before)) as f64 / connections as f64
}

/// Server and client before and after.
struct Grown {
    before: [Usage; 2],
    after: [Usage; 2],
    took: Duration,
}

fn grow(
    server: SocketAddr,
    user: String,
    usage: &dyn Fn() -> Usage,
    connections: usize,
) -> Result<Grown, String> {
    // The first connection pays for what all share: code, tables, the loop's buffers.
    let mut crowd = Crowd::new(server, user)?;
    crowd.grow(1)?;
    crowd.idle()?;
    let both = || [usage(), Usage::of(&[own_pid()])];
    let (before, start) = (both(), Instant::now());
    crowd.grow(1 + connections)?;
    let took = start.elapsed();
    crowd.idle()?;
    Ok(Grown { before, after: both(), took })
}

fn own_pid() -> u32 {
    getpid().as_raw_nonzero().get().unsigned_abs()
}

/// Raises the limit of open files, which children inherit.
pub(crate) fn allow_files(needed: u64) -> Outcome {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    let raised = Rlimit { current: Some(needed), maximum: maximum.map(|most| most.max(needed)) };
    setrlimit(Resource::Nofile, raised)
        .map_err(|error| format!("{needed} open files are not allowed here: {error}"))
}

/// Allows files for `wanted` of something that takes `each`, and `others` besides; for as many hundreds as there may be
/// where that is forbidden. Gives how many.
pub(crate) fn allow_as_many(wanted: usize, each: u64, others: u64) -> Result<usize, String> {
    let Err(why) = allow_files(each * wanted as u64 + others) else { return Ok(wanted) };
    let most = getrlimit(Resource::Nofile).maximum.unwrap_or_default();
    allow_files(most)?;
    let fewer = most.saturating_sub(others) / each / 100 * 100;
    println!("{why}: {fewer} instead of {wanted}");
    Ok(fewer as usize)
}
