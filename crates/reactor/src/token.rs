//! Tokens: which source an event of the kernel is about.
//! Touches: one machine word.   Never: the sources.
//! Invariants: a key of a source that is gone never names one that took its place; a token, which holds less, does not
//! within the events of one turn.
//! Errors: none.   Allocates: as the slab grows.
//! Proved by: `tests` below, interop `hostile::floods`.

use mio::Token;

const KIND_BITS: u32 = 3;
const INDEX_BITS: u32 = 21;
// What is left of 32 bits, so that tokens fit on small hosts too. Keys live longer than tokens, in timers and errands,
// while a place changes hands hundreds of times: they have the whole generation.
const GENERATION_MASK: u32 = (1 << (32 - KIND_BITS - INDEX_BITS)) - 1;

/// What kind of source it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Another thread has something for us.
    Waker,
    /// Bytes of a signal handler.
    Signal,
    /// The socket under an SSH connection.
    Link,
    /// Accepts connections.
    Listener,
    /// A local end of a channel, or a connection being made.
    Stream,
}

const KINDS: [Kind; 5] = [Kind::Waker, Kind::Signal, Kind::Link, Kind::Listener, Kind::Stream];

/// Names a source of the loop: a session, a stream, a listener, a dial. Stale once that is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    index: u32,
    generation: u32,
}

impl Key {
    pub(crate) fn token(self, kind: Kind) -> Token {
        let packed = (kind as u32) << (32 - KIND_BITS)
            | self.index << (32 - KIND_BITS - INDEX_BITS)
            | (self.generation & GENERATION_MASK);
        Token(packed as usize)
    }
}

/// As much of a key as a token holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    index: u32,
    generation: u32,
}

/// The kind and place a token names.
pub(crate) fn unpack(token: Token) -> Option<(Kind, Mark)> {
    let packed = token.0 as u32;
    let kind = *KINDS.get((packed >> (32 - KIND_BITS)) as usize)?;
    let index = (packed >> (32 - KIND_BITS - INDEX_BITS)) & ((1 << INDEX_BITS) - 1);
    Some((kind, Mark { index, generation: packed & GENERATION_MASK }))
}

#[derive(Debug)]
struct Place<T> {
    generation: u32,
    tenant: Option<T>,
}

/// Sources of one kind, named by keys that go stale when the source goes.
#[derive(Debug)]
pub(crate) struct Slab<T> {
    places: Vec<Place<T>>,
    free: Vec<u32>,
}

impl<T> Slab<T> {
    pub(crate) const fn new() -> Self {
        Self { places: Vec::new(), free: Vec::new() }
    }

    /// How many live here.
    pub(crate) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// The keys of all who live here.
    pub(crate) fn keys(&self) -> impl Iterator<Item = Key> + '_ {
        let places = (0..).zip(&self.places);
        places
            .filter(|(_, place)| place.tenant.is_some())
            .map(|(index, place)| Key { index, generation: place.generation })
    }

    /// Moves `make`'s result in; it is told its key first.
    pub(crate) fn insert_with(&mut self, make: impl FnOnce(Key) -> T) -> Key {
        let index = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place { generation: 0, tenant: None });
            self.places.len() as u32 - 1
        });
        let place = &mut self.places[index as usize];
        let key = Key { index, generation: place.generation };
        place.tenant = Some(make(key));
        key
    }

    /// Who lives where a token points, with the key.
    pub(crate) fn marked_mut(&mut self, mark: Mark) -> Option<(Key, &mut T)> {
        let place = self.places.get_mut(mark.index as usize)?;
        let key = Key { index: mark.index, generation: place.generation };
        let is_it = key.generation & GENERATION_MASK == mark.generation;
        place.tenant.as_mut().filter(|_| is_it).map(|tenant| (key, tenant))
    }

    pub(crate) fn get(&self, key: Key) -> Option<&T> {
        let place = self.places.get(key.index as usize)?;
        place.tenant.as_ref().filter(|_| place.generation == key.generation)
    }

    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        let place = self.places.get_mut(key.index as usize)?;
        place.tenant.as_mut().filter(|_| place.generation == key.generation)
    }

    /// Moves the tenant out; its key names nobody from now on.
    pub(crate) fn remove(&mut self, key: Key) -> Option<T> {
        self.get(key)?;
        let place = &mut self.places[key.index as usize];
        place.generation = place.generation.wrapping_add(1);
        self.free.push(key.index);
        place.tenant.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_carry_kind_and_key() {
        let mut slab = Slab::new();
        // The last place has changed hands more often than a token can tell.
        let mut keys: Vec<Key> = (0..3).map(|value| slab.insert_with(|_| value)).collect();
        for _ in 0..1000 {
            slab.remove(keys[2]);
            keys[2] = slab.insert_with(|_| 2);
        }
        for kind in KINDS {
            for (value, key) in keys.iter().enumerate() {
                let (unpacked, mark) = unpack(key.token(kind)).unwrap();
                let found = slab.marked_mut(mark).map(|(key, value)| (key, *value));
                assert_eq!((unpacked, found), (kind, Some((*key, value))));
            }
        }
    }

    #[test]
    fn a_key_stays_stale_however_often_its_place_changes_hands() {
        let mut slab = Slab::new();
        let old = slab.insert_with(|_| 0);
        let mut last = old;
        for tenant in 1..100_000 {
            let token = last.token(Kind::Link);
            slab.remove(last);
            last = slab.insert_with(|_| tenant);
            assert_eq!(slab.get(old), None, "after {tenant}");
            assert_eq!(slab.marked_mut(unpack(token).unwrap().1), None, "after {tenant}");
        }
    }

    #[test]
    fn a_stale_key_names_nobody() {
        let mut slab = Slab::new();
        let old = slab.insert_with(|_| 'a');
        assert_eq!(slab.remove(old), Some('a'));
        let new = slab.insert_with(|_| 'b');
        assert_eq!(slab.get(old), None);
        assert_eq!(slab.remove(old), None);
        assert_eq!(slab.get(new), Some(&'b'));
        assert_eq!(slab.len(), 1);
    }

    #[test]
    fn a_word_that_is_no_token_names_nobody() {
        assert_eq!(unpack(Token(usize::MAX)), None);
    }
}
