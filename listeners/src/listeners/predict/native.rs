//! Columns as vectors of a model's own types, without a value of serde for each row.

use std::any::Any;
use std::sync::Arc;

use arrow_array::builder::BooleanBufferBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, BooleanArray, ListArray, PrimitiveArray, StringArray};
use arrow_buffer::{OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, FieldRef};

/// Calls a function with the type of Arrow whose values are numbers of Rust; none for other types.
macro_rules! with_number {
    ($kind:expr, $call:ident($($argument:expr),*)) => {
        match $kind {
            DataType::Int8 => $call::<Int8Type>($($argument),*),
            DataType::Int16 => $call::<Int16Type>($($argument),*),
            DataType::Int32 => $call::<Int32Type>($($argument),*),
            DataType::Int64 => $call::<Int64Type>($($argument),*),
            DataType::UInt8 => $call::<UInt8Type>($($argument),*),
            DataType::UInt16 => $call::<UInt16Type>($($argument),*),
            DataType::UInt32 => $call::<UInt32Type>($($argument),*),
            DataType::UInt64 => $call::<UInt64Type>($($argument),*),
            DataType::Float32 => $call::<Float32Type>($($argument),*),
            DataType::Float64 => $call::<Float64Type>($($argument),*),
            _ => None,
        }
    };
}

/// Returns the values of some rows: a `Vec` of numbers, booleans, texts, or vectors of numbers; none for other types,
/// and if one is null.
pub(super) fn inputs(column: &ArrayRef, from: usize, to: usize) -> Option<Box<dyn Any>> {
    let column = column.slice(from, to - from);
    if column.null_count() > 0 {
        return None;
    }
    match column.data_type() {
        DataType::Boolean => {
            Some(Box::new(column.as_boolean().values().iter().collect::<Vec<_>>()))
        }
        DataType::Utf8 => {
            let texts = column.as_string::<i32>().iter().flatten().map(str::to_owned);
            Some(Box::new(texts.collect::<Vec<_>>()))
        }
        DataType::List(item) => with_number!(item.data_type(), lists(&column)),
        DataType::FixedSizeList(item, _) => with_number!(item.data_type(), vectors(&column)),
        kind => with_number!(kind, numbers(&column)),
    }
}

fn numbers<T: ArrowPrimitiveType>(column: &ArrayRef) -> Option<Box<dyn Any>> {
    Some(Box::new(column.as_primitive::<T>().values().to_vec()))
}

fn lists<T: ArrowPrimitiveType>(column: &ArrayRef) -> Option<Box<dyn Any>> {
    let column = column.as_list::<i32>();
    let values = column.values().as_primitive::<T>();
    let ends = column.value_offsets().windows(2);
    let ranges = ends.map(|pair| pair[0] as usize..pair[1] as usize);
    of_ranges(values, ranges)
}

fn vectors<T: ArrowPrimitiveType>(column: &ArrayRef) -> Option<Box<dyn Any>> {
    let column = column.as_fixed_size_list();
    let (values, width) = (column.values().as_primitive::<T>(), column.value_length() as usize);
    let starts = (0..column.len()).map(|at| column.value_offset(at) as usize);
    of_ranges(values, starts.map(|start| start..start + width))
}

fn of_ranges<T: ArrowPrimitiveType>(
    values: &PrimitiveArray<T>,
    ranges: impl Iterator<Item = std::ops::Range<usize>>,
) -> Option<Box<dyn Any>> {
    if values.null_count() > 0 {
        return None;
    }
    let vectors = ranges.map(|range| values.values().get(range).map(<[_]>::to_vec));
    Some(Box::new(vectors.collect::<Option<Vec<_>>>()?))
}

/// The outputs of a model, as a `Vec` of its own type.
pub(super) struct Outputs {
    values: Box<dyn Any>,
    column: fn(Box<dyn Any>, &DataType) -> Option<ArrayRef>,
}

