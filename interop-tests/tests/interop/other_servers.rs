//! Servers other than this machine's OpenSSH: other versions, Dropbear, AsyncSSH.

use adit_interop_tests::{
    asyncssh::AsyncSsh,
    carry::{MIB, through_every_forward},
    container::{self, BOOKWORM, BULLSEYE, Release, SID, TRIXIE},
    sshd::Setup,
};

const LENGTH: u64 = 4 * MIB;

fn openssh_of(release: Release) {
    let Some(server) = container::sshd(release, Setup::default()) else { return };
    through_every_forward(&server.endpoint, &[], LENGTH);
    through_every_forward(&server.endpoint, &["-o", "RekeyLimit=1M"], LENGTH);
}

fn dropbear_of(release: Release) {
    let Some(server) = container::dropbear(release) else { return };
    through_every_forward(&server.endpoint, &[], LENGTH);
    through_every_forward(&server.endpoint, &["-o", "RekeyLimit=1M"], LENGTH);
}

#[test]
fn openssh_of_bullseye() {
    openssh_of(BULLSEYE);
}

#[test]
fn openssh_of_bookworm() {
    openssh_of(BOOKWORM);
}

#[test]
fn openssh_of_trixie() {
    openssh_of(TRIXIE);
}

#[test]
fn openssh_of_sid() {
    openssh_of(SID);
}

#[test]
fn dropbear_of_bullseye() {
    dropbear_of(BULLSEYE);
}

#[test]
fn dropbear_of_bookworm() {
    dropbear_of(BOOKWORM);
}

#[test]
fn dropbear_of_trixie() {
    dropbear_of(TRIXIE);
}

#[test]
fn dropbear_of_sid() {
    dropbear_of(SID);
}

#[test]
fn asyncssh() {
    let Some(server) = AsyncSsh::start() else { return };
    through_every_forward(&server.endpoint, &[], LENGTH);
    through_every_forward(&server.endpoint, &["-o", "RekeyLimit=1M"], LENGTH);
}
