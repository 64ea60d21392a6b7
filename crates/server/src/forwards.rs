//! What forwards need that a loop cannot do: users' rights, and other loops. Also what the log learns of them.
//! Touches: the host on helper threads, the table of owners.   Never: payload, policy.
//! Invariants: every need is answered once.
//! Errors: the system's, to the client.   Allocates: per need.
//! Proved by: interop `server::forwards`, `server::gateway`.

use crate::connection::Connection;
use crate::desk::Desk;
use crate::host::Account;
use crate::owners::Owner;
use crate::worker::Worker;
use adit_forward::any_bound;
use adit_forward::served::{Need, Notice, Place, Ticket};
use adit_reactor::{Key, Listener, Reactor};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

impl Worker {
    /// Does what the forwards cannot do, and logs what they did.
    pub(crate) fn serve_forwards(&mut self, reactor: &mut Reactor) {
        while let Some(need) = self.forwards.next_need() {
            self.meet(reactor, need);
        }
        while let Some(notice) = self.forwards.next_notice() {
            self.note_owner(&notice);
            self.log_forward(&notice);
        }
    }

    fn meet(&mut self, reactor: &mut Reactor, need: Need) {
        match need {
            Need::ConnectUnix { ticket, session, path } => {
                self.as_user(
                    session,
                    move |desk, account| desk.connect_unix(account, &path),
                    move |worker, reactor, result| {
                        worker.forwards.unix_connected(reactor, ticket, result);
                        worker.serve_forwards(reactor);
                    },
                );
            }
            Need::ListenTcp { ticket, session, asked, addresses } => {
                self.as_user(
                    session,
                    move |desk, account| {
                        let bind = |at: &SocketAddr| desk.listen_tcp(account, &asked, *at);
                        any_bound(addresses.iter().map(|at| bind(at).and_then(Listener::tcp)))
                    },
                    move |worker, reactor, result| worker.listening(reactor, ticket, result),
                );
            }
            Need::ListenUnix { ticket, session, path, mask, unlink } => {
                self.as_user(
                    session,
                    move |desk, account| {
                        let bound = desk.listen_unix(account, &path, mask, unlink)?;
                        Ok(vec![Listener::unix_with(bound, remover(desk, account, &path))?])
                    },
                    move |worker, reactor, result| worker.listening(reactor, ticket, result),
                );
            }
            Need::Takeover { ticket, session, place } => {
                self.take_over(reactor, ticket, session, place)
            }
        }
    }

    /// Does something with a user's rights, on a helper thread.
    fn as_user<T: Send + 'static>(
        &self,
        session: Key,
        work: impl FnOnce(&Arc<dyn Desk>, &Account) -> io::Result<T> + Send + 'static,
        then: impl FnOnce(&mut Self, &mut Reactor, io::Result<T>) + Send + 'static,
    ) {
        let Some(connection) = self.connections.get(&session) else { return };
        let Some(member) = connection.member() else { return };
        let (desk, account) = (connection.desk.clone(), member.account.clone());
        self.shared.errands.run(&self.postbox, move || work(&desk, &account), then);
    }

    fn listening(
        &mut self,
        reactor: &mut Reactor,
        ticket: Ticket,
        result: io::Result<Vec<Listener>>,
    ) {
        self.forwards.listening(reactor, ticket, result);
        self.serve_forwards(reactor);
    }

    /// Asks whoever else is this user, with this key, to give up a place; then has it tried again.
    fn take_over(&mut self, reactor: &mut Reactor, ticket: Ticket, session: Key, place: Place) {
        let member = self.connections.get(&session).and_then(Connection::member);
        let others = member
            .map(|member| self.shared.owners().others(&place, &member.identity))
            .unwrap_or_default();
        if others.is_empty() {
            return self.retry(reactor, ticket, false);
        }
        // The last to answer has the place tried again.
        let outstanding = Arc::new(AtomicUsize::new(others.len()));
        let given_up = Arc::new(AtomicBool::new(false));
        for Owner { home, session: other, number, .. } in others {
            let (here, place) = (self.postbox.clone(), place.clone());
            let (outstanding, given_up) = (outstanding.clone(), given_up.clone());
            home.post(move |worker, reactor| {
                let forwards = worker.forwards.give_up(reactor, other, &place);
                given_up.fetch_or(!forwards.is_empty(), Ordering::AcqRel);
                worker.serve_forwards(reactor);
                let last = outstanding.fetch_sub(1, Ordering::AcqRel) == 1;
                here.post(move |worker, reactor| {
                    worker.log_taken_over(session, &forwards, number);
                    if last {
                        worker.retry(reactor, ticket, given_up.load(Ordering::Acquire));
                    }
                });
            });
        }
    }

    /// Tries a place again that somebody may have given up.
    fn retry(&mut self, reactor: &mut Reactor, ticket: Ticket, given_up: bool) {
        self.forwards.retry(reactor, ticket, given_up);
        self.serve_forwards(reactor);
    }

    /// Keeps the table of owners true.
    fn note_owner(&self, notice: &Notice) {
        match notice {
            Notice::Listening { session, forward, .. } => {
                let Some(connection) = self.connections.get(session) else { return };
                if let Some(member) = connection.member() {
                    let owner = Owner {
                        identity: member.identity.clone(),
                        home: self.postbox.clone(),
                        session: *session,
                        number: connection.number,
                    };
                    self.shared.owners().add(forward, owner);
                }
            }
            Notice::Unlistened { session, forward, .. } => {
                self.shared.owners().remove(forward, *session, &self.postbox);
            }
            _ => {}
        }
    }
}

/// What removes a unix socket once nobody listens on it, with the rights of who had it made.
fn remover(desk: &Arc<dyn Desk>, account: &Account, path: &str) -> impl FnOnce() + Send + 'static {
    let (desk, account, path) = (desk.clone(), account.clone(), path.to_owned());
    move || {
        // It may be gone; then there is nothing to do.
        let _ = desk.unlink_unix(&account, &path);
    }
}
