#!/usr/bin/env python3
"""Writes the vector files that need an independent implementation: OpenSSL through pyca/cryptography.

Run in this folder: python3 generate.py. Inputs are fixed, so a second run changes nothing
(except mlkem768.txt and rsa.txt, whose keys are drawn anew).
"""
import hashlib
import hmac
import pathlib

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, mlkem, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.poly1305 import Poly1305


def pattern(seed, length):
    """Bytes without structure, the same every time."""
    return hashlib.shake_128(seed.encode()).digest(length)


def write(name, head, cases):
    blocks = ["\n".join(f"{k} = {v.hex() if isinstance(v, bytes) else v}" for k, v in case.items()) for case in cases]
    pathlib.Path(name).write_text("".join(f"# {line}\n" for line in head) + "\n" + "\n\n".join(blocks) + "\n")


def packet(seed, payload_len, block, length_is_padded):
    """length 4 | padlen 1 | payload | padding, as RFC 4253 section 6 and its exceptions want it."""
    head = 5 if length_is_padded else 1
    padding = block - (head + payload_len) % block
    padding += block if padding < 4 else 0
    rest = bytes([padding]) + pattern(seed, payload_len + padding)
    return len(rest).to_bytes(4, "big") + rest


def chacha20(key, counter, nonce, text):
    cipher = Cipher(algorithms.ChaCha20(key, counter.to_bytes(8, "little") + nonce), None).encryptor()
    return cipher.update(text)


def seal_chacha(key, seq, plain):
    k2, k1, nonce = key[:32], key[32:], seq.to_bytes(8, "big")
    sealed = chacha20(k1, 0, nonce, plain[:4]) + chacha20(k2, 1, nonce, plain[4:])
    return sealed + Poly1305.generate_tag(chacha20(k2, 0, nonce, bytes(32)), sealed)


