//! Models of opset 6, whose operators broadcast by attributes, as models of opset 7.

use std::collections::HashMap;

use tract_onnx::pb::{AttributeProto, GraphProto, ModelProto, NodeProto, type_proto};

use super::rewrite::describe;

/// Operators whose second input is broadcast from an axis.
const BROADCAST: [&str; 11] =
    ["Add", "And", "Div", "Equal", "Greater", "Less", "Mul", "Or", "Pow", "Sub", "Xor"];
/// Operators, beside those, whose outputs have as many dimensions as their first input.
const SAME_RANK: [&str; 26] = [
    "Abs",
    "AveragePool",
    "BatchNormalization",
    "Cast",
    "Ceil",
    "Clip",
    "Concat",
    "Conv",
    "ConvTranspose",
    "Dropout",
    "Elu",
    "Exp",
    "Floor",
    "Identity",
    "LeakyRelu",
    "Log",
    "MaxPool",
    "Neg",
    "PRelu",
    "Pad",
    "Relu",
    "Sigmoid",
    "Softmax",
    "Split",
    "Sqrt",
    "Tanh",
];

/// Numbers of dimensions, by the names of values.
type Ranks = HashMap<String, usize>;

/// Raises a model of opset 6 to 7; returns true if it is one.
pub(super) fn upgrade(proto: &mut ModelProto) -> Result<bool, String> {
    let main = proto.opset_import.iter_mut().find(|opset| opset.domain.is_empty());
    let (Some(opset), Some(graph)) = (main.filter(|opset| opset.version == 6), &mut proto.graph)
    else {
        return Ok(false);
    };
    opset.version = 7;
    let mut ranks = ranks(graph);
    for mut node in std::mem::take(&mut graph.node) {
        let raised = raise(&mut node, &ranks);
        let raised = raised.map_err(|reason| format!("the {} {reason}", describe(&node)))?;
        if let Some(rank) = rank_of(&node, &ranks) {
            ranks.extend(node.output.iter().map(|output| (output.clone(), rank)));
        }
        graph.node.extend(raised);
        graph.node.push(node);
    }
    Ok(true)
}

/// The numbers of dimensions that a file states.
fn ranks(graph: &GraphProto) -> Ranks {
    let constants = graph.initializer.iter().map(|it| (it.name.clone(), it.dims.len()));
    let ports = graph.input.iter().chain(&graph.value_info);
    let stated = ports.filter_map(|port| {
        let type_proto::Value::TensorType(tensor) = port.r#type.as_ref()?.value.as_ref()?;
        Some((port.name.clone(), tensor.shape.as_ref()?.dim.len()))
    });
    stated.chain(constants).collect()
}

fn rank_of(node: &NodeProto, ranks: &Ranks) -> Option<usize> {
    match &*node.op_type {
        "Constant" => Some(attribute(node, "value")?.t.as_ref()?.dims.len()),
        "Gemm" | "Flatten" => Some(2),
        op if SAME_RANK.contains(&op) || BROADCAST.contains(&op) => {
            ranks.get(node.input.first()?).copied()
        }
        _ => None,
    }
}

/// Changes a node; returns the node that must come before it.
fn raise(node: &mut NodeProto, ranks: &Ranks) -> Result<Option<NodeProto>, String> {
    if node.attribute.iter().any(|given| given.g.is_some() || !given.graphs.is_empty()) {
        return Err("has a graph of opset 6; export the model with opset 7 or later".into());
    }
    let rank = |at: usize| node.input.get(at).and_then(|name| ranks.get(name)).copied();
    let integer = |name: &str| attribute(node, name).map(|given| given.i);
    // Dimensions of size 1 that the second input needs at its end.
    let trailing = match &*node.op_type {
        op if BROADCAST.contains(&op) => match (integer("broadcast"), integer("axis")) {
            (Some(1), Some(axis)) => {
                let ranks = rank(0).zip(rank(1));
                let trailing = ranks.and_then(|(left, right)| {
                    let axis = usize::try_from(axis).ok();
                    axis.map_or(Some(0), |axis| left.checked_sub(axis + right))
                });
                Some(trailing)
            }
            _ => None,
        },
        // One slope for each channel, which is the second dimension.
        "PRelu" => match rank(1) {
            Some(1) => Some(rank(0).map(|rank| rank.saturating_sub(2))),
            _ => None,
        },
        "Upsample" => {
            return Err("is of opset 6; export the model with opset 7 or later".into());
        }
        "BatchNormalization" | "Dropout" if integer("is_test") != Some(1) => {
            return Err("is in training mode; export the model for inference".into());
        }
        _ => None,
    };
    let trailing = trailing.map(|known| known.ok_or("broadcasts an unknown shape")).transpose()?;
    let dropped = ["broadcast", "axis", "is_test", "consumed_inputs", "output_sequence"];
    let is_own =
        |given: &AttributeProto| given.name == "axis" && !BROADCAST.contains(&&*node.op_type);
    let kept =
        node.attribute.iter().filter(|given| is_own(given) || !dropped.contains(&&*given.name));
    let kept = kept.cloned().collect();
    let start = rank(1).unwrap_or_default();
    node.attribute = kept;
    let (Some(trailing @ 1..), Some(second)) = (trailing, node.input.get_mut(1)) else {
        return Ok(None);
    };
    let output = node.output.first().cloned().unwrap_or_default();
    let shaped = format!("larder.{output}.{second}");
    let axes = (start..start + trailing).map(|axis| axis as i64).collect();
    let axes =
        AttributeProto { name: "axes".into(), ints: axes, r#type: 7, ..AttributeProto::default() };
    let before = NodeProto {
        op_type: "Unsqueeze".into(),
        name: shaped.clone(),
        input: vec![std::mem::replace(second, shaped.clone())],
        output: vec![shaped],
        attribute: vec![axes],
        ..NodeProto::default()
    };
    Ok(Some(before))
}

fn attribute<'a>(node: &'a NodeProto, name: &str) -> Option<&'a AttributeProto> {
    node.attribute.iter().find(|given| given.name == name)
}
