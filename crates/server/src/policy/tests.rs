//! Rule x request x role: what each line of the configuration and of a key makes of each request, in words.

use super::*;
use crate::algorithms::ALGORITHMS;
use crate::host::SystemAccount;
use adit_auth::Method;
use adit_config::server::ServerConfig;
use adit_keys::authorized_keys::KeyOptions;

/// Who is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    /// Exists in the configuration only.
    Virtual,
    /// Has an account on the system.
    Ordinary,
    Root,
}

const EVERYBODY: [Who; 3] = [Who::Virtual, Who::Ordinary, Who::Root];

fn account(who: Who) -> Account {
    let system = |uid| SystemAccount {
        uid,
        gid: uid,
        gids: vec![uid],
        home: "/home/ada".into(),
        shell: "/bin/sh".into(),
    };
    let system = match who {
        Who::Virtual => None,
        Who::Ordinary => Some(system(1000)),
        Who::Root => Some(system(0)),
    };
    Account { name: "ada".into(), groups: Vec::new(), system }
}

fn options(lines: &[&str]) -> ServerOptions {
    let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
    ServerConfig::load(None, &lines, &ALGORITHMS).unwrap().global_options()
}

fn grants(key: &str) -> Grants {
    Grants::of_options(&KeyOptions::parse(key).unwrap(), "file:1")
}

fn proven(key: Option<&[u8]>) -> Proven {
    let method = if key.is_some() { Method::Publickey } else { Method::Password };
    Proven { method, public_key: key.map(<[u8]>::to_vec) }
}

/// Who is in under these lines of the configuration, with a key that has these options.
fn member(who: Who, lines: &[&str], key: &str) -> Permissions {
    let granted = vec![(b"key".to_vec(), grants(key))];
    let (account, options) = (Arc::new(account(who)), Arc::new(options(lines)));
    Permissions::new(account, options, granted, vec![proven(Some(b"key"))]).unwrap()
}

fn tcp(host: &str, port: u16) -> Target {
    Target::Tcp { host: host.into(), port }
}

fn listening(address: &'static str, port: u32) -> Forward<'static> {
    Forward::Tcpip { address: address.into(), port }
}

fn listening_unix() -> Forward<'static> {
    Forward::Streamlocal { path: "/run/s".into() }
}

/// What is said to `-L` to TCP, `-L` to a unix socket, `-R`, `-R` of port 0 and `-R` of a unix socket, in this order.
fn answers(member: &Permissions) -> [String; 5] {
    let open = |target| member.may_open(&target);
    let listen = |forward| member.may_listen(&forward).map(drop);
    [
        open(tcp("10.1.2.3", 5432)),
        open(Target::Unix("/run/s".into())),
        listen(listening("localhost", 8080)),
        listen(listening("localhost", 0)),
        listen(listening_unix()),
    ]
    .map(|answer| answer.err().unwrap_or_default())
}

const YES: &str = "";
const DISABLED: &str = "DisableForwarding is set";
const KEY: &str = "this key may not forward ports";
const NO_TCP: &str = "AllowTcpForwarding does not allow it";
const NO_UNIX: &str = "AllowStreamLocalForwarding does not allow it";
const NO_OPEN: &str = "PermitOpen does not allow 10.1.2.3:5432";
const NO_UNIX_OPEN: &str = "PermitOpen allows no unix sockets";
const NO_LISTEN: &str = "PermitListen does not allow localhost:8080";
const NO_PORT_0: &str = "PermitListen does not allow localhost:0";
const NO_UNIX_LISTEN: &str = "PermitListen allows no unix sockets";
const KEY_NO_OPEN: &str = "this key's PermitOpen does not allow 10.1.2.3:5432";
const KEY_NO_LISTEN: &str = "this key's PermitListen does not allow localhost:8080";
const KEY_NO_PORT_0: &str = "this key's PermitListen does not allow localhost:0";

