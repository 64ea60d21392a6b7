//! What lines of sshd_config do: every keyword, Match, Include, errors, and any text at all.
//! Touches: texts in memory, two files in a scratch folder.   Never: the system's configuration.
//! Invariants: a keyword without a line in one of the two tables here fails a test.
//! Errors: a failed test.   Allocates: freely.
//! Proved by: itself.

use super::*;
use crate::algorithms::AlgorithmSet;
use crate::row::{Row, Scope, Status};
use crate::types::{
    AddressFamily, AllowForwarding, AuthMethod, FingerprintHash, GatewayPorts, IpQos, LogFormat,
    LogLevel, PermitRootLogin, RekeyLimit, Role, StaleListener, SyslogFacility,
};
use adit_forward::{PermitListen, PermitOpen};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

const SET: AlgorithmSet = AlgorithmSet {
    supported: &["chacha20-poly1305@openssh.com", "aes256-ctr", "ssh-ed25519", "old"],
    default: &["chacha20-poly1305@openssh.com", "aes256-ctr", "ssh-ed25519"],
};

static ALGORITHMS: Algorithms =
    Algorithms { ciphers: SET, macs: SET, kex: SET, signatures: SET, ca_signatures: SET };

const NOBODY: MatchContext<'static> = MatchContext {
    user: None,
    invalid_user: false,
    groups: &[],
    host: None,
    address: None,
    local_address: None,
    local_port: None,
};

/// Files that exist here only.
#[derive(Default)]
struct Texts(BTreeMap<PathBuf, String>);

impl Files for Texts {
    fn read(&self, path: &Path) -> io::Result<String> {
        self.0.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn matching(&self, pattern: &str) -> io::Result<Vec<PathBuf>> {
        let pattern = glob::Pattern::new(pattern)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        Ok(self.0.keys().filter(|path| pattern.matches_path(path)).cloned().collect())
    }

    fn current_folder(&self) -> PathBuf {
        "/here".into()
    }

    fn home(&self) -> Option<PathBuf> {
        Some("/home/ada".into())
    }
}

fn load_files(files: &[(&str, &str)]) -> Result<ServerConfig, Vec<String>> {
    load_with(files, &[])
}

/// The first file is the main one.
fn load_with(files: &[(&str, &str)], overrides: &[&str]) -> Result<ServerConfig, Vec<String>> {
    let texts = files.iter().map(|(name, text)| (PathBuf::from(name), (*text).to_owned()));
    let overrides: Vec<String> = overrides.iter().map(|&line| line.into()).collect();
    let main = files.first().map(|(name, _)| Path::new(*name));
    ServerConfig::load_from(&Texts(texts.collect()), main, &overrides, &ALGORITHMS)
        .map_err(|errors| errors.iter().map(ToString::to_string).collect())
}

fn load(text: &str) -> Result<ServerConfig, Vec<String>> {
    load_files(&[("/etc/ssh/sshd_config", text)])
}

fn options(text: &str) -> ServerOptions {
    load(text).unwrap().options(&NOBODY)
}

/// What is said of one line that is not usable.
fn error(line: &str) -> String {
    let errors = load_files(&[("c", line)]).unwrap_err();
    errors.into_iter().next().unwrap_or_default()
}

fn strings<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.map(Into::into).to_vec()
}

/// A line for each keyword that is stored, and what it does to the options.
macro_rules! effects {
    ($($keyword:ident: $line:literal => $field:ident == $value:expr;)*) => {
        /// Keyword, line, and whether the line has its effect and the default is something else.
        const EFFECTS: &[(Keyword, &str, fn(&ServerOptions) -> bool)] =
            &[$((Keyword::$keyword, $line, |options| options.$field == $value),)*];
    };
}

