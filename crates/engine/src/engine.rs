//! The engine: one side of an SSH connection. RFC 4251 §1.
//! Touches: the three layers.   Never: anything outside them.
//! Invariants: ranges of message numbers route to layers, and nothing else does; control messages go before data.
//! Errors: [`Error`]; the DISCONNECT it calls for is in `tx` already.   Allocates: for rare events.
//! Proved by: `tests/*.rs`.

use crate::batch::{Batch, Blocked};
use crate::config::{ClientConfig, ServerConfig};
use crate::error::Error;
use crate::event::{Event, Outcome};
use crate::keepalive::{Due, Keepalive, Silence};
use crate::login::Login;
use crate::round_trip::{Question, RoundTrip};
use adit_buf::{RxBuf, Span, TxRing};
use adit_connection::{
    Answer, Channel, ChannelRequestId, Connection, Forward, Open, OpenError, Purse, ReplyToken,
    Request, RequestError, RequestId, Sendable,
};
use adit_crypto::Random;
use adit_transport::{Counters, HostKeys, Incoming, Negotiated, Transport};
use adit_wire::Message;
use adit_wire::transport::{ExtInfo, reason};
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

/// What a ping of ours carries; the pong brings it back.
const PING: &[u8] = b"adit";

/// One side of a connection, client or server.
#[derive(Debug)]
pub struct Engine {
    transport: Transport,
    login: Login,
    connection: Connection,
    silence: Silence,
    round_trip: RoundTrip,
    /// The last time we were told, in milliseconds.
    now: u64,
    /// What ended it.
    failed: Option<Error>,
}

/// Inputs.
impl Engine {
    /// A client that has not begun. `now` is any steady clock's reading in milliseconds.
    pub fn client(config: ClientConfig, random: Box<dyn Random + Send>, now: u64) -> Self {
        let transport = Transport::new(config.transport, random, now);
        let login = Login::AwaitClient(Box::new(config.login));
        Self::new(
            transport,
            login,
            Connection::new(config.connection),
            Silence::new(config.keepalive),
            now,
        )
    }

    /// A server that has not begun.
    pub fn server(config: ServerConfig, random: Box<dyn Random + Send>, now: u64) -> Self {
        let login = Login::server(&config);
        let transport = Transport::new(config.transport, random, now);
        Self::new(
            transport,
            login,
            Connection::new(config.connection),
            Silence::new(config.keepalive),
            now,
        )
    }

    fn new(
        transport: Transport,
        login: Login,
        connection: Connection,
        silence: Silence,
        now: u64,
    ) -> Self {
        Self {
            transport,
            login,
            connection,
            silence,
            round_trip: RoundTrip::default(),
            now,
            failed: None,
        }
    }

    /// Queues everything that needs no answer.
    pub fn start(&mut self, tx: &mut TxRing) {
        self.transport.start(tx);
    }

    /// Tells the time; once per turn of a loop is enough.
    pub const fn set_now(&mut self, now: u64) {
        self.now = now;
    }

    /// The next event, or none before more bytes are in `rx` or an open question is answered.
    ///
    /// # Errors
    /// [`Error`], which ends the connection; every later call repeats it.
    pub fn next_event(&mut self, rx: &mut RxBuf, tx: &mut TxRing) -> Result<Option<Event>, Error> {
        loop {
            if let Some(error) = &self.failed {
                return Err(error.clone());
            }
            if let Some(event) = self.login.next_event() {
                if matches!(event, Event::Established) {
                    self.transport.authenticated();
                }
                return Ok(Some(event));
            }
            let step = match self.transport.next_packet(rx, tx) {
                Ok(None) => return Ok(None),
                Ok(Some(incoming)) => self.incoming(incoming, rx),
                Err(error) => Err(error.into()),
            };
            match step {
                Ok(Some(event)) => return Ok(Some(event)),
                Ok(None) => self.pump(tx),
                Err(error) => return Err(self.fail(error, tx)),
            }
        }
    }

    /// Tells the time when [`next_deadline`](Self::next_deadline) has come.
    ///
    /// # Errors
    /// [`Error::Timeout`], and what the transport has against a peer that is too slow.
    pub fn handle_timeout(&mut self, now: u64, tx: &mut TxRing) -> Result<(), Error> {
        self.now = now;
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        self.transport.handle_timeout(now, tx).map_err(|error| self.fail(error.into(), tx))?;
        if matches!(self.login, Login::Done) {
            match self.silence.due(now) {
                Due::Nothing => {}
                Due::Ask => {
                    // One that cannot be asked because too much is unanswered is silent too.
                    if let Ok(request) = self.connection.keepalive() {
                        self.silence.asked(request);
                    }
                }
                Due::GiveUp => return Err(self.fail(Error::Timeout, tx)),
            }
        }
        Ok(())
    }
}

