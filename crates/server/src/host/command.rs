//! AuthorizedKeysCommand and AuthorizedPrincipalsCommand: lines from a program instead of a file. sshd_config(5).
//! Touches: one child process and its output, waited for.   Never: a shell; the user's own programs.
//! Invariants: nobody but root, and whoever runs the server, can have written the program; a program that fails has said nothing.
//! Errors: a text that names the keyword.   Allocates: the output, bounded.
//! Proved by: `tests` below.

use super::tokens;
use adit_keys::strict_modes;
use nix::unistd::User;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::geteuid;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// More than anybody has keys.
const MAX_OUTPUT: usize = 16 << 20;

/// A program that takes longer says nothing: the client waits, and so does everybody who needs a helper.
const PATIENCE: Duration = Duration::from_secs(30);

/// A program, whom it runs as, and what its tokens mean.
pub(super) struct KeyCommand<'a> {
    /// For messages.
    pub(super) keyword: &'static str,
    /// Program and arguments, as written.
    pub(super) line: &'a str,
    /// The `…User` keyword that belongs to it.
    pub(super) run_as: Option<&'a str>,
    /// The account's name, which is the argument where none is written.
    pub(super) user: &'a str,
    pub(super) tokens: &'a dyn Fn(char) -> Option<String>,
}

impl KeyCommand<'_> {
    /// Runs it to its end.
    ///
    /// # Errors
    /// Why there is no output to believe.
    pub(super) fn output(&self) -> Result<Vec<u8>, String> {
        self.run(PATIENCE).map_err(|reason| format!("{}: {reason}", self.keyword))
    }

    fn run(&self, patience: Duration) -> Result<Vec<u8>, String> {
        let words = split(self.line)?;
        let (program, written) = words.split_first().ok_or("no program")?;
        let path = Path::new(program);
        if !path.is_absolute() {
            return Err("path is not absolute".to_owned());
        }
        strict_modes::check_path(path, geteuid().as_raw())
            .map_err(|error| format!("Unsafe program {program}: {}", error.reason()))?;
        let mut arguments = Vec::new();
        for word in written {
            arguments.push(tokens::expand(word, self.tokens)?);
        }
        if arguments.is_empty() {
            arguments.push(self.user.to_owned());
        }
        let mut command = self.as_its_user(Command::new(path))?;
        let child = command.args(arguments).spawn().map_err(|error| error.to_string())?;
        collect(child, Instant::now() + patience)
    }

    /// The program with the rights and the surroundings of its user.
    fn as_its_user(&self, mut command: Command) -> Result<Command, String> {
        let pattern = self.run_as.ok_or_else(|| format!("no {}User specified", self.keyword))?;
        let name = tokens::expand(pattern, &|token| (token == 'u').then(|| self.user.to_owned()))?;
        let user = User::from_name(&name).map_err(|error| error.to_string())?;
        let user = user.ok_or_else(|| format!("{}User \"{name}\" not found", self.keyword))?;
        if geteuid().is_root() {
            // Groups of ours are dropped with it.
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        } else if user.uid.as_raw() != geteuid().as_raw() {
            return Err(format!("only root can run it as {name}"));
        }
        command.env_clear().env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin");
        command.env("USER", &name).env("LOGNAME", &name).env("HOME", user.dir).current_dir("/");
        if let Some(language) = std::env::var_os("LANG") {
            command.env("LANG", language);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        Ok(command)
    }
}

/// Reads what the child says; a child that goes on for too long is killed, so that `wait` returns.
fn collect(mut child: Child, deadline: Instant) -> Result<Vec<u8>, String> {
    let output = read_until(&mut child, deadline);
    if output.is_err() {
        let _ = child.kill();
    }
    let status = child.wait().map_err(|error| error.to_string())?;
    match output {
        Ok(output) if status.success() => Ok(output),
        Ok(_) => Err(format!("failed, {status}")),
        Err(error) => Err(error.to_string()),
    }
}

fn read_until(child: &mut Child, deadline: Instant) -> io::Result<Vec<u8>> {
    let mut pipe = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
    let (mut output, mut buffer) = (Vec::new(), [0; 8192]);
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).map_err(io::Error::other)?;
        let mut sources = [PollFd::new(&pipe, PollFlags::IN)];
        match poll(&mut sources, Some(&left)) {
            Ok(0) => return Err(io::Error::other("took too long")),
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        }
        match pipe.read(&mut buffer)? {
            0 => return Ok(output),
            read if output.len() + read > MAX_OUTPUT => {
                return Err(io::Error::other("said too much"));
            }
            read => output.extend_from_slice(&buffer[..read]),
        }
    }
}

