//! `-D`: SOCKS4, 4a, 5 and HTTP CONNECT, and truthful refusals.

use adit_interop_tests::{
    carry::{MIB, through_echo},
    client::{Client, Invocation, is_adit},
    ports::{connect, free_port},
    proxy_client::{Refusal, Target, http_connect, socks4, socks5},
    service::{self, Service},
    skip::skip,
    sshd::Sshd,
};
use std::{
    env,
    io::{self, ErrorKind, Read, Write},
    net::{Ipv4Addr, Ipv6Addr, TcpStream},
    process::Command,
    thread,
    time::{Duration, Instant},
};

fn proxy(sshd: &Sshd) -> (Client, u16) {
    let port = free_port();
    let client = Invocation::to(&sshd.endpoint)
        .args(["-D", &format!("127.0.0.1:{port}")])
        .tunnel()
        .listening(port);
    (client, port)
}

#[test]
fn every_way_to_name_a_destination_reaches_it() {
    type Ask = fn(&TcpStream, u16) -> Result<(), Refusal>;
    let (sshd, echo) = (Sshd::start(), Service::echo());
    let (_client, port) = proxy(&sshd);
    let ways: &[(&str, Ask)] = &[
        ("SOCKS4", |stream, to| socks4(stream, Target::V4(Ipv4Addr::LOCALHOST), to)),
        ("SOCKS4a", |stream, to| socks4(stream, Target::Name("localhost"), to)),
        ("SOCKS5, IPv4", |stream, to| socks5(stream, Target::V4(Ipv4Addr::LOCALHOST), to)),
        ("SOCKS5, name", |stream, to| socks5(stream, Target::Name("localhost"), to)),
    ];
    for (way, ask) in ways {
        let mut stream = connect(port);
        assert_eq!(ask(&stream, echo.port()), Ok(()), "{way}");
        through_echo(&mut stream, MIB);
    }
}

#[test]
fn socks5_reaches_ipv6() {
    let (sshd, echo) = (Sshd::start(), Service::tcp6(service::echo));
    let (_client, port) = proxy(&sshd);
    let mut stream = connect(port);
    socks5(&stream, Target::V6(Ipv6Addr::LOCALHOST), echo.port()).expect("reached");
    through_echo(&mut stream, MIB);
}

#[test]
fn http_connect_reaches_too() {
    let (sshd, echo) = (Sshd::start(), Service::echo());
    let (_client, port) = proxy(&sshd);
    let mut stream = connect(port);
    let answer = http_connect(&stream, &format!("localhost:{}", echo.port()));
    if is_adit() {
        assert_eq!(answer, Ok(()));
        through_echo(&mut stream, MIB);
    } else {
        assert_eq!(answer, Err(Refusal::Closed), "ssh knows SOCKS only");
    }
}

/// What adit answers where ssh just closes.
fn refusal(adit: u16) -> Result<(), Refusal> {
    Err(if is_adit() { Refusal::Code(adit) } else { Refusal::Closed })
}

#[test]
fn a_refused_destination_is_answered_truthfully() {
    let sshd = Sshd::start();
    let (mut client, port) = proxy(&sshd);
    let nobody = free_port();
    assert_eq!(socks5(connect(port), Target::V4(Ipv4Addr::LOCALHOST), nobody), refusal(5));
    assert_eq!(socks4(connect(port), Target::V4(Ipv4Addr::LOCALHOST), nobody), refusal(0x5b));
    client.says("open failed: connect failed");
    client.assert_runs();
}

#[test]
fn a_forbidden_destination_is_answered_truthfully() {
    let (sshd, echo) = (Sshd::with(&["PermitOpen 127.0.0.1:1"]), Service::echo());
    let (client, port) = proxy(&sshd);
    assert_eq!(socks5(connect(port), Target::V4(Ipv4Addr::LOCALHOST), echo.port()), refusal(2));
    client.says("open failed: administratively prohibited");
    assert_eq!(echo.connections(), 0);
}

#[test]
fn a_refused_http_connect_is_answered_truthfully() {
    let sshd = Sshd::start();
    let (_client, port) = proxy(&sshd);
    let authority = format!("127.0.0.1:{}", free_port());
    assert_eq!(http_connect(connect(port), &authority), refusal(502));
}

#[test]
fn what_is_neither_protocol_is_closed() {
    let sshd = Sshd::start();
    let (mut client, port) = proxy(&sshd);
    let mut stream = connect(port);
    stream.write_all(&[0xff; 64]).expect("taken");
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert_eq!(answer, [], "no answer to what is not a question");
    client.assert_runs();
}

#[test]
fn a_request_may_come_byte_by_byte_and_data_right_behind_it() {
    let (sshd, echo) = (Sshd::start(), Service::echo());
    let (_client, port) = proxy(&sshd);
    let mut stream = connect(port);
    stream.set_nodelay(true).expect("a TCP socket");
    let mut request = vec![5, 1, 0];
    request.extend([5, 1, 0, 1, 127, 0, 0, 1]);
    request.extend(echo.port().to_be_bytes());
    request.extend(b"early");
    for byte in request {
        stream.write_all(&[byte]).expect("taken");
    }
    let mut answer = [0; 2 + 10 + 5];
    stream.read_exact(&mut answer).expect("both answers and the echo");
    assert_eq!(answer[..4], [5, 0, 5, 0]);
    assert_eq!(&answer[12..], b"early");
}

