//! Which method comes next: ours in our order, of those the server would go on with. RFC 4252 §5.1.
//! Touches: names of methods.   Never: requests.
//! Invariants: a method given up never comes again.
//! Errors: none.   Allocates: the server's list.
//! Proved by: `tests` below.

use crate::Method;
use crate::method::named;
use alloc::{string::String, vec::Vec};

/// The preferred methods and the server's say.
pub(super) struct Order {
    /// Those not given up, in order.
    preferred: Vec<Method>,
    server: String,
}

impl Order {
    pub(super) const fn new(preferred: Vec<Method>) -> Self {
        Self { preferred, server: String::new() }
    }

    /// Takes the list of a USERAUTH_FAILURE.
    pub(super) fn server_list(&mut self, names: &str) {
        self.server.clear();
        self.server.push_str(names);
    }

    /// The server's list as it came.
    pub(super) fn server_names(&self) -> &str {
        &self.server
    }

    /// The method to try: it stays until it is given up or the server no longer lists it.
    pub(super) fn current(&self) -> Option<Method> {
        self.preferred.iter().copied().find(|method| self.allows(*method))
    }

    /// Whether the server would go on with `method`; an empty list forbids nothing, as with `ssh`.
    pub(super) fn allows(&self, method: Method) -> bool {
        self.server.is_empty() || named(&self.server, method)
    }

    /// Whether `method` is to be tried at all.
    pub(super) fn prefers(&self, method: Method) -> bool {
        self.preferred.contains(&method)
    }

    pub(super) fn give_up(&mut self, method: Method) {
        self.preferred.retain(|each| *each != method);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Method::{KeyboardInteractive, Password, Publickey};

    #[test]
    fn our_order_decides_among_what_the_server_lists() {
        let mut order = Order::new(Method::DEFAULT_ORDER.into());
        order.server_list("password,hostbased,keyboard-interactive");
        assert_eq!(order.current(), Some(KeyboardInteractive));
        order.give_up(KeyboardInteractive);
        assert_eq!(order.current(), Some(Password));
        order.server_list("publickey");
        assert_eq!(order.current(), Some(Publickey));
        order.server_list("keyboard-interactive");
        assert_eq!(order.current(), None);
        assert_eq!(order.server_names(), "keyboard-interactive");
    }

    #[test]
    fn an_empty_list_forbids_nothing() {
        let mut order = Order::new(Method::DEFAULT_ORDER.into());
        order.server_list("");
        assert_eq!(order.current(), Some(Publickey));
    }
}
