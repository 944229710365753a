//! Blobs as objects: whole if they are small, in parts that travel together if they are large.

use std::io::Write;
use std::ops::Range;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use larder_core::files::Scratch;
use larder_core::{Digest, Error, Result};
use object_store::path::Path;
use object_store::{Error as Cause, MultipartUpload, ObjectStoreExt};

use crate::bucket::{AT_ONCE, Bucket};
use crate::failure::absent;

/// Blobs up to this many bytes are given to a commit.
pub(crate) const INLINE: usize = 64 * 1024;
/// The least size of a part: that of all parts but the last, unless the blob is huge.
const PART: usize = 8 << 20;
/// Services take 10,000 parts at most.
const MOST_PARTS: usize = 9_000;
/// How many parts of one blob travel at once.
const PARTS_AT_ONCE: usize = 4;
/// How many blobs are read at once.
const BLOBS_AT_ONCE: usize = 8;

impl Bucket {
    /// Keeps a blob, unless it is there.
    pub(crate) async fn keep(&self, digest: Digest, bytes: Bytes) -> Result<()> {
        let path = self.blob(&digest)?;
        let keep = async {
            // To ask costs as much time as to send a small one again.
            if bytes.len() > INLINE {
                let there = absent(self.service.head(&path).await)?;
                // One of another size is a damaged one, and is replaced.
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
                // What cannot be abandoned now is what the bucket's rule for unfinished uploads is for.
                let _ = upload.abort().await;
            }
            sent
        };
        keep.await
            .map_err(|error| self.failed(&format!("write the blob {} to", digest.short()), error))
    }

    /// Keeps several blobs.
    pub(crate) async fn keep_all(&self, blobs: Vec<(Digest, Bytes)>) -> Result<()> {
        let keep = |(digest, bytes)| {
            let bucket = self.clone();
            async move { bucket.keep(digest, bytes).await }
        };
        stream::iter(blobs).map(keep).buffer_unordered(AT_ONCE).try_collect().await
    }

    /// The bytes of blobs, in the order asked for.
    pub(crate) async fn fetch_all(&self, digests: Vec<Digest>) -> Result<Vec<Option<Bytes>>> {
        let fetch = |digest: Digest| {
            let bucket = self.clone();
            async move { bucket.fetch(&digest).await }
        };
        stream::iter(digests).map(fetch).buffered(BLOBS_AT_ONCE).try_collect().await
    }

    async fn fetch(&self, digest: &Digest) -> Result<Option<Bytes>> {
        let path = self.blob(digest)?;
        let action = || format!("read the blob {} from", digest.short());
        let whole = async {
            let Some(found) = absent(self.service.get(&path).await)? else { return Ok(None) };
            match usize::try_from(found.meta.size) {
                Ok(size) if size > PART => Ok(Some((size, None))),
                _ => Ok(Some((0, Some(found.bytes().await?)))),
            }
        };
        match whole.await.map_err(|error| self.failed(&action(), error))? {
            Some((_, Some(bytes))) => Ok(Some(bytes)),
            Some((size, None)) => self.fetch_parts(&path, size, &action()).await,
            None => Ok(None),
        }
    }

    /// Reads a large blob into a private file, several parts at once.
    async fn fetch_parts(&self, path: &Path, size: usize, action: &str) -> Result<Option<Bytes>> {
        let spilled = |error| {
            let folder = std::env::temp_dir();
            Error::store(format!("put a blob into a file in {}", folder.display()), error)
        };
        let mut file = Scratch::create(&std::env::temp_dir()).map_err(spilled)?;
        let fetch = |range: Range<usize>| {
            let (service, path) = (self.service.clone(), path.clone());
            async move { service.get_range(&path, range.start as u64..range.end as u64).await }
        };
        let mut parts = stream::iter(parts(size)).map(fetch).buffered(PARTS_AT_ONCE);
        loop {
            match parts.try_next().await {
                Ok(Some(part)) => file.write_all(&part).map_err(spilled)?,
                Ok(None) => return file.into_bytes().map(Some).map_err(spilled),
                // It was removed meanwhile.
                Err(Cause::NotFound { .. }) => return Ok(None),
                Err(error) => return Err(self.failed(action, error)),
            }
        }
    }

    /// The sizes of blobs, in the order asked for.
    pub(crate) async fn stat_all(&self, digests: Vec<Digest>) -> Result<Vec<Option<u64>>> {
        let stat = |digest: Digest| {
            let bucket = self.clone();
            async move {
                let found = absent(bucket.service.head(&bucket.blob(&digest)?).await);
                let failed = |error| {
                    bucket.failed(&format!("look for the blob {} in", digest.short()), error)
                };
                Ok(found.map_err(failed)?.map(|meta| meta.size))
            }
        };
        stream::iter(digests).map(stat).buffered(AT_ONCE).try_collect().await
    }

    /// Up to `limit` blobs and their sizes, in the order of their digests, after `after`.
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
            // What is not where its digest says is no blob of Larder's, and left alone.
            let name = found.location.filename().and_then(|name| Digest::from_hex(name).ok());
            if let Some(digest) = name
                && self.blob(&digest)? == found.location
            {
                blobs.push((digest, found.size));
            }
        }
        Ok(blobs)
    }

    /// Removes blobs, as far as they are there.
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

/// The parts of a blob, all of one size but the last, as some services ask.
fn parts(size: usize) -> impl Iterator<Item = Range<usize>> + Send + 'static {
    let part = PART.max(size.div_ceil(MOST_PARTS));
    (0..size).step_by(part).map(move |from| from..size.min(from + part))
}

#[cfg(test)]
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
