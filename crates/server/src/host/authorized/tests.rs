//! Keys and certificates of ssh-keygen held against the files of an account.

use super::*;
use crate::host::testing::{Scratch, blob, origin, public_line, stranger, testdata};
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};

const KEY: &str = "private/ed25519";
const FILE: &str = ".ssh/authorized_keys";

fn shown(blob: &[u8]) -> ShownKey<'_> {
    ShownKey { blob, flags: None }
}

fn check(account: &Account, name: &str, rules: &KeyRules) -> KeyVerdict {
    check_key(account, &shown(&blob(name)), &origin(), rules)
}

/// Rules that trust the recorded authority of users.
fn trusting(scratch: &Scratch) -> KeyRules {
    let authorities = format!("# ours\n\n{}\n", public_line("certificate/user-ca"));
    let path = scratch.file("authorities", &authorities, 0o644);
    KeyRules { trusted_user_ca_keys: vec![path], ..KeyRules::default() }
}

#[test]
fn a_key_in_one_of_the_files_logs_in() {
    let scratch = Scratch::new("authorized");
    let account = scratch.account("ada");
    let rules = KeyRules::default();
    assert_eq!(
        check(&account, KEY, &rules),
        Err(KeyRefusal::Foreign("not an authorized key".into()))
    );
    let path = scratch.file(&format!("{FILE}2"), &public_line(KEY), 0o600);
    let grants = check(&account, KEY, &rules).unwrap();
    assert_eq!(grants, Grants::everything(&format!("{}:1", path.display())));
    assert!(check(&account, "private/p256", &rules).is_err());
    for files in [vec![], vec!["none".to_owned()], vec!["%h/other/%u".to_owned()]] {
        let rules = KeyRules { authorized_keys_files: files, ..KeyRules::default() };
        assert!(check(&account, KEY, &rules).is_err(), "{rules:?}");
    }
    let files = vec!["missing".to_owned(), "%h/.ssh/authorized_keys2".to_owned()];
    let rules = KeyRules { authorized_keys_files: files, ..KeyRules::default() };
    assert!(check(&account, KEY, &rules).is_ok());
}

#[test]
fn a_virtual_user_has_the_file_of_their_name_and_no_other() {
    let scratch = Scratch::new("virtual");
    scratch.file("keys/ada", &public_line(KEY), 0o644);
    let files = vec![scratch.path("keys/%u").display().to_string()];
    let rules =
        KeyRules { authorized_keys_files: files, strict_modes: false, ..KeyRules::default() };
    let account = |name: &str| Account { name: name.to_owned(), groups: Vec::new(), system: None };
    assert!(check(&account("ada"), KEY, &rules).is_ok());
    assert!(check(&account("grace"), KEY, &rules).is_err());
    assert!(check(&account("../keys/ada"), KEY, &rules).is_err());
    let refused = check(&account("ada"), KEY, &KeyRules::default()).unwrap_err().to_string();
    assert!(refused.contains("user ada has no home"), "{refused}");
}

#[test]
fn a_refusal_says_what_is_wrong_with_the_line() {
    let scratch = Scratch::new("refusal");
    let path = scratch.file(FILE, &format!("nonsense {}", public_line(KEY)), 0o600);
    let refused =
        check(&scratch.account("ada"), KEY, &KeyRules::default()).unwrap_err().to_string();
    let expected =
        format!("{}:1: bad key options: unknown key option \"nonsense\"", path.display());
    assert_eq!(refused, expected);
}

#[test]
fn strict_modes_keep_out_what_others_can_write() {
    let scratch = Scratch::new("strict");
    let path = scratch.file(FILE, &public_line(KEY), 0o666);
    let account = scratch.account("ada");
    let refused = check(&account, KEY, &KeyRules::default()).unwrap_err().to_string();
    let shown = path.canonicalize().unwrap();
    let expected =
        format!("Authentication refused: bad ownership or modes for file {}", shown.display());
    assert!(refused.starts_with(&expected), "{refused}");
    let lax = KeyRules { strict_modes: false, ..KeyRules::default() };
    assert!(check(&account, KEY, &lax).is_ok());
}

#[test]
fn a_file_larger_than_any_list_of_keys_logs_nobody_in() {
    let scratch = Scratch::new("large");
    let path = scratch.file(FILE, "", 0o600);
    fs::File::options().write(true).open(&path).unwrap().set_len(MAX_LIST + 1).unwrap();
    let refused =
        check(&scratch.account("ada"), KEY, &KeyRules::default()).unwrap_err().to_string();
    assert_eq!(refused, format!("{}: larger than 64 MiB", path.display()));
}

