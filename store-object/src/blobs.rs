//! Blobs as objects: whole if they are small, in parts that travel together if they are large.

use std::io::Write;
use std::ops::Range;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use larder_core::store::Digest;
use larder_core::store::files::Scratch;
use larder_core::{Error, Result};
use object_store::{Error as Cause, GetOptions, GetRange, MultipartUpload, ObjectStoreExt};

use crate::bucket::{AT_ONCE, Bucket};
use crate::failure::absent;

/// Blobs up to this many bytes are given to a commit.
pub(crate) const INLINE: usize = 64 * 1024;
/// The least size of a part: that of all parts but the last, unless the blob is huge.
const PART: usize = 8 << 20;
/// Services take 10,000 parts at most.
const MOST_PARTS: usize = 9_000;
/// How many parts of one blob travel at once.
pub(crate) const PARTS_AT_ONCE: usize = 4;
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
        let Some((first, size)) = self.fetch_first(digest).await? else { return Ok(None) };
        if first.len() == size { Ok(Some(first)) } else { self.spill(digest, &first, size).await }
    }

    /// The first part of a blob, which is all of a small one, and the size of the whole.
    pub(crate) async fn fetch_first(&self, digest: &Digest) -> Result<Option<(Bytes, usize)>> {
        let path = self.blob(digest)?;
        let first = async {
            // Not the whole: a service would send for nothing what is asked for again by parts.
            let range = Some(GetRange::Bounded(0..PART as u64));
            let options = GetOptions { range, ..GetOptions::default() };
            let found = match absent(self.service.get_opts(&path, options).await) {
                Ok(None) => return Ok(None),
                Ok(Some(found)) => found,
                // Nothing has no first part, and what was cut down to nothing is for who asks to judge.
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

    /// A part of a blob; `None` if it was removed meanwhile.
    pub(crate) async fn fetch_part(
        &self,
        digest: &Digest,
        range: Range<usize>,
    ) -> Result<Option<Bytes>> {
        let range = range.start as u64..range.end as u64;
        let part = absent(self.service.get_range(&self.blob(digest)?, range).await);
        part.map_err(|error| self.failed(&reading(digest), error))
    }

    /// Reads a large blob into a private file, several parts at once.
    async fn spill(&self, digest: &Digest, first: &Bytes, size: usize) -> Result<Option<Bytes>> {
        let spilled = |error| {
            let folder = std::env::temp_dir();
            Error::store(format!("put a blob into a file in {}", folder.display()), error)
        };
        let mut file = Scratch::create(&std::env::temp_dir()).map_err(spilled)?;
        file.write_all(first).map_err(spilled)?;
        let fetch = |range| {
            let (bucket, digest) = (self.clone(), *digest);
            async move { bucket.fetch_part(&digest, range).await }
        };
        let rest = parts_after(first.len(), size);
        let mut parts = stream::iter(rest).map(fetch).buffered(PARTS_AT_ONCE);
        while let Some(part) = parts.try_next().await? {
            let Some(part) = part else { return Ok(None) };
            file.write_all(&part).map_err(spilled)?;
        }
        file.into_bytes().map(Some).map_err(spilled)
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

fn reading(digest: &Digest) -> String {
    format!("read the blob {} from", digest.short())
}

/// The parts in which the rest of a blob is read.
pub(crate) fn parts_after(
    from: usize,
    size: usize,
) -> impl Iterator<Item = Range<usize>> + Send + 'static {
    (from..size).step_by(PART).map(move |from| from..size.min(from.saturating_add(PART)))
}

/// The parts in which a blob is sent, all of one size but the last, as some services ask.
fn parts(size: usize) -> impl Iterator<Item = Range<usize>> + Send + 'static {
    let part = PART.max(size.div_ceil(MOST_PARTS));
    (0..size).step_by(part).map(move |from| from..size.min(from + part))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use larder_core::store::Store;
    use object_store::memory::InMemory;
    use object_store::path::Path;

    use super::*;
    use crate::BucketStore;

    #[test]
    fn a_blob_that_was_cut_down_is_given_as_it_is() {
        let service = Arc::new(InMemory::new());
        let store = BucketStore::over(service.clone(), &Path::default(), "test:").unwrap();
        let whole = Bytes::from(vec![7; PART + 1]);
        let digest = Digest::of(&whole);
        store.keep_blob(&digest, whole.clone()).unwrap();
        for left in [PART + 1, PART, 1, 0] {
            let bucket = Bucket::new(service.clone(), &Path::default(), "test:");
            let cut = whole.slice(..left);
            let put = async move {
                let path = bucket.blob(&digest)?;
                let put = bucket.service.put(&path, cut.into()).await;
                put.map(drop).map_err(|error| bucket.failed("cut", error))
            };
            larder_core::store::runtime::wait(put).unwrap();
            let found = store.get_blobs(&[digest]).unwrap().pop().flatten();
            assert_eq!(found.map(|bytes| bytes.len()), Some(left));
            let mut read = 0;
            let there = store.read_blob(&digest, &mut |piece| {
                read += piece.len();
                Ok(())
            });
            assert_eq!((there.unwrap(), read), (true, left));
        }
    }

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
