//! One version of a collection.

use std::fmt;
use std::sync::Arc;

use arrow_schema::SchemaRef;
use larder_core::{Result, VersionInfo};

use crate::engine::{Delta, EngineVersion, Layout, RowBatch, RowBatches, Scan, VectorPart};
use crate::key::Key;
use crate::schema::{Field, Schema, projection};

/// One version of a collection, which never changes. Cheap to clone.
#[derive(Clone)]
pub struct CollectionVersion(Arc<dyn EngineVersion>);

impl CollectionVersion {
    /// Creates the handle of a version that an engine keeps.
    pub fn new(version: Arc<dyn EngineVersion>) -> Self {
        Self(version)
    }

    /// Returns the engine's version.
    pub fn engine(&self) -> &Arc<dyn EngineVersion> {
        &self.0
    }

    /// Returns the version.
    pub fn info(&self) -> &VersionInfo {
        self.0.info()
    }

    /// Returns the fields.
    pub fn schema(&self) -> &Schema {
        self.0.schema()
    }

    /// Returns the field that names rows, if there is one.
    pub fn key(&self) -> Option<&Field> {
        self.schema().field(self.0.key()?).ok()
    }

    /// Returns the share of the fold `valid`, in thousandths.
    pub fn valid_permille(&self) -> u16 {
        self.0.valid_permille()
    }

    /// Returns the number of rows.
    pub fn rows(&self) -> u64 {
        self.0.rows()
    }

    /// Returns numbers about how the rows are kept.
    pub fn layout(&self) -> Layout {
        self.0.layout()
    }

    /// Reads rows in batches, in the order of their ids, which is that of their insertion.
    ///
    /// A damaged fragment is an error item; the rows of the others follow.
    ///
    /// # Errors
    /// [`Error::InvalidName`](larder_core::Error::InvalidName) for a field that is not there.
    pub fn scan(&self, scan: &Scan) -> Result<RowBatches> {
        self.0.scan(scan)
    }

    /// Returns the columns of the rows of a scan.
    ///
    /// # Errors
    /// As [`scan`](CollectionVersion::scan).
    pub fn projected(&self, scan: &Scan) -> Result<SchemaRef> {
        projection(self.schema(), scan.columns.as_deref()).map(|(_, schema)| schema)
    }

    /// Counts the rows of a scan.
    ///
    /// # Errors
    /// As [`scan`](CollectionVersion::scan).
    pub fn count(&self, scan: &Scan) -> Result<u64> {
        if scan.filter.is_none() && scan.fold.is_none() && scan.ids.is_none() {
            return Ok(self.rows());
        }
        let scan = Scan { columns: Some(Vec::new()), ..scan.clone() };
        let batches = self.scan(&scan)?;
        batches.map(|batch| Ok(batch?.ids.len() as u64)).sum()
    }

    /// Reads rows by id, in the order of `ids`. Ids that are not there are left out.
    ///
    /// # Errors
    /// As [`scan`](CollectionVersion::scan).
    pub fn take(&self, ids: &[u64], columns: Option<&[String]>) -> Result<RowBatch> {
        self.0.take(ids, columns)
    }

    /// Finds the ids of keys.
    ///
    /// # Errors
    /// [`Error::Refused`](larder_core::Error::Refused) if the collection has no key.
    pub fn find_keys(&self, keys: &[Key]) -> Result<Vec<Option<u64>>> {
        self.0.find_keys(keys)
    }

    /// Reads the row with a key, as a batch of one row.
    ///
    /// # Errors
    /// As [`find_keys`](CollectionVersion::find_keys).
    pub fn get(&self, key: impl Into<Key>) -> Result<Option<RowBatch>> {
        match self.find_keys(&[key.into()])?.into_iter().flatten().next() {
            Some(id) => self.take(&[id], None).map(Some),
            None => Ok(None),
        }
    }

    /// Returns the changes since an older version.
    ///
    /// # Errors
    /// [`Error::Refused`](larder_core::Error::Refused) if `from` is newer, or of another collection.
    pub fn delta(&self, from: &Self) -> Result<Delta> {
        self.0.delta(&*from.0)
    }

    /// Returns the vectors of a field, part by part: as they are kept, if they are of `float32`, and else converted.
    ///
    /// # Errors
    /// [`Error::InvalidName`](larder_core::Error::InvalidName) if it is not a field of vectors of floating-point numbers.
    pub fn vectors(
        &self,
        field: &str,
    ) -> Result<Box<dyn Iterator<Item = Result<VectorPart>> + Send>> {
        self.0.vectors(field)
    }
}

impl fmt::Debug for CollectionVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CollectionVersion({})", self.info().reference())
    }
}
