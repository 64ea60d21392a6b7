//! Forwarding specifications: what follows `-L`, `-R`, `-D` and `-W`. ssh(1); RFC 4254 §7.1 for bind addresses.
//! Touches: strings.   Never: sockets, names, the environment.
//! Invariants: a local listening port is never 0; a connect port is never 0; a path fits a socket address.
//! Errors: [`SpecError`], in ssh's words.   Allocates: the strings of the specification.
//! Proved by: `tests` below.
//!
//! ```
//! use adit_forward::{Bind, ForwardSpec, Listen, Target};
//!
//! let spec = ForwardSpec::local("[::1]:8080:db.internal:5432")?;
//! assert_eq!(spec.listen, Listen::Tcp { bind: Bind::Address("::1".into()), port: 8080 });
//! assert_eq!(spec.target, Target::Tcp { host: "db.internal".into(), port: 5432 });
//! # Ok::<(), adit_forward::spec::SpecError>(())
//! ```

use std::error::Error;
use std::fmt;

/// Longest host name or address taken, as in ssh (`NI_MAXHOST`).
const HOST_LIMIT: usize = 1025;

/// A path and its NUL must fit `sockaddr_un` on Linux.
const PATH_LIMIT: usize = 108;

/// Which option a specification belongs to; its name is the word in the error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// `-L`, LocalForward
    Local,
    /// `-R`, RemoteForward
    Remote,
    /// `-D`, DynamicForward
    Dynamic,
    /// `-W`
    Stdio,
}

/// `Bad local forwarding specification '0:a:1'`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecError {
    /// The option it was for.
    pub direction: Direction,
    /// What was given.
    pub text: String,
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.direction {
            Direction::Local => "local",
            Direction::Remote => "remote",
            Direction::Dynamic => "dynamic",
            Direction::Stdio => "stdio",
        };
        write!(f, "Bad {kind} forwarding specification '{}'", self.text)
    }
}

impl Error for SpecError {}

/// One forwarding: where to listen and where connections go.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ForwardSpec {
    /// On this side for `-L` and `-D`, on the server for `-R`.
    pub listen: Listen,
    /// Reached from the other side.
    pub target: Target,
}

/// A listening end.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Listen {
    /// A TCP port.
    Tcp {
        /// On which addresses.
        bind: Bind,
        /// 0 only in `-R`: the server picks one.
        port: u16,
    },
    /// A unix socket.
    Unix(String),
}

/// The bind address as the user wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Bind {
    /// None given: loopback, or everything under GatewayPorts.
    Default,
    /// `*` or empty: all addresses of both families.
    Wildcard,
    /// `localhost`: the loopback address of every family.
    Localhost,
    /// A name or an address, without brackets.
    Address(String),
}

/// Where a local listener goes, GatewayPorts considered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListenOn<'a> {
    /// 127.0.0.1 and ::1.
    Loopback,
    /// 0.0.0.0 and ::.
    Wildcard,
    /// This name or address alone.
    Address(&'a str),
}

/// A connecting end.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// A TCP destination.
    Tcp {
        /// Resolved where the connection is made.
        host: String,
        /// Never 0.
        port: u16,
    },
    /// A unix socket.
    Unix(String),
    /// Whatever the SOCKS or HTTP CONNECT client names.
    Dynamic,
}

impl ForwardSpec {
    /// `-L`: `[bind:]port:host:hostport`, with a path in place of either end.
    ///
    /// # Errors
    /// [`SpecError`] when it is anything else.
    pub fn local(text: &str) -> Result<Self, SpecError> {
        parse(text, Direction::Local, two_ended)
    }

    /// `-R`: as `-L`, or without a target for a dynamic one.
    ///
    /// # Errors
    /// [`SpecError`] when it is neither.
    pub fn remote(text: &str) -> Result<Self, SpecError> {
        parse(text, Direction::Remote, |fields| two_ended(fields).or_else(|| listen_only(fields)))
    }

    /// `-D`: `[bind:]port` or a path.
    ///
    /// # Errors
    /// [`SpecError`] when it is anything else.
    pub fn dynamic(text: &str) -> Result<Self, SpecError> {
        parse(text, Direction::Dynamic, listen_only)
    }

