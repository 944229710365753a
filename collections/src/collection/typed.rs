//! Collections of a Rust type.

use std::any::type_name;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use arrow_array::RecordBatch;
use larder_core::store::VersionNumber;
use larder_core::{Error, Identifier, Result, VersionInfo};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{
    CollectionVersion, Edited, Find, Insert, Inserted, InsertedVersions, RowType, UntypedCollection,
};
use crate::engine::{Delta, RowBatches};
use crate::filter::Filter;
use crate::key::Key;
use crate::schema::{Field, Schema};
use crate::types::schema_of;

/// Number of rows that become one batch.
const CHUNK: usize = 8_192;

/// A collection of `Row`s, which its first insert creates.
///
/// The schema is that of the Rust type. Fields that are added to it later must be an `Option` or have a default, see
/// [`with_field`](Collection::with_field); they, and wider numbers, are added to the collection by the next insert.
///
/// ```
/// use larder_collections::{Filter, Find, LarderCollections};
/// use larder_core::Registry;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Debug, PartialEq, Serialize, Deserialize)]
/// struct Review {
///     id: u64,
///     text: String,
///     stars: Option<u8>,
/// }
///
/// let larder = Registry::linked()?.open("memory:")?;
/// let reviews = larder.collection::<Review>("shop/reviews")?.with_key("id");
/// reviews.insert(&[
///     Review { id: 1, text: "Good.".into(), stars: Some(5) },
///     Review { id: 2, text: "Late.".into(), stars: None },
/// ])?;
/// reviews.update(Some(&"id = 2".parse()?), |review| review.stars = Some(2))?;
/// assert_eq!(reviews.get(2u64)?.unwrap().stars, Some(2));
///
/// let filter: Filter = "stars > 3".parse()?;
/// let good = reviews.latest()?.find(&Find::default().filter(filter))?;
/// assert_eq!(good.collect::<Result<Vec<_>, _>>()?.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Collection<Row> {
    untyped: UntypedCollection,
    key: Option<String>,
    fields: Vec<Field>,
    row: RowType<Row>,
}

impl<Row> Collection<Row> {
    /// Creates the handle of a collection of `Row`s.
    pub fn new(untyped: UntypedCollection) -> Self {
        Self { untyped, key: None, fields: Vec::new(), row: PhantomData }
    }

    /// Sets the field that names rows; it applies when the first insert creates the collection.
    #[must_use]
    pub fn with_key(mut self, field: impl Into<String>) -> Self {
        self.key = Some(field.into());
        self
    }

    /// States a field that the Rust type does not describe: a default, former names, a media type, a narrower type.
    #[must_use]
    pub fn with_field(mut self, field: Field) -> Self {
        self.fields.push(field);
        self
    }

    /// Returns the handle without the type.
    pub fn untyped(&self) -> &UntypedCollection {
        &self.untyped
    }

    /// Returns the name.
    pub fn name(&self) -> &Identifier {
        self.untyped.name()
    }

    /// Returns the newest version.
    ///
    /// # Errors
    /// As [`UntypedCollection::latest`].
    pub fn latest(&self) -> Result<Version<Row>> {
        self.untyped.latest().map(Version::new)
    }

    /// Returns a version.
    ///
    /// # Errors
    /// As [`UntypedCollection::at`].
    pub fn at(&self, version: VersionNumber) -> Result<Version<Row>> {
        self.untyped.at(version).map(Version::new)
    }

    /// Returns all versions, oldest first.
    ///
    /// # Errors
    /// As [`UntypedCollection::versions`].
    pub fn versions(&self) -> Result<Vec<VersionInfo>> {
        self.untyped.versions()
    }

    /// Returns the changes between two versions.
    ///
    /// # Errors
    /// As [`UntypedCollection::delta`].
    pub fn delta(&self, from: VersionNumber, to: VersionNumber) -> Result<Delta> {
        self.untyped.delta(from, to)
    }

    /// Returns the number of rows that match; all without a filter.
    ///
    /// # Errors
    /// As [`CollectionVersion::count`].
    pub fn count(&self, filter: Option<&Filter>) -> Result<u64> {
        let scan = crate::Scan { filter: filter.cloned(), ..crate::Scan::new() };
        self.untyped.latest()?.count(&scan)
    }