effects! {
    AddressFamily: "AddressFamily inet6" => address_family == AddressFamily::Inet6;
    AllowStreamLocalForwarding: "AllowStreamLocalForwarding local" => allow_stream_local_forwarding == AllowForwarding::Local;
    AllowTcpForwarding: "allowtcpforwarding=remote" => allow_tcp_forwarding == AllowForwarding::Remote;
    AuthenticationMethods: "AuthenticationMethods publickey,password publickey,keyboard-interactive" =>
        authentication_methods == vec![
            vec![AuthMethod::Publickey, AuthMethod::Password],
            vec![AuthMethod::Publickey, AuthMethod::KeyboardInteractive],
        ];
    AuthorizedKeysFile: "AuthorizedKeysFile /keys/%u ~/k" => authorized_keys_files == strings(["/keys/%u", "/home/ada/k"]);
    AuthorizedKeysFile: "AuthorizedKeysFile none" => authorized_keys_files == Vec::<String>::new();
    CASignatureAlgorithms: "CASignatureAlgorithms ssh-ed25519" => ca_signature_algorithms == ["ssh-ed25519"];
    ChannelTimeout: "ChannelTimeout session=5m *=1h" => channel_timeouts == [
        ChannelTimeout { kind: "session".into(), seconds: 300 },
        ChannelTimeout { kind: "*".into(), seconds: 3600 },
    ];
    Ciphers: "Ciphers ^old" => ciphers == ["old", "chacha20-poly1305@openssh.com", "aes256-ctr", "ssh-ed25519"];
    ClientAliveCountMax: "ClientAliveCountMax 7" => client_alive_count_max == 7;
    ClientAliveInterval: "ClientAliveInterval 1m30" => client_alive_interval == 90;
    DisableForwarding: "DisableForwarding yes" => disable_forwarding == true;
    ExposeAuthInfo: "ExposeAuthInfo yes" => expose_auth_info == true;
    FingerprintHash: "FingerprintHash md5" => fingerprint_hash == FingerprintHash::Md5;
    GatewayPorts: "GatewayPorts clientspecified" => gateway_ports == GatewayPorts::ClientSpecified;
    HostKeyAlgorithms: "HostKeyAlgorithms ssh-ed*" => host_key_algorithms == ["ssh-ed25519"];
    IPQoS: "IPQoS af21 cs1" => ip_qos == IpQos { interactive: Some(0x48), bulk: Some(0x20) };
    KbdInteractiveAuthentication: "ChallengeResponseAuthentication no" => kbd_interactive_authentication == false;
    KexAlgorithms: "KexAlgorithms -aes*" => kex_algorithms == ["chacha20-poly1305@openssh.com", "ssh-ed25519"];
    LogFormat: "LogFormat json" => log_format == LogFormat::Json;
    LogLevel: "LogLevel verbose" => log_level == LogLevel::Verbose;
    LoginGraceTime: "LoginGraceTime 30" => login_grace_time == 30;
    Loops: "Loops 4" => loops == Some(4);
    MACs: "MACs +old" => macs == ["chacha20-poly1305@openssh.com", "aes256-ctr", "ssh-ed25519", "old"];
    MaxAuthTries: "MaxAuthTries 3" => max_auth_tries == 3;
    MaxConnections: "MaxConnections 10000" => max_connections == Some(10_000);
    MaxConnectionsPerUser: "MaxConnectionsPerUser 5" => max_connections_per_user == Some(5);
    MaxListenersPerConnection: "MaxListenersPerConnection 16" => max_listeners_per_connection == 16;
    MaxSessions: "MaxSessions 0" => max_sessions == 0;
    MaxStartups: "MaxStartups 5:50:20" => max_startups == MaxStartups { begin: 5, rate: 50, full: 20 };
    MaxStartups: "MaxStartups 20" => max_startups == MaxStartups { begin: 20, rate: 30, full: 20 };
    MemoryLimit: "MemoryLimit 1G" => memory_limit == 1 << 30;
    NetworkUser: "NetworkUser nobody" => network_user == "nobody";
    MemoryLimitPerUser: "MemoryLimitPerUser 16M" => memory_limit_per_user == Some(16 << 20);
    PasswordAuthentication: "PasswordAuthentication no" => password_authentication == false;
    PerSourceMaxStartups: "PerSourceMaxStartups 4" => per_source_max_startups == Some(4);
    PerSourceNetBlockSize: "PerSourceNetBlockSize 24:64" => per_source_net_block_size == NetBlockSize { ipv4: 24, ipv6: 64 };
    PerSourcePenalties: "PerSourcePenalties authfail:1.5m overflow:deny-all" => per_source_penalties == [
        PenaltySetting::Time(PenaltyKind::AuthFail, Duration::from_secs(90)),
        PenaltySetting::Overflow(Overflow::DenyAll),
    ];
    PerSourcePenaltyExemptList: "PerSourcePenaltyExemptList 10.0.0.0/8" => per_source_penalty_exempt_list == AddressList::parse("10.0.0.0/8").unwrap();
    PermitEmptyPasswords: "PermitEmptyPasswords yes" => permit_empty_passwords == true;
    PermitListen: "PermitListen 8080 localhost:9000-9099" => permit_listen == PermitListen::parse(["8080", "localhost:9000-9099"]).unwrap();
    PermitOpen: "PermitOpen 10.0.0.0/8:5432" => permit_open == PermitOpen::parse(["10.0.0.0/8:5432"]).unwrap();
    PermitRootLogin: "PermitRootLogin forced-commands-only" => permit_root_login == PermitRootLogin::ForcedCommandsOnly;
    PermitTTY: "PermitTTY no" => permit_tty == false;
    PermitUserEnvironment: "PermitUserEnvironment LANG,LC_*" => permit_user_environment == PermitUserEnvironment::Only("LANG,LC_*".into());
    PermitUserEnvironment: "PermitUserEnvironment yes" => permit_user_environment == PermitUserEnvironment::Yes;
    PermitUserRC: "PermitUserRC no" => permit_user_rc == false;
    PrintMotd: "PrintMotd no" => print_motd == false;
    PubkeyAcceptedAlgorithms: "PubkeyAcceptedKeyTypes ssh-ed25519" => pubkey_accepted_algorithms == ["ssh-ed25519"];
    PubkeyAuthentication: "PubkeyAuthentication no" => pubkey_authentication == false;
    PubkeyAuthOptions: "PubkeyAuthOptions verify-required" => pubkey_auth_options == PubkeyAuthOptions { touch_required: false, verify_required: true };
    RefuseConnection: "RefuseConnection yes" => refuse_connection == true;
    RekeyLimit: "RekeyLimit 1G 1h" => rekey_limit == RekeyLimit { bytes: Some(1 << 30), seconds: Some(3600) };
    RequiredRSASize: "RequiredRSASize 3072" => required_rsa_size == 3072;
    RevokedKeys: "RevokedKeys /krl ~/krl krl" => revoked_keys == strings(["/krl", "/home/ada/krl", "/etc/ssh/krl"]);
    Role: "Role gateway" => role == Role::Gateway;
    Sandbox: "Sandbox no" => sandbox == false;
    SetEnv: "SetEnv A=b \"C=d e\" A=x" => set_env == [("A".into(), "b".into()), ("C".into(), "d e".into())];
    StreamLocalBindMask: "StreamLocalBindMask 0117" => stream_local_bind_mask == 0o117;
    StreamLocalBindUnlink: "StreamLocalBindUnlink yes" => stream_local_bind_unlink == true;
    StrictModes: "StrictModes no" => strict_modes == false;
    SyslogFacility: "SyslogFacility AUTHPRIV" => syslog_facility == SyslogFacility::AuthPriv;
    TCPKeepAlive: "KeepAlive no" => tcp_keep_alive == false;
    UnusedConnectionTimeout: "UnusedConnectionTimeout 5m" => unused_connection_timeout == 300;
    UseDNS: "UseDNS yes" => use_dns == true;
    AuthorizedKeysCommand: "AuthorizedKeysCommandUser nobody\nAuthorizedKeysCommand /bin/keys %u %k" => authorized_keys_command == Some("/bin/keys %u %k".into());
    AuthorizedKeysCommandUser: "AuthorizedKeysCommandUser nobody" => authorized_keys_command_user == Some("nobody".into());
    AuthorizedPrincipalsCommand: "AuthorizedPrincipalsCommandUser nobody\nAuthorizedPrincipalsCommand /bin/p" => authorized_principals_command == Some("/bin/p".into());
    AuthorizedPrincipalsCommandUser: "AuthorizedPrincipalsCommandUser nobody" => authorized_principals_command_user == Some("nobody".into());
    AuthorizedPrincipalsFile: "AuthorizedPrincipalsFile %h/p" => authorized_principals_file == Some("%h/p".into());
    Banner: "Banner /etc/issue" => banner == Some("/etc/issue".into());
    Banner: "Banner issue" => banner == Some("/etc/ssh/issue".into());
    ChrootDirectory: "ChrootDirectory %h" => chroot_directory == Some("%h".into());
    ForceCommand: "ForceCommand echo \"a b\" # c" => force_command == Some("echo \"a b\" # c".into());
    PidFile: "PidFile /run/aditd.pid" => pid_file == Some("/run/aditd.pid".into());
    StaleListener: "StaleListener takeover" => stale_listener == Some(StaleListener::Takeover);
    TrustedUserCAKeys: "TrustedUserCAKeys ~/ca" => trusted_user_ca_keys == Some("/home/ada/ca".into());
    HostKeyAgent: "HostKeyAgent /run/agent" => host_key_agent == Some("/run/agent".into());
    UsersFile: "UsersFile users" => users_file == Some("/etc/ssh/users".into());
    VersionAddendum: "VersionAddendum two words # not this" => version_addendum == Some("two words".into());
    HostCertificate: "HostCertificate /c1\nHostCertificate c2" => host_certificates == strings(["/c1", "/etc/ssh/c2"]);
    HostKey: "HostKey /k1\nHostDSAKey ~/k2" => host_keys == strings(["/k1", "/home/ada/k2"]);
    ListenAddress: "ListenAddress [::1]:2222\nListenAddress pi.example" => listen_addresses == [
        ListenAddress { host: "::1".into(), port: Some(2222) },
        ListenAddress { host: "pi.example".into(), port: None },
    ];
    Port: "Port 2222\nPort 22" => ports == [2222, 22];
    Subsystem: "Subsystem sftp /bin/sftp-server -l \"a b\"" => subsystems == [
        Subsystem { name: "sftp".into(), command: "/bin/sftp-server -l \"a b\"".into() },
    ];
    AcceptEnv: "AcceptEnv LANG LC_*\nAcceptEnv X" => accept_env == strings(["LANG", "LC_*", "X"]);
    AllowGroups: "AllowGroups a b\nAllowGroups c" => allow_groups == strings(["a", "b", "c"]);
    AllowUsers: "AllowUsers ada *@10.0.0.0/8" => allow_users == [
        UserPattern { user: "ada".into(), from: None },
        UserPattern { user: "*".into(), from: Some(AddressList::parse("10.0.0.0/8").unwrap()) },
    ];
    DenyGroups: "DenyGroups a" => deny_groups == strings(["a"]);
    DenyUsers: "DenyUsers eve" => deny_users == [UserPattern { user: "eve".into(), from: None }];
}

