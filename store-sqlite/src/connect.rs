//! Connections: one for writing, and some for reading.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use larder_store::Result;
use rusqlite::{Connection, ErrorCode};

use crate::readers::Readers;
use crate::schema;

/// Maximum time that a writer waits for writers of other processes.
const PATIENCE: Duration = Duration::from_secs(60);

/// The connections to one file.
#[derive(Debug)]
pub(crate) struct Pool {
    path: PathBuf,
    writer: Mutex<Connection>,
    readers: Readers,
}

impl Pool {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let failed = |error| schema::failed(path, error);
        let mut writer = connect(path).map_err(failed)?;
        if schema::is_new(&writer, path)? {
            // Only now is the file known not to belong to another program.
            use_wal(&writer).map_err(failed)?;
            schema::migrate(&mut writer, path)?;
        }
        let (writer, readers) = (Mutex::new(writer), Readers::default());
        Ok(Self { path: path.to_owned(), writer, readers })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the connection for writing, once no other thread uses it.
    pub(crate) fn writer(&self) -> MutexGuard<'_, Connection> {
        // A transaction interrupted by a panic was rolled back when it was dropped.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `read` with a connection that no other thread uses meanwhile.
    pub(crate) fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        self.readers.with(|| connect(&self.path), read)
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(PATIENCE)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    Ok(connection)
}

/// Switches the file to WAL mode permanently. The busy timeout does not apply here, so this retries.
fn use_wal(connection: &Connection) -> rusqlite::Result<()> {
    let started = Instant::now();
    loop {
        match connection.pragma_update(None, "journal_mode", "WAL") {
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && started.elapsed() < PATIENCE =>
            {
                thread::sleep(Duration::from_millis(5));
            }
            result => return result,
        }
    }
}
