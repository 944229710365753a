//! A store of two: records in one, blobs in another.

mod join;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

pub use self::join::refuse_half;
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::url::StoreUrl;
use crate::{BlobWriter, Capabilities, Change, Committed, Record, RecordKey, Store};

/// Records in one store, blobs in another: a database that is backed up, say, and a bucket for what is large.
///
/// Any two stores will do. Each remembers the other, so that neither is taken for a whole larder, nor joined to a
/// third. A URL makes one of its own with the option `blobs`: `postgres://shelf/models?blobs=s3://models/blobs`.
///
/// Blobs are durable before the records that lead to them. A commit that fails may leave blobs behind, which are
/// garbage.
///
/// ```
/// use std::sync::Arc;
/// use larder_store::{Larder, MemoryStore, Registry};
/// use larder_store::Composite;
///
/// let store = Composite::new(Arc::new(MemoryStore::new()), Arc::new(MemoryStore::new()))?;
/// let larder = Larder::new(Arc::new(store), Registry::linked()?);
/// # Ok::<(), larder_store::Error>(())
/// ```
#[derive(Debug)]
pub struct Composite {
    records: Arc<dyn Store>,
    blobs: Arc<dyn Store>,
}

impl Composite {
    /// Joins two stores that were joined before, or are both empty.
    ///
    /// # Errors
    /// [`Error::Refused`] for stores that belong to others, and for those that hold something already;
    /// [`Error::Store`].
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
        let Capabilities { inline_blob, .. } = self.blobs.capabilities();
        Capabilities { atomic_commit: false, inline_blob }
    }

    fn is_remote(&self) -> bool {
        self.blobs.is_remote()
    }

    fn write_blob(&self) -> Result<Box<dyn BlobWriter>> {
        self.blobs.write_blob()
    }

    fn keep_blob(&self, digest: &Digest, bytes: Bytes) -> Result<()> {
        self.blobs.keep_blob(digest, bytes)
    }

    fn get_blobs(&self, digests: &[Digest]) -> Result<Vec<Option<Bytes>>> {
        self.blobs.get_blobs(digests)
    }

    fn read_blob(
        &self,
        digest: &Digest,
        take: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<bool> {
        self.blobs.read_blob(digest, take)
    }

    fn stat_blobs(&self, digests: &[Digest]) -> Result<Vec<Option<u64>>> {
        self.blobs.stat_blobs(digests)
    }

    fn blob_file(&self, digest: &Digest) -> Result<Option<PathBuf>> {
        self.blobs.blob_file(digest)
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
            return Err(Error::store(action, "it has a condition that nobody set"));
        }
        let places: Vec<_> = (0..changes.len()).filter(|at| !is_blob(&&changes[*at])).collect();
        if places.is_empty() {
            return Ok(Committed::All);
        }
        let records: Vec<_> = places.iter().map(|at| changes[*at].clone()).collect();
        Ok(match self.records.commit(&records)? {
            Committed::All => Committed::All,
            // What was not made begins with a record.
            Committed::Conflict { at, made } => {
                let place = |at: usize| places.get(at).copied().unwrap_or(at);
                Committed::Conflict { at: place(at), made: place(made) }
            }
        })
    }
}
