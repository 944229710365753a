//! Large bytes on their way, outside of memory.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use bytes::Bytes;

use super::map;

/// A private file without a name, which is gone with its last user.
///
/// For stores that keep blobs elsewhere: what is too large for memory is written to it, and mapped.
///
/// ```
/// use std::io::Write;
/// use larder_store::files::Scratch;
///
/// let mut scratch = Scratch::create(&std::env::temp_dir())?;
/// scratch.write_all(b"large")?;
/// assert_eq!(scratch.into_bytes()?, "large");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Scratch {
    /// The only handle there is, so that nobody else can change what is mapped.
    file: File,
}

impl Scratch {
    /// Creates one on the file system of `folder`.
    ///
    /// # Errors
    /// Whatever the system says.
    pub fn create(folder: &Path) -> io::Result<Self> {
        Ok(Self { file: tempfile::tempfile_in(folder)? })
    }

    /// All that was written, mapped.
    ///
    /// # Errors
    /// Whatever the system says.
    pub fn into_bytes(self) -> io::Result<Bytes> {
        map::map(&self.file)
    }
}

impl Write for Scratch {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.file.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
