//! The tables and their migrations.

use std::path::Path;

use larder_store::files::describe;
use larder_store::{BoxError, Corruption, Error, Result};
use rusqlite::{Connection, ErrorCode, TransactionBehavior};

use crate::place::Place;
use crate::reader::peek;

/// `PRAGMA application_id` of a larder: `Lard`.
const APPLICATION_ID: i64 = 0x4c61_7264;

/// Migrations from schema version `n` to `n + 1`. The version is kept in `PRAGMA user_version`.
const MIGRATIONS: [&str; 1] = ["
    CREATE TABLE records (
        key TEXT NOT NULL PRIMARY KEY,
        value TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE blobs (
        digest BLOB NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
        bytes BLOB NOT NULL
    ) STRICT;
"];

/// Returns whether the tables must be created or migrated. Refuses the file of another program and a newer larder.
pub(crate) fn is_new(connection: &Connection, path: &Path) -> Result<bool> {
    let state = state(connection).map_err(|error| failed(path, error))?;
    judge(state, path)
}

/// Returns whether a file is a database without content, found without leaving anything beside it. Its log may hold some.
pub(crate) fn is_blank(path: &Path) -> bool {
    let place = Place::new(path);
    let blank = SchemaState { application: 0, schema: 0, tables: 0 };
    !place.wal().exists()
        && peek(place.database())
            .and_then(|connection| state(&connection))
            .is_ok_and(|it| it == blank)
}

/// Creates or migrates the tables, unless another process did so first.
pub(crate) fn migrate(connection: &mut Connection, path: &Path) -> Result<()> {
    let failed = |error| failed(path, error);
    let transaction =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    let state = state(&transaction).map_err(failed)?;
    if judge(state, path)? {
        for migration in MIGRATIONS.iter().skip(state.schema) {
            transaction.execute_batch(migration).map_err(failed)?;
        }
        transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(failed)?;
        transaction.pragma_update(None, "user_version", MIGRATIONS.len()).map_err(failed)?;
    }
    transaction.commit().map_err(failed)
}

/// Returns the error of opening a file.
pub(crate) fn failed(path: &Path, error: rusqlite::Error) -> Error {
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => no_larder(path),
        Some(ErrorCode::DatabaseCorrupt) => {
            let what = format!("the file {}", path.display());
            Error::corrupt(what, Corruption::Unreadable(error.to_string()))
        }
        _ => Error::store(format!("open {}", path.display()), error),
    }
}

/// As [`failed`], for any error.
pub(crate) fn unopened(place: &Place, error: BoxError) -> Error {
    match error.downcast::<rusqlite::Error>() {
        Ok(error) => failed(place.given(), *error),
        Err(error) => Error::store(format!("open {}", place.given().display()), error),
    }
}

/// Returns the error of a path that is no database.
pub(crate) fn no_larder(path: &Path) -> Error {
    let (place, found) = (path.display(), describe(path));
    let advice = match path.is_dir() {
        true => format!("if that is a larder, write `fs:{place}`"),
        false => "name another file, or, if it was a larder, restore it from a copy".to_owned(),
    };
    Error::Refused {
        action: format!("use {place} as a larder"),
        reason: format!("it is {found}, and no SQLite database; {advice}"),
    }
}

/// The state of the schema in a file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct SchemaState {
    application: i64,
    schema: usize,
    tables: u64,
}

pub(crate) fn state(connection: &Connection) -> rusqlite::Result<SchemaState> {
    // One statement is one snapshot: another process may be creating the tables.
    let state = "SELECT (SELECT application_id FROM pragma_application_id), \
        (SELECT user_version FROM pragma_user_version), (SELECT count(*) FROM sqlite_schema)";
    connection.query_row(state, [], |row| {
        Ok(SchemaState { application: row.get(0)?, schema: row.get(1)?, tables: row.get(2)? })
    })
}

/// Returns whether the tables must be created or migrated.
pub(crate) fn judge(state: SchemaState, path: &Path) -> Result<bool> {
    let known = MIGRATIONS.len();
    match state {
        SchemaState { application: APPLICATION_ID, schema, .. } if schema > known => {
            Err(Error::NewerFormat {
                what: format!("the file {}", path.display()),
                found: schema as u64,
                known: known as u64,
            })
        }
        SchemaState { application: APPLICATION_ID, schema, .. } => Ok(schema < known),
        SchemaState { application: 0, schema: 0, tables: 0 } => Ok(true),
        _ => Err(Error::Refused {
            action: format!("use {} as a larder", path.display()),
            reason: "it is an SQLite database of something else; name another file".into(),
        }),
    }
}