/// Words between white space; quotes of both kinds hold them together, and a backslash keeps what is special.
fn split(line: &str) -> Result<Vec<String>, String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            ' ' | '\t' if quote.is_none() => words.extend(word.take()),
            '"' | '\'' if quote.is_none() => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            _ if quote == Some(letter) => quote = None,
            '\\' => {
                let special = letters.next_if(|next| matches!(next, '"' | '\'' | '\\'));
                word.get_or_insert_default().push(special.unwrap_or('\\'));
            }
            _ => word.get_or_insert_default().push(letter),
        }
    }
    if quote.is_some() {
        return Err("contains invalid quotes".to_owned());
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own_name() -> String {
        User::from_uid(nix::unistd::geteuid()).unwrap().unwrap().name
    }

    fn run(line: &str, run_as: Option<&str>, patience: Duration) -> Result<String, String> {
        let command = KeyCommand {
            keyword: "AuthorizedKeysCommand",
            line,
            run_as,
            user: "ada",
            tokens: &|token| (token == 't').then(|| "ssh; ed25519".to_owned()),
        };
        command.run(patience).map(|output| String::from_utf8(output).unwrap())
    }

    #[test]
    fn words_are_split_as_sshd_splits_them() {
        for (line, expected) in [
            ("", &[][..]),
            ("  a\t b ", &["a", "b"]),
            (r#"a "b c" 'd "e' """#, &["a", "b c", "d \"e", ""]),
            (r#"a\"b \\ \x a"b"c"#, &["a\"b", "\\", "\\x", "abc"]),
        ] {
            assert_eq!(split(line).unwrap(), expected, "{line}");
        }
        assert!(split("a \"b").is_err() && split("a 'b").is_err());
    }

    #[test]
    fn a_program_gets_its_arguments_and_no_shell() {
        let me = own_name();
        let run = |line: &str| run(line, Some(&me), PATIENCE);
        assert_eq!(run("/bin/echo %t '%%' \"a b\""), Ok("ssh; ed25519 % a b\n".to_owned()));
        assert_eq!(run("/bin/echo"), Ok("ada\n".to_owned()));
        let surroundings = run("/usr/bin/env -u nothing").unwrap();
        assert!(surroundings.contains(&format!("LOGNAME={me}\n")), "{surroundings}");
        assert!(!surroundings.contains("CARGO"), "{surroundings}");
    }

    #[test]
    fn a_program_that_fails_or_is_not_trusted_says_nothing() {
        let me = own_name();
        let (mine, nobody) = (Some(me.as_str()), Some("no-such-user-here"));
        for (line, run_as, reason) in [
            ("/bin/sh -c 'echo x; exit 3'", mine, "failed, exit status: 3"),
            ("echo", mine, "path is not absolute"),
            ("", mine, "no program"),
            ("/bin/echo 'a", mine, "contains invalid quotes"),
            ("/bin/echo %x", mine, "%x: %x is not known here"),
            ("/nonexistent/program", mine, "Unsafe program /nonexistent/program"),
            ("/bin/echo", None, "no AuthorizedKeysCommandUser specified"),
            ("/bin/echo", nobody, "AuthorizedKeysCommandUser \"no-such-user-here\" not found"),
        ] {
            let error = run(line, run_as, PATIENCE).unwrap_err();
            assert!(error.starts_with(reason), "{line}: {error}");
        }
    }

    #[test]
    fn a_program_that_does_not_end_is_ended() {
        let error = run("/bin/sleep 1000", Some(&own_name()), Duration::ZERO).unwrap_err();
        assert_eq!(error, "took too long");
    }

    #[test]
    fn a_program_that_says_too_much_is_ended() {
        let said = |bytes: usize| {
            run(&format!("/usr/bin/head -c {bytes} /dev/zero"), Some(&own_name()), PATIENCE)
        };
        assert_eq!(said(MAX_OUTPUT).map(|output| output.len()), Ok(MAX_OUTPUT));
        assert_eq!(said(MAX_OUTPUT + 1), Err("said too much".to_owned()));
    }

    #[test]
    fn a_program_runs_as_its_user() {
        if !geteuid().is_root() {
            eprintln!("SKIPPED: only root can run a program as another user");
            return;
        }
        let nobody = User::from_name("nobody").unwrap().unwrap();
        let output = run("/usr/bin/id -u", Some("nobody"), PATIENCE).unwrap();
        let groups = run("/usr/bin/id -G", Some("nobody"), PATIENCE).unwrap();
        assert_eq!(output.trim(), nobody.uid.to_string());
        assert_eq!(groups.trim(), nobody.gid.to_string());
    }
}
