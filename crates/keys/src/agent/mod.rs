//! The agent protocol, client side: list keys, sign, bind a session. draft-ietf-sshm-ssh-agent.
//! Touches: the agent's socket, or whatever `Read + Write` the caller brings.   Never: SSH_AUTH_SOCK, configuration.
//! Invariants: one request, one reply; a reply has at most 256 KiB and 2048 keys; what an agent says is never trusted to be short, right or soon.
//! Errors: `AgentError`.   Allocates: one reply.
//! Proved by: `tests` below, against ssh-agent and against hostile ones; fuzz `agent_reply`.

use std::fmt;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use adit_wire::{DecodeError, Field, Reader};

/// Longest message in either direction; OpenSSH's limit.
const MAX_MESSAGE: usize = 256 * 1024;
/// Most keys an agent may list; OpenSSH's limit.
const MAX_KEYS: u32 = 2048;

/// Message numbers, draft §6.1.
mod number {
    pub(super) const FAILURE: u8 = 5;
    pub(super) const SUCCESS: u8 = 6;
    pub(super) const REQUEST_IDENTITIES: u8 = 11;
    pub(super) const IDENTITIES_ANSWER: u8 = 12;
    pub(super) const SIGN_REQUEST: u8 = 13;
    pub(super) const SIGN_RESPONSE: u8 = 14;
    pub(super) const EXTENSION: u8 = 27;
    pub(super) const EXTENSION_FAILURE: u8 = 28;
}

/// Which signature an RSA key is to make, draft §3.6.1. Other keys have but one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SignFlags {
    /// What the key does by itself; `ssh-rsa` (SHA-1) for RSA keys.
    #[default]
    None = 0,
    /// `rsa-sha2-256`
    RsaSha2_256 = 2,
    /// `rsa-sha2-512`
    RsaSha2_512 = 4,
}

impl SignFlags {
    /// The flag that makes an agent sign with the algorithm of this name, certificate names included.
    pub fn for_algorithm(name: &str) -> Self {
        match name.strip_suffix("-cert-v01@openssh.com").unwrap_or(name) {
            "rsa-sha2-256" => Self::RsaSha2_256,
            "rsa-sha2-512" => Self::RsaSha2_512,
            _ => Self::None,
        }
    }
}

/// Why an agent is of no use.
#[derive(Debug)]
#[non_exhaustive]
pub enum AgentError {
    /// It said no: SSH_AGENT_FAILURE or SSH_AGENT_EXTENSION_FAILURE.
    Refused,
    /// It answered with another message than the request calls for.
    UnexpectedReply(u8),
    /// Its answer cannot be read.
    InvalidReply(DecodeError),
    /// Its answer has more bytes or keys than any has.
    TooLarge,
    /// The request has more bytes than an agent takes.
    RequestTooLarge,
    /// The socket failed, or the agent did not answer in time.
    Io(io::Error),
}

/// SSH_AGENTC_REQUEST_IDENTITIES (11): which keys are there? Draft §3.5.
pub fn encode_identities_request(out: &mut Vec<u8>) {
    out.push(number::REQUEST_IDENTITIES);
}

/// SSH_AGENTC_SIGN_REQUEST (13): sign `data` with the key or certificate `key`. Draft §3.6.
///
/// `byte 13 · string key blob · string data · uint32 flags`
pub fn encode_sign_request(key: &[u8], data: &[u8], flags: SignFlags, out: &mut Vec<u8>) {
    out.push(number::SIGN_REQUEST);
    key.encode(out);
    data.encode(out);
    (flags as u32).encode(out);
}

/// What ties an agent's connection to a session. OpenSSH PROTOCOL.agent §1.
#[derive(Clone, Copy, Debug)]
pub struct SessionBind<'a> {
    /// The server's host key or certificate.
    pub host_key: &'a [u8],
    /// Hash of the first key exchange.
    pub session_id: &'a [u8],
    /// The host key's signature of it.
    pub signature: &'a [u8],
    /// Whether the connection is about to be forwarded to that server.
    pub is_forwarding: bool,
}

