//! Reads blobs from a bucket.

use std::ops::Range;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use larder_store::files::collect_pieces;
use larder_store::runtime::prefetch;
use larder_store::{Blob, BlobSource};
use larder_store::{Corruption, Digest, Error, Result};
use object_store::{GetOptions, GetRange, ObjectStoreExt};

use crate::blobs::{PART, PARTS_AT_ONCE};
use crate::bucket::Bucket;
use crate::failure::absent;

/// Maximum number of blobs of one call that are requested at once.
const BLOBS_AT_ONCE: usize = 8;
/// Maximum number of large blobs of one call whose first part stays in memory. Other first parts are fetched again.
const FIRST_PARTS: usize = 8;

impl Bucket {
    /// Finds blobs, in the order of `digests`.
    pub(crate) async fn read_blobs(&self, digests: Vec<Digest>) -> Result<Vec<Option<Blob>>> {
        let fetch = |digest: Digest| {
            let bucket = self.clone();
            async move { Ok::<_, Error>((digest, bucket.fetch_first(&digest).await?)) }
        };
        let mut fetched = stream::iter(digests).map(fetch).buffered(BLOBS_AT_ONCE);
        let (mut blobs, mut large) = (Vec::new(), 0);
        while let Some((digest, first)) = fetched.try_next().await? {
            let blob = first.map(|(first, size)| {
                if first.len() == size {
                    return Blob::from(first);
                }
                large += 1;
                let first = if large <= FIRST_PARTS { first } else { Bytes::new() };
                Blob::from_source(ObjectSource { bucket: self.clone(), digest, first, size })
            });
            blobs.push(blob);
        }
        Ok(blobs)
    }

    /// Returns the first part of a blob, which is all of a small one, and the size of the blob.
    async fn fetch_first(&self, digest: &Digest) -> Result<Option<(Bytes, usize)>> {
        let path = self.blob(digest)?;
        let first = async {
            // A range, because the service would otherwise send bytes that are fetched again by parts.
            let range = Some(GetRange::Bounded(0..PART as u64));
            let options = GetOptions { range, ..GetOptions::default() };
            let found = match absent(self.service.get_opts(&path, options).await) {
                Ok(None) => return Ok(None),
                Ok(Some(found)) => found,
                // An empty object has no first part.
                Err(error) => match self.service.head(&path).await {
                    Ok(meta) if meta.size == 0 => return Ok(Some((Bytes::new(), 0))),
                    _ => return Err(error),
                },
            };
            let size = found.meta.size;
            Ok(Some((found.bytes().await?, usize::try_from(size).unwrap_or(usize::MAX))))
        };
        first.await.map_err(|error| self.failed(&reading(digest), error))
    }

    async fn fetch_part(&self, digest: &Digest, range: Range<usize>) -> Result<Bytes> {
        let range = range.start as u64..range.end as u64;
        let part = absent(self.service.get_range(&self.blob(digest)?, range).await);
        let part = part.map_err(|error| self.failed(&reading(digest), error))?;
        part.ok_or_else(|| Error::corrupt(format!("the blob {digest}"), Corruption::Missing))
    }
}

/// A large blob, fetched in parts.
struct ObjectSource {
    bucket: Bucket,
    digest: Digest,
    /// The beginning of the content, as far as it is in memory.
    first: Bytes,
    size: usize,
}

impl BlobSource for ObjectSource {
    fn bytes(&self) -> Result<Bytes> {
        collect_pieces(|take| self.for_each_piece(take))
    }

    fn for_each_piece(&self, take: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        if !self.first.is_empty() {
            take(&self.first)?;
        }
        let fetch = |range| {
            let (bucket, digest) = (self.bucket.clone(), self.digest);
            async move { bucket.fetch_part(&digest, range).await }
        };
        let rest = parts_after(self.first.len(), self.size).map(fetch);
        prefetch(rest, PARTS_AT_ONCE).try_for_each(|part| take(&part?))
    }
}

fn reading(digest: &Digest) -> String {
    format!("read the blob {} from", digest.short())
}

/// Returns the ranges in which the rest of a blob is fetched.
fn parts_after(from: usize, size: usize) -> impl Iterator<Item = Range<usize>> {
    (from..size).step_by(PART).map(move |from| from..size.min(from.saturating_add(PART)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use larder_store::{Store, StoreExt};
    use object_store::memory::InMemory;
    use object_store::path::Path;

    use super::*;
    use crate::BucketStore;

    #[test]
    fn a_truncated_blob_is_returned_as_it_is() {
        let service = Arc::new(InMemory::new());
        let store = BucketStore::over(service.clone(), &Path::default(), "test:").unwrap();
        let whole = Bytes::from(vec![7; PART + 1]);
        let digest = Digest::of(&whole);
        store.put_blob(&digest, whole.clone()).unwrap();
        for left in [PART + 1, PART, 1, 0] {
            let bucket = Bucket::new(service.clone(), &Path::default(), "test:");
            let cut = whole.slice(..left);
            let put = async move {
                let path = bucket.blob(&digest)?;
                let put = bucket.service.put(&path, cut.into()).await;
                put.map(drop).map_err(|error| bucket.failed("cut", error))
            };
            larder_store::runtime::wait(put).unwrap();
            let blob = store.read_blob(&digest).unwrap().unwrap();
            assert_eq!(blob.bytes().unwrap().len(), left);
            let mut read = 0;
            let taken = blob.for_each_piece(|piece| {
                read += piece.len();
                Ok(())
            });
            taken.unwrap();
            assert_eq!(read, left);
        }
    }

    #[test]
    fn of_many_large_blobs_only_a_few_first_parts_are_in_memory() {
        let store =
            BucketStore::over(Arc::new(InMemory::new()), &Path::default(), "test:").unwrap();
        let contents: Vec<_> =
            (0..=FIRST_PARTS as u8).map(|byte| Bytes::from(vec![byte; PART + 1])).collect();
        let digests: Vec<_> = contents.iter().map(|content| Digest::of(content)).collect();
        for (digest, content) in digests.iter().zip(&contents) {
            store.put_blob(digest, content.clone()).unwrap();
        }
        let blobs = store.read_blobs(&digests).unwrap();
        for (blob, content) in blobs.iter().zip(&contents) {
            assert!(blob.as_ref().unwrap().bytes().unwrap() == content);
        }
    }
}
