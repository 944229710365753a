#![doc = include_str!("../README.md")]

/// Tests the code of the page.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/writing-a-store.md")]
struct Guide;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use larder_store::Digest;
use larder_store::bytes::Bytes;
use larder_store::files::{BlobFolder, create_dir_durably, is_nothing, sync_dir};
use larder_store::{
    Blob, BlobWriter, Capabilities, Change, Committed, Record, RecordKey, Revision, Store,
};
use larder_store::{Error, Result, Scheme, link};
use redb::{
    Database, DatabaseError, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition,
    TableHandle,
};

/// From keys to JSON.
const RECORDS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("larder-records-1");
/// From digests to bytes.
const BLOBS: TableDefinition<'_, &[u8; 32], &[u8]> = TableDefinition::new("larder-blobs-1");

/// Size in bytes up to which a blob is kept in the database: reading it is faster than opening a file.
const INLINE: usize = 64 * 1024;
/// Maximum time to wait for another process to close the database.
const PATIENCE: Duration = Duration::from_secs(10);

link!(
    Scheme::new("redb", |url| {
        url.allow_options(&["cache"])?; // refuses a misspelt option
        let cache = url.option("cache").map(str::parse).transpose();
        let cache = cache.map_err(|_| url.refused("`cache` is a number of bytes"))?;
        Ok(Arc::new(RedbStore::open(url.path()?, cache)?))
    })
    .probed(|url| Ok(!is_nothing(url.path()?)))
); // does not create a larder

/// A store in one redb file, with large blobs in a folder beside it.
#[derive(Debug)]
pub struct RedbStore {
    path: PathBuf,
    database: Arc<Database>,
    large: BlobFolder,
}

impl RedbStore {
    /// Opens the larder in the file `path`, or creates it. `cache` is in bytes.
    ///
    /// # Errors
    /// [`Error::Refused`] for a database of another program; [`Error::Store`].
    pub fn open(path: &Path, cache: Option<usize>) -> Result<Self> {
        let database = open_database(path, cache)?;
        let mut folder = OsString::from(path);
        folder.push(".blobs");
        Ok(Self { path: path.to_owned(), database, large: BlobFolder::open(Path::new(&folder)) })
    }

    /// Runs `read` on a snapshot of the committed state.
    fn read<T>(&self, read: impl FnOnce(&ReadTransaction) -> Result<T, redb::Error>) -> Result<T> {
        let done = self.database.begin_read().map_err(Into::into).and_then(|now| read(&now));
        done.map_err(|error| self.failed("read", error))
    }

    fn failed(&self, verb: &str, error: redb::Error) -> Error {
        Error::store(format!("{verb} {}", self.path.display()), error)
    }
}

impl Store for RedbStore {
    fn url(&self) -> String {
        format!("redb:{}", self.path.display())
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
        Ok(Box::new(self.large.writer()?))
    }

    fn read_blobs(&self, digests: &[Digest]) -> Result<Vec<Option<Blob>>> {
        let small = self.read(|now| {
            let blobs = now.open_table(BLOBS)?;
            let get = |digest: &Digest| {
                let found = blobs.get(digest.as_bytes())?;
                Ok(found.map(|bytes| Bytes::copy_from_slice(bytes.value())))
            };
            digests.iter().map(get).collect::<Result<Vec<_>, redb::Error>>()
        })?;
        let or_large = |(small, digest): (Option<Bytes>, _)| match small {
            Some(bytes) => Ok(Some(bytes.into())),
            None => self.large.read(digest),
        };
        small.into_iter().zip(digests).map(or_large).collect()
    }

    fn stat_blobs(&self, digests: &[Digest]) -> Result<Vec<Option<u64>>> {
        let small = self.read(|now| {
            let blobs = now.open_table(BLOBS)?;
            let size = |digest: &Digest| {
                Ok(blobs.get(digest.as_bytes())?.map(|bytes| bytes.value().len() as u64))
            };
            digests.iter().map(size).collect::<Result<Vec<_>, redb::Error>>()
        })?;
        let or_large = |(small, digest): (Option<u64>, _)| match small {
            Some(size) => Ok(Some(size)),
            None => self.large.stat(digest),
        };
        small.into_iter().zip(digests).map(or_large).collect()
    }

    fn list_blobs(&self, after: Option<&Digest>, limit: usize) -> Result<Vec<(Digest, u64)>> {
        let mut found = self.read(|now| {
            let blobs = now.open_table(BLOBS)?;
            let from = after.map_or([0; 32], |digest| *digest.as_bytes());
            let listed = blobs.range::<&[u8; 32]>(&from..)?.map(|entry| {
                let (digest, bytes) = entry?;
                Ok((Digest::from_bytes(*digest.value()), bytes.value().len() as u64))
            });
            // Skips `after` itself.
            let is_after =
                |it: &Result<(Digest, u64), _>| !it.as_ref().is_ok_and(|it| Some(&it.0) == after);
            listed.filter(is_after).take(limit).collect::<Result<Vec<_>, redb::Error>>()
        })?;
        found.extend(self.large.list(after, limit)?);
        found.sort_unstable();
        found.dedup_by_key(|(digest, _)| *digest);
        found.truncate(limit);
        Ok(found)
    }

