//! The blobs and children of the versions to copy.

use std::collections::{BTreeMap, HashMap};

use crate::Maintenance;
use crate::verify::unlisted;
use larder_core::manifest::{ChildEntry, Manifest};
use larder_core::record::VersionRecord;
use larder_core::store::{Corruption, Digest, Link, StoreExt, VersionNumber};
use larder_core::{Error, Identifier, Reference, Result, Selector};

/// Maximum number of records or blobs in one call of the store.
pub(crate) const PAGE: usize = 500;

/// The versions and blobs to transfer.
pub(super) struct Transfer {
    /// The contents of the versions that the target lacks.
    pub(super) contents: Contents,
    /// The blobs that the target lacks, with their sizes.
    pub(super) missing: BTreeMap<Digest, u64>,
}

/// The contents of versions, by manifest.
pub(super) type Contents = HashMap<Digest, Content>;

/// The contents of a version.
#[derive(Clone)]
pub(super) struct Content {
    /// Its artifacts, then its manifest.
    pub(super) blobs: Vec<(Digest, u64)>,
    pub(super) children: Vec<ChildEntry>,
}

/// Reads the manifests of versions that the target lacks, and checks that the source has all of their blobs.
pub(super) fn transfer<'a>(
    source: &Maintenance,
    target: &Maintenance,
    versions: impl IntoIterator<Item = (&'a Identifier, &'a VersionRecord)>,
) -> Result<Transfer> {
    let mut contents = Contents::new();
    let mut sizes = BTreeMap::new();
    for (name, version) in versions {
        let what = reference(name, version.version);
        let content = content_of(source, version, &what)?;
        for (digest, size) in &content.blobs {
            if *sizes.entry(*digest).or_insert(*size) != *size {
                return Err(disagrees(what, "it gives one of its blobs another size"));
            }
        }
        contents.insert(version.manifest, content);
    }
    let all: Vec<_> = sizes.into_iter().collect();
    let missing: BTreeMap<_, _> = missing_blobs(target, &all)?.into_iter().collect();
    let wanted: Vec<_> = missing.iter().map(|(digest, size)| (*digest, *size)).collect();
    for wanted in wanted.chunks(PAGE) {
        let digests: Vec<_> = wanted.iter().map(|(digest, _)| *digest).collect();
        for ((digest, size), found) in wanted.iter().zip(source.store.stat_blobs(&digests)?) {
            let fault = match found {
                None => Corruption::Missing,
                Some(found) if found != *size => Corruption::Size { expected: *size, found },
                Some(_) => continue,
            };
            return Err(Error::corrupt(format!("the blob {digest}"), fault));
        }
    }
    Ok(Transfer { contents, missing })
}

/// Reads the contents of a version, whose record must agree with its manifest.
pub(super) fn content_of(
    source: &Maintenance,
    version: &VersionRecord,
    what: &str,
) -> Result<Content> {
    let what_manifest = || format!("the manifest of {what}");
    let json = source.store.get_checked(&version.manifest, None, what_manifest)?;
    let manifest = Manifest::from_json(&json, what)?;
    for (path, link) in manifest.unlisted_links(what)? {
        let (Link::Artifact { digest, .. } | Link::Child { manifest: digest, .. }) = &link;
        // Without a blob there is nothing to lose: it may be data that an older Larder wrote.
        if source.store.has_blob(digest)? {
            return Err(Error::corrupt(what, unlisted(&path, &link)));
        }
    }
    let artifacts = manifest.artifacts().iter().map(|entry| (entry.digest, entry.size));
    let blobs: Vec<_> = artifacts.chain([(version.manifest, json.len() as u64)]).collect();
    let size = blobs.iter().try_fold(0_u64, |sum, (_, size)| sum.checked_add(*size));
    if size != Some(version.size) || *manifest.type_tag() != version.type_tag {
        return Err(disagrees(what.to_owned(), "its record and its manifest disagree"));
    }
    Ok(Content { blobs, children: manifest.children().to_vec() })
}

fn disagrees(what: String, reason: &str) -> Error {
    Error::corrupt(what, Corruption::Unreadable(reason.into()))
}

fn reference(name: &Identifier, number: VersionNumber) -> String {
    Reference::new(name.clone(), Selector::Version(number)).to_string()
}

/// Returns the blobs that the target lacks.
pub(super) fn missing_blobs(
    target: &Maintenance,
    blobs: &[(Digest, u64)],
) -> Result<Vec<(Digest, u64)>> {
    let mut missing = Vec::new();
    for blobs in blobs.chunks(PAGE) {
        let digests: Vec<_> = blobs.iter().map(|(digest, _)| *digest).collect();
        let found = target.store.stat_blobs(&digests)?;
        missing.extend(blobs.iter().zip(found).filter(|(_, it)| it.is_none()).map(|(it, _)| *it));
    }
    Ok(missing)
}
