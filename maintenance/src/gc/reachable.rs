//! Reachability: the blobs that versions need.

use larder_core::extend::LarderExt;
use std::collections::HashSet;
use std::time::Duration;

use super::age;
use crate::Maintenance;
use larder_core::manifest::Manifest;
use larder_core::progress::Meter;
use larder_core::record::{self, VersionRecord};
use larder_core::store::{
    BlobRoot, Corruption, Digest, Link, Record, RecordKey, RecordKind, Revision, StoreExt,
    Timestamp, for_each_link,
};
use larder_core::{Error, Result};

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

impl ExpiredVersion {
    fn read(
        larder: &Maintenance,
        key: &RecordKey,
        found: &Record,
        root: &BlobRoot,
        meter: &Meter,
    ) -> Result<Self> {
        let (_, version) = record::read_version(key, found).map_err(unknown)?;
        let mut blobs = vec![root.manifest];
        // Without its manifest the version cannot be restored.
        if let Ok(manifest) = read_manifest(larder, &root.manifest, &root.what, meter) {
            blobs.extend(manifest.artifacts().iter().map(|entry| entry.digest));
        }
        Ok(Self { key: key.clone(), revision: found.revision.clone(), version, blobs })
    }
}

impl Reachable {
    /// Reads the records of every kind that keeps blobs.
    pub(super) fn find(larder: &Maintenance, now: Timestamp, grace: Duration) -> Result<Self> {
        let mut reachable = Self::default();
        let meter = &larder.larder.meter("reading manifests", None);
        // From the last prefix to the first: versions before names, as a writer writes them.
        for kind in RecordKind::all().iter().rev() {
            let Some(list_roots) = kind.list_roots() else { continue };
            for found in larder.store.records(kind.prefix()) {
                let (key, record) = found?;
                for root in list_roots(&key, &record).map_err(unknown)? {
                    match root.removed {
                        Some(removed) if age(now, removed) >= grace => {
                            let expired =
                                ExpiredVersion::read(larder, &key, &record, &root, meter)?;
                            reachable.expired.push(expired);
                        }
                        _ => reachable.add(larder, &root, meter)?,
                    }
                }
            }
        }
        Ok(reachable)
    }

    fn add(&mut self, larder: &Maintenance, root: &BlobRoot, meter: &Meter) -> Result<()> {
        if self.read.contains(&root.manifest) {
            return Ok(());
        }
        match read_manifest(larder, &root.manifest, &root.what, meter) {
            Ok(manifest) => self.include(larder, root.manifest, manifest, meter),
            Err(Error::Corrupt { .. }) if root.is_optional => Ok(()),
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
            // A manifest with a damaged list may still be repaired.
            let keep = &mut |_: &str, link| match link {
                Link::Artifact { digest, .. } => drop(self.blobs.insert(digest)),
                Link::Child { .. } => {}
            };
            if for_each_link(manifest.fields(), keep).is_err() {
                return Err(unknown(Error::corrupt(
                    format!("the manifest {digest}"),
                    Corruption::Unreadable("its fields cannot be read".into()),
                )));
            }
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
