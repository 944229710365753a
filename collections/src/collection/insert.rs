//! Inserting rows.

use std::cell::Cell;
use std::iter;
use std::rc::Rc;
use std::sync::Arc;

use arrow_array::{BooleanArray, RecordBatch, UInt64Array};
use arrow_select::filter::filter_record_batch;
use larder_core::{Error, Result};
use serde::Serialize;
use serde_json::{Map, Value};

use super::fitted::Fitted;
use super::insert_versions::{BegunInserts, InsertCounts, InsertedVersions};
use super::source::{InputRow, Source};
use super::{CollectionVersion, UntypedCollection};
use crate::engine::{NewCollection, RowBatch, Write};
use crate::error::arrow_error;
use crate::json::OrderedRow;
use crate::key::{Key, KeyColumn, KeyRef};
use crate::schema::{Misfit, Schema};

/// Result of an insert.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Inserted {
    /// The version with the rows.
    pub version: CollectionVersion,
    /// New rows.
    pub inserted: u64,
    /// Rows that replaced those with their keys.
    pub updated: u64,
    /// Rows that were left out: see [`Insert::skip_bad`].
    pub skipped: u64,
}

/// A row that was left out.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Reject {
    /// Why.
    pub misfit: Misfit,
    /// The row.
    pub row: Map<String, Value>,
    pub(super) schema: Arc<Schema>,
}

impl Reject {
    /// Returns the row with its fields in the order of the schema, to be written as JSON.
    pub fn data(&self) -> impl Serialize + '_ {
        OrderedRow { row: &self.row, schema: &self.schema }
    }
}

/// How rows are inserted.
///
/// By default, a row that does not fit refuses all of them.
#[derive(Default)]
pub struct Insert<'a> {
    pub(super) key: Option<String>,
    pub(crate) schema: Option<Schema>,
    pub(super) valid_permille: Option<u16>,
    pub(super) evolve: bool,
    pub(super) upsert: bool,
    /// See [`Write::strict`].
    pub(super) strict: bool,
    pub(super) rejects: Option<&'a mut dyn FnMut(Reject) -> Result<()>>,
}

impl<'a> Insert<'a> {
    /// Creates the default.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the field that names rows, if the insert creates the collection; otherwise it must be the key already.
    #[must_use]
    pub fn key(mut self, field: impl Into<String>) -> Self {
        self.key = Some(field.into());
        self
    }

    /// Sets the schema, if the insert creates the collection; otherwise that of the rows.
    #[must_use]
    pub fn schema(mut self, schema: Schema) -> Self {
        self.schema = Some(schema);
        self
    }

    /// Sets the share of the fold `valid` in thousandths, if the insert creates the collection.
    #[must_use]
    pub fn valid_permille(mut self, share: u16) -> Self {
        self.valid_permille = Some(share);
        self
    }

    /// Adds fields that the rows have and the collection lacks, and widens numbers.
    #[must_use]
    pub fn evolve(mut self) -> Self {
        self.evolve = true;
        self
    }

    /// Replaces rows whose key is there.
    #[must_use]
    pub fn upsert(mut self) -> Self {
        self.upsert = true;
        self
    }

    /// Leaves out rows that do not fit, and passes them to `take`.
    #[must_use]
    pub fn skip_bad(mut self, take: &'a mut dyn FnMut(Reject) -> Result<()>) -> Self {
        self.rejects = Some(take);
        self
    }
}

impl UntypedCollection {
    /// Inserts rows as one version; creates the collection if there is none.
    ///
    /// Columns are matched by name. One row that does not fit, or whose key is there, refuses all.
    ///
    /// # Errors
    /// [`Error::Refused`] that names the row, the field and the value; [`Error::InvalidName`] for a column that is not a
    /// field; [`Error::Store`].
    pub fn insert(&self, rows: &RecordBatch) -> Result<CollectionVersion> {
        self.insert_batches(iter::once(Ok(rows.clone())), Insert::new()).map(|it| it.version)
    }

