//! The configuration in force, as `-T` prints it. sshd(8).
//! Touches: strings.   Never: a terminal.
//! Invariants: a line that is printed can be read again, but for `none` and `any` where nothing is set.
//! Errors: none.   Allocates: the text.
//! Proved by: `tests` in `server`.

use super::access::UserPattern;
use super::keywords::{KEYWORDS, Keyword};
use super::types::{
    ChannelTimeout, ListenAddress, MaxStartups, NetBlockSize, PenaltySetting,
    PermitUserEnvironment, PubkeyAuthOptions, Subsystem,
};
use super::{ServerOptions, types::Penalties};
use crate::row::Status;
use crate::types::{
    AddressFamily, AllowForwarding, AuthMethod, FingerprintHash, GatewayPorts, IpQos, LogFormat,
    LogLevel, PermitRootLogin, RekeyLimit, Role, StaleListener, SyslogFacility,
};
use crate::value::service_name;
use adit_forward::{PermitListen, PermitOpen};
use adit_pattern::AddressList;

/// A value as it is written.
pub(super) trait Show {
    fn show(&self, keyword: Keyword) -> String;
}

macro_rules! show {
    ($($type:ty: |$value:ident| $text:expr;)*) => {
        $(impl Show for $type {
            fn show(&self, _: Keyword) -> String {
                let $value = self;
                $text
            }
        })*
    };
}

show! {
    AddressFamily: |value| value.to_string();
    AddressList: |value| value.to_string();
    AllowForwarding: |value| value.to_string();
    bool: |value| if *value { "yes" } else { "no" }.into();
    FingerprintHash: |value| value.to_string().to_ascii_uppercase();
    GatewayPorts: |value| value.to_string();
    IpQos: |value| format!("{} {}", service_name(value.interactive), service_name(value.bulk));
    ListenAddress: |value| listen(&value.host, value.port);
    LogFormat: |value| value.to_string();
    LogLevel: |value| value.to_string();
    MaxStartups: |value| format!("{}:{}:{}", value.begin, value.rate, value.full);
    NetBlockSize: |value| format!("{}:{}", value.ipv4, value.ipv6);
    // The lines are put together by `Penalties`.
    PenaltySetting: |_value| String::new();
    PermitListen: |value| value.to_string();
    PermitOpen: |value| value.to_string();
    PermitRootLogin: |value| value.to_string();
    RekeyLimit: |value| format!("{} {}", value.bytes.unwrap_or(0), value.seconds.unwrap_or(0));
    Role: |value| value.to_string();
    StaleListener: |value| value.to_string();
    String: |value| value.clone();
    Subsystem: |value| format!("{} {}", value.name, value.command);
    SyslogFacility: |value| value.to_string();
    u16: |value| value.to_string();
    u64: |value| value.to_string();
    UserPattern: |value| value.to_string();
    Vec<&'static str>: |value| value.join(",");
    Vec<String>: |value| or(value.join(" "), "none");
    Vec<(String, String)>: |value| environment(value);
    Vec<ChannelTimeout>: |value| or(timeouts(value), "none");
    Vec<Vec<AuthMethod>>: |value| or(methods(value), "any");
}

impl Show for u32 {
    fn show(&self, keyword: Keyword) -> String {
        match keyword {
            Keyword::StreamLocalBindMask => format!("0{self:o}"),
            Keyword::UnusedConnectionTimeout if *self == 0 => "none".into(),
            _ => self.to_string(),
        }
    }
}

impl<T: Show> Show for Option<T> {
    fn show(&self, keyword: Keyword) -> String {
        match (self, keyword) {
            (Some(value), _) => value.show(keyword),
            (None, Keyword::Loops) => "auto".into(),
            (None, _) => "none".into(),
        }
    }
}

impl Show for PermitUserEnvironment {
    fn show(&self, _: Keyword) -> String {
        match self {
            Self::No => "no".into(),
            Self::Yes => "yes".into(),
            Self::Only(list) => list.clone(),
        }
    }
}

