//! The launcher by itself: what it does between being started and being the shell.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output, Stdio};

const PROGRAM: &str = env!("CARGO_BIN_EXE_aditd");

/// Has the launcher run `command` with these further orders and environment.
fn launch(command: &str, orders: &[&str], environment: &[(&str, &str)]) -> Output {
    let home = format!("home={}", std::env::temp_dir().display());
    let mut launcher = Command::new(PROGRAM);
    launcher.args(["--launch", "shell=/bin/sh", &home]).args(orders);
    launcher.arg(format!("command={command}"));
    launcher.env_clear().envs(environment.iter().copied()).stdin(Stdio::null());
    launcher.output().unwrap()
}

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn is_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        eprintln!("skipped: only root can become somebody");
    }
    root
}

#[test]
fn the_command_leads_a_session_of_its_own() {
    let output =
        launch("echo $$; cut -d' ' -f5,6 /proc/$$/stat", &[], &[("1PATH", "/usr/bin:/bin")]);
    let said = said(&output);
    let (pid, rest) = said.split_once('\n').unwrap();
    assert_eq!(rest.trim_end(), format!("{pid} {pid}"));
}

#[test]
fn only_marked_variables_reach_the_command_and_the_later_mark_wins() {
    let environment = [("1A", "one"), ("1B", "x"), ("2B", "two"), ("C", "no"), ("3D", "no")];
    let said = said(&launch("echo $A $B $C $D", &[], &environment));
    assert_eq!(said, "one two\n");
}

#[test]
fn a_variable_of_the_loaders_does_not_work_before_the_shell() {
    let output = launch("true", &[], &[("1LD_PRELOAD", "/no/such/library")]);
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    // The shell's loader complains, once; the launcher's has not been told.
    assert!(words.contains("/no/such/library"), "{words}");
    assert!(!words.contains("aditd"), "{words}");
}

#[test]
fn nothing_above_stderr_is_inherited() {
    let file = std::fs::File::open("/dev/null").unwrap();
    rustix::io::fcntl_setfd(&file, rustix::io::FdFlags::empty()).unwrap();
    let said = said(&launch("ls /proc/$$/fd", &[], &[("1PATH", "/usr/bin:/bin")]));
    drop(file);
    assert_eq!(said, "0\n1\n2\n");
}

#[test]
fn ignored_signals_have_their_defaults_back() {
    // `nohup` ignores SIGHUP, as whatever starts a server may.
    let mut nohup = Command::new("nohup");
    nohup.args([PROGRAM, "--launch", "shell=/bin/sh", "home=/", "command=kill -HUP $$; echo no"]);
    let output = nohup.stdin(Stdio::null()).output().unwrap();
    let signal = std::os::unix::process::ExitStatusExt::signal(&output.status);
    assert_eq!(signal, Some(1), "{output:?}");
}

#[test]
fn a_login_shell_knows_that_it_is_one() {
    let mut launcher = Command::new(PROGRAM);
    launcher.args(["--launch", "shell=/bin/cat", "home=/"]);
    let output = launcher.stdin(Stdio::null()).stdout(Stdio::piped()).output().unwrap();
    assert!(output.status.success());
    let directory = std::env::temp_dir().join(format!("adit-shell-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let shell = directory.join("showing");
    std::fs::write(
        &shell,
        "#!/bin/sh\ntr '\\0' ' ' < /proc/$PPID/cmdline > /dev/null\necho \"$#\"\n",
    )
    .unwrap();
    std::fs::set_permissions(&shell, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut launcher = Command::new(PROGRAM);
    launcher.arg("--launch").arg(format!("shell={}", shell.display())).arg("home=/");
    let output = launcher.stdin(Stdio::null()).output().unwrap();
    std::fs::remove_dir_all(&directory).unwrap();
    assert_eq!(said(&output), "0\n");
}

#[test]
fn the_limit_of_open_files_is_what_the_orders_say() {
    let limit = |files: &str| said(&launch("ulimit -Sn", &[files], &[]));
    assert_eq!(limit("files=77"), "77\n");
    assert_eq!(limit("files=78"), "78\n");
}

#[test]
fn a_home_that_is_not_there_is_told_and_the_root_directory_takes_its_place() {
    let output = launch("pwd", &["home=/no/such/home"], &[("1PATH", "/bin")]);
    assert_eq!(said(&output), "/\n");
    assert!(String::from_utf8_lossy(&output.stderr).contains("/no/such/home"));
}

#[test]
fn a_shell_that_cannot_be_executed_is_named_and_ends_with_1() {
    let output = launch("true", &["shell=/no/such/shell"], &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("/no/such/shell: "));
}

#[test]
fn orders_that_make_no_sense_end_with_255() {
    let output = launch("true", &["uid=root"], &[]);
    assert_eq!(output.status.code(), Some(255));
    assert!(String::from_utf8_lossy(&output.stderr).contains("uid=root"));
}

#[test]
fn root_becomes_the_user_with_their_groups_and_cannot_come_back() {
    if !is_root() {
        return;
    }
    let orders = ["uid=65534", "gid=65533", "group=65533", "group=65532"];
    let command = "grep -E '^(Uid|Gid|Groups|CapEff):' /proc/self/status; umask";
    let said = said(&launch(command, &orders, &[("1PATH", "/usr/bin:/bin")]));
    let lines: Vec<String> =
        said.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    let expected = [
        "Uid: 65534 65534 65534 65534",
        "Gid: 65533 65533 65533 65533",
        "Groups: 65532 65533",
        "CapEff: 0000000000000000",
        "0022",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn who_is_not_root_cannot_become_another() {
    let command = format!("{PROGRAM} --launch shell=/bin/sh home=/ uid=1 gid=1 command=id");
    let orders: &[&str] = if is_root() { &["uid=65534", "gid=65534"] } else { &[] };
    let output = launch(&command, orders, &[]);
    assert_eq!(output.status.code(), Some(255), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot become the user"));
}

#[test]
fn a_chroot_that_is_roots_alone_is_entered_before_the_rights_are_given_up() {
    if !is_root() {
        return;
    }
    let output = launch(
        "id -u; pwd",
        &["chroot=/", "home=/usr", "uid=65534", "gid=65534"],
        &[("1PATH", "/usr/bin:/bin")],
    );
    assert_eq!(said(&output), "65534\n/usr\n");
}

#[test]
fn a_chroot_that_others_can_rearrange_is_refused_with_the_reason() {
    let output = launch("true", &["chroot=/tmp"], &[]);
    assert_eq!(output.status.code(), Some(255));
    assert!(String::from_utf8_lossy(&output.stderr).contains("/tmp can be written to"));
}

#[test]
fn an_argument_for_people_is_not_one_for_the_launcher() {
    let output = Command::new(PROGRAM).args([OsStr::new("--launch")]).output().unwrap();
    assert_eq!(output.status.code(), Some(255));
}
