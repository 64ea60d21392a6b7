//! Bytes that both ends know, so that every one of them can be held against what it should be.
//! Touches: nothing.   Never: a checksum that says only that something went wrong somewhere.
//! Invariants: byte `n` of a stream depends on `n` and the seed alone; the period is a prime, so no packet or buffer size divides it.
//! Errors: a panic naming the first wrong byte.   Allocates: one period per pattern.
//! Proved by: `tests` below.

use std::io::{self, Read, Write};

/// The largest prime below 1 MiB.
const PERIOD: usize = 1_048_573;
const STEP: usize = 64 * 1024;

/// An endless stream of bytes that do not compress.
#[derive(Debug)]
pub struct Pattern {
    period: Vec<u8>,
}

impl Pattern {
    /// The stream of this seed.
    pub fn new(seed: u64) -> Self {
        let mut state = seed.wrapping_mul(2).wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut period = Vec::with_capacity(PERIOD + STEP);
        while period.len() < PERIOD {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            period.extend_from_slice(&state.to_le_bytes());
        }
        period.truncate(PERIOD);
        // The beginning again, so that a step never has to wrap.
        period.extend_from_within(..STEP);
        Self { period }
    }

    /// The bytes from `position` on, at least `STEP` of them.
    fn from(&self, position: u64) -> &[u8] {
        let offset = usize::try_from(position % PERIOD as u64).expect("below the period");
        &self.period[offset..offset + STEP]
    }

    /// Writes the first `length` bytes; tells `progress` after each piece.
    ///
    /// # Errors
    /// Those of `to`.
    pub fn send(
        &self,
        mut to: impl Write,
        length: u64,
        mut progress: impl FnMut(u64),
    ) -> io::Result<()> {
        let mut position = 0;
        while position < length {
            let step = usize::try_from(length - position).unwrap_or(STEP).min(STEP);
            to.write_all(&self.from(position)[..step])?;
            position += step as u64;
            progress(position);
        }
        to.flush()
    }

    /// Reads until the end and holds every byte against the stream; gives the count.
    ///
    /// # Errors
    /// Those of `from`, and `InvalidData` at the first wrong byte.
    pub fn verify(&self, from: impl Read, progress: impl FnMut(u64)) -> io::Result<u64> {
        self.verify_up_to(from, u64::MAX, progress)
    }

    /// Like [`verify`](Self::verify), and stops after `length` bytes.
    ///
    /// # Errors
    /// Those of `from`, and `InvalidData` at the first wrong byte.
    pub fn verify_up_to(
        &self,
        mut from: impl Read,
        length: u64,
        mut progress: impl FnMut(u64),
    ) -> io::Result<u64> {
        let mut buffer = vec![0; STEP];
        let mut position = 0;
        while position < length {
            let room = usize::try_from(length - position).unwrap_or(STEP).min(STEP);
            let count = uninterrupted(|| from.read(&mut buffer[..room]))?;
            if count == 0 {
                break;
            }
            self.compare(position, &buffer[..count])?;
            position += count as u64;
            progress(position);
        }
        Ok(position)
    }

    fn compare(&self, position: u64, bytes: &[u8]) -> io::Result<()> {
        let expected = &self.from(position)[..bytes.len()];
        if bytes == expected {
            return Ok(());
        }
        let wrong =
            bytes.iter().zip(expected).take_while(|(found, wanted)| found == wanted).count();
        let text = format!(
            "byte {} is {:#04x}, not {:#04x}",
            position + wrong as u64,
            bytes[wrong],
            expected[wrong]
        );
        Err(io::Error::new(io::ErrorKind::InvalidData, text))
    }
}

/// Reads again when a signal came in between; a socket with a deadline reports that.
///
/// # Errors
/// All but `Interrupted`.
pub fn uninterrupted<T>(mut read: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match read() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_is_verified_and_one_wrong_bit_is_found() {
        let pattern = Pattern::new(7);
        let mut sent = Vec::new();
        pattern.send(&mut sent, 3_000_000, |_| ()).unwrap();
        assert_eq!(pattern.verify(&sent[..], |_| ()).unwrap(), 3_000_000);
        sent[2_000_001] ^= 1;
        let error = pattern.verify(&sent[..], |_| ()).unwrap_err().to_string();
        assert!(error.starts_with("byte 2000001 is"), "{error}");
    }

    #[test]
    fn another_seed_is_another_stream() {
        let mut sent = Vec::new();
        Pattern::new(1).send(&mut sent, 100, |_| ()).unwrap();
        assert!(Pattern::new(2).verify(&sent[..], |_| ()).is_err());
    }
}
