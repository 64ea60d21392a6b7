//! Tests of the limits as their callers see them, and against a plain reference.
use super::*;
use adit_config::server::AddressList;
use adit_config::types::LogLevel;
use proptest::prelude::*;
use std::time::Duration;

const SECOND: u64 = 1000;

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn ada() -> IpAddr {
    address("192.0.2.1")
}

fn bob() -> IpAddr {
    address("198.51.100.2")
}

fn limits(change: impl FnOnce(&mut LimitSettings)) -> Limits {
    let mut settings = LimitSettings::default();
    change(&mut settings);
    Limits::new(settings)
}

fn startups(begin: u32, rate: u32, full: u32) -> Limits {
    limits(|settings| {
        settings.startups = StartupSettings { begin, rate, full, ..Default::default() }
    })
}

/// Comes, does this, goes.
fn misbehave(limits: &mut Limits, now: u64, peer: IpAddr, how: Ending) -> Option<Notice> {
    let ticket = limits.admit(now, peer, 99).unwrap();
    limits.ended(now, ticket, how)
}

fn why(refused: Result<Ticket, Refusal>) -> Why {
    refused.unwrap_err().why
}

#[test]
fn a_connection_is_counted_until_it_ends() {
    let mut limits = limits(|_| ());
    let first = limits.admit(0, ada(), 0).unwrap();
    let mut second = limits.admit(0, ada(), 0).unwrap();
    assert_eq!((limits.connections(), limits.startups()), (2, 2));
    limits.authenticated(&mut second, "ada").unwrap();
    assert_eq!((limits.connections(), limits.startups()), (2, 1));
    limits.ended(0, first, Ending::Fine);
    limits.ended(0, second, Ending::Fine);
    assert_eq!((limits.connections(), limits.startups()), (0, 0));
    assert!(limits.users.is_empty());
}

#[test]
fn below_the_beginning_chance_has_no_say() {
    let mut limits = startups(3, 100, 5);
    for _ in 0..3 {
        let _in = limits.admit(0, ada(), 0).unwrap();
    }
    assert_eq!(why(limits.admit(0, ada(), 99)), Why::Startups);
}

#[test]
fn the_chance_to_be_dropped_grows_from_rate_to_certain() {
    let settings = StartupSettings { begin: 10, rate: 30, full: 100, ..Default::default() };
    for (count, least_admitted) in
        [(0, 0), (9, 0), (10, 30), (11, 30), (55, 65), (99, 99), (100, 100), (200, 100)]
    {
        for random in 0..100 {
            let dropped = startups::is_dropped(&settings, count, random);
            assert_eq!(dropped, random < least_admitted, "{count} {random}");
        }
    }
}

#[test]
fn a_beginning_at_the_end_divides_by_nothing() {
    let mut limits = startups(1, 30, 1);
    let _in = limits.admit(0, ada(), 99).unwrap();
    assert_eq!(why(limits.admit(0, ada(), 99)), Why::Startups);
}

#[test]
fn a_login_makes_room_at_the_door() {
    let mut limits = startups(1, 100, 1);
    let mut ticket = limits.admit(0, ada(), 0).unwrap();
    limits.authenticated(&mut ticket, "ada").unwrap();
    assert!(limits.admit(0, ada(), 0).is_ok());
}

#[test]
fn a_source_has_its_own_limit_and_leaves_room_for_others() {
    let mut limits = limits(|settings| settings.startups.per_source = Some(2));
    let first = limits.admit(0, ada(), 99).unwrap();
    let _second = limits.admit(0, ada(), 99).unwrap();
    let refusal = limits.admit(0, ada(), 99).unwrap_err();
    assert_eq!(refusal.why.to_string(), "past PerSourceMaxStartups");
    assert_eq!(refusal.to_client(), "Not allowed at this time\r\n");
    let _other = limits.admit(0, bob(), 99).unwrap();
    limits.ended(0, first, Ending::Fine);
    assert!(limits.admit(0, ada(), 99).is_ok());
}

