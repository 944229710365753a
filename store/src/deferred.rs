//! A store that is made when it is first written to.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::digest::Digest;
use crate::error::Result;
use crate::{Blob, BlobWriter, Capabilities, Change, Committed, Record, RecordKey, Store};

type Open = Box<dyn Fn() -> Result<Arc<dyn Store>> + Send + Sync>;

/// A store where there is none yet: empty until it is written to, which makes it.
///
/// So work that turns out to be impossible leaves nothing behind.
pub struct Deferred {
    url: String,
    open: Open,
    opened: Mutex<Option<Arc<dyn Store>>>,
}

impl Deferred {
    /// Creates one that `open` makes; `url` is its URL, without secrets.
    pub fn new(url: String, open: Open) -> Self {
        Self { url, open, opened: Mutex::default() }
    }

    fn opened(&self) -> Option<Arc<dyn Store>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn make(&self) -> Result<Arc<dyn Store>> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        match &*opened {
            Some(store) => Ok(Arc::clone(store)),
            None => Ok(Arc::clone(opened.insert((self.open)()?))),
        }
    }
}

impl fmt::Debug for Deferred {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Deferred").field(&self.url).finish()
    }
}

#[deny(clippy::missing_trait_methods)]
impl Store for Deferred {
    fn url(&self) -> String {
        self.opened().map_or_else(|| self.url.clone(), |store| store.url())
    }

    fn capabilities(&self) -> Capabilities {
        // Right for any store: a commit may depend on more than it needs to.
        let unknown = Capabilities {
            atomic_commit: false,
            isolated_commit: true,
            inline_blob: 64 * 1024,
            is_remote: false,
        };
        self.opened().map_or(unknown, |store| store.capabilities())
    }

    fn write_blob(&self) -> Result<Box<dyn BlobWriter>> {
        self.make()?.write_blob()
    }

    fn read_blobs(&self, digests: &[Digest]) -> Result<Vec<Option<Blob>>> {
        self.opened().map_or_else(|| Ok(vec![None; digests.len()]), |it| it.read_blobs(digests))
    }

    fn stat_blobs(&self, digests: &[Digest]) -> Result<Vec<Option<u64>>> {
        self.opened().map_or_else(|| Ok(vec![None; digests.len()]), |it| it.stat_blobs(digests))
    }

    fn list_blobs(&self, after: Option<&Digest>, limit: usize) -> Result<Vec<(Digest, u64)>> {
        self.opened().map_or_else(|| Ok(Vec::new()), |store| store.list_blobs(after, limit))
    }

    fn remove_blobs(&self, digests: &[Digest]) -> Result<()> {
        self.opened().map_or(Ok(()), |store| store.remove_blobs(digests))
    }

    fn remove_unfinished(&self, older_than: Duration) -> Result<(u64, u64)> {
        self.opened().map_or(Ok((0, 0)), |store| store.remove_unfinished(older_than))
    }

    fn get_records(&self, keys: &[RecordKey]) -> Result<Vec<Option<Record>>> {
        self.opened().map_or_else(|| Ok(vec![None; keys.len()]), |store| store.get_records(keys))
    }

    fn list_records(
        &self,
        prefix: &str,
        after: Option<&RecordKey>,
        limit: usize,
    ) -> Result<Vec<(RecordKey, Record)>> {
        self.opened()
            .map_or_else(|| Ok(Vec::new()), |store| store.list_records(prefix, after, limit))
    }

    fn commit(&self, changes: &[Change]) -> Result<Committed> {
        match changes {
            [] => Ok(Committed::All),
            _ => self.make()?.commit(changes),
        }
    }
}
