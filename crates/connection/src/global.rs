//! Global requests, both ways, and replies that have nothing but their order. RFC 4254 §4, §7.1, OpenSSH PROTOCOL §2.
//! Touches: two queues, the forwards asked for.   Never: listeners, keys.
//! Invariants: a reply belongs to the oldest request without one; our replies leave in the order of the requests.
//! Errors: `RequestError`; `UnsolicitedReply`, `TooManyRequests`, `PortImpossible`.
//! Allocates: an entry per request that waits; none when idle.
//! Proved by: `tests` below, `pair`.

use crate::connection::{Connection, Out, Side, decode};
use crate::event::{Event, Outcome};
use crate::forward::Forward;
use crate::violation::Violation;
use adit_wire::global_request::{
    BoundPort, GlobalRequest, RequestFailure, RequestSuccess, StreamlocalForward, TcpipForward,
    name,
};
use adit_wire::transport::Debug;
use adit_wire::{Body, DecodeError, Field, Message, Reader, Rest};
use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::fmt;

/// A global request of ours; that of a forward names the forward as long as it lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(u64);

#[cfg(test)]
impl RequestId {
    pub(crate) const fn of(number: u64) -> Self {
        Self(number)
    }
}

/// A global request of the peer's, to be answered once.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[must_use = "replies leave in order: a request without one holds back all later ones"]
pub struct ReplyToken(Option<u64>);

impl ReplyToken {
    /// Whether the peer waits for the answer.
    pub const fn is_awaited(&self) -> bool {
        self.0.is_some()
    }
}

/// The answer to a global request of the peer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer<'a> {
    /// REQUEST_FAILURE
    Failure,
    /// REQUEST_SUCCESS
    Success,
    /// REQUEST_SUCCESS with the port allocated: for a forward of port 0, and only for that. RFC 4254 §7.1.
    Port(u32),
    /// REQUEST_SUCCESS with these bytes, e.g. signatures. OpenSSH PROTOCOL §2.5.
    Data(&'a [u8]),
}

/// Why a global request cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestError {
    /// The peer has left too many requests unanswered.
    TooManyPending,
    /// No such forward: never asked for, refused, or cancelled before.
    NoSuchForward,
    /// The port of the forward is not known before its request is answered.
    PortNotKnown,
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooManyPending => "too many requests without an answer",
            Self::NoSuchForward => "no such forward",
            Self::PortNotKnown => "the port of the forward is not known yet",
        })
    }
}

impl core::error::Error for RequestError {}

/// Most requests that may wait for a reply, either way.
const MOST_WAITING: usize = 4096;

/// Requests of ours without a reply, oldest first.
#[derive(Debug)]
pub(crate) struct Pending {
    queue: VecDeque<(RequestId, Expect)>,
    next: u64,
}

/// What a reply means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expect {
    /// A forward of this port, 0 if the reply names it.
    Forward { port: u32, awaits_port: bool },
    /// Nothing in particular.
    Any,
}

impl Pending {
    pub(crate) const fn new() -> Self {
        Self { queue: VecDeque::new(), next: 0 }
    }

    /// Keeps no more memory than it needs.
    pub(crate) fn rest(&mut self) {
        self.queue.shrink_to_fit();
    }

    fn add(&mut self, expect: Expect) -> Result<RequestId, RequestError> {
        if self.queue.len() >= MOST_WAITING {
            return Err(RequestError::TooManyPending);
        }
        let id = RequestId(self.next);
        self.next += 1;
        self.queue.push_back((id, expect));
        Ok(id)
    }

    fn answered(&mut self) -> Result<(RequestId, Expect), Violation> {
        let front = self.queue.pop_front().ok_or(Violation::UnsolicitedReply);
        if self.queue.is_empty() {
            self.queue = VecDeque::new();
        }
        front
    }
}

/// Requests of the peer's in order, with the answers that cannot leave before an older one does.
#[derive(Debug)]
pub(crate) struct Unanswered {
    queue: VecDeque<Option<Result<Box<[u8]>, ()>>>,
    /// Number of the oldest.
    front: u64,
}

impl Unanswered {
    pub(crate) const fn new() -> Self {
        Self { queue: VecDeque::new(), front: 0 }
    }

