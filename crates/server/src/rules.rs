//! What options mean to the rooms: each has its own rules, and these are made of the options here.
//! Touches: values.   Never: where options come from, what the rooms do with their rules.
//! Invariants: one function per room; nothing is decided here.
//! Errors: none.   Allocates: lists.
//! Proved by: interop `server`; a rule that was lost here fails the test of its keyword.

use crate::connection::Ends;
use crate::host::KeyRules;
use crate::limits::{BlockSizes, LimitSettings, Overflow, PenaltySettings, StartupSettings};
use crate::policy::Permissions;
use crate::session::SessionRules;
use adit_config::by_name;
use adit_config::server::{self, PermitUserEnvironment, ServerOptions};
use adit_config::types::AddressFamily;
use adit_crypto::SignatureAlgorithm;
use adit_engine::Keepalive;
use adit_reactor::Family;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// ClientAliveInterval and ClientAliveCountMax.
pub(crate) fn keepalive(options: &ServerOptions) -> Option<Keepalive> {
    (options.client_alive_interval > 0 && options.client_alive_count_max > 0).then(|| Keepalive {
        interval_ms: u64::from(options.client_alive_interval) * 1000,
        count_max: options.client_alive_count_max,
    })
}

/// AddressFamily
pub(crate) const fn family(options: &ServerOptions) -> Family {
    match options.address_family {
        AddressFamily::Any => Family::Any,
        AddressFamily::Inet => Family::V4,
        AddressFamily::Inet6 => Family::V6,
    }
}

/// Which keys log somebody in.
pub(crate) fn keys(options: &ServerOptions) -> KeyRules {
    KeyRules {
        authorized_keys_files: options.authorized_keys_files.clone(),
        authorized_keys_command: options.authorized_keys_command.clone(),
        authorized_keys_command_user: options.authorized_keys_command_user.clone(),
        trusted_user_ca_keys: options.trusted_user_ca_keys.iter().map(Into::into).collect(),
        authorized_principals_file: options.authorized_principals_file.clone(),
        authorized_principals_command: options.authorized_principals_command.clone(),
        authorized_principals_command_user: options.authorized_principals_command_user.clone(),
        revoked_keys: options.revoked_keys.iter().map(Into::into).collect(),
        ca_signature_algorithms: by_name(
            &options.ca_signature_algorithms,
            SignatureAlgorithm::from_name,
        ),
        strict_modes: options.strict_modes,
        touch_required: options.pubkey_auth_options.touch_required,
        verify_required: options.pubkey_auth_options.verify_required,
        required_rsa_size: options.required_rsa_size,
    }
}

/// Who is let in at all.
pub(crate) fn limits(options: &ServerOptions) -> LimitSettings {
    let startups = options.max_startups;
    let penalties = options.penalties();
    let blocks = options.per_source_net_block_size;
    LimitSettings {
        startups: StartupSettings {
            begin: startups.begin,
            rate: startups.rate,
            full: startups.full,
            per_source: options.per_source_max_startups,
            blocks: BlockSizes { v4: blocks.ipv4, v6: blocks.ipv6 },
        },
        penalties: PenaltySettings {
            enabled: penalties.enabled,
            crash: penalties.crash,
            auth_fail: penalties.auth_fail,
            invalid_user: penalties.invalid_user,
            no_auth: penalties.no_auth,
            grace_exceeded: penalties.grace_exceeded,
            refuse_connection: penalties.refuse_connection,
            min: penalties.min,
            max: penalties.max,
            max_sources4: penalties.max_sources4,
            max_sources6: penalties.max_sources6,
            overflow: overflow(penalties.overflow),
            overflow6: overflow(penalties.overflow6),
            exempt: options.per_source_penalty_exempt_list.clone(),
        },
        max_connections: options.max_connections,
        max_connections_per_user: options.max_connections_per_user,
    }
}

const fn overflow(overflow: server::Overflow) -> Overflow {
    match overflow {
        server::Overflow::Permissive => Overflow::Permissive,
        server::Overflow::DenyAll => Overflow::DenyAll,
    }
}

/// What sessions may do.
pub(crate) fn sessions(ends: Ends, member: &Permissions) -> SessionRules {
    let (options, grants) = (&*member.options, &member.grants);
    let nowhere = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
    let client = ends.remote.unwrap_or(nowhere);
    let server = ends.local.unwrap_or(nowhere);
    SessionRules {
        permit_tty: options.permit_tty && grants.pty,
        // The configuration's command wins over the key's, as sshd's.
        forced_command: options.force_command.clone().or_else(|| grants.command.clone()),
        set_env: options.set_env.clone(),
        accept_env: options.accept_env.clone(),
        environment: grants.environment.clone(),
        permit_user_environment: match &options.permit_user_environment {
            PermitUserEnvironment::No => Vec::new(),
            PermitUserEnvironment::Yes => vec!["*".into()],
            PermitUserEnvironment::Only(list) => vec![list.clone()],
        },
        subsystems: options
            .subsystems
            .iter()
            .map(|subsystem| (subsystem.name.clone(), subsystem.command.clone()))
            .collect(),
        chroot_directory: member.chroot_directory(),
        user_rc: options.permit_user_rc && grants.user_rc,
        print_motd: options.print_motd,
        auth_info: member.auth_info(),
        ..SessionRules::new((*member.account).clone(), client, server)
    }
}
