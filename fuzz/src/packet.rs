//! Sealed packets under every cipher: what was not sealed does not open, what was opens as it was.
//! Touches: `adit_crypto`'s keys of a packet.   Never: how keys are agreed.
//! Invariants: a fixed key opens nothing the fuzzer makes up; one flipped bit is found.
//! Errors: a panic is a finding.   Allocates: the packet.
//! Proved by: the seeds.

use adit_crypto::{CipherAlgorithm, MacAlgorithm, OpeningKey, SealingKey};

/// Bytes of length and padding length before the payload.
const HEAD: usize = 5;

/// The first byte chooses cipher and MAC, the second a bit to flip; the rest is a packet and a payload.
pub fn open_packet(bytes: &[u8]) {
    let [choice, flip, rest @ ..] = bytes else { return };
    let cipher = pick(CipherAlgorithm::ALL, usize::from(*choice));
    let mac = pick(MacAlgorithm::ALL, usize::from(*choice) / CipherAlgorithm::ALL.len());
    assert!(open(cipher, mac, rest.to_vec()).is_none(), "a forged packet opens");
    let packet = seal(cipher, mac, rest);
    let opened = open(cipher, mac, packet.clone()).expect("a sealed packet opens");
    assert_eq!(&opened[HEAD..][..rest.len()], rest);
    let mut damaged = packet;
    let at = usize::from(*flip) % damaged.len();
    damaged[at] ^= 1 << (flip % 8);
    assert!(open(cipher, mac, damaged).is_none(), "a damaged packet opens");
}

fn pick<T: Copy>(all: &[T], at: usize) -> T {
    all[at % all.len()]
}

const KEYS: ([u8; 64], [u8; 16], [u8; 64]) = ([1; 64], [2; 16], [3; 64]);

/// What a packet at number 7 holds, without its tag, if it is one.
fn open(cipher: CipherAlgorithm, mac: MacAlgorithm, mut packet: Vec<u8>) -> Option<Vec<u8>> {
    let mut key: OpeningKey = cipher.opening(Some(mac), &KEYS.0, &KEYS.1, &KEYS.2);
    let head = packet.get_mut(..key.head_len())?;
    let end = 4_usize.checked_add(key.open_length(7, head) as usize)?;
    let whole = end.checked_add(key.tag_len())?;
    let outside = if key.length_is_padded() { 0 } else { 4 };
    // What the framing refuses never reaches the key.
    let framed = whole <= packet.len() && end > HEAD && (end - outside) % key.block_len() == 0;
    let sealed = packet.get_mut(..whole).filter(|_| framed)?;
    key.open(7, sealed).ok()?;
    packet.truncate(end);
    Some(packet)
}

fn seal(cipher: CipherAlgorithm, mac: MacAlgorithm, payload: &[u8]) -> Vec<u8> {
    let mut key: SealingKey = cipher.sealing(Some(mac), &KEYS.0, &KEYS.1, &KEYS.2);
    let outside = if key.length_is_padded() { 0 } else { 4 };
    let unpadded = HEAD - outside + payload.len() + 4;
    let padding = 4 + unpadded.next_multiple_of(key.block_len()) - unpadded;
    let end = HEAD + payload.len() + padding;
    let mut packet = vec![0; end + key.tag_len()];
    packet[..4].copy_from_slice(&((end - 4) as u32).to_be_bytes());
    packet[4] = padding as u8;
    packet[HEAD..][..payload.len()].copy_from_slice(payload);
    key.seal(7, &mut packet);
    packet
}
