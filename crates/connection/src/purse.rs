//! A purse: memory that connections share, a user's within the process's.
//! Touches: counts of bytes, from any thread.   Never: what the bytes are, which connection holds them.
//! Invariants: what is drawn never exceeds a limit on the way up, and what is given back is free everywhere on it.
//! Errors: none; a draw gives what there is.   Allocates: never.
//! Proved by: `tests` below, `budget::tests`, `pair`.
//!
//! Pointer-sized counters only: small machines have no wider atomics.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicUsize, Ordering};

/// Parts as for the channels of a connection: the n-th connection starts a channel with 1/(16 n) of the purse at most.
const START_PART: usize = 16;

/// What connections may hold together, beyond the little that each channel always may.
#[derive(Debug)]
pub struct Purse {
    limit: AtomicUsize,
    spent: AtomicUsize,
    /// Connections that hold anything of it.
    drawers: AtomicUsize,
    parent: Option<Arc<Self>>,
}

impl Purse {
    /// A purse of `limit` bytes.
    pub const fn new(limit: usize) -> Self {
        Self::made(limit, None)
    }

    /// A purse of `limit` bytes whose bytes come out of another one's too.
    pub const fn within(parent: Arc<Self>, limit: usize) -> Self {
        Self::made(limit, Some(parent))
    }

    const fn made(limit: usize, parent: Option<Arc<Self>>) -> Self {
        Self {
            limit: AtomicUsize::new(limit),
            spent: AtomicUsize::new(0),
            drawers: AtomicUsize::new(0),
            parent,
        }
    }

    /// Changes the limit; a smaller one is reached as connections deliver.
    pub fn set_limit(&self, limit: usize) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    /// Bytes that connections hold now.
    pub fn spent(&self) -> usize {
        self.spent.load(Ordering::Relaxed)
    }

    /// This purse and those it is within.
    fn chain(&self) -> impl Iterator<Item = &Self> {
        core::iter::successors(Some(self), |purse| purse.parent.as_deref())
    }

    /// What a draw would find. Other threads draw too, so it is a guess.
    pub(crate) fn left(&self) -> usize {
        self.chain().map(Self::own_left).min().unwrap_or_default()
    }

    fn own_left(&self) -> usize {
        self.limit.load(Ordering::Relaxed).saturating_sub(self.spent())
    }

    /// Most that a connection should start a channel with.
    pub(crate) fn start(&self) -> usize {
        let part = |purse: &Self| {
            let drawers = purse.drawers.load(Ordering::Relaxed).max(1);
            (purse.limit.load(Ordering::Relaxed) / START_PART / drawers).min(purse.own_left())
        };
        self.chain().map(part).min().unwrap_or_default()
    }

    /// Takes up to `wish` bytes; gives how many there were.
    pub(crate) fn draw(&self, wish: usize) -> usize {
        let own = self.draw_own(wish);
        let drawn = self.parent.as_ref().map_or(own, |parent| parent.draw(own));
        self.spent.fetch_sub(own - drawn, Ordering::Relaxed);
        drawn
    }

    fn draw_own(&self, wish: usize) -> usize {
        let mut drawn = 0;
        let take = |spent: usize| {
            drawn = self.limit.load(Ordering::Relaxed).saturating_sub(spent).min(wish);
            Some(spent + drawn)
        };
        // The closure always gives a value.
        let _ = self.spent.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        drawn
    }

