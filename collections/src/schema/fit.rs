//! Fitting batches: new rows to the schema, and stored rows to a schema that has evolved.

use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, BooleanArray, FixedSizeListArray, ListArray, RecordBatch, RecordBatchOptions,
    StructArray, UInt32Array, new_null_array,
};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{ArrowError, DataType, SchemaRef};
use arrow_select::take::take;
use larder_core::{Error, Result};

use super::misfit::{Misfit, Misfits};
use super::{Field, Schema, is_computed, unknown_field};
use crate::error::arrow_error;
use crate::json::array_of;

/// Casts that cannot hold a value leave null.
const SAFE: CastOptions<'static> = CastOptions { safe: true, format_options: FormatOptions::new() };
/// Maximum number of misfits that are collected from one batch.
const MOST_MISFITS: usize = 1_000;

/// Fits new rows to a schema. Columns are matched by name; the result has those of the schema, in its order.
///
/// `first` is the number of the first row in the input.
pub(crate) fn fit(batch: &RecordBatch, schema: &Schema, first: u64) -> Result<RecordBatch, Fault> {
    for column in batch.schema_ref().fields() {
        if !schema.fields().iter().any(|field| field.is_named(column.name())) {
            let known = schema.fields().iter().map(|field| field.name.as_str());
            return Err(Fault::Error(unknown_field(column.name(), known)));
        }
    }
    let mut misfits = Vec::new();
    let mut columns = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        let found = batch.schema_ref().fields().iter().position(|it| field.is_named(it.name()));
        let column = match found {
            Some(at) => fit_column(batch.column(at), field, first, &mut misfits)?,
            None => match missing(field, batch.num_rows())? {
                Some(column) => column,
                None => {
                    if batch.num_rows() > 0 {
                        misfits.push(Misfit::new(
                            first,
                            &field.name,
                            "",
                            "there is no value, and it is not nullable",
                        ));
                    }
                    new_null_array(field.kind.arrow(), batch.num_rows())
                }
            },
        };
        columns.push(column);
    }
    if !misfits.is_empty() {
        return Err(Fault::Misfits(Misfits(misfits)));
    }
    batch_of(schema.arrow(), columns, batch.num_rows()).map_err(Fault::Error)
}

/// The result of a batch that does not fit.
#[derive(Debug)]
pub(crate) enum Fault {
    Misfits(Misfits),
    Error(Error),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// Creates a batch, which may have no columns.
pub(crate) fn batch_of(
    schema: &SchemaRef,
    columns: Vec<ArrayRef>,
    rows: usize,
) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
        .map_err(|error| arrow_error("make a batch of rows", error))
}

/// Returns the column of a field that rows lack: its default, or null.
fn missing(field: &Field, rows: usize) -> Result<Option<ArrayRef>> {
    let Some(default) = &field.default else {
        return Ok(field.nullable.then(|| new_null_array(field.kind.arrow(), rows)));
    };
    let one = array_of(&field.kind, [Some(default)].into_iter()).map_err(|reason| {
        Error::invalid(
            "default",
            &default.to_string(),
            format!("for the field `{}`: {reason}", field.name),
        )
    })?;
    let zeros = UInt32Array::from(vec![0; rows]);
    take(&one, &zeros, None).map(Some).map_err(|error| arrow_error("read a default", error))
}

fn fit_column(
    column: &ArrayRef,
    field: &Field,
    first: u64,
    misfits: &mut Vec<Misfit>,
) -> Result<ArrayRef> {
    let target = field.kind.arrow();
    let cast = exactly(column, target).map_err(|error| {
        let reason = format!("a {} does not fit a {}: {error}", column.data_type(), field.kind);
        Error::invalid("field", &field.name, reason)
    })?;
    if cast.null_count() > column.logical_null_count() {
        for row in (0..column.len()).filter(|&row| cast.is_null(row) && !is_null(column, row)) {
            if misfits.len() >= MOST_MISFITS {
                break;
            }
            let reason = format!("it is not a {}", field.kind);
            misfits.push(Misfit::new(
                first + row as u64,
                &field.name,
                value_text(column, row),
                reason,
            ));
        }
    }
    if !field.nullable && cast.null_count() > 0 {
        for row in (0..cast.len()).filter(|&row| is_null(column, row)) {
            if misfits.len() >= MOST_MISFITS {
                break;
            }
            misfits.push(Misfit::new(
                first + row as u64,
                &field.name,
                "null",
                "the field is not nullable",
            ));
        }
    }
    Ok(cast)
}

fn is_null(column: &ArrayRef, row: usize) -> bool {
    column.logical_nulls().is_some_and(|nulls| nulls.is_null(row))
}

/// Returns the text of a value, for messages.
pub fn value_text(column: &dyn Array, row: usize) -> String {
    let options = FormatOptions::new().with_null("null");
    let formatter = ArrayFormatter::try_new(column, &options);
    formatter.map_or_else(|_| "?".to_owned(), |it| it.value(row).to_string())
}

