//! The armour around private keys: `-----BEGIN …-----`, headers, base64; and PEM's own encryption. RFC 7468, RFC 1421 §4.6.
//! Touches: the text of a key file.   Never: what is inside.
//! Invariants: label and end agree; all that is decoded is zeroized.
//! Errors: `Cause`.   Allocates: the decoded body.
//! Proved by: `tests` of `private`, fuzz `private_key`.

use base64ct::{Base64, Encoding};
use md5::{Digest, Md5};
use zeroize::Zeroizing;

use super::Cause;
use super::cipher::Cipher;

/// A key file without its armour.
pub(super) struct Pem {
    /// What stands between `BEGIN` and the dashes.
    pub(super) label: String,
    /// DEK-Info's two words, when the body is encrypted as PEM knows it.
    pub(super) encryption: Option<(String, String)>,
    /// The bytes behind the base64.
    pub(super) body: Zeroizing<Vec<u8>>,
}

impl Pem {
    /// Finds the first armoured private key; what stands before it, curve parameters for one, does not matter.
    pub(super) fn parse(text: &[u8]) -> Result<Self, Cause> {
        let text = std::str::from_utf8(text).map_err(|_| Cause::InvalidFormat)?;
        let mut lines = text.lines().map(str::trim_end);
        let mut label = lines.by_ref().filter_map(|line| dashed(line, "BEGIN "));
        let label =
            label.find(|label| label.ends_with("PRIVATE KEY")).ok_or(Cause::InvalidFormat)?;
        let mut base64 = Zeroizing::new(String::with_capacity(text.len()));
        let mut encryption = None;
        for line in lines {
            if let Some(end) = dashed(line, "END ") {
                let body = decode(&base64).filter(|_| end == label).ok_or(Cause::InvalidFormat)?;
                return Ok(Self { label: label.to_owned(), encryption, body });
            }
            match line.split_once(':') {
                Some(("DEK-Info", value)) => encryption = Some(dek_info(value)?),
                Some(_) => {}
                None => base64.push_str(line.trim_start()),
            }
        }
        Err(Cause::InvalidFormat)
    }

    /// The body, decrypted where PEM's own encryption lies on it.
    pub(super) fn decrypted(&self, passphrase: &[u8]) -> Result<Zeroizing<Vec<u8>>, Cause> {
        match &self.encryption {
            None => Ok(self.body.clone()),
            Some((cipher, iv)) => decrypt(cipher, &decode_hex(iv)?, passphrase, &self.body),
        }
    }
}

fn dashed<'a>(line: &'a str, word: &str) -> Option<&'a str> {
    line.strip_prefix("-----")?.strip_prefix(word)?.strip_suffix("-----")
}

fn decode(base64: &str) -> Option<Zeroizing<Vec<u8>>> {
    Base64::decode_vec(base64).ok().map(Zeroizing::new)
}

/// `DEK-Info: AES-128-CBC,<hexadecimal iv>`
fn dek_info(value: &str) -> Result<(String, String), Cause> {
    let (cipher, iv) = value.trim().split_once(',').ok_or(Cause::InvalidFormat)?;
    Ok((cipher.to_owned(), iv.to_owned()))
}

fn decode_hex(text: &str) -> Result<Vec<u8>, Cause> {
    let digit = |digit: u8| char::from(digit).to_digit(16);
    let byte = |pair: &[u8]| match *pair {
        [high, low] => u8::try_from(digit(high)? << 4 | digit(low)?).ok(),
        _ => None,
    };
    let pairs = text.as_bytes().chunks(2);
    pairs.map(byte).collect::<Option<Vec<u8>>>().ok_or(Cause::InvalidFormat)
}

fn decrypt(
    name: &str,
    iv: &[u8],
    passphrase: &[u8],
    body: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Cause> {
    let cipher = Cipher::find(|row| row.pem == Some(name))?;
    let salt = iv.get(..8).ok_or(Cause::InvalidFormat)?;
    cipher.decrypt_padded(&derive(passphrase, salt, cipher.key), iv, body)
}

/// OpenSSL's key derivation for PEM: MD5 over what came before, passphrase and salt, as often as it takes.
fn derive(passphrase: &[u8], salt: &[u8], length: usize) -> Zeroizing<Vec<u8>> {
    let mut key = Zeroizing::new(Vec::with_capacity(length + 16));
    while key.len() < length {
        let last = key.len().saturating_sub(16);
        let mut hash = Md5::new();
        hash.update(&key[last..]);
        hash.update(passphrase);
        hash.update(salt);
        key.extend_from_slice(&hash.finalize());
    }
    key.truncate(length);
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_is_two_digits_a_byte_and_nothing_else() {
        assert_eq!(decode_hex("00fFa0").unwrap(), [0, 0xff, 0xa0]);
        for wrong in ["+f00", "00+f", "f", "000", "0g", "ä", " 0"] {
            assert!(decode_hex(wrong).is_err(), "{wrong}");
        }
    }
}
