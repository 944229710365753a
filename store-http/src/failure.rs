//! Converts failed requests, and tells transient failures apart.

use std::error::Error as _;
use std::time::Duration;

use larder_store::{Absence, Error};
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

    /// Converts an answer that is no success.
    pub(crate) fn failure(self, asked: &Asked<'_>, body: &[u8]) -> Failure {
        let detail = serde_json::from_slice::<ErrorBody>(body).ok().map(|body| body.error);
        let code = detail.as_ref().map_or("", |detail| detail.code.as_str());
        let said = detail.as_ref().map(|detail| printable(&detail.message));
        let status = self.status;
        // The server says what it cannot do, which may be a part of what was asked.
        let (action, reason) = match said.as_deref().and_then(split) {
            Some((action, reason)) => (format!("{action} at {}", asked.server), reason.to_owned()),
            None => {
                let reason = said.clone().unwrap_or_else(|| format!("the server answers {status}"));
                (asked.action.to_owned(), reason)
            }
        };
        let refused = |action, reason| Error::Refused { action, reason };
        let error = match (status.as_u16(), asked.reference) {
            (301..=399, _) => refused(
                asked.action.to_owned(),
                format!(
                    "the server redirects to {}; use that URL if you trust it, because the token is sent to no \
                     other server",
                    self.location.as_deref().unwrap_or("another place")
                ),
            ),
            (401, _) if !asked.has_token => Error::denied(
                asked.action,
                "the server asks for a token; set `LARDER_TOKEN`, or log in",
            ),
            (401, _) => Error::denied(
                asked.action,
                format!("{reason}; set `LARDER_TOKEN` to a valid token, or log in again"),
            ),
            (403, _) => {
                Error::denied(action, format!("{reason}; ask an administrator of the larder"))
            }
            (404, Some(reference)) if detail.is_some() => Error::NotFound {
                reference: reference.to_owned(),
                similar: Vec::new(),
                absence: Absence::Unknown,
            },
            (404, _) if detail.is_none() => {
                let reason = "there is no server of Larder; check the host and the path";
                Error::store(asked.action, reason)
            }
            (409, _) if code == "conflict" => Error::Conflict { what: asked.server.to_owned() },
            (422, Some(_)) if code == "model_failed" => Error::predict(reason),
            (400 | 422, Some(_)) => {
                Error::Input { path: String::new(), source: said.unwrap_or(reason).into() }
            }
            (400..=499, _) => refused(action, reason),
            _ => Error::store(asked.action, said.unwrap_or(reason)),
        };
        match status.as_u16() {
            429 => Failure::Unavailable { error, may_be_done: false, after: self.after },
            502..=504 => Failure::Unavailable { error, may_be_done: true, after: self.after },
            _ => Failure::Definite(error),
        }
    }
}

/// What was asked of whom.
pub(crate) struct Asked<'a> {
    /// The attempted action, for errors.
    pub(crate) action: &'a str,
    /// The URL without secrets.
    pub(crate) server: &'a str,
    /// A token was sent.
    pub(crate) has_token: bool,
    /// What a prediction asked for.
    pub(crate) reference: Option<&'a str>,
}

/// Splits a message that reads `cannot ACTION: REASON`.
fn split(message: &str) -> Option<(&str, &str)> {
    message.strip_prefix("cannot ")?.split_once(": ")
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
