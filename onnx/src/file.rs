//! Parsing and validation of an untrusted ONNX file, before tract builds it.

use std::collections::{BTreeSet, HashSet};

use larder_core::extend::catch_panic;
use prost::Message as _;
use tract_onnx::pb::tensor_proto::{DataLocation, DataType};
use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, type_proto,
};
use tract_onnx::prelude::Tensor;
use tract_onnx::tensor::load_tensor;
use tract_onnx::{Onnx, data_resolver::ModelDataResolver};

use super::dtype::DType;
use super::rewrite::{self, Keys, describe};
use super::{narrow, upgrade};

/// Maximum size of a file, in bytes: the limit of protobuf.
pub(super) const MAX_BYTES: u64 = (1 << 31) - 1;
/// Supported versions of ONNX's operator set.
const OPSETS: std::ops::RangeInclusive<i64> = 7..=23;
/// First IR version whose files must name their operator sets.
const FIRST_IR_WITH_OPSETS: i64 = 3;
/// Domains of tract's operators.
const DOMAINS: [&str; 4] = ["", "ai.onnx", "ai.onnx.ml", "com.microsoft"];

/// Operators with outputs much larger than their inputs; only in the main graph are sizes checked before computing.
const GROWING: [&str; 9] = [
    "ConstantOfShape",
    "Expand",
    "EyeLike",
    "OneHot",
    "Pad",
    "RandomNormal",
    "RandomUniform",
    "Range",
    "Tile",
];

/// Operators that draw random numbers: no two answers are equal, and none can be checked.
const RANDOM: [&str; 6] = [
    "Bernoulli",
    "Multinomial",
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
];

/// Parses the file's message; rejects what no engine may build: it is no ONNX file, or reaches for others.
pub(super) fn parse(bytes: &[u8]) -> Result<ModelProto, String> {
    if bytes.len() as u64 > MAX_BYTES {
        return Err(format!("it has more than {MAX_BYTES} bytes"));
    }
    let proto = ModelProto::decode(bytes);
    let proto = proto.map_err(|error| format!("not an ONNX file, or truncated: {error}"))?;
    let Some(graph) = &proto.graph else {
        return Err("not an ONNX file: it has no graph".into());
    };
    inspect_graph(graph)?;
    check_outputs(graph)?;
    Ok(proto)
}

fn inspect_graph(graph: &GraphProto) -> Result<(), String> {
    graph.initializer.iter().try_for_each(check_location)?;
    for AttributeProto { g, graphs, t, tensors, .. } in
        graph.node.iter().flat_map(|node| &node.attribute)
    {
        t.iter().chain(tensors).try_for_each(check_location)?;
        g.iter().chain(graphs).try_for_each(inspect_graph)?;
    }
    Ok(())
}

/// A file that tract may build.
pub(super) struct File {
    pub(super) onnx: Onnx,
    pub(super) proto: ModelProto,
    /// Names of the columns of some outputs.
    pub(super) keys: Keys,
}

/// Prepares a message for tract; rejects what it cannot run or must not read.
pub(super) fn read(mut proto: ModelProto) -> Result<File, String> {
    let mut onnx = tract_onnx::onnx();
    onnx.provider = std::sync::Arc::new(NoFiles);
    let keys = proto.graph.as_mut().map(rewrite::remove_zip_maps).transpose()?.unwrap_or_default();
    upgrade::upgrade(&mut proto)?;
    check(&proto, &onnx)?;
    if let Some(graph) = &mut proto.graph {
        rewrite::replace(graph)?;
    }
    Ok(File { onnx, proto, keys })
}

/// Reads a `TensorProto`.
pub(super) fn tensor(bytes: &[u8]) -> Result<Tensor, String> {
    let proto = TensorProto::decode(bytes);
    tensor_of(&proto.map_err(|error| format!("not an ONNX tensor: {error}"))?)
}

