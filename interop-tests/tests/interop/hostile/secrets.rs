//! What the memory of a program holds of a key exchange that is over: read as a debugger would, by the peer, who knows the secrets.

use super::{dialled, server, to};
use adit_interop_tests::{
    aditd::{self, only_aditd},
    child::Guarded,
    client::is_adit,
    memory::Memory,
    skip::skip,
};
use adit_testkit::script::{Offer, RawScript, Socket, payload};
use adit_wire::Message;
use adit_wire::auth::UserauthRequest;
use adit_wire::transport::{ServiceAccept, ServiceRequest, Unimplemented};

const SERVICE: &str = "ssh-userauth";

/// Exchanges twice what follows the first NEWKEYS, so that both ends are past it.
type Past = fn(&mut RawScript<Socket>);

fn past_at_server(script: &mut RawScript<Socket>) {
    script.sends_payload(&payload(&ServiceRequest { service_name: SERVICE }));
    script.expects(&ServiceAccept { service_name: SERVICE });
}

fn past_at_client(script: &mut RawScript<Socket>) {
    script.expects(&ServiceRequest { service_name: SERVICE });
    // It does not wait for the answer.
    let request = script.hears();
    assert_eq!(request.as_ref().map(|request| request[0]), Some(UserauthRequest::NUMBER));
}

/// Nothing that makes keys is kept, once they are made; nor are keys, once there are others.
fn forgets(process: &Guarded, mut script: RawScript<Socket>, past: Past) {
    past(&mut script);
    let Some(memory) = Memory::of(process) else { return };
    assert!(memory.holds(script.session_id()), "it needs that, so this would have been seen");
    assert_eq!(memory.place_of(script.shared_secret()), None, "the shared secret");
    let old = script.keys();
    script.rekeys();
    // It says NEWKEYS before it has heard ours: an answer shows that it has.
    script.sends_payload(&[250]);
    assert_eq!(script.hears().map(|answer| answer[0]), Some(Unimplemented::NUMBER));
    let Some(memory) = Memory::of(process) else { return };
    for (name, key) in old {
        // Ciphers work on the stack, and what lay there is overwritten by and by.
        let place = memory.place_of(&key).filter(|place| !place.ends_with("[stack]"));
        assert_eq!(place, None, "{name}, which is used no more");
    }
}

#[test]
fn a_key_exchange_that_is_over_leaves_no_secrets() {
    if !is_adit() || !only_aditd() {
        return skip("what others keep is their own matter");
    }
    for kex in ["curve25519-sha256", "mlkem768x25519-sha256"] {
        let offer = Offer { kex, cipher: "aes256-ctr", ..Offer::default() };
        let server = server(
            aditd::setup().line("Ciphers aes256-ctr").line("MACs hmac-sha2-256").line("Loops 1"),
        );
        forgets(&server.process, RawScript::connected(to(&server), offer), past_at_server);
        let client = dialled(|client| client.args(["-c", "aes256-ctr", "-m", "hmac-sha2-256"]));
        forgets(&client.client.process, RawScript::connected(client.socket, offer), past_at_client);
    }
}
