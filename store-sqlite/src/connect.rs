//! Connections: one for writing, and some for reading.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use larder_store::{BoxError, Error, Result};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode};

use crate::place::Place;
use crate::reader::{Reader, is_of_the_medium};
use crate::readers::Readers;
use crate::schema;

/// Maximum time that a writer waits for writers of other processes.
const PATIENCE: Duration = Duration::from_secs(60);
/// The time after which a writer that waits for a lock looks whether there are locks at all.
const DOUBT: Duration = Duration::from_millis(500);

/// The connections to one file.
#[derive(Debug)]
pub(crate) struct Pool {
    place: Place,
    access: Access,
}

#[derive(Debug)]
enum Access {
    Full {
        writer: Mutex<Connection>,
        readers: Readers,
    },
    /// This process cannot write here, or must not, for a reason.
    Reading(Reader, String),
}

impl Pool {
    pub(crate) fn open(place: Place) -> Result<Self> {
        if place.database().is_dir() {
            return Err(schema::no_larder(place.given()));
        }
        let reason = match place.obstacle() {
            Some(reason) => reason,
            None => match open_to_write(&place) {
                Ok(writer) => {
                    let access =
                        Access::Full { writer: Mutex::new(writer), readers: Readers::default() };
                    return Ok(Self { place, access });
                }
                Err(error) => unwritable(&place, error)?,
            },
        };
        let reader = Reader::new(place.clone());
        let state = reader.read(schema::state).map_err(|error| schema::unopened(&place, error))?;
        if schema::judge(state, place.given())? {
            let action = format!("create a larder in {}", place.given().display());
            return Err(Error::store(action, reason));
        }
        Ok(Self { place, access: Access::Reading(reader, reason) })
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// Returns the connection for writing, once no other thread uses it, or why there is none.
    pub(crate) fn writer(&self) -> Result<MutexGuard<'_, Connection>, BoxError> {
        match &self.access {
            // A transaction interrupted by a panic was rolled back when it was dropped.
            Access::Full { writer, .. } => {
                Ok(writer.lock().unwrap_or_else(PoisonError::into_inner))
            }
            Access::Reading(_, reason) => Err(reason.clone().into()),
        }
    }

    /// Runs `read` with a connection that no other thread uses meanwhile. It may run more than once.
    pub(crate) fn read<T>(
        &self,
        read: impl Fn(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, BoxError> {
        match &self.access {
            Access::Full { readers, .. } => {
                Ok(readers.with(|| connect(&self.place, PATIENCE), read)?)
            }
            Access::Reading(reader, _) => reader.read(read),
        }
    }
}

/// Opens the file for writing, and makes it a larder if it is new.
fn open_to_write(place: &Place) -> Result<Connection> {
    let path = place.given();
    let failed = |error| schema::failed(path, error);
    place
        .create()
        .map_err(|error| Error::store(format!("create the file {}", path.display()), error))?;
    let (mut writer, is_new) = match examined(place, DOUBT) {
        Err(error) if is_busy(&error) && place.has_locks() => examined(place, PATIENCE)?,
        found => found?,
    };
    writer.busy_timeout(PATIENCE).map_err(failed)?;
    if is_new {
        // Only now is the file known not to belong to another program.
        use_wal(&writer).map_err(failed)?;
        schema::migrate(&mut writer, path)?;
    }
    place.share_side_files();
    Ok(writer)
}

/// Opens the file, and returns whether it is new.
fn examined(place: &Place, patience: Duration) -> Result<(Connection, bool)> {
    let path = place.given();
    let connection = connect(place, patience).map_err(|error| schema::failed(path, error))?;
    let is_new = schema::is_new(&connection, path)?;
    Ok((connection, is_new))
}

/// Returns why a file cannot be opened for writing although it may be readable; other errors as they are.
fn unwritable(place: &Place, error: Error) -> Result<String> {
    let Error::Store { source, .. } = &error else { return Err(error) };
    match source.downcast_ref::<rusqlite::Error>() {
        Some(cause) if is_of_the_medium(cause) && !(is_busy(&error) && place.has_locks()) => {
            Ok(format!("its folder does not serve for writing ({cause})"))
        }
        _ => Err(error),
    }
}

fn is_busy(error: &Error) -> bool {
    let Error::Store { source, .. } = error else { return false };
    let cause = source.downcast_ref().and_then(rusqlite::Error::sqlite_error_code);
    cause == Some(ErrorCode::DatabaseBusy)
}

fn connect(place: &Place, patience: Duration) -> rusqlite::Result<Connection> {
    let connection = Connection::open(place.database())?;
    if connection.is_readonly(rusqlite::MAIN_DB)? {
        // Before the first statement, which would leave side files.
        let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_READONLY);
        return Err(rusqlite::Error::SqliteFailure(code, None));
    }
    connection.busy_timeout(patience)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    keep_plans(&connection)?;
    Ok(connection)
}

/// Keeps the plan of a statement whatever its parameters are. Otherwise, SQLite with statistics of columns compiles a statement
/// with a range of keys again for each range.
pub(crate) fn keep_plans(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(drop)
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
