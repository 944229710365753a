//! Private temporary files, for content too large for memory.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use bytes::Bytes;

use super::map;

/// A temporary file without a name, which disappears with its last user.
///
/// ```
/// use std::io::Write;
/// use larder_store::files::UnnamedFile;
///
/// let mut file = UnnamedFile::create(&std::env::temp_dir())?;
/// file.write_all(b"large")?;
/// assert_eq!(file.into_bytes()?, "large");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct UnnamedFile {
    /// The only handle, so that nobody else can change mapped bytes.
    file: File,
}

impl UnnamedFile {
    /// Creates a file on the file system of `folder`.
    ///
    /// # Errors
    /// Errors of the system.
    pub fn create(folder: &Path) -> io::Result<Self> {
        Ok(Self { file: tempfile::tempfile_in(folder)? })
    }

    /// Maps everything written.
    ///
    /// # Errors
    /// Errors of the system.
    pub fn into_bytes(self) -> io::Result<Bytes> {
        map::map(&self.file)
    }
}

impl Write for UnnamedFile {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.file.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
