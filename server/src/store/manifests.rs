//! Checks the manifests that new records keep: one that cannot be read would stop the collection of garbage for all.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use larder_access::Resource;
use larder_core::manifest::Manifest;
use larder_core::store::{Action, Digest, Record, RecordKey, RecordKind, Store, StoreExt};

use crate::context::Context;
use crate::failure::Failure;

/// Maximum size in bytes of a manifest.
const MOST_MANIFEST: u64 = 256 << 20;

/// A record that is written: its kind, its key, itself, and the one before it.
pub(super) type Written<'a> = (&'static RecordKind, &'a RecordKey, &'a Record, Option<&'a Record>);

/// Checks that the manifests of `written` records are there and sound, that their artifacts are there, and that their
/// children are versions that the principal may read.
pub(super) fn check(
    context: &Context,
    store: &Arc<dyn Store>,
    written: &[Written<'_>],
    keys: &HashSet<&RecordKey>,
    blobs: &HashMap<Digest, Bytes>,
) -> Result<(), Failure> {
    let mut checked = HashSet::new();
    for (kind, key, new, old) in written {
        let Some(roots) = kind.list_roots() else { continue };
        let new = roots(key, new).map_err(|error| Failure::invalid_record(key, &error))?;
        let old = old.and_then(|old| roots(key, old).ok()).unwrap_or_default();
        for root in new.iter().filter(|root| !root.is_optional) {
            let is_known = old.iter().any(|old| old.manifest == root.manifest);
            if !is_known && checked.insert(root.manifest) {
                let manifest = read(store, blobs, &root.manifest, key)?;
                check_manifest(context, store, &manifest, keys, blobs, key)?;
            }
        }
    }
    Ok(())
}

fn read(
    store: &Arc<dyn Store>,
    blobs: &HashMap<Digest, Bytes>,
    digest: &Digest,
    key: &RecordKey,
) -> Result<Manifest, Failure> {
    let fault = |text: &str| Failure::broken_rule(key, text);
    let json = match blobs.get(digest) {
        Some(json) => json.clone(),
        None => {
            let size = store.stat_blobs(std::slice::from_ref(digest))?.pop().flatten();
            if size.is_some_and(|size| size > MOST_MANIFEST) {
                return Err(fault("its manifest is too large"));
            }
            store.get_blob(digest)?.ok_or_else(|| fault("its manifest is not there"))?
        }
    };
    if Digest::of(&json) != *digest {
        return Err(fault("its manifest is damaged"));
    }
    let manifest = Manifest::from_json(&json, "it").map_err(|_| fault("it has no manifest"))?;
    match manifest.unlisted_links("it") {
        Ok(links) if links.is_empty() => Ok(manifest),
        _ => Err(fault("its manifest has links that it does not list")),
    }
}

fn check_manifest(
    context: &Context,
    store: &Arc<dyn Store>,
    manifest: &Manifest,
    keys: &HashSet<&RecordKey>,
    blobs: &HashMap<Digest, Bytes>,
    key: &RecordKey,
) -> Result<(), Failure> {
    let artifacts = manifest.artifacts().iter().map(|artifact| artifact.digest);
    let others: Vec<Digest> = artifacts.filter(|digest| !blobs.contains_key(digest)).collect();
    if !others.is_empty() && store.stat_blobs(&others)?.contains(&None) {
        return Err(Failure::broken_rule(key, "a blob of its artifacts is not there"));
    }
    for child in manifest.children() {
        context.authorize(Action::Read, &Resource::Name(child.name.clone()))?;
        let prefix = format!("digests/{}/@{}-", child.name, child.manifest.to_hex());
        let is_new = keys.iter().any(|key| key.as_str().starts_with(&prefix));
        if !is_new && store.list_records(&prefix, None, 1)?.is_empty() {
            let fault = format!("its child {} has no version of that digest", child.name);
            return Err(Failure::broken_rule(key, &fault));
        }
    }
    Ok(())
}
