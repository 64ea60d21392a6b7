//! Data costs no allocation: neither a packet sealed nor a packet opened.

mod one_key;

use std::sync::Arc;

use adit_buf::{RxBuf, TxRing};
use adit_crypto::{CipherAlgorithm, MacAlgorithm, SystemRandom};
use adit_transport::{Config, Incoming, Transport};

use one_key::OneKey;

struct Side {
    transport: Transport,
    rx: RxBuf,
    tx: TxRing,
}

/// What one thread lends a connection.
const LENT: usize = 1 << 20;

impl Side {
    fn new(config: Config) -> Self {
        let transport = Transport::new(Arc::new(config), Box::new(SystemRandom::new()), 0);
        let (mut rx, mut tx) = (RxBuf::new(), TxRing::new());
        rx.lend(vec![0; LENT].into());
        tx.lend(vec![0; LENT].into());
        let mut side = Self { transport, rx, tx };
        side.transport.start(&mut side.tx);
        side
    }

    /// One `write` there is one `read` here.
    fn carry_to(&mut self, to: &mut Self) -> usize {
        let mut count = 0;
        for bytes in self.tx.pending() {
            to.rx.spare_mut()[..bytes.len()].copy_from_slice(bytes);
            to.rx.filled(bytes.len());
            count += bytes.len();
        }
        self.tx.written(count);
        to.take()
    }

    fn take(&mut self) -> usize {
        let mut messages = 0;
        while let Some(incoming) = self.transport.next_packet(&mut self.rx, &mut self.tx).unwrap() {
            match incoming {
                Incoming::HostKey => self.transport.accept_host_key(&mut self.tx),
                Incoming::Packet(_) => messages += 1,
                _ => {}
            }
        }
        messages
    }

    /// Eight packets of 32 KiB, as one `readv` would fill them.
    fn send_batch(&mut self) {
        let mut slots = self.transport.reserve(&[94, 0, 0, 0, 0], 32_768, 8, &mut self.tx).unwrap();
        slots.bodies_mut().for_each(|body| body.fill(7));
        let capacity = slots.capacity();
        slots.commit(capacity);
    }
}

#[test]
fn data_costs_no_allocation_in_either_direction() {
    for cipher in CipherAlgorithm::ALL {
        let config = |config| Config {
            ciphers: vec![*cipher],
            macs: vec![MacAlgorithm::HmacSha2_256Etm],
            extensions: Vec::new(),
            ..config
        };
        let host_keys = Arc::new(OneKey::new());
        let mut client = Side::new(config(Config::client()));
        let mut server = Side::new(config(Config::server(host_keys)));
        for _ in 0..4 {
            client.carry_to(&mut server);
            server.carry_to(&mut client);
        }
        client.transport.authenticated();
        server.transport.authenticated();
        // The rings' own lists have found their size.
        client.send_batch();
        assert_eq!(client.carry_to(&mut server), 8);

        let mut messages = 0;
        let counted = allocation_counter::measure(|| {
            for _ in 0..10 {
                client.send_batch();
                messages += client.carry_to(&mut server);
            }
        });
        assert_eq!((messages, counted.count_total), (80, 0), "{}", cipher.name());
    }
}
