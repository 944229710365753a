//! Reachability: the blobs that versions need.

use larder_core::extend::LarderExt;
use std::collections::HashSet;
use std::time::Duration;

use super::age;
use crate::Maintenance;
use larder_core::manifest::Manifest;
use larder_core::progress::Meter;
use larder_core::record::{self, NameRecord, VersionRecord};
use larder_core::store::{Corruption, Digest, RecordKey, Revision, StoreExt, Timestamp};
use larder_core::{Error, Identifier, Reference, Result, Selector};

/// The blobs that versions need.
#[derive(Default)]
pub(super) struct Reachable {
    pub(super) blobs: HashSet<Digest>,
    /// Versions removed longer ago than the grace period.
    pub(super) expired: Vec<ExpiredVersion>,
    /// The manifests whose artifacts are included.
    read: HashSet<Digest>,
}

/// A version removed longer ago than the grace period.
pub(super) struct ExpiredVersion {
    pub(super) key: RecordKey,
    pub(super) revision: Revision,
    pub(super) version: VersionRecord,
    /// Its manifest and artifacts, as far as they are known.
    pub(super) blobs: Vec<Digest>,
}

impl Reachable {
    /// Reads every version.
    pub(super) fn find(larder: &Maintenance, now: Timestamp, grace: Duration) -> Result<Self> {
        let mut reachable = Self::default();
        let meter = &larder.larder.meter("reading manifests", None);
        // A writer writes the version before the name, so they are read in this order.
        for found in larder.store.records(record::VERSIONS) {
            let (key, found) = found?;
            let (name, version) = record::read_version(&key, &found).map_err(unknown)?;
            match version.removed {
                Some(removed) if age(now, removed) >= grace => {
                    let mut blobs = vec![version.manifest];
                    // Without its manifest the version cannot be restored.
                    if let Ok(manifest) = manifest(larder, &name, &version, meter) {
                        blobs.extend(manifest.artifacts().iter().map(|entry| entry.digest));
                    }
                    let revision = found.revision;
                    reachable.expired.push(ExpiredVersion { key, revision, version, blobs });
                }
                _ => reachable.add(larder, &name, &version, meter)?,
            }
        }
        for found in larder.store.records(record::NAMES) {
            let (key, found) = found?;
            let name = record::name_in(&key).map_err(unknown)?;
            let head: NameRecord = record::read(&key, &found).map_err(unknown)?;
            if let Some(latest) = head.latest {
                reachable.add(larder, &name, &latest, meter)?;
            }
        }
        // A digest record keeps the blobs of a version whose own record was lost.
        for found in larder.store.records(record::DIGESTS) {
            let (key, _) = found?;
            let digest = record::parts_of(&key, record::DIGESTS)
                .ok()
                .and_then(|(_, part)| Digest::from_hex(part.split('-').next()?).ok());
            match digest {
                Some(digest) if !reachable.read.contains(&digest) => {
                    match read_manifest(
                        larder,
                        &digest,
                        &format!("the manifest of the record {key}"),
                        meter,
                    ) {
                        Ok(manifest) => reachable.include(larder, digest, manifest, meter)?,
                        Err(Error::Corrupt { .. }) => {}
                        Err(error) => return Err(unknown(error)),
                    }
                }
                _ => {}
            }
        }
        Ok(reachable)
    }

    fn add(
        &mut self,
        larder: &Maintenance,
        name: &Identifier,
        version: &VersionRecord,
        meter: &Meter,
    ) -> Result<()> {
        if self.read.contains(&version.manifest) {
            return Ok(());
        }
        match manifest(larder, name, version, meter) {
            Ok(manifest) => self.include(larder, version.manifest, manifest, meter),
            // It cannot be restored.
            Err(Error::Corrupt { .. }) if version.removed.is_some() => Ok(()),
            Err(error) => Err(unknown(error)),
        }
    }

    /// Adds a manifest, its artifacts and its children at any depth, removed or not, so that they can be restored.
    fn include(
        &mut self,
        larder: &Maintenance,
        digest: Digest,
        manifest: Manifest,
        meter: &Meter,
    ) -> Result<()> {
        let mut found = vec![(digest, manifest)];
        while let Some((digest, manifest)) = found.pop() {
            if !self.read.insert(digest) {
                continue;
            }
            self.blobs.insert(digest);
            self.blobs.extend(manifest.artifacts().iter().map(|entry| entry.digest));
            for child in manifest.children().iter().filter(|it| !self.read.contains(&it.manifest)) {
                let what = format!("the manifest of {}@{}", child.name, child.manifest);
                match read_manifest(larder, &child.manifest, &what, meter) {
                    Ok(manifest) => found.push((child.manifest, manifest)),
                    // Nothing is left to keep; verification reports it.
                    Err(Error::Corrupt { fault: Corruption::Missing, .. }) => {}
                    Err(error) => return Err(unknown(error)),
                }
            }
        }
        Ok(())
    }
}

fn manifest(
    larder: &Maintenance,
    name: &Identifier,
    version: &VersionRecord,
    meter: &Meter,
) -> Result<Manifest> {
    let reference = Reference::new(name.clone(), Selector::Version(version.version));
    read_manifest(larder, &version.manifest, &format!("the manifest of {reference}"), meter)
}

fn read_manifest(
    larder: &Maintenance,
    digest: &Digest,
    what: &str,
    meter: &Meter,
) -> Result<Manifest> {
    let json = larder.store.get_checked(digest, None, || what.to_owned())?;
    meter.add(json.len() as u64);
    Manifest::from_json(&json, what)
}

/// Returns the error for a manifest or record that cannot be read.
fn unknown(error: Error) -> Error {
    let reason = match error {
        Error::Corrupt { what, fault } => {
            format!("{what} is corrupt ({fault}); repair it, or remove the version")
        }
        error @ Error::NewerFormat { .. } => error.to_string(),
        error => return error,
    };
    Error::Refused {
        action: "collect garbage".into(),
        reason: format!("the blobs in use are not known, because {reason}"),
    }
}
