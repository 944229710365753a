//! Fragments that were read, checked and decoded.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow_array::RecordBatch;
use larder_core::store::{Blob, Corruption, Digest};
use larder_core::{Artifact, Error, Result};

use super::file::{ArrowFile, ArrowIpc};

/// Maximum bytes of decoded fragments that are not maps of files.
const MOST_BYTES: u64 = 64 << 20;

/// Decoded fragments by digest, shared by the handles of a collection.
///
/// Each was compared with its digest when it was read. Those that are maps of files stay, because the system can drop
/// their pages; of the others, the oldest go first.
#[derive(Clone, Default)]
pub struct FragmentCache(Arc<Mutex<Cached>>);

#[derive(Default)]
struct Cached {
    batches: HashMap<Digest, RecordBatch>,
    /// Those that take memory, oldest first.
    counted: VecDeque<(Digest, u64)>,
    bytes: u64,
}

impl FragmentCache {
    fn lock(&self) -> MutexGuard<'_, Cached> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the batch of a fragment; `what` names it in errors.
    pub fn batch(
        &self,
        artifact: &Artifact<ArrowFile, ArrowIpc>,
        what: impl Fn() -> String,
    ) -> Result<RecordBatch> {
        let unreadable = |source: larder_core::BoxError| {
            Error::corrupt(what(), Corruption::Unreadable(source.to_string()))
        };
        // What waits for a commit may have a digest already, and no blob yet.
        let Some(stored) = artifact.stored().filter(|_| !artifact.is_decoded()) else {
            return artifact.get()?.batch().map_err(unreadable);
        };
        let digest = stored.entry().digest;
        if let Some(batch) = self.lock().batches.get(&digest) {
            return Ok(batch.clone());
        }
        let named = |error| match error {
            Error::Corrupt { fault, .. } => Error::corrupt(what(), fault),
            other => other,
        };
        let blob = stored.blob()?;
        let is_mapped = blob.as_ref().and_then(Blob::path).is_some();
        let file = ArrowFile::from(stored.bytes_of(blob).map_err(named)?);
        let batch = file.batch().map_err(unreadable)?;
        self.keep(digest, &batch, if is_mapped { 0 } else { file.size() });
        Ok(batch)
    }

    /// Keeps a batch that takes `bytes` of memory.
    pub(crate) fn keep(&self, digest: Digest, batch: &RecordBatch, bytes: u64) {
        let mut cached = self.lock();
        if bytes > MOST_BYTES
            || cached.batches.insert(digest, batch.clone()).is_some()
            || bytes == 0
        {
            return;
        }
        cached.counted.push_back((digest, bytes));
        cached.bytes += bytes;
        while cached.bytes > MOST_BYTES {
            let Some((oldest, bytes)) = cached.counted.pop_front() else { break };
            cached.bytes -= bytes;
            cached.batches.remove(&oldest);
        }
    }
}

impl fmt::Debug for FragmentCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FragmentCache").field("fragments", &self.lock().batches.len()).finish()
    }
}
