//! What the configuration says about who may log in, and with which keys. sshd_config(5).
//! Touches: nothing.   Never: the configuration itself; whoever knows it fills these in.
//! Invariants: defaults are sshd's.
//! Errors: none.   Allocates: lists.
//! Proved by: `tests` of `authorized`, `allowed`.

use adit_crypto::SignatureAlgorithm;
use adit_keys::certificate::DEFAULT_CA_ALGORITHMS;
use std::path::PathBuf;

/// Which keys log somebody in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyRules {
    /// AuthorizedKeysFile, with tokens; `none` is no file.
    pub(crate) authorized_keys_files: Vec<String>,
    /// AuthorizedKeysCommand: program and arguments, with tokens.
    pub(crate) authorized_keys_command: Option<String>,
    /// AuthorizedKeysCommandUser
    pub(crate) authorized_keys_command_user: Option<String>,
    /// TrustedUserCAKeys
    pub(crate) trusted_user_ca_keys: Vec<PathBuf>,
    /// AuthorizedPrincipalsFile, with tokens.
    pub(crate) authorized_principals_file: Option<String>,
    /// AuthorizedPrincipalsCommand: program and arguments, with tokens.
    pub(crate) authorized_principals_command: Option<String>,
    /// AuthorizedPrincipalsCommandUser
    pub(crate) authorized_principals_command_user: Option<String>,
    /// RevokedKeys
    pub(crate) revoked_keys: Vec<PathBuf>,
    /// CASignatureAlgorithms
    pub(crate) ca_signature_algorithms: Vec<SignatureAlgorithm>,
    /// StrictModes
    pub(crate) strict_modes: bool,
    /// PubkeyAuthOptions touch-required
    pub(crate) touch_required: bool,
    /// PubkeyAuthOptions verify-required
    pub(crate) verify_required: bool,
    /// RequiredRSASize
    pub(crate) required_rsa_size: u32,
}

impl Default for KeyRules {
    fn default() -> Self {
        Self {
            authorized_keys_files: vec![
                ".ssh/authorized_keys".to_owned(),
                ".ssh/authorized_keys2".to_owned(),
            ],
            authorized_keys_command: None,
            authorized_keys_command_user: None,
            trusted_user_ca_keys: Vec::new(),
            authorized_principals_file: None,
            authorized_principals_command: None,
            authorized_principals_command_user: None,
            revoked_keys: Vec::new(),
            ca_signature_algorithms: DEFAULT_CA_ALGORITHMS.to_vec(),
            strict_modes: true,
            touch_required: false,
            verify_required: false,
            required_rsa_size: 1024,
        }
    }
}
