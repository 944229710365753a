//! Parsing and validation of an untrusted ONNX file, before tract builds it.

use std::collections::{BTreeSet, HashSet};

use larder_core::extend::catch_panic;
use tract_onnx::pb::tensor_proto::DataLocation;
use tract_onnx::pb::{AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto};
use tract_onnx::prelude::Framework as _;
use tract_onnx::{Onnx, data_resolver::ModelDataResolver};

use super::scaler;

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

/// Parses the file's message; rejects what tract cannot run or must not read.
pub(super) fn read(bytes: &[u8]) -> Result<(Onnx, ModelProto), String> {
    if bytes.len() as u64 > MAX_BYTES {
        return Err(format!("it has more than {MAX_BYTES} bytes"));
    }
    let mut onnx = tract_onnx::onnx();
    onnx.provider = std::sync::Arc::new(NoFiles);
    let read = || onnx.proto_model_for_read(&mut &*bytes);
    let mut proto = catch_panic("tract", read)
        .map_err(|panic| panic.to_string())?
        .map_err(|error| format!("not an ONNX file, or truncated: {error:#}"))?;
    check(&proto, &onnx)?;
    if let Some(graph) = &mut proto.graph {
        scaler::replace(graph)?;
    }
    Ok((onnx, proto))
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
        return check_outputs(graph);
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
        "ZipMap" => "export the model with skl2onnx's `options={\"zipmap\": False}`",
        "TreeEnsembleRegressor" | "TreeEnsemble" => {
            "the only supported tree ensemble is `TreeEnsembleClassifier`"
        }
        _ => return None,
    })
}

fn check_graph(
    graph: &GraphProto,
    onnx: &Onnx,
    missing: &mut BTreeSet<String>,
    inner: bool,
) -> Result<(), String> {
    graph.initializer.iter().try_for_each(check_location)?;
    for node in &graph.node {
        let known = onnx.op_register.0.contains_key(&node.op_type) || scaler::is(node);
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
        check_attributes(node, onnx, missing)?;
    }
    Ok(())
}

fn check_attributes(
    node: &NodeProto,
    onnx: &Onnx,
    missing: &mut BTreeSet<String>,
) -> Result<(), String> {
    for AttributeProto { g, graphs, t, tensors, .. } in &node.attribute {
        t.iter().chain(tensors).try_for_each(check_location)?;
        // prost limits nested messages to a depth of 100.
        g.iter().chain(graphs).try_for_each(|inner| check_graph(inner, onnx, missing, true))?;
    }
    Ok(())
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