/// A line for each keyword that is not stored, and what is said about it, from which level on.
const COMMENTS: &[(Keyword, &str, LogLevel, &str)] = &[
    (
        Keyword::Compression,
        "Compression delayed",
        LogLevel::Verbose,
        "c line 1: Compression has no effect: nothing is compressed",
    ),
    (
        Keyword::DebianBanner,
        "DebianBanner no",
        LogLevel::Verbose,
        "no effect: nothing of the system is announced",
    ),
    (
        Keyword::GSSAPICleanupCredentials,
        "GSSAPICleanupCredentials no",
        LogLevel::Verbose,
        "no effect: GSSAPI",
    ),
    (
        Keyword::GSSAPIDelegateCredentials,
        "GSSAPIDelegateCredentials no",
        LogLevel::Verbose,
        "no effect: GSSAPI",
    ),
    (
        Keyword::GSSAPIEnablek5users,
        "GSSAPIEnablek5users no",
        LogLevel::Verbose,
        "no effect: GSSAPI",
    ),
    (
        Keyword::GSSAPIKexAlgorithms,
        "GSSAPIKexAlgorithms gss-x-",
        LogLevel::Verbose,
        "no effect: GSSAPI",
    ),
    (
        Keyword::GSSAPIStoreCredentialsOnRekey,
        "GSSAPIStoreCredentialsOnRekey yes",
        LogLevel::Verbose,
        "no effect: GSSAPI",
    ),
    (
        Keyword::GSSAPIStrictAcceptorCheck,
        "GSSAPIStrictAcceptorCheck yes",
        LogLevel::Verbose,
        "no effect: GSSAPI",
    ),
    (
        Keyword::HostbasedAcceptedAlgorithms,
        "HostbasedAcceptedKeyTypes x",
        LogLevel::Verbose,
        "no effect: host-based",
    ),
    (
        Keyword::HostbasedUsesNameFromPacketOnly,
        "HostbasedUsesNameFromPacketOnly no",
        LogLevel::Verbose,
        "no effect: host-based",
    ),
    (Keyword::IgnoreRhosts, "IgnoreRhosts shosts-only", LogLevel::Verbose, "no effect: host-based"),
    (
        Keyword::IgnoreUserKnownHosts,
        "IgnoreUserKnownHosts no",
        LogLevel::Verbose,
        "no effect: host-based",
    ),
    (
        Keyword::KerberosGetAFSToken,
        "KerberosGetAFSToken no",
        LogLevel::Verbose,
        "no effect: Kerberos",
    ),
    (
        Keyword::KerberosOrLocalPasswd,
        "KerberosOrLocalPasswd no",
        LogLevel::Verbose,
        "no effect: Kerberos",
    ),
    (
        Keyword::KerberosTicketCleanup,
        "KerberosTicketCleanup no",
        LogLevel::Verbose,
        "no effect: Kerberos",
    ),
    (
        Keyword::KerberosUniqueCCache,
        "KerberosUniqueCCache no",
        LogLevel::Verbose,
        "no effect: Kerberos",
    ),
    (Keyword::LogVerbose, "LogVerbose kex.c:*", LogLevel::Verbose, "no effect: use LogLevel"),
    (Keyword::ModuliFile, "ModuliFile /etc/moduli", LogLevel::Verbose, "no effect: groups"),
    (Keyword::PAMServiceName, "PAMServiceName x", LogLevel::Verbose, "no effect: PAM"),
    (Keyword::PrintLastLog, "PrintLastLog yes", LogLevel::Verbose, "no effect: the last login"),
    (
        Keyword::SecurityKeyProvider,
        "SecurityKeyProvider internal",
        LogLevel::Verbose,
        "no effect: signatures",
    ),
    (
        Keyword::SshdAuthPath,
        "SshdAuthPath /x",
        LogLevel::Verbose,
        "no effect: there is one program",
    ),
    (
        Keyword::SshdSessionPath,
        "SshdSessionPath /x",
        LogLevel::Verbose,
        "no effect: there is one program",
    ),
    (
        Keyword::UseBlocklist,
        "UseBlacklist yes",
        LogLevel::Verbose,
        "no effect: use PerSourcePenalties",
    ),
    (Keyword::X11DisplayOffset, "X11DisplayOffset 10", LogLevel::Verbose, "no effect: X11"),
    (Keyword::X11UseLocalhost, "X11UseLocalhost no", LogLevel::Verbose, "no effect: X11"),
    (Keyword::XAuthLocation, "XAuthLocation /x", LogLevel::Verbose, "no effect: X11"),
    (
        Keyword::AllowAgentForwarding,
        "AllowAgentForwarding yes",
        LogLevel::Info,
        "Warning: c line 1: AllowAgentForwarding \"yes\": the agent is not forwarded",
    ),
    (
        Keyword::GSSAPIAuthentication,
        "GSSAPIAuthentication yes",
        LogLevel::Info,
        "GSSAPI is not there",
    ),
    (Keyword::GSSAPIKeyExchange, "GSSAPIKeyExchange yes", LogLevel::Info, "GSSAPI is not there"),
    (
        Keyword::HostbasedAuthentication,
        "HostbasedAuthentication yes",
        LogLevel::Info,
        "host-based authentication is not there",
    ),
    (
        Keyword::KerberosAuthentication,
        "KerberosAuthentication yes",
        LogLevel::Info,
        "Kerberos is not there",
    ),
    (
        Keyword::PermitTunnel,
        "PermitTunnel point-to-point",
        LogLevel::Info,
        "tunnel devices are not there",
    ),
    (Keyword::UsePAM, "UsePAM yes", LogLevel::Info, "PAM is not there"),
    (Keyword::X11Forwarding, "X11Forwarding yes", LogLevel::Info, "X11 is not forwarded"),
    (
        Keyword::AFSTokenPassing,
        "AFSTokenPassing x",
        LogLevel::Info,
        "c line 1: Deprecated option AFSTokenPassing",
    ),
    (Keyword::AuthorizedKeysFile2, "AuthorizedKeysFile2 x", LogLevel::Info, "Deprecated option"),
    (Keyword::CheckMail, "CheckMail x", LogLevel::Info, "Deprecated option"),
    (Keyword::KerberosTgtPassing, "KerberosTgtPassing x", LogLevel::Info, "Deprecated option"),
    (
        Keyword::KeyRegenerationInterval,
        "KeyRegenerationInterval x",
        LogLevel::Info,
        "Deprecated option",
    ),
    (Keyword::Protocol, "Protocol 2", LogLevel::Info, "Deprecated option"),
    (Keyword::ReverseMappingCheck, "ReverseMappingCheck x", LogLevel::Info, "Deprecated option"),
    (Keyword::RHostsAuthentication, "RHostsAuthentication x", LogLevel::Info, "Deprecated option"),
    (
        Keyword::RhostsRSAAuthentication,
        "RhostsRSAAuthentication x",
        LogLevel::Info,
        "Deprecated option",
    ),
    (Keyword::RSAAuthentication, "RSAAuthentication x", LogLevel::Info, "Deprecated option"),
    (Keyword::ServerKeyBits, "ServerKeyBits x", LogLevel::Info, "Deprecated option"),
    (Keyword::UseLogin, "UseLogin x", LogLevel::Info, "Deprecated option"),
    (
        Keyword::UsePrivilegeSeparation,
        "UsePrivilegeSeparation yes",
        LogLevel::Info,
        "Deprecated option",
    ),
    (Keyword::VerifyReverseMapping, "VerifyReverseMapping x", LogLevel::Info, "Deprecated option"),
];

#[test]
fn every_keyword_is_tested() {
    let effects = EFFECTS.iter().map(|row| row.0);
    let comments = COMMENTS.iter().map(|row| row.0);
    // Refusals and the structure of files have tests of their own.
    let others = [Keyword::RDomain, Keyword::Include, Keyword::Match];
    let tested: BTreeSet<Keyword> = effects.chain(comments).chain(others).collect();
    let missing: Vec<_> = KEYWORDS.iter().filter(|row| !tested.contains(&row.keyword)).collect();
    assert!(missing.is_empty(), "without a test: {missing:?}");
}

