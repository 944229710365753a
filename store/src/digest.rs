//! Digests, which name immutable bytes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{Error, Result};

/// Prefix of a digest in text form.
pub const PREFIX: &str = "b3:";

/// A BLAKE3 digest of some bytes, written `b3:` and 64 lower-case hexadecimal digits.
///
/// `b3sum FILE` prints the same digits.
///
/// ```
/// use larder_store::Digest;
///
/// let digest = Digest::of(b"larder");
/// assert_eq!(digest.to_string().parse::<Digest>()?, digest);
/// # Ok::<(), larder_store::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Computes the digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// Creates a digest from 32 bytes computed elsewhere.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Returns the 64 hexadecimal digits, without `b3:`.
    pub fn to_hex(&self) -> String {
        blake3::Hash::from_bytes(self.0).to_hex().to_string()
    }

    /// Returns the short form for display: `b3:` and the first 12 digits.
    pub fn short(&self) -> String {
        format!("{PREFIX}{}", &self.to_hex()[..12])
    }

    /// Parses 64 lower-case hexadecimal digits, without `b3:`.
    ///
    /// # Errors
    /// [`Error::InvalidName`] for any other text.
    pub fn from_hex(hex: &str) -> Result<Self> {
        let refused = |reason| Error::invalid("digest", hex, reason);
        if hex.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(refused("hexadecimal digits are lower case"));
        }
        blake3::Hash::from_hex(hex)
            .map(|hash| Self(*hash.as_bytes()))
            .map_err(|_| refused("a digest has 64 hexadecimal digits"))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", blake3::Hash::from_bytes(self.0).to_hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.short())
    }
}

impl FromStr for Digest {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.strip_prefix(PREFIX) {
            Some(hex) => Self::from_hex(hex),
            None => Err(Error::invalid("digest", text, "a digest begins with `b3:`")),
        }
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
