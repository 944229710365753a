//! A local cache for the blobs of remote stores.

use std::any::Any;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use bytes::Bytes;

use crate::digest::Digest;
use crate::error::Result;
use crate::ext::verified;
use crate::files::BlobFolder;
use crate::status::BlobCount;
use crate::{
    Blob, BlobSource, BlobWriter, Capabilities, Change, Committed, Record, RecordKey, Store,
};

/// A folder of fetched blobs, bounded in size and shared by processes and larders.
///
/// A blob is compared with its digest when it is added, and its file is never rewritten. Above the limit the least
/// recently used blobs are removed; a mapped blob stays readable. The modification time of a file is the time of
/// the blob's last use.
///
/// No other user may have write access to the folder. A file damaged there is reported as a damaged blob when it is read;
/// [`clear`](Self::clear) makes room for a good copy.
#[derive(Debug, Clone)]
pub struct BlobCache {
    root: PathBuf,
    blobs: BlobFolder,
    limit: u64,
    /// Bytes added since the folder was last scanned, counted over all clones.
    since: Arc<AtomicU64>,
}

impl BlobCache {
    /// Name of this cache's folder inside the cache folder of a larder.
    pub const FOLDER: &'static str = "blobs";
    /// Default limit in bytes.
    pub const LIMIT: u64 = 16 << 30;

    /// Opens the cache in the folder `root`, which is created when the first blob is added.
    pub fn open(root: &Path) -> Self {
        // Above any slack, so that adding the first blob scans the folder.
        let since = Arc::new(AtomicU64::new(u64::MAX / 2));
        Self { root: root.to_owned(), blobs: BlobFolder::open(root), limit: Self::LIMIT, since }
    }

    /// Sets the limit in bytes. Each process may temporarily exceed it by a sixteenth.
    #[must_use]
    pub fn with_limit(mut self, bytes: u64) -> Self {
        self.limit = bytes;
        self
    }

    /// Returns the folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the limit in bytes.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// Returns the number of blobs and bytes in the cache.
    ///
    /// # Errors
    /// [`Error::Store`](crate::Error::Store).
    pub fn amount(&self) -> Result<BlobCount> {
        let mut amount = BlobCount::default();
        self.blobs.list(None, usize::MAX)?.iter().for_each(|(_, size)| amount.add(*size));
        Ok(amount)
    }

    /// Removes all blobs and returns how many there were. Mapped blobs stay readable.
    ///
    /// # Errors
    /// [`Error::Store`](crate::Error::Store).
    pub fn clear(&self) -> Result<BlobCount> {
        let mut amount = BlobCount::default();
        for (digest, size) in self.blobs.list(None, usize::MAX)? {
            self.blobs.remove(&digest)?;
            amount.add(size);
        }
        Ok(amount)
    }

    /// Returns a cached blob. Errors count as a miss, because the store has the blob.
    fn get(&self, digest: &Digest) -> Option<Bytes> {
        let bytes = self.blobs.get(digest).ok().flatten()?;
        // Fails for another user's file, which then only looks older than it is.
        let used = File::open(self.blobs.path(digest));
        let _ = used.and_then(|file| file.set_modified(SystemTime::now()));
        Some(bytes)
    }

    /// Adds a blob if it fits and matches its digest.
    fn add(&self, digest: Digest, bytes: &Bytes) {
        let size = bytes.len() as u64;
        if size > self.limit
            || verified(&digest, None, Some(bytes.clone()), |_| ()).is_err()
            || self.blobs.put_all(&[(digest, bytes.clone())]).is_err()
        {
            return;
        }
        let since = self.since.fetch_add(size, Ordering::Relaxed).saturating_add(size);
        if since > self.slack() {
            self.since.store(0, Ordering::Relaxed);
            self.make_room();
        }
    }

    fn slack(&self) -> u64 {
        self.limit / 16
    }

    /// Removes the least recently used blobs until there is room for more.
    fn make_room(&self) {
        let used = |digest: &Digest| fs::metadata(self.blobs.path(digest))?.modified();
        let held = self.blobs.list(None, usize::MAX).unwrap_or_default();
        // A file without a time was removed by another process.
        let with_use = |(digest, size)| Some((used(&digest).ok()?, digest, size));
        let mut by_use: Vec<_> = held.into_iter().filter_map(with_use).collect();
        let mut total: u64 = by_use.iter().map(|(_, _, size)| size).sum();
        if total <= self.limit {
            return;
        }
        by_use.sort_unstable();
        for (_, digest, size) in by_use {
            if total <= self.limit - self.slack() {
                break;
            }
            if self.blobs.remove(&digest).is_ok() {
                total -= size;
            }
        }
    }
}

