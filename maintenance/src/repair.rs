//! Repair: replacing damaged blobs by copies from another larder.

use larder_core::extend::LarderExt;
use std::collections::HashSet;

use bytes::Bytes;

use crate::Maintenance;
use crate::verify::Finding;
use crate::verify::VerifyReport;
use crate::verify::{Blob, check_blob};
use larder_core::manifest::Manifest;
use larder_core::store::{Change, Digest, Store, StoreExt};
use larder_core::{Error, Result};

/// The result of [`Maintenance::repair`].
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct RepairReport {
    /// The repaired faults.
    pub repaired: Vec<Finding>,
    /// The other faults: the source has no sound copy, or the fault is in a record.
    pub not_found: Vec<Finding>,
}

impl Maintenance {
    /// Replaces the damaged and missing blobs of a report by copies from `source`, the store of another larder.
    ///
    /// A copy is checked before it replaces anything; sound blobs are left alone. The blobs that a repaired manifest lists
    /// are checked and repaired too. Records are not repaired: two larders may use one name for different things.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn repair(&self, checked: &VerifyReport, source: &dyn Store) -> Result<RepairReport> {
        let mut done = RepairReport::default();
        let stored = self.uncached();
        let mut seen: HashSet<Digest> =
            checked.findings.iter().filter_map(|finding| finding.digest).collect();
        let meter = self.larder.meter("repairing", None);
        let mut findings: Vec<Finding> = checked.findings.iter().rev().cloned().collect();
        while let Some(finding) = findings.pop() {
            let Some(digest) = finding.digest else {
                done.not_found.push(finding);
                continue;
            };
            let blob = Blob { place: 0, what: &finding.what, digest, size: None };
            let bytes = match check_blob(&stored, &blob, &meter).1 {
                Ok(bytes) => bytes,
                Err(_) => match source.get_checked(&digest, None, || finding.what.clone()) {
                    Ok(bytes) => {
                        self.replace(&digest, &bytes)?;
                        bytes
                    }
                    Err(Error::Corrupt { .. }) => {
                        done.not_found.push(finding);
                        continue;
                    }
                    Err(error) => return Err(error),
                },
            };
            if finding.is_manifest
                && let Ok(manifest) = Manifest::from_json(&bytes, &finding.what)
            {
                for child in manifest.children() {
                    let blob = Blob { digest: child.manifest, size: None, ..blob };
                    if seen.insert(child.manifest)
                        && let Err(fault) = check_blob(&stored, &blob, &meter).1
                    {
                        let mut finding = Finding::new(&finding.what, Some(blob.digest), &fault);
                        finding.is_manifest = true;
                        findings.push(finding);
                    }
                }
                for entry in manifest.artifacts() {
                    let blob = Blob { digest: entry.digest, size: Some(entry.size), ..blob };
                    if seen.insert(entry.digest)
                        && let Err(fault) = check_blob(&stored, &blob, &meter).1
                    {
                        findings.push(Finding::new(&finding.what, Some(entry.digest), &fault));
                    }
                }
            }
            done.repaired.push(finding);
        }
        Ok(done)
    }

    /// Replaces a damaged blob. A store does not overwrite blobs, so the damaged one is removed first.
    fn replace(&self, digest: &Digest, bytes: &Bytes) -> Result<()> {
        self.store.remove_blobs(std::slice::from_ref(digest))?;
        if bytes.len() <= self.store.capabilities().inline_blob {
            let mut tx = self.transaction();
            tx.push(Change::PutBlob { digest: *digest, bytes: bytes.clone() });
            return tx.commit_unconditional();
        }
        self.store.put_blob(digest, bytes.clone())
    }
}
