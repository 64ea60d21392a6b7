//! The settings in force: the configuration, and what is made of it once for all connections.
//! Touches: the configuration, host keys behind their trait.   Never: a connection's own state.
//! Invariants: connections under the same Match blocks share one set of options.
//! Errors: none; what is wrong was found when it was loaded.   Allocates: per load, and per combination of Match blocks.
//! Proved by: `tests` below, interop `server`.

use crate::connection::Ends;
use crate::host::HostKeyRing;
use adit_config::server::{MatchContext, ServerConfig, ServerOptions};
use adit_crypto::{CipherAlgorithm, KexAlgorithm, KeyAlgorithm, MacAlgorithm};
use adit_engine::Keepalive;
use adit_transport::RekeyLimits;
use std::net::IpAddr;
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
    pub(crate) fn new(config: ServerConfig, host_keys: Arc<HostKeyRing>) -> Self {
        let global = config.options(&MatchContext::default());
        let transport = Arc::new(transport(&global, host_keys.clone()));
        Self { config, global, transport, host_keys }
    }

    /// What is in force for one connection.
    pub(crate) fn options(&self, context: &MatchContext<'_>) -> Arc<ServerOptions> {
        self.config.options(context)
    }

    /// What Match sees of a connection before a user is known.
    pub(crate) fn context(&self, ends: Ends) -> MatchContext<'static> {
        MatchContext {
            address: Some(ends.peer.ip().to_canonical()),
            local_address: Some(ends.local.ip().to_canonical()),
            local_port: Some(ends.local.port()),
            ..MatchContext::default()
        }
    }

    /// The client's name, where UseDNS asks for it: one that leads back to its address.
    pub(crate) fn host_name(&self, ends: Ends) -> Option<String> {
        let address = ends.peer.ip().to_canonical();
        self.global.use_dns.then(|| name_of(address)).flatten()
    }

    /// What a new connection's engine is made of.
    pub(crate) fn engine(&self) -> adit_engine::ServerConfig {
        adit_engine::ServerConfig {
            transport: self.transport.clone(),
            verify: adit_engine::verify_signature,
            connection: adit_connection::Config::new(adit_connection::Side::Server),
            keepalive: None,
        }
    }
}

/// ClientAliveInterval and ClientAliveCountMax.
pub(crate) fn keepalive(options: &ServerOptions) -> Option<Keepalive> {
    (options.client_alive_interval > 0 && options.client_alive_count_max > 0).then(|| Keepalive {
        interval_ms: u64::from(options.client_alive_interval) * 1000,
        count_max: options.client_alive_count_max,
    })
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

fn transport(options: &ServerOptions, host_keys: Arc<HostKeyRing>) -> adit_transport::Config {
    let mut config = adit_transport::Config::server(host_keys);
    config.software = crate::SOFTWARE.into();
    config.comment = options.version_addendum.clone().unwrap_or_default();
    config.kex = by_name(&options.kex_algorithms, KexAlgorithm::from_name);
    config.host_key = by_name(&options.host_key_algorithms, KeyAlgorithm::from_name);
    config.ciphers = by_name(&options.ciphers, CipherAlgorithm::from_name);
    config.macs = by_name(&options.macs, MacAlgorithm::from_name);
    config.rekey = RekeyLimits {
        bytes: options.rekey_limit.bytes.unwrap_or(0),
        packets: 0,
        after_ms: u64::from(options.rekey_limit.seconds.unwrap_or(0)) * 1000,
    };
    config
}

/// The algorithms of these names; those of a list that was checked are all known.
fn by_name<A>(names: &[&str], from_name: fn(&str) -> Option<A>) -> Vec<A> {
    names.iter().filter_map(|name| from_name(name)).collect()
}
