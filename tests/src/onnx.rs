//! The backend tests of the ONNX project, which its wheel brings, through an engine.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use larder::models::OnnxModel;
use larder::models::onnx::{Engine, OpenOptions, Port, Value};

/// Groups of tests below `onnx/backend/test/data`.
const GROUPS: [&str; 4] = ["node", "simple", "pytorch-converted", "pytorch-operator"];

/// The outcome of a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The outputs agree.
    Right,
    /// The model was refused when it was opened; the reason.
    Refused(String),
    /// It was opened, and did not predict.
    Fails(String),
    /// The outputs differ.
    Wrong(String),
}

/// A test.
#[derive(Debug, Clone)]
pub struct Case {
    /// Name of its folder.
    pub name: String,
    /// The operator of its only node; else `several`.
    pub operator: String,
    /// True if an input or output has a type that neither JSON nor NumPy holds.
    pub is_unwritable: bool,
    folder: PathBuf,
}

/// Finds the tests in the wheel's folder `onnx/backend/test/data`, by name.
///
/// # Errors
/// I/O errors.
pub fn cases(data: &Path) -> io::Result<Vec<Case>> {
    let mut cases = Vec::new();
    for group in GROUPS {
        for entry in fs::read_dir(data.join(group))? {
            let folder = entry?.path();
            let Ok(model) = fs::read(folder.join("model.onnx")) else { continue };
            let name = folder.file_name().map(|name| name.to_string_lossy().into_owned());
            let name = name.unwrap_or_default();
            let is_unwritable = is_unwritable(&model);
            cases.push(Case { name, operator: operator(&model), is_unwritable, folder });
        }
    }
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(cases)
}

impl Case {
    /// Runs the test.
    pub fn run(&self, engine: Engine) -> Outcome {
        let options = OpenOptions::new().engine(engine);
        let model = match OnnxModel::open_with(self.folder.join("model.onnx"), &options) {
            Ok(model) => model,
            Err(error) => return Outcome::Refused(error.to_string()),
        };
        // The test's data are kept with the model in JSON.
        if let Err(error) = model.check_examples() {
            return Outcome::Wrong(format!("{error:?}"));
        }
        for at in 0.. {
            let set = self.folder.join(format!("test_data_set_{at}"));
            if !set.is_dir() {
                return if at > 0 {
                    Outcome::Right
                } else {
                    Outcome::Fails("it has no data".into())
                };
            }
            let (inputs, expected) = match (
                values(&set, "input", model.inputs()),
                values(&set, "output", model.outputs()),
            ) {
                (Ok(inputs), Ok(expected)) => (inputs, expected),
                (Err(error), _) | (_, Err(error)) => return Outcome::Fails(error.to_string()),
            };
            match model.predict(inputs) {
                Err(error) => return Outcome::Fails(format!("{error:?}")),
                Ok(outputs) => {
                    let mut pairs = outputs.iter().zip(&expected).zip(model.outputs());
                    let same =
                        pairs.all(|((a, b), port)| a.dtype() == b.dtype() && a.is_close(b, port));
                    if outputs.len() != expected.len() || !same {
                        return Outcome::Wrong(format!("{outputs:?}, not {expected:?}"));
                    }
                }
            }
        }
        Outcome::Right
    }
}

fn values(set: &Path, kind: &str, ports: &[Port]) -> larder::Result<Vec<Value>> {
    let files = (0..).map(|at| set.join(format!("{kind}_{at}.pb")));
    let files = files.map_while(|path| fs::read(path).ok());
    // Of each file, the model says what it is.
    files.zip(ports).map(|(bytes, port)| Value::from_onnx_of(port, &bytes)).collect()
}

/// The operator of a model's only node.
fn operator(model: &[u8]) -> String {
    let nodes = fields(model, 7).into_iter().flat_map(|graph| fields(graph, 1)).collect::<Vec<_>>();
    match &nodes[..] {
        [node] => fields(node, 4)
            .first()
            .map(|name| String::from_utf8_lossy(name).into_owned())
            .unwrap_or_default(),
        _ => "several".to_owned(),
    }
}

/// ONNX's numbers of `complex64`, `complex128` and `float4e2m1`.
const UNWRITABLE: [u8; 3] = [14, 15, 23];

