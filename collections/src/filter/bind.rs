//! Filters with the fields of a schema.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Float64Array, StringArray};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::DataType;
use larder_core::{Error, Result};
use larder_search::Glob;
use larder_search::grammar::{Comparison, Logic};

use super::{Condition, Filter, Literal};
use crate::json::array_of;
use crate::schema::{FieldType, Schema, unknown_field};

/// A filter whose fields are columns of batches with certain fields of a schema, and whose values have their types.
#[derive(Debug, Clone)]
pub struct Bound {
    logic: Logic<Test>,
    /// The positions of its fields in the schema.
    fields: Vec<usize>,
}

#[derive(Debug, Clone)]
pub(super) enum Test {
    Has(Column),
    Like(Column, Glob),
    /// The values of the column are cast to the type of the value, which has one row.
    Compare(Column, Comparison, ArrayRef),
}

/// A column of the batch to filter: the number of a field, and the names within its structs.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) at: usize,
    pub(super) path: Vec<String>,
}

impl Bound {
    /// Finds the fields of a filter.
    ///
    /// # Errors
    /// [`Error::InvalidName`] for a field that is not there, or a value that does not fit it.
    pub fn new(filter: &Filter, schema: &Schema) -> Result<Self> {
        let mut fields = BTreeSet::new();
        filter.0.try_each(&mut |condition| {
            fields.insert(find(condition.field(), schema)?.0);
            Ok::<_, Error>(())
        })?;
        let fields: Vec<usize> = fields.into_iter().collect();
        let logic = filter.0.try_map(&mut |condition| bind(condition, schema, &fields))?;
        Ok(Self { logic, fields })
    }

    /// Returns the positions in the schema of the fields that it needs, ascending.
    pub fn fields(&self) -> &[usize] {
        &self.fields
    }

    /// Returns which rows match; `columns` are those of [`fields`](Self::fields). Without nulls.
    ///
    /// # Errors
    /// The errors of Arrow.
    pub fn matches(&self, columns: &[ArrayRef], rows: usize) -> Result<BooleanArray> {
        super::evaluate::matches(&self.logic, columns, rows)
    }
}

/// Returns the position of a field, the names within its structs, and the type.
fn find(name: &str, schema: &Schema) -> Result<(usize, Vec<String>, DataType)> {
    let at = |name: &str| schema.fields().iter().position(|field| field.name == name);
    if let Some(at) = at(name) {
        return Ok((at, Vec::new(), schema.fields()[at].kind.arrow().clone()));
    }
    // The longest field name that the path begins with.
    for (end, _) in name.rmatch_indices('.') {
        let Some(at) = at(&name[..end]) else { continue };
        let mut kind = schema.fields()[at].kind.arrow().clone();
        let mut path = Vec::new();
        for part in name[end + 1..].split('.') {
            let DataType::Struct(fields) = &kind else {
                let reason = format!(
                    "`{}` is a {}, and has no fields",
                    &name[..end],
                    schema.fields()[at].kind
                );
                return Err(Error::invalid("field", name, reason));
            };
            let Some(field) = fields.iter().find(|field| field.name() == part) else {
                return Err(unknown_field(part, fields.iter().map(|field| field.name().as_str())));
            };
            path.push(part.to_owned());
            kind = field.data_type().clone();
        }
        return Ok((at, path, kind));
    }
    Err(unknown_field(name, schema.fields().iter().map(|field| field.name.as_str())))
}

fn bind(condition: &Condition, schema: &Schema, fields: &[usize]) -> Result<Test> {
    let name = condition.field();
    let (field, path, kind) = find(name, schema)?;
    let column = Column { at: fields.binary_search(&field).unwrap_or(0), path };
    Ok(match condition {
        Condition::Has(_) => Test::Has(column),
        Condition::Like(_, pattern) if kind == DataType::Utf8 => {
            Test::Like(column, Glob::new(pattern.as_str()))
        }
        Condition::Like(..) => return Err(misfit(name, &kind, "`like` compares texts")),
        Condition::Compare(_, comparison, literal) => {
            let ordered = !matches!(
                kind,
                DataType::Boolean | DataType::Binary | DataType::FixedSizeBinary(_)
            );
            if !ordered && !comparison.is_equality() {
                return Err(misfit(name, &kind, "it is compared by `=` and `!=` alone"));
            }
            Test::Compare(column, *comparison, value(name, &kind, literal)?)
        }
    })
}

