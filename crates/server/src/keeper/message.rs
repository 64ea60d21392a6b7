//! What the two processes say to each other: requests of the one that talks to the network, replies and orders of the keeper.
//! Touches: bytes in, values out, and back.   Never: sockets, descriptors; whether a request is granted.
//! Invariants: decoding reads every byte or fails; a length is checked before it is used; one table for each direction.
//! Errors: [`Malformed`].   Allocates: the values, which are no longer than the message.
//! Proved by: `tests` below: round trips of everything, any bytes at all.
//!
//! ```text
//! byte version · uint32 id · byte number · fields        id 0: nobody waits for a reply
//! ```

use crate::host::{Account, KeyRefusal, SystemAccount};
use crate::session::{Asked, Environment, Exit, Kind, MAX_ACCEPTED, TerminalWish};
use adit_engine::WindowChange;
use adit_keys::authorized_keys::Grants;
use adit_wire::{DecodeError, Field, Reader};
use std::ffi::OsString;
use std::net::SocketAddr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use zeroize::Zeroizing;

/// Of this language. Both processes are one program, so a difference is a mistake and never bridged.
const VERSION: u8 = 1;

/// The longest message: a command with an environment as large as there may be, and what is around them.
pub(super) const MAX_LENGTH: usize = 176 * 1024;

/// A message that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

impl From<DecodeError> for Malformed {
    fn from(_: DecodeError) -> Self {
        Self
    }
}

/// A value of a field.
pub(super) trait Item: Sized {
    fn put(&self, out: &mut Vec<u8>);
    fn take(reader: &mut Reader<'_>) -> Result<Self, Malformed>;
}

/// SSH's own fields.
macro_rules! plain_items {
    ($($type:ty),+) => { $(impl Item for $type {
        fn put(&self, out: &mut Vec<u8>) {
            self.encode(out);
        }
        fn take(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
            Ok(reader.field()?)
        }
    })+ };
}

plain_items!(u8, bool, u32, u64);

impl Item for u16 {
    fn put(&self, out: &mut Vec<u8>) {
        u32::from(*self).put(out);
    }
    fn take(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        u32::take(reader)?.try_into().map_err(|_| Malformed)
    }
}

impl Item for String {
    fn put(&self, out: &mut Vec<u8>) {
        self.as_str().encode(out);
    }
    fn take(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let text: &str = reader.field()?;
        Ok(text.to_owned())
    }
}

/// A string of bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Bytes(pub(super) Vec<u8>);

impl Item for Bytes {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.as_slice().encode(out);
    }
    fn take(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self(reader.string()?.to_vec()))
    }
}

/// A login message, in which there may be a password.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Private(pub(super) Zeroizing<Vec<u8>>);

impl std::fmt::Debug for Private {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Private(..)")
    }
}

impl Item for Private {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.as_slice().encode(out);
    }
    fn take(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self(Zeroizing::new(reader.string()?.to_vec())))
    }
}

/// As text: an IPv6 scope has no other form that everybody knows.
impl Item for SocketAddr {
    fn put(&self, out: &mut Vec<u8>) {
        self.to_string().put(out);
    }
    fn take(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        String::take(reader)?.parse().map_err(|_| Malformed)
    }
}

impl<T: Item> Item for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.is_some().put(out);
        if let Some(value) = self {
            value.put(out);
        }
    }
    fn take(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        bool::take(reader)?.then(|| T::take(reader)).transpose()
    }
}

/// Every element takes at least a byte, so a count is no reason to allocate before they are there.
impl<T: Item> Item for Vec<T> {
    fn put(&self, out: &mut Vec<u8>) {
        (self.len() as u32).put(out);
        self.iter().for_each(|value| value.put(out));
    }
    fn take(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let count = u32::take(reader)?;
        let mut values = Self::new();
        for _ in 0..count {
            values.push(T::take(reader)?);
        }
        Ok(values)
    }
}

impl<A: Item, B: Item> Item for (A, B) {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
        self.1.put(out);
    }
    fn take(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok((A::take(reader)?, B::take(reader)?))
    }
}

impl Item for PathBuf {
    fn put(&self, out: &mut Vec<u8>) {
        self.as_os_str().as_bytes().encode(out);
    }
    fn take(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Bytes::take(reader).map(|Bytes(bytes)| OsString::from_vec(bytes).into())
    }
}

