//! One side of an SSH connection below login. RFC 4253, RFC 8308, OpenSSH PROTOCOL §1.8 and §1.10.
//! Touches: `RxBuf`, `TxRing`, milliseconds it is told.   Never: sockets, clocks, what the layers above mean.
//! Invariants: every message passes the gate; one error ends everything and every later call repeats it.
//! Errors: `Error`; the DISCONNECT it calls for is queued already.   Allocates: for key exchanges and texts, never per packet of data.
//! Proved by: `tests` beside this file, `tests/openssh.rs`.

use alloc::boxed::Box;
use alloc::sync::Arc;

use adit_buf::{Outbox, RxBuf, Span, TxRing};
use adit_crypto::Random;
use adit_wire::transport::{
    Debug, Disconnect, ExtInfo, Ignore, KexInit, NewKeys, Ping, Pong, ServiceAccept,
    ServiceRequest, Unimplemented,
};
use adit_wire::{DecodeError, Message, Reader};

use crate::config::{Config, HostKeys};
use crate::error::{Error, Violation};
use crate::gate::{Phase, Verdict, allowed};
use crate::identification::{self, ExpectIdentification, Line};
use crate::kex_state::{KexState, PING_EXTENSION};
use crate::negotiate::Negotiated;
use crate::output::Output;
use crate::packet::{Packet, Receiving, Sending, Traffic};
use crate::rekey::{Countdown, KexWatch, Limit};
use crate::session::Session;
use crate::slots::Slots;

/// Pongs that a key exchange holds back, in bytes.
const MAX_HELD_PONGS: usize = 16 * 1024;

/// What came in. Spans are read with [`RxBuf::bytes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// A message of the layers above, its number first.
    Packet(Span),
    /// A line the server said before it identified itself, without its end. May hold anything.
    Banner(Span),
    /// The peer identified itself: see [`Transport::peer_identification`].
    Identified,
    /// The server proved to hold [`Transport::host_key`]: nothing goes on before [`Transport::accept_host_key`]
    /// or [`Transport::reject_host_key`].
    HostKey,
    /// New keys are in use in both directions; see [`Transport::negotiated`].
    KexDone {
        /// They are the connection's first.
        first: bool,
    },
    /// An EXT_INFO message, to be read with [`ExtInfo::decode`]. RFC 8308.
    ExtInfo(Span),
    /// The client asks for the service of this name. RFC 4253 §10.
    ServiceRequest(Span),
    /// The server accepts the service of this name. RFC 4253 §10.
    ServiceAccept(Span),
    /// The answer to [`Transport::ping`], with what it carried.
    Pong(Span),
    /// The peer does not know the message in our packet of this number. RFC 4253 §11.4.
    Unimplemented {
        /// Sequence number of that packet.
        sequence_number: u32,
    },
    /// Text for debugging. May hold anything. RFC 4253 §11.3.
    Debug {
        /// Show it even when not asked for debugging output.
        always_display: bool,
        /// The text.
        message: Span,
    },
    /// The peer ends the connection; the next call gives [`Error::Disconnected`]. RFC 4253 §11.1.
    Disconnected {
        /// Why.
        reason_code: u32,
        /// Text for a human. May hold anything.
        description: Span,
    },
}

/// Why nothing can be sent now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocked {
    /// Keys are being exchanged; [`Incoming::KexDone`] comes at the latest when it is over.
    KeyExchange,
    /// The connection has ended.
    Closed,
}

/// How much a connection has carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counters {
    /// To the peer.
    pub sent: Traffic,
    /// From the peer.
    pub received: Traffic,
    /// Key exchanges that were completed.
    pub key_exchanges: u64,
}