#[test]
fn what_is_no_file_is_not_waited_for() {
    let scratch = Scratch::new("fifo");
    fs::create_dir(scratch.path(".ssh")).unwrap();
    let path = scratch.path(FILE);
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0)
        .unwrap();
    let refused =
        check(&scratch.account("ada"), KEY, &KeyRules::default()).unwrap_err().to_string();
    assert_eq!(refused, format!("{}: not a regular file", path.display()));
}

#[test]
fn files_are_read_with_their_owner_s_rights() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: only root can read with another's rights");
        return;
    }
    let scratch = Scratch::new("rights");
    let mut account = scratch.account("ada");
    let system = account.system.as_mut().unwrap();
    (system.uid, system.gid, system.gids) = (stranger().uid, stranger().gid, stranger().gids);
    // Root's own, which the user may not read.
    let path = scratch.file(FILE, &public_line(KEY), 0o600);
    let refused = check(&account, KEY, &KeyRules::default()).unwrap_err().to_string();
    assert_eq!(refused, format!("{}: Permission denied (os error 13)", path.display()));
    chown(&path, Some(stranger().uid), Some(stranger().gid)).unwrap();
    assert!(check(&account, KEY, &KeyRules::default()).is_ok());
}

#[test]
fn revoked_keys_and_authorities_log_nobody_in() {
    let scratch = Scratch::new("revoked");
    scratch.file(FILE, &public_line(KEY), 0o600);
    let account = scratch.account("ada");
    let with = |list: &str| KeyRules {
        revoked_keys: vec![testdata("revoked/empty.krl"), testdata(list)],
        ..trusting(&scratch)
    };
    assert!(check(&account, KEY, &with("revoked/empty.krl")).is_ok());
    for list in ["revoked/keys.krl", "revoked/sha256.krl", "private/ed25519.pub"] {
        let refused = check(&account, KEY, &with(list)).unwrap_err().to_string();
        assert!(refused.starts_with("revoked by "), "{refused}");
        assert!(check(&account, "certificate/user-plain-cert", &with(list)).is_err(), "{list}");
    }
    let authority = with("certificate/user-ca.pub");
    assert!(check(&account, KEY, &authority).is_ok());
    assert!(check(&account, "certificate/user-plain-cert", &authority).is_err());
    // A list that is not there might have had the key.
    let refused = check(&account, KEY, &with("no-such-list")).unwrap_err().to_string();
    assert!(refused.starts_with("Error checking revoked keys file "), "{refused}");
}

#[test]
fn a_trusted_authority_speaks_for_the_user_it_names() {
    let scratch = Scratch::new("authority");
    let rules = trusting(&scratch);
    let (ada, eve) = (scratch.account("ada"), scratch.account("eve"));
    let certificate = "certificate/user-plain-cert";
    let grants = check(&ada, certificate, &rules).unwrap();
    assert!(grants.source.starts_with("ID \"user-plain\" (serial 0) signed by ED25519 CA SHA256:"));
    let refused = check(&eve, certificate, &rules).unwrap_err().to_string();
    assert_eq!(refused, "Certificate invalid: name is not a listed principal");
    assert!(check(&ada, certificate, &KeyRules::default()).is_err());
    // Of the other authority.
    assert!(check(&scratch.account("alice"), "certificate/user-cert", &rules).is_err());
    let missing = KeyRules { trusted_user_ca_keys: vec!["/nonexistent".into()], ..rules };
    let refused = check(&ada, certificate, &missing).unwrap_err().to_string();
    assert!(refused.starts_with("TrustedUserCAKeys /nonexistent: No such file"), "{refused}");
}

#[test]
fn a_principals_file_takes_the_place_of_the_name() {
    let scratch = Scratch::new("principals");
    let rules = KeyRules {
        authorized_principals_file: Some("%h/principals".to_owned()),
        ..trusting(&scratch)
    };
    let (ada, eve) = (scratch.account("ada"), scratch.account("eve"));
    let certificate = "certificate/user-plain-cert";
    let refused = check(&ada, certificate, &rules).unwrap_err().to_string();
    assert_eq!(refused, "Certificate does not contain an authorized principal");
    scratch.file("principals", "no-pty grace\n", 0o644);
    assert!(!check(&eve, certificate, &rules).unwrap().pty);
    let none = KeyRules { authorized_principals_file: Some("none".to_owned()), ..rules };
    assert!(check(&ada, certificate, &none).unwrap().pty);
    assert!(check(&eve, certificate, &none).is_err());
}

