//! Below login: what a peer must not send while keys are exchanged and afterwards.

use super::{dialled, logged_in, plain_server, to};
use adit_interop_tests::aditd::only_aditd;
use adit_testkit::{
    Script,
    script::{Offer, RawScript, UnderTest, payload},
};
use adit_transport::Role;
use adit_wire::{
    channel::ChannelEof,
    transport::{Ignore, ServiceAccept, ServiceRequest},
};

#[test]
fn a_message_slipped_into_a_strict_exchange_ends_it() {
    if !only_aditd() {
        return;
    }
    let words = "IGNORE message (2) not allowed during the first key exchange";
    let server = plain_server();
    let mut script = RawScript::offering(to(&server), Offer::strict(Role::Server));
    script.sends_payload(&payload(&Ignore { data: b"" }));
    script.expects_disconnect(2, words);

    let client = dialled(|client| client);
    let mut script = RawScript::offering(client.socket, Offer::strict(Role::Client));
    script.sends_payload(&payload(&Ignore { data: b"" }));
    script.expects_disconnect(2, words);
    client.client.finish().assert(255, &[words]);
}

#[test]
fn the_same_message_in_an_exchange_that_is_not_strict_is_passed_over() {
    if !only_aditd() {
        return;
    }
    let server = plain_server();
    let mut script = RawScript::offering(to(&server), Offer::default());
    script.sends_payload(&payload(&Ignore { data: b"" }));
    script.exchanges(|_| {});
    script.changes_keys();
    script.sends_payload(&payload(&ServiceRequest { service_name: "ssh-userauth" }));
    script.expects(&ServiceAccept { service_name: "ssh-userauth" });
}

#[test]
fn a_message_for_a_channel_that_is_not_there_ends_a_connection() {
    if !only_aditd() {
        return;
    }
    let words = "message for channel 3, which is not open";
    let server = plain_server();
    let mut script = logged_in(&server);
    script.sends(&ChannelEof { recipient_channel: 3 });
    script.expects_disconnect(2, words);

    let client = dialled(|client| client);
    let mut script = Script::established(client.socket);
    script.sends(&ChannelEof { recipient_channel: 3 });
    script.expects_disconnect(2, words);
    assert!(script.us.has_left());
    client.client.finish().assert(255, &[words]);
}
