//! chacha20-poly1305@openssh.com from ring. OpenSSH PROTOCOL.chacha20poly1305.
//! Touches: one packet in place.   Never: names.
//! Invariants: ring checks the tag before it decrypts.
//! Errors: none; a wrong tag is `false`.   Allocates: never.
//! Proved by: `cipher::tests` against `backend::chacha_poly`.

use ring::aead::chacha20_poly1305_openssh as openssh;

/// chacha20-poly1305@openssh.com; the key of each direction in both of ring's types.
pub(crate) struct ChaChaPoly {
    sealing: openssh::SealingKey,
    opening: openssh::OpeningKey,
}

impl ChaChaPoly {
    pub(crate) fn new(key: &[u8; 64]) -> Self {
        Self { sealing: openssh::SealingKey::new(key), opening: openssh::OpeningKey::new(key) }
    }

    /// Encrypts length and text, and gives the tag.
    pub(crate) fn seal(&self, seq: u32, packet: &mut [u8]) -> [u8; 16] {
        let mut tag = [0; 16];
        self.sealing.seal_in_place(seq, packet, &mut tag);
        tag
    }

    /// The length in the clear.
    pub(crate) fn open_length(&self, seq: u32, length: [u8; 4]) -> [u8; 4] {
        self.opening.decrypt_packet_length(seq, length)
    }

    /// Decrypts the text behind the length if the tag is genuine.
    pub(crate) fn open(&self, seq: u32, packet: &mut [u8], tag: [u8; 16]) -> bool {
        self.opening.open_in_place(seq, packet, &tag).is_ok()
    }
}
