//! The adit client.

#[allow(dead_code)] // The rest of the client comes with the loop.
mod args;

fn main() {}
