//! Locks: versions and names that are closed against change.

use super::{Annotations, Larder, VersionInfo};
use crate::error::{Error, Result};
use crate::name::{Identifier, VersionNumber};
use crate::record::{self, NameRecord};
use crate::reference::Reference;
use crate::store::Outcome;
use crate::time::Timestamp;

impl Larder {
    /// Closes the version that `reference` means: it cannot be removed, nor its notes changed.
    ///
    /// One that is locked already stays as it is. Tags may still move to it and away.
    ///
    /// # Errors
    /// [`Error::InvalidName`]; [`Error::NotFound`]; [`Error::Conflict`]; [`Error::Store`].
    pub fn lock_version(
        &self,
        reference: impl TryInto<Reference, Error: Into<Error>>,
    ) -> Result<VersionInfo> {
        self.set_lock(reference.try_into().map_err(Into::into)?, Some(self.now()))
    }

    /// Opens the version that `reference` means again. One that is not locked stays as it is.
    ///
    /// # Errors
    /// As [`lock_version`](Larder::lock_version).
    pub fn unlock_version(
        &self,
        reference: impl TryInto<Reference, Error: Into<Error>>,
    ) -> Result<VersionInfo> {
        self.set_lock(reference.try_into().map_err(Into::into)?, None)
    }

    /// Closes a name: no version of it is applied, removed or annotated, and no tag of it set, moved or removed.
    ///
    /// To apply what is the newest version already is no change. One that is locked already stays as it is.
    ///
    /// # Errors
    /// As [`lock_version`](Larder::lock_version).
    pub fn lock_name(&self, name: impl TryInto<Identifier, Error: Into<Error>>) -> Result<()> {
        self.set_name_lock(name.try_into().map_err(Into::into)?, Some(self.now()))
    }

    /// Opens a name again. One that is not locked stays as it is.
    ///
    /// # Errors
    /// As [`lock_version`](Larder::lock_version).
    pub fn unlock_name(&self, name: impl TryInto<Identifier, Error: Into<Error>>) -> Result<()> {
        self.set_name_lock(name.try_into().map_err(Into::into)?, None)
    }

    fn set_lock(&self, reference: Reference, locked: Option<Timestamp>) -> Result<VersionInfo> {
        self.transact(&reference, |tx| {
            let noted = self.change_notes(tx, &reference, |noted| {
                noted.notes.locked = locked.map(|now| noted.notes.locked.unwrap_or(now));
                Ok(())
            })?;
            Ok(Outcome::Commit(VersionInfo::new(reference.identifier(), &noted.version)))
        })
    }

    fn set_name_lock(&self, name: Identifier, locked: Option<Timestamp>) -> Result<()> {
        let key = record::name_key(&name)?;
        self.transact(&name, |tx| {
            let head: Option<NameRecord> = tx.read(&key)?;
            let head = head.filter(|head| head.latest.is_some() || locked.is_none());
            let Some(mut head) = head else {
                return Err(self.not_found(&name.clone().into()));
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
/// [`Error::Refused`].
pub fn refuse_locked_name(
    name: &Identifier,
    head: &NameRecord,
    action: impl FnOnce() -> String,
) -> Result<()> {
    match head.locked {
        None => Ok(()),
        Some(_) => Err(Error::Refused {
            action: action(),
            reason: format!("the name is locked; unlock {name} first"),
        }),
    }
}

/// Refuses an action that would change a locked version.
pub(super) fn refuse_locked_version(
    name: &Identifier,
    version: VersionNumber,
    notes: &Annotations,
    action: impl FnOnce() -> String,
) -> Result<()> {
    match notes.locked {
        None => Ok(()),
        Some(_) => Err(Error::Refused {
            action: action(),
            reason: format!("the version is locked; unlock {name}@{} first", version.get()),
        }),
    }
}