/// One side of a connection, client or server.
///
/// The driver's loop:
///
/// 1. [`start`](Self::start) once, then write what `tx` holds.
/// 2. Read into `rx`, call [`next_packet`](Self::next_packet) until it gives `None`, answer what it gave.
/// 3. [`handle_timeout`](Self::handle_timeout) when [`next_deadline`](Self::next_deadline) has come.
/// 4. Send while [`can_send`](Self::can_send): [`send`](Self::send) control messages, [`reserve`](Self::reserve) data.
/// 5. Write what `tx` holds. After an error, write it and close.
pub struct Transport {
    config: Arc<Config>,
    random: Box<dyn Random + Send>,
    session: Session,
    /// Until the peer has identified itself.
    identification: Option<ExpectIdentification>,
    sending: Sending,
    receiving: Receiving,
    kex: KexState,
    /// The peer's phase outside key exchanges.
    phase: Phase,
    /// The last time we were told, in milliseconds.
    now_ms: u64,
    sent_limit: Limit,
    received_limit: Limit,
    rekey_timer: Countdown,
    kex_watch: KexWatch,
    key_exchanges: u64,
    /// Pongs that wait for a key exchange to end.
    held_pongs: Outbox,
    peer_answers_pings: bool,
    failed: Option<Error>,
}

impl core::fmt::Debug for Transport {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Transport")
            .field("role", &self.session.role)
            .field("phase", &self.phase())
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}

/// Inputs.
impl Transport {
    /// A connection that has not begun. `now_ms` is any steady clock's reading in milliseconds.
    pub fn new(config: Arc<Config>, random: Box<dyn Random + Send>, now_ms: u64) -> Self {
        let role = config.role;
        Self {
            session: Session::new(role, identification::own(&config)),
            identification: Some(ExpectIdentification::new(role)),
            sending: Sending::new(),
            receiving: Receiving::new(config.max_packet),
            kex: KexState::Idle,
            phase: Phase::Start,
            now_ms,
            sent_limit: Limit::new(config.rekey, 8),
            received_limit: Limit::new(config.rekey, 8),
            rekey_timer: Countdown::Off,
            kex_watch: KexWatch::default(),
            key_exchanges: 0,
            held_pongs: Outbox::new(),
            peer_answers_pings: false,
            failed: None,
            config,
            random,
        }
    }

    /// Queues everything that needs no answer: identification, KEXINIT and, if configured, a guessed key exchange message.
    pub fn start(&mut self, tx: &mut TxRing) {
        tx.push(&self.session.own_identification);
        tx.push(b"\r\n");
        self.begin_kex(tx);
    }

    /// The next thing to know about, or none before more bytes are in `rx` or the host key was judged.
    ///
    /// What the transport layer can answer itself, it answers into `tx`.
    ///
    /// # Errors
    /// [`Error`], which ends the connection: a DISCONNECT is queued where there is somebody to read it.
    pub fn next_packet(
        &mut self,
        rx: &mut RxBuf,
        tx: &mut TxRing,
    ) -> Result<Option<Incoming>, Error> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        self.next_incoming(rx, tx).map_err(|error| self.fail(error, tx))
    }

    /// The driver trusts the host key. Does nothing when it was not asked.
    pub fn accept_host_key(&mut self, tx: &mut TxRing) {
        if self.failed.is_none() {
            let kex = core::mem::take(&mut self.kex);
            let (config, session, mut out) = self.kex_parts(tx);
            self.kex = kex.accept_host_key(config, session, &mut out);
        }
    }

    /// The driver does not trust the host key.
    pub fn reject_host_key(&mut self, tx: &mut TxRing) {
        self.fail(Error::HostKeyRejected, tx);
    }

    /// The layers above have seen the login succeed: channels may be spoken of from here on. RFC 4252 §5.1.
    pub fn authenticated(&mut self) {
        self.phase = Phase::Established;
        self.start_rekey_timer();
    }

    /// Tells the time. Call it when [`next_deadline`](Self::next_deadline) has come, or at any time.
    ///
    /// # Errors
    /// [`Violation::KexTimeout`] when the peer takes too long to exchange keys; as with `next_packet`.
    pub fn handle_timeout(&mut self, now_ms: u64, tx: &mut TxRing) -> Result<(), Error> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        self.now_ms = now_ms;
        if self.rekey_timer.has_run_out(now_ms) {
            self.rekey(tx);
        }
        let heard = self.receiving.total().packets;
        if self.kex_watch.has_run_out(now_ms, self.config.kex_timeout_ms, heard) {
            return Err(self.fail(Violation::KexTimeout.into(), tx));
        }
        Ok(())
    }
}

