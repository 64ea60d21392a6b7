//! Certificates: loading a user's, judging a host's and a user's. OpenSSH PROTOCOL.certkeys, ssh(1), ssh_config(5) CertificateFile.
//! Touches: `*-cert.pub` files.   Never: the clock, known_hosts; whether the authority is trusted is asked elsewhere.
//! Invariants: a certificate without principals is good for nobody; one with a critical option we do not know is refused.
//! Errors: `CertificateError`, `PublicKeyError`.   Allocates: the certificate.
//! Proved by: `tests` below, with certificates made by ssh-keygen.

use std::fmt;
use std::path::{Path, PathBuf};

use adit_crypto::{Certificate, CertificateKind, PublicKey, SignatureAlgorithm};
use adit_pattern::{any_contains, matches_ignoring_case};

use crate::authorized_keys::{Grants, Login, describe_certificate};
use crate::public::{PublicKeyError, PublicKeyLine};

/// CASignatureAlgorithms unless configured: all we know.
pub const DEFAULT_CA_ALGORITHMS: &[SignatureAlgorithm] = SignatureAlgorithm::ALL;

/// Why a certificate is not good for what it was shown for. The texts are ssh's.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CertificateError {
    /// A user's.
    NotForHosts,
    /// A host's.
    NotForUsers,
    /// Its time has not come.
    NotYetValid,
    /// Its time is over.
    Expired,
    /// It names nobody.
    NoPrincipals,
    /// It names others.
    WrongPrincipal,
    /// It must not be used by whoever does not know this option, and we do not.
    CriticalOption,
    /// The same of a user's certificate, with the option's name.
    UnknownOption(String),
    /// An option or extension that says something twice, or has a value where there must be none.
    CorruptOption(String),
    /// `source-address` is no list of networks.
    InvalidSource,
    /// `source-address` does not have the client's.
    ForbiddenSource,
    /// The authority signed with an algorithm that is not allowed.
    DisallowedAlgorithm,
    /// The authority did not sign this.
    InvalidSignature,
}

/// Judges the certificate a host shows, but for whether its authority is one we trust for that host.
///
/// `host` is the name dialled or its HostKeyAlias, without a port; principals may be patterns. `now` is in
/// seconds of Unix time. `allowed` is CASignatureAlgorithms.
///
/// # Errors
/// [`CertificateError`].
pub fn check_host_certificate(
    certificate: &Certificate,
    host: &str,
    now: u64,
    allowed: &[SignatureAlgorithm],
) -> Result<(), CertificateError> {
    if certificate.kind != CertificateKind::Host {
        return Err(CertificateError::NotForHosts);
    }
    check_dates(certificate, now)?;
    if certificate.valid_principals.is_empty() {
        return Err(CertificateError::NoPrincipals);
    }
    let mut principals = certificate.valid_principals.iter();
    if !principals.any(|principal| matches_ignoring_case(host, principal)) {
        return Err(CertificateError::WrongPrincipal);
    }
    if !certificate.critical_options.is_empty() {
        return Err(CertificateError::CriticalOption);
    }
    check_signature(certificate, allowed)
}

