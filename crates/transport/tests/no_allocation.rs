//! Data costs no allocation: neither a packet sealed nor a packet opened.
//!
//! One test, alone in its program: the counter counts every thread's allocations.

mod one_key;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use adit_buf::{RxBuf, TxRing};
use adit_crypto::{CipherAlgorithm, MacAlgorithm, SystemRandom};
use adit_transport::{Config, Incoming, Transport};

use one_key::OneKey;

struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise is the one asked for.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

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

        let before = ALLOCATIONS.load(Ordering::Relaxed);
        let mut messages = 0;
        for _ in 0..10 {
            client.send_batch();
            messages += client.carry_to(&mut server);
        }
        let allocations = ALLOCATIONS.load(Ordering::Relaxed) - before;
        assert_eq!((messages, allocations), (80, 0), "{}", cipher.name());
    }
}
