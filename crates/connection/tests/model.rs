//! One connection and a peer that says anything, held against a model with nothing in it but numbers.
//!
//! The model knows windows from the wire alone: from what was announced, granted and sent.

use adit_connection::{
    Blocked, Channel, Config, Connection, Event, Forward, LocalChannel, Open, Side, Violation,
};
use adit_wire::channel::{
    ChannelClose, ChannelData, ChannelEof, ChannelOpen, ChannelOpenConfirmation,
    ChannelOpenFailure, ChannelWindowAdjust, ForwardedTcpip, channel_type,
};
use adit_wire::global_request::RequestSuccess;
use adit_wire::{Body, Message, Rest};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::mem::{discriminant, replace};

/// One direction of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Half {
    Open,
    Eof,
    Closed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Asked { given_up: bool },
    Offered,
    Live,
}

/// A channel under our number, as the wire shows it.
#[derive(Debug)]
struct Model {
    channel: Channel,
    stage: Stage,
    theirs: u32,
    our_half: Half,
    their_half: Half,
    /// What the peer may still send us.
    granted: u64,
    undelivered: usize,
    /// What we may still send.
    allowed: u64,
    most: u32,
}

impl Model {
    const fn new(channel: Channel, stage: Stage) -> Self {
        Self {
            channel,
            stage,
            theirs: 0,
            our_half: Half::Open,
            their_half: Half::Open,
            granted: 0,
            undelivered: 0,
            allowed: 0,
            most: 0,
        }
    }
}

/// What a message of the peer's must come to.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    Nothing,
    Opened,
    OpenFailed,
    /// A channel under this number of the peer's.
    Offered(u32),
    /// There are as many channels as there may be.
    Refused,
    Data(usize),
    Eof,
    Closed {
        eof_seen: bool,
    },
    Adjusted,
    /// Confirmed, and closed at once: it was given up meanwhile.
    Dropped,
}

/// What the peer says, most of it about one of our numbers.
#[derive(Clone, Copy, Debug)]
enum Word {
    Offer { reused: bool },
    Confirmation { window: u32, packet: u32, reused: bool },
    Failure,
    Data { len: usize },
    DataBeyond { by: usize },
    Adjust(u32),
    Eof,
    Close,
}

#[derive(Clone, Copy, Debug)]
enum Operation {
    Ask,
    Accept,
    Refuse,
    Send(usize),
    Deliver(usize),
    Eof,
    Close,
    /// A peer that is not mean says only what it may.
    Hear(Word, bool),
}

/// The connection and its model.
struct World {
    us: Connection,
    config: Config,
    models: BTreeMap<u32, Model>,
    next_theirs: u32,
}

impl World {
    fn new(config: Config) -> Self {
        let mut us = Connection::new(config.clone());
        us.request_forward(Forward::tcpip("listen", 2000)).unwrap();
        us.outbox().pop();
        us.handle(&encoded(&RequestSuccess { data: Rest(&[]) })).unwrap();
        Self { us, config, models: BTreeMap::new(), next_theirs: 100 }
    }

    /// The oldest message we have to say.
    fn said(&mut self) -> Option<Vec<u8>> {
        let said = self.us.outbox().front().map(<[u8]>::to_vec);
        self.us.outbox().pop();
        said
    }

    /// It must be this one.
    fn says<'m>(&mut self, message: &impl Message<'m>) {
        assert_eq!(self.said(), Some(encoded(message)));
    }

    fn says_a_refusal(&mut self) {
        assert!(ChannelOpenFailure::decode(&self.said().unwrap()).is_ok());
    }

    fn operate(&mut self, operation: Operation, pick: usize) -> Result<(), Violation> {
        if let Operation::Hear(word, mean) = operation {
            return self.hear(word, mean, pick);
        }
        let number = pick.checked_rem(self.models.len()).and_then(|at| self.models.keys().nth(at));
        match (operation, number.copied()) {
            (Operation::Ask, _) => self.ask(),
            (Operation::Accept, Some(number)) => self.accept(number),
            (Operation::Refuse, Some(number)) => self.refuse(number),
            (Operation::Send(len), Some(number)) => self.send(number, len),
            (Operation::Deliver(len), Some(number)) => self.deliver(number, len),
            (Operation::Eof, Some(number)) => self.send_eof(number),
            (Operation::Close, Some(number)) => self.close(number),
            _ => {}
        }
        Ok(())
    }
}

