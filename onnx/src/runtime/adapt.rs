//! Changes of a file that ONNX Runtime refuses as it is, or whose inputs and outputs are no plain tensors.
//!
//! Its C interface has no missing values, and Rust has no `bfloat16` and less. So the changed model takes and gives what a
//! program can make: a wider type that is cast, or a value beside a flag that says if it is given.

use prost::Message;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{ModelProto, OperatorSetIdProto, TensorProto, tensor_shape_proto};

use super::super::dtype::DType;
use super::super::upgrade::upgrade;
use super::nodes;
use super::proto::{Attribute, Element, Graph, Node, TensorType, Type, ValueInfo, fields, put};

/// Fields of `ModelProto`.
const GRAPH: u32 = 7;
const OPSET: u32 = 8;
/// Fields of `GraphProto`.
const NODE: u32 = 1;
const CONSTANT: u32 = 5;
const INPUT: u32 = 11;
const OUTPUT: u32 = 12;

/// Maximum size of a tensor that nobody reads, in bytes.
const MAX_NOTHING: usize = 1 << 24;

/// A changed file.
pub(super) struct Adapted {
    pub(super) bytes: Vec<u8>,
    pub(super) inputs: Vec<Border>,
    pub(super) outputs: Vec<Border>,
}

/// An input or output of the file, which stands for one or two of the changed file.
#[derive(Debug, Clone)]
pub(super) struct Border {
    pub(super) name: String,
    /// A type that is cast.
    pub(super) narrow: Option<DType>,
    /// True if a flag follows, which says if the value is given.
    pub(super) optional: bool,
}

impl Border {
    /// An input or output that is not changed.
    pub(super) fn of(name: &str) -> Self {
        Self { name: name.to_owned(), narrow: None, optional: false }
    }
}

/// Changes a file.
pub(super) fn adapt(bytes: &[u8]) -> Result<Adapted, String> {
    let failed = |error: prost::DecodeError| format!("not an ONNX file, or truncated: {error}");
    let mut opset = 0;
    for field in fields(bytes).map_err(failed)?.iter().filter(|field| field.number == OPSET) {
        let set = OperatorSetIdProto::decode(&bytes[field.payload.clone()]).map_err(failed)?;
        if set.domain.is_empty() || set.domain == "ai.onnx" {
            opset = set.version;
        }
    }
    let mut upgraded = Vec::new();
    if opset == 6 {
        let mut proto = ModelProto::decode(bytes).map_err(failed)?;
        upgrade(&mut proto)?;
        upgraded = proto.encode_to_vec();
    }
    let bytes = if upgraded.is_empty() { bytes } else { &upgraded };
    let (mut model, mut graph) = (Vec::with_capacity(bytes.len()), Vec::new());
    for field in fields(bytes).map_err(failed)? {
        if field.number == GRAPH {
            // Parts of one message, which are merged.
            graph.extend_from_slice(&bytes[field.payload]);
        } else {
            model.extend_from_slice(&bytes[field.whole]);
        }
    }
    let graph = adapt_graph(&graph).map_err(failed)?;
    put(GRAPH, &graph.bytes, &mut model);
    Ok(Adapted { bytes: model, ..graph })
}

/// A message of which only the name of a tensor is read.
#[derive(Clone, PartialEq, Message)]
struct Named {
    #[prost(string, tag = "8")]
    name: String,
}

/// Changes a graph; the bytes returned are those of its message.
fn adapt_graph(graph: &[u8]) -> Result<Adapted, prost::DecodeError> {
    let fields = fields(graph)?;
    let constants = fields.iter().filter(|field| field.number == CONSTANT);
    let constants = constants.map(|field| Named::decode(&graph[field.payload.clone()]));
    let constants: Vec<Named> = constants.collect::<Result<_, _>>()?;
    let (mut before, mut rest, mut after) = (Vec::new(), Vec::new(), Vec::new());
    let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
    for field in &fields {
        let (whole, payload) = (&graph[field.whole.clone()], &graph[field.payload.clone()]);
        match field.number {
            NODE => match nodes::replace(payload)? {
                Some(nodes) => nodes.iter().for_each(|node| put(NODE, node, &mut rest)),
                None => rest.extend_from_slice(whole),
            },
            INPUT | OUTPUT => {
                let port = ValueInfo::decode(payload)?;
                // An input with a value is none that a program gives.
                if constants.iter().any(|constant| constant.name == port.name) {
                    rest.extend_from_slice(whole);
                    continue;
                }
                let is_input = field.number == INPUT;
                let (border, ports, node) = border(port, is_input);
                match ports {
                    Some(ports) => {
                        let mut add = |port: &ValueInfo| {
                            put(field.number, &port.encode_to_vec(), &mut rest);
                        };
                        ports.iter().for_each(&mut add);
                    }
                    None => rest.extend_from_slice(whole),
                }
                let nodes = if is_input { &mut before } else { &mut after };
                node.iter().for_each(|node| put(NODE, &node.encode_to_vec(), nodes));
                if is_input { inputs.push(border) } else { outputs.push(border) }
            }
            _ => rest.extend_from_slice(whole),
        }
    }
    Ok(Adapted { bytes: [before, rest, after].concat(), inputs, outputs })
}

