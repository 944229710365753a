//! Versions of a collection with the outputs of its listeners as fields.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, StringArray, UInt64Array,
    new_null_array,
};
use arrow_schema::SchemaRef;
use arrow_select::filter::{filter, filter_record_batch};
use larder_collections::extend::{BoundFilter, arrow_error, is_computed};
use larder_collections::{
    CollectionVersion, Delta, EngineVersion, Field, FieldType, Filter, Find, Key, Layout, RowBatch,
    RowBatches, Scan, Schema, VectorPart,
};
use larder_core::{Error, Result, VersionInfo};

use super::Listeners;
use super::columns::{OutputColumn, Reader};
use super::listener::{Kind, OUTPUTS};

/// The prefix of fields with the status of outputs.
const STATUS: &str = "_status.";

impl Listeners {
    /// Returns a version with the outputs of its listeners as fields: `_outputs.NAME`, which is null unless its status is
    /// `ok` or `stale`, and the text `_status.NAME`. They can be filtered and sorted by; they are read if they are named.
    ///
    /// The outputs are those there are now, also of an older version.
    ///
    /// ```
    /// use larder_collections::Find;
    /// use larder_listeners::LarderListeners;
    ///
    /// fn good(larder: &larder_core::Larder) -> larder_core::Result<()> {
    ///     let listeners = larder.listeners("shop/reviews")?;
    ///     let find = Find::default().filter("_outputs.mood = 'good' and stars < 3".parse()?);
    ///     for batch in listeners.find_rows(&find)? {
    ///         println!("{} rows", batch?.ids.len());
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// [`Error::Corrupt`]; [`Error::Store`].
    pub fn with_outputs(&self, version: &CollectionVersion) -> Result<CollectionVersion> {
        let mut readers = Vec::new();
        for (_, listener) in self.of_kind(Kind::Listener)? {
            readers.extend(Reader::open(self, listener)?);
        }
        let version = Arc::clone(version.engine());
        let text: FieldType = "text".parse()?;
        let mut fields = Vec::new();
        for reader in &readers {
            let name = &reader.listener.name;
            // Without an output, the type is not known.
            let kind = reader.outputs.as_ref().and_then(|outputs| outputs.column.clone());
            let kind = kind.unwrap_or_else(|| text.clone());
            fields.push(Field::new(format!("{OUTPUTS}{name}"), kind).nullable());
            fields.push(Field::new(format!("{STATUS}{name}"), text.clone()));
        }
        let schema = version.schema().with_computed(fields);
        let beside = Arc::new(Beside { version, readers, schema });
        Ok(CollectionVersion::new(Arc::new(WithOutputs(beside))))
    }

    /// Returns the version, with outputs as fields if `find` names one.
    ///
    /// # Errors
    /// As [`with_outputs`](Self::with_outputs).
    pub fn version_for(
        &self,
        find: &Find,
        version: &CollectionVersion,
    ) -> Result<CollectionVersion> {
        let by_order = find.order.iter().any(|order| is_computed(&order.field));
        let by_column = find.scan.columns.iter().flatten().any(|name| is_computed(name));
        let by_filter = find.scan.filter.as_ref().is_some_and(|it| it.mentions(is_computed));
        match by_order || by_column || by_filter {
            true => self.with_outputs(version),
            false => Ok(version.clone()),
        }
    }

    /// Finds rows of the newest version, with the column `_outputs` unless columns are stated. Filter, order and columns
    /// may name `_outputs.NAME` and `_status.NAME`: see [`with_outputs`](Self::with_outputs).
    ///
    /// # Errors
    /// [`Error::NotFound`] for the collection; [`Error::InvalidName`] for an unknown field or listener;
    /// [`Error::Corrupt`]; [`Error::Store`].
    pub fn find_rows(&self, find: &Find) -> Result<RowBatches> {
        let version = self.version_for(find, &CollectionVersion::new(self.newest()?))?;
        let batches = version.find(find)?;
        if find.scan.columns.is_some() {
            return Ok(batches);
        }
        let reader = self.reader()?;
        Ok(Box::new(batches.map(move |batch| reader.extend(batch?))))
    }
}

