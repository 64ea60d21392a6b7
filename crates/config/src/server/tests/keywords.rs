//! Every keyword by itself: what a line of it does, where it may stand, and what is said of one that does nothing.
//! Touches: texts in memory.   Never: the system's configuration.
//! Invariants: a keyword without a line in one of the two tables here fails a test.
//! Errors: a failed test.   Allocates: freely.
//! Proved by: itself.

use super::*;
use std::collections::BTreeSet;

/// A line for each keyword that is stored, and what it does to the options.
macro_rules! effects {
    ($($keyword:ident: $line:literal => $field:ident == $value:expr;)*) => {
        /// Keyword, line, and whether the line has its effect and the default is something else.
        pub(super) const EFFECTS: &[(Keyword, &str, fn(&ServerOptions) -> bool)] =
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
