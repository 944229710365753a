//! The store.

use std::sync::Arc;
use std::time::Duration;

use larder_store::runtime::wait;
use larder_store::{Blob, BlobWriter, Capabilities, Change, Committed, Record, RecordKey, Store};
use larder_store::{Digest, Result, StoreUrl};
use object_store::ObjectStore;
use object_store::path::Path;

use crate::blobs::INLINE;
use crate::bucket::Bucket;
use crate::writer::BucketWriter;
use crate::{config, marker};

/// A store in a bucket.
#[derive(Debug, Clone)]
pub struct BucketStore {
    bucket: Bucket,
}

impl BucketStore {
    /// Opens the larder at a URL such as `s3://bucket/prefix`. Creates one if the place is empty.
    ///
    /// # Errors
    /// [`Error::InvalidName`](larder_store::Error::InvalidName) for an invalid URL;
    /// [`Error::Refused`](larder_store::Error::Refused) for a service without conditional writes and for a place with
    /// other content; [`Error::NewerFormat`](larder_store::Error::NewerFormat),
    /// [`Error::Corrupt`](larder_store::Error::Corrupt), [`Error::Store`](larder_store::Error::Store).
    pub fn open(url: &StoreUrl) -> Result<Self> {
        let place = config::read(url)?;
        Self::over(place.service, &place.prefix, &place.url)
    }

    /// Returns whether there is a larder, or anything else, at a URL.
    ///
    /// # Errors
    /// Those of [`open`](BucketStore::open).
    pub fn is_there(url: &StoreUrl) -> Result<bool> {
        let place = config::read(url)?;
        let bucket = Bucket::new(place.service, &place.prefix, &place.url);
        wait(async move { marker::is_there(&bucket).await })
    }

    /// Opens the larder below `prefix` on an existing service. `url` becomes the answer of [`Store::url`].
    ///
    /// ```
    /// use std::sync::Arc;
    /// use larder_store_object::BucketStore;
    /// use larder_store_object::object_store::{memory::InMemory, path::Path};
    ///
    /// let store = BucketStore::over(Arc::new(InMemory::new()), &Path::from("team"), "test:")?;
    /// # Ok::<(), larder_store::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`open`](BucketStore::open).
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
        Capabilities {
            atomic_commit: false,
            isolated_commit: false,
            inline_blob: INLINE,
            is_remote: true,
        }
    }

    fn write_blob(&self) -> Result<Box<dyn BlobWriter>> {
        Ok(Box::new(BucketWriter::new(self.bucket.clone())))
    }

    fn read_blobs(&self, digests: &[Digest]) -> Result<Vec<Option<Blob>>> {
        let (bucket, digests) = (self.bucket.clone(), digests.to_vec());
        wait(async move { bucket.read_blobs(digests).await })
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

    fn remove_unfinished(&self, _: Duration) -> Result<(u64, u64)> {
        // Unfinished uploads are left to the lifecycle rule of the bucket.
        Ok((0, 0))
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

/// Writes all blobs first, together, because they have no precondition. Then makes the record changes one by one.
async fn commit(bucket: &Bucket, changes: Vec<Change>) -> Result<Committed> {
    let blobs = changes.iter().filter_map(|change| match change {
        Change::PutBlob { digest, bytes } => Some((*digest, bytes.clone())),
        _ => None,
    });
    bucket.put_blobs(blobs.collect()).await?;
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
