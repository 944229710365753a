//! The columns of a fragment of outputs. Those that follow from the others are not written.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{UInt8Type, UInt64Type};
use arrow_array::{
    Array, ArrayRef, FixedSizeBinaryArray, PrimitiveArray, RecordBatch, RecordBatchOptions,
    StringArray, UInt32Array,
};
use arrow_buffer::ScalarBuffer;
use arrow_schema::{ArrowError, DataType, Field, Schema};
use arrow_select::interleave::interleave;
use arrow_select::take::take;
use larder_core::Result;

use super::OutputFragment;
use super::rows::FINGERPRINT;
use larder_collections::extend::arrow_error;

/// All columns of a fragment.
#[derive(Debug, Clone)]
pub(crate) struct Columns {
    /// The ids, ascending, each once.
    pub(super) rows: ScalarBuffer<u64>,
    pub(super) codes: ScalarBuffer<u8>,
    /// None if the fragment names the version of the collection that has the inputs.
    pub(super) inputs: Option<FixedSizeBinaryArray>,
    pub(super) errors: StringArray,
    pub(super) values: ArrayRef,
}

/// A place in one of two: 0 or 1, and the position in it.
pub(super) type Place = (usize, usize);

impl Columns {
    /// Returns the batch of a file.
    pub(super) fn batch(&self) -> Result<RecordBatch> {
        let mut columns: Vec<(Field, ArrayRef)> = Vec::new();
        if !follow_each_other(&self.rows) || !takes_bytes(self.values.data_type()) {
            let rows = PrimitiveArray::<UInt64Type>::new(self.rows.clone(), None);
            columns.push((Field::new("row", DataType::UInt64, false), Arc::new(rows)));
        }
        if self.codes.iter().any(|code| *code != 0) {
            let codes = PrimitiveArray::<UInt8Type>::new(self.codes.clone(), None);
            columns.push((Field::new("status", DataType::UInt8, false), Arc::new(codes)));
        }
        if let Some(inputs) = &self.inputs {
            let kind = DataType::FixedSizeBinary(FINGERPRINT);
            columns.push((Field::new("input", kind, false), Arc::new(inputs.clone())));
        }
        if self.errors.null_count() < self.errors.len() {
            columns
                .push((Field::new("error", DataType::Utf8, true), Arc::new(self.errors.clone())));
        }
        let value = Field::new("value", self.values.data_type().clone(), true);
        columns.push((value, Arc::clone(&self.values)));
        let (fields, columns): (Vec<_>, _) = columns.into_iter().unzip();
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows.len()));
        RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)
            .map_err(failed)
    }

    /// Returns the columns of a file; none if they are not those of outputs.
    pub(super) fn of(batch: &RecordBatch, stored: &OutputFragment) -> Option<Self> {
        let count = batch.num_rows();
        let schema = batch.schema_ref();
        let mut fields = schema.fields().iter().zip(batch.columns()).peekable();
        let mut next = |name: &str, kind: &DataType, is_nullable: bool| {
            let is_it = |(field, _): &(&Arc<Field>, &ArrayRef)| {
                field.name() == name
                    && field.data_type() == kind
                    && field.is_nullable() == is_nullable
            };
            fields.next_if(is_it).map(|(_, column)| Arc::clone(column))
        };
        let rows = next("row", &DataType::UInt64, false);
        let codes = next("status", &DataType::UInt8, false);
        let inputs = next("input", &DataType::FixedSizeBinary(FINGERPRINT), false);
        let errors = next("error", &DataType::Utf8, true);
        let (field, values) = fields.next()?;
        if field.name() != "value" || fields.next().is_some() {
            return None;
        }
        let rows = match rows {
            Some(rows) => rows.as_primitive::<UInt64Type>().values().clone(),
            // Otherwise forged numbers would take any amount of memory.
            None if !takes_bytes(values.data_type()) => return None,
            None if stored.last.checked_sub(stored.first)?.checked_add(1)? == count as u64 => {
                (stored.first..=stored.last).collect()
            }
            None => return None,
        };
        if inputs.is_none() && stored.seen.is_none() {
            return None;
        }
        Some(Self {
            rows,
            codes: match codes {
                Some(codes) => codes.as_primitive::<UInt8Type>().values().clone(),
                None => vec![0; count].into(),
            },
            inputs: inputs.map(|inputs| inputs.as_fixed_size_binary().clone()),
            errors: match errors {
                Some(errors) => errors.as_string::<i32>().clone(),
                None => StringArray::new_null(count),
            },
            values: Arc::clone(values),
        })
    }

    /// Returns the rows at positions, in their order.
    pub(super) fn take(&self, order: &UInt32Array) -> Result<Self> {
        let places: Vec<_> = order.values().iter().map(|at| (0, *at as usize)).collect();
        let inputs = self.inputs.as_ref().map(|inputs| take(inputs, order, None));
        let inputs = inputs.transpose().map_err(failed)?;
        Ok(Self {
            rows: places.iter().map(|(_, at)| self.rows[*at]).collect(),
            codes: places.iter().map(|(_, at)| self.codes[*at]).collect(),
            inputs: inputs.map(|inputs| inputs.as_fixed_size_binary().clone()),
            errors: take(&self.errors, order, None).map_err(failed)?.as_string::<i32>().clone(),
            values: take(&self.values, order, None).map_err(failed)?,
        })
    }

    /// Returns the rows at places of two, which both have values of one type.
    pub(super) fn interleaved(one: &Self, two: &Self, places: &[Place]) -> Result<Self> {
        let both = [one, two];
        let join = |one: &dyn Array, two: &dyn Array| -> Result<ArrayRef, ArrowError> {
            interleave(&[one, two], places)
        };
        let inputs = match (&one.inputs, &two.inputs) {
            (Some(one), Some(two)) => Some(join(one, two).map_err(failed)?),
            _ => None,
        };
        let errors = join(&one.errors, &two.errors).map_err(failed)?;
        Ok(Self {
            rows: places.iter().map(|(which, at)| both[*which].rows[*at]).collect(),
            codes: places.iter().map(|(which, at)| both[*which].codes[*at]).collect(),
            inputs: inputs.map(|inputs| inputs.as_fixed_size_binary().clone()),
            errors: errors.as_string::<i32>().clone(),
            values: join(&one.values, &two.values).map_err(failed)?,
        })
    }

    /// Returns about how many bytes of memory they take.
    pub(super) fn bytes(&self) -> usize {
        let inputs = self.inputs.as_ref().map_or(0, Array::get_array_memory_size);
        let errors = if self.errors.null_count() < self.errors.len() {
            self.errors.get_array_memory_size()
        } else {
            0
        };
        self.rows.len() * 9 + inputs + errors + self.values.get_array_memory_size()
    }
}