/// What the configuration says counts for root as well.
#[test]
fn what_the_configuration_forbids_is_forbidden_to_everybody_in_words_that_name_the_rule() {
    for (lines, expected) in [
        (&[][..], [YES, YES, YES, YES, YES]),
        (&["AllowTcpForwarding yes"], [YES, YES, YES, YES, YES]),
        (&["AllowTcpForwarding no"], [NO_TCP, YES, NO_TCP, NO_TCP, YES]),
        (&["AllowTcpForwarding local"], [YES, YES, NO_TCP, NO_TCP, YES]),
        (&["AllowTcpForwarding remote"], [NO_TCP, YES, YES, YES, YES]),
        (&["AllowStreamLocalForwarding no"], [YES, NO_UNIX, YES, YES, NO_UNIX]),
        (&["AllowStreamLocalForwarding local"], [YES, YES, YES, YES, NO_UNIX]),
        (&["AllowStreamLocalForwarding remote"], [YES, NO_UNIX, YES, YES, YES]),
        (&["DisableForwarding yes"], [DISABLED; 5]),
        (&["DisableForwarding yes", "AllowTcpForwarding no"], [DISABLED; 5]),
        (&["PermitOpen any"], [YES, YES, YES, YES, YES]),
        (&["PermitOpen none"], [NO_OPEN, NO_UNIX_OPEN, YES, YES, YES]),
        (&["PermitOpen web:80 10.1.2.3:5432"], [YES, NO_UNIX_OPEN, YES, YES, YES]),
        (&["PermitOpen web:80"], [NO_OPEN, NO_UNIX_OPEN, YES, YES, YES]),
        (&["PermitOpen *:*"], [YES, NO_UNIX_OPEN, YES, YES, YES]),
        (&["PermitOpen 10.0.0.0/8:5432"], [YES, NO_UNIX_OPEN, YES, YES, YES]),
        (&["PermitOpen 10.2.0.0/16:5432"], [NO_OPEN, NO_UNIX_OPEN, YES, YES, YES]),
        (&["PermitOpen 10.1.2.3:5000-5999"], [YES, NO_UNIX_OPEN, YES, YES, YES]),
        (&["PermitOpen 10.1.2.3:5000-5431"], [NO_OPEN, NO_UNIX_OPEN, YES, YES, YES]),
        (&["PermitListen any"], [YES, YES, YES, YES, YES]),
        (&["PermitListen none"], [YES, YES, NO_LISTEN, NO_PORT_0, NO_UNIX_LISTEN]),
        (&["PermitListen 8080"], [YES, YES, YES, NO_PORT_0, NO_UNIX_LISTEN]),
        (&["PermitListen localhost:*"], [YES, YES, YES, YES, NO_UNIX_LISTEN]),
        (&["PermitListen localhost:9000"], [YES, YES, NO_LISTEN, NO_PORT_0, NO_UNIX_LISTEN]),
        (&["PermitListen 8000-8099"], [YES, YES, YES, NO_PORT_0, NO_UNIX_LISTEN]),
        // The switch is asked before the list.
        (
            &["AllowTcpForwarding no", "PermitOpen none", "PermitListen none"],
            [NO_TCP, NO_UNIX_OPEN, NO_TCP, NO_TCP, NO_UNIX_LISTEN],
        ),
    ] {
        for who in EVERYBODY {
            assert_eq!(answers(&member(who, lines, "")), expected, "{who:?} {lines:?}");
        }
    }
}

#[test]
fn what_a_key_forbids_is_forbidden_whatever_the_configuration_permits() {
    let open = "permitopen=\"10.1.2.3:5432\"";
    for (lines, key, expected) in [
        (&[][..], "no-pty", [YES, YES, YES, YES, YES]),
        (&[], "no-port-forwarding", [KEY; 5]),
        (&[], "restrict", [KEY; 5]),
        (&[], "restrict,port-forwarding", [YES, YES, YES, YES, YES]),
        (&["AllowTcpForwarding no"], "restrict", [KEY; 5]),
        (&["DisableForwarding yes"], "restrict", [DISABLED; 5]),
        (&[], open, [YES, NO_UNIX_OPEN, YES, YES, YES]),
        (&[], "permitopen=\"10.0.0.0/8:5000-5999\"", [YES, NO_UNIX_OPEN, YES, YES, YES]),
        (&[], "permitopen=\"web:80\"", [KEY_NO_OPEN, NO_UNIX_OPEN, YES, YES, YES]),
        (&["PermitOpen web:80"], open, [NO_OPEN, NO_UNIX_OPEN, YES, YES, YES]),
        (&["AllowTcpForwarding remote"], open, [NO_TCP, NO_UNIX_OPEN, YES, YES, YES]),
        (&[], "permitlisten=\"8080\"", [YES, YES, YES, KEY_NO_PORT_0, NO_UNIX_LISTEN]),
        (&[], "permitlisten=\"localhost:*\"", [YES, YES, YES, YES, NO_UNIX_LISTEN]),
        (&[], "permitlisten=\"9000\"", [YES, YES, KEY_NO_LISTEN, KEY_NO_PORT_0, NO_UNIX_LISTEN]),
        (
            &["PermitListen 9000"],
            "permitlisten=\"8080\"",
            [YES, YES, NO_LISTEN, NO_PORT_0, NO_UNIX_LISTEN],
        ),
    ] {
        for who in EVERYBODY {
            assert_eq!(answers(&member(who, lines, key)), expected, "{who:?} {lines:?} {key}");
        }
    }
}

#[test]
fn a_port_that_does_not_exist_is_refused_before_the_rules() {
    for who in EVERYBODY {
        let asked = member(who, &[], "").may_listen(&listening("", 65_536));
        assert_eq!(asked, Err("there is no port 65536".into()), "{who:?}");
    }
    let dynamic = member(Who::Root, &[], "").may_open(&Target::Dynamic);
    assert_eq!(dynamic, Err("no such target".into()));
}

