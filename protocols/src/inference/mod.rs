//! The Open Inference Protocol, version 2, with Triton's extension for binary tensors.
//!
//! <https://github.com/kserve/open-inference-protocol>;
//! <https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md>

pub(crate) mod ports;
pub(crate) mod tensor;
pub(crate) mod tensors;

use std::sync::Arc;

use axum::Json;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use larder_access::Resource;
use larder_core::Reference;
use larder_core::store::Action;
use larder_server::extend::predict::{Target, object, run};
use larder_server::extend::{Context, Failure, Guard, Rest, Route, RouteSet, inventory};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use ports::{Port, Ports};
use tensor::DataType;
use tensors::{Tensor, invalid};

/// The header with the length of the JSON before the tensors.
const JSON_LENGTH: HeaderName = HeaderName::from_static("inference-header-content-length");

fn routes() -> Vec<Route> {
    let of_model = Guard::On(Action::Predict, resource);
    vec![
        Route::new(Method::GET, "/v2", Guard::any(Action::Predict), server),
        Route::new(Method::GET, "/v2/models/{*rest}", of_model, look),
        Route::new(Method::POST, "/v2/models/{*rest}", of_model, infer),
    ]
}

/// A parsed path below `/v2/models/`.
struct Asked {
    reference: Reference,
    verb: Option<&'static str>,
}

/// Parses `NAME[/versions/V][/infer|/ready]`. A name may contain `/`, so it is read from the end.
fn parse(rest: Rest<'_>) -> Result<Asked, Failure> {
    let (rest, verb) = ["infer", "ready"]
        .into_iter()
        .find_map(|verb| Some((rest.strip_suffix(verb)?.strip_suffix('/')?, Some(verb))))
        .unwrap_or((rest, None));
    let parts: Vec<&str> = rest.rsplitn(3, '/').collect();
    let reference = match parts[..] {
        [version, "versions", name] => reference(name, version)?,
        _ => rest.parse()?,
    };
    Ok(Asked { reference, verb })
}

/// Returns the reference of a model and a version: a number, a tag or a digest.
///
/// # Errors
/// [`Failure::bad_request`] if one of them cannot be.
pub(crate) fn reference(name: &str, version: &str) -> Result<Reference, Failure> {
    let selector = if version.bytes().all(|b| b.is_ascii_digit()) { "@" } else { ":" };
    let selector = if version.starts_with("b3:") { "@" } else { selector };
    Ok(format!("{name}{selector}{version}").parse()?)
}

fn resource(rest: Rest<'_>) -> Result<Resource, Failure> {
    Ok(Resource::of(&parse(rest)?.reference))
}

async fn server(_: Context, _: String, _: Request) -> Result<Response, Failure> {
    let body = json!({
        "name": "larder",
        "version": env!("CARGO_PKG_VERSION"),
        "extensions": ["binary_tensor_data"],
    });
    Ok(Json(body).into_response())
}

async fn look(context: Context, rest: String, _: Request) -> Result<Response, Failure> {
    let asked = parse(&rest)?;
    let text = asked.reference.to_string();
    if asked.verb == Some("infer") {
        return Err(Failure::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "cannot predict by GET: send POST",
        ));
    }
    let target = Target::find(&context, &text).await?;
    if asked.verb == Some("ready") {
        return Ok(Json(json!({ "name": text, "ready": true })).into_response());
    }
    let metadata = Metadata::of(&context, &asked.reference, &target).await?;
    let side = |ports: &[Port]| -> Vec<Value> {
        let port = |port: &Port| json!({ "name": port.name, "datatype": port.datatype().name(), "shape": port.shape });
        ports.iter().map(port).collect()
    };
    let body = json!({
        "name": metadata.name,
        "versions": [metadata.version],
        "platform": metadata.platform,
        "inputs": side(&metadata.ports.inputs),
        "outputs": side(&metadata.ports.outputs),
    });
    Ok(Json(body).into_response())
}

/// The description of a model.
pub(crate) struct Metadata {
    /// The name.
    pub(crate) name: String,
    /// The number of the version.
    pub(crate) version: String,
    /// The kind of model.
    pub(crate) platform: String,
    /// The inputs and outputs.
    pub(crate) ports: Arc<Ports>,
}