/// Commands.
impl Transport {
    /// Sends one message of the layers above.
    ///
    /// # Errors
    /// [`Blocked`]: it was not sent, keep it.
    pub fn send(&mut self, payload: &[u8], tx: &mut TxRing) -> Result<(), Blocked> {
        self.check_can_send()?;
        self.output(tx).payload(payload);
        self.rekey_if_due(tx);
        Ok(())
    }

    /// Room to read payload into: up to `count` messages of `prefix`, then a string of up to `body_len` bytes.
    ///
    /// See [`Slots`]. For SSH_MSG_CHANNEL_DATA the prefix is number and recipient channel.
    ///
    /// # Errors
    /// [`Blocked`]
    pub fn reserve<'a>(
        &'a mut self,
        prefix: &[u8],
        body_len: usize,
        count: usize,
        tx: &'a mut TxRing,
    ) -> Result<Slots<'a>, Blocked> {
        self.check_can_send()?;
        // Keys change between batches: none goes further beyond the limit than a packet.
        let count = count.min(self.sent_limit.packets_left(self.sending.used, body_len));
        Ok(Slots::new(self, tx, prefix, body_len, count))
    }

    /// Begins a key exchange, unless one is running or login is still to come: OpenSSH's server takes none before.
    pub fn rekey(&mut self, tx: &mut TxRing) {
        let possible = self.phase == Phase::Established && !self.is_rekeying();
        if possible && self.failed.is_none() {
            self.begin_kex(tx);
        }
    }

    /// Has others sign for this connection than the configuration's host keys, which stay what is offered: the same keys in
    /// other hands, which want to know for whom they sign.
    pub fn set_host_keys(&mut self, host_keys: Arc<dyn HostKeys + Send + Sync>) {
        self.session.host_keys = Some(host_keys);
    }

    /// Asks the peer for a [`Incoming::Pong`]; whether it was asked: it must have said that it answers.
    pub fn ping(&mut self, data: &[u8], tx: &mut TxRing) -> bool {
        let possible = self.peer_answers_pings && self.can_send();
        if possible {
            self.output(tx).message(&Ping { data });
        }
        possible
    }

    /// Nothing is going on: gives back the memory kept for the next messages.
    pub fn rest(&mut self) {
        self.held_pongs.rest();
    }

    /// Ends the connection. `description` is for people.
    pub fn disconnect(&mut self, reason_code: u32, description: &str, tx: &mut TxRing) {
        if self.failed.is_none() {
            self.send_disconnect(reason_code, description, tx);
            self.failed = Some(Error::Closed);
        }
    }
}

/// Questions.
impl Transport {
    /// Whether [`send`](Self::send) and [`reserve`](Self::reserve) work now.
    pub fn can_send(&self) -> bool {
        self.check_can_send().is_ok()
    }

