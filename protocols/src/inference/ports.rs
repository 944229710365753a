//! The inputs and outputs of a model as tensors: names, types and dimensions.
//!
//! The manifest of an ONNX model lists them. Those of any other model are read from its JSON Schema: the fields of an object, or
//! else one tensor, with the dimension of the rows in front.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use larder_core::Signature;
use larder_core::store::Digest;
use larder_server::extend::{Context, Failure};
use larder_serving::LoadedModel;
use serde_json::{Map, Value};

use super::tensor::DataType;

/// Maximum nesting of a schema.
const MOST_DEEP: usize = 16;

/// The inputs and outputs of a model.
#[derive(Debug, Clone)]
pub(crate) struct Ports {
    /// The inputs.
    pub(crate) inputs: Vec<Port>,
    /// The outputs.
    pub(crate) outputs: Vec<Port>,
    /// The model takes tensors whole, rather than rows.
    pub(crate) takes_tensors: bool,
    /// An input is an object, with an entry for each port.
    pub(crate) is_object: bool,
}

/// One input or output.
#[derive(Debug, Clone)]
pub(crate) struct Port {
    /// The name.
    pub(crate) name: String,
    /// `None` where a value is no tensor; it is passed as JSON text.
    pub(crate) datatype: Option<DataType>,
    /// The dimensions, rows included; -1 for any size.
    pub(crate) shape: Vec<i64>,
}

impl Port {
    /// The type of its tensors; of values that are no numbers, that of their JSON.
    pub(crate) fn datatype(&self) -> DataType {
        self.datatype.unwrap_or(DataType::Bytes)
    }
}

impl Ports {
    /// Reads the ports of an ONNX model from the fields of its manifest.
    pub(crate) fn of_onnx(fields: &Value) -> Option<Self> {
        let side = |side: &str| -> Option<Vec<Port>> {
            fields.get(side)?.as_array()?.iter().map(onnx_port).collect()
        };
        let (inputs, outputs) = (side("inputs")?, side("outputs")?);
        Some(Self { inputs, outputs, takes_tensors: true, is_object: true })
    }

    /// Derives the ports of a model from its schemas.
    pub(crate) fn of_schemas(signature: &Signature) -> Self {
        let (inputs, is_object) = ports(signature.input.as_value(), "input");
        let (outputs, _) = ports(signature.output.as_value(), "output");
        Self { inputs, outputs, takes_tensors: false, is_object }
    }
}

fn onnx_port(port: &Value) -> Option<Port> {
    let (name, dtype) = (port.get("name")?.as_str()?, port.get("dtype")?.as_str()?);
    let dims = port.get("shape")?.as_array()?.iter();
    let shape = dims.map(|dim| dim.as_i64().unwrap_or(-1)).collect();
    Some(Port { name: name.to_owned(), datatype: DataType::of_numpy(dtype), shape })
}

/// Returns the ports of a schema, and whether they are the entries of an object.
fn ports(root: &Value, name: &str) -> (Vec<Port>, bool) {
    let schema = resolve(root, root);
    let properties = schema.get("properties").and_then(Value::as_object);
    match properties.filter(|it: &&Map<String, Value>| !it.is_empty()) {
        Some(properties) => {
            let ports = properties.iter().map(|(name, schema)| port(root, schema, name));
            (ports.collect(), true)
        }
        None => (vec![port(root, schema, name)], false),
    }
}

fn port(root: &Value, schema: &Value, name: &str) -> Port {
    let mut shape = vec![-1];
    let datatype = element(root, schema, &mut shape, 0);
    if datatype.is_none() {
        shape.truncate(1);
    }
    Port { name: name.to_owned(), datatype, shape }
}

/// Follows arrays to the type of their elements.
fn element(root: &Value, schema: &Value, shape: &mut Vec<i64>, depth: usize) -> Option<DataType> {
    let schema = resolve(root, schema);
    let format = schema.get("format").and_then(Value::as_str).unwrap_or_default();
    match type_of(schema)? {
        "array" if depth < MOST_DEEP => {
            let bound = |key| schema.get(key).and_then(Value::as_i64);
            let size = bound("minItems").filter(|size| bound("maxItems") == Some(*size));
            shape.push(size.unwrap_or(-1));
            element(root, schema.get("items")?, shape, depth + 1)
        }
        "boolean" => Some(DataType::Bool),
        "string" => Some(DataType::Bytes),
        "integer" => Some(match format {
            "uint8" => DataType::Uint8,
            "uint16" => DataType::Uint16,
            "uint32" => DataType::Uint32,
            "uint" | "uint64" => DataType::Uint64,
            "int8" => DataType::Int8,
            "int16" => DataType::Int16,
            "int32" => DataType::Int32,
            _ => DataType::Int64,
        }),
        "number" => Some(if format == "float" { DataType::Fp32 } else { DataType::Fp64 }),
        _ => None,
    }
}

/// The type of a schema. A number that may be a word, such as `"NaN"`, is a number.
fn type_of(schema: &Value) -> Option<&str> {
    match schema.get("type") {
        Some(Value::String(name)) => Some(name),
        Some(Value::Array(names)) => {
            names.iter().filter_map(Value::as_str).find(|name| *name != "null")
        }
        _ => None,
    }
}

/// Follows a link within the schema.
fn resolve<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let link = schema.get("$ref").and_then(Value::as_str);
    link.and_then(|link| root.pointer(link.strip_prefix('#')?)).unwrap_or(schema)
}

/// The ports of the models that were asked for.
#[derive(Debug, Default)]
pub(crate) struct KnownPorts(Mutex<HashMap<Digest, Arc<Ports>>>);

impl KnownPorts {
    /// The maximum number of models whose ports are kept.
    const MOST: usize = 1_000;

    pub(crate) fn get(&self, digest: &Digest) -> Option<Arc<Ports>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(digest).cloned()
    }

    pub(crate) fn keep(&self, digest: Digest, ports: Arc<Ports>) -> Arc<Ports> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= Self::MOST {
            known.clear();
        }
        known.insert(digest, Arc::clone(&ports));
        ports
    }
}

/// Returns the inputs and outputs of a model as tensors. They are read once for each version.
pub(crate) async fn of_model(
    context: &Context,
    model: &Arc<LoadedModel>,
) -> Result<Arc<Ports>, Failure> {
    let digest = model.version().digest;
    let known = context.shared::<KnownPorts>();
    if let Some(ports) = known.get(&digest) {
        return Ok(ports);
    }
    let (larder, model) = (context.larder().clone(), Arc::clone(model));
    let read = context.blocking(move || {
        let version = model.version();
        let of_onnx = match version.type_tag.as_str() {
            "larder/onnx" => {
                let details = larder.show(version.reference())?;
                let fields = details.manifest.fields();
                Ports::of_onnx(&serde_json::from_str(fields).unwrap_or_default())
            }
            _ => None,
        };
        let ports = of_onnx.unwrap_or_else(|| Ports::of_schemas(&model.signature()));
        Ok(known.keep(digest, Arc::new(ports)))
    });
    read.await
}
