//! Failures of requests: a status, a code and a short text.
//!
//! The body never holds what the client sent, a path of this machine or a trace. What only the operator may know goes to the
//! log, with the id of the request.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use larder_core::Error;
use larder_core::store::RecordKey;
use larder_core::store::with_causes;

use crate::dialect::Dialect;

/// The maximum number of characters of a text.
const MOST_TEXT: usize = 500;

/// A request that failed.
#[derive(Debug)]
pub struct Failure {
    /// The status.
    pub status: StatusCode,
    /// The word for programs.
    pub code: &'static str,
    /// The text for people.
    pub message: String,
    /// Seconds after which the client may try again.
    pub retry_after: Option<u64>,
    /// The cause, for the log alone.
    pub cause: Option<String>,
}

impl Failure {
    /// Creates a failure; long texts are cut.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        let mut message: String = message.into();
        if let Some((cut, _)) = message.char_indices().nth(MOST_TEXT) {
            message.truncate(cut);
            message.push('…');
        }
        Self { status, code, message, retry_after: None, cause: None }
    }

    /// A request that cannot be read.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message)
    }

    /// Nobody proved who asks.
    pub fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", message)
    }

    /// The caller is not permitted to do this.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", message)
    }

    /// There is no such thing.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    /// A request has more items than the protocol allows.
    pub fn too_many(message: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
    }

    /// A record that its kind does not allow, whatever else the larder holds.
    pub(crate) fn invalid_record(key: &RecordKey, error: &Error) -> Self {
        let reason = match error {
            Error::NewerFormat { .. } => "it has a newer format than the server reads",
            _ => "it is no record of its kind",
        };
        let message = format!("cannot write {key}: {reason}");
        let failure = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_record", message);
        Self { cause: Some(with_causes(error)), ..failure }
    }

    /// A change that would break the larder.
    pub(crate) fn broken_rule(key: &RecordKey, fault: &str) -> Self {
        let message = format!("cannot change {key}: {fault}");
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "broken_rule", message)
    }

    /// Bytes of another digest than the one stated.
    pub(crate) fn wrong_digest() -> Self {
        let message = "cannot store the blob: its bytes have another digest; send it again";
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "wrong_digest", message)
    }

    /// The body is larger than `limit` bytes.
    pub(crate) fn too_large(limit: usize) -> Self {
        let message = format!("cannot read the request: its body is over {limit} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
    }

    /// The server has too much to do, or its store does not answer.
    pub fn unavailable(message: impl Into<String>) -> Self {
        let failure = Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message);
        failure.retry_after(1)
    }

    /// A fault of the server.
    pub fn internal(cause: impl Into<String>) -> Self {
        let message = "cannot answer: the server failed; its log says why";
        let failure = Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message);
        Self { cause: Some(cause.into()), ..failure }
    }

    pub(crate) fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// Writes to the log what only the operator may know.
    pub fn log(&self, request_id: &str) {
        match (&self.cause, self.status.is_server_error()) {
            (Some(cause), _) => {
                tracing::error!(request_id, code = self.code, cause, "{}", self.message);
            }
            (None, true) => tracing::warn!(request_id, code = self.code, "{}", self.message),
            (None, false) => {}
        }
    }

    /// The answer on a route, with the id of the request, in the form that the route's clients read.
    pub fn respond(self, request_id: &str, path: &str) -> Response {
        self.log(request_id);
        let (code, message) = (self.code, self.message);
        let body = Dialect::of(path).body(code, &message, request_id);
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::from(&error)
    }
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        let text = error.to_string();
        match error {
            Error::InvalidName { .. } => Self::new(StatusCode::BAD_REQUEST, "invalid_name", text),
            Error::NotFound { .. } => Self::not_found(text),
            Error::Removed { .. } => Self::new(StatusCode::GONE, "removed", text),
            Error::Denied { action, .. } if action == "sign in" => Self::unauthorized(text),
            Error::Denied { .. } => Self::forbidden(text),
            Error::Conflict { .. } => Self::new(StatusCode::CONFLICT, "conflict", text),
            Error::Refused { .. } | Error::Blocked { .. } => {
                Self::new(StatusCode::CONFLICT, "refused", text)
            }
            Error::NotLinked { .. } => Self::new(StatusCode::NOT_IMPLEMENTED, "not_linked", text),
            Error::NotAModel { .. } => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "not_a_model", text)
            }
            Error::Input { path, .. } => {
                let message = format!(
                    "cannot use the input{}: it does not fit the signature of the model",
                    at(path)
                );
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_input", message)
            }
            Error::Predict { row, .. } => {
                let row = row.map(|row| format!(" for row {row}")).unwrap_or_default();
                let message = format!("cannot predict{row}: the model failed");
                let failure = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "model_failed", message);
                Self { cause: Some(with_causes(error)), ..failure }
            }
            Error::Corrupt { .. } => {
                let message = "cannot read the larder: a part of it is damaged; \
                               `larder verify` says which";
                let failure = Self::new(StatusCode::INTERNAL_SERVER_ERROR, "corrupt", message);
                Self { cause: Some(with_causes(error)), ..failure }
            }
            Error::Store { .. } => {
                let failure = Self::unavailable("cannot reach the store of the larder");
                Self { cause: Some(with_causes(error)), ..failure }
            }
            _ => Self::internal(with_causes(error)),
        }
    }
}

/// Where in the input, unless the path may hold text of the client's own, such as keys of a map.
fn at(path: &str) -> String {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"_.[]".contains(&b);
    match path {
        "" => String::new(),
        path if path.len() <= 80 && path.bytes().all(is_plain) => format!(" at `{path}`"),
        _ => String::new(),
    }
}
