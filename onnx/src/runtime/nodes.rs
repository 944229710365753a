//! Replacement of nodes that ONNX Runtime does not run as they are.

use prost::Message;
use tract_onnx::pb::{AttributeProto, NodeProto};

use super::proto::{Attribute, Node};

/// Order of dimensions that exchanges the first two.
const SWAPPED: [i64; 3] = [1, 0, 2];
/// Order of dimensions that puts the batch first.
const BATCH_FIRST: [i64; 4] = [2, 0, 1, 3];

/// The operator of a node.
#[derive(Clone, PartialEq, Message)]
struct Operator {
    #[prost(string, tag = "4")]
    name: String,
    #[prost(string, tag = "7")]
    domain: String,
}

/// Returns the encoded nodes that take the place of a node; `None` if it stays.
pub(super) fn replace(node: &[u8]) -> Result<Option<Vec<Vec<u8>>>, prost::DecodeError> {
    let Operator { name, domain } = Operator::decode(node)?;
    if !domain.is_empty() {
        return Ok(None);
    }
    Ok(match &*name {
        "Range" => Some(with_scalars(NodeProto::decode(node)?)),
        "StringNormalizer" => Some(vec![in_any_locale(NodeProto::decode(node)?)]),
        "GRU" | "LSTM" | "RNN" => batch_second(NodeProto::decode(node)?),
        _ => None,
    })
}

/// `Range`: ONNX's own functions give it tensors of one element.
fn with_scalars(mut node: NodeProto) -> Vec<Vec<u8>> {
    let output = node.output.first().cloned().unwrap_or_default();
    let mut nodes = Vec::new();
    for (at, input) in node.input.iter_mut().enumerate() {
        let scalar = format!("larder/{output}/{at}");
        nodes.push(Node::new("Squeeze", &[input], &scalar).encode_to_vec());
        *input = scalar;
    }
    nodes.push(node.encode_to_vec());
    nodes
}

/// `StringNormalizer`: the default locale is missing on many systems; that of C is always there, with the same letters.
fn in_any_locale(mut node: NodeProto) -> Vec<u8> {
    let is_locale = |given: &AttributeProto| given.name == "locale";
    let given = node.attribute.iter().find(|given| is_locale(given));
    if given.is_none_or(|given| given.s.starts_with(b"en_US")) {
        node.attribute.retain(|given| !is_locale(given));
        node.attribute.push(AttributeProto {
            name: "locale".into(),
            s: b"C.UTF-8".to_vec(),
            r#type: 3,
            ..AttributeProto::default()
        });
    }
    node.encode_to_vec()
}

/// Recurrent operators whose first dimension is the batch: it becomes the second.
fn batch_second(mut node: NodeProto) -> Option<Vec<Vec<u8>>> {
    let layout = node.attribute.iter().position(|given| given.name == "layout" && given.i == 1)?;
    node.attribute.remove(layout);
    let prefix = format!("larder/{}", node.output.iter().find(|output| !output.is_empty())?);
    let mut nodes = Vec::new();
    // The sequence and the initial states.
    for at in [0, 5, 6] {
        let Some(input) = node.input.get_mut(at).filter(|input| !input.is_empty()) else {
            continue;
        };
        let turned = format!("{prefix}/in/{at}");
        let order = Attribute::of_integers("perm", &SWAPPED);
        nodes.push(Node::new("Transpose", &[input], &turned).with(order).encode_to_vec());
        *input = turned;
    }
    let mut after = Vec::new();
    for (at, output) in node.output.iter_mut().enumerate().filter(|(_, name)| !name.is_empty()) {
        let turned = format!("{prefix}/out/{at}");
        let order = Attribute::of_integers("perm", if at == 0 { &BATCH_FIRST } else { &SWAPPED });
        after.push(Node::new("Transpose", &[&turned], output).with(order).encode_to_vec());
        *output = turned;
    }
    nodes.push(node.encode_to_vec());
    nodes.extend(after);
    Some(nodes)
}
