//! Finds, lists and removes blobs.

use std::time::Duration;

use larder_access::Resource;
use larder_core::store::{Action, Digest, content};
use larder_store_http::protocol::{
    ANSWER_BUDGET, BlobSizes, Done, FoundBlob, FoundBlobs, ListBlobs, ListedBlobs, MAX_INLINE,
    ReadBlobs, RemoveBlobs, RemoveUnfinished, RemovedUnfinished, StatBlobs, WireDigest,
};
use tokio::runtime::Handle;

use crate::context::Context;
use crate::failure::Failure;

/// Number of blobs that are looked at together.
const AT_ONCE: usize = 64;

pub(super) fn stat(context: &Context, request: StatBlobs) -> Result<BlobSizes, Failure> {
    let sizes = context.app.larder.store().stat_blobs(&digests(&request.digests))?;
    Ok(BlobSizes { sizes })
}

pub(super) fn list(context: &Context, request: ListBlobs) -> Result<ListedBlobs, Failure> {
    let after = request.after.map(|after| after.0);
    let found = context.app.larder.store().list_blobs(after.as_ref(), request.limit)?;
    let blobs = found.into_iter().map(|(digest, size)| (WireDigest(digest), size)).collect();
    Ok(ListedBlobs { blobs })
}

/// Returns small blobs, as many as an answer holds, and the sizes of large ones.
pub(super) fn read(context: &Context, request: ReadBlobs) -> Result<FoundBlobs, Failure> {
    let store = context.app.larder.store();
    let (mut blobs, mut budget) = (Vec::with_capacity(request.digests.len()), ANSWER_BUDGET);
    'digests: for some in digests(&request.digests).chunks(AT_ONCE) {
        let sizes = store.stat_blobs(some)?;
        let is_small = |size: &Option<u64>| size.is_some_and(|size| size <= MAX_INLINE as u64);
        let small: Vec<Digest> = some
            .iter()
            .zip(&sizes)
            .filter(|(_, size)| is_small(size))
            .map(|(digest, _)| *digest)
            .collect();
        let mut found = store.read_blobs(&small)?.into_iter();
        for size in sizes {
            if !is_small(&size) {
                blobs.push(size.map(FoundBlob::Size));
                continue;
            }
            let bytes = content(found.next().flatten())?;
            let taken = bytes.as_ref().map_or(0, |bytes| bytes.len());
            blobs.push(bytes.map(|bytes| match taken <= MAX_INLINE {
                true => FoundBlob::Bytes(bytes),
                false => FoundBlob::Size(taken as u64),
            }));
            budget = budget.saturating_sub(taken);
            if budget == 0 {
                break 'digests;
            }
        }
    }
    Ok(FoundBlobs { blobs })
}

pub(super) fn remove(context: &Context, request: RemoveBlobs) -> Result<Done, Failure> {
    log(context)?;
    context.app.larder.store().remove_blobs(&digests(&request.digests))?;
    Ok(Done {})
}

pub(super) fn remove_unfinished(
    context: &Context,
    request: RemoveUnfinished,
) -> Result<RemovedUnfinished, Failure> {
    log(context)?;
    let older_than = Duration::from_millis(request.older_than);
    let (files, bytes) = context.app.larder.store().remove_unfinished(older_than)?;
    Ok(RemovedUnfinished { files, bytes })
}

fn log(context: &Context) -> Result<(), Failure> {
    Handle::current().block_on(context.log(Action::Maintain, &Resource::Larder))
}

fn digests(digests: &[WireDigest]) -> Vec<Digest> {
    digests.iter().map(|digest| digest.0).collect()
}
