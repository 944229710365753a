//! A store made of two: records in one, blobs in another.

mod join;

use std::sync::Arc;
use std::time::Duration;

pub use self::join::refuse_half;
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::url::StoreUrl;
use crate::{Blob, BlobWriter, Capabilities, Change, Committed, Record, RecordKey, Store};

/// Keeps records in one store and blobs in another, such as a database with backups and a bucket.
///
/// Any two stores can be joined. Each records the URL of the other, so that neither can be opened as a whole larder or
/// joined to a third. A URL joins two stores with the option `blobs`:
/// `postgres://db.example.com/models?blobs=s3://models/blobs`.
///
/// Blobs are durable before the records that refer to them. A failed commit may leave blobs behind as garbage.
///
/// ```
/// use std::sync::Arc;
/// use larder_store::{Composite, MemoryStore};
///
/// let store = Composite::new(Arc::new(MemoryStore::new()), Arc::new(MemoryStore::new()))?;
/// # let _ = store;
/// # Ok::<(), larder_store::Error>(())
/// ```
#[derive(Debug)]
pub struct Composite {
    records: Arc<dyn Store>,
    blobs: Arc<dyn Store>,
}

impl Composite {
    /// Joins two stores that are empty, or opens two that were joined before.
    ///
    /// # Errors
    /// [`Error::Refused`] for a store that is joined to another one or is not empty; [`Error::Store`].
    pub fn new(records: Arc<dyn Store>, blobs: Arc<dyn Store>) -> Result<Self> {
        join::join(&*records, &*blobs)?;
        Ok(Self { records, blobs })
    }
}

#[deny(clippy::missing_trait_methods)]
impl Store for Composite {
    fn url(&self) -> String {
        let records = self.records.url();
        let sign = if records.contains('?') { '&' } else { '?' };
        format!("{records}{sign}blobs={}", StoreUrl::encode(&self.blobs.url()))
    }

    fn capabilities(&self) -> Capabilities {
        let isolated_commit = self.records.capabilities().isolated_commit;
        Capabilities { atomic_commit: false, isolated_commit, ..self.blobs.capabilities() }
    }

    fn write_blob(&self) -> Result<Box<dyn BlobWriter>> {
        self.blobs.write_blob()
    }

    fn read_blobs(&self, digests: &[Digest]) -> Result<Vec<Option<Blob>>> {
        self.blobs.read_blobs(digests)
    }

    fn stat_blobs(&self, digests: &[Digest]) -> Result<Vec<Option<u64>>> {
        self.blobs.stat_blobs(digests)
    }

    fn list_blobs(&self, after: Option<&Digest>, limit: usize) -> Result<Vec<(Digest, u64)>> {
        self.blobs.list_blobs(after, limit)
    }

    fn remove_blobs(&self, digests: &[Digest]) -> Result<()> {
        self.blobs.remove_blobs(digests)
    }

    fn remove_unfinished(&self, older_than: Duration) -> Result<(u64, u64)> {
        let (files, bytes) = self.blobs.remove_unfinished(older_than)?;
        let (more_files, more_bytes) = self.records.remove_unfinished(older_than)?;
        Ok((files + more_files, bytes + more_bytes))
    }

    fn get_records(&self, keys: &[RecordKey]) -> Result<Vec<Option<Record>>> {
        self.records.get_records(keys)
    }

    fn list_records(
        &self,
        prefix: &str,
        after: Option<&RecordKey>,
        limit: usize,
    ) -> Result<Vec<(RecordKey, Record)>> {
        self.records.list_records(prefix, after, limit)
    }

    fn commit(&self, changes: &[Change]) -> Result<Committed> {
        let is_blob = |change: &&Change| matches!(change, Change::PutBlob { .. });
        let blobs: Vec<_> = changes.iter().filter(is_blob).cloned().collect();
        if !blobs.is_empty() && self.blobs.commit(&blobs)? != Committed::All {
            let action = format!("write blobs to {}", self.blobs.url());
            return Err(Error::store(
                action,
                "the store reported a conflict for a commit without preconditions",
            ));
        }
        let places: Vec<_> = (0..changes.len()).filter(|at| !is_blob(&&changes[*at])).collect();
        if places.is_empty() {
            return Ok(Committed::All);
        }
        let records: Vec<_> = places.iter().map(|at| changes[*at].clone()).collect();
        Ok(match self.records.commit(&records)? {
            Committed::All => Committed::All,
            // Blobs come first, so the first change not made is a record.
            Committed::Conflict { at, made } => {
                let place = |at: usize| places.get(at).copied().unwrap_or(at);
                Committed::Conflict { at: place(at), made: place(made) }
            }
        })
    }
}
