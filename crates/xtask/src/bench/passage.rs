//! A way from a port here to a far end: through a tunnel, through relays, or through nothing.
//! Touches: client processes, relays, a line where one is wanted.   Never: what goes through it.
//! Invariants: it stands when `open` returns, with a far end of its own; all of it is gone at drop.
//! Errors: a sentence with the client's words.   Allocates: paths.
//! Proved by: `near_end`'s checks through each, before anything is measured.

use super::{
    contender::{Cipher, ClientKind, Contender},
    far_end::FarEnd,
    fleet::Fleet,
    line::{Line, Settings},
    null_relay::NullRelay,
    process::Cpu,
    server::{converted, start, told},
};
use adit_interop_tests::{child::Guarded, ports::free_port, sshd::user_name};
use std::{io, path::Path, process::Command, time::Instant};

/// One that stands.
#[derive(Debug)]
pub(crate) struct Passage {
    pub(crate) contender: Contender,
    /// Where to connect.
    pub(crate) port: u16,
    /// Whose time is told apart: client and server, or what stands in their place.
    pub(crate) pids: [Option<u32>; 2],
    pub(crate) line: Option<Line>,
    /// When its client was started.
    pub(crate) started: Instant,
    /// Client and server as they were started.
    pub(crate) commands: Vec<(String, String)>,
    // Processes before the far end, so that they do not see it go.
    processes: Vec<Guarded>,
    _far: FarEnd,
}

impl Passage {
    /// Opens one; `settings` lay a line between its two ends.
    pub(crate) fn open(
        fleet: &mut Fleet,
        contender: Contender,
        cipher: Cipher,
        settings: Option<Settings>,
    ) -> Result<Self, String> {
        let far = FarEnd::start().map_err(words)?;
        let lay = |port| settings.map(|settings| Line::lay(settings, port)).transpose();
        let mut passage = Self {
            contender,
            port: far.port(),
            pids: [None; 2],
            line: None,
            started: Instant::now(),
            commands: Vec::new(),
            processes: Vec::new(),
            _far: far,
        };
        match contender {
            Contender::Nothing => passage.through_line(lay(passage.port).map_err(words)?),
            Contender::Relay(kib) => passage.through_relay(kib, 0)?,
            Contender::TwoRelays => {
                passage.through_relay(128, 1)?;
                passage.through_line(lay(passage.port).map_err(words)?);
                passage.through_relay(128, 0)?;
            }
            Contender::Tunnel(client, server) => {
                let name = server.name();
                let server = fleet.server(server)?;
                passage.commands.push((name.into(), server.command.clone()));
                let (target, pid, at) = (passage.port, server.pid(), server.port);
                passage.pids[1] = Some(pid);
                passage.line = lay(at).map_err(words)?;
                let at = passage.line.as_ref().map_or(at, Line::port);
                let cipher = cipher.name_for(contender);
                let listen = free_port();
                let mut command = fleet.client(client, at, cipher, listen, target)?;
                passage.commands.push((client.name().into(), told(&command)));
                passage.port = listen;
                passage.started = Instant::now();
                passage.keep(0, start(client.name(), &mut command, listen)?);
            }
        }
        Ok(passage)
    }

    /// What client and server have taken so far.
    pub(crate) fn cpu(&self) -> [Cpu; 2] {
        self.pids.map(|pid| pid.map(Cpu::of_family).unwrap_or_default())
    }

    /// What the client said, for an error.
    pub(crate) fn said(&self) -> String {
        let said = self.processes.iter().map(|process| process.stderr.text());
        said.collect::<String>().trim_end().to_owned()
    }

    fn through_line(&mut self, line: Option<Line>) {
        self.port = line.as_ref().map_or(self.port, Line::port);
        self.line = line;
    }

    fn through_relay(&mut self, kib: usize, place: usize) -> Result<(), String> {
        let NullRelay { process, port } = NullRelay::start(kib, self.port)?;
        self.port = port;
        self.keep(place, process);
        Ok(())
    }

    fn keep(&mut self, place: usize, process: Guarded) {
        self.pids[place] = Some(process.pid());
        self.processes.push(process);
    }
}

impl Fleet {
    /// A client's command line: `-N -L LISTEN:127.0.0.1:TARGET` to the server at `port`.
    pub(crate) fn client(
        &self,
        kind: ClientKind,
        port: u16,
        cipher: &str,
        listen: u16,
        target: u16,
    ) -> Result<Command, String> {
        let forward = format!("127.0.0.1:{listen}:127.0.0.1:{target}");
        let here = self.keys.here();
        Ok(match kind {
            ClientKind::Adit => {
                openssh_like(Command::new(&self.programs.adit), here, port, cipher, &forward)
            }
            ClientKind::SmallAdit => {
                let program = self.programs.small_adit.as_ref().map_err(Clone::clone)?;
                openssh_like(Command::new(program), here, port, cipher, &forward)
            }
            ClientKind::Ssh => {
                let program = self.programs.ssh.as_ref().ok_or("ssh is not installed")?;
                openssh_like(Command::new(program), here, port, cipher, &forward)
            }
            ClientKind::NewerSsh => {
                let root = self.programs.root.as_ref().map_err(Clone::clone)?;
                let [inside, _] = self.keys.lodged()?;
                openssh_like(root.command("/usr/bin/ssh"), inside, port, cipher, &forward)
            }
            ClientKind::Dbclient => {
                let root = self.programs.root.as_ref().map_err(Clone::clone)?;
                let [inside, outside] = self.keys.lodged()?;
                let key = converted(&self.programs, inside, outside, "user-key")?;
                let mut command = root.command("/usr/bin/dbclient");
                command.args(["-y", "-y", "-N", "-c", cipher, "-L", &forward, "-i"]).arg(key);
                command.args(["-p", &port.to_string(), "root@127.0.0.1"]);
                command
            }
            ClientKind::Russh => {
                let mut command = Command::new(self.programs.russh.as_ref().map_err(Clone::clone)?);
                command.arg(port.to_string()).arg(user_name()).arg(here.join("user-key"));
                command.args([cipher, &listen.to_string(), &target.to_string()]);
                command
            }
        })
    }
}

/// What ssh and adit both take.
fn openssh_like(
    mut command: Command,
    keys: &Path,
    port: u16,
    cipher: &str,
    forward: &str,
) -> Command {
    command.env_remove("SSH_AUTH_SOCK").args(["-F", "none", "-N", "-L", forward]);
    command.args(["-p", &port.to_string(), "-l", &user_name(), "-i"]).arg(keys.join("user-key"));
    let known_hosts = format!("UserKnownHostsFile={}", keys.join("known_hosts").display());
    let ciphers = format!("Ciphers={cipher}");
    let options = [
        &ciphers,
        &known_hosts,
        "GlobalKnownHostsFile=/dev/null",
        "IdentitiesOnly=yes",
        "BatchMode=yes",
        "ExitOnForwardFailure=yes",
    ];
    options.iter().for_each(|option| {
        command.args(["-o", option]);
    });
    command.arg("127.0.0.1");
    command
}

fn words(error: io::Error) -> String {
    error.to_string()
}
