//! Differences between two versions, one of which may not be written yet.
//!
//! Only manifests are read: no type needs to be linked in, and no artifact is fetched.

mod node;
mod plan;
mod text;
mod walk;

use std::collections::HashMap;

use serde::Serialize;

pub use larder_core::extend::PlannedJob;
pub use plan::Plan;
pub(crate) use plan::plan;

use larder_core::extend::Records;
use larder_core::manifest::Manifest;
use larder_core::store::{Digest, TypeTag, VersionNumber};
use larder_core::{Identifier, Larder, Reference, Result, Selector, VersionInfo};

/// The difference between two versions, field by field.
///
/// ```
/// use larder_core::Registry;
/// use larder_maintenance::LarderMaintenance;
/// use larder_maintenance::diff::FieldState;
/// # use larder_core::{Component, ComponentType};
/// # #[derive(serde::Serialize, serde::Deserialize)]
/// # struct Limit { acidity: f64, sugar: f64 }
/// # #[typetag::serde(name = "doc/limit")]
/// # impl Component for Limit {}
/// # impl ComponentType for Limit { const TAG: &'static str = "doc/limit"; }
///
/// let larder = Registry::linked()?.open("memory:")?;
/// larder.apply("wine/limit", &Limit { acidity: 0.7, sugar: 1.9 })?;
/// larder.apply("wine/limit", &Limit { acidity: 0.6, sugar: 1.9 })?;
///
/// let diff = larder.diff("wine/limit@1", "wine/limit@2")?;
/// let changed: Vec<_> = diff.changes().map(|field| field.path.as_str()).collect();
/// assert_eq!(changed, ["acidity"]);
/// assert_eq!(diff.counts.same, 1);
/// # Ok::<(), larder_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Diff {
    /// The old version; `None` in the plan of a first version.
    pub old: Option<Side>,
    /// The new version.
    pub new: Side,
    /// The fields in their order, at most 1,000 of each state.
    ///
    /// An unchanged field is listed once, by its name; of a changed one, each part that differs is listed by its path.
    pub fields: Vec<FieldDiff>,
    /// The number of fields of each state, listed or not.
    pub counts: Counts,
    /// The artifact bytes that both versions have.
    pub bytes: Overlap,
}

/// One of the two versions of a [`Diff`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Side {
    /// Its identifier.
    #[serde(rename = "name")]
    pub identifier: Identifier,
    /// Its number.
    pub version: VersionNumber,
    /// The digest of its manifest: its identity.
    pub digest: Digest,
    /// The tag of its type.
    #[serde(rename = "type")]
    pub type_tag: TypeTag,
    /// The version of its type.
    pub type_version: u32,
    /// The bytes of its manifest and of every artifact.
    pub size: u64,
}

/// One field, or a part of one, in two versions.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct FieldDiff {
    /// The path, such as `layers[3].bias`; in a folder, the path of the file. Empty if the fields are a single value.
    pub path: String,
    /// Its state.
    pub state: FieldState,
    /// The old value, unless it was added or is the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old: Option<FieldValue>,
    /// The new value, unless it was removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new: Option<FieldValue>,
    /// Of two artifacts that hold artifacts: the bytes that both hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shared: Option<u64>,
    /// True for a list that has the same items in another order, as a `HashSet` has each time it is loaded.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub reordered: bool,
}

/// The state of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FieldState {
    /// Unchanged.
    Same,
    /// Changed.
    Changed,
    /// Only the new version has it.
    Added,
    /// Only the old version has it.
    Removed,
}

impl FieldState {
    /// Returns the name, such as `changed`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Changed => "changed",
            Self::Added => "added",
            Self::Removed => "removed",
        }
    }
}