/// Reads a tensor; one of a narrow type as what it is in memory.
pub(super) fn tensor_of(proto: &TensorProto) -> Result<Tensor, String> {
    let failed = |reason: String| format!("not an ONNX tensor: {reason}");
    check_location(proto)?;
    if let Some(dtype) = DType::narrow_of(proto.data_type) {
        return narrow::tensor(proto, dtype).map_err(failed);
    }
    let read = catch_panic("tract", || load_tensor(&NoFiles, proto, None));
    let read = read.map_err(|panic| failed(panic.to_string()))?;
    read.map_err(|error| failed(format!("{error:#}")))
}

fn check(proto: &ModelProto, onnx: &Onnx) -> Result<(), String> {
    let Some(graph) = &proto.graph else {
        return Err("not an ONNX file: it has no graph".into());
    };
    // The operator sets come after the graph: a file may end between them.
    if proto.opset_import.is_empty() && proto.ir_version >= FIRST_IR_WITH_OPSETS {
        return Err("not a whole ONNX file: it names no operator set; get the file again".into());
    }
    for opset in &proto.opset_import {
        let main = opset.domain.is_empty() || opset.domain == "ai.onnx";
        if main && !OPSETS.contains(&opset.version) {
            return Err(format!(
                "unsupported opset {}; export the model with opset {} to {}",
                opset.version,
                OPSETS.start(),
                OPSETS.end(),
            ));
        }
    }
    if let Some(function) = proto.functions.first() {
        let name = function.name.as_deref().unwrap_or_default();
        return Err(format!(
            "unsupported function `{name}`; export the model with functions inlined"
        ));
    }
    let mut missing = BTreeSet::new();
    check_graph(graph, onnx, &mut missing, false)?;
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = missing.iter().map(|name| format!("`{name}`")).collect();
    let advice = missing
        .iter()
        .find_map(|name| advice(name))
        .unwrap_or("export the model with standard ONNX operators");
    Err(format!("unsupported operator {}; {advice}", names.join(", ")))
}

/// Checks that each output is produced, which tract assumes.
fn check_outputs(graph: &GraphProto) -> Result<(), String> {
    let inputs = graph.input.iter().map(|input| &input.name);
    let constants = graph.initializer.iter().map(|tensor| &tensor.name);
    let produced = graph.node.iter().flat_map(|node| &node.output);
    let produced: HashSet<_> = inputs.chain(constants).chain(produced).collect();
    match graph.output.iter().find(|output| !produced.contains(&output.name)) {
        Some(output) => Err(format!("no node produces its output `{}`", output.name)),
        None => Ok(()),
    }
}

/// Returns advice for an unsupported operator of common exporters.
fn advice(operator: &str) -> Option<&'static str> {
    Some(match operator.rsplit(':').next()? {
        "TreeEnsemble" => "export the model with version 3 of the opset `ai.onnx.ml`",
        _ => return None,
    })
}

fn check_graph(
    graph: &GraphProto,
    onnx: &Onnx,
    missing: &mut BTreeSet<String>,
    inner: bool,
) -> Result<(), String> {
    graph.initializer.iter().try_for_each(check_tensor)?;
    for port in graph.input.iter().chain(&graph.output) {
        let number = tensor_type(port).map_or(0, |tensor| tensor.elem_type);
        check_type(number).map_err(|reason| format!("its tensor `{}` {reason}", port.name))?;
    }
    for node in &graph.node {
        let known = onnx.op_register.0.contains_key(&node.op_type) || rewrite::is(node);
        if !DOMAINS.contains(&&*node.domain) {
            missing.insert(format!("{}:{}", node.domain, node.op_type));
        } else if !known {
            missing.insert(node.op_type.clone());
        }
        if inner && GROWING.contains(&&*node.op_type) {
            return Err(format!(
                "its operator `{}` is in a branch or loop, where its output is unbounded; export the model \
                 without it",
                node.op_type
            ));
        }
        check_inference(node, graph)
            .map_err(|reason| format!("its {} {reason}", describe(node)))?;
        check_attributes(node, onnx, missing)?;
    }
    Ok(())
}