/// Whom a user certificate must be for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder<'a> {
    /// For the user of this name.
    Named(&'a str),
    /// For one of these (`principals=`).
    OneOf(&'a [String]),
    /// Whoever asks has compared the principals (AuthorizedPrincipalsFile).
    Vouched,
}

/// Judges the certificate a user shows, but for whether its authority is trusted, and tells what it grants.
///
/// Principals are compared as they are; only a host's may be patterns.
///
/// # Errors
/// [`CertificateError`].
pub fn check_user_certificate(
    certificate: &Certificate,
    holder: Holder<'_>,
    login: &Login<'_>,
) -> Result<Grants, CertificateError> {
    if certificate.kind != CertificateKind::User {
        return Err(CertificateError::NotForUsers);
    }
    check_dates(certificate, login.now)?;
    check_holder(certificate, holder)?;
    let grants = granted(certificate, login)?;
    check_signature(certificate, login.ca_algorithms)?;
    Ok(grants)
}

fn check_holder(certificate: &Certificate, holder: Holder<'_>) -> Result<(), CertificateError> {
    let principals = &certificate.valid_principals;
    if principals.is_empty() {
        return Err(CertificateError::NoPrincipals);
    }
    let names = |name: &str| principals.iter().any(|principal| principal == name.as_bytes());
    let is_named = match holder {
        Holder::Named(user) => names(user),
        Holder::OneOf(users) => users.iter().any(|user| names(user)),
        Holder::Vouched => true,
    };
    if is_named { Ok(()) } else { Err(CertificateError::WrongPrincipal) }
}

/// Extensions that are read here; they have no value, and others do not matter.
const FLAGS: [&[u8]; 6] = [
    b"no-touch-required",
    b"permit-X11-forwarding",
    b"permit-agent-forwarding",
    b"permit-port-forwarding",
    b"permit-pty",
    b"permit-user-rc",
];

fn granted(certificate: &Certificate, login: &Login<'_>) -> Result<Grants, CertificateError> {
    let mut grants = Grants::of_extensions(certificate, &describe_certificate(certificate));
    let shown = |name: &[u8]| String::from_utf8_lossy(name).escape_debug().to_string();
    for extension in &certificate.extensions {
        if FLAGS.contains(&&*extension.name) && !extension.data.is_empty() {
            return Err(CertificateError::CorruptOption(shown(&extension.name)));
        }
    }
    let mut sources = Vec::new();
    for option in &certificate.critical_options {
        let corrupt = || CertificateError::CorruptOption(shown(&option.name));
        let text = || std::str::from_utf8(option.value()?).ok().map(str::to_owned);
        match &*option.name {
            b"force-command" if grants.command.is_none() => {
                grants.command = Some(text().ok_or_else(corrupt)?);
            }
            b"source-address" if sources.is_empty() => sources.push(text().ok_or_else(corrupt)?),
            b"verify-required" if option.data.is_empty() => grants.verify_required = true,
            b"force-command" | b"source-address" | b"verify-required" => return Err(corrupt()),
            name => return Err(CertificateError::UnknownOption(shown(name))),
        }
    }
    match sources.first().map(|list| any_contains(list, login.address)) {
        None | Some(Ok(true)) => Ok(grants),
        Some(Ok(false)) => Err(CertificateError::ForbiddenSource),
        Some(Err(_)) => Err(CertificateError::InvalidSource),
    }
}

/// From the first second on, before the last.
fn check_dates(certificate: &Certificate, now: u64) -> Result<(), CertificateError> {
    if now < certificate.valid_after {
        Err(CertificateError::NotYetValid)
    } else if now >= certificate.valid_before {
        Err(CertificateError::Expired)
    } else {
        Ok(())
    }
}

fn check_signature(
    certificate: &Certificate,
    allowed: &[SignatureAlgorithm],
) -> Result<(), CertificateError> {
    if !certificate.signature_algorithm().is_some_and(|algorithm| allowed.contains(&algorithm)) {
        return Err(CertificateError::DisallowedAlgorithm);
    }
    certificate.verify_ca().map_err(|_| CertificateError::InvalidSignature)
}

/// A certificate of the user's, from CertificateFile or found beside a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserCertificate {
    /// What it says.
    pub certificate: Certificate,
    /// What stands behind it in its file.
    pub comment: String,
}

impl UserCertificate {
    /// Reads a `-cert.pub` file. Dates and principals are left to the server.
    ///
    /// # Errors
    /// [`PublicKeyError::NotACertificate`] for a plain key and for a host's certificate.
    pub fn load(path: &Path) -> Result<Self, PublicKeyError> {
        let line = PublicKeyLine::load(path)?;
        match PublicKey::decode(&line.blob) {
            Ok(PublicKey::Certified(certificate)) if certificate.kind == CertificateKind::User => {
                Ok(Self { certificate: *certificate, comment: line.comment })
            }
            Ok(_) => Err(PublicKeyError::NotACertificate),
            Err(_) => Err(PublicKeyError::InvalidFormat),
        }
    }

