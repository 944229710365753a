//! The store.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use larder_store::Digest;
use larder_store::files::{BlobFolder, check_parents};
use larder_store::{
    Blob, BlobWriter, Capabilities, Change, Committed, Expected, Record, RecordKey, Revision, Store,
};
use larder_store::{Error, Result};
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use crate::connect::Pool;

/// Size in bytes up to which a blob is a row: reading a row is faster than opening a file.
const INLINE: usize = 64 * 1024;
/// Records by prefix, after a key. No character of a key sorts after `~`, which gives the upper bound. There is only one
/// lower bound, because SQLite would seek to the first of two and scan from there to the second.
const LIST: &str = "SELECT key, value FROM records \
    WHERE key >= max(?1, ?2) AND key < ?1 || '~' AND key IS NOT ?2 ORDER BY key LIMIT ?3";

/// A store in one SQLite file.
#[derive(Debug)]
pub struct SqliteStore {
    pool: Pool,
    /// Blobs too large for rows.
    files: BlobFolder,
}

impl SqliteStore {
    /// Opens the larder in the SQLite file `path`. Creates one if the file is empty or missing.
    ///
    /// # Errors
    /// [`Error::Refused`] for a database of another program; [`Error::Corrupt`] for a file that is not a database;
    /// [`Error::NewerFormat`]; [`Error::Store`].
    pub fn open(path: &Path) -> Result<Self> {
        // SQLite would drop `missing/..` from a path.
        check_parents(path)
            .map_err(|error| Error::store(format!("open {}", path.display()), error))?;
        let mut folder = path.as_os_str().to_owned();
        folder.push(".blobs");
        Ok(Self { pool: Pool::open(path)?, files: BlobFolder::open(&PathBuf::from(folder)) })
    }

    fn read<T>(
        &self,
        what: &str,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T> {
        self.pool.read(read).map_err(|error| self.failed(&format!("read {what} from"), error))
    }

    fn failed(&self, action: &str, error: rusqlite::Error) -> Error {
        Error::store(format!("{action} {}", self.pool.path().display()), error)
    }
}

impl Store for SqliteStore {
    fn url(&self) -> String {
        format!("sqlite:{}", self.pool.path().display())
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
        Ok(Box::new(self.files.writer()?))
    }

    fn read_blobs(&self, digests: &[Digest]) -> Result<Vec<Option<Blob>>> {
        let rows = self.read("blobs", |connection| {
            let mut select =
                connection.prepare_cached("SELECT bytes FROM blobs WHERE digest = ?1")?;
            let mut row = |digest: &Digest| {
                let bytes = select.query_row([digest.as_bytes()], |row| row.get::<_, Vec<u8>>(0));
                bytes.optional()
            };
            digests.iter().map(&mut row).collect::<rusqlite::Result<Vec<_>>>()
        })?;
        let with_file = |(row, digest): (Option<Vec<u8>>, _)| match row {
            Some(bytes) => Ok(Some(Bytes::from(bytes).into())),
            None => self.files.read(digest),
        };
        rows.into_iter().zip(digests).map(with_file).collect()
    }

    fn stat_blobs(&self, digests: &[Digest]) -> Result<Vec<Option<u64>>> {
        let rows = self.read("blobs", |connection| {
            let mut select =
                connection.prepare_cached("SELECT length(bytes) FROM blobs WHERE digest = ?1")?;
            let mut row = |digest: &Digest| {
                select.query_row([digest.as_bytes()], |row| row.get::<_, u64>(0)).optional()
            };
            digests.iter().map(&mut row).collect::<rusqlite::Result<Vec<_>>>()
        })?;
        let with_file = |(row, digest): (Option<u64>, _)| match row {
            Some(size) => Ok(Some(size)),
            None => self.files.stat(digest),
        };
        rows.into_iter().zip(digests).map(with_file).collect()
    }

    fn list_blobs(&self, after: Option<&Digest>, limit: usize) -> Result<Vec<(Digest, u64)>> {
        let mut found = self.read("blobs", |connection| {
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
        found.extend(self.files.list(after, limit)?);
        found.sort_unstable();
        found.dedup_by_key(|(digest, _)| *digest);
        found.truncate(limit);
        Ok(found)
    }

    fn remove_blobs(&self, digests: &[Digest]) -> Result<()> {
        let mut writer = self.pool.writer();
        let mut remove = || {
            let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
            for digest in digests {
                transaction.execute("DELETE FROM blobs WHERE digest = ?1", [digest.as_bytes()])?;
            }
            transaction.commit()
        };
        remove().map_err(|error| self.failed("remove blobs from", error))?;
        digests.iter().try_for_each(|digest| self.files.remove(digest))
    }

    fn remove_unfinished(&self, older_than: Duration) -> Result<(u64, u64)> {
        self.files.remove_unfinished(older_than)
    }

    fn get_records(&self, keys: &[RecordKey]) -> Result<Vec<Option<Record>>> {
        self.read("records", |connection| {
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
            let rows = self.read("records", |connection| {
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
        let mut writer = self.pool.writer();
        let mut commit = || {
            let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
            for (at, change) in changes.iter().enumerate() {
                if !make(&transaction, change)? {
                    // Dropping the transaction rolls it back.
                    return Ok(Committed::Conflict { at, made: 0 });
                }
            }
            transaction.commit()?;
            Ok(Committed::All)
        };
        commit().map_err(|error| self.failed("commit to", error))
    }
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
