//! Content that is collected before it is sent.

use std::env;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::UnnamedFile;
use crate::error::{Error, Result};

/// Number of bytes held in memory.
const IN_MEMORY: usize = 1 << 20;

/// Collects content in memory while it is small, and in an [`UnnamedFile`] once it is large.
///
/// For stores that need the digest of a blob before they can send its first byte.
///
/// ```
/// use std::io::Write;
/// use larder_store::files::SpooledFile;
///
/// let mut spooled = SpooledFile::new(&std::env::temp_dir());
/// spooled.write_all(b"some bytes")?;
/// assert_eq!(spooled.into_bytes()?, "some bytes");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct SpooledFile {
    folder: PathBuf,
    /// The content, if all of it was passed as one `Bytes`.
    whole: Option<Bytes>,
    memory: Vec<u8>,
    file: Option<UnnamedFile>,
}

impl SpooledFile {
    /// Creates an empty one, whose file, if it needs one, is on the file system of `folder`.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), whole: None, memory: Vec::new(), file: None }
    }

    /// Appends `bytes`. If they turn out to be the whole content, they are neither copied nor written to a file.
    ///
    /// # Errors
    /// Errors of the system.
    pub fn write_bytes(&mut self, bytes: Bytes) -> io::Result<()> {
        if self.whole.is_none() && self.memory.is_empty() && self.file.is_none() {
            self.whole = Some(bytes);
            return Ok(());
        }
        self.write_all(&bytes)
    }

    /// Returns the whole content, mapped if it is in the file.
    ///
    /// # Errors
    /// Errors of the system.
    pub fn into_bytes(self) -> io::Result<Bytes> {
        match (self.whole, self.file) {
            (Some(whole), _) => Ok(whole),
            (None, Some(mut file)) => {
                file.write_all(&self.memory)?;
                file.into_bytes()
            }
            (None, None) => Ok(self.memory.into()),
        }
    }

    fn append(&mut self, buf: &[u8]) -> io::Result<usize> {
        if self.memory.len() + buf.len() > IN_MEMORY {
            let file = match &mut self.file {
                Some(file) => file,
                none => none.insert(UnnamedFile::create(&self.folder)?),
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
}

impl Write for SpooledFile {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if let Some(whole) = self.whole.take() {
            let mut rest = &whole[..];
            while !rest.is_empty() {
                let written = self.append(rest)?;
                rest = &rest[written..];
            }
        }
        self.append(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Collects a blob that arrives in pieces. A large one is written to an [`UnnamedFile`] in the system's temporary
/// folder, and mapped.
///
/// # Errors
/// [`Error::Store`] if the file cannot be written; errors of `read`.
pub fn collect_pieces(
    read: impl FnOnce(&mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()>,
) -> Result<Bytes> {
    let mut spooled = SpooledFile::new(&env::temp_dir());
    read(&mut |piece| spooled.write_all(piece).map_err(spool_error))?;
    spooled.into_bytes().map_err(spool_error)
}

/// Returns the error of a [`SpooledFile`] in the system's temporary folder.
pub fn spool_error(error: io::Error) -> Error {
    let folder = env::temp_dir();
    Error::store(format!("write a blob to a temporary file in {}", folder.display()), error)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_pieces_are_joined_in_order_whatever_their_sizes() {
        let folder = env::temp_dir();
        let (small, large) = (vec![1; 10], vec![2; IN_MEMORY + 1]);
        for (first, second) in [(&small, &large), (&large, &small), (&small, &small)] {
            let bytes = [Bytes::from(first.clone()), Bytes::from(second.clone())];
            let joined = [&first[..], second].concat();
            for at in 0..4 {
                let mut spooled = SpooledFile::new(&folder);
                for (bit, bytes) in bytes.iter().enumerate() {
                    match at >> bit & 1 {
                        0 => spooled.write_all(bytes).unwrap(),
                        _ => spooled.write_bytes(bytes.clone()).unwrap(),
                    }
                }
                assert!(spooled.into_bytes().unwrap() == joined, "case {at}");
            }
        }
    }

    #[test]
    fn bytes_passed_as_a_whole_are_not_copied() {
        let whole = Bytes::from(vec![3; 2 * IN_MEMORY]);
        let mut spooled = SpooledFile::new(Path::new("/nowhere"));
        spooled.write_bytes(whole.clone()).unwrap();
        assert_eq!(spooled.into_bytes().unwrap().as_ptr(), whole.as_ptr());
    }
}
