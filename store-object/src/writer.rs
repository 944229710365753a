//! Blobs that are being written.

use std::io::{self, Write};

use bytes::Bytes;
use larder_core::files::Scratch;
use larder_core::store::BlobWriter;
use larder_core::{Digest, Error, Result};

use crate::bucket::Bucket;
use crate::runtime::wait;

/// How many bytes of a blob are held in memory.
const IN_MEMORY: usize = 1 << 20;

/// A blob on its way into a bucket.
///
/// An object needs its name before its first byte is sent, and the name is the digest of the last one too. So
/// the bytes wait here, the first of them in memory, all of many in a private file. What is there already is
/// not sent then, and a writer that is dropped has sent nothing.
pub(crate) struct BucketWriter {
    bucket: Bucket,
    memory: Vec<u8>,
    file: Option<Scratch>,
}

impl BucketWriter {
    pub(crate) fn new(bucket: Bucket) -> Self {
        Self { bucket, memory: Vec::new(), file: None }
    }

    fn into_bytes(self) -> io::Result<Bytes> {
        match self.file {
            Some(mut file) => {
                file.write_all(&self.memory)?;
                file.into_bytes()
            }
            None => Ok(self.memory.into()),
        }
    }
}

impl Write for BucketWriter {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if self.memory.len() + buf.len() > IN_MEMORY {
            let file = match &mut self.file {
                Some(file) => file,
                none => none.insert(Scratch::create(&std::env::temp_dir())?),
            };
            file.write_all(&self.memory)?;
            self.memory.clear();
            if buf.len() > IN_MEMORY {
                return file.write(buf);
            }
        }
        self.memory.extend_from_slice(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl BlobWriter for BucketWriter {
    fn finish(self: Box<Self>, digest: &Digest) -> Result<()> {
        let (digest, bucket) = (*digest, self.bucket.clone());
        let bytes = self.into_bytes().map_err(|error| {
            let folder = std::env::temp_dir();
            Error::store(format!("put a blob into a file in {}", folder.display()), error)
        })?;
        wait(async move { bucket.keep(digest, bytes).await })
    }
}