    /// Whether a key exchange is running.
    pub const fn is_rekeying(&self) -> bool {
        !matches!(self.kex, KexState::Idle)
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called, in milliseconds.
    pub fn next_deadline(&self) -> Option<u64> {
        let deadlines =
            [self.rekey_timer.deadline(self.now_ms), self.kex_watch.deadline(self.now_ms)];
        deadlines.into_iter().flatten().min().filter(|_| self.failed.is_none())
    }

    /// The peer's identification line without CR LF, once it has come. May hold anything but NUL and LF.
    pub fn peer_identification(&self) -> Option<&[u8]> {
        self.identification.is_none().then_some(&self.session.peer_identification[..])
    }

    /// Our identification line without CR LF.
    pub fn own_identification(&self) -> &[u8] {
        &self.session.own_identification
    }

    /// The first exchange hash, which names this connection in signatures. RFC 4253 §7.2.
    pub fn session_id(&self) -> Option<&[u8]> {
        self.session.id.as_ref().map(AsRef::as_ref)
    }

    /// The host key or certificate blob of the first key exchange; empty before it was shown.
    pub fn host_key(&self) -> &[u8] {
        &self.session.host_key
    }

    /// The host key's signature of the session identifier, as the client saw it; empty at a server. RFC 4253 §8.
    pub fn host_key_signature(&self) -> &[u8] {
        &self.session.host_key_signature
    }

    /// What the last key exchange agreed on.
    pub const fn negotiated(&self) -> Option<&Negotiated> {
        self.session.negotiated.as_ref()
    }

    /// Whether strict key exchange is in force.
    pub const fn is_strict(&self) -> bool {
        self.session.strict
    }

    /// Whether the peer has said that it answers [`ping`](Self::ping)s.
    pub const fn peer_answers_pings(&self) -> bool {
        self.peer_answers_pings
    }

    /// How much was carried.
    pub const fn counters(&self) -> Counters {
        Counters {
            sent: self.sending.total(),
            received: self.receiving.total(),
            key_exchanges: self.key_exchanges,
        }
    }
}

/// Receiving.
impl Transport {
    fn next_incoming(
        &mut self,
        rx: &mut RxBuf,
        tx: &mut TxRing,
    ) -> Result<Option<Incoming>, Error> {
        if let Some(expect) = &mut self.identification {
            match expect.next_line(rx)? {
                None => return Ok(None),
                Some(Line::Preliminary(span)) => return Ok(Some(Incoming::Banner(span))),
                Some(Line::Identification(line)) => {
                    self.session.peer_identification = line;
                    self.identification = None;
                    return Ok(Some(Incoming::Identified));
                }
            }
        }
        while !self.kex.shows_host_key() {
            let Some(packet) = self.receiving.next_packet(rx)? else { break };
            let incoming = self.handle(packet, rx, tx)?;
            if incoming.is_some() {
                return Ok(incoming);
            }
        }
        Ok(None)
    }

    fn handle(
        &mut self,
        packet: Packet,
        rx: &RxBuf,
        tx: &mut TxRing,
    ) -> Result<Option<Incoming>, Error> {
        let payload = rx.bytes(packet.payload);
        let number = payload.first().copied().unwrap_or_default();
        let phase = self.phase();
        if phase == Phase::FirstPacket {
            self.phase = Phase::Login;
        }
        let incoming = match allowed(self.session.role, phase, number) {
            Verdict::Deliver => Some(Incoming::Packet(packet.payload)),
            Verdict::Ignore => None,
            Verdict::Transport => self.handle_own(packet, payload, tx)?,
            Verdict::Kex => self.handle_kex(packet, payload, tx)?,
            Verdict::Unimplemented => {
                let packet_sequence_number = packet.seq;
                self.output(tx).message(&Unimplemented { packet_sequence_number });
                None
            }
            Verdict::Refuse => return Err(Violation::MessageNotAllowed { number, phase }.into()),
        };
        self.rekey_if_due(tx);
        Ok(incoming)
    }

    /// Where the peer stands.
    const fn phase(&self) -> Phase {
        match (self.kex.peer_is_exchanging(), self.phase) {
            (false, phase) => phase,
            (true, Phase::Start) if self.session.strict => Phase::StrictKex,
            (true, Phase::Start) => Phase::FirstKex,
            (true, _) => Phase::Rekey,
        }
    }

    /// A message of this layer that is not about keys.
    fn handle_own(
        &mut self,
        packet: Packet,
        payload: &[u8],
        tx: &mut TxRing,
    ) -> Result<Option<Incoming>, Error> {
        let within = Within { payload, span: packet.payload };
        match payload.first().copied().unwrap_or_default() {
            Disconnect::NUMBER => Ok(Some(self.handle_disconnect(within))),
            Ignore::NUMBER => Ok(None),
            Unimplemented::NUMBER => within
                .decode(|m: Unimplemented| m.packet_sequence_number)
                .map(|sequence_number| Some(Incoming::Unimplemented { sequence_number })),
            Debug::NUMBER => within
                .decode(|m: Debug| (m.always_display, within.span_of(m.message)))
                .map(|(always_display, message)| Some(Incoming::Debug { always_display, message })),
            ServiceRequest::NUMBER => within
                .decode(|m: ServiceRequest| within.span_of(m.service_name.as_bytes()))
                .map(|name| Some(Incoming::ServiceRequest(name))),
            ServiceAccept::NUMBER => within
                .decode(|m: ServiceAccept| within.span_of(m.service_name.as_bytes()))
                .map(|name| Some(Incoming::ServiceAccept(name))),
            ExtInfo::NUMBER => self.handle_ext_info(within).map(Some),
            Ping::NUMBER => self.answer_ping(within, tx).map(|()| None),
            Pong::NUMBER => within
                .decode(|m: Pong| within.span_of(m.data))
                .map(|data| Some(Incoming::Pong(data))),
            // The gate names no other.
            number => Err(Error::decode(payload, DecodeError::WrongNumber(number))),
        }
    }

