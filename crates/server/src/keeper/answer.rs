//! The keeper's answers: every request is held against what its connection has proved.
//! Touches: the cases, host keys, the host.   Never: the sockets between the processes; descriptors it did not make.
//! Invariants: what a request says is a wish: account, rights and rules come from the connection's own case; nothing of
//! an account is touched before its login was proved to the keeper.
//! Errors: refusals, and those of the system.   Allocates: a case per connection, and those are bounded.
//! Proved by: `tests`: each request in each state.

#[cfg(test)]
mod tests;

use super::case::{Case, Session};
use super::message::{Bytes, Reply, Request};
use super::places::Places;
use super::sitting::Sitting;
use crate::connection::Ends;
use crate::errand::Errands;
use crate::host::{Account, Host};
use crate::host_key_proof::proof;
use crate::policy::Permissions;
use crate::rules;
use crate::session::{
    Asked, Launch, OwnSeat, Pipes, Started, Terminal, TerminalWish, signal_by_name,
};
use crate::settings::Settings;
use crate::start::listen_addresses;
use adit_crypto::{KeyAlgorithm, SignatureAlgorithm};
use adit_engine::Forward;
use adit_forward::Target;
use adit_forward::listen::{addresses_asked_for, tcp_socket};
use adit_forward::served::Rules;
use adit_reactor::{Family, by_name};
use adit_transport::HostKeys;
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

/// Connections at a time where MaxConnections does not say: more than there are descriptors for.
const MAX_CASES: usize = 1 << 20;

/// Lengths of an exchange hash: SHA-1 to SHA-512. Nothing else of a protocol's that is signed is as short.
const HASH_LENGTHS: std::ops::RangeInclusive<usize> = 20..=64;

/// What the keeper keeps.
pub(super) struct Keeper {
    host: Arc<dyn Host>,
    launch: Launch,
    /// Who waits for the ends of commands.
    errands: Errands,
    settings: RwLock<Arc<Settings>>,
    /// Where the other process may listen.
    addresses: Mutex<Vec<SocketAddr>>,
    cases: Mutex<HashMap<u64, Arc<Case>>>,
    /// Those that have not logged in.
    strangers: Places,
}

/// A reply, and the descriptors that go with it.
pub(super) type Answer = (Reply, Vec<OwnedFd>);

/// What takes an answer that comes later.
pub(super) type Teller = Box<dyn FnOnce(Answer) + Send>;

impl Keeper {
    pub(super) fn new(
        host: Arc<dyn Host>,
        launch: Launch,
        errands: Errands,
        settings: Settings,
    ) -> Self {
        Self {
            host,
            launch,
            errands,
            settings: RwLock::new(Arc::new(settings)),
            addresses: Mutex::default(),
            cases: Mutex::default(),
            strangers: Places::default(),
        }
    }