    /// The same with every unix socket path replaced: tokens and `${ENV}` are expanded by whoever knows them.
    ///
    /// # Errors
    /// The first one `expand` returns.
    pub fn map_paths<E>(
        self,
        mut expand: impl FnMut(&str) -> Result<String, E>,
    ) -> Result<Self, E> {
        let listen = match self.listen {
            Listen::Unix(path) => Listen::Unix(expand(&path)?),
            tcp @ Listen::Tcp { .. } => tcp,
        };
        let target = match self.target {
            Target::Unix(path) => Target::Unix(expand(&path)?),
            other @ (Target::Tcp { .. } | Target::Dynamic) => other,
        };
        Ok(Self { listen, target })
    }
}

impl Target {
    /// `-W`: `host:port` or a path on the server; never [`Target::Dynamic`].
    ///
    /// # Errors
    /// [`SpecError`] when it is anything else.
    pub fn stdio(text: &str) -> Result<Self, SpecError> {
        split(text)
            .and_then(|fields| match fields.as_slice() {
                [path] if path.is_path => Some(Self::Unix(path.path()?)),
                [host, port] => tcp(host, port),
                _ => None,
            })
            .ok_or_else(|| SpecError { direction: Direction::Stdio, text: text.into() })
    }
}

impl Bind {
    fn from_field(text: &str) -> Self {
        match text {
            "" | "*" => Self::Wildcard,
            "localhost" => Self::Localhost,
            _ => Self::Address(text.into()),
        }
    }

    /// The address string of a `tcpip-forward` request. RFC 4254 §7.1.
    ///
    /// No address means `localhost` here, not "the server's default".
    #[must_use]
    pub fn wire(&self) -> &str {
        match self {
            Self::Default | Self::Localhost => "localhost",
            Self::Wildcard => "",
            Self::Address(address) => address,
        }
    }

    /// Where a listener on this side goes. GatewayPorts changes only what a missing address means.
    #[must_use]
    pub fn listen_on(&self, gateway_ports: bool) -> ListenOn<'_> {
        match self {
            Self::Default if gateway_ports => ListenOn::Wildcard,
            Self::Default | Self::Localhost => ListenOn::Loopback,
            Self::Wildcard => ListenOn::Wildcard,
            Self::Address(address) => ListenOn::Address(address),
        }
    }
}

impl Listen {
    /// As messages about a failed listener name it: `port 5555` or `path /run/x`.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Tcp { port, .. } => format!("port {port}"),
            Self::Unix(path) => format!("path {path}"),
        }
    }
}

/// `8080`, `[::1]:8080`, `[*]:8080` or `/run/x`, as ssh -G prints it.
impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { bind: Bind::Default, port } => write!(f, "{port}"),
            Self::Tcp { bind: Bind::Wildcard, port } => write!(f, "[*]:{port}"),
            Self::Tcp { bind: Bind::Localhost, port } => write!(f, "[localhost]:{port}"),
            Self::Tcp { bind: Bind::Address(address), port } => write!(f, "[{address}]:{port}"),
            Self::Unix(path) => f.write_str(path),
        }
    }
}

/// `db.internal:5432`, `/run/x` or `socks:0`, as in "Allocated port … for remote forward to …".
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => f.write_str(path),
            Self::Dynamic => f.write_str("socks:0"),
        }
    }
}

fn parse(
    text: &str,
    direction: Direction,
    shape: impl FnOnce(&[Field]) -> Option<ForwardSpec>,
) -> Result<ForwardSpec, SpecError> {
    split(text)
        .and_then(|fields| shape(&fields))
        .or_else(|| slashed(text, direction))
        .filter(|spec| direction == Direction::Remote || spec.listen.is_fixed())
        .ok_or_else(|| SpecError { direction, text: text.into() })
}

/// The shapes with a target, told apart by how many fields there are and which are paths.
fn two_ended(fields: &[Field]) -> Option<ForwardSpec> {
    let (listen, target) = match fields {
        [listen, target] if listen.is_path && target.is_path => {
            (Listen::Unix(listen.path()?), Target::Unix(target.path()?))
        }
        [port, target] if target.is_path => {
            (Listen::Tcp { bind: Bind::Default, port: port.port()? }, Target::Unix(target.path()?))
        }
        [listen, host, port] if listen.is_path => (Listen::Unix(listen.path()?), tcp(host, port)?),
        [bind, port, target] if target.is_path => (at(bind, port)?, Target::Unix(target.path()?)),
        [listen, host, port] => {
            (Listen::Tcp { bind: Bind::Default, port: listen.port()? }, tcp(host, port)?)
        }
        [bind, listen, host, port] => (at(bind, listen)?, tcp(host, port)?),
        _ => return None,
    };
    Some(ForwardSpec { listen, target })
}