    /// Takes over `bytes` that are held already, whether there are as many or not.
    pub(crate) fn take_over(&self, bytes: usize) {
        for purse in self.chain() {
            purse.spent.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    /// `bytes` that were drawn are free again.
    pub(crate) fn give_back(&self, bytes: usize) {
        for purse in self.chain() {
            purse.spent.fetch_sub(bytes, Ordering::Relaxed);
        }
    }

    /// A connection begins to hold something, or holds nothing any more.
    pub(crate) fn count_drawer(&self, draws: bool) {
        for purse in self.chain() {
            if draws {
                purse.drawers.fetch_add(1, Ordering::Relaxed);
            } else {
                purse.drawers.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use crate::channel::Entry;
    use crate::id::Channel;
    use crate::script::{Script, confirmation, direct};
    use adit_wire::channel::ChannelClose;
    use alloc::vec;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    #[test]
    fn a_draw_gets_what_the_narrowest_purse_has() {
        let process = Arc::new(Purse::new(100));
        let ada = Purse::within(process.clone(), 60);
        let bob = Purse::within(process.clone(), 60);
        assert_eq!(ada.draw(80), 60, "her own limit");
        assert_eq!(bob.draw(80), 40, "what is left of all");
        assert_eq!((ada.spent(), bob.spent(), process.spent()), (60, 40, 100));
        assert_eq!((ada.left(), bob.left()), (0, 0));
        ada.give_back(50);
        assert_eq!((ada.left(), bob.left()), (50, 20));
    }

    #[test]
    fn a_lowered_limit_stops_draws_until_enough_is_given_back() {
        let purse = Purse::new(100);
        assert_eq!(purse.draw(80), 80);
        purse.set_limit(50);
        assert_eq!((purse.left(), purse.draw(1)), (0, 0));
        purse.give_back(40);
        assert_eq!(purse.draw(100), 10);
    }

    #[test]
    fn later_connections_start_with_less() {
        let purse = Purse::new(16 * START_PART);
        assert_eq!(purse.start(), 16);
        for _ in 0..4 {
            purse.count_drawer(true);
        }
        assert_eq!(purse.start(), 4);
        purse.count_drawer(false);
        purse.count_drawer(false);
        assert_eq!(purse.start(), 8);
    }

    #[test]
    fn threads_never_draw_more_than_there_is() {
        let process = Arc::new(Purse::new(10_000));
        let draws = |seed: usize| {
            let purse = Purse::within(process.clone(), 7_000);
            move || {
                let mut held = vec![];
                for round in 0..20_000 {
                    let wish = (round * 31 + seed * 17) % 900;
                    held.push(purse.draw(wish));
                    let process = purse.parent.as_ref().unwrap();
                    assert!(process.spent() <= 10_000 && purse.spent() <= 7_000);
                    if held.len() > 10 {
                        purse.give_back(held.swap_remove(wish % held.len()));
                    }
                }
                held.into_iter().for_each(|drawn| purse.give_back(drawn));
                assert_eq!(purse.spent(), 0);
            }
        };
        let threads: Vec<_> = (0..4).map(|seed| std::thread::spawn(draws(seed))).collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(process.spent(), 0);
    }

    const LIMIT: usize = 200_000;

    /// Two connections of one user, one of another.
    struct House {
        process: Arc<Purse>,
        users: [Arc<Purse>; 2],
        connections: Vec<(Script, Vec<Known>)>,
        /// Numbers the peer has given.
        opened: u32,
    }

    struct Known {
        channel: Channel,
        granted: usize,
        undelivered: usize,
    }

    impl House {
        fn new() -> Self {
            let process = Arc::new(Purse::new(LIMIT));
            let user = || Arc::new(Purse::within(process.clone(), LIMIT * 2 / 3));
            let users = [user(), user()];
            let connections = [0, 0, 1].map(|user: usize| {
                let mut script = Script::client();
                script.us.set_purse(users[user].clone());
                (script, vec![])
            });
            Self { process, users, connections: connections.into(), opened: 0 }
        }

        /// Bytes held beyond floors, and all.
        fn held(&self) -> (usize, usize) {
            let (mut beyond, mut all) = (0, 0);
            for (script, _) in &self.connections {
                for entry in script.us.table.entries() {
                    let Entry::Live(live) = entry else { continue };
                    beyond += script.us.budget.beyond(live.recv_window.held()) as usize;
                    all += live.recv_window.held() as usize;
                }
            }
            (beyond, all)
        }

        fn check(&self) {
            let (beyond, all) = self.held();
            assert_eq!(beyond, self.process.spent());
            assert_eq!(beyond, self.users.iter().map(|user| user.spent()).sum::<usize>());
            assert!(beyond <= LIMIT && self.users.iter().all(|user| user.spent() <= LIMIT * 2 / 3));
            let channels: usize = self.connections.iter().map(|(_, known)| known.len()).sum();
            let floor = self.connections.first().map_or(0, |(script, _)| script.us.budget.floor());
            assert!(all <= LIMIT + channels * floor as usize);
        }

        fn step(&mut self, which: usize, operation: u8, pick: usize, amount: usize) {
            let which = which % self.connections.len();
            let (script, known) = &mut self.connections[which];
            let at = pick % known.len().max(1);
            match (operation, known.get_mut(at)) {
                (0, _) | (_, None) => {
                    let channel = script.us.open(&direct()).unwrap();
                    script.us.outbox().pop();
                    self.opened += 1;
                    script.hear(&confirmation(channel, self.opened, 1, 1));
                    let granted = script.granted(channel);
                    assert!(granted > 0, "a channel always starts with something");
                    known.push(Known { channel, granted, undelivered: 0 });
                }
                (1, Some(one)) => {
                    let len = amount.min(one.granted).min(32 << 10);
                    script.hear_data(one.channel, len);
                    one.granted -= len;
                    one.undelivered += len;
                }
                (2, Some(one)) => {
                    let len = amount.min(one.undelivered);
                    script.us.delivered(one.channel, len, 0);
                    script.us.outbox().pop();
                    one.undelivered -= len;
                    one.granted = script.granted(one.channel);
                    assert!(one.granted + one.undelivered > 0, "nobody is stuck");
                }
                (_, Some(one)) => {
                    script.us.close(one.channel);
                    script.us.outbox().pop();
                    script.hear(&ChannelClose { recipient_channel: one.channel.number().0 });
                    known.remove(at);
                }
            }
        }
    }

    proptest! {
        #[test]
        fn connections_hold_no_more_than_their_purses_and_give_everything_back(
            steps in prop::collection::vec((0..3_usize, 0..4_u8, 0..8_usize, 1..70_000_usize), 0..300),
        ) {
            let mut house = House::new();
            for (which, operation, pick, amount) in steps {
                house.step(which, operation, pick, amount);
                house.check();
            }
            // One connection goes with all its channels, the others close theirs.
            house.connections.pop();
            house.check();
            for which in 0..2 {
                while !house.connections[which].1.is_empty() {
                    house.step(which, 3, 0, 0);
                }
            }
            prop_assert_eq!(house.process.spent(), 0);
            prop_assert_eq!(house.process.drawers.load(Ordering::Relaxed), 0);
        }
    }

    #[test]
    fn what_is_held_moves_to_another_purse_with_its_connection() {
        let (before, after) = (Arc::new(Purse::new(LIMIT)), Arc::new(Purse::new(10)));
        let mut script = Script::client();
        script.us.set_purse(before.clone());
        let channel = script.tcp();
        let held = before.spent();
        assert!(held > 10);
        script.us.set_purse(after.clone());
        assert_eq!((before.spent(), after.spent()), (0, held));
        assert_eq!(before.drawers.load(Ordering::Relaxed), 0);
        assert_eq!(after.left(), 0, "more than there is, until it is given back");
        script.us.close(channel);
        assert_eq!((after.spent(), after.left()), (0, 10));
    }

    #[test]
    fn an_idle_connection_holds_nothing_and_a_thousand_idle_channels_leave_most_to_the_busy() {
        let purse = Arc::new(Purse::new(1 << 30));
        let mut idle = Vec::new();
        for _ in 0..1000 {
            let mut script = Script::client();
            script.us.set_purse(purse.clone());
            idle.push(script);
        }
        assert_eq!(purse.spent(), 0);
        for script in &mut idle {
            script.tcp();
        }
        assert!(purse.spent() < 1 << 28, "{}", purse.spent());
    }
}
