//! Values with names or a shape of their own. ssh_config(5).
//! Touches: nothing.   Never: what a value leads to.
//! Invariants: the first name of a value is the one it is shown under.
//! Errors: none.   Allocates: never.
//! Proved by: `tests` in `client`.

use std::fmt;

/// A value that is one of a few words.
pub(crate) trait Choice: Copy + PartialEq + 'static {
    /// Every word; several may mean the same.
    const NAMES: &'static [(&'static str, Self)];

    /// Case does not matter.
    fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|row| row.1)
    }
}

impl Choice for bool {
    const NAMES: &'static [(&'static str, Self)] =
        &[("yes", true), ("no", false), ("true", true), ("false", false)];
}

macro_rules! choices {
    ($($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $($word:literal)|+,)* })*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
            pub enum $name { $($(#[$variant_doc])* $variant,)* }

            impl Choice for $name {
                const NAMES: &'static [(&'static str, Self)] =
                    &[$($(($word, Self::$variant),)+)*];
            }

            impl fmt::Display for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    let name = Self::NAMES.iter().find(|(_, value)| value == self);
                    f.write_str(name.map_or("", |(name, _)| *name))
                }
            }
        )*
    };
}

choices! {
    /// AddressFamily, `-4`, `-6`
    AddressFamily {
        /// IPv4 and IPv6
        Any = "any",
        /// IPv4
        Inet = "inet",
        /// IPv6
        Inet6 = "inet6",
    }

    /// StrictHostKeyChecking
    StrictHostKeyChecking {
        /// Unknown host keys are shown to the user.
        Ask = "ask",
        /// Unknown host keys are refused.
        Yes = "yes" | "true",
        /// Unknown host keys are added, changed ones refused.
        AcceptNew = "accept-new",
        /// Unknown host keys are added, changed ones restrict the connection.
        No = "no" | "false" | "off",
    }

    /// UpdateHostKeys
    UpdateHostKeys {
        /// New keys of a known host are learned.
        Yes = "yes" | "true",
        /// They are not.
        No = "no" | "false",
        /// The user is asked.
        Ask = "ask",
    }

    /// PubkeyAuthentication
    PubkeyAuthentication {
        /// With the host-bound method where the server knows it.
        Yes = "yes" | "true",
        /// Not at all.
        No = "no" | "false",
        /// The plain method alone.
        Unbound = "unbound",
        /// As `Yes`.
        HostBound = "host-bound",
    }

    /// RequestTTY, `-t`, `-T`
    RequestTty {
        /// When standard input is a terminal.
        Auto = "auto",
        /// Never.
        No = "no" | "false",
        /// When standard input is a terminal.
        Yes = "yes" | "true",
        /// Always.
        Force = "force",
    }

    /// SessionType, `-N`, `-s`
    SessionType {
        /// A command or a shell.
        Default = "default",
        /// No session.
        None = "none",
        /// A subsystem.
        Subsystem = "subsystem",
    }

    /// FingerprintHash
    FingerprintHash {
        /// `SHA256:` and base64
        Sha256 = "sha256",
        /// `MD5:` and pairs of hexadecimal digits
        Md5 = "md5",
    }

    /// WarnWeakCrypto
    WarnWeakCrypto {
        /// About everything weak.
        Yes = "yes" | "true",
        /// About nothing.
        No = "no" | "false",
        /// About everything but a key exchange that is not post-quantum.
        NoPqKex = "no-pq-kex",
    }

    /// LogLevel, `-q`, `-v`; each level includes those before it.
    LogLevel {
        /// Fatal errors alone.
        Quiet = "QUIET" | "SILENT",
        /// As `Quiet`.
        Fatal = "FATAL",
        /// Errors.
        Error = "ERROR",
        /// Warnings and what users want to know.
        Info = "INFO",
        /// Some more.
        Verbose = "VERBOSE",
        /// `-v`
        Debug1 = "DEBUG" | "DEBUG1",
        /// `-vv`
        Debug2 = "DEBUG2",
        /// `-vvv`
        Debug3 = "DEBUG3",
    }

    /// AllowTcpForwarding, AllowStreamLocalForwarding
    AllowForwarding {
        /// Both ways.
        Yes = "yes" | "all",
        /// Neither way.
        No = "no",
        /// Connections the client's side accepts (`-L`, `-D`).
        Local = "local",
        /// Connections our side accepts (`-R`).
        Remote = "remote",
    }

    /// GatewayPorts of a server
    GatewayPorts {
        /// Loopback only, whatever the client asks for.
        No = "no",
        /// Every address, whatever the client asks for.
        Yes = "yes",
        /// What the client asks for.
        ClientSpecified = "clientspecified",
    }

    /// PermitRootLogin
    PermitRootLogin {
        /// By any method.
        Yes = "yes",
        /// By any method but passwords.
        ProhibitPassword = "prohibit-password" | "without-password",
        /// By key, and only to run the command its key or the configuration forces.
        ForcedCommandsOnly = "forced-commands-only",
        /// Not at all.
        No = "no",
    }

    /// Role: whom the server lets in
    Role {
        /// `System` when started by root, `User` otherwise.
        Auto = "auto",
        /// The user who started it.
        User = "user",
        /// Users that exist in the configuration only, to forward ports.
        Gateway = "gateway",
        /// The system's users.
        System = "system",
    }

    /// StaleListener: a forwarded port that an older connection with the same key still holds
    StaleListener {
        /// It stays with the older connection.
        Refuse = "refuse",
        /// The new connection has it.
        Takeover = "takeover",
    }

    /// LogFormat
    LogFormat {
        /// Words.
        Text = "text",
        /// One JSON object each line.
        Json = "json",
    }

    /// One method of AuthenticationMethods
    AuthMethod {
        /// A key.
        Publickey = "publickey",
        /// A password.
        Password = "password",
        /// Questions and answers.
        KeyboardInteractive = "keyboard-interactive",
    }

    /// SyslogFacility
    SyslogFacility {
        /// LOG_DAEMON
        Daemon = "DAEMON",
        /// LOG_USER
        User = "USER",
        /// LOG_AUTH
        Auth = "AUTH",
        /// LOG_AUTHPRIV
        AuthPriv = "AUTHPRIV",
        /// LOG_LOCAL0
        Local0 = "LOCAL0",
        /// LOG_LOCAL1
        Local1 = "LOCAL1",
        /// LOG_LOCAL2
        Local2 = "LOCAL2",
        /// LOG_LOCAL3
        Local3 = "LOCAL3",
        /// LOG_LOCAL4
        Local4 = "LOCAL4",
        /// LOG_LOCAL5
        Local5 = "LOCAL5",
        /// LOG_LOCAL6
        Local6 = "LOCAL6",
        /// LOG_LOCAL7
        Local7 = "LOCAL7",
    }
}

/// RekeyLimit: when keys are exchanged anew, whichever comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RekeyLimit {
    /// `None`: what the cipher asks for.
    pub bytes: Option<u64>,
    /// `None`: not by time.
    pub seconds: Option<u32>,
}

/// IPQoS: the type-of-service byte of the connection; `None` leaves the system's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IpQos {
    /// For sessions with a terminal.
    pub interactive: Option<u8>,
    /// For everything else, tunnels among it.
    pub bulk: Option<u8>,
}

impl IpQos {
    /// Expedited forwarding for terminals, nothing special for the rest.
    pub(crate) const DEFAULT: Self = Self { interactive: Some(0xb8), bulk: None };
}