/// What we do.
impl World {
    fn ask(&mut self) {
        let Ok(channel) = self.us.open(&Open::direct_tcpip("db", 5432, "127.0.0.1", 4)) else {
            return assert_eq!(self.models.len(), self.config.max_channels as usize);
        };
        let said = self.said().unwrap();
        let open = ChannelOpen::decode(&said).unwrap();
        assert_eq!(open.sender_channel, channel.number().0);
        let granted = open.initial_window_size.into();
        let model = Model { granted, ..Model::new(channel, Stage::Asked { given_up: false }) };
        assert!(self.models.insert(open.sender_channel, model).is_none(), "the number was free");
    }

    fn accept(&mut self, number: u32) {
        let model = self.models.get_mut(&number).unwrap();
        self.us.accept(model.channel);
        if model.stage == Stage::Offered {
            let said = self.us.outbox().front().unwrap().to_vec();
            let confirmation = ChannelOpenConfirmation::decode(&said).unwrap();
            assert_eq!(confirmation.recipient_channel, model.theirs);
            (model.stage, model.granted) = (Stage::Live, confirmation.initial_window_size.into());
            self.us.outbox().pop();
        }
    }

    fn refuse(&mut self, number: u32) {
        let model = &self.models[&number];
        self.us.refuse(model.channel, 1, "no");
        if model.stage == Stage::Offered {
            self.says_a_refusal();
            self.models.remove(&number);
        }
    }

    fn send(&mut self, number: u32, len: usize) {
        let model = self.models.get_mut(&number).unwrap();
        let most = model.allowed.min(model.most.into()).min(self.config.max_packet.into());
        let expected = match (model.stage, model.our_half, model.their_half) {
            (Stage::Asked { given_up: true }, ..) => Err(Blocked::Closed),
            (Stage::Asked { .. } | Stage::Offered, ..) => Err(Blocked::Opening),
            (_, Half::Closed, _) | (_, _, Half::Closed) => Err(Blocked::Closed),
            (_, Half::Eof, _) => Err(Blocked::EofSent),
            _ if most == 0 => Err(Blocked::Window),
            _ => Ok(most as usize),
        };
        let channel = model.channel;
        assert_eq!(self.us.sendable(channel).map(|sendable| sendable.max), expected);
        if let Ok(most) = expected {
            self.us.sent(channel, len.min(most));
            model.allowed -= len.min(most) as u64;
        }
    }

    fn deliver(&mut self, number: u32, len: usize) {
        let model = self.models.get_mut(&number).unwrap();
        let len = len.min(model.undelivered);
        model.undelivered -= len;
        self.us.delivered(model.channel, len, 0);
        let Some(said) = self.us.outbox().front() else { return };
        let adjust = ChannelWindowAdjust::decode(said).unwrap();
        assert_eq!((model.stage, model.their_half), (Stage::Live, Half::Open));
        assert!(model.our_half != Half::Closed && adjust.bytes_to_add > 0);
        assert_eq!(adjust.recipient_channel, model.theirs);
        model.granted += u64::from(adjust.bytes_to_add);
        self.us.outbox().pop();
    }

    fn send_eof(&mut self, number: u32) {
        let model = self.models.get_mut(&number).unwrap();
        self.us.send_eof(model.channel);
        let open = model.our_half == Half::Open && model.their_half != Half::Closed;
        if open && model.stage == Stage::Live {
            model.our_half = Half::Eof;
            let recipient_channel = model.theirs;
            self.says(&ChannelEof { recipient_channel });
        }
    }

    fn close(&mut self, number: u32) {
        let model = self.models.get_mut(&number).unwrap();
        self.us.close(model.channel);
        model.undelivered = 0;
        let (recipient_channel, over) = (model.theirs, model.their_half == Half::Closed);
        match model.stage {
            Stage::Asked { .. } => model.stage = Stage::Asked { given_up: true },
            Stage::Offered => {
                self.says_a_refusal();
                self.models.remove(&number);
            }
            Stage::Live if replace(&mut model.our_half, Half::Closed) != Half::Closed => {
                self.says(&ChannelClose { recipient_channel });
                if over {
                    self.models.remove(&number);
                }
            }
            Stage::Live => {}
        }
    }
}

