//! Blobs as objects. Large ones are sent and fetched in several parts at once.

use std::ops::Range;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use larder_store::{Digest, Result};
use object_store::{Error as Cause, MultipartUpload, ObjectStoreExt};

use crate::bucket::{AT_ONCE, Bucket};
use crate::failure::absent;

/// Size in bytes up to which a blob is passed to a commit.
pub(crate) const INLINE: usize = 64 * 1024;
/// Size of all parts but the last, unless the blob is huge.
pub(crate) const PART: usize = 8 << 20;
/// Maximum number of parts of an upload. Services accept up to 10,000.
const MOST_PARTS: usize = 9_000;
/// Maximum number of concurrent requests for the parts of one blob.
pub(crate) const PARTS_AT_ONCE: usize = 4;

impl Bucket {
    /// Writes a blob, unless it exists.
    pub(crate) async fn put_blob(&self, digest: Digest, bytes: Bytes) -> Result<()> {
        let path = self.blob(&digest)?;
        let put = async {
            // For a small blob asking takes as long as sending it again.
            if bytes.len() > INLINE {
                let there = absent(self.service.head(&path).await)?;
                // A blob of another size is damaged and is replaced.
                if there.is_some_and(|meta| meta.size == bytes.len() as u64) {
                    return Ok(());
                }
            }
            if bytes.len() <= PART {
                return self.service.put(&path, bytes.into()).await.map(drop);
            }
            let mut upload = self.service.put_multipart(&path).await?;
            let sent = send_parts(&mut *upload, &bytes).await;
            if sent.is_err() {
                // If this fails too, the bucket's lifecycle rule for unfinished uploads cleans up.
                let _ = upload.abort().await;
            }
            sent
        };
        put.await
            .map_err(|error| self.failed(&format!("write the blob {} to", digest.short()), error))
    }

    /// Writes several blobs.
    pub(crate) async fn put_blobs(&self, blobs: Vec<(Digest, Bytes)>) -> Result<()> {
        let put = |(digest, bytes)| {
            let bucket = self.clone();
            async move { bucket.put_blob(digest, bytes).await }
        };
        stream::iter(blobs).map(put).buffer_unordered(AT_ONCE).try_collect().await
    }

    /// Returns the sizes of blobs, in the order of `digests`.
    pub(crate) async fn stat_all(&self, digests: Vec<Digest>) -> Result<Vec<Option<u64>>> {
        let stat = |digest: Digest| {
            let bucket = self.clone();
            async move {
                let found = absent(bucket.service.head(&bucket.blob(&digest)?).await);
                let failed =
                    |error| bucket.failed(&format!("stat the blob {} in", digest.short()), error);
                Ok(found.map_err(failed)?.map(|meta| meta.size))
            }
        };
        stream::iter(digests).map(stat).buffered(AT_ONCE).try_collect().await
    }

    /// Lists up to `limit` blobs and their sizes, ordered by digest, after `after`.
    pub(crate) async fn list_blobs(
        &self,
        after: Option<Digest>,
        limit: usize,
    ) -> Result<Vec<(Digest, u64)>> {
        let folder = self.path("blobs")?;
        let mut listed = match after {
            Some(after) => self.service.list_with_offset(Some(&folder), &self.blob(&after)?),
            None => self.service.list(Some(&folder)),
        };
        let mut blobs = Vec::new();
        while blobs.len() < limit {
            let found = listed.try_next().await;
            let Some(found) = found.map_err(|error| self.failed("list blobs of", error))? else {
                break;
            };
            // Objects that are not at the place of their digest do not belong to Larder.
            let name = found.location.filename().and_then(|name| Digest::from_hex(name).ok());
            if let Some(digest) = name
                && self.blob(&digest)? == found.location
            {
                blobs.push((digest, found.size));
            }
        }
        Ok(blobs)
    }

    /// Removes blobs that exist.
    pub(crate) async fn remove_blobs(&self, digests: Vec<Digest>) -> Result<()> {
        let paths: Vec<_> =
            digests.iter().map(|digest| self.blob(digest)).collect::<Result<_>>()?;
        let mut removed = self.service.delete_stream(stream::iter(paths).map(Ok).boxed());
        loop {
            match removed.try_next().await {
                Ok(None) => return Ok(()),
                Ok(Some(_)) | Err(Cause::NotFound { .. }) => {}
                Err(error) => return Err(self.failed("remove blobs from", error)),
            }
        }
    }
}

async fn send_parts(upload: &mut dyn MultipartUpload, bytes: &Bytes) -> Result<(), Cause> {
    stream::iter(parts(bytes.len()))
        .map(|range| upload.put_part(bytes.slice(range).into()))
        .buffer_unordered(PARTS_AT_ONCE)
        .try_collect::<()>()
        .await?;
    upload.complete().await.map(drop)
}

/// Returns the ranges in which a blob is sent. Some services require one size for all but the last.
fn parts(size: usize) -> impl Iterator<Item = Range<usize>> + Send + 'static {
    let part = PART.max(size.div_ceil(MOST_PARTS));
    (0..size).step_by(part).map(move |from| from..size.min(from + part))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_a_blob_and_are_never_too_many() {
        for size in [1, PART, PART + 1, 3 * PART, MOST_PARTS * PART + 1, 5 << 40] {
            let (mut end, mut count) = (0, 0);
            for part in parts(size) {
                assert_eq!(part.start, end, "no gap");
                assert!(part.len() >= PART || part.end == size, "only the last is small");
                (end, count) = (part.end, count + 1);
            }
            assert_eq!(end, size);
            assert!(count <= MOST_PARTS, "{count} parts of {size} bytes");
        }
    }
}