#[test]
fn every_keyword_of_openssh_is_known() {
    // OpenSSH 10.5, in the order of its manual.
    const MANUAL: &str = "AcceptEnv AddressFamily AllowAgentForwarding AllowGroups AllowStreamLocalForwarding \
        AllowTcpForwarding AllowUsers AuthenticationMethods AuthorizedKeysCommand AuthorizedKeysCommandUser \
        AuthorizedKeysFile AuthorizedPrincipalsCommand AuthorizedPrincipalsCommandUser AuthorizedPrincipalsFile Banner \
        CASignatureAlgorithms ChannelTimeout ChrootDirectory Ciphers ClientAliveCountMax ClientAliveInterval Compression \
        DenyGroups DenyUsers DisableForwarding ExposeAuthInfo FingerprintHash ForceCommand GatewayPorts \
        GSSAPIAuthentication GSSAPICleanupCredentials GSSAPIDelegateCredentials GSSAPIStrictAcceptorCheck \
        HostbasedAcceptedAlgorithms HostbasedAuthentication HostbasedUsesNameFromPacketOnly HostCertificate HostKey \
        HostKeyAgent HostKeyAlgorithms IgnoreRhosts IgnoreUserKnownHosts Include IPQoS KbdInteractiveAuthentication \
        KerberosAuthentication KerberosGetAFSToken KerberosOrLocalPasswd KerberosTicketCleanup KexAlgorithms \
        ListenAddress LoginGraceTime LogLevel LogVerbose MACs Match MaxAuthTries MaxSessions MaxStartups ModuliFile \
        PAMServiceName PasswordAuthentication PermitEmptyPasswords PermitListen PermitOpen PermitRootLogin PermitTTY \
        PermitTunnel PermitUserEnvironment PermitUserRC PerSourceMaxStartups PerSourceNetBlockSize PerSourcePenalties \
        PerSourcePenaltyExemptList PidFile Port PrintLastLog PrintMotd PubkeyAcceptedAlgorithms PubkeyAuthentication \
        PubkeyAuthOptions RDomain RefuseConnection RekeyLimit RequiredRSASize RevokedKeys SecurityKeyProvider SetEnv \
        SshdAuthPath SshdSessionPath StreamLocalBindMask StreamLocalBindUnlink StrictModes Subsystem SyslogFacility \
        TCPKeepAlive TrustedUserCAKeys UnusedConnectionTimeout UseDNS UsePAM VersionAddendum X11DisplayOffset \
        X11Forwarding X11UseLocalhost XAuthLocation";
    for name in MANUAL.split_whitespace() {
        let known = Keyword::from_name(name);
        assert_eq!(known.map(|keyword| keyword.row().name), Some(name));
    }
}

#[test]
fn every_row_is_found_under_each_of_its_names_and_takes_no_name_twice() {
    let mut seen = BTreeSet::new();
    for (at, row) in KEYWORDS.iter().enumerate() {
        assert_eq!(row.keyword as usize, at);
        for name in std::iter::once(&row.name).chain(row.aliases) {
            assert_eq!(Keyword::from_name(&name.to_ascii_uppercase()), Some(row.keyword));
            assert!(seen.insert(name.to_ascii_lowercase()), "{name}");
        }
    }
}

#[test]
fn every_line_has_its_effect_and_is_not_the_default() {
    for (_, line, has_effect) in EFFECTS {
        assert!(has_effect(&options(line)), "{line}");
        assert!(!has_effect(&ServerOptions::defaults(&ALGORITHMS)), "{line}");
    }
}

#[test]
fn every_keyword_that_may_stand_in_a_block_counts_there_and_no_other_may() {
    for (keyword, lines, has_effect) in EFFECTS {
        let (text, row) = (format!("Match User ada\n{lines}"), keyword.row());
        match (row.scope, load(&text)) {
            (Scope::Everywhere, Ok(config)) => {
                let ada = MatchContext { user: Some("ada"), ..NOBODY };
                assert!(has_effect(&config.options(&ada)), "{lines}");
                assert!(!has_effect(&config.options(&NOBODY)), "{lines}");
            }
            (Scope::Global, Err(errors)) => {
                let name = lines.split([' ', '=']).next().unwrap();
                let words = format!("Directive '{name}' is not allowed within a Match block");
                assert!(errors[0].ends_with(&words), "{errors:?}");
            }
            (scope, outcome) => panic!("{lines}: {scope:?}, {outcome:?}"),
        }
    }
}

#[test]
fn a_block_wins_over_the_global_part_for_every_keyword() {
    for (keyword, lines, has_effect) in EFFECTS {
        if keyword.row().scope == Scope::Global {
            continue;
        }
        // What is said for everybody is something else each time: the default, said aloud.
        let default = ServerOptions::defaults(&ALGORITHMS).dump();
        let name = format!("{} ", keyword.row().name.to_ascii_lowercase());
        let said = default.lines().find(|line| line.starts_with(&name)).unwrap_or_default();
        let config = load(&format!("{said}\nMatch all\n{lines}")).unwrap();
        assert!(has_effect(&config.options(&NOBODY)), "{said} / {lines}");
    }
}

#[test]
fn what_is_not_honoured_is_mentioned() {
    for (keyword, line, level, words) in COMMENTS {
        let config = load_files(&[("c", line)]).unwrap();
        let [note] = config.notes() else { panic!("{line}: {:?}", config.notes()) };
        assert!(note.level == *level && note.text.contains(words), "{line}: {note:?}");
        assert!(note.text.contains(keyword.row().name), "{line}: {note:?}");
    }
}

#[test]
fn what_is_missing_may_be_turned_off_without_a_word() {
    for row in KEYWORDS {
        let (Status::Missing { off, .. } | Status::Refused { off, .. }) = row.status else {
            continue;
        };
        for value in off {
            let config = load(&format!("{} {value}", row.name)).unwrap();
            assert_eq!(config.notes(), [], "{} {value}", row.name);
        }
    }
}

#[test]
fn what_would_change_security_is_refused_with_the_reason() {
    let words = "routing domains are not supported";
    assert_eq!(error("RDomain x"), format!("c line 1: RDomain \"x\": {words}"));
    assert_eq!(error("Match RDomain x"), format!("c line 1: Bad Match condition: {words}"));
    assert_eq!(error("ListenAddress ::1 rdomain x"), format!("c line 1: {words}"));
}

#[test]
fn values_without_effect_are_still_checked() {
    for (line, words) in [
        ("Compression x", "c line 1: unsupported option \"x\"."),
        ("X11DisplayOffset x", "c line 1: X11DisplayOffset integer value invalid."),
        ("PermitTunnel x", "c line 1: bad PermitTunnel argument x"),
        ("UsePAM x", "c line 1: unsupported option \"x\"."),
        ("IgnoreRhosts maybe", "c line 1: unsupported option \"maybe\"."),
    ] {
        assert_eq!(error(line), words);
    }
}