/// What the peer says.
impl World {
    fn hear(&mut self, word: Word, mean: bool, pick: usize) -> Result<(), Violation> {
        // One number more than there are: what nobody has is met, too.
        let number = pick % (self.models.len() + 1);
        let number = self.models.keys().copied().nth(number).unwrap_or(77);
        let message = self.message(word, number);
        match self.meaning(word, number, &message) {
            Err(_) if !mean => {}
            Err(expected) => {
                let found = self.us.handle(&message).expect_err("the model says so");
                assert_eq!(discriminant(&found), discriminant(&expected), "{found:?} {expected:?}");
                return Err(found);
            }
            Ok(expected) => {
                let event = self.us.handle(&message).expect("the model says so");
                let found = self.found(number, event);
                assert_eq!(found, expected, "{word:?} for {number}");
            }
        }
        Ok(())
    }

    /// The word for word.
    fn message(&mut self, word: Word, number: u32) -> Vec<u8> {
        self.next_theirs += 1;
        let sender_channel = match word {
            Word::Offer { reused: true } | Word::Confirmation { reused: true, .. } => {
                self.live_theirs().unwrap_or(self.next_theirs)
            }
            _ => self.next_theirs,
        };
        let recipient_channel = number;
        match word {
            Word::Offer { .. } => {
                let (connected_address, originator_address) = ("listen", "10.0.0.1");
                let body = ForwardedTcpip {
                    connected_address,
                    connected_port: 2000,
                    originator_address,
                    originator_port: 1,
                };
                let mut data = Vec::new();
                body.encode(&mut data);
                encoded(&ChannelOpen {
                    channel_type: channel_type::FORWARDED_TCPIP,
                    sender_channel,
                    initial_window_size: 1000,
                    maximum_packet_size: 100,
                    data: Rest(&data),
                })
            }
            Word::Confirmation { window, packet, .. } => encoded(&ChannelOpenConfirmation {
                recipient_channel,
                sender_channel,
                initial_window_size: window,
                maximum_packet_size: packet,
                data: Rest(&[]),
            }),
            Word::Failure => encoded(&ChannelOpenFailure {
                recipient_channel,
                reason_code: 2,
                description: b"no",
                language_tag: b"",
            }),
            Word::Data { .. } | Word::DataBeyond { .. } => {
                let data = vec![7; self.len(word, number)];
                encoded(&ChannelData { recipient_channel, data: &data })
            }
            Word::Adjust(bytes_to_add) => {
                encoded(&ChannelWindowAdjust { recipient_channel, bytes_to_add })
            }
            Word::Eof => encoded(&ChannelEof { recipient_channel }),
            Word::Close => encoded(&ChannelClose { recipient_channel }),
        }
    }

    /// Bytes in a data message.
    fn len(&self, word: Word, number: u32) -> usize {
        let granted = self.models.get(&number).map_or(0, |model| model.granted) as usize;
        match word {
            Word::Data { len } => len.min(granted).min(self.config.max_packet as usize),
            Word::DataBeyond { by } => granted + by,
            _ => 0,
        }
    }

    /// A number of the peer's that is in use.
    fn live_theirs(&self) -> Option<u32> {
        let known = |model: &&Model| !matches!(model.stage, Stage::Asked { .. });
        self.models.values().find(known).map(|model| model.theirs)
    }