impl Metadata {
    /// Describes the model that `target` is.
    ///
    /// # Errors
    /// Those of the larder.
    pub(crate) async fn of(
        context: &Context,
        reference: &Reference,
        target: &Target,
    ) -> Result<Self, Failure> {
        let version = target.model().version();
        Ok(Self {
            name: reference.identifier().to_string(),
            version: version.version.get().to_string(),
            platform: format!("larder_{}", version.type_tag.as_str().replace('/', "_")),
            ports: ports::of_model(context, target.model()).await?,
        })
    }
}

#[derive(Deserialize)]
struct Infer {
    id: Option<String>,
    #[serde(default)]
    parameters: Map<String, Value>,
    inputs: Vec<InferInput>,
    #[serde(default)]
    outputs: Vec<InferOutput>,
}

#[derive(Deserialize)]
struct InferInput {
    name: String,
    shape: Vec<usize>,
    datatype: String,
    #[serde(default)]
    parameters: Map<String, Value>,
    data: Option<Value>,
}

#[derive(Deserialize)]
struct InferOutput {
    name: String,
    #[serde(default)]
    parameters: Map<String, Value>,
}

async fn infer(context: Context, rest: String, request: Request) -> Result<Response, Failure> {
    let asked = parse(&rest)?;
    if asked.verb != Some("infer") {
        return Err(Failure::not_found("cannot answer: a prediction is asked for at `…/infer`"));
    }
    let json_length = request.headers().get(JSON_LENGTH).cloned();
    let target = Target::find(&context, &asked.reference.to_string()).await?;
    let body = context.body(request).await?;
    let (json, mut binary) = split(body, json_length.as_ref())?;
    let asked_for: Infer = object(&json, "it is no inference request in JSON")?;
    let inputs = asked_for.inputs.iter().map(|input| tensor(input, &mut binary));
    let inputs: Vec<Tensor> = inputs.collect::<Result<_, _>>()?;
    if !binary.is_empty() {
        return Err(invalid("there are bytes after the last tensor"));
    }
    let wanted: Vec<&str> = asked_for.outputs.iter().map(|output| output.name.as_str()).collect();
    let (version, all) = predict(&context, &target, &inputs, &wanted).await?;

    let all_binary = flag(&asked_for.parameters, "binary_data_output");
    let mut outputs = Vec::new();
    let mut bytes = Vec::new();
    for output in all {
        let wanted = asked_for.outputs.iter().find(|wanted| wanted.name == output.name);
        let asks = wanted.map(|wanted| &wanted.parameters);
        let is_binary = match asks.filter(|it| it.contains_key("binary_data")) {
            Some(parameters) => flag(parameters, "binary_data"),
            None => all_binary,
        };
        let mut entry = json!({
            "name": output.name,
            "datatype": output.datatype.name(),
            "shape": output.shape,
        });
        if is_binary {
            let before = bytes.len();
            output.write(&mut bytes)?;
            entry["parameters"] = json!({ "binary_data_size": bytes.len() - before });
        } else {
            entry["data"] = Value::Array(output.elements);
        }
        outputs.push(entry);
    }
    let mut body = json!({
        "model_name": asked.reference.identifier(),
        "model_version": version,
        "outputs": outputs,
    });
    if let Some(id) = asked_for.id {
        body["id"] = id.into();
    }
    respond(&body, bytes)
}

/// An output of a model.
pub(crate) struct Output {
    /// The name.
    pub(crate) name: String,
    /// The type of its elements.
    pub(crate) datatype: DataType,
    /// The dimensions.
    pub(crate) shape: Vec<usize>,
    /// The elements, row by row.
    pub(crate) elements: Vec<Value>,
}

impl Output {
    /// Appends the elements as little-endian bytes.
    ///
    /// # Errors
    /// [`Failure::internal`] if an element is not of the type.
    pub(crate) fn write(&self, out: &mut Vec<u8>) -> Result<(), Failure> {
        self.elements.iter().try_for_each(|element| self.datatype.write(element, out)).ok_or_else(
            || Failure::internal(format!("the output `{}` is of another type", self.name)),
        )
    }
}