/// A version with outputs as fields.
#[derive(Clone)]
struct WithOutputs(Arc<Beside>);

struct Beside {
    version: Arc<dyn EngineVersion>,
    readers: Vec<Reader>,
    /// The fields of the version, and two of each listener.
    schema: Schema,
}

/// A computed field: the position of its listener, and whether it is the status.
type Computed = (usize, bool);

impl Beside {
    fn computed(&self, at: usize) -> Option<Computed> {
        let at = at.checked_sub(self.version.schema().fields().len())?;
        Some((at / 2, at % 2 == 1))
    }

    /// Returns the positions of fields, and the schema of a batch of them.
    fn projected(&self, columns: Option<&[String]>) -> Result<(Vec<usize>, SchemaRef)> {
        let wanted: Vec<usize> = match columns {
            None => (0..self.version.schema().fields().len()).collect(),
            Some(names) => {
                names.iter().map(|name| self.schema.position(name)).collect::<Result<_>>()?
            }
        };
        let schema = self.schema.arrow().project(&wanted);
        let schema = schema.map_err(|error| arrow_error("select fields", error))?;
        Ok((wanted, Arc::new(schema)))
    }

    /// Returns the names of the stored fields among some.
    fn stored<'a>(&self, fields: impl IntoIterator<Item = &'a usize>) -> Vec<String> {
        let mut stored: BTreeSet<usize> = fields.into_iter().copied().collect();
        stored.retain(|at| self.computed(*at).is_none());
        stored.into_iter().map(|at| self.schema.fields()[at].name.clone()).collect()
    }

    fn bound(&self, filter: &Filter) -> Result<BoundFilter> {
        BoundFilter::new(filter, &self.schema).map_err(|error| {
            let is_unknown = |reader: &&Reader| {
                let column = reader.outputs.as_ref().and_then(|outputs| outputs.column.as_ref());
                let name = format!("{OUTPUTS}{}", reader.listener.name);
                column.is_none() && filter.mentions(|it| it == name)
            };
            match self.readers.iter().find(is_unknown) {
                Some(reader) => Error::Refused {
                    action: format!(
                        "compare the outputs of `{}` of {}",
                        reader.listener.name, reader.listener.collection
                    ),
                    reason: "it has none yet, so their type is not known; wait for its job".into(),
                },
                None => error,
            }
        })
    }

    /// Returns the columns of fields for a batch of stored fields.
    fn columns(&self, batch: &RowBatch, fields: &[usize]) -> Result<Vec<ArrayRef>> {
        let rows = batch.ids.values();
        let mut outputs: BTreeMap<usize, OutputColumn> = BTreeMap::new();
        let mut columns = Vec::with_capacity(fields.len());
        for &at in fields {
            let field = &self.schema.fields()[at];
            let Some((listener, is_status)) = self.computed(at) else {
                let column = batch.rows.column_by_name(&field.name).cloned();
                columns.push(column.ok_or_else(|| {
                    Error::internal(format!("the column `{}` was not read", field.name))
                })?);
                continue;
            };
            let output = match outputs.entry(listener) {
                std::collections::btree_map::Entry::Occupied(known) => known.into_mut(),
                std::collections::btree_map::Entry::Vacant(entry) => {
                    entry.insert(self.readers[listener].column(rows)?)
                }
            };
            let kind = field.kind.arrow();
            columns.push(match is_status {
                true => {
                    let statuses = output.statuses.iter().map(|status| status.as_str());
                    Arc::new(StringArray::from_iter_values(statuses))
                }
                false if output.values.data_type() == kind => Arc::clone(&output.values),
                false => new_null_array(kind, rows.len()),
            });
        }
        Ok(columns)
    }

    /// Returns the rows of a batch that match, with the fields that are wanted; none if no row matches.
    fn read(
        &self,
        mut batch: RowBatch,
        bound: Option<&BoundFilter>,
        wanted: &[usize],
        schema: &SchemaRef,
    ) -> Result<Option<RowBatch>> {
        if let Some(bound) = bound {
            let columns = self.columns(&batch, bound.fields())?;
            let kept = bound.matches(&columns, batch.ids.len())?;
            batch = chosen(batch, &kept)?;
            if batch.ids.is_empty() {
                return Ok(None);
            }
        }
        let columns = self.columns(&batch, wanted)?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.ids.len()));
        let rows = RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options);
        let rows = rows.map_err(|error| arrow_error("add outputs to rows", error))?;
        Ok(Some(RowBatch { ids: batch.ids, rows }))
    }
}