    pub(super) fn settings(&self) -> Arc<Settings> {
        self.settings.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts other settings in force, for connections to come.
    pub(super) fn replace(&self, settings: Settings) {
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
    }

    fn cases(&self) -> MutexGuard<'_, HashMap<u64, Arc<Case>>> {
        self.cases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn case(&self, connection: u64) -> Option<Arc<Case>> {
        self.cases().get(&connection).cloned()
    }

    /// A connection is over. Gives the case where there are unix sockets left to [`Keeper::close`].
    pub(super) fn part_with(&self, connection: u64) -> Option<Arc<Case>> {
        let case = self.cases().remove(&connection)?;
        case.leave();
        let has_sockets = !case.sockets().is_empty();
        has_sockets.then_some(case)
    }

    /// All are.
    pub(super) fn forget_all(&self) {
        let cases = std::mem::take(&mut *self.cases());
        cases.values().for_each(|case| self.close(case));
    }

    /// Removes unix sockets of a connection that is over, should they still be there. May block.
    pub(super) fn close(&self, case: &Case) {
        let paths = std::mem::take(&mut *case.sockets());
        if let Some(member) = case.member() {
            for path in paths {
                // It may be gone; then there is nothing to do.
                let _ = self.host.unlink_unix(&member.account, &path);
            }
        }
    }

    /// The answer to anything that has one. May block, but for `Sign`.
    pub(super) fn answer(&self, request: Request) -> Answer {
        let without = |reply| (reply, Vec::new());
        match request {
            Request::Sign { connection, algorithm, hash } => {
                without(self.sign(connection, &algorithm, &hash.0))
            }
            Request::WhoIs { connection, user, remote, local } => {
                without(self.case(connection).map_or(Reply::Refused {}, |case| {
                    case.who_is(&*self.host, &user, Ends { remote, local })
                }))
            }
            Request::Login { connection, message } => without(
                self.case(connection)
                    .map_or(Reply::Refused {}, |case| case.hear(&*self.host, &message.0)),
            ),
            Request::Prove { connection, algorithm, keys } => {
                without(self.prove(connection, &algorithm, &keys.0).unwrap_or(Reply::Refused {}))
            }
            Request::ConnectUnix { connection, path } => {
                self.as_member(connection, |host, member| {
                    member.may_open(&Target::Unix(path.clone())).ok()?;
                    Some(host.connect_unix(&member.account, &path).map(OwnedFd::from))
                })
            }
            Request::ListenUnix { connection, path } => self.listen_unix(connection, &path),
            Request::UnlinkUnix { connection, path } => self.unlink_unix(connection, &path),
            Request::ListenTcp { connection, asked, address } => {
                self.as_member(connection, |host, member| {
                    may_bind(member, &asked, address)
                        .then(|| host.listen_tcp(&member.account, address).map(OwnedFd::from))
                })
            }
            Request::LookUp { host, port, family } => without(look_up(&host, port, family)),
            Request::Addresses {} => without(self.addresses()),
            Request::Bind { address } => self.bind(address),
            Request::OpenTerminal { connection, session, wish } => {
                self.open_terminal(connection, session, &wish)
            }
            Request::Start { connection, session, asked } => {
                self.start(connection, session, &asked)
            }
            Request::Signal { connection, session, name } => {
                without(self.signal(connection, session, &name).unwrap_or(Reply::Refused {}))
            }
            Request::Gone { .. }
            | Request::Wait { .. }
            | Request::Leave { .. }
            | Request::Ready { .. }
            | Request::Alive {}
            | Request::Stopping {}
            | Request::Log { .. }
            | Request::Fatal { .. } => without(Reply::Refused {}),
        }
    }

    /// Signs an exchange hash. The first of a connection is its session identifier.
    fn sign(&self, connection: u64, algorithm: &str, hash: &[u8]) -> Reply {
        let case = self.case(connection);
        let settings = case.as_ref().map_or_else(|| self.settings(), |case| case.settings.clone());
        let signed = KeyAlgorithm::from_name(algorithm)
            .filter(|_| HASH_LENGTHS.contains(&hash.len()))
            .filter(|_| settings.global.host_key_algorithms.contains(&algorithm))
            .and_then(|algorithm| {
                let keys = &settings.host_keys;
                Some((keys.public_blob(algorithm)?, keys.sign(algorithm, hash).ok()?))
            });
        let Some((host_key, signature)) = signed else { return Reply::Refused {} };
        if case.is_none() {
            let session = Session { id: hash.to_vec(), host_key };
            let options = settings.global.clone();
            let most = options.max_connections.map_or(MAX_CASES, |most| most as usize);
            let mut cases = self.cases();
            // As many as the server's own limits let in.
            let place =
                (cases.len() < most).then(|| self.strangers.admit(options.max_startups.full));
            let Some(place) = place.flatten() else { return Reply::Refused {} };
            cases.insert(connection, Arc::new(Case::new(settings, session, place)));
        }
        Reply::Signed { bytes: Bytes(signature) }
    }

    fn prove(&self, connection: u64, algorithm: &str, keys: &[u8]) -> Option<Reply> {
        let case = self.case(connection)?;
        case.member()?;
        let algorithm = SignatureAlgorithm::from_name(algorithm)?;
        let signatures = proof(&case.settings.host_keys, algorithm, case.session_id(), keys)?;
        Some(Reply::Signed { bytes: Bytes(signatures) })
    }

    /// Does something for whoever has proved who they are.
    fn as_member(
        &self,
        connection: u64,
        work: impl FnOnce(&dyn Host, &Permissions) -> Option<io::Result<OwnedFd>>,
    ) -> Answer {
        let case = self.case(connection);
        let member = case.as_ref().and_then(|case| case.member());
        match member.and_then(|member| work(&*self.host, member)) {
            Some(result) => opened(result),
            None => (Reply::Refused {}, Vec::new()),
        }
    }

    fn listen_unix(&self, connection: u64, path: &str) -> Answer {
        let Some(case) = self.case(connection) else { return (Reply::Refused {}, Vec::new()) };
        let answer = self.as_member(connection, |host, member| {
            let plan = member.may_listen(&Forward::Streamlocal { path: path.into() }).ok()?;
            let full = case.sockets().len() >= member.max_listeners();
            (!full).then(|| {
                let (mask, unlink) = (plan.bind_mask, plan.bind_unlink);
                host.listen_unix(&member.account, path, mask, unlink).map(OwnedFd::from)
            })
        });
        if !answer.1.is_empty() {
            case.sockets().insert(path.to_owned());
            let is_there = self.case(connection).is_some_and(|now| Arc::ptr_eq(&now, &case));
            if !is_there {
                // It ended meanwhile, and nobody will say so again.
                self.close(&case);
            }
        }
        answer
    }

    fn unlink_unix(&self, connection: u64, path: &str) -> Answer {
        let case = self.case(connection);
        let own = case.filter(|case| case.sockets().remove(path));
        let account: Option<Arc<Account>> =
            own.and_then(|case| Some(case.member()?.account.clone()));
        match account.map(|account| self.host.unlink_unix(&account, path)) {
            Some(Ok(())) => (Reply::Done {}, Vec::new()),
            Some(Err(error)) => (failed(&error), Vec::new()),
            None => (Reply::Refused {}, Vec::new()),
        }
    }

    fn addresses(&self) -> Reply {
        match listen_addresses(&self.settings().global) {
            Ok(addresses) => {
                self.addresses
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .clone_from(&addresses);
                Reply::Found { addresses }
            }
            Err(words) => Reply::Failed { code: 0, words },
        }
    }

    fn bind(&self, address: SocketAddr) -> Answer {
        let wanted = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        if !wanted.contains(&address) {
            return (Reply::Refused {}, Vec::new());
        }
        drop(wanted);
        opened(tcp_socket(address).map(OwnedFd::from))
    }
}

/// Sessions.
impl Keeper {
    /// A session of whoever has proved who they are, as far as there may be one more.
    ///
    /// # Errors
    /// The reply that says why there is none.
    fn sitting(&self, connection: u64, session: u64) -> Result<Arc<Sitting>, Box<Reply>> {
        let refused = || Box::new(Reply::Refused {});
        let case = self.case(connection).ok_or_else(refused)?;
        let most = case.member().ok_or_else(refused)?.options.max_sessions;
        let rules = case.session_rules().ok_or_else(refused)?;
        let seat = || OwnSeat::new(self.host.clone(), Arc::new(rules), self.launch.clone());
        case.sittings.at(session, most, seat).ok_or_else(|| {
            let words = format!("MaxSessions {most} are open, or run though they were left");
            Box::new(Reply::Failed { code: 0, words })
        })
    }

