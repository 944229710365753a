//! A store in memory that makes commits change by change, and stops after some: as a bucket does whose writer dies.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use larder::bytes::Bytes;
use larder::store::{BlobWriter, Capabilities, Change, Committed, Record, RecordKey};
use larder::{Digest, Error, MemoryStore, Result, Store};

/// The store. What it made stays in the [`MemoryStore`], for whoever comes next.
pub struct Stopping {
    store: MemoryStore,
    left: AtomicUsize,
}

impl Stopping {
    /// Makes `left` changes, and then no more.
    pub fn after(left: usize, store: &MemoryStore) -> Self {
        Self { store: store.clone(), left: AtomicUsize::new(left) }
    }
}

impl fmt::Debug for Stopping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stopping")
    }
}

#[deny(clippy::missing_trait_methods)]
impl Store for Stopping {
    fn url(&self) -> String {
        "test:stopping".into()
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

    fn get_blobs(&self, digests: &[Digest]) -> Result<Vec<Option<Bytes>>> {
        self.store.get_blobs(digests)
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
            let one_less = |left: usize| left.checked_sub(1);
            if self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_err() {
                return Err(Error::store("write to test:stopping", "the power went out"));
            }
            if self.store.commit(std::slice::from_ref(change))? != Committed::All {
                return Ok(Committed::Conflict { at, made: at });
            }
        }
        Ok(Committed::All)
    }
}