fn misfit(name: &str, kind: &DataType, reason: &str) -> Error {
    let kind = FieldType::of(kind).map_or_else(|_| kind.to_string(), |kind| kind.to_string());
    Error::invalid("filter", name, format!("the field is a {kind}: {reason}"))
}

/// Returns the literal as one value, which the column is cast to before they are compared.
fn value(name: &str, kind: &DataType, literal: &Literal) -> Result<ArrayRef> {
    let unfit = |wanted: &str| {
        Err(misfit(name, kind, &format!("compare it with {wanted}, not with {literal}")))
    };
    match (kind, literal) {
        (kind, _)
            if kind.is_integer()
                || kind.is_floating()
                || matches!(kind, DataType::Decimal128(..)) =>
        {
            let text = literal.text();
            if let Ok(number) = serde_json::from_str::<serde_json::Value>(text)
                && number.is_number()
                && !kind.is_floating()
                && let Ok(kind) = FieldType::of(kind)
                && let Ok(value) = array_of(&kind, [Some(&number)].into_iter())
            {
                return Ok(value);
            }
            let number = match text {
                "NaN" => Ok(f64::NAN),
                text => text.parse::<f64>(),
            };
            match (number, kind) {
                // As `float32`, so that `= 0.1` finds what was written as 0.1.
                (Ok(number), DataType::Float32 | DataType::Float16) => {
                    let wide: ArrayRef = Arc::new(Float64Array::from(vec![number]));
                    cast(&wide, kind).ok_or(()).or_else(|()| unfit("a number"))
                }
                (Ok(number), _) => Ok(Arc::new(Float64Array::from(vec![number]))),
                (Err(_), _) => unfit("a number"),
            }
        }
        (DataType::Boolean, literal) => match literal.text() {
            "true" => Ok(Arc::new(BooleanArray::from(vec![true]))),
            "false" => Ok(Arc::new(BooleanArray::from(vec![false]))),
            _ => unfit("`true` or `false`"),
        },
        (DataType::Utf8, Literal::Text(text)) => {
            Ok(Arc::new(StringArray::from(vec![text.as_str()])))
        }
        (DataType::Utf8, Literal::Plain(_)) => unfit("a text in quotes"),
        (DataType::Binary | DataType::FixedSizeBinary(_), _) => {
            let text = serde_json::Value::from(literal.text());
            let kind = FieldType::of(kind)?;
            match array_of(&kind, [Some(&text)].into_iter()) {
                Ok(value) => Ok(value),
                Err(_) => unfit("bytes in Base64, in quotes"),
            }
        }
        (
            DataType::Date32 | DataType::Timestamp(..) | DataType::Time32(_) | DataType::Time64(_),
            literal,
        ) => {
            let text: ArrayRef = Arc::new(StringArray::from(vec![literal.text()]));
            // A date is compared with times as well.
            let wider = DataType::Timestamp(arrow_schema::TimeUnit::Nanosecond, None);
            let found = cast(&text, kind)
                .or_else(|| cast(&text, &wider).filter(|_| *kind == DataType::Date32));
            found
                .ok_or(())
                .or_else(|()| unfit("a date or a time, such as 2026-11-21 or 2026-11-21T08:30:00Z"))
        }
        _ => Err(misfit(name, kind, "only `has` applies to it")),
    }
}

fn cast(value: &ArrayRef, kind: &DataType) -> Option<ArrayRef> {
    let options = CastOptions { safe: true, ..CastOptions::default() };
    cast_with_options(value, kind, &options).ok().filter(|value| value.null_count() == 0)
}
