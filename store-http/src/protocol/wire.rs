//! The types of [`larder_store`] in bodies. Each checks what it decodes.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use larder_store::{Change, Digest, Expected, Record, RecordKey, Revision};
use serde::de::{Error as _, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::limits::MAX_REVISION;

/// A [`RecordKey`], as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireKey(pub RecordKey);

impl Serialize for WireKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.as_str())
    }
}

impl<'de> Deserialize<'de> for WireKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        RecordKey::new(&text).map(Self).map_err(|_| D::Error::custom("a key is no record key"))
    }
}

/// A [`Digest`], as 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WireDigest(pub Digest);

impl Serialize for WireDigest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0.as_bytes())
    }
}

impl<'de> Deserialize<'de> for WireDigest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes32;

        impl Visitor<'_> for Bytes32 {
            type Value = WireDigest;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the 32 bytes of a digest")
            }

            fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<WireDigest, E> {
                let bytes = <[u8; 32]>::try_from(bytes);
                bytes
                    .map(|bytes| WireDigest(Digest::from_bytes(bytes)))
                    .map_err(|_| E::custom("a digest has 32 bytes"))
            }
        }

        deserializer.deserialize_bytes(Bytes32)
    }
}

/// A [`Record`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WireRecord {
    /// The text of the revision.
    #[serde(deserialize_with = "revision")]
    pub revision: String,
    /// The JSON.
    pub value: Bytes,
}

impl From<Record> for WireRecord {
    fn from(record: Record) -> Self {
        Self { revision: record.revision.as_str().to_owned(), value: record.value }
    }
}

impl From<WireRecord> for Record {
    fn from(record: WireRecord) -> Self {
        Self { revision: Revision::new(record.revision), value: record.value }
    }
}

/// An [`Expected`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WireExpected {
    /// Any record, or none.
    Anything,
    /// No record.
    Absent,
    /// The record of this revision.
    Revision(#[serde(deserialize_with = "revision")] String),
}

impl From<&Expected> for WireExpected {
    fn from(expected: &Expected) -> Self {
        match expected {
            Expected::Anything => Self::Anything,
            Expected::Absent => Self::Absent,
            Expected::Revision(revision) => Self::Revision(revision.as_str().to_owned()),
        }
    }
}

impl From<WireExpected> for Expected {
    fn from(expected: WireExpected) -> Self {
        match expected {
            WireExpected::Anything => Self::Anything,
            WireExpected::Absent => Self::Absent,
            WireExpected::Revision(revision) => Self::Revision(Revision::new(revision)),
        }
    }
}

/// A [`Change`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum WireChange {
    /// Stores a blob.
    PutBlob {
        /// The digest, which the server compares with the bytes.
        digest: WireDigest,
        /// The content.
        bytes: Bytes,
    },
    /// Writes a record.
    PutRecord {
        /// The key.
        key: WireKey,
        /// The JSON.
        value: Bytes,
        /// The precondition.
        expected: WireExpected,
    },
    /// Removes a record.
    RemoveRecord {
        /// The key.
        key: WireKey,
        /// The precondition.
        expected: WireExpected,
    },
}

impl From<&Change> for WireChange {
    fn from(change: &Change) -> Self {
        match change {
            Change::PutBlob { digest, bytes } => {
                Self::PutBlob { digest: WireDigest(*digest), bytes: bytes.clone() }
            }
            Change::PutRecord { key, value, expected } => Self::PutRecord {
                key: WireKey(key.clone()),
                value: value.clone(),
                expected: expected.into(),
            },
            Change::RemoveRecord { key, expected } => {
                Self::RemoveRecord { key: WireKey(key.clone()), expected: expected.into() }
            }
        }
    }
}

impl From<WireChange> for Change {
    fn from(change: WireChange) -> Self {
        match change {
            WireChange::PutBlob { digest, bytes } => Self::PutBlob { digest: digest.0, bytes },
            WireChange::PutRecord { key, value, expected } => {
                Self::PutRecord { key: key.0, value, expected: expected.into() }
            }
            WireChange::RemoveRecord { key, expected } => {
                Self::RemoveRecord { key: key.0, expected: expected.into() }
            }
        }
    }
}

fn revision<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    match text.len() <= MAX_REVISION {
        true => Ok(text),
        false => Err(D::Error::custom(format_args!("a revision has at most {MAX_REVISION} bytes"))),
    }
}
