//! Making one larder hold all that another holds.

use std::collections::{BTreeMap, BTreeSet};

use super::CopyReport;
use super::plan::{How, Placing, is_leaving};
use super::select::{Selected, select};
use crate::Maintenance;
use larder_core::store::{StoreExt, TagName, VersionNumber};
use larder_core::versions::{RemoveOptions, TagOptions};
use larder_core::{Error, Identifier, Larder, Result, Selection, VersionInfo, record};

/// How [`Maintenance::mirror`] works.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MirrorOptions {
    /// Removes the versions and tags of the target that the source does not have.
    pub delete: bool,
    /// Writes nothing and tells what would be.
    pub dry_run: bool,
}

/// What [`Maintenance::mirror`] did, or would do.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct MirrorReport {
    /// What came there.
    #[serde(flatten)]
    pub copied: CopyReport,
    /// The versions whose removal there was taken back.
    pub restored: Vec<VersionInfo>,
    /// The tags that were removed there.
    pub untagged: Vec<RemovedTag>,
    /// The versions that were removed there.
    pub removed: Vec<VersionInfo>,
}

/// A tag that was removed.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct RemovedTag {
    /// The name that it belonged to.
    pub name: Identifier,
    /// The tag.
    pub tag: TagName,
    /// The version that it named.
    pub version: VersionNumber,
}

/// What the target has and the source has not.
#[derive(Default)]
struct Surplus {
    tags: Vec<RemovedTag>,
    versions: Vec<VersionInfo>,
}

impl Maintenance {
    /// Makes `target` hold all that this larder holds: every version under its number, tags where they are here, and
    /// notes as they are here.
    ///
    /// What the target holds besides stays, or is removed if `options` say so: its versions and tags, not its notes.
    /// No hook runs. Locks of names are not mirrored, and keep the target as it is. Every byte is checked on its way. What fails
    /// half-way is completed by doing it again.
    ///
    /// ```
    /// use larder_core::{MirrorOptions, Registry};
    ///
    /// let registry = || Registry::linked();
    /// let (here, there) = (registry()?.open("memory:")?, registry()?.open("memory:")?);
    /// let mirrored = here.maintenance().mirror(&there, &MirrorOptions { delete: true, dry_run: false })?;
    /// assert!(mirrored.copied.versions.is_empty() && mirrored.removed.is_empty());
    /// # Ok::<(), larder_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Refused`], before anything is written, if the target has another version under a number of the
    /// source; then for what is locked there. Else as [`copy`](Maintenance::copy).
    pub fn mirror(&self, target: &Larder, options: &MirrorOptions) -> Result<MirrorReport> {
        let target = &Self::new(target.clone());
        let selected = select(self, &Selection::All, true)?;
        let placing = Placing { source: self, target, how: How::Mirror };
        let plan = placing.plan(&selected)?;
        let restored = removed_there(&placing, &selected)?;
        let surplus = match options.delete {
            true => surplus(target, &selected)?,
            false => Surplus::default(),
        };
        if !options.dry_run {
            for version in &restored {
                target.restore(version.reference())?;
            }
        }
        let copied = self.bring(placing, &selected, plan, options.dry_run)?;
        if !options.dry_run {
            target.remove_surplus(&surplus)?;
        }
        let Surplus { tags: untagged, versions: removed } = surplus;
        Ok(MirrorReport { copied, restored, untagged, removed })
    }

    fn remove_surplus(&self, surplus: &Surplus) -> Result<()> {
        for RemovedTag { name, tag, .. } in &surplus.tags {
            match self.larder.tags().remove(name, tag, &TagOptions::new().force(true)) {
                // Somebody else was faster.
                Ok(()) | Err(Error::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        // One may be needed by another that goes too: those that are refused are tried again after the others.
        let options = RemoveOptions::new().hooks(false);
        let mut rest: Vec<_> = surplus.versions.iter().map(VersionInfo::reference).collect();
        while !rest.is_empty() {
            let (mut refused, mut reason) = (Vec::new(), None);
            let before = rest.len();
            for reference in rest {
                match self.larder.remove_with(reference.clone(), &options) {
                    Ok(_) | Err(Error::NotFound { .. }) => {}
                    Err(error @ Error::Refused { .. }) => {
                        refused.push(reference);
                        reason.get_or_insert(error);
                    }
                    Err(error) => return Err(error),
                }
            }
            match reason {
                Some(error) if refused.len() == before => return Err(error),
                _ => rest = refused,
            }
        }
        Ok(())
    }
}

/// The versions of the source that were removed in the target, or are on their way out.
fn removed_there(placing: &Placing<'_>, selected: &[Selected]) -> Result<Vec<VersionInfo>> {
    let mut removed = Vec::new();
    for selected in selected {
        let head = placing.target.head(&selected.name)?;
        for (number, there) in placing.same_number(selected)? {
            if let Some(there) = there
                && (there.removed.is_some() || is_leaving(head.as_ref(), number))
            {
                removed.push(VersionInfo::new(&selected.name, &there));
            }
        }
    }
    Ok(removed)
}

/// What the target has and the source has not.
fn surplus(target: &Maintenance, selected: &[Selected]) -> Result<Surplus> {
    let wanted: BTreeMap<&Identifier, &Selected> =
        selected.iter().map(|selected| (&selected.name, selected)).collect();
    let mut surplus = Surplus::default();
    for found in target.store.records(record::NAMES) {
        let name = record::name_in(&found?.0)?;
        let wanted = wanted.get(&name);
        let has_version = |number: &VersionNumber| {
            wanted.is_some_and(|selected| selected.versions.contains_key(number))
        };
        let tags: BTreeSet<&TagName> =
            wanted.into_iter().flat_map(|selected| &selected.tags).map(|(tag, _)| tag).collect();
        for tag in target.larder.tags().of(&name)? {
            if !tags.contains(&tag.tag) {
                let (tag, version) = (tag.tag, tag.version);
                surplus.tags.push(RemovedTag { name: name.clone(), tag, version });
            }
        }
        let versions = match target.larder.versions(&name) {
            Ok(versions) => versions,
            // All of them are removed.
            Err(Error::NotFound { .. }) => continue,
            Err(error) => return Err(error),
        };
        surplus.versions.extend(versions.into_iter().filter(|it| !has_version(&it.version)));
    }
    Ok(surplus)
}