    /// Where ssh looks for the certificate of the key in `path`: `path-cert.pub`.
    pub fn path_beside(path: &Path) -> PathBuf {
        let mut beside = path.as_os_str().to_owned();
        beside.push("-cert.pub");
        beside.into()
    }
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotForHosts => "Certificate invalid: not a host certificate",
            Self::NotForUsers => "Certificate invalid: not a user certificate",
            Self::NotYetValid => "Certificate invalid: not yet valid",
            Self::Expired => "Certificate invalid: expired",
            Self::NoPrincipals => "Certificate lacks principal list",
            Self::WrongPrincipal => "Certificate invalid: name is not a listed principal",
            Self::CriticalOption => "Certificate contains unsupported critical options",
            Self::UnknownOption(name) => {
                return write!(f, "Certificate critical option \"{name}\" is not supported");
            }
            Self::CorruptOption(name) => return write!(f, "Certificate option \"{name}\" corrupt"),
            Self::InvalidSource => "Certificate source-address contents invalid",
            Self::ForbiddenSource => {
                "Authentication tried with valid certificate but not from a permitted source address"
            }
            Self::DisallowedAlgorithm => "Certificate signed with disallowed algorithm",
            Self::InvalidSignature => "Certificate invalid: incorrect signature",
        })
    }
}

