//! Copying versions from one larder to another.
//!
//! Blobs are written before the records that refer to them, and what the target already has is not copied again: an
//! interrupted copy is completed by running it again.

mod attached;
mod contents;
mod mirror;
mod plan;
mod select;
mod write;

use larder_core::extend::LarderExt;
use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

pub(crate) use self::contents::PAGE;
use self::contents::transfer;
pub use self::mirror::{MirrorOptions, MirrorReport, RemovedTag};
use self::plan::{CopyPlan, CopyPlanner, PlannedVersion, TargetPolicy};
use self::select::{Selected, select};
use self::write::CopyWriter;
use crate::Maintenance;
use larder_core::record::VersionRecord;
use larder_core::store::{Digest, MemoryStore, RecordKey, StoreExt, TagName, VersionNumber};
use larder_core::{Identifier, Larder, Registry, Result, Selection, VersionInfo};

/// Options of [`Maintenance::copy`].
///
/// ```
/// use larder_maintenance::CopyOptions;
///
/// let options = CopyOptions::new().all_versions(true).dry_run(true);
/// # let _ = options;
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CopyOptions {
    all_versions: bool,
    overwrite: bool,
    dry_run: bool,
}

impl CopyOptions {
    /// Default options: only the selected versions, and no tag moves.
    pub const fn new() -> Self {
        Self { all_versions: false, overwrite: false, dry_run: false }
    }

    /// Sets whether to copy every version of the selected names.
    #[must_use]
    pub const fn all_versions(mut self, all_versions: bool) -> Self {
        self.all_versions = all_versions;
        self
    }

    /// Sets whether tags of the target move to the versions they name in the source.
    #[must_use]
    pub const fn overwrite(mut self, overwrite: bool) -> Self {
        self.overwrite = overwrite;
        self
    }

    /// Sets whether to report without changing anything.
    #[must_use]
    pub const fn dry_run(mut self, dry_run: bool) -> Self {
        self.dry_run = dry_run;
        self
    }
}

/// The result of [`Maintenance::copy`], or of its dry run.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct CopyReport {
    /// The versions, by name and number.
    pub versions: Vec<CopiedVersion>,
    /// The copied tags.
    pub tags: Vec<CopiedTag>,
    /// The number of blobs that the target lacked.
    pub blobs: u64,
    /// The bytes of those blobs.
    pub bytes: u64,
}

/// One version in a [`CopyReport`].
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct CopiedVersion {
    /// The version in the source.
    #[serde(flatten)]
    pub version: VersionInfo,
    /// Its number in the target.
    pub to: VersionNumber,
    /// The outcome.
    pub outcome: CopyOutcome,
}

/// One tag in a [`CopyReport`].
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct CopiedTag {
    /// Its identifier.
    pub name: Identifier,
    /// The tag.
    pub tag: TagName,
    /// The version that it names in the target.
    pub version: VersionNumber,
    /// The other version that it named there before.
    pub moved_from: Option<VersionNumber>,
    /// True if the target already had it.
    pub present: bool,
}

/// The outcome of copying a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum CopyOutcome {
    /// New in the target, with the same number.
    Copied,
    /// New in the target, with the next free number because its own is taken.
    Renumbered,
    /// Already in the target.
    Present,
}

/// The contents of an empty larder after a copy, without the bytes of the blobs.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CopyOutline {
    /// The blobs and their sizes.
    pub blobs: BTreeMap<Digest, u64>,
    /// The records.
    pub records: BTreeMap<RecordKey, Bytes>,
}

