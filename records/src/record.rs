//! The records of a larder: their keys and their JSON.
//!
//! | key | holds |
//! | --- | --- |
//! | `names/NAME` | the next version number, and the newest version |
//! | `versions/NAME/@0000000007` | one version |
//! | `digests/NAME/@HEX-0000000007` | the version with a digest |
//! | `tags/NAME/@prod` | the version that a tag names |
//! | `moves/NAME/@prod/@0000000003` | one move of a tag: its history |
//! | `notes/NAME/@0000000007` | the annotations of a version |
//! | `users/NAME/@HEX-USER-0000000007` | a version that refers to a version of NAME |
//! | `gc/@HEX` | a blob to be collected |
//!
//! A part that begins with `@` never belongs to an identifier, so no two keys meet.

mod key;
mod kinds;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

pub use key::*;
pub use kinds::known_version;
pub use larder_store::record::{Document, FORMAT, expect, put, read, unchanged, unique};

use crate::digest::Digest;
use crate::error::Result;
use crate::job_id::JobId;
use crate::name::{Identifier, TypeTag, VersionNumber};
use crate::store::{Record, RecordKey};
use crate::time::Timestamp;
use crate::toolchain::Toolchain;

/// `names/NAME`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NameRecord {
    larder: u64,
    /// The number of the next version.
    pub next: VersionNumber,
    /// The newest version that is ready and not removed.
    pub latest: Option<VersionRecord>,
    /// When the name was locked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locked: Option<Timestamp>,
    /// Counts tag moves and new references to versions, so that they conflict with removals.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub moves: u64,
}

/// `versions/NAME/@N`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VersionRecord {
    larder: u64,
    /// The number of the version.
    pub version: VersionNumber,
    /// The digest of the manifest.
    pub manifest: Digest,
    /// The tag of its type.
    #[serde(rename = "type")]
    pub type_tag: TypeTag,
    /// The size of the manifest and all artifacts in bytes.
    pub size: u64,
    /// When it was applied.
    pub created: Timestamp,
    /// The crate of the type when it was applied.
    #[serde(rename = "crate", default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// The toolchain of the writing program; of class models only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub toolchain: Option<Toolchain>,
    /// The job that published it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobId>,
    /// True if its type has hooks: `cleanup` runs before removal.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hooks: bool,
    /// The state of its `on_create`.
    #[serde(default, skip_serializing_if = "Status::is_ready")]
    pub status: Status,
    /// The error of `on_create`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// When it was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed: Option<Timestamp>,
    /// When some of its blobs were found to be collected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collected: Option<Timestamp>,
}

/// The state of a version.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Status {
    /// It may be used.
    #[default]
    Ready,
    /// Its `on_create` is running, or was interrupted.
    Preparing,
    /// Its `on_create` failed.
    Failed,
}

impl Status {
    /// Returns whether it is [`Status::Ready`].
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
pub struct DigestRecord {
    larder: u64,
    /// The number of the version.
    pub version: VersionNumber,
}

/// `tags/NAME/@TAG`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TagRecord {
    larder: u64,
    /// The number of the version.
    pub version: VersionNumber,
    /// When it was moved.
    pub moved: Timestamp,
    /// The number of its last move; 1 in records without it.
    #[serde(default = "one")]
    pub moves: u64,
    /// The author of the move.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// True if moving it needs force.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub protected: bool,
}

/// `moves/NAME/@TAG/@N`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MoveRecord {
    larder: u64,
    /// The version of the tag after the move; none if the tag was removed.
    pub version: Option<VersionNumber>,
    /// When it was moved.
    pub moved: Timestamp,
    /// The author of the move.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// `notes/NAME/@N`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnnotationsRecord {
    larder: u64,
    /// Free text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Labels, by name.
    #[serde(default, deserialize_with = "unique", skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Metrics, by name.
    #[serde(default, deserialize_with = "unique", skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<String, f64>,
    /// When the version was locked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locked: Option<Timestamp>,
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
pub struct UserRecord {
    larder: u64,
    /// The name of the user.
    pub name: Identifier,
    /// The number of the version.
    pub version: VersionNumber,
    /// The digest of the user's manifest.
    pub manifest: Digest,
}

/// `gc/@HEX`.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GarbageRecord {
    larder: u64,
    /// When the blob was found to be garbage, unless a writer takes it back.
    pub condemned: Timestamp,
    /// When a collector began to remove it; writers must not use the blob from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleting: Option<Timestamp>,
}

larder_store::documents!(
    NameRecord: kinds::name_fault,
    VersionRecord: kinds::version_fault,
    DigestRecord: kinds::digest_fault,
    TagRecord,
    MoveRecord,
    AnnotationsRecord,
    UserRecord: kinds::user_fault,
    GarbageRecord
);

/// The record of a name without versions.
impl Default for NameRecord {
    fn default() -> Self {
        Self { larder: FORMAT, next: VersionNumber::FIRST, latest: None, locked: None, moves: 0 }
    }
}

impl NameRecord {
    /// Replaces the next and latest version.
    pub fn with(self, next: VersionNumber, latest: Option<VersionRecord>) -> Self {
        Self { next, latest, ..self }
    }
}

impl VersionRecord {
    /// Creates the record of a ready version.
    pub fn new(
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

    /// Returns whether it is ready and not removed.
    pub fn is_current(&self) -> bool {
        self.removed.is_none() && self.status.is_ready()
    }
}

impl DigestRecord {
    /// Creates the record of a digest of `version`.
    pub fn new(version: VersionNumber) -> Self {
        Self { larder: FORMAT, version }
    }
}

impl TagRecord {
    /// Creates the record of a tag after move `moves`.
    pub fn new(
        version: VersionNumber,
        moved: Timestamp,
        moves: u64,
        by: Option<String>,
        protected: bool,
    ) -> Self {
        Self { larder: FORMAT, version, moved, moves, by, protected }
    }

    /// Returns its last move.
    pub fn last_move(&self) -> MoveRecord {
        MoveRecord::new(Some(self.version), self.moved, self.by.clone())
    }
}

impl MoveRecord {
    /// Creates the record of a move to `version`, or of the removal of the tag.
    pub fn new(version: Option<VersionNumber>, moved: Timestamp, by: Option<String>) -> Self {
        Self { larder: FORMAT, version, moved, by }
    }
}

impl AnnotationsRecord {
    /// Creates the annotations of a version.
    pub fn new(
        description: Option<String>,
        labels: BTreeMap<String, String>,
        metrics: BTreeMap<String, f64>,
        locked: Option<Timestamp>,
    ) -> Self {
        Self { larder: FORMAT, description, labels, metrics, locked }
    }
}

impl UserRecord {
    /// Creates the record of a version that refers to another.
    pub fn new(name: Identifier, version: VersionNumber, manifest: Digest) -> Self {
        Self { larder: FORMAT, name, version, manifest }
    }
}

impl GarbageRecord {
    /// Creates the record of a garbage blob.
    pub fn new(condemned: Timestamp, deleting: Option<Timestamp>) -> Self {
        Self { larder: FORMAT, condemned, deleting }
    }
}

/// Reads a [`VersionRecord`], and the name in its key.
pub fn read_version(key: &RecordKey, record: &Record) -> Result<(Identifier, VersionRecord)> {
    let (name, _) = parts_of(key, VERSIONS)?;
    Ok((name, read(key, record)?))
}