    /// Keeps no more memory than it needs.
    pub(crate) fn rest(&mut self) {
        self.queue.shrink_to_fit();
    }

    fn enter(&mut self, want_reply: bool) -> Result<ReplyToken, Violation> {
        if !want_reply {
            return Ok(ReplyToken(None));
        }
        if self.queue.len() >= MOST_WAITING {
            return Err(Violation::TooManyRequests);
        }
        self.queue.push_back(None);
        Ok(ReplyToken(Some(self.front + self.queue.len() as u64 - 1)))
    }

    fn settle(&mut self, token: ReplyToken, answer: Result<Box<[u8]>, ()>, out: &mut Out) {
        let Some(number) = token.0 else { return };
        let at = number.checked_sub(self.front).and_then(|at| usize::try_from(at).ok());
        if let Some(waiting) = at.and_then(|at| self.queue.get_mut(at)) {
            *waiting = Some(answer);
        }
        while let Some(Some(answer)) = self.queue.front() {
            match answer {
                Ok(data) => out.answer(&RequestSuccess { data: Rest(data) }),
                Err(()) => out.answer(&RequestFailure {}),
            }
            self.queue.pop_front();
            self.front += 1;
        }
        if self.queue.is_empty() {
            self.queue = VecDeque::new();
        }
    }
}

/// Requests of ours.
impl Connection {
    /// Asks the server to listen: [`Event::Reply`] answers. The id names the forward from now on.
    ///
    /// # Errors
    /// [`RequestError::TooManyPending`].
    pub fn request_forward(&mut self, forward: Forward<'_>) -> Result<RequestId, RequestError> {
        let expect = Expect::Forward { port: forward.port(), awaits_port: forward.awaits_port() };
        let id = self.ask(forward.request_name(), expect, |out| forward.encode_body(out))?;
        self.forwards.add(id, forward);
        Ok(id)
    }

    /// Asks the server to stop listening. From now on no connection from there is accepted; those open stay.
    ///
    /// # Errors
    /// [`RequestError`], also while the port the server chose is not known.
    pub fn cancel_forward(&mut self, forward: RequestId) -> Result<RequestId, RequestError> {
        let asked = self.forwards.get(forward).ok_or(RequestError::NoSuchForward)?.clone();
        if asked.awaits_port() {
            return Err(RequestError::PortNotKnown);
        }
        let id = self.ask(asked.cancel_name(), Expect::Any, |out| asked.encode_body(out))?;
        self.forwards.remove(forward);
        Ok(id)
    }

    /// Asks for an answer, whichever it is: to see that the peer is there, and how long the way is.
    ///
    /// # Errors
    /// [`RequestError::TooManyPending`].
    pub fn keepalive(&mut self) -> Result<RequestId, RequestError> {
        self.ask(name::KEEPALIVE, Expect::Any, |_| ())
    }

    /// Asks the server to prove that it has these host keys. The answer carries one signature each, as strings.
    ///
    /// # Errors
    /// [`RequestError::TooManyPending`].
    pub fn prove_host_keys(&mut self, keys: &[&[u8]]) -> Result<RequestId, RequestError> {
        self.ask(name::HOSTKEYS_PROVE, Expect::Any, |out| encode_strings(keys, out))
    }

    /// Tells the server that no session will be opened from now on. OpenSSH PROTOCOL §2.2.
    pub fn no_more_sessions(&mut self) {
        self.tell(name::NO_MORE_SESSIONS, |_| ());
    }

    /// Tells the client all host keys of this server. OpenSSH PROTOCOL §2.5.
    pub fn announce_host_keys(&mut self, keys: &[&[u8]]) {
        self.tell(name::HOSTKEYS, |out| encode_strings(keys, out));
    }

    fn ask(
        &mut self,
        request_name: &str,
        expect: Expect,
        body: impl FnOnce(&mut Vec<u8>),
    ) -> Result<RequestId, RequestError> {
        let id = self.pending.add(expect)?;
        self.say_request(request_name, true, body);
        Ok(id)
    }

    fn tell(&mut self, request_name: &str, body: impl FnOnce(&mut Vec<u8>)) {
        self.say_request(request_name, false, body);
    }

