//! Tokens: which source an event of the kernel is about.
//! Touches: one machine word.   Never: the sources.
//! Invariants: a token of a source that is gone never names the one that took its place.
//! Errors: none.   Allocates: as the slab grows.
//! Proved by: `tests` below.

use mio::Token;

const KIND_BITS: u32 = 3;
const INDEX_BITS: u32 = 21;
// What is left of 32 bits, so that tokens fit on small hosts too: 256 generations per place.
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

/// The kind and place a token names.
pub(crate) fn unpack(token: Token) -> Option<(Kind, Key)> {
    let packed = token.0 as u32;
    let kind = *KINDS.get((packed >> (32 - KIND_BITS)) as usize)?;
    let index = (packed >> (32 - KIND_BITS - INDEX_BITS)) & ((1 << INDEX_BITS) - 1);
    Some((kind, Key { index, generation: packed & GENERATION_MASK }))
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
        place.generation = (place.generation + 1) & GENERATION_MASK;
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
        let keys: Vec<Key> = (0..3).map(|value| slab.insert_with(|_| value)).collect();
        for kind in KINDS {
            for key in &keys {
                assert_eq!(unpack(key.token(kind)), Some((kind, *key)));
            }
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