    /// The peer leaves, however badly it says so.
    fn handle_disconnect(&mut self, within: Within<'_>) -> Incoming {
        let mut reader = Reader::new(within.payload.get(1..).unwrap_or_default());
        let reason_code = reader.field().unwrap_or_default();
        let description = within.span_of(reader.string().unwrap_or_default());
        self.failed = Some(Error::Disconnected { reason_code });
        Incoming::Disconnected { reason_code, description }
    }

    fn handle_ext_info(&mut self, within: Within<'_>) -> Result<Incoming, Error> {
        let pings = |info: ExtInfo| info.iter().any(|(name, _)| name == PING_EXTENSION);
        self.peer_answers_pings |= within.decode(pings)?;
        Ok(Incoming::ExtInfo(within.span))
    }

    /// OpenSSH PROTOCOL §1.8. A pong is no message of a key exchange: it waits where we have begun one.
    fn answer_ping(&mut self, within: Within<'_>, tx: &mut TxRing) -> Result<(), Error> {
        let pong = within.decode(|Ping { data }| Pong { data })?;
        if self.can_send() {
            self.output(tx).message(&pong);
        } else if self.held_pongs.len_bytes() < MAX_HELD_PONGS {
            self.held_pongs.push(|out| pong.encode(out));
        } else {
            return Err(Violation::TooManyPings.into());
        }
        Ok(())
    }

    fn handle_kex(
        &mut self,
        packet: Packet,
        payload: &[u8],
        tx: &mut TxRing,
    ) -> Result<Option<Incoming>, Error> {
        match core::mem::take(&mut self.kex) {
            KexState::NewKeysSent(state) if payload.first() == Some(&NewKeys::NUMBER) => {
                Within { payload, span: packet.payload }.decode(|_: NewKeys| ())?;
                self.receiving.switch(state.opening, self.session.strict);
                Ok(Some(self.finish_kex(state.first)))
            }
            state => {
                let begins = matches!(state, KexState::Idle);
                let (config, session, mut out) = self.kex_parts(tx);
                self.kex = state.handle(payload, config, session, &mut out)?;
                self.check_first_packet(packet, payload)?;
                if begins {
                    self.watch_kex();
                }
                self.send_held_pongs(tx);
                Ok(self.kex.shows_host_key().then_some(Incoming::HostKey))
            }
        }
    }

    /// OpenSSH PROTOCOL §1.10: under strict key exchange KEXINIT must have been the peer's first packet.
    fn check_first_packet(&self, packet: Packet, payload: &[u8]) -> Result<(), Error> {
        let first_kexinit = self.phase == Phase::Start && payload.first() == Some(&KexInit::NUMBER);
        if first_kexinit && self.session.strict && packet.seq != 0 {
            return Err(Violation::KexInitNotFirst.into());
        }
        Ok(())
    }

    fn finish_kex(&mut self, first: bool) -> Incoming {
        if first {
            self.phase = Phase::FirstPacket;
        }
        self.key_exchanges += 1;
        self.kex_watch = KexWatch::default();
        self.start_rekey_timer();
        self.sent_limit = Limit::new(self.config.rekey, self.sending.block_len());
        self.received_limit = Limit::new(self.config.rekey, self.receiving.block_len());
        Incoming::KexDone { first }
    }
}

/// Sending.
impl Transport {
    pub(crate) const fn sending(&self) -> &Sending {
        &self.sending
    }

    pub(crate) fn seal(&mut self, packet: &mut [u8], payload: usize) {
        self.sending.seal(packet, payload, &mut *self.random);
    }

