//! Names of host key, user key and signature algorithms. RFC 8332, RFC 5656, RFC 8709, OpenSSH PROTOCOL.certkeys and PROTOCOL.u2f.
//! Touches: names.   Never: keys.
//! Invariants: a `SignatureAlgorithm` is what a signature blob names; a `KeyAlgorithm` is what negotiation and requests name.
//! Errors: none; an unknown name is `None`.   Allocates: never.
//! Proved by: `tests` below.

use crate::Curve;

/// A signature algorithm: the name inside a signature blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureAlgorithm {
    /// `ssh-ed25519`, RFC 8709
    Ed25519,
    /// `ecdsa-sha2-nistp256`, RFC 5656
    EcdsaNistp256,
    /// `ecdsa-sha2-nistp384`, RFC 5656
    EcdsaNistp384,
    /// `ecdsa-sha2-nistp521`, RFC 5656
    EcdsaNistp521,
    /// `sk-ssh-ed25519@openssh.com`, by a security key
    SkEd25519,
    /// `sk-ecdsa-sha2-nistp256@openssh.com`, by a security key
    SkEcdsaNistp256,
    /// `rsa-sha2-512`, RFC 8332
    RsaSha2_512,
    /// `rsa-sha2-256`, RFC 8332
    RsaSha2_256,
}

/// What negotiation and `publickey` requests name: a signature algorithm, by a plain key or by a certified one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyAlgorithm {
    /// How signatures are made.
    pub signature: SignatureAlgorithm,
    /// The key comes as an OpenSSH certificate.
    pub certified: bool,
}

impl SignatureAlgorithm {
    /// All that were built in, most wanted first.
    pub const ALL: &[Self] = &[
        Self::Ed25519,
        #[cfg(feature = "nist")]
        Self::EcdsaNistp256,
        #[cfg(feature = "nist")]
        Self::EcdsaNistp384,
        #[cfg(feature = "nist")]
        Self::EcdsaNistp521,
        Self::SkEd25519,
        #[cfg(feature = "nist")]
        Self::SkEcdsaNistp256,
        Self::RsaSha2_512,
        Self::RsaSha2_256,
    ];

    /// The SSH name.
    pub const fn name(self) -> &'static str {
        self.names().0
    }

    /// The algorithm of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|algorithm| algorithm.name() == name)
    }

    /// With a key as it is.
    pub const fn plain(self) -> KeyAlgorithm {
        KeyAlgorithm { signature: self, certified: false }
    }

    /// With a key in a certificate.
    pub const fn certified(self) -> KeyAlgorithm {
        KeyAlgorithm { signature: self, certified: true }
    }

    /// The one algorithm of an ECDSA key.
    pub const fn ecdsa(curve: Curve) -> Self {
        match curve {
            Curve::Nistp256 => Self::EcdsaNistp256,
            Curve::Nistp384 => Self::EcdsaNistp384,
            Curve::Nistp521 => Self::EcdsaNistp521,
        }
    }

    /// The table: plain name, name with a certificate.
    const fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Ed25519 => ("ssh-ed25519", "ssh-ed25519-cert-v01@openssh.com"),
            Self::EcdsaNistp256 => {
                ("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256-cert-v01@openssh.com")
            }
            Self::EcdsaNistp384 => {
                ("ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384-cert-v01@openssh.com")
            }
            Self::EcdsaNistp521 => {
                ("ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521-cert-v01@openssh.com")
            }
            Self::SkEd25519 => {
                ("sk-ssh-ed25519@openssh.com", "sk-ssh-ed25519-cert-v01@openssh.com")
            }
            Self::SkEcdsaNistp256 => (
                "sk-ecdsa-sha2-nistp256@openssh.com",
                "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com",
            ),
            Self::RsaSha2_512 => ("rsa-sha2-512", "rsa-sha2-512-cert-v01@openssh.com"),
            Self::RsaSha2_256 => ("rsa-sha2-256", "rsa-sha2-256-cert-v01@openssh.com"),
        }
    }
}

impl KeyAlgorithm {
    /// All of them in OpenSSH's default order: certificates first.
    pub const ALL: &[Self] = &{
        let plain = SignatureAlgorithm::ALL;
        let mut all = [plain[0].plain(); 2 * SignatureAlgorithm::ALL.len()];
        let mut at = 0;
        while at < plain.len() {
            all[at] = plain[at].certified();
            all[plain.len() + at] = plain[at].plain();
            at += 1;
        }
        all
    };

    /// The host key algorithms a client offers unless the user says otherwise.
    pub const DEFAULT_HOST_KEY: &[Self] = Self::ALL;

    /// The SSH name.
    pub const fn name(self) -> &'static str {
        let (plain, certified) = self.signature.names();
        if self.certified { certified } else { plain }
    }

    /// The algorithm of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|algorithm| algorithm.name() == name)
    }
}

impl From<SignatureAlgorithm> for KeyAlgorithm {
    fn from(signature: SignatureAlgorithm) -> Self {
        signature.plain()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_leads_back() {
        for algorithm in KeyAlgorithm::ALL {
            assert_eq!(KeyAlgorithm::from_name(algorithm.name()), Some(*algorithm));
        }
        for algorithm in SignatureAlgorithm::ALL {
            assert_eq!(SignatureAlgorithm::from_name(algorithm.name()), Some(*algorithm));
        }
        assert_eq!(KeyAlgorithm::from_name("ssh-rsa"), None);
        assert_eq!(SignatureAlgorithm::from_name("ssh-ed25519-cert-v01@openssh.com"), None);
    }

    #[test]
    fn certificates_are_preferred() {
        let (certified, plain) = KeyAlgorithm::ALL.split_at(SignatureAlgorithm::ALL.len());
        assert!(certified.iter().all(|algorithm| algorithm.certified));
        assert!(plain.iter().all(|algorithm| !algorithm.certified));
    }
}