#[test]
fn how_it_is_listened_is_the_configuration_s_to_say() {
    use served::GatewayPorts::{ClientSpecified, No, Yes};
    for (lines, gateway_ports, bind_mask, bind_unlink) in [
        (&[][..], No, 0o177, false),
        (&["GatewayPorts no"], No, 0o177, false),
        (&["GatewayPorts yes"], Yes, 0o177, false),
        (&["GatewayPorts clientspecified"], ClientSpecified, 0o177, false),
        (&["StreamLocalBindMask 0007"], No, 0o007, false),
        (&["StreamLocalBindUnlink yes"], No, 0o177, true),
    ] {
        for who in EVERYBODY {
            let member = member(who, lines, "");
            for forward in [listening("", 8080), listening("", 0), listening_unix()] {
                let plan = member.may_listen(&forward).unwrap();
                let takeover = who == Who::Virtual;
                let expected = ListenPlan { gateway_ports, bind_mask, bind_unlink, takeover };
                assert_eq!(plan, expected, "{who:?} {lines:?} {forward:?}");
            }
        }
    }
}

#[test]
fn a_stale_listener_gives_way_where_that_is_said_or_usual() {
    for (lines, expected) in [
        (&[][..], [true, false, false]),
        (&["StaleListener takeover"], [true; 3]),
        (&["StaleListener refuse"], [false; 3]),
    ] {
        let plans = EVERYBODY.map(|who| member(who, lines, "").may_listen(&listening("", 8080)));
        assert_eq!(plans.map(|plan| plan.unwrap().takeover), expected, "{lines:?}");
    }
}

#[test]
fn so_many_listeners_and_no_more() {
    for (lines, most) in [(&[][..], 256), (&["MaxListenersPerConnection 3"], 3)] {
        for who in EVERYBODY {
            assert_eq!(member(who, lines, "").max_listeners(), most, "{who:?} {lines:?}");
        }
    }
}

#[test]
fn only_keys_that_were_proved_count_and_each_of_them() {
    let granted = || {
        let keys =
            [("first", "permitopen=\"web:80\""), ("second", "no-pty"), ("other", "restrict")];
        keys.map(|(key, options)| (key.as_bytes().to_vec(), grants(options))).to_vec()
    };
    let with = |proved: &[Proven]| {
        let (account, options) = (Arc::new(account(Who::Ordinary)), Arc::new(options(&[])));
        Permissions::new(account, options, granted(), proved.to_vec()).unwrap()
    };
    let (first, second) = (proven(Some(b"first")), proven(Some(b"second")));
    let both = with(&[first.clone(), second.clone()]);
    assert!(!both.grants.pty && both.grants.port_forwarding);
    assert_eq!(both.may_open(&tcp("web", 80)), Ok(()));
    assert!(both.may_open(&tcp("web", 81)).is_err());
    assert_eq!(both.identity.key.as_deref(), Some(&b"first"[..]));
    let one = with(&[second]);
    assert_eq!(one.may_open(&tcp("web", 81)), Ok(()));
    let password = with(&[proven(None)]);
    assert!(password.grants.pty && password.may_open(&tcp("web", 81)).is_ok());
    assert_eq!(password.identity.key, None);
}

#[test]
fn keys_that_permit_different_places_permit_none_and_different_commands_let_nobody_in() {
    let with = |one: &str, other: &str| {
        let granted = vec![(b"1".to_vec(), grants(one)), (b"2".to_vec(), grants(other))];
        let proved = vec![proven(Some(b"1")), proven(Some(b"2"))];
        let (account, options) = (Arc::new(account(Who::Ordinary)), Arc::new(options(&[])));
        Permissions::new(account, options, granted, proved)
    };
    let apart = with("permitopen=\"web:80\"", "permitopen=\"db:5432\"").unwrap();
    for target in [tcp("web", 80), tcp("db", 5432), Target::Unix("/run/s".into())] {
        assert!(apart.may_open(&target).is_err(), "{target:?}");
    }
    assert!(apart.may_listen(&listening("", 8080)).is_ok());
    let clash = with("command=\"one\"", "command=\"other\"").map(drop);
    assert_eq!(clash, Err("the keys that were proved force different commands".into()));
}

#[test]
fn what_was_proved_is_told_to_sessions_where_that_is_wanted() {
    assert_eq!(member(Who::Ordinary, &[], "").auth_info(), [""; 0]);
    let told = member(Who::Ordinary, &["ExposeAuthInfo yes"], "").auth_info();
    assert_eq!(told.len(), 1);
    assert!(told[0].starts_with("publickey "), "{told:?}");
}

#[test]
fn a_folder_to_be_locked_in_is_the_user_s() {
    let at = |lines: &[&str]| member(Who::Ordinary, lines, "").chroot_directory();
    assert_eq!(at(&[]), None);
    assert_eq!(at(&["ChrootDirectory /srv/%u"]), Some("/srv/ada".into()));
    assert_eq!(at(&["ChrootDirectory none"]), None);
}
