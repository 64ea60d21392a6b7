//! Everything a run leaves behind, one JSON object per line: what it ran on, commands, rows, what was left out.
//! Touches: the results' file.   Never: a median.
//! Invariants: what is kept in memory is on disk first; a file that was written can be read.
//! Errors: the file's; a line that is nothing of ours names its number.   Allocates: rows.
//! Proved by: `tests` below.

use super::row::Row;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::Write,
    path::Path,
};

/// All of it.
#[derive(Debug, Default)]
pub(crate) struct Results {
    file: Option<File>,
    /// Name and value.
    pub(crate) about: Vec<[String; 2]>,
    pub(crate) rows: Vec<Row>,
    pub(crate) skipped: BTreeSet<String>,
    /// What was tried and did not get to its end.
    pub(crate) failed: BTreeSet<String>,
    /// Each program's command line.
    pub(crate) commands: BTreeMap<String, String>,
}

/// The file's name in the run's folder.
pub(crate) const FILE: &str = "results.jsonl";

impl Results {
    /// Starts an empty file in `folder`.
    pub(crate) fn create(folder: &Path) -> Result<Self, String> {
        let path = folder.join(FILE);
        let created = fs::create_dir_all(folder).and_then(|()| File::create(&path));
        let file = created.map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self { file: Some(file), ..Self::default() })
    }

    /// What earlier runs wrote.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let words = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let text = fs::read_to_string(path).map_err(|error| words(&error))?;
        let mut results = Self::default();
        for (number, line) in text.lines().enumerate() {
            let value = serde_json::from_str(line).ok();
            let taken = value.and_then(|value| results.take(&value));
            taken.ok_or_else(|| words(&format!("line {} is no result", number + 1)))?;
        }
        Ok(results)
    }

    pub(crate) fn tell_about(&mut self, about: Vec<[String; 2]>) {
        self.write(&json!({"about": about}));
        self.about = about;
    }

    pub(crate) fn tell_command(&mut self, who: &str, command: &str) {
        if self.commands.insert(who.into(), command.into()).is_none() {
            self.write(&json!({"who": who, "command": command}));
        }
    }

    /// Whether it is news.
    pub(crate) fn skip(&mut self, line: &str) -> bool {
        let news = self.skipped.insert(line.to_owned());
        if news {
            self.write(&json!({"skipped": line}));
        }
        news
    }

    pub(crate) fn fail(&mut self, line: &str) {
        self.write(&json!({"failed": line}));
        self.failed.insert(line.to_owned());
    }

    pub(crate) fn keep(&mut self, row: Row) {
        self.write(&row.to_json());
        self.rows.push(row);
    }

    fn write(&mut self, value: &Value) {
        let written = self.file.as_mut().map(|file| writeln!(file, "{value}"));
        if let Some(Err(error)) = written {
            println!("{FILE}: {error}");
        }
    }

    /// One line of a file.
    fn take(&mut self, value: &Value) -> Option<()> {
        let text = |value: &Value| value.as_str().map(String::from);
        if let Some(about) = value["about"].as_array() {
            let pair = |pair: &Value| Some([text(&pair[0])?, text(&pair[1])?]);
            self.about = about.iter().map(pair).collect::<Option<_>>()?;
        } else if let Some(skipped) = text(&value["skipped"]) {
            self.skipped.insert(skipped);
        } else if let Some(failed) = text(&value["failed"]) {
            self.failed.insert(failed);
        } else if let Some(command) = text(&value["command"]) {
            self.commands.insert(text(&value["who"])?, command);
        } else {
            self.rows.push(Row::from_json(value)?);
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use adit_interop_tests::scratch::Scratch;

    #[test]
    fn what_was_written_can_be_read() {
        let scratch = Scratch::new();
        let mut written = Results::create(scratch.path()).unwrap();
        written.tell_about(vec![["kernel".into(), "6.1".into()]]);
        written.tell_command("adit", "adit -N");
        assert!(written.skip("russh: not there") && !written.skip("russh: not there"));
        written.fail("ssh: a stream stood still");
        written.keep(Row::new("bulk", "adit → aditd").case("way", "up").figure("x", 1.5));
        let read = Results::read(&scratch.join(FILE)).unwrap();
        assert_eq!((&read.about, &read.rows), (&written.about, &written.rows));
        assert_eq!((&read.skipped, &read.commands), (&written.skipped, &written.commands));
        assert_eq!(read.failed, written.failed);
    }

    #[test]
    fn a_line_that_is_no_result_is_named() {
        let scratch = Scratch::new();
        let path = scratch.write(FILE, "{\"skipped\": \"x\"}\nrubbish\n");
        assert!(Results::read(&path).unwrap_err().ends_with("line 2 is no result"));
    }
}
