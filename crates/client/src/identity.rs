//! Identities: the keys a user may log in with, from files and from the agent, in the order they are offered. ssh(1) -i.
//! Touches: key files, the agent's socket, the terminal for passphrases.   Never: the login's messages.
//! Invariants: a passphrase is asked for only when the server wants the key, or when nothing else tells what the key is.
//! Errors: printed in ssh's words; the key is left out.   Allocates: public halves; private ones while they sign.
//! Proved by: `tests` below, interop `auth_methods.rs`.

use crate::log::{debug, error, info};
use crate::prompt::{Echo, Prompter};
use adit_auth::client::{KeyUse, SignRequest};
use adit_config::{Options, Surroundings};
use adit_crypto::{PublicKey, SignatureAlgorithm, SigningKey, SystemRandom};
use adit_forward::os_words;
use adit_keys::agent::{Agent, Patient, SessionBind, SignFlags};
use adit_keys::certificate::UserCertificate;
use adit_keys::fingerprint::{key_bits, type_name};
use adit_keys::private::{Cause, KeyFile, LoadError, public_half};
use adit_keys::public::key_type;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use zeroize::Zeroizing;

/// How long the agent may take to list its keys.
const AGENT_LISTS: Duration = Duration::from_secs(10);

/// How long it may take to sign: its user may have to touch something.
const AGENT_SIGNS: Duration = Duration::from_secs(120);

/// A key that may be offered.
struct Identity {
    /// Key or certificate blob; some files do not show it before they are open.
    blob: Option<Vec<u8>>,
    /// For messages: a path, or the agent's comment.
    name: String,
    /// The user named it.
    named: bool,
    signer: Signer,
}

/// Who signs.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Signer {
    /// The agent, with its key of this blob.
    Agent(Vec<u8>),
    /// The private key in this file.
    File(PathBuf),
    /// Whoever of the others holds the key that this certificate is for.
    Holder,
}

/// A key to offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Offered {
    /// Key or certificate blob.
    pub(crate) blob: Vec<u8>,
    /// Whether the server is to be asked first.
    pub(crate) key_use: KeyUse,
}

/// All keys of one login.
pub(crate) struct Identities {
    /// In the order they are offered; the agent's are put among them when the login begins.
    list: Vec<Identity>,
    next: usize,
    agent: AgentState,
    /// A file that had to be opened to see its public half.
    open: Option<SigningKey>,
    /// Leave out what of the agent's no file names (`IdentitiesOnly`).
    files_only: bool,
    passphrases: usize,
    rsa_bits: u32,
}

enum AgentState {
    None,
    /// There may be one at this path.
    At(String),
    Connected(Agent<Patient>),
}

impl Identities {
    /// Collects what the files tell without a passphrase; the agent waits for the session it can be bound to.
    pub(crate) fn collect(options: &Options, surroundings: &dyn Surroundings) -> Self {
        Self {
            list: certificates(&options.certificate_files).chain(files(options)).collect(),
            next: 0,
            agent: options.agent_socket(surroundings).map_or(AgentState::None, AgentState::At),
            open: None,
            files_only: options.identities_only,
            passphrases: options.number_of_password_prompts as usize,
            rsa_bits: options.required_rsa_size,
        }
    }

    /// The session stands: the agent learns which it signs for, and then shows its keys.
    pub(crate) fn begin(&mut self, bind: &SessionBind<'_>) {
        if let AgentState::At(path) = &self.agent {
            self.agent = match connect(path, bind) {
                Some(agent) => AgentState::Connected(agent),
                None => AgentState::None,
            };
        }
        if let AgentState::Connected(agent) = &mut self.agent {
            let held = list(agent);
            self.merge(held);
        }
        let wanted = self.rsa_bits;
        self.list.retain(|identity| identity.is_usable(wanted));
        for identity in &self.list {
            debug!("Will attempt key: {identity}");
        }
    }

    /// Certificates of the configuration, the agent's keys that files name, its others, the other files.
    fn merge(&mut self, mut held: Vec<Identity>) {
        let configured = self.list.iter().take_while(|identity| identity.signer == Signer::Holder);
        let mut files = self.list.split_off(configured.count());
        let mut others = Vec::new();
        for key in held.drain(..) {
            match files.iter().position(|file| file.blob == key.blob) {
                Some(at) => self.list.push(Identity { signer: key.signer, ..files.remove(at) }),
                None if self.files_only => {}
                None => others.push(key),
            }
        }
        self.list.append(&mut others);
        self.list.append(&mut files);
    }

