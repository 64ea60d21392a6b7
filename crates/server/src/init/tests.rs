//! `aditd --init` in folders of the test's own: what it leaves there, and what it refuses.

use super::*;
use adit_config::server::{MatchContext, ServerConfig};
use adit_config::types::Role;
use adit_config::{AlgorithmSet, Algorithms};
use std::os::unix::fs::PermissionsExt;

const SET: AlgorithmSet = AlgorithmSet { supported: &["one"], default: &["one"] };
static ALGORITHMS: Algorithms =
    Algorithms { ciphers: SET, macs: SET, kex: SET, signatures: SET, ca_signatures: SET };

/// A folder that goes away with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("aditd-init-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).unwrap();
        Self(folder)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn key(path: &Path) -> io::Result<()> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    fs::write(public(path), "ssh-ed25519 AAAAkey made@here\n")
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

#[test]
fn the_folder_holds_a_configuration_that_loads_and_names_its_files() {
    let scratch = Scratch::new("loads");
    let folder = scratch.0.join("a \"quoted\" \\ 100% folder");
    prepare(&folder, Some(2200), &key).unwrap();
    let config = ServerConfig::load(Some(&folder.join("aditd.conf")), &[], &ALGORITHMS).unwrap();
    assert_eq!(config.notes(), []);
    let options = config.options(&MatchContext::default());
    assert_eq!((options.role, options.ports.as_slice()), (Role::Gateway, &[2200][..]));
    let name = folder.to_str().unwrap();
    assert_eq!(options.host_keys, [format!("{name}/host_ed25519")]);
    let keys = format!("{}/keys/%u", name.replace('%', "%%"));
    assert_eq!(options.authorized_keys_files, [keys]);
    assert!(options.permit_listen.allows("localhost", 8080));
    assert!(!options.permit_listen.allows("localhost", 22));
    assert!(!options.permit_open.allows("db.internal", 5432));
}

#[test]
fn the_first_user_has_the_public_half_and_private_halves_are_private() {
    let scratch = Scratch::new("user");
    let folder = scratch.0.join("gateway");
    prepare(&folder, None, &key).unwrap();
    let user = fs::read_to_string(folder.join("keys/tunnel")).unwrap();
    assert_eq!(user.lines().last(), Some("ssh-ed25519 AAAAkey tunnel"));
    for (name, expected) in [
        ("", 0o700),
        ("host_ed25519", 0o600),
        ("tunnel_ed25519", 0o600),
        ("keys", 0o755),
        ("keys/tunnel", 0o644),
    ] {
        assert_eq!(mode(&folder.join(name)) & !0o022, expected & !0o022, "{name}");
        assert_eq!(mode(&folder.join(name)) & 0o022, 0, "{name} can be written by others");
    }
}

#[test]
fn the_report_can_be_pasted_into_a_shell() {
    let scratch = Scratch::new("report");
    let folder = scratch.0.join("it's");
    let report = prepare(&folder, None, &key).unwrap();
    let quoted = folder.to_str().unwrap().replace('\'', r"'\''");
    assert!(report.contains(&format!("aditd -f '{quoted}/aditd.conf' -D -e")), "{report}");
    assert!(report.contains(&format!(
        "ssh -p 2222 -i '{quoted}/tunnel_ed25519' -N -R 8080:localhost:80 tunnel@localhost"
    )));
}

#[test]
fn a_folder_that_others_can_write_to_is_usable_and_the_price_is_said() {
    let scratch = Scratch::new("loose");
    fs::set_permissions(&scratch.0, fs::Permissions::from_mode(0o777)).unwrap();
    let folder = scratch.0.join("gateway");
    let report = prepare(&folder, None, &key).unwrap();
    assert!(
        report.contains(&format!(
            "Others can write to {}, so StrictModes is off",
            scratch.0.display()
        )),
        "{report}"
    );
    let config = ServerConfig::load(Some(&folder.join("aditd.conf")), &[], &ALGORITHMS).unwrap();
    assert!(!config.global_options().strict_modes);
    assert_eq!(loose(Path::new("/")), None);
}

#[test]
fn nothing_that_is_there_is_touched() {
    for name in ["aditd.conf", "host_ed25519", "host_ed25519.pub", "keys", "tunnel_ed25519.pub"] {
        let scratch = Scratch::new("there");
        fs::write(scratch.0.join(name), "mine").unwrap();
        let error = prepare(&scratch.0, None, &key).unwrap_err().to_string();
        assert!(
            error.ends_with(&format!("/{name}: is already there; nothing was changed")),
            "{error}"
        );
        assert_eq!(fs::read_dir(&scratch.0).unwrap().count(), 1);
        assert_eq!(fs::read_to_string(scratch.0.join(name)).unwrap(), "mine");
    }
}

#[test]
fn what_could_not_be_finished_is_taken_away_again() {
    let scratch = Scratch::new("unfinished");
    let folder = scratch.0.join("gateway");
    let fails_late = |path: &Path| match path.ends_with("tunnel_ed25519") {
        true => Err(io::Error::other("no more keys")),
        false => key(path),
    };
    let error = prepare(&folder, None, &fails_late).unwrap_err().to_string();
    assert!(error.ends_with("/tunnel_ed25519: no more keys"), "{error}");
    assert!(!folder.exists());
}

#[test]
fn a_folder_whose_parent_is_missing_is_an_error() {
    let scratch = Scratch::new("parent");
    let error = prepare(&scratch.0.join("a/b"), None, &key).unwrap_err().to_string();
    assert!(error.ends_with("/a/b: No such file or directory"), "{error}");
}

#[test]
fn a_name_that_cannot_stand_in_a_line_is_refused() {
    let error = prepare(Path::new("/tmp/a\nb"), None, &key).unwrap_err();
    assert!(matches!(error, InitError::Name(_)));
}