    /// Deletes rows that match, as one version.
    ///
    /// # Errors
    /// As [`UntypedCollection::delete`].
    pub fn delete(&self, filter: &Filter) -> Result<Edited> {
        self.untyped.delete(filter)
    }

    /// Deletes the row with a key, as one version.
    ///
    /// # Errors
    /// As [`UntypedCollection::delete_keys`].
    pub fn delete_key(&self, key: impl Into<Key>) -> Result<Edited> {
        self.untyped.delete_keys(&[key.into()])
    }

    /// Merges small fragments: see [`UntypedCollection::compact`].
    ///
    /// # Errors
    /// As [`UntypedCollection::compact`].
    pub fn compact(&self) -> Result<CollectionVersion> {
        self.untyped.compact()
    }
}

impl<Row: Serialize + DeserializeOwned> Collection<Row> {
    /// Returns the schema of the Rust type, with the fields that were stated.
    ///
    /// # Errors
    /// [`Error::InvalidName`] for a type that is not a struct with named fields, or holds one that Arrow does not have.
    pub fn schema(&self) -> Result<Schema> {
        let mut fields = Vec::from(schema_of::<Row>()?);
        for stated in &self.fields {
            match fields.iter_mut().find(|field| field.name == stated.name) {
                Some(field) => *field = stated.clone(),
                None => fields.push(stated.clone()),
            }
        }
        Schema::new(fields)
    }

    /// Inserts rows as one version.
    ///
    /// # Errors
    /// As [`UntypedCollection::insert`].
    pub fn insert(&self, rows: &[Row]) -> Result<CollectionVersion> {
        self.write(rows.chunks(CHUNK).map(|rows| self.batch(rows)), false).map(|it| it.version)
    }

    /// Inserts the rows of an iterator as one version, with a few thousand in memory.
    ///
    /// # Errors
    /// As [`UntypedCollection::insert`].
    pub fn insert_many(&self, rows: impl IntoIterator<Item = Row>) -> Result<Inserted> {
        let mut rows = rows.into_iter();
        self.write(
            std::iter::from_fn(|| {
                let chunk: Vec<Row> = rows.by_ref().take(CHUNK).collect();
                (!chunk.is_empty()).then(|| self.batch(&chunk))
            }),
            false,
        )
    }

    /// Inserts the rows of each item as a version of its own, in their order, as [`UntypedCollection::insert_versions`] does.
    ///
    /// ```
    /// use larder_collections::LarderCollections;
    /// use larder_core::Registry;
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Serialize, Deserialize)]
    /// struct Reading {
    ///     minute: u64,
    ///     degrees: f64,
    /// }
    ///
    /// let larder = Registry::linked()?.open("memory:")?;
    /// let readings = larder.collection::<Reading>("house/readings")?.with_key("minute");
    /// let hours = (0..24).map(|hour| {
    ///     let minutes = hour * 60..(hour + 1) * 60;
    ///     minutes.map(|minute| Reading { minute, degrees: 20.0 }).collect()
    /// });
    /// for inserted in readings.insert_versions(hours)? {
    ///     assert_eq!(inserted?.inserted, 60);
    /// }
    /// assert_eq!(readings.versions()?.len(), 24);
    /// assert_eq!(readings.count(None)?, 24 * 60);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`schema`](Self::schema); those of an insert are items.
    pub fn insert_versions<'a>(
        &'a self,
        batches: impl IntoIterator<Item = Vec<Row>, IntoIter: 'a>,
    ) -> Result<InsertedVersions<'a>> {
        let insert = self.options()?;
        let batches = batches.into_iter().map(|rows| self.batch(&rows));
        Ok(self.untyped.insert_versions(batches, insert))
    }

    /// Inserts rows, and replaces those whose key is there, as one version.
    ///
    /// # Errors
    /// As [`UntypedCollection::insert`]; [`Error::Conflict`] with the key of a row that another writer edited meanwhile.
    pub fn upsert(&self, rows: &[Row]) -> Result<Inserted> {
        self.write(rows.chunks(CHUNK).map(|rows| self.batch(rows)), true)
    }

    fn write(
        &self,
        batches: impl Iterator<Item = Result<RecordBatch>>,
        upsert: bool,
    ) -> Result<Inserted> {
        let insert = self.options()?.evolve();
        self.untyped.insert_batches(batches, if upsert { insert.upsert() } else { insert })
    }

    fn options<'a>(&self) -> Result<Insert<'a>> {
        let insert = Insert::new().schema(self.schema()?);
        Ok(match &self.key {
            Some(key) => insert.key(key),
            None => insert,
        })
    }

    fn batch(&self, rows: &[Row]) -> Result<RecordBatch> {
        let schema = self.schema()?;
        serde_arrow::to_record_batch(schema.arrow().fields(), &rows).map_err(|error| {
            Error::Encode {
                what: format!("rows of {} ({})", self.name(), type_name::<Row>()),
                source: error.into(),
            }
        })
    }

    /// Changes the rows that match, as one version; all rows without a filter.
    ///
    /// # Errors
    /// As [`UntypedCollection::update_with`].
    pub fn update(
        &self,
        filter: Option<&Filter>,
        mut change: impl FnMut(&mut Row),
    ) -> Result<Edited> {
        self.untyped.update_with(filter, |batch| {
            let mut rows = rows_of::<Row>(batch, self.name())?;
            rows.iter_mut().for_each(&mut change);
            self.batch(&rows)
        })
    }

    /// Returns the row with a key.
    ///
    /// # Errors
    /// As [`Version::get`].
    pub fn get(&self, key: impl Into<Key>) -> Result<Option<Row>> {
        self.latest()?.get(key)
    }
}

