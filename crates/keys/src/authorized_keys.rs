//! To be written.

/// What a key that may log in lets its owner do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grants {
    /// Runs instead of whatever is asked for (`command=`, a certificate's `force-command`).
    pub command: Option<String>,
    /// Variables to set (`environment=`), where PermitUserEnvironment lets them.
    pub environment: Vec<(String, String)>,
    /// `permitopen=` values, as written; none: whatever the configuration permits.
    pub permit_open: Vec<String>,
    /// `permitlisten=` values, as written.
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
    /// Where it says so, for the log: `/home/ada/.ssh/authorized_keys:3`, or the authority's fingerprint.
    pub source: String,
}
