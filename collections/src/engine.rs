//! Engines: what keeps the rows of a collection.

use std::any::Any;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::{FixedSizeListArray, RecordBatch, UInt64Array};
use arrow_buffer::BooleanBuffer;
use larder_core::store::VersionNumber;
use larder_core::{Error, Identifier, Result, VersionInfo};

use crate::filter::Filter;
use crate::fold::Fold;
use crate::key::Key;
use crate::schema::Schema;

/// Keeps the versions of one collection.
///
/// Row ids are numbers from 0 that are never used twice; an update keeps the id. Each write is one durable version, whole or
/// not at all, and versions never change. The laws are in `larder-testkit`.
pub trait Engine: fmt::Debug + Send + Sync {
    /// Returns the name of the collection.
    fn name(&self) -> &Identifier;

    /// Returns the newest version, if there is one.
    ///
    /// # Errors
    /// [`Error::WrongType`](larder_core::Error::WrongType) if something else has the name; the errors of the store.
    fn head(&self) -> Result<Option<Arc<dyn EngineVersion>>>;

    /// Returns the newest version that this engine has read or written, without a read of the store. There may be newer ones.
    fn seen(&self) -> Option<Arc<dyn EngineVersion>> {
        None
    }

    /// Returns a version.
    ///
    /// # Errors
    /// [`Error::NotFound`](larder_core::Error::NotFound); as [`head`](Engine::head).
    fn at(&self, version: VersionNumber) -> Result<Arc<dyn EngineVersion>>;

    /// Creates the collection, without rows or with those of the first write.
    ///
    /// # Errors
    /// [`Error::Conflict`](larder_core::Error::Conflict) if it exists.
    fn create(&self, new: NewCollection, first: Write<'_>) -> Result<Arc<dyn EngineVersion>>;

    /// Begins a write: reads and encodes its rows. [`PendingWrite::commit`] makes it a version.
    ///
    /// While it is encoded, writes that were begun before may be committed, on other threads too. To it, they are those of
    /// other writers.
    ///
    /// # Errors
    /// [`Error::Refused`](larder_core::Error::Refused) for keys that are there.
    fn begin<'a>(
        &'a self,
        base: &Arc<dyn EngineVersion>,
        write: Write<'_>,
    ) -> Result<Box<dyn PendingWrite + 'a>>;

    /// Writes a version; returns the newest one if nothing would change.
    ///
    /// Appends of other writers since `base` are kept. So are their edits of other rows.
    ///
    /// # Errors
    /// [`Error::Conflict`](larder_core::Error::Conflict) that names a row which another writer edited since `base`, or for a
    /// [strict](Write::strict) write if there is a newer version; [`Error::Refused`](larder_core::Error::Refused) for keys that
    /// are there.
    fn write(
        &self,
        base: &Arc<dyn EngineVersion>,
        write: Write<'_>,
    ) -> Result<Arc<dyn EngineVersion>> {
        self.begin(base, write)?.commit()
    }

    /// Merges small parts and drops deleted rows, as a version with the same rows; the newest one if there is nothing to do.
    ///
    /// Makes at most `most` parts at once, so that work in steps can go on where it was.
    ///
    /// # Errors
    /// The errors of the store.
    fn compact(&self, most: usize) -> Result<Compacted>;
}

