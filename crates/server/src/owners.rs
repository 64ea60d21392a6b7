//! Who listens where, on whichever loop: so that a new connection can take over what a stale one of its own left.
//! Touches: a table.   Never: the listeners themselves; their loops close them.
//! Invariants: only whoever proved the same key, or the same user where no key was proved, takes over.
//! Errors: none.   Allocates: an entry per listener.
//! Proved by: `tests` below.

use crate::errand::Postbox;
use adit_engine::Forward;
use adit_forward::served::Place;
use adit_reactor::Key;
use std::collections::HashMap;

/// What two connections of the same owner have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) user: String,
    /// The key that was proved.
    pub(crate) key: Option<Box<[u8]>>,
}

/// Whose a listener is, and how to reach them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owner<Home = Postbox> {
    pub(crate) identity: Identity,
    /// The loop it is on.
    pub(crate) home: Home,
    pub(crate) session: Key,
    /// The number of its connection.
    pub(crate) number: u64,
}

/// What cannot be had twice: a port, or a path. Different addresses of one port share an entry.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Spot {
    Port(u16),
    Path(String),
}

/// All owners of listeners.
pub(crate) struct Owners<Home = Postbox> {
    by_spot: HashMap<Spot, Vec<Owner<Home>>>,
}

impl<Home> Default for Owners<Home> {
    fn default() -> Self {
        Self { by_spot: HashMap::new() }
    }
}

impl<Home: Clone + PartialEq> Owners<Home> {
    /// Somebody listens.
    pub(crate) fn add(&mut self, forward: &Forward<'_>, owner: Owner<Home>) {
        self.by_spot.entry(Spot::of(forward)).or_default().push(owner);
    }

    /// Somebody listens no more.
    pub(crate) fn remove(&mut self, forward: &Forward<'_>, session: Key, home: &Home) {
        let spot = Spot::of(forward);
        let Some(owners) = self.by_spot.get_mut(&spot) else { return };
        let found = owners.iter().position(|owner| owner.session == session && owner.home == *home);
        if let Some(at) = found {
            owners.swap_remove(at);
        }
        if owners.is_empty() {
            self.by_spot.remove(&spot);
        }
    }

    /// Where the others of the same owner are that may be in the way.
    pub(crate) fn others(&self, place: &Place, identity: &Identity) -> Vec<Owner<Home>> {
        let Some(owners) = Spot::at(place).and_then(|spot| self.by_spot.get(&spot)) else {
            return Vec::new();
        };
        owners.iter().filter(|owner| owner.identity == *identity).cloned().collect()
    }
}

impl Spot {
    fn of(forward: &Forward<'_>) -> Self {
        match forward {
            // Ports that TCP does not have never got this far.
            Forward::Tcpip { port, .. } => Self::Port(u16::try_from(*port).unwrap_or_default()),
            Forward::Streamlocal { path } => Self::Path(path.clone().into_owned()),
        }
    }

    fn at(place: &Place) -> Option<Self> {
        match place {
            Place::Tcp(addresses) => addresses.first().map(|address| Self::Port(address.port())),
            Place::Unix(path) => Some(Self::Path(path.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use adit_reactor::{Listener, Reactor};

    fn identity(user: &str, key: Option<&[u8]>) -> Identity {
        Identity { user: user.into(), key: key.map(Into::into) }
    }

    /// A key of a loop's; which one does not matter.
    fn some_key() -> Key {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        Reactor::new().unwrap().listen(Listener::tcp(listener).unwrap()).unwrap()
    }

    #[test]
    fn only_the_same_user_with_the_same_key_is_found() {
        let (session, mut owners) = (some_key(), Owners::default());
        let forward = Forward::tcpip("localhost", 8080);
        let ada = identity("ada", Some(b"key"));
        owners.add(&forward, Owner { identity: ada.clone(), home: 1, session, number: 7 });
        let place = Place::Tcp(vec!["127.0.0.1:8080".parse().unwrap()]);
        let found: Vec<_> = owners.others(&place, &ada).iter().map(|owner| owner.number).collect();
        assert_eq!(found, [7]);
        for other in
            [identity("eve", Some(b"key")), identity("ada", Some(b"other")), identity("ada", None)]
        {
            assert!(owners.others(&place, &other).is_empty(), "{other:?}");
        }
        let elsewhere = Place::Tcp(vec!["127.0.0.1:8081".parse().unwrap()]);
        assert!(owners.others(&elsewhere, &ada).is_empty());
        owners.remove(&forward, session, &2);
        assert_eq!(owners.others(&place, &ada).len(), 1, "another loop's session of that number");
        owners.remove(&forward, session, &1);
        assert!(owners.others(&place, &ada).is_empty());
    }
}
