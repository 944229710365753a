//! Reading where this process cannot write, without leaving anything behind.
//!
//! A database in WAL mode needs two side files, which SQLite creates for a reader too. Here a reader uses the
//! files that a writer left, or reads as if nobody wrote, and compares afterwards: if the database changed meanwhile,
//! it reads again.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime};

use larder_store::BoxError;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use tempfile::TempDir;

use crate::connect::keep_plans;
use crate::place::Place;

/// Maximum time to wait for a lock. Readers wait for recovery only.
const PATIENCE: Duration = Duration::from_secs(5);
/// Maximum number of reads of a database that changes meanwhile.
const ROUNDS: u32 = 50;
/// Resolution of the times of files. A change within this time after another one may leave the time unchanged.
const TICK: Duration = Duration::from_millis(20);

/// Connections that cannot write.
#[derive(Debug)]
pub(crate) struct Reader {
    place: Place,
    idle: Mutex<Vec<View>>,
    /// Locks, or the memory that processes share, do not work here.
    is_alone: AtomicBool,
}

/// A connection, and what it shows.
#[derive(Debug)]
struct View {
    connection: Connection,
    kind: Kind,
    /// The state of the files when it was opened.
    of: Moment,
    /// Removed after the connection is closed.
    _copy: Option<TempDir>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Takes part in SQLite's locking, by the side files of a writer.
    Live,
    /// Reads the database alone, without locks.
    Still,
    /// Reads a private copy of the database and its log.
    Copied,
}

/// The state of the files.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Moment {
    database: Stamp,
    /// The log, if it is there.
    wal: Option<Stamp>,
    has_shm: bool,
    has_journal: bool,
}

/// Size, time of the last change and inode of a file.
type Stamp = (u64, SystemTime, u64);

impl Reader {
    pub(crate) fn new(place: Place) -> Self {
        Self { place, idle: Mutex::default(), is_alone: AtomicBool::new(false) }
    }

    /// Runs `read`, again if the database changed meanwhile.
    pub(crate) fn read<T>(
        &self,
        read: impl Fn(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, BoxError> {
        let mut last: Option<BoxError> = None;
        for _ in 0..ROUNDS {
            let now = Moment::of(&self.place)?;
            let kind = self.kind(&now);
            if kind != Kind::Live && !now.is_settled() {
                thread::sleep(TICK);
                continue;
            }
            let view = match self.take(kind, &now) {
                Some(view) => view,
                None => View::open(&self.place, kind, now.clone())?,
            };
            let result = read(&view.connection);
            match (kind, result) {
                (Kind::Live, Err(error)) if is_of_the_medium(&error) => {
                    // The side files may just have been removed by the last writer.
                    if last.is_some() || Moment::of(&self.place)? == now {
                        self.is_alone.store(true, Ordering::Relaxed);
                    }
                    last = Some(error.into());
                }
                (kind, result) => {
                    if kind == Kind::Live || Moment::of(&self.place)? == now {
                        self.put_back(view);
                        return Ok(result?);
                    }
                    last = result.err().map(Into::into);
                }
            }
        }
        Err(last.unwrap_or_else(|| "it changes while it is read, and cannot be locked".into()))
    }

    fn kind(&self, now: &Moment) -> Kind {
        let is_alone = self.is_alone.load(Ordering::Relaxed);
        match now.wal {
            _ if now.has_journal && !is_alone => Kind::Live,
            Some(_) if now.has_shm && !is_alone => Kind::Live,
            Some((size, ..)) if size > 0 => Kind::Copied,
            _ => Kind::Still,
        }
    }

    /// Returns an idle connection that shows what is there now.
    fn take(&self, kind: Kind, now: &Moment) -> Option<View> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|view| view.kind == kind && (kind == Kind::Live || view.of == *now));
        idle.pop()
    }

    fn put_back(&self, view: View) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(view);
    }
}

impl View {
    fn open(place: &Place, kind: Kind, of: Moment) -> Result<Self, BoxError> {
        let (connection, copy) = match kind {
            Kind::Live => (open(place.database(), "mode=ro&readonly_shm=1")?, None),
            Kind::Still => (open(place.database(), "mode=ro&immutable=1")?, None),
            Kind::Copied => {
                let copy = temp_folder()?;
                let database = copy.path().join("larder.db");
                copy_file(place.database(), &database)?;
                copy_file(&place.wal(), &copy.path().join("larder.db-wal"))?;
                (Connection::open(&database)?, Some(copy))
            }
        };
        Ok(Self { connection, kind, of, _copy: copy })
    }
}

impl Moment {
    fn of(place: &Place) -> io::Result<Self> {
        let wal = match stamp(&place.wal()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            wal => Some(wal?),
        };
        Ok(Self {
            database: stamp(place.database())?,
            wal,
            has_shm: place.shm().exists(),
            has_journal: place.journal().exists(),
        })
    }

    /// Returns whether a change from now on changes the times too.
    fn is_settled(&self) -> bool {
        let is_old = |(_, changed, _): &Stamp| changed.elapsed().map_or(true, |age| age >= TICK);
        is_old(&self.database) && self.wal.as_ref().is_none_or(is_old)
    }
}

fn stamp(path: &Path) -> io::Result<Stamp> {
    let found = fs::metadata(path)?;
    #[cfg(unix)]
    let inode = std::os::unix::fs::MetadataExt::ino(&found);
    #[cfg(not(unix))]
    let inode = 0;
    Ok((found.len(), found.modified()?, inode))
}

/// Creates a private folder. The user of a service often may not write to the system's own temporary folder.
fn temp_folder() -> Result<TempDir, BoxError> {
    let others = ["/var/tmp", "/dev/shm"].map(PathBuf::from);
    let mut failure = None;
    for folder in [std::env::temp_dir()].into_iter().chain(others) {
        match tempfile::tempdir_in(folder) {
            Ok(created) => return Ok(created),
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    let cause = failure.map_or_else(String::new, |error| format!(" ({error})"));
    Err(format!("its log must be read from a copy, and no temporary folder can be created{cause}")
        .into())
}

fn copy_file(from: &Path, to: &Path) -> io::Result<()> {
    // Not `fs::copy`: the copy must be writable, whatever the permissions of the original.
    io::copy(&mut File::open(from)?, &mut File::create_new(to)?).map(drop)
}

/// Opens a database with the parameters of an SQLite URI.
fn open(path: &Path, parameters: &str) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(uri(path, parameters), flags)?;
    connection.busy_timeout(PATIENCE)?;
    keep_plans(&connection)?;
    Ok(connection)
}

fn uri(path: &Path, parameters: &str) -> String {
    let mut uri = "file:".to_owned();
    for &byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'-' | b'_' | b'.' | b'~' => uri.push(byte.into()),
            _ if byte.is_ascii_alphanumeric() => uri.push(byte.into()),
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    format!("{uri}?{parameters}")
}

/// Opens a database as it is in its file, without its log, its locks and a trace.
pub(crate) fn peek(path: &Path) -> rusqlite::Result<Connection> {
    open(path, "mode=ro&immutable=1")
}

/// Returns whether an error may be one of the file system, where reading without locks may still succeed.
pub(crate) fn is_of_the_medium(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::CannotOpen
                | ErrorCode::DatabaseBusy
                | ErrorCode::FileLockingProtocolFailed
                | ErrorCode::NoLargeFileSupport
                | ErrorCode::PermissionDenied
                | ErrorCode::ReadOnly
                | ErrorCode::SystemIoFailure
        )
    )
}
