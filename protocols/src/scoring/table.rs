//! Tables, as MLflow's clients send them, to rows of a model's input.

use larder_server::extend::Failure;
use larder_serving::Input;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::inference::ports::Ports;
use crate::inference::tensors::invalid;

/// A body of `/invocations`: exactly one of the four.
#[derive(Deserialize)]
pub(crate) struct Body {
    dataframe_split: Option<Split>,
    dataframe_records: Option<Vec<Map<String, Value>>>,
    instances: Option<Value>,
    inputs: Option<Value>,
    /// Accepted, because clients send it: no model of Larder has parameters.
    #[serde(default, rename = "params")]
    _params: Option<Value>,
}

#[derive(Deserialize)]
struct Split {
    #[serde(default)]
    columns: Vec<Value>,
    data: Vec<Vec<Value>>,
    #[serde(default, rename = "index")]
    _index: Option<Value>,
}

const ONE_OF: &str = "cannot read the request: it has exactly one of `dataframe_split`, \
                      `dataframe_records`, `instances` and `inputs`";

/// Returns the input for a body.
pub(crate) fn input(ports: &Ports, body: Body) -> Result<Input, Failure> {
    let Body { dataframe_split, dataframe_records, instances, inputs, .. } = body;
    match (dataframe_split, dataframe_records, instances, inputs) {
        (Some(Split { columns, data, .. }), None, None, None) => {
            let columns: Vec<String> = columns.iter().map(text).collect();
            if data.iter().any(|row| !columns.is_empty() && row.len() != columns.len()) {
                return Err(invalid("a row has another number of values than there are columns"));
            }
            Ok(rows(data.into_iter().map(|row| of_row(ports, &columns, row))))
        }
        (None, Some(records), None, None) => {
            Ok(rows(records.into_iter().map(|record| of_record(ports, record))))
        }
        (None, None, Some(instances), None) => match instances {
            Value::Array(instances) => Ok(rows(instances.into_iter())),
            instances => columnar(ports, instances),
        },
        (None, None, None, Some(inputs)) => columnar(ports, inputs),
        _ => Err(Failure::bad_request(ONE_OF)),
    }
}

/// Returns the input for a table in CSV, whose first line has the names of the columns.
pub(crate) fn csv(ports: &Ports, body: &[u8]) -> Result<Input, Failure> {
    let unreadable = |_| Failure::bad_request("cannot read the request: it is no CSV table");
    let mut reader = csv::Reader::from_reader(body);
    let columns: Vec<String> =
        reader.headers().map_err(unreadable)?.iter().map(str::to_owned).collect();
    let mut data = Vec::new();
    for record in reader.records() {
        let row = record.map_err(unreadable)?;
        data.push(of_row(ports, &columns, row.iter().map(cell).collect()));
    }
    Ok(rows(data.into_iter()))
}

/// A cell of CSV: a number or a truth value if it looks like one.
fn cell(text: &str) -> Value {
    match text {
        "true" | "True" => Value::Bool(true),
        "false" | "False" => Value::Bool(false),
        "" => Value::Null,
        text => match text.parse::<serde_json::Number>() {
            Ok(number) => Value::Number(number),
            Err(_) => Value::from(text),
        },
    }
}

/// `inputs`: a tensor, or tensors by name.
fn columnar(ports: &Ports, inputs: Value) -> Result<Input, Failure> {
    match inputs {
        // A model that takes tensors whole takes them by name.
        inputs if ports.takes_tensors => Ok(Input::Json(inputs.to_string())),
        Value::Object(columns) => {
            let count = columns.values().map(|column| column.as_array().map(Vec::len));
            let count: Vec<Option<usize>> = count.collect();
            let first = count.first().copied().flatten();
            if first.is_none() || count.iter().any(|count| *count != first) {
                // Values of one row.
                return Ok(Input::Json(Value::Object(columns).to_string()));
            }
            let record = |row: usize| {
                let entry = |(name, column): (&String, &Value)| (name.clone(), column[row].clone());
                of_record(ports, columns.iter().map(entry).collect())
            };
            Ok(rows((0..first.unwrap_or_default()).map(record)))
        }
        Value::Array(rows_of) => Ok(rows(rows_of.into_iter())),
        value => Ok(Input::Json(value.to_string())),
    }
}

fn rows(rows: impl Iterator<Item = Value>) -> Input {
    Input::JsonRows(rows.collect::<Value>().to_string())
}

/// A row of a table with `columns`: an object by their names where the model has such inputs, or else an array.
fn of_row(ports: &Ports, columns: &[String], row: Vec<Value>) -> Value {
    let is_named = ports.is_object
        && columns.iter().any(|column| ports.inputs.iter().any(|port| port.name == *column));
    match is_named {
        true => Value::Object(columns.iter().cloned().zip(row).collect()),
        false => values(ports, row),
    }
}

fn of_record(ports: &Ports, record: Map<String, Value>) -> Value {
    let is_named = ports.is_object
        && record.keys().any(|name| ports.inputs.iter().any(|port| port.name == *name));
    match is_named {
        true => Value::Object(record),
        false => values(ports, record.into_iter().map(|(_, value)| value).collect()),
    }
}

/// The values of a row without names: an array, unless the model takes a single value.
fn values(ports: &Ports, mut row: Vec<Value>) -> Value {
    let is_single = matches!(&ports.inputs[..], [port] if port.shape.len() == 1);
    match is_single && row.len() == 1 {
        true => row.remove(0),
        false => Value::Array(row),
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}
