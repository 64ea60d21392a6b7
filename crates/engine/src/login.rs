//! The login of either role behind one face.
//! Touches: the two machines of `adit_auth`.   Never: what their questions mean.
//! Invariants: it begins with the first keys and ends once; the role is the engine's.
//! Errors: the machines' violations.   Allocates: the machine, for as long as the login lasts.
//! Proved by: `tests/*.rs`.

use crate::config::ServerConfig;
use crate::event::Event;
use adit_auth::{Phase, Violation, client, server};
use adit_buf::Outbox;
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
    Server(Box<server::Server>),
    /// The user is in, and has been told.
    Done,
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
                Self::Server(Box::new(server::Server::new(config)))
            }
            begun => begun,
        };
    }

    /// A message of numbers 50 to 79.
    pub(crate) fn handle(&mut self, payload: &[u8]) -> Result<(), Violation> {
        match self {
            Self::Client(client) => client.handle(payload),
            Self::Server(server) => server.handle(payload),
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
        let Self::Client(client) = self else { return };
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
            Self::Server(server) => Some(server.outbox()),
            _ => None,
        }
    }

    pub(crate) fn is_authenticated(&self) -> bool {
        match self {
            Self::Client(client) => client.phase() == Phase::Authenticated,
            Self::Server(server) => server.phase() == Phase::Authenticated,
            Self::Done => true,
            _ => false,
        }
    }

    /// The next question or news; `Established` is the last of them, once what the machine had to send is sent.
    pub(crate) fn next_event(&mut self) -> Option<Event> {
        let event = match self {
            Self::Client(client) => client.next().map(Event::Login),
            Self::Server(server) => server.next().map(Event::ServerLogin),
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
