//! Verification: finds damaged, missing and foreign records and blobs.

mod blobs;
mod records;

use larder_core::extend::LarderExt;
use std::collections::{HashMap, HashSet};

use crate::Maintenance;
use larder_core::manifest::ChildEntry;
use larder_core::record::VersionRecord;
use larder_core::store::{BlobCount, Corruption, Digest, StoreExt, TypeTag, VersionNumber};
use larder_core::{Error, Identifier, Reference, Result, Selection, Selector};

use blobs::Listing;
pub(crate) use blobs::{Blob, check_blob, finding_of, unlisted};
pub(crate) use records::damage;

/// The result of [`Maintenance::verify`].
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct VerifyReport {
    /// The number of verified versions.
    pub versions: u64,
    /// The number of blobs read, each once.
    pub blobs: u64,
    /// The bytes of those blobs.
    pub bytes: u64,
    /// The faults, each once.
    pub findings: Vec<Finding>,
    /// Blobs that no version needs; [`Maintenance::gc`] deletes them. `None` if only some versions were verified, or if the
    /// needed blobs are not known.
    pub orphans: Option<BlobCount>,
}

/// A fault.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// The first version with the fault, as `name@7`, or the record.
    pub what: String,
    /// The damaged blob, if any.
    pub digest: Option<Digest>,
    /// A description for people.
    pub fault: String,
    /// True if the blob is a manifest: the blobs it refers to were not verified.
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
    /// Verifies every byte of the selected versions, on as many threads as the machine has cores. No type needs to be
    /// linked in.
    ///
    /// [`Selection::All`] verifies every record too, by the table of record kinds
    /// ([`RecordKind`](larder_core::store::RecordKind)): damaged and foreign records, and records that require another one
    /// that is missing.
    ///
    /// # Errors
    /// [`NotFound`](larder_core::Error::NotFound) for a reference; [`Store`](larder_core::Error::Store) if the records cannot be read. Damage is
    /// not an error but a [`Finding`].
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
        let mut checked = verifier.read()?;
        if selection.is_all() && verifier.is_complete {
            let mut orphans = BlobCount::default();
            for blob in self.store.blobs() {
                match blob {
                    Ok((digest, _)) if verifier.seen.contains(&digest) => {}
                    Ok((_, size)) => orphans.add(size),
                    Err(error) => {
                        checked.findings.push(finding_of(error)?);
                        return Ok(checked);
                    }
                }
            }
            checked.orphans = Some(orphans);
        }
        Ok(checked)
    }
}

/// A version to read.
struct Listed {
    name: Identifier,
    number: VersionNumber,
    /// `name@7`.
    what: String,
    manifest: Digest,
    type_tag: TypeTag,
    size: u64,
}

struct Verifier<'a> {
    larder: &'a Maintenance,
    versions: Vec<Listed>,
    /// The children of the manifests that have some.
    children: HashMap<Digest, Vec<ChildEntry>>,
    /// Type and size of the versions of the manifests, as the manifests state them.
    stated: HashMap<Digest, (TypeTag, Option<u64>)>,
    /// The verified blobs.
    seen: HashSet<Digest>,
    /// Faults, each with the index of its version plus one; 0 for records.
    findings: Vec<(usize, Finding)>,
    /// True if all needed blobs are known.
    is_complete: bool,
}

impl<'a> Verifier<'a> {
    fn new(larder: &'a Maintenance) -> Self {
        Self {
            larder,
            versions: Vec::new(),
            children: HashMap::new(),
            stated: HashMap::new(),
            seen: HashSet::new(),
            findings: Vec::new(),
            is_complete: true,
        }
    }

    fn add(&mut self, name: &Identifier, version: &VersionRecord) {
        let selector = Selector::Version(version.version);
        let what = Reference::new(name.clone(), selector).to_string();
        self.versions.push(Listed {
            name: name.clone(),
            number: version.version,
            what,
            manifest: version.manifest,
            type_tag: version.type_tag.clone(),
            size: version.size,
        });
    }

    /// Reads and checks the versions: manifests first, as they list the other blobs.
    fn read(&mut self) -> Result<VerifyReport> {
        let mut checked =
            VerifyReport { versions: self.versions.len() as u64, ..VerifyReport::default() };
        let larder = self.larder;
        let mut manifests = Vec::new();
        for (place, Listed { what, manifest, .. }) in self.versions.iter().enumerate() {
            if self.seen.insert(*manifest) {
                manifests.push(Blob { place, what, digest: *manifest, size: None });
            }
        }
        let meter = larder.larder.meter("reading manifests", None);
        let mut blobs = Vec::new();
        let mut children = HashMap::new();
        // Children are read level by level.
        while !manifests.is_empty() {
            let mut inner = Vec::new();
            for (blob, found) in manifests.iter().zip(blobs::manifests(larder, &manifests, &meter))
            {
                checked.blobs += 1;
                checked.bytes += found.size;
                match found.content {
                    Ok(Listing { type_tag, size, artifacts, children: refers_to, faults }) => {
                        self.stated.insert(blob.digest, (type_tag, size));
                        self.findings
                            .extend(faults.into_iter().map(|fault| (blob.place + 1, fault)));
                        for (digest, size) in artifacts {
                            if self.seen.insert(digest) {
                                blobs.push(Blob { digest, size: Some(size), ..*blob });
                            }
                        }
                        if !refers_to.is_empty() {
                            self.children.insert(blob.digest, refers_to.clone());
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
        for (blob, found) in blobs.iter().zip(blobs::check_all(larder, &blobs, &meter)) {
            checked.blobs += 1;
            checked.bytes += found.size;
            if let Err(finding) = found.content {
                self.findings.push((blob.place + 1, finding));
            }
        }
        self.check_records();
        self.check_users()?;
        self.findings.sort_by_key(|(place, _)| *place);
        checked.findings = self.findings.drain(..).map(|(_, finding)| finding).collect();
        Ok(checked)
    }

    /// Finds versions whose records contradict their manifests.
    fn check_records(&mut self) {
        for (place, version) in self.versions.iter().enumerate() {
            let Some((type_tag, size)) = self.stated.get(&version.manifest) else { continue };
            let mut faults = Vec::new();
            if *type_tag != version.type_tag {
                let own = &version.type_tag;
                faults.push(format!("it is a `{type_tag}`, and its record says `{own}`"));
            }
            if *size != Some(version.size) {
                let found = size.unwrap_or(u64::MAX);
                faults.push(format!("it has {found} bytes, and its record says {}", version.size));
            }
            for fault in faults {
                let fault = Corruption::Unreadable(fault);
                self.findings.push((place + 1, Finding::new(&version.what, None, &fault)));
            }
        }
    }

    /// Returns what is wrong with a child, apart from its bytes.
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
            // Damaged records are reported by themselves.
            Err(_) => return None,
        };
        Some(Corruption::Unreadable(fault))
    }
}
