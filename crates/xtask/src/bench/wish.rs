//! What was asked for on the command line, and how much work that makes.
//! Touches: arguments.   Never: a measurement.
//! Invariants: an unknown word is an error, never ignored.
//! Errors: a sentence.   Allocates: names.
//! Proved by: `tests` below.

use super::{
    contender::{CEILINGS, Cipher, Contender, OURS, RIVALS},
    measurement::{MEASUREMENTS, find},
};
use crate::cargo::target_folder;
use std::{path::PathBuf, time::Duration};

/// What may stand behind the verb.
pub(crate) const ARGUMENTS: &str = "[NAME…] [--rounds N] [--quick | --smoke] [--only TUNNEL] [--out DIR] [--report FILE] [--from FILE] [--list]";

/// The command line.
#[derive(Debug, PartialEq)]
pub(crate) struct Wish {
    /// Empty means all.
    pub(crate) names: Vec<String>,
    pub(crate) plan: Plan,
    pub(crate) smoke: bool,
    pub(crate) list: bool,
    pub(crate) out: PathBuf,
    pub(crate) report: Option<PathBuf>,
    /// Rows of an earlier run; nothing is measured then.
    pub(crate) from: Option<PathBuf>,
}

/// How much of everything.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plan {
    pub(crate) rounds: usize,
    /// Of one transfer.
    pub(crate) time: Duration,
    /// Of one transfer over a line: long enough for windows to grow.
    pub(crate) line_time: Duration,
    pub(crate) ciphers: Vec<Cipher>,
    pub(crate) tunnels: Vec<Contender>,
    pub(crate) ceilings: Vec<Contender>,
    pub(crate) pings: usize,
    /// Channels that are open while one more is opened.
    pub(crate) channels: Vec<usize>,
    pub(crate) round_trips: Vec<Duration>,
    /// Idle connections to aditd, and to servers with a process for each.
    pub(crate) crowd: [usize; 2],
    pub(crate) streams: usize,
    /// Bytes held against the pattern before a tunnel is measured.
    pub(crate) checked: u64,
    pub(crate) with_rivals: bool,
}

impl Plan {
    fn full() -> Self {
        Self {
            rounds: 5,
            time: Duration::from_secs(3),
            line_time: Duration::from_secs(8),
            ciphers: Cipher::ALL.to_vec(),
            tunnels: [&OURS[..], &RIVALS].concat(),
            ceilings: CEILINGS.to_vec(),
            pings: 3000,
            channels: vec![100, 1_000, 10_000],
            round_trips: [10, 50, 100, 200].map(Duration::from_millis).to_vec(),
            crowd: [10_000, 200],
            streams: 1_000,
            checked: 64 << 20,
            with_rivals: true,
        }
    }

    fn quick() -> Self {
        Self {
            rounds: 2,
            time: Duration::from_millis(800),
            line_time: Duration::from_secs(3),
            pings: 500,
            channels: vec![100, 1_000],
            round_trips: [10, 50].map(Duration::from_millis).to_vec(),
            crowd: [1_000, 20],
            streams: 100,
            checked: 8 << 20,
            ..Self::full()
        }
    }

    fn smoke() -> Self {
        Self {
            rounds: 3,
            time: Duration::from_millis(700),
            line_time: Duration::from_secs(2),
            ciphers: vec![Cipher::Aes128Gcm, Cipher::ChaCha20Poly1305],
            tunnels: vec![OURS[0], OURS[1], OURS[2], OURS[3]],
            ceilings: vec![Contender::TwoRelays],
            pings: 300,
            with_rivals: false,
            ..Self::quick()
        }
    }
}

impl Plan {
    /// Of measurements over a line and with crowds: their samples are long, and fewer say as much.
    pub(crate) fn long_rounds(&self) -> usize {
        self.rounds.div_ceil(3)
    }

    /// Leaves out the tunnels whose names (`adit → sshd`) do not have `part` in them.
    fn keep_only(&mut self, part: &str) -> Result<(), String> {
        let names = self.tunnels.iter().map(|tunnel| tunnel.name()).collect::<Vec<_>>().join(", ");
        self.tunnels.retain(|tunnel| tunnel.name().contains(part));
        match self.tunnels.is_empty() {
            true => Err(format!("--only {part}: not in one of {names}")),
            false => Ok(()),
        }
    }
}

impl Wish {
    pub(crate) fn read(arguments: &[String]) -> Result<Self, String> {
        let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
        let smoke = has("--smoke");
        let plan = match (smoke, has("--quick")) {
            (true, _) => Plan::smoke(),
            (_, true) => Plan::quick(),
            _ => Plan::full(),
        };
        let out = target_folder().join("bench");
        let names = if smoke { SMOKE.map(String::from).to_vec() } else { Vec::new() };
        let mut wish =
            Self { names, plan, smoke, list: has("--list"), out, report: None, from: None };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            wish.take(argument, &mut arguments)?;
        }
        Ok(wish)
    }

    fn take<'a>(
        &mut self,
        argument: &str,
        rest: &mut impl Iterator<Item = &'a String>,
    ) -> Result<(), String> {
        let mut value = || rest.next().ok_or_else(|| format!("{argument} wants a value"));
        match argument {
            "--rounds" => {
                let rounds = value()?;
                self.plan.rounds = rounds.parse().map_err(|_| format!("{rounds} is no number"))?;
            }
            "--only" => self.plan.keep_only(value()?)?,
            "--out" => self.out = value()?.into(),
            "--report" => self.report = Some(value()?.into()),
            "--from" => self.from = Some(value()?.into()),
            "--quick" | "--smoke" | "--list" => {}
            name if find(name).is_some() => self.names.push(name.into()),
            other => {
                let known: Vec<_> = MEASUREMENTS.iter().map(|each| each.name()).collect();
                return Err(format!("{other}: neither an option nor one of {}", known.join(", ")));
            }
        }
        Ok(())
    }

    pub(crate) fn wants(&self, name: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|wanted| wanted == name)
    }
}

/// What the short run is about.
const SMOKE: [&str; 4] = ["bulk", "ping", "connections", "handshake"];

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Wish, String> {
        Wish::read(&line.split_whitespace().map(String::from).collect::<Vec<_>>())
    }

    #[test]
    fn names_choose_and_none_means_all() {
        let wish = read("bulk ping --rounds 7 --quick").unwrap();
        assert!(wish.wants("bulk") && wish.wants("ping") && !wish.wants("fairness"));
        assert_eq!((wish.plan.rounds, wish.plan.long_rounds()), (7, 3));
        assert!(read("").unwrap().wants("fairness"));
    }

    #[test]
    fn an_unknown_word_is_an_error_that_names_the_known_ones() {
        let error = read("blk").unwrap_err();
        assert!(error.contains("blk") && error.contains("bulk"), "{error}");
        assert!(read("--rounds").is_err() && read("--rounds many").is_err());
    }

    #[test]
    fn a_part_of_a_name_chooses_tunnels() {
        assert_eq!(read("--only adit").unwrap().plan.tunnels.len(), 5);
        assert_eq!(read("--only →").unwrap().plan.tunnels, Plan::full().tunnels);
        assert!(read("--only putty").unwrap_err().contains("adit → sshd"));
    }

    #[test]
    fn the_short_run_leaves_rivals_out() {
        let wish = read("--smoke").unwrap();
        assert!(wish.smoke && !wish.plan.with_rivals && !wish.wants("long-path"));
    }
}
