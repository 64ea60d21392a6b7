//! A real ssh-agent, agents that lie, and agents that do not answer.

use std::io::Cursor;
use std::os::unix::net::UnixListener;
use std::process::{Child, Command, Stdio};
use std::thread;

use adit_crypto::{PublicKey, SignatureAlgorithm};

use super::*;
use crate::public::PublicKeyLine;
use crate::testing::{Scratch, run, testdata};

/// Says what it was told to and keeps what it is told.
struct Scripted {
    replies: Cursor<Vec<u8>>,
    requests: Vec<u8>,
}

impl Read for Scripted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.replies.read(buffer)
    }
}

impl Write for Scripted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.requests.write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn scripted(replies: &[u8]) -> Agent<Scripted> {
    Agent::new(Scripted { replies: Cursor::new(replies.to_vec()), requests: Vec::new() })
}

fn framed(message: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    message.encode(&mut frame);
    frame
}

#[test]
fn requests_have_the_form_of_the_draft() {
    let mut agent = scripted(&framed(&[12, 0, 0, 0, 0]));
    agent.identities().unwrap();
    assert_eq!(agent.stream.requests, [0, 0, 0, 1, 11]);
    let mut agent = scripted(&framed(&[14, 0, 0, 0, 3, 1, 2, 3]));
    assert_eq!(agent.sign(b"key", b"data", SignFlags::RsaSha2_512).unwrap(), [1, 2, 3]);
    assert_eq!(agent.stream.requests, b"\0\0\0\x14\x0d\0\0\0\x03key\0\0\0\x04data\0\0\0\x04");
    let mut agent = scripted(&framed(&[6]));
    let bind =
        SessionBind { host_key: b"k", session_id: b"i", signature: b"s", is_forwarding: true };
    agent.bind_session(&bind).unwrap();
    assert_eq!(
        agent.stream.requests,
        b"\0\0\0\x2d\x1b\0\0\0\x18session-bind@openssh.com\0\0\0\x01k\0\0\0\x01i\0\0\0\x01s\x01"
    );
}

#[test]
fn flags_follow_the_signature_algorithm() {
    for (name, flags) in [
        ("rsa-sha2-256", 2),
        ("rsa-sha2-512", 4),
        ("rsa-sha2-512-cert-v01@openssh.com", 4),
        ("ssh-ed25519", 0),
        ("sk-ssh-ed25519@openssh.com", 0),
    ] {
        assert_eq!(SignFlags::for_algorithm(name) as u32, flags, "{name}");
    }
}

#[test]
fn keys_of_every_kind_are_listed() {
    let mut reply = vec![12, 0, 0, 0, 2];
    for text in [&b"sk-blob"[..], b"security key", b"certificate", b"\xff"] {
        text.encode(&mut reply);
    }
    let keys = scripted(&framed(&reply)).identities().unwrap();
    let keys: Vec<_> = keys.iter().map(|key| (key.blob, key.comment)).collect();
    assert_eq!(keys, [(&b"sk-blob"[..], &b"security key"[..]), (b"certificate", b"\xff")]);
    let none = scripted(&framed(&[12, 0, 0, 0, 0])).identities().unwrap();
    assert!(none.is_empty());
}

/// What each reply to "which keys are there?" comes to.
#[test]
fn replies_that_are_no_list_are_refused() {
    let kind = |replies: &[u8]| match scripted(replies).identities().unwrap_err() {
        AgentError::Refused => "refused",
        AgentError::UnexpectedReply(_) => "unexpected",
        AgentError::InvalidReply(_) => "invalid",
        AgentError::TooLarge => "too large",
        AgentError::RequestTooLarge => "request",
        AgentError::Io(_) => "io",
    };
    let many = [&[12][..], &2049_u32.to_be_bytes(), &[0; 2049 * 8]].concat();
    let hundred_thousand = [&[12][..], &100_000_u32.to_be_bytes()].concat();
    for (name, replies, expected) in [
        ("closed", vec![], "io"),
        ("closed in the length", vec![0, 0], "io"),
        ("closed in the reply", vec![0, 0, 0, 9, 12, 0], "io"),
        ("4 GiB", vec![0xff; 4], "too large"),
        ("one byte too long", 262_145_u32.to_be_bytes().to_vec(), "too large"),
        ("failure", framed(&[5]), "refused"),
        ("extension failure", framed(&[28]), "refused"),
        ("success", framed(&[6]), "unexpected"),
        ("empty", framed(&[]), "invalid"),
        ("no count", framed(&[12]), "invalid"),
        ("a key too few", framed(&[12, 0, 0, 0, 1]), "invalid"),
        ("a key too many", framed(&[12, 0, 0, 0, 0, 0]), "invalid"),
        ("2049 keys", framed(&many), "too large"),
        ("100 000 keys", framed(&hundred_thousand), "too large"),
        ("key longer than the reply", framed(&[12, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff]), "invalid"),
    ] {
        assert_eq!(kind(&replies), expected, "{name}");
    }
}

#[test]
fn a_request_longer_than_an_agent_takes_is_not_sent() {
    let mut agent = scripted(&[]);
    let signed = agent.sign(b"key", &[0; MAX_MESSAGE], SignFlags::None);
    assert!(matches!(signed, Err(AgentError::RequestTooLarge)));
    assert!(agent.stream.requests.is_empty());
}

const PATIENCE: Duration = Duration::from_millis(100);

