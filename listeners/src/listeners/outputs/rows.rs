//! Rows of outputs that are not written yet.

use std::fmt;
use std::sync::Arc;

use arrow_array::builder::{ArrayBuilder as _, StringBuilder};
use arrow_array::{
    Array, ArrayRef, FixedSizeBinaryArray, StringArray, UInt32Array, new_null_array,
};
use arrow_buffer::{Buffer, ScalarBuffer};
use arrow_schema::DataType;
use larder_core::Result;
use serde::Serialize;

use super::columns::Columns;
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
    /// The fingerprint of its input; none if it was not kept.
    pub(crate) input: Option<Fingerprint>,
    /// The version of the collection that has its input, if the fingerprint was not kept; 0 if it is not known.
    pub(crate) seen: u64,
    /// It is an output of the current model.
    pub(crate) is_current: bool,
}

/// Rows to be written as one fragment.
#[derive(Default)]
pub(crate) struct NewRows {
    rows: Vec<u64>,
    codes: Vec<u8>,
    inputs: Option<Vec<Fingerprint>>,
    /// Why rows failed, by position.
    errors: Vec<(usize, String)>,
    values: Vec<ArrayRef>,
    bytes: usize,
}

impl NewRows {
    /// Returns no rows, with room for `room`; `keeps_inputs` if the fingerprints of their inputs are written.
    pub(crate) fn new(keeps_inputs: bool, room: usize) -> Self {
        let (rows, codes) = (Vec::with_capacity(room), Vec::with_capacity(room));
        Self { rows, codes, inputs: keeps_inputs.then(Vec::new), ..Self::default() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn keeps_inputs(&self) -> bool {
        self.inputs.is_some()
    }

    /// Drops the fingerprints of all inputs.
    pub(crate) fn drop_inputs(&mut self) {
        self.inputs = None;
    }

    /// Returns about how many bytes of memory it takes.
    pub(crate) fn bytes(&self) -> usize {
        let each = if self.keeps_inputs() { 9 + FINGERPRINT as usize } else { 9 };
        self.bytes + self.rows.len() * each
    }

    /// Adds rows with their values; failed ones have an error. `inputs` are needed if they are kept.
    pub(crate) fn push(
        &mut self,
        rows: &[u64],
        inputs: &[Fingerprint],
        values: ArrayRef,
        failures: Vec<(usize, String)>,
    ) {
        let first = self.rows.len();
        self.rows.extend_from_slice(rows);
        if let Some(kept) = &mut self.inputs {
            kept.extend_from_slice(inputs);
        }
        self.codes.resize(self.rows.len(), OutputStatus::Ok.code());
        for (at, error) in failures {
            if let Some(code) = self.codes.get_mut(first + at) {
                *code = OutputStatus::Failed.code();
                self.bytes += error.len();
                self.errors.push((first + at, error));
            }
        }
        self.bytes += values.get_array_memory_size();
        self.values.push(values);
    }

    /// Adds rows without an output: deleted, or without an input.
    pub(crate) fn push_without(&mut self, rows: &[u64], status: Option<OutputStatus>) {
        self.rows.extend_from_slice(rows);
        if let Some(kept) = &mut self.inputs {
            kept.resize(self.rows.len(), Fingerprint::default());
        }
        self.codes.resize(self.rows.len(), status.map_or(DELETED, OutputStatus::code));
        self.values.push(new_null_array(&DataType::Null, rows.len()));
    }

    /// Returns the columns, ascending by row. Each row was added once.
    pub(crate) fn columns(self, column: &DataType) -> Result<Columns> {
        let failed = |error| arrow_error("make a fragment of outputs", error);
        let values: Vec<ArrayRef> = self
            .values
            .iter()
            .map(|values| match values.data_type() {
                DataType::Null => new_null_array(column, values.len()),
                _ => Arc::clone(values),
            })
            .collect();
        let values = match &*values {
            [] => new_null_array(column, 0),
            [only] => Arc::clone(only),
            values => {
                let values: Vec<&dyn Array> = values.iter().map(AsRef::as_ref).collect();
                arrow_select::concat::concat(&values).map_err(failed)?
            }
        };
        let fingerprints = |inputs: Vec<Fingerprint>| {
            let bytes = Buffer::from_vec(inputs.into_flattened());
            FixedSizeBinaryArray::try_new(FINGERPRINT, bytes, None).map_err(failed)
        };
        let rows = self.rows.len();
        let errors = match &*self.errors {
            [] => StringArray::new_null(rows),
            errors => {
                let mut builder = StringBuilder::new();
                for (at, text) in errors {
                    (builder.len()..*at).for_each(|_| builder.append_null());
                    builder.append_value(text);
                }
                (builder.len()..rows).for_each(|_| builder.append_null());
                builder.finish()
            }
        };
        let columns = Columns {
            rows: ScalarBuffer::from(self.rows),
            codes: ScalarBuffer::from(self.codes),
            inputs: self.inputs.map(fingerprints).transpose()?,
            errors,
            values,
        };
        if columns.rows.is_sorted() {
            return Ok(columns);
        }
        let mut order: Vec<u32> = (0..rows as u32).collect();
        order.sort_by_key(|at| columns.rows[*at as usize]);
        columns.take(&UInt32Array::from(order))
    }
}