    /// Inserts the rows of batches as one version, with a few batches in memory.
    ///
    /// # Errors
    /// As [`insert`](UntypedCollection::insert), and the errors of `batches`.
    pub fn insert_batches<'a>(
        &self,
        batches: impl IntoIterator<Item = Result<RecordBatch>, IntoIter: 'a>,
        insert: Insert<'a>,
    ) -> Result<Inserted> {
        self.insert_source(Source::Batches(Box::new(batches.into_iter())), insert)
    }

    /// Inserts the rows of each batch as a version of its own, in their order, with a few batches in memory.
    ///
    /// A version is durable when the iterator returns it. While some are committed, a few of the next batches are read, encoded
    /// and written: four, or up to 16 while the commit takes. These are then committed together, unless the store shows parts of
    /// a commit, listeners must hear of each version, or ranges of keys overlap. So many versions take less time than as many
    /// calls of [`insert`](UntypedCollection::insert). With [`upsert`](Insert::upsert), [`evolve`](Insert::evolve) or
    /// [`skip_bad`](Insert::skip_bad), one batch is read after the other.
    ///
    /// The first error ends the iterator; the versions before it stay. Nothing is inserted unless the iterator is used; if it is
    /// dropped before its end, versions may be there that it did not return.
    ///
    /// # Errors
    /// As [`insert_batches`](UntypedCollection::insert_batches), from the iterator. Rows are numbered in their batch.
    pub fn insert_versions<'a>(
        &'a self,
        batches: impl IntoIterator<Item = Result<RecordBatch>, IntoIter: 'a>,
        insert: Insert<'a>,
    ) -> InsertedVersions<'a> {
        InsertedVersions::new(self, Box::new(batches.into_iter()), insert)
    }

    /// Inserts JSON objects as one version, with a few thousand in memory.
    ///
    /// Bytes are texts in Base64, dates and times are texts. A field that a row lacks is null or its default. The schema
    /// of a new collection is inferred from the first 10,000 rows.
    ///
    /// # Errors
    /// As [`insert`](UntypedCollection::insert), and the errors of `rows`.
    pub fn insert_json<'a>(
        &self,
        rows: impl IntoIterator<Item = Result<Map<String, Value>>, IntoIter: 'a>,
        insert: Insert<'a>,
    ) -> Result<Inserted> {
        let rows = rows.into_iter().map(|row| row.map(InputRow::Row));
        self.insert_source(Source::Json(Box::new(rows)), insert)
    }

    /// Inserts the rows of a text as one version: [`insert_json`](UntypedCollection::insert_json), with parts that are no
    /// rows.
    ///
    /// # Errors
    /// As [`insert_json`](UntypedCollection::insert_json).
    pub fn insert_texts<'a>(
        &self,
        rows: impl IntoIterator<Item = Result<InputRow>, IntoIter: 'a>,
        insert: Insert<'a>,
    ) -> Result<Inserted> {
        self.insert_source(Source::Json(Box::new(rows.into_iter())), insert)
    }

    fn insert_source<'a>(
        &self,
        mut source: Source<'a>,
        mut insert: Insert<'a>,
    ) -> Result<Inserted> {
        if let Some(inserted) = self.insert_on_seen(&mut source, &mut insert)? {
            return Ok(inserted);
        }
        self.begin_insert(self.head()?, source, insert)?.commit()
    }

    /// Inserts a single batch on the version that the handle read last, without a read of the newest one. Returns `None` if
    /// the newest one is another, or is needed.
    fn insert_on_seen(
        &self,
        source: &mut Source<'_>,
        insert: &mut Insert<'_>,
    ) -> Result<Option<Inserted>> {
        let depends_on_rows = insert.upsert || insert.evolve || insert.rejects.is_some();
        let seen = self.engine.seen().filter(|_| !depends_on_rows);
        let Some(seen) = seen.map(|seen| self.version_of(seen)) else { return Ok(None) };
        let Some(rows) = source.only_batch()? else { return Ok(None) };
        let insert = Insert { strict: true, ..insert.again() };
        let begun = self.begin_insert(Some(seen.clone()), Source::of(rows), insert);
        let error = match begun.and_then(BegunInserts::commit) {
            Ok(inserted) => return Ok(Some(inserted)),
            Err(error) => error,
        };
        // A newer version may be the reason.
        match self.head()? {
            Some(head) if head.info().digest == seen.info().digest => Err(error),
            _ => Ok(None),
        }
    }

    /// Prepares the write of an insert into the version `head`, or of one that creates the collection.
    pub(super) fn fit_insert<'a>(
        &self,
        head: Option<CollectionVersion>,
        mut source: Source<'a>,
        mut insert: Insert<'a>,
    ) -> Result<FittedInsert<'a>> {
        let stated = match insert.schema.take() {
            Some(schema) => Some(schema),
            None if head.is_none() || insert.evolve => source.schema(insert.key.as_deref())?,
            None => None,
        };
        if let (Some(key), Some(head)) = (&insert.key, &head)
            && head.key().map(|field| &field.name) != Some(key)
        {
            let known = head.key().map_or("none".to_owned(), |field| format!("`{}`", field.name));
            return Err(Error::Refused {
                action: format!("insert rows into {} by the key `{key}`", self.name()),
                reason: format!("its key is {known}, and stays so"),
            });
        }
        let created = match (&head, stated.clone()) {
            (Some(_), _) => None,
            (None, Some(schema)) => Some(NewCollection {
                schema,
                key: insert.key.take(),
                valid_permille: insert.valid_permille.unwrap_or(crate::snapshot::VALID_PERMILLE),
            }),
            (None, None) => {
                return Err(Error::Refused {
                    action: format!("create the collection {}", self.name()),
                    reason: "there are no rows to take its fields from; state a schema".into(),
                });
            }
        };
        if let Some(new) = &created {
            // A key that cannot be one is reported before any row.
            crate::snapshot::Snapshot::empty(
                new.schema.clone(),
                new.key.clone(),
                new.valid_permille,
            )?;
        }
        let evolved = match (&head, &stated) {
            (Some(head), Some(newer)) => {
                let schema = head.engine().schema().merged(newer, head.rows() > 0)?;
                (schema != *head.schema()).then_some(schema)
            }
            _ => None,
        };
        let schema = match (&head, &created) {
            (Some(head), _) => evolved.clone().unwrap_or_else(|| head.schema().clone()),
            (None, Some(new)) => new.schema.clone(),
            (None, None) => return Err(Error::internal("a collection has no schema".to_owned())),
        };
        let key = match (&head, &created) {
            (Some(head), _) => head.key().map(|field| field.name.clone()),
            (None, Some(new)) => new.key.clone(),
            (None, None) => None,
        };
        let counts = Rc::new(Counts::default());
        let upsert = insert.upsert;
        if upsert && key.is_none() {
            return Err(Error::Refused {
                action: format!("replace rows of {} by key", self.name()),
                reason: "the collection has no key; insert rows, or update them by a filter".into(),
            });
        }
        let rejects = insert.rejects.take();
        let known = head.clone().filter(|_| rejects.is_some() && !upsert);
        let fitted = Fitted::new(
            source,
            schema,
            key,
            self.name().clone(),
            rejects,
            known,
            Rc::clone(&counts),
        );
        let write = Write { schema: evolved, strict: insert.strict, ..Write::default() };
        let (write, updated) = match (&head, upsert) {
            (Some(head), true) => {
                let (write, updated) = split(head, fitted, write)?;
                counts.inserted.set(counts.inserted.get() - updated);
                (write, updated)
            }
            _ => (Write { inserts: Some(Box::new(fitted)), ..write }, 0),
        };
        Ok(FittedInsert { head, created, write, updated, counts })
    }
}

