//! The operator `Scaler` (scikit-learn's `StandardScaler`), which tract does not support.

use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{AttributeProto, GraphProto, NodeProto, TensorProto};

/// Returns true for an operator that [`replace`] replaces.
pub(super) fn is(node: &NodeProto) -> bool {
    node.op_type == "Scaler" && node.domain == "ai.onnx.ml"
}

/// Replaces each `Scaler`, `(x - offset) * scale`, by the operators `Cast`, `Sub` and `Mul`.
pub(super) fn replace(graph: &mut GraphProto) -> Result<(), String> {
    if !graph.node.iter().any(is) {
        return Ok(());
    }
    let mut nodes = Vec::with_capacity(graph.node.len());
    for (at, node) in std::mem::take(&mut graph.node).into_iter().enumerate() {
        if !is(&node) {
            nodes.push(node);
            continue;
        }
        let ([input], [output]) = (&node.input[..], &node.output[..]) else {
            return Err("its operator `Scaler` must have one input and one output".into());
        };
        // The index makes the names unique.
        let name = |part: &str| format!("larder.scaler.{at}.{part}");
        let to = AttributeProto {
            name: "to".into(),
            i: DataType::Float as i64,
            r#type: 2,
            ..AttributeProto::default()
        };
        nodes.push(step("Cast", std::slice::from_ref(input), name("float"), vec![to]));
        for (part, attribute) in [("offset", "offset"), ("scale", "scale")] {
            let values = node.attribute.iter().find(|given| given.name == attribute);
            let values = values.map(|given| given.floats.clone()).unwrap_or_default();
            if values.is_empty() {
                return Err(format!("its operator `Scaler` has no `{attribute}`"));
            }
            graph.initializer.push(TensorProto {
                name: name(part),
                dims: vec![i64::try_from(values.len()).unwrap_or(i64::MAX)],
                data_type: DataType::Float as i32,
                float_data: values,
                ..TensorProto::default()
            });
        }
        nodes.push(step("Sub", &[name("float"), name("offset")], name("moved"), vec![]));
        nodes.push(step("Mul", &[name("moved"), name("scale")], output.clone(), vec![]));
    }
    graph.node = nodes;
    Ok(())
}

fn step(
    operator: &str,
    inputs: &[String],
    output: String,
    attribute: Vec<AttributeProto>,
) -> NodeProto {
    NodeProto {
        op_type: operator.into(),
        name: format!("{output}.{operator}"),
        input: inputs.to_vec(),
        output: vec![output],
        attribute,
        ..NodeProto::default()
    }
}