fn failed(error: ArrowError) -> larder_core::Error {
    arrow_error("make a fragment of outputs", error)
}

/// Returns whether ids, which ascend, are all of a range.
fn follow_each_other(rows: &[u64]) -> bool {
    match rows {
        [first, .., last] => last - first == rows.len() as u64 - 1,
        _ => true,
    }
}

/// Returns whether each value takes some part of a file, so that the file's size bounds their number.
fn takes_bytes(kind: &DataType) -> bool {
    match kind {
        DataType::Null | DataType::RunEndEncoded(..) => false,
        DataType::FixedSizeBinary(size) => *size > 0,
        DataType::FixedSizeList(item, size) => *size > 0 && takes_bytes(item.data_type()),
        DataType::Struct(fields) => fields.iter().any(|field| takes_bytes(field.data_type())),
        _ => true,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use arrow_array::types::Int64Type;
    use arrow_array::{Int64Array, RunArray};
    use larder_collections::ArrowFile;
    use larder_core::Artifact;

    use super::*;

    #[test]
    fn a_number_of_rows_that_no_bytes_bound_needs_their_ids() {
        let rows = 1_u64 << 50;
        let ends = Int64Array::from(vec![rows as i64]);
        let values = RunArray::<Int64Type>::try_new(&ends, &StringArray::from(vec!["a"])).unwrap();
        let field = Field::new("value", values.data_type().clone(), true);
        let schema = Arc::new(Schema::new(vec![field]));
        let batch = RecordBatch::try_new(schema, vec![Arc::new(values)]).unwrap();
        let file = ArrowFile::of(&RecordBatch::new_empty(Arc::new(Schema::empty()))).unwrap();
        let stored = OutputFragment {
            rows,
            first: 0,
            last: rows - 1,
            bytes: file.size(),
            data: Artifact::new(file),
            model: None,
            seen: Some(1),
        };
        assert!(Columns::of(&batch, &stored).is_none());
    }
}