/// Casts a column; values that the target cannot hold exactly become null.
fn exactly(column: &ArrayRef, target: &DataType) -> Result<ArrayRef, ArrowError> {
    let from = column.data_type();
    if from == target {
        return Ok(Arc::clone(column));
    }
    let numeric = |kind: &DataType| kind.is_integer() || kind.is_floating();
    match (from, target) {
        (DataType::Null, _) => Ok(new_null_array(target, column.len())),
        (from, target) if numeric(from) && numeric(target) => {
            let cast = cast_with_options(column, target, &SAFE)?;
            if from.is_floating() && target.is_floating() {
                return Ok(cast);
            }
            let back = cast_with_options(&cast, from, &SAFE)?;
            let same = arrow_ord::cmp::eq(&back, column)?;
            let same = BooleanArray::new(same.values().clone(), None);
            let lost = arrow_arith::boolean::not(&same)?;
            arrow_select::nullif::nullif(&cast, &lost)
        }
        // Numbers do not become texts, nor texts numbers; times are written as texts.
        (DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View, target)
            if numeric(target) || *target == DataType::Boolean =>
        {
            Ok(new_null_array(target, column.len()))
        }
        (from, DataType::Utf8) if numeric(from) || *from == DataType::Boolean => {
            Ok(new_null_array(target, column.len()))
        }
        (from, DataType::FixedSizeList(item, length)) => to_vectors(column, from, item, *length),
        (_, target) => cast_with_options(column, target, &SAFE),
    }
}

/// Casts lists to vectors: a list of another length becomes null.
fn to_vectors(
    column: &ArrayRef,
    from: &DataType,
    item: &arrow_schema::FieldRef,
    length: i32,
) -> Result<ArrayRef, ArrowError> {
    let lists = match from {
        DataType::FixedSizeList(_, other) if *other != length => {
            return Ok(new_null_array(
                &DataType::FixedSizeList(Arc::clone(item), length),
                column.len(),
            ));
        }
        DataType::FixedSizeList(old, _) => {
            let list = DataType::List(Arc::clone(old));
            cast_with_options(column, &list, &SAFE)?
        }
        _ => cast_with_options(column, &DataType::List(Arc::clone(item)), &SAFE)?,
    };
    let Some(lists) = lists.as_any().downcast_ref::<ListArray>() else {
        return Err(ArrowError::CastError("it is not a list".into()));
    };
    let size = usize::try_from(length).unwrap_or(0);
    let fits: Vec<bool> = (0..lists.len())
        .map(|row| {
            lists.is_valid(row) && {
                let values = lists.value(row);
                values.len() == size && (item.is_nullable() || values.null_count() == 0)
            }
        })
        .collect();
    let mut indices = Vec::with_capacity(lists.len() * size);
    for (row, &fits) in fits.iter().enumerate() {
        let start = u32::try_from(lists.value_offsets()[row]).unwrap_or(0);
        for at in 0..size as u32 {
            indices.push(fits.then_some(start + at));
        }
    }
    let taken = take(lists.values(), &UInt32Array::from(indices), None)?;
    let values = exactly(&taken, item.data_type())?;
    // The items of null vectors are null; a vector of items that are never null holds zeros there.
    let values = match (item.is_nullable(), values.null_count()) {
        (false, 1..) => without_nulls(&values)?,
        _ => values,
    };
    let nulls = arrow_buffer::NullBuffer::from(fits);
    let nulls = Some(nulls).filter(|nulls| nulls.null_count() > 0);
    Ok(Arc::new(FixedSizeListArray::try_new(Arc::clone(item), length, values, nulls)?))
}

/// Removes the nulls; the values beneath stay.
fn without_nulls(values: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let data = values.to_data().into_builder().nulls(None).build()?;
    Ok(arrow_array::make_array(data))
}

/// Reads the columns `wanted` of stored rows by a schema that may have evolved since they were written.
pub(crate) fn adapt(
    batch: &RecordBatch,
    schema: &Schema,
    wanted: &[usize],
) -> Result<Vec<ArrayRef>> {
    wanted
        .iter()
        .map(|&at| {
            let field = &schema.fields()[at];
            let names = std::iter::once(&field.name).chain(&field.aliases);
            let stored = names.filter_map(|name| batch.column_by_name(name)).next();
            let Some(stored) = stored else {
                return Ok(missing(field, batch.num_rows())?
                    .unwrap_or_else(|| new_null_array(field.kind.arrow(), batch.num_rows())));
            };
            if stored.data_type() == field.kind.arrow() {
                return Ok(Arc::clone(stored));
            }
            widen(stored, field.kind.arrow())
                .map_err(|error| arrow_error(format!("widen the field `{}`", field.name), error))
        })
        .collect()
}

/// Casts stored values to a wider type; structs get their new fields as nulls.
fn widen(column: &ArrayRef, target: &DataType) -> Result<ArrayRef, ArrowError> {
    let (DataType::Struct(fields), Some(old)) =
        (target, column.as_any().downcast_ref::<StructArray>())
    else {
        return cast_with_options(column, target, &SAFE);
    };
    let columns = fields
        .iter()
        .map(|field| match old.column_by_name(field.name()) {
            Some(found) if found.data_type() == field.data_type() => Ok(Arc::clone(found)),
            Some(found) => widen(found, field.data_type()),
            None => Ok(new_null_array(field.data_type(), old.len())),
        })
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Arc::new(StructArray::try_new(fields.clone(), columns, old.nulls().cloned())?))
}

/// Returns the positions of fields, and their schema; of all if `None`, without those that are computed.
pub(crate) fn projection(
    schema: &Schema,
    columns: Option<&[String]>,
) -> Result<(Vec<usize>, SchemaRef)> {
    let wanted: Vec<usize> = match columns {
        None if !schema.has_computed() => {
            return Ok(((0..schema.fields().len()).collect(), Arc::clone(schema.arrow())));
        }
        None => {
            let fields = schema.fields().iter().enumerate();
            fields.filter(|(_, field)| !is_computed(&field.name)).map(|(at, _)| at).collect()
        }
        Some(columns) => columns.iter().map(|name| schema.position(name)).collect::<Result<_>>()?,
    };
    let projected = schema.arrow().project(&wanted);
    projected.map(|it| (wanted, Arc::new(it))).map_err(|error| arrow_error("select fields", error))
}
