//! Removing versions.

use std::collections::BTreeSet;

use larder_records::{Reference, Selector};

use super::annotations::read_annotations;
use super::locks::{refuse_locked_name, refuse_locked_version};
use super::{Larder, VersionInfo};
use crate::error::{Error, Remedy, Result};
use crate::name::{Identifier, VersionNumber};
use crate::participant::{Contribution, Transition};
use crate::record::{self, DigestRecord, NameRecord, VersionRecord};
use crate::store::{Committed, Record};
use crate::store::{Outcome, Transaction};

/// Options of a removal.
///
/// ```
/// use larder_core::versions::RemoveOptions;
///
/// let options = RemoveOptions::new().force(true);
/// # let _ = options;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RemoveOptions {
    force: bool,
    hooks: bool,
    triggers: bool,
}

impl Default for RemoveOptions {
    fn default() -> Self {
        Self { force: false, hooks: true, triggers: true }
    }
}

impl RemoveOptions {
    /// Returns the default options: no force; hooks and triggers run.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets whether to remove a version that others refer to, or whose [`cleanup`](crate::Hooks::cleanup) fails.
    #[must_use]
    pub fn force(mut self, force: bool) -> Self {
        self.force = force;
        self
    }

    /// Sets whether `cleanup` runs; the default is `true`.
    #[must_use]
    pub fn hooks(mut self, hooks: bool) -> Self {
        self.hooks = hooks;
        self
    }

    /// Sets whether triggers run; the default is `true`.
    #[must_use]
    pub fn triggers(mut self, triggers: bool) -> Self {
        self.triggers = triggers;
        self
    }
}

/// Progress of a removal across attempts.
#[derive(Default)]
struct Removal {
    /// The versions whose `cleanup` has run.
    cleaned: BTreeSet<VersionNumber>,
    /// Remaining versions whose name and digest records a partial commit may have changed.
    half: BTreeSet<VersionNumber>,
}

impl Larder {
    /// Removes the version that `reference` names.
    ///
    /// Its number is never reused; its blobs stay until garbage collection. If its type has [`Hooks`](crate::Hooks),
    /// `cleanup` runs first.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Blocked`] if it is tagged, used or locked; [`Error::Hook`] if `cleanup` fails;
    /// [`Error::NotLinked`] if it has hooks and its type is not linked in; [`Error::Conflict`]; [`Error::Store`].
    pub fn remove(
        &self,
        reference: impl TryInto<Reference, Error: Into<Error>>,
    ) -> Result<VersionInfo> {
        self.remove_with(reference, &RemoveOptions::new())
    }

    /// Removes the version that `reference` names, with `options`.
    ///
    /// # Errors
    /// As [`remove`](Larder::remove).
    pub fn remove_with(
        &self,
        reference: impl TryInto<Reference, Error: Into<Error>>,
        options: &RemoveOptions,
    ) -> Result<VersionInfo> {
        let reference: Reference = reference.try_into().map_err(Into::into)?;
        let name = reference.identifier();
        self.removing(name, |removal| {
            let pinned = |number| Reference::new(name.clone(), Selector::Version(number));
            self.transact(&reference, |tx| {
                // After a partial commit the reference may resolve to another version.
                let version = match removal.half.first() {
                    Some(&number) => self.find(&pinned(number))?,
                    None => self.find(&reference)?,
                };
                let is_removed =
                    self.try_remove(tx, name, &[version.version], *options, removal)?;
                Ok(match is_removed {
                    true => Outcome::Done(VersionInfo::new(name, &version)),
                    false => Outcome::Retry,
                })
            })
        })
    }

    /// Removes every version of `name`, with `options`, and returns them.
    ///
    /// # Errors
    /// As [`remove`](Larder::remove).
    pub fn remove_all(
        &self,
        name: impl TryInto<Identifier, Error: Into<Error>>,
        options: &RemoveOptions,
    ) -> Result<Vec<VersionInfo>> {
        let name: Identifier = name.try_into().map_err(Into::into)?;
        self.removing(&name, |removal| {
            self.transact(&name, |tx| {
                let versions = self.versions(&name)?;
                let numbers: Vec<_> = versions.iter().map(|version| version.version).collect();
                Ok(match self.try_remove(tx, &name, &numbers, *options, removal)? {
                    true => Outcome::Done(versions),
                    false => Outcome::Retry,
                })
            })
        })
    }

    /// Runs a removal; if it fails after a partial commit, restores the name and digest records.
    fn removing<T>(
        &self,
        name: &Identifier,
        remove: impl FnOnce(&mut Removal) -> Result<T>,
    ) -> Result<T> {
        let mut removal = Removal::default();
        remove(&mut removal).inspect_err(|_| {
            // The first error matters more.
            let _ = self.relist(name, &removal.half);
        })
    }

    /// Restores the name and digest records of remaining versions.
    fn relist(&self, name: &Identifier, numbers: &BTreeSet<VersionNumber>) -> Result<()> {
        let numbers: Vec<_> = numbers.iter().copied().collect();
        let head_key = record::name_key(name)?;
        self.transact(name, |tx| {
            let Some(head) = tx.read::<NameRecord>(&head_key)? else {
                return Ok(Outcome::Done(()));
            };
            let mut latest = head.latest.clone();
            for version in Self::removable(tx, name, &numbers)? {
                if !version.is_current() {
                    continue;
                }
                // A removal of the version changes its record.
                tx.require(record::version_key(name, version.version)?)?;
                let key = record::digest_key(name, &version.manifest, version.version)?;
                tx.put_any(key, &DigestRecord::new(version.version))?;
                if latest.as_ref().is_none_or(|latest| latest.version < version.version) {
                    latest = Some(version);
                }
            }
            if tx.is_empty() {
                return Ok(Outcome::Done(()));
            }
            let next = head.next;
            tx.put(head_key.clone(), &head.with(next, latest))?;
            Ok(Outcome::Commit(()))
        })
    }

