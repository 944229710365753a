//! Errors of a service, as people read them.

use std::error::Error as _;

use larder_core::Error;
use object_store::Error as Cause;

/// The error of a request that was to `action`.
pub(crate) fn failed(action: impl Into<String>, cause: Cause) -> Error {
    let text = told(&cause);
    let advice = match &cause {
        _ if text.contains("NoSuchBucket") || text.contains("ContainerNotFound") => {
            "; make the bucket first, or check its name"
        }
        Cause::Unauthenticated { .. } => "; the service does not know the credentials: check them",
        Cause::PermissionDenied { .. } => {
            "; check the credentials, and what the bucket's policy allows them"
        }
        Cause::Generic { .. } => "; check the endpoint and the network",
        _ => "",
    };
    Error::store(action, format!("{text}{advice}"))
}

/// An error with those of its causes that it does not repeat itself, and without the XML around a service's words.
fn told(error: &Cause) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    match text.split_once("<?xml") {
        Some((before, xml)) => {
            let part = |name: &str| {
                let inner = xml.split_once(&format!("<{name}>"))?.1;
                Some(inner.split_once(&format!("</{name}>"))?.0)
            };
            let (code, message) = (part("Code"), part("Message"));
            format!("{before}{} ({})", message.unwrap_or_default(), code.unwrap_or_default())
        }
        None => text,
    }
}

/// `None` for an object that is not there.
pub(crate) fn absent<T>(result: Result<T, Cause>) -> Result<Option<T>, Cause> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Cause::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
