//! The file that holds the number of the server's process. sshd_config(5), PidFile.
//! Touches: that file, and one beside it while it is written.   Never: files it did not write.
//! Invariants: whoever reads the file reads a whole number; at the end it is removed if it still is this process's.
//! Errors: those of the file system, with the path.   Allocates: a path.
//! Proved by: `tests` below.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// The file of a running server; gone when this is dropped.
#[derive(Debug)]
pub(crate) struct PidFile {
    path: PathBuf,
    content: String,
}

impl PidFile {
    /// Writes the number of this process; what was there is replaced at once.
    ///
    /// # Errors
    /// Those of the file system.
    pub(crate) fn write(path: &Path) -> io::Result<Self> {
        let process = std::process::id();
        let mut beside = path.as_os_str().to_owned();
        beside.push(format!(".{process}"));
        let beside = PathBuf::from(beside);
        let content = format!("{process}\n");
        fill(&beside, &content).and_then(|()| fs::rename(&beside, path)).map_err(|error| {
            let _ = fs::remove_file(&beside);
            io::Error::new(
                error.kind(),
                format!("Couldn't create pid file \"{}\": {error}", path.display()),
            )
        })?;
        Ok(Self { path: path.to_owned(), content })
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Another server may have taken the place.
        if fs::read_to_string(&self.path).is_ok_and(|found| found == self.content) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn fill(path: &Path, content: &str) -> io::Result<()> {
    // A file that is there is somebody's, or left by a process of the same number that died on the way.
    let _ = fs::remove_file(path);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o644).open(path)?;
    file.write_all(content.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let path =
                std::env::temp_dir().join(format!("aditd-pid-{}-{name}", std::process::id()));
            fs::create_dir(&path).unwrap();
            Self(path)
        }

        fn names(&self) -> Vec<String> {
            let entries = fs::read_dir(&self.0).unwrap();
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn the_file_is_there_while_the_server_is() {
        let scratch = Scratch::new("life");
        let path = scratch.0.join("aditd.pid");
        fs::write(&path, "1\n").unwrap();
        let file = PidFile::write(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", std::process::id()));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
        assert_eq!(scratch.names(), ["aditd.pid"]);
        drop(file);
        assert!(scratch.names().is_empty());
    }

    #[test]
    fn a_file_that_became_anothers_stays() {
        let scratch = Scratch::new("another");
        let path = scratch.0.join("aditd.pid");
        let file = PidFile::write(&path).unwrap();
        fs::write(&path, "1\n").unwrap();
        drop(file);
        assert_eq!(fs::read_to_string(&path).unwrap(), "1\n");
    }

    #[test]
    fn a_file_that_cannot_be_written_is_named() {
        let scratch = Scratch::new("none");
        let error = PidFile::write(&scratch.0.join("none/aditd.pid")).unwrap_err();
        assert!(error.to_string().contains("none/aditd.pid\": "), "{error}");
        fs::create_dir(scratch.0.join("taken")).unwrap();
        assert!(PidFile::write(&scratch.0.join("taken")).is_err());
        assert_eq!(scratch.names(), ["taken"]);
    }
}
