//! Converts failed requests, and tells transient failures apart.

use std::error::Error as _;
use std::time::Duration;

use larder_store::Error;
use reqwest::header::{LOCATION, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use url::Url;

use crate::protocol::ErrorBody;

/// Maximum size in bytes of an error's body. The rest is not read.
pub(crate) const MAX_ERROR: usize = 64 << 10;
/// Maximum pause that a server can ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// A failed attempt.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The request did not reach the server.
    Unsent(String),
    /// The answer was lost; the request may have been carried out.
    Broken(String),
    /// The server, or a proxy in between, cannot answer now.
    Unavailable {
        /// The error, if this was the last attempt.
        error: Error,
        /// The request may have been carried out.
        may_be_done: bool,
        /// When to try again, if the server says.
        after: Option<Duration>,
    },
    /// A definite answer, or a permanent failure.
    Definite(Error),
}

impl Failure {
    /// Returns whether the request may have been carried out all the same.
    pub(crate) fn may_be_done(&self) -> bool {
        match self {
            Self::Broken(_) => true,
            Self::Unavailable { may_be_done, .. } => *may_be_done,
            Self::Unsent(_) | Self::Definite(_) => false,
        }
    }

    /// Returns whether another attempt may succeed.
    pub(crate) fn is_transient(&self) -> bool {
        !matches!(self, Self::Definite(_))
    }

    /// Converts into the error of `action`.
    pub(crate) fn into_error(self, action: &str) -> Error {
        match self {
            Self::Unsent(reason) | Self::Broken(reason) => {
                Error::store(action, format!("{reason}; check the server and the network"))
            }
            Self::Unavailable { error, .. } | Self::Definite(error) => error,
        }
    }

    /// The failure of a connection.
    pub(crate) fn of_connection(action: &str, cause: &reqwest::Error) -> Self {
        let text = message(cause);
        if is_permanent(cause) {
            return Self::Definite(Error::store(action, format!("{text}; check the certificates")));
        }
        if cause.is_connect() { Self::Unsent(text) } else { Self::Broken(text) }
    }
}

/// Returns the message of an error with the causes that it does not repeat, without the URL.
fn message(cause: &reqwest::Error) -> String {
    let mut text = match () {
        () if cause.is_connect() => "cannot connect".to_owned(),
        () if cause.is_timeout() => "it timed out".to_owned(),
        () => "the connection was cut".to_owned(),
    };
    let mut next = cause.source();
    while let Some(error) = next {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        next = error.source();
    }
    text
}

/// Returns whether TLS failed, such as for an unknown certificate.
fn is_permanent(cause: &reqwest::Error) -> bool {
    let mut next = cause.source();
    while let Some(error) = next {
        let system = error.downcast_ref::<std::io::Error>();
        let inner = system.and_then(|error| error.get_ref());
        if error.is::<tokio_rustls::rustls::Error>()
            || inner.is_some_and(|inner| inner.is::<tokio_rustls::rustls::Error>())
        {
            return true;
        }
        next = error.source();
    }
    false
}

/// What an answer says besides its body.
pub(crate) struct Head {
    status: StatusCode,
    after: Option<Duration>,
    location: Option<String>,
}

impl Head {
    pub(crate) fn of(response: &Response) -> Self {
        let text = |name| response.headers().get(name)?.to_str().ok();
        let after = text(RETRY_AFTER).and_then(|after| after.trim().parse().ok());
        Self {
            status: response.status(),
            after: after.map(|after| Duration::from_secs(after).min(LONGEST_PAUSE)),
            location: text(LOCATION).map(without_secrets),
        }
    }

    /// Converts an answer that is no success. `reference` is what a prediction asked for.
    pub(crate) fn failure(
        self,
        action: &str,
        has_token: bool,
        reference: Option<&str>,
        body: &[u8],
    ) -> Failure {
        let detail = serde_json::from_slice::<ErrorBody>(body).ok().map(|body| body.error);
        let said = detail.as_ref().map(|detail| printable(&detail.message));
        let code = detail.as_ref().map_or("", |detail| detail.code.as_str());
        let status = self.status;
        let or = |default: &str| said.clone().unwrap_or_else(|| default.to_owned());
        let refused = |reason: String| Error::Refused { action: action.into(), reason };
        let error = match status.as_u16() {
            301..=399 => refused(format!(
                "the server redirects to {}; use that URL if you trust it, because the token is sent to no other server",
                self.location.as_deref().unwrap_or("another place")
            )),
            401 if !has_token => {
                refused("the server asks for a token; set `LARDER_TOKEN`, or log in".into())
            }
            401 => refused(format!(
                "{}; set `LARDER_TOKEN` to a valid token, or log in again",
                or("the server does not accept the token")
            )),
            403 => refused(format!(
                "{}; ask an administrator of the larder for the permission",
                or("not permitted")
            )),
            404 if detail.is_some() && reference.is_some() => Error::NotFound {
                reference: reference.unwrap_or_default().to_owned(),
                similar: Vec::new(),
            },
            422 if reference.is_some() => {
                let source = or("the server does not accept it").into();
                Error::Input { path: String::new(), source }
            }
            500 if code == "predict_failed" => Error::predict(or("the model failed")),
            404 if detail.is_none() => {
                Error::store(action, "there is no server of Larder; check the host and the path")
            }
            409 if code == "conflict" => Error::Conflict { what: or("a record") },
            413 => refused(or("the request is too large for the server")),
            400..=499 => refused(or(&format!("the server answers {status}"))),
            _ => Error::store(action, or(&format!("the server answers {status}"))),
        };
        match status.as_u16() {
            429 => Failure::Unavailable { error, may_be_done: false, after: self.after },
            502..=504 => Failure::Unavailable { error, may_be_done: true, after: self.after },
            _ => Failure::Definite(error),
        }
    }
}

/// Returns a text of a peer without control characters, and not too much of it.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(500).collect()
}

/// Returns the place of a redirect without what may be secret.
fn without_secrets(location: &str) -> String {
    match Url::parse(location) {
        Ok(url) if url.has_host() => {
            format!("{}{}", url.origin().ascii_serialization(), url.path())
        }
        _ => "another path".to_owned(),
    }
}