/// A write that [began](Engine::begin), and inserts that follow it. Dropping it writes no version.
pub trait PendingWrite: Send {
    /// Adds rows to insert after what is there, as a version of their own: reads and encodes them.
    ///
    /// # Errors
    /// As [`Engine::begin`]. What was there before stays.
    fn add(&mut self, inserts: Batches<'_>) -> Result<()>;

    /// Writes the versions in their order, as [`Engine::write`] does, and passes them to `done`. Those that can be durable at
    /// once are. The first error ends it.
    ///
    /// # Errors
    /// As [`Engine::write`].
    fn commit_all(self: Box<Self>, done: &mut Vec<Arc<dyn EngineVersion>>) -> Result<()>;

    /// Writes the versions, and returns the last one.
    ///
    /// # Errors
    /// As [`commit_all`](PendingWrite::commit_all).
    fn commit(self: Box<Self>) -> Result<Arc<dyn EngineVersion>> {
        let mut done = Vec::new();
        self.commit_all(&mut done)?;
        done.pop()
            .ok_or_else(|| Error::internal("a write was committed without a version".to_owned()))
    }
}

/// The result of [`Engine::compact`].
#[derive(Debug, Clone)]
pub struct Compacted {
    /// The newest version.
    pub version: Arc<dyn EngineVersion>,
    /// Number of parts that are still to be made.
    pub left: usize,
}

/// The properties of a collection that is created.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NewCollection {
    /// The fields.
    pub schema: Schema,
    /// The field that names rows.
    pub key: Option<String>,
    /// The share of the fold `valid`, in thousandths.
    pub valid_permille: u16,
}

impl NewCollection {
    /// Creates the properties of a collection without a key, of which a tenth validates.
    pub fn new(schema: Schema) -> Self {
        Self { schema, key: None, valid_permille: crate::snapshot::VALID_PERMILLE }
    }

    /// Sets the field that names rows: an integer, a text, bytes, a date or a time that is never null.
    #[must_use]
    pub fn with_key(mut self, field: impl Into<String>) -> Self {
        self.key = Some(field.into());
        self
    }

    /// Sets the share of the fold `valid`, in thousandths; the default is 100.
    #[must_use]
    pub fn with_valid_permille(mut self, share: u16) -> Self {
        self.valid_permille = share;
        self
    }
}

/// One write: all of it becomes one version.
#[derive(Default)]
pub struct Write<'a> {
    /// The new schema, if it changes.
    pub schema: Option<Schema>,
    /// New rows. The columns are those of the schema.
    pub inserts: Option<Batches<'a>>,
    /// Rows that replace those with these ids.
    pub updates: Vec<RowBatch>,
    /// The ids of rows to delete.
    pub deletes: Vec<u64>,
    /// Refuses the write if there is a newer version than its base.
    pub strict: bool,
}

impl fmt::Debug for Write<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let updates = self.updates.iter().map(|batch| batch.ids.len()).sum::<usize>();
        f.debug_struct("Write")
            .field("inserts", &self.inserts.is_some())
            .field("updates", &updates)
            .field("deletes", &self.deletes.len())
            .field("strict", &self.strict)
            .finish_non_exhaustive()
    }
}

/// An iterator of batches.
pub type Batches<'a> = Box<dyn Iterator<Item = Result<RecordBatch>> + 'a>;

/// An iterator of batches with row ids.
pub type RowBatches = Box<dyn Iterator<Item = Result<RowBatch>> + Send>;

/// One version of a collection.
pub trait EngineVersion: fmt::Debug + Send + Sync {
    /// Returns the version.
    fn info(&self) -> &VersionInfo;

    /// Returns the fields.
    fn schema(&self) -> &Schema;

    /// Returns the field that names rows.
    fn key(&self) -> Option<&str>;

    /// Returns the share of the fold `valid`, in thousandths.
    fn valid_permille(&self) -> u16;

    /// Returns the number of rows.
    fn rows(&self) -> u64;

    /// Returns numbers about how the rows are kept.
    fn layout(&self) -> Layout;

    /// Reads rows in batches, in the order of their ids.
    ///
    /// # Errors
    /// [`Error::InvalidName`](larder_core::Error::InvalidName) for unknown fields; damage is an error of the iterator.
    fn scan(&self, scan: &Scan) -> Result<RowBatches>;

    /// Reads rows by id, in the order of `ids`. Ids that are not there are left out.
    ///
    /// # Errors
    /// As [`scan`](EngineVersion::scan).
    fn take(&self, ids: &[u64], columns: Option<&[String]>) -> Result<RowBatch>;

