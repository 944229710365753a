//! Inputs and outputs of a model.

use std::fmt;

use larder_core::Signature;
use larder_core::schemars::Schema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::MAX_ROWS;
use super::dtype::DType;

/// Maximum number of dimensions of a tensor.
pub(super) const MAX_DIMS: usize = 16;
/// Maximum number of inputs and of outputs.
const MAX_PORTS: usize = 1024;

/// An input or output of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Port {
    /// Name.
    pub name: String,
    /// Element type.
    pub dtype: DType,
    /// Dimensions.
    pub shape: Vec<Dim>,
    /// Names of the elements of the last dimension, which is then written as an object: an output of `ZipMap`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
    /// True for a sequence of such tensors: any number of them, each with its own shape.
    #[serde(default, skip_serializing_if = "is_false")]
    pub sequence: bool,
    /// True if the value may be missing.
    #[serde(default, skip_serializing_if = "is_false")]
    pub optional: bool,
}

fn is_false(value: &bool) -> bool {
    !value
}

impl Port {
    /// A port for a tensor.
    pub(super) fn tensor(name: String, dtype: DType, shape: Vec<Dim>) -> Self {
        Self { name, dtype, shape, keys: Vec::new(), sequence: false, optional: false }
    }

    /// Returns true for a tensor that is always given.
    pub(super) fn is_tensor(&self) -> bool {
        !self.sequence && !self.optional
    }
}

/// Dimension of a tensor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Dim {
    /// Fixed size.
    Fixed(u64),
    /// Size set by the input; dimensions of the same name have the same size.
    Symbol(String),
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(size) => write!(f, "{size}"),
            Self::Symbol(name) => f.write_str(name),
        }
    }
}

/// All inputs and outputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Interface {
    pub(super) inputs: Vec<Port>,
    pub(super) outputs: Vec<Port>,
    /// True if the first dimension of every input and output counts independent rows.
    pub(super) by_rows: bool,
}

impl Interface {
    /// Validates the ports of a manifest or file.
    pub(super) fn new(inputs: Vec<Port>, outputs: Vec<Port>) -> Result<Self, String> {
        for (kind, ports) in [("input", &inputs), ("output", &outputs)] {
            // A model may compute from constants alone.
            let least = usize::from(kind == "output");
            if ports.len() < least || ports.len() > MAX_PORTS {
                return Err(format!("it has {} {kind}s, not {least} to {MAX_PORTS}", ports.len()));
            }
            for (at, port) in ports.iter().enumerate() {
                if port.shape.len() > MAX_DIMS {
                    return Err(format!(
                        "the {kind} `{}` has more than {MAX_DIMS} dimensions",
                        port.name
                    ));
                }
                if port.dtype.is_narrow() && !port.is_tensor() {
                    let (name, dtype) = (&port.name, port.dtype);
                    return Err(format!("`{name}` is a sequence or optional value of {dtype}"));
                }
                let columns = match port.shape.last() {
                    Some(Dim::Fixed(columns)) => usize::try_from(*columns).ok(),
                    _ => None,
                };
                if !port.keys.is_empty() && columns != Some(port.keys.len()) {
                    let (name, count) = (&port.name, port.keys.len());
                    return Err(format!("the {kind} `{name}` has {count} names for its columns"));
                }
                if ports[..at].iter().any(|other| other.name == port.name) {
                    return Err(format!("duplicate {kind} `{}`", port.name));
                }
            }
        }
        let by_rows = looks_like_rows(&inputs, &outputs);
        Ok(Self { inputs, outputs, by_rows })
    }

    /// Returns true if the first dimension looks like a number of rows, but is none.
    pub(super) fn has_dependent_rows(&self) -> bool {
        !self.by_rows && looks_like_rows(&self.inputs, &self.outputs)
    }

    /// Returns the dimensions of one row of a port.
    pub(super) fn row_shape<'a>(&self, port: &'a Port) -> &'a [Dim] {
        if self.by_rows { port.shape.get(1..).unwrap_or_default() } else { &port.shape }
    }

    /// Returns the maximum number of rows per run.
    pub(super) fn max_rows(&self) -> usize {
        let open = |port| self.row_shape(port).iter().any(|dim| matches!(dim, Dim::Symbol(_)));
        // Open dimensions may differ between rows.
        if !self.by_rows || self.inputs.iter().any(open) { 1 } else { MAX_ROWS }
    }

    /// Returns the JSON Schema of one row.
    pub(super) fn signature(&self) -> Signature {
        let input = match &self.inputs[..] {
            [only] => {
                let value = self.value_schema(only);
                json!({ "anyOf": [value, self.object_schema(&self.inputs)] })
            }
            ports => self.object_schema(ports),
        };
        let output = match &self.outputs[..] {
            [only] => self.value_schema(only),
            ports => self.object_schema(ports),
        };
        Signature { input: schema(input), output: schema(output) }
    }

    fn object_schema(&self, ports: &[Port]) -> Value {
        let properties: Map<_, _> =
            ports.iter().map(|port| (port.name.clone(), self.value_schema(port))).collect();
        let required = ports.iter().filter(|port| !port.optional);
        let required: Vec<_> = required.map(|port| &port.name).collect();
        json!({
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        })
    }

    fn value_schema(&self, port: &Port) -> Value {
        let value = if port.sequence {
            // Each tensor has its own shape.
            json!({ "type": "array", "items": { "format": port.dtype } })
        } else {
            self.tensor_schema(port)
        };
        if port.optional { json!({ "anyOf": [value, { "type": "null" }] }) } else { value }
    }

    fn tensor_schema(&self, port: &Port) -> Value {
        let element = json!({ "type": port.dtype.json_type(), "format": port.dtype });
        let mut dims = self.row_shape(port);
        let mut inner = element;
        if !port.keys.is_empty()
            && let Some((_, rest)) = dims.split_last()
        {
            let properties: Map<_, _> =
                port.keys.iter().map(|key| (key.clone(), inner.clone())).collect();
            let required = &port.keys;
            inner = json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false });
            dims = rest;
        }
        dims.iter().rev().fold(inner, |items, dim| match dim {
            Dim::Fixed(size) => {
                json!({ "type": "array", "items": items, "minItems": size, "maxItems": size })
            }
            Dim::Symbol(name) => json!({ "type": "array", "items": items, "title": name }),
        })
    }
}

/// Returns true if the first dimensions of all ports are the same open one.
fn looks_like_rows(inputs: &[Port], outputs: &[Port]) -> bool {
    if !inputs.iter().chain(outputs).all(Port::is_tensor) {
        return false;
    }
    let mut firsts = inputs.iter().chain(outputs).map(|port| port.shape.first());
    match firsts.next() {
        Some(Some(Dim::Symbol(rows))) if !inputs.is_empty() => {
            firsts.all(|first| matches!(first, Some(Dim::Symbol(name)) if name == rows))
        }
        _ => false,
    }
}

fn schema(value: Value) -> Schema {
    Schema::try_from(value).unwrap_or_default()
}
