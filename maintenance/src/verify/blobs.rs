//! Checking blobs in parallel.

use std::error::Error as _;

use bytes::Bytes;

use super::Finding;
use crate::Maintenance;
use crate::parallel::in_parallel;
use larder_core::manifest::{ChildEntry, Manifest};
use larder_core::progress::Meter;
use larder_core::store::{Corruption, Digest, Link, StoreExt, TypeTag, verified};
use larder_core::{Error, Result};

/// A blob to check.
#[derive(Clone, Copy)]
pub(crate) struct Blob<'a> {
    /// The index of the first version that needs it.
    pub(crate) place: usize,
    /// That version.
    pub(crate) what: &'a str,
    pub(crate) digest: Digest,
    pub(crate) size: Option<u64>,
}

/// The result for a blob.
pub(super) struct Found<T> {
    /// The bytes found.
    pub(super) size: u64,
    pub(super) content: Result<T, Finding>,
}

/// Reads and checks a blob. Returns the number of its bytes, and the bytes if they are sound.
pub(crate) fn check_blob(
    larder: &Maintenance,
    blob: &Blob<'_>,
    meter: &Meter,
) -> (u64, Result<Bytes, Corruption>) {
    match larder.store.get_blob(&blob.digest) {
        Ok(bytes) => {
            let progress = |done| meter.add(done);
            let found = bytes.as_ref().map_or(0, |bytes| bytes.len() as u64);
            (found, verified(&blob.digest, blob.size, bytes, progress))
        }
        Err(Error::Corrupt { fault: fault @ Corruption::LeftBehind(_), .. }) => (0, Err(fault)),
        // The disk may be damaged in one place only.
        Err(error) => {
            let cause = error.source().map_or_else(String::new, |cause| format!(": {cause}"));
            (0, Err(Corruption::Unreadable(format!("{error}{cause}"))))
        }
    }
}

/// Checks blobs.
pub(super) fn check_all(larder: &Maintenance, blobs: &[Blob<'_>], meter: &Meter) -> Vec<Found<()>> {
    in_parallel(blobs, |blob| {
        let (size, bytes) = check_blob(larder, blob, meter);
        let content = bytes.map(drop);
        Found { size, content: content.map_err(|fault| found_in(blob, &fault)) }
    })
}

/// The contents of a manifest.
pub(super) struct Listing {
    pub(super) type_tag: TypeTag,
    /// The bytes of the manifest and of every artifact.
    pub(super) size: Option<u64>,
    /// Artifacts by digest and size.
    pub(super) artifacts: Vec<(Digest, u64)>,
    pub(super) children: Vec<ChildEntry>,
    /// Links that it does not list.
    pub(super) faults: Vec<Finding>,
}

/// Checks manifests, and returns their contents.
pub(super) fn manifests(
    larder: &Maintenance,
    blobs: &[Blob<'_>],
    meter: &Meter,
) -> Vec<Found<Listing>> {
    in_parallel(blobs, |blob| {
        let (size, bytes) = check_blob(larder, blob, meter);
        let content = match bytes {
            Ok(json) => Manifest::from_json(&json, blob.what)
                .map(|manifest| listing(blob, size, &manifest))
                .map_err(|error| finding_at(blob, error)),
            Err(fault) => Err(found_in(blob, &fault)),
        };
        Found { size, content }
    })
}

fn listing(blob: &Blob<'_>, size: u64, manifest: &Manifest) -> Listing {
    let entries = manifest.artifacts().iter();
    let artifacts: Vec<_> = entries.map(|entry| (entry.digest, entry.size)).collect();
    let faults = match manifest.unlisted_links(blob.what) {
        Ok(links) => {
            links.iter().map(|(path, link)| found_in(blob, &unlisted(path, link))).collect()
        }
        Err(error) => vec![finding_at(blob, error)],
    };
    Listing {
        type_tag: manifest.type_tag().clone(),
        size: artifacts.iter().try_fold(size, |sum, (_, size)| sum.checked_add(*size)),
        artifacts,
        children: manifest.children().to_vec(),
        faults,
    }
}

/// The fault of a manifest that does not list a link of its fields.
pub(crate) fn unlisted(path: &str, link: &Link) -> Corruption {
    Corruption::Unreadable(format!("it refers to {link} at `{path}`, which it does not list"))
}

fn finding_at(blob: &Blob<'_>, error: Error) -> Finding {
    finding_of(error)
        .unwrap_or_else(|error| found_in(blob, &Corruption::Unreadable(error.to_string())))
}

fn found_in(blob: &Blob<'_>, fault: &Corruption) -> Finding {
    Finding::new(blob.what, Some(blob.digest), fault)
}

/// Returns the finding for an error about stored data; other errors as they are.
pub(crate) fn finding_of(error: Error) -> Result<Finding> {
    match error {
        Error::Corrupt { what, fault } => Ok(Finding::new(what, None, &fault)),
        Error::NewerFormat { what, found, known } => {
            let reason =
                format!("it has format {found}, and this version of Larder reads up to {known}");
            Ok(Finding::new(what, None, &Corruption::Unreadable(reason)))
        }
        error => Err(error),
    }
}