    fn say_request(
        &mut self,
        request_name: &str,
        want_reply: bool,
        body: impl FnOnce(&mut Vec<u8>),
    ) {
        self.out.say_with(|out| {
            GlobalRequest { request_name, want_reply, data: Rest(&[]) }.encode(out);
            body(out);
        });
    }

    pub(crate) fn handle_request_success(
        &mut self,
        payload: &[u8],
    ) -> Result<Option<Event>, Violation> {
        let data = decode::<RequestSuccess<'_>>(payload)?.data.0;
        let (request, expect) = self.pending.answered()?;
        let outcome = match expect {
            Expect::Forward { awaits_port: true, .. } => {
                let port = allocated_port(data)?;
                self.forwards.set_port(request, port);
                Outcome::Listening { port }
            }
            Expect::Forward { port, .. } => Outcome::Listening { port },
            Expect::Any => Outcome::Done { offset: payload.len() - data.len(), len: data.len() },
        };
        Ok(Some(Event::Reply { request, outcome }))
    }

    pub(crate) fn handle_request_failure(
        &mut self,
        payload: &[u8],
    ) -> Result<Option<Event>, Violation> {
        decode::<RequestFailure>(payload)?;
        // Dropbear's client before 2022 refuses also what wants no reply, such as the list of host keys.
        if self.config.side == Side::Server && self.pending.queue.is_empty() {
            return Ok(None);
        }
        let (request, _) = self.pending.answered()?;
        self.forwards.remove(request);
        Ok(Some(Event::Reply { request, outcome: Outcome::Refused }))
    }
}

/// Requests of the peer's.
impl Connection {
    /// Answers a request of the peer's. It leaves once all older ones are answered.
    pub fn reply(&mut self, token: ReplyToken, answer: Answer<'_>) {
        let answer = match answer {
            Answer::Failure => Err(()),
            Answer::Success => Ok(Box::default()),
            Answer::Port(port) => Ok(port.to_be_bytes().into()),
            Answer::Data(data) => Ok(data.into()),
        };
        self.unanswered.settle(token, answer, &mut self.out);
    }

    /// Says in SSH_MSG_DEBUG what the answer to a request has no room for. RFC 4253 §11.3.
    ///
    /// It counts as an answer: a peer that causes many and reads none is given up.
    pub fn explain(&mut self, words: &str) {
        self.out.answer(&Debug {
            always_display: false,
            message: words.as_bytes(),
            language_tag: b"",
        });
    }

    pub(crate) fn handle_global_request(
        &mut self,
        payload: &[u8],
    ) -> Result<Option<Event>, Violation> {
        let request = decode::<GlobalRequest<'_>>(payload)?;
        let body = request.data.0;
        let (offset, len) = (payload.len() - body.len(), body.len());
        let token = self.unanswered.enter(request.want_reply)?;
        match (request.request_name, self.config.side) {
            (name::TCPIP_FORWARD, Side::Server) => Ok(self.listen(token, tcpip(body)?)),
            (name::STREAMLOCAL_FORWARD, Side::Server) => Ok(self.listen(token, streamlocal(body)?)),
            (name::CANCEL_TCPIP_FORWARD, Side::Server) => {
                let forward = Box::new(tcpip(body)?);
                Ok(Some(Event::CancelForwardRequested { token, forward }))
            }
            (name::CANCEL_STREAMLOCAL_FORWARD, Side::Server) => {
                let forward = Box::new(streamlocal(body)?);
                Ok(Some(Event::CancelForwardRequested { token, forward }))
            }
            (name::HOSTKEYS_PROVE, Side::Server) => {
                Ok(Some(Event::HostKeysProve { token, offset, len }))
            }
            (name::NO_MORE_SESSIONS, Side::Server) => {
                self.no_more_sessions = true;
                self.reply(token, Answer::Success);
                Ok(None)
            }
            (name::HOSTKEYS, Side::Client) => {
                self.reply(token, Answer::Success);
                Ok(Some(Event::HostKeys { offset, len }))
            }
            // Also a keepalive: it asks for an answer, whichever.
            _ => {
                self.reply(token, Answer::Failure);
                Ok(None)
            }
        }
    }

