//! The store.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use larder_store::Digest;
use larder_store::{
    Blob, BlobWriter, Capabilities, Change, Committed, Expected, Record, RecordKey, Revision, Store,
};
use larder_store::{Error, Result};
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use crate::database::{Database, INLINE};
use crate::place::Place;
use crate::row::{RowSource, RowWriter};

/// Records by prefix, after a key. No character of a key sorts after `~`, which gives the upper bound. There is only one
/// lower bound, because SQLite would seek to the first of two and scan from there to the second.
const LIST: &str = "SELECT key, value FROM records \
    WHERE key >= max(?1, ?2) AND key < ?1 || '~' AND key IS NOT ?2 ORDER BY key LIMIT ?3";
/// The size of a blob, and its bytes if they are few.
type Row = (u64, Option<Vec<u8>>);
/// Reads a [`Row`].
const READ: &str = "SELECT length(bytes), iif(length(bytes) <= ?2, bytes, NULL) FROM blobs \
    WHERE digest = ?1";

/// A store in an SQLite file, with a folder for large blobs.
///
/// Where the file, its folder or the file system cannot be written or locked, the store can be read all the same, and leaves
/// nothing behind.
#[derive(Debug)]
pub struct SqliteStore {
    database: Arc<Database>,
    /// Size up to which blobs are rows, if it is not the usual one.
    inline: Option<u64>,
}

impl SqliteStore {
    /// Maximum of [`with_inline`](Self::with_inline): SQLite has no larger rows.
    pub const MOST_INLINE: u64 = 999_000_000;

    /// Opens the larder in the SQLite file `path`. Creates one if the file is empty or missing.
    ///
    /// Links are followed first: the folder for large blobs is beside the file itself.
    ///
    /// # Errors
    /// [`Error::Refused`] for a file of another program; [`Error::Corrupt`]; [`Error::NewerFormat`]; [`Error::Store`].
    pub fn open(path: &Path) -> Result<Self> {
        let database = Arc::new(Database::open(Place::new(path))?);
        Ok(Self { database, inline: None })
    }

    /// Keeps blobs of up to `bytes` in the file, instead of 64 KiB. Larger ones are in the folder.
    ///
    /// This is for what is written by this store: every store reads blobs of any size from the file.
    ///
    /// # Errors
    /// [`Error::Refused`] below 64 KiB and above [`MOST_INLINE`](Self::MOST_INLINE).
    pub fn with_inline(mut self, bytes: u64) -> Result<Self> {
        if !is_inline(bytes) {
            return Err(Error::Refused {
                action: format!("keep blobs of up to {bytes} bytes in {}", self.url()),
                reason: "name a size from 64KiB to 999MB".into(),
            });
        }
        self.inline = Some(bytes);
        Ok(self)
    }
}