/// Outputs.
impl Engine {
    /// Moves control messages into `tx`, unless keys are being exchanged.
    pub fn pump(&mut self, tx: &mut TxRing) {
        self.measure(tx);
        while self.transport.can_send() {
            let outbox = match self.login.outbox() {
                Some(outbox) if !outbox.is_empty() => outbox,
                _ => self.connection.outbox(),
            };
            let Some(payload) = outbox.front() else { break };
            if self.transport.send(payload, tx).is_err() {
                break;
            }
            outbox.pop();
        }
    }

    /// Asks how long the way is, while data comes.
    fn measure(&mut self, tx: &mut TxRing) {
        if !self.round_trip.is_due(self.now) {
            return;
        }
        if self.transport.ping(PING, tx) {
            self.round_trip.asked(Question::Ping, self.now);
        } else if !self.transport.peer_answers_pings() {
            if let Ok(request) = self.connection.keepalive() {
                self.round_trip.asked(Question::Keepalive(request), self.now);
            }
        }
    }

    /// Room for up to about `limit` bytes of data on `channel`.
    ///
    /// # Errors
    /// [`Blocked`] says what to wait for.
    pub fn reserve<'a>(
        &'a mut self,
        channel: Channel,
        limit: usize,
        tx: &'a mut TxRing,
    ) -> Result<Batch<'a>, Blocked> {
        let sendable = self.connection.sendable(channel)?;
        let (prefix, _length) = sendable.header.split_at(5);
        self.reserve_for(channel, prefix, &sendable, limit, tx)
    }

    /// As [`reserve`](Self::reserve), for data of another type than plain: what a command says on stderr. RFC 4254 §5.2.
    ///
    /// # Errors
    /// [`Blocked`] says what to wait for.
    pub fn reserve_extended<'a>(
        &'a mut self,
        channel: Channel,
        data_type_code: u32,
        limit: usize,
        tx: &'a mut TxRing,
    ) -> Result<Batch<'a>, Blocked> {
        let sendable = self.connection.sendable(channel)?;
        let header = sendable.extended_header_for(data_type_code, 0);
        let (prefix, _length) = header.split_at(9);
        self.reserve_for(channel, prefix, &sendable, limit, tx)
    }

    fn reserve_for<'a>(
        &'a mut self,
        channel: Channel,
        prefix: &[u8],
        sendable: &Sendable,
        limit: usize,
        tx: &'a mut TxRing,
    ) -> Result<Batch<'a>, Blocked> {
        // A confirmation or a reply that waits must not be overtaken by data.
        self.pump(tx);
        if !self.connection.outbox().is_empty() {
            return Err(if self.transport.can_send() {
                Blocked::OutputFull
            } else {
                Blocked::Rekeying
            });
        }
        let body = sendable.max.min(limit.max(1));
        let count = (sendable.window / body).min(limit.div_ceil(body)).max(1);
        let slots = self.transport.reserve(prefix, body, count, tx)?;
        Ok(Batch { slots, connection: &mut self.connection, channel })
    }

    /// Nothing is going on: gives back the memory kept for the next messages. It comes again as it is wanted.
    pub fn rest(&mut self) {
        self.transport.rest();
        self.connection.rest();
        self.silence.rest();
    }

    /// Ends the connection; write what `tx` holds, then close.
    pub fn disconnect(&mut self, description: &str, tx: &mut TxRing) {
        self.pump(tx);
        self.transport.disconnect(reason::BY_APPLICATION, description, tx);
        self.failed.get_or_insert(Error::Transport(adit_transport::Error::Closed));
    }
}