    fn output<'a>(&'a mut self, tx: &'a mut TxRing) -> Output<'a> {
        Output { sending: &mut self.sending, random: &mut *self.random, tx }
    }

    fn kex_parts<'a>(
        &'a mut self,
        tx: &'a mut TxRing,
    ) -> (&'a Config, &'a mut Session, Output<'a>) {
        let out = Output { sending: &mut self.sending, random: &mut *self.random, tx };
        (&self.config, &mut self.session, out)
    }

    /// RFC 4253 §7.1: from our KEXINIT to our NEWKEYS nothing else is sent.
    const fn check_can_send(&self) -> Result<(), Blocked> {
        if self.failed.is_some() {
            Err(Blocked::Closed)
        } else if self.session.is_first_kex() || self.kex.we_are_exchanging() {
            Err(Blocked::KeyExchange)
        } else {
            Ok(())
        }
    }

    fn begin_kex(&mut self, tx: &mut TxRing) {
        let (config, session, mut out) = self.kex_parts(tx);
        self.kex = KexState::begin(config, session, &mut out);
        self.watch_kex();
    }

    fn start_rekey_timer(&mut self) {
        self.rekey_timer = match self.config.rekey.after_ms {
            milliseconds if milliseconds > 0 && self.phase == Phase::Established => {
                Countdown::Pending(milliseconds)
            }
            _ => Countdown::Off,
        };
    }

    /// How long the first exchange may take is the driver's to say: somebody may be looking at a host key.
    fn watch_kex(&mut self) {
        if !self.session.is_first_kex() {
            let heard = self.receiving.total().packets;
            self.kex_watch = KexWatch::start(self.config.kex_timeout_ms, heard);
        }
    }

    /// New keys once either direction's have done enough.
    pub(crate) fn rekey_if_due(&mut self, tx: &mut TxRing) {
        let due = self.sent_limit.is_reached(self.sending.used)
            || self.received_limit.is_reached(self.receiving.used);
        if due {
            self.rekey(tx);
        }
    }

    fn send_held_pongs(&mut self, tx: &mut TxRing) {
        while self.can_send() {
            let Some(pong) = self.held_pongs.front() else { break };
            Output { sending: &mut self.sending, random: &mut *self.random, tx }.payload(pong);
            self.held_pongs.pop();
        }
    }

    /// Poisons the connection and tells the peer why.
    fn fail(&mut self, error: Error, tx: &mut TxRing) -> Error {
        if let Some(reason_code) = error.reason() {
            self.send_disconnect(reason_code, &alloc::format!("{error}"), tx);
        }
        self.failed = Some(error.clone());
        error
    }

    fn send_disconnect(&mut self, reason_code: u32, description: &str, tx: &mut TxRing) {
        let description = description.as_bytes();
        self.output(tx).message(&Disconnect { reason_code, description, language_tag: b"" });
    }
}

/// For hostile peers in tests.
#[cfg(test)]
impl Transport {
    pub(crate) fn force(&mut self, payload: &[u8], tx: &mut TxRing) {
        self.output(tx).payload(payload);
    }

    pub(crate) fn force_rekey(&mut self, tx: &mut TxRing) {
        self.begin_kex(tx);
    }

    pub(crate) const fn receiving_mut(&mut self) -> &mut Receiving {
        &mut self.receiving
    }
}

/// A payload and where it stands in the receive buffer.
#[derive(Clone, Copy)]
struct Within<'a> {
    payload: &'a [u8],
    span: Span,
}

impl<'a> Within<'a> {
    fn decode<M: Message<'a>, T>(self, then: impl FnOnce(M) -> T) -> Result<T, Error> {
        M::decode(self.payload).map(then).map_err(|error| Error::decode(self.payload, error))
    }

    /// Where `part`, which was cut out of the payload, stands.
    fn span_of(self, part: &[u8]) -> Span {
        let offset = (part.as_ptr() as usize).wrapping_sub(self.payload.as_ptr() as usize);
        match self.payload.get(offset..) {
            Some(rest) if part.len() <= rest.len() => {
                Span { start: self.span.start + offset, len: part.len() }
            }
            // An empty part may be nobody's.
            _ => Span { start: self.span.start, len: 0 },
        }
    }
}
