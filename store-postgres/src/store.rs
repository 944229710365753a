//! The store.

use std::sync::Arc;
use std::time::Duration;

use larder_store::runtime::wait;
use larder_store::{Blob, BlobWriter, Capabilities, Change, Committed, Record, RecordKey, Store};
use larder_store::{Digest, Result, StoreUrl};

use crate::blobs::INLINE;
use crate::config;
use crate::pool::Pool;
use crate::writer::RowWriter;

/// A store in a schema of a Postgres database.
#[derive(Debug, Clone)]
pub struct PostgresStore {
    pool: Arc<Pool>,
}

impl PostgresStore {
    /// Opens the larder at a URL such as `postgres://ann@db.example.com/models`. Creates it if the schema is missing or
    /// empty.
    ///
    /// # Errors
    /// [`Error::InvalidName`](larder_store::Error::InvalidName) for an invalid URL;
    /// [`Error::Refused`](larder_store::Error::Refused) for a schema with other tables and for a database whose
    /// encoding is not UTF-8; [`Error::NewerFormat`](larder_store::Error::NewerFormat),
    /// [`Error::Corrupt`](larder_store::Error::Corrupt), [`Error::Store`](larder_store::Error::Store).
    pub fn open(url: &StoreUrl) -> Result<Self> {
        let place = config::read(url)?;
        let pool = wait(async move { Pool::open(place).await })?;
        Ok(Self { pool: Arc::new(pool) })
    }

    /// Returns whether there is a larder, or anything else, at a URL.
    ///
    /// # Errors
    /// Those of [`open`](PostgresStore::open).
    pub fn is_there(url: &StoreUrl) -> Result<bool> {
        let place = config::read(url)?;
        wait(async move { Pool::new(place).is_there().await })
    }
}

impl Store for PostgresStore {
    fn url(&self) -> String {
        self.pool.url().to_owned()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            atomic_commit: true,
            isolated_commit: true,
            inline_blob: INLINE,
            is_remote: true,
        }
    }

    fn write_blob(&self) -> Result<Box<dyn BlobWriter>> {
        Ok(Box::new(RowWriter::new(self.pool.clone())))
    }

    fn read_blobs(&self, digests: &[Digest]) -> Result<Vec<Option<Blob>>> {
        let (pool, digests) = (self.pool.clone(), digests.to_vec());
        wait(async move { pool.read_blobs(&digests).await })
    }

    fn stat_blobs(&self, digests: &[Digest]) -> Result<Vec<Option<u64>>> {
        let (pool, digests) = (self.pool.clone(), digests.to_vec());
        wait(async move { pool.stat_blobs(&digests).await })
    }

    fn list_blobs(&self, after: Option<&Digest>, limit: usize) -> Result<Vec<(Digest, u64)>> {
        let (pool, after) = (self.pool.clone(), after.copied());
        wait(async move { pool.list_blobs(after.as_ref(), limit).await })
    }

    fn remove_blobs(&self, digests: &[Digest]) -> Result<()> {
        let (pool, digests) = (self.pool.clone(), digests.to_vec());
        wait(async move { pool.remove_blobs(&digests).await })
    }

    fn remove_unfinished(&self, _: Duration) -> Result<(u64, u64)> {
        // An unfinished transaction leaves nothing behind.
        Ok((0, 0))
    }

    fn get_records(&self, keys: &[RecordKey]) -> Result<Vec<Option<Record>>> {
        let (pool, keys) = (self.pool.clone(), keys.to_vec());
        wait(async move { pool.get_records(&keys).await })
    }

    fn list_records(
        &self,
        prefix: &str,
        after: Option<&RecordKey>,
        limit: usize,
    ) -> Result<Vec<(RecordKey, Record)>> {
        let (pool, prefix, after) = (self.pool.clone(), prefix.to_owned(), after.cloned());
        wait(async move { pool.list_records(&prefix, after.as_ref(), limit).await })
    }

    fn commit(&self, changes: &[Change]) -> Result<Committed> {
        let (pool, changes) = (self.pool.clone(), changes.to_vec());
        wait(async move { pool.commit(&changes).await })
    }
}
