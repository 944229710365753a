//! Writes blobs to a database.

use std::env;
use std::io::{self, Write};
use std::sync::Arc;

use bytes::Bytes;
use larder_store::BlobWriter;
use larder_store::files::{SpooledFile, spool_error};
use larder_store::runtime::wait;
use larder_store::{Digest, Result};

use crate::pool::Pool;

/// A blob being written.
///
/// All bytes are collected until their digest is known, so that no transaction stays open while the caller writes.
pub(crate) struct RowWriter {
    pool: Arc<Pool>,
    content: SpooledFile,
}

impl RowWriter {
    pub(crate) fn new(pool: Arc<Pool>) -> Self {
        Self { pool, content: SpooledFile::new(&env::temp_dir()) }
    }
}

impl Write for RowWriter {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.content.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl BlobWriter for RowWriter {
    fn write_bytes(&mut self, bytes: Bytes) -> io::Result<()> {
        self.content.write_bytes(bytes)
    }

    fn finish(self: Box<Self>, digest: &Digest) -> Result<()> {
        let (digest, pool) = (*digest, self.pool);
        let bytes = self.content.into_bytes().map_err(spool_error)?;
        wait(async move { pool.put_blob(&digest, &bytes).await })
    }
}