    /// Does `work` in a session.
    fn seated(
        &self,
        connection: u64,
        session: u64,
        work: impl FnOnce(Arc<Sitting>) -> io::Result<Answer>,
    ) -> Answer {
        match self.sitting(connection, session) {
            Ok(sitting) => work(sitting).unwrap_or_else(|error| (failed(&error), Vec::new())),
            Err(reply) => (*reply, Vec::new()),
        }
    }

    fn open_terminal(&self, connection: u64, session: u64, wish: &TerminalWish) -> Answer {
        self.seated(connection, session, |sitting| {
            let Terminal { master, name } = sitting.open_terminal(wish)?;
            Ok((Reply::Terminal { name: Bytes(name.into_vec()) }, vec![master]))
        })
    }

    fn start(&self, connection: u64, session: u64, asked: &Asked) -> Answer {
        self.seated(connection, session, |sitting| {
            let Started { task, pipes } = sitting.start(asked)?;
            self.errands.aside("wait", move || sitting.watch());
            let pipes = pipes.map(|Pipes { input, output, errors }| vec![input, output, errors]);
            let (command, forced) = (task.command, task.forced);
            Ok((Reply::Started { command, forced }, pipes.unwrap_or_default()))
        })
    }

    fn signal(&self, connection: u64, session: u64, name: &str) -> Option<Reply> {
        let sitting = self.case(connection)?.sittings.get(session)?;
        let signal = signal_by_name(name)?;
        Some(sitting.signal(signal).map_or_else(|error| failed(&error), |()| Reply::Done {}))
    }

    /// Has it told when what was started in a session has ended. Does not block.
    pub(super) fn wait(&self, connection: u64, session: u64, teller: Teller) {
        let sitting = self.case(connection).and_then(|case| case.sittings.get(session));
        let Some(sitting) = sitting else { return teller((Reply::Refused {}, Vec::new())) };
        sitting.wait(teller);
    }

    /// A session's channel is closed. Does not block.
    pub(super) fn leave(&self, connection: u64, session: u64) {
        if let Some(case) = self.case(connection) {
            case.sittings.leave(session);
        }
    }
}

/// Whether a member may listen there, and asked for that and nothing else.
fn may_bind(member: &Permissions, asked: &str, address: SocketAddr) -> bool {
    let forward = Forward::Tcpip { address: asked.into(), port: address.port().into() };
    let Ok(plan) = member.may_listen(&forward) else { return false };
    let family = rules::family(&member.options);
    let on = plan.gateway_ports.listen_on(asked);
    addresses_asked_for(on, address.port(), family).is_ok_and(|all| all.contains(&address))
}

fn look_up(host: &str, port: u16, family: u8) -> Reply {
    let family = match family {
        0 => Family::Any,
        4 => Family::V4,
        6 => Family::V6,
        _ => return Reply::Refused {},
    };
    match by_name(host, port, family) {
        Ok(addresses) => Reply::Found { addresses },
        Err(words) => Reply::Failed { code: 0, words },
    }
}

fn opened(result: io::Result<OwnedFd>) -> Answer {
    match result {
        Ok(descriptor) => (Reply::Done {}, vec![descriptor]),
        Err(error) => (failed(&error), Vec::new()),
    }
}

/// What the system said, or would have said.
fn failed(error: &io::Error) -> Reply {
    let denied = (error.kind() == io::ErrorKind::PermissionDenied)
        .then_some(rustix::io::Errno::ACCESS.raw_os_error());
    let code = error.raw_os_error().or(denied).unwrap_or_default();
    Reply::Failed { code: code.unsigned_abs(), words: error.to_string() }
}