#[test]
fn wrong_lines_are_refused_in_sshd_words() {
    for (line, words) in [
        ("Foo 1", "c: line 1: Bad configuration option: Foo"),
        ("Foo", "c line 1: no argument after keyword \"Foo\""),
        ("Banner", "c line 1: no argument after keyword \"Banner\""),
        ("Banner 'a", "c line 1: invalid quotes"),
        ("Port x", "c line 1: Badly formatted port number."),
        ("Port 0", "c line 1: Badly formatted port number."),
        ("Port 22 33", "c line 1: keyword Port extra arguments at end of line"),
        ("\nPort x", "c line 2: Badly formatted port number."),
        ("ListenAddress a:b", "c line 1: bad port number"),
        ("ListenAddress [::1", "c line 1: bad address:port usage"),
        ("ListenAddress :22", "c line 1: bad address:port usage"),
        ("ListenAddress ::1 x", "c line 1: bad ListenAddress syntax"),
        ("LoginGraceTime x", "c line 1: invalid time value."),
        ("ClientAliveInterval none", "c line 1: invalid time value."),
        ("MaxAuthTries x", "c line 1: MaxAuthTries integer value invalid."),
        ("MaxSessions -1", "c line 1: MaxSessions integer value too small."),
        ("maxsessions 2147483648", "c line 1: maxsessions integer value too large."),
        ("StrictModes true", "c line 1: unsupported option \"true\"."),
        ("GatewayPorts x", "c line 1: unsupported option \"x\"."),
        ("PermitRootLogin x", "c line 1: unsupported option \"x\"."),
        ("LogLevel x", "c line 1: unsupported log level 'x'"),
        ("SyslogFacility x", "c line 1: unsupported log facility 'x'"),
        ("MACs zz", "c line 1: Bad SSH2 mac spec 'zz'."),
        ("Ciphers zz", "c line 1: Bad SSH2 cipher spec 'zz'."),
        ("KexAlgorithms zz", "c line 1: Bad SSH2 KexAlgorithms 'zz'."),
        ("HostKeyAlgorithms zz", "c line 1: Bad key types 'zz'."),
        ("FingerprintHash x", "c line 1: Invalid FingerprintHash algorithm \"x\"."),
        ("IPQoS x", "c line 1: Bad IPQoS value: x"),
        ("RekeyLimit x", "c line 1: Bad RekeyLimit number 'x': Invalid argument"),
        ("RekeyLimit 1", "c line 1: RekeyLimit too small"),
        ("StreamLocalBindMask 9", "c line 1: Invalid StreamLocalBindMask."),
        ("MaxStartups 10:x", "c line 1: Invalid MaxStartups spec."),
        ("MaxStartups 10:0:20", "c line 1: Invalid MaxStartups spec."),
        ("MaxStartups 30:10:20", "c line 1: Invalid MaxStartups spec."),
        ("MaxStartups 0", "c line 1: Invalid MaxStartups spec."),
        ("PerSourceNetBlockSize 33", "c line 1: Invalid PerSourceNetBlockSize spec."),
        ("PerSourceMaxStartups x", "c line 1: PerSourceMaxStartups integer value invalid."),
        (
            "PerSourcePenalties yes min:1",
            "c line 1: keyword PerSourcePenalties \"yes\" argument must appear alone.",
        ),
        ("PerSourcePenalties foo:1", "c line 1: unsupported PerSourcePenalties keyword foo:1"),
        ("PerSourcePenalties foo", "c line 1: unsupported PerSourcePenalties keyword foo"),
        (
            "PerSourcePenalties overflow:x",
            "c line 1: unsupported PerSourcePenalties keyword overflow:x",
        ),
        ("PerSourcePenalties min:x", "c line 1: invalid PerSourcePenalties time value."),
        ("PerSourcePenalties min:1.", "c line 1: invalid PerSourcePenalties time value."),
        ("PerSourcePenalties max-sources4:x", "c line 1: PerSourcePenalties value invalid."),
        (
            "PerSourcePenaltyExemptList 10.0.0.1/8",
            "c line 1: keyword PerSourcePenaltyExemptList invalid address argument.",
        ),
        ("PermitOpen x", "c line 1: PermitOpen bad port number"),
        ("PermitOpen a:1 any", "c line 1: any must appear alone on a PermitOpen line."),
        ("PermitListen x", "c line 1: PermitListen bad port number"),
        ("AuthenticationMethods foo", "c line 1: invalid AuthenticationMethods method list."),
        (
            "AuthenticationMethods any publickey",
            "c line 1: \"any\" must appear alone in AuthenticationMethods",
        ),
        (
            "AuthenticationMethods hostbased",
            "c line 1: AuthenticationMethods \"hostbased\": host-based authentication is not supported",
        ),
        ("AuthorizedKeysCommand x", "c line 1: AuthorizedKeysCommand must be an absolute path"),
        (
            "AuthorizedKeysFile none b",
            "c line 1: keyword AuthorizedKeysFile \"none\" argument must appear alone.",
        ),
        ("AllowUsers a@10.0.0.1/8", "c line 1: invalid AllowUsers pattern: \"a@10.0.0.1/8\""),
        ("AllowUsers #", "c line 1: no AllowUsers specified"),
        ("AllowGroups \"\"", "c line 1: empty AllowGroups pattern"),
        ("AcceptEnv A=b", "c line 1: Invalid environment name."),
        ("SetEnv A", "c line 1: Invalid environment."),
        ("PubkeyAuthOptions x", "c line 1: unsupported PubkeyAuthOptions option x"),
        ("ChannelTimeout x", "c line 1: invalid channel timeout x"),
        ("ChannelTimeout session=x", "c line 1: invalid channel timeout session=x"),
        ("Subsystem x", "c line 1: Subsystem missing argument."),
        ("VersionAddendum # x", "c line 1: VersionAddendum missing argument."),
        ("Role x", "c line 1: unsupported option \"x\"."),
        ("MemoryLimit 1", "c line 1: MemoryLimit too small"),
        ("MemoryLimit x", "c line 1: Bad MemoryLimit number 'x': Invalid argument"),
        ("Loops 0", "c line 1: Loops integer value too small."),
        ("Loops 9999", "c line 1: Loops integer value too large."),
        ("MaxConnections x", "c line 1: MaxConnections integer value invalid."),
        ("Match", "c line 1: no argument after keyword \"Match\""),
        ("Match User", "c line 1: Bad Match condition: Missing Match criteria for User"),
        ("Match User=", "c line 1: Bad Match condition: Missing Match criteria for User"),
        ("Match foo bar", "c line 1: Bad Match condition: Unsupported Match attribute foo"),
        (
            "Match all User x",
            "c line 1: Bad Match condition: 'all' cannot be combined with other Match attributes",
        ),
        (
            "Match Address 10.0.0.1/8",
            "c line 1: Bad Match condition: Invalid address argument '10.0.0.1/8'",
        ),
        ("Match LocalPort x", "c line 1: Bad Match condition: Invalid LocalPort 'x' on Match line"),
        ("Match #", "c line 1: Bad Match condition: One or more attributes required for Match"),
        ("Include \"\"", "c line 1: keyword Include empty argument"),
    ] {
        assert_eq!(error(line), words, "{line}");
    }
}

#[test]
fn all_errors_of_all_files_are_reported() {
    let errors = load_files(&[
        (
            "/etc/ssh/sshd_config",
            "Foo 1\nPort 22\nInclude x\nPort y\nMatch User a\nBanner none\nPort 1",
        ),
        ("/etc/ssh/x", "StrictModes maybe\n"),
    ])
    .unwrap_err();
    assert_eq!(
        errors,
        [
            "/etc/ssh/sshd_config: line 1: Bad configuration option: Foo",
            "/etc/ssh/x line 1: unsupported option \"maybe\".",
            "/etc/ssh/x: terminating, 1 bad configuration options",
            "/etc/ssh/sshd_config line 4: Badly formatted port number.",
            "/etc/ssh/sshd_config line 7: Directive 'Port' is not allowed within a Match block",
            "/etc/ssh/sshd_config: terminating, 3 bad configuration options",
        ]
    );
}

#[test]
fn the_command_line_has_errors_of_its_own() {
    for (line, words) in [
        ("foo=1", "command-line: line 0: Bad configuration option: foo"),
        ("Port=x", "command-line line 0: Badly formatted port number."),
        ("Include=x", "Include directive not supported as a command-line option"),
        ("Match all", "Match directive not supported as a command-line option"),
    ] {
        assert_eq!(load_with(&[], &[line]).unwrap_err(), [words]);
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let errors =
        ServerConfig::load(Some(Path::new("/nonexistent/x")), &[], &ALGORITHMS).unwrap_err();
    let words: Vec<_> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(words, ["/nonexistent/x: No such file or directory"]);
}

#[test]
fn settings_that_cannot_work_together_are_refused() {
    for (text, words) in [
        (
            "AuthorizedKeysCommand /bin/keys",
            "AuthorizedKeysCommand set without AuthorizedKeysCommandUser",
        ),
        (
            "AuthorizedPrincipalsCommand /bin/p\nAuthorizedPrincipalsCommandUser none",
            "AuthorizedPrincipalsCommand set without AuthorizedPrincipalsCommandUser",
        ),
        (
            "AuthenticationMethods publickey,password\nPasswordAuthentication no",
            "AuthenticationMethods cannot be satisfied by enabled authentication methods",
        ),
    ] {
        assert_eq!(load(text).unwrap_err(), [words], "{text}");
    }
}

#[test]
fn the_first_value_wins_and_the_command_line_is_first() {
    assert_eq!(options("MaxSessions 1\nMaxSessions 2").max_sessions, 1);
    let config = load_with(
        &[("c", "MaxSessions 1\nPort 22\nHostKey /b")],
        &["MaxSessions=5", "Port=2222", "HostKey=/a"],
    );
    let options = config.unwrap().options(&NOBODY);
    assert_eq!((options.max_sessions, options.ports.as_slice()), (5, &[2222][..]));
    assert_eq!(options.host_keys, ["/a", "/b"]);
    let wrong = load_with(&[("c", "Port x")], &["Port=2222"]);
    assert_eq!(wrong.unwrap_err()[0], "c line 1: Badly formatted port number.");
}

const ADA: MatchContext<'static> = MatchContext {
    user: Some("ada"),
    invalid_user: false,
    groups: &[],
    host: Some("Pi.Home.Example"),
    address: Some(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7))),
    local_address: Some(std::net::IpAddr::V6(std::net::Ipv6Addr::LOCALHOST)),
    local_port: Some(2222),
};

