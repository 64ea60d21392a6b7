//! The channel table: slots by our number, reused, guarded by a generation. RFC 4254 §5.
//! Touches: one `Vec` of slots.   Never: what a slot holds.
//! Invariants: insert, look-up and remove cost the same however many slots there are; an empty table holds no memory.
//! Errors: none; a stale handle finds nothing.   Allocates: when more channels are open than ever since it was empty.
//! Proved by: `tests` below.

use crate::id::{Channel, LocalChannel};
use alloc::vec::Vec;

/// End of the list of vacant slots.
const NONE: u32 = u32::MAX;

/// Slots by number; vacant ones form a list.
#[derive(Debug)]
pub(crate) struct Table<T> {
    slots: Vec<Slot<T>>,
    vacant: u32,
    taken: u32,
    /// Counts insertions, so that no two channels of a connection share a handle.
    generation: u32,
}

#[derive(Debug)]
struct Slot<T> {
    generation: u32,
    place: Place<T>,
}

#[derive(Debug)]
enum Place<T> {
    Vacant { next: u32 },
    Taken(T),
}

impl<T> Table<T> {
    pub(crate) const fn new() -> Self {
        Self { slots: Vec::new(), vacant: NONE, taken: 0, generation: 0 }
    }

    /// Channels in the table.
    pub(crate) const fn len(&self) -> u32 {
        self.taken
    }

    /// Takes the slot freed last, or a new one.
    pub(crate) fn insert(&mut self, entry: T) -> Channel {
        self.generation = self.generation.wrapping_add(1);
        self.taken += 1;
        let slot = Slot { generation: self.generation, place: Place::Taken(entry) };
        let number = match self.slots.get_mut(self.vacant as usize) {
            Some(free) => {
                let number = self.vacant;
                if let Place::Vacant { next } = free.place {
                    self.vacant = next;
                }
                *free = slot;
                number
            }
            None => {
                self.slots.push(slot);
                (self.slots.len() - 1) as u32
            }
        };
        Channel { number: LocalChannel(number), generation: self.generation }
    }

    /// The entry of a handle, unless it is stale.
    pub(crate) fn get(&self, channel: Channel) -> Option<&T> {
        match self.slots.get(channel.number.0 as usize)? {
            Slot { generation, place: Place::Taken(entry) }
                if *generation == channel.generation =>
            {
                Some(entry)
            }
            _ => None,
        }
    }

    /// The entry of a handle, unless it is stale.
    pub(crate) fn get_mut(&mut self, channel: Channel) -> Option<&mut T> {
        match self.slots.get_mut(channel.number.0 as usize)? {
            Slot { generation, place: Place::Taken(entry) }
                if *generation == channel.generation =>
            {
                Some(entry)
            }
            _ => None,
        }
    }

    /// The handle of a number from the wire.
    pub(crate) fn named(&self, number: LocalChannel) -> Option<Channel> {
        match self.slots.get(number.0 as usize)? {
            Slot { generation, place: Place::Taken(_) } => {
                Some(Channel { number, generation: *generation })
            }
            _ => None,
        }
    }

    /// Frees the slot for the next channel.
    pub(crate) fn remove(&mut self, channel: Channel) -> Option<T> {
        self.get(channel)?;
        let slot = self.slots.get_mut(channel.number.0 as usize)?;
        let place = core::mem::replace(&mut slot.place, Place::Vacant { next: self.vacant });
        self.vacant = channel.number.0;
        self.taken -= 1;
        if self.taken == 0 {
            self.slots = Vec::new();
            self.vacant = NONE;
        }
        match place {
            Place::Taken(entry) => Some(entry),
            Place::Vacant { .. } => None,
        }
    }

    #[cfg(test)]
    pub(crate) const fn slot_size() -> usize {
        size_of::<Slot<T>>()
    }

    #[cfg(test)]
    pub(crate) fn entries(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().filter_map(|slot| match &slot.place {
            Place::Taken(entry) => Some(entry),
            Place::Vacant { .. } => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_freed_number_is_used_again_but_the_old_handle_is_stale() {
        let mut table = Table::new();
        let (first, second) = (table.insert('a'), table.insert('b'));
        assert_eq!(table.remove(first), Some('a'));
        let third = table.insert('c');
        assert_eq!(third.number(), first.number());
        assert_eq!(table.get(first), None);
        assert_eq!(table.get_mut(first), None);
        assert_eq!(table.remove(first), None);
        assert_eq!(table.get(third), Some(&'c'));
        assert_eq!(table.get(second), Some(&'b'));
        assert_eq!(table.len(), 2);
    }

    #[test]
    fn only_taken_numbers_are_known() {
        let mut table = Table::new();
        let (first, second) = (table.insert(1), table.insert(2));
        table.remove(first);
        assert_eq!(table.named(first.number()), None);
        assert_eq!(table.named(second.number()), Some(second));
        assert_eq!(table.named(LocalChannel(u32::MAX)), None);
    }

    #[test]
    fn an_emptied_table_gives_its_memory_back_and_keeps_handles_apart() {
        let mut table = Table::new();
        let first: alloc::vec::Vec<_> = (0..1000).map(|entry| table.insert(entry)).collect();
        for channel in &first {
            table.remove(*channel);
        }
        assert_eq!(table.slots.capacity(), 0);
        let again = table.insert(7);
        assert_eq!(again.number(), LocalChannel(0));
        assert!(!first.contains(&again));
    }
}