/// Routing.
impl Engine {
    fn incoming(&mut self, incoming: Incoming, rx: &RxBuf) -> Result<Option<Event>, Error> {
        self.silence.broken(self.now);
        match incoming {
            Incoming::Packet(span) => self.packet(span, rx),
            Incoming::Banner(span) => Ok(Some(Event::Preface(rx.bytes(span).to_vec()))),
            Incoming::Identified => {
                if self.peer_is_openssh() {
                    self.connection.peer_reads_ahead();
                }
                Ok(Some(Event::Identified))
            }
            Incoming::HostKey => Ok(Some(Event::HostKey)),
            Incoming::KexDone { first } => {
                if first {
                    let session_id = self.transport.session_id().unwrap_or_default();
                    self.login.begin(session_id, self.transport.host_key());
                }
                Ok(Some(Event::KeysExchanged { first }))
            }
            Incoming::ExtInfo(span) => {
                let info = ExtInfo::decode(rx.bytes(span)).ok();
                let pairs = info.map(|info| {
                    self.login.extensions(&info);
                    info.iter().map(|(name, value)| (name.to_string(), value.to_vec())).collect()
                });
                Ok(pairs.map(Event::ExtInfo))
            }
            Incoming::ServiceRequest(span) | Incoming::ServiceAccept(span) => {
                let name = String::from_utf8_lossy(rx.bytes(span));
                self.login.handle_service(&name)?;
                Ok(None)
            }
            Incoming::Pong(span) => {
                if rx.bytes(span) == PING {
                    self.answered(Question::Ping);
                }
                Ok(None)
            }
            Incoming::Unimplemented { sequence_number } => {
                Ok(Some(Event::Unimplemented { sequence_number }))
            }
            Incoming::Debug { always_display, message } => {
                Ok(Some(Event::Debug { always_display, message: rx.bytes(message).to_vec() }))
            }
            Incoming::Disconnected { reason_code, description } => Ok(Some(Event::Disconnected {
                reason_code,
                description: rx.bytes(description).to_vec(),
            })),
        }
    }

    /// The ranges of RFC 4250 §4.1.
    fn packet(&mut self, span: Span, rx: &RxBuf) -> Result<Option<Event>, Error> {
        let payload = rx.bytes(span);
        match payload.first().copied().unwrap_or_default() {
            50..=79 => {
                self.login.handle(payload)?;
                if self.login.is_authenticated() {
                    self.transport.authenticated();
                }
                Ok(None)
            }
            _ => Ok(self
                .connection
                .handle(payload)?
                .and_then(|event| self.connection_event(event, span, rx))),
        }
    }

    fn connection_event(
        &mut self,
        event: adit_connection::Event,
        span: Span,
        rx: &RxBuf,
    ) -> Option<Event> {
        use adit_connection::Event as Inner;
        let within = |offset: usize, len| Span { start: span.start + offset, len };
        Some(match event {
            Inner::Data { channel, offset, len } => {
                self.round_trip.received(len);
                Event::Data { channel, span: within(offset, len) }
            }
            Inner::ExtendedData { channel, data_type_code, offset, len } => {
                Event::ExtendedData { channel, data_type_code, span: within(offset, len) }
            }
            Inner::WindowAdjusted { channel } => Event::WindowAdjusted { channel },
            Inner::Eof { channel } => Event::Eof { channel },
            Inner::Closed { channel, eof_seen } => Event::Closed { channel, eof_seen },
            Inner::Open { channel, open, forward } => Event::Open { channel, open, forward },
            Inner::ForwardUnknown { open } => Event::ForwardUnknown { open },
            Inner::Opened { channel } => Event::Opened { channel },
            Inner::OpenFailed { channel, failure } => Event::OpenFailed { channel, failure },
            Inner::ChannelRequest { channel, want_reply, request } => {
                Event::ChannelRequest { channel, want_reply, request }
            }
            Inner::ChannelReply { channel, request, success } => {
                Event::ChannelReply { channel, request, success }
            }
            Inner::Reply { request, outcome } => {
                // An answer to a question of the engine's own is nobody else's business.
                if self.silence.answered(request) || self.answered(Question::Keepalive(request)) {
                    return None;
                }
                Event::Reply {
                    request,
                    outcome: Outcome::read(outcome, |offset, len| rx.bytes(within(offset, len))),
                }
            }
            Inner::ForwardRequested { token, forward } => {
                Event::ForwardRequested { token, forward }
            }
            Inner::CancelForwardRequested { token, forward } => {
                Event::CancelForwardRequested { token, forward }
            }
            Inner::HostKeys { offset, len } => {
                Event::HostKeys(rx.bytes(within(offset, len)).to_vec())
            }
            Inner::HostKeysProve { token, offset, len } => {
                Event::HostKeysProve { token, keys: rx.bytes(within(offset, len)).to_vec() }
            }
        })
    }

    fn answered(&mut self, question: Question) -> bool {
        let milliseconds = self.round_trip.answered(question, self.now);
        if let Some(milliseconds) = milliseconds {
            self.connection.note_rtt(milliseconds);
        }
        milliseconds.is_some()
    }

