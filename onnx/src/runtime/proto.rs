//! Messages of ONNX with the types that tract's own lack, and the fields of a message as bytes.

use std::ops::Range;

use prost::Message;
use prost::encoding::{DecodeContext, WireType, decode_key, skip_field};
use tract_onnx::pb::TensorProto;

/// `TypeProto`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Type {
    #[prost(message, optional, tag = "1")]
    pub(super) tensor: Option<TensorType>,
    #[prost(message, optional, boxed, tag = "4")]
    pub(super) sequence: Option<Box<Element>>,
    #[prost(message, optional, boxed, tag = "9")]
    pub(super) optional: Option<Box<Element>>,
    /// The type of a map, which is not decoded.
    #[prost(bytes = "vec", optional, tag = "5")]
    pub(super) map: Option<Vec<u8>>,
}

/// `TypeProto.Tensor`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct TensorType {
    #[prost(int32, tag = "1")]
    pub(super) element: i32,
    #[prost(message, optional, tag = "2")]
    pub(super) shape: Option<tract_onnx::pb::TensorShapeProto>,
}

/// `TypeProto.Sequence` and `TypeProto.Optional`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Element {
    #[prost(message, optional, tag = "1")]
    pub(super) ty: Option<Type>,
}

/// `ValueInfoProto`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ValueInfo {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(message, optional, tag = "2")]
    pub(super) ty: Option<Type>,
}

/// `NodeProto`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Node {
    #[prost(string, repeated, tag = "1")]
    pub(super) input: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    pub(super) output: Vec<String>,
    #[prost(string, tag = "3")]
    pub(super) name: String,
    #[prost(string, tag = "4")]
    pub(super) operator: String,
    #[prost(message, repeated, tag = "5")]
    pub(super) attribute: Vec<Attribute>,
}

impl Node {
    pub(super) fn new(operator: &str, input: &[&str], output: &str) -> Self {
        Self {
            input: input.iter().map(|name| (*name).to_owned()).collect(),
            output: vec![output.to_owned()],
            name: format!("{output}/{operator}"),
            operator: operator.to_owned(),
            attribute: Vec::new(),
        }
    }

    pub(super) fn with(mut self, attribute: Attribute) -> Self {
        self.attribute.push(attribute);
        self
    }
}

/// `AttributeProto`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Attribute {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(int64, optional, tag = "3")]
    int: Option<i64>,
    #[prost(message, optional, tag = "5")]
    tensor: Option<TensorProto>,
    #[prost(message, optional, tag = "6")]
    graph: Option<Graph>,
    #[prost(int64, repeated, packed = "false", tag = "8")]
    integers: Vec<i64>,
    #[prost(message, optional, tag = "14")]
    ty: Option<Type>,
    #[prost(int32, tag = "20")]
    kind: i32,
}

impl Attribute {
    pub(super) fn of_integer(name: &str, value: i64) -> Self {
        Self { name: name.to_owned(), int: Some(value), kind: 2, ..Self::default() }
    }

    pub(super) fn of_tensor(name: &str, value: TensorProto) -> Self {
        Self { name: name.to_owned(), tensor: Some(value), kind: 4, ..Self::default() }
    }

    pub(super) fn of_graph(name: &str, graph: Graph) -> Self {
        Self { name: name.to_owned(), graph: Some(graph), kind: 5, ..Self::default() }
    }

    pub(super) fn of_integers(name: &str, values: &[i64]) -> Self {
        Self { name: name.to_owned(), integers: values.to_vec(), kind: 7, ..Self::default() }
    }

    pub(super) fn of_type(name: &str, ty: Type) -> Self {
        Self { name: name.to_owned(), ty: Some(ty), kind: 13, ..Self::default() }
    }
}

/// `GraphProto`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Graph {
    #[prost(message, repeated, tag = "1")]
    pub(super) node: Vec<Node>,
    #[prost(string, tag = "2")]
    pub(super) name: String,
    #[prost(message, repeated, tag = "12")]
    pub(super) output: Vec<ValueInfo>,
}

impl Graph {
    /// A branch of one node, which makes its output.
    pub(super) fn branch(node: Node) -> Self {
        let name = node.output.first().cloned().unwrap_or_default();
        let output = vec![ValueInfo { name: name.clone(), ty: None }];
        Self { node: vec![node], name, output }
    }
}

/// A field of a message.
pub(super) struct Field {
    pub(super) number: u32,
    /// With its key.
    pub(super) whole: Range<usize>,
    /// Its bytes, if it has a length.
    pub(super) payload: Range<usize>,
}

/// Splits a message, so that what is not changed is kept byte for byte.
pub(super) fn fields(message: &[u8]) -> Result<Vec<Field>, prost::DecodeError> {
    let (mut fields, mut rest) = (Vec::new(), message);
    while !rest.is_empty() {
        let start = message.len() - rest.len();
        let (number, wire) = decode_key(&mut rest)?;
        let mut inner = rest;
        skip_field(wire, number, &mut rest, DecodeContext::default())?;
        let end = message.len() - rest.len();
        let payload = if wire == WireType::LengthDelimited {
            prost::decode_length_delimiter(&mut inner)?;
            message.len() - inner.len()
        } else {
            end
        };
        fields.push(Field { number, whole: start..end, payload: payload..end });
    }
    Ok(fields)
}

/// Appends a field that has a length.
pub(super) fn put(number: u32, payload: &[u8], message: &mut Vec<u8>) {
    prost::encoding::encode_key(number, WireType::LengthDelimited, message);
    prost::encoding::encode_varint(payload.len() as u64, message);
    message.extend_from_slice(payload);
}
