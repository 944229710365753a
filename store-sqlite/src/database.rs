//! The database and the folder of one larder.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use larder_store::files::{BlobFolder, FileWriter, check_parents, create_dir_durably};
use larder_store::{BoxError, Corruption, Digest, Error, Result};
use rusqlite::{Connection, OptionalExtension};

use crate::connect::Pool;
use crate::outside;
use crate::place::Place;

/// Size in bytes up to which a blob is a row, unless a larger one is asked for: reading a row is faster than opening a file.
pub(crate) const INLINE: usize = 64 * 1024;

#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) pool: Pool,
    /// Blobs too large for rows.
    pub(crate) files: BlobFolder,
    /// True once the table `blob_folder` is known to exist.
    is_recorded: AtomicBool,
    /// For a larder without that table: true if its versions need such blobs.
    lacks_blobs: OnceLock<bool>,
}

impl Database {
    pub(crate) fn open(place: Place) -> Result<Self> {
        // SQLite would drop `missing/..` from a path.
        check_parents(place.given())
            .map_err(|error| Error::store(format!("open {}", place.given().display()), error))?;
        let files = BlobFolder::open(&place.blobs());
        let (is_recorded, lacks_blobs) = (AtomicBool::new(false), OnceLock::new());
        Ok(Self { pool: Pool::open(place)?, files, is_recorded, lacks_blobs })
    }

    pub(crate) fn read<T>(
        &self,
        what: &str,
        read: impl Fn(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T> {
        self.pool.read(read).map_err(|error| self.failed(&format!("read {what} from"), error))
    }

    pub(crate) fn write<T>(
        &self,
        action: &str,
        write: impl FnOnce(&mut Connection) -> rusqlite::Result<T>,
    ) -> Result<T> {
        let mut writer = self.pool.writer().map_err(|reason| self.failed(action, reason))?;
        write(&mut writer).map_err(|error| self.failed(action, error))
    }

    fn failed(&self, action: &str, cause: impl Into<BoxError>) -> Error {
        Error::store(format!("{action} {}", self.pool.place().given().display()), cause)
    }

    /// Opens a writer for a blob in the folder.
    pub(crate) fn large_writer(&self) -> Result<FileWriter> {
        if !self.is_recorded.load(Ordering::Relaxed) {
            let action = "write a large blob beside";
            // Fails where only reading is possible.
            self.write(action, |_| Ok(()))?;
            self.require_folder()?;
            // First the folder: without it, the record would say that it was left behind.
            let folder = self.pool.place().blobs();
            create_dir_durably(&folder).map_err(|error| self.failed(action, error))?;
            let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            self.write(action, |connection| outside::record(connection, &name))?;
            self.is_recorded.store(true, Ordering::Relaxed);
        }
        self.require_folder()?;
        self.files.writer()
    }

    /// Fails if the folder of the large blobs is missing although there are some.
    pub(crate) fn require_folder(&self) -> Result<()> {
        let place = self.pool.place();
        let folder = place.blobs();
        let exists = || folder.try_exists().unwrap_or(true);
        if exists() {
            return Ok(());
        }
        let recorded = self.read("tables", outside::recorded)?;
        if recorded.is_none() && !self.lacks_blobs()? {
            return Ok(());
        }
        // The first writer creates the folder before it records it: it may be there by now.
        if exists() {
            return Ok(());
        }
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let name = recorded.unwrap_or_else(|| name.into_owned());
        Err(Error::corrupt(
            format!("the large artifacts of {}", place.given().display()),
            Corruption::LeftBehind(format!(
                "the folder {} is missing; copy the folder `{name}` that stands beside the original file too, or make an empty \
                 one if it is lost",
                folder.display()
            )),
        ))
    }

    /// Looks once, because it takes as long as a listing of all blobs. What this process writes is recorded.
    fn lacks_blobs(&self) -> Result<bool> {
        if let Some(known) = self.lacks_blobs.get() {
            return Ok(*known);
        }
        let lacks = self.read("manifests", |connection| outside::look(connection, INLINE))?;
        Ok(*self.lacks_blobs.get_or_init(|| lacks))
    }

    /// Returns the row ID and the size of a blob in the table.
    pub(crate) fn row(
        connection: &Connection,
        digest: &Digest,
    ) -> rusqlite::Result<Option<(i64, u64)>> {
        let mut select = connection
            .prepare_cached("SELECT rowid, length(bytes) FROM blobs WHERE digest = ?1")?;
        select.query_row([digest.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?))).optional()
    }
}
