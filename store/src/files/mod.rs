//! Blobs as files: written once, durable before they are visible, read by mmap.
//!
//! ```text
//! ROOT/1f/1f2e…   one blob, read-only, named by the 64 digits of its digest
//! ROOT/tmp/…      blobs being written
//! ```
//!
//! A blob is written under a random name in `tmp`, synced, made read-only and renamed; then its folder is synced.
//! `b3sum` of a blob prints its name.

mod describe;
mod map;
mod owner;
mod shards;
mod spooled;
mod unnamed;
mod writer;

use std::fs::{self, File};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tempfile::NamedTempFile;

pub use describe::describe;
pub use owner::follow_group_at;
pub use shards::StagedBlob;
pub use spooled::{SpooledFile, collect_pieces, spool_error};
pub use unnamed::UnnamedFile;
pub use writer::FileWriter;

use crate::blob::Blob;
use crate::digest::Digest;
use crate::error::{Error, Result};

/// Age from which an unlocked file in `tmp` is removed when the folder is opened.
const ABANDONED: Duration = Duration::from_secs(3600);
/// Minimum age of an unlocked file whose writer is considered dead: a living one locks its file at once.
const LOCKED_WITHIN: Duration = Duration::from_secs(10);
/// Size from which a blob is mapped. Below it one `read` is cheaper.
const MAPPED: u64 = 32 * 1024;

/// A folder of blobs.
#[derive(Debug, Clone)]
pub struct BlobFolder {
    root: PathBuf,
    durable: Arc<shards::Durable>,
}

impl BlobFolder {
    /// Opens the folder at `root`, which is created when the first blob is written.
    pub fn open(root: &Path) -> Self {
        let folder = Self { root: root.to_owned(), durable: Arc::default() };
        // Unfinished files do no harm, so a failure is no error.
        let _ = remove_unfinished(&folder.tmp(), ABANDONED);
        folder
    }

    fn tmp(&self) -> PathBuf {
        self.root.join("tmp")
    }

    /// Removes files that dead writers left more than `older_than` ago. Returns the number of files and bytes.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn remove_unfinished(&self, older_than: Duration) -> Result<(u64, u64)> {
        let tmp = self.tmp();
        remove_unfinished(&tmp, older_than).map_err(|error| {
            Error::store(format!("remove unfinished files from {}", tmp.display()), error)
        })
    }

    /// Returns the path of a blob, whether or not it exists. It is built from the digits of the digest only.
    pub fn path(&self, digest: &Digest) -> PathBuf {
        self.folder_of(digest).join(digest.to_hex())
    }

    /// Finds a blob, for [`Store::read_blobs`](crate::Store::read_blobs).
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn read(&self, digest: &Digest) -> Result<Option<Blob>> {
        Ok(self.get(digest)?.map(|bytes| Blob::from_file(self.path(digest), bytes)))
    }

    /// Opens a writer for one blob.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn writer(&self) -> Result<FileWriter> {
        FileWriter::create(self).map_err(|error| {
            Error::store(format!("create a file in {}", self.tmp().display()), error)
        })
    }

    /// Returns the content of a blob, not compared with its digest. Large ones are mapped.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn get(&self, digest: &Digest) -> Result<Option<Bytes>> {
        let read = || {
            let file = File::open(self.path(digest))?;
            if file.metadata()?.len() < MAPPED {
                return fs::read(self.path(digest)).map(Bytes::from);
            }
            map::map(&file)
        };
        absent(read()).map_err(|error| self.failed("read", digest, error))
    }

    /// Returns the size of a blob.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn stat(&self, digest: &Digest) -> Result<Option<u64>> {
        let meta = absent(fs::metadata(self.path(digest)));
        let meta = meta.map_err(|error| self.failed("stat", digest, error))?;
        Ok(meta.map(|meta| meta.len()))
    }

    /// Lists up to `limit` blobs and their sizes, ordered by digest, after `after`.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn list(&self, after: Option<&Digest>, limit: usize) -> Result<Vec<(Digest, u64)>> {
        let mut found = Vec::new();
        let first = after.map_or(0, |digest| digest.as_bytes()[0]);
        for byte in first..=u8::MAX {
            if found.len() >= limit {
                break;
            }
            let folder = self.root.join(format!("{byte:02x}"));
            let entries = absent(list_folder(&folder)).map_err(|error| {
                Error::store(format!("list the folder {}", folder.display()), error)
            })?;
            // A file in another folder than its own is not of this layout.
            let is_next =
                |(digest, _): &(Digest, _)| digest.as_bytes()[0] == byte && Some(digest) > after;
            found.extend(entries.unwrap_or_default().into_iter().filter(is_next));
        }
        found.truncate(limit);
        Ok(found)
    }

    /// Removes a blob, if it exists. A mapped blob stays readable.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn remove(&self, digest: &Digest) -> Result<()> {
        let removed = absent(fs::remove_file(self.path(digest)));
        removed.map(drop).map_err(|error| self.failed("remove", digest, error))
    }

    fn failed(&self, verb: &str, digest: &Digest, error: io::Error) -> Error {
        Error::store(format!("{verb} the blob {}", self.path(digest).display()), error)
    }
}

