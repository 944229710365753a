//! Models with what their own library answers, put with each engine and asked.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use larder::models::OnnxModel;
use larder::models::onnx::{Engine, OpenOptions};
use larder::{Error, Larder, Model as _, Registry};
use serde_json::Value;

/// The outcome for a model and an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It answers as its library.
    Right,
    /// It was refused when it was put; the reason.
    Refused(String),
    /// It was put, and did not answer.
    Fails(String),
    /// It answers otherwise.
    Wrong(String),
}

/// A model, rows of input, and the outputs of its library.
#[derive(Debug, Clone)]
pub struct Case {
    /// Name of its folder.
    pub name: String,
    /// True if the export itself changed the answers: then ONNX Runtime's are expected, and roughly.
    pub export: bool,
    folder: PathBuf,
}

/// Finds the cases in a folder, by name.
///
/// # Errors
/// I/O errors.
pub fn cases(folder: &Path) -> io::Result<Vec<Case>> {
    let mut cases = Vec::new();
    for entry in fs::read_dir(folder)? {
        let folder = entry?.path();
        let name = folder.file_name().map(|name| name.to_string_lossy().into_owned());
        let export = folder.join("export").exists();
        cases.push(Case { name: name.unwrap_or_default(), export, folder });
    }
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(cases)
}

impl Case {
    /// Puts the model in a larder with an engine, or the first that can run it, loads it, and asks it.
    pub fn run(&self, engine: Option<Engine>) -> Outcome {
        let options = OpenOptions::new();
        let options = match engine {
            Some(engine) => options.engine(engine),
            None => options,
        };
        let model = match OnnxModel::open_with(self.folder.join("model.onnx"), &options) {
            Ok(model) => model,
            Err(error) => return Outcome::Refused(error.to_string()),
        };
        match self.ask(&model) {
            Ok(None) => Outcome::Right,
            Ok(Some(difference)) => Outcome::Wrong(difference),
            Err(error) => Outcome::Fails(format!("{error:?}").replace('\n', " ")),
        }
    }

    /// Returns the first difference to what the library answers.
    fn ask(&self, model: &OnnxModel) -> Result<Option<String>, Box<dyn std::error::Error>> {
        let larder: Larder = Registry::linked()?.open("memory:")?;
        larder.apply("case", model)?;
        let model: OnnxModel = larder.load("case")?;
        let read = |file: &str| -> Result<Value, Box<dyn std::error::Error>> {
            Ok(serde_json::from_slice(&fs::read(self.folder.join(file))?)?)
        };
        let (input, expected) = (read("input.json")?, read("expected.json")?);
        let rows = input.as_array().ok_or("no rows")?;
        let outputs = expected.as_object().ok_or("no outputs")?;
        let expected_of = |row: usize| match &outputs.values().collect::<Vec<_>>()[..] {
            [only] => only.get(row).cloned().unwrap_or_default(),
            _ => outputs
                .iter()
                .map(|(name, values)| (name.clone(), values.get(row).cloned().unwrap_or_default()))
                .collect::<serde_json::Map<_, _>>()
                .into(),
        };
        // Models whose rows are not independent take and give whole tensors.
        let whole = match &outputs.values().collect::<Vec<_>>()[..] {
            [only] => (*only).clone(),
            _ => expected.clone(),
        };
        let one_by_one: Value = (0..rows.len()).map(expected_of).collect::<Vec<_>>().into();
        // What an export gets wrong, rounding may change.
        let tolerance = if self.export { 1e-2 } else { 1e-4 };
        let difference =
            |found: &Value, expected: &Value| difference("", found, expected, tolerance);
        let all: Value = serde_json::from_str(&model.predict_json_erased(&input.to_string())?)?;
        if let Some(by_rows) = difference(&all, &one_by_one) {
            let found = difference(&all, &whole);
            return Ok(found.map(|_| format!("all rows at once: {by_rows}")));
        }
        if self.export {
            return Ok(None);
        }
        let batch = match model.predict_batch_json_erased(&input.to_string()) {
            // Its rows were not shown to be independent: each input is a whole tensor.
            Err(Error::Input { .. }) => return Ok(None),
            batch => serde_json::from_str(&batch?)?,
        };
        if let Some(found) = difference(&batch, &one_by_one) {
            return Ok(Some(format!("a batch: {found}")));
        }
        for (at, row) in rows.iter().enumerate() {
            let answer = serde_json::from_str(&model.predict_json_erased(&row.to_string())?)?;
            if let Some(found) = difference(&answer, &expected_of(at)) {
                return Ok(Some(format!("row {at} alone: {found}")));
            }
        }
        Ok(None)
    }
}

/// Returns the first place where two values differ: numbers with a fraction by more than the tolerance.
fn difference(path: &str, found: &Value, expected: &Value, tolerance: f64) -> Option<String> {
    let difference =
        |path: &str, found: &Value, expected: &Value| difference(path, found, expected, tolerance);
    match (found, expected) {
        (Value::Array(found), Value::Array(expected)) if found.len() == expected.len() => {
            let mut pairs = found.iter().zip(expected).enumerate();
            pairs.find_map(|(at, (found, expected))| {
                difference(&format!("{path}[{at}]"), found, expected)
            })
        }
        // A column of one, or a value.
        (Value::Array(found), expected) if found.len() == 1 && !expected.is_array() => {
            difference(path, &found[0], expected)
        }
        (found, Value::Array(expected)) if expected.len() == 1 && !found.is_array() => {
            difference(path, found, &expected[0])
        }
        (Value::Object(found), Value::Object(expected)) if found.len() == expected.len() => {
            expected.iter().find_map(|(key, expected)| match found.get(key) {
                Some(found) => difference(&format!("{path}.{key}"), found, expected),
                None => Some(format!("{path}.{key} is missing")),
            })
        }
        (Value::Number(found), Value::Number(expected)) if found.is_f64() || expected.is_f64() => {
            let (found, expected) = (found.as_f64()?, expected.as_f64()?);
            let near = (found - expected).abs() <= tolerance * expected.abs().max(1.0);
            (!near).then(|| format!("{path} is {found}, not {expected}"))
        }
        (found, expected) if found == expected => None,
        (found, expected) => Some(format!("{path} is {found}, not {expected}")),
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Right => f.write_str("right"),
            Self::Refused(reason) => write!(f, "refused: {reason}"),
            Self::Fails(reason) => write!(f, "fails at the prediction: {reason}"),
            Self::Wrong(reason) => write!(f, "wrong: {reason}"),
        }
    }
}
