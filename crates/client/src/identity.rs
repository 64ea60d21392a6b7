//! Identities: the keys a user may log in with, from files and from the agent, in the order they are offered.
//! Touches: key files, the agent's socket, the terminal for passphrases.   Never: the login's messages.
//! Invariants: a passphrase is asked for only when the server wants the key; each key is offered once.
//! Errors: printed in ssh's words; the key is left out.   Allocates: public halves; private ones while they sign.
//! Proved by: interop `auth_methods.rs`.

use crate::log::{debug, error, info};
use crate::prompt::{Echo, Prompter};
use adit_auth::client::SignRequest;
use adit_config::Options;
use adit_crypto::{PublicKey, SignatureAlgorithm, SystemRandom};
use adit_keys::agent::{Agent, Patient, SessionBind, SignFlags};
use adit_keys::private::{Cause, KeyFile, PrivateKey};
use adit_keys::public::PublicKeyLine;
use std::env;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use zeroize::Zeroizing;

/// How long the agent may take to list its keys.
const AGENT_LISTS: Duration = Duration::from_secs(10);

/// How long it may take to sign: its user may have to touch something.
const AGENT_SIGNS: Duration = Duration::from_secs(120);

/// Passphrases tried per key, as ssh does.
const PASSPHRASES: usize = 3;

/// A key to offer.
pub(crate) struct Identity {
    /// Key or certificate blob.
    pub(crate) blob: Vec<u8>,
    /// For messages: a path, or the agent's comment.
    name: String,
    source: Source,
}

enum Source {
    /// The agent signs with the key of this blob.
    Agent(Vec<u8>),
    /// The file holds the private key.
    File(KeyFile),
}

/// All keys of one login.
pub(crate) struct Identities {
    list: Vec<Identity>,
    next: usize,
    agent: Option<Agent<Patient>>,
}

impl Identities {
    /// Collects them: those of the agent that are named by files, the agent's others, then files.
    pub(crate) fn collect(options: &Options) -> Self {
        let (files, named) = options.identity_files_to_try();
        let mut agent = connect(options);
        let mut held = agent.as_mut().map(list).unwrap_or_default();
        let mut list = Vec::new();
        let mut from_files = Vec::new();
        for path in files {
            let path = Path::new(path);
            let Some((file, public)) = load(path, named) else { continue };
            let certificates = certificates(path, &options.certificate_files, &public);
            let own = held.iter().position(|identity| identity.blob == public);
            let (target, source): (&mut Vec<_>, _) = match (own, file) {
                (Some(at), _) => {
                    held.remove(at);
                    (&mut list, Err(public.clone()))
                }
                (None, Some(file)) => (&mut from_files, Ok(file)),
                (None, None) => continue,
            };
            add(target, path, certificates, public, source);
        }
        if !options.identities_only {
            list.append(&mut held);
        }
        list.append(&mut from_files);
        Self { list, next: 0, agent }
    }

    /// The next key; from the first again where the login starts over.
    pub(crate) fn next(&mut self, first: bool) -> Option<&Identity> {
        if first {
            self.next = 0;
        }
        let identity = self.list.get(self.next)?;
        self.next += 1;
        debug!("Offering public key: {} {}", identity.name, describe(&identity.blob));
        Some(identity)
    }

    /// Whether the first key can sign without anybody being asked, so that no probe is needed.
    pub(crate) fn first_is_ready(&self) -> bool {
        matches!(self.list.first(), Some(Identity { source: Source::File(file), .. }) if !file.is_encrypted())
    }

    /// Signs what the login asks for; nothing if it cannot be done.
    pub(crate) fn sign(&mut self, request: &SignRequest, prompter: &Prompter) -> Option<Vec<u8>> {
        let identity = self.list.iter().find(|identity| identity.blob == request.public_key)?;
        match &identity.source {
            Source::Agent(key) => {
                let agent = self.agent.as_mut()?;
                agent.set_patience(AGENT_SIGNS);
                agent
                    .sign(
                        key,
                        &request.data,
                        SignFlags::for_algorithm(&request.signature_algorithm),
                    )
                    .map_err(|failed| {
                        error!(
                            "sign_and_send_pubkey: signing failed for \"{}\": {failed}",
                            identity.name
                        )
                    })
                    .ok()
            }
            Source::File(file) => {
                let key = unlock(file, prompter)?;
                let algorithm = SignatureAlgorithm::from_name(&request.signature_algorithm)?;
                key.key
                    .sign(algorithm, &request.data, &mut SystemRandom::new())
                    .map_err(|failed| {
                        error!(
                            "sign_and_send_pubkey: signing failed for \"{}\": {failed}",
                            identity.name
                        )
                    })
                    .ok()
            }
        }
    }