    /// The next key; from the first again where the login starts over.
    pub(crate) fn next(&mut self, first: bool, prompter: &dyn Prompter) -> Option<Offered> {
        if first {
            self.next = 0;
        }
        self.open = None;
        loop {
            let at = self.next;
            let identity = self.list.get(at)?;
            self.next += 1;
            if let Some(blob) = identity.blob.clone() {
                debug!("Offering public key: {identity}");
                // A key that is at hand is signed with at once: asking first would cost a round trip.
                let at_hand = at == 0 && self.first_is_ready();
                let key_use = if at_hand { KeyUse::SignAtOnce } else { KeyUse::Probe };
                return Some(Offered { blob, key_use });
            }
            debug!("Trying private key: {}", identity.name);
            let Signer::File(path) = &identity.signer else { continue };
            if let Some(key) = self.unlock(path, prompter) {
                let blob = key.public_blob();
                self.list[at].blob = Some(blob.clone());
                self.open = Some(key);
                return Some(Offered { blob, key_use: KeyUse::SignAtOnce });
            }
        }
    }

    /// Whether the first key can sign without anybody being asked, so that no probe is needed.
    pub(crate) fn first_is_ready(&self) -> bool {
        match (&self.agent, self.list.first()) {
            (
                AgentState::None,
                Some(Identity { blob: Some(_), signer: Signer::File(path), .. }),
            ) => KeyFile::load(path).is_ok_and(|file| !file.is_encrypted()),
            _ => false,
        }
    }

    /// Signs what the login asks for; nothing if it cannot be done.
    pub(crate) fn sign(
        &mut self,
        request: &SignRequest,
        prompter: &dyn Prompter,
    ) -> Option<Vec<u8>> {
        let identity = self.of(&request.public_key)?;
        let name = identity.to_string();
        if let Some(key) = self.open.as_ref().filter(|key| key.public_blob() == request.public_key)
        {
            return sign(key, &name, request);
        }
        match self.signer_of(identity).clone() {
            Signer::File(path) => {
                let key = self.unlock(&path, prompter)?;
                if key.public_blob() != plain(&request.public_key) {
                    error!("private key {} contents do not match public", path.display());
                    return None;
                }
                sign(&key, &name, request)
            }
            Signer::Agent(blob) => {
                let AgentState::Connected(agent) = &mut self.agent else { return None };
                agent.set_patience(AGENT_SIGNS);
                let flags = SignFlags::for_algorithm(&request.signature_algorithm);
                let signed = agent.sign(&blob, &request.data, flags);
                signed.map_err(|failed| signing_failed(&name, &failed)).ok()
            }
            Signer::Holder => {
                error!("no private key for cert {name}");
                None
            }
        }
    }

    fn of(&self, blob: &[u8]) -> Option<&Identity> {
        self.list.iter().find(|identity| identity.blob.as_deref() == Some(blob))
    }

    /// A certificate is signed for by an agent that has it, else by whoever holds its key.
    fn signer_of<'a>(&'a self, identity: &'a Identity) -> &'a Signer {
        let in_agent = |other: &&Identity| {
            matches!(other.signer, Signer::Agent(_)) && other.blob == identity.blob
        };
        let key = identity.blob.as_deref().map(plain);
        let mut all = self.list.iter();
        let found = all.clone().find(in_agent).or_else(|| all.find(|other| other.blob == key));
        &found.unwrap_or(identity).signer
    }

    /// Opens a private key file, asking for its passphrase if it has one.
    fn unlock(&self, path: &Path, prompter: &dyn Prompter) -> Option<SigningKey> {
        let question = format!("Enter passphrase for key '{}': ", path.display());
        let ask = || {
            let answer = prompter.ask(&question, Echo::Off);
            answer.map(|answer| Zeroizing::new(answer.as_bytes().to_vec()))
        };
        let opened = KeyFile::load(path).and_then(|file| file.unlock_asking(self.passphrases, ask));
        let key = opened.map_err(|failed| explain(&failed)).ok()?.key;
        if is_short(&key.public_blob(), self.rsa_bits) {
            debug!("Skipping key {}: Invalid key length", path.display());
            return None;
        }
        Some(key)
    }
}

impl Identity {
    /// Whether it is long enough, and no security key that only an agent could use.
    fn is_usable(&self, rsa_bits: u32) -> bool {
        let Some(blob) = &self.blob else { return true };
        let in_hardware = key_type(blob).is_some_and(|name| name.starts_with("sk-"));
        if in_hardware && matches!(self.signer, Signer::File(_)) {
            debug!("ignoring authenticator-hosted key {}: only an agent can use it", self.name);
            return false;
        }
        if is_short(blob, rsa_bits) {
            debug!("Skipping key {}: Invalid key length", self.name);
            return false;
        }
        true
    }
}

/// As ssh -v shows it: `path ED25519 SHA256:… explicit agent`.
impl std::fmt::Display for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)?;
        if let Some(blob) = &self.blob {
            write!(f, " {}", describe(blob))?;
        }
        f.write_str(if self.named { " explicit" } else { "" })?;
        f.write_str(if matches!(self.signer, Signer::Agent(_)) { " agent" } else { "" })
    }
}