/// A store behind a [`BlobCache`].
///
/// Blobs are read from the cache if possible, even while the store is unreachable, and are added to it when their
/// bytes are read from the store. A blob that is read piece by piece goes elsewhere and is not added. Everything else is
/// forwarded to the store, including whether a blob exists.
#[derive(Debug)]
pub struct Cached {
    store: Arc<dyn Store>,
    cache: BlobCache,
}

impl Cached {
    /// Puts `cache` in front of `store`.
    pub fn new(store: Arc<dyn Store>, cache: BlobCache) -> Self {
        Self { store, cache }
    }

    /// Returns the store behind the cache, or `store` itself if it has none.
    pub fn behind(store: &Arc<dyn Store>) -> Arc<dyn Store> {
        let any: &dyn Any = &**store;
        match any.downcast_ref::<Self>() {
            Some(cached) => Arc::clone(&cached.store),
            None => Arc::clone(store),
        }
    }

    fn cached_when_read(&self, digest: Digest, blob: Blob) -> Blob {
        match blob.path() {
            // A file on this machine needs no copy.
            Some(_) => blob,
            None => Blob::from_source(Uncached { cache: self.cache.clone(), digest, blob }),
        }
    }
}

/// A blob of the store that is added to the cache when its bytes are read.
struct Uncached {
    cache: BlobCache,
    digest: Digest,
    blob: Blob,
}

impl BlobSource for Uncached {
    fn bytes(&self) -> Result<Bytes> {
        if let Some(bytes) = self.cache.get(&self.digest) {
            return Ok(bytes);
        }
        let bytes = self.blob.bytes()?;
        self.cache.add(self.digest, &bytes);
        // A large blob is mapped from here on, and its memory is free.
        Ok(self.cache.get(&self.digest).unwrap_or(bytes))
    }

    fn for_each_piece(&self, take: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        match self.cache.get(&self.digest) {
            Some(bytes) => Blob::from(bytes).for_each_piece(take),
            None => self.blob.for_each_piece(take),
        }
    }
}

#[deny(clippy::missing_trait_methods)]
impl Store for Cached {
    fn url(&self) -> String {
        self.store.url()
    }

    fn capabilities(&self) -> Capabilities {
        self.store.capabilities()
    }

    fn write_blob(&self) -> Result<Box<dyn BlobWriter>> {
        self.store.write_blob()
    }

    fn read_blobs(&self, digests: &[Digest]) -> Result<Vec<Option<Blob>>> {
        let cached = |digest| self.cache.get(digest).map(Blob::from);
        let mut found: Vec<_> = digests.iter().map(cached).collect();
        let is_missing =
            |(digest, found): (&Digest, &Option<_>)| found.is_none().then_some(*digest);
        let mut missing: Vec<_> = digests.iter().zip(&found).filter_map(is_missing).collect();
        missing.sort_unstable();
        missing.dedup();
        if missing.is_empty() {
            return Ok(found);
        }
        let fetched = self.store.read_blobs(&missing)?;
        for (digest, found) in digests.iter().zip(&mut found).filter(|(_, found)| found.is_none()) {
            let blob = missing.binary_search(digest).ok().and_then(|at| fetched[at].clone());
            *found = blob.map(|blob| self.cached_when_read(*digest, blob));
        }
        Ok(found)
    }

    fn stat_blobs(&self, digests: &[Digest]) -> Result<Vec<Option<u64>>> {
        self.store.stat_blobs(digests)
    }

    fn list_blobs(&self, after: Option<&Digest>, limit: usize) -> Result<Vec<(Digest, u64)>> {
        self.store.list_blobs(after, limit)
    }

    fn remove_blobs(&self, digests: &[Digest]) -> Result<()> {
        self.store.remove_blobs(digests)?;
        digests.iter().try_for_each(|digest| self.cache.blobs.remove(digest))
    }

    fn remove_unfinished(&self, older_than: Duration) -> Result<(u64, u64)> {
        self.store.remove_unfinished(older_than)
    }

    fn get_records(&self, keys: &[RecordKey]) -> Result<Vec<Option<Record>>> {
        self.store.get_records(keys)
    }

    fn list_records(
        &self,
        prefix: &str,
        after: Option<&RecordKey>,
        limit: usize,
    ) -> Result<Vec<(RecordKey, Record)>> {
        self.store.list_records(prefix, after, limit)
    }

    fn commit(&self, changes: &[Change]) -> Result<Committed> {
        self.store.commit(changes)
    }
}