#[test]
fn addresses_of_a_block_are_one_source() {
    let mut limits = limits(|settings| {
        settings.startups.per_source = Some(1);
        settings.startups.blocks = BlockSizes { v4: 24, v6: 64 };
    });
    let _v4 = limits.admit(0, address("192.0.2.1"), 99).unwrap();
    let _v6 = limits.admit(0, address("2001:db8::1"), 99).unwrap();
    assert_eq!(why(limits.admit(0, address("192.0.2.200"), 99)), Why::PerSource);
    assert_eq!(why(limits.admit(0, address("2001:db8::ffff:1"), 99)), Why::PerSource);
    assert!(limits.admit(0, address("192.0.3.1"), 99).is_ok());
    assert!(limits.admit(0, address("2001:db8:0:1::1"), 99).is_ok());
}

#[test]
fn a_mapped_address_is_the_address() {
    let mut limits = limits(|settings| settings.startups.per_source = Some(1));
    let _in = limits.admit(0, address("::ffff:192.0.2.1"), 99).unwrap();
    assert_eq!(why(limits.admit(0, ada(), 99)), Why::PerSource);
}

#[test]
fn a_connection_without_an_address_is_counted_but_by_no_source() {
    let mut limits = limits(|settings| settings.startups.per_source = Some(1));
    let first = limits.admit(0, None, 99).unwrap();
    let _second = limits.admit(0, None, 99).unwrap();
    assert_eq!(limits.startups(), 2);
    assert_eq!(limits.ended(0, first, Ending::AuthFailed), None);
}

#[test]
fn blocks_that_change_under_a_connection_leave_no_count_behind() {
    let mut limits = limits(|settings| settings.startups.per_source = Some(1));
    let ticket = limits.admit(0, ada(), 99).unwrap();
    let mut settings = limits.settings.clone();
    settings.startups.blocks.v4 = 8;
    limits.configure(&settings);
    limits.ended(0, ticket, Ending::Fine);
    let _again = limits.admit(0, ada(), 99).unwrap();
    assert_eq!(limits.startups(), 1);
}

#[test]
fn a_full_server_says_so() {
    let mut limits = limits(|settings| settings.max_connections = Some(1));
    let mut ticket = limits.admit(0, ada(), 99).unwrap();
    limits.authenticated(&mut ticket, "ada").unwrap();
    let refusal = limits.admit(0, bob(), 99).unwrap_err();
    assert_eq!(refusal.why.to_string(), "past MaxConnections");
    assert_eq!(refusal.notice.unwrap().to_string(), "beginning MaxConnections throttling");
}

#[test]
fn a_user_has_so_many_connections_and_no_more() {
    let mut limits = limits(|settings| settings.max_connections_per_user = Some(1));
    let mut first = limits.admit(0, ada(), 99).unwrap();
    let mut second = limits.admit(0, ada(), 99).unwrap();
    limits.authenticated(&mut first, "ada").unwrap();
    let refusal = limits.authenticated(&mut second, "ada").unwrap_err();
    assert_eq!(refusal.why, Why::User { user: "ada".into(), limit: 1 });
    assert_eq!(refusal.level(), LogLevel::Info);
    limits.authenticated(&mut second, "bob").unwrap();
    limits.ended(0, first, Ending::Fine);
    let mut third = limits.admit(0, ada(), 99).unwrap();
    limits.authenticated(&mut third, "ada").unwrap();
}

#[test]
fn a_login_counts_once_however_often_it_is_told() {
    let mut limits = limits(|_| ());
    let mut ticket = limits.admit(0, ada(), 99).unwrap();
    limits.authenticated(&mut ticket, "ada").unwrap();
    limits.authenticated(&mut ticket, "ada").unwrap();
    limits.ended(0, ticket, Ending::Fine);
    assert!(limits.users.is_empty());
}

#[test]
fn throttling_is_told_when_it_begins_now_and_then_and_once_when_it_is_over() {
    let mut limits = startups(3, 100, 3);
    let held: Vec<_> = (0..3).map(|_| limits.admit(0, ada(), 0).unwrap()).collect();
    let told = |limits: &mut Limits, now| {
        let refusal = limits.admit(now, bob(), 0).unwrap_err();
        (refusal.level(), refusal.notice.map(|notice| notice.to_string()))
    };
    let words = |text: &str| (LogLevel::Info, Some(text.to_owned()));
    assert_eq!(told(&mut limits, 10), words("beginning MaxStartups throttling"));
    assert_eq!(told(&mut limits, 20), (LogLevel::Verbose, None));
    let later = 10 + 300 * SECOND;
    let still = "in MaxStartups throttling for 00:05:00, 3 connections dropped";
    assert_eq!(told(&mut limits, later), words(still));
    assert_eq!(told(&mut limits, later + 1), (LogLevel::Verbose, None));
    for ticket in held {
        limits.ended(later, ticket, Ending::Fine);
    }
    let ticket = limits.admit(later + 62 * SECOND, bob(), 0).unwrap();
    let over = "exited MaxStartups throttling after 00:06:02, 4 connections dropped";
    assert_eq!(ticket.notice().unwrap().to_string(), over);
    assert_eq!(limits.admit(later + 63 * SECOND, bob(), 0).unwrap().notice(), None);
}

