#!/usr/bin/env python3
"""Records keys, certificates, signatures and key exchanges of OpenSSH: keys.txt, certificates.txt, exchanges.txt.

Run in this folder: python3 record_openssh.py. Needs ssh-keygen and sshd; every key is made for the purpose and thrown
away with the temporary folder. Keys of security keys are not OpenSSH's: no authenticator is needed to make them here.
"""
import base64
import hashlib
import os
import pathlib
import socket
import struct
import subprocess
import sys
import tempfile

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, x25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from generate import CURVES, mpint, pattern, point, string, write

TYPES = {"ed25519": ("ed25519", None), "nistp256": ("ecdsa", 256), "nistp384": ("ecdsa", 384), "nistp521": ("ecdsa", 521),
         "rsa2048": ("rsa", 2048), "rsa3072": ("rsa", 3072)}


def run(*command, **more):
    return subprocess.run(command, check=True, capture_output=True, **more).stdout


def make(folder, name, kind, bits):
    run("ssh-keygen", "-q", "-t", kind, *(["-b", str(bits)] if bits else []), "-N", "", "-C", "", "-f", folder / name)


def blob(path):
    return base64.b64decode(path.read_text().split()[1])


def fingerprint(path):
    return run("ssh-keygen", "-l", "-f", path).split()[1].decode()