/// Returns what stands for an input or output, and the nodes that convert it.
fn border(port: ValueInfo, is_input: bool) -> (Border, Option<Vec<ValueInfo>>, Vec<Node>) {
    let ValueInfo { name, ty } = port;
    let mut border = Border::of(&name);
    let inner = format!("larder/{name}");
    let Some(ty) = ty else { return (border, None, Vec::new()) };
    if let Some(tensor) = &ty.tensor
        && let Some(narrow) = DType::narrow_of(tensor.element)
    {
        border.narrow = Some(narrow);
        let wide = match narrow.in_memory() {
            DType::Int8 => DataType::Int8,
            DType::Uint8 => DataType::Uint8,
            _ => DataType::Float,
        } as i32;
        let (from, to, element) =
            if is_input { (&inner, &name, tensor.element) } else { (&name, &inner, wide) };
        let mut cast = Node::new("Cast", &[from], to);
        cast = cast.with(Attribute::of_integer("to", element.into()));
        if is_input && wide == DataType::Float as i32 && narrow != DType::Bfloat16 {
            // Infinities stay; numbers are rounded before.
            cast = cast.with(Attribute::of_integer("saturate", 0));
        }
        let tensor = TensorType { element: wide, shape: tensor.shape.clone() };
        let ty = Type { tensor: Some(tensor), ..Type::default() };
        return (border, Some(vec![ValueInfo { name: inner, ty: Some(ty) }]), vec![cast]);
    }
    let Some(element) = ty.optional.as_ref().and_then(|optional| optional.ty.clone()) else {
        return (border, None, Vec::new());
    };
    border.optional = true;
    let flag = format!("{inner}/given");
    let [then, otherwise] = ["then", "else"].map(|branch| format!("{inner}/{branch}"));
    let (mut nodes, then, otherwise) = if is_input {
        let nothing = Node::new("Optional", &[], &otherwise);
        let nothing = nothing.with(Attribute::of_type("type", element.clone()));
        (Vec::new(), Node::new("Optional", &[&inner], &then), nothing)
    } else {
        let has = Node::new("OptionalHasElement", &[&name], &flag);
        let get = Node::new("OptionalGetElement", &[&name], &then);
        (vec![has], get, nothing(&element, &otherwise))
    };
    let choose = Node::new("If", &[&flag], if is_input { &name } else { &inner });
    let choose = choose.with(Attribute::of_graph("then_branch", Graph::branch(then)));
    nodes.push(choose.with(Attribute::of_graph("else_branch", Graph::branch(otherwise))));
    let is_given = TensorType { element: DataType::Bool as i32, shape: Some(Default::default()) };
    let is_given = Type { tensor: Some(is_given), ..Type::default() };
    let ports = [(inner, element), (flag, is_given)];
    let ports = ports.map(|(name, ty)| ValueInfo { name, ty: Some(ty) });
    (border, Some(ports.to_vec()), nodes)
}

/// A node that makes a value of a type, which nobody reads.
fn nothing(ty: &Type, output: &str) -> Node {
    let element = ty.sequence.as_ref().and_then(|sequence| sequence.ty.as_ref());
    if let Some(tensor) = element.and_then(|element| element.tensor.as_ref()) {
        return empty_sequence(tensor.element, output);
    }
    let tensor = ty.tensor.clone().unwrap_or_default();
    let size = |dim: &tensor_shape_proto::Dimension| match dim.value {
        Some(tensor_shape_proto::dimension::Value::DimValue(size)) => size,
        _ => 1,
    };
    let dims: Vec<i64> = tensor.shape.iter().flat_map(|shape| &shape.dim).map(size).collect();
    let bits = match DataType::try_from(tensor.element) {
        Ok(DataType::Bool | DataType::Int8 | DataType::Uint8) => 8,
        Ok(DataType::Int64 | DataType::Uint64 | DataType::Double) => 64,
        Ok(DataType::Float16 | DataType::Int16 | DataType::Uint16) => 16,
        _ => 32,
    };
    let bytes = dims.iter().try_fold(bits / 8, |bytes: i64, size| bytes.checked_mul(*size));
    let bytes = bytes.and_then(|bytes| usize::try_from(bytes).ok());
    // A few bytes can state a size of terabytes.
    let (dims, bytes) = match bytes.filter(|bytes| *bytes <= MAX_NOTHING) {
        Some(bytes) => (dims, bytes),
        None => (vec![0; dims.len()], 0),
    };
    let is_text = tensor.element == DataType::String as i32;
    let value = TensorProto {
        data_type: tensor.element,
        raw_data: if is_text { Vec::new() } else { vec![0; bytes] },
        string_data: if is_text { vec![Vec::new(); bytes / 4] } else { Vec::new() },
        dims,
        ..TensorProto::default()
    };
    Node::new("Constant", &[], output).with(Attribute::of_tensor("value", value))
}

fn empty_sequence(element: i32, output: &str) -> Node {
    Node::new("SequenceEmpty", &[], output).with(Attribute::of_integer("dtype", element.into()))
}

/// A model that returns a sequence of nothing, which a program cannot make.
pub(super) fn sequence_of_nothing(element: DataType) -> Vec<u8> {
    let tensor = TensorType { element: element as i32, shape: None };
    let tensor = Type { tensor: Some(tensor), ..Type::default() };
    let sequence = Some(Box::new(Element { ty: Some(tensor) }));
    let ty = Some(Type { sequence, ..Type::default() });
    let output = "sequence".to_owned();
    let graph = Graph {
        node: vec![empty_sequence(element as i32, &output)],
        name: output.clone(),
        output: vec![ValueInfo { name: output, ty }],
    };
    let opset = OperatorSetIdProto { domain: String::new(), version: 11 };
    let mut model = ModelProto { ir_version: 7, opset_import: vec![opset], ..Default::default() }
        .encode_to_vec();
    put(GRAPH, &graph.encode_to_vec(), &mut model);
    model
}
