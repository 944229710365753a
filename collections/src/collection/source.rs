//! Sources of the rows of an insert.

use std::iter;

use arrow_array::RecordBatch;
use larder_core::Result;
use serde_json::{Map, Value};

use crate::json::infer;
use crate::schema::{Field, Schema};

/// Number of rows from which a schema is inferred.
const INFERRED: usize = 10_000;

/// A source of rows.
pub(super) enum Source<'a> {
    Batches(Box<dyn Iterator<Item = Result<RecordBatch>> + 'a>),
    Json(Box<dyn Iterator<Item = Result<InputRow>> + 'a>),
}

/// A row of an input of texts.
#[derive(Debug, Clone, PartialEq)]
pub enum InputRow {
    /// A row.
    Row(Map<String, Value>),
    /// A part of the input that is no row, such as a line that is not JSON.
    Bad {
        /// The part of the input.
        text: String,
        /// Why it is no row.
        reason: String,
    },
}

impl Source<'_> {
    pub(super) fn of(batch: RecordBatch) -> Self {
        Self::Batches(Box::new(iter::once(Ok(batch))))
    }

    /// Returns the batch, if there is exactly one; all of them stay in the source.
    pub(super) fn only_batch(&mut self) -> Result<Option<RecordBatch>> {
        let Self::Batches(batches) = self else { return Ok(None) };
        let Some(first) = batches.next().transpose()? else { return Ok(None) };
        let second = batches.next();
        let only = second.is_none().then(|| first.clone());
        let rest = std::mem::replace(batches, Box::new(iter::empty()));
        *batches = Box::new(iter::once(Ok(first)).chain(second).chain(rest));
        Ok(only)
    }

    /// Infers the schema of the rows; those that were read are read again.
    pub(super) fn schema(&mut self, key: Option<&str>) -> Result<Option<Schema>> {
        match self {
            Self::Batches(batches) => {
                let Some(first) = batches.next().transpose()? else { return Ok(None) };
                let schema = Schema::of_arrow(first.schema_ref())?;
                let rest = std::mem::replace(batches, Box::new(iter::empty()));
                *batches = Box::new(iter::once(Ok(first)).chain(rest));
                Ok(Some(never_null(schema, key)?))
            }
            Self::Json(rows) => {
                let first = rows.by_ref().take(INFERRED).collect::<Result<Vec<_>>>()?;
                if first.is_empty() {
                    return Ok(None);
                }
                let sound = first.iter().filter_map(|row| match row {
                    InputRow::Row(row) => Some(row),
                    InputRow::Bad { .. } => None,
                });
                let sound: Vec<_> = sound.cloned().collect();
                if sound.is_empty() {
                    // The first one is reported as a row that does not fit.
                    let schema = Schema::new([Field::new("text", "text".parse()?)])?;
                    let rest = std::mem::replace(rows, Box::new(iter::empty()));
                    *rows = Box::new(first.into_iter().map(Ok).chain(rest));
                    return Ok(Some(schema));
                }
                let schema = infer(&sound)?;
                let rest = std::mem::replace(rows, Box::new(iter::empty()));
                *rows = Box::new(first.into_iter().map(Ok).chain(rest));
                Ok(Some(never_null(schema, key)?))
            }
        }
    }
}

/// Makes the key not nullable: rows of files often could be null, and are not.
fn never_null(schema: Schema, key: Option<&str>) -> Result<Schema> {
    let Some(key) = key else { return Ok(schema) };
    let mut fields = schema.fields().to_vec();
    fields.iter_mut().filter(|field| field.name == key).for_each(|field| field.nullable = false);
    Schema::new(fields)
}
