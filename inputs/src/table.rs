//! Tables with a header, `.csv`.

use schemars::Schema;
use serde_json::{Map, Value};

/// Converts the rows to a JSON array: of objects by column if the columns are named as the model's inputs, else of
/// arrays.
pub(crate) fn to_json(bytes: &[u8], schema: &Schema) -> Result<String, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let header: Vec<String> = match reader.headers() {
        Ok(header) => header.iter().map(str::to_owned).collect(),
        Err(error) => return Err(error.to_string()),
    };
    let inputs = properties(schema.as_value()).filter(|inputs| {
        header.iter().all(|column| inputs.contains_key(column)) && inputs.len() == header.len()
    });
    let mut rows = Vec::new();
    for row in reader.records() {
        let row = row.map_err(|error| error.to_string())?;
        let cells = header.iter().zip(&row);
        rows.push(match inputs {
            Some(inputs) => Value::Object(
                cells
                    .map(|(column, cell)| (column.clone(), input(&inputs[column], cell)))
                    .collect(),
            ),
            None => Value::Array(cells.map(|(_, text)| cell(text)).collect()),
        });
    }
    serde_json::to_string(&rows).map_err(|error| error.to_string())
}

/// The inputs of a model, by name.
fn properties(schema: &Value) -> Option<&Map<String, Value>> {
    let own = schema.get("properties").and_then(Value::as_object);
    own.or_else(|| schema.get("anyOf")?.as_array()?.iter().find_map(properties))
}

/// The value of a cell for an input, which may be an array of one.
fn input(schema: &Value, text: &str) -> Value {
    let is_array = schema.get("type").and_then(Value::as_str) == Some("array");
    let element = if is_array { schema.get("items").unwrap_or(schema) } else { schema };
    let is_text = element.get("type").and_then(Value::as_str) == Some("string");
    let value = if is_text { Value::String(text.to_owned()) } else { cell(text) };
    if is_array { Value::Array(vec![value]) } else { value }
}

/// A number or a boolean where the text is one, else text.
fn cell(text: &str) -> Value {
    match text {
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ => match text.parse::<i64>() {
            Ok(integer) => integer.into(),
            Err(_) => match text.parse::<f64>() {
                Ok(float) if float.is_finite() => float.into(),
                _ => Value::String(text.to_owned()),
            },
        },
    }
}