/// Pairs of names and values.
impl Item for Environment {
    fn put(&self, out: &mut Vec<u8>) {
        let bytes = |text: &std::ffi::OsStr| Bytes(text.as_bytes().to_vec());
        let pairs: Vec<(Bytes, Bytes)> =
            self.iter().map(|(name, value)| (bytes(name), bytes(value))).collect();
        pairs.put(out);
    }
    fn take(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let pairs: Vec<(Bytes, Bytes)> = Item::take(reader)?;
        // Each is looked for among those before it.
        if pairs.len() > MAX_ACCEPTED {
            return Err(Malformed);
        }
        let mut environment = Self::default();
        for (Bytes(name), Bytes(value)) in pairs {
            environment.set(OsString::from_vec(name), OsString::from_vec(value));
        }
        Ok(environment)
    }
}

impl Item for Kind {
    fn put(&self, out: &mut Vec<u8>) {
        let (number, name) = match self {
            Self::Shell => (0, ""),
            Self::Exec => (1, ""),
            Self::Subsystem(name) => (2, name.as_str()),
        };
        (number as u8).put(out);
        name.encode(out);
    }
    fn take(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let (number, name) = (u8::take(reader)?, String::take(reader)?);
        match (number, name.is_empty()) {
            (0, true) => Ok(Self::Shell),
            (1, true) => Ok(Self::Exec),
            (2, _) => Ok(Self::Subsystem(name)),
            _ => Err(Malformed),
        }
    }
}

/// A status, or the number of a signal.
impl Item for Exit {
    fn put(&self, out: &mut Vec<u8>) {
        let (by_signal, number, core_dumped) = match *self {
            Self::Status(status) => (false, status, false),
            Self::Signal { number, core_dumped } => (true, number.unsigned_abs(), core_dumped),
        };
        by_signal.put(out);
        number.put(out);
        core_dumped.put(out);
    }
    fn take(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let (by_signal, number) = (bool::take(reader)?, u32::take(reader)?);
        match (by_signal, bool::take(reader)?) {
            (false, false) => Ok(Self::Status(number)),
            (false, true) => Err(Malformed),
            (true, core_dumped) => {
                let number = number.try_into().map_err(|_| Malformed)?;
                Ok(Self::Signal { number, core_dumped })
            }
        }
    }
}

impl Item for KeyRefusal {
    fn put(&self, out: &mut Vec<u8>) {
        let (number, words) = match self {
            Self::Foreign(words) => (0, words.as_str()),
            Self::Flawed(words) => (1, words.as_str()),
            Self::Root => (2, ""),
        };
        (number as u8).put(out);
        words.encode(out);
    }
    fn take(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let (number, words) = (u8::take(reader)?, String::take(reader)?);
        match (number, words.is_empty()) {
            (0, _) => Ok(Self::Foreign(words)),
            (1, _) => Ok(Self::Flawed(words)),
            (2, true) => Ok(Self::Root),
            _ => Err(Malformed),
        }
    }
}

/// Structs, field by field.
macro_rules! item_struct {
    ($type:ident { $($field:ident),+ $(,)? }) => {
        impl Item for $type {
            fn put(&self, out: &mut Vec<u8>) {
                let Self { $($field),+ } = self;
                $($field.put(out);)+
            }
            fn take(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
                $(let $field = Item::take(reader)?;)+
                Ok(Self { $($field),+ })
            }
        }
    };
}
pub(super) use item_struct;

item_struct!(SystemAccount { uid, gid, gids, home, shell });
item_struct!(Account { name, groups, system });
item_struct!(WindowChange { width_characters, height_rows, width_pixels, height_pixels });
item_struct!(TerminalWish { term, size, modes });

item_struct!(Asked { kind, command, environment });

item_struct!(Grants {
    command,
    environment,
    permit_open,
    permit_listen,
    port_forwarding,
    pty,
    agent_forwarding,
    x11_forwarding,
    user_rc,
    touch_required,
    verify_required,
    source,
});

