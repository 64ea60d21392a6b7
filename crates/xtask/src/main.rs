//! The project's own commands: `cargo xtask VERB`.
//! Touches: cargo, child processes, the terminal.   Never: the products' code, except through their binaries.
//! Invariants: one row per verb, one file per verb.
//! Errors: a sentence on stderr and exit code 1.   Allocates: freely.
//! Proved by: CI, which is `cargo xtask test`.
#![forbid(unsafe_code)]

mod bench;
mod cargo;
mod demo;
mod fuzz;
mod layers;
#[cfg(test)]
mod limits;
mod record;
mod report;
mod scale;
mod simulate;
mod supply;
mod test;
mod tools;

use std::{env, process::ExitCode};

/// What a verb gives back: nothing, or the sentence that says why it failed.
type Outcome = Result<(), String>;

struct Verb {
    name: &'static str,
    arguments: &'static str,
    what: &'static str,
    run: fn(&[String]) -> Outcome,
}

const VERBS: &[Verb] = &[
    Verb { name: "test", arguments: "", what: "everything CI runs", run: test::run },
    Verb {
        name: "demo",
        arguments: demo::ARGUMENTS,
        what: "a tunnel at work, every byte checked",
        run: demo::run,
    },
    Verb {
        name: "bench",
        arguments: bench::ARGUMENTS,
        what: "everything that is claimed about speed, measured",
        run: bench::run,
    },
    Verb {
        name: "layers",
        arguments: "",
        what: "who may use whom, held against the crates",
        run: layers::run,
    },
    Verb {
        name: "fuzz",
        arguments: fuzz::ARGUMENTS,
        what: "all fuzz targets, or some; figures at the end",
        run: fuzz::run,
    },
    Verb {
        name: "record",
        arguments: record::ARGUMENTS,
        what: "transcripts of a real server, for the engine's tests",
        run: record::run,
    },
    Verb {
        name: "scale",
        arguments: scale::ARGUMENTS,
        what: "what idle connections cost a server",
        run: scale::run,
    },
    Verb {
        name: "simulate",
        arguments: simulate::ARGUMENTS,
        what: "two engines over a bad link, by seed",
        run: simulate::run,
    },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let verb = arguments.first().and_then(|name| VERBS.iter().find(|verb| verb.name == name));
    let Some(verb) = verb else {
        eprint!("{}", usage());
        return ExitCode::FAILURE;
    };
    match (verb.run)(&arguments[1..]) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("cargo xtask {}: {reason}", verb.name);
            ExitCode::FAILURE
        }
    }
}

fn usage() -> String {
    let rows =
        VERBS.iter().map(|verb| format!("  {:<8}{:<26}{}\n", verb.name, verb.arguments, verb.what));
    format!("usage: cargo xtask VERB\n{}", rows.collect::<String>())
}