/// Predicts, and returns the version that answered and the outputs that are wanted; all of them if none is named.
///
/// # Errors
/// Those of the input, the model and its queue.
pub(crate) async fn predict(
    context: &Context,
    target: &Target,
    inputs: &[Tensor],
    wanted: &[&str],
) -> Result<(String, Vec<Output>), Failure> {
    let ports = ports::of_model(context, target.model()).await?;
    let (input, is_batch) = tensors::input(&ports, inputs)?;
    let answer = run(context, target, input).await?;
    let version = answer.version.version.get().to_string();
    let output: Value = serde_json::from_slice(&answer.output.into_bytes())
        .map_err(|error| Failure::internal(format!("the output is no JSON: {error}")))?;
    let outputs: Vec<Output> = tensors::outputs(&ports, output, is_batch)
        .into_iter()
        .filter(|(port, ..)| wanted.is_empty() || wanted.contains(&port.name.as_str()))
        .map(|(port, shape, elements)| Output {
            datatype: port.datatype(),
            name: port.name,
            shape,
            elements,
        })
        .collect();
    if outputs.len() < wanted.len() {
        return Err(invalid("the model has no output of that name"));
    }
    Ok((version, outputs))
}

fn respond(body: &Value, binary: Vec<u8>) -> Result<Response, Failure> {
    if binary.is_empty() {
        return Ok(Json(body).into_response());
    }
    let json = serde_json::to_vec(body).map_err(|error| Failure::internal(error.to_string()))?;
    let length = HeaderValue::from(json.len());
    let content_type = HeaderValue::from_static("application/octet-stream");
    let headers = [(JSON_LENGTH, length), (header::CONTENT_TYPE, content_type)];
    Ok((headers, [json, binary].concat()).into_response())
}

fn flag(parameters: &Map<String, Value>, name: &str) -> bool {
    parameters.get(name).and_then(Value::as_bool).unwrap_or(false)
}

/// Splits a body into JSON and the tensors after it.
fn split(body: Bytes, length: Option<&HeaderValue>) -> Result<(Bytes, Bytes), Failure> {
    let Some(length) = length else { return Ok((body, Bytes::new())) };
    let length = length.to_str().ok().and_then(|text| text.parse::<usize>().ok());
    match length.filter(|length| *length <= body.len()) {
        Some(length) => Ok((body.slice(..length), body.slice(length..))),
        None => Err(Failure::bad_request(
            "cannot read the request: `inference-header-content-length` is not within the body",
        )),
    }
}

/// Reads an input, from JSON or from the front of `binary`.
fn tensor(input: &InferInput, binary: &mut Bytes) -> Result<Tensor, Failure> {
    let datatype = DataType::named(&input.datatype)
        .ok_or_else(|| invalid("an input has no type of the protocol"))?;
    let elements = match (input.parameters.get("binary_data_size"), &input.data) {
        (Some(size), None) => {
            let size = size.as_u64().and_then(|size| usize::try_from(size).ok());
            let size = size.filter(|size| *size <= binary.len());
            let bytes = binary.split_to(size.ok_or_else(|| invalid("a tensor is cut short"))?);
            datatype.read(&bytes).map_err(invalid)?
        }
        (None, Some(data)) => {
            let mut elements = Vec::new();
            flat(data, &mut elements)?;
            elements
        }
        _ => return Err(invalid("an input has either `data` or `binary_data_size`")),
    };
    Tensor::new(input.name.clone(), input.shape.clone(), elements)
}

/// The elements of data, which may be flat or nested.
fn flat(data: &Value, out: &mut Vec<String>) -> Result<(), Failure> {
    match data {
        Value::Array(items) => items.iter().try_for_each(|item| flat(item, out)),
        Value::Object(_) => Err(invalid("a tensor has no objects")),
        value => {
            out.push(value.to_string());
            Ok(())
        }
    }
}

inventory::submit!(RouteSet(routes));

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn names_may_contain_slashes_and_versions_are_numbers_tags_or_digests() {
        for (path, reference, verb) in [
            ("house/price", "house/price", None),
            ("house/price/ready", "house/price", Some("ready")),
            ("house/price/versions/7/infer", "house/price@7", Some("infer")),
            ("price/versions/prod", "price:prod", None),
            ("price/versions/b3:1f2e/infer", "price@b3:1f2e", Some("infer")),
            ("infer", "infer", None),
            ("versions/infer", "versions", Some("infer")),
        ] {
            let asked = parse(path).unwrap();
            assert_eq!((asked.reference.to_string().as_str(), asked.verb), (reference, verb));
        }
        assert!(parse("../x/infer").is_err());
    }
}