/// The shapes without a target.
fn listen_only(fields: &[Field]) -> Option<ForwardSpec> {
    let listen = match fields {
        [path] if path.is_path => Listen::Unix(path.path()?),
        [port] => Listen::Tcp { bind: Bind::Default, port: port.port()? },
        [bind, port] if !port.is_path => at(bind, port)?,
        _ => return None,
    };
    Some(ForwardSpec { listen, target: Target::Dynamic })
}

/// The old form `[bind/]port/host/hostport`, made for IPv6 addresses without brackets.
fn slashed(text: &str, direction: Direction) -> Option<ForwardSpec> {
    let fields: Vec<Field> = text.trim_start().split('/').map(Field::word).collect();
    if fields[0].text.is_empty() {
        return None; // A path.
    }
    match direction {
        Direction::Local | Direction::Remote => {
            matches!(fields.len(), 3 | 4).then(|| two_ended(&fields)).flatten()
        }
        Direction::Dynamic => (fields.len() == 2).then(|| listen_only(&fields)).flatten(),
        Direction::Stdio => None,
    }
}

fn at(bind: &Field, port: &Field) -> Option<Listen> {
    if bind.text.len() >= HOST_LIMIT {
        return None;
    }
    Some(Listen::Tcp { bind: Bind::from_field(&bind.text), port: port.port()? })
}

fn tcp(host: &Field, port: &Field) -> Option<Target> {
    Some(Target::Tcp { host: host.host()?, port: port.connect_port()? })
}

impl Listen {
    fn is_fixed(&self) -> bool {
        !matches!(self, Self::Tcp { port: 0, .. })
    }
}

/// One part between colons, brackets and backslashes taken away.
struct Field {
    text: String,
    /// Holds a `/`, so it names a unix socket where one may stand.
    is_path: bool,
}

impl Field {
    fn word(text: &str) -> Self {
        Self { text: text.into(), is_path: false }
    }

    fn port(&self) -> Option<u16> {
        // Rust's numbers may have a plus.
        let digits = self.text.bytes().all(|byte| byte.is_ascii_digit());
        self.text.parse().ok().filter(|_| digits)
    }

    fn connect_port(&self) -> Option<u16> {
        self.port().filter(|&port| port != 0)
    }

    fn host(&self) -> Option<String> {
        let fits = (1..HOST_LIMIT).contains(&self.text.len());
        (fits && !self.text.contains(char::is_control)).then(|| self.text.clone())
    }

    fn path(&self) -> Option<String> {
        (self.text.len() < PATH_LIMIT && !self.text.contains('\0')).then(|| self.text.clone())
    }
}

/// Splits at colons; `[…]` protects what it encloses and `\` the next character. A last colon ends the last field.
fn split(text: &str) -> Option<Vec<Field>> {
    let mut rest = text.trim_start();
    let mut fields = Vec::new();
    while !rest.is_empty() {
        if fields.len() == 4 {
            return None;
        }
        let (field, after) = if rest.starts_with('[') { bracketed(rest)? } else { escaped(rest)? };
        fields.push(field);
        rest = after;
    }
    Some(fields)
}

fn bracketed(text: &str) -> Option<(Field, &str)> {
    let (inside, after) = text.strip_prefix('[')?.split_once(']')?;
    let after = if after.is_empty() { after } else { after.strip_prefix(':')? };
    Some((Field { text: inside.into(), is_path: inside.contains('/') }, after))
}

