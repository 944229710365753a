//! Comma-separated values.

use std::io::BufRead;

use arrow_schema::DataType;
use csv::StringRecord;
use larder_core::{Error, Result};
use serde_json::{Map, Number, Value};

use crate::{InputRow, Schema};

/// Number of rows from which the types of new fields are inferred.
const INFERRED: usize = 10_000;

/// The conversion of a column's cells to values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cells {
    Bool,
    Number,
    Text,
    Json,
}

/// Returns the rows of a table with a heading. An empty cell is null.
pub(super) fn rows<'a>(
    input: Box<dyn BufRead + 'a>,
    name: String,
    known: Option<Schema>,
) -> Result<Box<dyn Iterator<Item = Result<InputRow>> + 'a>> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(input);
    let failed = move |error: csv::Error| Error::Refused {
        action: format!("read rows of {name}"),
        reason: format!("it is not a sound csv file: {error}"),
    };
    let heading = reader.headers().map_err(&failed)?.clone();
    let heading: Vec<String> =
        heading.iter().map(|name| name.trim_start_matches('\u{feff}').trim().to_owned()).collect();
    if let Some(twice) = heading.iter().enumerate().find(|(at, name)| heading[..*at].contains(name))
    {
        return Err(Error::invalid("heading", twice.1, "two columns have that name"));
    }
    let mut records = reader.into_records();
    let mut first = Vec::new();
    let is_known = |name: &String| {
        known.as_ref().and_then(|known| known.fields().iter().find(|field| field.is_named(name)))
    };
    if heading.iter().any(|name| is_known(name).is_none()) {
        for record in records.by_ref().take(INFERRED) {
            first.push(record.map_err(&failed)?);
        }
    }
    let cells = heading.iter().enumerate().map(|(at, name)| match is_known(name) {
        Some(field) => cells_of(field.kind.arrow()),
        None => inferred(first.iter().filter_map(|record| record.get(at))),
    });
    let cells: Vec<Cells> = cells.collect();
    let records = first.into_iter().map(Ok).chain(records);
    Ok(Box::new(records.map(move |record| {
        let record = match record {
            Ok(record) => record,
            Err(error) if matches!(error.kind(), csv::ErrorKind::Utf8 { .. }) => {
                return Ok(InputRow::Bad { text: String::new(), reason: error.to_string() });
            }
            Err(error) => return Err(failed(error)),
        };
        Ok(row(&record, &heading, &cells))
    })))
}

fn row(record: &StringRecord, heading: &[String], cells: &[Cells]) -> InputRow {
    if record.len() != heading.len() {
        let text = record.iter().collect::<Vec<_>>().join(",");
        let reason = format!("it has {} cells, and the heading {}", record.len(), heading.len());
        return InputRow::Bad { text, reason };
    }
    let pairs = record.iter().zip(heading).zip(cells);
    let row: Map<String, Value> =
        pairs.map(|((cell, name), cells)| (name.clone(), value(cell, *cells))).collect();
    InputRow::Row(row)
}

fn cells_of(kind: &DataType) -> Cells {
    match kind {
        DataType::Boolean => Cells::Bool,
        kind if kind.is_integer() || kind.is_floating() => Cells::Number,
        DataType::Duration(_) => Cells::Number,
        kind if kind.is_nested() => Cells::Json,
        _ => Cells::Text,
    }
}

/// A cell that is not what its column holds stays a text, which is then reported with its row.
fn value(cell: &str, cells: Cells) -> Value {
    match (cells, cell) {
        (_, "") => Value::Null,
        (Cells::Text, cell) => cell.into(),
        (Cells::Bool, cell) => as_bool(cell).map_or_else(|| cell.into(), Value::Bool),
        (Cells::Number, cell) => as_number(cell).map_or_else(|| cell.into(), Value::Number),
        (Cells::Json, cell) => serde_json::from_str(cell).unwrap_or_else(|_| cell.into()),
    }
}

fn as_bool(cell: &str) -> Option<bool> {
    match cell.trim() {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

fn as_number(cell: &str) -> Option<Number> {
    let cell = cell.trim();
    let whole =
        || cell.parse::<i64>().map(Number::from).or_else(|_| cell.parse::<u64>().map(Number::from));
    whole().ok().or_else(|| Number::from_f64(cell.parse().ok()?))
}

fn inferred<'a>(cells: impl Iterator<Item = &'a str> + Clone) -> Cells {
    let mut some = cells.filter(|cell| !cell.is_empty()).peekable();
    if some.peek().is_none() {
        return Cells::Text;
    }
    // `007` is a text, and stays one.
    let is_number = |cell: &str| {
        let digits = cell.trim_start_matches('-');
        let is_padded = digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.");
        !is_padded && as_number(cell).is_some()
    };
    let is_json =
        |cell: &str| cell.starts_with(['[', '{']) && serde_json::from_str::<Value>(cell).is_ok();
    match () {
        () if some.clone().all(|cell| as_bool(cell).is_some()) => Cells::Bool,
        () if some.clone().all(is_number) => Cells::Number,
        () if some.all(is_json) => Cells::Json,
        () => Cells::Text,
    }
}