impl Store for SqliteStore {
    fn url(&self) -> String {
        let url = format!("sqlite:{}", self.database.pool.place().given().display());
        match self.inline {
            Some(bytes) => format!("{url}?inline={bytes}"),
            None => url,
        }
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            atomic_commit: true,
            isolated_commit: true,
            inline_blob: INLINE,
            is_remote: false,
        }
    }

    fn write_blob(&self) -> Result<Box<dyn BlobWriter>> {
        Ok(match self.inline {
            Some(limit) => Box::new(RowWriter::new(Arc::clone(&self.database), limit)?),
            None => Box::new(self.database.large_writer()?),
        })
    }

    fn read_blobs(&self, digests: &[Digest]) -> Result<Vec<Option<Blob>>> {
        let rows = self.database.read("blobs", |connection| {
            let mut select = connection.prepare_cached(READ)?;
            let mut row = |digest: &Digest| {
                let found = select.query_row(params![digest.as_bytes(), INLINE], |row| {
                    Ok::<Row, _>((row.get(0)?, row.get(1)?))
                });
                found.optional()
            };
            digests.iter().map(&mut row).collect::<rusqlite::Result<Vec<_>>>()
        })?;
        let with_file = |(row, digest): (Option<Row>, &Digest)| match row {
            Some((_, Some(bytes))) => Ok(Some(Bytes::from(bytes).into())),
            Some((_, None)) => {
                let database = Arc::clone(&self.database);
                Ok(Some(Blob::from_source(RowSource { database, digest: *digest })))
            }
            None => match self.database.files.read(digest)? {
                None => self.database.require_folder().map(|()| None),
                found => Ok(found),
            },
        };
        rows.into_iter().zip(digests).map(with_file).collect()
    }

    fn stat_blobs(&self, digests: &[Digest]) -> Result<Vec<Option<u64>>> {
        let rows = self.database.read("blobs", |connection| {
            let rows = digests.iter().map(|digest| Database::row(connection, digest));
            rows.collect::<rusqlite::Result<Vec<_>>>()
        })?;
        let with_file = |(row, digest): (Option<(i64, u64)>, _)| match row {
            Some((_, size)) => Ok(Some(size)),
            None => match self.database.files.stat(digest)? {
                None => self.database.require_folder().map(|()| None),
                found => Ok(found),
            },
        };
        rows.into_iter().zip(digests).map(with_file).collect()
    }

    fn list_blobs(&self, after: Option<&Digest>, limit: usize) -> Result<Vec<(Digest, u64)>> {
        self.database.require_folder()?;
        let mut found = self.database.read("blobs", |connection| {
            let mut select = connection.prepare_cached(
                "SELECT digest, length(bytes) FROM blobs WHERE digest > ?1 ORDER BY digest LIMIT ?2",
            )?;
            // The empty text sorts before every digest.
            let after: &[u8] = after.map_or(&[], |digest| digest.as_bytes());
            let rows = select.query_map(params![after, most(limit)], |row| {
                Ok((Digest::from_bytes(row.get(0)?), row.get(1)?))
            })?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        })?;
        found.extend(self.database.files.list(after, limit)?);
        found.sort_unstable();
        found.dedup_by_key(|(digest, _)| *digest);
        found.truncate(limit);
        Ok(found)
    }

    fn remove_blobs(&self, digests: &[Digest]) -> Result<()> {
        self.database.write("remove blobs from", |connection| {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            for digest in digests {
                transaction.execute("DELETE FROM blobs WHERE digest = ?1", [digest.as_bytes()])?;
            }
            transaction.commit()
        })?;
        digests.iter().try_for_each(|digest| self.database.files.remove(digest))
    }

    fn remove_unfinished(&self, older_than: Duration) -> Result<(u64, u64)> {
        self.database.files.remove_unfinished(older_than)
    }

    fn get_records(&self, keys: &[RecordKey]) -> Result<Vec<Option<Record>>> {
        self.database.read("records", |connection| {
            keys.iter().map(|key| get_record(connection, key)).collect()
        })
    }

    fn list_records(
        &self,
        prefix: &str,
        after: Option<&RecordKey>,
        limit: usize,
    ) -> Result<Vec<(RecordKey, Record)>> {
        let mut after = after.map_or("", RecordKey::as_str).to_owned();
        loop {
            let rows = self.database.read("records", |connection| {
                let mut select = connection.prepare_cached(LIST)?;
                let rows = select.query_map(params![prefix, after, most(limit)], |row| {
                    Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
                })?;
                rows.collect::<rusqlite::Result<Vec<_>>>()
            })?;
            let Some((last, _)) = rows.last() else { return Ok(Vec::new()) };
            after.clone_from(last);
            // Rows whose keys are none do not belong to Larder.
            let read = |(key, value): (String, String)| {
                RecordKey::new(&key).ok().map(|key| (key, record(value)))
            };
            let records: Vec<_> = rows.into_iter().filter_map(read).collect();
            if !records.is_empty() {
                return Ok(records);
            }
        }
    }

    fn commit(&self, changes: &[Change]) -> Result<Committed> {
        self.database.write("commit to", |connection| {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            for (at, change) in changes.iter().enumerate() {
                if !make(&transaction, change)? {
                    // Dropping the transaction rolls it back.
                    return Ok(Committed::Conflict { at, made: 0 });
                }
            }
            transaction.commit()?;
            Ok(Committed::All)
        })
    }
}

