//! What the micro benches share: a client and a server engine with one channel and nothing between them but a copy.
//! Touches: memory.   Never: sockets, clocks.
//! Invariants: windows are refilled at once, so that the data path alone is measured.
//! Errors: a panic; both ends are ours.   Allocates: once.
//! Proved by: `tests` below.
#![forbid(unsafe_code)]

use adit_buf::{RxBuf, TxRing};
use adit_crypto::{CipherAlgorithm, MacAlgorithm};
use adit_engine::{Channel, Engine, Event};
use adit_testkit::{
    Pair,
    keys::{client_config, client_transport, server_config, server_transport},
};
use adit_transport::{Config, RekeyLimits};

/// What a thread lends a connection to read into and to seal in.
const LENT: usize = 1 << 20;

/// A client that sends and a server that takes.
#[derive(Debug)]
pub struct Loopback {
    from: End,
    to: End,
}

#[derive(Debug)]
struct End {
    engine: Engine,
    rx: RxBuf,
    tx: TxRing,
    channel: Channel,
}

/// What one turn moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// Payload.
    pub bytes: usize,
    /// DATA messages.
    pub packets: usize,
}

impl Loopback {
    /// Both logged in under this cipher, with a channel.
    pub fn new(cipher: CipherAlgorithm) -> Self {
        // A key exchange in between would be measured with it.
        let rekey = RekeyLimits { bytes: u64::MAX, packets: u64::MAX, after_ms: u64::MAX };
        let with = |config| Config {
            ciphers: vec![cipher],
            macs: vec![MacAlgorithm::HmacSha2_256Etm],
            rekey,
            ..config
        };
        let client = client_config(with(client_transport()));
        let server = server_config(with(server_transport()));
        let mut pair = Pair::new(client, server).logged_in();
        let (ours, theirs) = pair.channel();
        let [from, to] = [(pair.client, ours), (pair.server, theirs)].map(|(end, channel)| {
            let (mut rx, mut tx) = (end.rx, end.tx);
            rx.lend(vec![0; LENT].into());
            tx.lend(vec![0; LENT].into());
            End { engine: end.engine, rx, tx, channel }
        });
        Self { from, to }
    }

    /// One batch of at most `length` bytes: sealed, copied, opened, delivered, and the answers back.
    ///
    /// # Panics
    /// When the window was not refilled.
    pub fn turn(&mut self, length: usize) -> Moved {
        self.from.send(length);
        carry(&mut self.from, &mut self.to);
        let moved = self.to.receive();
        carry(&mut self.to, &mut self.from);
        self.from.receive();
        moved
    }
}

impl End {
    fn send(&mut self, length: usize) {
        let mut batch = self.engine.reserve(self.channel, length, &mut self.tx).expect("a window");
        let room = batch.bodies().map(|body| body.len()).sum::<usize>();
        batch.commit(room.min(length));
    }

    fn receive(&mut self) -> Moved {
        let mut moved = Moved::default();
        while let Some(event) = self.engine.next_event(&mut self.rx, &mut self.tx).expect("honesty")
        {
            if let Event::Data { channel, span } = event {
                moved.bytes += span.len;
                moved.packets += 1;
                self.engine.delivered(channel, span.len);
            }
        }
        self.engine.pump(&mut self.tx);
        moved
    }
}

/// The kernel's part: one copy.
fn carry(from: &mut End, to: &mut End) {
    let count = from.tx.pending_len();
    let mut spare = &mut to.rx.spare_mut()[..count];
    for bytes in from.tx.pending() {
        let (head, tail) = spare.split_at_mut(bytes.len());
        head.copy_from_slice(bytes);
        spare = tail;
    }
    to.rx.filled(count);
    from.tx.written(count);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_moves_what_it_was_asked_for() {
        let mut loopback = Loopback::new(CipherAlgorithm::Aes128Gcm);
        assert_eq!(loopback.turn(64 * 1024), Moved { bytes: 64 * 1024, packets: 2 });
        assert_eq!(loopback.turn(100), Moved { bytes: 100, packets: 1 });
    }
}
