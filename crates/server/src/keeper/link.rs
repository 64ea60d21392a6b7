//! The way to the keeper, for the process that talks to the network.
//! Touches: the socket between the two, a thread that reads it.   Never: files, keys.
//! Invariants: every question is answered once, or fails when the keeper is gone; nothing waits for a lock while it is sent.
//! Errors: `io::Error`: the system's as the keeper saw it; `PermissionDenied` where the keeper refuses.   Allocates: per question.
//! Proved by: `tests` of `answer`, interop `server::separation`.

use super::message::{Bytes, Heard, Order, Private, Reply, Request};
use super::seat::KeptSeat;
use super::socket::{receive, send};
use super::terms::Terms;
use crate::connection::Ends;
use crate::desk::{Applicant, Asked, Desk};
use crate::host::keys::HostKeyRing;
use crate::host::{Account, KeyRefusal, KeyVerdict, Origin};
use crate::login::{NotIn, Who, address_of};
use crate::session::{Seat, SessionRules};
use crate::settings::Settings;
use adit_auth::server::CheckKey;
use adit_config::server::MatchContext;
use adit_config::types::LogLevel;
use adit_crypto::{KeyAlgorithm, SignatureAlgorithm};
use adit_reactor::{Family, Found, Waker};
use adit_transport::{HostKeys, SignFailed};
use adit_wire::auth::{KeyboardInteractive, Password, UserauthInfoResponse, UserauthRequest};
use adit_wire::{Message, Rest};
use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use zeroize::Zeroizing;

/// The way to the keeper.
pub(crate) struct Link {
    socket: OwnedFd,
    calls: Mutex<Calls>,
    /// Sessions there were.
    sessions: AtomicU64,
}

/// Who waits for which answer.
#[derive(Default)]
struct Calls {
    last: u32,
    waiting: HashMap<u32, SyncSender<Answer>>,
    /// The keeper is gone.
    over: bool,
}

/// A reply and the descriptors that came with it.
type Answer = (Reply, Vec<OwnedFd>);

/// What the keeper wants of the front.
pub(crate) enum Wish {
    /// Other settings.
    Reload(Box<Settings>),
    /// An end, because of a signal.
    Stop(u32),
    /// The keeper is gone, and so is all this process could do.
    Gone,
}

impl Link {
    pub(super) fn new(socket: OwnedFd) -> Self {
        Self { socket, calls: Mutex::default(), sessions: AtomicU64::new(0) }
    }

    pub(super) const fn socket(&self) -> &OwnedFd {
        &self.socket
    }

    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has a thread take what the keeper sends; what it wants comes out of the channel, after `waker`.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn listen(self: &Arc<Self>, waker: Arc<Waker>) -> io::Result<Receiver<Wish>> {
        let (wishes, receiver) = channel();
        let link = self.clone();
        thread::Builder::new().name("keeper".into()).spawn(move || {
            link.hear(&wishes, &waker);
            link.hang_up();
            // Nobody listens when this process is ending by itself.
            let _ = wishes.send(Wish::Gone);
            let _ = waker.wake();
        })?;
        Ok(receiver)
    }

    /// Reads until the keeper is gone, or is none.
    fn hear(&self, wishes: &Sender<Wish>, waker: &Waker) {
        while let Ok(Some((bytes, mut descriptors))) = receive(&self.socket) {
            let wish = match Heard::decode(&bytes) {
                Ok(Heard::Reply(id, reply)) => {
                    if let Some(caller) = self.calls().waiting.remove(&id) {
                        // There is room for the one answer.
                        let _ = caller.try_send((reply, descriptors));
                    }
                    continue;
                }
                Ok(Heard::Order(Order::Stop { signal })) => Wish::Stop(signal),
                Ok(Heard::Order(Order::Reload {})) => {
                    let settings = descriptors.pop().map(Terms::from_memory);
                    match settings.and_then(Result::ok).map(|terms| settings_of(&terms)) {
                        Some(Ok(settings)) => Wish::Reload(Box::new(settings)),
                        _ => return,
                    }
                }
                Ok(Heard::Order(Order::Begin { .. })) | Err(_) => return,
            };
            if wishes.send(wish).is_err() || waker.wake().is_err() {
                return;
            }
        }
    }