def ciphers():
    cases = []
    for payload in (0, 1, 7, 8, 60, 64, 255, 1400):
        key = pattern("chacha key", 64)
        for seq in (0, 7, 0xFFFFFFFF):
            plain = packet(f"chacha {payload}", payload, 8, False)
            cases.append(dict(cipher="chacha20-poly1305@openssh.com", mac="none", key=key, iv=b"", mac_key=b"",
                              seq=seq, plain=plain, sealed=seal_chacha(key, seq, plain)))
    for bits in (128, 256):
        key, iv = pattern(f"gcm {bits}", bits // 8), pattern("gcm iv", 12)
        for payload in (0, 1, 16, 100, 1400):
            plain = packet(f"gcm {payload}", payload, 16, False)
            sealed = plain[:4] + AESGCM(key).encrypt(iv, plain[4:], plain[:4])
            cases.append(dict(cipher=f"aes{bits}-gcm@openssh.com", mac="none", key=key, iv=iv, mac_key=b"", seq=3,
                              plain=plain, sealed=sealed))
        # The counter carries into the upper bytes and wraps without touching the fixed part.
        iv = iv[:4] + bytes([255] * 8)
        plain = packet("gcm wrap", 40, 16, False)
        cases.append(dict(cipher=f"aes{bits}-gcm@openssh.com", mac="none", key=key, iv=iv, mac_key=b"", seq=3,
                          plain=plain, sealed=plain[:4] + AESGCM(key).encrypt(iv, plain[4:], plain[:4])))
    for bits in (128, 192, 256):
        for mac, digest in (("hmac-sha2-256", "sha256"), ("hmac-sha2-512", "sha512")):
            for etm in (False, True):
                key, iv = pattern(f"ctr {bits}", bits // 8), pattern("ctr iv", 15) + b"\xff"
                mac_key = pattern("mac key", hashlib.new(digest).digest_size)
                for payload in (0, 1, 16, 300):
                    plain = packet(f"ctr {payload}", payload, 16, not etm)
                    stream = Cipher(algorithms.AES(key), modes.CTR(iv)).encryptor()
                    seq = 0x01020304
                    if etm:
                        body = plain[:4] + stream.update(plain[4:])
                        tag = hmac.digest(mac_key, seq.to_bytes(4, "big") + body, digest)
                    else:
                        body = stream.update(plain)
                        tag = hmac.digest(mac_key, seq.to_bytes(4, "big") + plain, digest)
                    name = mac + ("-etm@openssh.com" if etm else "")
                    cases.append(dict(cipher=f"aes{bits}-ctr", mac=name, key=key, iv=iv, mac_key=mac_key, seq=seq,
                                      plain=plain, sealed=body + tag))
    write("packets.txt", ["Sealed packets. Made with OpenSSL 4.0 by generate.py."], cases)


def mpint(magnitude):
    magnitude = magnitude.lstrip(b"\0")
    magnitude = (b"\0" + magnitude) if magnitude and magnitude[0] & 0x80 else magnitude
    return len(magnitude).to_bytes(4, "big") + magnitude


def string(text):
    return len(text).to_bytes(4, "big") + text


def kdf():
    cases = []
    for name in ("sha256", "sha384", "sha512"):
        size = hashlib.new(name).digest_size
        k = mpint(pattern(f"kdf k {name}", 32))
        h, session = pattern(f"kdf h {name}", size), pattern(f"kdf session {name}", size)
        for letter in "ABCDEF":
            key = b""
            while len(key) < 200:
                key += hashlib.new(name, k + h + (key or letter.encode() + session)).digest()
            cases.append(dict(hash=name, k=k, h=h, session_id=session, letter=letter, key=key[:200]))
    write("kdf.txt", ["Key derivation of RFC 4253 section 7.2. Made with hashlib by generate.py."], cases)


def exchange_hash():
    cases = []
    for name, digest, shape in (("curve25519-sha256", "sha256", "strings"), ("ecdh-sha2-nistp384", "sha384", "strings"),
                                ("diffie-hellman-group14-sha256", "sha256", "mpints"),
                                ("diffie-hellman-group16-sha512", "sha512", "mpints"),
                                ("diffie-hellman-group-exchange-sha256", "sha256", "group")):
        for top in (b"\0\0\x7f", b"\0\x80", b"\x01"):
            texts = [pattern(f"hash {i}", 20 + 30 * i) for i in range(5)]
            publics = [top + pattern(f"public {i}", 40) for i in range(2)]
            secret = top + pattern("secret", 40)
            data = b"".join(map(string, texts))
            case = dict(kex=name, v_c=texts[0], v_s=texts[1], i_c=texts[2], i_s=texts[3], k_s=texts[4])
            if shape == "group":
                p, g = top + pattern("p", 255), b"\x02"
                sizes = (2048, 3072, 8192)
                data += b"".join(s.to_bytes(4, "big") for s in sizes) + mpint(p) + mpint(g)
                case |= dict(min=sizes[0], n=sizes[1], max=sizes[2], p=p, g=g)
            data += b"".join((string if shape == "strings" else mpint)(p) for p in publics) + mpint(secret)
            case |= dict(client=publics[0], server=publics[1], secret=secret, h=hashlib.new(digest, data).digest())
            cases.append(case)
    write("exchange_hash.txt", ["Exchange hashes of RFC 4253 section 8, RFC 5656 section 4 and RFC 4419 section 3.",
                                "Made with hashlib by generate.py."], cases)


def point(key):
    numbers = key.public_key().public_numbers()
    size = (key.curve.key_size + 7) // 8
    return b"\x04" + numbers.x.to_bytes(size, "big") + numbers.y.to_bytes(size, "big")


CURVES = {"nistp256": (ec.SECP256R1(), hashes.SHA256()), "nistp384": (ec.SECP384R1(), hashes.SHA384()),
          "nistp521": (ec.SECP521R1(), hashes.SHA512())}

# RFC 5903 section 8: the scalars i and r.
RFC_5903 = {
    "nistp256": ("C88F01F510D9AC3F70A292DAA2316DE544E9AAB8AFE84049C62A9C57862D1433",
                 "C6EF9C5D78AE012A011164ACB397CE2088685D8F06BF9BE0B283AB46476BEE53",
                 "D6840F6B42F6EDAFD13116E0E12565202FEF8E9ECE7DCE03812464D04B9442DE"),
    "nistp384": ("099F3C7034D4A2C699884D73A375A67F7624EF7C6B3C0F160647B67414DCE655E35B538041E649EE3FAEF896783AB194",
                 "41CB0779B4BDB85D47846725FBEC3C9430FAB46CC8DC5060855CC9BDA0AA2942E0308312916B8ED2960E4BD55A7448FC",
                 "11187331C279962D93D604243FD592CB9D0A926F422E47187521287E7156C5C4D603135569B9E9D09CF5D4A270F59746"),
    "nistp521": ("0037ADE9319A89F4DABDB3EF411AACCCA5123C61ACAB57B5393DCE47608172A095AA85A30FE1C2952C6771D937BA9777F5957B2639BAB072462F68C27A57382D4A52",
                 "0145BA99A847AF43793FDD0E872E7CDFA16BE30FDC780F97BCCC3F078380201E9C677D600B343757A3BDBF2A3163E4C2F869CCA7458AA4A4EFFC311F5CB151685EB9",
                 "01144C7D79AE6956BC8EDB8E7C787C4521CB086FA64407F97894E5E6B2D79B04D1427E73CA4BAA240A34786859810C06B3C715A3A8CC3151F2BEE417996D19F3DDEA"),
}


def ecdh():
    cases = []
    for name, (i, r, shared) in RFC_5903.items():
        curve = CURVES[name][0]
        i, r = (ec.derive_private_key(int(scalar, 16), curve) for scalar in (i, r))
        assert i.exchange(ec.ECDH(), r.public_key()).hex().upper() == shared
        size = (curve.key_size + 7) // 8
        scalars = [key.private_numbers().private_value.to_bytes(size, "big") for key in (i, r)]
        cases.append(dict(curve=name, i=scalars[0], gi=point(i), r=scalars[1], gr=point(r), shared=bytes.fromhex(shared)))
    write("ecdh.txt", ["RFC 5903 section 8, checked against OpenSSL 4.0 by generate.py."], cases)


# RFC 6979 appendix A.2.5 to A.2.7: the private keys, and the beginning of r for the message "sample" as printed there.
RFC_6979 = {
    "nistp256": ("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721", "EFD48B2AACB6A8FD"),
    "nistp384": ("6B9D3DAD2E1B8C1C05B19875B6659F4DE23C3B667BF297BA9AA47740787137D896D5724E4C70A825F872C9EA60D2EDF5",
                 "94EDBB92A5ECB8AA"),
    "nistp521": ("00FAD06DAA62BA3B25D2FB40133DA757205DE67F5BB0018FEE8C86E1B68C7E75CAA896EB32F1F47C70855836A6D16FCC1466F6D8FBEC67DB89EC0C08B0E996B83538",
                 "00C328FAFCBD79DD"),
}


def ecdsa():
    cases = []
    for name, (scalar, r_head) in RFC_6979.items():
        curve, digest = CURVES[name]
        key = ec.derive_private_key(int(scalar, 16), curve)
        size = (curve.key_size + 7) // 8
        for text in (b"sample", b"test"):
            r, s = decode_dss_signature(key.sign(text, ec.ECDSA(digest, deterministic_signing=True)))
            r, s = r.to_bytes(size, "big"), s.to_bytes(size, "big")
            assert text != b"sample" or r.hex().upper().startswith(r_head), (name, r.hex())
            cases.append(dict(curve=name, scalar=bytes.fromhex(scalar), point=point(key), message=text, r=r, s=s))
    write("ecdsa.txt", ["RFC 6979 appendix A.2.5 to A.2.7, made with OpenSSL 4.0 by generate.py."], cases)


def mlkem768():
    cases = []
    for _ in range(3):
        key = mlkem.MLKEM768PrivateKey.generate()
        secret, ciphertext = key.public_key().encapsulate()
        bad = bytes([ciphertext[0] ^ 1]) + ciphertext[1:]
        cases.append(dict(seed=key.private_bytes_raw(), key=key.public_key().public_bytes_raw(), ciphertext=ciphertext,
                          secret=secret, rejected=bad, rejected_secret=key.decapsulate(bad)))
    write("mlkem768.txt", ["ML-KEM-768, FIPS 203: seed d || z, encapsulation key, a ciphertext and its secret, and a",
                           "damaged one with the secret of implicit rejection. Made with OpenSSL 4.0 by generate.py."], cases)


def rsa_keys():
    cases = []
    for bits, exponent in ((2048, 65537), (2056, 3), (3072, 65537)):
        key = rsa.generate_private_key(exponent, bits)
        numbers = key.private_numbers()
        size = lambda value: value.to_bytes((value.bit_length() + 7) // 8, "big")
        case = dict(n=size(numbers.public_numbers.n), e=size(exponent), d=size(numbers.d), p=size(numbers.p),
                    q=size(numbers.q), iqmp=size(numbers.iqmp), message=b"a message of no importance".hex())
        for name, digest in (("sha256", hashes.SHA256()), ("sha512", hashes.SHA512())):
            case[name] = key.sign(b"a message of no importance", padding.PKCS1v15(), digest)
        cases.append(case)
    write("rsa.txt", ["RSASSA-PKCS1-v1_5, RFC 8017 section 8.2. Made with OpenSSL 4.0 by generate.py."], cases)


if __name__ == "__main__":
    for vectors in (ciphers, kdf, exchange_hash, ecdh, ecdsa, mlkem768, rsa_keys):
        vectors()