/// An insert whose rows are read and fitted when its write begins.
pub(super) struct FittedInsert<'a> {
    pub(super) head: Option<CollectionVersion>,
    pub(super) created: Option<NewCollection>,
    pub(super) write: Write<'a>,
    pub(super) updated: u64,
    pub(super) counts: Rc<Counts>,
}

/// Numbers of rows that passed.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) inserted: Cell<u64>,
    pub(super) skipped: Cell<u64>,
}

impl Counts {
    pub(super) fn with_updated(&self, updated: u64) -> InsertCounts {
        InsertCounts { inserted: self.inserted.get(), updated, skipped: self.skipped.get() }
    }
}

/// Divides rows into new ones and those whose key is there. Returns the number of the latter.
fn split<'a>(
    head: &CollectionVersion,
    fitted: Fitted<'a>,
    write: Write<'a>,
) -> Result<(Write<'a>, u64)> {
    let schema = fitted.schema().clone();
    let mut seen = crate::key::KeySet::default();
    let (mut inserts, mut updates, mut updated, mut first) = (Vec::new(), Vec::new(), 0, 0);
    let name = head.info().identifier.clone();
    for batch in fitted {
        let batch = batch?;
        let field = head.key().map(|field| field.name.clone()).unwrap_or_default();
        let at = schema.position(&field)?;
        let keys = KeyColumn::of(batch.column(at))?;
        seen.keep_all();
        let misfits = seen.add(&keys, first, &field);
        if !misfits.0.is_empty() {
            return Err(misfits.into_error("insert rows into", &name));
        }
        first += batch.num_rows() as u64;
        let wanted: Vec<Key> = keys.iter().flatten().map(KeyRef::to_owned).collect();
        let ids = head.find_keys(&wanted)?;
        let is_known: BooleanArray = ids.iter().map(|id| Some(id.is_some())).collect();
        let filtered = |mask: &BooleanArray| {
            filter_record_batch(&batch, mask).map_err(|error| arrow_error("divide rows", error))
        };
        let known: Vec<u64> = ids.into_iter().flatten().collect();
        updated += known.len() as u64;
        if known.len() < batch.num_rows() {
            let is_new = arrow_arith::boolean::not(&is_known)
                .map_err(|error| arrow_error("divide rows", error))?;
            inserts.push(Ok(filtered(&is_new)?));
        }
        if !known.is_empty() {
            updates.push(RowBatch { ids: UInt64Array::from(known), rows: filtered(&is_known)? });
        }
    }
    let inserts = (!inserts.is_empty()).then(|| Box::new(inserts.into_iter()) as _);
    Ok((Write { inserts, updates, ..write }, updated))
}
