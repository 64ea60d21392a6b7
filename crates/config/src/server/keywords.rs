//! The table of keywords: name, other names, kind of value, where it is kept, what it does here. sshd_config(5).
//! Touches: nothing.   Never: what the options lead to.
//! Invariants: every keyword of OpenSSH has a row; none is read and then ignored without a word.
//! Errors: none.   Allocates: default values.
//! Proved by: `tests` in `server`.
//!
//! Sections as in the client's table. `@global` may not stand in a Match block.

use super::access::UserPattern;
use super::layers::layers;
use super::types::{
    ChannelTimeout, ListenAddress, MaxStartups, NetBlockSize, PenaltySetting,
    PermitUserEnvironment, PubkeyAuthOptions, Subsystem,
};
use super::value;
use crate::algorithms::Algorithms;
use crate::row::{Row, Scope, Status};
use crate::table::{every, first, keyword_table, row, scope};
use crate::types::{
    AddressFamily, AllowForwarding, AuthMethod, FingerprintHash, GatewayPorts, IpQos, LogFormat,
    LogLevel, PermitRootLogin, RekeyLimit, Role, StaleListener, SyslogFacility,
};
use crate::value::{Input, ValueError};
use adit_forward::{PermitListen, PermitOpen};
use adit_pattern::AddressList;

