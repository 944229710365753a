//! The files of a larder, and who may write them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use larder_store::files::{follow_group_at, sync_dir, temp_file};

/// Maximum number of links to follow, as on Linux.
const MOST_LINKS: usize = 40;
/// Maximum number of checks of a side file that is not writable: its writer sets its group after creating it.
const LOOKS: u32 = 5;
/// Time between these checks.
const BETWEEN: Duration = Duration::from_millis(20);

/// The files of one larder.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// The path as it was given.
    given: PathBuf,
    /// The database by its only name: links are followed, so that the files beside it are the same ones however its path
    /// is written.
    database: PathBuf,
}

impl Place {
    pub(crate) fn new(path: &Path) -> Self {
        // A path that cannot be followed cannot be opened either, and that error names it.
        let database = resolve(path).unwrap_or_else(|_| path.to_owned());
        Self { given: path.to_owned(), database }
    }

    pub(crate) fn given(&self) -> &Path {
        &self.given
    }

    pub(crate) fn database(&self) -> &Path {
        &self.database
    }

    /// The write-ahead log.
    pub(crate) fn wal(&self) -> PathBuf {
        self.beside("-wal")
    }

    /// The index of the write-ahead log, shared by processes.
    pub(crate) fn shm(&self) -> PathBuf {
        self.beside("-shm")
    }

    /// The journal of a database that is not in WAL mode.
    pub(crate) fn journal(&self) -> PathBuf {
        self.beside("-journal")
    }

    /// The folder of the large blobs.
    pub(crate) fn blobs(&self) -> PathBuf {
        self.beside(".blobs")
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.database.as_os_str().to_owned();
        name.push(suffix);
        name.into()
    }

    pub(crate) fn folder(&self) -> &Path {
        folder_of(&self.database)
    }

    /// Creates an empty database file, with the permissions of the process and the group of the folder. SQLite's own would
    /// be writable for its owner only.
    pub(crate) fn create(&self) -> io::Result<()> {
        if fs::symlink_metadata(&self.database).is_ok() {
            return Ok(());
        }
        // Closed before it gets its name: to close a file that another thread has opened with SQLite releases its locks.
        let file = temp_file(self.folder())?.into_temp_path();
        match file.persist_noclobber(&self.database) {
            // Another process created it first.
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(error.error),
            Ok(()) => sync_dir(self.folder()),
        }
    }

    /// Gives side files that this process created the group of the database. SQLite gives them its permissions.
    pub(crate) fn share_side_files(&self) {
        for path in [self.wal(), self.shm()] {
            // Fails for the files of another user, who does the same.
            let _ = follow_group_at(&path, &self.database);
        }
    }

    /// Returns why this process cannot write to the larder, as far as that is known without trying.
    ///
    /// SQLite opens such a database for reading and leaves side files under the reader's own user, which
    /// then shut out those who may write.
    pub(crate) fn obstacle(&self) -> Option<String> {
        let found = fs::metadata(&self.database).ok()?;
        let (database, folder) = (self.database.display(), self.folder().display());
        if !may_write(&self.database) {
            return Some(format!("{database} is read-only for this user"));
        }
        if !may_write(self.folder()) {
            return Some(format!(
                "the folder {folder} is read-only for this user, and SQLite writes files beside the database"
            ));
        }
        let names = names_of(&found);
        if names > 1 {
            return Some(format!(
                "{database} is one file with {names} names (hard links), and SQLite keeps changes beside each name; \
                 remove the others, or make them symbolic links or copies"
            ));
        }
        let shut = [self.wal(), self.shm()].into_iter().find(|path| is_shut(path))?;
        Some(format!(
            "{} belongs to another user, and this one cannot write to it; its owner, or root, can open the larder, \
             which removes the file",
            shut.display()
        ))
    }

    /// Returns whether files in the folder can be locked.
    pub(crate) fn has_locks(&self) -> bool {
        // A file of its own: the database may be open in this process already, and to close it would release its locks.
        temp_file(self.folder()).is_ok_and(|file| file.as_file().try_lock().is_ok())
    }
}

/// Follows links, also one to a file that does not exist yet.
fn resolve(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        match fs::canonicalize(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            found => return found,
        }
        let folder = fs::canonicalize(folder_of(&path))?;
        match (fs::read_link(&path), path.file_name()) {
            (Ok(target), _) => path = folder.join(target),
            (Err(_), Some(name)) => return Ok(folder.join(name)),
            (Err(error), None) => return Err(error),
        }
    }
    Err(io::Error::other("too many links"))
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Returns whether a side file exists and cannot be written.
fn is_shut(path: &Path) -> bool {
    for _ in 0..LOOKS {
        if !path.exists() || may_write(path) {
            return false;
        }
        thread::sleep(BETWEEN);
    }
    true
}

#[cfg(unix)]
fn may_write(path: &Path) -> bool {
    use rustix::fs::{Access, AtFlags, CWD, accessat};
    use rustix::io::Errno;

    let access = accessat(CWD, path, Access::WRITE_OK, AtFlags::EACCESS);
    !matches!(access, Err(Errno::ACCESS | Errno::ROFS))
}

#[cfg(not(unix))]
fn may_write(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.is_dir() || !found.permissions().readonly())
}

#[cfg(unix)]
fn names_of(found: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::nlink(found)
}

#[cfg(not(unix))]
fn names_of(_: &fs::Metadata) -> u64 {
    1
}
