//! The sandbox: what a program gives up once it stands. landlock(7), seccomp(2), PR_SET_NO_NEW_PRIVS(2const).
//! Touches: the rights of this process.   Never: anything of SSH, a file's content.
//! Invariants: what a policy does not name is given up; nothing that was given up comes back.
//! Errors: none end a program: what a kernel cannot do is said in the [`Report`].   Allocates: once.
//! Proved by: `tests/refusals.rs`, in processes of their own; interop `sandbox.rs` in running programs.
//!
//! ```no_run
//! use adit_sandbox::{Policy, Ports, enter};
//! let report = enter(&Policy {
//!     read: vec!["/etc/aditd".into()],
//!     connect: Ports::Any,
//!     names: true,
//!     ..Policy::default()
//! });
//! println!("{report}");
//! ```
#![forbid(unsafe_code)]

#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")
))]
mod calls;
#[cfg(not(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")
)))]
#[path = "no_calls.rs"]
mod calls;
#[cfg(target_os = "linux")]
mod files;
#[cfg(not(target_os = "linux"))]
#[path = "no_files.rs"]
mod files;
mod image;
mod names;

pub use image::{allow_images, forbid_images, limit_before};

use std::fmt;
use std::path::PathBuf;

/// What a program still needs; all else is given up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Files, and folders with all below them, that are read.
    pub read: Vec<PathBuf>,
    /// Those that are also written, and in which files are made, renamed and removed.
    pub write: Vec<PathBuf>,
    /// Folders in which unix sockets are made and removed. The kernel's right to remove is for any file but a folder.
    pub sockets: Vec<PathBuf>,
    /// TCP ports that will be listened on.
    pub bind: Ports,
    /// TCP ports that will be connected to.
    pub connect: Ports,
    /// Names of hosts are looked up: files and libraries of the C library's resolver are read.
    pub names: bool,
    /// Programs are started. They inherit what was given up, so only the kernel's back doors are closed then.
    pub programs: bool,
    /// Processes that were started before are signalled, as the system's own rules allow.
    pub signals: bool,
}

/// TCP ports; none by default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ports {
    /// Every port.
    Any,
    /// These.
    Only(Vec<u16>),
}

impl Default for Ports {
    fn default() -> Self {
        Self::Only(Vec::new())
    }
}

/// How much of a restriction is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Force {
    /// All of it.
    Full,
    /// What this kernel knows of it.
    Partial,
    /// Nothing, and why.
    None(String),
}

impl fmt::Display for Force {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("in force"),
            Self::Partial => f.write_str("in force as far as this kernel goes"),
            Self::None(why) => write!(f, "not in force ({why})"),
        }
    }
}

/// What came of a [`Policy`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Landlock: files and ports.
    pub files: Force,
    /// seccomp: system calls.
    pub calls: Force,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "files and ports {}, system calls {}", self.files, self.calls)
    }
}

/// Gives up what the policy does not name, for good; no program that is started can gain privileges from now on.
///
/// A second call narrows what is left. Files and ports are closed to this thread and to those it starts, system calls to
/// all threads: call it before there are others.
pub fn enter(policy: &Policy) -> Report {
    // Landlock first: a filter might not let it be made.
    Report { files: files::restrict(policy), calls: calls::restrict(policy) }
}
