//! A store in memory that makes commits change by change, as a bucket does, and where a test comes in between.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use larder::bytes::Bytes;
use larder::store::{BlobWriter, Capabilities, Change, Committed, Record, RecordKey};
use larder::{Digest, Error, MemoryStore, Result, Store};

type Before = Box<dyn Fn(&MemoryStore, &[Change], usize) -> Result<bool> + Send + Sync>;

/// The store. What it made stays in the [`MemoryStore`], for whoever comes next.
pub struct Stepwise {
    store: MemoryStore,
    before: Before,
}

impl Stepwise {
    /// Asks `before` ahead of each change, which it is told by the commit and the place in it: `false` ends the commit
    /// there as if another writer had come between.
    pub fn new(
        store: &MemoryStore,
        before: impl Fn(&MemoryStore, &[Change], usize) -> Result<bool> + Send + Sync + 'static,
    ) -> Self {
        Self { store: store.clone(), before: Box::new(before) }
    }

    /// Makes `left` changes, and then no more, as if its writer had died.
    pub fn stopping_after(left: usize, store: &MemoryStore) -> Self {
        let left = AtomicUsize::new(left);
        Self::new(store, move |_, _, _| {
            let one_less = |left: usize| left.checked_sub(1);
            match left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less) {
                Ok(_) => Ok(true),
                Err(_) => Err(Error::store("write to test:stepwise", "the power went out")),
            }
        })
    }
}

impl fmt::Debug for Stepwise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stepwise")
    }
}

#[deny(clippy::missing_trait_methods)]
impl Store for Stepwise {
    fn url(&self) -> String {
        "test:stepwise".into()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { atomic_commit: false, ..self.store.capabilities() }
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
        self.store.get_blobs(digests)
    }

    fn read_blob(
        &self,
        digest: &Digest,
        take: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<bool> {
        self.store.read_blob(digest, take)
    }

    fn stat_blobs(&self, digests: &[Digest]) -> Result<Vec<Option<u64>>> {
        self.store.stat_blobs(digests)
    }

    fn blob_file(&self, digest: &Digest) -> Result<Option<std::path::PathBuf>> {
        self.store.blob_file(digest)
    }

    fn list_blobs(&self, after: Option<&Digest>, limit: usize) -> Result<Vec<(Digest, u64)>> {
        self.store.list_blobs(after, limit)
    }

    fn remove_blobs(&self, digests: &[Digest]) -> Result<()> {
        self.store.remove_blobs(digests)
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
        for (at, change) in changes.iter().enumerate() {
            let goes_on = (self.before)(&self.store, changes, at)?;
            if !goes_on || self.store.commit(std::slice::from_ref(change))? != Committed::All {
                return Ok(Committed::Conflict { at, made: at });
            }
        }
        Ok(Committed::All)
    }
}
