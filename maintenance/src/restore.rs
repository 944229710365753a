//! Restoring removed versions.

use crate::Maintenance;
use larder_core::extend::{Claim, User, refuse_locked_name};
use larder_core::manifest::Manifest;
use larder_core::record::{self, DigestRecord, VersionRecord};
use larder_core::store::{Change, Corruption, Outcome, Remedy, StoreExt, Timestamp};
use larder_core::{Error, Identifier, Reference, Result, Selector, VersionInfo};

/// A removed version.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct RemovedVersion {
    /// The version.
    #[serde(flatten)]
    pub version: VersionInfo,
    /// When it was removed.
    pub removed: Timestamp,
    /// When blobs of it were found to be collected as garbage; it cannot be restored then.
    pub collected: Option<Timestamp>,
}

impl Maintenance {
    /// Restores a removed version, given by number: `name@7`.
    ///
    /// Tags are not restored. Does nothing if the version is not removed.
    ///
    /// # Errors
    /// [`Error::Removed`] if it refers to a removed version, which must be restored first;
    /// [`Error::Blocked`] if its blobs were collected as garbage; [`Error::Refused`] for a reference without a number;
    /// [`Error::NotFound`] if there never was such a version; [`Error::Conflict`]; [`Error::Store`].
    pub fn restore(
        &self,
        reference: impl TryInto<Reference, Error: Into<Error>>,
    ) -> Result<VersionInfo> {
        let reference: Reference = reference.try_into().map_err(Into::into)?;
        let name = reference.identifier();
        let &Selector::Version(number) = reference.selector() else {
            return Err(refused(
                &reference,
                format!("removed versions are restored by number; write `{name}@N`"),
            ));
        };
        let key = record::version_key(name, number)?;
        let head_key = record::name_key(name)?;
        self.transact(&reference, |tx| {
            tx.get_each([&key, &head_key])?;
            let Some(mut version) = tx.read::<VersionRecord>(&key)? else {
                return Err(self.not_found(&reference));
            };
            let head = tx.read(&head_key)?.unwrap_or_default();
            refuse_locked_name(name, &head, || format!("restore {reference}"))?;
            // The order of an apply: garbage records, version, digest, name.
            if version.removed.is_some() {
                let (unmarks, manifest) = self.claim_removed(&reference, &version)?;
                tx.extend(unmarks);
                let children = manifest.children();
                let user = User { name, number, manifest: version.manifest, children };
                // A child may be being removed.
                match self.link(&[user], false) {
                    Ok(links) => tx.extend(links),
                    Err(Error::Conflict { .. }) => return Ok(Outcome::Retry),
                    Err(error) => return Err(error),
                }
                (version.removed, version.collected) = (None, None);
                tx.put(key.clone(), &version)?;
            }
            let mut latest = head.latest.clone();
            // A version that never was ready is not ready now.
            if version.is_current() {
                let key = record::digest_key(name, &version.manifest, number)?;
                tx.put_any(key, &DigestRecord::new(number))?;
                if latest.as_ref().is_none_or(|latest| latest.version < number) {
                    latest = Some(version.clone());
                }
            }
            let next = head.next.max(number.next());
            let mut head = head.with(next, latest);
            // A concurrent removal of another version must see this one.
            head.moves += 1;
            tx.put(head_key.clone(), &head)?;
            Ok(Outcome::Commit(VersionInfo::new(name, &version)))
        })
    }

    /// Claims the blobs of a removed version, and returns its manifest.
    fn claim_removed(
        &self,
        reference: &Reference,
        version: &VersionRecord,
    ) -> Result<(Vec<Change>, Manifest)> {
        let what = format!("the manifest of {reference}");
        let json = self.store.get_checked(&version.manifest, None, || what.clone());
        match json.and_then(|json| Manifest::from_json(&json, &what)) {
            Ok(manifest) => {
                let artifacts = manifest.artifacts().iter().map(|entry| entry.digest);
                let blobs: Vec<_> = artifacts.chain([version.manifest]).collect();
                if let Claim::Held(unmarks) = self.claim(&blobs, &[])? {
                    return Ok((unmarks, manifest));
                }
            }
            Err(Error::Corrupt { fault: Corruption::Missing, .. }) => {}
            Err(error) => return Err(error),
        }
        let when = version.collected.map_or_else(String::new, |when| format!(" before {when}"));
        let reason = format!("its bytes were collected as garbage{when}; apply the value again");
        let (action, remedy) = (restoring(reference), Remedy::ApplyAgain);
        Err(Error::Blocked { action, reason, remedy })
    }

    /// Returns the removed versions of a name, oldest first.
    ///
    /// # Errors
    /// [`Error::InvalidName`]; [`Error::Store`].
    pub fn removed(
        &self,
        name: impl TryInto<Identifier, Error: Into<Error>>,
    ) -> Result<Vec<RemovedVersion>> {
        let name: Identifier = name.try_into().map_err(Into::into)?;
        let mut versions = Vec::new();
        for found in self.store.known_records(&record::versions_of(&name)) {
            let (key, found) = found?;
            let record: VersionRecord = record::read(&key, &found)?;
            if let Some(removed) = record.removed {
                let version = VersionInfo::new(&name, &record);
                versions.push(RemovedVersion { version, removed, collected: record.collected });
            }
        }
        Ok(versions)
    }
}

fn refused(reference: &Reference, reason: String) -> Error {
    Error::Refused { action: restoring(reference), reason }
}

fn restoring(reference: &Reference) -> String {
    format!("restore {reference}")
}
