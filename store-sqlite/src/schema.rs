//! The tables and their migrations.

use std::path::Path;

use larder_store::Corruption;
use larder_store::{Error, Result};
use rusqlite::{Connection, ErrorCode, TransactionBehavior};

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
    let corrupt = |reason| {
        Error::corrupt(format!("the file {}", path.display()), Corruption::Unreadable(reason))
    };
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => corrupt("not an SQLite database".into()),
        Some(ErrorCode::DatabaseCorrupt) => corrupt(error.to_string()),
        _ => Error::store(format!("open {}", path.display()), error),
    }
}

/// The state of the schema in a file.
#[derive(Clone, Copy)]
struct SchemaState {
    application: i64,
    schema: usize,
    tables: u64,
}

fn state(connection: &Connection) -> rusqlite::Result<SchemaState> {
    // One statement is one snapshot: another process may be creating the tables.
    let state = "SELECT (SELECT application_id FROM pragma_application_id), \
        (SELECT user_version FROM pragma_user_version), (SELECT count(*) FROM sqlite_schema)";
    connection.query_row(state, [], |row| {
        Ok(SchemaState { application: row.get(0)?, schema: row.get(1)?, tables: row.get(2)? })
    })
}

/// Returns whether the tables must be created or migrated.
fn judge(state: SchemaState, path: &Path) -> Result<bool> {
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
