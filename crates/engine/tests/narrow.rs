//! A peer that takes next to nothing at a time: it waits for nobody's sake, and every byte arrives once.

use adit_engine::{Channel, Open};
use adit_testkit::{Script, script};
use adit_wire::channel::{ChannelData, ChannelOpen, ChannelOpenConfirmation, ChannelWindowAdjust};
use adit_wire::{Message, Rest};

const THEIRS: u32 = 5;

/// A channel of the client's that the peer takes with this window and this largest packet.
fn channel(window: u32, packet: u32) -> (Script, Channel) {
    let mut script = Script::established(script::client());
    let channel = script.us.open(&Open::direct_tcpip("db", 5432, "127.0.0.1", 40_000));
    script.us.settle();
    script.expects_number(ChannelOpen::NUMBER);
    script.sends(&ChannelOpenConfirmation {
        recipient_channel: channel.number().0,
        sender_channel: THEIRS,
        initial_window_size: window,
        maximum_packet_size: packet,
        data: Rest(b""),
    });
    (script, channel)
}

fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 31 + at / 251) as u8).collect()
}

#[test]
fn a_window_of_nothing_is_waited_out_and_then_taken_byte_by_byte() {
    let (mut script, channel) = channel(0, 1000);
    let sent = bytes(300);
    script.us.send(channel, &sent);
    script.us.settle();
    script.expects_nothing();
    // Nothing wakes it meanwhile: time costs no turn.
    for now in [1_000, 30_000, 60_000] {
        assert!(script.us.engine.next_deadline().is_none_or(|due| due > now));
        script.us.tick(now);
        script.expects_nothing();
    }
    for byte in sent.chunks(1) {
        script
            .sends(&ChannelWindowAdjust { recipient_channel: channel.number().0, bytes_to_add: 1 });
        script.expects(&ChannelData { recipient_channel: THEIRS, data: byte });
        script.expects_nothing();
    }
}

#[test]
fn packets_of_any_size_carry_the_same_bytes() {
    for packet in 1..=64 {
        let (mut script, channel) = channel(1000, packet);
        let sent = bytes(1000);
        script.us.send(channel, &sent);
        script.us.settle();
        let mut received: Vec<u8> = Vec::new();
        while let Some(heard) = script.hears() {
            let data = ChannelData::decode(&heard).unwrap().data;
            assert!((1..=packet as usize).contains(&data.len()), "{} of {packet}", data.len());
            received.extend_from_slice(data);
        }
        assert_eq!(received, sent, "{packet}");
    }
}

#[test]
fn what_comes_behind_our_close_is_dropped_until_theirs() {
    let (mut script, channel) = channel(1000, 1000);
    script.us.close(channel);
    script.us.settle();
    let recipient_channel = channel.number().0;
    // More than was granted, too: nobody counts it any more.
    for _ in 0..1000 {
        script.sends(&ChannelData { recipient_channel, data: &[7; 1000] });
    }
    script.sends(&adit_wire::channel::ChannelClose { recipient_channel });
    assert_eq!(script.us.error(), None);
    assert!(script.us.flow(channel).received.is_empty());
    assert_eq!(script.us.engine.channels(), 0);
    script.sends(&ChannelData { recipient_channel, data: b"late" });
    script.expects_disconnect(2, "message for channel 0, which is not open");
}