/// Rejects operators that are meant for training, or return other answers on every call.
fn check_inference(node: &NodeProto, graph: &GraphProto) -> Result<(), String> {
    if RANDOM.contains(&&*node.op_type) {
        return Err("draws random numbers; export the model without it".into());
    }
    let outputs = node.output.iter().filter(|output| !output.is_empty()).count();
    let trains = match &*node.op_type {
        "BatchNormalization" => {
            let mode = node.attribute.iter().find(|given| given.name == "training_mode");
            outputs > 1 || mode.is_some_and(|mode| mode.i != 0)
        }
        "Dropout" => match node.input.get(2).filter(|mode| !mode.is_empty()) {
            Some(mode) => !is_constant_false(mode, graph),
            None => false,
        },
        _ => false,
    };
    if trains {
        return Err("is in training mode; export the model for inference (`model.eval()`)".into());
    }
    Ok(())
}

fn is_constant_false(name: &str, graph: &GraphProto) -> bool {
    let initializer = graph.initializer.iter().find(|tensor| tensor.name == name);
    let made = || {
        let node =
            graph.node.iter().find(|node| node.output.iter().any(|output| output == name))?;
        node.attribute.iter().find(|given| given.name == "value")?.t.as_ref()
    };
    let is_false = |tensor: &TensorProto| {
        let (raw, numbers) = (&tensor.raw_data, &tensor.int32_data);
        raw.len() + numbers.len() > 0
            && raw.iter().all(|byte| *byte == 0)
            && numbers.iter().all(|it| *it == 0)
    };
    initializer.or_else(made).is_some_and(is_false)
}

fn check_attributes(
    node: &NodeProto,
    onnx: &Onnx,
    missing: &mut BTreeSet<String>,
) -> Result<(), String> {
    for AttributeProto { name, i, g, graphs, t, tensors, .. } in &node.attribute {
        if ["to", "dtype", "output_dtype"].contains(&&**name) {
            let number = i32::try_from(*i).unwrap_or(i32::MAX);
            check_type(number).map_err(|reason| format!("its {} {reason}", describe(node)))?;
        }
        t.iter().chain(tensors).try_for_each(check_tensor)?;
        // prost limits nested messages to a depth of 100.
        g.iter().chain(graphs).try_for_each(|inner| check_graph(inner, onnx, missing, true))?;
    }
    Ok(())
}

fn tensor_type(port: &ValueInfoProto) -> Option<&type_proto::Tensor> {
    let type_proto::Value::TensorType(tensor) = port.r#type.as_ref()?.value.as_ref()?;
    Some(tensor)
}

/// Rejects element types that tract takes for integers: `bfloat16`, numbers of 8 bits and less, complex numbers.
fn check_type(number: i32) -> Result<(), String> {
    // 0 means the default.
    if number <= DataType::Uint64 as i32 {
        return Ok(());
    }
    let name = DataType::try_from(number).map_or("unknown", |known| known.as_str_name());
    Err(format!("has elements of the type {name}; export the model with float32"))
}

/// Rejects a tensor with external data, or of an unsupported type.
fn check_tensor(tensor: &TensorProto) -> Result<(), String> {
    check_type(tensor.data_type)
        .map_err(|reason| format!("its tensor `{}` {reason}", tensor.name))?;
    check_location(tensor)
}

/// Rejects a tensor with external data.
fn check_location(tensor: &TensorProto) -> Result<(), String> {
    let outside = tensor.data_location == Some(DataLocation::External as i32);
    if outside || !tensor.external_data.is_empty() {
        return Err(format!(
            "its tensor `{}` is in another file; export the model as one file (`external_data=False`, or \
             `onnx.save(model, path, save_as_external_data=False)`)",
            tensor.name
        ));
    }
    Ok(())
}

/// Rejects reading tensors from files.
struct NoFiles;

impl ModelDataResolver for NoFiles {
    fn read_bytes_from_path(
        &self,
        _: &mut Vec<u8>,
        path: &std::path::Path,
        _: usize,
        _: Option<usize>,
    ) -> tract_onnx::prelude::TractResult<()> {
        Err(tract_onnx::prelude::TractError::msg(format!(
            "cannot read {}: external data is not supported",
            path.display()
        )))
    }
}