#[test]
fn curl_fetches_through_the_proxy() {
    let sshd = Sshd::start();
    let http = Service::tcp(|stream| {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            head.extend(byte);
        }
        stream.write_all(b"HTTP/1.0 200 OK\r\n\r\nthrough the level passage")?;
        stream.finish_writing()
    });
    let (_client, port) = proxy(&sshd);
    let mut proxies = vec!["socks4", "socks4a", "socks5", "socks5h"];
    proxies.extend(is_adit().then_some("http"));
    for scheme in proxies {
        let output = Command::new("curl")
            .args([
                "--silent",
                "--show-error",
                "--max-time",
                "30",
                "--noproxy",
                "",
                "--proxytunnel",
            ])
            .args(["--proxy", &format!("{scheme}://127.0.0.1:{port}")])
            .arg(format!("http://localhost:{}/", http.port()))
            .output()
            .expect("curl is installed");
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(said, "through the level passage", "{scheme}: {output:?}");
    }
}

#[test]
fn many_short_requests_in_parallel_all_get_their_own_answer() {
    let sshd = Sshd::start();
    let service = Service::tcp(|stream| -> io::Result<()> {
        let mut number = [0; 4];
        stream.read_exact(&mut number)?;
        stream.write_all(&number)?;
        stream.finish_writing()
    });
    let (_client, port) = proxy(&sshd);
    std::thread::scope(|scope| {
        for number in 0..40u32 {
            let to = service.port();
            scope.spawn(move || {
                let mut stream = connect(port);
                socks5(&stream, Target::Name("127.0.0.1"), to).expect("reached");
                stream.write_all(&number.to_be_bytes()).expect("sent");
                let mut answer = Vec::new();
                stream.read_to_end(&mut answer).expect("answered");
                assert_eq!(answer, number.to_be_bytes());
            });
        }
    });
}

/// Everything that is answered until the end.
fn answer(port: u16, request: &[u8]) -> Vec<u8> {
    let mut stream = connect(port);
    let mut answer = Vec::new();
    stream.write_all(request).expect("taken");
    stream.read_to_end(&mut answer).expect("an end");
    answer
}

#[test]
fn wrong_requests_are_refused_in_their_protocol_and_closed() {
    if !is_adit() {
        return skip("ssh closes without a word");
    }
    let sshd = Sshd::start();
    let (mut client, port) = proxy(&sshd);
    let socks5 = |code| vec![5, 0, 5, code, 0, 1, 0, 0, 0, 0, 0, 0];
    let named = |name: &[u8]| {
        let length = u8::try_from(name.len()).expect("a length");
        [b"\x05\x01\x00\x05\x01\x00\x03", &[length][..], name, b"\x00\x50"].concat()
    };
    let methods = |all: std::ops::RangeInclusive<u8>| [5, 255].into_iter().chain(all).collect();
    let all_but_none: Vec<u8> = methods(1..=255);
    let with_none_last: Vec<u8> = [5, 255].into_iter().chain((0..255).rev()).collect();
    let rejected = vec![0, 91, 0, 0, 0, 0, 0, 0];
    for (request, expected) in [
        (b"\x04\x02\x00\x50\x7f\x00\x00\x01\0".to_vec(), rejected.clone()),
        (b"\x04\x01\x00\x50\x00\x00\x00\x01\0\0".to_vec(), rejected.clone()),
        ([b"\x04\x01\x00\x50\x7f\x00\x00\x01", &[b'u'; 256][..]].concat(), rejected),
        (b"\x05\x01\x02".to_vec(), vec![5, 255]),
        (all_but_none, vec![5, 255]),
        ([&with_none_last[..], b"\x05\x02\x00\x01\x7f\x00\x00\x01\x00\x50"].concat(), socks5(7)),
        (b"\x05\x01\x00\x05\x03\x00\x01\x7f\x00\x00\x01\x00\x50".to_vec(), socks5(7)),
        (b"\x05\x01\x00\x04\x01".to_vec(), socks5(1)),
        (b"\x05\x01\x00\x05\x01\x00\x09".to_vec(), socks5(8)),
        (named(b""), socks5(1)),
        (named(&[&[b'h'; 127][..], b"\0", &[b'h'; 127]].concat()), socks5(1)),
        (b"\x06\x01\x00".to_vec(), vec![]),
    ] {
        assert_eq!(answer(port, &request), expected, "{request:?}");
        client.assert_runs();
    }
}

#[test]
fn who_says_nothing_or_little_is_closed_after_half_a_minute() {
    if env::var_os("ADIT_SLOW_TESTS").is_none() {
        return skip("it takes half a minute: ADIT_SLOW_TESTS=1");
    }
    if !is_adit() {
        return skip("ssh waits for ever");
    }
    let sshd = Sshd::start();
    let (mut client, port) = proxy(&sshd);
    let drips: &[&[u8]] =
        &[b"", b"\x05\x0f\x01\x01\x01\x01\x01", b"\x04\x01\x00\x50\x7f\x00\x00\x01us"];
    thread::scope(|scope| {
        for bytes in drips {
            scope.spawn(move || {
                let mut stream = connect(port);
                let began = Instant::now();
                stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a wait above zero");
                let mut next = bytes.iter();
                while stream
                    .peek(&mut [0])
                    .is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
                {
                    // One byte now and then keeps nobody here.
                    let _ = next.next().map(|byte| stream.write_all(&[*byte]));
                }
                let waited = began.elapsed().as_secs();
                assert!((29..45).contains(&waited), "{bytes:?}: closed after {waited} s");
            });
        }
    });
    client.assert_runs();
}
