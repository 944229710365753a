//! Evaluating filters on batches.

use std::borrow::Cow;
use std::sync::Arc;

use arrow_arith::boolean::{and, is_not_null, not, or};
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BooleanArray, Scalar};
use arrow_buffer::BooleanBuffer;
use arrow_cast::cast;
use arrow_ord::cmp;
use arrow_schema::ArrowError;
use larder_core::Result;
use larder_search::grammar::{Comparison, Logic};

use super::bind::{Column, Test};
use crate::error::arrow_error;

/// Returns which rows match, without nulls.
pub(super) fn matches(
    logic: &Logic<Test>,
    columns: &[ArrayRef],
    rows: usize,
) -> Result<BooleanArray> {
    evaluate(logic, columns, rows).map_err(|error| arrow_error("filter rows", error))
}

fn evaluate(
    logic: &Logic<Test>,
    columns: &[ArrayRef],
    rows: usize,
) -> Result<BooleanArray, ArrowError> {
    Ok(match logic {
        Logic::All(parts) => {
            let mut all: Option<BooleanArray> = None;
            for part in parts {
                let next = evaluate(part, columns, rows)?;
                let both = match all {
                    Some(all) => and(&all, &next)?,
                    None => next,
                };
                if !both.has_true() {
                    return Ok(both);
                }
                all = Some(both);
            }
            all.unwrap_or_else(|| BooleanBuffer::new_set(rows).into())
        }
        Logic::Any(parts) => {
            let mut any: BooleanArray = BooleanBuffer::new_unset(rows).into();
            for part in parts {
                any = or(&any, &evaluate(part, columns, rows)?)?;
            }
            any
        }
        Logic::Not(part) => not(&evaluate(part, columns, rows)?)?,
        Logic::One(test) => tested(test, columns)?,
    })
}

fn tested(test: &Test, columns: &[ArrayRef]) -> Result<BooleanArray, ArrowError> {
    Ok(match test {
        Test::Has(column) => is_not_null(&read(column, columns)?)?,
        Test::Like(column, pattern) => {
            let texts = read(column, columns)?;
            let texts = texts.as_string::<i32>();
            (0..texts.len())
                .map(|at| Some(texts.is_valid(at) && pattern.matches(texts.value(at))))
                .collect()
        }
        Test::Compare(column, comparison, value) => {
            let column = read(column, columns)?;
            let column = match column.data_type() == value.data_type() {
                true => column,
                false => cast(&column, value.data_type())?,
            };
            let value = Scalar::new(Arc::clone(value));
            let found = match comparison {
                Comparison::Equal => cmp::eq(&column, &value),
                Comparison::NotEqual => cmp::neq(&column, &value),
                Comparison::Less => cmp::lt(&column, &value),
                Comparison::LessOrEqual => cmp::lt_eq(&column, &value),
                Comparison::Greater => cmp::gt(&column, &value),
                Comparison::GreaterOrEqual => cmp::gt_eq(&column, &value),
            }?;
            without_nulls(found)
        }
    })
}

/// Null is false.
fn without_nulls(found: BooleanArray) -> BooleanArray {
    match found.nulls() {
        Some(nulls) => (found.values() & nulls.inner()).into(),
        None => found,
    }
}

/// Returns a column, or a field of a struct, which is null where the struct is.
fn read(column: &Column, columns: &[ArrayRef]) -> Result<ArrayRef, ArrowError> {
    let mut found = Cow::Borrowed(&columns[column.at]);
    for name in &column.path {
        let parent = found.as_struct();
        let Some(child) = parent.column_by_name(name) else {
            return Err(ArrowError::SchemaError(format!("there is no field `{name}`")));
        };
        let nulls = arrow_buffer::NullBuffer::union(parent.nulls(), child.nulls());
        let data = child.to_data().into_builder().nulls(nulls).build()?;
        found = Cow::Owned(arrow_array::make_array(data));
    }
    Ok(found.into_owned())
}
