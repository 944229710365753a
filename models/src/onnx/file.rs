//! An ONNX file as it comes: what it holds is checked before tract builds anything of it.

use std::collections::{BTreeSet, HashSet};

use larder_core::extend::catch_panic;
use tract_onnx::pb::tensor_proto::DataLocation;
use tract_onnx::pb::{AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto};
use tract_onnx::prelude::Framework as _;
use tract_onnx::{Onnx, data_resolver::ModelDataResolver};

use super::scaler;

/// The most bytes of a file: protobuf's own limit.
pub(super) const MOST_BYTES: u64 = (1 << 31) - 1;
/// The versions of ONNX's operators that tract knows.
const OPSETS: std::ops::RangeInclusive<i64> = 7..=23;
/// Where tract's operators come from.
const DOMAINS: [&str; 4] = ["", "ai.onnx", "ai.onnx.ml", "com.microsoft"];

/// Operators that make much of little. In the main graph their sizes are looked at before they are computed.
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

/// Reads the file's message, and refuses what tract could not run or must not read.
pub(super) fn read(bytes: &[u8]) -> Result<(Onnx, ModelProto), String> {
    if bytes.len() as u64 > MOST_BYTES {
        return Err(format!("it has more than {MOST_BYTES} bytes"));
    }
    let mut onnx = tract_onnx::onnx();
    onnx.provider = std::sync::Arc::new(NoFiles);
    let read = || onnx.proto_model_for_read(&mut &*bytes);
    let mut proto = catch_panic("tract", read)
        .map_err(|panic| panic.to_string())?
        .map_err(|error| format!("it is no ONNX file, or not all of one: {error:#}"))?;
    check(&proto, &onnx)?;
    if let Some(graph) = &mut proto.graph {
        scaler::replace(graph)?;
    }
    Ok((onnx, proto))
}

fn check(proto: &ModelProto, onnx: &Onnx) -> Result<(), String> {
    let Some(graph) = &proto.graph else {
        return Err("it is no ONNX file: it has no graph".into());
    };
    for opset in &proto.opset_import {
        let main = opset.domain.is_empty() || opset.domain == "ai.onnx";
        if main && !OPSETS.contains(&opset.version) {
            return Err(format!(
                "it is of opset {}; {} to {} are known: export it with one of these",
                opset.version,
                OPSETS.start(),
                OPSETS.end(),
            ));
        }
    }
    if let Some(function) = proto.functions.first() {
        let name = function.name.as_deref().unwrap_or_default();
        return Err(format!(
            "it defines the operator `{name}` as a function; export it with functions inlined"
        ));
    }
    let mut missing = BTreeSet::new();
    look_at(graph, onnx, &mut missing, false)?;
    if missing.is_empty() {
        return outputs_are_made(graph);
    }
    let names: Vec<_> = missing.iter().map(|name| format!("`{name}`")).collect();
    let advice = missing.iter().find_map(|name| advice(name)).unwrap_or(
        "there is no way to run it here; export the model with operators of ONNX's own if that can be",
    );
    Err(format!("it needs the operator {}, which tract lacks; {advice}", names.join(", ")))
}

/// tract takes it for granted that something makes each output.
fn outputs_are_made(graph: &GraphProto) -> Result<(), String> {
    let inputs = graph.input.iter().map(|input| &input.name);
    let constants = graph.initializer.iter().map(|tensor| &tensor.name);
    let made = graph.node.iter().flat_map(|node| &node.output);
    let made: HashSet<_> = inputs.chain(constants).chain(made).collect();
    match graph.output.iter().find(|output| !made.contains(&output.name)) {
        Some(output) => Err(format!("nothing in it makes its output `{}`", output.name)),
        None => Ok(()),
    }
}

/// What to do about an operator that exporters are known to write.
fn advice(operator: &str) -> Option<&'static str> {
    Some(match operator.rsplit(':').next()? {
        "ZipMap" => "export it with skl2onnx's `options={\"zipmap\": False}`",
        "TreeEnsembleRegressor" | "TreeEnsemble" => {
            "of trees, only classifiers (`TreeEnsembleClassifier`) are supported"
        }
        _ => return None,
    })
}

fn look_at(
    graph: &GraphProto,
    onnx: &Onnx,
    missing: &mut BTreeSet<String>,
    inner: bool,
) -> Result<(), String> {
    graph.initializer.iter().try_for_each(within)?;
    for node in &graph.node {
        let known = onnx.op_register.0.contains_key(&node.op_type) || scaler::is(node);
        if !DOMAINS.contains(&&*node.domain) {
            missing.insert(format!("{}:{}", node.domain, node.op_type));
        } else if !known {
            missing.insert(node.op_type.clone());
        }
        if inner && GROWING.contains(&&*node.op_type) {
            return Err(format!(
                "its operator `{}` stands in a branch or a loop, where nothing bounds what it makes",
                node.op_type
            ));
        }
        look_at_attributes(node, onnx, missing)?;
    }
    Ok(())
}

fn look_at_attributes(
    node: &NodeProto,
    onnx: &Onnx,
    missing: &mut BTreeSet<String>,
) -> Result<(), String> {
    for AttributeProto { g, graphs, t, tensors, .. } in &node.attribute {
        t.iter().chain(tensors).try_for_each(within)?;
        // prost reads messages in messages to a depth of 100.
        g.iter().chain(graphs).try_for_each(|inner| look_at(inner, onnx, missing, true))?;
    }
    Ok(())
}

/// Refuses a tensor whose elements are not in the file.
fn within(tensor: &TensorProto) -> Result<(), String> {
    let outside = tensor.data_location == Some(DataLocation::External as i32);
    if outside || !tensor.external_data.is_empty() {
        return Err(format!(
            "its tensor `{}` is in another file; export it as one file (`external_data=False`, or \
             `onnx.save(model, path, save_as_external_data=False)`)",
            tensor.name
        ));
    }
    Ok(())
}

/// No tensor is ever read from a path.
struct NoFiles;

impl ModelDataResolver for NoFiles {
    fn read_bytes_from_path(
        &self,
        _: &mut Vec<u8>,
        path: &std::path::Path,
        _: usize,
        _: Option<usize>,
    ) -> tract_onnx::prelude::TractResult<()> {
        Err(tract_onnx::prelude::TractError::msg(format!("{} is not read", path.display())))
    }
}
