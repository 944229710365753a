//! Writes blobs to a server.

use std::env;
use std::io::{self, Write};
use std::sync::Arc;

use bytes::Bytes;
use larder_store::files::{SpooledFile, spool_error};
use larder_store::runtime::wait;
use larder_store::{BlobWriter, Digest, Result};

use crate::connection::Connection;

/// A blob being written.
///
/// The server is told the digest before the first byte, so all bytes are collected before they are sent. An existing
/// blob is then not sent again, and a dropped writer has sent nothing.
pub(crate) struct HttpWriter {
    server: Arc<Connection>,
    content: SpooledFile,
}

impl HttpWriter {
    pub(crate) fn new(server: Arc<Connection>) -> Self {
        Self { server, content: SpooledFile::new(&env::temp_dir()) }
    }
}

impl Write for HttpWriter {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.content.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl BlobWriter for HttpWriter {
    fn write_bytes(&mut self, bytes: Bytes) -> io::Result<()> {
        self.content.write_bytes(bytes)
    }

    fn finish(self: Box<Self>, digest: &Digest) -> Result<()> {
        let (digest, server) = (*digest, self.server);
        let bytes = self.content.into_bytes().map_err(spool_error)?;
        wait(async move { server.put_blob(digest, bytes).await })
    }
}