    fn remove_blobs(&self, digests: &[Digest]) -> Result<()> {
        let remove = || {
            let transaction = self.database.begin_write()?;
            {
                let mut blobs = transaction.open_table(BLOBS)?;
                for digest in digests {
                    blobs.remove(digest.as_bytes())?;
                }
            }
            Ok(transaction.commit()?)
        };
        remove().map_err(|error| self.failed("remove blobs from", error))?;
        digests.iter().try_for_each(|digest| self.large.remove(digest))
    }

    fn remove_unfinished(&self, older_than: Duration) -> Result<(u64, u64)> {
        self.large.remove_unfinished(older_than)
    }

    fn get_records(&self, keys: &[RecordKey]) -> Result<Vec<Option<Record>>> {
        self.read(|now| {
            let records = now.open_table(RECORDS)?;
            let get = |key: &RecordKey| Ok(records.get(key.as_str())?.map(|it| record(it.value())));
            keys.iter().map(get).collect()
        })
    }

    fn list_records(
        &self,
        prefix: &str,
        after: Option<&RecordKey>,
        limit: usize,
    ) -> Result<Vec<(RecordKey, Record)>> {
        let rows = self.read(|now| {
            let records = now.open_table(RECORDS)?;
            let after = after.map(RecordKey::as_str);
            let mut rows = Vec::new();
            for entry in records.range(after.unwrap_or(prefix).max(prefix)..)? {
                let (key, value) = entry?;
                if rows.len() >= limit || !key.value().starts_with(prefix) {
                    break;
                }
                if Some(key.value()) != after {
                    rows.push((key.value().to_owned(), record(value.value())));
                }
            }
            Ok(rows)
        })?;
        rows.into_iter().map(|(key, record)| Ok((RecordKey::new(&key)?, record))).collect()
    }

    fn commit(&self, changes: &[Change]) -> Result<Committed> {
        let commit = || {
            let transaction = self.database.begin_write()?; // waits for other writers
            {
                let mut records = transaction.open_table(RECORDS)?;
                let mut blobs = transaction.open_table(BLOBS)?;
                for (at, change) in changes.iter().enumerate() {
                    if let Change::PutRecord { key, expected, .. }
                    | Change::RemoveRecord { key, expected } = change
                    {
                        let now = records.get(key.as_str())?.map(|it| Revision::of(it.value()));
                        if !expected.is_met_by(now.as_ref()) {
                            // Dropping the transaction rolls it back.
                            return Ok(Committed::Conflict { at, made: 0 });
                        }
                    }
                    match change {
                        Change::PutBlob { digest, bytes } => {
                            blobs.insert(digest.as_bytes(), &bytes[..])?;
                        }
                        Change::PutRecord { key, value, .. } => {
                            records.insert(key.as_str(), &value[..])?;
                        }
                        Change::RemoveRecord { key, .. } => {
                            records.remove(key.as_str())?;
                        }
                    }
                }
            }
            transaction.commit()?; // synced when it returns
            Ok(Committed::All)
        };
        commit().map_err(|error| self.failed("commit to", error))
    }
}

fn record(value: &[u8]) -> Record {
    Record { revision: Revision::of(value), value: Bytes::copy_from_slice(value) }
}

/// The open databases of this process: redb can open a file only once.
static OPEN: Mutex<BTreeMap<PathBuf, Weak<Database>>> = Mutex::new(BTreeMap::new());

fn open_database(path: &Path, cache: Option<usize>) -> Result<Arc<Database>> {
    let failed = |error: redb::Error| Error::store(format!("open {}", path.display()), error);
    let io = |error: std::io::Error| failed(error.into());
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    create_dir_durably(parent).map_err(io)?;
    let place = parent.canonicalize().map_err(io)?.join(path.file_name().unwrap_or_default());

    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(database) = open.get(&place).and_then(Weak::upgrade) {
        return Ok(database);
    }
    let mut builder = Database::builder();
    if let Some(bytes) = cache {
        builder.set_cache_size(bytes);
    }
    let started = Instant::now();
    let database = loop {
        match builder.create(&place) {
            Err(DatabaseError::DatabaseAlreadyOpen) if started.elapsed() < PATIENCE => {
                thread::sleep(Duration::from_millis(20));
            }
            other => break Arc::new(other.map_err(|error| failed(error.into()))?),
        }
    };
    if !make_tables(&database).map_err(failed)? {
        return Err(Error::Refused {
            action: format!("use {} as a larder", path.display()),
            reason: "it is a database of something else; name another file".into(),
        });
    }
    sync_dir(parent).map_err(io)?;
    open.insert(place, Arc::downgrade(&database));
    Ok(database)
}

/// Creates the tables if needed. Returns `false` if the database has other tables.
fn make_tables(database: &Database) -> Result<bool, redb::Error> {
    let transaction = database.begin_write()?;
    let known = |name: &str| [RECORDS.name(), BLOBS.name()].contains(&name);
    if !transaction.list_tables()?.all(|table| known(table.name())) {
        return Ok(false);
    }
    transaction.open_table(RECORDS)?;
    transaction.open_table(BLOBS)?;
    transaction.commit()?;
    Ok(true)
}
