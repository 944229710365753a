//! Listing and showing versions without loading them.

use larder_records::{JobId, Reference, Selector, Toolchain};

use super::Larder;
use super::annotations::Annotations;
use super::resolve::ResolvedVersion;
use super::tags::TagInfo;
use super::toolchain::Difference;
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::manifest::Manifest;
use crate::name::{Identifier, TypeTag, VersionNumber};
use crate::record::{self, NameRecord, Status, VersionRecord};
use crate::store::StoreExt;
use crate::time::Timestamp;

/// A version, without its manifest.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct VersionInfo {
    /// The name it belongs to.
    #[serde(rename = "name")]
    pub identifier: Identifier,
    /// Its number.
    pub version: VersionNumber,
    /// The digest of its manifest: its identity.
    pub digest: Digest,
    /// The tag of its type.
    #[serde(rename = "type")]
    pub type_tag: TypeTag,
    /// The bytes of its manifest and of every artifact.
    pub size: u64,
    /// The time of its apply.
    pub created: Timestamp,
    /// The crate that provided its type, and that crate's version.
    #[serde(rename = "crate")]
    pub origin: Option<String>,
    /// The toolchain of the program that applied it; of class models only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub toolchain: Option<Toolchain>,
    /// The job that published it: see `JobContext::publish` of the crate `larder-jobs`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<JobId>,
    /// Its status; `latest` is always ready.
    #[serde(skip_serializing_if = "Status::is_ready")]
    pub status: Status,
    /// The error, if it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

impl VersionInfo {
    /// Creates it from the record of a version of `identifier`.
    pub fn new(identifier: &Identifier, record: &VersionRecord) -> Self {
        Self {
            identifier: identifier.clone(),
            version: record.version,
            digest: record.manifest,
            type_tag: record.type_tag.clone(),
            size: record.size,
            created: record.created,
            origin: record.origin.clone(),
            toolchain: record.toolchain.clone(),
            job: record.job.clone(),
            status: record.status,
            failure: record.failure.clone(),
        }
    }

    /// Returns the reference to exactly this version.
    #[must_use]
    pub fn reference(&self) -> Reference {
        Reference::new(self.identifier.clone(), Selector::Version(self.version))
    }
}

/// A version and its manifest, tags and annotations.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct VersionDetails {
    /// The version.
    pub version: VersionInfo,
    /// Its verified manifest.
    pub manifest: Manifest,
    /// The tags that name it.
    pub tags: Vec<TagInfo>,
    /// Its annotations.
    pub annotations: Annotations,
    /// Differences of what built it to this program: see [`Larder::strict`].
    pub differences: Vec<Difference>,
    /// When its name was locked, if it is.
    pub name_locked: Option<Timestamp>,
}

impl Larder {
    /// Returns the newest version of every name, sorted by name.
    pub fn list(&self) -> impl Iterator<Item = Result<VersionInfo>> + '_ {
        self.store.known_records(record::NAMES).filter_map(|found| {
            let read = |(key, found)| {
                let name = record::name_in(&key)?;
                let head: NameRecord = record::read(&key, &found)?;
                Ok(head.latest.map(|latest| VersionInfo::new(&name, &latest)))
            };
            found.and_then(read).transpose()
        })
    }

    /// Returns all versions of a name, oldest first.
    ///
    /// # Errors
    /// [`Error::InvalidName`]; [`Error::NotFound`] if it has none.
    pub fn versions(
        &self,
        name: impl TryInto<Identifier, Error: Into<Error>>,
    ) -> Result<Vec<VersionInfo>> {
        let name: Identifier = name.try_into().map_err(Into::into)?;
        let mut versions = Vec::new();
        for found in self.store.known_records(&record::versions_of(&name)) {
            let (key, found) = found?;
            let version: VersionRecord = record::read(&key, &found)?;
            if version.removed.is_none() {
                versions.push(VersionInfo::new(&name, &version));
            }
        }
        if versions.is_empty() {
            return Err(self.not_found(&name.into()));
        }
        Ok(versions)
    }

    /// Returns the details of the version that `reference` names. Its type need not be linked in.
    ///
    /// # Errors
    /// [`Error::InvalidName`]; [`Error::NotFound`]; [`Error::Corrupt`]; [`Error::NewerFormat`].
    pub fn show(
        &self,
        reference: impl TryInto<Reference, Error: Into<Error>>,
    ) -> Result<VersionDetails> {
        let reference: Reference = reference.try_into().map_err(Into::into)?;
        let name = reference.identifier();
        let ResolvedVersion { record: version, manifest, .. } = self.resolve(&reference)?;
        let mut tags = self.tags().of(name)?;
        tags.retain(|tag| tag.version == version.version);
        let annotations = self.annotations_of(&[(name.clone(), version.version)])?.pop();
        let annotations = annotations.transpose()?.unwrap_or_default();
        let differences = self.differences(&version);
        let name_locked = self.head(name)?.and_then(|head| head.locked);
        let version = VersionInfo::new(name, &version);
        Ok(VersionDetails { version, manifest, tags, annotations, differences, name_locked })
    }
}