    /// Poisons the engine and tells the peer why, unless the transport has done so.
    fn fail(&mut self, error: Error, tx: &mut TxRing) -> Error {
        if let (Some(reason), false) = (error.reason(), matches!(error, Error::Transport(_))) {
            self.transport.disconnect(reason, &error.to_string(), tx);
        }
        self.failed = Some(error.clone());
        error
    }
}

/// Commands. What they cause to be sent leaves with [`pump`](Self::pump).
impl Engine {
    /// The driver trusts the host key it was shown.
    pub fn accept_host_key(&mut self, tx: &mut TxRing) {
        self.transport.accept_host_key(tx);
    }

    /// The driver does not trust the host key it was shown; the connection is over.
    pub fn reject_host_key(&mut self, tx: &mut TxRing) {
        self.transport.reject_host_key(tx);
        self.failed.get_or_insert(Error::Transport(adit_transport::Error::HostKeyRejected));
    }

    /// The client's login, to answer what it asks.
    pub fn login(&mut self) -> Option<&mut adit_auth::client::Client> {
        match &mut self.login {
            Login::Client(client) => Some(client),
            _ => None,
        }
    }

    /// The server's login, to be looked at; [`answer_login`](Self::answer_login) answers what it asks.
    pub fn server_login(&mut self) -> Option<&mut adit_auth::server::Server> {
        match &mut self.login {
            Login::Server(server) => Some(&mut server.login),
            _ => None,
        }
    }

    /// Answers what the server's login asks.
    ///
    /// # Errors
    /// [`Error::Auth`]: the answer, or a message that waited for it, ends the connection.
    pub fn answer_login(
        &mut self,
        tx: &mut TxRing,
        answer: impl FnOnce(&mut adit_auth::server::Server) -> Result<(), adit_auth::Violation>,
    ) -> Result<(), Error> {
        match &mut self.login {
            Login::Server(server) => match server.answer(answer) {
                Ok(names) => {
                    if let Some(names) = names {
                        self.tell_sig_algs(&names, tx);
                    }
                    // `Established` comes once the answer is sent, and nobody else may have anything to say for long.
                    self.pump(tx);
                    Ok(())
                }
                Err(violation) => Err(self.fail(violation.into(), tx)),
            },
            _ => Ok(()),
        }
    }

    /// Tells the client with which algorithms this user's keys may sign, ahead of what the answer makes us say.
    fn tell_sig_algs(&mut self, names: &str, tx: &mut TxRing) {
        let mut payload = Vec::new();
        ExtInfo::encode_pairs(&[("server-sig-algs", names.as_bytes())], &mut payload);
        // While keys are exchanged it is left out: the client has the list of all users.
        let _ = self.transport.send(&payload, tx);
    }

    /// Asks a silent peer as often as this from now on: a server knows only after the login how often that is.
    pub fn set_keepalive(&mut self, keepalive: Option<Keepalive>) {
        self.silence.set(keepalive, self.now);
    }

    /// Begins a key exchange, unless one is running.
    pub fn rekey(&mut self, tx: &mut TxRing) {
        self.transport.rekey(tx);
    }

    /// Asks for a channel: `Opened` or `OpenFailed` answers.
    ///
    /// # Errors
    /// [`OpenError`]
    pub fn open(&mut self, open: &Open<'_>) -> Result<Channel, OpenError> {
        self.connection.open(open)
    }

    /// Takes a channel the peer asked for.
    pub fn accept(&mut self, channel: Channel) {
        self.connection.accept(channel);
    }

    /// Does not take a channel the peer asked for. RFC 4254 §5.1.
    pub fn refuse(&mut self, channel: Channel, reason: u32, description: &str) {
        self.connection.refuse(channel, reason, description);
    }

    /// `len` bytes of what came on `channel` have left memory: what refills the window.
    pub fn delivered(&mut self, channel: Channel, len: usize) {
        self.connection.delivered(channel, len, self.now);
    }

    /// This side sends no more data on `channel`.
    pub fn send_eof(&mut self, channel: Channel) {
        self.connection.send_eof(channel);
    }

    /// Closes `channel`.
    pub fn close(&mut self, channel: Channel) {
        self.connection.close(channel);
    }

    /// Asks something of a channel; the id is there when a reply is wanted.
    ///
    /// # Errors
    /// [`Blocked`] when the channel is closed or not open yet.
    pub fn request(
        &mut self,
        channel: Channel,
        request: &Request<'_>,
        want_reply: bool,
    ) -> Result<Option<ChannelRequestId>, Blocked> {
        Ok(self.connection.request(channel, request, want_reply)?)
    }