/// Returns the blobs in one of the 256 folders, sorted. Other files are ignored.
fn list_folder(folder: &Path) -> io::Result<Vec<(Digest, u64)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let digest = entry.file_name().to_str().and_then(|name| Digest::from_hex(name).ok());
        // A blob removed at this moment is not listed.
        if let (Some(digest), Some(meta)) = (digest, absent(entry.metadata())?) {
            found.push((digest, meta.len()));
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Returns whether a path does not exist, or is an empty file or folder. Errors count as existing; opening reports them.
pub fn is_nothing(path: &Path) -> bool {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => fs::read_dir(path).is_ok_and(|mut all| all.next().is_none()),
        Ok(found) => found.len() == 0,
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

/// Turns [`NotFound`](io::ErrorKind::NotFound) into `None`.
pub fn absent<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Creates a file under a random name, with the default permissions of the process and the group of the folder.
///
/// # Errors
/// Errors of the system.
pub fn temp_file(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let file = builder.tempfile_in(folder)?;
    owner::follow_group(file.as_file(), folder)?;
    Ok(file)
}

/// Creates a file like [`temp_file`] and locks it. The lock marks a living writer.
///
/// # Errors
/// Errors of the system.
pub fn locked_temp_file(folder: &Path) -> io::Result<NamedTempFile> {
    let file = temp_file(folder)?;
    file.as_file().lock()?;
    Ok(file)
}

/// Removes files of [`locked_temp_file`] that are older than `older_than` and whose writers are dead. Returns the
/// number of files and bytes.
///
/// # Errors
/// Errors of the system.
pub fn remove_unfinished(tmp: &Path, older_than: Duration) -> io::Result<(u64, u64)> {
    let (mut files, mut bytes) = (0, 0);
    for entry in absent(fs::read_dir(tmp))?.into_iter().flatten() {
        let path = entry?.path();
        // It may have been finished or removed meanwhile.
        let Some(file) = absent(File::open(&path))? else { continue };
        let meta = file.metadata()?;
        let age = meta.modified()?.elapsed().unwrap_or_default();
        let is_old = age >= older_than.max(LOCKED_WITHIN);
        if meta.is_file() && is_old && file.try_lock().is_ok() {
            absent(fs::remove_file(&path))?;
            files += 1;
            bytes += meta.len();
        }
    }
    Ok((files, bytes))
}

/// Makes the entries of a folder durable after a file was created in it or renamed into it.
///
/// # Errors
/// Errors of the system.
pub fn sync_dir(folder: &Path) -> io::Result<()> {
    // Elsewhere a folder cannot be opened as a file, and its entries need no sync.
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// Refuses a path that leads out of a folder that does not exist, such as `missing/../larder`.
///
/// The system finds nothing there, some libraries find `larder`, and creating the folders would leave `missing` behind.
///
/// # Errors
/// [`NotFound`](io::ErrorKind::NotFound) with the name of the folder.
pub fn check_parents(path: &Path) -> io::Result<()> {
    let mut before = PathBuf::new();
    for part in path.components() {
        if part == Component::ParentDir && !before.as_os_str().is_empty() && !before.is_dir() {
            let missing = format!("the folder {} does not exist", before.display());
            return Err(io::Error::new(io::ErrorKind::NotFound, missing));
        }
        before.push(part);
    }
    Ok(())
}

/// Creates a folder and its parents, each durable in its parent and with its parent's group.
///
/// # Errors
/// Those of [`check_parents`]; errors of the system.
pub fn create_dir_durably(folder: &Path) -> io::Result<()> {
    if has_dir(folder) {
        return Ok(());
    }
    check_parents(folder)?;
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent {
        create_dir_durably(parent)?;
    }
    let parent = parent.unwrap_or(Path::new("."));
    create_dir(folder, parent)?;
    sync_dir(parent)
}

/// Held while a folder is made, so that no thread puts anything into it before it has its group, which others take from it.
static MAKING: Mutex<()> = Mutex::new(());

/// Returns true if the folder is there, and no thread of this process is still making it.
pub fn has_dir(folder: &Path) -> bool {
    let _making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    folder.is_dir()
}

/// Creates a folder in `parent`, with its group, unless another process does. [`sync_dir`] of the parent makes it durable.
///
/// # Errors
/// Errors of the system.
pub fn create_dir(folder: &Path, parent: &Path) -> io::Result<()> {
    let _making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    match fs::create_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        other => {
            other?;
            follow_group_at(folder, parent)
        }
    }
}
