//! The settings in force: the configuration, and what is made of it once for all connections.
//! Touches: the configuration, host keys behind their trait.   Never: a connection's own state.
//! Invariants: connections under the same Match blocks share one set of options.
//! Errors: what cannot be read; the old settings stay in force then.   Allocates: per load.
//! Proved by: interop `server`.

use crate::connection::Ends;
use crate::host::keys::HostKeyRing;
use crate::session::task::in_full;
use adit_config::by_name;
use adit_config::server::{MatchContext, ServerConfig, ServerOptions};
use adit_crypto::{CipherAlgorithm, KexAlgorithm, KeyAlgorithm, MacAlgorithm};
use adit_transport::RekeyLimits;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

/// What is in force.
pub(crate) struct Settings {
    config: ServerConfig,
    /// Outside all Match blocks.
    pub(crate) global: Arc<ServerOptions>,
    transport: Arc<adit_transport::Config>,
    pub(crate) host_keys: Arc<HostKeyRing>,
}

impl Settings {
    /// What a configuration comes to, with the host keys it names; complaints about keys are given too.
    ///
    /// # Errors
    /// The last complaint, when no host key is left.
    pub(crate) fn new(config: ServerConfig) -> (Result<Self, String>, Vec<String>) {
        let options = config.global_options();
        let (ring, mut complaints) = host_keys(&options);
        complaints.extend(missing_programs(&options));
        if ring.is_empty() {
            return (Err("aditd: no hostkeys available -- exiting.".into()), complaints);
        }
        (Ok(Self::with_keys(config, ring)), complaints)
    }

    /// What a configuration comes to with these host keys.
    pub(crate) fn with_keys(config: ServerConfig, host_keys: HostKeyRing) -> Self {
        let global = Arc::new(config.global_options());
        let host_keys = Arc::new(host_keys);
        let transport = Arc::new(transport(&global, host_keys.clone()));
        Self { config, global, transport, host_keys }
    }

    /// What they were made of.
    pub(crate) fn config(&self) -> &ServerConfig {
        &self.config
    }

    /// What is in force for one connection.
    pub(crate) fn options(&self, context: &MatchContext<'_>) -> Arc<ServerOptions> {
        self.config.shared_options(context)
    }

    /// What Match sees of a connection before a user is known.
    pub(crate) fn context(&self, ends: Ends) -> MatchContext<'static> {
        MatchContext {
            address: ends.remote.map(|remote| remote.ip().to_canonical()),
            local_address: ends.local.map(|local| local.ip().to_canonical()),
            local_port: ends.local.map(|local| local.port()),
            ..MatchContext::default()
        }
    }

    /// The client's name, where UseDNS asks for it: one that leads back to its address.
    pub(crate) fn host_name(&self, ends: Ends) -> Option<String> {
        let address = ends.remote?.ip().to_canonical();
        self.global.use_dns.then(|| name_of(address)).flatten()
    }

    /// What a new connection's engine is made of.
    pub(crate) fn engine(&self) -> adit_engine::ServerConfig {
        adit_engine::ServerConfig {
            transport: self.transport.clone(),
            // Whether a security key must have been touched depends on the line that authorizes it.
            verify: adit_engine::verify_signature_alone,
            connection: adit_connection::Config::new(adit_connection::Side::Server),
            keepalive: None,
        }
    }
}

fn name_of(address: IpAddr) -> Option<String> {
    use std::net::ToSocketAddrs;
    let name = dns_lookup::lookup_addr(&address).ok()?;
    // A name that is an address would pass for one in patterns.
    if name.parse::<IpAddr>().is_ok() {
        return None;
    }
    let mut back = (name.as_str(), 0).to_socket_addrs().ok()?;
    back.any(|found| found.ip().to_canonical() == address).then_some(name)
}

/// Commands that cannot be run as configured: said now rather than at somebody's login.
fn missing_programs(options: &ServerOptions) -> impl Iterator<Item = String> + '_ {
    let subsystems = options.subsystems.iter().map(|subsystem| &subsystem.command);
    let commands = subsystems.chain(&options.force_command);
    commands.filter_map(|command| in_full(command).err())
}

/// The host keys; of those nobody named, one that is not there is no matter.
fn host_keys(options: &ServerOptions) -> (HostKeyRing, Vec<String>) {
    let (names, named) = options.host_keys_to_load();
    let files: Vec<PathBuf> =
        names.into_iter().map(PathBuf::from).filter(|file| named || file.exists()).collect();
    let certificates: Vec<PathBuf> = options.host_certificates.iter().map(PathBuf::from).collect();
    let agent = options.host_key_agent.as_deref().and_then(agent_socket);
    HostKeyRing::load(&files, &certificates, agent.as_deref())
}

/// HostKeyAgent: a path, or the variable that has it.
fn agent_socket(value: &str) -> Option<PathBuf> {
    match value {
        "SSH_AUTH_SOCK" => std::env::var_os(value).map(PathBuf::from),
        path => Some(PathBuf::from(path)),
    }
}

fn transport(options: &ServerOptions, host_keys: Arc<HostKeyRing>) -> adit_transport::Config {
    adit_transport::Config {
        software: crate::SOFTWARE.into(),
        comment: options.version_addendum.clone().unwrap_or_default(),
        kex: by_name(&options.kex_algorithms, KexAlgorithm::from_name),
        host_key: by_name(&options.host_key_algorithms, KeyAlgorithm::from_name),
        ciphers: by_name(&options.ciphers, CipherAlgorithm::from_name),
        macs: by_name(&options.macs, MacAlgorithm::from_name),
        rekey: RekeyLimits {
            bytes: options.rekey_limit.bytes.unwrap_or(0),
            packets: 0,
            after_ms: u64::from(options.rekey_limit.seconds.unwrap_or(0)) * 1000,
        },
        ..adit_transport::Config::server(host_keys)
    }
}
