//! The content of a file.

use std::fs::{self, File, Metadata};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use bytes::Bytes;
use larder_core::{BoxError, Error, Result, Serializer};

/// Maximum bytes of a copy buffer.
const BUFFER: usize = 256 << 10;

/// The content of a file.
///
/// Before apply it is a path, streamed when the tree is applied; after load it is bytes, memory-mapped if the store
/// supports it.
#[derive(Debug, Clone)]
pub struct FileContent(Source);

#[derive(Debug, Clone)]
enum Source {
    Path(PathBuf, Stamp),
    Bytes(Bytes),
}

impl FileContent {
    /// Creates the content of the file at `path` with metadata `meta`.
    pub(super) fn at(path: PathBuf, meta: &Metadata) -> Self {
        Self(Source::Path(path, Stamp::of(meta)))
    }

    /// Creates content from bytes.
    pub fn of(bytes: impl Into<Bytes>) -> Self {
        Self(Source::Bytes(bytes.into()))
    }

    /// Returns the number of bytes.
    #[allow(clippy::len_without_is_empty, reason = "a size, not a collection")]
    pub fn len(&self) -> u64 {
        match &self.0 {
            Source::Path(_, stamp) => stamp.size,
            Source::Bytes(bytes) => bytes.len() as u64,
        }
    }

    /// Returns the bytes; reads a file that is not applied yet into memory.
    ///
    /// # Errors
    /// [`Error::Refused`] if the file has changed since it was listed; [`Error::Store`].
    pub fn bytes(&self) -> Result<Bytes> {
        if let Source::Bytes(bytes) = &self.0 {
            return Ok(bytes.clone());
        }
        let mut bytes = Vec::new();
        self.copy_to(&mut bytes)?;
        Ok(bytes.into())
    }

    /// Streams the bytes to `out`.
    pub(super) fn copy_to(&self, out: &mut dyn Write) -> Result<()> {
        let read = |path: &Path, error| Error::store(format!("copy {}", path.display()), error);
        match &self.0 {
            Source::Bytes(bytes) => {
                out.write_all(bytes).map_err(|error| Error::store("write a file", error))
            }
            Source::Path(path, stamp) => match copy_unchanged(path, stamp, out) {
                Ok(true) => Ok(()),
                Ok(false) => Err(Error::Refused {
                    action: format!("read the file {}", path.display()),
                    reason:
                        "it changed after it was listed, or while it was read; retry when nothing \
                             writes to it"
                            .into(),
                }),
                Err(error) => Err(read(path, error)),
            },
        }
    }
}

/// Copies a file; `false` if it does not match `stamp` before, during or after the copy.
fn copy_unchanged(path: &Path, stamp: &Stamp, out: &mut dyn Write) -> io::Result<bool> {
    // Checked before opening, because opening a pipe blocks.
    if Stamp::of(&fs::symlink_metadata(path)?) != *stamp {
        return Ok(false);
    }
    let mut file = File::open(path)?;
    if Stamp::of(&file.metadata()?) != *stamp {
        return Ok(false);
    }
    let mut buffer = vec![0; BUFFER.min(usize::try_from(stamp.size).unwrap_or(BUFFER) + 1)];
    let mut copied = 0;
    loop {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => {
                copied += read as u64;
                if copied > stamp.size {
                    return Ok(false);
                }
                out.write_all(&buffer[..read])?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(copied == stamp.size && Stamp::of(&file.metadata()?) == *stamp)
}

/// Metadata that detects a changed or replaced file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    is_file: bool,
    size: u64,
    modified: Option<SystemTime>,
    /// The device and inode number, on Unix.
    inode: Option<(u64, u64)>,
}

impl Stamp {
    fn of(meta: &Metadata) -> Self {
        #[cfg(unix)]
        let inode = {
            use std::os::unix::fs::MetadataExt;
            Some((meta.dev(), meta.ino()))
        };
        #[cfg(not(unix))]
        let inode = None;
        let (is_file, size, modified) = (meta.is_file(), meta.len(), meta.modified().ok());
        Self { is_file, size, modified, inode }
    }
}

/// The serializer of files, `file` in manifests. The blob is the file, byte for byte.
#[derive(Debug, Clone, Copy)]
pub struct FileBytes;

impl Serializer<FileContent> for FileBytes {
    const NAME: &'static str = "file";

    fn encode(value: &FileContent, out: &mut dyn Write) -> Result<(), BoxError> {
        Ok(value.copy_to(out)?)
    }

    fn decode(bytes: &Bytes) -> Result<FileContent, BoxError> {
        Ok(FileContent(Source::Bytes(bytes.clone())))
    }
}
