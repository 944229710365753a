//! Batches and schemas of JSON objects.

use arrow_schema::{DataType, Field as ArrowField};
use larder_core::Result;
use serde_json::{Map, Value};
use std::sync::Arc;

use super::build::array_of;
use crate::schema::{Field, FieldType, Misfit, Misfits, Schema, batch_of, unknown_field};

/// Maximum number of misfits that are collected from one batch.
const MOST_MISFITS: usize = 1_000;

type Row = Map<String, Value>;

/// Builds a batch of numbered rows.
pub(crate) fn build(
    rows: &[(u64, Row)],
    schema: &Schema,
) -> Result<Result<arrow_array::RecordBatch, Misfits>> {
    let mut misfits = Vec::new();
    for (number, row) in rows {
        for name in row.keys() {
            if !schema.fields().iter().any(|field| field.is_named(name)) {
                let known = schema.fields().iter().map(|field| field.name.as_str());
                let reason = match unknown_field(name, known) {
                    larder_core::Error::InvalidName { reason, .. } => reason,
                    other => other.to_string(),
                };
                misfits.push(Misfit::new(*number, name, text_of(row.get(name)), reason));
            }
        }
        if misfits.len() > MOST_MISFITS {
            break;
        }
    }
    let mut columns = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        let values: Vec<Option<&Value>> =
            rows.iter().map(|(_, row)| value_in(row, field)).collect();
        if !field.nullable {
            let nulls = rows.iter().zip(&values).filter(|(_, value)| value.is_none());
            misfits.extend(nulls.take(MOST_MISFITS).map(|((number, row), _)| {
                let is_there = row.contains_key(&field.name);
                let (value, reason) = match is_there {
                    true => ("null", "the field is not nullable"),
                    false => ("", "there is no value, and the field is not nullable"),
                };
                Misfit::new(*number, &field.name, value, reason)
            }));
        }
        match array_of(&field.kind, values.iter().copied()) {
            Ok(column) => columns.push(column),
            Err(_) => {
                for ((number, _), value) in rows.iter().zip(&values) {
                    if let Err(reason) = array_of(&field.kind, std::iter::once(*value)) {
                        misfits.push(Misfit::new(*number, &field.name, text_of(*value), reason));
                    }
                    if misfits.len() > MOST_MISFITS {
                        break;
                    }
                }
            }
        }
    }
    if !misfits.is_empty() {
        misfits.sort_by_key(|misfit| misfit.row);
        return Ok(Err(Misfits(misfits)));
    }
    batch_of(schema.arrow(), columns, rows.len()).map(Ok)
}

/// Returns the value of a field: null is none, and a value that is absent is the default.
fn value_in<'a>(row: &'a Row, field: &'a Field) -> Option<&'a Value> {
    let names = std::iter::once(&field.name).chain(&field.aliases);
    match names.filter_map(|name| row.get(name)).next() {
        Some(Value::Null) => None,
        Some(value) => Some(value),
        None => field.default.as_ref(),
    }
}

fn text_of(value: Option<&Value>) -> String {
    value.map_or_else(String::new, Value::to_string)
}

/// Infers the schema of rows: integers, numbers, bools, texts, lists and structs; lists of numbers, some with a fraction,
/// that all have one length are vectors. Every field is nullable, because a row that comes later may lack it.
pub fn infer(rows: &[Row]) -> Result<Schema> {
    let mut names: Vec<&String> = Vec::new();
    let mut kinds: std::collections::HashMap<&String, Option<DataType>> = Default::default();
    for (name, value) in rows.iter().flatten() {
        let known = kinds.entry(name).or_insert_with(|| {
            names.push(name);
            None
        });
        *known = unified(known.take(), kind_of(value));
    }
    let fields = names.into_iter().map(|name| {
        let kind = kinds.remove(name).flatten().unwrap_or(DataType::Utf8);
        let kind = as_vector(kind, rows, name);
        Ok(Field::new(name, FieldType::of(&kind)?).nullable())
    });
    Schema::new(fields.collect::<Result<Vec<_>>>()?)
}

/// Returns the type of vectors, if all lists of numbers have one length.
fn as_vector(kind: DataType, rows: &[Row], name: &str) -> DataType {
    let DataType::List(item) = &kind else { return kind };
    let mut lists = rows.iter().filter_map(|row| row.get(name)?.as_array());
    let Some(length) = lists.next().map(Vec::len) else { return kind };
    let has_nulls = |list: &Vec<Value>| list.iter().any(Value::is_null);
    let all = || rows.iter().filter_map(|row| row.get(name)?.as_array());
    let is_vector = *item.data_type() == DataType::Float64
        && length > 1
        && all().all(|list| list.len() == length && !has_nulls(list));
    match i32::try_from(length) {
        Ok(length) if is_vector => {
            let item = ArrowField::new("item", DataType::Float64, false);
            DataType::FixedSizeList(Arc::new(item), length)
        }
        _ => kind,
    }
}

fn kind_of(value: &Value) -> Option<DataType> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(_) => DataType::Boolean,
        Value::Number(number) if number.is_i64() => DataType::Int64,
        Value::Number(number) if number.is_u64() => DataType::UInt64,
        Value::Number(_) => DataType::Float64,
        Value::String(_) => DataType::Utf8,
        Value::Array(items) => {
            let item = items.iter().map(kind_of).fold(None, unified);
            list_of(item.unwrap_or(DataType::Null))
        }
        Value::Object(object) if object.is_empty() => return None,
        Value::Object(object) => {
            let field = |(name, value)| {
                ArrowField::new(name, kind_of(value).unwrap_or(DataType::Null), true)
            };
            DataType::Struct(object.iter().map(field).collect())
        }
    })
}

fn list_of(item: DataType) -> DataType {
    DataType::List(Arc::new(ArrowField::new("item", item, true)))
}

/// Returns the type that holds the values of both; a text, if there is no other.
fn unified(one: Option<DataType>, two: Option<DataType>) -> Option<DataType> {
    use DataType as D;
    let (Some(one), Some(two)) = (&one, &two) else { return one.or(two) };
    Some(match (one, two) {
        (one, two) if one == two => one.clone(),
        (D::Null, other) | (other, D::Null) => other.clone(),
        (D::Int64 | D::UInt64 | D::Float64, D::Int64 | D::UInt64 | D::Float64) => D::Float64,
        (D::List(one), D::List(two)) => {
            list_of(unified(Some(one.data_type().clone()), Some(two.data_type().clone()))?)
        }
        (D::Struct(one), D::Struct(two)) => {
            let mut fields: Vec<ArrowField> =
                one.iter().map(|field| field.as_ref().clone()).collect();
            for new in two {
                match fields.iter_mut().find(|field| field.name() == new.name()) {
                    Some(old) => {
                        let both =
                            unified(Some(old.data_type().clone()), Some(new.data_type().clone()))?;
                        *old = ArrowField::new(new.name(), both, true);
                    }
                    None => fields.push(new.as_ref().clone()),
                }
            }
            D::Struct(fields.into())
        }
        _ => D::Utf8,
    })
}
