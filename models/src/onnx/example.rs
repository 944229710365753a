//! Examples: inputs with the outputs that a model must give.

use std::fs;
use std::path::{Path, PathBuf};

use larder_core::{Error, Model, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use serde_json::value::RawValue;
use tract_onnx::prelude::TValue;

use super::compare::difference;
use super::engine::Run;
use super::file;
use super::interface::Interface;
use super::write::Outputs;

/// Maximum size of the stored examples, in bytes.
const MAX_BYTES: usize = 16 << 20;
/// Maximum size of a file of test data, in bytes.
const MAX_FILE: u64 = 256 << 20;
/// Prefix of the folders of ONNX's test data, beside a model.
const FOLDER: &str = "test_data_set_";

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
    pub(super) fn check(&self, model: &dyn Model) -> Result<()> {
        let predicted = model.predict_json(self.input.get())?;
        let read = |text: &str| serde_json::from_str::<Json>(text).map_err(Error::predict);
        let (predicted, expected) = (read(&predicted)?, read(self.output.get())?);
        let tolerance = greatest(&expected) * 1e-3;
        match json_difference(&predicted, &expected, tolerance, &mut String::new()) {
            None => Ok(()),
            Some(difference) => {
                Err(Error::predict(format!("the answer differs from the example: {difference}")))
            }
        }
    }
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
        (Json::Array(_) | Json::Object(_), _) | (_, Json::Array(_) | Json::Object(_)) => {
            Some(format!("another shape at `{path}`"))
        }
        _ => differs(path),
    }
}

/// ONNX's test data: whole tensors.
pub(super) struct TestData {
    folder: PathBuf,
    inputs: Vec<TValue>,
    outputs: Vec<TValue>,
}

impl TestData {
    /// Reads the test data beside a model. Data that are not tensors are no examples.
    pub(super) fn beside(model: &Path) -> Vec<Self> {
        let folder = model.parent().filter(|folder| !folder.as_os_str().is_empty());
        let entries =
            fs::read_dir(folder.unwrap_or(Path::new("."))).into_iter().flatten().flatten();
        let is_data = |path: &PathBuf| {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
            name.is_some_and(|name| name.starts_with(FOLDER)) && path.is_dir()
        };
        let mut folders: Vec<_> = entries.map(|entry| entry.path()).filter(is_data).collect();
        folders.sort();
        let read = |folder: PathBuf| {
            let (inputs, outputs) = (tensors(&folder, "input")?, tensors(&folder, "output")?);
            (!outputs.is_empty()).then_some(Self { folder, inputs, outputs })
        };
        folders.into_iter().filter_map(read).collect()
    }

    /// Compares the outputs of a model.
    pub(super) fn check(&self, plan: &dyn Run, interface: &Interface) -> Result<(), String> {
        if self.inputs.len() != interface.inputs.len() {
            // Optional inputs that were left out.
            return Ok(());
        }
        let rows = self.inputs.first().and_then(|input| input.shape().first().copied());
        let rows = rows.filter(|_| interface.by_rows).unwrap_or(1);
        let outputs = plan.run(rows, self.inputs.clone());
        let outputs = outputs.map_err(|error| format!("it fails: {error:#}"))?;
        match difference(&self.outputs, &outputs) {
            None => Ok(()),
            Some(difference) => {
                Err(format!("the answer differs from {}: {difference}", self.folder.display()))
            }
        }
    }

    /// Converts to what is stored; `None` if JSON cannot represent it.
    pub(super) fn example(&self, interface: &Interface) -> Option<Example> {
        let given =
            Interface { outputs: interface.inputs.clone(), by_rows: false, ..interface.clone() };
        let input =
            Outputs { interface: &given, tensors: self.inputs.clone(), rows: 1, words: true };
        let rows = self.inputs.first()?.shape().first().copied().unwrap_or(0);
        let rows = if interface.by_rows { rows } else { 1 };
        let output = Outputs { interface, tensors: self.outputs.clone(), rows, words: true };
        let output = if interface.by_rows {
            serde_json::value::to_raw_value(&output.rows().collect::<Vec<_>>())
        } else {
            serde_json::value::to_raw_value(&output.rows().next()?)
        };
        let input = serde_json::value::to_raw_value(&input.rows().next()?);
        Some(Example { input: input.ok()?, output: output.ok()? })
    }
}

fn tensors(folder: &Path, kind: &str) -> Option<Vec<TValue>> {
    let mut tensors = Vec::new();
    loop {
        let path = folder.join(format!("{kind}_{}.pb", tensors.len()));
        let Ok(meta) = fs::metadata(&path) else { return Some(tensors) };
        if meta.len() > MAX_FILE {
            return None;
        }
        let tensor = file::tensor(&fs::read(path).ok()?).ok()?;
        super::DType::of(tensor.datum_type())?;
        tensors.push(tensor.into());
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
