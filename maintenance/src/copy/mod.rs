//! Copying versions from one larder to another.
//!
//! What the target has already is not moved again: blobs go before the records that lead to them, so a copy
//! that was interrupted is completed by doing it again.

mod annotations;
mod carry;
mod mirror;
mod plan;
mod select;

use larder_core::extend::LarderExt;
use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use self::carry::Carrier;
pub use self::mirror::{MirrorOptions, MirrorReport, RemovedTag};
use self::plan::{CopyPlan, How, Placed, Placing};
use self::select::{Selected, select};
use crate::Maintenance;
use larder_core::store::{Digest, MemoryStore, RecordKey, StoreExt, TagName, VersionNumber};
use larder_core::{Identifier, Larder, Registry, Result, Selection, VersionInfo};

/// How [`Maintenance::copy`] copies.
///
/// ```
/// use larder_core::CopyOptions;
///
/// let options = CopyOptions { dry_run: true, ..CopyOptions::default() };
/// assert!(!options.all_versions && !options.overwrite);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CopyOptions {
    /// Copies every version of the names that the references have, not only those that they mean.
    pub all_versions: bool,
    /// Lets tags of the target name other versions than they do, where they do in the source.
    pub overwrite: bool,
    /// Writes nothing and tells what would be.
    pub dry_run: bool,
}

/// What [`Maintenance::copy`] did, or would do.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct CopyReport {
    /// The versions, by name and number.
    pub versions: Vec<CopiedVersion>,
    /// The tags that came along.
    pub tags: Vec<CopiedTag>,
    /// How many blobs the target lacked.
    pub blobs: u64,
    /// How many bytes those have.
    pub bytes: u64,
}

/// What became of a version.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct CopiedVersion {
    /// The version in the source.
    #[serde(flatten)]
    pub version: VersionInfo,
    /// Its number in the target.
    pub to: VersionNumber,
    /// What was done.
    pub outcome: CopyOutcome,
}

/// What became of a tag.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct CopiedTag {
    /// The name that it belongs to.
    pub name: Identifier,
    /// The tag.
    pub tag: TagName,
    /// The version that it names in the target.
    pub version: VersionNumber,
    /// The version that it named there before, if it was another.
    pub moved_from: Option<VersionNumber>,
    /// Whether the target had it so already.
    pub present: bool,
}

/// What was done with a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum CopyOutcome {
    /// It is new in the target, under the same number.
    Copied,
    /// It is new in the target, under the next free number, because its own is taken.
    Renumbered,
    /// The target had it already.
    Present,
}

/// All that an empty larder would hold after a copy, without the bytes of the blobs.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CopyOutline {
    /// The blobs and their sizes.
    pub blobs: BTreeMap<Digest, u64>,
    /// The records.
    pub records: BTreeMap<RecordKey, Bytes>,
}

impl Maintenance {
    /// Copies the versions that `references` mean, or everything if there are none, to `target`.
    ///
    /// No type need be linked in. A version that the target has under the same name is not copied again.
    /// Another keeps its number unless the target gave that away, and with it its time and origin. Tags
    /// that name what is copied come along. Every byte is checked on its way. What fails half-way is
    /// completed by doing it again.
    ///
    /// ```
    /// use larder_core::{CopyOptions, Registry};
    ///
    /// let registry = || Registry::linked();
    /// let (here, there) = (registry()?.open("memory:")?, registry()?.open("memory:")?);
    /// let copied = here.maintenance().copy(Selection::All, &there, &CopyOptions::default())?;
    /// assert_eq!((copied.versions.len(), copied.bytes), (0, 0));
    /// # Ok::<(), larder_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`](larder_core::Error::NotFound) for a reference;
    /// [`Error::Refused`](larder_core::Error::Refused), before anything is written, for tags that would move;
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
        let how = if options.overwrite { How::Overwrite } else { How::Add };
        let placing = Placing { source: self, target, how };
        let plan = placing.plan(&selected)?;
        self.bring(placing, &selected, plan, options.dry_run)
    }

    /// Does what was planned, or tells of it.
    fn bring(
        &self,
        placing: Placing<'_>,
        selected: &[Selected],
        CopyPlan { places: plans, tags }: CopyPlan,
        dry_run: bool,
    ) -> Result<CopyReport> {
        let cargo = carry::cargo(self, placing.target, selected, &plans)?;
        let mut copied = CopyReport {
            blobs: cargo.lacking.len() as u64,
            bytes: cargo.lacking.values().sum(),
            ..CopyReport::default()
        };
        let meter = self.larder.meter("copying", Some(copied.bytes));
        let carrier = Carrier::new(placing, cargo.contents, Some(meter));
        for (selected, first) in selected.iter().zip(plans) {
            let places = if dry_run {
                first.clone()
            } else {
                let (places, carried) = carrier.carry(selected)?;
                copied.tags.extend(carried.into_iter().map(|tag| tag.report));
                places
            };
            copied.versions.extend(report(selected, &first, &places));
        }
        if dry_run {
            copied.tags = tags.into_iter().map(|tag| tag.report).collect();
        }
        Ok(copied)
    }

    /// What an empty larder would hold after a copy: for who writes it elsewhere, such as into an archive.
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
        let placing = Placing { source: self, target: &target, how: How::Add };
        let plans = selected
            .iter()
            .map(|selected| placing.place(selected, false))
            .collect::<Result<Vec<_>>>()?;
        let cargo = carry::cargo(self, &target, &selected, &plans)?;
        let carrier = Carrier::new(placing, cargo.contents, None);
        for selected in &selected {
            carrier.carry(selected)?;
        }
        let records = target.store.records("").map(|found| found.map(|(key, r)| (key, r.value)));
        Ok(CopyOutline { blobs: cargo.lacking, records: records.collect::<Result<_>>()? })
    }
}

/// What became of the versions of a name: `first` says what the target had, `places` where they are now.
fn report(
    selected: &Selected,
    first: &[Placed],
    places: &[Placed],
) -> impl Iterator<Item = CopiedVersion> {
    let versions = selected.versions.values().zip(first).zip(places);
    versions.map(|((version, first), place)| CopiedVersion {
        version: VersionInfo::new(&selected.name, version),
        to: place.number,
        outcome: match first.lacking {
            false => CopyOutcome::Present,
            true if place.number == version.version => CopyOutcome::Copied,
            true => CopyOutcome::Renumbered,
        },
    })
}
