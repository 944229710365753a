//! Blobs on their way in and out of a store.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use crate::digest::Digest;
use crate::error::{Error, Result};

/// Number of bytes in a piece of a blob that is read piece by piece.
const PIECE: usize = 1 << 20;

/// A blob being written.
///
/// Its content is what was written, in the order of the calls to [`Write::write`] and [`write_bytes`](Self::write_bytes).
/// Dropping the writer abandons the blob and leaves nothing behind.
pub trait BlobWriter: Write + Send {
    /// Appends `bytes`.
    ///
    /// A writer that needs the whole content before it can send any of it, as for a bucket, keeps `bytes` without a
    /// copy: bytes mapped from a file are then sent from that file. A writer without such a need calls
    /// `self.write_all(&bytes)`.
    ///
    /// # Errors
    /// Errors of the disk or network.
    fn write_bytes(&mut self, bytes: Bytes) -> io::Result<()>;

    /// Stores the content as the blob `digest`, durably.
    ///
    /// The caller has computed `digest` over exactly the bytes written. If the blob exists already, the new bytes
    /// are dropped and the old ones stay.
    ///
    /// # Errors
    /// [`Error::Store`].
    fn finish(self: Box<Self>, digest: &Digest) -> Result<()>;
}

/// A blob found in a store: bytes in memory, a file on this machine, or something to be fetched.
///
/// Its content may be read more than once. It is not compared with its digest; that is up to the caller. Reading a blob
/// that was removed after it was found returns the old content, or [`Error::Corrupt`] with
/// [`Corruption::Missing`](crate::Corruption::Missing).
#[derive(Clone)]
pub struct Blob(Content);

#[derive(Clone)]
enum Content {
    Bytes(Bytes),
    File { path: Arc<Path>, bytes: Bytes },
    Source(Arc<dyn BlobSource>),
}

/// Reads a blob from where it is kept, for stores that should not hold a large blob in memory.
pub trait BlobSource: Send + Sync {
    /// Returns the whole content, in a map of a file if it is large.
    ///
    /// # Errors
    /// [`Error::Store`]; [`Error::Corrupt`] if the blob was removed meanwhile.
    fn bytes(&self) -> Result<Bytes>;

    /// Passes the content to `take`, piece by piece and in order, with a few pieces in memory and no temporary file.
    ///
    /// # Errors
    /// Those of [`bytes`](Self::bytes), and the first error of `take`, which ends the reading.
    fn for_each_piece(&self, take: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()>;
}

impl Blob {
    /// Creates a blob from the file at `path`, which holds the content and nothing else, and a map of it.
    pub fn from_file(path: PathBuf, bytes: Bytes) -> Self {
        Self(Content::File { path: path.into(), bytes })
    }

    /// Creates a blob that is fetched when it is read.
    pub fn from_source(source: impl BlobSource + 'static) -> Self {
        Self(Content::Source(Arc::new(source)))
    }

    /// Returns the content. A large blob is mapped or shared, not copied.
    ///
    /// # Errors
    /// [`Error::Store`]; [`Error::Corrupt`] if the blob was removed meanwhile.
    pub fn bytes(&self) -> Result<Bytes> {
        match &self.0 {
            Content::Bytes(bytes) | Content::File { bytes, .. } => Ok(bytes.clone()),
            Content::Source(source) => source.bytes(),
        }
    }

    /// Returns the file that holds the content and nothing else, if there is one on this machine.
    ///
    /// The file is read-only, and may be removed at any time.
    pub fn path(&self) -> Option<&Path> {
        match &self.0 {
            Content::File { path, .. } => Some(path),
            _ => None,
        }
    }

    /// Passes the content to `take`, piece by piece and in order.
    ///
    /// Memory stays small whatever the size of the blob, and no temporary file is written. The content is complete
    /// only once this returns `Ok`.
    ///
    /// # Errors
    /// Those of [`bytes`](Self::bytes), and the first error of `take`, which ends the reading.
    pub fn for_each_piece(&self, mut take: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        match &self.0 {
            Content::Bytes(bytes) => bytes.chunks(PIECE).try_for_each(take),
            // Read rather than mapped, so that the pages do not count as memory of this process.
            Content::File { path, bytes } => match File::open(path) {
                Ok(file) => read_pieces(file, path, take),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    bytes.chunks(PIECE).try_for_each(take)
                }
                Err(error) => Err(read_error(path, error)),
            },
            Content::Source(source) => source.for_each_piece(&mut take),
        }
    }
}

impl From<Bytes> for Blob {
    fn from(bytes: Bytes) -> Self {
        Self(Content::Bytes(bytes))
    }
}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Content::Bytes(bytes) => write!(f, "Blob({} bytes)", bytes.len()),
            Content::File { path, .. } => write!(f, "Blob({})", path.display()),
            Content::Source(_) => f.write_str("Blob(…)"),
        }
    }
}

fn read_pieces(
    mut file: File,
    path: &Path,
    mut take: impl FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let mut piece = vec![0; PIECE];
    loop {
        match file.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(read) => take(&piece[..read])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(read_error(path, error)),
        }
    }
}

fn read_error(path: &Path, error: io::Error) -> Error {
    Error::store(format!("read {}", path.display()), error)
}
