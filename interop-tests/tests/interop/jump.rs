//! Servers behind servers: `-J`, ProxyJump, ProxyCommand.

use adit_interop_tests::{
    carry::{MIB, through_echo},
    client::{Invocation, program, supports},
    endpoint::Endpoint,
    ports::{connect, free_port},
    scratch::Scratch,
    service::Service,
    sshd::Sshd,
};

/// A configuration in which `first` and `last` are hosts.
fn config(first: &Endpoint, last: &Endpoint, last_lines: &str) -> String {
    let host = |name: &str, endpoint: &Endpoint| {
        format!(
            "Host {name}\n  Hostname 127.0.0.1\n  Port {}\n  User {}\n  IdentityFile {}\n  UserKnownHostsFile {}\n",
            endpoint.port,
            endpoint.user,
            endpoint.identity.display(),
            endpoint.known_hosts.display()
        )
    };
    let common = "Host *\n  IdentitiesOnly yes\n  BatchMode yes\n  StrictHostKeyChecking yes\n  GlobalKnownHostsFile /dev/null\n";
    format!("{}{last_lines}{}{common}", host("last", last), host("first", first))
}

/// Whether the client under test reads configuration files and goes through other hosts.
fn jumps(how: &[&str]) -> bool {
    let scratch = Scratch::new();
    let empty = scratch.write("empty", "").display().to_string();
    let nowhere = ["-p", "1", "-N", "127.0.0.1"];
    supports(&[&["-F", &empty][..], how, &nowhere].concat())
}

fn tunnel_to_last(jump_arguments: &[&str], last_lines: &str) {
    let (first, last, echo) = (Sshd::start(), Sshd::start(), Service::echo());
    let scratch = Scratch::new();
    let file = scratch.write("config", config(&first.endpoint, &last.endpoint, last_lines));
    let port = free_port();
    let _client = Invocation::bare()
        .arg("-F")
        .arg(file)
        .args(jump_arguments)
        .args(["-N", "-L", &format!("127.0.0.1:{port}:127.0.0.1:{}", echo.port()), "last"])
        .start()
        .listening(port);
    through_echo(&mut connect(port), 2 * MIB);
    assert!(
        first.log().count("Accepted publickey") == 1 && last.log().count("Accepted publickey") == 1
    );
}

#[test]
fn a_jump_on_the_command_line() {
    if !jumps(&["-J", "127.0.0.1:1"]) {
        return;
    }
    tunnel_to_last(&["-J", "first"], "");
}

#[test]
fn a_jump_in_the_configuration() {
    if !jumps(&["-J", "127.0.0.1:1"]) {
        return;
    }
    tunnel_to_last(&[], "  ProxyJump first\n");
}

#[test]
fn a_proxy_command_is_the_transport() {
    if !jumps(&["-o", "ProxyCommand=false"]) {
        return;
    }
    let (first, last, echo) = (Sshd::start(), Sshd::start(), Service::echo());
    let scratch = Scratch::new();
    let file = scratch.write("config", config(&first.endpoint, &last.endpoint, ""));
    let port = free_port();
    let proxy =
        format!("ProxyCommand={} -F {} -W [%h]:%p first", program().display(), file.display());
    let _client = Invocation::bare()
        .arg("-F")
        .arg(file)
        .option(proxy)
        .args(["-N", "-L", &format!("127.0.0.1:{port}:127.0.0.1:{}", echo.port()), "last"])
        .start()
        .listening(port);
    through_echo(&mut connect(port), 2 * MIB);
}

#[test]
fn the_host_key_of_every_hop_is_checked() {
    if !jumps(&["-J", "127.0.0.1:1"]) {
        return;
    }
    let (first, last) = (Sshd::start(), Sshd::start());
    let scratch = Scratch::new();
    let mut distrusted = first.endpoint.clone();
    distrusted.known_hosts = scratch.write("empty", "");
    let file = scratch.write("config", config(&distrusted, &last.endpoint, ""));
    Invocation::bare()
        .arg("-F")
        .arg(file)
        .args(["-J", "first", "-N", "last"])
        .run()
        .assert(255, &["Host key verification failed."]);
}
