//! Reading the artifacts of one version.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use super::Larder;
use crate::artifact::Link;
use crate::digest::Digest;
use crate::error::{Corruption, Error, Result};
use crate::manifest::{ArtifactEntry, ChildEntry};
use crate::progress::Watcher;
use crate::registry::Registry;
use crate::store::{Blob, Store, StoreExt, content, verified};

/// Reads the artifacts and children of one version.
pub(crate) struct ArtifactReader {
    store: Arc<dyn Store>,
    registry: Arc<Registry>,
    watcher: Watcher,
    /// True in a dry run.
    dry_run: bool,
    /// The version, for errors.
    version: String,
    /// The larder, with clock, cache and options.
    whole: Larder,
    /// The entries of its manifest, once known.
    list: OnceLock<List>,
    /// The digest of its manifest, once known.
    manifest: OnceLock<Digest>,
}

struct List {
    entries: Vec<ArtifactEntry>,
    places: HashMap<(Digest, String), usize>,
    children: HashSet<ChildEntry>,
}

impl ArtifactReader {
    pub(crate) fn new(larder: &Larder, version: String) -> Self {
        Self {
            store: Arc::clone(&larder.store),
            registry: Arc::clone(&larder.registry),
            watcher: larder.watcher.clone(),
            dry_run: larder.options().dry_run,
            version,
            whole: larder.clone(),
            list: OnceLock::new(),
            manifest: OnceLock::new(),
        }
    }

    /// Sets the entries of the manifest, once.
    pub(crate) fn set_entries(&self, entries: &[ArtifactEntry], children: &[ChildEntry]) {
        self.list.get_or_init(|| List {
            entries: entries.to_vec(),
            children: children.iter().cloned().collect(),
            places: entries.iter().enumerate().map(|(place, entry)| (entry.key(), place)).collect(),
        });
    }

    /// Sets the digest of the manifest, once.
    pub(crate) fn set_manifest(&self, digest: Digest) {
        self.manifest.get_or_init(|| digest);
    }

    /// Returns the digest of the manifest that lists its artifacts, if it is known.
    pub(crate) fn manifest(&self) -> Option<&Digest> {
        self.manifest.get()
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Returns its larder with default settings.
    pub(crate) fn larder(&self) -> Larder {
        Larder::on(Arc::clone(&self.store), Arc::clone(&self.registry))
    }

    /// Returns its larder, with clock, cache and options.
    pub(crate) fn whole(&self) -> Larder {
        self.whole.clone()
    }

    /// Returns the version, for errors.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    /// Refuses a child that the manifest does not list.
    pub(crate) fn check_child(&self, child: &ChildEntry) -> Result<()> {
        match self.list.get() {
            Some(list) if list.children.contains(child) => Ok(()),
            _ => Err(Error::corrupt(
                &self.version,
                Corruption::Unreadable(format!(
                    "it refers to {}, which its manifest does not list",
                    child.name
                )),
            )),
        }
    }

    /// Returns true if nothing is written.
    pub(crate) fn is_dry_run(&self) -> bool {
        self.dry_run
    }

    pub(crate) fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Returns the manifest entry of a link.
    pub(crate) fn entry(&self, link: Link) -> Result<ArtifactEntry> {
        let short = link.digest.short();
        let list = self.list.get();
        let entry = list
            .and_then(|list| list.entries.get(*list.places.get(&(link.digest, link.serializer))?));
        entry.cloned().ok_or_else(|| {
            let reason = format!("it refers to {short}, which its manifest does not list");
            Error::corrupt(&self.version, Corruption::Unreadable(reason))
        })
    }

    /// Returns the entry at an index of the manifest's list.
    pub(crate) fn entry_at(&self, place: usize) -> Result<&ArtifactEntry> {
        self.list.get().and_then(|list| list.entries.get(place)).ok_or_else(|| {
            Error::corrupt(
                &self.version,
                Corruption::Unreadable("it holds an artifact that is not listed".into()),
            )
        })
    }

    /// Reads an artifact, verified.
    pub(crate) fn fetch(&self, entry: &ArtifactEntry) -> Result<Bytes> {
        self.bytes_of(entry, self.store.read_blob(&entry.digest)?)
    }

    /// Returns the bytes of an artifact's blob, verified.
    pub(crate) fn bytes_of(&self, entry: &ArtifactEntry, blob: Option<Blob>) -> Result<Bytes> {
        let meter = self.watcher.begin("reading", Some(entry.size));
        let progress = |done| meter.add(done);
        let bytes = verified(&entry.digest, Some(entry.size), content(blob)?, progress);
        bytes.map_err(|corruption| Error::corrupt(self.describe(entry), corruption))
    }

    /// Checks that the blob of an artifact exists.
    pub(crate) fn look(&self, entry: &ArtifactEntry) -> Result<()> {
        match self.store.has_blob(&entry.digest)? {
            true => Ok(()),
            false => Err(Error::corrupt(self.describe(entry), Corruption::Missing)),
        }
    }

    pub(crate) fn describe(&self, entry: &ArtifactEntry) -> String {
        format!("the artifact {} of {}", entry.digest.short(), self.version)
    }
}