/// SSH_AGENTC_EXTENSION (27) `session-bind@openssh.com`. OpenSSH PROTOCOL.agent §1.
///
/// `byte 27 · string name · string host key · string session id · string signature · boolean is_forwarding`
pub fn encode_session_bind(bind: &SessionBind<'_>, out: &mut Vec<u8>) {
    out.push(number::EXTENSION);
    "session-bind@openssh.com".encode(out);
    bind.host_key.encode(out);
    bind.session_id.encode(out);
    bind.signature.encode(out);
    bind.is_forwarding.encode(out);
}

/// The keys an agent holds, as it listed them.
///
/// They stay in the bytes of the reply: a hostile agent cannot make them take more room than that.
#[derive(Clone, PartialEq, Eq)]
pub struct Identities {
    reply: Vec<u8>,
    count: u32,
}

/// A key in an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity<'a> {
    /// Public key or certificate, of any type.
    pub blob: &'a [u8],
    /// Whatever it was stored under, often a path.
    pub comment: &'a [u8],
}

/// `byte 12 · uint32 count`
const IDENTITIES_HEAD: usize = 5;

impl Identities {
    /// Reads SSH_AGENT_IDENTITIES_ANSWER (12). Draft §3.5.
    ///
    /// `byte 12 · uint32 count · (string key blob · string comment)*`
    ///
    /// # Errors
    /// [`AgentError`] for any other reply, and one that is cut short, too long or has too many keys.
    pub fn decode(reply: Vec<u8>) -> Result<Self, AgentError> {
        let mut reader = expect(&reply, number::IDENTITIES_ANSWER)?;
        let count: u32 = reader.field()?;
        if count > MAX_KEYS {
            return Err(AgentError::TooLarge);
        }
        for _ in 0..count {
            identity(&mut reader)?;
        }
        reader.finish()?;
        Ok(Self { reply, count })
    }

    /// The keys, in the agent's order.
    pub fn iter(&self) -> impl Iterator<Item = Identity<'_>> {
        let mut reader = Reader::new(&self.reply[IDENTITIES_HEAD..]);
        (0..self.count).map_while(move |_| identity(&mut reader).ok())
    }

    /// How many keys there are.
    pub const fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether the agent holds no key.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }
}

fn identity<'a>(reader: &mut Reader<'a>) -> Result<Identity<'a>, DecodeError> {
    Ok(Identity { blob: reader.string()?, comment: reader.string()? })
}

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Reads SSH_AGENT_SIGN_RESPONSE (14). Draft §3.6.
///
/// `byte 14 · string signature blob`
///
/// # Errors
/// [`AgentError`].
pub fn decode_signature(reply: &[u8]) -> Result<Vec<u8>, AgentError> {
    let mut reader = expect(reply, number::SIGN_RESPONSE)?;
    let signature = reader.string()?.to_vec();
    reader.finish()?;
    Ok(signature)
}

/// Reads SSH_AGENT_SUCCESS (6). Draft §3.1.
///
/// # Errors
/// [`AgentError`].
pub fn decode_success(reply: &[u8]) -> Result<(), AgentError> {
    // Extensions may answer with more than the number.
    expect(reply, number::SUCCESS).map(drop)
}

fn expect(reply: &[u8], wanted: u8) -> Result<Reader<'_>, AgentError> {
    let mut reader = Reader::new(reply);
    match reader.field::<u8>()? {
        found if found == wanted => Ok(reader),
        number::FAILURE | number::EXTENSION_FAILURE => Err(AgentError::Refused),
        other => Err(AgentError::UnexpectedReply(other)),
    }
}

/// An agent at the other end of a stream.
///
/// After an error other than [`AgentError::Refused`] the stream is out of step and must be dropped.
#[derive(Debug)]
pub struct Agent<S> {
    stream: S,
}

impl<S: Read + Write> Agent<S> {
    /// Talks over `stream`; how long it may stay silent is the stream's business.
    pub const fn new(stream: S) -> Self {
        Self { stream }
    }

    /// Lists the keys.
    ///
    /// # Errors
    /// [`AgentError`].
    pub fn identities(&mut self) -> Result<Identities, AgentError> {
        self.ask(encode_identities_request).and_then(Identities::decode)
    }

