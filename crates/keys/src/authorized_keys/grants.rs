//! What a login may do, from every key that was proved for it.
//! Touches: options and certificates that were judged good.   Never: whether the configuration allows it, too.
//! Invariants: merging takes permissions away and never gives one.
//! Errors: `Conflict`.   Allocates: the lists.
//! Proved by: `tests` below.

use std::fmt;

use adit_crypto::Certificate;

use super::options::KeyOptions;

/// What a key that may log in lets its owner do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grants {
    /// Runs instead of whatever is asked for (`command=`, a certificate's `force-command`).
    pub command: Option<String>,
    /// Variables to set (`environment=`), where PermitUserEnvironment lets them.
    pub environment: Vec<(String, String)>,
    /// `permitopen=` values, as written; none: whatever the configuration permits. `none` permits nothing.
    pub permit_open: Vec<String>,
    /// `permitlisten=` values, as written; as `permit_open`.
    pub permit_listen: Vec<String>,
    /// Forwards at all.
    pub port_forwarding: bool,
    /// A terminal.
    pub pty: bool,
    /// Agent forwarding.
    pub agent_forwarding: bool,
    /// X11 forwarding.
    pub x11_forwarding: bool,
    /// ~/.ssh/rc.
    pub user_rc: bool,
    /// A security key must have been touched; false only after `no-touch-required`.
    pub touch_required: bool,
    /// A security key must have verified its owner.
    pub verify_required: bool,
    /// Where it says so, for the log: `/home/ada/.ssh/authorized_keys:3`, or the certificate and its authority.
    pub source: String,
}

/// Two keys that were proved force different commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conflict;

impl Grants {
    /// Nothing is taken away: a password has no options.
    pub fn everything(source: &str) -> Self {
        Self::of_options(&KeyOptions::default(), source)
    }

    /// What a line's options leave.
    pub fn of_options(options: &KeyOptions, source: &str) -> Self {
        Self {
            command: options.command.clone(),
            environment: options.environment.clone(),
            permit_open: options.permit_open.clone(),
            permit_listen: options.permit_listen.clone(),
            port_forwarding: options.port_forwarding,
            pty: options.pty,
            agent_forwarding: options.agent_forwarding,
            x11_forwarding: options.x11_forwarding,
            user_rc: options.user_rc,
            touch_required: options.touch_required,
            verify_required: options.verify_required,
            source: source.to_owned(),
        }
    }

    /// What a certificate's extensions give; its critical options are the caller's.
    pub(crate) fn of_extensions(certificate: &Certificate, source: &str) -> Self {
        let has = |name: &str| {
            certificate.extensions.iter().any(|extension| extension.name == name.as_bytes())
        };
        Self {
            port_forwarding: has("permit-port-forwarding"),
            pty: has("permit-pty"),
            agent_forwarding: has("permit-agent-forwarding"),
            x11_forwarding: has("permit-X11-forwarding"),
            user_rc: has("permit-user-rc"),
            touch_required: !has("no-touch-required"),
            ..Self::everything(source)
        }
    }

    /// What both allow: the strictest of each counts.
    ///
    /// # Errors
    /// [`Conflict`] when they force different commands; then nothing is allowed.
    pub fn merge(&self, other: &Self) -> Result<Self, Conflict> {
        if self.command.is_some() && other.command.is_some() && self.command != other.command {
            return Err(Conflict);
        }
        let mut environment = self.environment.clone();
        let is_new = |(name, _): &&(String, String)| {
            !self.environment.iter().any(|(known, _)| known == name)
        };
        environment.extend(other.environment.iter().filter(is_new).cloned());
        Ok(Self {
            command: self.command.clone().or_else(|| other.command.clone()),
            environment,
            permit_open: in_both(&self.permit_open, &other.permit_open),
            permit_listen: in_both(&self.permit_listen, &other.permit_listen),
            port_forwarding: self.port_forwarding && other.port_forwarding,
            pty: self.pty && other.pty,
            agent_forwarding: self.agent_forwarding && other.agent_forwarding,
            x11_forwarding: self.x11_forwarding && other.x11_forwarding,
            user_rc: self.user_rc && other.user_rc,
            touch_required: self.touch_required || other.touch_required,
            verify_required: self.verify_required || other.verify_required,
            source: match self.source == other.source {
                true => self.source.clone(),
                false => format!("{}, {}", self.source, other.source),
            },
        })
    }
}