impl Outputs {
    /// Returns a `Vec` without elements for a column; none for types that have no such `Vec`.
    pub(super) fn new(kind: &DataType) -> Option<Self> {
        match kind {
            DataType::Boolean => Some(Self {
                values: Box::new(Vec::<bool>::new()),
                column: |values, _| {
                    let values = values.downcast::<Vec<bool>>().ok()?;
                    let mut bits = BooleanBufferBuilder::new(values.len());
                    bits.append_slice(&values);
                    Some(Arc::new(BooleanArray::new(bits.finish(), None)))
                },
            }),
            DataType::Utf8 => Some(Self {
                values: Box::new(Vec::<String>::new()),
                column: |values, _| {
                    let values = values.downcast::<Vec<String>>().ok()?;
                    // Longer ones than a column holds take the way through serde, which names the row.
                    let bytes: usize = values.iter().map(String::len).sum();
                    i32::try_from(bytes).ok()?;
                    Some(Arc::new(StringArray::from_iter_values(*values)))
                },
            }),
            DataType::List(item) => with_number!(item.data_type(), new_lists()),
            kind => with_number!(kind, new_numbers()),
        }
    }

    pub(super) fn values(&mut self) -> &mut dyn Any {
        &mut *self.values
    }

    /// Returns the column; none if its values are too long.
    pub(super) fn column(self, kind: &DataType) -> Option<ArrayRef> {
        (self.column)(self.values, kind)
    }
}

fn new_numbers<T: ArrowPrimitiveType>() -> Option<Outputs> {
    Some(Outputs {
        values: Box::new(Vec::<T::Native>::new()),
        column: |values, _| {
            let values = *values.downcast::<Vec<T::Native>>().ok()?;
            Some(Arc::new(PrimitiveArray::<T>::new(ScalarBuffer::from(values), None)))
        },
    })
}

fn new_lists<T: ArrowPrimitiveType>() -> Option<Outputs> {
    Some(Outputs {
        values: Box::new(Vec::<Vec<T::Native>>::new()),
        column: |values, kind| {
            let DataType::List(item) = kind else { return None };
            let lists = *values.downcast::<Vec<Vec<T::Native>>>().ok()?;
            let total: usize = lists.iter().map(Vec::len).sum();
            i32::try_from(total).ok()?;
            let offsets = OffsetBuffer::from_lengths(lists.iter().map(Vec::len));
            let values = PrimitiveArray::<T>::from_iter_values(lists.into_iter().flatten());
            let item = FieldRef::clone(item);
            Some(Arc::new(ListArray::try_new(item, offsets, Arc::new(values), None).ok()?))
        },
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use larder_collections::FieldType;

    use super::*;

    /// Takes a column apart and puts it together again.
    fn through<T: 'static>(column: &ArrayRef, from: usize, to: usize) -> ArrayRef {
        let mut inputs = inputs(column, from, to).unwrap();
        let mut outputs = Outputs::new(column.data_type()).unwrap();
        let inputs = inputs.downcast_mut::<Vec<T>>().unwrap();
        *outputs.values().downcast_mut::<Vec<T>>().unwrap() = std::mem::take(inputs);
        outputs.column(column.data_type()).unwrap()
    }

    #[test]
    fn columns_come_back_as_they_went() {
        let numbers: ArrayRef =
            Arc::new(PrimitiveArray::<Float64Type>::from(vec![1.0, 2.0, f64::INFINITY]));
        assert_eq!(&through::<f64>(&numbers, 1, 3), &numbers.slice(1, 2));
        let bits: ArrayRef = Arc::new(BooleanArray::from(vec![true, false, true]));
        assert_eq!(&through::<bool>(&bits, 1, 3), &bits.slice(1, 2));
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["a", "", "ß"]));
        assert_eq!(&through::<String>(&texts, 0, 3), &texts);
        let kind: FieldType = "list<float32>".parse().unwrap();
        let DataType::List(item) = kind.arrow() else { panic!("{kind}") };
        let offsets = OffsetBuffer::from_lengths([2, 0, 1]);
        let values = Arc::new(PrimitiveArray::<Float32Type>::from(vec![1.0, 2.0, 3.0]));
        let lists = ListArray::try_new(FieldRef::clone(item), offsets, values, None).unwrap();
        let lists: ArrayRef = Arc::new(lists);
        assert_eq!(&through::<Vec<f32>>(&lists, 1, 3), &lists.slice(1, 2));
    }

    #[test]
    fn nulls_and_other_types_have_no_vector() {
        let numbers: ArrayRef =
            Arc::new(PrimitiveArray::<Float64Type>::from(vec![Some(1.0), None]));
        assert!(inputs(&numbers, 0, 2).is_none());
        assert!(inputs(&numbers, 0, 1).is_some());
        let kind: FieldType = "struct<a: int64>".parse().unwrap();
        assert!(inputs(&arrow_array::new_empty_array(kind.arrow()), 0, 0).is_none());
        assert!(Outputs::new(kind.arrow()).is_none());
    }
}
