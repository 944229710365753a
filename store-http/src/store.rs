//! The store.

use std::sync::Arc;
use std::time::Duration;

use larder_store::runtime::wait;
use larder_store::{
    Blob, BlobWriter, Capabilities, Change, Committed, Digest, Error, Record, RecordKey, Result,
    Store, StoreUrl,
};

use crate::config::{self, ServerLocation};
use crate::connection::Connection;
use crate::protocol::{FORMAT, MAX_INLINE};
use crate::writer::HttpWriter;

/// A larder that a server of Larder serves.
#[derive(Debug, Clone)]
pub struct HttpStore {
    server: Arc<Connection>,
    capabilities: Capabilities,
}

impl HttpStore {
    /// Opens the larder at a URL such as `https://larder.example.com/team`.
    ///
    /// # Errors
    /// [`Error::InvalidName`] for an invalid URL; [`Error::Denied`] without a valid token; [`Error::Refused`] for a server that
    /// redirects; [`Error::NewerFormat`], [`Error::Store`].
    pub fn open(url: &StoreUrl) -> Result<Self> {
        Self::connect(config::read(url)?)
    }

    /// Opens the larder at a URL with this token, whatever the environment and the configuration say.
    ///
    /// # Errors
    /// Those of [`open`](HttpStore::open).
    pub fn with_token(url: &StoreUrl, token: &str) -> Result<Self> {
        Self::connect(ServerLocation { token: Some(token.to_owned()), ..config::read(url)? })
    }

    fn connect(place: ServerLocation) -> Result<Self> {
        let server = Arc::new(Connection::new(place)?);
        let asked = server.clone();
        let info = wait(async move { asked.info().await })?;
        if info.larder_store > FORMAT {
            let what = format!("the larder at {}", server.url());
            return Err(Error::NewerFormat { what, found: info.larder_store, known: FORMAT });
        }
        let inline_blob = usize::try_from(info.inline_blob).unwrap_or(MAX_INLINE);
        let capabilities = Capabilities {
            atomic_commit: info.atomic_commit,
            isolated_commit: info.isolated_commit,
            inline_blob: inline_blob.min(MAX_INLINE),
            is_remote: true,
        };
        Ok(Self { server, capabilities })
    }
}

impl Store for HttpStore {
    fn url(&self) -> String {
        self.server.url().to_owned()
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    fn write_blob(&self) -> Result<Box<dyn BlobWriter>> {
        Ok(Box::new(HttpWriter::new(self.server.clone())))
    }

    fn read_blobs(&self, digests: &[Digest]) -> Result<Vec<Option<Blob>>> {
        let (server, digests) = (self.server.clone(), digests.to_vec());
        wait(async move { server.read_blobs(digests).await })
    }

    fn stat_blobs(&self, digests: &[Digest]) -> Result<Vec<Option<u64>>> {
        let (server, digests) = (self.server.clone(), digests.to_vec());
        wait(async move { server.stat_blobs(&digests).await })
    }

    fn list_blobs(&self, after: Option<&Digest>, limit: usize) -> Result<Vec<(Digest, u64)>> {
        let (server, after) = (self.server.clone(), after.copied());
        wait(async move { server.list_blobs(after, limit).await })
    }

    fn remove_blobs(&self, digests: &[Digest]) -> Result<()> {
        let (server, digests) = (self.server.clone(), digests.to_vec());
        wait(async move { server.remove_blobs(&digests).await })
    }

    fn remove_unfinished(&self, older_than: Duration) -> Result<(u64, u64)> {
        let server = self.server.clone();
        wait(async move { server.remove_unfinished(older_than).await })
    }

    fn get_records(&self, keys: &[RecordKey]) -> Result<Vec<Option<Record>>> {
        let (server, keys) = (self.server.clone(), keys.to_vec());
        wait(async move { server.get_records(&keys).await })
    }

    fn list_records(
        &self,
        prefix: &str,
        after: Option<&RecordKey>,
        limit: usize,
    ) -> Result<Vec<(RecordKey, Record)>> {
        let (server, prefix, after) = (self.server.clone(), prefix.to_owned(), after.cloned());
        wait(async move { server.list_records(prefix, after, limit).await })
    }

    fn commit(&self, changes: &[Change]) -> Result<Committed> {
        if changes.is_empty() {
            return Ok(Committed::All);
        }
        let (server, changes) = (self.server.clone(), changes.to_vec());
        let is_atomic = self.capabilities.atomic_commit;
        wait(async move { server.commit(changes, is_atomic).await })
    }
}
