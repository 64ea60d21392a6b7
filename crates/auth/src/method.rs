//! Authentication methods and their names. RFC 4252 §5, RFC 4256 §3.1, OpenSSH PROTOCOL §3.1.
//! Touches: names.   Never: what a method does.
//! Invariants: a method has one name in lists; `publickey` has a second one in requests.
//! Errors: none; an unknown name is no method.   Allocates: lists of methods.
//! Proved by: `tests` below.

use adit_wire::NameList;
use alloc::{string::String, vec::Vec};

/// A method this crate speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// `none`: asks for the list of methods. RFC 4252 §5.2.
    None,
    /// `publickey`: a signature over the session. RFC 4252 §7.
    Publickey,
    /// `password`. RFC 4252 §8.
    Password,
    /// `keyboard-interactive`: rounds of questions and answers. RFC 4256.
    KeyboardInteractive,
}

impl Method {
    /// The order a client tries them in unless told otherwise, as `ssh` does.
    pub const DEFAULT_ORDER: [Self; 3] =
        [Self::Publickey, Self::KeyboardInteractive, Self::Password];

    const ALL: [Self; 4] = [Self::None, Self::Publickey, Self::Password, Self::KeyboardInteractive];

    /// The name in requests and lists.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Publickey => "publickey",
            Self::Password => "password",
            Self::KeyboardInteractive => "keyboard-interactive",
        }
    }

    /// The method of that name, if it is spoken here.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.name() == name)
    }

    /// The methods in a comma-separated list such as `PreferredAuthentications`; unknown names are skipped.
    pub fn list(joined: &str) -> Vec<Self> {
        joined.split(',').map(str::trim).filter_map(Self::from_name).collect()
    }
}

/// The names of `methods`, joined by commas.
pub(crate) fn join(methods: impl Iterator<Item = Method>) -> String {
    let mut joined = String::new();
    for method in methods {
        if !joined.is_empty() {
            joined.push(',');
        }
        joined.push_str(method.name());
    }
    joined
}

/// Whether a list received from the peer names `method`.
pub(crate) fn named(list: &str, method: Method) -> bool {
    NameList::new(list).contains(method.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_their_methods() {
        for method in Method::ALL {
            assert_eq!(Method::from_name(method.name()), Some(method));
        }
        assert_eq!(Method::from_name("hostbased"), None);
    }

    #[test]
    fn unknown_names_in_a_list_are_skipped() {
        let list = Method::list("gssapi-with-mic,hostbased,password, publickey,");
        assert_eq!(list, [Method::Password, Method::Publickey]);
        assert_eq!(join(list.into_iter()), "password,publickey");
    }

    #[test]
    fn a_name_inside_another_is_not_in_the_list() {
        assert!(named("password,publickey", Method::Publickey));
        assert!(!named("publickey-hostbound-v00@openssh.com", Method::Publickey));
        assert!(!named("", Method::None));
    }
}
