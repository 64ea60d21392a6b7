//! What a connection asks for that needs privilege, files or secrets, wherever it is done: here, or by the keeper.
//! Touches: a `Host`, or the link to the keeper.   Never: what the answers are used for.
//! Invariants: with a keeper nothing is decided here that it does not decide again for itself.
//! Errors: `io::Error`; a refusal is an answer.   Allocates: answers.
//! Proved by: `tests` of the worker and of the keeper, interop `server::separation`.

use crate::connection::Ends;
use crate::host::root_login::root_may_log_in;
use crate::host::{Account, Host, KeyRules, KeyVerdict, Origin, ShownKey};
use crate::host_key_proof::proof;
use crate::keeper::{Client, Link};
use crate::login::{Who, verdict, who_is};
use crate::session::{Launch, OwnSeat, Seat, SessionRules};
use crate::settings::Settings;
use crate::start;
use adit_auth::server::CheckKey;
use adit_config::server::ServerOptions;
use adit_crypto::SignatureAlgorithm;
use adit_reactor::LookUp;
use adit_transport::HostKeys;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;

/// Somebody who wants to be let in, as far as answers depend on it.
#[derive(Clone, Debug)]
pub(crate) struct Applicant {
    pub(crate) user: String,
    /// None for whoever may not log in.
    pub(crate) account: Option<Arc<Account>>,
    pub(crate) origin: Origin,
    pub(crate) options: Arc<ServerOptions>,
    pub(crate) key_rules: KeyRules,
}

/// How a password came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// By method `password`.
    Plainly,
    /// So, with another to take its place.
    ToChange,
    /// By `keyboard-interactive`.
    Interactively,
}

/// What one connection may ask for. Everything may block but where it says otherwise.
pub(crate) trait Desk: Send + Sync {
    /// Who this is, and what is in force for them.
    fn who_is(&self, settings: &Settings, user: &str, ends: Ends) -> Who;

    /// Whether a key may log them in, and what it grants.
    fn check_key(&self, applicant: &Applicant, check: &CheckKey) -> KeyVerdict;

    /// Whether this is their password.
    fn check_password(&self, applicant: &Applicant, password: &[u8], asked: Asked) -> bool;

    /// Host keys that sign for this connection, where they are not those of the settings.
    fn host_keys(&self, settings: &Settings) -> Option<Arc<dyn HostKeys + Send + Sync>>;

    /// Signatures by further host keys.
    fn prove(
        &self,
        settings: &Settings,
        rsa: SignatureAlgorithm,
        session_id: &[u8],
        keys: &[u8],
    ) -> Option<Vec<u8>>;

    /// As [`Host::connect_unix`].
    fn connect_unix(&self, account: &Account, path: &str) -> io::Result<UnixStream>;

    /// As [`Host::listen_unix`].
    fn listen_unix(
        &self,
        account: &Account,
        path: &str,
        mask: u32,
        unlink: bool,
    ) -> io::Result<UnixListener>;

    /// As [`Host::unlink_unix`].
    fn unlink_unix(&self, account: &Account, path: &str) -> io::Result<()>;

    /// As [`Host::listen_tcp`], at one of the addresses that `asked` stands for.
    fn listen_tcp(
        &self,
        account: &Account,
        asked: &str,
        address: SocketAddr,
    ) -> io::Result<TcpListener>;

    /// The seat of a session under these rules. Does not block.
    fn seat(&self, rules: Arc<SessionRules>) -> Arc<dyn Seat>;

    /// The connection is over. Does not block.
    fn gone(&self);
}

/// Where connections get their desks, and the front its sockets.
#[derive(Clone)]
pub(crate) enum Door {
    /// One process does everything.
    Open(Arc<dyn Host>, Launch),
    /// The keeper does what this process cannot.
    Kept(Arc<Link>),
}

