//! The table of keywords: name, other names, kind of value, where it is kept, what it does here. ssh_config(5).
//! Touches: nothing.   Never: what the options lead to.
//! Invariants: every keyword of OpenSSH has a row; none is read and then ignored without a word.
//! Errors: none.   Allocates: default values.
//! Proved by: `tests` below and in `client`.
//!
//! Sections: `values` (first one wins, with a default), `partly` (the same, not all values are served yet), `optional` (first one wins), `repeated` (all count), `listed` (all words count),
//! `without_effect` (harmless, said with `-v`), `missing` (other values than those listed are warned about),
//! `refused` (other values than those listed end the program), `files_only`, `deprecated`.

use crate::algorithms::Algorithms;
use crate::row::{Row, Scope, Status};
use crate::table::{every, first, keyword_table, replaceable, row, scope};
use crate::types::{
    AddressFamily, FingerprintHash, IpQos, LogLevel, PubkeyAuthentication, RekeyLimit, SessionType,
    StrictHostKeyChecking, UpdateHostKeys, WarnWeakCrypto,
};
use crate::value::{self, Input, ValueError};
use adit_forward::{ForwardSpec, PermitRemoteOpen};

keyword_table! {
    "ssh_config" Keyword KEYWORDS Options
    then replaceable
    defaults(algorithms)
    values {
        /// Address families to connect with and to listen on.
        AddressFamily [] choice address_family: AddressFamily = AddressFamily::Any;
        /// Never ask anything.
        BatchMode [] flag batch_mode: bool = false;
        /// Signature algorithms certificate authorities may have used.
        CASignatureAlgorithms [] ca_signatures ca_signature_algorithms: Vec<&'static str> = algorithms.ca_signatures.default.to_vec();
        /// Ciphers to offer, best first.
        Ciphers [] ciphers ciphers: Vec<&'static str> = algorithms.ciphers.default.to_vec();
        /// Forget all forwards but that of `-W`.
        ClearAllForwardings [] flag clear_all_forwardings: bool = false;
        /// Tries, one per second.
        ConnectionAttempts [] number connection_attempts: u32 = 1;
        /// Seconds until logged in, not counting what the user takes; 0 leaves it to the system.
        ConnectTimeout [] time connect_timeout: u32 = 0;
        /// A forward that cannot be set up ends the connection.
        ExitOnForwardFailure [] flag exit_on_forward_failure: bool = false;
        /// How fingerprints are shown.
        FingerprintHash [] hash fingerprint_hash: FingerprintHash = FingerprintHash::Sha256;
        /// Go to the background once authenticated.
        ForkAfterAuthentication [] flag fork_after_authentication: bool = false;
        /// Local forwards without a bind address listen on all addresses.
        GatewayPorts [] flag gateway_ports: bool = false;
        /// Host keys for all users of this machine.
        GlobalKnownHostsFile [] files global_known_hosts_files: Vec<String> = vec!["/etc/ssh/ssh_known_hosts".into(), "/etc/ssh/ssh_known_hosts2".into()];
        /// Host names are hashed when they are added to known_hosts.
        HashKnownHosts [] flag hash_known_hosts: bool = false;
        /// Use configured identities alone, not all the agent has.
        IdentitiesOnly [] flag identities_only: bool = false;
        /// Type of service of the connection.
        IPQoS [] qos ip_qos: IpQos = IpQos::DEFAULT;
        /// Try keyboard-interactive authentication.
        KbdInteractiveAuthentication ["ChallengeResponseAuthentication", "SkeyAuthentication", "TisAuthentication"] flag kbd_interactive_authentication: bool = true;
        /// Key exchange methods to offer, best first.
        KexAlgorithms [] key_exchanges kex_algorithms: Vec<&'static str> = algorithms.kex.default.to_vec();
        /// How much is said.
        LogLevel [] log_level log_level: LogLevel = LogLevel::Info;
        /// Message authentication codes to offer, best first.
        MACs [] macs macs: Vec<&'static str> = algorithms.macs.default.to_vec();
        /// Do not check host keys of loopback addresses.
        NoHostAuthenticationForLocalhost [] flag no_host_authentication_for_localhost: bool = false;
        /// Times a password is asked for.
        NumberOfPasswordPrompts [] number number_of_password_prompts: u32 = 3;
        /// Try password authentication.
        PasswordAuthentication [] flag password_authentication: bool = true;
        /// Where reverse dynamic forwards may connect.
        PermitRemoteOpen [] permit permit_remote_open: PermitRemoteOpen = PermitRemoteOpen::ANY;
        /// TCP port of the server.
        Port [] port port: u16 = 22;
        /// Authentication methods, in the order they are tried.
        PreferredAuthentications [] comma_list preferred_authentications: Vec<String> = ["publickey", "keyboard-interactive", "password"].map(Into::into).to_vec();
        /// Signature algorithms to authenticate with, best first.
        PubkeyAcceptedAlgorithms ["PubkeyAcceptedKeyTypes"] signatures pubkey_accepted_algorithms: Vec<&'static str> = algorithms.signatures.default.to_vec();
        /// Try public keys.
        PubkeyAuthentication ["DSAAuthentication"] choice pubkey_authentication: PubkeyAuthentication = PubkeyAuthentication::Yes;
        /// When keys are exchanged anew.
        RekeyLimit [] rekey_limit rekey_limit: RekeyLimit = RekeyLimit::default();
        /// Bits an RSA key must have.
        RequiredRSASize [] number required_rsa_size: u32 = 1024;
        /// Unanswered keepalives after which the server is given up.
        ServerAliveCountMax [] number server_alive_count_max: u32 = 3;
        /// Seconds of silence before a keepalive; 0 is never.
        ServerAliveInterval [] time server_alive_interval: u32 = 0;
        /// Do not read standard input.
        StdinNull [] flag stdin_null: bool = false;
        /// Permission bits a listening unix socket does not get.
        StreamLocalBindMask [] mask stream_local_bind_mask: u32 = 0o177;
        /// Remove a unix socket that is in the way.
        StreamLocalBindUnlink [] flag stream_local_bind_unlink: bool = false;
        /// What to do about unknown and changed host keys.
        StrictHostKeyChecking [] choice strict_host_key_checking: StrictHostKeyChecking = StrictHostKeyChecking::Ask;
        /// Let TCP notice a dead peer.
        TCPKeepAlive ["KeepAlive"] flag tcp_keep_alive: bool = true;
        /// Host keys of this user; new ones go to the first file.
        UserKnownHostsFile [] files user_known_hosts_files: Vec<String> = DEFAULT_KNOWN_HOSTS.map(Into::into).to_vec();
        /// Show host keys as pictures too.
        VisualHostKey [] flag visual_host_key: bool = false;
        /// Which weak algorithms are warned about.
        WarnWeakCrypto [] choice warn_weak_crypto: WarnWeakCrypto = WarnWeakCrypto::Yes;
        /// Learn further keys of a known host; off by default when UserKnownHostsFile is set.
        UpdateHostKeys [] choice update_host_keys: UpdateHostKeys = UpdateHostKeys::Yes;
    }
    partly {
        /// A command or shell, a subsystem, or nothing.
        SessionType [] choice session_type: SessionType = SessionType::Default, "only `none` so far: there are no sessions yet";
    }
    optional {
        /// Local address to connect from.
        BindAddress [] text bind_address: String;
        /// Network interface whose address to connect from.
        BindInterface [] text bind_interface: String;
        /// Host key algorithms to offer, best first; unset leaves room for what known_hosts has.
        HostKeyAlgorithms [] signatures host_key_algorithms: Vec<&'static str>;
        /// Name to look the host key up under.
        HostKeyAlias [] text host_key_alias: String;
        /// Real name or address of the host.
        Hostname [] text hostname: String;
        /// Socket of the agent; `none`, `SSH_AUTH_SOCK`, `$NAME` or a path.
        IdentityAgent [] text identity_agent: String;
        /// Patterns of keywords that may be unknown.
        IgnoreUnknown [] text ignore_unknown: String;
        /// Bytes of payload that may wait in the process; aditd's keyword, not one of ssh's.
        MemoryLimit [] size memory_limit: u64;
        /// Refuse to connect, and say this.
        RefuseConnection [] text refuse_connection: String;
        /// Keys that are never accepted for a host; `none` or a file.
        RevokedHostKeys [] text revoked_host_keys: String;
        /// User at the server.
        User [] text user: String;
        /// Appended to our version; `none` for nothing.
        VersionAddendum [] one_line version_addendum: String;
    }
    repeated {
        /// Files with certificates.
        CertificateFile [] text certificate_files: String;
        /// Local SOCKS and HTTP proxies.
        DynamicForward [] dynamic_forward dynamic_forwards: ForwardSpec;
        /// Files with private keys; without any, the usual ones.
        IdentityFile ["IdentityFile2"] text identity_files: String;
        /// Local forwards.
        LocalForward [] local_forward local_forwards: ForwardSpec;
        /// Remote forwards, dynamic ones among them.
        RemoteForward [] remote_forward remote_forwards: ForwardSpec;
    }
    listed {
    }
    without_effect {
        CanonicalDomains [] words "host names are not canonicalized";
        CanonicalizeFallbackLocal [] flag "host names are not canonicalized";
        CanonicalizeMaxDots [] number "host names are not canonicalized";
        CanonicalizePermittedCNAMEs [] words "host names are not canonicalized";
        CheckHostIP [] flag "host keys are looked up by name";
        Compression [] flag "nothing is compressed";
        ControlMaster [] text "connections are not shared";
        ControlPath [] text "connections are not shared";
        ControlPersist [] text "connections are not shared";
        EnableEscapeCommandline [] flag "there are no escape characters without a terminal";
        EnableSSHKeysign [] flag "host-based authentication is not there";
        EscapeChar [] text "there are no escape characters without a terminal";
        ForwardX11Timeout [] time "X11 is not forwarded";
        ForwardX11Trusted [] flag "X11 is not forwarded";
        GSSAPIAuthentication [] flag "GSSAPI is not there";
        GSSAPIDelegateCredentials [] flag "GSSAPI is not there";
        HostbasedAcceptedAlgorithms ["HostbasedKeyTypes"] text "host-based authentication is not there";
        KbdInteractiveDevices [] text "the server chooses";
        LocalCommand [] line "needs PermitLocalCommand";
        LogVerbose [] words "use -v";
        ObscureKeystrokeTiming [] words "there is no terminal";
        ProxyUseFdpass [] flag "needs ProxyCommand";
        RequestTTY [] terminal "there is no terminal";
        SendEnv [] words "there is no session";
        SetEnv [] words "there is no session";
        SyslogFacility [] facility "nothing goes to syslog";
        Tag [] text "needs Match";
        TunnelDevice [] text "needs Tunnel";
        XAuthLocation [] text "X11 is not forwarded";
    }
    missing {
        AddKeysToAgent [] words ["no", "false"] "keys are not added to the agent";
        ChannelTimeout [] words ["none"] "idle channels are not closed";
        ForwardAgent [] text ["no", "false"] "the agent is not forwarded";
        ForwardX11 [] flag ["no", "false"] "X11 is not forwarded";
        HostbasedAuthentication [] flag ["no", "false"] "host-based authentication is not there";
        VerifyHostKeyDNS [] text ["no", "false"] "host keys are not looked up in DNS";
    }
    refused {
        CanonicalizeHostname [] text ["no", "false"] "canonical host names are not supported yet";
        KnownHostsCommand [] line ["none"] "a command for host keys is not supported yet";
        PermitLocalCommand [] flag ["no", "false"] "local commands are not supported yet";
        PKCS11Provider ["SmartcardDevice"] text ["none"] "PKCS#11 tokens are not supported";
        ProxyCommand [] line ["none"] "a proxy command is not supported yet";
        ProxyJump [] text ["none"] "jump hosts are not supported yet";
        RemoteCommand [] line ["none"] "remote commands are not supported yet";
        SecurityKeyProvider [] text ["internal", "none"] "security keys are not supported yet";
        Tunnel [] text ["no", "false"] "tunnel devices are not supported";
    }
    files_only {
        Host "Host";
        Include "Include";
        Match "Match";
    }
    deprecated {
        AFSTokenPassing;
        Cipher;
        CompressionLevel;
        FallBackToRsh;
        GlobalKnownHostsFile2;
        KerberosAuthentication;
        KerberosTGTPassing;
        Protocol;
        RhostsAuthentication;
        RhostsRSAAuthentication;
        RSAAuthentication;
        UsePrivilegedPort;
        UserKnownHostsFile2;
        UseRoaming;
        UseRsh;
    }
}

/// What UserKnownHostsFile is when it is not set.
const DEFAULT_KNOWN_HOSTS: [&str; 2] = ["~/.ssh/known_hosts", "~/.ssh/known_hosts2"];