    /// Tells the agent which session it signs for.
    pub(crate) fn bind(&mut self, bind: &SessionBind<'_>) {
        if let Some(agent) = &mut self.agent {
            if let Err(failed) = agent.bind_session(bind) {
                debug!("agent does not bind keys to sessions: {failed}");
            }
        }
    }
}

/// A certificate goes before the bare key it certifies, and is signed for by the same key.
fn add(
    target: &mut Vec<Identity>,
    path: &Path,
    certificates: Vec<Vec<u8>>,
    public: Vec<u8>,
    source: Result<KeyFile, Vec<u8>>,
) {
    let name = path.display().to_string();
    for blob in certificates.into_iter().chain([public]) {
        let source = match &source {
            Err(held) => Source::Agent(held.clone()),
            Ok(file) => match KeyFile::load(file.path()) {
                Ok(file) => Source::File(file),
                Err(_) => continue,
            },
        };
        target.push(Identity { blob, name: name.clone(), source });
    }
}

/// The private key file, if it is there, and the public key, from beside it if need be.
fn load(path: &Path, named: bool) -> Option<(Option<KeyFile>, Vec<u8>)> {
    let beside = PublicKeyLine::load(&with_suffix(path, ".pub")).ok().map(|line| line.blob);
    let file = match KeyFile::load(path) {
        Ok(file) => Some(file),
        Err(failed) => {
            explain(&failed, named && beside.is_none());
            None
        }
    };
    let in_file = || {
        let file = file.as_ref()?;
        // Formats that hide the public key show it once they are open.
        file.public_blob().or_else(|| file.unlock(b"").ok().map(|key| key.key.public_blob()))
    };
    // A path may name the public key alone, with the private one in the agent.
    let public =
        in_file().or(beside).or_else(|| PublicKeyLine::load(path).ok().map(|line| line.blob))?;
    Some((file, public))
}

fn explain(failed: &adit_keys::private::LoadError, named: bool) {
    match &failed.cause {
        Cause::Io(error) if error.kind() == io::ErrorKind::NotFound => {
            if named {
                let path = failed.path.display();
                info!(
                    "Warning: Identity file {path} not accessible: {}.",
                    adit_forward::os_words(error)
                );
            }
        }
        _ => error!("{failed}"),
    }
}

fn unlock(file: &KeyFile, prompter: &Prompter) -> Option<PrivateKey> {
    let question = format!("Enter passphrase for key '{}': ", file.path().display());
    let ask = || {
        prompter.ask(&question, Echo::Off).map(|answer| Zeroizing::new(answer.as_bytes().to_vec()))
    };
    file.unlock_asking(PASSPHRASES, ask).map_err(|failed| error!("{failed}")).ok()
}

/// `key-cert.pub` beside the key, and CertificateFile where it certifies this key.
fn certificates(path: &Path, configured: &[String], public: &[u8]) -> Vec<Vec<u8>> {
    let beside = with_suffix(path, "-cert.pub");
    let files = configured.iter().map(PathBuf::from).chain([beside]);
    let certifies = |blob: &Vec<u8>| {
        PublicKey::decode(blob)
            .is_ok_and(|key| key.certificate().is_some() && key.key().encode() == public)
    };
    files
        .filter_map(|file| PublicKeyLine::load(&file).ok())
        .map(|line| line.blob)
        .filter(certifies)
        .collect()
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut text = path.as_os_str().to_owned();
    text.push(suffix);
    text.into()
}

/// The agent the options name.
fn connect(options: &Options) -> Option<Agent<Patient>> {
    let path = match options.identity_agent.as_deref() {
        Some("none") => return None,
        None | Some("SSH_AUTH_SOCK") => env::var("SSH_AUTH_SOCK").ok()?,
        Some(name) => match name.strip_prefix('$') {
            Some(variable) => env::var(variable).ok()?,
            None => name.to_owned(),
        },
    };
    Agent::connect(Path::new(&path), AGENT_LISTS)
        .map_err(|failed| {
            debug!("cannot reach agent at {path}: {}", adit_forward::os_words(&failed))
        })
        .ok()
}

fn list(agent: &mut Agent<Patient>) -> Vec<Identity> {
    match agent.identities() {
        Ok(identities) => identities
            .iter()
            .map(|identity| Identity {
                blob: identity.blob.to_vec(),
                name: crate::log::sanitized(identity.comment),
                source: Source::Agent(identity.blob.to_vec()),
            })
            .collect(),
        Err(failed) => {
            debug!("agent lists no keys: {failed}");
            Vec::new()
        }
    }
}

/// `ED25519 SHA256:…`
pub(crate) fn describe(blob: &[u8]) -> String {
    let name = adit_keys::public::key_type(blob).unwrap_or("unknown");
    let fingerprint = PublicKey::decode(blob).map(|key| key.fingerprint());
    let fingerprint = fingerprint.unwrap_or_else(|_| adit_crypto::fingerprint(blob));
    format!("{} {fingerprint}", adit_keys::fingerprint::type_name(name))
}
