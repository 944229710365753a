//! The bytes of one file, on their way in and out.

use std::fs::{self, File, Metadata};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use bytes::Bytes;

use larder_core::Serializer;
use larder_core::{BoxError, Error, Result};

/// How many bytes are copied at a time.
const STEP: usize = 256 << 10;

/// The content of one file.
///
/// On the way in it is a path, read piece by piece when the tree is applied; on the way out it is the bytes,
/// mapped if the store maps.
#[derive(Debug, Clone)]
pub struct FileContent(Source);

#[derive(Debug, Clone)]
enum Source {
    At(PathBuf, Stamp),
    Bytes(Bytes),
}

impl FileContent {
    /// A file that was found with `meta`.
    pub(super) fn at(path: PathBuf, meta: &Metadata) -> Self {
        Self(Source::At(path, Stamp::of(meta)))
    }

    /// The content that these bytes are.
    pub fn of(bytes: impl Into<Bytes>) -> Self {
        Self(Source::Bytes(bytes.into()))
    }

    /// The number of bytes.
    #[allow(clippy::len_without_is_empty, reason = "a size, not a collection")]
    pub fn len(&self) -> u64 {
        match &self.0 {
            Source::At(_, stamp) => stamp.size,
            Source::Bytes(bytes) => bytes.len() as u64,
        }
    }

    /// The bytes; a file that is not applied yet is read into memory.
    ///
    /// # Errors
    /// [`Error::Refused`] if the file is no longer the one that was found, [`Error::Store`].
    pub fn bytes(&self) -> Result<Bytes> {
        if let Source::Bytes(bytes) = &self.0 {
            return Ok(bytes.clone());
        }
        let mut bytes = Vec::new();
        self.copy_to(&mut bytes)?;
        Ok(bytes.into())
    }

    /// Writes the bytes to `out`, piece by piece.
    pub(super) fn copy_to(&self, out: &mut dyn Write) -> Result<()> {
        let read = |path: &Path, error| Error::store(format!("copy {}", path.display()), error);
        match &self.0 {
            Source::Bytes(bytes) => {
                out.write_all(bytes).map_err(|error| Error::store("write a file", error))
            }
            Source::At(path, stamp) => match copy_unchanged(path, stamp, out) {
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

/// Copies a file; `false` if it is not the one that was stamped, from before the first byte to after the
/// last.
fn copy_unchanged(path: &Path, stamp: &Stamp, out: &mut dyn Write) -> io::Result<bool> {
    // Looked at before it is opened: opening a pipe would wait for its other end.
    if Stamp::of(&fs::symlink_metadata(path)?) != *stamp {
        return Ok(false);
    }
    let mut file = File::open(path)?;
    if Stamp::of(&file.metadata()?) != *stamp {
        return Ok(false);
    }
    let mut buffer = vec![0; STEP.min(usize::try_from(stamp.size).unwrap_or(STEP) + 1)];
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

/// What tells that a file was changed or exchanged.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    is_file: bool,
    size: u64,
    modified: Option<SystemTime>,
    /// The device and the number of the file, where there are such.
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

/// The serializer of files. The blob is the file, to the byte.
///
/// Named in manifests `file`.
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