impl<Row> Clone for Collection<Row> {
    fn clone(&self) -> Self {
        Self {
            untyped: self.untyped.clone(),
            key: self.key.clone(),
            fields: self.fields.clone(),
            row: PhantomData,
        }
    }
}

impl<Row> fmt::Debug for Collection<Row> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Collection<{}>({})", type_name::<Row>(), self.name())
    }
}

/// One version of a collection of `Row`s.
pub struct Version<Row> {
    version: CollectionVersion,
    row: RowType<Row>,
}

impl<Row> Version<Row> {
    fn new(version: CollectionVersion) -> Self {
        Self { version, row: PhantomData }
    }
}

/// An iterator of rows.
pub type Rows<Row> = Box<dyn Iterator<Item = Result<Row>>>;

impl<Row: DeserializeOwned + 'static> Version<Row> {
    /// Finds rows.
    ///
    /// # Errors
    /// As [`CollectionVersion::find`]; [`Error::Decode`] for a row that does not fit `Row` is an item.
    pub fn find(&self, find: &Find) -> Result<Rows<Row>> {
        self.rows_in(self.version.find(find)?)
    }

    fn rows_in(&self, batches: RowBatches) -> Result<Rows<Row>> {
        let name = self.info().identifier.clone();
        Ok(Box::new(batches.flat_map(move |batch| {
            let rows = batch.and_then(|batch| rows_of::<Row>(&batch.rows, &name));
            match rows {
                Ok(rows) => rows.into_iter().map(Ok).collect::<Vec<_>>(),
                Err(error) => vec![Err(error)],
            }
        })))
    }
}

impl<Row: DeserializeOwned> Version<Row> {
    /// Returns the row with a key.
    ///
    /// # Errors
    /// As [`CollectionVersion::get`]; [`Error::Decode`].
    pub fn get(&self, key: impl Into<Key>) -> Result<Option<Row>> {
        let Some(found) = self.version.get(key)? else { return Ok(None) };
        Ok(rows_of(&found.rows, &self.info().identifier)?.pop())
    }
}

impl<Row> Deref for Version<Row> {
    type Target = CollectionVersion;

    fn deref(&self) -> &CollectionVersion {
        &self.version
    }
}

impl<Row> fmt::Debug for Version<Row> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.version.fmt(f)
    }
}

fn rows_of<Row: DeserializeOwned>(batch: &RecordBatch, name: &Identifier) -> Result<Vec<Row>> {
    serde_arrow::from_record_batch(batch).map_err(|error| Error::Decode {
        what: format!("rows of {name}"),
        type_name: type_name::<Row>().into(),
        path: String::new(),
        source: error.into(),
    })
}
