//! One pass of a cipher over a packet, in this process: the part of a tunnel's cost that is nobody's fault.
//! Touches: `adit-crypto`.   Never: a socket.
//! Invariants: packets of 32 KiB, in place, as the data path has them.
//! Errors: none.   Allocates: one packet.
//! Proved by: the vectors of `adit-crypto`.

use crate::{
    Outcome,
    bench::{measurement::Measurement, row::Row, run::Run},
};
use adit_crypto::CipherAlgorithm;
use std::time::{Duration, Instant};

pub(crate) struct AeadPass;

const PACKET: usize = 32 * 1024;
/// Packets between two looks at the clock.
const BURST: usize = 256;
const CIPHERS: [(&str, CipherAlgorithm); 2] =
    [("aes128-gcm", CipherAlgorithm::Aes128Gcm), ("aes256-gcm", CipherAlgorithm::Aes256Gcm)];

impl Measurement for AeadPass {
    fn name(&self) -> &'static str {
        "aead-pass"
    }

    fn what(&self) -> &'static str {
        "processor seconds to seal a GiB of 32 KiB packets"
    }

    fn run(&self, run: &mut Run) -> Outcome {
        for round in 1..=run.plan.rounds {
            for (name, cipher) in CIPHERS {
                let watch = run.watch();
                let row = Row::new("aead-pass", "one pass").case("cipher", name);
                run.record(round, watch, row.figure("seconds_per_gib", seal(cipher)));
            }
        }
        Ok(())
    }
}

/// Seconds per GiB, over a tenth of a second.
fn seal(cipher: CipherAlgorithm) -> f64 {
    let mut key = cipher.sealing(None, &[7; 32], &[7; 16], &[]);
    let mut packet = ((PACKET as u32).to_be_bytes()).to_vec();
    packet.resize(packet.len() + PACKET + key.tag_len(), 0);
    let (start, mut sealed) = (Instant::now(), 0_u32);
    while start.elapsed() < Duration::from_millis(100) {
        for _ in 0..BURST {
            packet[..4].copy_from_slice(&(PACKET as u32).to_be_bytes());
            key.seal(sealed, &mut packet);
            sealed += 1;
        }
    }
    let gib = f64::from(sealed) * PACKET as f64 / f64::from(1 << 30);
    start.elapsed().as_secs_f64() / gib
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_takes_some_time() {
        assert!(seal(CipherAlgorithm::Aes128Gcm) > 0.0);
    }
}
