//! Converts errors of a service.

use std::error::Error as _;

use larder_store::Error;
use object_store::Error as Cause;

/// Paths of the services that give credentials to machines in a cloud, which are asked last, with what to set elsewhere.
const METADATA: [(&str, &str); 4] = [
    ("/latest/api/token", SET_AWS),
    ("/latest/meta-data/", SET_AWS),
    (
        "/computeMetadata/",
        "set `GOOGLE_SERVICE_ACCOUNT` to a file, or add `anonymous=true` to the URL of a public bucket",
    ),
    (
        "/metadata/identity/",
        "set `AZURE_STORAGE_ACCOUNT_KEY`, or add `anonymous=true` to the URL of a public container",
    ),
];
const SET_AWS: &str = "set `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, or add `anonymous=true` to the URL of a \
                       public bucket; profiles in `~/.aws` are not read";

/// Returns the error of a failed request, with advice.
pub(crate) fn failed(action: impl Into<String>, cause: Cause) -> Error {
    let text = message(&cause);
    if let Some((_, set)) = METADATA.iter().find(|(path, _)| text.contains(path)) {
        return Error::store(action, format!("no credentials were found; {set}"));
    }
    let advice = match &cause {
        _ if text.contains("NoSuchBucket") || text.contains("ContainerNotFound") => {
            "; create the bucket, or check its name"
        }
        Cause::Unauthenticated { .. } => {
            "; check the credentials, which the service does not accept"
        }
        Cause::PermissionDenied { .. } => "; check the credentials and the policy of the bucket",
        Cause::Generic { .. } => "; check the endpoint and the network",
        _ => "",
    };
    Error::store(action, format!("{text}{advice}"))
}

/// Returns the message of an error with the causes that it does not repeat, without the XML of the service.
fn message(error: &Cause) -> String {
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

/// Turns `NotFound` into `None`.
pub(crate) fn absent<T>(result: Result<T, Cause>) -> Result<Option<T>, Cause> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Cause::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[test]
    fn missing_credentials_are_named_and_not_the_service_that_has_none() {
        for (path, variable) in [
            ("/latest/api/token", "AWS_ACCESS_KEY_ID"),
            (
                "/computeMetadata/v1/instance/service-accounts/default/token",
                "GOOGLE_SERVICE_ACCOUNT",
            ),
            ("/metadata/identity/oauth2/token", "AZURE_STORAGE_ACCOUNT_KEY"),
        ] {
            let source = format!("error sending request for url (http://169.254.169.254{path})");
            let cause = Cause::Generic { store: "S3", source: source.into() };
            let error = failed("list s3://bucket", cause);
            let text = error.source().map(ToString::to_string).unwrap_or_default();
            assert!(
                text.contains("no credentials were found") && text.contains(variable),
                "{text}"
            );
            assert!(!text.contains("169.254"), "{text}");
        }
    }
}
