//! Which of several lines counts: the first, those of the command line, and Match blocks.
//! Touches: texts in memory.   Never: the system's configuration.
//! Invariants: a block that applies wins over the global part.
//! Errors: a failed test.   Allocates: freely.
//! Proved by: itself.

use super::*;

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
