//! Thousands of idle connections, each with one -R: what each takes of its server.
//! Touches: a server of its own for each, the crowd of `scale`.   Never: a connection that moves data.
//! Invariants: a server with a process per connection gets fewer, or the machine would be what is measured.
//! Errors: a server's skips it.   Allocates: per connection.
//! Proved by: `cargo xtask scale`, which is the same.

use crate::{
    Outcome,
    bench::{contender::ServerKind, measurement::Measurement, row::Row, run::Run},
    scale::{Cost, allow_as_many, cost},
};
use std::net::{Ipv4Addr, SocketAddr};

pub(crate) struct IdleCrowd;

impl Measurement for IdleCrowd {
    fn name(&self) -> &'static str {
        "crowd"
    }

    fn what(&self) -> &'static str {
        "KiB of a server per idle connection with one -R"
    }

    fn run(&self, run: &mut Run) -> Outcome {
        let [many, few] = run.plan.crowd;
        let kinds =
            [(ServerKind::Aditd, many), (ServerKind::Sshd, few), (ServerKind::NewerSshd, few)];
        for (kind, count) in kinds {
            if kind == ServerKind::NewerSshd && !run.plan.with_rivals {
                continue;
            }
            // A connection and its listener at the server, which inherits the limit.
            let count = allow_as_many(count, 2, 200)?;
            let watch = run.watch();
            match against(run, kind, count) {
                Ok(cost) => {
                    let row = Row::new("crowd", kind.name())
                        .case("connections", count)
                        .figure("pss_kib", cost.pss)
                        .figure("private_kib", cost.private)
                        .figure("login_cpu_ms", cost.cpu * 1e3);
                    run.record(1, watch, row);
                }
                Err(why) => run.skip(kind.name(), &format!("{count} idle connections: {why}")),
            }
        }
        Ok(())
    }
}

fn against(run: &mut Run, kind: ServerKind, count: usize) -> Result<Cost, String> {
    let server = run.fleet.fresh(kind)?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, server.port));
    let user = adit_interop_tests::sshd::user_name();
    cost(address, user, &|| crate::bench::process::family(server.pid()), count)
}
