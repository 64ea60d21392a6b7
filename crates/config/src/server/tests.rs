use super::*;
use crate::algorithms::AlgorithmSet;

const SET: AlgorithmSet = AlgorithmSet {
    supported: &["chacha20-poly1305@openssh.com", "aes256-ctr", "ssh-ed25519", "old"],
    default: &["chacha20-poly1305@openssh.com", "aes256-ctr", "ssh-ed25519"],
};

static ALGORITHMS: Algorithms =
    Algorithms { ciphers: SET, macs: SET, kex: SET, signatures: SET, ca_signatures: SET };

#[test]
fn a_stock_configuration_loads() {
    let config =
        ServerConfig::load(Some(Path::new("/etc/ssh/sshd_config")), &[], &ALGORITHMS).unwrap();
    println!("{:#?}", config.notes());
    println!("{}", config.options(&MatchContext::default()).dump());
    panic!();
}