impl Maintenance {
    /// Copies the selected versions and their children to `target`.
    ///
    /// No type needs to be linked in. A version that the target has under the same name is not copied again. Others keep
    /// their time, their origin and, unless the target has used it, their number. The tags of copied versions and the
    /// records that belong to them, such as annotations, are copied too. Every byte is checked. An interrupted copy is
    /// completed by running it again.
    ///
    /// ```
    /// use larder_core::{Registry, Selection};
    /// use larder_maintenance::{CopyOptions, LarderMaintenance};
    ///
    /// let registry = || Registry::linked();
    /// let (here, there) = (registry()?.open("memory:")?, registry()?.open("memory:")?);
    /// let copied = here.maintenance().copy(Selection::All, &there, &CopyOptions::new())?;
    /// assert_eq!((copied.versions.len(), copied.bytes), (0, 0));
    /// # Ok::<(), larder_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`](larder_core::Error::NotFound) for a reference;
    /// [`Error::Blocked`](larder_core::Error::Blocked), before anything is written, for tags that would move;
    /// [`Error::Corrupt`](larder_core::Error::Corrupt) and [`Error::NewerFormat`](larder_core::Error::NewerFormat) for
    /// the source; [`Error::Conflict`](larder_core::Error::Conflict); [`Error::Store`](larder_core::Error::Store).
    pub fn copy(
        &self,
        selection: impl Into<Selection>,
        target: &Larder,
        options: &CopyOptions,
    ) -> Result<CopyReport> {
        let target = &Self::new(target.clone());
        let selected = select(self, &selection.into(), options.all_versions)?;
        let policy = if options.overwrite { TargetPolicy::Overwrite } else { TargetPolicy::Keep };
        let planner = CopyPlanner { source: self, target, policy };
        let plan = planner.plan(&selected)?;
        self.execute(planner, &selected, plan, options.dry_run)
    }

    /// Makes the changes of a plan unless it is a dry run, and reports them.
    fn execute(
        &self,
        planner: CopyPlanner<'_>,
        selected: &[Selected],
        CopyPlan { planned: plans, tags }: CopyPlan,
        dry_run: bool,
    ) -> Result<CopyReport> {
        let transfer = transfer(self, planner.target, missing(selected, &plans))?;
        let mut copied = CopyReport {
            blobs: transfer.missing.len() as u64,
            bytes: transfer.missing.values().sum(),
            ..CopyReport::default()
        };
        let meter = self.larder.meter("copying", Some(copied.bytes));
        let writer = CopyWriter::new(planner, transfer.contents, Some(meter));
        for (selected, first) in selected.iter().zip(plans) {
            let planned = if dry_run {
                first.clone()
            } else {
                let (planned, written) = writer.write(selected)?;
                copied.tags.extend(written.into_iter().map(|tag| tag.report));
                planned
            };
            copied.versions.extend(report(selected, &first, &planned));
        }
        if dry_run {
            copied.tags = tags.into_iter().map(|tag| tag.report).collect();
        }
        Ok(copied)
    }

    /// Returns the contents of an empty larder after a copy, for writers of archives.
    ///
    /// # Errors
    /// As [`copy`](Maintenance::copy).
    pub fn outline(
        &self,
        selection: impl Into<Selection>,
        all_versions: bool,
    ) -> Result<CopyOutline> {
        let target = Larder::new(Arc::new(MemoryStore::new()), Registry::new());
        let target = Self::new(target);
        let selected = select(self, &selection.into(), all_versions)?;
        let planner = CopyPlanner { source: self, target: &target, policy: TargetPolicy::Keep };
        let plans = selected
            .iter()
            .map(|selected| planner.plan_versions(selected, false))
            .collect::<Result<Vec<_>>>()?;
        let transfer = transfer(self, &target, missing(&selected, &plans))?;
        let writer = CopyWriter::new(planner, transfer.contents, None);
        for selected in &selected {
            writer.write(selected)?;
        }
        let records = target.store.records("").map(|found| found.map(|(key, r)| (key, r.value)));
        Ok(CopyOutline { blobs: transfer.missing, records: records.collect::<Result<_>>()? })
    }
}

/// Returns the versions that the target lacks.
fn missing<'a>(
    selected: &'a [Selected],
    plans: &'a [Vec<PlannedVersion>],
) -> impl Iterator<Item = (&'a Identifier, &'a VersionRecord)> {
    selected.iter().zip(plans).flat_map(|(selected, planned)| {
        let missing = selected.versions.values().zip(planned).filter(|(_, place)| place.missing);
        missing.map(|(version, _)| (&selected.name, version))
    })
}

/// Reports the versions of a name: `first` is the plan before the copy, `planned` the one that was made.
fn report(
    selected: &Selected,
    first: &[PlannedVersion],
    planned: &[PlannedVersion],
) -> impl Iterator<Item = CopiedVersion> {
    let versions = selected.versions.values().zip(first).zip(planned);
    versions.map(|((version, first), place)| CopiedVersion {
        version: VersionInfo::new(&selected.name, version),
        to: place.number,
        outcome: match first.missing {
            false => CopyOutcome::Present,
            true if place.number == version.version => CopyOutcome::Copied,
            true => CopyOutcome::Renumbered,
        },
    })
}
