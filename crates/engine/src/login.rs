//! The login of either role behind one face.
//! Touches: the two machines of `adit_auth`.   Never: what their questions mean.
//! Invariants: it begins with the first keys and ends once; the role is the engine's.
//! Errors: the machines' violations.   Allocates: the machine, for as long as the login lasts.
//! Proved by: `tests/*.rs`.

use crate::config::ServerConfig;
use crate::event::Event;
use adit_auth::{Phase, Violation, client, server};
use adit_buf::Outbox;
use adit_crypto::SignatureAlgorithm;
use adit_wire::Message;
use adit_wire::transport::{ExtInfo, ServiceAccept, ServiceRequest};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

/// How far the login is.
#[derive(Debug)]
pub(crate) enum Login {
    /// Waits for the first keys.
    AwaitClient(Box<client::Config>),
    /// Waits for the first keys.
    AwaitServer(server::VerifySignature),
    Client(Box<client::Client>),
    Server(Box<Serving>),
    /// The user is in, and has been told.
    Done,
}

/// A server's login.
#[derive(Debug)]
pub(crate) struct Serving {
    pub(crate) login: server::Server,
    /// The client takes EXT_INFO while it logs in, too.
    takes_ext_info: bool,
}

/// Says that EXT_INFO is taken at any time of the login. OpenSSH PROTOCOL, "SSH2_MSG_EXT_INFO during user authentication".
const EXT_INFO_IN_AUTH: &str = "ext-info-in-auth@openssh.com";

impl Serving {
    /// What this user's keys may sign with, for a client that can be told. RFC 8308 §3.1.
    fn sig_algs(&self) -> Option<String> {
        let accepted = self.login.accepted_algorithms().filter(|_| self.takes_ext_info)?;
        let names =
            accepted.split(',').filter(|name| SignatureAlgorithm::from_name(name).is_some());
        Some(names.collect::<Vec<_>>().join(","))
    }

    /// Answers a question; gives `server-sig-algs` when the answer has settled them.
    pub(crate) fn answer(
        &mut self,
        answer: impl FnOnce(&mut server::Server) -> Result<(), Violation>,
    ) -> Result<Option<String>, Violation> {
        let was_known = self.login.accepted_algorithms().is_some();
        answer(&mut self.login)?;
        Ok(if was_known { None } else { self.sig_algs() })
    }
}

impl Login {
    pub(crate) const fn server(config: &ServerConfig) -> Self {
        Self::AwaitServer(config.verify)
    }

    /// The first keys are in use.
    pub(crate) fn begin(&mut self, session_id: &[u8], host_key: &[u8]) {
        *self = match core::mem::replace(self, Self::Done) {
            Self::AwaitClient(mut config) => {
                config.session_id = session_id.into();
                config.host_key = host_key.into();
                let mut client = client::Client::new(*config);
                client.start();
                Self::Client(Box::new(client))
            }
            Self::AwaitServer(verify) => {
                let config = server::Config {
                    session_id: session_id.into(),
                    host_key: host_key.into(),
                    verify,
                };
                let login = server::Server::new(config);
                Self::Server(Box::new(Serving { login, takes_ext_info: false }))
            }
            begun => begun,
        };
    }

    /// A message of numbers 50 to 79.
    pub(crate) fn handle(&mut self, payload: &[u8]) -> Result<(), Violation> {
        match self {
            Self::Client(client) => client.handle(payload),
            Self::Server(server) => server.login.handle(payload),
            _ => Err(Violation::UnexpectedMessage(payload.first().copied().unwrap_or_default())),
        }
    }

    /// The transport has taken the message apart already; the machines want it whole.
    pub(crate) fn handle_service(&mut self, name: &str) -> Result<(), Violation> {
        let mut payload = Vec::new();
        match self {
            Self::Client(_) => ServiceAccept { service_name: name }.encode(&mut payload),
            _ => ServiceRequest { service_name: name }.encode(&mut payload),
        }
        self.handle(&payload)
    }

    /// EXT_INFO came: what of it concerns logins.
    pub(crate) fn extensions(&mut self, info: &ExtInfo<'_>) {
        let client = match self {
            Self::Client(client) => client,
            Self::Server(server) => {
                server.takes_ext_info |= info.iter().any(|(name, _)| name == EXT_INFO_IN_AUTH);
                return;
            }
            _ => return,
        };
        let mut extensions = client::Extensions::default();
        for (name, value) in info.iter() {
            match name {
                "server-sig-algs" => {
                    extensions.server_sig_algs = Some(String::from_utf8_lossy(value).into_owned());
                }
                "publickey-hostbound@openssh.com" => extensions.publickey_hostbound = value == b"0",
                _ => {}
            }
        }
        client.extensions(extensions);
    }

    pub(crate) fn outbox(&mut self) -> Option<&mut Outbox> {
        match self {
            Self::Client(client) => Some(client.outbox()),
            Self::Server(server) => Some(server.login.outbox()),
            _ => None,
        }
    }

    pub(crate) fn is_authenticated(&self) -> bool {
        match self {
            Self::Client(client) => client.phase() == Phase::Authenticated,
            Self::Server(server) => server.login.phase() == Phase::Authenticated,
            Self::Done => true,
            _ => false,
        }
    }

    /// The next question or news; `Established` is the last of them, once what the machine had to send is sent.
    pub(crate) fn next_event(&mut self) -> Option<Event> {
        let event = match self {
            Self::Client(client) => client.next().map(Event::Login),
            Self::Server(server) => server.login.next().map(Event::ServerLogin),
            _ => return None,
        };
        let over = event.is_none()
            && self.is_authenticated()
            && self.outbox().is_none_or(|outbox| outbox.is_empty());
        if over {
            *self = Self::Done;
            return Some(Event::Established);
        }
        event
    }
}
