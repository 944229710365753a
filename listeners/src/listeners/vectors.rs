//! The vectors of a field, for an index.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Float32Type;
use arrow_array::{Array, ArrayRef, FixedSizeListArray, Float32Array};
use arrow_cast::cast;
use arrow_schema::{DataType, Field as ArrowField};
use larder_core::{Error, Result};

use super::predict::Predicted;
use larder_collections::FieldType;
use larder_collections::extend::arrow_error;

/// Returns whether an index takes fields of this type: lists and vectors of numbers.
pub(crate) fn has_vectors(kind: &DataType) -> bool {
    match kind {
        DataType::List(item) | DataType::FixedSizeList(item, _) => item.data_type().is_numeric(),
        _ => false,
    }
}

/// Returns the length of the vectors in a column of an index.
pub(crate) fn width_of(column: &Option<FieldType>) -> Option<usize> {
    match column.as_ref()?.arrow() {
        DataType::FixedSizeList(_, width) => usize::try_from(*width).ok(),
        _ => None,
    }
}

/// Returns the vectors of a column as `f32`. Those of another length than the first, and those with a number that is
/// not finite, fail.
pub(crate) fn vectors_of(column: &ArrayRef, kind: &mut Option<FieldType>) -> Result<Predicted> {
    let ranges: Vec<(usize, usize)> = match column.data_type() {
        DataType::List(_) => {
            let offsets = column.as_list::<i32>().value_offsets();
            offsets.windows(2).map(|pair| (pair[0] as usize, pair[1] as usize)).collect()
        }
        DataType::FixedSizeList(_, width) => {
            let list = column.as_fixed_size_list();
            let width = *width as usize;
            let from = |at: usize| list.value_offset(at) as usize;
            (0..list.len()).map(|at| (from(at), from(at) + width)).collect()
        }
        other => {
            return Err(Error::internal(format!("an index of {other}")));
        }
    };
    let values = match column.data_type() {
        DataType::List(_) => column.as_list::<i32>().values(),
        _ => column.as_fixed_size_list().values(),
    };
    let failed = |error| arrow_error("read vectors", error);
    let numbers = cast(values, &DataType::Float32).map_err(failed)?;
    let numbers: &Float32Array = numbers.as_primitive::<Float32Type>();
    let first = ranges.iter().map(|(from, to)| to - from).find(|length| *length > 0);
    let Some(width) = width_of(kind).or(first) else {
        let reason = "the vector has no numbers".to_owned();
        let failures = (0..column.len()).map(|at| (at, reason.clone())).collect();
        let values = arrow_array::new_null_array(&DataType::Null, column.len());
        return Ok(Predicted { values, failures });
    };
    let mut all = Vec::with_capacity(column.len() * width);
    let mut failures = Vec::new();
    for (at, (from, to)) in ranges.into_iter().enumerate() {
        let vector = numbers.values().get(from..to).unwrap_or_default();
        let has_null = numbers.null_count() > 0 && (from..to).any(|at| numbers.is_null(at));
        let reason = match vector {
            vector if vector.len() != width => {
                Some(format!("the vector has {} numbers, and the index {width}", vector.len()))
            }
            _ if has_null => Some("the vector has a null".to_owned()),
            vector => {
                let bad = vector.iter().find(|number| !number.is_finite());
                bad.map(|bad| format!("the vector has a {bad}, which is not near to anything"))
            }
        };
        match reason {
            None => all.extend_from_slice(vector),
            Some(reason) => {
                all.resize(all.len() + width, 0.0);
                failures.push((at, reason));
            }
        }
    }
    let item = Arc::new(ArrowField::new("item", DataType::Float32, false));
    let length = i32::try_from(width).map_err(|error| Error::internal(error.to_string()))?;
    let type_of = FieldType::of(&DataType::FixedSizeList(Arc::clone(&item), length))?;
    let values = Arc::new(Float32Array::from(all));
    let vectors = FixedSizeListArray::try_new(item, length, values, None).map_err(failed)?;
    *kind = Some(type_of);
    Ok(Predicted { values: Arc::new(vectors), failures })
}
