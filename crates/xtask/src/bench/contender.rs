//! Who is compared: clients, servers, and what stands in a tunnel's place.
//! Touches: nothing.   Never: a process.
//! Invariants: names are those of the report; a cipher is told as it is carried, not as it was wished.
//! Errors: none.   Allocates: names.
//! Proved by: `tests` below.

/// A client program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClientKind {
    Adit,
    /// The build for small devices.
    SmallAdit,
    /// The machine's own.
    Ssh,
    /// The newer root folder's.
    NewerSsh,
    Dbclient,
    Russh,
}

/// A server program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ServerKind {
    Aditd,
    /// The machine's own.
    Sshd,
    /// The newer root folder's.
    NewerSshd,
    Dropbear,
}

use ClientKind::{Adit, Dbclient, NewerSsh, Russh, SmallAdit, Ssh};
use ServerKind::{Aditd, Dropbear, NewerSshd, Sshd};

/// What bytes go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Contender {
    Tunnel(ClientKind, ServerKind),
    /// One relay with buffers of so many KiB.
    Relay(usize),
    /// Two relays of 128 KiB, as a tunnel has two ends.
    TwoRelays,
    /// Near and far end alone.
    Nothing,
}

impl Contender {
    pub(crate) fn name(self) -> String {
        match self {
            Self::Tunnel(client, server) => format!("{} → {}", client.name(), server.name()),
            Self::Relay(kib) if kib >= 1024 => format!("one null relay, {} MiB", kib / 1024),
            Self::Relay(kib) => format!("one null relay, {kib} KiB"),
            Self::TwoRelays => "two null relays".into(),
            Self::Nothing => "no tunnel".into(),
        }
    }
}

impl ClientKind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Adit => "adit",
            SmallAdit => "adit, constrained",
            Ssh => "ssh",
            NewerSsh => "newer ssh",
            Dbclient => "dbclient",
            Russh => "russh",
        }
    }
}

impl ServerKind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Aditd => "aditd",
            Sshd => "sshd",
            NewerSshd => "newer sshd",
            Dropbear => "dropbear",
        }
    }
}

/// A cipher of the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cipher {
    ChaCha20Poly1305,
    Aes128Gcm,
    Aes256Gcm,
}

impl Cipher {
    pub(crate) const ALL: [Self; 3] = [Self::Aes128Gcm, Self::Aes256Gcm, Self::ChaCha20Poly1305];

    /// The cipher as SSH names it; Dropbear has no AES-GCM in Debian and shows AES-CTR in its place.
    pub(crate) fn name_for(self, contender: Contender) -> &'static str {
        let dropbear =
            matches!(contender, Contender::Tunnel(Dbclient, _) | Contender::Tunnel(_, Dropbear));
        match (self, dropbear) {
            (Self::ChaCha20Poly1305, _) => "chacha20-poly1305@openssh.com",
            (Self::Aes128Gcm, false) => "aes128-gcm@openssh.com",
            (Self::Aes256Gcm, false) => "aes256-gcm@openssh.com",
            (Self::Aes128Gcm, true) => "aes128-ctr",
            (Self::Aes256Gcm, true) => "aes256-ctr",
        }
    }

    /// What a row is filed under.
    pub(crate) fn case(self) -> &'static str {
        match self {
            Self::ChaCha20Poly1305 => "chacha20-poly1305",
            Self::Aes128Gcm => "aes128-gcm",
            Self::Aes256Gcm => "aes256-gcm",
        }
    }
}

/// Ours at both ends, at either end, and OpenSSH's pair: what the targets are about.
pub(crate) const OURS: [Contender; 4] = [
    Contender::Tunnel(Adit, Aditd),
    Contender::Tunnel(Adit, Sshd),
    Contender::Tunnel(Ssh, Aditd),
    Contender::Tunnel(Ssh, Sshd),
];

/// Everybody else.
pub(crate) const RIVALS: [Contender; 5] = [
    Contender::Tunnel(Adit, NewerSshd),
    Contender::Tunnel(NewerSsh, Aditd),
    Contender::Tunnel(NewerSsh, NewerSshd),
    Contender::Tunnel(Russh, Sshd),
    Contender::Tunnel(Dbclient, Dropbear),
];

/// What the machine itself can do, best first.
pub(crate) const CEILINGS: [Contender; 4] =
    [Contender::Nothing, Contender::Relay(1024), Contender::Relay(128), Contender::TwoRelays];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_contenders_have_one_name() {
        let all = [&OURS[..], &RIVALS, &CEILINGS].concat();
        let mut names: Vec<_> = all.iter().map(|contender| contender.name()).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), all.len());
    }

    #[test]
    fn a_cipher_is_told_as_it_is_carried() {
        let dropbear = Contender::Tunnel(Dbclient, Dropbear);
        assert_eq!(Cipher::Aes128Gcm.name_for(dropbear), "aes128-ctr");
        assert_eq!(Cipher::Aes128Gcm.name_for(OURS[0]), "aes128-gcm@openssh.com");
    }
}
