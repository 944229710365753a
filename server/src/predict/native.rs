//! `/predict/REF`: one input or many, in JSON or MessagePack.
//!
//! A request is `{"input": …}` or `{"inputs": […]}`, and its answer `{"output": …}` or `{"outputs": […]}`; in MessagePack a map
//! of the same one key. The header `larder-version` of the answer says which version gave it.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use larder_core::store::Action;
use larder_serving::{Answer, Input, Output};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

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
    let body: Body<'_> = object(&body, SHAPE)?;
    let (input, open) = match (body.input, body.inputs) {
        (Some(input), None) => (Input::Json(input.get().to_owned()), "{\"output\":"),
        (None, Some(inputs)) => (Input::JsonRows(inputs.get().to_owned()), "{\"outputs\":"),
        _ => return Err(misshapen()),
    };
    let answer = run(&context, &target, input).await?;
    let version = version_of(&answer);
    let output = answer.output.into_bytes();
    let mut body = Vec::with_capacity(output.len() + 16);
    body.extend_from_slice(open.as_bytes());
    body.extend_from_slice(&output);
    body.push(b'}');
    let content_type = HeaderValue::from_static("application/json");
    Ok(([(header::CONTENT_TYPE, content_type), (VERSION, version)], body).into_response())
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
    let version = version_of(&answer);
    let Output::Bytes(output) = answer.output else {
        return Err(Failure::internal("a prediction in MessagePack was answered in JSON"));
    };
    let body = [key, &output].concat();
    let content_type = HeaderValue::from_static(MESSAGE_PACK[0]);
    Ok(([(header::CONTENT_TYPE, content_type), (VERSION, version)], body).into_response())
}

fn version_of(answer: &Answer) -> HeaderValue {
    let text = answer.version.reference().to_string();
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("unknown"))
}

/// Returns whether the body is of one of the `known` types; without a type, it is JSON.
///
/// # Errors
/// 415 for any other type.
fn content_type(headers: &HeaderMap, known: &[&str]) -> Result<bool, Failure> {
    let given = headers.get(header::CONTENT_TYPE).map(|value| value.to_str().unwrap_or("?"));
    let given = given.map(|text| text.split(';').next().unwrap_or_default().trim());
    match given.map(str::to_ascii_lowercase).as_deref() {
        None | Some("" | "application/json") => Ok(false),
        // What curl sends, if nothing is said.
        Some("application/x-www-form-urlencoded" | "text/json") => Ok(false),
        Some(given) if known.contains(&given) => Ok(true),
        Some(_) => Err(Failure::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_type",
            format!("cannot read the request: send application/json or {}", known[0]),
        )),
    }
}
