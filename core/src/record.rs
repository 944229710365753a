//! The records of a larder: their keys and their JSON.
//!
//! | key | holds |
//! | --- | --- |
//! | `names/NAME` | the next version number, and the newest version |
//! | `versions/NAME/@0000000007` | one version |
//! | `digests/NAME/@HEX-0000000007` | the way from a digest to a version |
//! | `tags/NAME/@prod` | the version that a tag names |
//! | `moves/NAME/@prod/@0000000003` | one move of a tag: its history |
//! | `notes/NAME/@0000000007` | what people say of a version |
//! | `users/NAME/@HEX-USER-0000000007` | a version that refers to a version of NAME |
//! | `gc/@HEX` | a blob that is to be collected as garbage |
//!
//! A part that begins with `@` never belongs to an identifier, so no two keys meet.

mod key;

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub(crate) use key::*;

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::jobs::JobId;
use crate::larder::Toolchain;
use crate::manifest::read_versioned;
use crate::name::{Identifier, TypeTag, VersionNumber};
use crate::store::{Change, Expected, Record, RecordKey};
use crate::time::Timestamp;

/// The format of records that this Larder writes, and the newest that it reads.
pub(crate) const FORMAT: u64 = 1;

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
    /// The newest version that is ready and not removed.
    pub(crate) latest: Option<VersionRecord>,
    /// Since when nothing under the name may change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) locked: Option<Timestamp>,
    /// How often a tag of the name was moved, or something came to refer to a version, so that who does it and who removes a
    /// version meet here.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) moves: u64,
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
    /// The job that published it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) job: Option<JobId>,
    /// Whether its type has hooks, one of which is to run before it is removed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) hooks: bool,
    #[serde(default, skip_serializing_if = "Status::is_ready")]
    pub(crate) status: Status,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) failure: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) removed: Option<Timestamp>,
    /// When its bytes, or some of them, were found to be collected as garbage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) collected: Option<Timestamp>,
}

/// Whether a version may be used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Status {
    /// It may.
    #[default]
    Ready,
    /// Its `on_create` is running, or the program ended in the middle of it.
    Preparing,
    /// Its `on_create` failed.
    Failed,
}

impl Status {
    /// Whether it is [`Status::Ready`].
    pub fn is_ready(&self) -> bool {
        *self == Self::Ready
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ready => "ready",
            Self::Preparing => "preparing",
            Self::Failed => "failed",
        })
    }
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
    /// The number of the move that made it so: its last. The first Larders did not count.
    #[serde(default = "one")]
    pub(crate) moves: u64,
    /// Who moved it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) by: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) protected: bool,
}

/// `moves/NAME/@TAG/@N`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MoveRecord {
    larder: u64,
    /// The version that the tag came to name; none if it was removed.
    pub(crate) version: Option<VersionNumber>,
    pub(crate) moved: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) by: Option<String>,
}

/// `notes/NAME/@N`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AnnotationsRecord {
    larder: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) labels: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) metrics: BTreeMap<String, f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) locked: Option<Timestamp>,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

fn one() -> u64 {
    1
}

/// `users/NAME/@HEX-USER-N`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserRecord {
    larder: u64,
    /// The name of the user.
    pub(crate) name: Identifier,
    pub(crate) version: VersionNumber,
    /// The digest of the user's manifest: another version of that number is none.
    pub(crate) manifest: Digest,
}

/// `gc/@HEX`.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GarbageRecord {
    larder: u64,
    /// Since when the blob is known to be garbage, unless a writer takes it back.
    pub(crate) condemned: Timestamp,
    /// When a collector began to remove it: from then on no writer may count on the blob.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) deleting: Option<Timestamp>,
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

documents!(
    NameRecord,
    VersionRecord,
    DigestRecord,
    TagRecord,
    MoveRecord,
    AnnotationsRecord,
    UserRecord,
    GarbageRecord
);

impl NameRecord {
    /// That of a name without versions.
    pub(crate) fn new() -> Self {
        Self { larder: FORMAT, next: VersionNumber::FIRST, latest: None, locked: None, moves: 0 }
    }

    /// The same name with other versions.
    pub(crate) fn with(self, next: VersionNumber, latest: Option<VersionRecord>) -> Self {
        Self { next, latest, ..self }
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
            job: None,
            hooks: false,
            status: Status::Ready,
            failure: None,
            removed: None,
            collected: None,
        }
    }

    /// Whether it may be the newest version: it is ready, and not removed.
    pub(crate) fn is_current(&self) -> bool {
        self.removed.is_none() && self.status.is_ready()
    }
}

impl DigestRecord {
    pub(crate) fn new(version: VersionNumber) -> Self {
        Self { larder: FORMAT, version }
    }
}

impl TagRecord {
    /// The state after the move number `moves`.
    pub(crate) fn new(
        version: VersionNumber,
        moved: Timestamp,
        moves: u64,
        by: Option<String>,
        protected: bool,
    ) -> Self {
        Self { larder: FORMAT, version, moved, moves, by, protected }
    }

    /// The move that made it so.
    pub(crate) fn last_move(&self) -> MoveRecord {
        MoveRecord::new(Some(self.version), self.moved, self.by.clone())
    }
}

impl MoveRecord {
    pub(crate) fn new(
        version: Option<VersionNumber>,
        moved: Timestamp,
        by: Option<String>,
    ) -> Self {
        Self { larder: FORMAT, version, moved, by }
    }
}

impl AnnotationsRecord {
    pub(crate) fn new(
        description: Option<String>,
        labels: BTreeMap<String, String>,
        metrics: BTreeMap<String, f64>,
        locked: Option<Timestamp>,
    ) -> Self {
        Self { larder: FORMAT, description, labels, metrics, locked }
    }
}

impl UserRecord {
    pub(crate) fn new(name: Identifier, version: VersionNumber, manifest: Digest) -> Self {
        Self { larder: FORMAT, name, version, manifest }
    }
}

impl GarbageRecord {
    pub(crate) fn new(condemned: Timestamp, deleting: Option<Timestamp>) -> Self {
        Self { larder: FORMAT, condemned, deleting }
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

/// The change that makes a commit depend on a record that it leaves as it is.
pub(crate) fn unchanged(key: RecordKey, found: Option<&Record>) -> Change {
    match found {
        Some(found) => Change::PutRecord {
            key,
            value: found.value.clone(),
            expected: Expected::Revision(found.revision.clone()),
        },
        // To remove what must not be there is to do nothing, if it is not there.
        None => Change::RemoveRecord { key, expected: Expected::Absent },
    }
}

/// What a change of `found` expects.
pub(crate) fn expect(found: Option<&Record>) -> Expected {
    found.map_or(Expected::Absent, |found| Expected::Revision(found.revision.clone()))
}

/// Reads a [`VersionRecord`], whose key must be its own.
pub(crate) fn read_version(
    key: &RecordKey,
    record: &Record,
) -> Result<(Identifier, VersionRecord)> {
    let (name, _) = parts_of(key, VERSIONS)?;
    let version: VersionRecord = read(key, record)?;
    if version_key(&name, version.version)? != *key {
        return Err(misnamed(key, "it is that of another version"));
    }
    Ok((name, version))
}