/// Answers the first connection with `serve` until the client hangs up.
fn listening(
    scratch: &Scratch,
    serve: impl FnOnce(UnixStream) + Send + 'static,
) -> (Agent<Patient>, thread::JoinHandle<()>) {
    let path = scratch.path().join("agent");
    let listener = UnixListener::bind(&path).unwrap();
    let server = thread::spawn(move || serve(listener.accept().unwrap().0));
    (Agent::connect(&path, PATIENCE).unwrap(), server)
}

fn times_out(mut agent: Agent<Patient>) {
    let began = Instant::now();
    let error = agent.identities().unwrap_err();
    let AgentError::Io(error) = error else { panic!("{error:?}") };
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    assert!(began.elapsed() >= PATIENCE);
}

#[test]
fn silence_is_not_waited_out() {
    let scratch = Scratch::new("silent-agent");
    let (agent, server) = listening(&scratch, |mut stream| {
        let _ = io::copy(&mut stream, &mut io::sink());
    });
    times_out(agent);
    server.join().unwrap();
}

/// There is always another byte, but never a whole reply.
#[test]
fn a_reply_that_does_not_end_is_not_waited_out() {
    let scratch = Scratch::new("endless-agent");
    let (agent, server) =
        listening(&scratch, |mut stream| while stream.write_all(&[0; 64]).is_ok() {});
    let mut stream = agent.stream;
    stream.write_all(&[0]).unwrap();
    let error = loop {
        if let Err(error) = stream.read(&mut [0]) {
            break error;
        }
    };
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    drop(stream);
    server.join().unwrap();
}

#[test]
fn every_request_has_its_own_time() {
    let scratch = Scratch::new("patient-agent");
    let (mut agent, server) = listening(&scratch, |mut stream| {
        while stream.read_exact(&mut [0; 5]).is_ok() {
            stream.write_all(&framed(&[12, 0, 0, 0, 0])).unwrap();
        }
    });
    agent.set_patience(Duration::from_secs(60));
    agent.identities().unwrap();
    agent.stream.deadline = Instant::now();
    agent.identities().unwrap();
    drop(agent);
    server.join().unwrap();
}

/// ssh-agent with the given keys of `testdata`; gone with the test.
struct RealAgent {
    process: Child,
    scratch: Scratch,
}

impl RealAgent {
    fn start(name: &str, keys: &[&str]) -> Option<Self> {
        run("ssh-agent", &["-h"])?;
        let scratch = Scratch::new(name);
        let socket = scratch.path().join("agent");
        let mut process = Command::new("ssh-agent");
        let process =
            process.arg("-D").arg("-a").arg(&socket).stdout(Stdio::null()).spawn().unwrap();
        let mut agent = Self { process, scratch };
        // The socket is there a moment before anybody listens.
        while UnixStream::connect(&socket).is_err() {
            assert!(agent.process.try_wait().unwrap().is_none(), "ssh-agent ended");
            thread::yield_now();
        }
        for key in keys {
            let file = agent.scratch.copy(key, "key");
            let mut add = Command::new("ssh-add");
            let add = add.arg("-q").arg(&file).env("SSH_AUTH_SOCK", &socket).output().unwrap();
            assert!(add.status.success(), "{}", String::from_utf8_lossy(&add.stderr));
        }
        Some(agent)
    }

    fn connect(&self) -> Agent<Patient> {
        Agent::connect(&self.scratch.path().join("agent"), Duration::from_secs(10)).unwrap()
    }
}

impl Drop for RealAgent {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_real_agent_lists_its_keys_and_signs_with_them() {
    let files = ["private/ed25519.openssh", "private/p384.openssh", "private/rsa.openssh"];
    let Some(real) = RealAgent::start("real-agent", &files) else { return };
    let mut agent = real.connect();
    let keys = agent.identities().unwrap();
    assert_eq!(keys.len(), 3);
    for key in keys.iter() {
        let public = PublicKey::decode(key.blob).unwrap();
        for algorithm in public.algorithms() {
            let flags = SignFlags::for_algorithm(algorithm.name());
            let signature = agent.sign(key.blob, b"message", flags).unwrap();
            assert_eq!(public.verify(algorithm, b"message", &signature), Ok(()));
        }
    }
    let stranger = PublicKeyLine::load(&testdata("private/p256.pub")).unwrap();
    let signed = agent.sign(&stranger.blob, b"message", SignFlags::None);
    assert!(matches!(signed, Err(AgentError::Refused)));
    assert_eq!(agent.identities().unwrap(), keys);
}

#[test]
fn a_real_agent_takes_a_bound_session_and_refuses_a_forged_one() {
    let Some(real) = RealAgent::start("bound-agent", &[]) else { return };
    let host = adit_crypto::SigningKey::ed25519(&[7; 32]);
    let session_id = [1; 32];
    let mut random = adit_crypto::SystemRandom::new();
    let signature = host.sign(SignatureAlgorithm::Ed25519, &session_id, &mut random).unwrap();
    let host_key = host.public_blob();
    let bind = SessionBind {
        host_key: &host_key,
        session_id: &session_id,
        signature: &signature,
        is_forwarding: false,
    };
    let forged = SessionBind { session_id: &[2; 32], ..bind };
    assert!(matches!(real.connect().bind_session(&forged), Err(AgentError::Refused)));
    real.connect().bind_session(&bind).unwrap();
}
