//! The outputs of listeners beside rows.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, StructArray, new_null_array};
use arrow_schema::{DataType, Field, Fields, Schema, SchemaRef};
use larder_core::store::Digest;
use larder_core::{Larder, Result};

use super::listener::{Kind, Listener, Work};
use super::outputs::{OutputStatus, Outputs, View};
use super::source::{Changes, Source};
use super::{Listeners, ModelVersion};
use larder_collections::RowBatch;
use larder_collections::extend::arrow_error;

/// The column of outputs.
const COLUMN: &str = "_outputs";

/// The outputs of one listener for some rows.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct OutputColumn {
    /// The name of the listener.
    pub name: String,
    /// The values; null unless the status is `ok` or `stale`.
    pub values: ArrayRef,
    /// The status of each.
    pub statuses: Vec<OutputStatus>,
    /// Why the model failed, for each.
    pub errors: Vec<Option<String>>,
    /// The digest of the model that made each.
    pub models: Vec<Option<Digest>>,
    /// The field that the values stand in for, where it is null.
    pub fills: Option<String>,
}

/// Reads the outputs of the listeners of a collection; by default of none.
#[derive(Default)]
pub struct OutputsReader {
    listeners: Vec<Reader>,
    is_flat: bool,
}

/// The outputs of one listener, and what is stale of them.
pub(super) struct Reader {
    pub(super) listener: Listener,
    pub(super) outputs: Option<Outputs>,
    pub(super) source: Source,
    pub(super) changes: Changes,
    /// The model that predicts now, if it is another than that of the outputs.
    pub(super) other_model: bool,
    changed: BTreeSet<u64>,
}

impl Reader {
    pub(super) fn open(listeners: &Listeners, listener: Listener) -> Result<Option<Self>> {
        let larder = listeners.larder();
        let Some((source, outputs)) = listeners.open(&listener)? else { return Ok(None) };
        let changes = match &outputs {
            Some(outputs) => source.changes(larder, &listener, outputs)?,
            None => Changes::default(),
        };
        let now = current_model(larder, &listener)?;
        let now = now.or_else(|| source.upstream_model(&listener).map(|model| model.digest));
        let other_model =
            outputs.as_ref().is_some_and(|it| it.model.is_some() && it.digest() != now);
        let changed = changes.changed.iter().copied().collect();
        Ok(Some(Self { listener, outputs, source, changes, other_model, changed }))
    }

    /// Returns a column for rows.
    pub(super) fn column(&self, rows: &[u64]) -> Result<OutputColumn> {
        let name = self.listener.name.clone();
        let fills = self.listener.fills.clone();
        let Some(outputs) = &self.outputs else {
            let values = new_null_array(&DataType::Null, rows.len());
            let statuses = vec![OutputStatus::Missing; rows.len()];
            let (errors, models) = (vec![None; rows.len()], vec![None; rows.len()]);
            return Ok(OutputColumn { name, values, statuses, errors, models, fills });
        };
        let what = self.listener.outputs()?.to_string();
        let (found, values) = View::new(outputs, what, self.source.cache()).find(rows)?;
        let statuses = rows.iter().zip(&found).map(|(row, found)| {
            let state = found.as_ref().map(|found| found.state);
            match state.and_then(|state| state.status.map(|status| (state, status))) {
                None => OutputStatus::Missing,
                Some((state, _)) if !state.is_current || self.other_model => OutputStatus::Stale,
                Some(_) if self.changed.contains(row) => OutputStatus::Stale,
                Some((_, status)) => status,
            }
        });
        let statuses = statuses.collect();
        let models = found.iter().map(|found| found.as_ref()?.model).collect();
        let errors = found.into_iter().map(|found| found?.error).collect();
        Ok(OutputColumn { name, values, statuses, errors, models, fills })
    }
}

/// Returns the digest of the model that a listener would use now; none for an index, and if it was removed.
fn current_model(larder: &Larder, listener: &Listener) -> Result<Option<Digest>> {
    use larder_core::Error;
    use larder_core::extend::Records as _;
    let Work::Model { reference, follow, version, .. } = &listener.work else { return Ok(None) };
    if !follow {
        return Ok(Some(version.digest));
    }
    match larder.find(reference) {
        Ok(found) => Ok(Some(found.manifest)),
        // What was computed stays what it is.
        Err(Error::NotFound { .. }) => Ok(Some(version.digest)),
        Err(error) => Err(error),
    }
}

impl OutputsReader {
    /// Returns the columns of all listeners for rows, by name.
    ///
    /// # Errors
    /// [`Error::Corrupt`](larder_core::Error::Corrupt); [`Error::Store`](larder_core::Error::Store).
    pub fn columns(&self, rows: &[u64]) -> Result<Vec<OutputColumn>> {
        self.listeners.iter().map(|reader| reader.column(rows)).collect()
    }

