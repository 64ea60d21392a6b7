//! `cargo xtask record`: connections to this machine's OpenSSH server, written down for the engine's tests.
//! Touches: an sshd with throw-away keys, loopback sockets, `crates/engine/tests/transcripts`.   Never: real keys or servers.
//! Invariants: the client's key and randomness are the testkit's, known to everybody.
//! Errors: what the stream or the file said.   Allocates: freely.
//! Proved by: `crates/engine/tests/transcripts.rs`, which replays the files.

use crate::{
    Outcome,
    cargo::root,
    tools::{self, Need},
};
use adit_interop_tests::{
    ports::connect,
    sshd::{Setup, Sshd},
};
use adit_testkit::{
    Recipe,
    keys::key,
    transcript::{RECIPES, record},
};
use std::{
    fs,
    net::{Ipv4Addr, Shutdown, TcpListener, TcpStream},
    thread,
};

/// What may stand behind the verb.
pub(crate) const ARGUMENTS: &str = "[RECIPE]";

/// Records all recipes, or one.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let missing = tools::ensure(&[Need::Interop]);
    if !missing.is_empty() {
        return Err(format!("not installed: {}", tools::packages(&missing)));
    }
    let wanted = |recipe: &&Recipe| arguments.iter().all(|name| name == recipe.name);
    let recipes: Vec<_> = RECIPES.iter().filter(wanted).collect();
    if recipes.is_empty() {
        return Err("no such recipe".into());
    }
    let echo_port = echo().map_err(|error| format!("echo: {error}"))?;
    recipes.into_iter().try_for_each(|recipe| write_down(recipe, echo_port))
}

fn write_down(recipe: &Recipe, echo_port: u16) -> Outcome {
    let sshd = server(recipe).map_err(|error| format!("{}: {error}", recipe.name))?;
    let stream = connect(sshd.endpoint.port);
    let transcript = record(recipe, stream, &sshd.endpoint.user, u32::from(echo_port))
        .map_err(|error| format!("{}: {error}", recipe.name))?;
    let folder = root().join("crates/engine/tests/transcripts");
    let file = folder.join(recipe.name).with_extension("txt");
    fs::create_dir_all(&folder)
        .and_then(|()| fs::write(&file, transcript.to_text()))
        .map_err(|error| format!("{}: {error}", file.display()))?;
    let (up, down) = (transcript.up.len(), transcript.down.len());
    println!("{}: {up} bytes up, {down} bytes down", recipe.name);
    Ok(())
}

/// A server that takes the recipe's algorithms and the testkit's key.
fn server(recipe: &Recipe) -> std::io::Result<Sshd> {
    let sshd = Setup::default()
        .line(format!("KexAlgorithms {}", recipe.kex.name()))
        .line(format!("Ciphers {}", recipe.cipher.name()))
        .line(format!("MACs {}", recipe.mac.name()))
        .start();
    let line = format!("ssh-ed25519 {}\n", base64(&key(1).public_blob()));
    fs::write(sshd.scratch.join("authorized_keys"), line)?;
    Ok(sshd)
}

/// The port of a service that sends back what it is sent, for as long as this runs.
fn echo() -> std::io::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    thread::spawn(move || listener.incoming().flatten().for_each(|stream| drop(send_back(stream))));
    Ok(port)
}

fn send_back(stream: TcpStream) -> std::io::Result<()> {
    std::io::copy(&mut &stream, &mut &stream)?;
    stream.shutdown(Shutdown::Write)
}

/// RFC 4648 §4, for one line of authorized_keys.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let three =
            [group.first(), group.get(1), group.get(2)].map(|byte| byte.map_or(0, |byte| *byte));
        let number = u32::from_be_bytes([0, three[0], three[1], three[2]]);
        for at in 0..4 {
            let digit = DIGITS[(number >> (18 - 6 * at)) as usize & 63] as char;
            text.push(if at <= group.len() { digit } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_follows_the_rfc() {
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v")] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }
}
