//! Blobs that are being written.

use std::io::{self, Write};

use larder_core::store::BlobWriter;
use larder_core::store::Digest;
use larder_core::store::files::Spool;
use larder_core::{Error, Result};

use crate::bucket::Bucket;
use larder_core::store::runtime::wait;

/// A blob on its way into a bucket.
///
/// An object needs its name before its first byte is sent, and the name is the digest of the last one too. So
/// the bytes wait here. What is there already is not sent then, and a writer that is dropped has sent nothing.
pub(crate) struct BucketWriter {
    bucket: Bucket,
    bytes: Spool,
}

impl BucketWriter {
    pub(crate) fn new(bucket: Bucket) -> Self {
        Self { bucket, bytes: Spool::new(&std::env::temp_dir()) }
    }
}

impl Write for BucketWriter {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.bytes.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl BlobWriter for BucketWriter {
    fn finish(self: Box<Self>, digest: &Digest) -> Result<()> {
        let (digest, bucket) = (*digest, self.bucket.clone());
        let bytes = self.bytes.into_bytes().map_err(|error| {
            let folder = std::env::temp_dir();
            Error::store(format!("put a blob into a file in {}", folder.display()), error)
        })?;
        wait(async move { bucket.keep(digest, bytes).await })
    }
}
