//! From rows of fields to rows of numbers.

use std::collections::{BTreeMap, BTreeSet};

use larder_core::{Error, Result};
use ndarray::Array2;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The fields of a row, as JSON.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Fields(pub BTreeMap<String, Value>);

impl Fields {
    /// Returns the value of a field, unless it is null.
    pub fn get(&self, field: &str) -> Option<&Value> {
        self.0.get(field).filter(|value| !value.is_null())
    }
}

/// Turns the fields of a row into standardised numbers, as it learnt from training rows.
///
/// A number becomes its distance from the mean, in standard deviations; a text or a truth value becomes one number for each
/// of its frequent values; an array of numbers becomes its elements. A field that was sometimes missing becomes one
/// more number, and a missing value is the mean.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Encoder {
    columns: Vec<Column>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Column {
    field: String,
    kind: Kind,
    /// It was missing in some rows.
    is_sparse: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Kind {
    Numbers(Vec<Scale>),
    Classes(Vec<String>),
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Scale {
    mean: f64,
    deviation: f64,
}

/// Maximum number of values of a text field that are told apart.
const MAX_CLASSES: usize = 32;
/// Maximum number of columns.
const MAX_WIDTH: usize = 4_096;

impl Encoder {
    /// Learns the columns of `fields` from rows; without `fields`, of all but `target`.
    ///
    /// Fields without numbers, texts of few values or arrays of one length are left out, unless they are named.
    ///
    /// # Errors
    /// [`Error::Refused`] if a named field does not fit, or no field does.
    pub fn learn(rows: &[Fields], fields: Option<&[String]>, target: &str) -> Result<Self> {
        let names: BTreeSet<&str> = match fields {
            Some(fields) => fields.iter().map(String::as_str).collect(),
            None => rows.iter().flat_map(|row| row.0.keys()).map(String::as_str).collect(),
        };
        let mut columns = Vec::new();
        for name in names.into_iter().filter(|name| *name != target) {
            match Column::learn(rows, name) {
                Ok(column) => columns.push(column),
                Err(reason) if fields.is_some() => {
                    return Err(refused(format!("the field `{name}` {reason}")));
                }
                Err(_) => {}
            }
        }
        let encoder = Self { columns };
        match encoder.width() {
            0 => Err(refused("no field has numbers or a few texts to learn from".into())),
            width if width > MAX_WIDTH => Err(refused(format!(
                "the fields have {width} numbers, more than {MAX_WIDTH}; name fewer fields"
            ))),
            _ => Ok(encoder),
        }
    }

    /// Returns the fields that it reads.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|column| column.field.as_str())
    }

    /// Returns the number of numbers of a row.
    pub fn width(&self) -> usize {
        self.columns.iter().map(Column::width).sum()
    }

    /// Encodes rows.
    pub fn encode(&self, rows: &[Fields]) -> Array2<f64> {
        let mut encoded = Array2::zeros((rows.len(), self.width()));
        for (row, mut cells) in rows.iter().zip(encoded.rows_mut()) {
            let mut cells = cells.iter_mut();
            for column in &self.columns {
                column.encode(row.get(&column.field), |number| {
                    if let Some(cell) = cells.next() {
                        *cell = number;
                    }
                });
            }
        }
        encoded
    }
}

pub(crate) fn refused(reason: String) -> Error {
    Error::Refused { action: "train on these rows".into(), reason }
}

/// Returns a truth value or a text as the name of a class.
pub(crate) fn class_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

/// Returns a finite number, or the finite numbers of an array.
pub(crate) fn numbers_of(value: &Value) -> Option<Vec<f64>> {
    let number = |value: &Value| value.as_f64().filter(|number| number.is_finite());
    match value {
        Value::Array(values) => values.iter().map(number).collect(),
        value => number(value).map(|number| vec![number]),
    }
}

impl Column {
    fn learn(rows: &[Fields], field: &str) -> Result<Self, String> {
        let values: Vec<&Value> = rows.iter().filter_map(|row| row.get(field)).collect();
        let Some(first) = values.first() else { return Err("has no value".into()) };
        let is_sparse = values.len() < rows.len();
        let kind = match class_of(first) {
            Some(_) => Kind::Classes(frequent(&values)?),
            None => Kind::Numbers(scales(&values)?),
        };
        Ok(Self { field: field.to_owned(), kind, is_sparse })
    }

    fn width(&self) -> usize {
        let width = match &self.kind {
            Kind::Numbers(scales) => scales.len(),
            Kind::Classes(classes) => classes.len(),
        };
        width + usize::from(self.is_sparse)
    }

    /// Pushes as many numbers as the width.
    fn encode(&self, value: Option<&Value>, mut push: impl FnMut(f64)) {
        let mut is_missing = true;
        match &self.kind {
            Kind::Numbers(scales) => {
                let numbers = value.and_then(numbers_of).filter(|it| it.len() == scales.len());
                is_missing = numbers.is_none();
                for (at, scale) in scales.iter().enumerate() {
                    let number = numbers.as_ref().and_then(|numbers| numbers.get(at));
                    push(number.map_or(0.0, |number| (number - scale.mean) / scale.deviation));
                }
            }
            Kind::Classes(classes) => {
                let class = value.and_then(class_of);
                is_missing &= class.is_none();
                for known in classes {
                    push(if class.as_ref() == Some(known) { 1.0 } else { 0.0 });
                }
            }
        }
        if self.is_sparse {
            push(if is_missing { 1.0 } else { 0.0 });
        }
    }
}

/// Returns the most frequent texts, in order.
fn frequent(values: &[&Value]) -> Result<Vec<String>, String> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for value in values {
        *counts.entry(class_of(value).ok_or("has values of several types")?).or_default() += 1;
    }
    if counts.len() > 1 && counts.len() * 2 > values.len() {
        return Err("has a text of its own in most rows".into());
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    counts.truncate(MAX_CLASSES);
    let mut classes: Vec<String> = counts.into_iter().map(|(class, _)| class).collect();
    classes.sort_unstable();
    Ok(classes)
}

/// Returns mean and deviation of each element.
fn scales(values: &[&Value]) -> Result<Vec<Scale>, String> {
    let rows: Option<Vec<Vec<f64>>> = values.iter().map(|value| numbers_of(value)).collect();
    let rows = rows.ok_or("has values that are not numbers")?;
    let width = rows.first().map_or(0, Vec::len);
    if width == 0 || rows.iter().any(|row| row.len() != width) {
        return Err("has arrays of several lengths".into());
    }
    let count = rows.len() as f64;
    let scale = |at: usize| {
        let mean = rows.iter().map(|row| row[at]).sum::<f64>() / count;
        let square = rows.iter().map(|row| (row[at] - mean).powi(2)).sum::<f64>() / count;
        let deviation = square.sqrt();
        Scale { mean, deviation: if deviation > 0.0 { deviation } else { 1.0 } }
    };
    Ok((0..width).map(scale).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rows(values: &[Value]) -> Vec<Fields> {
        values.iter().map(|value| serde_json::from_value(value.clone()).unwrap()).collect()
    }

    #[test]
    fn numbers_texts_arrays_and_gaps_become_numbers() {
        let rows = rows(&[
            json!({ "x": 1.0, "colour": "red", "v": [0, 10], "id": "a", "y": 1 }),
            json!({ "x": 3.0, "colour": "white", "v": [2, 10], "id": "b", "y": 2 }),
            json!({ "x": null, "colour": "red", "v": [4, 10], "id": "c", "y": 3 }),
            json!({ "x": 2.0, "colour": "red", "v": [6, 10], "id": "d", "y": 4 }),
        ]);
        let encoder = Encoder::learn(&rows, None, "y").unwrap();
        assert_eq!(encoder.fields().collect::<Vec<_>>(), ["colour", "v", "x"]);
        // Two colours, two elements, and a number that may be missing.
        assert_eq!(encoder.width(), 6);
        let encoded = encoder.encode(&rows);
        let deviation = (2.0_f64 / 3.0).sqrt();
        let row = |at: usize| encoded.row(at).to_vec();
        assert_eq!(row(1)[..2], [0.0, 1.0]);
        assert!((row(1)[4] - 1.0 / deviation).abs() < 1e-12);
        assert_eq!(row(2)[4..], [0.0, 1.0]);
        assert_eq!(row(3)[5], 0.0);
    }

    #[test]
    fn a_named_field_that_does_not_fit_is_refused() {
        let rows = rows(&[json!({ "x": "a", "z": 1 }), json!({ "x": "b", "z": "c" })]);
        for (field, reason) in [("x", "text of its own"), ("z", "not numbers"), ("w", "no value")] {
            let error = Encoder::learn(&rows, Some(&[field.into()]), "y").unwrap_err();
            assert!(error.to_string().contains(reason), "{error}");
        }
    }
}
