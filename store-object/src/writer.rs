//! Writes blobs to a bucket.

use std::env;
use std::io::{self, Write};

use bytes::Bytes;
use larder_store::BlobWriter;
use larder_store::files::{SpooledFile, spool_error};
use larder_store::runtime::wait;
use larder_store::{Digest, Result};

use crate::bucket::Bucket;

/// A blob being written.
///
/// The name of the object is the digest of its content, so all bytes are collected before the first one is sent.
/// An existing blob is then not sent again, and a dropped writer has sent nothing.
pub(crate) struct BucketWriter {
    bucket: Bucket,
    content: SpooledFile,
}

impl BucketWriter {
    pub(crate) fn new(bucket: Bucket) -> Self {
        Self { bucket, content: SpooledFile::new(&env::temp_dir()) }
    }
}

impl Write for BucketWriter {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.content.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl BlobWriter for BucketWriter {
    fn write_bytes(&mut self, bytes: Bytes) -> io::Result<()> {
        self.content.write_bytes(bytes)
    }

    fn finish(self: Box<Self>, digest: &Digest) -> Result<()> {
        let (digest, bucket) = (*digest, self.bucket);
        let bytes = self.content.into_bytes().map_err(spool_error)?;
        wait(async move { bucket.put_blob(digest, bytes).await })
    }
}