#[test]
fn throttling_is_not_over_while_the_door_is_nearly_as_full() {
    let mut limits = startups(3, 100, 3);
    let mut held: Vec<_> = (0..3).map(|_| limits.admit(0, ada(), 0).unwrap()).collect();
    assert!(limits.admit(0, ada(), 0).is_err());
    limits.ended(0, held.pop().unwrap(), Ending::Fine);
    let third = limits.admit(0, ada(), 0).unwrap();
    assert_eq!(third.notice(), None);
    limits.ended(0, third, Ending::Fine);
    limits.ended(0, held.pop().unwrap(), Ending::Fine);
    assert!(limits.admit(0, ada(), 0).unwrap().notice().is_some());
}

#[test]
fn a_greedy_source_is_told_of_once_however_many_others_get_in() {
    let mut limits = limits(|settings| settings.startups.per_source = Some(1));
    let _held = limits.admit(0, ada(), 0).unwrap();
    let mut told = Vec::new();
    for now in 0..100 {
        told.extend(limits.admit(now * SECOND / 2, ada(), 0).unwrap_err().notice);
        let honest = limits.admit(now * SECOND / 2, bob(), 0).unwrap();
        assert_eq!(honest.notice(), None);
        limits.ended(now, honest, Ending::Fine);
    }
    let [began] = &told[..] else { panic!("{told:?}") };
    assert_eq!(began.to_string(), "beginning PerSourceMaxStartups throttling");
    let later = limits.admit(110 * SECOND, bob(), 0).unwrap();
    let over = "exited PerSourceMaxStartups throttling after 00:01:50, 100 connections dropped";
    assert_eq!(later.notice().unwrap().to_string(), over);
}

#[test]
fn a_server_is_spacious_again_when_a_tenth_of_it_is_free() {
    let mut limits = limits(|settings| {
        settings.max_connections = Some(20);
        settings.startups.begin = 100;
    });
    let mut held: Vec<_> = (0..20).map(|_| limits.admit(0, ada(), 0).unwrap()).collect();
    assert!(limits.admit(0, ada(), 0).is_err());
    for _ in 0..2 {
        limits.ended(0, held.pop().unwrap(), Ending::Fine);
    }
    let ticket = limits.admit(0, ada(), 0).unwrap();
    assert_eq!(ticket.notice(), None);
    limits.ended(0, ticket, Ending::Fine);
    limits.ended(0, held.pop().unwrap(), Ending::Fine);
    let ticket = limits.admit(SECOND, ada(), 0).unwrap();
    let over = "exited MaxConnections throttling after 00:00:01, 1 connections dropped";
    assert_eq!(ticket.notice().unwrap().to_string(), over);
}

#[test]
fn one_failure_is_remembered_and_enough_of_them_are_enforced() {
    let mut limits = limits(|_| ());
    let mut told =
        |now| misbehave(&mut limits, now, ada(), Ending::AuthFailed).unwrap().to_string();
    let what = "for penalty: failed authentication";
    assert_eq!(told(0), format!("ipv4: new 192.0.2.1/32 deferred penalty of 5.000 seconds {what}"));
    assert_eq!(told(0), format!("192.0.2.1/32: ipv4 penalty of 10.000 seconds now {what}"));
    // Fifteen seconds are not more than fifteen seconds.
    assert_eq!(told(0), format!("192.0.2.1/32: ipv4 penalty of 15.000 seconds now {what}"));
    assert_eq!(told(1), format!("192.0.2.1/32: activating ipv4 penalty of 19.999 seconds {what}"));
    let refusal = limits.admit(2, ada(), 99).unwrap_err();
    assert_eq!(refusal.why.to_string(), "penalty: failed authentication");
    assert_eq!(refusal.level(), LogLevel::Info);
    assert!(limits.admit(2, bob(), 99).is_ok());
}

