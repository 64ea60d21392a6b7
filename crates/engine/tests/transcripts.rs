//! Connections to OpenSSH's server, recorded by `cargo xtask record`: today's client says the same, byte for byte.

use adit_testkit::transcript::{RECIPES, replay};
use adit_testkit::{FixedRng, Pieces, Recipe, Transcript};
use std::path::Path;

fn recorded() -> Vec<(Recipe, Transcript)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let read = |recipe: &Recipe| {
        let text = std::fs::read_to_string(folder.join(recipe.name).with_extension("txt"));
        let text = text.unwrap_or_else(|error| panic!("{}: {error}", recipe.name));
        (*recipe, Transcript::from_text(&text).expect("a transcript"))
    };
    RECIPES.iter().map(read).collect()
}

#[test]
fn the_client_says_today_what_it_said_to_openssh() {
    for (recipe, transcript) in recorded() {
        replay(&recipe, &transcript, Pieces::Whole);
    }
}

#[test]
fn however_the_servers_bytes_are_split() {
    for (recipe, transcript) in recorded() {
        replay(&recipe, &transcript, Pieces::Of(1));
        replay(&recipe, &transcript, Pieces::UpTo(500, FixedRng::new(5)));
    }
}

#[test]
fn the_server_was_openssh() {
    for (recipe, transcript) in recorded() {
        assert!(transcript.down.starts_with(b"SSH-2.0-OpenSSH_"), "{}", recipe.name);
        let mut end = recipe.client(&transcript.user, transcript.echo_port);
        assert!(!end.engine.peer_is_openssh(), "nothing has come yet");
        end.receive(&transcript.down);
        assert!(end.engine.peer_is_openssh(), "{}", recipe.name);
    }
}
