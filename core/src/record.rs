//! The records of a larder: their keys and their JSON.
//!
//! | key | holds |
//! | --- | --- |
//! | `names/NAME` | the next version number, and the newest version |
//! | `versions/NAME/@0000000007` | one version |
//! | `digests/NAME/@HEX-0000000007` | the way from a digest to a version |
//! | `tags/NAME/@prod` | the version that a tag names |
//!
//! A part that begins with `@` never belongs to an identifier, so no two keys meet.

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::error::{Error, Fault, Result};
use crate::larder::Toolchain;
use crate::manifest::read_versioned;
use crate::name::{Identifier, TagName, TypeTag, VersionNumber};
use crate::store::{Change, Expected, Record, RecordKey};
use crate::time::Timestamp;

/// The format of records that this Larder writes, and the newest that it reads.
const FORMAT: u64 = 1;

/// A record of some kind.
pub(crate) trait Document: Serialize + DeserializeOwned {
    /// The format that it states.
    fn format(&self) -> u64;
}

/// `names/NAME`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NameRecord {
    larder: u64,
    /// The number that the next version gets.
    pub(crate) next: VersionNumber,
    /// The newest version that is not removed.
    pub(crate) latest: Option<VersionRecord>,
}

/// `versions/NAME/@N`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct VersionRecord {
    larder: u64,
    pub(crate) version: VersionNumber,
    /// The digest of the manifest.
    pub(crate) manifest: Digest,
    #[serde(rename = "type")]
    pub(crate) type_tag: TypeTag,
    /// The bytes of the manifest and of every artifact.
    pub(crate) size: u64,
    pub(crate) created: Timestamp,
    /// The crate that brought the type when it was applied.
    #[serde(rename = "crate", default, skip_serializing_if = "Option::is_none")]
    pub(crate) origin: Option<String>,
    /// What built the writing program; of class models only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) toolchain: Option<Toolchain>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) removed: Option<Timestamp>,
}

/// `digests/NAME/@HEX-N`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DigestRecord {
    larder: u64,
    pub(crate) version: VersionNumber,
}

/// `tags/NAME/@TAG`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TagRecord {
    larder: u64,
    pub(crate) version: VersionNumber,
    pub(crate) moved: Timestamp,
}

macro_rules! documents {
    ($($record:ident),*) => {
        $(impl Document for $record {
            fn format(&self) -> u64 {
                self.larder
            }
        })*
    };
}

documents!(NameRecord, VersionRecord, DigestRecord, TagRecord);

impl NameRecord {
    pub(crate) fn new(next: VersionNumber, latest: Option<VersionRecord>) -> Self {
        Self { larder: FORMAT, next, latest }
    }
}

impl VersionRecord {
    pub(crate) fn new(
        version: VersionNumber,
        manifest: Digest,
        type_tag: TypeTag,
        size: u64,
        created: Timestamp,
        origin: Option<String>,
    ) -> Self {
        Self {
            larder: FORMAT,
            version,
            manifest,
            type_tag,
            size,
            created,
            origin,
            toolchain: None,
            removed: None,
        }
    }
}

impl DigestRecord {
    pub(crate) fn new(version: VersionNumber) -> Self {
        Self { larder: FORMAT, version }
    }
}

impl TagRecord {
    pub(crate) fn new(version: VersionNumber, moved: Timestamp) -> Self {
        Self { larder: FORMAT, version, moved }
    }
}

/// Reads a record.
pub(crate) fn read<T: Document>(key: &RecordKey, record: &Record) -> Result<T> {
    read_versioned(&record.value, FORMAT, T::format, || format!("the record {key}"))
}

/// The change that writes a record.
pub(crate) fn put<T: Document>(key: RecordKey, document: &T, expected: Expected) -> Result<Change> {
    let value = serde_json::to_vec(document).map_err(|error| Error::Encode {
        what: format!("the record {key}"),
        source: error.into(),
    })?;
    Ok(Change::PutRecord { key, value: Bytes::from(value), expected })
}

pub(crate) const NAMES: &str = "names/";

// Identifiers, tags, digests and numbers are narrower than keys, so none of these is ever refused.

pub(crate) fn name_key(name: &Identifier) -> Result<RecordKey> {
    RecordKey::new(&format!("{NAMES}{name}"))
}

/// The identifier in the key of a [`NameRecord`].
pub(crate) fn name_in(key: &RecordKey) -> Result<Identifier> {
    let name = key.as_str().strip_prefix(NAMES).unwrap_or_default();
    Identifier::new(name).map_err(|_| {
        Error::corrupt(
            format!("the record {key}"),
            Fault::Unreadable("its key is no identifier".into()),
        )
    })
}

pub(crate) fn versions_of(name: &Identifier) -> String {
    format!("versions/{name}/@")
}

pub(crate) fn version_key(name: &Identifier, number: VersionNumber) -> Result<RecordKey> {
    RecordKey::new(&format!("versions/{name}/@{:010}", number.get()))
}

pub(crate) fn digests_of(name: &Identifier, prefix: &str) -> String {
    format!("digests/{name}/@{prefix}")
}

pub(crate) fn digest_key(
    name: &Identifier,
    digest: &Digest,
    number: VersionNumber,
) -> Result<RecordKey> {
    RecordKey::new(&format!("digests/{name}/@{}-{:010}", digest.to_hex(), number.get()))
}

pub(crate) fn tags_of(name: &Identifier) -> String {
    format!("tags/{name}/@")
}

pub(crate) fn tag_key(name: &Identifier, tag: &TagName) -> Result<RecordKey> {
    RecordKey::new(&format!("tags/{name}/@{tag}"))
}
