//! Mirroring a larder to another.

use std::collections::{BTreeMap, BTreeSet};

use super::CopyReport;
use super::plan::{CopyPlanner, TargetPolicy, is_being_removed};
use super::select::{Selected, select};
use crate::Maintenance;
use larder_core::store::{StoreExt, TagName, VersionNumber};
use larder_core::versions::{RemoveOptions, TagOptions};
use larder_core::{Error, Identifier, Larder, Result, Selection, VersionInfo, record};

/// Options of [`Maintenance::mirror`].
///
/// ```
/// use larder_maintenance::MirrorOptions;
///
/// let options = MirrorOptions::new().delete(true).dry_run(true);
/// # let _ = options;
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MirrorOptions {
    delete: bool,
    dry_run: bool,
}

impl MirrorOptions {
    /// Default options: nothing is removed from the target.
    pub const fn new() -> Self {
        Self { delete: false, dry_run: false }
    }

    /// Sets whether to remove the versions and tags of the target that the source lacks.
    #[must_use]
    pub const fn delete(mut self, delete: bool) -> Self {
        self.delete = delete;
        self
    }

    /// Sets whether to report without changing anything.
    #[must_use]
    pub const fn dry_run(mut self, dry_run: bool) -> Self {
        self.dry_run = dry_run;
        self
    }
}

/// The result of [`Maintenance::mirror`], or of its dry run.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct MirrorReport {
    /// The copied versions and tags.
    #[serde(flatten)]
    pub copied: CopyReport,
    /// The restored versions of the target.
    pub restored: Vec<VersionInfo>,
    /// The removed tags of the target.
    pub untagged: Vec<RemovedTag>,
    /// The removed versions of the target.
    pub removed: Vec<VersionInfo>,
}

/// A removed tag.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct RemovedTag {
    /// Its identifier.
    pub name: Identifier,
    /// The tag.
    pub tag: TagName,
    /// The version that it named.
    pub version: VersionNumber,
}

/// The versions and tags that only the target has.
#[derive(Default)]
struct Extraneous {
    tags: Vec<RemovedTag>,
    versions: Vec<VersionInfo>,
}

impl Maintenance {
    /// Makes `target` equal to this larder: every version with its number, every tag and all annotations.
    ///
    /// With [`delete`](MirrorOptions::delete), versions and tags that only the target has are removed. No hook runs. Locks
    /// of names are not mirrored, and are respected in the target. Every byte is checked. An interrupted mirror is completed
    /// by running it again.
    ///
    /// ```
    /// use larder_core::Registry;
    /// use larder_maintenance::{LarderMaintenance, MirrorOptions};
    ///
    /// let registry = || Registry::linked();
    /// let (here, there) = (registry()?.open("memory:")?, registry()?.open("memory:")?);
    /// let mirrored = here.maintenance().mirror(&there, &MirrorOptions::new().delete(true))?;
    /// assert!(mirrored.copied.versions.is_empty() && mirrored.removed.is_empty());
    /// # Ok::<(), larder_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Refused`], before anything is written, if the target has another version under a number of the
    /// source; [`Error::Blocked`] for a lock in the target. Otherwise as [`copy`](Maintenance::copy).
    pub fn mirror(&self, target: &Larder, options: &MirrorOptions) -> Result<MirrorReport> {
        let target = &Self::new(target.clone());
        let selected = select(self, &Selection::All, true)?;
        let planner = CopyPlanner { source: self, target, policy: TargetPolicy::Mirror };
        let plan = planner.plan(&selected)?;
        let restored = removed_in_target(&planner, &selected)?;
        let extraneous = match options.delete {
            true => extraneous(target, &selected)?,
            false => Extraneous::default(),
        };
        if !options.dry_run {
            for version in &restored {
                target.restore(version.reference())?;
            }
        }
        let copied = self.execute(planner, &selected, plan, options.dry_run)?;
        if !options.dry_run {
            target.remove_extraneous(&extraneous)?;
        }
        let Extraneous { tags: untagged, versions: removed } = extraneous;
        Ok(MirrorReport { copied, restored, untagged, removed })
    }

    fn remove_extraneous(&self, extraneous: &Extraneous) -> Result<()> {
        for RemovedTag { name, tag, .. } in &extraneous.tags {
            match self.larder.tags().remove(name, tag, &TagOptions::new().force(true)) {
                // Another process was faster.
                Ok(()) | Err(Error::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        // A version may be used by another extraneous one: refused removals are retried after the others.
        let options = RemoveOptions::new().hooks(false);
        let mut rest: Vec<_> = extraneous.versions.iter().map(VersionInfo::reference).collect();
        while !rest.is_empty() {
            let (mut refused, mut reason) = (Vec::new(), None);
            let before = rest.len();
            for reference in rest {
                match self.larder.remove_with(reference.clone(), &options) {
                    Ok(_) | Err(Error::NotFound { .. }) => {}
                    Err(error @ Error::Blocked { .. }) => {
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

/// Returns the versions of the source that were removed in the target, or are being removed.
fn removed_in_target(planner: &CopyPlanner<'_>, selected: &[Selected]) -> Result<Vec<VersionInfo>> {
    let mut removed = Vec::new();
    for selected in selected {
        let head = planner.target.head(&selected.name)?;
        for (number, there) in planner.same_number(selected)? {
            if let Some(there) = there
                && (there.removed.is_some() || is_being_removed(head.as_ref(), number))
            {
                removed.push(VersionInfo::new(&selected.name, &there));
            }
        }
    }
    Ok(removed)
}

/// Returns what only the target has.
fn extraneous(target: &Maintenance, selected: &[Selected]) -> Result<Extraneous> {
    let wanted: BTreeMap<&Identifier, &Selected> =
        selected.iter().map(|selected| (&selected.name, selected)).collect();
    let mut extraneous = Extraneous::default();
    for found in target.store.known_records(record::NAMES) {
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
                extraneous.tags.push(RemovedTag { name: name.clone(), tag, version });
            }
        }
        let versions = match target.larder.versions(&name) {
            Ok(versions) => versions,
            // All are removed.
            Err(Error::NotFound { .. }) => continue,
            Err(error) => return Err(error),
        };
        extraneous.versions.extend(versions.into_iter().filter(|it| !has_version(&it.version)));
    }
    Ok(extraneous)
}
