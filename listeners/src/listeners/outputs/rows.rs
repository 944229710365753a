//! Rows of outputs, and their batches.

use std::fmt;
use std::sync::Arc;

use arrow_array::builder::{FixedSizeBinaryBuilder, StringBuilder};
use arrow_array::{Array, ArrayRef, RecordBatch, UInt8Array, UInt64Array, new_null_array};
use arrow_schema::{DataType, Field as ArrowField, Schema as ArrowSchema};
use larder_core::Result;
use serde::Serialize;

use larder_collections::extend::arrow_error;

/// Bytes of the fingerprint of an input.
pub(super) const FINGERPRINT: i32 = 16;

/// The fingerprint of an input, which tells whether it changed.
pub(crate) type Fingerprint = [u8; FINGERPRINT as usize];

/// The state of the output of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum OutputStatus {
    /// It is there.
    Ok,
    /// The model failed for the row.
    Failed,
    /// The row has no input: a field of the key is null.
    Empty,
    /// It is of another model, or of a former value of the row.
    Stale,
    /// The row was not reached yet.
    Missing,
}

impl OutputStatus {
    /// Returns its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Empty => "empty",
            Self::Stale => "stale",
            Self::Missing => "missing",
        }
    }

    /// The status in fragments; deleted rows have [`DELETED`].
    pub(super) fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failed => 1,
            _ => 2,
        }
    }

    pub(crate) fn of_code(code: u8) -> Option<Self> {
        [Self::Ok, Self::Failed, Self::Empty].get(usize::from(code)).copied()
    }
}

impl fmt::Display for OutputStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The status of a row that is no longer in the collection.
pub(super) const DELETED: u8 = 3;

/// The stored state of a row, without its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RowState {
    /// None if the row was deleted.
    pub(crate) status: Option<OutputStatus>,
    pub(crate) input: Fingerprint,
    /// It is an output of the current model.
    pub(crate) is_current: bool,
}

/// Rows to be written as one fragment.
#[derive(Default)]
pub(crate) struct NewRows {
    rows: Vec<u64>,
    statuses: Vec<u8>,
    inputs: Vec<Fingerprint>,
    errors: Vec<Option<String>>,
    values: Vec<ArrayRef>,
    bytes: usize,
}

impl NewRows {
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Returns about how many bytes of memory it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes + self.rows.len() * 40
    }

    /// Adds rows with their values; failed ones have an error.
    pub(crate) fn push(
        &mut self,
        rows: &[u64],
        inputs: &[Fingerprint],
        values: ArrayRef,
        failures: Vec<(usize, String)>,
    ) {
        let first = self.rows.len();
        self.rows.extend_from_slice(rows);
        self.inputs.extend_from_slice(inputs);
        self.statuses.resize(self.rows.len(), OutputStatus::Ok.code());
        self.errors.resize(self.rows.len(), None);
        for (at, error) in failures {
            if let (Some(status), Some(text)) =
                (self.statuses.get_mut(first + at), self.errors.get_mut(first + at))
            {
                *status = OutputStatus::Failed.code();
                *text = Some(error);
            }
        }
        self.bytes += values.get_array_memory_size();
        self.values.push(values);
    }

    /// Adds rows without an output: deleted, or without an input.
    pub(crate) fn push_without(&mut self, rows: &[u64], status: Option<OutputStatus>) {
        self.rows.extend_from_slice(rows);
        self.inputs.resize(self.rows.len(), Fingerprint::default());
        self.statuses.resize(self.rows.len(), status.map_or(DELETED, OutputStatus::code));
        self.errors.resize(self.rows.len(), None);
        self.values.push(new_null_array(&DataType::Null, rows.len()));
    }

    /// Returns the batch, ascending by row. Each row was added once.
    pub(crate) fn batch(&self, column: &DataType) -> Result<RecordBatch> {
        let mut order: Vec<u32> = (0..self.rows.len() as u32).collect();
        order.sort_by_key(|at| self.rows[*at as usize]);
        let at = |at: &u32| *at as usize;
        let rows = UInt64Array::from_iter_values(order.iter().map(|it| self.rows[at(it)]));
        let statuses = UInt8Array::from_iter_values(order.iter().map(|it| self.statuses[at(it)]));
        let mut inputs = FixedSizeBinaryBuilder::with_capacity(order.len(), FINGERPRINT);
        let mut errors = StringBuilder::new();
        let failed = |error| arrow_error("make a fragment of outputs", error);
        for it in &order {
            inputs.append_value(self.inputs[at(it)]).map_err(failed)?;
            errors.append_option(self.errors[at(it)].as_deref());
        }
        let values: Vec<ArrayRef> = self
            .values
            .iter()
            .map(|values| match values.data_type() {
                DataType::Null => new_null_array(column, values.len()),
                _ => Arc::clone(values),
            })
            .collect();
        let values: Vec<&dyn Array> = values.iter().map(AsRef::as_ref).collect();
        let values = match &*values {
            [] => new_null_array(column, 0),
            values => arrow_select::concat::concat(values).map_err(failed)?,
        };
        let is_sorted = order.is_sorted();
        let values = match is_sorted {
            true => values,
            false => {
                let order = arrow_array::UInt32Array::from(order);
                arrow_select::take::take(&values, &order, None).map_err(failed)?
            }
        };
        let columns: Vec<ArrayRef> = vec![
            Arc::new(rows),
            Arc::new(statuses),
            Arc::new(inputs.finish()),
            Arc::new(errors.finish()),
            values,
        ];
        RecordBatch::try_new(Arc::new(schema_of(column)), columns).map_err(failed)
    }
}

/// The schema of a fragment whose values have the type `column`.
pub(super) fn schema_of(column: &DataType) -> ArrowSchema {
    ArrowSchema::new(vec![
        ArrowField::new("row", DataType::UInt64, false),
        ArrowField::new("status", DataType::UInt8, false),
        ArrowField::new("input", DataType::FixedSizeBinary(FINGERPRINT), false),
        ArrowField::new("error", DataType::Utf8, true),
        ArrowField::new("value", column.clone(), true),
    ])
}
