//! References between versions: children and users.

use std::collections::BTreeSet;

use larder_records::{Reference, Selector};

use super::{Larder, VersionInfo};
use crate::digest::Digest;
use crate::error::{Absence, Error, Remedy, Result};
use crate::manifest::ChildEntry;
use crate::name::{Identifier, TypeTag, VersionNumber};
use crate::record::{self, NameRecord, UserRecord, VersionRecord};
use crate::store::{Change, Expected, StoreExt};

/// A component that a version refers to.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct ChildInfo {
    /// Its name.
    pub name: Identifier,
    /// The digest of its manifest.
    pub digest: Digest,
    /// The newest version of that digest that is not removed.
    pub version: Option<VersionNumber>,
    /// The type tag of that version.
    #[serde(rename = "type")]
    pub type_tag: Option<TypeTag>,
}

/// A version that refers to children.
pub struct User<'a> {
    /// Its name.
    pub name: &'a Identifier,
    /// Its number.
    pub number: VersionNumber,
    /// The digest of its manifest.
    pub manifest: Digest,
    /// The children in its manifest.
    pub children: &'a [ChildEntry],
}

impl Larder {
    /// Returns the children of a version, in the order of its fields.
    ///
    /// # Errors
    /// As [`show`](Larder::show).
    pub fn uses(
        &self,
        reference: impl TryInto<Reference, Error: Into<Error>>,
    ) -> Result<Vec<ChildInfo>> {
        let reference: Reference = reference.try_into().map_err(Into::into)?;
        let manifest = self.resolve(&reference)?.manifest;
        let info = |child: &ChildEntry| {
            let version = self.any_child(child)?.filter(|version| version.removed.is_none());
            Ok(ChildInfo {
                name: child.name.clone(),
                digest: child.manifest,
                version: version.as_ref().map(|version| version.version),
                type_tag: version.map(|version| version.type_tag),
            })
        };
        manifest.children().iter().map(info).collect()
    }

    /// Returns the versions that refer to a version, sorted by name and number.
    ///
    /// References are by content: they mean every version of the same name and digest.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Corrupt`]; [`Error::Store`].
    pub fn used_by(
        &self,
        reference: impl TryInto<Reference, Error: Into<Error>>,
    ) -> Result<Vec<VersionInfo>> {
        let reference: Reference = reference.try_into().map_err(Into::into)?;
        let manifest = self.find(&reference)?.manifest;
        let child = ChildEntry { name: reference.identifier().clone(), manifest };
        let mut users = Vec::new();
        for user in self.user_records(&child)? {
            if let Some(version) = self.version(&user.name, user.version)?
                && version.removed.is_none()
                && version.manifest == user.manifest
            {
                users.push(VersionInfo::new(&user.name, &version));
            }
        }
        users.sort_by(|a, b| (&a.identifier, a.version).cmp(&(&b.identifier, b.version)));
        Ok(users)
    }

    fn user_records(&self, child: &ChildEntry) -> Result<Vec<UserRecord>> {
        let read = |found: Result<_>| {
            let (key, found) = found?;
            record::read(&key, &found)
        };
        self.store.known_records(&record::users_of(child)).map(read).collect()
    }

    /// Returns the newest version of a child that is ready and not removed.
    pub(crate) fn find_child(&self, child: &ChildEntry) -> Result<Option<VersionRecord>> {
        let mut numbers = Vec::new();
        for found in
            self.store.known_records(&record::digests_of(&child.name, &child.manifest.to_hex()))
        {
            let (key, found) = found?;
            numbers.push(record::read::<record::DigestRecord>(&key, &found)?.version);
        }
        for number in numbers.into_iter().rev() {
            let version = self.version(&child.name, number)?;
            let is_it = |it: &VersionRecord| it.is_current() && it.manifest == child.manifest;
            if let Some(version) = version.filter(is_it) {
                return Ok(Some(version));
            }
        }
        Ok(None)
    }

    /// Returns a version of a child, ready or not; removed only if there is no other.
    fn any_child(&self, child: &ChildEntry) -> Result<Option<VersionRecord>> {
        if let Some(version) = self.find_child(child)? {
            return Ok(Some(version));
        }
        let mut found = None;
        for version in self.store.known_records(&record::versions_of(&child.name)) {
            let (key, version) = version?;
            let version: VersionRecord = record::read(&key, &version)?;
            let is_removed = |it: &VersionRecord| it.removed.is_some();
            if version.manifest == child.manifest
                && (!is_removed(&version) || found.as_ref().is_none_or(is_removed))
            {
                found = Some(version);
            }
        }
        Ok(found)
    }

    /// Returns the version of a child that `needed_by` refers to.
    pub(crate) fn child_version(
        &self,
        child: &ChildEntry,
        needed_by: &str,
    ) -> Result<VersionRecord> {
        let reference = |version: &VersionRecord| {
            Reference::new(child.name.clone(), Selector::Version(version.version)).to_string()
        };
        match self.any_child(child)? {
            Some(version) if version.removed.is_none() => Ok(version),
            Some(version) => Err(Error::Removed {
                reference: reference(&version),
                needed_by: needed_by.to_owned(),
            }),
            None => Err(Error::NotFound {
                reference: format!(
                    "{}@{}, which {needed_by} refers to,",
                    child.name, child.manifest
                ),
                absence: Absence::Unknown,
                similar: Vec::new(),
            }),
        }
    }

