//! Files with an end: a name may be a device's, which has none, or a file's that somebody lets grow.
//! Touches: what it is given to read.   Never: more of it than was allowed.
//! Invariants: what is longer than allowed is an error, never a shorter file.
//! Errors: `FileTooLarge`, beside the system's.   Allocates: nothing; [`read`] the content.
//! Proved by: `tests` below, those of `known_hosts` and `public`.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

const MIB: u64 = 1 << 20;

/// More than any list of hosts or keys: half a million lines.
pub const MAX_LIST: u64 = 64 * MIB;

/// Reads on until it would have given more than so many bytes.
#[derive(Debug)]
pub struct Bounded<R> {
    inner: R,
    most: u64,
    given: u64,
}

impl<R: Read> Bounded<R> {
    /// Whoever reads gets at most `most` bytes, and then an error.
    pub const fn new(inner: R, most: u64) -> Self {
        Self { inner, most, given: 0 }
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(into)?;
        self.given += read as u64;
        if self.given > self.most {
            let text = format!("larger than {} MiB", self.most / MIB);
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
        }
        Ok(read)
    }
}

/// All of a file of up to `most` bytes.
///
/// # Errors
/// Those of the system; `FileTooLarge`.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    Bounded::new(File::open(path)?, most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_may_have_as_many_bytes_as_allowed_and_no_more() {
        let mut all = Vec::new();
        assert_eq!(Bounded::new(&[7; 5000][..], 5000).read_to_end(&mut all).unwrap(), 5000);
        assert_eq!(all, [7; 5000]);
        let error = Bounded::new(&[7; 5001][..], 5000).read_to_end(&mut all).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    }

    #[test]
    fn a_device_without_an_end_is_refused() {
        for device in ["/dev/zero", "/dev/full", "/dev/urandom"] {
            let error = read(Path::new(device), MIB).unwrap_err();
            assert_eq!(error.to_string(), "larger than 1 MiB", "{device}");
        }
    }
}