impl Show for PubkeyAuthOptions {
    fn show(&self, _: Keyword) -> String {
        let all =
            [(self.touch_required, "touch-required"), (self.verify_required, "verify-required")];
        let set: Vec<&str> = all.into_iter().filter(|row| row.0).map(|row| row.1).collect();
        or(set.join(" "), "none")
    }
}

impl Penalties {
    fn show(&self) -> String {
        if !self.enabled {
            return "no".into();
        }
        format!(
            "crash:{} authfail:{} noauth:{} invaliduser:{} grace-exceeded:{} refuseconnection:{} \
             max:{} min:{} max-sources4:{} max-sources6:{} overflow:{} overflow6:{}",
            self.crash.as_secs_f64(),
            self.auth_fail.as_secs_f64(),
            self.no_auth.as_secs_f64(),
            self.invalid_user.as_secs_f64(),
            self.grace_exceeded.as_secs_f64(),
            self.refuse_connection.as_secs_f64(),
            self.max.as_secs_f64(),
            self.min.as_secs_f64(),
            self.max_sources4,
            self.max_sources6,
            self.overflow,
            self.overflow6,
        )
    }
}

impl ServerOptions {
    /// Every keyword with its value, in lower case, one a line, as `sshd -T` prints them.
    #[must_use]
    pub fn dump(&self) -> String {
        let mut lines = Vec::new();
        for (keyword, values) in self.shown() {
            let name = keyword.row().name.to_ascii_lowercase();
            match keyword {
                Keyword::ListenAddress => {}
                Keyword::PerSourcePenalties => {
                    lines.push(format!("{name} {}", self.penalties().show()));
                }
                Keyword::SetEnv if self.set_env.is_empty() => {}
                Keyword::StaleListener => {
                    lines.push(format!("{name} {}", self.stale_listener_in(self.role)));
                }
                Keyword::HostKey => {
                    let (files, _) = self.host_keys_to_load();
                    lines.extend(files.iter().map(|file| format!("{name} {file}")));
                }
                _ => lines.extend(values.into_iter().map(|value| format!("{name} {value}"))),
            }
        }
        lines.extend(
            self.listen_on()
                .into_iter()
                .map(|(host, port)| format!("listenaddress {}", listen(&host, Some(port)))),
        );
        // What is not there is off, whatever was asked for.
        lines.extend(KEYWORDS.iter().filter_map(|row| match row.status {
            Status::Missing { off, .. } | Status::Refused { off, .. } => {
                Some(format!("{} {}", row.name.to_ascii_lowercase(), off.first()?))
            }
            _ => None,
        }));
        let rank = |line: &String| FIRST.iter().position(|name| line.starts_with(name));
        lines.sort_by_key(|line| rank(line).unwrap_or(FIRST.len()));
        lines.join("\n") + "\n"
    }
}

/// These come first.
const FIRST: [&str; 3] = ["port ", "addressfamily ", "listenaddress "];

fn or(text: String, nothing: &str) -> String {
    if text.is_empty() { nothing.into() } else { text }
}

fn listen(host: &str, port: Option<u16>) -> String {
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    match port {
        Some(port) => format!("{host}:{port}"),
        None => host,
    }
}

fn environment(variables: &[(String, String)]) -> String {
    let words: Vec<String> =
        variables.iter().map(|(name, value)| format!("{name}={value}")).collect();
    words.join(" ")
}

fn timeouts(timeouts: &[ChannelTimeout]) -> String {
    let words: Vec<String> =
        timeouts.iter().map(|timeout| format!("{}={}", timeout.kind, timeout.seconds)).collect();
    words.join(" ")
}

fn methods(lists: &[Vec<AuthMethod>]) -> String {
    let list =
        |list: &Vec<AuthMethod>| list.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    lists.iter().map(list).collect::<Vec<_>>().join(" ")
}
