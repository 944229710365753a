//! Predictions over HTTP, by Larder's own convention: JSON and MessagePack at `/predict/REF`. Crates add other conventions.
//!
//! A handler asks for the action `predict` on the name in the path, finds the model in [`target`], and runs it through the queue
//! of `larder-serving`.

mod describe;
mod native;
mod openapi;
mod sole_input;
pub(crate) mod target;

use larder_access::Resource;
use larder_core::Reference;
use larder_serving::{Answer, Input, Request as Job, ServeError};

use crate::context::Context;
use crate::failure::Failure;
use crate::route::{Rest, Route};
use target::Target;

pub(crate) fn routes() -> Vec<Route> {
    let mut routes = native::routes();
    routes.extend(describe::routes());
    routes
}

/// The name in a path that ends in a reference.
fn named(rest: Rest<'_>) -> Result<Resource, Failure> {
    let reference: Reference = rest.parse()?;
    Ok(Resource::of(&reference))
}

/// Reads a JSON object. An array of its values, which serde takes for one too, is none.
///
/// # Errors
/// [`Failure::bad_request`], which says `what` is wrong.
pub fn object<'a, T: serde::Deserialize<'a>>(body: &'a [u8], what: &str) -> Result<T, Failure> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let read = match body.trim_ascii_start().first() {
        Some(b'{') => serde_json::from_slice(body).ok(),
        _ => None,
    };
    read.ok_or_else(|| Failure::bad_request(format!("cannot read the request: {what}")))
}

/// Runs a request, and waits for its answer or the deadline. A client that goes away takes its request with it.
///
/// # Errors
/// Those of the input, the model and its queue.
pub async fn run(context: &Context, target: &Target, input: Input) -> Result<Answer, Failure> {
    context.span.asks(target.model().version());
    if let Some(answer) = target.try_now(&context.app, &input) {
        return answer.map_err(Failure::from);
    }
    let job = Job::new(input).within(context.app.options.deadline);
    target.request(&context.app, job).await.map_err(Failure::from)
}

impl From<ServeError> for Failure {
    fn from(error: ServeError) -> Self {
        use axum::http::StatusCode;

        let text = error.to_string();
        let seconds = error.retry_after().map(|time| time.as_secs_f64().ceil() as u64);
        let failure = match error {
            ServeError::Model(error) => return error.into(),
            // A failure of the store may pass; what is wrong with the version stays so.
            ServeError::Load { source, .. } => {
                let failure = Self::from(&*source);
                match failure.status.is_server_error() {
                    true => Self {
                        status: StatusCode::SERVICE_UNAVAILABLE,
                        code: "not_loaded",
                        message: text,
                        ..failure
                    },
                    false => failure,
                }
            }
            ServeError::Panicked { source, .. } => {
                let failure = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "model_failed", text);
                Self { cause: Some(source.to_string()), ..failure }
            }
            ServeError::Late { .. } => Self::new(StatusCode::GATEWAY_TIMEOUT, "late", text),
            ServeError::Busy { .. } => Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", text),
            _ => Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", text),
        };
        match seconds {
            Some(seconds) => failure.retry_after(seconds),
            None => failure,
        }
    }
}
