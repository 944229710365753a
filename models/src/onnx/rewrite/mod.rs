//! Replacement of operators that tract lacks, or runs otherwise than their specification.

mod columns;
mod labels;
mod scaler;
mod trees;
mod zip_map;

use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{AttributeProto, GraphProto, NodeProto, TensorProto};

pub(super) use zip_map::{Keys, remove as remove_zip_maps};

/// Domain of classic machine learning.
const ML: &str = "ai.onnx.ml";

/// Returns true for an operator that [`replace`] replaces.
pub(super) fn is(node: &NodeProto) -> bool {
    let replaced =
        ["Binarizer", "Imputer", "Scaler", "TreeEnsembleClassifier", "TreeEnsembleRegressor"];
    node.domain == ML && replaced.contains(&&*node.op_type) || labels::is(node)
}

/// Replaces operators in a graph and in the graphs inside it.
pub(super) fn replace(graph: &mut GraphProto) -> Result<(), String> {
    // prost limits nested messages to a depth of 100.
    for attribute in graph.node.iter_mut().flat_map(|node| &mut node.attribute) {
        attribute.g.iter_mut().chain(&mut attribute.graphs).try_for_each(replace)?;
    }
    if !graph.node.iter().any(is) {
        return Ok(());
    }
    let mut steps = Steps { nodes: Vec::with_capacity(graph.node.len()), ..Steps::default() };
    for (at, node) in std::mem::take(&mut graph.node).into_iter().enumerate() {
        // The first output makes the names unique, across graphs too.
        let output = node.output.iter().find(|output| !output.is_empty());
        steps.prefix = format!("{}.{}.{at}", output.cloned().unwrap_or_default(), node.op_type);
        let replaced = match &*node.op_type {
            "Binarizer" if is(&node) => columns::replace_binarizer(&node, &mut steps),
            "Imputer" if is(&node) => columns::replace_imputer(&node, &mut steps),
            "LinearClassifier" if is(&node) => labels::replace(&node, &mut steps),
            "Scaler" if is(&node) => scaler::replace(&node, &mut steps),
            "TreeEnsembleClassifier" if is(&node) => trees::replace_classifier(&node, &mut steps),
            "TreeEnsembleRegressor" if is(&node) => trees::replace_regressor(&node, &mut steps),
            _ => {
                steps.nodes.push(node);
                continue;
            }
        };
        replaced.map_err(|reason| format!("{}: {reason}", describe(&node)))?;
    }
    graph.node = steps.nodes;
    graph.initializer.extend(steps.constants);
    Ok(())
}

/// Names a node for people: operator and name.
pub(super) fn describe(node: &NodeProto) -> String {
    let name = Some(&node.name).filter(|name| !name.is_empty()).or_else(|| node.output.first());
    let domain = if node.domain.is_empty() { "" } else { ":" };
    let operator = format!("{}{domain}{}", node.domain, node.op_type);
    format!("operator `{operator}` of the node `{}`", name.map_or("", String::as_str))
}

/// Nodes and constants that take the place of one node.
#[derive(Default)]
struct Steps {
    prefix: String,
    nodes: Vec<NodeProto>,
    constants: Vec<TensorProto>,
}

impl Steps {
    fn name(&self, part: &str) -> String {
        format!("larder.{}.{part}", self.prefix)
    }

    /// Adds a node with one output, which it names after `part`.
    fn step(
        &mut self,
        operator: &str,
        inputs: &[&str],
        part: &str,
        attribute: Vec<AttributeProto>,
    ) -> String {
        let output = self.name(part);
        self.step_to(operator, inputs, &output, attribute);
        output
    }

    /// Adds a node with the output `output`.
    fn step_to(
        &mut self,
        operator: &str,
        inputs: &[&str],
        output: &str,
        attribute: Vec<AttributeProto>,
    ) {
        self.nodes.push(NodeProto {
            op_type: operator.into(),
            name: format!("{output}.{operator}"),
            input: inputs.iter().map(|input| (*input).to_owned()).collect(),
            output: vec![output.to_owned()],
            attribute,
            ..NodeProto::default()
        });
    }

    fn floats(&mut self, part: &str, values: &[f32]) -> String {
        self.constant(
            part,
            values.len(),
            TensorProto {
                data_type: DataType::Float as i32,
                float_data: values.to_vec(),
                ..TensorProto::default()
            },
        )
    }

    fn ints(&mut self, part: &str, values: &[i64]) -> String {
        self.constant(
            part,
            values.len(),
            TensorProto {
                data_type: DataType::Int64 as i32,
                int64_data: values.to_vec(),
                ..TensorProto::default()
            },
        )
    }

    fn texts(&mut self, part: &str, values: &[Vec<u8>]) -> String {
        self.constant(
            part,
            values.len(),
            TensorProto {
                data_type: DataType::String as i32,
                string_data: values.to_vec(),
                ..TensorProto::default()
            },
        )
    }

    fn constant(&mut self, part: &str, len: usize, tensor: TensorProto) -> String {
        let name = self.name(part);
        let dims = vec![i64::try_from(len).unwrap_or(i64::MAX)];
        self.constants.push(TensorProto { name: name.clone(), dims, ..tensor });
        name
    }
}

/// An attribute with an integer.
fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto { name: name.into(), i: value, r#type: 2, ..AttributeProto::default() }
}

/// An attribute with integers.
fn ints(name: &str, values: Vec<i64>) -> AttributeProto {
    AttributeProto { name: name.into(), ints: values, r#type: 7, ..AttributeProto::default() }
}
