//! Draws the two halves of a channel from their tables, for docs/layers/connection.md.
//! Touches: the transition tables, the page.   Never: a channel.
//! Invariants: what the page shows is what the code does.
//! Errors: a failed test that prints the diagram to paste.   Allocates: freely.
//! Proved by: this is the proof.

use crate::{recv_half, send_half};
use std::fs;
use std::string::String;
use std::{format, println};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/layers/connection.md");

fn diagram(arrows: impl Iterator<Item = String>) -> String {
    let mut text = String::from("```mermaid\nstateDiagram-v2\n    [*] --> Open\n");
    text.extend(arrows);
    text + "```\n"
}

fn send_half() -> String {
    let arrow = |(from, step, to)| format!("    {from:?} --> {to:?}: we send {step:?}\n");
    diagram(send_half::TRANSITIONS.iter().copied().map(arrow))
}

fn recv_half() -> String {
    let arrow = |(from, step, to)| match to {
        Ok(to) => format!("    {from:?} --> {to:?}: {step:?}\n"),
        Err(violation) => format!("    {from:?} --> {violation:?}: {step:?}\n"),
    };
    diagram(recv_half::TRANSITIONS.iter().copied().map(arrow))
}

#[test]
fn the_page_shows_the_tables() {
    let page = fs::read_to_string(PAGE).expect("docs/layers/connection.md");
    for diagram in [send_half(), recv_half()] {
        if !page.contains(&diagram) {
            println!("{diagram}");
            panic!("docs/layers/connection.md does not show the diagram above");
        }
    }
}
