//! To be written.

/// What is in force for one connection.
#[derive(Clone, Debug, Default)]
pub struct ServerOptions {}
