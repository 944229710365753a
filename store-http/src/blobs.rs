//! Blobs: small ones in bodies, large ones as streams.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use larder_store::{Blob, Digest, Error, Result};
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE};
use reqwest::{Body, Method};

use crate::connection::Connection;
use crate::protocol::{
    BLOB_TYPE, BLOBS, FoundBlob, ListBlobs, MAX_INLINE, MAX_ITEMS, ReadBlobs, RemoveBlobs,
    RemoveUnfinished, StatBlobs, WireDigest,
};
use crate::source::HttpSource;

/// Size in bytes up to which a blob is sent without asking whether it is there.
const SMALL: usize = 64 * 1024;
/// Size in bytes of the pieces in which a blob is passed to the connection.
const PIECE: usize = 256 * 1024;

impl Connection {
    /// Writes a blob, unless it exists.
    pub(crate) async fn put_blob(&self, digest: Digest, bytes: Bytes) -> Result<()> {
        let action = format!("write the blob {} to {}", digest.short(), self.url());
        // For a small blob asking takes as long as sending it again.
        if bytes.len() > SMALL {
            let there = self.stat_blobs(&[digest]).await?;
            // A blob of another size is damaged and is replaced.
            if there.first() == Some(&Some(bytes.len() as u64)) {
                return Ok(());
            }
        }
        let mut retries = self.retries();
        loop {
            let progress = Arc::new(AtomicU64::new(0));
            let request = self
                .request(Method::PUT, &route_of(&digest))
                .header(CONTENT_TYPE, BLOB_TYPE)
                .header(CONTENT_LENGTH, bytes.len())
                .body(in_pieces(bytes.clone(), progress.clone()));
            match self.answer_to(&action, request, Some(progress)).await {
                Ok(_) => return Ok(()),
                Err(failure) => retries.wait(failure, &action).await?,
            }
        }
    }

    /// Finds blobs, in the order of `digests`.
    pub(crate) async fn read_blobs(
        self: &Arc<Self>,
        digests: Vec<Digest>,
    ) -> Result<Vec<Option<Blob>>> {
        let action = format!("read blobs from {}", self.url());
        let mut blobs = Vec::with_capacity(digests.len());
        while let Some(rest) = digests.get(blobs.len()..).filter(|rest| !rest.is_empty()) {
            let request = ReadBlobs { digests: wire(&rest[..rest.len().min(MAX_ITEMS)]) };
            let found = self.call(&action, &request).await?.answer.blobs;
            self.check_count(&action, found.len(), request.digests.len())?;
            for (digest, found) in request.digests.iter().zip(found) {
                let blob = match found {
                    None => None,
                    Some(FoundBlob::Bytes(bytes)) if bytes.len() <= MAX_INLINE => {
                        Some(Blob::from(bytes))
                    }
                    Some(FoundBlob::Bytes(_)) => {
                        return Err(self.misunderstood(&action, "it has a large blob in it"));
                    }
                    Some(FoundBlob::Size(size)) => {
                        let source = HttpSource::new(self.clone(), digest.0, size);
                        Some(Blob::from_source(source))
                    }
                };
                blobs.push(blob);
            }
        }
        Ok(blobs)
    }

    /// Returns the sizes of blobs, in the order of `digests`.
    pub(crate) async fn stat_blobs(&self, digests: &[Digest]) -> Result<Vec<Option<u64>>> {
        let action = format!("stat blobs in {}", self.url());
        let mut sizes = Vec::with_capacity(digests.len());
        for digests in digests.chunks(MAX_ITEMS) {
            let request = StatBlobs { digests: wire(digests) };
            let found = self.call(&action, &request).await?.answer.sizes;
            if found.len() != digests.len() {
                return Err(self.misunderstood(&action, "it has another number of sizes"));
            }
            sizes.extend(found);
        }
        Ok(sizes)
    }

    /// Lists up to `limit` blobs and their sizes, ordered by digest, after `after`.
    pub(crate) async fn list_blobs(
        &self,
        after: Option<Digest>,
        limit: usize,
    ) -> Result<Vec<(Digest, u64)>> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let action = format!("list blobs of {}", self.url());
        let request = ListBlobs { after: after.map(WireDigest), limit: limit.min(MAX_ITEMS) };
        let found = self.call(&action, &request).await?.answer.blobs;
        let blobs: Vec<_> = found.into_iter().map(|(digest, size)| (digest.0, size)).collect();
        // A listing that goes back would never end.
        let first = blobs.first().map(|(digest, _)| *digest);
        let is_forward = blobs.is_sorted_by(|one, other| one.0 < other.0)
            && (after.is_none() || first.is_none() || first > after);
        match is_forward && blobs.len() <= limit {
            true => Ok(blobs),
            false => Err(self.misunderstood(&action, "its blobs are not in order")),
        }
    }

    /// Removes blobs that exist.
    pub(crate) async fn remove_blobs(&self, digests: &[Digest]) -> Result<()> {
        let action = format!("remove blobs from {}", self.url());
        for digests in digests.chunks(MAX_ITEMS) {
            self.call(&action, &RemoveBlobs { digests: wire(digests) }).await?;
        }
        Ok(())
    }

    /// Lets the server remove what dead writers left. Returns the number of files and bytes.
    pub(crate) async fn remove_unfinished(&self, older_than: Duration) -> Result<(u64, u64)> {
        let action = format!("remove unfinished files of {}", self.url());
        let older_than = u64::try_from(older_than.as_millis()).unwrap_or(u64::MAX);
        let removed = self.call(&action, &RemoveUnfinished { older_than }).await?.answer;
        Ok((removed.files, removed.bytes))
    }

    /// Checks that an answer begins with the answers to the first of `asked` items, at least of one.
    pub(crate) fn check_count(
        &self,
        action: &str,
        found: usize,
        asked: usize,
    ) -> Result<(), Error> {
        match (1..=asked).contains(&found) {
            true => Ok(()),
            false => Err(self.misunderstood(action, &format!("it has {found} of {asked} items"))),
        }
    }
}

/// Returns the route of a blob.
pub(crate) fn route_of(digest: &Digest) -> String {
    format!("{BLOBS}{}", digest.to_hex())
}

fn wire(digests: &[Digest]) -> Vec<WireDigest> {
    digests.iter().copied().map(WireDigest).collect()
}

/// Passes `bytes` on piece by piece, without a copy, and counts what was passed on.
fn in_pieces(bytes: Bytes, progress: Arc<AtomicU64>) -> Body {
    let pieces = stream::unfold(bytes, move |mut rest| {
        let progress = progress.clone();
        async move {
            if rest.is_empty() {
                return None;
            }
            let piece = rest.split_to(rest.len().min(PIECE));
            progress.fetch_add(piece.len() as u64, Ordering::Relaxed);
            Some((Ok::<_, Infallible>(piece), rest))
        }
    });
    Body::wrap_stream(pieces)
}