fn escaped(text: &str) -> Option<(Field, &str)> {
    let mut field = Field::word("");
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            ':' => return Some((field, characters.as_str())),
            '\\' => field.text.push(characters.next()?),
            _ => {
                field.is_path |= character == '/';
                field.text.push(character);
            }
        }
    }
    Some((field, ""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tcp_at(bind: Bind, port: u16) -> Listen {
        Listen::Tcp { bind, port }
    }

    fn to(host: &str, port: u16) -> Target {
        Target::Tcp { host: host.into(), port }
    }

    fn unix(path: &str) -> Listen {
        Listen::Unix(path.into())
    }

    fn address(text: &str) -> Bind {
        Bind::Address(text.into())
    }

    #[test]
    fn local_specifications_read_as_in_ssh() {
        let sock = || Target::Unix("/sock".into());
        for (text, listen, target) in [
            ("8080:h:80", tcp_at(Bind::Default, 8080), to("h", 80)),
            (" 8080:h:80", tcp_at(Bind::Default, 8080), to("h", 80)),
            ("80:h:1:", tcp_at(Bind::Default, 80), to("h", 1)),
            ("*:8080:h:80", tcp_at(Bind::Wildcard, 8080), to("h", 80)),
            (":8080:h:80", tcp_at(Bind::Wildcard, 8080), to("h", 80)),
            ("localhost:8080:h:80", tcp_at(Bind::Localhost, 8080), to("h", 80)),
            ("127.0.0.1:8080:h:80", tcp_at(address("127.0.0.1"), 8080), to("h", 80)),
            ("[::1]:8080:[fe80::1%eth0]:80", tcp_at(address("::1"), 8080), to("fe80::1%eth0", 80)),
            ("8080:[::1]:80", tcp_at(Bind::Default, 8080), to("::1", 80)),
            ("8080:/sock", tcp_at(Bind::Default, 8080), sock()),
            ("b:8080:/sock", tcp_at(address("b"), 8080), sock()),
            ("/a:/sock", unix("/a"), sock()),
            ("/a:h:80", unix("/a"), to("h", 80)),
            ("./a:h:80", unix("./a"), to("h", 80)),
            (r"/a\:b:h:80", unix("/a:b"), to("h", 80)),
            ("[/a:b]:h:80", unix("/a:b"), to("h", 80)),
            (r"/a\\b:h:80", unix(r"/a\b"), to("h", 80)),
            ("${HOME}/s:/sock", unix("${HOME}/s"), sock()),
            ("8080/h/80", tcp_at(Bind::Default, 8080), to("h", 80)),
            ("8080/fe80::1/80", tcp_at(Bind::Default, 8080), to("fe80::1", 80)),
            ("::1/8080/::2/80", tcp_at(address("::1"), 8080), to("::2", 80)),
        ] {
            assert_eq!(ForwardSpec::local(text), Ok(ForwardSpec { listen, target }), "{text}");
        }
    }

    #[test]
    fn remote_specifications_may_lack_a_target_and_a_port() {
        for (text, listen, target) in [
            ("5555:h:80", tcp_at(Bind::Default, 5555), to("h", 80)),
            ("0:h:80", tcp_at(Bind::Default, 0), to("h", 80)),
            ("5555", tcp_at(Bind::Default, 5555), Target::Dynamic),
            ("0", tcp_at(Bind::Default, 0), Target::Dynamic),
            ("*:5555", tcp_at(Bind::Wildcard, 5555), Target::Dynamic),
            ("[::1]:5555", tcp_at(address("::1"), 5555), Target::Dynamic),
            ("/s", unix("/s"), Target::Dynamic),
            ("/s:h:1", unix("/s"), to("h", 1)),
        ] {
            assert_eq!(ForwardSpec::remote(text), Ok(ForwardSpec { listen, target }), "{text}");
        }
    }

    #[test]
    fn dynamic_specifications_are_listeners_alone() {
        for (text, listen) in [
            ("1080", tcp_at(Bind::Default, 1080)),
            ("*:1080", tcp_at(Bind::Wildcard, 1080)),
            (":1080", tcp_at(Bind::Wildcard, 1080)),
            ("localhost:1080", tcp_at(Bind::Localhost, 1080)),
            ("[::1]:1080", tcp_at(address("::1"), 1080)),
            ("::1/1080", tcp_at(address("::1"), 1080)),
            ("/s", unix("/s")),
        ] {
            let spec = ForwardSpec { listen, target: Target::Dynamic };
            assert_eq!(ForwardSpec::dynamic(text), Ok(spec), "{text}");
        }
    }

    #[test]
    fn stdio_targets_are_a_host_and_port_or_a_path() {
        assert_eq!(Target::stdio("h:22"), Ok(to("h", 22)));
        assert_eq!(Target::stdio("[::1]:22"), Ok(to("::1", 22)));
        assert_eq!(Target::stdio("/s"), Ok(Target::Unix("/s".into())));
        for text in ["22", ":22", "h:0", "h", "a:1:2", ""] {
            let error = Target::stdio(text).unwrap_err();
            assert_eq!(error.to_string(), format!("Bad stdio forwarding specification '{text}'"));
        }
    }

    #[test]
    fn wrong_specifications_are_refused_in_ssh_words() {
        let long = format!("1:{}:2", "h".repeat(HOST_LIMIT));
        let deep = format!("1:/{}", "d".repeat(PATH_LIMIT));
        for text in [
            "",
            "x",
            "0:a:1",
            "80:h:0",
            "80::80",
            "80:[]:80",
            "80:h:65536",
            "65536:h:80",
            "-1:h:80",
            "+1:h:80",
            "1:h:+80",
            "1:2:3:4:5",
            "[::1]x:1:h:2",
            "[::1:1:h:2",
            r"a:1:h:2\",
            "/s:80",
            "8080",
            "b:8080",
            "80:a\nb:80",
            "1/2",
            "/8080/h/80",
            &long,
            &deep,
        ] {
            let error = ForwardSpec::local(text).unwrap_err();
            assert_eq!(error.to_string(), format!("Bad local forwarding specification '{text}'"));
        }
        for text in ["x", "0", "1:h:2", "1:/s", ""] {
            let error = ForwardSpec::dynamic(text).unwrap_err();
            assert_eq!(error.to_string(), format!("Bad dynamic forwarding specification '{text}'"));
        }
        let error = ForwardSpec::remote("x").unwrap_err();
        assert_eq!(error.to_string(), "Bad remote forwarding specification 'x'");
    }

    #[test]
    fn bind_addresses_travel_as_the_server_expects() {
        for (text, wire) in [
            ("1:h:2", "localhost"),
            ("localhost:1:h:2", "localhost"),
            ("*:1:h:2", ""),
            (":1:h:2", ""),
            ("0.0.0.0:1:h:2", "0.0.0.0"),
            ("[::1]:1:h:2", "::1"),
        ] {
            let Listen::Tcp { bind, .. } = ForwardSpec::remote(text).unwrap().listen else {
                panic!("{text}")
            };
            assert_eq!(bind.wire(), wire, "{text}");
        }
    }

    #[test]
    fn gateway_ports_changes_only_the_missing_address() {
        let here = address("10.0.0.1");
        for (bind, closed, open) in [
            (&Bind::Default, ListenOn::Loopback, ListenOn::Wildcard),
            (&Bind::Localhost, ListenOn::Loopback, ListenOn::Loopback),
            (&Bind::Wildcard, ListenOn::Wildcard, ListenOn::Wildcard),
            (&here, ListenOn::Address("10.0.0.1"), ListenOn::Address("10.0.0.1")),
        ] {
            assert_eq!((bind.listen_on(false), bind.listen_on(true)), (closed, open));
        }
    }

    #[test]
    fn both_ends_are_named_as_in_ssh_messages() {
        let spec = ForwardSpec::remote("0").unwrap();
        assert_eq!(spec.target.to_string(), "socks:0");
        assert_eq!(spec.listen.describe(), "port 0");
        let spec = ForwardSpec::remote("/s:127.0.0.1:1").unwrap();
        assert_eq!(
            (spec.listen.describe(), spec.target.to_string()),
            ("path /s".into(), "127.0.0.1:1".into())
        );
        assert_eq!(ForwardSpec::local("*:1:/s").unwrap().listen.to_string(), "[*]:1");
        assert_eq!(ForwardSpec::local("[::1]:1:/s").unwrap().listen.to_string(), "[::1]:1");
    }

    #[test]
    fn only_paths_are_mapped() {
        let twice = |path: &str| Ok::<_, ()>(path.repeat(2));
        let spec = ForwardSpec::local("/a:/b").unwrap().map_paths(twice).unwrap();
        assert_eq!(spec, ForwardSpec { listen: unix("/a/a"), target: Target::Unix("/b/b".into()) });
        let tcp = ForwardSpec::local("b:1:h:2").unwrap();
        assert_eq!(tcp.clone().map_paths(twice), Ok(tcp));
        assert_eq!(ForwardSpec::local("/a:/b").unwrap().map_paths(|_| Err(7)), Err(7));
    }

    proptest! {
        #[test]
        fn any_text_parses_or_is_quoted_in_the_error(text in ".{0,80}") {
            for error in [
                ForwardSpec::local(&text).err(),
                ForwardSpec::remote(&text).err(),
                ForwardSpec::dynamic(&text).err(),
                Target::stdio(&text).err(),
            ].into_iter().flatten() {
                prop_assert_eq!(error.text, text.clone());
            }
        }

        #[test]
        fn what_is_accepted_never_has_a_port_of_zero(text in "[0-3:/a\\[\\]]{0,12}") {
            if let Ok(spec) = ForwardSpec::local(&text) {
                prop_assert!(spec.listen.is_fixed());
                prop_assert!(!matches!(spec.target, Target::Tcp { port: 0, .. }), "{text}");
            }
        }
    }
}