    /// Finds the ids of keys.
    ///
    /// # Errors
    /// [`Error::Refused`](larder_core::Error::Refused) without a key field; [`Error::Corrupt`](larder_core::Error::Corrupt).
    fn find_keys(&self, keys: &[Key]) -> Result<Vec<Option<u64>>>;

    /// Returns the changes from an older version to this one.
    ///
    /// # Errors
    /// [`Error::Refused`](larder_core::Error::Refused) if `from` is newer.
    fn delta(&self, from: &dyn EngineVersion) -> Result<Delta>;

    /// Returns the vectors of a field, part by part: as they are kept, if they are of `float32`, and else converted.
    ///
    /// # Errors
    /// [`Error::InvalidName`](larder_core::Error::InvalidName) if it is not a field of vectors of floating-point numbers.
    fn vectors(&self, field: &str) -> Result<Box<dyn Iterator<Item = Result<VectorPart>> + Send>>;

    /// Returns the version as its own type.
    fn as_any(&self) -> &dyn Any;
}

/// Rows to read.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Scan {
    /// The fields to read; all if `None`.
    pub columns: Option<Vec<String>>,
    /// The condition.
    pub filter: Option<Filter>,
    /// The fold.
    pub fold: Option<Fold>,
    /// The row ids.
    pub ids: Option<Range<u64>>,
    /// About the rows of a batch before it is filtered, at most one and a half of it; 8,192 if 0.
    pub batch_rows: usize,
}

impl Scan {
    /// Reads all fields of all rows.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads these fields, in this order.
    #[must_use]
    pub fn columns(mut self, columns: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.columns = Some(columns.into_iter().map(Into::into).collect());
        self
    }

    /// Adds a condition.
    #[must_use]
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = Some(match self.filter {
            Some(before) => before.and(filter),
            None => filter,
        });
        self
    }

    /// Reads rows of a fold.
    #[must_use]
    pub fn fold(mut self, fold: Fold) -> Self {
        self.fold = Some(fold);
        self
    }

    /// Reads rows whose ids are in a range.
    #[must_use]
    pub fn ids(mut self, ids: Range<u64>) -> Self {
        self.ids = Some(ids);
        self
    }

    /// Sets about how many rows a batch has before it is filtered: at most one and a half of it. A batch of a single fragment, which
    /// is not copied, ends where that does.
    #[must_use]
    pub fn batch_rows(mut self, rows: usize) -> Self {
        self.batch_rows = rows;
        self
    }
}

/// Some rows, and their ids.
#[derive(Debug, Clone)]
pub struct RowBatch {
    /// The ids.
    pub ids: UInt64Array,
    /// The rows.
    pub rows: RecordBatch,
}

/// Ids of rows that changed between two versions, ascending.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Delta {
    /// New rows.
    pub inserted: Vec<u64>,
    /// Rows that were there before, and were written again.
    pub updated: Vec<u64>,
    /// Rows that are gone.
    pub deleted: Vec<u64>,
}

impl Delta {
    /// Returns true if nothing changed.
    pub fn is_empty(&self) -> bool {
        self.inserted.is_empty() && self.updated.is_empty() && self.deleted.is_empty()
    }
}

/// Numbers about how rows are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Layout {
    /// Parts.
    pub fragments: u64,
    /// Parts with few rows.
    pub small_fragments: u64,
    /// Rows that are deleted, and still kept.
    pub deleted_rows: u64,
    /// Bytes of all parts.
    pub bytes: u64,
}

/// The vectors of a part of the rows.
#[derive(Debug, Clone)]
pub struct VectorPart {
    /// The ids of the rows, ascending.
    pub ids: UInt64Array,
    /// The rows that are not deleted; all if `None`.
    pub live: Option<BooleanBuffer>,
    /// The vectors, a map of the file where the store keeps files; null where the field is.
    pub vectors: FixedSizeListArray,
}
