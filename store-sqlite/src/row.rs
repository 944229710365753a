//! Blobs in rows that are too large to be held in memory.

use std::cell::{Cell, RefCell};
use std::io::{self, Write};
use std::sync::Arc;

use bytes::Bytes;
use larder_store::files::{SpooledFile, collect_pieces};
use larder_store::{BlobSource, BlobWriter, Corruption, Digest, Error, Result};
use rusqlite::blob::ZeroBlob;
use rusqlite::{MAIN_DB, TransactionBehavior};

use crate::database::Database;

/// Number of bytes that are read or written at once.
const PIECE: usize = 1 << 20;
const ACTION: &str = "write a blob to";

/// A blob in a row, read when it is needed.
pub(crate) struct RowSource {
    pub(crate) database: Arc<Database>,
    pub(crate) digest: Digest,
}

impl BlobSource for RowSource {
    fn bytes(&self) -> Result<Bytes> {
        collect_pieces(|take| self.for_each_piece(take))
    }

    fn for_each_piece(&self, take: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let mut failure = None;
        // A read that is repeated, because the database changed, goes on where it was: the bytes of a blob do not change.
        let done = Cell::new(0);
        let outcome = {
            let take = RefCell::new((take, &mut failure));
            self.database.read("a blob", |connection| {
                let Some((row, _)) = Database::row(connection, &self.digest)? else {
                    return Ok(false);
                };
                let blob = connection.blob_open(MAIN_DB, "blobs", "bytes", row, true)?;
                let mut piece = vec![0; PIECE.min(blob.len())];
                while done.get() < blob.len() {
                    let read = piece.len().min(blob.len() - done.get());
                    blob.read_at_exact(&mut piece[..read], done.get())?;
                    let (take, failure) = &mut *take.borrow_mut();
                    if let Err(error) = take(&piece[..read]) {
                        **failure = Some(error);
                        break;
                    }
                    done.set(done.get() + read);
                }
                Ok(true)
            })
        };
        match (failure, outcome?) {
            (Some(error), _) => Err(error),
            (None, true) => Ok(()),
            (None, false) => {
                let what = format!("the blob {}", self.digest.short());
                Err(Error::corrupt(what, Corruption::Missing))
            }
        }
    }
}

/// Writes a blob to a row, or, above the limit, to a file.
pub(crate) struct RowWriter {
    database: Arc<Database>,
    limit: u64,
    size: u64,
    target: Target,
}

enum Target {
    /// Not above the limit so far.
    Row(SpooledFile),
    File(Box<dyn BlobWriter>),
    /// A write failed, and so does every later one.
    Failed,
}

impl RowWriter {
    pub(crate) fn new(database: Arc<Database>, limit: u64) -> Result<Self> {
        // Fails where only reading is possible.
        database.write(ACTION, |_| Ok(()))?;
        let target = Target::Row(SpooledFile::new(database.pool.place().folder()));
        Ok(Self { database, limit, size: 0, target })
    }

    /// Returns the writer, after it was changed to a file if `more` bytes bring the blob above the limit.
    fn target(&mut self, more: usize) -> io::Result<&mut Target> {
        self.size += more as u64;
        if self.size > self.limit && matches!(self.target, Target::Row(_)) {
            let Target::Row(spooled) = std::mem::replace(&mut self.target, Target::Failed) else {
                return Ok(&mut self.target);
            };
            let mut file = self.database.large_writer().map_err(io::Error::other)?;
            file.write_all(&spooled.into_bytes()?)?;
            self.target = Target::File(Box::new(file));
        }
        Ok(&mut self.target)
    }
}

impl Write for RowWriter {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self.target(buf.len())? {
            Target::Row(spooled) => spooled.write_all(buf)?,
            Target::File(file) => file.write_all(buf)?,
            Target::Failed => return Err(failed_before()),
        }
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl BlobWriter for RowWriter {
    fn write_bytes(&mut self, bytes: Bytes) -> io::Result<()> {
        match self.target(bytes.len())? {
            Target::Row(spooled) => spooled.write_bytes(bytes),
            Target::File(file) => file.write_bytes(bytes),
            Target::Failed => Err(failed_before()),
        }
    }

    fn finish(self: Box<Self>, digest: &Digest) -> Result<()> {
        let failed = |error| {
            Error::store(
                format!("{ACTION} {}", self.database.pool.place().given().display()),
                error,
            )
        };
        let spooled = match self.target {
            Target::Row(spooled) => spooled,
            Target::File(file) => return file.finish(digest),
            Target::Failed => return Err(failed(failed_before())),
        };
        let bytes = spooled.into_bytes().map_err(failed)?;
        if self.database.files.stat(digest)? == Some(bytes.len() as u64) {
            return Ok(());
        }
        self.database.write(ACTION, |connection| {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            if Database::row(&transaction, digest)?.is_none() {
                // Bound as a parameter, the blob would be copied in memory.
                let size = ZeroBlob(i32::try_from(bytes.len()).unwrap_or(i32::MAX));
                transaction.execute(
                    "INSERT INTO blobs (digest, bytes) VALUES (?1, ?2)",
                    rusqlite::params![digest.as_bytes(), size],
                )?;
                let row = transaction.last_insert_rowid();
                let mut blob = transaction.blob_open(MAIN_DB, "blobs", "bytes", row, false)?;
                for (at, piece) in bytes.chunks(PIECE).enumerate() {
                    blob.write_at(piece, at * PIECE)?;
                }
                blob.close()?;
            }
            transaction.commit()
        })
    }
}

fn failed_before() -> io::Error {
    io::Error::other("an earlier write to this blob failed")
}