impl std::error::Error for CertificateError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::testdata;

    /// 2020-06-01, when all certificates with dates are valid.
    const NOW: u64 = 1_590_969_600;

    fn certificate(name: &str) -> Certificate {
        let line = PublicKeyLine::load(&testdata(&format!("certificate/{name}-cert.pub"))).unwrap();
        PublicKey::decode(&line.blob).unwrap().certificate().unwrap().clone()
    }

    #[test]
    fn host_certificates_are_judged_as_ssh_judges_them() {
        use CertificateError as Is;
        for (name, host, now, expected) in [
            ("host", "host.example.org", NOW, Ok(())),
            ("host", "host.example.org", 0, Ok(())),
            ("host", "a.wild.example.org", NOW, Ok(())),
            ("host", "192.0.2.7", NOW, Ok(())),
            ("host", "wild.example.org", NOW, Err(Is::WrongPrincipal)),
            ("host", "example.org", NOW, Err(Is::WrongPrincipal)),
            ("host", "host.example.org.evil.net", NOW, Err(Is::WrongPrincipal)),
            ("host", "*.wild.example.org", NOW, Ok(())),
            ("host-p256", "host.example.org", u64::MAX - 1, Ok(())),
            ("host-rsa-ca", "host.example.org", NOW, Ok(())),
            ("host-dated", "host.example.org", 1_577_836_799, Err(Is::NotYetValid)),
            ("host-dated", "host.example.org", 1_577_836_800, Ok(())),
            ("host-dated", "host.example.org", 1_609_459_199, Ok(())),
            ("host-dated", "host.example.org", 1_609_459_200, Err(Is::Expired)),
            ("host-nameless", "host.example.org", NOW, Err(Is::NoPrincipals)),
            ("host-critical", "host.example.org", NOW, Err(Is::CriticalOption)),
            ("host-sha1", "host.example.org", NOW, Err(Is::DisallowedAlgorithm)),
            ("user", "alice", NOW, Err(Is::NotForHosts)),
        ] {
            let judged =
                check_host_certificate(&certificate(name), host, now, DEFAULT_CA_ALGORITHMS);
            assert_eq!(judged, expected, "{name} {host} {now}");
        }
    }

    fn login<'a>(now: u64, address: &str, ca_algorithms: &'a [SignatureAlgorithm]) -> Login<'a> {
        let address = address.parse().unwrap();
        Login { user: "ada", address, host: None, now, from_local: |_| None, ca_algorithms }
    }

    #[test]
    fn user_certificates_are_judged_as_sshd_judges_them() {
        use CertificateError as Is;
        let option = |name: &str| name.to_owned();
        for (name, now, address, expected) in [
            ("user-plain", NOW, "192.0.2.7", Ok(())),
            ("user-full", NOW, "192.0.2.7", Ok(())),
            ("user-full", NOW, "2001:db8::7", Ok(())),
            ("user-full", NOW, "::ffff:192.0.2.7", Ok(())),
            ("user-full", NOW, "198.51.100.1", Err(Is::ForbiddenSource)),
            ("user-dated", 1_577_836_799, "::1", Err(Is::NotYetValid)),
            ("user-dated", 1_577_836_800, "::1", Ok(())),
            ("user-dated", 1_609_459_200, "::1", Err(Is::Expired)),
            ("user-nameless", NOW, "::1", Err(Is::NoPrincipals)),
            ("user", NOW, "::1", Err(Is::WrongPrincipal)),
            ("user-critical", NOW, "::1", Err(Is::UnknownOption(option("unheard-of@example.org")))),
            ("user-extension", NOW, "::1", Ok(())),
            ("user-misplaced", NOW, "::1", Err(Is::CorruptOption(option("permit-pty")))),
            ("user-nowhere", NOW, "::1", Err(Is::InvalidSource)),
            ("host", NOW, "::1", Err(Is::NotForUsers)),
        ] {
            let login = login(now, address, DEFAULT_CA_ALGORITHMS);
            let judged = check_user_certificate(&certificate(name), Holder::Named("ada"), &login);
            assert_eq!(judged.map(|_| ()), expected, "{name} {now} {address}");
        }
    }

    #[test]
    fn what_an_authority_signed_with_and_what_it_signed_matters() {
        let login = login(NOW, "::1", &[SignatureAlgorithm::RsaSha2_512]);
        let plain = certificate("user-plain");
        let judged = check_user_certificate(&plain, Holder::Vouched, &login);
        assert_eq!(judged, Err(CertificateError::DisallowedAlgorithm));
        let mut changed = plain.blob().to_vec();
        let at = changed.windows(5).position(|part| part == b"grace").unwrap();
        changed[at] = b'b';
        let changed = PublicKey::decode(&changed).unwrap().certificate().unwrap().clone();
        let login = Login { ca_algorithms: DEFAULT_CA_ALGORITHMS, ..login };
        let judged = check_user_certificate(&changed, Holder::Named("brace"), &login);
        assert_eq!(judged, Err(CertificateError::InvalidSignature));
    }

    #[test]
    fn only_listed_signature_algorithms_are_taken() {
        let judge = |allowed: &[SignatureAlgorithm]| {
            check_host_certificate(&certificate("host"), "host.example.org", NOW, allowed)
        };
        assert_eq!(judge(&[SignatureAlgorithm::Ed25519]), Ok(()));
        let others = [SignatureAlgorithm::RsaSha2_256, SignatureAlgorithm::EcdsaNistp256];
        assert_eq!(judge(&others), Err(CertificateError::DisallowedAlgorithm));
    }

    #[test]
    fn a_changed_certificate_is_not_what_the_authority_signed() {
        let blob = certificate("host").blob().to_vec();
        let at = blob.windows(16).position(|part| part == b"host.example.org").unwrap();
        let mut changed = blob.clone();
        changed[at] = b'm';
        let changed = PublicKey::decode(&changed).unwrap().certificate().unwrap().clone();
        assert_eq!(
            check_host_certificate(&changed, "most.example.org", NOW, DEFAULT_CA_ALGORITHMS),
            Err(CertificateError::InvalidSignature)
        );
    }

    #[test]
    fn only_user_certificates_are_loaded_for_users() {
        let load = |name: &str| UserCertificate::load(&testdata(name));
        let user = load("certificate/user-cert.pub").unwrap();
        assert_eq!(user.certificate.serial, 42);
        assert_eq!(user.certificate.valid_principals, [b"alice".to_vec(), b"bob".to_vec()]);
        assert_eq!(user.comment, "ed25519@adit");
        for name in ["certificate/host-cert.pub", "private/ed25519.pub"] {
            assert!(matches!(load(name), Err(PublicKeyError::NotACertificate)), "{name}");
        }
        assert_eq!(
            UserCertificate::path_beside(Path::new("/home/me/.ssh/id_ed25519")),
            Path::new("/home/me/.ssh/id_ed25519-cert.pub")
        );
    }
}
