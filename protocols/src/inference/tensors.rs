//! Tensors to the JSON of a model's input, and the JSON of its output to tensors.

use std::fmt::Write as _;

use larder_serving::Input;
use serde_json::Value;

use super::ports::{Port, Ports};
use larder_server::extend::Failure;

/// The maximum number of dimensions.
const MOST_DIMENSIONS: usize = 32;

/// A tensor: its sizes, and its elements as JSON texts, in row-major order.
#[derive(Debug, Clone)]
pub(crate) struct Tensor {
    /// The name.
    pub(crate) name: String,
    /// The dimensions.
    pub(crate) shape: Vec<usize>,
    /// The elements as JSON.
    pub(crate) elements: Vec<String>,
}

impl Tensor {
    /// Creates a tensor.
    ///
    /// # Errors
    /// If there are not as many elements as the shape says.
    pub(crate) fn new(
        name: String,
        shape: Vec<usize>,
        elements: Vec<String>,
    ) -> Result<Self, Failure> {
        let count = shape.iter().try_fold(1_usize, |count, size| count.checked_mul(*size));
        if shape.len() > MOST_DIMENSIONS || count != Some(elements.len()) {
            return Err(invalid("an input has another number of elements than its shape says"));
        }
        Ok(Self { name, shape, elements })
    }

    /// Writes the elements from `at` on as nested arrays of `shape`.
    fn nested(&self, shape: &[usize], at: &mut usize, out: &mut String) {
        match shape {
            [] => {
                out.push_str(&self.elements[*at]);
                *at += 1;
            }
            [size, inner @ ..] => {
                out.push('[');
                for number in 0..*size {
                    if number > 0 {
                        out.push(',');
                    }
                    self.nested(inner, at, out);
                }
                out.push(']');
            }
        }
    }

    fn json(&self) -> String {
        let mut out = String::with_capacity(self.elements.len() * 8);
        self.nested(&self.shape, &mut 0, &mut out);
        out
    }

    /// The elements of row `row`.
    fn row(&self, row: usize, out: &mut String) {
        let inner = &self.shape[1..];
        let mut at = row * inner.iter().product::<usize>();
        self.nested(inner, &mut at, out);
    }
}

/// Returns the input of a model that the tensors are, and whether it is a batch of rows.
pub(crate) fn input(ports: &Ports, tensors: &[Tensor]) -> Result<(Input, bool), Failure> {
    for tensor in tensors {
        if ports.is_object && !ports.inputs.iter().any(|port| port.name == tensor.name) {
            let known: Vec<_> = ports.inputs.iter().map(|port| port.name.as_str()).collect();
            return Err(invalid(format!("the inputs of the model are {}", known.join(", "))));
        }
    }
    if ports.takes_tensors {
        let entries = tensors.iter().map(|tensor| (tensor.name.as_str(), tensor.json()));
        return Ok((Input::Json(object(entries)), false));
    }
    if !ports.is_object && tensors.len() != 1 {
        return Err(invalid("the model has one input"));
    }
    // The dimensions of one row are those of the port without the first.
    let rank = |tensor: &Tensor| {
        let port = ports.inputs.iter().find(|port| !ports.is_object || port.name == tensor.name);
        port.map_or(0, |port| port.shape.len() - 1)
    };
    if tensors.iter().all(|tensor| tensor.shape.len() == rank(tensor)) {
        let json = match ports.is_object {
            true => object(tensors.iter().map(|it| (it.name.as_str(), it.json()))),
            false => tensors[0].json(),
        };
        return Ok((Input::Json(json), false));
    }
    let rows = tensors.first().and_then(|tensor| tensor.shape.first()).copied().unwrap_or(0);
    let is_batch =
        |tensor: &Tensor| tensor.shape.len() == rank(tensor) + 1 && tensor.shape[0] == rows;
    if !tensors.iter().all(is_batch) {
        return Err(invalid("the inputs have other dimensions than the model"));
    }
    let mut json = String::from("[");
    for row in 0..rows {
        if row > 0 {
            json.push(',');
        }
        if ports.is_object {
            let entries = tensors.iter().map(|tensor| {
                let mut text = String::new();
                tensor.row(row, &mut text);
                (tensor.name.as_str(), text)
            });
            json.push_str(&object(entries));
        } else {
            tensors[0].row(row, &mut json);
        }
    }
    json.push(']');
    Ok((Input::JsonRows(json), true))
}

fn object<'a>(entries: impl Iterator<Item = (&'a str, String)>) -> String {
    let mut out = String::from("{");
    for (at, (name, value)) in entries.enumerate() {
        let comma = if at > 0 { "," } else { "" };
        // Writing to a String cannot fail.
        let _ = write!(out, "{comma}{}:{value}", Value::from(name));
    }
    out.push('}');
    out
}

/// Returns the outputs of a model as tensors.
pub(crate) fn outputs(
    ports: &Ports,
    answer: Value,
    is_batch: bool,
) -> Vec<(Port, Vec<usize>, Vec<Value>)> {
    ports
        .outputs
        .iter()
        .map(|port| {
            let value = pick(&answer, &port.name, ports.outputs.len());
            let (shape, elements) = match port.datatype {
                Some(_) => flatten(&value).unwrap_or_else(|| as_text(&value, is_batch)),
                None => as_text(&value, is_batch),
            };
            (port.clone(), shape, elements)
        })
        .collect()
}

/// The value of an output: of one object, of the object of each row, or the answer itself.
fn pick(answer: &Value, name: &str, count: usize) -> Value {
    match answer {
        Value::Object(entries) if entries.contains_key(name) => entries[name].clone(),
        Value::Array(rows)
            if !rows.is_empty()
                && rows.iter().all(|row| row.get(name).is_some() && row.is_object()) =>
        {
            rows.iter().map(|row| row[name].clone()).collect()
        }
        Value::Array(values) if count > 1 && values.is_empty() => Value::Array(Vec::new()),
        answer => answer.clone(),
    }
}

/// The sizes and elements of nested arrays; `None` if they are ragged or hold objects.
fn flatten(value: &Value) -> Option<(Vec<usize>, Vec<Value>)> {
    match value {
        Value::Array(items) => {
            let mut elements = Vec::with_capacity(items.len());
            let mut inner: Option<Vec<usize>> = None;
            for item in items {
                let (shape, mut flat) = flatten(item)?;
                if inner.get_or_insert_with(|| shape.clone()) != &shape {
                    return None;
                }
                elements.append(&mut flat);
            }
            let mut shape = vec![items.len()];
            shape.extend(inner.unwrap_or_default());
            Some((shape, elements))
        }
        Value::Object(_) => None,
        value => Some((Vec::new(), vec![value.clone()])),
    }
}

/// Values that are no tensor, as JSON texts: one for each row.
fn as_text(value: &Value, is_batch: bool) -> (Vec<usize>, Vec<Value>) {
    match value {
        Value::Array(rows) if is_batch => {
            let texts = rows.iter().map(|row| Value::from(row.to_string()));
            (vec![rows.len()], texts.collect())
        }
        value => (vec![1], vec![Value::from(value.to_string())]),
    }
}

/// Returns the failure of an input that does not fit.
pub(crate) fn invalid(reason: impl std::fmt::Display) -> Failure {
    Failure::new(
        axum::http::StatusCode::UNPROCESSABLE_ENTITY,
        "invalid_input",
        format!("cannot use the input: {reason}"),
    )
}
