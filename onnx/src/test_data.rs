//! ONNX's test data: values in its own format, in folders beside a model.

use std::fs;
use std::path::{Path, PathBuf};

use prost::Message;
use tract_onnx::pb::TensorProto;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::prelude::TValue;

use super::compare::difference_of;
use super::data::Data;
use super::dtype::DType;
use super::engine::Run;
use super::example::Example;
use super::file;
use super::interface::{Interface, Port};
use super::write::Outputs;

/// Maximum size of a file of test data, in bytes.
const MAX_FILE: u64 = 256 << 20;
/// Prefix of the folders of ONNX's test data, beside a model.
const FOLDER: &str = "test_data_set_";

/// Inputs, and the outputs that a model must give.
pub(super) struct TestData {
    folder: PathBuf,
    /// Encoded: only the model says of which kind they are.
    inputs: Vec<Vec<u8>>,
    outputs: Vec<Vec<u8>>,
}

impl TestData {
    /// Reads the test data beside a model.
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
            let (inputs, outputs) = (files(&folder, "input")?, files(&folder, "output")?);
            (!outputs.is_empty()).then_some(Self { folder, inputs, outputs })
        };
        folders.into_iter().filter_map(read).collect()
    }

    /// Decodes the values; `None` if they are not those of the model, as where optional inputs are left out.
    fn values(&self, interface: &Interface) -> Option<(Vec<Data>, Vec<Data>)> {
        let read = |files: &[Vec<u8>], ports: &[Port]| -> Option<Vec<Data>> {
            let pairs = files.iter().zip(ports).filter(|_| files.len() == ports.len());
            let values: Vec<_> =
                pairs.map(|(bytes, port)| value(bytes, port).ok()).collect::<Option<_>>()?;
            (values.len() == ports.len()).then_some(values)
        };
        Some((read(&self.inputs, &interface.inputs)?, read(&self.outputs, &interface.outputs)?))
    }

    /// Compares the outputs of a model.
    pub(super) fn check(&self, plan: &dyn Run, interface: &Interface) -> Result<(), String> {
        let Some((inputs, expected)) = self.values(interface) else { return Ok(()) };
        let rows = rows_of(&inputs).filter(|_| interface.by_rows).unwrap_or(1);
        let outputs = plan.run(rows, inputs);
        let outputs = outputs.map_err(|error| format!("it fails: {error:#}"))?;
        match difference_of(&interface.outputs, &expected, &outputs) {
            None => Ok(()),
            Some(difference) => {
                Err(format!("the answer differs from {}: {difference}", self.folder.display()))
            }
        }
    }

    /// Converts to what is stored; `None` if JSON cannot represent it.
    pub(super) fn example(&self, interface: &Interface) -> Option<Example> {
        let (inputs, outputs) = self.values(interface)?;
        let rows = rows_of(&inputs);
        let given =
            Interface { outputs: interface.inputs.clone(), by_rows: false, ..interface.clone() };
        let input = Outputs { interface: &given, values: inputs, rows: 1, words: true };
        let rows = if interface.by_rows { rows? } else { 1 };
        let output = Outputs { interface, values: outputs, rows, words: true };
        let output = if interface.by_rows {
            serde_json::value::to_raw_value(&output.rows().collect::<Vec<_>>())
        } else {
            serde_json::value::to_raw_value(&output.rows().next()?)
        };
        let input = serde_json::value::to_raw_value(&input.rows().next()?);
        Some(Example { input: input.ok()?, output: output.ok()? })
    }
}

fn rows_of(inputs: &[Data]) -> Option<usize> {
    inputs.first()?.tensor()?.shape().first().copied()
}

fn files(folder: &Path, kind: &str) -> Option<Vec<Vec<u8>>> {
    let mut files = Vec::new();
    loop {
        let path = folder.join(format!("{kind}_{}.pb", files.len()));
        let Ok(meta) = fs::metadata(&path) else { return Some(files) };
        if meta.len() > MAX_FILE {
            return None;
        }
        files.push(fs::read(path).ok()?);
    }
}

/// `SequenceProto` of ONNX, as far as it holds tensors.
#[derive(Clone, PartialEq, Message)]
struct SequenceProto {
    #[prost(message, repeated, tag = "3")]
    tensors: Vec<TensorProto>,
}

/// `OptionalProto` of ONNX, as far as it holds a tensor or tensors.
#[derive(Clone, PartialEq, Message)]
struct OptionalProto {
    #[prost(message, optional, tag = "3")]
    tensor: Option<TensorProto>,
    #[prost(message, optional, tag = "5")]
    sequence: Option<SequenceProto>,
}

/// Reads a value of a port in ONNX's own format.
pub(super) fn value(bytes: &[u8], port: &Port) -> Result<Data, String> {
    let failed = |error: prost::DecodeError| format!("not an ONNX value: {error}");
    let tensor = |proto: TensorProto| -> Result<TValue, String> {
        // NumPy lacks bfloat16: ONNX's own tests write its bits as integers.
        let are_bits = port.dtype == DType::Bfloat16 && proto.data_type == DataType::Uint16 as i32;
        let proto = match are_bits {
            true => TensorProto { data_type: DataType::Bfloat16 as i32, ..proto },
            false => proto,
        };
        let found = DType::narrow_of(proto.data_type);
        let tensor = file::tensor_of(&proto)?;
        let found = found.or_else(|| DType::of(tensor.datum_type()));
        if found != Some(port.dtype) {
            return Err(format!("expected elements of {}", port.dtype));
        }
        Ok(tensor.into())
    };
    let sequence = |proto: SequenceProto| -> Result<Data, String> {
        Ok(Data::Sequence(proto.tensors.into_iter().map(tensor).collect::<Result<_, _>>()?))
    };
    if !port.optional {
        return if port.sequence {
            sequence(SequenceProto::decode(bytes).map_err(failed)?)
        } else {
            Ok(Data::Tensor(tensor(TensorProto::decode(bytes).map_err(failed)?)?))
        };
    }
    match OptionalProto::decode(bytes).map_err(failed)? {
        OptionalProto { sequence: Some(proto), .. } => sequence(proto),
        OptionalProto { tensor: Some(proto), .. } => Ok(Data::Tensor(tensor(proto)?)),
        _ => Ok(Data::Missing),
    }
}