#[test]
fn criteria_hold_or_not() {
    let groups = strings(["tunnelers", "staff"]);
    let ada = MatchContext { groups: &groups, ..ADA };
    let unnamed = MatchContext { host: None, ..ada };
    let invalid = MatchContext { user: Some("eve"), invalid_user: true, ..NOBODY };
    for (criteria, context, holds) in [
        ("all", &NOBODY, true),
        ("User ada", &ada, true),
        ("User=ada", &ada, true),
        ("user bob,a*", &ada, true),
        ("User *,!ada", &ada, false),
        ("User Ada", &ada, false),
        ("User *", &NOBODY, false),
        ("Group tunnelers", &ada, true),
        ("Group t*,!staff", &ada, false),
        ("Group wheel", &ada, false),
        ("Group *", &NOBODY, false),
        ("Host *.home.example", &ada, true),
        ("Host *.HOME.example", &ada, true),
        ("Host 192.0.2.*", &unnamed, true),
        ("Host 192.0.2.*", &ada, false),
        ("Address 192.0.2.0/24", &ada, true),
        ("Address 192.0.2.0/24,!192.0.2.7", &ada, false),
        ("Address 192.0.2.*", &ada, true),
        ("Address 10.0.0.0/8,::/0", &ada, false),
        ("Address 0.0.0.0/0", &NOBODY, false),
        ("LocalAddress ::1", &ada, true),
        ("LocalAddress 0:0:0:0:0:0:0:1", &ada, true),
        ("LocalAddress 127.0.0.1", &ada, false),
        ("LocalPort 2222", &ada, true),
        ("LocalPort 22", &ada, false),
        ("Invalid-User", &invalid, true),
        ("Invalid-User", &ada, false),
        ("Version aditd_*", &NOBODY, true),
        ("Version OpenSSH_*", &NOBODY, false),
        ("User ada Address 192.0.2.0/24 LocalPort 2222", &ada, true),
        ("User ada LocalPort 22", &ada, false),
        ("User ada # LocalPort 22", &ada, true),
    ] {
        let config = load(&format!("Match {criteria}\nMaxSessions 1")).unwrap();
        assert_eq!(config.options(context).max_sessions == 1, holds, "{criteria} {context:?}");
    }
}

#[test]
fn the_first_block_that_applies_wins_keyword_by_keyword() {
    let config = load(
        "MaxSessions 9\nMaxAuthTries 9\nBanner /g\n\
         Match User ada\nMaxSessions 1\nBanner none\n\
         Match Address 192.0.2.0/24\nMaxSessions 2\nMaxAuthTries 2\n\
         Match User bob\nMaxSessions 3",
    )
    .unwrap();
    let ada = config.options(&ADA);
    assert_eq!((ada.max_sessions, ada.max_auth_tries, ada.banner), (1, 2, None));
    let bob = config.options(&MatchContext { user: Some("bob"), ..NOBODY });
    assert_eq!((bob.max_sessions, bob.max_auth_tries, bob.banner.as_deref()), (3, 9, Some("/g")));
    assert_eq!(config.global_options().max_sessions, 9);
}

#[test]
fn lists_of_blocks_add_up_and_replace_those_of_the_global_part() {
    let config = load(
        "AllowUsers bob\nAcceptEnv A\nSubsystem sftp /a\nSubsystem x /x\n\
         Match User ada\nAcceptEnv B\nSubsystem sftp /b\n\
         Match all\nAcceptEnv C",
    )
    .unwrap();
    let options = config.options(&ADA);
    assert_eq!(options.accept_env, ["B", "C"]);
    assert_eq!(options.allow_users.len(), 1);
    let subsystems: Vec<_> =
        options.subsystems.iter().map(|it| format!("{} {}", it.name, it.command)).collect();
    assert_eq!(subsystems, ["sftp /b", "x /x"]);
}

#[test]
fn the_block_of_a_bastion_is_obeyed() {
    let config = load(
        "Match Group tunnelers\n  ForceCommand /bin/false\n  PasswordAuthentication no\n  ChrootDirectory %h\n  \
         PermitTTY no\n  X11Forwarding no\n  AllowTcpForwarding yes\n  PermitTunnel no\n  Banner none\n",
    )
    .unwrap();
    assert_eq!(config.notes(), []);
    let groups = strings(["tunnelers"]);
    let options = config.options(&MatchContext { groups: &groups, ..ADA });
    assert_eq!(options.force_command.as_deref(), Some("/bin/false"));
    assert_eq!(options.chroot_directory.as_deref(), Some("%h"));
    assert_eq!((options.password_authentication, options.permit_tty), (false, false));
    assert!(config.options(&ADA).password_authentication);
}

#[test]
fn connections_to_which_the_same_blocks_apply_share_their_options() {
    let config = load("Match User ada\nMaxSessions 1").unwrap();
    let bob = MatchContext { user: Some("bob"), ..NOBODY };
    assert!(Arc::ptr_eq(&config.shared_options(&bob), &config.shared_options(&NOBODY)));
    assert!(!Arc::ptr_eq(&config.shared_options(&ADA), &config.shared_options(&NOBODY)));
}

#[test]
fn included_files_stand_where_they_are_included() {
    let config = load_files(&[
        ("/x/conf", "Include d/*.conf\nMaxSessions 9\nMaxAuthTries 9\nMatch User ada\nInclude ada\nInclude none-there"),
        ("/x/d/a.conf", "MaxSessions 1\nMatch User ada\nMaxAuthTries 1"),
        ("/x/d/b.conf", "MaxSessions 2\nMaxAuthTries 2"),
        ("/x/ada", "Banner /ada"),
    ])
    .unwrap();
    let (ada, all) = (config.options(&ADA), config.options(&NOBODY));
    assert_eq!((all.max_sessions, all.max_auth_tries, all.banner), (1, 2, None));
    assert_eq!((ada.max_sessions, ada.max_auth_tries, ada.banner.as_deref()), (1, 1, Some("/ada")));
}

#[test]
fn a_block_in_an_included_file_ends_with_it_and_its_conditions_add_to_those_around() {
    let config = load_files(&[
        ("/x/conf", "Match User ada\nInclude inner\nMaxSessions 2\nBanner /outer"),
        ("/x/inner", "MaxAuthTries 1\nMatch LocalPort 2222\nMaxSessions 1"),
    ])
    .unwrap();
    let sessions = |user: &str, port: u16| {
        let context = MatchContext { user: Some(user), local_port: Some(port), ..NOBODY };
        let options = config.options(&context);
        (options.max_sessions, options.max_auth_tries, options.banner.is_some())
    };
    assert_eq!(sessions("ada", 2222), (1, 1, true));
    assert_eq!(sessions("ada", 22), (2, 1, true));
    assert_eq!(sessions("bob", 2222), (10, 6, false));
}

#[test]
fn the_folder_of_the_main_file_is_no_pattern() {
    let config = load_files(&[("/x[1]/conf", "Include *.c"), ("/x[1]/a.c", "MaxSessions 1")]);
    assert_eq!(config.unwrap().global_options().max_sessions, 1);
}

#[test]
fn files_that_include_each_other_come_to_an_end() {
    let all = "Include *";
    let errors =
        load_files(&[("/x/a", all), ("/x/b", all), ("/x/c", all), ("/x/d", all)]).unwrap_err();
    assert_eq!(errors[0], "/x/a line 1: Too many recursive configuration includes");
}

