//! Verification: reads everything, to find damage.

mod blobs;
mod records;

use larder_core::extend::LarderExt;
use std::collections::{HashMap, HashSet};

use crate::Maintenance;
use larder_core::manifest::ChildEntry;
use larder_core::record::VersionRecord;
use larder_core::store::{BlobCount, Corruption, Digest, StoreExt, VersionNumber};
use larder_core::{Error, Identifier, Reference, Result, Selection, Selector, VersionInfo};

pub(crate) use blobs::{Blob, finding_of, look_at};

/// What [`Larder::verify`] looked at, and what it found.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct VerifyReport {
    /// How many versions it looked at.
    pub versions: u64,
    /// How many blobs it read, each once.
    pub blobs: u64,
    /// How many bytes those have.
    pub bytes: u64,
    /// Every fault, once.
    pub findings: Vec<Finding>,
    /// The blobs that no version needs, which are no fault: [`Larder::gc`] collects them. `None` if it looked
    /// at some versions only, or if what a version needs is not known.
    pub orphans: Option<BlobCount>,
}

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// The first version that it was found in, as `name@7`, or the record.
    pub what: String,
    /// The blob, if it is one.
    pub digest: Option<Digest>,
    /// What is wrong with it, for people.
    pub fault: String,
    /// Whether the blob is a manifest: what it refers to could not be looked at.
    #[serde(skip)]
    pub(super) is_manifest: bool,
}

impl Finding {
    pub(super) fn new(what: impl Into<String>, digest: Option<Digest>, fault: &Corruption) -> Self {
        let fault = fault.to_string();
        Self { what: what.into(), digest, fault, is_manifest: false }
    }
}

impl Maintenance {
    /// Reads every version of the selection, and checks
    /// all of its bytes, on as many threads as the machine has cores. No type need be linked in.
    ///
    /// When everything is looked at, a tag, a digest or a name that leads to no version is a fault too.
    ///
    /// # Errors
    /// [`NotFound`](larder_core::Error::NotFound) for a reference; [`Store`](larder_core::Error::Store) if the records cannot be read. A damaged blob is
    /// no error but a [`Finding`].
    pub fn verify(&self, selection: impl Into<Selection>) -> Result<VerifyReport> {
        let selection = selection.into();
        let larder = self.uncached();
        let mut verifier = Verifier::new(&larder);
        for reference in selection.references() {
            let version = self.find(reference)?;
            verifier.add(reference.identifier(), &version);
        }
        if selection.is_all() {
            verifier.add_everything()?;
        }
        let mut checked = verifier.read();
        if selection.is_all() && verifier.is_complete {
            let mut orphans = BlobCount::default();
            for blob in self.store.blobs() {
                let (digest, size) = blob?;
                if !verifier.seen.contains(&digest) {
                    orphans.add(size);
                }
            }
            checked.orphans = Some(orphans);
        }
        Ok(checked)
    }
}

/// A version that is to be read: what it is called, and its manifest.
struct Listed {
    what: String,
    manifest: Digest,
}

struct Verifier<'a> {
    larder: &'a Maintenance,
    versions: Vec<Listed>,
    /// The versions that are not removed, by what leads to them.
    there: HashMap<(Identifier, VersionNumber), Digest>,
    /// The blobs that were looked at.
    seen: HashSet<Digest>,
    /// Each fault, with the place of the version that it was found in; those of records come first.
    findings: Vec<(usize, Finding)>,
    /// Whether all that versions need is known.
    is_complete: bool,
}

impl<'a> Verifier<'a> {
    fn new(larder: &'a Maintenance) -> Self {
        Self {
            larder,
            versions: Vec::new(),
            there: HashMap::new(),
            seen: HashSet::new(),
            findings: Vec::new(),
            is_complete: true,
        }
    }

    fn add(&mut self, name: &Identifier, version: &VersionRecord) {
        let info = VersionInfo::new(name, version);
        let selector = Selector::Version(info.version);
        let what = Reference::new(info.identifier, selector).to_string();
        self.versions.push(Listed { what, manifest: info.digest });
    }

    /// Reads and checks the versions: first the manifests, which say what else there is.
    fn read(&mut self) -> VerifyReport {
        let mut checked =
            VerifyReport { versions: self.versions.len() as u64, ..VerifyReport::default() };
        let larder = self.larder;
        let mut manifests = Vec::new();
        for (place, Listed { what, manifest }) in self.versions.iter().enumerate() {
            if self.seen.insert(*manifest) {
                manifests.push(Blob { place, what, digest: *manifest, size: None });
            }
        }
        let meter = larder.larder.meter("reading manifests", None);
        let mut blobs = Vec::new();
        let mut children = HashMap::new();
        // What they refer to is read too, level by level.
        while !manifests.is_empty() {
            let mut inner = Vec::new();
            for (blob, found) in manifests.iter().zip(blobs::manifests(larder, &manifests, &meter))
            {
                checked.blobs += 1;
                checked.bytes += found.size;
                match found.content {
                    Ok((artifacts, refers_to)) => {
                        for (digest, size) in artifacts {
                            if self.seen.insert(digest) {
                                blobs.push(Blob { digest, size: Some(size), ..*blob });
                            }
                        }
                        for child in refers_to {
                            if self.seen.insert(child.manifest) {
                                inner.push(Blob { digest: child.manifest, size: None, ..*blob });
                            }
                            let fault = children
                                .entry(child)
                                .or_insert_with_key(|child| self.fault_in(child, blob.what));
                            if let Some(fault) = fault {
                                let finding = Finding::new(blob.what, None, fault);
                                self.findings.push((blob.place + 1, finding));
                            }
                        }
                    }
                    Err(mut finding) => {
                        self.is_complete = false;
                        finding.is_manifest = true;
                        self.findings.push((blob.place + 1, finding));
                    }
                }
            }
            manifests = inner;
        }
        let total = blobs.iter().filter_map(|blob| blob.size).sum();
        let meter = larder.larder.meter("verifying", Some(total));
        for (blob, found) in blobs.iter().zip(blobs::look_at_all(larder, &blobs, &meter)) {
            checked.blobs += 1;
            checked.bytes += found.size;
            if let Err(finding) = found.content {
                self.findings.push((blob.place + 1, finding));
            }
        }
        self.findings.sort_by_key(|(place, _)| *place);
        checked.findings = self.findings.drain(..).map(|(_, finding)| finding).collect();
        checked
    }

    /// What is wrong with something that a version refers to, but for its bytes.
    fn fault_in(&self, child: &ChildEntry, user: &str) -> Option<Corruption> {
        let fault = match self.larder.child_version(child, user) {
            Ok(_) => return None,
            Err(Error::Removed { reference, .. }) => {
                format!("it refers to {reference}, which was removed")
            }
            Err(Error::NotFound { .. }) => {
                let short = child.manifest.short();
                format!("it refers to {} ({short}), which is not there", child.name)
            }
            // What is wrong with the records is found where they are looked at.
            Err(_) => return None,
        };
        Some(Corruption::Unreadable(fault))
    }

    /// The value, or a finding in its place.
    fn sound<T>(&mut self, result: Result<T>) -> Result<Option<T>> {
        let finding = match result {
            Ok(value) => return Ok(Some(value)),
            Err(error) => blobs::finding_of(error)?,
        };
        self.findings.push((0, finding));
        Ok(None)
    }
}
