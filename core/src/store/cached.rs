//! Blobs of stores that are far away, kept near.

use std::any::Any;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use bytes::Bytes;

use super::ext::PIECE;
use super::{BlobWriter, Capabilities, Change, Committed, Record, RecordKey, Store, fault};
use crate::digest::Digest;
use crate::error::Result;
use crate::files::BlobFolder;
use crate::larder::BlobCount;

/// A folder of blobs that were fetched: bounded in size, shared by processes and by larders.
///
/// A blob is compared with its digest when it comes in, and its file is never written again. When there are too
/// many bytes, the blobs that were not used for the longest time go; whoever has one mapped keeps it. The time
/// of a file's last change is when its blob was last used.
///
/// Nobody else may be able to write into the folder. A file that was damaged there is reported by whoever reads it,
/// as its blob; emptying the cache makes way for a good copy.
#[derive(Debug, Clone)]
pub struct BlobCache {
    root: PathBuf,
    blobs: BlobFolder,
    limit: u64,
    /// The bytes that came in since the folder was last looked through; all clones count together.
    since: Arc<AtomicU64>,
}

impl BlobCache {
    /// The folder of a larder's cache that it is.
    pub const FOLDER: &'static str = "blobs";
    /// How many bytes a cache holds unless it is told otherwise.
    pub const LIMIT: u64 = 16 << 30;

    /// The cache in the folder `root`, which is created when the first blob comes in.
    pub fn open(root: &Path) -> Self {
        // The first blob that comes in is a reason to look through it.
        let since = Arc::new(AtomicU64::new(u64::MAX / 2));
        Self { root: root.to_owned(), blobs: BlobFolder::open(root), limit: Self::LIMIT, since }
    }

    /// The same cache, which holds so many bytes. Each process may go beyond that by a sixteenth for a while.
    #[must_use]
    pub fn with_limit(mut self, bytes: u64) -> Self {
        self.limit = bytes;
        self
    }

    /// Where it is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// How many bytes it holds at most.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// What it holds.
    ///
    /// # Errors
    /// [`Error::Store`](crate::Error::Store).
    pub fn amount(&self) -> Result<BlobCount> {
        let mut amount = BlobCount::default();
        self.blobs.list(None, usize::MAX)?.iter().for_each(|(_, size)| amount.add(*size));
        Ok(amount)
    }

    /// Removes all that it holds, and gives how much that was. What is mapped stays readable.
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

    /// A blob that it holds. Trouble with a cache is no trouble: the store has the blob.
    fn get(&self, digest: &Digest) -> Option<Bytes> {
        let bytes = self.blobs.get(digest).ok().flatten()?;
        // It is another user's file, perhaps, and then grows old sooner.
        let used = File::open(self.blobs.path(digest));
        let _ = used.and_then(|file| file.set_modified(SystemTime::now()));
        Some(bytes)
    }

    /// Takes blobs in, if they are what they are called.
    fn keep(&self, fetched: &[(Digest, Bytes)]) {
        let is_good = |(digest, bytes): &&(Digest, Bytes)| {
            bytes.len() as u64 <= self.limit && fault(digest, None, Some(bytes), |_| ()).is_none()
        };
        let good: Vec<_> = fetched.iter().filter(is_good).cloned().collect();
        if good.is_empty() || self.blobs.put_all(&good).is_err() {
            return;
        }
        let bytes: u64 = good.iter().map(|(_, bytes)| bytes.len() as u64).sum();
        let since = self.since.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        if since > self.slack() {
            self.since.store(0, Ordering::Relaxed);
            self.make_room();
        }
    }

    fn slack(&self) -> u64 {
        self.limit / 16
    }

    /// Removes what was not used for the longest time, until there is room for some more.
    fn make_room(&self) {
        let used = |digest: &Digest| fs::metadata(self.blobs.path(digest))?.modified();
        let held = self.blobs.list(None, usize::MAX).unwrap_or_default();
        // What has no time any more was removed by another process.
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
/// Blobs are read from the cache if it holds them, also when the store cannot be reached, and are taken into it
/// when they come from the store. All else is asked of the store: whether a blob is there, and every record.
#[derive(Debug)]
pub struct Cached {
    store: Arc<dyn Store>,
    cache: BlobCache,
}

impl Cached {
    /// `store`, behind `cache`.
    pub fn new(store: Arc<dyn Store>, cache: BlobCache) -> Self {
        Self { store, cache }
    }

    /// The store without the cache in front of it, if there is one.
    pub(crate) fn behind(store: &Arc<dyn Store>) -> Arc<dyn Store> {
        let any: &dyn Any = &**store;
        match any.downcast_ref::<Self>() {
            Some(cached) => Arc::clone(&cached.store),
            None => Arc::clone(store),
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

    fn is_remote(&self) -> bool {
        self.store.is_remote()
    }

    fn write_blob(&self) -> Result<Box<dyn BlobWriter>> {
        self.store.write_blob()
    }

    fn keep_blob(&self, digest: &Digest, bytes: Bytes) -> Result<()> {
        self.store.keep_blob(digest, bytes)
    }

    fn get_blobs(&self, digests: &[Digest]) -> Result<Vec<Option<Bytes>>> {
        let mut found: Vec<_> = digests.iter().map(|digest| self.cache.get(digest)).collect();
        let is_missing =
            |(digest, found): (&Digest, &Option<_>)| found.is_none().then_some(*digest);
        let mut missing: Vec<_> = digests.iter().zip(&found).filter_map(is_missing).collect();
        missing.sort_unstable();
        missing.dedup();
        if missing.is_empty() {
            return Ok(found);
        }
        let fetched = self.store.get_blobs(&missing)?;
        let fetched = missing.into_iter().zip(fetched);
        let fetched: Vec<_> = fetched.filter_map(|(digest, it)| Some((digest, it?))).collect();
        self.cache.keep(&fetched);
        for (digest, found) in digests.iter().zip(&mut found).filter(|(_, found)| found.is_none()) {
            let at = fetched.binary_search_by_key(digest, |(digest, _)| *digest);
            // A large one is mapped from now on, and its memory is free.
            *found = at.ok().map(|at| self.cache.get(digest).unwrap_or(fetched[at].1.clone()));
        }
        Ok(found)
    }

    fn read_blob(
        &self,
        digest: &Digest,
        take: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<bool> {
        match self.cache.get(digest) {
            Some(bytes) => bytes.chunks(PIECE).try_for_each(take).map(|()| true),
            // What goes elsewhere would only take the place of what is used here.
            None => self.store.read_blob(digest, take),
        }
    }

    fn stat_blobs(&self, digests: &[Digest]) -> Result<Vec<Option<u64>>> {
        self.store.stat_blobs(digests)
    }

    fn blob_file(&self, digest: &Digest) -> Result<Option<PathBuf>> {
        // Not the cache's: it may be removed before it is opened.
        self.store.blob_file(digest)
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