/// A value, for people to read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum FieldValue {
    /// JSON text; if long, cut to where the two differ, and not valid JSON then.
    Json(String),
    /// An artifact.
    Artifact {
        /// The digest of its bytes.
        digest: Digest,
        /// The number of bytes.
        size: u64,
        /// The serializer that wrote it.
        serializer: String,
        /// The bytes of the artifacts that it holds itself.
        #[serde(skip_serializing_if = "is_zero")]
        held: u64,
    },
    /// A file.
    File {
        /// The digest of its bytes.
        digest: Digest,
        /// The number of bytes.
        size: u64,
        /// True if it is executable.
        executable: bool,
    },
    /// An empty folder.
    Folder,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Number of fields by state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Counts {
    /// Those that are the same.
    pub same: u64,
    /// Those that are others.
    pub changed: u64,
    /// Those that only the new version has.
    pub added: u64,
    /// Those that only the old version has.
    pub removed: u64,
}

impl Counts {
    /// Number of fields that differ.
    pub fn differing(&self) -> u64 {
        self.changed + self.added + self.removed
    }

    fn of(&mut self, state: FieldState) -> &mut u64 {
        match state {
            FieldState::Same => &mut self.same,
            FieldState::Changed => &mut self.changed,
            FieldState::Added => &mut self.added,
            FieldState::Removed => &mut self.removed,
        }
    }
}

/// The bytes of two versions' artifacts, each blob counted once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Overlap {
    /// Bytes that both have.
    pub both: u64,
    /// Bytes that only the old version has.
    pub old: u64,
    /// Bytes that only the new version has.
    pub new: u64,
}

impl Diff {
    /// Returns true if both are the same to the last byte.
    pub fn is_same(&self) -> bool {
        self.old.as_ref().is_some_and(|old| old.digest == self.new.digest)
    }

    /// The listed fields that are not the same.
    pub fn changes(&self) -> impl Iterator<Item = &FieldDiff> {
        self.fields.iter().filter(|field| field.state != FieldState::Same)
    }

    fn between(old: Option<(Side, &Manifest)>, new: (Side, &Manifest)) -> Result<Self> {
        let (new, new_manifest) = new;
        let (old, old_manifest) = old.unzip();
        let fields = walk::fields(old.as_ref().zip(old_manifest), (&new, new_manifest))?;
        let (fields, counts) = fields;
        Ok(Self { old, new, fields, counts, bytes: Overlap::of(old_manifest, new_manifest) })
    }
}

impl Overlap {
    fn of(old: Option<&Manifest>, new: &Manifest) -> Self {
        let blobs = |manifest: &Manifest| -> HashMap<Digest, u64> {
            manifest.artifacts().iter().map(|entry| (entry.digest, entry.size)).collect()
        };
        let mut old = old.map(blobs).unwrap_or_default();
        let mut overlap = Self::default();
        for (digest, size) in blobs(new) {
            match old.remove(&digest) {
                Some(_) => add(&mut overlap.both, size),
                None => add(&mut overlap.new, size),
            }
        }
        old.into_values().for_each(|size| add(&mut overlap.old, size));
        overlap
    }
}

/// A manifest may say any size.
fn add(sum: &mut u64, size: u64) {
    *sum = sum.saturating_add(size);
}

impl Side {
    fn new(version: &VersionInfo, manifest: &Manifest) -> Self {
        Self {
            identifier: version.identifier.clone(),
            version: version.version,
            digest: version.digest,
            type_tag: manifest.type_tag().clone(),
            type_version: manifest.type_version(),
            size: version.size,
        }
    }

    /// The reference to exactly this version.
    pub fn reference(&self) -> Reference {
        Reference::new(self.identifier.clone(), Selector::Version(self.version))
    }
}

/// Compares two versions, of two larders or of one.
pub(crate) fn diff(old: (&Larder, &Reference), new: (&Larder, &Reference)) -> Result<Diff> {
    let open = |(larder, reference): (&Larder, &Reference)| -> Result<_> {
        let version = larder.find(reference)?;
        let (_, manifest) = larder.manifest_of(reference.identifier(), &version)?;
        let version = VersionInfo::new(reference.identifier(), &version);
        Ok((Side::new(&version, &manifest), manifest))
    };
    let ((old, old_manifest), (new, new_manifest)) = (open(old)?, open(new)?);
    Diff::between(Some((old, &old_manifest)), (new, &new_manifest))
}
