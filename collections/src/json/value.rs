//! From Arrow to JSON.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Serialize, Serializer};
use serde_json::{Map, Number, Value};

use crate::schema::value_text;

/// Returns a row as a JSON object.
pub fn row_of(batch: &RecordBatch, row: usize) -> Map<String, Value> {
    let columns = batch.schema_ref().fields().iter().zip(batch.columns());
    columns.map(|(field, column)| (field.name().clone(), value_of(column, row))).collect()
}

/// A row that is written as a JSON object, with the fields in the order of the columns.
#[derive(Debug, Clone, Copy)]
pub struct JsonRow<'a> {
    batch: &'a RecordBatch,
    row: usize,
}

impl<'a> JsonRow<'a> {
    /// Creates it from a row of a batch.
    pub fn new(batch: &'a RecordBatch, row: usize) -> Self {
        Self { batch, row }
    }
}

impl Serialize for JsonRow<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let columns = self.batch.schema_ref().fields().iter().zip(self.batch.columns());
        serializer
            .collect_map(columns.map(|(field, column)| (field.name(), value_of(column, self.row))))
    }
}

/// Returns a value as JSON: bytes in Base64, times as texts, and floating-point numbers that JSON does not have as the
/// texts `NaN`, `inf` and `-inf`.
pub fn value_of(array: &dyn Array, row: usize) -> Value {
    use DataType as D;
    if array.is_null(row) {
        return Value::Null;
    }
    match array.data_type() {
        D::Boolean => Value::Bool(array.as_boolean().value(row)),
        D::Int8 => array.as_primitive::<Int8Type>().value(row).into(),
        D::Int16 => array.as_primitive::<Int16Type>().value(row).into(),
        D::Int32 => array.as_primitive::<Int32Type>().value(row).into(),
        D::Int64 => array.as_primitive::<Int64Type>().value(row).into(),
        D::UInt8 => array.as_primitive::<UInt8Type>().value(row).into(),
        D::UInt16 => array.as_primitive::<UInt16Type>().value(row).into(),
        D::UInt32 => array.as_primitive::<UInt32Type>().value(row).into(),
        D::UInt64 => array.as_primitive::<UInt64Type>().value(row).into(),
        D::Float16 => short(array.as_primitive::<Float16Type>().value(row).to_f32()),
        D::Float32 => short(array.as_primitive::<Float32Type>().value(row)),
        D::Float64 => number(array.as_primitive::<Float64Type>().value(row)),
        D::Utf8 => array.as_string::<i32>().value(row).into(),
        D::Binary => BASE64_STANDARD.encode(array.as_binary::<i32>().value(row)).into(),
        D::FixedSizeBinary(_) => {
            BASE64_STANDARD.encode(array.as_fixed_size_binary().value(row)).into()
        }
        D::List(_) => items(&array.as_list::<i32>().value(row)),
        D::FixedSizeList(..) => items(&array.as_fixed_size_list().value(row)),
        D::Struct(fields) => {
            let columns = fields.iter().zip(array.as_struct().columns());
            let pairs =
                columns.map(|(field, column)| (field.name().clone(), value_of(column, row)));
            Value::Object(pairs.collect())
        }
        D::Map(..) => {
            let entries = array.as_map().value(row);
            let (keys, values) = (entries.column(0).as_string::<i32>(), entries.column(1));
            let pair = |at| (keys.value(at).to_owned(), value_of(values, at));
            Value::Object((0..entries.len()).map(pair).collect())
        }
        _ => value_text(array, row).into(),
    }
}

fn items(array: &dyn Array) -> Value {
    Value::Array((0..array.len()).map(|at| value_of(array, at)).collect())
}

/// The shortest decimal number that is read back as the same `f32`.
fn short(value: f32) -> Value {
    match value.is_finite() {
        true => value.to_string().parse().map_or(Value::Null, number),
        false => number(f64::from(value)),
    }
}

fn number(value: f64) -> Value {
    match Number::from_f64(value) {
        Some(number) => Value::Number(number),
        None => value.to_string().into(),
    }
}
