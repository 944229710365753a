//! Bytes that wait until all of them are there.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::Scratch;

/// How many bytes are held in memory.
const IN_MEMORY: usize = 1 << 20;

/// Takes any number of bytes, holds a few of them in memory, and many in a [`Scratch`] file.
///
/// For stores that need a blob's digest before they can send its first byte.
///
/// ```
/// use std::io::Write;
/// use larder_store::files::Spool;
///
/// let mut spool = Spool::new(&std::env::temp_dir());
/// spool.write_all(b"some bytes")?;
/// assert_eq!(spool.into_bytes()?, "some bytes");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Spool {
    folder: PathBuf,
    memory: Vec<u8>,
    file: Option<Scratch>,
}

impl Spool {
    /// An empty one, whose file, should it need one, is on the file system of `folder`.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), memory: Vec::new(), file: None }
    }

    /// All that was written, mapped if it is in the file.
    ///
    /// # Errors
    /// Whatever the system says.
    pub fn into_bytes(self) -> io::Result<Bytes> {
        match self.file {
            Some(mut file) => {
                file.write_all(&self.memory)?;
                file.into_bytes()
            }
            None => Ok(self.memory.into()),
        }
    }
}

impl Write for Spool {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if self.memory.len() + buf.len() > IN_MEMORY {
            let file = match &mut self.file {
                Some(file) => file,
                none => none.insert(Scratch::create(&self.folder)?),
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