#[test]
fn a_penalty_ends() {
    let mut limits = limits(|_| ());
    misbehave(&mut limits, 0, ada(), Ending::Crashed);
    assert_eq!(why(limits.admit(90 * SECOND, ada(), 99)), Why::Penalty(Offence::Crash));
    assert!(limits.admit(90 * SECOND + 1, ada(), 99).is_ok());
    assert_eq!(limits.penalised(), 0);
}

#[test]
fn each_ending_has_its_own_price_and_words() {
    for (how, seconds, words) in [
        (Ending::NoAuth, 1, "penalty: connections without attempting authentication"),
        (Ending::AuthFailed, 5, "penalty: failed authentication"),
        (Ending::InvalidUser, 5, "penalty: attempted authentication by invalid user"),
        (Ending::GraceExceeded, 10, "penalty: exceeded LoginGraceTime"),
        (Ending::Refused, 10, "penalty: connection prohibited by RefuseConnection"),
        (Ending::Crashed, 90, "penalty: caused crash"),
    ] {
        let mut limits = limits(|settings| settings.penalties.min = Duration::ZERO);
        misbehave(&mut limits, 0, ada(), how);
        assert_eq!(limits.admit(seconds * SECOND, ada(), 99).unwrap_err().why.to_string(), words);
        assert!(limits.admit(seconds * SECOND + 1, ada(), 99).is_ok(), "{words}");
    }
}

#[test]
fn penalties_come_together_up_to_the_maximum() {
    let mut limits = limits(|settings| settings.penalties.max = Duration::from_secs(120));
    let ticket = limits.admit(0, ada(), 99).unwrap();
    misbehave(&mut limits, 0, ada(), Ending::Crashed);
    limits.ended(0, ticket, Ending::Crashed);
    assert!(limits.admit(120 * SECOND, ada(), 99).is_err());
    assert!(limits.admit(120 * SECOND + 1, ada(), 99).is_ok());
}

#[test]
fn nobody_pays_for_a_connection_that_logged_in() {
    let mut limits = limits(|settings| settings.penalties.min = Duration::ZERO);
    let mut ticket = limits.admit(0, ada(), 99).unwrap();
    limits.authenticated(&mut ticket, "ada").unwrap();
    assert_eq!(limits.ended(0, ticket, Ending::AuthFailed), None);
    assert!(limits.admit(0, ada(), 99).is_ok());
}

#[test]
fn the_exempt_pay_nothing() {
    let mut limits = limits(|settings| {
        settings.penalties.exempt = AddressList::parse("192.0.2.0/24").unwrap();
    });
    assert_eq!(misbehave(&mut limits, 0, ada(), Ending::Crashed), None);
    assert!(limits.admit(0, ada(), 99).is_ok());
}

#[test]
fn penalties_that_are_switched_off_on_reload_are_forgotten() {
    let mut limits = limits(|_| ());
    misbehave(&mut limits, 0, ada(), Ending::Crashed);
    let mut settings = limits.settings.clone();
    settings.penalties.enabled = false;
    limits.configure(&settings);
    assert_eq!(limits.penalised(), 0);
    assert!(limits.admit(0, ada(), 99).is_ok());
    assert_eq!(misbehave(&mut limits, 0, ada(), Ending::Crashed), None);
}

#[test]
fn a_permissive_table_forgets_whose_penalty_ends_first() {
    let mut limits = limits(|settings| settings.penalties.max_sources4 = 2);
    let third = address("203.0.113.3");
    misbehave(&mut limits, 0, ada(), Ending::Crashed);
    misbehave(&mut limits, 1, bob(), Ending::Crashed);
    misbehave(&mut limits, 2, third, Ending::Crashed);
    assert_eq!(limits.penalised(), 2);
    assert!(limits.admit(3, ada(), 99).is_ok());
    assert!(limits.admit(3, bob(), 99).is_err());
    assert!(limits.admit(3, third, 99).is_err());
}