    /// What the model makes of a message; only what is right changes it.
    fn meaning(&mut self, word: Word, number: u32, message: &[u8]) -> Result<Told, Violation> {
        let (len, live) = (self.len(word, number), self.live_theirs());
        let full = self.models.len() as u32 == self.config.max_channels;
        let model = self.models.get_mut(&number);
        match word {
            Word::Offer { reused: true } if live.is_some() => Err(Violation::ChannelReused(0)),
            Word::Offer { .. } if full => Ok(Told::Refused),
            Word::Offer { .. } => Ok(Told::Offered(self.next_theirs)),
            Word::Confirmation { window, packet, reused } => {
                let model = asked(model, number)?;
                let theirs = ChannelOpenConfirmation::decode(message).unwrap().sender_channel;
                if packet == 0 {
                    return Err(Violation::MaximumPacketZero(LocalChannel(number)));
                }
                if reused && live.is_some() {
                    return Err(Violation::ChannelReused(theirs));
                }
                let before = replace(&mut model.stage, Stage::Live);
                (model.theirs, model.allowed, model.most) = (theirs, window.into(), packet);
                Ok(match before {
                    Stage::Asked { given_up: true } => Told::Dropped,
                    _ => Told::Opened,
                })
            }
            Word::Failure => {
                asked(model, number)?;
                self.models.remove(&number);
                Ok(Told::OpenFailed)
            }
            Word::Data { .. } | Word::DataBeyond { .. } => {
                received(speaking(model, number)?, len, self.config.max_packet)
            }
            Word::Adjust(bytes) => adjusted(model, bytes),
            Word::Eof => {
                let model = speaking(model, number)?;
                let before = replace(&mut model.their_half, Half::Eof);
                let news = before == Half::Open && model.our_half != Half::Closed;
                Ok(if news { Told::Eof } else { Told::Nothing })
            }
            Word::Close => {
                let model = speaking(model, number)?;
                let before = replace(&mut model.their_half, Half::Closed);
                if model.our_half == Half::Closed {
                    self.models.remove(&number);
                }
                Ok(Told::Closed { eof_seen: before == Half::Eof })
            }
        }
    }

    /// What became of it, and what we said to it.
    fn found(&mut self, number: u32, event: Option<Event>) -> Told {
        let mine = |channel: Channel, told| {
            assert_eq!(channel.number().0, number);
            told
        };
        let told = match event {
            None => self.unspoken(number),
            Some(Event::Opened { channel }) => mine(channel, Told::Opened),
            Some(Event::OpenFailed { channel, .. }) => mine(channel, Told::OpenFailed),
            Some(Event::Data { channel, len, .. }) => mine(channel, Told::Data(len)),
            Some(Event::Eof { channel }) => mine(channel, Told::Eof),
            Some(Event::WindowAdjusted { channel }) => mine(channel, Told::Adjusted),
            Some(Event::Closed { channel, eof_seen }) => mine(channel, Told::Closed { eof_seen }),
            Some(Event::Open { channel, .. }) => {
                let model =
                    Model { theirs: self.next_theirs, ..Model::new(channel, Stage::Offered) };
                let model = Model { allowed: 1000, most: 100, ..model };
                assert!(self.models.insert(channel.number().0, model).is_none());
                Told::Offered(self.next_theirs)
            }
            Some(event) => panic!("{event:?}"),
        };
        assert_eq!(self.said(), None, "nothing more is said to it");
        told
    }

    /// No event: what we said tells the rest.
    fn unspoken(&mut self, number: u32) -> Told {
        let Some(said) = self.said() else { return Told::Nothing };
        if ChannelOpenFailure::decode(&said).is_ok() {
            return Told::Refused;
        }
        let model = self.models.get_mut(&number).expect("it was given up");
        assert_eq!(said, encoded(&ChannelClose { recipient_channel: model.theirs }));
        model.our_half = Half::Closed;
        Told::Dropped
    }
}

/// A channel that waits for its answer.
fn asked(model: Option<&mut Model>, number: u32) -> Result<&mut Model, Violation> {
    match model {
        Some(model) if matches!(model.stage, Stage::Asked { .. }) => Ok(model),
        Some(model) if model.stage == Stage::Live => {
            Err(Violation::AnsweredTwice(LocalChannel(number)))
        }
        _ => Err(Violation::UnknownChannel(LocalChannel(number))),
    }
}

/// A channel on which the peer may say something.
fn speaking(model: Option<&mut Model>, number: u32) -> Result<&mut Model, Violation> {
    match model {
        Some(Model { stage: Stage::Asked { .. }, .. }) => {
            Err(Violation::NotYetOpen(LocalChannel(number)))
        }
        Some(Model { stage: Stage::Live, their_half: Half::Closed, .. }) => {
            Err(Violation::AfterClose(LocalChannel(number)))
        }
        Some(model) if model.stage == Stage::Live => Ok(model),
        _ => Err(Violation::UnknownChannel(LocalChannel(number))),
    }
}

