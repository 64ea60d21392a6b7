//! The name under which a host's key is filed: `name` or `[name]:port`, small letters.
//! Touches: one text.   Never: name look-up.
//! Invariants: a `HostName` can be written to known_hosts and is neither a pattern, a list, a hash nor a marker.
//! Errors: `InvalidHostName`.   Allocates: the name.
//! Proved by: `tests` below.

use sha1::{Digest, Sha1};
use std::fmt;

/// The port whose number is not written.
const SSH_PORT: u16 = 22;

/// A host as known_hosts names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostName {
    text: String,
    bare: Option<String>,
}

/// The name holds what known_hosts would read as something else: white space, a comma, a wildcard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidHostName;

impl HostName {
    /// Files `name` (a host name, an address or a HostKeyAlias) under `port`.
    ///
    /// # Errors
    /// [`InvalidHostName`] for an empty name and for one that could not be written as one plain name.
    pub fn new(name: &str, port: u16) -> Result<Self, InvalidHostName> {
        if !is_plain(name) {
            return Err(InvalidHostName);
        }
        let bare = name.to_ascii_lowercase();
        Ok(match port {
            SSH_PORT => Self { text: bare, bare: None },
            _ => Self { text: format!("[{bare}]:{port}"), bare: Some(bare) },
        })
    }

    /// `name`, or `[name]:port` where the port is not 22.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The same host without its port, where one is written.
    pub fn without_port(&self) -> Option<Self> {
        self.bare.clone().map(|text| Self { text, bare: None })
    }
}

/// `%C` of ssh_config(5): a name for a connection, short enough for a socket's path.
///
/// The hexadecimal SHA-1 of `%l%h%p%r%j`.
pub fn connection_hash(input: &str) -> String {
    Sha1::digest(input.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn is_plain(name: &str) -> bool {
    let special = |c: char| c.is_control() || c.is_whitespace() || ",*?!\"".contains(c);
    !name.is_empty() && !name.starts_with(['|', '@', '#']) && !name.contains(special)
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for InvalidHostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("hostname contains invalid characters")
    }
}

impl std::error::Error for InvalidHostName {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_other_ports_are_written() {
        assert_eq!(HostName::new("Example.ORG", 22).unwrap().as_str(), "example.org");
        assert_eq!(HostName::new("::1", 2222).unwrap().as_str(), "[::1]:2222");
        assert_eq!(HostName::new("h", 2222).unwrap().without_port(), HostName::new("h", 22).ok());
        assert_eq!(HostName::new("h", 22).unwrap().without_port(), None);
    }

    /// As `printf lhpr | sha1sum` has it.
    #[test]
    fn a_connection_hash_is_hexadecimal_sha1() {
        assert_eq!(connection_hash("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
    }

    /// Written to the file, `*` would stand for every host there is.
    #[test]
    fn a_name_that_known_hosts_would_read_differently_is_refused() {
        for name in
            ["", "*", "a,b", "a b", "a\tb", "a\nb", "h?", "!h", "|1|x", "@revoked", "#h", "a\0"]
        {
            assert_eq!(HostName::new(name, 22), Err(InvalidHostName), "{name:?}");
        }
    }
}
