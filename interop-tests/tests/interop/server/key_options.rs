//! What stands before a key in authorized_keys.

use super::ssh;
use adit_interop_tests::{aditd, client::Finished, ports::free_port, sshd::Sshd};

fn with(options: &str) -> Sshd {
    aditd::setup().key_options(options).start()
}

fn log_in(options: &str) -> Finished {
    ssh(&with(options)).log_in()
}

#[test]
fn a_key_may_be_bound_to_addresses() {
    for (options, let_in) in [
        ("from=\"127.0.0.1\"", true),
        ("from=\"127.0.0.0/8\"", true),
        ("from=\"10.0.0.1,127.*\"", true),
        ("from=\"!127.0.0.1,*\"", false),
        ("from=\"10.0.0.0/8\"", false),
        ("FROM=\"10.0.0.0/8\"", false),
        ("from=\"127.0.0.1\",from=\"10.0.0.1\"", false),
    ] {
        assert_eq!(log_in(options).code, Some(if let_in { 0 } else { 255 }), "{options}");
    }
}

#[test]
fn a_key_may_have_its_time() {
    for (time, let_in) in [
        ("20200101", false),
        ("202001010000", false),
        ("20200101000000Z", false),
        ("20990101", true),
        ("20990101120000Z", true),
    ] {
        let options = format!("expiry-time=\"{time}\"");
        assert_eq!(log_in(&options).code, Some(if let_in { 0 } else { 255 }), "{options}");
    }
}

#[test]
fn an_option_nobody_knows_makes_the_line_worthless() {
    for options in ["no-such-option", "from=127.0.0.1", "from=\"127.0.0.1", "command=\"a\" b"] {
        log_in(options).assert(255, &["Permission denied (publickey"]);
    }
}

#[test]
fn a_command_takes_the_place_of_what_was_asked_for() {
    let server = with("command=\"echo forced \\\"$SSH_ORIGINAL_COMMAND\\\"\"");
    assert_eq!(ssh(&server).run_remotely(&["rm", "-rf", "/"]).stdout, "forced rm -rf /\n");
    let subsystem = ssh(&server).arg("-s").run_remotely(&["sftp"]);
    assert!(subsystem.stdout.starts_with("forced "), "{subsystem:?}");
    assert_eq!(ssh(&server).run().stdout, "forced \n", "instead of a shell");
}

#[test]
fn variables_are_set_where_the_server_permits_it() {
    let options = "environment=\"MINE=deep\",environment=\"LC_MINE=deeper\"";
    for (line, expected) in [
        ("PermitUserEnvironment no", "-\n"),
        ("PermitUserEnvironment yes", "deep-deeper\n"),
        ("PermitUserEnvironment LC_*", "-deeper\n"),
    ] {
        let server = aditd::setup().line(line).key_options(options).start();
        let finished = ssh(&server).run_remotely(&["echo $MINE-$LC_MINE"]);
        assert_eq!(finished.stdout, expected, "{line}: {finished:?}");
    }
}

#[test]
fn terminals_are_refused_and_given_back() {
    for (options, refused) in
        [("no-pty", true), ("restrict", true), ("restrict,pty", false), ("no-pty,pty", false)]
    {
        let server = with(options);
        let finished = ssh(&server).arg("-tt").run_remotely(&["tty"]);
        let said = finished.stderr.contains("PTY allocation request failed on channel 0");
        assert_eq!(said, refused, "{options}: {finished:?}");
        assert_eq!(finished.stdout.starts_with("/dev/"), !refused, "{options}: {finished:?}");
    }
}

#[test]
fn forwarding_is_refused_and_given_back() {
    for (options, refused) in [
        ("no-port-forwarding", true),
        ("restrict", true),
        ("restrict,port-forwarding", false),
        ("no-port-forwarding,port-forwarding", false),
        ("no-pty,no-agent-forwarding,no-X11-forwarding,no-user-rc", false),
        ("agent-forwarding,user-rc,x11-forwarding", false),
    ] {
        let (server, port) = (with(options), free_port());
        let out = ssh(&server).log_in();
        assert_eq!(out.code, Some(if refused { 255 } else { 0 }), "{options}: {out:?}");
        if refused {
            assert!(out.stderr.contains("administratively prohibited: "), "{options}: {out:?}");
            ssh(&server)
                .option("ExitOnForwardFailure=yes")
                .args(["-N", "-R", &format!("{port}:127.0.0.1:9")])
                .run()
                .assert(255, &[&format!("remote port forwarding failed for listen port {port}")]);
        }
    }
}

#[test]
fn the_key_that_logs_in_decides_not_its_neighbour() {
    let server = with("restrict");
    let key = adit_interop_tests::keys::public_key(&server.endpoint.identity);
    let scratch = adit_interop_tests::scratch::Scratch::new();
    let other = adit_interop_tests::keys::generate(
        &scratch.join("other"),
        adit_interop_tests::keys::ED25519,
        "",
    );
    let other_public = adit_interop_tests::keys::public_key(&other);
    server.scratch.write("authorized_keys", format!("restrict {key}\n{other_public}\n"));
    ssh(&server).log_in().assert(255, &["administratively prohibited"]);
    super::ssh_with_key(&server, &other).log_in().assert(0, &[]);
}

#[test]
fn of_two_lines_with_one_key_the_first_that_lets_in_counts() {
    let server = with("restrict");
    let key = adit_interop_tests::keys::public_key(&server.endpoint.identity);
    let text = format!("from=\"10.0.0.1\" {key}\ncommand=\"echo second\" {key}\n{key}\n");
    server.scratch.write("authorized_keys", text);
    assert_eq!(ssh(&server).run_remotely(&["echo", "asked"]).stdout, "second\n");
}
