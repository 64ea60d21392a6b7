use super::*;
use crate::algorithms::AlgorithmSet;

const SET: AlgorithmSet = AlgorithmSet {
    supported: &["chacha20-poly1305@openssh.com", "aes256-ctr", "ssh-ed25519", "old"],
    default: &["chacha20-poly1305@openssh.com", "aes256-ctr", "ssh-ed25519"],
};

static ALGORITHMS: Algorithms =
    Algorithms { ciphers: SET, macs: SET, kex: SET, signatures: SET, ca_signatures: SET };

#[test]
fn nothing_said_is_the_default() {
    let config = ServerConfig::load(None, &[], &ALGORITHMS).unwrap();
    assert_eq!(config.options(&MatchContext::default()), ServerOptions::defaults(&ALGORITHMS));
}
