//! `ZipMap`: names for the columns of a classifier's scores, which skl2onnx adds by default.

use std::collections::HashMap;

use tract_onnx::pb::{GraphProto, NodeProto};

use super::{ML, describe};

/// Names of the columns of outputs, by output.
pub(crate) type Keys = HashMap<String, Vec<String>>;

pub(super) fn is(node: &NodeProto) -> bool {
    node.domain == ML && node.op_type == "ZipMap"
}

/// Replaces each `ZipMap` that makes an output by `Identity`; returns the names that it adds.
pub(crate) fn remove(graph: &mut GraphProto) -> Result<Keys, String> {
    let mut keys = Keys::new();
    for node in graph.node.iter_mut().filter(|node| is(node)) {
        let failed = |reason: &str| format!("its {} {reason}", describe(node));
        let ([_], [output]) = (&node.input[..], &node.output[..]) else {
            return Err(failed("must have one input and one output"));
        };
        let Some(port) = graph.output.iter_mut().find(|port| port.name == *output) else {
            return Err(failed(
                "makes no output of the model; export the model with `options={\"zipmap\": False}`",
            ));
        };
        let mut names = Vec::new();
        for attribute in &node.attribute {
            match &*attribute.name {
                "classlabels_int64s" => {
                    names.extend(attribute.ints.iter().map(ToString::to_string))
                }
                "classlabels_strings" => {
                    let texts = attribute.strings.iter();
                    names.extend(texts.map(|text| String::from_utf8_lossy(text).into_owned()));
                }
                _ => (),
            }
        }
        let unique: std::collections::HashSet<_> = names.iter().collect();
        if names.is_empty() || unique.len() != names.len() {
            return Err(failed("has no names, or the same one twice"));
        }
        keys.insert(output.clone(), names);
        // The rest is a tensor.
        port.r#type = None;
        *node = NodeProto {
            op_type: "Identity".into(),
            domain: String::new(),
            attribute: Vec::new(),
            ..node.clone()
        };
    }
    Ok(keys)
}
