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
mod kinds;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

pub use key::*;
pub use kinds::known_version;
pub use larder_store::record::{Document, FORMAT, expect, put, read, unchanged};

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
    /// The number that the next version gets.
    pub next: VersionNumber,
    /// The newest version that is ready and not removed.
    pub latest: Option<VersionRecord>,
    /// Since when nothing under the name may change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locked: Option<Timestamp>,
    /// How often a tag of the name was moved, or something came to refer to a version, so that who does it and who removes a
    /// version meet here.
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
    /// The bytes of the manifest and of every artifact.
    pub size: u64,
    /// When it was applied.
    pub created: Timestamp,
    /// The crate that brought the type when it was applied.
    #[serde(rename = "crate", default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// What built the writing program; of class models only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub toolchain: Option<Toolchain>,
    /// The job that published it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobId>,
    /// Whether its type has hooks, one of which is to run before it is removed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hooks: bool,
    /// Whether it may be used.
    #[serde(default, skip_serializing_if = "Status::is_ready")]
    pub status: Status,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// When it was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed: Option<Timestamp>,
    /// When its bytes, or some of them, were found to be collected as garbage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collected: Option<Timestamp>,
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
    /// The number of the move that made it so: its last. The first Larders did not count.
    #[serde(default = "one")]
    pub moves: u64,
    /// Who moved it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Whether moving it takes an explicit override.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub protected: bool,
}

/// `moves/NAME/@TAG/@N`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MoveRecord {
    larder: u64,
    /// The version that the tag came to name; none if it was removed.
    pub version: Option<VersionNumber>,
    /// When it was moved.
    pub moved: Timestamp,
    /// Who moved it.
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
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Metrics, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<String, f64>,
    /// Since when the version is locked.
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
    /// The digest of the user's manifest: another version of that number is none.
    pub manifest: Digest,
}

/// `gc/@HEX`.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GarbageRecord {
    larder: u64,
    /// Since when the blob is known to be garbage, unless a writer takes it back.
    pub condemned: Timestamp,
    /// When a collector began to remove it: from then on no writer may count on the blob.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleting: Option<Timestamp>,
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
    pub fn new() -> Self {
        Self { larder: FORMAT, next: VersionNumber::FIRST, latest: None, locked: None, moves: 0 }
    }

    /// The same name with other versions.
    pub fn with(self, next: VersionNumber, latest: Option<VersionRecord>) -> Self {
        Self { next, latest, ..self }
    }
}

impl VersionRecord {
    /// A version that is ready.
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

    /// Whether it may be the newest version: it is ready, and not removed.
    pub fn is_current(&self) -> bool {
        self.removed.is_none() && self.status.is_ready()
    }
}

impl DigestRecord {
    /// A record that leads to `version`.
    pub fn new(version: VersionNumber) -> Self {
        Self { larder: FORMAT, version }
    }
}

impl TagRecord {
    /// The state after the move number `moves`.
    pub fn new(
        version: VersionNumber,
        moved: Timestamp,
        moves: u64,
        by: Option<String>,
        protected: bool,
    ) -> Self {
        Self { larder: FORMAT, version, moved, moves, by, protected }
    }

    /// The move that made it so.
    pub fn last_move(&self) -> MoveRecord {
        MoveRecord::new(Some(self.version), self.moved, self.by.clone())
    }
}

impl MoveRecord {
    /// A move to `version`, or the removal of the tag.
    pub fn new(version: Option<VersionNumber>, moved: Timestamp, by: Option<String>) -> Self {
        Self { larder: FORMAT, version, moved, by }
    }
}

impl AnnotationsRecord {
    /// The annotations of a version.
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
    /// The use by a version.
    pub fn new(name: Identifier, version: VersionNumber, manifest: Digest) -> Self {
        Self { larder: FORMAT, name, version, manifest }
    }
}

impl GarbageRecord {
    /// A blob that was found to be garbage.
    pub fn new(condemned: Timestamp, deleting: Option<Timestamp>) -> Self {
        Self { larder: FORMAT, condemned, deleting }
    }
}

/// Reads a [`VersionRecord`], whose key must be its own.
pub fn read_version(key: &RecordKey, record: &Record) -> Result<(Identifier, VersionRecord)> {
    let (name, _) = parts_of(key, VERSIONS)?;
    let version: VersionRecord = read(key, record)?;
    if version_key(&name, version.version)? != *key {
        return Err(misnamed(key, "it is that of another version"));
    }
    Ok((name, version))
}