/// Returns the rows of a batch that are kept.
fn chosen(batch: RowBatch, kept: &BooleanArray) -> Result<RowBatch> {
    let count = kept.true_count();
    if count == batch.ids.len() {
        return Ok(batch);
    }
    let failed = |error| arrow_error("filter rows", error);
    let ids = filter(&batch.ids, kept).map(|ids| UInt64Array::from(ids.to_data()));
    let rows = filter_record_batch(&batch.rows, kept).map_err(failed)?;
    Ok(RowBatch { ids: ids.map_err(failed)?, rows })
}

impl EngineVersion for WithOutputs {
    fn info(&self) -> &VersionInfo {
        self.0.version.info()
    }

    fn schema(&self) -> &Schema {
        &self.0.schema
    }

    fn key(&self) -> Option<&str> {
        self.0.version.key()
    }

    fn valid_permille(&self) -> u16 {
        self.0.version.valid_permille()
    }

    fn rows(&self) -> u64 {
        self.0.version.rows()
    }

    fn layout(&self) -> Layout {
        self.0.version.layout()
    }

    /// Conditions on stored fields alone are those of the scan of the version.
    fn scan(&self, scan: &Scan) -> Result<RowBatches> {
        let beside = Arc::clone(&self.0);
        let (wanted, schema) = beside.projected(scan.columns.as_deref())?;
        if let Some(filter) = &scan.filter {
            // Unknown names are compared with those of all fields.
            beside.bound(filter)?;
        }
        let (first, rest) = match scan.filter.clone() {
            Some(filter) => filter.split(|name| !is_computed(name)),
            None => (None, None),
        };
        let bound = rest.map(|rest| beside.bound(&rest)).transpose()?;
        let needed = wanted.iter().chain(bound.iter().flat_map(BoundFilter::fields));
        let mut pushed = scan.clone();
        (pushed.columns, pushed.filter) = (Some(beside.stored(needed)), first);
        let batches = beside.version.scan(&pushed)?;
        Ok(Box::new(batches.filter_map(move |batch| {
            batch.and_then(|batch| beside.read(batch, bound.as_ref(), &wanted, &schema)).transpose()
        })))
    }

    fn take(&self, ids: &[u64], columns: Option<&[String]>) -> Result<RowBatch> {
        let (wanted, schema) = self.0.projected(columns)?;
        let stored = self.0.version.take(ids, Some(&self.0.stored(&wanted)))?;
        let found = self.0.read(stored, None, &wanted, &schema)?;
        found.ok_or_else(|| Error::internal("rows were filtered"))
    }

    fn find_keys(&self, keys: &[Key]) -> Result<Vec<Option<u64>>> {
        self.0.version.find_keys(keys)
    }

    fn delta(&self, from: &dyn EngineVersion) -> Result<Delta> {
        self.0.version.delta(from)
    }

    fn vectors(&self, field: &str) -> Result<Box<dyn Iterator<Item = Result<VectorPart>> + Send>> {
        self.0.version.vectors(field)
    }

    /// Writes are based on the version itself.
    fn as_any(&self) -> &dyn Any {
        self.0.version.as_any()
    }
}

impl fmt::Debug for WithOutputs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WithOutputs({})", self.info().reference())
    }
}