/// The places that both lists permit, where an empty list permits all of them.
///
/// What overlaps without one covering the other (two networks, two ranges) is left out: too little is permitted
/// then, never too much.
fn in_both(ours: &[String], theirs: &[String]) -> Vec<String> {
    if ours.is_empty() || theirs.is_empty() {
        return [ours, theirs].concat();
    }
    let covered = |one: &&String, by: &[String]| by.iter().any(|wide| covers(wide, one));
    let mut both: Vec<String> = ours.iter().filter(|one| covered(one, theirs)).cloned().collect();
    both.extend(theirs.iter().filter(|one| covered(one, ours)).cloned());
    both.sort_unstable();
    both.dedup();
    if both.is_empty() { vec!["none".to_owned()] } else { both }
}

/// Whether every place that `narrow` names is also named by `wide`, as far as `*` and equality tell.
fn covers(wide: &str, narrow: &str) -> bool {
    let split = |text: &str| -> (String, String) {
        // A listening port alone may be on any host.
        let (host, port) = text.rsplit_once(':').unwrap_or(("*", text));
        (host.to_owned(), port.to_owned())
    };
    let ((wide_host, wide_port), (host, port)) = (split(wide), split(narrow));
    wide == narrow
        || ((wide_host == "*" || wide_host.eq_ignore_ascii_case(&host))
            && (wide_port == "*" || wide_port == port))
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("forced command options do not match")
    }
}

impl std::error::Error for Conflict {}

#[cfg(test)]
mod tests {
    use super::*;

    fn grants(options: &str) -> Grants {
        Grants::of_options(&KeyOptions::parse(options).unwrap(), "file:1")
    }

    fn merged(one: &str, other: &str) -> Grants {
        let there = grants(one).merge(&grants(other)).unwrap();
        let back = grants(other).merge(&grants(one)).unwrap();
        assert_eq!(
            Grants { environment: Vec::new(), ..there.clone() },
            Grants { environment: Vec::new(), ..back }
        );
        there
    }

    #[test]
    fn a_permission_must_be_in_both() {
        for (one, other) in [
            ("", "no-pty"),
            ("no-port-forwarding", "no-pty"),
            ("restrict", ""),
            ("restrict,pty", "restrict,port-forwarding"),
            ("verify-required", "no-touch-required"),
            ("no-touch-required", "no-touch-required"),
        ] {
            let (ours, theirs, both) = (grants(one), grants(other), merged(one, other));
            let permissions = |grants: &Grants| {
                [
                    grants.port_forwarding,
                    grants.pty,
                    grants.agent_forwarding,
                    grants.x11_forwarding,
                    grants.user_rc,
                    !grants.touch_required,
                    !grants.verify_required,
                ]
            };
            let mut expected = permissions(&ours);
            for (mine, other) in expected.iter_mut().zip(permissions(&theirs)) {
                *mine &= other;
            }
            assert_eq!(permissions(&both), expected, "{one} and {other}");
        }
    }

    #[test]
    fn one_forced_command_counts_and_two_are_a_conflict() {
        let command =
            |one: &str, other: &str| grants(one).merge(&grants(other)).map(|both| both.command);
        let (a, b) = (r#"command="a""#, r#"command="b""#);
        assert_eq!(command(a, ""), Ok(Some("a".to_owned())));
        assert_eq!(command("", a), Ok(Some("a".to_owned())));
        assert_eq!(command(a, a), Ok(Some("a".to_owned())));
        assert_eq!(command(a, b), Err(Conflict));
    }

    #[test]
    fn places_must_be_permitted_by_both() {
        for (one, other, expected) in [
            (r#"permitopen="a:1""#, "", &["a:1"][..]),
            (r#"permitopen="a:1",permitopen="b:2""#, r#"permitopen="b:2""#, &["b:2"]),
            (r#"permitopen="*:*""#, r#"permitopen="b:2""#, &["b:2"]),
            (r#"permitopen="*:2""#, r#"permitopen="b:2",permitopen="b:3""#, &["b:2"]),
            (r#"permitopen="B:*""#, r#"permitopen="b:2""#, &["b:2"]),
            (r#"permitopen="a:1""#, r#"permitopen="b:2""#, &["none"]),
            (r#"permitopen="a:*""#, r#"permitopen="*:1""#, &["none"]),
        ] {
            assert_eq!(merged(one, other).permit_open, expected, "{one} and {other}");
        }
        let listen = |value: &str| format!("permitlisten=\"{value}\"");
        let both = merged(&listen("8080"), &listen("localhost:8080"));
        assert_eq!(both.permit_listen, ["localhost:8080"]);
    }

    #[test]
    fn variables_come_from_both_and_the_first_of_a_name_counts() {
        let both = merged(r#"environment="A=1""#, r#"environment="A=2",environment="B=3""#);
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(both.environment, [pair("A", "1"), pair("B", "3")]);
    }
}
