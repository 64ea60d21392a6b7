//! Which message may come when: the one place that says so. RFC 4253 §7.1, §10; RFC 4252 §5.1, §6; RFC 8308 §2.4; OpenSSH PROTOCOL §1.8, §1.10.
//! Touches: our role, the peer's phase, a message number.   Never: the message itself.
//! Invariants: a pure function of its three arguments; nothing else in this crate lets a message through.
//! Errors: none; `Verdict::Refuse` becomes `Violation::MessageNotAllowed`.   Allocates: never.
//! Proved by: the whole table against `testdata/gate.txt`.

use core::fmt;

use crate::config::Role;

/// How far the peer has come, judged by what it has sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Its first KEXINIT has not come.
    Start,
    /// Between its first KEXINIT and its NEWKEYS.
    FirstKex,
    /// The same under strict key exchange.
    StrictKex,
    /// The packet right after its first NEWKEYS, where RFC 8308 wants EXT_INFO.
    FirstPacket,
    /// Not yet logged in.
    Login,
    /// Logged in.
    Established,
    /// Between a later KEXINIT of its and its NEWKEYS.
    Rekey,
}

impl Phase {
    /// All of them, in the order a connection goes through them.
    pub const ALL: [Self; 7] = [
        Self::Start,
        Self::FirstKex,
        Self::StrictKex,
        Self::FirstPacket,
        Self::Login,
        Self::Established,
        Self::Rekey,
    ];
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Start => "before the key exchange",
            Self::FirstKex | Self::StrictKex => "during the first key exchange",
            Self::FirstPacket | Self::Login => "before login",
            Self::Established => "after login",
            Self::Rekey => "during a key exchange",
        })
    }
}

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The transport layer answers or reports it.
    Transport,
    /// The key exchange takes it.
    Kex,
    /// It belongs to the layers above.
    Deliver,
    /// It may come and means nothing.
    Ignore,
    /// It is not known: answered with SSH_MSG_UNIMPLEMENTED. RFC 4253 §11.4.
    Unimplemented,
    /// It ends the connection.
    Refuse,
}

/// What becomes of message `number` when we are `role` and the peer is in `phase`.
pub const fn allowed(role: Role, phase: Phase, number: u8) -> Verdict {
    match phase {
        Phase::Start => start(number),
        Phase::FirstKex | Phase::Rekey => kex(number),
        Phase::StrictKex => strict_kex(number),
        Phase::FirstPacket => match number {
            7 => Verdict::Transport,
            _ => login(role, number),
        },
        Phase::Login => login(role, number),
        Phase::Established => established(role, number),
    }
}

const fn start(number: u8) -> Verdict {
    match number {
        1..=4 => Verdict::Transport,
        20 => Verdict::Kex,
        _ => Verdict::Refuse,
    }
}

/// RFC 4253 §7.1: transport messages without service requests, and the method's own.
const fn kex(number: u8) -> Verdict {
    match number {
        1..=4 => Verdict::Transport,
        8..=19 | 22..=29 => Verdict::Unimplemented,
        21 | 30..=49 => Verdict::Kex,
        _ => Verdict::Refuse,
    }
}

/// OpenSSH PROTOCOL §1.10: nothing that the exchange does not need. A peer may always leave.
const fn strict_kex(number: u8) -> Verdict {
    match number {
        1 => Verdict::Transport,
        21 | 30..=49 => Verdict::Kex,
        _ => Verdict::Refuse,
    }
}

const fn login(role: Role, number: u8) -> Verdict {
    match (role, number) {
        (Role::Server, 5) | (Role::Client, 6 | 7) => Verdict::Transport,
        (Role::Server, 50 | 61) | (Role::Client, 51 | 52 | 53 | 60) => Verdict::Deliver,
        (_, 5..=7 | 50..=53 | 60 | 61 | 80..=127) => Verdict::Refuse,
        (_, 54..=59 | 62..=79) => Verdict::Unimplemented,
        _ => any_time(number),
    }
}

const fn established(role: Role, number: u8) -> Verdict {
    match (role, number) {
        (_, 80..=82 | 90..=100) => Verdict::Deliver,
        // RFC 4252 §5.1: requests that crossed our success are passed over.
        (Role::Server, 50) => Verdict::Ignore,
        (_, 5..=7 | 50..=53 | 60 | 61) => Verdict::Refuse,
        (_, 54..=59 | 62..=79 | 83..=89 | 101..=127) => Verdict::Unimplemented,
        _ => any_time(number),
    }
}

/// Once the first keys are in use, and while the peer is not exchanging new ones.
const fn any_time(number: u8) -> Verdict {
    match number {
        1..=4 | 192 | 193 => Verdict::Transport,
        20 => Verdict::Kex,
        0 | 21 | 30..=49 => Verdict::Refuse,
        _ => Verdict::Unimplemented,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use adit_wire::number::{Layer, Sender, lookup};
    use alloc::format;
    use alloc::string::String;

    /// Runs of numbers with one verdict, a line each.
    fn table() -> String {
        let mut text = String::new();
        for role in [Role::Client, Role::Server] {
            for phase in Phase::ALL {
                let mut from = 0;
                for number in 0..=255_u8 {
                    let verdict = allowed(role, phase, number);
                    let next = number.checked_add(1).map(|next| allowed(role, phase, next));
                    if next != Some(verdict) {
                        text += &format!("{role:?} {phase:?} {from}-{number} {verdict:?}\n");
                        from = number.wrapping_add(1);
                    }
                }
            }
        }
        text
    }

    /// Whoever widens the gate changes the table with it, for reviewers to see.
    #[test]
    fn all_roles_phases_and_numbers_are_as_the_table_says() {
        let expected = include_str!("../testdata/gate.txt");
        let table = table();
        for (found, expected) in table.lines().zip(expected.lines()) {
            assert_eq!(found, expected);
        }
        assert_eq!(table, expected);
    }

    #[test]
    fn nothing_of_a_connection_passes_before_login() {
        for role in [Role::Client, Role::Server] {
            for phase in Phase::ALL.into_iter().filter(|phase| *phase != Phase::Established) {
                for number in 80..128 {
                    assert_eq!(allowed(role, phase, number), Verdict::Refuse);
                }
            }
        }
    }

    #[test]
    fn what_only_the_other_role_may_send_is_never_delivered_from_the_wrong_one() {
        for number in 0..=255 {
            let Some(row) = lookup(number) else { continue };
            for phase in Phase::ALL {
                let wrong = match row.sender {
                    Sender::Both => continue,
                    Sender::Client => Role::Client,
                    Sender::Server => Role::Server,
                };
                // Which key exchange messages come is the method's to say.
                if row.layer != Layer::KeyExchange {
                    assert_eq!(
                        allowed(wrong, phase, number),
                        Verdict::Refuse,
                        "{number} {phase:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn every_message_of_the_table_passes_somewhere() {
        for number in 0..=255 {
            let passes = [Role::Client, Role::Server].into_iter().any(|role| {
                Phase::ALL.into_iter().any(|phase| {
                    !matches!(
                        allowed(role, phase, number),
                        Verdict::Refuse | Verdict::Unimplemented
                    )
                })
            });
            let other_methods = matches!(number, 35..=49);
            assert_eq!(passes, lookup(number).is_some() || other_methods, "{number}");
        }
    }
}