fn received(model: &mut Model, len: usize, max_packet: u32) -> Result<Told, Violation> {
    let (channel, bytes) = (model.channel.number(), len as u32);
    if model.their_half == Half::Eof {
        return Err(Violation::DataAfterEof(channel));
    }
    if model.our_half == Half::Closed {
        return Ok(Told::Nothing);
    }
    if bytes > max_packet {
        return Err(Violation::PacketTooLarge { channel, len: bytes });
    }
    if len as u64 > model.granted {
        return Err(Violation::WindowOverrun { channel, by: bytes });
    }
    model.granted -= len as u64;
    model.undelivered += len;
    Ok(if len > 0 { Told::Data(len) } else { Told::Nothing })
}

/// For a channel that is gone, or nearly, an adjust does nothing.
fn adjusted(model: Option<&mut Model>, bytes: u32) -> Result<Told, Violation> {
    let Some(model) = model.filter(|model| model.stage != Stage::Offered) else {
        return Ok(Told::Nothing);
    };
    if model.stage != Stage::Live {
        return Err(Violation::NotYetOpen(model.channel.number()));
    }
    let sum = model.allowed + u64::from(bytes);
    if sum > u32::MAX.into() {
        return Err(Violation::AdjustOverflow(model.channel.number()));
    }
    model.allowed = sum;
    let sends = model.our_half == Half::Open && model.their_half != Half::Closed;
    Ok(if sends { Told::Adjusted } else { Told::Nothing })
}

fn encoded<'m>(message: &impl Message<'m>) -> Vec<u8> {
    let mut payload = Vec::new();
    message.encode(&mut payload);
    payload
}

fn word() -> impl Strategy<Value = Word> {
    let confirmation = |window, packet| Word::Confirmation { window, packet, reused: false };
    prop_oneof![
        20 => Just(Word::Offer { reused: false }),
        1 => Just(Word::Offer { reused: true }),
        40 => (0..5000_u32, 0..3000_u32).prop_map(move |(a, b)| confirmation(a, b)),
        1 => Just(Word::Confirmation { window: 0, packet: 1, reused: true }),
        1 => Just(Word::Confirmation { window: 0, packet: 0, reused: false }),
        8 => Just(Word::Failure),
        80 => (0..2000_usize).prop_map(|len| Word::Data { len }),
        5 => (0..3_usize).prop_map(|by| Word::DataBeyond { by }),
        30 => (0..2000_u32).prop_map(Word::Adjust),
        1 => Just(Word::Adjust(u32::MAX)),
        10 => Just(Word::Eof),
        10 => Just(Word::Close),
    ]
}

fn operation() -> impl Strategy<Value = (Operation, usize)> {
    let operation = prop_oneof![
        3 => Just(Operation::Ask),
        2 => Just(Operation::Accept),
        1 => Just(Operation::Refuse),
        6 => (1..3000_usize).prop_map(Operation::Send),
        6 => prop_oneof![1..3000_usize, Just(usize::MAX)].prop_map(Operation::Deliver),
        1 => Just(Operation::Eof),
        1 => Just(Operation::Close),
        40 => word().prop_map(|word| Operation::Hear(word, false)),
        1 => word().prop_map(|word| Operation::Hear(word, true)),
    ];
    (operation, 0..1000_usize)
}

/// The full number is for nights.
fn cases() -> u32 {
    if std::env::var_os("ADIT_SLOW_TESTS").is_some() { 100_000 } else { 500 }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_a_peer_says_means_what_the_model_says(
        initial_window in 0..5000_u32,
        max_packet in 1..2000_u32,
        memory_budget in 2000..100_000_u64,
        operations in prop::collection::vec(operation(), 0..300),
    ) {
        let side = Side::Client;
        let config = Config { side, initial_window, max_packet, memory_budget, max_channels: 6 };
        let mut world = World::new(config);
        for (operation, pick) in operations {
            if world.operate(operation, pick).is_err() {
                // What broke the rules once is not listened to again.
                let eof = encoded(&ChannelEof { recipient_channel: 0 });
                prop_assert!(world.us.handle(&eof).is_err());
                return Ok(());
            }
            let held: u64 = world.models.values().map(|model| model.undelivered as u64).sum();
            prop_assert!(held <= memory_budget);
            prop_assert_eq!(world.us.channels() as usize, world.models.len());
        }
    }
}
