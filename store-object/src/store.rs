//! The store itself.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use larder_core::store::Digest;
use larder_core::store::{BlobWriter, Capabilities, Change, Committed, Record, RecordKey, Store};
use larder_core::{Result, StoreUrl};
use object_store::ObjectStore;
use object_store::path::Path;

use crate::blobs::{INLINE, PARTS_AT_ONCE, parts_after};
use crate::bucket::Bucket;
use crate::writer::BucketWriter;
use crate::{config, marker};
use larder_core::store::runtime::{begin, wait};

/// A store in a bucket.
#[derive(Debug, Clone)]
pub struct BucketStore {
    bucket: Bucket,
}

impl BucketStore {
    /// Opens the larder at a URL such as `s3://bucket/prefix`; makes one where nothing is.
    ///
    /// # Errors
    /// [`Error::InvalidName`](larder_core::Error::InvalidName) for a URL that cannot be;
    /// [`Error::Refused`](larder_core::Error::Refused) for a service that ignores conditions, and for a place
    /// that holds something else; [`Error::NewerFormat`](larder_core::Error::NewerFormat),
    /// [`Error::Corrupt`](larder_core::Error::Corrupt), [`Error::Store`](larder_core::Error::Store).
    pub fn open(url: &StoreUrl) -> Result<Self> {
        let place = config::read(url)?;
        Self::over(place.service, &place.prefix, &place.url)
    }

    /// Whether there is a larder at a URL, or anything else.
    ///
    /// # Errors
    /// As [`open`](BucketStore::open).
    pub fn is_there(url: &StoreUrl) -> Result<bool> {
        let place = config::read(url)?;
        let bucket = Bucket::new(place.service, &place.prefix, &place.url);
        wait(async move { marker::is_there(&bucket).await })
    }

    /// Opens the larder below `prefix` on a service that is there already. `url` is what [`Store::url`] gives.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use larder_store_object::BucketStore;
    /// use larder_store_object::object_store::{memory::InMemory, path::Path};
    ///
    /// let store = BucketStore::over(Arc::new(InMemory::new()), &Path::from("team"), "test:")?;
    /// # Ok::<(), larder_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`open`](BucketStore::open).
    pub fn over(service: Arc<dyn ObjectStore>, prefix: &Path, url: &str) -> Result<Self> {
        let bucket = Bucket::new(service, prefix, url);
        let place = bucket.clone();
        wait(async move { marker::check_or_create(&place).await })?;
        Ok(Self { bucket })
    }
}

impl Store for BucketStore {
    fn url(&self) -> String {
        self.bucket.url.to_string()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { atomic_commit: false, inline_blob: INLINE }
    }

    fn is_remote(&self) -> bool {
        true
    }

    fn write_blob(&self) -> Result<Box<dyn BlobWriter>> {
        Ok(Box::new(BucketWriter::new(self.bucket.clone())))
    }

    fn keep_blob(&self, digest: &Digest, bytes: Bytes) -> Result<()> {
        let (bucket, digest) = (self.bucket.clone(), *digest);
        wait(async move { bucket.keep(digest, bytes).await })
    }

    fn get_blobs(&self, digests: &[Digest]) -> Result<Vec<Option<Bytes>>> {
        let (bucket, digests) = (self.bucket.clone(), digests.to_vec());
        wait(async move { bucket.fetch_all(digests).await })
    }

    fn read_blob(
        &self,
        digest: &Digest,
        take: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<bool> {
        let (bucket, digest) = (self.bucket.clone(), *digest);
        let Some((first, size)) = wait(async move { bucket.fetch_first(&digest).await })? else {
            return Ok(false);
        };
        take(&first)?;
        let mut rest = parts_after(first.len(), size);
        drop(first);
        let mut coming = VecDeque::new();
        loop {
            for range in rest.by_ref().take(PARTS_AT_ONCE - coming.len()) {
                let bucket = self.bucket.clone();
                coming.push_back(begin(async move { bucket.fetch_part(&digest, range).await })?);
            }
            let Some(part) = coming.pop_front() else { return Ok(true) };
            match part.wait()? {
                Some(part) => take(&part)?,
                None => return Ok(false),
            }
        }
    }

    fn stat_blobs(&self, digests: &[Digest]) -> Result<Vec<Option<u64>>> {
        let (bucket, digests) = (self.bucket.clone(), digests.to_vec());
        wait(async move { bucket.stat_all(digests).await })
    }

    fn list_blobs(&self, after: Option<&Digest>, limit: usize) -> Result<Vec<(Digest, u64)>> {
        let (bucket, after) = (self.bucket.clone(), after.copied());
        wait(async move { bucket.list_blobs(after, limit).await })
    }

    fn remove_blobs(&self, digests: &[Digest]) -> Result<()> {
        let (bucket, digests) = (self.bucket.clone(), digests.to_vec());
        wait(async move { bucket.remove_blobs(digests).await })
    }

    fn get_records(&self, keys: &[RecordKey]) -> Result<Vec<Option<Record>>> {
        let (bucket, keys) = (self.bucket.clone(), keys.to_vec());
        wait(async move { bucket.read_all(keys).await })
    }

    fn list_records(
        &self,
        prefix: &str,
        after: Option<&RecordKey>,
        limit: usize,
    ) -> Result<Vec<(RecordKey, Record)>> {
        let (bucket, prefix, after) = (self.bucket.clone(), prefix.to_owned(), after.cloned());
        wait(async move { bucket.list(prefix, after, limit).await })
    }

    fn commit(&self, changes: &[Change]) -> Result<Committed> {
        let (bucket, changes) = (self.bucket.clone(), changes.to_vec());
        wait(async move { commit(&bucket, changes).await })
    }
}

/// Blobs have no precondition: all of them come first, together. Then each record, one after the other.
async fn commit(bucket: &Bucket, changes: Vec<Change>) -> Result<Committed> {
    let blobs = changes.iter().filter_map(|change| match change {
        Change::PutBlob { digest, bytes } => Some((*digest, bytes.clone())),
        _ => None,
    });
    bucket.keep_all(blobs.collect()).await?;
    for (at, change) in changes.into_iter().enumerate() {
        let made = match change {
            Change::PutBlob { .. } => true,
            Change::PutRecord { key, value, expected } => bucket.put(&key, value, expected).await?,
            Change::RemoveRecord { key, expected } => bucket.remove(&key, expected).await?,
        };
        if !made {
            return Ok(Committed::Conflict { at, made: at });
        }
    }
    Ok(Committed::All)
}
