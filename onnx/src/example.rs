//! Examples: inputs with the outputs that a model must give.

use larder_core::{Error, Model as _, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use serde_json::value::RawValue;

use super::OnnxModel;
use super::compare::{is_same_fraction, rounding};

/// Maximum size of the stored examples, in bytes.
const MAX_BYTES: usize = 16 << 20;

/// An example as it is stored: what [`Model::predict_json`] takes and returns.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Example {
    pub(super) input: Box<RawValue>,
    pub(super) output: Box<RawValue>,
}

impl Example {
    pub(super) fn new(input: &str, output: &str) -> Result<Self> {
        let read = |what: &str, text: &str| {
            serde_json::from_str::<Box<RawValue>>(text).map_err(|error| Error::Refused {
                action: format!("read the {what} of an example"),
                reason: error.to_string(),
            })
        };
        Ok(Self { input: read("input", input)?, output: read("output", output)? })
    }

    /// Compares the model's prediction with the output.
    pub(super) fn check(&self, model: &OnnxModel) -> Result<()> {
        let predicted = model.predict_json_erased(self.input.get())?;
        let read = |text: &str| serde_json::from_str::<Json>(text).map_err(Error::predict);
        let (predicted, expected) = (read(&predicted)?, read(self.output.get())?);
        let tolerance = greatest(&expected) * share(model);
        match json_difference(&predicted, &expected, tolerance, &mut String::new()) {
            None => Ok(()),
            Some(difference) => {
                Err(Error::predict(format!("the answer differs from the example: {difference}")))
            }
        }
    }
}

/// Maximum rounding difference in an answer, as a share of the greatest number.
fn share(model: &OnnxModel) -> f64 {
    model.outputs().iter().map(|port| rounding(port.dtype)).fold(1e-3, f64::max)
}

fn greatest(value: &Json) -> f64 {
    match value {
        Json::Number(number) => number.as_f64().unwrap_or(0.0).abs(),
        Json::Array(items) => items.iter().map(greatest).fold(0.0, f64::max),
        Json::Object(fields) => fields.values().map(greatest).fold(0.0, f64::max),
        _ => 0.0,
    }
}

/// Finds the first difference, with its path.
fn json_difference(
    found: &Json,
    expected: &Json,
    tolerance: f64,
    path: &mut String,
) -> Option<String> {
    let differs = |path: &str| Some(format!("{found} at `{path}`, not {expected}"));
    match (found, expected) {
        (Json::Number(a), Json::Number(b)) => {
            // Integers are labels and counts: no rounding.
            let near = (a.as_f64()? - b.as_f64()?).abs() <= tolerance;
            let same = if a.is_f64() || b.is_f64() { near } else { a == b };
            if same { None } else { differs(path) }
        }
        (Json::Array(a), Json::Array(b)) if a.len() == b.len() => {
            let len = path.len();
            a.iter().zip(b).enumerate().find_map(|(at, (a, b))| {
                path.truncate(len);
                path.push_str(&format!("[{at}]"));
                json_difference(a, b, tolerance, path)
            })
        }
        (Json::Object(a), Json::Object(b)) if a.len() == b.len() => {
            let len = path.len();
            a.iter().find_map(|(key, a)| {
                path.truncate(len);
                path.push_str(if len == 0 { "" } else { "." });
                path.push_str(key);
                json_difference(a, b.get(key).unwrap_or(&Json::Null), tolerance, path)
            })
        }
        (a, b) if a == b => None,
        (Json::String(a), Json::String(b)) if is_same_fraction(a, b) => None,
        (Json::Array(_) | Json::Object(_), _) | (_, Json::Array(_) | Json::Object(_)) => {
            Some(format!("another shape at `{path}`"))
        }
        _ => differs(path),
    }
}

/// Returns the examples as they are stored; `None` if there are none, or they are too large.
pub(super) fn to_bytes(examples: &[Example]) -> Result<Option<Vec<u8>>> {
    if examples.is_empty() {
        return Ok(None);
    }
    let bytes = serde_json::to_vec(examples);
    let bytes = bytes
        .map_err(|error| Error::Encode { what: "the examples".into(), source: error.into() })?;
    Ok(Some(bytes).filter(|bytes| bytes.len() <= MAX_BYTES))
}

pub(super) fn from_bytes(bytes: &[u8]) -> Result<Vec<Example>> {
    serde_json::from_slice(bytes)
        .map_err(|error| Error::Input { path: "examples".into(), source: error.into() })
}