/// One row for each message.
macro_rules! messages {
    ($(#[$doc:meta])* $name:ident {
        $($(#[$row_doc:meta])* $number:literal $row:ident { $($field:ident: $type:ty),* $(,)? })+
    }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub(super) enum $name {
            $($(#[$row_doc])* $row { $($field: $type),* },)+
        }

        impl $name {
            /// The whole message; `id` names the question a reply is to.
            pub(super) fn encode(&self, id: u32) -> Zeroizing<Vec<u8>> {
                let mut out = Zeroizing::new(vec![VERSION]);
                id.put(&mut out);
                match self {
                    $(Self::$row { $($field),* } => {
                        out.push($number);
                        $($field.put(&mut out);)*
                    })+
                }
                out
            }

            /// The question it belongs to, and what it says.
            ///
            /// # Errors
            /// [`Malformed`]
            pub(super) fn decode(bytes: &[u8]) -> Result<(u32, Self), Malformed> {
                let mut reader = Reader::new(bytes);
                if bytes.len() > MAX_LENGTH || u8::take(&mut reader)? != VERSION {
                    return Err(Malformed);
                }
                let id = u32::take(&mut reader)?;
                let message = match u8::take(&mut reader)? {
                    $($number => {
                        $(let $field = Item::take(&mut reader)?;)*
                        Self::$row { $($field),* }
                    })+
                    _ => return Err(Malformed),
                };
                reader.finish()?;
                Ok((id, message))
            }
        }
    };
}

messages! {
    /// What the process that talks to the network asks for. `connection` is its own number for a client.
    Request {
        /// A signature over the exchange hash; the first opens the connection's case. Any time.
        1 Sign { connection: u64, algorithm: String, hash: Bytes }
        /// Who this is. Once, after the first signature.
        2 WhoIs { connection: u64, user: String, remote: Option<SocketAddr>, local: Option<SocketAddr> }
        /// What the client sent to prove it. After `WhoIs`, until it is proved.
        3 Login { connection: u64, message: Private }
        /// Signatures that prove further host keys. Once logged in.
        4 Prove { connection: u64, algorithm: String, keys: Bytes }
        /// A connection to a unix socket. Once logged in, as far as permitted.
        5 ConnectUnix { connection: u64, path: String }
        /// A unix socket to listen on. Once logged in, as far as permitted.
        6 ListenUnix { connection: u64, path: String }
        /// The removal of one that this connection had made.
        7 UnlinkUnix { connection: u64, path: String }
        /// A port below 1024, at an address that `asked` stands for. Once logged in, as far as permitted.
        8 ListenTcp { connection: u64, asked: String, address: SocketAddr }
        /// The connection is over.
        9 Gone { connection: u64 }
        /// The addresses of a name; `family` 4, 6, or 0 for both.
        10 LookUp { host: String, port: u16, family: u8 }
        /// The addresses the configuration wants listened on.
        11 Addresses {}
        /// A socket that listens on one of those.
        12 Bind { address: SocketAddr }
        /// Connections are taken.
        13 Ready { status: String }
        /// It is still there, for a watchdog.
        14 Alive {}
        /// It takes no more connections.
        15 Stopping {}
        /// A line for the log.
        16 Log { level: u8, line: String }
        /// It cannot start, for this reason.
        17 Fatal { words: String }
        /// A terminal for a session, by the number it has here. Once logged in, as far as permitted; once.
        18 OpenTerminal { connection: u64, session: u64, wish: TerminalWish }
        /// A command for a session. Once logged in, as far as permitted; once.
        19 Start { connection: u64, session: u64, asked: Asked }
        /// A signal for what runs in a session.
        20 Signal { connection: u64, session: u64, name: String }
        /// The end of what was started; the reply comes with it. Once for a session.
        21 Wait { connection: u64, session: u64 }
        /// The session's channel is closed.
        22 Leave { connection: u64, session: u64 }
    }
}

messages! {
    /// What the keeper says to a request.
    Reply {
        /// Not in this state, or not permitted.
        1 Refused {}
        /// Done; a descriptor may come with it.
        2 Done {}
        /// A signature, or several.
        3 Signed { bytes: Bytes }
        /// Who it is: the account when it may log in, else the reason, which is none for a name that nobody has.
        4 Known {
            account: Option<Account>,
            unknown: bool,
            refused: Option<String>,
            host: Option<String>,
            groups: Vec<String>,
            passwords: bool,
            banner: Option<Bytes>,
        }
        /// What a login message proved.
        5 Judged { accepted: bool, grants: Option<Grants>, refusal: Option<KeyRefusal> }
        /// The system's error: its number, 0 for one that has none.
        6 Failed { code: u32, words: String }
        /// Addresses.
        7 Found { addresses: Vec<SocketAddr> }
        /// A terminal was made: its device; this end of it comes along.
        8 Terminal { name: Bytes }
        /// This runs now; stdin, stdout and stderr come along where it has no terminal.
        9 Started { command: Option<Vec<u8>>, forced: bool }
        /// What was started has ended.
        10 Exited { exit: Exit }
    }
}

messages! {
    /// What the keeper wants.
    Order {
        /// Become this user, with this root, and serve; settings and listening sockets come with it.
        1 Begin {
            uid: u32,
            gid: u32,
            root: String,
            single: bool,
            watchdog: Option<u64>,
            names: Vec<Option<String>>,
        }
        /// Other settings, which come with it.
        2 Reload {}
        /// End, because of a signal.
        3 Stop { signal: u32 }
    }
}

/// Something the keeper sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Reply(u32, Reply),
    Order(Order),
}

impl Heard {
    /// # Errors
    /// [`Malformed`]
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        match bytes.get(1..5) {
            Some([0, 0, 0, 0]) => Ok(Self::Order(Order::decode(bytes)?.1)),
            _ => Reply::decode(bytes).map(|(id, reply)| Self::Reply(id, reply)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn requests() -> impl Strategy<Value = Request> {
        let address = any::<(std::net::IpAddr, u16)>().prop_map(SocketAddr::from);
        let bytes = || bytes().prop_map(Bytes);
        let text = || ".{0,40}";
        let connection = any::<u64>();
        let addresses =
            (proptest::option::of(address.clone()), proptest::option::of(address.clone()));
        prop_oneof![
            (connection, text(), bytes()).prop_map(|(connection, algorithm, hash)| Request::Sign {
                connection,
                algorithm,
                hash
            }),
            (connection, text(), addresses).prop_map(|(connection, user, (remote, local))| {
                Request::WhoIs { connection, user, remote, local }
            }),
            (connection, bytes()).prop_map(|(connection, Bytes(message))| Request::Login {
                connection,
                message: Private(Zeroizing::new(message)),
            }),
            (connection, text(), bytes()).prop_map(|(connection, algorithm, keys)| {
                Request::Prove { connection, algorithm, keys }
            }),
            (connection, text())
                .prop_map(|(connection, path)| Request::ConnectUnix { connection, path }),
            (connection, text())
                .prop_map(|(connection, path)| Request::ListenUnix { connection, path }),
            (connection, text())
                .prop_map(|(connection, path)| Request::UnlinkUnix { connection, path }),
            (connection, text(), address.clone()).prop_map(|(connection, asked, address)| {
                Request::ListenTcp { connection, asked, address }
            }),
            connection.prop_map(|connection| Request::Gone { connection }),
            (text(), any::<u16>(), any::<u8>()).prop_map(|(host, port, family)| Request::LookUp {
                host,
                port,
                family
            }),
            Just(Request::Addresses {}),
            address.prop_map(|address| Request::Bind { address }),
            text().prop_map(|status| Request::Ready { status }),
            Just(Request::Alive {}),
            Just(Request::Stopping {}),
            (any::<u8>(), text()).prop_map(|(level, line)| Request::Log { level, line }),
            text().prop_map(|words| Request::Fatal { words }),
            sessions(),
        ]
    }

    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(any::<u8>(), 0..80)
    }

    /// What is asked for a session's sake.
    fn sessions() -> impl Strategy<Value = Request> {
        let text = || ".{0,40}";
        let size = any::<[u32; 4]>().prop_map(|size| WindowChange {
            width_characters: size[0],
            height_rows: size[1],
            width_pixels: size[2],
            height_pixels: size[3],
        });
        let wish = (text(), size, bytes());
        let wish = wish.prop_map(|(term, size, modes)| TerminalWish { term, size, modes });
        let kind =
            prop_oneof![Just(Kind::Shell), Just(Kind::Exec), text().prop_map(Kind::Subsystem)];
        let environment = proptest::collection::vec(("[A-Z]{1,4}", "[ -~]{0,20}"), 0..10);
        let environment = environment.prop_map(|pairs| {
            let mut environment = Environment::default();
            pairs.iter().for_each(|(name, value)| environment.set(name, value));
            environment
        });
        let asked = (kind, proptest::option::of(bytes()), environment);
        let asked =
            asked.prop_map(|(kind, command, environment)| Asked { kind, command, environment });
        let ids = any::<(u64, u64)>();
        prop_oneof![
            (ids, wish).prop_map(|((connection, session), wish)| {
                Request::OpenTerminal { connection, session, wish }
            }),
            (ids, asked).prop_map(|((connection, session), asked)| {
                Request::Start { connection, session, asked }
            }),
            (ids, text()).prop_map(|((connection, session), name)| {
                Request::Signal { connection, session, name }
            }),
            ids.prop_map(|(connection, session)| Request::Wait { connection, session }),
            ids.prop_map(|(connection, session)| Request::Leave { connection, session }),
        ]
    }

    proptest! {
        #[test]
        fn every_request_comes_out_as_it_went_in_and_no_shorter(request in requests(), id: u32) {
            let bytes = request.encode(id);
            prop_assert_eq!(Request::decode(&bytes), Ok((id, request)));
            for length in 0..bytes.len() {
                prop_assert_eq!(Request::decode(&bytes[..length]), Err(Malformed));
            }
            let mut longer = bytes.to_vec();
            longer.push(0);
            prop_assert_eq!(Request::decode(&longer), Err(Malformed));
        }

        #[test]
        fn any_bytes_are_a_message_or_none(mut bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = (Request::decode(&bytes), Heard::decode(&bytes));
            if let Some(first) = bytes.first_mut() {
                *first = VERSION;
            }
            let _ = (Request::decode(&bytes), Heard::decode(&bytes));
        }
    }

    #[test]
    fn what_the_keeper_says_comes_out_as_it_went_in() {
        let system = SystemAccount {
            uid: 7,
            gid: 8,
            gids: vec![8, 9],
            home: OsString::from_vec(b"/home/\xff".to_vec()).into(),
            shell: "/bin/sh".into(),
        };
        let (name, groups) = ("ada".to_owned(), vec!["staff".to_owned()]);
        let account = Account { name, groups, system: Some(system) };
        let replies = [
            Reply::Refused {},
            Reply::Done {},
            Reply::Signed { bytes: Bytes(vec![1, 2]) },
            Reply::Known {
                account: Some(account),
                unknown: false,
                refused: Some("AllowUsers".into()),
                host: None,
                groups: Vec::new(),
                passwords: true,
                banner: Some(Bytes(b"hello".to_vec())),
            },
            Reply::Judged {
                accepted: true,
                grants: Some(Grants::everything("file:1")),
                refusal: Some(KeyRefusal::Foreign("none of ours".into())),
            },
            Reply::Judged { accepted: false, grants: None, refusal: Some(KeyRefusal::Root) },
            Reply::Judged {
                accepted: false,
                grants: None,
                refusal: Some(KeyRefusal::Flawed("x".into())),
            },
            Reply::Failed { code: 13, words: "no".into() },
            Reply::Found { addresses: vec!["[::1]:22".parse().unwrap()] },
            Reply::Terminal { name: Bytes(b"/dev/pts/7".to_vec()) },
            Reply::Started { command: None, forced: false },
            Reply::Started { command: Some(b"menu \xff".to_vec()), forced: true },
            Reply::Exited { exit: Exit::Status(7) },
            Reply::Exited { exit: Exit::Signal { number: 9, core_dumped: true } },
        ];
        for reply in replies {
            assert_eq!(Heard::decode(&reply.encode(7)), Ok(Heard::Reply(7, reply)));
        }
        let begin = Order::Begin {
            uid: 1,
            gid: 2,
            root: "/var/empty".into(),
            single: true,
            watchdog: Some(5),
            names: vec![None, Some("ssh".into())],
        };
        for order in [begin, Order::Reload {}, Order::Stop { signal: 15 }] {
            assert_eq!(Heard::decode(&order.encode(0)), Ok(Heard::Order(order)));
        }
    }

    #[test]
    fn another_version_and_a_message_too_long_are_none() {
        let mut bytes = Request::Alive {}.encode(1).to_vec();
        bytes[0] = VERSION + 1;
        assert_eq!(Request::decode(&bytes), Err(Malformed));
        let request = |length| Request::Ready { status: "x".repeat(length) }.encode(0);
        assert!(Request::decode(&request(MAX_LENGTH - 10)).is_ok());
        assert_eq!(Request::decode(&request(MAX_LENGTH - 9)), Err(Malformed));
    }

    #[test]
    fn an_environment_larger_than_any_and_an_exit_of_two_kinds_are_none() {
        let start = |count: usize| {
            let mut bytes = vec![VERSION, 0, 0, 0, 1, 19];
            (1_u64, 1_u64).put(&mut bytes);
            Kind::Shell.put(&mut bytes);
            None::<Vec<u8>>.put(&mut bytes);
            vec![(Bytes(b"A".to_vec()), Bytes::default()); count].put(&mut bytes);
            Request::decode(&bytes).is_ok()
        };
        assert!(start(MAX_ACCEPTED) && !start(MAX_ACCEPTED + 1));
        let mut bytes = vec![VERSION, 0, 0, 0, 9, 10];
        (false, (0_u32, true)).put(&mut bytes);
        assert_eq!(Heard::decode(&bytes), Err(Malformed), "a status with an image");
    }

    #[test]
    fn a_count_of_more_than_there_is_allocates_nothing() {
        let mut bytes = vec![VERSION, 0, 0, 0, 9, 7];
        bytes.extend_from_slice(&u32::MAX.to_be_bytes());
        assert_eq!(Heard::decode(&bytes), Err(Malformed));
    }
}