    /// Adds a column `_outputs.NAME` for each listener, instead of one struct `_outputs`: for tables.
    #[must_use]
    pub fn flat(self) -> Self {
        Self { is_flat: true, ..self }
    }

    /// Returns the schema with a field `_outputs`, a struct of the outputs of all listeners; the same without listeners.
    pub fn schema(&self, schema: &SchemaRef) -> SchemaRef {
        if self.is_empty() {
            return Arc::clone(schema);
        }
        let mut fields: Vec<_> = schema.fields().iter().cloned().collect();
        if self.is_flat {
            let flat = |field: &Arc<Field>| {
                Arc::new(field.as_ref().clone().with_name(format!("{COLUMN}.{}", field.name())))
            };
            fields.extend(self.fields().iter().map(flat));
        } else {
            fields.push(Arc::new(Field::new(COLUMN, DataType::Struct(self.fields()), false)));
        }
        Arc::new(Schema::new(fields))
    }

    fn fields(&self) -> Fields {
        let field = |reader: &Reader| {
            let column = reader.outputs.as_ref().and_then(|outputs| outputs.column.as_ref());
            // Without an output, the type is not known.
            let kind = column.map_or(DataType::Utf8, |column| column.arrow().clone());
            Field::new(&reader.listener.name, kind, true)
        };
        self.listeners.iter().map(field).collect()
    }

    /// Returns rows with the column `_outputs`: `ok` and `stale` outputs, null where there is none.
    ///
    /// # Errors
    /// As [`columns`](Self::columns).
    pub fn extend(&self, batch: RowBatch) -> Result<RowBatch> {
        if self.is_empty() {
            return Ok(batch);
        }
        let RowBatch { ids, rows } = batch;
        let fields = self.fields();
        let columns = self.columns(ids.values())?;
        let values = columns.into_iter().zip(&fields).map(|(column, field)| {
            match column.values.data_type() == field.data_type() {
                true => column.values,
                false => new_null_array(field.data_type(), ids.len()),
            }
        });
        let failed = |error| arrow_error("add outputs to rows", error);
        let mut values: Vec<ArrayRef> = values.collect();
        if !self.is_flat {
            let outputs = StructArray::try_new_with_length(fields.clone(), values, None, ids.len());
            values = vec![Arc::new(outputs.map_err(failed)?)];
        }
        let schema = self.schema(rows.schema_ref());
        let columns = rows.columns().iter().cloned().chain(values).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(ids.len()));
        let rows = RecordBatch::try_new_with_options(schema, columns, &options).map_err(failed)?;
        Ok(RowBatch { ids, rows })
    }

    /// Returns the names of the listeners.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.listeners.iter().map(|reader| reader.listener.name.as_str())
    }

    /// Returns true if the collection has no listeners.
    pub fn is_empty(&self) -> bool {
        self.listeners.is_empty()
    }
}

impl OutputColumn {
    /// Returns the output of a row as JSON; null unless it is `ok` or `stale`.
    pub fn json(&self, at: usize) -> serde_json::Value {
        match self.values.data_type() {
            DataType::Null => serde_json::Value::Null,
            _ => larder_collections::value_of(&self.values, at),
        }
    }
}

impl Listeners {
    /// Returns a reader of the outputs that there are now.
    ///
    /// # Errors
    /// [`Error::Corrupt`](larder_core::Error::Corrupt); [`Error::Store`](larder_core::Error::Store).
    pub fn reader(&self) -> Result<OutputsReader> {
        let mut listeners = Vec::new();
        for (_, listener) in self.of_kind(Kind::Listener)? {
            listeners.extend(Reader::open(self, listener)?);
        }
        Ok(OutputsReader { listeners, is_flat: false })
    }

    /// Returns a reader of the outputs of some listeners.
    ///
    /// # Errors
    /// [`Error::Refused`](larder_core::Error::Refused) if there is no such listener; as [`reader`](Self::reader).
    pub fn reader_of(&self, names: &[&str]) -> Result<OutputsReader> {
        let mut listeners = Vec::new();
        for name in names {
            let (_, listener) = self.find(Kind::Listener, name)?;
            listeners.extend(Reader::open(self, listener)?);
        }
        Ok(OutputsReader { listeners, is_flat: false })
    }
}

/// Returns the version of the model of a listener.
pub(super) fn model_of(listener: &Listener) -> Option<&ModelVersion> {
    match &listener.work {
        Work::Model { version, .. } => Some(version),
        Work::Index { .. } => None,
    }
}