    fn hang_up(&self) {
        let mut calls = self.calls();
        calls.over = true;
        calls.waiting.clear();
    }

    /// Asks, and waits for the answer.
    pub(super) fn ask(&self, request: &Request) -> io::Result<Answer> {
        let (answer, receiver) = sync_channel(1);
        let id = {
            let mut calls = self.calls();
            if calls.over {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            loop {
                calls.last = calls.last.wrapping_add(1);
                if calls.last != 0 && !calls.waiting.contains_key(&calls.last) {
                    break;
                }
            }
            let id = calls.last;
            calls.waiting.insert(id, answer);
            id
        };
        if let Err(error) = send(&self.socket, &request.encode(id), &[]) {
            self.calls().waiting.remove(&id);
            return Err(error);
        }
        let answer = receiver.recv().map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        match answer {
            (Reply::Refused {}, _) => Err(io::ErrorKind::PermissionDenied.into()),
            (Reply::Failed { code: 0, words }, _) => Err(io::Error::other(words)),
            (Reply::Failed { code, .. }, _) => Err(io::Error::from_raw_os_error(code as i32)),
            answer => Ok(answer),
        }
    }

    /// Says something that has no answer.
    pub(super) fn tell(&self, request: &Request) {
        // Without a keeper there is nobody to hear it.
        let _ = send(&self.socket, &request.encode(0), &[]);
    }

    fn descriptor(&self, request: &Request) -> io::Result<OwnedFd> {
        self.ask(request)?.1.pop().ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// A line for the log.
    pub(crate) fn log(&self, level: LogLevel, line: &str) {
        let longest = line.floor_char_boundary_at(MAX_LINE);
        self.tell(&Request::Log { level: level as u8, line: longest.to_owned() });
    }

    /// Connections are taken.
    pub(crate) fn ready(&self, status: &str) {
        let status = status.floor_char_boundary_at(MAX_LINE).to_owned();
        self.tell(&Request::Ready { status });
    }

    /// For a watchdog.
    pub(crate) fn alive(&self) {
        self.tell(&Request::Alive {});
    }

    /// No more connections are taken.
    pub(crate) fn stopping(&self) {
        self.tell(&Request::Stopping {});
    }

    /// This process cannot start.
    pub(super) fn fatal(&self, words: &str) {
        self.tell(&Request::Fatal { words: words.floor_char_boundary_at(MAX_LINE).to_owned() });
    }

    /// The addresses of a name.
    pub(crate) fn look_up(&self, host: &str, port: u16, family: Family) -> Found {
        let family = match family {
            Family::Any => 0,
            Family::V4 => 4,
            Family::V6 => 6,
        };
        self.found(&Request::LookUp { host: host.to_owned(), port, family })
    }

    /// The addresses to listen on.
    pub(crate) fn addresses(&self) -> Found {
        self.found(&Request::Addresses {})
    }

    fn found(&self, request: &Request) -> Found {
        match self.ask(request) {
            Ok((Reply::Found { addresses }, _)) => Ok(addresses),
            Ok(_) => Err("the keeper does not answer".into()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Listens on one of those addresses.
    pub(crate) fn bind(&self, address: SocketAddr) -> io::Result<TcpListener> {
        self.descriptor(&Request::Bind { address }).map(TcpListener::from)
    }
}

/// Longer lines are cut.
const MAX_LINE: usize = 16 * 1024;

/// Cutting text where a character ends.
trait Cut {
    fn floor_char_boundary_at(&self, most: usize) -> &str;
}

impl Cut for str {
    fn floor_char_boundary_at(&self, most: usize) -> &str {
        let end = (0..=most.min(self.len())).rev().find(|end| self.is_char_boundary(*end));
        &self[..end.unwrap_or(0)]
    }
}

/// Settings out of what the keeper handed over.
pub(super) fn settings_of(terms: &Terms) -> Result<Settings, String> {
    let main = terms.main();
    let algorithms = &crate::algorithms::ALGORITHMS;
    let config = adit_config::server::ServerConfig::load_from(
        &terms.files,
        main.as_deref(),
        &terms.overrides,
        algorithms,
    );
    let config = config.map_err(|_| "the configuration cannot be read again".to_owned())?;
    let halves = terms.host_keys.iter().map(|(key, certificate)| {
        (key.0.as_slice(), certificate.as_ref().map(|certificate| certificate.0.as_slice()))
    });
    let ring = HostKeyRing::of_public_halves(halves).ok_or("a host key cannot be read again")?;
    Ok(Settings::with_keys(config, ring))
}

/// One connection's desk.
#[derive(Clone)]
pub(crate) struct Client {
    link: Arc<Link>,
    connection: u64,
}

impl Client {
    pub(crate) const fn new(link: Arc<Link>, connection: u64) -> Self {
        Self { link, connection }
    }

    /// Shows the keeper what the client sent.
    fn show(&self, message: Zeroizing<Vec<u8>>) -> io::Result<Judged> {
        let request = Request::Login { connection: self.connection, message: Private(message) };
        match self.link.ask(&request)?.0 {
            Reply::Judged { accepted, grants, refusal } => Ok(Judged { accepted, grants, refusal }),
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

/// What a login message proved.
struct Judged {
    accepted: bool,
    grants: Option<adit_keys::authorized_keys::Grants>,
    refusal: Option<KeyRefusal>,
}

/// A request with the body of its method.
pub(super) fn request(user: &str, method: &str, body: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut message = Zeroizing::new(Vec::new());
    UserauthRequest {
        user_name: user,
        service_name: "ssh-connection",
        method_name: method,
        method: Rest(body),
    }
    .encode(&mut message);
    message
}

impl Desk for Client {
    fn who_is(&self, settings: &Settings, user: &str, ends: Ends) -> Who {
        let Ends { remote, local } = ends;
        let asked =
            Request::WhoIs { connection: self.connection, user: user.to_owned(), remote, local };
        let reply = self.link.ask(&asked).map(|(reply, _)| reply);
        let known = match reply {
            Ok(Reply::Known { account, unknown, refused, host, groups, passwords, banner }) => {
                (account, unknown, refused, host, groups, passwords, banner)
            }
            Ok(_) | Err(_) => {
                let refused = Some("the keeper does not answer".to_owned());
                (None, true, refused, None, Vec::new(), false, None)
            }
        };
        let (account, unknown, refused, host, groups, passwords, banner) = known;
        let context = MatchContext {
            user: Some(user),
            invalid_user: unknown,
            groups: &groups,
            host: host.as_deref(),
            ..settings.context(ends)
        };
        let options = settings.options(&context);
        let why = match (&account, refused) {
            (Some(_), _) => None,
            (None, Some(why)) => Some(NotIn::Refused(why)),
            (None, None) => Some(NotIn::Unknown),
        };
        let origin = Origin { address: address_of(ends), host };
        let banner = banner.map(|Bytes(banner)| banner);
        Who { account, groups, unknown, why, origin, options, passwords, banner }
    }

    fn check_key(&self, _: &Applicant, check: &CheckKey) -> KeyVerdict {
        let judged = self.show(Zeroizing::new(check.request.clone()));
        match judged {
            Ok(Judged { accepted: true, grants: Some(grants), .. }) => Ok(grants),
            Ok(Judged { refusal: Some(refusal), .. }) => Err(refusal),
            Ok(_) => Err(KeyRefusal::Flawed("the keeper does not take it".into())),
            Err(error) => Err(KeyRefusal::Flawed(format!("the keeper: {error}"))),
        }
    }

    fn check_password(&self, applicant: &Applicant, password: &[u8], asked: Asked) -> bool {
        let user = &applicant.user;
        let mut body = Zeroizing::new(Vec::new());
        let judged = match asked {
            Asked::Plainly | Asked::ToChange => {
                let new_password = (asked == Asked::ToChange).then_some(&b""[..]);
                Password { password, new_password }.encode(&mut body);
                self.show(request(user, "password", &body))
            }
            Asked::Interactively => {
                adit_wire::Body::encode(
                    &KeyboardInteractive { language_tag: b"", submethods: b"" },
                    &mut body,
                );
                self.show(request(user, "keyboard-interactive", &body)).and_then(|_| {
                    let mut message = Zeroizing::new(Vec::new());
                    UserauthInfoResponse::encode_responses([password].into_iter(), &mut message);
                    self.show(message)
                })
            }
        };
        judged.is_ok_and(|judged| judged.accepted)
    }

    fn host_keys(&self, settings: &Settings) -> Option<Arc<dyn HostKeys + Send + Sync>> {
        Some(Arc::new(KeptKeys { client: self.clone(), ring: settings.host_keys.clone() }))
    }

    fn prove(
        &self,
        _: &Settings,
        rsa: SignatureAlgorithm,
        _: &[u8],
        keys: &[u8],
    ) -> Option<Vec<u8>> {
        let request = Request::Prove {
            connection: self.connection,
            algorithm: rsa.name().to_owned(),
            keys: Bytes(keys.to_vec()),
        };
        match self.link.ask(&request).ok()?.0 {
            Reply::Signed { bytes } => Some(bytes.0),
            _ => None,
        }
    }

    fn connect_unix(&self, _: &Account, path: &str) -> io::Result<UnixStream> {
        let (connection, path) = (self.connection, path.to_owned());
        self.link.descriptor(&Request::ConnectUnix { connection, path }).map(UnixStream::from)
    }

    fn listen_unix(&self, _: &Account, path: &str, _: u32, _: bool) -> io::Result<UnixListener> {
        let (connection, path) = (self.connection, path.to_owned());
        self.link.descriptor(&Request::ListenUnix { connection, path }).map(UnixListener::from)
    }

    fn unlink_unix(&self, _: &Account, path: &str) -> io::Result<()> {
        let (connection, path) = (self.connection, path.to_owned());
        self.link.ask(&Request::UnlinkUnix { connection, path }).map(drop)
    }

    fn listen_tcp(&self, _: &Account, asked: &str, address: SocketAddr) -> io::Result<TcpListener> {
        let (connection, asked) = (self.connection, asked.to_owned());
        self.link
            .descriptor(&Request::ListenTcp { connection, asked, address })
            .map(TcpListener::from)
    }

    fn seat(&self, _: Arc<SessionRules>) -> Arc<dyn Seat> {
        let session = self.link.sessions.fetch_add(1, Ordering::Relaxed);
        Arc::new(KeptSeat::new(self.link.clone(), self.connection, session))
    }

    fn gone(&self) {
        self.link.tell(&Request::Gone { connection: self.connection });
    }
}

/// Host keys of which this process has the public halves.
struct KeptKeys {
    client: Client,
    ring: Arc<HostKeyRing>,
}

impl HostKeys for KeptKeys {
    fn algorithms(&self) -> Vec<KeyAlgorithm> {
        self.ring.algorithms()
    }

    fn public_blob(&self, algorithm: KeyAlgorithm) -> Option<Vec<u8>> {
        self.ring.public_blob(algorithm)
    }

    fn sign(&self, algorithm: KeyAlgorithm, hash: &[u8]) -> Result<Vec<u8>, SignFailed> {
        let request = Request::Sign {
            connection: self.client.connection,
            algorithm: algorithm.name().to_owned(),
            hash: Bytes(hash.to_vec()),
        };
        match self.client.link.ask(&request) {
            Ok((Reply::Signed { bytes }, _)) => Ok(bytes.0),
            _ => Err(SignFailed),
        }
    }
}
