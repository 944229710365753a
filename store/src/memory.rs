//! A store in memory, for tests and experiments.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use bytes::Bytes;

use crate::digest::Digest;
use crate::error::Result;
use crate::{
    Blob, BlobWriter, Capabilities, Change, Committed, Record, RecordKey, Revision, Store,
};

/// A store in memory, at `memory:`. It is gone with its last clone.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    content: Arc<RwLock<Content>>,
}

#[derive(Debug, Default)]
struct Content {
    blobs: BTreeMap<Digest, Bytes>,
    records: BTreeMap<RecordKey, Record>,
    /// Counts changes of records; the count is the next revision.
    changes: u64,
}

impl MemoryStore {
    /// Creates an empty store.
    pub fn new() -> Self {
        Self::default()
    }

    // No code that can panic runs under the lock.
    fn read(&self) -> RwLockReadGuard<'_, Content> {
        self.content.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Content> {
        self.content.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Content {
    fn revision(&self, key: &RecordKey) -> Option<&Revision> {
        self.records.get(key).map(|record| &record.revision)
    }

    fn apply(&mut self, change: Change) {
        match change {
            Change::PutBlob { digest, bytes } => {
                self.blobs.entry(digest).or_insert(bytes);
            }
            Change::PutRecord { key, value, .. } => {
                self.changes += 1;
                let revision = Revision::new(self.changes.to_string());
                self.records.insert(key, Record { revision, value });
            }
            Change::RemoveRecord { key, .. } => {
                self.records.remove(&key);
            }
        }
    }
}

impl Store for MemoryStore {
    fn url(&self) -> String {
        "memory:".into()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            atomic_commit: true,
            isolated_commit: true,
            inline_blob: 64 * 1024,
            is_remote: false,
        }
    }

    fn write_blob(&self) -> Result<Box<dyn BlobWriter>> {
        Ok(Box::new(MemoryWriter { store: self.clone(), whole: None, bytes: Vec::new() }))
    }

    fn read_blobs(&self, digests: &[Digest]) -> Result<Vec<Option<Blob>>> {
        let content = self.read();
        let blob = |digest| content.blobs.get(digest).cloned().map(Blob::from);
        Ok(digests.iter().map(blob).collect())
    }

    fn stat_blobs(&self, digests: &[Digest]) -> Result<Vec<Option<u64>>> {
        let content = self.read();
        let size = |digest| content.blobs.get(digest).map(|bytes| bytes.len() as u64);
        Ok(digests.iter().map(size).collect())
    }

    fn list_blobs(&self, after: Option<&Digest>, limit: usize) -> Result<Vec<(Digest, u64)>> {
        let content = self.read();
        let blobs = content
            .blobs
            .range((after.map_or(Bound::Unbounded, |d| Bound::Excluded(*d)), Bound::Unbounded));
        Ok(blobs.take(limit).map(|(digest, bytes)| (*digest, bytes.len() as u64)).collect())
    }

    fn remove_blobs(&self, digests: &[Digest]) -> Result<()> {
        let mut content = self.write();
        for digest in digests {
            content.blobs.remove(digest);
        }
        Ok(())
    }

    fn remove_unfinished(&self, _: Duration) -> Result<(u64, u64)> {
        Ok((0, 0))
    }

    fn get_records(&self, keys: &[RecordKey]) -> Result<Vec<Option<Record>>> {
        let content = self.read();
        Ok(keys.iter().map(|key| content.records.get(key).cloned()).collect())
    }

    fn list_records(
        &self,
        prefix: &str,
        after: Option<&RecordKey>,
        limit: usize,
    ) -> Result<Vec<(RecordKey, Record)>> {
        let content = self.read();
        let from = match after {
            Some(after) if after.as_str() >= prefix => Bound::Excluded(after.as_str()),
            _ => Bound::Included(prefix),
        };
        let records = content.records.range::<str, _>((from, Bound::Unbounded));
        let wanted = records.take_while(|(key, _)| key.as_str().starts_with(prefix));
        Ok(wanted.take(limit).map(|(key, record)| (key.clone(), record.clone())).collect())
    }

    fn commit(&self, changes: &[Change]) -> Result<Committed> {
        let mut content = self.write();
        for (at, change) in changes.iter().enumerate() {
            if let Change::PutRecord { key, expected, .. } | Change::RemoveRecord { key, expected } =
                change
                && !expected.is_met_by(content.revision(key))
            {
                return Ok(Committed::Conflict { at, made: 0 });
            }
        }
        for change in changes {
            content.apply(change.clone());
        }
        Ok(Committed::All)
    }
}

struct MemoryWriter {
    store: MemoryStore,
    /// The content, if all of it was passed as one `Bytes`.
    whole: Option<Bytes>,
    bytes: Vec<u8>,
}

impl Write for MemoryWriter {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if let Some(whole) = self.whole.take() {
            self.bytes = whole.into();
        }
        self.bytes.extend_from_slice(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl BlobWriter for MemoryWriter {
    fn write_bytes(&mut self, bytes: Bytes) -> io::Result<()> {
        if self.whole.is_none() && self.bytes.is_empty() {
            self.whole = Some(bytes);
            return Ok(());
        }
        self.write_all(&bytes)
    }

    fn finish(self: Box<Self>, digest: &Digest) -> Result<()> {
        let Self { store, whole, bytes } = *self;
        let bytes = whole.unwrap_or_else(|| bytes.into());
        store.write().blobs.entry(*digest).or_insert(bytes);
        Ok(())
    }
}