    /// Has `data` signed by the key listed as `key`; gives the signature blob, unverified.
    ///
    /// # Errors
    /// [`AgentError`]; `Refused` when the key is gone or its user said no.
    pub fn sign(
        &mut self,
        key: &[u8],
        data: &[u8],
        flags: SignFlags,
    ) -> Result<Vec<u8>, AgentError> {
        let reply = self.ask(|out| encode_sign_request(key, data, flags, out))?;
        decode_signature(&reply)
    }

    /// Tells the agent which session it signs for.
    ///
    /// # Errors
    /// [`AgentError`]; `Refused` by agents that do not know the extension.
    pub fn bind_session(&mut self, bind: &SessionBind<'_>) -> Result<(), AgentError> {
        let reply = self.ask(|out| encode_session_bind(bind, out))?;
        decode_success(&reply)
    }

    /// Sends a request and reads the reply: `uint32 length · message`, both.
    fn ask(&mut self, encode: impl FnOnce(&mut Vec<u8>)) -> Result<Vec<u8>, AgentError> {
        let mut request = vec![0; 4];
        encode(&mut request);
        let length = request.len() - 4;
        if length > MAX_MESSAGE {
            return Err(AgentError::RequestTooLarge);
        }
        request[..4].copy_from_slice(&(length as u32).to_be_bytes());
        self.stream.write_all(&request)?;
        self.stream.flush()?;
        self.read_reply()
    }

    fn read_reply(&mut self) -> Result<Vec<u8>, AgentError> {
        let mut head = [0; 4];
        self.stream.read_exact(&mut head)?;
        let length = u32::from_be_bytes(head) as usize;
        if length > MAX_MESSAGE {
            return Err(AgentError::TooLarge);
        }
        let mut reply = vec![0; length];
        self.stream.read_exact(&mut reply)?;
        Ok(reply)
    }
}

impl Agent<Patient> {
    /// Connects to the agent that listens at `path` and waits at most `patience` for each answer.
    ///
    /// # Errors
    /// What the system says, [`io::ErrorKind::NotFound`] for instance.
    pub fn connect(path: &Path, patience: Duration) -> io::Result<Self> {
        let stream = UnixStream::connect(path)?;
        let deadline = Instant::now() + patience;
        Ok(Self::new(Patient { stream, patience, deadline, answering: true }))
    }

    /// Waits this long for each further answer: longer, say, while a key asks its user.
    pub const fn set_patience(&mut self, patience: Duration) {
        self.stream.patience = patience;
    }
}

/// A unix socket on which request and reply together have to be through in time.
#[derive(Debug)]
pub struct Patient {
    stream: UnixStream,
    patience: Duration,
    deadline: Instant,
    /// Whether the last request is through: the next write starts another, with its own deadline.
    answering: bool,
}

impl Patient {
    fn remaining(&self) -> io::Result<Duration> {
        match self.deadline.saturating_duration_since(Instant::now()) {
            Duration::ZERO => Err(io::ErrorKind::TimedOut.into()),
            remaining => Ok(remaining),
        }
    }
}

impl Read for Patient {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.answering = true;
        self.stream.set_read_timeout(Some(self.remaining()?))?;
        self.stream.read(buffer).map_err(timed_out)
    }
}

impl Write for Patient {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if std::mem::take(&mut self.answering) {
            self.deadline = Instant::now() + self.patience;
        }
        self.stream.set_write_timeout(Some(self.remaining()?))?;
        self.stream.write(bytes).map_err(timed_out)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// A socket's timeout shows as WouldBlock.
fn timed_out(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock => io::ErrorKind::TimedOut.into(),
        _ => error,
    }
}

impl From<DecodeError> for AgentError {
    fn from(error: DecodeError) -> Self {
        Self::InvalidReply(error)
    }
}

impl From<io::Error> for AgentError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// The words ssh has for it behind `agent refused operation` and its like.
impl fmt::Display for AgentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused => f.write_str("agent refused operation"),
            Self::UnexpectedReply(_) | Self::InvalidReply(_) | Self::TooLarge => {
                f.write_str("invalid format")
            }
            Self::RequestTooLarge => f.write_str("string is too large"),
            Self::Io(_) => f.write_str("communication with agent failed"),
        }
    }
}

impl std::error::Error for AgentError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::InvalidReply(error) => Some(error),
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
