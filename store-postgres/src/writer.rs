//! Blobs that are being written.

use std::io::{self, Write};
use std::sync::Arc;

use larder_core::store::BlobWriter;
use larder_core::store::Digest;
use larder_core::store::files::Spool;
use larder_core::{Error, Result};

use crate::pool::Pool;
use larder_core::store::runtime::wait;

/// A blob on its way into a database.
///
/// The bytes wait here until their digest is known, so that no transaction is open for as long as a writer takes.
pub(crate) struct RowWriter {
    pool: Arc<Pool>,
    bytes: Spool,
}

impl RowWriter {
    pub(crate) fn new(pool: Arc<Pool>) -> Self {
        Self { pool, bytes: Spool::new(&std::env::temp_dir()) }
    }
}

impl Write for RowWriter {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.bytes.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl BlobWriter for RowWriter {
    fn finish(self: Box<Self>, digest: &Digest) -> Result<()> {
        let (digest, pool) = (*digest, self.pool);
        let bytes = self.bytes.into_bytes().map_err(|error| {
            let folder = std::env::temp_dir();
            Error::store(format!("put a blob into a file in {}", folder.display()), error)
        })?;
        wait(async move { pool.keep(&digest, &bytes).await })
    }
}
