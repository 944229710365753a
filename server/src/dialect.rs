//! The forms of errors that clients of other protocols read.

use serde_json::{Value, json};

/// The protocol of a route's clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Larder's own.
    Larder,
    /// The Open Inference Protocol, and Hugging Face Hub.
    Inference,
    /// MLflow's scoring server.
    Scoring,
    /// MLflow's registry.
    Registry,
}

impl Dialect {
    /// Returns the protocol of a route.
    pub(crate) fn of(path: &str) -> Self {
        let starts = |prefix: &str| path.starts_with(prefix);
        if starts("/mlflow") || path == "/invocations" {
            Self::Scoring
        } else if ["/api/2.0/", "/api/3.0/", "/ajax-api/"].into_iter().any(starts) {
            Self::Registry
        } else if starts("/v2") || starts("/api/") || path.contains("/resolve/") {
            Self::Inference
        } else {
            Self::Larder
        }
    }

    /// Returns the body of an error.
    pub(crate) fn body(self, code: &str, message: &str, request_id: &str) -> Value {
        match self {
            Self::Larder => {
                json!({ "error": { "code": code, "message": message, "request_id": request_id } })
            }
            Self::Inference => {
                json!({ "error": message, "code": code, "request_id": request_id })
            }
            Self::Scoring => {
                json!({ "error_code": code, "message": message, "request_id": request_id })
            }
            Self::Registry => json!({
                "error_code": registry_code(code),
                "message": message,
                "code": code,
                "request_id": request_id,
            }),
        }
    }
}

/// Returns MLflow's word for a code.
fn registry_code(code: &str) -> &'static str {
    match code {
        "unauthorized" => "UNAUTHENTICATED",
        "forbidden" => "PERMISSION_DENIED",
        "already_exists" => "RESOURCE_ALREADY_EXISTS",
        "not_found" | "removed" => "RESOURCE_DOES_NOT_EXIST",
        "conflict" => "RESOURCE_CONFLICT",
        "refused" => "INVALID_STATE",
        "not_linked" | "not_implemented" => "NOT_IMPLEMENTED",
        "unavailable" | "busy" => "TEMPORARILY_UNAVAILABLE",
        "timeout" | "late" => "REQUEST_TIMEOUT",
        "internal" | "corrupt" => "INTERNAL_ERROR",
        "method_not_allowed" => "ENDPOINT_NOT_FOUND",
        _ => "INVALID_PARAMETER_VALUE",
    }
}