#[test]
fn commands_give_keys_and_principals() {
    let scratch = Scratch::new("commands");
    let me = nix::unistd::User::from_uid(nix::unistd::geteuid()).unwrap().unwrap().name;
    let account = scratch.account("ada");
    let keys = KeyRules {
        authorized_keys_command: Some("/bin/echo no-pty %t %k %u".to_owned()),
        authorized_keys_command_user: Some(me.clone()),
        ..KeyRules::default()
    };
    let grants = check(&account, KEY, &keys).unwrap();
    assert_eq!((grants.source.as_str(), grants.pty), ("AuthorizedKeysCommand:1", false));
    let principals = KeyRules {
        authorized_principals_command: Some("/bin/echo %u".to_owned()),
        authorized_principals_command_user: Some(me),
        ..trusting(&scratch)
    };
    assert!(check(&account, "certificate/user-plain-cert", &principals).is_ok());
    let eve = scratch.account("eve");
    assert!(check(&eve, "certificate/user-plain-cert", &principals).is_err());
    // Without a user it is not run, and the files still count.
    let userless = KeyRules { authorized_keys_command_user: None, ..keys };
    let refused = check(&account, KEY, &userless).unwrap_err().to_string();
    assert!(refused.contains("no AuthorizedKeysCommandUser specified"), "{refused}");
    scratch.file(FILE, &public_line(KEY), 0o600);
    assert!(check(&account, KEY, &userless).is_ok());
}

#[test]
fn every_token_of_the_commands_has_its_value() {
    let scratch = Scratch::new("tokens");
    let key = PublicKey::decode(&blob("certificate/user-full-cert")).unwrap();
    let certificate = key.certificate().unwrap();
    let value = |token| certificate_token(token, certificate, &scratch.account("ada"));
    let [line, authority] = ["certificate/user-full-cert", "certificate/user-ca"].map(public_line);
    let word = |line: &str, at: usize| line.split(' ').nth(at).map(str::to_owned);
    assert_eq!((value('t'), value('k')), (word(&line, 0), word(&line, 1)));
    assert_eq!((value('T'), value('K')), (word(&authority, 0), word(&authority, 1)));
    assert_eq!((value('i').as_deref(), value('s').as_deref()), (Some("user-full"), Some("7")));
    assert!([value('f'), value('F')].into_iter().all(|it| it.unwrap().starts_with("SHA256:")));
    assert_ne!(value('f'), value('F'));
    assert_eq!(value('u').as_deref(), Some("ada"));
    assert_eq!(value('C'), None);
}

#[test]
fn keys_smaller_than_wanted_are_refused() {
    let scratch = Scratch::new("size");
    scratch.file(FILE, &public_line("private/rsa"), 0o600);
    let account = scratch.account("ada");
    let rules = |required_rsa_size| KeyRules { required_rsa_size, ..KeyRules::default() };
    assert!(check(&account, "private/rsa", &rules(2048)).is_ok());
    let refused = check(&account, "private/rsa", &rules(2049)).unwrap_err().to_string();
    assert_eq!(refused, "refusing RSA key: Invalid key length");
}

#[test]
fn a_security_key_must_be_touched_and_verify_its_owner_where_that_is_wanted() {
    use adit_wire::Field;
    let mut blob = Vec::new();
    "sk-ssh-ed25519@openssh.com".encode(&mut blob);
    [7_u8; 32].as_slice().encode(&mut blob);
    "ssh:".encode(&mut blob);
    let scratch = Scratch::new("security-key");
    let account = scratch.account("ada");
    let judged = |options: &str, flags: Option<u8>, touch: bool, verify: bool| {
        let line = format!("{options} {}", adit_keys::public::encode(&blob));
        scratch.file(FILE, &line, 0o600);
        let rules =
            KeyRules { touch_required: touch, verify_required: verify, ..KeyRules::default() };
        check_key(&account, &ShownKey { blob: &blob, flags }, &origin(), &rules).is_ok()
    };
    for (options, flags, touch, verify, expected) in [
        ("", Some(1), false, false, true),
        ("", Some(0), false, false, false),
        ("", None, false, false, true),
        ("no-touch-required", Some(0), false, false, true),
        ("no-touch-required", Some(0), true, false, false),
        ("verify-required", Some(1), false, false, false),
        ("verify-required", Some(5), false, false, true),
        ("no-touch-required,verify-required", Some(4), false, false, true),
        ("", Some(1), false, true, false),
        ("", Some(5), true, true, true),
    ] {
        let judged = judged(options, flags, touch, verify);
        assert_eq!(judged, expected, "{options} {flags:?} {touch} {verify}");
    }
}

#[test]
fn a_directory_that_others_can_write_is_as_bad_as_the_file() {
    let scratch = Scratch::new("strict-directory");
    scratch.file(FILE, &public_line(KEY), 0o600);
    fs::set_permissions(scratch.path(".ssh"), fs::Permissions::from_mode(0o777)).unwrap();
    let refused =
        check(&scratch.account("ada"), KEY, &KeyRules::default()).unwrap_err().to_string();
    assert!(refused.contains("bad ownership or modes for directory"), "{refused}");
}
