//! The text of tokens: `larder_ID_SECRETCHECKSUM`.
//!
//! `ID` has 16 hexadecimal digits, the secret 64 (256 random bits), and the checksum 8: the CRC-32 of all before it, by which
//! scanners tell a leaked token from other text. A larder keeps the BLAKE3 digest of the secret. The secret is random, so
//! a slow password hash would add nothing.

use std::fmt::Write as _;

use larder_core::{Error, Result};

/// The beginning of every token.
const PREFIX: &str = "larder_";

/// A token taken apart.
pub(crate) struct Parsed {
    pub(crate) id: String,
    pub(crate) digest: blake3::Hash,
}

/// Creates a token: its text, and what is kept of it.
pub(crate) fn create() -> Result<(String, Parsed)> {
    let mut random = [0; 40];
    getrandom::fill(&mut random)
        .map_err(|error| Error::store("get random bytes of the system", error))?;
    let (id, secret) = (hex(&random[..8]), hex(&random[8..]));
    let text = format!("{PREFIX}{id}_{secret}");
    let text = format!("{text}{:08x}", crc32fast::hash(text.as_bytes()));
    let digest = blake3::hash(secret.as_bytes());
    Ok((text, Parsed { id, digest }))
}

/// Takes a token apart. `None` for text that is none.
pub(crate) fn parse(text: &str) -> Option<Parsed> {
    let is_hex = |part: &str| part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let (id, rest) = text.strip_prefix(PREFIX)?.split_once('_')?;
    if id.len() != 16 || rest.len() != 72 || !is_hex(id) || !is_hex(rest) {
        return None;
    }
    let (secret, checksum) = rest.split_at(64);
    let expected = crc32fast::hash(text.strip_suffix(checksum)?.as_bytes());
    (format!("{expected:08x}") == checksum)
        .then(|| Parsed { id: id.to_owned(), digest: blake3::hash(secret.as_bytes()) })
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_back_and_a_mistyped_one_is_none() {
        let (text, made) = create().unwrap();
        let read = parse(&text).unwrap();
        assert_eq!((read.id, read.digest), (made.id, made.digest));
        for at in 0..text.len() {
            let mut other = text.clone().into_bytes();
            other[at] = if other[at] == b'0' { b'1' } else { b'0' };
            assert!(parse(std::str::from_utf8(&other).unwrap()).is_none(), "byte {at}");
        }
        assert!(parse("").is_none() && parse("larder_").is_none() && parse(&text[1..]).is_none());
        assert!(parse(&text.to_uppercase()).is_none());
    }

    #[test]
    fn no_two_tokens_are_the_same() {
        assert_ne!(create().unwrap().0, create().unwrap().0);
    }
}
