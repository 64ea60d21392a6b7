//! Files: Include, what distributions ship, names beside the file, and a file without an end.
//! Touches: texts in memory, two files in a scratch folder, /dev/zero.   Never: the system's configuration.
//! Invariants: files stand where they are included.
//! Errors: a failed test.   Allocates: freely.
//! Proved by: itself.

use super::*;

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
fn a_file_without_an_end_is_an_error_that_names_it() {
    let errors = ServerConfig::load(Some(Path::new("/dev/zero")), &[], &ALGORITHMS).unwrap_err();
    assert_eq!(errors[0].to_string(), "/dev/zero: larger than 16 MiB");
}