/// CertificateFile: whoever has the key signs.
fn certificates(files: &[String]) -> impl Iterator<Item = Identity> {
    files.iter().filter_map(|name| {
        let loaded = UserCertificate::load(Path::new(name));
        let certificate = loaded.map_err(|failed| debug!("ignoring certificate {name}: {failed}"));
        Some(Identity {
            blob: Some(certificate.ok()?.certificate.blob().to_vec()),
            name: name.clone(),
            named: true,
            signer: Signer::Holder,
        })
    })
}

/// Each private key and, unless CertificateFile names others, the certificate beside it.
fn files(options: &Options) -> impl Iterator<Item = Identity> {
    let (paths, named) = options.identity_files_to_try();
    let beside = options.certificate_files.is_empty();
    paths.into_iter().map(PathBuf::from).flat_map(move |path| {
        let blob = public_half(&path).map(|line| line.blob);
        debug!("identity file {} type {}", path.display(), blob.as_deref().map_or("-1", type_of));
        let there = is_there(&path, named && blob.is_none());
        let certificate =
            beside.then(|| UserCertificate::load(&UserCertificate::path_beside(&path)));
        let identity = |blob: Option<Vec<u8>>| Identity {
            blob,
            name: path.display().to_string(),
            named,
            signer: Signer::File(path.clone()),
        };
        let key = (there || blob.is_some()).then(|| identity(blob));
        let certificate = certificate
            .and_then(Result::ok)
            .map(|it| identity(Some(it.certificate.blob().to_vec())));
        key.into_iter().chain(certificate).collect::<Vec<_>>()
    })
}

/// A file that is not there may still be in the agent; one that nothing is known of is worth a warning.
fn is_there(path: &Path, warn: bool) -> bool {
    match std::fs::metadata(path) {
        Ok(_) => true,
        Err(error) => {
            if warn {
                let words = os_words(&error);
                info!("Warning: Identity file {} not accessible: {words}.", path.display());
            }
            false
        }
    }
}

fn explain(failed: &LoadError) {
    match &failed.cause {
        Cause::WrongPassphrase => debug!("{failed}"),
        Cause::Io(error) if error.kind() == io::ErrorKind::NotFound => {
            info!("no such identity: {}: {}", failed.path.display(), os_words(error));
        }
        Cause::Unprotected(unprotected) => error!("{unprotected}\n{failed}"),
        _ => error!("{failed}"),
    }
}

fn sign(key: &SigningKey, name: &str, request: &SignRequest) -> Option<Vec<u8>> {
    let algorithm = SignatureAlgorithm::from_name(&request.signature_algorithm)?;
    let signed = key.sign(algorithm, &request.data, &mut SystemRandom::new());
    signed.map_err(|failed| signing_failed(name, &failed)).ok()
}

fn signing_failed(name: &str, failed: &dyn std::fmt::Display) {
    error!("sign_and_send_pubkey: signing failed for {name}: {failed}");
}

/// The agent at `path`, bound to the session before it is asked for anything.
fn connect(path: &str, bind: &SessionBind<'_>) -> Option<Agent<Patient>> {
    let mut agent = Agent::connect(Path::new(path), AGENT_LISTS)
        .map_err(|failed| debug!("cannot reach agent at {path}: {}", os_words(&failed)))
        .ok()?;
    match agent.bind_session(bind) {
        Ok(()) => debug!("bound agent to hostkey"),
        Err(failed) => debug!("agent does not bind keys to sessions: {failed}"),
    }
    Some(agent)
}

fn list(agent: &mut Agent<Patient>) -> Vec<Identity> {
    let identities = agent.identities().map_err(|failed| debug!("agent lists no keys: {failed}"));
    let identities = identities.ok();
    let all = identities.iter().flat_map(|identities| identities.iter());
    all.map(|identity| Identity {
        blob: Some(identity.blob.to_vec()),
        name: crate::log::sanitized(identity.comment),
        named: false,
        signer: Signer::Agent(identity.blob.to_vec()),
    })
    .collect()
}

/// The key inside a certificate, or the key itself.
fn plain(blob: &[u8]) -> Vec<u8> {
    PublicKey::decode(blob).map_or_else(|_| blob.to_vec(), |key| key.key().encode())
}

/// Whether an RSA key has fewer bits than RequiredRSASize asks for.
pub(crate) fn is_short(blob: &[u8], required: u32) -> bool {
    let plain = plain(blob);
    key_type(&plain) == Some("ssh-rsa") && key_bits(&plain).is_none_or(|bits| bits < required)
}

fn type_of(blob: &[u8]) -> &str {
    type_name(key_type(blob).unwrap_or("unknown"))
}

/// `ED25519 SHA256:…`
pub(crate) fn describe(blob: &[u8]) -> String {
    let fingerprint = PublicKey::decode(blob).map(|key| key.fingerprint());
    let fingerprint = fingerprint.unwrap_or_else(|_| adit_crypto::fingerprint(blob));
    format!("{} {fingerprint}", type_of(blob))
}

#[cfg(test)]
mod tests;
