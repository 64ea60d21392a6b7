//! From options to what the lower rooms are configured with.
//! Touches: values.   Never: sockets; files only through `host_key`.
//! Invariants: one function per room configured; nothing else reads an option twice.
//! Errors: none; options were checked when they were taken.   Allocates: lists.
//! Proved by: `tests` below, interop `matrix.rs`.

use crate::host_key::{self, Strict};
use crate::log::Level;
use adit_config::Options;
use adit_config::by_name;
use adit_config::types::{
    AddressFamily, FingerprintHash, LogLevel, PubkeyAuthentication, StrictHostKeyChecking,
};
use adit_crypto::{CipherAlgorithm, KexAlgorithm, KeyAlgorithm, MacAlgorithm, SignatureAlgorithm};
use adit_engine::Keepalive;
use adit_forward::{ForwardOptions, ListenOptions};
use adit_keys::known_hosts::KnownHosts;
use adit_reactor::{DialOptions, Family};
use adit_transport::RekeyLimits;
use std::net::IpAddr;

pub(crate) const fn family(options: &Options) -> Family {
    match options.address_family {
        AddressFamily::Any => Family::Any,
        AddressFamily::Inet => Family::V4,
        AddressFamily::Inet6 => Family::V6,
    }
}

pub(crate) const fn level(level: LogLevel) -> Level {
    match level {
        LogLevel::Quiet => Level::Quiet,
        LogLevel::Fatal => Level::Fatal,
        LogLevel::Error => Level::Error,
        LogLevel::Info => Level::Info,
        LogLevel::Verbose => Level::Verbose,
        LogLevel::Debug1 => Level::Debug1,
        LogLevel::Debug2 => Level::Debug2,
        LogLevel::Debug3 => Level::Debug3,
    }
}

pub(crate) fn host_key_policy(options: &Options) -> host_key::Policy {
    let paths = |files: &[String]| {
        files.iter().filter(|file| !file.eq_ignore_ascii_case("none")).map(Into::into).collect()
    };
    host_key::Policy {
        strict: match options.strict_host_key_checking {
            StrictHostKeyChecking::Ask => Strict::Ask,
            StrictHostKeyChecking::Yes => Strict::Yes,
            StrictHostKeyChecking::AcceptNew => Strict::AcceptNew,
            StrictHostKeyChecking::No => Strict::No,
        },
        user_files: paths(&options.user_known_hosts_files),
        global_files: paths(&options.global_known_hosts_files),
        hash: options.hash_known_hosts,
        alias: options.host_key_alias.clone(),
        trust_localhost: options.no_host_authentication_for_localhost,
        fingerprint: match options.fingerprint_hash {
            FingerprintHash::Sha256 => adit_keys::fingerprint::FingerprintHash::Sha256,
            FingerprintHash::Md5 => adit_keys::fingerprint::FingerprintHash::Md5,
        },
        visual: options.visual_host_key,
        revoked: options
            .revoked_host_keys
            .as_ref()
            .filter(|file| !file.eq_ignore_ascii_case("none"))
            .map(Into::into),
        rsa_bits: options.required_rsa_size,
        ca_algorithms: by_name(&options.ca_signature_algorithms, SignatureAlgorithm::from_name),
    }
}

pub(crate) fn transport(options: &Options, known: Option<&KnownHosts>) -> adit_transport::Config {
    let comment =
        options.version_addendum.clone().filter(|text| !text.eq_ignore_ascii_case("none"));
    adit_transport::Config {
        comment: comment.unwrap_or_default(),
        kex: by_name(&options.kex_algorithms, KexAlgorithm::from_name),
        host_key: host_key_algorithms(options, known),
        ciphers: by_name(&options.ciphers, CipherAlgorithm::from_name),
        macs: by_name(&options.macs, MacAlgorithm::from_name),
        rekey: RekeyLimits {
            bytes: options.rekey_limit.bytes.unwrap_or_default(),
            packets: 0,
            after_ms: u64::from(options.rekey_limit.seconds.unwrap_or_default()) * 1000,
        },
        ..adit_transport::Config::client()
    }
}

/// What the user says; else the default with those in front that known_hosts has keys for, so that a server with
/// several keys shows the known one.
fn host_key_algorithms(options: &Options, known: Option<&KnownHosts>) -> Vec<KeyAlgorithm> {
    if let Some(names) = &options.host_key_algorithms {
        return by_name(names, KeyAlgorithm::from_name);
    }
    let mut algorithms = KeyAlgorithm::DEFAULT_HOST_KEY.to_vec();
    if let Some(known) = known {
        let types = known.key_types();
        let certified = known.has_authority();
        algorithms.sort_by_key(|algorithm| {
            let wanted =
                if algorithm.certified { certified } else { types.contains(&key_type(*algorithm)) };
            !wanted
        });
    }
    algorithms
}

/// The name at the head of key blobs an algorithm signs with: RSA's differs from the algorithm's own.
fn key_type(algorithm: KeyAlgorithm) -> &'static str {
    match algorithm.signature.plain().name() {
        "rsa-sha2-256" | "rsa-sha2-512" => "ssh-rsa",
        name => name,
    }
}