keyword_table! {
    "sshd_config" Keyword KEYWORDS ServerOptions
    then layers
    defaults(algorithms)
    values {
        /// Address families to listen on.
        AddressFamily @global [] choice address_family: AddressFamily = AddressFamily::Any;
        /// Which ways unix sockets are forwarded.
        AllowStreamLocalForwarding [] choice allow_stream_local_forwarding: AllowForwarding = AllowForwarding::Yes;
        /// Which ways TCP ports are forwarded.
        AllowTcpForwarding [] choice allow_tcp_forwarding: AllowForwarding = AllowForwarding::Yes;
        /// Lists of methods, one of which must be gone through; without any, one method will do.
        AuthenticationMethods [] methods authentication_methods: Vec<Vec<AuthMethod>> = Vec::new();
        /// Files with keys that may log in; relative ones are in the user's home.
        AuthorizedKeysFile [] files authorized_keys_files: Vec<String> = DEFAULT_AUTHORIZED_KEYS.map(Into::into).to_vec();
        /// Signature algorithms certificate authorities may have used.
        CASignatureAlgorithms [] ca_signatures ca_signature_algorithms: Vec<&'static str> = algorithms.ca_signatures.default.to_vec();
        /// Idle channels that are closed, and when.
        ChannelTimeout [] channel_timeouts channel_timeouts: Vec<ChannelTimeout> = Vec::new();
        /// Ciphers to offer, best first.
        Ciphers @global [] ciphers ciphers: Vec<&'static str> = algorithms.ciphers.default.to_vec();
        /// Unanswered keepalives after which a client is given up.
        ClientAliveCountMax [] number client_alive_count_max: u32 = 3;
        /// Seconds of silence before a keepalive; 0 is never.
        ClientAliveInterval [] interval client_alive_interval: u32 = 0;
        /// Nothing is forwarded, whatever else is said.
        DisableForwarding [] switch disable_forwarding: bool = false;
        /// Sessions learn how their user logged in.
        ExposeAuthInfo [] switch expose_auth_info: bool = false;
        /// How fingerprints are logged.
        FingerprintHash @global [] hash fingerprint_hash: FingerprintHash = FingerprintHash::Sha256;
        /// Which addresses forwarded ports listen on.
        GatewayPorts [] choice gateway_ports: GatewayPorts = GatewayPorts::No;
        /// Host key algorithms to offer, best first.
        HostKeyAlgorithms @global [] signatures host_key_algorithms: Vec<&'static str> = algorithms.signatures.default.to_vec();
        /// Type of service of the connections.
        IPQoS [] qos ip_qos: IpQos = IpQos::DEFAULT;
        /// Keyboard-interactive authentication.
        KbdInteractiveAuthentication ["ChallengeResponseAuthentication", "SKeyAuthentication"] switch kbd_interactive_authentication: bool = true;
        /// Key exchange methods to offer, best first.
        KexAlgorithms @global [] key_exchanges kex_algorithms: Vec<&'static str> = algorithms.kex.default.to_vec();
        /// Lines of text or of JSON. Ours.
        LogFormat @global [] choice log_format: LogFormat = LogFormat::Text;
        /// How much is logged.
        LogLevel [] log_level log_level: LogLevel = LogLevel::Info;
        /// Seconds until a client must have logged in; 0 is no limit.
        LoginGraceTime @global [] interval login_grace_time: u32 = 120;
        /// Loops that carry connections; none is one for each processor. Ours.
        Loops @global [] loops loops: Option<u32> = None;
        /// Message authentication codes to offer, best first.
        MACs @global [] macs macs: Vec<&'static str> = algorithms.macs.default.to_vec();
        /// Failed tries to log in after which a connection ends.
        MaxAuthTries [] number max_auth_tries: u32 = 6;
        /// Connections at a time. Ours.
        MaxConnections @global [] limit max_connections: Option<u32> = None;
        /// Connections of one user at a time. Ours.
        MaxConnectionsPerUser [] limit max_connections_per_user: Option<u32> = None;
        /// Forwarded ports and sockets of one connection. Ours.
        MaxListenersPerConnection [] number max_listeners_per_connection: u32 = 256;
        /// Sessions of one connection; 0 leaves forwards only.
        MaxSessions [] number max_sessions: u32 = 10;
        /// Connections that have not logged in.
        MaxStartups @global [] max_startups max_startups: MaxStartups = MaxStartups::DEFAULT;
        /// Bytes of payload the process may hold for all connections. Ours.
        MemoryLimit @global [] size memory_limit: u64 = DEFAULT_MEMORY_LIMIT;
        /// Bytes of payload held for one user. Ours.
        MemoryLimitPerUser [] size_or_none memory_limit_per_user: Option<u64> = None;
        /// With role gateway and root, the user whose rights the process that talks to the network has: `auto` is the
        /// first of aditd, sshd and nobody, `none` is no such process. Ours.
        NetworkUser @global [] name network_user: String = "auto".into();
        /// Password authentication.
        PasswordAuthentication [] switch password_authentication: bool = true;
        /// Connections of one source that have not logged in.
        PerSourceMaxStartups @global [] limit per_source_max_startups: Option<u32> = None;
        /// How many bits of an address make a source.
        PerSourceNetBlockSize @global [] net_block_size per_source_net_block_size: NetBlockSize = NetBlockSize::DEFAULT;
        /// Sources without penalties.
        PerSourcePenaltyExemptList @global [] addresses per_source_penalty_exempt_list: AddressList = AddressList::default();
        /// Passwords may be empty.
        PermitEmptyPasswords [] switch permit_empty_passwords: bool = false;
        /// Where clients may have ports forwarded from.
        PermitListen [] permit_listen permit_listen: PermitListen = PermitListen::ANY;
        /// Where clients may have ports forwarded to.
        PermitOpen [] permit_open permit_open: PermitOpen = PermitOpen::ANY;
        /// How root may log in.
        PermitRootLogin [] choice permit_root_login: PermitRootLogin = PermitRootLogin::ProhibitPassword;
        /// Sessions may have a terminal.
        PermitTTY [] switch permit_tty: bool = true;
        /// `environment=` of keys counts.
        PermitUserEnvironment @global [] user_environment permit_user_environment: PermitUserEnvironment = PermitUserEnvironment::No;
        /// ~/.ssh/rc is run.
        PermitUserRC [] switch permit_user_rc: bool = true;
        /// /etc/motd is shown.
        PrintMotd @global [] switch print_motd: bool = true;
        /// Signature algorithms users may authenticate with.
        PubkeyAcceptedAlgorithms ["PubkeyAcceptedKeyTypes"] signatures pubkey_accepted_algorithms: Vec<&'static str> = algorithms.signatures.default.to_vec();
        /// Public key authentication.
        PubkeyAuthentication ["DSAAuthentication"] switch pubkey_authentication: bool = true;
        /// What a security key must have seen.
        PubkeyAuthOptions [] key_options pubkey_auth_options: PubkeyAuthOptions = PubkeyAuthOptions::default();
        /// The connection ends as soon as this is known.
        RefuseConnection [] switch refuse_connection: bool = false;
        /// When keys are exchanged anew.
        RekeyLimit [] rekey_limit rekey_limit: RekeyLimit = RekeyLimit::default();
        /// Bits an RSA key must have.
        RequiredRSASize [] number required_rsa_size: u32 = 1024;
        /// Lists of keys that may not log in.
        RevokedKeys [] files revoked_keys: Vec<String> = Vec::new();
        /// Whom the server lets in. Ours.
        Role @global [] choice role: Role = Role::Auto;
        /// A gateway gives up what it does not need. Ours.
        Sandbox @global [] switch sandbox: bool = true;
        /// Variables of every session.
        SetEnv [] environment set_env: Vec<(String, String)> = Vec::new();
        /// Permission bits a listening unix socket does not get.
        StreamLocalBindMask [] mask stream_local_bind_mask: u32 = 0o177;
        /// Remove a unix socket that is in the way.
        StreamLocalBindUnlink [] switch stream_local_bind_unlink: bool = false;
        /// Files that decide about a login must belong to its user or root.
        StrictModes @global [] switch strict_modes: bool = true;
        /// Where the log goes.
        SyslogFacility @global [] facility syslog_facility: SyslogFacility = SyslogFacility::Auth;
        /// Let TCP notice a dead peer.
        TCPKeepAlive @global ["KeepAlive"] switch tcp_keep_alive: bool = true;
        /// Seconds after which a connection without channels ends; 0 is never.
        UnusedConnectionTimeout [] interval_or_none unused_connection_timeout: u32 = 0;
        /// Names of clients are looked up.
        UseDNS @global [] switch use_dns: bool = false;
    }
    partly {
    }
    optional {
        /// A program that prints keys that may log in.
        AuthorizedKeysCommand [] absolute_command authorized_keys_command: String;
        /// Who runs it.
        AuthorizedKeysCommandUser [] name authorized_keys_command_user: String;
        /// A program that prints principals of certificates that may log in.
        AuthorizedPrincipalsCommand [] absolute_command authorized_principals_command: String;
        /// Who runs it.
        AuthorizedPrincipalsCommandUser [] name authorized_principals_command_user: String;
        /// A file with principals of certificates that may log in.
        AuthorizedPrincipalsFile [] name authorized_principals_file: String;
        /// A file with what is said before a login.
        Banner [] file banner: String;
        /// The root folder of sessions.
        ChrootDirectory [] name chroot_directory: String;
        /// Runs instead of whatever is asked for.
        ForceCommand [] line force_command: String;
        /// Socket of an agent that has the host keys; `SSH_AUTH_SOCK` for the one of the environment.
        HostKeyAgent @global [] name host_key_agent: String;
        /// A file with the number of the process.
        PidFile @global [] file pid_file: String;
        /// What to do about a port an older connection still holds; unset: takeover for gateways, else refuse. Ours.
        StaleListener [] choice stale_listener: StaleListener;
        /// A file with keys of certificate authorities.
        TrustedUserCAKeys [] file trusted_user_ca_keys: String;
        /// A file with the users of a gateway. Ours.
        UsersFile @global [] file users_file: String;
        /// Appended to our version.
        VersionAddendum @global [] addendum version_addendum: String;
    }
    repeated {
        /// Files with certificates of host keys.
        HostCertificate @global [] file host_certificates: String;
        /// Files with host keys; without any, the usual ones.
        HostKey @global ["HostDSAKey"] file host_keys: String;
        /// Where to listen; without any, everywhere.
        ListenAddress @global [] listen_address listen_addresses: ListenAddress;
        /// Ports to listen on.
        Port @global [] listen_port ports: u16;
        /// Programs that clients ask for by name.
        Subsystem [] subsystem subsystems: Subsystem;
    }
    listed {
        /// Patterns of variables clients may set.
        AcceptEnv [] variables accept_env: String;
        /// Patterns of groups whose members may log in.
        AllowGroups [] groups allow_groups: String;
        /// Patterns of users who may log in.
        AllowUsers [] users allow_users: UserPattern;
        /// Patterns of groups whose members may not log in.
        DenyGroups [] groups deny_groups: String;
        /// Patterns of users who may not log in.
        DenyUsers [] users deny_users: UserPattern;
        /// How long sources that misbehave are kept out; see [`ServerOptions::penalties`].
        PerSourcePenalties @global [] penalties per_source_penalties: PenaltySetting;
    }
    without_effect {
        Compression @global [] compression "nothing is compressed";
        DebianBanner @global [] switch "nothing of the system is announced";
        GSSAPICleanupCredentials @global [] switch "GSSAPI is not there";
        GSSAPIDelegateCredentials @global [] switch "GSSAPI is not there";
        GSSAPIEnablek5users @global [] switch "GSSAPI is not there";
        GSSAPIKexAlgorithms @global [] text "GSSAPI is not there";
        GSSAPIStoreCredentialsOnRekey @global [] switch "GSSAPI is not there";
        GSSAPIStrictAcceptorCheck @global [] switch "GSSAPI is not there";
        HostbasedAcceptedAlgorithms ["HostbasedAcceptedKeyTypes"] text "host-based authentication is not there";
        HostbasedUsesNameFromPacketOnly [] switch "host-based authentication is not there";
        IgnoreRhosts [] ignore_rhosts "host-based authentication is not there";
        IgnoreUserKnownHosts @global [] switch "host-based authentication is not there";
        KerberosGetAFSToken @global [] switch "Kerberos is not there";
        KerberosOrLocalPasswd @global [] switch "Kerberos is not there";
        KerberosTicketCleanup @global [] switch "Kerberos is not there";
        KerberosUniqueCCache @global [] switch "Kerberos is not there";
        LogVerbose [] words "use LogLevel";
        ModuliFile @global [] file "groups are not negotiated";
        PAMServiceName @global [] text "PAM is not there";
        PrintLastLog @global [] switch "the last login is not shown";
        SecurityKeyProvider @global [] text "signatures of security keys are checked without one";
        SshdAuthPath @global [] file "there is one program";
        SshdSessionPath @global [] file "there is one program";
        UseBlocklist @global ["UseBlacklist"] switch "use PerSourcePenalties";
        X11DisplayOffset [] number "X11 is not forwarded";
        X11UseLocalhost [] switch "X11 is not forwarded";
        XAuthLocation @global [] file "X11 is not forwarded";
    }
    missing {
        AllowAgentForwarding [] switch ["no"] "the agent is not forwarded";
        GSSAPIAuthentication [] switch ["no"] "GSSAPI is not there";
        GSSAPIKeyExchange @global [] switch ["no"] "GSSAPI is not there";
        HostbasedAuthentication [] switch ["no"] "host-based authentication is not there";
        KerberosAuthentication [] switch ["no"] "Kerberos is not there";
        PermitTunnel [] tunnel ["no"] "tunnel devices are not there";
        UsePAM @global [] switch ["no"] "PAM is not there: its account and session rules do not apply";
        X11Forwarding [] switch ["no"] "X11 is not forwarded";
    }
    refused {
        RDomain [] name ["none"] "routing domains are not supported";
    }
    files_only {
        Include "Include";
        Match "Match";
    }
    deprecated {
        AFSTokenPassing @global;
        AuthorizedKeysFile2;
        CheckMail @global;
        KerberosTgtPassing @global;
        KeyRegenerationInterval @global;
        Protocol @global;
        ReverseMappingCheck @global;
        RHostsAuthentication @global;
        RhostsRSAAuthentication;
        RSAAuthentication;
        ServerKeyBits @global;
        UseLogin @global;
        UsePrivilegeSeparation @global;
        VerifyReverseMapping @global;
    }
}

/// What AuthorizedKeysFile is when it is not set.
const DEFAULT_AUTHORIZED_KEYS: [&str; 2] = [".ssh/authorized_keys", ".ssh/authorized_keys2"];

/// What MemoryLimit is when it is not set.
const DEFAULT_MEMORY_LIMIT: u64 = 256 << 20;
