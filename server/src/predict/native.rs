//! `/predict/REF`: one input or many, in JSON or MessagePack.
//!
//! A request is `{"input": …}` or `{"inputs": […]}`, and its answer `{"output": …}` or `{"outputs": […]}`; in MessagePack a map
//! of the same one key. The header `larder-version` of the answer says which version gave it.

use axum::body::Body as Content;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use larder_core::store::Action;
use larder_serving::{Input, Output};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::sole_input::sole_input;
use super::target::Target;
use super::{named, object, run};
use crate::context::Context;
use crate::failure::Failure;
use crate::route::{Guard, Route};

/// The header that says which version answered.
const VERSION: HeaderName = HeaderName::from_static("larder-version");
const MESSAGE_PACK: [&str; 3] =
    ["application/msgpack", "application/x-msgpack", "application/vnd.msgpack"];

pub(crate) fn routes() -> Vec<Route> {
    vec![Route::new(Method::POST, "/predict/{*rest}", Guard::On(Action::Predict, named), predict)]
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body<'a> {
    #[serde(borrow, default, deserialize_with = "given")]
    input: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "given")]
    inputs: Option<&'a RawValue>,
}

/// Tells an input that is `null` from none.
fn given<'de, D: Deserializer<'de>>(value: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(value).map(Some)
}

const SHAPE: &str = "it is `{\"input\": …}` for one input, or `{\"inputs\": […]}`";

fn misshapen() -> Failure {
    Failure::bad_request(format!("cannot read the request: {SHAPE}"))
}

async fn predict(context: Context, rest: String, request: Request) -> Result<Response, Failure> {
    let is_message_pack = content_type(request.headers(), &MESSAGE_PACK)?;
    let target = Target::find(&context, &rest).await?;
    let body = context.body(request).await?;
    if is_message_pack {
        return message_pack(&context, &target, &body).await;
    }
    let (input, open) = match sole_input(&body) {
        Some(input) => (Input::Json(input.to_owned()), ONE),
        None => input(&body)?,
    };
    let answer = match run(&context, &target, input).await {
        Ok(answer) => answer,
        // A body that is no JSON is a fault of the request, whatever the model says of its part.
        Err(failure) => return Err(self::input(&body).err().unwrap_or(failure)),
    };
    let mut content = answer.output.into_bytes();
    content.splice(0..0, open.bytes());
    content.push(b'}');
    Ok(respond(&target, "application/json", content))
}

const ONE: &str = "{\"output\":";

/// Reads the input of a request, or its inputs, and returns how the answer begins.
fn input(body: &[u8]) -> Result<(Input, &'static str), Failure> {
    let body: Body<'_> = object(body, SHAPE)?;
    match (body.input, body.inputs) {
        (Some(input), None) => Ok((Input::Json(input.get().to_owned()), ONE)),
        (None, Some(inputs)) => Ok((Input::JsonRows(inputs.get().to_owned()), "{\"outputs\":")),
        _ => Err(misshapen()),
    }
}

async fn message_pack(
    context: &Context,
    target: &Target,
    body: &Bytes,
) -> Result<Response, Failure> {
    // A map of one key: 0x81, then a short string.
    let (input, key): (_, &[u8]) = match body.as_ref() {
        [0x81, 0xa5, b'i', b'n', b'p', b'u', b't', ..] => {
            (Input::MessagePack(body.slice(7..)), b"\x81\xa6output")
        }
        [0x81, 0xa6, b'i', b'n', b'p', b'u', b't', b's', ..] => {
            (Input::MessagePackRows(body.slice(8..)), b"\x81\xa7outputs")
        }
        _ => return Err(misshapen()),
    };
    let answer = run(context, target, input).await?;
    let Output::Bytes(output) = answer.output else {
        return Err(Failure::internal("a prediction in MessagePack was answered in JSON"));
    };
    let body = [key, &output].concat();
    Ok(respond(target, MESSAGE_PACK[0], body))
}

fn respond(target: &Target, content_type: &'static str, content: Vec<u8>) -> Response {
    let version = HeaderValue::from_maybe_shared(target.model().reference().clone());
    let version = version.unwrap_or(HeaderValue::from_static("unknown"));
    let mut response = Response::new(Content::from(content));
    let headers = response.headers_mut();
    headers.reserve(6);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(VERSION, version);
    response
}

/// Returns whether the body is of one of the `known` types; without a type, it is JSON.
///
/// # Errors
/// 415 for any other type.
fn content_type(headers: &HeaderMap, known: &[&str]) -> Result<bool, Failure> {
    let given = headers.get(header::CONTENT_TYPE).map(|value| value.to_str().unwrap_or("?"));
    let given = given.map(|text| text.split(';').next().unwrap_or_default().trim());
    let Some(given) = given else { return Ok(false) };
    let is_one_of = |types: &[&str]| types.iter().any(|it| it.eq_ignore_ascii_case(given));
    // The form is the default of curl.
    if is_one_of(&["application/json", "", "application/x-www-form-urlencoded", "text/json"]) {
        Ok(false)
    } else if is_one_of(known) {
        Ok(true)
    } else {
        Err(Failure::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_type",
            format!("cannot read the request: send application/json or {}", known[0]),
        ))
    }
}
