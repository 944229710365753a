//! `Imputer` and `Binarizer` (of scikit-learn's classes of these names), which tract does not support.

use tract_onnx::pb::NodeProto;
use tract_onnx::pb::tensor_proto::DataType;

use super::{Steps, int};

/// Replaces `Imputer` by `Where`: missing values are NaN, or a number.
pub(super) fn replace_imputer(node: &NodeProto, steps: &mut Steps) -> Result<(), String> {
    let (input, output) = ends(node)?;
    let find = |name: &str| node.attribute.iter().find(|given| given.name == name);
    let floats = find("imputed_value_floats").filter(|given| !given.floats.is_empty());
    let integers = find("imputed_value_int64s").filter(|given| !given.ints.is_empty());
    let (missing, values) = match (floats, integers) {
        (Some(values), None) => {
            let replaced = find("replaced_value_float").map_or(0.0, |given| given.f);
            let missing = if replaced.is_nan() {
                steps.step("IsNaN", &[input], "missing", vec![])
            } else {
                let replaced = steps.floats("replaced", &[replaced]);
                steps.step("Equal", &[input, &replaced], "missing", vec![])
            };
            (missing, steps.floats("values", &values.floats))
        }
        (None, Some(values)) => {
            let replaced = find("replaced_value_int64").map_or(0, |given| given.i);
            let replaced = steps.ints("replaced", &[replaced]);
            let missing = steps.step("Equal", &[input, &replaced], "missing", vec![]);
            (missing, steps.ints("values", &values.ints))
        }
        _ => return Err("it must have `imputed_value_floats` or `imputed_value_int64s`".into()),
    };
    steps.step_to("Where", &[&missing, &values, input], output, vec![]);
    Ok(())
}

/// Replaces `Binarizer`: 1 above the threshold, else 0.
pub(super) fn replace_binarizer(node: &NodeProto, steps: &mut Steps) -> Result<(), String> {
    let (input, output) = ends(node)?;
    let threshold = node.attribute.iter().find(|given| given.name == "threshold");
    let threshold = steps.floats("threshold", &[threshold.map_or(0.0, |given| given.f)]);
    let above = steps.step("Greater", &[input, &threshold], "above", vec![]);
    steps.step_to("Cast", &[&above], output, vec![int("to", DataType::Float as i64)]);
    Ok(())
}

fn ends(node: &NodeProto) -> Result<(&str, &str), String> {
    match (&node.input[..], &node.output[..]) {
        ([input], [output]) => Ok((input, output)),
        _ => Err("it must have one input and one output".into()),
    }
}