pub(crate) fn login(options: &Options, user: &str) -> adit_auth::client::Config {
    // Methods that can only ask somebody are not begun when nobody is to be asked.
    let asks = !options.batch_mode;
    let allowed = |method: &adit_auth::Method| match method {
        adit_auth::Method::None => false,
        adit_auth::Method::Publickey => options.pubkey_authentication != PubkeyAuthentication::No,
        adit_auth::Method::Password => asks && options.password_authentication,
        adit_auth::Method::KeyboardInteractive => asks && options.kbd_interactive_authentication,
    };
    let preferred = adit_auth::Method::list(&options.preferred_authentications.join(","));
    adit_auth::client::Config {
        preferred: preferred.into_iter().filter(allowed).collect(),
        accepted_algorithms: options.pubkey_accepted_algorithms.join(","),
        number_of_password_prompts: options.number_of_password_prompts,
        ..adit_auth::client::Config::new(user, b"", b"")
    }
}

/// What MemoryLimit is for a build for small devices when it is not set.
const CONSTRAINED_MEMORY: Option<u64> =
    if cfg!(feature = "constrained") { Some(4 << 20) } else { None };

pub(crate) fn connection(options: &Options) -> adit_connection::Config {
    let usual = adit_connection::Config::new(adit_connection::Side::Client);
    let memory_budget = options.memory_limit.or(CONSTRAINED_MEMORY).unwrap_or(usual.memory_budget);
    adit_connection::Config { memory_budget, ..usual }
}

pub(crate) fn keepalive(options: &Options) -> Option<Keepalive> {
    (options.server_alive_interval > 0).then(|| Keepalive {
        interval_ms: u64::from(options.server_alive_interval) * 1000,
        count_max: options.server_alive_count_max,
    })
}

pub(crate) fn forward(options: &Options) -> ForwardOptions {
    ForwardOptions {
        listen: ListenOptions {
            gateway_ports: options.gateway_ports,
            family: family(options),
            bind_mask: options.stream_local_bind_mask,
            bind_unlink: options.stream_local_bind_unlink,
        },
        dial: DialOptions { keepalive: true, ..DialOptions::default() },
        permit_remote_open: options.permit_remote_open.clone(),
    }
}

/// How the server is dialled. IPQoS has a value for tunnels: the second.
pub(crate) fn dial(options: &Options, bind_addresses: Vec<IpAddr>) -> DialOptions {
    DialOptions {
        bind_addresses,
        bind_interface: options.bind_interface.clone(),
        keepalive: options.tcp_keep_alive,
        type_of_service: options.ip_qos.bulk.map(u32::from),
        time_limit: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Folder, key, options};
    use adit_keys::host::HostName;
    use adit_keys::public::encode;

    fn preferred(lines: &[&str]) -> String {
        let methods = login(&options(lines), "ada").preferred;
        methods.iter().map(|method| method.name()).collect::<Vec<_>>().join(",")
    }

    #[test]
    fn methods_follow_the_preference_and_what_is_switched_off() {
        assert_eq!(preferred(&[]), "publickey,keyboard-interactive,password");
        assert_eq!(
            preferred(&["PreferredAuthentications=password,publickey"]),
            "password,publickey"
        );
        assert_eq!(preferred(&["PubkeyAuthentication=no"]), "keyboard-interactive,password");
        assert_eq!(preferred(&["PasswordAuthentication=no"]), "publickey,keyboard-interactive");
        assert_eq!(preferred(&["KbdInteractiveAuthentication=no"]), "publickey,password");
        assert_eq!(preferred(&["BatchMode=yes"]), "publickey");
    }

    #[test]
    fn payload_may_take_what_the_build_is_for_unless_the_user_says_otherwise() {
        let budget = |lines: &[&str]| connection(&options(lines)).memory_budget;
        assert_eq!(budget(&[]), if cfg!(feature = "constrained") { 4 << 20 } else { 64 << 20 });
        assert_eq!(budget(&["MemoryLimit=8M"]), 8 << 20);
    }

    #[test]
    fn the_kind_of_key_on_file_is_asked_for_first_unless_the_user_chose() {
        let folder = Folder::new();
        let first = |lines: &[&str], file| {
            let known = KnownHosts::load(HostName::new("alma", 22).unwrap(), [file]).unwrap();
            transport(&options(lines), Some(&known)).host_key[0].name()
        };
        let rsa = include_str!("../../keys/testdata/private/rsa.pub");
        let plain = folder.write("rsa", format!("alma {rsa}"));
        assert_eq!(first(&[], plain.clone()), "rsa-sha2-512");
        assert_eq!(first(&["HostKeyAlgorithms=ssh-ed25519"], plain), "ssh-ed25519");
        let authority = encode(&key(1).public_blob());
        let certified = folder.write("ca", format!("@cert-authority alma {authority}\n"));
        assert!(first(&[], certified).contains("-cert-"));
        let unknown = folder.write("none", "");
        assert_eq!(first(&[], unknown), KeyAlgorithm::DEFAULT_HOST_KEY[0].name());
    }

    #[test]
    fn none_names_no_file() {
        let none = options(&["UserKnownHostsFile=none", "RevokedHostKeys=none"]);
        let policy = host_key_policy(&none);
        assert!(policy.user_files.is_empty() && policy.revoked.is_none());
        let policy = host_key_policy(&options(&["RevokedHostKeys=/r", "RequiredRSASize=3072"]));
        assert_eq!((policy.revoked, policy.rsa_bits), (Some("/r".into()), 3072));
    }

    #[test]
    fn keepalives_are_off_without_an_interval() {
        assert_eq!(keepalive(&options(&[])), None);
        let asked = keepalive(&options(&["ServerAliveInterval=15", "ServerAliveCountMax=2"]));
        assert_eq!(asked, Some(Keepalive { interval_ms: 15_000, count_max: 2 }));
    }
}