/// Returns whether blobs of up to this size can be rows.
pub(crate) fn is_inline(bytes: u64) -> bool {
    (INLINE as u64..=SqliteStore::MOST_INLINE).contains(&bytes)
}

/// Converts a limit for SQLite.
fn most(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

fn record(value: String) -> Record {
    Record { revision: Revision::of(value.as_bytes()), value: Bytes::from(value) }
}

fn get_record(connection: &Connection, key: &RecordKey) -> rusqlite::Result<Option<Record>> {
    let mut select = connection.prepare_cached("SELECT value FROM records WHERE key = ?1")?;
    let value = select.query_row([key.as_str()], |row| row.get::<_, String>(0)).optional()?;
    Ok(value.map(record))
}

/// Makes a change. Returns `false` if its precondition fails.
fn make(connection: &Connection, change: &Change) -> rusqlite::Result<bool> {
    if let Change::PutRecord { key, expected, .. } | Change::RemoveRecord { key, expected } = change
        && *expected != Expected::Anything
    {
        let current = get_record(connection, key)?;
        if !expected.is_met_by(current.as_ref().map(|record| &record.revision)) {
            return Ok(false);
        }
    }
    match change {
        Change::PutBlob { digest, bytes } => {
            let mut put = connection
                .prepare_cached("INSERT OR IGNORE INTO blobs (digest, bytes) VALUES (?1, ?2)")?;
            put.execute(params![digest.as_bytes(), &bytes[..]])?;
        }
        Change::PutRecord { key, value, .. } => {
            let text = std::str::from_utf8(value).map_err(|error| {
                rusqlite::Error::FromSqlConversionFailure(0, Type::Text, error.into())
            })?;
            let mut put = connection
                .prepare_cached("INSERT OR REPLACE INTO records (key, value) VALUES (?1, ?2)")?;
            put.execute([key.as_str(), text])?;
        }
        Change::RemoveRecord { key, .. } => {
            let mut remove = connection.prepare_cached("DELETE FROM records WHERE key = ?1")?;
            remove.execute([key.as_str()])?;
        }
    }
    Ok(true)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;
    use crate::schema;

    #[test]
    fn a_page_costs_the_same_wherever_it_begins() {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::migrate(&mut connection, Path::new("larder.db")).unwrap();
        let transaction = connection.transaction().unwrap();
        for number in 0..10_000 {
            let change = Change::PutRecord {
                key: RecordKey::new(&format!("versions/wine/@{number:010}")).unwrap(),
                value: Bytes::from_static(b"{}"),
                expected: Expected::Anything,
            };
            assert!(make(&transaction, &change).unwrap());
        }
        transaction.commit().unwrap();
        let mut select = connection.prepare(LIST).unwrap();
        let mut steps = |after: &str, rows: usize| {
            let found = select.query_map(params!["versions/wine/@", after, 100], |_| Ok(()));
            assert_eq!(found.unwrap().count(), rows, "after {after:?}");
            select.reset_status(StatementStatus::VmStep)
        };
        let first = steps("", 100);
        for (after, rows) in [
            ("names/wine", 100),
            ("versions/wine/@0000005000", 100),
            ("versions/wine/@0000009899", 100),
            ("versions/wine/@0000009989", 10),
            ("versions/wine/@0000009999", 0),
            ("versions/wines", 0),
        ] {
            let steps = steps(after, rows);
            assert!(steps <= first + 20, "{steps} steps after {after}, {first} from the beginning");
        }
    }
}