    fn refuse_tagged(&self, name: &Identifier, numbers: &[VersionNumber]) -> Result<()> {
        let mut tags = self.tags().of(name)?;
        tags.retain(|tag| numbers.contains(&tag.version));
        if tags.is_empty() {
            return Ok(());
        }
        let tags: Vec<_> =
            tags.iter().map(|tag| format!("{name}:{} ({})", tag.tag, tag.version)).collect();
        let what = match numbers {
            [only] => format!("{name}@{}", only.get()),
            _ => name.to_string(),
        };
        Err(Error::Blocked {
            action: format!("remove {what}"),
            reason: format!("it has tags: {}; remove them first", tags.join(", ")),
            remedy: Remedy::Untag,
        })
    }

    /// Marks versions as removed; `false` on a conflict.
    fn try_remove(
        &self,
        tx: &mut Transaction<'_>,
        name: &Identifier,
        numbers: &[VersionNumber],
        options: RemoveOptions,
        removal: &mut Removal,
    ) -> Result<bool> {
        let head_key = record::name_key(name)?;
        let Some(head) = tx.read::<NameRecord>(&head_key)? else {
            return Err(self.not_found(&name.into()));
        };
        refuse_locked_name(name, &head, || format!("remove {name}"))?;
        // A move of a tag after this read changes the name's record.
        self.refuse_tagged(name, numbers)?;
        let versions = Self::removable(tx, name, numbers)?;
        // So does a new reference to one of the versions.
        if !options.force {
            self.refuse_used(name, &versions)?;
        }
        Self::require_unlocked(tx, name, numbers)?;
        let latest = match &head.latest {
            Some(latest) if numbers.contains(&latest.version) => {
                self.newest_without(name, numbers, latest.version)?
            }
            latest => latest.clone(),
        };
        // The name record is written first, so it never names a removed version.
        let next = head.next;
        let head = head.with(next, latest);
        let head_at = tx.len();
        tx.put(head_key, &head)?;
        let mut unlinked = Vec::new();
        let mut added = Contribution::default();
        for mut version in versions {
            let number = version.version;
            if options.hooks && !removal.cleaned.contains(&number) {
                self.clean_up(name, &version, options.force)?;
                removal.cleaned.insert(number);
            }
            let digest_key = record::digest_key(name, &version.manifest, number)?;
            unlinked.extend(self.unlink(name, &version)?);
            version.removed = Some(self.now());
            tx.remove_any(digest_key);
            tx.put(record::version_key(name, number)?, &version)?;
            if options.hooks && options.triggers {
                added.merge(self.contributions(Transition::Removed, name, &version)?);
            }
        }
        tx.extend(unlinked);
        tx.extend(added.changes.drain(..));
        match tx.commit_once()? {
            Committed::All => {
                added.committed();
                Ok(true)
            }
            Committed::Conflict { made, .. } => {
                if made > head_at {
                    removal.half.extend(numbers);
                }
                Ok(false)
            }
        }
    }

    /// Reads the records of existing versions.
    fn removable(
        tx: &mut Transaction<'_>,
        name: &Identifier,
        numbers: &[VersionNumber],
    ) -> Result<Vec<VersionRecord>> {
        let keys = numbers.iter().map(|number| record::version_key(name, *number));
        let keys = keys.collect::<Result<Vec<_>>>()?;
        let found = tx.get_all(&keys)?;
        let read = |(key, found): (_, Option<Record>)| Some(record::read(key, &found?));
        keys.iter().zip(found).filter_map(read).collect()
    }

    /// Refuses locked versions, and makes the commit fail if one is locked meanwhile.
    fn require_unlocked(
        tx: &mut Transaction<'_>,
        name: &Identifier,
        numbers: &[VersionNumber],
    ) -> Result<()> {
        let keys = numbers.iter().map(|number| record::annotations_key(name, *number));
        let keys = keys.collect::<Result<Vec<_>>>()?;
        let found = tx.get_all(&keys)?;
        for ((key, found), number) in keys.into_iter().zip(found).zip(numbers) {
            let annotations = read_annotations(&key, found.as_ref())?;
            refuse_locked_version(name, *number, &annotations, || format!("remove {name}"))?;
            tx.require(key)?;
        }
        Ok(())
    }

    /// Returns the newest ready version before `from` that is not removed or in `numbers`.
    fn newest_without(
        &self,
        name: &Identifier,
        numbers: &[VersionNumber],
        from: VersionNumber,
    ) -> Result<Option<VersionRecord>> {
        let mut next = from.previous();
        while let Some(number) = next {
            next = number.previous();
            if numbers.contains(&number) {
                continue;
            }
            match self.version(name, number)? {
                Some(version) if version.is_current() => return Ok(Some(version)),
                _ => {}
            }
        }
        Ok(None)
    }
}