    /// Puts a forward before the application, unless it could only fail.
    fn listen(&mut self, token: ReplyToken, forward: Forward<'static>) -> Option<Event> {
        if forward.is_possible() {
            return Some(Event::ForwardRequested { token, forward: Box::new(forward) });
        }
        self.reply(token, Answer::Failure);
        None
    }
}

/// What a server signs with a host key to prove that it holds it. OpenSSH PROTOCOL §2.5.
///
/// `string "hostkeys-prove-00@openssh.com" · string session identifier · string key blob`
pub fn host_key_proof(session_id: &[u8], key: &[u8]) -> Vec<u8> {
    let mut message = Vec::new();
    name::HOSTKEYS_PROVE.encode(&mut message);
    session_id.encode(&mut message);
    key.encode(&mut message);
    message
}

/// The keys of an [`Event::HostKeys`] or [`Event::HostKeysProve`], or the signatures of the answer to the latter.
pub fn host_keys(list: &[u8]) -> impl Iterator<Item = Result<&[u8], DecodeError>> {
    let mut reader = Reader::new(list);
    core::iter::from_fn(move || {
        if reader.remaining() == 0 {
            return None;
        }
        let key = reader.string();
        if key.is_err() {
            reader.rest();
        }
        Some(key)
    })
}

fn encode_strings(strings: &[&[u8]], out: &mut Vec<u8>) {
    for string in strings {
        string.encode(out);
    }
}

fn malformed_request(error: DecodeError) -> Violation {
    Violation::Malformed { number: GlobalRequest::NUMBER, error }
}

fn tcpip(body: &[u8]) -> Result<Forward<'static>, Violation> {
    let body = TcpipForward::decode(body).map_err(malformed_request)?;
    let address = Cow::Owned(body.address_to_bind.into());
    Ok(Forward::Tcpip { address, port: body.port_number_to_bind })
}

fn streamlocal(body: &[u8]) -> Result<Forward<'static>, Violation> {
    let body = StreamlocalForward::decode(body).map_err(malformed_request)?;
    Ok(Forward::Streamlocal { path: Cow::Owned(body.socket_path.into()) })
}

