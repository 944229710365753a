//! Blobs as files: written once, durable before they are seen, read by mmap.
//!
//! ```text
//! ROOT/1f/1f2e…   one blob, read-only, named by the 64 digits of its digest
//! ROOT/tmp/…      blobs that are being written
//! ```
//!
//! A blob is written under a random name in `tmp`, synced, made read-only, renamed to its place, and then
//! its folder is synced. `b3sum` of a blob prints its name.

mod map;

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use tempfile::NamedTempFile;

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::store::BlobWriter;

/// The age at which a file in `tmp` that nobody holds open for writing is the leaving of a dead process.
const ABANDONED: Duration = Duration::from_secs(3600);
/// The size from which a blob is mapped: below, one `read` is cheaper.
const MAPPED: u64 = 32 * 1024;

/// A folder of blobs.
#[derive(Debug, Clone)]
pub struct BlobFolder {
    root: PathBuf,
}

impl BlobFolder {
    /// The folder at `root`, which is created when the first blob is written.
    pub fn open(root: &Path) -> Self {
        let folder = Self { root: root.to_owned() };
        folder.sweep();
        folder
    }

    fn tmp(&self) -> PathBuf {
        self.root.join("tmp")
    }

    /// Removes what dead writers left in `tmp`. It is in nobody's way, so a failure is no error.
    fn sweep(&self) {
        for entry in fs::read_dir(self.tmp()).into_iter().flatten().flatten() {
            let age = entry
                .metadata()
                .and_then(|meta| meta.modified())
                .ok()
                .and_then(|time| time.elapsed().ok());
            let file = File::open(entry.path());
            if age.is_some_and(|age| age > ABANDONED)
                && file.is_ok_and(|file| file.try_lock().is_ok())
            {
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    /// Where a blob is, if it is there. Only digits of a digest become part of a path.
    pub fn path(&self, digest: &Digest) -> PathBuf {
        let hex = digest.to_hex();
        self.root.join(&hex[..2]).join(&hex)
    }

    /// Opens a writer for one blob.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn writer(&self) -> Result<FileWriter> {
        let tmp = self.tmp();
        let create = || {
            create_dir_durably(&tmp)?;
            let file = NamedTempFile::new_in(&tmp)?;
            file.as_file().lock()?;
            Ok(file)
        };
        let file = create().map_err(|error: io::Error| {
            Error::store(format!("create a file in {}", tmp.display()), error)
        })?;
        Ok(FileWriter { folder: self.clone(), file, size: 0 })
    }

    /// Keeps a blob, durably. If it is there already, nothing changes.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn put(&self, digest: &Digest, bytes: &[u8]) -> Result<()> {
        if self.stat(digest)? == Some(bytes.len() as u64) {
            return Ok(());
        }
        let mut writer = self.writer()?;
        writer.write_all(bytes).map_err(|error| self.failed("write", digest, error))?;
        Box::new(writer).finish(digest)
    }

    /// The bytes of a blob, not checked against its digest; large ones are mapped.
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

    /// The size of a blob.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn stat(&self, digest: &Digest) -> Result<Option<u64>> {
        let meta = absent(fs::metadata(self.path(digest)));
        let meta = meta.map_err(|error| self.failed("look for", digest, error))?;
        Ok(meta.map(|meta| meta.len()))
    }

    /// Up to `limit` blobs and their sizes, in the order of their digests, after `after`.
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
            found.extend(
                entries.unwrap_or_default().into_iter().filter(|(digest, _)| Some(digest) > after),
            );
        }
        found.truncate(limit);
        Ok(found)
    }

    /// Removes a blob. One that is not there is no error. What is mapped stays readable.
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

/// The blobs in one folder of a first byte, sorted. What is no blob is not Larder's, and left alone.
fn list_folder(folder: &Path) -> io::Result<Vec<(Digest, u64)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let digest = entry.file_name().to_str().and_then(|name| Digest::from_hex(name).ok());
        // A blob that is removed at this moment is not listed.
        if let (Some(digest), Some(meta)) = (digest, absent(entry.metadata())?) {
            found.push((digest, meta.len()));
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// `None` for what is not there.
pub fn absent<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes the entries of a folder durable: what was renamed into it, or created in it.
///
/// # Errors
/// Whatever the system says.
pub fn sync_dir(folder: &Path) -> io::Result<()> {
    // Elsewhere a folder cannot be opened as a file, and its entries are durable by themselves.
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// Creates a folder and those around it, each durable in the one around it.
///
/// # Errors
/// Whatever the system says.
pub fn create_dir_durably(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent {
        create_dir_durably(parent)?;
    }
    match fs::create_dir(folder) {
        // Another process was faster.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => {}
        other => other?,
    }
    sync_dir(parent.unwrap_or(Path::new(".")))
}

/// A blob that is being written to a file in `tmp`. Dropping it removes the file.
#[derive(Debug)]
pub struct FileWriter {
    folder: BlobFolder,
    file: NamedTempFile,
    size: u64,
}

impl Write for FileWriter {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let written = self.file.as_file_mut().write(buf)?;
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_file_mut().flush()
    }
}

impl BlobWriter for FileWriter {
    fn finish(self: Box<Self>, digest: &Digest) -> Result<()> {
        let Self { folder, file, size } = *self;
        // A blob of another size is a damaged one, and is replaced.
        if folder.stat(digest)? == Some(size) {
            return Ok(());
        }
        let place = folder.path(digest);
        let keep = || {
            set_read_only(file.as_file())?;
            file.as_file().sync_all()?;
            let parent = place.parent().unwrap_or(&folder.root);
            create_dir_durably(parent)?;
            file.persist(&place)?;
            sync_dir(parent)
        };
        keep().map_err(|error| folder.failed("keep", digest, error))
    }
}

fn set_read_only(file: &File) -> io::Result<()> {
    let mut permissions = file.metadata()?.permissions();
    #[cfg(unix)]
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o444);
    #[cfg(not(unix))]
    permissions.set_readonly(true);
    file.set_permissions(permissions)
}
