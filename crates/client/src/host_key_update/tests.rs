//! What is learned from a server's list of keys, and what is left alone.

use super::*;
use crate::host_key::Strict;
use crate::testing::{Folder, Scripted, key, policy, read};
use adit_crypto::{SignatureAlgorithm, SigningKey};
use adit_keys::public::encode;

const ACCEPTED: &[KeyAlgorithm] = &[SignatureAlgorithm::Ed25519.plain()];

fn alma() -> HostName {
    HostName::new("alma", 22).unwrap()
}

fn line(name: &str, seed: u8) -> String {
    format!("{name} {}\n", encode(&key(seed).public_blob()))
}

/// `string · string · …`
fn strings(parts: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut list = Vec::new();
    for part in parts {
        list.extend_from_slice(&(part.len() as u32).to_be_bytes());
        list.extend_from_slice(&part);
    }
    list
}

fn keys(seeds: &[u8]) -> Vec<u8> {
    strings(seeds.iter().map(|seed| key(*seed).public_blob()))
}

/// The update that `list` calls for, with these lines on file.
fn update(folder: &Folder, lines: &str, list: &[u8]) -> (Policy, Option<Update>) {
    let policy = policy(Strict::Ask, vec![folder.write("known_hosts", lines)]);
    let update = Update::of(list, alma(), &policy, ACCEPTED);
    (policy, update)
}

fn proof(key: &SigningKey, session_id: &[u8]) -> Vec<u8> {
    let message = host_key_proof(session_id, &key.public_blob());
    key.sign(SignatureAlgorithm::Ed25519, &message, &mut SystemRandom::new()).unwrap()
}

#[test]
fn new_keys_are_learned_and_retired_ones_forgotten() {
    let folder = Folder::new();
    let lines = line("alma", 1) + &line("alma", 2) + &line("other", 9);
    let (policy, update) = update(&folder, &lines, &keys(&[1, 3]));
    let update = update.unwrap();
    assert_eq!(update.new, [key(3).public_blob()]);
    update.write(&policy, false, &Scripted::default());
    let expected = line("alma", 1) + &line("other", 9) + &line("alma", 3);
    assert_eq!(read(&policy.user_files[0]), expected);
}

#[test]
fn only_the_server_that_signs_has_the_key() {
    let folder = Folder::new();
    let (_, update) = update(&folder, &line("alma", 1), &keys(&[1, 2, 3]));
    let update = update.unwrap();
    let both = strings([proof(&key(2), b"id"), proof(&key(3), b"id")]);
    assert!(update.is_proved(&both, b"id"));
    assert!(!update.is_proved(&both, b"another session"));
    for wrong in [
        strings([proof(&key(2), b"id")]),
        strings([proof(&key(3), b"id"), proof(&key(2), b"id")]),
        strings([proof(&key(2), b"id"), proof(&key(3), b"id"), vec![]]),
        vec![],
        vec![0, 0, 0, 9],
    ] {
        assert!(!update.is_proved(&wrong, b"id"));
    }
}

#[test]
fn nothing_is_done_where_nothing_changes() {
    let folder = Folder::new();
    assert_eq!(update(&folder, &line("alma", 1), &keys(&[1])).1, None);
    assert_eq!(update(&folder, &line("alma", 1), b"").1, None);
}

#[test]
fn entries_that_serve_more_than_this_host_are_left_alone() {
    let folder = Folder::new();
    for lines in [
        line("alma,192.0.2.1", 1),
        line("al*", 1),
        line("alma", 1) + "@cert-authority " + &line("alma", 8),
        line("alma", 1) + "@revoked " + &line("alma", 8),
        line("alma", 1) + &line("other", 1),
        line("alma", 1) + &line("other", 2),
    ] {
        assert_eq!(update(&folder, &lines, &keys(&[1, 2])).1, None, "{lines}");
    }
    let retired_here_but_not_there = line("alma", 1) + &line("alma", 3) + &line("other", 3);
    assert_eq!(update(&folder, &retired_here_but_not_there, &keys(&[1])).1, None);
}

#[test]
fn a_list_that_makes_no_sense_changes_nothing() {
    let folder = Folder::new();
    for list in [keys(&[1, 2, 2]), [keys(&[1, 2]), vec![0, 0, 1]].concat()] {
        assert_eq!(update(&folder, &line("alma", 1), &list).1, None);
    }
}

#[test]
fn keys_we_would_not_accept_are_neither_learned_nor_forgotten() {
    let folder = Folder::new();
    let unknown = strings([key(1).public_blob(), b"\0\0\0\x03new".to_vec()]);
    assert_eq!(update(&folder, &line("alma", 1), &unknown).1, None);
    let policy =
        policy(Strict::Ask, vec![folder.write("known_hosts", line("alma", 1) + &line("alma", 2))]);
    assert_eq!(Update::of(&keys(&[1, 2, 3]), alma(), &policy, &[]), None);
}

#[test]
fn the_user_is_asked_where_that_is_wanted() {
    let folder = Folder::new();
    for (answers, learned) in [
        (&["yes"][..], true),
        (&["perhaps", "yes"], true),
        (&["no"], false),
        (&["a", "b", "c", "yes"], false),
        (&[], false),
    ] {
        let (policy, update) = update(&folder, &line("alma", 1), &keys(&[1, 2]));
        let prompter = Scripted::new(answers);
        update.unwrap().write(&policy, true, &prompter);
        assert_eq!(prompter.asked()[0], "Accept updated hostkeys? (yes/no): ");
        let written = read(&policy.user_files[0]);
        assert_eq!(written.contains(&line("alma", 2)), learned, "{answers:?}");
    }
}

#[test]
fn all_keys_move_to_the_first_file() {
    let folder = Folder::new();
    let files = vec![folder.path("first"), folder.write("second", line("alma", 1))];
    let policy = policy(Strict::Ask, files);
    let update = Update::of(&keys(&[1, 2]), alma(), &policy, ACCEPTED).unwrap();
    update.write(&policy, false, &Scripted::default());
    assert_eq!(read(&policy.user_files[0]), line("alma", 1) + &line("alma", 2));
    assert_eq!(read(&policy.user_files[1]), "");
}
