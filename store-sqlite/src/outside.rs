//! The record of whether there are blobs outside the database.
//!
//! Readers that do not know the table ignore it.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

const CREATE: &str = "CREATE TABLE IF NOT EXISTS blob_folder (name TEXT NOT NULL) STRICT";
/// Returns 1 if a large version has no manifest in the table, or a manifest lists an artifact that is too large for a row and
/// not in the table. For larders written before the table `blob_folder` existed.
const LOOK: &str = "SELECT
    EXISTS (
        SELECT 1 FROM records
        WHERE key >= 'versions/' AND key < 'versions0' AND json_valid(value)
            AND json_extract(value, '$.collected') IS NULL AND json_extract(value, '$.size') > ?1
            AND unhex(substr(json_extract(value, '$.manifest'), 4)) NOT IN (SELECT digest FROM blobs)
    ) OR EXISTS (
        SELECT 1 FROM blobs, json_each(
            iif(substr(bytes, 1, 10) = CAST('{\"larder\":' AS BLOB) AND json_valid(CAST(bytes AS TEXT)),
                CAST(bytes AS TEXT), '{}'),
            '$.artifacts'
        ) AS artifact
        WHERE json_extract(artifact.value, '$.size') > ?1
            AND unhex(substr(json_extract(artifact.value, '$.digest'), 4)) NOT IN (SELECT digest FROM blobs)
    )";

/// Returns the name of the folder when the first blob was written to it.
pub(crate) fn recorded(connection: &Connection) -> rusqlite::Result<Option<String>> {
    let table = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'blob_folder')";
    match connection.query_row(table, [], |row| row.get(0))? {
        true => {
            connection.query_row("SELECT name FROM blob_folder", [], |row| row.get(0)).optional()
        }
        false => Ok(None),
    }
}

/// Records that there are blobs outside.
pub(crate) fn record(connection: &mut Connection, name: &str) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if recorded(&transaction)?.is_none() {
        transaction.execute(CREATE, [])?;
        transaction.execute("INSERT INTO blob_folder (name) VALUES (?1)", [name])?;
    }
    transaction.commit()
}

/// Looks whether versions need blobs that are not in the database.
pub(crate) fn look(connection: &Connection, inline: usize) -> rusqlite::Result<bool> {
    connection.query_row(LOOK, [inline], |row| row.get(0))
}
