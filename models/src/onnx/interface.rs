//! What a model takes and gives, as its manifest says.

use std::fmt;

use larder_core::Signature;
use larder_core::schemars::Schema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::dtype::DType;

/// The most dimensions of a tensor.
pub(super) const MOST_DIMS: usize = 16;
/// The most inputs, and the most outputs.
const MOST_PORTS: usize = 1024;

/// One input or output of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Port {
    /// Its name.
    pub name: String,
    /// The type of its elements.
    pub dtype: DType,
    /// Its dimensions.
    pub shape: Vec<Dim>,
}

/// One dimension of a tensor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Dim {
    /// Always the same.
    Fixed(u64),
    /// As the input has it: equal names are equal numbers.
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
    /// Whether the first dimension of every input and output counts rows.
    pub(super) by_rows: bool,
}

impl Interface {
    /// Checks what a manifest, or a file, says.
    pub(super) fn new(inputs: Vec<Port>, outputs: Vec<Port>) -> Result<Self, String> {
        for (kind, ports) in [("input", &inputs), ("output", &outputs)] {
            if ports.is_empty() || ports.len() > MOST_PORTS {
                return Err(format!("it has {} {kind}s; 1 to {MOST_PORTS} will do", ports.len()));
            }
            for (at, port) in ports.iter().enumerate() {
                if port.shape.len() > MOST_DIMS {
                    return Err(format!(
                        "the {kind} `{}` has more than {MOST_DIMS} dimensions",
                        port.name
                    ));
                }
                if ports[..at].iter().any(|other| other.name == port.name) {
                    return Err(format!("two {kind}s are named `{}`", port.name));
                }
            }
        }
        let mut firsts = inputs.iter().chain(&outputs).map(|port| port.shape.first());
        let by_rows = match firsts.next() {
            Some(Some(Dim::Symbol(rows))) => {
                firsts.all(|first| matches!(first, Some(Dim::Symbol(name)) if name == rows))
            }
            _ => false,
        };
        Ok(Self { inputs, outputs, by_rows })
    }

    /// The dimensions of one row of a port.
    pub(super) fn row_shape<'a>(&self, port: &'a Port) -> &'a [Dim] {
        if self.by_rows { port.shape.get(1..).unwrap_or_default() } else { &port.shape }
    }

    /// As JSON Schema: of one row.
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
        let required: Vec<_> = ports.iter().map(|port| &port.name).collect();
        json!({
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        })
    }

    fn value_schema(&self, port: &Port) -> Value {
        let element = json!({ "type": port.dtype.json_type(), "format": port.dtype });
        self.row_shape(port).iter().rev().fold(element, |items, dim| match dim {
            Dim::Fixed(size) => {
                json!({ "type": "array", "items": items, "minItems": size, "maxItems": size })
            }
            Dim::Symbol(name) => json!({ "type": "array", "items": items, "title": name }),
        })
    }
}

fn schema(value: Value) -> Schema {
    Schema::try_from(value).unwrap_or_default()
}