    /// Returns the change that records a user of a child.
    pub(super) fn use_of(
        child: &ChildEntry,
        user: &Identifier,
        number: VersionNumber,
        manifest: Digest,
    ) -> Result<Change> {
        let key = record::user_key(child, user, number)?;
        let user = UserRecord::new(user.clone(), number, manifest);
        record::put(key, &user, Expected::Anything)
    }

    /// Returns the changes that record versions as users of their children, and that fail the commit if a child is
    /// removed meanwhile. A missing child is an error unless `is_partial`.
    pub(crate) fn link(&self, users: &[User<'_>], is_partial: bool) -> Result<Vec<Change>> {
        let (mut changes, mut seen, mut heads) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
        for user in users {
            for child in user.children {
                changes.push(Self::use_of(child, user.name, user.number, user.manifest)?);
            }
        }
        for user in users {
            for child in user.children {
                if !seen.insert(child) {
                    continue;
                }
                let what = || format!("{}@{}", user.name, user.number.get());
                let version = match self.find_child(child)? {
                    Some(version) => version,
                    None if is_partial => continue,
                    None => self.child_version(child, &what())?,
                };
                // The record of the user's own name is written anyway.
                if child.name != *user.name {
                    let with_head = heads.insert(child.name.clone());
                    changes.extend(self.depend(child, &version, with_head)?);
                }
            }
        }
        Ok(changes)
    }

    /// Returns the changes that make a commit and a removal of the child conflict.
    fn depend(
        &self,
        child: &ChildEntry,
        version: &VersionRecord,
        with_head: bool,
    ) -> Result<Vec<Change>> {
        let key = record::version_key(&child.name, version.version)?;
        let head_key = record::name_key(&child.name)?;
        let mut found = self.store.get_records(&[key.clone(), head_key.clone()])?.into_iter();
        let (Some(Some(found)), Some(Some(found_head))) = (found.next(), found.next()) else {
            return Err(Error::Conflict { what: child.name.to_string() });
        };
        if record::read::<VersionRecord>(&key, &found)?.removed.is_some() {
            return Err(Error::Conflict { what: child.name.to_string() });
        }
        let mut changes = vec![record::unchanged(key, Some(&found))];
        if with_head {
            let mut head: NameRecord = record::read(&head_key, &found_head)?;
            head.moves += 1;
            changes.push(record::put(head_key, &head, Expected::Revision(found_head.revision))?);
        }
        Ok(changes)
    }

    /// Returns the removals of the user records of a version.
    pub(super) fn unlink(&self, name: &Identifier, version: &VersionRecord) -> Result<Vec<Change>> {
        // User records of an unreadable manifest stay; they are ignored.
        let Ok(version) = self.resolve_record(name, version.clone()) else {
            return Ok(Vec::new());
        };
        let remove = |child: &ChildEntry| {
            let key = record::user_key(child, name, version.record.version)?;
            Ok(Change::RemoveRecord { key, expected: Expected::Anything })
        };
        version.manifest.children().iter().map(remove).collect()
    }

    /// Refuses to remove versions that others refer to.
    pub(super) fn refuse_used(&self, name: &Identifier, versions: &[VersionRecord]) -> Result<()> {
        let going: BTreeSet<_> = versions.iter().map(|version| version.version).collect();
        let mut users = BTreeSet::new();
        for version in versions {
            let child = ChildEntry { name: name.clone(), manifest: version.manifest };
            let records = self.user_records(&child)?;
            // Another version may have the same content.
            if records.is_empty() || self.has_twin(&child, &going)? {
                continue;
            }
            for user in records {
                if user.name == *name && going.contains(&user.version) {
                    continue;
                }
                if self.is_user(&user)? {
                    users.insert((user.name, user.version));
                }
            }
        }
        if users.is_empty() {
            return Ok(());
        }
        const MOST: usize = 5;
        let more = users.len().saturating_sub(MOST);
        let named = users.into_iter().take(MOST);
        let named: Vec<_> =
            named.map(|(name, number)| format!("{name}@{}", number.get())).collect();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        Err(Error::Blocked {
            action: format!("remove {name}"),
            reason: format!(
                "it is used by {}{more}; remove those first, or force the removal",
                named.join(", ")
            ),
            remedy: Remedy::Force,
        })
    }

    /// Returns true if a recorded user exists, or may be about to be written.
    fn is_user(&self, user: &UserRecord) -> Result<bool> {
        match self.version(&user.name, user.version)? {
            Some(version) => Ok(version.removed.is_none() && version.manifest == user.manifest),
            // Its commit may be under way until the name record passes its number.
            None => Ok(self.head(&user.name)?.is_none_or(|head| head.next <= user.version)),
        }
    }

    /// Returns true if a version outside `going` has the child's content.
    fn has_twin(&self, child: &ChildEntry, going: &BTreeSet<VersionNumber>) -> Result<bool> {
        for found in
            self.store.known_records(&record::digests_of(&child.name, &child.manifest.to_hex()))
        {
            let (key, found) = found?;
            let number = record::read::<record::DigestRecord>(&key, &found)?.version;
            let version = self.version(&child.name, number)?;
            if !going.contains(&number) && version.is_some_and(|version| version.is_current()) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