/// Looks for inputs and outputs of a type that neither JSON nor NumPy holds.
fn is_unwritable(model: &[u8]) -> bool {
    let graphs = fields(model, 7);
    let ports = graphs.iter().flat_map(|graph| [fields(graph, 11), fields(graph, 12)]).flatten();
    let types = ports.flat_map(|port| fields(port, 2)).flat_map(|ty| fields(ty, 1));
    // The number is the first field.
    types.into_iter().any(|tensor| matches!(tensor, [8, number, ..] if UNWRITABLE.contains(number)))
}

/// The byte fields of a protobuf message with this number.
fn fields(message: &[u8], number: u64) -> Vec<&[u8]> {
    let (mut found, mut rest) = (Vec::new(), message);
    while let Some(key) = varint(&mut rest) {
        let len = match key & 7 {
            0 => varint(&mut rest).map(|_| 0),
            1 => Some(8),
            2 => varint(&mut rest).and_then(|len| usize::try_from(len).ok()),
            5 => Some(4),
            _ => None,
        };
        let Some((value, after)) = len.and_then(|len| rest.split_at_checked(len)) else { break };
        if key == number << 3 | 2 {
            found.push(value);
        }
        rest = after;
    }
    found
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// The outcomes with tract and with ONNX Runtime.
pub type Pair = [Outcome; 2];

/// The tests that an engine refuses, a line each: name, engines.
pub fn refusals(results: &[(Case, Pair)]) -> String {
    let mut lines = String::new();
    for (case, [tract, runtime]) in results {
        let engines = match (tract == &Outcome::Right, runtime == &Outcome::Right) {
            (true, true) => continue,
            (false, true) => "tract",
            (true, false) => "onnxruntime",
            (false, false) => "both",
        };
        // Writing to text does not fail.
        let _ = writeln!(lines, "{}\t{engines}", case.name);
    }
    lines
}

/// The table of `docs/onnx.md`.
pub fn table(results: &[(Case, Pair)]) -> String {
    let mut rows: BTreeMap<&str, [usize; 3]> = BTreeMap::new();
    for (case, pair) in results {
        for operator in [case.operator.as_str(), ""] {
            let row = rows.entry(operator).or_default();
            row[0] += 1;
            for (count, outcome) in row[1..].iter_mut().zip(pair) {
                *count += usize::from(*outcome == Outcome::Right);
            }
        }
    }
    let mut table =
        "| operator | tests | tract | ONNX Runtime |\n| --- | --- | --- | --- |\n".to_owned();
    let all = rows.remove("").unwrap_or_default();
    let several = rows.remove("several").unwrap_or_default();
    let rows = rows.into_iter().map(|(name, row)| (format!("`{name}`"), row));
    let ends = [("several operators".to_owned(), several), ("all".to_owned(), all)];
    for (name, [tests, tract, runtime]) in rows.chain(ends) {
        let _ = writeln!(table, "| {name} | {tests} | {tract} | {runtime} |");
    }
    table
}

/// Reasons of refusals, by a part of the message.
const REASONS: [(&str, &str); 11] = [
    ("the answer differs", "The engine's answer is not that of the test's data"),
    ("it fails", "The engine fails on the test's data"),
    ("Could not find an implementation", NO_KERNEL),
    ("Failed to find kernel", NO_KERNEL),
    ("is not a registered function", NO_KERNEL),
    ("unsupported operator", NO_KERNEL),
    ("unsupported opset", NO_KERNEL),
    ("elements of the type", NO_TYPE),
    ("type that is not supported", NO_TYPE),
    ("random numbers", "It draws random numbers, or trains"),
    ("in training mode", "It draws random numbers, or trains"),
];
const NO_KERNEL: &str = "The engine lacks the operator, in this version or for these types";
const NO_TYPE: &str = "The engine lacks a type inside the model";
const UNWRITTEN: &str = "An input or output is `float4e2m1`, which neither JSON nor NumPy holds";
const OTHER: &str = "The engine cannot build or run the model otherwise";

/// The table of refusals by reason.
pub fn reasons(results: &[(Case, Pair)]) -> String {
    let mut rows: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
    for (case, pair) in results {
        for (at, outcome) in pair.iter().enumerate() {
            let Outcome::Refused(message) = outcome else { continue };
            let known = REASONS.iter().find(|(part, _)| message.contains(part));
            let reason =
                if case.is_unwritable { UNWRITTEN } else { known.map_or(OTHER, |it| it.1) };
            rows.entry(reason).or_default()[at] += 1;
        }
    }
    let mut table = "| refused because | tract | ONNX Runtime |\n| --- | --- | --- |\n".to_owned();
    for (reason, [tract, runtime]) in rows {
        let _ = writeln!(table, "| {reason} | {tract} | {runtime} |");
    }
    table
}
