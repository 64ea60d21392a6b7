//! What values mean together: addresses and ports, penalties, times, names that are let in.
//! Touches: texts in memory.   Never: the system's configuration.
//! Invariants: none means nothing.
//! Errors: a failed test.   Allocates: freely.
//! Proved by: itself.

use super::*;

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
