//! The operator `Scaler` (scikit-learn's `StandardScaler`), which tract does not support.

use tract_onnx::pb::NodeProto;
use tract_onnx::pb::tensor_proto::DataType;

use super::{Steps, int};

/// Replaces `(x - offset) * scale` by the operators `Cast`, `Sub` and `Mul`.
pub(super) fn replace(node: &NodeProto, steps: &mut Steps) -> Result<(), String> {
    let ([input], [output]) = (&node.input[..], &node.output[..]) else {
        return Err("it must have one input and one output".into());
    };
    let values = |attribute: &str| {
        let given = node.attribute.iter().find(|given| given.name == attribute);
        let values = given.map(|given| &given.floats[..]).filter(|values| !values.is_empty());
        values.ok_or_else(|| format!("it has no `{attribute}`"))
    };
    let offset = steps.floats("offset", values("offset")?);
    let scale = steps.floats("scale", values("scale")?);
    let float = steps.step("Cast", &[input], "float", vec![int("to", DataType::Float as i64)]);
    let moved = steps.step("Sub", &[&float, &offset], "moved", vec![]);
    steps.step_to("Mul", &[&moved, &scale], output, vec![]);
    Ok(())
}