def private_parts(path):
    key = serialization.load_ssh_private_key(path.read_bytes(), None)
    numbers = key.private_numbers() if not isinstance(key, ed25519.Ed25519PrivateKey) else None
    size = lambda value: value.to_bytes((value.bit_length() + 7) // 8, "big")
    if numbers is None:
        return dict(seed=key.private_bytes_raw())
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return dict(curve=f"nistp{key.curve.key_size}", point=point(key), scalar=size(numbers.private_value))
    return dict(n=size(numbers.public_numbers.n), e=size(numbers.public_numbers.e), d=size(numbers.d), p=size(numbers.p),
                q=size(numbers.q), iqmp=size(numbers.iqmp))


def sshsig(folder, name, text):
    """The data that ssh-keygen -Y sign signs (PROTOCOL.sshsig), and the signature blob."""
    armoured = run("ssh-keygen", "-q", "-Y", "sign", "-f", folder / name, "-n", "test", input=text).decode()
    raw = base64.b64decode("".join(armoured.splitlines()[1:-1]))
    at, fields = 10, []
    while at < len(raw):
        length = int.from_bytes(raw[at:at + 4], "big")
        fields.append(raw[at + 4:at + 4 + length])
        at += 4 + length
    digest = hashlib.new(fields[3].decode(), text).digest()
    return b"SSHSIG" + b"".join(map(string, (fields[1], fields[2], fields[3], digest))), fields[4]


def security_key(kind, message):
    application, counter = b"ssh:", 0x01020304
    cases = []
    for flags in (1, 0, 5):
        data = hashlib.sha256(application).digest() + bytes([flags]) + struct.pack(">I", counter) + hashlib.sha256(message).digest()
        if kind == "sk-ssh-ed25519@openssh.com":
            key = ed25519.Ed25519PrivateKey.generate()
            public = string(kind.encode()) + string(key.public_key().public_bytes_raw()) + string(application)
            signature = key.sign(data)
        else:
            key = ec.generate_private_key(ec.SECP256R1())
            public = string(kind.encode()) + string(b"nistp256") + string(point(key)) + string(application)
            r, s = decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
            signature = mpint(r.to_bytes(32, "big")) + mpint(s.to_bytes(32, "big"))
        signature = string(kind.encode()) + string(signature) + bytes([flags]) + struct.pack(">I", counter)
        cases.append(dict(name=kind, blob=public, message=message, signature=signature, flags=flags, counter=counter))
    return cases


def keys(folder):
    cases = []
    for name, (kind, bits) in TYPES.items():
        make(folder, name, kind, bits)
        message, signature = sshsig(folder, name, b"a message of no importance")
        public = folder / f"{name}.pub"
        cases.append(dict(name=name, blob=blob(public), fingerprint=fingerprint(public), message=message,
                          signature=signature) | private_parts(folder / name))
    write("keys.txt", ["Keys and signatures of OpenSSH's ssh-keygen. Recorded by record_openssh.py."], cases)
    cases = [case for kind in ("sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com")
             for case in security_key(kind, b"a message of no importance")]
    write("security_keys.txt", ["Keys and signatures as PROTOCOL.u2f has them. Made with OpenSSL by record_openssh.py."], cases)


def certificates(folder):
    cases = []
    for subject in TYPES:
        for authority in ("ed25519", "nistp256", "nistp521", "rsa2048"):
            for kind in ("user", "host"):
                options = ["-n", "ada,grace", "-V", "20240101000000Z:20340101000000Z", "-z", "42"]
                if kind == "user":
                    options += ["-O", "force-command=/bin/true", "-O", "source-address=10.0.0.0/8", "-O", "no-pty"]
                else:
                    options += ["-h"]
                run("ssh-keygen", "-q", "-s", folder / authority, "-I", "id of a key", *options, folder / f"{subject}.pub")
                path = folder / f"{subject}-cert.pub"
                cases.append(dict(subject=subject, authority=authority, kind=kind, key=blob(folder / f"{subject}.pub"),
                                  signature_key=blob(folder / f"{authority}.pub"), fingerprint=fingerprint(path),
                                  blob=blob(path)))
    run("ssh-keygen", "-q", "-s", folder / "ed25519", "-I", "", folder / "ed25519.pub")
    cases.append(dict(subject="ed25519", authority="ed25519", kind="plain", blob=blob(folder / "ed25519-cert.pub")))
    run("ssh-keygen", "-q", "-t", "ssh-rsa", "-s", folder / "rsa2048", "-I", "", folder / "ed25519.pub")
    cases.append(dict(subject="ed25519", authority="rsa2048", kind="sha1", blob=blob(folder / "ed25519-cert.pub")))
    write("certificates.txt", ["Certificates of OpenSSH's ssh-keygen. Recorded by record_openssh.py."], cases)


class Wire:
    """The clear-text part of SSH, enough for one key exchange."""

    def __init__(self, stream):
        self.stream = stream

    def send(self, payload):
        padding = 8 - (5 + len(payload)) % 8
        padding += 8 if padding < 4 else 0
        self.stream.sendall(struct.pack(">IB", 1 + len(payload) + padding, padding) + payload + bytes(padding))

    def take(self, count):
        data = b""
        while len(data) < count:
            piece = self.stream.recv(count - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data

    def receive(self):
        length, padding = struct.unpack(">IB", self.take(5))
        return self.take(length - 1)[:length - 1 - padding]

    def line(self):
        line = b""
        while not line.endswith(b"\n"):
            line += self.take(1)
        return line.rstrip(b"\r\n")


def fields(data, count):
    taken, at = [], 0
    for _ in range(count):
        length = int.from_bytes(data[at:at + 4], "big")
        taken.append(data[at + 4:at + 4 + length])
        at += 4 + length
    return taken


def exchange(folder, kex, host_key, init):
    """One key exchange with sshd. `init(group)` gives the client's public value, in wire form, and what to record."""
    ours, theirs = socket.socketpair()
    config = folder / "sshd_config"
    config.write_text(f"HostKey {folder}/{host_key}\nUsePAM no\nKexAlgorithms {kex}\n")
    sshd = subprocess.Popen(["/usr/sbin/sshd", "-i", "-f", config], stdin=theirs, stdout=theirs, stderr=subprocess.DEVNULL)
    theirs.close()
    ours.settimeout(10)
    wire = Wire(ours)
    v_c = b"SSH-2.0-recorder"
    ours.sendall(v_c + b"\r\n")
    v_s = wire.line()
    host_algorithm = b"rsa-sha2-512" if host_key.startswith("rsa") else fields(blob(folder / f"{host_key}.pub"), 1)[0]
    lists = [kex.encode(), host_algorithm, b"aes128-ctr", b"aes128-ctr", b"hmac-sha2-256", b"hmac-sha2-256", b"none", b"none", b"", b""]
    i_c = b"\x14" + pattern("cookie", 16) + b"".join(map(string, lists)) + bytes(5)
    wire.send(i_c)
    i_s = wire.receive()
    record = dict(kex=kex, v_c=v_c, v_s=v_s, i_c=i_c, i_s=i_s)
    group = None
    if "group-exchange" in kex:
        sizes = (2048, 3072, 8192)
        wire.send(b"\x22" + struct.pack(">III", *sizes))
        group = fields(wire.receive()[1:], 2)
        record |= dict(min=sizes[0], n=sizes[1], max=sizes[2], p=group[0], g=group[1])
    public, more = init(group)
    record |= more
    wire.send((b"\x20" if group else b"\x1e") + string(public))
    k_s, q_s, signature = fields(wire.receive()[1:], 3)
    record |= dict(client=public, k_s=k_s, server=q_s, signature=signature)
    ours.close()
    sshd.kill()
    sshd.wait()
    return record


def exchanges(folder, sntrup):
    x = pattern("x25519", 32)
    x_public = x25519.X25519PrivateKey.from_private_bytes(x).public_key().public_bytes_raw()

    def finite(prime):
        def init(group):
            p, g = (int.from_bytes(number, "big") for number in group) if group else (prime, 2)
            exponent = pattern("exponent", 80)
            value = pow(g, int.from_bytes(exponent, "big"), p)
            return mpint(value.to_bytes((p.bit_length() + 7) // 8, "big"))[4:], dict(random=exponent)
        return init

    def curve(name):
        scalar = pattern("scalar", 66)
        size = (CURVES[name][0].key_size + 7) // 8
        scalar = bytes([scalar[0] & 1]) + scalar[1:] if size == 66 else scalar[:size]
        key = ec.derive_private_key(int.from_bytes(scalar, "big"), CURVES[name][0])
        return lambda _: (point(key), dict(random=scalar))

    prime = {14: (2048, 124476), 16: (4096, 240904), 18: (8192, 4743158)}

    def rfc_3526(number):
        bits, c = prime[number]
        return 2**bits - 2**(bits - 64) - 1 + 2**64 * (pi(bits - 130) + c)

    def pi(bits):
        one = 1 << (bits + 64)

        def arctan_of_inverse(n):
            term, total, divisor, sign = one // n, one // n, 3, -1
            while term:
                term //= n * n
                total, divisor, sign = total + sign * (term // divisor), divisor + 2, -sign
            return total
        return 4 * (4 * arctan_of_inverse(5) - arctan_of_inverse(239)) >> 64

    cases = [exchange(folder, "curve25519-sha256", host, lambda _: (x_public, dict(random=x)))
             for host in ("ed25519", "nistp256", "nistp384", "nistp521", "rsa2048", "rsa3072")]
    cases += [exchange(folder, f"ecdh-sha2-{name}", "ed25519", curve(name)) for name in CURVES]
    for kex, number in (("group14-sha256", 14), ("group16-sha512", 16), ("group18-sha512", 18)):
        cases.append(exchange(folder, f"diffie-hellman-{kex}", "ed25519", finite(rfc_3526(number))))
    cases.append(exchange(folder, "diffie-hellman-group-exchange-sha256", "ed25519", finite(None)))
    if sntrup:
        secret, public = (pathlib.Path(f"{sntrup}.{part}").read_bytes() for part in ("secret", "public"))
        for name in ("sntrup761x25519-sha512", "sntrup761x25519-sha512@openssh.com"):
            cases.append(exchange(folder, name, "ed25519", lambda _: (public + x_public, dict(random=x, kem=secret))))
    write("exchanges.txt", ["Key exchanges with OpenSSH's sshd, whose signature shows that it computed the same hash.",
                            "Recorded by record_openssh.py."], cases)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        os.umask(0o077)
        here = pathlib.Path(name)
        keys(here)
        certificates(here)
        # The argument names a pair of files with an sntrup761 key pair in the reference encoding.
        exchanges(here, sys.argv[1] if len(sys.argv) > 1 else None)