impl Door {
    /// The desk of the connection with this number.
    pub(crate) fn desk(&self, connection: u64) -> Arc<dyn Desk> {
        match self {
            Self::Open(host, launch) => Arc::new(Here(host.clone(), launch.clone())),
            Self::Kept(link) => Arc::new(Client::new(link.clone(), connection)),
        }
    }

    /// Who answers for names, where it is not the system.
    pub(crate) fn look_up(&self) -> Option<Arc<LookUp>> {
        match self {
            Self::Open(..) => None,
            Self::Kept(link) => {
                let link = link.clone();
                Some(Arc::new(move |host, port, family| link.look_up(host, port, family)))
            }
        }
    }

    /// The addresses to listen on.
    ///
    /// # Errors
    /// A name that means nothing here.
    pub(crate) fn addresses(&self, options: &ServerOptions) -> Result<Vec<SocketAddr>, String> {
        match self {
            Self::Open(..) => start::listen_addresses(options),
            Self::Kept(link) => link.addresses(),
        }
    }

    /// Listens on one of them.
    ///
    /// # Errors
    /// Those of the system.
    pub(crate) fn bind(&self, address: SocketAddr) -> io::Result<TcpListener> {
        match self {
            Self::Open(..) => adit_forward::listen::tcp_socket(address),
            Self::Kept(link) => link.bind(address),
        }
    }
}

/// Everything is done by this process.
struct Here(Arc<dyn Host>, Launch);

impl Desk for Here {
    fn who_is(&self, settings: &Settings, user: &str, ends: Ends) -> Who {
        who_is(&*self.0, settings, user, ends)
    }

    fn check_key(&self, applicant: &Applicant, check: &CheckKey) -> KeyVerdict {
        key_verdict(&*self.0, applicant, check)
    }

    fn check_password(&self, applicant: &Applicant, password: &[u8], _: Asked) -> bool {
        is_password(&*self.0, applicant, password)
    }

    fn host_keys(&self, _: &Settings) -> Option<Arc<dyn HostKeys + Send + Sync>> {
        None
    }

    fn prove(
        &self,
        settings: &Settings,
        rsa: SignatureAlgorithm,
        session_id: &[u8],
        keys: &[u8],
    ) -> Option<Vec<u8>> {
        proof(&settings.host_keys, rsa, session_id, keys)
    }

    fn connect_unix(&self, account: &Account, path: &str) -> io::Result<UnixStream> {
        self.0.connect_unix(account, path)
    }

    fn listen_unix(
        &self,
        account: &Account,
        path: &str,
        mask: u32,
        unlink: bool,
    ) -> io::Result<UnixListener> {
        self.0.listen_unix(account, path, mask, unlink)
    }

    fn unlink_unix(&self, account: &Account, path: &str) -> io::Result<()> {
        self.0.unlink_unix(account, path)
    }

    fn listen_tcp(
        &self,
        account: &Account,
        _: &str,
        address: SocketAddr,
    ) -> io::Result<TcpListener> {
        self.0.listen_tcp(account, address)
    }

    fn seat(&self, rules: Arc<SessionRules>) -> Arc<dyn Seat> {
        Arc::new(OwnSeat::new(self.0.clone(), rules, self.1.clone()))
    }

    fn gone(&self) {}
}

/// What the host says of a key that somebody shows.
pub(crate) fn key_verdict(host: &dyn Host, applicant: &Applicant, check: &CheckKey) -> KeyVerdict {
    let shown = ShownKey { blob: &check.public_key, flags: check.key_flags };
    let Applicant { account, origin, key_rules, options, .. } = applicant;
    verdict(host, account.as_deref(), &shown, origin, key_rules, options)
}

/// Whether the host takes it for their password, and PermitRootLogin a password for root's.
pub(crate) fn is_password(host: &dyn Host, applicant: &Applicant, password: &[u8]) -> bool {
    let options = &applicant.options;
    let account = applicant.account.as_deref().filter(|account| {
        !account.is_root() || root_may_log_in(options.permit_root_login, false, false)
    });
    host.check_password(account, password, options.permit_empty_passwords)
}