#[test]
fn files_are_read_from_the_disk_in_the_order_of_their_names() {
    let folder = std::env::temp_dir().join(format!("adit-config-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("d")).unwrap();
    let main = folder.join("main");
    std::fs::write(&main, "Include d/*.conf\n").unwrap();
    for (name, text) in
        [("b.conf", "MaxSessions 2"), ("a.conf", "MaxSessions 1"), (".h.conf", "Foo 1")]
    {
        std::fs::write(folder.join("d").join(name), text).unwrap();
    }
    let config = ServerConfig::load(Some(&main), &[], &ALGORITHMS);
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(config.unwrap().options(&NOBODY).max_sessions, 1);
}

#[test]
fn what_distributions_ship_loads() {
    // Debian's, and Fedora's with its crypto policy, without the comments.
    let debian = "Include /etc/ssh/sshd_config.d/*.conf\nKbdInteractiveAuthentication no\nUsePAM yes\n\
        X11Forwarding yes\nPrintMotd no\nAcceptEnv LANG LC_* COLORTERM NO_COLOR\n\
        Subsystem\tsftp\t/usr/lib/openssh/sftp-server\n";
    assert_eq!(
        load(debian).unwrap().notes().iter().filter(|it| it.level <= LogLevel::Info).count(),
        2
    );
    let fedora = load_files(&[
        ("/etc/ssh/sshd_config", "Include /etc/ssh/sshd_config.d/*.conf\nAuthorizedKeysFile\t.ssh/authorized_keys\n\
            Subsystem\tsftp\t/usr/libexec/openssh/sftp-server\n"),
        ("/etc/ssh/sshd_config.d/50-redhat.conf", "Include /etc/crypto-policies/back-ends/opensshserver.config\n\
            SyslogFacility AUTHPRIV\nChallengeResponseAuthentication no\nGSSAPIAuthentication yes\n\
            GSSAPICleanupCredentials no\nUsePAM yes\nX11Forwarding yes\nPrintMotd no\n"),
        ("/etc/crypto-policies/back-ends/opensshserver.config",
            "Ciphers aes256-gcm@openssh.com,chacha20-poly1305@openssh.com,aes256-ctr\n\
            MACs hmac-sha2-256-etm@openssh.com,old\n\
            GSSAPIKexAlgorithms gss-curve25519-sha256-,gss-nistp256-sha256-\n\
            KexAlgorithms mlkem768x25519-sha256,curve25519-sha256,diffie-hellman-group14-sha256,old\n\
            HostKeyAlgorithms ecdsa-sha2-nistp256,ssh-ed25519,sk-ssh-ed25519@openssh.com,rsa-sha2-256-cert-v01@openssh.com\n\
            PubkeyAcceptedAlgorithms ecdsa-sha2-nistp256,ssh-ed25519\n\
            HostbasedAcceptedAlgorithms ssh-ed25519\nCASignatureAlgorithms ssh-ed25519,rsa-sha2-256\n\
            RequiredRSASize 2048\n"),
    ])
    .unwrap();
    assert_eq!(fedora.options(&NOBODY).required_rsa_size, 2048);
    assert_eq!(fedora.options(&NOBODY).ciphers, ["chacha20-poly1305@openssh.com", "aes256-ctr"]);
}

#[test]
fn none_is_nothing() {
    for (text, is_nothing) in [
        ("Banner none", (|it| it.banner.is_none()) as fn(&ServerOptions) -> bool),
        ("ForceCommand NONE", |it| it.force_command.is_none()),
        ("ChrootDirectory none", |it| it.chroot_directory.is_none()),
        ("PidFile none", |it| it.pid_file.is_none()),
        ("VersionAddendum none", |it| it.version_addendum.is_none()),
        ("AuthorizedKeysCommand none", |it| it.authorized_keys_command.is_none()),
        ("RevokedKeys none", |it| it.revoked_keys.is_empty()),
        ("ChannelTimeout none", |it| it.channel_timeouts.is_empty()),
        ("AuthenticationMethods any", |it| it.authentication_methods.is_empty()),
        ("UnusedConnectionTimeout none", |it| it.unused_connection_timeout == 0),
        ("PerSourceMaxStartups none", |it| it.per_source_max_startups.is_none()),
        ("MemoryLimitPerUser none", |it| it.memory_limit_per_user.is_none()),
        ("Loops auto", |it| it.loops.is_none()),
        ("HostKey none", |it| it.host_keys_to_load() == (vec![], true)),
    ] {
        assert!(is_nothing(&options(text)), "{text}");
    }
}

#[test]
fn relative_names_are_beside_the_file_or_where_the_command_was_given() {
    let files = [("conf/main", "HostKey a\nMatch User ada\nBanner b"), ("conf/x", "")];
    let config = load_with(&files, &["HostKey=c", "UsersFile=u"]).unwrap();
    let options = config.options(&ADA);
    assert_eq!(options.host_keys, ["/here/c", "/here/conf/a"]);
    assert_eq!(options.users_file.as_deref(), Some("/here/u"));
    assert_eq!(options.banner.as_deref(), Some("/here/conf/b"));
}

#[test]
fn host_keys_are_the_usual_ones_unless_named() {
    let defaults = ServerOptions::defaults(&ALGORITHMS);
    assert_eq!(defaults.host_keys_to_load(), (options::DEFAULT_HOST_KEYS.to_vec(), false));
    assert_eq!(options("HostKey /k").host_keys_to_load(), (vec!["/k"], true));
}

#[test]
fn addresses_and_ports_combine_into_where_to_listen() {
    for (text, expected) in [
        ("", vec!["0.0.0.0 22", ":: 22"]),
        ("AddressFamily inet\nPort 1\nPort 2", vec!["0.0.0.0 1", "0.0.0.0 2"]),
        ("AddressFamily inet6", vec![":: 22"]),
        ("ListenAddress ::1\nPort 5\nListenAddress 127.0.0.1:6", vec!["::1 5", "127.0.0.1 6"]),
        ("ListenAddress pi\nPort 1\nPort 2", vec!["pi 1", "pi 2"]),
    ] {
        let found: Vec<_> =
            options(text).listen_on().iter().map(|it| format!("{} {}", it.0, it.1)).collect();
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn penalties_add_up_over_lines_and_the_first_of_each_counts() {
    let seconds = Duration::from_secs;
    let default = options("").penalties();
    assert_eq!(default, Penalties::default());
    assert!(!options("PerSourcePenalties no").penalties().enabled);
    let said = options("PerSourcePenalties authfail:1 max:2m\nPerSourcePenalties authfail:9 noauth:0.25s overflow:deny-all").penalties();
    assert_eq!((said.auth_fail, said.max), (seconds(1), seconds(120)));
    assert_eq!(said.no_auth, Duration::from_millis(250));
    assert_eq!((said.overflow, said.overflow6), (Overflow::DenyAll, Overflow::DenyAll));
    let both = options("PerSourcePenalties overflow:deny-all overflow6:permissive").penalties();
    assert_eq!(both.overflow6, Overflow::Permissive);
    assert!(options("PerSourcePenalties no\nPerSourcePenalties min:1").penalties().enabled);
}

#[test]
fn the_first_pattern_of_a_kind_of_channel_says_its_time() {
    let said =
        options("ChannelTimeout direct-tcpip=0 direct-*=5m session:shell=1m session=2m global=1h");
    for (kind, seconds) in [
        ("direct-tcpip", None),
        ("direct-streamlocal@openssh.com", Some(300)),
        ("forwarded-tcpip", None),
        ("session", Some(120)),
        ("session:shell", Some(60)),
        ("session:subsystem:sftp", Some(120)),
    ] {
        assert_eq!(said.channel_timeout(kind), seconds, "{kind}");
    }
    assert_eq!(said.global_timeout(), Some(3600));
    // sshd: this one has to be said.
    assert_eq!(options("ChannelTimeout *=1h").global_timeout(), None);
    assert_eq!(options("ChannelTimeout global=0 global=1").global_timeout(), None);
    assert_eq!(options("ChannelTimeout global=1h").channel_timeout("session"), None);
}

#[test]
fn names_and_groups_decide_who_is_let_in() {
    let groups = strings(["tunnelers", "staff"]);
    let ada = MatchContext { groups: &groups, ..ADA };
    for (text, outcome) in [
        ("", Ok(())),
        ("DenyUsers ada", Err("because listed in DenyUsers")),
        ("DenyUsers bob", Ok(())),
        ("DenyUsers ada@10.0.0.0/8", Ok(())),
        ("DenyUsers ada@192.0.2.0/24", Err("because listed in DenyUsers")),
        ("DenyUsers ada@*.home.example", Err("because listed in DenyUsers")),
        ("DenyUsers ada@*,!192.0.2.7", Ok(())),
        ("AllowUsers bob", Err("because not listed in AllowUsers")),
        ("AllowUsers bob a?a", Ok(())),
        ("AllowUsers ada\nDenyUsers ada", Err("because listed in DenyUsers")),
        ("DenyGroups st*", Err("because a group is listed in DenyGroups")),
        ("AllowGroups wheel", Err("because none of user's groups are listed in AllowGroups")),
        ("AllowGroups wheel staff", Ok(())),
        (
            "AllowUsers ada\nAllowGroups wheel",
            Err("because none of user's groups are listed in AllowGroups"),
        ),
    ] {
        assert_eq!(options(text).lets_in(&ada), outcome, "{text}");
    }
}

#[test]
fn a_stale_port_is_taken_over_in_gateways_unless_said_otherwise() {
    let unset = options("");
    assert_eq!(unset.stale_listener_in(Role::Gateway), StaleListener::Takeover);
    assert_eq!(unset.stale_listener_in(Role::System), StaleListener::Refuse);
    let said = options("StaleListener refuse");
    assert_eq!(said.stale_listener_in(Role::Gateway), StaleListener::Refuse);
}

#[test]
fn variables_of_users_are_permitted_by_name() {
    for (text, permitted) in
        [("no", false), ("yes", true), ("LC_*,A", true), ("B", false), ("*,!A", false)]
    {
        let options = options(&format!("PermitUserEnvironment {text}"));
        assert_eq!(options.permit_user_environment.permits("A"), permitted, "{text}");
    }
}

#[test]
fn a_dump_is_what_sshd_prints() {
    let dump =
        options("Port 2222\nListenAddress ::1\nAcceptEnv A B\nRole gateway\nIPQoS ef 0x07").dump();
    assert!(dump.starts_with("port 2222\naddressfamily any\nlistenaddress [::1]:2222\n"), "{dump}");
    for line in [
        "acceptenv A",
        "acceptenv B",
        "allowtcpforwarding yes",
        "authenticationmethods any",
        "authorizedkeysfile .ssh/authorized_keys .ssh/authorized_keys2",
        "banner none",
        "channeltimeout none",
        "ciphers chacha20-poly1305@openssh.com,aes256-ctr,ssh-ed25519",
        "fingerprinthash SHA256",
        "hostkey /etc/ssh/ssh_host_ed25519_key",
        "ipqos ef 0x07",
        "loglevel INFO",
        "maxstartups 10:30:100",
        "permitopen any",
        "permitrootlogin prohibit-password",
        "persourcemaxstartups none",
        "persourcenetblocksize 32:128",
        "pubkeyauthoptions none",
        "rekeylimit 0 0",
        "role gateway",
        "stalelistener takeover",
        "streamlocalbindmask 0177",
        "syslogfacility AUTH",
        "unusedconnectiontimeout none",
        "x11forwarding no",
    ] {
        assert!(dump.lines().any(|it| it == line), "{line} in\n{dump}");
    }
    assert!(!options("SetEnv A=b").dump().contains("persourcepenalties \n"));
}

#[test]
fn a_dump_holds_every_keyword_that_is_in_force_and_can_be_read_again() {
    for (_, line, _) in EFFECTS {
        let dump = options(line).dump();
        if line.contains('"') || line.contains("penalties") {
            continue;
        }
        assert_eq!(options(&dump).dump(), dump, "{line}");
    }
    let dump = options("").dump();
    for row in KEYWORDS {
        let stored = matches!(row.status, Status::Honoured | Status::Partly(_)) && !row.repeats;
        let name = format!("{} ", row.name.to_ascii_lowercase());
        let unset = row.keyword == Keyword::SetEnv;
        assert!(!stored || unset || dump.lines().any(|line| line.starts_with(&name)), "{name}");
    }
}

/// What the page must say of a keyword.
fn page_line(row: &Row<Keyword>, dump: &str) -> String {
    let codes = |words: &[&str]| {
        words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
    };
    let (name, also) = (row.name, codes(row.aliases));
    match row.status {
        Status::Honoured | Status::Partly(_) => {
            let blocks = if row.scope == Scope::Everywhere { "yes" } else { "" };
            format!("| `{name}` | {also} | {blocks} | {} | ", page_default(row, dump))
        }
        Status::WithoutEffect(why) => format!("| `{name}` | {also} | {why} |\n"),
        Status::Missing { off, why } | Status::Refused { off, why } => {
            format!("| `{name}` | {also} | unless {}: {why} |\n", codes(off))
        }
        Status::Deprecated => format!("`{name}`"),
        Status::FilesOnly(name) => format!("**{name}**"),
    }
}

/// The default as the page has it.
fn page_default(row: &Row<Keyword>, dump: &str) -> String {
    let name = format!("{} ", row.name.to_ascii_lowercase());
    let values: Vec<_> = dump.lines().filter_map(|line| line.strip_prefix(&name)).collect();
    match row.keyword {
        Keyword::HostKey => "the usual three".into(),
        Keyword::ListenAddress => "everywhere".into(),
        Keyword::PerSourcePenalties => "`yes`".into(),
        _ if values.is_empty() => "–".into(),
        _ if values[0] == SET.default.join(",") => "see `-T`".into(),
        _ => format!("`{}`", values.join(" ")),
    }
}

#[test]
fn the_manual_page_says_what_the_table_says() {
    let page = include_str!("../../../../docs/aditd.md");
    let dump = ServerOptions::defaults(&ALGORITHMS).dump();
    for line in KEYWORDS.iter().map(|row| page_line(row, &dump)) {
        assert!(page.contains(&line), "docs/aditd.md should hold: {line}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "(.{0,40}\n){0,6}") {
        let _ = load(&text);
    }

    #[test]
    fn any_value_of_any_keyword_is_read_or_refused_and_then_shown(
        at in 0..KEYWORDS.len(),
        value in "[-+^!a-z0-9:/*@\\[\\]\"' #%$.,=]{0,20}",
        in_block: bool,
    ) {
        let block = if in_block { "Match User a*\n" } else { "" };
        if let Ok(config) = load(&format!("{block}{} {value}", KEYWORDS[at].name)) {
            let ada = config.options(&ADA);
            let _ = (ada.dump(), ada.listen_on(), ada.lets_in(&ADA).is_ok(), ada.penalties());
        }
    }

    #[test]
    fn any_condition_is_read_or_refused_and_then_decided(words in "[a-zA-Z=,!*./: 0-9-]{0,40}") {
        if let Ok(config) = load(&format!("Match {words}\nMaxSessions 1")) {
            let _ = config.options(&ADA);
        }
    }

    #[test]
    fn the_first_of_the_lines_wins_and_blocks_before_all(
        lines in prop::collection::vec((0u32..50, prop::option::of(any::<bool>())), 1..8),
    ) {
        // None: for everybody, before the blocks; Some: a block that applies or not.
        let mut text = String::new();
        for (value, _) in lines.iter().filter(|line| line.1.is_none()) {
            text.push_str(&format!("MaxSessions {value}\n"));
        }
        for (value, applies) in lines.iter().filter_map(|line| Some((line.0, line.1?))) {
            let user = if applies { "ada" } else { "bob" };
            text.push_str(&format!("Match User {user}\nMaxSessions {value}\n"));
        }
        let block = lines.iter().find(|line| line.1 == Some(true));
        let global = lines.iter().find(|line| line.1.is_none());
        let expected = block.or(global).map_or(10, |line| line.0);
        prop_assert_eq!(load(&text).unwrap().options(&ADA).max_sessions, expected);
    }
}

#[test]
fn a_file_without_an_end_is_an_error_that_names_it() {
    let errors = ServerConfig::load(Some(Path::new("/dev/zero")), &[], &ALGORITHMS).unwrap_err();
    assert_eq!(errors[0].to_string(), "/dev/zero: larger than 16 MiB");
}