#[test]
fn a_full_table_denies_all_of_its_family_but_the_exempt() {
    let mut limits = limits(|settings| {
        settings.penalties.max_sources4 = 1;
        settings.penalties.overflow = Overflow::DenyAll;
        settings.penalties.exempt = AddressList::parse(&bob().to_string()).unwrap();
    });
    let caught = limits.admit(0, address("203.0.113.3"), 99).unwrap();
    misbehave(&mut limits, 0, ada(), Ending::Crashed);
    assert_eq!(why(limits.admit(0, address("203.0.113.3"), 99)), Why::PenaltiesFull);
    assert_eq!(
        limits.ended(0, caught, Ending::NoAuth).unwrap().to_string(),
        "ipv4 penalty table full, cannot penalise 203.0.113.3/32 for penalty: connections without attempting authentication"
    );
    assert!(limits.admit(0, bob(), 99).is_ok());
    assert!(limits.admit(0, address("2001:db8::1"), 99).is_ok());
    assert!(limits.admit(90 * SECOND + 1, address("203.0.113.3"), 99).is_ok());
}

#[test]
fn an_honest_source_gets_in_while_another_floods() {
    let mut limits = limits(|settings| settings.startups.per_source = Some(5));
    let mut held = Vec::new();
    let mut random = 12345_u32;
    for now in 0..10_000 {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        held.extend(limits.admit(now, ada(), random >> 16));
        if now % 10 == 0 && !held.is_empty() {
            limits.ended(now, held.remove(0), Ending::NoAuth);
        }
        if now % 100 == 50 {
            let mut honest = limits.admit(now, bob(), random >> 16).unwrap();
            limits.authenticated(&mut honest, "bob").unwrap();
            limits.ended(now, honest, Ending::Fine);
        }
    }
    assert!(limits.startups() <= 5);
    assert_eq!(why(limits.admit(10_000, ada(), 99)), Why::Penalty(Offence::NoAuth));
}

#[test]
fn an_honest_source_gets_in_after_some_tries_while_thousands_flood() {
    let mut limits = limits(|_| ());
    let mut random = 4711_u32;
    let mut chance = || {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        random >> 16
    };
    let (mut held, mut tries, mut logins) = (std::collections::VecDeque::new(), 0, 0);
    for now in 0_u64..20_000 {
        let flooder = IpAddr::from([10, 0, (now >> 8) as u8, now as u8]);
        held.extend(limits.admit(now, flooder, chance()));
        // The grace time of a flooder is over now and then, which is all the room there is.
        if now % 5 == 0 && held.len() > 50 {
            let ticket = held.pop_front().unwrap();
            limits.ended(now, ticket, Ending::GraceExceeded);
        }
        tries += 1;
        if let Ok(mut honest) = limits.admit(now, bob(), chance()) {
            limits.authenticated(&mut honest, "bob").unwrap();
            limits.ended(now, honest, Ending::Fine);
            logins += 1;
        }
    }
    assert!(limits.startups() <= 100);
    // The door is as full as chance lets it be, and one try in a hundred and more succeeds.
    assert!(logins * 100 > tries, "{logins} of {tries}");
}

/// What PerSourcePenalties means, as one would write it down.
struct Reference {
    settings: LimitSettings,
    /// Source, end, enforced, in the order they came in.
    list: Vec<(block::Block, u64, bool)>,
}

impl Reference {
    fn refuses(&mut self, now: u64, address: IpAddr) -> bool {
        self.list.retain(|(_, end, _)| *end >= now);
        let full = self.settings.penalties.overflow == Overflow::DenyAll
            && self.list.len() >= self.settings.penalties.max_sources4 as usize;
        let block = self.settings.startups.blocks.of(address);
        full || self.list.iter().any(|(source, _, active)| *source == block && *active)
    }

    fn penalise(&mut self, now: u64, address: IpAddr, cost: u64) {
        self.list.retain(|(_, end, _)| *end >= now);
        let rules = &self.settings.penalties;
        let (min, max) = (rules.min.as_millis() as u64, rules.max.as_millis() as u64);
        let most = rules.max_sources4 as usize;
        if rules.overflow == Overflow::DenyAll && self.list.len() >= most {
            return;
        }
        let block = self.settings.startups.blocks.of(address);
        match self.list.iter_mut().find(|(source, ..)| *source == block) {
            Some((_, end, active)) => {
                *end = (*end + cost).min(now + max);
                *active |= *end - now > min;
            }
            None => self.list.push((block, now + cost, cost > min)),
        }
        while self.list.len() > most {
            let first = self.list.iter().map(|(block, end, _)| (*end, *block)).min().unwrap();
            self.list.retain(|(block, ..)| *block != first.1);
        }
    }
}

