//! Locks of versions and names.

use larder_records::Reference;

use super::{Annotations, Larder, VersionInfo};
use crate::error::{Error, Remedy, Result};
use crate::name::{Identifier, VersionNumber};
use crate::record::{self, NameRecord};
use crate::store::Outcome;
use crate::time::Timestamp;

/// The locks of a larder: [`Larder::locks`].
#[derive(Debug, Clone, Copy)]
pub struct Locks<'a>(&'a Larder);

impl Larder {
    /// Returns the handle on the locks of versions and names.
    pub fn locks(&self) -> Locks<'_> {
        Locks(self)
    }
}

impl Locks<'_> {
    /// Locks a version: it cannot be removed or annotated; tags may still move to it and away.
    ///
    /// # Errors
    /// [`Error::InvalidName`]; [`Error::NotFound`]; [`Error::Conflict`]; [`Error::Store`].
    pub fn lock_version(
        &self,
        reference: impl TryInto<Reference, Error: Into<Error>>,
    ) -> Result<VersionInfo> {
        self.set_lock(reference.try_into().map_err(Into::into)?, Some(self.0.now()))
    }

    /// Unlocks a version.
    ///
    /// # Errors
    /// As [`lock_version`](Locks::lock_version).
    pub fn unlock_version(
        &self,
        reference: impl TryInto<Reference, Error: Into<Error>>,
    ) -> Result<VersionInfo> {
        self.set_lock(reference.try_into().map_err(Into::into)?, None)
    }

    /// Locks a name: its versions cannot be applied, removed or annotated, nor its tags changed.
    ///
    /// Applying the newest version again changes nothing, and is allowed.
    ///
    /// # Errors
    /// As [`lock_version`](Locks::lock_version).
    pub fn lock_name(&self, name: impl TryInto<Identifier, Error: Into<Error>>) -> Result<()> {
        self.set_name_lock(name.try_into().map_err(Into::into)?, Some(self.0.now()))
    }

    /// Unlocks a name.
    ///
    /// # Errors
    /// As [`lock_version`](Locks::lock_version).
    pub fn unlock_name(&self, name: impl TryInto<Identifier, Error: Into<Error>>) -> Result<()> {
        self.set_name_lock(name.try_into().map_err(Into::into)?, None)
    }

    fn set_lock(&self, reference: Reference, locked: Option<Timestamp>) -> Result<VersionInfo> {
        self.0.transact(&reference, |tx| {
            let annotated = self.0.change_annotations(tx, &reference, |annotated| {
                annotated.annotations.locked =
                    locked.map(|now| annotated.annotations.locked.unwrap_or(now));
                Ok(())
            })?;
            Ok(Outcome::Commit(VersionInfo::new(reference.identifier(), &annotated.version)))
        })
    }

    fn set_name_lock(&self, name: Identifier, locked: Option<Timestamp>) -> Result<()> {
        let key = record::name_key(&name)?;
        self.0.transact(&name, |tx| {
            let head: Option<NameRecord> = tx.read(&key)?;
            let head = head.filter(|head| head.latest.is_some() || locked.is_none());
            let Some(mut head) = head else {
                return Err(self.0.not_found(&name.clone().into()));
            };
            if head.locked.is_some() == locked.is_some() {
                return Ok(Outcome::Done(()));
            }
            head.locked = locked;
            tx.put(key.clone(), &head)?;
            Ok(Outcome::Commit(()))
        })
    }
}

/// Refuses an action that would change something under a locked name.
///
/// # Errors
/// [`Error::Blocked`].
pub fn refuse_locked_name(
    name: &Identifier,
    head: &NameRecord,
    action: impl FnOnce() -> String,
) -> Result<()> {
    match head.locked {
        None => Ok(()),
        Some(_) => Err(Error::Blocked {
            action: action(),
            reason: format!("the name is locked; unlock {name} first"),
            remedy: Remedy::Unlock,
        }),
    }
}

/// Refuses an action that would change a locked version.
pub(super) fn refuse_locked_version(
    name: &Identifier,
    version: VersionNumber,
    annotations: &Annotations,
    action: impl FnOnce() -> String,
) -> Result<()> {
    match annotations.locked {
        None => Ok(()),
        Some(_) => Err(Error::Blocked {
            action: action(),
            reason: format!("the version is locked; unlock {name}@{} first", version.get()),
            remedy: Remedy::Unlock,
        }),
    }
}
