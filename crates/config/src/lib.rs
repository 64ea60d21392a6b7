//! The keywords of ssh_config and sshd_config, their values and what is in force. ssh_config(5), sshd_config(5).
//! Touches: strings; files of a server's configuration, through [`server::Files`].   Never: sockets, the terminal; the
//! environment only through [`tokens::Surroundings`].
//! Invariants: one table each says what every keyword means here; nothing is read and then ignored without a word.
//! Errors: [`ConfigError`], in the words of ssh and sshd.   Allocates: the values.
//! Proved by: `tests` in each module, fuzz `config_line`, `sshd_config`.
//!
//! ```
//! use adit_config::{AlgorithmSet, Algorithms, Partial, Source};
//!
//! static SET: AlgorithmSet = AlgorithmSet { supported: &["one", "two"], default: &["one"] };
//! static ALGORITHMS: Algorithms =
//!     Algorithms { ciphers: SET, macs: SET, kex: SET, signatures: SET, ca_signatures: SET };
//!
//! let mut partial = Partial::new(&ALGORITHMS);
//! partial.line("Port=2222", &Source::CommandLine)?;
//! partial.line("Ciphers +two", &Source::CommandLine)?;
//! partial.line("Port 22", &Source::CommandLine)?; // The first value wins.
//! let options = partial.with_defaults()?;
//! assert_eq!((options.port, options.ciphers), (2222, vec!["one", "two"]));
//! # Ok::<(), adit_config::ConfigError>(())
//! ```
#![forbid(unsafe_code)]

pub mod algorithms;
mod client;
pub mod destination;
mod error;
pub mod keywords;
mod line;
mod row;
pub mod server;
mod table;
pub mod tokens;
pub mod types;
mod value;
mod words;

pub use algorithms::{AlgorithmSet, Algorithms, by_name};
pub use client::Partial;
pub use destination::Destination;
pub use error::{ConfigError, Note, Source};
pub use keywords::{KEYWORDS, Keyword, Options};
pub use row::{Row, Scope, Status};
pub use tokens::{Surroundings, Tokens};