proptest! {
    #[test]
    fn penalties_do_what_a_plain_list_does(
        steps in prop::collection::vec((0_u64..4000, 0_u8..12, 0_usize..6), 1..200),
        bits in prop::sample::select(vec![32_u8, 30]),
        deny in any::<bool>(),
    ) {
        let mut settings = LimitSettings::default();
        settings.startups.blocks.v4 = bits;
        settings.startups.begin = u32::MAX;
        settings.startups.full = u32::MAX;
        settings.penalties.max_sources4 = 3;
        settings.penalties.max = Duration::from_secs(100);
        settings.penalties.overflow = if deny { Overflow::DenyAll } else { Overflow::Permissive };
        let endings = [
            (Ending::Fine, 0), (Ending::NoAuth, 1), (Ending::AuthFailed, 5),
            (Ending::GraceExceeded, 10), (Ending::Crashed, 90), (Ending::InvalidUser, 5),
        ];
        let mut reference = Reference { settings: settings.clone(), list: Vec::new() };
        let mut limits = Limits::new(settings);
        let mut now = 0;
        for (wait, host, ending) in steps {
            now += wait;
            let peer = IpAddr::from([192, 0, 2, host]);
            let admitted = limits.admit(now, peer, 99);
            prop_assert_eq!(admitted.is_err(), reference.refuses(now, peer));
            if let Ok(ticket) = admitted {
                let (how, seconds) = endings[ending];
                limits.ended(now, ticket, how);
                if seconds > 0 {
                    reference.penalise(now, peer, seconds * SECOND);
                }
            }
            prop_assert_eq!(limits.penalised(), reference.list.len());
            prop_assert!(limits.penalised() <= 3);
        }
    }

    #[test]
    fn the_books_are_those_of_who_is_in(
        steps in prop::collection::vec((0_u8..4, 0_u8..4, any::<u32>()), 1..300),
        per_source in prop::option::of(1_u32..4),
        most in prop::option::of(1_u32..12),
        per_user in prop::option::of(1_u32..3),
    ) {
        let mut limits = limits(|settings| {
            settings.startups = StartupSettings { begin: 3, rate: 30, full: 8, per_source, ..Default::default() };
            settings.max_connections = most;
            settings.max_connections_per_user = per_user;
            settings.penalties.enabled = false;
        });
        // Host, user.
        let mut inside: Vec<(u8, Option<u8>, Ticket)> = Vec::new();
        for (what, who, random) in steps {
            let waiting = inside.iter().filter(|(_, user, _)| user.is_none());
            let of_source = waiting.clone().filter(|(host, ..)| *host == who).count();
            let waiting = waiting.count();
            match what {
                0 | 1 => {
                    let chance = 30 + 70 * (waiting.saturating_sub(3)) / 5;
                    let expected = most.is_none_or(|most| inside.len() < most as usize)
                        && (waiting < 3 || waiting < 8 && (random % 100) as usize >= chance)
                        && per_source.is_none_or(|most| of_source < most as usize);
                    let admitted = limits.admit(0, IpAddr::from([192, 0, 2, who]), random);
                    prop_assert_eq!(admitted.is_ok(), expected);
                    inside.extend(admitted.map(|ticket| (who, None, ticket)));
                }
                2 if !inside.is_empty() => {
                    let at = random as usize % inside.len();
                    let held = inside.iter().filter(|(_, user, _)| *user == Some(who)).count();
                    let (_, user, ticket) = &mut inside[at];
                    if user.is_none() {
                        let expected = per_user.is_none_or(|most| held < most as usize);
                        let name = format!("user{who}");
                        prop_assert_eq!(limits.authenticated(ticket, &name).is_ok(), expected);
                        *user = expected.then_some(who);
                    }
                }
                3 if !inside.is_empty() => {
                    let (_, _, ticket) = inside.swap_remove(random as usize % inside.len());
                    limits.ended(0, ticket, Ending::Fine);
                }
                _ => {}
            }
            prop_assert_eq!(limits.connections(), inside.len());
        }
        for (_, _, ticket) in inside {
            limits.ended(0, ticket, Ending::Fine);
        }
        prop_assert_eq!((limits.connections(), limits.startups(), limits.users.len()), (0, 0, 0));
    }
}