    /// Answers a channel request of the peer's.
    pub fn answer_request(&mut self, channel: Channel, success: bool) {
        self.connection.answer_request(channel, success);
    }

    /// Asks the server to listen: `Reply` answers.
    ///
    /// # Errors
    /// [`RequestError`]
    pub fn request_forward(&mut self, forward: Forward<'_>) -> Result<RequestId, RequestError> {
        self.connection.request_forward(forward)
    }

    /// Asks the server to stop listening.
    ///
    /// # Errors
    /// [`RequestError`]
    pub fn cancel_forward(&mut self, forward: RequestId) -> Result<RequestId, RequestError> {
        self.connection.cancel_forward(forward)
    }

    /// Asks the peer for an answer, whichever it is.
    ///
    /// # Errors
    /// [`RequestError`]
    pub fn keepalive(&mut self) -> Result<RequestId, RequestError> {
        self.connection.keepalive()
    }

    /// Asks the server to prove that it has these host keys.
    ///
    /// # Errors
    /// [`RequestError`]
    pub fn prove_host_keys(&mut self, keys: &[&[u8]]) -> Result<RequestId, RequestError> {
        self.connection.prove_host_keys(keys)
    }

    /// Tells the server that no session will be opened.
    pub fn no_more_sessions(&mut self) {
        self.connection.no_more_sessions();
    }

    /// Tells the client all host keys of this server.
    pub fn announce_host_keys(&mut self, keys: &[&[u8]]) {
        self.connection.announce_host_keys(keys);
    }

    /// Tells the peer's log why a request of its is refused; the refusal itself has no room for words. RFC 4253 §11.3.
    pub fn explain(&mut self, words: &str) {
        self.connection.explain(words);
    }

    /// Has others sign for this connection than the configuration's host keys: [`Transport::set_host_keys`].
    pub fn set_host_keys(&mut self, host_keys: Arc<dyn HostKeys + Send + Sync>) {
        self.transport.set_host_keys(host_keys);
    }

    /// Shares memory with other connections from now on, beyond what each channel always may hold.
    ///
    /// Whose purse it is may change: a server knows the user only after the login.
    pub fn set_purse(&mut self, purse: Arc<Purse>) {
        self.connection.set_purse(purse);
    }

    /// Answers a global request of the peer's.
    pub fn reply(&mut self, token: ReplyToken, answer: Answer<'_>) {
        self.connection.reply(token, answer);
    }
}

/// Questions.
impl Engine {
    /// When [`handle_timeout`](Self::handle_timeout) wants to be called, in milliseconds.
    pub fn next_deadline(&self) -> Option<u64> {
        let alive = self.silence.deadline().filter(|_| matches!(self.login, Login::Done));
        let deadlines = [self.transport.next_deadline(), alive];
        deadlines.into_iter().flatten().min().filter(|_| self.failed.is_none())
    }

    /// Whether channels can be opened.
    pub const fn is_established(&self) -> bool {
        matches!(self.login, Login::Done)
    }

    /// The server's host key or certificate blob, once it was shown.
    pub fn host_key(&self) -> &[u8] {
        self.transport.host_key()
    }

    /// The host key's signature of the session identifier, as a client saw it. RFC 4253 §8.
    pub fn host_key_signature(&self) -> &[u8] {
        self.transport.host_key_signature()
    }

    /// The session identifier, once there is one. RFC 4253 §7.2.
    pub fn session_id(&self) -> Option<&[u8]> {
        self.transport.session_id()
    }

    /// The peer's identification line, unchecked.
    pub fn peer_identification(&self) -> Option<&[u8]> {
        self.transport.peer_identification()
    }

    /// Whether that line names OpenSSH, which some things are done differently for.
    pub fn peer_is_openssh(&self) -> bool {
        const NAME: &[u8] = b"OpenSSH";
        let line = self.peer_identification().unwrap_or_default();
        line.windows(NAME.len()).any(|part| part == NAME)
    }

    /// What the last key exchange agreed on.
    pub const fn negotiated(&self) -> Option<&Negotiated> {
        self.transport.negotiated()
    }

    /// How much was carried.
    pub const fn counters(&self) -> Counters {
        self.transport.counters()
    }

    /// Channels asked for, offered or live.
    pub const fn channels(&self) -> u32 {
        self.connection.channels()
    }
}