fn allocated_port(data: &[u8]) -> Result<u32, Violation> {
    let malformed = |error| Violation::Malformed { number: RequestSuccess::NUMBER, error };
    match BoundPort::decode(data).map_err(malformed)?.port {
        port @ 1..=0xffff => Ok(port),
        port => Err(Violation::PortImpossible(port)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::open::Open;
    use crate::script::{Script, body};

    fn asks<'a>(request_name: &'a str, want_reply: bool, body: &'a [u8]) -> GlobalRequest<'a> {
        GlobalRequest { request_name, want_reply, data: Rest(body) }
    }

    fn tcpip_body(address_to_bind: &str, port_number_to_bind: u32) -> Vec<u8> {
        body(&TcpipForward { address_to_bind, port_number_to_bind })
    }

    const SUCCESS: RequestSuccess<'_> = RequestSuccess { data: Rest(b"") };
    const FAILURE: RequestFailure = RequestFailure {};

    /// The token of a forward request just heard.
    fn heard_forward(script: &mut Script, port: u32) -> ReplyToken {
        let body = tcpip_body("localhost", port);
        match script.hear(&asks(name::TCPIP_FORWARD, true, &body)) {
            Some(Event::ForwardRequested { token, forward }) => {
                assert_eq!(*forward, Forward::tcpip("localhost", port));
                token
            }
            event => panic!("{event:?}"),
        }
    }

    #[test]
    fn a_token_tells_whether_its_answer_is_awaited() {
        let mut script = Script::server();
        for want_reply in [true, false] {
            let body = tcpip_body("localhost", 0);
            match script.hear(&asks(name::TCPIP_FORWARD, want_reply, &body)) {
                Some(Event::ForwardRequested { token, .. }) => {
                    assert_eq!(token.is_awaited(), want_reply);
                }
                event => panic!("{event:?}"),
            }
        }
    }

    #[test]
    fn a_refusal_is_explained_before_it() {
        let mut script = Script::server();
        let token = heard_forward(&mut script, 80);
        script.us.explain("not here");
        script.us.reply(token, Answer::Failure);
        let message = b"not here";
        script.expect(&Debug { always_display: false, message, language_tag: b"" });
        script.expect(&RequestFailure {});
    }

    #[test]
    fn a_forward_is_asked_for_and_cancelled_as_it_was_sent() {
        let mut script = Script::client();
        let forward = script.us.request_forward(Forward::tcpip("localhost", 8080)).unwrap();
        script.expect(&asks(name::TCPIP_FORWARD, true, &tcpip_body("localhost", 8080)));
        let outcome = Outcome::Listening { port: 8080 };
        assert_eq!(script.hear(&SUCCESS), Some(Event::Reply { request: forward, outcome }));
        let cancel = script.us.cancel_forward(forward).unwrap();
        script.expect(&asks(name::CANCEL_TCPIP_FORWARD, true, &tcpip_body("localhost", 8080)));
        assert_eq!(script.us.cancel_forward(forward), Err(RequestError::NoSuchForward));
        let outcome = Outcome::Refused;
        assert_eq!(script.hear(&FAILURE), Some(Event::Reply { request: cancel, outcome }));
    }

    #[test]
    fn a_path_is_asked_for_and_cancelled() {
        let mut script = Script::client();
        let forward = script.us.request_forward(Forward::streamlocal("/run/x")).unwrap();
        let path = body(&StreamlocalForward { socket_path: "/run/x" });
        script.expect(&asks(name::STREAMLOCAL_FORWARD, true, &path));
        let outcome = Outcome::Listening { port: 0 };
        assert_eq!(script.hear(&SUCCESS), Some(Event::Reply { request: forward, outcome }));
        script.us.cancel_forward(forward).unwrap();
        script.expect(&asks(name::CANCEL_STREAMLOCAL_FORWARD, true, &path));
    }

    #[test]
    fn the_port_the_server_chose_is_the_one_to_cancel() {
        let mut script = Script::client();
        let forward = script.us.request_forward(Forward::tcpip("", 0)).unwrap();
        script.said();
        assert_eq!(script.us.cancel_forward(forward), Err(RequestError::PortNotKnown));
        let port = body(&BoundPort { port: 40000 });
        let outcome = Outcome::Listening { port: 40000 };
        let event = script.hear(&RequestSuccess { data: Rest(&port) });
        assert_eq!(event, Some(Event::Reply { request: forward, outcome }));
        let open = Open::forwarded_tcpip("", 40000, "", 0);
        assert_eq!(script.us.forwards.asked_for(&open), Some(forward));
        script.us.cancel_forward(forward).unwrap();
        script.expect(&asks(name::CANCEL_TCPIP_FORWARD, true, &tcpip_body("", 40000)));
    }

    /// Some servers name the port also when it was asked for.
    #[test]
    fn a_port_named_without_need_is_let_pass() {
        let mut script = Script::client();
        let forward = script.us.request_forward(Forward::tcpip("", 8080)).unwrap();
        let port = body(&BoundPort { port: 1 });
        let outcome = Outcome::Listening { port: 8080 };
        let event = script.hear(&RequestSuccess { data: Rest(&port) });
        assert_eq!(event, Some(Event::Reply { request: forward, outcome }));
    }

    #[test]
    fn an_allocated_port_no_one_can_listen_on_is_a_violation() {
        for port in [0, 65_536] {
            let mut script = Script::client();
            script.us.request_forward(Forward::tcpip("", 0)).unwrap();
            let port_body = body(&BoundPort { port });
            let violation = script.hear_badly(&RequestSuccess { data: Rest(&port_body) });
            assert_eq!(violation, Violation::PortImpossible(port));
        }
        let mut script = Script::client();
        script.us.request_forward(Forward::tcpip("", 0)).unwrap();
        let error = DecodeError::Truncated;
        assert_eq!(script.hear_badly(&SUCCESS), Violation::Malformed { number: 81, error });
    }

    #[test]
    fn a_refused_forward_accepts_nothing() {
        let mut script = Script::client();
        let forward = script.us.request_forward(Forward::tcpip("", 80)).unwrap();
        let outcome = Outcome::Refused;
        assert_eq!(script.hear(&FAILURE), Some(Event::Reply { request: forward, outcome }));
        let open = Open::forwarded_tcpip("", 80, "", 0);
        assert_eq!(script.us.forwards.asked_for(&open), None);
        assert_eq!(script.us.cancel_forward(forward), Err(RequestError::NoSuchForward));
    }

    #[test]
    fn replies_belong_to_requests_in_order_through_a_thousand_adds_and_cancels() {
        let (mut client, mut server) = (Script::client(), Script::server());
        let (mut asked, mut held, mut expected) = (Vec::new(), Vec::new(), Vec::new());
        // Any sequence will do, as long as it is the same each time.
        let mut dice = 12_345_u32;
        let mut roll = |sides: u32| {
            dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (dice >> 16) % sides
        };
        for turn in 0..1000 {
            let cancel = asked.len() > 3 && roll(2) == 0;
            let request = match cancel {
                true => {
                    let at = roll(asked.len() as u32) as usize;
                    client.us.cancel_forward(asked.swap_remove(at)).unwrap()
                }
                false => {
                    let id = client.us.request_forward(Forward::tcpip("a", 1000 + turn)).unwrap();
                    asked.push(id);
                    id
                }
            };
            match server.us.handle(&client.said()).unwrap() {
                Some(
                    Event::ForwardRequested { token, .. }
                    | Event::CancelForwardRequested { token, .. },
                ) => held.push((token, cancel || roll(4) > 0)),
                event => panic!("{event:?}"),
            }
            expected.push((request, held.last().is_some_and(|held| held.1)));
        }
        while !held.is_empty() {
            let (token, success) = held.swap_remove(roll(held.len() as u32) as usize);
            let answer = if success { Answer::Success } else { Answer::Failure };
            server.us.reply(token, answer);
        }
        for (request, success) in expected {
            let Some(Event::Reply { request: answered, outcome }) =
                client.us.handle(&server.said()).unwrap()
            else {
                panic!("a reply")
            };
            assert_eq!((answered, outcome != Outcome::Refused), (request, success));
        }
        server.expect_silence();
        assert_eq!(client.hear_badly(&SUCCESS), Violation::UnsolicitedReply);
    }

    #[test]
    fn an_unsolicited_reply_is_a_violation() {
        assert_eq!(Script::client().hear_badly(&SUCCESS), Violation::UnsolicitedReply);
        assert_eq!(Script::server().hear_badly(&SUCCESS), Violation::UnsolicitedReply);
    }

    #[test]
    fn a_client_may_refuse_what_wants_no_reply() {
        assert_eq!(Script::server().hear(&FAILURE), None);
        assert_eq!(Script::client().hear_badly(&FAILURE), Violation::UnsolicitedReply);
    }

    #[test]
    fn a_reply_waits_for_the_older_ones() {
        let mut script = Script::server();
        let (first, second) = (heard_forward(&mut script, 0), heard_forward(&mut script, 22));
        script.hear(&asks("unknown@example.com", true, b""));
        script.us.reply(second, Answer::Failure);
        script.expect_silence();
        script.us.reply(first, Answer::Port(40000));
        script.expect(&RequestSuccess { data: Rest(&40000_u32.to_be_bytes()) });
        script.expect(&FAILURE);
        script.expect(&FAILURE);
        script.expect_silence();
    }

    #[test]
    fn a_keepalive_is_answered_by_both_sides() {
        for mut script in [Script::client(), Script::server()] {
            let mut other = Script::server();
            let request = other.us.keepalive().unwrap();
            assert_eq!(script.us.handle(&other.said()), Ok(None));
            let outcome = Outcome::Refused;
            let reply = other.us.handle(&script.said());
            assert_eq!(reply, Ok(Some(Event::Reply { request, outcome })));
        }
    }

    #[test]
    fn unknown_requests_are_refused_if_a_reply_is_wanted() {
        let mut script = Script::client();
        assert_eq!(script.hear(&asks("x@example.com", false, b"?")), None);
        script.expect_silence();
        assert_eq!(script.hear(&asks("x@example.com", true, b"?")), None);
        script.expect(&FAILURE);
        // What only a server serves is unknown to a client.
        let body = tcpip_body("", 80);
        assert_eq!(script.hear(&asks(name::TCPIP_FORWARD, true, &body)), None);
        script.expect(&FAILURE);
    }

    #[test]
    fn a_cancel_reaches_the_application_and_a_request_without_reply_gets_none() {
        let mut script = Script::server();
        let body = tcpip_body("localhost", 80);
        let event = script.hear(&asks(name::CANCEL_TCPIP_FORWARD, false, &body));
        let Some(Event::CancelForwardRequested { token, forward }) = event else { panic!() };
        assert_eq!(*forward, Forward::tcpip("localhost", 80));
        script.us.reply(token, Answer::Success);
        script.expect_silence();
    }

    #[test]
    fn a_forward_that_can_not_be_is_refused_without_asking() {
        let mut script = Script::server();
        let body = tcpip_body("localhost", 65_536);
        assert_eq!(script.hear(&asks(name::TCPIP_FORWARD, true, &body)), None);
        script.expect(&FAILURE);
    }

    #[test]
    fn a_request_body_that_does_not_decode_is_malformed() {
        let mut body = tcpip_body("localhost", 1);
        body.pop();
        let violation = Script::server().hear_badly(&asks(name::TCPIP_FORWARD, true, &body));
        let error = DecodeError::Truncated;
        assert_eq!(violation, Violation::Malformed { number: 80, error });
    }

    #[test]
    fn host_keys_are_announced_and_proven() {
        let (mut client, mut server) = (Script::client(), Script::server());
        server.us.announce_host_keys(&[b"one", b"two"]);
        let said = server.said();
        let Ok(Some(Event::HostKeys { offset, len })) = client.us.handle(&said) else { panic!() };
        let keys: Vec<_> = host_keys(&said[offset..offset + len]).collect();
        assert_eq!(keys, [Ok(&b"one"[..]), Ok(&b"two"[..])]);
        client.expect_silence();

        let request = client.us.prove_host_keys(&[b"two"]).unwrap();
        let said = client.said();
        let event = server.us.handle(&said);
        let Ok(Some(Event::HostKeysProve { token, offset, len })) = event else { panic!() };
        assert!(host_keys(&said[offset..offset + len]).eq([Ok(&b"two"[..])]));
        server.us.reply(token, Answer::Data(b"signature"));
        let said = server.said();
        let Ok(Some(Event::Reply { request: answered, outcome })) = client.us.handle(&said) else {
            panic!()
        };
        assert_eq!(answered, request);
        let Outcome::Done { offset, len } = outcome else { panic!() };
        assert_eq!(&said[offset..offset + len], b"signature");
    }

    #[test]
    fn a_key_list_cut_short_ends_with_an_error() {
        let keys: Vec<_> = host_keys(&[0, 0, 0, 1, b'k', 0, 0, 0, 9]).collect();
        assert_eq!(keys, [Ok(&b"k"[..]), Err(DecodeError::Truncated)]);
    }

    #[test]
    fn no_session_is_opened_after_the_client_said_so() {
        let (mut client, mut server) = (Script::client(), Script::server());
        client.us.no_more_sessions();
        assert_eq!(server.us.handle(&client.said()), Ok(None));
        server.expect_silence();
        client.us.open(&Open::Session).unwrap();
        assert_eq!(server.us.handle(&client.said()), Ok(None));
        let failure = server.said();
        assert!(matches!(client.us.handle(&failure), Ok(Some(Event::OpenFailed { .. }))));
    }

    #[test]
    fn requests_nobody_answers_are_bounded_both_ways() {
        let mut script = Script::client();
        for _ in 0..MOST_WAITING {
            script.us.keepalive().unwrap();
        }
        assert_eq!(script.us.keepalive(), Err(RequestError::TooManyPending));

        let mut script = Script::server();
        for _ in 0..MOST_WAITING {
            let _unanswered = heard_forward(&mut script, 80);
        }
        let violation = script.hear_badly(&asks("x", true, b""));
        assert_eq!(violation, Violation::TooManyRequests);
    }
}
